//! Under which names the credential of a provider is looked for: config, the plugin's own list, manifests (PRV-03, PRV-06).

use chela_catalog::{Origin, Snapshot};
use chela_config::Config;
use chela_manifest::SetupProvider;
use chela_models::{ApiKind, AuthStore, ModelCatalog, ProviderSettings, normalize_provider_id};
use chela_plugin::registry::Registry;
use serde_json::Value;

use super::evidence;

/// Longest chain of aliases that is followed.
const MOST_ALIASES: usize = 4;

/// Settings that find the credential of a provider, whether or not it is configured or running. Manifests of plugins that are off say
/// nothing here: an unused or untrusted one must not make a credential count (MAN-152).
pub(crate) fn settings_of(id: &str, config: &Config, registry: &Registry, snapshot: &Snapshot, auth: &AuthStore) -> ProviderSettings {
    let id = auth_owner(id, snapshot);
    let mut catalog = ModelCatalog::from_config(config.get("models").unwrap_or(&Value::Null));
    // The address is never called; it must not look like a local server, which needs no key.
    let unknown = || ProviderSettings::new(&id, ApiKind::OpenAiCompletions, "https://provider.invalid");
    let mut settings = catalog.providers.remove(&id).unwrap_or_else(unknown);
    // A key that a plugin of the program writes to say "none needed" is none (MAN-083).
    let bundled = snapshot.plugins.iter().filter(|p| p.origin == Origin::Bundled);
    let mut markers = bundled.flat_map(|p| &p.manifest.non_secret_auth_markers);
    if settings.api_key.as_ref().is_some_and(|key| markers.any(|marker| marker == key.expose())) {
        settings.api_key = None;
    }
    let own = registry.providers.iter().filter(|p| p.id == id || p.aliases.iter().any(|a| normalize_provider_id(a) == id));
    let own = own.flat_map(|p| p.env_vars.clone());
    for name in own.chain(manifest_variables(&id, snapshot)) {
        if !settings.env_vars.contains(&name) {
            settings.env_vars.push(name);
        }
    }
    let evidence = setup_providers(&id, snapshot).flat_map(|setup| &setup.auth_evidence);
    settings.local_login = evidence::login(evidence, &|name| auth.variable(name));
    settings
}

/// Entries of `setup.providers` for this provider.
fn setup_providers<'a>(id: &'a str, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a SetupProvider> {
    let setups = snapshot.plugins.iter().filter(|p| p.enabled).filter_map(|p| p.manifest.setup.as_ref());
    setups.flat_map(|setup| &setup.providers).filter(move |entry| normalize_provider_id(&entry.id) == id)
}

/// `providerAuthAliases`: the provider whose credential this one shares (PRV-06).
fn auth_owner(id: &str, snapshot: &Snapshot) -> String {
    let mut id = normalize_provider_id(id);
    for _ in 0..MOST_ALIASES {
        let target = snapshot.plugins.iter().filter(|p| p.enabled).find_map(|p| {
            let aliases = p.manifest.raw.get("providerAuthAliases")?.as_object()?;
            let (_, target) = aliases.iter().find(|(alias, _)| normalize_provider_id(alias) == id)?;
            target.as_str().map(normalize_provider_id)
        });
        match target {
            Some(target) if target != id => id = target,
            _ => break,
        }
    }
    id
}

fn manifest_variables(id: &str, snapshot: &Snapshot) -> Vec<String> {
    let setup = setup_providers(id, snapshot).flat_map(|setup| &setup.env_vars);
    let legacy = snapshot.plugins.iter().filter(|p| p.enabled).flat_map(|p| &p.manifest.provider_auth_env_vars);
    let legacy = legacy.filter(|(named, _)| normalize_provider_id(named) == id).flat_map(|(_, names)| names);
    setup.chain(legacy).cloned().collect()
}

#[cfg(test)]
mod tests;
