//! Reads bodies within limits, and lets callers see the refusal (GW-F6).
#![allow(clippy::result_large_err)] // a refusal ends its request; nobody carries it further

use super::reply::HttpReply;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;

/// How much of a refused body is read away, so that the caller gets to read the refusal.
const DRAIN_BYTES: u64 = 256 * 1024 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// Reads a body of at most `limit` bytes within `timeout`. The error is the reply to send.
pub async fn read_body(headers: &HeaderMap, mut body: Incoming, limit: usize, timeout: Duration) -> Result<Bytes, HttpReply> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.trim().parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        // A caller that waits for `100 Continue` has sent nothing yet; asking for the body only to throw it
        // away would be waste.
        if !headers.contains_key(EXPECT) {
            drain(body);
        }
        return Err(too_large(limit));
    }
    let mut read = BytesMut::new();
    let collect = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| bad_body(&error))?;
            if let Some(data) = frame.data_ref() {
                if read.len() + data.len() > limit {
                    return Err(too_large(limit));
                }
                read.extend_from_slice(data);
            }
        }
        Ok(())
    };
    let result = tokio::time::timeout(timeout, collect).await;
    match result {
        Ok(Ok(())) => Ok(read.freeze()),
        Ok(Err(reply)) => {
            if reply.status == StatusCode::PAYLOAD_TOO_LARGE {
                drain(body);
            }
            Err(reply)
        }
        Err(_) => {
            Err(HttpReply::error(StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "request body timeout")
                .with_header(CONNECTION, "close"))
        }
    }
}

// The reply leaves meanwhile; a socket closed with unread bytes would be reset, and the reply lost.
fn drain(mut body: Incoming) {
    tokio::spawn(async move {
        let read = async {
            let mut left = DRAIN_BYTES;
            while !body.is_end_stream() {
                match body.frame().await {
                    Some(Ok(frame)) => {
                        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                        left = left.saturating_sub(size);
                        if left == 0 {
                            return;
                        }
                    }
                    _ => return,
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIME, read).await; // best effort
    });
}

fn too_large(limit: usize) -> HttpReply {
    HttpReply::error(
        StatusCode::PAYLOAD_TOO_LARGE,
        "invalid_request_error",
        format!("Payload too large; this endpoint takes at most {limit} bytes"),
    )
}

fn bad_body(error: &hyper::Error) -> HttpReply {
    HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", format!("request body cannot be read: {error}"))
}
