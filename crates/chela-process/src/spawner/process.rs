//! What the spawner does: waits for requests, forks guards, reaps them.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open};

use super::{MOST_BYTES, receive, send};
use crate::guard;

/// Name that `ps` and `/proc/<pid>/comm` show.
const COMM: &std::ffi::CStr = c"chela-spawner";

/// Where a guard finds its status pipe; beyond all that it passes on, and the first of those that are its own.
const STATUS: RawFd = guard::FIRST_OWN_FD;

/// Received descriptors are first moved here, so that none lies where another one has to go.
const ASIDE: RawFd = 32;

/// A guard that was started, with where its status goes.
struct Row {
    pid: Pid,
    status: OwnedFd,
}

/// A request as it came: the descriptors, and what [`super`] describes.
struct Request {
    descriptors: Vec<OwnedFd>,
    body: Vec<u8>,
}

/// The spawner's main function: serves the socket that is its standard input until that ends. Returns the exit code. The process must
/// have no other thread: guards are copies of it that go on without exec.
pub(crate) fn main() -> u8 {
    // A session of its own: signals of the gateway's terminal do not reach the guards.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(COMM);
    // What whoever started the gateway left open is not for workers.
    close_from(3);
    let Ok((socket, signals)) = prepare() else { return 1 };
    // Guards are copies: what only the start of a process runs would count for each of them.
    let _ = crate::memory::release_code();
    let mut rows = Vec::new();
    loop {
        let (asked, ended) = wait(&socket, &signals);
        if ended {
            drain(&signals);
            reap(&mut rows);
        }
        if asked {
            // The gateway has gone, or sends what is no request: guards see the end of their own pipes.
            let Ok(Some(request)) = next(&socket) else { return 0 };
            if serve(request, &socket, &mut rows).is_err() {
                return 0;
            }
        }
    }
}

fn prepare() -> io::Result<(UnixStream, OwnedFd)> {
    let socket = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    #[allow(unsafe_code, reason = "signal masks and signalfd have no safe wrapper in the dependencies")]
    // SAFETY: `set` is initialised by `sigemptyset` before it is read, all pointers are to live locals, and the descriptor that
    // `signalfd` returns is new and owned by nobody else. The process has one thread.
    let signals = unsafe {
        // A gateway that does not read a status any more must not end this process.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    Ok((socket, signals))
}

/// Sleeps until there is a request, or a guard that has ended.
fn wait(socket: &UnixStream, signals: &OwnedFd) -> (bool, bool) {
    let entry = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds = [entry(socket.as_raw_fd()), entry(signals.as_raw_fd())];
    #[allow(unsafe_code, reason = "poll has no safe wrapper without another dependency")]
    // SAFETY: `fds` is a live array of exactly the length given.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
    if ready < 0 { (false, false) } else { (fds[0].revents != 0, fds[1].revents != 0) }
}

fn drain(signals: &OwnedFd) {
    let mut buffer = [0_u8; 8 * size_of::<libc::signalfd_siginfo>()];
    while matches!(rustix::io::read(signals, &mut buffer), Ok(1..)) {}
}

/// Reaps guards. One that could end by itself has told how; for one that was killed it is told here, and the end of the pipe tells that
/// the guard is reaped.
fn reap(rows: &mut Vec<Row>) {
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if let Some(at) = rows.iter().position(|row| row.pid == pid) {
            let row = rows.swap_remove(at);
            if status.signaled() {
                // An error means that nobody listens.
                let _ = rustix::io::write(&row.status, &status.as_raw().to_le_bytes());
            }
        }
    }
}

/// The next request; `None` at the end.
fn next(socket: &UnixStream) -> io::Result<Option<Request>> {
    let Some((length, descriptors)) = receive(socket)? else { return Ok(None) };
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    (&mut &*socket).read_exact(&mut body)?;
    Ok(Some(Request { descriptors, body }))
}

/// Starts a guard and answers. An error means that the gateway has gone.
fn serve(request: Request, socket: &UnixStream, rows: &mut Vec<Row>) -> io::Result<()> {
    let Request { mut descriptors, mut body } = request;
    let started = start(&body, &descriptors);
    // Guards that are forked later must not hold the environment of this worker.
    body.fill(0);
    std::hint::black_box(&body);
    match started {
        Ok(pid) => {
            // It cannot be reaped before this process asks for it, so the number is its own.
            let fd = pidfd_open(pid, PidfdFlags::empty()).ok();
            rows.push(Row { pid, status: descriptors.swap_remove(3) });
            let fds: Vec<BorrowedFd<'_>> = fd.iter().map(OwnedFd::as_fd).collect();
            send(socket, pid.as_raw_pid().to_le_bytes(), &fds)
        }
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            send(socket, number.wrapping_neg().to_le_bytes(), &[])
        }
    }
}

/// Forks a guard; returns in the spawner only.
fn start(body: &[u8], descriptors: &[OwnedFd]) -> io::Result<Pid> {
    if descriptors.len() < 4 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut words = body.strip_suffix(&[0]).unwrap_or(body).split(|byte| *byte == 0).map(OsStr::from_bytes);
    // In place of the guard, which could not tell of a failure.
    rustix::process::chdir(words.next().unwrap_or_default())?;
    #[allow(unsafe_code, reason = "fork has no safe wrapper")]
    // SAFETY: the process has one thread, so no lock is held by another one, and the copy may do all that this process may. It never
    // returns from `live_as_guard`, so nothing that both own is given back twice.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        live_as_guard(words.map(OsString::from).collect(), descriptors);
    }
    let failure = io::Error::last_os_error();
    let _ = rustix::process::chdir(c"/");
    Pid::from_raw(pid).filter(|_| pid > 0).ok_or(failure)
}

/// The copy's whole life.
fn live_as_guard(words: Vec<OsString>, descriptors: &[OwnedFd]) -> ! {
    let work = move || match place(descriptors) {
        Ok(()) => guard::run(words),
        Err(_) => guard::EXIT_CANNOT_START,
    };
    // A panic must not go up into the spawner's own frames.
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(guard::EXIT_CANNOT_START);
    #[allow(unsafe_code, reason = "the copy must not run what the spawner would run at its exit")]
    // SAFETY: the descriptor was placed by `place` and is closed by nobody; writing to a wrong number has no effect but an error.
    unsafe {
        let raw = i32::from(code) << 8;
        let _ = rustix::io::write(BorrowedFd::borrow_raw(STATUS), &raw.to_le_bytes());
        libc::_exit(code.into())
    }
}

/// Gives each descriptor its number, and closes everything else: what the spawner holds is not the guard's.
fn place(descriptors: &[OwnedFd]) -> io::Result<()> {
    let aside: Vec<OwnedFd> =
        descriptors.iter().map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, ASIDE)).collect::<Result<_, _>>().map_err(io::Error::from)?;
    let lanes = (3..).take(aside.len().saturating_sub(4));
    let after_lanes = lanes.clone().last().map_or(3, |last| last + 1);
    #[allow(unsafe_code, reason = "these numbers are owned by nobody in this copy of the process: what owned them is never dropped")]
    // SAFETY: plain system calls on numbers.
    unsafe {
        for (fd, to) in aside.iter().zip([0, 1, 2, STATUS].into_iter().chain(lanes)) {
            // A number that is set this way is passed on to programs, but for the status.
            let flags = if to == STATUS { libc::O_CLOEXEC } else { 0 };
            if libc::dup3(fd.as_raw_fd(), to, flags) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for fd in after_lanes..STATUS {
            libc::close(fd);
        }
    }
    std::mem::forget(aside);
    close_from(STATUS + 1);
    Ok(())
}

/// Closes all descriptors from this number on.
fn close_from(first: RawFd) {
    #[allow(unsafe_code, reason = "closing by number has no safe wrapper")]
    // SAFETY: the callers own nothing with such a number, or will never drop it.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) != 0 {
            // Before Linux 5.9.
            let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(4096).min(65_536);
            for fd in first..i32::try_from(most).unwrap_or(4096) {
                libc::close(fd);
            }
        }
    }
}
