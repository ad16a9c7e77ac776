//! Ids that are taken already.

use serde_json::{Value, json};

use super::{alone, channel, object};
use crate::register::testing::{World, f, said};

/// Registers one call as plugin `a` and then the same call as plugin `b`.
fn twice(method: &str, args: &Value) -> Vec<String> {
    said(&World::new().plugin("a", &[(method, args.clone())]).plugin("b", &[(method, args.clone())]).build())
}

// API-037, API-040..044, API-046..055, API-058, API-059, API-060, API-062, API-063, API-065, API-066, API-067, API-069, API-070, API-071,
// API-082, API-102, API-153: the same call by two plugins.
#[test]
fn ids_that_belong_to_another_plugin_are_refused() {
    let id = |extra: Value| {
        let mut value = json!({"id": "x"});
        value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([value])
    };
    let plain = || id(json!({}));
    let cases = [
        ("registerHook", json!(["command", f(1), {"name": "x"}]), "error hook already registered: x (a)"),
        ("registerChannel", channel("x"), "error channel already registered: x (a)"),
        ("registerProvider", plain(), "error provider already registered: x (a)"),
        (
            "registerModelCatalogProvider",
            object(json!({"provider": "x", "kinds": ["text"]})),
            "error model catalog provider already registered: x (a)",
        ),
        ("registerAgentHarness", id(json!({"supports": f(1), "runAttempt": f(2)})), "error agent harness already registered: x (owner: a)"),
        ("registerCliBackend", plain(), "error cli backend already registered: x (a)"),
        ("registerSpeechProvider", plain(), "error speech provider already registered: x (a)"),
        ("registerRealtimeTranscriptionProvider", plain(), "error realtime transcription provider already registered: x (a)"),
        ("registerRealtimeVoiceProvider", plain(), "error realtime voice provider already registered: x (a)"),
        ("registerMediaUnderstandingProvider", plain(), "error media provider already registered: x (a)"),
        ("registerImageGenerationProvider", plain(), "error image-generation provider already registered: x (a)"),
        ("registerVideoGenerationProvider", plain(), "error video-generation provider already registered: x (a)"),
        ("registerMusicGenerationProvider", plain(), "error music-generation provider already registered: x (a)"),
        ("registerWebFetchProvider", plain(), "error web fetch provider already registered: x (a)"),
        ("registerWebSearchProvider", plain(), "error web search provider already registered: x (a)"),
        ("registerMigrationProvider", plain(), "error migration provider already registered: x (a)"),
        ("registerGatewayMethod", json!(["x", f(1)]), "error gateway method already registered: x"),
        ("registerCli", json!([f(1), {"commands": ["x"]}]), "error cli command already registered: x (a)"),
        (
            "registerNodeCliFeature",
            json!([f(1), {"commands": ["x"], "parentPath": ["y"]}]),
            "error cli command already registered: nodes x (a)",
        ),
        ("registerNodeHostCommand", object(json!({"command": "x"})), "error node host command already registered: x (a)"),
        (
            "registerNodeInvokePolicy",
            object(json!({"commands": ["y", "x"], "handle": f(1)})),
            "error node invoke policy already registered for y (a)",
        ),
        ("registerService", plain(), "error service already registered: x (a)"),
        ("registerGatewayDiscoveryService", plain(), "error gateway discovery service already registered: x (a)"),
        (
            "registerInteractiveHandler",
            object(json!({"channel": "C", "namespace": "x"})),
            "warn Interactive handler namespace \"x\" already registered by plugin \"a\"",
        ),
        (
            "registerCommand",
            object(json!({"name": "x", "description": "d", "handler": f(1)})),
            "error command registration failed: Command \"x\" already registered by plugin \"a\"",
        ),
        ("registerContextEngine", json!(["x", f(1)]), "error context engine already registered: x (plugin:a)"),
        ("registerCompactionProvider", id(json!({"summarize": f(1)})), "error compaction provider already registered: x (owner: a)"),
        ("registerDetachedTaskRuntime", plain(), "error detached task runtime already registered by a"),
        (
            "registerHttpRoute",
            object(json!({"path": "/x", "auth": "plugin", "handler": f(1)})),
            "error http route already registered: /x (exact) by a (/p/a/index.js)",
        ),
        (
            "registerHttpRoute",
            object(json!({"path": "/x", "auth": "plugin", "handler": f(1), "replaceExisting": true})),
            "error http route replacement rejected: /x (exact) owned by a (/p/a/index.js)",
        ),
    ];
    for (method, args, expected) in cases {
        assert_eq!(twice(method, &args), [expected], "{method}");
    }
}

// API-076..081: ids that are unique within a plugin only.
#[test]
fn ids_of_host_hooks_are_unique_per_plugin() {
    let extension = |namespace: &str| json!({"namespace": namespace, "description": "d", "sessionEntrySlotKey": "slotX"});
    let cases = [
        (
            "registerControlUiDescriptor",
            json!({"id": "x", "label": "l", "surface": "run"}),
            "error control UI descriptor already registered: x",
        ),
        ("registerRuntimeLifecycle", json!({"id": "x"}), "error runtime lifecycle already registered: x"),
        ("registerAgentEventSubscription", json!({"id": "x", "handle": f(1)}), "error agent event subscription already registered: x"),
        (
            "registerSessionSchedulerJob",
            json!({"id": "x", "sessionKey": "s", "kind": "k"}),
            "error session scheduler job already registered: x",
        ),
        ("registerSessionAction", json!({"id": "x", "handler": f(1)}), "error session action already registered: x"),
        ("registerSessionExtension", json!({"namespace": "x", "description": "d"}), "error session extension already registered: x"),
    ];
    for (method, value, expected) in cases {
        let args = object(value);
        assert!(twice(method, &args).is_empty(), "{method}");
        assert_eq!(alone(&[(method, args.clone()), (method, args)]), [expected], "{method}");
    }
    // HOOK-261: a slot key is unique over all plugins.
    let registry = World::new()
        .plugin("a", &[("registerSessionExtension", object(extension("x")))])
        .plugin("b", &[("registerSessionExtension", object(extension("y")))])
        .build();
    assert_eq!(said(&registry), ["error sessionEntrySlotKey already registered: slotX"]);
}

// API-039, API-045, API-061, API-064, API-068: these have no id, so every call counts, of one plugin and of several.
#[test]
fn what_has_no_id_is_appended() {
    for (method, args) in [
        ("registerHostedMediaResolver", json!([f(1)])),
        ("registerReload", object(json!({"hotPrefixes": ["x"]}))),
        ("onConversationBindingResolved", json!([f(1)])),
    ] {
        let calls = [(method, args.clone()), (method, args)];
        let registry = World::new().plugin("a", &calls).plugin("b", &calls).build();
        assert_eq!((said(&registry), registry.recorded_of(method).count()), (Vec::<String>::new(), 4), "{method}");
    }
    let collector = ("registerSecurityAuditCollector", json!([f(1)]));
    let registry = World::new().plugin("a", &[collector.clone(), collector]).build();
    assert_eq!((said(&registry), registry.audit_collectors.len()), (Vec::<String>::new(), 2));
    let transforms = ("registerTextTransforms", object(json!({"input": [{"from": "a", "to": "b"}]})));
    let registry = World::new().plugin("a", &[transforms.clone(), transforms.clone()]).plugin("b", &[transforms]).build();
    assert_eq!((said(&registry), registry.text_transforms.len()), (Vec::<String>::new(), 3));
}
