//! What is known about a worker's process, for its status.

use std::time::{SystemTime, UNIX_EPOCH};

use chela_plugin::WorkerState;
use chela_process::WorkerStopper;
use chela_process::cgroup::Part;

/// Facts that all plugins of a worker share.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) state: WorkerState,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
    pub(crate) last_exit: Option<String>,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) withheld_env: Vec<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) started_at_ms: Option<i64>,
    /// Limits of the kernel for the present process, or why there are none.
    pub(crate) limits: Option<String>,
    /// Its part of the gateway's cgroup.
    pub(crate) part: Option<Part>,
    /// Ends the present process; also finds its tree.
    pub(crate) process: Option<WorkerStopper>,
}

impl Facts {
    /// A process runs now.
    pub(crate) fn started(&mut self, process: WorkerStopper, withheld: Vec<String>) {
        self.state = WorkerState::Starting;
        self.process = Some(process);
        self.withheld_env = withheld;
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.started_at_ms = i64::try_from(since_epoch.as_millis()).ok();
    }

    /// No process runs any more.
    pub(crate) fn ended(&mut self, state: WorkerState, reason: &str) {
        self.state = state;
        self.process = None;
        self.pid = None;
        self.rss_bytes = None;
        self.limits = None;
        self.part = None;
        self.last_exit = Some(reason.into());
    }
}
