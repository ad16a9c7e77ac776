//! Names and shapes of the OpenAI-compatible endpoints (GW-106, GW-107, GW-111, GW-112).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use chela_agent::{Accepted, Entry, Pledge, RunTicket, TurnRequest};
use chela_models::ToolSpec;
use chela_store::session_key;
use futures::StreamExt as _;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc;

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

/// The agent of a request: the header's, else the model's.
pub(super) fn agent_of_call(gateway: &Gateway, call: &HttpCall, model: &str) -> Result<String, String> {
    match call.header("x-openclaw-agent-id").or_else(|| call.header("x-openclaw-agent")) {
        Some(id) => gateway.agent_or_default(Some(id)).map_err(|e| e.message),
        None => agent_of_model(gateway, model).ok_or_else(|| "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.".to_owned()),
    }
}

/// What a request asks for, in whatever shape it came.
pub(super) struct Asked {
    pub(super) run_id: String,
    pub(super) agent: String,
    pub(super) session_key: String,
    pub(super) prompt: String,
    pub(super) images: Vec<Value>,
    pub(super) system: Option<String>,
    pub(super) client_tools: Vec<ToolSpec>,
}

/// Takes a request's message into the journal; the error is the reply.
pub(super) async fn accept(gateway: &Gateway, turn: &TurnRequest, method: &str) -> Result<(RunTicket, Pledge), HttpReply> {
    match gateway.accept(turn, method).await {
        Ok(Accepted::New(ticket, pledge)) => Ok((ticket, pledge)),
        Ok(_) => Err(HttpReply::error(StatusCode::CONFLICT, "conflict", "the same message is being answered in this session already")),
        Err(error) => Err(HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", error.to_string())),
    }
}

/// The turn that answers a request.
pub(super) fn turn(gateway: &Gateway, call: &HttpCall, asked: Asked) -> TurnRequest {
    TurnRequest {
        run_id: asked.run_id,
        session_key: asked.session_key,
        agent_id: asked.agent,
        message: asked.prompt,
        images: asked.images,
        entry: Entry::Http,
        surface: call.header("x-openclaw-message-channel").unwrap_or("webchat").to_string(),
        sender_id: None,
        sender_is_owner: call.auth.has_scope(chela_gateway_protocol::Scope::Admin),
        scopes: call.auth.scopes.iter().map(|s| s.as_str().to_string()).collect(),
        model: call.header("x-openclaw-model").and_then(|m| chela_models::ModelRef::parse(m).ok()),
        thinking: None,
        extra_system_prompt: asked.system,
        client_tools: asked.client_tools,
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: gateway.turn_timeout(),
    }
}

/// What was said (whether it asks for an answer, who spoke, the text) as one prompt: the last that asks, with what came before it as
/// context. `None` when nothing asks; `images` may ask without words.
pub(super) fn prompt_of(entries: &[(bool, String, String)], images: bool) -> Option<String> {
    let last = entries.iter().rposition(|(asks, _, text)| *asks && (images || !text.trim().is_empty()))?;
    let (_, speaker, text) = &entries[last];
    let current = if speaker == "user" { text.clone() } else { format!("{speaker}: {text}") };
    let earlier: Vec<String> = entries[..last].iter().map(|(_, speaker, text)| format!("{speaker}: {text}")).collect();
    if earlier.is_empty() {
        return Some(current);
    }
    Some(format!("Earlier in this conversation:\n{}\n\nCurrent message:\n{current}", earlier.join("\n")))
}

type Work = futures::future::BoxFuture<'static, ()>;

/// A bounded stream that a task fills: a slow reader slows the task, not the run.
pub(super) fn event_stream(
    fill: impl FnOnce(mpsc::Sender<String>) -> Work,
) -> futures::stream::BoxStream<'static, Result<Bytes, io::Error>> {
    let (sender, receiver) = mpsc::channel::<String>(64);
    tokio::spawn(fill(sender));
    futures::stream::unfold(receiver, |mut r| async move { r.recv().await.map(|text| (Ok(Bytes::from(text)), r)) }).boxed()
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

/// Session of an HTTP request (GW-111): the header, else the `user`, else a new one, below the endpoint's own prefix. A key of another agent is refused (GW-F16).
pub(super) fn session_of(call: &HttpCall, agent: &str, user: Option<&str>, prefix: &str) -> Result<String, String> {
    if let Some(key) = call.header("x-openclaw-session-key").map(str::trim).filter(|k| !k.is_empty()) {
        let canonical = session_key::canonicalize(key, agent);
        if session_key::agent_of(&canonical) != agent {
            return Err(format!("the session key `{key}` belongs to another agent than the model `openclaw/{agent}`"));
        }
        return Ok(canonical);
    }
    let name = match user.map(str::trim).filter(|u| !u.is_empty()) {
        Some(user) => format!("{prefix}-user:{user}"),
        None => format!("{prefix}:{}", uuid::Uuid::new_v4()),
    };
    Ok(session_key::canonicalize(&format!("agent:{agent}:{name}"), agent))
}
