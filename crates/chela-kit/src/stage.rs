//! A home of its own for a plugin that is tried out: state, workspace and config in a directory that goes with it.

use std::path::{Path, PathBuf};

use chela_catalog::{PluginRecord, Status};
use chela_config::{Config, Env, StatePaths};
use serde_json::{Map, Value, json};

use crate::arguments;
use crate::error::KitError;
use crate::trial::script::Script;

/// Variables that would lead a trial into the author's own state.
const OWN_STATE: [&str; 6] = [
    "OPENCLAW_CONFIG_PATH",
    "OPENCLAW_PROFILE",
    "OPENCLAW_GATEWAY_TOKEN",
    "OPENCLAW_GATEWAY_PASSWORD",
    "OPENCLAW_GATEWAY_PORT",
    "XDG_CONFIG_HOME",
];

/// A throw-away home. Its directory is removed when it is dropped.
pub struct Stage {
    dir: tempfile::TempDir,
    /// The environment.
    pub env: Env,
    /// State directory and config path.
    pub paths: StatePaths,
    /// The config.
    pub config: Config,
}

impl Stage {
    /// Makes a home with `plugin` enabled, all of its permissions given, and every optional tool allowed. Caches stay where they are.
    ///
    /// # Errors
    /// When the directory cannot be made, or the config is not valid.
    pub fn new(plugin: &PluginRecord, base: &Env, script: &Script) -> Result<Self, KitError> {
        let dir = tempfile::Builder::new().prefix("chela-trial-").tempdir()?;
        let (home, state) = (dir.path().join("home"), dir.path().join("state"));
        for part in [&home, &state, &dir.path().join("workspace"), &dir.path().join("tmp")] {
            fs_err::create_dir(part)?;
        }
        let mut env = base.clone();
        // The real one: what can be fetched or made again need not be fetched and made for each trial.
        let cache = StatePaths::from_env(base).map_err(|error| KitError::Config(error.to_string()))?.cache_dir(base);
        OWN_STATE.iter().for_each(|name| env.remove(name));
        let mut set = |name: &str, path: &Path| env.set(name, path.to_string_lossy());
        set("CHELA_CACHE_DIR", &cache);
        set("HOME", &home);
        set("OPENCLAW_STATE_DIR", &state);
        set("TMPDIR", &dir.path().join("tmp"));
        let paths = StatePaths::from_env(&env).map_err(|error| KitError::Config(error.to_string()))?;
        let config = config(plugin, script, dir.path());
        fs_err::write(&paths.config_path, config.to_string())?;
        let config = chela_config::load(&paths, &env).map_err(|error| KitError::Config(error.to_string()))?;
        Ok(Self { dir, env, paths, config })
    }

    /// The home itself.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The workspace of the agent.
    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("workspace")
    }

    /// Removes the home now and says what could not be removed.
    ///
    /// # Errors
    /// When a part of it cannot be removed.
    pub fn close(self) -> Result<(), KitError> {
        Ok(self.dir.close()?)
    }
}

fn config(plugin: &PluginRecord, script: &Script, dir: &Path) -> Value {
    let mut entry = json!({
        "enabled": true,
        "hooks": {"allowConversationAccess": true, "allowPromptInjection": true},
    });
    if let Some(config) = script.config.clone().or_else(|| generated(plugin)) {
        entry["config"] = config;
    }
    if !script.env.is_empty() {
        entry["env"] = json!(script.env);
    }
    if let Some(permissions) = &script.permissions {
        entry["permissions"] = permissions.clone();
    }
    let mut slots = Map::new();
    for (kind, slot) in [("memory", "memory"), ("context-engine", "contextEngine")] {
        if plugin.manifest.has_kind(kind) {
            slots.insert(slot.into(), plugin.id.as_str().into());
        }
    }
    let mut config = json!({
        "gateway": {"mode": "local", "bind": "loopback"},
        "agents": {"defaults": {"model": "demo/assistant", "skipBootstrap": true, "workspace": dir.join("workspace")}},
        "tools": {"allow": ["*"]},
        "plugins": {"load": {"paths": [plugin.root_dir]}, "entries": {plugin.id.as_str(): entry}, "slots": slots},
    });
    chela_config::merge_patch(&mut config, &Value::Object(script.gateway_config.clone()));
    config
}

/// A config for a plugin that cannot be without one.
fn generated(plugin: &PluginRecord) -> Option<Value> {
    let schema = plugin.manifest.config_schema();
    let is_needed = plugin.status == Status::Error || !arguments::is_valid(schema, &json!({}));
    is_needed.then(|| arguments::valid(schema)).flatten()
}
