//! The handshake over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)] // tests

#[path = "support/rig.rs"]
mod support;

use chela_gateway::transport_config::{AuthConfig, Secret};
use serde_json::{Value, json};
use std::time::Duration;
use support::{Rig, TOKEN, params, sign};

fn with(mut params: Value, fields: Value) -> Value {
    for (key, value) in fields.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

// GW-12, GW-25, GW-26, GW-27, GW-28, GW-38
#[tokio::test]
async fn hello_has_the_documented_keys() {
    let rig = Rig::token().await;
    let mut client = rig.open(&[]).await;
    assert_eq!(client.nonce.len(), 36);
    let fields = json!({"scopes":["operator.admin"],"auth":{"token":TOKEN}});
    let response = client.connect(&with(params("gateway-client", "backend"), fields)).await;
    let hello = &response["payload"];
    let keys: Vec<_> = hello.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["type", "protocol", "server", "features", "snapshot", "auth", "policy"]);
    assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello-ok"), &json!(4)));
    assert!(hello["server"]["connId"].is_string() && hello["server"]["version"].is_string());
    assert_eq!(hello["auth"], json!({"role":"operator","scopes":["operator.admin"]}));
    assert_eq!(hello["policy"], json!({"maxPayload":26214400,"maxBufferedBytes":52428800,"tickIntervalMs":30000}));
    for key in ["presence", "health", "stateVersion", "uptimeMs", "sessionDefaults", "stateDir"] {
        assert!(hello["snapshot"].get(key).is_some(), "{key}");
    }
    let events = hello["features"]["events"].as_array().unwrap();
    assert!(events.contains(&json!("connect.challenge")) && events.contains(&json!("chat")));
    let mut plain = rig.backend(&["operator.read"]).await;
    assert_eq!(plain.call("health", Value::Null).await["payload"], json!({"ok":true}));
}

// GW-13, GW-14, GW-15, GW-18, GW-20, GW-F20
#[tokio::test]
async fn bad_first_frames_are_closed_with_code_and_reason() {
    let rig = Rig::token().await;
    let connect = |params: Value| json!({"type":"req","id":"1","method":"connect","params":params}).to_string();
    let cases: Vec<(String, Option<&str>, u16, &str)> = vec![
        ("hello".into(), None, 1008, "invalid request frame"),
        ("{\"a\":1}".into(), None, 1008, "invalid request frame"),
        ("x".repeat(65_537), None, 1009, "preauth payload too large"),
        ("x".repeat(1_000_000), None, 1009, "preauth payload too large"),
        (
            json!({"type":"req","id":"1","method":"health"}).to_string(),
            Some("invalid handshake: first request must be connect"),
            1008,
            "invalid handshake: first request must be connect",
        ),
        (
            connect(json!({})),
            Some(
                "invalid connect params: must have required property 'minProtocol'; must have required property 'maxProtocol'; must have required property 'client'",
            ),
            1008,
            "invalid connect params: ",
        ),
        (
            connect(with(params("cli", "operator"), json!({}))),
            Some("invalid connect params: at /client/mode: must be equal to constant; at /client/mode: must match a schema in anyOf"),
            1008,
            "invalid connect params: ",
        ),
        (
            connect(with(params("cli", "cli"), json!({"minProtocol":5,"maxProtocol":6}))),
            Some("protocol mismatch"),
            1002,
            "protocol mismatch",
        ),
        (connect(with(params("cli", "cli"), json!({"role":"admin"}))), Some("invalid role"), 1008, "invalid role"),
    ];
    for (frame, message, code, reason) in cases {
        let mut client = rig.open(&[]).await;
        client.send(frame.clone()).await;
        if let Some(message) = message {
            let response = client.response().await;
            assert_eq!(response["error"]["message"], message);
            assert_eq!(response["error"]["code"], "INVALID_REQUEST");
            if code == 1002 {
                assert_eq!(response["error"]["details"], json!({"expectedProtocol":4,"minimumProbeProtocol":4}));
            }
        }
        let (got, text) = client.read().await.closed();
        assert!(got == code && text.starts_with(reason), "{got} {text} for {message:?}");
    }
}

// GW-33, GW-34, GW-35, GW-36, GW-37, GW-38, GW-39, GW-F9
#[tokio::test]
async fn authentication_without_device() {
    let rig = Rig::token().await;
    let read = json!(["operator.read"]);
    type Case = (&'static str, &'static str, Value, Result<Value, (&'static str, &'static str, Value)>);
    let mismatch = |hint: &'static str| {
        (
            "INVALID_REQUEST",
            hint,
            json!({"code":"AUTH_TOKEN_MISMATCH","authReason":"token_mismatch","canRetryWithDeviceToken":false,"recommendedNextStep":"update_auth_credentials"}),
        )
    };
    let cases: Vec<Case> = vec![
        ("cli", "cli", json!({"auth":{"token":TOKEN},"scopes":read}), Ok(json!([]))),
        ("gateway-client", "backend", json!({"auth":{"token":TOKEN},"scopes":read}), Ok(read.clone())),
        (
            "cli",
            "cli",
            json!({"auth":{"token":"wrong"}}),
            Err(mismatch("unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)")),
        ),
        (
            "test",
            "test",
            json!({"auth":{"token":"wrong"}}),
            Err(mismatch("unauthorized: gateway token mismatch (provide the gateway token)")),
        ),
        (
            "cli",
            "cli",
            json!({"auth":{"password":TOKEN}}),
            Err((
                "INVALID_REQUEST",
                "unauthorized: gateway token missing (set gateway.remote.token to match gateway.auth.token)",
                json!({"code":"AUTH_TOKEN_MISSING","authReason":"token_missing","canRetryWithDeviceToken":false,"recommendedNextStep":"update_auth_configuration"}),
            )),
        ),
        ("cli", "cli", json!({}), Err(("NOT_PAIRED", "device identity required", json!({"code":"DEVICE_IDENTITY_REQUIRED"})))),
        (
            "node-host",
            "node",
            json!({"auth":{"token":TOKEN},"role":"node"}),
            Err(("NOT_PAIRED", "device identity required", json!({"code":"DEVICE_IDENTITY_REQUIRED"}))),
        ),
    ];
    for (id, mode, fields, expected) in cases {
        let mut client = rig.open(&[]).await;
        let response = client.connect(&with(params(id, mode), fields.clone())).await;
        match expected {
            Ok(scopes) => {
                assert_eq!(response["payload"]["auth"]["scopes"], scopes, "{response}");
                let warned = &response["payload"]["auth"]["warnings"][0];
                if scopes == json!([]) {
                    assert_eq!((&warned["code"], &warned["scopes"]), (&json!("SCOPES_DROPPED"), &read));
                    assert_eq!(client.call("status", Value::Null).await["error"]["message"], "missing scope: operator.read");
                } else {
                    assert!(warned.is_null());
                }
            }
            Err((code, message, details)) => {
                assert_eq!(response["error"], json!({"code":code,"message":message,"details":details}), "{fields}");
                let (close, reason) = client.read().await.closed();
                assert!(close == 1008 && message.starts_with(&reason), "{close} {reason}");
            }
        }
    }
}

// GW-39, GW-40
#[tokio::test]
async fn pages_need_an_allowed_origin_and_a_device() {
    let rig = Rig::with(|config| config.control_ui.allowed_origins = vec!["https://ok.example".into()]).await;
    let page = with(params("openclaw-control-ui", "webchat"), json!({"auth":{"token":TOKEN},"scopes":["operator.read"]}));
    let cases = [
        (None, "CONTROL_UI_ORIGIN_NOT_ALLOWED"),
        (Some("https://evil.example"), "CONTROL_UI_ORIGIN_NOT_ALLOWED"),
        (Some("https://ok.example"), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"),
        (Some("http://localhost:1"), "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"),
    ];
    for (origin, code) in cases {
        let headers: Vec<(&str, &str)> = origin.iter().map(|origin| ("origin", *origin)).collect();
        let mut client = rig.open(&headers).await;
        let response = client.connect(&page).await;
        assert_eq!(response["error"]["details"]["code"], code, "{origin:?}");
        assert_eq!(client.read().await.closed().0, 1008);
    }
    let mut cli = rig.open(&[("origin", "https://evil.example")]).await;
    let response = cli.connect(&with(params("cli", "cli"), json!({"auth":{"token":TOKEN}}))).await;
    assert_eq!(response["error"]["details"]["code"], "CONTROL_UI_ORIGIN_NOT_ALLOWED");
    let mut signed = page.clone();
    let mut client = rig.open(&[("origin", "http://localhost:1")]).await;
    sign(&mut signed, 9, &client.nonce);
    assert_eq!(client.connect(&signed).await["payload"]["auth"]["scopes"], json!(["operator.read"]));
}

// GW-28, GW-32, GW-41, GW-42, GW-44, GW-45, GW-46, GW-47, GW-48, GW-49, GW-50
#[tokio::test]
async fn devices_pair_silently_on_loopback_and_upgrades_need_consent() {
    let rig = Rig::token().await;
    let connect = async |fields: Value| {
        let mut client = rig.open(&[]).await;
        let mut params = with(params("cli", "cli"), fields);
        sign(&mut params, 3, &client.nonce);
        let response = client.connect(&params).await;
        (client, response)
    };
    let token = json!({"token": TOKEN});
    let (_first, hello) = connect(json!({"auth":token,"scopes":["operator.read"]})).await;
    let auth = &hello["payload"]["auth"];
    assert_eq!(auth["scopes"], json!(["operator.read"]), "{hello}");
    assert!(auth["issuedAtMs"].is_i64());
    let device_token = auth["deviceToken"].as_str().unwrap().to_owned();

    for auth in [json!({"deviceToken": device_token}), json!({"token": device_token})] {
        let (_client, hello) = connect(json!({"auth":auth,"scopes":["operator.read"]})).await;
        assert_eq!(hello["payload"]["auth"]["deviceToken"], json!(device_token), "{hello}");
    }
    let refusals = [
        (json!({"deviceToken":"wrong"}), "AUTH_DEVICE_TOKEN_MISMATCH", false),
        (json!({"token":"wrong"}), "AUTH_TOKEN_MISMATCH", true),
        (json!({"bootstrapToken":"wrong"}), "AUTH_BOOTSTRAP_TOKEN_INVALID", false),
    ];
    for (auth, code, retry) in refusals {
        let (_client, response) = connect(json!({"auth":auth,"scopes":["operator.read"]})).await;
        let details = &response["error"]["details"];
        assert_eq!((&details["code"], &details["canRetryWithDeviceToken"]), (&json!(code), &json!(retry)));
    }
    let (_client, response) = connect(json!({"auth":{"deviceToken":device_token},"scopes":["operator.write"]})).await;
    assert_eq!(response["error"]["details"]["code"], "AUTH_SCOPE_MISMATCH");

    let (mut client, response) = connect(json!({"auth":token,"scopes":["operator.read","operator.pairing"]})).await;
    let details = &response["error"]["details"];
    assert_eq!(response["error"]["code"], "NOT_PAIRED");
    assert_eq!(
        (&details["code"], &details["reason"], &details["approvedScopes"], &details["requestedScopes"]),
        (&json!("PAIRING_REQUIRED"), &json!("scope-upgrade"), &json!(["operator.read"]), &json!(["operator.read", "operator.pairing"]))
    );
    let id = details["requestId"].as_str().unwrap().to_owned();
    let (code, reason) = client.read().await.closed();
    assert!(code == 1008 && reason.ends_with(&format!("(requestId: {id})")), "{reason}");
    rig.devices.approve(&id, &["operator.admin".to_owned()]).unwrap();
    let (_client, hello) = connect(json!({"auth":token,"scopes":["operator.pairing"]})).await;
    assert_eq!(hello["ok"], true, "{hello}");

    let mut changed = with(params("cli", "cli"), json!({"auth":token}));
    changed["client"]["platform"] = json!("darwin");
    let mut client = rig.open(&[]).await;
    sign(&mut changed, 3, &client.nonce);
    assert_eq!(client.connect(&changed).await["error"]["details"]["reason"], "metadata-upgrade");

    let mut bad = with(params("cli", "cli"), json!({"auth":token}));
    let mut client = rig.open(&[]).await;
    sign(&mut bad, 3, "another nonce");
    let response = client.connect(&bad).await;
    assert_eq!(response["error"]["message"], "device nonce mismatch");
    assert_eq!(response["error"]["details"], json!({"code":"DEVICE_AUTH_NONCE_MISMATCH","reason":"device-nonce-mismatch"}));
    assert_eq!(client.read().await.closed(), (1008, "device nonce mismatch".to_owned()));
}

// GW-45, GW-52
#[tokio::test]
async fn devices_behind_a_proxy_wait_for_approval() {
    let rig = Rig::token().await;
    let mut watcher = rig.backend(&["operator.pairing"]).await;
    let mut client = rig.open(&[("x-forwarded-for", "9.9.9.9")]).await;
    let mut params = with(params("cli", "cli"), json!({"auth":{"token":TOKEN}}));
    sign(&mut params, 4, &client.nonce);
    let details = client.connect(&params).await["error"]["details"].clone();
    assert_eq!((&details["reason"], details.get("approvedRoles")), (&json!("not-paired"), None));
    let event = watcher.event("device.pair.requested").await;
    assert_eq!(event["payload"]["requestId"], details["requestId"]);
}

// GW-21, GW-22
#[tokio::test]
async fn starting_gateways_say_so_and_silent_clients_are_closed() {
    let rig = Rig::with(|config| config.limits.handshake_timeout = Duration::from_millis(100)).await;
    let mut silent = rig.open(&[]).await;
    assert_eq!(silent.read().await.closed(), (1008, "handshake timeout".to_owned()));
    rig.server.set_startup_pending(true);
    let mut client = rig.open(&[]).await;
    let error = client.connect(&params("cli", "cli")).await["error"].clone();
    assert_eq!((&error["code"], &error["retryable"], &error["retryAfterMs"]), (&json!("UNAVAILABLE"), &json!(true), &json!(500)));
    assert_eq!(error["details"]["reason"], "startup-sidecars");
    assert_eq!(client.read().await.closed(), (1013, "gateway starting".to_owned()));
}

// GW-23
#[tokio::test]
async fn too_many_sockets_in_the_handshake_get_503() {
    let rig = Rig::token().await;
    let mut waiting = Vec::new();
    for _ in 0..32 {
        waiting.push(rig.open(&[]).await);
    }
    match rig.try_open("/", &[]).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 503)
        }
        other => panic!("{:?}", other.err()),
    }
    let mut first = waiting.remove(0);
    let hello = first.connect(&with(params("cli", "cli"), json!({"auth":{"token":TOKEN}}))).await;
    assert_eq!(hello["ok"], true);
    assert!(rig.try_open("/any/path", &[]).await.is_ok());
}

// GW-31, GW-58
#[tokio::test]
async fn other_modes_and_a_changed_secret() {
    let open = Rig::with(|config| config.auth = AuthConfig::None).await;
    let mut client = open.open(&[]).await;
    let backend = with(params("gateway-client", "backend"), json!({"scopes":["operator.admin"]}));
    assert_eq!(client.connect(&backend).await["ok"], true);

    let rig = Rig::with(|config| config.auth = AuthConfig::Password(Secret::new("pw"))).await;
    let mut client = rig.open(&[]).await;
    let secret = with(backend, json!({"auth":{"password":"pw"}}));
    assert_eq!(client.connect(&secret).await["ok"], true);
    assert_eq!(client.call("health", Value::Null).await["ok"], true);
    rig.server.set_auth(AuthConfig::Password(Secret::new("new")));
    client.request("x", "health", Value::Null).await;
    assert_eq!(client.close().await, (4001, "gateway auth changed".to_owned()));
}

// GW-59
#[tokio::test]
async fn pages_that_guess_are_locked_out_and_programs_on_loopback_are_not() {
    let rig = Rig::with(|config| config.control_ui.allowed_origins = vec!["*".into()]).await;
    let wrong = with(params("cli", "cli"), json!({"auth":{"token":"wrong"}}));
    for (headers, expected) in [(vec![("origin", "http://x.example")], "AUTH_RATE_LIMITED"), (vec![], "AUTH_TOKEN_MISMATCH")] {
        let mut last = Value::Null;
        for _ in 0..11 {
            let mut client = rig.open(&headers).await;
            last = client.connect(&wrong).await["error"].clone();
        }
        assert_eq!(last["details"]["code"], expected);
        assert_eq!(last["retryAfterMs"].is_u64(), expected == "AUTH_RATE_LIMITED");
    }
}

// GW-34
#[tokio::test]
async fn a_user_of_the_tailnet_needs_no_secret_on_the_page_but_a_device() {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("source"), dir.path().join("tailscale"));
    std::fs::write(&source, "#!/bin/sh\n[ $3 = 100.64.0.1 ] && echo '{\"UserProfile\": {\"LoginName\": \"ada@example.com\"}}'\n").unwrap();
    assert!(std::process::Command::new("install").args(["-m", "755"]).arg(&source).arg(&program).status().unwrap().success());
    let rig = Rig::with(|config| {
        config.tailscale = Some(program);
        config.control_ui.allowed_origins = vec!["https://box.ts.net".into()];
    })
    .await;
    let headers = |ip: &'static str, login: &'static str| {
        [
            ("origin", "https://box.ts.net"),
            ("x-forwarded-for", ip),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "box.ts.net"),
            ("tailscale-user-login", login),
        ]
    };
    let page = || with(params("openclaw-control-ui", "webchat"), json!({"scopes": ["operator.read"]}));
    let ada = headers("100.64.0.1", "ada@example.com");
    let mut client = rig.open(&ada).await;
    let mut signed = page();
    sign(&mut signed, 7, &client.nonce);
    let hello = client.connect(&signed).await;
    assert_eq!((&hello["ok"], &hello["payload"]["auth"]["scopes"]), (&json!(true), &json!(["operator.read"])), "{hello}");

    let refused = async |headers: &[(&'static str, &str)], mut params: Value, device: bool| {
        let mut client = rig.open(headers).await;
        if device {
            sign(&mut params, 8, &client.nonce);
        }
        client.connect(&params).await["error"]["details"]["code"].clone()
    };
    assert_eq!(refused(&ada, page(), false).await, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED");
    assert_eq!(refused(&headers("100.64.0.1", "bob@example.com"), page(), true).await, "AUTH_TAILSCALE_IDENTITY_MISMATCH");
    assert_eq!(refused(&headers("100.64.0.2", "ada@example.com"), page(), true).await, "AUTH_TAILSCALE_WHOIS_FAILED");
    assert_eq!(refused(&[ada[0], ada[1], ada[4]], page(), true).await, "AUTH_TAILSCALE_PROXY_MISSING");
    assert_eq!(refused(&ada[..4], page(), true).await, "AUTH_TOKEN_MISSING");
    // A wrong secret is not made good by the user's name, and other clients pair as always.
    assert_eq!(refused(&ada, with(page(), json!({"auth": {"token": "wrong"}})), true).await, "AUTH_TOKEN_MISMATCH");
    assert_eq!(refused(&ada, params("cli", "cli"), true).await, "PAIRING_REQUIRED");
    assert_eq!(refused(&ada, with(params("node-host", "node"), json!({"role": "node"})), true).await, "PAIRING_REQUIRED");
    assert_eq!(rig.http("POST", "/tools/invoke", &ada, b"{}").await.status, 401);
}

// GW-12, GW-24
#[tokio::test]
async fn the_server_speaks_first_and_pings_later() {
    use futures::StreamExt;
    use tokio_tungstenite::tungstenite::Message;
    assert_eq!(chela_gateway::transport_config::TransportLimits::default().ping_interval, Duration::from_secs(25));
    let rig = Rig::with(|config| config.limits.ping_interval = Duration::from_millis(50)).await;
    let url = format!("ws://{}/", rig.server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let first = socket.next().await.unwrap().unwrap().into_text().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&first["type"], &first["event"], first.get("seq")), (&json!("event"), &json!("connect.challenge"), None));
    assert!(first["payload"]["ts"].as_u64().is_some_and(|ts| ts > 1_600_000_000_000), "{first}");
    assert_eq!(first["payload"]["nonce"].as_str().unwrap().split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let mut client = rig.backend(&[]).await;
    let pinged = async {
        loop {
            if let Message::Ping(_) = client.socket.next().await.unwrap().unwrap() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), pinged).await.expect("no ping came");
}

// GW-19: each request has the next fault too, and hears of the first one.
#[tokio::test]
async fn checks_come_in_the_documented_order() {
    let rig = Rig::token().await;
    let page = |fields: Value| with(params("openclaw-control-ui", "webchat"), fields);
    let faults = [
        ("startup", "gateway starting"),
        ("protocol", "protocol mismatch"),
        ("role", "invalid role"),
        ("origin", "origin not allowed"),
        ("identity", "control ui requires device identity"),
        ("signature", "device signature invalid"),
        ("secret", "gateway token mismatch"),
        ("pairing", "pairing required"),
    ];
    for (from, (_, expected)) in faults.iter().enumerate() {
        let has = |name: &str| faults.iter().position(|(fault, _)| *fault == name).unwrap() >= from;
        rig.server.set_startup_pending(has("startup"));
        let origin = if has("origin") { "https://evil.example" } else { "http://localhost:1" };
        // A proxied page is no local one, so its device is not approved silently.
        let headers: &[(&'static str, &str)] = if has("identity") { &[("origin", origin)] } else { &[("x-forwarded-for", "9.9.9.9")] };
        let mut client = rig.open(headers).await;
        let mut fields = json!({"auth": {"token": if has("secret") { "wrong" } else { TOKEN }}, "scopes": ["operator.read"]});
        if has("protocol") {
            fields["minProtocol"] = json!(9);
            fields["maxProtocol"] = json!(9);
        }
        let mut connect = if has("identity") { page(fields) } else { with(params("cli", "cli"), fields) };
        if !has("identity") {
            sign(&mut connect, 11, &client.nonce);
            if has("signature") {
                connect["device"]["signature"] = json!("AAAA");
            }
        }
        if has("role") {
            connect["role"] = json!("emperor");
        }
        let message = client.connect(&connect).await["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

// GW-27
#[tokio::test]
async fn only_administrators_learn_of_paths() {
    let rig = Rig::token().await;
    for (scope, shown) in [("operator.admin", true), ("operator.read", false), ("operator.write", false)] {
        let mut client = rig.open(&[]).await;
        let fields = json!({"scopes": [scope], "auth": {"token": TOKEN}});
        let hello = client.connect(&with(params("gateway-client", "backend"), fields)).await;
        assert_eq!(hello["payload"]["snapshot"].get("stateDir").is_some(), shown, "{scope}: {hello}");
    }
}

// GW-46, GW-47, GW-50
#[tokio::test]
async fn another_role_needs_consent_and_requests_add_up() {
    let rig = Rig::token().await;
    let ask = async |role: &str, scopes: Value| {
        let mut client = rig.open(&[("x-forwarded-for", "9.9.9.9")]).await;
        let mut params = with(params("cli", "cli"), json!({"auth": {"token": TOKEN}, "role": role, "scopes": scopes}));
        sign(&mut params, 12, &client.nonce);
        client.connect(&params).await
    };
    let first = ask("operator", json!(["operator.read"])).await["error"]["details"].clone();
    let second = ask("operator", json!(["operator.pairing"])).await["error"]["details"].clone();
    assert_eq!((&first["reason"], &second["reason"]), (&json!("not-paired"), &json!("not-paired")));
    assert_ne!(first["requestId"], second["requestId"]);
    let (_, pending) = rig.devices.list().unwrap();
    assert_eq!(pending.len(), 1, "the second request took the place of the first");
    let pending = serde_json::to_value(&pending).unwrap();
    assert_eq!(pending[0]["requestId"], second["requestId"]);
    let mut scopes: Vec<&str> = pending[0]["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["operator.pairing", "operator.read"], "{pending}");
    rig.devices.approve(second["requestId"].as_str().unwrap(), &["operator.admin".to_owned()]).unwrap();
    assert_eq!(ask("operator", json!(["operator.read"])).await["ok"], true);
    let other = ask("node", json!([])).await["error"]["details"].clone();
    assert_eq!(
        (&other["reason"], &other["requestedRole"], &other["approvedRoles"]),
        (&json!("role-upgrade"), &json!("node"), &json!(["operator"]))
    );
}
