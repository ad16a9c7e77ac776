//! Writing messages into the transcript, past `before_message_write` and `tool_result_persist` (HOOK-196..207).

use std::sync::{Mutex, PoisonError};

use chela_plugin::HookName;
use chela_store::{EntryMeta, NewEntry, RowUpdate, RunRecord, TurnCommit, TurnCommitted};
use serde_json::{Value, json};

use super::{TurnError, TurnScope};
use crate::clock::now_ms;
use crate::details;
use crate::event::{RunEvent, RunStatus};
use crate::message;

/// Writes the user's message, once.
pub(super) async fn user_message(scope: &mut TurnScope<'_>) -> Result<(), TurnError> {
    if std::mem::replace(&mut scope.user_written, true) {
        return Ok(());
    }
    let early = scope.early.get_mut().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((message, commit)) = early {
        settle(scope, vec![Some(message)], commit.await?);
    } else {
        let message = own_message(scope);
        let (update, runs) = (running(scope), shared_runs(scope));
        append(scope, vec![message], Closing { row: Some(update), runs }).await?;
    }
    told_others(scope);
    Ok(())
}

fn own_message(scope: &TurnScope<'_>) -> Value {
    let mut message = message::user(&scope.message, &scope.request.images, now_ms());
    if !scope.others.is_empty() {
        // Recovery must find the leader's message in the text that several share.
        message[message::SHARED_BY] = scope.others.iter().map(|o| o.run_id.as_str()).chain([scope.run_id()]).collect();
    }
    message
}

/// Begins to write the user's message while the prompt is still made, when nothing can change or refuse it any more; it is written,
/// for all that the turn does, when [`user_message`] has returned.
pub(super) fn begin_user_message(scope: &mut TurnScope<'_>) {
    let decided_later = [HookName::BeforeAgentRun, HookName::BeforeMessageWrite].into_iter().any(|hook| scope.hooks().has(hook));
    if decided_later || scope.user_written || scope.engine.is_some() {
        return;
    }
    let message = own_message(scope);
    let closing = Closing { row: Some(running(scope)), runs: shared_runs(scope) };
    let commit = commit_of(scope, vec![NewEntry::message(message.clone())], closing);
    let store = scope.runtime.store.clone();
    let begun = crate::background::begun(async move { store.commit_turn(commit).await });
    scope.early = Mutex::new(Some((message, begun)));
}

/// The ends of the runs whose messages share this turn: they are kept with the message, in one commit.
fn shared_runs(scope: &TurnScope<'_>) -> Vec<RunRecord> {
    let outcome = |id: &str| super::queued::quiet_outcome(id, scope.session_key(), scope.session_id(), "collected");
    scope.others.iter().map(|other| crate::journal::finished(&outcome(&other.run_id))).collect()
}

fn told_others(scope: &mut TurnScope<'_>) {
    let session_id = scope.session_id().to_string();
    for other in scope.others.drain(..) {
        let _ = other.told.send(crate::queue::Told::Taken { session_id: session_id.clone() });
    }
}

/// What a commit changes besides the transcript.
#[derive(Default)]
pub(super) struct Closing {
    /// Change of the session row.
    pub row: Option<RowUpdate>,
    /// Records of the runs that this commit ends.
    pub runs: Vec<RunRecord>,
}

/// The row of a session with a run under way; stored with the first message, so that it costs no commit of its own.
fn running(scope: &TurnScope<'_>) -> RowUpdate {
    let (surface, at) = (scope.request.surface.clone(), scope.started_at_ms);
    let inbound = scope.request.inbound.clone();
    let by_people = matches!(scope.request.trigger, "user" | "manual");
    let heartbeat = scope.request.trigger == "heartbeat";
    Box::new(move |row| {
        row.status = Some("running".into());
        row.started_at_ms = Some(at);
        row.ended_at_ms = None;
        row.extra.insert("abortedLastRun".into(), Value::Bool(false));
        row.extra.shift_remove(crate::journal::INTERRUPTED_AT);
        if let Some(inbound) = &inbound {
            inbound.apply_meta(row, &surface);
            inbound.apply_route(row, &surface);
        } else if heartbeat {
            // Nobody wrote: whom the session answers, and when it was last used, stay as they are.
            return;
        } else {
            row.extra.entry("chatType").or_insert_with(|| "direct".into());
            row.extra.insert("deliveryContext".into(), json!({"channel": surface}));
            row.extra.entry("origin").or_insert_with(|| json!({"provider": surface, "surface": surface, "chatType": "direct"}));
            row.extra.insert("lastChannel".into(), surface.into());
        }
        if by_people {
            row.touch_interaction(at);
        } else {
            row.updated_at_ms = at;
        }
    })
}

/// Writes the stand-in of a blocked message; re-runs with the same key do not append again (HOOK-150).
pub(super) async fn blocked_message(scope: &mut TurnScope<'_>, message: Value) -> Result<(), TurnError> {
    let already = scope.history.iter().any(|m| m.get("idempotencyKey") == message.get("idempotencyKey"));
    scope.user_written = true;
    if !already {
        // The journal forgets the original text in the same commit: what a gate kept out must not come back after a crash.
        let mut runs = shared_runs(scope);
        runs.push(crate::journal::finished(&scope.outcome(RunStatus::Ok)));
        let update = running(scope);
        append(scope, vec![message], Closing { row: Some(update), runs }).await?;
    }
    told_others(scope);
    Ok(())
}

/// Appends messages in order, with a change of the row in the same commit. A message that a hook blocks is not written; the turn
/// goes on (HOOK-207).
pub(super) async fn append(scope: &mut TurnScope<'_>, messages: Vec<Value>, closing: Closing) -> Result<Vec<Option<EntryMeta>>, TurnError> {
    let mut kept = Vec::with_capacity(messages.len());
    for message in messages {
        kept.push(pass_hooks(scope, message).await);
    }
    let entries: Vec<NewEntry> = kept.iter().flatten().map(|m| NewEntry::message(m.clone())).collect();
    if entries.is_empty() && closing.row.is_none() && closing.runs.is_empty() {
        return Ok(kept.into_iter().map(|_| None).collect());
    }
    let done = scope.runtime.store.commit_turn(commit_of(scope, entries, closing)).await?;
    Ok(settle(scope, kept, done))
}

fn commit_of(scope: &TurnScope<'_>, entries: Vec<NewEntry>, closing: Closing) -> TurnCommit {
    TurnCommit {
        session_key: scope.session_key().to_string(),
        session_id: scope.session_id().to_string(),
        entries,
        row_update: closing.row,
        // Only the end of a run is a promise; until then its accepted message is in the journal.
        relaxed: closing.runs.is_empty(),
        runs: closing.runs,
    }
}

/// Takes over what a commit made of the messages, and tells of those that were written.
fn settle(scope: &mut TurnScope<'_>, kept: Vec<Option<Value>>, done: TurnCommitted) -> Vec<Option<EntryMeta>> {
    let count = done.row.as_ref().map_or(0, |row| row.message_count);
    let mut seq = count.saturating_sub(done.entries.len() as u64);
    if let Some(row) = done.row {
        scope.session = Some(row);
    }
    let mut metas = done.entries.into_iter();
    let mut out = Vec::with_capacity(kept.len());
    for message in kept {
        let Some(message) = message else {
            out.push(None);
            continue;
        };
        let meta = metas.next();
        if let Some(meta) = &meta {
            seq += 1;
            scope.emit(RunEvent::MessageWritten { id: meta.id.clone(), seq, message: message.clone() });
        }
        scope.written.push(message);
        out.push(meta);
    }
    out
}

async fn pass_hooks(scope: &TurnScope<'_>, message: Value) -> Option<Value> {
    let is_tool = message["role"] == "toolResult";
    let mut message = if is_tool { details::cap(message) } else { message };
    if is_tool {
        let (name, id) = (message["toolName"].clone(), message["toolCallId"].clone());
        let ctx = json!({"agentId": scope.request.agent_id, "sessionKey": scope.session_key(), "toolName": name, "toolCallId": id});
        let event = || (json!({"toolName": name, "toolCallId": id, "message": message, "isSynthetic": false}), ctx);
        let result = scope.hooks().dispatch_with(HookName::ToolResultPersist, scope.write_options(), event).await.merged;
        if let Some(changed) = result.get("message").filter(|m| m.is_object()) {
            message = changed.clone();
        }
    }
    let ctx = json!({"agentId": scope.request.agent_id, "sessionKey": scope.session_key()});
    let event = || (json!({"message": message}), ctx);
    let result = scope.hooks().dispatch_with(HookName::BeforeMessageWrite, scope.write_options(), event).await.merged;
    if chela_plugin::StopRule::BlockTruthy.satisfied_by(&result, result.is_null()) {
        return None;
    }
    if let Some(changed) = result.get("message").filter(|m| m.is_object()) {
        message = changed.clone();
    }
    Some(if is_tool { details::cap(message) } else { message })
}
