//! Registrations that the gateway itself acts on: rules for config changes, services that announce it, policies for commands of nodes,
//! resolvers of hosted media, descriptors of the page, the runtime of detached tasks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/rig.rs"]
mod rig;

use std::time::{Duration, Instant};

use chela_gateway::devices::{BootstrapProfile, DeviceStore};
use live::{Client, Home, Live};
use serde_json::{Value, json};

async fn ask(client: &mut Client, method: &str) -> Option<Value> {
    let answer = client.call(method, json!({})).await;
    (answer["ok"] == true).then(|| answer["payload"].clone())
}

/// Asks until the answer is as wanted.
async fn until(client: &mut Client, method: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let seen = ask(client, method).await;
        if let Some(seen) = seen.as_ref().filter(|seen| wanted(seen)) {
            return seen.clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{method}: never {what}: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const RELOADING: &str = r#"
import { definePluginEntry } from 'openclaw/plugin-sdk/plugin-entry';
const state = (api) => ({ pid: process.pid, own: api.config.plugins.entries.ID.config ?? null, alias: api.config.session?.mainKey ?? null, level: api.config.commands?.text ?? null });
export default definePluginEntry({ id: 'ID', name: 'ID', description: 'ID', RELOAD
  register(api) { api.registerGatewayMethod('ID.state', ({ respond }) => respond(true, state(api)), { scope: 'operator.read' }); } });
"#;

fn reloading(id: &str, reload: &str) -> String {
    RELOADING.replace("ID", id).replace("RELOAD", reload)
}

// API-061, GW-136
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_say_what_a_changed_setting_means_for_them() {
    let mut home = Home::new().await;
    home.plugin("alpha", &reloading("alpha", "reload: { restartPrefixes: ['session.mainKey'], noopPrefixes: ['commands'] },"));
    home.plugin("beta", &reloading("beta", "reload: { hotPrefixes: ['plugins.entries.beta.config.live'] },"));
    home.config["plugins"]["entries"]["beta"]["config"] = json!({"live": 1, "fixed": 1});
    let live = home.start().await;
    let mut client = live.client().await;
    let (alpha, beta) = (ask(&mut client, "alpha.state").await.unwrap(), ask(&mut client, "beta.state").await.unwrap());
    let pid = |seen: &Value| seen["pid"].clone();

    // No rule of the gateway's own speaks of `commands`, so it would start anew; one plugin says that nothing has to happen.
    home.config["commands"] = json!({"text": true});
    home.write_config();
    let seen = until(&mut client, "alpha.state", "the new setting", |s| s["level"] == true).await;
    assert_eq!(pid(&seen), pid(&alpha));

    // A path that one plugin wants to start anew for: it alone does.
    home.config["session"] = json!({"mainKey": "other"});
    home.write_config();
    let seen = until(&mut client, "alpha.state", "another worker", |s| s["pid"] != alpha["pid"]).await;
    assert_eq!(seen["alias"], "other");
    assert_eq!(pid(&until(&mut client, "beta.state", "there", |s| s["alias"] == "other").await), pid(&beta));

    // Its own settings start a plugin anew, but not those that it reads itself.
    home.config["plugins"]["entries"]["beta"]["config"] = json!({"live": 2, "fixed": 1});
    home.write_config();
    assert_eq!(pid(&until(&mut client, "beta.state", "2", |s| s["own"]["live"] == 2).await), pid(&beta));
    home.config["plugins"]["entries"]["beta"]["config"] = json!({"live": 3, "fixed": 2});
    home.write_config();
    let seen = until(&mut client, "beta.state", "3", |s| s["own"]["live"] == 3 && s["pid"] != beta["pid"]).await;
    assert_eq!(seen["own"]["fixed"], 2);
    live.stop().await;
}

const ANNOUNCING: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  api.registerGatewayDiscoveryService({ id: 'net', advertise: async (ctx) => { log({ announced: ctx }); return { stop: () => log({ stopped: 'net' }) }; } });
  api.registerGatewayDiscoveryService({ id: 'none', advertise: () => { log({ announced: 'none' }); } });
  api.registerGatewayDiscoveryService({ id: 'broken', advertise: () => { throw new Error('no network'); } });
  api.registerGatewayDiscoveryService({ id: ' ', advertise: () => log({ announced: 'blank' }) });
}"#;

// API-066, API-191, API-249
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_services_announce_the_gateway_while_it_runs() {
    let mut home = Home::new().await;
    home.plugin("announcer", ANNOUNCING);
    let live = home.start_cold_with(&[("OPENCLAW_TAILNET_DNS", "box.ts.net."), ("OPENCLAW_SSH_PORT", "2222")]).await;
    live.plugins_up().await;
    let lines = home.until("both services", |l| l.len() >= 2).await;
    let told = lines.iter().find(|l| l["announced"].is_object()).unwrap()["announced"].clone();
    assert!(told["machineDisplayName"].as_str().is_some_and(|name| !name.is_empty()), "{told}");
    let rest = json!({"gatewayPort": live.port, "gatewayTlsEnabled": false, "minimal": true, "tailnetDns": "box.ts.net"});
    for (name, value) in rest.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    assert!(told.get("sshPort").is_none() && told.get("cliPath").is_none(), "{told}");
    let mut client = live.client().await;
    let list = client.ok("plugins.list", json!({})).await;
    let row = list["plugins"].as_array().unwrap().iter().find(|row| row["id"] == "announcer").unwrap();
    let said: Vec<&str> = row["diagnostics"].as_array().unwrap().iter().filter_map(|d| d["message"].as_str()).collect();
    assert_eq!(said, ["gateway discovery service registration missing id"], "{row}");
    assert_eq!(row["recordedOnly"], json!([]), "{row}");
    drop(client);
    live.stop().await;
    let lines = home.recorded();
    let stops: Vec<&Value> = lines.iter().filter(|l| l.get("stopped").is_some()).collect();
    assert_eq!(stops, [&json!({"stopped": "net"})]);
    assert!(lines.contains(&json!({"announced": "none"})) && !lines.contains(&json!({"announced": "blank"})), "{lines:?}");

    // The operator may keep the gateway to himself.
    std::fs::remove_file(home.log()).unwrap();
    home.config["discovery"] = json!({"mdns": {"mode": "off"}});
    home.start().await.stop().await;
    assert_eq!(home.recorded(), [] as [Value; 0]);
}

const POLICY: &str = r#"
export default function register(api) {
  api.registerNodeHostCommand({ command: 'door.burn', dangerous: true, handle: async () => 'x' });
  api.registerNodeInvokePolicy({ commands: ['door.blow'], dangerous: true, handle: (ctx) => ctx.invokeNode() });
  api.registerNodeInvokePolicy({ commands: ['door.open', 'door.ask', 'door.fail'], async handle(ctx) {
    if (ctx.params?.forbidden) return { ok: false, code: 'DOOR_SHUT', message: 'the door stays shut', details: { floor: 2 }, unavailable: true };
    if (ctx.command === 'door.fail') throw new Error('policy bug');
    if (ctx.command === 'door.ask') return { ok: true, payload: await ctx.approvals.request({ title: 'Open?', description: 'The door' }) };
    const answer = await ctx.invokeNode({ params: { ...ctx.params, checked: true } });
    const { nodeId, command, client, node, pluginConfig, config, idempotencyKey } = ctx;
    return answer.ok ? { ok: true, payload: { answer: answer.payload, ctx: { nodeId, command, client, platform: node.platform, pluginConfig, models: typeof config.models, idempotencyKey } } } : answer;
  } });
  api.registerGatewayMethod('policy.nodes', async ({ params, respond }) => {
    try { respond(true, await api.runtime.nodes.invoke(params)); } catch (error) { respond(true, { error: error.message }); }
  }, { scope: 'operator.write' });
}"#;

/// A node with approved commands, and its id.
async fn door(home: &Home, live: &Live, admin: &mut Client) -> (rig::Client, String) {
    let code = DeviceStore::new(&home.dir.path().join("state/devices")).issue_bootstrap(&BootstrapProfile::companion()).unwrap();
    let mut node = rig::open_at(([127, 0, 0, 1], live.port).into(), "/", &[("x-forwarded-for", "9.9.9.9")]).await.unwrap();
    let mut params = rig::params("cli", "cli");
    let commands = ["door.open", "door.ask", "door.fail", "door.blow", "door.burn", "door.bell", "door.gone", "system.run"];
    for (key, value) in
        [("auth", json!({"bootstrapToken": code.token})), ("role", json!("node")), ("scopes", json!([])), ("commands", json!(commands))]
    {
        params[key] = value;
    }
    rig::sign(&mut params, 7, &node.nonce);
    let hello = node.connect(&params).await;
    assert_eq!(hello["payload"]["auth"]["role"], "node", "{hello}");
    let asked = admin.event(|event| event["event"] == "node.pair.requested").await["payload"].clone();
    admin.ok("node.pair.approve", json!({"requestId": asked["requestId"]})).await;
    (node, asked["nodeId"].as_str().unwrap().to_owned())
}

/// The next command that the node is sent.
async fn command(node: &mut rig::Client) -> Value {
    loop {
        let frame = node.read().await.json();
        if frame["event"] == "node.invoke.request" {
            return frame["payload"].clone();
        }
    }
}

async fn answer(node: &mut rig::Client, result: Value) -> Value {
    node.send(json!({"type": "req", "id": "result", "method": "node.invoke.result", "params": result}).to_string()).await;
    loop {
        let frame = node.read().await.json();
        if frame["id"] == "result" {
            return frame;
        }
    }
}

// API-062, API-063, GW-68, RT-053, RT-056
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_to_nodes_through_the_policies_of_plugins() {
    let mut home = Home::new().await;
    home.plugin("policy", POLICY);
    home.config["plugins"]["entries"]["policy"]["config"] = json!({"own": 1});
    home.config["gateway"]["nodes"] = json!({"denyCommands": ["door.gone"], "allowCommands": ["door.burn"]});
    let live = home.start().await;
    let mut admin = live.client().await;
    let (mut node, id) = door(&home, &live, &mut admin).await;
    let wants = |command: &str, params: Value| json!({"nodeId": id, "command": command, "params": params, "idempotencyKey": "k1"});

    // A command without a policy goes as it is.
    let asked = admin.request("node.invoke", wants("door.bell", json!({"times": 2}))).await;
    let got = command(&mut node).await;
    assert_eq!((&got["command"], &got["paramsJSON"], &got["idempotencyKey"]), (&json!("door.bell"), &json!("{\"times\":2}"), &json!("k1")));
    let wrong = answer(&mut node, json!({"id": got["id"], "nodeId": "other", "ok": true})).await;
    assert_eq!(wrong["error"]["message"], "nodeId mismatch");
    let done = answer(&mut node, json!({"id": got["id"], "nodeId": id, "ok": true, "payloadJSON": "{\"rang\":2}"})).await;
    assert_eq!(done["payload"], json!({"ok": true}));
    let late = answer(&mut node, json!({"id": got["id"], "nodeId": id, "ok": true})).await;
    assert_eq!(late["payload"], json!({"ok": true, "ignored": true}));
    let expected = json!({"ok": true, "nodeId": id, "command": "door.bell", "payload": {"rang": 2}, "payloadJSON": "{\"rang\":2}"});
    assert_eq!(admin.response(&asked).await["payload"], expected);

    // A policy changes what the node gets, and sees who asks.
    let asked = admin.request("node.invoke", wants("door.open", json!({"door": "front"}))).await;
    let got = command(&mut node).await;
    assert_eq!(got["paramsJSON"], "{\"door\":\"front\",\"checked\":true}");
    answer(&mut node, json!({"id": got["id"], "nodeId": id, "ok": true, "payload": "open"})).await;
    let seen = admin.response(&asked).await["payload"]["payload"].clone();
    assert_eq!(seen["answer"], "open", "{seen}");
    let ctx = &seen["ctx"];
    assert_eq!((&ctx["nodeId"], &ctx["command"], &ctx["pluginConfig"]), (&json!(id), &json!("door.open"), &json!({"own": 1})));
    assert_eq!((&ctx["platform"], &ctx["models"], &ctx["idempotencyKey"]), (&json!("linux"), &json!("object"), &json!("k1")));
    assert!(ctx["client"]["scopes"].as_array().unwrap().contains(&json!("operator.admin")), "{ctx}");

    // A node's failure, seen through a plugin's own call.
    let asked = admin.request("policy.nodes", json!({"nodeId": id, "command": "door.open"})).await;
    let got = command(&mut node).await;
    let failure = json!({"id": got["id"], "nodeId": id, "ok": false, "error": {"code": "STUCK", "message": "the door is stuck"}});
    answer(&mut node, failure).await;
    assert_eq!(admin.response(&asked).await["payload"], json!({"error": "the door is stuck"}));

    // What a policy refuses, and what its bug refuses.
    let refused = admin.error("node.invoke", wants("door.open", json!({"forbidden": true}))).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("UNAVAILABLE"), &json!("the door stays shut")));
    assert_eq!((&refused["details"]["code"], &refused["details"]["floor"]), (&json!("DOOR_SHUT"), &json!(2)));
    let failed = admin.error("node.invoke", wants("door.fail", json!({}))).await;
    assert_eq!(failed["details"]["code"], "PLUGIN_POLICY_FAILED", "{failed}");
    assert!(failed["message"].as_str().unwrap().contains("policy bug"), "{failed}");

    // A policy asks people.
    let asked = admin.request("node.invoke", wants("door.ask", json!({}))).await;
    let mut other = live.client().await;
    let request = until(&mut other, "plugin.approval.list", "asked", |list| !list.as_array().unwrap().is_empty()).await[0].clone();
    assert_eq!((&request["request"]["title"], &request["request"]["pluginId"]), (&json!("Open?"), &json!("policy")));
    other.ok("plugin.approval.resolve", json!({"id": request["id"], "decision": "allow-once"})).await;
    assert_eq!(admin.response(&asked).await["payload"]["payload"], json!({"id": request["id"], "decision": "allow-once"}));

    // Dangerous ones need the operator's word, and a policy; denied ones go nowhere; programs wait for approvals that are not built.
    let reason = |error: &Value| error["details"]["reason"].as_str().unwrap_or_default().to_owned();
    let blow = admin.error("node.invoke", wants("door.blow", json!({}))).await;
    assert!(reason(&blow).contains("gateway.nodes.allowCommands"), "{blow}");
    let burn = admin.error("node.invoke", wants("door.burn", json!({}))).await;
    assert_eq!(burn["details"]["code"], "PLUGIN_POLICY_MISSING", "{burn}");
    let gone = admin.error("node.invoke", wants("door.gone", json!({}))).await;
    assert!(reason(&gone).contains("gateway.nodes.denyCommands"), "{gone}");
    assert_eq!(admin.error("node.invoke", wants("system.run", json!({}))).await["details"]["code"], "NOT_BUILT");
    assert_eq!(reason(&admin.error("node.invoke", wants("door.other", json!({}))).await), "command not declared by node");

    // A node that goes, and one that is slow.
    let mut slow = wants("door.bell", json!({}));
    slow["timeoutMs"] = 20.into();
    assert_eq!(admin.error("node.invoke", slow).await["details"]["code"], "TIMEOUT");
    command(&mut node).await;
    let asked = admin.request("node.invoke", wants("door.bell", json!({}))).await;
    command(&mut node).await;
    drop(node);
    let gone = admin.response(&asked).await["error"].clone();
    assert_eq!(gone["details"]["code"], "NOT_CONNECTED", "{gone}");
    drop((admin, other));
    live.stop().await;
}

const HOSTING: &str = r#"
import fs from 'node:fs';
import path from 'node:path';
export default function register(api) {
  api.registerHostedMediaResolver(() => { throw new Error('broken resolver'); });
  api.registerHostedMediaResolver(async (url) => url.startsWith('/canvas/') ? path.join(path.dirname(process.env.TEST_LOG), 'state/media', path.basename(url)) : null);
}"#;

const READING: &str = r#"
import { loadWebMedia } from 'openclaw/plugin-sdk/web-media';
export default function register(api) {
  api.registerGatewayMethod('reader.read', async ({ params, respond }) => {
    try {
      const { buffer, kind, contentType } = await loadWebMedia(params.url);
      const own = await api.runtime.media.loadWebMedia(params.url);
      respond(true, { text: buffer.toString(), kind, contentType, same: own.buffer.equals(buffer) });
    } catch (error) { respond(true, { code: error.code }); }
  }, { scope: 'operator.write' });
}"#;

// API-039
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_that_one_plugin_hosts_is_read_by_another_one() {
    let mut home = Home::new().await;
    home.plugin("hosting", HOSTING);
    home.plugin("reading", READING);
    let media = home.dir.path().join("state/media");
    std::fs::create_dir_all(&media).unwrap();
    std::fs::write(media.join("note.txt"), "a note").unwrap();
    let live = home.start().await;
    let mut client = live.client().await;
    let read = client.ok("reader.read", json!({"url": "/canvas/note.txt"})).await;
    assert_eq!((&read["text"], &read["contentType"], &read["same"]), (&json!("a note"), &json!("text/plain"), &json!(true)), "{read}");
    // What no plugin knows is read by the usual rules.
    let unknown = client.ok("reader.read", json!({"url": "/elsewhere/note.txt"})).await;
    assert_eq!(unknown["code"], "path-not-allowed", "{unknown}");
    live.stop().await;
}

const DETACHED: &str = r#"
export default function register(api) {
  api.registerDetachedTaskRuntime({ cancelDetachedTaskRunById: async ({ cfg, taskId }) => {
    if (typeof cfg.models !== 'object') throw new Error('no config');
    return { found: true, cancelled: true, reason: 'ended outside', task: { taskId, runtime: 'acp', status: 'cancelled', task: 'Dig' } };
  } });
  api.registerControlUiDescriptor({ id: 'panel', surface: 'settings', label: ' Digging ', requiredScopes: ['operator.read'], schema: { a: 1 } });
}"#;

// API-077, API-082
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detached_tasks_end_in_their_runtime_and_descriptors_reach_the_page() {
    let mut home = Home::new().await;
    home.plugin("digger", DETACHED);
    home.fixture("runtime-probe");
    let live = home.start().await;
    let mut client = live.client().await;
    let task = async |client: &mut Client, area: &str, name: &str, args: Value| {
        let params = json!({"area": area, "sessionKey": "agent:main:dig", "name": name, "args": args});
        let answer = client.ok("probe.task", params).await;
        assert!(answer.get("threw").is_none(), "{area}.{name}: {answer}");
        answer["value"].clone()
    };
    let flow = task(&mut client, "managedFlows", "createManaged", json!([{"controllerId": "c", "goal": "Dig"}])).await;
    let wanted =
        json!([{"flowId": flow["flowId"], "runtime": "acp", "task": "Dig", "childSessionKey": "agent:main:hole", "status": "running"}]);
    let made = task(&mut client, "managedFlows", "runTask", wanted).await;
    let id = made["task"]["taskId"].clone();
    let ended = task(&mut client, "runs", "cancel", json!([{"taskId": id, "cfg": {}}])).await;
    assert_eq!((&ended["cancelled"], &ended["reason"], &ended["task"]["id"]), (&json!(true), &json!("ended outside"), &id), "{ended}");

    let shown = client.ok("plugins.uiDescriptors", json!({})).await;
    let expected = json!({"id": "panel", "surface": "settings", "label": "Digging", "requiredScopes": ["operator.read"], "schema": {"a": 1},
        "pluginId": "digger", "pluginName": "digger"});
    assert_eq!(shown, json!({"ok": true, "descriptors": [expected]}));
    let refused = client.error("plugins.uiDescriptors", json!({"surface": "settings"})).await;
    assert!(refused["message"].as_str().unwrap().contains("surface"), "{refused}");
    live.stop().await;
}
