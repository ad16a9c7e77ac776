//! Under which names the credential of a provider is looked for: config, the plugin's own list, manifests (PRV-03, PRV-06).

use chela_catalog::Snapshot;
use chela_config::Config;
use chela_models::{ApiKind, ModelCatalog, ProviderSettings, normalize_provider_id};
use chela_plugin::registry::Registry;
use serde_json::Value;

/// Longest chain of aliases that is followed.
const MOST_ALIASES: usize = 4;

/// Settings that find the credential of a provider, whether or not it is configured or running.
pub(crate) fn settings_of(id: &str, config: &Config, registry: &Registry, snapshot: &Snapshot) -> ProviderSettings {
    let id = auth_owner(id, snapshot);
    let mut catalog = ModelCatalog::from_config(config.get("models").unwrap_or(&Value::Null));
    // The address is never called; it must not look like a local server, which needs no key.
    let unknown = || ProviderSettings::new(&id, ApiKind::OpenAiCompletions, "https://provider.invalid");
    let mut settings = catalog.providers.remove(&id).unwrap_or_else(unknown);
    let own = registry.providers.iter().filter(|p| p.id == id || p.aliases.iter().any(|a| normalize_provider_id(a) == id));
    let own = own.flat_map(|p| p.env_vars.clone());
    for name in own.chain(manifest_variables(&id, snapshot)) {
        if !settings.env_vars.contains(&name) {
            settings.env_vars.push(name);
        }
    }
    settings
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
    let texts = |list: Option<&Value>| -> Vec<String> {
        list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect()
    };
    let mut names = Vec::new();
    for record in snapshot.plugins.iter().filter(|p| p.enabled) {
        let raw = &record.manifest.raw;
        for setup in raw.get("setup").and_then(|s| s.get("providers")).and_then(Value::as_array).into_iter().flatten() {
            if setup.get("id").and_then(Value::as_str).is_some_and(|named| normalize_provider_id(named) == id) {
                names.extend(texts(setup.get("envVars")));
            }
        }
        for (named, list) in raw.get("providerAuthEnvVars").and_then(Value::as_object).into_iter().flatten() {
            if normalize_provider_id(named) == id {
                names.extend(texts(Some(list)));
            }
        }
    }
    names
}
