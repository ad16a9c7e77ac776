//! CLI backends and agent harnesses: who answers a turn in place of an HTTP model or of the built-in loop.

use serde_json::{Value, json};

use crate::live::{Home, text};

const KEY: &str = "agent:main:cli";

fn runs(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter(|l| l["step"] == "run").cloned().collect()
}

fn args(run: &Value) -> Vec<&str> {
    run["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect()
}

// API-044, HAR-61, HAR-70, HAR-71, HAR-74, HAR-75, HAR-78, HAR-82, HAR-86, HAR-87, HAR-88, HAR-107, HAR-114, HAR-116
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_answers_as_a_model() {
    let mut home = Home::new().await;
    home.fixture("cli-backend");
    home.config["agents"]["defaults"]["model"]["primary"] = json!("fixture-cli/big");
    home.config["agents"]["defaults"]["cliBackends"] = json!({"fixture-cli": {"command": crate::live::node().await, "env": {"FROM_PLUGIN": "operator"}, "reliability": {"watchdog": {"fresh": {"noOutputTimeoutMs": 1500}}}}});
    home.write_config();
    let live = home.start_cold_with(&[("TEST_CLEARED", "still here")]).await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let end = client.say(KEY, "the password1 please").await;
    assert_eq!(text(&end["message"]), "answer to: the *** please");
    let lines = home.until("the cleanup", |l| l.iter().any(|l| l["step"] == "cleanup")).await;
    let first = &runs(&lines)[0];
    assert_eq!(args(first)[1..], ["--resumed=false", "--model", "large-1", "--system", "big: true", "the *** please"]);
    assert_eq!(first["env"], json!({"FROM_PLUGIN": "operator", "NORMALIZED": "fixture-cli", "BRIDGE": "string"}));
    // The program remembers the session, so only the new message goes there.
    client.say(KEY, "and now").await;
    assert_eq!(args(&runs(&home.recorded())[1])[..], ["resume", "s-1", "--resumed=true", "--model", "large-1", "and now"]);
    // A session that it has forgotten is begun anew, with what was said before.
    let end = client.say(KEY, "forget").await;
    assert!(text(&end["message"]).starts_with("answer to: What was said before:"), "{end}");
    let end = client.say("agent:main:bad", "fail").await;
    assert!(end["state"] == "error" && end.to_string().contains("no credit left"), "{end}");
    // Silence ends the program and all that it started.
    let end = client.say("agent:main:slow", "hang").await;
    assert!(end["state"] == "error" && end.to_string().contains("said nothing"), "{end}");
    let hung = runs(&home.recorded()).into_iter().find(|r| r.get("pids").is_some()).unwrap();
    let alive = |pid: &Value| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !status.is_empty() && !status.contains(") Z ")
    };
    let begun = std::time::Instant::now();
    while hung["pids"].as_array().unwrap().iter().any(alive) {
        assert!(begun.elapsed().as_secs() < 20, "something of the program is left");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    live.stop().await;
}

async fn harnessed(runtime: Option<&str>) -> (Home, crate::live::Live, crate::live::Client) {
    let mut home = Home::new().await;
    home.fixture("agent-harness");
    if let Some(id) = runtime {
        home.config["agents"]["defaults"]["models"] = json!({"mock/mock-1": {"agentRuntime": {"id": id}}});
    }
    let live = home.start().await;
    let client = live.client().await;
    (home, live, client)
}

// API-043, API-199, API-200, HAR-10, HAR-12, HAR-13, HAR-19, HAR-34, HAR-46, HAR-47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_harness_runs_the_turn() {
    let (home, live, mut client) = harnessed(None).await;
    let end = client.say(KEY, "hello").await;
    assert_eq!(text(&end["message"]), "from high", "{end}");
    assert_eq!(home.model.requests().len(), 0);
    let asked: Vec<Value> = home.recorded().into_iter().filter(|l| l["step"] == "supports").collect();
    assert_eq!(
        asked[0],
        json!({"step": "supports", "id": asked[0]["id"], "provider": "mock", "modelId": "mock-1", "requestedRuntime": "auto"})
    );
    client.say(KEY, "again").await;
    let second = runs(&home.recorded()).pop().unwrap();
    assert_eq!(second, json!({"step": "run", "id": "high", "prompt": "again", "history": 2, "system": true, "file": true}));
    for (message, why) in [("throw", "the engine room is on fire"), ("nothing", "its answer is empty")] {
        let end = client.say(KEY, message).await;
        assert!(end["state"] == "error" && end.to_string().contains(why), "{end}");
    }
    assert_eq!(home.model.requests().len(), 0, "the built-in loop never takes over");
    // What a stopped harness has is kept.
    client.ok("chat.send", json!({"sessionKey": KEY, "message": "wait", "idempotencyKey": "w"})).await;
    home.until("the wait", |l| runs(l).iter().any(|r| r["prompt"] == "wait")).await;
    client.ok("chat.abort", json!({"sessionKey": KEY, "runId": "w"})).await;
    client.chat_end("w").await;
    let history = client.ok("chat.history", json!({"sessionKey": KEY})).await.to_string();
    assert!(history.contains("so far"), "{history}");
    client.ok("sessions.reset", json!({"key": KEY})).await;
    let resets: Vec<Value> = home.recorded().into_iter().filter(|l| l["step"] == "reset").collect();
    // One that throws does not keep the others from being told.
    let row = |id: &str| json!({"step": "reset", "id": id, "sessionKey": KEY, "reason": "reset"});
    assert!(resets.len() == 2 && resets.contains(&row("low")) && resets.contains(&row("deaf")), "{resets:?}");
    live.stop().await;
    assert_eq!(home.recorded().iter().filter(|l| l["step"] == "dispose").count(), 3);
}

const KEEPER: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  api.on('tool_result_persist', () => { log({ persisted: true }); });
  api.on('before_message_write', (event) => {
    log({ written: event.message.role });
    if (event.message.role === 'assistant') return { message: { ...event.message, content: [{ type: 'text', text: 'kept' }] } };
  });
}"#;

// HOOK-208
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_of_the_transcript_see_what_a_harness_leaves_in_ours() {
    let mut home = Home::new().await;
    home.fixture("agent-harness").plugin("keeper", KEEPER);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(KEY, "hello").await;
    let lines = home.recorded();
    let written: Vec<&Value> = lines.iter().map(|l| &l["written"]).filter(|w| w.is_string()).collect();
    assert_eq!(written, ["user", "assistant"], "only messages that are mirrored: {lines:?}");
    assert!(lines.iter().all(|l| l.get("persisted").is_none()), "what a harness does with its tools is its own: {lines:?}");
    let history = client.ok("chat.history", json!({"sessionKey": KEY})).await["messages"].to_string();
    assert!(history.contains("kept") && !history.contains("from high"), "{history}");
    live.stop().await;
}

// HAR-18, HAR-21, HAR-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_config_may_name_the_harness() {
    for (runtime, expected) in [("pi", "Mock reply: all good."), ("LOW", "from low")] {
        let (home, live, mut client) = harnessed(Some(runtime)).await;
        let end = client.say(KEY, "hello").await;
        assert_eq!(text(&end["message"]), expected);
        assert!(!home.recorded().iter().any(|l| l["step"] == "supports"), "nobody is asked");
        live.stop().await;
    }
    let (home, live, mut client) = harnessed(Some("unheard-of")).await;
    let end = client.say(KEY, "hello").await;
    assert!(end["state"] == "error" && end.to_string().contains("`unheard-of`"), "{end}");
    assert_eq!(home.model.requests().len(), 0);
    live.stop().await;
}

// HAR-34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_model_answers_for_a_harness_that_died() {
    let mut home = Home::new().await;
    home.fixture("agent-harness");
    home.config["models"]["providers"]["second"] = home.config["models"]["providers"]["mock"].clone();
    home.config["agents"]["defaults"]["model"]["fallbacks"] = json!(["second/mock-1"]);
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.say(KEY, "die").await;
    assert_eq!(text(&end["message"]), "Mock reply: all good.", "{end}");
    live.stop().await;
}
