//! The main lane of one run of a worker: requests both ways, cancellation, streams, liveness.
//!
//! A reader task owns one half of the socket. Callers write finished frames to the other half themselves, or, while the worker does not
//! keep up, into a queue that is bounded in bytes; then they wait for their answer. No lock is held while anything is awaited.

pub(crate) mod inbound;
pub(crate) mod offered;
pub(crate) mod outgoing;
pub(crate) mod pending;
mod socket;
pub(crate) mod stream;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chela_plugin::{CallError, HostFn};
use chela_plugin_protocol::value::renumber;
use chela_plugin_protocol::{CodecError, Frame, FrameDecoder, Hello, UNANSWERED};
use chela_process::Marks;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::convert;
use crate::handles::tag_value;
use inbound::Requests;
use offered::Credit;
use outgoing::Outgoing;
use pending::Pending;
use socket::Socket;
use stream::StreamSink;

/// Most bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// Frames of one worker that are handled before all other tasks had their turn: about a tenth of a millisecond.
const FRAMES_AT_ONCE: usize = 32;

/// Result of a request: `None` is `undefined`.
pub(crate) type Answer = Result<Option<Value>, CallError>;

/// One run's main lane.
pub(crate) struct Connection {
    /// Number of the run; part of every handle that comes from it.
    pub(crate) run: u64,
    out: Outgoing,
    tables: Mutex<Tables>,
    next_id: AtomicU64,
    /// When the last request was sent, in microseconds after `begun`.
    asked_at: AtomicU64,
    begun: Instant,
    closed: CancellationToken,
    reason: OnceLock<String>,
    /// Requests on the blocking lane that the host is working on: the worker's event loop rightly stands still then.
    pub(crate) blocking: AtomicUsize,
    /// True while somebody waits whether the worker still answers.
    probing: AtomicBool,
    /// Frames that the worker has sent.
    heard: AtomicU64,
    /// True once the worker is ended because it stands still.
    stalled: AtomicBool,
    /// How far the worker came with batches of several handlers.
    marks: Marks,
    next_mark: AtomicU32,
    requests: Arc<dyn Requests>,
}

#[derive(Default)]
struct Tables {
    pending: HashMap<u64, oneshot::Sender<Answer>>,
    pongs: HashMap<u64, oneshot::Sender<()>>,
    fns: HashMap<u64, HostFn>,
    streams: HashMap<u64, StreamSink>,
    offered: HashMap<u64, Arc<Credit>>,
    inbound: HashMap<u64, CancellationToken>,
    signals: HashMap<u64, CancellationToken>,
    closed: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection(run {})", self.run)
    }
}

/// What the host does while it waits for the worker's hello.
pub(crate) struct Greeting {
    lane: Input,
    /// What the worker said.
    pub(crate) hello: Hello,
}

/// The reading side of a lane.
struct Input {
    socket: Arc<Socket>,
    decoder: FrameDecoder,
    buffer: Box<[u8]>,
}

impl Input {
    /// Reads what is there; false at the end.
    async fn read(&mut self) -> bool {
        match self.socket.read(&mut self.buffer).await {
            Ok(count @ 1..) => {
                self.decoder.push(&self.buffer[..count]);
                true
            }
            Ok(0) | Err(_) => false,
        }
    }
}

/// Reads the worker's first frame.
pub(crate) async fn greet(socket: UnixStream) -> Result<Greeting, String> {
    let socket = Arc::new(Socket::new(socket).map_err(|error| format!("the lane cannot be watched: {error}"))?);
    let mut lane = Input { socket, decoder: FrameDecoder::new(), buffer: vec![0; READ_BYTES].into() };
    loop {
        match lane.decoder.next_frame() {
            Ok(Some(Frame::Hello(hello))) => {
                return Ok(Greeting { lane, hello });
            }
            Ok(Some(Frame::Bye { reason })) => return Err(format!("the worker left: {reason}")),
            Ok(Some(_)) => return Err("the worker's first frame is not a `hello`".into()),
            Ok(None) => {}
            Err(error) => return Err(format!("the worker's first frame is not valid: {error}")),
        }
        if !lane.read().await {
            return Err("the worker ended before its `hello`".into());
        }
    }
}

impl Greeting {
    /// Answers the hello and starts the two tasks.
    pub(crate) fn accept(self, run: u64, hello: &Frame, requests: Arc<dyn Requests>, marks: Marks) -> Arc<Connection> {
        let closed = CancellationToken::new();
        let out = Outgoing::start(self.lane.socket.clone(), closed.clone());
        let connection = Arc::new(Connection {
            run,
            out,
            tables: Mutex::default(),
            next_id: AtomicU64::new(1),
            asked_at: AtomicU64::new(0),
            begun: Instant::now(),
            closed,
            reason: OnceLock::new(),
            blocking: AtomicUsize::new(0),
            probing: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            stalled: AtomicBool::new(false),
            marks,
            next_mark: AtomicU32::new(1),
            requests,
        });
        connection.send(hello);
        tokio::spawn(read_frames(connection.clone(), self.lane));
        connection
    }

    /// Tells the worker why it is not wanted.
    pub(crate) async fn refuse(self, reason: &str) {
        if let Ok(bytes) = (Frame::Bye { reason: reason.into() }).encode() {
            // A worker that does not read loses only the explanation.
            let _ = tokio::time::timeout(Duration::from_millis(500), self.lane.socket.write_all(&bytes)).await;
        }
    }
}

async fn read_frames(connection: Arc<Connection>, mut lane: Input) {
    let mut handled = 0_usize;
    loop {
        loop {
            match lane.decoder.next_frame() {
                Ok(Some(frame)) => {
                    connection.clone().dispatch(frame);
                    handled += 1;
                    if handled.is_multiple_of(FRAMES_AT_ONCE) {
                        // A worker that floods its lane must not keep others off this thread.
                        tokio::task::yield_now().await;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    return connection.close(&format!("it sent what is no frame: {error}"));
                }
            }
        }
        let more = tokio::select! {
            more = lane.read() => more,
            () = connection.closed.cancelled() => return,
        };
        if !more {
            // The worker has ended, or is about to.
            return connection.closed.cancel();
        }
    }
}

impl Connection {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fires when the lane is closed, from either side.
    pub(crate) fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Why the host closed the lane; `None` when the worker did, whose exit tells more.
    pub(crate) fn close_reason(&self) -> Option<String> {
        self.reason.get().cloned()
    }

    /// Closes the lane. Calls in flight stay until [`Connection::fail_all`], so that they can tell how the process ended.
    pub(crate) fn close(&self, reason: &str) {
        let _ = self.reason.set(reason.into());
        self.closed.cancel();
    }

    pub(crate) fn gone(&self) -> CallError {
        convert::gone(self.requests.label(), self.close_reason().unwrap_or_else(|| "its worker closed the connection".into()))
    }

    /// Ends everything that waits for this run.
    pub(crate) fn fail_all(&self, reason: &str) {
        self.close(reason);
        let gone = || convert::gone(self.requests.label(), reason);
        let tables = {
            let mut tables = self.tables();
            std::mem::replace(&mut *tables, Tables { closed: true, ..Tables::default() })
        };
        tables.pending.into_values().for_each(|waiting| drop(waiting.send(Err(gone()))));
        tables.streams.into_values().for_each(|sink| sink.fail(gone()));
        tables.offered.into_values().for_each(|credit| credit.end());
        tables.inbound.into_values().for_each(|token| token.cancel());
    }

    /// Sends a frame that is not a request; a worker that does not read is ended.
    pub(crate) fn send(&self, frame: &Frame) {
        match frame.encode() {
            Ok(bytes) => {
                if !self.out.push(bytes) && !self.closed.is_cancelled() {
                    self.close("plugin is not reading");
                }
            }
            Err(error) => tracing::warn!(plugin = self.requests.label(), "a frame could not be sent: {error}"),
        }
    }

    /// Sends a request. The answer comes through the returned object; dropping it cancels the request.
    pub(crate) fn request(self: &Arc<Self>, encode: impl FnOnce(u64) -> Result<Vec<u8>, CodecError>) -> Result<Pending, CallError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let bytes = encode(id).map_err(|e| CallError::refused("TOO_LARGE", format!("the call cannot be sent to the plugin: {e}")))?;
        self.mark_asked();
        let (answer, waiting) = oneshot::channel();
        {
            let mut tables = self.tables();
            if tables.closed || self.closed.is_cancelled() {
                return Err(self.gone());
            }
            tables.pending.insert(id, answer);
        }
        if !self.out.push(bytes) {
            self.tables().pending.remove(&id);
            return Err(CallError::refused("NOT_READING", format!("plugin `{}` is not reading", self.requests.label())));
        }
        Ok(Pending::new(self.clone(), id, waiting))
    }

    /// Sends a request that is not answered. What cannot be sent now is not worth sending.
    pub(crate) fn request_unanswered(&self, encode: impl FnOnce(u64) -> Result<Vec<u8>, CodecError>) {
        self.mark_asked();
        if let Ok(bytes) = encode(UNANSWERED) {
            self.out.push(bytes);
        }
    }

    /// How long ago the last request was sent.
    pub(crate) fn idle_for(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_micros(self.asked_at.load(Ordering::Relaxed)))
    }

    fn mark_asked(&self) {
        let now = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.asked_at.store(now, Ordering::Relaxed);
    }

    /// Makes host functions callable by the worker.
    pub(crate) fn offer(&self, fns: &[(u64, HostFn)]) {
        self.tables().fns.extend(fns.iter().map(|(id, f)| (*id, f.clone())));
    }

    /// Ends what [`Connection::offer`] began.
    pub(crate) fn withdraw(&self, fns: impl IntoIterator<Item = u64>) {
        let mut tables = self.tables();
        for id in fns {
            tables.fns.remove(&id);
        }
    }

    /// The host function behind a handle.
    pub(crate) fn host_fn(&self, id: u64) -> Option<HostFn> {
        self.tables().fns.get(&id).cloned()
    }

    /// True while the worker owes answers.
    pub(crate) fn is_busy(&self) -> bool {
        !self.tables().pending.is_empty()
    }

    /// True when the worker's event loop answers within `limit`; the time in which it rightly waits for the host does not count.
    pub(crate) async fn answers_ping(&self, limit: Duration) -> bool {
        const LONGEST: Duration = Duration::from_secs(60);
        let begun = tokio::time::Instant::now();
        loop {
            let (pong, waiting) = oneshot::channel();
            let n = self.next_id.fetch_add(1, Ordering::Relaxed);
            self.tables().pongs.insert(n, pong);
            self.send(&Frame::Ping { n });
            let answered = tokio::select! {
                answered = tokio::time::timeout(limit, waiting) => matches!(answered, Ok(Ok(()))),
                () = self.closed.cancelled() => true, // whoever closed it deals with the worker
            };
            self.tables().pongs.remove(&n);
            let excused = self.blocking.load(Ordering::Relaxed) > 0 && begun.elapsed() < LONGEST;
            if answered || !excused {
                return answered;
            }
        }
    }

    /// Claims the right to probe; false when somebody does it already.
    pub(crate) fn begin_probe(&self) -> bool {
        !self.probing.swap(true, Ordering::Relaxed)
    }

    /// Gives back what [`Connection::begin_probe`] claimed.
    pub(crate) fn end_probe(&self) {
        self.probing.store(false, Ordering::Relaxed);
    }

    /// Frames that the worker has sent so far.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A number under which the worker notes how many handlers of a batch it has begun.
    pub(crate) fn next_mark(&self) -> u32 {
        // 0 is what an empty record says.
        self.next_mark.fetch_add(1, Ordering::Relaxed).max(1)
    }

    /// How many handlers of a batch the worker has begun; `None` when that cannot be said any more.
    pub(crate) fn begun(&self, mark: u32) -> Option<usize> {
        self.marks.count(mark).and_then(|count| usize::try_from(count).ok())
    }

    /// The worker is about to be ended because it stands still: what it did for others is not their fault.
    pub(crate) fn mark_stalled(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// True when the worker was ended because it stood still.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    fn dispatch(self: Arc<Self>, frame: Frame) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        match frame {
            Frame::Res { id, result } => self.settle(id, result.map_err(convert::from_wire)),
            Frame::Req { id, m, mut p, plugin } => {
                tag_value(self.run, &mut p);
                inbound::serve(self, id, m, p, plugin);
            }
            Frame::Note { m, mut p, plugin } => {
                tag_value(self.run, &mut p);
                self.requests.note(plugin.as_deref(), &m, p);
            }
            Frame::Ping { n } => self.send(&Frame::Pong { n }),
            Frame::Pong { n } => {
                let waiting = self.tables().pongs.remove(&n);
                if let Some(waiting) = waiting {
                    let _ = waiting.send(());
                }
            }
            Frame::Cancel { id, .. } => {
                let token = self.tables().inbound.get(&id).cloned();
                token.into_iter().for_each(|t| t.cancel());
            }
            Frame::Abort { sig, .. } => {
                let token = self.tables().signals.remove(&sig);
                token.into_iter().for_each(|t| t.cancel());
            }
            Frame::Chunk { s, v } => self.stream_item(s, v),
            Frame::End { s, err } => {
                let sink = self.tables().streams.remove(&s);
                if let (Some(sink), Some(error)) = (sink, err) {
                    sink.fail(convert::from_wire(error));
                }
            }
            Frame::Release { fns } => self.withdraw(fns),
            Frame::Bye { reason } => self.close(&format!("it left: {reason}")),
            Frame::Pull { s, n } => {
                if let Some(credit) = self.tables().offered.get(&s) {
                    credit.add(n);
                }
            }
            Frame::Close { s } => self.withdraw_stream(s),
            Frame::Hello(_) | Frame::Unknown { .. } => {}
        }
    }

    fn settle(&self, id: u64, mut answer: Answer) {
        let Some(waiting) = self.tables().pending.remove(&id) else {
            // Nobody waits for a call that was cancelled, or whose answer says nothing; nor will anybody read its streams.
            if let Ok(Some(value)) = &mut answer {
                renumber(value, &["$stream"], &mut |s| {
                    self.send(&Frame::Close { s });
                    s
                });
            }
            return;
        };
        if let Ok(Some(value)) = &mut answer {
            tag_value(self.run, value);
        }
        let _ = waiting.send(answer);
    }
}
