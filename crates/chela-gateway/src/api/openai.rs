//! Names and shapes of the OpenAI-compatible endpoints (GW-106, GW-107, GW-111, GW-112).

use std::sync::Arc;

use chela_store::session_key;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{HttpCall, HttpReply};

/// The agent that a model name means: `openclaw`, `openclaw/default`, `openclaw/<agent>`, `openclaw:<agent>`, `agent:<agent>`. An
/// unknown agent is refused; the reference answers and creates its directories (GW-F3).
pub(super) fn agent_of_model(gateway: &Gateway, model: &str) -> Option<String> {
    let model = model.trim();
    let settings = gateway.host.runtime.settings();
    let name = match model {
        "openclaw" | "openclaw/default" | "openclaw:default" => return Some(settings.agents.default_id.clone()),
        other => other.strip_prefix("openclaw/").or_else(|| other.strip_prefix("openclaw:")).or_else(|| other.strip_prefix("agent:"))?,
    };
    settings.agents.get(name).map(|a| a.id.clone())
}

/// `GET /v1/models` and `/v1/models/<id>`.
pub(super) fn models(gateway: &Arc<Gateway>, id: Option<String>) -> HttpReply {
    let created = chela_agent::clock::now_ms() / 1000;
    let row = |id: &str| json!({"id": id, "object": "model", "created": created, "owned_by": "openclaw", "permission": []});
    if let Some(id) = id {
        return match agent_of_model(gateway, &id) {
            Some(_) => HttpReply::json(StatusCode::OK, &row(&id)),
            None => HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", "Invalid model id."),
        };
    }
    let settings = gateway.host.runtime.settings();
    let own = settings.agents.list.iter().map(|a| row(&format!("openclaw/{}", a.id)));
    let rows: Vec<Value> = [row("openclaw"), row("openclaw/default")].into_iter().chain(own).collect();
    HttpReply::json(StatusCode::OK, &json!({"object": "list", "data": rows}))
}

/// Session of an HTTP request (GW-111): the header, else the `user`, else a new one. A key of another agent is refused (GW-F16).
pub(super) fn session_of(call: &HttpCall, agent: &str, user: Option<&str>) -> Result<String, String> {
    if let Some(key) = call.header("x-openclaw-session-key").map(str::trim).filter(|k| !k.is_empty()) {
        let canonical = session_key::canonicalize(key, agent);
        if session_key::agent_of(&canonical) != agent {
            return Err(format!("the session key `{key}` belongs to another agent than the model `openclaw/{agent}`"));
        }
        return Ok(canonical);
    }
    let name = match user.map(str::trim).filter(|u| !u.is_empty()) {
        Some(user) => format!("openai-user:{user}"),
        None => format!("openai:{}", uuid::Uuid::new_v4()),
    };
    Ok(session_key::canonicalize(&format!("agent:{agent}:{name}"), agent))
}
