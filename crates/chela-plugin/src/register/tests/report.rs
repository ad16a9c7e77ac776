//! What the registry says about itself.

use super::*;

#[test]
fn what_nothing_consumes_is_reported() {
    let calls = [
        ("registerSpeechProvider", object(json!({"id": "s", "synthesize": f(4)}))),
        ("registerService", object(json!({"id": "svc", "start": f(1)}))),
        ("registerHttpRoute", object(json!({"path": "/u", "auth": "plugin", "handler": f(1), "handleUpgrade": f(2)}))),
    ];
    let registry = World::new().plugin("b", &calls).plugin("a", &[("registerReload", object(json!({"hotPrefixes": ["x"]})))]).build();
    let rows: Vec<_> = registry.not_consumed().into_iter().map(|n| (n.plugin_id, n.method, n.id)).collect();
    let row = |a: &str, b: &str, c: &str| (a.to_string(), b.to_string(), c.to_string());
    assert_eq!(
        rows,
        [row("b", "registerHttpRoute.handleUpgrade", "/u"), row("b", "registerSpeechProvider", "s"), row("a", "registerReload", "")]
    );
    assert_eq!(registry.recorded[0].callbacks.iter().map(|c| c.handle).collect::<Vec<_>>(), [4]);
}

// INS-317, INS-323, INS-324, INS-326, INS-327, API-106
#[test]
fn inspection_reports_the_run() {
    let calls = [
        ("on", json!(["gateway_stop", f(1), {"priority": 2}])),
        ("on", json!(["before_agent_start", f(1)])),
        ("registerHook", json!([["b", "a"], f(1), {"name": "n"}])),
        ("on", json!(["nope", f(1)])),
    ];
    let provider = [
        ("registerProvider", object(json!({"id": "m"}))),
        ("registerSpeechProvider", object(json!({"id": "s"}))),
        ("registerContextEngine", json!(["e", f(1)])),
    ];
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    let error = StartError { phase: StartPhase::Load, message: "failed to load plugin: boom".into(), transient: false };
    builder
        .add(facts("h", json!({})), started(&calls))
        .add(facts("q", json!({"kind": ["memory", "context-engine"]})), started(&provider))
        .add(facts("n", json!({})), started(&provider[2..]))
        .add_failed(facts("x", json!({})), &error);
    let registry: Arc<_> = builder.build();
    let hook_only = registry.inspect("h");
    assert_eq!(hook_only["shape"], "hook-only");
    assert_eq!(hook_only["capabilityMode"], "none");
    assert_eq!(hook_only["typedHooks"], json!([{"name": "before_agent_start", "priority": 0}, {"name": "gateway_stop", "priority": 2}]));
    assert_eq!(hook_only["customHooks"], json!([{"name": "n", "events": ["a", "b"]}]));
    assert_eq!(hook_only["usesLegacyBeforeAgentStart"], true);
    let codes: Vec<_> = hook_only["compatibility"].as_array().unwrap().iter().map(|n| (n["code"].clone(), n["severity"].clone())).collect();
    assert_eq!(codes, [(json!("legacy-before-agent-start"), json!("warn")), (json!("hook-only"), json!("info"))]);
    assert_eq!(hook_only["diagnostics"][0]["message"], "unknown typed hook \"nope\" ignored");
    let hybrid = registry.inspect("q");
    assert_eq!((hybrid["shape"].as_str(), hybrid["capabilityCount"].as_u64()), (Some("hybrid-capability"), Some(3)));
    assert_eq!(hybrid["capabilities"][0], json!({"kind": "text-inference", "ids": ["m"]}));
    assert_eq!(hybrid["recordedOnly"].as_array().map(Vec::len), Some(1 + 1));
    assert_eq!(hybrid["plugin"]["providerIds"], json!(["m"]));
    assert_eq!(registry.inspect("n")["shape"], "non-capability");
    let failed = registry.inspect("x");
    assert_eq!(failed["plugin"]["status"], "error");
    assert_eq!(failed["plugin"]["failurePhase"], "load");
    assert_eq!(failed["plugin"]["error"], "failed to load plugin: boom");
    assert_eq!(failed["plugin"]["imported"], false);
    assert_eq!(registry.inspect("unknown"), Value::Null);
}
