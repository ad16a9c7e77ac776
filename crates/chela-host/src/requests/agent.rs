//! `api.runtime.subagent` and `api.runtime.agent` (RT-026..051).

use std::time::Duration;

use chela_agent::{Accepted, Entry, RunStatus, TurnRequest};
use chela_models::ModelRef;
use chela_plugin::CallError;
use chela_store::{OpenReason, session_key};
use serde_json::{Value, json};

use super::{Reply, Request, failed, spawn};

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
        "host.agent.runEmbeddedAgent" | "host.agent.runEmbeddedPiAgent" => embedded(request).await,
        "host.agent.resolveAgentDir" => Ok(json!(request.host.paths.agent_dir(&agent_argument(request)))),
        "host.agent.resolveAgentWorkspaceDir" => Ok(json!(request.host.runtime.workspace_of(&agent_argument(request)))),
        "host.agent.resolveAgentTimeoutMs" => Ok(json!(request.host.runtime.settings().agents.timeout_seconds * 1000)),
        "host.agent.thinkingOpinions" => super::thinking::opinions(request).await,
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
    identity_of(&request.host.runtime.config(), &agent_argument(request))
}

/// The `identity` that the config gives an agent.
pub(crate) fn identity_of(config: &chela_config::Config, agent: &str) -> Option<Value> {
    let id = chela_store::session_key::normalize_agent_id(agent);
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
    let model = chosen_model(request)?;
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
    let mut turn = plain_turn(run_id.clone(), key, agent, message);
    turn.model = model;
    turn.extra_system_prompt = request.optional("extraSystemPrompt").map(str::to_string);
    // The run itself notes another route for the session, so the one to answer on is read before (RT-040).
    let route = if request.params["deliver"] == true { Some(request.host.route_of(&turn.session_key).await) } else { None };
    let child = spawn::prepare(request.host, &turn.session_key, &turn.agent_id).await?;
    let known = match runtime.accept(&turn, "subagent.run").await {
        Ok(Accepted::New(ticket, mut pledge)) => {
            let (host, runtime) = (request.host.clone(), runtime.clone());
            tokio::spawn(async move {
                let key = turn.session_key.clone();
                let outcome = chela_agent::turn::run(runtime, turn, ticket).await;
                child.completed(&host).await;
                if let (Some(route), Some(text)) = (route, &outcome.text) {
                    host.answer_along(route, &key, text).await;
                }
            });
            pledge.kept().await.map_err(failed)?;
            return Ok(json!({"runId": run_id}));
        }
        Ok(Accepted::InFlight(id)) => Ok(json!({"runId": id})),
        Ok(Accepted::Finished(outcome)) => Ok(json!({"runId": outcome.run_id})),
        Err(error) => Err(failed(error)),
    };
    child.roll_back().await;
    known
}

/// A turn on behalf of a plugin: with the rights of a client that may write, and of nobody in particular (RT-051).
pub(crate) fn plain_turn(run_id: String, session_key: String, agent_id: String, message: String) -> TurnRequest {
    TurnRequest {
        run_id,
        session_key,
        agent_id,
        message,
        images: Vec::new(),
        entry: Entry::Agent,
        surface: "webchat".into(),
        sender_id: None,
        sender_is_owner: false,
        scopes: vec!["operator.write".into()],
        model: None,
        thinking: None,
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: RUN_LIMIT,
    }
}

/// The model that a plugin asks for, if its operator allows it (RT-042..045). A refusal is an error, never another model.
fn chosen_model(request: &Request<'_>) -> Result<Option<ModelRef>, CallError> {
    let named = |key: &str| request.optional(key).map(str::trim).filter(|text| !text.is_empty());
    let (provider, model) = (named("provider"), named("model"));
    if provider.is_none() && model.is_none() {
        return Ok(None);
    }
    let entry = format!("plugins.entries.{}.subagent", request.plugin);
    let refuse = |text: String| Err(CallError::refused("DENIED", format!("plugin `{}` {text}", request.plugin)));
    let config = request.host.runtime.config();
    let policy = &config.effective["plugins"]["entries"][request.plugin]["subagent"];
    if policy["allowModelOverride"] != true {
        return refuse(format!("may not choose the model of a run; `{entry}.allowModelOverride` allows it"));
    }
    let Some(model) = model else { return refuse("names a provider for a run, and no model".to_owned()) };
    let full = provider.map_or_else(|| model.to_owned(), |provider| format!("{provider}/{model}"));
    if let Some(list) = policy["allowedModels"].as_array() {
        let known: Vec<&str> =
            list.iter().filter_map(Value::as_str).map(str::trim).filter(|text| *text == "*" || text.contains('/')).collect();
        let listed = known.contains(&"*") || (full.contains('/') && known.iter().any(|other| other.eq_ignore_ascii_case(&full)));
        if !list.is_empty() && !listed {
            return refuse(format!("may not run `{full}`, which is not in `{entry}.allowedModels`"));
        }
    }
    ModelRef::parse(&full).map(Some).map_err(failed)
}

/// One normal turn that is awaited: the agent's own model and hooks (RT-031..033).
async fn embedded(request: &Request<'_>) -> Reply {
    let params = request.params.pointer("/args/0").cloned().unwrap_or(Value::Null);
    let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let need =
        |key: &str| text(key).ok_or_else(|| CallError::refused("INVALID_PARAMS", format!("`{}` needs `{key}` (text)", request.method)));
    let (session_id, run_id, prompt) = (need("sessionId")?, need("runId")?, need("prompt")?);
    let runtime = &request.host.runtime;
    let default = runtime.settings().agents.default_id.clone();
    let agent = text("agentId").map_or_else(|| default.clone(), session_key::normalize_agent_id);
    let key = text("sessionKey").map_or_else(|| format!("agent:{agent}:embedded:{session_id}"), str::to_owned);
    let key = session_key::canonicalize(&key, &default);
    let agent = session_key::agent_of(&key);
    let limit = params.get("timeoutMs").and_then(Value::as_u64).map_or(RUN_LIMIT, Duration::from_millis).min(RUN_LIMIT);
    let mut turn = plain_turn(run_id.to_owned(), key, agent, prompt.to_owned());
    turn.timeout = limit;
    turn.extra_system_prompt = text("extraSystemPrompt").map(str::to_owned);
    turn.thinking = text("thinkLevel").map(str::to_owned);
    let model = Request { params: params.clone(), ..*request };
    turn.model = chosen_model(&model)?;
    let outcome = match runtime.accept(&turn, "runEmbeddedAgent").await.map_err(failed)? {
        Accepted::New(ticket, mut pledge) => {
            tokio::spawn(chela_agent::turn::run(runtime.clone(), turn, ticket));
            pledge.kept().await.map_err(failed)?;
            // The run says nothing before its message counts as acknowledged.
            drop(pledge);
            runtime.runs.wait(run_id, limit).await
        }
        Accepted::InFlight(id) => runtime.runs.wait(&id, limit).await,
        Accepted::Finished(outcome) => Some(outcome),
    };
    let Some(outcome) = outcome else {
        runtime.runs.abort_run(run_id);
        return Err(CallError::refused("TIMEOUT", format!("run `{run_id}` did not end within {} ms", limit.as_millis())));
    };
    let mut meta = json!({
        "durationMs": outcome.ended_at_ms - outcome.started_at_ms,
        "aborted": outcome.status == RunStatus::Aborted,
        "stopReason": outcome.stop_reason,
        "agentMeta": {
            "sessionId": outcome.session_id, "provider": outcome.provider, "model": outcome.model,
            "usage": {
                "input": outcome.usage.input, "output": outcome.usage.output, "cacheRead": outcome.usage.cache_read,
                "cacheWrite": outcome.usage.cache_write, "total": outcome.usage.total,
            },
        },
    });
    if let Some(error) = &outcome.error {
        meta["error"] = json!({"kind": outcome.error_kind.unwrap_or("unknown"), "message": error});
    }
    let payloads: Vec<Value> = outcome.text.iter().map(|text| json!({"text": text})).collect();
    Ok(json!({"payloads": payloads, "meta": meta}))
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
        spawn::deleted(request.host, &key, &agent).await;
    }
    Ok(Value::Null)
}
