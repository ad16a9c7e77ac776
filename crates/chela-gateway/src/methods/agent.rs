//! `agent`, `agent.wait`, `agents.list`, `agent.identity.get` (GW-78, GW-87..89).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::clock::now_ms;
use chela_agent::{Accepted, Entry, RunOutcome, RunStatus, TurnRequest};
use chela_gateway_protocol::error::ErrorShape;
use chela_models::ModelRef;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal};
use crate::gateway::Gateway;
use crate::ws::ClientInfo;
use crate::ws::handler::MethodCall;

/// Default of `agent.wait`.
const WAIT_DEFAULT_MS: u64 = 30_000;

const KNOWN: &[&str] = &[
    "message",
    "agentId",
    "provider",
    "model",
    "to",
    "replyTo",
    "sessionId",
    "sessionKey",
    "thinking",
    "deliver",
    "attachments",
    "channel",
    "replyChannel",
    "accountId",
    "replyAccountId",
    "threadId",
    "groupId",
    "groupChannel",
    "groupSpace",
    "timeout",
    "bestEffortDeliver",
    "lane",
    "extraSystemPrompt",
    "idempotencyKey",
    "label",
    "inputProvenance",
    "internalEvents",
    "bootstrapContextMode",
    "bootstrapContextRunKind",
    "modelRun",
    "promptMode",
    "cleanupBundleMcpOnRunEnd",
    "acpTurnSource",
    "voiceWakeTrigger",
];

/// Starts a run; answers twice: accepted, then the result (GW-11, GW-78).
pub(super) async fn agent(gateway: &Arc<Gateway>, call: MethodCall) {
    let request = match request_of(gateway, &call.client, call.params.clone()).await {
        Ok(request) => request,
        Err(error) => return call.reply.err(&error),
    };
    let begun = match gateway.accept(&request, "agent").await {
        Ok(begun) => begun,
        Err(error) => return call.reply.err(&internal(error)),
    };
    match begun {
        Accepted::New(ticket, mut pledge) => {
            let run_id = ticket.run_id.clone();
            let runtime = gateway.host.runtime.clone();
            let state = runtime.store.clone();
            let run = tokio::spawn(chela_agent::turn::run(runtime, request, ticket));
            if let Err(error) = pledge.kept().await {
                return call.reply.err(&internal(error));
            }
            call.reply.ok(&json!({"runId": run_id, "status": "accepted", "acceptedAt": now_ms()}));
            drop(pledge);
            tokio::spawn(async move {
                // A run that panicked says so in the log; dropping the replier answers.
                let Ok(outcome) = run.await else { return };
                let row = state.session(&outcome.session_key).await.ok().flatten();
                let file = row.map(|r| r.session_file.to_string_lossy().into_owned());
                call.reply.ok(&final_reply(&outcome, file.as_deref()));
            });
        }
        Accepted::InFlight(run_id) => call.reply.ok(&json!({"runId": run_id, "status": "in_flight"})),
        Accepted::Finished(outcome) => call.reply.ok(&final_reply(&outcome, None)),
    }
}

/// The second answer.
pub fn final_reply(outcome: &RunOutcome, session_file: Option<&str>) -> Value {
    let usage = &outcome.usage;
    let payloads: Vec<Value> = outcome.text.iter().map(|text| json!({"text": text, "mediaUrl": null})).collect();
    let meta = json!({
        "durationMs": outcome.ended_at_ms - outcome.started_at_ms,
        "agentMeta": {
            "sessionId": outcome.session_id, "sessionFile": session_file, "provider": outcome.provider, "model": outcome.model,
            "usage": {"input": usage.input, "output": usage.output, "cacheRead": usage.cache_read, "cacheWrite": usage.cache_write, "total": usage.total},
        },
        "aborted": outcome.status == RunStatus::Aborted,
        "stopReason": outcome.stop_reason,
    });
    let (status, summary) = match outcome.status {
        RunStatus::Ok => ("ok", "completed".to_string()),
        RunStatus::Aborted => ("error", "aborted".to_string()),
        RunStatus::Error | RunStatus::Timeout => ("error", outcome.error.clone().unwrap_or_else(|| "failed".into())),
    };
    let mut reply = json!({"runId": outcome.run_id, "status": status, "summary": summary, "result": {"payloads": payloads, "meta": meta}});
    if let Some(error) = &outcome.error {
        reply["error"] = error.clone().into();
    }
    reply
}

async fn request_of(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Result<TurnRequest, ErrorShape> {
    let mut p = Params::new("agent", params, KNOWN)?;
    let (message, run_id) = (p.text("message"), p.text("idempotencyKey"));
    let (agent, key, session_id) = (p.optional_text("agentId"), p.optional_text("sessionKey"), p.optional_text("sessionId"));
    let (provider, model) = (p.optional_text("provider"), p.optional_text("model"));
    let (thinking, extra) = (p.optional_text("thinking"), p.optional_text("extraSystemPrompt"));
    let (deliver, best_effort) = (p.flag("deliver"), p.flag("bestEffortDeliver"));
    let (timeout, channel) = (p.optional_count("timeout"), p.optional_text("channel"));
    let attachments = p.value("attachments").cloned();
    p.done()?;
    if deliver == Some(true) && best_effort != Some(true) {
        let text = "`deliver` needs a channel; channels are not built yet, so pass `deliver: false` or `bestEffortDeliver: true`";
        return Err(ErrorShape::invalid_params("agent", text));
    }
    let key = match (key, session_id) {
        (Some(key), _) => Some(key),
        (None, Some(id)) => Some(gateway.key_of_session_id(&id).await?),
        (None, None) => None,
    };
    let main = || gateway.main_session_key(agent.as_deref());
    let (session_key, agent_id) = gateway.route(&key.unwrap_or_else(main), agent.as_deref())?;
    let images = crate::attachments::images(attachments.as_ref()).map_err(|e| ErrorShape::invalid_params("agent", e))?;
    Ok(TurnRequest {
        run_id,
        session_key,
        agent_id,
        message: super::chat::clean_message(&message)?,
        images,
        entry: Entry::Agent,
        surface: channel.unwrap_or_else(|| "webchat".into()),
        sender_id: Some(client.client_id.clone()),
        sender_is_owner: client.is_admin(),
        scopes: client.scopes.clone(),
        model: model_of(provider, model),
        thinking,
        extra_system_prompt: extra,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: timeout.filter(|t| *t > 0).map_or_else(|| gateway.turn_timeout(), Duration::from_secs),
    })
}

fn model_of(provider: Option<String>, model: Option<String>) -> Option<ModelRef> {
    let model = model?;
    match provider {
        Some(provider) => Some(ModelRef::new(&provider, model)),
        None => ModelRef::parse(&model).ok(),
    }
}

/// Waits for a run (GW-87).
pub(super) async fn wait(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("agent.wait", params, &["runId", "timeoutMs"])?;
    let (run_id, timeout) = (p.text("runId"), p.optional_count("timeoutMs"));
    p.done()?;
    let patience = Duration::from_millis(timeout.unwrap_or(WAIT_DEFAULT_MS));
    let Some(outcome) = gateway.host.runtime.runs.wait(&run_id, patience).await else {
        return Ok(json!({"runId": run_id, "status": "timeout"}));
    };
    let status = if outcome.status == RunStatus::Ok { "ok" } else { "error" };
    let mut reply = json!({"runId": run_id, "status": status, "startedAt": outcome.started_at_ms, "endedAt": outcome.ended_at_ms, "stopReason": outcome.stop_reason});
    if let Some(error) = &outcome.error {
        reply["error"] = error.clone().into();
    }
    Ok(reply)
}

/// Configured agents.
pub(super) fn list(gateway: &Arc<Gateway>, params: Value) -> Answer {
    Params::new("agents.list", params, &[])?.done()?;
    let settings = gateway.host.runtime.settings();
    let agents = &settings.agents;
    let row = |id: &String| json!({"id": id, "workspace": gateway.host.runtime.workspace_of(id), "model": {"primary": gateway.host.runtime.default_model(id).key()}});
    Ok(
        json!({"defaultId": agents.default_id, "mainKey": "main", "scope": "per-sender", "agents": agents.list.iter().map(|a| row(&a.id)).collect::<Vec<_>>()}),
    )
}

/// Name of an agent, for surfaces.
pub(super) fn identity(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("agent.identity.get", params, &["agentId", "sessionKey"])?;
    let (agent, key) = (p.optional_text("agentId"), p.optional_text("sessionKey"));
    p.done()?;
    let agent_id = match key {
        Some(key) => gateway.route(&key, agent.as_deref())?.1,
        None => agent.unwrap_or_else(|| gateway.host.runtime.settings().agents.default_id.clone()),
    };
    let name = gateway.host.runtime.settings().agents.get(&agent_id).and_then(|a| a.name.clone()).unwrap_or_else(|| "Assistant".into());
    let avatar: String = name.chars().take(1).collect();
    Ok(json!({"agentId": agent_id, "name": name, "avatar": avatar, "avatarStatus": "none", "avatarReason": "missing"}))
}
