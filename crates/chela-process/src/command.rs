//! Commands that the agent runs: like workers under a guard, but with an input, or with a terminal in place of input and output.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

use crate::spawn::{Guarded, SpawnError, WorkerCommand, WorkerControl, guard_options, start_guard, twice};

/// Where a command gets its input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandInput {
    /// A pipe.
    Pipe,
    /// A terminal of this size, which takes the output too.
    Terminal {
        /// Lines.
        rows: u16,
        /// Characters of a line.
        columns: u16,
    },
}

/// Bytes that come from a command.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;
/// Bytes that go to a command; dropping it closes a pipe.
pub type InputWriter = Pin<Box<dyn AsyncWrite + Send>>;

/// A running command.
pub struct CommandProcess {
    /// Its input.
    pub input: InputWriter,
    /// What it prints; with a terminal also what it complains about.
    pub stdout: Output,
    /// What it complains about, and why it could not be started.
    pub stderr: Output,
    /// Its process id, and how it ends.
    pub status: CommandStatus,
    /// Ends it, and waits for what it left running.
    pub control: WorkerControl,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was not started, or its guard was killed.
    Unknown,
}

/// What the guard tells about a command.
#[derive(Debug)]
pub struct CommandStatus(pipe::Receiver);

impl CommandStatus {
    /// The process id; comes first, and once. `None` when it was not started.
    pub async fn pid(&mut self) -> Option<u32> {
        u32::try_from(self.number().await?).ok()
    }

    /// How the command itself ended; what it left running may go on.
    pub async fn ended(&mut self) -> Ended {
        let Some(raw) = self.number().await else { return Ended::Unknown };
        let status = ExitStatus::from_raw(raw);
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, Some(signal)) => Ended::Signal(signal),
            (None, None) => Ended::Unknown,
        }
    }

    async fn number(&mut self) -> Option<i32> {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes).await.ok()?;
        Some(i32::from_le_bytes(bytes))
    }
}

/// Starts a command under a guard. Must be called inside a tokio runtime.
///
/// # Errors
/// See [`SpawnError`]. A program that does not exist shows as [`Ended::Unknown`], with the reason on `stderr`.
pub fn spawn_command(command: &WorkerCommand, input: CommandInput) -> Result<CommandProcess, SpawnError> {
    twice(|| start(command, input))
}

fn start(command: &WorkerCommand, input: CommandInput) -> Result<CommandProcess, SpawnError> {
    let (news, news_guard) = io::pipe().map_err(SpawnError::Descriptors)?;
    let mut options = guard_options(command)?;
    let (theirs, ours) = match input {
        CommandInput::Pipe => {
            let (theirs, ours) = io::pipe().map_err(SpawnError::Descriptors)?;
            options.extend(["--input".into(), "pipe".into()]);
            (OwnedFd::from(theirs), Ours::Pipe(pipe::Sender::from_owned_fd(ours.into()).map_err(SpawnError::Descriptors)?))
        }
        CommandInput::Terminal { rows, columns } => {
            let (terminal, theirs) = open_terminal(rows, columns).map_err(SpawnError::Descriptors)?;
            options.extend(["--input".into(), "terminal".into()]);
            (theirs, Ours::Terminal(terminal))
        }
    };
    let Guarded { stdout, stderr, control } = start_guard(command, options, &[theirs, news_guard.into()])?;
    let status = CommandStatus(pipe::Receiver::from_owned_fd(news.into()).map_err(SpawnError::Descriptors)?);
    let (input, stdout): (InputWriter, Output) = match ours {
        Ours::Pipe(sender) => (Box::pin(sender), Box::pin(stdout)),
        Ours::Terminal(terminal) => (Box::pin(Terminal(terminal.clone())), Box::pin(Terminal(terminal))),
    };
    Ok(CommandProcess { input, stdout, stderr: Box::pin(stderr), status, control })
}

enum Ours {
    Pipe(pipe::Sender),
    Terminal(Arc<AsyncFd<OwnedFd>>),
}

/// The gateway's end of a new terminal, and the command's.
fn open_terminal(rows: u16, columns: u16) -> io::Result<(Arc<AsyncFd<OwnedFd>>, OwnedFd)> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?;
    let theirs = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size)?;
    let flags = rustix::fs::fcntl_getfl(&ours)?;
    rustix::fs::fcntl_setfl(&ours, flags | OFlags::NONBLOCK)?;
    #[allow(unsafe_code, reason = "the safe constructor is deprecated, since some types change their descriptor")]
    // SAFETY: an `OwnedFd` names one open descriptor for all of its life, and `AsyncFd` owns it and deregisters it before it is closed.
    let ours = unsafe { AsyncFd::register(ours)? };
    Ok((Arc::new(ours), theirs))
}

/// The gateway's end of a terminal.
struct Terminal(Arc<AsyncFd<OwnedFd>>);

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let read = ready.try_io(|fd| {
                // The end of a terminal that nobody has open any more is an error of its own.
                match rustix::io::read(fd.as_fd(), buffer.initialize_unfilled()) {
                    Err(rustix::io::Errno::IO) => Ok(0),
                    other => Ok(other?),
                }
            });
            if let Ok(read) = read {
                return Poll::Ready(read.map(|count| buffer.advance(count)));
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            if let Ok(written) = ready.try_io(|fd| Ok(rustix::io::write(fd.as_fd(), bytes)?)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
