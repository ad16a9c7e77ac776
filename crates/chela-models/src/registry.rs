//! All providers that can be called, from the configuration and from plugins, behind one lookup.

use crate::auth::{AuthState, AuthStore};
use crate::catalog::ModelCatalog;
use crate::error::{ErrorKind, ModelError};
use crate::http::HttpClient;
use crate::settings::{ApiKind, ModelEntry, ProviderSettings};
use crate::transport::transport_with_auth;
use crate::types::{EventStream, ModelRef, ModelRequest, ModelTransport, normalize_provider_id};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio_util::sync::CancellationToken;

/// One provider.
#[derive(Clone)]
pub struct ProviderEntry {
    /// Provider id, normalised.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// Other ids under which it is found.
    pub aliases: Vec<String>,
    /// Wire format of models whose row names none; `None` for a provider inside a plugin.
    pub api: Option<ApiKind>,
    /// Known models.
    pub models: Vec<ModelEntry>,
    /// How its models are called.
    pub transport: Arc<dyn ModelTransport>,
    /// Whether it can be called on behalf of the default agent.
    pub auth_state: AuthState,
    /// Plugin that registered it; `None` for the configuration.
    pub plugin_id: Option<String>,
    /// Whether only the listed models can be called.
    pub closed_models: bool,
}

impl ProviderEntry {
    /// A provider that a plugin brings: no key needed, any model name accepted.
    pub fn from_plugin(plugin_id: &str, id: &str, label: &str, models: Vec<ModelEntry>, transport: Arc<dyn ModelTransport>) -> Self {
        Self {
            id: normalize_provider_id(id),
            label: label.to_owned(),
            aliases: Vec::new(),
            api: None,
            models,
            transport,
            auth_state: AuthState::NotNeeded,
            plugin_id: Some(plugin_id.to_owned()),
            closed_models: false,
        }
    }
}

/// A second provider under an id that is taken (PRV-24).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider `{id}` is already registered by {owner}")]
pub struct RegisterError {
    /// Provider id.
    pub id: String,
    /// Who has it: a plugin, or the configuration.
    pub owner: String,
}

/// A model that can be called.
#[derive(Clone)]
pub struct ResolvedModel {
    /// The reference, with the provider's own id.
    pub model: ModelRef,
    /// The model's row, when the provider lists it.
    pub entry: Option<ModelEntry>,
    /// Wire format, when the provider has one.
    pub api: Option<ApiKind>,
    /// How to call it.
    pub transport: Arc<dyn ModelTransport>,
}

/// The providers. Lookups take a read lock only.
#[derive(Default)]
pub struct ModelRegistry {
    layers: RwLock<Layers>,
}

/// What plugins bring lies over what the configuration says, so that a plugin that goes uncovers it again.
#[derive(Default)]
struct Layers {
    configured: BTreeMap<String, Arc<ProviderEntry>>,
    plugins: BTreeMap<String, Arc<ProviderEntry>>,
}

impl Layers {
    fn get(&self, id: &str) -> Option<&Arc<ProviderEntry>> {
        self.plugins.get(id).or_else(|| self.configured.get(id))
    }

    /// The providers in force, by id.
    fn all(&self) -> BTreeMap<&str, &Arc<ProviderEntry>> {
        self.configured.iter().chain(&self.plugins).map(|(id, entry)| (id.as_str(), entry)).collect()
    }
}

impl ModelRegistry {
    /// A registry with every provider of a catalogue. A provider that cannot be built stays listed, and calls to it
    /// answer with the reason.
    pub fn from_catalog(catalog: &ModelCatalog, http: &HttpClient, auth: &AuthStore) -> Self {
        let registry = Self::default();
        registry.replace_configured(catalog, http, auth);
        registry
    }

    /// Puts the providers of a new configuration in place of the old ones; those of plugins stay.
    pub fn replace_configured(&self, catalog: &ModelCatalog, http: &HttpClient, auth: &AuthStore) {
        let fresh = catalog.providers.values().map(|s| (s.id.clone(), Arc::new(configured(s, http, auth)))).collect();
        self.write().configured = fresh;
    }

    /// Adds a provider.
    ///
    /// # Errors
    /// When the id is taken, by the configuration too; the first one stays.
    pub fn register(&self, entry: ProviderEntry) -> Result<(), RegisterError> {
        let mut layers = self.write();
        if let Some(first) = layers.get(&entry.id) {
            return Err(taken(first));
        }
        layers.plugins.insert(entry.id.clone(), Arc::new(entry));
        Ok(())
    }

    /// Adds a provider whose settings already contain what the configuration says about it (PRV-66): it stands before the configured
    /// one, and before an earlier one of the same plugin.
    ///
    /// # Errors
    /// When another plugin has the id; the first one stays.
    pub fn register_merged(&self, entry: ProviderEntry) -> Result<(), RegisterError> {
        let mut layers = self.write();
        match layers.plugins.get(&entry.id) {
            Some(first) if first.plugin_id != entry.plugin_id => Err(taken(first)),
            _ => {
                layers.plugins.insert(entry.id.clone(), Arc::new(entry));
                Ok(())
            }
        }
    }

    /// Removes the providers of a plugin; calls that run go on.
    pub fn remove_plugin(&self, plugin_id: &str) {
        self.write().plugins.retain(|_, p| p.plugin_id.as_deref() != Some(plugin_id));
    }

    /// Lets every transport drop what it remembers of a session itself.
    pub fn forget_session(&self, session_id: &str) {
        let layers = self.read();
        layers.configured.values().chain(layers.plugins.values()).for_each(|provider| provider.transport.forget_session(session_id));
    }

    fn read(&self) -> RwLockReadGuard<'_, Layers> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Layers> {
        self.layers.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A provider by id or alias.
    pub fn provider(&self, id: &str) -> Option<Arc<ProviderEntry>> {
        let id = normalize_provider_id(id);
        let layers = self.read();
        let by_alias = || layers.all().into_values().find(|p| p.aliases.iter().any(|a| normalize_provider_id(a) == id));
        layers.get(&id).or_else(by_alias).cloned()
    }

    /// All providers, by id.
    pub fn providers(&self) -> Vec<Arc<ProviderEntry>> {
        self.read().all().into_values().cloned().collect()
    }

    /// All listed models, by provider.
    pub fn models(&self) -> Vec<ModelEntry> {
        self.read().all().into_values().flat_map(|p| p.models.iter().cloned()).collect()
    }

    /// Finds out how to call a model. A provider that is not `closed_models` takes any name.
    ///
    /// # Errors
    /// `ModelNotFound` for an unknown provider, or an unlisted model of a closed one.
    pub fn resolve(&self, model: &ModelRef) -> Result<ResolvedModel, ModelError> {
        let Some(provider) = self.provider(&model.provider) else {
            let known: Vec<String> = self.read().all().into_keys().map(|id| format!("`{id}`")).collect();
            let text = format!(
                "there is no provider `{}`; known are {}; add `models.providers.{}` or enable the plugin that brings it",
                model.provider,
                known.join(", "),
                model.provider
            );
            return Err(ModelError::new(ErrorKind::ModelNotFound, model, text));
        };
        let entry = provider.models.iter().find(|m| m.id.eq_ignore_ascii_case(&model.model)).cloned();
        if entry.is_none() && provider.closed_models {
            let known: Vec<String> = provider.models.iter().map(|m| format!("`{}/{}`", provider.id, m.id)).collect();
            let text = format!("the provider has no such model; it offers {}", known.join(", "));
            return Err(ModelError::new(ErrorKind::ModelNotFound, model, text));
        }
        let id = entry.as_ref().map_or_else(|| model.model.clone(), |e| e.id.clone());
        let model = ModelRef { provider: provider.id.clone(), model: id };
        let api = entry.as_ref().and_then(|e| e.api.clone()).or_else(|| provider.api.clone());
        Ok(ResolvedModel { model, entry, api, transport: provider.transport.clone() })
    }
}

fn taken(first: &ProviderEntry) -> RegisterError {
    let owner = first.plugin_id.as_ref().map_or("the configuration".to_owned(), |p| format!("the plugin `{p}`"));
    RegisterError { id: first.id.clone(), owner }
}

fn configured(settings: &ProviderSettings, http: &HttpClient, auth: &AuthStore) -> ProviderEntry {
    let transport = transport_with_auth(settings, http, auth).unwrap_or_else(|error| {
        tracing::warn!(provider = %settings.id, %error, "provider cannot be called");
        Arc::new(Broken(error))
    });
    ProviderEntry {
        id: settings.id.clone(),
        label: settings.label.clone(),
        aliases: Vec::new(),
        api: Some(settings.api.clone()),
        models: settings.models.clone(),
        transport,
        auth_state: auth.state(settings, None),
        plugin_id: None,
        closed_models: false,
    }
}

/// Stands for a provider that could not be built.
struct Broken(ModelError);

#[async_trait::async_trait]
impl ModelTransport for Broken {
    async fn stream(&self, request: ModelRequest, _: CancellationToken) -> Result<EventStream, ModelError> {
        let mut error = self.0.clone();
        error.model = request.model.model.as_str().into();
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn registry(models: &Value) -> ModelRegistry {
        ModelRegistry::from_catalog(&ModelCatalog::from_config(models), &HttpClient::default(), &AuthStore::default())
    }

    fn plugin(plugin: &str, id: &str) -> ProviderEntry {
        let error = ModelError::aborted(&ModelRef::new(id, "m"));
        ProviderEntry::from_plugin(plugin, id, id, vec![ModelEntry::new(id, "Only")], Arc::new(Broken(error)))
    }

    #[test]
    fn the_first_registration_stays() {
        // PRV-24
        let registry = registry(&Value::Null);
        assert!(registry.register(plugin("one", "x")).is_ok());
        assert!(registry.register(plugin("two", "X")).unwrap_err().to_string().contains("plugin `one`"));
        assert!(registry.register(plugin("two", "openai")).unwrap_err().to_string().contains("configuration"));
        assert_eq!(registry.provider("x").unwrap().plugin_id.as_deref(), Some("one"));
        registry.remove_plugin("one");
        assert!(registry.provider("x").is_none());
    }

    #[test]
    fn a_merged_provider_covers_the_configured_one_until_its_plugin_goes() {
        let registry = registry(&json!({"providers": {"x": {"baseUrl": "http://h/v1", "models": ["Theirs"]}}}));
        assert!(registry.register(plugin("one", "x")).is_err());
        registry.register_merged(plugin("one", "x")).unwrap();
        registry.register_merged(plugin("one", "x")).unwrap();
        assert!(registry.register_merged(plugin("two", "x")).unwrap_err().to_string().contains("plugin `one`"));
        let listed =
            || registry.providers().iter().filter(|p| p.id == "x").flat_map(|p| p.models.clone()).map(|m| m.id).collect::<Vec<_>>();
        assert_eq!(listed(), ["Only"]);
        registry.remove_plugin("one");
        assert_eq!(listed(), ["Theirs"]);
    }

    #[test]
    fn resolving() {
        let registry = registry(&Value::Null);
        let mut closed = plugin("one", "x");
        closed.closed_models = true;
        closed.aliases = vec!["Ex".to_owned()];
        registry.register(closed).unwrap();
        assert_eq!(registry.resolve(&ModelRef::new("EX", "ONLY")).unwrap().model, ModelRef::new("x", "Only"));
        let error = registry.resolve(&ModelRef::new("x", "other")).err().unwrap();
        assert!(error.kind == ErrorKind::ModelNotFound && error.message.contains("`x/Only`"));
        assert!(registry.resolve(&ModelRef::new("nobody", "m")).err().unwrap().message.contains("`openai`"));
        assert!(registry.resolve(&ModelRef::new("openai", "any-name")).unwrap().entry.is_none());
    }

    #[test]
    fn a_new_configuration_keeps_plugins() {
        let registry = registry(&json!({"providers": {"old": {"baseUrl": "http://h/v1"}}}));
        registry.register(plugin("one", "x")).unwrap();
        let catalog = ModelCatalog::from_config(&json!({"providers": {"new": {"baseUrl": "http://h/v1"}}}));
        registry.replace_configured(&catalog, &HttpClient::default(), &AuthStore::default());
        let ids: Vec<String> = registry.providers().iter().map(|p| p.id.clone()).collect();
        assert_eq!(ids, ["anthropic", "new", "openai", "x"]);
    }

    #[tokio::test]
    async fn an_api_that_is_not_built_is_named() {
        let registry = registry(&json!({"providers": {"old": {"baseUrl": "http://h/v1", "api": "openai-responses"}}}));
        let resolved = registry.resolve(&ModelRef::new("old", "m")).unwrap();
        let error = resolved.transport.stream(ModelRequest::new(resolved.model), CancellationToken::new()).await.err().unwrap();
        assert_eq!((&error.kind, error.model.as_ref()), (&ErrorKind::Unsupported, "m"));
        assert!(error.message.contains("`openai-responses`"));
    }
}
