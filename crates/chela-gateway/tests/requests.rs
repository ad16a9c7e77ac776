//! Requests and events after the handshake, over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)] // tests

#[path = "support/rig.rs"]
mod support;

use chela_gateway::events::EventTarget;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Rig, TOKEN, params, sign};

// GW-06, GW-07, GW-08, GW-09, GW-62
#[tokio::test]
async fn refusals_after_the_handshake() {
    let rig = Rig::token().await;
    let mut reader = rig.backend(&["operator.read"]).await;
    let mut admin = rig.backend(&["operator.admin"]).await;
    assert_eq!(reader.call("status", json!({"a":1})).await["payload"], json!({"echo":{"a":1}}));
    for (method, message) in [
        ("agent", "missing scope: operator.write"),
        ("config.set", "missing scope: operator.admin"),
        ("no.such", "missing scope: operator.admin"),
        ("node.event", "unauthorized role: operator"),
        ("connect", "connect is only valid as the first request"),
    ] {
        let error = reader.call(method, Value::Null).await["error"].clone();
        assert_eq!((&error["code"], &error["message"]), (&json!("INVALID_REQUEST"), &json!(message)));
    }
    assert_eq!(admin.call("no.such", Value::Null).await["error"]["message"], "unknown method: no.such");
    assert_eq!(admin.call("weather.get", Value::Null).await["error"]["message"], "unknown method: weather.get");
    let not_built = admin.call("cron.list", Value::Null).await["error"].clone();
    assert_eq!((&not_built["code"], &not_built["details"]["code"]), (&json!("UNAVAILABLE"), &json!("NOT_IMPLEMENTED")));

    admin.send("not json").await;
    admin.send(r#"{"type":"req","id":"7","method":"health","extra":1}"#).await;
    let response = admin.response().await;
    assert_eq!(
        (&response["id"], &response["error"]["message"]),
        (&json!("7"), &json!("invalid request frame: at root: unexpected property 'extra'"))
    );
    admin.send("[]").await;
    assert_eq!(admin.response().await["id"], "invalid");
    assert_eq!(admin.call("health", Value::Null).await["ok"], true);
}

// GW-10, GW-68
#[tokio::test]
async fn repeated_calls_in_the_wrong_role_end_the_connection() {
    let rig = Rig::token().await;
    let mut node = rig.open(&[]).await;
    let mut params = params("node-host", "node");
    params["role"] = json!("node");
    params["auth"] = json!({"token": TOKEN});
    sign(&mut params, 5, &node.nonce);
    assert_eq!(node.connect(&params).await["payload"]["auth"]["role"], "node");
    for _ in 0..10 {
        assert_eq!(node.call("status", Value::Null).await["error"]["message"], "unauthorized role: node");
    }
    assert_eq!(node.call("node.event", Value::Null).await["error"]["details"]["code"], "NOT_IMPLEMENTED");
    assert_eq!(node.call("health", Value::Null).await["ok"], true);
    for _ in 0..11 {
        node.request("x", "status", Value::Null).await;
    }
    assert_eq!(node.close().await, (1008, "repeated unauthorized calls".to_owned()));
}

// GW-11
#[tokio::test]
async fn requests_run_side_by_side_and_may_be_answered_twice() {
    let rig = Rig::token().await;
    let mut client = rig.backend(&["operator.write"]).await;
    client.request("slow", "agent.wait", json!({"ms":300})).await;
    client.request("two", "agent", Value::Null).await;
    client.request("fast", "health", Value::Null).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let response = client.response().await;
        seen.push((response["id"].as_str().unwrap().to_owned(), response["payload"]["status"].clone()));
    }
    let ids: Vec<_> = seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["two", "fast", "two", "slow"]);
    assert_eq!((&seen[0].1, &seen[2].1), (&json!("accepted"), &json!("ok")));
}

#[tokio::test]
async fn a_method_that_panics_or_forgets_to_answer_ends_that_request_alone() {
    let rig = Rig::token().await;
    let mut client = rig.backend(&["operator.write"]).await;
    for method in ["chat.send", "chat.abort"] {
        let error = client.call(method, Value::Null).await["error"].clone();
        assert_eq!((&error["code"], &error["details"]["code"]), (&json!("UNAVAILABLE"), &json!("INTERNAL")));
    }
    assert_eq!(client.call("health", Value::Null).await["ok"], true);
}

#[tokio::test]
async fn health_passes_many_waiting_requests_and_too_many_are_refused() {
    let rig = Rig::with(|config| {
        config.limits.max_in_flight = 4;
        config.limits.max_waiting = 4;
    })
    .await;
    let mut client = rig.backend(&["operator.write"]).await;
    for index in 0..9 {
        client.request(&format!("w{index}"), "agent.wait", json!({"ms":500})).await;
    }
    client.request("h", "health", Value::Null).await;
    let refused = client.response().await;
    assert_eq!((&refused["id"], &refused["error"]["retryable"]), (&json!("w8"), &json!(true)));
    assert_eq!(client.response().await["id"], "h");
    for _ in 0..8 {
        assert_eq!(client.response().await["ok"], true);
    }
}

// GW-93, GW-95, GW-98, GW-99, GW-F19
#[tokio::test]
async fn events_ticks_presence_and_subscriptions() {
    let rig = Rig::with(|config| config.limits.tick_interval = Duration::from_millis(50)).await;
    let mut reader = rig.backend(&["operator.read"]).await;
    let mut last = 0;
    for _ in 0..3 {
        let tick = reader.event("tick").await;
        assert!(tick["payload"]["ts"].is_i64());
        let seq = tick["seq"].as_u64().unwrap();
        assert!(seq > last);
        last = seq;
    }
    let entries = |event: &Value| event["payload"]["presence"].as_array().unwrap().len();
    let other = rig.backend(&[]).await;
    let joined = loop {
        let event = reader.event("presence").await;
        if entries(&event) == 3 {
            break event;
        }
    };
    assert!(joined["stateVersion"]["presence"].is_u64());
    drop(other);
    while entries(&reader.event("presence").await) != 2 {}
    assert_eq!(rig.bus.broadcast("sessions.changed", &json!({"k":0}), EventTarget::SessionList), 0);
    reader.call("sessions.subscribe", Value::Null).await;
    assert_eq!(rig.bus.broadcast("sessions.changed", &json!({"k":1}), EventTarget::SessionList), 1);
    let event = reader.event("sessions.changed").await;
    assert_eq!((&event["payload"]["k"], event.get("seq")), (&json!(1), None));
}

// GW-98, GW-145, GW-146
#[tokio::test]
async fn clients_hear_of_the_stop_before_the_close() {
    let rig = Rig::token().await;
    let mut client = rig.backend(&[]).await;
    rig.server.close_clients("gateway stopping", Some(1500));
    let event = client.event("shutdown").await;
    assert_eq!(event["payload"], json!({"reason":"gateway stopping","restartExpectedMs":1500}));
    assert_eq!(client.read().await.closed(), (1012, "service restart".to_owned()));
    let start = Instant::now();
    rig.server.stop(Duration::from_secs(5)).await;
    assert!(start.elapsed() < Duration::from_secs(4));
    assert!(rig.try_open("/", &[]).await.is_err());
}

// GW-26, GW-96
#[tokio::test]
async fn oversized_frames_and_invalid_text_are_closed_with_a_code() {
    use futures::SinkExt;
    use tokio_tungstenite::tungstenite::Message;
    let rig = Rig::token().await;
    let mut client = rig.backend(&[]).await;
    client.send("x".repeat(26 * 1024 * 1024 + 1)).await;
    assert_eq!(client.close().await.0, 1009);
    let mut client = rig.backend(&[]).await;
    client.socket.send(Message::binary(vec![0xff, 0xfe])).await.unwrap();
    assert_eq!(client.close().await.0, 1007);
}

// GW-96
#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_and_others_go_on() {
    let rig = Rig::with(|config| config.limits.max_buffered_bytes = 100_000).await;
    let stuck = rig.backend(&["operator.read"]).await;
    let mut reader = rig.backend(&[]).await;
    let payload = json!({"text": "x".repeat(1_000_000)});
    let started = Instant::now();
    while rig.bus.client_count() == 2 && started.elapsed() < Duration::from_secs(10) {
        rig.bus.broadcast("chat", &payload, EventTarget::All);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rig.bus.client_count(), 1);
    assert_eq!(reader.call("health", Value::Null).await["ok"], true);
    drop(stuck);
}

#[tokio::test]
async fn two_hundred_idle_connections_and_a_quick_answer() {
    let rig = Rig::token().await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(rig.backend(&[]).await);
    }
    assert_eq!(rig.bus.client_count(), 200);
    let mut client = rig.backend(&[]).await;
    let start = Instant::now();
    for _ in 0..200 {
        assert_eq!(client.call("health", Value::Null).await["ok"], true);
    }
    // A bound that only a lost wake-up would break; the bench measures the time itself.
    assert!(start.elapsed() / 200 < std::time::Duration::from_millis(50));
    drop(idle);
}
