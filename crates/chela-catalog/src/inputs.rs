//! What a scan needs to know. Nothing is read from the process: the caller passes it all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_manifest::{Manifest, ManifestError, PackageMeta, parse_manifest};
use serde_json::Value;

/// Inputs of [`crate::scan`].
#[derive(Debug, Clone)]
pub struct CatalogInputs {
    /// State directory (`~/.openclaw` by default).
    pub state_dir: PathBuf,
    /// Home directory, for `~` in load paths (INS-005).
    pub home_dir: PathBuf,
    /// Workspace of the default agent; its `.openclaw/extensions` is scanned when given.
    pub workspace_dir: Option<PathBuf>,
    /// The whole effective config, environment substituted.
    pub config: Value,
    /// Environment variables; only `OPENCLAW_*` switches are looked at.
    pub env: BTreeMap<String, String>,
    /// Plugins that are part of the program.
    pub bundled: Vec<BundledPlugin>,
    /// The version that plugins may ask for, usually [`crate::HOST_COMPAT_VERSION`].
    pub host_version: String,
    /// Platform name as Node spells it (`linux`, `darwin`, `win32`).
    pub platform: String,
    /// The owner that plugin files must have, if not root; the current user by default (INS-023).
    pub owner_uid: Option<u32>,
}

impl CatalogInputs {
    /// Inputs with defaults: no workspace, no bundled plugins, an empty environment, this platform.
    pub fn new(state_dir: impl Into<PathBuf>, home_dir: impl Into<PathBuf>, config: Value) -> Self {
        Self {
            state_dir: state_dir.into(),
            home_dir: home_dir.into(),
            workspace_dir: None,
            config,
            env: BTreeMap::new(),
            bundled: Vec::new(),
            host_version: crate::HOST_COMPAT_VERSION.to_owned(),
            platform: node_platform().to_owned(),
            owner_uid: None,
        }
    }

    /// Expands `~` and makes the path absolute relative to the home directory (INS-005).
    pub(crate) fn user_path(&self, text: &str) -> PathBuf {
        let text = text.trim();
        if text == "~" {
            return self.home_dir.clone();
        }
        if let Some(rest) = text.strip_prefix("~/") {
            return self.home_dir.join(rest);
        }
        let path = Path::new(text);
        match std::path::absolute(path) {
            Ok(path) => path,
            Err(_) => path.to_owned(),
        }
    }

    pub(crate) fn env_is_set(&self, name: &str) -> bool {
        self.env.get(name).is_some_and(|value| !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off"))
    }
}

/// The platform name that Node programs and manifests use.
pub fn node_platform() -> &'static str {
    match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        "solaris" | "illumos" => "sunos",
        other => other,
    }
}

/// A plugin that is compiled into the program.
#[derive(Debug, Clone)]
pub struct BundledPlugin {
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Its package metadata, if it has any.
    pub package: Option<Arc<PackageMeta>>,
    /// What `rootDir` shows; no directory of this name has to exist.
    pub root_dir: PathBuf,
}

impl BundledPlugin {
    /// Reads the manifest that is embedded in the program; the root is shown as `builtin:<id>`.
    ///
    /// # Errors
    /// [`ManifestError`], which a test of the bundled plugin should have caught.
    pub fn from_manifest_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = parse_manifest(bytes)?.manifest;
        let root_dir = PathBuf::from(format!("builtin:{}", manifest.id));
        Ok(Self { manifest: Arc::new(manifest), package: None, root_dir })
    }
}
