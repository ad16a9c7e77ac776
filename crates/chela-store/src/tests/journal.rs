//! Lifecycle journal and run records.

use serde_json::json;

use crate::testkit::{Home, open_main, text};
use crate::*;

fn start(row: &SessionRow, at_ms: i64) -> LifecycleStart {
    LifecycleStart {
        event_id: start_event_id(&row.session_id, at_ms),
        session_id: row.session_id.clone(),
        session_key: row.key.clone(),
        agent_id: row.agent_id.clone(),
        at_ms,
        listeners: vec!["memory".into(), "audit".into()],
        resumed_from: None,
    }
}

fn because(reason: &str) -> LifecycleEnd {
    LifecycleEnd { reason: reason.into(), ..LifecycleEnd::default() }
}

#[tokio::test]
async fn a_session_ends_once_with_true_values() {
    // HOOK-220, HOOK-235, HOOK-236, HOOK-241
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let begun = row.session_started_at_ms - 5_000;
    assert!(store.journal_started(start(&row, begun), &[]).await.unwrap());
    assert!(!store.journal_started(start(&row, begun + 1), &[]).await.unwrap(), "started and not ended");
    store.append(&row.session_id, vec![text(0), text(1), text(2)]).await.unwrap();
    let end = LifecycleEnd { at_ms: Some(begun + 4_000), listeners: vec!["late".into()], ..because("reset") };
    let event = store.journal_end(&row.session_id, end.clone()).await.unwrap().unwrap();
    assert_eq!((event.end.message_count, event.end.duration_ms), (Some(3), Some(4_000)));
    assert_eq!(event.event_id, end_event_id(&event.start.event_id));
    assert_eq!(event.end.session_file.as_deref(), row.session_file.to_str());
    assert_eq!(event.end.listeners, ["audit", "late", "memory"]);
    assert!(!store.journal_ended(&row.session_id, end).await.unwrap());
    assert!(store.unended_sessions().await.unwrap().is_empty());
    // The same session may go on after a restart: a new start, a new end.
    assert!(store.journal_started(start(&row, begun + 9), &[]).await.unwrap());
    assert!(store.journal_ended(&row.session_id, because("shutdown")).await.unwrap());
    assert!(!store.journal_ended("nobody", because("shutdown")).await.unwrap());
}

#[tokio::test]
async fn a_crash_leaves_what_is_owed() {
    // HOOK-235, HOOK-241
    let home = Home::new();
    let (row, other) = {
        let store = home.open();
        let row = open_main(&store).await;
        let other = store.open_session("explicit:o", "main", OpenReason::System).await.unwrap().row;
        store.journal_started(start(&row, row.session_started_at_ms), &[]).await.unwrap();
        store.journal_started(start(&other, other.session_started_at_ms), &[]).await.unwrap();
        store.append(&row.session_id, vec![NewEntry { at_ms: Some(row.session_started_at_ms + 2), ..text(0) }]).await.unwrap();
        // Ended, one listener told, then killed.
        store.journal_ended(&other.session_id, because("reset")).await.unwrap();
        let event = end_event_id(&start_event_id(&other.session_id, other.session_started_at_ms));
        assert!(store.mark_delivered(&event, "audit").await.unwrap());
        assert!(!store.mark_delivered(&event, "audit").await.unwrap());
        (row, other)
    };
    let store = home.open();
    let unended = store.unended_sessions().await.unwrap();
    assert_eq!(unended, [start(&row, row.session_started_at_ms)]);
    let lost = LifecycleEnd { recovered: true, ..because("unknown") };
    assert!(store.journal_ended(&row.session_id, lost).await.unwrap());
    assert_eq!(store.owed_listeners().await.unwrap(), ["audit", "memory"]);
    let audit = store.pending_deliveries("audit").await.unwrap().concat();
    assert_eq!(audit.len(), 1);
    let PendingDelivery::End(ended) = &audit[0] else { panic!("{audit:?}") };
    let end = &ended.end;
    assert_eq!((end.reason.as_str(), end.recovered, end.message_count), ("unknown", true, Some(1)));
    assert!(end.duration_ms.unwrap() <= 2, "up to its last entry, not to the restart");
    let memory = store.pending_deliveries("memory").await.unwrap().concat();
    assert_eq!(
        memory.iter().map(|d| d.start().session_id.as_str()).collect::<std::collections::BTreeSet<_>>(),
        [row.session_id.as_str(), other.session_id.as_str()].into()
    );
    for d in &memory {
        assert!(store.mark_delivered(d.event_id(), "memory").await.unwrap());
    }
    assert!(store.pending_deliveries("memory").await.unwrap().is_empty());
    assert_eq!(store.forget_listener("audit").await.unwrap(), 1);
    assert!(store.owed_listeners().await.unwrap().is_empty());
    let left = store.read(|c, _| c.query_row("SELECT COUNT(*) FROM lifecycle", [], |r| r.get::<_, i64>(0))).await.unwrap();
    assert_eq!(left, 0, "what everybody was told is forgotten");
}

#[tokio::test]
async fn a_start_is_owed_until_it_was_told() {
    // HOOK-235
    let home = Home::new();
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let told = |deliveries: Vec<Vec<PendingDelivery>>| {
        let one = |d: &PendingDelivery| match d {
            PendingDelivery::Start(start) => format!("start {}", start.at_ms),
            PendingDelivery::End(ended) => format!("end of {}", ended.start.at_ms),
        };
        deliveries.iter().map(|of_key| of_key.iter().map(one).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let (row, begun) = {
        let store = home.open();
        let row = open_main(&store).await;
        let begun = row.session_started_at_ms;
        store.journal_started(start(&row, begun), &names(&["audit", "memory", "starts"])).await.unwrap();
        store.start_told(&start(&row, begun).event_id, names(&["audit", "starts"]).into_iter().collect()).await.unwrap();
        // The same session again, after a restart; another key beside it.
        store.journal_ended(&row.session_id, LifecycleEnd { at_ms: Some(begun + 1), ..because("restart") }).await.unwrap();
        store.journal_started(start(&row, begun + 1), &names(&["audit"])).await.unwrap();
        let other = LifecycleStart { event_id: "o".into(), session_id: "o".into(), session_key: "o".into(), ..start(&row, begun - 1) };
        store.journal_started(other, &names(&["audit"])).await.unwrap();
        (row, begun)
    };
    let store = home.open();
    assert_eq!(store.owed_listeners().await.unwrap(), ["audit", "memory", "starts"]);
    let of_main = [format!("start {begun}"), format!("end of {begun}"), format!("start {}", begun + 1)];
    assert_eq!(told(store.pending_deliveries("audit").await.unwrap()), [vec![format!("start {}", begun - 1)], of_main.to_vec()]);
    assert_eq!(told(store.pending_deliveries("memory").await.unwrap()), [[format!("end of {begun}")]]);
    assert_eq!(told(store.pending_deliveries("starts").await.unwrap()), [[format!("start {begun}")]]);

    let event = start_event_id(&row.session_id, begun);
    for offer in 1..4 {
        assert_eq!(store.begin_offer(&event, "starts").await.unwrap(), Some(offer));
    }
    assert_eq!(store.begin_offer(&event, "memory").await.unwrap(), None, "it has heard");
    assert!(store.mark_delivered(&event, "starts").await.unwrap());
    assert!(!store.mark_delivered(&event, "starts").await.unwrap());
    assert_eq!(store.forget_listener("audit").await.unwrap(), 4);
    let rows = async || store.read(|c, _| c.query_row("SELECT COUNT(*) FROM lifecycle", [], |r| r.get::<_, i64>(0))).await.unwrap();
    assert_eq!(rows().await, 3, "`memory` has not heard of the end, and two sessions are open");
    assert!(store.mark_delivered(&end_event_id(&event), "memory").await.unwrap());
    assert_eq!(rows().await, 2);
}

#[tokio::test]
async fn event_ids_are_stable() {
    assert_eq!(start_event_id("s", 1), start_event_id("s", 1));
    assert_ne!(start_event_id("s", 1), start_event_id("s", 2));
    assert_ne!(end_event_id("a"), end_event_id("b"));
}

#[tokio::test]
async fn two_thousand_sessions_drain_at_once() {
    // HOOK-240
    let home = Home::new();
    let store = home.open();
    let begin = |n: i64| LifecycleStart { event_id: format!("e{n}"), session_id: format!("s{n}"), at_ms: n, ..LifecycleStart::default() };
    let join = |work: Vec<tokio::task::JoinHandle<bool>>| async {
        let mut sum = 0;
        for w in work {
            sum += usize::from(w.await.unwrap());
        }
        sum
    };
    let started: Vec<_> = (0..2000)
        .map(|n| {
            let s = store.clone();
            tokio::spawn(async move { s.journal_started(begin(n), &[]).await.unwrap() })
        })
        .collect();
    assert_eq!(join(started).await, 2000);
    let ended: Vec<_> = (0..4000)
        .map(|n| {
            let s = store.clone();
            tokio::spawn(async move { s.journal_ended(&format!("s{}", n % 2000), because("shutdown")).await.unwrap() })
        })
        .collect();
    assert_eq!(join(ended).await, 2000, "each exactly once, whoever comes twice");
}

#[tokio::test]
async fn runs_are_claimed_once_and_remembered() {
    // GW-77, GW-80, GW-F12
    let home = Home::new();
    let record = |key: &str, hash: Option<&str>| RunRecord {
        key: key.into(),
        method: "chat.send".into(),
        run_id: key.into(),
        session_key: Some("agent:main:main".into()),
        text_hash: hash.map(str::to_owned),
        payload: json!({"status": "started"}),
        ..RunRecord::default()
    };
    {
        let store = home.open();
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (s, r) = (store.clone(), record("k", Some("h")));
                tokio::spawn(async move { s.claim_run(r).await.unwrap() })
            })
            .collect();
        let mut new = 0;
        for t in tasks {
            new += usize::from(t.await.unwrap() == RunClaim::New);
        }
        assert_eq!(new, 1);
        let same_text = store.claim_run(record("k2", Some("h"))).await.unwrap();
        assert!(matches!(same_text, RunClaim::Existing(r) if r.key == "k"));
        assert_eq!(store.claim_run(record("k3", None)).await.unwrap(), RunClaim::New);
        store.put_run_record(RunRecord { status: RunStatus::Ok, payload: json!({"done": true}), ..record("k", Some("h")) }).await.unwrap();
        assert_eq!(store.claim_run(record("k2", Some("h"))).await.unwrap(), RunClaim::New, "only running ones count by text");
    }
    let store = home.open();
    let done = store.run_record("k").await.unwrap().unwrap();
    assert_eq!((done.status, done.payload), (RunStatus::Ok, json!({"done": true})));
    assert_eq!(store.run_record("k3").await.unwrap().unwrap().status, RunStatus::Interrupted);
    store.put_run_record(record("running", None)).await.unwrap();
    let puts = (0..1100).map(|n| {
        let (s, r) = (store.clone(), RunRecord { status: RunStatus::Error, ..record(&format!("n{n}"), None) });
        tokio::spawn(async move { s.put_run_record(r).await.unwrap() })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap();
    }
    let count = store.read(|c, _| c.query_row("SELECT COUNT(*) FROM runs", [], |r| r.get::<_, i64>(0))).await.unwrap();
    assert!((1001..1001 + 64).contains(&count), "{count}");
    assert!(store.run_record("running").await.unwrap().is_some(), "a running one is never evicted");
    store.write(|tx| tx.exec("UPDATE runs SET expires_at = 1", [])).await.unwrap();
    assert_eq!(store.run_record("n1099").await.unwrap(), None);
    assert!(store.run_record("running").await.unwrap().is_some());
}
