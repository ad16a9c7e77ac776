//! `api.runtime.subagent` and `api.runtime.agent` (RT-026..051).

use std::time::Duration;

use chela_agent::{Accepted, Entry, RunStatus, TurnRequest};
use chela_plugin::CallError;
use chela_store::{OpenReason, session_key};
use serde_json::{Value, json};

use super::{Reply, Request, failed};

/// Default of `waitForRun` (RT-047).
const WAIT_MS: u64 = 30_000;
/// Longest run that a plugin starts.
const RUN_LIMIT: Duration = Duration::from_secs(60 * 60);

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.subagent.run" => run(request).await,
        "host.subagent.waitForRun" => wait(request).await,
        "host.subagent.getSessionMessages" => messages(request).await,
        "host.subagent.deleteSession" => delete(request).await,
        "host.agent.resolveAgentDir" => Ok(json!(request.host.paths.agent_dir(&agent_argument(request)))),
        "host.agent.resolveAgentWorkspaceDir" => Ok(json!(request.host.runtime.workspace_of(&agent_argument(request)))),
        "host.agent.resolveAgentTimeoutMs" => Ok(json!(request.host.runtime.settings().agents.timeout_seconds * 1000)),
        "host.agent.resolveAgentIdentity" => Ok(identity(request).unwrap_or_else(|| json!({"$undefined": true}))),
        "host.agent.ensureAgentWorkspace" => {
            let dir = request.host.runtime.workspace_of(&agent_argument(request));
            tokio::fs::create_dir_all(&dir).await.map_err(|e| failed(format!("could not create `{}`: {e}", dir.display())))?;
            Ok(json!({"dir": dir}))
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// `(cfg, agentId)`: the second argument names the agent.
fn agent_argument(request: &Request<'_>) -> String {
    let named = request.params.pointer("/args/1").and_then(Value::as_str).map(str::to_string);
    named.unwrap_or_else(|| request.host.runtime.settings().agents.default_id.clone())
}

/// The `identity` of an agent's entry in the config.
fn identity(request: &Request<'_>) -> Option<Value> {
    let config = request.host.runtime.config();
    let id = chela_store::session_key::normalize_agent_id(&agent_argument(request));
    let agents = config.get("agents.list")?.as_array()?;
    let named = |a: &&Value| a.get("id").and_then(Value::as_str).is_some_and(|n| chela_store::session_key::normalize_agent_id(n) == id);
    agents.iter().find(named)?.get("identity").filter(|i| i.is_object()).cloned()
}

fn key_of(request: &Request<'_>) -> Result<(String, String), CallError> {
    let default = request.host.runtime.settings().agents.default_id.clone();
    let key = session_key::canonicalize(request.text("sessionKey")?, &default);
    let agent = session_key::agent_of(&key);
    Ok((key, agent))
}

async fn run(request: &Request<'_>) -> Reply {
    let (key, agent) = key_of(request)?;
    let message = request.text("message")?.to_string();
    if request.optional("provider").is_some() || request.optional("model").is_some() {
        return Err(CallError::refused(
            "DENIED",
            format!("plugin `{}` may not choose the model of a run: `subagent.allowModelOverride` is not built yet", request.plugin),
        ));
    }
    let runtime = &request.host.runtime;
    let opened = runtime.store.open_session(&key, &agent, OpenReason::System).await.map_err(failed)?;
    if opened.created {
        let owner = request.plugin.to_string();
        let tag = move |row: &mut chela_store::SessionRow| {
            row.extra.insert("pluginOwnerId".into(), owner.into());
        };
        runtime.store.update_session(&key, tag).await.map_err(failed)?;
    }
    let run_id = request.optional("idempotencyKey").map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_string);
    let turn = TurnRequest {
        run_id: run_id.clone(),
        session_key: key,
        agent_id: agent,
        message,
        images: Vec::new(),
        entry: Entry::Agent,
        surface: "webchat".into(),
        sender_id: None,
        sender_is_owner: false,
        scopes: vec!["operator.write".into()],
        model: None,
        thinking: None,
        extra_system_prompt: request.optional("extraSystemPrompt").map(str::to_string),
        client_tools: Vec::new(),
        trigger: "user",
        timeout: RUN_LIMIT,
    };
    match runtime.accept(&turn, "subagent.run").await.map_err(failed)? {
        Accepted::New(ticket, mut pledge) => {
            tokio::spawn(chela_agent::turn::run(runtime.clone(), turn, ticket));
            pledge.kept().await.map_err(failed)?;
            Ok(json!({"runId": run_id}))
        }
        Accepted::InFlight(id) => Ok(json!({"runId": id})),
        Accepted::Finished(outcome) => Ok(json!({"runId": outcome.run_id})),
    }
}

async fn wait(request: &Request<'_>) -> Reply {
    let patience = request.params.get("timeoutMs").and_then(Value::as_u64).unwrap_or(WAIT_MS);
    let outcome = request.host.runtime.runs.wait(request.text("runId")?, Duration::from_millis(patience)).await;
    Ok(match outcome {
        None => json!({"status": "timeout"}),
        Some(o) if o.status == RunStatus::Ok => json!({"status": "ok"}),
        Some(o) => json!({"status": "error", "error": o.error}),
    })
}

async fn messages(request: &Request<'_>) -> Reply {
    let (key, _) = key_of(request)?;
    let limit = request.params.get("limit").and_then(Value::as_u64).unwrap_or(200).clamp(1, 1000) as usize;
    let store = &request.host.runtime.store;
    let Some(row) = store.session(&key).await.map_err(failed)? else { return Ok(json!({"messages": []})) };
    let entries = store.window(&row.session_id, limit).await.map_err(failed)?;
    let list: Vec<Value> = entries.into_iter().map(|e| e.body).collect();
    Ok(json!({"messages": list}))
}

/// Only what the same plugin created, and never a main session (RT-049, RT-050).
async fn delete(request: &Request<'_>) -> Reply {
    let (key, agent) = key_of(request)?;
    let store = &request.host.runtime.store;
    let Some(row) = store.session(&key).await.map_err(failed)? else { return Ok(Value::Null) };
    let owner = row.extra.get("pluginOwnerId").and_then(Value::as_str);
    if key == session_key::main_key(&agent) || owner != Some(request.plugin) {
        return Err(CallError::refused("DENIED", format!("session `{key}` was not created by plugin `{}`", request.plugin)));
    }
    let transcript = request.params.get("deleteTranscript").and_then(Value::as_bool).unwrap_or(true);
    if let Some(row) = store.delete_session(&key, transcript).await.map_err(failed)? {
        request.host.runtime.lifecycle.end(&row, chela_agent::lifecycle::EndReason::Deleted, None).await;
    }
    Ok(Value::Null)
}
