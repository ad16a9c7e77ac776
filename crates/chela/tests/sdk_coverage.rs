//! `chela sdk coverage`, and what the inspection and the doctors say of older and missing imports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/home.rs"]
mod home;
mod support;

use home::Home;
use serde_json::{Value, json};

/// A plugin that imports what is there, what is not, and what is old.
fn plugin(home: &Home) -> String {
    let dir = home.path("needs");
    std::fs::create_dir(&dir).unwrap();
    let write = |name: &str, text: &str| std::fs::write(format!("{dir}/{name}"), text).unwrap();
    write("openclaw.plugin.json", r#"{"id": "needs", "configSchema": {"type": "object"}, "channelEnvVars": {"x": ["X"]}}"#);
    write("package.json", r#"{"name": "needs", "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}}"#);
    write(
        "index.js",
        "import { emptyPluginConfigSchema } from 'openclaw/plugin-sdk';\n\
         import { definePluginEntry, noSuchThing } from 'openclaw/plugin-sdk/plugin-entry';\n\
         import { x } from 'openclaw/plugin-sdk/no-such-subpath';\n\
         export default { id: 'needs', activate(api) { api.on('deactivate', () => noSuchThing(x)); } };\n",
    );
    dir
}

#[test]
fn a_plugins_imports_are_held_against_the_sdk() {
    let home = Home::new();
    let dir = plugin(&home);
    let report = home.json(&["sdk", "coverage", "--plugin", &dir, "--json"]);
    assert_eq!(report["missingSubpaths"], json!(["no-such-subpath"]));
    assert_eq!(report["missingExports"], json!(["no-such-subpath#x", "plugin-entry#noSuchThing"]));
    assert_eq!(report["imports"]["plugin-entry"]["names"]["definePluginEntry"]["carried"], true);
    let text = home.ok(&["sdk", "coverage", "--plugin", &dir]);
    assert!(text.contains("missing: noSuchThing of plugin-entry, in no known release (index.js:2)"), "{text}");
    assert!(text.contains("2 exports and 1 subpaths are missing"), "{text}");

    let all = home.json(&["sdk", "coverage", "--json"]);
    assert_eq!(all["releases"][1]["version"], "2026.6.11");
    assert!(all["releases"][1]["carriedExports"].as_u64() > Some(500), "{all}");
    let none = home.run(&["sdk", "coverage", "--plugin", &home.path("tmp")]);
    assert!(none.code == 1 && none.stderr.contains("chela plugins new"), "{}", none.stderr);
}

#[tokio::test]
async fn older_and_missing_imports_are_told_by_the_inspection_and_the_doctors() {
    let home = Home::new();
    let dir = plugin(&home);
    home.config(&json!({"plugins": {"load": {"paths": [dir]}, "entries": {"needs": {"enabled": true}}}}).to_string());
    let codes = |object: &Value| -> Vec<String> {
        let rows = object["compatibility"].as_array().unwrap().iter();
        rows.filter_map(|notice| notice["code"].as_str().map(str::to_owned)).collect()
    };
    let cold = home.json(&["plugins", "inspect", "needs", "--json"]);
    assert_eq!(codes(&cold), ["legacy-root-sdk-import", "channel-env-vars"]);
    let notice = &cold["compatibility"][0];
    assert_eq!((&notice["pluginId"], &notice["compatCode"]), (&json!("needs"), &json!("legacy-root-sdk-import")));

    let node = support::node().await.unwrap();
    let vars = [("CHELA_NODE", node.to_str().unwrap())];
    let ran = home.run_with(&vars, &["plugins", "inspect", "needs", "--runtime", "--json"]);
    let ran: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran["plugin"]["status"], "loaded", "missing names stop no load: {ran}");
    let told = codes(&ran);
    for code in [
        "plugin-activate-entrypoint-alias",
        "legacy-deactivate-hook-alias",
        "sdk-subpath-missing",
        "sdk-export-missing",
        "legacy-root-sdk-import",
    ] {
        assert!(told.iter().any(|one| one == code), "{code}: {told:?}");
    }
    let doctor = home.run_with(&vars, &["plugins", "doctor"]).stdout;
    assert!(doctor.contains("needs: imports `openclaw/plugin-sdk/no-such-subpath`, which this SDK does not carry (index.js)"), "{doctor}");
    assert!(doctor.contains("`noSuchThing` of `openclaw/plugin-sdk/plugin-entry`"), "{doctor}");
    let doctor = home.run_with(&vars, &["doctor", "--json"]).stdout;
    let doctor: Value = serde_json::from_str(&doctor).unwrap();
    assert!(codes(&doctor["plugins"]).contains(&"legacy-root-sdk-import".to_owned()), "{doctor}");
    assert!(doctor["checks"].as_array().unwrap().iter().any(|check| check["id"] == "plugins-compat"), "{doctor}");
}
