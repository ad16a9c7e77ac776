//! The life of sessions through a whole gateway: messages to a busy session, commands, expiry, upkeep, archives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/host.rs"]
mod host;
#[path = "support/live.rs"]
mod live;
#[path = "support/turn.rs"]
mod made;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_agent::turn::Inbound;
use chela_host::chat::{self, ChatCaller, ChatOutcome};
use host::host_of;
use live::{Client, Home, text};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(45);

/// A tool that ends when the test lets it, and a listener that keeps what it is told.
const HOLD: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  api.registerTool({ name: 'hold', description: 'hold', parameters: { type: 'object', properties: { id: { type: 'string' } } },
    async execute(_id, { id }) {
      log({ held: id });
      while (!fs.existsSync(`${process.env.TEST_LOG}.${id}`)) await new Promise((done) => setTimeout(done, 10));
      return { content: [{ type: 'text', text: 'held' }] };
    } });
  for (const hook of ['session_start', 'session_end', 'message_received', 'before_compaction', 'after_compaction'])
    api.on(hook, (event, ctx) => { log({ hook, event, ctx }); return { cancel: true, block: true }; });
}"#;

fn home_with_hold(home: &mut Home) {
    home.plugin_with("holder", HOLD, json!({"contracts": {"tools": ["hold"]}}));
}

/// Begins a run that waits for [`release`].
async fn hold(home: &Home, client: &mut Client, key: &str, id: &str) {
    let message = format!(r#"hold it [[tool:hold {{"id":"{id}"}}]]"#);
    client.ok("chat.send", json!({"sessionKey": key, "message": message, "idempotencyKey": id})).await;
    home.until("the tool runs", |l| l.iter().any(|l| l["held"] == id)).await;
}

fn release(home: &Home, id: &str) {
    std::fs::write(format!("{}.{id}", home.log().display()), "").unwrap();
}

async fn send(client: &mut Client, key: &str, message: &str, id: &str) {
    client.ok("chat.send", json!({"sessionKey": key, "message": message, "idempotencyKey": id})).await;
}

async fn command(client: &mut Client, key: &str, message: &str) -> String {
    let id = uuid::Uuid::new_v4().to_string();
    let answer = client.ok("chat.send", json!({"sessionKey": key, "message": message, "idempotencyKey": id})).await;
    assert_eq!(answer["status"], "ok", "{message}: {answer}");
    text(&client.chat_end(&id).await["message"])
}

/// Waits until so many messages wait in the session.
async fn waiting(client: &mut Client, key: &str, count: usize) {
    let begun = Instant::now();
    loop {
        let status = command(client, key, "/status").await;
        if status.contains(&format!("{count} message(s) wait")) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The texts of the last request to the model, with who said them.
fn asked(home: &Home) -> Vec<String> {
    let body = home.model.last_request().body;
    let content = |m: &Value| m["content"].as_str().map_or_else(|| m["content"].to_string(), str::to_string);
    let messages = body["messages"].as_array().unwrap().iter().filter(|m| m["role"] != "system");
    messages.map(|m| format!("{}: {}", m["role"].as_str().unwrap(), content(m))).collect()
}

// CH-126, CH-131, CH-132
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_busy_session_is_taken_up_by_the_run() {
    let mut home = Home::new().await;
    home_with_hold(&mut home);
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:steer";
    hold(&home, &mut client, key, "a").await;
    send(&mut client, key, "and mind the roof", "b").await;
    send(&mut client, key, "and the door", "c").await;
    waiting(&mut client, key, 2).await;
    assert_eq!(command(&mut client, key, "/steer and the floor").await, "The run takes it up before it asks the model next");
    release(&home, "a");
    let end = client.chat_end("a").await;
    assert_eq!((&end["state"], text(&end["message"])), (&json!("final"), "Mock reply: all good.".into()));
    for id in ["b", "c"] {
        let end = client.chat_end(id).await;
        assert_eq!((&end["state"], &end["stopReason"], end.get("message")), (&json!("final"), &json!("steered"), None), "{end}");
    }
    let asked = asked(&home);
    let tail: Vec<&str> = asked[asked.len() - 4..].iter().map(|m| m.split(':').next().unwrap()).collect();
    assert_eq!(tail, ["tool", "user", "user", "user"], "all that waited, after the results: {asked:#?}");
    assert!(asked[asked.len() - 3].contains("mind the roof") && asked.last().unwrap().contains("and the floor"), "{asked:#?}");
    let history = client.ok("chat.history", json!({"sessionKey": key})).await;
    let roles: Vec<&str> = history["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles.iter().filter(|r| **r == "user").count(), 4, "{roles:?}");
    assert_eq!(roles.last(), Some(&"assistant"));
    // A message that was taken up is done, also for a client that asks again.
    let again = client.ok("chat.send", json!({"sessionKey": key, "message": "and mind the roof", "idempotencyKey": "b"})).await;
    assert_eq!(again["status"], "ok");
    // Every message was announced when it came, not when it was taken up.
    let heard = home.recorded();
    assert_eq!(heard.iter().filter(|l| l["hook"] == "message_received").count(), 3);
    assert_eq!(command(&mut client, key, "/steer too late").await, "No run takes anything up here now");
    live.stop().await;
}

// CH-126, CH-127, CH-128, CH-129, CH-130
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_are_collected_dropped_or_interrupt_as_the_session_says() {
    let mut home = Home::new().await;
    home_with_hold(&mut home);
    home.config["messages"] = json!({"queue": {"mode": "followup", "debounceMs": 1, "byChannel": {"telegram": "interrupt"}}});
    let live = home.start().await;
    let mut client = live.client().await;

    let key = "agent:main:followup";
    hold(&home, &mut client, key, "f1").await;
    send(&mut client, key, "one", "f2").await;
    send(&mut client, key, "two", "f3").await;
    waiting(&mut client, key, 2).await;
    release(&home, "f1");
    for id in ["f1", "f2", "f3"] {
        assert_eq!(text(&client.chat_end(id).await["message"]), "Mock reply: all good.", "{id}");
    }
    assert!(asked(&home).last().unwrap().contains("two"));

    let key = "agent:main:collect";
    let told = command(&mut client, key, "/queue collect debounce:2ms cap:2 drop:summarize").await;
    assert_eq!(told, "Queue: collect (debounce 2 ms, cap 2, drop summarize)");
    hold(&home, &mut client, key, "c1").await;
    for (id, said) in [("c2", "the first that must go"), ("c3", "the second"), ("c4", "the third")] {
        send(&mut client, key, said, id).await;
        waiting(&mut client, key, if id == "c2" { 1 } else { 2 }).await;
    }
    assert_eq!(client.chat_end("c2").await["stopReason"], "dropped");
    release(&home, "c1");
    assert_eq!(text(&client.chat_end("c4").await["message"]), "Mock reply: all good.", "the newest leads");
    assert_eq!(client.chat_end("c3").await["stopReason"], "collected");
    let last = asked(&home).pop().unwrap();
    for part in ["the first that must go", "Message 1", "the second", "Message 2", "the third"] {
        assert!(last.contains(part), "{part}: {last}");
    }

    let key = "agent:main:newest";
    command(&mut client, key, "/queue followup cap:1 drop:new").await;
    hold(&home, &mut client, key, "n1").await;
    send(&mut client, key, "waits", "n2").await;
    waiting(&mut client, key, 1).await;
    send(&mut client, key, "is too much", "n3").await;
    assert_eq!(client.chat_end("n3").await["stopReason"], "dropped");
    release(&home, "n1");
    assert_eq!(text(&client.chat_end("n2").await["message"]), "Mock reply: all good.");

    let key = "agent:main:interrupt";
    command(&mut client, key, "/queue interrupt").await;
    hold(&home, &mut client, key, "i1").await;
    send(&mut client, key, "never mind", "i2").await;
    assert_eq!(client.chat_end("i1").await["state"], "aborted");
    assert_eq!(text(&client.chat_end("i2").await["message"]), "Mock reply: all good.");
    assert_eq!(command(&mut client, key, "/queue default").await, "Queue: followup (debounce 1 ms, cap 20, drop summarize)");

    // A hint of one message beats the session, and nothing of it is kept.
    let key = "agent:main:inline";
    hold(&home, &mut client, key, "x1").await;
    send(&mut client, key, "/queue steer look here", "x2").await;
    waiting(&mut client, key, 1).await;
    release(&home, "x1");
    assert_eq!(client.chat_end("x2").await["stopReason"], "steered");
    client.chat_end("x1").await;
    assert!(asked(&home).last().unwrap().ends_with("look here"), "{:#?}", asked(&home));
    assert!(command(&mut client, key, "/queue").await.starts_with("Queue: followup"));

    // What waits goes with `/stop`.
    let key = "agent:main:stop";
    hold(&home, &mut client, key, "s1").await;
    send(&mut client, key, "waits in vain", "s2").await;
    waiting(&mut client, key, 1).await;
    assert_eq!(command(&mut client, key, "/stop").await, "Stopped 2 run(s)");
    for id in ["s1", "s2"] {
        assert_eq!(client.chat_end(id).await["state"], "aborted", "{id}");
    }
    live.stop().await;
}

// API-131, API-141
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_directives_do_what_they_say() {
    let mut home = Home::new().await;
    home.config["agents"]["defaults"]["models"] = json!({"mock/mock-1": {"alias": "small"}, "mock/mock-2": {"alias": "large"}});
    let second = json!({"id": "mock-2", "name": "second", "contextWindow": 1000, "maxTokens": 100, "input": ["text"]});
    home.config["models"]["providers"]["mock"]["models"].as_array_mut().unwrap().push(second);
    home.config["session"] = json!({"resetTriggers": ["/new", "/reset", "fresh start"]});
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:commands";
    assert!(command(&mut client, key, "/help").await.contains("/status"));
    let all = command(&mut client, key, "/commands").await;
    let listed = client.ok("commands.list", json!({})).await;
    for row in listed["commands"].as_array().unwrap() {
        assert!(all.contains(row["textAliases"][0].as_str().unwrap()), "{row}: {all}");
    }
    assert!(
        listed.to_string().contains("\"choices\"")
            && !client.ok("commands.list", json!({"includeArgs": false})).await.to_string().contains("\"args\"")
    );
    client.error("commands.list", json!({"scope": "odd"})).await;
    assert_eq!(command(&mut client, key, "/model large").await, "Model set to mock/mock-2 for this session");
    assert!(command(&mut client, key, "/models").await.contains("2. mock/mock-2 (large) ←"));
    assert!(command(&mut client, key, "/model 7").await.contains("no model 7"));
    assert!(command(&mut client, key, "/model other/model").await.contains("may not be chosen"));
    assert_eq!(command(&mut client, key, "/think: high").await, "Thinking level set to high");
    assert!(command(&mut client, key, "/t nonsense").await.contains("no thinking level"));
    let status = command(&mut client, key, "/status").await;
    assert!(status.contains("Model: mock/mock-2") && status.contains("Thinking: high") && status.contains("nothing runs"), "{status}");
    assert!(command(&mut client, key, "/whoami").await.contains("You are the owner"));
    assert!(command(&mut client, key, "/verbose on").await.contains("`/verbose` is a command of OpenClaw that is not built here"));

    // Inside a message a directive holds once, and is not part of it.
    client.say(key, "/model small please say hello").await;
    let body = home.model.last_request().body;
    assert_eq!(body["model"], "mock-1");
    assert!(asked(&home).last().unwrap().ends_with("please say hello"));
    client.say(key, "and again").await;
    assert_eq!(home.model.last_request().body["model"], "mock-2");
    assert_eq!(command(&mut client, key, "/model default").await, "Model set back to the default, mock/mock-1");

    // What stands after `/new` begins the new session; a repeat with the same id changes nothing.
    let row = client.ok("sessions.describe", json!({"key": key})).await;
    let first = row["session"]["sessionId"].clone();
    let started = client.ok("chat.send", json!({"sessionKey": key, "message": "/new large what is new?", "idempotencyKey": "n1"})).await;
    assert_eq!(started["status"], "started", "{started}");
    assert_eq!(text(&client.chat_end("n1:command").await["message"]), "A new session has begun with mock/mock-2");
    client.chat_end("n1").await;
    assert_eq!(asked(&home).len(), 1, "nothing of the old session: {:#?}", asked(&home));
    assert!(asked(&home)[0].ends_with("what is new?"));
    let second = client.ok("sessions.describe", json!({"key": key})).await["session"]["sessionId"].clone();
    assert_ne!(first, second);
    let reset = json!({"sessionKey": key, "message": "Fresh start", "idempotencyKey": "n2"});
    for _ in 0..2 {
        assert_eq!(client.ok("chat.send", reset.clone()).await["status"], "ok");
    }
    let ends = client.ok("sessions.archives", json!({})).await;
    assert_eq!(ends["archives"].as_array().unwrap().len(), 2, "{ends}");
    // A client that says so means the text.
    let plain = json!({"sessionKey": key, "message": "/status", "idempotencyKey": "p1", "suppressCommandInterpretation": true});
    assert_eq!(client.ok("chat.send", plain).await["status"], "started");
    client.chat_end("p1").await;
    assert!(asked(&home).last().unwrap().ends_with("/status"));
    live.stop().await;
}

// API-141
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_use_commands_cannot() {
    let mut home = Home::new().await;
    home.config["commands"] = json!({"allowFrom": {"talk": ["user:ann"], "*": []}});
    let host = host_of(&home).await;
    let key = "agent:main:talk:direct:x";
    made::run(&host.runtime, made::request(key, "hello")).await;
    let before = host.runtime.store.session(key).await.unwrap().unwrap();
    let caller = |authorized: bool| ChatCaller {
        surface: "talk".into(),
        session_key: key.into(),
        agent_id: "main".into(),
        sender_id: Some("bob".into()),
        authorized,
        owner: false,
        scopes: None,
        inbound: Some(Arc::new(Inbound { context: json!({"SenderId": "bob", "CommandAuthorized": true}) })),
    };
    for said in ["/status", "/stop", "/compact"] {
        assert_eq!(chat::run(&host, &caller(false), said).await, ChatOutcome::Done(vec![]), "{said}: neither run nor shown to the agent");
    }
    for said in ["/new", "/reset", "/model mock/mock-1", "go on /think high", "hello"] {
        assert_eq!(chat::run(&host, &caller(false), said).await, ChatOutcome::Agent(Default::default()), "{said}: plain text");
    }
    let after = host.runtime.store.session(key).await.unwrap().unwrap();
    assert_eq!(before.session_id, after.session_id);
    assert!(!after.extra.contains_key("modelOverride") && !after.extra.contains_key("thinkingLevel"));
    let ChatOutcome::Done(payloads) = chat::run(&host, &caller(true), "/think high").await else { panic!("no answer") };
    assert_eq!(payloads[0]["text"], "Thinking level set to high");
    host.close(Duration::from_secs(1)).await;
}

// HOOK-222
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_runs_out_ends_without_a_message() {
    let mut home = Home::new().await;
    home.config["session"] = json!({"reset": {"mode": "idle", "idleMinutes": 30}});
    home_with_hold(&mut home);
    let host = host_of(&home).await;
    tokio::spawn(chela_agent::expiry::watch(host.runtime.clone()));
    for key in ["agent:main:old", "agent:main:young"] {
        made::run(&host.runtime, made::request(key, "hello")).await;
    }
    let ends = |l: &[Value]| l.iter().filter(|l| l["hook"] == "session_end").map(|l| l["event"].clone()).collect::<Vec<_>>();
    host.runtime.store.update_session("agent:main:old", |row| row.last_interaction_at_ms -= 3_600_000).await.unwrap();
    let lines = home.until("the end", |l| !ends(l).is_empty()).await;
    let end = ends(&lines).remove(0);
    assert_eq!((&end["reason"], &end["sessionKey"], end.get("nextSessionId")), (&json!("idle"), &json!("agent:main:old"), None), "{end}");
    // The next message begins the new session; the old one does not end again.
    made::run(&host.runtime, made::request("agent:main:old", "hello again")).await;
    let starts = |l: &[Value]| l.iter().filter(|l| l["hook"] == "session_start" && l["event"]["sessionKey"] == "agent:main:old").count();
    let lines = home.until("the second start", |l| starts(l) == 2).await;
    assert_eq!(ends(&lines).len(), 1);
    let resumed = lines.iter().rfind(|l| l["hook"] == "session_start").unwrap();
    assert_eq!(resumed["event"]["resumedFrom"], end["sessionId"]);
    // What the system does by itself keeps no session alive and ends none.
    host.runtime.store.update_session("agent:main:young", |row| row.last_interaction_at_ms -= 60_000).await.unwrap();
    let before = host.runtime.store.session("agent:main:young").await.unwrap().unwrap();
    let mut beat = made::request("agent:main:young", "beat");
    beat.trigger = "heartbeat";
    made::run(&host.runtime, beat).await;
    let after = host.runtime.store.session("agent:main:young").await.unwrap().unwrap();
    assert_eq!(before.last_interaction_at_ms, after.last_interaction_at_ms);
    host.close(Duration::from_secs(1)).await;
}

// GW-165
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_cleaned_up_cut_archived_and_brought_back() {
    let mut home = Home::new().await;
    home.config["session"] = json!({"maintenance": {"maxEntries": 2}});
    home_with_hold(&mut home);
    let live = home.start().await;
    let mut client = live.client().await;
    for key in ["agent:main:x:1", "agent:main:talk:group:g", "agent:main:x:2", "agent:main:x:3"] {
        client.say(key, &format!("hello from {key}")).await;
    }
    let dry = client.ok("sessions.cleanup", json!({"dryRun": true})).await;
    assert_eq!((&dry["beforeCount"], &dry["capped"], &dry["appliedCount"]), (&json!(4), &json!(2), &json!(4)), "{dry}");
    let warned = client.ok("sessions.cleanup", json!({})).await;
    assert_eq!((&warned["mode"], &warned["appliedCount"]), (&json!("warn"), &json!(4)), "{warned}");
    let done = client.ok("sessions.cleanup", json!({"enforce": true})).await;
    assert_eq!((&done["capped"], &done["appliedCount"], &done["mode"]), (&json!(2), &json!(2), &json!("enforce")), "{done}");
    let left = client.ok("sessions.list", json!({})).await.to_string();
    assert!(left.contains("talk:group:g") && left.contains("x:3") && !left.contains("x:1"), "{left}");
    home.until("their ends", |l| l.iter().filter(|l| l["event"]["reason"] == "deleted").count() == 2).await;

    // What went can come back.
    let archives = client.ok("sessions.archives", json!({})).await;
    let first = archives["archives"].as_array().unwrap().iter().find(|a| a["key"] == "agent:main:x:1").unwrap().clone();
    let back = client.ok("sessions.restore", json!({"sessionId": first["sessionId"]})).await;
    assert_eq!((&back["key"], &back["sessionId"]), (&first["key"], &first["sessionId"]));
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:x:1"})).await.to_string();
    assert!(history.contains("hello from agent:main:x:1"), "{history}");
    client.say("agent:main:x:1", "and on it goes").await;
    assert_eq!(asked(&home).len(), 3, "the model knows the conversation again");
    client.error("sessions.restore", json!({"sessionId": first["sessionId"]})).await;
    // It takes the place of the one that is there.
    client.ok("sessions.reset", json!({"key": "agent:main:x:1"})).await;
    client.say("agent:main:x:1", "something else").await;
    client.ok("sessions.restore", json!({"sessionId": first["sessionId"]})).await;
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:x:1"})).await.to_string();
    assert!(history.contains("and on it goes") && !history.contains("something else"), "{history}");

    // The last lines stay, from a message of a person on; the whole file stays beside them.
    let key = "agent:main:x:3";
    client.say(key, "the second").await;
    client.say(key, "the third").await;
    let same = client.ok("sessions.compact", json!({"key": key, "maxLines": 100})).await;
    assert_eq!((&same["compacted"], &same["kept"]), (&json!(false), &json!(7)), "{same}");
    let cut = client.ok("sessions.compact", json!({"key": key, "maxLines": 4})).await;
    assert_eq!((&cut["compacted"], &cut["kept"]), (&json!(true), &json!(3)), "{cut}");
    let whole = std::fs::read_to_string(cut["archived"].as_str().unwrap()).unwrap();
    assert_eq!(whole.lines().count(), 7);
    client.say(key, "the fourth").await;
    let asked = asked(&home);
    assert_eq!(asked.len(), 3, "{asked:#?}");
    assert!(asked[0].ends_with("the third"));
    let described = client.ok("sessions.describe", json!({"key": key})).await;
    let file = described["session"]["sessionFile"].as_str().map(str::to_string);
    if let Some(file) = file {
        let lines = std::fs::read_to_string(file).unwrap();
        assert_eq!(lines.lines().count(), 5, "{lines}");
    }
    client.error("sessions.compact", json!({"key": key, "maxLines": 0})).await;
    live.stop().await;
    // A later start finds the file as the store left it.
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(key, "the fifth").await;
    assert_eq!(self::asked(&home).len(), 5, "{:#?}", self::asked(&home));
    live.stop().await;
}

const MOVER: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default { id: 'mover', kind: 'context-engine', register(api) {
  api.registerContextEngine('mover', async () => ({
    info: { id: 'mover', name: 'Mover', ownsCompaction: true },
    async ingest() { return { ingested: true }; },
    async assemble({ messages }) { return { messages, estimatedTokens: 10 }; },
    async compact() { return { ok: true, compacted: true, result: { summary: 's', tokensBefore: 9, tokensAfter: 1, sessionId: 'moved-1' } }; },
  }));
  for (const hook of ['session_start', 'session_end', 'before_compaction', 'after_compaction'])
    api.on(hook, (event, ctx) => { log({ hook, event, ctx }); });
} };"#;

// HOOK-223, HOOK-232
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_moves_to_another_transcript_ends_the_session() {
    let mut home = Home::new().await;
    home.plugin_with("mover", MOVER, json!({"kind": "context-engine"}));
    home.config["plugins"]["slots"] = json!({"contextEngine": "mover"});
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:moves";
    client.say(key, "one").await;
    let before = client.ok("sessions.describe", json!({"key": key})).await["session"]["sessionId"].clone();
    assert_eq!(client.ok("sessions.compact", json!({"key": key})).await["compacted"], true);
    let starts = |l: &[Value]| l.iter().filter(|l| l["hook"] == "session_start").count();
    let lines = home.until("the next session", |l| starts(l) == 2 && l.iter().any(|l| l["hook"] == "session_end")).await;
    let of = |hook: &str| lines.iter().rfind(|l| l["hook"] == hook).unwrap_or_else(|| panic!("no {hook}: {lines:#?}"));
    let end = &of("session_end")["event"];
    assert_eq!((&end["reason"], &end["sessionId"], &end["nextSessionId"]), (&json!("compaction"), &before, &json!("moved-1")));
    assert_eq!((&of("session_start")["event"]["resumedFrom"], &of("session_start")["event"]["sessionId"]), (&before, &json!("moved-1")));
    for (hook, member) in [("before_compaction", "messageCount"), ("after_compaction", "compactedCount")] {
        let line = of(hook);
        assert_eq!(line["event"][member], -1, "{line}");
        assert!(
            line["event"]["sessionFile"].is_string() && line["ctx"]["sessionId"] == before && line["ctx"]["workspaceDir"].is_string(),
            "{line}"
        );
    }
    // The conversation goes on in the new transcript.
    client.say(key, "two").await;
    assert_eq!(client.ok("sessions.describe", json!({"key": key})).await["session"]["sessionId"], "moved-1");
    live.stop().await;
}

// HOOK-231, HOOK-234
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_within_a_run_shows_what_goes_and_nobody_stops_it() {
    let mut home = Home::with_reply("Kept.").await;
    home_with_hold(&mut home);
    home.config["models"]["providers"]["mock"]["models"][0]["contextWindow"] = json!(4000);
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:long";
    let long = "word ".repeat(900);
    client.say(key, &long).await;
    client.say(key, &long).await;
    client.say(key, &format!("and now? {long}")).await;
    let of = |l: &[Value], hook: &str| l.iter().filter(|l| l["hook"] == hook).cloned().collect::<Vec<_>>();
    let lines = home.until("both", |l| !of(l, "after_compaction").is_empty() && !of(l, "before_compaction").is_empty()).await;
    let before = of(&lines, "before_compaction").remove(0);
    assert!(before["event"]["messages"].as_array().is_some_and(|m| !m.is_empty()), "{before}");
    assert!(before["event"]["sessionFile"].is_string());
    assert_eq!(before["ctx"]["sessionKey"], key);
    // The listener answered `cancel` and `block`: it has no say.
    let after = of(&lines, "after_compaction");
    assert_eq!(after[0]["event"]["compactedCount"], 1);
    live.stop().await;
}
