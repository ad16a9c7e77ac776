//! What a channel records of a session before the turn: who wrote, and where answers go (CH-105, CH-106, CH-152).

use chela_agent::turn::{Inbound, put_route};
use chela_store::{OpenReason, SessionRow, session_key};
use serde_json::{Value, json};

use crate::requests::{Reply, Request, failed};

/// The key that a request names, and its agent.
pub(crate) fn key_of(request: &Request<'_>) -> Result<(String, String), chela_plugin::CallError> {
    let default = request.host.runtime.settings().agents.default_id.clone();
    let key = session_key::canonicalize(request.text("sessionKey")?, &default);
    let agent = session_key::agent_of(&key);
    Ok((key, agent))
}

/// The row of the session; a new one unless `createIfMissing` is false (CH-115).
async fn row_of(request: &Request<'_>) -> Result<Option<SessionRow>, chela_plugin::CallError> {
    let (key, agent) = key_of(request)?;
    let store = &request.host.runtime.store;
    if request.params["createIfMissing"] == false {
        return store.session(&key).await.map_err(failed);
    }
    store.open_session(&key, &agent, OpenReason::Interaction).await.map(|opened| Some(opened.row)).map_err(failed)
}

fn shown(row: Option<SessionRow>) -> Value {
    row.map_or(Value::Null, |row| Value::Object(row.to_projection()))
}

/// `host.channel.recordMeta {sessionKey, meta, createIfMissing?}`.
pub(crate) async fn meta(request: &Request<'_>) -> Reply {
    let Some(row) = row_of(request).await? else { return Ok(Value::Null) };
    let inbound = Inbound { context: request.params["meta"].clone() };
    let Some(surface) = surface_of(&inbound) else { return Ok(shown(Some(row))) };
    let update = move |row: &mut SessionRow| inbound.apply_meta(row, &surface);
    request.host.runtime.store.update_session(&row.key, update).await.map(|row| shown(Some(row))).map_err(failed)
}

/// The channel that a context names.
pub(crate) fn surface_of(inbound: &Inbound) -> Option<String> {
    ["OriginatingChannel", "Surface", "Provider"].into_iter().find_map(|name| inbound.text(name)).map(|text| text.to_lowercase())
}

/// `host.channel.updateLastRoute {sessionKey, route, meta?, createIfMissing?}`.
pub(crate) async fn route(request: &Request<'_>) -> Reply {
    let Some(row) = row_of(request).await? else { return Ok(Value::Null) };
    let mut delivery = json!({});
    for name in ["channel", "to", "accountId", "threadId"] {
        match &request.params["route"][name] {
            Value::String(text) if !text.trim().is_empty() => delivery[name] = text.trim().into(),
            Value::Number(number) => delivery[name] = number.clone().into(),
            _ => {}
        }
    }
    let inbound = request.params.get("meta").filter(|m| m.is_object()).map(|meta| Inbound { context: meta.clone() });
    let update = move |row: &mut SessionRow| {
        put_route(row, &delivery);
        if let Some((inbound, surface)) = inbound.as_ref().and_then(|i| Some((i, surface_of(i)?))) {
            inbound.apply_meta(row, &surface);
        }
    };
    request.host.runtime.store.update_session(&row.key, update).await.map(|row| shown(Some(row))).map_err(failed)
}

/// `host.channel.sessionUpdatedAt {sessionKey}`: Unix ms.
pub(crate) async fn updated_at(request: &Request<'_>) -> Reply {
    let (key, _) = key_of(request)?;
    let row = request.host.runtime.store.session(&key).await.map_err(failed)?;
    Ok(row.map_or_else(|| json!({"$undefined": true}), |row| row.updated_at_ms.into()))
}
