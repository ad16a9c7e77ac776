//! A model that answers at once: OpenAI chat completions, streamed. `[[tool:NAME {json}]]` in the last user message makes it call
//! that tool once.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Path of the endpoint.
pub const PATH: &str = "/v1/chat/completions";

/// Starts the model; it lives as long as the process.
pub async fn start() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(serve)));
        }
    });
    Ok(port)
}

async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(answer(&body))));
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

fn answer(body: &Value) -> String {
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock-1", "choices": choices});
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), None);
    let mut out = String::new();
    let finish = match wanted_tool(body) {
        Some((name, arguments)) => {
            let call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}});
            out += &delta(json!({"role": "assistant", "content": null, "tool_calls": [call]}), Value::Null);
            "tool_calls"
        }
        None => {
            out += &delta(json!({"role": "assistant", "content": ""}), Value::Null);
            for part in ["Mock ", "reply: ", "all ", "good."] {
                out += &delta(json!({"content": part}), Value::Null);
            }
            "stop"
        }
    };
    out += &delta(json!({}), finish.into());
    out += &chunk(json!([]), Some(json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})));
    out + "data: [DONE]\n\n"
}

/// The tool to call, unless its result is there already.
fn wanted_tool(body: &Value) -> Option<(String, String)> {
    let messages = body["messages"].as_array()?;
    let last_user = messages.iter().rposition(|m| m["role"] == "user")?;
    if messages[last_user..].iter().any(|m| m["role"] == "tool") {
        return None;
    }
    let text = messages[last_user]["content"].to_string().replace("\\\"", "\"");
    let call = text.split("[[tool:").nth(1)?.split("]]").next()?;
    let (name, arguments) = call.split_once(' ').unwrap_or((call, "{}"));
    Some((name.to_string(), arguments.to_string()))
}
