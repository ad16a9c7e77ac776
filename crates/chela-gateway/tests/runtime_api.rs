//! `api.runtime` as a plugin in a real worker calls it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "runtime_api/heartbeats.rs"]
mod heartbeats;
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

// RT-026, RT-027, RT-029, RT-034, RT-035, RT-146
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

// RT-036, RT-038, RT-039, RT-045, RT-046, RT-047, RT-048, RT-049, RT-050
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
    // A run in a session that is there already does not make it the plugin's (RT-046).
    let theirs = value(&mut client, "subagent.run", json!([{"sessionKey": "agent:main:theirs", "message": "x"}])).await;
    value(&mut client, "subagent.waitForRun", json!([{"runId": theirs["runId"]}])).await;
    for foreign in ["agent:main:theirs", "agent:main:main"] {
        let refused = thrown(&mut client, "subagent.deleteSession", json!([{"sessionKey": foreign}])).await;
        assert!(refused["message"].is_string(), "{refused}");
    }
    value(&mut client, "subagent.deleteSession", json!([{"sessionKey": key}])).await;
    assert_eq!(value(&mut client, "subagent.getSessionMessages", json!([{"sessionKey": key}])).await, json!({"messages": []}));
    live.stop().await;
}

// RT-057, RT-058, RT-060, RT-061, RT-062, RT-063, RT-064, RT-065, RT-066, RT-067, RT-068
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn completions_outside_a_session() {
    let price = json!({"input": 1_000_000, "output": 2_000_000, "cacheRead": 0, "cacheWrite": 0});
    let (home, live, mut client) = probe(|home| home.config["models"]["providers"]["mock"]["models"][0]["cost"] = price).await;
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
    let tokens = |name: &str| done["usage"][name].as_f64().unwrap();
    assert!(tokens("inputTokens") > 0.0 && tokens("totalTokens") > 0.0, "{done}");
    assert_eq!(tokens("costUsd"), tokens("inputTokens") + 2.0 * tokens("outputTokens"));
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

// RT-115, RT-116, RT-130, RT-145
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_wrongly_is_named() {
    let (_home, live, mut client) = probe(|_| {}).await;
    for (path, args, said) in [
        ("system.requestHeartbeat", json!([{"intent": "immediate"}]), "`source`"),
        ("media.resizeToJpeg", json!([{}]), "`buffer`"),
        ("nodes.invoke", json!([{}]), "`nodeId`"),
    ] {
        let refused = thrown(&mut client, path, args).await;
        assert_eq!(refused["code"], "INVALID_PARAMS", "{path}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(said), "{path}: {refused}");
    }
    // A channel that nobody has binds no thread (RT-138).
    let bindings = value(&mut client, "channel.threadBindings.setIdleTimeoutBySessionKey", json!([{"channelId": "none"}])).await;
    assert_eq!(bindings, json!([]));
    live.stop().await;
}

/// A plugin that does what is asked for, by name.
const MORE: &str = r#"
import { registerPluginHttpRoute } from 'openclaw/plugin-sdk/webhook-ingress';
import { optimizeImageToJpeg, optimizeImageToPng } from 'openclaw/plugin-sdk/web-media';
import { resolveDirectStatusReplyForSession } from 'openclaw/plugin-sdk/command-status-runtime';
import { controlRealtimeVoiceAgentRun } from 'openclaw/plugin-sdk/realtime-voice';
export default function register(api) {
  const { runtime } = api;
  const tasks = {
    resize: async ({ png, ...options }) => {
      const jpeg = await runtime.media.resizeToJpeg({ buffer: Buffer.from(png, 'base64'), ...options });
      return { ...(await runtime.media.getImageMetadata(jpeg)), mime: await runtime.media.detectMime({ buffer: jpeg }) };
    },
    smallest: async ({ png, maxBytes }) => {
      const made = await optimizeImageToPng(Buffer.from(png, 'base64'), maxBytes);
      const jpeg = await optimizeImageToJpeg(Buffer.from(png, 'base64'), maxBytes);
      return { side: made.resizeSide, mime: await runtime.media.detectMime({ buffer: made.buffer }), quality: jpeg.quality, jpeg: await runtime.media.detectMime({ buffer: jpeg.buffer }) };
    },
    status: (params) => resolveDirectStatusReplyForSession({ channel: 'webchat', isGroup: false, ...params }),
    voice: (params) => controlRealtimeVoiceAgentRun(params),
    route: ({ remove, ...params }) => {
      const said = [];
      const handler = (req, res) => void res.end(`late ${req.url} ${params.word ?? ''}`);
      const gone = registerPluginHttpRoute({ handler, log: (line) => said.push(line), ...params });
      if (remove) gone();
      return said;
    },
    inject: (params) => api.enqueueNextTurnInjection(params),
    emit: (params) => api.emitAgentEvent(params),
    bundledOnly: async () => [await api.sendSessionAttachment({ sessionKey: 'main', files: [] }), (await api.scheduleSessionTurn({})) ?? null, await api.unscheduleSessionTurnsByTag({ tag: 't' })],
    odd: async () => (await runtime.llm.complete({ messages: [{ role: 'user', content: 'hi' }], maxTokens: NaN, temperature: Infinity })).usage,
    has: ({ path }) => path.split('.').reduce((at, name) => at?.[name], runtime) !== undefined,
    late: () => [typeof api.resolvePath('x'), api.registerTool({ name: 'late', execute() {} }) ?? null],
    store: () => kept.lookup('stopped'),
  };
  const kept = runtime.state.openKeyedStore({ namespace: 'more', maxEntries: 10 });
  const tool = (name, rest) => api.registerTool({ name, description: name, parameters: { type: 'object', properties: {} }, execute: async () => ({ content: [] }), ...rest });
  tool('more_owner', { ownerOnly: true });
  tool('more_any', {});
  api.registerService({ id: 'more', start() {}, stop: () => kept.register('stopped', { at: 'service' }) });
  for (const [name, run] of Object.entries(tasks)) {
    api.registerGatewayMethod(`more.${name}`, async ({ params, respond }) => {
      try {
        respond(true, { value: (await run(params)) ?? null });
      } catch (error) {
        respond(true, { threw: { message: error.message, code: error.code ?? null } });
      }
    }, { scope: 'operator.write' });
  }
}"#;

async fn more(change: impl FnOnce(&mut Home)) -> (Home, Live, Client) {
    probe(|home| {
        home.plugin("more", MORE);
        change(home);
    })
    .await
}

// API-166, API-246
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_come_and_go_while_a_plugin_runs() {
    let (_home, live, mut client) = more(|home| {
        home.fixture("http-route");
    })
    .await;
    let mut route = async |params: Value| client.ok("more.route", params).await["value"].clone();
    // Whatever else answers, this plugin does not.
    assert!(!live.http("GET", "/late/hook", None).await.2.starts_with("late"));
    assert_eq!(route(json!({"path": "/late/hook", "auth": "plugin", "word": "one"})).await, json!([]));
    assert_eq!(live.http("GET", "/late/hook?a=1", None).await.2, "late /late/hook?a=1 one");
    let taken = route(json!({"path": "/late/hook", "auth": "plugin"})).await;
    assert!(taken[0].as_str().unwrap().contains("registered already"), "{taken}");
    route(json!({"path": "/late/hook", "auth": "plugin", "word": "two", "replaceExisting": true})).await;
    assert_eq!(live.http("GET", "/late/hook", None).await.2, "late /late/hook two");
    let foreign = route(json!({"path": "/http-route/echo", "auth": "plugin", "replaceExisting": true})).await;
    assert!(foreign[0].as_str().unwrap().contains("`http-route`"), "{foreign}");
    // One that asks for the gateway's authentication gets it.
    route(json!({"path": "/late/closed", "auth": "gateway", "match": "prefix"})).await;
    assert_eq!(live.http_with("GET", "/late/closed/x", None, &[]).await.0, 401);
    assert_eq!(live.http("GET", "/late/closed/x", None).await.2, "late /late/closed/x ");
    route(json!({"path": "/late/passing", "auth": "plugin", "remove": true})).await;
    let begun = std::time::Instant::now();
    while live.http("GET", "/late/passing", None).await.2.starts_with("late") {
        assert!(begun.elapsed().as_secs() < 30, "the route stays");
    }
    live.stop().await;
}

// CH-35, CH-41, CH-43, CH-46, CH-47
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_sender_is_admitted_by_a_code() {
    let (home, live, mut client) = probe(|home| {
        home.fixture("channel-talk");
    })
    .await;
    let place = json!({"channel": "talk", "accountId": "default"});
    let mut ask = json!([place]);
    ask[0]["id"] = "u1".into();
    let asked = value(&mut client, "channel.pairing.upsertPairingRequest", ask.clone()).await;
    let code = asked["code"].as_str().unwrap().to_owned();
    assert_eq!((asked["created"].as_bool(), code.len()), (Some(true), 8));
    assert_eq!(value(&mut client, "channel.pairing.upsertPairingRequest", ask).await, json!({"code": code, "created": false}));
    let list = client.ok("channels.pairing.list", json!({"channel": "talk"})).await;
    assert_eq!((&list["requests"][0]["id"], &list["requests"][0]["code"]), (&json!("u1"), &json!(code)));
    let unknown = client.error("channels.pairing.approve", json!({"channel": "talk", "code": "AAAAAAAA"})).await;
    assert!(unknown["message"].as_str().unwrap().contains("`AAAAAAAA`"), "{unknown}");
    let done = client.ok("channels.pairing.approve", json!({"channel": "talk", "code": code.to_lowercase(), "notify": true})).await;
    assert_eq!((&done["id"], &done["accountId"], &done["owner"]), (&json!("u1"), &json!("default"), &json!("talk:u1")));
    assert!(done["notified"].is_boolean(), "{done}");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(home.config_path()).unwrap()).unwrap();
    assert_eq!(written["commands"]["ownerAllowFrom"], json!(["talk:u1"]));
    let file = home.dir.path().join("state/credentials/talk-default-allowFrom.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(file, json!({"version": 1, "allowFrom": ["u1"]}));
    assert_eq!(value(&mut client, "channel.pairing.readAllowFromStore", json!([place])).await, json!(["u1"]));
    assert_eq!(client.ok("channels.pairing.list", json!({"channel": "talk"})).await["requests"], json!([]));
    live.stop().await;
}

// RT-052, RT-053, RT-054, RT-056
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_listed_and_one_that_is_not_there_is_named() {
    let (_home, live, mut client) = probe(|_| {}).await;
    assert_eq!(value(&mut client, "nodes.list", json!([])).await, json!({"nodes": []}));
    assert_eq!(value(&mut client, "nodes.list", json!([{"connected": true}])).await, json!({"nodes": []}));
    let absent = thrown(&mut client, "nodes.invoke", json!([{"nodeId": "phone", "command": "canvas.present"}])).await;
    assert_eq!((&absent["message"], &absent["code"]), (&json!("node not connected"), &json!("NODE_REFUSED")));
    let none = thrown(&mut client, "nodes.invoke", json!([{"nodeId": "phone"}])).await;
    assert_eq!(none["code"], "INVALID_PARAMS", "{none}");
    assert_eq!(client.ok("node.list", json!({})).await["nodes"], json!([]));
    let error = client.error("node.invoke", json!({"nodeId": "n", "command": "c", "idempotencyKey": "k"})).await;
    assert_eq!((&error["code"], &error["details"]["code"]), (&json!("UNAVAILABLE"), &json!("NOT_CONNECTED")));
    live.stop().await;
}

// API-031, API-090, API-091, RT-059, RT-117, RT-143, SUB-062, SUB-228
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smaller_things_that_plugins_ask_for() {
    let (_home, live, mut client) = more(|home| {
        home.plugin("mute", &MORE.replace("more.", "mute.").replace("'more'", "'mute'"));
        home.config["plugins"]["entries"]["mute"]["hooks"]["allowPromptInjection"] = false.into();
    })
    .await;
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAIAAADwyuo0AAAAEElEQVR4nGP4z8AARwzIHABvqgf5gNwAKAAAAABJRU5ErkJggg==";
    let made = client.ok("more.resize", json!({"png": png, "maxSide": 2, "quality": 80})).await;
    assert_eq!(made["value"], json!({"width": 2, "height": 1, "mime": "image/jpeg"}), "{made}");
    let refused = client.ok("more.resize", json!({"png": "bm90aGluZw==", "maxSide": 2, "quality": 80})).await;
    assert_eq!(refused["threw"]["code"], "IMAGE_REFUSED", "{refused}");
    let smallest = client.ok("more.smallest", json!({"png": png, "maxBytes": 5000})).await;
    assert_eq!(smallest["value"], json!({"side": 2048, "mime": "image/png", "quality": 80, "jpeg": "image/jpeg"}), "{smallest}");
    for absent in ["media.renderQrTerminal", "media.renderQrPngBase64", "media.writeQrPngTempFile"] {
        assert_eq!(client.ok("more.has", json!({"path": absent})).await["value"], false, "{absent}");
    }
    assert!(client.ok("more.odd", json!({})).await["value"].is_object());
    client.say("agent:main:main", "hello").await;
    let status = client.ok("more.status", json!({"sessionKey": "main"})).await;
    assert!(status["value"]["text"].as_str().unwrap().contains("Session: agent:main:main"), "{status}");
    let voice = client.ok("more.voice", json!({"sessionKey": "main", "text": "cancel that"})).await;
    let (ok, mode, reason) = (&voice["value"]["ok"], &voice["value"]["mode"], &voice["value"]["reason"]);
    assert_eq!((ok, mode, reason), (&json!(false), &json!("cancel"), &json!("no_active_run")), "{voice}");
    let injection = json!({"sessionKey": "agent:main:main", "text": "note"});
    assert_eq!(client.ok("more.inject", injection.clone()).await["value"]["enqueued"], true);
    assert_eq!(client.ok("mute.inject", injection).await["value"]["enqueued"], false);
    for (stream, emitted) in [("more", true), ("more.step", true), ("lifecycle", false), ("other", false)] {
        let answer = client.ok("more.emit", json!({"runId": "r", "stream": stream, "data": {"a": 1}})).await["value"].clone();
        assert_eq!((answer["emitted"].as_bool(), answer["reason"].is_string()), (Some(emitted), !emitted), "{stream}: {answer}");
    }
    let answers = client.ok("more.bundledOnly", json!({})).await["value"].clone();
    assert_eq!((&answers[0]["ok"], &answers[1], &answers[2]), (&json!(false), &Value::Null, &json!({"removed": 0, "failed": 0})));
    assert_eq!(client.ok("more.late", json!({})).await["value"], json!(["string", null]), "late registrations have no effect");
    live.stop().await;
}

// API-124
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_for_owners_is_offered_to_owners_only() {
    let (home, live, mut client) = more(|_| {}).await;
    let offered = |home: &Home| {
        let body = home.model.last_request().body["tools"].to_string();
        (body.contains("\"more_owner\""), body.contains("\"more_any\""))
    };
    client.say("agent:main:owner", "hello").await;
    assert_eq!(offered(&home), (true, true));
    let run = value(&mut client, "subagent.run", json!([{"sessionKey": "agent:main:child", "message": "x"}])).await;
    value(&mut client, "subagent.waitForRun", json!([{"runId": run["runId"]}])).await;
    assert_eq!(offered(&home), (false, true));
    live.stop().await;
}

// RT-089
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_service_keeps_while_it_stops_is_there_after_a_restart() {
    let (home, live, _client) = more(|_| {}).await;
    live.stop().await;
    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(client.ok("more.store", json!({})).await["value"], json!({"at": "service"}));
    live.stop().await;
}

const ORDER: &str = "import fs from 'node:fs';
const log = (what) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify({ what }) + '\\n');
export default { id: 'order', register(api) {
  api.registerService({ id: 's', start: (ctx) => log(`service up, diagnostics ${'internalDiagnostics' in ctx}`), stop: () => log('service down') });
  api.registerChannel({ plugin: {
    id: 'ord', meta: { id: 'ord', label: 'Ord', selectionLabel: 'Ord', docsPath: '/channels/ord', blurb: 'b' },
    capabilities: { chatTypes: ['direct'] },
    config: { listAccountIds: () => ['a'], resolveAccount: () => ({ accountId: 'a' }), isEnabled: () => true, isConfigured: () => true },
    gateway: { async startAccount(ctx) {
      log('account up');
      await new Promise((resolve) => ctx.abortSignal.addEventListener('abort', resolve, { once: true }));
      log('account down');
    } },
  } });
} };";

// API-188: services end after the accounts of channels; API-189: none is handed what only the bundled diagnostics get.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_end_after_channels() {
    let mut home = Home::new().await;
    let schema = json!({"ord": {"schema": {"type": "object", "additionalProperties": true}}});
    home.plugin_with("order", ORDER, json!({"channels": ["ord"], "channelConfigs": schema}));
    home.config["channels"]["ord"] = json!({"enabled": true});
    let live = home.start().await;
    home.until("both are up", |lines| lines.len() >= 2).await;
    live.stop().await;
    let said: Vec<String> = home.recorded().iter().map(|line| line["what"].as_str().unwrap().to_string()).collect();
    assert!(said[..2].contains(&"account up".to_string()) && said[..2].contains(&"service up, diagnostics false".to_string()), "{said:?}");
    assert_eq!(said[2..], ["account down", "service down"]);
}
