//! What manifests mean for a whole scan: where they are looked for, skills, setup, models, catalogues of channels.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the functions that clippy knows as tests

#[path = "support/world.rs"]
mod common;

use std::sync::Arc;

use chela_catalog::{BundledPlugin, Level, RuntimeFacts, Snapshot, Status};
use chela_manifest::Manifest;
use common::{World, ids, manifest, says, silent};
use serde_json::{Value, json};

fn issues(snapshot: &Snapshot) -> Vec<(Level, String, String)> {
    snapshot.config_issues.iter().map(|issue| (issue.level, issue.path.clone(), issue.message.clone())).collect()
}

fn codes(inspected: &Value) -> Vec<&str> {
    inspected["diagnostics"].as_array().unwrap().iter().filter_map(|row| row["code"].as_str()).collect()
}

// MAN-001
#[test]
fn only_one_file_name_is_a_manifest() {
    let world = World::new(json!({}));
    for name in ["plugin.json", "openclaw.plugin.json5", "OpenClaw.plugin.json", "openclaw-plugin.json", ".openclaw.plugin.json"] {
        world.write(&format!("extensions/near/{name}"), manifest("near", json!({})).to_string());
    }
    world.write("extensions/near/index.js", "");
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), [""; 0]);
    says(&snapshot, &format!("plugin manifest not found: {}", world.path("extensions/near/openclaw.plugin.json").display()));
}

// MAN-011, MAN-012, MAN-062: nothing is cached, so not even an edit that keeps size and time can hide.
#[test]
fn an_edit_is_seen_at_the_next_scan() {
    let world = World::new(json!({"plugins": {"entries": {"a": {"config": {"n": 1}}}}}));
    let typed = |kind: &str| json!({"configSchema": {"type": "object", "properties": {"n": {"type": kind}}}, "name": kind});
    world.plugin("extensions/a", "a", typed("number"));
    let path = world.path("extensions/a/openclaw.plugin.json");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(world.scan().get("a").unwrap().status, Status::Loaded);
    world.plugin("extensions/a", "a", typed("string"));
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let snapshot = world.scan();
    let plugin = snapshot.get("a").unwrap();
    assert_eq!((plugin.name.as_str(), plugin.status), ("string", Status::Error));
}

// MAN-013: reported in the config's own check, as a warning, since it must not stop other commands (MAN-236).
#[test]
fn a_broken_manifest_is_an_issue_of_the_config() {
    let world = World::new(json!({"plugins": {}}));
    world.write("extensions/nameless/openclaw.plugin.json", "{}");
    world.write("extensions/nameless/index.js", "");
    world.write("extensions/named/openclaw.plugin.json", r#"{"id": "named"}"#);
    world.write("extensions/named/index.js", "");
    world.plugin("extensions/fine", "fine", json!({}));
    let snapshot = world.scan();
    let mut found = issues(&snapshot);
    found.sort();
    assert_eq!(
        found,
        [
            (Level::Warn, "plugins".into(), "plugin: plugin manifest requires id".into()),
            (Level::Warn, "plugins.entries.named".into(), "plugin named: plugin manifest requires configSchema".into()),
        ]
    );
    assert_eq!(snapshot.get("fine").unwrap().status, Status::Loaded);
}

// MAN-034
#[test]
fn default_enablement_counts_for_bundled_plugins_alone() {
    let flags = json!({"enabledByDefault": true, "enabledByDefaultOnPlatforms": ["linux"]});
    let mut world = World::new(json!({"plugins": {"allow": ["other"]}}));
    world.plugin("extensions/outside", "outside", flags.clone());
    assert!(!world.scan().get("outside").unwrap().enabled);
    world.config = json!({});
    world.plugin("ws/.openclaw/extensions/space", "space", flags.clone());
    world.builtin("inner", flags);
    world.builtin("quiet", json!({}));
    let snapshot = world.scan();
    let enabled = |id: &str| snapshot.get(id).unwrap().enabled;
    assert_eq!((enabled("space"), enabled("inner"), enabled("quiet")), (false, true, false));
    assert_eq!(snapshot.get("space").unwrap().activation_reason.as_deref(), Some("workspace plugin (disabled by default)"));
}

// MAN-044, API-016
#[test]
fn the_empty_schema_takes_no_key() {
    let mut world = World::new(json!({"plugins": {"entries": {"a": {"config": {}}}}}));
    world.plugin("extensions/a", "a", json!({"configSchema": {"type": "object", "additionalProperties": false}}));
    assert_eq!(world.scan().get("a").unwrap().config, Some(json!({})));
    world.config = json!({"plugins": {"entries": {"a": {"config": {"x": 1}}}}});
    assert_eq!(world.scan().get("a").unwrap().status, Status::Error);
}

// MAN-066, API-015
#[test]
fn a_record_without_a_schema_is_an_error() {
    let mut world = World::new(json!({}));
    let bare = Manifest { id: "bare".into(), enabled_by_default: true, ..Manifest::default() };
    world.bundled.push(BundledPlugin { manifest: Arc::new(bare), package: None, root_dir: "builtin:bare".into() });
    let snapshot = world.scan();
    let plugin = snapshot.get("bare").unwrap();
    assert_eq!((plugin.status, plugin.failure.as_ref().unwrap().message.as_str()), (Status::Error, "missing config schema"));
    says(&snapshot, "missing config schema");
}

// MAN-067
#[test]
fn the_config_of_a_bundle_is_not_checked() {
    let world = World::new(json!({"plugins": {"entries": {"pack": {"config": {"anything": [1]}}}}}));
    world.write("extensions/pack/.claude-plugin/plugin.json", r#"{"name": "pack"}"#);
    let snapshot = world.scan();
    let plugin = snapshot.get("pack").unwrap();
    assert_eq!((plugin.status, plugin.failure.clone()), (Status::Loaded, None));
    assert_eq!(issues(&snapshot), []);
}

fn skill_paths(world: &World, snapshot: &Snapshot) -> Vec<(String, String, String)> {
    let row = |skill: &chela_catalog::PublishedSkill| {
        let path = world.redact(&skill.dir.display().to_string());
        (skill.plugin_id.clone(), skill.name.clone(), path)
    };
    snapshot.skills().published.iter().map(row).collect()
}

// MAN-084, MAN-085, MAN-086, MAN-087, MAN-088, MAN-089
#[cfg(unix)]
#[test]
fn skills_of_enabled_plugins_are_published() {
    use std::os::unix::fs::symlink;
    let world = World::new(json!({"plugins": {"entries": {"off": {"enabled": false}}}}));
    world.plugin("extensions/a", "a", json!({"skills": ["./skills", "./skills", "single", "./gone", "../b/skills", "./out", "./linked"]}));
    world.plugin("extensions/b", "b", json!({"skills": ["skills"]}));
    world.plugin("extensions/off", "off", json!({"skills": ["skills"]}));
    for file in [
        "a/skills/one",
        "a/skills/two",
        "a/skills/two/deeper",
        "a/single",
        "a/single/inner",
        "b/skills/one",
        "b/skills/three",
        "off/skills/four",
    ] {
        world.write(&format!("extensions/{file}/SKILL.md"), "# skill\n");
    }
    world.write("extensions/a/skills/plain/README.md", "");
    world.write("extensions/a/skills/SKILL.txt", "");
    world.write("outside/SKILL.md", "");
    world.write("extensions/a/linked/note", "");
    symlink(world.path("outside"), world.path("extensions/a/out")).unwrap();
    symlink(world.path("outside"), world.path("extensions/a/skills/zlink")).unwrap();
    symlink(world.path("outside/SKILL.md"), world.path("extensions/a/linked/SKILL.md")).unwrap();
    let snapshot = world.scan();
    let row = |plugin: &str, name: &str, path: &str| (plugin.to_owned(), name.to_owned(), format!("[ROOT]/extensions/{path}"));
    assert_eq!(
        skill_paths(&world, &snapshot),
        [
            row("a", "one", "a/skills/one"),
            row("a", "two", "a/skills/two"),
            row("a", "single", "a/single"),
            row("b", "three", "b/skills/three")
        ]
    );
    let seen: Vec<_> = snapshot.skills().diagnostics.iter().map(|found| (found.plugin_id.clone().unwrap(), found.code.unwrap())).collect();
    let expected = [
        ("a", "skill-path-missing"),
        ("a", "skill-path-escapes"),
        ("a", "skill-path-escapes"),
        ("a", "skill-file-unsafe"),
        ("b", "skill-name-taken"),
    ];
    assert_eq!(seen, expected.map(|(plugin, code)| (plugin.to_owned(), code)));
    let inspected = snapshot.inspect_json("b", None).unwrap();
    assert_eq!(inspected["skills"], json!([{"name": "three", "path": world.path("extensions/b/skills/three")}]));
    assert_eq!(codes(&inspected), ["skill-name-taken"]);
    assert_eq!(snapshot.inspect_json("off", None).unwrap().get("skills"), None);
}

// MAN-090, MAN-091
#[test]
fn a_catalogue_module_may_be_built_beside_its_source() {
    let world = World::new(json!({}));
    for (id, entry) in
        [("both", "./cat.ts"), ("built", "./cat.ts"), ("plain", "./cat.js"), ("none", "./cat.mts"), ("out", "../built/cat.js")]
    {
        world.plugin(&format!("extensions/{id}"), id, json!({"providerCatalogEntry": entry}));
    }
    for file in ["both/cat.ts", "both/cat.js", "built/cat.js", "plain/cat.js"] {
        world.write(&format!("extensions/{file}"), "");
    }
    let snapshot = world.scan();
    let source = |id: &str| snapshot.inspect_json(id, None).unwrap().get("providerCatalogSource").cloned();
    assert_eq!(source("both"), Some(json!(world.path("extensions/both/cat.ts"))));
    assert_eq!(source("built"), Some(json!(world.path("extensions/built/cat.js"))));
    assert_eq!(source("plain"), Some(json!(world.path("extensions/plain/cat.js"))));
    assert_eq!((source("none"), source("out")), (None, None));
}

// MAN-136, MAN-137
#[test]
fn a_suppressed_model_is_an_error_of_the_config() {
    let mut world = World::new(json!({
        "agents": {"defaults": {"model": {"primary": "Acme/Old", "fallbacks": ["acme/new", "acme/old"]}, "imageModel": "alt/gone"},
            "list": [{"id": "x", "subagents": {"model": "acme/old"}, "models": {"acme/old": {}}, "model": "other/old"}]},
        "channels": {"modelByChannel": {"irc": {"#a": "acme/old"}}},
    }));
    let fields = json!({"providers": ["acme"], "modelCatalog": {"aliases": {"alt": {"provider": "acme"}}, "suppressions": [
        {"provider": "acme", "model": "old", "reason": "Use acme/new."}, {"provider": "alt", "model": "gone"},
        {"provider": "acme", "model": "new", "when": {"baseUrlHosts": ["x"]}}, {"provider": "other", "model": "old"}]}});
    world.plugin("extensions/acme", "acme", fields);
    let expected: Vec<_> = [
        ("agents.defaults.model.primary", "Unknown model: acme/old. Use acme/new."),
        ("agents.defaults.model.fallbacks.1", "Unknown model: acme/old. Use acme/new."),
        ("agents.defaults.imageModel", "Unknown model: alt/gone."),
        ("agents.list.0.subagents.model", "Unknown model: acme/old. Use acme/new."),
        ("agents.list.0.models.acme/old", "Unknown model: acme/old. Use acme/new."),
        ("channels.modelByChannel.irc.#a", "Unknown model: acme/old. Use acme/new."),
    ]
    .map(|(path, message)| (Level::Error, path.to_owned(), message.to_owned()))
    .into();
    assert_eq!(issues(&world.scan()), expected);
    // A plugin that is off has no say.
    world.config["plugins"] = json!({"entries": {"acme": {"enabled": false}}});
    assert_eq!(issues(&world.scan()), []);
}

// MAN-166
#[test]
fn a_setup_id_of_two_plugins_belongs_to_nobody() {
    let world = World::new(json!({}));
    let setup = |provider: &str, backend: &str| json!({"setup": {"providers": [{"id": provider}], "cliBackends": [backend]}});
    world.plugin("extensions/a", "a", setup("Shared", "cli-a"));
    world.plugin("extensions/b", "b", setup("shared ", "cli-b"));
    world.plugin("extensions/c", "c", json!({"providers": ["lone"], "cliBackends": ["CLI-A"]}));
    let snapshot = world.scan();
    let provider = |id: &str| snapshot.setup_provider_owner(id).map(|plugin| plugin.id.as_str());
    let backend = |id: &str| snapshot.setup_cli_backend_owner(id).map(|plugin| plugin.id.as_str());
    assert_eq!((provider("shared"), provider("LONE"), provider("nobody")), (None, Some("c"), None));
    assert_eq!((backend("cli-a"), backend("cli-b")), (None, Some("b")));
    let shown = &snapshot.inspect_json("b", None).unwrap()["setup"];
    assert_eq!((&shown["providers"][0]["owned"], &shown["cliBackends"][0]["owned"]), (&json!(false), &json!(true)));
}

// MAN-167
#[test]
fn setup_descriptors_that_the_code_does_not_keep_are_told() {
    let world = World::new(json!({}));
    world.plugin(
        "extensions/drift",
        "drift",
        json!({"setup": {"providers": [{"id": "said"}, {"id": "Both"}], "cliBackends": ["cli-said"]}}),
    );
    world.plugin("extensions/never", "never", json!({"setup": {"requiresRuntime": false, "providers": [{"id": "p"}]}}));
    world.write("extensions/never/setup-api.mjs", "");
    world.plugin("extensions/tidy", "tidy", json!({"setup": {"requiresRuntime": false}}));
    let snapshot = world.scan();
    let ran = RuntimeFacts {
        imported: true,
        status: Some(Status::Loaded),
        provider_ids: vec!["both".into(), "done".into()],
        cli_backend_ids: vec!["cli-done".into()],
        ..RuntimeFacts::default()
    };
    let drift = snapshot.inspect_json("drift", Some(&ran)).unwrap();
    assert_eq!(
        codes(&drift),
        [
            "setup-descriptor-provider-missing-runtime",
            "setup-descriptor-provider-runtime-undeclared",
            "setup-descriptor-cli-backend-missing-runtime",
            "setup-descriptor-cli-backend-runtime-undeclared",
        ]
    );
    assert_eq!(drift["plugin"]["status"], "loaded");
    assert!(drift["diagnostics"][0]["message"].as_str().unwrap().contains("`said`"), "{}", drift["diagnostics"]);
    assert_eq!(codes(&snapshot.inspect_json("drift", None).unwrap()), [""; 0]);
    assert_eq!(codes(&snapshot.inspect_json("never", None).unwrap()), ["setup-descriptor-runtime-disabled"]);
    assert_eq!(codes(&snapshot.inspect_json("tidy", None).unwrap()), [""; 0]);
}

// MAN-191
#[test]
fn the_bundle_keys_of_a_package_mean_nothing() {
    let world = World::new(json!({}));
    world.package("extensions/odd", json!({"name": "odd", "openclaw": {"bundle": "codex"}, "openclaw.bundle": {"format": "claude"}}));
    world.write("extensions/odd/openclaw.bundle.json", r#"{"name": "odd"}"#);
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), [""; 0]);
    world.plugin("extensions/odd", "odd", json!({}));
    let snapshot = world.scan();
    assert_eq!(snapshot.get("odd").unwrap().bundle_format, None);
}

// MAN-223
#[test]
fn external_catalogues_name_the_package_of_a_channel() {
    let entry =
        |name: &str, id: &str, install: Value| json!({"name": name, "openclaw": {"channel": {"id": id, "label": "L"}, "install": install}});
    let hint = |world: &World, id: &str| {
        let snapshot = world.scan();
        let found = issues(&snapshot).into_iter().find(|issue| issue.1 == format!("channels.{id}"));
        found.map(|issue| issue.2.strip_prefix(&format!("unknown channel id: {id}")).unwrap().to_owned()).unwrap()
    };
    let mut world = World::new(json!({"channels": {"one": {}, "two": {}, "three": {}, "four": {}, "five": {}}}));
    world.write("mpm/plugins.json", json!({"entries": [entry("@s/one", "one", json!({})), {"name": "no-channel"}, 7]}).to_string());
    world.write("mpm/catalog.json", json!({"packages": [entry("two", "two", json!({"npmSpec": "two@1.2.3"}))]}).to_string());
    let both = json!({"npmSpec": "three", "clawhubSpec": "clawhub:three@1.0.0"});
    world.write("plugins/catalog.json", json!({"plugins": [entry("three", "three", both), entry("late", "two", json!({}))]}).to_string());
    assert!(hint(&world, "one").contains("`chela plugins install @s/one`"), "{}", hint(&world, "one"));
    assert!(hint(&world, "two").contains("`chela plugins install two@1.2.3`"));
    assert!(hint(&world, "three").contains("`chela plugins install clawhub:three@1.0.0`"));
    assert_eq!(hint(&world, "four"), "");
    // Named paths take the place of the files in the state directory; the first variable that is set counts.
    let here = world.write("mine/a.json", json!([entry("four", "four", json!({}))]).to_string());
    let also = world.write("mine/b.json", json!({"entries": [entry("five", "five", json!({}))]}).to_string());
    let broken = world.write("mine/c.json", "{");
    world.env.push(("OPENCLAW_MPM_CATALOG_PATHS".into(), world.path("nowhere").display().to_string()));
    assert_eq!(hint(&world, "one"), "");
    let list = format!("{}; {} ,{}:/nonexistent", here.display(), broken.display(), also.display());
    world.env.push(("OPENCLAW_PLUGIN_CATALOG_PATHS".into(), list));
    assert!(hint(&world, "four").contains("install four`") && hint(&world, "five").contains("install five`"));
    assert_eq!(hint(&world, "two"), "");
}

// MAN-230
#[test]
fn ids_of_plugins_that_are_gone_for_good_are_told() {
    let world = World::new(json!({"plugins": {"allow": ["google-antigravity-auth"], "entries": {"google-gemini-cli-auth": {}},
        "slots": {"memory": "google-antigravity-auth"}}}));
    let text = |id: &str| format!("plugin removed: {id} (stale config entry ignored; remove it from plugins config)");
    let found = issues(&world.scan());
    for (path, id) in [
        ("plugins.entries.google-gemini-cli-auth", "google-gemini-cli-auth"),
        ("plugins.allow", "google-antigravity-auth"),
        ("plugins.slots.memory", "google-antigravity-auth"),
    ] {
        assert!(found.contains(&(Level::Warn, path.into(), text(id))), "{path}: {found:?}");
    }
}

// MAN-105
#[test]
fn contracts_of_an_official_package_are_completed() {
    let world = World::new(json!({}));
    let declared = json!({"contracts": {"tools": ["own", "yuanbao_remind"], "webSearchProviders": ["w"]}});
    for (dir, id, package) in [
        ("official", "openclaw-plugin-yuanbao", "openclaw-plugin-yuanbao"),
        ("renamed", "other-id", "@wecom/wecom-openclaw-plugin"),
        ("foreign", "wecom-openclaw-plugin", "foreign"),
    ] {
        world.plugin(&format!("extensions/{dir}"), id, declared.clone());
        world.package(&format!("extensions/{dir}"), json!({"name": package, "openclaw": {"extensions": ["./index.js"]}}));
    }
    let snapshot = world.scan();
    let tools = |id: &str| snapshot.get(id).unwrap().manifest.contracts.tools().to_vec();
    assert_eq!(tools("openclaw-plugin-yuanbao"), ["own", "yuanbao_remind", "query_group_info", "query_session_members"]);
    assert_eq!(tools("other-id"), ["own", "yuanbao_remind"]);
    assert_eq!(tools("wecom-openclaw-plugin"), ["own", "yuanbao_remind"]);
    assert_eq!(snapshot.inspect_json("openclaw-plugin-yuanbao", None).unwrap()["plugin"]["contracts"]["webSearchProviders"], json!(["w"]));
}

// MAN-231
#[test]
fn an_official_plugin_that_is_missing_can_be_installed() {
    let world = World::new(json!({"channels": {"line": {"a": 1}},
        "plugins": {"entries": {"discord": {}}, "allow": ["matrix", "nobody"], "deny": ["feishu"]}}));
    let found = issues(&world.scan());
    let says = |level: Level, path: &str, start: &str, end: &str| {
        let fits =
            |issue: &(Level, String, String)| issue.0 == level && issue.1 == path && issue.2.starts_with(start) && issue.2.contains(end);
        assert!(found.iter().any(fits), "{path} {start}: {found:#?}");
    };
    says(Level::Warn, "plugins.entries.discord", "plugin not installed: discord (", "`chela plugins install discord`");
    says(Level::Warn, "plugins.allow", "plugin not installed: matrix (", "`chela plugins install matrix`");
    says(Level::Warn, "plugins.allow", "plugin not found: nobody (stale", "");
    says(Level::Warn, "plugins.deny", "plugin not found: feishu (stale", "");
    says(Level::Error, "channels.line", "unknown channel id: line (", "`chela plugins install line`");
}

// MAN-237: the operator learns what the plugin wants; every other plugin goes on.
#[test]
fn a_load_path_with_a_required_key_hits_one_plugin_only() {
    let world = World::new(json!({"plugins": {"load": {"paths": ["~/wants"]}}}));
    let schema = json!({"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}});
    world.plugin("wants", "wants", json!({"configSchema": schema}));
    world.plugin("extensions/fine", "fine", json!({}));
    let snapshot = world.scan();
    assert!(snapshot.get("wants").unwrap().enabled);
    assert_eq!(snapshot.get("wants").unwrap().status, Status::Error);
    assert_eq!(snapshot.get("fine").unwrap().status, Status::Loaded);
    let text = "invalid config: must have required property 'key'".to_owned();
    assert_eq!(issues(&snapshot), [(Level::Error, "plugins.entries.wants.config.key".to_owned(), text)]);
    silent(&snapshot, "fine");
}

// MAN-112, MAN-116, MAN-130, MAN-139
#[test]
fn inspect_shows_catalogue_rows_and_signals_of_tools() {
    let mut world = World::new(json!({"plugins": {"entries": {"p": {"config": {"key": "${K}", "image": {"on": true}}}}}}));
    let signal = |fields: Value| json!({"configSignals": [fields]});
    let root = "plugins.entries.p.config";
    world.plugin(
        "extensions/p",
        "p",
        json!({"providers": ["acme"], "modelCatalog": {"providers": {"acme": {"models": [{"id": "M"}]}}}, "configSchema": {"type": "object"},
            "toolMetadata": {"yes": signal(json!({"rootPath": root, "overlayPath": "image", "required": ["on", "key"]})),
                "no": signal(json!({"rootPath": root, "required": ["on"]})), "none": {"optional": true}}}),
    );
    world.env.push(("K".into(), "v".into()));
    let inspected = world.scan().inspect_json("p", None).unwrap();
    assert_eq!(inspected["toolConfigSignals"], json!({"yes": true, "no": false}));
    assert_eq!(
        inspected["modelCatalog"],
        json!([{"mergeKey": "acme::m", "provider": "acme", "id": "M", "input": ["text"], "status": "available"}])
    );
}
