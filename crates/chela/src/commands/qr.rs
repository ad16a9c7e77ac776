//! `chela qr`: a setup code by which a companion device pairs itself once (GW-28, GW-51).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_config::{AuthMode, AuthOverride, Config};
use chela_gateway::devices::{BootstrapProfile, DeviceStore};
use serde_json::json;
use url::{Host, Url};

use crate::cli::devices::QrArgs;
use crate::context::Context;
use crate::output;
use crate::report::Failure;

/// Issues a code and prints it.
///
/// # Errors
/// When no URL is known by which a device reaches this gateway, when the gateway asks for no secret, when the file cannot be written.
pub fn run(ctx: &Context, args: &QrArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let auth = match config.gateway_auth(&AuthOverride::default())?.mode {
        AuthMode::Token => "token",
        AuthMode::Password => "password",
        AuthMode::None | AuthMode::TrustedProxy => {
            return Err(Failure::new("this gateway has no secret, so a setup code has nothing to stand for")
                .hint("set `gateway.auth.mode` to `token` or `password`"));
        }
    };
    let (url, source) = device_url(&config, args)?;
    let store = DeviceStore::new(&ctx.paths.devices_dir());
    let issued = store.issue_bootstrap(&BootstrapProfile::companion()).map_err(|error| Failure::new(error.to_string()))?;
    let code = URL_SAFE_NO_PAD.encode(json!({"url": url, "bootstrapToken": issued.token}).to_string());
    if args.setup_code_only {
        return output::text(&code);
    }
    if args.json {
        return output::json(&json!({"setupCode": code, "gatewayUrl": url, "auth": auth, "urlSource": source}));
    }
    output::text(&format!(
        "Setup code for {url}\n\n{code}\n\nIt works once, for one device, within ten minutes. See the device with `chela devices list`"
    ))
}

/// The URL as the device needs it, and where it comes from.
fn device_url(config: &Config, args: &QrArgs) -> Result<(String, &'static str), Failure> {
    let settings = config.gateway();
    let remote = config.effective["gateway"]["remote"]["url"].as_str();
    let (text, source) = match (&args.url, remote) {
        (Some(url), _) => (url.clone(), "command line"),
        (None, Some(url)) => (url.to_owned(), "gateway.remote.url"),
        (None, None) => {
            let ip = settings.listen_ip(settings.bind)?;
            if ip.is_loopback() || ip.is_unspecified() {
                return Err(Failure::new("no URL is known by which another device reaches this gateway")
                    .hint("name it with `--url`, for example `--url wss://gateway.example` or `--url ws://192.168.1.5:18789`"));
            }
            (format!("ws://{}", std::net::SocketAddr::new(ip, config.gateway_port(None)?)), "gateway.bind")
        }
    };
    Ok((checked(&text)?, source))
}

fn checked(text: &str) -> Result<String, Failure> {
    let bad = |problem: &str| Failure::usage(format!("`{text}` is no URL for a device: {problem}"));
    let url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
    let scheme = match url.scheme() {
        "wss" | "https" => "wss",
        "ws" | "http" => "ws",
        _ => return Err(bad("its scheme is neither `ws` nor `wss`")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it carries credentials"));
    }
    let private = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".local"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        None => return Err(bad("it names no host")),
    };
    if scheme == "ws" && !private {
        return Err(bad("the code would travel unencrypted").hint("use `wss://`, or an address of a private network"));
    }
    let host = url.host_str().unwrap_or_default();
    Ok(url.port().map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_travel_encrypted_or_on_private_networks() {
        let cases = [
            ("wss://gw.example", Ok("wss://gw.example")),
            ("https://gw.example:8443/chat", Ok("wss://gw.example:8443")),
            ("ws://192.168.1.5:18789", Ok("ws://192.168.1.5:18789")),
            ("ws://desk.local:1", Ok("ws://desk.local:1")),
            ("ws://gw.example", Err("unencrypted")),
            ("ws://100.64.0.1:1", Err("unencrypted")),
            ("ftp://gw.example", Err("scheme")),
            ("wss://user:pw@gw.example", Err("credentials")),
            ("nonsense", Err("relative URL")),
        ];
        for (text, expected) in cases {
            match (checked(text), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url, expected),
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{}", failure.message),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }
}
