//! Starting and ending a worker under its guard.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeWriter, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::guard::{ASKING, EXIT_CANNOT_START, GUARD_ARG};
use crate::sandbox::Sandbox;
use crate::tree::{ProcessTable, ProcessTree, kill_marked};

/// Variable that marks every process of a worker; found again by [`kill_marked`] when the guard itself was killed.
const MARKER: &str = "CHELA_WORKER_TREE";

/// Time beyond the grace after which a guard that does not end is killed itself.
const GUARD_PATIENCE: Duration = Duration::from_secs(5);

/// What to run as a worker.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program, a path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Time between `SIGTERM` and `SIGKILL` when the gateway dies.
    pub orphan_grace: Duration,
    /// Limit of open files, soft and hard; `None` inherits the gateway's.
    pub nofile: Option<u64>,
    /// Raises the chance that the kernel picks the worker when memory runs out, 0 to 1000.
    pub oom_score: Option<i32>,
    /// The part of the gateway's cgroup that holds it; `None` leaves it in the gateway's own.
    pub cgroup: Option<PathBuf>,
    /// What the worker may do; `None` is everything that the gateway may.
    pub sandbox: Option<Sandbox>,
    /// The binary that acts as the guard; `None` is the running one.
    pub guard: Option<PathBuf>,
}

impl WorkerCommand {
    /// A command with an empty environment, in `/`, with a grace of two seconds.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            orphan_grace: Duration::from_secs(2),
            nofile: None,
            oom_score: Some(300),
            cgroup: None,
            sandbox: None,
            guard: None,
        }
    }
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A socket or pipe could not be made.
    #[error("cannot make the worker's connections: {0}; the limit of open files may be too low (`ulimit -n`)")]
    Descriptors(#[source] io::Error),
    /// The sandbox cannot be told to the guard. The worker does not start without it.
    #[error("cannot describe the worker's sandbox: {0}; its paths must be valid UTF-8")]
    Sandbox(String),
    /// The guard could not be started.
    #[error("cannot start the guard `{guard}` in `{cwd}`: {source}")]
    Guard {
        /// The guard's binary.
        guard: String,
        /// The worker's directory.
        cwd: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// A running worker, with its connections.
#[derive(Debug)]
pub struct WorkerProcess {
    /// The gateway's end of the main lane.
    pub main: UnixStream,
    /// The gateway's end of the blocking lane.
    pub blocking: UnixStream,
    /// What the worker prints.
    pub stdout: ChildStdout,
    /// What the worker complains about.
    pub stderr: ChildStderr,
    /// What [`crate::sandbox::notify::serve`] answers, when the sandbox asks for connections.
    pub asking: Option<std::os::unix::net::UnixStream>,
    /// Waits for it and ends it.
    pub control: WorkerControl,
}

/// Waits for a worker and ends it. Dropping it kills the worker and everything below it.
#[derive(Debug)]
pub struct WorkerControl {
    pub(crate) child: Child,
    pub(crate) stopper: WorkerStopper,
}

/// Ends a worker from anywhere; cheap to clone.
#[derive(Clone, Debug)]
pub struct WorkerStopper {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    guard_pid: u32,
    guard: Option<OwnedFd>,
    lifeline: Mutex<PipeWriter>,
    marker: String,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerExit {
    /// By itself with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be started.
    NotStarted,
    /// Its guard was killed by this signal, and it with it.
    GuardKilled(i32),
}

impl WorkerExit {
    fn from_guard(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) if code == i32::from(EXIT_CANNOT_START) => Self::NotStarted,
            (Some(code), _) if code > 128 => Self::Signal(code - 128),
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::GuardKilled(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(6) => f.write_str("was ended by signal 6 (abort; Node does this when its heap is full)"),
            Self::Signal(9) => f.write_str("was ended by signal 9 (kill)"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::NotStarted => f.write_str("could not be started"),
            Self::GuardKilled(signal) => write!(f, "was ended because its guard was killed by signal {signal}"),
        }
    }
}

/// Starts a worker under a guard. Must be called inside a tokio runtime.
///
/// # Errors
/// See [`SpawnError`]. A worker program that does not exist shows as [`WorkerExit::NotStarted`], with the reason on `stderr`.
pub fn spawn_worker(command: WorkerCommand) -> Result<WorkerProcess, SpawnError> {
    #[cfg(feature = "test-guard")]
    std::hint::black_box(&crate::test_guard::BEFORE_MAIN);
    hide_memory();
    let (main, main_worker) = lane().map_err(SpawnError::Descriptors)?;
    let (blocking, blocking_worker) = lane().map_err(SpawnError::Descriptors)?;
    let mut mappings = vec![FdMapping { parent_fd: main_worker, child_fd: 3 }, FdMapping { parent_fd: blocking_worker, child_fd: 4 }];
    let asking = match command.sandbox.as_ref().is_some_and(Sandbox::asks) {
        true => {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(SpawnError::Descriptors)?;
            mappings.push(FdMapping { parent_fd: theirs.into(), child_fd: ASKING });
            Some(ours)
        }
        false => None,
    };
    let (child, stopper) = start_guard(&command, guard_options(&command)?, mappings)?;
    let mut child = child;
    let taken = child.stdout.take().zip(child.stderr.take());
    let (stdout, stderr) = taken.ok_or_else(|| SpawnError::Descriptors(io::Error::other("the guard's output is not piped")))?;
    Ok(WorkerProcess { main, blocking, stdout, stderr, asking, control: WorkerControl { child, stopper } })
}

/// Starts the guard of a command with these options and descriptors.
pub(crate) fn start_guard(
    command: &WorkerCommand,
    options: Vec<String>,
    mappings: Vec<FdMapping>,
) -> Result<(Child, WorkerStopper), SpawnError> {
    let (lifeline_guard, lifeline) = io::pipe().map_err(SpawnError::Descriptors)?;
    let marker = new_marker();
    let guard = command.guard.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let mut guarded = std::process::Command::new(&guard);
    guarded.arg0("chela").arg(GUARD_ARG).args(options).arg("--").arg(&command.program).args(&command.args);
    guarded.env_clear().envs(&command.env).env(MARKER, &marker).current_dir(&command.cwd);
    guarded.stdin(Stdio::from(OwnedFd::from(lifeline_guard))).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |source| SpawnError::Guard { guard: guard.display().to_string(), cwd: command.cwd.display().to_string(), source };
    guarded.fd_mappings(mappings).map_err(|e| failed(io::Error::other(e)))?;
    let child = tokio::process::Command::from(guarded).spawn().map_err(failed)?;
    let guard_pid = child.id().unwrap_or_default();
    // The guard is not reaped before `child` is waited for, so the number is still its own.
    let guard_fd = i32::try_from(guard_pid).ok().and_then(Pid::from_raw).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let inner = Inner { guard_pid, guard: guard_fd, lifeline: Mutex::new(lifeline), marker };
    Ok((child, WorkerStopper { inner: Arc::new(inner) }))
}

/// Keeps this process's memory and environment, with all of its secrets, from other processes of the same user: workers are such.
/// Without effect on root's. It also means that a crash leaves no core file.
pub(crate) fn hide_memory() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!("the gateway's environment can be read by plugins of the same user: {error}");
        }
    });
}

/// One lane: the gateway's end, non-blocking, and the worker's.
fn lane() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

pub(crate) fn guard_options(command: &WorkerCommand) -> Result<Vec<String>, SpawnError> {
    let mut options = vec!["--grace-ms".to_string(), command.orphan_grace.as_millis().to_string()];
    options.extend(command.nofile.into_iter().flat_map(|n| ["--nofile".to_string(), n.to_string()]));
    options.extend(command.oom_score.into_iter().flat_map(|n| ["--oom-score".to_string(), n.to_string()]));
    options.extend(command.cgroup.iter().flat_map(|dir| ["--cgroup".to_string(), dir.display().to_string()]));
    let sandbox = command.sandbox.as_ref().map(serde_json::to_string).transpose().map_err(|e| SpawnError::Sandbox(e.to_string()))?;
    options.extend(sandbox.into_iter().flat_map(|json| ["--sandbox".to_string(), json]));
    Ok(options)
}

fn new_marker() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}-{}", std::process::id(), since_epoch.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl WorkerControl {
    /// Process id of the guard; the worker's processes are below it.
    pub fn guard_pid(&self) -> u32 {
        self.stopper.inner.guard_pid
    }

    /// A handle that can end the worker while this object waits.
    pub fn stopper(&self) -> WorkerStopper {
        self.stopper.clone()
    }

    /// Waits until the worker and everything below it has ended. Can be called again after it was dropped half-way.
    ///
    /// # Errors
    /// When the system refuses to wait, which no known situation brings about.
    pub async fn wait(&mut self) -> io::Result<WorkerExit> {
        let exit = WorkerExit::from_guard(self.child.wait().await?);
        if matches!(exit, WorkerExit::GuardKilled(_)) {
            let marker = self.stopper.inner.marker.clone();
            let _ = tokio::task::spawn_blocking(move || kill_marked(MARKER, &marker)).await;
        }
        Ok(exit)
    }

    /// Ends the worker: `SIGTERM` to all of its processes, `SIGKILL` after `grace`. No process is left when it returns.
    ///
    /// # Errors
    /// As [`WorkerControl::wait`].
    pub async fn kill_tree(&mut self, grace: Duration) -> io::Result<WorkerExit> {
        self.stopper.stop(grace);
        if let Ok(exit) = tokio::time::timeout(grace + GUARD_PATIENCE, self.wait()).await {
            return exit;
        }
        self.stopper.kill_guard();
        self.wait().await
    }
}

impl Drop for WorkerControl {
    fn drop(&mut self) {
        self.stopper.stop(Duration::ZERO);
    }
}

impl WorkerStopper {
    /// Asks the guard to end the worker: `SIGTERM` to all of its processes, `SIGKILL` after `grace`. Returns at once.
    pub fn stop(&self, grace: Duration) {
        let ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        let mut lifeline = self.inner.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        // An error means that the guard has ended already.
        let _ = lifeline.write_all(&ms.to_le_bytes());
    }

    /// The processes below the guard now.
    pub fn tree(&self, table: &ProcessTable) -> ProcessTree {
        table.below(self.inner.guard_pid)
    }

    fn kill_guard(&self) {
        if let Some(fd) = &self.inner.guard {
            // An error means that it has ended already.
            let _ = pidfd_send_signal(fd, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guards_status_tells_how_the_worker_ended() {
        let cases = [
            (0, WorkerExit::Code(0)),
            (7 << 8, WorkerExit::Code(7)),
            (137 << 8, WorkerExit::Signal(9)),
            (125 << 8, WorkerExit::NotStarted),
            (9, WorkerExit::GuardKilled(9)),
        ];
        for (raw, exit) in cases {
            assert_eq!(WorkerExit::from_guard(ExitStatus::from_raw(raw)), exit);
        }
        assert_eq!(WorkerExit::Code(3).to_string(), "exited with code 3");
    }
}
