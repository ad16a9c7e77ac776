//! `api.runtime` as a plugin in a real worker calls it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, Live};
use serde_json::{Value, json};

async fn probe(change: impl FnOnce(&mut Home)) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe");
    change(&mut home);
    let live = home.start_cold_with(&[("MOCK_API_KEY", "from-env"), ("LONE_API_KEY", "lone-key")]).await;
    live.plugins_up().await;
    let client = live.client().await;
    (home, live, client)
}

/// The value of a member of the runtime, or of a call of it.
async fn value(client: &mut Client, path: &str, args: Value) -> Value {
    let answer = client.ok("probe.call", json!({"path": path, "args": args})).await;
    assert!(answer.get("threw").is_none(), "{path}: {answer}");
    answer["value"].clone()
}

/// What a call throws.
async fn thrown(client: &mut Client, path: &str, args: Value) -> Value {
    let answer = client.ok("probe.call", json!({"path": path, "args": args})).await;
    assert!(answer.get("threw").is_some(), "{path}: {answer}");
    answer["threw"].clone()
}

// RT-001, RT-003, RT-008, RT-074, RT-107
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runtime_has_its_members_and_keeps_its_identity() {
    let (home, live, mut client) = probe(|_| {}).await;
    let names = json!({"names": ["version", "config", "agent", "subagent", "nodes", "system", "media", "tts", "stt", "mediaUnderstanding",
        "imageGeneration", "videoGeneration", "musicGeneration", "webSearch", "events", "logging", "state", "tasks", "taskFlow", "llm",
        "modelAuth", "channel"]});
    assert_eq!(client.ok("probe.has", names).await["value"], json!([]));
    assert_eq!(client.ok("probe.same", json!({})).await["value"], true);
    assert_eq!(value(&mut client, "version", json!([])).await, "2026.6.11");
    assert_eq!(value(&mut client, "state.resolveStateDir", json!([])).await, json!(home.dir.path().join("state")));
    assert_eq!(value(&mut client, "logging.shouldLogVerbose", json!([])).await, false);
    assert_eq!(
        client.ok("probe.child", json!({"bindings": {"a": 1}})).await["value"],
        json!(["function", "function", "function", "function"])
    );
    live.stop().await;
}

// RT-009, RT-010, RT-013, RT-014, RT-015, RT-016, RT-018, RT-022
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn config_is_read_and_written() {
    let (home, live, mut client) = probe(|_| {}).await;
    let current = value(&mut client, "config.current", json!([])).await;
    assert_eq!(current["agents"]["defaults"]["model"]["primary"], "mock/mock-1");
    let done =
        client.ok("probe.mutateConfig", json!({"level": 1, "afterWrite": {"mode": "none", "reason": "a test"}})).await["value"].clone();
    assert_eq!(done["followUp"], json!({"mode": "none", "reason": "a test", "requiresRestart": false}));
    assert_eq!((&done["result"]["hadHash"], &done["path"]), (&done["previousHash"], &json!(home.config_path())));
    let level = |config: &Value| config["plugins"]["entries"]["runtime-probe"]["config"]["level"].clone();
    let on_disk = || -> Value { serde_json::from_str(&std::fs::read_to_string(home.config_path()).unwrap()).unwrap() };
    assert_eq!((level(&on_disk()), level(&done["nextConfig"])), (json!(1), json!(1)));
    let hash = done["snapshot"]["hash"].clone();
    // The change of its own config starts the plugin anew.
    live.plugins_up().await;
    let mut client = live.client().await;
    assert_eq!(level(&value(&mut client, "config.current", json!([])).await), 1);
    let stale = client.ok("probe.mutateConfig", json!({"level": 2, "baseHash": done["previousHash"]})).await["threw"].clone();
    assert_eq!((stale["message"].as_str(), level(&on_disk())), (Some("config changed since last load"), json!(1)));
    let refused = thrown(&mut client, "config.replaceConfigFile", json!([{"nextConfig": {"gateway": {"port": "no number"}}}])).await;
    assert!(refused["message"].as_str().unwrap().contains("gateway.port"), "{refused}");
    assert_eq!(level(&on_disk()), 1);
    let restart = json!({"level": 3, "baseHash": hash, "afterWrite": {"mode": "restart", "reason": "because"}});
    let done = client.ok("probe.mutateConfig", restart).await["value"].clone();
    assert_eq!(done["followUp"], json!({"mode": "restart", "reason": "because", "requiresRestart": true}));
    live.stop().await;
}

// RT-026, RT-027, RT-029, RT-034, RT-035
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_their_session_store() {
    let identity = json!({"name": "Crab", "emoji": "🦀"});
    let (home, live, mut client) = probe(|home| home.config["agents"]["list"] = json!([{"id": "main", "identity": identity}])).await;
    let state = home.dir.path().join("state");
    for (path, args, expected) in [
        ("agent.resolveAgentDir", json!([{}, "main"]), json!(state.join("agents/main/agent"))),
        ("agent.resolveAgentWorkspaceDir", json!([{}, "main"]), json!(home.dir.path().join("workspace"))),
        ("agent.resolveAgentIdentity", json!([{}, "main"]), identity.clone()),
        ("agent.resolveAgentIdentity", json!([{}, "other"]), Value::Null),
        ("agent.normalizeThinkingLevel", json!(["x-high"]), json!("xhigh")),
        ("agent.session.resolveStorePath", json!([null, {"agentId": "main"}]), json!(state.join("agents/main/sessions/sessions.json"))),
    ] {
        assert_eq!(value(&mut client, path, args).await, expected, "{path}");
    }
    assert!(value(&mut client, "agent.defaults", json!([])).await["model"].is_string());
    let key = "agent:main:probe";
    client.say(key, "hello").await;
    let path = state.join("agents/main/sessions/sessions.json");
    let store = value(&mut client, "agent.session.loadSessionStore", json!([path])).await;
    let row = store[key].clone();
    let file = value(&mut client, "agent.session.resolveSessionFilePath", json!([row["sessionId"]])).await;
    assert_eq!(file, row["sessionFile"]);
    assert_eq!(value(&mut client, "agent.session.loadSessionStore", json!(["/elsewhere/sessions.json"])).await, json!({}));

    // The mutator's result comes back, and what it did not touch stays.
    let changed = client.ok("probe.update", json!({"storePath": path, "key": key, "set": {"label": "Mine", "probe": {"a": 1}}})).await;
    assert_eq!(changed["value"], store.as_object().unwrap().len());
    let after = value(&mut client, "agent.session.loadSessionStore", json!([path])).await;
    assert_eq!(
        (&after[key]["label"], &after[key]["probe"], &after[key]["sessionId"]),
        (&json!("Mine"), &json!({"a": 1}), &row["sessionId"])
    );
    // Updates that begin together run one after another.
    client.ok("probe.updateEntry", json!({"storePath": path, "key": key, "times": 5})).await;
    let after = value(&mut client, "agent.session.loadSessionStore", json!([path])).await;
    assert_eq!(after[key]["probeCount"], 5);
    let list = client.ok("sessions.list", json!({})).await;
    assert!(list["sessions"].as_array().unwrap().iter().any(|s| s["key"] == key && s["label"] == "Mine"), "{list}");

    for (set, said) in [(json!({"sessionId": "another"}), "`sessionId`"), (json!({"sessionFile": "/etc/passwd"}), "`sessionFile`")] {
        let refused = client.ok("probe.update", json!({"storePath": path, "key": key, "set": set})).await["threw"].clone();
        assert!(refused["message"].as_str().unwrap().contains(said), "{refused}");
    }
    let unknown =
        client.ok("probe.update", json!({"storePath": path, "key": "agent:main:new", "set": {"label": "x"}})).await["threw"].clone();
    assert!(unknown["message"].as_str().unwrap().contains("there is no session `agent:main:new`"), "{unknown}");
    assert!(client.ok("probe.update", json!({"storePath": path, "key": key, "remove": true})).await["value"].is_number());
    assert!(value(&mut client, "agent.session.loadSessionStore", json!([path])).await.get(key).is_none());
    live.stop().await;
}

// RT-103, RT-104, RT-106
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_and_transcripts_are_told_of() {
    let (_home, live, mut client) = probe(|_| {}).await;
    let key = "agent:main:events";
    client.say(key, "hello there").await;
    let begun = std::time::Instant::now();
    let seen = loop {
        let seen = client.ok("probe.seen", json!({})).await["value"].clone();
        let ended = seen["agent"].as_array().unwrap().iter().any(|e| e["stream"] == "lifecycle" && e["data"]["phase"] == "end");
        if ended && seen["transcript"].as_array().unwrap().len() >= 2 {
            break seen;
        }
        assert!(begun.elapsed().as_secs() < 30, "{seen}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let events = seen["agent"].as_array().unwrap();
    let first = events.iter().find(|e| e["sessionKey"] == key).unwrap();
    assert!(first["runId"].is_string() && first["ts"].is_number() && first["stream"].is_string() && first["data"].is_object(), "{first}");
    let seqs: Vec<u64> = events.iter().filter(|e| e["runId"] == first["runId"]).map(|e| e["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    let written = &seen["transcript"][0];
    assert_eq!((&written["sessionKey"], &written["message"]["role"], &written["messageSeq"]), (&json!(key), &json!("user"), &json!(1)));
    assert!(written["messageId"].is_string() && written["sessionFile"].as_str().unwrap().ends_with(".jsonl"), "{written}");
    // Unsubscribed, it hears no more.
    client.ok("probe.stop", json!({})).await;
    let count = client.ok("probe.seen", json!({})).await["value"]["transcript"].as_array().unwrap().len();
    client.say(key, "again").await;
    assert_eq!(client.ok("probe.seen", json!({})).await["value"]["transcript"].as_array().unwrap().len(), count);
    live.stop().await;
}

// RT-036, RT-039, RT-045, RT-047, RT-048, RT-049, RT-050
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subagents_run_and_are_deleted_by_their_owner_only() {
    let (_home, live, mut client) = probe(|_| {}).await;
    let key = "agent:main:sub";
    let run = value(&mut client, "subagent.run", json!([{"sessionKey": key, "message": "do it"}])).await;
    assert!(run["runId"].is_string(), "{run}");
    assert_eq!(
        value(&mut client, "subagent.waitForRun", json!([{"runId": run["runId"], "timeoutMs": 30000}])).await,
        json!({"status": "ok"})
    );
    assert_eq!(value(&mut client, "subagent.waitForRun", json!([{"runId": "nobody", "timeoutMs": 1}])).await, json!({"status": "timeout"}));
    let messages = value(&mut client, "subagent.getSessionMessages", json!([{"sessionKey": key}])).await;
    let roles: Vec<&str> = messages["messages"].as_array().unwrap().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant"]);
    assert_eq!(value(&mut client, "subagent.getSession", json!([{"sessionKey": key}])).await, messages);
    assert_eq!(value(&mut client, "subagent.getSessionMessages", json!([{"sessionKey": "agent:main:no"}])).await, json!({"messages": []}));
    let refused = thrown(&mut client, "subagent.run", json!([{"sessionKey": key, "message": "x", "model": "mock/mock-1"}])).await;
    assert!(refused["message"].as_str().unwrap().contains("`runtime-probe`"), "{refused}");
    client.say("agent:main:theirs", "hello").await;
    client.say("agent:main:main", "hello").await;
    for foreign in ["agent:main:theirs", "agent:main:main"] {
        let refused = thrown(&mut client, "subagent.deleteSession", json!([{"sessionKey": foreign}])).await;
        assert!(refused["message"].is_string(), "{refused}");
    }
    value(&mut client, "subagent.deleteSession", json!([{"sessionKey": key}])).await;
    assert_eq!(value(&mut client, "subagent.getSessionMessages", json!([{"sessionKey": key}])).await, json!({"messages": []}));
    live.stop().await;
}

// RT-057, RT-058, RT-060, RT-062, RT-063, RT-064, RT-065, RT-066, RT-067, RT-068
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completions_outside_a_session() {
    let (home, live, mut client) = probe(|_| {}).await;
    let messages = json!([{"role": "system", "content": " more "}, {"role": "user", "content": "hi"}]);
    let done = value(
        &mut client,
        "llm.complete",
        json!([{"messages": messages, "systemPrompt": "base", "purpose": "test", "caller": {"kind": "host"}}]),
    )
    .await;
    assert_eq!(
        (&done["text"], &done["provider"], &done["model"], &done["agentId"]),
        (&json!("Mock reply: all good."), &json!("mock"), &json!("mock-1"), &json!("main"))
    );
    assert_eq!(done["audit"], json!({"caller": {"kind": "plugin", "id": "runtime-probe"}, "purpose": "test"}));
    assert_eq!(home.model.last_request().body["messages"][0]["content"], "base\n\nmore");
    for params in [json!({"model": "mock/mock-1"}), json!({"agentId": "main"}), json!({"messages": []})] {
        let mut call = json!({"messages": messages});
        call.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
        let refused = thrown(&mut client, "llm.complete", json!([call])).await;
        assert!(refused["message"].as_str().unwrap().starts_with("Plugin LLM completion failed: "), "{refused}");
    }
    let sessions = client.ok("sessions.list", json!({})).await;
    assert_eq!(sessions["sessions"], json!([]));
    live.stop().await;
}

// RT-070, RT-071, RT-072, RT-073
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_of_providers() {
    let (_home, live, mut client) = probe(|home| {
        home.fixture("text-provider");
        home.config["plugins"]["entries"]["text-provider"]["config"] = json!({"baseUrl": home.model.openai_url(), "hooks": true});
    })
    .await;
    let key = value(&mut client, "modelAuth.resolveApiKeyForProvider", json!([{"provider": "lone", "cfg": {}}])).await;
    assert_eq!(key, json!({"apiKey": "lone-key", "source": "env: LONE_API_KEY", "mode": "api-key"}));
    let model = json!({"provider": "mock", "id": "mock-1"});
    // A caller cannot name a profile: the parameter is not looked at.
    let key = value(&mut client, "modelAuth.getApiKeyForModel", json!([{"model": model, "profileId": "someone:else"}])).await;
    assert_eq!(key["apiKey"], "from-env");
    let auth = value(&mut client, "modelAuth.getRuntimeAuthForModel", json!([{"model": model}])).await;
    assert_eq!((&auth["apiKey"], auth.get("baseUrl")), (&json!("from-env"), None));
    let none = thrown(&mut client, "modelAuth.resolveApiKeyForProvider", json!([{"provider": "nobody"}])).await;
    assert_eq!(none["code"], "AUTH_MISSING", "{none}");
    let none = thrown(&mut client, "modelAuth.getApiKeyForModel", json!([{}])).await;
    assert_eq!(none["code"], "INVALID_PARAMS", "{none}");
    live.stop().await;
}

// RT-115, RT-116, RT-130
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_helpers() {
    let (home, live, mut client) = probe(|_| {}).await;
    let dir = home.dir.path().canonicalize().unwrap();
    let script = "cat; echo \"$PROBE\" >&2; pwd; exit 3";
    let options = json!({"timeoutMs": 20000, "cwd": dir, "input": "in:", "env": {"PROBE": "err"}});
    let done = value(&mut client, "system.runCommandWithTimeout", json!([["sh", "-c", script], options])).await;
    assert_eq!((&done["stdout"], &done["stderr"], &done["code"]), (&json!(format!("in:{}\n", dir.display())), &json!("err\n"), &json!(3)));
    assert_eq!((&done["termination"], &done["killed"]), (&json!("exit"), &json!(false)));
    let late = value(&mut client, "system.runCommandWithTimeout", json!([["sleep", "60"], 100])).await;
    assert_eq!((&late["termination"], &late["killed"]), (&json!("timeout"), &json!(true)));
    let hint = value(&mut client, "system.formatNativeDependencyHint", json!([{"packageName": "sharp"}])).await;
    assert!(hint.as_str().unwrap().contains("sharp"), "{hint}");
    assert_eq!(value(&mut client, "channel.text.chunkText", json!(["aa bb", 3])).await, json!(["aa", "bb"]));
    assert_eq!(value(&mut client, "media.mediaKindFromMime", json!(["image/png"])).await, "image");
    live.stop().await;
}

// What is not built throws, and the error names the function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_built_says_so() {
    let (_home, live, mut client) = probe(|_| {}).await;
    for (path, args) in [
        ("system.requestHeartbeat", json!([{"source": "manual", "intent": "immediate"}])),
        ("system.requestHeartbeatNow", json!([{}])),
        ("system.runHeartbeatOnce", json!([{}])),
        ("media.resizeToJpeg", json!([{}])),
        ("nodes.list", json!([{}])),
        ("channel.threadBindings.setIdleTimeoutBySessionKey", json!([{}])),
    ] {
        let refused = thrown(&mut client, path, args).await;
        let name = path.rsplit('.').next().unwrap().replace("HeartbeatNow", "Heartbeat");
        assert_eq!(refused["code"], "NOT_BUILT", "{path}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(&name), "{path}: {refused}");
    }
    live.stop().await;
}
