//! Runs the SDK's own tests (`sdk/node/test`, written for Node's test runner) with the Node that workers would get.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

mod support;

use std::path::PathBuf;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_tests_of_the_sdk_pass() {
    let bench = support::Bench::new().await;
    let node = bench.lane.prepare().await.expect("a Node for the tests");
    let sdk = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sdk/node");
    let mut tests: Vec<PathBuf> = std::fs::read_dir(sdk.join("test")).unwrap().map(|e| e.unwrap().path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    tests.sort();
    assert!(tests.len() >= 4, "the tests of the SDK are gone");
    let output = Command::new(&node.path).arg("--test").args(&tests).current_dir(&sdk).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("fail 0"), "{text}");
}
