//! What the reference's documents promise of hooks and its runtime does not do, and deadlines that stop work.

use super::live::Client;
use super::*;

const FINALIZE: &str = r#"
  let last = 0;
  log({ hook: 'registered' });
  api.on('before_agent_finalize', (event, ctx) => {
    log({ hook: 'finalize', event: { ...event, messages: event.messages.length }, session: ctx.sessionKey, trigger: ctx.trigger });
    if (event.lastAssistantMessage.includes('insist')) return { action: 'finalize' };
    if (event.sessionKey.endsWith('free')) return ++last < 3 ? { action: 'revise', reason: `again ${last}` } : { action: 'continue' };
    return { action: 'revise', reason: 'Say it politely.', retry: { instruction: 'Add a greeting.', idempotencyKey: 'greet', maxAttempts: 2 } };
  });
  api.on('agent_end', (event) => { log({ hook: 'agent_end', success: event.success, roles: event.messages.map((m) => m.role) }); });
"#;

// HOOK-008, HOOK-019, HOOK-055, HOOK-153..157, HOOK-298, HOOK-311
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_asks_the_model_for_another_pass_and_the_passes_are_limited() {
    let mut home = Home::new().await;
    home.plugin("finalize", &code(FINALIZE));
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.say("agent:main:f", "hello").await;
    assert_eq!(text(&end["message"]), "Mock reply: all good.");
    let requests = home.model.requests();
    assert_eq!(requests.len(), 3, "the answer and two more passes");
    let asked = requests[2].body.to_string();
    assert_eq!(asked.matches("Say it politely.\\n\\nAdd a greeting.").count(), 2, "{asked}");
    let lines = home.until("the end", |l| names(l).contains(&"agent_end")).await;
    let told = events(&lines, "finalize");
    let active: Vec<&Value> = told.iter().map(|l| &l["event"]["stopHookActive"]).collect();
    assert_eq!(active, [false, true, true]);
    assert_eq!(told[0]["trigger"], "user");
    let event = &told[0]["event"];
    for (name, expected) in [("lastAssistantMessage", "Mock reply: all good."), ("sessionKey", "agent:main:f"), ("provider", "mock")] {
        assert_eq!(event[name], expected, "{event}");
    }
    for name in ["sessionId", "runId", "turnId", "model", "cwd", "transcriptPath"] {
        assert!(event[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {event}");
    }
    assert_eq!((&told[0]["session"], &event["messages"], &told[1]["event"]["messages"]), (&json!("agent:main:f"), &json!(1), &json!(3)));
    let roles = json!(["user", "assistant", "user", "assistant", "user", "assistant"]);
    assert_eq!((&events(&lines, "agent_end")[0]["roles"], &events(&lines, "agent_end")[0]["success"]), (&roles, &json!(true)));
    // What the plugin asked for is in the transcript, and marked: nobody takes it for the user's words.
    let stored = client.ok("sessions.get", json!({"key": "agent:main:f"})).await.to_string();
    assert_eq!(stored.matches("before_agent_finalize").count(), 2, "{stored}");

    // Without a retry the plugin itself says when it is enough.
    client.say("agent:main:free", "hello").await;
    assert_eq!(home.model.requests().len(), 6);
    assert_eq!(events(&home.recorded(), "registered").len(), 1, "turns register nothing again");
    live.stop().await;
}

const CLAIMS: &str = r#"
  api.on('inbound_claim', (event) => { log({ hook: 'bound only', event }); return { handled: true }; }, { priority: 9 });
  api.on('inbound_claim', (event, ctx) => {
    log({ hook: 'inbound_claim', event, ctx });
    if (event.content.includes('mine')) return { handled: true, reply: { text: 'taken' } };
    if (event.content.includes('hush')) return { handled: true };
  }, { allMessages: true });
  api.on('message_received', () => { log({ hook: 'message_received' }); });
"#;

// HOOK-034, HOOK-070, HOOK-209, HOOK-299
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_asks_for_it_may_take_any_message() {
    let mut home = Home::new().await;
    home.plugin("claims", &code(CLAIMS));
    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(text(&client.say("agent:main:c", "this is mine").await["message"]), "taken");
    assert_eq!(text(&client.say("agent:main:c", "hush").await["message"]), "");
    assert!(home.model.requests().is_empty());
    assert_eq!(names(&home.recorded()), ["inbound_claim", "inbound_claim"], "nobody else heard of a message that was taken");
    let seen = home.recorded()[0].clone();
    let event = &seen["event"];
    let expected = json!({"content": "this is mine", "channel": "webchat", "isGroup": false, "sessionKey": "agent:main:c"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&event[name], value, "{event}");
    }
    assert!(event["runId"].is_string() && event["metadata"].is_object() && seen["ctx"]["channelId"] == "webchat", "{seen}");
    assert_eq!(text(&client.say("agent:main:c", "for the agent").await["message"]), "Mock reply: all good.");
    home.until("the message goes on", |l| names(l).contains(&"message_received")).await;
    assert!(!names(&home.recorded()).contains(&"bound only"));
    live.stop().await;
}

const DEADLINES: &str = r#"
  const waits = (event, name) => new Promise((done) => {
    event.signal.addEventListener('abort', () => { log({ hook: name, aborted: event.signal.reason.message, config: event.context.pluginConfig }); done(); }, { once: true });
  });
  api.on('before_tool_call', (event) => waits(event, 'gate'), { timeoutMs: 200 });
  api.on('before_prompt_build', (event) => waits(event, 'prompt'));
  api.on('llm_input', (event) => { if (event.prompt.includes('spin')) for (;;) {} }, { timeoutMs: 300 });
  api.on('subagent_spawned', () => {});
  api.on('cron_changed', () => {});
  api.registerTool({ name: 'probe', description: 'p', parameters: { type: 'object', properties: {} }, async execute() { log({ hook: 'ran' }); return { content: [] }; } });
"#;

const NEIGHBOUR: &str = r#"
  api.on('before_tool_call', () => ({ params: { checked: true } }));
  api.registerTool({ name: 'quick', description: 'q', parameters: { type: 'object', properties: {} }, async execute(id, params) { log({ hook: 'quick', params }); return { content: [] }; } });
"#;

// HOOK-005, HOOK-076..078, HOOK-082, HOOK-094, HOOK-098, HOOK-102, HOOK-168, HOOK-296, HOOK-303: what is not emitted is told
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_the_work_and_is_counted() {
    let mut home = Home::new().await;
    home.plugin_with("late", &code(DEADLINES), json!({"contracts": {"tools": ["probe"]}}));
    let entry = &mut home.config["plugins"]["entries"]["late"];
    entry["config"] = json!({"colour": "red"});
    entry["hooks"]["timeouts"] = json!({"before_prompt_build": 150});
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:late", "[[tool:probe {}]]").await;
    let lines = home.until("both signals", |l| events(l, "gate").len() + events(l, "prompt").len() >= 2).await;
    let told = |hook: &str| events(&lines, hook)[0].clone();
    assert_eq!((&told("gate")["aborted"], &told("prompt")["aborted"]), (&json!("timed out after 200ms"), &json!("timed out after 150ms")));
    assert_eq!(told("gate")["config"], json!({"colour": "red"}));
    assert!(!names(&lines).contains(&"ran"), "a gate that did not answer refuses the call");
    let asked = home.model.last_request().body.to_string();
    assert!(asked.contains("Tool call blocked because before_tool_call hook failed"), "{asked}");

    // An observer that never gives its worker back is ended after its time; nobody waited for it.
    let pid = async |client: &mut Client| client.ok("plugins.inspect", json!({"id": "late"})).await["runtime"]["pid"].clone();
    let before = pid(&mut client).await;
    client.say("agent:main:spin", "spin").await;
    let begun = Instant::now();
    loop {
        let now = pid(&mut client).await;
        if now.is_number() && now != before {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the worker was not ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(text(&client.say("agent:main:spin", "again").await["message"]), "Mock reply: all good.");

    let detail = client.ok("plugins.inspect", json!({"id": "late"})).await;
    let stats = detail["runtime"]["hookStats"].as_array().unwrap_or_else(|| panic!("{detail}")).clone();
    let row = |hook: &str| stats.iter().find(|r| r["hook"] == hook).cloned().unwrap_or_default();
    assert_eq!((&row("before_tool_call")["timeouts"], &row("before_tool_call")["failures"]), (&json!(1), &json!(1)), "{stats:?}");
    assert_eq!((&row("llm_input")["timeouts"], row("before_prompt_build")["timeouts"].as_u64() >= Some(1)), (&json!(1), true), "{stats:?}");
    let silent: Vec<&Value> = detail["runtime"]["recordedOnly"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert_eq!(silent, ["subagent_spawned (nothing emits it yet)", "cron_changed (nothing emits it yet)"]);
    live.stop().await;
}

// HOOK-099: plugins of one worker, of which one spins: the others' gates are asked again in the next worker
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_spins_costs_its_neighbours_nothing() {
    let mut home = Home::new().await;
    home.plugin("spins", &code("api.on('llm_input', (event) => { if (event.prompt.includes('spin')) for (;;) {} }, { timeoutMs: 500 });"));
    home.plugin_with("neighbour", &code(NEIGHBOUR), json!({"contracts": {"tools": ["quick"]}}));
    for id in ["spins", "neighbour"] {
        home.config["plugins"]["entries"][id]["runtime"] = json!({"group": "both"});
    }
    let live = home.start().await;
    let mut client = live.client().await;
    let pid = async |client: &mut Client, id: &str| client.ok("plugins.inspect", json!({ "id": id })).await["runtime"]["pid"].clone();
    let (one, other) = (pid(&mut client, "spins").await, pid(&mut client, "neighbour").await);
    assert!(one.is_number() && one == other, "{one} {other}");
    // The observer spins while the gate of the other plugin is asked.
    client.say("agent:main:g", "please spin [[tool:quick {}]]").await;
    let stats = client.ok("plugins.inspect", json!({"id": "neighbour"})).await;
    let row = stats["runtime"]["hookStats"].as_array().unwrap().iter().find(|r| r["hook"] == "before_tool_call").cloned().unwrap();
    assert_eq!((&row["calls"], &row["failures"]), (&json!(1), &json!(0)), "{row}");
    let ran = events(&home.recorded(), "quick").first().map(|l| l["params"].clone());
    assert_eq!(ran, Some(json!({"checked": true})));
    live.stop().await;
}

const COMPACTIONS: &str = r#"
  for (const action of ['before', 'after']) {
    api.registerHook(`session:compact:${action}`, (event) => {
      const { pluginConfig, ...context } = event.context;
      log({ hook: action, context });
      event.messages.push(`said ${action}`);
    }, { name: action });
  }
"#;

// HOOK-277, HOOK-280: listeners of a compaction speak in the conversation
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compactions_are_told_with_their_numbers() {
    let mut home = Home::new().await;
    home.plugin("listens", &code(COMPACTIONS));
    let live = home.start().await;
    let mut client = live.client().await;
    let key = "agent:main:k";
    for message in ["one", "two"] {
        client.say(key, message).await;
    }
    client.ok("chat.send", json!({"sessionKey": key, "message": "/compact", "idempotencyKey": "compact"})).await;
    let shown = text(&client.chat_end("compact").await["message"]);
    assert!(shown.starts_with("said before\n\nsaid after\n\n"), "{shown}");
    let lines = home.recorded();
    let (before, after) = (&events(&lines, "before")[0]["context"], &events(&lines, "after")[0]["context"]);
    for (name, expected) in [("messageCount", json!(4)), ("messageCountOriginal", json!(4)), ("missingSessionKey", json!(false))] {
        assert_eq!(before[name], expected, "{name}: {before}");
    }
    assert!(before["tokenCount"].as_u64() > Some(0) && before["tokenCount"] == before["tokenCountOriginal"], "{before}");
    assert!(after["summaryLength"].as_u64() > Some(0) && after["compactedCount"].as_u64() > Some(0), "{after}");
    assert_eq!((&after["tokensBefore"], &after["tokensAfter"]), (&before["tokenCount"], &after["tokenCount"]));
    assert!(after.get("firstKeptEntryId").is_some() && before["sessionId"] == after["sessionId"], "{after}");
    live.stop().await;
}

const JOBS: &str = r#"
  const job = (id, sessionKey) => api.registerSessionSchedulerJob({ id, sessionKey, kind: 'reminder', cleanup: (ctx) => { log({ hook: 'cleanup', ctx }); } });
  job('mine', 'agent:main:job');
  job('other', 'agent:main:elsewhere');
  api.on('message_received', async ({ sessionKey }) => {
    const sent = await api.sendSessionAttachment({ sessionKey, files: [{ path: 'a.png' }] });
    const turn = await api.scheduleSessionTurn({ sessionKey, message: 'later', delayMs: 1000, tag: 'x' });
    log({ hook: 'seams', sent: [sent.ok, typeof sent.error], turn: typeof turn, gone: await api.unscheduleSessionTurnsByTag({ sessionKey, tag: 'x' }) });
  });
"#;

// API-095..097, API-206, HOOK-263: a scheduler job schedules nothing; its cleanup runs with its own session
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_sessions_are_cleaned_up_with_their_session() {
    let mut home = Home::new().await;
    home.plugin("jobs", &code(JOBS));
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:job", "hello").await;
    client.say("agent:main:third", "hello").await;
    for key in ["agent:main:third", "agent:main:job"] {
        client.ok("sessions.reset", json!({ "key": key })).await;
    }
    let lines = home.until("what is for bundled plugins", |l| events(l, "seams").len() == 2).await;
    let cleaned = events(&lines, "cleanup");
    assert_eq!(cleaned.len(), 1, "{lines:?}");
    assert_eq!(cleaned[0]["ctx"], json!({"reason": "reset", "sessionKey": "agent:main:job", "jobId": "mine"}));
    let seams = events(&lines, "seams")[0];
    assert_eq!((&seams["sent"], &seams["turn"]), (&json!([false, "string"]), &json!("undefined")), "{seams}");
    assert_eq!(seams["gone"], json!({"removed": 0, "failed": 0}));
    live.stop().await;
}
