//! `api.runtime.llm` (RT-057..069).

use chela_models::{ChatMessage, ModelEvent, ModelRef, ModelRequest};
use chela_plugin::CallError;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.llm.complete" => complete(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

fn refuse(reason: impl std::fmt::Display) -> CallError {
    CallError::refused("LLM_FAILED", format!("Plugin LLM completion failed: {reason}"))
}

/// One completion outside any session: no transcript, no agent hooks (RT-067).
async fn complete(request: &Request<'_>) -> Reply {
    let params = &request.params;
    let snapshot = request.host.manager.snapshot();
    let policy = snapshot.get(request.plugin).map(|p| p.policy.llm.clone()).unwrap_or_default();
    let runtime = &request.host.runtime;
    let default_agent = runtime.settings().agents.default_id.clone();
    let agent = match request.optional("agentId") {
        Some(agent) if policy.allow_agent_id_override == Some(true) => agent.to_string(),
        Some(_) => return Err(refuse("agentId needs `llm.allowAgentIdOverride`")),
        None => default_agent,
    };
    let model = match request.optional("model") {
        Some(text) => allowed_model(text, &policy)?,
        None => runtime.default_model(&agent),
    };
    let resolved = runtime.models().resolve(&model).map_err(refuse)?;
    let mut call = ModelRequest::new(resolved.model.clone());
    let (system, messages) = messages_of(params)?;
    call.system = system;
    call.messages = messages;
    call.agent_id = Some(agent.clone());
    call.max_tokens = params.get("maxTokens").and_then(Value::as_f64).filter(|n| n.is_finite() && *n >= 1.0).map(|n| n as u32);
    call.temperature = params.get("temperature").and_then(Value::as_f64).filter(|n| n.is_finite());
    let mut stream = resolved.transport.stream(call, CancellationToken::new()).await.map_err(refuse)?;
    let (mut text, mut usage) = (String::new(), chela_models::Usage::default());
    while let Some(event) = stream.next().await {
        match event.map_err(refuse)? {
            ModelEvent::TextDelta(delta) => text.push_str(&delta),
            ModelEvent::Usage(u) | ModelEvent::Done { usage: u, .. } => usage = u,
            _ => {}
        }
    }
    Ok(json!({
        "text": text, "provider": resolved.model.provider, "model": resolved.model.model, "agentId": agent,
        "usage": {"inputTokens": usage.input, "outputTokens": usage.output, "cacheReadTokens": usage.cache_read, "cacheWriteTokens": usage.cache_write, "totalTokens": usage.total},
        "audit": {"caller": {"kind": "plugin", "id": request.plugin}, "purpose": request.optional("purpose")},
    }))
}

/// RT-065, RT-066: any named model needs the operator's permission.
fn allowed_model(text: &str, policy: &chela_catalog::policy::LlmPolicy) -> Result<ModelRef, CallError> {
    if policy.allow_model_override != Some(true) {
        return Err(refuse("a model override needs `llm.allowModelOverride`"));
    }
    let model = ModelRef::parse(text).map_err(refuse)?;
    match &policy.allowed_models {
        Some(list) if !list.iter().any(|m| m == "*" || *m == model.key()) => {
            Err(refuse(format!("`{}` is not in `llm.allowedModels`", model.key())))
        }
        _ => Ok(model),
    }
}

/// RT-058.
fn messages_of(params: &Value) -> Result<(Option<String>, Vec<ChatMessage>), CallError> {
    let mut system: Vec<String> = params.get("systemPrompt").and_then(Value::as_str).map(str::to_string).into_iter().collect();
    let mut messages = Vec::new();
    for message in params.get("messages").and_then(Value::as_array).into_iter().flatten() {
        let text = message.get("content").and_then(Value::as_str).unwrap_or_default();
        match message.get("role").and_then(Value::as_str) {
            Some("system") => system.push(text.into()),
            Some("assistant") => messages.push(ChatMessage::assistant(text)),
            Some("user") => messages.push(ChatMessage::user(text)),
            other => return Err(refuse(format!("unknown role `{}`", other.unwrap_or("?")))),
        }
    }
    if messages.is_empty() {
        return Err(refuse("messages are empty"));
    }
    let joined = system.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect::<Vec<_>>().join("\n\n");
    Ok(((!joined.is_empty()).then_some(joined), messages))
}
