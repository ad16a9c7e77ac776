//! One socket: challenge, hello, requests.

use std::time::Duration;

use chela_gateway_protocol::frame::encode_request;
use chela_gateway_protocol::limits::MAX_PAYLOAD_BYTES;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::error::ClientError;

/// Time a polite close may take; nobody waits longer for it.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// An open connection.
pub struct Connection {
    url: String,
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
    /// The server's hello, `null` before it came.
    pub hello: Value,
}

impl Connection {
    /// Connects the socket.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Protocol`].
    pub async fn open(url: &str) -> Result<Self, ClientError> {
        let unreachable = |cause: String| ClientError::Unreachable { url: url.to_owned(), cause };
        let parsed = url::Url::parse(url).map_err(|error| ClientError::Local(format!("`{url}` is not a URL: {error}")))?;
        let host = parsed.host_str().unwrap_or("127.0.0.1").trim_matches(['[', ']']).to_owned();
        let port = parsed.port().unwrap_or(80);
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| unreachable(plain(&error)))?;
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let limits = WebSocketConfig::default().max_message_size(Some(2 * MAX_PAYLOAD_BYTES)).max_frame_size(Some(2 * MAX_PAYLOAD_BYTES));
        let (socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(limits)).await.map_err(|error| match error {
            WsError::Http(response) => {
                ClientError::Protocol { url: url.to_owned(), problem: format!("it answers HTTP {}", response.status()) }
            }
            WsError::Io(error) => unreachable(plain(&error)),
            other => ClientError::Protocol { url: url.to_owned(), problem: other.to_string() },
        })?;
        Ok(Self { url: url.to_owned(), socket, next_id: 0, hello: Value::Null })
    }

    /// Waits for the server's challenge and gives its nonce (GW-12).
    ///
    /// # Errors
    /// As [`Self::next`]; another first frame is no gateway.
    pub async fn challenge(&mut self) -> Result<String, ClientError> {
        let frame = self.next().await?;
        match frame["payload"]["nonce"].as_str() {
            Some(nonce) if frame["event"] == "connect.challenge" => Ok(nonce.to_owned()),
            _ => Err(self.protocol("it does not begin with a challenge")),
        }
    }

    /// Sends `connect` and waits for the hello (GW-25).
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the server's error.
    pub async fn hello(&mut self, params: Value) -> Result<Value, ClientError> {
        let id = self.send("connect", &params).await?;
        loop {
            let frame = self.next().await?;
            if frame["type"] != "res" || frame["id"] != id.as_str() {
                continue;
            }
            if frame["ok"] != Value::Bool(true) {
                let message = frame["error"]["message"].as_str().unwrap_or("no reason given").to_owned();
                return Err(ClientError::Refused { url: self.url.clone(), message, error: frame["error"].clone() });
            }
            self.hello = frame["payload"].clone();
            return Ok(self.hello.clone());
        }
    }

    /// Calls a method. With `expect_final`, answers that only say that a run was accepted are passed over (GW-11, GW-160).
    ///
    /// # Errors
    /// [`ClientError::Method`], [`ClientError::Timeout`], [`ClientError::Closed`].
    pub async fn request(&mut self, method: &str, params: Value, expect_final: bool, limit: Duration) -> Result<Value, ClientError> {
        let url = self.url.clone();
        match tokio::time::timeout(limit, self.answer(method, params, expect_final)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout { url, what: format!("waiting for `{method}`"), limit }),
        }
    }

    async fn answer(&mut self, method: &str, params: Value, expect_final: bool) -> Result<Value, ClientError> {
        let id = self.send(method, &params).await?;
        loop {
            let frame = self.next().await?;
            if frame["type"] != "res" || frame["id"] != id.as_str() {
                continue;
            }
            if frame["ok"] != Value::Bool(true) {
                let message = frame["error"]["message"].as_str().unwrap_or("no reason given").to_owned();
                return Err(ClientError::Method { method: method.to_owned(), message, error: frame["error"].clone() });
            }
            let payload = frame["payload"].clone();
            if expect_final && payload["status"] == "accepted" {
                continue;
            }
            return Ok(payload);
        }
    }

    /// The payload of the next event of this name; everything else is passed over.
    ///
    /// # Errors
    /// As [`Self::next`]: the connection ended.
    pub async fn event(&mut self, name: &str) -> Result<Value, ClientError> {
        loop {
            let mut frame = self.next().await?;
            if frame["type"] == "event" && frame["event"] == name {
                return Ok(frame["payload"].take());
            }
        }
    }

    /// Closes politely, but not patiently.
    pub async fn close(mut self) {
        // The answer is here already; how the goodbye goes does not matter.
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.socket.close(None)).await;
    }

    async fn send(&mut self, method: &str, params: &Value) -> Result<String, ClientError> {
        self.next_id += 1;
        let id = format!("cli-{}", self.next_id);
        let frame = encode_request(&id, method, Some(params));
        match self.socket.send(Message::text(frame)).await {
            Ok(()) => Ok(id),
            Err(error) => Err(self.lost(&error)),
        }
    }

    async fn next(&mut self) -> Result<Value, ClientError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|error| self.protocol(&format!("a frame is not JSON: {error}")));
                }
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                    return Err(ClientError::Closed { url: self.url.clone(), code, reason });
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.lost(&error)),
                None => return Err(ClientError::Closed { url: self.url.clone(), code: 1006, reason: "connection lost".into() }),
            }
        }
    }

    fn protocol(&self, problem: &str) -> ClientError {
        ClientError::Protocol { url: self.url.clone(), problem: problem.to_owned() }
    }

    fn lost(&self, error: &WsError) -> ClientError {
        ClientError::Closed { url: self.url.clone(), code: 1006, reason: error.to_string() }
    }

    /// What the hello granted: `{role, scopes}`.
    pub fn granted(&self) -> Value {
        json!({"role": self.hello["auth"]["role"], "scopes": self.hello["auth"]["scopes"]})
    }
}

/// The system's words without the error number.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}
