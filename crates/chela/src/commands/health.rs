//! `chela health` (GW-168).

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::HealthArgs;
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::Failure;

/// Asks the gateway; fails when it does not answer or is not well.
///
/// # Errors
/// As above, exit code 1.
pub fn run(ctx: &Context, args: &HealthArgs) -> Result<(), Failure> {
    let (config, _) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let limit = Duration::from_millis(args.timeout);
    let params = if args.verbose { json!({"probe": true}) } else { json!({}) };
    let health = block_on(async { Ok(client::call(ctx, &target, Purpose::Probe, "health", params, limit).await?) })?;
    if args.json {
        output::json(&health)?;
    } else {
        output::text(&render(&target.url, &health))?;
    }
    if health["ok"] == Value::Bool(false) { Err(Failure::silent(1)) } else { Ok(()) }
}

fn render(url: &str, health: &Value) -> String {
    let state = if health["ok"] == Value::Bool(false) { "failing" } else { "ok" };
    let mut out = format!("Gateway {state} at {url}\n");
    if let Some(uptime) = health["uptimeMs"].as_u64() {
        out.push_str(&format!("  up        {}\n", super::status::duration(uptime)));
    }
    let loaded: Vec<&str> = health["plugins"]["loaded"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    out.push_str(&format!("  plugins   {}\n", if loaded.is_empty() { "none loaded".to_owned() } else { loaded.join(", ") }));
    for error in health["plugins"]["errors"].as_array().into_iter().flatten() {
        let text = error["error"].as_str().unwrap_or("failed");
        out.push_str(&format!("  failing   {}: {text}\n", error["id"].as_str().unwrap_or("plugin")));
    }
    let agents: Vec<&str> = health["agents"].as_array().into_iter().flatten().filter_map(|agent| agent["agentId"].as_str()).collect();
    out.push_str(&format!("  agents    {}\n", agents.join(", ")));
    out.push_str(&format!("  sessions  {}\n", health["sessions"]["count"]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-168
    #[test]
    fn the_text_names_what_fails() {
        let health = json!({
            "ok": true, "uptimeMs": 65_000, "plugins": {"loaded": ["a", "b"], "errors": [{"id": "c", "error": "quarantined"}]},
            "agents": [{"agentId": "main"}], "sessions": {"count": 3},
        });
        insta::assert_snapshot!(render("ws://127.0.0.1:1", &health), @r"
        Gateway ok at ws://127.0.0.1:1
          up        1m 5s
          plugins   a, b
          failing   c: quarantined
          agents    main
          sessions  3
        ");
    }
}
