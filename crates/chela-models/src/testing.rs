//! A mock model server on a loopback port, for tests: chat completions and Anthropic messages, streaming and not.
//!
//! It answers deterministically. In the last user message `[[tool:NAME {json}]]` makes it call that tool (several make
//! parallel calls) if it is offered, and answer once results follow; `[[sleep:MS]]` waits before the first byte;
//! `[[slow:MS]]` waits before each piece; `[[fail:STATUS]]` answers with that status. [`MockServer::script`] replaces
//! the next answers by raw ones. Panics on misuse, as test helpers do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One request that the server got.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Path with query.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body; null when it is no JSON.
    pub body: Value,
}

/// A raw answer.
#[derive(Debug, Clone)]
pub struct Script {
    /// HTTP status.
    pub status: u16,
    /// Headers besides the transfer encoding.
    pub headers: Vec<(String, String)>,
    /// Pieces of the body, each after a pause.
    pub chunks: Vec<(Duration, Vec<u8>)>,
    /// Breaks the connection instead of ending the body properly.
    pub cut: bool,
    /// Keeps the connection open without ending the body.
    pub hang: bool,
}

impl Script {
    /// An answer in one piece.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            chunks: vec![(Duration::ZERO, body.into())],
            cut: false,
            hang: false,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Default)]
struct State {
    requests: Vec<RecordedRequest>,
    scripts: VecDeque<Script>,
    connections: usize,
    reply: String,
}

/// The server; it stops when dropped.
pub struct MockServer {
    port: u16,
    state: Arc<Mutex<State>>,
    _guard: DropGuard,
}

impl MockServer {
    /// Starts on a free port with the default reply.
    pub async fn start() -> Self {
        Self::with_reply("Mock reply: all good.").await
    }

    /// Starts on a free port with a reply.
    pub async fn with_reply(reply: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { reply: reply.to_owned(), ..State::default() }));
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, state.clone(), stop.clone()));
        Self { port, state, _guard: stop.drop_guard() }
    }

    /// Address without a path, as Anthropic providers want it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Address of the chat-completions API.
    pub fn openai_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// Replaces the next answer by a raw one; several queue up.
    pub fn script(&self, script: Script) {
        self.state.lock().unwrap().scripts.push_back(script);
    }

    /// Forgets the scripts that were not used.
    pub fn clear_scripts(&self) {
        self.state.lock().unwrap().scripts.clear();
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The newest request. Panics when there was none.
    pub fn last_request(&self) -> RecordedRequest {
        self.state.lock().unwrap().requests.last().cloned().expect("the server got no request")
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, stop: CancellationToken) {
    loop {
        let socket = tokio::select! {
            () = stop.cancelled() => return,
            socket = listener.accept() => socket,
        };
        let Ok((socket, _)) = socket else { continue };
        state.lock().unwrap().connections += 1;
        let (state, stop) = (state.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = serve(socket, state) => {}
            }
        });
    }
}

async fn serve(socket: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let _ = socket.set_nodelay(true);
    let mut socket = BufReader::new(socket);
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).await?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                None => break,
            };
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        socket.read_exact(&mut body).await?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let script = answer(&state, &method, &path, RecordedRequest { path: path.clone(), headers, body });
        if !send(&mut socket, script).await? {
            return Ok(());
        }
    }
}

async fn send(socket: &mut BufReader<TcpStream>, script: Script) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} X\r\ntransfer-encoding: chunked\r\n", script.status);
    for (name, value) in &script.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut pending = head.into_bytes();
    for (pause, bytes) in &script.chunks {
        if !pause.is_zero() {
            socket.write_all(&std::mem::take(&mut pending)).await?;
            tokio::time::sleep(*pause).await;
        }
        if !bytes.is_empty() {
            pending.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
            pending.extend_from_slice(bytes);
            pending.extend_from_slice(b"\r\n");
        }
    }
    if script.cut {
        socket.write_all(&pending).await?;
        return Ok(false);
    }
    if script.hang {
        socket.write_all(&pending).await?;
        // Ends when the client goes away, or with the server.
        let mut byte = [0];
        let _ = socket.read(&mut byte).await;
        return Ok(false);
    }
    pending.extend_from_slice(b"0\r\n\r\n");
    socket.write_all(&pending).await?;
    Ok(true)
}

fn answer(state: &Mutex<State>, method: &str, path: &str, request: RecordedRequest) -> Script {
    let body = request.body.clone();
    let (scripted, reply, number) = {
        let mut state = state.lock().unwrap();
        if method == "POST" {
            state.requests.push(request);
        }
        (state.scripts.pop_front(), state.reply.clone(), state.requests.len())
    };
    let route = path.split('?').next().unwrap_or_default();
    match (method, scripted) {
        (_, Some(script)) => script,
        ("GET", _) if route.ends_with("/models") => {
            Script::new(200, "application/json", json!({"object": "list", "data": [{"id": "mock-1", "object": "model"}]}).to_string())
        }
        ("POST", _) if route.ends_with("/chat/completions") => Plan::new(&body, &reply, number, false).script(),
        ("POST", _) if route.ends_with("/v1/messages") => Plan::new(&body, &reply, number, true).script(),
        _ => Script::new(404, "application/json", "{}"),
    }
}

struct Plan<'a> {
    body: &'a Value,
    reply: &'a str,
    number: usize,
    anthropic: bool,
    calls: Vec<(String, String)>,
    sleep: u64,
    slow: u64,
    fail: Option<u16>,
}

impl<'a> Plan<'a> {
    fn new(body: &'a Value, reply: &'a str, number: usize, anthropic: bool) -> Self {
        let empty = Vec::new();
        let messages = body["messages"].as_array().unwrap_or(&empty);
        let is_result = |m: &Value| {
            let blocks = m["content"].as_array();
            m["role"] == "tool" || blocks.is_some_and(|b| b.iter().any(|b| b["type"] == "tool_result"))
        };
        let last_user = messages.iter().rposition(|m| m["role"] == "user" && !is_result(m));
        let text = last_user.map(|at| text_of(&messages[at]["content"])).unwrap_or_default();
        let answered = messages[last_user.map_or(0, |at| at + 1)..].iter().any(is_result);
        let offered: Vec<&str> = body["tools"].as_array().unwrap_or(&empty).iter().filter_map(tool_name).collect();
        let number_of = |name| directives(&text, name).pop().and_then(|t| t.trim().parse::<u64>().ok());
        let call = |text: String| {
            let (name, args) = text.split_once(char::is_whitespace).unwrap_or((&text, r#"{"text":"hello"}"#));
            (name.to_owned(), args.trim().to_owned())
        };
        let mut calls: Vec<_> = directives(&text, "tool").into_iter().map(call).collect();
        calls.retain(|(name, _)| !answered && offered.contains(&name.as_str()));
        Self {
            body,
            reply,
            number,
            anthropic,
            calls,
            sleep: number_of("sleep").unwrap_or(0),
            slow: number_of("slow").unwrap_or(0),
            fail: number_of("fail").filter(|_| !answered).and_then(|n| u16::try_from(n).ok()),
        }
    }

    fn script(&self) -> Script {
        if let Some(status) = self.fail {
            let error = json!({"error": {"message": format!("mock failure {status}"), "type": "mock_error"}});
            return Script::new(status, "application/json", error.to_string()).header("x-request-id", "req_mock");
        }
        let streaming = self.body["stream"] == true;
        let pieces: Vec<String> = match (self.anthropic, streaming) {
            (false, true) => self.openai_events(),
            (true, true) => self.anthropic_events(),
            (false, false) => vec![self.openai_document().to_string()],
            (true, false) => vec![self.anthropic_document().to_string()],
        };
        let kind = if streaming { "text/event-stream" } else { "application/json" };
        let mut script = Script::new(200, kind, Vec::new());
        script.chunks = if self.slow > 0 {
            pieces.into_iter().map(|p| (Duration::from_millis(self.slow), p.into_bytes())).collect()
        } else {
            vec![(Duration::ZERO, pieces.concat().into_bytes())]
        };
        script.chunks[0].0 += Duration::from_millis(self.sleep);
        script
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.reply.split_inclusive(' ')
    }

    fn call_id(&self, at: usize) -> String {
        format!("call_mock_{}_{at}", self.number)
    }

    fn openai_calls(&self) -> Vec<Value> {
        let call = |(at, (name, args)): (usize, &(String, String))| json!({"index": at, "id": self.call_id(at), "type": "function", "function": {"name": name, "arguments": args}});
        self.calls.iter().enumerate().map(call).collect()
    }

    fn openai_events(&self) -> Vec<String> {
        let event = |delta: Value, finish: Option<&str>| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            format!("data: {}\n\n", json!({"id": "chatcmpl-mock", "object": "chat.completion.chunk", "choices": [choice]}))
        };
        let mut out = vec![event(json!({"role": "assistant", "content": ""}), None)];
        if self.calls.is_empty() {
            out.extend(self.words().map(|w| event(json!({"content": w}), None)));
        }
        out.extend(self.openai_calls().into_iter().map(|c| event(json!({"tool_calls": [c]}), None)));
        out.push(event(json!({}), Some(if self.calls.is_empty() { "stop" } else { "tool_calls" })));
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15});
        out.push(format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage})));
        out
    }

    fn openai_document(&self) -> Value {
        let message = if self.calls.is_empty() {
            json!({"role": "assistant", "content": self.reply})
        } else {
            json!({"role": "assistant", "content": null, "tool_calls": self.openai_calls()})
        };
        let finish = if self.calls.is_empty() { "stop" } else { "tool_calls" };
        json!({"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}],
               "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}})
    }

    fn stop_reason(&self) -> &'static str {
        if self.calls.is_empty() { "end_turn" } else { "tool_use" }
    }

    fn anthropic_events(&self) -> Vec<String> {
        let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
        let mut out = vec![event(json!({"type": "message_start", "message": {"usage": {"input_tokens": 10, "output_tokens": 0}}}))];
        if self.calls.is_empty() {
            out.push(event(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})));
            let delta = |w: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}});
            out.extend(self.words().map(|w| event(delta(w))));
            out.push(event(json!({"type": "content_block_stop", "index": 0})));
        }
        for (at, (name, args)) in self.calls.iter().enumerate() {
            let block = json!({"type": "tool_use", "id": self.call_id(at), "name": name, "input": {}});
            out.push(event(json!({"type": "content_block_start", "index": at, "content_block": block})));
            let delta = json!({"type": "input_json_delta", "partial_json": args});
            out.push(event(json!({"type": "content_block_delta", "index": at, "delta": delta})));
            out.push(event(json!({"type": "content_block_stop", "index": at})));
        }
        let delta = json!({"stop_reason": self.stop_reason()});
        out.push(event(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})));
        out.push(event(json!({"type": "message_stop"})));
        out
    }

    fn anthropic_document(&self) -> Value {
        let mut content: Vec<Value> = Vec::new();
        if self.calls.is_empty() {
            content.push(json!({"type": "text", "text": self.reply}));
        }
        for (at, (name, args)) in self.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(args).unwrap_or_default();
            content.push(json!({"type": "tool_use", "id": self.call_id(at), "name": name, "input": input}));
        }
        json!({"type": "message", "role": "assistant", "content": content, "stop_reason": self.stop_reason(),
               "usage": {"input_tokens": 10, "output_tokens": 5}})
    }
}

fn tool_name(tool: &Value) -> Option<&str> {
    tool.pointer("/function/name").or_else(|| tool.get("name")).and_then(Value::as_str)
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// The bodies of all `[[name:body]]` in a text, in order.
fn directives(text: &str, name: &str) -> Vec<String> {
    let open = format!("[[{name}:");
    text.split(open.as_str()).skip(1).filter_map(|rest| rest.split_once("]]").map(|(body, _)| body.to_owned())).collect()
}
