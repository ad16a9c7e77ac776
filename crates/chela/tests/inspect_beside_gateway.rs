//! `plugins inspect --runtime` beside a gateway that has no reason yet to run the plugin.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation of a test ends the test")]

mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::gateway::Gateway;

const CODE: &str = r#"
import fs from 'node:fs';
export default { register(api) {
  const early = api.emitAgentEvent({ runId: 'r', stream: 'waits', data: {} });
  fs.writeFileSync(new URL('./early.json', import.meta.url), JSON.stringify(early));
  api.registerTool({ name: 'look', description: 'd', parameters: { type: 'object' }, execute: async () => ({ content: [] }) });
} };"#;

// INS-321, API-203
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_waits_is_loaded_for_the_look_alone() {
    let node = support::node().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("waits");
    std::fs::create_dir(&root).unwrap();
    let manifest = json!({
        "id": "waits", "configSchema": {"type": "object"}, "activation": {"onStartup": false}, "contracts": {"tools": ["look"]},
    });
    std::fs::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    let package = json!({"name": "waits", "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}});
    std::fs::write(root.join("package.json"), package.to_string()).unwrap();
    std::fs::write(root.join("index.js"), CODE).unwrap();
    let config = json!({"plugins": {"load": {"paths": [root]}, "entries": {"waits": {"enabled": true}}}});
    let gateway = Gateway::start(&node, config).await;
    let state = gateway.state();
    let inspect = || -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
        command.args(["plugins", "inspect", "waits", "--runtime", "--json"]).env_clear();
        command.env("HOME", state.parent().unwrap()).env("OPENCLAW_STATE_DIR", &state).env("CHELA_NODE", &node);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    for _ in 0..2 {
        let seen = inspect();
        assert_eq!(seen["tools"][0]["names"], json!(["look"]), "{seen}");
        assert_eq!(seen["runtime"]["state"], "stopped");
    }
    // A look has no effect on anybody.
    let early: Value = serde_json::from_str(&std::fs::read_to_string(root.join("early.json")).unwrap()).unwrap();
    assert_eq!(early, json!({"emitted": false, "reason": "global side effects disabled"}));
}
