//! Bundles as discovery, list and inspect read them.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the functions that clippy knows as tests

#[path = "support/world.rs"]
mod common;

use chela_catalog::candidate::{CandidateRules, inspect_directory};
use chela_catalog::{BundleFormat, Lane, Snapshot, Status};
use common::{World, ids, says};
use serde_json::{Value, json};

fn inspect(snapshot: &Snapshot, id: &str) -> Value {
    snapshot.inspect_json(id, None).unwrap()
}

fn said(inspected: &Value) -> Vec<(String, String)> {
    let rows = inspected["diagnostics"].as_array().unwrap().iter();
    rows.map(|row| (row["level"].as_str().unwrap().to_owned(), row["message"].as_str().unwrap().to_owned())).collect()
}

// BUN-007, BUN-009, BUN-010, BUN-161
#[test]
fn install_and_discovery_agree_on_what_a_directory_is() {
    let world = World::new(json!({}));
    let root = |id: &str| world.path(&format!("extensions/{id}"));
    world.write("extensions/cursor-layout/.cursor/rules/a.md", "");
    world.write("extensions/codex/.codex-plugin/plugin.json", r#"{"name": "codex"}"#);
    world.write("extensions/codex/.claude-plugin/plugin.json", r#"{"name": "other"}"#);
    world.write("extensions/bare-layout/commands/x.md", "");
    world.plugin("extensions/dual", "native-id", json!({}));
    world.write("extensions/dual/.cursor-plugin/plugin.json", r#"{"name": "Dual Pack"}"#);
    world.plugin("extensions/native", "native", json!({}));
    world.write("extensions/native/.claude-plugin/plugin.json", "{}");
    world.package("extensions/native", json!({"name": "native", "openclaw": {"extensions": ["./index.js"]}}));
    let snapshot = world.scan();
    let mut found = ids(&snapshot);
    found.sort_unstable();
    assert_eq!(found, ["bare-layout", "codex", "dual-pack", "native"]);
    says(&snapshot, "directory holds a native manifest and is taken as a bundle all the same");
    let rules = CandidateRules { host_version: "2026.6.11", strict: true, in_place: true };
    for (dir, id, format) in [
        ("codex", "codex", Some(BundleFormat::Codex)),
        ("bare-layout", "bare-layout", Some(BundleFormat::Claude)),
        ("dual", "dual-pack", Some(BundleFormat::Cursor)),
        ("native", "native", None),
    ] {
        let candidate = inspect_directory(&root(dir), rules).unwrap();
        assert_eq!((candidate.id.as_str(), candidate.bundle_format), (id, format), "{dir}");
        assert_eq!(snapshot.get(id).unwrap().bundle_format, format, "{dir}");
    }
    assert!(inspect_directory(&root("cursor-layout"), rules).is_err());
}

// BUN-012, BUN-014, BUN-015, BUN-017
#[test]
fn broken_markers_are_told_in_known_words() {
    let world = World::new(json!({}));
    let marker = |id: &str, format: &str| format!("extensions/{id}/.{format}-plugin/plugin.json");
    world.write(&marker("list", "codex"), "[]");
    world.write(&marker("syntax", "claude"), "{name: ");
    world.write("outside.json", r#"{"name": "out"}"#);
    world.write("extensions/link/.cursor-plugin/note", "");
    world.write("extensions/hard/.codex-plugin/note", "");
    world.write("extensions/gone/.codex-plugin/plugin.json/inner", "");
    world.write("extensions/none/skills/x", "");
    #[cfg(unix)]
    std::os::unix::fs::symlink(world.path("outside.json"), world.path(&marker("link", "cursor"))).unwrap();
    std::fs::hard_link(world.path("outside.json"), world.path(&marker("hard", "codex"))).unwrap();
    // The default index is tried instead.
    world.plugin("extensions/syntax", "fallback", json!({}));
    let snapshot = world.scan();
    let about = |id: &str| {
        let dir = world.path(&format!("extensions/{id}"));
        let mut found = snapshot.diagnostics.iter().filter(|d| d.source.as_ref().is_some_and(|source| source.starts_with(&dir)));
        found.next().map(|d| world.redact(&d.message)).unwrap_or_default()
    };
    assert_eq!(about("list"), "plugin manifest must be an object");
    assert!(about("syntax").starts_with("failed to parse plugin manifest: "), "{}", about("syntax"));
    for (id, format) in [("link", "cursor"), ("hard", "codex"), ("gone", "codex")] {
        let start = format!("unsafe plugin manifest path: [ROOT]/{} (validation)", marker(id, format));
        assert!(about(id).starts_with(&start), "{}", about(id));
    }
    assert_eq!(ids(&snapshot), ["none", "fallback"]);
}

fn claude(world: &World) {
    world.write(
        "extensions/cl/.claude-plugin/plugin.json",
        r#"{"name": "cl", "version": "0.1.0", "lspServers": {"inline": {"command": "x"}}}"#,
    );
    world.write("extensions/cl/skills/one/SKILL.md", "# s");
    world.write("extensions/cl/commands/go.md", "go");
    world.write("extensions/cl/hooks/hooks.json", "{}");
    world.write("extensions/cl/settings.json", "{}");
    world.write("extensions/cl/.mcp.json", json!({"mcpServers": {"b": {"url": "http://x"}, "a": {"command": "node"}, "c": 5}}).to_string());
    world.write("extensions/cl/.lsp.json", json!({"lspServers": {"m": {}, "l": {"command": "x"}}}).to_string());
}

// BUN-024, BUN-027, BUN-028, BUN-029, BUN-030, BUN-142, BUN-152
#[test]
fn a_bundle_is_a_record_without_code() {
    let mut world = World::new(json!({}));
    claude(&world);
    let snapshot = world.scan();
    let plugin = snapshot.get("cl").unwrap();
    assert_eq!((plugin.lane, plugin.status, plugin.enabled), (Lane::Bundle, Status::Loaded, true));
    assert_eq!((plugin.version.as_deref(), plugin.source.clone()), (Some("0.1.0"), world.path("extensions/cl")));
    let content = plugin.bundle.as_ref().unwrap();
    assert_eq!(
        (&content.skills, &content.hooks, &content.settings_files),
        (&vec!["skills".into(), "commands".into()], &vec!["hooks/hooks.json".into()], &vec!["settings.json".into()])
    );
    let list = snapshot.list_json(false);
    let inspected = inspect(&snapshot, "cl");
    for row in [&list["plugins"][0], &inspected["plugin"]] {
        assert_eq!((&row["format"], &row["bundleFormat"], &row["status"]), (&json!("bundle"), &json!("claude"), &json!("loaded")));
        for key in ["channelIds", "providerIds", "cliBackendIds", "toolNames", "webSearchProviderIds"] {
            assert_eq!(row[key], json!([]), "{key}");
        }
        assert_eq!(row["configSchema"], false);
    }
    assert_eq!(
        (&inspected["plugin"]["imported"], &inspected["shape"], &inspected["capabilityMode"]),
        (&json!(false), &json!("non-capability"), &json!("none"))
    );
    assert_eq!((inspected["plugin"].get("configUiHints"), inspected["plugin"].get("contracts")), (None, None));
    world.config = json!({"plugins": {"entries": {"cl": {"enabled": false}}}});
    assert_eq!(world.scan().list_json(false)["plugins"][0]["status"], "disabled");
}

// BUN-153
#[test]
fn an_allowlist_must_name_the_bundle() {
    for (allow, enabled) in [(json!(["other"]), false), (json!(["cl"]), true)] {
        let world = World::new(json!({"plugins": {"allow": allow}}));
        claude(&world);
        assert_eq!(world.scan().get("cl").unwrap().enabled, enabled, "{allow}");
    }
}

// BUN-119, BUN-134, BUN-135, BUN-138, BUN-140, BUN-141, BUN-155, BUN-157, BUN-158
#[test]
fn inspect_names_what_a_bundle_brings() {
    let mut world = World::new(json!({}));
    claude(&world);
    let inspected = inspect(&world.scan(), "cl");
    let capabilities = json!(["skills", "commands", "hooks", "mcpServers", "lspServers", "settings"]);
    assert_eq!((&inspected["bundleCapabilities"], &inspected["plugin"]["bundleCapabilities"]), (&capabilities, &capabilities));
    let row = |name: &str, stdio: bool| json!({"name": name, "hasStdioTransport": stdio});
    assert_eq!(inspected["mcpServers"], json!([row("a", true), row("b", false)]));
    assert_eq!(inspected["lspServers"], json!([row("l", true), row("inline", true), row("m", false)]));
    assert_eq!(inspected["skills"][0]["name"], "one");
    let text = "bundle MCP servers use unsupported transports or incomplete configs (stdio only today): b";
    let not_run =
        "content of the bundle is read and listed, and not run by this host yet: skills, commands, hooks, mcpServers, lspServers, settings";
    let row = |level: &str, message: &str| (level.to_owned(), message.to_owned());
    assert_eq!(said(&inspected), [row("info", not_run), row("warn", text)]);
    world.config = json!({"plugins": {"entries": {"cl": {"enabled": false}}}});
    assert_eq!(said(&inspect(&world.scan(), "cl")), []);
}

// BUN-117, BUN-137, BUN-139, BUN-159, BUN-160
#[test]
fn capabilities_without_effect_are_told() {
    let world = World::new(json!({}));
    world.write("extensions/cx/.codex-plugin/plugin.json", r#"{"name": "cx", "apps": true, "lspServers": {"x": {"command": "x"}}}"#);
    world.write("extensions/cu/.cursor-plugin/plugin.json", r#"{"name": "cu", "hooks": {"x": 1}, "rules": true}"#);
    let snapshot = world.scan();
    let told = |id: &str| {
        let inspected = inspect(&snapshot, id);
        let start = "bundle capability detected but not wired into OpenClaw yet: ";
        said(&inspected).into_iter().filter_map(|(_, text)| text.strip_prefix(start).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!((told("cx"), told("cu")), (vec!["apps".to_owned()], vec!["hooks".to_owned(), "rules".to_owned()]));
    assert_eq!(inspect(&snapshot, "cx")["lspServers"], json!([]));
    // What the reference passes over in silence is named.
    world.write("extensions/quiet/.cursor-plugin/plugin.json", r#"{"name": "quiet", "commands": "c", "agents": "a"}"#);
    let told = said(&inspect(&world.scan(), "quiet"));
    assert!(
        told.iter().any(|(level, text)| level == "info" && text.ends_with("not run by this host yet: skills, commands, agents")),
        "{told:?}"
    );
}

// BUN-072, BUN-073, BUN-074, BUN-075, BUN-154: read as JSON5 like the rest of the manifest, so that a comment hides no server.
#[test]
fn servers_come_from_files_and_the_manifest() {
    let world = World::new(json!({}));
    let root = "extensions/cx";
    world.write(&format!("{root}/.codex-plugin/plugin.json"), "{name: 'cx', /* mine */ mcpServers: ['more.json', './gone.json']}");
    world.write(&format!("{root}/.mcp.json"), "{servers: {first: {command: 'a'}, both: {command: 'old'}, odd: 7}} // end");
    world.write(&format!("{root}/more.json"), json!({"both": {"command": null, "url": "http://x"}, "bare": {"command": "b"}}).to_string());
    let rows = inspect(&world.scan(), "cx")["mcpServers"].clone();
    let row = |name: &str, stdio: bool| json!({"name": name, "hasStdioTransport": stdio});
    assert_eq!(rows, json!([row("first", true), row("bare", true), row("both", false)]));
    world.write(
        &format!("{root}/.codex-plugin/plugin.json"),
        r#"{"name": "cx", "mcpServers": {"first": {"command": " "}, "inline": {"command": "c"}}}"#,
    );
    let rows = inspect(&world.scan(), "cx")["mcpServers"].clone();
    assert_eq!(rows, json!([row("both", true), row("inline", true), row("first", false)]));
}

// BUN-170
#[test]
fn a_capability_is_announced_before_its_file_is_read() {
    let world = World::new(json!({}));
    world.write("extensions/cl/.mcp.json", "not json");
    let inspected = inspect(&world.scan(), "cl");
    assert_eq!((&inspected["bundleCapabilities"], &inspected["mcpServers"]), (&json!(["mcpServers"]), &json!([])));
}

// BUN-117, BUN-118
#[test]
fn lsp_servers_come_from_bare_and_nested_files() {
    let world = World::new(json!({}));
    world.write("extensions/cl/.claude-plugin/plugin.json", r#"{"name": "cl", "lspServers": "./more.json"}"#);
    world.write("extensions/cl/.lsp.json", r#"{"bare": {"command": "a"}}"#);
    world.write("extensions/cl/more.json", r#"{"lspServers": {"nested": {"command": "b"}, "text": "c"}}"#);
    let row = |name: &str| json!({"name": name, "hasStdioTransport": true});
    assert_eq!(inspect(&world.scan(), "cl")["lspServers"], json!([row("bare"), row("nested")]));
}

// BUN-084, BUN-150, BUN-151
#[cfg(unix)]
#[test]
fn server_files_outside_the_bundle_are_not_read() {
    let world = World::new(json!({}));
    let secret = world.write("secret.json", json!({"stolen": {"command": "x"}}).to_string());
    world.write(
        "extensions/cl/.claude-plugin/plugin.json",
        json!({"name": "cl", "mcpServers": ["../../secret.json", "link.json", "hard.json", "/etc/passwd", "bad.json", "gone.json", "way/secret.json"]}).to_string(),
    );
    world.write("extensions/cl/bad.json", "{");
    std::os::unix::fs::symlink(&secret, world.path("extensions/cl/link.json")).unwrap();
    std::os::unix::fs::symlink(&world.root, world.path("extensions/cl/way")).unwrap();
    std::fs::hard_link(&secret, world.path("extensions/cl/hard.json")).unwrap();
    let inspected = inspect(&world.scan(), "cl");
    assert_eq!(inspected["mcpServers"], json!([]));
    let told: Vec<String> = said(&inspected).into_iter().filter(|(level, _)| level == "warn").map(|(_, text)| text).collect();
    let refused = |file: &str| format!("unable to read {file}: validation");
    let (bad, rest): (Vec<_>, Vec<_>) = told.into_iter().partition(|text| text.starts_with("failed to parse bad.json: "));
    assert_eq!(bad.len(), 1);
    assert_eq!(rest, ["../../secret.json", "link.json", "hard.json", "/etc/passwd", "way/secret.json"].map(refused));
}

// BUN-046, BUN-047, BUN-049, BUN-051, BUN-162
#[test]
fn skills_of_bundles_are_published_with_those_of_plugins() {
    let world = World::new(json!({}));
    world.plugin("extensions/a", "a", json!({"skills": ["skills"]}));
    world.write("extensions/a/skills/shared/SKILL.md", "");
    world.write(
        "extensions/pack/.codex-plugin/plugin.json",
        json!({"name": "pack", "skills": ["one", "many", "gone", "../a/skills"]}).to_string(),
    );
    for dir in ["one", "many/x", "many/shared"] {
        world.write(&format!("extensions/pack/{dir}/SKILL.md"), "");
    }
    let snapshot = world.scan();
    let names: Vec<String> = snapshot.skills().published.iter().map(|skill| format!("{} {}", skill.plugin_id, skill.name)).collect();
    assert_eq!(names, ["a shared", "pack one", "pack x"]);
    let codes: Vec<_> = inspect(&snapshot, "pack")["diagnostics"].as_array().unwrap().iter().map(|row| row["code"].clone()).collect();
    assert_eq!(codes, ["skill-name-taken", "skill-path-missing", "skill-path-escapes", "bundle-content-not-run"]);
}
