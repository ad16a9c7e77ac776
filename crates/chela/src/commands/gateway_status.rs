//! `chela gateway status`: does it run, where, and what do these credentials allow (GW-157, GW-158).

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use chela_config::{BindMode, Config, ConfigIssue};
use serde_json::{Value, json};

use crate::cli::gateway::StatusArgs;
use crate::client::{self, ClientError, Purpose, Target};
use crate::context::{Context, block_on};
use crate::lockfile::{self, LockState};
use crate::output;
use crate::report::Failure;

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Probe {
    /// `{role, scopes}` of the hello.
    pub granted: Value,
    /// The whole hello.
    pub hello: Value,
    /// Time to the hello.
    pub latency: Duration,
    /// Why there is none.
    pub error: Option<ClientError>,
}

impl Probe {
    /// The reference's word for what these credentials can do.
    pub fn capability(&self) -> &'static str {
        let scopes: Vec<&str> = self.granted["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let has = |scope: &str| scopes.contains(&scope);
        match &self.error {
            Some(ClientError::Refused { error, .. }) if error["details"]["code"] == "PAIRING_REQUIRED" => "pairing_pending",
            Some(_) => "unknown",
            None if has("operator.admin") => "admin_capable",
            None if has("operator.write") => "write_capable",
            None if has("operator.read") => "read_only",
            None => "connected_no_operator_scope",
        }
    }

    /// The `rpc` member of the JSON.
    pub fn json(&self, url: &str) -> Value {
        let capability = self.capability();
        let mut out = json!({
            "ok": self.error.is_none(), "kind": "connect", "capability": capability,
            "auth": {"role": self.granted["role"], "scopes": self.granted["scopes"].as_array().cloned().unwrap_or_default(), "capability": capability},
            "server": {"version": self.hello["server"]["version"], "connId": self.hello["server"]["connId"]},
        });
        if let Some(error) = &self.error {
            out["error"] = error.to_string().into();
        }
        out["url"] = url.into();
        out
    }
}

/// Connects and leaves again. Makes no identity and no pairing record.
pub async fn probe(ctx: &Context, target: &Target, limit: Duration) -> Probe {
    let started = Instant::now();
    match client::connect(ctx, target, Purpose::Probe, limit).await {
        Ok(connection) => {
            let (granted, hello, latency) = (connection.granted(), connection.hello.clone(), started.elapsed());
            connection.close().await;
            Probe { granted, hello, latency, error: None }
        }
        Err(error) => Probe { granted: Value::Null, hello: Value::Null, latency: started.elapsed(), error: Some(error) },
    }
}

/// Shows the state.
///
/// # Errors
/// With `--require-rpc`, exit code 1 when the gateway does not answer; an unusable config file.
pub fn run(ctx: &Context, args: &StatusArgs) -> Result<(), Failure> {
    let (config, issues) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let found = match args.no_probe {
        true => None,
        false => Some(block_on(async { Ok(probe(ctx, &target, Duration::from_millis(args.timeout)).await) })?),
    };
    let lock = lockfile::look(&ctx.paths);
    let facts = facts(ctx, &config, &issues, &target, &lock, found.as_ref())?;
    if args.json {
        output::json(&facts)?;
    } else {
        output::text(&render(&facts))?;
    }
    if let Some(error) = found.and_then(|found| found.error) {
        if args.require_rpc {
            return Err(error.into());
        }
        if !args.json && !matches!(error, ClientError::Unreachable { .. }) {
            crate::report::warn(&error.to_string());
        }
    }
    Ok(())
}

fn facts(
    ctx: &Context,
    config: &Config,
    issues: &[ConfigIssue],
    target: &Target,
    lock: &LockState,
    found: Option<&Probe>,
) -> Result<Value, Failure> {
    let port = config.gateway_port(None)?;
    let bind = config.gateway().bind;
    let file = json!({"path": config.path, "exists": config.exists, "valid": issues.is_empty()});
    let listeners: Vec<Value> = lock.pid().map(|pid| json!({"pid": pid, "command": "chela"})).into_iter().collect();
    let mut out = json!({
        "cli": {"version": env!("CARGO_PKG_VERSION"), "entrypoint": std::env::current_exe().ok()},
        "logFile": ctx.log_file(Some(config)),
        "service": {"label": "foreground", "loaded": lock.pid().is_some(), "loadedText": "running", "notLoadedText": "stopped", "command": null,
            "runtime": {"status": lock.as_str(), "pid": lock.pid()}},
        "config": {"cli": file, "daemon": file},
        "gateway": {"bindMode": bind_name(bind), "bindHost": config.gateway().listen_ip(bind).map(|ip| ip.to_string()).ok(), "port": port,
            "portSource": "env/config", "probeUrl": target.url, "urlSource": target.source},
        "lock": {"path": lockfile::path(&ctx.paths), "state": lock.as_str()},
        "port": {"port": port, "status": if is_busy(port) { "busy" } else { "free" }, "listeners": listeners, "hints": []},
    });
    if bind == BindMode::Loopback {
        out["gateway"]["probeNote"] = "Loopback-only gateway; only local clients can connect.".into();
    }
    if let Some(found) = found {
        out["rpc"] = found.json(&target.url);
    }
    out["extraServices"] = json!([]);
    Ok(out)
}

fn is_busy(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_millis(200)).is_ok()
}

fn bind_name(bind: BindMode) -> &'static str {
    match bind {
        BindMode::Loopback => "loopback",
        BindMode::Lan => "lan",
        BindMode::Tailnet => "tailnet",
        BindMode::Auto => "auto",
        BindMode::Custom => "custom",
    }
}

fn render(facts: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let running = match (&facts["service"]["runtime"]["pid"], facts["rpc"]["ok"].as_bool()) {
        (Value::Number(pid), _) => format!("running (pid {pid})"),
        (_, Some(true)) => "running, under another config or user".to_owned(),
        _ => text(&facts["service"]["runtime"]["status"]),
    };
    let url = text(&facts["gateway"]["probeUrl"]);
    let mut out = format!("Gateway {running}\n");
    let mut line = |name: &str, value: String| out.push_str(&format!("  {name:<12}{value}\n"));
    line("url", format!("{url} ({})", text(&facts["gateway"]["urlSource"])));
    line("page", format!("{}/", url.replacen("ws", "http", 1)));
    line("bind", text(&facts["gateway"]["bindMode"]));
    line(
        "config",
        format!(
            "{}{}",
            text(&facts["config"]["cli"]["path"]),
            match (&facts["config"]["cli"]["exists"], &facts["config"]["cli"]["valid"]) {
                (Value::Bool(false), _) => " (not there; defaults apply)",
                (_, Value::Bool(false)) => " (invalid; see `chela config validate`)",
                _ => "",
            }
        ),
    );
    line("log", text(&facts["logFile"]));
    if let Some(rpc) = facts.get("rpc") {
        if rpc["ok"] == Value::Bool(true) {
            line("version", text(&rpc["server"]["version"]));
            line("allows", text(&rpc["capability"]).replace('_', " "));
        } else {
            line("probe", text(&rpc["error"]));
        }
    }
    if facts["service"]["runtime"]["pid"].is_null() && facts["rpc"]["ok"] != Value::Bool(true) {
        out.push_str("\nStart it with `chela gateway run`\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-158
    #[test]
    fn capability_follows_the_granted_scopes() {
        let probe = |scopes: &[&str], error: Option<ClientError>| Probe {
            granted: json!({"role": "operator", "scopes": scopes}),
            hello: Value::Null,
            latency: Duration::ZERO,
            error,
        };
        let pairing =
            ClientError::Refused { url: "u".into(), message: "m".into(), error: json!({"details": {"code": "PAIRING_REQUIRED"}}) };
        let gone = ClientError::Unreachable { url: "u".into(), cause: "c".into() };
        for (probe, expected) in [
            (probe(&["operator.read", "operator.admin"], None), "admin_capable"),
            (probe(&["operator.read", "operator.write"], None), "write_capable"),
            (probe(&["operator.read"], None), "read_only"),
            (probe(&[], None), "connected_no_operator_scope"),
            (probe(&[], Some(pairing)), "pairing_pending"),
            (probe(&[], Some(gone)), "unknown"),
        ] {
            assert_eq!(probe.capability(), expected);
        }
    }
}
