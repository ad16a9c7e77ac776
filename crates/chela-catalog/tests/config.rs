//! Enablement, slots, config validation, references, auto-enable over a whole scan.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the functions that clippy knows as tests

#[path = "support/world.rs"]
mod common;

use chela_catalog::{Level, Snapshot, Status};
use common::{World, says, silent};
use serde_json::{Value, json};

fn issues(snapshot: &Snapshot) -> Vec<(Level, &str, &str)> {
    let issues = snapshot.config_issues.iter();
    issues.map(|i| (i.level, i.path.as_str(), i.message.as_str())).collect()
}

fn needs_n() -> Value {
    json!({"configSchema": {"type": "object", "required": ["n"], "additionalProperties": false,
        "properties": {"n": {"type": "integer"}, "m": {"enum": ["a", "b"]}, "d": {"default": [1]}}}})
}

// API-014, API-018, MAN-045, MAN-050, MAN-052, MAN-053, MAN-054, MAN-055, MAN-056, MAN-057, MAN-059, MAN-061, MAN-065
#[test]
fn plugin_config_is_validated() {
    let mut world = World::new(json!({"plugins": {"entries": {
        "good": {"config": {"n": 1}},
        "bad": {"config": {"n": "1", "m": "c", "x": 1}},
        "off-bad": {"enabled": false, "config": {"n": "1"}},
        "off-good": {"enabled": false, "config": {"n": 1}},
        "off-none": {"enabled": false},
    }}}));
    for id in ["good", "bad", "off-bad", "off-good", "off-none", "missing"] {
        world.plugin(&format!("extensions/{id}"), id, needs_n());
    }
    world.builtin("inner", json!({"enabledByDefault": true}));
    let before = world.config.clone();
    let snapshot = world.scan();
    let get = |id: &str| snapshot.get(id).unwrap();
    assert_eq!(get("good").config, Some(json!({"n": 1, "d": [1]})));
    assert_eq!(get("good").status, Status::Loaded);
    assert_eq!(get("inner").config, Some(json!({})));
    assert_eq!(get("off-good").config, Some(json!({"n": 1, "d": [1]})));
    assert_eq!(get("off-none").config, None);
    assert_eq!(get("bad").status, Status::Error);
    assert_eq!(get("bad").failure.as_ref().unwrap().phase, "validation");
    assert!(get("missing").failure.as_ref().unwrap().message.starts_with("invalid config: n: must have required property 'n'"));
    assert_eq!(get("off-bad").status, Status::Disabled);
    let mut found = issues(&snapshot);
    found.sort_by_key(|issue| (issue.1, issue.2));
    let base = "plugins.entries.bad.config";
    assert_eq!(
        found,
        [
            (Level::Error, base, "invalid config: must NOT have additional properties (unexpected: \"x\")"),
            (
                Level::Error,
                "plugins.entries.bad.config.m",
                "invalid config: must be equal to one of the allowed values (allowed: \"a\", \"b\")"
            ),
            (Level::Error, "plugins.entries.bad.config.n", "invalid config: must be integer"),
            (Level::Error, "plugins.entries.missing.config.n", "invalid config: must have required property 'n'"),
            (Level::Warn, "plugins.entries.off-bad", "plugin disabled (disabled in config) but config is present"),
            (Level::Error, "plugins.entries.off-bad.config.n", "invalid config: must be integer"),
            (Level::Warn, "plugins.entries.off-good", "plugin disabled (disabled in config) but config is present"),
        ]
    );
    let row = snapshot.config_issues.iter().find(|i| i.path.ends_with(".m")).unwrap().to_json();
    assert_eq!(row["allowedValues"], json!(["a", "b"]));
    assert_eq!(world.config, before);
}

// MAN-233
#[test]
fn without_a_plugins_section_nothing_is_reported() {
    let world = World::new(json!({}));
    world.plugin("extensions/missing", "missing", needs_n());
    let snapshot = world.scan();
    assert_eq!(issues(&snapshot), []);
    assert_eq!(snapshot.get("missing").unwrap().status, Status::Error);
}

// MAN-234, MAN-235
#[test]
fn an_unusable_schema_hits_one_plugin_only() {
    let world = World::new(json!({"plugins": {}}));
    world.plugin("extensions/bad", "bad", json!({"configSchema": {"type": "nonsense"}}));
    world.plugin(
        "extensions/new",
        "new",
        json!({"configSchema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}}),
    );
    world.plugin("extensions/hidden", "hidden", json!({"configSchema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}}));
    let snapshot = world.scan();
    assert_eq!(snapshot.get("bad").unwrap().status, Status::Error);
    assert_eq!(snapshot.get("new").unwrap().status, Status::Loaded);
    says(&snapshot, "plugin configSchema cannot be used");
    let report = chela_catalog::doctor(&snapshot, |_| None);
    let broken: Vec<_> = report.plugin_errors.iter().map(|problem| problem.plugin_id.as_str()).collect();
    assert_eq!(broken, ["bad", "hidden"]);
    assert!(!report.is_clean());
}

// API-240, MAN-094, MAN-224, MAN-225, MAN-226, MAN-227, MAN-229, MAN-244, INS-061
#[test]
fn references_to_unknown_plugins() {
    let world = World::new(json!({"plugins": {
        "allow": ["ghost", "go", "runner"], "deny": ["spook"], "entries": {"wraith": {}},
        "slots": {"memory": "amnesia", "contextEngine": "void"}, "load": {"paths": ["/nonexistent/x"]}}}));
    world.plugin("extensions/runner", "runner", json!({"commandAliases": ["Go"]}));
    let snapshot = world.scan();
    let found = issues(&snapshot);
    let has = |level: Level, path: &str, text: &str| {
        assert!(found.iter().any(|i| i.0 == level && i.1 == path && i.2.contains(text)), "{path} {text}: {found:#?}");
    };
    has(Level::Warn, "plugins.entries.wraith", "plugin not found: wraith (stale config entry ignored");
    has(Level::Warn, "plugins.allow", "plugin not found: ghost (stale");
    has(Level::Warn, "plugins.allow", "\"go\" is not a plugin, it is a command provided by the \"runner\" plugin");
    has(Level::Warn, "plugins.deny", "plugin not found: spook (stale");
    has(Level::Error, "plugins.slots.memory", "plugin not found: amnesia");
    has(Level::Warn, "plugins.slots.contextEngine", "plugin not found: void");
    has(Level::Error, "plugins.load.paths", "plugin path not found: /nonexistent/x");
    says(&snapshot, "memory slot plugin not found or not marked as memory: amnesia");
    // The default memory id is nobody's mistake.
    silent(&World::new(json!({"plugins": {}})).scan(), "memory slot plugin not found");
}

// MAN-076, MAN-077, MAN-181, MAN-182
#[test]
fn channel_config() {
    let world = World::new(json!({
        "plugins": {"entries": {"stale": {}}},
        "channels": {"irc": {"port": "x"}, "unheard": {}, "stale": {}, "defaults": {}, "modelByChannel": {}},
    }));
    let schema = json!({"type": "object", "properties": {"port": {"type": "integer"}}});
    world.plugin("extensions/irc", "irc-plugin", json!({"channels": ["irc"], "channelConfigs": {"irc": {"schema": schema}}}));
    let snapshot = world.scan();
    let found = issues(&snapshot);
    assert!(found.contains(&(Level::Error, "channels.irc.port", "invalid config: must be integer")), "{found:?}");
    assert!(found.contains(&(Level::Error, "channels.unheard", "unknown channel id: unheard")));
    assert!(found.iter().any(|i| i.0 == Level::Warn && i.1 == "channels.stale"));
    assert!(!found.iter().any(|i| i.1 == "channels.defaults"));
}

// MAN-078, MAN-079, MAN-147, MAN-148, MAN-185, INS-019
#[test]
fn manifest_remarks() {
    let fields = json!({"channels": ["irc", "xmpp"], "providerAuthEnvVars": {"z": ["Z"], "a": ["A"]},
        "channelConfigs": {"irc": {"schema": {}, "label": "Mine"}}});
    let host = json!({"openclaw": {"channel": {"id": "irc", "label": "Theirs", "blurb": "b", "preferOver": ["o"]}}});
    for (plugins, warned) in [(json!({}), true), (json!({"deny": ["c"]}), false), (json!({"allow": ["x"]}), false)] {
        let mut world = World::new(json!({"plugins": plugins}));
        world.plugin("extensions/c", "c", fields.clone());
        world.package("extensions/c", host.clone());
        world.builtin("inner", fields.clone());
        let snapshot = world.scan();
        let about = |id: &str| snapshot.diagnostics_of(id).map(|d| d.message.clone()).collect::<Vec<_>>().join("\n");
        assert_eq!(about("c").contains("declares xmpp without channelConfigs metadata"), warned);
        assert!(about("c").contains("providerAuthEnvVars is deprecated compatibility metadata; mirror the variables of a, z"));
        assert_eq!(about("inner"), "");
        let config = &snapshot.get("c").unwrap().channel_configs["irc"];
        assert_eq!((config.label.as_deref(), config.description.as_deref()), (Some("Mine"), Some("b")));
        assert_eq!(config.prefer_over, ["o"]);
    }
}

// INS-050, INS-051, INS-063, INS-064, INS-065, INS-066, INS-067, MAN-037, MAN-118, MAN-119, MAN-120
#[test]
fn other_config_enables_bundled_plugins() {
    let mut world = World::new(json!({
        "auth": {"profiles": {"x": {"provider": "Acme"}}},
        "models": {"providers": {"beta": {}}},
        "agents": {"defaults": {"model": "gamma/one", "imageModel": "delta-7"}},
        "channels": {"irc": {"server": "s"}, "chat": {"enabled": true}},
        "tools": {"web": {"search": {"provider": "Seek"}}},
        "plugins": {"allow": ["irc-plugin"], "deny": ["denied"], "entries": {"tooled": {"config": {"key": "v"}}, "off": {"enabled": false}}},
    }));
    world.builtin("acme-plugin", json!({"autoEnableWhenConfiguredProviders": ["acme"]}));
    world.builtin("beta-plugin", json!({"autoEnableWhenConfiguredProviders": ["beta"]}));
    world.builtin("gamma-plugin", json!({"providers": ["gamma"]}));
    world.builtin("delta-prefix", json!({"modelSupport": {"modelPrefixes": ["delta"]}}));
    world.builtin("delta-pattern", json!({"modelSupport": {"modelPatterns": ["^delta-\\d$"]}}));
    world.builtin("irc-plugin", json!({"channels": ["irc"]}));
    world.builtin("seek-plugin", json!({"contracts": {"webSearchProviders": ["seek"]}}));
    world.builtin("chat", json!({"channels": ["chat"]}));
    world.builtin("denied", json!({"autoEnableWhenConfiguredProviders": ["acme2", "beta"]}));
    world.builtin("off", json!({"providers": ["gamma2"]}));
    world.builtin("idle", json!({}));
    let schema = json!({"type": "object", "properties": {"key": {}}});
    world.builtin("tooled", json!({"contracts": {"tools": ["t"]}, "configSchema": schema}));
    world.builtin("twin-a", json!({"providers": ["shared"]}));
    let snapshot = world.scan();
    let rows: Vec<String> = snapshot
        .plugins
        .iter()
        .map(|p| format!("{} {} {} {}", p.id, p.enabled, p.activation_source.as_str(), p.activation_reason.as_deref().unwrap_or("-")))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

// MAN-186, MAN-187: a plugin that the operator chose himself stays.
#[test]
fn a_preferred_channel_plugin_replaces_an_implicit_one() {
    let fields = |over: Value| json!({"channels": ["irc"], "channelConfigs": {"irc": {"schema": {}, "preferOver": over}}});
    for (allow, old_enabled) in [(json!([]), false), (json!(["old", "new"]), true)] {
        let world = World::new(json!({"channels": {"irc": {"s": 1}}, "plugins": {"allow": allow}}));
        world.plugin("extensions/old", "old", fields(json!([])));
        world.plugin("extensions/new", "new", fields(json!(["old"])));
        let snapshot = world.scan();
        assert!(snapshot.get("new").unwrap().enabled);
        let old = snapshot.get("old").unwrap();
        assert_eq!(old.enabled, old_enabled, "{:?}", old.activation_reason);
    }
}

// INS-046, INS-058, INS-060, MAN-040
#[test]
fn slots_over_a_scan() {
    let scan = |slots: Value| {
        let world = World::new(json!({"plugins": {"slots": slots}}));
        world.plugin("extensions/m1", "m1", json!({"kind": "memory"}));
        world.plugin("extensions/m2", "m2", json!({"kind": ["memory", "context-engine"]}));
        world.plugin("extensions/plain", "plain", json!({}));
        world.scan()
    };
    let snapshot = scan(json!({"memory": "m1", "contextEngine": "m2"}));
    assert_eq!(snapshot.memory_plugin().unwrap().id, "m1");
    assert_eq!(snapshot.context_engine_plugin().unwrap().id, "m2");
    let snapshot = scan(json!({}));
    let m1 = snapshot.get("m1").unwrap();
    assert_eq!(m1.activation_reason.as_deref(), Some("memory slot set to \"memory-core\""));
    assert_eq!(m1.status, Status::Disabled);
    assert!(snapshot.get("m2").unwrap().enabled && !snapshot.get("m2").unwrap().fills_memory_slot);
    let off = scan(json!({"memory": "none"}));
    assert_eq!(off.get("m1").unwrap().activation_reason.as_deref(), Some("memory slot disabled"));
    assert!(off.get("plain").unwrap().enabled);
}

// MAN-031, INS-320
#[test]
fn former_ids_resolve() {
    let world = World::new(json!({"plugins": {"entries": {"old-name": {"enabled": false}}}}));
    world.plugin("extensions/n", "new-name", json!({"legacyPluginIds": ["old-name"], "name": "Nice"}));
    let snapshot = world.scan();
    assert_eq!(snapshot.get("new-name").unwrap().activation_reason.as_deref(), Some("disabled in config"));
    assert_eq!(issues(&snapshot), []);
    assert_eq!(snapshot.find("old-name").unwrap().id, "new-name");
    assert_eq!(snapshot.find("Nice").unwrap().id, "new-name");
}
