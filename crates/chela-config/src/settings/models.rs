//! `models.*`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{flag, text, text_map, texts, whole};
use crate::load::Config;
use crate::secret::SecretInput;

/// One entry of `models.providers.<id>.models`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSettings {
    /// Id within the provider.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Wire format, when it differs from the provider's.
    pub api: Option<String>,
    /// Base URL, when it differs from the provider's.
    pub base_url: Option<String>,
    /// Whether the model thinks.
    pub reasoning: bool,
    /// What it reads: `text`, `image`, `video`, `audio`.
    pub input: Vec<String>,
    /// Tokens the model takes.
    pub context_window: Option<u64>,
    /// Tokens to use at most, when less than the window.
    pub context_tokens: Option<u64>,
    /// Tokens the model answers with at most.
    pub max_tokens: Option<u64>,
    /// Extra headers.
    pub headers: BTreeMap<String, String>,
    /// The entry as written (cost, compat, params).
    pub raw: Value,
}

/// `models.providers.<id>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderSettings {
    /// The provider's id.
    pub id: String,
    /// Where it is.
    pub base_url: String,
    /// Its key.
    pub api_key: Option<SecretInput>,
    /// `api-key`, `aws-sdk`, `oauth` or `token`.
    pub auth: Option<String>,
    /// Wire format, such as `openai-completions` or `anthropic-messages`.
    pub api: Option<String>,
    /// Extra headers.
    pub headers: BTreeMap<String, SecretInput>,
    /// Whether the key goes into `Authorization: Bearer`, when set.
    pub auth_header: Option<bool>,
    /// Limit for one request, in seconds.
    pub timeout_seconds: Option<u64>,
    /// Default for models without their own.
    pub context_window: Option<u64>,
    /// Default for models without their own.
    pub max_tokens: Option<u64>,
    /// Its models.
    pub models: Vec<ModelSettings>,
    /// The entry as written.
    pub raw: Value,
}

/// `models.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelsSettings {
    /// Whether these providers replace the built-in ones instead of adding to them.
    pub replace: bool,
    /// Providers by id.
    pub providers: BTreeMap<String, ProviderSettings>,
}

impl Config {
    /// Reads `models.*`.
    pub fn models(&self) -> ModelsSettings {
        let models = &self.effective["models"];
        let providers = models["providers"].as_object().into_iter().flatten();
        ModelsSettings {
            replace: models["mode"] == "replace",
            providers: providers.map(|(id, value)| (id.clone(), self.provider(id, value))).collect(),
        }
    }

    fn provider(&self, id: &str, value: &Value) -> ProviderSettings {
        let headers = value["headers"].as_object().into_iter().flatten();
        ProviderSettings {
            id: id.to_owned(),
            base_url: text(value, "baseUrl").unwrap_or_default(),
            api_key: value.get("apiKey").and_then(|key| self.secret_input(key)),
            auth: text(value, "auth"),
            api: text(value, "api"),
            headers: headers.filter_map(|(name, v)| Some((name.clone(), self.secret_input(v)?))).collect(),
            auth_header: flag(value, "authHeader"),
            timeout_seconds: whole(value, "timeoutSeconds"),
            context_window: whole(value, "contextWindow"),
            max_tokens: whole(value, "maxTokens"),
            models: value["models"].as_array().into_iter().flatten().map(model).collect(),
            raw: value.clone(),
        }
    }
}

fn model(value: &Value) -> ModelSettings {
    let input = texts(value, "input");
    ModelSettings {
        id: text(value, "id").unwrap_or_default(),
        name: text(value, "name").unwrap_or_default(),
        api: text(value, "api"),
        base_url: text(value, "baseUrl"),
        reasoning: flag(value, "reasoning").unwrap_or(false),
        input: if input.is_empty() { vec!["text".to_owned()] } else { input },
        context_window: whole(value, "contextWindow"),
        context_tokens: whole(value, "contextTokens"),
        max_tokens: whole(value, "maxTokens"),
        headers: text_map(value, "headers"),
        raw: value.clone(),
    }
}
