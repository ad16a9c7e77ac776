//! Methods, endpoints, plugins' own surfaces and the config file, on a whole gateway with real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::time::Duration;

use chela_models::testing::Script;
use live::{Home, text};
use serde_json::{Value, json};

// GW-76, GW-79, GW-87, GW-F12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_the_same_run_while_it_runs_after_it_and_after_a_restart() {
    let home = Home::new().await;
    let live = home.start().await;
    let mut client = live.client().await;
    let send = json!({"sessionKey": "agent:main:i", "message": "[[sleep:600]] hi", "idempotencyKey": "same"});
    assert_eq!(client.ok("chat.send", send.clone()).await["status"], "started");
    assert_eq!(client.ok("chat.send", send.clone()).await["status"], "in_flight");
    let waited = client.ok("agent.wait", json!({"runId": "same"})).await;
    assert_eq!(waited["status"], "ok", "{waited}");
    assert_eq!(client.ok("chat.send", send.clone()).await["status"], "ok");
    let missing = client.error("chat.send", json!({"sessionKey": "agent:main:i", "message": "x"})).await;
    assert!(missing["message"].as_str().unwrap().contains("idempotencyKey"), "{missing}");
    live.stop().await;
    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(client.ok("chat.send", send).await["status"], "ok");
    let run = json!({"sessionKey": "agent:main:i", "message": "[[sleep:600]] hi", "idempotencyKey": "same"});
    let again = client.ok("agent", run).await;
    assert_eq!(again["status"], "ok", "{again}");
    assert_eq!(home.model.requests().len(), 1);
    live.stop().await;
}

// GW-85, GW-82, PRV-217
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_failed_runs_say_so_and_keep_what_was_said() {
    let home = Home::with_reply("one two three four five six seven eight nine ten").await;
    let live = home.start().await;
    let mut client = live.client().await;
    client.ok("chat.send", json!({"sessionKey": "agent:main:s", "message": "[[slow:150]]", "idempotencyKey": "slow"})).await;
    client.event(|e| e["event"] == "chat" && e["payload"]["runId"] == "slow" && e["payload"]["state"] == "delta").await;
    client.ok("chat.abort", json!({"sessionKey": "agent:main:s"})).await;
    let end = client.chat_end("slow").await;
    assert_eq!(end["state"], "aborted");
    assert!(text(&end["message"]).starts_with("one"), "{end}");
    let stored = client.ok("sessions.get", json!({"key": "agent:main:s"})).await;
    let last = stored["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["stopReason"], "aborted");
    assert!(text(&last).starts_with("one"), "{last}");

    let timed = json!({"sessionKey": "agent:main:t", "message": "[[slow:200]]", "idempotencyKey": "late", "timeoutMs": 700});
    client.ok("chat.send", timed).await;
    let end = client.chat_end("late").await;
    assert_eq!((&end["state"], &end["errorKind"]), (&json!("error"), &json!("timeout")), "{end}");
    let stored = client.ok("sessions.get", json!({"key": "agent:main:t"})).await;
    assert!(text(stored["messages"].as_array().unwrap().last().unwrap()).starts_with("one"), "{stored}");

    let rows = [(400, "maximum context length exceeded", "context_length"), (401, "bad key", "unknown"), (429, "slow down", "rate_limit")];
    for (status, message, kind) in rows {
        let body = json!({"error": {"message": message, "type": "x", "code": if kind == "context_length" { "context_length_exceeded" } else { "x" }}});
        for _ in 0..6 {
            home.model.script(Script::new(status, "application/json", body.to_string()));
        }
        let end = client.say(&format!("agent:main:e{status}"), "hello").await;
        assert_eq!((&end["state"], &end["errorKind"]), (&json!("error"), &json!(kind)), "{end}");
        assert!(end["errorMessage"].is_string());
        home.model.clear_scripts();
        // The failed answer does not spoil the session.
        let end = client.say(&format!("agent:main:e{status}"), "again").await;
        assert_eq!(end["state"], "final", "{end}");
    }
    live.stop().await;
}

// PRV-217, PRV-219
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_model_that_fails_gives_way_to_its_fallback_and_a_chosen_one_does_not() {
    let mut home = Home::new().await;
    home.fixture("hook-recorder");
    let mut broken = home.config["models"]["providers"]["mock"].clone();
    broken["baseUrl"] = json!("http://127.0.0.1:9/v1");
    home.config["models"]["providers"]["broken"] = broken;
    home.config["agents"]["defaults"]["model"] = json!({"primary": "broken/mock-1", "fallbacks": ["mock/mock-1"]});
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.say("agent:main:f", "hello").await;
    assert_eq!(end["state"], "final", "{end}");
    let stored = client.ok("sessions.get", json!({"key": "agent:main:f"})).await;
    assert_eq!(stored["messages"][1]["provider"], "mock", "{stored}");
    let lines = home.until("four model hooks", |l| l.iter().filter(|l| l["hook"] == "model_call_ended").count() == 2).await;
    let calls: Vec<String> = lines
        .iter()
        .filter(|l| l["hook"].as_str().unwrap().starts_with("model_call"))
        .map(|l| format!("{} {}", l["hook"].as_str().unwrap(), l["event"]["provider"].as_str().unwrap()))
        .collect();
    assert_eq!(calls, ["model_call_started broken", "model_call_ended broken", "model_call_started mock", "model_call_ended mock"]);
    client.ok("sessions.patch", json!({"key": "agent:main:f", "model": "broken/mock-1"})).await;
    let end = client.say("agent:main:f", "hello again").await;
    assert_eq!(end["state"], "error", "{end}");
    live.stop().await;
}

// GW-106, GW-107, GW-108, GW-111, GW-F3, GW-104
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_completions_answer_whole_and_streamed() {
    let home = Home::new().await;
    let live = home.start().await;
    let ask = |extra: Value| {
        let mut body = json!({"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(body)
    };
    let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!({}))).await;
    let reply: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!(reply["choices"][0]["message"]["content"], "Mock reply: all good.");
    assert!(reply["id"].as_str().unwrap().starts_with("chatcmpl_") && reply["model"] == "openclaw");
    assert_eq!(reply["usage"]["completion_tokens"], 5);
    let streamed = ask(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let (status, head, body) = live.http("POST", "/v1/chat/completions", streamed).await;
    assert!(status == 200 && head.contains("text/event-stream"), "{head}");
    let data: Vec<&str> = body.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
    assert_eq!(data.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> = data[..data.len() - 1].iter().map(|d| serde_json::from_str(d).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Mock reply: all good.");
    assert!(chunks.iter().any(|c| c["choices"][0]["finish_reason"] == "stop"));
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 5);
    for model in ["gpt-4", "openclaw/nobody"] {
        let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!({"model": model}))).await;
        assert_eq!(status, 400, "{model}: {body}");
    }
    assert!(!home.dir.path().join("state/agents/nobody").exists());
    let (status, _, body) = live.http("GET", "/v1/models", None).await;
    assert!(status == 200 && body.contains("openclaw/default"), "{body}");
    let (status, _, _) = live.http_with("POST", "/v1/chat/completions", ask(json!({})), &[]).await;
    assert_eq!(status, 401);
    live.stop().await;
}

const SURFACES: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  log({ registered: process.pid });
  api.registerCommand({ name: 'greet', description: 'greets', acceptsArgs: true, handler: (ctx) => ({ text: `hello ${ctx.args}` }) });
  api.registerGatewayMethod('surf.echo', ({ params, respond }) => respond(true, { got: params }), { scope: 'operator.read' });
  api.registerGatewayMethod('surf.fail', () => { throw new Error('method broke'); }, { scope: 'operator.read' });
  api.registerHttpRoute({ path: '/surf/exact', auth: 'gateway', handler: (req, res) => { res.statusCode = 201; res.end('exact'); return true; } });
  api.registerHttpRoute({ path: '/surf/open', auth: 'plugin', match: 'prefix', handler: async (req, res) => {
    if (req.url.includes('/pass')) return false;
    if (req.url.includes('/boom')) throw new Error('route broke');
    res.setHeader('x-mine', 'yes');
    res.write('a'); await new Promise((r) => setTimeout(r, 30)); res.write('b'); res.end('c');
    return true;
  } });
  api.registerService({ id: 'svc', start: () => log({ service: 'start' }), stop: () => log({ service: 'stop' }) });
  api.registerSessionExtension({ namespace: 'notes', description: 'n', project: (ctx) => ({ shown: ctx.state.raw }) });
  api.registerSessionExtension({ namespace: 'throws', description: 'n', project: () => { throw new Error('no view'); } });
  api.registerSessionExtension({ namespace: 'nothing', description: 'n', project: () => undefined });
  api.registerSessionExtension({ namespace: 'code', description: 'n', project: () => ({ run: () => 1 }) });
  api.registerAgentEventSubscription({ id: 'sub', streams: ['assistant', 'lifecycle'], handle: (event) => { log({ event }); } });
}"#;

// API-130, API-137, HOOK-256..260, API-205, API-185, API-187
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plugin_registers_is_served() {
    let mut home = Home::new().await;
    home.plugin("surf", SURFACES);
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.call("chat.send", json!({"sessionKey": "agent:main:c", "message": "/greet you all", "idempotencyKey": "cmd"})).await;
    assert_eq!(end["ok"], true, "{end}");
    assert_eq!(text(&client.chat_end("cmd").await["message"]), "hello you all");
    assert!(home.model.requests().is_empty());
    assert_eq!(client.ok("surf.echo", json!({"a": 1})).await, json!({"got": {"a": 1}}));
    let failed = client.error("surf.fail", json!({})).await;
    assert!(failed["code"].is_string(), "{failed}");
    let (status, _, body) = live.http("GET", "/surf/exact", None).await;
    assert_eq!((status, body.as_str()), (201, "exact"));
    let (status, _, _) = live.http_with("GET", "/surf/exact", None, &[]).await;
    assert_eq!(status, 401);
    let (status, head, body) = live.http_with("GET", "/surf/open/x", None, &[]).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("x-mine: yes") && body.contains('a') && body.contains('c'), "{head} {body}");
    assert_eq!(live.http_with("GET", "/surf/open/boom", None, &[]).await.0, 500);
    // What the route passes on is the page's, as any other path.
    let (status, _, body) = live.http_with("GET", "/surf/open/pass", None, &[]).await;
    assert!(status == 200 && body.contains("<html"), "{status} {body}");
    // Session extensions.
    client.ok("sessions.create", json!({"key": "agent:main:x"})).await;
    let patch = json!({"key": "agent:main:x", "pluginId": "surf", "namespace": "notes", "value": {"raw": 7}});
    assert_eq!(client.ok("sessions.pluginPatch", patch).await["value"], json!({"shown": 7}));
    let unknown = json!({"key": "agent:main:x", "pluginId": "surf", "namespace": "other", "value": 1});
    client.error("sessions.pluginPatch", unknown).await;
    // A view that cannot be had takes nothing from the patch.
    for namespace in ["throws", "nothing", "code"] {
        let patch = json!({"key": "agent:main:x", "pluginId": "surf", "namespace": namespace, "value": {"raw": 8}});
        assert_eq!(client.ok("sessions.pluginPatch", patch).await.get("value").filter(|v| !v.is_null()), None, "{namespace}");
    }
    let rows = client.ok("sessions.list", json!({})).await;
    let row = rows["sessions"].as_array().unwrap().iter().find(|r| r["key"] == "agent:main:x").unwrap();
    assert_eq!(row["pluginExtensions"], json!([{"pluginId": "surf", "namespace": "notes", "value": {"shown": 7}}]));
    // Agent events come in order.
    client.say("agent:main:x", "hello").await;
    let lines = home.until("events", |l| l.iter().any(|l| l["event"]["data"]["phase"] == "end")).await;
    let seqs: Vec<u64> = lines.iter().filter_map(|l| l["event"]["seq"].as_u64()).collect();
    assert!(seqs.len() >= 3 && seqs.is_sorted(), "{seqs:?}");
    live.stop().await;
    let file = std::fs::read_to_string(home.dir.path().join("state/agents/main/sessions/sessions.json")).unwrap();
    let stored = serde_json::from_str::<Value>(&file).unwrap()["agent:main:x"]["pluginExtensions"]["surf"].clone();
    assert_eq!((&stored["throws"], &stored["notes"]), (&json!({"raw": 8}), &json!({"raw": 7})));
    let services: Vec<Value> = home.recorded().into_iter().filter(|l| l.get("service").is_some()).map(|l| l["service"].clone()).collect();
    assert_eq!(services, ["start", "stop"]);
}

// GW-99
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_get_session_events_with_the_row_and_others_none() {
    let home = Home::new().await;
    let live = home.start().await;
    let (mut watcher, mut client) = (live.client().await, live.client().await);
    watcher.ok("sessions.subscribe", json!({})).await;
    watcher.ok("sessions.messages.subscribe", json!({"key": "agent:main:v"})).await;
    client.say("agent:main:v", "hello").await;
    let message = watcher.event(|e| e["event"] == "session.message").await["payload"].clone();
    assert_eq!(message["messageSeq"], 1);
    assert_eq!(message["session"]["key"], "agent:main:v");
    let changed = watcher.event(|e| e["event"] == "sessions.changed" && e["payload"]["phase"] == "end").await["payload"].clone();
    assert_eq!(changed["session"]["status"], "done", "{changed}");
    assert!(changed["sessionId"].is_string() && changed["updatedAt"].is_i64(), "{changed}");
    assert!(!client.events.iter().any(|e| e["event"].as_str().unwrap_or_default().starts_with("session")));
    live.stop().await;
}

// GW-134, GW-135
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_the_config_file_is_applied_and_a_bad_one_is_not() {
    let mut home = Home::new().await;
    home.plugin("surf", SURFACES);
    let live = home.start().await;
    let mut client = live.client().await;
    let state = async |client: &mut live::Client| {
        let list = client.ok("plugins.list", json!({})).await;
        list["plugins"].as_array().unwrap().iter().find(|p| p["id"] == "surf").unwrap()["state"].clone()
    };
    assert_eq!(state(&mut client).await, "running");
    std::fs::write(home.config_path(), "{ not json").unwrap();
    tokio::time::sleep(Duration::from_millis(1800)).await;
    assert_eq!(state(&mut client).await, "running");
    for (enabled, wanted) in [(false, "disabled"), (true, "running")] {
        home.config["plugins"]["entries"]["surf"]["enabled"] = enabled.into();
        home.write_config();
        let mut tries = 0;
        while state(&mut client).await != wanted {
            tries += 1;
            assert!(tries < 200, "never {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let known = client.call("surf.echo", json!({})).await;
        assert_eq!(known["ok"], enabled, "{known}");
    }
    let services: Vec<Value> = home.recorded().into_iter().filter(|l| l.get("service").is_some()).map(|l| l["service"].clone()).collect();
    assert!(services.starts_with(&[json!("start"), json!("stop")]), "{services:?}");
    live.stop().await;
}

// GW-133, GW-135
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_gateways_own_section_restarts_it_once_the_work_is_done() {
    let mut home = Home::new().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let send = json!({"sessionKey": "agent:main:w", "message": "[[sleep:2500]] hi", "idempotencyKey": "work"});
    client.ok("chat.send", send).await;
    home.config["gateway"]["handshakeTimeoutMs"] = json!(14_000);
    home.write_config();
    // The run is not cut off: its answer comes before the gateway goes.
    assert_eq!(client.chat_end("work").await["state"], "final");
    let told = client.event(|e| e["event"] == "shutdown").await;
    assert!(told["payload"]["restartExpectedMs"].is_u64(), "{told}");
    live.ended().await;
}
