//! `chela sessions` (GW-165): from the running gateway, else from the store, else from `sessions.json`.

use std::path::Path;
use std::time::Duration;

use chela_config::Config;
use chela_store::{SessionQuery, SessionRow, Store, StoreOptions, session_key};
use serde_json::{Map, Value, json};

use super::sessions_upkeep;
use crate::cli::{SessionsArgs, SessionsCommand, TargetArgs};
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Longest wait for the running gateway.
const LIMIT: Duration = Duration::from_secs(10);
/// What `all` means to a gateway that wants a number.
const EVERYTHING: u64 = 1_000_000_000;

/// Sessions found, newest change first.
struct Found {
    rows: Vec<Value>,
    total: u64,
}

/// Lists sessions.
///
/// # Errors
/// An invalid config, a store that cannot be read.
pub fn run(ctx: &Context, args: SessionsArgs) -> Result<(), Failure> {
    match &args.command {
        None => {}
        Some(SessionsCommand::Cleanup(args)) => return sessions_upkeep::cleanup(ctx, args),
        Some(SessionsCommand::Archives(args)) => return sessions_upkeep::archives(ctx, args),
        Some(SessionsCommand::Restore(args)) => return sessions_upkeep::restore(ctx, args),
        Some(SessionsCommand::Other(words)) => {
            let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            let instead = [("export-trajectory", "read the transcript that `chela sessions --json` names")];
            return Err(super::other::subcommand("chela sessions", &name, &instead, &["cleanup", "archives", "restore"]));
        }
    }
    let limit = match args.limit.as_str() {
        "all" => None,
        text => Some(
            text.parse::<u64>()
                .ok()
                .filter(|limit| *limit > 0)
                .ok_or_else(|| Failure::usage(format!("`--limit {text}` is not a number")).hint("pass a number of 1 or more, or `all`"))?,
        ),
    };
    let config = ctx.config()?;
    let agents = config.agents();
    let agent = match (&args.agent, args.all_agents) {
        (_, true) => None,
        (Some(id), _) => match agents.get(id) {
            Some(agent) => Some(agent.id.clone()),
            None => return Err(Failure::new(format!("unknown agent `{id}`")).hint("see `chela config get agents.list`")),
        },
        (None, _) => Some(agents.default_id.clone()),
    };
    let found = match &args.store {
        Some(path) => select(read_file(path)?, args.active, limit),
        None => find(ctx, &config, agent.as_deref(), args.active, limit)?,
    };
    let path = match (&args.store, &agent) {
        (Some(path), _) => json!(path),
        (None, Some(agent)) => json!(ctx.paths.sessions_dir(agent).join("sessions.json")),
        (None, None) => Value::Null,
    };
    if !args.json {
        return output::text(&render(&found));
    }
    let count = found.rows.len() as u64;
    let mut out = json!({"path": path});
    if args.all_agents {
        let stores =
            agents.list.iter().map(|agent| json!({"agentId": agent.id, "path": ctx.paths.sessions_dir(&agent.id).join("sessions.json")}));
        out["stores"] = stores.collect();
        out["allAgents"] = true.into();
    }
    out["count"] = count.into();
    out["totalCount"] = found.total.into();
    out["limitApplied"] = limit.into();
    out["hasMore"] = (found.total > count).into();
    out["activeMinutes"] = args.active.into();
    out["sessions"] = Value::Array(found.rows);
    output::json(&out)
}

fn find(ctx: &Context, config: &Config, agent: Option<&str>, active: Option<u64>, limit: Option<u64>) -> Result<Found, Failure> {
    if lockfile::look(&ctx.paths).pid().is_some() {
        let target = client::target(ctx, config, &TargetArgs::default())?;
        let mut params = json!({"limit": limit.unwrap_or(EVERYTHING)});
        if let Some(agent) = agent {
            params["agentId"] = agent.into();
        }
        if let Some(active) = active {
            params["activeMinutes"] = active.into();
        }
        let answer = block_on(async { Ok(client::call(ctx, &target, Purpose::Probe, "sessions.list", params, LIMIT).await?) })?;
        let rows = answer["sessions"].as_array().cloned().unwrap_or_default().into_iter().map(with_age).collect::<Vec<_>>();
        let total = answer["totalCount"].as_u64().unwrap_or(rows.len() as u64);
        return Ok(Found { rows, total });
    }
    let db = ctx.paths.chela_dir().join("chela.sqlite");
    if db.exists() {
        return from_store(ctx, &db, agent, active, limit);
    }
    let mut rows = Vec::new();
    for id in agents_of(config, agent) {
        let file = ctx.paths.sessions_dir(&id).join("sessions.json");
        if file.exists() {
            rows.extend(read_file(&file)?);
        }
    }
    Ok(select(rows, active, limit))
}

fn agents_of(config: &Config, agent: Option<&str>) -> Vec<String> {
    match agent {
        Some(agent) => vec![agent.to_owned()],
        None => config.agents().list.iter().map(|agent| agent.id.clone()).collect(),
    }
}

fn from_store(ctx: &Context, db: &Path, agent: Option<&str>, active: Option<u64>, limit: Option<u64>) -> Result<Found, Failure> {
    let paths = ctx.paths.clone();
    let open = Store::open(StoreOptions::new(db, move |agent| paths.sessions_dir(agent)));
    let failed = |error: chela_store::StoreError| Failure::new("cannot read the sessions").cause(error.to_string());
    let store = open.map_err(failed)?;
    let query = SessionQuery {
        agent_id: agent.map(str::to_owned),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()),
        active_minutes: active,
        ..SessionQuery::default()
    };
    let page = block_on(async { store.list_sessions(query).await.map_err(failed) })?;
    Ok(Found { rows: page.rows.iter().map(row_json).collect(), total: page.total })
}

fn row_json(row: &SessionRow) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            out.insert(key.to_owned(), value);
        }
    };
    put("key", row.key.as_str().into());
    put("agentId", row.agent_id.as_str().into());
    put("sessionId", row.session_id.as_str().into());
    put("sessionFile", json!(row.session_file));
    put("updatedAt", row.updated_at_ms.into());
    put("label", row.label.clone().into());
    put("status", row.status.clone().into());
    put("modelProvider", row.model_provider.clone().into());
    put("model", row.model.clone().into());
    put("inputTokens", row.input_tokens.into());
    put("outputTokens", row.output_tokens.into());
    put("totalTokens", row.total_tokens.into());
    put("contextTokens", row.context_tokens.into());
    with_age(Value::Object(out))
}

/// The rows of a `sessions.json`: one map, session key to row (GW-150).
fn read_file(path: &Path) -> Result<Vec<Value>, Failure> {
    let failed = |why: String| Failure::new(format!("cannot read sessions from `{}`", path.display())).cause(why);
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let map: Map<String, Value> = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let row = |(key, row): (String, Value)| {
        let mut out = Map::new();
        out.insert("agentId".into(), session_key::agent_of(&key).into());
        out.insert("key".into(), key.into());
        for (name, value) in row.as_object().into_iter().flatten() {
            // Snapshots of prompts make rows of a hundred kilobytes; nobody lists sessions for them.
            if !value.is_object() && !value.is_array() {
                out.insert(name.clone(), value.clone());
            }
        }
        with_age(Value::Object(out))
    };
    Ok(map.into_iter().map(row).collect())
}

fn select(mut rows: Vec<Value>, active: Option<u64>, limit: Option<u64>) -> Found {
    if let Some(minutes) = active {
        rows.retain(|row| row["ageMs"].as_i64().is_some_and(|age| age <= i64::try_from(minutes * 60_000).unwrap_or(i64::MAX)));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row["updatedAt"].as_i64().unwrap_or(0)));
    let total = rows.len() as u64;
    rows.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
    Found { rows, total }
}

fn with_age(mut row: Value) -> Value {
    if let Some(updated) = row["updatedAt"].as_i64() {
        row["ageMs"] = (jiff::Timestamp::now().as_millisecond() - updated).max(0).into();
    }
    if row["agentId"].is_null()
        && let Some(key) = row["key"].as_str()
    {
        row["agentId"] = session_key::agent_of(key).into();
    }
    row
}

fn render(found: &Found) -> String {
    if found.rows.is_empty() {
        return "No sessions\n\nStart one with `chela agent --message \"hello\"`\n".to_owned();
    }
    let mut table = Table::new(&["KEY", "AGE", "STATUS", "MODEL", "TOKENS", "LABEL"]);
    for row in &found.rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        table.row(vec![
            text("key"),
            row["ageMs"].as_u64().map(super::status::duration).unwrap_or_default(),
            text("status"),
            text("model"),
            row["totalTokens"].as_u64().map(|tokens| tokens.to_string()).unwrap_or_default(),
            text("label"),
        ]);
    }
    let shown = found.rows.len() as u64;
    let more = if found.total > shown { "; pass `--limit all` for the rest" } else { "" };
    format!("{}\n{}\n", table.render(), output::dim(&format!("{shown} of {} sessions{more}", found.total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-150, GW-165
    #[test]
    fn the_reference_file_is_read_newest_first() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sessions.json");
        let now = jiff::Timestamp::now().as_millisecond();
        let map = json!({
            "agent:main:old": {"sessionId": "a", "updatedAt": now - 3_600_000, "skillsSnapshot": {"prompt": "long"}},
            "agent:work:new": {"sessionId": "b", "updatedAt": now - 1000, "model": "m"},
        });
        std::fs::write(&file, map.to_string()).unwrap();
        let found = select(read_file(&file).unwrap(), None, Some(1));
        assert_eq!((found.total, found.rows.len()), (2, 1));
        assert_eq!((found.rows[0]["key"].as_str(), found.rows[0]["agentId"].as_str()), (Some("agent:work:new"), Some("work")));
        let recent = select(read_file(&file).unwrap(), Some(30), None);
        assert_eq!(recent.total, 1);
        let all = select(read_file(&file).unwrap(), None, None);
        assert!(all.rows[1].get("skillsSnapshot").is_none());
    }
}
