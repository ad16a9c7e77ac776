//! Rules of single hooks, through a whole gateway with real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/host.rs"]
mod host;
#[path = "support/live.rs"]
mod live;
#[path = "support/turn.rs"]
mod made;
#[path = "hook_rules/promises.rs"]
mod promises;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_agent::lifecycle::{DRAIN_BUDGET, EndReason};
use chela_agent::{Entry, TurnRequest};
use chela_host::Host;
use host::host_of;
use live::{Client, Home, text};
use serde_json::{Value, json};

const LOG: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
"#;

fn code(body: &str) -> String {
    format!("{LOG}export default function register(api) {{ {body} }}")
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|l| l["hook"].as_str()).collect()
}

fn events<'a>(lines: &'a [Value], hook: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["hook"] == hook).collect()
}

const DISPATCH: &str = r#"
  api.on('before_dispatch', (event) => event.content.includes('rewrite') ? { content: 'REWRITTEN' } : undefined);
  api.on('reply_dispatch', async (event, ctx) => {
    log({ hook: 'reply_dispatch', functions: Object.keys(ctx.dispatcher).length, aborted: ctx.abortSignal.aborted });
    if (!event.ctx.Body.includes('claim')) return;
    const sent = [ctx.dispatcher.sendBlockReply({ text: 'a block' }), ctx.dispatcher.sendFinalReply({ text: 'first' }), ctx.dispatcher.sendFinalReply({ text: ' ' })];
    await ctx.dispatcher.waitForIdle();
    ctx.dispatcher.sendFinalReply({ text: 'second' });
    log({ hook: 'sent', sent, counts: ctx.dispatcher.getQueuedCounts() });
    ctx.recordProcessed('completed');
    ctx.markIdle('done');
    return { handled: true, queuedFinal: true, counts: ctx.dispatcher.getQueuedCounts() };
  });
"#;

// HOOK-214, HOOK-301
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_takes_a_message_answers_through_the_dispatcher() {
    let mut home = Home::new().await;
    home.plugin("dispatch", &code(DISPATCH));
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.say("agent:main:d", "please claim").await;
    assert_eq!(text(&end["message"]), "first\n\nsecond", "{end}");
    assert!(home.model.requests().is_empty());
    let lines = home.recorded();
    assert_eq!(events(&lines, "sent")[0]["sent"], json!([true, true, false]));
    assert_eq!(events(&lines, "sent")[0]["counts"], json!({"tool": 0, "block": 1, "final": 2}));
    // The documents promise that a message can be rewritten; the reference only lets it be taken.
    let end = client.say("agent:main:d", "please rewrite").await;
    assert_eq!(text(&end["message"]), "Mock reply: all good.");
    let asked = home.model.last_request().body.to_string();
    assert!(asked.contains("REWRITTEN") && !asked.contains("please rewrite"), "{asked}");
    let kept = client.ok("chat.history", json!({"sessionKey": "agent:main:d"})).await.to_string();
    assert!(kept.contains("REWRITTEN") && !kept.contains("please rewrite"), "{kept}");
    assert_eq!(events(&home.recorded(), "reply_dispatch")[1]["aborted"], false);
    live.stop().await;
}

const COMMANDS: &str = r#"
  api.registerCommand({ name: 'mine', description: 'mine', handler: () => ({ text: 'my answer' }) });
  api.registerHook('command', (event) => {
    log({ hook: `command:${event.action}`, context: Object.keys(event.context).sort(), source: event.context.commandSource,
      cfg: typeof event.context.cfg, messages: event.context.previousSessionEntry?.sessionId });
    event.messages.push(`said on ${event.action}`, 'and more');
  }, { name: 'commands' });
  api.registerHook('session:patch', (event) => { log({ hook: 'session:patch', context: Object.keys(event.context).sort(), patch: event.context.patch });
    event.messages.push('nobody hears this'); }, { name: 'patches' });
  for (const hook of ['before_reset', 'session_end', 'session_start', 'subagent_ended']) {
    api.on(hook, (event, ctx) => { if (hook !== 'session_start' || event.resumedFrom) log({ hook, event, ctx }); });
  }
"#;

// HOOK-005, HOOK-067, HOOK-079 (reset), HOOK-229, HOOK-271, HOOK-272, HOOK-278, HOOK-280
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_told_in_order_and_their_listeners_may_speak() {
    let mut home = Home::new().await;
    home.plugin("commands", &code(COMMANDS));
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:c";
    client.say(key, "hello").await;
    for (said, action) in [("/new", "new"), ("/reset", "reset"), ("/stop", "stop"), ("/mine", "")] {
        let before = home.recorded().len();
        let run = uuid::Uuid::new_v4().to_string();
        client.ok("chat.send", json!({"sessionKey": key, "message": said, "idempotencyKey": run})).await;
        let shown = text(&client.chat_end(&run).await["message"]);
        if action.is_empty() {
            assert_eq!(shown, "my answer");
            assert_eq!(home.recorded().len(), before, "other commands are not announced");
            continue;
        }
        assert!(shown.starts_with(&format!("said on {action}\n\nand more\n\n")), "{shown}");
        if action == "stop" {
            assert_eq!(names(&home.recorded()[before..]), ["command:stop"]);
            continue;
        }
        let lines = home.until("the whole reset", |l| l.len() >= before + 5).await;
        let order = [&format!("command:{action}"), "before_reset", "session_end", "session_start", "subagent_ended"];
        assert_eq!(names(&lines[before..]), order);
        let command = &lines[before];
        let members = json!(["cfg", "commandSource", "pluginConfig", "previousSessionEntry", "senderId", "sessionEntry", "workspaceDir"]);
        assert_eq!((&command["context"], &command["cfg"]), (&members, &json!("object")));
        assert_eq!(lines[before + 4]["ctx"], json!({"childSessionKey": key}));
        let reset = &lines[before + 1];
        assert_eq!(reset["event"]["reason"], action);
        let ctx: Vec<&String> = reset["ctx"].as_object().unwrap().keys().collect();
        assert_eq!(ctx, ["agentId", "sessionKey", "sessionId", "workspaceDir"]);
        if action == "new" {
            let roles: Vec<&Value> = reset["event"]["messages"].as_array().unwrap().iter().map(|m| &m["role"]).collect();
            assert_eq!(roles, ["user", "assistant"]);
            assert!(reset["event"]["sessionFile"].is_string());
        }
    }
    // `/reset soft` keeps the session: its listeners hear of the command, and of no end.
    let before = home.recorded().len();
    let session = async |client: &mut Client| {
        let rows = client.ok("sessions.list", json!({})).await;
        rows["sessions"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap()["sessionId"].clone()
    };
    client.say(key, "to be kept").await;
    let kept = session(&mut client).await;
    let run = uuid::Uuid::new_v4().to_string();
    client.ok("chat.send", json!({"sessionKey": key, "message": "/reset SOFT and go on", "idempotencyKey": run})).await;
    client.chat_end(&run).await;
    let lines = home.until("the soft reset", |l| l.len() >= before + 2).await;
    assert_eq!(names(&lines[before..]), ["command:reset", "before_reset"]);
    assert_eq!(session(&mut client).await, kept);
    let history = client.ok("chat.history", json!({"sessionKey": key})).await;
    let said: Vec<String> = history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").map(text).collect();
    assert_eq!(said, ["to be kept", "and go on"]);

    client.ok("sessions.patch", json!({"key": key, "thinkingLevel": "low"})).await;
    let lines = home.until("the patch", |l| !events(l, "session:patch").is_empty()).await;
    let patched = events(&lines, "session:patch")[0];
    assert_eq!(patched["context"], json!(["cfg", "patch", "pluginConfig", "sessionEntry"]));
    assert_eq!(patched["patch"]["thinkingLevel"], "low");
    live.stop().await;
}

const STOPS: &str = r#"
  api.on('gateway_start', async (event, ctx) => { log({ hook: 'gateway_start', ctx: Object.keys(ctx).sort() }); await new Promise((r) => setTimeout(r, 20000)); log({ hook: 'late' }); });
  api.on('gateway_stop', (event, ctx) => { log({ hook: 'gateway_stop', event, ctx }); return new Promise(() => {}); });
  api.on('session_end', (event) => { log({ hook: 'session_end', event }); });
  api.registerHook('gateway', (event) => { if (event.action !== 'startup') log({ hook: `gateway:${event.action}`, context: event.context, key: event.sessionKey }); }, { name: 'g' });
  api.registerService({ id: 'stops', start() { log({ hook: 'service starts' }); }, stop() { log({ hook: 'service stops' }); } });
"#;

// HOOK-081, HOOK-238 (the steps that exist), HOOK-239, HOOK-279, HOOK-294, HOOK-308
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_takes_its_steps_in_order_and_waits_for_no_hook_for_ever() {
    let mut home = Home::new().await;
    home.plugin("stops", &code(STOPS));
    for restart in [false, true] {
        let _ = std::fs::remove_file(home.log());
        let live = home.start().await;
        let mut client = live.client().await;
        home.until("gateway_start", |l| names(l).contains(&"gateway_start")).await;
        // Its handler goes on for a long time; nobody waits for it.
        client.say("agent:main:stop", "hello").await;
        assert!(!names(&home.recorded()).contains(&"late"));
        let (port, begun) = (live.port, Instant::now());
        if restart {
            live.restart().await
        } else {
            live.stop().await
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        let lines = home.recorded();
        let mut order = vec!["service starts", "gateway_start", "gateway_stop", "gateway:shutdown"];
        order.extend(restart.then_some("gateway:pre-restart"));
        order.extend(["session_end", "service stops"]);
        assert_eq!(names(&lines), order);
        let stop = events(&lines, "gateway_stop")[0];
        assert_eq!((&stop["event"], &stop["ctx"]), (&json!({"reason": "gateway stopping"}), &json!({"port": port})));
        let shutdown = events(&lines, "gateway:shutdown")[0];
        assert_eq!(shutdown["key"], "gateway:shutdown");
        assert_eq!(shutdown["context"]["restartExpectedMs"], if restart { json!(1000) } else { Value::Null });
        assert_eq!(events(&lines, "session_end")[0]["event"]["reason"], if restart { "restart" } else { "shutdown" });
    }
}

const BOOTSTRAP: &str = r#"
  api.registerHook('agent:bootstrap', (event) => {
    const files = event.context.bootstrapFiles;
    log({ hook: 'agent:bootstrap', files: files.map((f) => ({ ...f, path: undefined })), context: Object.keys(event.context).sort() });
    if (event.sessionKey.endsWith('replace')) event.context.bootstrapFiles = [{ name: 'ONLY.md', path: '/x/ONLY.md', content: 'THE ONLY FILE', missing: false }];
    else files.push({ name: 'MORE.md', path: '/x/MORE.md', content: 'ONE MORE FILE', missing: false });
  }, { name: 'b' });
  const returned = api.on('before_prompt_build', async () => { await new Promise((r) => setTimeout(r, 1500)); log({ hook: 'finished late' }); return { prependContext: 'TOO LATE' }; }, { timeoutMs: 100 });
  log({ hook: 'returned', type: typeof returned });
  api.on('before_message_write', ({ message }) => message.role === 'toolResult' ? { block: true } : undefined);
  api.registerTool({ name: 'probe', description: 'p', parameters: { type: 'object', properties: {} }, async execute() { return { content: [{ type: 'text', text: 'probed' }] }; } });
"#;

// HOOK-093, HOOK-097, HOOK-276, HOOK-307
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_prompt_are_the_plugins_to_change_and_late_results_are_dropped() {
    let mut home = Home::new().await;
    home.plugin_with("boot", &code(BOOTSTRAP), json!({"contracts": {"tools": ["probe"]}}));
    std::fs::create_dir_all(home.dir.path().join("workspace")).unwrap();
    std::fs::write(home.dir.path().join("workspace/SOUL.md"), "THE SOUL").unwrap();
    let live = home.start().await;
    let mut client = live.client().await;
    let rows = [
        ("agent:main:push", vec!["THE SOUL", "ONE MORE FILE"], "THE ONLY FILE"),
        ("agent:main:replace", vec!["THE ONLY FILE"], "THE SOUL"),
    ];
    for (key, there, not) in rows {
        client.say(key, "hello").await;
        let asked = home.model.last_request().body.to_string();
        assert!(there.iter().all(|part| asked.contains(part)) && !asked.contains(not), "{key}: {asked}");
        assert!(!asked.contains("TOO LATE"), "{asked}");
    }
    let lines = home.until("the handlers end", |l| events(l, "finished late").len() == 2).await;
    let first = events(&lines, "agent:bootstrap")[0];
    let file = |name: &str| first["files"].as_array().unwrap().iter().find(|f| f["name"] == name).cloned().unwrap();
    assert_eq!(file("SOUL.md"), json!({"name": "SOUL.md", "missing": false, "content": "THE SOUL"}));
    assert_eq!(file("AGENTS.md"), json!({"name": "AGENTS.md", "missing": true}));
    assert_eq!(first["context"], json!(["agentId", "bootstrapFiles", "cfg", "pluginConfig", "sessionId", "sessionKey", "workspaceDir"]));
    assert_eq!(events(&lines, "returned")[0]["type"], "undefined");

    // A result that was not written leaves its call without an answer in the transcript; no model sees such a call.
    let key = "agent:main:push";
    client.say(key, "[[tool:probe {}]]").await;
    let stored = client.ok("sessions.get", json!({"key": key})).await;
    assert!(!stored.to_string().contains("toolResult"), "{stored}");
    client.say(key, "go on").await;
    let body = home.model.last_request().body;
    let messages = body["messages"].as_array().unwrap();
    for (at, asking) in messages.iter().enumerate().filter(|(_, m)| m["tool_calls"].is_array()) {
        assert_eq!(messages[at + 1]["tool_call_id"], asking["tool_calls"][0]["id"], "a call without an answer: {messages:#?}");
    }
    assert!(body.to_string().contains("go on"));
    live.stop().await;
}

async fn turn(host: &Arc<Host>, message: &str, entry: Entry, trigger: &'static str) -> Option<String> {
    let request = TurnRequest {
        entry,
        inbound: None,
        trigger,
        surface: "Telegram".into(),
        sender_id: Some("u1".into()),
        ..made::request("agent:main:channel", message)
    };
    made::run(&host.runtime, request).await.text.clone()
}

const DELIVERY: &str = r#"
  api.on('message_sending', (event, ctx) => { log({ hook: 'first', event, ctx }); if (event.content.includes('good')) return { content: 'from the first' }; }, { priority: 5 });
  api.on('message_sending', () => { throw new Error('a handler that fails'); }, { priority: 3 });
  api.on('message_sending', (event) => { log({ hook: 'second', event }); return process.env.MODE === 'x' ? undefined : { content: 'from the second' }; });
  api.on('message_sent', (event, ctx) => { log({ hook: 'message_sent', event, ctx }); });
  api.on('before_agent_reply', (event) => event.cleanedBody === 'silence' ? { handled: true } : undefined);
  api.on('heartbeat_prompt_contribution', (event, ctx) => { log({ hook: 'heartbeat', event, trigger: ctx.trigger }); return { appendContext: 'BEAT' }; });
"#;

// HOOK-010, HOOK-014, HOOK-050, HOOK-074, HOOK-075, HOOK-215, HOOK-216, HOOK-219, HOOK-241, HOOK-243, HOOK-300
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_passes_the_sending_hooks_and_a_heartbeat_contributes() {
    let mut home = Home::new().await;
    home.plugin("delivery", &code(DELIVERY));
    let host = host_of(&home).await;
    assert_eq!(turn(&host, "hello", Entry::Channel, "user").await.as_deref(), Some("from the second"));
    let lines = home.until("message_sent", |l| names(l).contains(&"message_sent")).await;
    assert_eq!(names(&lines), ["first", "second", "message_sent"]);
    let seen = |hook: &str| events(&lines, hook)[0].clone();
    assert_eq!(seen("first")["event"]["content"], "Mock reply: all good.");
    assert_eq!(seen("second")["event"]["content"], "from the first", "a rewrite reaches the next handler, as the documents promise");
    assert_eq!(seen("first")["ctx"]["channelId"], "telegram");
    let sent = seen("message_sent");
    assert_eq!((&sent["event"]["content"], &sent["event"]["success"]), (&json!("from the second"), &json!(true)));
    assert!(sent["event"].get("error").is_none() && sent["event"]["to"].is_string() && sent["event"]["runId"].is_string(), "{sent}");

    assert_eq!(turn(&host, "silence", Entry::Channel, "user").await, None);
    assert_eq!(home.recorded().len(), lines.len(), "nothing is sent, so nobody is asked");

    turn(&host, "beat", Entry::Agent, "heartbeat").await;
    let asked = home.model.last_request().body.to_string();
    assert!(asked.contains("beat\\n\\nBEAT"), "{asked}");
    let lines = home.recorded();
    let beat = events(&lines, "heartbeat");
    assert_eq!(beat.len(), 1);
    let expected = json!({"sessionKey": "agent:main:channel", "agentId": "main", "heartbeatName": "heartbeat"});
    assert_eq!((&beat[0]["event"], &beat[0]["trigger"]), (&expected, &json!("heartbeat")));

    let report = host.runtime.lifecycle.drain(EndReason::Shutdown, DRAIN_BUDGET).await;
    assert_eq!((report.emitted.len(), report.timed_out), (1, false));
    let again = host.runtime.lifecycle.drain(EndReason::Shutdown, DRAIN_BUDGET).await;
    assert_eq!((again.emitted.len(), again.timed_out), (0, false));
    host.close(Duration::from_secs(1)).await;
}

/// A handler of `hook` that goes on when the file `go` is there.
fn waiting(hook: &str) -> String {
    code(&format!(
        "api.on('{hook}', async () => {{ log({{ hook: '{hook}' }}); const go = process.env.TEST_LOG + '.go';
           while (!fs.existsSync(go)) await new Promise((next) => setTimeout(next, 10)); }}, {{ timeoutMs: 60000 }});"
    ))
}

// What nobody can change any more is written while the prompt is still made; a gate decides first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_written_beside_prompt_hooks_unless_a_gate_may_keep_it_out() {
    for (gate, stored) in [(false, 1), (true, 0)] {
        let mut home = Home::new().await;
        home.plugin("waits", &waiting("before_prompt_build"));
        if gate {
            home.plugin("gate", &code("api.on('before_agent_run', () => undefined);"));
        }
        let live = home.start().await;
        let mut client = live.client().await;
        let said = |history: &Value| history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").count();
        client.ok("chat.send", json!({"sessionKey": "agent:main:w", "message": "early or late", "idempotencyKey": "w"})).await;
        home.until("the hook", |lines| !lines.is_empty()).await;
        let history = || json!({"sessionKey": "agent:main:w"});
        let begun = Instant::now();
        while stored == 1 && said(&client.ok("chat.history", history()).await) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "the message was not written beside the hook");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(said(&client.ok("chat.history", history()).await), stored);
        std::fs::write(format!("{}.go", home.log().display()), "").unwrap();
        client.chat_end("w").await;
        assert_eq!(said(&client.ok("chat.history", history()).await), 1);
        live.stop().await;
    }
}
