//! Turns a request into a WebSocket (GW-01, GW-23), or hands its connection to a plugin's route (API-164).

use super::api::{AuthOutcome, HttpCall, PluginRouteAuth, PluginUpgrade, UpgradedRoute};
use super::auth::check;
use super::bridge::bridge;
use super::paths::PathReadings;
use super::reply::{HttpReply, WireBody};
use crate::auth::Peer;
use crate::server::Gateway;
use crate::ws::connection::{self, Upgraded};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Whether the request asks for a WebSocket.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket")
}

/// Answers an upgrade. Routes of plugins are asked first; what none of them takes speaks the gateway's own protocol (API-165).
pub(crate) async fn serve(gateway: &Arc<Gateway>, mut request: Request<Incoming>, peer: Peer) -> Response<WireBody> {
    match AssertUnwindSafe(offer(gateway, &peer, &request)).catch_unwind().await {
        Ok(PluginUpgrade::NotTaken) => upgrade(gateway.clone(), request, peer),
        Ok(PluginUpgrade::Answered(reply)) => reply.with_header(CONNECTION, "close").into_response(),
        Ok(PluginUpgrade::Taken(route)) => hand_over(gateway, &mut request, route),
        Err(_) => {
            tracing::error!("upgrade handler panicked");
            HttpReply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").with_header(CONNECTION, "close").into_response()
        }
    }
}

async fn offer(gateway: &Gateway, peer: &Peer, request: &Request<Incoming>) -> PluginUpgrade {
    let readings = PathReadings::new(request.uri().path());
    let Some(route) = gateway.http.plugin_route_auth(readings.canonical()) else {
        return PluginUpgrade::NotTaken;
    };
    let auth = if route == PluginRouteAuth::Gateway || readings.is_protected() {
        match check(gateway, peer, request.headers()) {
            Ok(auth) => auth,
            Err(refused) => return PluginUpgrade::Answered(refused),
        }
    } else {
        AuthOutcome::anonymous()
    };
    if gateway.closing.is_cancelled() {
        return PluginUpgrade::NotTaken;
    }
    let call = HttpCall {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
        body: bytes::Bytes::new(),
        remote: peer.remote,
        client_ip: peer.client_ip,
        is_local: peer.is_local,
        auth,
        revoked: gateway.auth.load().revoked.clone(),
    };
    gateway.http.plugin_upgrade(call).await
}

fn hand_over(gateway: &Arc<Gateway>, request: &mut Request<Incoming>, mut route: UpgradedRoute) -> Response<WireBody> {
    let headers = std::mem::take(&mut route.headers);
    let upgrading = hyper::upgrade::on(request);
    let task_gateway = gateway.clone();
    gateway.spawn_connection(async move {
        let closing = &task_gateway.closing;
        match upgrading.await {
            Ok(upgraded) => match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => bridge(parts.io.into_inner(), parts.read_buf, route, closing).await,
                Err(upgraded) => bridge(TokioIo::new(upgraded), bytes::Bytes::new(), route, closing).await,
            },
            Err(error) => tracing::debug!(%error, "upgrade failed"),
        }
    });
    let body = super::reply::HttpBody::Full(bytes::Bytes::new());
    HttpReply { status: StatusCode::SWITCHING_PROTOCOLS, headers, body }.into_response()
}

/// Answers an upgrade, and serves the connection from then on.
fn upgrade(gateway: Arc<Gateway>, request: Request<Incoming>, peer: Peer) -> Response<WireBody> {
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
                connection::serve(task_gateway, Upgraded { io, early, peer, headers, place }).await;
            }
            Err(upgraded) => {
                let io = TokioIo::new(upgraded);
                let early = bytes::Bytes::new();
                connection::serve(task_gateway, Upgraded { io, early, peer, headers, place }).await;
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
