//! Discovery, entries, safety gates, duplicates, on real directories.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, outside the functions that clippy knows as tests

#[path = "support/world.rs"]
mod common;

use chela_catalog::{Level, Origin};
use common::{World, ids, messages, says, silent, source_of};
use serde_json::{Value, json};

fn load_paths(paths: &[&str]) -> Value {
    json!({"plugins": {"load": {"paths": paths}}})
}

// INS-001, INS-002, INS-003, INS-005, INS-008, INS-016, INS-316
#[test]
fn all_roots_are_scanned_in_order() {
    let mut world = World::new(load_paths(&["~/many", "~/single", "~/loose/solo.mjs"]));
    world.plugin("many/b", "b", json!({}));
    world.plugin("many/a", "a", json!({}));
    world.plugin("single", "single", json!({}));
    world.plugin("loose", "solo", json!({}));
    world.write("loose/solo.mjs", "");
    world.plugin("ws/.openclaw/extensions/w", "w", json!({}));
    world.builtin("inner", json!({}));
    let installed = world.plugin("elsewhere/i", "i", json!({}));
    let index = json!({"installRecords": {"i": {"source": "path", "installPath": installed}}});
    world.write("plugins/installs.json", index.to_string());
    world.plugin("extensions/g", "g", json!({}));
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["a", "b", "single", "solo", "w", "inner", "i", "g"]);
    let origin = |id: &str| snapshot.get(id).unwrap().origin;
    assert_eq!(origin("a"), Origin::Config);
    assert_eq!(origin("w"), Origin::Workspace);
    assert_eq!(origin("inner"), Origin::Bundled);
    assert_eq!(origin("i"), Origin::Global);
    assert_eq!(origin("g"), Origin::Global);
    assert!(snapshot.get("i").unwrap().install.is_some());
    assert!(snapshot.get("g").unwrap().install.is_none());
    assert_eq!(source_of(&snapshot, "solo"), world.path("loose/solo.mjs"));
}

// INS-004, INS-006, INS-009, INS-010, INS-011, INS-012, MAN-002
#[test]
fn odd_paths_and_skipped_names() {
    let world = World::new(load_paths(&["~/gone", "~/readme.md", "~/a.test.js", "~/dist"]));
    world.write("readme.md", "");
    world.write("a.test.js", "");
    world.plugin("dist", "dist-is-fine-when-named", json!({}));
    for name in ["node_modules", "build", "x.bak", "x.backup-1", "x.disabled", ".git"] {
        world.plugin(&format!("extensions/{name}"), &format!("skipped-{name}"), json!({}));
    }
    world.write("extensions/stray.js", "");
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["dist-is-fine-when-named"]);
    says(&snapshot, &format!("plugin path not found: {}", world.path("gone").display()));
    says(&snapshot, "plugin path is not a supported file");
    says(&snapshot, "plugin manifest not found: ");
}

// MAN-192, MAN-195, MAN-196, MAN-197, MAN-198, MAN-200, MAN-206, MAN-238
#[test]
fn package_entries() {
    let world = World::new(load_paths(&["~/p"]));
    let entries = |dir: &str, host: Value| {
        world.plugin(&format!("p/{dir}"), dir, json!({}));
        world.package(&format!("p/{dir}"), json!({"name": dir, "openclaw": host}));
    };
    entries("ts", json!({"extensions": ["./src/main.ts"]}));
    world.write("p/ts/src/main.ts", "");
    world.write("p/ts/dist/main.mjs", "");
    entries("raw-ts", json!({"extensions": ["./main.ts"]}));
    world.write("p/raw-ts/main.ts", "");
    entries("runtime", json!({"extensions": ["./main.ts"], "runtimeExtensions": ["./out.js"]}));
    world.write("p/runtime/out.js", "");
    entries("mismatch", json!({"extensions": ["./a.js"], "runtimeExtensions": ["./a.js", "./b.js"]}));
    entries("absent", json!({"extensions": ["./nope.js"]}));
    entries("escape", json!({"extensions": ["../ts/index.js"]}));
    entries("two", json!({"extensions": ["./one.js", "./two.js"]}));
    world.write("p/two/one.js", "");
    world.write("p/two/two.js", "");
    entries("blank", json!({"extensions": [" "]}));
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["blank", "raw-ts", "runtime", "ts", "two"]);
    assert_eq!(source_of(&snapshot, "ts"), world.path("p/ts/dist/main.mjs"));
    assert_eq!(source_of(&snapshot, "raw-ts"), world.path("p/raw-ts/main.ts"));
    assert_eq!(source_of(&snapshot, "runtime"), world.path("p/runtime/out.js"));
    assert_eq!(source_of(&snapshot, "two"), world.path("p/two/one.js"));
    assert_eq!(source_of(&snapshot, "blank"), world.path("p/blank/index.js"));
    says(&snapshot, "runtimeExtensions length (2) must match openclaw.extensions length (1)");
    says(&snapshot, "extension entry not found: ./nope.js");
    says(&snapshot, "extension entry escapes package directory: ../ts/index.js");
    says(&snapshot, "declares 2 entries with one manifest id");
}

// MAN-201, MAN-202, MAN-203, MAN-204, MAN-205
#[test]
fn typescript_by_origin_and_setup_entries() {
    let host = json!({"extensions": ["./main.ts"], "setupEntry": "./setup.js"});
    for (strict, expected) in [(false, vec!["edited", "tracked", "untracked"]), (true, vec!["edited", "untracked"])] {
        let world = World::new(json!({"plugins": {"compat": {"strict": strict}}}));
        for (dir, id) in [("ws/.openclaw/extensions/e", "edited"), ("npm-like/t", "tracked"), ("extensions/u", "untracked")] {
            world.plugin(dir, id, json!({}));
            world.package(dir, json!({"openclaw": host}));
            world.write(&format!("{dir}/main.ts"), "");
            world.write(&format!("{dir}/setup.js"), "");
        }
        // In a workspace the source wins over a build beside it.
        world.write("ws/.openclaw/extensions/e/dist/main.js", "");
        let record = json!({"installRecords": {"tracked": {"source": "npm", "installPath": world.path("npm-like/t")}}});
        world.write("plugins/installs.json", record.to_string());
        let snapshot = world.scan();
        let mut found = ids(&snapshot);
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(source_of(&snapshot, "edited"), world.path("ws/.openclaw/extensions/e/main.ts"));
        let setup = snapshot.get("untracked").unwrap().setup_source.clone();
        assert_eq!(setup, Some(world.path("extensions/u/setup.js")));
        says(&snapshot, "requires compiled runtime output for TypeScript entry ./main.ts");
    }
    let world = World::new(json!({}));
    world.plugin("extensions/s", "s", json!({}));
    world.package("extensions/s", json!({"openclaw": {"runtimeSetupEntry": "./x.js"}}));
    says(&world.scan(), "openclaw.runtimeSetupEntry requires openclaw.setupEntry");
}

// MAN-004, MAN-005, MAN-006, MAN-007, MAN-022, MAN-043
#[test]
fn broken_manifests_are_their_own_problem() {
    let world = World::new(load_paths(&["~/p"]));
    let broken = |name: &str, bytes: &[u8]| {
        world.write(&format!("p/{name}/openclaw.plugin.json"), bytes);
        world.write(&format!("p/{name}/index.js"), "");
    };
    let mut huge = br#"{"id":"huge","configSchema":{},"pad":""#.to_vec();
    huge.resize(10 * 1024 * 1024, b'x');
    huge.extend(b"\"}");
    broken("huge", &huge);
    broken("json5", b"{ id: 'x', configSchema: { }, oops");
    broken("utf8", b"{\"id\":\"\xc3\x28\"}");
    broken("array", b"[1]");
    broken("no-id", br#"{"configSchema":{}}"#);
    broken("no-schema", br#"{"id":"no-schema"}"#);
    broken("deep", "[".repeat(200_000).as_bytes());
    world.write("p/none/index.js", "");
    world.plugin("p/good", "good", json!({}));
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["good"]);
    assert!(snapshot.get("good").unwrap().is_startable());
    let path = world.path("p/huge/openclaw.plugin.json");
    says(&snapshot, &format!("unsafe plugin manifest path: {} (validation)", path.display()));
    says(&snapshot, "failed to parse plugin manifest: not valid UTF-8");
    says(&snapshot, "plugin manifest must be an object");
    says(&snapshot, "plugin manifest requires id");
    says(&snapshot, "plugin manifest requires configSchema");
    says(&snapshot, "plugin manifest not found: ");
    says(&snapshot, "nested deeper than");
    let known = snapshot.diagnostics_of("no-schema").next().unwrap();
    assert_eq!(known.level, Level::Error);
    // MAN-236: none of it is an error of the config.
    assert!(snapshot.config_issues.iter().all(|issue| issue.level == Level::Warn), "{:#?}", snapshot.config_issues);
}

// INS-020, INS-021, INS-023, INS-026, INS-027, INS-028, INS-029, MAN-008, MAN-009
#[cfg(unix)]
#[test]
fn safety_gates() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mut world = World::new(json!({"plugins": {"entries": {"open": {"enabled": true}}, "slots": {"memory": "open"}}}));
    let mode = |path: &str, mode: u32| {
        std::fs::set_permissions(world.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let outside = world.write("outside/evil.js", "");
    world.write("outside/openclaw.plugin.json", common::manifest("stolen", json!({})).to_string());
    world.plugin("extensions/open", "open", json!({}));
    mode("extensions/open", 0o777);
    world.plugin("extensions/open-entry", "open-entry", json!({}));
    mode("extensions/open-entry/index.js", 0o666);
    world.plugin("extensions/deep-open", "deep-open", json!({}));
    world.write("extensions/deep-open/lib/x.js", "");
    mode("extensions/deep-open/lib/x.js", 0o666);
    world.plugin("extensions/link-entry", "link-entry", json!({}));
    std::fs::remove_file(world.path("extensions/link-entry/index.js")).unwrap();
    symlink(&outside, world.path("extensions/link-entry/index.js")).unwrap();
    world.write("extensions/link-manifest/index.js", "");
    let manifest = world.path("extensions/link-manifest/openclaw.plugin.json");
    symlink(world.path("outside/openclaw.plugin.json"), manifest).unwrap();
    world.plugin("extensions/inner-link", "inner-link", json!({}));
    let (from, to) = ("extensions/inner-link/openclaw.plugin.json", "extensions/inner-link/real.json");
    std::fs::rename(world.path(from), world.path(to)).unwrap();
    symlink(world.path(to), world.path(from)).unwrap();
    world.plugin("extensions/hard", "hard", json!({}));
    std::fs::hard_link(world.path("extensions/hard/openclaw.plugin.json"), world.path("copy.json")).unwrap();
    world.plugin("extensions/hard-entry", "hard-entry", json!({}));
    world.package("extensions/hard-entry", json!({"openclaw": {"extensions": ["./index.js"]}}));
    std::fs::hard_link(world.path("extensions/hard-entry/index.js"), world.path("copy.js")).unwrap();
    world.plugin("extensions/linked-pkg", "linked-pkg", json!({}));
    symlink(&outside, world.path("extensions/linked-pkg/entry.js")).unwrap();
    world.package("extensions/linked-pkg", json!({"openclaw": {"extensions": ["./entry.js"]}}));
    let status = std::process::Command::new("mkfifo")
        .arg(world.write("extensions/pipe/index.js", "").with_file_name("openclaw.plugin.json"))
        .status();

    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["deep-open", "inner-link"]);
    let open = world.path("extensions/open");
    says(&snapshot, &format!("blocked plugin candidate: world-writable path ({}, mode=777)", open.display()));
    says(&snapshot, "mode=666)");
    says(&snapshot, "blocked plugin candidate: source escapes plugin root (");
    says(&snapshot, "symlink leaves the plugin root");
    says(&snapshot, "hard-linked file");
    says(&snapshot, "extension entry escapes package directory: ./index.js (hard-linked file)");
    says(&snapshot, "extension entry escapes package directory: ./entry.js");
    if status.is_ok_and(|status| status.success()) {
        says(&snapshot, "not a regular file");
    }
    let blocked = snapshot.diagnostics_of("open").next().unwrap();
    assert_eq!(blocked.level, Level::Warn);
    let issues: Vec<_> = snapshot.config_issues.iter().filter(|i| i.message.contains("present but blocked: open")).collect();
    // MAN-228
    assert_eq!(
        issues.iter().map(|i| (i.path.as_str(), i.level)).collect::<Vec<_>>(),
        [("plugins.entries.open", Level::Warn), ("plugins.slots.memory", Level::Error)]
    );

    // Only root may give files away, so the owner is tested where that is possible.
    if std::os::unix::fs::chown(world.path("extensions/deep-open"), Some(12_345), None).is_ok() {
        world.owner_uid = Some(4_242);
        let snapshot = world.scan();
        says(&snapshot, "blocked plugin candidate: suspicious ownership (");
        says(&snapshot, "uid=12345, expected uid=4242 or root)");
        assert!(snapshot.get("deep-open").is_none());
    }
}

// MAN-196: a link that leads nowhere is refused, not followed.
#[cfg(unix)]
#[test]
fn a_dangling_link_is_not_an_entry() {
    let world = World::new(json!({}));
    world.plugin("extensions/d", "d", json!({}));
    std::os::unix::fs::symlink("/nonexistent/x.js", world.path("extensions/d/entry.js")).unwrap();
    world.package("extensions/d", json!({"openclaw": {"extensions": ["./entry.js"]}}));
    std::os::unix::fs::symlink("/nonexistent/dir", world.path("extensions/gone")).unwrap();
    let snapshot = world.scan();
    assert!(ids(&snapshot).is_empty());
    says(&snapshot, "extension entry escapes package directory: ./entry.js");
}

// INS-030, INS-031, INS-032, INS-033, INS-034, INS-035, INS-036, INS-037, INS-038
#[test]
fn duplicates() {
    let mut world = World::new(load_paths(&["~/cfg/a", "~/cfg/a/../a"]));
    for id in ["a", "b", "c", "d"] {
        world.builtin(id, json!({"description": "builtin"}));
    }
    world.plugin("cfg/a", "a", json!({}));
    world.plugin("ws/.openclaw/extensions/b", "b", json!({}));
    world.plugin("ws/.openclaw/extensions/e", "e", json!({}));
    world.plugin("extensions/c", "c", json!({}));
    world.plugin("extensions/d", "d", json!({}));
    world.plugin("extensions/e", "e", json!({}));
    for dir in ["extensions/f1", "extensions/f2"] {
        world.plugin(dir, "f", json!({}));
        world.package(dir, json!({"name": "f", "version": "1.0.0"}));
    }
    let record = json!({"installRecords": {"d": {"source": "npm", "installPath": world.path("extensions/d")}}});
    world.write("plugins/installs.json", record.to_string());
    let snapshot = world.scan();
    let winner = |id: &str| snapshot.get(id).unwrap().origin;
    assert_eq!(winner("a"), Origin::Config);
    assert_eq!(winner("b"), Origin::Bundled);
    assert_eq!(winner("c"), Origin::Bundled);
    assert_eq!(winner("d"), Origin::Global);
    assert_eq!(winner("e"), Origin::Workspace);
    let about = |id: &str| snapshot.diagnostics_of(id).map(|d| world.redact(&d.message)).collect::<Vec<_>>();
    assert_eq!(
        about("a"),
        [
            "duplicate plugin id resolved by explicit config-selected plugin; bundled plugin will be overridden by config plugin ([ROOT]/cfg/a/index.js)"
        ]
    );
    assert_eq!(about("b"), ["duplicate plugin id detected; workspace plugin will be overridden by bundled plugin (builtin:b)"]);
    assert_eq!(about("c"), ["duplicate plugin id detected; global plugin will be overridden by bundled plugin (builtin:c)"]);
    assert_eq!(about("d"), [""; 0]);
    assert_eq!(
        about("e"),
        ["duplicate plugin id detected; global plugin will be overridden by workspace plugin ([ROOT]/ws/.openclaw/extensions/e/index.js)"]
    );
    assert_eq!(about("f"), [""; 0]);
    let loser = snapshot.diagnostics_of("e").next().unwrap();
    assert_eq!(loser.source, Some(world.path("extensions/e/index.js")));
}

// INS-030, INS-039
#[test]
fn an_entry_gives_no_precedence() {
    let world = World::new(json!({"plugins": {"entries": {"a": {"enabled": true, "config": {}}}, "allow": ["a"]}}));
    world.plugin("ws/.openclaw/extensions/a", "a", json!({}));
    world.plugin("extensions/a", "a", json!({}));
    assert_eq!(world.scan().get("a").unwrap().origin, Origin::Workspace);
    let mut named = World::new(json!({"plugins": {"load": {"paths": ["~/extensions/a"]}, "entries": {"a": {"enabled": true}}}}));
    named.builtin("a", json!({}));
    named.plugin("ws/.openclaw/extensions/a", "a", json!({}));
    named.plugin("extensions/a", "a", json!({}));
    assert_eq!(named.scan().get("a").unwrap().origin, Origin::Config, "a load path does");
}

// INS-013
#[test]
fn links_in_a_root_count_as_what_they_lead_to() {
    let world = World::new(json!({}));
    world.plugin("elsewhere/a", "a", json!({}));
    world.plugin("elsewhere/skipped", "skipped", json!({}));
    world.plugin("elsewhere/leaky", "leaky", json!({}));
    let secret = world.write("secret.js", "");
    std::fs::remove_file(world.path("elsewhere/leaky/index.js")).unwrap();
    let link = |target: &std::path::Path, name: &str| std::os::unix::fs::symlink(target, world.path(name)).unwrap();
    link(&secret, "elsewhere/leaky/index.js");
    std::fs::create_dir_all(world.path("extensions")).unwrap();
    link(&world.path("elsewhere/a"), "extensions/a");
    link(&world.path("elsewhere/skipped"), "extensions/skipped.bak");
    link(&world.path("elsewhere/leaky"), "extensions/leaky");
    link(&secret, "extensions/lone.js");
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["a"]);
    assert_eq!(source_of(&snapshot, "a"), world.path("elsewhere/a/index.js"), "its real place");
    says(&snapshot, "source escapes plugin root");
    assert!(snapshot.diagnostics.iter().any(|entry| entry.source.as_deref().is_some_and(|path| path.ends_with("extensions/lone.js"))));
}

// INS-014
#[test]
fn a_root_that_cannot_be_read_is_told() {
    let world = World::new(json!({}));
    world.write("extensions", "no directory");
    let snapshot = world.scan();
    let told = snapshot.diagnostics.iter().find(|entry| entry.code == Some("extensions-unreadable")).unwrap();
    assert!(
        told.message.starts_with(&format!("failed to read extensions dir: {} (", world.path("extensions").display())),
        "{}",
        told.message
    );
    assert_eq!(told.level, chela_catalog::Level::Warn);
}

// MAN-207, MAN-208, MAN-209, MAN-210, MAN-211
#[test]
fn host_floors() {
    let world = World::new(json!({}));
    let floor = |dir: &str, floor: Value| {
        world.plugin(&format!("extensions/{dir}"), dir, json!({}));
        world.package(&format!("extensions/{dir}"), json!({"openclaw": {"install": {"minHostVersion": floor}}}));
    };
    floor("ok", json!(">=2026.5.12-beta.1"));
    floor("new", json!(">=2026.9.1"));
    floor("bare", json!("2026.1.1"));
    floor("bare-tracked", json!("2026.1.1"));
    let record = json!({"installRecords": {"bare-tracked": {"source": "npm", "installPath": world.path("extensions/bare-tracked")}}});
    world.write("plugins/installs.json", record.to_string());
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["bare-tracked", "ok"]);
    says(&snapshot, "plugin requires OpenClaw >=2026.9.1, but this host is 2026.6.11; skipping load");
    says(&snapshot, "plugin manifest invalid | openclaw.install.minHostVersion must use a semver floor");
    let mut inputs = world.inputs();
    inputs.host_version = "unknown".into();
    says(&chela_catalog::scan(&inputs), "but this host version could not be determined; skipping load");
}

// MAN-012: nothing is cached between scans.
#[test]
fn an_edit_is_seen_by_the_next_scan() {
    let world = World::new(json!({}));
    world.plugin("extensions/a", "a", json!({"name": "one"}));
    assert_eq!(world.scan().get("a").unwrap().name, "one");
    world.plugin("extensions/a", "a", json!({"name": "two"}));
    assert_eq!(world.scan().get("a").unwrap().name, "two");
}

// BUN-008, BUN-012, BUN-028
#[test]
fn bundles_are_listed_and_never_started() {
    let world = World::new(json!({}));
    world.write("extensions/pack/.claude-plugin/plugin.json", "{name: 'My Pack', version: '2'}");
    world.write("extensions/bare/skills/x/SKILL.md", "");
    world.plugin("extensions/native", "native", json!({}));
    world.write("extensions/native/.claude-plugin/plugin.json", "{}");
    world.package("extensions/native", json!({"openclaw": {"extensions": ["./index.js"]}}));
    world.plugin("extensions/fallback", "fallback", json!({}));
    world.write("extensions/fallback/.codex-plugin/plugin.json", "[]");
    let snapshot = world.scan();
    assert_eq!(ids(&snapshot), ["bare", "fallback", "native", "my-pack"]);
    let pack = snapshot.get("my-pack").unwrap();
    assert_eq!(pack.format(), "bundle");
    assert_eq!(pack.source, world.path("extensions/pack"));
    assert!(!pack.is_startable());
    assert_eq!(snapshot.get("native").unwrap().format(), "openclaw");
    says(&snapshot, "plugin manifest must be an object");
}

// Speed: 140 plugins are scanned in milliseconds; the bound is loose because builds differ.
#[test]
fn many_plugins_scan_quickly() {
    let world = World::new(json!({}));
    for n in 0..140 {
        let dir = format!("extensions/p{n}");
        world.plugin(
            &dir,
            &format!("p{n}"),
            json!({"configSchema": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}}),
        );
        world.package(&dir, json!({"name": format!("p{n}"), "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}}));
    }
    world.scan();
    let start = std::time::Instant::now();
    let snapshot = world.scan();
    let elapsed = start.elapsed();
    println!("140 plugins: {elapsed:?}");
    assert_eq!(snapshot.plugins.len(), 140);
    assert!(messages(&snapshot).is_empty());
    silent(&snapshot, "error");
    assert!(elapsed.as_millis() < 2_000, "{elapsed:?}");
}
