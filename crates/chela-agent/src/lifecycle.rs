//! Sessions that end exactly once, for every listener (HOOK-032, HOOK-033, HOOK-220..245).
//!
//! The journal is the truth: a session that was started there ends there once, and each listener's delivery is ticked off when its
//! handler has returned. What a crash or a slow listener left over is offered to that listener at its next start, before it sees any
//! other event. The reference forgets all of it with the process (HOOK-235, HOOK-237).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::registry::Registry;
use chela_plugin::{CallError, HandlerRef, HookBatch, HookName, SharedJson};
use chela_store::{LifecycleEnd, LifecycleStart, PendingDelivery, SessionRow, Store, StoreError, start_event_id};
use futures::future::join_all;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::background::spawn_in_order;
use crate::clock::now_ms;
use crate::runtime::TurnPlugins;

/// All sessions together get this long at shutdown (HOOK-240).
pub const DRAIN_BUDGET: Duration = Duration::from_millis(2000);

/// Time beyond the handlers' own budgets before a delivery is given up: the worker enforces the budgets, this bounds the worker.
const BATCH_SLACK: Duration = Duration::from_millis(500);
/// Ends that one plugin is told at the same time when it starts.
const REDELIVERIES_AT_ONCE: usize = 64;
/// Later starts at which an end that a listener did not take is offered to it again.
const MOST_OFFERS: u32 = 5;
/// Longest catching up of one plugin when it starts.
const REDELIVERY_BUDGET: Duration = Duration::from_secs(10);

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

impl From<crate::rollover::Due> for EndReason {
    fn from(due: crate::rollover::Due) -> Self {
        match due {
            crate::rollover::Due::Daily => Self::Daily,
            crate::rollover::Due::Idle => Self::Idle,
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
    desk: Arc<Desk>,
    /// False while a recovery is expected that has not ended yet.
    recovered: watch::Sender<bool>,
}

impl SessionLifecycle {
    /// A tracker over the journal.
    pub fn new(store: Store, plugins: Arc<dyn TurnPlugins>) -> Self {
        let desk = Arc::new(Desk { store: store.clone(), under_way: Mutex::default() });
        Self { store, plugins, open: Mutex::new(HashMap::new()), desk, recovered: watch::channel(true).0 }
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
        let (registry, desk) = (self.plugins.current().registry, self.desk.clone());
        spawn_in_order(async move {
            desk.tell_all(&registry, &ended).await;
        });
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

    /// Ends every open session at shutdown or restart, within `budget` (HOOK-238..243): first all ends are recorded with their true
    /// reason, then all listeners are told at once. A second drain finds nothing. What a listener did not finish is offered to it at
    /// its next start.
    pub async fn drain(&self, reason: EndReason, budget: Duration) -> DrainReport {
        let deadline = Instant::now() + budget;
        let open: Vec<String> = self.open().drain().map(|(id, _)| id).collect();
        let end = self.end_now(reason);
        let records = join_all(open.iter().map(|id| self.journal_end(id, end.clone())));
        let Ok(ended) = tokio::time::timeout_at(deadline, records).await else {
            return DrainReport { emitted: Vec::new(), timed_out: true };
        };
        let ended: Vec<PendingDelivery> = ended.into_iter().flatten().collect();
        let registry = self.plugins.current().registry;
        let work = join_all(ended.iter().map(|ended| self.desk.tell_all(&registry, ended)));
        let told = tokio::time::timeout_at(deadline, work).await;
        let complete = told.as_ref().is_ok_and(|all| all.iter().all(|told| *told));
        DrainReport { emitted: ended.into_iter().map(|e| e.start.session_id).collect(), timed_out: !complete }
    }

    /// Announces that [`SessionLifecycle::recover`] will come: listeners wait for it, because what it finds is theirs and comes first.
    pub fn expect_recovery(&self) {
        self.recovered.send_replace(false);
    }

    /// Closes what the last process left open (it was killed): reason `unknown`, `recovered: true`. Nothing is delivered here; each
    /// listener gets its part from [`SessionLifecycle::deliver_pending`] when it starts, so readiness does not wait for it.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let result = self.close_left_open().await;
        self.recovered.send_replace(true);
        result
    }

    async fn close_left_open(&self) -> Result<usize, StoreError> {
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

    /// Gives a plugin that has just registered the session ends that it has not had, in order, before it sees anything else. A plugin
    /// that does not take one keeps the rest for its next start: it must not hold up its own start for long.
    pub async fn deliver_pending(&self, registry: &Registry, plugin_id: &str) {
        let _ = self.recovered.subscribe().wait_for(|done| *done).await;
        let pending = match self.store.pending_deliveries(plugin_id).await {
            Ok(pending) => pending,
            Err(error) => return tracing::error!(plugin = plugin_id, %error, "pending session ends could not be read"),
        };
        let count = pending.len();
        let tell = |ended: PendingDelivery| async move { self.desk.tell(registry, plugin_id, &ended, true).await };
        let told = stream::iter(pending).map(tell).buffered(REDELIVERIES_AT_ONCE);
        let done = told.take_while(|told| std::future::ready(*told)).count();
        let done = tokio::time::timeout(REDELIVERY_BUDGET, done).await.unwrap_or(0);
        if done < count {
            tracing::warn!(
                plugin = plugin_id,
                pending = count,
                "not all pending session ends were taken; the rest follows at the next start"
            );
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

/// Tells listeners that sessions ended, and ticks off what was told.
struct Desk {
    store: Store,
    /// Event and plugin of every delivery under way: a plugin whose worker restarts meanwhile is not told twice at once.
    under_way: Mutex<HashSet<(String, String)>>,
}

impl Desk {
    fn under_way(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every listener; true when all have taken it.
    async fn tell_all(&self, registry: &Registry, ended: &PendingDelivery) -> bool {
        let each = listeners(registry).into_iter().map(|plugin| async move { self.tell(registry, &plugin, ended, false).await });
        join_all(each).await.into_iter().all(|told| told)
    }

    /// Tells one listener and ticks it off; false when it has not taken the event.
    async fn tell(&self, registry: &Registry, plugin: &str, ended: &PendingDelivery, again: bool) -> bool {
        let Some(_claim) = Claim::new(self, &ended.event_id, plugin) else { return true };
        let mut event = end_event(ended);
        // The first offer of an end that nobody could tell before is no repetition.
        if again && (!ended.end.recovered || ended.offers > 0) {
            event["redelivered"] = true.into();
        }
        let told = deliver(registry, plugin, event, context(&ended.start)).await;
        let noted = match (told, again) {
            (true, _) => self.store.mark_delivered(&ended.event_id, plugin).await.map(|_| true),
            (false, true) => self.store.count_offer(&ended.event_id, plugin, MOST_OFFERS).await,
            (false, false) => Ok(true),
        };
        match noted {
            Ok(true) => {}
            Ok(false) => {
                let session = ended.start.session_id.as_str();
                tracing::error!(
                    plugin,
                    session,
                    offers = MOST_OFFERS,
                    "the plugin never took the end of a session; it is not offered again"
                );
            }
            Err(error) => tracing::error!(plugin, %error, "what became of a session end could not be noted"),
        }
        told
    }
}

/// The right to deliver one event to one plugin.
struct Claim<'a> {
    desk: &'a Desk,
    key: (String, String),
}

impl<'a> Claim<'a> {
    fn new(desk: &'a Desk, event_id: &str, plugin: &str) -> Option<Self> {
        let key = (event_id.to_string(), plugin.to_string());
        desk.under_way().insert(key.clone()).then_some(Self { desk, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.under_way().remove(&self.key);
    }
}

/// Runs the plugin's own handlers, on the way that all hooks take: an end and the start that follows it keep their order. A handler
/// that throws has had the event; only one that could not be reached or ran out of time has not.
async fn deliver(registry: &Registry, plugin_id: &str, event: Value, ctx: Value) -> bool {
    let handlers: Vec<_> = registry.hooks(HookName::SessionEnd).filter(|h| h.owner.id.as_ref() == plugin_id).collect();
    let Some(first) = handlers.first() else { return true };
    let limit = handlers.iter().map(|h| h.budget).max().unwrap_or_default() + BATCH_SLACK;
    let batch = HookBatch {
        hook: HookName::SessionEnd,
        handlers: handlers.iter().map(|h| HandlerRef { handle: h.callback.handle, timeout: Some(h.budget) }).collect(),
        event: SharedJson::new(event),
        ctx: SharedJson::new(ctx),
        mode: HookName::SessionEnd.mode(),
        stop: None,
        cancel: CancellationToken::new(),
    };
    let failed = |error: &CallError| {
        tracing::error!(target: "hooks", plugin = plugin_id, "[hooks] session_end handler from {plugin_id} failed: {error}");
        matches!(error, CallError::Thrown { .. })
    };
    match tokio::time::timeout(limit, first.callback.target.hooks(batch)).await {
        // Every handler is looked at, so that every failure is logged.
        Ok(Ok(outcomes)) => outcomes.iter().filter(|o| !o.result.as_ref().err().is_none_or(failed)).count() == 0,
        Ok(Err(error)) => failed(&error),
        Err(_) => failed(&CallError::TimedOut(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))),
    }
}
