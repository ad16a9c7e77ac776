//! From the registry to the facts that `plugins inspect --runtime` adds to the cold inspection (INS-317..321).

use chela_catalog::{CustomHookFact, Diagnostic, Level, RuntimeFacts, Status, ToolFact, TypedHookFact};
use chela_plugin::StartPhase;
use chela_plugin::register::entries::Owner;
use chela_plugin::registry::Registry;

/// What a plugin registered. A plugin that was never started has none.
pub(crate) fn facts_of(registry: &Registry, id: &str) -> RuntimeFacts {
    let Some(entry) = registry.plugin(id) else { return RuntimeFacts::default() };
    let own = |owner: &Owner| owner.id.as_ref() == id;
    let recorded = |method: &str| registry.recorded_of(method).filter(|r| own(&r.owner)).map(|r| r.id.clone()).collect::<Vec<_>>();
    let phase = |phase: StartPhase| match phase {
        StartPhase::Validation => "validation",
        StartPhase::Load => "load",
        StartPhase::Register => "register",
    };
    RuntimeFacts {
        imported: entry.target.is_some(),
        status: Some(if entry.failure.is_some() { Status::Error } else { Status::Loaded }),
        error: entry.failure.as_ref().map(|f| f.message.clone()),
        failure_phase: entry.failure.as_ref().map(|f| phase(f.phase).to_string()),
        failed_at: None,
        tools: registry.tools.iter().filter(|t| own(&t.owner)).map(|t| ToolFact { names: t.names.clone(), optional: t.optional }).collect(),
        typed_hooks: registry
            .typed_hooks
            .iter()
            .filter(|h| own(&h.owner))
            .map(|h| TypedHookFact { name: h.hook.as_str().into(), priority: Some(h.priority).filter(|p| *p != 0.0) })
            .collect(),
        custom_hooks: registry
            .internal_hooks
            .iter()
            .filter(|h| own(&h.owner))
            .map(|h| CustomHookFact { name: h.name.clone(), events: h.events.clone() })
            .collect(),
        commands: registry.commands.all().iter().filter(|c| own(&c.owner)).map(|c| c.name.clone()).collect(),
        cli_commands: registry.cli.iter().filter(|c| own(&c.owner)).flat_map(chela_plugin::register::CliEntry::paths).collect(),
        services: registry.services.iter().filter(|s| own(&s.owner)).map(|s| s.id.clone()).collect(),
        gateway_discovery_services: recorded("registerGatewayDiscoveryService"),
        gateway_methods: registry.gateway_methods.iter().filter(|m| own(&m.owner)).map(|m| m.name.clone()).collect(),
        http_route_count: registry.routes.all().iter().filter(|r| own(&r.owner)).count(),
        channel_ids: recorded("registerChannel"),
        provider_ids: registry.providers.iter().filter(|p| own(&p.owner)).map(|p| p.id.clone()).collect(),
        cli_backend_ids: recorded("registerCliBackend"),
        agent_harness_ids: recorded("registerAgentHarness"),
        context_engine_ids: recorded("registerContextEngine"),
        diagnostics: registry.diagnostics.iter().filter(|d| d.plugin_id.as_deref() == Some(id)).map(diagnostic).collect(),
        description: entry.description.clone(),
        notices: registry.notices.iter().filter(|n| n.plugin_id == id).filter_map(|n| serde_json::to_value(n).ok()).collect(),
    }
}

fn diagnostic(found: &chela_plugin::Diagnostic) -> Diagnostic {
    let level = match found.level {
        chela_plugin::Level::Info => Level::Info,
        chela_plugin::Level::Warn => Level::Warn,
        chela_plugin::Level::Error => Level::Error,
    };
    let mut out = Diagnostic::new(level, "plugin-registration", found.message.clone()).plugin(found.plugin_id.as_deref());
    if let Some(source) = &found.source {
        out = out.at(std::path::Path::new(source));
    }
    out
}

#[cfg(test)]
mod tests;
