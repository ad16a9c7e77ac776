//! What each verb does when nothing goes wrong, and what it refuses.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use chela_install::{BeforeInstall, BeforeInstallEvent, InstallError, Verdict};
use serde_json::{Value, json};

use crate::support::{Place, forced, linked, request};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

// INS-081, INS-072, INS-142, INS-147, INS-148, INS-151, INS-153
#[test]
fn a_directory_is_copied_recorded_and_enabled() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let done = place.installer().install(&request(&source)).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.version.as_deref(), done.enabled), ("alpha", Some("1.0.0"), true));
    assert_eq!(done.warnings, ["Exclusive slot \"memory\" switched from \"memory-core\" to \"alpha\"."]);

    let index = place.index();
    let record = &index["installRecords"]["alpha"];
    assert_eq!(keys(record), ["source", "sourcePath", "installPath", "version", "installedAt"]);
    assert_eq!((&record["source"], &record["sourcePath"]), (&json!("path"), &json!(source)));
    let install_path = place.state().join("chela/packages/alpha/current/node_modules/@me/alpha-plug");
    assert_eq!(record["installPath"], json!(install_path));
    assert_eq!(index["refreshReason"], "source-changed");
    let row = index["plugins"].as_array().unwrap().iter().find(|row| row["pluginId"] == "alpha").unwrap();
    assert_eq!((&row["origin"], &row["enabled"], &row["packageName"]), (&json!("global"), &json!(true), &json!("@me/alpha-plug")));

    let file = place.state().join("plugins/installs.json");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("}\n"));
    // The source may go; nothing of the copy is shared with it.
    assert_eq!(std::fs::metadata(install_path.join("index.js")).unwrap().permissions().mode() & 0o777, 0o444);
    std::fs::remove_dir_all(&source).unwrap();
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));

    let plugins = &place.config_value()["plugins"];
    assert_eq!(plugins["allow"], json!(["alpha", "beta", "zeta"]));
    assert_eq!(plugins["entries"], json!({"alpha": {"enabled": true}}));
    assert_eq!(plugins["slots"], json!({"memory": "alpha"}));
    assert_eq!(plugins.get("deny"), None);
    let config = place.config();
    assert!(config.contains("// mine") && config.contains("// only these"), "{config}");
}

// INS-143, INS-144
#[test]
fn what_is_there_is_replaced_only_by_force() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let newer = place.plugin("v2", "2.0.0");
    let before = place.picture();
    let error = place.installer().install(&request(&newer)).unwrap_err();
    let dir = place.state().join("chela/packages/alpha");
    assert_eq!(error.to_string(), format!("plugin already exists: {} (delete it first)", dir.display()));
    assert!(error.hints()[0].contains("chela plugins update alpha") && error.hints()[0].contains("--force"));
    assert_eq!(place.picture(), before);
    place.installer().install(&forced(&newer)).unwrap();
    assert_eq!(place.version_in_use().as_deref(), Some("2.0.0"));

    let back = place.installer().rollback("alpha").unwrap();
    assert_eq!((back.from.as_deref(), back.to.as_deref()), (Some("2.0.0"), Some("1.0.0")));
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
    place.installer().rollback("alpha").unwrap();
    assert_eq!(place.version_in_use().as_deref(), Some("2.0.0"));

    // A third version lets the first one go.
    place.installer().install(&forced(&place.plugin("v3", "3.0.0"))).unwrap();
    let versions = std::fs::read_dir(&dir).unwrap().filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count();
    assert_eq!(versions, 2);
}

#[test]
fn a_version_whose_files_changed_is_not_gone_back_to() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let first =
        place.state().join("chela/packages/alpha").join(std::fs::read_link(place.state().join("chela/packages/alpha/current")).unwrap());
    place.installer().install(&forced(&place.plugin("v2", "2.0.0"))).unwrap();
    let file = first.join("node_modules/@me/alpha-plug/lib/more.js");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&file, "evil").unwrap();
    let error = place.installer().rollback("alpha").unwrap_err().to_string();
    assert!(error.contains("lib/more.js") && error.contains("\nExpected: ") && error.contains("\nActual:   "), "{error}");
    assert_eq!(place.version_in_use().as_deref(), Some("2.0.0"));
    assert!(place.installer().drift("alpha").unwrap().is_empty());
}

// INS-155, INS-157, INS-303
#[test]
fn a_linked_path_stays_where_it_is() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let done = place.installer().install(&linked(&source)).unwrap();
    assert_eq!(done.linked.as_ref(), Some(&source));
    let record = &place.index()["installRecords"]["alpha"];
    assert_eq!((&record["sourcePath"], &record["installPath"]), (&json!(source), &json!(source)));
    assert!(!place.state().join("chela/packages/alpha").exists(), "nothing is copied");
    place.installer().install(&linked(&source)).unwrap();
    assert_eq!(place.config_value()["plugins"]["load"]["paths"], json!([source]));

    let installer = place.installer();
    let plan = installer.plan_uninstall("alpha", false).unwrap();
    assert_eq!(plan.directory, None);
    assert!(plan.labels.contains(&"load path".to_owned()), "{:?}", plan.labels);
    installer.uninstall(&plan).unwrap();
    assert!(source.join("index.js").exists());
    assert_eq!(place.config_value()["plugins"].get("load"), None);
    assert!(!place.state().join("chela").exists());
}

// INS-295, INS-296, INS-297, INS-298, INS-299, INS-300
#[test]
fn an_uninstall_says_what_goes_and_removes_it() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let config = chela_config::Edit::Set {
        path: vec!["channels".into()],
        value: json!({"chat": {"enabled": true}, "defaults": {}}),
        mode: chela_config::SetMode::Replace,
    };
    let options = place.options();
    chela_config::write(&options.paths, &options.env, &[config], &chela_config::WriteOptions::default()).unwrap();
    let before = place.picture();
    let installer = place.installer();
    for name in ["alpha", "Alpha"] {
        let plan = installer.plan_uninstall(name, false).unwrap();
        assert_eq!((plan.plugin_id.as_str(), plan.name.as_str()), ("alpha", "Alpha"));
        assert_eq!(
            plan.labels,
            [
                "config entry",
                "install record",
                "allowlist entry",
                "memory slot (will reset to \"memory-core\")",
                "channel config (channels.chat)"
            ]
        );
        assert_eq!(plan.directory, Some(place.state().join("chela/packages/alpha")));
    }
    assert_eq!(place.picture(), before);
    let done = installer.uninstall(&installer.plan_uninstall("alpha", false).unwrap()).unwrap();
    assert_eq!(done.removed, ["config entry", "install record", "allowlist entry", "memory slot", "channel config", "directory"]);
    assert!(!place.state().join("chela").exists());
    assert!(!place.state().join("plugins").exists(), "the index came with the first install");
    let config = place.config_value();
    assert_eq!(config["plugins"], json!({"allow": ["beta", "zeta"], "slots": {"memory": "memory-core"}}));
    assert_eq!(config["channels"], json!({"defaults": {}}));
    assert!(place.config().contains("// only these"));
}

// INS-302, INS-306, INS-307
#[test]
fn an_uninstall_keeps_files_when_asked_and_knows_what_is_not_its_own() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let installer = place.installer();
    let plan = installer.plan_uninstall("alpha", true).unwrap();
    assert_eq!(plan.directory, None);
    installer.uninstall(&plan).unwrap();
    assert!(place.state().join("chela/packages/alpha/current/node_modules/@me/alpha-plug/index.js").exists());
    let text = |id: &str| installer.plan_uninstall(id, false).unwrap_err().to_string();
    assert_eq!(text("nope"), "Plugin not found: nope");
    assert_eq!(text("inside"), "Plugin \"inside\" is not managed by plugins config/install records and cannot be uninstalled.");
}

// INS-114, INS-127
#[test]
fn bundled_plugins_are_recorded_and_nix_is_read_only() {
    let place = Place::new();
    let done = place.installer().install(&chela_install::InstallRequest { spec: "inside".into(), ..Default::default() }).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.record["source"].as_str()), ("inside", Some("path")));
    assert_eq!(done.warnings.len(), 1);
    let mut options = place.options();
    options.env.set("OPENCLAW_NIX_MODE", "1");
    let nix = chela_install::Installer::new(options);
    let before = place.picture();
    let texts = [
        nix.install(&request(&place.dir)).unwrap_err(),
        nix.plan_uninstall("inside", false).unwrap_err(),
        nix.rollback("inside").unwrap_err(),
    ];
    assert!(texts.iter().all(|error| error.to_string().contains("OPENCLAW_NIX_MODE=1")), "{texts:?}");
    assert_eq!(place.picture(), before);
}

// INS-129, INS-135, INS-165, INS-344, INS-345, INS-356
#[test]
fn what_cannot_work_leaves_nothing_behind() {
    let place = Place::new();
    let empty = place.dir.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let lonely = place.dir.join("lonely.js");
    std::fs::write(&lonely, "").unwrap();
    let broken = place.plugin("broken", "1.0.0");
    std::fs::write(broken.join("openclaw.plugin.json"), "{}").unwrap();
    let archive = place.dir.join("bad.tgz");
    std::fs::write(&archive, "not an archive").unwrap();
    let before = place.picture();
    for (path, text) in [
        (&empty, "extracted package missing package.json"),
        (&lonely, "package missing valid openclaw.plugin.json: plugin manifest not found"),
        (&broken, "package missing valid openclaw.plugin.json: "),
        (&archive, "failed to extract archive: "),
    ] {
        let error = place.installer().install(&request(path)).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
        assert_eq!(place.picture(), before);
    }
    std::fs::write(place.state().join("openclaw.json"), "{gateway: {port: 'x'}}").unwrap();
    let error = place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap_err();
    assert_eq!(error.to_string(), "Config invalid; run `chela doctor --fix` before installing plugins.");
}

// INS-345
#[test]
fn a_script_brings_its_manifest() {
    let place = Place::new();
    let dir = place.dir.join("solo");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("solo.js"), "export default { register() {} };").unwrap();
    std::fs::write(dir.join("openclaw.plugin.json"), r#"{"id": "solo", "configSchema": {"type": "object"}}"#).unwrap();
    let done = place.installer().install(&request(&dir.join("solo.js"))).unwrap();
    let path = done.record["installPath"].as_str().unwrap();
    assert!(path.ends_with("/solo/current/node_modules/solo/solo.js") && Path::new(path).is_file(), "{path}");
    let index = place.index();
    let row = index["plugins"].as_array().unwrap().iter().find(|row| row["pluginId"] == "solo").unwrap();
    assert_eq!(row["enabled"], true);
}

struct Listener(Mutex<Vec<Value>>, Result<Verdict, String>);

impl BeforeInstall for &'static Listener {
    fn ask(&self, event: &BeforeInstallEvent) -> Result<Verdict, String> {
        self.0.lock().unwrap().push(serde_json::to_value(event).unwrap());
        self.1.clone()
    }
}

fn listener(answer: Result<Verdict, String>) -> &'static Listener {
    Box::leak(Box::new(Listener(Mutex::new(Vec::new()), answer)))
}

// INS-236, INS-237, INS-238, INS-240, INS-241, INS-242
#[test]
fn listeners_see_what_comes_and_can_refuse_it() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let before = place.picture();
    let refusals = [
        (Ok(Verdict { block: Some(Some("not today".into())), ..Verdict::default() }), "not today"),
        (Ok(Verdict { block: Some(None), ..Verdict::default() }), "Installation blocked by plugin hook"),
        (Err("it threw".to_owned()), "plugin hook `before_install` failed, so nothing is installed: it threw"),
    ];
    for (answer, text) in refusals {
        let error = place.asking(listener(answer)).install(&request(&source)).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(error.is_security());
        assert_eq!(place.picture(), before);
    }
    let hears = listener(Ok(Verdict::default()));
    place.asking(hears).install(&request(&source)).unwrap();
    let events = hears.0.lock().unwrap();
    let event = &events[0];
    assert_eq!(keys(event), ["targetType", "targetName", "sourcePath", "sourcePathKind", "origin", "request", "builtinScan", "plugin"]);
    assert_eq!(event["request"], json!({"kind": "plugin-dir", "mode": "install", "requestedSpecifier": source}));
    assert_eq!(
        event["plugin"],
        json!({"contentType": "package", "pluginId": "alpha", "packageName": "@me/alpha-plug", "manifestId": "alpha", "version": "1.0.0",
            "extensions": ["./index.js"]})
    );
    assert_eq!(event["origin"], "plugin-package");
}

// INS-148, INS-350
#[test]
fn others_of_the_slot_are_off_and_named() {
    let place = Place::new();
    let other = place.dir.join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("openclaw.plugin.json"), r#"{"id": "beta", "kind": "memory", "configSchema": {"type": "object"}}"#).unwrap();
    std::fs::write(other.join("index.js"), "").unwrap();
    let config = json!({"plugins": {"load": {"paths": [other]}, "slots": {"memory": "beta"}}});
    std::fs::write(place.state().join("openclaw.json"), config.to_string()).unwrap();
    let done = place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    assert_eq!(
        done.warnings,
        ["Exclusive slot \"memory\" switched from \"beta\" to \"alpha\".", "Disabled other \"memory\" slot plugins: beta."]
    );
    let rows = place.index()["plugins"].clone();
    let on = |id: &str| rows.as_array().unwrap().iter().find(|row| row["pluginId"] == id).unwrap()["enabled"].clone();
    assert_eq!((on("alpha"), on("beta")), (json!(true), json!(false)));
}

// INS-363
#[test]
fn a_plugin_for_another_api_is_told_from_every_source() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    for (range, told) in [(">=2026.1.0", false), (">=2099.1.0", true)] {
        let package = json!({"name": "a", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"], "compat": {"pluginApi": range}}});
        std::fs::write(source.join("package.json"), package.to_string()).unwrap();
        let (installer, notes) = place.noting(chela_install::NobodyListens);
        installer.install(&forced(&source)).unwrap();
        assert_eq!(notes.hold("is made for plugin API >=2099.1.0, but this host has "), told, "{range}");
    }
}

// INS-130
#[test]
fn what_is_wrong_with_plugins_alone_stops_no_install() {
    let place = Place::new();
    let config = json!({"channels": {"alpha": {"token": "x"}}, "plugins": {"load": {"paths": ["/gone"]}}});
    std::fs::write(place.state().join("openclaw.json"), config.to_string()).unwrap();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    std::fs::write(place.state().join("openclaw.json"), r#"{"gateway": {"port": "many"}}"#).unwrap();
    let error = place.installer().install(&forced(&place.dir.join("v1"))).unwrap_err().to_string();
    assert!(error.starts_with("Config invalid; run `chela doctor --fix`"), "{error}");
}

// INS-373
#[test]
fn a_state_directory_that_moved_has_a_stale_index_that_hides_nothing() {
    let place = Place::new();
    let copy = place.state().join("extensions/alpha");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::rename(place.plugin("v", "1.0.0"), &copy).unwrap();
    place.installer().refresh_registry().unwrap();
    let moved = Place::at(&place.dir.join("new"));
    std::fs::create_dir(&moved.dir).unwrap();
    std::fs::rename(place.state(), moved.state()).unwrap();
    let seen = moved.installer().inspect_registry().unwrap();
    assert_eq!(seen.state.as_str(), "stale");
    assert!(seen.reasons.contains(&"source-changed"), "{:?}", seen.reasons);
    let row = seen.current["plugins"].as_array().unwrap().iter().find(|row| row["pluginId"] == "alpha").unwrap().clone();
    assert!(row["rootDir"].as_str().unwrap().starts_with(moved.dir.to_str().unwrap()), "{row}");
}

// INS-247
#[test]
fn a_rollback_asks_listeners_too() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    place.installer().install(&forced(&place.plugin("v2", "2.0.0"))).unwrap();
    let before = place.picture();
    for answer in [Ok(Verdict { block: Some(None), ..Verdict::default() }), Err("it threw".to_owned())] {
        let error = place.asking(listener(answer)).rollback("alpha").unwrap_err();
        assert!(error.is_security(), "{error}");
        assert_eq!(place.picture(), before);
    }
    let hears = listener(Ok(Verdict::default()));
    place.asking(hears).rollback("alpha").unwrap();
    let events = hears.0.lock().unwrap();
    assert_eq!(events[0]["plugin"]["version"], "1.0.0", "what comes back");
    assert_eq!(events[0]["request"], json!({"kind": "plugin-dir", "mode": "update"}));
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
}

// INS-305
#[test]
fn a_copy_of_the_reference_is_replaced_and_removed() {
    let place = Place::new();
    let copy = place.state().join("extensions/alpha");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::rename(place.plugin("old", "0.9.0"), &copy).unwrap();
    let record = json!({"source": "path", "sourcePath": "/gone", "installPath": copy, "version": "0.9.0"});
    let index = json!({"version": 1, "installRecords": {"alpha": record}, "plugins": [], "diagnostics": []});
    std::fs::create_dir(place.state().join("plugins")).unwrap();
    std::fs::write(place.state().join("plugins/installs.json"), index.to_string()).unwrap();

    let plan = place.installer().plan_uninstall("alpha", false).unwrap();
    assert_eq!(plan.directory.as_ref(), Some(&copy));
    let error = place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap_err();
    assert!(matches!(error, InstallError::Refused { .. }) && error.to_string().contains(copy.to_str().unwrap()), "{error}");
    // INS-149
    place.installer().install(&forced(&place.dir.join("v1"))).unwrap();
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
    assert!(!copy.exists());
}

// INS-099, INS-104
#[test]
fn the_registry_is_compared_and_refreshed() {
    let place = Place::new();
    let installer = place.installer();
    assert_eq!(installer.inspect_registry().unwrap().state.as_str(), "missing");
    installer.install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let fresh = installer.inspect_registry().unwrap();
    assert_eq!((fresh.state.as_str(), fresh.reasons.len()), ("fresh", 0));
    std::fs::write(place.state().join("openclaw.json"), "{plugins: {enabled: false}}").unwrap();
    let stale = installer.inspect_registry().unwrap();
    assert_eq!((stale.state.as_str(), &*stale.reasons), ("stale", &["policy-changed"][..]));
    assert_eq!(installer.refresh_registry().unwrap()["refreshReason"], "manual");
    assert_eq!(installer.inspect_registry().unwrap().state.as_str(), "fresh");
}

// INS-126, INS-222, INS-223, INS-224, INS-225, INS-231, INS-239, INS-245, INS-364
#[test]
fn dangerous_code_and_denied_dependencies_are_refused() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    std::fs::write(source.join("lib/more.js"), "import cp from 'node:child_process';\ncp.exec('rm -rf /');\n").unwrap();
    let before = place.picture();
    let error = place.installer().install(&request(&source)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("Plugin \"alpha\" installation blocked: dangerous code patterns detected: "), "{text}");
    assert!(text.ends_with("(lib/more.js:2)") && error.is_security(), "{text}");
    assert_eq!(error.code(), Some("security_scan_blocked"));
    assert_eq!(place.picture(), before);

    let hears = listener(Ok(Verdict { block: Some(Some("the hook comes first".into())), ..Verdict::default() }));
    assert_eq!(place.asking(hears).install(&request(&source)).unwrap_err().to_string(), "the hook comes first");
    let scan = hears.0.lock().unwrap()[0]["builtinScan"].clone();
    assert_eq!((&scan["status"], &scan["critical"], &scan["findings"][0]["ruleId"]), (&json!("ok"), &json!(1), &json!("dangerous-exec")));

    let mut reckless = request(&source);
    reckless.flags.unsafe_code = true;
    std::fs::create_dir_all(source.join("node_modules/plain-crypto-js")).unwrap();
    let error = place.installer().install(&reckless).unwrap_err().to_string();
    assert!(error.starts_with("Plugin \"alpha\" installation blocked: blocked dependency directory \"plain-crypto-js\""), "{error}");
    assert_eq!(place.picture(), before);
    std::fs::remove_dir_all(source.join("node_modules")).unwrap();
    place.installer().install(&reckless).unwrap();
    let lock = place.state().join("chela/packages/alpha/current/chela-lock.json");
    let lock: Value = serde_json::from_slice(&std::fs::read(lock).unwrap()).unwrap();
    assert_eq!((&lock["scan"]["critical"], &lock["scan"]["findings"][0]["file"]), (&json!(1), &json!("lib/more.js")));
}

// INS-157
#[test]
fn a_linked_path_is_scanned_too() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    std::fs::write(source.join("lib/more.js"), "eval('1')").unwrap();
    let before = place.picture();
    let error = place.installer().install(&linked(&source)).unwrap_err().to_string();
    assert!(error.contains("dangerous code patterns detected"), "{error}");
    assert_eq!(place.picture(), before);
}

// INS-131
#[test]
fn an_included_section_is_written_where_it_is() {
    let place = Place::new();
    std::fs::write(place.state().join("openclaw.json"), "{plugins: {$include: './plugins.json5'}}").unwrap();
    std::fs::write(place.state().join("plugins.json5"), "{\n  // in here\n  allow: ['zeta'],\n}").unwrap();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let included = std::fs::read_to_string(place.state().join("plugins.json5")).unwrap();
    assert!(included.contains("// in here") && included.contains("alpha"), "{included}");
    assert_eq!(place.config_value()["plugins"]["entries"]["alpha"]["enabled"], true);
    assert!(place.config().contains("$include"));

    std::fs::write(place.state().join("openclaw.json"), "{plugins: {$include: ['./plugins.json5']}}").unwrap();
    std::fs::write(place.state().join("plugins.json5"), "{allow: ['zeta']}").unwrap();
    let before = place.picture();
    let error = place.installer().install(&forced(&place.dir.join("v1"))).unwrap_err();
    assert!(error.to_string().contains("$include"), "{error}");
    assert_eq!(place.picture(), before);
}

// INS-091
#[test]
fn records_in_the_config_move_to_the_index() {
    let place = Place::new();
    let legacy = json!({"old": {"source": "npm", "spec": "old@1.0.0", "installPath": "/gone"}});
    std::fs::write(place.state().join("openclaw.json"), json!({"plugins": {"installs": legacy}}).to_string()).unwrap();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    assert_eq!(place.config_value()["plugins"].get("installs"), None);
    let records = &place.index()["installRecords"];
    assert_eq!(keys(records), ["alpha", "old"]);
    assert_eq!(records["old"], legacy["old"]);
}

// INS-137, INS-223, INS-224, INS-243
#[test]
fn what_is_worth_saying_is_said() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    std::fs::write(source.join("lib/more.js"), "new WebSocket('wss://x.example:9999/');").unwrap();
    let hears = listener(Ok(Verdict { findings: vec!["looks odd".into()], ..Verdict::default() }));
    let (installer, notes) = place.noting(hears);
    installer.install(&request(&source)).unwrap();
    assert!(notes.hold("Plugin manifest id \"alpha\" differs from npm package name \"@me/alpha-plug\""));
    assert!(notes.hold("Plugin scanner: looks odd"));
    assert!(notes.hold("Plugin \"alpha\" has 1 suspicious code pattern;"));

    std::fs::write(source.join("lib/more.js"), "eval('1')").unwrap();
    let (installer, notes) = place.noting(hears);
    let mut reckless = forced(&source);
    reckless.flags.unsafe_code = true;
    installer.install(&reckless).unwrap();
    assert!(notes.hold("contains dangerous code patterns: ") && notes.hold("WARNING: Plugin \"alpha\" is installed all the same"));
}

// INS-115
#[test]
fn a_bundled_plugin_that_needs_config_waits_for_it() {
    let place = Place::new();
    let spec = chela_install::InstallRequest { spec: "needy".into(), ..Default::default() };
    let done = place.installer().install(&spec).unwrap();
    assert!(!done.enabled && done.warnings.iter().any(|warning| warning.contains("chela plugins enable needy")), "{:?}", done.warnings);
    assert_eq!(place.index()["installRecords"]["needy"]["source"], "path");
    assert_eq!(place.config_value()["plugins"].get("entries"), None);
    std::fs::write(place.state().join("openclaw.json"), "{plugins: {entries: {needy: {config: {key: 'k'}}}}}").unwrap();
    assert!(place.installer().install(&spec).unwrap().enabled);
    assert_eq!(place.config_value()["plugins"]["entries"]["needy"]["enabled"], true);
}

// INS-089, INS-106, INS-349
#[test]
fn no_code_of_a_plugin_runs_and_broken_neighbours_are_told() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let witness = place.dir.join("ran");
    let code = format!("import fs from 'node:fs'; fs.writeFileSync({:?}, 'x'); export default {{ register() {{}} }};", witness);
    std::fs::write(source.join("index.js"), code).unwrap();
    let broken = place.state().join("extensions/broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("openclaw.plugin.json"), "{").unwrap();
    std::fs::write(broken.join("index.js"), "").unwrap();
    place.installer().install(&request(&source)).unwrap();
    let index = place.installer().refresh_registry().unwrap();
    assert!(!witness.exists());
    let diagnostics = index["diagnostics"].as_array().unwrap();
    assert!(!diagnostics.is_empty());
    for row in diagnostics {
        assert!(["warn", "error"].contains(&row["level"].as_str().unwrap()), "{row}");
        assert!(keys(row).iter().all(|key| ["level", "message", "pluginId", "source"].contains(key)), "{row}");
    }
}

// INS-225, INS-226, INS-232
#[test]
fn a_scan_that_cannot_be_done_refuses_whatever_the_flag_says() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let mut options = place.options();
    options.env.set("OPENCLAW_INSTALL_SCAN_MAX_DIRECTORIES", "1");
    let before = place.picture();
    let mut reckless = request(&source);
    reckless.flags.unsafe_code = true;
    let error = chela_install::Installer::new(options).install(&reckless).unwrap_err();
    assert_eq!(error.code(), Some("security_scan_failed"));
    assert!(error.to_string().starts_with("Plugin \"alpha\" installation blocked: code safety scan failed ("), "{error}");
    assert_eq!(place.picture(), before);
}

// INS-153
#[test]
fn a_directory_brings_what_it_carries_and_the_rest_is_named() {
    let place = Place::new();
    let source = place.plugin("needy", "1.0.0");
    let path = source.join("package.json");
    let mut package: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    package["dependencies"] = json!({"left": "1", "right": "2", "openclaw": "*"});
    std::fs::write(&path, package.to_string()).unwrap();
    std::fs::create_dir_all(source.join("node_modules/left")).unwrap();
    std::fs::write(source.join("node_modules/left/package.json"), "{\"name\":\"left\",\"version\":\"1.0.0\"}").unwrap();
    let done = place.installer().install(&request(&source)).unwrap();
    let told = done.warnings.iter().find(|warning| warning.contains("does not carry")).unwrap();
    assert!(told.contains("needs right,") && told.contains("npm install"), "{told}");
    let copied = place.state().join("chela/packages/alpha/current/node_modules/@me/alpha-plug/node_modules/left/package.json");
    assert!(copied.exists());
}
