//! `chela config` and `chela doctor` from outside.

#[path = "support/home.rs"]
mod home;

use std::os::unix::fs::PermissionsExt;

use home::{Home, PLUGIN};
use serde_json::json;

// GW-75, GW-163
#[test]
fn values_are_read_and_secrets_are_not() {
    let home = Home::new();
    home.config(r#"{gateway: {port: 1234, auth: {token: "very-secret"}}, agents: {list: [{id: "main"}]}}"#);
    assert_eq!(home.ok(&["config", "get", "gateway.port"]), "1234\n");
    assert_eq!(home.ok(&["config", "get", "agents.list[0].id"]), "main\n");
    assert_eq!(home.ok(&["config", "get", "agents.list[0].id", "--json"]), "\"main\"\n");
    assert_eq!(home.ok(&["config", "get", "gateway.auth.token"]), "__OPENCLAW_REDACTED__\n");
    assert!(!home.ok(&["config", "get", "gateway", "--json"]).contains("very-secret"));
    let out = home.run(&["config", "get", "gateway.nope", "--json"]);
    assert_eq!((out.code, out.stdout.as_str()), (1, ""));
    assert!(out.stderr.contains("Config path not found: gateway.nope"), "{}", out.stderr);
}

// GW-138
#[test]
fn values_are_set_and_removed() {
    let home = Home::new();
    home.config("{\n  // why\n  gateway: {mode: \"local\"}\n}");
    assert_eq!(home.ok(&["config", "set", "gateway.port", "2345"]), "Updated `gateway.port`\n");
    assert_eq!(home.ok(&["config", "set", "gateway.port", "2345"]), "`gateway.port` had this value already\n");
    assert!(home.read_config().contains("// why"));
    let batch = r#"[{"path": "gateway.bind", "value": "lan"}, {"path": "gateway.auth.token", "ref": {"source": "env", "provider": "default", "id": "T"}}]"#;
    assert_eq!(home.json(&["config", "set", "--batch-json", batch, "--json"])["paths"], json!(["gateway.bind", "gateway.auth.token"]));
    assert_eq!(home.ok(&["config", "unset", "gateway.port"]), "Removed `gateway.port`\n");
    assert_eq!(home.run(&["config", "get", "gateway.port"]).code, 1);
    for (args, code, stderr) in [
        (&["config", "set", "gateway.port", "abc"][..], 1, "gateway.port: expected integer, got string"),
        (&["config", "set", "gateway.port", "abc", "--strict-json"], 1, "the value is not JSON"),
        (&["config", "set", "gateway.nope", "1"], 1, "gateway: Unrecognized key: \"nope\""),
        (&["config", "set", "gateway.port"], 2, "no value given"),
        (&["config", "set", "--batch-json", "[{}]"], 2, "entry 0 has no `path`"),
        (&["config", "unset", "gateway.nope"], 1, "Config path not found: gateway.nope"),
    ] {
        let before = home.read_config();
        let out = home.run(args);
        assert_eq!(out.code, code, "{args:?}: {}", out.stderr);
        assert!(out.stderr.contains(stderr), "{args:?}: {}", out.stderr);
        assert_eq!(home.read_config(), before, "{args:?}");
    }
}

#[test]
fn dry_runs_write_nothing_and_try_references() {
    let home = Home::new();
    home.config(r#"{gateway: {mode: "local"}}"#);
    let before = home.read_config();
    let fine = home.json(&["config", "set", "gateway.port", "1", "--dry-run", "--json"]);
    assert_eq!((fine["ok"].as_bool(), fine["inputModes"].clone(), fine["refsChecked"].as_u64()), (Some(true), json!(["json"]), Some(0)));
    let args = ["config", "set", "gateway.auth.token", "--ref-source", "env", "--ref-id", "CHELA_TEST_UNSET", "--dry-run", "--json"];
    let out = home.run(&args);
    let report: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((out.code, report["ok"].as_bool(), report["errors"][0]["kind"].as_str()), (1, Some(false), Some("resolvability")));
    assert_eq!(report["errors"][0]["ref"], "env:default:CHELA_TEST_UNSET");
    assert_eq!(home.read_config(), before);
}

// GW-127, INS-338, MAN-063
#[test]
fn faults_of_the_file_are_placed() {
    let home = Home::new();
    home.config("{\n  gateway: {\n    port: 1,,\n  }\n}");
    insta::assert_snapshot!("syntax_error", home.fails(&["plugins", "list"]));
    assert!(home.fails(&["config", "validate"]).contains("line 3, column 13"));
    home.config("{\n  gateway: {\n    prot: 1,\n    port: \"x\"\n  }\n}");
    insta::assert_snapshot!("unknown_key", home.fails(&["plugins", "list"]));
    insta::assert_snapshot!("config_validate", home.fails(&["config", "validate"]));
    let out = home.run(&["config", "validate", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((out.code, report["valid"].as_bool(), report["issues"].as_array().map(Vec::len)), (1, Some(false), Some(2)));
    assert_eq!(home.ok(&["config", "get", "gateway.prot"]), "1\n");
    home.config("{}");
    std::fs::write(home.state().join("openclaw.json"), b"{a: '\xff'}").unwrap();
    assert!(home.fails(&["config", "validate"]).contains("not valid UTF-8 (line 1, column 6)"));
}

#[test]
fn the_schema_holds_that_of_plugins() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config(&json!({"plugins": {"load": {"paths": [home.path("alpha")]}}}).to_string());
    let schema = home.json(&["config", "schema"]);
    let config = schema.pointer("/properties/plugins/properties/entries/properties/alpha/properties/config").unwrap();
    assert_eq!(config["properties"]["level"]["type"], "integer");
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let home = Home::new();
    home.private();
    insta::assert_snapshot!("doctor_clean", home.text(&["doctor"]));
    home.config("{gateway: {prot: 1}}");
    let out = home.run(&["doctor"]);
    assert_eq!(out.code, 1);
    insta::assert_snapshot!("doctor_invalid", home.filtered(&out.stdout));
    let report: serde_json::Value = serde_json::from_str(&home.run(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(report["ok"], false);
    home.config("{gateway: ");
    assert!(home.run(&["doctor"]).stdout.contains("line 1, column"));
}

// INS-339
#[test]
fn the_doctor_switches_off_what_has_an_invalid_config() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config(&json!({"plugins": {"load": {"paths": [home.path("alpha")]}, "entries": {"alpha": {"enabled": true, "config": {"level": "high"}}}}}).to_string());
    std::fs::set_permissions(home.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(home.run(&["doctor"]).code, 1);
    let out = home.run(&["doctor", "--fix"]);
    assert_eq!(out.code, 0, "{}", out.stdout);
    assert!(out.stdout.contains("switched off `alpha`"), "{}", out.stdout);
    assert_eq!(home.json(&["config", "get", "plugins.entries.alpha", "--json"]), json!({"enabled": false}));
    assert_eq!(home.json(&["config", "get", "plugins.load.paths", "--json"]), json!([home.path("alpha")]));
    assert!(home.state().join("openclaw.json.bak").exists());
    assert_eq!(std::fs::metadata(home.state()).unwrap().permissions().mode() & 0o777, 0o700);
}

// INS-344, INS-346, INS-347, INS-348
#[test]
fn a_broken_file_stops_no_command_and_the_doctor_sets_it_aside() {
    let home = Home::new();
    home.private();
    home.plugin("alpha", PLUGIN);
    let root = home.state().join("extensions");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("lone.js"), "export default {};").unwrap();
    for section in [json!({}), json!({"plugins": {"load": {"paths": [home.path("alpha")]}}})] {
        home.config(&section.to_string());
        for args in [&["plugins", "list"][..], &["plugins", "registry"], &["config", "validate"]] {
            home.ok(args);
        }
        let rows = home.json(&["plugins", "list", "--json"]);
        assert_eq!(rows["diagnostics"][0]["code"], "manifest-missing", "{rows}");
        home.ok(&["plugins", "disable", "demo"]);
    }
    assert_eq!(home.run(&["doctor"]).code, 1);
    let out = home.run(&["doctor", "--fix"]);
    assert_eq!(out.code, 0, "{}", out.stdout);
    assert!(out.stdout.contains("set a broken plugin aside: "), "{}", out.stdout);
    assert!(root.join("lone.js.disabled").exists() && !root.join("lone.js").exists());
    assert_eq!(home.json(&["plugins", "list", "--json"])["diagnostics"], json!([]));
}

#[test]
fn directories_that_cannot_be_used_are_named() {
    let home = Home::new();
    std::fs::remove_dir_all(home.state()).unwrap();
    std::fs::write(home.state(), "a file").unwrap();
    let out = home.run(&["doctor"]);
    assert_eq!(out.code, 1);
    assert!(out.stdout.contains("is not a directory"), "{}", out.stdout);
    let out = home.run(&["config", "set", "gateway.mode", "local"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("state"), "{}", out.stderr);
}

// INS-131
#[test]
fn plugin_switches_go_through_to_the_one_file_that_is_included_and_to_no_other_shape() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config("// main\n{ gateway: { mode: 'local' }, plugins: { $include: './plugins.json5' } }\n");
    let own = home.state().join("plugins.json5");
    let text = format!("// mine\n{{\n  load: {{ paths: [{}] }}, // where\n  entries: {{}},\n}}\n", json!(home.path("alpha")));
    std::fs::write(&own, &text).unwrap();
    let main = home.read_config();
    home.ok(&["plugins", "disable", "alpha"]);
    let after = std::fs::read_to_string(&own).unwrap();
    assert!(after.starts_with("// mine\n") && after.contains("// where") && after.contains("enabled: false"), "{after}");
    assert_eq!(home.read_config(), main);
    assert_eq!(std::fs::read_to_string(home.state().join("plugins.json5.bak")).unwrap(), text);
    for shape in ["['./plugins.json5']", "'./plugins.json5', entries: {}"] {
        home.config(&format!("{{ gateway: {{ mode: 'local' }}, plugins: {{ $include: {shape} }} }}"));
        let before = (home.read_config(), std::fs::read_to_string(&own).unwrap());
        let out = home.run(&["plugins", "enable", "alpha"]);
        assert_eq!(out.code, 1, "{shape}");
        assert!(out.stderr.contains("not one file for one section") && out.stderr.contains("openclaw.json"), "{}", out.stderr);
        assert_eq!((home.read_config(), std::fs::read_to_string(&own).unwrap()), before, "{shape}");
    }
}

#[test]
fn two_processes_that_edit_at_once_lose_nothing() {
    const EDITS: usize = 25;
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config(&format!(
        "// mine\n{{\n  gateway: {{ mode: 'local' }}, // keep\n  plugins: {{ load: {{ paths: [{}] }} }}\n}}\n",
        json!(home.path("alpha"))
    ));
    std::thread::scope(|scope| {
        for writer in ["A", "B"] {
            let home = &home;
            scope.spawn(move || {
                for n in 0..EDITS {
                    home.ok(&["config", "set", &format!("env.vars.{writer}{n}"), "x"]);
                }
            });
        }
        let home = &home;
        scope.spawn(move || {
            for n in 0..6 {
                home.ok(&["plugins", if n % 2 == 0 { "disable" } else { "enable" }, "alpha"]);
            }
        });
    });
    assert_eq!(home.json(&["config", "get", "env.vars", "--json"]).as_object().unwrap().len(), 2 * EDITS);
    assert_eq!(home.ok(&["config", "get", "plugins.entries.alpha.enabled"]), "true\n");
    let text = home.read_config();
    assert!(text.starts_with("// mine\n") && text.contains("// keep"), "{text}");
    let names = std::fs::read_dir(home.state()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut kept: Vec<String> = names.filter(|n| n.starts_with("openclaw.json.")).collect();
    kept.sort();
    assert_eq!(kept, ["bak", "bak.1", "bak.2", "bak.3", "bak.4"].map(|n| format!("openclaw.json.{n}")), "a bounded ring, nothing else");
}

// MAN-242, MAN-243
#[test]
fn the_doctor_moves_old_lists_of_manifests_and_keeps_comments() {
    let home = Home::new();
    home.private();
    home.plugin("alpha", "// mine\n{\n  id: 'alpha', // the id\n  configSchema: {type: 'object'},\n  webFetchProviders: ['w'],\n  videoGenerationProviders: ['v'],\n}\n");
    home.config(&json!({"plugins": {"load": {"paths": [home.path("alpha")]}}}).to_string());
    let manifest = home.path("alpha/openclaw.plugin.json");
    std::fs::set_permissions(&manifest, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::read_to_string(&manifest).unwrap();
    let found = home.run(&["doctor"]);
    assert!(found.stdout.contains("capability lists outside `contracts`") && found.stdout.contains("doctor --fix"), "{}", found.stdout);
    assert_eq!(std::fs::read_to_string(&manifest).unwrap(), before);
    let fixed = home.json(&["doctor", "--fix", "--json"])["fixed"].to_string();
    assert!(fixed.contains("moved `webFetchProviders` to `contracts.webFetchProviders`"), "{fixed}");
    let after = std::fs::read_to_string(&manifest).unwrap();
    assert!(after.starts_with("// mine\n") && after.contains("id: 'alpha', // the id"), "{after}");
    assert_eq!(std::fs::metadata(&manifest).unwrap().permissions().mode() & 0o777, 0o640);
    let contracts = &home.json(&["plugins", "inspect", "alpha", "--json"])["plugin"]["contracts"];
    assert_eq!(*contracts, json!({"videoGenerationProviders": ["v"], "webFetchProviders": ["w"]}));
    assert_eq!(home.json(&["doctor", "--fix", "--json"])["fixed"], json!([]));
    assert!(!home.ok(&["doctor"]).contains("outside `contracts`"));
}

// BUN-133, BUN-136: in the layout of this program.
#[test]
fn the_content_of_a_bundle_is_shown() {
    let home = Home::new();
    for (file, text) in [
        ("pack/.claude-plugin/plugin.json", r#"{"name": "pack"}"#),
        ("pack/skills/one/SKILL.md", "# one"),
        ("pack/.mcp.json", r#"{"mcpServers": {"far": {"url": "http://x"}, "near": {"command": "node"}}}"#),
    ] {
        let path = std::path::PathBuf::from(home.path(file));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    home.config(&json!({"plugins": {"load": {"paths": [home.path("pack")]}}}).to_string());
    let shown = home.ok(&["plugins", "inspect", "pack"]);
    for (name, value) in [
        ("format", "bundle"),
        ("bundle format", "claude"),
        ("bundle content", "skills, mcpServers"),
        ("skills", "one"),
        ("mcp servers", "near, far (unsupported transport)"),
    ] {
        assert!(shown.contains(&format!("  {name:<16} {value}\n")), "{name}: {shown}");
    }
}

// MAN-064, MAN-237
#[test]
fn a_valid_config_is_one_line_and_a_demanding_plugin_stops_no_command() {
    let home = Home::new();
    home.config("{gateway: {mode: 'local'}}");
    let out = home.run(&["config", "validate"]);
    assert_eq!((out.code, out.stdout.lines().count(), out.stderr.as_str()), (0, 1, ""), "{}", out.stdout);
    home.plugin("wants", r#"{"id": "wants", "configSchema": {"type": "object", "required": ["key"]}}"#);
    home.config(&json!({"plugins": {"load": {"paths": [home.path("wants")]}}}).to_string());
    let out = home.run(&["config", "validate"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("plugins.entries.wants.config.key"), "{}", out.stderr);
    assert_eq!(home.json(&["plugins", "list", "--json"])["plugins"].as_array().map(Vec::is_empty), Some(false));
    home.ok(&["plugins", "disable", "wants"]);
    assert_eq!(home.run(&["config", "validate"]).code, 0);
}
