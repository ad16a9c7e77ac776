//! The whole way against a registry on this machine that answers as it is told, failures included.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_config::Secret;
use chela_npm::{
    AttestationStatus, DefaultLine, Fetched, Manifest, NpmClient, NpmError, NpmSettings, Overrides, Placed, ResolveRequest, Root,
    SignatureStatus, Spec,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// One prepared answer.
#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Send only this many bytes of the body, then hang up.
    cut: Option<usize>,
    /// Send nothing and keep the connection.
    hang: bool,
}

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), cut: None, hang: false }
}

impl Reply {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

#[derive(Clone, Default)]
struct Registry {
    /// Answers by path; the last one of a list is given again and again.
    routes: Arc<Mutex<HashMap<String, Vec<Reply>>>>,
    /// Path, `authorization` and `if-none-match` of each request.
    log: Arc<Mutex<Vec<(String, String, String)>>>,
    base: String,
}

impl Registry {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let registry = Self { base, ..Self::default() };
        let served = registry.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().serve(stream));
            }
        });
        registry
    }

    async fn serve(self, mut stream: tokio::net::TcpStream) {
        let mut buffer = Vec::new();
        loop {
            while !buffer.windows(4).any(|w| w == b"\r\n\r\n") {
                let mut chunk = [0; 4096];
                match stream.read(&mut chunk).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => buffer.extend_from_slice(&chunk[..count]),
                }
            }
            let head = String::from_utf8_lossy(&std::mem::take(&mut buffer)).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let field = |name: &str| {
                let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
                line.map(|line| line[name.len() + 1..].trim().to_owned()).unwrap_or_default()
            };
            self.log.lock().unwrap().push((path.clone(), field("authorization"), field("if-none-match")));
            let answer = {
                let mut routes = self.routes.lock().unwrap();
                match routes.get_mut(&path) {
                    Some(list) if list.len() > 1 => list.remove(0),
                    Some(list) => list[0].clone(),
                    None => reply(404, r#"{"error":"not found"}"#),
                }
            };
            if answer.hang {
                std::future::pending::<()>().await;
            }
            let mut out = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
            if answer.headers.iter().any(|(name, _)| name == "content-length") {
                out = format!("HTTP/1.1 {} X\r\n", answer.status);
            }
            answer.headers.iter().for_each(|(name, value)| out.push_str(&format!("{name}: {value}\r\n")));
            out.push_str("\r\n");
            let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
            if stream.write_all(&[out.as_bytes(), body].concat()).await.is_err() || answer.cut.is_some() {
                return;
            }
        }
    }

    fn set(&self, path: &str, replies: Vec<Reply>) {
        self.routes.lock().unwrap().insert(path.into(), replies);
    }

    /// Publishes `name@1.0.0` with these files and gives its manifest back.
    fn publish(&self, name: &str, mut manifest: Value, files: &[(&str, &str, u32)]) -> Value {
        let tarball = tarball(files);
        let file = format!("/{name}/-/{}-1.0.0.tgz", name.rsplit('/').next().unwrap());
        manifest["name"] = name.into();
        manifest["version"] = "1.0.0".into();
        let dist = json!({"tarball": format!("{}{file}", self.base), "integrity": sri(&tarball)});
        let own = manifest.get("dist").cloned().unwrap_or(json!({}));
        manifest["dist"] = merge(dist, own);
        self.set(&file, vec![reply(200, tarball)]);
        self.announce(name, &manifest);
        manifest
    }

    fn announce(&self, name: &str, manifest: &Value) {
        let packument = json!({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}});
        self.set(&format!("/{}", name.replace('/', "%2f")), vec![reply(200, packument.to_string())]);
    }

    fn settings(&self, cache: &Path) -> NpmSettings {
        let mut settings = NpmSettings::new(self.base.parse().unwrap(), cache.into());
        settings.backoff = Duration::from_millis(1);
        settings
    }

    fn client(&self, cache: &Path) -> NpmClient {
        NpmClient::new(self.settings(cache)).unwrap()
    }

    fn requests(&self, path: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|(found, ..)| found == path).count()
    }
}

fn merge(mut base: Value, over: Value) -> Value {
    for (key, value) in over.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

fn sri(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA512, bytes)))
}

fn tarball(files: &[(&str, &str, u32)]) -> Vec<u8> {
    let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gz);
    for (path, content, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        builder.append_data(&mut header, format!("package/{path}"), content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

async fn install(client: &NpmClient, spec: &str, into: &Path) -> Result<(Fetched, Placed), NpmError> {
    let selected = client.select(&Spec::parse(spec)?, DefaultLine::StableOnly).await?;
    let request = ResolveRequest { root: Root::Registry(selected), overrides: Overrides::default(), host_peers: vec!["host".into()] };
    let resolution = client.resolve(&request).await?;
    let fetched = client.fetch_tree(resolution).await?;
    let placed = client.materialise(&fetched, into).await?;
    Ok((fetched, placed))
}

/// A plugin with two dependencies, one of them with a program.
fn publish_small_tree(registry: &Registry) {
    let plug = json!({"dependencies": {"@s/lib": "^1.0.0", "tool": "1"}, "peerDependencies": {"host": "*"}, "bin": "cli.js"});
    registry.publish("plug", plug, &[("package.json", "{}", 0o644), ("cli.js", "#!/usr/bin/env node", 0o644), ("dir/a.js", "1", 0o777)]);
    registry.publish("@s/lib", json!({"scripts": {"postinstall": "touch /tmp/x"}}), &[("index.js", "module.exports=1", 0o600)]);
    registry.publish("tool", json!({"bin": {"tool": "./bin/t"}}), &[("bin/t", "#!/bin/sh", 0o644), ("same.js", "1", 0o644)]);
}

// INS-170
#[tokio::test]
async fn a_tree_is_laid_out_and_comes_from_the_store_the_next_time() {
    let registry = Registry::start().await;
    publish_small_tree(&registry);
    let work = tempfile::tempdir().unwrap();
    let cache = work.path().join("cache");
    let (fetched, placed) = install(&registry.client(&cache), "plug", &work.path().join("one")).await.unwrap();
    assert_eq!(placed.files, 6);
    assert_eq!(placed.install_scripts, ["@s/lib@1.0.0"]);
    assert_eq!(fetched.stored["node_modules/plug"].files.len(), 3);
    let meta = |path: &str| std::fs::metadata(work.path().join(path)).unwrap();
    let mode = |path: &str| meta(path).permissions().mode() & 0o7777;
    assert_eq!(mode("one/node_modules/plug/package.json"), 0o444);
    assert_eq!(mode("one/node_modules/plug/dir/a.js"), 0o555);
    assert_eq!(mode("one/node_modules/plug/cli.js"), 0o555, "programs can be executed");
    assert_eq!(mode("one/node_modules/tool/bin/t"), 0o555);
    assert_eq!(mode("one/node_modules/@s/lib/index.js"), 0o444);
    assert_eq!(meta("one/node_modules/plug/package.json").nlink(), 1, "the root package is copied");
    assert!(meta("one/node_modules/@s/lib/index.js").nlink() > 1, "dependencies are links into the store");
    let link = |name: &str| std::fs::read_link(work.path().join("one/node_modules/.bin").join(name)).unwrap();
    assert_eq!((link("tool"), link("plug")), ("../tool/bin/t".into(), "../plug/cli.js".into()));
    // Without the network: everything is there.
    let mut offline = registry.settings(&cache);
    offline.offline = true;
    let asked = registry.log.lock().unwrap().len();
    let (_, again) = install(&NpmClient::new(offline.clone()).unwrap(), "plug@1.0.0", &work.path().join("two")).await.unwrap();
    assert_eq!((again.files, registry.log.lock().unwrap().len()), (6, asked));
    let error = install(&NpmClient::new(offline).unwrap(), "other", &work.path().join("three")).await.unwrap_err();
    assert!(matches!(error, NpmError::Offline { .. }), "{error}");
    // A directory that is in use is not written over.
    assert!(
        install(&registry.client(&cache), "plug", &work.path().join("one")).await.unwrap_err().to_string().contains("is there already")
    );
}

#[tokio::test]
async fn a_changed_store_file_is_noticed_and_fetched_again() {
    let registry = Registry::start().await;
    publish_small_tree(&registry);
    let work = tempfile::tempdir().unwrap();
    let cache = work.path().join("cache");
    install(&registry.client(&cache), "plug", &work.path().join("one")).await.unwrap();
    // A program with our user's rights changes a dependency in place, and with it the store: same length.
    let victim = work.path().join("one/node_modules/@s/lib/index.js");
    std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&victim, "module.exports=2").unwrap();
    install(&registry.client(&cache), "plug", &work.path().join("two")).await.unwrap();
    let content = std::fs::read_to_string(work.path().join("two/node_modules/@s/lib/index.js")).unwrap();
    assert_eq!((content.as_str(), registry.requests("/@s/lib/-/lib-1.0.0.tgz")), ("module.exports=1", 2));
    assert_eq!(registry.requests("/tool/-/tool-1.0.0.tgz"), 1);
}

#[tokio::test]
async fn many_installations_at_once_share_one_store() {
    let registry = Registry::start().await;
    publish_small_tree(&registry);
    let work = tempfile::tempdir().unwrap();
    let cache = work.path().join("cache");
    let runs = (0..8).map(|number| {
        let (client, into) = (registry.client(&cache), work.path().join(number.to_string()));
        tokio::spawn(async move { install(&client, "plug", &into).await.map(|(_, placed)| placed.files) })
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap().unwrap(), 6);
    }
    assert_eq!(std::fs::read_dir(cache.join("npm/store/tmp")).unwrap().count(), 0, "nothing half-written stays");
}

#[tokio::test]
async fn a_wrong_hash_unpacks_nothing() {
    let registry = Registry::start().await;
    let promised = sri(b"something else");
    registry.publish("plug", json!({"dist": {"integrity": promised}}), &[("index.js", "evil", 0o644)]);
    let work = tempfile::tempdir().unwrap();
    let error = install(&registry.client(&work.path().join("cache")), "plug", &work.path().join("one")).await.unwrap_err();
    let NpmError::Integrity { package, expected, actual, .. } = &error else { panic!("{error}") };
    assert_eq!((package.as_str(), expected), ("plug@1.0.0", &promised));
    assert!(actual.starts_with("sha512-") && actual != expected && error.to_string().contains(actual.as_str()));
    assert!(!work.path().join("one").exists() && !work.path().join("cache/npm/store/files").exists());
    assert_eq!(registry.requests("/plug/-/plug-1.0.0.tgz"), 1, "the same bytes are not asked for again");
    // Neither is a package without any hash.
    registry.publish("bare", json!({"dist": {"integrity": null}}), &[("index.js", "1", 0o644)]);
    let error = install(&registry.client(&work.path().join("cache")), "bare", &work.path().join("one")).await.unwrap_err();
    assert!(matches!(error, NpmError::NoIntegrity { .. }), "{error}");
}

/// Publishes `name@1.0.0` with an archive that holds a file, and one raw entry behind it.
fn publish_raw(registry: &Registry, name: &str, kind: tar::EntryType, path: &str, content: &str) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, content: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Past the checks of the library, which would not write such a name.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    };
    add("package/index.js", tar::EntryType::Regular, name);
    add(path, kind, content);
    let archive = archive.into_inner().unwrap();
    registry.publish(name, json!({"dist": {"integrity": sri(&archive)}}), &[]);
    registry.set(&format!("/{name}/-/{name}-1.0.0.tgz"), vec![reply(200, archive)]);
}

// INS-163
#[tokio::test]
async fn archives_cannot_reach_out_of_their_package() {
    let registry = Registry::start().await;
    let work = tempfile::tempdir().unwrap();
    let refused = [
        ("climbs", tar::EntryType::Regular, "package/../../evil", "archive entry escapes destination"),
        ("absolute", tar::EntryType::Regular, "/package/evil", "archive entry is absolute"),
        ("device", tar::EntryType::Char, "package/null", "device"),
    ];
    for (name, kind, path, text) in refused {
        publish_raw(&registry, name, kind, path, "");
        let error = install(&registry.client(&work.path().join("cache")), name, &work.path().join(name)).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{name}@1.0.0`: ")) && error.to_string().contains(text), "{error}");
        assert!(!work.path().join(name).exists());
    }
    // Links are left out, as npm does, and it is said.
    publish_raw(&registry, "linked", tar::EntryType::Symlink, "package/passwd", "");
    let (_, placed) = install(&registry.client(&work.path().join("cache")), "linked", &work.path().join("linked")).await.unwrap();
    assert_eq!((placed.files, placed.skipped_links.as_slice()), (1, &["linked@1.0.0".to_owned()][..]));
    assert!(std::fs::symlink_metadata(work.path().join("linked/node_modules/linked/passwd")).is_err());
    // A large file takes another way into the store.
    let large = "x".repeat(3 << 20);
    registry.publish("large", json!({}), &[("index.js", &large, 0o644)]);
    install(&registry.client(&work.path().join("cache")), "large", &work.path().join("large")).await.unwrap();
    assert_eq!(std::fs::read_to_string(work.path().join("large/node_modules/large/index.js")).unwrap(), large);
}

// INS-171
#[tokio::test]
async fn faults_of_the_registry() {
    let registry = Registry::start().await;
    let work = tempfile::tempdir().unwrap();
    let packument = |name: &str| {
        // Each with content of its own: the store would have it otherwise.
        let manifest = registry.publish(name, json!({}), &[("index.js", name, 0o644)]);
        json!({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}).to_string()
    };
    let cut = |mut reply: Reply| {
        reply.cut = Some(reply.body.len() / 2);
        reply
    };
    let hang = || Reply { hang: true, ..reply(200, "") };
    // Passing faults: the same request works later.
    let passing: [(&str, Vec<Reply>); 4] = [
        ("busy", vec![reply(429, "").header("retry-after", "0"), reply(503, "x")]),
        ("down", vec![reply(500, "x"), reply(502, "x")]),
        ("short", vec![cut(reply(200, packument("short")))]),
        ("slow", vec![hang()]),
    ];
    for (name, faults) in passing {
        let good = reply(200, packument(name));
        registry.set(&format!("/{name}"), faults.into_iter().chain([good]).collect());
        let mut settings = registry.settings(&work.path().join("cache"));
        settings.stall = Duration::from_millis(300);
        install(&NpmClient::new(settings).unwrap(), name, &work.path().join(name)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    // A tarball that breaks off is fetched again, whole.
    packument("torn");
    let whole = registry.routes.lock().unwrap()["/torn/-/torn-1.0.0.tgz"][0].clone();
    registry.set("/torn/-/torn-1.0.0.tgz", vec![cut(whole.clone()), whole.clone()]);
    install(&registry.client(&work.path().join("cache")), "torn", &work.path().join("torn")).await.unwrap();
    // Faults that stay.
    packument("gone-archive");
    registry.set("/gone-archive/-/gone-archive-1.0.0.tgz", vec![reply(404, "")]);
    packument("always-torn");
    let half = registry.routes.lock().unwrap()["/always-torn/-/always-torn-1.0.0.tgz"][0].clone();
    registry.set("/always-torn/-/always-torn-1.0.0.tgz", vec![cut(half)]);
    registry.set("/broken", vec![reply(200, "<html>")]);
    registry.set("/liar", vec![reply(200, packument("truth"))]);
    registry.set("/huge", vec![reply(200, "").header("content-length", "99999999999")]);
    registry.set("/dead", vec![reply(500, "")]);
    registry.set("/private", vec![reply(401, "")]);
    registry.set("/loop", vec![reply(302, "").header("location", "/loop")]);
    registry.set("/away", vec![reply(302, "").header("location", "file:///etc/passwd")]);
    let lasting = [
        ("nowhere", "Package not found on npm: nowhere."),
        ("nowhere@1.0.0", "Package not found on npm: nowhere@1.0.0."),
        ("torn@2.0.0", "Package not found on npm: torn@2.0.0."),
        ("torn@beta", "has no tag `beta`"),
        ("gone-archive", "answered 404"),
        ("always-torn", "broke off"),
        ("broken", "no package document"),
        ("liar", "asked for `liar`, got the metadata of `truth`"),
        ("huge", "is larger than"),
        ("dead", "answered 500. Try again later"),
        ("private", "answered 401. Log in"),
        ("loop", "redirects"),
        ("away", "away from https"),
    ];
    for (spec, text) in lasting {
        let error = install(&registry.client(&work.path().join("cache")), spec, &work.path().join("never")).await.unwrap_err();
        assert!(error.to_string().contains(text), "{spec}: {error}");
        assert_eq!(error.code() == Some("npm_package_not_found"), text.contains("not found") || text.contains("no tag"), "{spec}");
    }
    assert!(!work.path().join("never").exists());
}

#[tokio::test]
async fn a_token_never_goes_to_another_host() {
    let (registry, other) = (Registry::start().await, Registry::start().await);
    registry.publish("plug", json!({"dependencies": {"far": "1", "moved": "1"}}), &[("index.js", "1", 0o644)]);
    // One tarball lies elsewhere, another one is redirected there.
    let far = other.publish("far", json!({}), &[("index.js", "far", 0o644)]);
    registry.announce("far", &far);
    registry.publish("moved", json!({}), &[("index.js", "moved", 0o644)]);
    let body = registry.routes.lock().unwrap()["/moved/-/moved-1.0.0.tgz"].clone();
    other.set("/elsewhere.tgz", body);
    registry.set("/moved/-/moved-1.0.0.tgz", vec![reply(302, "").header("location", &format!("{}/elsewhere.tgz", other.base))]);
    let work = tempfile::tempdir().unwrap();
    let base = registry.base.parse().unwrap();
    let settings = registry.settings(&work.path().join("cache")).with_token(&base, Secret::new("s3cret"));
    let client = NpmClient::new(settings).unwrap();
    install(&client, "plug", &work.path().join("one")).await.unwrap();
    assert!(registry.log.lock().unwrap().iter().all(|(_, authorization, _)| authorization == "Bearer s3cret"));
    let seen = other.log.lock().unwrap().clone();
    let paths: Vec<&str> = seen.iter().map(|(path, ..)| path.as_str()).collect();
    assert!(paths.contains(&"/far/-/far-1.0.0.tgz") && paths.contains(&"/elsewhere.tgz"), "{paths:?}");
    assert!(seen.iter().all(|(_, authorization, _)| authorization.is_empty()));
    assert!(!format!("{:?}", client.settings()).contains("s3cret"));
}

#[tokio::test]
async fn metadata_are_asked_for_again_by_their_etag() {
    let registry = Registry::start().await;
    let manifest = registry.publish("plug", json!({}), &[("index.js", "1", 0o644)]);
    let packument = json!({"name": "plug", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}}).to_string();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(packument.as_bytes()).unwrap();
    let first =
        reply(200, gz.finish().unwrap()).header("etag", "\"v1\"").header("content-encoding", "gzip").header("cache-control", "max-age=60");
    registry.set("/plug", vec![first, reply(304, "")]);
    let work = tempfile::tempdir().unwrap();
    let cache = work.path().join("cache");
    assert_eq!(registry.client(&cache).packument("plug").await.unwrap().dist_tags["latest"], "1.0.0");
    registry.client(&cache).packument("plug").await.unwrap();
    assert_eq!(registry.requests("/plug"), 1, "fresh metadata are not asked for");
    registry.client(&cache).select(&Spec::parse("plug").unwrap(), DefaultLine::StableOnly).await.unwrap();
    let log = registry.log.lock().unwrap().clone();
    assert_eq!((log.len(), log[1].2.as_str()), (2, "\"v1\""), "a choice of version always asks");
}

// INS-193, INS-194, INS-195, INS-198
#[tokio::test]
async fn prereleases_are_only_taken_when_asked_for() {
    let registry = Registry::start().await;
    let versions = json!({"2026.5.1": {}, "2026.5.2-1": {}, "2026.6.1-beta.1": {}});
    let tags = json!({"latest": "2026.6.1-beta.1", "beta": "2026.6.1-beta.1", "fix": "2026.5.2-1"});
    registry.set("/plug", vec![reply(200, json!({"name": "plug", "dist-tags": tags, "versions": versions}).to_string())]);
    let work = tempfile::tempdir().unwrap();
    let client = registry.client(work.path());
    let select = async |spec: &str, line| client.select(&Spec::parse(spec).unwrap(), line).await.map(|selected| selected.version);
    for spec in ["plug", "plug@latest"] {
        let error = select(spec, DefaultLine::StableOnly).await.unwrap_err().to_string();
        let start =
            format!("Resolved {spec} to prerelease version 2026.6.1-beta.1, but prereleases are only installed when explicitly requested.");
        assert!(error.starts_with(&start), "{error}");
        assert_eq!(select(spec, DefaultLine::FallBack).await.unwrap(), "2026.5.2-1", "the newest stable one, a correction");
    }
    assert_eq!(select("plug@beta", DefaultLine::StableOnly).await.unwrap(), "2026.6.1-beta.1");
    assert_eq!(select("plug@2026.6.1-beta.1", DefaultLine::StableOnly).await.unwrap(), "2026.6.1-beta.1");
    assert_eq!(select("plug@fix", DefaultLine::StableOnly).await.unwrap(), "2026.5.2-1");
}

#[tokio::test]
async fn an_optional_package_without_archive_is_left_out() {
    let registry = Registry::start().await;
    registry.publish("plug", json!({"optionalDependencies": {"native": "1"}}), &[("index.js", "1", 0o644)]);
    registry.publish("native", json!({"dependencies": {"helper": "1"}}), &[("index.js", "1", 0o644)]);
    registry.publish("helper", json!({}), &[("index.js", "1", 0o644)]);
    registry.set("/native/-/native-1.0.0.tgz", vec![reply(404, "")]);
    let work = tempfile::tempdir().unwrap();
    let (fetched, placed) = install(&registry.client(&work.path().join("cache")), "plug", &work.path().join("one")).await.unwrap();
    assert_eq!((placed.files, fetched.resolution.packages.len()), (1, 1));
    assert!(fetched.resolution.warnings[0].contains("left out optional `native@1.0.0`"), "{:?}", fetched.resolution.warnings);
}

#[tokio::test]
async fn files_of_a_local_package_stay_the_callers_business() {
    let registry = Registry::start().await;
    publish_small_tree(&registry);
    let work = tempfile::tempdir().unwrap();
    let client = registry.client(&work.path().join("cache"));
    let manifest = Arc::new(Manifest::from_value("mine", "0.1.0", &json!({"dependencies": {"tool": "1"}, "bin": "run.js"})));
    let request = ResolveRequest { root: Root::Local { manifest, dir: None }, overrides: Overrides::default(), host_peers: Vec::new() };
    let fetched = client.fetch_tree(client.resolve(&request).await.unwrap()).await.unwrap();
    let into = work.path().join("one");
    client.materialise(&fetched, &into).await.unwrap();
    assert_eq!((fetched.resolution.root.as_str(), into.join("node_modules/tool/bin/t").exists()), ("node_modules/mine", true));
    assert!(!into.join("node_modules/mine").exists());
    assert_eq!(std::fs::read_link(into.join("node_modules/.bin/mine")).unwrap(), Path::new("../mine/run.js"));
}

#[tokio::test]
async fn signatures_of_the_registry() {
    let registry = Registry::start().await;
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
    let head = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
        0x07, 0x03, 0x42, 0x00,
    ];
    let key = STANDARD.encode([&head[..], pair.public_key().as_ref()].concat());
    let sign = |text: String| STANDARD.encode(pair.sign(&random, text.as_bytes()).unwrap());
    let work = tempfile::tempdir().unwrap();
    let plain = registry.publish("plug", json!({}), &[("index.js", "1", 0o644)]);
    let message = format!("plug@1.0.0:{}", plain["dist"]["integrity"].as_str().unwrap());
    let status = async |signatures: Value, keys: Option<Value>| {
        let mut manifest = plain.clone();
        manifest["dist"]["signatures"] = signatures;
        let full = json!({"name": "plug", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest}, "time": {"1.0.0": "2024-06-01T00:00:00.000Z"}});
        registry.set("/plug", vec![reply(200, full.to_string())]);
        match keys {
            Some(keys) => registry.set("/-/npm/v1/keys", vec![reply(200, json!({"keys": keys}).to_string())]),
            None => registry.set("/-/npm/v1/keys", vec![reply(404, "")]),
        }
        let client = registry.client(&work.path().join("cache"));
        let selected = client.select(&Spec::parse("plug").unwrap(), DefaultLine::StableOnly).await.unwrap();
        client.verify_signatures(&selected.manifest).await
    };
    let keys = |expires: Value| {
        Some(
            json!([{"keyid": "SHA256:k", "keytype": "ecdsa-sha2-nistp256", "scheme": "ecdsa-sha2-nistp256", "key": key, "expires": expires}]),
        )
    };
    let good = json!([{"keyid": "SHA256:k", "sig": sign(message.clone())}]);
    let verified = SignatureStatus::Verified { key_id: "SHA256:k".into() };
    assert_eq!(status(good.clone(), keys(Value::Null)).await, verified);
    assert_eq!(status(good.clone(), keys("2025-01-29T00:00:00.000Z".into())).await, verified, "published while the key was good");
    assert_eq!(status(good.clone(), None).await, SignatureStatus::NotOffered);
    assert_eq!(status(json!([]), keys(Value::Null)).await, SignatureStatus::Missing);
    let invalid = [
        (json!([{"keyid": "SHA256:k", "sig": sign(message.replace("1.0.0", "1.0.1"))}]), keys(Value::Null), "does not match"),
        (json!([{"keyid": "SHA256:other", "sig": sign(message.clone())}]), keys(Value::Null), "does not list"),
        (good, keys("2024-01-01T00:00:00.000Z".into()), "after its key"),
        (json!([{"keyid": "SHA256:k", "sig": "%%%"}]), keys(Value::Null), "no Base64"),
    ];
    for (signatures, keys, text) in invalid {
        match status(signatures, keys).await {
            SignatureStatus::Invalid { problem } => assert!(problem.contains(text), "{problem}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn provenance_from_the_registry() {
    let registry = Registry::start().await;
    let integrity = "sha512-RtTi90xIdzFmQAAKb9+Ki1nx4IR2Z5c+mFn3dN0xuPHgk3gTt3f7ZqKsZ9UFQP40ZAlm7un8LMyjhwgrTIXNPA==";
    let url = format!("{}/-/npm/v1/attestations/sigstore@2.0.0", registry.base);
    let manifest = |integrity: &str| {
        let dist = json!({"integrity": integrity, "attestations": {"url": url, "provenance": {"predicateType": "https://slsa.dev/provenance/v1"}}});
        Manifest::from_value("sigstore", "2.0.0", &json!({"dist": dist}))
    };
    let work = tempfile::tempdir().unwrap();
    let client = registry.client(work.path());
    assert!(matches!(client.attestations(&manifest(integrity)).await, AttestationStatus::NotChecked { .. }), "promised, but not there");
    let bundle: Value = serde_json::from_str(include_str!("data/sigstore-2.0.0-provenance.json")).unwrap();
    let answer = json!({"attestations": [{"predicateType": "https://slsa.dev/provenance/v1", "bundle": bundle}]});
    registry.set("/-/npm/v1/attestations/sigstore@2.0.0", vec![reply(200, answer.to_string())]);
    let AttestationStatus::Verified { attestations } = client.attestations(&manifest(integrity)).await else { panic!("not verified") };
    assert!(attestations[0].checked.iter().any(|check| check == "transparency-log"), "{attestations:?}");
    let other = sri(b"another tarball");
    assert!(matches!(client.attestations(&manifest(&other)).await, AttestationStatus::Invalid { .. }));
    let none = Manifest::from_value("sigstore", "2.0.0", &json!({"dist": {"integrity": integrity}}));
    assert_eq!(client.attestations(&none).await, AttestationStatus::NotOffered);
}
