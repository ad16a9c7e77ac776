//! The queue of frames to a worker, bounded in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most bytes that wait for a worker; beyond it the worker counts as not reading. One frame is always accepted.
const LIMIT: usize = 32 * 1024 * 1024;

/// What a queued frame costs beyond its bytes, so that many small ones are bounded too.
const OVERHEAD: usize = 64;

/// Frames up to this many bytes are written together.
const BATCH: usize = 64 * 1024;

/// The sending half of a lane.
#[derive(Debug)]
pub(crate) struct Outgoing {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

impl Outgoing {
    /// Starts the writer task; it ends with the socket or with `closed`.
    pub(crate) fn start(socket: OwnedWriteHalf, closed: CancellationToken) -> Self {
        let (frames, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tokio::spawn(write_frames(socket, queue, waiting.clone(), closed));
        Self { frames, waiting }
    }

    /// Queues a frame; false when the worker does not keep up or is gone.
    pub(crate) fn push(&self, frame: Vec<u8>) -> bool {
        let cost = frame.len() + OVERHEAD;
        let before = self.waiting.fetch_add(cost, Ordering::Relaxed);
        if before > 0 && before + cost > LIMIT || self.frames.send(frame).is_err() {
            self.waiting.fetch_sub(cost, Ordering::Relaxed);
            return false;
        }
        true
    }
}

async fn write_frames(
    mut socket: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    closed: CancellationToken,
) {
    loop {
        let frame = tokio::select! {
            frame = queue.recv() => frame,
            () = closed.cancelled() => None,
        };
        let Some(mut bytes) = frame else { return };
        let mut cost = bytes.len() + OVERHEAD;
        while bytes.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            cost += next.len() + OVERHEAD;
            bytes.extend_from_slice(&next);
        }
        let written = tokio::select! {
            written = socket.write_all(&bytes) => written,
            () = closed.cancelled() => return,
        };
        waiting.fetch_sub(cost, Ordering::Relaxed);
        if written.is_err() {
            // The reader sees the same end and tells why.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_reader_that_sleeps_bounds_the_queue() {
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let out = Outgoing::start(ours.into_split().1, CancellationToken::new());
        let frame = vec![7; 1024 * 1024];
        let accepted = (0..100).take_while(|_| out.push(frame.clone())).count();
        assert!((30..=34).contains(&accepted), "{accepted}");
        let mut sink = vec![0; accepted * frame.len()];
        theirs.read_exact(&mut sink).await.unwrap();
        assert!(sink.iter().all(|b| *b == 7));
        tokio::time::timeout(std::time::Duration::from_secs(5), async {
            while !out.push(frame.clone()) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}
