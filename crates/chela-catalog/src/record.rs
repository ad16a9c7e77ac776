//! One plugin as the catalog knows it.

use std::path::PathBuf;
use std::sync::Arc;

use chela_manifest::permissions::Effective;
use chela_manifest::{ChannelConfig, Manifest, PackageMeta};
use serde_json::Value;

pub use crate::bundle::{BundleContent, BundleFormat};
use crate::installs::InstallRecord;
use crate::policy::EntryPolicy;

/// Where a plugin was found (INS-001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// A path of `plugins.load.paths`.
    Config,
    /// `<workspace>/.openclaw/extensions`.
    Workspace,
    /// `<state dir>/extensions`, or the path of an install record.
    Global,
    /// Part of the program.
    Bundled,
}

impl Origin {
    /// The name that JSON output and diagnostics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Workspace => "workspace",
            Self::Global => "global",
            Self::Bundled => "bundled",
        }
    }
}

/// How the plugin's code would be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Rust code inside the program.
    Builtin,
    /// JavaScript or TypeScript in a worker process.
    Node,
    /// A content bundle; not built yet, so it never starts.
    Bundle,
}

/// What decided enablement (INS-050..INS-055).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationSource {
    /// The operator chose it.
    Explicit,
    /// Other config implies it.
    Auto,
    /// It is on by default.
    Default,
    /// It is off.
    Disabled,
}

impl ActivationSource {
    /// The name that JSON output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Auto => "auto",
            Self::Default => "default",
            Self::Disabled => "disabled",
        }
    }
}

/// Status of a plugin as far as files and config tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Enabled and usable; the code may not have been started yet.
    Loaded,
    /// Off, see the activation reason.
    Disabled,
    /// Enabled but unusable, see the error.
    Error,
}

impl Status {
    /// The name that JSON output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Disabled => "disabled",
            Self::Error => "error",
        }
    }
}

/// Why a plugin has status `error`, and in which phase (INS-327).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `validation` here; `load` and `register` come from the runtime.
    pub phase: &'static str,
    /// One line.
    pub message: String,
}

/// One plugin of the snapshot.
#[derive(Debug, Clone)]
pub struct PluginRecord {
    /// Plugin id.
    pub id: String,
    /// Display name: manifest, else package, else id (MAN-026).
    pub name: String,
    /// Description: manifest, else package (MAN-027).
    pub description: Option<String>,
    /// Version: manifest, else package; the host's for bundled plugins (MAN-028, MAN-030).
    pub version: Option<String>,
    /// Where it was found.
    pub origin: Origin,
    /// Real path of the plugin root; `builtin:<id>` for bundled plugins.
    pub root_dir: PathBuf,
    /// Entry file; the root for bundles and bundled plugins.
    pub source: PathBuf,
    /// Setup-only module (MAN-204).
    pub setup_source: Option<PathBuf>,
    /// Set for bundles (BUN-027).
    pub bundle_format: Option<BundleFormat>,
    /// What a bundle brings; absent for everything else (BUN-027).
    pub bundle: Option<Arc<BundleContent>>,
    /// How its code would be run.
    pub lane: Lane,
    /// The manifest; of a bundle, only id, name, description, version and skill roots are set (BUN-029).
    pub manifest: Arc<Manifest>,
    /// Path of the manifest file.
    pub manifest_path: PathBuf,
    /// `package.json`, if there is one.
    pub package: Option<Arc<PackageMeta>>,
    /// The workspace that a workspace plugin belongs to.
    pub workspace_dir: Option<PathBuf>,
    /// The install record that covers the plugin's path, if any.
    pub install: Option<InstallRecord>,
    /// Enabled by policy. An enabled plugin with status `error` still does not start.
    pub enabled: bool,
    /// The operator selected it by name (INS-050).
    pub explicitly_enabled: bool,
    /// What decided.
    pub activation_source: ActivationSource,
    /// Why it is on or off; a plugin that is on by default outside the program has none (INS-055).
    pub activation_reason: Option<String>,
    /// Status from files and config.
    pub status: Status,
    /// Set with status `error`.
    pub failure: Option<Failure>,
    /// True when this plugin fills the memory slot.
    pub fills_memory_slot: bool,
    /// True when this plugin is the selected context engine.
    pub fills_context_engine_slot: bool,
    /// Config of the plugin with the schema's defaults filled in; `None` when it is off and has no
    /// config, or when the config is invalid (MAN-050, MAN-055).
    pub config: Option<Value>,
    /// What the operator set under `plugins.entries.<id>`.
    pub policy: EntryPolicy,
    /// Channel descriptors, package metadata merged in (MAN-185).
    pub channel_configs: std::collections::BTreeMap<String, ChannelConfig>,
    /// Compatibility codes, sorted (MAN-149, MAN-151, MAN-172).
    pub compat: Vec<&'static str>,
}

impl PluginRecord {
    /// What the plugin may touch outside itself: what the operator granted, given what the manifest asks for.
    pub fn permissions(&self) -> Effective {
        self.policy.permissions.effective(self.manifest.permissions.as_ref())
    }

    /// True when the plugin is enabled and nothing keeps it from starting.
    pub fn is_startable(&self) -> bool {
        self.status == Status::Loaded && self.lane != Lane::Bundle
    }

    /// `openclaw` or `bundle`, as JSON output names it.
    pub fn format(&self) -> &'static str {
        match self.bundle_format {
            Some(_) => "bundle",
            None => "openclaw",
        }
    }
}
