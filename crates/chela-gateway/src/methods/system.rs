//! Facts about the gateway: status, presence, logs, identity, restart.

use std::sync::Arc;
use std::time::Duration;

use chela_gateway_protocol::error::{ErrorShape, Reason};
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::gateway::{Gateway, StopRequest};
use crate::ws::ClientInfo;

/// Largest part of the log that one call reads, in bytes.
const LOG_BYTES: u64 = 250_000;
/// How long a restart waits for active runs when nobody says, in ms; 0 means for ever.
const DEFERRAL_MS: u64 = 300_000;
/// Lines of the log when nobody says how many.
const LOG_LINES: u64 = 500;

pub(super) async fn status(gateway: &Arc<Gateway>, client: &ClientInfo) -> Answer {
    Ok(crate::status::status(gateway, client.is_admin()).await)
}

pub(super) fn presence(gateway: &Arc<Gateway>) -> Value {
    json!(gateway.bus.presence().entries())
}

/// The end of the gateway's log, or what came after `cursor`.
pub(super) async fn logs_tail(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("logs.tail", params, &["cursor", "limit", "maxBytes"])?;
    let (cursor, limit) = (p.optional_count("cursor"), p.optional_count("limit").unwrap_or(LOG_LINES).clamp(1, 5000));
    let bytes = p.optional_count("maxBytes").unwrap_or(LOG_BYTES).clamp(1, 1_000_000);
    p.done()?;
    let file = gateway.host.paths.logs_dir().join("gateway.jsonl");
    let work = tokio::task::spawn_blocking(move || tail(&file, cursor, limit as usize, bytes));
    work.await.map_err(internal)?.map_err(internal)
}

fn tail(file: &std::path::Path, cursor: Option<u64>, limit: usize, bytes: u64) -> std::io::Result<Value> {
    use std::io::{Read, Seek, SeekFrom};
    let mut handle = match fs_err::File::open(file) {
        Ok(handle) => handle,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(json!({"file": file, "cursor": 0, "size": 0, "lines": [], "truncated": false, "reset": false}));
        }
        Err(error) => return Err(error),
    };
    let size = handle.metadata()?.len();
    let reset = cursor.is_some_and(|c| c > size);
    let wanted = cursor.filter(|_| !reset).unwrap_or(0);
    let start = wanted.max(size.saturating_sub(bytes));
    handle.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    handle.take(bytes).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.lines().collect();
    if start > wanted && !lines.is_empty() {
        lines.remove(0);
    }
    let skip = lines.len().saturating_sub(limit);
    let truncated = start > wanted || skip > 0;
    Ok(json!({"file": file, "cursor": size, "size": size, "lines": &lines[skip..], "truncated": truncated, "reset": reset}))
}

pub(super) fn identity(gateway: &Arc<Gateway>) -> Answer {
    match &gateway.device {
        Some((id, key)) => Ok(json!({"deviceId": id, "publicKey": key})),
        None => Err(ErrorShape::unavailable(Reason::Internal, "the gateway has no device identity: its file could not be written")),
    }
}

/// What a restart would interrupt.
pub(super) fn restart_preflight(gateway: &Arc<Gateway>, params: Value) -> Answer {
    Params::new("gateway.restart.preflight", params, &[])?.done()?;
    let active = gateway.host.runtime.runs.active().len();
    Ok(json!({"safe": active == 0, "counts": {"activeRuns": active}, "summary": format!("{active} active run(s)")}))
}

/// Asks for a restart in the same process.
pub(super) fn restart_request(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("gateway.restart.request", params, &["reason", "skipDeferral", "force", "wait", "delayMs"])?;
    let reason = p.optional_text("reason").unwrap_or_else(|| "gateway.restart.request".into());
    let at_once = p.flag("force") == Some(true) || p.flag("skipDeferral") == Some(true);
    let (wait, delay) = (p.optional_count("wait").unwrap_or(DEFERRAL_MS), p.optional_count("delayMs").unwrap_or(0));
    p.done()?;
    let request = StopRequest { reason, restart_expected_ms: Some(2000) };
    if at_once && delay == 0 {
        gateway.stop.try_send(request).map_err(|_| ErrorShape::unavailable(Reason::Internal, "a stop or restart is under way already"))?;
        return Ok(ok_with(json!({"scheduled": true, "deferred": false})));
    }
    let deferred = !at_once && !gateway.host.runtime.runs.active().is_empty();
    let (runs, stop) = (gateway.host.runtime.runs.clone(), gateway.stop.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay)).await;
        if !at_once {
            let limit = if wait == 0 { Duration::MAX } else { Duration::from_millis(wait) };
            let _ = tokio::time::timeout(limit, idle(&runs)).await;
        }
        let _ = stop.send(request).await;
    });
    Ok(ok_with(json!({"scheduled": true, "deferred": deferred})))
}

/// `set-heartbeats {enabled}`: on or off until the process ends.
pub(super) fn set_heartbeats(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("set-heartbeats", params, &["enabled"])?;
    let enabled = p.flag("enabled");
    if enabled.is_none() {
        p.reject("at /enabled: true or false is needed");
    }
    p.done()?;
    gateway.host.set_heartbeats(enabled.unwrap_or(true));
    Ok(ok_with(json!({"enabled": enabled})))
}

/// `wake {text, mode: "now" | "next-heartbeat", sessionKey?}`: tells a session of something, and has it look at once for `now`.
pub(super) fn wake(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("wake", params, &["text", "mode", "sessionKey"])?;
    let (text, mode, session) = (p.text("text"), p.text("mode"), p.optional_text("sessionKey"));
    if !matches!(mode.as_str(), "now" | "next-heartbeat") {
        p.reject("at /mode: must be `now` or `next-heartbeat`");
    }
    p.done()?;
    let default = gateway.host.runtime.settings().agents.default_id.clone();
    let key = session.clone().unwrap_or_else(|| chela_store::session_key::main_key(&default));
    let key = chela_store::session_key::canonicalize(&key, &default);
    let event = chela_agent::system_events::SystemEvent {
        text,
        at_ms: chela_agent::clock::now_ms(),
        context_key: None,
        delivery_context: None,
        trusted: true,
    };
    gateway.host.runtime.system_events.enqueue(&key, event);
    if mode == "now" {
        gateway.host.wake_heartbeat(session.as_deref(), "wake");
    }
    Ok(ok_with(json!({})))
}

/// Waits until no run is active (GW-161).
async fn idle(runs: &chela_agent::RunRegistry) {
    while let Some(run) = runs.active().into_iter().next() {
        runs.wait(&run.run_id, Duration::from_secs(1)).await;
    }
}

/// The hello's snapshot (GW-27); paths only for admins.
pub(super) fn hello_snapshot(gateway: &Gateway, client: &ClientInfo) -> Value {
    let settings = gateway.host.runtime.settings();
    let agent = settings.agents.default_id.clone();
    let mut snapshot = json!({
        "health": {"ok": true, "ts": chela_agent::clock::now_ms(), "defaultAgentId": agent},
        "sessionDefaults": {"defaultAgentId": agent, "mainKey": "main", "mainSessionKey": gateway.main_session_key(None), "scope": "per-sender"},
    });
    if client.is_admin() {
        snapshot["configPath"] = json!(gateway.host.paths.config_path);
        snapshot["stateDir"] = json!(gateway.host.paths.state_dir);
        snapshot["authMode"] = gateway.auth_mode.into();
    }
    snapshot
}
