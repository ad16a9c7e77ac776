//! What every command needs: environment, paths, config, catalog. Each is read when it is first asked for.

use std::future::Future;
use std::path::PathBuf;
use std::time::Instant;

use chela_catalog::{CatalogInputs, Snapshot};
use chela_config::{Config, ConfigIssue, Env, SensitiveHint, StatePaths};

use crate::cli::Globals;
use crate::report::{Failure, warn};

/// The surroundings of one invocation.
#[derive(Debug)]
pub struct Context {
    /// The environment, `.env` files and the profile included.
    pub env: Env,
    /// Where things are.
    pub paths: StatePaths,
    /// When the process began.
    pub started: Instant,
}

impl Context {
    /// Reads the process environment, applies `--dev` and `--profile`, then loads `.env` files (GW-131).
    ///
    /// # Errors
    /// When no home directory is known or the profile's name is not a name.
    pub fn from_process(globals: Globals, started: Instant) -> Result<Self, Failure> {
        let mut env = Env::from_process();
        let profile = if globals.dev { Some("dev") } else { globals.profile.as_deref() };
        if let Some(profile) = profile {
            env.apply_profile(profile)?;
        }
        if let Some(level) = &globals.log_level {
            env.set("OPENCLAW_LOG_LEVEL", level.as_str());
        }
        let paths = StatePaths::from_env(&env)?;
        let cwd = std::env::current_dir().unwrap_or_else(|_| paths.home.clone());
        for warning in env.load_dotenv(&cwd, &paths).warnings {
            warn(&warning);
        }
        let paths = StatePaths::from_env(&env)?;
        Ok(Self { env, paths, started })
    }

    /// The config; an invalid one ends the command (INS-338).
    ///
    /// # Errors
    /// As [`chela_config::load`].
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(chela_config::load(&self.paths, &self.env)?)
    }

    /// The config even when it is invalid, with its issues, for commands that help to mend it.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn config_lenient(&self) -> Result<(Config, Vec<ConfigIssue>), Failure> {
        Ok(chela_config::load_lenient(&self.paths, &self.env)?)
    }

    /// Looks at all plugins on disk; runs none.
    pub fn scan(&self, config: &Config) -> Snapshot {
        chela_catalog::scan(&catalog_inputs(&self.env, config))
    }

    /// Config paths that plugins mark as secrets (MAN-074).
    pub fn sensitive_hints(&self, snapshot: &Snapshot) -> Vec<SensitiveHint> {
        let mut hints = Vec::new();
        for plugin in &snapshot.plugins {
            let marked = plugin.manifest.raw.get("uiHints").and_then(serde_json::Value::as_object);
            for (path, hint) in marked.into_iter().flatten() {
                if let Some(sensitive) = hint.get("sensitive").and_then(serde_json::Value::as_bool) {
                    hints.push(SensitiveHint { path: format!("plugins.entries.{}.config.{path}", plugin.id), sensitive });
                }
            }
        }
        hints
    }

    /// Where the gateway writes its log (GW-F13): the configured file, else `logs/gateway.jsonl` of the state directory.
    pub fn log_file(&self, config: Option<&Config>) -> PathBuf {
        let configured = config.and_then(|config| config.logging().file);
        configured.unwrap_or_else(|| self.paths.logs_dir().join("gateway.jsonl"))
    }

    /// A path with the home directory as `~`.
    pub fn show(&self, path: &std::path::Path) -> String {
        self.paths.display(path)
    }
}

/// What a scan needs to know under this config.
pub fn catalog_inputs(env: &Env, config: &Config) -> CatalogInputs {
    let mut inputs = CatalogInputs::new(&config.paths.state_dir, &config.paths.home, config.effective.clone());
    let agents = config.agents();
    inputs.workspace_dir = agents.get(&agents.default_id).map(|agent| agent.workspace.clone());
    inputs.env = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    inputs.bundled = chela_host::bundled_manifests();
    inputs
}

/// Runs a client's future. Commands that need no socket never get here, so they pay for no runtime.
///
/// # Errors
/// Those of the future, and when the system gives no runtime.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new("cannot start the asynchronous runtime").cause(error.to_string()))?.block_on(future)
}
