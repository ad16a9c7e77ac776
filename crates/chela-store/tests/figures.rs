//! Prints figures; asserts nothing about time. `cargo test -p chela-store --test figures -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::time::Instant;

use chela_store::{NewEntry, OpenReason, SessionQuery, Store, StoreOptions, TurnCommit};
use serde_json::{Map, json};

fn open(root: &Path) -> Store {
    let base = root.to_owned();
    Store::open(StoreOptions::new(root.join("chela/chela.sqlite"), move |agent| base.join("agents").join(agent).join("sessions"))).unwrap()
}

fn entry(n: usize) -> NewEntry {
    NewEntry::message(json!({"role": "user", "content": format!("message {n}")}))
}

/// Turns (two entries and a row update in one commit) per second, and the median of one in microseconds.
async fn turns(store: &Store, callers: usize, each: usize) -> (f64, u128) {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|c| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = format!("explicit:c{c}");
                let row = store.open_session(&key, "main", OpenReason::Interaction).await.unwrap().row;
                let mut times = Vec::with_capacity(each);
                for n in 0..each {
                    let one = Instant::now();
                    let turn = TurnCommit {
                        session_key: row.key.clone(),
                        session_id: row.session_id.clone(),
                        entries: vec![entry(n), entry(n + 1)],
                        row_update: Some(Box::new(|r| r.status = Some("done".into()))),
                        ..TurnCommit::default()
                    };
                    store.commit_turn(turn).await.unwrap();
                    times.push(one.elapsed().as_micros());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort_unstable();
    ((callers * each) as f64 / begin.elapsed().as_secs_f64(), times[times.len() / 2])
}

async fn each_us<F: Future>(count: usize, mut call: impl FnMut(usize) -> F) -> f64 {
    let begin = Instant::now();
    for n in 0..count {
        call(n).await;
    }
    begin.elapsed().as_secs_f64() * 1e6 / count as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn figures() {
    for sessions in [10, 10_000, 100_000] {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("agents/main/sessions");
        std::fs::create_dir_all(&dir).unwrap();
        let map: Map<_, _> = (0..sessions)
            .map(|n| (format!("agent:main:explicit:{n}"), json!({"sessionId": format!("s{n}"), "updatedAt": n, "label": format!("l{n}")})))
            .collect();
        std::fs::write(dir.join("sessions.json"), serde_json::to_vec(&map).unwrap()).unwrap();
        let begin = Instant::now();
        drop(open(home.path()));
        let import = begin.elapsed();
        let begin = Instant::now();
        let store = open(home.path());
        println!("{sessions} sessions: import {import:?}, open again {:?}", begin.elapsed());
        let begin = Instant::now();
        store.flush_projections().await.unwrap();
        println!("  sessions.json {:?}", begin.elapsed());
        let key = |n: usize| format!("agent:main:explicit:{}", (n * 7919) % sessions);
        let cold = each_us(1000, |n| {
            let s = &store;
            async move { s.session(&key(n)).await.unwrap().unwrap() }
        })
        .await;
        let hot = each_us(1000, |_| {
            let s = &store;
            async move { s.session("agent:main:explicit:1").await.unwrap().unwrap() }
        })
        .await;
        let page = SessionQuery { limit: Some(50), ..SessionQuery::default() };
        let list = each_us(50, |_| {
            let (s, q) = (&store, page.clone());
            async move { s.list_sessions(q).await.unwrap() }
        })
        .await;
        println!("  session() cold {cold:.0} us, hot {hot:.1} us; page of 50 {list:.0} us");
        for (callers, each) in [(1, 200), (32, 50)] {
            let (rate, median) = turns(&store, callers, each).await;
            println!("  {callers} callers: {rate:.0} turns/s, median {median} us");
        }
        store.set_expiry_rule(std::sync::Arc::new(|row| Some(row.last_interaction_at_ms + 1000)));
        let begin = Instant::now();
        let mut after = String::new();
        while let Some(last) = store.reindex_expiry("figures", &after).await.unwrap() {
            after = last;
        }
        let indexed = begin.elapsed();
        let look = each_us(1000, |_| {
            let s = &store;
            async move { s.expired_sessions(0, 64).await.unwrap() }
        })
        .await;
        let settle = each_us(200, |n| {
            let (s, key) = (&store, key(n));
            async move { s.settle_expiry(&key, None).await.unwrap() }
        })
        .await;
        println!("  expiry: all indexed in {indexed:?}; a look {look:.0} us, settling one {settle:.0} us");
        let row = store.session("agent:main:explicit:c0").await.unwrap().unwrap();
        let window = each_us(100, |_| {
            let (s, id) = (&store, &row.session_id);
            async move { s.window(id, 50).await.unwrap() }
        })
        .await;
        println!("  window of 50 of {} messages {window:.0} us", row.message_count);
    }
}
