//! Files beside the database: repair, import, projection.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::testkit::{Home, lines, open_main, text, texts};
use crate::*;

/// A session with messages 0..n, stored and closed again.
async fn prepared(home: &Home, n: usize) -> SessionRow {
    let store = home.open();
    let row = open_main(&store).await;
    store.append(&row.session_id, (0..n).map(text).collect()).await.unwrap();
    row
}

fn add_to(path: &Path, text: &str) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn foreign(id: &str, parent: &str, content: &str) -> String {
    json!({"type": "message", "id": id, "parentId": parent, "timestamp": "2026-01-02T03:04:05.000Z",
           "message": {"role": "user", "content": content}})
    .to_string()
        + "\n"
}

fn torn_files(dir: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.to_string_lossy().contains(".torn-")).collect()
}

/// Every parent is the entry before, and the file says what the store says.
async fn whole(store: &Store, row: &SessionRow, want: &[&str]) {
    assert_eq!(texts(store, &row.session_id).await, want);
    let file = lines(&row.session_file);
    let contents: Vec<_> = file[1..].iter().map(|l| l["message"]["content"].as_str().unwrap()).collect();
    assert_eq!(contents, want);
    let mut parent = Value::Null;
    for line in &file[1..] {
        assert_eq!(line["parentId"], parent);
        parent = line["id"].clone();
    }
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), want.len() as u64);
}

#[tokio::test]
async fn a_missing_or_short_file_is_written_again() {
    // GW-151
    for cut in [None, Some(1), Some(2)] {
        let home = Home::new();
        let row = prepared(&home, 3).await;
        let before = std::fs::read(&row.session_file).unwrap();
        match cut {
            None => std::fs::remove_file(&row.session_file).unwrap(),
            Some(keep) => {
                let kept: Vec<_> = before.split_inclusive(|b| *b == b'\n').take(keep).flatten().copied().collect();
                std::fs::write(&row.session_file, kept).unwrap();
            }
        }
        let store = home.open();
        whole(&store, &row, &["message 0", "message 1", "message 2"]).await;
        assert_eq!(std::fs::read(&row.session_file).unwrap(), before, "byte for byte");
        store.append(&row.session_id, vec![text(3)]).await.unwrap();
        whole(&store, &row, &["message 0", "message 1", "message 2", "message 3"]).await;
    }
}

#[tokio::test]
async fn a_torn_last_line_is_kept_aside() {
    let home = Home::new();
    let row = prepared(&home, 2).await;
    add_to(&row.session_file, "{\"type\":\"message\",\"id\":\"torn");
    let store = home.open();
    whole(&store, &row, &["message 0", "message 1"]).await;
    let torn = torn_files(&home.sessions("main"));
    assert_eq!(torn.len(), 1);
    assert!(std::fs::read_to_string(&torn[0]).unwrap().contains("torn"));
    store.append(&row.session_id, vec![text(2)]).await.unwrap();
    whole(&store, &row, &["message 0", "message 1", "message 2"]).await;
    assert_eq!(torn_files(&home.sessions("main")).len(), 1);
}

#[tokio::test]
async fn entries_of_another_program_are_taken_over() {
    let home = Home::new();
    let row = prepared(&home, 1).await;
    let leaf = lines(&row.session_file)[1]["id"].as_str().unwrap().to_owned();
    add_to(&row.session_file, &foreign("aaaaaaaa", &leaf, "from outside"));
    let store = home.open();
    whole(&store, &row, &["message 0", "from outside"]).await;
    // While the store runs: noticed at the next append, nothing overwritten.
    add_to(&row.session_file, &foreign("bbbbbbbb", "aaaaaaaa", "meanwhile"));
    store.append(&row.session_id, vec![text(1)]).await.unwrap();
    whole(&store, &row, &["message 0", "from outside", "message 1", "meanwhile"]).await;
    store.append(&row.session_id, vec![text(2)]).await.unwrap();
    whole(&store, &row, &["message 0", "from outside", "message 1", "meanwhile", "message 2"]).await;
}

#[tokio::test]
async fn both_sides_went_on() {
    let home = Home::new();
    let row = prepared(&home, 2).await;
    let file = lines(&row.session_file);
    let kept: String = file[..2].iter().map(|l| format!("{l}\n")).collect();
    std::fs::write(&row.session_file, kept + &foreign("cccccccc", file[1]["id"].as_str().unwrap(), "other branch")).unwrap();
    let store = home.open();
    whole(&store, &row, &["message 0", "message 1", "other branch"]).await;
}

#[tokio::test]
async fn abandoned_branches_do_not_count() {
    let home = Home::new();
    let row = prepared(&home, 2).await;
    let first = lines(&row.session_file)[1]["id"].as_str().unwrap().to_owned();
    add_to(&row.session_file, &foreign("dddddddd", &first, "rewritten"));
    let store = home.open();
    assert_eq!(texts(&store, &row.session_id).await, ["message 0", "rewritten"]);
    assert_eq!(store.message_count(&row.session_id).await.unwrap(), 2);
    let all = EntryQuery { all_branches: true, ..EntryQuery::default() };
    assert_eq!(store.entries(&row.session_id, all).await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_existing_installation_is_taken_over() {
    // GW-150, GW-151
    let home = Home::new();
    let map = json!({
        "Agent:Main:Main": {"sessionId": "11111111-1111-4111-8111-111111111111", "updatedAt": 50, "label": "old", "origin": {"p": 1}},
        "agent:main:broken": {"updatedAt": 3, "note": "no id"},
        "global": {"sessionId": "g-1", "updatedAt": 1}
    });
    home.write("main", "sessions.json", &map.to_string());
    home.write(
        "main",
        "11111111-1111-4111-8111-111111111111.jsonl",
        "{\"type\":\"session\",\"version\":2,\"id\":\"11111111-1111-4111-8111-111111111111\",\"cwd\":\"/old\"}\n\
         {\"type\":\"message\",\"timestamp\":\"2026-01-02T03:04:05.000Z\",\"message\":{\"role\":\"user\",\"content\":\"a\"}}\n\
         {\"type\":\"message\",\"message\":{\"role\":\"assistant\",\"content\":\"b\"}}",
    );
    std::os::unix::fs::symlink("/etc", home.root().join("agents/linked")).unwrap();
    let store = home.open();
    let row = store.session("agent:main:main").await.unwrap().unwrap();
    assert_eq!((row.label.as_deref(), row.updated_at_ms, &row.extra["origin"]), (Some("old"), 50, &json!({"p": 1})));
    assert_eq!(store.list_sessions(SessionQuery::default()).await.unwrap().total, 2);
    whole(&store, &row, &["a", "b"]).await;
    assert_eq!(lines(&row.session_file)[0]["cwd"], "/old");
    store.append(&row.session_id, vec![text(0)]).await.unwrap();
    whole(&store, &row, &["a", "b", "message 0"]).await;
    store.flush_projections().await.unwrap();
    let written: Value = serde_json::from_slice(&std::fs::read(home.sessions("main").join("sessions.json")).unwrap()).unwrap();
    assert_eq!(written["agent:main:broken"], map["agent:main:broken"], "what is not understood is kept");
    assert_eq!(written["agent:main:main"]["origin"], json!({"p": 1}));
    assert_eq!(written["agent:main:main"]["sessionFile"], json!(row.session_file));
    assert!(!home.root().join("agents/linked/sessions").exists());
}

#[tokio::test]
async fn stores_that_lie_behind_links_are_not_taken_over() {
    // GW-155
    let home = Home::new();
    let outside = tempfile::tempdir().unwrap();
    let list = |key: &str| json!({key: {"sessionId": format!("{}-id", key.replace(':', "-")), "updatedAt": 1}}).to_string();
    std::fs::create_dir_all(outside.path().join("sessions")).unwrap();
    std::fs::write(outside.path().join("sessions/sessions.json"), list("agent:away:main")).unwrap();
    let agents = home.root().join("agents");
    std::fs::create_dir_all(agents.join("file/sessions")).unwrap();
    std::fs::create_dir_all(agents.join("folder")).unwrap();
    let link = |from: &Path, to: &Path| std::os::unix::fs::symlink(from, to).unwrap();
    link(outside.path(), &agents.join("agent"));
    link(&outside.path().join("sessions"), &agents.join("folder/sessions"));
    link(&outside.path().join("sessions/sessions.json"), &agents.join("file/sessions/sessions.json"));
    home.write("real", "sessions.json", &list("agent:real:main"));
    let store = home.open();
    let rows = store.list_sessions(SessionQuery::default()).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["agent:real:main"]);
    store.flush_projections().await.unwrap();
    assert_eq!(std::fs::read_to_string(outside.path().join("sessions/sessions.json")).unwrap(), list("agent:away:main"));
}

fn edit(path: &Path, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let mut map = serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap();
    change(map.as_object_mut().unwrap());
    std::fs::write(path, map.to_string()).unwrap();
}

#[tokio::test]
async fn edits_of_sessions_json_are_merged() {
    // GW-150, GW-F18
    let home = Home::new();
    let path = home.sessions("main").join("sessions.json");
    {
        let store = home.open();
        for key in ["explicit:edited", "explicit:removed", "explicit:both"] {
            store.open_session(key, "main", OpenReason::System).await.unwrap();
        }
        store.flush_projections().await.unwrap();
        // Changed here after the file was written, and never written: killed before the projection.
        store.update_session("agent:main:explicit:both", |r| r.label = Some("ours".into())).await.unwrap();
    }
    edit(&path, |map| {
        map["agent:main:explicit:edited"]["label"] = json!("theirs");
        map["agent:main:explicit:both"]["label"] = json!("theirs, older");
        map.shift_remove("agent:main:explicit:removed");
        map.insert("agent:main:explicit:added".into(), json!({"sessionId": "added", "updatedAt": 7}));
    });
    let store = home.open();
    let label = |key: &'static str| {
        let s = store.clone();
        async move { s.session(key).await.unwrap().and_then(|r| r.label) }
    };
    assert_eq!(label("agent:main:explicit:edited").await.as_deref(), Some("theirs"));
    assert_eq!(label("agent:main:explicit:both").await.as_deref(), Some("ours"));
    assert!(store.session("agent:main:explicit:removed").await.unwrap().is_none());
    assert_eq!(store.session("agent:main:explicit:added").await.unwrap().unwrap().session_id, "added");
    // Changed while the store runs: taken over before the file is written again.
    store.flush_projections().await.unwrap();
    edit(&path, |map| map["agent:main:explicit:added"]["label"] = json!("live"));
    store.update_session("agent:main:explicit:both", |r| r.label = Some("later".into())).await.unwrap();
    store.flush_projections().await.unwrap();
    assert_eq!(label("agent:main:explicit:added").await.as_deref(), Some("live"));
    let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["agent:main:explicit:both"]["label"], "later");
    assert_eq!(written["agent:main:explicit:added"]["label"], "live");
    assert_eq!(written.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn a_broken_sessions_json_is_kept_aside() {
    let home = Home::new();
    home.write("main", "sessions.json", "{\"agent:main:main\": {");
    let store = home.open();
    open_main(&store).await;
    store.flush_projections().await.unwrap();
    let names: Vec<_> = std::fs::read_dir(home.sessions("main")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|n| n.starts_with("sessions.json.corrupt-")), "{names:?}");
    assert!(serde_json::from_slice::<Value>(&std::fs::read(home.sessions("main").join("sessions.json")).unwrap()).is_ok());
}

#[tokio::test]
async fn the_projection_comes_by_itself() {
    // GW-150
    let home = Home::new();
    let store = home.open();
    open_main(&store).await;
    let path = home.sessions("main").join("sessions.json");
    for _ in 0..200 {
        if path.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(written["agent:main:main"]["sessionId"].is_string());
}

#[tokio::test]
async fn an_interrupted_rename_is_finished() {
    let home = Home::new();
    let row = prepared(&home, 1).await;
    let target = archive_path(&row.session_file, ArchiveReason::Reset, 1);
    let conn = rusqlite::Connection::open(home.root().join("chela/chela.sqlite")).unwrap();
    conn.execute("INSERT INTO file_ops (source, target) VALUES (?1, ?2)", [row.session_file.to_str(), target.to_str()]).unwrap();
    drop(conn);
    drop(home.open());
    assert!(target.is_file() && !row.session_file.exists());
    let conn = rusqlite::Connection::open(home.root().join("chela/chela.sqlite")).unwrap();
    assert_eq!(conn.query_row("SELECT COUNT(*) FROM file_ops", [], |r| r.get::<_, i64>(0)).unwrap(), 0);
}

#[tokio::test]
async fn an_unwritable_transcript_does_not_stop_the_turn() {
    let home = Home::new();
    let row = prepared(&home, 1).await;
    let aside = row.session_file.with_extension("kept");
    std::fs::rename(&row.session_file, &aside).unwrap();
    std::fs::create_dir(&row.session_file).unwrap();
    let store = home.open();
    store.append(&row.session_id, vec![text(1)]).await.unwrap();
    std::fs::remove_dir(&row.session_file).unwrap();
    whole(&store, &row, &["message 0", "message 1"]).await;
    // The same after the file was compared: the turn goes on, the file follows later.
    std::fs::remove_file(&row.session_file).unwrap();
    std::fs::create_dir(&row.session_file).unwrap();
    store.append(&row.session_id, vec![text(2)]).await.unwrap();
    std::fs::remove_dir(&row.session_file).unwrap();
    whole(&store, &row, &["message 0", "message 1", "message 2"]).await;
}
