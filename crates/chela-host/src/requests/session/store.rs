//! `api.runtime.agent.session`: the session store as plugins know it, a path to a `sessions.json` (RT-034, RT-035).

use chela_plugin::CallError;
use chela_store::{SessionQuery, SessionRow};
use serde_json::{Map, Value, json};

use super::super::{Reply, Request, failed};

/// Members that name a session's identity; plugins do not change them.
const FIXED: &[&str] = &["sessionId", "sessionFile"];
/// Most rows that one write may change.
const MOST_ROWS: usize = 1000;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.session.resolveStorePath" => {
            let default = || request.host.runtime.settings().agents.default_id.clone();
            let agent = request.optional("agentId").map_or_else(default, str::to_string);
            Ok(json!(request.host.paths.sessions_dir(&agent).join("sessions.json")))
        }
        "host.session.resolveSessionFilePath" => file_path(request).await,
        "host.session.loadStore" => {
            let rows = rows(request).await?;
            Ok(rows.iter().map(|r| (r.key.clone(), r.to_projection().into())).collect::<Map<String, Value>>().into())
        }
        "host.session.patchStore" => patch(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

async fn file_path(request: &Request<'_>) -> Reply {
    let id = request.text("sessionId")?;
    if !chela_store::is_safe_session_id(id) {
        return Err(CallError::refused("INVALID_PARAMS", format!("`{id}` is no session id")));
    }
    if let Some(known) = request.params.pointer("/entry/sessionFile").and_then(Value::as_str) {
        return Ok(json!(known));
    }
    let row = request.host.runtime.store.session_by_id(id).await.map_err(failed)?;
    let agent = request.host.runtime.settings().agents.default_id.clone();
    Ok(json!(row.map_or_else(|| request.host.paths.sessions_dir(&agent).join(format!("{id}.jsonl")), |row| row.session_file)))
}

/// The rows of the agent whose store the path names.
async fn rows(request: &Request<'_>) -> Result<Vec<SessionRow>, CallError> {
    let path = std::path::Path::new(request.text("storePath")?);
    let page = request.host.runtime.store.list_sessions(SessionQuery::default()).await.map_err(failed)?;
    let here = |row: &SessionRow| request.host.paths.sessions_dir(&row.agent_id).join("sessions.json") == path;
    Ok(page.rows.into_iter().filter(here).collect())
}

/// Applies what a plugin changed: `rows` maps session keys to `{set, unset}`, or to null for a session that goes.
async fn patch(request: &Request<'_>) -> Reply {
    let Some(changes) = request.params.get("rows").and_then(Value::as_object).filter(|rows| rows.len() <= MOST_ROWS) else {
        return Err(CallError::refused("INVALID_PARAMS", format!("`rows` must be an object of at most {MOST_ROWS} sessions")));
    };
    let known = rows(request).await?;
    // Nothing is written when a part of it cannot be.
    for (key, change) in changes {
        check(key, change, known.iter().find(|row| row.key == *key))?;
    }
    let store = &request.host.runtime.store;
    for (key, change) in changes {
        if change.is_null() {
            store.delete_session(key, false).await.map_err(failed)?;
            continue;
        }
        let change = change.clone();
        store.update_session(key, move |row| apply(row, &change)).await.map_err(failed)?;
    }
    Ok(json!({"changed": changes.len()}))
}

fn check(key: &str, change: &Value, known: Option<&SessionRow>) -> Result<(), CallError> {
    let refuse = |text: String| Err(CallError::refused("SESSION_STORE_REFUSED", text));
    if known.is_none() {
        return refuse(format!("there is no session `{key}` in this store; a session begins with its first message, not with a row"));
    }
    let mut names = change.get("set").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str());
    let mut gone = change.get("unset").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    match names.find(|name| FIXED.contains(name)).or_else(|| gone.find(|name| FIXED.contains(name))) {
        Some(name) => refuse(format!("`{name}` of the session `{key}` cannot be changed through the store; reset the session instead")),
        None => Ok(()),
    }
}

fn apply(row: &mut SessionRow, change: &Value) {
    for name in change.get("unset").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        put(row, name, None);
    }
    for (name, value) in change.get("set").and_then(Value::as_object).into_iter().flatten() {
        put(row, name, Some(value));
    }
}

/// Writes one member of the projection; times of the store's own bookkeeping stay.
fn put(row: &mut SessionRow, name: &str, value: Option<&Value>) {
    let text = || value.and_then(Value::as_str).map(str::to_string);
    let time = || value.and_then(Value::as_i64);
    let count = || value.and_then(Value::as_u64);
    match name {
        "updatedAt" => row.updated_at_ms = time().unwrap_or(row.updated_at_ms),
        "sessionStartedAt" => row.session_started_at_ms = time().unwrap_or(row.session_started_at_ms),
        "lastInteractionAt" => row.last_interaction_at_ms = time().unwrap_or(row.last_interaction_at_ms),
        "status" => row.status = text(),
        "modelProvider" => row.model_provider = text(),
        "model" => row.model = text(),
        "label" => row.label = text(),
        "startedAt" => row.started_at_ms = time(),
        "endedAt" => row.ended_at_ms = time(),
        "runtimeMs" => row.runtime_ms = time(),
        "inputTokens" => row.input_tokens = count(),
        "outputTokens" => row.output_tokens = count(),
        "totalTokens" => row.total_tokens = count(),
        "contextTokens" => row.context_tokens = count(),
        _ => match value {
            Some(value) => drop(row.extra.insert(name.to_string(), value.clone())),
            None => drop(row.extra.shift_remove(name)),
        },
    }
}
