//! The queue of one client, and the wish to close it.

use crate::ws::ClientInfo;
use chela_gateway_protocol::limits::{close, truncate_close_reason};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

/// A wish to close a connection; the first one counts.
#[derive(Debug, Default)]
pub struct CloseRequest {
    wanted: CancellationToken,
    frame: OnceLock<(u16, String)>,
}

impl CloseRequest {
    /// Asks for the connection to be closed once what is queued has been sent.
    pub fn request(&self, code: u16, reason: &str) {
        if self.frame.set((code, truncate_close_reason(reason).to_owned())).is_ok() {
            self.wanted.cancel();
        }
    }

    /// Resolves when someone has asked.
    pub async fn requested(&self) {
        self.wanted.cancelled().await;
    }

    /// Whether someone has asked.
    pub fn is_requested(&self) -> bool {
        self.wanted.is_cancelled()
    }

    /// Code and reason, once asked.
    pub fn frame(&self) -> Option<&(u16, String)> {
        self.frame.get()
    }
}

/// A message in a queue. Its head is shared by all clients that get the same event, so that a large one waits only once in memory.
#[derive(Debug, Clone)]
pub struct Outgoing {
    head: Utf8Bytes,
    tail: String,
}

impl Outgoing {
    /// A message of two parts, which follow one another.
    pub fn new(head: Utf8Bytes, tail: String) -> Self {
        Outgoing { head, tail }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Both parts.
    pub fn parts(&self) -> (&str, &str) {
        (&self.head, &self.tail)
    }

    /// The whole text.
    pub fn into_text(self) -> Utf8Bytes {
        if self.tail.is_empty() { self.head } else { [self.head.as_str(), &self.tail].concat().into() }
    }
}

/// A connected client as the bus sees it.
#[derive(Debug)]
pub struct ClientHandle {
    /// Who it is.
    pub info: Arc<ClientInfo>,
    /// The wish to close it.
    pub close: CloseRequest,
    queue: mpsc::UnboundedSender<Outgoing>,
    buffered: AtomicUsize,
    max_buffered: usize,
    seq: Mutex<u64>,
}

impl ClientHandle {
    /// A handle and the end of its queue that the connection reads.
    pub(crate) fn new(info: Arc<ClientInfo>, max_buffered: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<Outgoing>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let handle =
            ClientHandle { info, close: CloseRequest::default(), queue, buffered: AtomicUsize::new(0), max_buffered, seq: Mutex::new(0) };
        (Arc::new(handle), receiver)
    }

    /// Queues a response. Responses are never dropped; a client that reads none of them is closed (GW-96).
    pub(crate) fn send_response(&self, text: String) {
        if self.is_slow() {
            self.close.request(close::POLICY, "slow consumer");
            return;
        }
        self.push(Outgoing::new(text.into(), String::new()));
    }

    /// Queues an event; `tail` completes its head with the client's number. Whether it was queued.
    pub(crate) fn send_event(
        &self,
        head: &Utf8Bytes,
        sequenced: bool,
        drop_if_slow: bool,
        tail: impl FnOnce(Option<u64>) -> String,
    ) -> bool {
        // Held until the frame is queued, so that numbers arrive in order.
        let mut seq = self.seq.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = self.is_slow();
        if slow && !drop_if_slow {
            self.close.request(close::POLICY, "slow consumer");
            return false;
        }
        let number = sequenced.then(|| {
            *seq += 1;
            *seq
        });
        if slow {
            return false;
        }
        self.push(Outgoing::new(head.clone(), tail(number)))
    }

    /// Notes that bytes have left for the socket.
    pub(crate) fn sent(&self, bytes: usize) {
        self.buffered.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn is_slow(&self) -> bool {
        self.buffered.load(Ordering::Relaxed) > self.max_buffered
    }

    fn push(&self, message: Outgoing) -> bool {
        self.buffered.fetch_add(message.len(), Ordering::Relaxed);
        // Fails only when the connection has ended; then nobody counts any more.
        self.queue.send(message).is_ok()
    }
}
