//! Sessions and transcripts through the public calls.

use serde_json::json;

use crate::testkit::{Home, lines, open_main, text, texts};
use crate::*;

#[tokio::test]
async fn a_session_survives_and_is_found() {
    // CH-133, CH-134
    let home = Home::new();
    let id = {
        let store = home.open();
        let opened = store.open_session("Agent:Main:Telegram:Group:-1", "ignored", OpenReason::Interaction).await.unwrap();
        assert!(opened.created);
        let again = store.open_session("agent:main:telegram:group:-1", "main", OpenReason::System).await.unwrap();
        assert!(!again.created);
        assert_eq!(again.row, opened.row);
        opened.row.session_id
    };
    let store = home.open();
    let row = store.session("agent:main:telegram:group:-1").await.unwrap().unwrap();
    assert_eq!(row.session_id, id);
    assert_eq!(store.session_by_id(&id).await.unwrap().unwrap(), row);
    assert_eq!(store.session("agent:main:nobody").await.unwrap(), None);
    assert!(matches!(Store::open(home.options()), Err(StoreError::InUse { .. })));
}

#[tokio::test]
async fn concurrent_opens_make_one_session() {
    let home = Home::new();
    let store = home.open();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            tokio::spawn({
                let s = store.clone();
                async move { s.open_session("x", "main", OpenReason::Interaction).await.unwrap() }
            })
        })
        .collect();
    let mut created = 0;
    let mut ids = std::collections::HashSet::new();
    for task in tasks {
        let opened = task.await.unwrap();
        created += usize::from(opened.created);
        ids.insert(opened.row.session_id);
    }
    assert_eq!((created, ids.len()), (1, 1));
}

#[tokio::test]
async fn entries_form_one_chain_in_table_and_file() {
    // GW-151
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    assert!(!row.session_file.exists(), "no entry, no file");
    let first = store.append(&row.session_id, vec![text(0), text(1)]).await.unwrap();
    let change = NewEntry::of_kind("model_change", json!({"provider": "p", "modelId": "m"}));
    let second = store.append(&row.session_id, vec![change, text(2)]).await.unwrap();
    assert_eq!(first[0].parent_id, None);
    assert_eq!(second[0].parent_id.as_ref(), Some(&first[1].id));
    assert_eq!(second[1].seq, 3);
    let file = lines(&row.session_file);
    assert_eq!((&file[0]["type"], &file[0]["version"], &file[0]["id"]), (&json!("session"), &json!(3), &json!(row.session_id)));
    let ids: Vec<_> = file[1..].iter().map(|l| l["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [&first[0].id, &first[1].id, &second[0].id, &second[1].id].map(Clone::clone));
    assert!(ids.iter().all(|id| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit())));
    assert_eq!(file[4]["message"]["content"], "message 2");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&row.session_file).unwrap().permissions().mode() & 0o777, 0o600);
    // The window holds what a context is built from; the count tells messages.
    assert_eq!(texts(&store, &row.session_id).await, ["message 0", "message 1", "message 2"]);
    assert_eq!(store.window(&row.session_id, 2).await.unwrap()[0].body["content"], "message 1");
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), 3);
    assert_eq!(store.session(&row.key).await.unwrap().unwrap().message_count, 3);
    let page = EntryQuery { before_seq: Some(3), limit: Some(2), all_kinds: true, ..EntryQuery::default() };
    let seqs: Vec<u64> = store.entries(&row.session_id, page).await.unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(seqs, [1, 2]);
    assert!(matches!(store.append("nobody", vec![text(0)]).await, Err(StoreError::UnknownTranscript { .. })));
}

#[tokio::test]
async fn a_bad_entry_spoils_only_its_own_call() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let bad = NewEntry::message(json!("no object"));
    let calls = [vec![text(0)], vec![text(1), bad], vec![text(2)]];
    let outcomes = futures_join(&store, &row.session_id, calls).await;
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(texts(&store, &row.session_id).await, ["message 0", "message 2"]);
    assert_eq!(lines(&row.session_file).len(), 3);
}

async fn futures_join(store: &Store, id: &str, calls: [Vec<NewEntry>; 3]) -> Vec<bool> {
    let [a, b, c] = calls;
    let (a, b, c) = tokio::join!(store.append(id, a), store.append(id, b), store.append(id, c));
    vec![a.is_ok(), b.is_ok(), c.is_ok()]
}

#[tokio::test]
async fn a_turn_is_one_step() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let turn = |id: &str| TurnCommit {
        session_key: row.key.clone(),
        session_id: id.to_owned(),
        entries: vec![text(0), text(1)],
        row_update: Some(Box::new(|r| {
            r.status = Some("done".into());
            r.session_id = "hijack".into();
        })),
        runs: vec![RunRecord { key: "agent:k".into(), status: RunStatus::Ok, ..RunRecord::default() }],
        relaxed: false,
    };
    let done = store.commit_turn(turn(&row.session_id)).await.unwrap();
    let after = done.row.unwrap();
    assert_eq!((after.status.as_deref(), after.message_count), (Some("done"), 2));
    assert_eq!(after.session_id, row.session_id, "an update cannot change the session id");
    assert_eq!(store.session(&row.key).await.unwrap().unwrap(), after);
    assert!(store.run_record("agent:k").await.unwrap().is_some());
    // A reset during the turn: the entries go to the old transcript, the new row is left alone.
    let (old, new) = store.replace_session(&row.key, NewSession::default()).await.unwrap();
    let late = store.commit_turn(turn(&row.session_id)).await.unwrap();
    assert_eq!(late.row, None);
    assert_eq!(lines(&old.session_file).len(), 5);
    assert_eq!(store.session(&row.key).await.unwrap().unwrap(), new);
    // A panic in an update is an error of that call alone.
    let panicked = store.update_session(&row.key, |_| panic!("plugin")).await;
    assert!(matches!(panicked, Err(StoreError::UpdatePanicked)));
    assert_eq!(store.session(&row.key).await.unwrap().unwrap(), new);
}

#[tokio::test]
async fn a_reset_archives_and_keeps_preferences() {
    // HOOK-227, HOOK-230
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, vec![text(0)]).await.unwrap();
    store
        .update_session(&row.key, |r| {
            r.label = Some("L".into());
            r.extra.insert("thinkingLevel".into(), json!("high"));
            r.extra.insert("pluginExtensions".into(), json!({"p": {"n": 1}}));
        })
        .await
        .unwrap();
    let (old, new) = store.replace_session(&row.key, NewSession { link_parent: true, ..NewSession::default() }).await.unwrap();
    assert!(!row.session_file.exists());
    assert!(is_archive_name(&old.session_file), "{:?}", old.session_file);
    assert_eq!(lines(&old.session_file).len(), 2);
    assert_ne!(new.session_id, old.session_id);
    assert_eq!((new.label.as_deref(), new.message_count, new.extra.get("thinkingLevel")), (Some("L"), 0, Some(&json!("high"))));
    assert!(!new.extra.contains_key("pluginExtensions"));
    assert_eq!(texts(&store, &old.session_id).await, ["message 0"], "hooks can still read the old transcript");
    store.append(&new.session_id, vec![text(1)]).await.unwrap();
    assert_eq!(lines(&new.session_file)[0]["parentSession"], json!(row.session_file));
    // Rollover in one step, and a session without any entry has nothing to archive.
    let rolled = store.open_session(&row.key, "main", OpenReason::Rollover(NewSession::default())).await.unwrap();
    assert_eq!(rolled.replaced.unwrap().session_id, new.session_id);
    let (empty, _) = store.replace_session(&row.key, NewSession::default()).await.unwrap();
    assert!(!is_archive_name(&empty.session_file));
    assert!(matches!(store.replace_session("agent:main:x", NewSession::default()).await, Err(StoreError::UnknownSession { .. })));
}

#[tokio::test]
async fn a_late_entry_of_the_old_session_does_not_hide_the_new_count() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let (_, new) = store.replace_session(&row.key, NewSession::default()).await.unwrap();
    let (old_id, new_id) = (row.session_id.clone(), new.session_id.clone());
    store
        .write(move |tx| {
            for id in [new_id, old_id] {
                let mut t = tx.require_transcript(&id)?;
                tx.append_entries(&mut t, vec![text(0)], 1)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(store.session(&row.key).await.unwrap().unwrap().message_count, 1);
}

#[tokio::test]
async fn deleting() {
    // HOOK-224
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, vec![text(0)]).await.unwrap();
    let gone = store.delete_session(&row.key, true).await.unwrap().unwrap();
    assert!(gone.session_file.to_string_lossy().contains(".jsonl.deleted."));
    assert!(gone.session_file.is_file());
    assert_eq!(store.delete_session(&row.key, true).await.unwrap(), None);
    assert_eq!(store.session(&row.key).await.unwrap(), None);
    assert_eq!(store.list_sessions(SessionQuery::default()).await.unwrap(), SessionPage::default());
    let kept = open_main(&store).await;
    store.append(&kept.session_id, vec![text(0)]).await.unwrap();
    store.delete_session(&kept.key, false).await.unwrap();
    assert!(kept.session_file.is_file());
    assert_eq!(store.purge_archives(i64::MAX, 10).await.unwrap(), 1);
    assert!(!gone.session_file.exists());
}

#[tokio::test]
async fn lists_page_by_time() {
    let home = Home::new();
    let store = home.open();
    for n in 0..25 {
        let agent = if n % 5 == 0 { "ops" } else { "main" };
        let row = store.open_session(&format!("explicit:{n:02}"), agent, OpenReason::System).await.unwrap().row;
        let label = (n == 3).then(|| "Needle".to_owned());
        store
            .update_session(&row.key, move |r| {
                r.updated_at_ms = 1000 + n;
                r.label = label;
            })
            .await
            .unwrap();
    }
    let page = |q: SessionQuery| {
        let s = store.clone();
        async move { s.list_sessions(q).await.unwrap() }
    };
    let first = page(SessionQuery { limit: Some(10), ..SessionQuery::default() }).await;
    assert_eq!((first.rows.len(), first.total, first.rows[0].updated_at_ms), (10, 25, 1024));
    let second = page(SessionQuery { limit: Some(10), offset: 20, ..SessionQuery::default() }).await;
    assert_eq!(second.rows.iter().map(|r| r.updated_at_ms).collect::<Vec<_>>(), [1004, 1003, 1002, 1001, 1000]);
    let ops = page(SessionQuery { agent_id: Some("ops".into()), limit: Some(2), ..SessionQuery::default() }).await;
    assert_eq!((ops.rows.len(), ops.total), (2, 5));
    for q in [
        SessionQuery { search: Some("nEEdle".into()), ..SessionQuery::default() },
        SessionQuery { label: Some("Needle".into()), ..SessionQuery::default() },
        SessionQuery { search: Some("explicit:03".into()), agent_id: Some("main".into()), ..SessionQuery::default() },
    ] {
        let found = page(q).await;
        assert_eq!((found.total, found.rows[0].key.as_str()), (1, "agent:main:explicit:03"));
    }
    assert_eq!(page(SessionQuery { active_minutes: Some(5), ..SessionQuery::default() }).await.total, 0);
}

#[tokio::test]
async fn a_full_database_loses_nothing_and_recovers() {
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, vec![text(0)]).await.unwrap();
    let pages = |n: i64| {
        let s = store.clone();
        async move {
            s.write(move |tx| tx.conn.pragma_update(None, "max_page_count", n).map_err(|e| tx.shared.sqlite("limit", &e))).await.unwrap();
        }
    };
    let used = store.read(|c, _| c.pragma_query_value(None, "page_count", |r| r.get::<_, i64>(0))).await.unwrap();
    pages(used + 4).await;
    let big = || NewEntry::message(json!({"role": "user", "content": "x".repeat(20_000)}));
    let mut stored = 1;
    let error = loop {
        match store.append(&row.session_id, vec![big()]).await {
            Ok(_) => stored += 1,
            Err(e) => break e,
        }
        assert!(stored < 50);
    };
    assert!(matches!(&error, StoreError::DiskFull { path } if path == store.db_path()), "{error}");
    assert!(error.retryable());
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), stored);
    pages(1_000_000).await;
    store.append(&row.session_id, vec![big()]).await.unwrap();
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), stored + 1);
    assert_eq!(lines(&row.session_file).len() as u64, stored + 2);
}

#[tokio::test]
async fn many_callers_share_commits() {
    let home = Home::new();
    let store = home.open();
    let mut tasks = Vec::new();
    for n in 0..32 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let row = store.open_session(&format!("explicit:{n}"), "main", OpenReason::Interaction).await.unwrap().row;
            for i in 0..10 {
                store.append(&row.session_id, vec![text(i)]).await.unwrap();
            }
            row
        }));
    }
    for task in tasks {
        let row = task.await.unwrap();
        let want: Vec<String> = (0..10).map(|i| format!("message {i}")).collect();
        assert_eq!(texts(&store, &row.session_id).await, want);
        assert_eq!(lines(&row.session_file).len(), 11);
    }
}

#[test]
fn a_newer_database_is_refused() {
    let home = Home::new();
    drop(home.open());
    let conn = rusqlite::Connection::open(home.root().join("chela/chela.sqlite")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let error = Store::open(home.options()).err().unwrap();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 99, .. }), "{error}");
}
