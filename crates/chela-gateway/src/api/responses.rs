//! `POST /v1/responses`, whole and streamed (GW-114).

mod input;
mod remembered;
mod stream;

use std::sync::Arc;

use chela_agent::{RunOutcome, RunStatus};
use hyper::StatusCode;
use serde_json::{Value, json};

use super::openai::{self, Asked};
use crate::gateway::Gateway;
use crate::http::{HttpCall, HttpReply};

pub(crate) use remembered::Remembered;

/// What is the same in every part of an answer.
#[derive(Clone)]
struct Head {
    id: String,
    /// Of the message in the answer.
    item: String,
    /// As it was asked for.
    model: String,
    created: i64,
}

/// A request, read.
struct Request {
    head: Head,
    stream: bool,
    turn: chela_agent::TurnRequest,
    scope: remembered::Scope,
}

/// Serves one request.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> HttpReply {
    let request = match read(gateway, &call) {
        Ok(request) => request,
        Err(message) => return HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", message),
    };
    let (ticket, mut pledge) = match openai::accept(gateway, &request.turn, "responses").await {
        Ok(accepted) => accepted,
        Err(refused) => return refused,
    };
    let Request { head, stream, turn, scope } = request;
    // A failed answer can be gone on from as well: what was said is in the session.
    gateway.responses.keep(&head.id, scope, &turn.session_key);
    let tapped = stream.then(|| stream::tap(gateway, &turn.run_id));
    let (runtime, run_id) = (gateway.host.runtime.clone(), turn.run_id.clone());
    let events = gateway.events.clone();
    // The run belongs to the gateway: it goes on when the caller leaves, like every other run.
    let run = tokio::spawn(async move {
        let outcome = chela_agent::turn::run(runtime, turn, ticket).await;
        events.untap(&run_id);
        outcome
    });
    // The head of the answer acknowledges the message.
    if let Err(error) = pledge.kept().await {
        return HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", error.to_string());
    }
    drop(pledge);
    if let Some(deltas) = tapped {
        return stream::reply(head, deltas, run);
    }
    match run.await {
        Ok(outcome) => whole(&head, &outcome),
        Err(_) => HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the run ended unexpectedly"),
    }
}

fn read(gateway: &Gateway, call: &HttpCall) -> Result<Request, String> {
    let body: Value = serde_json::from_slice(&call.body).map_err(|e| format!("Invalid JSON body: {e}"))?;
    let model = body.get("model").and_then(Value::as_str).ok_or("model: a text is required")?.to_owned();
    let agent = openai::agent_of_call(gateway, call, &model)?;
    let scope = remembered::Scope::of(call, &agent);
    let previous = body.get("previous_response_id").and_then(Value::as_str).and_then(|id| gateway.responses.session_of(id, &scope));
    let session_key = match previous {
        Some(key) => key,
        None => openai::session_of(call, &agent, body.get("user").and_then(Value::as_str), "openresponses")?,
    };
    let given = input::read(&body)?;
    let head = Head {
        id: format!("resp_{}", uuid::Uuid::new_v4()),
        item: format!("msg_{}", uuid::Uuid::new_v4()),
        model,
        created: chela_agent::clock::now_ms() / 1000,
    };
    let asked = Asked {
        run_id: head.id.clone(),
        agent,
        session_key,
        prompt: given.prompt,
        images: given.images,
        system: given.system,
        client_tools: given.tools,
    };
    Ok(Request { stream: body.get("stream") == Some(&Value::Bool(true)), turn: openai::turn(gateway, call, asked), head, scope })
}

fn whole(head: &Head, outcome: &RunOutcome) -> HttpReply {
    let status = match (outcome.status, outcome.stop_reason.as_str()) {
        (RunStatus::Ok, _) => StatusCode::OK,
        (_, "tool_conflict") => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    HttpReply::json(status, &finished(head, outcome, &outcome.text.clone().unwrap_or_default()))
}

/// The whole answer; `text` is what was said.
fn finished(head: &Head, outcome: &RunOutcome, text: &str) -> Value {
    if outcome.status != RunStatus::Ok {
        let code = if outcome.stop_reason == "tool_conflict" { "invalid_request_error" } else { "api_error" };
        let message = outcome.error.clone().unwrap_or_else(|| "the run failed".into());
        let mut answer = response(head, "failed", json!([]), Some(outcome));
        answer["error"] = json!({"code": code, "message": message});
        return answer;
    }
    let calls = calls(outcome);
    let said = (!text.is_empty() || calls.is_empty()).then(|| message(head, text, Some(phase(outcome)), "completed"));
    let output: Vec<Value> = said.into_iter().chain(calls).collect();
    response(head, if outcome.pending_calls.is_empty() { "completed" } else { "incomplete" }, output.into(), Some(outcome))
}

fn response(head: &Head, status: &str, output: Value, outcome: Option<&RunOutcome>) -> Value {
    let (input, said) = outcome.map_or((0, 0), |o| (o.usage.input + o.usage.cache_read + o.usage.cache_write, o.usage.output));
    json!({
        "id": head.id, "object": "response", "created_at": head.created, "status": status, "model": head.model, "output": output,
        "usage": {"input_tokens": input, "output_tokens": said, "total_tokens": input + said},
    })
}

fn message(head: &Head, text: &str, phase: Option<&str>, status: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text}]);
    let mut item = json!({"type": "message", "id": head.item, "role": "assistant", "content": content, "status": status});
    if let Some(phase) = phase {
        item["phase"] = phase.into();
    }
    item
}

/// What is said before a call of the caller's tools is no answer yet.
fn phase(outcome: &RunOutcome) -> &'static str {
    if outcome.pending_calls.is_empty() { "final_answer" } else { "commentary" }
}

/// The calls that the caller has to make, as items.
fn calls(outcome: &RunOutcome) -> Vec<Value> {
    let item = |call: &chela_models::ToolCall| {
        json!({
            "type": "function_call", "id": format!("call_{}", uuid::Uuid::new_v4()), "call_id": call.id, "name": call.name,
            "arguments": call.arguments.to_string(), "status": "completed",
        })
    };
    outcome.pending_calls.iter().map(item).collect()
}
