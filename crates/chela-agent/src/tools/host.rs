//! Tools of the host that other crates bring: media, web, memory, messages.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chela_hooks::HookEngine;
use chela_plugin::register::entries::ToolEntry;
use chela_plugin::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Origin, Tool, ToolContext, ToolKind};
use crate::runtime::AgentRuntime;

/// A tool of the host that is offered only where it can work, for instance while a plugin brings what it needs.
#[async_trait]
pub trait HostTool: Send + Sync + fmt::Debug {
    /// Name, as the model calls it.
    fn name(&self) -> &'static str;

    /// The tool as it is offered in this resolution; `None` when it is not. Must be quick: it runs for every list of tools.
    fn describe(&self, registry: &Registry, context: &ToolContext) -> Option<HostToolSpec>;

    /// The files that a call names, for policies and hooks (HOOK-163); `None` where the tool cannot tell.
    fn derived_paths(&self, params: &Value) -> Option<Vec<String>> {
        let _ = params;
        None
    }

    /// True when the tool keeps a limit of time of its own.
    fn limits_itself(&self) -> bool {
        false
    }

    /// Runs it. The value is `{content, details?}`, or anything that becomes one text block.
    ///
    /// # Errors
    /// A text for the model (TOOL-26).
    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String>;
}

/// Knows what the conditions of plugins' tools hang on: config, environment, credentials (API-118).
pub trait ToolConditions: Send + Sync + fmt::Debug {
    /// True when the conditions of this tool hold now. Must be quick: it runs for every list of tools.
    fn hold(&self, entry: &ToolEntry, tool: &str) -> bool;
}

/// How a host tool is offered.
#[derive(Clone, Debug)]
pub struct HostToolSpec {
    /// Label for people.
    pub label: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// Hidden from senders who are not the owner.
    pub owner_only: bool,
}

/// One call of a host tool.
pub struct HostToolCall<'a> {
    /// The runtime.
    pub runtime: &'a AgentRuntime,
    /// The plugins of this run: a change of plugins meanwhile does not touch it.
    pub registry: &'a Arc<Registry>,
    /// The hooks of this run.
    pub hooks: &'a Arc<HookEngine>,
    /// The arguments, an object.
    pub params: Value,
    /// `ToolCtx` of the run (HOOK-003).
    pub context: &'a Value,
    /// Session key.
    pub session_key: &'a str,
    /// Run id, if there is a run.
    pub run_id: Option<&'a str>,
    /// Id of the call.
    pub call_id: &'a str,
    /// Aborts the call.
    pub cancel: &'a CancellationToken,
    /// Takes progress, `{content, details?}`.
    pub on_update: Option<Arc<dyn Fn(Value) + Send + Sync>>,
    /// Who is behind it.
    pub origin: &'a Origin,
}

pub(super) fn tool(tool: &Arc<dyn HostTool>, spec: HostToolSpec) -> Tool {
    Tool {
        name: tool.name().into(),
        label: Some(spec.label),
        description: spec.description,
        parameters: spec.parameters,
        plugin_id: None,
        owner_only: spec.owner_only,
        kind: ToolKind::Host(tool.clone()),
    }
}
