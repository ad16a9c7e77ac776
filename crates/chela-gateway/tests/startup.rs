//! Methods while the gateway still recovers what the last process left open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/host.rs"]
mod host;
#[path = "support/live.rs"]
mod live;

use std::sync::Arc;

use chela_gateway::api::Api;
use chela_gateway::devices::DeviceStore;
use chela_gateway::events::EventBus;
use chela_gateway::gateway::{Gateway, GatewayParts};
use chela_gateway::methods::Methods;
use chela_gateway::run_events::ClientEvents;
use chela_gateway::server::{Server, ServerParts};
use chela_gateway::transport_config::{AuthConfig, Secret, TransportConfig};
use live::{Client, Home, TOKEN};
use serde_json::json;

// GW-73
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_need_the_journal_are_retryable_until_it_is_recovered() {
    let home = Home::new().await;
    let host = host::unrecovered(&home).await;
    let dir = home.dir.path().join("devices");
    let (bus, devices) = (EventBus::new(), Arc::new(DeviceStore::new(&dir)));
    let (stop, _stops) = tokio::sync::mpsc::channel(1);
    let events = Arc::new(ClientEvents::new(bus.clone()));
    let parts = GatewayParts { host, bus: bus.clone(), events, devices: devices.clone(), port: 1, auth_mode: "token", stop, device: None };
    let gateway = Gateway::new(parts);
    let server = Server::start(ServerParts {
        config: TransportConfig::loopback(0, AuthConfig::Token(Secret::new(TOKEN)), dir),
        methods: Arc::new(Methods::new(gateway.clone())),
        http: Arc::new(Api::new(gateway.clone())),
        bus,
        devices,
    })
    .await
    .unwrap();
    let mut client = Client::connect(server.address().port()).await;
    let waiting = [
        ("agent.wait", json!({"runId": "none", "timeoutMs": 1})),
        ("chat.history", json!({"sessionKey": "agent:main:main"})),
        ("models.list", json!({})),
        ("sessions.list", json!({})),
        ("sessions.abort", json!({"key": "agent:main:main"})),
        ("sessions.create", json!({})),
        ("sessions.send", json!({"key": "agent:main:main", "message": "hello"})),
        ("tools.effective", json!({"sessionKey": "agent:main:main"})),
    ];
    for (method, params) in &waiting {
        let error = client.error(method, params.clone()).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("UNAVAILABLE"), &json!(true)), "{method}: {error}");
        assert!(error["retryAfterMs"].as_u64().is_some_and(|wait| wait > 0), "{method}: {error}");
    }
    for method in ["health", "status", "system-presence", "agents.list"] {
        client.ok(method, json!({})).await;
    }
    gateway.host.recover().await.unwrap();
    gateway.set_ready();
    for (method, params) in &waiting {
        let answer = client.call(method, params.clone()).await;
        assert_ne!(answer["error"]["code"], "UNAVAILABLE", "{method}: {answer}");
    }
}
