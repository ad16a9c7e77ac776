//! From the config file to the transport's plain settings.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chela_config::{AuthMode, ResolvedAuth, StatePaths};
use serde_json::Value;

use super::RunOptions;
use crate::transport_config::{AuthConfig, ControlUiConfig, HttpConfig, Secret, TransportConfig, TrustedProxyAuth};

/// The settings of the server.
pub(super) fn config(options: &RunOptions, port: u16, ip: IpAddr, auth: &ResolvedAuth) -> TransportConfig {
    let settings = options.config.gateway();
    let mut out = TransportConfig::loopback(port, auth_config(auth), options.paths.devices_dir());
    out.bind = ip;
    out.limits.handshake_timeout = std::time::Duration::from_millis(settings.handshake_timeout_ms);
    if let Some(most) = settings.max_preauth_per_ip {
        out.limits.max_preauth_per_ip = most;
    }
    out.allow_real_ip_fallback = settings.allow_real_ip_fallback;
    out.trusted_proxies = settings.trusted_proxies.iter().filter_map(|p| p.parse().ok()).collect();
    out.node_auto_approve_cidrs = settings.node_auto_approve_cidrs.clone();
    out.tailscale = auth.allow_tailscale.then(|| "tailscale".into());
    out.control_ui = ControlUiConfig {
        enabled: settings.control_ui.enabled,
        base_path: settings.control_ui.base_path.clone(),
        allowed_origins: settings.control_ui.allowed_origins.iter().map(|o| o.to_lowercase()).collect(),
        host_header_origin_fallback: settings.control_ui.allow_host_header_origin_fallback,
        allow_insecure_auth: settings.control_ui.allow_insecure_auth,
        disable_device_auth: settings.control_ui.disable_device_auth,
        csp_connect_hosts: Vec::new(),
    };
    out.http = HttpConfig {
        chat_completions: settings.chat_completions.enabled,
        responses: settings.responses.enabled,
        strict_transport_security: settings.strict_transport_security.clone(),
    };
    out
}

fn auth_config(auth: &ResolvedAuth) -> AuthConfig {
    let secret = |s: &Option<chela_config::Secret>| Secret::new(s.as_ref().map(|s| s.expose().to_string()).unwrap_or_default());
    match auth.mode {
        AuthMode::None => AuthConfig::None,
        AuthMode::Token => AuthConfig::Token(secret(&auth.token)),
        AuthMode::Password => AuthConfig::Password(secret(&auth.password)),
        AuthMode::TrustedProxy => {
            let proxy = auth.trusted_proxy.as_ref();
            AuthConfig::TrustedProxy(TrustedProxyAuth {
                user_header: proxy.map(|p| p.user_header.clone()).unwrap_or_default(),
                required_headers: proxy.map(|p| p.required_headers.clone()).unwrap_or_default(),
                allow_users: proxy.map(|p| p.allow_users.clone()).unwrap_or_default(),
                allow_loopback: proxy.is_some_and(|p| p.allow_loopback),
            })
        }
    }
}

/// Id and public key of this installation, when it has an identity (GW-149).
pub(super) fn device_identity(paths: &StatePaths) -> Option<(String, String)> {
    let text = fs_err::read_to_string(paths.identity_file()).ok()?;
    let file: Value = serde_json::from_str(&text).ok()?;
    let pem = file.get("publicKeyPem")?.as_str()?;
    let body: String = pem.lines().filter(|l| !l.starts_with("-----")).collect();
    let der = STANDARD.decode(body).ok()?;
    // The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key.
    let key = der.get(der.len().checked_sub(32)?..)?;
    Some((file.get("deviceId")?.as_str()?.to_string(), URL_SAFE_NO_PAD.encode(key)))
}
