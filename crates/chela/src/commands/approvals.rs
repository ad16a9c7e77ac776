//! `chela approvals`: what waits for an answer, what was allowed for ever, and which commands may run.

use chela_agent::clock::now_ms;
use std::io::Read as _;

use chela_approvals::exec_file::ExecFile;
use chela_approvals::policy::{AskWhen, Security};
use chela_config::Config;
use chela_tools::exec_file as disk;
use serde_json::{Value, json};

use super::devices::{one, session};
use crate::cli::approvals::{AllowlistCommand, ApprovalsArgs, ApprovalsCommand, AuditArgs, GrantsArgs, PatternArgs, PlaceArgs, SetArgs};
use crate::cli::devices::CallArgs;
use crate::context::Context;
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Largest content that is read, in bytes.
const LARGEST: u64 = 8 << 20;

/// Runs the subcommand.
///
/// # Errors
/// When the gateway cannot be reached or refuses, or the file cannot be read or written.
pub fn run(ctx: &Context, args: ApprovalsArgs) -> Result<(), Failure> {
    match args.command {
        ApprovalsCommand::List(args) => list(ctx, &args),
        ApprovalsCommand::Approve(args) => {
            let decision = if args.always { "allow-always" } else { "allow-once" };
            decide(ctx, &args.call, &args.id, decision)
        }
        ApprovalsCommand::Deny(args) => decide(ctx, &args.call, &args.id, "deny"),
        ApprovalsCommand::Get(args) => get(ctx, &args),
        ApprovalsCommand::Set(args) => set(ctx, &args),
        ApprovalsCommand::Allowlist(args) => match args.command {
            AllowlistCommand::Add(args) => pattern(ctx, &args, true),
            AllowlistCommand::Remove(args) => pattern(ctx, &args, false),
        },
        ApprovalsCommand::Grants(args) => grants(ctx, &args),
        ApprovalsCommand::Audit(args) => audit(ctx, &args),
    }
}

fn list(ctx: &Context, args: &CallArgs) -> Result<(), Failure> {
    let (exec, plugin) = session(ctx, args, async |connection, limit| {
        let exec = connection.request("exec.approval.list", json!({}), false, limit).await?;
        Ok((exec, connection.request("plugin.approval.list", json!({}), false, limit).await?))
    })?;
    if args.json {
        return output::json(&json!({"exec": exec, "plugin": plugin}));
    }
    let mut table = Table::new(&["ID", "KIND", "WHAT", "AGENT", "LEFT"]);
    let mut count = 0;
    for (kind, rows) in [("exec", &exec), ("plugin", &plugin)] {
        for row in rows.as_array().into_iter().flatten() {
            count += 1;
            let request = &row["request"];
            let what = if kind == "exec" { text(&request["command"]) } else { about(request) };
            let left = u64::try_from(row["expiresAtMs"].as_i64().unwrap_or(0) - now_ms()).unwrap_or(0);
            table.row(vec![text(&row["id"]), kind.into(), what, text(&request["agentId"]), super::status::duration(left)]);
        }
    }
    if count == 0 { output::text("Nothing waits for approval") } else { output::text(&table.render()) }
}

fn about(request: &Value) -> String {
    let tool = request["toolName"].as_str().map(|tool| format!(" ({tool})")).unwrap_or_default();
    format!("{}{tool}: {}", text(&request["title"]), text(&request["description"]))
}

/// HOOK-193: commands first, then requests of plugins.
fn decide(ctx: &Context, args: &CallArgs, id: &str, decision: &str) -> Result<(), Failure> {
    let params = json!({"id": id, "decision": decision});
    let answer = session(ctx, args, async |connection, limit| {
        match connection.request("exec.approval.resolve", params.clone(), false, limit).await {
            Err(error) if error.to_string().contains("unknown or expired") => {
                connection.request("plugin.approval.resolve", params, false, limit).await
            }
            other => other,
        }
    });
    let answer = answer.map_err(|failure| failure.hint("`chela approvals list` shows what waits"))?;
    let said = if decision == "deny" { "Denied" } else { "Allowed" };
    if args.json { output::json(&answer) } else { output::text(&format!("{said} {id} ({decision})")) }
}

/// The file, where it is, and its digest.
struct Found {
    place: String,
    hash: Option<String>,
    file: ExecFile,
}

fn read(ctx: &Context, args: &PlaceArgs) -> Result<Found, Failure> {
    if args.node.is_some() {
        return Err(Failure::new("node hosts are not built").hint("leave `--node` out for this machine, or use `--gateway`"));
    }
    if args.gateway {
        let found = one(ctx, &args.call, "exec.approvals.get", json!({}))?;
        let file = ExecFile::from_value(found["file"].clone()).map_err(|e| Failure::new(e.to_string()))?;
        let hash = (found["exists"] == true).then(|| text(&found["hash"]));
        return Ok(Found { place: text(&found["path"]), hash, file });
    }
    let found = disk::read_now(&ctx.paths.state_dir).map_err(|e| Failure::new(e.to_string()))?;
    Ok(Found { place: ctx.show(&found.path), hash: found.exists.then_some(found.hash), file: found.file })
}

fn get(ctx: &Context, args: &PlaceArgs) -> Result<(), Failure> {
    let found = read(ctx, args)?;
    let (config, _) = ctx.config_lenient()?;
    let rows: Vec<Value> = config.agents().list.iter().map(|agent| effective(&config, &found.file, &agent.id)).collect();
    if args.call.json {
        let out = json!({"path": found.place, "exists": found.hash.is_some(), "hash": found.hash, "file": found.file.public(), "effective": rows});
        return output::json(&out);
    }
    let mut table = Table::new(&["AGENT", "SECURITY", "ASK", "NO ANSWER", "ALLOWLIST"]);
    for row in &rows {
        table.row(["agentId", "security", "ask", "askFallback", "allowlist"].map(|name| text(&row[name])).to_vec());
    }
    let state = if found.hash.is_some() { "" } else { " (not there: the config alone holds)" };
    output::text(&format!("Approvals file: {}{state}\n\n{}", found.place, table.render()))
}

/// What holds for an agent: the stricter of `tools.exec` and the file.
fn effective(config: &Config, file: &ExecFile, agent: &str) -> Value {
    let settings = config.agents();
    let own = settings.get(agent).map_or(&Value::Null, |agent| &agent.raw["tools"]["exec"]);
    let tools = config.tools();
    let word = |name: &str| own[name].as_str().or_else(|| tools.raw["exec"][name].as_str()).map(str::to_owned);
    let security = word("security").map_or(Security::Full, |w| Security::parse(&w).unwrap_or(Security::Deny));
    let ask = word("ask").map_or(AskWhen::Off, |w| AskWhen::parse(&w).unwrap_or(AskWhen::Always));
    let policy = file.policy(agent).with_config(security, ask);
    let entries = |key: &str| file.value()["agents"][key]["allowlist"].as_array().map_or(0, Vec::len);
    json!({
        "agentId": agent, "security": policy.security.as_str(), "ask": policy.ask.as_str(), "askFallback": policy.fallback.as_str(),
        "allowlist": entries(agent) + entries("*"), "requested": {"security": security.as_str(), "ask": ask.as_str()},
    })
}

fn set(ctx: &Context, args: &SetArgs) -> Result<(), Failure> {
    let mut raw = String::new();
    let read_all = |from: &mut dyn std::io::Read, into: &mut String| from.take(LARGEST).read_to_string(into).map(drop);
    let outcome = match &args.file {
        Some(path) => std::fs::File::open(path).and_then(|mut file| read_all(&mut file, &mut raw)),
        None => read_all(&mut std::io::stdin().lock(), &mut raw),
    };
    let source = args.file.as_ref().map_or_else(|| "the standard input".to_owned(), |path| format!("`{}`", path.display()));
    outcome.map_err(|error| Failure::new(format!("{source} cannot be read: {error}")))?;
    let value = json5::from_str::<Value>(&raw).map_err(|error| Failure::new(format!("{source} is no JSON5: {error}")))?;
    let file = ExecFile::from_value(value).map_err(|error| Failure::new(format!("{source}: {error}")))?;
    // What is broken may be replaced, and then nothing was read.
    let base = match read(ctx, &args.place) {
        Ok(found) => found.hash,
        Err(failure) if args.place.gateway || args.place.node.is_some() => return Err(failure),
        Err(_) => None,
    };
    store(ctx, &args.place, file, base)
}

fn store(ctx: &Context, place: &PlaceArgs, file: ExecFile, base: Option<String>) -> Result<(), Failure> {
    if place.gateway {
        let answer = one(ctx, &place.call, "exec.approvals.set", json!({"file": file.public(), "baseHash": base}))?;
        return if place.call.json { output::json(&answer) } else { output::text(&format!("Wrote {}", text(&answer["path"]))) };
    }
    let dir = ctx.paths.state_dir.clone();
    crate::context::block_on(async { disk::replace(dir, file, base).await.map_err(|e| Failure::new(e.to_string())) })?;
    let path = ctx.paths.state_dir.join(chela_approvals::exec_file::FILE_NAME);
    if place.call.json { output::json(&json!({"ok": true, "path": path})) } else { output::text(&format!("Wrote {}", ctx.show(&path))) }
}

fn pattern(ctx: &Context, args: &PatternArgs, add: bool) -> Result<(), Failure> {
    let wanted = args.pattern.trim();
    if wanted.is_empty() {
        return Err(Failure::new("the pattern is blank").hint("name a program, such as `rg` or `~/bin/*`"));
    }
    let mut found = read(ctx, &args.place)?;
    let changed = if add { found.file.add_pattern(&args.agent, wanted, now_ms()) } else { found.file.remove_pattern(&args.agent, wanted) };
    if !changed {
        let text = if add { "is on the allowlist already" } else { "is not on the allowlist" };
        return output::text(&format!("`{wanted}` {text} of agent `{}`", args.agent));
    }
    store(ctx, &args.place, found.file, found.hash)
}

fn grants(ctx: &Context, args: &GrantsArgs) -> Result<(), Failure> {
    if let Some(key) = &args.revoke {
        let answer = one(ctx, &args.call, "approvals.revoke", json!({ "key": key }))?;
        return if args.call.json { output::json(&answer) } else { output::text(&format!("Took back {}", text(&answer["key"]))) };
    }
    let found = one(ctx, &args.call, "approvals.grants", json!({}))?;
    if args.call.json {
        return output::json(&found);
    }
    let mut table = Table::new(&["KEY", "PLUGIN", "TOOL", "AGENT", "WHAT", "USES"]);
    let rows = found["grants"].as_array().cloned().unwrap_or_default();
    for row in &rows {
        let key: String = text(&row["key"]).chars().take(12).collect();
        let cells = ["pluginId", "toolName", "agentId", "title", "uses"].map(|name| text(&row[name]));
        table.row(std::iter::once(key).chain(cells).collect());
    }
    if rows.is_empty() { output::text("Nothing is allowed for ever") } else { output::text(&table.render()) }
}

fn audit(ctx: &Context, args: &AuditArgs) -> Result<(), Failure> {
    let found = one(ctx, &args.call, "approvals.audit", json!({"limit": args.limit}))?;
    if args.call.json {
        return output::json(&found);
    }
    let mut table = Table::new(&["WHEN", "ID", "KIND", "WHAT HAPPENED", "BY", "ABOUT"]);
    for row in found["entries"].as_array().into_iter().flatten() {
        let request = &row["request"];
        let what = if request["command"].is_string() { text(&request["command"]) } else { text(&request["title"]) };
        let at = jiff::Timestamp::from_millisecond(row["at"].as_i64().unwrap_or(0)).map(|at| at.to_string()).unwrap_or_default();
        let id: String = text(&row["id"]).chars().take(20).collect();
        table.row(vec![at, id, text(&row["kind"]), text(&row["what"]), text(&row["by"]), what]);
    }
    output::text(&table.render())
}

/// A value for a terminal: nothing in it can move the cursor.
fn text(value: &Value) -> String {
    let plain = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    plain.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
