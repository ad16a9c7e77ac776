//! Packages of a registry: installed, updated, pinned, refused.

use std::path::Path;

use chela_install::{InstallFlags, InstallRequest, IntegrityDrift, Status, UpdateOutcome, UpdateRequest};
use serde_json::{Value, json};

use crate::registry::{Registry, pack};
use crate::support::Place;

const MANIFEST: &str = r#"{"id": "plug", "configSchema": {"type": "object"}}"#;
const ENTRY: &str = "import dep from 'dep'; export default { register() { dep(); } };";

fn files() -> [(&'static str, &'static str); 2] {
    [("openclaw.plugin.json", MANIFEST), ("index.js", ENTRY)]
}

fn package() -> Value {
    json!({"openclaw": {"extensions": ["./index.js"]}, "dependencies": {"dep": "^1.0.0"}, "peerDependencies": {"openclaw": "*"}})
}

/// A place with a registry that has the plugin in version 1.0.0 and its dependency.
fn place() -> (Place, Registry) {
    let registry = Registry::start();
    registry.publish("dep", "1.2.0", json!({"main": "index.js"}), &[("index.js", "export default () => 1;")]);
    registry.publish("@t/plug", "1.0.0", package(), &files());
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    (place, registry)
}

fn spec(text: &str) -> InstallRequest {
    InstallRequest { spec: text.to_owned(), flags: InstallFlags::default() }
}

fn update(place: &Place, id: &str, dry_run: bool, answer: bool) -> (UpdateOutcome, Vec<IntegrityDrift>) {
    let mut drifts = Vec::new();
    let request = UpdateRequest { id: Some(id.to_owned()), dry_run, ..UpdateRequest::default() };
    let outcomes = place.installer().update(&request, &mut |drift| {
        drifts.push(drift.clone());
        answer
    });
    (outcomes.unwrap().remove(0), drifts)
}

fn installed(place: &Place) -> Value {
    place.index()["installRecords"]["plug"].clone()
}

// INS-117, INS-170, INS-176, INS-179, INS-180
#[test]
fn a_package_comes_with_its_dependencies() {
    let (place, _registry) = place();
    let done = place.installer().install(&spec("@t/plug")).unwrap();
    assert_eq!((done.plugin_id.as_str(), done.version.as_deref()), ("plug", Some("1.0.0")));
    let record = installed(&place);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "source",
            "spec",
            "installPath",
            "version",
            "resolvedName",
            "resolvedVersion",
            "resolvedSpec",
            "integrity",
            "resolvedAt",
            "installedAt"
        ]
    );
    assert_eq!((&record["spec"], &record["resolvedSpec"]), (&json!("@t/plug"), &json!("@t/plug@1.0.0")));
    let modules = place.state().join("chela/packages/plug/current/node_modules");
    assert_eq!(record["installPath"], json!(modules.join("@t/plug")));
    assert_eq!(std::fs::read_to_string(modules.join("dep/index.js")).unwrap(), "export default () => 1;");
    assert!(!modules.join("openclaw").exists(), "the host gives that itself");
    let lock: Value =
        serde_json::from_slice(&std::fs::read(place.state().join("chela/packages/plug/current/chela-lock.json")).unwrap()).unwrap();
    assert_eq!(lock["packages"]["node_modules/dep"]["version"], "1.2.0");
    assert!(lock["packages"]["node_modules/dep"]["integrity"].as_str().unwrap().starts_with("sha512-"));
    assert_eq!(lock["record"], record);

    let pin = InstallRequest { flags: InstallFlags { pin: true, force: true, ..InstallFlags::default() }, ..spec("npm:@t/plug") };
    place.installer().install(&pin).unwrap();
    assert_eq!(installed(&place)["spec"], "@t/plug@1.0.0");
    assert!(place.installer().drift("plug").unwrap().is_empty());
}

// INS-171, INS-177, INS-178, INS-193, INS-201, INS-344
#[test]
fn what_the_registry_does_not_give_rightly_changes_nothing() {
    let (place, registry) = place();
    registry.publish("@t/early", "2.0.0-beta.1", package(), &files());
    registry.publish("@t/lost", "1.0.0", json!({"openclaw": {"extensions": ["./index.js"]}, "dependencies": {"nowhere": "1"}}), &files());
    registry.publish("@t/fake", "1.0.0", package(), &files());
    registry.replace("@t/fake", "1.0.0", pack(&json!({"name": "@t/fake", "version": "1.0.0"}), &[("evil.js", "")]), false);
    registry.publish("@t/plain", "1.0.0", json!({}), &[("index.js", "")]);
    let before = place.picture();
    for (text, message, code) in [
        ("@t/none", "Package not found on npm: @t/none", Some("npm_package_not_found")),
        ("@t/plug@9.9.9", "Package not found on npm: @t/plug@9.9.9", Some("npm_package_not_found")),
        (
            "@t/early",
            "Resolved @t/early to prerelease version 2.0.0-beta.1, but prereleases are only installed when explicitly requested.",
            None,
        ),
        ("@t/fake", "`@t/fake@1.0.0`: integrity check failed: expected sha512-", None),
        ("@t/plain", "package.json missing openclaw.extensions", Some("missing_openclaw_extensions")),
    ] {
        let error = place.installer().install(&spec(text)).unwrap_err();
        assert!(error.to_string().starts_with(message), "{text}: {error}");
        assert_eq!(error.code(), code, "{text}");
        assert_eq!(place.picture(), before, "{text}");
    }
    let error = place.installer().install(&spec("@t/lost")).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(place.picture(), before);
    // INS-195
    place.installer().install(&spec("@t/early@2.0.0-beta.1")).unwrap();
}

// INS-146, INS-234
#[test]
fn what_a_package_says_to_npm_is_not_followed_and_its_whole_tree_is_looked_at() {
    let (place, registry) = place();
    let marker = place.dir.join("ran");
    let mut manifest = json!({
        "name": "@t/pushy", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}, "dependencies": {"dep": "1"},
        "devDependencies": {"nowhere": "1"}, "scripts": {"install": format!("touch {}", marker.display())},
    });
    let mut all = files().to_vec();
    all.push((".npmrc", "registry=http://127.0.0.1:1/\nignore-scripts=false\n"));
    let file = place.dir.join("pushy.tgz");
    std::fs::write(&file, pack(&manifest, &all)).unwrap();
    place.installer().install(&spec(file.to_str().unwrap())).unwrap();
    let modules = place.state().join("chela/packages/plug/current/node_modules");
    assert!(modules.join("dep/index.js").is_file() && !modules.join("nowhere").exists() && !marker.exists());

    registry.publish("inner", "1.0.0", json!({"dependencies": {"plain-crypto-js": "*"}}), &[]);
    registry.publish("plain-crypto-js", "1.0.0", json!({}), &[]);
    manifest["dependencies"] = json!({"inner": "1"});
    registry.publish("@t/infected", "1.0.0", manifest, &files());
    let before = place.picture();
    let request =
        InstallRequest { flags: InstallFlags { force: true, unsafe_code: true, ..InstallFlags::default() }, ..spec("@t/infected") };
    let error = place.installer().install(&request).unwrap_err();
    assert!(error.to_string().contains("blocked dependencies \"plain-crypto-js\""), "{error}");
    assert_eq!((error.is_security(), place.picture() == before), (true, true));
}

// INS-285, INS-288, INS-289, INS-290, INS-293, INS-357
#[test]
fn updates_follow_the_spec() {
    let (place, registry) = place();
    place.installer().install(&spec("@t/plug")).unwrap();
    let before = place.picture();
    let (same, _) = update(&place, "plug", false, false);
    assert_eq!((same.status, same.message.as_str()), (Status::Unchanged, "plug is up to date (1.0.0)."));
    assert_eq!(place.picture(), before);

    registry.publish("@t/plug", "1.1.0", package(), &files());
    let (would, _) = update(&place, "plug", true, false);
    assert_eq!((would.status, would.message.as_str()), (Status::Updated, "Would update plug: 1.0.0 -> 1.1.0."));
    assert_eq!(place.picture(), before, "a dry run writes nothing");
    let (done, _) = update(&place, "plug", false, false);
    assert_eq!((done.status, done.message.as_str()), (Status::Updated, "Updated plug: 1.0.0 -> 1.1.0."));
    assert_eq!(installed(&place)["resolvedVersion"], "1.1.0");
    place.installer().rollback("plug").unwrap();
    assert_eq!(installed(&place)["resolvedVersion"], "1.0.0");

    registry.publish("@t/plug", "2.0.0", package(), &files());
    registry.tag("@t/plug", "latest", "1.1.0");
    registry.tag("@t/plug", "next", "2.0.0");
    update(&place, "@t/plug@next", false, false);
    assert_eq!((&installed(&place)["spec"], &installed(&place)["version"]), (&json!("@t/plug@next"), &json!("2.0.0")));

    let (unknown, _) = update(&place, "nobody", false, false);
    assert_eq!((unknown.status, unknown.message.as_str()), (Status::Error, "No install record for \"nobody\"."));
    let all = UpdateRequest { all: true, ..UpdateRequest::default() };
    assert_eq!(place.installer().update(&all, &mut |_| false).unwrap().len(), 1);
}

// INS-284, INS-287
#[test]
fn sources_without_versions_are_skipped() {
    let place = Place::new();
    let all = UpdateRequest { all: true, ..UpdateRequest::default() };
    assert!(place.installer().update(&all, &mut |_| false).unwrap().is_empty());
    place.installer().install(&crate::support::request(&place.plugin("v1", "1.0.0"))).unwrap();
    let (path, _) = update(&place, "alpha", false, false);
    assert_eq!((path.status, path.message.as_str()), (Status::Skipped, "Skipping \"alpha\" (source: path)."));
}

// INS-201, INS-202, INS-203, INS-204, INS-294
#[test]
fn another_artifact_or_another_id_is_not_taken() {
    let (place, registry) = place();
    place.installer().install(&spec("@t/plug@1.0.0")).unwrap();
    let manifest = json!({"name": "@t/plug", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}});
    registry.replace("@t/plug", "1.0.0", pack(&manifest, &files()), true);
    let before = place.picture();
    let (refused, drifts) = update(&place, "plug", false, false);
    assert_eq!(refused.status, Status::Error);
    assert!(refused.message.contains("aborted: npm package integrity drift detected for @t/plug@1.0.0"), "{}", refused.message);
    assert_eq!(drifts.len(), 1);
    assert_ne!(drifts[0].expected, drifts[0].actual);
    assert_eq!(place.picture(), before);
    let (looked, drifts) = update(&place, "plug", true, false);
    assert_eq!((looked.status, drifts.len()), (Status::Unchanged, 1));
    let (taken, _) = update(&place, "plug", false, true);
    assert_eq!(taken.status, Status::Unchanged, "{}", taken.message);
    assert_eq!(installed(&place)["integrity"], drifts[0].actual);

    registry.publish(
        "@t/plug",
        "3.0.0",
        package(),
        &[("openclaw.plugin.json", r#"{"id": "other", "configSchema": {}}"#), ("index.js", "")],
    );
    let before = place.picture();
    let (other, _) = update(&place, "@t/plug", false, false);
    assert_eq!(other.message, "Failed to update plug: plugin id mismatch: expected plug, got other");
    assert_eq!(place.picture(), before);
}

// INS-081, INS-166, INS-182, INS-362
#[test]
fn a_packed_file_is_recorded_as_a_package() {
    let (place, registry) = place();
    let mut manifest = package();
    manifest["name"] = "@t/plug".into();
    manifest["version"] = "1.0.0".into();
    let file = place.dir.join("some.tgz");
    std::fs::write(&file, pack(&manifest, &files())).unwrap();
    place.installer().install(&spec(&format!("npm-pack:{}", file.display()))).unwrap();
    let record = installed(&place);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "source",
            "spec",
            "sourcePath",
            "installPath",
            "version",
            "resolvedName",
            "resolvedVersion",
            "resolvedSpec",
            "integrity",
            "shasum",
            "resolvedAt",
            "installedAt",
            "artifactKind",
            "artifactFormat",
            "npmIntegrity",
            "npmShasum",
            "npmTarballName"
        ]
    );
    assert_eq!((&record["source"], &record["artifactKind"], &record["artifactFormat"]), (&json!("npm"), &json!("npm-pack"), &json!("tgz")));
    assert_eq!((&record["npmIntegrity"], &record["npmTarballName"]), (&record["integrity"], &json!("t-plug-1.0.0.tgz")));
    let module = record["installPath"].as_str().unwrap();
    assert!(Path::new(module).join("../../dep/index.js").is_file(), "dependencies come from the registry");
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall("plug", false).unwrap()).unwrap();
    assert!(!place.state().join("chela").exists() && !place.state().join("npm").exists());

    // A plain archive too; one that carries its dependencies asks nobody.
    place.installer().install(&spec(file.to_str().unwrap())).unwrap();
    assert_eq!(installed(&place)["source"], "archive");
    let asked = registry.requests();
    let mut all = files().to_vec();
    all.push(("node_modules/dep/package.json", r#"{"name": "dep", "version": "1.0.0"}"#));
    std::fs::write(&file, pack(&manifest, &all)).unwrap();
    let force = InstallRequest { flags: InstallFlags { force: true, ..InstallFlags::default() }, ..spec(file.to_str().unwrap()) };
    place.installer().install(&force).unwrap();
    assert_eq!(registry.requests(), asked);
}

// The registry of these tests publishes no keys.
#[test]
fn what_vouches_for_a_package_is_recorded() {
    let (place, registry) = place();
    place.installer().install(&spec("@t/plug")).unwrap();
    let lock = place.state().join("chela/packages/plug/current/chela-lock.json");
    let lock: Value = serde_json::from_slice(&std::fs::read(lock).unwrap()).unwrap();
    assert_eq!(lock["trust"], json!({"signature": {"status": "not-offered"}, "provenance": {"status": "not-offered"}}));

    // One that does publish keys and signs with another is not believed.
    let before = place.picture();
    registry.publish("@t/signed", "1.0.0", package(), &files());
    registry.sign_wrongly("@t/signed", "1.0.0");
    let error = place.installer().install(&spec("@t/signed")).unwrap_err().to_string();
    assert!(error.starts_with("the registry's signature of @t/signed@1.0.0 does not hold: "), "{error}");
    assert_eq!(place.picture(), before);
}
