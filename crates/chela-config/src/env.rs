//! The process environment as a value that is passed in, and `.env` files (GW-131).

mod blocked;
mod dotenv;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::ConfigError;
use crate::paths::StatePaths;
use crate::subst::contains_reference;

pub use blocked::is_dangerous_name;
pub use dotenv::parse_dotenv;

/// Environment variables. Libraries take this instead of reading the process, so that tests and
/// workers see exactly what they are given. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

/// What [`Env::load_dotenv`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DotenvReport {
    /// The files that were read, in the order in which they were applied.
    pub files: Vec<PathBuf>,
    /// Unreadable files, refused names and contradictions; names only, never values.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl Env {
    /// The variables of this process. Variables that are not UTF-8 are left out. `HOME` is filled in
    /// from the user database when it is not set, so that services without it still find their files.
    pub fn from_process() -> Self {
        let mut env: Self =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?))).collect();
        if env.non_empty("HOME").is_none()
            && let Some(home) = std::env::home_dir().and_then(|home| home.into_os_string().into_string().ok())
        {
            env.set("HOME", home);
        }
        env
    }

    /// The value as it is set, also when it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The trimmed value, or nothing when it is unset or blank.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Sets a variable, replacing an earlier value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Selects a named profile as `--profile` does: `OPENCLAW_PROFILE`, and, unless they are set
    /// already, `OPENCLAW_STATE_DIR` (`~/.openclaw-<name>`), `OPENCLAW_CONFIG_PATH` and, for `dev`,
    /// port 19001. A blank name and `default` change nothing.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when no home directory is known,
    /// [`ConfigError::BadPath`] when the name is not a plain name.
    pub fn apply_profile(&mut self, profile: &str) -> Result<(), ConfigError> {
        let profile = profile.trim();
        if profile.is_empty() || profile.eq_ignore_ascii_case("default") {
            return Ok(());
        }
        if !profile.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(ConfigError::BadPath {
                path: profile.to_owned(),
                message: "a profile name consists of letters, digits, `-` and `_`".to_owned(),
            });
        }
        let home = crate::paths::home_dir(self)?;
        self.set("OPENCLAW_PROFILE", profile);
        if self.non_empty("OPENCLAW_STATE_DIR").is_none() {
            let dir = home.join(format!(".openclaw-{profile}"));
            self.set("OPENCLAW_STATE_DIR", dir.to_string_lossy());
        }
        if self.non_empty("OPENCLAW_CONFIG_PATH").is_none() {
            let paths = StatePaths::from_env(self)?;
            self.set("OPENCLAW_CONFIG_PATH", paths.state_dir.join("openclaw.json").to_string_lossy());
        }
        if profile == "dev" && self.non_empty("OPENCLAW_GATEWAY_PORT").is_none() {
            self.set("OPENCLAW_GATEWAY_PORT", "19001");
        }
        Ok(())
    }

    /// Loads `.env` from the working directory, then from the state directory; the first one to name
    /// a variable wins and neither replaces a variable of the process (GW-131). A working directory
    /// may be somebody else's project: its file must not redirect the gateway, so names that steer
    /// programs, endpoints or this program itself are refused there.
    pub fn load_dotenv(&mut self, cwd: &Path, paths: &StatePaths) -> DotenvReport {
        let mut report = DotenvReport::default();
        self.load_dotenv_file(&cwd.join(".env"), blocked::is_blocked_in_workspace, &mut report);
        self.load_dotenv_file(&paths.state_dir.join(".env"), |_| false, &mut report);
        if paths.state_dir == paths.home.join(".openclaw") {
            let fallback = paths.home.join(".config").join("openclaw").join("gateway.env");
            self.load_dotenv_file(&fallback, |_| false, &mut report);
        }
        report
    }

    fn load_dotenv_file(&mut self, path: &Path, blocked: impl Fn(&str) -> bool, report: &mut DotenvReport) {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                report.warnings.push(error.to_string());
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        for (name, value) in parse_dotenv(&text) {
            if !is_portable_name(&name) {
                report.warnings.push(format!("`{}`: `{name}` is not a variable name", path.display()));
            } else if blocked(&name) {
                report.warnings.push(format!("`{}`: `{name}` may not be set from a working directory", path.display()));
            } else if self.get(&name).is_none() {
                self.set(name, value);
            }
        }
        report.files.push(path.to_path_buf());
    }

    /// Adds the `env` block of a configuration (`env.vars.*` and `env.<NAME>`): only variables that
    /// are unset or blank, only non-blank strings without `${...}`, no names that could redirect programs.
    pub fn apply_config_block(&mut self, config: &Value) {
        let Some(block) = config.get("env").and_then(Value::as_object) else {
            return;
        };
        let vars = block.get("vars").and_then(Value::as_object).into_iter().flatten();
        let direct = block.iter().filter(|(key, _)| *key != "vars" && *key != "shellEnv");
        let mut wanted = BTreeMap::new();
        for (name, value) in vars.chain(direct) {
            if let Some(value) = value.as_str() {
                wanted.insert(name.trim(), value);
            }
        }
        for (name, value) in wanted {
            let usable = is_portable_name(name) && !is_dangerous_name(name) && !value.trim().is_empty();
            if usable && self.non_empty(name).is_none() && !contains_reference(value) {
                self.set(name, value);
            }
        }
    }
}

fn is_portable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(dir: &Path) -> StatePaths {
        let env: Env = [("HOME", dir.to_str().unwrap())].into_iter().collect();
        StatePaths::from_env(&env).unwrap()
    }

    // GW-131
    #[test]
    fn dotenv_order_is_process_then_cwd_then_state_dir() {
        let tmp = tempfile::tempdir().unwrap();
        let cwd = tmp.path().join("project");
        let state = tmp.path().join(".openclaw");
        fs_err::create_dir_all(&cwd).unwrap();
        fs_err::create_dir_all(&state).unwrap();
        fs_err::write(cwd.join(".env"), "A=cwd\nB=cwd\nOPENAI_API_KEY=steal\nFOO_BASE_URL=http://evil\nLD_PRELOAD=x\n").unwrap();
        fs_err::write(state.join(".env"), "A=state\nB=state\nC=state\nOPENAI_API_KEY=mine\n").unwrap();
        let mut env: Env = [("A", "process")].into_iter().collect();
        let report = env.load_dotenv(&cwd, &paths(tmp.path()));
        assert_eq!(env.get("A"), Some("process"));
        assert_eq!(env.get("B"), Some("cwd"));
        assert_eq!(env.get("C"), Some("state"));
        assert_eq!(env.get("OPENAI_API_KEY"), Some("mine"), "only the state directory may set credentials");
        assert_eq!(env.get("FOO_BASE_URL"), None);
        assert_eq!(env.get("LD_PRELOAD"), None);
        assert_eq!(report.files.len(), 2);
        assert_eq!(report.warnings.len(), 3, "{:?}", report.warnings);
        assert!(!report.warnings.iter().any(|w| w.contains("steal")), "a warning must not show a value");
    }

    // GW-131
    #[test]
    fn config_block_fills_in_only_what_is_missing() {
        let mut env: Env = [("KEEP", "process"), ("BLANK", "  ")].into_iter().collect();
        env.apply_config_block(&json!({"env": {
            "KEEP": "config", "BLANK": "filled", "DIRECT": "d", "REF": "${OTHER}", "NODE_OPTIONS": "--evil", "EMPTY": "",
            "shellEnv": {"enabled": true},
            "vars": {"VAR": "v", "DIRECT": "overridden"}
        }}));
        assert_eq!(env.get("KEEP"), Some("process"));
        assert_eq!(env.get("BLANK"), Some("filled"));
        assert_eq!(env.get("DIRECT"), Some("d"));
        assert_eq!(env.get("VAR"), Some("v"));
        for name in ["REF", "NODE_OPTIONS", "EMPTY", "shellEnv"] {
            assert_eq!(env.get(name), None, "{name}");
        }
    }

    // GW-126
    #[test]
    fn profile_selects_its_own_state_directory() {
        let mut env: Env = [("HOME", "/home/u")].into_iter().collect();
        env.apply_profile("dev").unwrap();
        let paths = StatePaths::from_env(&env).unwrap();
        assert_eq!(paths.state_dir, Path::new("/home/u/.openclaw-dev"));
        assert_eq!(paths.config_path, Path::new("/home/u/.openclaw-dev/openclaw.json"));
        assert_eq!(env.get("OPENCLAW_GATEWAY_PORT"), Some("19001"));
        assert!(env.apply_profile("../x").is_err());
    }

    #[test]
    fn debug_hides_values() {
        let env: Env = [("TOKEN", "hunter2")].into_iter().collect();
        let shown = format!("{env:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"));
    }
}
