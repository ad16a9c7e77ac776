//! Commands that run and those that have ended: output within bounds, input, time-outs, and how they end.

mod output;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chela_agent::clock::now_ms;
use chela_process::{CommandInput, CommandProcess, Ended, WorkerCommand, WorkerStopper, spawn_command};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use output::Output;

/// Commands of all agents at the same time.
const MOST_RUNNING: usize = 64;
/// Ended commands that are kept, and for how long (TOOL-45).
const MOST_ENDED: usize = 200;
const KEEP: Duration = Duration::from_secs(30 * 60);
/// Time between `SIGTERM` and `SIGKILL`.
const GRACE: Duration = Duration::from_secs(2);
/// How long output of what a command left running is waited for after its own end.
const AFTER_END: Duration = Duration::from_millis(250);
/// Longest writing to a command that does not read.
const WRITE_BUDGET: Duration = Duration::from_secs(10);
/// Size of a terminal.
const TERMINAL: CommandInput = CommandInput::Terminal { rows: 30, columns: 120 };

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) shell: PathBuf,
    pub(crate) command: String,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) terminal: bool,
    /// `None` has no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) agent: String,
    pub(crate) guard: Option<PathBuf>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) timed_out: bool,
    /// Somebody ended it.
    pub(crate) stopped: bool,
    pub(crate) took: Duration,
    pub(crate) at_ms: i64,
}

impl End {
    /// True when the command itself came to its end; a shell that found no program has not (TOOL-38).
    pub(crate) fn is_completed(self) -> bool {
        self.code.is_some_and(|code| code != 126 && code != 127) && !self.timed_out && !self.stopped
    }

    /// `code 0` or `signal 9`.
    pub(crate) fn words(self) -> String {
        match (self.code, self.signal) {
            (_, Some(signal)) => format!("signal {signal}"),
            (Some(code), None) => format!("code {code}"),
            (None, None) => "no status".into(),
        }
    }
}

type Writer = std::pin::Pin<Box<dyn AsyncWrite + Send>>;

/// One command.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) command: String,
    pub(crate) cwd: PathBuf,
    pub(crate) agent: String,
    pub(crate) terminal: bool,
    pub(crate) started_at_ms: i64,
    started: Instant,
    output: Mutex<Output>,
    input: tokio::sync::Mutex<Option<Writer>>,
    pid: watch::Receiver<Option<u32>>,
    end: watch::Sender<Option<End>>,
    stopper: WorkerStopper,
    stopped: AtomicBool,
    backgrounded: AtomicBool,
    /// Somebody has been told of the end.
    end_seen: AtomicBool,
}

impl Session {
    /// Its process id, once it is known.
    pub(crate) fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<End> {
        *self.end.borrow()
    }

    /// Waits for its end.
    pub(crate) async fn wait(&self) -> Option<End> {
        let mut end = self.end.subscribe();
        end.wait_for(Option::is_some).await.ok().and_then(|end| *end)
    }

    /// Waits until its process id is known, or it has ended.
    pub(crate) async fn begun(&self) {
        let (mut pid, mut end) = (self.pid.clone(), self.end.subscribe());
        tokio::select! {
            _ = pid.wait_for(Option::is_some) => {}
            _ = end.wait_for(Option::is_some) => {}
        }
    }

    /// What it has printed. Must not be held across an await.
    pub(crate) fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets it go on without its call.
    pub(crate) fn send_to_background(&self) {
        self.backgrounded.store(true, Ordering::Release);
    }

    /// True for one that goes on without its call.
    pub(crate) fn is_backgrounded(&self) -> bool {
        self.backgrounded.load(Ordering::Acquire)
    }

    /// Notes that somebody has been told of the end; true the first time.
    pub(crate) fn see_end(&self) -> bool {
        !self.end_seen.swap(true, Ordering::AcqRel)
    }

    /// Ends it and everything that it started.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stopper.stop(GRACE);
    }

    /// Since its last output.
    pub(crate) fn idle(&self) -> Duration {
        self.output().last_at.unwrap_or(self.started).elapsed()
    }

    /// Since its start, up to its end.
    pub(crate) fn run_time(&self) -> Duration {
        self.ended().map_or_else(|| self.started.elapsed(), |end| end.took)
    }

    /// True while input can be written.
    pub(crate) fn takes_input(&self) -> bool {
        self.ended().is_none() && self.input.try_lock().is_ok_and(|input| input.is_some())
    }

    /// Writes to its input, and closes it when `last`.
    ///
    /// # Errors
    /// A text for the model.
    pub(crate) async fn write(&self, text: &str, last: bool) -> Result<(), String> {
        let mut slot = self.input.lock().await;
        let input = slot.as_mut().filter(|_| self.ended().is_none());
        let Some(input) = input else { return Err(format!("Session {} stdin is not writable.", self.id)) };
        let written = tokio::time::timeout(WRITE_BUDGET, input.write_all(text.as_bytes())).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(format!("Session {} stdin is not writable: {error}", self.id)),
            Err(_) => return Err(format!("Session {} does not read its input.", self.id)),
        }
        if last {
            // A terminal has no end to close: its own character says so.
            if self.terminal {
                let _ = tokio::time::timeout(WRITE_BUDGET, input.write_all(b"\x04")).await;
            } else {
                *slot = None;
            }
        }
        Ok(())
    }
}

/// All commands.
#[derive(Default)]
pub(crate) struct Sessions {
    all: Mutex<BTreeMap<String, Arc<Session>>>,
    closing: CancellationToken,
    tasks: tokio_util::task::TaskTracker,
}

impl Sessions {
    /// Starts a command.
    ///
    /// # Errors
    /// A text for the model.
    pub(crate) fn start(&self, spec: Spec) -> Result<Arc<Session>, String> {
        if self.closing.is_cancelled() {
            return Err("the gateway is stopping".into());
        }
        self.forget_old();
        if self.list().iter().filter(|s| s.ended().is_none()).count() >= MOST_RUNNING {
            return Err(format!("{MOST_RUNNING} commands run already; end one of them with `process`"));
        }
        let mut command = WorkerCommand::new(&spec.shell);
        command.args = vec!["-c".into(), spec.command.clone().into()];
        command.env = spec.env;
        command.cwd = spec.cwd.clone();
        command.guard = spec.guard;
        command.oom_score = Some(500);
        let input = if spec.terminal { TERMINAL } else { CommandInput::Pipe };
        let process = spawn_command(&command, input).map_err(|e| e.to_string())?;
        let CommandProcess { input, stdout, stderr, mut status, mut control } = process;
        let (tell_pid, pid) = watch::channel(None);
        let session = Arc::new(Session {
            id: self.fresh_id(),
            command: spec.command,
            cwd: spec.cwd,
            agent: spec.agent,
            terminal: spec.terminal,
            started_at_ms: now_ms(),
            started: Instant::now(),
            output: Mutex::new(Output::new(spec.terminal)),
            input: tokio::sync::Mutex::new(Some(input)),
            pid,
            end: watch::channel(None).0,
            stopper: control.stopper(),
            stopped: AtomicBool::new(false),
            backgrounded: AtomicBool::new(false),
            end_seen: AtomicBool::new(false),
        });
        self.lock().insert(session.id.clone(), session.clone());
        let (watched, closing) = (session.clone(), self.closing.clone());
        let readers = [self.tasks.spawn(read(session.clone(), stdout)), self.tasks.spawn(read(session.clone(), stderr))];
        self.tasks.spawn(async move {
            let ended = async {
                tell_pid.send_replace(status.pid().await);
                status.ended().await
            };
            let over = async {
                match spec.timeout {
                    Some(limit) => tokio::time::sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(ended);
            let (mut timed_out, how) = (
                false,
                tokio::select! {
                    how = &mut ended => Some(how),
                    () = over => None,
                    () = closing.cancelled() => None,
                },
            );
            let how = match how {
                Some(how) => how,
                None => {
                    timed_out = !closing.is_cancelled();
                    watched.stopper.stop(if timed_out { GRACE } else { Duration::ZERO });
                    ended.await
                }
            };
            // What it left running may hold its output open.
            let all_read = futures_all(readers);
            let _ = tokio::time::timeout(AFTER_END, all_read).await;
            watched.finish(how, timed_out);
            // Held until nothing of it runs any more: dropping it would end what it left running.
            tokio::select! {
                _ = control.wait() => {}
                () = closing.cancelled() => drop(control.kill_tree(Duration::ZERO).await),
            }
        });
        Ok(session)
    }

    /// A command of this agent.
    pub(crate) fn get(&self, agent: &str, id: &str) -> Option<Arc<Session>> {
        self.lock().get(id.trim()).filter(|session| session.agent == agent).cloned()
    }

    /// Commands of this agent, newest first.
    pub(crate) fn of(&self, agent: &str) -> Vec<Arc<Session>> {
        self.forget_old();
        let mut own: Vec<_> = self.list().into_iter().filter(|s| s.agent == agent).collect();
        own.sort_by_key(|s| std::cmp::Reverse(s.started_at_ms));
        own
    }

    /// Takes a command out of the lists.
    pub(crate) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// True once the gateway stops.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Ends all commands, and waits until none is left.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE * 3, self.tasks.wait()).await.is_err() {
            tracing::warn!(target: "tools", "a command did not end in time; its guard ends it");
        }
    }

    fn forget_old(&self) {
        let mut all = self.lock();
        all.retain(|_, session| session.ended().is_none_or(|end| now_ms() - end.at_ms < KEEP.as_millis() as i64));
        let mut ended: Vec<(i64, String)> = all.values().filter_map(|s| Some((s.ended()?.at_ms, s.id.clone()))).collect();
        ended.sort_unstable();
        for (_, id) in ended.iter().take(ended.len().saturating_sub(MOST_ENDED)) {
            all.remove(id);
        }
    }

    /// Short, since models type it.
    fn fresh_id(&self) -> String {
        let all = self.lock();
        loop {
            let id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(8).collect();
            if !all.contains_key(&id) {
                return id;
            }
        }
    }

    fn list(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    // The map holds no invariant that a panic could break.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn finish(&self, how: Ended, timed_out: bool) {
        let (code, signal) = match how {
            Ended::Code(code) => (Some(code), None),
            Ended::Signal(signal) => (None, Some(signal)),
            Ended::Unknown => (None, None),
        };
        let stopped = self.stopped.load(Ordering::Acquire);
        let end = End { code, signal, timed_out, stopped, took: self.started.elapsed(), at_ms: now_ms() };
        if let Ok(mut input) = self.input.try_lock() {
            *input = None;
        }
        self.end.send_replace(Some(end));
    }
}

async fn futures_all(readers: [tokio::task::JoinHandle<()>; 2]) {
    for reader in readers {
        let _ = reader.await;
    }
}

async fn read(session: Arc<Session>, mut from: impl AsyncRead + Unpin) {
    let mut decoder = output::Decoder::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let (count, done) = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => (0, true),
            Ok(count) => (count, false),
        };
        let text = decoder.decode(&buffer[..count], done);
        let wants_position = session.output().push(&text);
        // A program that asks the terminal where its cursor is waits for the answer.
        if wants_position && session.terminal {
            let _ = session.write("\u{1b}[1;1R", false).await;
        }
        if done {
            return;
        }
    }
}
