//! Lanes: the ways to run plugin code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_manifest::permissions::Effective;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::CallTarget;
use crate::host::HostServices;
use crate::sandbox::SandboxStatus;

/// What a plugin is registered for (API-022).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistrationMode {
    /// An activating load.
    Full,
    /// The same load without activation: inspection.
    Discovery,
    /// A load for executable tools only.
    ToolDiscovery,
    /// Channel setup surfaces only.
    SetupOnly,
    /// Setup surfaces and setup runtime.
    SetupRuntime,
    /// CLI registrars only.
    CliMetadata,
}

/// Everything a lane needs to start one plugin.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// Manifest id.
    pub id: String,
    /// Display name, version and description from the manifest.
    pub name: Option<String>,
    /// See `name`.
    pub version: Option<String>,
    /// See `name`.
    pub description: Option<String>,
    /// Kinds of the manifest, for plugins whose module names none (API-007, API-083).
    pub kinds: Vec<String>,
    /// The plugin's directory.
    pub root_dir: PathBuf,
    /// The entry file.
    pub entry: PathBuf,
    /// Why it is loaded.
    pub mode: RegistrationMode,
    /// The effective config without secrets of others (`api.config`).
    pub config: Arc<Value>,
    /// The validated plugin config with defaults (API-017).
    pub plugin_config: Value,
    /// Workspace of the default agent.
    pub workspace_dir: PathBuf,
    /// The state directory.
    pub state_dir: PathBuf,
    /// Plugins of the same group share a worker (`plugins.entries.<id>.runtime.group`).
    pub group: Option<String>,
    /// Memory cap of the worker in MiB.
    pub memory_mib: u64,
    /// Environment variables that the manifest declares or the operator grants, beyond the harmless ones.
    pub env_grants: Vec<String>,
    /// Extra variables from `plugins.entries.<id>.env`.
    pub env: Vec<(String, String)>,
    /// What it may touch outside itself.
    pub permissions: Effective,
    /// Bundled plugins are trusted with reserved names.
    pub bundled: bool,
}

/// What the module exported about itself (API-002).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Definition {
    /// Exported id.
    pub id: Option<String>,
    /// Exported name (API-006).
    pub name: Option<String>,
    /// Exported version.
    pub version: Option<String>,
    /// Exported description.
    pub description: Option<String>,
    /// Exported kind, a string or a list (API-007).
    pub kind: Option<Value>,
    /// `object`, `activate` (an object whose entry is the older `activate`) or `function`.
    pub shape: Option<String>,
}

/// One `register*` or `on` call, in call order.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Registration {
    /// Method name, such as `registerTool`.
    pub method: String,
    /// Its arguments; functions are `{"$fn": handle}`.
    #[serde(default)]
    pub args: Vec<Value>,
}

/// What the loose linker had to make up (design: "Which SDK").
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LinkReport {
    /// Exports that the plugin names and the SDK does not carry.
    pub missing_exports: Vec<Value>,
    /// Subpaths that the plugin imports and the SDK does not carry.
    pub missing_subpaths: Vec<Value>,
}

/// A plugin that registered.
#[derive(Clone, Debug)]
pub struct StartedPlugin {
    /// What its module says about itself.
    pub definition: Definition,
    /// Its registrations in call order.
    pub registrations: Vec<Registration>,
    /// What the linker reported.
    pub link_report: LinkReport,
    /// Runs its functions.
    pub target: Arc<dyn CallTarget>,
    /// Stops and describes it.
    pub control: Arc<dyn PluginControl>,
    /// Time from the request to the end of `register`.
    pub duration: Duration,
}

/// Where a start failed (INS-327).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StartPhase {
    /// Before any code ran.
    Validation,
    /// While the module was loaded.
    Load,
    /// In `register`.
    Register,
}

/// Why a plugin did not start.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartError {
    /// Where.
    pub phase: StartPhase,
    /// The reference's wording where it has one (INS-328..330).
    pub message: String,
    /// True when a later attempt could succeed (a crash, a time-out), false when the plugin itself must change.
    pub transient: bool,
}

/// State of a plugin's worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// Never started, or stopped on purpose.
    #[default]
    Stopped,
    /// Between spawn and the end of `register`.
    Starting,
    /// Answers calls.
    Running,
    /// Ended unexpectedly; a new start is scheduled.
    Backoff,
    /// Failed too often; stays down until the operator acts.
    Quarantined,
}

/// The truth about a worker, for `plugins inspect`, `doctor` and the web page.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// State.
    pub state: WorkerState,
    /// The lane's name.
    pub lane: &'static str,
    /// Process id while running.
    pub pid: Option<u32>,
    /// Unexpected ends since the gateway started.
    pub restarts: u32,
    /// What happened last, for people.
    pub last_exit: Option<String>,
    /// Resident memory in bytes, children included.
    pub rss_bytes: Option<u64>,
    /// Calls answered or failed.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// The last failure.
    pub last_error: Option<String>,
    /// Names of environment variables that were kept from it.
    pub withheld_env: Vec<String>,
    /// Version of its runtime (`node v22.x`).
    pub runtime: Option<String>,
    /// Unix time in ms of the last start.
    pub started_at_ms: Option<i64>,
    /// Limits that the kernel holds for all of its processes together, or why there are none; absent while it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// How it is confined; absent for a plugin with the gateway's rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxStatus>,
}

/// Controls one started plugin.
#[async_trait]
pub trait PluginControl: Send + Sync + std::fmt::Debug {
    /// Stops the plugin's worker: asks first, kills the process tree after `grace`. No process is left when it returns.
    async fn stop(&self, reason: &str, grace: Duration);

    /// The worker's status now.
    fn status(&self) -> WorkerStatus;

    /// The registrations of the worker that runs now, when they can differ from those of the start (a restarted worker).
    fn registrations(&self) -> Option<Vec<Registration>> {
        None
    }

    /// Sends new config or an event to the plugin without waiting (`runtimeEvent`).
    fn notify(&self, name: &str, payload: &Value);
}

/// A way to run plugin code.
#[async_trait]
pub trait Lane: Send + Sync {
    /// The lane's name: `builtin`, `node`, ...
    fn name(&self) -> &'static str;

    /// Starts a plugin and returns what it registered.
    ///
    /// # Errors
    /// With the phase and a message for people; nothing of the plugin is left running then.
    async fn start(&self, spec: PluginSpec, host: Arc<dyn HostServices>) -> Result<StartedPlugin, StartError>;
}
