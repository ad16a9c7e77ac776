//! What the transport needs to know, as plain values.
//!
//! The caller fills it from the configuration file, the environment and the command line; nothing here reads
//! any of them.

use chela_gateway_protocol::limits;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// A secret that never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The secret itself; keep it out of messages.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How callers prove who they are (GW-31).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthConfig {
    /// Nobody has to; loopback only.
    None,
    /// A shared token.
    Token(Secret),
    /// A shared password.
    Password(Secret),
    /// A proxy in front has checked the caller and names the user in a header.
    TrustedProxy(TrustedProxyAuth),
}

impl AuthConfig {
    /// Name of the mode, as in `gateway.auth.mode`.
    pub fn mode(&self) -> &'static str {
        match self {
            AuthConfig::None => "none",
            AuthConfig::Token(_) => "token",
            AuthConfig::Password(_) => "password",
            AuthConfig::TrustedProxy(_) => "trusted-proxy",
        }
    }
}

/// Settings of the mode `trusted-proxy`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxyAuth {
    /// Header that carries the user name.
    pub user_header: String,
    /// Headers that must be there too.
    pub required_headers: Vec<String>,
    /// Users that may enter; empty means all.
    pub allow_users: Vec<String>,
    /// Whether the proxy may run on this machine.
    pub allow_loopback: bool,
}

/// Settings of the page at `/`.
#[derive(Debug, Clone, Default)]
pub struct ControlUiConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// Path below which it is served, without a slash at the end; empty for `/`.
    pub base_path: String,
    /// Origins whose pages may connect, lower case; `*` for all (GW-40).
    pub allowed_origins: Vec<String>,
    /// Accept an origin that equals the `Host` header (GW-40).
    pub host_header_origin_fallback: bool,
    /// Let the page connect from loopback without device identity (GW-39).
    pub allow_insecure_auth: bool,
    /// Break-glass: no device identity for the page at all (GW-39).
    pub disable_device_auth: bool,
    /// Further hosts for `connect-src` of the page's policy; none unless the operator names them (GW-F21).
    pub csp_connect_hosts: Vec<String>,
}

/// HTTP endpoints that can be switched.
#[derive(Debug, Clone, Default)]
pub struct HttpConfig {
    /// `/v1/chat/completions`, and with it `/v1/models` (GW-107).
    pub chat_completions: bool,
    /// `/v1/responses`.
    pub responses: bool,
    /// Value of `Strict-Transport-Security`, if any (GW-101).
    pub strict_transport_security: Option<String>,
}

/// Sizes, counts and times. The defaults are the contract's.
#[derive(Debug, Clone)]
pub struct TransportLimits {
    /// Time for the handshake (GW-22).
    pub handshake_timeout: Duration,
    /// Sockets of one address that may be in the handshake (GW-23).
    pub max_preauth_per_ip: usize,
    /// Requests of one connection that run at once; more wait.
    pub max_in_flight: usize,
    /// Requests of one connection that may wait; more are refused as retryable.
    pub max_waiting: usize,
    /// Bytes that may wait for one client (GW-96).
    pub max_buffered_bytes: usize,
    /// Time between two `tick` events (GW-98).
    pub tick_interval: Duration,
    /// Time between two pings (GW-24).
    pub ping_interval: Duration,
    /// Body of `/v1/chat/completions` and `/v1/responses`, in bytes (GW-110).
    pub chat_body_bytes: usize,
    /// Body of `/tools/invoke`, in bytes (GW-116).
    pub tools_body_bytes: usize,
    /// Body of plugin routes, in bytes.
    pub plugin_body_bytes: usize,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
}

impl Default for TransportLimits {
    fn default() -> Self {
        TransportLimits {
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            max_preauth_per_ip: limits::MAX_PREAUTH_CONNECTIONS_PER_IP,
            max_in_flight: 64,
            max_waiting: 1024,
            max_buffered_bytes: limits::MAX_BUFFERED_BYTES,
            tick_interval: limits::TICK_INTERVAL,
            ping_interval: limits::PING_INTERVAL,
            chat_body_bytes: 20 * 1024 * 1024,
            tools_body_bytes: 2 * 1024 * 1024,
            plugin_body_bytes: 20 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Everything the transport needs to know.
#[derive(Debug, Clone)]
pub struct TransportConfig {
    /// Version told to clients.
    pub version: String,
    /// Port for WebSocket and HTTP; 0 takes a free one (GW-01).
    pub port: u16,
    /// Address to listen on. On IPv4 loopback the same port of `::1` is used too, where it can be had.
    pub bind: IpAddr,
    /// How callers prove who they are.
    pub auth: AuthConfig,
    /// Addresses or networks (`10.0.0.0/8`) of proxies whose forwarded headers count (GW-52).
    pub trusted_proxies: Vec<String>,
    /// Whether `X-Real-IP` of a trusted proxy counts when `X-Forwarded-For` is absent.
    pub allow_real_ip_fallback: bool,
    /// Networks from which new nodes are approved silently (GW-53).
    pub node_auto_approve_cidrs: Vec<String>,
    /// The program that confirms users of the tailnet, when they may enter without the secret (`gateway.auth.allowTailscale`).
    pub tailscale: Option<PathBuf>,
    /// Directory of `paired.json` and `pending.json` (GW-148).
    pub devices_dir: PathBuf,
    /// The page at `/`.
    pub control_ui: ControlUiConfig,
    /// HTTP endpoints.
    pub http: HttpConfig,
    /// Sizes, counts and times.
    pub limits: TransportLimits,
}

impl TransportConfig {
    /// A configuration for loopback with defaults for everything else.
    pub fn loopback(port: u16, auth: AuthConfig, devices_dir: PathBuf) -> Self {
        TransportConfig {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            port,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            auth,
            trusted_proxies: Vec::new(),
            allow_real_ip_fallback: false,
            node_auto_approve_cidrs: Vec::new(),
            tailscale: None,
            devices_dir,
            control_ui: ControlUiConfig { enabled: true, ..ControlUiConfig::default() },
            http: HttpConfig::default(),
            limits: TransportLimits::default(),
        }
    }

    /// Refuses what must not run: empty secrets, and an open gateway off loopback (GW-31).
    pub fn validate(&self) -> Result<(), TransportConfigError> {
        match &self.auth {
            AuthConfig::Token(secret) if secret.expose().trim().is_empty() => {
                return Err(TransportConfigError::EmptySecret {
                    mode: "token",
                    setting: "gateway.auth.token",
                    variable: "OPENCLAW_GATEWAY_TOKEN",
                });
            }
            AuthConfig::Password(secret) if secret.expose().trim().is_empty() => {
                return Err(TransportConfigError::EmptySecret {
                    mode: "password",
                    setting: "gateway.auth.password",
                    variable: "OPENCLAW_GATEWAY_PASSWORD",
                });
            }
            AuthConfig::TrustedProxy(proxy) if proxy.user_header.trim().is_empty() => {
                return Err(TransportConfigError::NoUserHeader);
            }
            AuthConfig::None if !self.bind.is_loopback() => {
                return Err(TransportConfigError::OpenBind(self.bind));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why the transport does not start with this configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportConfigError {
    /// The mode needs a secret and has none.
    #[error("`gateway.auth.mode` is `{mode}`, but no {mode} is configured; set `{setting}` or the environment variable `{variable}`")]
    EmptySecret {
        /// Mode that needs it.
        mode: &'static str,
        /// Setting that is empty.
        setting: &'static str,
        /// Variable that may carry it instead.
        variable: &'static str,
    },
    /// The mode `trusted-proxy` does not know which header names the user.
    #[error(
        "`gateway.auth.mode` is `trusted-proxy`, but `gateway.auth.trustedProxy.userHeader` is empty; name the header that carries the user"
    )]
    NoUserHeader,
    /// Anyone in the network could enter.
    #[error("refusing to listen on {0} without authentication; set `gateway.auth.mode` to `token`, or `gateway.bind` to `loopback`")]
    OpenBind(IpAddr),
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-31
    #[test]
    fn open_and_half_configured_gateways_do_not_start() {
        let base = TransportConfig::loopback(0, AuthConfig::None, PathBuf::new());
        let cases = [
            (AuthConfig::None, "127.0.0.1", None),
            (AuthConfig::None, "0.0.0.0", Some("refusing to listen on 0.0.0.0")),
            (AuthConfig::Token(Secret::new("t")), "0.0.0.0", None),
            (AuthConfig::Token(Secret::new(" ")), "127.0.0.1", Some("`gateway.auth.token`")),
            (AuthConfig::Password(Secret::new("")), "127.0.0.1", Some("`gateway.auth.password`")),
            (AuthConfig::TrustedProxy(TrustedProxyAuth::default()), "127.0.0.1", Some("userHeader")),
        ];
        for (auth, bind, expected) in cases {
            let config = TransportConfig { auth, bind: bind.parse().unwrap(), ..base.clone() };
            match (config.validate(), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
                (result, expected) => panic!("{result:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert!(!format!("{:?}", AuthConfig::Token(Secret::new("hunter2"))).contains("hunter2"));
    }
}
