//! JSON shapes of `list` and `inspect`, owner maps, the activation plan, doctor data.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the functions that clippy knows as tests

#[path = "support/world.rs"]
mod common;

use chela_catalog::{CustomHookFact, Diagnostic, Level, RuntimeFacts, Status, ToolFact, Trigger, TypedHookFact, activation_plan, doctor};
use common::World;
use serde_json::{Value, json};

fn world() -> World {
    let mut world = World::new(json!({
        "channels": {"irc": {"server": "s"}},
        "feature": {"on": true, "off": {"enabled": false}},
        "plugins": {"slots": {"memory": "mem"}, "entries": {
            "off": {"enabled": false},
            "tool": {"hooks": {"timeoutMs": 90, "timeouts": {"agent_end": 5}, "allowPromptInjection": true},
                "subagent": {"allowedModels": []}},
            "bad": {"config": {"x": 1}}}},
    }));
    world.builtin("inner", json!({"name": "Inner", "enabledByDefault": true, "providers": ["Acme"]}));
    let native = |id: &str, fields: Value| {
        world.plugin(&format!("extensions/{id}"), id, fields);
    };
    native("bad", json!({}));
    native("cmd", json!({"activation": {"onCommands": ["Deploy"]}, "commandAliases": [{"name": "d", "cliCommand": "dep"}]}));
    native("eager", json!({"activation": {"onStartup": true}}));
    native("irc", json!({"channels": ["irc"], "channelConfigs": {"irc": {"schema": {}}}}));
    native("mem", json!({"kind": "memory"}));
    native("off", json!({}));
    native("paths", json!({"activation": {"onConfigPaths": ["feature.off", "feature.on"]}}));
    native("paths-off", json!({"activation": {"onConfigPaths": ["feature.off.x", "nothing"]}}));
    native("prov", json!({"providers": ["Beta"], "activation": {"onProviders": ["beta"]}, "setup": {"providers": [{"id": "beta"}]}}));
    native("route", json!({"activation": {"onRoutes": ["/hooks/x"]}}));
    native(
        "tool",
        json!({"version": "1.1.0", "description": "d", "contracts": {"tools": ["t"], "webSearchProviders": ["s"]},
        "uiHints": {"a": {"label": "A"}}, "activation": {"onCommands": ["t"]}}),
    );
    native("plain", json!({}));
    world.write("extensions/zpack/.claude-plugin/plugin.json", "{}");
    world.package(
        "extensions/tool",
        json!({"name": "@s/tool", "version": "9.9.9", "dependencies": {"here": "1", "@a/gone": "2"}, "optionalDependencies": {"opt": "3"}}),
    );
    world.write("extensions/node_modules/here/package.json", "{}");
    let record = json!({"installRecords": {"tool": {"source": "npm", "installPath": world.path("extensions/tool"), "spec": "tool"}}});
    world.write("plugins/installs.json", record.to_string());
    world
}

fn plan(trigger: Trigger) -> String {
    let rows = activation_plan(&world().scan(), &trigger);
    let line = |row: &chela_catalog::PlannedActivation| {
        let mark = if row.start { "+" } else { "-" };
        format!("{mark} {}: {} {:?}", row.plugin_id, row.reason, row.labels)
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort_by(|a, b| a[2..].cmp(&b[2..]));
    lines.join("\n")
}

// MAN-168, MAN-169, MAN-173, MAN-174, MAN-177
#[test]
fn plan_for_gateway_startup() {
    insta::assert_snapshot!(plan(Trigger::GatewayStartup));
}

// MAN-117: a tool plugin takes part in turns whatever else its hints say.
#[test]
fn plan_for_a_turn() {
    insta::assert_snapshot!(plan(Trigger::Turn));
}

fn started(trigger: Trigger) -> Vec<String> {
    let rows = activation_plan(&world().scan(), &trigger);
    assert!(rows.iter().all(|row| !row.reason.is_empty()));
    let started = rows.into_iter().filter(|row| row.start);
    let mut started: Vec<String> = started.map(|row| format!("{} {:?}", row.plugin_id, row.labels)).collect();
    started.sort();
    started
}

// MAN-170, MAN-174, MAN-175, MAN-176, MAN-248
#[test]
fn plans_for_narrow_triggers() {
    let cases = [
        (Trigger::Command("deploy".into()), vec!["cmd [\"activation-command-hint\"]", "inner []"]),
        (Trigger::Cli("DEP".into()), vec!["cmd [\"manifest-command-alias\"]", "inner []"]),
        (Trigger::Route("/hooks/x/sub".into()), vec!["route [\"activation-route-hint\"]"]),
        (Trigger::Route("/hooks/xy".into()), vec![]),
        (Trigger::Channel("IRC".into()), vec!["irc [\"manifest-channel-owner\"]"]),
        (
            Trigger::Provider("BETA".into()),
            vec!["prov [\"activation-provider-hint\", \"manifest-provider-owner\", \"manifest-setup-provider-owner\"]"],
        ),
        (Trigger::Provider("acme".into()), vec!["inner [\"manifest-provider-owner\"]"]),
    ];
    for (trigger, expected) in cases {
        assert_eq!(started(trigger.clone()), expected, "{trigger:?}");
    }
    // An alias whose command-line name differs is not the command of its own name (MAN-175), and a
    // command that nobody declares may belong to any unrestricted plugin.
    let unknown = started(Trigger::Command("d".into()));
    assert!(unknown.contains(&"plain []".to_owned()), "{unknown:?}");
    assert!(!unknown.iter().any(|row| row.starts_with("route ")), "{unknown:?}");
}

// MAN-076, MAN-080, MAN-092, MAN-246, MAN-248
#[test]
fn owner_maps() {
    let owners = world().scan().owners;
    assert_eq!(owners.providers["beta"], ["prov"]);
    assert_eq!(owners.providers["acme"], ["inner"]);
    assert_eq!(owners.channels["irc"], ["irc"]);
    assert_eq!(owners.tools["t"], ["tool"]);
    assert_eq!(owners.command_aliases["d"], ["cmd"]);
    assert_eq!(owners.cli.keys().collect::<Vec<_>>(), ["dep", "deploy", "t"]);
    assert_eq!(owners.routes["/hooks/x"], ["route"]);
    assert_eq!(owners.capabilities["webSearchProviders".to_lowercase().as_str()], ["tool"]);
}

// INS-312, INS-313, INS-314, INS-315, INS-316, MAN-026, MAN-027, MAN-028, MAN-029, MAN-030, MAN-069, MAN-221, MAN-222, MAN-247
#[test]
fn list_shape() {
    let world = world();
    let snapshot = world.scan();
    let list = snapshot.list_json(false);
    assert_eq!(list["registry"], json!({"source": "derived", "diagnostics": []}));
    assert_eq!(list["workspaceDir"], json!(world.path("ws")));
    let rows = list["plugins"].as_array().unwrap();
    assert_eq!(rows[0]["id"], "inner");
    assert_eq!(rows[0]["version"], "2026.6.11");
    let row = rows.iter().find(|row| row["id"] == "tool").unwrap();
    let text = world.redact(&serde_json::to_string_pretty(row).unwrap());
    insta::assert_snapshot!(text);
    let status = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap()["status"].clone();
    assert_eq!(status("off"), "disabled");
    assert_eq!(status("plain"), "loaded");
    let enabled = snapshot.list_json(true);
    assert!(enabled["plugins"].as_array().unwrap().iter().all(|row| row["enabled"] == true));
    assert!(list["diagnostics"].as_array().unwrap().iter().any(|d| d["pluginId"] == "bad" && d["level"] == "error"));
}

// INS-317, INS-318, INS-321, INS-323, INS-324, INS-325, MAN-068, MAN-075
#[test]
fn cold_inspect_shape() {
    let world = world();
    let snapshot = world.scan();
    let tool = snapshot.inspect_json("tool", None).unwrap();
    let text = world.redact(&serde_json::to_string_pretty(&tool).unwrap());
    insta::assert_snapshot!(text);
    assert!(snapshot.inspect_json("nobody", None).is_none());
    let bad = snapshot.inspect_json("bad", None).unwrap();
    assert_eq!(bad["plugin"]["status"], "error");
    assert_eq!(bad["plugin"]["failurePhase"], "validation");
    assert!(bad.get("install").is_none());
}

// INS-319, INS-321, INS-323, INS-326, INS-327
#[test]
fn runtime_facts_are_merged() {
    let snapshot = world().scan();
    let facts = RuntimeFacts {
        imported: true,
        tools: vec![ToolFact { names: vec!["t".into()], optional: true }],
        typed_hooks: vec![
            TypedHookFact { name: "session_end".into(), priority: Some(5.0) },
            TypedHookFact { name: "before_agent_start".into(), priority: None },
        ],
        custom_hooks: vec![CustomHookFact { name: "h".into(), events: vec!["b".into(), "a".into()] }],
        provider_ids: vec!["p".into()],
        description: Some("its own words".into()),
        notices: vec![json!({"code": "undeclared-tools"})],
        ..RuntimeFacts::default()
    };
    let seen = snapshot.inspect_json("plain", Some(&facts)).unwrap();
    assert_eq!(seen["plugin"]["description"], "its own words");
    assert_eq!(seen["plugin"]["imported"], true);
    assert_eq!(seen["plugin"]["toolNames"], json!(["t"]));
    assert_eq!((&seen["plugin"]["hookNames"], &seen["plugin"]["hookCount"]), (&json!(["h"]), &json!(3)));
    assert_eq!(seen["typedHooks"], json!([{"name": "before_agent_start"}, {"name": "session_end", "priority": 5}]));
    assert_eq!(seen["customHooks"], json!([{"name": "h", "events": ["a", "b"]}]));
    assert_eq!(seen["tools"], json!([{"names": ["t"], "optional": true}]));
    assert_eq!(seen["shape"], "plain-capability");
    assert_eq!(seen["usesLegacyBeforeAgentStart"], true);
    assert_eq!(seen["compatibility"][0]["code"], "legacy-before-agent-start");
    assert_eq!(seen["compatibility"][1]["code"], "undeclared-tools");
    let only_hooks = RuntimeFacts { typed_hooks: facts.typed_hooks.clone(), ..RuntimeFacts::default() };
    let seen = snapshot.inspect_json("plain", Some(&only_hooks)).unwrap();
    assert_eq!(seen["shape"], "hook-only");
    assert_eq!(
        seen["compatibility"][1],
        json!({"pluginId": "plain", "code": "hook-only", "compatCode": "hook-only-plugin-shape",
        "severity": "info", "message": "registers hooks and nothing else, which stays supported"})
    );
    let all = snapshot.inspect_all_json(|_| None);
    assert_eq!(all.len(), snapshot.plugins.len());
}

// INS-333, INS-336
#[test]
fn doctor_data() {
    let snapshot = world().scan();
    let failed = RuntimeFacts {
        status: Some(Status::Error),
        error: Some("failed to load plugin: boom".into()),
        failure_phase: Some("load".into()),
        diagnostics: vec![
            Diagnostic::new(Level::Error, "x", "refused tool").plugin(Some("plain")),
            Diagnostic::new(Level::Warn, "y", "only a warning"),
        ],
        ..RuntimeFacts::default()
    };
    let report = doctor(&snapshot, |id| (id == "plain").then_some(&failed));
    let errors: Vec<_> = report.plugin_errors.iter().map(|p| (p.plugin_id.as_str(), p.phase.as_str())).collect();
    assert_eq!(errors, [("bad", "validation"), ("plain", "load")]);
    let texts: Vec<_> = report.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(texts, ["refused tool"]);
    assert!(!report.is_clean());
    assert!(doctor(&World::new(json!({})).scan(), |_| None).is_clean());
}
