use super::*;
use crate::testing::{Act, Worker, registry};

fn hook(name: &str, events: &[&str], handle: u64) -> (&'static str, Value) {
    ("registerHook", json!([events, { "$fn": handle }, { "name": name }]))
}

/// The `[event]` arguments by handler name are not recorded, so the order is read from the plugin config that each handler got.
fn order(worker: &Worker) -> Vec<String> {
    worker.seen().iter().map(|args| args[0]["context"]["pluginConfig"]["of"].as_str().unwrap_or("?").to_string()).collect()
}

// HOOK-115, HOOK-116, HOOK-266, HOOK-267, HOOK-268, HOOK-269
#[tokio::test]
async fn type_subscribers_run_first_then_specific_ones() {
    let acts = [
        (1, Act::Return(json!({"messages": ["one"], "context": {"k": 2, "pluginConfig": {"of": "a"}}}))),
        (2, Act::Throw("boom")),
        (3, Act::Return(json!({"messages": ["one", "two", 3]}))),
    ];
    let worker = Worker::new(1, &acts);
    let registry = registry(&[
        ("a", &worker, vec![hook("specific", &["command:new"], 3), hook("both", &["command", "command:new"], 1)]),
        ("b", &worker, vec![hook("fails", &["command"], 2), hook("other", &["message:sent"], 2)]),
    ]);
    let bus = InternalBus::new(&registry);
    assert!(bus.has("command", "stop") && bus.has("message", "sent") && !bus.has("message", "received"));
    let result = bus.emit("command", "new", "main", json!({"k": 1})).await;
    assert_eq!(order(&worker), ["a", "b", "a", "a"]);
    assert_eq!(result.messages, ["one"]);
    assert_eq!(result.context, json!({"k": 2}));
    let first = &worker.seen()[0][0];
    assert_eq!(
        (&first["type"], &first["action"], &first["sessionKey"], &first["messages"]),
        (&json!("command"), &json!("new"), &json!("main"), &json!([]))
    );
    assert_eq!(first["timestamp"]["$date"].as_str().map(str::len), Some(24));
    assert_eq!(worker.seen()[2][0]["messages"], json!(["one"]));
}

// HOOK-288
#[tokio::test]
async fn a_silenced_bus_calls_nobody() {
    let worker = Worker::new(1, &[(1, Act::Undefined)]);
    let registry = registry(&[("a", &worker, vec![hook("h", &["gateway:startup"], 1)])]);
    let bus = InternalBus::new(&registry);
    bus.set_enabled(false);
    assert!(!bus.has("gateway", "startup"));
    bus.emit("gateway", "startup", "", json!({})).await;
    assert!(worker.seen().is_empty());
    bus.set_enabled(true);
    bus.emit("gateway", "startup", "", json!({})).await;
    assert_eq!(worker.seen().len(), 1);
}

#[tokio::test]
async fn an_event_can_be_for_some_plugins_only() {
    let worker = Worker::new(1, &[(1, Act::Undefined), (2, Act::Undefined)]);
    let event = &["gateway:startup"];
    let registry = registry(&[("a", &worker, vec![hook("h", event, 1)]), ("b", &worker, vec![hook("i", event, 2)])]);
    let options = EmitOptions { only: Some(vec!["b".into()]), ..EmitOptions::default() };
    InternalBus::new(&registry).emit_with("gateway", "startup", "", json!({}), options).await;
    assert_eq!(order(&worker), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_handler_is_left_behind() {
    let worker = Worker::new(1, &[(1, Act::Hang), (2, Act::Return(json!({"messages": ["x"]})))]);
    let registry = registry(&[("a", &worker, vec![hook("h", &["gateway:shutdown"], 1), hook("i", &["gateway:shutdown"], 2)])]);
    let options = EmitOptions { budget: Duration::from_millis(1000), ..EmitOptions::default() };
    let result = InternalBus::new(&registry).emit_with("gateway", "shutdown", "", json!({}), options).await;
    assert_eq!(result.messages, ["x"]);
}
