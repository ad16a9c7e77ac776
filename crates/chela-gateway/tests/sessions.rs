//! Sessions and what plugins keep with them: rollover, queued text, state, cleanup, and the end of a gateway by its config.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/host.rs"]
mod host;
#[path = "support/live.rs"]
mod live;
#[path = "support/turn.rs"]
mod made;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_gateway::run::Ended;
use chela_host::Host;
use host::host_of;
use live::{Client, Home};
use serde_json::{Value, json};

const LOG: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
"#;

fn code(body: &str) -> String {
    format!("{LOG}{body}")
}

fn of<'a>(lines: &'a [Value], hook: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["hook"] == hook).map(|l| &l["event"]).collect()
}

const LISTENER: &str = r#"
export default function register(api) {
  for (const hook of ['session_start', 'session_end', 'message_received', 'gateway_stop']) api.on(hook, (event) => { log({ hook, event }); });
}"#;

async fn turn(host: &Arc<Host>, key: &str) {
    let outcome = made::run(&host.runtime, made::request(key, "hello")).await;
    assert_eq!(outcome.error, None);
}

// HOOK-222, HOOK-225
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_or_idle_session_ends_when_the_next_message_comes() {
    let mut home = Home::new().await;
    home.config["session"] = json!({"reset": {"mode": "daily", "atHour": 4, "idleMinutes": 30}});
    home.plugin("listener", &code(LISTENER));
    let host = host_of(&home).await;
    for (key, reason) in [("agent:main:daily", "daily"), ("agent:main:idle", "idle")] {
        turn(&host, key).await;
        let age = move |row: &mut chela_store::SessionRow| match reason {
            "daily" => row.session_started_at_ms -= 48 * 3_600_000,
            _ => row.last_interaction_at_ms -= 3_600_000,
        };
        host.runtime.store.update_session(key, age).await.unwrap();
        // Nothing happens by itself: only a message finds it.
        let about = |l: &[Value], hook: &str| of(l, hook).iter().filter(|e| e["sessionKey"] == key).count();
        assert_eq!(about(&home.recorded(), "session_end"), 0);
        turn(&host, key).await;
        let lines = home.until("the second start", |l| about(l, "session_start") == 2 && about(l, "session_end") == 1).await;
        let mine: Vec<&Value> =
            lines.iter().filter(|l| l["event"]["sessionKey"] == key && l["hook"].as_str().unwrap().starts_with("session_")).collect();
        let order: Vec<&Value> = mine.iter().map(|l| &l["hook"]).collect();
        assert_eq!(order, ["session_start", "session_end", "session_start"]);
        let (end, start) = (&mine[1]["event"], &mine[2]["event"]);
        assert_eq!((&end["reason"], &end["messageCount"]), (&json!(reason), &json!(2)), "{end}");
        assert_eq!(end["nextSessionId"], start["sessionId"]);
        assert_eq!(start["resumedFrom"], end["sessionId"]);
        turn(&host, key).await;
        assert_eq!(about(&home.recorded(), "session_end"), 1, "the new session goes on");
    }
    host.close(Duration::from_secs(1)).await;
}

const QUEUE: &str = r#"
export default function register(api) {
  const method = `${api.id}.queue`;
  api.registerGatewayMethod(method, async ({ params, respond }) => { respond(true, await api.enqueueNextTurnInjection(params)); }, { scope: 'operator.write' });
}"#;

fn told(home: &Home) -> String {
    let body = home.model.last_request().body;
    let user = body["messages"].as_array().unwrap().last().unwrap().clone();
    user["content"].as_str().map_or_else(|| live::text(&user), str::to_string)
}

// HOOK-127, HOOK-247, HOOK-248, HOOK-249, HOOK-250, HOOK-251, HOOK-253
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_text_is_checked_counted_kept_and_dropped_when_it_is_too_old() {
    let mut home = Home::new().await;
    home.plugin("one", QUEUE).plugin("two", QUEUE).plugin("muted", QUEUE);
    home.config["plugins"]["entries"]["muted"]["hooks"]["allowPromptInjection"] = json!(false);
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:queue";
    client.ok("sessions.create", json!({"key": key})).await;
    let with = |extra: Value| {
        let mut params = json!({"sessionKey": key, "text": "text"});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        params
    };
    let refused = [
        json!({"sessionKey": " "}),
        json!({"sessionKey": 3}),
        json!({"sessionKey": "agent:main:nobody"}),
        json!({"text": "  "}),
        json!({"text": 7}),
        json!({"text": "x".repeat(32_769)}),
        json!({"idempotencyKey": " "}),
        json!({"idempotencyKey": "k".repeat(513)}),
        json!({"placement": "elsewhere"}),
        json!({"ttlMs": -1}),
        json!({"metadata": "x".repeat(300_000)}),
    ];
    for extra in refused {
        let answer = client.ok("one.queue", with(extra.clone())).await;
        assert!(answer["enqueued"] == false && answer["id"] == "", "{extra:.100}: {answer}");
    }
    let muted = client.ok("muted.queue", with(json!({"text": "MUTED"}))).await;
    assert!(muted["enqueued"] == false && muted["id"] == "", "{muted}");

    // Thirty-two of one plugin; the other plugin has its own count and its own keys.
    for n in 0..32 {
        let answer = client.ok("one.queue", with(json!({"text": format!("ONE-{n}"), "idempotencyKey": format!("k{n}")}))).await;
        assert_eq!(answer, json!({"enqueued": true, "id": format!("k{n}"), "sessionKey": key}));
    }
    let full = client.ok("one.queue", with(json!({"text": "ONE-32", "idempotencyKey": "k32"}))).await;
    assert!(full["enqueued"] == false && full["id"] == "k32", "{full}");
    let again = client.ok("one.queue", with(json!({"idempotencyKey": "k3"}))).await;
    assert!(again["enqueued"] == false && again["id"] == "k3", "{again}");
    let same_key = client.ok("two.queue", with(json!({"text": "TWO", "idempotencyKey": "k3"}))).await;
    assert!(same_key["enqueued"] == true, "{same_key}");
    client.ok("two.queue", with(json!({"text": "EXPIRED", "ttlMs": 1}))).await;
    let free = client.ok("two.queue", with(json!({"text": "LONG", "ttlMs": 3_600_000}))).await;
    assert_eq!(free["id"].as_str().unwrap().len(), 36, "{free}");

    // In the row, for everybody who reads the file, and still there after a restart.
    live.stop().await;
    let file = std::fs::read_to_string(home.dir.path().join("state/agents/main/sessions/sessions.json")).unwrap();
    let rows: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(rows[key]["pluginNextTurnInjections"]["one"].as_array().unwrap().len(), 32);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(key, "hello").await;
    let told = told(&home);
    assert!(told.starts_with("ONE-0\n\nONE-1\n\n") && told.contains("ONE-31\n\nTWO\n\nLONG\n\nhello"), "{told}");
    for never in ["ONE-32", "EXPIRED", "MUTED"] {
        assert!(!told.contains(never), "{never} in {told}");
    }
    live.stop().await;
}

const KEEPER: &str = r#"
export default function register(api) {
  const cleanup = (what) => (ctx) => log({ what, ctx });
  api.registerSessionExtension({ namespace: 'notes', description: 'notes', sessionEntrySlotKey: 'keeperNotes', cleanup: cleanup('extension'),
    project: ({ state }) => state === undefined ? undefined : { seen: state } });
  const views = { viewed: ({ state }) => ({ view: state.n }), throws() { throw new Error('no view'); }, nothing() {} };
  for (const [namespace, project] of Object.entries(views)) api.registerSessionExtension({ namespace, description: namespace, project });
  api.registerSessionExtension({ namespace: 'raw', description: 'raw' });
  api.registerRuntimeLifecycle({ id: 'stuck', cleanup: (ctx) => { if (ctx.sessionKey === 'agent:main:stuck') return new Promise(() => {}); } });
  api.registerRuntimeLifecycle({ id: 'broken', cleanup() { throw new Error('cleanup broke'); } });
  api.registerRuntimeLifecycle({ id: 'life', cleanup: cleanup('lifecycle') });
  api.registerGatewayMethod('keeper.queue', async ({ params, respond }) => { respond(true, await api.enqueueNextTurnInjection(params)); }, { scope: 'operator.write' });
}"#;

async fn row(client: &mut Client, key: &str) -> Value {
    let list = client.ok("sessions.list", json!({})).await;
    list["sessions"].as_array().unwrap().iter().find(|r| r["key"] == key).cloned().unwrap_or_default()
}

async fn keep_state(client: &mut Client, key: &str) {
    client.ok("sessions.create", json!({"key": key})).await;
    client.ok("sessions.pluginPatch", json!({"key": key, "pluginId": "keeper", "namespace": "notes", "value": {"n": 1}})).await;
    client.ok("keeper.queue", json!({"sessionKey": key, "text": "QUEUED"})).await;
    let row = row(client, key).await;
    assert_eq!(row["keeperNotes"], json!({"seen": {"n": 1}}), "{row}");
    assert_eq!(row["pluginExtensions"][0]["value"], json!({"seen": {"n": 1}}), "{row}");
}

// HOOK-259
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_show_what_a_projector_made_and_nothing_when_it_failed() {
    let mut home = Home::new().await;
    home.plugin("keeper", &code(KEEPER));
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:views";
    client.ok("sessions.create", json!({"key": key})).await;
    for namespace in ["viewed", "throws", "nothing", "raw"] {
        let patch = json!({"key": key, "pluginId": "keeper", "namespace": namespace, "value": {"n": 1}});
        client.ok("sessions.pluginPatch", patch).await;
    }
    let shown = row(&mut client, key).await;
    let expected = json!([
        {"pluginId": "keeper", "namespace": "viewed", "value": {"view": 1}},
        {"pluginId": "keeper", "namespace": "raw", "value": {"n": 1}},
    ]);
    assert_eq!(shown["pluginExtensions"], expected, "{shown}");
    let unset = json!({"key": key, "pluginId": "keeper", "namespace": "viewed", "unset": true});
    client.ok("sessions.pluginPatch", unset).await;
    assert_eq!(row(&mut client, key).await["pluginExtensions"].as_array().unwrap().len(), 1);
    live.stop().await;
}

// HOOK-230, HOOK-263, HOOK-264, HOOK-265, API-213
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plugin_keeps_goes_with_the_session_and_with_the_plugin() {
    let mut home = Home::new().await;
    home.plugin("keeper", &code(KEEPER));
    let live = home.start().await;
    let mut client = live.client().await;
    let cleaned = |lines: &[Value], reason: &str| -> Vec<String> {
        lines.iter().filter(|l| l["ctx"]["reason"] == reason).map(|l| format!("{} {}", l["what"], l["ctx"]["sessionKey"])).collect()
    };
    let key = "agent:main:keep";
    keep_state(&mut client, key).await;
    client.ok("sessions.patch", json!({"key": key, "thinkingLevel": "high"})).await;
    client.ok("sessions.reset", json!({"key": key})).await;
    let after = row(&mut client, key).await;
    assert!(after.get("pluginExtensions").is_none() && after.get("keeperNotes").is_none(), "{after}");
    assert_eq!(after["thinkingLevel"], "high", "{after}");
    let expected = |what: &str, key: &str| format!("{} {}", json!(what), json!(key));
    assert_eq!(cleaned(&home.recorded(), "reset"), [expected("extension", key), expected("lifecycle", key)]);
    client.say(key, "hello").await;
    assert!(!told(&home).contains("QUEUED"));

    keep_state(&mut client, key).await;
    client.ok("sessions.delete", json!({"key": key})).await;
    assert_eq!(cleaned(&home.recorded(), "delete"), [expected("extension", key), expected("lifecycle", key)]);

    // A cleanup that hangs is given up, and the rest follows.
    keep_state(&mut client, "agent:main:stuck").await;
    client.ok("sessions.reset", json!({"key": "agent:main:stuck"})).await;
    assert_eq!(cleaned(&home.recorded(), "reset").len(), 4);

    // Switched off: its state goes from every session, and it cleans up while it can.
    for key in ["agent:main:k1", "agent:main:k2"] {
        keep_state(&mut client, key).await;
    }
    home.config["plugins"]["entries"]["keeper"]["enabled"] = json!(false);
    home.write_config();
    let lines = home.until("the cleanup", |l| cleaned(l, "disable").len() == 2).await;
    assert_eq!(cleaned(&lines, "disable"), ["\"extension\" null", "\"lifecycle\" null"]);
    for key in ["agent:main:k1", "agent:main:k2"] {
        let row = row(&mut client, key).await;
        assert!(row.get("pluginExtensions").is_none() && row.get("keeperNotes").is_none(), "{row}");
        client.say(key, "hello").await;
        assert!(!told(&home).contains("QUEUED"));
    }
    live.stop().await;
}

const SLOW_START: &str = r#"
log({ slow: 'loading' });
await new Promise((resolve) => setTimeout(resolve, 4000));
export default function register(api) {
  for (const hook of ['gateway_start', 'message_received', 'session_start']) api.on(hook, () => { log({ slow: hook }); });
  api.registerGatewayMethod('slow.ask', async ({ respond }) => { respond(true, {}); });
  log({ slow: 'registered' });
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_is_switched_off_while_it_starts_takes_part_in_nothing() {
    let mut home = Home::new().await;
    home.plugin("slow", &code(SLOW_START));
    let live = home.start_cold().await;
    home.until("it loads", |l| l.iter().any(|l| l["slow"] == "loading")).await;
    home.config["plugins"]["entries"]["slow"]["enabled"] = json!(false);
    home.write_config();
    home.until("it registered all the same", |l| l.iter().any(|l| l["slow"] == "registered")).await;
    let mut client = live.client().await;
    let begun = Instant::now();
    loop {
        let list = client.ok("plugins.list", json!({})).await;
        let row = list["plugins"].as_array().unwrap().iter().find(|p| p["id"] == "slow").unwrap().clone();
        assert_ne!(row["state"], "running", "{row}");
        if row["enabled"] == false && row["state"] != "starting" {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{row}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.say("agent:main:off", "hello").await;
    client.error("slow.ask", json!({})).await;
    live.stop().await;
    let heard: Vec<Value> = home.recorded().iter().map(|l| l["slow"].clone()).collect();
    assert_eq!(heard, ["loading", "registered"]);
}

// HOOK-239
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_needs_a_restart_ends_the_sessions_with_that_reason() {
    let mut home = Home::new().await;
    home.plugin("listener", &code(LISTENER));
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:a", "hello").await;
    // One change that is applied at once, one that needs a restart.
    home.config["agents"]["defaults"]["maxConcurrent"] = json!(3);
    home.config["gateway"]["http"]["endpoints"]["chatCompletions"]["enabled"] = json!(false);
    home.write_config();
    assert_eq!(live.ended().await, Ended::Restart);
    let lines = home.recorded();
    let ends = of(&lines, "session_end");
    assert_eq!(ends.len(), 1, "{ends:#?}");
    assert_eq!((&ends[0]["reason"], &ends[0]["sessionKey"]), (&json!("restart"), &json!("agent:main:a")));
    let stops = of(&lines, "gateway_stop");
    assert_eq!(stops.len(), 1);
    assert!(stops[0]["reason"].as_str().unwrap().contains("gateway.http"), "{stops:#?}");
    let place = |hook: &str| lines.iter().position(|l| l["hook"] == hook).unwrap();
    assert!(place("gateway_stop") < place("session_end"));
}

const LARGE: &str = r#"
export default function register(api) {
  api.registerTool({ name: 'large', description: 'a', parameters: { type: 'object', properties: {} }, async execute() {
    return { content: [{ type: 'text', text: 'T'.repeat(20000) }],
      details: { status: 'done', exitCode: 0, cwd: 'c'.repeat(3000), blob: 'SECRET'.repeat(3000), sessions: Array.from({ length: 12 }, () => ({ id: 's'.repeat(600) })) } };
  } });
}"#;

// HOOK-196, HOOK-197, HOOK-199, HOOK-200, HOOK-201, HOOK-203, HOOK-204
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_tool_results_are_cut_before_the_hooks_see_them() {
    let mut home = Home::new().await;
    home.fixture("hook-recorder").plugin_with("large", LARGE, json!({"contracts": {"tools": ["large"]}}));
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:large", "[[tool:large {}]]").await;
    let stored = client.ok("sessions.get", json!({"key": "agent:main:large"})).await;
    let result = stored["messages"].as_array().unwrap().iter().find(|m| m["role"] == "toolResult").unwrap().clone();
    let lines = home.until("the result", |l| l.iter().any(|l| l["hook"] == "tool_result_persist")).await;
    let seen = &of(&lines, "tool_result_persist")[0]["message"];
    assert_eq!(seen["details"], result["details"]);
    let details = &result["details"];
    assert!(details.to_string().len() <= 8192, "{}", details.to_string().len());
    assert_eq!(details["persistedDetailsTruncated"], true);
    assert!(details["originalDetailsBytes"].as_u64().unwrap() > 28_000, "{details}");
    assert_eq!(details["originalDetailKeys"], json!(["status", "exitCode", "cwd", "blob", "sessions"]));
    assert_eq!((&details["status"], &details["exitCode"]), (&json!("done"), &json!(0)));
    assert!(details.get("blob").is_none());
    let cut = details["cwd"].as_str().unwrap();
    assert!(cut.starts_with(&"c".repeat(200)) && cut.len() < 2100, "{}", cut.len());
    let text = live::text(&result);
    assert!(text.starts_with(&"T".repeat(16_000)) && text.len() < 16_200, "{}", text.len());
    let asked = home.model.last_request().body.to_string();
    assert!(!asked.contains("persistedDetailsTruncated") && !asked.contains("SECRET"));
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_reach_the_model_in_either_wire_format() {
    let mut home = Home::new().await;
    home.fixture("hook-recorder");
    let model = json!({"id": "mock-2", "name": "m", "contextWindow": 200_000, "maxTokens": 4096, "input": ["text", "image"]});
    home.config["models"]["providers"]["claude"] =
        json!({"baseUrl": home.model.url(), "api": "anthropic-messages", "apiKey": "k", "models": [model]});
    let live = home.start().await;
    let mut client = live.client().await;
    let rows = [
        (
            "mock/mock-1",
            "/chat/completions",
            "openai-completions",
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
        ),
        (
            "claude/mock-2",
            "/messages",
            "anthropic-messages",
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
        ),
    ];
    for (n, (model, path, api, part)) in rows.into_iter().enumerate() {
        let key = format!("agent:main:image-{n}");
        client.ok("sessions.create", json!({"key": key, "model": model})).await;
        let attachments = json!([{"type": "image", "mimeType": "image/png", "fileName": "a.png", "content": "aGk="}]);
        let run = format!("image-{n}");
        let send = json!({"sessionKey": key, "message": "what is this", "attachments": attachments, "idempotencyKey": run});
        client.ok("chat.send", send).await;
        assert_eq!(client.chat_end(&run).await["state"], "final");
        let asked = home.model.last_request();
        assert!(asked.path.contains(path), "{}", asked.path);
        let parts = asked.body["messages"].as_array().unwrap().last().unwrap()["content"].as_array().unwrap().clone();
        let found = parts.iter().any(|p| part.as_object().unwrap().iter().all(|(k, v)| p[k] == *v));
        assert!(found, "{parts:#?}");
        let stored = client.ok("sessions.get", json!({"key": key})).await;
        assert_eq!(stored["messages"][1]["api"], api, "{stored}");
        let lines = home.until("llm_input", |l| of(l, "llm_input").len() == n + 1).await;
        assert_eq!(of(&lines, "llm_input")[n]["imagesCount"], 1);
        assert_eq!(of(&lines, "before_model_resolve")[n]["attachments"], json!([{"kind": "image", "mimeType": "image/png"}]));
    }
    live.stop().await;
}
