//! Model and tools, until the model has nothing more to call.

use std::sync::Arc;

use chela_models::{ChatMessage, ErrorKind, ModelRef, ModelRequest, StopReason, ToolCall};
use chela_plugin::HookName;
use futures::future::join_all;
use serde_json::{Value, json};

use super::prepare::Prepared;
use super::resolve::ChosenModel;
use super::{TurnError, TurnScope, finalize, finish, steer, write};
use crate::clock::now_ms;
use crate::event::{RunEvent, RunStatus};
use crate::message::{self, AssistantFacts};
use crate::model_call::{self, Answer, CallEnd};
use crate::tools::{Caller, Confirm, Origin, ToolOutcome, ToolSet, execute};

/// Most model calls in one turn: a model that calls tools for ever must come to an end.
const MAX_ROUNDS: usize = 50;

/// Asks the model, runs its tools, and asks again until it answers.
pub(super) async fn run(scope: &mut TurnScope<'_>, mut chosen: ChosenModel, mut prepared: Prepared) -> Result<RunStatus, TurnError> {
    announce_input(scope, &prepared);
    write::user_message(scope).await?;
    scope.model_called = true;
    scope.runtime.queues.open(scope.session_key(), scope.run_id(), super::queued::route_of(scope.request));
    let mut said_before: Vec<String> = Vec::new();
    let mut request = first_request(scope, &chosen, &prepared);
    let (mut calls, mut passes) = (1, 0);
    for round in 0..MAX_ROUNDS {
        let cancel = scope.cancel.clone();
        let mut answer = model_call::call(scope, &chosen.models, calls, request.clone(), &chosen.fallbacks, &cancel).await?;
        let ended = answer.ended.take();
        calls += 1 + answer.attempts;
        if let Some(model) = &answer.instead {
            go_on_with(scope, &mut chosen, model);
            request.model = chosen.resolved.model.clone();
        }
        add_usage(scope, &answer);
        if round == 0 && too_long(&answer) && shorten(scope, &chosen, &mut prepared).await? {
            announce_call_end(scope, ended);
            request = first_request(scope, &chosen, &prepared);
            continue;
        }
        let status = judge(scope, &answer);
        if status == Some(RunStatus::Ok)
            && round + 1 < MAX_ROUNDS
            && let Some(reason) = finalize::ask(scope, &answer.text, passes).await
        {
            passes += 1;
            write_answer(scope, &chosen, &answer, None).await?;
            announce_call_end(scope, ended);
            request.messages.push(ChatMessage::Assistant { text: answer.text, tool_calls: Vec::new(), thinking: answer.thinking });
            request.messages.extend(message::to_chat(&finalize::write_request(scope, &reason).await?));
            continue;
        }
        if let Some(status) = status {
            if status == RunStatus::Ok && round + 1 < MAX_ROUNDS {
                let more = scope.runtime.queues.take_up_or_close(scope.session_key(), scope.run_id());
                if !more.is_empty() {
                    write_answer(scope, &chosen, &answer, None).await?;
                    announce_call_end(scope, ended);
                    said_before.extend((!answer.text.is_empty()).then(|| answer.text.clone()));
                    request.messages.push(ChatMessage::Assistant { text: answer.text, tool_calls: Vec::new(), thinking: answer.thinking });
                    steer::take_up(scope, more, &mut request).await?;
                    continue;
                }
            }
            said_before.extend((!answer.text.is_empty()).then(|| answer.text.clone()));
            scope.text = (!said_before.is_empty()).then(|| said_before.join("\n\n"));
            scope.message_id = write_answer(scope, &chosen, &answer, Some(status)).await?;
            announce_call_end(scope, ended);
            return Ok(status);
        }
        let written = write_answer(scope, &chosen, &answer, None).await?;
        announce_call_end(scope, ended);
        let said = answer.text.clone();
        request.messages.push(ChatMessage::Assistant { text: answer.text, tool_calls: answer.calls.clone(), thinking: answer.thinking });
        let results = call_tools(scope, &prepared.tools, &answer.calls).await?;
        request.messages.extend(results.iter().filter_map(message::to_chat));
        if scope.cancel.is_cancelled() {
            return Ok(scope.stopped());
        }
        if let Some(why) = scope.loops.persisted() {
            tracing::error!(target: "tools", session = scope.session_key(), "{why}");
            scope.stop_reason = "error";
            scope.fail(why);
            return Ok(RunStatus::Error);
        }
        // What the caller must run ends the turn; what the host ran beside it is in the transcript.
        if !scope.pending_calls.is_empty() {
            scope.stop_reason = "tool_calls";
            scope.text = (!said.is_empty()).then_some(said);
            scope.message_id = written;
            return Ok(RunStatus::Ok);
        }
        let more = scope.runtime.queues.take_up(scope.session_key(), scope.run_id());
        steer::take_up(scope, more, &mut request).await?;
    }
    scope.fail(format!("the model asked for tools {MAX_ROUNDS} times without answering"));
    Ok(RunStatus::Error)
}

/// The conversation does not fit, and nothing was said yet.
fn too_long(answer: &Answer) -> bool {
    answer.text.is_empty() && answer.error.as_ref().is_some_and(|error| error.kind == ErrorKind::ContextLength)
}

/// Compacts what came before this message; true when the model may be asked again.
async fn shorten(scope: &mut TurnScope<'_>, chosen: &ChosenModel, prepared: &mut Prepared) -> Result<bool, TurnError> {
    let names = super::prepare::names(&prepared.tools);
    let Some(assembled) = super::context::recover(scope, chosen, &names).await? else { return Ok(false) };
    prepared.assembled = assembled.map(|a| a.messages);
    scope.loops.compacted();
    Ok(true)
}

/// The end of a call is told after its message was written (HOOK-130).
fn announce_call_end(scope: &TurnScope<'_>, ended: Option<CallEnd>) {
    if let Some(ended) = ended {
        ended.announce(scope);
    }
}

/// A fallback has answered: the rest of the turn stays with it, and what comes after it in the list is its fallback.
fn go_on_with(scope: &mut TurnScope<'_>, chosen: &mut ChosenModel, model: &ModelRef) {
    scope.model = Some((model.provider.clone(), model.model.clone()));
    if let Some(at) = chosen.fallbacks.iter().position(|m| m.same_as(model)) {
        chosen.fallbacks.drain(..=at);
    }
    if let Ok(resolved) = chosen.models.resolve(model) {
        chosen.resolved = resolved;
    }
}

/// HOOK-022, HOOK-058.
pub(super) fn announce_input(scope: &TurnScope<'_>, prepared: &Prepared) {
    let (provider, model) = scope.model.clone().unwrap_or_default();
    scope.hooks().spawn_parallel(HookName::LlmInput, || {
        let event = json!({
            "runId": scope.run_id(), "sessionId": scope.session_id(), "provider": provider, "model": model,
            "systemPrompt": prepared.system, "prompt": prepared.prompt, "historyMessages": *scope.history,
            "imagesCount": scope.request.images.len(), "tools": super::facts::tools(&prepared.tools.specs()),
        });
        (event, scope.outcome_context())
    });
}

fn first_request(scope: &TurnScope<'_>, chosen: &ChosenModel, prepared: &Prepared) -> ModelRequest {
    let mut request = ModelRequest::new(chosen.resolved.model.clone());
    request.system = Some(prepared.system.clone());
    let limit = chosen.resolved.entry.as_ref().map_or(crate::history::DEFAULT_CONTEXT_TOKENS, |e| e.context_window);
    let fixed = prepared.system.len() + prepared.prompt.len();
    request.messages = match &prepared.assembled {
        Some(messages) => messages.iter().filter_map(message::to_chat).collect(),
        None => {
            let pruned = pruned(scope, limit);
            crate::history::fit(pruned.as_deref().unwrap_or(&scope.history), limit, fixed).filter_map(message::to_chat).collect()
        }
    };
    let own = message::user(&prepared.prompt, &scope.request.images, 0);
    request.messages.extend(message::to_chat(&own));
    request.tools = prepared.tools.specs();
    request.thinking = scope.thinking_level();
    request.session_id = Some(scope.session_id().to_string());
    request.agent_id = Some(scope.request.agent_id.clone());
    request
}

/// The history with smaller old results, where the config wants that and the provider has forgotten the last prompt.
fn pruned(scope: &TurnScope<'_>, window: u64) -> Option<Vec<serde_json::Value>> {
    let pruning = crate::pruning::Pruning::from_config(&scope.runtime.config())?;
    let last = scope.history.iter().rev().find(|m| m["role"] == "assistant").and_then(|m| m["timestamp"].as_i64());
    if !pruning.is_due(last, now_ms()) {
        return None;
    }
    let mut messages = scope.history.to_vec();
    let changed = pruning.apply(&mut messages, window);
    tracing::debug!(session = scope.session_key(), changed, "old tool results were made smaller for the model");
    (changed > 0).then_some(messages)
}

fn add_usage(scope: &mut TurnScope<'_>, answer: &Answer) {
    let (sum, one) = (&mut scope.usage, answer.usage);
    sum.input += one.input;
    sum.output += one.output;
    sum.cache_read += one.cache_read;
    sum.cache_write += one.cache_write;
    *sum = sum.with_total();
    scope.context_tokens = one.input + one.cache_read + one.cache_write;
}

/// `None`: the model wants tools. Otherwise the turn is over.
fn judge(scope: &mut TurnScope<'_>, answer: &Answer) -> Option<RunStatus> {
    if let Some(error) = &answer.error {
        if error.kind == ErrorKind::Aborted || scope.cancel.is_cancelled() {
            return Some(scope.stopped());
        }
        scope.error_kind = Some(client_kind(&error.kind));
        scope.stop_reason = "error";
        scope.fail(error.to_string());
        return Some(RunStatus::Error);
    }
    scope.stop_reason = answer.stop.map_or("stop", StopReason::as_str);
    answer.calls.is_empty().then_some(RunStatus::Ok)
}

/// GW-82 knows five kinds.
fn client_kind(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Refusal => "refusal",
        ErrorKind::Timeout => "timeout",
        ErrorKind::RateLimit { .. } => "rate_limit",
        ErrorKind::ContextLength => "context_length",
        _ => "unknown",
    }
}

/// The last message of a turn and the closed session row are one commit.
async fn write_answer(
    scope: &mut TurnScope<'_>,
    chosen: &ChosenModel,
    answer: &Answer,
    ended: Option<RunStatus>,
) -> Result<Option<String>, TurnError> {
    let error = answer.error.as_ref().map(ToString::to_string);
    let api = chosen.resolved.api.as_ref().map_or("openai-completions", |api| api.as_str());
    let facts = AssistantFacts {
        api,
        provider: &chosen.resolved.model.provider,
        model: &chosen.resolved.model.model,
        usage: answer.usage,
        stop: scope.stop_reason,
        error: error.as_deref(),
    };
    // A failed or stopped answer has calls that nobody will run; a model must not see them without results.
    let calls: &[ToolCall] = if ended.is_some() { &[] } else { &answer.calls };
    let nothing_said = ended == Some(RunStatus::Aborted) && answer.text.is_empty();
    let message = (!nothing_said).then(|| message::assistant(&answer.text, &answer.thinking, calls, &facts, now_ms()));
    let closing = match ended {
        Some(status) => {
            write::Closing { row: Some(finish::closing(scope, status)), runs: vec![crate::journal::finished(&scope.outcome(status))] }
        }
        None => write::Closing::default(),
    };
    let metas = write::append(scope, message.into_iter().collect(), closing).await?;
    scope.recorded = ended.is_some();
    scope.row_closed = ended.is_some();
    Ok(metas.into_iter().flatten().next().map(|m| m.id))
}

/// Runs the calls side by side and writes their results in the order of the calls.
async fn call_tools(scope: &mut TurnScope<'_>, tools: &Arc<ToolSet>, calls: &[ToolCall]) -> Result<Vec<Value>, TurnError> {
    let outcomes = join_all(calls.iter().map(|call| call_one(scope, tools, call))).await;
    let mut messages = Vec::with_capacity(calls.len());
    for (call, outcome) in calls.iter().zip(outcomes) {
        if outcome.delegated {
            scope.pending_calls.push(ToolCall { arguments: outcome.params.clone(), ..call.clone() });
        }
        let content = outcome.result.get("content").cloned().unwrap_or_else(|| json!([]));
        let details = outcome.result.get("details").cloned();
        messages.push(message::tool_result(call, content, details, outcome.is_error, now_ms()));
    }
    write::append(scope, messages.clone(), write::Closing::default()).await?;
    Ok(messages)
}

async fn call_one(scope: &TurnScope<'_>, tools: &ToolSet, call: &ToolCall) -> ToolOutcome {
    let started_at_ms = now_ms();
    let (call_id, name) = (call.id.clone(), call.name.clone());
    scope.emit(RunEvent::ToolStarted { call_id: call_id.clone(), name: name.clone(), args: call.arguments.clone(), at_ms: started_at_ms });
    let (sink, run) = (scope.runtime.sink.clone(), scope.run_ref());
    let (update_id, update_name) = (call_id.clone(), name.clone());
    let caller = Caller {
        runtime: scope.runtime,
        hooks: scope.hooks(),
        context: json!({
            "agentId": scope.request.agent_id, "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
            "runId": scope.run_id(),
        }),
        trace: Some(scope.trace.of_call()),
        session_key: scope.session_key(),
        run_id: Some(scope.run_id()),
        cancel: &scope.cancel,
        on_update: Some(Arc::new(move |partial| {
            sink.emit(&run, RunEvent::ToolUpdate { call_id: update_id.clone(), name: update_name.clone(), partial });
        })),
        announce_end: true,
        confirm: Confirm::Wait,
        origin: Origin::of(scope).await,
        loops: Some(&scope.loops),
    };
    let outcome = execute(&caller, tools, call).await;
    let event =
        RunEvent::ToolEnded { call_id, name, result: outcome.result.clone(), is_error: outcome.is_error, started_at_ms, at_ms: now_ms() };
    scope.emit(event);
    outcome
}
