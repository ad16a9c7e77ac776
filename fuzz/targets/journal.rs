//! The lifecycle journal under any order of starts, ends, deliveries and offers: a start and its end are told once to each listener, the
//! start first.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use chela_store::{Durability, LifecycleEnd, LifecycleStart, PendingDelivery, Store, StoreOptions, end_event_id, start_event_id};
use libfuzzer_sys::fuzz_target;

#[path = "shared/home.rs"]
mod home;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
}

fn open(home: &std::path::Path) -> Store {
    let base = home.to_owned();
    let mut options = StoreOptions::new(home.join("chela/db"), move |agent| base.join("agents").join(agent).join("sessions"));
    options.durability = Durability::Normal;
    options.patience = std::time::Duration::from_secs(5);
    Store::open(options).unwrap()
}

fuzz_target!(|data: &[u8]| {
    let home = home::in_memory();
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let mut store = open(home.path());
            let mut running = BTreeSet::new();
            let mut starts = Vec::new();
            // Event and plugin, with the offers so far.
            let mut owed: BTreeMap<(String, String), u32> = BTreeMap::new();
            for (at, byte) in data.iter().take(200).enumerate() {
                let (act, session) = (byte >> 4, format!("s{}", byte & 3));
                let plugin = if byte & 4 == 0 { "a" } else { "b" };
                match act {
                    0..=5 => {
                        let event_id = start_event_id(&session, at as i64);
                        let start = LifecycleStart {
                            event_id: event_id.clone(),
                            session_id: session.clone(),
                            session_key: format!("agent:main:{session}"),
                            agent_id: "main".into(),
                            at_ms: at as i64,
                            listeners: vec![plugin.into()],
                            resumed_from: None,
                        };
                        // Either plugin, both or none hear of starts.
                        let hear: Vec<String> = ["a", "b"].iter().zip([4, 8]).filter(|(_, bit)| byte & bit != 0).map(|(p, _)| (*p).into()).collect();
                        let fresh = running.insert(session);
                        assert_eq!(store.journal_started(start, &hear).await.unwrap(), fresh);
                        if fresh {
                            starts.push(event_id.clone());
                            owed.extend(hear.into_iter().map(|plugin| ((event_id.clone(), plugin), 0)));
                        }
                    }
                    6..=10 => {
                        let end = LifecycleEnd { reason: "reset".into(), listeners: vec!["a".into()], ..LifecycleEnd::default() };
                        let ended = store.journal_end(&session, end).await.unwrap();
                        assert_eq!(ended.is_some(), running.remove(&session), "an end belongs to one start");
                        if let Some(ended) = ended {
                            for plugin in &ended.end.listeners {
                                assert!(owed.insert((ended.event_id.clone(), plugin.clone()), 0).is_none(), "an event id twice");
                            }
                        }
                    }
                    11 | 12 => {
                        let first = owed.keys().find(|(_, p)| p == plugin).cloned();
                        if let Some(key) = first {
                            assert!(store.mark_delivered(&key.0, &key.1).await.unwrap());
                            assert!(!store.mark_delivered(&key.0, &key.1).await.unwrap(), "delivered twice");
                            owed.remove(&key);
                            // Who has had the end is not told of the start after it.
                            let start = starts.iter().find(|start| end_event_id(start) == key.0);
                            start.and_then(|start| owed.remove(&(start.clone(), key.1)));
                        }
                    }
                    13 | 14 => {
                        let first = owed.keys().find(|(_, p)| p == plugin).cloned();
                        if let Some(key) = first {
                            let offers = owed.get_mut(&key).unwrap();
                            *offers += 1;
                            assert_eq!(store.begin_offer(&key.0, &key.1).await.unwrap(), Some(*offers));
                            assert_eq!(store.begin_offer(&key.0, "nobody").await.unwrap(), None);
                        }
                    }
                    _ => {
                        drop(store);
                        store = open(home.path());
                    }
                }
            }
            for plugin in ["a", "b"] {
                let pending = store.pending_deliveries(plugin).await.unwrap();
                let expected: BTreeSet<&str> = owed.keys().filter(|(_, p)| p == plugin).map(|(event, _)| event.as_str()).collect();
                let found: BTreeSet<&str> = pending.iter().flatten().map(|d| d.event_id()).collect();
                assert_eq!(found, expected);
                for of_key in &pending {
                    let places = of_key.iter().map(|d| (d.start().at_ms, matches!(d, PendingDelivery::End(_))));
                    assert!(places.is_sorted(), "a start comes before its end, and that before the next start: {of_key:?}");
                }
            }
            assert_eq!(store.unended_sessions().await.unwrap().len(), running.len());
        });
    });
});
