//! Reading sessions: list, get, preview, describe, resolve, subscriptions (GW-91, GW-99).

use std::sync::Arc;

use chela_agent::clock::now_ms;
use chela_agent::message;
use chela_gateway_protocol::error::ErrorShape;
use chela_store::{EntryQuery, SessionQuery, SessionRow};
use serde_json::{Map, Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::gateway::Gateway;
use crate::history;
use crate::ws::ClientInfo;

/// Rows of `sessions.list` when nobody says how many (GW-91).
const LIST_DEFAULT: u64 = 100;
/// Characters of one preview item.
const PREVIEW_CHARS: usize = 300;

/// A session as clients see it.
pub(crate) fn public_row(gateway: &Gateway, row: &SessionRow) -> Map<String, Value> {
    let mut out = row.to_projection();
    for private in ["sessionFile", "pluginNextTurnInjections", "pluginExtensionViews", "skillsSnapshot", "systemPromptReport"] {
        out.remove(private);
    }
    out.insert("key".into(), row.key.clone().into());
    let chat_type = row.extra.get("chatType").and_then(Value::as_str).unwrap_or("direct").to_string();
    out.insert("kind".into(), chat_type.clone().into());
    out.entry("chatType").or_insert_with(|| chat_type.into());
    if let Some(label) = &row.label {
        out.entry("displayName").or_insert_with(|| label.clone().into());
    }
    if let Some(extensions) = crate::extensions::projected(gateway, row) {
        out.insert("pluginExtensions".into(), extensions);
    }
    out
}

/// A page of sessions.
pub(super) async fn list(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let known = [
        "limit",
        "offset",
        "activeMinutes",
        "includeGlobal",
        "includeUnknown",
        "includeDerivedTitles",
        "includeLastMessage",
        "label",
        "spawnedBy",
        "agentId",
        "search",
        "configuredAgentsOnly",
    ];
    let mut p = Params::new("sessions.list", params, &known)?;
    let (limit, offset) = (p.optional_count("limit").unwrap_or(LIST_DEFAULT), p.optional_count("offset").unwrap_or(0));
    let query = SessionQuery {
        agent_id: p.optional_text("agentId"),
        limit: Some(limit as usize),
        offset: offset as usize,
        search: p.optional_text("search"),
        active_minutes: p.optional_count("activeMinutes"),
        label: p.optional_text("label"),
    };
    let with_last = p.flag("includeLastMessage") == Some(true);
    p.done()?;
    let runtime = &gateway.host.runtime;
    let page = runtime.store.list_sessions(query).await.map_err(internal)?;
    let mut rows = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        let mut out = public_row(gateway, row);
        out.insert("hasActiveRun".into(), runtime.runs.is_session_active(&row.key).into());
        if with_last && let Some(text) = last_text(gateway, row).await {
            out.insert("lastMessage".into(), text.into());
        }
        rows.push(Value::Object(out));
    }
    let agent = runtime.settings().agents.default_id.clone();
    let model = runtime.default_model(&agent);
    let count = rows.len() as u64;
    Ok(json!({
        "ts": now_ms(), "path": gateway.sessions_file(&agent), "count": count, "totalCount": page.total, "limitApplied": limit,
        "hasMore": offset + count < page.total, "defaults": {"modelProvider": model.provider, "model": model.model}, "sessions": rows,
    }))
}

async fn last_text(gateway: &Gateway, row: &SessionRow) -> Option<String> {
    let entries = gateway.host.runtime.store.window(&row.session_id, 1).await.ok()?;
    let text = message::text_of(&entries.last()?.body);
    Some(text.chars().take(PREVIEW_CHARS).collect())
}

async fn row_of(gateway: &Gateway, key: &str) -> Result<SessionRow, ErrorShape> {
    let (session_key, _) = gateway.route(key, None)?;
    let row = gateway.host.runtime.store.session(&session_key).await.map_err(internal)?;
    row.ok_or_else(|| ErrorShape::not_found(format!("unknown session key \"{session_key}\"")))
}

/// The raw messages of a session.
pub(super) async fn get(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.get", params, &["key", "sessionKey", "limit"])?;
    let key = p.optional_text("key").or_else(|| p.optional_text("sessionKey")).unwrap_or_default();
    let limit = p.optional_count("limit").unwrap_or(200).clamp(1, 1000) as usize;
    if key.is_empty() {
        p.reject("must have required property 'key'");
    }
    p.done()?;
    let Ok(row) = row_of(gateway, &key).await else { return Ok(json!({"messages": []})) };
    let query = EntryQuery { limit: Some(limit), ..EntryQuery::default() };
    let entries = gateway.host.runtime.store.entries(&row.session_id, query).await.map_err(internal)?;
    Ok(json!({"messages": history::raw(&entries, row.message_count)}))
}

/// The last few items of several sessions.
pub(super) async fn preview(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.preview", params, &["keys", "limit", "maxChars"])?;
    let keys = p.texts("keys");
    let limit = p.optional_count("limit").unwrap_or(12).clamp(1, 100) as usize;
    let chars = p.optional_count("maxChars").unwrap_or(PREVIEW_CHARS as u64) as usize;
    p.done()?;
    let mut previews = Vec::new();
    for key in keys.iter().take(64) {
        let Ok(row) = row_of(gateway, key).await else {
            previews.push(json!({"key": key, "status": "missing", "items": []}));
            continue;
        };
        let entries = gateway.host.runtime.store.window(&row.session_id, limit).await.map_err(internal)?;
        let items: Vec<Value> = entries.iter().flat_map(|e| history::preview_items(&e.body, chars)).collect();
        let skip = items.len().saturating_sub(limit);
        previews.push(json!({"key": row.key, "status": if items.is_empty() { "empty" } else { "ok" }, "items": &items[skip..]}));
    }
    Ok(json!({"ts": now_ms(), "previews": previews}))
}

/// One session's row.
pub(super) async fn describe(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.describe", params, &["key", "includeDerivedTitles", "includeLastMessage"])?;
    let key = p.text("key");
    p.done()?;
    match row_of(gateway, &key).await {
        Ok(row) => Ok(json!({"session": public_row(gateway, &row)})),
        Err(_) => Ok(json!({"session": null})),
    }
}

/// Finds a session by key, id or label.
pub(super) async fn resolve(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p =
        Params::new("sessions.resolve", params, &["key", "sessionId", "label", "agentId", "spawnedBy", "includeGlobal", "includeUnknown"])?;
    let (key, id, label) = (p.optional_text("key"), p.optional_text("sessionId"), p.optional_text("label"));
    if [&key, &id, &label].iter().filter(|v| v.is_some()).count() != 1 {
        p.reject("exactly one of key, sessionId, label is required");
    }
    p.done()?;
    let store = &gateway.host.runtime.store;
    let found = match (key, id, label) {
        (Some(key), _, _) => row_of(gateway, &key).await?.key,
        (_, Some(id), _) => gateway.key_of_session_id(&id).await?,
        (_, _, label) => {
            let query = SessionQuery { label, limit: Some(2), ..SessionQuery::default() };
            let page = store.list_sessions(query).await.map_err(internal)?;
            match page.rows.as_slice() {
                [one] => one.key.clone(),
                [] => return Err(ErrorShape::not_found("no session has this label")),
                _ => return Err(ErrorShape::invalid_params("sessions.resolve", "several sessions have this label; give a key")),
            }
        }
    };
    Ok(ok_with(json!({"key": found})))
}

/// Subscribes a client to changes of sessions.
pub(super) fn subscribe(gateway: &Arc<Gateway>, client: &ClientInfo, on: bool) -> Value {
    if on {
        gateway.bus.subscribe_sessions(&client.conn_id);
    } else {
        gateway.bus.unsubscribe_sessions(&client.conn_id);
    }
    json!({"subscribed": on})
}

/// Subscribes a client to the messages of a session.
pub(super) fn subscribe_messages(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value, on: bool) -> Answer {
    let mut p = Params::new("sessions.messages.subscribe", params, &["key"])?;
    let key = p.text("key");
    p.done()?;
    let (session_key, _) = gateway.route(&key, None)?;
    if on {
        gateway.bus.subscribe_session_messages(&client.conn_id, &session_key);
    } else {
        gateway.bus.unsubscribe_session_messages(&client.conn_id, &session_key);
    }
    Ok(json!({"subscribed": on, "key": session_key}))
}
