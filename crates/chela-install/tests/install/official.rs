//! Official plugins: asked for by id, held to their catalogue's integrity, and trusted where others are not.

use std::sync::{Arc, Mutex};

use chela_install::{InstallFlags, InstallRequest, Status, UpdateRequest, Verdict};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::support::Place;

/// What the code scan refuses of strangers.
const CODE: &str = "import { execSync } from 'node:child_process'; export default { register() { execSync('x'); } };";

fn publish(registry: &Registry, name: &str, version: &str, id: &str) {
    let manifest = json!({"id": id, "configSchema": {"type": "object"}}).to_string();
    let package = json!({"openclaw": {"extensions": ["./index.js"]}});
    registry.publish(name, version, package, &[("openclaw.plugin.json", &manifest), ("index.js", CODE)]);
}

fn spec(text: &str) -> InstallRequest {
    InstallRequest { spec: text.to_owned(), flags: InstallFlags::default() }
}

fn world() -> (Place, Registry) {
    let registry = Registry::start();
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    (place, registry)
}

// INS-116, INS-138, INS-227
#[test]
fn an_official_id_installs_its_package_and_its_code_is_trusted() {
    let (place, registry) = world();
    publish(&registry, "@openclaw/diffs", "2026.5.12", "diffs");
    publish(&registry, "@t/diffs", "2026.5.12", "diffs");
    let error = place.installer().install(&spec("@t/diffs")).unwrap_err().to_string();
    assert!(error.contains("installation blocked: dangerous code patterns detected"), "{error}");

    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let listener = move |event: &Value| told.lock().unwrap().push(event["builtinScan"]["critical"].clone());
    let (installer, notes) = place.noting(Listener(listener));
    let done = installer.install(&spec("diffs")).unwrap();
    assert_eq!(done.plugin_id, "diffs");
    assert_eq!((&done.record["spec"], &done.record["resolvedName"]), (&json!("@openclaw/diffs"), &json!("@openclaw/diffs")));
    assert_eq!(*seen.lock().unwrap(), [json!(1)], "listeners see the finding all the same");
    assert!(notes.hold("is an official package; the code scan noted: ") && !notes.hold("WARNING"));

    publish(&registry, "@openclaw/diffs", "2026.5.13", "diffs");
    let update = UpdateRequest { id: Some("diffs".into()), ..UpdateRequest::default() };
    let outcome = place.installer().update(&update, &mut |_| false).unwrap().remove(0);
    assert_eq!(outcome.status, Status::Updated, "{}", outcome.message);

    // A trusted package must be the plugin that it is listed as.
    publish(&registry, "@openclaw/lobster", "2026.5.12", "crab");
    let before = place.picture();
    let error = place.installer().install(&spec("lobster")).unwrap_err();
    assert!(error.to_string().starts_with("plugin id mismatch: expected lobster, got crab"), "{error}");
    assert_eq!(error.code(), Some("plugin_id_mismatch"));
    assert_eq!(place.picture(), before);
}

// INS-198
#[test]
fn an_official_package_falls_back_to_its_newest_stable_version() {
    let (place, registry) = world();
    for version in ["2026.5.10", "2026.5.12-1", "2026.5.12", "2026.6.1-beta.2"] {
        publish(&registry, "@openclaw/diffs", version, "diffs");
    }
    let (installer, notes) = place.noting(chela_install::NobodyListens);
    assert_eq!(installer.install(&spec("@openclaw/diffs")).unwrap().version.as_deref(), Some("2026.5.12-1"));
    assert!(notes.hold("leads to the prerelease 2026.6.1-beta.2; @openclaw/diffs@2026.5.12-1 is taken instead"));
    publish(&registry, "@openclaw/lobster", "2026.6.1-alpha.1", "lobster");
    publish(&registry, "@openclaw/lobster", "2026.6.1-beta.1", "lobster");
    registry.tag("@openclaw/lobster", "latest", "2026.6.1-alpha.1");
    assert_eq!(place.installer().install(&spec("lobster")).unwrap().version.as_deref(), Some("2026.6.1-beta.1"));
    // The name alone earns nothing.
    publish(&registry, "@openclaw/stranger", "2026.6.1-beta.1", "stranger");
    let error = place.installer().install(&spec("@openclaw/stranger")).unwrap_err().to_string();
    assert!(error.contains("prereleases are only installed when explicitly requested"), "{error}");
}

// INS-201, INS-205, INS-367
#[test]
fn the_catalogue_pins_an_exact_version() {
    let (place, registry) = world();
    let name = "@wecom/wecom-openclaw-plugin";
    publish(&registry, name, "2026.5.7", "wecom-openclaw-plugin");
    let before = place.picture();
    for promised in [true, false] {
        if !promised {
            registry.promise_only_sha1(name, "2026.5.7");
        }
        let error = place.installer().install(&spec("wecom")).unwrap_err().to_string();
        let text = format!("aborted: npm package integrity drift detected for {name}@2026.5.7\nExpected: sha512-TCkP9as00Wf");
        assert!(error.starts_with(&text), "{error}");
        assert_eq!(place.picture(), before);
    }
    // Another spelling of the same version is not the catalogue's.
    place.installer().install(&spec(name)).unwrap();
}

// INS-367
#[test]
fn a_registry_that_promises_nothing_cannot_change_a_pinned_plugin() {
    let (place, registry) = world();
    publish(&registry, "@openclaw/diffs", "1.0.0", "diffs");
    place.installer().install(&spec("@openclaw/diffs@1.0.0")).unwrap();
    registry.promise_only_sha1("@openclaw/diffs", "1.0.0");
    let update = |place: &Place| {
        let request = UpdateRequest { id: Some("diffs".into()), ..UpdateRequest::default() };
        place.installer().update(&request, &mut |_| true).unwrap().remove(0)
    };
    assert_eq!(update(&place).status, Status::Unchanged, "the same bytes");
    let package = json!({"name": "@openclaw/diffs", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}});
    let manifest = r#"{"id": "diffs", "configSchema": {}}"#;
    registry.replace(
        "@openclaw/diffs",
        "1.0.0",
        crate::registry::pack(&package, &[("openclaw.plugin.json", manifest), ("index.js", "")]),
        true,
    );
    registry.promise_only_sha1("@openclaw/diffs", "1.0.0");
    let before = place.picture();
    let outcome = update(&place);
    assert!(outcome.message.contains("integrity drift detected for @openclaw/diffs@1.0.0"), "{}", outcome.message);
    assert_eq!((outcome.status, place.picture()), (Status::Error, before));
}

struct Listener<F>(F);

impl<F: Fn(&Value) + Send + Sync> chela_install::BeforeInstall for Listener<F> {
    fn ask(&self, event: &chela_install::BeforeInstallEvent) -> Result<Verdict, String> {
        (self.0)(&serde_json::to_value(event).unwrap());
        Ok(Verdict::default())
    }
}
