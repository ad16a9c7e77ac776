//! One connection: challenge, handshake, then requests in and responses and events out.

use super::dispatch::Dispatcher;
use super::frames::FrameWriter;
use super::handshake::{self, Accepted, Context, Refused, auth_changed};
use super::io::{LimitedIo, PreauthLimit};
use super::preauth::PreauthPlace;
use crate::auth::Peer;
use crate::devices::DeviceToken;
use crate::events::{ClientHandle, Outgoing, PresenceEntry};
use crate::server::{AuthState, Gateway};
use bytes::Bytes;
use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_gateway_protocol::events;
use chela_gateway_protocol::frame::{FrameError, RequestFrame, encode_err, encode_ok, event_head, event_tail, parse_request};
use chela_gateway_protocol::hello::{Features, HandedToken, HelloAuth, HelloOk, HelloWarning, Policy, ServerInfo};
use chela_gateway_protocol::limits::{MAX_PAYLOAD_BYTES, MAX_PREAUTH_PAYLOAD_BYTES, PROTOCOL_VERSION, close, truncate_close_reason};
use futures::{SinkExt, StreamExt};
use hyper::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role as Side, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, Utf8Bytes};

/// Room for control frames and frame headers beside one frame of the full size before the handshake.
const PREAUTH_SLACK_BYTES: usize = 4096;
/// Time for what is queued, and then for the peer's own close, when we close.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// An upgraded request.
pub(crate) struct Upgraded<S> {
    pub(crate) io: S,
    /// Bytes that arrived together with the upgrade request.
    pub(crate) early: Bytes,
    pub(crate) peer: Peer,
    pub(crate) headers: HeaderMap,
    pub(crate) place: PreauthPlace,
}

pub(super) type Socket<S> = WebSocketStream<LimitedIo<S>>;

/// Serves a connection to its end.
pub(crate) async fn serve<S>(gateway: Arc<Gateway>, upgraded: Upgraded<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Upgraded { io, early, peer, headers, place } = upgraded;
    let limit = MAX_PREAUTH_PAYLOAD_BYTES + PREAUTH_SLACK_BYTES;
    let io = LimitedIo::new(io, limit);
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_PAYLOAD_BYTES))
        .max_frame_size(Some(MAX_PAYLOAD_BYTES));
    let mut socket = WebSocketStream::from_partially_read(io, early.to_vec(), Side::Server, Some(config)).await;
    let conn_id = uuid::Uuid::new_v4().to_string();
    let nonce = uuid::Uuid::new_v4().to_string();
    let context = Context { gateway: &gateway, peer: &peer, headers: &headers, conn_id: &conn_id, nonce: &nonce };
    let timeout = gateway.config.limits.handshake_timeout;
    let handshake = tokio::select! {
        result = tokio::time::timeout(timeout, shake_hands(&mut socket, &context)) => result.unwrap_or_else(|_| {
            Err(End::Close(close::POLICY, "handshake timeout".to_owned()))
        }),
        () = gateway.closing.cancelled() => Err(End::Close(close::RESTART, "service restart".to_owned())),
    };
    let end = match handshake {
        Ok((id, accepted)) => {
            drop(place);
            socket.get_mut().lift();
            run(&gateway, &mut socket, &id, accepted).await
        }
        Err(end) => end,
    };
    tracing::debug!(conn = conn_id, ?end, "connection ends");
    if let End::Close(code, reason) = end {
        finish(socket, code, &reason).await;
    }
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// The client has gone.
    Gone,
    /// We close it.
    Close(u16, String),
}

async fn shake_hands<S>(socket: &mut Socket<S>, context: &Context<'_>) -> Result<(String, Accepted), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let challenge = json!({ "nonce": context.nonce, "ts": crate::devices::now_ms() }).to_string();
    let text = event_head("connect.challenge", &challenge) + &event_tail(None, None);
    socket.send(Message::text(text)).await.map_err(|_| End::Gone)?;
    let text = first_frame(socket).await?;
    let request = first_request(&text)?;
    let refused = if request.method == "connect" {
        match handshake::connect(context, &request.params).await {
            Ok(accepted) => return Ok((request.id, accepted)),
            Err(refused) => refused,
        }
    } else {
        let message = "invalid handshake: first request must be connect";
        Refused::policy(ErrorShape::invalid(Reason::InvalidFrame, message))
    };
    if let Some(error) = &refused.error {
        let text = encode_err(&request.id, error);
        socket.send(Message::text(text)).await.map_err(|_| End::Gone)?;
    }
    Err(End::Close(refused.code, refused.reason))
}

async fn first_frame<S>(socket: &mut Socket<S>) -> Result<Utf8Bytes, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let text = match next_text(socket).await? {
            Some(text) => text,
            None => continue,
        };
        if text.len() > MAX_PREAUTH_PAYLOAD_BYTES {
            return Err(End::Close(close::TOO_BIG, PreauthLimit.to_string()));
        }
        return Ok(text);
    }
}

// GW-14, GW-F20: what is not JSON is closed with a reason, where the reference gives none.
fn first_request(text: &str) -> Result<RequestFrame, End> {
    parse_request(text).map_err(|error| {
        if let FrameError::NotRequest { problem, .. } = &error {
            tracing::warn!(problem, "first frame is no request");
        }
        End::Close(close::POLICY, "invalid request frame".to_owned())
    })
}

// `None`: a frame that carries no text.
async fn next_text<S>(socket: &mut Socket<S>) -> Result<Option<Utf8Bytes>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match socket.next().await {
        None => Err(End::Gone),
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        // Some clients send JSON in binary frames; the reference reads them as text.
        Some(Ok(Message::Binary(bytes))) => match Utf8Bytes::try_from(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(End::Close(close::INVALID_DATA, "frame is not UTF-8".to_owned())),
        },
        Some(Ok(Message::Close(_))) => Err(End::Gone),
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(read_failed(&error)),
    }
}

fn read_failed(error: &WsError) -> End {
    match error {
        WsError::Capacity(_) => End::Close(close::TOO_BIG, "frame too large".to_owned()),
        WsError::Utf8(_) => End::Close(close::INVALID_DATA, "frame is not UTF-8".to_owned()),
        WsError::Protocol(problem) => End::Close(close::PROTOCOL, problem.to_string()),
        WsError::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<PreauthLimit>()) => {
            End::Close(close::TOO_BIG, PreauthLimit.to_string())
        }
        _ => End::Gone,
    }
}

async fn run<S>(gateway: &Arc<Gateway>, socket: &mut Socket<S>, id: &str, accepted: Accepted) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Accepted { client, token, further, warnings, auth } = accepted;
    let info = Arc::new(client);
    let (handle, mut queue) = ClientHandle::new(info.clone(), gateway.config.limits.max_buffered_bytes);
    let presence = enter(gateway, &handle);
    greet(gateway, &handle, id, Greeting { token, further, warnings });
    gateway.bus.register(handle.clone());
    gateway.methods.client_joined(&info);
    if presence.is_some() {
        gateway.bus.presence_changed();
    }
    let limits = &gateway.config.limits;
    let mut dispatcher =
        Dispatcher::new(gateway.methods.clone(), handle.clone(), (limits.max_in_flight, limits.max_waiting), gateway.tasks.clone());
    let end = pump(gateway, socket, &handle, &mut queue, &mut dispatcher, &auth).await;
    gateway.bus.unregister(&info.conn_id);
    dispatcher.client_left();
    gateway.methods.client_left(&info);
    if let Some(key) = presence {
        gateway.bus.presence().disconnect(&key);
        gateway.bus.presence_changed();
    }
    end
}

async fn pump<S>(
    gateway: &Gateway,
    socket: &mut Socket<S>,
    handle: &ClientHandle,
    queue: &mut UnboundedReceiver<Outgoing>,
    dispatcher: &mut Dispatcher,
    auth: &AuthState,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let period = gateway.config.limits.ping_interval;
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut writer = FrameWriter::default();
    loop {
        let result = tokio::select! {
            biased;
            () = handle.close.requested() => return last_words(socket, &mut writer, handle, queue).await,
            frame = next_text(socket) => match frame {
                Ok(Some(_)) if handle.info.auth_method.uses_shared_secret() && !gateway.auth_is_current(auth) => {
                    let Refused { code, reason, .. } = auth_changed();
                    return End::Close(code, reason);
                }
                Ok(Some(text)) => {
                    dispatcher.frame(&text).await;
                    flush(socket, &mut writer, handle, queue, None).await
                }
                Ok(None) => Ok(()),
                Err(end) => return end,
            },
            Some(first) = queue.recv() => flush(socket, &mut writer, handle, queue, Some(first)).await,
            _ = ping.tick() => socket.send(Message::Ping(Bytes::new())).await.map_err(|_| End::Gone),
        };
        if let Err(end) = result {
            return end;
        }
    }
}

// Writes all that is queued with one flush. A client that does not read cannot hold this up for ever: when it
// becomes too slow, its close is requested and ends the write.
async fn flush<S>(
    socket: &mut Socket<S>,
    writer: &mut FrameWriter,
    handle: &ClientHandle,
    queue: &mut UnboundedReceiver<Outgoing>,
    first: Option<Outgoing>,
) -> Result<(), End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let write = async {
        let mut next = first.or_else(|| queue.try_recv().ok());
        let mut bytes = 0;
        while let Some(message) = next {
            bytes += message.len();
            writer.feed(socket, message).await.map_err(|_| End::Gone)?;
            next = queue.try_recv().ok();
        }
        writer.flush(socket).await.map_err(|_| End::Gone)?;
        handle.sent(bytes);
        Ok(())
    };
    tokio::select! {
        biased;
        result = write => result,
        // The caller's loop sees the request next and ends the connection.
        () = handle.close.requested() => Ok(()),
    }
}

async fn last_words<S>(
    socket: &mut Socket<S>,
    writer: &mut FrameWriter,
    handle: &ClientHandle,
    queue: &mut UnboundedReceiver<Outgoing>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let write = async {
        while let Ok(message) = queue.try_recv() {
            writer.feed(socket, message).await?;
        }
        writer.flush(socket).await
    };
    if !matches!(tokio::time::timeout(CLOSE_GRACE, write).await, Ok(Ok(()))) {
        tracing::debug!(conn = %handle.info.conn_id, "client did not read its last messages");
    }
    match handle.close.frame() {
        // A close frame in the middle of a message would be read as a part of it.
        _ if writer.is_midway() => End::Gone,
        Some((code, reason)) => End::Close(*code, reason.clone()),
        None => End::Gone,
    }
}

// Sends the close frame, then reads what the client still sends: closing a socket with unread bytes would
// reset it, and the client would never see the reason.
async fn finish<S>(mut socket: Socket<S>, code: u16, reason: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame { code: CloseCode::from(code), reason: truncate_close_reason(reason).into() };
    let close = async {
        socket.send(Message::Close(Some(frame))).await?;
        socket.flush().await
    };
    let _ = tokio::time::timeout(CLOSE_GRACE, close).await; // the peer may be gone already
    let parting = async {
        if is_close_answered(&mut socket).await {
            return;
        }
        let mut io = socket.into_inner();
        io.lift();
        let _ = io.shutdown().await;
        let mut waste = vec![0_u8; 16 * 1024];
        while io.read(&mut waste).await.is_ok_and(|read| read > 0) {}
    };
    let _ = tokio::time::timeout(CLOSE_GRACE, parting).await;
}

// A peer that answered has nothing more to say, and waits for the server to end the connection (RFC 6455, 7.1.1).
async fn is_close_answered<S>(socket: &mut Socket<S>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(_))) | None => return true,
            Some(Ok(_)) => {}
            Some(Err(error)) => return matches!(error, WsError::ConnectionClosed | WsError::AlreadyClosed),
        }
    }
}

// Command line clients come and go too fast to be worth listing.
fn enter(gateway: &Gateway, handle: &ClientHandle) -> Option<String> {
    let info = &handle.info;
    if info.mode == "cli" {
        return None;
    }
    let id = info.device_id.clone().or_else(|| info.instance_id.clone());
    let key = id.clone().unwrap_or_else(|| info.conn_id.clone());
    let entry = PresenceEntry {
        host: Some(info.display_name.clone().unwrap_or_else(|| info.client_id.clone())),
        ip: info.remote_ip.clone(),
        version: Some(info.version.clone()),
        platform: Some(info.platform.clone()),
        device_family: info.device_family.clone(),
        model_identifier: info.model_identifier.clone(),
        mode: Some(info.mode.clone()),
        reason: Some("connect".to_owned()),
        device_id: info.device_id.clone(),
        roles: vec![info.role.as_str().to_owned()],
        scopes: info.scopes.clone(),
        instance_id: id,
        ..PresenceEntry::default()
    };
    gateway.bus.presence().connect(&key, entry);
    Some(key)
}

/// What the handshake found for the hello.
struct Greeting {
    token: Option<DeviceToken>,
    further: Vec<HandedToken>,
    warnings: Vec<HelloWarning>,
}

// A function of its own: the hello holds the whole presence list, and as a local of the connection's task it would stay as long as that.
fn greet(gateway: &Gateway, handle: &ClientHandle, id: &str, greeting: Greeting) {
    let hello = hello(gateway, handle, greeting);
    match serde_json::value::to_raw_value(&hello) {
        Ok(payload) => handle.send_response(encode_ok(id, &payload)),
        Err(error) => tracing::error!(%error, "hello cannot be serialised"),
    }
}

fn hello(gateway: &Gateway, handle: &ClientHandle, greeting: Greeting) -> HelloOk {
    let Greeting { token, further, warnings } = greeting;
    let info = &handle.info;
    let scopes = token.as_ref().map_or_else(|| info.scopes.clone(), |token| token.scopes.clone());
    HelloOk {
        kind: "hello-ok".to_owned(),
        protocol: PROTOCOL_VERSION,
        server: ServerInfo { version: gateway.config.version.clone(), conn_id: info.conn_id.clone() },
        features: Features { methods: gateway.methods.advertised_methods(), events: events::listed().map(str::to_owned).collect() },
        snapshot: snapshot(gateway, handle),
        plugin_surface_urls: Default::default(),
        auth: HelloAuth {
            role: info.role.as_str().to_owned(),
            scopes,
            issued_at_ms: token.as_ref().map(DeviceToken::issued_at_ms),
            device_token: token.map(|token| token.token),
            device_tokens: further,
            warnings,
        },
        policy: Policy {
            max_buffered_bytes: gateway.config.limits.max_buffered_bytes,
            tick_interval_ms: u64::try_from(gateway.config.limits.tick_interval.as_millis()).unwrap_or(u64::MAX),
            ..Policy::default()
        },
    }
}

// GW-27
fn snapshot(gateway: &Gateway, handle: &ClientHandle) -> Value {
    let mut map = match gateway.methods.hello_snapshot(&handle.info) {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    map.entry("presence").or_insert_with(|| json!(gateway.bus.presence().entries()));
    map.entry("health").or_insert_with(|| json!({}));
    map.entry("stateVersion").or_insert_with(|| gateway.bus.state_version());
    map.entry("uptimeMs").or_insert_with(|| json!(gateway.uptime_ms()));
    if !handle.info.is_admin() {
        for private in ["configPath", "stateDir", "authMode"] {
            map.remove(private);
        }
    }
    Value::Object(map)
}
