//! What the running gateway knows of a plugin; merged into the JSON shapes by the caller's choice.

use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::record::Status;

/// Runtime facts of one plugin. The default means "never started": every list is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuntimeFacts {
    /// The plugin's code was loaded.
    pub imported: bool,
    /// Overrides the status from files and config.
    pub status: Option<Status>,
    /// Why it failed.
    pub error: Option<String>,
    /// `load` or `register` (INS-327).
    pub failure_phase: Option<String>,
    /// When it failed, RFC 3339.
    pub failed_at: Option<String>,
    /// Tools, as registered.
    pub tools: Vec<ToolFact>,
    /// Typed hooks.
    pub typed_hooks: Vec<TypedHookFact>,
    /// Internal hooks.
    pub custom_hooks: Vec<CustomHookFact>,
    /// Slash commands.
    pub commands: Vec<String>,
    /// Command-line commands.
    pub cli_commands: Vec<String>,
    /// Services.
    pub services: Vec<String>,
    /// Gateway discovery services.
    pub gateway_discovery_services: Vec<String>,
    /// Gateway methods.
    pub gateway_methods: Vec<String>,
    /// HTTP routes.
    pub http_route_count: usize,
    /// Channels beyond those of the manifest.
    pub channel_ids: Vec<String>,
    /// Providers beyond those of the manifest.
    pub provider_ids: Vec<String>,
    /// CLI backends beyond those of the manifest.
    pub cli_backend_ids: Vec<String>,
    /// Agent harnesses.
    pub agent_harness_ids: Vec<String>,
    /// Context engines.
    pub context_engine_ids: Vec<String>,
    /// Diagnostics of the plugin's run.
    pub diagnostics: Vec<Diagnostic>,
    /// The plugin's own description of itself, which replaces that of the manifest.
    pub description: Option<String>,
    /// Compatibility notices of the plugin's run, as `inspect` shows them (INS-326).
    pub notices: Vec<Value>,
}

/// One `registerTool` call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolFact {
    /// Tool names.
    pub names: Vec<String>,
    /// Registered as optional.
    pub optional: bool,
}

/// One typed hook.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TypedHookFact {
    /// Hook name.
    pub name: String,
    /// Priority, if given.
    pub priority: Option<f64>,
}

/// One internal hook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomHookFact {
    /// Hook name.
    pub name: String,
    /// Events.
    pub events: Vec<String>,
}

impl RuntimeFacts {
    pub(crate) fn tools_json(&self) -> Vec<Value> {
        let tools = self.tools.iter();
        tools.map(|tool| json!({"names": tool.names, "optional": tool.optional})).collect()
    }

    pub(crate) fn typed_hooks_json(&self) -> Vec<Value> {
        let mut hooks: Vec<_> = self.typed_hooks.iter().collect();
        hooks.sort_by(|a, b| a.name.cmp(&b.name));
        let row = |hook: &TypedHookFact| match hook.priority {
            Some(priority) => json!({"name": hook.name, "priority": number(priority)}),
            None => json!({"name": hook.name}),
        };
        hooks.into_iter().map(row).collect()
    }

    pub(crate) fn custom_hooks_json(&self) -> Vec<Value> {
        let mut hooks: Vec<_> = self.custom_hooks.iter().collect();
        hooks.sort_by(|a, b| a.name.cmp(&b.name));
        let row = |hook: &CustomHookFact| {
            let mut events = hook.events.clone();
            events.sort();
            json!({"name": hook.name, "events": events})
        };
        hooks.into_iter().map(row).collect()
    }
}

/// A number as JavaScript writes it: no fraction where there is none.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Value::from(value as i64);
    }
    Value::from(value)
}
