//! What keeps a run silent until its message was acknowledged.
//!
//! A run begins as soon as its message is committed, while the disk still syncs. Nothing of it may be seen before the sync is done and
//! the caller has been told: its events wait here, and its answer waits for the gate.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chela_store::{Safe, StoreError};
use tokio_util::sync::CancellationToken;

use crate::event::{RunEvent, RunRef, RunSink};

/// The gate of one run.
pub(crate) struct Gate {
    state: Mutex<State>,
    decided: CancellationToken,
}

enum State {
    Shut(Vec<(RunRef, RunEvent)>),
    Open,
    Failed(StoreError),
}

impl Gate {
    /// A gate for a run that nobody has to acknowledge.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Open), decided: CancellationToken::new() })
    }

    /// A shut gate, and what opens it.
    pub(crate) fn shut(safe: Safe, sink: Arc<dyn RunSink>) -> (Arc<Self>, Pledge) {
        let gate = Arc::new(Self { state: Mutex::new(State::Shut(Vec::new())), decided: CancellationToken::new() });
        (gate.clone(), Pledge { safe: Some(safe), is_kept: false, gate, sink })
    }

    /// Tells the outside now, or in order once the gate opens.
    pub(crate) fn emit(&self, sink: &dyn RunSink, run: RunRef, event: RunEvent) {
        match &mut *self.lock() {
            State::Shut(waiting) => waiting.push((run, event)),
            State::Open => sink.emit(&run, event),
            // The caller was refused: for the clients there is no such run but for its end.
            State::Failed(_) if !matches!(event, RunEvent::Ended(_)) => {}
            State::Failed(_) => sink.emit(&run, event),
        }
    }

    /// Waits until the message is acknowledged; an error when it could not be stored.
    pub(crate) async fn passed(&self) -> Result<(), StoreError> {
        if matches!(&*self.lock(), State::Shut(_)) {
            self.decided.cancelled().await;
        }
        match &*self.lock() {
            State::Failed(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn decide(&self, sink: &dyn RunSink, outcome: Result<(), StoreError>) {
        {
            let mut state = self.lock();
            let State::Shut(waiting) = &mut *state else { return };
            let waiting = std::mem::take(waiting);
            *state = match outcome {
                // Under the lock, so that no later event comes before these.
                Ok(()) => {
                    waiting.into_iter().for_each(|(run, event)| sink.emit(&run, event));
                    State::Open
                }
                Err(error) => State::Failed(error),
            };
        }
        self.decided.cancel();
    }

    // Every step leaves the state valid.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The promise that a message is on the disk, for whoever acknowledges it. Dropping it opens the gate when the promise was kept, and
/// refuses the run otherwise.
pub struct Pledge {
    safe: Option<Safe>,
    is_kept: bool,
    gate: Arc<Gate>,
    sink: Arc<dyn RunSink>,
}

impl Pledge {
    /// Waits for the disk. Acknowledge after it, then drop the pledge.
    ///
    /// # Errors
    /// When the disk refused: the message is not accepted, and its run comes to nothing.
    pub async fn kept(&mut self) -> Result<(), StoreError> {
        if let Some(safe) = &mut self.safe {
            let outcome = safe.wait().await;
            self.safe = None;
            self.is_kept = outcome.is_ok();
            if let Err(error) = outcome {
                self.gate.decide(&*self.sink, Err(error));
            }
        }
        if self.is_kept { Ok(()) } else { self.gate.passed().await }
    }
}

impl Drop for Pledge {
    fn drop(&mut self) {
        let outcome = if self.is_kept { Ok(()) } else { Err(StoreError::Closed) };
        self.gate.decide(&*self.sink, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_store::{RunRecord, Store, StoreOptions};
    use serde_json::json;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl RunSink for Heard {
        fn emit(&self, _run: &RunRef, event: RunEvent) {
            if let RunEvent::Custom { stream, .. } = event {
                self.0.lock().unwrap().push(stream);
            }
        }
    }

    impl Heard {
        fn so_far(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    async fn shut(dir: &tempfile::TempDir, key: &str, sink: &Arc<Heard>) -> (Arc<Gate>, Pledge) {
        let base = dir.path().to_owned();
        let store = Store::open(StoreOptions::new(dir.path().join(key).join("db"), move |agent| base.join(agent))).unwrap();
        let record = RunRecord { key: key.into(), ..RunRecord::default() };
        let (_, safe) = store.claim_run_early(record).await.unwrap();
        Gate::shut(safe, sink.clone())
    }

    fn say(gate: &Gate, sink: &Heard, what: &str) {
        let run = RunRef { run_id: "r".into(), session_key: "k".into() };
        gate.emit(sink, run, RunEvent::Custom { stream: what.into(), data: json!({}) });
    }

    // GW-F12
    #[tokio::test]
    async fn nothing_is_heard_of_a_run_before_its_message_is_acknowledged() {
        let (dir, sink) = (tempfile::tempdir().unwrap(), Arc::new(Heard::default()));
        let (gate, mut pledge) = shut(&dir, "a", &sink).await;
        say(&gate, &sink, "1");
        say(&gate, &sink, "2");
        pledge.kept().await.unwrap();
        pledge.kept().await.unwrap();
        assert!(futures::poll!(std::pin::pin!(gate.passed())).is_pending(), "kept, but not yet told");
        assert!(sink.so_far().is_empty());
        drop(pledge);
        gate.passed().await.unwrap();
        say(&gate, &sink, "3");
        assert_eq!(sink.so_far(), ["1", "2", "3"]);
    }

    #[tokio::test]
    async fn a_run_whose_message_was_not_kept_comes_to_nothing() {
        let (dir, sink) = (tempfile::tempdir().unwrap(), Arc::new(Heard::default()));
        let (gate, pledge) = shut(&dir, "a", &sink).await;
        say(&gate, &sink, "1");
        drop(pledge);
        assert!(gate.passed().await.is_err());
        say(&gate, &sink, "2");
        assert!(sink.so_far().is_empty());
    }
}
