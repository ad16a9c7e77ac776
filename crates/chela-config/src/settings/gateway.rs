//! `gateway.*`.

use std::net::IpAddr;

use serde_json::Value;

use super::{flag, text, texts, whole};
use crate::error::ConfigError;
use crate::load::Config;

/// `gateway.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayMode {
    /// The gateway runs here.
    Local,
    /// Commands talk to a gateway elsewhere.
    Remote,
}

/// `gateway.bind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindMode {
    /// Loopback, or all interfaces when there is no loopback.
    Auto,
    /// All interfaces.
    Lan,
    /// 127.0.0.1 (default).
    Loopback,
    /// `gateway.customBindHost`.
    Custom,
    /// The address in the tailnet.
    Tailnet,
}

impl BindMode {
    /// Reads `auto`, `lan`, `loopback`, `custom` or `tailnet`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim() {
            "auto" => Self::Auto,
            "lan" => Self::Lan,
            "loopback" => Self::Loopback,
            "custom" => Self::Custom,
            "tailnet" => Self::Tailnet,
            _ => return None,
        })
    }
}

/// How edits of the file reach a running gateway (GW-133).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadMode {
    /// Edits wait for the next start.
    Off,
    /// Every edit restarts.
    Restart,
    /// Only edits that need no restart are applied.
    Hot,
    /// Applied in place where possible, else by a restart (default).
    Hybrid,
}

/// `gateway.reload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadSettings {
    /// What an edit leads to.
    pub mode: ReloadMode,
    /// Quiet time after an edit, in milliseconds.
    pub debounce_ms: u64,
    /// Longest wait for running work before a restart, in milliseconds.
    pub deferral_timeout_ms: u64,
}

/// `gateway.controlUi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlUiSettings {
    /// Whether the UI is served.
    pub enabled: bool,
    /// Path prefix without a slash at the end; empty for the root.
    pub base_path: String,
    /// Directory of the UI's files instead of the ones that are built in.
    pub root: Option<String>,
    /// Origins that may connect besides the gateway's own.
    pub allowed_origins: Vec<String>,
    /// Whether the `Host` header may stand in for an allowed origin.
    pub allow_host_header_origin_fallback: bool,
    /// Whether a UI over plain HTTP may sign in without a device identity.
    pub allow_insecure_auth: bool,
    /// Whether device identities are not asked for at all.
    pub disable_device_auth: bool,
    /// `strict`, `scripts` or `trusted`.
    pub embed_sandbox: Option<String>,
    /// Whether embeds may come from other hosts.
    pub allow_external_embed_urls: bool,
    /// CSS width of the chat column.
    pub chat_message_max_width: Option<String>,
}

/// `gateway.http.endpoints.<name>`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HttpEndpointSettings {
    /// Whether the endpoint is served; off by default.
    pub enabled: bool,
    /// Largest request body, in bytes, when limited here.
    pub max_body_bytes: Option<u64>,
    /// All settings of the endpoint, for the ones that have no field here.
    pub raw: Value,
}

/// `gateway.*`, without the credentials (see [`Config::gateway_auth`]) and the port (see [`Config::gateway_port`]).
#[derive(Debug, Clone, PartialEq)]
pub struct GatewaySettings {
    /// `gateway.port` as configured.
    pub port: Option<u64>,
    /// `gateway.mode`; absent means not set up.
    pub mode: Option<GatewayMode>,
    /// `gateway.bind`.
    pub bind: BindMode,
    /// `gateway.customBindHost`.
    pub custom_bind_host: Option<String>,
    /// `gateway.controlUi`.
    pub control_ui: ControlUiSettings,
    /// `gateway.trustedProxies`.
    pub trusted_proxies: Vec<String>,
    /// Whether `X-Real-IP` counts when `X-Forwarded-For` is missing.
    pub allow_real_ip_fallback: bool,
    /// `gateway.tools.allow`.
    pub tools_allow: Vec<String>,
    /// `gateway.tools.deny`.
    pub tools_deny: Vec<String>,
    /// Time a client has for the handshake, in milliseconds; `OPENCLAW_HANDSHAKE_TIMEOUT_MS` wins.
    pub handshake_timeout_ms: u64,
    /// Sockets of one address that may be in the handshake: `OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP`, when it is a number above 0
    /// (GW-23).
    pub max_preauth_per_ip: Option<usize>,
    /// Longest `chat.history` text, in characters, when set.
    pub chat_history_max_chars: Option<u64>,
    /// `/v1/chat/completions`.
    pub chat_completions: HttpEndpointSettings,
    /// `/v1/responses`.
    pub responses: HttpEndpointSettings,
    /// `Strict-Transport-Security` header to send.
    pub strict_transport_security: Option<String>,
    /// `gateway.reload`.
    pub reload: ReloadSettings,
    /// `gateway.tailscale.mode` is `serve` or `funnel`.
    pub tailscale: Option<String>,
    /// `gateway.tls.enabled`.
    pub tls_enabled: bool,
    /// CIDR blocks whose nodes are paired without asking.
    pub node_auto_approve_cidrs: Vec<String>,
    /// `gateway.nodes.allowCommands`.
    pub node_allow_commands: Vec<String>,
    /// `gateway.nodes.denyCommands`.
    pub node_deny_commands: Vec<String>,
}

impl Config {
    /// Reads `gateway.*`.
    pub fn gateway(&self) -> GatewaySettings {
        let g = &self.effective["gateway"];
        let handshake = self.env.non_empty("OPENCLAW_HANDSHAKE_TIMEOUT_MS").and_then(|v| v.parse().ok()).filter(|ms| *ms > 0);
        GatewaySettings {
            port: whole(g, "port"),
            mode: match g["mode"].as_str() {
                Some("local") => Some(GatewayMode::Local),
                Some("remote") => Some(GatewayMode::Remote),
                _ => None,
            },
            bind: g["bind"].as_str().and_then(BindMode::parse).unwrap_or(BindMode::Loopback),
            custom_bind_host: text(g, "customBindHost"),
            control_ui: control_ui(&g["controlUi"]),
            trusted_proxies: texts(g, "trustedProxies"),
            allow_real_ip_fallback: flag(g, "allowRealIpFallback").unwrap_or(false),
            tools_allow: texts(&g["tools"], "allow"),
            tools_deny: texts(&g["tools"], "deny"),
            handshake_timeout_ms: handshake.or_else(|| whole(g, "handshakeTimeoutMs")).unwrap_or(15_000),
            max_preauth_per_ip: self
                .env
                .non_empty("OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP")
                .and_then(|v| v.parse().ok())
                .filter(|n| *n > 0),
            chat_history_max_chars: whole(&g["webchat"], "chatHistoryMaxChars"),
            chat_completions: endpoint(&g["http"]["endpoints"]["chatCompletions"]),
            responses: endpoint(&g["http"]["endpoints"]["responses"]),
            strict_transport_security: text(&g["http"]["securityHeaders"], "strictTransportSecurity"),
            reload: reload(&g["reload"]),
            tailscale: text(&g["tailscale"], "mode").filter(|mode| mode != "off"),
            tls_enabled: flag(&g["tls"], "enabled").unwrap_or(false),
            node_auto_approve_cidrs: texts(&g["nodes"]["pairing"], "autoApproveCidrs"),
            node_allow_commands: texts(&g["nodes"], "allowCommands"),
            node_deny_commands: texts(&g["nodes"], "denyCommands"),
        }
    }
}

impl GatewaySettings {
    /// The address to listen on for a bind mode (the configured one, or one from the command line).
    ///
    /// # Errors
    /// [`ConfigError::Gateway`] when `custom` has no IPv4 address, or for `tailnet`, which is not built yet.
    pub fn listen_ip(&self, bind: BindMode) -> Result<IpAddr, ConfigError> {
        let fault = |field: &str, message: String| Err(ConfigError::Gateway { field: field.to_owned(), message });
        match bind {
            BindMode::Loopback | BindMode::Auto => Ok(IpAddr::from([127, 0, 0, 1])),
            BindMode::Lan => Ok(IpAddr::from([0, 0, 0, 0])),
            BindMode::Tailnet => fault("gateway.bind", "`tailnet` is not built yet; use `custom` with `gateway.customBindHost`".to_owned()),
            BindMode::Custom => {
                let host = self.custom_bind_host.as_deref().unwrap_or("");
                match host.parse::<std::net::Ipv4Addr>() {
                    Ok(ip) => Ok(ip.into()),
                    Err(_) if host.is_empty() => fault("gateway.customBindHost", "is required when `gateway.bind` is `custom`".to_owned()),
                    Err(_) => fault("gateway.customBindHost", format!("`{host}` is not an IPv4 address")),
                }
            }
        }
    }
}

fn control_ui(ui: &Value) -> ControlUiSettings {
    let base = text(ui, "basePath").unwrap_or_default();
    let base = base.trim_matches('/');
    ControlUiSettings {
        enabled: flag(ui, "enabled").unwrap_or(true),
        base_path: if base.is_empty() { String::new() } else { format!("/{base}") },
        root: text(ui, "root"),
        allowed_origins: texts(ui, "allowedOrigins"),
        allow_host_header_origin_fallback: flag(ui, "dangerouslyAllowHostHeaderOriginFallback").unwrap_or(false),
        allow_insecure_auth: flag(ui, "allowInsecureAuth").unwrap_or(false),
        disable_device_auth: flag(ui, "dangerouslyDisableDeviceAuth").unwrap_or(false),
        embed_sandbox: text(ui, "embedSandbox"),
        allow_external_embed_urls: flag(ui, "allowExternalEmbedUrls").unwrap_or(false),
        chat_message_max_width: text(ui, "chatMessageMaxWidth"),
    }
}

fn endpoint(value: &Value) -> HttpEndpointSettings {
    HttpEndpointSettings {
        enabled: flag(value, "enabled").unwrap_or(false),
        max_body_bytes: whole(value, "maxBodyBytes"),
        raw: value.clone(),
    }
}

fn reload(value: &Value) -> ReloadSettings {
    ReloadSettings {
        mode: match value["mode"].as_str() {
            Some("off") => ReloadMode::Off,
            Some("restart") => ReloadMode::Restart,
            Some("hot") => ReloadMode::Hot,
            _ => ReloadMode::Hybrid,
        },
        debounce_ms: whole(value, "debounceMs").unwrap_or(300),
        deferral_timeout_ms: whole(value, "deferralTimeoutMs").unwrap_or(300_000),
    }
}
