use super::*;
use crate::testing::{Act, Worker, registry};

fn policy(id: &str, handle: u64) -> (&'static str, Value) {
    ("registerTrustedToolPolicy", json!([{ "id": id, "description": "d", "evaluate": { "$fn": handle } }]))
}

async fn decide(acts: &[Act]) -> (PolicyDecision, Arc<Worker>) {
    let numbered: Vec<(u64, Act)> = acts.iter().enumerate().map(|(i, act)| (i as u64, act.clone())).collect();
    let worker = Worker::new(1, &numbered);
    let calls = numbered.iter().map(|(i, _)| policy(&format!("p{i}"), *i)).collect();
    let registry = registry(&[("owner", &worker, calls)]);
    let event = json!({"toolName": "t", "params": {"x": 0}, "derivedPaths": ["/old"]});
    let derive = |params: &Value| Some(json!([params["x"]]));
    let extensions = |plugin: &str| json!({ "ns": plugin });
    let run = PolicyRun { derive_paths: Some(&derive), extensions: Some(&extensions), ..PolicyRun::default() };
    (run_trusted_policies(&registry, &event, &json!({"runId": "r"}), run).await, worker)
}

// HOOK-160, HOOK-163, HOOK-174, HOOK-175
#[tokio::test]
async fn later_policies_see_earlier_parameters() {
    let (decision, worker) = decide(&[Act::Return(json!({"params": {"x": 1}})), Act::Return(json!({"allow": true})), Act::Undefined]).await;
    assert!(matches!(decision, PolicyDecision::Continue { params: Some(p) } if p == json!({"x": 1})));
    let seen = worker.seen();
    assert_eq!((&seen[0][0]["params"], &seen[0][0]["derivedPaths"]), (&json!({"x": 0}), &json!(["/old"])));
    assert_eq!((&seen[1][0]["params"], &seen[1][0]["derivedPaths"]), (&json!({"x": 1}), &json!([1])));
    assert!(seen[0][1]["getSessionExtension"]["$fn"].is_u64());
    assert_eq!(seen[0][1]["runId"], "r");
}

// HOOK-172, HOOK-173, HOOK-174
#[tokio::test]
async fn blocks_approvals_and_failures() {
    let approve = |title: &str| Act::Return(json!({"requireApproval": {"title": title, "onResolution": {"$fn": 40}}}));
    let (decision, _) = decide(&[approve("first"), approve("second")]).await;
    let PolicyDecision::RequireApproval { request, on_resolution, .. } = decision else { panic!("{decision:?}") };
    assert_eq!((&request["title"], &request["pluginId"]), (&json!("first"), &json!("owner")));
    assert_eq!(on_resolution.map(|c| c.handle), Some(40));
    let blocks = [
        (Act::Return(json!({"allow": false})), "blocked by p1"),
        (Act::Return(json!({"allow": false, "reason": "no"})), "no"),
        (Act::Return(json!({"block": true, "blockReason": "never"})), "never"),
    ];
    for (act, expected) in blocks {
        let (decision, worker) = decide(&[approve("first"), act, Act::Undefined]).await;
        assert!(matches!(decision, PolicyDecision::Block { reason, failed: false, .. } if reason == expected));
        assert_eq!(worker.seen().len(), 2);
    }
    let (decision, _) = decide(&[Act::Throw("secret")]).await;
    assert!(
        matches!(decision, PolicyDecision::Block { reason, failed: true, policy_id, .. } if !reason.contains("secret") && policy_id == "p0")
    );
}
