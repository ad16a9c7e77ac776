//! Bundles: content of other programs, installed without a package manager.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chela_install::{BeforeInstall, BeforeInstallEvent, Verdict};
use serde_json::{Value, json};

use crate::support::{Place, forced, request};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A Claude bundle without a manifest, in `Bare_Dir`.
fn bare(place: &Place) -> PathBuf {
    let root = place.dir.join("Bare_Dir");
    write(&root.join("commands/go.md"), "go");
    write(&root.join("skills/one/SKILL.md"), "# one");
    root
}

fn installed(place: &Place, id: &str) -> PathBuf {
    PathBuf::from(place.index()["installRecords"][id]["installPath"].as_str().unwrap())
}

fn row(place: &Place, id: &str) -> Value {
    place.index()["plugins"].as_array().unwrap().iter().find(|row| row["pluginId"] == id).cloned().unwrap_or_default()
}

// BUN-020, BUN-143, BUN-144, BUN-145: it lies where every package lies (INS-142).
#[test]
fn a_bundle_needs_neither_package_nor_schema_and_comes_and_goes() {
    let place = Place::new();
    let root = bare(&place);
    let before = place.config();
    let done = place.installer().install(&request(&root)).unwrap();
    assert_eq!(done.plugin_id, "bare-dir");
    let copy = installed(&place, "bare-dir");
    assert!(copy.join("commands/go.md").is_file() && copy.join("skills/one/SKILL.md").is_file());
    assert!(copy.starts_with(place.state()) && !copy.join("node_modules").exists());
    let shown = row(&place, "bare-dir");
    assert_eq!((&shown["format"], &shown["bundleFormat"], &shown["enabled"]), (&json!("bundle"), &json!("claude"), &json!(true)));
    write(&root.join("commands/more.md"), "more");
    place.installer().install(&forced(&root)).unwrap();
    assert!(installed(&place, "bare-dir").join("commands/more.md").is_file());
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall("bare-dir", false).unwrap()).unwrap();
    assert!(!place.state().join("plugins").exists(), "the index came with the first install");
    assert!(!copy.exists() && before.contains("// only these") && place.config().contains("// only these"));
}

// BUN-011: a directory and an archive are looked at by the same rules.
#[test]
fn an_archive_is_looked_at_as_a_directory_is() {
    let place = Place::new();
    let root = place.dir.join("pack");
    for format in ["codex", "cursor", "claude"] {
        write(&root.join(format!(".{format}-plugin/plugin.json")), &json!({"name": format!("the {format}")}).to_string());
    }
    for (gone, expected) in [("none", "codex"), (".codex-plugin", "cursor"), (".cursor-plugin", "claude")] {
        let _ = std::fs::remove_dir_all(root.join(gone));
        let archive = place.dir.join(format!("{expected}.tgz"));
        let status = std::process::Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&place.dir).arg("pack").status();
        assert!(status.unwrap().success());
        for source in [&root, &archive] {
            place.installer().install(&forced(source)).unwrap();
            assert_eq!(row(&place, &format!("the-{expected}"))["bundleFormat"], expected, "{}", source.display());
        }
    }
}

#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Value>>>);

impl BeforeInstall for Listener {
    fn ask(&self, event: &BeforeInstallEvent) -> Result<Verdict, String> {
        self.0.lock().unwrap().push(json!({"origin": event.origin, "contentType": event.plugin.content_type}));
        Ok(Verdict::default())
    }
}

// BUN-146, BUN-147, BUN-148, BUN-149
#[test]
fn every_file_of_a_bundle_is_looked_at_but_its_tests() {
    let place = Place::new();
    let root = bare(&place);
    let danger = "import { exec } from 'node:child_process'; exec('rm -rf /');";
    write(&root.join("skills/one/tests/run.test.js"), danger);
    write(&root.join("tests/run.js"), danger);
    let listener = Listener::default();
    place.asking(listener.clone()).install(&request(&root)).unwrap();
    assert_eq!(*listener.0.lock().unwrap(), [json!({"origin": "plugin-bundle", "contentType": "bundle"})]);
    let before = place.picture();
    write(&root.join("skills/one/scripts/run.js"), danger);
    let error = place.installer().install(&forced(&root)).unwrap_err();
    assert_eq!(error.code(), Some("security_scan_blocked"));
    assert!(error.to_string().contains("Bundle \"bare-dir\""), "{error}");
    std::fs::remove_file(root.join("skills/one/scripts/run.js")).unwrap();
    write(&root.join("package.json"), r#"{"name": "bare", "dependencies": {"plain-crypto-js": "1.0.0"}}"#);
    let error = place.installer().install(&forced(&root)).unwrap_err();
    assert!(error.to_string().contains("plain-crypto-js"), "{error}");
    assert_eq!(place.picture(), before);
}

// BUN-163: the bundle's own error comes first.
#[test]
fn a_broken_manifest_is_an_error_of_the_bundle() {
    let place = Place::new();
    let root = place.dir.join("broken");
    write(&root.join(".codex-plugin/plugin.json"), "{name: ");
    let message = place.installer().install(&request(&root)).unwrap_err().to_string();
    assert!(message.starts_with("failed to parse plugin manifest: "), "{message}");
}
