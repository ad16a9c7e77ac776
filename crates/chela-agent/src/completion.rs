//! One completion for a plugin, outside any session: no transcript, no agent hooks (RT-057..069).

#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

use chela_models::{ChatMessage, ModelCost, ModelRef, ModelRequest, Usage};
use chela_plugin::CallError;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::runtime::AgentRuntime;

/// The refusal of a completion.
pub fn refuse(reason: impl std::fmt::Display) -> CallError {
    CallError::refused("LLM_FAILED", format!("Plugin LLM completion failed: {reason}"))
}

/// What `plugins.entries.<id>.llm` allows a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rights {
    agent: bool,
    model: bool,
    models: Option<Vec<String>>,
}

impl Rights {
    fn of(runtime: &AgentRuntime, plugin: &str) -> Self {
        let config = runtime.config();
        let Some(llm) = config.get("plugins.entries").and_then(|all| all.get(plugin)?.get("llm")) else { return Self::default() };
        let on = |key: &str| llm.get(key) == Some(&Value::Bool(true));
        let models = llm.get("allowedModels").and_then(Value::as_array);
        let models = models.map(|list| list.iter().filter_map(Value::as_str).map(|m| m.trim().to_string()).collect());
        Self { agent: on("allowAgentIdOverride"), model: on("allowModelOverride"), models }
    }

    /// RT-065, RT-066: any named model needs the operator's permission.
    fn model(&self, text: &str) -> Result<ModelRef, CallError> {
        if !self.model {
            return Err(refuse("a model override needs `llm.allowModelOverride`"));
        }
        let model = ModelRef::parse(text).map_err(refuse)?;
        match &self.models {
            Some(list) if !list.iter().any(|m| m == "*" || *m == model.key()) => {
                Err(refuse(format!("`{}` is not in `llm.allowedModels`", model.key())))
            }
            _ => Ok(model),
        }
    }
}

/// The agent of a completion: the one that the plugin names, if it may.
///
/// # Errors
/// The refusal.
pub fn agent_of(runtime: &AgentRuntime, plugin: &str, params: &Value) -> Result<String, CallError> {
    match params.get("agentId").and_then(Value::as_str) {
        Some(agent) if Rights::of(runtime, plugin).agent => Ok(agent.to_string()),
        Some(_) => Err(refuse("agentId needs `llm.allowAgentIdOverride`")),
        None => Ok(runtime.settings().agents.default_id.clone()),
    }
}

/// Asks the agent's model, or the one that the plugin names, if it may.
///
/// # Errors
/// The refusal, or what the model said.
pub async fn complete(runtime: &AgentRuntime, plugin: &str, agent: &str, params: &Value, caller: Value) -> Result<Value, CallError> {
    let model = match params.get("model").and_then(Value::as_str) {
        Some(text) => Rights::of(runtime, plugin).model(text)?,
        None => runtime.default_model(agent),
    };
    let resolved = runtime.models().resolve(&model).map_err(refuse)?;
    let mut call = ModelRequest::new(resolved.model.clone());
    let (system, messages) = messages_of(params)?;
    call.system = system;
    call.messages = messages;
    call.agent_id = Some(agent.to_string());
    call.max_tokens = params.get("maxTokens").and_then(Value::as_f64).filter(|n| n.is_finite() && *n >= 1.0).map(|n| n as u32);
    call.temperature = params.get("temperature").and_then(Value::as_f64).filter(|n| n.is_finite());
    let stream = resolved.transport.stream(call, CancellationToken::new()).await.map_err(refuse)?;
    let answer = crate::llm::gather(stream).await.map_err(refuse)?;
    let usage = answer.usage;
    let mut told = json!({
        "inputTokens": usage.input, "outputTokens": usage.output, "cacheReadTokens": usage.cache_read,
        "cacheWriteTokens": usage.cache_write, "totalTokens": usage.total,
    });
    if let Some(cost) = resolved.entry.as_ref().and_then(|entry| estimated(&entry.cost, &usage)) {
        told["costUsd"] = cost.into();
    }
    Ok(json!({
        "text": answer.text, "provider": resolved.model.provider, "model": resolved.model.model, "agentId": agent,
        "usage": told,
        "audit": {"caller": caller, "purpose": params.get("purpose").and_then(Value::as_str)},
    }))
}

/// What an answer cost by the prices of the model, which are US dollars for a million tokens (RT-061); nothing without prices.
pub fn estimated(price: &ModelCost, usage: &Usage) -> Option<f64> {
    let parts = [
        (price.input, usage.input),
        (price.output, usage.output),
        (price.cache_read, usage.cache_read),
        (price.cache_write, usage.cache_write),
    ];
    let priced = parts.iter().any(|(price, _)| *price > 0.0);
    #[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    let sum = parts.iter().map(|(price, tokens)| price * *tokens as f64).sum::<f64>();
    priced.then_some(sum / 1_000_000.0)
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
