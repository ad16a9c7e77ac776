//! What `doctor --fix` does about plugins.

use chela_install::Repaired;
use serde_json::{Value, json};

use crate::registry::{Registry, pack};
use crate::support::{Place, request};

fn manifest(id: &str) -> String {
    json!({"id": id, "channels": [id], "configSchema": {"type": "object"}, "channelConfigs": {id: {"schema": {"type": "object"}}}})
        .to_string()
}

fn publish(registry: &Registry, name: &str, version: &str, id: &str, code: &str) {
    registry.publish(
        name,
        version,
        json!({"openclaw": {"extensions": ["./index.js"]}}),
        &[("openclaw.plugin.json", &manifest(id)), ("index.js", code)],
    );
}

fn world(config: &Value) -> (Place, Registry) {
    let registry = Registry::start();
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    write(&place, config);
    (place, registry)
}

fn write(place: &Place, config: &Value) {
    std::fs::write(place.state().join("openclaw.json"), config.to_string()).unwrap();
}

fn repair(place: &Place) -> Repaired {
    place.installer().repair().unwrap()
}

fn record(place: &Place, id: &str) -> Value {
    place.index()["installRecords"][id].clone()
}

// INS-340
#[test]
fn official_plugins_that_the_config_asks_for_are_installed() {
    let (place, registry) = world(&json!({
        "channels": {"slack": {"token": "x"}, "twitch": {"enabled": false, "token": "x"}},
        "plugins": {"entries": {"diffs": {"enabled": true}, "lobster": {"enabled": false}}, "deny": ["line"]},
        "tools": {"web": {"search": {"provider": "brave"}}},
        "agents": {"defaults": {"models": {"openai/gpt-5.5": {"agentRuntime": {"id": "codex"}}}}},
    }));
    for (package, id) in [("slack", "slack"), ("diffs", "diffs"), ("lobster", "lobster"), ("twitch", "twitch"), ("codex", "codex")] {
        publish(&registry, &format!("@openclaw/{package}"), "2026.5.12", id, "");
    }
    let done = repair(&place);
    assert_eq!(
        done.changes,
        [
            "installed Slack (\"slack\"), which the config asks for, from `@openclaw/slack`",
            "installed Codex (\"codex\"), which the config asks for, from `@openclaw/codex`",
            "installed Diffs (\"diffs\"), which the config asks for, from `@openclaw/diffs`",
        ]
    );
    assert_eq!(done.warnings.len(), 1, "{:?}", done.warnings);
    assert!(done.warnings[0].starts_with("\"brave\" is missing and cannot be installed: Package not found on npm"), "{:?}", done.warnings);
    assert_eq!(record(&place, "slack")["resolvedName"], "@openclaw/slack");
    assert_eq!(place.config_value()["channels"]["slack"]["token"], "x", "what could come back keeps its settings");
    let again = repair(&place);
    assert_eq!((again.changes.len(), again.warnings.len()), (0, 1), "{again:?}");
}

// INS-340
#[test]
fn a_recorded_plugin_whose_files_are_gone_comes_back() {
    let (place, registry) = world(&json!({}));
    publish(&registry, "@t/plug", "1.0.0", "plug", "");
    place.installer().install(&chela_install::InstallRequest { spec: "@t/plug".into(), ..Default::default() }).unwrap();
    let dir = place.state().join("chela/packages/plug");
    std::fs::remove_dir_all(&dir).unwrap();
    write(&place, &json!({"plugins": {"entries": {"plug": {"enabled": false}}}}));
    assert_eq!(repair(&place).changes.iter().filter(|line| line.contains("again")).count(), 0, "it is not wanted");
    assert!(!dir.exists());
    write(&place, &json!({"plugins": {"entries": {"plug": {"enabled": true}}}}));
    assert!(repair(&place).changes.contains(&"installed the missing plugin \"plug\" again".to_owned()));
    assert!(dir.join("current/node_modules/@t/plug/index.js").is_file());
}

// INS-340, INS-341
#[test]
fn references_to_plugins_that_are_nowhere_go() {
    let config = json!({
        "agents": {"defaults": {"heartbeat": {"target": "ghost", "every": "1h"}}, "list": [{"id": "a", "heartbeat": {"target": "ghost"}}]},
        "channels": {"ghost": {"token": "x"}, "defaults": {}, "modelByChannel": {"p": {"ghost": "m", "webchat": "m"}}},
        "plugins": {
            "enabled": false,
            "allow": ["inside", "ghost"],
            "deny": ["nobody"],
            "entries": {"ghost": {"enabled": true}, "inside": {"enabled": true}, "discord": {"enabled": false}},
            "slots": {"contextEngine": "phantom"},
        },
    });
    let (place, _registry) = world(&config);
    let before = place.picture();
    assert_eq!(repair(&place), Repaired::default(), "switched off, everything stays");
    assert_eq!(place.picture(), before);

    let mut on = config;
    on["plugins"]["enabled"] = true.into();
    write(&place, &on);
    let done = repair(&place);
    assert_eq!(done.warnings, Vec::<String>::new());
    assert_eq!(done.changes.len(), 8, "{:#?}", done.changes);
    assert_eq!(
        place.config_value(),
        json!({
            "agents": {"defaults": {"heartbeat": {"every": "1h"}}, "list": [{"id": "a", "heartbeat": {}}]},
            "channels": {"defaults": {}, "modelByChannel": {"p": {"webchat": "m"}}},
            "plugins": {
                "enabled": true,
                "allow": ["inside"],
                "entries": {"inside": {"enabled": true}, "discord": {"enabled": false}},
                "slots": {"contextEngine": "legacy"},
            },
        })
    );
    assert_eq!(repair(&place), Repaired::default(), "a second time there is nothing to do");
}

// INS-056: an allowlist that would become empty stays, for an empty one lets everything in.
#[test]
fn an_allowlist_is_never_emptied() {
    let (place, _registry) = world(&json!({"plugins": {"allow": ["ghost"]}}));
    repair(&place);
    assert_eq!(place.config_value()["plugins"]["allow"], json!(["ghost"]));
}

// INS-344, INS-347
#[test]
fn broken_files_of_the_extensions_root_are_set_aside() {
    let (place, _registry) = world(&json!({"plugins": {"entries": {"inside": {"enabled": true}}, "allow": ["inside", "ghost"]}}));
    let root = place.state().join("extensions");
    std::fs::create_dir_all(root.join("nameless")).unwrap();
    std::fs::create_dir_all(root.join("wrong/deep")).unwrap();
    std::fs::create_dir_all(root.join("notes")).unwrap();
    std::fs::create_dir_all(root.join(".openclaw-install-stage-abc/x")).unwrap();
    std::fs::create_dir_all(place.state().join("plugin-runtime-deps/old")).unwrap();
    std::fs::rename(place.plugin("good", "1.0.0"), root.join("good")).unwrap();
    std::fs::write(root.join("lone.js"), "export default {};").unwrap();
    std::fs::write(root.join("nameless/index.js"), "export default {};").unwrap();
    std::fs::write(root.join("wrong/openclaw.plugin.json"), "{").unwrap();
    std::fs::write(root.join("wrong/index.js"), "").unwrap();
    let done = repair(&place);
    let mut names: Vec<String> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["good", "lone.js.disabled", "nameless.disabled", "notes", "wrong.disabled"], "{done:#?}");
    assert!(!place.state().join("plugin-runtime-deps").exists());
    assert!(done.warnings[0].starts_with("stale plugin ids stay in the config until this is mended: "), "{:?}", done.warnings);
    let after = repair(&place);
    assert_eq!(after.warnings, Vec::<String>::new());
    assert_eq!(after.changes, ["took \"ghost\" out of `plugins.allow`: no such plugin"]);
}

// INS-342, INS-343
#[test]
fn the_environment_can_name_another_source_which_is_a_stranger() {
    let (mut place, registry) = world(&json!({"plugins": {"entries": {"diffs": {"enabled": true}, "lobster": {"enabled": true}}}}));
    let code = "import { execSync } from 'child_process'; execSync('x');";
    publish(&registry, "@openclaw/diffs", "2026.5.12", "diffs", code);
    publish(&registry, "@openclaw/lobster", "2026.5.12", "crab", "");
    let file = place.dir.join("own.tgz");
    let package = json!({"name": "own", "version": "0.0.1", "openclaw": {"extensions": ["./index.js"]}});
    std::fs::write(&file, pack(&package, &[("openclaw.plugin.json", &manifest("diffs")), ("index.js", "")])).unwrap();
    let map = |diffs: &str| json!({"diffs": diffs, "lobster": "npm:@openclaw/lobster"}).to_string();

    place.env = vec![("OPENCLAW_PLUGIN_INSTALL_OVERRIDES".into(), map("npm:@openclaw/diffs@2026.5.12"))];
    place.env.push(("OPENCLAW_ALLOW_PLUGIN_INSTALL_OVERRIDES".into(), "1".into()));
    let done = repair(&place);
    assert!(done.changes.is_empty());
    assert!(
        done.warnings[0].contains("dangerous code patterns detected"),
        "the official package under this name is no official one: {done:?}"
    );
    assert!(done.warnings[1].contains("plugin id mismatch: expected lobster, got crab"), "{done:?}");

    place.env[0].1 = map(&format!("npm-pack:{}", file.display()));
    assert_eq!(repair(&place).changes.len(), 1);
    assert_eq!((&record(&place, "diffs")["version"], &record(&place, "diffs")["artifactKind"]), (&json!("0.0.1"), &json!("npm-pack")));
    // An install that somebody asked for is not touched by it.
    place.env[0].1 = json!({"alpha": "npm:nothing"}).to_string();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
}
