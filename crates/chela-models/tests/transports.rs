//! Both transports against the mock server: real sockets, retries, time limits, cancellation, failover.

use chela_models::testing::{MockServer, Script};
use chela_models::*;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KEY: &str = "sk-test-secret-value";

fn settings(mock: &MockServer, api: ApiKind) -> ProviderSettings {
    let base = if api == ApiKind::AnthropicMessages { mock.url() } else { mock.openai_url() };
    let mut settings = ProviderSettings::new("lab", api, &base);
    settings.api_key = Some(Secret::new(KEY));
    settings
}

fn openai(mock: &MockServer) -> ProviderSettings {
    settings(mock, ApiKind::OpenAiCompletions)
}

fn ask(text: &str) -> ModelRequest {
    let mut request = ModelRequest::new(ModelRef::new("lab", "m"));
    request.messages = vec![ChatMessage::user(text)];
    request.tools = ["echo", "add"]
        .map(|name| ToolSpec { name: name.into(), description: "d".into(), parameters: json!({"type": "object", "properties": {}}) })
        .into();
    request
}

async fn run(settings: &ProviderSettings, request: ModelRequest) -> Result<Vec<ModelEvent>, ModelError> {
    run_until(settings, request, CancellationToken::new()).await
}

async fn run_until(settings: &ProviderSettings, request: ModelRequest, cancel: CancellationToken) -> Result<Vec<ModelEvent>, ModelError> {
    let mut stream = transport_for(settings, &http_client())?.stream(request, cancel).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event?);
    }
    Ok(events)
}

fn text(events: &[ModelEvent]) -> String {
    events.iter().filter_map(|e| if let ModelEvent::TextDelta(t) = e { Some(t.as_str()) } else { None }).collect()
}

fn calls(events: &[ModelEvent]) -> Vec<ToolCall> {
    events.iter().filter_map(|e| if let ModelEvent::ToolCall(c) = e { Some(c.clone()) } else { None }).collect()
}

#[tokio::test]
async fn answers_and_tools_in_both_formats() {
    for api in [ApiKind::OpenAiCompletions, ApiKind::AnthropicMessages] {
        for streaming in [true, false] {
            let mock = MockServer::start().await;
            let mut settings = settings(&mock, api.clone());
            settings.params.insert("streaming".into(), json!(streaming));
            let events = run(&settings, ask("hi")).await.unwrap();
            assert_eq!(events.first(), Some(&ModelEvent::Started));
            assert_eq!(text(&events), "Mock reply: all good.");
            let usage = Usage { input: 10, output: 5, total: 15, ..Usage::default() };
            assert_eq!(events.last(), Some(&ModelEvent::Done { stop_reason: StopReason::Stop, usage }));
            assert_eq!(mock.last_request().body["stream"], streaming);

            let request = ask(r#"[[tool:echo {"text":"a"}]] [[tool:add {"x":1}]]"#);
            let events = run(&settings, request.clone()).await.unwrap();
            let made = calls(&events);
            assert_eq!(made.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["echo", "add"]);
            assert_eq!(made[0].arguments, json!({"text": "a"}));
            assert!(matches!(events.last(), Some(ModelEvent::Done { stop_reason: StopReason::ToolUse, .. })));

            let mut again = request;
            again.messages.push(ChatMessage::Assistant { text: String::new(), tool_calls: made.clone(), thinking: vec![] });
            again.messages.extend(made.iter().map(|c| ChatMessage::tool_result(&c.id, &c.name, "done")));
            assert_eq!(text(&run(&settings, again).await.unwrap()), "Mock reply: all good.");
        }
    }
}

#[tokio::test]
async fn headers_of_both_formats() {
    // PRV-81 (bearer), PRV-242 (version header)
    let mock = MockServer::start().await;
    run(&openai(&mock), ask("hi")).await.unwrap();
    assert_eq!(mock.last_request().headers["authorization"], format!("Bearer {KEY}"));
    let mut anthropic = settings(&mock, ApiKind::AnthropicMessages);
    anthropic.headers.insert("x-team".into(), "red".into());
    run(&anthropic, ask("hi")).await.unwrap();
    let headers = mock.last_request().headers;
    assert_eq!((headers["x-api-key"].as_str(), headers["anthropic-version"].as_str()), (KEY, "2023-06-01"));
    assert!(headers["x-team"] == "red" && !headers.contains_key("authorization"));
    anthropic.auth_header = true;
    run(&anthropic, ask("hi")).await.unwrap();
    assert!(mock.last_request().headers.contains_key("authorization"));
    let mut keyless = openai(&mock);
    keyless.api_key = Some(Secret::new("custom-local"));
    run(&keyless, ask("hi")).await.unwrap();
    assert!(!mock.last_request().headers.contains_key("authorization")); // PRV-166
    let mut subscription = settings(&mock, ApiKind::AnthropicMessages);
    subscription.api_key = Some(Secret::new("sk-ant-oat01-x"));
    assert_eq!(run(&subscription, ask("hi")).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn each_status_has_its_kind_and_no_key() {
    let cases = [
        (400, ErrorKind::Invalid, 1),
        (401, ErrorKind::Auth, 1),
        (402, ErrorKind::Billing, 1),
        (404, ErrorKind::ModelNotFound, 1),
        (408, ErrorKind::Timeout, 2),
        (413, ErrorKind::ContextLength, 1),
        (429, ErrorKind::RateLimit { retry_after: None }, 1), // PRV-247: without the header it is reported at once
        (500, ErrorKind::Server(500), 2),
        (529, ErrorKind::Server(529), 2),
    ];
    for (status, kind, requests) in cases {
        let mock = MockServer::start().await;
        let body = json!({"error": {"message": format!("no: {KEY}")}}).to_string();
        for _ in 0..2 {
            mock.script(Script::new(status, "application/json", body.clone()).header("x-request-id", "req_9"));
        }
        let mut settings = openai(&mock);
        settings.max_retries = 1;
        let error = run(&settings, ask("hi")).await.unwrap_err();
        assert_eq!((error.kind.clone(), mock.requests().len()), (kind, requests), "{status}");
        assert_eq!((error.status, error.request_id.as_deref()), (Some(status), Some("req_9")));
        assert_eq!((error.provider.as_ref(), error.model.as_ref()), ("lab", "m"));
        assert!(!format!("{error} {error:?}").contains(KEY));
    }
}

#[tokio::test]
async fn retries_honour_retry_after_and_end_in_an_answer() {
    let mock = MockServer::start().await;
    mock.script(Script::new(429, "application/json", "{}").header("retry-after-ms", "80"));
    mock.script(Script::new(503, "text/plain", "busy"));
    let from = Instant::now();
    assert_eq!(text(&run(&openai(&mock), ask("hi")).await.unwrap()), "Mock reply: all good.");
    assert!(from.elapsed() >= Duration::from_millis(80));
    assert_eq!(mock.requests().len(), 3);
    let bodies: Vec<Value> = mock.requests().into_iter().map(|r| r.body).collect();
    assert!(bodies.windows(2).all(|w| w[0] == w[1]));
    // PRV-247: a long wait is the caller's business
    mock.script(Script::new(429, "application/json", "{}").header("retry-after", "61"));
    let error = run(&openai(&mock), ask("hi")).await.unwrap_err();
    assert_eq!((error.retry_after(), mock.requests().len()), (Some(Duration::from_secs(61)), 4));
}

#[tokio::test]
async fn an_error_before_any_text_is_retried_and_one_after_is_not() {
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let mock = MockServer::start().await;
    let anthropic = settings(&mock, ApiKind::AnthropicMessages);
    mock.script(Script::new(200, "text/event-stream", overloaded));
    assert_eq!(text(&run(&anthropic, ask("hi")).await.unwrap()), "Mock reply: all good.");
    assert_eq!(mock.requests().len(), 2);
    let begun = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"so\"}}\n\n";
    mock.script(Script::new(200, "text/event-stream", format!("{begun}{overloaded}")));
    let mut stream = transport_for(&anthropic, &http_client()).unwrap().stream(ask("hi"), CancellationToken::new()).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        seen.push(event.map_err(|e| e.kind));
    }
    let want = [Ok(ModelEvent::Started), Ok(ModelEvent::TextDelta("so".into())), Err(ErrorKind::Server(503))];
    assert_eq!((seen.as_slice(), mock.requests().len()), (want.as_slice(), 3));
}

#[tokio::test]
async fn broken_answers() {
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\n\n";
    let cases = [
        ("cut connection", Script { cut: true, ..Script::new(200, "text/event-stream", piece) }, ErrorKind::Connection),
        ("no end", Script::new(200, "text/event-stream", piece), ErrorKind::Connection),
        ("garbage", Script::new(200, "text/event-stream", "data: {oops\n\n"), ErrorKind::Invalid),
        ("empty", Script::new(200, "text/event-stream", ""), ErrorKind::Invalid),
        ("a web page", Script::new(200, "text/html", "<html>hello</html>"), ErrorKind::Invalid),
        ("another JSON", Script::new(200, "application/json", "{\"a\":1}"), ErrorKind::Invalid),
        ("redirect", Script::new(307, "text/plain", "").header("location", "http://localhost:9/v1"), ErrorKind::Invalid),
        ("filtered", Script::new(400, "application/json", r#"{"error":{"code":"content_filter","message":"no"}}"#), ErrorKind::Refusal),
    ];
    for (what, script, kind) in cases {
        let mock = MockServer::start().await;
        mock.script(script);
        let mut settings = openai(&mock);
        settings.max_retries = 0;
        assert_eq!(run(&settings, ask("hi")).await.unwrap_err().kind, kind, "{what}");
    }
}

#[tokio::test]
async fn mislabelled_and_plain_answers_are_read() {
    // PRV-248
    let mock = MockServer::start().await;
    let document = json!({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}).to_string();
    mock.script(Script::new(200, "text/event-stream", document));
    assert_eq!(text(&run(&openai(&mock), ask("hi")).await.unwrap()), "whole");
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"piece\"},\"finish_reason\":\"stop\"}]}\r\n\r\n";
    mock.script(Script::new(200, "application/json", events));
    assert_eq!(text(&run(&openai(&mock), ask("hi")).await.unwrap()), "piece");
    mock.script(Script::new(400, "application/json", r#"{"error":"stream is not supported"}"#));
    assert_eq!(text(&run(&openai(&mock), ask("hi")).await.unwrap()), "Mock reply: all good.");
    assert_eq!(mock.last_request().body["stream"], false);
}

#[tokio::test]
async fn time_limits() {
    // PRV-246 (each piece refreshes the limit)
    let mock = MockServer::start().await;
    let mut settings = openai(&mock);
    settings.timeouts = Timeouts { first_byte: Duration::from_millis(300), idle: Duration::from_millis(300) };
    assert_eq!(run(&settings, ask("[[sleep:5000]]")).await.unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(mock.requests().len(), 1, "a silent model is not asked again");
    assert_eq!(text(&run(&settings, ask("[[slow:60]]")).await.unwrap()), "Mock reply: all good.");
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\n\n";
    mock.script(Script { hang: true, ..Script::new(200, "text/event-stream", piece) });
    assert_eq!(run(&settings, ask("hi")).await.unwrap_err().kind, ErrorKind::Timeout);
    let ended = format!("{piece}data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n");
    mock.script(Script { hang: true, ..Script::new(200, "text/event-stream", ended) });
    assert_eq!(text(&run(&settings, ask("hi")).await.unwrap()), "so", "a server that forgets to close is forgiven");
}

#[tokio::test]
async fn cancelling() {
    let mock = MockServer::start().await;
    for words in ["[[sleep:60000]]", "[[slow:100]]"] {
        let cancel = CancellationToken::new();
        let later = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            later.cancel();
        });
        let result = tokio::time::timeout(Duration::from_secs(10), run_until(&openai(&mock), ask(words), cancel)).await;
        assert_eq!(result.unwrap().unwrap_err().kind, ErrorKind::Aborted, "{words}");
    }
}

#[tokio::test]
async fn a_dead_server_is_a_connection_error() {
    let mut settings = ProviderSettings::new("lab", ApiKind::OpenAiCompletions, "http://127.0.0.1:1/v1?key=query-secret");
    settings.max_retries = 0;
    let error = run(&settings, ask("hi")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Connection);
    assert!(error.message.contains("127.0.0.1:1") && !error.message.contains("query-secret"), "{error}");
}

#[tokio::test]
async fn keys_rotate() {
    // PRV-169
    let mock = MockServer::start().await;
    let mut settings = openai(&mock);
    (settings.api_key, settings.env_vars) = (None, vec!["LAB_API_KEY".into()]);
    let env = [("LAB_API_KEY", "first-key"), ("LAB_API_KEY_2", "second-key")];
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let auth = AuthStore::new(AuthInputs { env, ..AuthInputs::default() });
    let transport = transport_with_auth(&settings, &http_client(), &auth).unwrap();
    mock.script(Script::new(429, "application/json", "{}"));
    assert!(transport.stream(ask("hi"), CancellationToken::new()).await.is_ok());
    assert_eq!(mock.last_request().headers["authorization"], "Bearer second-key");
    mock.script(Script::new(401, "application/json", "{}"));
    let error = transport.stream(ask("hi"), CancellationToken::new()).await.err().unwrap();
    assert_eq!((error.kind, mock.requests().len()), (ErrorKind::Auth, 3));
}

fn chain_registry(mock: &MockServer) -> ModelRegistry {
    let lab = json!({"baseUrl": mock.openai_url()});
    let models = json!({"mode": "replace", "providers": {"lab": lab, "spare": lab}});
    ModelRegistry::from_catalog(&ModelCatalog::from_config(&models), &http_client(), &AuthStore::default())
}

#[tokio::test]
async fn fallbacks() {
    // PRV-205, PRV-217 (order, duplicates), PRV-227
    let mock = MockServer::start().await;
    let registry = chain_registry(&mock);
    let spare = [ModelRef::new("lab", "M"), ModelRef::new("spare", "b")];
    let cancel = CancellationToken::new();
    let fail = |status| mock.script(Script::new(status, "application/json", r#"{"error":{"message":"no"}}"#));

    fail(401);
    let answer = stream_with_fallback(&registry, ask("hi"), &spare, &cancel).await.unwrap();
    assert_eq!((answer.model.to_string(), answer.attempts.len()), ("spare/b".to_owned(), 1));
    assert_eq!(answer.attempts[0].error.kind, ErrorKind::Auth);
    drop(answer);

    fail(401);
    fail(402);
    let error = stream_with_fallback(&registry, ask("hi"), &spare, &cancel).await.unwrap_err();
    assert!(error.message.contains("`lab/m`") && error.message.contains("`spare/b`") && error.message.contains("billing"), "{error}");

    let before = mock.requests().len();
    fail(413);
    let error = stream_with_fallback(&registry, ask("hi"), &spare, &cancel).await.unwrap_err();
    assert_eq!((error.kind, mock.requests().len()), (ErrorKind::ContextLength, before + 1));

    fail(401);
    let error = stream_with_fallback(&registry, ask("hi"), &[], &cancel).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Auth, "no"));
}

#[tokio::test]
async fn connections_are_reused() {
    let mock = MockServer::start().await;
    let transport = transport_for(&openai(&mock), &HttpClient::default()).unwrap();
    for _ in 0..50 {
        let stream = transport.stream(ask("hi"), CancellationToken::new()).await.unwrap();
        assert!(stream.count().await > 2);
        // Work between two calls of a turn; the rest of the body is read meanwhile.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(mock.connections() < 10, "{} connections for 50 calls", mock.connections());
}
