//! The HTTP shell over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)] // tests

#[path = "support/rig.rs"]
mod support;

use chela_gateway::transport_config::AuthConfig;
use serde_json::json;
use support::{Rig, TOKEN};

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

// GW-101, GW-102, GW-103
#[tokio::test]
async fn probes_need_no_secret_and_every_reply_has_the_common_headers() {
    let rig = Rig::token().await;
    for path in ["/health", "/healthz"] {
        let reply = rig.http("GET", path, &[], b"").await;
        assert_eq!((reply.status, reply.json()), (200, json!({"ok":true,"status":"live"})));
        assert!(reply.head.contains("cache-control: no-store"));
    }
    let wrong = rig.http("POST", "/health", &[], b"").await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.head.contains("allow: get, head"));
    let ready = rig.http("GET", "/ready", &[], b"").await;
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, json!(true)));
    assert!(ready.json().get("failing").is_some());
    let stranger = rig.http("GET", "/readyz", &[("x-forwarded-for", "9.9.9.9")], b"").await;
    assert_eq!(stranger.json(), json!({"ready":true}));
    rig.server.set_startup_pending(true);
    assert_eq!(rig.http("GET", "/ready", &[], b"").await.status, 503);
    let head = rig.http("HEAD", "/health", &[], b"").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for path in ["/health", "/", "/no.js", "/v1/models"] {
        let reply = rig.http("GET", path, &[], b"").await;
        for header in [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "permissions-policy: camera=(), microphone=(self), geolocation=()",
        ] {
            assert!(reply.head.contains(header), "{path} {header}");
        }
        assert!(!reply.head.contains("strict-transport-security"));
    }
}

// GW-100, GW-104, GW-105, GW-113, GW-125, API-160
#[tokio::test]
async fn routes_check_method_then_secret() {
    let rig = Rig::token().await;
    let good = bearer();
    let cases: &[(&str, &str, Option<&str>, u16)] = &[
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/chat/completions", None, 401),
        ("POST", "/v1/chat/completions", Some("Bearer wrong"), 401),
        ("POST", "/v1/chat/completions", Some(&good), 200),
        ("GET", "/tools/invoke", None, 405),
        ("POST", "/tools/invoke", Some(&good), 200),
        ("GET", "/v1/models", None, 401),
        ("GET", "/v1/models", Some(&good), 501),
        ("POST", "/v1/embeddings", Some(&good), 501),
        ("POST", "/v1/responses", Some(&good), 404),
        ("GET", "/sessions/a%3Ab/history", Some(&good), 200),
        ("POST", "/sessions/x/history", Some(&good), 405),
        ("GET", "/__openclaw__/canvas/x", None, 401),
        ("GET", "/__openclaw__/canvas/x", Some(&good), 501),
        ("GET", "/avatar/main", Some(&good), 501),
        ("GET", "/plugins/open", None, 200),
        ("GET", "/plugins/closed", None, 401),
        ("GET", "/Plugins//closed/", None, 401),
        ("GET", "/plugins/%63losed", None, 401),
        ("GET", "/plugins/closed", Some(&good), 200),
        ("GET", "/api/channels/x", None, 401),
        ("GET", "/api/channels/x", Some(&good), 200),
        ("GET", "/plugins/%zz", None, 401),
        ("GET", "/plugins/none", None, 404),
        ("POST", "/", None, 404),
        ("GET", "/__openclaw/control-ui-config.json", None, 401),
        ("GET", "/__openclaw/control-ui-config.json", Some(&good), 200),
    ];
    for (method, path, auth, status) in cases {
        let headers: Vec<_> = auth.iter().map(|auth| ("authorization", *auth)).collect();
        let reply = rig.http(method, path, &headers, b"").await;
        assert_eq!(reply.status, *status, "{method} {path} {}", reply.body);
        if *status == 401 {
            assert_eq!(reply.json(), json!({"error":{"message":"Unauthorized","type":"unauthorized"}}));
        }
        if *status == 405 {
            assert!(reply.head.contains("allow: "), "{path}");
        }
        if *status == 501 {
            assert_eq!(reply.json()["error"]["type"], "not_implemented");
        }
    }
    let auth = [("authorization", good.as_str())];
    assert_eq!(rig.http("GET", "/sessions/a%3Ab/history", &auth, b"").await.json(), json!({"key":"a:b"}));
    let headers = [("authorization", good.as_str()), ("x-openclaw-scopes", "operator.read")];
    let reply = rig.http("POST", "/v1/chat/completions", &headers, b"{}").await;
    assert_eq!(reply.json(), json!({"bytes":2,"admin":true}));
    let off = rig.http("POST", "/v1/responses", &auth, b"").await.json();
    assert!(off["error"]["message"].as_str().unwrap().contains("gateway.http.endpoints.responses.enabled"));
}

// GW-113
#[tokio::test]
async fn open_gateways_honour_the_scope_header_and_refuse_foreign_pages() {
    let rig = Rig::with(|config| config.auth = AuthConfig::None).await;
    for (headers, status, admin) in [
        (vec![], 200, json!(true)),
        (vec![("x-openclaw-scopes", "operator.read")], 200, json!(false)),
        (vec![("origin", "http://localhost:3000")], 200, json!(true)),
        (vec![("origin", "https://evil.example")], 403, json!(null)),
    ] {
        let reply = rig.http("POST", "/v1/chat/completions", &headers, b"").await;
        assert_eq!((reply.status, reply.json()["admin"].clone()), (status, admin), "{headers:?}");
    }
}

// GW-104
#[tokio::test]
async fn guessing_is_throttled_with_retry_after() {
    let rig = Rig::with(|config| config.trusted_proxies = vec!["127.0.0.1".into()]).await;
    let headers = [("authorization", "Bearer wrong"), ("x-forwarded-for", "9.9.9.9")];
    for _ in 0..10 {
        assert_eq!(rig.http("POST", "/tools/invoke", &headers, b"").await.status, 401);
    }
    let reply = rig.http("POST", "/tools/invoke", &headers, b"").await;
    assert_eq!((reply.status, reply.json()["error"]["type"].clone()), (429, json!("rate_limited")));
    assert!(reply.head.contains("retry-after: 300") || reply.head.contains("retry-after: 299"));
}

// GW-F6, GW-110, GW-116
#[tokio::test]
async fn bodies_over_the_limit_get_413_and_no_reset() {
    let rig = Rig::token().await;
    let good = bearer();
    let auth = [("authorization", good.as_str())];
    for (path, limit) in [("/tools/invoke", 2 * 1024 * 1024), ("/v1/chat/completions", 20 * 1024 * 1024)] {
        let fits = rig.http("POST", path, &auth, &vec![b'x'; limit]).await;
        assert_eq!(fits.status, 200, "{path}");
        let over = rig.http("POST", path, &auth, &vec![b'x'; limit + 1_000_000]).await;
        assert_eq!((over.status, over.all_sent), (413, true), "{path}");
        assert_eq!(over.json()["error"]["type"], "invalid_request_error");
    }
}

// GW-119, GW-120, GW-F21
#[tokio::test]
async fn the_page_is_served_with_its_policy() {
    let rig = Rig::token().await;
    let page = rig.http("GET", "/", &[], b"").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html"));
    assert!(page.head.contains("x-frame-options: deny") && page.head.contains("cache-control: no-cache"));
    assert!(page.head.contains("default-src 'self'") && !page.head.contains("https:"));
    let any = rig.http("GET", "/chat/some/view", &[], b"").await;
    assert_eq!((any.status, any.body == page.body), (200, true));
    for path in ["/missing.js", "/api/x", "/plugins/x", "/ui"] {
        assert_eq!(rig.http("GET", path, &[], b"").await.status, 404, "{path}");
    }
    // API-156: what the routes of plugins decline goes on to the page.
    assert!(rig.http("GET", "/declines", &[], b"").await.body == page.body);
    assert_eq!(rig.http("GET", "/declines.txt", &[], b"").await.status, 404);
    assert_eq!(rig.http("POST", "/declines", &[], b"x").await.status, 404);
    let off = Rig::with(|config| config.control_ui.enabled = false).await;
    assert_eq!(off.http("GET", "/", &[], b"").await.status, 404);
}

// GW-143
#[tokio::test]
async fn a_taken_port_is_named() {
    let rig = Rig::token().await;
    let port = rig.server.address().port();
    let dir = tempfile::tempdir().unwrap();
    let auth = AuthConfig::None;
    let config = chela_gateway::transport_config::TransportConfig::loopback(port, auth, dir.path().into());
    let parts = chela_gateway::server::ServerParts {
        config,
        methods: std::sync::Arc::new(support::FakeMethods { bus: rig.bus.clone() }),
        http: std::sync::Arc::new(support::FakeHttp),
        bus: rig.bus.clone(),
        devices: rig.devices.clone(),
    };
    let error = chela_gateway::server::Server::start(parts).await.err().unwrap().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("`--port`"), "{error}");
}
