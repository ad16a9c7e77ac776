//! From a plugin's provider to providers that can be called: `catalog.run`, live rows, the operator's own settings (PRV-58..67).

use std::sync::Arc;

use chela_models::{AuthState, ModelCatalog, ProviderEntry, ProviderSettings, http_client, merge_discovered, normalize_provider_id};
use chela_plugin::register::entries::{CatalogSource, ProviderEntry as Registered};
use chela_plugin::registry::Registry;
use serde_json::{Map, Value, json};

use super::ProviderWorld;
use super::credentials::settings_of;
use super::hooks::ProviderHooks;
use super::transport::{self, HookedTransport};

/// Keys that no provider may have (PRV-63).
const REFUSED_IDS: &[&str] = &["", "__proto__", "prototype", "constructor"];
/// Most providers that one catalogue may bring.
const MOST_PROVIDERS: usize = 64;

/// Asks the catalogue of a provider. Without a credential most catalogues say nothing; then only what the operator configured is left,
/// and a provider that resolves names by itself.
pub(super) async fn entries(provider: &Registered, registry: &Registry, world: &ProviderWorld) -> Vec<ProviderEntry> {
    let hooks = ProviderHooks::new(provider, world);
    let mut found = discovered(&hooks, provider).await;
    let names_models = hooks.has("resolveDynamicModel");
    if !found.contains_key(&provider.id) && (names_models || explicit(world, &provider.id).is_some()) {
        found.insert(provider.id.clone(), json!({}));
    }
    let mut entries = Vec::new();
    for (id, settings) in found {
        let mut merged = merge_discovered(&settings, explicit(world, &id), wildcard(world, &id));
        if id == provider.id {
            add_live_rows(&mut merged, provider, registry, &hooks).await;
        }
        if names_models && merged.get("baseUrl").is_none() {
            // The address comes with each model that the provider resolves.
            merged["baseUrl"] = json!("https://provider.invalid");
        }
        entries.extend(entry(&id, merged, &hooks, registry, world));
    }
    entries
}

/// `{provider}`, `{providers}` or nothing (PRV-58).
async fn discovered(hooks: &ProviderHooks, provider: &Registered) -> Map<String, Value> {
    let mut found = Map::new();
    let names = ["catalog/run", "discovery/run", "staticCatalog/run"];
    let Some(name) = names.into_iter().find(|name| hooks.has(name)) else { return found };
    let Some(answer) = hooks.ask(name, json!({})).await else { return found };
    for (id, settings) in answer.get("providers").and_then(Value::as_object).into_iter().flatten().take(MOST_PROVIDERS) {
        let id = normalize_provider_id(id);
        if !REFUSED_IDS.contains(&id.as_str()) && settings.is_object() {
            found.insert(id, settings.clone());
        }
    }
    if let Some(own) = answer.get("provider").filter(|own| own.is_object()) {
        found.insert(provider.id.clone(), own.clone());
    }
    found
}

fn explicit<'a>(world: &'a ProviderWorld, id: &str) -> Option<&'a Value> {
    let providers = world.config.get("models.providers")?.as_object()?;
    providers.iter().find(|(name, _)| normalize_provider_id(name) == id).map(|(_, settings)| settings)
}

/// True when the allow-list takes every model of the provider (PRV-53, PRV-66).
fn wildcard(world: &ProviderWorld, id: &str) -> bool {
    let names = world.config.get("agents.defaults.models").and_then(Value::as_object);
    names.into_iter().flatten().any(|(name, _)| name.strip_suffix("/*").is_some_and(|p| normalize_provider_id(p) == id))
}

/// Text rows of `registerModelCatalogProvider` that the provider's own list has not (PRV-34, PRV-35).
async fn add_live_rows(settings: &mut Value, provider: &Registered, registry: &Registry, hooks: &ProviderHooks) {
    for catalog in registry.model_catalogs.iter().filter(|c| c.provider == provider.id && c.kinds.iter().any(|k| k == "text")) {
        let rows = match catalog.live_rows.as_ref().or(catalog.static_rows.as_ref()) {
            Some(CatalogSource::Rows(rows)) => hooks.ask_with(rows, json!({})).await,
            Some(CatalogSource::Fixed(rows)) => Some(Value::from(rows.clone())),
            _ => None,
        };
        let Some(Value::Array(rows)) = rows else { continue };
        let mut models = settings.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
        for row in rows.iter().filter(|row| row.get("kind").and_then(Value::as_str).unwrap_or("text") == "text") {
            let Some(id) = row.get("model").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty()) else { continue };
            let known = models.iter().any(|m| m.as_str().or_else(|| m.get("id")?.as_str()).is_some_and(|m| m.eq_ignore_ascii_case(id)));
            if !known {
                models.push(json!({"id": id, "name": row.get("label").and_then(Value::as_str).unwrap_or(id)}));
            }
        }
        settings["models"] = models.into();
    }
}

fn entry(id: &str, merged: Value, hooks: &ProviderHooks, registry: &Registry, world: &ProviderWorld) -> Option<ProviderEntry> {
    let provider = hooks.provider();
    let settings = settings(id, &merged, |settings| {
        let found = settings_of(id, &world.config, registry, &world.snapshot, &world.auth);
        settings.env_vars = found.env_vars;
        settings.local_login = found.local_login;
    })?;
    let models = settings.models.clone();
    let state = world.auth.state(&settings, None);
    let hooked = transport::takes_part(hooks);
    let transport = if hooked {
        Arc::new(HookedTransport::new(hooks.clone(), merged, settings, world.auth.clone())) as Arc<dyn chela_models::ModelTransport>
    } else {
        match chela_models::transport_with_auth(&settings, &http_client(), &world.auth) {
            Ok(transport) => transport,
            Err(error) => {
                tracing::warn!(target: "models", plugin = %provider.owner.id, provider = id, "{error}");
                return None;
            }
        }
    };
    let mut entry = ProviderEntry::from_plugin(&provider.owner.id, id, &provider.label, models, transport);
    // A hook may bring a credential that cannot be seen from here.
    entry.auth_state = if hooked && !state.usable() { AuthState::NotNeeded } else { state };
    if id == provider.id {
        entry.aliases.clone_from(&provider.aliases);
    }
    Some(entry)
}

/// Settings in the form of the config, read by the rules of the config.
pub(super) fn settings(id: &str, fields: &Value, finish: impl FnOnce(&mut ProviderSettings)) -> Option<ProviderSettings> {
    let mut catalog = ModelCatalog::from_config(&json!({"mode": "replace", "providers": {id: fields}}));
    for issue in &catalog.issues {
        tracing::warn!(target: "models", provider = id, "catalogue of a plugin, {}: {}", issue.path, issue.message);
    }
    let mut settings = catalog.providers.remove(&normalize_provider_id(id))?;
    finish(&mut settings);
    Some(settings)
}
