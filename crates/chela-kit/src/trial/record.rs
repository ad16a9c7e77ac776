//! Remembers every call of a plugin while it is tried out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_node::{Observed, Observer};

/// Calls that are remembered; a plugin under trial is called some dozens of times.
const MOST: usize = 10_000;
/// How long nothing must happen until a turn's background calls count as over.
const QUIET: Duration = Duration::from_millis(120);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The calls so far.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Vec<Observed>>>);

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Vec<Observed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the lane tells about its calls.
    pub(super) fn observer(&self) -> Observer {
        let recorder = self.clone();
        Arc::new(move |observed| {
            let mut calls = recorder.lock();
            if calls.len() < MOST {
                calls.push(observed);
            }
        })
    }

    /// How many there are.
    pub(super) fn mark(&self) -> usize {
        self.lock().len()
    }

    /// Those since a mark.
    pub(super) fn since(&self, mark: usize) -> Vec<Observed> {
        self.lock().get(mark..).unwrap_or_default().to_vec()
    }

    /// Waits until nothing has been called for a moment, at most `patience`.
    pub(super) async fn quiet(&self, patience: Duration) {
        let begun = tokio::time::Instant::now();
        let (mut last, mut since) = (self.mark(), begun);
        while begun.elapsed() < patience && since.elapsed() < QUIET {
            tokio::time::sleep(LOOK).await;
            let now = self.mark();
            if now != last {
                (last, since) = (now, tokio::time::Instant::now());
            }
        }
    }
}
