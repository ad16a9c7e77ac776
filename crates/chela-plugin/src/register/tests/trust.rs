//! What fails a plugin, and what only some plugins may do.

use super::*;

// API-037, API-009, API-241, API-248, INS-328, INS-332
#[test]
fn a_hook_without_a_name_fails_the_plugin_and_nothing_of_it_stays() {
    let calls = [
        ("registerTool", json!([{"name": "t", "execute": f(1)}])),
        ("registerHostedMediaResolver", json!([f(1)])),
        ("registerGatewayDiscoveryService", object(json!({"id": "d"}))),
        ("registerSessionExtension", object(json!({"namespace": "n", "description": "d"}))),
        ("registerControlUiDescriptor", object(json!({"id": "i", "label": "l", "surface": "run"}))),
        ("registerRuntimeLifecycle", object(json!({"id": "l"}))),
        ("registerAgentEventSubscription", object(json!({"id": "s", "handle": f(1)}))),
        ("registerSessionSchedulerJob", object(json!({"id": "j", "sessionKey": "s", "kind": "k"}))),
        ("registerCommand", object(json!({"name": "cmd", "description": "d", "handler": f(1)}))),
        ("registerHttpRoute", object(json!({"path": "/x", "auth": "plugin", "handler": f(1)}))),
        ("registerGatewayMethod", json!(["m.x", f(1)])),
        ("on", json!(["gateway_start", f(1)])),
        ("registerHook", json!(["command", f(1), {"name": " "}])),
    ];
    let registry = World::new().with(facts("bad", json!({"contracts": {"tools": ["t"]}})), &calls).plugin("good", &calls[8..12]).build();
    assert_eq!(said(&registry), ["error plugin failed during register: hook registration missing name"]);
    let failure = registry.plugin("bad").and_then(|p| p.failure.clone()).unwrap();
    assert_eq!((failure.phase, failure.message.as_str()), (StartPhase::Register, "hook registration missing name"));
    assert!(registry.tools.is_empty() && registry.recorded.is_empty() && registry.session_extensions.is_empty());
    assert!(registry.ui_descriptors.is_empty() && registry.lifecycles.is_empty() && registry.event_subscriptions.is_empty());
    assert!(registry.scheduler_jobs.is_empty());
    assert_eq!(registry.match_command("/cmd", None).map(|m| m.command.owner.id.to_string()).as_deref(), Some("good"));
    assert_eq!(registry.gateway_method("m.x").map(|m| m.owner.id.as_ref()), Some("good"));
    assert_eq!(registry.hooks(HookName::GatewayStart).count(), 1);
}

// API-005, API-006, API-007, MAN-032, MAN-041
#[test]
fn the_exported_definition_is_compared_with_the_manifest() {
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    let mut wrong = started(&[("on", json!(["gateway_start", f(1)]))]);
    wrong.definition.id = Some("other".into());
    let mut named = started(&[]);
    named.definition.name = Some("Exported".into());
    named.definition.kind = Some(json!(["memory"]));
    builder.add(facts("p", json!({})), wrong).add(facts("q", json!({"name": "Manifest", "kind": "context-engine"})), named);
    let registry = builder.build();
    assert_eq!(
        said(&registry),
        [
            "error plugin id mismatch (config uses \"p\", export uses \"other\")",
            "warn plugin kind mismatch (manifest uses \"context-engine\", export uses \"memory\")"
        ]
    );
    assert_eq!(registry.hooks(HookName::GatewayStart).count(), 0);
    let q = registry.plugin("q").unwrap();
    assert_eq!((q.name.as_deref(), q.kinds.as_slice()), (Some("Exported"), ["memory".to_string()].as_slice()));
}

// API-083, API-084, API-085, API-086, API-087, API-089, API-236
#[test]
fn memory_methods_belong_to_memory_plugins() {
    for (method, what) in [
        ("registerMemoryCapability", "capability"),
        ("registerMemoryPromptSection", "prompt section"),
        ("registerMemoryFlushPlan", "flush plan"),
        ("registerMemoryRuntime", "runtime"),
    ] {
        let expected = format!("error plugin failed during register: only memory plugins can register a memory {what}");
        assert_eq!(alone(&[(method, object(json!({})))]), [expected]);
        let dual = World::new().with(facts("d", json!({"kind": ["memory", "context-engine"]})), &[(method, object(json!({})))]).build();
        let expected = format!("warn dual-kind plugin not selected for memory slot; skipping memory {what} registration");
        assert_eq!(said(&dual), [expected]);
        assert!(dual.memory_capability().is_none());
    }
    let calls = [
        ("registerMemoryCapability", object(json!({"promptBuilder": f(1), "runtime": {"getMemorySearchManager": f(2)}}))),
        ("registerMemoryFlushPlan", json!([f(3)])),
        ("registerMemoryPromptSupplement", json!([f(4)])),
        ("registerMemoryPromptSupplement", json!([f(5)])),
        ("registerMemoryEmbeddingProvider", object(json!({"id": "e"}))),
        ("registerMemoryEmbeddingProvider", object(json!({"id": "e"}))),
    ];
    let registry = World::new().with(facts("m", json!({"kind": "memory"})), &calls).build();
    assert_eq!(said(&registry), ["error memory embedding provider already registered: e (owner: m)"]);
    let capability = registry.memory_capability().unwrap();
    assert_eq!(capability.prompt_builder.as_ref().map(|c| c.handle), Some(1));
    assert_eq!(capability.flush_plan_resolver.as_ref().map(|c| c.handle), Some(3));
    assert_eq!(registry.memory_prompt_supplements.iter().map(|s| s.builder.handle).collect::<Vec<_>>(), [5]);
}

// MAN-104
#[test]
fn an_embedding_adapter_needs_the_slot_or_a_declaration() {
    let adapter = |id: &str| ("registerMemoryEmbeddingProvider", object(json!({"id": id})));
    let declared = json!({"contracts": {"memoryEmbeddingProviders": ["mine"]}});
    let registry = World::new()
        .with(facts("d", declared), &[adapter("mine"), adapter("theirs")])
        .with(facts("m", json!({"kind": "memory"})), &[adapter("slot")])
        .build();
    let expected = "error plugin must own memory slot or declare contracts.memoryEmbeddingProviders for adapter: theirs";
    assert_eq!(said(&registry), [expected]);
    let kept: Vec<_> = registry.recorded_of("registerMemoryEmbeddingProvider").map(|entry| entry.id.as_str()).collect();
    assert_eq!(kept, ["mine", "slot"]);
}

// API-072, API-074, API-129, API-105, MAN-103
#[test]
fn bundled_plugins_may_register_policies_and_middleware() {
    let policy = |id: &str| ("registerTrustedToolPolicy", object(json!({"id": id, "description": "d", "evaluate": f(1)})));
    let middleware = |handle: u64, options: Value| ("registerAgentToolResultMiddleware", json!([f(handle), options]));
    let calls = [
        policy("p1"),
        policy("p1"),
        ("registerTrustedToolPolicy", object(json!({"id": "x"}))),
        middleware(1, json!({"runtimes": ["PI"]})),
        middleware(1, json!({"runtimes": ["codex-app-server"]})),
        middleware(2, json!({})),
        middleware(3, json!({"runtimes": ["moon"]})),
        ("registerCodexAppServerExtensionFactory", json!([f(1)])),
    ];
    let registry = World::new().bundled("b", &calls).build();
    assert_eq!(
        said(&registry),
        [
            "error trusted tool policy already registered: p1 (b)",
            "error trusted tool policy registration requires id, description, and evaluate()",
            "error agent tool result middleware must target at least one supported runtime",
            "error plugin must declare contracts.embeddedExtensionFactories: [\"codex-app-server\"] to register Codex app-server extension factories",
        ]
    );
    let runtimes: Vec<_> = registry.middleware.iter().map(|m| m.runtimes.join("+")).collect();
    assert_eq!(runtimes, ["pi+codex", "pi+codex"]);
    let mut facts = facts("c", json!({"contracts": {"agentToolResultMiddleware": ["pi"]}}));
    facts.bundled = true;
    let undeclared = World::new().with(facts, &[middleware(1, json!({}))]).build();
    assert_eq!(said(&undeclared), ["error plugin must declare contracts.agentToolResultMiddleware for: codex"]);
    // API-073: the same function counts once.
    let mut facts = super::facts("d", json!({"contracts": {"embeddedExtensionFactories": ["codex-app-server"]}}));
    facts.bundled = true;
    let factory = |handle: u64| ("registerCodexAppServerExtensionFactory", json!([f(handle)]));
    let declared = World::new().with(facts, &[factory(1), factory(1), factory(2), ("registerCodexAppServerExtensionFactory", json!([1]))]);
    let declared = declared.build();
    assert_eq!(said(&declared), ["error codex app-server extension factory must be a function"]);
    assert_eq!(declared.recorded_of("registerCodexAppServerExtensionFactory").count(), 2);
    // What another plugin declares changes nothing.
    let contracts =
        json!({"contracts": {"agentToolResultMiddleware": ["pi", "codex"], "embeddedExtensionFactories": ["codex-app-server"]}});
    let calls = [middleware(1, json!({})), ("registerCodexAppServerExtensionFactory", json!([f(1)]))];
    let outside = World::new().with(super::facts("o", contracts), &calls).build();
    assert_eq!(
        said(&outside),
        [
            "error only bundled plugins can register agent tool result middleware",
            "error only bundled plugins can register Codex app-server extension factories",
        ]
    );
}

// 2026.6.11: what an installed plugin declares and the operator chose by name.
#[test]
fn installed_plugins_may_be_trusted() {
    let policy = |id: &str| ("registerTrustedToolPolicy", object(json!({"id": id, "description": "d", "evaluate": f(1)})));
    let middleware = ("registerAgentToolResultMiddleware", json!([f(2), {"runtimes": ["openclaw"]}]));
    let contracts = json!({"contracts": {"trustedToolPolicies": ["p1", "p2"], "agentToolResultMiddleware": ["openclaw"]}});
    let calls = [policy("p1"), policy("p1"), policy("other"), middleware];
    let built = |chosen: bool, strict: bool| {
        let mut facts = facts("i", contracts.clone());
        facts.chosen = chosen;
        let mut world = World::new();
        world.inputs.strict = strict;
        world.with(facts, &calls).bundled("b", &[policy("p1")]).build()
    };
    let registry = built(true, false);
    assert_eq!(
        said(&registry),
        ["error trusted tool policy already registered: p1 (i)", "error plugin must declare contracts.trustedToolPolicies for: other"]
    );
    let order: Vec<_> = registry.trusted_policies.iter().map(|p| p.owner.id.to_string()).collect();
    assert_eq!((order, registry.middleware.len()), (vec!["b".to_string(), "i".into()], 1), "bundled ones come first");
    let registry = built(false, false);
    assert_eq!((registry.trusted_policies.len(), registry.middleware.len()), (1, 0));
    assert_eq!(said(&registry)[0], "error plugin must be explicitly enabled to register trusted tool policy: p1");
    let registry = built(true, true);
    assert_eq!((registry.trusted_policies.len(), registry.middleware.len()), (1, 0), "2026.5.12 trusts bundled ones only");
    assert_eq!(said(&registry)[3], "error only bundled plugins can register agent tool result middleware");
}

// API-040, API-192, API-193, MAN-187: the second owner of a channel is told about.
#[test]
fn a_channel_of_another_plugin_costs_the_later_tools() {
    let manifest = json!({"contracts": {"tools": ["t"]}});
    let tool = ("registerTool", json!([{"name": "t", "execute": f(1)}]));
    let registry = World::new()
        .plugin("a", &[("registerChannel", channel("c")), ("registerChannel", channel("c"))])
        .with(facts("b", manifest), &[tool.clone(), ("registerChannel", channel("c")), tool])
        .build();
    assert_eq!(said(&registry), ["error channel already registered: c (a)"]);
    assert_eq!(registry.tools.len(), 1);
    assert_eq!(registry.recorded_of("registerChannel").count(), 1);
    let bare = json!([{"id": "d", "meta": {"id": "e", "label": "x"}, "config": {"listAccountIds": f(1), "resolveAccount": f(2)}}]);
    assert_eq!(
        alone(&[("registerChannel", bare)]),
        [
            "warn channel \"d\" meta.id mismatch (\"e\"); using registered channel id",
            "warn channel \"d\" registered incomplete metadata; filled missing selectionLabel, docsPath, blurb",
        ]
    );
}

// API-024, API-025, API-026, API-027
#[test]
fn load_modes_limit_what_counts() {
    let calls = [
        ("on", json!(["gateway_start", f(1)])),
        ("registerCli", json!([f(1), {"commands": ["x"]}])),
        ("registerChannel", channel("c")),
        ("registerCommand", object(json!({"name": "x", "description": "d", "handler": f(1)}))),
        ("registerHook", json!(["command", f(1), {"name": "h"}])),
    ];
    let build = |mode| {
        let mut facts = facts("p", json!({}));
        facts.mode = mode;
        let r = World::new().with(facts, &calls).build();
        let active = r.internal_hooks.iter().filter(|h| h.active).count();
        let channel = r.recorded.first().map(|c| c.setup_only);
        (r.typed_hooks.len(), r.cli.len(), channel, r.commands.all().len(), active)
    };
    assert_eq!(build(RegistrationMode::Full), (1, 1, Some(false), 1, 1));
    assert_eq!(build(RegistrationMode::Discovery), (1, 1, Some(false), 0, 0));
    assert_eq!(build(RegistrationMode::ToolDiscovery), (1, 1, Some(true), 0, 0));
    assert_eq!(build(RegistrationMode::SetupOnly), (0, 1, Some(true), 0, 0));
    assert_eq!(build(RegistrationMode::SetupRuntime), (0, 1, Some(false), 0, 0));
    assert_eq!(build(RegistrationMode::CliMetadata), (0, 1, None, 0, 0));
}
