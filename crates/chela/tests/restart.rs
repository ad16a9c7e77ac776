//! A restart that a signal asks for: one process, and plugins that hear of the end and of the new beginning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of a test fail the test")]

mod support;

use support::gateway::Gateway;
use support::hooks::{Log, config};
use support::node;

// HOOK-295
#[tokio::test(flavor = "multi_thread")]
async fn plugins_hear_the_stop_and_the_start_of_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("heard.jsonl");
    let node = node().await.unwrap();
    let gateway = Gateway::start(&node, config("http://127.0.0.1:9/v1", &place.path().join("workspace"), &file)).await;
    let mut log = Log::new(file);
    log.take("the first start", &["gateway_start"]).await;
    let before = gateway.client().await.call("health", serde_json::json!({})).await;
    assert_eq!(before["ok"], true);
    gateway.signal(rustix::process::Signal::USR1);
    let heard = log.take("the restart", &["gateway_stop", "gateway:pre-restart", "gateway_start"]).await;
    let names: Vec<&str> = heard.iter().map(|h| h.hook.as_str()).filter(|h| h.starts_with("gateway")).collect();
    assert_eq!(names[..3], ["gateway_stop", "gateway:shutdown", "gateway:pre-restart"]);
    assert!(names[3..].contains(&"gateway_start"), "{names:?}");
    assert_eq!(heard[0].line["event"]["reason"], "gateway restarting");
    let after = gateway.client().await.call("health", serde_json::json!({})).await;
    assert_eq!(after["ok"], true);
}
