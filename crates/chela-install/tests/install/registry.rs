//! A registry of a few packages on a real socket.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What the registry holds.
#[derive(Default)]
struct Shelf {
    /// Packument of each package.
    packages: BTreeMap<String, Value>,
    /// Tarballs by path.
    files: BTreeMap<String, Vec<u8>>,
    /// Paths that were asked for.
    asked: Vec<String>,
}

/// A running registry; its thread ends with the test's process.
#[derive(Clone)]
pub struct Registry {
    shelf: Arc<Mutex<Shelf>>,
    pub url: String,
}

impl Registry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { shelf: Arc::default(), url: format!("http://{}/", listener.local_addr().unwrap()) };
        let own = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.answer(&stream));
            }
        });
        registry
    }

    fn answer(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let mut header = String::new();
        while reader.read_line(&mut header).is_ok_and(|n| n > 2) {
            header.clear();
        }
        let path =
            line.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').replace("%2F", "/").replace("%2f", "/").replace("%40", "@");
        let mut shelf = self.shelf.lock().unwrap();
        shelf.asked.push(path.clone());
        let body = shelf.files.get(&path).cloned().or_else(|| shelf.packages.get(&path).map(|value| value.to_string().into_bytes()));
        drop(shelf);
        let (status, body) = body.map_or(("404 Not Found", b"{\"error\":\"not found\"}".to_vec()), |body| ("200 OK", body));
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let mut out = stream;
        let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body));
    }

    /// Publishes a version; the newest is `latest`. Files are the package's, `package.json` left out.
    pub fn publish(&self, name: &str, version: &str, package: Value, files: &[(&str, &str)]) -> Vec<u8> {
        let mut manifest = package.as_object().cloned().unwrap_or_else(Map::new);
        manifest.insert("name".into(), name.into());
        manifest.insert("version".into(), version.into());
        let manifest = Value::Object(manifest);
        let tarball = pack(&manifest, files);
        let path = format!("{name}/-/{version}.tgz");
        let mut published = manifest.clone();
        published["dist"] = json!({"tarball": format!("{}{path}", self.url), "integrity": integrity(&tarball)});
        let mut shelf = self.shelf.lock().unwrap();
        shelf.files.insert(path, tarball.clone());
        let packument = shelf.packages.entry(name.to_owned()).or_insert_with(|| json!({"name": name, "dist-tags": {}, "versions": {}}));
        packument["dist-tags"]["latest"] = version.into();
        packument["versions"][version] = published;
        tarball
    }

    /// Lets a tag lead to a version.
    pub fn tag(&self, name: &str, tag: &str, version: &str) {
        self.shelf.lock().unwrap().packages.get_mut(name).unwrap()["dist-tags"][tag] = version.into();
    }

    /// Puts other bytes behind a tarball's address; with `believed`, its integrity follows.
    pub fn replace(&self, name: &str, version: &str, bytes: Vec<u8>, believed: bool) {
        let mut shelf = self.shelf.lock().unwrap();
        if believed {
            shelf.packages.get_mut(name).unwrap()["versions"][version]["dist"]["integrity"] = integrity(&bytes).into();
        }
        shelf.files.insert(format!("{name}/-/{version}.tgz"), bytes);
    }

    /// Takes a version's integrity away, so that only its SHA-1 vouches for it, as in the days before SRI.
    pub fn promise_only_sha1(&self, name: &str, version: &str) {
        let mut shelf = self.shelf.lock().unwrap();
        let sum = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &shelf.files[&format!("{name}/-/{version}.tgz")]);
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let dist = &mut shelf.packages.get_mut(name).unwrap()["versions"][version]["dist"];
        dist["shasum"] = hex.into();
        dist.as_object_mut().unwrap().remove("integrity");
    }

    /// Publishes a key and a signature that no key made.
    pub fn sign_wrongly(&self, name: &str, version: &str) {
        let mut shelf = self.shelf.lock().unwrap();
        let signature = json!([{"keyid": "SHA256:unknown", "sig": "MEUCIQ=="}]);
        shelf.packages.get_mut(name).unwrap()["versions"][version]["dist"]["signatures"] = signature;
        // A key of the public registry, so that the file is well formed.
        let key =
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==";
        let keys = json!({"keys": [{"keyid": "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA", "keytype": "ecdsa-sha2-nistp256",
            "scheme": "ecdsa-sha2-nistp256", "key": key, "expires": null}]});
        shelf.packages.insert("-/npm/v1/keys".to_owned(), keys);
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.shelf.lock().unwrap().asked.len()
    }
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha512-{}", STANDARD.encode(ring::digest::digest(&ring::digest::SHA512, bytes)))
}

/// A tarball as `npm pack` makes it.
pub fn pack(manifest: &Value, files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let text = manifest.to_string();
    for (name, content) in [("package.json", text.as_str())].iter().chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("package/{name}"), content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
