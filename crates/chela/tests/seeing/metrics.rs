//! Metrics and traces: a real scrape, and a stand-in for a collector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_models::testing::MockServer;
use chela_plugin_diagnostics::otel::proto;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::gateway::{Gateway, TOKEN};
use crate::support::hooks::config;
use crate::support::{PATIENCE, node, until};

/// The usual config with one of the exporters.
fn with_exporter(mut config: Value, id: &str, diagnostics: Value) -> Value {
    config["plugins"]["allow"].as_array_mut().unwrap().push(id.into());
    config["plugins"]["entries"][id] = json!({"enabled": true});
    config["diagnostics"] = diagnostics;
    config
}

/// One HTTP request; the whole answer.
async fn get(port: u16, path: &str, token: Option<&str>) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let auth = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{auth}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

// PROM-01, PROM-02
#[tokio::test(flavor = "multi_thread")]
async fn prometheus_finds_what_the_gateway_did() {
    const PATH: &str = "/api/diagnostics/prometheus";
    let place = tempfile::tempdir().unwrap();
    let model = MockServer::start().await;
    let config = config(&model.openai_url(), &place.path().join("w"), &place.path().join("heard.jsonl"));
    let config = with_exporter(config, "diagnostics-prometheus", json!({"enabled": true}));
    let gateway = Gateway::start(&node().await.unwrap(), config).await;
    let mut client = gateway.client().await;
    client.plugin_until("diagnostics-prometheus", "running", |row| row["state"] == "running").await;
    client.turn("hello there").await;
    client.turn(r#"[[tool:fixture_echo {"text":"private words"}]]"#).await;
    client.turn(r#"[[tool:fixture_echo {"text":"throwme"}]]"#).await;

    assert!(get(gateway.port, PATH, None).await.starts_with("HTTP/1.1 401"), "strangers see nothing");
    // The memory of workers is looked at now and then.
    let begun = std::time::Instant::now();
    let (status, text) = loop {
        let answer = get(gateway.port, PATH, Some(TOKEN)).await;
        if answer.contains(r#"chela_worker_memory_bytes{plugin="echo-tool"}"#) || begun.elapsed() > PATIENCE {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            break (head.to_lowercase(), body.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(status.starts_with("http/1.1 200") && status.contains("text/plain; version=0.0.4"), "{status}");
    let value = |start: &str| {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no `{start}` in\n{text}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let run = r#"{channel="webchat",model="mock-1",outcome="completed",provider="mock",trigger="user"}"#;
    let runs: Vec<&str> = text.lines().filter(|line| line.starts_with("openclaw_run_completed_total")).collect();
    assert!(runs.iter().any(|line| line.ends_with("} 3") && line.contains(r#"outcome="completed",provider="mock""#)), "{runs:?} {run}");
    // Two turns called the model twice.
    assert_eq!(
        value(r#"openclaw_model_call_total{api="openai-completions",error_category="none",model="mock-1",outcome="completed""#),
        5.0
    );
    assert_eq!(
        value(r#"openclaw_tool_execution_total{error_category="none",outcome="completed",params_kind="object",tool="fixture_echo"}"#),
        1.0
    );
    assert_eq!(
        value(r#"openclaw_tool_execution_total{error_category="thrown",outcome="error",params_kind="object",tool="fixture_echo"}"#),
        1.0
    );
    let tokens = text.lines().find(|line| line.starts_with("openclaw_model_tokens_total") && line.contains(r#"token_type="output""#));
    assert!(tokens.is_some_and(|line| line.ends_with(" 25")), "{tokens:?}");
    assert!(value(r#"openclaw_queue_lane_wait_seconds_count{lane="main"}"#) >= 3.0);
    assert!(value(r#"chela_hook_calls_total{hook="before_tool_call",outcome="completed",plugin="echo-tool"}"#) >= 2.0);
    assert!(value(r#"chela_worker_memory_bytes{plugin="echo-tool"}"#) > 1e6);
    assert!(value(r#"openclaw_memory_bytes{kind="rss"}"#) > 1e6);
    assert!(value(r#"chela_requests_total{name="GET",outcome="4xx",surface="http"}"#) >= 1.0);
    assert!(value(r#"chela_requests_total{name="agent",outcome="ok",surface="ws"}"#) >= 3.0);
    assert_eq!(value("openclaw_prometheus_series_dropped_total"), 0.0);
    for secret in ["agent:main", "private words", TOKEN, place.path().to_str().unwrap()] {
        assert!(!text.contains(secret), "`{secret}` is no label:\n{text}");
    }

    // A message that had to go has no run, and is accounted for all the same.
    let send = |message: &str, run: &str| json!({"sessionKey": "agent:main:queue", "message": message, "idempotencyKey": run});
    client.call("chat.send", send("/queue followup cap:1 drop:new", "queue")).await;
    client.call("agent.wait", json!({"runId": "queue"})).await;
    client.call("chat.send", send("[[sleep:60000]]", "hold")).await;
    let begun = std::time::Instant::now();
    let dropped = r#"openclaw_message_processed_total{channel="webchat",outcome="skipped",reason="dropped"}"#;
    let mut sent = 0;
    while !get(gateway.port, PATH, Some(TOKEN)).await.contains(dropped) {
        assert!(begun.elapsed() < PATIENCE, "{sent} messages, and none was dropped");
        sent += 1;
        client.call("chat.send", send(&format!("one more, {sent}"), &format!("more-{sent}"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.call("chat.abort", json!({"sessionKey": "agent:main:queue"})).await;
}

/// What a collector got.
#[derive(Default)]
struct Got {
    headers: Vec<String>,
    spans: Vec<proto::Span>,
    lines: Vec<proto::LogRecord>,
    metrics: Vec<proto::Metric>,
    services: Vec<proto::KeyValue>,
}

/// Takes OTLP over HTTP and decodes it.
struct Collector {
    port: u16,
    got: Arc<Mutex<Got>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Got>> = Arc::default();
        let shared = got.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, shared.clone()));
            }
        });
        Self { port, got, task }
    }

    fn see<T>(&self, look: impl FnOnce(&Got) -> T) -> T {
        look(&self.got.lock().unwrap())
    }
}

/// Requests of one connection, one after another.
async fn take(stream: TcpStream, got: Arc<Mutex<Got>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_lowercase());
        }
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        {
            let mut got = got.lock().unwrap();
            if head[0].starts_with("post /v1/traces ") {
                for resource in proto::ExportTraces::decode(body.as_slice()).unwrap().resource_spans {
                    got.services.extend(resource.resource.unwrap().attributes);
                    got.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
                }
            } else if head[0].starts_with("post /v1/logs ") {
                let all = proto::ExportLogs::decode(body.as_slice()).unwrap().resource_logs;
                got.lines.extend(all.into_iter().flat_map(|resource| resource.scope_logs).flat_map(|scope| scope.log_records));
            } else {
                assert!(head[0].starts_with("post /v1/metrics "), "{head:?}");
                let all = proto::ExportMetrics::decode(body.as_slice()).unwrap().resource_metrics;
                got.metrics = all.into_iter().flat_map(|resource| resource.scope_metrics).flat_map(|scope| scope.metrics).collect();
            }
            got.headers.extend(head);
        }
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    }
}

// OTEL-01, OTEL-02, OTEL-03
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_spans_and_metrics() {
    let place = tempfile::tempdir().unwrap();
    let (model, collector) = (MockServer::start().await, Collector::start().await);
    let config = config(&model.openai_url(), &place.path().join("w"), &place.path().join("heard.jsonl"));
    let otel = json!({
        "enabled": true, "endpoint": format!("http://127.0.0.1:{}", collector.port), "flushIntervalMs": 1000,
        "headers": {"x-collector-token": "the-collectors-own-secret"}, "serviceName": "under-test",
    });
    let gateway = Gateway::start(&node().await.unwrap(), with_exporter(config, "diagnostics-otel", json!({"otel": otel}))).await;
    let mut client = gateway.client().await;
    client.plugin_until("diagnostics-otel", "running", |row| row["state"] == "running").await;
    client.turn(r#"[[tool:fixture_echo {"text":"private words"}]]"#).await;

    let names = |got: &Got| got.spans.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    until("the spans of the turn", || collector.see(|got| names(got).iter().any(|name| name == "openclaw.run"))).await;
    collector.see(|got| {
        let all = |name: &str| got.spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
        let (run, calls, tools) = (all("openclaw.run"), all("openclaw.model.call"), all("openclaw.tool.execution"));
        assert_eq!((run.len(), calls.len(), tools.len()), (1, 2, 1), "{:?}", names(got));
        for part in calls.iter().chain(&tools) {
            assert_eq!((&part.trace_id, &part.parent_span_id), (&run[0].trace_id, &run[0].span_id), "{part:?}");
            assert!(part.end_time_unix_nano >= part.start_time_unix_nano);
        }
        assert!(got.services.contains(&proto::KeyValue::text("service.name", "under-test")));
        assert!(got.headers.iter().any(|line| line == "x-collector-token: the-collectors-own-secret"));
        assert!(got.headers.iter().any(|line| line == "content-type: application/x-protobuf"));
        let text = format!("{:?}", got.spans);
        assert!(!text.contains("private words") && !text.contains("agent:main"), "{text}");
    });
    let has = |name: &str| collector.see(|got| got.metrics.iter().any(|metric| metric.name == name));
    until("the metrics of the turn", || has("openclaw.tokens")).await;
    for name in ["openclaw.run.duration_ms", "gen_ai.client.operation.duration", "openclaw.queue.wait_ms", "chela.hook.calls"] {
        assert!(has(name), "{name}");
    }
    until("the memory of workers", || has("chela.worker.memory_bytes")).await;
    assert!(!gateway.log().contains("the-collectors-own-secret"));
}

// OTEL-01, OTEL-03, OTEL-04
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_log_and_the_contents_that_were_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let (model, collector) = (MockServer::start().await, Collector::start().await);
    let mut config = config(&model.openai_url(), &place.path().join("w"), &place.path().join("heard.jsonl"));
    // What somebody writes into the headers of a provider says nothing about our traces.
    let providers = config["models"]["providers"].as_object_mut().unwrap();
    providers.values_mut().for_each(|provider| provider["headers"] = json!({"traceparent": "00-forged-forged-01", "x-own": "kept"}));
    let otel = json!({
        "enabled": true, "endpoint": format!("http://127.0.0.1:{}", collector.port), "flushIntervalMs": 1000, "logs": true,
        "captureContent": {"toolInputs": true, "outputMessages": true},
    });
    let gateway = Gateway::start(&node().await.unwrap(), with_exporter(config, "diagnostics-otel", json!({"otel": otel}))).await;
    let mut client = gateway.client().await;
    client.plugin_until("diagnostics-otel", "running", |row| row["state"] == "running").await;
    client.turn(r#"[[tool:fixture_echo {"text":"token sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"}]]"#).await;
    until("the spans of the turn", || collector.see(|got| got.spans.iter().any(|span| span.name == "openclaw.run"))).await;
    let sent = model.requests().into_iter().map(|request| request.headers).collect::<Vec<_>>();
    collector.see(|got| {
        let calls: Vec<_> = got.spans.iter().filter(|span| span.name == "openclaw.model.call").collect();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let ours: Vec<String> = calls.iter().map(|span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))).collect();
        assert!(
            sent.len() == 2 && sent.iter().all(|headers| headers["x-own"] == "kept" && ours.contains(&headers["traceparent"])),
            "{sent:?} {ours:?}"
        );
        let keys: Vec<&str> = got.spans.iter().flat_map(|span| &span.attributes).map(|pair| pair.key.as_str()).collect();
        for (key, want) in [
            ("openclaw.content.tool_input", true),
            ("openclaw.content.output_messages", true),
            ("openclaw.content.tool_output", false),
            ("openclaw.content.input_messages", false),
            ("openclaw.content.system_prompt", false),
        ] {
            assert_eq!(keys.contains(&key), want, "{key}: {keys:?}");
        }
        let text = format!("{:?}", got.spans);
        assert!(text.contains("token ") && !text.contains("abcdefghijklmnopqrstuvwxyz0123456789"), "{text}");
    });
    let has_line = |part: &str| collector.see(|got| format!("{:?}", got.lines).contains(part));
    until("lines of the log", || has_line("openclaw.log.level") && has_line("INFO")).await;
}
