//! Checks of `gateway`, `discovery` and of secrets in the config.

use chela_config::{AuthMode, AuthOverride, BindMode, Config};
use chela_gateway::methods::HTTP_DENIED;
use chela_host::{SecurityFinding, Severity};
use serde_json::Value;

/// Commands of nodes that reach far.
const DANGEROUS_COMMANDS: &[&str] =
    &["camera.snap", "camera.clip", "screen.record", "contacts.add", "calendar.add", "reminders.add", "sms.send", "sms.search"];
/// Shortest token that is not told of, in characters.
const SHORT_TOKEN: usize = 24;

/// All findings; what could not be looked at goes to `diagnostics`.
pub(super) fn findings(config: &Config, diagnostics: &mut Vec<String>) -> Vec<SecurityFinding> {
    let mut out = Vec::new();
    let settings = config.gateway();
    let local = matches!(settings.bind, BindMode::Loopback | BindMode::Auto);
    let exposed = !local || settings.tailscale.is_some();
    auth(config, local, exposed, diagnostics, &mut out);
    page(config, local, &mut out);
    network(config, local, &mut out);
    nodes(config, exposed, &mut out);
    secrets(config, &mut out);
    let flags = dangerous_flags(&config.effective);
    if !flags.is_empty() {
        let detail = flags.join("\n");
        let finding =
            SecurityFinding::new("config.insecure_or_dangerous_flags", Severity::Warn, "Settings that switch protection off", detail);
        out.push(finding.remedy("take them back unless each is meant"));
    }
    out
}

/// Critical where others can reach the gateway, else a warning.
fn worse(exposed: bool) -> Severity {
    if exposed { Severity::Critical } else { Severity::Warn }
}

fn auth(config: &Config, local: bool, exposed: bool, diagnostics: &mut Vec<String>, out: &mut Vec<SecurityFinding>) {
    let settings = config.gateway();
    let auth = match config.gateway_auth(&AuthOverride::default()) {
        Ok(auth) => auth,
        Err(error) => return diagnostics.push(format!("gateway.auth: {error}")),
    };
    // A missing token is made at the start.
    let asks = match auth.mode {
        AuthMode::Token | AuthMode::TrustedProxy => true,
        AuthMode::Password => auth.password.is_some(),
        AuthMode::None => false,
    };
    let bind = config.get("gateway.bind").and_then(Value::as_str).unwrap_or("loopback");
    if !asks && !local {
        let detail = format!("`gateway.bind` is `{bind}`, and clients need no token or password");
        let finding =
            SecurityFinding::new("gateway.bind_no_auth", Severity::Critical, "Open to the network without authentication", detail);
        out.push(finding.remedy("set `gateway.auth.mode` to `token`, or `gateway.bind` to `loopback`"));
    }
    if !asks && local {
        let detail = "every program of this machine, and whoever a proxy lets through, has all rights";
        let finding = SecurityFinding::new("gateway.loopback_no_auth", Severity::Critical, "No authentication on this machine", detail);
        out.push(finding.remedy("set `gateway.auth.mode` to `token`"));
    }
    if auth.mode == AuthMode::None {
        let mut open = vec!["/tools/invoke"];
        open.extend(settings.chat_completions.enabled.then_some("/v1/chat/completions"));
        open.extend(settings.responses.enabled.then_some("/v1/responses"));
        let detail = format!("callable without a secret: {}", open.join(", "));
        out.push(SecurityFinding::new("gateway.http.no_auth", worse(exposed), "HTTP endpoints without authentication", detail));
    }
    if let Some(length) = auth.token.as_ref().map(|token| token.expose().chars().count()).filter(|length| *length < SHORT_TOKEN) {
        let detail = format!("it has {length} characters; {SHORT_TOKEN} or more are hard to guess");
        let finding = SecurityFinding::new("gateway.token_too_short", Severity::Warn, "The gateway's token is short", detail);
        out.push(finding.remedy("use a random one, such as `openssl rand -hex 32` prints"));
    }
    if !local && auth.mode != AuthMode::TrustedProxy && auth.rate_limit.is_none() {
        let detail = "`gateway.auth.rateLimit` is not set, and the gateway is reachable from the network";
        let finding = SecurityFinding::new("gateway.auth_no_rate_limit", Severity::Warn, "Guessing is not limited by a setting", detail);
        out.push(finding.remedy("set `gateway.auth.rateLimit`, such as `{maxAttempts: 10, windowMs: 60000, lockoutMs: 300000}`"));
    }
    if config.env.non_empty("OPENCLAW_GATEWAY_TOKEN").is_some_and(|env| {
        config.source.pointer("/gateway/auth/token").and_then(Value::as_str).is_some_and(|own| !own.contains("${") && own != env)
    }) {
        let detail = "`OPENCLAW_GATEWAY_TOKEN` and `gateway.auth.token` differ; which one holds depends on who reads it";
        out.push(SecurityFinding::new("gateway.env_token_overrides_config", Severity::Warn, "Two different gateway tokens", detail));
    }
    if auth.mode == AuthMode::TrustedProxy {
        proxy(config, out);
    }
    if settings.chat_completions.enabled || settings.responses.enabled {
        let detail = "the `/v1` endpoints take `x-openclaw-session-key`: whoever has the credentials may write into any session";
        out.push(SecurityFinding::new("gateway.http.session_key_override_enabled", Severity::Info, "Callers choose the session", detail));
    }
    let risky: Vec<&str> =
        HTTP_DENIED.iter().copied().filter(|tool| settings.tools_allow.iter().any(|t| t.trim().eq_ignore_ascii_case(tool))).collect();
    if !risky.is_empty() {
        let detail = format!("`gateway.tools.allow` names {}, which `/tools/invoke` would leave out", risky.join(", "));
        let finding =
            SecurityFinding::new("gateway.tools_invoke_http.dangerous_allow", worse(exposed), "Dangerous tools over HTTP", detail);
        out.push(finding.remedy("take them out of `gateway.tools.allow`"));
    }
}

fn proxy(config: &Config, out: &mut Vec<SecurityFinding>) {
    let own = config.get("gateway.auth.trustedProxy").cloned().unwrap_or_default();
    let add = |id: &str, severity, title: &str, detail: &str| SecurityFinding::new(id, severity, title, detail);
    out.push(
        add(
            "gateway.trusted_proxy_auth",
            Severity::Critical,
            "A proxy vouches for users",
            "whoever reaches the gateway past the proxy can name any user",
        )
        .remedy("let only the proxy reach the gateway's port, and let it overwrite the user's header"),
    );
    if config.gateway().trusted_proxies.is_empty() {
        out.push(add(
            "gateway.trusted_proxy_no_proxies",
            Severity::Critical,
            "No trusted proxy is named",
            "`gateway.trustedProxies` is empty, so nobody can sign in",
        ));
    }
    if own["userHeader"].as_str().is_none_or(|header| header.trim().is_empty()) {
        out.push(add(
            "gateway.trusted_proxy_no_user_header",
            Severity::Critical,
            "No header names the user",
            "`gateway.auth.trustedProxy.userHeader` is not set",
        ));
    }
    if own["allowLoopback"] == true {
        out.push(add(
            "gateway.trusted_proxy_allow_loopback",
            Severity::Warn,
            "Programs of this machine may act as the proxy",
            "`gateway.auth.trustedProxy.allowLoopback` is on",
        ));
    }
    if own["allowUsers"].as_array().is_none_or(Vec::is_empty) {
        out.push(
            add(
                "gateway.trusted_proxy_no_allowlist",
                Severity::Warn,
                "Every user of the proxy is let in",
                "`gateway.auth.trustedProxy.allowUsers` is empty",
            )
            .remedy("name the users"),
        );
    }
}

fn page(config: &Config, local: bool, out: &mut Vec<SecurityFinding>) {
    let (settings, page) = (config.gateway(), config.gateway().control_ui);
    let origins: Vec<&str> = page.allowed_origins.iter().map(|o| o.trim()).filter(|o| !o.is_empty()).collect();
    if page.enabled && local && settings.trusted_proxies.is_empty() {
        let detail = "`gateway.trustedProxies` is empty; behind a reverse proxy every visitor would look like this machine";
        let finding = SecurityFinding::new("gateway.trusted_proxies_missing", Severity::Warn, "No reverse proxy is trusted", detail);
        out.push(finding.remedy("keep the page to this machine, or name the proxy's address"));
    }
    if page.enabled && !local && origins.is_empty() && !page.allow_host_header_origin_fallback {
        let detail = "the page is served to the network, and `gateway.controlUi.allowedOrigins` is empty";
        let finding = SecurityFinding::new(
            "gateway.control_ui.allowed_origins_required",
            Severity::Critical,
            "Origins of the page are not named",
            detail,
        );
        out.push(finding.remedy("name them in full, such as `https://control.example.com`"));
    }
    if origins.contains(&"*") {
        let detail = "`gateway.controlUi.allowedOrigins` holds `*`: any web page in a browser may connect";
        let finding = SecurityFinding::new("gateway.control_ui.allowed_origins_wildcard", worse(!local), "Any origin may connect", detail);
        out.push(finding.remedy("name the origins"));
    }
    if page.allow_host_header_origin_fallback {
        let detail = "`gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback` is on: names that point here (DNS rebinding) pass";
        out.push(SecurityFinding::new(
            "gateway.control_ui.host_header_origin_fallback",
            worse(!local),
            "The `Host` header stands in for an origin",
            detail,
        ));
    }
    if page.allow_insecure_auth {
        let detail = "`gateway.controlUi.allowInsecureAuth` is on: a page over plain HTTP signs in without a device";
        out.push(SecurityFinding::new("gateway.control_ui.insecure_auth", Severity::Warn, "The page may sign in over plain HTTP", detail));
    }
    if page.disable_device_auth {
        let detail = "`gateway.controlUi.dangerouslyDisableDeviceAuth` is on: a token alone has all rights";
        let finding =
            SecurityFinding::new("gateway.control_ui.device_auth_disabled", Severity::Critical, "Devices are not checked", detail);
        out.push(finding.remedy("take it back"));
    }
}

fn network(config: &Config, local: bool, out: &mut Vec<SecurityFinding>) {
    let settings = config.gateway();
    if settings.allow_real_ip_fallback {
        let detail = "`gateway.allowRealIpFallback` is on: a client's own `X-Real-IP` may pass through a careless proxy";
        out.push(SecurityFinding::new("gateway.real_ip_fallback_enabled", worse(!local), "`X-Real-IP` is believed", detail));
    }
    if config.get("discovery.mdns.mode").and_then(Value::as_str) == Some("full") {
        let detail = "`discovery.mdns.mode` is `full`: the path of the program and the SSH port are told to the local network";
        out.push(
            SecurityFinding::new("discovery.mdns_full_mode", worse(!local), "Discovery tells more than needed", detail)
                .remedy("use `minimal` or `off`"),
        );
    }
    match settings.tailscale.as_deref() {
        Some("funnel") => {
            let detail = "`gateway.tailscale.mode` is `funnel`: the gateway is reachable from the internet";
            let finding =
                SecurityFinding::new("gateway.tailscale_funnel", Severity::Critical, "Open to the internet through Tailscale", detail);
            out.push(finding.remedy("use `serve`, or `off`"));
        }
        Some(_) => {
            let detail = "the devices of the tailnet reach the gateway";
            out.push(SecurityFinding::new("gateway.tailscale_serve", Severity::Info, "Open to the tailnet", detail));
        }
        None => {}
    }
}

fn nodes(config: &Config, exposed: bool, out: &mut Vec<SecurityFinding>) {
    let settings = config.gateway();
    let denied = |command: &str| settings.node_deny_commands.iter().any(|d| d.trim() == command);
    let allowed: Vec<&str> = settings.node_allow_commands.iter().map(|c| c.trim()).collect();
    let risky: Vec<&str> = allowed.into_iter().filter(|c| DANGEROUS_COMMANDS.contains(c) && !denied(c)).collect();
    if !risky.is_empty() {
        let detail = format!("`gateway.nodes.allowCommands` names {}", risky.join(", "));
        out.push(SecurityFinding::new(
            "gateway.nodes.allow_commands_dangerous",
            worse(exposed),
            "Dangerous commands of nodes are allowed",
            detail,
        ));
    }
    let patterns: Vec<&str> =
        settings.node_deny_commands.iter().map(|c| c.trim()).filter(|c| c.contains(['*', '?', ' ', '|', ';'])).collect();
    if !patterns.is_empty() {
        let detail = format!("names are compared whole, so these deny nothing: {}", patterns.join(", "));
        out.push(SecurityFinding::new(
            "gateway.nodes.deny_commands_ineffective",
            Severity::Warn,
            "Denied commands of nodes that are none",
            detail,
        ));
    }
}

fn secrets(config: &Config, out: &mut Vec<SecurityFinding>) {
    let written = |pointer: &str| {
        config.source.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty() && !t.starts_with("${"))
    };
    if written("/gateway/auth/password").is_some() {
        let detail = "`gateway.auth.password` stands in the config file";
        let finding = SecurityFinding::new(
            "config.secrets.gateway_password_in_config",
            Severity::Warn,
            "The gateway's password is in a file",
            detail,
        );
        out.push(finding.remedy("set `OPENCLAW_GATEWAY_PASSWORD` instead"));
    }
    if config.get("hooks.enabled") == Some(&Value::Bool(true)) && written("/hooks/token").is_some() {
        let detail = "`hooks.token` stands in the config file; keep its mode at 600";
        out.push(SecurityFinding::new(
            "config.secrets.hooks_token_in_config",
            Severity::Info,
            "The token of webhooks is in a file",
            detail,
        ));
    }
}

/// Settings that switch protection off, as `path=value`.
fn dangerous_flags(config: &Value) -> Vec<String> {
    const ON: &[&str] = &[
        "gateway.controlUi.allowInsecureAuth",
        "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback",
        "gateway.controlUi.dangerouslyDisableDeviceAuth",
        "hooks.gmail.allowUnsafeExternalContent",
        "hooks.allowRequestSessionKey",
        "browser.ssrfPolicy.dangerouslyAllowPrivateNetwork",
    ];
    const OFF: &[&str] = &["tools.exec.applyPatch.workspaceOnly", "tools.fs.workspaceOnly"];
    let at = |path: &str| path.split('.').try_fold(config, |value, name| value.get(name)).and_then(Value::as_bool);
    let rows = |paths: &[&str], value: bool| -> Vec<String> {
        paths.iter().filter(|path| at(path) == Some(value)).map(|path| format!("{path}={value}")).collect()
    };
    [rows(ON, true), rows(OFF, false)].concat()
}
