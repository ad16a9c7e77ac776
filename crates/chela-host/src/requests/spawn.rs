//! What the context engine has to do with child runs (API-230): it is asked before one starts, and told when it has ended.

use std::sync::Arc;

use chela_agent::TurnPlugins;
use chela_agent::context_engine::{self, Engine};
use chela_plugin::{Call, CallError, PluginObject};
use chela_store::session_key;

use crate::assemble::Host;

/// Longest undoing of what an engine prepared.
const ROLLBACK_BUDGET: std::time::Duration = std::time::Duration::from_secs(5);

/// What the engine prepared for a child run.
pub(super) struct Spawn {
    engine: Option<Arc<Engine>>,
    prepared: Option<PluginObject>,
    child: String,
}

/// Asks the engine of the agent, if a plugin's is selected.
///
/// # Errors
/// When the engine does not want the run.
pub(super) async fn prepare(host: &Arc<Host>, child: &str, agent: &str) -> Result<Spawn, CallError> {
    let engine = engine_of(host, agent).await;
    let prepared = match &engine {
        Some(engine) => engine.prepare_spawn(&session_key::main_key(agent), child, &host.runtime.shutdown.child_token()).await?,
        None => None,
    };
    Ok(Spawn { engine, prepared, child: child.into() })
}

async fn engine_of(host: &Arc<Host>, agent: &str) -> Option<Arc<Engine>> {
    let registry = host.manager.current().registry;
    context_engine::resolve(&host.runtime, &registry, agent, &host.runtime.shutdown.child_token()).await
}

impl Spawn {
    /// The run does not start after all.
    pub(super) async fn roll_back(self) {
        if let Some(rollback) = self.prepared.as_ref().and_then(|p| p.function("rollback"))
            && let Err(error) = rollback.call(Call::new(Vec::new()).budget(Some(ROLLBACK_BUDGET))).await
        {
            tracing::warn!(target: "context-engine", child = self.child, "its rollback failed: {error}");
        }
    }

    /// The run has ended.
    pub(super) async fn completed(self, host: &Arc<Host>) {
        if let Some(engine) = &self.engine {
            engine.subagent_ended(&self.child, "completed", &host.runtime.shutdown.child_token()).await;
        }
    }
}

/// The child session is gone.
pub(super) async fn deleted(host: &Arc<Host>, child: &str, agent: &str) {
    if let Some(engine) = engine_of(host, agent).await {
        engine.subagent_ended(child, "deleted", &host.runtime.shutdown.child_token()).await;
    }
}
