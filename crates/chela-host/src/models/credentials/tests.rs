use std::collections::BTreeMap;
use std::process::Command;

use chela_catalog::{BundledPlugin, CatalogInputs, scan};
use chela_config::{Env, StatePaths};
use chela_models::{AuthInputs, AuthState};
use chela_plugin::register::{RegistryBuilder, RegistryInputs};
use serde_json::json;

use super::*;

/// Plugins in the global root and in a workspace, and what they make of the credential of a provider.
struct World {
    dir: tempfile::TempDir,
    plugins: Value,
    /// `models` of the config.
    models: Value,
    bundled: Vec<BundledPlugin>,
    env: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), plugins: json!({}), models: json!({}), bundled: Vec::new(), env: BTreeMap::new() }
    }

    fn plugin(&self, below: &str, id: &str, fields: Value) {
        let root = self.dir.path().join(below).join(id);
        std::fs::create_dir_all(&root).unwrap();
        let mut manifest = json!({"id": id, "configSchema": {"type": "object"}});
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        std::fs::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
        std::fs::write(root.join("index.js"), "").unwrap();
    }

    fn state(&self, provider: &str) -> AuthState {
        let home = self.dir.path().to_owned();
        let mut inputs = CatalogInputs::new(home.join("state"), &home, json!({"plugins": self.plugins}));
        inputs.workspace_dir = Some(home.join("ws"));
        inputs.bundled.clone_from(&self.bundled);
        std::fs::create_dir_all(home.join(".openclaw")).unwrap();
        std::fs::write(home.join(".openclaw/openclaw.json"), json!({"models": self.models}).to_string()).unwrap();
        let env = Env::from_iter([("HOME", home.display().to_string())]);
        let (config, _) = chela_config::load_lenient(&StatePaths::from_env(&env).unwrap(), &env).unwrap();
        let auth = AuthStore::new(AuthInputs { env: self.env.clone(), ..AuthInputs::default() });
        let registry = RegistryBuilder::new(RegistryInputs::default()).build();
        auth.state(&settings_of(provider, &config, &registry, &scan(&inputs), &auth), None)
    }
}

// MAN-152
#[test]
fn variables_of_plugins_that_are_off_count_for_nothing() {
    let mut world = World::new();
    world.env = [("A_KEY", "a"), ("W_KEY", "w"), ("OLD_KEY", "o")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let setup = |provider: &str, name: &str| json!({"setup": {"providers": [{"id": provider, "envVars": [name]}]}});
    world.plugin("state/extensions", "active", setup("Acme", "A_KEY"));
    world.plugin("ws/.openclaw/extensions", "untrusted", setup("wild", "W_KEY"));
    world.plugin("state/extensions", "legacy", json!({"providerAuthEnvVars": {"old": ["OLD_KEY"]}}));
    assert_eq!(world.state("acme"), AuthState::Configured("env: A_KEY".into()));
    assert_eq!(world.state("old"), AuthState::Configured("env: OLD_KEY".into()));
    assert!(!world.state("wild").usable());
    world.plugins = json!({"entries": {"active": {"enabled": false}, "legacy": {"enabled": false}, "untrusted": {"enabled": true}}});
    assert!(!world.state("acme").usable() && !world.state("old").usable());
    assert_eq!(world.state("wild"), AuthState::Configured("env: W_KEY".into()));
}

// MAN-083
#[test]
fn markers_of_bundled_plugins_are_no_keys() {
    let mut world = World::new();
    let provider = |key: &str| json!({"baseUrl": "https://api.example/v1", "models": [], "apiKey": key});
    world.models = json!({"providers": {"near": provider("near-local"), "far": provider("far-local")}});
    assert!(world.state("near").usable());
    let manifest = |id: &str, marker: &str| json!({"id": id, "configSchema": {"type": "object"}, "nonSecretAuthMarkers": [marker]});
    world.bundled.push(BundledPlugin::from_manifest_bytes(manifest("near", "near-local").to_string().as_bytes()).unwrap());
    world.plugin("state/extensions", "far", json!({"nonSecretAuthMarkers": ["far-local"]}));
    assert!(!world.state("near").usable());
    assert!(world.state("far").usable(), "a stranger's marker says nothing");
}

// MAN-161, MAN-162, MAN-163: a pipe that nobody writes would stop whoever opened it.
#[test]
fn a_login_on_this_machine_counts_by_its_file_alone() {
    let mut world = World::new();
    let home = world.dir.path().to_owned();
    let evidence = |fields: Value| {
        let mut evidence = json!({"type": "local-file-with-env", "credentialMarker": "cloud-login"});
        evidence.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"setup": {"providers": [{"id": "cloud", "authEvidence": [evidence]}]}})
    };
    let fallback = json!(["${APPDATA}/login", "${HOME}/login"]);
    world.plugin(
        "state/extensions",
        "cloud",
        evidence(json!({"fileEnvVar": "LOGIN_FILE", "fallbackPaths": fallback,
        "requiresAnyEnv": ["PROJECT", "OTHER"], "requiresAllEnv": ["REGION"], "source": "cloud login"})),
    );
    let configured = AuthState::Configured("cloud login".into());
    assert!(Command::new("mkfifo").arg(home.join("login")).status().unwrap().success());
    let set = |world: &mut World, name: &str, value: &str| world.env.insert(name.to_owned(), value.to_owned());
    let root = home.display().to_string();
    set(&mut world, "HOME", &root);
    set(&mut world, "PROJECT", "p");
    assert!(!world.state("cloud").usable(), "REGION is unset");
    set(&mut world, "REGION", "r");
    assert_eq!(world.state("cloud"), configured);
    world.env.remove("PROJECT");
    assert!(!world.state("cloud").usable(), "none of two is set");
    set(&mut world, "OTHER", "o");
    set(&mut world, "LOGIN_FILE", "/nonexistent/login");
    assert!(!world.state("cloud").usable(), "the variable decides alone");
    set(&mut world, "LOGIN_FILE", &format!("{root}/login"));
    assert_eq!(world.state("cloud"), configured);
    world.plugins = json!({"entries": {"cloud": {"enabled": false}}});
    assert!(!world.state("cloud").usable());
}
