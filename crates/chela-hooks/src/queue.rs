//! A bounded queue of jobs that nobody waits for (HOOK-113, HOOK-114).

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

/// How much may run and wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Jobs at once.
    pub(crate) active: usize,
    /// Jobs waiting.
    pub(crate) queued: usize,
    /// A job that takes longer is logged once; it keeps its slot until it settles.
    pub(crate) slow: Duration,
}

struct Job {
    label: &'static str,
    work: BoxFuture<'static, ()>,
}

#[derive(Default)]
struct State {
    active: usize,
    waiting: VecDeque<Job>,
}

/// The queue. Jobs start in the order in which they were submitted, and each is polled once before the next one starts, so that what
/// two jobs send first is sent in that order.
pub(crate) struct BoundedQueue {
    limits: Limits,
    state: Mutex<State>,
}

impl std::fmt::Debug for BoundedQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedQueue").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl BoundedQueue {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Submits a job; false when the queue is full and the job was dropped.
    pub(crate) fn submit(self: &Arc<Self>, label: &'static str, work: BoxFuture<'static, ()>) -> bool {
        {
            let mut state = self.lock();
            if state.active >= self.limits.active && state.waiting.len() >= self.limits.queued {
                tracing::warn!(target: "hooks", "{label}: queue full; dropping hook");
                return false;
            }
            state.waiting.push_back(Job { label, work });
        }
        self.drain();
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        if state.active >= self.limits.active {
            return None;
        }
        let job = state.waiting.pop_front()?;
        state.active += 1;
        Some(job)
    }

    fn drain(self: &Arc<Self>) {
        while let Some(job) = self.next() {
            let mut running: Pin<Box<_>> = Box::pin(watched(job, self.limits.slow));
            // The first poll happens here, not in a task, so that jobs cannot overtake each other.
            if let Poll::Ready(()) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.lock().active -= 1;
                continue;
            }
            let queue = self.clone();
            tokio::spawn(async move {
                running.await;
                queue.lock().active -= 1;
                queue.drain();
            });
        }
    }
}

/// Runs the job to its end, says once that it is slow, and survives a panic in it.
async fn watched(job: Job, slow: Duration) {
    let work = AssertUnwindSafe(job.work).catch_unwind();
    tokio::pin!(work);
    let result = tokio::select! {
        biased;
        result = &mut work => result,
        () = tokio::time::sleep(slow) => {
            tracing::warn!(target: "hooks", "{}: timed out after {}ms", job.label, slow.as_millis());
            work.await
        }
    };
    if result.is_err() {
        tracing::error!(target: "hooks", "{}: job panicked", job.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use tokio::sync::Semaphore;

    // HOOK-113
    #[tokio::test]
    async fn a_full_queue_drops_and_the_rest_runs() {
        let queue = BoundedQueue::new(Limits { active: 2, queued: 3, slow: Duration::from_secs(5) });
        let gate = Arc::new(Semaphore::new(0));
        let done = Arc::new(AtomicUsize::new(0));
        let submit = || {
            let (gate, done) = (gate.clone(), done.clone());
            let work = async move {
                drop(gate.acquire().await);
                done.fetch_add(1, SeqCst);
            };
            queue.submit("model_call_started", Box::pin(work))
        };
        let accepted: Vec<bool> = (0..7).map(|_| submit()).collect();
        assert_eq!(accepted, [true, true, true, true, true, false, false]);
        gate.add_permits(1);
        while done.load(SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
        while queue.lock().active > 0 {
            tokio::task::yield_now().await;
        }
        assert!(submit());
    }

    // HOOK-114
    #[tokio::test(start_paused = true)]
    async fn a_slow_job_keeps_its_slot_and_is_not_cancelled() {
        let queue = BoundedQueue::new(Limits { active: 1, queued: 8, slow: Duration::from_millis(2000) });
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, ms) in [("slow", 5000), ("next", 0)] {
            let order = order.clone();
            let work = async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                order.lock().unwrap().push(name);
            };
            assert!(queue.submit("model_call_ended", Box::pin(work)));
        }
        tokio::time::sleep(Duration::from_millis(3000)).await;
        assert!(order.lock().unwrap().is_empty());
        tokio::time::sleep(Duration::from_millis(3000)).await;
        assert_eq!(*order.lock().unwrap(), ["slow", "next"]);
    }

    #[tokio::test]
    async fn a_panic_frees_the_slot() {
        let queue = BoundedQueue::new(Limits { active: 1, queued: 8, slow: Duration::from_secs(5) });
        let done = Arc::new(AtomicUsize::new(0));
        queue.submit("a", Box::pin(async { panic!("in a job") }));
        let after = done.clone();
        queue.submit(
            "b",
            Box::pin(async move {
                let _ = after.fetch_add(1, SeqCst);
            }),
        );
        while done.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }
}
