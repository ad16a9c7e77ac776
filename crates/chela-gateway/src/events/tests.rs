//! Tests of the bus without sockets.

use super::*;
use crate::ws::client::test_client;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

fn join(bus: &EventBus, id: &str, scopes: &[&str], max: usize) -> (Arc<ClientHandle>, UnboundedReceiver<Outgoing>) {
    let (handle, receiver) = ClientHandle::new(Arc::new(test_client(id, scopes)), max);
    bus.register(handle.clone());
    (handle, receiver)
}

fn next(receiver: &mut UnboundedReceiver<Outgoing>) -> Option<Value> {
    receiver.try_recv().ok().map(|message| serde_json::from_str(&message.into_text()).unwrap())
}

// GW-93, GW-95
#[test]
fn sequence_numbers_count_what_the_client_may_see() {
    let bus = EventBus::new();
    let (_a, mut reader) = join(&bus, "a", &["operator.read"], 1000);
    let (_b, mut other) = join(&bus, "b", &[], 1000);
    bus.broadcast("tick", &json!({"ts":1}), EventTarget::All);
    bus.broadcast("chat", &json!({"x":1}), EventTarget::All);
    bus.broadcast("unheard.of", &json!({}), EventTarget::All);
    bus.broadcast("tick", &json!({"ts":2}), EventTarget::All);
    bus.broadcast("chat", &json!({"y":1}), EventTarget::Client("a".into()));
    let seqs = |receiver: &mut UnboundedReceiver<Outgoing>| {
        std::iter::from_fn(|| next(receiver)).map(|event| (event["event"].clone(), event.get("seq").cloned())).collect::<Vec<_>>()
    };
    assert_eq!(
        seqs(&mut reader),
        [(json!("tick"), Some(json!(1))), (json!("chat"), Some(json!(2))), (json!("tick"), Some(json!(3))), (json!("chat"), None)]
    );
    assert_eq!(seqs(&mut other), [(json!("tick"), Some(json!(1))), (json!("tick"), Some(json!(2)))]);
}

// GW-95, GW-96
#[test]
fn slow_clients_lose_droppable_events_visibly_and_are_closed_by_others() {
    let bus = EventBus::new();
    let (handle, mut receiver) = join(&bus, "a", &["operator.read"], 10);
    let drop = EventOptions { drop_if_slow: true, ..Default::default() };
    assert_eq!(bus.broadcast_with("tick", &json!({"ts":1}), EventTarget::All, drop), 1);
    assert_eq!(bus.broadcast_with("tick", &json!({"ts":2}), EventTarget::All, drop), 0);
    assert!(!handle.close.is_requested());
    let first = receiver.try_recv().unwrap();
    handle.sent(first.len());
    assert_eq!(bus.broadcast_with("tick", &json!({"ts":3}), EventTarget::All, drop), 1);
    assert_eq!(next(&mut receiver).unwrap()["seq"], 3);
    assert_eq!(bus.broadcast("chat", &json!({}), EventTarget::All), 0);
    assert_eq!(handle.close.frame(), Some(&(1008, "slow consumer".to_owned())));
}

// GW-99
#[test]
fn session_events_go_to_subscribers_only() {
    let bus = EventBus::new();
    let (_a, mut a) = join(&bus, "a", &["operator.read"], 1000);
    let (_b, mut b) = join(&bus, "b", &["operator.read"], 1000);
    let (_c, mut c) = join(&bus, "c", &[], 1000);
    bus.subscribe_sessions("a");
    bus.subscribe_sessions("c");
    bus.subscribe_session_messages("b", "k");
    assert_eq!(bus.broadcast("sessions.changed", &json!({}), EventTarget::SessionList), 1);
    assert_eq!(bus.broadcast("session.message", &json!({}), EventTarget::Session("k".into())), 1);
    assert_eq!(bus.broadcast("session.message", &json!({}), EventTarget::Session("other".into())), 0);
    assert_eq!(next(&mut a).unwrap()["event"], "sessions.changed");
    assert_eq!(next(&mut b).unwrap()["event"], "session.message");
    assert!(next(&mut c).is_none());
    bus.unsubscribe_session_messages("b", "k");
    bus.unsubscribe_sessions("a");
    assert_eq!(bus.broadcast("session.message", &json!({}), EventTarget::Session("k".into())), 0);
    assert_eq!(bus.broadcast("sessions.changed", &json!({}), EventTarget::SessionList), 0);
    bus.subscribe_sessions("a");
    bus.unregister("a");
    assert_eq!(bus.broadcast("sessions.changed", &json!({}), EventTarget::SessionList), 0);
}

// GW-98
#[test]
fn shutdown_is_told_before_the_close() {
    let bus = EventBus::new();
    let (handle, mut receiver) = join(&bus, "a", &[], 1000);
    bus.close_clients("test", None);
    let event = next(&mut receiver).unwrap();
    assert_eq!(event["payload"], json!({"reason":"test","restartExpectedMs":null}));
    assert_eq!(handle.close.frame(), Some(&(1012, "service restart".to_owned())));
}
