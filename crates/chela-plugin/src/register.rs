//! From registrations to the registry: validation, duplicates, trust limits and diagnostics of every method (API-036..API-098).
//!
//! A [`RegistryBuilder`] takes the started plugins in load order, applies each registration, and gives an immutable
//! [`Registry`]. A bad registration is dropped with a diagnostic and the plugin stays; a plugin that fails as a whole leaves
//! nothing behind (the reference leaks part of it, API-241).

mod bundled;
mod cli;
mod commands;
mod compat;
pub mod entries;
pub mod facts;
mod gateway;
mod generic;
mod hooks;
mod host_hooks;
mod http;
pub mod json_limits;
mod media;
mod memory;
mod providers;
mod read;
mod registrar;
mod services;
mod tools;
mod transforms;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub use cli::{CliDescriptor, CliEntry, RESERVED_CLI_ROOTS};
pub use commands::{CommandEntry, CommandMatch, Commands, RESERVED_COMMANDS};
pub use facts::{HookPolicy, PluginFacts};
pub use gateway::{ADMIN_SCOPE, GatewayMethod, OPERATOR_SCOPES, is_operator_scope, scopes_satisfy};
pub use http::{Added, HttpRoute, HttpRoutes, LateRoutes, RouteAuth, RouteMatch, RoutePath};
pub use transforms::{Replacement, TextTransforms};

use crate::diagnostic::{Diagnostic, Level};
use crate::lane::{StartError, StartPhase, StartedPlugin};
use crate::registry::{Failure, PluginEntry, Registry};
use registrar::Registrar;

/// What the host knows before any plugin registers.
#[derive(Clone, Debug)]
pub struct RegistryInputs {
    /// Gateway methods of the host: plugins cannot take their names (API-169).
    pub core_method_names: BTreeSet<String>,
    /// Tools of the host: plugin tools cannot take their names (API-113).
    pub core_tool_names: BTreeSet<String>,
    /// Built-in commands of the command line; they win over plugins (API-181).
    pub builtin_cli_names: BTreeSet<String>,
    /// `plugins.entries.<id>.hooks` by plugin id (HOOK-094, HOOK-120..126).
    pub policies: HashMap<String, HookPolicy>,
    /// `plugins.compat.strict`: refuse what only older references ran (undeclared tools, `registerHttpHandler`).
    pub strict: bool,
    /// `hooks.internal.enabled` (HOOK-288).
    pub internal_hooks_enabled: bool,
    /// The plugin that `plugins.slots.memory` selects (API-236).
    pub memory_slot: Option<String>,
}

impl Default for RegistryInputs {
    fn default() -> Self {
        Self {
            core_method_names: BTreeSet::new(),
            core_tool_names: BTreeSet::new(),
            builtin_cli_names: BTreeSet::new(),
            policies: HashMap::new(),
            strict: false,
            internal_hooks_enabled: true,
            memory_slot: None,
        }
    }
}

/// Builds a [`Registry`] from started plugins, in load order.
#[derive(Debug)]
pub struct RegistryBuilder {
    inputs: RegistryInputs,
    registry: Registry,
}

impl RegistryBuilder {
    /// An empty builder.
    pub fn new(inputs: RegistryInputs) -> Self {
        let registry = Registry { strict: inputs.strict, core_tool_names: inputs.core_tool_names.clone(), ..Registry::default() };
        Self { inputs, registry }
    }

    /// Applies everything that a plugin registered. When the plugin fails as a whole (a registration that must throw, an id that is
    /// not its manifest's) none of it stays and its record says why (API-005, API-009).
    pub fn add(&mut self, facts: PluginFacts, started: StartedPlugin) -> &mut Self {
        let owner = facts.owner();
        if self.refuse_second(&facts) {
            return self;
        }
        let kinds = self.effective_kinds(&facts, &started);
        let StartedPlugin { mut definition, registrations, link_report, target, control, duration } = started;
        let mut entry = PluginEntry::loaded(owner.clone(), facts, kinds);
        let failed = mismatch(&entry, definition.id.as_deref()).map(|m| (StartPhase::Validation, m)).or_else(|| {
            let mut registrar = Registrar::new(&mut self.registry, &self.inputs, &entry, target.clone());
            registrar.apply_all(&registrations).err().map(|m| (StartPhase::Register, m))
        });
        if let Some((phase, message)) = failed {
            self.registry.remove_registrations(&owner.id);
            self.fail(&mut entry, phase, &message);
        } else {
            let notices = compat::notices(&owner, definition.shape.as_deref(), &registrations, &link_report);
            self.registry.notices.extend(notices);
        }
        entry.name = definition.name.take().or(entry.name);
        entry.version = definition.version.take().or(entry.version);
        entry.description = definition.description.take().or(entry.description);
        entry.definition = definition;
        entry.link_report = link_report;
        entry.target = Some(target);
        entry.control = Some(control);
        entry.duration = Some(duration);
        self.registry.plugins.push(entry);
        self
    }

    /// Records a plugin that did not start (API-004, API-008, INS-327..329).
    pub fn add_failed(&mut self, facts: PluginFacts, error: &StartError) -> &mut Self {
        if self.refuse_second(&facts) {
            return self;
        }
        let kinds = facts.kinds.clone();
        let mut entry = PluginEntry::loaded(facts.owner(), facts, kinds);
        self.fail(&mut entry, error.phase, &error.message);
        self.registry.plugins.push(entry);
        self
    }

    /// Adds a diagnostic of another stage (discovery, config), so that all are read in one place.
    pub fn diagnostic(&mut self, diagnostic: Diagnostic) -> &mut Self {
        self.registry.diagnostics.push(diagnostic);
        self
    }

    /// The finished registry: hooks in dispatch order (HOOK-088..090), lookups indexed.
    pub fn build(mut self) -> Arc<Registry> {
        self.registry.index();
        Arc::new(self.registry)
    }

    fn refuse_second(&mut self, facts: &PluginFacts) -> bool {
        let seen = self.registry.plugins.iter().any(|p| p.owner.id.as_ref() == facts.id);
        if seen {
            let message = format!("plugin `{}` was already registered; its second registration was ignored", facts.id);
            self.registry.diagnostics.push(Diagnostic::plugin(Level::Error, &facts.id, Some(&facts.source), message));
        }
        seen
    }

    /// The exported kind wins over the manifest's (API-007).
    fn effective_kinds(&mut self, facts: &PluginFacts, started: &StartedPlugin) -> Vec<String> {
        let exported = facts::kinds_of(started.definition.kind.as_ref());
        if exported.is_empty() {
            return facts.kinds.clone();
        }
        if !facts.kinds.is_empty() && facts.kinds != exported {
            let message =
                format!("plugin kind mismatch (manifest uses \"{}\", export uses \"{}\")", facts.kinds.join(","), exported.join(","));
            self.registry.diagnostics.push(Diagnostic::plugin(Level::Warn, &facts.id, Some(&facts.source), message));
        }
        exported
    }

    fn fail(&mut self, entry: &mut PluginEntry, phase: StartPhase, message: &str) {
        // The diagnostic names the phase in the reference's words, the plugin's own error does not repeat it (INS-328).
        let register = "plugin failed during register: ";
        let prefix = match phase {
            StartPhase::Validation => "",
            StartPhase::Load => "failed to load plugin: ",
            StartPhase::Register => register,
        };
        let shown = if message.starts_with(prefix) { message.to_owned() } else { format!("{prefix}{message}") };
        self.registry.diagnostics.push(Diagnostic::plugin(Level::Error, &entry.owner.id, Some(&entry.owner.source), shown));
        entry.failure = Some(Failure { phase, message: message.strip_prefix(register).unwrap_or(message).into() });
    }
}

/// API-005.
fn mismatch(entry: &PluginEntry, exported: Option<&str>) -> Option<String> {
    let exported = exported.map(str::trim).filter(|id| !id.is_empty())?;
    (exported != entry.owner.id.as_ref())
        .then(|| format!("plugin id mismatch (config uses \"{}\", export uses \"{exported}\")", entry.owner.id))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
