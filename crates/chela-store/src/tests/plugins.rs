//! Keyed store, injections and session extensions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::testkit::{Home, open_main};
use crate::*;

#[tokio::test]
async fn keyed_store_arguments() {
    // RT-076, RT-077, RT-078, RT-079, RT-081, RT-082, RT-087
    let home = Home::new();
    let store = home.open();
    let code = |r: std::result::Result<KeyedStore, KeyedError>| r.err().map(|e| e.code.as_str());
    let bad = Some("PLUGIN_STATE_INVALID_INPUT");
    let long = "n".repeat(129);
    for name in ["", "-a", "a b", "ä", long.as_str()] {
        assert_eq!(code(store.keyed_store("p", name, 1.0, None)), bad, "{name}");
    }
    for max in [0.0, 1.5, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(code(store.keyed_store("p", "n", max, None)), bad, "{max}");
    }
    assert_eq!(code(store.keyed_store("p", "n", 1.0, Some(0.0))), bad);
    assert_eq!(code(store.keyed_store("core:x", "n", 1.0, None)), bad);
    assert_eq!(code(store.keyed_store("p", " n ", 5.0, None)), None);
    assert_eq!(code(store.keyed_store("p", "n", 6.0, None)), bad, "other options");
    assert_eq!(code(store.keyed_store("q", "n", 6.0, None)), None, "another plugin");
    let open = store.keyed_store("p", "n", 5.0, None).unwrap();
    let register = |key: String, value: Value| {
        let o = open.clone();
        async move { o.register(&key, &value, None).await.err().map(|e| (e.code.as_str(), e.operation)) }
    };
    let nested = |n: usize| (0..n).fold(json!(1), |v, _| json!([v]));
    assert_eq!(register(" ".into(), json!(1)).await, Some(("PLUGIN_STATE_INVALID_INPUT", "register")));
    assert_eq!(register("k".repeat(513), json!(1)).await, Some(("PLUGIN_STATE_INVALID_INPUT", "register")));
    assert_eq!(register("k".into(), nested(65)).await, Some(("PLUGIN_STATE_LIMIT_EXCEEDED", "register")));
    assert_eq!(register("k".into(), nested(64)).await, None);
    assert_eq!(register("k".into(), json!("x".repeat(65_535))).await, Some(("PLUGIN_STATE_LIMIT_EXCEEDED", "register")));
    assert_eq!(register("k".into(), json!("x".repeat(65_534))).await, None);
}

#[tokio::test]
async fn keyed_store_values() {
    // RT-080, RT-083, RT-086, RT-148
    let home = Home::new();
    {
        let store = home.open();
        let s = store.keyed_store("third-party", "n", 10.0, None).unwrap();
        s.register(" a ", &json!({"v": 1}), None).await.unwrap();
        assert!(!s.register_if_absent("a", &json!(2), None).await.unwrap());
        assert!(s.register_if_absent("b", &json!(2), Some(1.0)).await.unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(s.lookup("b").await.unwrap(), None, "expired");
        assert_eq!(s.consume("b").await.unwrap(), None);
        assert!(s.register_if_absent("b", &json!(3), None).await.unwrap(), "an expired one counts as absent");
    }
    let store = home.open();
    let s = store.keyed_store("third-party", "n", 10.0, Some(60_000.0)).unwrap();
    assert_eq!(s.lookup("a").await.unwrap(), Some(json!({"v": 1})));
    let keys =
        |s: KeyedStore| async move { s.entries().await.unwrap().into_iter().map(|e| (e.key, e.expires_at.is_some())).collect::<Vec<_>>() };
    assert_eq!(keys(s.clone()).await, [("a".to_owned(), false), ("b".to_owned(), false)]);
    s.register("a", &json!(9), None).await.unwrap();
    assert_eq!(keys(s.clone()).await, [("b".to_owned(), false), ("a".to_owned(), true)], "a new value is a new entry");
    assert_eq!(s.consume("b").await.unwrap(), Some(json!(3)));
    assert_eq!(s.consume("b").await.unwrap(), None);
    assert!(s.delete("a").await.unwrap());
    assert!(!s.delete("a").await.unwrap());
    s.register("c", &json!(1), Some(1.0)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.sweep_keyed().await.unwrap(), 1);
    s.register("d", &json!(1), None).await.unwrap();
    s.clear().await.unwrap();
    assert!(s.entries().await.unwrap().is_empty());
}

#[tokio::test]
async fn keyed_store_limits() {
    // RT-084, RT-085
    let home = Home::new();
    let store = home.open();
    let small = store.keyed_store("p", "small", 3.0, None).unwrap();
    for key in ["c", "a", "b"] {
        small.register(key, &json!(key), None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    small.register("z", &json!(0), None).await.unwrap();
    let keys: Vec<_> = small.entries().await.unwrap().into_iter().map(|e| e.key).collect();
    assert_eq!(keys, ["a", "b", "z"], "the oldest went");
    let large = store.keyed_store("p", "large", 5000.0, None).unwrap();
    let writes: Vec<_> = (0..997)
        .map(|n| {
            let l = large.clone();
            tokio::spawn(async move { l.register(&format!("k{n}"), &json!(n), None).await.unwrap() })
        })
        .collect();
    for w in writes {
        w.await.unwrap();
    }
    let over = large.register("one-more", &json!(1), None).await.unwrap_err();
    assert_eq!(over.code, KeyedErrorCode::LimitExceeded);
    assert_eq!(large.lookup("one-more").await.unwrap(), None, "rolled back");
    large.register("k0", &json!("again"), None).await.unwrap();
    store.keyed_store("other", "n", 5.0, None).unwrap().register("k", &json!(1), None).await.unwrap();
}

fn inject(plugin: &str, text: &str) -> NewInjection {
    NewInjection { plugin_id: plugin.into(), session_key: json!("main"), text: json!(text), ..NewInjection::default() }
}

#[tokio::test]
async fn injections_are_checked() {
    // HOOK-246, HOOK-247, HOOK-250
    let home = Home::new();
    let store = home.open();
    open_main(&store).await;
    let with = |change: fn(&mut NewInjection)| {
        let mut i = inject("p", "t");
        change(&mut i);
        i
    };
    let refused = [
        with(|i| i.session_key = json!(" ")),
        with(|i| i.session_key = json!(5)),
        with(|i| i.session_key = json!("agent:main:nobody")),
        with(|i| i.text = json!("  ")),
        with(|i| i.text = json!(null)),
        with(|i| i.text = json!("x".repeat(32_769))),
        with(|i| i.idempotency_key = Some(json!(" "))),
        with(|i| i.idempotency_key = Some(json!("k".repeat(513)))),
        with(|i| i.placement = Some(json!("sideways"))),
        with(|i| i.ttl_ms = Some(json!(-1))),
        with(|i| i.ttl_ms = Some(json!("soon"))),
        with(|i| i.metadata = Some((0..40).fold(json!(1), |v, _| json!([v])))),
    ];
    for (n, new) in refused.into_iter().enumerate() {
        let answer = store.enqueue_injection(new).await.unwrap();
        assert!(!answer.enqueued && answer.id.is_empty(), "case {n}: {answer:?}");
    }
    let ok = store
        .enqueue_injection(with(|i| {
            i.text = json!("x".repeat(32_768));
            i.idempotency_key = Some(json!(" key "));
        }))
        .await
        .unwrap();
    assert_eq!(ok, Enqueued { enqueued: true, id: "key".into(), session_key: "agent:main:main".into() });
    let random = store.enqueue_injection(inject("p", "t")).await.unwrap();
    assert_eq!(random.id.len(), 36);
}

#[tokio::test]
async fn injections_are_drained_once_per_run() {
    // HOOK-248, HOOK-249, HOOK-251, HOOK-253, HOOK-254, HOOK-255
    let home = Home::new();
    let row = {
        let store = home.open();
        let row = open_main(&store).await;
        let keyed = |plugin: &str| NewInjection { idempotency_key: Some(json!("same")), ..inject(plugin, plugin) };
        assert!(store.enqueue_injection(keyed("p")).await.unwrap().enqueued);
        let again = store.enqueue_injection(keyed("p")).await.unwrap();
        assert_eq!((again.enqueued, again.id.as_str()), (false, "same"));
        assert!(store.enqueue_injection(keyed("absent")).await.unwrap().enqueued);
        store.enqueue_injection(NewInjection { ttl_ms: Some(json!(0)), ..inject("p", "expired") }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.enqueue_injection(NewInjection { placement: Some(json!("append_context")), ..inject("p", " after ") }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.enqueue_injection(inject("q", "later")).await.unwrap();
        row
    };
    let store = home.open();
    let queues = store.session(&row.key).await.unwrap().unwrap().extra["pluginNextTurnInjections"].clone();
    assert_eq!((&queues["p"][0]["id"], &queues["p"][0]["placement"]), (&json!("same"), &json!("prepend_context")));
    let loaded = vec!["q".to_owned(), "p".to_owned()];
    let drained = store.drain_injections(&row.key, "run-1", loaded.clone()).await.unwrap();
    assert_eq!(drained.iter().map(|i| i.text.as_str()).collect::<Vec<_>>(), ["p", "after", "later"]);
    assert_eq!(Injection::join(&drained, Placement::PrependContext).as_deref(), Some("p\n\nlater"));
    assert_eq!(Injection::join(&drained, Placement::AppendContext).as_deref(), Some("after"));
    assert_eq!(store.drain_injections(&row.key, "run-1", loaded.clone()).await.unwrap(), drained, "a retry gets the same");
    assert!(store.drain_injections(&row.key, "run-2", loaded.clone()).await.unwrap().is_empty());
    // What belongs to a plugin that is not loaded waits for it.
    let waited = store.drain_injections(&row.key, "run-3", vec!["absent".into()]).await.unwrap();
    assert_eq!(waited.len(), 1);
    assert!(!store.session(&row.key).await.unwrap().unwrap().extra.contains_key("pluginNextTurnInjections"));
    for n in 0..33 {
        let answer = store.enqueue_injection(inject("full", "t")).await.unwrap();
        assert_eq!(answer.enqueued, n < 32, "{n}");
        assert!(!answer.id.is_empty());
    }
    assert!(store.enqueue_injection(inject("other", "t")).await.unwrap().enqueued);
}

fn patch(plugin: &str, namespace: &str, value: Option<Value>) -> ExtensionPatch {
    ExtensionPatch { plugin_id: plugin.into(), namespace: namespace.into(), value, ..ExtensionPatch::default() }
}

#[tokio::test]
async fn extensions_live_in_the_row() {
    // HOOK-258, HOOK-261, HOOK-264
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let with_slot = |slot: &str| ExtensionPatch {
        slot: Some(slot.into()),
        slot_value: Some(json!("mirror")),
        ..patch("p", "mood", Some(json!({"x": 1})))
    };
    assert_eq!(store.patch_extension(&row.key, with_slot("mood")).await.unwrap(), Some(json!({"x": 1})));
    store.patch_extension(&row.key, patch("q", "n", Some(json!(2)))).await.unwrap();
    let extra = |s: Store, key: String| async move { s.session(&key).await.unwrap().unwrap().extra };
    let now = extra(store.clone(), row.key.clone()).await;
    assert_eq!(now["pluginExtensions"], json!({"p": {"mood": {"x": 1}}, "q": {"n": 2}}));
    assert_eq!((&now["mood"], &now["pluginExtensionSlotKeys"]), (&json!("mirror"), &json!({"p": {"mood": "mood"}})));
    store.patch_extension(&row.key, with_slot("moodTwo")).await.unwrap();
    let now = extra(store.clone(), row.key.clone()).await;
    assert!(!now.contains_key("mood") && now.contains_key("moodTwo"), "a renamed slot leaves nothing behind");
    assert_eq!(store.prune_slots(|_, _, slot| slot != "moodTwo").await.unwrap(), std::slice::from_ref(&row.key));
    assert!(!extra(store.clone(), row.key.clone()).await.contains_key("moodTwo"));
    assert_eq!(store.extension_state(&row.key, "p").await.unwrap(), Some(json!({"mood": {"x": 1}})));
    store.patch_extension(&row.key, patch("p", "mood", None)).await.unwrap();
    assert_eq!(store.extension_state(&row.key, "p").await.unwrap(), None, "empty objects go");
    store.patch_extension(&row.key, with_slot("mood")).await.unwrap();
    assert_eq!(store.clear_plugin_state(None, Some("p")).await.unwrap(), std::slice::from_ref(&row.key));
    let now = extra(store.clone(), row.key.clone()).await;
    assert_eq!((now.get("mood"), &now["pluginExtensions"]), (None, &json!({"q": {"n": 2}})));
    assert_eq!(store.clear_plugin_state(Some(&row.key), None).await.unwrap(), std::slice::from_ref(&row.key));
    assert!(extra(store.clone(), row.key.clone()).await.is_empty());
    assert!(store.clear_plugin_state(None, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn extension_patches_are_checked() {
    // HOOK-257, HOOK-261, HOOK-262
    let home = Home::new();
    let store = home.open();
    let row = open_main(&store).await;
    let too_long = patch("p", "n", Some(json!("x".repeat(65_537))));
    assert!(matches!(store.patch_extension(&row.key, too_long).await, Err(StoreError::Invalid { .. })));
    assert!(matches!(store.patch_extension(&row.key, patch("", "n", None)).await, Err(StoreError::Invalid { .. })));
    assert!(matches!(store.patch_extension("agent:main:x", patch("p", "n", Some(json!(1)))).await, Err(StoreError::UnknownSession { .. })));
    for bad in ["", "1a", "a-b", "sessionId", "toString", "constructor", "__proto__"] {
        assert!(validate_slot_key(bad).is_err(), "{bad}");
    }
    assert!(validate_slot_key("my_Slot1").is_ok());
}
