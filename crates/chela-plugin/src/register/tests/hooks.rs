//! Typed and internal hooks at registration.

use super::*;

// HOOK-088, HOOK-089, HOOK-090, HOOK-091, HOOK-092
#[test]
fn hooks_are_ordered_over_all_plugins() {
    let on = |handle: u64, options: Value| ("on", json!(["before_tool_call", f(handle), options]));
    let registry = World::new()
        .plugin("a", &[on(1, json!(null)), on(2, json!({"priority": -1})), on(3, json!({"priority": 5}))])
        .plugin("b", &[on(4, json!({"priority": 5})), on(5, json!({"priority": 5.5})), on(1, json!({"priority": "x"})), on(1, json!({}))])
        .build();
    let order: Vec<_> = registry.hooks(HookName::BeforeToolCall).map(|h| (h.owner.id.as_ref(), h.callback.handle)).collect();
    assert_eq!(order, [("b", 5), ("a", 3), ("b", 4), ("a", 1), ("b", 1), ("b", 1), ("a", 2)]);
}

// HOOK-120, HOOK-121, HOOK-122, HOOK-123, HOOK-128
#[test]
fn conversation_hooks_need_permission() {
    let on = |hook: &str| ("on", json!([hook, f(1)]));
    let build = |bundled: bool, allow: Option<bool>| {
        let mut world = World::new();
        world.inputs.policies.insert("p".into(), HookPolicy { allow_conversation_access: allow, ..HookPolicy::default() });
        let calls = [on("llm_input"), on("before_tool_call"), on("tool_result_persist")];
        let registry = if bundled { world.bundled("p", &calls) } else { world.plugin("p", &calls) }.build();
        (registry.typed_hooks.len(), said(&registry))
    };
    let must =
        "warn typed hook \"llm_input\" blocked because non-bundled plugins must set plugins.entries.p.hooks.allowConversationAccess=true";
    let off = "warn typed hook \"llm_input\" blocked by plugins.entries.p.hooks.allowConversationAccess=false";
    assert_eq!(build(false, None), (2, vec![must.to_string()]));
    assert_eq!(build(false, Some(false)), (2, vec![must.to_string()]));
    assert_eq!(build(false, Some(true)), (3, vec![]));
    assert_eq!(build(true, None), (3, vec![]));
    assert_eq!(build(true, Some(false)), (2, vec![off.to_string()]));
}

// HOOK-124, HOOK-125, HOOK-126
#[test]
fn prompt_hooks_can_be_forbidden() {
    let mut world = World::new();
    world.inputs.policies.insert("p".into(), HookPolicy { allow_prompt_injection: Some(false), ..HookPolicy::default() });
    let hooks = ["agent_turn_prepare", "before_prompt_build", "before_agent_start", "heartbeat_prompt_contribution"];
    let calls: Vec<_> = hooks.iter().map(|h| ("on", json!([h, f(1)]))).collect();
    let registry = world.bundled("p", &calls).build();
    let setting = "plugins.entries.p.hooks.allowPromptInjection=false";
    assert_eq!(
        said(&registry),
        [
            format!("warn typed hook \"agent_turn_prepare\" blocked by {setting}"),
            format!("warn typed hook \"before_prompt_build\" blocked by {setting}"),
            format!("warn typed hook \"before_agent_start\" prompt fields constrained by {setting}"),
            format!("warn typed hook \"heartbeat_prompt_contribution\" blocked by {setting}"),
        ]
    );
    let kept: Vec<_> = registry.typed_hooks.iter().map(|h| (h.hook, h.strip_prompt_fields)).collect();
    assert_eq!(kept, [(HookName::BeforeAgentStart, true)]);
}

// API-037, API-020, HOOK-288, HOOK-292
#[test]
fn internal_hooks_keep_names_and_events() {
    let calls = [
        ("registerHook", json!([[" command ", "", "message:sent"], f(1), {"name": " n ", "description": "d"}])),
        (
            "registerHook",
            json!(["command", f(2), {"name": "x", "entry": {"hook": {"name": "entry", "description": "e"}}, "register": false}]),
        ),
    ];
    let registry = World::new().plugin("p", &calls).build();
    let [first, second] = registry.internal_hooks.as_slice() else { panic!("two hooks") };
    assert_eq!(
        (first.name.as_str(), first.events.as_slice(), first.active),
        ("n", ["command".to_string(), "message:sent".into()].as_slice(), true)
    );
    assert_eq!((second.name.as_str(), second.description.as_str(), second.active), ("entry", "e", false));
    let mut world = World::new();
    world.inputs.internal_hooks_enabled = false;
    assert!(!world.plugin("p", &calls).build().internal_hooks[0].active);
}
