//! Which gateway, with which credentials (GW-01, GW-156).

use std::net::IpAddr;

use chela_config::{AuthMode, AuthOverride, Config, GatewayMode, Secret as Hidden, stored_gateway_token};
use url::{Host, Url};

use crate::cli::TargetArgs;
use crate::report::Failure;

/// A gateway to talk to.
#[derive(Debug, Clone)]
pub struct Target {
    /// `ws://host:port`.
    pub url: String,
    /// Where the URL came from, for messages.
    pub source: &'static str,
    /// Whether it is this machine.
    pub loopback: bool,
    /// The credentials.
    pub secret: Secret,
}

/// Credentials shared with the gateway.
#[derive(Debug, Clone)]
pub enum Secret {
    /// A token.
    Token(Hidden),
    /// A password.
    Password(Hidden),
    /// None is known; a device identity may do.
    None,
}

impl Secret {
    /// Whether there is one.
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn pick(token: Option<Hidden>, password: Option<Hidden>, prefer_password: bool) -> Self {
        match (token, password) {
            (_, Some(password)) if prefer_password => Self::Password(password),
            (Some(token), _) => Self::Token(token),
            (None, Some(password)) => Self::Password(password),
            (None, None) => Self::None,
        }
    }
}

impl Target {
    /// Order of the URL: `--url`, `OPENCLAW_GATEWAY_URL`, `gateway.remote.url` in mode `remote`, this machine.
    /// With `--url`, credentials come from the command line alone (GW-156).
    ///
    /// # Errors
    /// A URL that is none, `--url` without credentials, plain text to another machine, a secret that cannot be resolved.
    pub fn resolve(config: &Config, args: &TargetArgs, has_device_token: bool) -> Result<Self, Failure> {
        let flags = || (args.token.as_deref().map(Hidden::new), args.password.as_deref().map(Hidden::new));
        if let Some(url) = &args.url {
            let (token, password) = flags();
            if token.is_none() && password.is_none() {
                return Err(Failure::usage("`--url` needs `--token` or `--password`")
                    .hint("credentials of the config and the environment are not sent to a URL from the command line"));
            }
            return Self::checked(config, url, "command line", Secret::pick(token, password, args.password.is_some()));
        }
        let (token, password) = flags();
        let asked = token.is_some() || password.is_some();
        if let Some(url) = config.env.non_empty("OPENCLAW_GATEWAY_URL") {
            let env = |name: &str| config.env.non_empty(name).map(Hidden::new);
            let token = token.or_else(|| env("OPENCLAW_GATEWAY_TOKEN"));
            let password = password.or_else(|| env("OPENCLAW_GATEWAY_PASSWORD"));
            return Self::checked(config, url, "`OPENCLAW_GATEWAY_URL`", Secret::pick(token, password, args.password.is_some()));
        }
        if config.gateway().mode == Some(GatewayMode::Remote) {
            return Self::remote(config, args);
        }
        let secret = if asked { Secret::pick(token, password, args.password.is_some()) } else { local_secret(config, has_device_token)? };
        // A gateway that was started with `--port` says so in its lock.
        let port = match crate::lockfile::look(&config.paths).port() {
            Some(port) => port,
            None => config.gateway_port(None)?,
        };
        Ok(Self { url: format!("ws://127.0.0.1:{port}"), source: "local loopback", loopback: true, secret })
    }

    fn remote(config: &Config, args: &TargetArgs) -> Result<Self, Failure> {
        let Some(url) = config.get("gateway.remote.url").and_then(serde_json::Value::as_str) else {
            return Err(Failure::new("`gateway.mode` is `remote`, but `gateway.remote.url` is not set")
                .hint("set it with `chela config set gateway.remote.url ws://HOST:PORT`"));
        };
        let token = match &args.token {
            Some(token) => Some(Hidden::new(token)),
            None => config.secret_at("gateway.remote.token")?,
        };
        let password = match &args.password {
            Some(password) => Some(Hidden::new(password)),
            None => config.secret_at("gateway.remote.password")?,
        };
        Self::checked(config, url, "`gateway.remote.url`", Secret::pick(token, password, args.password.is_some()))
    }

    fn checked(config: &Config, text: &str, source: &'static str, secret: Secret) -> Result<Self, Failure> {
        let bad = |why: &str| Failure::usage(format!("`{text}` is not a gateway URL: {why}")).hint("write it as `ws://HOST:PORT`");
        let url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
        if url.scheme() == "wss" {
            return Err(Failure::not_built(
                "wss://",
                "forward the port, for example with `ssh -N -L 18789:127.0.0.1:18789 HOST`, and use `ws://127.0.0.1:18789`",
            ));
        }
        if url.scheme() != "ws" {
            return Err(bad("its scheme is not `ws`"));
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            None => return Err(bad("it names no host")),
        };
        if !loopback && config.env.non_empty("OPENCLAW_ALLOW_INSECURE_PRIVATE_WS") != Some("1") {
            return Err(Failure::new(format!("`{text}` would send credentials unencrypted to another machine"))
                .hint("forward the port, for example with `ssh -N -L 18789:127.0.0.1:18789 HOST`, or set `OPENCLAW_ALLOW_INSECURE_PRIVATE_WS=1` on a network you trust"));
        }
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), source, loopback, secret })
    }
}

/// The secret of the gateway of this config: configured, from the environment, or the one that a start made up.
fn local_secret(config: &Config, has_device_token: bool) -> Result<Secret, Failure> {
    let auth = match config.gateway_auth(&AuthOverride::default()) {
        Ok(auth) => auth,
        // A secret that cannot be had here may not be needed, when a device token can stand in.
        Err(_) if has_device_token => return Ok(Secret::None),
        Err(error) => return Err(error.into()),
    };
    let token = match (auth.mode, auth.token) {
        (AuthMode::Token, None) => stored_gateway_token(config)?,
        (_, token) => token,
    };
    Ok(Secret::pick(token, auth.password, auth.mode == AuthMode::Password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_config::{Env, StatePaths};
    use serde_json::{Value, json};

    fn config(file: &Value, env: &[(&str, &str)]) -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openclaw.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let mut all = vec![("HOME", dir.path().to_str().unwrap()), ("OPENCLAW_STATE_DIR", dir.path().to_str().unwrap())];
        all.extend(env);
        let env: Env = all.into_iter().collect();
        let paths = StatePaths::from_env(&env).unwrap();
        let config = chela_config::load(&paths, &env).unwrap();
        (dir, config)
    }

    fn shown(target: &Target) -> (String, &'static str, String) {
        let secret = match &target.secret {
            Secret::Token(token) => format!("token {}", token.expose()),
            Secret::Password(password) => format!("password {}", password.expose()),
            Secret::None => "none".to_owned(),
        };
        (target.url.clone(), target.source, secret)
    }

    // GW-01, GW-156
    #[test]
    fn flags_environment_config_in_this_order() {
        let local = json!({"gateway": {"port": 1234, "auth": {"token": "conf"}}});
        let remote = json!({"gateway": {"mode": "remote", "remote": {"url": "ws://localhost:5", "token": "far"}}});
        let args =
            |url: Option<&str>, token: Option<&str>| TargetArgs { url: url.map(Into::into), token: token.map(Into::into), password: None };
        type Case<'a> = (&'a Value, &'a [(&'a str, &'a str)], TargetArgs, (&'a str, &'a str, &'a str));
        let cases: Vec<Case<'_>> = vec![
            (&local, &[], args(None, None), ("ws://127.0.0.1:1234", "local loopback", "token conf")),
            (&local, &[("OPENCLAW_GATEWAY_PORT", "7")], args(None, Some("flag")), ("ws://127.0.0.1:7", "local loopback", "token flag")),
            (&local, &[], args(Some("ws://127.0.0.1:9/"), Some("flag")), ("ws://127.0.0.1:9", "command line", "token flag")),
            (
                &local,
                &[("OPENCLAW_GATEWAY_URL", "ws://[::1]:8"), ("OPENCLAW_GATEWAY_TOKEN", "env")],
                args(None, None),
                ("ws://[::1]:8", "`OPENCLAW_GATEWAY_URL`", "token env"),
            ),
            (&remote, &[], args(None, None), ("ws://localhost:5", "`gateway.remote.url`", "token far")),
        ];
        for (file, env, args, (url, source, secret)) in cases {
            let (_dir, config) = config(file, env);
            let target = Target::resolve(&config, &args, false).unwrap();
            assert_eq!(shown(&target), (url.to_owned(), source, secret.to_owned()));
            assert!(target.loopback);
        }
    }

    // GW-156
    #[test]
    fn refused_urls_say_why() {
        let (_dir, config) = config(&json!({"gateway": {"auth": {"token": "conf"}}}), &[]);
        let args = |url: &str, token: Option<&str>| TargetArgs { url: Some(url.into()), token: token.map(Into::into), password: None };
        for (args, expected) in [
            (args("ws://127.0.0.1:9", None), "`--url` needs `--token` or `--password`"),
            (args("nonsense", Some("t")), "is not a gateway URL"),
            (args("http://127.0.0.1:9", Some("t")), "its scheme is not `ws`"),
            (args("wss://host:9", Some("t")), "`wss://` is not built yet"),
            (args("ws://192.0.2.1:9", Some("t")), "unencrypted"),
        ] {
            let failure = Target::resolve(&config, &args, false).unwrap_err();
            assert!(failure.message.contains(expected), "{}", failure.message);
        }
    }
}
