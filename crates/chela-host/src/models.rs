//! The models: providers of the config, and those that plugins bring.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chela_config::{Config, Env, StatePaths};
use chela_models::{AuthInputs, AuthStore, ModelCatalog, ModelEntry, ModelRegistry, ProviderEntry, http_client, transport_with_auth};
use chela_plugin::Call;
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

/// Longest catalogue call of one provider.
const CATALOG_BUDGET: Duration = Duration::from_secs(15);

/// Credentials from config, environment and auth profiles.
pub(crate) fn auth_store(config: &Config, env: &Env, paths: &StatePaths) -> AuthStore {
    let dirs = paths.clone();
    AuthStore::new(AuthInputs {
        env: env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        auth_config: config.get("auth").cloned().unwrap_or(Value::Null),
        agent_dir: Some(Arc::new(move |agent: &str| dirs.agent_dir(agent))),
        default_agent: config.agents().default_id,
    })
}

/// Providers that the config names, and the built-in ones.
pub(crate) fn configured(config: &Config, auth: &AuthStore) -> Arc<ModelRegistry> {
    let catalog = ModelCatalog::from_config(config.get("models").unwrap_or(&Value::Null));
    for issue in &catalog.issues {
        tracing::warn!(target: "models", "{}: {}", issue.path, issue.message);
    }
    Arc::new(ModelRegistry::from_catalog(&catalog, &http_client(), auth))
}

/// Adds the providers of plugins that have just started. A provider of a Rust plugin brings its transport; one of a JavaScript plugin
/// brings a catalogue that names URL, API and models.
pub(crate) async fn add_plugin_providers(
    models: &ModelRegistry,
    registry: &Registry,
    fresh: &[String],
    auth: &AuthStore,
    config: &Value,
    env: &Env,
) {
    for provider in registry.providers.iter().filter(|p| fresh.iter().any(|id| *id == *p.owner.id)) {
        let entry = match &provider.transport {
            Some(transport) => {
                let rows = provider.provider.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
                let rows =
                    rows.iter().filter_map(|m| m.get("id").and_then(Value::as_str)).map(|id| ModelEntry::new(&provider.id, id)).collect();
                Some(ProviderEntry::from_plugin(&provider.owner.id, &provider.id, &provider.label, rows, transport.clone()))
            }
            None => from_catalog(provider, auth, config, env).await,
        };
        let Some(mut entry) = entry else { continue };
        entry.aliases = provider.aliases.clone();
        models.remove_plugin(&provider.owner.id);
        if let Err(error) = models.register(entry) {
            tracing::warn!(target: "models", plugin = %provider.owner.id, "{error}");
        }
    }
}

/// Asks `catalog.run(ctx)`; without a credential there is nothing to call and the provider stays out.
async fn from_catalog(
    provider: &chela_plugin::register::entries::ProviderEntry,
    auth: &AuthStore,
    config: &Value,
    env: &Env,
) -> Option<ProviderEntry> {
    let run = provider.function("/catalog/run").or_else(|| provider.function("/staticCatalog/run"))?;
    let own: BTreeMap<&str, &str> = provider.env_vars.iter().filter_map(|name| Some((name.as_str(), env.non_empty(name)?))).collect();
    let api_key = own.values().next().copied();
    let ctx = json!({"config": config, "env": own, "resolvedApiKey": {"apiKey": api_key, "discoveryApiKey": api_key}});
    let result = match run.call(Call::new(vec![ctx]).budget(Some(CATALOG_BUDGET))).await {
        Ok(result) => result,
        Err(error) => {
            tracing::warn!(target: "models", plugin = %provider.owner.id, provider = %provider.id, "provider catalogue failed: {error}");
            return None;
        }
    };
    let own_config = result.get("provider").or_else(|| result.pointer(&format!("/providers/{}", provider.id)))?;
    let catalog = ModelCatalog::from_config(&json!({"mode": "replace", "providers": {provider.id.clone(): own_config}}));
    let settings = catalog.providers.values().next()?;
    let transport = transport_with_auth(settings, &http_client(), auth).ok()?;
    Some(ProviderEntry::from_plugin(&provider.owner.id, &provider.id, &provider.label, settings.models.clone(), transport))
}
