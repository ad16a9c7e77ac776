//! A turn in this process: `chela agent --local`, and the fall-back when no gateway answers (GW-162).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::{Begin, Entry, RunStatus, TurnRequest};
use chela_config::Config;
use chela_models::ModelRef;
use chela_store::session_key;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use chela_host::Purpose;

use super::plugin_runtime::{Silent, open};
use crate::cli::AgentArgs;
use crate::context::Context;
use crate::report::Failure;

/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// Why a turn runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// `--local`.
    Asked,
    /// No gateway answered; its words.
    GatewayFailed(String),
}

/// Runs one turn without a gateway and gives `{payloads, meta}`; after a failed gateway, `meta` has `transport: "embedded"` and
/// `fallbackFrom: "gateway"`.
///
/// # Errors
/// A store in use by a gateway, a model that cannot be had, a failed turn.
pub fn run(ctx: &Context, config: Config, args: &AgentArgs, reason: &Reason) -> Result<Value, Failure> {
    crate::context::block_on(async {
        let host = open(ctx, config, Arc::new(Silent), Purpose::Command, false)?;
        host.recover().await.map_err(|error| Failure::new(error.to_string()))?;
        host.manager.begin(&chela_catalog::Trigger::GatewayStartup);
        host.manager.settle(Duration::from_secs(30)).await;
        let request = request(&host, args).await?;
        let (key, message) = (request.session_key.clone(), request.message.clone());
        let Begin::New(ticket) = host.runtime.runs.begin(&request.run_id, &key, &message, &CancellationToken::new()) else {
            return Err(Failure::new("the run id is taken"));
        };
        let outcome = chela_agent::turn::run(host.runtime.clone(), request, ticket).await;
        host.runtime.lifecycle.drain(chela_agent::lifecycle::EndReason::Shutdown, chela_agent::lifecycle::DRAIN_BUDGET).await;
        host.close(GRACE).await;
        if outcome.status != RunStatus::Ok {
            return Err(Failure::new(outcome.error.clone().unwrap_or_else(|| "the turn failed".into())));
        }
        let mut result = chela_gateway::methods::final_reply(&outcome, None)["result"].take();
        result["meta"]["transport"] = "embedded".into();
        if *reason != Reason::Asked {
            result["meta"]["fallbackFrom"] = "gateway".into();
        }
        Ok(result)
    })
}

async fn request(host: &chela_host::Host, args: &AgentArgs) -> Result<TurnRequest, Failure> {
    let settings = host.runtime.settings();
    let agent = match &args.agent {
        Some(id) => settings
            .agents
            .get(id)
            .map(|a| a.id.clone())
            .ok_or_else(|| Failure::new(format!("there is no agent `{id}`")).hint("see `agents.list` in the config"))?,
        None => settings.agents.default_id.clone(),
    };
    let known = match &args.session_id {
        Some(id) => host.runtime.store.session_by_id(id).await.map_err(|error| Failure::new(error.to_string()))?.map(|row| row.key),
        None => Some(session_key::main_key(&agent)),
    };
    let key = known.unwrap_or_else(|| format!("agent:{agent}:explicit:{}", args.session_id.as_deref().unwrap_or_default()));
    Ok(TurnRequest {
        run_id: uuid::Uuid::new_v4().to_string(),
        session_key: session_key::canonicalize(&key, &agent),
        agent_id: agent,
        message: args.message.clone(),
        images: Vec::new(),
        entry: Entry::Agent,
        surface: "cli".into(),
        sender_id: None,
        sender_is_owner: true,
        scopes: vec!["operator.admin".into()],
        model: args
            .model
            .as_deref()
            .map(|text| ModelRef::parse(text).unwrap_or_else(|_| ModelRef::new(&host.runtime.default_model("main").provider, text))),
        thinking: args.thinking.clone(),
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: Duration::from_secs(args.timeout.unwrap_or(settings.agents.timeout_seconds).max(1)),
    })
}
