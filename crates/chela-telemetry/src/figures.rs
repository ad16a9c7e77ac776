//! Figures of now, which whoever knows them fills in.

/// Knows some figures.
pub trait Source: Send + Sync {
    /// Fills in what it knows.
    fn fill(&self, figures: &mut Figures);
}

/// The figures of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Sessions that have started and not ended.
    pub open_sessions: u64,
    /// Runs under way or waiting.
    pub active_runs: u64,
    /// Connected clients.
    pub clients: u64,
    /// Resident memory of the gateway itself, in bytes.
    pub rss_bytes: Option<u64>,
    /// Plugins that run.
    pub workers: Vec<WorkerFigures>,
    /// Handlers of hooks that were called.
    pub handlers: Vec<HandlerFigures>,
}

/// One plugin that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerFigures {
    /// The plugin.
    pub plugin: String,
    /// Resident memory of its process and its children, in bytes; absent for what runs in the gateway. Plugins that share a process
    /// have the same.
    pub rss_bytes: Option<u64>,
    /// The process, to tell shared ones.
    pub pid: Option<u32>,
    /// Unexpected ends of the worker since the gateway started.
    pub restarts: u64,
    /// Calls answered or failed.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
}

/// One plugin's handlers of one hook.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HandlerFigures {
    /// The plugin.
    pub plugin: String,
    /// The hook.
    pub hook: String,
    /// Calls, failed ones included.
    pub calls: u64,
    /// Calls that failed for any reason.
    pub failures: u64,
    /// Of these the time-outs.
    pub timeouts: u64,
    /// Time of all calls in seconds.
    pub seconds: f64,
    /// How many calls took at most so many seconds, rising.
    pub steps: Vec<(f64, u64)>,
}
