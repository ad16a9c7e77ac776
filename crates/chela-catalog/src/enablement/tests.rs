use proptest::prelude::*;
use serde_json::json;

use super::*;

fn policy(plugins: serde_json::Value) -> PluginPolicy {
    PluginPolicy::from_config_value(&json!({"plugins": plugins}))
}

fn decided(origin: Origin, default_on: bool, plugins: serde_json::Value) -> (bool, String) {
    let policy = policy(plugins);
    let subject = Subject { id: "p", origin, default_on, channel_enabled: false, auto_reason: None };
    let decision = decide(subject, &policy, &policy);
    (decision.enabled, decision.reason.unwrap_or_default())
}

// INS-042, INS-043, INS-044, INS-045, INS-046, INS-047, INS-048, INS-049, INS-050, INS-053, INS-054,
// INS-055, INS-056, INS-057
#[test]
fn each_step_decides() {
    use Origin::{Bundled, Config, Global, Workspace};
    let cases = [
        (Config, json!({"enabled": false, "entries": {"p": {"enabled": true}}}), false, "plugins disabled"),
        (Config, json!({"deny": ["p"], "slots": {"memory": "p"}}), false, "blocked by denylist"),
        (Config, json!({"entries": {"p": {"enabled": false}}, "allow": ["p"]}), false, "disabled in config"),
        (Workspace, json!({}), false, "workspace plugin (disabled by default)"),
        (Workspace, json!({"slots": {"memory": "p"}}), false, "workspace plugin (disabled by default)"),
        (Workspace, json!({"slots": {"contextEngine": "p"}}), true, "selected context engine slot"),
        (Workspace, json!({"allow": ["p"]}), true, "selected in allowlist"),
        (Workspace, json!({"entries": {"p": {"enabled": true}}}), true, "enabled in config"),
        (Global, json!({"slots": {"memory": "p"}, "allow": ["x"]}), true, "selected memory slot"),
        (Global, json!({"slots": {"contextEngine": "p"}, "allow": ["x"]}), true, "selected context engine slot"),
        (Global, json!({"allow": ["x"]}), false, "not in allowlist"),
        (Global, json!({"allow": ["x"], "entries": {"p": {"enabled": true}}}), false, "not in allowlist"),
        (Global, json!({"allow": []}), true, ""),
        (Config, json!({"allow": ["p"]}), true, "selected in allowlist"),
        (Bundled, json!({"allow": ["p"]}), false, "bundled (disabled by default)"),
        (Bundled, json!({"entries": {"p": {"enabled": true}}}), true, "enabled in config"),
        (Config, json!({}), true, ""),
    ];
    for (origin, plugins, enabled, reason) in cases {
        let outcome = decided(origin, false, plugins.clone());
        assert_eq!(outcome, (enabled, reason.to_owned()), "{origin:?} {plugins}");
    }
    assert_eq!(decided(Bundled, true, json!({})), (true, "bundled default enablement".into()));
}

// INS-051, INS-052
#[test]
fn auto_reasons_and_effective_config() {
    let authored = policy(json!({}));
    let effective = policy(json!({"entries": {"p": {"enabled": true}}}));
    let subject = |auto_reason| Subject { id: "p", origin: Origin::Bundled, default_on: false, channel_enabled: false, auto_reason };
    let auto = decide(subject(Some("x auth configured")), &authored, &effective);
    assert_eq!(auto.reason.as_deref(), Some("x auth configured"));
    assert_eq!(auto.source, ActivationSource::Auto);
    assert!(!auto.explicitly_enabled);
    let effective = decide(subject(None), &authored, &effective);
    assert_eq!(effective.reason.as_deref(), Some("enabled by effective config"));
}

// INS-060, MAN-042
#[test]
fn memory_slot() {
    let chosen = SlotChoice::Plugin("m".into());
    let off = |text: &str| MemoryDecision::Off(text.to_owned());
    let cases = [
        ("m", false, &chosen, None, MemoryDecision::Selected),
        ("n", false, &chosen, Some("m"), off("memory slot set to \"m\"")),
        ("n", true, &chosen, Some("m"), MemoryDecision::WithoutSlot),
        ("m", false, &SlotChoice::Off, None, off("memory slot disabled")),
        ("m", false, &SlotChoice::Unset, None, MemoryDecision::Selected),
        ("n", false, &SlotChoice::Unset, Some("m"), off("memory slot already filled by \"m\"")),
    ];
    for (id, several, slot, filled, expected) in cases {
        assert_eq!(decide_memory(id, several, slot, filled), expected, "{id} {slot:?}");
    }
}

/// The contract's steps as a list of (condition, outcome); the first that applies decides.
fn model(s: &Setup) -> bool {
    let allowed = s.allow.contains(&"p");
    let explicit = s.entry == Some(true)
        || s.memory
        || s.engine
        || (s.origin == Origin::Bundled && s.channel)
        || (s.origin != Origin::Bundled && allowed);
    let trusted = allowed || s.entry == Some(true) || s.engine;
    let channel_passes = s.origin == Origin::Bundled && s.channel && s.entry != Some(true);
    let steps = [
        (!s.enabled, false),
        (s.denied, false),
        (s.entry == Some(false), false),
        (s.origin == Origin::Workspace && !trusted, false),
        (s.memory, true),
        (s.engine, true),
        (!s.allow.is_empty() && !allowed && !channel_passes, false),
        (explicit, true),
        (s.auto, true),
        (s.origin == Origin::Bundled && s.default_on, true),
        (s.origin == Origin::Bundled, false),
        (true, true),
    ];
    steps.into_iter().find(|(applies, _)| *applies).unwrap().1
}

#[derive(Debug, Clone)]
struct Setup {
    origin: Origin,
    enabled: bool,
    denied: bool,
    entry: Option<bool>,
    memory: bool,
    engine: bool,
    allow: Vec<&'static str>,
    channel: bool,
    auto: bool,
    default_on: bool,
}

fn setups() -> impl Strategy<Value = Setup> {
    let origins = prop_oneof![Just(Origin::Config), Just(Origin::Workspace), Just(Origin::Global), Just(Origin::Bundled)];
    let allows = prop_oneof![Just(vec![]), Just(vec!["x"]), Just(vec!["p"]), Just(vec!["x", "p"])];
    let bits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (origins, allows, any::<Option<bool>>(), any::<bool>(), any::<bool>(), any::<bool>(), bits).prop_map(
        |(origin, allow, entry, enabled, denied, memory, (engine, channel, auto, default_on))| Setup {
            origin,
            enabled,
            denied,
            entry,
            memory,
            engine,
            allow,
            channel,
            auto,
            default_on,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // INS-041
    #[test]
    fn the_order_of_steps_matches_the_model(s in setups()) {
        let mut section = json!({"enabled": s.enabled, "allow": s.allow, "slots": {}});
        if s.denied { section["deny"] = json!(["p"]); }
        if let Some(enabled) = s.entry { section["entries"] = json!({"p": {"enabled": enabled}}); }
        if s.memory { section["slots"]["memory"] = json!("p"); }
        if s.engine { section["slots"]["contextEngine"] = json!("p"); }
        let policy = policy(section);
        let subject = Subject {
            id: "p", origin: s.origin, default_on: s.default_on, channel_enabled: s.channel,
            auto_reason: s.auto.then_some("auto"),
        };
        let decision = decide(subject, &policy, &policy);
        prop_assert_eq!(decision.enabled, model(&s));
        prop_assert_eq!(decision.enabled, decision.source != ActivationSource::Disabled);
        let outside = s.origin != Origin::Bundled;
        prop_assert!(decision.reason.is_some() || (outside && decision.source == ActivationSource::Default));
    }
}
