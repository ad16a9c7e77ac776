//! A running server with fake handlers, and clients for it.
#![allow(dead_code)] // each test file uses its part

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_gateway::devices::DeviceStore;
use chela_gateway::events::EventBus;
use chela_gateway::http::{HttpApi, HttpCall, HttpReply, PluginRouteAuth};
use chela_gateway::server::{Server, ServerParts};
use chela_gateway::transport_config::{AuthConfig, Secret, TransportConfig};
use chela_gateway::ws::handler::core_method_spec;
use chela_gateway::ws::{ClientInfo, MethodCall, MethodHandler, MethodSpecRef};
use chela_gateway_protocol::connect::{ConnectParams, SignatureVersion, signed_text};
use chela_gateway_protocol::{ErrorShape, MethodRole, MethodScope, Scope};
use ed25519_dalek::{Signer, SigningKey};
use futures::{SinkExt, StreamExt};
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const TOKEN: &str = "secret-token";
const WAIT: Duration = Duration::from_secs(10);

pub struct FakeMethods {
    pub bus: EventBus,
}

#[async_trait::async_trait]
impl MethodHandler for FakeMethods {
    async fn handle(&self, call: MethodCall) {
        match call.method.as_str() {
            "health" => call.reply.ok(&json!({"ok": true})),
            "status" => call.reply.ok(&json!({"echo": call.params})),
            "agent" => {
                call.reply.ok(&json!({"status": "accepted"}));
                tokio::time::sleep(Duration::from_millis(30)).await;
                call.reply.ok(&json!({"status": "ok"}));
            }
            "agent.wait" => {
                let ms = call.params["ms"].as_u64().unwrap_or(200);
                tokio::time::sleep(Duration::from_millis(ms)).await;
                call.reply.ok(&json!({"waited": ms}));
            }
            "chat.send" => panic!("a method that panics"),
            "chat.abort" => {}
            "sessions.subscribe" => {
                self.bus.subscribe_sessions(&call.client.conn_id);
                call.reply.ok(&json!({"subscribed": true}));
            }
            method if core_method_spec(method).is_some() => {
                call.reply.err(&ErrorShape::not_implemented(method));
            }
            method => call.reply.err(&ErrorShape::unknown_method(method)),
        }
    }

    fn method_spec(&self, name: &str) -> Option<MethodSpecRef> {
        match name {
            "weather.get" => Some(MethodSpecRef { scope: MethodScope::Scope(Scope::Read), role: MethodRole::Operator }),
            _ => core_method_spec(name),
        }
    }

    fn hello_snapshot(&self, _client: &ClientInfo) -> Value {
        json!({"health": {"ok": true}, "sessionDefaults": {"defaultAgentId": "main"}, "stateDir": "/secret"})
    }
}

pub struct FakeHttp;

#[async_trait::async_trait]
impl HttpApi for FakeHttp {
    async fn chat_completions(&self, call: HttpCall) -> HttpReply {
        let admin = call.auth.has_scope(Scope::Admin);
        HttpReply::json(StatusCode::OK, &json!({"bytes": call.body.len(), "admin": admin}))
    }

    async fn session_history(&self, _call: HttpCall, key: String) -> HttpReply {
        HttpReply::json(StatusCode::OK, &json!({ "key": key }))
    }

    async fn tools_invoke(&self, _call: HttpCall) -> HttpReply {
        let pieces = ["a", "b"].map(|piece| Ok(bytes::Bytes::from(piece)));
        HttpReply::event_stream(futures::stream::iter(pieces).boxed())
    }

    fn plugin_route_auth(&self, path: &str) -> Option<PluginRouteAuth> {
        match path {
            "/plugins/open" | "/api/channels/x" | "/declines" | "/declines.txt" => Some(PluginRouteAuth::Plugin),
            "/plugins/closed" => Some(PluginRouteAuth::Gateway),
            _ => None,
        }
    }

    async fn plugin_route(&self, call: HttpCall) -> Option<HttpReply> {
        if call.uri.path().starts_with("/declines") {
            return None;
        }
        let scopes: Vec<_> = call.auth.scopes.iter().map(|scope| scope.as_str()).collect();
        Some(HttpReply::json(StatusCode::OK, &json!({ "scopes": scopes })))
    }
}

pub struct Rig {
    pub server: Server,
    pub bus: EventBus,
    pub devices: Arc<DeviceStore>,
    pub dir: tempfile::TempDir,
}

impl Rig {
    pub async fn token() -> Rig {
        Rig::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut TransportConfig)) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let auth = AuthConfig::Token(Secret::new(TOKEN));
        let mut config = TransportConfig::loopback(0, auth, dir.path().join("devices"));
        config.http.chat_completions = true;
        change(&mut config);
        let bus = EventBus::new();
        let devices = Arc::new(DeviceStore::new(&config.devices_dir));
        let parts = ServerParts {
            config,
            methods: Arc::new(FakeMethods { bus: bus.clone() }),
            http: Arc::new(FakeHttp),
            bus: bus.clone(),
            devices: devices.clone(),
        };
        let server = Server::start(parts).await.unwrap();
        Rig { server, bus, devices, dir }
    }

    pub async fn open(&self, headers: &[(&'static str, &str)]) -> Client {
        self.try_open("/", headers).await.unwrap()
    }

    pub async fn try_open(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
        open_at(self.server.address(), path, headers).await
    }

    /// A client with all scopes: the backend on loopback.
    pub async fn backend(&self, scopes: &[&str]) -> Client {
        let mut client = self.open(&[]).await;
        let mut params = params("gateway-client", "backend");
        params["scopes"] = json!(scopes);
        params["auth"] = json!({ "token": TOKEN });
        let hello = client.connect(&params).await;
        assert_eq!(hello["ok"], true, "{hello}");
        client
    }

    pub async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let stream = TcpStream::connect(self.server.address()).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let body = body.to_vec();
        let sender = tokio::spawn(async move {
            write.write_all(head.as_bytes()).await?;
            write.write_all(&body).await?;
            Ok::<_, std::io::Error>(write)
        });
        let mut raw = Vec::new();
        tokio::time::timeout(WAIT, read.read_to_end(&mut raw)).await.unwrap().unwrap();
        let sent = sender.await.unwrap();
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned(), all_sent: sent.is_ok() }
    }
}

/// Connects to a gateway anywhere and takes its challenge.
pub async fn open_at(address: std::net::SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (socket, _) = tokio_tungstenite::connect_async(request).await?;
    let mut client = Client { socket, nonce: String::new() };
    let challenge = client.read().await.json();
    assert_eq!(challenge["event"], "connect.challenge");
    client.nonce = challenge["payload"]["nonce"].as_str().unwrap().to_owned();
    Ok(client)
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub all_sent: bool,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub enum Seen {
    Json(Value),
    Closed(u16, String),
    Gone,
}

impl Seen {
    pub fn json(self) -> Value {
        match self {
            Seen::Json(value) => value,
            Seen::Closed(code, reason) => panic!("closed {code} {reason}"),
            Seen::Gone => panic!("gone"),
        }
    }

    pub fn closed(self) -> (u16, String) {
        match self {
            Seen::Closed(code, reason) => (code, reason),
            Seen::Json(value) => panic!("{value}"),
            Seen::Gone => panic!("gone without a close frame"),
        }
    }
}

pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub nonce: String,
}

impl Client {
    pub async fn send(&mut self, text: impl Into<String>) {
        // A server that refuses a large frame may be gone before it is written.
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    pub async fn request(&mut self, id: &str, method: &str, params: Value) {
        self.send(json!({"type":"req","id":id,"method":method,"params":params}).to_string()).await;
    }

    pub async fn read(&mut self) -> Seen {
        loop {
            let frame = tokio::time::timeout(WAIT, self.socket.next()).await.expect("no frame in time");
            match frame {
                Some(Ok(Message::Text(text))) => {
                    return Seen::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Seen::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) | None | Some(Err(_)) => return Seen::Gone,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Reads past events to the next response.
    pub async fn response(&mut self) -> Value {
        loop {
            let value = self.read().await.json();
            if value["type"] == "res" {
                return value;
            }
        }
    }

    /// Reads past everything to an event of this name.
    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            let value = self.read().await.json();
            if value["event"] == name {
                return value;
            }
        }
    }

    /// Reads past everything to the close frame.
    pub async fn close(&mut self) -> (u16, String) {
        loop {
            match self.read().await {
                Seen::Json(_) => {}
                seen => return seen.closed(),
            }
        }
    }

    pub async fn connect(&mut self, params: &Value) -> Value {
        self.request("c", "connect", params.clone()).await;
        self.response().await
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.request("r", method, params).await;
        self.response().await
    }
}

pub fn params(id: &str, mode: &str) -> Value {
    json!({
        "minProtocol": 4, "maxProtocol": 4,
        "client": {"id": id, "version": "1", "platform": "linux", "mode": mode},
    })
}

/// Adds a proof of the device with this seed.
pub fn sign(params: &mut Value, seed: u8, nonce: &str) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = key.verifying_key().to_bytes();
    let now = jiff::Timestamp::now().as_millisecond();
    params["device"] = json!({
        "id": chela_gateway::auth::device::device_id(&public),
        "publicKey": URL_SAFE_NO_PAD.encode(public),
        "signature": "x", "signedAt": now, "nonce": nonce,
    });
    let parsed = ConnectParams::parse(params).unwrap();
    let role = parsed.role.clone().unwrap_or_else(|| "operator".into());
    let text = signed_text(SignatureVersion::V3, &parsed, parsed.device.as_ref().unwrap(), &role);
    params["device"]["signature"] = json!(URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes()));
}
