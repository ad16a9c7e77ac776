//! A turn that a plugin's harness runs in place of the built-in loop (HAR-34..HAR-54).

use std::sync::Arc;

use chela_plugin::HostFn;
use serde_json::{Value, json};

use super::prepare::Prepared;
use super::resolve::ChosenModel;
use super::{TurnError, TurnScope, finish, write};
use crate::clock::now_ms;
use crate::event::{RunEvent, RunStatus};
use crate::harness::{Attempt, Choice, Harness};
use crate::message::{self, AssistantFacts};

/// Runs the turn with whoever is chosen for its model.
pub(super) async fn run(scope: &mut TurnScope<'_>, chosen: ChosenModel, prepared: Prepared) -> Result<RunStatus, TurnError> {
    let model = chosen.resolved.model.clone();
    let registry = scope.registry().clone();
    let choice = crate::harness::select(scope.runtime, &registry, &scope.request.agent_id, &model.provider, &model.model, &scope.cancel);
    let harness = match choice.await {
        Ok(Choice::Builtin) => return super::model_loop::run(scope, chosen, prepared).await,
        Ok(Choice::Plugin(harness)) => harness,
        Err(error) => {
            write::user_message(scope).await?;
            scope.fail(error.to_string());
            return Ok(RunStatus::Error);
        }
    };
    super::model_loop::announce_input(scope, &prepared);
    write::user_message(scope).await?;
    scope.model_called = true;
    scope.harness = Some(harness.id.clone());
    let begun = std::time::Instant::now();
    let attempt = harness.run(params(scope, &chosen, &prepared), callbacks(scope), scope.request.timeout, &scope.cancel.clone()).await;
    let (failure, attempt) = match attempt {
        Ok(attempt) => (failure(&attempt), attempt),
        Err(error) => (Some(error.to_string()), Attempt::default()),
    };
    let result = match &failure {
        _ if attempt.aborted => "aborted",
        Some(_) => "error",
        None => "completed",
    };
    super::report::harness(scope, &harness.id, harness.plugin(), &model, result, begun);
    let plugin_ms = begun.elapsed().as_millis() as u64;
    tracing::debug!(target: "harness", harness = harness.id, run = scope.run_id(), ms = plugin_ms, error = failure, "an attempt has ended");
    if let Some(reason) = &failure
        && !attempt.aborted
        && !scope.cancel.is_cancelled()
        && let Some(next) = fall_back(scope, &chosen)
    {
        // HAR-34: never the built-in loop with the same model, but another model may answer.
        tracing::warn!(harness = harness.id, next = %next.resolved.model, "the harness did not answer, a fallback model does: {reason}");
        scope.harness = None;
        return super::model_loop::run(scope, next, prepared).await;
    }
    close(scope, &chosen, &harness, &attempt, failure).await
}

fn failure(attempt: &Attempt) -> Option<String> {
    let unclear = || attempt.classification.as_ref().map(|word| format!("its answer is {word}"));
    let late = || attempt.timed_out.then(|| "its time ran out".to_string());
    attempt.error.clone().or_else(late).or_else(unclear)
}

fn fall_back(scope: &mut TurnScope<'_>, chosen: &ChosenModel) -> Option<ChosenModel> {
    let (at, resolved) = chosen.fallbacks.iter().enumerate().find_map(|(at, model)| Some((at, chosen.models.resolve(model).ok()?)))?;
    scope.model = Some((resolved.model.provider.clone(), resolved.model.model.clone()));
    scope.window = resolved.entry.as_ref().map(|e| e.context_window);
    Some(ChosenModel {
        models: chosen.models.clone(),
        resolved,
        fallbacks: chosen.fallbacks[at + 1..].to_vec(),
        start_result: chosen.start_result.clone(),
    })
}

/// The facts of the turn (HAR-35).
fn params(scope: &TurnScope<'_>, chosen: &ChosenModel, prepared: &Prepared) -> Value {
    let (request, runtime) = (scope.request, scope.runtime);
    let messages: &[Value] = prepared.assembled.as_deref().unwrap_or(&scope.history);
    json!({
        "runId": request.run_id, "agentId": request.agent_id, "sessionId": scope.session_id(), "sessionKey": request.session_key,
        "sessionFile": scope.session.as_ref().map(|s| s.session_file.clone()), "workspaceDir": scope.workspace(),
        "agentDir": runtime.state_dir().join("agents").join(&request.agent_id).join("agent"), "config": runtime.config().public(),
        "provider": chosen.resolved.model.provider, "modelId": chosen.resolved.model.model, "prompt": prepared.prompt,
        "images": request.images, "systemPrompt": prepared.system, "extraSystemPrompt": request.extra_system_prompt, "messages": messages,
        "thinkLevel": scope.thinking_level().map(|t| t.as_str()), "timeoutMs": request.timeout.as_millis() as u64,
        "trigger": request.trigger, "messageProvider": request.surface, "contextTokenBudget": scope.window,
        "tools": prepared.tools.specs().iter().map(|t| json!({"name": t.name, "description": t.description, "parameters": t.parameters})).collect::<Vec<_>>(),
        "onPartialReply": null, "onAgentEvent": null,
    })
}

/// What the harness may tell while it runs.
fn callbacks(scope: &TurnScope<'_>) -> Vec<(&'static str, HostFn)> {
    let (sink, run, gate) = (scope.runtime.sink.clone(), scope.run_ref(), scope.gate.clone());
    let shown = Arc::new(std::sync::Mutex::new(String::new()));
    let partial: HostFn = Arc::new(move |args| {
        let (sink, run, gate, shown) = (sink.clone(), run.clone(), gate.clone(), shown.clone());
        Box::pin(async move {
            let whole = args.first().and_then(|p| p.get("text")).and_then(Value::as_str).unwrap_or_default().to_string();
            let mut shown = shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // A harness gives the text so far; clients get what is new.
            if let Some(delta) = whole.strip_prefix(shown.as_str()).filter(|d| !d.is_empty()) {
                gate.emit(&*sink, run, RunEvent::AssistantDelta { delta: delta.to_string() });
                *shown = whole;
            }
            Ok(Value::Null)
        })
    });
    let (sink, run, gate) = (scope.runtime.sink.clone(), scope.run_ref(), scope.gate.clone());
    let event: HostFn = Arc::new(move |args| {
        let (sink, run, gate) = (sink.clone(), run.clone(), gate.clone());
        Box::pin(async move {
            let event = args.into_iter().next().unwrap_or_default();
            if let Some(stream) = event.get("stream").and_then(Value::as_str).filter(|s| s.len() <= 128 && *s != "lifecycle") {
                let data = event.get("data").cloned().unwrap_or_default();
                gate.emit(&*sink, run, RunEvent::Custom { stream: stream.into(), data });
            }
            Ok(Value::Null)
        })
    });
    vec![("onPartialReply", partial), ("onAgentEvent", event)]
}

/// The answer into the transcript that the gateway owns (HAR-37).
async fn close(
    scope: &mut TurnScope<'_>,
    chosen: &ChosenModel,
    harness: &Harness,
    attempt: &Attempt,
    failure: Option<String>,
) -> Result<RunStatus, TurnError> {
    scope.usage = attempt.usage;
    scope.context_tokens = attempt.usage.input + attempt.usage.cache_read + attempt.usage.cache_write;
    let status = if attempt.aborted || scope.cancel.is_cancelled() {
        scope.stopped()
    } else if let Some(reason) = &failure {
        scope.stop_reason = "error";
        scope.error_kind = Some(if attempt.timed_out { "timeout" } else { "unknown" });
        scope.fail(format!("the agent runtime `{}` failed: {reason}", harness.id));
        RunStatus::Error
    } else {
        RunStatus::Ok
    };
    let text = crate::text_transforms::apply_one(scope.registry(), crate::text_transforms::Direction::Output, attempt.text.clone()).await;
    scope.text = (!text.is_empty()).then(|| text.clone());
    let error = scope.error.clone();
    let facts = AssistantFacts {
        api: &harness.id,
        provider: &chosen.resolved.model.provider,
        model: &chosen.resolved.model.model,
        usage: attempt.usage,
        stop: scope.stop_reason,
        error: error.as_deref(),
    };
    let message = (!text.is_empty() || status == RunStatus::Error).then(|| message::assistant(&text, &[], &[], &facts, now_ms()));
    let closing = write::Closing { row: Some(finish::closing(scope, status)), run: Some(crate::journal::finished(&scope.outcome(status))) };
    let metas = write::append(scope, message.into_iter().collect(), closing).await?;
    scope.recorded = true;
    scope.row_closed = true;
    scope.message_id = metas.into_iter().flatten().next().map(|m| m.id);
    Ok(status)
}
