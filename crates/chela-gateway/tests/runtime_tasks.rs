//! `api.runtime.tasks` as a plugin in a real worker calls it: flows that it steers, tasks below them, and who may see them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, Live};
use serde_json::{Value, json};

const KEY: &str = "agent:main:flows";

async fn probe() -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe");
    let live = home.start().await;
    live.plugins_up().await;
    let client = live.client().await;
    (home, live, client)
}

async fn ask(client: &mut Client, area: &str, key: &str, name: &str, args: Value) -> Value {
    let answer = client.ok("probe.task", json!({"area": area, "sessionKey": key, "name": name, "args": args})).await;
    assert!(answer.get("threw").is_none(), "{area}.{name}: {answer}");
    answer["value"].clone()
}

async fn flows(client: &mut Client, name: &str, args: Value) -> Value {
    ask(client, "managedFlows", KEY, name, args).await
}

// RT-090, RT-091, RT-092, RT-097, RT-098, RT-099, RT-102
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_changes_only_from_the_revision_that_its_controller_saw() {
    let (home, live, mut client) = probe().await;
    assert_eq!(client.ok("probe.aliases", json!({})).await["value"], true);
    for key in ["", "  "] {
        let blank = client.ok("probe.task", json!({"area": "flows", "sessionKey": key, "name": "list"})).await;
        assert!(blank["threw"]["message"].as_str().unwrap().contains("session key"), "{blank}");
    }
    let created =
        flows(&mut client, "createManaged", json!([{"controllerId": "probe/plan", "goal": "Tidy up", "stateJson": {"n": 1}}])).await;
    let id = created["flowId"].as_str().unwrap().to_owned();
    assert_eq!(
        (&created["revision"], &created["status"], &created["syncMode"], &created["ownerKey"]),
        (&json!(0), &json!("queued"), &json!("managed"), &json!(KEY))
    );
    let refused =
        client.ok("probe.task", json!({"area": "managedFlows", "sessionKey": KEY, "name": "createManaged", "args": [{"goal": "x"}]})).await;
    assert!(refused["threw"]["message"].as_str().unwrap().contains("controllerId"), "{refused}");

    let waiting = json!([{"flowId": id, "expectedRevision": 0, "waitJson": {"for": "mail"}, "currentStep": "wait"}]);
    let done = flows(&mut client, "setWaiting", waiting.clone()).await;
    assert_eq!((&done["applied"], &done["flow"]["status"], &done["flow"]["revision"]), (&json!(true), &json!("waiting"), &json!(1)));
    let stale = flows(&mut client, "setWaiting", waiting).await;
    assert_eq!((&stale["applied"], &stale["code"], &stale["current"]["revision"]), (&json!(false), &json!("revision_conflict"), &json!(1)));
    let blocked = flows(&mut client, "setWaiting", json!([{"flowId": id, "expectedRevision": 1, "blockedSummary": "no key"}])).await;
    assert_eq!((&blocked["flow"]["status"], &blocked["flow"]["stateJson"]), (&json!("blocked"), &json!({"n": 1})));
    let resumed = flows(&mut client, "resume", json!([{"flowId": id, "expectedRevision": 2, "status": "running"}])).await;
    assert_eq!(resumed["flow"]["status"], "running");
    assert!(resumed["flow"].get("waitJson").is_none() && resumed["flow"].get("blockedSummary").is_none(), "{resumed}");

    // Nobody else sees it, and it outlives the gateway.
    for (area, name) in [("managedFlows", "get"), ("flows", "get"), ("managedFlows", "resolve")] {
        assert_eq!(ask(&mut client, area, "agent:main:other", name, json!([id])).await, Value::Null, "{area}.{name}");
    }
    let other = ask(&mut client, "managedFlows", "agent:main:other", "finish", json!([{"flowId": id, "expectedRevision": 3}])).await;
    assert_eq!(other, json!({"applied": false, "code": "not_found"}));
    live.stop().await;
    let live = home.start().await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let kept = flows(&mut client, "get", json!([id])).await;
    assert_eq!((&kept["revision"], &kept["status"]), (&json!(3), &json!("running")));
    assert_eq!(flows(&mut client, "resolve", json!([KEY])).await["flowId"], id.as_str(), "the session's key means the newest");
    let finished = flows(&mut client, "finish", json!([{"flowId": id, "expectedRevision": 3, "stateJson": {"n": 2}}])).await;
    assert_eq!((&finished["flow"]["status"], &finished["flow"]["stateJson"]), (&json!("succeeded"), &json!({"n": 2})));
    assert!(finished["flow"]["endedAt"].is_i64());
    live.stop().await;
}

// RT-093, RT-094, RT-095, RT-096, RT-100, RT-101
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_follow_their_runs_and_end_with_their_flow() {
    let (_home, live, mut client) = probe().await;
    let flow = flows(&mut client, "createManaged", json!([{"controllerId": "c", "goal": "Research"}])).await;
    let id = flow["flowId"].as_str().unwrap().to_owned();
    let run = client.ok("probe.call", json!({"path": "subagent.run", "args": [{"sessionKey": "agent:main:child", "message": "hi"}]})).await;
    let run_id = run["value"]["runId"].as_str().unwrap().to_owned();
    let task = json!([{"flowId": id, "runtime": "subagent", "task": "Look", "childSessionKey": "agent:main:child", "runId": run_id}]);
    let made = flows(&mut client, "runTask", task).await;
    assert_eq!((&made["created"], &made["task"]["status"], &made["flow"]["flowId"]), (&json!(true), &json!("queued"), &json!(id)));
    let task_id = made["task"]["taskId"].as_str().unwrap().to_owned();
    client.ok("probe.call", json!({"path": "subagent.waitForRun", "args": [{"runId": run_id, "timeoutMs": 10_000}]})).await;
    let view = ask(&mut client, "runs", KEY, "get", json!([task_id])).await;
    assert_eq!(
        (&view["id"], &view["title"], &view["status"], &view["flowId"], &view["sessionKey"], &view["scope"]),
        (&json!(task_id), &json!("Look"), &json!("succeeded"), &json!(id), &json!(KEY), &json!("session"))
    );
    assert_eq!(ask(&mut client, "runs", KEY, "resolve", json!([run_id])).await["id"], task_id.as_str());
    assert_eq!(ask(&mut client, "runs", "agent:main:other", "list", json!([])).await, json!([]));
    let gone = ask(&mut client, "runs", KEY, "cancel", json!([{"taskId": "no-such", "cfg": {}}])).await;
    assert_eq!(gone, json!({"found": false, "cancelled": false, "reason": "Task not found."}));
    let over = ask(&mut client, "runs", KEY, "cancel", json!([{"taskId": task_id, "cfg": {}}])).await;
    assert_eq!((&over["found"], &over["cancelled"], &over["task"]["id"]), (&json!(true), &json!(false), &json!(task_id)));

    let by_hand = flows(&mut client, "runTask", json!([{"flowId": id, "runtime": "cli", "task": "Wait", "status": "running"}])).await;
    assert_eq!(by_hand["task"]["status"], "running");
    let detail = ask(&mut client, "flows", KEY, "get", json!([id])).await;
    let count = |name: &str| detail["taskSummary"][name].clone();
    assert_eq!((count("total"), count("active"), count("terminal"), count("failures")), (json!(2), json!(1), json!(1), json!(0)));
    assert_eq!((&detail["tasks"].as_array().unwrap().len(), &detail["goal"]), (&2, &json!("Research")));
    assert_eq!(detail["taskSummary"]["byRuntime"], json!({"subagent": 1, "acp": 0, "cli": 1, "cron": 0}));

    let cancelled = flows(&mut client, "cancel", json!([{"flowId": id, "cfg": {}}])).await;
    assert_eq!((&cancelled["cancelled"], &cancelled["flow"]["status"]), (&json!(true), &json!("cancelled")), "{cancelled}");
    assert!(cancelled["tasks"].as_array().unwrap().iter().all(|task| task["status"] != "running"), "{cancelled}");
    let again = flows(&mut client, "cancel", json!([{"flowId": id, "cfg": {}}])).await;
    assert_eq!((&again["cancelled"], &again["reason"]), (&json!(false), &json!("Flow is already cancelled.")));
    let late = flows(&mut client, "runTask", json!([{"flowId": id, "runtime": "cli", "task": "late"}])).await;
    assert_eq!((&late["created"], &late["found"]), (&json!(false), &json!(true)));
    let nowhere = flows(&mut client, "runTask", json!([{"flowId": "none", "runtime": "cli", "task": "x"}])).await;
    assert_eq!(nowhere, json!({"created": false, "reason": "Flow not found.", "found": false}));
    live.stop().await;
}
