//! Connections that a worker asks for: the gateway reads the address, decides, and connects the worker's own socket.
//!
//! The worker waits in `connect` meanwhile. What is connected to is the gateway's copy of the address, so that a change of the
//! worker's memory after the decision has no effect. This holds for every process below the worker and for native code as well.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// Longest address that is read: that of a socket in the file system.
const MAX_ADDRESS: usize = size_of::<libc::sockaddr_un>();

/// What a worker wants to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An internet address; one of IPv4 in the form of IPv6 is of IPv4 here.
    Internet(SocketAddr),
    /// A socket in the file system, by the absolute path that was given.
    Path(PathBuf),
    /// Anything else.
    Other,
}

/// Decides about a connection.
pub type Decide = Arc<dyn Fn(&Target) -> bool + Send + Sync>;

/// Sends the listener to the gateway.
pub(super) fn send(channel: BorrowedFd<'_>, listener: &OwnedFd) -> io::Result<()> {
    let fds = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    message.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(channel, &[io::IoSlice::new(b"l")], &mut message, SendFlags::empty())?;
    Ok(())
}

fn receive(channel: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0_u8; 1];
    rustix::net::recvmsg(channel, &mut [io::IoSliceMut::new(&mut byte)], &mut message, RecvFlags::CMSG_CLOEXEC)?;
    let mut found = None;
    for part in message.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = part {
            found = fds.into_iter().next();
        }
    }
    Ok(found)
}

/// Answers the connections of one worker on a thread of its own, which ends when the last of the worker's processes has ended.
///
/// # Errors
/// When no thread can be started.
pub fn serve(channel: UnixStream, decide: Decide) -> io::Result<()> {
    let work = move || {
        let listener = match receive(&channel) {
            Ok(Some(listener)) => Arc::new(listener),
            // The worker did not start; its guard tells why.
            Ok(None) | Err(_) => return,
        };
        drop(channel);
        while let Some(question) = next(&listener) {
            answer(&listener, question, &decide);
        }
    };
    std::thread::Builder::new().name("chela-connect".into()).stack_size(128 * 1024).spawn(work).map(|_| ())
}

/// One call that waits.
#[derive(Clone, Copy)]
struct Question {
    id: u64,
    /// The thread that called.
    thread: u32,
    socket: u64,
    address: u64,
    length: u64,
}

/// Waits for a question; `None` when nobody is left who could ask.
fn next(listener: &OwnedFd) -> Option<Question> {
    loop {
        let mut entry = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        #[allow(unsafe_code, reason = "poll has no safe wrapper without another dependency")]
        // SAFETY: one live entry.
        let ready = unsafe { libc::poll(&raw mut entry, 1, -1) };
        if ready < 0 {
            if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return None;
        }
        if entry.revents & libc::POLLIN == 0 {
            return None;
        }
        #[allow(unsafe_code, reason = "plain data that the kernel wants to be zero")]
        // SAFETY: the structure consists of numbers.
        let mut asked = unsafe { std::mem::zeroed::<libc::seccomp_notif>() };
        if control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut asked).cast()).is_ok() {
            let [socket, address, length, ..] = asked.data.args;
            return Some(Question { id: asked.id, thread: asked.pid, socket, address, length });
        }
        // The caller has gone meanwhile; the next poll tells whether others are left.
    }
}

fn answer(listener: &Arc<OwnedFd>, question: Question, decide: &Decide) {
    let refuse = |errno| reply(listener, question.id, errno);
    let Some((address, socket)) = fetch(listener, &question) else { return refuse(libc::EACCES) };
    if !decide(&parse(&address)) {
        return refuse(libc::EACCES);
    }
    let waits = rustix::fs::fcntl_getfl(&socket).is_ok_and(|flags| !flags.contains(rustix::fs::OFlags::NONBLOCK));
    if !waits {
        return reply(listener, question.id, connect(&socket, &address));
    }
    // Others must not wait for a slow host. There are no more of these than threads of the worker.
    let listener_there = listener.clone();
    let work = move || reply(&listener_there, question.id, connect(&socket, &address));
    if std::thread::Builder::new().stack_size(128 * 1024).spawn(work).is_err() {
        refuse(libc::EAGAIN);
    }
}

/// The address and the socket that a caller named, as long as it waits.
fn fetch(listener: &OwnedFd, question: &Question) -> Option<(Vec<u8>, OwnedFd)> {
    let length = usize::try_from(question.length).ok().filter(|length| (2..=MAX_ADDRESS).contains(length))?;
    let address = read_memory(question.thread, question.address, length)?;
    let socket = fetch_socket(question)?;
    // Until here the number of the thread could have become another one's.
    let mut id = question.id;
    control(listener, libc::SECCOMP_IOCTL_NOTIF_ID_VALID, (&raw mut id).cast()).ok()?;
    Some((address, socket))
}

fn read_memory(thread: u32, from: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; length];
    let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let theirs = libc::iovec { iov_base: usize::try_from(from).ok()? as *mut libc::c_void, iov_len: length };
    let thread = i32::try_from(thread).ok()?;
    #[allow(unsafe_code, reason = "memory of another process has no safe wrapper")]
    // SAFETY: `ours` describes exactly `bytes`; the address of the other process is only used in that process, by the kernel.
    let count = unsafe { libc::process_vm_readv(thread, &raw const ours, 1, &raw const theirs, 1, 0) };
    (usize::try_from(count).ok() == Some(length)).then_some(bytes)
}

/// A copy of the caller's socket.
fn fetch_socket(question: &Question) -> Option<OwnedFd> {
    let number = i32::try_from(question.socket).ok()?;
    let status = fs_err::read_to_string(format!("/proc/{}/status", question.thread)).ok()?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
    let process = rustix::process::pidfd_open(rustix::process::Pid::from_raw(process)?, rustix::process::PidfdFlags::empty()).ok()?;
    rustix::process::pidfd_getfd(&process, number, rustix::process::PidfdGetfdFlags::empty()).ok()
}

fn parse(bytes: &[u8]) -> Target {
    let at = |from: usize, to: usize| bytes.get(from..to);
    let port = || at(2, 4).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
    match family {
        libc::AF_INET => match at(4, 8).and_then(|b| <[u8; 4]>::try_from(b).ok()) {
            Some(address) => Target::Internet((Ipv4Addr::from(address), port()).into()),
            None => Target::Other,
        },
        libc::AF_INET6 => match at(8, 24).and_then(|b| <[u8; 16]>::try_from(b).ok()) {
            Some(address) => Target::Internet((Ipv6Addr::from(address).to_canonical(), port()).into()),
            None => Target::Other,
        },
        libc::AF_UNIX => {
            let path = bytes[2..].split(|b| *b == 0).next().unwrap_or_default();
            if path.first() == Some(&b'/') { Target::Path(std::ffi::OsStr::from_bytes(path).into()) } else { Target::Other }
        }
        _ => Target::Other,
    }
}

/// Connects; returns the error's number, 0 without one.
fn connect(socket: &OwnedFd, address: &[u8]) -> i32 {
    let length = libc::socklen_t::try_from(address.len()).unwrap_or(0);
    #[allow(unsafe_code, reason = "the address is passed on byte by byte, in any family")]
    // SAFETY: the kernel reads exactly `length` bytes of `address`.
    let answer = unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) };
    if answer == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) }
}

fn reply(listener: &OwnedFd, id: u64, errno: i32) {
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 };
    // An error means that the caller has gone.
    let _ = control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut answer).cast());
}

fn control(listener: &OwnedFd, request: libc::Ioctl, argument: *mut libc::c_void) -> io::Result<()> {
    #[allow(unsafe_code, reason = "these requests have no safe wrapper")]
    // SAFETY: each caller passes the structure whose size is part of the request's number, alive and writable.
    let answer = unsafe { libc::ioctl(listener.as_raw_fd(), request, argument) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The end of a channel that a process inherited under a fixed number.
pub(crate) fn inherited(number: i32) -> OwnedFd {
    #[allow(unsafe_code, reason = "the descriptor was inherited, so no owner object exists")]
    // SAFETY: the gateway passes it under this number exactly when the sandbox asks, and nothing else of the guard uses it.
    unsafe {
        OwnedFd::from_raw_fd(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_would() {
        let v4 = [2, 0, 1, 187, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&v4), Target::Internet("10.0.0.1:443".parse().unwrap()));
        let mut v6 = vec![10, 0, 0, 80, 0, 0, 0, 0];
        v6.extend(Ipv4Addr::new(127, 0, 0, 1).to_ipv6_mapped().octets());
        v6.extend([0; 4]);
        assert_eq!(parse(&v6), Target::Internet("127.0.0.1:80".parse().unwrap()), "a mapped address is the one it maps");
        assert_eq!(parse(b"\x01\0/run/x.sock\0junk"), Target::Path("/run/x.sock".into()));
        for odd in [&b"\x01\0\0abstract"[..], b"\x01\0relative", b"\0\0", b"\x02\0\x01", b"\x10\0aaaaaaaa"] {
            assert_eq!(parse(odd), Target::Other);
        }
    }
}
