//! What the registry says about itself.

use super::*;

// API-255
#[test]
fn what_nothing_consumes_is_reported() {
    let calls = [
        ("registerNodeHostCommand", object(json!({"command": "s", "handle": f(4)}))),
        ("registerService", object(json!({"id": "svc", "start": f(1)}))),
        ("registerHttpRoute", object(json!({"path": "/u", "auth": "plugin", "handler": f(1), "handleUpgrade": f(2)}))),
    ];
    let used = ("registerReload", object(json!({"hotPrefixes": ["x"]})));
    let registry = World::new().plugin("b", &calls).plugin("a", &[used, ("registerConfigMigration", object(f(1)))]).build();
    let reasons: Vec<bool> = registry.not_consumed().iter().map(|n| n.reason.is_some()).collect();
    let rows: Vec<_> = registry.not_consumed().into_iter().map(|n| (n.plugin_id, n.method, n.id)).collect();
    let row = |a: &str, b: &str, c: &str| (a.to_string(), b.to_string(), c.to_string());
    assert_eq!(rows, [row("b", "registerNodeHostCommand", "s"), row("a", "registerConfigMigration", "")]);
    assert_eq!(reasons, [true, true]);
    assert_eq!(registry.recorded[0].callbacks.iter().map(|c| c.handle).collect::<Vec<_>>(), [4]);
}
