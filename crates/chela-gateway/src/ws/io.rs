//! A stream that gives a client only so many bytes until it has shown who it is (GW-13).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counts bytes until [`LimitedIo::lift`] is called, and fails reading beyond the limit. Without it a stranger
/// could make the frame decoder hold a frame of the full size before anyone looks at it.
#[derive(Debug)]
pub(crate) struct LimitedIo<S> {
    inner: S,
    left: Option<usize>,
}

/// The error of a read beyond the limit.
#[derive(Debug, thiserror::Error)]
#[error("preauth payload too large")]
pub(crate) struct PreauthLimit;

impl<S> LimitedIo<S> {
    pub(crate) fn new(inner: S, limit: usize) -> Self {
        LimitedIo { inner, left: Some(limit) }
    }

    pub(crate) fn lift(&mut self) {
        self.left = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LimitedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == Some(0) {
            return Poll::Ready(Err(io::Error::other(PreauthLimit)));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LimitedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
