//! The truth about every plugin: declared, registered, how its worker is, why it is not started.

use std::collections::BTreeMap;

use chela_catalog::{PlannedActivation, PluginRecord, Status, Trigger};
use chela_plugin::registry::Registry;
use chela_plugin::{Diagnostic, WorkerState, WorkerStatus};
use serde::Serialize;
use serde_json::{Value, json};

use crate::assemble::Host;
use crate::manager::SlotView;

/// One plugin as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginStatus {
    /// Manifest id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Version: of its worker, or of what is installed while none runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it was found.
    pub origin: &'static str,
    /// Enabled by policy.
    pub enabled: bool,
    /// `disabled`, `error`, `stopped`, `starting`, `running`, `backoff`, `quarantined`.
    pub state: &'static str,
    /// Why it is off, not started, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its worker.
    #[serde(flatten, serialize_with = "without_state")]
    pub worker: WorkerStatus,
    /// What it registered, by kind.
    pub registered: Value,
    /// What it registered and nothing uses yet.
    pub recorded_only: Vec<Value>,
    /// Findings.
    pub diagnostics: Vec<Diagnostic>,
    /// Calls of its hooks.
    pub hook_stats: Vec<Value>,
}

/// The plugin's own state says more than its worker's, and an object has one member of a name.
fn without_state<S: serde::Serializer>(worker: &WorkerStatus, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(worker).map_err(serde::ser::Error::custom)?;
    if let Some(members) = value.as_object_mut() {
        members.shift_remove("state");
    }
    value.serialize(serializer)
}

impl Host {
    /// Every plugin of the catalog.
    pub fn plugin_statuses(&self) -> Vec<PluginStatus> {
        let (snapshot, registry) = (self.manager.snapshot(), self.manager.registry());
        let mut stats: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for counter in self.manager.hook_counters() {
            let average = if counter.calls == 0 { 0.0 } else { counter.total_ms / counter.calls as f64 };
            let row = json!({
                "hook": counter.hook, "kind": counter.kind, "calls": counter.calls, "failures": counter.failures,
                "timeouts": counter.timeouts, "avgMs": average, "p50Ms": counter.p50_ms, "maxMs": counter.max_ms,
                "lastError": counter.last_error,
            });
            stats.entry(counter.plugin_id).or_default().push(row);
        }
        // One line for each plugin of the snapshot, in its order.
        let plan = chela_catalog::activation_plan(&snapshot, &Trigger::Turn);
        let rows = snapshot.plugins.iter().zip(plan);
        rows.map(|(record, planned)| self.status_of(record, &planned, &registry, stats.remove(&record.id).unwrap_or_default())).collect()
    }

    fn status_of(&self, record: &PluginRecord, planned: &PlannedActivation, registry: &Registry, hook_stats: Vec<Value>) -> PluginStatus {
        let view = self.manager.view(&record.id);
        let worker = view.worker.clone().unwrap_or_default();
        let (state, mut reason, error) = describe(record, planned, &view, &worker, registry.plugin(&record.id).is_some());
        // Between a change on the disk and the swap, the row tells of what runs.
        let replaced = record.enabled && view.worker.is_some() && view.version != record.version;
        if replaced {
            let next = record.version.as_deref().unwrap_or("another version");
            reason = Some(format!("{next} is installed; it takes over when the turns under way are done"));
        }
        let mine = |id: &Option<String>| id.as_deref() == Some(record.id.as_str());
        let only = registry.not_consumed().into_iter().filter(|n| n.plugin_id == record.id);
        PluginStatus {
            id: record.id.clone(),
            name: record.name.clone(),
            version: if replaced { view.version } else { record.version.clone() },
            origin: record.origin.as_str(),
            enabled: record.enabled,
            state,
            reason,
            error,
            worker,
            registered: registered(registry, &record.id),
            recorded_only: only.map(recorded_only).collect(),
            diagnostics: registry.diagnostics.iter().filter(|d| mine(&d.plugin_id)).cloned().collect(),
            hook_stats,
        }
    }

    /// What a plugin registered, for the inspection.
    pub fn runtime_facts(&self, id: &str) -> chela_catalog::RuntimeFacts {
        crate::facts::facts_of(&self.manager.registry(), id)
    }

    /// One plugin in full: the inspection with what it registered, and under `runtime` its live status.
    pub fn inspect(&self, id: &str) -> Option<Value> {
        let snapshot = self.manager.snapshot();
        let record = snapshot.find(id)?;
        let facts = self.runtime_facts(&record.id);
        let mut out = snapshot.inspect_json(&record.id, Some(&facts))?;
        let status = self.plugin_statuses().into_iter().find(|s| s.id == record.id)?;
        out["runtime"] = serde_json::to_value(status).unwrap_or_default();
        Some(out)
    }
}

fn describe(
    record: &PluginRecord,
    planned: &PlannedActivation,
    view: &SlotView,
    worker: &WorkerStatus,
    published: bool,
) -> (&'static str, Option<String>, Option<String>) {
    if let Some(error) = &view.error {
        return ("error", None, Some(error.clone()));
    }
    if record.status == Status::Error {
        return ("error", None, record.failure.as_ref().map(|f| f.message.clone()));
    }
    if !record.enabled {
        return ("disabled", record.activation_reason.clone(), None);
    }
    if view.starting {
        return ("starting", None, None);
    }
    match (view.worker.is_some(), worker.state) {
        (false, _) if planned.start => ("stopped", Some("not needed yet: it starts with the first turn".into()), None),
        (false, _) => ("stopped", Some(planned.reason.clone()), None),
        // What it registered is not in use yet.
        (true, WorkerState::Running) if !published => ("starting", None, None),
        (true, WorkerState::Running) => ("running", record.activation_reason.clone(), None),
        (true, WorkerState::Starting) => ("starting", None, None),
        (true, WorkerState::Backoff) => ("backoff", worker.last_exit.clone(), None),
        (true, WorkerState::Quarantined) => ("quarantined", worker.last_exit.clone(), None),
        (true, WorkerState::Stopped) => ("stopped", worker.last_exit.clone(), None),
    }
}

fn registered(registry: &Registry, id: &str) -> Value {
    let own = |owner: &std::sync::Arc<chela_plugin::register::entries::Owner>| owner.id.as_ref() == id;
    let tools: Vec<&String> = registry.tools.iter().filter(|t| own(&t.owner)).flat_map(|t| &t.names).collect();
    let mut hooks: Vec<&str> = registry.typed_hooks.iter().filter(|h| own(&h.owner)).map(|h| h.hook.as_str()).collect();
    hooks.sort_unstable();
    hooks.dedup();
    json!({
        "tools": tools,
        "hooks": hooks,
        "commands": registry.commands.all().iter().filter(|c| own(&c.owner)).map(|c| &c.name).collect::<Vec<_>>(),
        "services": registry.services.iter().filter(|s| own(&s.owner)).map(|s| &s.id).collect::<Vec<_>>(),
        "methods": registry.gateway_methods.iter().filter(|m| own(&m.owner)).map(|m| &m.name).collect::<Vec<_>>(),
        "providers": registry.providers.iter().filter(|p| own(&p.owner)).map(|p| &p.id).collect::<Vec<_>>(),
        "routes": registry.routes.all().iter().filter(|r| own(&r.owner)).count(),
    })
}

/// One registration that nothing uses.
fn recorded_only(row: chela_plugin::register::entries::NotConsumed) -> Value {
    let mut out = json!({"method": row.method, "id": row.id});
    if let Some(reason) = row.reason {
        out["reason"] = reason.into();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_one_state_which_is_the_plugins() {
        let worker = WorkerStatus { restarts: 3, ..WorkerStatus::default() };
        let status = PluginStatus {
            id: "a".into(),
            name: "A".into(),
            version: None,
            origin: "config",
            enabled: true,
            state: "error",
            reason: None,
            error: Some("broken".into()),
            worker,
            registered: Value::Null,
            recorded_only: Vec::new(),
            diagnostics: Vec::new(),
            hook_stats: Vec::new(),
        };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(text.matches("\"state\"").count(), 1, "{text}");
        let row = serde_json::to_value(&status).unwrap();
        assert_eq!((&row["state"], &row["restarts"]), (&json!("error"), &json!(3)));
    }
}
