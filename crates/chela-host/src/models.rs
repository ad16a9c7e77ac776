//! The models: providers of the config, and those that plugins bring.

mod credentials;
mod discovery;
mod evidence;
mod hooks;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use chela_catalog::Snapshot;
use chela_config::{Config, Env, StatePaths};
use chela_models::{AuthInputs, AuthStore, ModelCatalog, ModelEntry, ModelRegistry, ProviderEntry, http_client};
use chela_plugin::registry::Registry;
use serde_json::Value;

pub(crate) use self::credentials::settings_of;

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

/// What the providers of plugins are built from.
#[derive(Clone)]
pub(crate) struct ProviderWorld {
    /// The effective config; plugins get their own view of it.
    pub(crate) config: Arc<Config>,
    /// The plugins on disk: their manifests name variables with credentials.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) auth: AuthStore,
    /// Directory of the default agent.
    pub(crate) agent_dir: PathBuf,
    /// Workspace of the default agent.
    pub(crate) workspace: PathBuf,
    /// The gateway's environment.
    pub(crate) env: Arc<Env>,
}

/// Adds the providers of these plugins, in place of what they brought before. A provider of a Rust plugin brings its transport; one of a
/// JavaScript plugin brings a catalogue that names URL, API and models, and hooks that take part in the calls.
pub(crate) async fn add_plugin_providers(models: &ModelRegistry, registry: &Registry, fresh: &[String], world: &ProviderWorld) {
    for id in fresh {
        let mut entries = Vec::new();
        for provider in registry.providers.iter().filter(|p| *id == *p.owner.id) {
            match &provider.transport {
                Some(transport) => entries.push((native(provider, transport.clone()), false)),
                None => entries.extend(discovery::entries(provider, registry, world).await.into_iter().map(|entry| (entry, true))),
            }
        }
        for backend in registry.recorded_of("registerCliBackend").filter(|r| *id == *r.owner.id) {
            let transport = Arc::new(crate::cli_backend::CliTransport::new(backend, world));
            entries.push((ProviderEntry::from_plugin(id, &backend.id, &backend.id, Vec::new(), transport), false));
        }
        models.remove_plugin(id);
        for (entry, merged) in entries {
            let added = if merged { models.register_merged(entry) } else { models.register(entry) };
            if let Err(error) = added {
                tracing::warn!(target: "models", plugin = %id, "{error}");
            }
        }
    }
}

fn native(provider: &chela_plugin::register::entries::ProviderEntry, transport: Arc<dyn chela_models::ModelTransport>) -> ProviderEntry {
    let rows = provider.provider.get("models").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rows = rows.iter().filter_map(|m| m.get("id").and_then(Value::as_str)).map(|id| ModelEntry::new(&provider.id, id)).collect();
    let mut entry = ProviderEntry::from_plugin(&provider.owner.id, &provider.id, &provider.label, rows, transport);
    entry.aliases.clone_from(&provider.aliases);
    entry
}

/// The answer of a provider's `prepareRuntimeAuth`, when a plugin has one (PRV-123).
///
/// # Errors
/// What the plugin threw.
pub(crate) async fn exchange(
    registry: &Registry,
    id: &str,
    world: &ProviderWorld,
    ctx: Value,
) -> Result<Option<Value>, chela_plugin::CallError> {
    let id = chela_models::normalize_provider_id(id);
    let Some(provider) = registry.providers.iter().find(|p| p.id == id || p.aliases.contains(&id)) else { return Ok(None) };
    hooks::ProviderHooks::new(provider, world).call("prepareRuntimeAuth", ctx).await.transpose()
}
