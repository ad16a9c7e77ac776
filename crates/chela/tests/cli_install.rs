//! Install, update, uninstall, rollback and registry from outside: the binary with a state directory of its own.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test ends the test")]

#[path = "support/home.rs"]
mod home;

use home::Home;
use serde_json::{Value, json};

/// A package of this version in the home directory.
fn package(home: &Home, name: &str, version: &str) -> String {
    home.plugin(name, r#"{"id": "alpha", "name": "Alpha plugin", "kind": "memory", "configSchema": {"type": "object"}}"#);
    let package = json!({"name": "@me/alpha", "version": version, "openclaw": {"extensions": ["./index.js"]}});
    std::fs::write(std::path::Path::new(&home.path(name)).join("package.json"), package.to_string()).unwrap();
    home.path(name)
}

// INS-143, INS-150, INS-156, INS-297, INS-300, INS-301, INS-306, INS-372
#[test]
fn a_plugin_comes_and_goes() {
    let home = Home::new();
    home.config("{\n  // mine\n  plugins: {allow: [\"other\"]},\n}\n");
    let first = package(&home, "v1", "1.0.0");
    let out = home.run(&["plugins", "install", &first]);
    assert_eq!((out.code, out.stdout.as_str()), (0, "Installed plugin: alpha\nRestart the gateway to load plugins.\n"), "{}", out.stderr);
    assert!(out.stderr.contains("Exclusive slot \"memory\" switched from \"memory-core\" to \"alpha\"."), "{}", out.stderr);
    assert!(home.read_config().contains("// mine"));
    let row = home.json(&["plugins", "inspect", "alpha", "--json"]);
    assert_eq!((&row["plugin"]["status"], &row["install"]["source"]), (&json!("loaded"), &json!("path")));

    insta::assert_snapshot!("install_twice", home.fails(&["plugins", "install", &first]));
    let second = package(&home, "v2", "2.0.0");
    let done = home.json(&["plugins", "install", &second, "--force", "--json"]);
    assert_eq!((&done["pluginId"], &done["version"], &done["install"]["version"]), (&json!("alpha"), &json!("2.0.0"), &json!("2.0.0")));
    assert_eq!(home.ok(&["plugins", "rollback", "alpha"]), "Rolled back alpha: 2.0.0 -> 1.0.0.\nRestart the gateway to load plugins.\n");

    insta::assert_snapshot!("uninstall_dry_run", home.text(&["plugins", "uninstall", "alpha", "--dry-run"]));
    let asked = home.run(&["plugins", "uninstall", "Alpha plugin"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (1, ""));
    assert!(asked.stderr.contains("requires confirmation input"), "{}", asked.stderr);
    insta::assert_snapshot!("uninstall", home.text(&["plugins", "uninstall", "alpha", "--force"]));
    assert!(!home.state().join("chela").exists());
    insta::assert_snapshot!("uninstall_unknown", home.fails(&["plugins", "uninstall", "alpha", "--force"]));

    assert_eq!(home.ok(&["plugins", "install", "--link", &first]).lines().next(), Some("Linked plugin path: ~/v1"));
}

// INS-119, INS-121, INS-122, INS-123, INS-124, INS-127, INS-135, INS-271, INS-286, INS-287
#[test]
fn wrong_uses_end_with_one_and_write_nothing() {
    let home = Home::new();
    for (args, text) in [
        (&["install", "./gone"][..], "Plugin path not found: "),
        (&["install", "npm:"], "Unsupported npm plugin spec"),
        (&["install", "git:word"], "Unsupported git plugin spec: git:word."),
        (&["install", "clawhub:x@"], "invalid ClawHub plugin spec: clawhub:x@"),
        (&["search"], "Usage: chela plugins search <query>"),
        (&["marketplace", "list", "./gone"], "unsupported marketplace source: ./gone"),
        (&["install", "--link", "name"], "--link requires a local path."),
        (&["install", "--link", "--force", "x"], "--force is not supported with --link"),
        (&["install", "--pin", "--marketplace", "m", "x"], "--pin is not supported with --marketplace"),
        (&["install", "--pin", "git:a/b"], "--pin is not supported with git: installs"),
        (&["update"], "Provide a plugin or hook-pack id, or use --all."),
        (&["rollback", "nope"], "No install record for \"nope\"."),
        (&["uninstall", "nope"], "Plugin not found: nope"),
        (&["uninstall", "demo"], "Plugin \"demo\" is not managed by plugins config/install records and cannot be uninstalled."),
    ] {
        let out = home.run(&[&["plugins"], args].concat());
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{args:?}: {}", out.stderr);
        assert!(out.stderr.contains(text) && !out.stderr.contains("invalid_npm_spec"), "{args:?}: {}", out.stderr);
    }
    assert_eq!(home.ok(&["plugins", "update", "--all"]), "No tracked plugins or hook packs to update.\n");
    assert_eq!(std::fs::read_dir(home.state()).unwrap().count(), 0);
}

// INS-125, INS-192, INS-282, INS-283
#[test]
fn marketplaces_are_listed_and_hook_packs_named() {
    let home = Home::new();
    let market = home.path("market");
    let write = |name: &str, text: &str| {
        let path = std::path::Path::new(&market).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("marketplace.json", r#"{"name": "team", "plugins": []}"#);
    assert!(home.ok(&["plugins", "marketplace", "list", &market]).starts_with("No plugins found in marketplace "));
    let plugins =
        r#"[{"name": "tool", "version": "1.0.0", "description": "Does it", "source": "./tool"}, {"name": "bare", "source": "./bare"}]"#;
    write("marketplace.json", &format!(r#"{{"name": "team", "plugins": {plugins}}}"#));
    assert_eq!(home.ok(&["plugins", "marketplace", "list", &market]), "Marketplace team\ntool v1.0.0 - Does it\nbare\n");
    let listing = home.json(&["plugins", "marketplace", "list", &market, "--json"]);
    assert_eq!(
        (&listing["name"], &listing["plugins"][1]),
        (&json!("team"), &json!({"name": "bare", "source": {"kind": "path", "path": "./bare"}}))
    );

    write("hook/HOOK.md", "---\nname: greet\n---\n");
    write("hook/handler.js", "export default () => {};");
    let out = home.ok(&["plugins", "install", &format!("{market}/hook")]);
    assert_eq!(out.lines().next(), Some("Installed hook pack: greet"));
}

/// A server that gives the same JSON to everybody.
fn answering(body: &'static str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            head.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        }
    });
    url
}

// INS-269, INS-270, INS-271
#[test]
fn a_search_shows_what_clawhub_has() {
    let home = Home::new();
    let found = r#"{"results": [{"score": 2, "package": {"name": "tool", "family": "code-plugin", "channel": "official", "latestVersion": "1.0.0", "summary": "Does it"}}]}"#;
    let env = |url: &str| std::fs::write(home.state().join(".env"), format!("OPENCLAW_CLAWHUB_URL={url}\n")).unwrap();
    env(&answering(found));
    let json = home.json(&["plugins", "search", "some", "tool", "--json"]);
    let expected: Value = serde_json::from_str(found).unwrap();
    assert_eq!(json, expected);
    assert_eq!(
        home.ok(&["plugins", "search", "tool"]),
        "ClawHub plugins (1)\ntool  code-plugin | official | v1.0.0 - Does it\n  Install: chela plugins install clawhub:tool\n"
    );
    env(&answering(r#"{"results": []}"#));
    assert_eq!(home.ok(&["plugins", "search", "tool"]), "No ClawHub plugins found.\n");
    env("http://127.0.0.1:9");
    let lost = home.run(&["plugins", "search", "tool"]);
    assert_eq!((lost.code, lost.stdout.as_str()), (1, ""));
    assert!(lost.stderr.contains("failed to download http://127.0.0.1:9/api/v1/packages/search"), "{}", lost.stderr);
}

// INS-284, INS-285, INS-293, INS-357
#[test]
fn an_update_of_the_unknown_fails() {
    let home = Home::new();
    home.ok(&["plugins", "install", &package(&home, "v1", "1.0.0")]);
    let skipped = home.run(&["plugins", "update", "alpha"]);
    assert_eq!(skipped.code, 0);
    assert!(skipped.stderr.contains("Skipping \"alpha\" (source: path)."), "{}", skipped.stderr);
    let unknown = home.run(&["plugins", "update", "nobody", "--json"]);
    let outcomes: Value = serde_json::from_str(&unknown.stdout).unwrap();
    assert_eq!((unknown.code, &outcomes["outcomes"][0]["status"]), (1, &json!("error")));
    assert_eq!(outcomes["outcomes"][0]["message"], "No install record for \"nobody\".");
}

// INS-099, INS-103, INS-104, INS-105, INS-107
#[test]
fn the_registry_is_shown_and_refreshed() {
    let home = Home::new();
    insta::assert_snapshot!("registry_missing", home.text(&["plugins", "registry"]));
    assert_eq!(home.ok(&["plugins", "registry", "--refresh"]), "Plugin registry refreshed: 1/3 enabled plugins indexed.\n");
    let shown = home.json(&["plugins", "registry", "--json"]);
    let keys: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["state", "refreshReasons", "persisted", "current"]);
    assert_eq!(shown["state"], "fresh");
    home.ok(&["plugins", "disable", "demo"]);
    let shown = home.json(&["plugins", "registry", "--json"]);
    assert_eq!((&shown["state"], &shown["persisted"]["refreshReason"]), (&json!("fresh"), &json!("policy-changed")));
    let refreshed = home.json(&["plugins", "registry", "--refresh", "--json"]);
    assert_eq!((&refreshed["refreshed"], &refreshed["registry"]["refreshReason"]), (&json!(true), &json!("manual")));
}

#[test]
fn the_doctor_sees_changed_files() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.private();
    home.ok(&["plugins", "install", &package(&home, "v1", "1.0.0")]);
    assert!(!home.ok(&["doctor"]).contains("packages"));
    let file = home.state().join("chela/packages/alpha/current/node_modules/@me/alpha/index.js");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "changed").unwrap();
    let out = home.run(&["doctor"]);
    assert_eq!(out.code, 1);
    assert!(out.stdout.contains("alpha: 1 of its files changed since they were installed, first `index.js`"), "{}", out.stdout);
}

// INS-109
#[test]
fn an_index_that_cannot_be_written_spoils_no_change() {
    let home = Home::new();
    home.ok(&["plugins", "install", &package(&home, "v1", "1.0.0")]);
    let lock = home.state().join("chela/packages/.lock");
    let _ = std::fs::remove_file(&lock);
    std::fs::create_dir(&lock).unwrap();
    let out = home.run(&["plugins", "disable", "demo"]);
    assert_eq!((out.code, out.stdout.lines().next()), (0, Some("Disabled plugin \"demo\".")), "{}", out.stderr);
    assert!(out.stderr.contains("plugin index refresh failed: "), "{}", out.stderr);
    assert_eq!(home.json(&["config", "get", "plugins.entries.demo", "--json"]), json!({"enabled": false}));
}

/// What `list` and `inspect` say of a plugin.
fn both(home: &Home, id: &str) -> (Value, Value) {
    let list = home.json(&["plugins", "list", "--json"]);
    let row = list["plugins"].as_array().unwrap().iter().find(|row| row["id"] == id).cloned().unwrap_or_default();
    let inspected = home.json(&["plugins", "inspect", id, "--json"])["plugin"].clone();
    (row, inspected)
}

// INS-352, INS-354, INS-355, INS-371
#[test]
fn list_inspect_and_the_config_check_agree() {
    let home = Home::new();
    home.ok(&["plugins", "install", &package(&home, "v1", "1.0.0")]);
    home.ok(&["plugins", "registry", "--refresh"]);
    let manifest = |id: &str| format!(r#"{{"id": "{id}", "configSchema": {{"type": "object", "additionalProperties": false}}}}"#);
    home.ok(&["config", "set", "agents.defaults.workspace", &home.path("ws")]);
    let workspace = std::path::PathBuf::from(home.path("ws")).join(".openclaw/extensions");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::create_dir_all(home.state().join("extensions")).unwrap();
    for (root, id) in [(home.state().join("extensions"), "dropped"), (workspace, "here")] {
        home.plugin(id, &manifest(id));
        std::fs::rename(home.path(id), root.join(id)).unwrap();
    }
    // A plugin that came after the index was written, and one of the workspace.
    let (row, inspected) = both(&home, "dropped");
    assert_eq!((&row["status"], &inspected["status"]), (&json!("loaded"), &json!("loaded")));
    let (row, inspected) = both(&home, "here");
    assert_eq!((&row["origin"], &inspected["origin"]), (&json!("workspace"), &json!("workspace")));
    home.ok(&["config", "set", "plugins.entries.here", r#"{"enabled": true, "config": {"wrong": 1}}"#]);
    let checked = home.run(&["config", "validate"]);
    assert!(format!("{}{}", checked.stdout, checked.stderr).contains("plugins.entries.here.config"), "the same copy: {}", checked.stdout);
    let list = home.json(&["plugins", "list", "--json"]);
    let rows = list["diagnostics"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["code"].is_string()), "{list}");

    // Outside of an allowlist, but with an entry of its own.
    home.config(r#"{plugins: {allow: ["alpha"], entries: {dropped: {enabled: true}}}}"#);
    let (row, inspected) = both(&home, "dropped");
    assert_eq!((&row["enabled"], &row["status"]), (&inspected["enabled"], &inspected["status"]));
    assert_eq!(row["status"], "loaded", "{row}");
}

// INS-128
#[test]
fn phases_are_traced_on_stderr_alone() {
    let home = Home::new();
    let source = package(&home, "v1", "1.0.0");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_chela"))
        .args(["plugins", "install", &source, "--json"])
        .env_clear()
        .env("HOME", home.path(""))
        .env("OPENCLAW_STATE_DIR", home.state())
        .env("OPENCLAW_PLUGIN_LIFECYCLE_TRACE", "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8(out.stderr).unwrap();
    for phase in ["config read", "install records load", "config mutation", "install execution"] {
        assert!(stderr.contains(&format!("[plugins:lifecycle] phase=\"{phase}\" ms=")), "{phase}: {stderr}");
    }
    let done: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(done["pluginId"], "alpha");
}
