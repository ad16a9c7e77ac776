//! Commands that need a running gateway, and signals, against a gateway in a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of a test fail the test")]

mod support;

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::{PATIENCE, node};

async fn run(gateway: &Gateway, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).env_clear().stdin(Stdio::null()).env("HOME", gateway.state()).env("OPENCLAW_STATE_DIR", gateway.state());
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn json_of(gateway: &Gateway, args: &[&str]) -> Value {
    let (code, out, errors) = run(gateway, args).await;
    assert_eq!(code, Some(0), "{args:?}: {errors}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
}

// GW-46, GW-55, GW-67, GW-148, GW-163
#[tokio::test(flavor = "multi_thread")]
async fn devices_are_managed_from_the_command_line() {
    let gateway = Gateway::start(&node().await.unwrap(), json!({})).await;
    // A request as the reference's gateway leaves it in its file.
    let now = jiff::Timestamp::now().as_millisecond();
    let request = json!({"requestId": "req-1", "deviceId": "dev-1", "publicKey": "k", "displayName": "Desk", "platform": "linux",
        "clientId": "cli", "clientMode": "cli", "role": "operator", "roles": ["operator"], "scopes": ["operator.read"],
        "remoteIp": "10.0.0.9", "silent": false, "isRepair": false, "ts": now});
    let dir = gateway.state().join("devices");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("pending.json"), json!({"req-1": request}).to_string()).unwrap();

    let listed = json_of(&gateway, &["devices", "list", "--json"]).await;
    assert_eq!(listed["pending"][0]["requestId"], "req-1", "{listed}");
    let (code, out, errors) = run(&gateway, &["devices", "approve"]).await;
    assert!(code == Some(1) && out.contains("Desk") && errors.contains("chela devices approve req-1"), "{out}{errors}");
    let (code, out, _) = run(&gateway, &["devices", "approve", "req-1"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "Approved dev-1 (req-1)\n"));
    let (_, out, _) = run(&gateway, &["devices", "list"]).await;
    assert!(out.contains("Paired (1)") && out.contains("operator.read"), "{out}");
    let paired: Value = serde_json::from_slice(&std::fs::read(dir.join("paired.json")).unwrap()).unwrap();
    assert_eq!(paired["dev-1"]["approvedScopes"], json!(["operator.read"]));

    let rotated = json_of(&gateway, &["devices", "rotate", "--device", "dev-1", "--role", "operator", "--json"]).await;
    assert!(rotated["rotatedAtMs"].is_i64() && rotated.get("token").is_none(), "{rotated}");
    let revoked = json_of(&gateway, &["devices", "revoke", "--device", "dev-1", "--role", "operator", "--json"]).await;
    assert_eq!(revoked["deviceId"], "dev-1");
    let (code, _, errors) = run(&gateway, &["devices", "reject", "req-9"]).await;
    assert!(code == Some(1) && errors.contains("unknown requestId"), "{errors}");
    let (code, _, errors) = run(&gateway, &["devices", "clear"]).await;
    assert!(code == Some(1) && errors.contains("--yes"), "{errors}");
    assert_eq!(json_of(&gateway, &["devices", "remove", "dev-1", "--json"]).await, json!({"deviceId": "dev-1"}));
    let cleared = json_of(&gateway, &["devices", "clear", "--yes", "--json"]).await;
    assert_eq!(cleared, json!({"removedDevices": [], "rejectedPending": []}));
    let (_, out, _) = run(&gateway, &["devices", "list"]).await;
    assert_eq!(out, "No device is paired or waits\n");

    let (code, _, errors) = run(&gateway, &["qr"]).await;
    assert!(code == Some(1) && errors.contains("--url"), "{errors}");
    let setup = json_of(&gateway, &["qr", "--url", "wss://gw.example", "--json"]).await;
    let payload = URL_SAFE_NO_PAD.decode(setup["setupCode"].as_str().unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&payload["url"], &setup["auth"]), (&json!("wss://gw.example"), &json!("token")));
    let stored: Value = serde_json::from_slice(&std::fs::read(dir.join("bootstrap.json")).unwrap()).unwrap();
    assert!(stored.get(payload["bootstrapToken"].as_str().unwrap()).is_some(), "{stored}");
}

// GW-11, GW-160
#[tokio::test(flavor = "multi_thread")]
async fn a_raw_call_answers_with_the_first_or_the_final_response() {
    let gateway = Gateway::start(&node().await.unwrap(), json!({})).await;
    let call = async |key: &str, more: &[&str]| {
        let params = json!({"message": "hello", "sessionKey": format!("agent:main:{key}"), "idempotencyKey": key}).to_string();
        let mut args = vec!["gateway", "call", "agent", "--params", params.as_str()];
        args.extend(more);
        json_of(&gateway, &args).await
    };
    let first = call("a", &[]).await;
    assert_eq!((&first["runId"], &first["status"]), (&json!("a"), &json!("accepted")), "{first}");
    let last = call("b", &["--expect-final"]).await;
    assert_eq!((&last["status"], &last["summary"]), (&json!("ok"), &json!("completed")), "{last}");
    let (code, out, errors) = run(&gateway, &["gateway", "call", "no.such.method"]).await;
    assert!(code == Some(1) && out.is_empty() && errors.contains("unknown method: no.such.method"), "{errors}");
}

// GW-157, GW-F13
#[tokio::test(flavor = "multi_thread")]
async fn looking_leaves_no_identity_and_no_pairing_behind() {
    let gateway = Gateway::start(&node().await.unwrap(), json!({})).await;
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    // A wrong secret makes it try everything that it may; a right one lets it in.
    for token in ["wrong", TOKEN] {
        for words in [&["gateway", "status"][..], &["health"], &["status"]] {
            let mut args = words.to_vec();
            args.extend(["--json", "--url", &url, "--token", token]);
            run(&gateway, &args).await;
        }
    }
    for file in ["identity/device.json", "identity/device-auth.json", "devices/paired.json", "devices/pending.json"] {
        assert!(!gateway.state().join(file).exists(), "{file}");
    }
    let seen = json_of(&gateway, &["health", "--json"]).await;
    assert_eq!(seen["ok"], true);
    // The log of this gateway lies with its state and nowhere else.
    let log = std::fs::read_to_string(gateway.state().join("logs/gateway.jsonl")).unwrap();
    assert!(log.contains(&gateway.port.to_string()), "{log}");
}

// GW-144
#[tokio::test(flavor = "multi_thread")]
async fn one_signal_starts_it_anew_in_its_process_and_another_ends_it() {
    use rustix::process::Signal;
    let mut gateway = Gateway::start(&node().await.unwrap(), json!({})).await;
    let began = std::time::Instant::now();
    let uptime = async || {
        let (code, out, _) = run(&gateway, &["health", "--json"]).await;
        let health: Option<Value> = serde_json::from_str(&out).ok().filter(|_| code == Some(0));
        health.and_then(|health| health["uptimeMs"].as_u64())
    };
    while uptime().await.is_none() {
        assert!(began.elapsed() < PATIENCE, "never up: {}", gateway.log());
    }
    gateway.signal(Signal::USR1);
    let asked = std::time::Instant::now();
    // Only one that was started anew has been up for less time than has passed since the signal.
    while uptime().await.is_none_or(|ms| u128::from(ms) >= asked.elapsed().as_millis()) {
        assert!(began.elapsed() < PATIENCE, "never anew: {}", gateway.log());
    }
    assert!(gateway.ended().is_none(), "the process is the same");
    gateway.signal(Signal::TERM);
    let ended = loop {
        if let Some(status) = gateway.ended() {
            break status;
        }
        assert!(began.elapsed() < PATIENCE, "never ended: {}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(ended.success(), "{ended}");
}
