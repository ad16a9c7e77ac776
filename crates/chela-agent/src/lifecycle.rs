//! Sessions that end exactly once, for every listener (HOOK-032, HOOK-033, HOOK-220..245).
//!
//! The journal is the truth: a session that was started there ends there once, and each listener's delivery is ticked off when its
//! handler has returned. What a crash or a slow listener left over is offered to that listener at its next start, before it sees any
//! other event. The reference forgets all of it with the process (HOOK-235, HOOK-237).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::registry::Registry;
use chela_plugin::{Call, HookName};
use chela_store::{LifecycleEnd, LifecycleStart, PendingDelivery, SessionRow, Store, StoreError, start_event_id};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::runtime::TurnPlugins;

/// All sessions together get this long at shutdown (HOOK-240).
pub const DRAIN_BUDGET: Duration = Duration::from_millis(2000);

/// Why a session ended (HOOK-220).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the reason of the same name in HOOK-220")]
pub enum EndReason {
    New,
    Reset,
    Idle,
    Daily,
    Compaction,
    Deleted,
    Shutdown,
    Restart,
    Unknown,
}

impl EndReason {
    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Reset => "reset",
            Self::Idle => "idle",
            Self::Daily => "daily",
            Self::Compaction => "compaction",
            Self::Deleted => "deleted",
            Self::Shutdown => "shutdown",
            Self::Restart => "restart",
            Self::Unknown => "unknown",
        }
    }
}

/// What a drain did (HOOK-243).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Sessions whose end was given to the listeners.
    pub emitted: Vec<String>,
    /// The budget ran out before all listeners had finished; they are offered the rest at the next start.
    pub timed_out: bool,
}

/// Tracks sessions and tells listeners.
pub struct SessionLifecycle {
    store: Store,
    plugins: Arc<dyn TurnPlugins>,
    open: Mutex<HashMap<String, LifecycleStart>>,
}

impl SessionLifecycle {
    /// A tracker over the journal.
    pub fn new(store: Store, plugins: Arc<dyn TurnPlugins>) -> Self {
        Self { store, plugins, open: Mutex::new(HashMap::new()) }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, LifecycleStart>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a session on its first use in this process. A session that a former process ended goes on as a new instance, with
    /// its own id as `resumedFrom`, so that a listener gets an end for what follows.
    pub async fn ensure_started(&self, row: &SessionRow, resumed_from: Option<&str>) {
        if self.open().contains_key(&row.session_id) {
            return;
        }
        let resumed = resumed_from.map(str::to_string).or_else(|| (row.message_count > 0).then(|| row.session_id.clone()));
        let (generation, at_ms) = (self.plugins.current(), now_ms());
        let start = LifecycleStart {
            event_id: start_event_id(&row.session_id, at_ms),
            session_id: row.session_id.clone(),
            session_key: row.key.clone(),
            agent_id: row.agent_id.clone(),
            at_ms,
            resumed_from: resumed,
            listeners: listeners(&generation.registry),
        };
        if self.open().insert(row.session_id.clone(), start.clone()).is_some() {
            return;
        }
        if let Err(error) = self.store.journal_started(start.clone()).await {
            tracing::error!(session = %row.session_id, %error, "the start of a session could not be recorded");
        }
        generation.hooks.spawn_parallel(HookName::SessionStart, || (start_event(&start), context(&start)));
    }

    /// A session id was replaced by another under the same key: the end first, then the start (HOOK-225).
    pub async fn replaced(&self, old: &SessionRow, new: &SessionRow, reason: EndReason) {
        self.end(old, reason, Some(new)).await;
        self.ensure_started(new, Some(&old.session_id)).await;
    }

    /// Ends a session and tells the listeners in the background. A session that was never announced has nothing to end.
    pub async fn end(&self, row: &SessionRow, reason: EndReason, next: Option<&SessionRow>) {
        if self.open().remove(&row.session_id).is_none() {
            return;
        }
        let mut end = self.end_now(reason);
        end.session_file = Some(row.session_file.to_string_lossy().into_owned());
        end.transcript_archived = Some(chela_store::is_archive_name(&row.session_file));
        end.next_session_id = next.map(|n| n.session_id.clone());
        end.next_session_key = next.map(|n| n.key.clone()).filter(|k| *k != row.key);
        let Some(ended) = self.journal_end(&row.session_id, end).await else { return };
        let generation = self.plugins.current();
        let store = self.store.clone();
        tokio::spawn(async move { deliver_to_all(&store, &generation.registry, &ended).await });
    }

    fn end_now(&self, reason: EndReason) -> LifecycleEnd {
        let listeners = listeners(&self.plugins.current().registry);
        LifecycleEnd { reason: reason.as_str().into(), at_ms: Some(now_ms()), listeners, ..LifecycleEnd::default() }
    }

    /// The recorded end; `None` when it has ended already.
    async fn journal_end(&self, session_id: &str, end: LifecycleEnd) -> Option<PendingDelivery> {
        match self.store.journal_end(session_id, end).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(session = session_id, %error, "the end of a session could not be recorded; it is recovered at the next start");
                None
            }
        }
    }

    /// Ends every open session at shutdown or restart, all at once, within `budget` (HOOK-238..243). A second drain finds nothing.
    /// What a listener did not finish is offered to it at its next start.
    pub async fn drain(&self, reason: EndReason, budget: Duration) -> DrainReport {
        let open: Vec<String> = self.open().drain().map(|(id, _)| id).collect();
        let generation = self.plugins.current();
        let emitted = open.clone();
        let work = join_all(open.into_iter().map(|id| {
            let generation = generation.clone();
            async move {
                if let Some(ended) = self.journal_end(&id, self.end_now(reason)).await {
                    deliver_to_all(&self.store, &generation.registry, &ended).await;
                }
            }
        }));
        let timed_out = tokio::time::timeout(budget, work).await.is_err();
        DrainReport { emitted, timed_out }
    }

    /// Closes what the last process left open (it was killed): reason `unknown`, `recovered: true`. Nothing is delivered here; each
    /// listener gets its part from [`SessionLifecycle::deliver_pending`] when it starts, so readiness does not wait for it.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let left = self.store.unended_sessions().await?;
        let ends = left.iter().map(|start| {
            let end = LifecycleEnd { reason: EndReason::Unknown.as_str().into(), recovered: true, ..LifecycleEnd::default() };
            self.store.journal_ended(&start.session_id, end)
        });
        for ended in join_all(ends).await {
            ended?;
        }
        Ok(left.len())
    }

    /// Gives a plugin that has just registered the session ends that it has not had, before it sees anything else.
    pub async fn deliver_pending(&self, registry: &Registry, plugin_id: &str) {
        let pending = match self.store.pending_deliveries(plugin_id).await {
            Ok(pending) => pending,
            Err(error) => return tracing::error!(plugin = plugin_id, %error, "pending session ends could not be read"),
        };
        for ended in pending {
            let mut event = end_event(&ended);
            if !ended.end.recovered {
                event["redelivered"] = true.into();
            }
            if deliver(registry, plugin_id, event, context(&ended.start)).await {
                mark(&self.store, &ended.event_id, plugin_id).await;
            }
        }
    }

    /// Number of sessions that are open now.
    pub fn open_count(&self) -> usize {
        self.open().len()
    }
}

/// Plugins that listen to session ends, each once.
fn listeners(registry: &Registry) -> Vec<String> {
    let mut ids: Vec<String> = registry.hooks(HookName::SessionEnd).map(|h| h.owner.id.to_string()).collect();
    ids.sort();
    ids.dedup();
    ids
}

fn context(start: &LifecycleStart) -> Value {
    json!({"sessionId": start.session_id, "sessionKey": start.session_key, "agentId": start.agent_id})
}

/// HOOK-068, with the stable `eventId` that the reference lacks.
fn start_event(start: &LifecycleStart) -> Value {
    let mut event = json!({"sessionId": start.session_id, "sessionKey": start.session_key, "eventId": start.event_id});
    if let Some(from) = &start.resumed_from {
        event["resumedFrom"] = from.clone().into();
    }
    event
}

/// HOOK-069, with true counts (HOOK-226, HOOK-302).
fn end_event(ended: &PendingDelivery) -> Value {
    let (start, end) = (&ended.start, &ended.end);
    let mut event = json!({
        "sessionId": start.session_id, "sessionKey": start.session_key, "messageCount": end.message_count.unwrap_or(0),
        "durationMs": end.duration_ms.unwrap_or(0), "reason": end.reason, "eventId": ended.event_id,
    });
    let texts = [("sessionFile", &end.session_file), ("nextSessionId", &end.next_session_id), ("nextSessionKey", &end.next_session_key)];
    for (name, value) in texts {
        if let Some(value) = value {
            event[name] = value.clone().into();
        }
    }
    if let Some(archived) = end.transcript_archived {
        event["transcriptArchived"] = archived.into();
    }
    if end.recovered {
        event["recovered"] = true.into();
    }
    event
}

async fn deliver_to_all(store: &Store, registry: &Registry, ended: &PendingDelivery) {
    let event = end_event(ended);
    let each = listeners(registry).into_iter().map(|plugin| {
        let (event, ctx) = (event.clone(), context(&ended.start));
        async move {
            if deliver(registry, &plugin, event, ctx).await {
                mark(store, &ended.event_id, &plugin).await;
            }
        }
    });
    join_all(each).await;
}

/// Runs the plugin's own handlers. A handler that throws has had the event; only one that could not be reached or ran out of time
/// has not.
async fn deliver(registry: &Registry, plugin_id: &str, event: Value, ctx: Value) -> bool {
    let handlers = registry.hooks(HookName::SessionEnd).filter(|h| h.owner.id.as_ref() == plugin_id);
    let calls = handlers.map(|h| h.callback.call(Call::new(vec![event.clone(), ctx.clone()]).budget(Some(h.budget))));
    let results = join_all(calls).await;
    results.iter().all(|r| matches!(r, Ok(_) | Err(chela_plugin::CallError::Thrown { .. })))
}

async fn mark(store: &Store, event_id: &str, plugin_id: &str) {
    if let Err(error) = store.mark_delivered(event_id, plugin_id).await {
        tracing::error!(plugin = plugin_id, %error, "a delivered session end could not be ticked off");
    }
}
