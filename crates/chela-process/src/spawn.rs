//! Starting and ending a worker under its guard.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, PipeWriter, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{DumpableBehavior, Signal, pidfd_send_signal};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use crate::guard::EXIT_CANNOT_START;
use crate::marks::Marks;
use crate::sandbox::Sandbox;
use crate::spawner::{Refusal, fork_guard};
use crate::tree::{ProcessTable, ProcessTree, kill_marked};

/// Variable that marks every process of a worker; found again by [`kill_marked`] when the guard itself was killed.
const MARKER: &str = "CHELA_WORKER_TREE";

/// Time beyond the grace after which a guard that does not end is killed itself.
const GUARD_PATIENCE: Duration = Duration::from_secs(5);

/// Time between a guard's word that all has ended and its own end.
const LAST_STEP: Duration = Duration::from_secs(2);

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
    /// The binary that guards are made of; `None` is the running one.
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
    /// The process that guards are forked from went away twice.
    #[error("cannot start a guard: the spawner of guards ended before it answered ({0}); the next attempt starts a new one")]
    Spawner(#[source] io::Error),
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
    /// How far it came with its work, when it cannot say so any more.
    pub marks: Marks,
    /// What the worker prints.
    pub stdout: pipe::Receiver,
    /// What the worker complains about.
    pub stderr: pipe::Receiver,
    /// What [`crate::sandbox::notify::serve`] answers, when the sandbox asks for connections.
    pub asking: Option<std::os::unix::net::UnixStream>,
    /// Waits for it and ends it.
    pub control: WorkerControl,
}

/// Waits for a worker and ends it. Dropping it kills the worker and everything below it.
#[derive(Debug)]
pub struct WorkerControl {
    stopper: WorkerStopper,
    /// Brings the guard's exit status, as 4 bytes; it ends when the guard is reaped.
    status: pipe::Receiver,
    told: Vec<u8>,
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
    twice(|| start_worker(&command))
}

/// Once more, from the beginning, when the spawner had died: what it may have started ends with the connections of the first attempt.
pub(crate) fn twice<T>(mut start: impl FnMut() -> Result<T, SpawnError>) -> Result<T, SpawnError> {
    #[cfg(feature = "test-guard")]
    std::hint::black_box(&crate::test_guard::BEFORE_MAIN);
    hide_memory();
    match start() {
        Err(SpawnError::Spawner(error)) => {
            tracing::debug!("the spawner of guards has gone, a new one is started: {error}");
            start()
        }
        other => other,
    }
}

fn start_worker(command: &WorkerCommand) -> Result<WorkerProcess, SpawnError> {
    let (main, main_worker) = lane().map_err(SpawnError::Descriptors)?;
    let (blocking, blocking_worker) = lane().map_err(SpawnError::Descriptors)?;
    let marks = Marks::new().map_err(SpawnError::Descriptors)?;
    let mut theirs = vec![main_worker, blocking_worker, marks.for_worker().map_err(SpawnError::Descriptors)?];
    let mut asking = None;
    if command.sandbox.as_ref().is_some_and(Sandbox::asks) {
        let (ours, asks) = std::os::unix::net::UnixStream::pair().map_err(SpawnError::Descriptors)?;
        theirs.push(asks.into());
        asking = Some(ours);
    }
    let Guarded { stdout, stderr, control } = start_guard(command, guard_options(command)?, &theirs)?;
    Ok(WorkerProcess { main, blocking, marks, stdout, stderr, asking, control })
}

/// A guard that was started.
pub(crate) struct Guarded {
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
    pub(crate) control: WorkerControl,
}

/// Starts the guard of a command with these options, and these descriptors from number 3 on.
pub(crate) fn start_guard(command: &WorkerCommand, options: Vec<String>, descriptors: &[OwnedFd]) -> Result<Guarded, SpawnError> {
    let (lifeline_guard, lifeline) = io::pipe().map_err(SpawnError::Descriptors)?;
    let (stdout, stdout_worker) = output().map_err(SpawnError::Descriptors)?;
    let (stderr, stderr_worker) = output().map_err(SpawnError::Descriptors)?;
    let (status, status_guard) = output().map_err(SpawnError::Descriptors)?;
    let marker = new_marker();
    let mut words: Vec<OsString> = options.into_iter().map(OsString::from).collect();
    let marked = (MARKER, marker.as_str());
    for (name, value) in command.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([marked]) {
        words.extend(["--env".into(), format!("{name}={value}").into()]);
    }
    words.extend(["--".into(), command.program.clone().into_os_string()]);
    words.extend_from_slice(&command.args);
    let mut fds: Vec<BorrowedFd<'_>> = vec![lifeline_guard.as_fd(), stdout_worker.as_fd(), stderr_worker.as_fd(), status_guard.as_fd()];
    fds.extend(descriptors.iter().map(|fd| fd.as_fd()));
    let guard = command.guard.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let forked = fork_guard(&guard, &command.cwd, &words, &fds).map_err(|refusal| match refusal {
        Refusal::Lost(error) => SpawnError::Spawner(error),
        Refusal::Told(source) => SpawnError::Guard { guard: guard.display().to_string(), cwd: command.cwd.display().to_string(), source },
    })?;
    let inner = Inner { guard_pid: forked.pid, guard: forked.fd, lifeline: Mutex::new(lifeline), marker };
    let control = WorkerControl { stopper: WorkerStopper { inner: Arc::new(inner) }, status, told: Vec::new() };
    Ok(Guarded { stdout, stderr, control })
}

/// A pipe: the gateway's end, to read, and the other one.
fn output() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (ours, theirs) = io::pipe()?;
    Ok((pipe::Receiver::from_owned_fd(ours.into())?, theirs.into()))
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

    /// Waits until the worker and everything below it has ended. Can be called again, also after it was dropped half-way.
    ///
    /// # Errors
    /// When the system refuses to read a pipe, which no known situation brings about.
    pub async fn wait(&mut self) -> io::Result<WorkerExit> {
        while self.told.len() < 4 {
            if self.status.read_buf(&mut self.told).await? == 0 {
                // The guard was killed, and so was the spawner, which would have told by what.
                self.told = Signal::KILL.as_raw().to_le_bytes().into();
            }
        }
        let _ = tokio::time::timeout(LAST_STEP, async { while matches!(self.status.read(&mut [0; 4]).await, Ok(1..)) {} }).await;
        let raw = self.told.first_chunk().copied().map_or(0, i32::from_le_bytes);
        let exit = WorkerExit::from_guard(ExitStatus::from_raw(raw));
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
