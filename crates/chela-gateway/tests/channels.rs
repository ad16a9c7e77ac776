//! Channels of plugins, end to end: a fixture plugin whose service is a socket of this test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/talk.rs"]
mod talk;

use live::Home;
use serde_json::{Value, json};
use talk::Service;

const RECORDER: &str = "import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\\n');
export default { id: 'listener', register(api) {
  api.on('message_received', (event, ctx) => { log({ hook: 'message_received', event, ctx }); });
  api.on('message_sending', (event, ctx) => {
    log({ hook: 'message_sending', event, ctx });
    if (event.content.includes('secret')) return { cancel: true };
    if (event.content.includes('change me')) return { content: 'changed' };
  });
  api.on('before_agent_reply', (event) => event.cleanedBody === 'one' ? { handled: true, reply: { text: 'the answer is undeliverable' } } : undefined);
  api.on('message_sent', (event, ctx) => { log({ hook: 'message_sent', event, ctx }); });
  api.on('reply_dispatch', (event) => { log({ hook: 'reply_dispatch', policy: event.sendPolicy, quiet: event.suppressUserDelivery }); });
  for (const name of ['message:transcribed', 'message:preprocessed', 'message:sent']) {
    api.registerHook(name, (event) => { const { cfg, pluginConfig, ...context } = event.context; log({ hook: name, context, cfg: typeof cfg }); }, { name });
  }
} };";

async fn home_with(service: &Service, reply: &str) -> Home {
    let mut home = Home::with_reply(reply).await;
    home.fixture("channel-talk");
    home.plugin("listener", RECORDER);
    home.config["channels"]["talk"] = json!({"accounts": {"work": {"port": service.port, "label": "Work"}}});
    home
}

fn hooks<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["hook"] == name).collect()
}

// CH-100, CH-102, CH-105, CH-109, CH-118, CH-152, CH-183, HOOK-035, HOOK-071, HOOK-219, RT-137
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_becomes_a_turn_and_its_answer_goes_out_through_the_channel() {
    let service = Service::start().await;
    let home = home_with(&service, "Hello from the model.").await;
    let live = home.start().await;
    let mut conversation = service.accept().await;
    let hello = conversation.line("hello").await;
    assert_eq!((&hello["hello"], &hello["running"], &hello["label"]), (&json!("work"), &json!(true), &json!("Work")));

    conversation.send(json!({"id": "m1", "from": "u1", "name": "Ann", "text": "hi there"})).await;
    assert_eq!(conversation.line("typing").await["to"], "user:u1");
    assert_eq!(conversation.line("partial").await["partial"], "Hello from the model.");
    assert_eq!(conversation.line("model").await["model"], "mock/mock-1");
    let answer = conversation.line("deliver").await;
    assert_eq!((&answer["deliver"]["text"], &answer["kind"]), (&json!("Hello from the model."), &json!("final")));
    assert_eq!(conversation.line("finalized").await, json!({"finalized": "dispatch", "dispatched": true}));
    let stages =
        ["ingest:start", "ingest:done", "assemble:done", "record:start", "record:done", "dispatch:start", "dispatch:done", "finalize:done"];
    assert_eq!(conversation.line("stages").await["stages"], json!(stages));

    let lines = home.until("the hooks of a delivery", |lines| !hooks(lines, "message_sent").is_empty()).await;
    let received = hooks(&lines, "message_received")[0];
    assert_eq!((&received["event"]["content"], &received["event"]["messageId"]), (&json!("hi there"), &json!("m1")));
    assert_eq!(received["event"]["metadata"]["senderName"], "Ann");
    let ctx = &received["ctx"];
    assert_eq!((&ctx["channelId"], &ctx["accountId"], &ctx["conversationId"]), (&json!("talk"), &json!("work"), &json!("user:u1")));
    let sent = hooks(&lines, "message_sent")[0];
    assert_eq!((&sent["event"]["success"], &sent["event"]["content"]), (&json!(true), &json!("Hello from the model.")));
    assert_eq!(sent["event"]["to"], "user:u1");

    let mut client = live.client().await;
    let rows = client.ok("sessions.list", json!({})).await;
    let row = rows["sessions"].as_array().unwrap().iter().find(|r| r["key"] == "agent:main:main").unwrap();
    assert_eq!(row["deliveryContext"], json!({"channel": "talk", "to": "user:u1", "accountId": "work"}));
    assert_eq!((&row["lastChannel"], &row["lastTo"], &row["origin"]["label"]), (&json!("talk"), &json!("user:u1"), &json!("Ann")));

    // The same message again is answered once (CH-118); what is no message starts no turn (CH-100); a drop neither (CH-102).
    conversation.send(json!({"id": "m1", "from": "u1", "name": "Ann", "text": "hi there"})).await;
    assert_eq!(conversation.line("finalized").await["dispatched"], true);
    conversation.line("stages").await;
    conversation.send(json!({"id": "r1", "from": "u1", "kind": "reaction", "text": "+1"})).await;
    assert_eq!(conversation.line("stages").await["stages"], json!(["ingest:start", "ingest:done", "classify:handled"]));
    conversation.send(json!({"id": "d1", "from": "u1", "drop": true, "text": "x"})).await;
    assert_eq!(conversation.line("stages").await["stages"], json!(["ingest:start", "ingest:done", "preflight:drop"]));
    assert_eq!(home.model.requests().len(), 1);
    assert!(conversation.seen("deliver").is_empty());
    live.stop().await;
    assert_eq!(conversation.line("bye").await["bye"], "work");
}

// CH-161, CH-162, CH-167, CH-172, CH-178, TOOL-78, GW-76, HOOK-038, HOOK-074, HOOK-075, HOOK-217, HOOK-219
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_send_through_the_channel_and_hooks_have_their_say() {
    let service = Service::start().await;
    let home = home_with(&service, "x").await;
    let live = home.start().await;
    let mut work = service.accept().await;
    work.line("hello").await;
    let mut client = live.client().await;
    let text = "a message of more than forty characters goes out in pieces";
    let sent =
        client.ok("send", json!({"to": "user:u1", "message": text, "idempotencyKey": "k1", "threadId": "t", "replyToId": "m0"})).await;
    assert_eq!((&sent["runId"], &sent["channel"], &sent["accountId"]), (&json!("k1"), &json!("talk"), &json!("work")));
    let first = work.line("sendText").await;
    assert_eq!((&first["threadId"], &first["replyToId"], &first["to"]), (&json!("t"), &json!("m0"), &json!("user:u1")));
    let second = work.line("sendText").await;
    let words = |line: &Value| line["sendText"].as_str().unwrap().to_string();
    assert_eq!(format!("{} {}", words(&first), words(&second)), text);
    assert!(words(&first).len() <= 40 && sent["messageId"].as_str().unwrap().starts_with("sent-"));
    let again = client.ok("send", json!({"to": "user:u1", "message": text, "idempotencyKey": "k1"})).await;
    assert_eq!(again, sent, "a repeated key is answered and not sent again");

    let media = json!({"to": "user:u1", "message": "look", "mediaUrls": ["https://a/1.png", "https://a/2.png"], "channel": "tlk", "idempotencyKey": "k2"});
    client.ok("send", media).await;
    let lines = [work.line("sendMedia").await, work.line("sendMedia").await];
    assert_eq!(
        lines.map(|l| (l["sendMedia"].clone(), l["caption"].clone())),
        [("https://a/1.png".into(), "look".into()), ("https://a/2.png".into(), "".into())]
    );
    client.ok("send", json!({"to": "user:u1", "message": "change me", "idempotencyKey": "k3"})).await;
    assert_eq!(words(&work.line("sendText").await), "changed");
    let kept = client.ok("send", json!({"to": "user:u1", "message": "a secret", "idempotencyKey": "k4"})).await;
    assert_eq!((&kept["suppressed"], kept.get("messageId")), (&json!("cancelled_by_message_sending_hook"), None));
    let polled = client.ok("poll", json!({"to": "room:r", "question": "when?", "options": ["now", "later"], "idempotencyKey": "k5"})).await;
    assert_eq!(polled["messageId"], "poll-1");
    assert_eq!(work.line("sendPoll").await["sendPoll"], json!({"question": "when?", "options": ["now", "later"]}));

    // The agent's own tool, for the conversation that it is in.
    let ask = |text: &str| json!({"id": text, "from": "u9", "text": text});
    work.send(ask(r#"[[tool:message {"action":"send","message":"by tool","target":"user:u2"}]]"#)).await;
    let line = work.line("sendText").await;
    assert_eq!((&line["sendText"], &line["to"]), (&json!("by tool"), &json!("user:u2")));
    work.send(ask(r#"[[tool:message {"action":"poll","pollQuestion":"q","pollOption":["a","b"]}]]"#)).await;
    assert_eq!(work.line("sendPoll").await["to"], "user:u9", "the current conversation");
    let broadcast =
        json!({"name": "message", "args": {"action": "broadcast", "channel": "talk", "targets": ["user:a", "nobody"], "message": "all"}});
    let told = client.ok("tools.invoke", broadcast).await.to_string();
    assert!(told.contains("no such target: nobody") && told.contains("user:a"), "{told}");
    let wave = json!({"name": "message", "args": {"action": "react", "channel": "talk", "emoji": "wave"}});
    let told = client.ok("tools.invoke", wave).await.to_string();
    assert!(told.contains("does not support action react"), "{told}");

    for (params, said) in [
        (json!({"to": "nobody", "message": "x", "idempotencyKey": "e1"}), "invalid target for channel talk: no such target: nobody"),
        (json!({"to": "user:u", "message": "x", "channel": "smoke", "idempotencyKey": "e2"}), "unknown channel: smoke"),
        (json!({"to": "user:u", "idempotencyKey": "e3"}), "text or media is required"),
        (json!({"to": "user:u", "message": "x"}), "idempotencyKey"),
        (json!({"to": "user:u", "message": "x", "accountId": "gone", "idempotencyKey": "e4"}), "account gone is not connected"),
    ] {
        let error = client.error("send", params).await;
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    let lines =
        home.until("the failed delivery", |lines| hooks(lines, "message_sent").iter().any(|l| l["event"]["success"] == false)).await;
    let sent: Vec<&str> = hooks(&lines, "message_sent").iter().map(|l| l["event"]["content"].as_str().unwrap()).collect();
    assert!(sent.contains(&"changed") && !sent.contains(&"a secret"), "{sent:?}");
    let failed = hooks(&lines, "message_sent").into_iter().find(|l| l["event"]["success"] == false).unwrap();
    assert!(failed["event"]["error"].as_str().unwrap().contains("not connected"), "{failed}");
    live.stop().await;
}

// CH-143, TOOL-11, TOOL-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_has_the_rules_for_tools_of_what_it_is_part_of() {
    let service = Service::start().await;
    let mut home = home_with(&service, "NO_REPLY").await;
    home.config["channels"]["talk"]["groups"] = json!({
        "house": {"tools": {"deny": ["exec"]}}, "floor": {"toolsBySender": {"id:u2": {"deny": ["read"]}}, "tools": {"deny": ["write"]}},
        "cellar": {"tools": {"allow": ["session_status"]}}, "*": {"tools": {"deny": ["process"]}},
    });
    let live = home.start().await;
    let mut work = service.accept().await;
    let denied = [("kitchen", "u1", "write"), ("kitchen", "u2", "read"), ("lounge", "u1", "process"), ("cellar", "u1", "read")];
    for (at, (room, from, tool)) in denied.into_iter().enumerate() {
        work.send(json!({"id": format!("t{at}"), "from": from, "room": room, "text": "hi"})).await;
        work.line("stages").await;
        let body = home.model.last_request().body;
        let offered: Vec<&str> = body["tools"].as_array().unwrap().iter().map(|t| t["function"]["name"].as_str().unwrap()).collect();
        assert!(!offered.contains(&tool), "{room} {from}: {offered:?}");
        let all = ["read", "write", "exec", "process"];
        let left = all.iter().filter(|t| offered.contains(t)).count();
        assert_eq!(left, if room == "cellar" { 0 } else { 3 }, "{room} {from}: {offered:?}");
    }
    live.stop().await;
}

const ASKS: &str = "export default { id: 'asks', register(api) {
  const parameters = { type: 'object', properties: {}, additionalProperties: true };
  api.registerTool({ name: 'deploy', description: 'd', parameters, execute: async () => ({ content: [{ type: 'text', text: 'deployed' }] }) });
  api.on('before_tool_call', (event) => event.toolName === 'deploy'
    ? { requireApproval: { title: 'Deploy?', description: 'to production', timeoutMs: 600000 } } : undefined);
} };";

/// Texts that went to one place, in one piece, until one of them is there.
async fn told(conversation: &mut talk::Conversation, to: &str, wanted: &str) -> String {
    let mut all = String::new();
    while !all.contains(wanted) {
        let line = conversation.line("sendText").await;
        if line["to"] == to {
            all = format!("{all} {}", line["sendText"].as_str().unwrap());
        }
    }
    all
}

// HOOK-187, HOOK-194
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approvals_are_told_in_the_chats_that_the_config_names_and_answered_there() {
    let service = Service::start().await;
    let mut home = home_with(&service, "done").await;
    home.plugin_with("asks", ASKS, json!({"contracts": {"tools": ["deploy"]}}));
    let ops = json!([{"channel": "talk", "to": "room:ops", "accountId": "work"}]);
    home.config["approvals"] = json!({
        "plugin": {"enabled": true, "mode": "targets", "targets": ops, "sessionFilter": ["^agent:main:open"], "agentFilter": ["main"]},
        "exec": {"enabled": true, "mode": "both", "targets": ops},
    });
    home.config["tools"] = json!({"exec": {"security": "allowlist", "ask": "on-miss"}});
    home.config["channels"]["talk"]["execApprovals"] = json!({"approvers": ["u7"]});
    let live = home.start().await;
    let mut work = service.accept().await;
    work.line("hello").await;
    // Nobody with the scope is connected: without a chat there is nobody to ask.
    let mut writer = live::Client::connect_as(live.port, &["operator.read", "operator.write"]).await;
    let begin = |session: &str, id: &str| json!({"sessionKey": session, "message": "[[tool:deploy {}]]", "idempotencyKey": id});
    writer.ok("chat.send", begin("agent:main:shut", "s")).await;
    writer.chat_end("s").await;
    let result = |home: &Home| home.model.last_request().body["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(result(&home).contains("no approval route"), "{}", result(&home));
    assert!(work.seen("sendText").is_empty(), "the filter holds it back");

    writer.ok("chat.send", begin("agent:main:open", "o")).await;
    let question = told(&mut work, "room:ops", "allow-once|allow-always|deny").await;
    assert!(question.contains("Deploy?") && question.contains("to production") && question.contains("/approve"), "{question}");
    let mut desk = live.client().await;
    let id = desk.ok("plugin.approval.list", json!({})).await[0]["id"].as_str().unwrap().to_string();
    // Who may give commands in the chat decides nothing; an approver of the channel does.
    let answer = |n: &str, from: &str| {
        let text = format!("/approve {id} allow-once");
        json!({"id": n, "from": from, "room": "ops", "owner": true, "text": text})
    };
    work.send(answer("a1", "u8")).await;
    work.line("stages").await;
    assert_eq!(desk.ok("plugin.approval.list", json!({})).await[0]["id"], json!(id));
    work.send(answer("a2", "u7")).await;
    assert_eq!(writer.chat_end("o").await["state"], "final");
    assert!(result(&home).contains("deployed"), "{}", result(&home));
    told(&mut work, "room:ops", "allow-once by").await;
    drop(desk);

    // A command of a turn that began in a chat: that chat hears of it, and the one that the config names.
    let command = r#"[[tool:exec {"command": "touch wanted > /dev/null"}]]"#;
    work.send(json!({"id": "e1", "from": "u9", "text": command})).await;
    let own = told(&mut work, "user:u9", "allow-once|allow-always|deny").await;
    assert!(own.contains("touch wanted"), "{own}");
    let mut desk = live.client().await;
    let rows = desk.ok("exec.approval.list", json!({})).await;
    let request = &rows[0]["request"];
    assert_eq!((&request["turnSourceChannel"], &request["turnSourceTo"]), (&json!("talk"), &json!("user:u9")), "{rows}");
    desk.ok("exec.approval.resolve", json!({"id": rows[0]["id"], "decision": "deny"})).await;
    told(&mut work, "user:u9", "deny by").await;
    assert!(!home.dir.path().join("workspace/wanted").exists());
    live.stop().await;
}

// CH-137, CH-138
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_with_several_identities_have_one_session() {
    let service = Service::start().await;
    let mut home = home_with(&service, "ok").await;
    home.config["session"] = json!({"dmScope": "per-peer", "identityLinks": {"ann": ["talk:u1", "u2"], "bob": ["other:u3"]}});
    let live = home.start().await;
    let mut work = service.accept().await;
    work.line("hello").await;
    for from in ["u1", "u2", "u3"] {
        work.send(json!({"id": format!("m-{from}"), "from": from, "text": format!("I am {from}")})).await;
        work.line("stages").await;
    }
    let mut client = live.client().await;
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:direct:ann"})).await.to_string();
    assert!(history.contains("I am u1") && history.contains("I am u2") && !history.contains("I am u3"), "{history}");
    let rows = client.ok("sessions.list", json!({})).await;
    let mut keys: Vec<&str> =
        rows["sessions"].as_array().unwrap().iter().filter_map(|r| r["key"].as_str()).filter(|key| key.contains(":direct:")).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["agent:main:direct:ann", "agent:main:direct:u3"], "an id of another channel is nobody here");
    live.stop().await;
}

// CH-104, CH-138, MSG-104, MSG-112, MSG-114, HOOK-219
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_failures_silence_and_observation() {
    let service = Service::start().await;
    let home = home_with(&service, "NO_REPLY").await;
    let live = home.start().await;
    let mut work = service.accept().await;
    work.send(json!({"id": "g1", "from": "u1", "name": "Ann", "room": "lounge", "text": "anyone?"})).await;
    work.line("stages").await;
    assert!(work.seen("deliver").is_empty(), "a silent answer is not sent");
    let asked = home.model.last_request().body;
    let asked = asked["messages"].as_array().unwrap().last().unwrap().to_string();
    assert!(asked.contains("Ann: anyone?"), "{asked}");
    let mut client = live.client().await;
    let rows = client.ok("sessions.list", json!({})).await;
    let row = rows["sessions"].as_array().unwrap().iter().find(|r| r["key"] == "agent:main:talk:group:lounge").unwrap();
    assert_eq!((&row["chatType"], &row["origin"]["chatType"], &row["lastTo"]), (&json!("group"), &json!("group"), &json!("room:lounge")));

    work.send(json!({"id": "x1", "from": "u1", "text": "one"})).await;
    assert_eq!(work.line("deliverError").await["deliverError"], "the service refused it");
    let lines = home.until("the failed answer", |lines| !hooks(lines, "message_sent").is_empty()).await;
    assert_eq!(hooks(&lines, "message_sent")[0]["event"]["success"], false);

    work.send(json!({"id": "f1", "from": "u1", "room": "lounge", "text": "[[fail:400]]"})).await;
    work.line("stages").await;
    assert!(work.seen("deliver").is_empty(), "a failure is silent in a group");
    work.send(json!({"id": "f2", "from": "u1", "text": "[[fail:400]] again"})).await;
    let told = work.line("deliver").await;
    assert_eq!((&told["deliver"]["isError"], told.to_string().contains("400")), (&json!(true), false));
    let refused = json!({"id": "o1", "from": "u1", "text": "two", "observe": true});
    work.line("stages").await;
    work.send(refused).await;
    let mut finals = Vec::new();
    while finals.last() != Some(&json!({"finalized": "observeOnly", "dispatched": true})) {
        finals.push(work.line("finalized").await);
    }
    work.line("stages").await;
    work.send(json!({"id": "o2", "from": "u1", "text": "two", "observe": true})).await;
    assert_eq!(work.line("finalized").await, json!({"finalized": "observeOnly", "dispatched": true}));
    assert!(work.seen("deliver").is_empty());
    live.stop().await;
}

// HOOK-009, HOOK-211, HOOK-212, HOOK-270, HOOK-274, HOOK-275
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_hear_what_was_spoken_and_denied_answers_stay() {
    let service = Service::start().await;
    let home = home_with(&service, "from the model").await;
    let live = home.start().await;
    let mut work = service.accept().await;
    let voice = json!({"id": "v1", "from": "u1", "name": "Ann", "room": "lounge", "text": "raw words", "transcript": "spoken words", "command": "  "});
    work.send(voice).await;
    work.line("deliver").await;
    work.line("stages").await;
    let lines = home.until("the message was sent", |lines| !hooks(lines, "message:sent").is_empty()).await;
    let of = |name: &str| hooks(&lines, name)[0]["context"].clone();
    let heard = of("message:transcribed");
    assert_eq!((&heard["transcript"], &heard["senderName"], &heard["surface"]), (&json!("spoken words"), &json!("Ann"), &json!("talk")));
    let seen = of("message:preprocessed");
    assert_eq!((&seen["transcript"], &seen["isGroup"], &seen["groupId"]), (&json!("spoken words"), &json!(true), &json!("room:lounge")));
    assert!(seen["bodyForAgent"].as_str().unwrap().contains("raw words") && hooks(&lines, "message:preprocessed")[0]["cfg"] == "object");
    let sent = of("message:sent");
    let expected = json!({"content": "from the model", "success": true, "channelId": "talk", "accountId": "work", "isGroup": true, "groupId": "room:lounge"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&sent[name], value, "{name}: {sent}");
    }
    assert!(sent["conversationId"] == "room:lounge" && sent.get("error").is_none(), "{sent}");
    assert_eq!(hooks(&lines, "message_received")[0]["event"]["content"], "raw words", "blank words count as none");

    // A command body comes before the raw words; what nobody spoke has no transcript.
    work.send(json!({"id": "c1", "from": "u1", "text": "@bot do it", "command": "do it"})).await;
    work.line("deliver").await;
    work.line("stages").await;
    let lines = home.until("the second message", |lines| hooks(lines, "message:sent").len() == 2).await;
    assert_eq!(hooks(&lines, "message_received")[1]["event"]["content"], "do it");
    assert_eq!((hooks(&lines, "message:transcribed").len(), &hooks(&lines, "reply_dispatch")[1]["policy"]), (1, &json!("allow")));
    assert_eq!(hooks(&lines, "message:sent")[1]["context"]["isGroup"], false);

    // Where nothing may be sent the agent answers all the same, and nobody hears it.
    let mut client = live.client().await;
    client.ok("sessions.patch", json!({"key": "agent:main:main", "sendPolicy": "deny"})).await;
    work.send(json!({"id": "q1", "from": "u1", "text": "quietly"})).await;
    let lines = home.until("the quiet message", |lines| hooks(lines, "reply_dispatch").len() == 3).await;
    assert_eq!(
        (&hooks(&lines, "reply_dispatch")[2]["policy"], &hooks(&lines, "reply_dispatch")[2]["quiet"]),
        (&json!("deny"), &json!(true))
    );
    // The next message must not join the turn of this one.
    work.line("stages").await;
    client.ok("sessions.patch", json!({"key": "agent:main:main", "sendPolicy": null})).await;
    work.send(json!({"id": "q2", "from": "u1", "text": "aloud"})).await;
    work.line("deliver").await;
    work.line("stages").await;
    assert_eq!(home.model.requests().len(), 4);
    assert_eq!((work.seen("deliver").len(), hooks(&home.recorded(), "message_sending").len()), (0, 3));
    live.stop().await;
}

const BINDER: &str = "import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\\n');
export default { id: 'binder', register(api) {
  api.registerInteractiveHandler({ channel: 'talk', namespace: 'vote', handler: async (ctx) => {
    if (ctx.interaction.payload === 'fail') throw new Error('no votes today');
    if (ctx.interaction.payload === 'mine') return { handled: false, said: await ctx.getCurrentConversationBinding() };
    const answer = await ctx.respond.reply({ text: 'voted ' + ctx.interaction.payload });
    log({ vote: ctx.interaction.payload, answer, sender: ctx.senderId });
  } });
  api.registerCommand({ name: 'bind', description: 'binds', requireAuth: true, handler: async (ctx) => {
    const asked = await ctx.requestConversationBinding({ summary: 'Take notes', detachHint: '/unbind', data: { a: 1 } });
    log({ asked: asked.status, to: ctx.to, session: ctx.sessionKey });
    return asked.status === 'pending' ? asked.reply : { text: asked.status };
  } });
  api.registerCommand({ name: 'unbind', description: 'unbinds', handler: async (ctx) => {
    const before = await ctx.getCurrentConversationBinding();
    return { text: JSON.stringify([before?.summary, before?.data, await ctx.detachConversationBinding()]) };
  } });
  api.registerCommand({ name: 'note', description: 'notes', acceptsArgs: true, handler: async (ctx) => ({ text: 'noted ' + ctx.args, continueAgent: true }) });
  api.onConversationBindingResolved((event) => log({ resolved: event.status, decision: event.decision, binding: event.binding?.conversationId }));
  api.on('inbound_claim', (event, ctx) => {
    log({ claim: event.content, binding: ctx.pluginBinding?.summary });
    if (event.content === 'broken') throw new Error('broken');
    return event.content === 'pass' ? undefined : { handled: true, reply: { text: 'claimed ' + event.content } };
  });
} };";

// API-067, API-068, API-137, API-140, API-141, API-144, API-145, API-214..API-221, HOOK-034, HOOK-070, HOOK-209, HOOK-210
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_buttons_and_bound_conversations() {
    let service = Service::start().await;
    let mut home = home_with(&service, "from the model").await;
    home.plugin("binder", BINDER);
    let live = home.start().await;
    let mut work = service.accept().await;
    work.line("hello").await;
    let mut next = 0;
    let mut say = |text: &str, owner: bool| {
        next += 1;
        json!({"id": format!("c{next}"), "from": "u1", "text": text, "owner": owner})
    };
    let said = |line: Value| line["deliver"]["text"].as_str().unwrap_or_default().to_string();

    // Buttons reach the plugin that registered their namespace, in another worker, and answer through the channel.
    work.send(json!({"id": "b1", "from": "u1", "click": "vote:yes"})).await;
    assert_eq!(work.line("respond").await["respond"], "voted yes");
    assert_eq!(work.line("clicked").await["clicked"], json!({"matched": true, "handled": true, "duplicate": false}));
    for (id, data, expected) in [
        ("b1", "vote:yes", json!({"matched": true, "handled": true, "duplicate": true})),
        ("b2", "nobody:x", json!({"matched": false, "handled": false, "duplicate": false})),
        ("b3", "vote:mine", json!({"matched": true, "handled": false, "duplicate": false})),
        ("b4", "vote:fail", json!({"error": "no votes today"})),
        ("b4", "vote:again", json!({"matched": true, "handled": true, "duplicate": false})),
    ] {
        work.send(json!({"id": id, "from": "u1", "click": data})).await;
        assert_eq!(work.line("clicked").await["clicked"], expected, "{data}");
    }
    let lines = home.until("the votes", |lines| lines.iter().filter(|l| l["vote"].is_string()).count() == 2).await;
    assert_eq!(lines.iter().find(|l| l["vote"] == "yes").unwrap()["answer"], json!({"replied": true}));

    // Commands: refused, run, and continued by the agent.
    work.send(say("/bind", false)).await;
    assert!(said(work.line("deliver").await).contains("requires authorization"));
    work.send(say("/note this", true)).await;
    assert_eq!(said(work.line("deliver").await), "noted this");
    assert_eq!(said(work.line("deliver").await), "from the model");
    work.send(say("/stop", true)).await;
    assert_eq!(said(work.line("deliver").await), "Nothing is running");

    // A binding: asked for, denied, then always allowed.
    let button = |line: &Value, at: usize| line["deliver"]["interactive"]["blocks"][0]["buttons"][at]["value"].clone();
    work.send(say("/bind", true)).await;
    let question = work.line("deliver").await;
    assert!(question["deliver"]["text"].as_str().unwrap().contains("Take notes"));
    work.send(json!({"id": "s", "from": "u2", "click": button(&question, 0)})).await;
    assert_eq!(work.line("decided").await["decided"], "expired");
    work.send(json!({"id": "d", "from": "u1", "click": button(&question, 2)})).await;
    assert_eq!(work.line("decided").await["decided"], "denied");
    work.send(say("/bind", true)).await;
    let question = work.line("deliver").await;
    work.send(json!({"id": "a", "from": "u1", "click": button(&question, 1)})).await;
    assert_eq!(work.line("decided").await["decided"], "approved");
    let lines = home.until("the decisions", |lines| lines.iter().filter(|l| l["resolved"].is_string()).count() == 2).await;
    let resolved: Vec<&Value> = lines.iter().filter(|l| l["resolved"].is_string()).collect();
    assert_eq!((&resolved[0]["decision"], &resolved[1]["binding"]), (&json!("deny"), &json!("user:u1")));

    // Its messages are the plugin's, unless it is away.
    let asked = home.model.requests().len();
    work.send(say("hello", false)).await;
    assert_eq!(said(work.line("deliver").await), "claimed hello");
    work.send(say("pass", false)).await;
    assert!(said(work.line("deliver").await).contains("did not take this message. To detach the conversation, use /unbind"));
    work.send(say("broken", false)).await;
    assert!(said(work.line("deliver").await).contains("failed with this message"));
    assert_eq!(home.model.requests().len(), asked);
    let lines = home.recorded();
    assert_eq!(lines.iter().find(|l| l["claim"] == "hello").unwrap()["binding"], "Take notes");

    // Where nothing may be sent the plugin is not asked: it could not answer (HOOK-211).
    let mut client = live.client().await;
    client.ok("sessions.patch", json!({"key": "agent:main:main", "sendPolicy": "deny"})).await;
    work.send(say("quietly", false)).await;
    home.until("the agent has it", |lines| lines.iter().any(|l| l["hook"] == "reply_dispatch" && l["policy"] == "deny")).await;
    assert!(!home.recorded().iter().any(|l| l["claim"] == "quietly"));
    live.stop().await;
    let kept = std::fs::read_to_string(home.dir.path().join("state/plugin-binding-approvals.json")).unwrap();
    assert!(kept.contains("\"channel\": \"talk\""), "{kept}");
}

// RT-040, RT-113
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_and_heartbeats_of_plugins_answer_where_the_session_was_last_written_to() {
    let service = Service::start().await;
    let mut home = home_with(&service, "Hello from the model.").await;
    home.fixture("runtime-probe");
    let live = home.start().await;
    let mut conversation = service.accept().await;
    conversation.line("hello").await;
    conversation.send(json!({"id": "m1", "from": "u1", "name": "Ann", "text": "hi there"})).await;
    conversation.line("stages").await;
    let mut client = live.client().await;
    let mut call = async |path: &str, args: Value| client.ok("probe.call", json!({"path": path, "args": args})).await["value"].clone();
    let beat = call("system.runHeartbeatOnce", json!([{"heartbeat": {"target": "last"}}])).await;
    assert_eq!(beat["status"], "ran", "{beat}");
    let sent = conversation.line("sendText").await;
    assert_eq!((&sent["sendText"], &sent["to"]), (&json!("Hello from the model."), &json!("user:u1")));
    // A heartbeat leaves the route as it is; a run with `deliver` uses it.
    let run = call("subagent.run", json!([{"sessionKey": "agent:main:main", "message": "x", "deliver": true}])).await;
    assert!(run["runId"].as_str().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()), "{run}");
    assert_eq!(conversation.line("sendText").await["to"], "user:u1");
    live.stop().await;
}
