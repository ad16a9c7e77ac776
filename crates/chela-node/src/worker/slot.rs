//! A plugin within a worker: its facts, its registrations over restarts, its counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::{
    CallError, Definition, HostCaller, HostServices, LinkReport, PluginSpec, Registration, RegistrationMode, StartError, StartPhase,
};
use chela_plugin_protocol::{LoadParams, LoadResult, encode_raw_request};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::env::worker_env;
use crate::handles;
use crate::sandbox::Confined;
use crate::sandbox::ledger::Ledger;

/// A plugin that a worker runs.
pub(crate) struct Slot {
    pub(crate) spec: PluginSpec,
    pub(crate) host: Arc<dyn HostServices>,
    pub(crate) caller: HostCaller,
    /// What it was denied and what it touched.
    pub(crate) ledger: Arc<Ledger>,
    accepted: Mutex<Accepted>,
    /// The config of now, when it is not that of the first start any more: a worker that starts again begins with it.
    config: Mutex<Option<Value>>,
    calls: AtomicU64,
    errors: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// The registrations that the gateway knows, and where their functions are in the present run.
#[derive(Default)]
struct Accepted {
    registrations: Arc<Vec<Registration>>,
    /// Handle that the gateway holds -> the worker's number in the present run.
    carried: HashMap<u64, u64>,
}

/// What `load` brought.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) definition: Definition,
    pub(crate) registrations: Arc<Vec<Registration>>,
    pub(crate) link_report: LinkReport,
}

/// A failed start.
pub(crate) fn start_error(phase: StartPhase, message: impl Into<String>, transient: bool) -> StartError {
    StartError { phase, message: message.into(), transient }
}

impl Slot {
    pub(crate) fn new(spec: PluginSpec, host: Arc<dyn HostServices>) -> Arc<Self> {
        let caller = HostCaller { plugin_id: spec.id.clone(), bundled: spec.bundled };
        Arc::new(Self {
            spec,
            host,
            caller,
            ledger: Arc::default(),
            accepted: Mutex::default(),
            config: Mutex::default(),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            last_error: Mutex::default(),
        })
    }

    fn accepted(&self) -> MutexGuard<'_, Accepted> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the gateway's config as the plugin may see it from now on.
    pub(crate) fn set_config(&self, config: &Value) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Some(config.clone());
    }

    /// The registrations that handles belong to.
    pub(crate) fn registrations(&self) -> Arc<Vec<Registration>> {
        self.accepted().registrations.clone()
    }

    /// The worker's number of a handle in `run`; `None` when the function is gone with an earlier run.
    pub(crate) fn resolve(&self, handle: u64, run: u64) -> Option<u64> {
        if handles::run_of(handle) == run {
            return Some(handles::number_of(handle));
        }
        self.accepted().carried.get(&handle).copied()
    }

    /// Takes the registrations of a new run; true when they differ from those that the gateway knows.
    fn accept(&self, registrations: Vec<Registration>) -> bool {
        let mut accepted = self.accepted();
        let first = accepted.registrations.is_empty() && accepted.carried.is_empty();
        if !first && let Some(pairs) = handles::pair(&accepted.registrations, &registrations) {
            accepted.carried = pairs.into_iter().map(|(old, new)| (old, handles::number_of(new))).collect();
            return false;
        }
        let changed = !first;
        *accepted = Accepted { registrations: Arc::new(registrations), carried: HashMap::new() };
        changed
    }

    /// Loads the plugin into a run. The flag is true when it registered something else than in the run before.
    pub(crate) async fn load(
        &self,
        connection: &Arc<Connection>,
        sdk_dir: &str,
        limit: Duration,
        lane: &crate::lane::LaneContext,
        confined: &Confined,
    ) -> Result<(Loaded, bool), StartError> {
        let params = self.load_params(sdk_dir, lane, confined).map_err(|m| start_error(StartPhase::Validation, m, false))?;
        let crashed = |message: String| start_error(StartPhase::Load, message, true);
        let mut request = connection.request(|id| encode_raw_request(id, "load", &[&params])).map_err(|e| crashed(e.to_string()))?;
        let answer = tokio::select! {
            answer = request.answer() => answer,
            () = tokio::time::sleep(limit) => return Err(crashed(format!("plugin `{}` did not finish loading within {} s", self.spec.id, limit.as_secs_f32()))),
        };
        let value = answer.map_err(|error| self.load_failure(error))?.unwrap_or_default();
        let result: LoadResult = serde_json::from_value(value)
            .map_err(|e| start_error(StartPhase::Load, format!("the worker's answer to `load` is not valid: {e}"), false))?;
        let read = |what: &str, e: serde_json::Error| {
            start_error(StartPhase::Register, format!("the worker's {what} of plugin `{}` is not valid: {e}", self.spec.id), false)
        };
        let registrations: Vec<Registration> =
            result.registrations.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map_err(|e| read("registration", e))?;
        let definition = if result.definition.is_null() {
            Definition::default()
        } else {
            serde_json::from_value(result.definition).map_err(|e| read("definition", e))?
        };
        let link_report = if result.link_report.is_null() {
            LinkReport::default()
        } else {
            serde_json::from_value(result.link_report).map_err(|e| read("link report", e))?
        };
        let changed = self.accept(registrations);
        Ok((Loaded { definition, registrations: self.registrations(), link_report }, changed))
    }

    fn load_failure(&self, error: CallError) -> StartError {
        match error {
            CallError::Thrown { message, data, .. } => {
                let phase = match data.as_ref().and_then(|d| d.get("phase")).and_then(Value::as_str) {
                    Some("register") => StartPhase::Register,
                    Some("validation") => StartPhase::Validation,
                    _ => StartPhase::Load,
                };
                start_error(phase, message, false)
            }
            other => start_error(StartPhase::Load, format!("plugin `{}` was not loaded: {other}", self.spec.id), true),
        }
    }

    fn load_params(&self, sdk_dir: &str, lane: &crate::lane::LaneContext, confined: &Confined) -> Result<String, String> {
        let spec = &self.spec;
        let path = |p: &std::path::Path| {
            p.to_str().map(str::to_string).ok_or_else(|| format!("the path `{}` of plugin `{}` is not valid UTF-8", p.display(), spec.id))
        };
        // In a group the process was started for another plugin; this one's own variables come with its load.
        let env = match &confined.granted_env {
            Some(granted) => granted.clone(),
            None => worker_env(&lane.options.env, &spec.env_grants, &spec.env).granted,
        };
        let mut permissions = json!({ "bundled": spec.bundled });
        if !confined.policy.is_null() {
            permissions["sandbox"] = confined.policy.clone();
        }
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let params = LoadParams {
            plugin_id: &spec.id,
            name: spec.name.as_deref(),
            version: spec.version.as_deref(),
            description: spec.description.as_deref(),
            kind: &spec.kinds,
            root_dir: &path(&spec.root_dir)?,
            entry: &path(&spec.entry)?,
            registration_mode: &json!(spec.mode),
            config: config.as_ref().unwrap_or(&spec.config),
            config_mark: chela_plugin::value::config_mark(),
            plugin_config: &spec.plugin_config,
            workspace_dir: &path(&spec.workspace_dir)?,
            state_dir: &path(&spec.state_dir)?,
            host_version: &lane.options.host_version,
            sdk_dir,
            permissions: &permissions,
            env: &json!(env),
            cli_metadata: spec.mode == RegistrationMode::CliMetadata,
        };
        serde_json::to_string(&params).map_err(|e| e.to_string())
    }

    /// Counts a finished call.
    pub(crate) fn count<T>(&self, result: &Result<T, CallError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            self.failed(&error.to_string());
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, message: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.chars().take(2000).collect());
    }

    /// Calls, errors and the last error.
    pub(crate) fn counters(&self) -> (u64, u64, Option<String>) {
        let last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.calls.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed), last)
    }
}
