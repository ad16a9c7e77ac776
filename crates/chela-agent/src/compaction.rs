//! Compaction: what was said before becomes a summary, so that the conversation fits into the model's context again.
//!
//! The transcript keeps everything; a `compaction` entry says from where on models see messages, and what they read in place of those
//! before. Who summarises: the context engine where a plugin's is selected, else the configured compaction provider, else the model.

mod checkpoint;
mod settings;
mod summary;

use std::sync::Arc;

use chela_models::ModelRef;
use chela_plugin::HookName;
use chela_store::{Carry, NewEntry, NewSession, SessionRow, StoreError, TurnCommit};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use self::settings::CompactionSettings;
use crate::context_engine;
use crate::history::{self, Placed};
use crate::lifecycle::EndReason;
use crate::runtime::{AgentRuntime, PluginGeneration};

/// The trigger of a compaction that somebody asked for.
const BY_HAND: &str = "manual";

/// Type of the transcript entry.
pub const ENTRY: &str = "compaction";
/// Member of the session row that counts compactions (GW-150).
pub const COUNT: &str = "compactionCount";

/// What stays word for word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: the conversation goes on from the summary alone.
    Nothing,
    /// The newest messages of about so many tokens, from a user's message on.
    Recent(u64),
    /// The message that is just being answered.
    CurrentTurn,
}

/// One compaction that is asked for. Whoever asks holds the session's lane.
pub struct CompactRequest<'a> {
    /// The session.
    pub session: &'a SessionRow,
    /// Its agent.
    pub agent_id: &'a str,
    /// The model of the conversation, and its context window in tokens.
    pub model: ModelRef,
    /// See `model`.
    pub window: Option<u64>,
    /// Models to summarise with when `model` does not answer.
    pub fallbacks: Vec<ModelRef>,
    /// What stays.
    pub keep: Keep,
    /// `manual`, `budget` or `overflow`.
    pub trigger: &'static str,
    /// What the summary should look at.
    pub instructions: Option<String>,
    /// Passes the context engine by: it asked for this itself.
    pub builtin_only: bool,
    /// Ends it.
    pub cancel: CancellationToken,
    /// Gets what listeners want to say in the conversation, as soon as they say it (HOOK-280).
    pub say: Option<Say>,
}

/// Where the words of listeners go.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compacted {
    /// False when it failed.
    pub ok: bool,
    /// True when the conversation is shorter now.
    pub compacted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// `{summary?, firstKeptEntryId?, tokensBefore, tokensAfter?, details?, sessionId?, sessionFile?}`.
    pub result: Option<Value>,
    /// What listeners wanted to say, in order (HOOK-280).
    pub said: Vec<String>,
}

impl Compacted {
    fn nothing(reason: &str) -> Self {
        Self { ok: true, reason: Some(reason.into()), ..Self::default() }
    }

    fn failed(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    /// As plugins and clients see it (API-229).
    pub fn to_value(&self) -> Value {
        let mut out = json!({"ok": self.ok, "compacted": self.compacted});
        if let Some(reason) = &self.reason {
            out["reason"] = reason.clone().into();
        }
        if let Some(result) = &self.result {
            out["result"] = result.clone();
        }
        out
    }
}

/// Compacts a session's conversation, at most as long as the config allows. Failures are in the answer: a conversation that could not
/// be compacted goes on as it is.
pub async fn compact(runtime: &Arc<AgentRuntime>, plugins: &PluginGeneration, request: CompactRequest<'_>) -> Compacted {
    let settings = CompactionSettings::from_config(&runtime.config());
    let (limit, session) = (settings.timeout, request.session.key.clone());
    let work = async {
        let engine = match request.builtin_only {
            true => None,
            false => context_engine::resolve(runtime, &plugins.registry, request.agent_id, &request.cancel).await,
        };
        match engine {
            Some(engine) => by_engine(runtime, plugins, &request, &engine).await,
            None => builtin(runtime, plugins, &request, &settings).await,
        }
    };
    let done = tokio::time::timeout(limit, work).await;
    let done = done.unwrap_or_else(|_| Compacted::failed(format!("it took longer than {} s", limit.as_secs())));
    let tokens = done.result.as_ref().map(|r| r["tokensBefore"].clone()).unwrap_or_default();
    tracing::info!(session, compacted = done.compacted, reason = done.reason, %tokens, "compaction");
    done
}

/// The engine of a plugin compacts in its own way (API-229, API-231, HOOK-232).
async fn by_engine(
    runtime: &Arc<AgentRuntime>,
    plugins: &PluginGeneration,
    request: &CompactRequest<'_>,
    engine: &Arc<context_engine::Engine>,
) -> Compacted {
    let row = request.session;
    let event = || json!({"messageCount": -1, "sessionFile": row.session_file});
    announce(plugins, HookName::BeforeCompaction, request, runtime, event()).await;
    let done = engine.compact(runtime, request).await;
    // A compaction ends the life of an engine; the next use makes a new one (API-234).
    context_engine::dispose(runtime, engine).await;
    let answer = match done {
        Ok(answer) => answer,
        Err(error) => return Compacted::failed(format!("context engine `{}`: {error}", engine.id())),
    };
    let done = Compacted {
        ok: answer.get("ok") == Some(&Value::Bool(true)),
        compacted: answer.get("compacted") == Some(&Value::Bool(true)),
        reason: chela_plugin::value::text(&answer, "reason").map(str::to_string),
        result: answer.get("result").filter(|r| r.is_object()).cloned(),
        said: Vec::new(),
    };
    if done.ok && done.compacted {
        let mut after = event();
        after["compactedCount"] = (-1).into();
        let tokens = done.result.as_ref().and_then(|r| r.get("tokensAfter")).and_then(Value::as_u64);
        succeed(runtime, row, done.result.as_ref()).await;
        if let Err(error) = runtime.store.update_session(&row.key, move |row| count(row, tokens)).await {
            tracing::error!(session = row.key, %error, "the session row could not be updated after a compaction");
        }
        announce(plugins, HookName::AfterCompaction, request, runtime, after).await;
    }
    done
}

/// The engine goes on in another transcript: the session ends as `compaction`, and another begins that resumes it (HOOK-223).
async fn succeed(runtime: &Arc<AgentRuntime>, row: &SessionRow, result: Option<&Value>) {
    let Some(id) = result.and_then(|r| chela_plugin::value::text(r, "sessionId")).filter(|id| *id != row.session_id) else { return };
    let next = NewSession {
        session_id: Some(id.to_string()),
        archive: None,
        carry: Carry::Everything,
        link_parent: true,
        adopt_file: true,
        ..NewSession::default()
    };
    match runtime.store.replace_session(&row.key, next).await {
        Ok((old, new)) => runtime.lifecycle.replaced(&old, &new, EndReason::Compaction).await,
        Err(error) => tracing::error!(session = row.key, %error, "the transcript that the context engine names could not be taken over"),
    }
}

async fn builtin(
    runtime: &Arc<AgentRuntime>,
    plugins: &PluginGeneration,
    request: &CompactRequest<'_>,
    settings: &CompactionSettings,
) -> Compacted {
    let row = request.session;
    let entries = match runtime.store.window(&row.session_id, runtime.history_limit).await {
        Ok(entries) => entries,
        Err(StoreError::UnknownTranscript { .. }) => return Compacted::nothing("no transcript"),
        Err(error) => return Compacted::failed(error.to_string()),
    };
    let placed = history::conversation(entries);
    let cut = cut_at(&placed, request.keep);
    let (old, kept) = placed.split_at(cut);
    if !old.iter().any(|p| p.message["role"] != history::SUMMARY_ROLE) {
        return Compacted::nothing("nothing to compact");
    }
    let tokens_before = history::estimate_tokens(placed.iter().map(|p| &p.message));
    let context = json!({
        "sessionId": row.session_id, "missingSessionKey": false, "messageCount": placed.len(), "tokenCount": tokens_before,
        "messageCountOriginal": placed.len(), "tokenCountOriginal": tokens_before, "trigger": request.trigger,
    });
    let mut said = tell(plugins, request, "compact:before", context).await;
    let event = json!({"messageCount": placed.len(), "tokenCount": tokens_before});
    if request.trigger == BY_HAND {
        announce(plugins, HookName::BeforeCompaction, request, runtime, event).await;
    } else {
        // Within a run nobody waits, and the listeners see what goes (HOOK-231).
        plugins.hooks.spawn_parallel(HookName::BeforeCompaction, || {
            let mut event = event;
            event["messages"] = placed.iter().map(|p| p.message.clone()).collect();
            event["sessionFile"] = json!(row.session_file);
            (event, context_of(request, runtime))
        });
    }
    let summary = match summary::make(runtime, plugins, request, settings, old).await {
        Ok(summary) => summary,
        Err(reason) => return Compacted::failed(reason),
    };
    let first_kept = kept.first().map(|p| p.id.clone());
    let tokens_after = history::estimate_tokens(kept.iter().map(|p| &p.message)) + history::estimate_text(&summary.text);
    let body = json!({
        "summary": summary.text, "firstKeptEntryId": first_kept, "tokensBefore": tokens_before,
        "details": {"summarizedBy": summary.by, "trigger": request.trigger, "attempts": summary.attempts},
    });
    let entry = NewEntry { id: Some(uuid::Uuid::new_v4().to_string()), ..NewEntry::of_kind(ENTRY, body.clone()) };
    let checkpoint = checkpoint::of(request, &entry, placed.last().map(|p| p.id.as_str()), tokens_after);
    let commit = TurnCommit {
        session_key: row.key.clone(),
        session_id: row.session_id.clone(),
        entries: vec![entry],
        row_update: Some(Box::new(move |row| {
            count(row, Some(tokens_after));
            checkpoint::keep(row, checkpoint);
        })),
        runs: Vec::new(),
        relaxed: false,
    };
    if let Err(error) = runtime.store.commit_turn(commit).await {
        return Compacted::failed(format!("the summary could not be stored: {error}"));
    }
    // By hand it says how many messages went, within a run how many compactions there were (HOOK-231, HOOK-233).
    let by_hand = request.trigger == BY_HAND;
    let compacted = if by_hand { old.len() as u64 } else { row.extra.get(COUNT).and_then(Value::as_u64).unwrap_or(0) + 1 };
    let event =
        json!({"messageCount": kept.len() + 1, "compactedCount": compacted, "tokenCount": tokens_after, "sessionFile": row.session_file});
    if by_hand {
        announce(plugins, HookName::AfterCompaction, request, runtime, event).await;
    } else {
        plugins.hooks.spawn_parallel(HookName::AfterCompaction, || (event, context_of(request, runtime)));
    }
    let context = json!({
        "sessionId": row.session_id, "missingSessionKey": false, "messageCount": kept.len() + 1, "tokenCount": tokens_after,
        "compactedCount": old.len(), "summaryLength": summary.text.chars().count(), "tokensBefore": tokens_before,
        "tokensAfter": tokens_after, "firstKeptEntryId": first_kept, "trigger": request.trigger,
    });
    said.extend(tell(plugins, request, "compact:after", context).await);
    let mut result = body;
    result["tokensAfter"] = tokens_after.into();
    Compacted { ok: true, compacted: true, reason: None, result: Some(result), said }
}

/// The internal event, and what its listeners want to say in the conversation (HOOK-277, HOOK-280).
async fn tell(plugins: &PluginGeneration, request: &CompactRequest<'_>, action: &'static str, context: Value) -> Vec<String> {
    let said = plugins.internal.emit("session", action, &request.session.key, context).await.messages;
    if let (Some(say), false) = (&request.say, said.is_empty()) {
        say(&said.join("\n\n"));
    }
    said
}

fn count(row: &mut SessionRow, tokens_after: Option<u64>) {
    let times = row.extra.get(COUNT).and_then(Value::as_u64).unwrap_or(0);
    row.extra.insert(COUNT.into(), (times + 1).into());
    row.updated_at_ms = crate::clock::now_ms();
    row.input_tokens = None;
    row.output_tokens = None;
    row.total_tokens = tokens_after;
    row.extra.insert("totalTokensFresh".into(), tokens_after.is_some().into());
}

/// Where the kept part begins. A tool result never loses its call, since the part begins with a user's message.
fn cut_at(placed: &[Placed], keep: Keep) -> usize {
    let user = |p: &Placed| p.message["role"] == "user";
    let first_user_from = |at: usize| placed[at..].iter().position(user).map_or(placed.len(), |skip| at + skip);
    match keep {
        Keep::Nothing => placed.len(),
        Keep::CurrentTurn => placed.iter().rposition(user).unwrap_or(placed.len()),
        Keep::Recent(tokens) => {
            let mut left = tokens;
            let mut at = placed.len();
            for (index, one) in placed.iter().enumerate().rev() {
                let size = history::estimate_tokens([&one.message]);
                if size > left || one.message["role"] == history::SUMMARY_ROLE {
                    break;
                }
                left -= size;
                at = index;
            }
            first_user_from(at)
        }
    }
}

fn context_of(request: &CompactRequest<'_>, runtime: &AgentRuntime) -> Value {
    let row = request.session;
    json!({
        "sessionId": row.session_id, "agentId": request.agent_id, "sessionKey": row.key,
        "workspaceDir": runtime.workspace_of(request.agent_id), "messageProvider": row.extra.get("lastChannel"),
    })
}

/// Tells the listeners and waits for them; what they answer changes nothing (HOOK-234).
async fn announce(plugins: &PluginGeneration, hook: HookName, request: &CompactRequest<'_>, runtime: &AgentRuntime, event: Value) {
    let ctx = context_of(request, runtime);
    plugins.hooks.dispatch_with(hook, chela_hooks::DispatchOptions::default(), || (event, ctx)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(roles: &[(&str, usize)]) -> Vec<Placed> {
        let one = |(at, (role, size)): (usize, &(&str, usize))| Placed {
            id: at.to_string(),
            message: json!({"role": role, "content": "x".repeat(*size)}),
        };
        roles.iter().enumerate().map(one).collect()
    }

    #[test]
    fn the_kept_part_begins_with_a_users_message() {
        let all = placed(&[("user", 300), ("assistant", 300), ("toolResult", 300), ("assistant", 30), ("user", 30), ("assistant", 30)]);
        assert_eq!(cut_at(&all, Keep::Nothing), 6);
        assert_eq!(cut_at(&all, Keep::CurrentTurn), 4);
        assert_eq!(cut_at(&all, Keep::Recent(60)), 4);
        assert_eq!(cut_at(&all, Keep::Recent(1)), 6);
        assert_eq!(cut_at(&all, Keep::Recent(100_000)), 0);
        assert_eq!(cut_at(&placed(&[(history::SUMMARY_ROLE, 3), ("assistant", 3), ("user", 3)]), Keep::Recent(1000)), 2);
    }
}
