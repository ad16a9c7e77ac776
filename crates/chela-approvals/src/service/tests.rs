//! Requests over a real database.

use std::sync::Mutex;

use chela_store::StoreOptions;

use super::*;

struct Heard {
    routed: bool,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl Desk for Heard {
    async fn requested(&self, row: &ApprovalRow, asker: Option<&str>) -> bool {
        self.told.lock().unwrap().push(format!("asked {} {}", row.kind.as_str(), asker.unwrap_or("-")));
        self.routed
    }

    async fn ended(&self, row: &ApprovalRow) {
        let how = row.decision.as_deref().or(row.resolved_by.as_deref()).unwrap_or_default();
        self.told.lock().unwrap().push(format!("ended {how}"));
    }
}

fn open(dir: &tempfile::TempDir, routed: bool) -> (Approvals, Arc<Heard>) {
    let base = dir.path().to_owned();
    let store = Store::open(StoreOptions::new(dir.path().join("db"), move |agent| base.join(agent))).unwrap();
    let (approvals, heard) = (Approvals::new(store), Arc::new(Heard { routed, told: Mutex::default() }));
    approvals.serve(heard.clone());
    (approvals, heard)
}

fn ask(kind: ApprovalKind, timeout_ms: u64) -> Ask {
    let request = json!({"title": "T", "pluginId": "p", "toolName": "t", "agentId": "main"});
    Ask { kind, id: None, request, timeout: Duration::from_millis(timeout_ms), plan: None, asker: Some("c1".into()) }
}

const LONG: u64 = 3_600_000;

// HOOK-183, HOOK-185, HOOK-186
#[tokio::test]
async fn a_request_is_decided_once_by_its_id_or_the_beginning_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (approvals, heard) = open(&dir, true);
    let asked = approvals.ask(ask(ApprovalKind::Plugin, LONG)).await.unwrap();
    let id = asked.row.id.clone();
    assert!(id.starts_with("plugin:") && uuid::Uuid::parse_str(&id[7..]).is_ok(), "{id}");
    let waiter = tokio::spawn({
        let (approvals, id) = (approvals.clone(), id.clone());
        async move { approvals.wait(&id).await.unwrap().unwrap() }
    });
    let resolve = async |kind, id: &str, decision| approvals.resolve(kind, id, decision, Some("me")).await;
    assert!(matches!(resolve(None, "zzz", Decision::Deny).await, Err(ResolveError::NotFound)));
    assert!(matches!(resolve(None, " ", Decision::Deny).await, Err(ResolveError::NotFound)));
    assert!(matches!(resolve(Some(ApprovalKind::Exec), &id, Decision::Deny).await, Err(ResolveError::NotFound)));
    let row = resolve(None, &id[7..15], Decision::AllowOnce).await.unwrap();
    assert_eq!((row.decision.as_deref(), row.resolved_by.as_deref()), (Some("allow-once"), Some("me")));
    assert_eq!(waiter.await.unwrap().decision, Some(Decision::AllowOnce));
    assert!(resolve(None, &id, Decision::AllowOnce).await.is_ok());
    assert!(matches!(resolve(None, &id, Decision::Deny).await, Err(ResolveError::AlreadyResolved)));
    assert_eq!(approvals.wait(&id).await.unwrap().unwrap().decision, Some(Decision::AllowOnce));
    assert!(approvals.wait("none").await.unwrap().is_none());
    assert_eq!(*heard.told.lock().unwrap(), ["asked plugin c1", "ended allow-once"]);
}

#[tokio::test]
async fn what_a_request_does_not_permit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (approvals, _) = open(&dir, true);
    let mut narrow = ask(ApprovalKind::Exec, LONG);
    narrow.id = Some("abc".into());
    narrow.request["allowedDecisions"] = json!(["allow-once", "deny"]);
    approvals.ask(narrow.clone()).await.unwrap();
    assert!(matches!(approvals.ask(narrow.clone()).await, Err(AskError::Taken(id)) if id == "abc"));
    narrow.id = Some("abd".into());
    approvals.ask(narrow).await.unwrap();
    assert!(matches!(approvals.resolve(None, "ab", Decision::Deny, None).await, Err(ResolveError::Ambiguous)));
    let refused = approvals.resolve(None, "abc", Decision::AllowAlways, None).await;
    assert!(matches!(refused, Err(ResolveError::NotAllowed { allowed, .. }) if allowed == [Decision::AllowOnce, Decision::Deny]));
    assert_eq!(approvals.pending(Some(ApprovalKind::Exec)).await.unwrap().len(), 2);
    assert!(approvals.pending(Some(ApprovalKind::Plugin)).await.unwrap().is_empty());
    assert_eq!(approvals.get(ApprovalKind::Exec, "abd").await.unwrap().id, "abd");
}

// HOOK-187
#[tokio::test]
async fn a_request_that_nobody_can_answer_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (approvals, heard) = open(&dir, false);
    let asked = approvals.ask(ask(ApprovalKind::Plugin, LONG)).await.unwrap();
    assert_eq!((asked.routed, asked.row.state, asked.row.resolved_by.as_deref()), (false, ApprovalState::Expired, Some(NO_ROUTE)));
    assert_eq!(approvals.wait(&asked.row.id).await.unwrap().unwrap().decision, None);
    assert_eq!(*heard.told.lock().unwrap(), ["asked plugin c1", "ended no-approval-route"]);
    assert!(matches!(approvals.resolve(None, &asked.row.id, Decision::AllowOnce, None).await, Err(ResolveError::NotFound)));
}

#[tokio::test]
async fn time_and_cancellation_end_a_request_without_a_decision() {
    let dir = tempfile::tempdir().unwrap();
    let (approvals, _) = open(&dir, true);
    let short = approvals.ask(ask(ApprovalKind::Plugin, 20)).await.unwrap();
    let verdict = approvals.wait(&short.row.id).await.unwrap().unwrap();
    assert_eq!((verdict.decision, verdict.row.state), (None, ApprovalState::Expired));
    assert!(matches!(approvals.resolve(None, &short.row.id, Decision::AllowOnce, None).await, Err(ResolveError::NotFound)));
    let long = approvals.ask(ask(ApprovalKind::Plugin, LONG)).await.unwrap();
    approvals.cancel(&long.row.id, "run-aborted").await.unwrap();
    assert_eq!(approvals.wait(&long.row.id).await.unwrap().unwrap().row.state, ApprovalState::Cancelled);
    assert!(approvals.pending(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn after_a_restart_a_request_waits_on_or_has_ended_and_is_never_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    {
        let (approvals, _) = open(&dir, true);
        for (plan, timeout) in [(None, LONG), (Some(json!({"command": "x"})), LONG), (Some(Approvals::turn_plan()), LONG), (None, 1)] {
            let mut ask = ask(ApprovalKind::Exec, timeout);
            ask.plan = plan;
            // Without the service's own timer, as after a kill.
            let row = ApprovalRow {
                id: format!("r{}", ids.len()),
                kind: ask.kind,
                state: ApprovalState::Pending,
                request: ask.request,
                plan: ask.plan,
                created_at_ms: now_ms(),
                expires_at_ms: now_ms() + timeout as i64 - 1,
                decision: None,
                resolved_by: None,
                resolved_at_ms: None,
            };
            ids.push(row.id.clone());
            approvals.store().add_approval(row).await.unwrap();
        }
    }
    let (approvals, _) = open(&dir, true);
    let waiting: Vec<String> = approvals.recover().await.unwrap().into_iter().map(|r| r.id).collect();
    assert_eq!(waiting, ids[..2]);
    for id in &ids[2..] {
        let verdict = approvals.wait(id).await.unwrap().unwrap();
        assert_eq!((verdict.decision, verdict.row.state), (None, ApprovalState::Expired), "{id}");
    }
    approvals.resolve(None, &ids[1], Decision::Deny, None).await.unwrap();
    assert_eq!(approvals.wait(&ids[1]).await.unwrap().unwrap().decision, Some(Decision::Deny));
}

#[tokio::test]
async fn only_always_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let key = crate::grant_key("main", "p", "t", &json!({"a": 1}));
    {
        let (approvals, _) = open(&dir, true);
        for decision in [Decision::AllowOnce, Decision::Deny, Decision::AllowAlways] {
            assert!(!approvals.is_granted(&key, json!({})).await, "{decision:?}");
            let mut ask = ask(ApprovalKind::Plugin, LONG);
            ask.plan = Some(json!({"turn": true, "grantKey": key}));
            let asked = approvals.ask(ask).await.unwrap();
            approvals.resolve(None, &asked.row.id, decision, Some("me")).await.unwrap();
        }
    }
    let (approvals, _) = open(&dir, true);
    assert!(approvals.is_granted(&key, json!({})).await);
    assert!(!approvals.is_granted(&crate::grant_key("main", "p", "t", &json!({"a": 2})), json!({})).await);
    let grants = approvals.store().approval_grants().await.unwrap();
    assert_eq!((grants.len(), grants[0].plugin_id.as_str(), grants[0].tool.as_str()), (1, "p", "t"));
}
