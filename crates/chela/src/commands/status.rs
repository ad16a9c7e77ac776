//! `chela status`: what there is and whether it runs. Never fails because no gateway runs.

use std::time::Duration;

use serde_json::{Value, json};

use super::gateway_status::{Probe, probe};
use crate::cli::StatusArgs;
use crate::client::{self, Purpose, Target};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::{Failure, warn};

/// Failing hooks that are shown; `--json` has all.
const FAILING: usize = 5;

/// Gathers and prints.
///
/// # Errors
/// When the config file cannot be read at all.
pub fn run(ctx: &Context, args: &StatusArgs) -> Result<(), Failure> {
    let (config, issues) = ctx.config_lenient()?;
    if !issues.is_empty() {
        warn("the config is invalid; see `chela config validate`");
    }
    let target = client::target(ctx, &config, &args.target)?;
    let limit = Duration::from_millis(args.timeout);
    let (found, remote) = block_on(async { Ok(ask(ctx, &target, limit).await) })?;
    let snapshot = ctx.scan(&config);
    let agents = config.agents();
    let mut out =
        remote.unwrap_or_else(|| json!({"runtimeVersion": env!("CARGO_PKG_VERSION"), "channelSummary": [], "queuedSystemEvents": []}));
    out["os"] = json!({"platform": std::env::consts::OS, "arch": std::env::consts::ARCH});
    out["gateway"] = json!({
        "mode": config.get("gateway.mode").and_then(Value::as_str).unwrap_or("local"), "url": target.url, "urlSource": target.source,
        "misconfigured": !issues.is_empty(), "reachable": found.error.is_none(),
        "connectLatencyMs": found.error.is_none().then_some(found.latency.as_millis() as u64),
        "self": {"version": found.hello["server"]["version"]}, "error": found.error.as_ref().map(ToString::to_string), "authWarning": null,
    });
    out["gatewayService"] = json!({"label": "foreground", "installed": false, "runtime": {"status": lockfile::look(&ctx.paths).as_str()}});
    let rows = agents.list.iter().map(|agent| {
        json!({
            "id": agent.id, "workspaceDir": agent.workspace, "sessionsPath": ctx.paths.sessions_dir(&agent.id).join("sessions.json"),
        })
    });
    out["agents"] = json!({"defaultId": agents.default_id, "agents": rows.collect::<Vec<_>>()});
    let enabled = snapshot.plugins.iter().filter(|plugin| plugin.enabled).count();
    out["pluginCatalog"] = json!({"total": snapshot.plugins.len(), "enabled": enabled, "failed": snapshot.plugins.iter().filter(|p| p.failure.is_some()).count()});
    if args.json { output::json(&out) } else { output::text(&render(&out)) }
}

async fn ask(ctx: &Context, target: &Target, limit: Duration) -> (Probe, Option<Value>) {
    let found = probe(ctx, target, limit).await;
    if found.error.is_some() {
        return (found, None);
    }
    match client::call(ctx, target, Purpose::Probe, "status", json!({}), limit).await {
        Ok(status) => (found, Some(status)),
        Err(error) => {
            warn(&error.to_string());
            (found, None)
        }
    }
}

fn render(status: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let gateway = &status["gateway"];
    let reachable = gateway["reachable"] == Value::Bool(true);
    let mut out = format!("Gateway {}\n", if reachable { "running" } else { "not running" });
    let mut line = |name: &str, value: String| out.push_str(&format!("  {name:<10}{value}\n"));
    line("url", format!("{} ({})", text(&gateway["url"]), text(&gateway["urlSource"])));
    if reachable {
        line("version", text(&gateway["self"]["version"]));
        line("answered", format!("in {} ms", gateway["connectLatencyMs"]));
        if let Some(uptime) = status["uptimeMs"].as_u64() {
            line("up", duration(uptime));
        }
    } else {
        line("probe", text(&gateway["error"]));
    }
    let agents: Vec<String> = status["agents"]["agents"].as_array().into_iter().flatten().map(|agent| text(&agent["id"])).collect();
    line("agents", agents.join(", "));
    let plugins = &status["pluginCatalog"];
    let failed = plugins["failed"].as_u64().unwrap_or(0);
    let failing = if failed > 0 { format!(", {failed} failing") } else { String::new() };
    line("plugins", format!("{} of {} enabled{failing}", plugins["enabled"], plugins["total"]));
    let hooks: Vec<&Value> = status["hooks"].as_array().into_iter().flatten().collect();
    if !hooks.is_empty() {
        let sum = |key: &str| hooks.iter().filter_map(|row| row[key].as_u64()).sum::<u64>();
        line("hooks", format!("{} calls, {} failures, {} of them time-outs", sum("calls"), sum("failures"), sum("timeouts")));
    }
    for row in hooks.iter().filter(|row| row["failures"].as_u64().is_some_and(|n| n > 0)).take(FAILING) {
        line("", format!("{} {}", text(&row["pluginId"]), hook_row(row)));
    }
    if let Some(defaults) = status["sessions"]["defaults"].as_object() {
        let part = |key: &str| defaults.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        line("model", [part("modelProvider"), part("model")].join("/").trim_matches('/').to_owned());
    }
    if let Some(count) = status["sessions"]["count"].as_u64() {
        line("sessions", count.to_string());
    }
    let recent = status["sessions"]["recent"].as_array().into_iter().flatten();
    for row in recent.take(5) {
        line("", format!("{}  {} ago", text(&row["key"]), row["age"].as_u64().map(duration).unwrap_or_default()));
    }
    if !reachable {
        out.push_str("\nStart it with `chela gateway run`\n");
    }
    out
}

/// What was counted of a hook, in a line.
pub fn hook_row(row: &Value) -> String {
    let ms = |key: &str| row[key].as_f64().unwrap_or_default();
    let mut out = format!(
        "{}: {} calls, median {:.1} ms, longest {:.1} ms",
        row["hook"].as_str().unwrap_or_default(),
        row["calls"],
        ms("p50Ms"),
        ms("maxMs")
    );
    if row["failures"].as_u64().is_some_and(|n| n > 0) {
        out.push_str(&format!(", {} failed ({} timed out)", row["failures"], row["timeouts"]));
    }
    if let Some(error) = row["lastError"].as_str() {
        out.push_str(&format!("; last: {error}"));
    }
    out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A time span for people: `45s`, `3m 5s`, `2h 1m`, `4d 3h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (ms, expected) in [(999, "0s"), (45_000, "45s"), (185_000, "3m 5s"), (7_260_000, "2h 1m"), (356_400_000, "4d 3h")] {
            assert_eq!(duration(ms), expected);
        }
    }
}
