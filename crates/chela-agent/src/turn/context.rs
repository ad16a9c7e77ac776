//! The conversation before the prompt: history, room for the answer, and the context engine of a plugin (API-223..231).

use std::sync::Arc;

use chela_models::ModelRef;
use serde_json::{Value, json};

use super::resolve::ChosenModel;
use super::{TurnError, TurnScope};
use crate::compaction::{self, CompactRequest, Compacted, CompactionSettings, Keep, Say};
use crate::context_engine::{self, Assembled, Engine, SessionFacts};
use crate::event::RunEvent;
use crate::history::{self, History};

/// The engine of this turn and what it knows of it.
pub(crate) struct EngineTurn {
    pub engine: Arc<Engine>,
    pub facts: SessionFacts,
}

/// Reads the history, and compacts it when it leaves too little room.
pub(super) async fn open(scope: &mut TurnScope<'_>, chosen: &ChosenModel) -> Result<(), TurnError> {
    load(scope, 0).await?;
    let registry = scope.registry().clone();
    let engine = context_engine::resolve(scope.runtime, &registry, &scope.request.agent_id, &scope.cancel).await;
    if let Some(engine) = engine {
        let facts = facts(scope, &chosen.resolved.model);
        if !scope.history.is_empty() {
            engine.bootstrap(scope.runtime, &facts, &scope.cancel).await;
        }
        scope.engine = Some(EngineTurn { engine, facts });
        return Ok(());
    }
    let window = window(scope);
    let settings = CompactionSettings::from_config(&scope.runtime.config());
    let tokens = history::estimate_tokens(scope.history.iter()) + history::estimate_text(&scope.message);
    super::flush::run(scope, chosen, &settings, tokens).await;
    if tokens > settings.budget(window) {
        compact(scope, chosen, Keep::Recent(settings.keep_recent(window)), "budget").await;
        load(scope, 0).await?;
    }
    Ok(())
}

/// The history without its newest `newest` messages.
async fn load(scope: &mut TurnScope<'_>, newest: usize) -> Result<(), TurnError> {
    let entries = scope.runtime.store.window(scope.session_id(), scope.runtime.history_limit).await?;
    let mut messages: Vec<Value> = history::conversation(entries).into_iter().map(|p| p.message).collect();
    messages.truncate(messages.len().saturating_sub(newest));
    scope.history = History::new(messages);
    Ok(())
}

fn window(scope: &TurnScope<'_>) -> u64 {
    scope.window.unwrap_or(history::DEFAULT_CONTEXT_TOKENS)
}

fn facts(scope: &TurnScope<'_>, model: &ModelRef) -> SessionFacts {
    SessionFacts {
        id: scope.session_id().into(),
        key: scope.session_key().into(),
        file: scope.session.as_ref().map(|s| s.session_file.clone()).unwrap_or_default(),
        agent: scope.request.agent_id.clone(),
        model: model.clone(),
        window: window(scope),
        heartbeat: scope.request.trigger == "heartbeat",
    }
}

/// What the engine makes of the history; `None` without an engine, or when it failed. One that leaves too little room is asked to
/// compact, once.
pub(super) async fn assemble(scope: &mut TurnScope<'_>, chosen: &ChosenModel, tools: &[String]) -> Result<Option<Assembled>, TurnError> {
    let Some(first) = assemble_once(scope, tools).await else { return Ok(None) };
    let own = first.tokens.unwrap_or_else(|| history::estimate_tokens(&first.messages));
    let all = history::estimate_tokens(scope.history.iter());
    let tokens = if first.may_overflow { own.max(all) } else { own } + history::estimate_text(&scope.message);
    let settings = CompactionSettings::from_config(&scope.runtime.config());
    if tokens <= settings.budget(window(scope)) {
        return Ok(Some(first));
    }
    compact(scope, chosen, Keep::Recent(settings.keep_recent(window(scope))), "budget").await;
    load(scope, 0).await?;
    renew(scope).await;
    Ok(assemble_once(scope, tools).await.or(Some(first)))
}

async fn assemble_once(scope: &TurnScope<'_>, tools: &[String]) -> Option<Assembled> {
    let turn = scope.engine.as_ref()?;
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    turn.engine.assemble(&turn.facts, &scope.history, &tools, &scope.message, &scope.cancel).await
}

/// A compaction ended the engine: the turn goes on with a new one.
async fn renew(scope: &mut TurnScope<'_>) {
    let Some(old) = scope.engine.take() else { return };
    let registry = scope.registry().clone();
    let engine = context_engine::resolve(scope.runtime, &registry, &scope.request.agent_id, &scope.cancel).await;
    scope.engine = engine.map(|engine| EngineTurn { engine, facts: old.facts });
}

/// The model said that the conversation is too long: compacts what came before this message. True when there is reason to ask again;
/// the second value is what the engine makes of it then.
pub(super) async fn recover(
    scope: &mut TurnScope<'_>,
    chosen: &ChosenModel,
    tools: &[String],
) -> Result<Option<Option<Assembled>>, TurnError> {
    if !compact(scope, chosen, Keep::CurrentTurn, "overflow").await.compacted {
        return Ok(None);
    }
    // The message that is being answered is in the transcript and in the prompt.
    load(scope, 1).await?;
    renew(scope).await;
    Ok(Some(assemble_once(scope, tools).await))
}

async fn compact(scope: &mut TurnScope<'_>, chosen: &ChosenModel, keep: Keep, trigger: &'static str) -> Compacted {
    let Some(session) = scope.session.clone() else { return Compacted::default() };
    let (sink, run, gate) = (scope.runtime.sink.clone(), scope.run_ref(), scope.gate.clone());
    let say: Say = Arc::new(move |text: &str| {
        gate.emit(&*sink, run.clone(), RunEvent::Custom { stream: compaction::ENTRY.into(), data: json!({ "text": text }) });
    });
    let request = CompactRequest {
        session: &session,
        agent_id: &scope.request.agent_id,
        model: chosen.resolved.model.clone(),
        window: scope.window,
        fallbacks: chosen.fallbacks.clone(),
        keep,
        trigger,
        instructions: None,
        builtin_only: false,
        cancel: scope.cancel.clone(),
        say: Some(say),
    };
    let done = compaction::compact(scope.runtime, scope.generation(), request).await;
    // The engine may go on in another transcript, and the row counts compactions.
    if done.compacted
        && let Ok(Some(row)) = scope.runtime.store.session(&session.key).await
    {
        if let Some(turn) = &mut scope.engine {
            (turn.facts.id, turn.facts.file) = (row.session_id.clone(), row.session_file.clone());
        }
        scope.session = Some(row);
    }
    if let Some(reason) = done.reason.as_ref().filter(|_| !done.ok) {
        tracing::warn!(session = session.key, "the conversation could not be compacted: {reason}");
    }
    done
}

/// What the engine is told when the turn is over; the session waits for it, the client does not.
pub(super) fn after_turn(scope: &mut TurnScope<'_>, ok: bool) -> Option<impl Future<Output = ()> + Send + 'static> {
    let turn = scope.engine.take()?;
    let before = scope.history.len();
    let messages: Vec<Value> = scope.history.iter().chain(&scope.written).cloned().collect();
    let (runtime, tokens) = (scope.runtime.clone(), scope.context_tokens);
    Some(async move { turn.engine.after_turn(&runtime, &turn.facts, &messages, before, ok, tokens).await })
}
