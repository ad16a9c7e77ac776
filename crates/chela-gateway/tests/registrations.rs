//! What plugins register, as clients and models meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, text};
use serde_json::{Value, json};

const COMMANDS: &str = r#"
export default function register(api) {
  const add = (name, handler, more = {}) => api.registerCommand({ name, description: name, acceptsArgs: true, handler, ...more });
  add('plain', (ctx) => ({ text: JSON.stringify({ args: ctx.args, body: ctx.commandBody, channel: ctx.channel, key: ctx.sessionKey,
    authorized: ctx.isAuthorizedSender, owner: ctx.senderIsOwner ?? 'hidden', scopes: ctx.gatewayClientScopes.length, config: typeof ctx.config }) }));
  add('scoped', (ctx) => ({ text: `owner ${ctx.senderIsOwner}` }), { requiredScopes: ['operator.approvals'] });
  add('broken', () => { throw new Error('the secret inside'); });
  add('onward', () => ({ continueAgent: true }));
  add('odd', () => 'no object');
}"#;

async fn command(client: &mut Client, run: &str, message: &str) -> String {
    client.ok("chat.send", json!({"sessionKey": "agent:main:cmd", "message": message, "idempotencyKey": run})).await;
    text(&client.chat_end(run).await["message"])
}

// API-140, API-142, API-143, API-145, API-146
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_commands_of_plugins_come_before_the_agent() {
    let mut home = Home::new().await;
    home.plugin("cmds", COMMANDS);
    let live = home.start().await;
    let mut client = live.client().await;
    let said: Value = serde_json::from_str(&command(&mut client, "c1", "/plain  a b ").await).unwrap();
    assert_eq!(
        said,
        json!({"args": "a b", "body": "/plain  a b ", "channel": "webchat", "key": "agent:main:cmd", "authorized": true,
        "owner": "hidden", "scopes": 5, "config": "object"})
    );
    assert_eq!(command(&mut client, "c2", "/scoped").await, "owner true");
    let failed = command(&mut client, "c3", "/broken").await;
    assert!(!failed.is_empty() && !failed.contains("secret"), "{failed}");
    assert_eq!(command(&mut client, "c4", "/odd").await, "");
    assert_eq!(home.model.requests().len(), 0);
    // The command lets the agent answer too.
    assert_eq!(command(&mut client, "c5", "/onward").await, "Mock reply: all good.");
    assert_eq!(home.model.requests().len(), 1);
    live.stop().await;
}

const ROUTES: &str = r#"
export default function register(api) {
  const add = (path, auth, handler, more = {}) => api.registerHttpRoute({ path, auth, handler, ...more });
  add('/r/shared', 'gateway', (req, res) => { res.end('gateway'); });
  add('/r/open', 'plugin', (req, res) => { res.statusCode = 202; res.end(req.headers.authorization ?? 'nobody'); });
  add('/r/boom', 'plugin', () => { throw new Error('secret'); });
  add('/r/late', 'plugin', async (req, res) => { res.write('begun'); throw new Error('secret'); });
  add('/r', 'plugin', () => false, { match: 'prefix' });
  api.registerGatewayMethod('route.read', async () => ({ read: true }), { scope: 'operator.read' });
}"#;

// API-155, API-157, API-158, API-159, API-174
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_and_methods_are_served_by_their_own_rules() {
    let mut home = Home::new().await;
    // A gateway route may not lie below a plugin route, so it has a root of its own.
    home.plugin("routes", &ROUTES.replace("/r/shared", "/shared"));
    let live = home.start().await;
    assert_eq!(live.http_with("GET", "/shared", None, &[]).await.0, 401);
    let (status, _, body) = live.http("GET", "/shared", None).await;
    assert_eq!((status, body.as_str()), (200, "gateway"));
    let (status, _, body) = live.http_with("GET", "/r/open", None, &[]).await;
    assert_eq!((status, body.as_str()), (202, "nobody"));
    let (status, _, body) = live.http_with("GET", "/r/open", None, &[("authorization", "Own scheme")]).await;
    assert_eq!((status, body.as_str()), (202, "Own scheme"));
    let (status, head, body) = live.http_with("GET", "/r/boom", None, &[]).await;
    assert_eq!((status, body.as_str()), (500, "Internal Server Error"));
    assert!(head.contains("content-type: text/plain"), "{head}");
    let (_, _, body) = live.http_with("GET", "/r/late", None, &[]).await;
    assert!(!body.contains("secret"), "{body}");
    // What no plugin serves goes on to the page.
    let (status, head, _) = live.http_with("GET", "/r/other", None, &[]).await;
    assert!(status == 200 && head.contains("text/html"), "{status} {head}");
    let mut client = live.client().await;
    assert_eq!(client.ok("route.read", json!({})).await, json!({"read": true}));
    let row = client.ok("plugins.inspect", json!({"id": "routes"})).await;
    assert_eq!(row["plugin"]["gatewayMethods"], json!(["route.read"]));
    live.stop().await;
}

const SEAMS: &str = r#"
export default function register(api) {
  const reply = (name, run) => api.registerGatewayMethod(name, async ({ params, respond }) => respond(true, { value: (await run(params)) ?? null }), { scope: 'operator.write' });
  const early = api.emitAgentEvent({ runId: 'r0', stream: 'seams', data: {} });
  reply('seam.early', () => early);
  reply('seam.emit', (event) => api.emitAgentEvent(event));
  reply('seam.config', () => api.pluginConfig);
  reply('seam.late', () => [api.registerTool({ name: 'late' }) === undefined, api.registrationMode]);
  api.registerSessionAction({ id: 'add', schema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
    handler: ({ payload, sessionKey }) => ({ ok: true, result: { next: payload.n + 1, sessionKey } }) });
  api.registerSessionAction({ id: 'fall', handler: () => { throw new Error('secret'); } });
  api.registerService({ id: 'first', start: () => { throw new Error('no luck'); }, stop: () => api.logger.error('first must not be stopped') });
  api.registerService({ id: 'second', start: () => log('start second'), stop: () => log('stop second') });
  const fs = process.getBuiltinModule('node:fs');
  const log = (service) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify({ service }) + '\n');
}"#;

// API-010, API-017, API-186, API-187, API-201, API-202, API-203, API-207
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seams_between_plugins_and_the_gateway() {
    let mut home = Home::new().await;
    let schema = json!({"type": "object", "additionalProperties": false,
        "properties": {"level": {"type": "integer", "default": 3}, "name": {"type": "string"}}});
    home.plugin_with("seams", SEAMS, json!({"configSchema": schema}));
    home.config["plugins"]["entries"]["seams"]["config"] = json!({"name": "n"});
    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(client.ok("seam.config", json!({})).await["value"], json!({"name": "n", "level": 3}));
    assert_eq!(client.ok("seam.late", json!({})).await["value"], json!([true, "full"]));

    // Before its registrations count it is not there.
    assert_eq!(client.ok("seam.early", json!({})).await["value"], json!({"emitted": false, "reason": "plugin is not loaded"}));
    let emit = |stream: &str, data: Value| json!({"runId": "r1", "stream": stream, "data": data, "sessionKey": "agent:main:seam"});
    for refused in [
        "lifecycle",
        "tool",
        "assistant",
        "error",
        "item",
        "plan",
        "approval",
        "command_output",
        "patch",
        "compaction",
        "thinking",
        "model",
        "other",
        "seamsx",
    ] {
        assert_eq!(client.ok("seam.emit", emit(refused, json!({}))).await["value"]["emitted"], false, "{refused}");
    }
    for (data, expected) in [
        (json!({"a": 1}), json!({"a": 1, "pluginId": "seams", "pluginName": "seams"})),
        (json!(7), json!({"value": 7, "pluginId": "seams", "pluginName": "seams"})),
    ] {
        assert_eq!(client.ok("seam.emit", emit("seams.step", data)).await["value"], json!({"emitted": true, "stream": "seams.step"}));
        let event = client.event(|e| e["event"] == "agent" && e["payload"]["stream"] == "seams.step").await;
        assert_eq!(event["payload"]["data"], expected);
    }

    let action =
        |id: &str, payload: Value| json!({"pluginId": "seams", "actionId": id, "sessionKey": "agent:main:seam", "payload": payload});
    let done = client.ok("plugins.sessionAction", action("add", json!({"n": 1}))).await;
    assert_eq!(done, json!({"ok": true, "result": {"next": 2, "sessionKey": "agent:main:seam"}}));
    let refused = client.error("plugins.sessionAction", action("add", json!({"n": "one"}))).await;
    assert_eq!(refused["code"], "INVALID_REQUEST", "{refused}");
    let failed = client.error("plugins.sessionAction", action("fall", Value::Null)).await;
    assert_eq!((failed["code"].as_str(), failed["message"].as_str()), (Some("UNAVAILABLE"), Some("plugin session action failed")));
    client.error("plugins.sessionAction", action("none", Value::Null)).await;
    live.stop().await;
    let services: Vec<Value> = home.recorded().into_iter().map(|l| l["service"].clone()).collect();
    assert_eq!(services, ["start second", "stop second"]);
}

const TOOLS: &str = r#"
const tool = (name, more = {}) => ({ name, description: name, parameters: { type: 'object', properties: {} }, execute: async () => ({ content: [{ type: 'text', text: name }] }), ...more });
export default function register(api) {
  api.registerTool(() => { throw new Error('no tool today'); }, { names: ['t_throws'] });
  api.registerTool(() => null, { names: ['t_null'] });
  api.registerTool(() => [tool('t_one'), { name: 't_malformed' }, tool('t_undeclared')], { names: ['t_one', 't_malformed'] });
  api.registerTool(tool('t_plain'));
  api.registerToolMetadata({ toolName: 't_unborn', displayName: 'Unborn' });
}"#;

// API-110, API-111, API-112, API-119, API-126
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_good_tools_of_enabled_plugins_are_offered() {
    let mut home = Home::new().await;
    let contracts = json!({"contracts": {"tools": ["t_throws", "t_null", "t_one", "t_malformed", "t_plain", "t_unborn"]}});
    home.plugin_with("tools", TOOLS, contracts.clone()).plugin_with("off", &TOOLS.replace("t_", "o_"), contracts);
    home.config["plugins"]["compat"] = json!({"strict": true});
    home.config["plugins"]["entries"]["off"]["enabled"] = json!(false);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:tools", "hello").await;
    let body = home.model.last_request().body;
    let names: Vec<&str> = body["tools"].as_array().unwrap().iter().map(|t| t["function"]["name"].as_str().unwrap()).collect();
    let own: Vec<&&str> = names.iter().filter(|n| n.starts_with("t_") || n.starts_with("o_")).collect();
    assert_eq!(own, [&"t_one", &"t_plain"], "{names:?}");
    live.stop().await;
}
