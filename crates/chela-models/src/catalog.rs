//! Providers and models as the configuration describes them, over a small built-in table.

use crate::compat::Compat;
use crate::http::Timeouts;
use crate::secret::Secret;
use crate::settings::{ApiKind, ModelCost, ModelEntry, ProviderAuth, ProviderSettings};
use crate::types::normalize_provider_id;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Something in the configuration that cannot be used as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogIssue {
    /// Dotted path in the configuration.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// All HTTP providers, by id.
#[derive(Debug, Clone, Default)]
pub struct ModelCatalog {
    /// The providers.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// What could not be used. The rest works all the same.
    pub issues: Vec<CatalogIssue>,
}

impl ModelCatalog {
    /// Reads the `models` section of the effective configuration (null when absent). With `models.mode: "replace"`
    /// only the configured providers exist, otherwise they are laid over the built-in ones.
    pub fn from_config(models: &Value) -> Self {
        let mut catalog = Self::default();
        match models.get("mode").map(Value::as_str) {
            None | Some(Some("merge")) => catalog.add_built_in(),
            Some(Some("replace")) => {}
            Some(_) => {
                catalog.issue("models.mode", "it must be `merge` or `replace`; `merge` is used");
                catalog.add_built_in();
            }
        }
        let providers = models.get("providers").and_then(Value::as_object);
        for (id, value) in providers.into_iter().flatten() {
            match value.as_object() {
                Some(fields) => catalog.add_provider(id, fields),
                None => catalog.issue(&format!("models.providers.{id}"), "it must be an object"),
            }
        }
        catalog
    }

    fn issue(&mut self, path: &str, message: impl Into<String>) {
        self.issues.push(CatalogIssue { path: path.to_owned(), message: message.into() });
    }

    fn add_built_in(&mut self) {
        let rows = [("openai", "OpenAI", ApiKind::OpenAiCompletions), ("anthropic", "Anthropic", ApiKind::AnthropicMessages)];
        for (id, label, api) in rows {
            let mut settings = ProviderSettings::new(id, api, default_base_url(id).unwrap_or_default());
            settings.label = label.to_owned();
            settings.env_vars = env_vars(id);
            self.providers.insert(id.to_owned(), settings);
        }
    }

    fn add_provider(&mut self, raw_id: &str, fields: &Map<String, Value>) {
        let id = normalize_provider_id(raw_id);
        let path = format!("models.providers.{raw_id}");
        if id.is_empty() {
            return self.issue(&path, "a provider needs an id");
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        let base_url = text("baseUrl").or_else(|| default_base_url(&id));
        let Some(base_url) = base_url else {
            return self.issue(&format!("{path}.baseUrl"), "the provider needs a base URL, such as `http://127.0.0.1:8080/v1`");
        };
        // Without a statement the id decides; nearly every other server speaks chat completions.
        let implied = if id == "anthropic" { ApiKind::AnthropicMessages } else { ApiKind::OpenAiCompletions };
        let api = self.api(&path, fields).unwrap_or(implied);
        let mut settings = ProviderSettings::new(&id, api, base_url);
        if let Some(known) = self.providers.get(&id) {
            settings.label.clone_from(&known.label);
        }
        settings.env_vars = env_vars(&id);
        self.credentials(&path, fields, &mut settings);
        settings.headers = self.headers(&path, fields);
        settings.params = fields.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(seconds) = fields.get("timeoutSeconds").and_then(Value::as_f64) {
            settings.timeouts = Timeouts::from_seconds(seconds).unwrap_or_default();
        }
        for name in ["request", "localService"] {
            if fields.contains_key(name) {
                self.issue(&format!("{path}.{name}"), "this option is not built yet and has no effect");
            }
        }
        settings.models = self.models(&path, &id, fields);
        self.providers.insert(id, settings);
    }

    fn api(&mut self, path: &str, fields: &Map<String, Value>) -> Option<ApiKind> {
        let text = fields.get("api")?.as_str().unwrap_or_default();
        let path = format!("{path}.api");
        match ApiKind::parse(text) {
            Ok(api) => {
                if let ApiKind::NotBuilt(name) = &api {
                    self.issue(&path, format!("the api `{name}` is not built yet; its models answer with an error"));
                }
                Some(api)
            }
            Err(unknown) => {
                self.issue(&path, unknown.to_string());
                Some(ApiKind::NotBuilt(unknown.0))
            }
        }
    }

    fn credentials(&mut self, path: &str, fields: &Map<String, Value>, settings: &mut ProviderSettings) {
        settings.auth_header = fields.get("authHeader").and_then(Value::as_bool).unwrap_or(false);
        settings.auth = match fields.get("auth").and_then(Value::as_str) {
            Some("api-key") => ProviderAuth::ApiKey,
            Some("token") => ProviderAuth::Token,
            Some("oauth") => ProviderAuth::OAuth,
            Some("aws-sdk") => ProviderAuth::AwsSdk,
            _ => ProviderAuth::Unstated,
        };
        let source = |v: &Value| v.get("source").and_then(Value::as_str).unwrap_or_default().to_owned();
        match fields.get("apiKey") {
            Some(Value::String(key)) if !key.trim().is_empty() => settings.api_key = Some(Secret::new(key)),
            Some(reference @ Value::Object(_)) if source(reference) == "env" => {
                settings.api_key_env = reference.get("id").and_then(Value::as_str).map(str::to_owned);
            }
            Some(reference @ Value::Object(_)) => {
                let text = format!("secret references with the source `{}` are not built yet", source(reference));
                self.issue(&format!("{path}.apiKey"), text.clone());
                settings.api_key_problem = Some(format!("`{path}.apiKey`: {text}"));
            }
            _ => {}
        }
    }

    fn headers(&mut self, path: &str, fields: &Map<String, Value>) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        for (name, value) in fields.get("headers").and_then(Value::as_object).into_iter().flatten() {
            match value.as_str() {
                Some(text) if text.starts_with("secretref-") => {}
                Some(text) => {
                    headers.insert(name.clone(), text.to_owned());
                }
                None => self.issue(&format!("{path}.headers.{name}"), "only text values are built yet"),
            }
        }
        headers
    }

    fn models(&mut self, path: &str, provider: &str, fields: &Map<String, Value>) -> Vec<ModelEntry> {
        let mut rows: Vec<ModelEntry> = Vec::new();
        for (at, value) in fields.get("models").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let path = format!("{path}.models[{at}]");
            let Some(row) = self.model(&path, provider, value, fields) else {
                self.issue(&path, "a model needs an `id`");
                continue;
            };
            // The first of two rows with one id wins (PRV-74).
            if !rows.iter().any(|r| r.id == row.id) {
                rows.push(row);
            }
        }
        rows
    }

    fn model(&mut self, path: &str, provider: &str, value: &Value, parent: &Map<String, Value>) -> Option<ModelEntry> {
        // A bare text is a model with every default.
        if let Some(id) = value.as_str().map(str::trim).filter(|t| !t.is_empty()) {
            return Some(ModelEntry::new(provider, id));
        }
        let fields = value.as_object()?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        let mut row = ModelEntry::new(provider, text("id")?);
        // Limits of the provider apply where the row has none.
        let limit = |name: &str| positive(fields.get(name)).or_else(|| positive(parent.get(name)));
        row.name = text("name").unwrap_or(&row.id).to_owned();
        row.api = self.api(path, fields);
        row.base_url = text("baseUrl").map(str::to_owned);
        row.reasoning = fields.get("reasoning").and_then(Value::as_bool).unwrap_or(false);
        if let Some(kinds) = fields.get("input").and_then(Value::as_array) {
            row.input = kinds.iter().filter_map(|k| k.as_str().map(str::to_owned)).collect();
        }
        row.cost = fields.get("cost").map(cost).unwrap_or_default();
        row.context_window = limit("contextWindow").unwrap_or(row.context_window);
        row.context_tokens = limit("contextTokens");
        row.max_tokens = limit("maxTokens").and_then(|n| u32::try_from(n).ok()).unwrap_or(row.max_tokens);
        row.headers = self.headers(path, fields);
        row.compat = fields.get("compat").map(Compat::from_json).unwrap_or_default();
        row.params = fields.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
        Some(row)
    }
}

fn positive(value: Option<&Value>) -> Option<u64> {
    let number = value?.as_f64()?;
    // Counts are whole; anything beyond what a float holds exactly is no token count.
    (number.is_finite() && (1.0..9e15).contains(&number)).then_some(number as u64)
}

fn cost(value: &Value) -> ModelCost {
    let price = |name: &str| value.get(name).and_then(Value::as_f64).filter(|p| p.is_finite()).unwrap_or(0.0);
    ModelCost { input: price("input"), output: price("output"), cache_read: price("cacheRead"), cache_write: price("cacheWrite") }
}

fn default_base_url(id: &str) -> Option<&'static str> {
    match id {
        "openai" => Some("https://api.openai.com/v1"),
        "anthropic" => Some("https://api.anthropic.com"),
        _ => None,
    }
}

/// Environment variables of the built-in providers (PRV-162).
fn env_vars(id: &str) -> Vec<String> {
    let names: &[&str] = match id {
        "openai" => &["OPENAI_API_KEY"],
        "anthropic" => &["ANTHROPIC_OAUTH_TOKEN", "ANTHROPIC_API_KEY"],
        _ => &[],
    };
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn modes() {
        let ids = |models: Value| ModelCatalog::from_config(&models).providers.into_keys().collect::<Vec<_>>();
        let lab = json!({"baseUrl": "http://127.0.0.1:1/v1"});
        assert_eq!(ids(Value::Null), ["anthropic", "openai"]);
        assert_eq!(ids(json!({"providers": {"Lab": lab}})), ["anthropic", "lab", "openai"]);
        assert_eq!(ids(json!({"mode": "replace", "providers": {"lab": lab}})), ["lab"]);
        let odd = ModelCatalog::from_config(&json!({"mode": "blend"}));
        assert_eq!((odd.providers.len(), odd.issues[0].path.as_str()), (2, "models.mode"));
    }

    #[test]
    fn a_configured_provider() {
        // PRV-74 (first row wins), PRV-77, PRV-80 (fields that are read)
        let catalog = ModelCatalog::from_config(&json!({"providers": {"lab": {
            "baseUrl": "http://127.0.0.1:1/v1/", "apiKey": " sk-1 ", "api": "anthropic-messages", "timeoutSeconds": 7,
            "headers": {"x-a": "b"}, "authHeader": true, "maxTokens": 100, "params": {"streaming": false},
            "models": [
                {"id": "a", "name": "A", "reasoning": true, "input": ["text", "image"], "contextWindow": 1000,
                 "maxTokens": 50, "cost": {"input": 1, "output": 2}, "compat": {"maxTokensField": "max_tokens"}},
                {"id": "a", "name": "again"}, "b", {"name": "no id"},
            ],
        }}}));
        let lab = &catalog.providers["lab"];
        assert_eq!((lab.base_url.as_str(), &lab.api), ("http://127.0.0.1:1/v1", &ApiKind::AnthropicMessages));
        assert_eq!(lab.api_key.as_ref().unwrap().expose(), "sk-1");
        assert_eq!(lab.timeouts.idle.as_secs(), 7);
        assert!(lab.auth_header && lab.headers["x-a"] == "b" && lab.params["streaming"] == false);
        assert_eq!(lab.models.len(), 2);
        let a = lab.model("A").unwrap();
        assert_eq!((a.name.as_str(), a.reasoning, a.takes_images(), a.max_tokens), ("A", true, true, 50));
        assert_eq!(a.compat.max_tokens_field, Some(crate::MaxTokensField::MaxTokens));
        assert_eq!(lab.model("b").unwrap().name, "b");
        assert_eq!(catalog.issues.len(), 1, "{:?}", catalog.issues);
        assert!(!format!("{lab:?}").contains("sk-1"));
        assert!(!a.to_json().to_string().contains("headers"));
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let issues = |provider: Value| ModelCatalog::from_config(&json!({"providers": {"lab": provider}})).issues;
        let base = "http://h/v1";
        let cases = [
            (json!(1), "models.providers.lab", "object"),
            (json!({}), "models.providers.lab.baseUrl", "base URL"),
            (json!({"baseUrl": base, "api": "ollama"}), "models.providers.lab.api", "`ollama` is not built"),
            (json!({"baseUrl": base, "api": "soap"}), "models.providers.lab.api", "`soap`"),
            (json!({"baseUrl": base, "apiKey": {"source": "exec"}}), "models.providers.lab.apiKey", "`exec`"),
            (json!({"baseUrl": base, "request": {}}), "models.providers.lab.request", "not built"),
            (json!({"baseUrl": base, "headers": {"a": {}}}), "models.providers.lab.headers.a", "text"),
        ];
        for (provider, path, part) in cases {
            let found = issues(provider);
            assert!(found.len() == 1 && found[0].path == path && found[0].message.contains(part), "{found:?}");
        }
    }
}
