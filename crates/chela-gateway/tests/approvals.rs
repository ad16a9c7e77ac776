//! Approvals and the tools for files and commands, through a whole gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::time::{Duration, Instant};

use live::{Client, Home, Live};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

const GATE: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
const parameters = { type: 'object', properties: {}, additionalProperties: true };
export default function register(api) {
  api.registerTool({ name: 'deploy', description: 'd', parameters, async execute(_id, params) {
    log({ ran: params });
    return { content: [{ type: 'text', text: 'deployed ' + params.to }] };
  } });
  api.on('before_tool_call', (event) => {
    if (event.toolName !== 'deploy') return;
    const own = event.params.ask ?? {};
    return { params: { ...event.params, seen: true }, requireApproval: {
      title: 'Deploy?', description: 'to ' + event.params.to, severity: 'warning', ...own,
      onResolution: (how) => log({ resolution: how }),
    } };
  });
}"#;

async fn gate() -> Home {
    let mut home = Home::new().await;
    home.plugin_with("gate", GATE, json!({"contracts": {"tools": ["deploy"]}}));
    home
}

/// Sends a message and does not wait for its end.
async fn begin(client: &mut Client, session: &str, message: &str) -> String {
    let run = uuid::Uuid::new_v4().to_string();
    client.ok("chat.send", json!({"sessionKey": session, "message": message, "idempotencyKey": run})).await;
    run
}

async fn asked(client: &mut Client, family: &str) -> Value {
    let event = format!("{family}.approval.requested");
    client.event(|e| e["event"] == event.as_str()).await["payload"].clone()
}

/// Results of tools that the model saw last.
fn results(home: &Home) -> Vec<String> {
    let body = home.model.last_request().body;
    let messages = body["messages"].as_array().unwrap();
    let last_user = messages.iter().rposition(|m| m["role"] == "user").unwrap();
    let tools = messages[last_user..].iter().filter(|m| m["role"] == "tool");
    tools.map(|m| m["content"].as_str().map_or_else(|| live::text(m), str::to_string)).collect()
}

fn deploy(args: Value) -> String {
    format!("[[tool:deploy {args}]]")
}

// HOOK-179, HOOK-180, HOOK-182, HOOK-183, HOOK-184, HOOK-185, HOOK-186, HOOK-189, HOOK-190, HOOK-191, HOOK-192, HOOK-193, HOOK-195
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_plugin_wants_confirmed_waits_for_an_answer() {
    let home = gate().await;
    let live = home.start().await;
    let (mut chat, mut desk) = (live.client().await, live.client().await);
    let session = "agent:main:gate";

    let run = begin(&mut chat, session, &deploy(json!({"to": "staging"}))).await;
    let request = asked(&mut desk, "plugin").await;
    let id = request["id"].as_str().unwrap().to_string();
    let about = &request["request"];
    assert!(id.starts_with("plugin:"), "{request}");
    assert_eq!((&about["pluginId"], &about["title"], &about["severity"]), (&json!("gate"), &json!("Deploy?"), &json!("warning")));
    assert_eq!((&about["toolName"], &about["sessionKey"], &about["agentId"]), (&json!("deploy"), &json!(session), &json!("main")));
    assert_eq!(request["expiresAtMs"].as_i64().unwrap() - request["createdAtMs"].as_i64().unwrap(), 120_000);
    assert_eq!(desk.ok("plugin.approval.list", json!({})).await, json!([request]));
    assert_eq!(desk.ok("exec.approval.list", json!({})).await, json!([]));
    assert!(home.recorded().is_empty(), "nothing runs before the answer");

    // Who only writes may neither see nor decide.
    let mut writer = Client::connect_as(live.port, &["operator.read", "operator.write"]).await;
    let params = json!({"id": id, "decision": "allow-once"});
    assert!(writer.error("plugin.approval.resolve", params.clone()).await["message"].as_str().unwrap().contains("operator.approvals"));
    let refused = begin(&mut writer, "agent:main:other", &format!("/approve {id} allow-once")).await;
    assert!(live::text(&writer.chat_end(&refused).await["message"]).contains("operator.approvals"));

    assert_eq!(desk.error("exec.approval.resolve", params.clone()).await["details"]["reason"], "APPROVAL_NOT_FOUND");
    assert_eq!(desk.ok("plugin.approval.resolve", json!({"id": &id[..16], "decision": "allow-once"})).await, json!({"ok": true}));
    let told = chat.event(|e| e["event"] == "plugin.approval.resolved").await["payload"].clone();
    assert_eq!((&told["id"], &told["decision"], &told["request"]["title"]), (&json!(id), &json!("allow-once"), &json!("Deploy?")));
    assert!(told["resolvedBy"].is_string() && told["ts"].is_i64());
    assert_eq!(chat.chat_end(&run).await["state"], "final");
    assert_eq!(results(&home), ["deployed staging"]);
    let lines = home.until("the end of the call", |l| l.len() == 2).await;
    assert!(
        lines.contains(&json!({"ran": {"to": "staging", "seen": true}})) && lines.contains(&json!({"resolution": "allow-once"})),
        "{lines:?}"
    );
    assert_eq!(desk.ok("plugin.approval.resolve", params).await, json!({"ok": true}), "the same again is fine");
    let other = desk.error("plugin.approval.resolve", json!({"id": id, "decision": "deny"})).await;
    assert_eq!(other["details"]["reason"], "APPROVAL_ALREADY_RESOLVED");
    assert_eq!(
        desk.error("plugin.approval.resolve", json!({"id": "none", "decision": "deny"})).await["details"]["reason"],
        "APPROVAL_NOT_FOUND"
    );

    // `/approve` in another chat, with a decision that the request does not take first.
    let narrow = json!({"to": "a", "ask": {"allowedDecisions": ["allow-once", "deny"]}});
    let run = begin(&mut chat, session, &deploy(narrow)).await;
    let id = asked(&mut desk, "plugin").await["id"].as_str().unwrap().to_string();
    let error = desk.error("plugin.approval.resolve", json!({"id": id, "decision": "allow-always"})).await;
    assert_eq!(error["details"]["allowedDecisions"], json!(["allow-once", "deny"]));
    let said = begin(&mut desk, "agent:main:desk", &format!("/approve {id} deny")).await;
    assert!(live::text(&desk.chat_end(&said).await["message"]).contains("deny"));
    chat.chat_end(&run).await;
    assert_eq!(results(&home), ["Denied by user"]);

    // Time-outs, refusing and allowing.
    for (behaviour, result) in [("deny", "Approval timed out"), ("allow", "deployed b")] {
        let run = begin(&mut chat, session, &deploy(json!({"to": "b", "ask": {"timeoutMs": 50, "timeoutBehavior": behaviour}}))).await;
        chat.chat_end(&run).await;
        assert_eq!(results(&home), [result]);
    }

    // An aborted run takes its question back.
    let run = begin(&mut chat, session, &deploy(json!({"to": "c"}))).await;
    desk.events.clear();
    while desk.ok("plugin.approval.list", json!({})).await == json!([]) {}
    chat.ok("chat.abort", json!({"sessionKey": session, "runId": run})).await;
    chat.chat_end(&run).await;
    let begun = Instant::now();
    while desk.ok("plugin.approval.list", json!({})).await != json!([]) {
        assert!(begun.elapsed() < PATIENCE);
    }
    let resolutions = |lines: &[Value]| lines.iter().filter_map(|l| l["resolution"].as_str().map(str::to_string)).collect::<Vec<_>>();
    let lines = home.until("all resolutions", |l| resolutions(l).len() == 5).await;
    assert_eq!(resolutions(&lines), ["allow-once", "deny", "timeout", "timeout", "cancelled"]);
    live.stop().await;
}

// HOOK-178, HOOK-181, HOOK-187
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_answer_or_read_is_refused_at_once() {
    let home = gate().await;
    let live = home.start().await;
    let mut writer = Client::connect_as(live.port, &["operator.read", "operator.write"]).await;
    let run = begin(&mut writer, "agent:main:alone", &deploy(json!({"to": "a"}))).await;
    writer.chat_end(&run).await;
    assert_eq!(results(&home), ["Plugin approval unavailable (no approval route)"]);
    let mut desk = live.client().await;
    assert_eq!(desk.ok("plugin.approval.list", json!({})).await, json!([]));
    for ask in [json!({"title": "t".repeat(81)}), json!({"description": "d".repeat(257)}), json!({"timeoutMs": 600_001})] {
        let run = begin(&mut desk, "agent:main:alone", &deploy(json!({"to": "a", "ask": ask}))).await;
        desk.chat_end(&run).await;
        assert_eq!(results(&home), ["Plugin approval required (gateway unavailable)"]);
    }
    let lines = home.until("the resolutions", |l| l.len() == 4).await;
    assert!(lines.iter().all(|l| l["resolution"] == "cancelled"), "{lines:?}");
    // Only a caller that says so waits.
    let reported = desk.ok("tools.invoke", json!({"name": "deploy", "args": {"to": "x"}, "sessionKey": "agent:main:alone"})).await;
    assert_eq!((&reported["requiresApproval"], &reported["error"]["message"]), (&json!(true), &json!("to x")));
    let params = json!({"name": "deploy", "args": {"to": "y"}, "sessionKey": "agent:main:alone", "confirm": true});
    let waiting = desk.request("tools.invoke", params).await;
    let mut other = live.client().await;
    let id = asked(&mut desk, "plugin").await["id"].clone();
    other.ok("plugin.approval.resolve", json!({"id": id, "decision": "allow-once"})).await;
    assert_eq!(desk.response(&waiting).await["payload"]["ok"], true);
    live.stop().await;
}

// HOOK-188 (ours: what was allowed for ever is remembered)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allow_always_holds_after_a_restart_for_the_same_arguments_and_for_no_others() {
    let home = gate().await;
    let live = home.start().await;
    let mut client = live.client().await;
    let session = "agent:main:always";
    let run = begin(&mut client, session, &deploy(json!({"to": "x", "n": 1}))).await;
    let id = asked(&mut client, "plugin").await["id"].clone();
    client.ok("plugin.approval.resolve", json!({"id": id, "decision": "allow-always"})).await;
    client.chat_end(&run).await;
    // A question that waits when the gateway ends has ended with it, and allows nothing.
    begin(&mut client, session, &deploy(json!({"to": "lost"}))).await;
    let lost = asked(&mut client, "plugin").await["id"].clone();
    drop(client);
    live.stop().await;

    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(client.ok("plugin.approval.list", json!({})).await, json!([]));
    assert_eq!(
        client.error("plugin.approval.resolve", json!({"id": lost, "decision": "allow-once"})).await["details"]["reason"],
        "APPROVAL_NOT_FOUND"
    );
    client.say(session, &deploy(json!({"n": 1, "to": "x"}))).await;
    assert_eq!(results(&home), ["deployed x"]);
    for other in [json!({"to": "x", "n": 2}), json!({"to": "x"}), json!({"to": "x", "n": 1, "force": true})] {
        let run = begin(&mut client, session, &deploy(other)).await;
        let id = asked(&mut client, "plugin").await["id"].clone();
        client.ok("plugin.approval.resolve", json!({"id": id, "decision": "deny"})).await;
        client.chat_end(&run).await;
        assert_eq!(results(&home), ["Denied by user"]);
    }
    let ran = home.recorded().iter().filter(|l| l["ran"].is_object()).count();
    assert_eq!(ran, 2);
    let grants = client.ok("approvals.grants", json!({})).await;
    assert_eq!((&grants["grants"][0]["toolName"], &grants["grants"][0]["uses"]), (&json!("deploy"), &json!(1)));
    let trail = client.ok("approvals.audit", json!({})).await;
    let what: Vec<&str> = trail["entries"].as_array().unwrap().iter().filter_map(|e| e["what"].as_str()).collect();
    for step in ["requested", "allow-always", "used", "deny"] {
        assert!(what.contains(&step), "{step}: {what:?}");
    }
    client.ok("approvals.revoke", json!({"key": grants["grants"][0]["key"]})).await;
    begin(&mut client, session, &deploy(json!({"to": "x", "n": 1}))).await;
    asked(&mut client, "plugin").await;
    live.stop().await;
}

// HOOK-179, HOOK-183, HOOK-184, HOOK-187
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_ask_too_and_their_questions_outlive_a_restart() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut asker = live.client().await;
    let alone = asker.ok("exec.approval.request", json!({"command": "ls", "timeoutMs": 600_000})).await;
    assert_eq!(alone["decision"], Value::Null, "nobody else is there: {alone}");
    let mut desk = live.client().await;
    let bad = asker.error("plugin.approval.request", json!({"title": "t", "description": "d", "extra": 1})).await;
    assert!(bad["message"].as_str().unwrap().contains("extra"), "{bad}");
    let params = json!({"id": "mine", "command": "rm -rf x", "twoPhase": true, "env": {"SECRET": "hidden"}, "timeoutMs": 3_600_000});
    let request = asker.request("exec.approval.request", params).await;
    let accepted = asker.response(&request).await["payload"].clone();
    assert_eq!((&accepted["status"], &accepted["id"]), (&json!("accepted"), &json!("mine")));
    let shown = asked(&mut desk, "exec").await;
    assert_eq!((&shown["request"]["command"], &shown["request"]["envKeys"]), (&json!("rm -rf x"), &json!(["SECRET"])));
    assert!(!shown.to_string().contains("hidden"));
    let details = desk.ok("exec.approval.get", json!({"id": "mi"})).await;
    assert_eq!(
        (&details["commandText"], &details["allowedDecisions"]),
        (&json!("rm -rf x"), &json!(["allow-once", "allow-always", "deny"]))
    );
    assert!(
        asker.error("exec.approval.request", json!({"id": "mine", "command": "x"})).await["message"].as_str().unwrap().contains("pending")
    );
    drop((asker, desk));
    live.stop().await;

    let live = home.start_cold().await;
    let (mut asker, mut desk) = (live.client().await, live.client().await);
    let rows = desk.ok("exec.approval.list", json!({})).await;
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["id"]), (1, &json!("mine")));
    let waiting = asker.request("exec.approval.waitDecision", json!({"id": "mine"})).await;
    desk.ok("exec.approval.resolve", json!({"id": "mine", "decision": "allow-once"})).await;
    assert_eq!(asker.response(&waiting).await["payload"]["decision"], "allow-once");
    assert!(asker.error("exec.approval.waitDecision", json!({"id": "nope"})).await["message"].as_str().unwrap().contains("not found"));
    live.stop().await;
}

/// The approvals file, through the methods that clients have.
async fn file_of(client: &mut Client) -> Value {
    client.ok("exec.approvals.get", json!({})).await
}

async fn until_exists(path: &std::path::Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < PATIENCE, "{}", path.display());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn exec(args: Value) -> String {
    format!("[[tool:exec {args}]]")
}

// TOOL-41, TOOL-42
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_needs_an_approval_runs_once_it_has_one() {
    let mut home = Home::new().await;
    home.config["tools"] = json!({"exec": {"security": "allowlist", "ask": "on-miss"}});
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let session = "agent:main:exec";
    let workspace = home.dir.path().join("workspace");

    client.say(session, &exec(json!({"command": "touch one > /dev/null"}))).await;
    let pending = results(&home);
    assert!(pending[0].contains("waits for approval") && pending[0].contains("/approve"), "{pending:?}");
    let request = asked(&mut client, "exec").await;
    assert_eq!((&request["request"]["command"], &request["request"]["host"]), (&json!("touch one > /dev/null"), &json!("gateway")));
    let stored = client.ok("sessions.get", json!({"key": session})).await;
    let details = stored["messages"].as_array().unwrap().iter().rev().find(|m| m["role"] == "toolResult").unwrap()["details"].clone();
    assert_eq!((&details["status"], &details["approvalId"]), (&json!("approval-pending"), &request["id"]));
    assert!(!workspace.join("one").exists());

    // It waits over a restart, and runs then.
    drop(client);
    live.stop().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let slug = request["id"].as_str().unwrap()[..8].to_string();
    let said = begin(&mut client, "agent:main:desk", &format!("/approve {slug} allow-always")).await;
    assert!(live::text(&client.chat_end(&said).await["message"]).contains("allow-always"));
    until_exists(&workspace.join("one")).await;
    // The session hears of it.
    client.event(|e| e["event"] == "chat" && e["payload"]["sessionKey"] == session && e["payload"]["state"] == "final").await;
    let told = home.model.last_request().body.to_string();
    assert!(told.contains("Exec finished"), "{told}");

    // The same command runs at once, after another restart too; another one is asked for.
    let file = file_of(&mut client).await;
    assert_eq!(file["file"]["agents"]["main"]["allowlist"][0]["source"], "allow-always", "{file}");
    live.stop().await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    std::fs::remove_file(workspace.join("one")).unwrap();
    client.say(session, &exec(json!({"command": "touch one > /dev/null"}))).await;
    assert_eq!(results(&home), ["(no output)"]);
    assert!(workspace.join("one").exists());
    client.say(session, &exec(json!({"command": "touch two > /dev/null"}))).await;
    assert!(results(&home)[0].contains("waits for approval"));
    let id = asked(&mut client, "exec").await["id"].clone();
    client.ok("exec.approval.resolve", json!({"id": id, "decision": "deny"})).await;
    client.event(|e| e["event"] == "chat" && e["payload"]["sessionKey"] == session && e["payload"]["state"] == "final").await;
    let told = home.model.last_request().body.to_string();
    assert!(told.contains("Exec denied") && told.contains("user-denied"), "{told}");
    assert!(!workspace.join("two").exists());

    // The allowlist covers programs; the file is replaced only by who has read it.
    let file = file_of(&mut client).await;
    let mut new = file["file"].clone();
    new["agents"]["*"] = json!({"allowlist": ["/**/echo", "echo"]});
    let stale = client.error("exec.approvals.set", json!({"file": new, "baseHash": "x"})).await;
    assert!(stale["message"].as_str().unwrap().contains("re-run exec.approvals.get"), "{stale}");
    client.ok("exec.approvals.set", json!({"file": new, "baseHash": file["hash"]})).await;
    client.say(session, &exec(json!({"command": "echo hi && echo there"}))).await;
    assert_eq!(results(&home), ["hi\nthere\n"]);
    let file = file_of(&mut client).await;
    let mut closed = file["file"].clone();
    closed["defaults"] = json!({"security": "deny"});
    client.ok("exec.approvals.set", json!({"file": closed, "baseHash": file["hash"]})).await;
    client.say(session, &exec(json!({"command": "echo hi"}))).await;
    assert!(results(&home)[0].contains("exec denied"));
    live.stop().await;
}

/// Calls a tool outside of a turn.
async fn invoke(client: &mut Client, name: &str, args: Value) -> Result<Value, String> {
    let answer = client.ok("tools.invoke", json!({"name": name, "args": args, "sessionKey": "agent:main:tools"})).await;
    if answer["ok"] == true {
        Ok(answer["output"].clone())
    } else {
        Err(answer["error"]["message"].as_str().unwrap_or_default().to_string())
    }
}

async fn toolbox(change: impl FnOnce(&mut Home)) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.config["gateway"]["tools"] = json!({"allow": ["exec", "apply_patch"]});
    change(&mut home);
    let live = home.start_cold().await;
    let client = live.client().await;
    (home, live, client)
}

// TOOL-25, TOOL-26, TOOL-31, TOOL-32, TOOL-33, TOOL-36
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_read_written_and_edited_in_the_workspace() {
    let (home, live, mut client) = toolbox(|home| home.config["tools"] = json!({"fs": {"workspaceOnly": true}})).await;
    invoke(&mut client, "write", json!({"path": "a/b.txt", "content": "one\ntwo\n"})).await.unwrap();
    invoke(&mut client, "edit", json!({"path": "a/b.txt", "edits": [{"oldText": "two", "newText": "2"}]})).await.unwrap();
    let read = invoke(&mut client, "read", json!({"path": "a/b.txt"})).await.unwrap();
    assert_eq!(read["content"], json!([{"type": "text", "text": "one\n2\n"}]));
    let file = home.dir.path().join("workspace/a/b.txt");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "one\n2\n");
    for (tool, args) in [
        ("read", json!({"path": "/etc/hostname"})),
        ("write", json!({"path": "../out", "content": "x"})),
        ("edit", json!({"path": "~/x", "oldText": "a", "newText": "b"})),
    ] {
        let error = invoke(&mut client, tool, args).await.unwrap_err();
        assert!(error.contains("outside of the workspace"), "{tool}: {error}");
    }
    assert!(invoke(&mut client, "read", json!({})).await.unwrap_err().contains("`path`"));
    live.stop().await;
}

// TOOL-37, TOOL-38, TOOL-39, TOOL-40, TOOL-43, TOOL-44, TOOL-45
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_in_front_in_the_background_and_in_a_terminal() {
    let (home, live, mut client) = toolbox(|_| {}).await;
    let done =
        invoke(&mut client, "exec", json!({"command": "pwd; echo $X; echo $OPENCLAW_SHELL; exit 3", "env": {"X": "5"}})).await.unwrap();
    let details = &done["details"];
    assert_eq!((&details["status"], &details["exitCode"]), (&json!("completed"), &json!(3)));
    let printed = details["aggregated"].as_str().unwrap();
    assert!(printed.contains("/workspace\n5\nexec\n") && printed.ends_with("(Command exited with code 3)"), "{printed}");
    // None of the gateway's secrets are in it.
    let env = invoke(&mut client, "exec", json!({"command": "env"})).await.unwrap();
    assert!(!env.to_string().contains(live::TOKEN), "{env}");
    let late = invoke(&mut client, "exec", json!({"command": "echo begun; sleep 600", "timeout": 0.5})).await.unwrap();
    assert_eq!((&late["details"]["status"], &late["details"]["timedOut"]), (&json!("failed"), &json!(true)));
    let none = invoke(&mut client, "exec", json!({"command": "no-such-program-here"})).await.unwrap();
    assert_eq!((&none["details"]["status"], &none["details"]["exitCode"]), (&json!("failed"), &json!(127)));
    for (args, part) in [
        (json!({"command": "ls", "host": "sandbox"}), "sandbox"),
        (json!({"command": "ls", "host": "node"}), "node"),
        (json!({"command": "ls", "env": {"LD_PRELOAD": "x"}}), "LD_PRELOAD"),
        (json!({"command": "ls", "elevated": true}), "Failing gates"),
        (json!({"command": "chela approvals approve x"}), "cannot answer approvals"),
        (json!({}), "`command`"),
    ] {
        let error = invoke(&mut client, "exec", args.clone()).await.unwrap_err();
        assert!(error.contains(part), "{args}: {error}");
    }

    let begun =
        invoke(&mut client, "exec", json!({"command": "read line; echo got $line; echo done > end", "background": true})).await.unwrap();
    assert_eq!(begun["details"]["status"], "running");
    let id = begun["details"]["sessionId"].as_str().unwrap().to_string();
    assert!(begun["details"]["pid"].is_u64());
    let listed = invoke(&mut client, "process", json!({"action": "list"})).await.unwrap();
    assert_eq!(
        (&listed["details"]["sessions"][0]["sessionId"], &listed["details"]["sessions"][0]["status"]),
        (&json!(id), &json!("running"))
    );
    let session = |action: &str| json!({"action": action, "sessionId": id});
    let mut write = session("write");
    write["data"] = json!("hello\n");
    invoke(&mut client, "process", write).await.unwrap();
    // Its end wakes the session.
    client.event(|e| e["event"] == "chat" && e["payload"]["sessionKey"] == "agent:main:tools" && e["payload"]["state"] == "final").await;
    let told = home.model.last_request().body.to_string();
    assert!(told.contains("Exec completed") && told.contains("got hello"), "{told}");
    let log = invoke(&mut client, "process", session("log")).await.unwrap();
    assert_eq!((log["content"][0]["text"].as_str(), &log["details"]["exitCode"]), (Some("got hello"), &json!(0)));
    invoke(&mut client, "process", session("clear")).await.unwrap();
    assert_eq!(invoke(&mut client, "process", session("poll")).await.unwrap()["details"]["status"], "failed");

    let terminal =
        invoke(&mut client, "exec", json!({"command": "test -t 0 && echo terminal; cat", "pty": true, "yieldMs": 200})).await.unwrap();
    let id = terminal["details"]["sessionId"].as_str().unwrap().to_string();
    let keys = |keys: Value| json!({"action": "send-keys", "sessionId": id, "keys": keys});
    let (begun, mut seen, mut asked_to_end) = (Instant::now(), String::new(), false);
    invoke(&mut client, "process", keys(json!(["t", "y", "Enter"]))).await.unwrap();
    loop {
        let poll = invoke(&mut client, "process", json!({"action": "poll", "sessionId": id, "timeout": 500})).await.unwrap();
        seen.push_str(poll["content"][0]["text"].as_str().unwrap());
        if poll["details"]["status"] != "running" {
            break;
        }
        // Once by the terminal and once by `cat`.
        if !asked_to_end && seen.matches("ty").count() >= 2 {
            asked_to_end = true;
            invoke(&mut client, "process", keys(json!(["C-c"]))).await.unwrap();
        }
        assert!(begun.elapsed() < PATIENCE, "{seen}");
    }
    assert!(seen.contains("terminal") && seen.contains("signal 2"), "{seen}");

    // Nothing of it outlives the gateway.
    let left = invoke(&mut client, "exec", json!({"command": "sleep 987654 & sleep 987655", "background": true})).await.unwrap();
    assert_eq!(left["details"]["status"], "running");
    drop(client);
    live.stop().await;
    let running = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim_end() == "sleep 987654"
    });
    assert!(!running, "a command is left");
}

// TOOL-06, TOOL-23, TOOL-34, TOOL-35
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_decide_which_tools_a_turn_has() {
    let (home, live, mut client) = toolbox(|home| {
        home.config["tools"] =
            json!({"profile": "coding", "deny": ["group:web"], "exec": {"applyPatch": {"allowModels": ["mock/mock-1"]}}});
    })
    .await;
    client.say("agent:main:t", "hello").await;
    let offered: Vec<String> = home.model.last_request().body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["function"]["name"].as_str().unwrap().to_string())
        .collect();
    for name in ["read", "write", "edit", "apply_patch", "exec", "process", "session_status"] {
        assert!(offered.iter().any(|o| o == name), "{name}: {offered:?}");
    }
    assert!(!offered.iter().any(|o| o == "web_fetch" || o == "message"), "{offered:?}");
    let catalog = client.ok("tools.catalog", json!({})).await;
    let groups = catalog["groups"].as_array().unwrap();
    let of = |id: &str| groups.iter().find(|g| g["id"] == id).map(|g| g["tools"].as_array().unwrap().len());
    assert_eq!((of("fs"), of("runtime"), of("web")), (Some(4), Some(2), None));
    assert_eq!(groups.iter().find(|g| g["id"] == "fs").unwrap()["tools"][0]["defaultProfiles"], json!(["coding"]));
    let patch = "*** Begin Patch\n*** Add File: p.txt\n+hi\n*** End Patch";
    client.say("agent:main:t", &format!("[[tool:apply_patch {}]]", json!({ "input": patch }))).await;
    assert!(results(&home)[0].ends_with("A p.txt"), "{:?}", results(&home));
    assert_eq!(std::fs::read_to_string(home.dir.path().join("workspace/p.txt")).unwrap(), "hi\n");
    live.stop().await;
}
