//! Owner maps: which plugins declare a provider, channel, tool, command, route or capability.

use std::collections::BTreeMap;

use crate::record::PluginRecord;

/// One kind of thing, by lower-cased name (MAN-248), to the ids of the plugins that declare it, in
/// snapshot order, without repeats.
pub type OwnerMap = BTreeMap<String, Vec<String>>;

/// What the manifests of all plugins, enabled or not, declare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerMaps {
    /// `providers`, `setup.providers[].id` and `cliBackends`.
    pub providers: OwnerMap,
    /// `channels`.
    pub channels: OwnerMap,
    /// `contracts.tools`.
    pub tools: OwnerMap,
    /// `commandAliases[].name`.
    pub command_aliases: OwnerMap,
    /// `activation.onRoutes`, as written.
    pub routes: OwnerMap,
    /// `commandAliases[].cliCommand`, else the name; and `activation.onCommands`.
    pub cli: OwnerMap,
    /// `activation.onCapabilities`, and the contract names that are not empty.
    pub capabilities: OwnerMap,
}

impl OwnerMaps {
    pub(crate) fn build(plugins: &[PluginRecord]) -> Self {
        let mut maps = Self::default();
        for plugin in plugins {
            maps.add(plugin);
        }
        maps
    }

    fn add(&mut self, plugin: &PluginRecord) {
        let manifest = &plugin.manifest;
        let id = &plugin.id;
        let setup = manifest.setup.iter().flat_map(|setup| &setup.providers);
        for name in manifest.providers.iter().chain(&manifest.cli_backends) {
            put(&mut self.providers, name, id);
        }
        for provider in setup {
            put(&mut self.providers, &provider.id, id);
        }
        for name in &manifest.channels {
            put(&mut self.channels, name, id);
        }
        for name in manifest.contracts.tools() {
            put(&mut self.tools, name, id);
        }
        for alias in &manifest.command_aliases {
            put(&mut self.command_aliases, &alias.name, id);
            let cli = alias.cli_command.as_ref().unwrap_or(&alias.name);
            put(&mut self.cli, cli, id);
        }
        for name in &manifest.activation.on_commands {
            put(&mut self.cli, name, id);
        }
        for route in &manifest.activation.on_routes {
            put(&mut self.routes, route, id);
        }
        for capability in &manifest.activation.on_capabilities {
            put(&mut self.capabilities, capability.as_str(), id);
        }
        for (contract, _) in manifest.contracts.iter() {
            put(&mut self.capabilities, contract, id);
        }
    }
}

fn put(map: &mut OwnerMap, name: &str, id: &str) {
    let owners = map.entry(name.trim().to_lowercase()).or_default();
    if !owners.iter().any(|owner| owner == id) {
        owners.push(id.to_owned());
    }
}
