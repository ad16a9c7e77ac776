//! Turns a request into a WebSocket (GW-01, GW-23).

use super::reply::{HttpReply, WireBody};
use crate::auth::Peer;
use crate::server::Gateway;
use crate::ws::connection::{Upgraded, serve};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Whether the request asks for a WebSocket.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket")
}

/// Answers an upgrade, and serves the connection from then on.
pub(crate) fn upgrade(gateway: Arc<Gateway>, request: Request<Incoming>, peer: Peer) -> Response<WireBody> {
    let headers = request.headers();
    let version = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|_| request.method() == Method::GET) else {
        return HttpReply::text(StatusCode::BAD_REQUEST, "Bad WebSocket request").into_response();
    };
    if !version {
        return HttpReply::text(StatusCode::UPGRADE_REQUIRED, "WebSocket version 13 required")
            .with_header(SEC_WEBSOCKET_VERSION, "13")
            .into_response();
    }
    if gateway.closing.is_cancelled() {
        return unavailable("Gateway is stopping");
    }
    let Some(place) = gateway.preauth.take(peer.client_ip) else {
        tracing::warn!(remote = %peer.remote, "too many sockets of this address are in the handshake");
        return unavailable("Too many unauthenticated sockets");
    };
    let accept = derive_accept_key(key.as_bytes());
    let headers = headers.clone();
    let upgrading = hyper::upgrade::on(request);
    let task_gateway = gateway.clone();
    gateway.spawn_connection(async move {
        let upgraded = match upgrading.await {
            Ok(upgraded) => upgraded,
            Err(error) => {
                tracing::debug!(%error, "upgrade failed");
                return;
            }
        };
        // The bare socket spares each connection the HTTP side's buffers.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => {
                let io = parts.io.into_inner();
                let early = parts.read_buf;
                serve(task_gateway, Upgraded { io, early, peer, headers, place }).await;
            }
            Err(upgraded) => {
                let io = TokioIo::new(upgraded);
                let early = bytes::Bytes::new();
                serve(task_gateway, Upgraded { io, early, peer, headers, place }).await;
            }
        }
    });
    switching(&accept)
}

fn switching(accept: &str) -> Response<WireBody> {
    let mut response = HttpReply {
        status: StatusCode::SWITCHING_PROTOCOLS,
        headers: HeaderMap::new(),
        body: super::reply::HttpBody::Full(bytes::Bytes::new()),
    }
    .with_header(SEC_WEBSOCKET_ACCEPT, accept)
    .into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

fn unavailable(text: &str) -> Response<WireBody> {
    HttpReply::text(StatusCode::SERVICE_UNAVAILABLE, text).with_header(CONNECTION, "close").into_response()
}

fn has_token(headers: &HeaderMap, name: &hyper::header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
