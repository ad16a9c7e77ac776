//! The tools of a run: resolved from plugins and the host, guarded by policies and hooks, executed with deadlines.

mod approval;
mod core;
mod execute;
mod group;
mod host;
mod left_out;
mod loops;
mod middleware;
mod origin;

use std::collections::HashMap;

use chela_models::ToolSpec;
use chela_plugin::register::entries::{ToolEntry, ToolSource};
use chela_plugin::registry::Registry;
use chela_plugin::{Adapter, Call, Callback, Diagnostic, Level};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::approval::Confirm;
pub use self::core::{CORE_TOOLS, CoreTool};
pub use self::execute::{Caller, Refusal, ToolOutcome, execute};
pub use self::host::{HostTool, HostToolCall, HostToolSpec, ToolConditions};
pub use self::left_out::LeftOut;
pub use self::loops::LoopGuard;
pub(crate) use self::loops::LoopSettings;
pub use self::origin::Origin;

use crate::turn::TurnScope;

/// A factory that takes this long is told (API-123).
const SLOW_ONE: Duration = Duration::from_millis(1000);
/// All factories of a turn that take this long are told (API-123).
const SLOW_ALL: Duration = Duration::from_millis(5000);
/// Longest time a tool factory may take: it is synchronous in the plugin (API-108).
const FACTORY_BUDGET: Duration = Duration::from_secs(5);

/// Where a tool runs.
#[derive(Clone, Debug)]
pub enum ToolKind {
    /// In the host.
    Core(CoreTool),
    /// In the host, by another crate.
    Host(Arc<dyn HostTool>),
    /// In a plugin.
    Plugin {
        /// Its `execute`.
        execute: Callback,
        /// True when a factory made the handle for this resolution: it is released with the set.
        temporary: bool,
    },
    /// At the caller's: the host only asks its hooks, and hands the call over.
    Client,
}

/// A tool that a run may call.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Name, as the model calls it.
    pub name: String,
    /// Label for people.
    pub label: Option<String>,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// The plugin it belongs to.
    pub plugin_id: Option<Arc<str>>,
    /// Hidden from senders who are not the owner (API-124).
    pub owner_only: bool,
    /// Where it runs.
    pub kind: ToolKind,
}

/// Who asks for tools and where: the factory context (API-109).
#[derive(Clone, Debug)]
pub struct ToolContext {
    /// Agent, session and surface facts for factories.
    pub facts: Value,
    /// True for the operator.
    pub sender_is_owner: bool,
    /// Allow and deny lists.
    pub policy: crate::tool_policy::ToolPolicy,
    /// What knows when tools of plugins are there; without it all are.
    pub conditions: Option<Arc<dyn ToolConditions>>,
}

impl ToolContext {
    /// True when the manifest's conditions for a tool hold (API-118).
    fn is_there(&self, entry: &ToolEntry, tool: &str) -> bool {
        !entry.conditions.contains_key(tool) || self.conditions.as_ref().is_none_or(|conditions| conditions.hold(entry, tool))
    }

    /// True when an entry may bring a tool: one whose tools are all named, and none of them there, is not even asked.
    fn may_bring(&self, entry: &ToolEntry) -> bool {
        let names = if entry.names.is_empty() { &entry.declared } else { &entry.names };
        entry.conditions.is_empty() || names.is_empty() || names.iter().any(|name| self.is_there(entry, name))
    }

    /// True when a tool is hidden from whoever asks (TOOL-17, API-124).
    fn hides(&self, name: &str, owner_only: bool) -> bool {
        !self.sender_is_owner && (owner_only || crate::tool_policy::catalogue::is_owners(name))
    }
}

/// All tools of one run.
#[derive(Debug, Default)]
pub struct ToolSet {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
    /// Tools that no manifest declares are refused (API-099).
    strict: bool,
    /// What went wrong while the tools were built (API-110..114).
    pub diagnostics: Vec<Diagnostic>,
}

impl ToolSet {
    /// The tools of a turn.
    pub async fn resolve(scope: &TurnScope<'_>) -> Self {
        let names = (scope.request.agent_id.as_str(), scope.session_key(), scope.session_id());
        let owner = scope.request.sender_is_owner;
        let context = scope.runtime.tool_context_of(names, &scope.request.surface, owner, scope.model.as_ref(), &Origin::of(scope).await);
        Self::build(scope.runtime.host_tools(), scope.registry(), &context).await
    }

    /// Builds the set: host tools first, then plugins in load order; a later tool of the same name is skipped (API-113).
    pub async fn build(host_tools: &[Arc<dyn HostTool>], registry: &Registry, context: &ToolContext) -> Self {
        let entries: Vec<&ToolEntry> = registry.tools.iter().filter(|entry| context.may_bring(entry)).collect();
        let mut set = Self::default();
        set.strict = registry.is_strict();
        for tool in CORE_TOOLS.iter().filter(|t| context.policy.permits_core_tool(t.name())) {
            set.push(tool.describe());
        }
        for tool in host_tools.iter().filter(|t| context.policy.permits_core_tool(t.name())) {
            match tool.describe(registry, context) {
                Some(spec) if !context.hides(tool.name(), spec.owner_only) => set.push(host::tool(tool, spec)),
                _ => {}
            }
        }
        let begun = Instant::now();
        let resolved = join_all(entries.iter().map(|entry| resolve_entry(entry, context))).await;
        let times = entries.iter().zip(&resolved).map(|(entry, (_, took))| (&entry.owner.id, *took));
        set.diagnostics.extend(slow_factories(times, begun.elapsed()));
        for (entry, (result, _)) in entries.into_iter().zip(resolved) {
            set.take(entry, result, context);
        }
        set.check_lists(host_tools, &registry.tools, &context.policy);
        set
    }

    /// Tells about allow lists that name nothing (TOOL-14). Only what is known before policies counts as known.
    fn check_lists(&mut self, host_tools: &[Arc<dyn HostTool>], entries: &[ToolEntry], policy: &crate::tool_policy::ToolPolicy) {
        if policy.steps.iter().all(|step| step.allow.is_empty()) {
            return;
        }
        let mut known: Vec<(&str, Option<&str>)> = CORE_TOOLS.iter().map(|t| (t.name(), None)).collect();
        known.extend(host_tools.iter().map(|t| (t.name(), None)));
        for entry in entries {
            let names = entry.names.iter().chain(&entry.declared);
            known.extend(names.map(|name| (name.as_str(), Some(entry.owner.id.as_ref()))));
            known.push(("", Some(entry.owner.id.as_ref())));
        }
        known.extend(self.tools.iter().map(|tool| (tool.name.as_str(), tool.plugin_id.as_deref())));
        let unknown = policy.unknown_entries(&known);
        self.diagnostics.extend(unknown.iter().map(|found| {
            let text = list_warning(found);
            tracing::debug!(target: "tools", "{text}");
            Diagnostic { level: Level::Warn, plugin_id: None, source: None, message: text }
        }));
    }

    fn take(&mut self, entry: &ToolEntry, resolved: Result<Vec<Resolved>, String>, context: &ToolContext) {
        let plugin = &entry.owner.id;
        let rows = match resolved {
            Ok(rows) => rows,
            Err(message) => return self.problem(entry, format!("plugin tool factory failed ({plugin}): {message}")),
        };
        // API-114: a plugin whose id is a taken tool name contributes no tools.
        if self.by_name.contains_key(&normalise(plugin)) {
            return self.problem(entry, format!("plugin id conflicts with core tool name ({plugin})"));
        }
        for row in rows {
            match row {
                Resolved::Malformed(reason) => self.problem(entry, format!("plugin tool is malformed ({plugin}): {reason}")),
                Resolved::Tool(tool) => {
                    let declared = entry.names.iter().chain(&entry.declared).any(|n| *n == tool.name);
                    if self.strict && !declared {
                        self.problem(entry, format!("plugin tool is undeclared ({plugin}): {}", tool.name));
                        continue;
                    }
                    let hidden = context.hides(&tool.name, tool.owner_only) || !context.is_there(entry, &tool.name);
                    if hidden || !context.policy.permits_plugin_tool(&tool.name, plugin, entry.is_optional(&tool.name)) {
                        continue;
                    }
                    if self.by_name.contains_key(&normalise(&tool.name)) {
                        let name = &tool.name;
                        self.problem(entry, format!("plugin tool name conflict ({plugin}): {name}"));
                        continue;
                    }
                    self.push(*tool);
                }
            }
        }
    }

    fn push(&mut self, tool: Tool) {
        self.by_name.insert(normalise(&tool.name), self.tools.len());
        self.tools.push(tool);
    }

    /// Adds tools that the caller runs itself.
    ///
    /// # Errors
    /// The first name that is taken; the set is of no use then.
    pub fn offer(&mut self, specs: &[ToolSpec]) -> Result<(), String> {
        for spec in specs {
            if self.by_name.contains_key(&normalise(&spec.name)) {
                return Err(spec.name.clone());
            }
            self.push(Tool {
                name: spec.name.clone(),
                label: None,
                description: spec.description.clone(),
                parameters: spec.parameters.clone(),
                plugin_id: None,
                owner_only: false,
                kind: ToolKind::Client,
            });
        }
        Ok(())
    }

    fn problem(&mut self, entry: &ToolEntry, message: String) {
        tracing::warn!(target: "tools", plugin = %entry.owner.id, "{message}");
        self.diagnostics.push(Diagnostic::plugin(Level::Error, &entry.owner.id, Some(&entry.owner.source), message));
    }

    /// All tools.
    pub fn all(&self) -> &[Tool] {
        &self.tools
    }

    /// The tool of that name; case and `-`/`_` do not matter (API-113, HOOK-161).
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(&normalise(name)).and_then(|at| self.tools.get(*at))
    }

    /// What the model is offered.
    pub fn specs(&self) -> Arc<[ToolSpec]> {
        let spec = |t: &Tool| ToolSpec { name: t.name.clone(), description: t.description.clone(), parameters: t.parameters.clone() };
        self.tools.iter().map(spec).collect()
    }

    /// Names and descriptions for the prompt.
    pub fn descriptions(&self) -> Vec<(String, String)> {
        self.tools.iter().map(|t| (t.name.clone(), t.description.clone())).collect()
    }
}

impl Drop for ToolSet {
    /// Handles that factories made for this run would pile up in the workers otherwise.
    fn drop(&mut self) {
        for tool in &self.tools {
            if let ToolKind::Plugin { execute, temporary: true } = &tool.kind {
                execute.target.release(&[execute.handle]);
            }
        }
    }
}

fn list_warning(found: &crate::tool_policy::UnknownEntries) -> String {
    let part = |names: &[String], what: &str| (!names.is_empty()).then(|| format!("{what} `{}`", names.join("`, `")));
    let parts = [part(&found.unknown, "no loaded plugin and no tool is"), part(&found.unavailable, "not available here:")];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let rest = if found.leaves_nothing { "; no tool is left, since the list names nothing else" } else { "" };
    format!("`{}`: {parts}{rest}", found.label)
}

fn normalise(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

enum Resolved {
    Tool(Box<Tool>),
    Malformed(String),
}

/// What an entry brings, and how long its factory took.
async fn resolve_entry(entry: &ToolEntry, context: &ToolContext) -> (Result<Vec<Resolved>, String>, Duration) {
    match &entry.source {
        ToolSource::Object { descriptor, execute } => {
            (Ok(vec![from_descriptor(entry, descriptor, execute.clone(), false)]), Duration::ZERO)
        }
        ToolSource::Factory(factory) => {
            let call = Call::new(vec![context.facts.clone()]).adapter(Adapter::ToolFactory).budget(Some(FACTORY_BUDGET));
            let begun = Instant::now();
            let rows = factory.call(call).await.map_err(|e| e.to_string());
            let rows = rows.map(|rows| rows.as_array().cloned().unwrap_or_default());
            (rows.map(|rows| rows.iter().map(|row| from_row(entry, factory, row)).collect()), begun.elapsed())
        }
    }
}

/// API-123: in the log, and where somebody asks for the tools of a session.
fn slow_factories<'a>(times: impl Iterator<Item = (&'a Arc<str>, Duration)>, all: Duration) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = times
        .filter(|(_, took)| *took >= SLOW_ONE)
        .map(|(plugin, took)| {
            let text = format!("a tool factory of plugin `{plugin}` took {} ms; each turn waits for it", took.as_millis());
            Diagnostic { level: Level::Warn, plugin_id: Some(plugin.to_string()), source: None, message: text }
        })
        .collect();
    if all >= SLOW_ALL {
        let text = format!("the tool factories of all plugins took {} ms; each turn waits for them", all.as_millis());
        out.push(Diagnostic { level: Level::Warn, plugin_id: None, source: None, message: text });
    }
    out.iter().for_each(|found| tracing::warn!(target: "tools", "{}", found.message));
    out
}

fn from_row(entry: &ToolEntry, factory: &Callback, row: &Value) -> Resolved {
    if let Some(reason) = row.get("malformed").and_then(Value::as_str) {
        return Resolved::Malformed(reason.into());
    }
    let handle = row.get("execute").and_then(chela_plugin::value::function_handle);
    let execute = handle.map(|handle| Callback { handle, ..factory.clone() });
    from_descriptor(entry, row, execute, true)
}

fn from_descriptor(entry: &ToolEntry, descriptor: &Value, execute: Option<Callback>, temporary: bool) -> Resolved {
    let text = |key: &str| chela_plugin::value::text(descriptor, key).map(str::to_string);
    let Some(name) = text("name") else { return Resolved::Malformed("it has no name".into()) };
    let Some(execute) = execute else { return Resolved::Malformed(format!("`{name}` has no execute function")) };
    let Some(parameters) = descriptor.get("parameters").filter(|p| p.is_object()).cloned() else {
        return Resolved::Malformed(format!("`{name}` has no parameters object"));
    };
    Resolved::Tool(Box::new(Tool {
        label: text("label"),
        description: text("description").unwrap_or_default(),
        parameters,
        plugin_id: Some(entry.owner.id.clone()),
        owner_only: descriptor.get("ownerOnly").and_then(Value::as_bool).unwrap_or(false),
        kind: ToolKind::Plugin { execute, temporary },
        name,
    }))
}

/// A tool result of one text, as plugins return it.
pub fn text_result(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-123
    #[test]
    fn slow_factories_are_reported_one_by_one_and_together() {
        let (a, b): (Arc<str>, Arc<str>) = ("quick".into(), "slow".into());
        let report = |one: u64, other: u64, all: u64| -> Vec<(Option<String>, String)> {
            let times = [(&a, Duration::from_millis(one)), (&b, Duration::from_millis(other))];
            slow_factories(times.into_iter(), Duration::from_millis(all)).into_iter().map(|d| (d.plugin_id, d.message)).collect()
        };
        assert!(report(999, 999, 4_999).is_empty());
        let found = report(10, 1_000, 1_000);
        assert!(found.len() == 1 && found[0].0.as_deref() == Some("slow") && found[0].1.contains("1000 ms"), "{found:?}");
        let found = report(900, 900, 5_000);
        assert!(found.len() == 1 && found[0].0.is_none() && found[0].1.contains("5000 ms"), "{found:?}");
    }
}
