//! `chela sessions cleanup`, `archives`, `restore`: done by the running gateway, which tells plugins and clients (GW-165).

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{SessionsArchivesArgs, SessionsCleanupArgs, SessionsRestoreArgs, TargetArgs};
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Longest clean-up: each session that goes is told to the plugins.
const LIMIT: Duration = Duration::from_secs(600);

fn ask(ctx: &Context, target: &TargetArgs, method: &str, params: Value) -> Result<Value, Failure> {
    if target.url.is_none() && lockfile::look(&ctx.paths).pid().is_none() {
        return Err(Failure::new("no gateway runs on this state").hint("start one with `chela gateway run`; it looks after its sessions"));
    }
    let config = ctx.config()?;
    let target = client::target(ctx, &config, target)?;
    block_on(async { Ok(client::call(ctx, &target, Purpose::Call, method, params, LIMIT).await?) })
}

/// Cleans up.
///
/// # Errors
/// No gateway, an unknown agent, what the gateway says.
pub fn cleanup(ctx: &Context, args: &SessionsCleanupArgs) -> Result<(), Failure> {
    if args.store.is_some() {
        return Err(Failure::new("`--store` is not built: the gateway owns its sessions").hint("leave it out, and let the gateway do it"));
    }
    let mut params = json!({
        "allAgents": args.all_agents, "dryRun": args.dry_run, "enforce": args.enforce, "fixMissing": args.fix_missing, "fixDmScope": args.fix_dm_scope,
    });
    for (name, value) in [("agent", &args.agent), ("activeKey", &args.active_key)] {
        if let Some(value) = value {
            params[name] = value.as_str().into();
        }
    }
    let answer = ask(ctx, &args.target, "sessions.cleanup", params)?;
    if args.json {
        return output::json(&answer);
    }
    let stores = answer["stores"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    let mut text = String::new();
    for store in &stores {
        text.push_str(&report(store));
    }
    output::text(&text)
}

fn report(store: &Value) -> String {
    let number = |key: &str| store[key].as_u64().unwrap_or_default();
    let (before, after, applied) = (number("beforeCount"), number("afterCount"), number("appliedCount"));
    let agent = store["agentId"].as_str().unwrap_or_default();
    let actions = store["actions"].as_array().cloned().unwrap_or_default();
    let mut out = match (store["dryRun"] == true, before - applied) {
        (true, _) => format!("{agent}: {before} sessions, {} would go\n", before - after),
        (false, 0) if before > after => {
            format!(
                "{agent}: {before} sessions, {} should go; pass `--enforce`, since `session.maintenance.mode` only warns\n",
                before - after
            )
        }
        (false, gone) => format!("{agent}: {before} sessions, {gone} removed\n"),
    };
    if !actions.is_empty() {
        let mut table = Table::new(&["ACTION", "KEY"]);
        for one in &actions {
            table.row(vec![one["action"].as_str().unwrap_or_default().into(), one["key"].as_str().unwrap_or_default().into()]);
        }
        out.push_str(&table.render());
        out.push('\n');
    }
    out
}

/// Lists archives.
///
/// # Errors
/// As [`cleanup`].
pub fn archives(ctx: &Context, args: &SessionsArchivesArgs) -> Result<(), Failure> {
    let mut params = json!({"limit": args.limit});
    if let Some(agent) = &args.agent {
        params["agentId"] = agent.as_str().into();
    }
    let answer = ask(ctx, &args.target, "sessions.archives", params)?;
    if args.json {
        return output::json(&answer);
    }
    let rows = answer["archives"].as_array().cloned().unwrap_or_default();
    if rows.is_empty() {
        return output::text("No archived transcripts\n");
    }
    let now = jiff::Timestamp::now().as_millisecond();
    let mut table = Table::new(&["SESSION ID", "KEY", "AGE", "MESSAGES", "FILE"]);
    for row in &rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let age = row["archivedAt"].as_i64().and_then(|at| u64::try_from(now - at).ok()).map(super::status::duration).unwrap_or_default();
        table.row(vec![text("sessionId"), text("key"), age, row["messages"].to_string(), text("file")]);
    }
    output::text(&format!("{}\n", table.render()))
}

/// Puts an archived transcript back.
///
/// # Errors
/// As [`cleanup`], and when nothing is archived under that id.
pub fn restore(ctx: &Context, args: &SessionsRestoreArgs) -> Result<(), Failure> {
    let answer = ask(ctx, &args.target, "sessions.restore", json!({"sessionId": args.session_id}))?;
    if args.json {
        return output::json(&answer);
    }
    output::text(&format!("{} goes on with {}\n", answer["key"].as_str().unwrap_or_default(), args.session_id))
}
