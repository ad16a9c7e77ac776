//! A state directory of its own for each test, plugins to install, and a picture of all files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chela_catalog::{BundledPlugin, CatalogInputs};
use chela_config::{Config, Env, StatePaths};
use chela_install::{BeforeInstall, InstallFlags, InstallRequest, Installer, InstallerOptions, Moment, Moments, NoteLevel, Progress, Step};
use serde_json::{Value, json};

/// The config that every test starts from; its comments and its order must survive.
pub const CONFIG: &str = "{\n  // mine\n  gateway: {mode: \"local\"},\n  plugins: {\n    // only these\n    allow: [\"zeta\", \"beta\"],\n    deny: [\"alpha\"],\n  },\n}\n";

/// A home with a state directory.
pub struct Place {
    pub dir: PathBuf,
    /// Address of the registry.
    pub registry: Option<String>,
    /// Further variables.
    pub env: Vec<(String, String)>,
    _temp: Option<tempfile::TempDir>,
}

impl Place {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let place = Self { dir: temp.path().canonicalize().unwrap(), registry: None, env: Vec::new(), _temp: Some(temp) };
        std::fs::create_dir(place.state()).unwrap();
        std::fs::write(place.state().join("openclaw.json"), CONFIG).unwrap();
        place
    }

    /// A place that another process made and keeps.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), registry: None, env: Vec::new(), _temp: None }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Writes a native plugin `alpha` of this version into `name`.
    pub fn plugin(&self, name: &str, version: &str) -> PathBuf {
        let root = self.dir.join(name);
        std::fs::create_dir_all(root.join("lib")).unwrap();
        let package = json!({"name": "@me/alpha-plug", "version": version, "openclaw": {"extensions": ["./index.js"]}});
        let manifest = json!({"id": "alpha", "name": "Alpha", "kind": "memory", "channels": ["chat"], "configSchema": {"type": "object"}});
        std::fs::write(root.join("package.json"), package.to_string()).unwrap();
        std::fs::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
        std::fs::write(root.join("index.js"), format!("import './lib/more.js'; export default {{ register() {{}} }}; // {version}"))
            .unwrap();
        std::fs::write(root.join("lib/more.js"), format!("// {version}")).unwrap();
        root
    }

    pub fn installer(&self) -> Installer {
        Installer::new(self.options())
    }

    pub fn failing_at(&self, moment: Moment) -> Installer {
        Installer::new(InstallerOptions { moments: Arc::new(FailAt(moment)), ..self.options() })
    }

    pub fn asking(&self, hooks: impl BeforeInstall + 'static) -> Installer {
        Installer::new(InstallerOptions { before_install: Arc::new(hooks), ..self.options() })
    }

    /// An installer whose notes are kept.
    pub fn noting(&self, hooks: impl BeforeInstall + 'static) -> (Installer, Arc<Notes>) {
        let notes = Arc::new(Notes::default());
        let options = InstallerOptions { progress: notes.clone(), before_install: Arc::new(hooks), ..self.options() };
        (Installer::new(options), notes)
    }

    pub fn options(&self) -> InstallerOptions {
        let mut env = Env::default();
        env.set("HOME", self.dir.to_str().unwrap());
        env.set("OPENCLAW_STATE_DIR", self.state().to_str().unwrap());
        env.set("CHELA_CACHE_DIR", self.dir.join("cache").to_str().unwrap());
        // `git` is found there.
        env.set("PATH", std::env::var("PATH").unwrap());
        for (name, value) in &self.env {
            env.set(name.as_str(), value.as_str());
        }
        if let Some(registry) = &self.registry {
            env.set("npm_config_registry", registry);
        }
        let paths = StatePaths::from_env(&env).unwrap();
        let (state, home) = (self.state(), self.dir.clone());
        let catalog = move |config: &Config| {
            let mut inputs = CatalogInputs::new(&state, &home, config.effective.clone());
            let manifest = br#"{"id": "inside", "configSchema": {"type": "object"}}"#;
            let needy =
                br#"{"id": "needy", "configSchema": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}}"#;
            inputs.bundled =
                vec![BundledPlugin::from_manifest_bytes(manifest).unwrap(), BundledPlugin::from_manifest_bytes(needy).unwrap()];
            inputs
        };
        InstallerOptions::new(paths, env, Box::new(catalog))
    }

    pub fn index(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.state().join("plugins/installs.json")).unwrap()).unwrap()
    }

    pub fn config(&self) -> String {
        std::fs::read_to_string(self.state().join("openclaw.json")).unwrap()
    }

    /// The config without the note of when it was last written.
    pub fn config_value(&self) -> Value {
        let config = chela_config::load(&self.options().paths, &self.options().env).unwrap();
        let mut value = config.source;
        value.as_object_mut().unwrap().remove("meta");
        value
    }

    /// The version that is in use, from the file that would be loaded.
    pub fn version_in_use(&self) -> Option<String> {
        let path = self.index()["installRecords"]["alpha"]["installPath"].as_str()?.to_owned();
        let package: Value = serde_json::from_slice(&std::fs::read(Path::new(&path).join("package.json")).ok()?).unwrap();
        let version = package["version"].as_str().unwrap().to_owned();
        // Whole: every file is of that version.
        let more = std::fs::read_to_string(Path::new(&path).join("lib/more.js")).unwrap();
        assert_eq!(more, format!("// {version}"));
        Some(version)
    }

    /// Every file, link and directory of the state directory with its content.
    pub fn picture(&self) -> BTreeMap<String, String> {
        let mut picture = BTreeMap::new();
        draw(&self.state(), "", &mut picture);
        picture
    }
}

fn draw(dir: &Path, prefix: &str, picture: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            picture.insert(name.clone(), "directory".to_owned());
            draw(&entry.path(), &name, picture);
        } else if kind.is_symlink() {
            picture.insert(name, format!("-> {}", std::fs::read_link(entry.path()).unwrap().display()));
        } else {
            picture.insert(name, String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned());
        }
    }
}

/// Keeps notes.
#[derive(Default)]
pub struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub fn hold(&self, text: &str) -> bool {
        self.0.lock().unwrap().iter().any(|note| note.contains(text))
    }
}

impl Progress for Notes {
    fn begin(&self, _: Step, _: Option<u64>) {}
    fn advance(&self, _: Step, _: u64) {}
    fn end(&self, _: Step) {}
    fn note(&self, _: NoteLevel, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

struct FailAt(Moment);

impl Moments for FailAt {
    fn before(&self, moment: Moment) -> std::io::Result<()> {
        if moment == self.0 { Err(std::io::Error::other("out of luck")) } else { Ok(()) }
    }
}

/// A request to install a path.
pub fn request(path: &Path) -> InstallRequest {
    InstallRequest { spec: path.to_str().unwrap().to_owned(), flags: InstallFlags::default() }
}

/// The same, over what is there.
pub fn forced(path: &Path) -> InstallRequest {
    InstallRequest { flags: InstallFlags { force: true, ..InstallFlags::default() }, ..request(path) }
}

/// The same, linked.
pub fn linked(path: &Path) -> InstallRequest {
    InstallRequest { flags: InstallFlags { link: true, ..InstallFlags::default() }, ..request(path) }
}
