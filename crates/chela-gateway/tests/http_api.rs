//! Endpoints for programs, on a whole gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Home, TOKEN};
use serde_json::{Value, json};

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

const GUARD: &str = "export default { id: 'guard', register(api) {
  api.on('before_tool_call', (event) => {
    if (event.toolName === 'forbidden') return { block: true, blockReason: 'not this one' };
    if (event.toolName === 'weather') return { params: { unit: 'C' } };
  });
} };";

// GW-109
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_callers_own_tools_are_called_by_the_model_and_run_by_the_caller() {
    let mut home = Home::with_reply("It rains in Oslo.").await;
    home.plugin("guard", GUARD);
    let live = home.start().await;
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "Looks outside", "parameters": {"type": "object"}}});
    let tools = json!([tool("weather"), tool("forbidden")]);
    let asked = json!({"role": "user", "content": "[[tool:weather {\"city\": \"Oslo\"}]]"});
    let ask = |messages: Value, extra: Value| {
        let mut body = json!({"model": "openclaw", "messages": messages, "tools": tools, "user": "u"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(body)
    };

    let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([asked]), json!({}))).await;
    let choice = parsed(&body)["choices"][0].clone();
    assert_eq!((status, &choice["finish_reason"]), (200, &json!("tool_calls")), "{body}");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    // Hooks see the call before the caller does.
    assert_eq!(parsed(call["function"]["arguments"].as_str().unwrap()), json!({"city": "Oslo", "unit": "C"}));
    let offered = home.model.requests()[0].body["tools"].to_string();
    assert!(offered.contains("Looks outside"), "{offered}");

    // The caller ran it and goes on.
    let said = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "heavy rain"});
    let plain = json!({"role": "user", "content": "How is it?"});
    let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([plain, said, result]), json!({}))).await;
    let choice = parsed(&body)["choices"][0].clone();
    assert_eq!((status, &choice["finish_reason"]), (200, &json!("stop")), "{body}");
    assert_eq!(choice["message"]["content"], "It rains in Oslo.");
    let last = home.model.requests().last().unwrap().body["messages"].to_string();
    assert!(last.contains("heavy rain") && last.contains("weather"), "{last}");

    let stream = json!({"stream": true, "stream_options": {"include_usage": true}});
    let (_, head, body) = live.http("POST", "/v1/chat/completions", ask(json!([asked]), stream)).await;
    assert!(head.contains("text/event-stream"));
    let chunks: Vec<Value> = body.lines().filter_map(|l| l.strip_prefix("data: ")).filter(|l| *l != "[DONE]").map(parsed).collect();
    let deltas: Vec<&Value> = chunks.iter().map(|c| &c["choices"][0]["delta"]["tool_calls"][0]).filter(|d| d.is_object()).collect();
    assert_eq!(deltas[0]["function"]["name"], "weather", "{body}");
    let arguments: String = deltas.iter().filter_map(|d| d["function"]["arguments"].as_str()).collect();
    assert_eq!(parsed(&arguments), json!({"city": "Oslo", "unit": "C"}));
    assert!(chunks.iter().any(|c| c["choices"][0]["finish_reason"] == "tool_calls"), "{body}");
    assert!(chunks.last().unwrap()["usage"].is_object() && body.contains("data: [DONE]"), "{body}");

    // A call that a hook refuses is answered to the model, not handed over.
    let refused = json!({"role": "user", "content": "[[tool:forbidden {}]]"});
    let (_, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([refused]), json!({}))).await;
    assert_eq!(parsed(&body)["choices"][0]["finish_reason"], "stop", "{body}");

    let none = json!({"tool_choice": "none"});
    let (_, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([asked]), none)).await;
    assert_eq!(parsed(&body)["choices"][0]["finish_reason"], "stop", "{body}");
    for choice in [json!("required"), json!({"type": "function", "function": {"name": "weather"}})] {
        let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([asked]), json!({"tool_choice": choice}))).await;
        assert_eq!((status, &parsed(&body)["error"]["type"]), (400, &json!("invalid_request_error")), "{body}");
    }
    let taken = json!({"tools": [tool("session_status")]});
    let (status, _, body) = live.http("POST", "/v1/chat/completions", ask(json!([asked]), taken)).await;
    assert!(status == 400 && body.contains("session_status"), "{body}");
    live.stop().await;
}

// GW-111, GW-114
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_are_items_whole_and_streamed_and_go_on_from_each_other() {
    let mut home = Home::with_reply("It rains in Oslo.").await;
    home.config["gateway"]["http"]["endpoints"]["responses"] = json!({"enabled": true});
    home.plugin("guard", GUARD);
    let live = home.start().await;
    let ask = |input: Value, extra: Value| {
        let mut body = json!({"model": "openclaw/main", "input": input});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Some(body)
    };
    let post = async |body| {
        let (status, _, answer) = live.http("POST", "/v1/responses", body).await;
        (status, parsed(&answer))
    };

    let (status, first) = post(ask(json!("How is it?"), json!({"instructions": "be brief", "user": "u"}))).await;
    assert_eq!((status, &first["object"], &first["status"]), (200, &json!("response"), &json!("completed")), "{first}");
    assert_eq!(first["model"], "openclaw/main");
    let item = &first["output"][0];
    assert!(first["id"].as_str().unwrap().starts_with("resp_") && item["id"].as_str().unwrap().starts_with("msg_"), "{first}");
    assert_eq!((&item["phase"], &item["content"][0]["text"]), (&json!("final_answer"), &json!("It rains in Oslo.")));
    assert!(first["usage"]["total_tokens"].is_u64(), "{first}");
    let sent = home.model.requests()[0].body["messages"].to_string();
    assert!(sent.contains("be brief"), "{sent}");

    // The same session goes on; without the id it would be a new one.
    let (_, second) = post(ask(json!("And now?"), json!({"previous_response_id": first["id"]}))).await;
    assert_eq!(second["status"], "completed", "{second}");
    let sent = home.model.requests().last().unwrap().body["messages"].to_string();
    assert!(sent.contains("How is it?") && sent.contains("And now?"), "{sent}");
    post(ask(json!("A third"), json!({}))).await;
    let sent = home.model.requests().last().unwrap().body["messages"].to_string();
    assert!(!sent.contains("How is it?"), "{sent}");
    let mut client = live.client().await;
    let sessions = client.ok("sessions.list", json!({})).await["sessions"].to_string();
    assert!(sessions.contains("agent:main:openresponses-user:u") && sessions.contains("agent:main:openresponses:"), "{sessions}");

    // A tool of the caller.
    let tools = json!({"tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]});
    let asked = json!([{"type": "message", "role": "user", "content": "[[tool:weather {\"city\": \"Oslo\"}]]"}]);
    let (_, called) = post(ask(asked.clone(), tools.clone())).await;
    let call = called["output"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&called["status"], &call["type"], &call["name"]),
        (&json!("incomplete"), &json!("function_call"), &json!("weather")),
        "{called}"
    );
    let result = json!([{"type": "function_call_output", "call_id": call["call_id"], "output": "heavy rain"}]);
    let (_, done) = post(ask(result, json!({"previous_response_id": called["id"], "tools": tools["tools"]}))).await;
    assert_eq!(done["status"], "completed", "{done}");
    let sent = home.model.requests().last().unwrap().body["messages"].to_string();
    assert!(sent.contains("heavy rain") && sent.contains("weather"), "{sent}");

    let stream = async |input: Value, extra: Value| {
        let (_, head, body) = live.http("POST", "/v1/responses", ask(input, extra)).await;
        assert!(head.contains("text/event-stream") && body.contains("data: [DONE]"), "{body}");
        let kinds: Vec<String> = body.lines().filter_map(|l| l.strip_prefix("event: ")).map(str::to_owned).collect();
        let data = body.lines().filter_map(|l| l.strip_prefix("data: ")).filter(|l| *l != "[DONE]");
        let events: Vec<Value> = data.map(parsed).collect();
        assert!(kinds.iter().zip(&events).all(|(kind, event)| event["type"] == **kind), "{body}");
        let mut kinds: Vec<String> = kinds.iter().map(|kind| kind.trim_start_matches("response.").to_owned()).collect();
        kinds.dedup();
        (kinds.join(" "), events)
    };
    let (kinds, events) = stream(json!("How is it?"), json!({"stream": true})).await;
    assert_eq!(
        kinds,
        "created in_progress output_item.added content_part.added output_text.delta output_text.done content_part.done output_item.done completed"
    );
    let said: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    let last = &events.last().unwrap()["response"];
    assert_eq!((said.as_str(), &last["status"]), ("It rains in Oslo.", &json!("completed")));
    assert_eq!((&last["output"][0]["phase"], &last["output"][0]["content"][0]["text"]), (&json!("final_answer"), &json!(said)));
    assert!(events.iter().filter_map(|e| e.get("item_id")).all(|id| *id == last["output"][0]["id"]));

    let (kinds, events) = stream(asked, json!({"stream": true, "tools": tools["tools"]})).await;
    assert!(kinds.ends_with("output_item.done output_item.added output_item.done completed"), "{kinds}");
    let last = &events.last().unwrap()["response"];
    assert_eq!((&last["status"], &last["output"][1]["name"]), (&json!("incomplete"), &json!("weather")), "{last}");

    let taken = json!({"stream": true, "tools": [{"type": "function", "name": "session_status"}]});
    let (kinds, events) = stream(json!("hi"), taken.clone()).await;
    assert!(kinds.ends_with(" failed") && events.last().unwrap()["response"]["error"]["code"] == "invalid_request_error", "{events:?}");
    let (status, failed) = post(ask(json!("hi"), json!({"tools": taken["tools"]}))).await;
    assert_eq!((status, &failed["status"]), (400, &json!("failed")), "{failed}");

    for body in [json!({"model": "openclaw/ghost", "input": "hi"}), json!({"input": "hi"}), json!({"model": "openclaw", "input": []})] {
        assert_eq!(post(Some(body)).await.0, 400);
    }
    live.stop().await;
}

// GW-F5, GW-F17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_read_and_ended_by_those_who_may() {
    let home = Home::with_reply("one two three four five six seven eight").await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    client.say("agent:main:read", "hello").await;
    assert_eq!(live.http("GET", "/sessions/agent%3Amain%3Aread/history", None).await.0, 200);

    let slow = json!({"sessionKey": "agent:main:slow", "message": "[[slow:200]] go", "idempotencyKey": "slow"});
    client.ok("chat.send", slow).await;
    client.event(|e| e["event"] == "chat" && e["payload"]["runId"] == "slow").await;
    let bearer = format!("Bearer {TOKEN}");
    let kill = async |key: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        let (status, _, body) = live.http_with("POST", &format!("/sessions/{key}/kill"), None, &all).await;
        (status, parsed(&body))
    };
    let away = [("x-forwarded-for", "9.9.9.9")];
    let of = |key| [("x-forwarded-for", "9.9.9.9"), ("x-openclaw-requester-session-key", key)];
    assert_eq!(kill("agent%3Amain%3Aslow", &away).await.0, 403);
    let (status, stranger) = kill("agent%3Amain%3Aslow", &of("agent:main:read")).await;
    assert!(status == 403 && stranger["error"]["message"].as_str().unwrap().contains("does not own"), "{stranger}");
    // Being beside the gateway does not make a session the owner of another one.
    assert_eq!(kill("agent%3Amain%3Aslow", &of("agent:main:read")[1..]).await.0, 403);
    assert_eq!(kill("agent%3Amain%3Anone", &[]).await.0, 404);
    assert_eq!(kill("agent%3Amain%3Aslow", &of("agent:main:slow")).await, (200, json!({"ok": true, "killed": true})));
    assert_eq!(client.chat_end("slow").await["state"], "aborted");
    assert_eq!(kill("agent%3Amain%3Aslow", &[]).await, (200, json!({"ok": true, "killed": false})));
    live.stop().await;
}

const SHELL: &str = "export default { id: 'sh', register(api) {
  for (const name of ['exec', 'fs_write', 'kind_tool', 'rude_tool'])
    api.registerTool({ name, description: name, parameters: { type: 'object' }, execute: async () => ({ content: [{ type: 'text', text: name }] }) });
} };";

// GW-117, API-128
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dangerous_tools_are_not_offered_to_programs_unless_allowed() {
    let mut home = Home::new().await;
    home.plugin_with("sh", SHELL, json!({"contracts": {"tools": ["exec", "fs_write", "kind_tool", "rude_tool"]}}));
    home.config["gateway"]["tools"] = json!({"allow": ["fs_write"], "deny": ["rude_tool"]});
    let live = home.start().await;
    let mut client = live.client().await;
    for (tool, expected) in [("exec", 404), ("fs_write", 200), ("kind_tool", 200), ("rude_tool", 404)] {
        let (status, _, body) = live.http("POST", "/tools/invoke", Some(json!({"tool": tool}))).await;
        assert_eq!(status, expected, "{tool}: {body}");
        let answer = client.ok("tools.invoke", json!({"name": tool})).await;
        assert_eq!(answer["ok"], expected == 200, "{tool}: {answer}");
    }
    live.stop().await;
}

// GW-F3, GW-F4, GW-F16, GW-88
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_agents_are_refused_at_every_door_and_leave_no_trace() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    // Once this is answered no method asks for patience any more.
    client.say("agent:main:first", "hi").await;
    let message = |extra: Value| {
        let mut params = json!({"message": "hi", "idempotencyKey": "k"});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        params
    };
    for (method, params) in [
        ("agent", message(json!({"agentId": "ghost"}))),
        ("agent", message(json!({"sessionKey": "agent:ghost:main"}))),
        ("chat.send", message(json!({"sessionKey": "agent:ghost:main"}))),
        ("sessions.send", json!({"key": "agent:ghost:main", "message": "hi"})),
    ] {
        let error = client.error(method, params.clone()).await;
        assert!(error["message"].as_str().unwrap().contains("ghost"), "{method} {params}: {error}");
    }
    let ask = |model: &str| Some(json!({"model": model, "messages": [{"role": "user", "content": "hi"}]}));
    assert_eq!(live.http("POST", "/v1/chat/completions", ask("openclaw/ghost")).await.0, 400);
    let auth = format!("Bearer {TOKEN}");
    for key in ["agent:ghost:main", "agent:other:main"] {
        let headers = [("authorization", auth.as_str()), ("x-openclaw-session-key", key)];
        let (status, _, body) = live.http_with("POST", "/v1/chat/completions", ask("openclaw/main"), &headers).await;
        assert!(status == 400 && body.contains("another agent"), "{key}: {body}");
    }
    assert!(!home.dir.path().join("state/agents/ghost").exists());
    assert_eq!(home.model.requests().len(), 1);
    live.stop().await;
}

// GW-74, GW-80, GW-81, GW-91
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_cleaned_and_not_doubled_and_readers_see_no_paths() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let send = |session: &str, message: &str, key: &str| json!({"sessionKey": session, "message": message, "idempotencyKey": key});
    let first = client.ok("chat.send", send("agent:main:a", "[[sleep:600]] hi", "one")).await;
    let second = client.ok("chat.send", send("agent:main:a", "[[sleep:600]] hi", "two")).await;
    assert_eq!((&second["status"], &second["runId"]), (&json!("in_flight"), &first["runId"]));
    client.chat_end("one").await;
    assert_eq!(home.model.requests().len(), 1);

    let error = client.error("chat.send", send("agent:main:b", "a\u{0}b", "nul")).await;
    assert!(error["message"].as_str().unwrap().contains("null bytes"), "{error}");
    assert_eq!(client.error("chat.send", send(&"k".repeat(513), "hi", "long")).await["code"], "INVALID_REQUEST");
    client.say("agent:main:b", "Cafe\u{301}\u{7} crème\ttab").await;
    let stored = client.ok("sessions.get", json!({"key": "agent:main:b"})).await;
    assert_eq!(live::text(&stored["messages"][0]), "Caf\u{e9} crème\ttab");

    client.say("agent:main:c", "hi").await;
    let all = client.ok("sessions.list", json!({})).await;
    assert_eq!(
        (&all["count"], &all["totalCount"], &all["limitApplied"], &all["hasMore"]),
        (&json!(3), &json!(3), &json!(100), &json!(false))
    );
    let page = client.ok("sessions.list", json!({"limit": 2})).await;
    assert_eq!(
        (&page["count"], &page["totalCount"], &page["limitApplied"], &page["hasMore"]),
        (&json!(2), &json!(3), &json!(2), &json!(true))
    );

    let state = home.dir.path().to_str().unwrap();
    let whole = client.ok("status", json!({})).await;
    assert!(whole.to_string().contains(state) && whole.to_string().contains("agent:main:a"), "{whole}");
    let mut reader = live::Client::connect_as(live.port, &["operator.read"]).await;
    let shown = reader.ok("status", json!({})).await.to_string();
    assert!(!shown.contains(state) && !shown.contains("agent:main:a"), "{shown}");
    live.stop().await;
}

// GW-72
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_to_the_control_plane_are_rationed() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    for _ in 0..3 {
        let answer = client.error("config.patch", json!({})).await;
        assert_eq!(answer["details"]["code"], "NOT_IMPLEMENTED", "{answer}");
    }
    let refused = client.error("gateway.restart.request", json!({})).await;
    assert_eq!((&refused["code"], &refused["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{refused}");
    assert!(refused["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0 && ms <= 60_000), "{refused}");
    assert_eq!(client.call("config.get", json!({})).await["ok"], true);
    live.stop().await;
}

// GW-83, GW-84, GW-F2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_numbered_throttled_and_not_quadratic() {
    let reply = "lorem ipsum ".repeat(2_500);
    let home = Home::with_reply(reply.trim_end()).await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    client.say("agent:main:x", "hi").await;
    let of = |name: &str| -> Vec<Value> { client.events.iter().filter(|e| e["event"] == name).map(|e| e["payload"].clone()).collect() };
    let (agent, chat) = (of("agent"), of("chat"));
    for pair in agent.windows(2) {
        assert!(pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64(), "{pair:?}");
    }
    for event in &agent {
        assert!(event["runId"].is_string() && event["sessionKey"] == "agent:main:x" && event["ts"].is_i64() && event["data"].is_object());
    }
    let phases: Vec<&Value> = agent.iter().filter(|e| e["stream"] == "lifecycle").map(|e| &e["data"]["phase"]).collect();
    assert_eq!(phases, [&json!("start"), &json!("end")]);
    let said: Vec<&Value> = agent.iter().filter(|e| e["stream"] == "assistant").map(|e| &e["data"]).collect();
    let whole: String = said.iter().filter_map(|d| d["delta"].as_str()).collect();
    assert_eq!(whole, reply.trim_end());
    // Short texts come whole with each piece; long ones do not.
    assert_eq!(said[0]["text"], said[0]["delta"]);
    let long: Vec<&&Value> = said.iter().filter(|d| d["text"].as_str().is_some_and(|text| text.len() > 17_000)).collect();
    assert!(long.len() * 5 < said.len(), "{} of {}", long.len(), said.len());
    assert!(chat.len() * 3 < said.len(), "{} chat events for {} pieces", chat.len(), said.len());
    live.stop().await;
}

// GW-121
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_learns_its_settings_behind_the_secret() {
    let mut home = Home::new().await;
    home.config["gateway"]["controlUi"] = json!({"embedSandbox": "strict", "chatMessageMaxWidth": "60rem"});
    let live = home.start_cold().await;
    let path = "/__openclaw/control-ui-config.json";
    assert_eq!(live.http_with("GET", path, None, &[]).await.0, 401);
    let (status, _, body) = live.http("GET", path, None).await;
    assert_eq!(status, 200);
    let config = parsed(&body);
    let mut keys: Vec<&str> = config.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "allowExternalEmbedUrls",
        "assistantAgentId",
        "assistantAvatar",
        "assistantAvatarReason",
        "assistantAvatarSource",
        "assistantAvatarStatus",
        "assistantName",
        "basePath",
        "chatMessageMaxWidth",
        "embedSandbox",
        "localMediaPreviewRoots",
        "serverVersion",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&config["embedSandbox"], &config["allowExternalEmbedUrls"]), (&json!("strict"), &json!(false)));
    live.stop().await;
}
