//! `sessions.cleanup`, and the archives: `sessions.archives`, `sessions.restore`.

use std::sync::Arc;

use chela_agent::lifecycle::EndReason;
use chela_gateway_protocol::error::ErrorShape;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::gateway::Gateway;
use crate::upkeep::CleanupRequest;

/// Archives that one answer lists.
const MOST_ARCHIVES: usize = 1000;

/// Cleans up the sessions of one agent or of all (GW-165).
pub(super) async fn cleanup(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let known = ["agent", "allAgents", "enforce", "activeKey", "fixMissing", "fixDmScope", "dryRun"];
    let mut p = Params::new("sessions.cleanup", params, &known)?;
    let (agent, active) = (p.optional_text("agent"), p.optional_text("activeKey"));
    let mut flag = |name: &str| p.flag(name).unwrap_or(false);
    let (all, enforce, dry_run) = (flag("allAgents"), flag("enforce"), flag("dryRun"));
    let (fix_missing, fix_dm_scope) = (flag("fixMissing"), flag("fixDmScope"));
    p.done()?;
    let active_key = active.map(|key| gateway.route(&key, None).map(|(key, _)| key)).transpose()?;
    let request = CleanupRequest { enforce, dry_run, fix_missing, fix_dm_scope, active_key };
    let agents = match all {
        true => gateway.host.runtime.settings().agents.list.iter().map(|a| a.id.clone()).collect(),
        false => vec![gateway.agent_or_default(agent.as_deref())?],
    };
    let mut stores = Vec::new();
    for agent in &agents {
        stores.push(gateway.clean_up(agent, &request).await?);
    }
    if !dry_run && stores.iter().any(|s| s["wouldMutate"] == true) {
        gateway.events.changed("", json!({"reason": "cleanup"}));
    }
    if let (false, Some(only)) = (all, stores.pop()) {
        return Ok(only);
    }
    Ok(json!({"allAgents": true, "mode": stores.first().map(|s| s["mode"].clone()), "dryRun": dry_run, "stores": stores}))
}

/// Transcripts that were put away, newest first.
pub(super) async fn archives(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.archives", params, &["agentId", "limit"])?;
    let (agent, limit) = (p.optional_text("agentId"), p.optional_count("limit"));
    p.done()?;
    let agent = agent.map(|a| gateway.agent_or_default(Some(&a))).transpose()?;
    let limit = limit.map_or(100, |n| usize::try_from(n).unwrap_or(MOST_ARCHIVES)).clamp(1, MOST_ARCHIVES);
    let found = gateway.host.runtime.store.archives(agent.as_deref(), limit).await.map_err(internal)?;
    let row = |a: &chela_store::Archived| json!({"sessionId": a.session_id, "key": a.session_key, "file": a.file, "archivedAt": a.archived_at_ms, "messages": a.messages, "bytes": a.bytes});
    Ok(json!({"archives": found.iter().map(row).collect::<Vec<_>>()}))
}

/// Puts an archived transcript back as the session of its key; the session that is there now is archived.
pub(super) async fn restore(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.restore", params, &["sessionId"])?;
    let id = p.text("sessionId");
    p.done()?;
    let runtime = &gateway.host.runtime;
    let known = runtime.store.archived(&id).await.map_err(internal)?;
    let Some(archived) = known else { return Err(ErrorShape::not_found(format!("No archived session found: {id}"))) };
    let (session_key, _) = gateway.route(&archived.session_key, None)?;
    gateway.stop_runs(&session_key).await;
    let _lane = runtime.runs.lane(&session_key).await;
    let (old, new) = runtime.store.restore_archive(&id).await.map_err(internal)?;
    match old {
        Some(old) => runtime.lifecycle.replaced(&old, &new, EndReason::Reset).await,
        None => runtime.lifecycle.ensure_started(&new, Some(&new.session_id)).await,
    }
    gateway.events.changed(&session_key, json!({"reason": "restore"}));
    Ok(ok_with(json!({"key": session_key, "sessionId": new.session_id, "entry": new.to_projection()})))
}
