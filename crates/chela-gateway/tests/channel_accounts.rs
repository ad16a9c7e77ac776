//! Accounts of channels over time. Its restarts take longer than a stopped gateway lets its process live, so it has a process of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/talk.rs"]
mod talk;

use live::Home;
use serde_json::{Value, json};
use talk::Service;

// CH-07, CH-17, CH-181, CH-182, CH-183, CH-184, CH-F5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_follow_the_operator_their_settings_and_their_own_ends() {
    let service = Service::start().await;
    let mut home = Home::with_reply("x").await;
    home.fixture("channel-talk");
    home.config["channels"]["talk"] = json!({"accounts": {"work": {"port": service.port, "label": "Work"}}});
    home.config["channels"]["talk"]["accounts"]["bare"] = json!({"label": "Bare"});
    home.config["channels"]["talk"]["accounts"]["off"] = json!({"port": service.port, "enabled": false});
    let live = home.start().await;
    let mut work = service.accept().await;
    work.line("hello").await;
    let mut client = live.client().await;
    let status = client.ok("channels.status", json!({})).await;
    assert_eq!((&status["channelOrder"], &status["channelLabels"]["talk"]), (&json!(["talk"]), &json!("Talk")));
    assert_eq!(status["channels"]["talk"], json!({"configured": true, "connected": true}));
    let account = |status: &Value, id: &str| {
        let rows = status["channelAccounts"]["talk"].as_array().unwrap();
        rows.iter().find(|r| r["accountId"] == id).unwrap().clone()
    };
    let row = account(&status, "work");
    let facts = ["enabled", "configured", "running", "connected"].map(|name| row[name] == true);
    assert_eq!((facts, &row["mode"], &row["label"]), ([true; 4], &json!("socket"), &json!("Work")));
    let bare = account(&status, "bare");
    assert_eq!((&bare["configured"], &bare["running"], &bare["lastError"]), (&json!(false), &json!(false), &json!("a port is missing")));
    assert_eq!((&account(&status, "off")["enabled"], status.get("partial")), (&json!(false), None));
    let probed = client.ok("channels.status", json!({"probe": true, "channel": "tlk"})).await;
    assert_eq!(account(&probed, "work")["probe"], json!({"ok": true, "port": service.port}));
    assert!(account(&probed, "work")["lastProbeAt"].is_i64());

    let unknown = client.error("channels.status", json!({"channel": "smoke"})).await;
    assert_eq!(unknown["message"], "unknown channel: smoke");
    let stopped = client.ok("channels.stop", json!({"channel": "talk", "accountId": "work"})).await;
    assert_eq!(stopped, json!({"channel": "talk", "accountId": "work", "stopped": true}));
    work.line("bye").await;
    let row = account(&client.ok("channels.status", json!({})).await, "work");
    assert_eq!((&row["running"], &row["connected"]), (&json!(false), &json!(false)));
    let started = client.ok("channels.start", json!({"channel": "talk", "accountId": "work"})).await;
    assert_eq!(started["started"], true);
    let mut work = service.accept().await;
    work.line("hello").await;

    // A setting that the channel reads anew does not disturb it; another one restarts its accounts.
    home.config["channels"]["talk"]["quiet"] = json!(true);
    home.write_config();
    home.config["channels"]["talk"]["accounts"]["home"] = json!({"port": service.port, "label": "Home"});
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    work.send(json!({"id": "q", "from": "u", "drop": true, "text": "x"})).await;
    work.line("stages").await;
    home.write_config();
    work.line("bye").await;
    let (mut one, mut two) = (service.accept().await, service.accept().await);
    let mut labels = [one.line("hello").await["label"].clone(), two.line("hello").await["label"].clone()].map(|l| l.to_string());
    labels.sort();
    assert_eq!(labels, ["\"Home\"", "\"Work\""]);

    // An account that ends by itself comes back, and so does one whose worker died.
    one.send(json!({"close": true})).await;
    one.closed().await;
    let row = home_status(&mut client, |row| row["restartPending"] == true).await;
    assert_eq!((&row["reconnectAttempts"], &row["lastError"]), (&json!(1), &json!("the service closed the connection")));
    let mut again = service.accept().await;
    again.line("hello").await;
    again.send(json!({"die": true})).await;
    let (mut three, mut four) = (service.accept().await, service.accept().await);
    three.line("hello").await;
    four.line("hello").await;
    let cleared = client.ok("channels.logout", json!({"channel": "talk", "accountId": "work"})).await;
    assert_eq!((&cleared["cleared"], &cleared["accountId"]), (&json!(true), &json!("work")));
    live.stop().await;
}

/// The first account that satisfies `wanted`.
async fn home_status(client: &mut live::Client, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let status = client.ok("channels.status", json!({})).await;
        let rows = status["channelAccounts"]["talk"].as_array().unwrap().clone();
        if let Some(row) = rows.iter().find(|row| wanted(row)) {
            return row.clone();
        }
        assert!(begun.elapsed().as_secs() < 30, "{rows:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
