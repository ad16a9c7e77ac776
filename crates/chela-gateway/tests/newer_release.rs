//! What plugins for 2026.6.11 use beyond the release of the contract: hooks, transcripts of meetings, embeddings, trusted policies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/talk.rs"]
mod talk;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use live::{Client, Home, TOKEN, text};
use serde_json::{Value, json};
use talk::Service;

const PATIENCE: Duration = Duration::from_secs(60);

const CHANGER: &str = "import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\\n');
let count = 0;
export default { id: 'changer', register(api) {
  api.on('reply_payload_sending', (event, ctx) => {
    log({ hook: 'first', event, ctx });
    count += 1;
    if (count === 2) return { cancel: true, reason: 'hidden' };
    return { payload: { ...event.payload, text: `${event.payload.text} (seen ${count})`, trustedLocalMedia: true } };
  }, { priority: 10 });
  api.on('reply_payload_sending', (event) => {
    log({ hook: 'second', text: event.payload.text });
    return event.payload.text.includes('seen 3') ? { payload: { text: ' ' } } : undefined;
  });
  api.on('resolve_exec_env', (event, ctx) => {
    log({ hook: 'env', event, ctx });
    return { FROM_PLUGIN: 'one', SHARED: 'plugin', PATH: '/nowhere', LD_PRELOAD: '/x.so' };
  }, { priority: 5 });
  api.on('resolve_exec_env', () => ({ FROM_PLUGIN: 'two' }));
  api.on('deactivate', () => { log({ hook: 'deactivate' }); });
} };";

fn named<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["hook"] == name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_changed_or_kept_back_before_a_channel_gets_them() {
    let service = Service::start().await;
    let mut home = Home::new().await;
    home.fixture("channel-talk");
    home.plugin("changer", CHANGER);
    home.config["channels"]["talk"] = json!({"accounts": {"work": {"port": service.port}}});
    let live = home.start().await;
    let mut conversation = service.accept().await;
    conversation.line("hello").await;
    conversation.send(json!({"id": "m1", "from": "u1", "text": "good day"})).await;
    let answer = conversation.line("deliver").await;
    let said = answer["deliver"]["text"].as_str().unwrap();
    assert!(said.ends_with("(seen 1)") && answer["deliver"].get("trustedLocalMedia").is_none(), "{answer}");
    let mut lines = Vec::new();
    for n in 2..=4 {
        conversation.send(json!({"id": format!("m{n}"), "from": "u1", "text": format!("message {n}")})).await;
        lines = home.until("the next answer", |lines| named(lines, "first").len() == n).await;
    }
    let last = conversation.line("deliver").await;
    assert!(last["deliver"]["text"].as_str().unwrap().ends_with("(seen 4)"), "the two before it were kept back: {last}");
    let first = named(&lines, "first")[0];
    let (event, ctx) = (&first["event"], &first["ctx"]);
    assert_eq!((&event["kind"], &event["channel"], &ctx["channelId"]), (&json!("final"), &json!("talk"), &json!("talk")));
    assert_eq!((&event["runId"], &event["sessionKey"]), (&ctx["runId"], &ctx["sessionKey"]));
    let usage = &event["usageState"];
    assert_eq!((&usage["resolvedRef"], &usage["agentId"]), (&json!("mock/mock-1"), &json!("main")), "{usage}");
    assert!(usage["usage"]["total"].is_u64() && usage["durationMs"].is_i64());
    assert_eq!((&usage["chatType"], usage["contextTokenBudget"].is_u64()), (&json!("direct"), true), "{usage}");
    let second = named(&lines, "second")[0]["text"].as_str().unwrap();
    assert!(second.ends_with("(seen 1)"), "the next handler sees what the first one made of it: {second}");
    live.stop().await;
    assert_eq!(named(&home.recorded(), "deactivate").len(), 1, "`deactivate` is `gateway_stop`");
}

const LISTENER: &str = "import fs from 'node:fs';
const names = ['message_received', 'before_dispatch', 'reply_dispatch', 'model_call_started', 'llm_input', 'llm_output', 'agent_end'];
export default { id: 'listener', register(api) {
  for (const name of names) api.on(name, (event, ctx) => {
    const { messages, historyMessages, ...rest } = event;
    fs.appendFileSync(process.env.TEST_LOG, JSON.stringify({ hook: name, event: rest, ctx }) + '\\n');
  });
} };";

/// What the newer release tells beyond the older one: who wrote and where, what a message answers, which tools there are, and how much
/// room the conversation has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_hear_what_a_message_answers_and_how_much_room_there_is() {
    let service = Service::start().await;
    let mut home = Home::new().await;
    home.fixture("channel-talk");
    home.plugin("listener", LISTENER);
    home.config["channels"]["talk"] = json!({"accounts": {"work": {"port": service.port}}});
    let live = home.start().await;
    let mut conversation = service.accept().await;
    conversation.line("hello").await;
    let context = json!({
        "ReplyToId": "m0", "ReplyToBody": "before", "ReplyToSender": "Bo", "ReplyToIsQuote": true, "ChatId": "c7", "MediaPaths": ["/a.png"],
        "ChannelContext": {"sender": {"unionId": "u-1", "id": "forged"}},
    });
    conversation.send(json!({"id": "m1", "from": "u1", "text": "good day", "context": context})).await;
    conversation.line("deliver").await;
    let lines =
        home.until("the end of the turn", |lines| !named(lines, "agent_end").is_empty() && !named(lines, "llm_output").is_empty()).await;
    let of = |name: &str| (named(&lines, name)[0]["event"].clone(), named(&lines, name)[0]["ctx"].clone());
    let (received, ctx) = of("message_received");
    let (dispatch, dispatch_ctx) = of("before_dispatch");
    for place in [&received, &ctx, &dispatch, &dispatch_ctx, &received["metadata"]] {
        let told = ["replyToId", "replyToBody", "replyToSender", "replyToIsQuote"].map(|name| &place[name]);
        assert_eq!(told, [&json!("m0"), &json!("before"), &json!("Bo"), &json!(true)], "{place}");
    }
    assert_eq!((&received["metadata"]["mediaPath"], &received["metadata"]["mediaPaths"]), (&json!("/a.png"), &json!(["/a.png"])));
    let (reply, _) = of("reply_dispatch");
    assert_eq!((&reply["originatingAccountId"], &reply["originatingChatType"]), (&json!("work"), &json!("direct")));

    let (input, ctx) = of("llm_input");
    assert!(input["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "read" && tool["parameters"].is_object()), "{input}");
    assert_eq!((&ctx["channel"], &ctx["chatId"], &ctx["senderId"]), (&json!("talk"), &json!("c7"), &json!("u1")));
    let sender = json!({"unionId": "u-1", "id": "u1"});
    assert_eq!(ctx["channelContext"], json!({"sender": sender, "chat": {"id": "c7"}}), "a channel cannot say that somebody else wrote");
    let (call, call_ctx) = of("model_call_started");
    let (output, output_ctx) = of("llm_output");
    for place in [&call, &call_ctx, &output, &output_ctx] {
        assert!(place["contextTokenBudget"].as_u64() > Some(0) && place["contextWindowSource"].is_string(), "{place}");
    }
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_add_variables_to_commands() {
    let mut home = Home::new().await;
    home.plugin("changer", CHANGER);
    home.config["tools"] = json!({"exec": {"security": "full", "ask": "off"}});
    let live = home.start().await;
    let mut client = live.client().await;
    let command = "echo $FROM_PLUGIN $SHARED $OWN; echo \"$PATH\" | grep -c nowhere; echo \"[$LD_PRELOAD]\"";
    let args = json!({"command": command, "env": {"SHARED": "call", "OWN": "mine"}});
    client.say("agent:main:env", &format!("[[tool:exec {args}]]")).await;
    let body = home.model.last_request().body;
    let result = body["messages"].as_array().unwrap().iter().rev().find(|m| m["role"] == "tool").unwrap()["content"].to_string();
    assert!(result.contains("two plugin mine\\n0\\n[]"), "{result}");
    let lines = home.recorded();
    let env = named(&lines, "env")[0];
    assert_eq!(env["event"], json!({"sessionKey": "agent:main:env", "toolName": "exec", "host": "gateway"}));
    assert_eq!((&env["ctx"]["agentId"], &env["ctx"]["sessionKey"]), (&json!("main"), &json!("agent:main:env")));
    live.stop().await;
}

async fn act(client: &mut Client, args: Value) -> Value {
    client.ok("tools.invoke", json!({"name": "transcripts", "args": args, "sessionKey": "main"})).await
}

/// The one directory of a transcript.
fn dir(home: &Home, id: &str) -> PathBuf {
    let root = home.dir.path().join("state").join("transcripts");
    let days = std::fs::read_dir(root).unwrap().map(|day| day.unwrap().path().join(id));
    days.into_iter().find(|dir| dir.exists()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meetings_are_listened_to_and_kept() {
    let mut home = Home::new().await;
    home.fixture("meeting-source");
    let off = home.start_cold().await;
    off.plugins_up().await;
    let mut client = off.client().await;
    let refused = act(&mut client, json!({"action": "status"})).await;
    assert_eq!(refused["error"]["code"], "not_found", "{refused}");
    drop(client);
    off.stop().await;

    home.config["transcripts"] =
        json!({"enabled": true, "autoStart": [{"providerId": "room", "sessionId": "standup", "title": "Stand-up"}]});
    let live = home.start_cold().await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let begun = Instant::now();
    while act(&mut client, json!({"action": "status"})).await["output"]["details"]["active"] == json!([]) {
        assert!(begun.elapsed() < PATIENCE, "the capture of the config did not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let started = act(&mut client, json!({"action": "start", "providerId": "made-up-room", "sessionId": "daily", "title": "Daily"})).await;
    assert_eq!(started["output"]["details"], json!({"sessionId": "daily", "providerId": "made-up-room"}), "{started}");
    let status = act(&mut client, json!({"action": "status"})).await["output"]["details"].clone();
    assert_eq!(status["providers"], json!(["manual-transcript", "made-up-room"]));
    assert_eq!(status["active"].as_array().unwrap().len(), 2);
    let stopped = act(&mut client, json!({"action": "stop", "sessionId": "daily"})).await;
    let details = &stopped["output"]["details"];
    assert_eq!(details["summary"]["decisions"], json!(["Ann: We agreed on blue."]));
    assert_eq!(details["summary"]["utteranceCount"], 3, "what was said last is there: {details}");
    let kept = dir(&home, "daily");
    let spoken = std::fs::read_to_string(kept.join("transcript.jsonl")).unwrap();
    assert!(spoken.contains("wait none, signal true, cfg object") && spoken.contains("Bye (tool-stop)."), "{spoken}");
    let metadata: Value = serde_json::from_slice(&std::fs::read(kept.join("metadata.json")).unwrap()).unwrap();
    assert_eq!((&metadata["title"], metadata["stoppedAt"].is_string()), (&json!("Daily"), true));
    assert!(std::fs::read_to_string(kept.join("summary.md")).unwrap().contains("## Decisions\n- Ann: We agreed on blue."));

    let locked = act(&mut client, json!({"action": "start", "providerId": "room", "channelId": "locked"})).await;
    assert!(locked.to_string().contains("the door is locked"), "{locked}");
    let imported = act(&mut client, json!({"action": "import", "providerId": "room", "transcript": "a|b", "speakerLabel": "Bo"})).await;
    assert_eq!(imported["output"]["details"]["summary"]["transcript"], json!(["Bo: a", "Bo: b"]));
    let pasted = act(&mut client, json!({"action": "import", "sessionId": "pasted", "transcript": "Ann: hello\nno name here"})).await;
    assert_eq!(pasted["output"]["details"]["summary"]["transcript"], json!(["Ann: hello", "Speaker: no name here"]));
    let again = act(&mut client, json!({"action": "summarize", "sessionId": "pasted"})).await;
    assert_eq!(again["output"]["details"]["summary"]["utteranceCount"], 2);
    assert!(text(&again["output"]).contains("summary.md"));

    drop(client);
    live.stop().await;
    let spoken = std::fs::read_to_string(dir(&home, "standup").join("transcript.jsonl")).unwrap();
    assert!(spoken.contains("wait 30000") && spoken.contains("Bye (service-stop)."), "{spoken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn general_embedding_providers_embed() {
    let mut home = Home::new().await;
    home.fixture("meeting-source");
    home.config["agents"]["defaults"]["memorySearch"] = json!({"provider": "counter"});
    let live = home.start_cold().await;
    live.plugins_up().await;
    let auth = format!("Bearer {TOKEN}");
    let body = json!({"model": "openclaw", "input": ["ab", "abc"], "dimensions": 3});
    let (status, _, body) = live.http_with("POST", "/v1/embeddings", Some(body), &[("authorization", auth.as_str())]).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["data"][0]["embedding"], &body["data"][1]["embedding"]), (&json!([2.0, 3.0, 4.0]), &json!([3.0, 4.0, 5.0])));
    live.stop().await;
}

const WARDEN: &str = "export default { id: 'warden', register(api) {
  const execute = (_id, params) => ({ content: [{ type: 'text', text: `did ${params.what}` }] });
  api.registerTool({ name: 'act', description: 'd', parameters: { type: 'object' }, execute });
  api.registerTrustedToolPolicy({ id: 'house', description: 'the rules of the house',
    evaluate: (event) => event.params.what === 'harm' ? { allow: false, reason: 'not in this house' } : undefined });
  api.registerAgentToolResultMiddleware(({ result, args, toolName }, ctx) => args.what === 'bad' ? { result: 'none' } : ({ result: { ...result, content: [{ type: 'text', text: `${result.content[0].text}, seen: ${toolName} in ${ctx.runtime} ${ctx.agentId}` }] } }),
    { runtimes: ['openclaw'] });
} };";

// API-129: what an installed plugin declares, and the config names it: it is asked before all hooks, and sees the results.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installed_plugins_may_guard_tools_and_change_their_results() {
    let mut home = Home::new().await;
    let contracts = json!({"tools": ["act"], "trustedToolPolicies": ["house"], "agentToolResultMiddleware": ["openclaw"]});
    home.plugin_with("warden", WARDEN, json!({"contracts": contracts}));
    let live = home.start().await;
    let mut client = live.client().await;
    for (what, want) in [("good", "did good, seen: act in pi main"), ("bad", "not available"), ("harm", "not in this house")] {
        client.say("agent:main:guarded", &format!("[[tool:act {}]]", json!({"what": what}))).await;
        let body = home.model.last_request().body;
        let result = body["messages"].as_array().unwrap().iter().rev().find(|m| m["role"] == "tool").unwrap()["content"].to_string();
        assert!(result.contains(want), "{result}");
    }
    live.stop().await;
}
