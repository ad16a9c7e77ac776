//! Packages that are no plugins: hook packs, and what is neither.

use std::path::{Path, PathBuf};

use chela_install::{BeforeInstall, BeforeInstallEvent, InstallFlags, InstallRequest, Verdict};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::support::{Place, forced, linked, request};

pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A pack `@me/pack` with the hooks `first` (named by its front matter) and `second` (by its directory).
pub fn pack(place: &Place, version: &str) -> PathBuf {
    let root = place.dir.join("my-pack");
    let package = json!({"name": "@me/pack", "version": version, "openclaw": {"hooks": ["./hooks/one", "hooks/second"]}});
    write(&root.join("package.json"), &package.to_string());
    write(&root.join("hooks/one/HOOK.md"), "---\nname: first\ndescription: x\n---\n");
    write(&root.join("hooks/one/handler.js"), &format!("export default () => '{version}';"));
    write(&root.join("hooks/second/HOOK.md"), "# Second");
    write(&root.join("hooks/second/index.ts"), "export default () => {};");
    root
}

pub fn internal(place: &Place) -> Value {
    place.config_value()["hooks"]["internal"].clone()
}

// INS-125, INS-192
#[test]
fn a_path_that_is_a_hook_pack_is_copied_and_recorded() {
    let place = Place::new();
    let root = pack(&place, "1.0.0");
    let done = place.installer().install(&request(&root)).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.version.as_deref()), ("pack", Some("1.0.0")));
    assert_eq!(done.hooks.as_deref(), Some(&["first".to_owned(), "second".to_owned()][..]));
    let target = place.state().join("hooks/pack");
    assert!(target.join("hooks/one/handler.js").is_file() && target.join("hooks/second/HOOK.md").is_file());
    let internal_now = internal(&place);
    assert_eq!(internal_now["enabled"], true);
    assert_eq!(internal_now["entries"], json!({"first": {"enabled": true}, "second": {"enabled": true}}));
    let mut record = internal_now["installs"]["pack"].clone();
    assert!(record.as_object_mut().unwrap().remove("installedAt").is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
    assert_eq!(
        record,
        json!({"source": "path", "sourcePath": root, "installPath": target, "version": "1.0.0", "hooks": ["first", "second"]})
    );
    assert!(place.config().contains("// only these"), "comments stay");
    assert!(!place.state().join("plugins/installs.json").exists(), "it is no plugin");

    pack(&place, "2.0.0");
    let before = place.picture();
    let error = place.installer().install(&request(&root)).unwrap_err();
    assert_eq!(error.to_string(), format!("hook pack already exists: {} (delete it first)", target.display()));
    assert_eq!(place.picture(), before);
    place.installer().install(&forced(&root)).unwrap();
    assert!(std::fs::read_to_string(target.join("hooks/one/handler.js")).unwrap().contains("2.0.0"));
    assert_eq!(internal(&place)["installs"]["pack"]["version"], "2.0.0");
    let left: Vec<_> = std::fs::read_dir(place.state().join("hooks")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

// INS-192
#[test]
fn a_directory_with_one_hook_is_a_pack_too() {
    let place = Place::new();
    let root = place.dir.join("alone");
    write(&root.join("HOOK.md"), "---\nname: solo\n---\n");
    write(&root.join("handler.ts"), "export default () => {};");
    let done = place.installer().install(&request(&root)).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.hooks), ("solo", Some(vec!["solo".to_owned()])));
    assert!(place.state().join("hooks/solo/handler.ts").is_file());
}

#[test]
fn a_linked_hook_pack_stays_where_it_is() {
    let place = Place::new();
    let root = pack(&place, "1.0.0");
    let done = place.installer().install(&linked(&root)).unwrap();
    assert_eq!((done.linked.as_ref(), done.hooks.is_some()), (Some(&root), true));
    assert_eq!(internal(&place)["load"]["extraDirs"], json!([root]));
    assert_eq!(internal(&place)["installs"]["pack"]["installPath"], json!(root));
    assert!(!place.state().join("hooks").exists());
}

// INS-125, INS-192
#[test]
fn a_package_of_the_registry_brings_its_dependencies() {
    let registry = Registry::start();
    registry.publish("dep", "1.0.0", json!({"main": "index.js"}), &[("index.js", "module.exports = 1;")]);
    let package = json!({"openclaw": {"hooks": ["h"]}, "dependencies": {"dep": "1"}});
    registry.publish("@t/hooks", "1.2.0", package, &[("h/HOOK.md", "---\nname: h\n---\n"), ("h/handler.js", "import 'dep';")]);
    registry.publish("plain", "1.0.0", json!({}), &[("index.js", "")]);
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    let spec = |text: &str| InstallRequest { spec: text.to_owned(), flags: InstallFlags::default() };
    let done = place.installer().install(&spec("@t/hooks")).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.version.as_deref()), ("hooks", Some("1.2.0")));
    let record = &internal(&place)["installs"]["hooks"];
    assert_eq!(
        (&record["source"], &record["spec"], &record["resolvedSpec"]),
        (&json!("npm"), &json!("@t/hooks"), &json!("@t/hooks@1.2.0"))
    );
    let target = place.state().join("hooks/hooks");
    assert_eq!(std::fs::read_to_string(target.join("node_modules/dep/index.js")).unwrap(), "module.exports = 1;");
    assert!(!target.join("node_modules/@t").exists());

    let before = place.picture();
    let error = place.installer().install(&spec("plain")).unwrap_err();
    assert_eq!((error.code(), place.picture()), (Some("missing_openclaw_extensions"), before));
    assert!(error.to_string().ends_with("\nAlso not a valid hook pack: package.json missing openclaw.hooks"), "{error}");
}

struct No;

impl BeforeInstall for No {
    fn ask(&self, _event: &BeforeInstallEvent) -> Result<Verdict, String> {
        Ok(Verdict { block: Some(None), findings: Vec::new() })
    }
}

// INS-125, INS-126, INS-344, INS-356
#[test]
fn what_is_neither_says_why_and_danger_is_final() {
    let place = Place::new();
    let before = place.picture();
    let refused = |root: &Path| {
        let error = place.installer().install(&request(root)).unwrap_err();
        assert_eq!(place.picture(), before, "{error}");
        error.to_string()
    };
    let empty = place.dir.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let message = refused(&empty);
    assert!(message.ends_with("\nAlso not a valid hook pack: HOOK.md missing in empty"), "{message}");
    let broken = place.dir.join("broken");
    write(&broken.join(".claude-plugin/plugin.json"), "{");
    assert!(refused(&broken).contains("\nAlso not a valid hook pack: HOOK.md missing in broken"));

    let root = pack(&place, "1.0.0");
    std::fs::remove_file(root.join("hooks/second/index.ts")).unwrap();
    assert!(refused(&root).contains("handler.ts/handler.js/index.ts/index.js missing in second"));
    for entry in ["../outside", "/etc", "gone"] {
        write(&root.join("package.json"), &json!({"name": "p", "openclaw": {"hooks": [entry]}}).to_string());
        assert!(refused(&root).contains(&format!("entry is no directory inside the package: {entry}")), "{entry}");
    }
    let root = pack(&place, "1.0.0");
    write(&root.join("hooks/one/HOOK.md"), "---\nname: ../../x\n---\n");
    assert!(refused(&root).contains("invalid hook name"));

    let root = pack(&place, "1.0.0");
    assert!(place.asking(No).install(&request(&root)).is_err());
    write(&root.join("hooks/one/handler.js"), "import { exec } from 'node:child_process'; exec('rm -rf /');");
    let error = place.installer().install(&request(&root)).unwrap_err();
    assert_eq!((error.code(), place.picture()), (Some("security_scan_blocked"), before.clone()));

    // A dangerous plugin that could be a hook pack as well is not tried as one.
    let plugin = place.plugin("v1", "1.0.0");
    write(&plugin.join("index.js"), "import { exec } from 'node:child_process'; exec('rm -rf /');");
    write(&plugin.join("HOOK.md"), "x");
    write(&plugin.join("handler.js"), "x");
    let error = place.installer().install(&request(&plugin)).unwrap_err();
    assert!(error.is_security() && !error.to_string().contains("hook pack"), "{error}");
    assert!(!place.state().join("hooks").exists());
}
