//! `chela sessions cleanup`, `archives`, `restore`: done by the running gateway, which tells plugins and clients (GW-165). Only a clean-up
//! is possible without one.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use chela_store::{CleanupPlan, CleanupRules, Doomed, clean_file, session_key};
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

/// Cleans up: the running gateway does it for its own sessions, else the files themselves are looked after.
///
/// # Errors
/// An unknown agent, a file that cannot be read or written, what the gateway says.
pub fn cleanup(ctx: &Context, args: &SessionsCleanupArgs) -> Result<(), Failure> {
    let runs = args.target.url.is_some() || lockfile::look(&ctx.paths).pid().is_some();
    let answer = match (&args.store, runs) {
        (Some(path), true) => match agent_of_file(ctx, path)? {
            Some(agent) => ask(ctx, &args.target, "sessions.cleanup", params(args, Some(&agent)))?,
            None => in_file(ctx, args, path, None)?,
        },
        (Some(path), false) => in_file(ctx, args, path, None)?,
        (None, true) => ask(ctx, &args.target, "sessions.cleanup", params(args, args.agent.as_deref()))?,
        (None, false) => in_files(ctx, args)?,
    };
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

fn params(args: &SessionsCleanupArgs, agent: Option<&str>) -> Value {
    let mut params = json!({
        "allAgents": args.all_agents, "dryRun": args.dry_run, "enforce": args.enforce, "fixMissing": args.fix_missing, "fixDmScope": args.fix_dm_scope,
    });
    for (name, value) in [("agent", agent), ("activeKey", args.active_key.as_deref())] {
        if let Some(value) = value {
            params[name] = value.into();
        }
    }
    params
}

/// The agent of this state whose list of sessions the file is: while a gateway runs, nobody else may write it.
fn agent_of_file(ctx: &Context, path: &Path) -> Result<Option<String>, Failure> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let wanted = real(path);
    let agents = ctx.config()?.agents();
    Ok(agents.list.iter().map(|agent| agent.id.clone()).find(|id| real(&ctx.paths.sessions_dir(id).join("sessions.json")) == wanted))
}

/// Without a gateway: the files of one agent or of all. The gateway takes the change over at its next start.
fn in_files(ctx: &Context, args: &SessionsCleanupArgs) -> Result<Value, Failure> {
    let agents = ctx.config()?.agents();
    let one = args.agent.as_deref().unwrap_or(&agents.default_id);
    if !args.all_agents && agents.get(one).is_none() {
        return Err(Failure::new(format!("unknown agent `{one}`")).hint("see `chela config get agents.list`"));
    }
    let ids = agents.list.iter().map(|agent| agent.id.as_str());
    let clean = |id: &str| in_file(ctx, args, &ctx.paths.sessions_dir(id).join("sessions.json"), Some(id));
    if !args.all_agents {
        return clean(one);
    }
    let stores = ids.map(clean).collect::<Result<Vec<Value>, Failure>>()?;
    Ok(json!({"allAgents": true, "mode": stores.first().map(|s| s["mode"].clone()), "dryRun": args.dry_run, "stores": stores}))
}

fn in_file(ctx: &Context, args: &SessionsCleanupArgs, path: &Path, agent: Option<&str>) -> Result<Value, Failure> {
    let session = ctx.config()?.session();
    let agent = agent.map_or_else(|| agent_in(path), str::to_owned);
    let mut keep: HashSet<String> = args.active_key.iter().cloned().collect();
    keep.insert(session_key::main_key(&agent));
    let now = jiff::Timestamp::now().as_millisecond();
    let rules = CleanupRules {
        stale_before_ms: now.saturating_sub(i64::try_from(session.prune_after_ms).unwrap_or(i64::MAX)),
        max_entries: session.max_entries,
        missing: args.fix_missing,
        direct_peers: args.fix_dm_scope && session.dm_scope == chela_config::DmScope::Main,
        disk: session.disk_budget,
        keep,
    };
    let enforce = args.enforce || session.maintenance_enforce;
    if args.store.is_none() && !path.exists() {
        return Ok(CleanupPlan::default().report(&agent, path, 0, args.dry_run, enforce));
    }
    let goes = |doomed: &Doomed| !args.dry_run && (enforce || doomed.is_asked_for());
    let done = clean_file(path, &rules, goes, enforce && !args.dry_run)
        .map_err(|error| Failure::new("the sessions cannot be cleaned up").cause(error.to_string()))?;
    let mut report = done.plan.report(&agent, path, done.removed, args.dry_run, enforce);
    report["archivesRemoved"] = done.archives.into();
    Ok(report)
}

/// The agent of a file as its place says: `agents/<id>/sessions/sessions.json`.
fn agent_in(path: &Path) -> String {
    let names: Vec<String> = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    match names.as_slice() {
        [.., agents, id, sessions, _] if agents == "agents" && sessions == "sessions" => id.clone(),
        _ => "main".into(),
    }
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
