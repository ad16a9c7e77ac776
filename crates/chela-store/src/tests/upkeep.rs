//! Expiry, offers, cutting, archives.

use std::sync::Arc;

use crate::testkit::{Home, lines, open_main, text, texts};
use crate::*;

#[tokio::test]
async fn sessions_that_run_out_are_found_by_time() {
    let home = Home::new();
    let store = home.open();
    let old = store.open_session("explicit:old", "main", OpenReason::System).await.unwrap().row;
    assert!(store.expired_sessions(i64::MAX, 10).await.unwrap().is_empty(), "without a rule nothing runs out");
    store.set_expiry_rule(Arc::new(|row| (row.key != "agent:main:explicit:never").then_some(row.last_interaction_at_ms + 100)));
    let young = store.open_session("explicit:young", "main", OpenReason::System).await.unwrap().row;
    store.open_session("explicit:never", "main", OpenReason::System).await.unwrap();
    let found = || async { store.expired_sessions(i64::MAX, 10).await.unwrap() };
    assert_eq!(found().await, [young.key.as_str()], "what was there before follows with the reindex");
    assert_eq!(store.reindex_expiry("rule", "").await.unwrap(), None);
    assert_eq!(found().await.len(), 2);
    let sooner = |row: &mut SessionRow| row.last_interaction_at_ms = 5;
    store.update_session(&old.key, sooner).await.unwrap();
    assert_eq!(store.expired_sessions(105, 10).await.unwrap(), [old.key.as_str()]);
    assert!(store.expired_sessions(104, 10).await.unwrap().is_empty());
    store.settle_expiry(&old.key, None).await.unwrap();
    assert_eq!(found().await, [young.key.as_str()]);
    store.update_session(&old.key, |row| row.label = Some("again".into())).await.unwrap();
    assert_eq!(found().await[0], old.key, "a row that is written is there again");
    store.delete_session(&old.key, false).await.unwrap();
    assert_eq!(found().await, [young.key.as_str()]);
    // The same rule costs no second look at all rows; another does.
    store.settle_expiry(&young.key, None).await.unwrap();
    assert_eq!(store.reindex_expiry("rule", "").await.unwrap(), None);
    assert!(found().await.is_empty());
    assert_eq!(store.reindex_expiry("other", "").await.unwrap(), None);
    assert_eq!(found().await.len(), 1);
}

#[tokio::test]
async fn a_watcher_is_woken_by_what_runs_out_earlier() {
    let home = Home::new();
    let store = home.open();
    store.set_expiry_rule(Arc::new(|row| Some(row.last_interaction_at_ms)));
    let row = open_main(&store).await;
    store.update_session(&row.key, |row| row.last_interaction_at_ms = i64::MAX / 2).await.unwrap();
    let watcher = {
        let store = store.clone();
        tokio::spawn(async move { store.until_expiry(0, 3_600_000).await })
    };
    while !watcher.is_finished() {
        store.update_session(&row.key, |row| row.last_interaction_at_ms = (row.last_interaction_at_ms - 1).min(1000)).await.unwrap();
    }
    watcher.await.unwrap().unwrap();
}

#[tokio::test]
async fn offers_of_an_end_are_counted() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let start = LifecycleStart {
        event_id: start_event_id(&row.session_id, 1),
        session_id: row.session_id.clone(),
        session_key: row.key.clone(),
        agent_id: "main".into(),
        at_ms: 1,
        listeners: vec!["p".into()],
        resumed_from: None,
    };
    store.journal_started(start, &[]).await.unwrap();
    let event =
        store.journal_end(&row.session_id, LifecycleEnd { reason: "reset".into(), ..Default::default() }).await.unwrap().unwrap().event_id;
    for offer in 1..3 {
        assert_eq!(store.begin_offer(&event, "p").await.unwrap(), Some(offer));
    }
    assert!(store.mark_delivered(&event, "p").await.unwrap());
    assert!(store.pending_deliveries("p").await.unwrap().is_empty());
    assert_eq!(store.begin_offer(&event, "p").await.unwrap(), None, "nothing is owed");
}

#[tokio::test]
async fn a_cut_transcript_begins_with_a_person_and_is_whole_in_its_file() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, (0..6).map(text).collect()).await.unwrap();
    assert_eq!(store.cut_transcript(&row.session_id, 7).await.unwrap(), (7, None));
    // Three lines besides the header would begin with an answer.
    let (kept, copy) = store.cut_transcript(&row.session_id, 4).await.unwrap();
    assert_eq!((kept, texts(&store, &row.session_id).await), (3, vec!["message 4".to_owned(), "message 5".to_owned()]));
    assert_eq!((lines(&copy.unwrap()).len(), lines(&row.session_file).len()), (7, 3));
    assert!(lines(&row.session_file)[1]["parentId"].is_null());
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), 2);
    store.append(&row.session_id, vec![text(6)]).await.unwrap();
    drop(store);
    let store = home.open();
    assert_eq!(texts(&store, &row.session_id).await.len(), 3, "the file and the database agree");
    assert_eq!(store.cut_transcript(&row.session_id, 1).await.unwrap().0, 1);
    assert!(texts(&store, &row.session_id).await.is_empty());
    store.append(&row.session_id, vec![text(0)]).await.unwrap();
    assert_eq!(lines(&row.session_file).len(), 2);
}

#[tokio::test]
async fn an_archive_comes_back_and_takes_the_place_of_what_is_there() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, vec![text(0), text(1)]).await.unwrap();
    assert!(store.restore_archive(&row.session_id).await.is_err(), "it is in use");
    let (old, new) = store.replace_session(&row.key, NewSession::default()).await.unwrap();
    store.append(&new.session_id, vec![text(2)]).await.unwrap();
    let archived = store.archives(None, 10).await.unwrap();
    assert_eq!((archived.len(), &archived[0].session_id, archived[0].messages), (1, &row.session_id, 2));
    assert_eq!(archived[0].file, old.session_file);
    let (replaced, back) = store.restore_archive(&row.session_id).await.unwrap();
    assert_eq!((replaced.unwrap().session_id, &back.session_id, back.message_count), (new.session_id.clone(), &row.session_id, 2));
    assert!(back.session_file.is_file() && !old.session_file.exists());
    assert_eq!(texts(&store, &row.session_id).await, ["message 0", "message 1"]);
    assert_eq!(store.archives(Some("main"), 10).await.unwrap()[0].session_id, new.session_id);
    store.delete_session(&row.key, true).await.unwrap();
    let (replaced, _) = store.restore_archive(&new.session_id).await.unwrap();
    assert!(replaced.is_none() && store.session(&row.key).await.unwrap().is_some(), "a deleted session comes back too");
    assert_eq!(store.free_archives("main", 1).await.unwrap(), 1);
    assert!(store.archives(None, 10).await.unwrap().is_empty());
}
