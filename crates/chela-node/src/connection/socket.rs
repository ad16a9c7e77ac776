//! The socket of a lane, watched for input only.
//!
//! A stream of the runtime is told whenever the other side takes bytes out: a thread of the gateway woke up for nothing each time a
//! worker read a frame, and often stood in the worker's way. Here room is waited for only while a frame does not fit.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One end of a lane.
#[derive(Debug)]
pub(crate) struct Socket(AsyncFd<UnixStream>);

impl Socket {
    /// Takes a stream of the runtime over.
    pub(crate) fn new(stream: tokio::net::UnixStream) -> Result<Self> {
        Ok(Self(watch(stream.into_std()?, Interest::READABLE)?))
    }

    /// Waits for bytes; 0 is the end. One reader at a time.
    pub(crate) async fn read(&self, into: &mut [u8]) -> Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            match retry_on_intr(|| recv(self.0.get_ref(), &mut *into, RecvFlags::DONTWAIT)) {
                Ok((count, _)) => {
                    // Less than there was room for is all that there was; the next bytes are a new event.
                    if count < into.len() {
                        ready.clear_ready();
                    }
                    return Ok(count);
                }
                Err(Errno::WOULDBLOCK) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes what fits now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> Result<usize> {
        push(self.0.get_ref(), bytes)
    }

    /// Writes all, waiting for room.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> Result<()> {
        let mut room: Option<AsyncFd<OwnedFd>> = None;
        while !bytes.is_empty() {
            let written = match &room {
                None => self.try_write(bytes),
                Some(room) => match room.writable().await?.try_io(|fd| push(fd.get_ref(), bytes)) {
                    Ok(written) => written,
                    Err(_full) => continue,
                },
            };
            match written {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // A second descriptor has an interest of its own, which ends with it.
                    let again = OwnedFd::from(self.0.get_ref().try_clone()?);
                    room = Some(watch(again, Interest::WRITABLE)?);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the worker that nothing more will come. A socket that is gone already needs no word.
    pub(crate) fn end(&self) {
        let _ = shutdown(self.0.get_ref(), Shutdown::Write);
    }
}

fn push(fd: impl std::os::fd::AsFd, bytes: &[u8]) -> Result<usize> {
    retry_on_intr(|| send(&fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)).map_err(Error::from)
}

#[allow(deprecated, reason = "its successor is `unsafe` for types that may close their descriptor meanwhile; these two own theirs")]
fn watch<T: std::os::fd::AsRawFd>(fd: T, interest: Interest) -> Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, interest)
}
