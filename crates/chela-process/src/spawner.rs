//! The spawner: one small process (the same binary once more) from which every guard is forked.
//!
//! A fork without exec shares all pages that the loader had to write into, which is most of what a guard of its own would take: about
//! 1 MiB of addresses in a binary of this size. The first worker starts the spawner; it ends when its socket does, so with the gateway,
//! by whatever signal. When it dies alone, guards and workers go on, and the next worker starts a new one. (Where Yama lets a process
//! look into its descendants only, connections of a confined worker without its spawner are denied until it starts anew.)
//!
//! A request is a length (4 bytes, little-endian), with the guard's descriptors beside its first byte, and then that many bytes: the
//! directory and the guard's arguments, each with a zero byte behind it. The answer is the guard's process id with a descriptor of it,
//! or an error's number below zero; 4 bytes, little-endian.

mod process;

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal};

use crate::cgroup::Cgroups;

pub(crate) use process::main;

/// First argument that makes the binary the spawner.
pub const SPAWNER_ARG: &str = "__spawner";

/// Most descriptors of a request: standard ones, the status, two lanes, the marks, the channel for connections.
const MOST_DESCRIPTORS: usize = 8;

/// Most bytes of a request. The kernel takes less as arguments and environment of a program.
const MOST_BYTES: usize = 16 << 20;

/// Longest time for a start. A spawner that takes longer, on whatever machine, is replaced.
const PATIENCE: Duration = Duration::from_secs(60);

/// A guard as the spawner started it.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) pid: u32,
    /// Names the guard even when its number has become another's.
    pub(crate) fd: Option<OwnedFd>,
}

/// Why no guard was started.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The system refused; another attempt would end the same way.
    Told(io::Error),
    /// The spawner has gone. Whether it started the guard is not known, so the same descriptors must not be used again.
    Lost(io::Error),
}

/// The gateway's end of a spawner.
struct Spawner {
    binary: PathBuf,
    socket: UnixStream,
    process: Option<OwnedFd>,
}

/// One for each binary that acts as a guard: in a gateway that is itself and nothing else.
static SPAWNERS: Mutex<Vec<Spawner>> = Mutex::new(Vec::new());

/// Has a guard forked that runs in `cwd`, with `words` as its arguments. `descriptors` are its standard ones, where its exit status
/// goes, and then those from number 3 on. Must be called inside a tokio runtime.
pub(crate) fn fork_guard(binary: &Path, cwd: &Path, words: &[OsString], descriptors: &[BorrowedFd<'_>]) -> Result<Forked, Refusal> {
    let body = encode(cwd, words).map_err(Refusal::Told)?;
    let mut spawners = SPAWNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let at = match spawners.iter().position(|one| one.binary == binary) {
        Some(at) => at,
        None => {
            spawners.push(Spawner::start(binary).map_err(Refusal::Told)?);
            spawners.len() - 1
        }
    };
    match spawners[at].ask(&body, descriptors) {
        Ok(answer) => answer.map_err(Refusal::Told),
        Err(error) => {
            spawners.swap_remove(at).kill();
            Err(Refusal::Lost(error))
        }
    }
}

/// Ends the spawner and reaps it, for a process that is about to become another program: that one would not know of a child of this one.
/// Guards that still run see their gateway gone. Blocks for a moment; the next worker would start a new spawner.
pub fn end_spawner() {
    let spawners = std::mem::take(&mut *SPAWNERS.lock().unwrap_or_else(PoisonError::into_inner));
    for Spawner { socket, process, .. } in spawners {
        drop(socket);
        if let Some(process) = process {
            // It has nothing left to do, and this does not wait for it to see that.
            let _ = pidfd_send_signal(&process, Signal::KILL);
            // An error means that the runtime has reaped it already.
            let _ = rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

fn encode(cwd: &Path, words: &[OsString]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    for word in [cwd.as_os_str()].into_iter().chain(words.iter().map(OsString::as_os_str)) {
        if word.as_bytes().contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path, an argument or a variable has a zero byte in it"));
        }
        body.extend_from_slice(word.as_bytes());
        body.push(0);
    }
    if body.len() > MOST_BYTES {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    Ok(body)
}

impl Spawner {
    fn start(binary: &Path) -> io::Result<Self> {
        // A process that stays in the gateway's cgroup would keep it from being divided later.
        let _ = Cgroups::of_process();
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut command = tokio::process::Command::new(binary);
        command.arg0("chela").arg(SPAWNER_ARG).env_clear().current_dir("/");
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        // Dropped: the runtime reaps it whenever it ends.
        let child = command.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok(Self { binary: binary.into(), socket, process })
    }

    /// The outer error is that of the connection.
    fn ask(&mut self, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<io::Result<Forked>> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?.to_le_bytes();
        send(&self.socket, length, descriptors)?;
        self.socket.write_all(body)?;
        let (answer, fds) = receive(&self.socket)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = i32::from_le_bytes(answer);
        Ok(match u32::try_from(number) {
            Ok(pid) => Ok(Forked { pid, fd: fds.into_iter().next() }),
            Err(_) => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
        })
    }

    /// For one that does not answer; without effect on one that has ended.
    fn kill(self) {
        if let Some(process) = &self.process {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

/// Sends four bytes with descriptors.
fn send(socket: &UnixStream, bytes: [u8; 4], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !message.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors"));
    }
    let sent = rustix::io::retry_on_intr(|| rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut message, SendFlags::NOSIGNAL))?;
    (&mut &*socket).write_all(&bytes[sent..])
}

/// Receives four bytes with descriptors; `None` when the other side has gone.
fn receive(socket: &UnixStream) -> io::Result<Option<([u8; 4], Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0_u8; 4];
    let got = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut message, RecvFlags::CMSG_CLOEXEC)
    })?;
    if got.bytes == 0 {
        return Ok(None);
    }
    let mut fds = Vec::new();
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = part {
            fds.extend(more);
        }
    }
    (&mut &*socket).read_exact(&mut bytes[got.bytes..])?;
    Ok(Some((bytes, fds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_no_zero_bytes_and_a_limit() {
        let words = |word: &str| [OsString::from(word)];
        assert_eq!(encode(Path::new("/a"), &words("b c")).unwrap(), b"/a\0b c\0");
        assert_eq!(encode(Path::new("/a"), &words("b\0c")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(encode(Path::new("/a"), &words(&"x".repeat(MOST_BYTES))).unwrap_err().raw_os_error(), Some(libc::E2BIG));
    }

    #[test]
    fn descriptors_come_with_the_first_byte() {
        let (one, two) = UnixStream::pair().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        send(&one, *b"abcd", &[writer.as_fd()]).unwrap();
        drop(writer);
        let (bytes, fds) = receive(&two).unwrap().unwrap();
        assert_eq!((&bytes, fds.len()), (b"abcd", 1));
        std::fs::File::from(fds.into_iter().next().unwrap()).write_all(b"hi").unwrap();
        let mut text = String::new();
        { reader }.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hi");
        drop(one);
        assert!(receive(&two).unwrap().is_none());
    }
}
