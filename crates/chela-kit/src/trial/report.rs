//! What a trial tells.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::outside::Asked;

/// Everything about one tried plugin.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialReport {
    /// The plugin's id.
    pub plugin_id: String,
    /// Its version.
    pub version: Option<String>,
    /// Its directory.
    pub root_dir: PathBuf,
    /// True when nothing failed.
    pub ok: bool,
    /// Its start.
    pub load: Load,
    /// What it registered, by kind.
    pub registered: Registered,
    /// What was called, in order.
    pub calls: Vec<CallRow>,
    /// The turns that were played.
    pub turns: Vec<TurnRow>,
    /// What it asked of the world outside; nothing when the script lets it out.
    pub asked: Vec<Asked>,
    /// With permissions in the script: what it touched, what was denied, and the set that follows.
    pub permissions: Option<Value>,
    /// Registered functions that the trial does not call, and why.
    pub not_called: Vec<String>,
    /// Compatibility notices and missing names of the SDK.
    pub compatibility: Vec<Value>,
    /// Findings of the registration.
    pub diagnostics: Vec<Value>,
    /// What makes the trial fail.
    pub failures: Vec<String>,
    /// What the author should look at.
    pub warnings: Vec<String>,
}

/// How the plugin started.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// It registered.
    pub ok: bool,
    /// Time from the request to the end of `register`.
    pub ms: Option<f64>,
    /// Why it did not.
    pub error: Option<String>,
    /// Where it failed: `validation`, `load` or `register`.
    pub phase: Option<String>,
    /// The runtime, such as `node v22.16.0`.
    pub runtime: Option<String>,
}

/// What a plugin registered.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Tools.
    pub tools: Vec<String>,
    /// Typed hooks, one for each handler.
    pub hooks: Vec<String>,
    /// Internal hooks, as `name (event)`.
    pub internal_hooks: Vec<String>,
    /// Chat commands.
    pub commands: Vec<String>,
    /// Commands of the command line.
    pub cli_commands: Vec<String>,
    /// Services.
    pub services: Vec<String>,
    /// Gateway methods.
    pub gateway_methods: Vec<String>,
    /// HTTP routes.
    pub http_routes: usize,
    /// Model providers.
    pub providers: Vec<String>,
    /// Channels.
    pub channels: Vec<String>,
    /// Context engines.
    pub context_engines: Vec<String>,
    /// Everything else, as `method id`: speech, search, media, embeddings, policies, and so on.
    pub capabilities: Vec<String>,
    /// What nothing consumes yet, as `method id`.
    pub recorded_only: Vec<String>,
}

/// One call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRow {
    /// `tool`, `hook`, `internalHook`, `command`, `gatewayMethod`, `httpRoute`, `cli`, `channel`, `service`, `provider` or `function`.
    pub kind: &'static str,
    /// What was called.
    pub name: String,
    /// `start` when the start did, `turn` when a turn led to it, `synthetic` for a dispatch with a sample event, `direct` otherwise.
    pub how: &'static str,
    /// For tools: whether the arguments fit the schema.
    pub valid_arguments: Option<bool>,
    /// Arguments or event.
    pub input: Value,
    /// `returned`, `threw`, `timedOut`, `gone` or `refused`.
    pub outcome: &'static str,
    /// What it returned.
    pub returned: Option<Value>,
    /// What it threw.
    pub error: Option<String>,
    /// How long it took.
    pub ms: f64,
}

/// One played turn.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRow {
    /// What was said.
    pub message: String,
    /// `ok`, `error`, `timeout` or `aborted`.
    pub status: &'static str,
    /// The answer.
    pub text: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took.
    pub ms: f64,
}
