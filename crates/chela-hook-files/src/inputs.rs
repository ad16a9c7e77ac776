//! What discovery needs to know. Nothing is read from the process: the caller passes it all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_catalog::{Snapshot, hook_dirs, node_platform};
use chela_config::{Config, Env};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Where a hook comes from, by rising precedence (HOOK-281).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookSource {
    /// Part of the program.
    Bundled,
    /// A directory of a plugin.
    Plugin,
    /// The user's hook directory, or one that the operator added.
    Managed,
    /// The workspace of the default agent.
    Workspace,
}

impl HookSource {
    /// The name that output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundled => "openclaw-bundled",
            Self::Plugin => "openclaw-plugin",
            Self::Managed => "openclaw-managed",
            Self::Workspace => "openclaw-workspace",
        }
    }

    /// True when a hook of this source takes the place of one of `other` with the same name (HOOK-282).
    pub(crate) fn replaces(self, other: Self) -> bool {
        match self {
            Self::Bundled => false,
            Self::Plugin => other == Self::Bundled,
            Self::Managed => other != Self::Workspace,
            Self::Workspace => other == Self::Workspace,
        }
    }
}

impl Serialize for HookSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A directory of hooks that a plugin brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginHookDir {
    /// The plugin.
    pub plugin_id: String,
    /// Its directory; hooks lie inside it.
    pub root: PathBuf,
    /// The directory as the plugin names it, relative to the root.
    pub path: String,
}

/// Inputs of [`crate::discover`].
#[derive(Debug, Clone)]
pub struct HookInputs {
    /// `<state>/hooks`.
    pub managed_dir: PathBuf,
    /// Workspace of the default agent.
    pub workspace_dir: PathBuf,
    /// `hooks.internal.load.extraDirs`, made absolute.
    pub extra_dirs: Vec<PathBuf>,
    /// Directories of enabled plugins.
    pub plugin_dirs: Vec<PluginHookDir>,
    /// The effective config.
    pub config: Arc<Value>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Platform as Node spells it.
    pub platform: String,
}

impl HookInputs {
    /// Inputs by a config and the catalog that was made from it.
    pub fn new(config: &Config, env: &Env, snapshot: &Snapshot) -> Self {
        let (paths, agents) = (&config.paths, config.agents());
        let workspace = agents.get(&agents.default_id).map(|agent| agent.workspace.clone());
        let listed = config.effective.pointer("/hooks/internal/load/extraDirs").and_then(Value::as_array).into_iter().flatten();
        let dirs = listed.filter_map(Value::as_str).map(str::trim).filter(|dir| !dir.is_empty());
        Self {
            managed_dir: paths.state_dir.join("hooks"),
            workspace_dir: workspace.unwrap_or_else(|| paths.default_workspace(env)),
            extra_dirs: dirs.map(|dir| paths.resolve_user_path(dir)).collect(),
            plugin_dirs: plugin_dirs(snapshot),
            config: snapshot.config.clone(),
            env: env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            platform: node_platform().to_owned(),
        }
    }

    /// `hooks.internal` of the config.
    pub(crate) fn internal(&self) -> &Value {
        self.config.pointer("/hooks/internal").unwrap_or(&Value::Null)
    }

    /// The entry of a hook in the config.
    pub(crate) fn entry(&self, key: &str) -> &Value {
        self.internal().get("entries").and_then(|entries| entries.get(key)).unwrap_or(&Value::Null)
    }

    pub(crate) fn workspace_hooks(&self) -> PathBuf {
        self.workspace_dir.join("hooks")
    }
}

fn plugin_dirs(snapshot: &Snapshot) -> Vec<PluginHookDir> {
    let of = |plugin: &chela_catalog::PluginRecord| {
        let (plugin_id, root) = (plugin.id.clone(), plugin.root_dir.clone());
        hook_dirs(plugin).into_iter().map(move |path| PluginHookDir { plugin_id: plugin_id.clone(), root: root.clone(), path })
    };
    snapshot.plugins.iter().flat_map(of).collect()
}

/// The real path of `path` below `root`, when it is there and inside.
pub(crate) fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let real = root.join(path).canonicalize().ok()?;
    let root = root.canonicalize().ok()?;
    real.starts_with(&root).then_some(real)
}

#[cfg(test)]
mod tests {
    use chela_catalog::{CatalogInputs, scan};
    use serde_json::json;

    use super::*;

    // BUN-032, BUN-044, BUN-069, BUN-070
    #[test]
    fn directories_of_bundles() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for (id, format, fields, expected) in [
            ("default", "codex", json!({}), &["hooks"][..]),
            ("declared", "codex", json!({"hooks": ["./mine", " ", 5, "more"]}), &["./mine", "more"]),
            ("blank", "codex", json!({"hooks": " "}), &["hooks"]),
            ("claude", "claude", json!({}), &[]),
            ("claude-own", "claude", json!({"hooks": "./mine"}), &["./mine"]),
            ("cursor", "cursor", json!({"hooks": "./mine"}), &[]),
            ("off", "codex", json!({}), &[]),
        ] {
            let root = base.join(id);
            for sub in [format!(".{format}-plugin"), "hooks".to_owned()] {
                fs_err::create_dir_all(root.join(sub)).unwrap();
            }
            let mut manifest = fields.clone();
            manifest["name"] = id.into();
            fs_err::write(root.join(format!(".{format}-plugin/plugin.json")), manifest.to_string()).unwrap();
            fs_err::write(root.join("hooks/hooks.json"), "{}").unwrap();
            let config = json!({"plugins": {"load": {"paths": [root]}, "entries": {id: {"enabled": id != "off"}}}});
            let snapshot = scan(&CatalogInputs::new(base.join("state"), &base, config));
            let found: Vec<String> = plugin_dirs(&snapshot).into_iter().map(|place| place.path).collect();
            assert_eq!((snapshot.plugins.len(), found), (1, expected.iter().map(|path| (*path).to_owned()).collect()), "{id}");
        }
    }
}
