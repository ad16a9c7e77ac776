//! Streams that a worker owns and the host reads.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use chela_plugin::CallError;
use chela_plugin_protocol::Frame;
use futures::Stream;
use serde_json::Value;
use tokio::sync::mpsc;

use super::Connection;
use crate::handles::{number_of, tag_value};

/// Items that the host asks for ahead of its reader.
const WINDOW: usize = 32;

type Item = Result<Value, CallError>;

/// The connection's end of a stream.
pub(crate) struct StreamSink(mpsc::Sender<Item>);

impl StreamSink {
    /// Ends the stream with an error.
    pub(crate) fn fail(self, error: CallError) {
        // The last place is kept for this: see `Connection::stream_item`.
        let _ = self.0.try_send(Err(error));
    }
}

/// A stream of a worker, such as the body of an HTTP response. Dropping it tells the worker that nobody reads on.
#[derive(Debug)]
pub struct WorkerStream {
    connection: Weak<Connection>,
    number: u64,
    items: mpsc::Receiver<Item>,
    /// Items asked for that have not come yet.
    asked: usize,
    ended: bool,
}

impl Connection {
    /// Opens the stream behind a tagged handle. A stream can be opened once.
    pub(crate) fn open_stream(self: &Arc<Self>, handle: u64) -> Result<WorkerStream, CallError> {
        let number = number_of(handle);
        let (sink, items) = mpsc::channel(WINDOW + 1);
        let mut tables = self.tables();
        if tables.closed {
            return Err(self.gone());
        }
        if tables.streams.contains_key(&number) {
            return Err(CallError::refused("INVALID_PARAMS", "the stream is being read already"));
        }
        tables.streams.insert(number, StreamSink(sink));
        Ok(WorkerStream { connection: Arc::downgrade(self), number, items, asked: 0, ended: false })
    }

    pub(super) fn stream_item(&self, number: u64, mut value: Value) {
        tag_value(self.run, &mut value);
        let mut tables = self.tables();
        let Some(sink) = tables.streams.get(&number) else {
            return;
        };
        // One place stays free for the error of a stream that sends what nobody asked for.
        if sink.0.capacity() > 1 && sink.0.try_send(Ok(value)).is_ok() {
            return;
        }
        if let Some(sink) = tables.streams.remove(&number) {
            sink.fail(CallError::refused("PROTOCOL", "the plugin sent more of a stream than the host had asked for"));
        }
    }
}

impl Stream for WorkerStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.asked <= WINDOW / 2
            && let Some(connection) = self.connection.upgrade()
        {
            let more = WINDOW - self.asked;
            self.asked = WINDOW;
            connection.send(&Frame::Pull { s: self.number, n: more as u64 });
        }
        let item = std::task::ready!(self.items.poll_recv(context));
        self.asked = self.asked.saturating_sub(1);
        self.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl Drop for WorkerStream {
    fn drop(&mut self) {
        let Some(connection) = self.connection.upgrade() else {
            return;
        };
        let open = connection.tables().streams.remove(&self.number).is_some();
        if open && !connection.closed.is_cancelled() {
            connection.send(&Frame::Close { s: self.number });
        }
    }
}
