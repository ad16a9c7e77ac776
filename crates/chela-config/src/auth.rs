//! What the gateway needs to start: mode, port, credentials (GW-01, GW-31, GW-128).

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::env::Env;
use crate::error::ConfigError;
use crate::load::Config;
use crate::secret::Secret;
use crate::settings::GatewayMode;
use crate::write::atomic::write_new_private;

/// The port when nothing else is said.
pub const DEFAULT_GATEWAY_PORT: u16 = 18789;

/// Texts from published examples; whoever uses them has no secret.
const EXAMPLE_SECRETS: &[&str] = &["change-me-to-a-long-random-token", "change-me-now", "change-me-to-a-strong-password"];

/// How clients prove who they are (GW-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// A shared token.
    Token,
    /// A shared password.
    Password,
    /// A proxy in front vouches for the user.
    TrustedProxy,
    /// Nobody is asked.
    None,
}

impl AuthMode {
    /// Reads `token`, `password`, `trusted-proxy` or `none`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "token" => Self::Token,
            "password" => Self::Password,
            "trusted-proxy" => Self::TrustedProxy,
            "none" => Self::None,
            _ => return None,
        })
    }

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
            Self::TrustedProxy => "trusted-proxy",
            Self::None => "none",
        }
    }
}

/// Where the mode came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthModeSource {
    /// The command line.
    Override,
    /// `gateway.auth.mode`.
    Config,
    /// Only a password is configured.
    Password,
    /// Only a token is configured.
    Token,
    /// Nothing is configured.
    Default,
}

/// Credentials from the command line; they win over everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthOverride {
    /// `--auth`.
    pub mode: Option<AuthMode>,
    /// `--token`.
    pub token: Option<Secret>,
    /// `--password`.
    pub password: Option<Secret>,
}

/// `gateway.auth.trustedProxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxySettings {
    /// Header that names the user.
    pub user_header: String,
    /// Headers that must be there.
    pub required_headers: Vec<String>,
    /// Users that may connect; empty allows all.
    pub allow_users: Vec<String>,
    /// Whether the proxy may be on this host.
    pub allow_loopback: bool,
}

/// `gateway.auth.rateLimit`.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimitSettings {
    /// Failures that are let through in a window.
    pub max_attempts: f64,
    /// The window, in milliseconds.
    pub window_ms: f64,
    /// How long an address is shut out, in milliseconds.
    pub lockout_ms: f64,
    /// Whether this host is exempt.
    pub exempt_loopback: bool,
}

/// The credentials that the gateway checks.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedAuth {
    /// How clients prove who they are.
    pub mode: AuthMode,
    /// Why this mode.
    pub mode_source: AuthModeSource,
    /// The shared token, when there is one.
    pub token: Option<Secret>,
    /// The shared password, when there is one.
    pub password: Option<Secret>,
    /// Whether Tailscale's headers count.
    pub allow_tailscale: bool,
    /// Settings of mode `trusted-proxy`.
    pub trusted_proxy: Option<TrustedProxySettings>,
    /// Limits on failures, when configured.
    pub rate_limit: Option<RateLimitSettings>,
}

/// Where a startup token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The configuration, the environment or the command line.
    Configured,
    /// An earlier start generated it.
    Stored,
    /// It was generated now.
    Generated,
}

/// The token for mode `token`, which always exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupToken {
    /// The token.
    pub token: Secret,
    /// Where it came from.
    pub source: TokenSource,
    /// The file that keeps a generated token.
    pub path: PathBuf,
}

/// A port as `OPENCLAW_GATEWAY_PORT` may give it: `18789`, `host:18789` or `[::1]:18789`.
fn parse_port(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?.1,
        None => match text.split_once(':') {
            Some((host, port)) if !host.is_empty() && !port.contains(':') => port,
            Some(_) => return None,
            None => text,
        },
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port > 0)
}

fn fault<T>(field: &str, message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Gateway { field: field.to_owned(), message: message.into() })
}

impl Config {
    /// The gateway's port: command line, `OPENCLAW_GATEWAY_PORT`, `gateway.port`, 18789 (GW-01). A
    /// variable that is not a port is passed over.
    ///
    /// # Errors
    /// [`ConfigError::Gateway`] when `gateway.port` is larger than 65535.
    pub fn gateway_port(&self, cli: Option<u16>) -> Result<u16, ConfigError> {
        if let Some(port) = cli.or_else(|| self.env.non_empty("OPENCLAW_GATEWAY_PORT").and_then(parse_port)) {
            return Ok(port);
        }
        match self.gateway().port {
            None => Ok(DEFAULT_GATEWAY_PORT),
            Some(port) => match u16::try_from(port) {
                Ok(port) => Ok(port),
                Err(_) => fault("gateway.port", format!("{port} is not a port; use 1 to 65535")),
            },
        }
    }

    /// Checks that this configuration may run a gateway here (GW-128): `gateway.mode` must be `local`;
    /// an existing file without a mode is taken for damaged. Without a file the defaults run.
    ///
    /// # Errors
    /// [`ConfigError::Gateway`] with the next step.
    pub fn check_gateway_mode(&self, allow_unconfigured: bool) -> Result<(), ConfigError> {
        match self.gateway().mode {
            _ if allow_unconfigured => Ok(()),
            Some(GatewayMode::Local) => Ok(()),
            Some(GatewayMode::Remote) => fault(
                "gateway.mode",
                "is `remote`, so no gateway runs here; run `config set gateway.mode local`, or pass `--allow-unconfigured`",
            ),
            None if !self.exists => Ok(()),
            None => fault(
                "gateway.mode",
                format!(
                    "is missing in `{}`, which may have been damaged; look at `{}`, run `config set gateway.mode local`, or pass `--allow-unconfigured`",
                    self.path.display(),
                    self.paths.config_audit_file().display()
                ),
            ),
        }
    }

    /// The credentials of the gateway (GW-31). Order for each secret: command line, configuration,
    /// `OPENCLAW_GATEWAY_TOKEN` or `OPENCLAW_GATEWAY_PASSWORD`. Only secrets that the mode can use are
    /// fetched.
    ///
    /// # Errors
    /// [`ConfigError::Gateway`] when both secrets are configured without a mode, when a mode lacks what
    /// it needs, for secrets from published examples and for a webhook token that equals the gateway's;
    /// [`ConfigError::Secret`] when a reference cannot be resolved. A missing token is not an error: see
    /// [`ensure_gateway_token`].
    pub fn gateway_auth(&self, cli: &AuthOverride) -> Result<ResolvedAuth, ConfigError> {
        let auth = &self.effective["gateway"]["auth"];
        let configured = |key: &str| auth.get(key).and_then(|value| self.secret_input(value));
        let set_mode = auth["mode"].as_str().and_then(AuthMode::parse);
        if set_mode.is_none() && configured("token").is_some() && configured("password").is_some() {
            return fault(
                "gateway.auth.mode",
                "is required, because gateway.auth.token and gateway.auth.password are both set; set it to `token` or `password`",
            );
        }
        let password_candidate =
            cli.password.is_some() || configured("password").is_some() || self.env.non_empty("OPENCLAW_GATEWAY_PASSWORD").is_some();
        let token_candidate =
            cli.token.is_some() || configured("token").is_some() || self.env.non_empty("OPENCLAW_GATEWAY_TOKEN").is_some();
        let (mode, mode_source) = match (cli.mode, set_mode) {
            (Some(mode), _) => (mode, AuthModeSource::Override),
            (None, Some(mode)) => (mode, AuthModeSource::Config),
            (None, None) if password_candidate => (AuthMode::Password, AuthModeSource::Password),
            (None, None) if token_candidate => (AuthMode::Token, AuthModeSource::Token),
            (None, None) => (AuthMode::Token, AuthModeSource::Default),
        };
        let fetch = |wanted: bool, flag: &Option<Secret>, key: &str, variable: &str| -> Result<Option<Secret>, ConfigError> {
            if !wanted || flag.is_some() {
                return Ok(flag.clone());
            }
            match configured(key) {
                Some(input) => self.resolve_secret(&format!("gateway.auth.{key}"), &input).map(Some),
                None => Ok(self.env.non_empty(variable).map(Secret::new)),
            }
        };
        let token = fetch(matches!(mode, AuthMode::Token | AuthMode::TrustedProxy), &cli.token, "token", "OPENCLAW_GATEWAY_TOKEN")?;
        let password =
            fetch(matches!(mode, AuthMode::Password | AuthMode::TrustedProxy), &cli.password, "password", "OPENCLAW_GATEWAY_PASSWORD")?;
        let serve = self.effective["gateway"]["tailscale"]["mode"] == "serve";
        let resolved = ResolvedAuth {
            mode,
            mode_source,
            token,
            password,
            allow_tailscale: auth["allowTailscale"].as_bool().unwrap_or(serve && matches!(mode, AuthMode::Token | AuthMode::None)),
            trusted_proxy: trusted_proxy(&auth["trustedProxy"]),
            rate_limit: rate_limit(&auth["rateLimit"]),
        };
        self.check_auth(&resolved)?;
        Ok(resolved)
    }

    fn check_auth(&self, auth: &ResolvedAuth) -> Result<(), ConfigError> {
        let (field, secret) = match auth.mode {
            AuthMode::Token => ("gateway.auth.token", auth.token.as_ref()),
            AuthMode::Password => ("gateway.auth.password", auth.password.as_ref()),
            AuthMode::TrustedProxy | AuthMode::None => ("", None),
        };
        if secret.is_some_and(|secret| EXAMPLE_SECRETS.contains(&secret.expose().trim())) {
            return fault(field, "is a text from a published example that everybody knows; set a secret of your own");
        }
        match auth.mode {
            AuthMode::Password if auth.password.is_none() => {
                fault("gateway.auth.password", "is required in mode `password`; set it or `OPENCLAW_GATEWAY_PASSWORD`")
            }
            AuthMode::TrustedProxy if auth.trusted_proxy.is_none() => {
                fault("gateway.auth.trustedProxy", "is required in mode `trusted-proxy`")
            }
            AuthMode::TrustedProxy if auth.token.is_some() => {
                fault("gateway.auth.token", "cannot be used in mode `trusted-proxy`; remove it and `OPENCLAW_GATEWAY_TOKEN`")
            }
            AuthMode::TrustedProxy if self.gateway().trusted_proxies.is_empty() => {
                fault("gateway.trustedProxies", "needs the address of at least one proxy in mode `trusted-proxy`")
            }
            AuthMode::Token => self.check_hooks_token(auth.token.as_ref()),
            _ => Ok(()),
        }
    }

    fn check_hooks_token(&self, token: Option<&Secret>) -> Result<(), ConfigError> {
        let hooks = &self.effective["hooks"];
        let hooks_token = hooks["token"].as_str().map(str::trim).filter(|t| !t.is_empty());
        if hooks["enabled"] == Value::Bool(true) && hooks_token.is_some() && hooks_token == token.map(|t| t.expose().trim()) {
            return fault("hooks.token", "must differ from the gateway's token; a webhook sender must not be able to sign in");
        }
        Ok(())
    }

    /// Checks the listening address against the credentials: off loopback a secret or a trusted proxy
    /// is needed, and a UI needs named origins (GW-31).
    ///
    /// # Errors
    /// [`ConfigError::Gateway`] with the next step.
    pub fn check_listen(&self, ip: IpAddr, auth: &ResolvedAuth) -> Result<(), ConfigError> {
        let gateway = self.gateway();
        if gateway.tailscale.as_deref() == Some("funnel") && auth.mode != AuthMode::Password {
            return fault("gateway.auth.mode", "must be `password` while gateway.tailscale.mode is `funnel`");
        }
        if ip.is_loopback() {
            return Ok(());
        }
        let protected = match auth.mode {
            AuthMode::Token => auth.token.is_some(),
            AuthMode::Password => auth.password.is_some(),
            AuthMode::TrustedProxy => true,
            AuthMode::None => false,
        };
        if !protected {
            return fault(
                "gateway.bind",
                format!("would open {ip} without authentication; set gateway.auth.token or gateway.auth.password, or bind to loopback"),
            );
        }
        let ui = &gateway.control_ui;
        if ui.enabled && ui.allowed_origins.is_empty() && !ui.allow_host_header_origin_fallback {
            return fault(
                "gateway.controlUi.allowedOrigins",
                format!("is required when the UI is served on {ip}; name the origins, or set gateway.controlUi.enabled to false"),
            );
        }
        Ok(())
    }
}

/// Completes mode `token`: without a configured token the one from an earlier start is used, else a
/// random one is made. It is kept in `chela/gateway-token` in the state directory (mode 0600), not in the
/// user's configuration, so that commands of the same user find it and a restart does not lock clients out.
/// `auth.token` is filled in. Other modes return `None`.
///
/// # Errors
/// [`ConfigError::Io`] when the file cannot be read or written.
pub fn ensure_gateway_token(config: &Config, auth: &mut ResolvedAuth) -> Result<Option<StartupToken>, ConfigError> {
    if auth.mode != AuthMode::Token {
        return Ok(None);
    }
    let path = gateway_token_file(config);
    if let Some(token) = &auth.token {
        return Ok(Some(StartupToken { token: token.clone(), source: TokenSource::Configured, path }));
    }
    let (token, source) = match stored_gateway_token(config)? {
        Some(token) => (token, TokenSource::Stored),
        None => {
            let mut bytes = [0u8; 24];
            getrandom::fill(&mut bytes)
                .map_err(|e| ConfigError::io("read random bytes for", &path)(std::io::Error::other(e.to_string())))?;
            let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            if write_new_private(&path, &format!("{token}\n"))? {
                (Secret::new(token), TokenSource::Generated)
            } else {
                // Another start was faster; its token counts.
                match stored_gateway_token(config)? {
                    Some(token) => (token, TokenSource::Stored),
                    None => {
                        return Err(ConfigError::io("use", &path)(std::io::Error::other("the file is empty; remove it")));
                    }
                }
            }
        }
    };
    config.check_hooks_token(Some(&token))?;
    auth.token = Some(token.clone());
    Ok(Some(StartupToken { token, source, path }))
}

/// The token that a gateway of this installation generated, for commands that connect to it.
///
/// # Errors
/// [`ConfigError::Io`] when the file exists and cannot be read.
pub fn stored_gateway_token(config: &Config) -> Result<Option<Secret>, ConfigError> {
    let path = gateway_token_file(config);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim()).filter(|t| !t.is_empty()).map(Secret::new)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::io("read", path)(error)),
    }
}

fn gateway_token_file(config: &Config) -> PathBuf {
    config.paths.chela_dir().join("gateway-token")
}

fn trusted_proxy(value: &Value) -> Option<TrustedProxySettings> {
    let user_header = crate::settings::text(value, "userHeader")?;
    Some(TrustedProxySettings {
        user_header,
        required_headers: crate::settings::texts(value, "requiredHeaders"),
        allow_users: crate::settings::texts(value, "allowUsers"),
        allow_loopback: value["allowLoopback"].as_bool().unwrap_or(false),
    })
}

fn rate_limit(value: &Value) -> Option<RateLimitSettings> {
    value.as_object()?;
    let number = |key: &str, default: f64| value[key].as_f64().unwrap_or(default);
    Some(RateLimitSettings {
        max_attempts: number("maxAttempts", 10.0),
        window_ms: number("windowMs", 60_000.0),
        lockout_ms: number("lockoutMs", 300_000.0),
        exempt_loopback: value["exemptLoopback"].as_bool().unwrap_or(true),
    })
}

/// Whether the environment forbids edits of the configuration (`OPENCLAW_NIX_MODE=1`).
pub fn is_nix_mode(env: &Env) -> bool {
    env.non_empty("OPENCLAW_NIX_MODE") == Some("1")
}

#[cfg(test)]
mod tests;
