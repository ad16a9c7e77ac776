//! `chat.send`, `chat.history`, `chat.abort`, `chat.inject` (GW-76..86).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::clock::now_ms;
use chela_agent::{Accepted, Entry, TurnRequest};
use chela_gateway_protocol::error::ErrorShape;
use chela_store::{EntryQuery, NewEntry, OpenReason};
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::chat_commands::{Commanded, TakeHints};
use crate::gateway::Gateway;
use crate::history::{self, HistoryLimits};
use crate::ws::ClientInfo;

/// Longest session key (GW-81).
const MAX_KEY: usize = 512;
/// Default number of messages of `chat.history`.
const HISTORY_DEFAULT: u64 = 200;

/// Starts a run for a person's message and answers at once (GW-79).
pub(super) async fn send(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let known = [
        "sessionKey",
        "message",
        "idempotencyKey",
        "thinking",
        "deliver",
        "attachments",
        "timeoutMs",
        "systemInputProvenance",
        "suppressCommandInterpretation",
        "sessionId",
        "originatingChannel",
        "originatingTo",
        "originatingAccountId",
        "originatingThreadId",
        "systemProvenanceReceipt",
        "fastMode",
    ];
    let mut p = Params::new("chat.send", params, &known)?;
    let (key, message, run_id) = (p.text("sessionKey"), p.text("message"), p.text("idempotencyKey"));
    let (thinking, timeout) = (p.optional_text("thinking"), p.optional_count("timeoutMs"));
    let suppressed = p.flag("suppressCommandInterpretation") == Some(true);
    let attachments = p.value("attachments").cloned();
    if key.chars().count() > MAX_KEY {
        p.reject(format!("at /sessionKey: must NOT have more than {MAX_KEY} characters"));
    }
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let message = clean_message(&message)?;
    let images = crate::attachments::images(attachments.as_ref()).map_err(|e| ErrorShape::invalid_params("chat.send", e))?;
    let hints = if suppressed {
        Default::default()
    } else {
        match gateway.chat_command(client, &session_key, &agent_id, &message, &run_id).await {
            Commanded::Answered(reply) => return Ok(reply),
            Commanded::Agent(hints) => hints,
        }
    };
    let mut request = TurnRequest {
        run_id,
        session_key,
        agent_id,
        message,
        images,
        entry: Entry::Chat,
        surface: "webchat".into(),
        sender_id: Some(client.client_id.clone()),
        sender_is_owner: client.is_admin(),
        scopes: client.scopes.clone(),
        model: None,
        thinking,
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: timeout.map_or_else(|| gateway.turn_timeout(), Duration::from_millis),
    };
    request.take_hints(hints);
    start(gateway, request, "chat.send").await
}

/// Accepts a message durably, then runs it in the background. Shared by every method that starts a chat run.
pub(super) async fn start(gateway: &Arc<Gateway>, request: TurnRequest, method: &str) -> Answer {
    match gateway.accept(&request, method).await.map_err(internal)? {
        Accepted::New(ticket, mut pledge) => {
            let run_id = ticket.run_id.clone();
            let runtime = gateway.host.runtime.clone();
            tokio::spawn(chela_agent::turn::run(runtime, request, ticket));
            pledge.kept().await.map_err(internal)?;
            Ok(json!({"runId": run_id, "status": "started"}))
        }
        Accepted::InFlight(run_id) => Ok(json!({"runId": run_id, "status": "in_flight"})),
        Accepted::Finished(outcome) => Ok(json!({"runId": outcome.run_id, "status": outcome.status.as_str()})),
    }
}

/// GW-81: composed characters, no NUL, no other control characters.
pub(super) fn clean_message(message: &str) -> Result<String, ErrorShape> {
    if message.contains('\0') {
        return Err(ErrorShape::invalid_params("chat.send", "message must not contain null bytes"));
    }
    let composed = icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(message);
    Ok(composed.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r')).collect())
}

/// The conversation as a person sees it (GW-86).
pub(super) async fn history(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("chat.history", params, &["sessionKey", "limit", "maxChars"])?;
    let (key, limit, max_chars) = (p.text("sessionKey"), p.optional_count("limit"), p.optional_count("maxChars"));
    p.done()?;
    let (session_key, _) = gateway.route(&key, None)?;
    let Some(row) = gateway.host.runtime.store.session(&session_key).await.map_err(internal)? else {
        return Ok(json!({"sessionKey": session_key, "messages": []}));
    };
    let limit = limit.unwrap_or(HISTORY_DEFAULT).clamp(1, 1000) as usize;
    let query = EntryQuery { limit: Some(limit), ..EntryQuery::default() };
    let entries = gateway.host.runtime.store.entries(&row.session_id, query).await.map_err(internal)?;
    let messages = history::shown(&entries, row.message_count, HistoryLimits::of(gateway, max_chars));
    let thinking = row.extra.get("thinkingLevel").cloned().unwrap_or_else(|| "off".into());
    Ok(json!({"sessionKey": session_key, "sessionId": row.session_id, "messages": messages, "thinkingLevel": thinking}))
}

/// Aborts one run, or all runs of a session (GW-85).
pub(super) fn abort(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("chat.abort", params, &["sessionKey", "runId"])?;
    let (key, run_id) = (p.text("sessionKey"), p.optional_text("runId"));
    p.done()?;
    let (session_key, _) = gateway.route(&key, None)?;
    let runs = &gateway.host.runtime.runs;
    let ids = match run_id {
        Some(id) => {
            if runs.session_of(&id).is_some_and(|s| s != session_key) {
                return Err(ErrorShape::invalid_params("chat.abort", "runId does not match sessionKey"));
            }
            if runs.abort_run(&id) { vec![id] } else { Vec::new() }
        }
        None => runs.abort_session(&session_key),
    };
    Ok(json!({"ok": true, "aborted": !ids.is_empty(), "runIds": ids}))
}

/// Puts an assistant message into a transcript without a run.
pub(super) async fn inject(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("chat.inject", params, &["sessionKey", "message", "label"])?;
    let (key, text, label) = (p.text("sessionKey"), p.text("message"), p.optional_text("label"));
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let store = &gateway.host.runtime.store;
    let opened = store.open_session(&session_key, &agent_id, OpenReason::System).await.map_err(internal)?;
    let text = label.map_or_else(|| text.clone(), |label| format!("[{label}]\n\n{text}"));
    let message = json!({
        "role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now_ms(), "stopReason": "stop",
        "usage": chela_agent::message::usage(&Default::default()), "api": "openai-responses", "provider": "openclaw", "model": "gateway-injected",
    });
    let metas = store.append(&opened.row.session_id, vec![NewEntry::message(message.clone())]).await.map_err(internal)?;
    let id = metas.into_iter().next().map(|m| m.id).unwrap_or_default();
    gateway.announce_injected(&session_key, &id, message);
    Ok(ok_with(json!({"messageId": id})))
}
