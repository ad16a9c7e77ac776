//! Handlers of `HOOK.md` hooks: all of them in one worker, which the manager starts, stops and swaps like that of a plugin
//! (HOOK-281..291). No record of the catalog stands for it, and with no hook to load there is no worker.

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
pub(crate) fn record(config: &Config, env: &Env, snapshot: &Snapshot) -> Option<PluginRecord> {
    let internal = config.effective.pointer("/hooks/internal")?;
    if !chela_hook_files::is_configured(internal) {
        return None;
    }
    let inputs = HookInputs::new(config, env, snapshot);
    let plan = chela_hook_files::plan(&inputs);
    plan.warnings.iter().for_each(|warning| tracing::warn!(target: "hooks", "{warning}"));
    if plan.hooks.is_empty() {
        return None;
    }
    let names: Vec<&str> = plan.hooks.iter().map(|hook| hook.name.as_str()).collect();
    tracing::info!(target: "hooks", hooks = ?names, "hooks to load");
    Some(made_of(&plan, &inputs))
}

fn made_of(plan: &LoadPlan, inputs: &HookInputs) -> PluginRecord {
    let row = |hook: &chela_hook_files::PlannedHook| {
        json!({
            "name": hook.name, "description": hook.description, "events": hook.events, "file": hook.file, "root": hook.root,
            "export": hook.export, "stamp": format!("{}-{}", hook.stamp.0, hook.stamp.1),
        })
    };
    // All that the worker is started with is compared when the config changes.
    let env: BTreeMap<&str, &str> = plan.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let config = json!({"hooks": plan.hooks.iter().map(row).collect::<Vec<_>>(), "env": env, "envNames": plan.env_names});
    let manifest = chela_manifest::Manifest { id: HOOK_FILES_ID.to_owned(), ..chela_manifest::Manifest::default() };
    PluginRecord {
        id: HOOK_FILES_ID.to_owned(),
        name: "Hooks".to_owned(),
        description: None,
        version: None,
        origin: Origin::Global,
        root_dir: inputs.managed_dir.clone(),
        source: PathBuf::from(ENTRY),
        setup_source: None,
        bundle_format: None,
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
