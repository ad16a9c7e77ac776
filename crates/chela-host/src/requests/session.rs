//! Injections, run context, agent events (HOOK-246..255, API-090..094, API-201..203).

mod control;
mod store;

use chela_agent::{RunEvent, RunRef};
use chela_plugin::CallError;
use chela_store::NewInjection;
use serde_json::{Value, json};

use super::{Reply, Request, failed, yes_no};

/// Streams that belong to the host (API-201).
const RESERVED_STREAMS: &[&str] =
    &["lifecycle", "tool", "assistant", "error", "item", "plan", "approval", "command_output", "patch", "compaction", "thinking", "model"];

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let (plugin, params) = (request.plugin, &request.params);
    let contexts = &request.host.manager.run_contexts;
    match request.method {
        "host.session.enqueueNextTurnInjection" => inject(request).await,
        "host.runContext.set" => {
            let value = if params.get("unset") == Some(&Value::Bool(true)) { None } else { params.get("value").cloned() };
            yes_no(contexts.set(plugin, request.text("runId")?, request.text("namespace")?, value))
        }
        "host.runContext.get" => {
            Ok(contexts.get(plugin, request.text("runId")?, request.text("namespace")?).unwrap_or_else(|| json!({"$undefined": true})))
        }
        "host.runContext.clear" => {
            contexts.clear(plugin, request.text("runId")?, request.optional("namespace"));
            Ok(Value::Null)
        }
        "host.agentEvent.emit" => emit(request),
        // For bundled plugins alone (API-095..097); none of ours uses them, so what is behind them is not built.
        "host.session.sendAttachment" if !request.bundled => Ok(
            json!({"ok": false, "error": "session attachments are sent for bundled plugins only; use the message tool or `runtime.channel.outbound`"}),
        ),
        "host.session.scheduleTurn" if !request.bundled => {
            unscheduled(plugin, "scheduleSessionTurn");
            Ok(json!({"$undefined": true}))
        }
        "host.session.unscheduleTurnsByTag" if !request.bundled => {
            unscheduled(plugin, "unscheduleSessionTurnsByTag");
            Ok(json!({"removed": 0, "failed": 0}))
        }
        "host.session.status" => control::status(request).await,
        "host.session.control" => control::control(request).await,
        other if other.starts_with("host.session.") => store::serve(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// The answer has no room for a reason, so the log gives it (API-211).
fn unscheduled(plugin: &str, call: &str) {
    tracing::warn!(target: "plugins", plugin, "`{call}` did nothing: scheduled turns are for bundled plugins, and the jobs (cron) behind them are not built yet");
}

async fn inject(request: &Request<'_>) -> Reply {
    let member = |key: &str| request.params.get(key).cloned();
    let registry = request.host.manager.registry();
    if !request.host.may_inject(request.plugin) {
        let key = member("sessionKey").unwrap_or_default();
        return Ok(json!({"enqueued": false, "id": "", "sessionKey": key}));
    }
    let new = NewInjection {
        plugin_id: request.plugin.into(),
        plugin_name: registry.plugin(request.plugin).and_then(|p| p.name.clone()),
        session_key: member("sessionKey").unwrap_or_default(),
        text: member("text").unwrap_or_default(),
        idempotency_key: member("idempotencyKey"),
        placement: member("placement"),
        ttl_ms: member("ttlMs"),
        metadata: member("metadata"),
    };
    let done = request.host.runtime.store.enqueue_injection(new).await.map_err(failed)?;
    serde_json::to_value(done).map_err(failed)
}

/// A plugin's event on a stream of its own (API-201, API-202).
fn emit(request: &Request<'_>) -> Reply {
    let refused = |reason: &str| Ok(json!({"emitted": false, "reason": reason}));
    if request.host.is_inspecting() {
        return refused("global side effects disabled");
    }
    if request.host.manager.registry().plugin(request.plugin).is_none_or(|plugin| plugin.failure.is_some()) {
        return refused("plugin is not loaded");
    }
    let (run_id, stream) = (request.text("runId")?.to_string(), request.text("stream")?.to_string());
    let own = stream == request.plugin || stream.strip_prefix(request.plugin).is_some_and(|rest| rest.starts_with('.'));
    if RESERVED_STREAMS.contains(&stream.as_str()) || (!own && !request.bundled) {
        return Ok(json!({"emitted": false, "reason": format!("stream must be `{0}` or start with `{0}.`", request.plugin)}));
    }
    let name = request.host.manager.registry().plugin(request.plugin).and_then(|p| p.name.clone());
    let mut data = match request.params.get("data").cloned().unwrap_or(Value::Null) {
        Value::Object(object) => Value::Object(object),
        other => json!({"value": other}),
    };
    data["pluginId"] = request.plugin.into();
    if let Some(name) = name {
        data["pluginName"] = name.into();
    }
    let runtime = &request.host.runtime;
    let session_key = request.optional("sessionKey").map(str::to_string).or_else(|| runtime.runs.session_of(&run_id)).unwrap_or_default();
    runtime.sink.emit(&RunRef { run_id, session_key }, RunEvent::Custom { stream: stream.clone(), data });
    Ok(json!({"emitted": true, "stream": stream}))
}
