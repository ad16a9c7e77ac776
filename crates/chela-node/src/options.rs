//! What the gateway decides about the node lane.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Told about the download of the managed Node.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;

/// A step of the download of the managed Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The download begins; the size in bytes when the registry tells it.
    Started {
        /// Version of Node, without `v`.
        version: String,
        /// Bytes to come.
        total: Option<u64>,
    },
    /// So many bytes have arrived.
    Received {
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// The program is ready.
    Done {
        /// Where it is.
        path: PathBuf,
    },
}

/// Where the lines go that workers print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputMode {
    /// Line by line into the gateway's log, limited in length and rate.
    #[default]
    Log,
    /// Unchanged to this process's own standard output and error, for commands of plugins.
    PassThrough,
}

/// Times after which things happen to a worker. The defaults suit production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Timing {
    /// From spawn to the worker's hello.
    pub hello: Duration,
    /// For `load`.
    pub load: Duration,
    /// For an answer to a ping after a budget ran out; then the worker is restarted.
    pub probe_grace: Duration,
    /// Between pings while calls are outstanding.
    pub liveness_interval: Duration,
    /// For an answer to such a ping; then the worker is restarted.
    pub liveness_timeout: Duration,
    /// First and longest delay before a restart.
    pub backoff: (Duration, Duration),
    /// So many unexpected ends within [`Timing::quarantine_window`] put a worker into quarantine.
    pub quarantine_after: usize,
    /// See [`Timing::quarantine_after`].
    pub quarantine_window: Duration,
    /// Between readings of memory.
    pub memory_interval: Duration,
    /// Longest time that a call without a budget waits for a worker that starts again.
    pub restart_wait: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            hello: s(20),
            load: s(60),
            probe_grace: s(1),
            liveness_interval: s(5),
            liveness_timeout: s(30),
            backoff: (Duration::from_millis(250), s(30)),
            quarantine_after: 5,
            quarantine_window: s(300),
            memory_interval: s(1),
            restart_wait: s(30),
        }
    }
}

/// Settings of the lane.
#[derive(Clone)]
pub struct NodeLaneOptions {
    /// The state directory that plugins see.
    pub state_dir: PathBuf,
    /// Where the lane keeps what it can make or fetch again: the SDK's files, compiled code, the managed Node.
    pub cache_dir: PathBuf,
    /// The gateway's environment; the lane never reads it from the process.
    pub env: BTreeMap<String, String>,
    /// Directory that workers start in.
    pub cwd: PathBuf,
    /// The OpenClaw version that plugins see.
    pub host_version: String,
    /// The binary that acts as the guard; `None` is the running one.
    pub guard: Option<PathBuf>,
    /// SDK files to use instead of the embedded ones.
    pub sdk_dir: Option<PathBuf>,
    /// False forbids the download of the managed Node.
    pub download: bool,
    /// Told about that download.
    pub progress: Option<ProgressFn>,
    /// Where printed lines go.
    pub output: OutputMode,
    /// Times.
    pub timing: Timing,
    /// Told about each call of a plugin.
    pub observer: Option<crate::observe::Observer>,
    /// A module that each worker imports before anything of a plugin, for trials.
    pub preload: Option<PathBuf>,
}

impl NodeLaneOptions {
    /// Options with defaults for everything that can have one; the cache is `chela` in the state directory.
    pub fn new(state_dir: impl Into<PathBuf>, env: BTreeMap<String, String>, host_version: impl Into<String>) -> Self {
        let state_dir = state_dir.into();
        Self {
            cwd: state_dir.clone(),
            cache_dir: state_dir.join("chela"),
            state_dir,
            env,
            host_version: host_version.into(),
            guard: None,
            sdk_dir: None,
            download: true,
            progress: None,
            output: OutputMode::Log,
            timing: Timing::default(),
            observer: None,
            preload: None,
        }
    }
}

impl std::fmt::Debug for NodeLaneOptions {
    // The environment holds secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeLaneOptions").field("state_dir", &self.state_dir).field("cwd", &self.cwd).finish_non_exhaustive()
    }
}
