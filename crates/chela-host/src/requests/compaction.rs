//! The gateway's own compaction, for context engines that leave it to the gateway (API-231).

use chela_agent::TurnPlugins;
use chela_agent::compaction::{CompactRequest, CompactionSettings, compact};
use chela_plugin::CallError;
use chela_store::session_key;

use super::{Reply, Request, failed};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.compaction.run" => run(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// Whoever asks does so from its engine's `compact`, while the session is held for it.
async fn run(request: &Request<'_>) -> Reply {
    let runtime = &request.host.runtime;
    let default = runtime.settings().agents.default_id.clone();
    let key = session_key::canonicalize(request.text("sessionKey")?, &default);
    let agent = session_key::agent_of(&key);
    let row = runtime.store.session(&key).await.map_err(failed)?;
    let Some(row) = row.filter(|row| request.optional("sessionId").is_none_or(|id| id == row.session_id)) else {
        return Err(CallError::refused("NOT_FOUND", format!("session `{key}` is not the one that is compacted")));
    };
    let model = runtime.default_model(&agent);
    let window = runtime.models().resolve(&model).ok().and_then(|m| m.entry).map(|e| e.context_window);
    let settings = CompactionSettings::from_config(&runtime.config());
    let work = CompactRequest {
        session: &row,
        agent_id: &agent,
        fallbacks: runtime.fallback_models(&agent),
        model,
        window,
        keep: settings.keep_by_hand(),
        trigger: "manual",
        instructions: request.optional("customInstructions").map(str::to_string),
        builtin_only: true,
        cancel: runtime.shutdown.child_token(),
        say: None,
    };
    Ok(compact(runtime, &request.host.manager.current(), work).await.to_value())
}
