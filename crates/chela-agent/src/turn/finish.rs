//! The end of a turn: `agent_end`, `llm_output`, the session row, delivery hooks (HOOK-023, HOOK-024, HOOK-131, HOOK-159).

use chela_plugin::HookName;
use chela_store::RowUpdate;
use serde_json::{Map, Value, json};

use super::{Entry, Reply, TurnScope, write};
use crate::clock::now_ms;
use crate::event::{RunOutcome, RunStatus};
use crate::message::{self, AssistantFacts};

/// The token that means "say nothing" (HOOK-152).
const SILENT: &str = "NO_REPLY";

/// Ends a turn that a step answered in place of the model.
pub(super) async fn reply(scope: &mut TurnScope<'_>, reply: Reply) -> RunStatus {
    let failed = reply.error.is_some() && !reply.blocked;
    scope.text = reply.text.clone();
    if let Some(error) = reply.error {
        scope.fail(error);
    }
    if let (Some(text), false) = (reply.text.filter(|t| t.trim() != SILENT), scope.blocked)
        && scope.session.is_some()
        && let Err(error) = write_reply(scope, &text).await
    {
        scope.fail(error);
        return RunStatus::Error;
    }
    if failed { RunStatus::Error } else { RunStatus::Ok }
}

async fn write_reply(scope: &mut TurnScope<'_>, text: &str) -> Result<(), String> {
    let facts = AssistantFacts { api: "chela", provider: "chela", model: "plugin-reply", usage: scope.usage, stop: "stop", error: None };
    let message = message::assistant(text, &[], &[], &facts, now_ms());
    let metas = write::append(scope, vec![message], write::Closing::default()).await.map_err(|e| e.to_string())?;
    scope.message_id = metas.into_iter().flatten().next().map(|m| m.id);
    Ok(())
}

/// Closes the turn and returns its outcome.
pub(super) async fn finish(scope: &mut TurnScope<'_>, status: RunStatus) -> RunOutcome {
    let success = status == RunStatus::Ok && !scope.blocked;
    if !std::mem::replace(&mut scope.announced, true) {
        if scope.session.is_some() {
            announce_end(scope, success);
        }
        if scope.model_called && !scope.blocked {
            announce_output(scope);
        }
    }
    if scope.text.as_deref().map(str::trim) == Some(SILENT) {
        scope.text = None;
    }
    update_row(scope, status).await;
    if scope.request.entry == Entry::Channel {
        deliver_hooks(scope).await;
    }
    scope.outcome(status)
}

fn announce_end(scope: &TurnScope<'_>, success: bool) {
    let duration = now_ms() - scope.started_at_ms;
    scope.hooks().spawn_parallel(HookName::AgentEnd, || {
        let mut messages = scope.history.to_vec();
        messages.extend(scope.written.iter().cloned());
        let mut event = json!({"messages": messages, "success": success, "durationMs": duration, "runId": scope.run_id()});
        if let Some(error) = scope.error.as_ref().filter(|_| !success) {
            event["error"] = error.clone().into();
        }
        (event, scope.outcome_context())
    });
}

/// HOOK-059.
fn announce_output(scope: &TurnScope<'_>) {
    let (provider, model) = scope.model.clone().unwrap_or_default();
    let usage = scope.usage;
    scope.hooks().spawn_parallel(HookName::LlmOutput, || {
        let last = scope.written.iter().rev().find(|m| m["role"] == "assistant");
        let texts: Vec<String> =
            scope.written.iter().filter(|m| m["role"] == "assistant").map(message::text_of).filter(|t| !t.is_empty()).collect();
        let mut event = json!({
            "runId": scope.run_id(), "sessionId": scope.session_id(), "provider": provider, "model": model,
            "resolvedRef": format!("{provider}/{model}"), "harnessId": scope.harness.as_deref().unwrap_or(crate::harness::BUILTIN), "prompt": scope.message, "assistantTexts": texts,
        });
        if let Some(last) = last {
            event["lastAssistant"] = last.clone();
        }
        scope.put_window(&mut event);
        scope.put_effort(&mut event);
        // Counts that nobody reported are absent, not zero.
        let counts = [
            ("input", usage.input),
            ("output", usage.output),
            ("cacheRead", usage.cache_read),
            ("cacheWrite", usage.cache_write),
            ("total", usage.total),
        ];
        let known: Map<String, Value> = counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.into(), n.into())).collect();
        if !known.is_empty() {
            event["usage"] = known.into();
        }
        let mut ctx = scope.outcome_context();
        scope.put_window(&mut ctx);
        (event, ctx)
    });
}

/// Writes the end into the session row, unless the answer's own commit did.
async fn update_row(scope: &mut TurnScope<'_>, status: RunStatus) {
    if scope.session.is_none() || scope.row_closed {
        return;
    }
    let update = closing(scope, status);
    match scope.runtime.store.update_session(scope.session_key(), update).await {
        Ok(row) => scope.session = Some(row),
        Err(error) => tracing::error!(session = scope.session_key(), %error, "the session row could not be updated after a run"),
    }
}

/// The row of a session whose run has ended.
pub(super) fn closing(scope: &TurnScope<'_>, status: RunStatus) -> RowUpdate {
    let (usage, context, model) = (scope.usage, scope.context_tokens, scope.model.clone());
    let (started, ended) = (scope.started_at_ms, now_ms());
    let (called, window) = (scope.model_called, scope.window);
    Box::new(move |row| {
        row.status = Some(row_status(status).into());
        row.started_at_ms = Some(started);
        row.ended_at_ms = Some(ended);
        row.runtime_ms = Some(ended - started);
        row.updated_at_ms = ended;
        row.extra.insert("abortedLastRun".into(), Value::Bool(status == RunStatus::Aborted));
        row.extra.insert("systemSent".into(), Value::Bool(true));
        if called {
            row.input_tokens = Some(usage.input);
            row.output_tokens = Some(usage.output);
            row.total_tokens = Some(context);
            row.extra.insert("cacheRead".into(), usage.cache_read.into());
            row.extra.insert("cacheWrite".into(), usage.cache_write.into());
            row.extra.insert("totalTokensFresh".into(), Value::Bool(context > 0));
            row.context_tokens = window.or(row.context_tokens);
        }
        if let Some((provider, model)) = model {
            row.model_provider = Some(provider);
            row.model = Some(model);
        }
    })
}

/// The words of `sessions.json` (GW-150).
fn row_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Ok => "done",
        RunStatus::Error => "failed",
        RunStatus::Timeout => "timeout",
        RunStatus::Aborted => "killed",
    }
}

/// `message_sending`, then `message_sent`; a chat in the web page passes neither (HOOK-134, HOOK-215).
async fn deliver_hooks(scope: &mut TurnScope<'_>) {
    if scope.delivery_denied(scope.session.as_ref()) {
        scope.text = None;
    }
    let Some(text) = scope.text.clone().filter(|t| !t.is_empty()) else { return };
    let inbound = scope.request.inbound.clone();
    let to = inbound.as_ref().and_then(|i| i.conversation()).unwrap_or_else(|| scope.request.session_key.clone());
    let event = || (json!({"to": to, "content": text}), scope.message_context());
    let merged = scope.hooks().dispatch_with(HookName::MessageSending, scope.options(), event).await.merged;
    if merged.get("cancel") == Some(&Value::Bool(true)) {
        scope.text = None;
        return;
    }
    if let Some(content) = merged.get("content").and_then(Value::as_str) {
        scope.text = Some(content.to_string());
    }
    // Only the channel knows whether its answer arrived: it says so when it has tried (HOOK-219).
    if inbound.is_some() {
        return;
    }
    let sent = scope.text.clone().unwrap_or_default();
    scope.hooks().spawn_parallel(HookName::MessageSent, || {
        (json!({"to": to, "content": sent, "success": true, "sessionKey": to, "runId": scope.run_id()}), scope.message_context())
    });
}
