//! Replies, and the shapes of errors (GW-104, GW-105).

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use std::io;
use std::time::Duration;

/// Body of a response as hyper takes it.
pub(crate) type WireBody = BoxBody<Bytes, io::Error>;

/// Body of a reply.
pub enum HttpBody {
    /// All of it.
    Full(Bytes),
    /// Piece by piece; dropped when the caller leaves. An error ends the connection.
    Stream(BoxStream<'static, Result<Bytes, io::Error>>),
}

impl std::fmt::Debug for HttpBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HttpBody::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            HttpBody::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A reply. The common headers are added by the transport (GW-101).
#[derive(Debug)]
pub struct HttpReply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: HttpBody,
}

impl HttpReply {
    /// A reply with bytes of a media type.
    pub fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        HttpReply { status, headers, body: HttpBody::Full(body.into()) }
    }

    /// A JSON reply.
    pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::bytes(status, "application/json; charset=utf-8", body),
            Err(error) => {
                tracing::error!(%error, "reply cannot be serialised");
                Self::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        }
    }

    /// A text reply.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", text.into())
    }

    /// An error in the shape of the OpenAI API: `{"error":{message,type}}`.
    pub fn error(status: StatusCode, kind: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self::json(status, &json!({ "error": { "message": message, "type": kind } }))
    }

    /// Server-sent events; the stream yields whole events.
    pub fn event_stream(stream: BoxStream<'static, Result<Bytes, io::Error>>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        HttpReply { status: StatusCode::OK, headers, body: HttpBody::Stream(stream) }
    }

    /// Adds or replaces a header; values that HTTP forbids are left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(crate) fn into_response(self) -> Response<WireBody> {
        let body = match self.body {
            HttpBody::Full(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed(),
            HttpBody::Stream(stream) => {
                let frames = stream.map(|piece| piece.map(Frame::data));
                BodyExt::boxed(StreamBody::new(SyncStream::new(frames)))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

// `BoxBody` wants `Sync`, which the streams of handlers rarely are; hyper polls through `&mut` alone.
struct SyncStream<S>(std::sync::Mutex<S>);

impl<S> SyncStream<S> {
    fn new(stream: S) -> Self {
        SyncStream(std::sync::Mutex::new(stream))
    }
}

impl<S: futures::Stream + Unpin> futures::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<S::Item>> {
        let stream = self.get_mut().0.get_mut();
        stream.unwrap_or_else(std::sync::PoisonError::into_inner).poll_next_unpin(cx)
    }
}

/// 501 that names the endpoint.
pub fn not_built(endpoint: &str) -> HttpReply {
    HttpReply::error(StatusCode::NOT_IMPLEMENTED, "not_implemented", format!("endpoint `{endpoint}` is not built yet"))
}

/// 404 as text (GW-100).
pub fn not_found() -> HttpReply {
    HttpReply::text(StatusCode::NOT_FOUND, "Not Found")
}

/// 405 with `Allow` (GW-105).
pub fn method_not_allowed(allow: &'static str) -> HttpReply {
    HttpReply::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").with_header(ALLOW, allow)
}

/// 401 (GW-104).
pub fn unauthorized() -> HttpReply {
    HttpReply::error(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized")
}

/// 429 with `Retry-After` (GW-104).
pub fn rate_limited(wait: Option<Duration>) -> HttpReply {
    let reply = HttpReply::error(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many failed authentication attempts; try again later");
    match wait {
        Some(wait) => {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            reply.with_header(RETRY_AFTER, &seconds.to_string())
        }
        None => reply,
    }
}
