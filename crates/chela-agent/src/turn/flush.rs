//! The silent round before a compaction, in which the agent keeps what must not be lost (API-238).
//!
//! The memory plugin says when and with which words. The round has the tools of the turn; nothing of it is shown or written into the
//! transcript, and its failure changes nothing.

use std::time::Duration;

use chela_models::{ChatMessage, ModelRef, ModelRequest};
use chela_plugin::Call;
use serde_json::{Value, json};

use super::TurnScope;
use super::resolve::ChosenModel;
use crate::clock::now_ms;
use crate::compaction::CompactionSettings;
use crate::message;
use crate::tools::{Caller, Confirm, Origin, ToolSet, execute};

/// Longest answer of the plugin that has the plan.
const PLAN_BUDGET: Duration = Duration::from_secs(5);
/// Longest round: the person waits for it.
const FLUSH_BUDGET: Duration = Duration::from_secs(60);
/// Most model calls of one round.
const MOST_CALLS: usize = 6;
/// Member of the session row: the compaction before which notes were last kept.
const FLUSHED_AT: &str = "memoryFlushCompactionCount";

struct Plan {
    soft_threshold: u64,
    reserve_floor: u64,
    force_bytes: u64,
    model: Option<ModelRef>,
    prompt: String,
    system: String,
    path: Option<String>,
}

impl Plan {
    /// The plugin's plan, under what the operator configured.
    fn read(plan: &Value, own: &Value) -> Option<Self> {
        let text = |key: &str| [own, plan].into_iter().find_map(|v| chela_plugin::value::text(v, key)).map(str::to_string);
        let number = |key: &str| [own, plan].into_iter().find_map(|v| v.get(key)?.as_u64());
        Some(Self {
            soft_threshold: number("softThresholdTokens").unwrap_or(4000),
            reserve_floor: number("reserveTokensFloor").unwrap_or(20_000),
            force_bytes: number("forceFlushTranscriptBytes").unwrap_or(u64::MAX),
            model: text("model").and_then(|name| ModelRef::parse(&name).ok()),
            prompt: text("prompt")?,
            system: text("systemPrompt")?,
            path: text("relativePath"),
        })
    }

    fn is_due(&self, tokens: u64, window: u64, bytes: u64) -> bool {
        // A small window cannot give the whole floor away.
        let room = window.saturating_sub(self.reserve_floor.min(window / 4)).saturating_sub(self.soft_threshold.min(window / 4));
        tokens > room || bytes >= self.force_bytes
    }
}

/// Runs the round when it is due, once before each compaction.
pub(super) async fn run(scope: &TurnScope<'_>, chosen: &ChosenModel, settings: &CompactionSettings, tokens: u64) {
    if settings.memory_flush.get("enabled") == Some(&Value::Bool(false)) || scope.history.is_empty() {
        return;
    }
    let Some(plan) = plan(scope, &settings.memory_flush).await else { return };
    let member = |name: &str| scope.session.as_ref().and_then(|s| s.extra.get(name)).and_then(Value::as_u64);
    let compactions = member(crate::compaction::COUNT).unwrap_or(0);
    let bytes = match scope.session.as_ref().map(|s| s.session_file.clone()) {
        Some(file) if plan.force_bytes != u64::MAX => tokio::fs::metadata(file).await.map(|m| m.len()).unwrap_or(0),
        _ => 0,
    };
    let window = scope.window.unwrap_or(crate::history::DEFAULT_CONTEXT_TOKENS);
    if member(FLUSHED_AT) == Some(compactions) || !plan.is_due(tokens, window, bytes) {
        return;
    }
    match tokio::time::timeout(FLUSH_BUDGET, round(scope, chosen, &plan)).await {
        Ok(Ok(calls)) => tracing::info!(session = scope.session_key(), calls, "notes were kept before a compaction"),
        Ok(Err(error)) => tracing::warn!(session = scope.session_key(), "notes could not be kept before a compaction: {error}"),
        Err(_) => tracing::warn!(session = scope.session_key(), "keeping notes before a compaction took too long"),
    }
    let update = move |row: &mut chela_store::SessionRow| {
        row.extra.insert(FLUSHED_AT.into(), compactions.into());
        row.extra.insert("memoryFlushAt".into(), now_ms().into());
    };
    if let Err(error) = scope.runtime.store.update_session(scope.session_key(), update).await {
        tracing::error!(session = scope.session_key(), %error, "the session row could not be updated after notes were kept");
    }
}

async fn plan(scope: &TurnScope<'_>, own: &Value) -> Option<Plan> {
    let resolver = scope.registry().memory_capability()?.flush_plan_resolver.clone()?;
    let params = json!({"cfg": chela_plugin::value::gateway_config(), "nowMs": now_ms()});
    let call = Call::new(vec![params]).budget(Some(PLAN_BUDGET)).cancelled_by(scope.cancel.clone());
    match resolver.call(call).await {
        Ok(plan) if plan.is_object() => Plan::read(&plan, own),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(target: "memory", plugin = %resolver.plugin_id, "no flush plan: {error}");
            None
        }
    }
}

/// Number of tool calls that were made.
async fn round(scope: &TurnScope<'_>, chosen: &ChosenModel, plan: &Plan) -> Result<usize, String> {
    let tools = ToolSet::resolve(scope).await;
    let (model, fallbacks) = match &plan.model {
        Some(model) => (chosen.models.resolve(model).map_err(|e| e.to_string())?.model, Vec::new()),
        None => (chosen.resolved.model.clone(), chosen.fallbacks.clone()),
    };
    let mut request = ModelRequest::new(model);
    let path = plan.path.as_ref().map(|path| format!("\nThe file for notes is `{path}` in the workspace."));
    request.system = Some(format!("{}{}", plan.system, path.unwrap_or_default()));
    request.messages = scope.history.iter().filter_map(message::to_chat).collect();
    request.messages.push(ChatMessage::user(plan.prompt.clone()));
    request.tools = tools.specs();
    request.agent_id = Some(scope.request.agent_id.clone());
    let mut made = 0;
    for _ in 0..MOST_CALLS {
        let (_, answer) = crate::llm::ask(&chosen.models, request.clone(), &fallbacks, &scope.cancel).await.map_err(|e| e.to_string())?;
        if answer.calls.is_empty() {
            break;
        }
        let caller = Caller {
            loops: None,
            runtime: scope.runtime,
            hooks: scope.hooks(),
            context: json!({
                "agentId": scope.request.agent_id, "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
                "runId": scope.run_id(), "memoryFlushWritePath": plan.path,
            }),
            trace: None,
            session_key: scope.session_key(),
            run_id: Some(scope.run_id()),
            cancel: &scope.cancel,
            on_update: None,
            announce_end: true,
            confirm: Confirm::Wait,
            origin: Origin::of(scope).await,
        };
        let calls = answer.calls.clone();
        request.messages.push(ChatMessage::Assistant { text: answer.text, tool_calls: answer.calls, thinking: answer.thinking });
        for call in &calls {
            let outcome = execute(&caller, &tools, call).await;
            let content = outcome.result.get("content").cloned().unwrap_or_else(|| json!([]));
            request.messages.extend(message::to_chat(&message::tool_result(call, content, None, outcome.is_error, now_ms())));
            made += 1;
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-238
    #[test]
    fn the_operator_has_the_last_word_and_small_windows_keep_room() {
        let plan = json!({"softThresholdTokens": 4000, "forceFlushTranscriptBytes": 100, "reserveTokensFloor": 20000, "prompt": "p",
            "systemPrompt": "s", "relativePath": "m.md"});
        let read = |own: Value| Plan::read(&plan, &own).unwrap();
        let plain = read(Value::Null);
        assert_eq!((plain.prompt.as_str(), plain.system.as_str(), plain.path.as_deref()), ("p", "s", Some("m.md")));
        assert!(!plain.is_due(176_000, 200_000, 99) && plain.is_due(176_001, 200_000, 99) && plain.is_due(1, 200_000, 100));
        assert!(!plain.is_due(4000, 8000, 0) && plain.is_due(4001, 8000, 0));
        let own = read(json!({"prompt": "mine", "softThresholdTokens": 1, "model": "a/b"}));
        assert_eq!((own.prompt.as_str(), own.soft_threshold, own.model.unwrap().key().as_str()), ("mine", 1, "a/b"));
        assert!(Plan::read(&json!({"prompt": "p"}), &Value::Null).is_none());
    }
}
