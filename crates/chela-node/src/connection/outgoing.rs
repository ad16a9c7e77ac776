//! The frames to a worker: written at once while it keeps up, else queued, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::socket::Socket;

/// Most bytes that wait for a worker; beyond it the worker counts as not reading. One frame is always accepted.
const LIMIT: usize = 32 * 1024 * 1024;

/// Above this many waiting bytes streams of the host wait, so that calls still find a place.
const STREAMS_WAIT: usize = 4 * 1024 * 1024;

/// What a queued frame costs beyond its bytes, so that many small ones are bounded too.
const OVERHEAD: usize = 64;

/// Frames up to this many bytes are written together.
const BATCH: usize = 64 * 1024;

/// The sending half of a lane.
///
/// A frame is written by whoever sends it: a task for that would first have to be woken, which costs as much as a handler's work.
/// Only what the socket does not take at once waits for the writer task.
#[derive(Debug)]
pub(crate) struct Outgoing(Arc<Lane>);

#[derive(Debug)]
struct Lane {
    socket: Arc<Socket>,
    queue: Mutex<Queue>,
    filled: Notify,
    /// Told whenever queued frames were written.
    written: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Vec<u8>>,
    /// What the queued frames, and those that the writer task has taken, cost.
    waiting: usize,
    /// Nothing is accepted any more.
    ended: bool,
}

impl Outgoing {
    /// Starts the writer task; it ends with the socket or with `closed`.
    pub(crate) fn start(socket: Arc<Socket>, closed: CancellationToken) -> Self {
        let lane = Arc::new(Lane { socket, queue: Mutex::default(), filled: Notify::new(), written: Notify::new() });
        tokio::spawn(write_queued(lane.clone(), closed));
        Self(lane)
    }

    /// Sends or queues a frame; false when the worker does not keep up or is gone.
    pub(crate) fn push(&self, mut frame: Vec<u8>) -> bool {
        let mut queue = self.0.queue();
        if queue.ended {
            return false;
        }
        if queue.waiting == 0 {
            // An error shows again when the writer task, or the reader, meets it.
            let written = self.0.socket.try_write(&frame).unwrap_or_default();
            if written == frame.len() {
                return true;
            }
            frame.drain(..written);
        }
        let cost = frame.len() + OVERHEAD;
        if queue.waiting > 0 && queue.waiting + cost > LIMIT {
            return false;
        }
        queue.waiting += cost;
        queue.frames.push_back(frame);
        drop(queue);
        self.0.filled.notify_one();
        true
    }

    /// Waits until the queue is short. Never returns when the writer has ended.
    pub(crate) async fn room(&self) {
        loop {
            let written = self.0.written.notified();
            let mut written = std::pin::pin!(written);
            written.as_mut().enable();
            if self.0.queue().waiting < STREAMS_WAIT {
                return;
            }
            written.await;
        }
    }
}

impl Lane {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next frames, written together, and what they cost.
    fn take(&self) -> Option<(Vec<u8>, usize)> {
        let mut queue = self.queue();
        let mut bytes = queue.frames.pop_front()?;
        let mut cost = bytes.len() + OVERHEAD;
        while bytes.len() < BATCH
            && let Some(next) = queue.frames.pop_front()
        {
            cost += next.len() + OVERHEAD;
            bytes.extend_from_slice(&next);
        }
        Some((bytes, cost))
    }

    /// Refuses further frames and tells the worker that none will come.
    fn end(&self) {
        let mut queue = self.queue();
        queue.ended = true;
        queue.frames.clear();
        self.socket.end();
    }
}

async fn write_queued(lane: Arc<Lane>, closed: CancellationToken) {
    let work = async {
        loop {
            let Some((bytes, cost)) = lane.take() else {
                lane.filled.notified().await;
                continue;
            };
            if lane.socket.write_all(&bytes).await.is_err() {
                // The reader sees the same end and tells why.
                return;
            }
            // Only now may others write past the queue: these bytes were first.
            lane.queue().waiting -= cost;
            lane.written.notify_waiters();
        }
    };
    tokio::select! {
        () = work => {}
        () = closed.cancelled() => {}
    }
    lane.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn streams_wait_while_the_queue_is_long() {
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let out = Outgoing::start(Arc::new(Socket::new(ours).unwrap()), CancellationToken::new());
        out.room().await;
        let frame = vec![7; 8 * 1024 * 1024];
        assert!(out.push(frame.clone()));
        assert!(futures::FutureExt::now_or_never(out.room()).is_none());
        let mut sink = vec![0; frame.len()];
        let (read, ()) = tokio::join!(theirs.read_exact(&mut sink), out.room());
        read.unwrap();
    }

    #[tokio::test]
    async fn a_reader_that_sleeps_bounds_the_queue() {
        let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
        let out = Outgoing::start(Arc::new(Socket::new(ours).unwrap()), CancellationToken::new());
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
