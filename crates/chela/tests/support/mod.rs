//! What the tests of the program share: a gateway in a process of its own, a client for it, npm packages, services that plugins
//! expect to find outside.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

pub mod gateway;
pub mod hooks;
pub mod npm;
pub mod service;
pub mod ws;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for anything; far above what it takes, because test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Node as the program finds it; a managed one is fetched once for all tests.
pub async fn node() -> Result<PathBuf, String> {
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let options = chela_node::NodeLaneOptions::new(env!("CARGO_TARGET_TMPDIR"), env, chela_catalog::HOST_COMPAT_VERSION);
    chela_node::find_node(&options).await.map(|node| node.path).map_err(|error| error.to_string())
}

/// Says why a test proves nothing here, or fails it where the network was promised.
pub fn without_network(why: &str) {
    assert!(std::env::var_os("CHELA_REQUIRE_NETWORK").is_none(), "the network is required here: {why}");
    eprintln!("skipped, because this needs the npm registry: {why}");
}

/// Polls until a condition holds.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
