//! `registerProvider` and `registerModelCatalogProvider` (API-041, API-042, API-195..198).

use serde_json::{Value, json};

use super::read::{has_items, member, optional_text, set, trimmed, unique_texts};
use super::registrar::Registrar;
use crate::call::Callback;
use crate::register::entries::{CatalogSource, ModelCatalog, ProviderEntry};

impl Registrar<'_> {
    pub(super) fn provider(&mut self, provider: &Value) {
        let id = Self::trimmed_id(provider);
        if id.is_empty() {
            return self.error("provider registration missing id");
        }
        let normalised = self.normalised_provider(&id, provider);
        if let Some(known) = self.registry.providers.iter().find(|p| p.id == id) {
            let message = format!("provider already registered: {id} ({})", known.owner.id);
            return self.error(message);
        }
        let entry = ProviderEntry {
            owner: self.owner.clone(),
            label: member(&normalised, "label").into(),
            aliases: unique_texts(normalised.get("aliases")),
            env_vars: unique_texts(normalised.get("envVars")),
            transport: self.target.transport(&id),
            target: self.target.clone(),
            provider: normalised,
            id,
        };
        let static_rows = entry.function("/staticCatalog/run").map(CatalogSource::Provider);
        let live_rows = entry.function("/catalog/run").map(CatalogSource::Provider);
        let provider = entry.id.clone();
        self.registry.providers.push(entry);
        if static_rows.is_some() || live_rows.is_some() {
            self.place_catalog(ModelCatalog { owner: self.owner.clone(), provider, kinds: vec!["text".into()], static_rows, live_rows });
        }
    }

    /// API-195..197.
    fn normalised_provider(&mut self, id: &str, provider: &Value) -> Value {
        let mut result = provider.clone();
        let label = Some(member(provider, "label")).filter(|l| !l.is_empty()).unwrap_or(id);
        set(&mut result, "id", Some(json!(id)));
        set(&mut result, "label", Some(json!(label)));
        set(&mut result, "docsPath", optional_text(provider, "docsPath").ok().flatten().map(Value::from));
        for list in ["aliases", "envVars", "deprecatedProfileIds"] {
            let texts = unique_texts(provider.get(list));
            set(&mut result, list, (!texts.is_empty()).then(|| texts.into()));
        }
        let auth = self.auth_methods(id, provider.get("auth"));
        let ids: Vec<String> = auth.iter().map(|m| member(m, "id").to_string()).collect();
        let wizard = self.wizard(id, provider.get("wizard"), &ids);
        set(&mut result, "auth", Some(auth.into()));
        set(&mut result, "wizard", wizard);
        self.check_discovery(id, provider, &mut result);
        result
    }

    fn auth_methods(&mut self, id: &str, methods: Option<&Value>) -> Vec<Value> {
        let mut kept: Vec<Value> = Vec::new();
        for method in methods.and_then(Value::as_array).into_iter().flatten() {
            let method_id = trimmed(method.get("id"));
            if method_id.is_empty() {
                self.error(format!("provider \"{id}\" auth method missing id"));
                continue;
            }
            if kept.iter().any(|m| member(m, "id") == method_id) {
                self.error(format!("provider \"{id}\" auth method duplicated id \"{method_id}\""));
                continue;
            }
            let mut normalised = method.clone();
            let label = Some(member(method, "label")).filter(|l| !l.is_empty()).unwrap_or(method_id);
            set(&mut normalised, "id", Some(json!(method_id)));
            set(&mut normalised, "label", Some(json!(label)));
            if let Some(setup) = method.get("wizard").filter(|w| w.is_object()) {
                let setup = self.with_known_method(id, "setup", setup, &[method_id.to_string()]);
                set(&mut normalised, "wizard", Some(setup));
            }
            kept.push(normalised);
        }
        kept
    }

    fn wizard(&mut self, id: &str, wizard: Option<&Value>, methods: &[String]) -> Option<Value> {
        let wizard = wizard?;
        let mut result = serde_json::Map::new();
        for (key, kind) in [("setup", "setup"), ("modelPicker", "model-picker")] {
            let Some(part) = wizard.get(key).filter(|p| p.is_object()) else {
                continue;
            };
            if methods.is_empty() {
                self.warn(format!("provider \"{id}\" {kind} metadata ignored because it has no auth methods"));
                continue;
            }
            result.insert(key.into(), self.with_known_method(id, kind, part, methods));
        }
        (!result.is_empty()).then_some(Value::Object(result))
    }

    fn with_known_method(&mut self, id: &str, kind: &str, part: &Value, methods: &[String]) -> Value {
        let mut part = part.clone();
        let wanted = member(&part, "methodId").to_string();
        if !methods.contains(&wanted) {
            if !wanted.is_empty() {
                self.warn(format!("provider \"{id}\" {kind} method \"{wanted}\" not found; falling back to available methods"));
            }
            set(&mut part, "methodId", None);
        }
        part
    }

    /// API-196.
    fn check_discovery(&mut self, id: &str, provider: &Value, result: &mut Value) {
        let given = |key: &str| provider.get(key).is_some_and(|v| !v.is_null());
        match (given("catalog"), given("discovery")) {
            (true, true) => {
                self.warn(format!("provider \"{id}\" registered both catalog and discovery; using catalog"));
                set(result, "discovery", None);
            }
            (false, true) => self.warn(format!("provider \"{id}\" uses deprecated discovery; use catalog")),
            _ => {}
        }
    }

    pub(super) fn model_catalog(&mut self, catalog: &Value) {
        let provider = member(catalog, "provider").to_string();
        if provider.is_empty() {
            return self.error("model catalog provider registration missing provider");
        }
        let kinds = unique_texts(catalog.get("kinds"));
        if !has_items(catalog.get("kinds")) || kinds.is_empty() {
            return self.error(format!("model catalog provider \"{provider}\" registration missing kinds"));
        }
        let rows = |callback: Option<Callback>| callback.map(CatalogSource::Rows);
        let static_rows = rows(self.callback(catalog.get("staticCatalog")));
        let live_rows = rows(self.callback(catalog.get("liveCatalog")));
        self.place_catalog(ModelCatalog { owner: self.owner.clone(), provider, kinds, static_rows, live_rows });
    }

    /// Another plugin's provider is refused, the same plugin's overlapping kinds are merged (API-042).
    pub(super) fn place_catalog(&mut self, catalog: ModelCatalog) {
        let catalogs = &self.registry.model_catalogs;
        if let Some(other) = catalogs.iter().find(|c| c.provider == catalog.provider && c.owner.id != catalog.owner.id) {
            let message = format!("model catalog provider already registered: {} ({})", catalog.provider, other.owner.id);
            return self.error(message);
        }
        let overlapping = self
            .registry
            .model_catalogs
            .iter_mut()
            .find(|c| c.provider == catalog.provider && c.kinds.iter().any(|kind| catalog.kinds.contains(kind)));
        let Some(known) = overlapping else {
            return self.registry.model_catalogs.push(catalog);
        };
        known.static_rows = catalog.static_rows.or(known.static_rows.take());
        known.live_rows = catalog.live_rows.or(known.live_rows.take());
        for kind in catalog.kinds {
            if !known.kinds.contains(&kind) {
                known.kinds.push(kind);
            }
        }
    }
}
