//! Active and recently finished runs: abort, wait, idempotency, one run at a time for each session.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::event::RunOutcome;
use crate::gate::Gate;

/// How long a finished run is remembered (GW-77).
const REMEMBER_MS: i64 = 5 * 60 * 1000;
/// How many finished runs are remembered (GW-77).
const REMEMBER_COUNT: usize = 1000;

/// All runs that this process knows.
#[derive(Default)]
pub struct RunRegistry {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    active: HashMap<String, Active>,
    /// Active run ids of each session: nothing here may take longer because other sessions are busy.
    by_session: HashMap<String, Vec<String>>,
    finished: HashMap<String, Arc<RunOutcome>>,
    order: VecDeque<(i64, String)>,
    lanes: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
}

struct Active {
    session_key: String,
    message: String,
    cancel: CancellationToken,
    done: watch::Sender<Option<Arc<RunOutcome>>>,
    started_at_ms: i64,
}

/// Answer to [`RunRegistry::begin`].
pub enum Begin {
    /// The run is new: the ticket ends it.
    New(RunTicket),
    /// The same run (or the same text in the same session, GW-80) is under way; its id.
    InFlight(String),
    /// It ended not long ago.
    Finished(Arc<RunOutcome>),
}

/// The right to execute one run.
pub struct RunTicket {
    /// Run id.
    pub run_id: String,
    /// Fires on abort and shutdown.
    pub cancel: CancellationToken,
    pub(crate) gate: Arc<Gate>,
    registry: Arc<RunRegistry>,
}

impl RunTicket {
    /// Publishes the outcome and wakes all waiters.
    pub fn finish(self, outcome: RunOutcome) -> Arc<RunOutcome> {
        let outcome = Arc::new(outcome);
        self.registry.finish(&self.run_id, Some(outcome.clone()));
        outcome
    }
}

impl Drop for RunTicket {
    /// A ticket that is dropped without an outcome (a panic, a refused run) must not leave the run "active" for ever.
    fn drop(&mut self) {
        self.registry.finish(&self.run_id, None);
    }
}

/// A run that is under way, for listings.
#[derive(Clone, Debug)]
pub struct ActiveRun {
    /// Run id.
    pub run_id: String,
    /// Session key.
    pub session_key: String,
    /// Unix ms.
    pub started_at_ms: i64,
}

impl RunRegistry {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a run, or finds the one that the caller repeats (GW-78..80).
    pub fn begin(self: &Arc<Self>, run_id: &str, session_key: &str, message: &str, parent: &CancellationToken) -> Begin {
        let mut inner = self.lock();
        inner.forget_old();
        if inner.active.contains_key(run_id) {
            return Begin::InFlight(run_id.into());
        }
        if let Some(outcome) = inner.finished.get(run_id) {
            return Begin::Finished(outcome.clone());
        }
        if let Some(id) = inner.of_session(session_key).find(|(_, a)| !message.is_empty() && a.message == message).map(|(id, _)| id.clone())
        {
            return Begin::InFlight(id);
        }
        let cancel = parent.child_token();
        let active = Active {
            session_key: session_key.into(),
            message: message.into(),
            cancel: cancel.clone(),
            done: watch::channel(None).0,
            started_at_ms: now_ms(),
        };
        inner.active.insert(run_id.into(), active);
        inner.by_session.entry(session_key.into()).or_default().push(run_id.into());
        Begin::New(RunTicket { run_id: run_id.into(), cancel, gate: Gate::open(), registry: self.clone() })
    }

    fn finish(&self, run_id: &str, outcome: Option<Arc<RunOutcome>>) {
        let mut inner = self.lock();
        let Some(active) = inner.active.remove(run_id) else { return };
        if let Some(outcome) = outcome {
            inner.finished.insert(run_id.into(), outcome.clone());
            inner.order.push_back((now_ms(), run_id.into()));
            active.done.send_replace(Some(outcome));
        }
        inner.leave_session(&active.session_key, run_id);
        inner.drop_idle_lane(&active.session_key);
    }

    /// Waits for a run's end. `None`: unknown run, or still going when `timeout` is over (GW-87).
    pub async fn wait(&self, run_id: &str, timeout: Duration) -> Option<Arc<RunOutcome>> {
        let mut receiver = {
            let inner = self.lock();
            if let Some(outcome) = inner.finished.get(run_id) {
                return Some(outcome.clone());
            }
            inner.active.get(run_id)?.done.subscribe()
        };
        let ended = tokio::time::timeout(timeout, receiver.wait_for(Option::is_some)).await;
        ended.ok()?.ok()?.clone()
    }

    /// Aborts one run. True when it was active.
    pub fn abort_run(&self, run_id: &str) -> bool {
        let inner = self.lock();
        let Some(active) = inner.active.get(run_id) else { return false };
        active.cancel.cancel();
        true
    }

    /// Aborts all runs of a session and returns their ids (GW-85).
    pub fn abort_session(&self, session_key: &str) -> Vec<String> {
        let inner = self.lock();
        let mut ids = Vec::new();
        for (id, active) in inner.of_session(session_key) {
            active.cancel.cancel();
            ids.push(id.clone());
        }
        ids
    }

    /// Aborts all runs of a session but one and returns their ids.
    pub fn abort_session_but(&self, session_key: &str, run_id: &str) -> Vec<String> {
        let inner = self.lock();
        let others = inner.of_session(session_key).filter(|(id, _)| id.as_str() != run_id);
        others.map(|(id, active)| (id.clone(), active.cancel.cancel()).0).collect()
    }

    /// The session key of an active run.
    pub fn session_of(&self, run_id: &str) -> Option<String> {
        self.lock().active.get(run_id).map(|a| a.session_key.clone())
    }

    /// True when the session has an active run.
    pub fn is_session_active(&self, session_key: &str) -> bool {
        self.lock().by_session.contains_key(session_key)
    }

    /// All active runs.
    pub fn active(&self) -> Vec<ActiveRun> {
        let inner = self.lock();
        let row = |(id, a): (&String, &Active)| ActiveRun {
            run_id: id.clone(),
            session_key: a.session_key.clone(),
            started_at_ms: a.started_at_ms,
        };
        inner.active.iter().map(row).collect()
    }

    /// Waits for the session's turn: runs of one session go one after another, in the order in which they asked.
    pub async fn lane(&self, session_key: &str) -> OwnedMutexGuard<()> {
        let lane = self.lock().lanes.entry(session_key.into()).or_default().clone();
        lane.lock_owned().await
    }
}

impl Inner {
    fn of_session<'a>(&'a self, session_key: &str) -> impl Iterator<Item = (&'a String, &'a Active)> {
        let ids = self.by_session.get(session_key).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| Some((id, self.active.get(id)?)))
    }

    fn leave_session(&mut self, session_key: &str, run_id: &str) {
        let Some(ids) = self.by_session.get_mut(session_key) else { return };
        ids.retain(|id| id != run_id);
        if ids.is_empty() {
            self.by_session.remove(session_key);
        }
    }

    fn forget_old(&mut self) {
        let limit = now_ms() - REMEMBER_MS;
        while let Some((at, id)) = self.order.front() {
            if *at >= limit && self.order.len() <= REMEMBER_COUNT {
                break;
            }
            self.finished.remove(id);
            self.order.pop_front();
        }
    }

    /// Without this the map would grow with every session ever used.
    fn drop_idle_lane(&mut self, session_key: &str) {
        if self.lanes.get(session_key).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            self.lanes.remove(session_key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RunStatus;

    fn outcome(run_id: &str) -> RunOutcome {
        RunOutcome {
            run_id: run_id.into(),
            session_key: "agent:main:a".into(),
            session_id: "s".into(),
            status: RunStatus::Ok,
            text: Some("hi".into()),
            error: None,
            error_kind: None,
            provider: "p".into(),
            model: "m".into(),
            usage: chela_models::Usage::default(),
            stop_reason: "stop".into(),
            pending_calls: Vec::new(),
            started_at_ms: 0,
            ended_at_ms: 1,
            message_id: None,
        }
    }

    // GW-78, GW-80, GW-87
    #[tokio::test]
    async fn a_repeated_run_is_recognised_while_and_after_it_runs() {
        let runs = Arc::new(RunRegistry::default());
        let root = CancellationToken::new();
        let Begin::New(ticket) = runs.begin("k", "agent:main:a", "hello", &root) else { panic!("not new") };
        assert!(matches!(runs.begin("k", "agent:main:a", "hello", &root), Begin::InFlight(id) if id == "k"));
        assert!(matches!(runs.begin("other", "agent:main:a", "hello", &root), Begin::InFlight(id) if id == "k"));
        let third = runs.begin("third", "agent:main:a", "different", &root);
        assert!(matches!(third, Begin::New(_)));
        assert!(runs.wait("unknown", Duration::from_millis(1)).await.is_none());
        ticket.finish(outcome("k"));
        assert_eq!(runs.wait("k", Duration::ZERO).await.unwrap().status, RunStatus::Ok);
        assert!(matches!(runs.begin("k", "agent:main:a", "hello", &root), Begin::Finished(_)));
    }

    // GW-85
    #[tokio::test]
    async fn abort_by_session_reaches_all_its_runs_and_a_dropped_ticket_frees_the_id() {
        let runs = Arc::new(RunRegistry::default());
        let root = CancellationToken::new();
        let Begin::New(a) = runs.begin("1", "s", "x", &root) else { panic!("not new") };
        let Begin::New(b) = runs.begin("2", "s", "y", &root) else { panic!("not new") };
        let mut ids = runs.abort_session("s");
        ids.sort();
        assert_eq!(ids, ["1", "2"]);
        assert!(a.cancel.is_cancelled() && b.cancel.is_cancelled());
        drop((a, b));
        assert!(!runs.is_session_active("s"));
        assert!(matches!(runs.begin("1", "s", "x", &root), Begin::New(_)));
    }
}
