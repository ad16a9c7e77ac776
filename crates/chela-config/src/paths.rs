//! Where everything lives: home, state directory, configuration file (GW-126, GW-147).

use std::path::{Component, Path, PathBuf};

use crate::env::Env;
use crate::error::ConfigError;

/// Agent id used when none is configured.
pub const DEFAULT_AGENT_ID: &str = "main";

/// The three roots from which all other paths follow. Nothing is created by looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePaths {
    /// The home directory: `OPENCLAW_HOME`, else `HOME`.
    pub home: PathBuf,
    /// Mutable state: `OPENCLAW_STATE_DIR`, else `<home>/.openclaw`.
    pub state_dir: PathBuf,
    /// The configuration: `OPENCLAW_CONFIG_PATH`, else `<state_dir>/openclaw.json`.
    pub config_path: PathBuf,
}

impl StatePaths {
    /// Resolves the roots from the environment. `~` stands for the home directory; relative paths
    /// count from the working directory.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither `OPENCLAW_HOME` nor `HOME` is set.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let home = home_dir(env)?;
        let state_dir = match env.non_empty("OPENCLAW_STATE_DIR") {
            Some(dir) => expand_user(dir, &home),
            None => home.join(".openclaw"),
        };
        let config_path = match env.non_empty("OPENCLAW_CONFIG_PATH") {
            Some(path) => expand_user(path, &home),
            None => state_dir.join("openclaw.json"),
        };
        Ok(Self { home, state_dir, config_path })
    }

    /// Expands `~` and makes the path absolute, as for every path in the configuration.
    pub fn resolve_user_path(&self, path: &str) -> PathBuf {
        expand_user(path, &self.home)
    }

    /// `agents/<id>`: everything of one agent.
    pub fn agent_root(&self, agent: &str) -> PathBuf {
        self.state_dir.join("agents").join(normalize_agent_id(agent))
    }

    /// `agents/<id>/agent`: model list and auth profiles.
    pub fn agent_dir(&self, agent: &str) -> PathBuf {
        self.agent_root(agent).join("agent")
    }

    /// `agents/<id>/sessions`: `sessions.json` and transcripts.
    pub fn sessions_dir(&self, agent: &str) -> PathBuf {
        self.agent_root(agent).join("sessions")
    }

    /// `plugins/installs.json`: the index of installed plugins.
    pub fn plugins_index(&self) -> PathBuf {
        self.state_dir.join("plugins").join("installs.json")
    }

    /// `extensions/`: plugins installed for this user.
    pub fn extensions_dir(&self) -> PathBuf {
        self.state_dir.join("extensions")
    }

    /// `credentials/`, or `OPENCLAW_OAUTH_DIR`.
    pub fn credentials_dir(&self, env: &Env) -> PathBuf {
        match env.non_empty("OPENCLAW_OAUTH_DIR") {
            Some(dir) => self.resolve_user_path(dir),
            None => self.state_dir.join("credentials"),
        }
    }

    /// `devices/`: `paired.json` and `pending.json`.
    pub fn devices_dir(&self) -> PathBuf {
        self.state_dir.join("devices")
    }

    /// `nodes/`: `paired.json` and `pending.json`.
    pub fn nodes_dir(&self) -> PathBuf {
        self.state_dir.join("nodes")
    }

    /// `identity/device.json`: this installation's device key.
    pub fn identity_file(&self) -> PathBuf {
        self.state_dir.join("identity").join("device.json")
    }

    /// `logs/`.
    pub fn logs_dir(&self) -> PathBuf {
        self.state_dir.join("logs")
    }

    /// `logs/config-audit.jsonl`: one line per write of the configuration (GW-138).
    pub fn config_audit_file(&self) -> PathBuf {
        self.logs_dir().join("config-audit.jsonl")
    }

    /// What can be made or fetched again: `CHELA_CACHE_DIR`, else `chela` in the user's cache directory. It lies outside of the state
    /// directory, which shall hold nothing of a plugin that was removed.
    pub fn cache_dir(&self, env: &Env) -> PathBuf {
        if let Some(dir) = env.non_empty("CHELA_CACHE_DIR") {
            return self.resolve_user_path(dir);
        }
        let base = env.non_empty("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
        base.unwrap_or_else(|| self.home.join(".cache")).join("chela")
    }

    /// `chela/`: files of this program alone (database, packages, generated token).
    pub fn chela_dir(&self) -> PathBuf {
        self.state_dir.join("chela")
    }

    /// `workspace/`, or `workspace-<profile>` under the default state directory for a named profile.
    pub fn default_workspace(&self, env: &Env) -> PathBuf {
        let root = self.home.join(".openclaw");
        match env.non_empty("OPENCLAW_PROFILE").filter(|p| !p.eq_ignore_ascii_case("default")) {
            Some(profile) => root.join(format!("workspace-{profile}")),
            None => root.join("workspace"),
        }
    }

    /// Directories outside the configuration's own that `$include` may reach: `OPENCLAW_INCLUDE_ROOTS`,
    /// separated by `:` (GW-129).
    pub fn include_roots(&self, env: &Env) -> Vec<PathBuf> {
        let mut roots = Vec::new();
        for entry in env.non_empty("OPENCLAW_INCLUDE_ROOTS").unwrap_or("").split(':') {
            if !entry.trim().is_empty() {
                let root = self.resolve_user_path(entry);
                if !roots.contains(&root) {
                    roots.push(root);
                }
            }
        }
        roots
    }

    /// The path with the home directory written as `~`, for messages.
    pub fn display(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if !rest.as_os_str().is_empty() => format!("~/{}", rest.display()),
            _ => path.display().to_string(),
        }
    }
}

/// Lower-cases an agent id and replaces what may not stand in a file name; blank becomes `main`.
pub fn normalize_agent_id(id: &str) -> String {
    let lower = id.trim().to_lowercase();
    let mut out = String::with_capacity(lower.len());
    for c in lower.chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-' {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let valid_start = lower.starts_with(|c: char| c.is_ascii_alphanumeric());
    if out != lower || !valid_start {
        out = out.trim_matches('-').to_owned();
    }
    out.truncate(64);
    if out.is_empty() { DEFAULT_AGENT_ID.to_owned() } else { out }
}

pub(crate) fn home_dir(env: &Env) -> Result<PathBuf, ConfigError> {
    let usable = |name: &str| env.non_empty(name).filter(|v| *v != "undefined" && *v != "null");
    let os_home = usable("HOME").or_else(|| usable("USERPROFILE"));
    let home = match (usable("OPENCLAW_HOME"), os_home) {
        (Some(explicit), base) if explicit == "~" || explicit.starts_with("~/") => {
            let base = base.ok_or(ConfigError::NoHome)?;
            PathBuf::from(format!("{base}{}", &explicit[1..]))
        }
        (Some(explicit), _) => PathBuf::from(explicit),
        (None, Some(base)) => PathBuf::from(base),
        (None, None) => return Err(ConfigError::NoHome),
    };
    Ok(absolute(&home))
}

fn expand_user(path: &str, home: &Path) -> PathBuf {
    let path = path.trim();
    match path.strip_prefix('~') {
        Some("") => home.to_path_buf(),
        Some(rest) if rest.starts_with('/') => lexical(&home.join(rest.trim_start_matches('/'))),
        _ => absolute(Path::new(path)),
    }
}

fn absolute(path: &Path) -> PathBuf {
    lexical(&std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
}

/// Resolves `.` and `..` in the text of a path, without looking at the file system.
pub fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<StatePaths, ConfigError> {
        StatePaths::from_env(&pairs.iter().copied().collect())
    }

    // GW-126
    #[test]
    fn roots_follow_the_environment() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (&[("HOME", "/h")], "/h", "/h/.openclaw", "/h/.openclaw/openclaw.json"),
            (&[("HOME", "/h"), ("OPENCLAW_HOME", "/svc")], "/svc", "/svc/.openclaw", "/svc/.openclaw/openclaw.json"),
            (&[("HOME", "/h"), ("OPENCLAW_HOME", "~/svc")], "/h/svc", "/h/svc/.openclaw", "/h/svc/.openclaw/openclaw.json"),
            (&[("HOME", "/h"), ("OPENCLAW_STATE_DIR", " ~/st/../s2 ")], "/h", "/h/s2", "/h/s2/openclaw.json"),
            (&[("HOME", "/h"), ("OPENCLAW_CONFIG_PATH", "/etc/oc.json5")], "/h", "/h/.openclaw", "/etc/oc.json5"),
            (
                &[("HOME", "/h"), ("OPENCLAW_STATE_DIR", ""), ("OPENCLAW_CONFIG_PATH", "  ")],
                "/h",
                "/h/.openclaw",
                "/h/.openclaw/openclaw.json",
            ),
        ];
        for (env, home, state, config) in cases {
            let got = from(env).unwrap();
            assert_eq!(
                (got.home.as_path(), got.state_dir.as_path(), got.config_path.as_path()),
                (Path::new(home), Path::new(state), Path::new(config)),
                "{env:?}"
            );
        }
        assert!(matches!(from(&[]), Err(ConfigError::NoHome)));
    }

    // GW-147
    #[test]
    fn layout_of_the_state_directory() {
        let p = from(&[("HOME", "/h")]).unwrap();
        let s = Path::new("/h/.openclaw");
        assert_eq!(p.sessions_dir("Main"), s.join("agents/main/sessions"));
        assert_eq!(p.agent_dir("a b/../c"), s.join("agents/a-b-c/agent"));
        assert_eq!(p.identity_file(), s.join("identity/device.json"));
        assert_eq!(p.devices_dir(), s.join("devices"));
        assert_eq!(p.nodes_dir(), s.join("nodes"));
        assert_eq!(p.logs_dir(), s.join("logs"));
        assert_eq!(p.credentials_dir(&Env::default()), s.join("credentials"));
        assert_eq!(p.plugins_index(), s.join("plugins/installs.json"));
    }

    #[test]
    fn caches_lie_outside_of_the_state_directory() {
        for (pairs, expected) in [
            (&[("HOME", "/h")][..], "/h/.cache/chela"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")], "/c/chela"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")], "/h/.cache/chela"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("CHELA_CACHE_DIR", "~/x")], "/h/x"),
        ] {
            let env: Env = pairs.iter().copied().collect();
            assert_eq!(from(pairs).unwrap().cache_dir(&env), Path::new(expected), "{pairs:?}");
        }
    }

    #[test]
    fn agent_ids_are_safe_file_names() {
        for (id, want) in [
            ("", "main"),
            ("  ", "main"),
            ("Ops", "ops"),
            ("a_b-1", "a_b-1"),
            ("..", "main"),
            ("/etc/x", "etc-x"),
            ("über", "ber"),
            ("a//b", "a-b"),
        ] {
            assert_eq!(normalize_agent_id(id), want, "{id:?}");
        }
        assert_eq!(normalize_agent_id(&"x".repeat(200)).len(), 64);
    }
}
