//! One turn through a whole gateway with real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Home, text};
use serde_json::{Value, json};

fn hooks_of<'a>(lines: &'a [Value], session: &str) -> Vec<&'a str> {
    let mine = |l: &&Value| {
        let said = l["event"]["sessionKey"] == session || l["ctx"]["sessionKey"] == session;
        said && l["hook"] != "session_end"
    };
    lines.iter().filter(mine).map(|l| l["hook"].as_str().unwrap()).collect()
}

fn find<'a>(lines: &'a [Value], hook: &str) -> &'a Value {
    lines.iter().find(|l| l["hook"] == hook).unwrap_or_else(|| panic!("no {hook} in {lines:#?}"))
}

const TOOL: &str = r#"
export default function register(api) {
  api.registerTool({ name: 'bench_echo', description: 'echo', parameters: { type: 'object', properties: { text: { type: 'string' } } },
    async execute(_id, params) { return { content: [{ type: 'text', text: `echo:${params.text}` }], details: { secret: 'd' } }; } });
}"#;

// HOOK-130..135, HOOK-048, HOOK-049, HOOK-051..054, HOOK-056..064, HOOK-068, HOOK-205, HOOK-071..073, API-125
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hooks_of_a_turn_with_a_tool_come_in_order_with_their_payloads() {
    let mut home = Home::new().await;
    home.fixture("hook-recorder").plugin_with("echo", TOOL, json!({"contracts": {"tools": ["bench_echo"]}}));
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:order";
    let end = client.say(key, r#"hi [[tool:bench_echo {"text":"abc"}]]"#).await;
    assert_eq!(end["state"], "final", "{end}");
    assert_eq!(text(&end["message"]), "Mock reply: all good.");
    let lines =
        home.until("llm_output", |l| l.iter().any(|l| l["hook"] == "llm_output") && l.iter().any(|l| l["hook"] == "after_tool_call")).await;
    let mut seen = hooks_of(&lines, key);
    // HOOK-132: its place against the next call is not fixed.
    seen.retain(|h| *h != "after_tool_call");
    let expected = [
        "message_received",
        "message:received",
        "before_dispatch",
        "reply_dispatch",
        "message:preprocessed",
        "session_start",
        "before_agent_reply",
        "before_model_resolve",
        "before_agent_start",
        "agent:bootstrap",
        "agent_turn_prepare",
        "before_prompt_build",
        "before_agent_start",
        "before_agent_run",
        "llm_input",
        "before_message_write",
        "model_call_started",
        "before_message_write",
        "model_call_ended",
        "before_tool_call",
        "tool_result_persist",
        "before_message_write",
        "model_call_started",
        "before_agent_finalize",
        "before_message_write",
        "model_call_ended",
        "agent_end",
        "llm_output",
    ];
    assert_eq!(seen, expected);
    let event = |hook: &str| &find(&lines, hook)["event"];
    let ctx = &find(&lines, "before_prompt_build")["ctx"];
    for (member, value) in
        [("agentId", "main"), ("sessionKey", key), ("trigger", "user"), ("modelProviderId", "mock"), ("modelId", "mock-1")]
    {
        assert_eq!(ctx[member], value, "{member}: {ctx}");
    }
    assert!(ctx["sessionId"].is_string() && ctx["runId"].is_string() && ctx["workspaceDir"].is_string(), "{ctx}");
    assert_eq!(event("message_received")["content"], r#"hi [[tool:bench_echo {"text":"abc"}]]"#);
    assert_eq!(event("before_agent_reply")["cleanedBody"], event("message_received")["content"]);
    assert!(event("before_agent_run")["systemPrompt"].as_str().unwrap().contains("bench_echo"));
    assert_eq!(event("before_agent_run")["messages"], json!([]));
    assert_eq!(event("llm_input")["imagesCount"], 0);
    assert_eq!(event("before_tool_call")["params"], json!({"text": "abc"}));
    assert_eq!(event("before_tool_call")["toolName"], "bench_echo");
    let after = event("after_tool_call");
    assert_eq!(after["result"]["content"][0]["text"], "echo:abc");
    assert!(after.get("error").is_none() && after["durationMs"].is_number(), "{after}");
    assert_eq!(event("tool_result_persist")["isSynthetic"], false);
    assert_eq!(event("model_call_ended")["outcome"], "completed");
    let output = event("llm_output");
    assert_eq!(output["resolvedRef"], "mock/mock-1");
    assert_eq!(output["assistantTexts"], json!(["Mock reply: all good."]));
    assert_eq!(output["usage"]["output"], 10);
    let ended = event("agent_end");
    assert_eq!(ended["success"], true);
    let roles: Vec<&str> = ended["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "toolResult", "assistant"]);
    let asked = home.model.last_request().body.to_string();
    assert!(asked.contains("echo:abc") && !asked.contains("secret"), "{asked}");

    // HOOK-133: a run through `agent` is no message.
    let id = client.request("agent", json!({"sessionKey": "agent:main:rpc", "message": "one", "idempotencyKey": "rpc-1"})).await;
    assert_eq!(client.response(&id).await["payload"]["status"], "accepted");
    let done = client.response(&id).await;
    assert_eq!(done["payload"]["status"], "ok", "{done}");
    let lines = home.until("agent run", |l| hooks_of(l, "agent:main:rpc").contains(&"llm_output")).await;
    let seen = hooks_of(&lines, "agent:main:rpc");
    for never in ["message_received", "before_dispatch", "reply_dispatch", "before_agent_reply", "message_sending", "message_sent"] {
        assert!(!seen.contains(&never), "{never} in {seen:?}");
    }
    live.stop().await;
}

const PROMPTS: &str = r#"
export default function register(api) {
  api.on('agent_turn_prepare', () => ({ prependContext: 'P-turn', appendContext: 'A-turn' }));
  api.on('before_prompt_build', () => ({ prependContext: 'P-build', appendContext: 'A-build', prependSystemContext: 'PS-build', appendSystemContext: 'AS-build' }));
  api.on('before_agent_start', () => ({ prependContext: 'P-start', appendContext: 'A-start', appendSystemContext: 'AS-start' }));
  api.registerGatewayMethod('prompts.queue', async ({ params, respond }) => {
    respond(true, await api.enqueueNextTurnInjection(params));
  }, { scope: 'operator.write' });
}"#;

// HOOK-136..141, HOOK-246, HOOK-249, HOOK-250, HOOK-252, HOOK-254
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prompt_parts_and_injections_are_joined_in_order_and_injections_come_once() {
    let mut home = Home::new().await;
    home.plugin("prompts", PROMPTS);
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:prompt";
    client.ok("sessions.create", json!({"key": key})).await;
    let queue = |text: &str, extra: Value| {
        let mut params = json!({"sessionKey": key, "text": text});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        params
    };
    let first = client.ok("prompts.queue", queue("Q1", json!({"idempotencyKey": "one"}))).await;
    assert_eq!(first, json!({"enqueued": true, "id": "one", "sessionKey": key}));
    let again = client.ok("prompts.queue", queue("Q1", json!({"idempotencyKey": "one"}))).await;
    assert_eq!(again["enqueued"], false);
    client.ok("prompts.queue", queue("Q2", json!({"placement": "append_context"}))).await;
    client.say(key, "middle").await;
    let body = home.model.last_request().body;
    let messages = body["messages"].as_array().unwrap();
    let user = messages.last().unwrap();
    let said = user["content"].as_str().map_or_else(|| text(user), str::to_string);
    assert_eq!(said, "Q1\n\nP-turn\n\nP-build\n\nP-start\n\nmiddle\n\nQ2\n\nA-turn\n\nA-build\n\nA-start");
    let system = messages[0]["content"].as_str().map_or_else(|| text(&messages[0]), str::to_string);
    assert!(system.starts_with("PS-build\n\n") && system.ends_with("AS-build\n\nAS-start"), "{system}");
    client.say(key, "second").await;
    let body = home.model.last_request().body.to_string();
    assert!(!body.contains("Q1") && !body.contains("Q2"), "{body}");
    // The transcript keeps what the person said.
    let history = client.ok("chat.history", json!({"sessionKey": key})).await;
    assert_eq!(text(&history["messages"][0]), "middle");
    live.stop().await;
}

const GATE: &str = r#"
export default function register(api) {
  api.on('before_agent_run', (event) => {
    if (event.prompt.includes('blockme')) return { outcome: 'block', reason: 'INTERNAL-REASON', message: 'not today', category: 'CAT' };
    if (event.prompt.includes('throwme')) throw new Error('BOOM');
    if (event.prompt.includes('badly')) return { outcome: 'pass', extra: 1 };
    return { outcome: 'pass' };
  });
  api.on('before_dispatch', (event) => event.content.includes('claimtext') ? { handled: true, text: 'claimed text' } : undefined);
  api.on('reply_dispatch', (event) => event.ctx.Body.includes('claimreply') ? { handled: true, queuedFinal: false, counts: { tool: 0, block: 0, final: 0 } } : undefined);
  api.on('before_agent_reply', (event) => {
    if (event.cleanedBody.includes('silent')) return { handled: true };
    if (event.cleanedBody.includes('answerhere')) return { handled: true, reply: { text: 'from the plugin' } };
  });
}"#;

// HOOK-142..152, HOOK-213, HOOK-135
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gates_and_claims_answer_in_place_of_the_model() {
    let mut home = Home::new().await;
    home.fixture("hook-recorder").plugin("gate", GATE);
    let live = home.start().await;
    let mut client = live.client().await;
    let shown = |end: &Value| format!("{}{}", text(&end["message"]), end["errorMessage"].as_str().unwrap_or_default());
    let rows = [
        ("blockme", "Your message could not be sent: not today (blocked by gate)"),
        ("throwme", "Your message could not be sent: blocked by before_agent_run"),
        ("badly", "Your message could not be sent: blocked by gate"),
    ];
    for (said, expected) in rows {
        let key = format!("agent:main:gate-{said}");
        let end = client.say(&key, &format!("please {said} ORIGINAL")).await;
        assert!(shown(&end).contains(expected), "{said}: {end}");
        assert!(!end.to_string().contains("INTERNAL-REASON") && !end.to_string().contains("BOOM"), "{end}");
        let stored = client.ok("sessions.get", json!({"key": key})).await;
        let messages = stored["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 1, "{stored}");
        assert_eq!(messages[0]["role"], "user");
        assert_eq!(text(&messages[0]), expected);
        assert!(messages[0]["idempotencyKey"].as_str().unwrap().starts_with("hook-block:before_agent_run:user:"), "{stored}");
        assert!(!stored.to_string().contains("ORIGINAL") && !stored.to_string().contains("INTERNAL-REASON"), "{stored}");
    }
    assert!(home.model.requests().is_empty());
    let lines = home.until("three ends", |l| l.iter().filter(|l| l["hook"] == "agent_end").count() == 3).await;
    assert!(lines.iter().filter(|l| l["hook"] == "agent_end").all(|l| l["event"]["success"] == false));
    assert!(!lines.iter().any(|l| l["hook"] == "llm_input" || l["hook"] == "llm_output" || l["hook"] == "model_call_started"));

    let end = client.say("agent:main:claimed", "claimtext").await;
    assert_eq!(text(&end["message"]), "claimed text");
    let end = client.say("agent:main:claimed", "claimreply").await;
    assert!(end["state"] == "final" && end.get("message").is_none(), "{end}");
    let starts =
        home.recorded().iter().filter(|l| l["hook"] == "session_start" && l["event"]["sessionKey"] == "agent:main:claimed").count();
    assert_eq!(starts, 0);
    let end = client.say("agent:main:replied", "answerhere").await;
    assert_eq!(text(&end["message"]), "from the plugin");
    let end = client.say("agent:main:replied", "silent").await;
    assert!(end["state"] == "final" && end.get("message").is_none(), "{end}");
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:replied"})).await;
    let texts: Vec<String> = history["messages"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(texts, ["answerhere", "from the plugin", "silent"]);
    assert!(home.model.requests().is_empty());
    live.stop().await;
}

const TOOLS: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
const parameters = { type: 'object', properties: {}, additionalProperties: true };
const out = (text) => ({ content: [{ type: 'text', text }] });
export default function register(api) {
  api.registerTool({ name: 't_args', description: 'a', parameters, async execute(_id, params) { return out(JSON.stringify(params)); } });
  api.registerTool({ name: 't_throw', description: 'a', parameters, async execute() { throw new Error('tool broke'); } });
  api.registerTool({ name: 't_slow', description: 'a', parameters, async execute(_id, _params, signal) {
    log({ slow: 'started' });
    await new Promise((resolve) => { const t = setTimeout(resolve, 30000); signal?.addEventListener('abort', () => { clearTimeout(t); resolve(); }); });
    log({ slow: signal?.aborted ? 'aborted' : 'done' });
    return out('late');
  } });
  let together = 0, most = 0;
  api.registerTool({ name: 't_par', description: 'a', parameters, async execute() {
    most = Math.max(most, ++together);
    await new Promise((r) => setTimeout(r, 300));
    together--;
    return out(`most ${most}`);
  } });
  api.on('before_tool_call', (event) => {
    if (event.params.rewrite) return { params: { rewrite: 'done', added: 1 } };
    if (event.params.blockit) return { block: true, blockReason: 'no way' };
    if (event.params.hookfail) throw new Error('SECRET HOOK TEXT');
    if (event.params.approve) return { requireApproval: { title: 't', description: 'd', timeoutMs: 30 } };
  });
}"#;

fn last_tool_results(body: &Value) -> Vec<String> {
    let messages = body["messages"].as_array().unwrap();
    let last_user = messages.iter().rposition(|m| m["role"] == "user").unwrap();
    messages[last_user..]
        .iter()
        .filter(|m| m["role"] == "tool")
        .map(|m| m["content"].as_str().map_or_else(|| text(m), str::to_string))
        .collect()
}

// HOOK-160..168, HOOK-176, HOOK-177, HOOK-189, GW-116, GW-90, API-127
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tool_calls_are_rewritten_refused_and_failed_as_results() {
    let mut home = Home::new().await;
    home.plugin_with("tools", TOOLS, json!({"contracts": {"tools": ["t_args", "t_throw", "t_slow", "t_par"]}}));
    let live = home.start().await;
    let mut client = live.client().await;
    let rows = [
        (r#"[[tool:t_args {"rewrite":"old","kept":true}]]"#, r#"{"rewrite":"done","kept":true,"added":1}"#, false),
        (r#"[[tool:t_args {"blockit":1}]]"#, "no way", false),
        (r#"[[tool:t_args {"hookfail":1}]]"#, "Tool call blocked because before_tool_call hook failed", true),
        (r#"[[tool:t_args {"approve":1}]]"#, "Approval timed out", true),
        ("[[tool:t_throw {}]]", "tool broke", true),
    ];
    for (said, expected, is_error) in rows {
        let end = client.say("agent:main:tools", said).await;
        assert_eq!(end["state"], "final", "{end}");
        let results = last_tool_results(&home.model.last_request().body);
        assert!(results.len() == 1 && results[0].contains(expected) && !results[0].contains("SECRET"), "{said}: {results:?}");
        let stored = client.ok("sessions.get", json!({"key": "agent:main:tools"})).await;
        let result = stored["messages"].as_array().unwrap().iter().rev().find(|m| m["role"] == "toolResult").unwrap().clone();
        assert_eq!(result["isError"], is_error, "{result}");
        if expected == "no way" {
            let details = json!({"status": "blocked", "deniedReason": "plugin-before-tool-call", "reason": "no way"});
            assert_eq!(result["details"], details);
        }
    }
    let end = client.say("agent:main:tools", "[[tool:t_par {}]] [[tool:t_par {}]]").await;
    assert_eq!(end["state"], "final");
    let results = last_tool_results(&home.model.last_request().body);
    assert_eq!(results, ["most 2", "most 2"]);

    // A tool that does not exist is an error for the model, not for the run.
    let call = |name: &str| {
        let chunk = |delta: Value, finish: Value| {
            format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
        };
        let call = json!({"tool_calls": [{"index": 0, "id": "call_x", "type": "function", "function": {"name": name, "arguments": "{}"}}]});
        format!("{}{}data: [DONE]\n\n", chunk(call, Value::Null), chunk(json!({}), json!("tool_calls")))
    };
    home.model.script(chela_models::testing::Script::new(200, "text/event-stream", call("no_such_tool")));
    let end = client.say("agent:main:tools", "unknown").await;
    assert_eq!(end["state"], "final", "{end}");
    assert!(last_tool_results(&home.model.last_request().body)[0].contains("no_such_tool"));

    // An abort reaches the tool that runs.
    client.ok("chat.send", json!({"sessionKey": "agent:main:abort", "message": "[[tool:t_slow {}]]", "idempotencyKey": "slow-1"})).await;
    home.until("the tool started", |l| l.iter().any(|l| l["slow"] == "started")).await;
    let aborted = client.ok("chat.abort", json!({"sessionKey": "agent:main:abort"})).await;
    assert_eq!(aborted["runIds"], json!(["slow-1"]));
    assert_eq!(client.chat_end("slow-1").await["state"], "aborted");
    home.until("the tool heard it", |l| l.iter().any(|l| l["slow"] == "aborted")).await;

    // Over HTTP and by method, without a run.
    let (status, _, body) = live.http("POST", "/tools/invoke", Some(json!({"tool": "t_args", "args": {"rewrite": 1, "a": 2}}))).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#"{\"rewrite\":\"done\",\"a\":2,\"added\":1}"#), "{body}");
    let rows = [
        (json!({"tool": "t_args", "args": {"blockit": 1}}), 403, "tool_call_blocked"),
        (json!({"tool": "t_throw"}), 400, "tool_error"),
        (json!({"tool": "nothing"}), 404, "not_found"),
        (json!({}), 400, "invalid_request"),
    ];
    for (request, status, kind) in rows {
        let (got, _, body) = live.http("POST", "/tools/invoke", Some(request.clone())).await;
        assert_eq!(got, status, "{request}: {body}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["error"]["type"], kind, "{body}");
    }
    let done = client.ok("tools.invoke", json!({"name": "t_args", "args": {"x": 1}})).await;
    assert!(done["ok"] == true && done["toolName"] == "t_args", "{done}");
    live.stop().await;
}

const WRITES: &str = r#"
export default function register(api) {
  api.on('before_message_write', ({ message }) => {
    const text = JSON.stringify(message.content);
    if (message.role === 'user' && text.includes('dropme')) return { block: true };
    if (message.role === 'assistant') return { message: { ...message, content: [{ type: 'text', text: 'rewritten' }] } };
  });
}"#;

// HOOK-198, HOOK-207
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_what_the_hooks_left() {
    let mut home = Home::new().await;
    home.plugin("writes", WRITES);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:w", "one").await;
    let end = client.say("agent:main:w", "dropme").await;
    assert_eq!(end["state"], "final");
    let stored = client.ok("sessions.get", json!({"key": "agent:main:w"})).await;
    let texts: Vec<String> = stored["messages"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(texts, ["one", "rewritten", "rewritten"]);
    live.stop().await;
}
