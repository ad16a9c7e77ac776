//! Killing the process at any moment loses nothing that was acknowledged.
//!
//! The test binary runs itself as the writer, is killed without warning, and the store is opened again and compared
//! with what the writer said was stored.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chela_store::{LifecycleStart, NewEntry, NewSession, OpenReason, Store, StoreOptions};
use serde_json::json;

const ROOT: &str = "CHELA_STORE_CRASH_ROOT";
const ROUNDS: usize = 30;
const WRITERS: usize = 4;

fn open(root: &Path) -> Store {
    let base = root.to_owned();
    Store::open(StoreOptions::new(root.join("chela/chela.sqlite"), move |agent| base.join("agents").join(agent).join("sessions"))).unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// Writes until it is killed; says what was stored only once it is.
#[test]
#[ignore = "the part of the crash test that is killed"]
fn writer() {
    let Some(root) = std::env::var_os(ROOT).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&root);
        say("open");
        let writers: Vec<_> = (0..WRITERS).map(|w| tokio::spawn(write_for_ever(store.clone(), w))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write_for_ever(store: Store, writer: usize) {
    let key = format!("agent:main:explicit:w{writer}");
    let mut row = store.open_session(&key, "main", OpenReason::Interaction).await.unwrap().row;
    let mut next = store.message_count(&row.session_id).await.unwrap();
    for turn in 1_u64.. {
        let entry = |n: u64| NewEntry::message(json!({"role": "user", "content": n, "pad": "p".repeat(300)}));
        store.append(&row.session_id, vec![entry(next), entry(next + 1)]).await.unwrap();
        next += 2;
        say(&format!("ack {} {next}", row.session_id));
        if turn.is_multiple_of(40) {
            let start = LifecycleStart {
                event_id: format!("start-{}", row.session_id),
                session_id: row.session_id.clone(),
                ..LifecycleStart::default()
            };
            if store.journal_started(start, &[]).await.unwrap() {
                say(&format!("started {}", row.session_id));
            }
            row = store.replace_session(&key, NewSession::default()).await.unwrap().1;
            next = 0;
            say(&format!("session {key} {}", row.session_id));
        }
    }
}

/// A small pseudo-random delay that differs with every round and run.
fn delay() -> Duration {
    let random = uuid::Uuid::new_v4().as_u128();
    Duration::from_millis(5 + u64::try_from(random % 120).unwrap())
}

#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<String, u64>,
    started: Vec<String>,
    current: BTreeMap<String, String>,
}

fn run_and_kill(root: &Path, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let opened = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with("open"));
    assert!(opened, "the writer must open what the last kill left");
    let killer = std::thread::spawn(move || {
        std::thread::sleep(delay());
        child.kill().unwrap();
        child.wait().unwrap();
    });
    for line in lines.map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["ack", id, count] => {
                // The last line may be cut off by the kill.
                if let Ok(count) = count.parse() {
                    let known = told.acknowledged.entry((*id).to_owned()).or_default();
                    *known = (*known).max(count);
                }
            }
            ["started", id] if id.len() == 36 => told.started.push((*id).to_owned()),
            ["session", key, id] if id.len() == 36 => {
                told.current.insert((*key).to_owned(), (*id).to_owned());
            }
            _ => {}
        }
    }
    killer.join().unwrap();
}

async fn check(root: &Path, told: &Told) {
    let store = open(root);
    for (id, count) in &told.acknowledged {
        if id.len() != 36 {
            continue;
        }
        let window = store.window(id, usize::MAX).await.unwrap();
        assert!(window.len() as u64 >= *count, "session {id}: {count} acknowledged, {} found", window.len());
        let mut parent = None;
        for (n, entry) in window.iter().enumerate() {
            assert_eq!(entry.body["content"], json!(n), "order in {id}");
            assert_eq!(entry.parent_id, parent);
            parent = Some(entry.id.clone());
        }
    }
    for (key, id) in &told.current {
        let row = store.session(key).await.unwrap().unwrap();
        let moved_on = row.session_id != *id && told.acknowledged.get(id).is_some_and(|n| *n >= 80);
        assert!(row.session_id == *id || moved_on, "{key} went back to an older session");
        let window = store.window(&row.session_id, usize::MAX).await.unwrap();
        if !window.is_empty() {
            let file = std::fs::read_to_string(&row.session_file).unwrap();
            let ids: Vec<String> = file
                .lines()
                .skip(1)
                .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["id"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(ids, window.iter().map(|e| e.id.clone()).collect::<Vec<_>>(), "file and table agree");
        }
    }
    let unended: Vec<String> = store.unended_sessions().await.unwrap().into_iter().map(|s| s.session_id).collect();
    for id in &told.started {
        assert!(unended.contains(id), "the start of {id} was forgotten");
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for round in 0..ROUNDS {
        run_and_kill(home.path(), &mut told);
        // A check after every round would mostly test the check; some rounds open upon an unrepaired kill.
        if round % 5 == 4 {
            check(home.path(), &told).await;
        }
    }
    assert!(told.acknowledged.values().sum::<u64>() > 100, "the writer hardly wrote: {:?}", told.acknowledged);
}
