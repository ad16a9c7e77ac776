//! From what plugins register to what `plugins inspect --runtime` says about them.

use std::sync::Arc;

use chela_catalog::{CatalogInputs, Snapshot};
use chela_plugin::register::{PluginFacts, RegistryBuilder, RegistryInputs};
use chela_plugin::registry::Registry;
use chela_plugin::testing::{f, started};
use chela_plugin::{StartError, StartPhase};
use serde_json::{Value, json};

use super::facts_of;

/// Plugins on disk with these manifests, all enabled.
fn snapshot(dir: &std::path::Path, manifests: &[(&str, Value)]) -> Snapshot {
    let mut paths = Vec::new();
    for (id, fields) in manifests {
        let mut manifest = json!({"id": id, "name": id, "configSchema": {"type": "object"}});
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let root = dir.join(id);
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
        std::fs::write(root.join("index.js"), "export default () => {};").unwrap();
        paths.push(json!(root));
    }
    let entries: serde_json::Map<String, Value> = manifests.iter().map(|(id, _)| ((*id).to_owned(), json!({"enabled": true}))).collect();
    let config = json!({"plugins": {"load": {"paths": paths}, "entries": entries}});
    chela_catalog::scan(&CatalogInputs::new(dir.join("state"), dir.join("home"), config))
}

fn facts(snapshot: &Snapshot, id: &str) -> PluginFacts {
    crate::manager::facts_of(snapshot.get(id).unwrap())
}

// INS-317, INS-323, INS-324, INS-326, INS-327, API-106
#[test]
fn inspection_reports_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let both = json!({"kind": ["memory", "context-engine"], "contracts": {"speechProviders": ["s"]}});
    let snapshot = snapshot(dir.path(), &[("h", json!({})), ("q", both), ("n", json!({})), ("x", json!({})), ("cold", json!({}))]);
    let calls = [
        ("on", json!(["gateway_stop", f(1), {"priority": 2}])),
        ("on", json!(["before_agent_start", f(1)])),
        ("registerHook", json!([["b", "a"], f(1), {"name": "n"}])),
        ("on", json!(["nope", f(1)])),
    ];
    let provider = [
        ("registerProvider", json!([{"id": "m"}])),
        ("registerSpeechProvider", json!([{"id": "s"}])),
        ("registerContextEngine", json!(["e", f(1)])),
    ];
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    let error = StartError { phase: StartPhase::Load, message: "failed to load plugin: boom".into(), transient: false };
    builder
        .add(facts(&snapshot, "h"), started(&calls))
        .add(facts(&snapshot, "q"), started(&provider))
        .add(facts(&snapshot, "n"), started(&provider[2..]))
        .add_failed(facts(&snapshot, "x"), &error);
    let registry: Arc<Registry> = builder.build();
    let inspect = |id: &str| snapshot.inspect_json(id, Some(&facts_of(&registry, id))).unwrap();

    let hook_only = inspect("h");
    assert_eq!((hook_only["shape"].as_str(), hook_only["capabilityMode"].as_str()), (Some("hook-only"), Some("none")));
    assert_eq!(hook_only["typedHooks"], json!([{"name": "before_agent_start"}, {"name": "gateway_stop", "priority": 2}]));
    assert_eq!(hook_only["customHooks"], json!([{"name": "n", "events": ["a", "b"]}]));
    assert_eq!(hook_only["usesLegacyBeforeAgentStart"], true);
    let codes: Vec<_> = hook_only["compatibility"].as_array().unwrap().iter().map(|n| (n["code"].clone(), n["severity"].clone())).collect();
    assert_eq!(codes, [(json!("legacy-before-agent-start"), json!("warn")), (json!("hook-only"), json!("info"))]);
    let said: Vec<&Value> = hook_only["diagnostics"].as_array().unwrap().iter().map(|d| &d["message"]).collect();
    assert_eq!(said, [&json!("unknown typed hook \"nope\" ignored")]);

    let hybrid = inspect("q");
    assert_eq!((hybrid["shape"].as_str(), hybrid["capabilityCount"].as_u64()), (Some("hybrid-capability"), Some(3)));
    assert_eq!(
        hybrid["capabilities"],
        json!([{"kind": "text-inference", "ids": ["m"]}, {"kind": "speech", "ids": ["s"]}, {"kind": "context-engine", "ids": ["e"]}])
    );
    assert_eq!(hybrid["plugin"]["providerIds"], json!(["m"]));
    // A context engine counts only for a plugin of that kind.
    assert_eq!(inspect("n")["shape"], "non-capability");

    let failed = inspect("x");
    let row = &failed["plugin"];
    assert_eq!((row["status"].as_str(), row["failurePhase"].as_str()), (Some("error"), Some("load")));
    assert_eq!((&row["error"], &row["imported"]), (&json!("failed to load plugin: boom"), &json!(false)));
    // A plugin that nothing started is described by its manifest alone, without what a run would have found.
    let cold = inspect("cold");
    assert_eq!((&cold["plugin"]["imported"], &cold["diagnostics"]), (&json!(false), &json!([])));
    assert!(snapshot.inspect_json("unknown", None).is_none());
}

#[test]
fn commands_below_a_parent_are_named_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = snapshot(dir.path(), &[("c", json!({}))]);
    let calls = [
        ("registerCli", json!([f(1), {"commands": ["one"]}])),
        ("registerCli", json!([f(1), {"commands": ["two"], "parentPath": ["nodes"]}])),
    ];
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    builder.add(facts(&snapshot, "c"), started(&calls));
    assert_eq!(facts_of(&builder.build(), "c").cli_commands, ["one", "nodes two"]);
}
