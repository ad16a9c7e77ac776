//! Streams that the host owns and a worker reads.

use std::sync::Arc;

use chela_plugin::{CallError, HostStream};
use chela_plugin_protocol::Frame;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Connection;
use crate::convert;

/// Most items that a worker may ask for ahead.
const MOST_CREDIT: usize = 1024;

/// How many items a worker is ready for.
pub(crate) struct Credit {
    items: Semaphore,
    ended: CancellationToken,
}

impl Credit {
    fn new() -> Self {
        Self { items: Semaphore::new(0), ended: CancellationToken::new() }
    }

    /// The worker is ready for `count` more.
    pub(crate) fn add(&self, count: u64) {
        let room = MOST_CREDIT.saturating_sub(self.items.available_permits());
        self.items.add_permits(usize::try_from(count).unwrap_or(room).min(room));
    }

    /// Nobody reads on.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    async fn take(&self) -> Option<()> {
        self.items.acquire().await.ok().map(tokio::sync::SemaphorePermit::forget)
    }
}

impl Connection {
    /// Makes streams readable by the worker; each lives until it ends, the worker closes it, or the lane is closed.
    pub(crate) fn offer_streams(self: &Arc<Self>, streams: Vec<(u64, HostStream)>) {
        for (number, stream) in streams {
            let credit = Arc::new(Credit::new());
            {
                let mut tables = self.tables();
                if tables.closed {
                    return;
                }
                tables.offered.insert(number, credit.clone());
            }
            tokio::spawn(send_items(self.clone(), number, credit, stream));
        }
    }

    /// Ends a stream that [`Connection::offer_streams`] began, and tells the worker.
    pub(crate) fn break_stream(&self, number: u64) {
        self.withdraw_stream(number);
        if !self.closed.is_cancelled() {
            let error = CallError::refused("CANCELLED", "the call that the stream belongs to has failed");
            self.send(&Frame::End { s: number, err: Some(convert::to_wire(&error)) });
        }
    }

    /// The worker no longer wants a stream; its source is dropped.
    pub(super) fn withdraw_stream(&self, number: u64) {
        if let Some(credit) = self.tables().offered.remove(&number) {
            credit.end();
        }
    }
}

async fn send_items(connection: Arc<Connection>, number: u64, credit: Arc<Credit>, mut stream: HostStream) {
    let work = async {
        loop {
            credit.take().await?;
            // Bulk data wait while calls are under way to a worker that is busy, or they could fill its queue to the limit.
            connection.out.room().await;
            match stream.next().await {
                Some(Ok(value)) => connection.send(&Frame::Chunk { s: number, v: value }),
                Some(Err(error)) => return Some(Some(error)),
                None => return Some(None::<CallError>),
            }
        }
    };
    let ended = tokio::select! {
        ended = work => ended,
        () = credit.ended.cancelled() => None,
        () = connection.closed.cancelled() => None,
    };
    connection.tables().offered.remove(&number);
    if let Some(error) = ended {
        connection.send(&Frame::End { s: number, err: error.as_ref().map(convert::to_wire) });
    }
}
