//! Devices pair, are managed, and come in by setup code, on a whole gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/rig.rs"]
mod rig;

use chela_gateway::devices::{BootstrapProfile, DeviceStore};
use live::{Home, Live, TOKEN};
use serde_json::{Value, json};

/// A device in another network. It connects with `fields`; the socket and the answer.
async fn device(live: &Live, seed: u8, fields: Value) -> (rig::Client, Value) {
    let mut client = rig::open_at(([127, 0, 0, 1], live.port).into(), "/", &[("x-forwarded-for", "9.9.9.9")]).await.unwrap();
    let mut params = rig::params("cli", "cli");
    for (key, value) in fields.as_object().unwrap() {
        params[key] = value.clone();
    }
    rig::sign(&mut params, seed, &client.nonce);
    let answer = client.connect(&params).await;
    (client, answer)
}

/// Pairs a device with these scopes by an administrator's approval and gives its id and token.
async fn pair(live: &Live, admin: &mut live::Client, seed: u8, scopes: &[&str]) -> (String, String) {
    let fields = json!({"auth": {"token": TOKEN}, "scopes": scopes});
    let (_, refused) = device(live, seed, fields.clone()).await;
    let request = refused["error"]["details"]["requestId"].clone();
    let approved = admin.ok("device.pair.approve", json!({"requestId": request})).await;
    let (_, hello) = device(live, seed, fields).await;
    let token = hello["payload"]["auth"]["deviceToken"].as_str().unwrap_or_else(|| panic!("{hello}")).to_owned();
    (approved["device"]["deviceId"].as_str().unwrap().to_owned(), token)
}

// GW-46, GW-47, GW-49, GW-50, GW-54, GW-67, GW-93
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_seen_decided_and_told() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut admin = live.client().await;
    let asks = |scopes: &[&str]| json!({"auth": {"token": TOKEN}, "scopes": scopes});
    let (_, refused) = device(&live, 1, asks(&["operator.read"])).await;
    assert_eq!(refused["error"]["code"], "NOT_PAIRED");
    let first = refused["error"]["details"]["requestId"].clone();
    let told = admin.event(|event| event["event"] == "device.pair.requested").await;
    assert_eq!((&told["payload"]["requestId"], &told["payload"]["scopes"]), (&first, &json!(["operator.read"])));

    // Asking for more supersedes the request.
    let (_, refused) = device(&live, 1, asks(&["operator.read", "operator.write"])).await;
    let request = refused["error"]["details"]["requestId"].clone();
    let list = admin.ok("device.pair.list", json!({})).await;
    let ids: Vec<&Value> = list["pending"].as_array().unwrap().iter().map(|row| &row["requestId"]).collect();
    assert_eq!(ids, [&request]);
    let gone = admin.error("device.pair.approve", json!({"requestId": first})).await;
    assert_eq!(gone["message"], "unknown requestId");

    // Who may pair and nothing else hands out nothing else.
    let mut pairing = rig::open_at(([127, 0, 0, 1], live.port).into(), "/", &[]).await.unwrap();
    let mut params = rig::params("gateway-client", "backend");
    params["auth"] = json!({"token": TOKEN});
    params["scopes"] = json!(["operator.pairing"]);
    assert_eq!(pairing.connect(&params).await["ok"], true);
    let refused = pairing.call("device.pair.approve", json!({"requestId": request})).await;
    assert_eq!(refused["error"]["message"], "missing scope: operator.read");
    params["scopes"] = json!(["operator.read"]);
    let mut reader = rig::open_at(([127, 0, 0, 1], live.port).into(), "/", &[]).await.unwrap();
    reader.connect(&params).await;
    for method in ["device.pair.list", "device.pair.approve", "device.token.rotate"] {
        let refused = reader.call(method, json!({})).await;
        assert_eq!(refused["error"]["message"], "missing scope: operator.pairing", "{method}");
    }

    let approved = admin.ok("device.pair.approve", json!({"requestId": request})).await;
    assert_eq!(approved["device"]["scopes"], json!(["operator.read", "operator.write"]));
    let token = &approved["device"]["tokens"][0];
    assert!(token["role"] == "operator" && token.get("token").is_none(), "{approved}");
    let told = admin.event(|event| event["event"] == "device.pair.resolved").await;
    assert_eq!((&told["payload"]["requestId"], &told["payload"]["decision"]), (&request, &json!("approved")));
    let (_client, hello) = device(&live, 1, asks(&["operator.write"])).await;
    assert_eq!(hello["ok"], true, "{hello}");

    let (_, refused) = device(&live, 1, asks(&["operator.admin"])).await;
    assert_eq!(refused["error"]["details"]["reason"], "scope-upgrade");
    let request = refused["error"]["details"]["requestId"].clone();
    let rejected = admin.ok("device.pair.reject", json!({"requestId": request})).await;
    assert_eq!(rejected["deviceId"], approved["device"]["deviceId"]);
    let told = admin.event(|event| event["payload"]["decision"] == "rejected").await;
    assert_eq!(told["payload"]["requestId"], request);
    assert_eq!(admin.ok("device.pair.list", json!({})).await["pending"], json!([]));
    live.stop().await;
}

// GW-54, GW-55
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_manages_itself_only_and_learns_only_its_own_token() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut admin = live.client().await;
    let (one, one_token) = pair(&live, &mut admin, 1, &["operator.pairing", "operator.read"]).await;
    let (two, two_token) = pair(&live, &mut admin, 2, &["operator.read"]).await;
    let own = |token: &str| json!({"auth": {"deviceToken": token}, "scopes": ["operator.pairing", "operator.read"]});
    let (mut client, hello) = device(&live, 1, own(&one_token)).await;
    assert_eq!(hello["ok"], true, "{hello}");
    let list = client.call("device.pair.list", json!({})).await["payload"]["paired"].clone();
    assert!(list.as_array().unwrap().len() == 1 && list[0]["deviceId"] == json!(one), "{list}");
    for (method, params, message) in [
        ("device.pair.remove", json!({"deviceId": two}), "device pairing removal denied"),
        ("device.token.rotate", json!({"deviceId": two, "role": "operator"}), "device token rotation denied"),
        ("device.token.revoke", json!({"deviceId": two, "role": "operator"}), "device token revocation denied"),
        ("device.token.rotate", json!({"deviceId": one, "role": "node"}), "device token rotation denied"),
        ("device.token.rotate", json!({"deviceId": one, "role": "operator", "scopes": ["operator.admin"]}), "device token rotation denied"),
        ("device.pair.approve", json!({"requestId": "of nobody"}), "device pairing approval denied"),
    ] {
        assert_eq!(client.call(method, params).await["error"]["message"], message, "{method}");
    }
    let rotated = client.call("device.token.rotate", json!({"deviceId": one, "role": "operator"})).await["payload"].clone();
    let fresh = rotated["token"].as_str().unwrap_or_else(|| panic!("{rotated}")).to_owned();
    assert_ne!(fresh, one_token);
    assert_eq!(client.close().await, (4001, "device removed".to_owned()));
    let (_, refused) = device(&live, 1, own(&one_token)).await;
    assert_eq!(refused["error"]["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");
    let (mut client, hello) = device(&live, 1, own(&fresh)).await;
    assert_eq!(hello["ok"], true, "{hello}");

    // An administrator with the shared secret changes tokens and does not see them.
    let other = admin.ok("device.token.rotate", json!({"deviceId": two, "role": "operator"})).await;
    assert!(other.get("token").is_none() && other["rotatedAtMs"].is_i64(), "{other}");
    let revoked = admin.ok("device.token.revoke", json!({"deviceId": one, "role": "operator"})).await;
    assert!(revoked["revokedAtMs"].is_i64());
    assert_eq!(client.close().await.0, 4001);
    for (seed, token) in [(1, &fresh), (2, &two_token)] {
        let fields = json!({"auth": {"deviceToken": token}, "scopes": ["operator.read"]});
        assert_eq!(device(&live, seed, fields).await.1["error"]["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");
    }
    assert_eq!(admin.ok("device.pair.remove", json!({"deviceId": two})).await, json!({"deviceId": two}));
    assert_eq!(admin.error("device.pair.remove", json!({"deviceId": two})).await["message"], "unknown deviceId");
    live.stop().await;
}

// GW-28, GW-32, GW-51
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setup_code_brings_in_one_device_once() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    // The command line issues codes in a process of its own; so does this.
    let dir = home.dir.path().join("state/devices");
    let issue = || DeviceStore::new(&dir).issue_bootstrap(&BootstrapProfile::companion()).unwrap();
    let with = |token: &str, role: &str, scopes: Value| json!({"auth": {"bootstrapToken": token}, "role": role, "scopes": scopes});
    let invalid = json!("AUTH_BOOTSTRAP_TOKEN_INVALID");

    let code = issue();
    let life = code.expires_at_ms - jiff::Timestamp::now().as_millisecond();
    assert!(life > 590_000 && life <= 600_000, "{life}");
    let (_client, hello) = device(&live, 1, with(&code.token, "node", json!([]))).await;
    let auth = &hello["payload"]["auth"];
    assert_eq!((&auth["role"], &auth["scopes"]), (&json!("node"), &json!([])), "{hello}");
    assert!(auth["deviceToken"].is_string());
    let further = &auth["deviceTokens"];
    assert_eq!(further[0]["role"], "operator", "{hello}");
    let scopes = json!(["operator.approvals", "operator.read", "operator.talk.secrets", "operator.write"]);
    assert_eq!(further[0]["scopes"], scopes);
    let again = device(&live, 1, with(&code.token, "node", json!([]))).await.1;
    assert_eq!(again["error"]["details"]["code"], invalid, "used codes are gone");
    let as_operator = json!({"auth": {"deviceToken": further[0]["deviceToken"]}, "scopes": ["operator.write"]});
    assert_eq!(device(&live, 1, as_operator).await.1["payload"]["auth"]["role"], "operator");

    // Nobody gets more than the code carries, and an operator is looked at first.
    let code = issue();
    let greedy = device(&live, 2, with(&code.token, "operator", json!(["operator.admin"]))).await.1;
    assert_eq!(greedy["error"]["details"]["code"], invalid);
    let asking = device(&live, 2, with(&code.token, "operator", json!(["operator.read"]))).await.1;
    assert_eq!(asking["error"]["details"]["reason"], "not-paired", "{asking}");
    // The code belongs to the device that showed it, whatever else is right.
    let thief = device(&live, 3, with(&code.token, "node", json!([]))).await.1;
    assert_eq!(thief["error"]["details"]["code"], invalid);

    let code = issue();
    let file = dir.join("bootstrap.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let ts = stored[&code.token]["ts"].as_i64().unwrap();
    stored[&code.token]["ts"] = json!(ts - 600_001);
    std::fs::write(&file, format!("{stored:#}\n")).unwrap();
    let late = device(&live, 4, with(&code.token, "node", json!([]))).await.1;
    assert_eq!(late["error"]["details"]["code"], invalid);
    live.stop().await;
}

/// A device that connects as a node with these commands.
async fn node(live: &Live, seed: u8, token: &str, commands: Value) -> (rig::Client, Value) {
    let fields = json!({"auth": {"bootstrapToken": token}, "role": "node", "scopes": [], "commands": commands, "caps": ["camera"]});
    device(live, seed, fields).await
}

// GW-56, GW-57, RT-055
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_a_node_stay_hidden_until_somebody_approves_them() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let mut admin = live.client().await;
    let code = DeviceStore::new(&home.dir.path().join("state/devices")).issue_bootstrap(&BootstrapProfile::companion()).unwrap();
    let (camera, hello) = node(&live, 7, &code.token, json!(["camera.list", "system.which"])).await;
    assert_eq!(hello["payload"]["auth"]["role"], "node", "{hello}");
    let asked = admin.event(|event| event["event"] == "node.pair.requested").await["payload"].clone();
    assert_eq!(asked["commands"], json!(["camera.list", "system.which"]));
    let id = asked["nodeId"].as_str().unwrap().to_owned();
    let row = async |client: &mut live::Client| client.ok("node.describe", json!({"nodeId": id})).await;
    let seen = row(&mut admin).await;
    assert_eq!((&seen["connected"], &seen["commands"]), (&json!(true), &json!([])), "{seen}");
    let invoke = json!({"nodeId": id, "command": "camera.list", "idempotencyKey": "k"});
    let refused = admin.error("node.invoke", invoke.clone()).await;
    assert_eq!(refused["details"]["reason"], "command not approved", "{refused}");

    // A program on the node needs an administrator.
    let request = asked["requestId"].clone();
    let mut pairer = live::Client::connect_as(live.port, &["operator.pairing", "operator.write"]).await;
    let listed = pairer.ok("node.pair.list", json!({})).await;
    assert_eq!(listed["pending"][0]["requiredApproveScopes"], json!(["operator.pairing", "operator.admin"]));
    let refused = pairer.error("node.pair.approve", json!({"requestId": request})).await;
    assert_eq!(refused["message"], "missing scope: operator.admin");
    let approved = admin.ok("node.pair.approve", json!({"requestId": request})).await["node"].clone();
    let told = pairer.event(|event| event["event"] == "node.pair.resolved").await["payload"].clone();
    assert_eq!((&told["decision"], told["nodeId"].as_str()), (&json!("approved"), Some(id.as_str())));
    let verified = admin.ok("node.pair.verify", json!({"nodeId": id, "token": approved["token"]})).await;
    assert_eq!((&verified["ok"], &verified["node"]["nodeId"]), (&json!(true), &approved["nodeId"]));
    assert_eq!(admin.ok("node.pair.verify", json!({"nodeId": id, "token": "wrong"})).await, json!({"ok": false}));
    assert_eq!(row(&mut admin).await["commands"], json!(["camera.list", "system.which"]));
    let mut silent = invoke.clone();
    silent["timeoutMs"] = 20.into();
    assert_eq!(admin.error("node.invoke", silent).await["details"]["code"], "TIMEOUT", "it goes to the node now");
    assert_eq!(admin.ok("node.rename", json!({"nodeId": id, "displayName": " Door "})).await["displayName"], "Door");
    drop((camera, admin, pairer));
    live.stop().await;

    // Durable, and shown while the node is away.
    let live = home.start_cold().await;
    let mut admin = live.client().await;
    let away = row(&mut admin).await;
    assert_eq!((&away["displayName"], &away["connected"], &away["paired"]), (&json!("Door"), &json!(false), &json!(true)), "{away}");
    assert_eq!(away["commands"], json!(["camera.list", "system.which"]));
    let claim = json!({"nodeId": "other", "displayName": "Other", "commands": []});
    let asked = admin.ok("node.pair.request", claim.clone()).await;
    assert_eq!((&asked["status"], &asked["created"], asked["request"].get("token")), (&json!("pending"), &json!(true), None));
    assert_eq!(admin.ok("node.pair.request", claim).await["created"], false);
    let request = asked["request"]["requestId"].clone();
    assert_eq!(admin.ok("node.pair.reject", json!({"requestId": request})).await, json!({"requestId": request, "nodeId": "other"}));
    assert_eq!(admin.error("node.pair.reject", json!({"requestId": request})).await["message"], "unknown requestId");
    assert_eq!(admin.ok("node.pair.remove", json!({"nodeId": id})).await, json!({"nodeId": id}));
    assert_eq!(row(&mut admin).await["commands"], json!([]));
    live.stop().await;
}
