//! Upgrades that routes of plugins take over (API-164, API-165).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use chela_plugin::register::{HttpRoute, RouteAuth};
use chela_plugin::{Adapter, Call, CallError, HostStream};
use futures::StreamExt;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::plugin_routes::{bytes_of, request_of};
use crate::gateway::Gateway;
use crate::http::api::ByteStream;
use crate::http::{HttpBody, HttpCall, HttpReply, PluginUpgrade, Principal, UpgradedRoute};

/// Longest time until a plugin has answered an upgrade.
const BUDGET: Duration = Duration::from_secs(60);
/// Most connections that plugins hold at once; each may keep some hundred kilobytes in queues.
pub(crate) const MAX_OPEN: usize = 1000;
/// Largest head of a plugin's response.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of a plugin's response.
const MAX_HEADERS: usize = 64;
/// Largest body of a response that refuses an upgrade; longer ones are cut.
const MAX_REFUSAL: usize = 64 * 1024;

/// Asks the routes that take upgrades, in order; one that returns exactly `false` passes it on.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> PluginUpgrade {
    let registry = gateway.host.manager.registry();
    let matching = registry.routes.matching(call.uri.path());
    let routes: Vec<HttpRoute> = matching.into_iter().filter(|route| route.upgrade.is_some()).cloned().collect();
    if routes.is_empty() {
        return PluginUpgrade::NotTaken;
    }
    let Ok(place) = gateway.upgraded.clone().try_acquire_owned() else {
        tracing::warn!(target: "plugins", "plugins hold {MAX_OPEN} upgraded connections; another one is refused");
        return PluginUpgrade::Answered(HttpReply::text(StatusCode::SERVICE_UNAVAILABLE, "Too many upgraded connections"));
    };
    let authenticated = call.auth.principal != Principal::Anonymous;
    for route in routes {
        if route.auth == RouteAuth::Gateway && !authenticated {
            continue;
        }
        match tokio::time::timeout(BUDGET, ask(&route, &call)).await.unwrap_or_else(|_| Err("it did not answer in time".into())) {
            Ok(None) => {}
            Ok(Some(Answer::Taken(mut taken))) => {
                taken.output = holding(taken.output, place);
                return PluginUpgrade::Taken(taken);
            }
            Ok(Some(Answer::Refused(reply))) => return PluginUpgrade::Answered(reply),
            Err(error) => {
                tracing::error!(target: "plugins", plugin = %route.owner.id, path = %route.path, "plugin http upgrade failed: {error}");
                return PluginUpgrade::Answered(HttpReply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"));
            }
        }
    }
    PluginUpgrade::NotTaken
}

/// The place among the open connections is free again when the stream is dropped.
fn holding(output: ByteStream, place: OwnedSemaphorePermit) -> ByteStream {
    output
        .map(move |piece| {
            let _held = &place;
            piece
        })
        .boxed()
}

enum Answer {
    Taken(UpgradedRoute),
    Refused(HttpReply),
}

async fn ask(route: &HttpRoute, call: &HttpCall) -> Result<Option<Answer>, String> {
    let Some(handler) = &route.upgrade else { return Ok(None) };
    let (input, received) = mpsc::channel::<io::Result<Bytes>>(1);
    let mut request = request_of(route, call);
    let mut asking = Call::new(Vec::new()).adapter(Adapter::HttpUpgrade).budget(Some(BUDGET));
    request["input"] = asking.stream(items(received));
    asking.args = vec![request];
    let result = handler.call(asking).await.map_err(|error| error.to_string())?;
    if result.get("handled") == Some(&Value::Bool(false)) {
        return Ok(None);
    }
    let stream = result.pointer("/output/$stream").and_then(Value::as_u64).ok_or("its answer has no output")?;
    let pieces = handler.target.stream(stream);
    let mut output: ByteStream = pieces.map(|item| item.map(|value| bytes_of(&value)).map_err(io::Error::other)).boxed();
    let (status, headers, first) = head(&mut output).await?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Some(Answer::Taken(UpgradedRoute { headers, first, input, output })));
    }
    Ok(Some(Answer::Refused(refusal(status, headers, first, output).await?)))
}

/// What the client sends, as the plugin's side reads it.
fn items(received: mpsc::Receiver<io::Result<Bytes>>) -> HostStream {
    let next = |mut received: mpsc::Receiver<io::Result<Bytes>>| async move {
        let piece = received.recv().await?;
        let item = piece
            .map(|bytes| json!({"$bytes": STANDARD.encode(&bytes)}))
            .map_err(|error| CallError::refused("ECONNRESET", format!("the client's connection failed: {error}")));
        Some((item, received))
    };
    futures::stream::unfold(received, next).boxed()
}

/// Reads the head of the response that the plugin writes; what came with it is left over.
async fn head(output: &mut ByteStream) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let mut have = BytesMut::new();
    loop {
        let piece = output.next().await.ok_or("it ended the connection without a response")?.map_err(|error| error.to_string())?;
        have.extend_from_slice(&piece);
        if let Some((status, headers, length)) = parse(&have)? {
            let rest = have.split_off(length);
            return Ok((status, headers, rest.freeze()));
        }
        if have.len() > MAX_HEAD {
            return Err(format!("the head of its response exceeds {MAX_HEAD} bytes"));
        }
    }
}

type Parsed = Option<(StatusCode, HeaderMap, usize)>;

fn parse(have: &[u8]) -> Result<Parsed, String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut fields);
    let invalid = |why: &dyn std::fmt::Display| format!("what it wrote is no HTTP response: {why}");
    let length = match response.parse(have).map_err(|error| invalid(&error))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid(&"no status"))?;
    let mut headers = HeaderMap::new();
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| invalid(&error))?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(|error| invalid(&error))?);
    }
    Ok(Some((status, headers, length)))
}

/// A response that is no `101`: passed on with its body, framed anew.
async fn refusal(status: StatusCode, mut headers: HeaderMap, first: Bytes, mut output: ByteStream) -> Result<HttpReply, String> {
    if headers.contains_key(TRANSFER_ENCODING) || status.is_informational() {
        return Err(format!("its response with status {status} cannot be passed on; end it with a plain body instead"));
    }
    let length = headers.remove(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let length = length.unwrap_or(MAX_REFUSAL).min(MAX_REFUSAL);
    let mut body = BytesMut::from(&first[..]);
    // A plugin that resets the connection after its response has said what it wanted.
    while body.len() < length
        && let Some(Ok(piece)) = output.next().await
    {
        body.extend_from_slice(&piece);
    }
    body.truncate(length);
    Ok(HttpReply { status, headers, body: HttpBody::Full(body.freeze()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &'static str) -> ByteStream {
        futures::stream::iter(text.as_bytes().chunks(7).map(|piece| Ok(Bytes::from_static(piece)))).boxed()
    }

    #[tokio::test]
    async fn the_head_of_a_response_comes_in_pieces() {
        let (status, headers, rest) =
            head(&mut pieces("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nX-A: 1\r\nX-A: 2\r\n\r\nAB")).await.unwrap();
        assert_eq!((status.as_u16(), headers["upgrade"].to_str().unwrap()), (101, "websocket"));
        assert_eq!(headers.get_all("x-a").iter().count(), 2);
        assert!(rest.starts_with(b"A"));
        for (text, why) in [
            ("", "without a response"),
            ("HTTP/1.1 101", "without a response"),
            ("hello there\r\n\r\n", "no HTTP response"),
            ("HTTP/1.1 101 Go\r\nBroken\r\n\r\n", "no HTTP response"),
        ] {
            let error = head(&mut pieces(text)).await.unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let endless = futures::stream::repeat_with(|| Ok(Bytes::from(vec![b'a'; 1024])));
        let mut endless: ByteStream = futures::stream::iter([Ok(Bytes::from_static(b"HTTP/1.1 101 Go\r\nX: "))]).chain(endless).boxed();
        assert!(head(&mut endless).await.unwrap_err().contains("exceeds 16384 bytes"));
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_status_headers_and_body() {
        let mut output = pieces("HTTP/1.1 403 No\r\nContent-Length: 7\r\nX-Why: a\r\n\r\nnot youAND MORE");
        let (status, headers, first) = head(&mut output).await.unwrap();
        let reply = refusal(status, headers, first, output).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.headers["x-why"].to_str().unwrap()), (403, "a"));
        assert!(matches!(&reply.body, HttpBody::Full(body) if body == "not you"));
        let mut output = pieces("HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        let (status, headers, first) = head(&mut output).await.unwrap();
        assert!(refusal(status, headers, first, output).await.unwrap_err().contains("400"));
    }
}
