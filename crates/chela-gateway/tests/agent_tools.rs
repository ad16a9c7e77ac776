//! The agent's tools as a whole: who has which, what keeps one away, calls that go round in circles, and how commands run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use chela_models::testing::Script;
use live::{Client, Home};
use serde_json::{Value, json};

/// Names of the tools that the model was offered last.
fn offered(home: &Home) -> Vec<String> {
    let body = home.model.last_request().body;
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|t| t["function"]["name"].as_str().unwrap().to_string()).collect()
}

/// Texts of all tool results that the model saw last.
fn results(home: &Home) -> Vec<String> {
    let body = home.model.last_request().body;
    let tools = body["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "tool");
    tools.map(|m| m["content"].as_str().map_or_else(|| live::text(m), str::to_string)).collect()
}

/// The model's next answer is one call.
fn next_call(home: &Home, id: &str, name: &str, args: &Value) {
    let call =
        json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": args.to_string()}}]});
    let row = |delta: Value, end: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
    let body = format!("data: {}\n\ndata: {}\n\ndata: [DONE]\n\n", row(call, Value::Null), row(json!({}), json!("tool_calls")));
    home.model.script(Script::new(200, "text/event-stream", body));
}

async fn left_out(client: &mut Client, session: &str) -> Vec<(String, String)> {
    let found = client.ok("tools.effective", json!({"sessionKey": session})).await;
    let rows = found["leftOut"].as_array().unwrap().clone();
    rows.iter().map(|r| (r["id"].as_str().unwrap().to_string(), r["reason"].as_str().unwrap().to_string())).collect()
}

fn why<'a>(rows: &'a [(String, String)], tool: &str) -> &'a str {
    rows.iter().find(|(name, _)| name == tool).map_or("", |(_, reason)| reason)
}

const OWNERS: &str = r#"
export default function register(api) {
  const tool = (name) => api.registerTool({ name, description: name, parameters: { type: 'object', properties: {} },
    execute: async () => ({ content: [{ type: 'text', text: 'ran ' + name }] }) });
  tool('cron');
  tool('plain');
  api.registerToolMetadata({ toolName: 'plain', displayName: 'Plainly', risk: 'low', tags: ['a', 'b'] });
}"#;

// TOOL-17, TOOL-19, TOOL-24, TOOL-F2, TOOL-F6, GW-117, API-126
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_which_tools_and_what_keeps_one_away() {
    let mut home = Home::new().await;
    home.plugin_with("owners", OWNERS, json!({"contracts": {"tools": ["cron", "plain"]}}));
    home.config["tools"] = json!({"deny": ["web_fetch"], "subagents": {"tools": {"deny": ["write"]}}});
    home.config["agents"]["list"] = json!([{"id": "main"}, {"id": "coder", "tools": {"profile": "coding"}}]);
    home.config["gateway"]["tools"] = json!({"allow": ["cron", "nothing"], "deny": ["edit"]});
    let live = home.start().await;
    let mut owner = live.client().await;
    let mut guest = Client::connect_as(live.port, &["operator.read", "operator.write"]).await;

    owner.say("agent:main:main", "hello").await;
    let of_owner = offered(&home);
    guest.say("agent:main:main", "hello").await;
    let of_guest = offered(&home);
    for (tool, to_owner, to_guest) in [("plain", true, true), ("exec", true, true), ("cron", true, false), ("web_fetch", false, false)] {
        let has = (of_owner.iter().any(|t| t == tool), of_guest.iter().any(|t| t == tool));
        assert_eq!(has, (to_owner, to_guest), "{tool}");
    }
    let invoke = |name: &str| json!({"name": name, "args": {}, "sessionKey": "agent:main:main"});
    assert_eq!(owner.ok("tools.invoke", invoke("cron")).await["ok"], true);
    let refused = guest.ok("tools.invoke", invoke("cron")).await;
    assert_eq!(refused["error"]["code"], "not_found", "called straight, it is refused as well");
    // Over HTTP there is a list of its own: it can be made shorter and longer.
    for (tool, args, want) in [
        ("exec", json!({"command": "true"}), 404),
        ("edit", json!({"path": "x"}), 404),
        ("plain", json!({}), 200),
        ("cron", json!({}), 200),
    ] {
        let (status, _, body) = live.http("POST", "/tools/invoke", Some(json!({"tool": tool, "args": args}))).await;
        assert_eq!(status, want, "{tool}: {body}");
    }

    owner.say("agent:main:subagent:one", "hello").await;
    let of_child = offered(&home);
    for tool in ["session_status", "cron", "write"] {
        assert!(of_owner.iter().any(|t| t == tool) && !of_child.iter().any(|t| t == tool), "{tool}: {of_child:?}");
    }
    assert!(of_child.iter().any(|t| t == "read"), "{of_child:?}");

    for method in ["tools.effective", "tools.catalog"] {
        let params = if method == "tools.effective" { json!({"sessionKey": "agent:main:main"}) } else { json!({}) };
        let groups = owner.ok(method, params).await["groups"].clone();
        let tools: Vec<Value> = groups.as_array().unwrap().iter().flat_map(|g| g["tools"].as_array().unwrap().clone()).collect();
        let plain = tools.iter().find(|t| t["id"] == "plain").unwrap();
        let want = json!({"id": "plain", "label": "Plainly", "description": "plain", "source": "plugin", "pluginId": "owners",
            "risk": "low", "tags": ["a", "b"]});
        assert_eq!(plain, &want, "{method}");
    }
    let rows = left_out(&mut owner, "agent:main:main").await;
    assert_eq!(why(&rows, "web_fetch"), "`tools.deny` does not let it through");
    assert_eq!(why(&rows, "browser"), "nothing here brings it");
    assert_eq!(why(&rows, "exec"), "");
    let rows = left_out(&mut owner, "agent:main:subagent:one").await;
    assert_eq!(why(&rows, "session_status"), "`tools.subagents.tools.deny` does not let it through", "{rows:?}");
    let found = owner.ok("tools.effective", json!({"sessionKey": "agent:coder:main"})).await;
    assert_eq!(found["profile"], "coding");
    let rows = left_out(&mut owner, "agent:coder:main").await;
    assert_eq!(why(&rows, "plain"), "`agents.list[coder].tools.profile` does not let it through");
    live.stop().await;
}

const CONDITIONAL: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  const tool = (name) => ({ name, description: name, parameters: { type: 'object', properties: {} }, execute: async () => 'x' });
  for (const name of ['by_config', 'by_env', 'by_auth', 'by_key', 'always'])
    api.registerTool(() => { log({ asked: name }); return tool(name); }, { names: [name] });
  api.registerTool(() => { const end = Date.now() + 1100; while (Date.now() < end); return tool('slow'); }, { names: ['slow'] });
}"#;

// API-118, API-123, MAN-116, MAN-117
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_under_conditions_are_there_while_they_hold_and_slow_factories_are_told() {
    let mut home = Home::new().await;
    let at = "plugins.entries.cond.config";
    let manifest = json!({"contracts": {"tools": ["by_config", "by_env", "by_auth", "by_key", "always", "slow"]}, "toolMetadata": {
        "by_config": {"configSignals": [{"rootPath": at, "required": ["key"]}]},
        "by_env": {"configSignals": [{"rootPath": at, "required": ["secret"]}]},
        "by_auth": {"authSignals": [{"provider": "nobody"}]},
        "by_key": {"authSignals": [{"provider": "mock"}]},
    }});
    home.plugin_with("cond", CONDITIONAL, manifest);
    home.config["plugins"]["entries"]["cond"]["config"] = json!({"other": 1});
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:main", "hello").await;
    let names = offered(&home);
    for (tool, want) in [("by_config", false), ("by_env", false), ("by_auth", false), ("by_key", true), ("always", true), ("slow", true)] {
        assert_eq!(names.iter().any(|t| t == tool), want, "{tool}: {names:?}");
    }
    let asked = |lines: &[Value], name: &str| lines.iter().any(|l| l["asked"] == name);
    let lines = home.recorded();
    assert!(asked(&lines, "always") && !asked(&lines, "by_config") && !asked(&lines, "by_auth"), "a factory is not even asked: {lines:?}");
    let rows = left_out(&mut client, "agent:main:main").await;
    assert_eq!(why(&rows, "by_config"), "the conditions in the manifest of its plugin do not hold");
    let notices = client.ok("tools.effective", json!({"sessionKey": "agent:main:main"})).await["notices"].to_string();
    assert!(notices.contains("a tool factory of plugin `cond` took"), "{notices}");

    home.config["plugins"]["entries"]["cond"]["config"]["key"] = json!("now");
    home.write_config();
    let begun = std::time::Instant::now();
    loop {
        client.say("agent:main:main", "hello").await;
        let names = offered(&home);
        if names.iter().any(|t| t == "by_config") {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{names:?}");
    }
    live.stop().await;
}

// TOOL-29
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_repeats_itself_is_stopped() {
    let mut home = Home::new().await;
    home.config["tools"]["loopDetection"] =
        json!({"enabled": true, "warningThreshold": 1, "criticalThreshold": 2, "unknownToolThreshold": 2});
    let live = home.start_cold().await;
    let mut client = live.client().await;
    client.ok("tools.invoke", json!({"name": "write", "args": {"path": "a.txt", "content": "same"}})).await;
    for at in 0..3 {
        next_call(&home, &format!("c{at}"), "read", &json!({"path": "a.txt"}));
    }
    for at in 3..6 {
        next_call(&home, &format!("c{at}"), "ghost", &json!({ "at": at }));
    }
    client.say("agent:main:main", "go").await;
    let texts = results(&home);
    assert_eq!(texts.len(), 6, "{texts:?}");
    assert!(texts[0] == "same" && texts[1] == "same", "{texts:?}");
    assert!(texts[2].contains("the same result for the same arguments 2 times"), "{texts:?}");
    assert!(texts[4].contains("does not exist") && texts[5].contains("is not available and was called 2 times"), "{texts:?}");
    // What one run did is nothing to the next.
    next_call(&home, "d0", "read", &json!({"path": "a.txt"}));
    client.say("agent:main:main", "again").await;
    assert_eq!(results(&home).last().unwrap(), "same");
    live.stop().await;
}

// TOOL-29
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_a_compaction_did_not_break_ends_the_run() {
    const KEY: &str = "agent:main:main";
    let mut home = Home::new().await;
    home.fixture("compaction-provider");
    home.config["agents"]["defaults"]["compaction"] = json!({"provider": "counting"});
    let live = home.start().await;
    let mut client = live.client().await;
    client.ok("tools.invoke", json!({"name": "write", "args": {"path": "a.txt", "content": "same"}})).await;
    client.say(KEY, "an old story").await;
    let error = json!({"error": {"message": "This model's maximum context length is 10 tokens", "code": "context_length_exceeded"}});
    home.model.script(Script::new(400, "application/json", error.to_string()));
    for at in 0..5 {
        next_call(&home, &format!("c{at}"), "read", &json!({"path": "a.txt"}));
    }
    let before = home.model.requests().len();
    let end = client.say(KEY, "and now?").await;
    assert_eq!(end["state"], "error", "{end}");
    assert!(end.to_string().contains("compaction_loop_persisted"), "{end}");
    assert_eq!(home.model.requests().len() - before, 4, "the refusal and three calls");
    live.stop().await;
}

const WARDEN: &str = r#"
export default function register(api) {
  api.registerTool({ name: 'shout', description: 's', parameters: { type: 'object', properties: {} },
    execute: async (_id, params) => ({ content: [{ type: 'text', text: 'SHOUT ' + params.text }] }) });
  api.on('before_tool_call', (event) => {
    const params = event.params;
    if (params.path === 'secret.txt') return { block: true, blockReason: 'no secrets' };
    if (event.toolName === 'write') return { params: { ...params, content: params.content + '!' } };
    if (event.toolName === 'shout') return { params: { text: params.text + '?' } };
    if (event.toolName === 'exec') return { requireApproval: { title: 'Run?', description: params.command, timeoutMs: 60000 } };
  });
}"#;

// TOOL-30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_block_change_and_ask_for_calls_of_core_and_plugins_alike() {
    let mut home = Home::new().await;
    home.plugin_with("warden", WARDEN, json!({"contracts": {"tools": ["shout"]}}));
    let live = home.start().await;
    let mut client = live.client().await;
    client
        .say(
            "agent:main:a",
            r#"[[tool:write {"path": "a.txt", "content": "hi"}]] [[tool:read {"path": "secret.txt"}]] [[tool:shout {"text": "x"}]]"#,
        )
        .await;
    let texts = results(&home);
    assert!(texts.iter().any(|t| t == "no secrets") && texts.iter().any(|t| t == "SHOUT x?"), "{texts:?}");
    assert_eq!(std::fs::read_to_string(home.dir.path().join("workspace/a.txt")).unwrap(), "hi!");
    let run = uuid::Uuid::new_v4().to_string();
    let message = r#"[[tool:exec {"command": "echo ran > ran.txt"}]]"#;
    client.ok("chat.send", json!({"sessionKey": "agent:main:b", "message": message, "idempotencyKey": run})).await;
    let asked = client.event(|e| e["event"] == "plugin.approval.requested").await["payload"].clone();
    let file = home.dir.path().join("workspace/ran.txt");
    assert!(!file.exists(), "it waits");
    client.ok("plugin.approval.resolve", json!({"id": asked["id"], "decision": "allow-once"})).await;
    client.chat_end(&run).await;
    assert_eq!(std::fs::read_to_string(file).unwrap(), "ran\n");
    live.stop().await;
}

// TOOL-41, TOOL-43, TOOL-F1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_how_its_commands_run() {
    const KEY: &str = "agent:main:x";
    let mut home = Home::new().await;
    home.config["tools"] = json!({"elevated": {"allowFrom": {"webchat": ["*"]}}});
    let live = home.start_cold().await;
    let mut client = live.client().await;
    async fn ask(client: &mut Client, text: &str) -> String {
        let run = uuid::Uuid::new_v4().to_string();
        client.ok("chat.send", json!({"sessionKey": KEY, "message": text, "idempotencyKey": run})).await;
        live::text(&client.chat_end(&run).await["message"])
    }
    let run = r#"[[tool:exec {"command": "echo ran", "security": "full"}]]"#;
    assert!(ask(&mut client, "/exec").await.contains("host=auto security=full ask=off"));
    assert!(ask(&mut client, "/exec host=node").await.contains("cannot run in `node`"));
    assert!(ask(&mut client, "/exec security=none").await.contains("not understood"));
    // Inside a message it holds for that message.
    ask(&mut client, &format!("/exec security=deny {run}")).await;
    assert!(results(&home).last().unwrap().contains("exec denied"), "{:?}", results(&home));
    ask(&mut client, run).await;
    assert_eq!(results(&home).last().unwrap().trim(), "ran");
    // Alone it holds for the session, whatever the model writes into `security`.
    assert!(ask(&mut client, "/exec security=deny").await.contains("security=deny"));
    ask(&mut client, run).await;
    assert!(results(&home).last().unwrap().contains("exec denied"));
    let body = home.model.last_request().body;
    let exec = body["tools"].as_array().unwrap().iter().find(|t| t["function"]["name"] == "exec").unwrap();
    assert!(exec["function"]["parameters"]["properties"].get("security").is_none(), "no parameter without an effect is offered");
    // Elevated commands pass it by, where the config lets somebody say so.
    assert!(ask(&mut client, "/elevated full").await.contains("full"));
    ask(&mut client, run).await;
    assert_eq!(results(&home).last().unwrap().trim(), "ran");
    assert!(ask(&mut client, "/elev off").await.contains("off"));
    let mut guest = Client::connect_as(live.port, &["operator.read", "operator.write"]).await;
    for text in ["/exec security=full", "/elevated full"] {
        assert!(ask(&mut guest, text).await.contains("administrator rights"), "{text}");
    }
    live.stop().await;
}

// TOOL-64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_looks_at_its_session_and_chooses_its_model() {
    let mut home = Home::new().await;
    let second = json!({"id": "mock-2", "name": "second", "contextWindow": 200_000, "maxTokens": 4096});
    let models = home.config["models"]["providers"].as_object_mut().unwrap().values_mut().next().unwrap();
    models["models"].as_array_mut().unwrap().push(second);
    home.config["agents"]["defaults"]["models"] = json!({"mock/mock-1": {}, "mock/mock-2": {}});
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let session = "agent:main:card";
    let used = |home: &Home| home.model.last_request().body["model"].as_str().unwrap().to_string();
    for (params, told, next) in [
        (json!({}), "Session agent:main:card", "mock-1"),
        (json!({"model": "mock/mock-2"}), "Session agent:main:card", "mock-2"),
        (json!({"model": "mock/mock-9"}), "may not be chosen here", "mock-2"),
        (json!({"sessionKey": "agent:main:other"}), "not built yet", "mock-2"),
        (json!({"sessionKey": "current", "model": "default"}), "Session agent:main:card", "mock-1"),
    ] {
        client.say(session, &format!("[[tool:session_status {params}]]")).await;
        let last = results(&home).pop().unwrap();
        assert!(last.contains(told), "{params}: {last}");
        client.say(session, "and now?").await;
        assert_eq!(used(&home), next, "after {params}");
    }
    live.stop().await;
}
