//! Handlers of `HOOK.md` hooks: all of them in one worker, which the manager starts, stops and swaps like that of a plugin
//! (HOOK-281..291); the bundled ones in this process. No record of the catalog stands for them, and with no hook there is no worker.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chela_catalog::policy::EntryPolicy;
use chela_catalog::{ActivationSource, Lane, Origin, PluginRecord, Snapshot, Status};
use chela_config::{Config, Env};
use chela_hook_files::{HookInputs, LoadPlan};
use chela_plugin::{PluginSpec, WorkerState, WorkerStatus};
use serde_json::{Value, json};

use crate::assemble::Host;

/// The id under which the hooks' worker runs. No manifest can have it: ids of plugins become directory names.
pub const HOOK_FILES_ID: &str = "chela/hook-files";
/// True for what runs hooks and is no plugin.
pub fn is_hook_runner(id: &str) -> bool {
    id == HOOK_FILES_ID || id == chela_plugin_hooks::ID
}

/// What the worker loads instead of a plugin's entry.
const ENTRY: &str = "chela:hook-files";

impl Host {
    /// Why the worker of the hooks does not run, when it should.
    pub fn hook_files_trouble(&self) -> Option<String> {
        let view = self.manager.view(HOOK_FILES_ID);
        let down = |worker: &WorkerStatus| matches!(worker.state, WorkerState::Quarantined | WorkerState::Backoff);
        view.error.or_else(|| view.worker.filter(down)?.last_exit)
    }
}

/// What stands for the hooks that this config loads, if there are any. Blocks on the disk.
pub(crate) fn records(config: &Config, env: &Env, snapshot: &Snapshot) -> Vec<PluginRecord> {
    let internal = config.effective.pointer("/hooks/internal");
    if !internal.is_some_and(chela_hook_files::is_configured) {
        return Vec::new();
    }
    let inputs = HookInputs::new(config, env, snapshot);
    let plan = chela_hook_files::plan(&inputs);
    plan.warnings.iter().for_each(|warning| tracing::warn!(target: "hooks", "{warning}"));
    let mut out = Vec::new();
    if !plan.bundled.is_empty() {
        let hooks: serde_json::Map<String, Value> = plan.bundled.iter().cloned().collect();
        out.push(record(chela_plugin_hooks::ID, &inputs, json!({ "hooks": hooks })));
    }
    if !plan.hooks.is_empty() {
        let names: Vec<&str> = plan.hooks.iter().map(|hook| hook.name.as_str()).collect();
        tracing::info!(target: "hooks", hooks = ?names, "hooks to load");
        out.push(record(HOOK_FILES_ID, &inputs, worker_config(&plan)));
    }
    out
}

/// All that the worker is started with; compared when the config changes.
fn worker_config(plan: &LoadPlan) -> Value {
    let row = |hook: &chela_hook_files::PlannedHook| {
        json!({
            "name": hook.name, "description": hook.description, "events": hook.events, "file": hook.file, "root": hook.root,
            "export": hook.export, "stamp": format!("{}-{}", hook.stamp.0, hook.stamp.1),
        })
    };
    let env: BTreeMap<&str, &str> = plan.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    json!({"hooks": plan.hooks.iter().map(row).collect::<Vec<_>>(), "env": env, "envNames": plan.env_names})
}

fn record(id: &str, inputs: &HookInputs, config: Value) -> PluginRecord {
    let manifest = chela_manifest::Manifest { id: id.to_owned(), ..chela_manifest::Manifest::default() };
    PluginRecord {
        id: id.to_owned(),
        name: "Hooks".to_owned(),
        description: None,
        version: None,
        origin: Origin::Global,
        root_dir: inputs.managed_dir.clone(),
        source: PathBuf::from(ENTRY),
        setup_source: None,
        bundle_format: None,
        bundle: None,
        lane: Lane::Node,
        manifest: Arc::new(manifest),
        manifest_path: PathBuf::new(),
        package: None,
        workspace_dir: None,
        install: None,
        enabled: true,
        explicitly_enabled: true,
        activation_source: ActivationSource::Explicit,
        activation_reason: None,
        status: Status::Loaded,
        failure: None,
        fills_memory_slot: false,
        fills_context_engine_slot: false,
        config: Some(config),
        policy: EntryPolicy::default(),
        channel_configs: BTreeMap::new(),
        compat: Vec::new(),
    }
}

/// Takes the variables out of what the handlers' process is told, and grants them.
pub(crate) fn finish(spec: &mut PluginSpec) {
    let Some(config) = spec.plugin_config.as_object_mut() else { return };
    if let Some(Value::Object(env)) = config.shift_remove("env") {
        spec.env = env.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    }
    if let Some(Value::Array(names)) = config.shift_remove("envNames") {
        spec.env_grants = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
}
