//! Sessions that start and end exactly once, for every listener (HOOK-032, HOOK-033, HOOK-220..245).
//!
//! The journal is the truth: a session that was started there ends there once, and each listener's delivery is ticked off when its
//! handler has returned. What a crash or a slow listener left over is offered to that listener at its next start, before it sees any
//! other event. The reference forgets all of it with the process (HOOK-235, HOOK-237).

mod desk;
mod events;
mod starts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::HookName;
use chela_plugin::registry::Registry;
use chela_store::{EndedSession, LifecycleEnd, LifecycleStart, PendingDelivery, SessionRow, Store, StoreError, start_event_id};
use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio::time::Instant;

use self::desk::Desk;

use crate::background::spawn_in_order;
use crate::clock::now_ms;
use crate::runtime::TurnPlugins;

/// All sessions together get this long at shutdown (HOOK-240).
pub const DRAIN_BUDGET: Duration = Duration::from_millis(2000);

/// Session keys whose events one plugin is told at the same time when it starts.
const REDELIVERIES_AT_ONCE: usize = 64;
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
        let desk = Arc::new(Desk::new(store.clone()));
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
            listeners: listeners(&generation.registry, HookName::SessionEnd),
        };
        let told = listeners(&generation.registry, HookName::SessionStart);
        if self.open().insert(row.session_id.clone(), start.clone()).is_some() {
            return;
        }
        if let Err(error) = self.store.journal_started(start.clone(), &told).await {
            tracing::error!(session = %row.session_id, %error, "the start of a session could not be recorded");
        }
        self.desk.announce(&generation, &start, told);
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
        let (generation, desk) = (self.plugins.current(), self.desk.clone());
        spawn_in_order(async move {
            desk.tell_all(&generation, &ended).await;
        });
    }

    fn end_now(&self, reason: EndReason) -> LifecycleEnd {
        let listeners = listeners(&self.plugins.current().registry, HookName::SessionEnd);
        LifecycleEnd { reason: reason.as_str().into(), at_ms: Some(now_ms()), listeners, ..LifecycleEnd::default() }
    }

    /// The recorded end; `None` when it has ended already.
    async fn journal_end(&self, session_id: &str, end: LifecycleEnd) -> Option<EndedSession> {
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
        let ended: Vec<EndedSession> = ended.into_iter().flatten().collect();
        let generation = self.plugins.current();
        let work = join_all(ended.iter().map(|ended| self.desk.tell_all(&generation, ended)));
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

    /// Gives a plugin that has just registered the starts and ends of sessions that it has not had, before it sees anything else; those
    /// under one key in order. A plugin that does not take one keeps the rest for its next start: it must not hold up its own for long.
    pub async fn deliver_pending(&self, registry: &Registry, plugin_id: &str) {
        let _ = self.recovered.subscribe().wait_for(|done| *done).await;
        let work = async {
            loop {
                match self.deliver_once(registry, plugin_id).await {
                    Some(true) => {}
                    Some(false) => return false,
                    // What was held back meanwhile, because it comes after these, is there in the next round.
                    None if self.desk.is_up_to_date(plugin_id) => {}
                    None => return true,
                }
            }
        };
        if !tokio::time::timeout(REDELIVERY_BUDGET, work).await.unwrap_or(false) {
            tracing::warn!(plugin = plugin_id, "not all pending session events were taken; the rest follows at the next start");
        }
    }

    /// One round of [`SessionLifecycle::deliver_pending`]: whether all was taken; `None` when there was nothing.
    async fn deliver_once(&self, registry: &Registry, plugin_id: &str) -> Option<bool> {
        let pending = match self.store.pending_deliveries(plugin_id).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::error!(plugin = plugin_id, %error, "pending session events could not be read");
                return Some(false);
            }
        };
        if pending.is_empty() {
            return None;
        }
        let (count, generation) = (pending.len(), self.plugins.current());
        let tell = |of_key: Vec<PendingDelivery>| {
            let (hooks, desk) = (&generation.hooks, &self.desk);
            async move {
                for event in &of_key {
                    if !desk.tell_again(hooks, registry, plugin_id, event).await {
                        return false;
                    }
                }
                true
            }
        };
        let told = stream::iter(pending).map(tell).buffered(REDELIVERIES_AT_ONCE);
        Some(told.take_while(|told| std::future::ready(*told)).count().await == count)
    }

    /// Number of sessions that are open now.
    pub fn open_count(&self) -> usize {
        self.open().len()
    }
}

/// Plugins that listen to a hook, each once.
fn listeners(registry: &Registry, hook: HookName) -> Vec<String> {
    let mut ids: Vec<String> = registry.hooks(hook).map(|h| h.owner.id.to_string()).collect();
    ids.sort();
    ids.dedup();
    ids
}
