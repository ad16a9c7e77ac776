//! WebSocket upgrades of plugin routes, with real clients through the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::{PATIENCE, node};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins/ws-echo").canonicalize().unwrap()
}

async fn start() -> Gateway {
    let plugins = json!({"load": {"paths": [fixture()]}, "entries": {"ws-echo": {"enabled": true}}});
    let gateway = Gateway::start(&node().await.unwrap(), json!({"plugins": plugins})).await;
    state_until(&gateway, "up", |state| state["open"] == 0).await;
    gateway
}

async fn connect(gateway: &Gateway, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Error> {
    let mut request = format!("ws://127.0.0.1:{}{path}", gateway.port).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let connecting = tokio_tungstenite::connect_async(request);
    tokio::time::timeout(PATIENCE, connecting).await.expect("no answer to the upgrade").map(|(socket, _)| socket)
}

async fn text(socket: &mut Socket) -> String {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("no message").expect("the connection ended").unwrap();
        if let Message::Text(text) = message {
            return text.to_string();
        }
    }
}

fn refused(result: Result<Socket, Error>) -> (u16, String) {
    match result {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the upgrade was accepted"),
    }
}

/// What the plugin says of its connections.
async fn state(gateway: &Gateway) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
    stream.write_all(b"GET /ws-echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    // Before the plugin has started, and while its worker is down, the answer is another one.
    serde_json::from_str(text.split_once("\r\n\r\n").map_or("", |(_, body)| body)).unwrap_or_default()
}

async fn state_until(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let state = state(gateway).await;
        if wanted(&state) {
            return state;
        }
        assert!(begun.elapsed() < PATIENCE, "not {what}: {state}\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Reads until the connection has ended, in whatever way.
async fn ended(mut socket: Socket) {
    let end = async { while let Some(Ok(_)) = socket.next().await {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the connection stays open");
}

// API-164
#[tokio::test]
async fn messages_of_every_size_pass_both_ways() {
    let gateway = start().await;
    let mut socket = connect(&gateway, "/ws-echo?room=1", &[]).await.unwrap();
    assert_eq!(text(&mut socket).await, "hello /ws-echo?room=1 from 127.0.0.1");
    for size in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
        let message: String = "chela".chars().cycle().take(size).collect();
        socket.send(Message::text(message.clone())).await.unwrap();
        assert!(text(&mut socket).await == message, "{size}");
    }
    assert_eq!(state(&gateway).await["open"], 1);
    socket.close(None).await.unwrap();
    ended(socket).await;
    state_until(&gateway, "closed", |state| state["open"] == 0).await;
    // A client that leaves without a word is noticed too.
    drop(connect(&gateway, "/ws-echo", &[]).await.unwrap());
    state_until(&gateway, "closed", |state| state["open"] == 0 && state["opened"] == 2).await;
}

// API-158, API-161, API-163, API-164
#[tokio::test]
async fn the_route_s_rules_decide_who_may_upgrade() {
    let gateway = start().await;
    let bearer = format!("Bearer {TOKEN}");
    for path in ["/ws-echo/private", "/ws-echo/PRIVATE", "/ws-echo/%70rivate", "/ws-echo/trusted"] {
        let (status, body) = refused(connect(&gateway, path, &[]).await);
        assert_eq!((status, body.contains("unauthorized")), (401, true), "{path}: {body}");
        assert_eq!(refused(connect(&gateway, path, &[("authorization", "Bearer wrong")]).await).0, 401, "{path}");
    }
    assert_eq!(state(&gateway).await["opened"], 0);
    let mut socket =
        connect(&gateway, "/ws-echo/private", &[("authorization", &bearer), ("x-openclaw-scopes", "operator.admin")]).await.unwrap();
    assert!(text(&mut socket).await.starts_with("hello /ws-echo/private"));
    assert_eq!(state(&gateway).await["scopes"], json!(["operator.write"]));
    let mut socket = connect(&gateway, "/ws-echo/trusted", &[("authorization", &bearer)]).await.unwrap();
    assert!(text(&mut socket).await.starts_with("hello /ws-echo/trusted"));
    assert!(state(&gateway).await["scopes"].as_array().unwrap().contains(&json!("operator.admin")));
}

// API-164, API-165
#[tokio::test]
async fn routes_that_pass_refuse_or_fail() {
    let gateway = start().await;
    let mut socket = connect(&gateway, "/ws-echo/below", &[]).await.unwrap();
    assert!(text(&mut socket).await.starts_with("hello /ws-echo/below"), "the exact route passed it on to the prefix");
    // Nobody takes these, so the gateway's own protocol answers: it speaks first.
    for path in ["/ws-echo/plain", "/ws-echo/pass", "/elsewhere"] {
        let mut socket = connect(&gateway, path, &[]).await.unwrap();
        assert!(text(&mut socket).await.contains("connect.challenge"), "{path}");
    }
    assert_eq!(refused(connect(&gateway, "/ws-echo/refuse", &[]).await), (403, "not you".into()));
    for path in ["/ws-echo/throw", "/ws-echo/garbage"] {
        assert_eq!(refused(connect(&gateway, path, &[]).await), (500, "Internal Server Error".into()), "{path}");
    }
    assert!(gateway.log().contains("no upgrade today") && gateway.log().contains("no HTTP response"), "{}", gateway.log());
    // A client that does not wait for the answer is forgotten.
    let waiting = tokio::time::timeout(Duration::from_millis(300), connect(&gateway, "/ws-echo/silent", &[])).await;
    assert!(waiting.is_err(), "nobody answers");
    state_until(&gateway, "forgotten", |state| state["silent"] == "closed").await;
    // The plugin is none the worse for it.
    let mut socket = connect(&gateway, "/ws-echo", &[]).await.unwrap();
    assert!(text(&mut socket).await.starts_with("hello"));
}

#[tokio::test]
async fn a_client_that_does_not_read_and_a_plugin_that_does_not_read_are_waited_for() {
    const FLOOD: u64 = 64 * 1024 * 1024;
    let gateway = start().await;
    let mut slow = connect(&gateway, "/ws-echo/flood", &[]).await.unwrap();
    let mut before = 0;
    let mut same = 0;
    while same < 10 {
        let state = state_until(&gateway, "waiting", |state| state["blocked"] == true).await;
        let sent = state["flooded"].as_u64().unwrap();
        same = if sent == before { same + 1 } else { 0 };
        before = sent;
    }
    assert!(before < FLOOD / 2, "{before} bytes were taken from the plugin while nobody read them");
    let mut received = 0;
    while let Some(Ok(message)) = tokio::time::timeout(PATIENCE, slow.next()).await.expect("the flood stopped") {
        received += message.len() as u64;
    }
    assert_eq!(received, FLOOD);
    let mut sink = connect(&gateway, "/ws-echo/sink", &[]).await.unwrap();
    let piece = Message::binary(vec![1; 256 * 1024]);
    let mut pieces = 0;
    while pieces < 256 && tokio::time::timeout(Duration::from_secs(2), sink.send(piece.clone())).await.is_ok_and(|sent| sent.is_ok()) {
        pieces += 1;
    }
    assert!(pieces < 128, "{pieces} pieces went to a plugin that does not read");
    assert_eq!(gateway.client().await.call("health", json!({})).await["ok"], true);
}

#[tokio::test]
async fn a_killed_worker_and_a_stop_end_the_connections() {
    let mut gateway = start().await;
    let mut socket = connect(&gateway, "/ws-echo", &[]).await.unwrap();
    text(&mut socket).await;
    let pid = state(&gateway).await["pid"].as_i64().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid as i32).unwrap(), rustix::process::Signal::KILL).unwrap();
    ended(socket).await;
    // It comes back, and so do upgrades.
    state_until(&gateway, "restarted", |state| state["pid"] != pid).await;
    let mut socket = connect(&gateway, "/ws-echo", &[]).await.unwrap();
    text(&mut socket).await;
    gateway.signal(rustix::process::Signal::TERM);
    ended(socket).await;
    support::until("the gateway ends", || gateway.ended().is_some()).await;
}

/// A plugin that leaves the protocol to the package `ws`.
const WITH_WS: &str = r"
import { WebSocketServer } from 'ws';
export default function register(api) {
  const server = new WebSocketServer({ noServer: true });
  api.registerHttpRoute({
    path: '/real-ws',
    auth: 'plugin',
    handler: (_req, res) => res.end('{}'),
    handleUpgrade: (req, socket, head) => server.handleUpgrade(req, socket, head, (client) => {
      client.on('message', (data, binary) => client.send(data, { binary }));
      client.send(`clients ${server.clients.size}`);
      client.on('pong', () => client.close(4000, 'had a pong'));
      client.on('message', (data) => String(data) === 'ping me' && client.ping());
    }),
  });
}
";

// API-164
#[tokio::test]
async fn the_ws_package_accepts_the_socket() {
    let ws = match support::npm::package("ws", "8.18.3", false) {
        Ok(ws) => ws,
        Err(why) => return support::without_network(&why),
    };
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("index.mjs"), WITH_WS).unwrap();
    let manifest = json!({"id": "real-ws", "activation": {"onStartup": true}, "configSchema": {"type": "object"}});
    std::fs::write(home.path().join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    std::fs::write(
        home.path().join("package.json"),
        json!({"name": "real-ws", "version": "1.0.0", "openclaw": {"extensions": ["./index.mjs"]}}).to_string(),
    )
    .unwrap();
    copy(&ws, &home.path().join("node_modules/ws"));
    let plugins = json!({"load": {"paths": [home.path()]}, "entries": {"real-ws": {"enabled": true}}});
    let gateway = Gateway::start(&node().await.unwrap(), json!({"plugins": plugins})).await;
    let begun = std::time::Instant::now();
    let mut socket = loop {
        // Until the plugin has started the gateway's own protocol answers.
        let mut socket = connect(&gateway, "/real-ws", &[]).await.unwrap();
        if text(&mut socket).await == "clients 1" {
            break socket;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let large = "x".repeat(1_000_000);
    for message in ["", "hello", &large] {
        socket.send(Message::text(message)).await.unwrap();
        assert_eq!(text(&mut socket).await, message);
    }
    socket.send(Message::text("ping me")).await.unwrap();
    let close = async {
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                return frame.unwrap();
            }
        }
    };
    let close = tokio::time::timeout(PATIENCE, close).await.unwrap();
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4000, "had a pong"));
    // What `ws` refuses by itself reaches the client.
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
    let request =
        "GET /real-ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("Sec-WebSocket-Key"), "{answer}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
