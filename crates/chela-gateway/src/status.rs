//! `health` and `status`: facts, cheap to gather, independent of the number of sessions (GW-F8).

use chela_agent::clock::now_ms;
use chela_plugin::WorkerState;
use chela_plugin::registry::{PluginEntry, Registry};
use chela_store::SessionQuery;
use serde_json::{Value, json};

use crate::gateway::Gateway;

/// Sessions that a status shows.
const RECENT: usize = 5;

/// The health snapshot.
pub(crate) async fn health(gateway: &Gateway) -> Value {
    let registry = gateway.host.manager.registry();
    let loaded: Vec<&str> = plugins(&registry).filter(|p| p.failure.is_none()).map(|p| p.owner.id.as_ref()).collect();
    let mut errors: Vec<Value> = gateway
        .host
        .plugin_statuses()
        .into_iter()
        .filter(|p| p.error.is_some() || matches!(p.worker.state, WorkerState::Quarantined | WorkerState::Backoff))
        .map(|p| json!({"id": p.id, "error": p.error.or(p.worker.last_exit)}))
        .collect();
    errors.extend(gateway.host.hook_files_trouble().map(|error| json!({"id": chela_host::HOOK_FILES_ID, "error": error})));
    let agent = gateway.host.runtime.settings().agents.default_id.clone();
    let sessions = recent(gateway).await;
    json!({
        "ok": true, "ts": now_ms(), "durationMs": 0, "plugins": {"loaded": loaded, "errors": errors}, "channels": {}, "channelOrder": [],
        "channelLabels": {}, "defaultAgentId": agent, "agents": [{"agentId": agent, "isDefault": true, "sessions": sessions}],
        "sessions": sessions, "uptimeMs": gateway.started.elapsed().as_millis() as u64,
    })
}

async fn recent(gateway: &Gateway) -> Value {
    let agent = gateway.host.runtime.settings().agents.default_id.clone();
    let query = SessionQuery { limit: Some(RECENT), ..SessionQuery::default() };
    let page = gateway.host.runtime.store.list_sessions(query).await.unwrap_or_default();
    let rows: Vec<Value> =
        page.rows.iter().map(|r| json!({"key": r.key, "updatedAt": r.updated_at_ms, "age": now_ms() - r.updated_at_ms})).collect();
    json!({"path": gateway.sessions_file(&agent), "count": page.total, "recent": rows})
}

/// The `status` answer; paths and sessions only for admins (GW-74).
pub(crate) async fn status(gateway: &Gateway, admin: bool) -> Value {
    let runtime = &gateway.host.runtime;
    let agent = runtime.settings().agents.default_id.clone();
    let model = runtime.default_model(&agent);
    let mut sessions = recent(gateway).await;
    if !admin && let Some(object) = sessions.as_object_mut() {
        object.remove("path");
        object.remove("recent");
    }
    sessions["defaults"] = json!({"model": model.model, "modelProvider": model.provider});
    let registry = gateway.host.manager.registry();
    json!({
        "runtimeVersion": gateway.version, "uptimeMs": gateway.started.elapsed().as_millis() as u64, "channelSummary": [], "queuedSystemEvents": [],
        "sessions": sessions, "runs": {"active": runtime.runs.active().len()}, "openSessions": runtime.lifecycle.open_count(),
        "clients": gateway.bus.client_count(),
        "plugins": {"loaded": plugins(&registry).filter(|p| p.failure.is_none()).count(), "failed": plugins(&registry).filter(|p| p.failure.is_some()).count()},
        "memory": {"rssBytes": own_rss()}, "hooks": hooks(gateway, admin),
    })
}

/// Plugins that were started; what runs hooks of directories is none.
fn plugins(registry: &Registry) -> impl Iterator<Item = &PluginEntry> {
    registry.plugins.iter().filter(|entry| !chela_host::is_hook_runner(&entry.owner.id))
}

/// Counters of each plugin's handlers that were called; texts of failures only for admins.
fn hooks(gateway: &Gateway, admin: bool) -> Vec<Value> {
    let called = gateway.host.manager.hook_counters().into_iter().filter(|row| row.calls > 0);
    let row = |mut counter: chela_hooks::HookCounter| {
        counter.last_error = counter.last_error.filter(|_| admin);
        serde_json::to_value(counter).unwrap_or_default()
    };
    called.map(row).collect()
}

/// Resident memory of the gateway itself.
fn own_rss() -> Option<u64> {
    chela_process::own_rss_bytes().ok()
}

/// What the gateway itself knows for telemetry.
pub(crate) struct ClientFigures(pub(crate) crate::events::EventBus);

impl chela_telemetry::Source for ClientFigures {
    fn fill(&self, figures: &mut chela_telemetry::Figures) {
        figures.clients += self.0.client_count() as u64;
        figures.rss_bytes = own_rss();
    }
}
