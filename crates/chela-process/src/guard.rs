//! The guard: `[--grace-ms N] [--nofile N] [--oom-score N] [--cgroup DIR] [--sandbox JSON] [--env NAME=VALUE]... -- program args...`.
//!
//! It is a fork of the spawner (see [`crate::spawner`]), which gives it these arguments. It expects a pipe from the gateway as standard
//! input (its *lifeline*), the worker's lanes as descriptors 3 and 4, and the worker's standard output and error as its own. It adopts every descendant of the worker (child subreaper), so that even one that forked
//! twice and started a session of its own stays below it, and leaves only when none is left.
//!
//! The lifeline tells of the gateway's death by any signal: its end closes then. A parent-death signal would do the same only as long
//! as the thread that spawned the guard lives. The worker itself has one, tied to the guard's only thread.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions};

use crate::sandbox::{Prepared, Sandbox, notify};
use crate::spawner::SPAWNER_ARG;
use crate::tree::{ProcessRow, ProcessTable, signal_row};

/// Exit code when the worker could not be started; the reason is on standard error.
pub const EXIT_CANNOT_START: u8 = 125;

/// Name that `ps` and `/proc/<pid>/comm` show.
const COMM: &std::ffi::CStr = c"chela-guard";

/// Time that descendants get after `SIGTERM` when the gateway is gone and cannot say.
const DEFAULT_GRACE: Duration = Duration::from_millis(2000);

/// Time that descendants get when the worker has ended by itself.
const AFTER_EXIT_GRACE: Duration = Duration::from_millis(200);

/// Descriptors that belong to the worker: its two lanes and its marks.
const LANES: [RawFd; 3] = [3, 4, crate::marks::MARKS];

/// The descriptor through which a sandboxed worker asks for connections, when it does.
pub(crate) const ASKING: RawFd = 6;

/// Of a command: its input, and where the guard tells about it.
const INPUT: RawFd = 3;
const NEWS: RawFd = 4;

/// Descriptors of the guard itself start here.
pub(crate) const FIRST_OWN_FD: RawFd = 10;

/// Where a command gets its input from. Such a guard has no lanes: descriptor 3 is the input, and through descriptor 4 it tells the
/// command's process id and, later, how it ended, each as 4 bytes. It stays for what the command left running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// Descriptor 3 becomes the standard input.
    Pipe,
    /// Descriptor 3 is a terminal, which becomes the controlling one and all three standard descriptors.
    Terminal,
}

/// What the gateway asks of the guard.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    grace: Duration,
    nofile: Option<u64>,
    oom_score: Option<i32>,
    cgroup: Option<std::path::PathBuf>,
    sandbox: Option<Sandbox>,
    input: Option<Input>,
    /// The worker's whole environment.
    env: Vec<(OsString, OsString)>,
    program: OsString,
    args: Vec<OsString>,
}

/// Runs as the spawner of guards when the process was started as one. Call it first thing in `main`, before any thread is started.
pub fn run_if_requested() -> Option<ExitCode> {
    (std::env::args_os().nth(1)? == SPAWNER_ARG).then(|| ExitCode::from(crate::spawner::main()))
}

/// The guard's main function. Returns the worker's exit code (128 + n after signal n).
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    match parse(args.into_iter()).map_err(io::Error::other).and_then(|options| Guard::start(&options)) {
        Ok(mut guard) => {
            // It sleeps from here on, for as long as the worker lives.
            crate::memory::trim_heap();
            guard.run()
        }
        Err(error) => {
            // Standard error is the only channel that a guard without a worker has.
            let _ = writeln!(io::stderr(), "chela-guard: {error}");
            EXIT_CANNOT_START
        }
    }
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Options, String> {
    let mut options = Options {
        grace: DEFAULT_GRACE,
        nofile: None,
        oom_score: None,
        cgroup: None,
        sandbox: None,
        input: None,
        env: Vec::new(),
        program: OsString::new(),
        args: Vec::new(),
    };
    loop {
        let name = args.next().ok_or("no program given; the guard is started by the gateway, not by hand")?;
        if name == "--" {
            break;
        }
        let value = args.next().unwrap_or_default();
        if name == "--env" {
            options.env.push(variable(&value));
            continue;
        }
        let value = value.into_string().unwrap_or_default();
        let bad = || format!("bad value `{value}` for `{}`", name.display());
        match name.to_str() {
            Some("--grace-ms") => options.grace = Duration::from_millis(value.parse().map_err(|_| bad())?),
            Some("--nofile") => options.nofile = Some(value.parse().map_err(|_| bad())?),
            Some("--oom-score") => options.oom_score = Some(value.parse().map_err(|_| bad())?),
            Some("--cgroup") => options.cgroup = Some(value.into()),
            Some("--input") if value == "pipe" => options.input = Some(Input::Pipe),
            Some("--input") if value == "terminal" => options.input = Some(Input::Terminal),
            Some("--input") => return Err(bad()),
            Some("--sandbox") => options.sandbox = Some(serde_json::from_str(&value).map_err(|_| bad())?),
            _ => return Err(format!("unknown option `{}`", name.display())),
        }
    }
    options.program = args.next().ok_or("no program after `--`")?;
    options.args = args.collect();
    Ok(options)
}

/// A variable as `NAME=VALUE`.
fn variable(text: &OsStr) -> (OsString, OsString) {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let part = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    (part(&bytes[..at]), part(bytes.get(at + 1..).unwrap_or_default()))
}

/// Why the descendants have to go.
#[derive(Clone, Copy, Debug)]
struct Stop {
    grace: Duration,
}

struct Guard {
    signals: OwnedFd,
    worker: Pid,
    grace: Duration,
    status: Option<ExitStatus>,
    /// Tells how a command ended; only then is it there.
    news: Option<OwnedFd>,
    /// What a command left running may go on.
    lingers: bool,
    /// Bytes of a stop request that have arrived; a request is the grace in ms as 4 bytes, little-endian.
    request: Vec<u8>,
    lifeline_open: bool,
}

impl Guard {
    fn start(options: &Options) -> io::Result<Self> {
        // A session of its own: signals of the gateway's terminal do not reach the worker.
        let _ = rustix::process::setsid();
        let _ = rustix::thread::set_name(COMM);
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        limit(options)?;
        let signals = block_signals()?;
        let news = options.input.map(|_| own_copy(NEWS)).transpose()?;
        let worker = spawn(options)?;
        release_descriptors();
        let lingers = news.is_some();
        let guard = Self { signals, worker, grace: options.grace, status: None, news, lingers, request: Vec::new(), lifeline_open: true };
        guard.tell(worker.as_raw_pid());
        Ok(guard)
    }

    fn run(&mut self) -> u8 {
        let stop = loop {
            if let Some(stop) = self.wait_for_reason() {
                break stop;
            }
        };
        self.end_all(stop);
        let status = self.status.unwrap_or_else(|| ExitStatus::from_raw(Signal::KILL.as_raw()));
        let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1);
        u8::try_from(code).unwrap_or(1)
    }

    /// Sleeps until something happens; returns when the descendants have to go.
    fn wait_for_reason(&mut self) -> Option<Stop> {
        let (lifeline, signals) = self.poll(None);
        let told = if lifeline { self.read_lifeline() } else { None };
        let terminated = signals && self.read_signals();
        let anybody = self.reap();
        if self.status.is_some() && !(self.lingers && anybody) {
            return Some(Stop { grace: AFTER_EXIT_GRACE });
        }
        told.or(terminated.then_some(Stop { grace: self.grace }))
    }

    /// Asks everyone to leave, waits for the grace, then kills until nobody is left.
    fn end_all(&mut self, stop: Stop) {
        let mut deadline = Instant::now() + stop.grace;
        if !stop.grace.is_zero() {
            self.signal_all(Signal::TERM);
        }
        while self.reap() {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            let (lifeline, signals) = self.poll(Some(deadline - now));
            if lifeline && let Some(sooner) = self.read_lifeline() {
                deadline = deadline.min(Instant::now() + sooner.grace);
            }
            if signals {
                self.read_signals();
            }
        }
        // Whoever is killed cannot fork any more; children born meanwhile are found by the next round. Without children there are
        // no descendants: a process whose parent has ended becomes a child of this one.
        let (mut seen, mut pause) = (HashSet::new(), Duration::ZERO);
        while self.reap() {
            let rows = self.signal_all(Signal::KILL);
            let newcomers = rows.iter().filter(|row| seen.insert((row.pid, row.start))).count();
            // No pause while somebody still forks: the killing must be faster.
            pause = if newcomers > 0 { Duration::from_micros(200) } else { (pause * 2).min(Duration::from_millis(20)) };
            if self.reap() {
                std::thread::sleep(pause);
            }
        }
    }

    /// Signals every living descendant and returns them.
    fn signal_all(&self, signal: Signal) -> Vec<ProcessRow> {
        let Ok(table) = ProcessTable::read() else {
            // Without `/proc` at least the worker itself can be reached, as long as it is not reaped and the number is its own.
            if self.status.is_none() {
                let _ = rustix::process::kill_process(self.worker, signal);
            }
            return Vec::new();
        };
        let mut rows = table.descendants(std::process::id());
        rows.retain(|row| !row.zombie);
        rows.iter().for_each(|row| signal_row(row, signal));
        rows
    }

    /// Reaps everyone who has ended; false when no child is left.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    // The number may come again for a process that was left running.
                    if pid == self.worker && self.status.is_none() {
                        self.status = Some(ExitStatus::from_raw(status.as_raw()));
                        self.tell(status.as_raw());
                        self.news = None;
                    }
                }
                Ok(None) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Tells the gateway a number, where it listens.
    fn tell(&self, number: i32) {
        if let Some(news) = &self.news {
            // An error means that nobody listens.
            let _ = rustix::io::write(news, &number.to_le_bytes());
        }
    }

    /// Waits for the lifeline or a signal; true for each that has something.
    fn poll(&self, timeout: Option<Duration>) -> (bool, bool) {
        let entry = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // A negative descriptor is skipped by the kernel: a closed lifeline would report its end for ever.
        let mut fds = [entry(if self.lifeline_open { 0 } else { -1 }), entry(self.signals.as_raw_fd())];
        let ms = timeout.map_or(-1, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX).saturating_add(1));
        #[allow(unsafe_code, reason = "poll has no safe wrapper without another dependency")]
        // SAFETY: `fds` is a live array of exactly the length given.
        unsafe {
            libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms);
        }
        (fds[0].revents != 0, fds[1].revents != 0)
    }

    /// Reads the lifeline: the gateway's death, or its request to stop with a grace.
    fn read_lifeline(&mut self) -> Option<Stop> {
        let mut buffer = [0; 16];
        match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(0) => {
                self.lifeline_open = false;
                Some(Stop { grace: self.grace })
            }
            Ok(count) => {
                self.request.extend_from_slice(&buffer[..count]);
                let bytes = self.request.get(..4)?.try_into().ok()?;
                self.request.drain(..4);
                Some(Stop { grace: Duration::from_millis(u32::from_le_bytes(bytes).into()) })
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => None,
            Err(_) => {
                self.lifeline_open = false;
                Some(Stop { grace: self.grace })
            }
        }
    }

    /// Takes all waiting signals; true when one of them asks to stop.
    fn read_signals(&self) -> bool {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut stop = false;
        let mut buffer = [0_u8; SIZE];
        while matches!(rustix::io::read(&self.signals, &mut buffer), Ok(SIZE)) {
            // `ssi_signo` is the first member.
            let number = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
            stop |= number != libc::SIGCHLD.unsigned_abs();
        }
        stop
    }
}

/// Limits that the worker and everything below it inherit.
fn limit(options: &Options) -> io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    if let Some(dir) = &options.cgroup {
        crate::cgroup::enter(dir)?;
    }
    if let Some(wanted) = options.nofile {
        let hard = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let limit = Some(wanted.min(hard));
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?;
    }
    Ok(())
}

/// Turns the signals that matter into a descriptor, so that one `poll` waits for everything.
fn block_signals() -> io::Result<OwnedFd> {
    #[allow(unsafe_code, reason = "signal masks and signalfd have no safe wrapper in the dependencies")]
    // SAFETY: `set` is initialised by `sigemptyset` before it is read, all pointers are to live locals, and the descriptor that
    // `signalfd` returns is new and owned by nobody else. The process has one thread.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            libc::sigaddset(&raw mut set, signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let low = OwnedFd::from_raw_fd(fd);
        // Out of the way of the lanes, which are closed by number.
        Ok(rustix::io::fcntl_dupfd_cloexec(&low, FIRST_OWN_FD)?)
    }
}

/// A copy of an inherited descriptor that no child sees, out of the way of those that are closed by number.
fn own_copy(fd: RawFd) -> io::Result<OwnedFd> {
    #[allow(unsafe_code, reason = "the descriptor was inherited, so no owner object exists")]
    // SAFETY: the gateway passed this descriptor; it is only borrowed here, and it stays open for the call.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let copy = rustix::io::fcntl_dupfd_cloexec(borrowed, FIRST_OWN_FD)?;
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    Ok(copy)
}

/// Makes the terminal the controlling one of a session of its own, and all three standard descriptors.
fn enter_terminal(terminal: &OwnedFd) -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(terminal)?;
    rustix::stdio::dup2_stdin(terminal)?;
    rustix::stdio::dup2_stdout(terminal)?;
    rustix::stdio::dup2_stderr(terminal)?;
    Ok(())
}

/// Starts the worker. It inherits the lanes and the standard descriptors but for the lifeline.
fn spawn(options: &Options) -> io::Result<Pid> {
    let guard = rustix::process::getpid();
    let oom_score = options.oom_score.map(|score| score.to_string());
    let mut sandbox =
        options.sandbox.as_ref().map(Prepared::new).transpose().map_err(|e| io::Error::other(format!("cannot make the sandbox: {e}")))?;
    let channel = options.sandbox.as_ref().filter(|sandbox| sandbox.asks()).map(|_| notify::inherited(ASKING));
    let mut command = Command::new(&options.program);
    command.args(&options.args).env_clear().envs(options.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    let input = options.input.map(|_| own_copy(INPUT)).transpose()?;
    let terminal = match options.input {
        Some(Input::Terminal) => input,
        Some(Input::Pipe) => {
            command.stdin(input.map_or_else(Stdio::null, Stdio::from));
            None
        }
        None => None,
    };
    let prepare = move || {
        unblock_signals()?;
        if let Some(terminal) = &terminal {
            enter_terminal(terminal)?;
        }
        if let Some(score) = &oom_score {
            raise_oom_score(score);
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The guard may have died before the line above; then nobody would send that signal.
        if rustix::process::getppid() != Some(guard) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        sandbox.as_mut().map_or(Ok(()), |sandbox| confine(sandbox, channel.as_ref()))
    };
    #[allow(unsafe_code, reason = "the parent-death signal must be set between fork and exec")]
    // SAFETY: the closure makes direct system calls on data made before the fork. Where it allocates (errors, the end of a ruleset) it
    // may: the guard has one thread, so no lock of another can be held in the copy.
    unsafe {
        command.pre_exec(prepare);
    }
    let child = command.spawn().map_err(|e| io::Error::other(format!("cannot start `{}`: {e}", options.program.display())))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the worker has no process id"))
}

/// Takes the worker's rights, between fork and exec. The reason of a failure is told here: only its number survives.
fn confine(sandbox: &mut Prepared, channel: Option<&OwnedFd>) -> io::Result<()> {
    if let Some(channel) = channel {
        rustix::io::fcntl_setfd(channel, rustix::io::FdFlags::CLOEXEC)?;
    }
    sandbox.apply(channel).inspect_err(|error| {
        let _ = writeln!(io::stderr(), "chela-guard: the sandbox cannot be entered: {error}");
    })
}

/// Signals as a program expects them. A gateway that a shell started in the background ignores the interrupt key, and so would all that
/// it starts.
fn unblock_signals() -> io::Result<()> {
    #[allow(unsafe_code, reason = "the worker must not inherit the guard's blocked signals, nor what the gateway ignores")]
    // SAFETY: as in `block_signals`; these calls are async-signal-safe, and no handler is set.
    unsafe {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Makes the kernel choose the worker before the gateway when memory runs out. Best effort.
fn raise_oom_score(score: &str) {
    use rustix::fs::{Mode, OFlags, open};
    if let Ok(file) = open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&file, score.as_bytes());
    }
}

/// Closes the guard's copies of everything that belongs to the worker, so that the gateway sees the worker's end at once.
fn release_descriptors() {
    for fd in LANES {
        #[allow(unsafe_code, reason = "the descriptors were inherited, so no owner object exists")]
        // SAFETY: the guard's own descriptors are `FIRST_OWN_FD` and above, and the spawned worker has copies of these. When the gateway
        // did not pass them, closing fails without effect.
        unsafe {
            libc::close(fd);
        }
    }
    use rustix::fs::{Mode, OFlags, open};
    if let Ok(null) = open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn arguments_are_read_and_bad_ones_named() {
        let options = parse_words("--grace-ms 50 --nofile 64 --oom-score 300 -- node --a -- b").unwrap();
        assert_eq!((options.grace, options.nofile, options.oom_score), (Duration::from_millis(50), Some(64), Some(300)));
        assert_eq!((options.program, options.args.len()), ("node".into(), 3));
        let env = parse_words("--env A=b=c --env D= -- node").unwrap().env;
        assert_eq!(env, [("A".into(), "b=c".into()), ("D".into(), OsString::new())]);
        for (line, text) in [
            ("", "no program"),
            ("--", "no program after"),
            ("--nofile x -- a", "`x`"),
            ("--input x -- a", "`x`"),
            ("--what 1 -- a", "`--what`"),
        ] {
            let error = parse_words(line).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
