//! The page's own code, run by Node: what a browser test cannot turn the clock for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::path::Path;
use std::process::Command;

// GW-60, GW-97: the cases are in `page/gateway.test.mjs`.
#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_the_page_keeps_the_rules_for_clients() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside a `package.json`, so that every Node takes the files for modules, as browsers do.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(crate_dir.join("web")).unwrap().flatten() {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(copy.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    let mut command = Command::new(live::node().await);
    command.args(["--test", "--test-reporter=tap"]).arg(crate_dir.join("tests/page/gateway.test.mjs")).env("PAGE_DIR", copy.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("# pass 5"), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
