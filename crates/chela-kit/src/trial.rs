//! `chela plugins test`: a plugin in a real worker, without an account and without the author's state. Every hook is fired and every tool
//! called; what it returned and how long it took is told.

mod channels;
mod drive;
mod hooks;
mod left;
mod outside;
mod record;
mod report;
mod rows;
mod samples;
pub mod script;
mod surfaces;
mod tools;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chela_agent::lifecycle::{DRAIN_BUDGET, EndReason};
use chela_agent::{RunEvent, RunRef, RunSink, TurnPlugins};
use chela_catalog::{PluginRecord, Status};
use chela_config::Env;
use chela_host::{Host, HostOptions, Purpose, StartOutcome};
use chela_node::Called;
use chela_node::permissions::{Around, propose};
use chela_plugin::registry::Registry;
use chela_plugin::{Adapter, SandboxStatus};

pub use outside::{Asked, OutsideRule};
pub use report::{CallRow, Load, Registered, TrialReport, TurnRow};
pub use script::Script;

use serde_json::{Value, json};

use crate::coverage;
use crate::error::KitError;
use crate::stage::Stage;
use outside::Outside;
use record::Recorder;

/// Longest start of the plugin.
const START_LIMIT: Duration = Duration::from_secs(40);
/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// How to try plugins.
#[derive(Clone, Debug)]
pub struct TrialOptions {
    /// The environment, from which only what is not state is taken.
    pub env: Env,
    /// What the author wants to be tried.
    pub script: Script,
    /// Longest time of one turn or call.
    pub limit: Duration,
    /// Commands of the command line, whose names plugins cannot take.
    pub cli_commands: Vec<String>,
}

struct Silent;

impl RunSink for Silent {
    fn emit(&self, _run: &RunRef, _event: RunEvent) {}
}

/// Tries every plugin in a directory.
///
/// # Errors
/// [`KitError::NoPlugin`], a home that cannot be made, a database that cannot be opened. A plugin that fails is a report.
pub async fn run(dir: &Path, options: &TrialOptions) -> Result<Vec<TrialReport>, KitError> {
    let mut reports = Vec::new();
    for record in coverage::records(dir)? {
        reports.push(plugin(&record, options).await?);
    }
    Ok(reports)
}

async fn plugin(record: &PluginRecord, options: &TrialOptions) -> Result<TrialReport, KitError> {
    let stage = Stage::new(record, &options.env, &options.script)?;
    let recorder = Recorder::default();
    let is_online = options.script.online || options.script.permissions.is_some();
    let outside = if is_online { None } else { Some(Outside::write(stage.root(), &options.script.outside)?) };
    let host = Host::open(HostOptions {
        paths: stage.paths.clone(),
        env: stage.env.clone(),
        config: Arc::new(stage.config.clone()),
        sink: Arc::new(Silent),
        purpose: Purpose::Gateway,
        core_methods: chela_gateway_protocol::methods::METHODS.iter().map(|method| method.name.to_string()).collect(),
        cli_commands: options.cli_commands.iter().cloned().collect(),
        guard: None,
        inherit_output: false,
        observer: Some(recorder.observer()),
        preload: outside.as_ref().map(|outside| outside.preload.clone()),
    })
    .map_err(|error| KitError::Host(error.to_string()))?;
    let mut trial = Trial { host: host.clone(), recorder, options, report: blank(record), begun: 0 };
    trial.play(record).await;
    let status = host.plugin_statuses().into_iter().find(|status| status.id == record.id);
    let pid = status.as_ref().and_then(|status| status.worker.pid);
    trial.report.permissions = status.and_then(|status| status.worker.sandbox).map(|sandbox| proposed(record, &host, &stage, sandbox));
    host.close(GRACE).await;
    let mut report = trial.report;
    drop(host);
    if let Some(pid) = pid.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        report.failures.push(format!("its worker (process {pid}) is still there after the end"));
    }
    report.asked = outside.map(|outside| outside.asked()).unwrap_or_default();
    let orphans = left::orphans(stage.root()).await;
    if !orphans.is_empty() {
        report.failures.push(format!("processes of it are left behind: {}", orphans.join(", ")));
    }
    if let Err(error) = stage.close() {
        report.failures.push(format!("its temporary state cannot be removed: {error}"));
    }
    report.ok = report.failures.is_empty();
    Ok(report)
}

/// What was touched and denied, and the set of permissions that covers it.
fn proposed(record: &PluginRecord, host: &Host, stage: &Stage, seen: SandboxStatus) -> Value {
    let around = Around {
        plugin: record.root_dir.clone(),
        workspace: stage.workspace(),
        state: stage.paths.state_dir.clone(),
        home: stage.paths.home.clone(),
        temp: stage.root().join("tmp"),
        id: record.id.clone(),
    };
    let snapshot = host.manager.snapshot();
    let base = snapshot.get(&record.id).and_then(|plugin| plugin.permissions().enforced().cloned());
    let evidence = if base.is_some() { &seen.denials } else { &seen.touched };
    let set = propose(&base.unwrap_or_default(), evidence, &around);
    json!({"mode": seen.mode, "touched": seen.touched, "denials": seen.denials, "notices": seen.notices, "proposal": set})
}

fn blank(record: &PluginRecord) -> TrialReport {
    TrialReport {
        plugin_id: record.id.clone(),
        version: record.version.clone(),
        root_dir: record.root_dir.clone(),
        ok: false,
        load: Load::default(),
        registered: Registered::default(),
        calls: Vec::new(),
        turns: Vec::new(),
        asked: Vec::new(),
        permissions: None,
        not_called: Vec::new(),
        compatibility: Vec::new(),
        diagnostics: Vec::new(),
        failures: Vec::new(),
        warnings: Vec::new(),
    }
}

/// One plugin under trial.
struct Trial<'a> {
    host: Arc<Host>,
    recorder: Recorder,
    options: &'a TrialOptions,
    report: TrialReport,
    /// Calls that came before the first turn.
    begun: usize,
}

impl Trial<'_> {
    /// Starts the plugin, plays the turns, calls what they did not reach, and ends the session.
    async fn play(&mut self, record: &PluginRecord) {
        if let Err(error) = self.host.recover().await {
            self.report.failures.push(format!("the temporary state cannot be used: {error}"));
            return;
        }
        self.host.start_plugins(0);
        let outcome = self.host.manager.start_and_wait(&record.id, START_LIMIT).await;
        self.host.manager.settle(START_LIMIT).await;
        self.told(record);
        if !self.started(record, outcome.as_ref()) {
            return;
        }
        self.registered(&record.id);
        self.recorder.quiet(self.options.limit).await;
        self.begun = self.recorder.mark();
        self.conversation().await;
        self.all_tools().await;
        self.functions().await;
        self.routes().await;
        self.channels().await;
        self.cli().await;
        self.recorder.quiet(Duration::from_secs(2)).await;
        self.host.runtime.lifecycle.drain(EndReason::Shutdown, DRAIN_BUDGET).await;
        self.recorder.quiet(Duration::from_secs(2)).await;
        self.all_hooks().await;
        self.leaks().await;
        self.unknown();
        self.health(&record.id);
    }

    /// What the catalog and the registration say.
    fn told(&mut self, record: &PluginRecord) {
        let facts = self.host.runtime_facts(&record.id);
        let snapshot = self.host.manager.snapshot();
        if let Some(object) = snapshot.inspect_json(&record.id, Some(&facts)) {
            let list = |key: &str| object[key].as_array().cloned().unwrap_or_default();
            self.report.diagnostics = list("diagnostics");
            self.report.compatibility = list("compatibility");
        }
        if let Ok(imports) = coverage::scan(record) {
            let more = crate::compat::of_plugin(record, &imports);
            self.report.compatibility.extend(more.iter().map(crate::to_json));
        }
        for row in &self.report.diagnostics {
            let text = row["message"].as_str().unwrap_or_default().to_owned();
            match row["level"].as_str() {
                Some("error") => self.report.failures.push(text),
                Some("warn") => self.report.warnings.push(text),
                _ => {}
            }
        }
        for row in self.report.compatibility.iter().filter(|row| row["severity"] == "warn") {
            self.report.warnings.push(format!(
                "{} [{}]",
                row["message"].as_str().unwrap_or_default(),
                row["code"].as_str().unwrap_or_default()
            ));
        }
    }

    fn started(&mut self, record: &PluginRecord, outcome: Option<&StartOutcome>) -> bool {
        let status = self.host.plugin_statuses().into_iter().find(|status| status.id == record.id);
        let registry = self.host.manager.registry();
        let entry = registry.plugin(&record.id);
        let load = &mut self.report.load;
        load.runtime = status.as_ref().and_then(|status| status.worker.runtime.clone());
        load.ms = entry.and_then(|entry| entry.duration).map(|took| (took.as_secs_f64() * 1e4).round() / 10.0);
        let failure = entry.and_then(|entry| entry.failure.as_ref());
        let error = match (outcome, failure) {
            (_, Some(failure)) => Some((failure.message.clone(), format!("{:?}", failure.phase).to_lowercase())),
            (Some(StartOutcome::Failed(error)), None) => Some((error.message.clone(), format!("{:?}", error.phase).to_lowercase())),
            (Some(StartOutcome::Started), None) => None,
            (None, None) => {
                let snapshot = self.host.manager.snapshot();
                let cold = snapshot.get(&record.id);
                let told = cold.and_then(|plugin| plugin.failure.as_ref()).map(|failure| failure.message.clone());
                let off = cold.filter(|plugin| plugin.status == Status::Disabled).and_then(|plugin| plugin.activation_reason.clone());
                Some((told.or(off).unwrap_or_else(|| "it did not start in time".into()), "validation".into()))
            }
        };
        let Some((message, phase)) = error else {
            load.ok = true;
            return true;
        };
        load.error = Some(message.clone());
        load.phase = Some(phase.clone());
        self.report.failures.insert(0, format!("it does not start: {message} ({phase})"));
        self.report.failures.dedup();
        false
    }

    fn registered(&mut self, id: &str) {
        let facts = self.host.runtime_facts(id);
        let registry = self.registry();
        let only = registry.not_consumed().into_iter().filter(|row| row.plugin_id == id);
        let recorded_only: Vec<String> = only.map(|row| format!("{} {}", row.method, row.id).trim().to_owned()).collect();
        let others = registry.recorded.iter().filter(|one| one.owner.id.as_ref() == id).map(|one| format!("{} {}", one.method, one.id));
        let middleware = registry.middleware.iter().filter(|one| one.owner.id.as_ref() == id);
        let policies = registry.trusted_policies.iter().filter(|one| one.owner.id.as_ref() == id);
        let own = middleware
            .map(|_| "registerAgentToolResultMiddleware".to_owned())
            .chain(policies.map(|_| "registerTrustedToolPolicy".to_owned()));
        let capabilities: Vec<String> = others.map(|text| text.trim().to_owned()).chain(own).collect();
        self.report.registered = Registered {
            tools: facts.tools.iter().flat_map(|tool| tool.names.clone()).collect(),
            hooks: facts.typed_hooks.iter().map(|hook| hook.name.clone()).collect(),
            internal_hooks: facts.custom_hooks.iter().map(|hook| format!("{} ({})", hook.name, hook.events.join(", "))).collect(),
            commands: facts.commands,
            cli_commands: facts.cli_commands,
            services: facts.services,
            gateway_methods: facts.gateway_methods,
            http_routes: facts.http_route_count,
            providers: facts.provider_ids,
            channels: facts.channel_ids,
            context_engines: facts.context_engine_ids,
            capabilities,
            recorded_only,
        };
    }

    fn registry(&self) -> Arc<Registry> {
        self.host.manager.current().registry
    }

    /// What the SDK and the host lack or got wrong, wherever it shows: in errors, in results that a plugin made of them, in its log.
    fn unknown(&mut self) {
        let mut found = Vec::new();
        for call in self.recorder.since(0) {
            let (text, of_sdk) = match &call.result {
                Ok(value) => (value.as_str().map_or_else(|| value.to_string(), str::to_owned), false),
                Err(error) => (error.to_string(), rows::is_of_sdk(error)),
            };
            if of_sdk {
                found.push(format!("an error of the SDK's own: {text}"));
            } else if let Some(what) = rows::lacking(&text) {
                found.push(format!("something is lacking: {what}"));
            }
        }
        for text in found {
            if !self.report.failures.contains(&text) {
                self.report.failures.push(text);
            }
        }
    }

    /// Whether the worker lived through it.
    fn health(&mut self, id: &str) {
        for call in self.recorder.since(0) {
            match (&call.what, &call.result) {
                (Called::Fault(kind), Err(error)) => self.report.failures.push(format!("nothing caught an {kind}: {error}")),
                (Called::Function(Some(Adapter::Provider), _), _) => {
                    self.report.calls.push(rows::row(&call, "provider", "catalogue or hook", "start"));
                }
                _ => {}
            }
        }
        let Some(status) = self.host.plugin_statuses().into_iter().find(|status| status.id == id) else { return };
        if status.worker.restarts > 0 || status.state != "running" {
            let why = status.worker.last_exit.clone().unwrap_or_else(|| "without a reason".into());
            self.report.failures.push(format!("its worker ended in the middle: {why}"));
        }
    }
}
