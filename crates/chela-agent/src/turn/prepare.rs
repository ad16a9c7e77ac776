//! The prompt of a turn: history, queued injections, prompt hooks, tools, system prompt (HOOK-013..016, HOOK-136..141).

use std::sync::Arc;

use chela_plugin::{HookName, SharedJson};
use chela_store::{Injection, Placement};
use serde::Serialize;
use serde_json::{Value, json};

use super::resolve::ChosenModel;
use super::{TurnError, TurnScope, context, write};
use crate::history::History;
use crate::prompt::{self, BootstrapFile, PromptParts};
use crate::tools::ToolSet;

/// What goes to the model.
pub(super) struct Prepared {
    /// The system prompt.
    pub system: String,
    /// The user's text with what plugins put around it; only this turn sees it.
    pub prompt: String,
    /// Tools on offer.
    pub tools: Arc<ToolSet>,
    /// The conversation as a context engine wants it, in place of the history.
    pub assembled: Option<Vec<Value>>,
}

/// Builds the prompt.
pub(super) async fn prepare(scope: &mut TurnScope<'_>, chosen: &ChosenModel) -> Result<Prepared, TurnError> {
    context::open(scope, chosen).await?;
    let injections = drain_injections(scope).await?;
    // `agent:bootstrap` comes before the hooks of the prompt (HOOK-130).
    let files = scope.runtime.bootstrap.files(scope, &scope.workspace()).await;
    let (parts, tools) = if scope.request.client_tools.is_empty() {
        // The tools are put together while the hooks are waited for.
        write::begin_user_message(scope);
        tokio::join!(hook_parts(scope, &injections, &chosen.start_result), ToolSet::resolve(scope))
    } else {
        let mut tools = ToolSet::resolve(scope).await;
        if let Err(name) = tools.offer(&scope.request.client_tools) {
            scope.stop_reason = "tool_conflict";
            return Err(TurnError::ToolConflict(name));
        }
        write::begin_user_message(scope);
        (hook_parts(scope, &injections, &chosen.start_result).await, tools)
    };
    let tools = Arc::new(tools);
    let system = match parts.system {
        Some(system) => system,
        None => base_system(scope, &tools, &files).await,
    };
    let assembled = context::assemble(scope, chosen, &names(&tools)).await?;
    let addition = assembled.as_ref().and_then(|a| a.system_addition.clone()).unwrap_or_default();
    let system = prompt::join_blank([addition.as_str(), &parts.prepend_system, &system, &parts.append_system]);
    let events = scope.runtime.system_events.take_text(scope.session_key());
    let prompt = prompt::join_blank([events.as_str(), &parts.prepend, &scope.message, &parts.append]);
    Ok(Prepared { system, prompt, tools, assembled: assembled.map(|a| a.messages) })
}

/// Names of the tools.
pub(super) fn names(tools: &ToolSet) -> Vec<String> {
    tools.all().iter().map(|t| t.name.clone()).collect()
}

/// Injections leave the queue once, in order of creation (HOOK-252..254).
async fn drain_injections(scope: &TurnScope<'_>) -> Result<Vec<Injection>, TurnError> {
    if !scope.session.as_ref().is_some_and(|s| s.extra.contains_key("pluginNextTurnInjections")) {
        return Ok(Vec::new());
    }
    let loaded = scope.runtime.plugins.injecting();
    Ok(scope.runtime.store.drain_injections(scope.session_key(), scope.run_id(), loaded).await?)
}

#[derive(Default)]
struct HookParts {
    system: Option<String>,
    prepend: String,
    append: String,
    prepend_system: String,
    append_system: String,
}

/// What the prompt hooks get.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct PromptEvent<'a> {
    prompt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    messages: &'a History,
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_injections: Option<&'a [Injection]>,
}

async fn hook_parts(scope: &TurnScope<'_>, injections: &[Injection], start_result: &Value) -> HookParts {
    let plain = PromptEvent { prompt: &scope.message, messages: &scope.history, run_id: None, queued_injections: None };
    let turn = scope
        .hooks()
        .dispatch_text(HookName::AgentTurnPrepare, scope.options(), || {
            (SharedJson::of(&PromptEvent { queued_injections: Some(injections), ..plain }), scope.agent_context())
        })
        .await
        .merged;
    let heartbeat = if scope.request.trigger == "heartbeat" {
        let event = || {
            let event = json!({"sessionKey": scope.session_key(), "agentId": scope.request.agent_id, "heartbeatName": "heartbeat"});
            (event, scope.agent_context())
        };
        scope.hooks().dispatch_with(HookName::HeartbeatPromptContribution, scope.options(), event).await.merged
    } else {
        Value::Null
    };
    let event = || (SharedJson::of(&plain), scope.agent_context());
    let build = scope.hooks().dispatch_text(HookName::BeforePromptBuild, scope.options(), event).await.merged;
    let start = if start_result.is_null() {
        // HOOK-141: called a second time, with messages, only when the first call had no result.
        let event = || (SharedJson::of(&PromptEvent { run_id: Some(scope.run_id()), ..plain }), scope.agent_context());
        scope.hooks().dispatch_text(HookName::BeforeAgentStart, scope.options(), event).await.merged
    } else {
        start_result.clone()
    };
    let queued_text = |placement| Injection::join(injections, placement).unwrap_or_default();
    let joined = |key: &str, queued: String| {
        let texts = [&turn, &heartbeat, &build, &start].map(|r| r.get(key).and_then(Value::as_str).unwrap_or_default());
        prompt::join_blank([queued.as_str()].into_iter().chain(texts))
    };
    let of_two = |key: &str| prompt::join_blank([&build, &start].map(|r| r.get(key).and_then(Value::as_str).unwrap_or_default()));
    let system = [&build, &start].into_iter().find_map(|r| r.get("systemPrompt").and_then(Value::as_str).map(str::to_string));
    HookParts {
        system,
        prepend: joined("prependContext", queued_text(Placement::PrependContext)),
        append: joined("appendContext", queued_text(Placement::AppendContext)),
        prepend_system: of_two("prependSystemContext"),
        append_system: of_two("appendSystemContext"),
    }
}

async fn base_system(scope: &TurnScope<'_>, tools: &ToolSet, files: &[BootstrapFile]) -> String {
    let workspace = scope.workspace();
    let model = scope.model.as_ref().map(|(p, m)| format!("{p}/{m}")).unwrap_or_default();
    let guidance: Vec<String> = scope.registry().commands.guidance().into_iter().map(str::to_string).collect();
    let names: Vec<&str> = tools.all().iter().map(|t| t.name.as_str()).collect();
    let config = scope.runtime.config();
    let citations = config.get("memory.citations").and_then(Value::as_str);
    // A context engine puts them in by itself, where it wants them.
    let memory = match &scope.engine {
        Some(_) => Vec::new(),
        None => crate::memory::prompt_lines(scope.registry(), &names, citations, &scope.cancel).await,
    };
    prompt::system_prompt(&PromptParts {
        agent_id: &scope.request.agent_id,
        workspace: Some(&workspace),
        model: &model,
        surface: &scope.request.surface,
        tools: &tools.descriptions(),
        guidance: &guidance,
        memory: &memory,
        files,
        extra: scope.request.extra_system_prompt.as_deref(),
    })
}
