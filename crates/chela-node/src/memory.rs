//! Watches the memory of all workers with one reading of `/proc` per interval.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chela_process::ProcessTable;

use crate::worker::Worker;

/// The watcher of a lane.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    workers: Arc<Mutex<State>>,
    interval: Duration,
}

#[derive(Debug, Default)]
struct State {
    workers: Vec<Weak<Worker>>,
    running: bool,
}

impl MemoryWatch {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { workers: Arc::default(), interval }
    }

    /// Adds a worker; the task starts with the first and ends with the last.
    pub(crate) fn watch(&self, worker: &Arc<Worker>) {
        let mut state = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        state.workers.push(Arc::downgrade(worker));
        if !std::mem::replace(&mut state.running, true) {
            tokio::spawn(poll(self.workers.clone(), self.interval));
        }
    }
}

async fn poll(shared: Arc<Mutex<State>>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let workers: Vec<Arc<Worker>> = {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            state.workers.retain(|w| w.upgrade().is_some_and(|w| !w.is_over()));
            if state.workers.is_empty() {
                state.running = false;
                return;
            }
            state.workers.iter().filter_map(Weak::upgrade).collect()
        };
        let Ok(Ok(table)) = tokio::task::spawn_blocking(ProcessTable::read).await else {
            continue;
        };
        workers.iter().for_each(|worker| check(worker, &table));
    }
}

fn check(worker: &Arc<Worker>, table: &ProcessTable) {
    let cap = worker.slots().iter().map(|s| s.spec.memory_mib).max().unwrap_or_default();
    let rss = {
        let mut facts = worker.facts();
        let Some(process) = &facts.process else {
            return;
        };
        let rss = process.tree(table).rss_bytes;
        facts.rss_bytes = Some(rss);
        rss
    };
    let mib = rss / (1024 * 1024);
    if cap > 0 && mib > cap {
        worker.recycle_now(format!(
            "its worker used {mib} MiB of memory, above its cap of {cap} MiB (`plugins.entries.<id>.runtime.memoryMb` raises it)"
        ));
    }
}
