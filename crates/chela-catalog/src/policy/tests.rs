use serde_json::json;

use super::*;

// INS-040, INS-056, INS-058, INS-059
#[test]
fn defaults() {
    let policy = PluginPolicy::from_config_value(&json!({}));
    assert!(policy.enabled);
    assert!(!policy.present);
    assert!(policy.allow.is_empty());
    assert_eq!(policy.slots.memory, SlotChoice::Plugin("memory-core".into()));
    assert!(!policy.slots.memory_is_explicit);
    assert_eq!(policy.slots.context_engine, SlotChoice::Unset);
    let policy = PluginPolicy::from_config_value(&json!({"plugins": {
        "enabled": false, "allow": [" a ", "", 3], "slots": {"memory": "None", "contextEngine": " e "},
        "load": {"paths": ["~/p"]}, "compat": {"strict": true}}}));
    assert!(!policy.enabled);
    assert_eq!(policy.allow, ["a"]);
    assert_eq!(policy.slots.memory, SlotChoice::Off);
    assert!(policy.slots.memory_is_explicit);
    assert_eq!(policy.slots.context_engine.plugin_id(), Some("e"));
    assert_eq!(policy.load_paths, ["~/p"]);
    assert!(policy.strict_compat);
}

// INS-069, INS-070, INS-071
#[test]
fn entry_fields() {
    let policy = PluginPolicy::from_config_value(&json!({"plugins": {"entries": {
        "a": {"hooks": {"allowPromptInjection": false, "allowConversationAccess": "yes", "timeoutMs": 600_001,
                "timeouts": {"agent_end": 50, "x": 0, "y": 1.5, "z": 600_000.0}},
            "subagent": {"allowModelOverride": true, "allowedModels": []},
            "llm": {"allowAgentIdOverride": false, "allowedModels": ["m", " ", 4]},
            "env": {"K": "v", "N": 1}, "apiKey": "k", "runtime": {"group": " g "}, "permissions": {"nativeAddons": true}},
        "b": 7}}}));
    let entry = policy.entry("a");
    assert_eq!(entry.hooks.allow_prompt_injection, Some(false));
    assert_eq!(entry.hooks.allow_conversation_access, None);
    assert_eq!(entry.hooks.timeout_ms, None);
    assert_eq!(entry.hooks.timeout_for("agent_end"), Some(50));
    assert_eq!(entry.hooks.timeout_for("z"), Some(600_000));
    assert_eq!(entry.hooks.timeouts.len(), 2);
    assert_eq!(entry.subagent.allowed_models, Some(vec![]));
    assert_eq!(entry.llm.allowed_models, Some(vec!["m".to_owned()]));
    assert_eq!(entry.llm.allow_agent_id_override, Some(false));
    assert_eq!(entry.env.len(), 1);
    assert!(entry.has_api_key);
    assert_eq!(entry.runtime_group.as_deref(), Some("g"));
    let set = chela_manifest::permissions::Permissions { native_addons: true, ..Default::default() };
    assert_eq!(entry.permissions, chela_manifest::permissions::Grant::Set(set));
    assert!(entry.is_material);
    assert!(!policy.entry("b").is_material);
    assert_eq!(policy.entry("absent"), &EntryPolicy::default());
}

// MAN-031
#[test]
fn former_ids_are_renamed() {
    let mut policy = PluginPolicy::from_config_value(&json!({"plugins": {
        "allow": ["old", "x"], "deny": ["old"], "slots": {"memory": "old"},
        "entries": {"old": {"enabled": false}, "older": {"enabled": true}, "new": {"enabled": true}}}}));
    let former = |old: &str| (old.to_owned(), "new".to_owned());
    policy.rename_ids(&[former("old"), former("older")].into());
    assert_eq!(policy.allow, ["new", "x"]);
    assert_eq!(policy.deny, ["new"]);
    assert_eq!(policy.slots.memory.plugin_id(), Some("new"));
    assert_eq!(policy.entries.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!(policy.entry("new").enabled, Some(true));
}
