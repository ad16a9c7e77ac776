//! `POST /v1/chat/completions`, whole and streamed (GW-107..GW-112).

use std::sync::Arc;

use chela_agent::{RunOutcome, RunStatus, TurnRequest};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::client_tools;
use super::openai::{self, Asked};
use crate::attachments::split_data_url;
use crate::gateway::Gateway;
use crate::http::{HttpCall, HttpReply};

/// Images of one request (GW-110).
const MAX_IMAGES: usize = 8;

struct Completion {
    id: String,
    model: String,
    created: i64,
    stream: bool,
    include_usage: bool,
    turn: TurnRequest,
}

/// Serves one request.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> HttpReply {
    let completion = match read(gateway, &call) {
        Ok(completion) => completion,
        Err(message) => return HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", message),
    };
    let (ticket, mut pledge) = match openai::accept(gateway, &completion.turn, "chat.completions").await {
        Ok(accepted) => accepted,
        Err(refused) => return refused,
    };
    let runtime = gateway.host.runtime.clone();
    if completion.stream {
        // The head of the answer acknowledges the message.
        return match pledge.kept().await {
            Ok(()) => streamed(gateway, completion, ticket),
            Err(error) => HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", error.to_string()),
        };
    }
    // The run belongs to the gateway: it goes on when the caller leaves, like every other run.
    let run = tokio::spawn(chela_agent::turn::run(runtime, completion.turn.clone(), ticket));
    if let Err(error) = pledge.kept().await {
        return HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", error.to_string());
    }
    drop(pledge);
    match run.await {
        Ok(outcome) => whole(&completion, &outcome),
        Err(_) => HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the run ended unexpectedly"),
    }
}

fn whole(completion: &Completion, outcome: &RunOutcome) -> HttpReply {
    if outcome.status != RunStatus::Ok {
        if outcome.stop_reason == "tool_conflict" {
            return HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", outcome.error.clone().unwrap_or_default());
        }
        let text = outcome.error.clone().unwrap_or_else(|| "the run failed".into());
        return HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "api_error", text);
    }
    let mut message = json!({"role": "assistant", "content": outcome.text.clone().unwrap_or_default()});
    if !outcome.pending_calls.is_empty() {
        message["tool_calls"] = outcome.pending_calls.iter().map(client_tools::whole).collect();
    }
    let body = json!({
        "id": completion.id, "object": "chat.completion", "created": completion.created, "model": completion.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(outcome)}],
        "usage": usage(outcome),
    });
    HttpReply::json(StatusCode::OK, &body)
}

fn finish_reason(outcome: &RunOutcome) -> &'static str {
    if outcome.pending_calls.is_empty() { "stop" } else { "tool_calls" }
}

fn usage(outcome: &RunOutcome) -> Value {
    let input = outcome.usage.input + outcome.usage.cache_read + outcome.usage.cache_write;
    json!({"prompt_tokens": input, "completion_tokens": outcome.usage.output, "total_tokens": input + outcome.usage.output})
}

/// Role chunk, content chunks, finish chunk, usage chunk if asked for, `[DONE]` (GW-108).
fn streamed(gateway: &Arc<Gateway>, completion: Completion, ticket: chela_agent::RunTicket) -> HttpReply {
    let (sender, receiver) = mpsc::unbounded_channel::<String>();
    let run_id = completion.turn.run_id.clone();
    let events = gateway.events.clone();
    events.tap(&run_id, sender);
    let runtime = gateway.host.runtime.clone();
    let head = json!({"id": completion.id, "object": "chat.completion.chunk", "created": completion.created, "model": completion.model});
    let chunk = move |delta: Value, finish: Option<&str>| {
        let mut chunk = head.clone();
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        format!("data: {chunk}\n\n")
    };
    let first = chunk(json!({"role": "assistant"}), None);
    let (include_usage, usage_head) = (
        completion.include_usage,
        json!({"id": completion.id, "object": "chat.completion.chunk", "created": completion.created, "model": completion.model}),
    );
    let (done_sender, mut done) = mpsc::channel::<Arc<RunOutcome>>(1);
    let turn = completion.turn;
    tokio::spawn(async move {
        let outcome = chela_agent::turn::run(runtime, turn, ticket).await;
        events.untap(&run_id);
        let _ = done_sender.send(outcome).await;
    });
    let deltas = {
        let chunk = chunk.clone();
        let mut receiver = receiver;
        let mut any = false;
        openai::event_stream(move |out| {
            Box::pin(async move {
                let _ = out.send(first).await;
                while let Some(delta) = receiver.recv().await {
                    any = true;
                    if out.send(chunk(json!({"content": delta}), None)).await.is_err() {
                        return;
                    }
                }
                let Some(outcome) = done.recv().await else { return };
                if let (false, Some(text)) = (any, &outcome.text) {
                    let _ = out.send(chunk(json!({"content": text}), None)).await;
                }
                for (at, call) in outcome.pending_calls.iter().enumerate() {
                    for delta in client_tools::deltas(at, call) {
                        let _ = out.send(chunk(json!({"tool_calls": [delta]}), None)).await;
                    }
                }
                if outcome.status == RunStatus::Ok {
                    let _ = out.send(chunk(json!({}), Some(finish_reason(&outcome)))).await;
                } else {
                    let error = json!({"error": {"message": outcome.error, "type": "api_error"}});
                    let _ = out.send(format!("data: {error}\n\n")).await;
                }
                if include_usage {
                    let mut tail = usage_head;
                    tail["choices"] = json!([]);
                    tail["usage"] = usage(&outcome);
                    let _ = out.send(format!("data: {tail}\n\n")).await;
                }
                let _ = out.send("data: [DONE]\n\n".to_string()).await;
            })
        })
    };
    HttpReply::event_stream(deltas)
}

fn read(gateway: &Gateway, call: &HttpCall) -> Result<Completion, String> {
    let body: Value = serde_json::from_slice(&call.body).map_err(|e| format!("Invalid JSON body: {e}"))?;
    let model = body.get("model").and_then(Value::as_str).unwrap_or("openclaw").to_string();
    let agent = openai::agent_of_call(gateway, call, &model)?;
    let client_tools = client_tools::read(&body).map_err(|e| format!("Invalid tools/tool_choice: {e}"))?;
    let conversation = Conversation::read(&body)?;
    let session_key = openai::session_of(call, &agent, body.get("user").and_then(Value::as_str), "openai")?;
    let id = format!("chatcmpl_{}", uuid::Uuid::new_v4());
    let asked = Asked {
        run_id: id.clone(),
        agent,
        session_key,
        prompt: conversation.prompt,
        images: conversation.images,
        system: conversation.system,
        client_tools,
    };
    Ok(Completion {
        stream: body.get("stream") == Some(&Value::Bool(true)),
        include_usage: body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        created: chela_agent::clock::now_ms() / 1000,
        turn: openai::turn(gateway, call, asked),
        id,
        model,
    })
}

/// The caller's messages as one prompt: the last message of the user or of a tool, and what came before as context.
struct Conversation {
    prompt: String,
    system: Option<String>,
    images: Vec<Value>,
}

impl Conversation {
    fn read(body: &Value) -> Result<Self, String> {
        let messages = body.get("messages").and_then(Value::as_array).filter(|m| !m.is_empty()).ok_or("Missing `messages`.")?;
        let mut system = Vec::new();
        let mut entries: Vec<(bool, String, String)> = Vec::new();
        let mut images = Vec::new();
        for message in messages {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let (text, own_images) = content(message.get("content").unwrap_or(&Value::Null))?;
            match role {
                "system" | "developer" => system.push(text),
                "user" => {
                    images = own_images;
                    entries.push((true, role.into(), text));
                }
                "assistant" => entries.push((false, role.into(), client_tools::with_calls(&text, message))),
                "tool" | "function" => {
                    // What a tool found out answers itself; images before it have been seen.
                    images = Vec::new();
                    entries.push((true, client_tools::speaker(message), text));
                }
                other => return Err(format!("unknown message role `{other}`")),
            }
        }
        let prompt = openai::prompt_of(&entries, !images.is_empty()).ok_or("Missing user message in `messages`.")?;
        Ok(Self { prompt, system: (!system.is_empty()).then(|| system.join("\n\n")), images })
    }
}

fn content(value: &Value) -> Result<(String, Vec<Value>), String> {
    let parts = match value {
        Value::String(text) => return Ok((text.clone(), Vec::new())),
        Value::Array(parts) => parts,
        _ => return Ok((String::new(), Vec::new())),
    };
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match part.get("type").and_then(Value::as_str) {
            Some("text" | "input_text") => texts.push(part["text"].as_str().unwrap_or_default().to_string()),
            Some("image_url") => images.push(image(part.pointer("/image_url/url").and_then(Value::as_str).unwrap_or_default())?),
            other => return Err(format!("content parts of type `{}` are not supported", other.unwrap_or("?"))),
        }
    }
    if images.len() > MAX_IMAGES {
        return Err(format!("at most {MAX_IMAGES} images in one request"));
    }
    Ok((texts.join("\n"), images))
}

/// Only data URLs: fetching a stranger's URL from here is not built (GW-115 asks for guards around it).
fn image(url: &str) -> Result<Value, String> {
    let Some((mime, data)) = split_data_url(url) else { return Err("images by URL are not built yet; send them as `data:` URLs".into()) };
    Ok(json!({"type": "image", "data": data, "mimeType": mime}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_user_message_is_the_prompt_and_the_rest_is_context() {
        let body = json!({"messages": [
            {"role": "system", "content": "be brief"}, {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "text", "text": "three"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
        ]});
        let c = Conversation::read(&body).unwrap();
        assert_eq!(c.system.as_deref(), Some("be brief"));
        assert!(c.prompt.ends_with("Current message:\nthree") && c.prompt.contains("assistant: two"));
        assert_eq!(c.images.len(), 1);
        assert!(Conversation::read(&json!({"messages": [{"role": "system", "content": "x"}]})).is_err());
        assert!(Conversation::read(&json!({})).is_err());
    }

    // GW-109
    #[test]
    fn results_of_the_callers_tools_are_the_current_message() {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}});
        let body = json!({"messages": [
            {"role": "user", "content": "How is it in Oslo?"}, {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        ]});
        let prompt = Conversation::read(&body).unwrap().prompt;
        assert!(prompt.ends_with("Current message:\ntool c1: rain"), "{prompt}");
        assert!(prompt.contains("called `weather` as c1 with {\"city\":\"Oslo\"}"), "{prompt}");
    }
}
