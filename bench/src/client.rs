//! A WebSocket client of the gateway's protocol.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Longest wait for any answer.
const PATIENCE: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<TcpStream>;

/// A connection with one request at a time: nothing but the socket lies between the caller and the gateway.
pub struct Client {
    socket: Socket,
    next_id: u64,
}

impl Client {
    /// Connects and shakes hands.
    pub async fn connect(port: u16, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}/"), stream).await?;
        let mut client = Self { socket, next_id: 0 };
        let challenge = client.read().await?;
        if challenge["event"] != "connect.challenge" {
            bail!("no challenge, but {challenge}");
        }
        let params = json!({
            "minProtocol": 3, "maxProtocol": 4, "role": "operator", "caps": [], "auth": {"token": token},
            "client": {"id": "gateway-client", "version": "0", "platform": "linux", "mode": "backend"},
            "scopes": ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"],
        });
        client.call("connect", params).await?;
        Ok(client)
    }

    async fn read(&mut self) -> Result<Value> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(frame))) => bail!("closed: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the connection ended"),
            }
        }
    }

    /// Calls a method and waits for its answer.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.next_id += 1;
        let id = self.next_id.to_string();
        self.socket.send(request(&id, method, &params)).await?;
        loop {
            let frame = self.read().await?;
            if frame["id"] == id.as_str() {
                return payload(frame);
            }
        }
    }

    /// Lets many calls share the connection.
    pub fn share(self) -> Shared {
        let (sink, mut stream) = self.socket.split();
        let pending: Pending = Arc::default();
        let waiting = pending.clone();
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Text(text) = message {
                    take(&waiting, &text);
                }
            }
            // Dropping the senders tells everyone who waits.
            lock(&waiting).clear();
        });
        Shared { sink: tokio::sync::Mutex::new(sink), pending, next_id: AtomicU64::new(1_000_000), reader }
    }
}

struct Waiting {
    answer: oneshot::Sender<Result<Value>>,
    /// Skip the `accepted` answer of methods that answer twice.
    last: bool,
}

type Pending = Arc<Mutex<HashMap<String, Waiting>>>;

fn lock(pending: &Pending) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that many tasks use.
pub struct Shared {
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    pending: Pending,
    next_id: AtomicU64,
    reader: JoinHandle<()>,
}

impl Shared {
    /// Calls a method; `last` waits for the second answer of methods that answer twice.
    pub async fn call(&self, method: &str, params: Value, last: bool) -> Result<Value> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed).to_string();
        let (answer, waiting) = oneshot::channel();
        lock(&self.pending).insert(id.clone(), Waiting { answer, last });
        self.sink.lock().await.send(request(&id, method, &params)).await?;
        tokio::time::timeout(PATIENCE, waiting).await.with_context(|| format!("`{method}` got no answer"))??
    }

    /// Runs one turn through the `agent` method, to its end.
    pub async fn turn(&self, session: &str, message: &str) -> Result<Value> {
        let key = uuid::Uuid::new_v4().to_string();
        let params = json!({"message": message, "sessionKey": format!("agent:main:{session}"), "idempotencyKey": key, "deliver": false});
        let done = self.call("agent", params, true).await?;
        if done["status"] != "ok" {
            bail!("the turn did not end well: {done}");
        }
        Ok(done)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn take(pending: &Pending, text: &str) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
    let Some(id) = frame["id"].as_str().filter(|_| frame["type"] == "res") else { return };
    let mut pending = lock(pending);
    let accepted = frame["payload"]["status"] == "accepted";
    if pending.get(id).is_some_and(|w| w.last && accepted) {
        return;
    }
    if let Some(waiting) = pending.remove(id) {
        // Nobody waits any more when a caller gave up.
        let _ = waiting.answer.send(payload(frame));
    }
}

fn request(id: &str, method: &str, params: &Value) -> Message {
    Message::text(json!({"type": "req", "id": id, "method": method, "params": params}).to_string())
}

fn payload(mut frame: Value) -> Result<Value> {
    if frame["ok"] == true { Ok(frame["payload"].take()) } else { Err(anyhow!("refused: {}", frame["error"])) }
}
