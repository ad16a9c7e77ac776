//! One bad call of each method, with the exact words of its diagnostic.

use serde_json::{Value, json};

use super::{alone, object};
use crate::register::testing::f;

// API-038, API-039, API-040, API-041, API-042, API-043, API-044, API-046..055, API-059, API-062, API-063, API-067, API-070, API-071,
// API-075..081, API-098, API-100, API-104: one bad call of each method, with the exact words; what is taken is in `duplicates`.
#[test]
fn bad_registrations_are_dropped_with_their_diagnostic() {
    let overlong = json!("x".repeat(70_000));
    let cases: Vec<(&str, Value, &str)> = vec![
        (
            "registerTool",
            json!([{"name": "t", "execute": f(1)}]),
            "error plugin must declare contracts.tools before registering agent tools",
        ),
        ("registerHook", json!(["command", 1, {"name": "n"}]), "error hook handler must be a function: n"),
        ("registerHttpRoute", object(json!({"path": " "})), "warn http route registration missing path"),
        ("registerHttpRoute", object(json!({"path": "x"})), "error http route registration missing or invalid auth: /x"),
        ("registerHttpRoute", object(json!({"path": "x", "auth": "plugin"})), "error http route handler must be a function: /x"),
        ("registerHostedMediaResolver", object(json!("x")), "error hosted media resolver registration missing resolver"),
        ("registerChannel", object(json!({})), "error channel registration missing id"),
        ("registerChannel", object(json!({"id": "c"})), "error channel \"c\" registration missing required config helpers"),
        ("registerProvider", object(json!({"id": " "})), "error provider registration missing id"),
        ("registerProvider", object(json!({"id": "m", "auth": [{}]})), "error provider \"m\" auth method missing id"),
        (
            "registerProvider",
            object(json!({"id": "m", "auth": [{"id": "k"}, {"id": "k"}]})),
            "error provider \"m\" auth method duplicated id \"k\"",
        ),
        ("registerModelCatalogProvider", object(json!({})), "error model catalog provider registration missing provider"),
        ("registerModelCatalogProvider", object(json!({"provider": "m"})), "error model catalog provider \"m\" registration missing kinds"),
        ("registerAgentHarness", object(json!({})), "error agent harness registration missing id"),
        ("registerAgentHarness", object(json!({"id": "h"})), "error agent harness \"h\" registration missing required runtime methods"),
        ("registerCliBackend", object(json!({"id": 1})), "error cli backend registration missing id"),
        ("registerTextTransforms", object(json!({"input": []})), "warn text transform registration has no input or output replacements"),
        ("registerMediaUnderstandingProvider", object(json!({})), "error media provider registration missing id"),
        ("registerGatewayMethod", json!([" ", f(1)]), "warn gateway method registration missing name"),
        ("registerCli", json!([f(1), {}]), "error cli registration missing explicit commands metadata"),
        ("registerReload", object(json!({"hotPrefixes": [" "]})), "warn reload registration missing prefixes"),
        ("registerNodeHostCommand", object(json!({})), "error node host command registration missing command"),
        ("registerNodeHostCommand", object(json!({"command": "system.run"})), "error node host command reserved by core: system.run"),
        ("registerNodeInvokePolicy", object(json!({"commands": [" "]})), "error node invoke policy registration missing commands"),
        (
            "registerNodeInvokePolicy",
            object(json!({"commands": ["a", "b"]})),
            "error node invoke policy registration missing handler: a, b",
        ),
        ("registerService", object(json!({"id": ""})), "warn service registration missing id"),
        ("registerGatewayDiscoveryService", object(json!({})), "warn gateway discovery service registration missing id"),
        (
            "registerInteractiveHandler",
            object(json!({"channel": "c", "namespace": "a b"})),
            "warn Interactive handler namespace must contain only letters, numbers, dots, underscores, and hyphens",
        ),
        ("registerInteractiveHandler", object(json!({})), "warn Interactive handler namespace cannot be empty"),
        ("registerCommand", object(json!({})), "error command registration missing name"),
        ("registerContextEngine", json!([" "]), "error context engine registration missing id"),
        ("registerContextEngine", json!(["e"]), "error context engine \"e\" registration missing factory"),
        ("registerContextEngine", json!(["legacy", f(1)]), "error context engine id reserved by core: legacy"),
        ("registerCompactionProvider", object(json!({})), "error compaction provider registration missing id"),
        ("registerCompactionProvider", object(json!({"id": "c"})), "error compaction provider \"c\" registration missing summarize"),
        ("registerAgentToolResultMiddleware", json!([f(1)]), "error only bundled plugins can register agent tool result middleware"),
        (
            "registerCodexAppServerExtensionFactory",
            json!([f(1)]),
            "error only bundled plugins can register Codex app-server extension factories",
        ),
        ("registerTrustedToolPolicy", object(json!({})), "error only bundled plugins can register trusted tool policies"),
        ("registerToolMetadata", object(json!({})), "error tool metadata registration missing toolName"),
        ("registerToolMetadata", object(json!({"toolName": "t"})), "error plugin must declare contracts.tools for tool metadata: t"),
        (
            "registerSessionExtension",
            object(json!({"namespace": "n"})),
            "error session extension registration requires namespace and description",
        ),
        (
            "registerSessionExtension",
            object(json!({"namespace": "n", "description": "d", "project": 1})),
            "error session extension projector must be a function",
        ),
        (
            "registerSessionExtension",
            object(json!({"namespace": "n", "description": "d", "project": {"$fn": 1, "async": true}})),
            "error session extension projector must be synchronous",
        ),
        (
            "registerSessionExtension",
            object(json!({"namespace": "n", "description": "d", "cleanup": null})),
            "error session extension cleanup must be a function",
        ),
        (
            "registerSessionExtension",
            object(json!({"namespace": "n", "description": "d", "sessionEntrySlotKey": "model"})),
            "error sessionEntrySlotKey is reserved by SessionEntry: model",
        ),
        (
            "registerControlUiDescriptor",
            object(json!({"id": "i", "label": "l", "surface": "moon"})),
            "error control UI descriptor registration requires id, surface, label, and valid optional fields",
        ),
        (
            "registerControlUiDescriptor",
            object(json!({"id": "i", "label": "l", "surface": "tool", "requiredScopes": ["x"]})),
            "error control UI descriptor requiredScopes contains unknown operator scope: x",
        ),
        (
            "registerControlUiDescriptor",
            object(json!({"id": "i", "label": "l", "surface": "tool", "schema": overlong})),
            "error control UI descriptor schema must be JSON-compatible: i",
        ),
        ("registerRuntimeLifecycle", object(json!({})), "error runtime lifecycle registration missing id"),
        ("registerRuntimeLifecycle", object(json!({"id": "l", "cleanup": 1})), "error runtime lifecycle cleanup must be a function: l"),
        (
            "registerAgentEventSubscription",
            object(json!({"id": "s"})),
            "error agent event subscription registration requires id and handle",
        ),
        (
            "registerAgentEventSubscription",
            object(json!({"id": "s", "handle": f(1), "streams": [" "]})),
            "error agent event subscription streams must be an array of strings: s",
        ),
        (
            "registerSessionSchedulerJob",
            object(json!({"id": "j", "kind": "k"})),
            "error session scheduler job registration requires unique id, sessionKey, and kind",
        ),
        (
            "registerSessionSchedulerJob",
            object(json!({"id": "j", "kind": "k", "sessionKey": "s", "cleanup": "x"})),
            "error session scheduler job cleanup must be a function: j",
        ),
        (
            "registerSessionAction",
            object(json!({"id": "a"})),
            "error session action registration requires id, handler, and valid optional fields",
        ),
        (
            "registerSessionAction",
            object(json!({"id": "a", "handler": f(1), "requiredScopes": ["operator.none"]})),
            "error session action requiredScopes contains unknown operator scope: operator.none",
        ),
        (
            "registerSessionAction",
            object(json!({"id": "a", "handler": f(1), "schema": "x"})),
            "error session action schema must be a JSON schema object or boolean: a",
        ),
        (
            "registerSessionAction",
            object(json!({"id": "a", "handler": f(1), "schema": {"d": f(2)}})),
            "error session action schema must be JSON-compatible: a",
        ),
        ("registerSecurityAuditCollector", object(json!(1)), "error security audit collector must be a function"),
        ("registerMemoryPromptSupplement", object(json!(1)), "error memory prompt supplement registration missing builder"),
        (
            "registerMemoryEmbeddingProvider",
            object(json!({"id": "e"})),
            "error plugin must own memory slot or declare contracts.memoryEmbeddingProviders for adapter: e",
        ),
        ("on", json!(["nope", f(1)]), "warn unknown typed hook \"nope\" ignored"),
        ("on", json!(["gateway_start", 1]), "error typed hook \"gateway_start\" handler must be a function"),
        ("registerWhatever", json!([1]), "warn unknown registration method `registerWhatever` recorded and not used"),
    ];
    for (method, args, expected) in cases {
        assert_eq!(alone(&[(method, args)]), [expected], "{method}");
    }
    for (method, thing) in [
        ("registerSpeechProvider", "speech provider"),
        ("registerRealtimeTranscriptionProvider", "realtime transcription provider"),
        ("registerRealtimeVoiceProvider", "realtime voice provider"),
        ("registerImageGenerationProvider", "image-generation provider"),
        ("registerVideoGenerationProvider", "video-generation provider"),
        ("registerMusicGenerationProvider", "music-generation provider"),
        ("registerWebFetchProvider", "web fetch provider"),
        ("registerWebSearchProvider", "web search provider"),
        ("registerMigrationProvider", "migration provider"),
    ] {
        assert_eq!(alone(&[(method, object(json!({"id": " "})))]), [format!("error {thing} registration missing id")], "{method}");
    }
    let schema = alone(&[("registerSessionAction", object(json!({"id": "a", "handler": f(1), "schema": {"type": 7}})))]);
    assert!(schema[0].starts_with("error session action schema is not valid JSON Schema: a: "), "{schema:?}");
}
