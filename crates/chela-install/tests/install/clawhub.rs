//! ClawHub as its client sees it, spoken by a local server.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_install::{
    InstallFlags, InstallRequest, Installer, InstallerOptions, NoteLevel, Progress, Status, Step, UpdateOutcome, UpdateRequest,
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use serde_json::{Value, json};

use crate::registry::pack;
use crate::server::Server;
use crate::support::Place;

const MANIFEST: &str = r#"{"id": "plug", "configSchema": {"type": "object"}}"#;
const ENTRY: &str = "export default { register() {} };";
const PACKAGES: &str = "/api/v1/packages/%40t%2Fplug";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn package_json(version: &str) -> Value {
    json!({"name": "@t/plug", "version": version, "openclaw": {"extensions": ["./index.js"]}})
}

/// A zip of stored files.
fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

struct Hub {
    server: Server,
    place: Place,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(NoteLevel, String)>>>);

impl Progress for Heard {
    fn begin(&self, _: Step, _: Option<u64>) {}
    fn advance(&self, _: Step, _: u64) {}
    fn end(&self, _: Step) {}
    fn note(&self, level: NoteLevel, text: &str) {
        self.0.lock().unwrap().push((level, text.to_owned()));
    }
}

impl Hub {
    fn new() -> Self {
        let (server, mut place) = (Server::start(), Place::new());
        place.env.push(("OPENCLAW_CLAWHUB_URL".to_owned(), format!("{}/", server.url)));
        Self { server, place }
    }

    fn json(&self, path: &str, value: Value) {
        self.server.put(path, 200, &[], value.to_string());
    }

    fn detail(&self, more: Value) {
        let mut package = json!({"name": "@t/plug", "displayName": "Plug", "family": "code-plugin", "channel": "official",
            "latestVersion": "1.0.0", "tags": {"latest": "1.0.0", "beta": "1.0.0"}});
        package.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.json(PACKAGES, json!({"package": package}));
    }

    fn artifact(&self, version: Value, artifact: Value) {
        self.json(&format!("{PACKAGES}/versions/1.0.0/artifact"), json!({"version": version, "artifact": artifact}));
    }

    /// A good ClawPack of this version under the path of 1.0.0.
    fn clawpack(&self, version: &str) -> Vec<u8> {
        let bytes = pack(&package_json(version), &[("openclaw.plugin.json", MANIFEST), ("index.js", ENTRY)]);
        self.detail(json!({"latestVersion": version}));
        self.json(
            &format!("{PACKAGES}/versions/{version}/artifact"),
            json!({"version": {"version": version, "artifact": {"kind": "npm-pack", "sha256": sha256(&bytes), "size": bytes.len()}}}),
        );
        self.serve(version, &bytes, &[]);
        bytes
    }

    fn serve(&self, version: &str, bytes: &[u8], more: &[(&str, &str)]) {
        let sum = sha256(bytes);
        let mut headers = vec![("X-ClawHub-Artifact-Sha256", sum.as_str())];
        headers.extend(more);
        self.server.put(&format!("{PACKAGES}/versions/{version}/artifact/download"), 200, &headers, bytes.to_vec());
    }

    /// A zip behind the legacy address.
    fn archive(&self, bytes: &[u8]) {
        self.server.put(&format!("{PACKAGES}/download?version=1.0.0"), 200, &[], bytes.to_vec());
    }

    fn install(&self, text: &str) -> Result<Value, (String, Option<&'static str>)> {
        let request = InstallRequest { spec: text.to_owned(), flags: InstallFlags::default() };
        let done = self.place.installer().install(&request).map_err(|error| (error.to_string(), error.code()))?;
        Ok(Value::Object(done.record))
    }

    /// A refusal that leaves everything as it was.
    fn refused(&self, text: &str, code: Option<&str>) -> String {
        let before = self.place.picture();
        let (message, got) = self.install(text).unwrap_err();
        assert_eq!((got, self.place.picture()), (code, before), "{message}");
        message
    }

    fn update(&self, dry_run: bool) -> UpdateOutcome {
        let request = UpdateRequest { id: Some("plug".to_owned()), dry_run, ..UpdateRequest::default() };
        self.place.installer().update(&request, &mut |_| false).unwrap().remove(0)
    }
}

fn zip_files(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let package = r#"{"name": "@t/plug", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}}"#;
    let mut files = vec![("package.json", package), ("openclaw.plugin.json", MANIFEST), ("index.js", ENTRY)];
    files.extend(more);
    files
}

// INS-081, INS-250, INS-252, INS-253, INS-262, INS-263, INS-268
#[test]
fn a_clawpack_is_verified_and_recorded() {
    let hub = Hub::new();
    let bytes = hub.clawpack("1.0.0");
    let (sha512, sha1) = (STANDARD.encode(digest(&SHA512, &bytes)), hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &bytes).as_ref()));
    let npm = format!("sha512-{sha512}");
    let more = [
        ("X-ClawHub-Npm-Integrity", npm.as_str()),
        ("X-ClawHub-Npm-Shasum", sha1.as_str()),
        ("X-ClawHub-Npm-Tarball-Name", "t-plug-1.0.0.tgz"),
        ("X-ClawHub-ClawPack-Spec-Version", "1"),
    ];
    hub.serve("1.0.0", &bytes, &more);
    let record = hub.install("ClawHub:@t/plug").unwrap();
    let asked: Vec<String> = hub.server.asked().into_iter().map(|(path, _)| path).collect();
    let expected =
        [PACKAGES.to_owned(), format!("{PACKAGES}/versions/1.0.0/artifact"), format!("{PACKAGES}/versions/1.0.0/artifact/download")];
    assert_eq!(asked, expected);
    for (key, value) in [
        ("source", json!("clawhub")),
        ("spec", json!("ClawHub:@t/plug")),
        ("clawhubUrl", json!(hub.server.url)),
        ("clawhubPackage", json!("@t/plug")),
        ("clawhubFamily", json!("code-plugin")),
        ("clawhubChannel", json!("official")),
        ("version", json!("1.0.0")),
        ("integrity", json!(format!("sha256-{}", STANDARD.encode(digest(&SHA256, &bytes))))),
        ("artifactKind", json!("npm-pack")),
        ("artifactFormat", json!("tgz")),
        ("npmIntegrity", json!(npm)),
        ("npmShasum", json!(sha1)),
        ("npmTarballName", json!("t-plug-1.0.0.tgz")),
        ("clawpackSha256", json!(sha256(&bytes))),
        ("clawpackSpecVersion", json!(1)),
        ("clawpackSize", json!(bytes.len())),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    assert_eq!(hub.place.index()["installRecords"]["plug"], record);
}

// INS-252, INS-253, INS-254, INS-255, INS-256, INS-257, INS-261
#[test]
fn what_may_not_be_installed_is_refused_before_any_download() {
    let hub = Hub::new();
    assert_eq!(hub.refused("clawhub:@t/plug", Some("package_not_found")), "Package not found on ClawHub.");
    hub.json(PACKAGES, json!({"package": null}));
    hub.refused("clawhub:@t/plug", Some("package_not_found"));
    hub.refused("clawhub:@t/plug@", Some("invalid_spec"));
    hub.detail(json!({"latestVersion": null, "tags": {}}));
    hub.refused("clawhub:@t/plug", Some("no_installable_version"));
    hub.detail(json!({"latestVersion": null, "tags": {"latest": "0.9.0"}}));
    assert_eq!(hub.refused("clawhub:@t/plug", Some("version_not_found")), "Version not found on ClawHub: @t/plug@0.9.0.");
    hub.detail(json!({}));
    assert_eq!(hub.refused("clawhub:@t/plug@beta", Some("version_not_found")), "Version not found on ClawHub: @t/plug@1.0.0.");
    hub.detail(json!({"family": "skill"}));
    assert!(hub.refused("clawhub:@t/plug", Some("skill_package")).contains("is a skill"));
    hub.detail(json!({"family": "other"}));
    assert_eq!(hub.refused("clawhub:@t/plug", Some("unsupported_family")), "Unsupported ClawHub package family: other");
    hub.detail(json!({"channel": "private"}));
    hub.refused("clawhub:@t/plug", Some("private_package"));
    hub.detail(json!({}));
    for (compatibility, code) in [
        (json!({"pluginApiRange": ">=2099.1.1"}), "incompatible_plugin_api"),
        (json!({"minGatewayVersion": "2099.1.1"}), "incompatible_gateway"),
    ] {
        hub.artifact(json!({"version": "1.0.0", "compatibility": compatibility, "sha256hash": sha256(b"")}), Value::Null);
        hub.refused("clawhub:@t/plug", Some(code));
    }
    hub.artifact(json!({"version": "1.0.0"}), Value::Null);
    hub.refused("clawhub:@t/plug", Some("missing_archive_integrity"));
    assert!(!hub.server.asked().iter().any(|(path, _)| path.contains("download")));
}

// INS-262, INS-344
#[test]
fn a_clawpack_that_is_not_what_was_said_changes_nothing() {
    let hub = Hub::new();
    let good = hub.clawpack("1.0.0");
    let path = format!("{PACKAGES}/versions/1.0.0/artifact/download");
    let sum = sha256(&good);
    let code = Some("archive_integrity_mismatch");
    hub.server.put(&path, 200, &[], good.clone());
    assert!(hub.refused("clawhub:@t/plug", code).contains("X-ClawHub-Artifact-Sha256"));
    hub.server.put(&path, 200, &[("X-ClawHub-Artifact-Sha256", &sha256(b"other"))], good.clone());
    hub.refused("clawhub:@t/plug", code);
    hub.server.put(&path, 200, &[("X-ClawHub-ClawPack-Sha256", &sum)], b"other".to_vec());
    let message = hub.refused("clawhub:@t/plug", code);
    assert!(message.contains("\nExpected: sha256-") && message.contains("\nActual:   sha256-"), "{message}");
    for header in ["X-ClawHub-Npm-Integrity", "X-ClawHub-Npm-Shasum"] {
        hub.serve("1.0.0", &good, &[(header, "sha512-wrong")]);
        assert!(hub.refused("clawhub:@t/plug", code).contains("npm"), "{header}");
    }
    hub.serve("1.0.0", &good, &[]);
    let artifact = json!({"kind": "npm-pack", "sha256": sum, "npmIntegrity": "sha512-wrong"});
    hub.artifact(json!({"version": "1.0.0", "artifact": artifact}), Value::Null);
    hub.refused("clawhub:@t/plug", code);
    hub.server.put(&path, 503, &[], "down");
    assert!(hub.refused("clawhub:@t/plug", None).contains("failed (503): down"));
}

// INS-250, INS-264, INS-266, INS-268
#[test]
fn an_old_archive_is_verified_by_its_digest() {
    let hub = Hub::new();
    hub.detail(json!({"channel": "community"}));
    let bytes = zip(&zip_files(&[]));
    // This server has no artifact address yet.
    hub.json(
        &format!("{PACKAGES}/versions/1.0.0"),
        json!({"version": {"version": "1.0.0", "sha256hash": format!("sha256:{}", sha256(&bytes))}}),
    );
    hub.archive(b"something else");
    hub.refused("clawhub:@t/plug", Some("archive_integrity_mismatch"));
    hub.archive(&bytes);
    let heard = Heard::default();
    let options = InstallerOptions { progress: Arc::new(heard.clone()), ..hub.place.options() };
    let request = InstallRequest { spec: "clawhub:@t/plug@1.0.0".to_owned(), flags: InstallFlags::default() };
    let record = Value::Object(Installer::new(options).install(&request).unwrap().record);
    assert_eq!((&record["artifactKind"], &record["artifactFormat"]), (&json!("legacy-zip"), &json!("zip")));
    assert_eq!(record["integrity"], format!("sha256-{}", STANDARD.encode(digest(&SHA256, &bytes))));
    assert_eq!((record.get("npmIntegrity"), record.get("clawpackSha256")), (None, None));
    let warned = heard.0.lock().unwrap().iter().any(|(level, text)| *level == NoteLevel::Warn && text.contains("is community"));
    assert!(warned, "{:?}", heard.0);
}

// INS-265
#[test]
fn without_a_digest_each_file_is_verified() {
    let hub = Hub::new();
    hub.detail(json!({}));
    let list = |files: &[(&str, &str)]| -> Value {
        let map: BTreeMap<&str, &str> = files.iter().copied().collect();
        map.iter().map(|(path, content)| json!({"path": path, "sha256": sha256(content.as_bytes())})).collect()
    };
    let listed = list(&zip_files(&[]));
    hub.artifact(json!({"version": "1.0.0", "files": listed}), Value::Null);
    let meta = r#"{"slug": "@t/plug", "version": "1.0.0"}"#;
    for (bytes, words) in [
        (zip(&zip_files(&[("extra.js", "")])), "unexpected file \"extra.js\""),
        (zip(&zip_files(&[])[..2]), "missing \"index.js\""),
        (zip(&[&zip_files(&[])[..2], &[("index.js", "evil")]].concat()), "\"index.js\" has another hash"),
        (zip(&zip_files(&[("_meta.json", r#"{"slug": "other", "version": "1.0.0"}"#)])), "names another slug"),
        (zip(&zip_files(&[("_meta.json", r#"{"slug": "@t/plug", "version": "2"}"#)])), "names another version"),
        (zip(&zip_files(&[("_meta.json", "no")])), "is no JSON"),
    ] {
        hub.archive(&bytes);
        let message = hub.refused("clawhub:@t/plug", Some("archive_integrity_mismatch"));
        assert!(message.contains(words), "{words}: {message}");
    }
    hub.archive(&zip(&zip_files(&[("_meta.json", meta)])));
    assert_eq!(hub.install("clawhub:@t/plug").unwrap()["artifactKind"], "legacy-zip");
}

// INS-249, INS-267
#[test]
fn the_token_goes_to_its_host_and_a_full_hub_says_when_to_come_back() {
    let mut hub = Hub::new();
    hub.server.put(PACKAGES, 429, &[("RateLimit-Reset", "30")], "slow down");
    let expected = format!("ClawHub {PACKAGES} failed (429): slow down (resets in 30s)");
    assert_eq!(hub.refused("clawhub:@t/plug", None), format!("{expected} Sign in for higher rate limits."));
    hub.place.env.push(("CLAWHUB_TOKEN".to_owned(), "sesame".to_owned()));
    assert_eq!(hub.refused("clawhub:@t/plug", None), expected);
    let bytes = hub.clawpack("1.0.0");
    let elsewhere = Server::start();
    elsewhere.put("/file", 200, &[("X-ClawHub-Artifact-Sha256", &sha256(&bytes))], bytes);
    let target = format!("{}/file", elsewhere.url);
    hub.server.put(&format!("{PACKAGES}/versions/1.0.0/artifact/download"), 302, &[("location", &target)], "");
    hub.server.asked();
    hub.install("clawhub:@t/plug").unwrap();
    assert!(hub.server.asked().iter().all(|(_, token)| token.as_deref() == Some("bearer sesame")));
    assert_eq!(elsewhere.asked(), [("/file".to_owned(), None)]);
    let mut index = std::fs::read_to_string(hub.place.state().join("plugins/installs.json")).unwrap();
    index.push_str(&hub.place.config());
    assert!(!index.contains("sesame"));
}

// INS-292, INS-293
#[test]
fn an_update_takes_what_is_new_and_nothing_else() {
    let hub = Hub::new();
    hub.clawpack("1.0.0");
    hub.install("clawhub:@t/plug").unwrap();
    let before = hub.place.picture();
    for dry_run in [true, false] {
        assert_eq!(hub.update(dry_run).message, "plug is up to date (1.0.0).");
    }
    hub.clawpack("1.1.0");
    let outcome = hub.update(true);
    assert_eq!((outcome.status, outcome.message.as_str()), (Status::Updated, "Would update plug: 1.0.0 -> 1.1.0."));
    assert_eq!(hub.place.picture(), before);
    assert_eq!(hub.update(false).message, "Updated plug: 1.0.0 -> 1.1.0.");
    hub.server.put(PACKAGES, 500, &[], "broken");
    let outcome = hub.update(false);
    assert_eq!(outcome.status, Status::Error);
    assert!(
        outcome.message.starts_with(&format!("Failed to update plug: ClawHub {PACKAGES} failed (500): broken (ClawHub clawhub:@t/plug).")),
        "{}",
        outcome.message
    );
}

// INS-250, INS-269, INS-271
#[test]
fn a_search_asks_for_both_families() {
    let hub = Hub::new();
    let entry = |name: &str, score: f64| json!({"score": score, "package": {"name": name, "family": "code-plugin"}});
    let path = |family: &str, limit: u32| format!("/api/v1/packages/search?q=two+words&family={family}&limit={limit}");
    hub.json(&path("code-plugin", 20), json!({"results": [entry("a", 1.0), entry("b", 2.0)]}));
    hub.json(&path("bundle-plugin", 20), json!({"results": [entry("a", 3.0)]}));
    let found = hub.place.installer().search(" two words ", None).unwrap();
    assert_eq!(found, [entry("a", 3.0), entry("b", 2.0)]);
    let asked: Vec<String> = hub.server.asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, [path("code-plugin", 20), path("bundle-plugin", 20)]);
    hub.place.installer().search("x", Some(1000)).unwrap_err();
    assert!(hub.server.asked()[0].0.ends_with("limit=100"));
    assert!(hub.place.installer().search("  ", None).unwrap_err().to_string().starts_with("Usage: "));
    let mut lost = Place::new();
    lost.env.push(("CLAWHUB_URL".to_owned(), "http://127.0.0.1:9".to_owned()));
    let error = lost.installer().search("x", None).unwrap_err().to_string();
    assert!(error.starts_with("failed to download http://127.0.0.1:9/api/v1/packages/search"), "{error}");
}
