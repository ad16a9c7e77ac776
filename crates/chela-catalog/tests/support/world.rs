//! A state directory with plugins in it, for tests of the whole scan.

#![allow(dead_code)] // each test file uses its own part

use std::path::{Path, PathBuf};

use chela_catalog::{BundledPlugin, CatalogInputs, Snapshot, scan};
use serde_json::{Value, json};

pub struct World {
    dir: tempfile::TempDir,
    pub root: PathBuf,
    pub config: Value,
    pub env: Vec<(String, String)>,
    pub bundled: Vec<BundledPlugin>,
    pub owner_uid: Option<u32>,
}

impl World {
    pub fn new(config: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        Self { dir, root, config, env: Vec::new(), bundled: Vec::new(), owner_uid: None }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A plugin with `index.js` and the given manifest fields, below `dir`.
    pub fn plugin(&self, dir: &str, id: &str, fields: Value) -> PathBuf {
        self.write(&format!("{dir}/openclaw.plugin.json"), manifest(id, fields).to_string());
        self.write(&format!("{dir}/index.js"), "export default {}\n");
        self.path(dir)
    }

    pub fn package(&self, dir: &str, fields: Value) {
        self.write(&format!("{dir}/package.json"), fields.to_string());
    }

    pub fn builtin(&mut self, id: &str, fields: Value) {
        let bytes = manifest(id, fields).to_string();
        self.bundled.push(BundledPlugin::from_manifest_bytes(bytes.as_bytes()).unwrap());
    }

    pub fn inputs(&self) -> CatalogInputs {
        let mut inputs = CatalogInputs::new(&self.root, &self.root, self.config.clone());
        inputs.workspace_dir = Some(self.path("ws"));
        inputs.env = self.env.iter().cloned().collect();
        inputs.bundled = self.bundled.clone();
        inputs.platform = "linux".into();
        inputs.owner_uid = self.owner_uid;
        inputs
    }

    pub fn scan(&self) -> Snapshot {
        scan(&self.inputs())
    }

    /// Text with the directory's own path replaced.
    pub fn redact(&self, text: &str) -> String {
        text.replace(self.root.to_str().unwrap(), "[ROOT]")
    }
}

pub fn manifest(id: &str, fields: Value) -> Value {
    let mut value = json!({"id": id, "configSchema": {"type": "object", "additionalProperties": false}});
    for (key, field) in fields.as_object().unwrap() {
        value[key] = field.clone();
    }
    value
}

pub fn messages(snapshot: &Snapshot) -> Vec<String> {
    snapshot.diagnostics.iter().map(|entry| entry.message.clone()).collect()
}

#[track_caller]
pub fn says(snapshot: &Snapshot, needle: &str) {
    let all = messages(snapshot);
    assert!(all.iter().any(|text| text.contains(needle)), "{needle:?} not in {all:#?}");
}

#[track_caller]
pub fn silent(snapshot: &Snapshot, needle: &str) {
    let all = messages(snapshot);
    assert!(!all.iter().any(|text| text.contains(needle)), "{needle:?} in {all:#?}");
}

pub fn ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.plugins.iter().map(|plugin| plugin.id.as_str()).collect()
}

#[track_caller]
pub fn source_of<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Path {
    &snapshot.get(id).unwrap().source
}
