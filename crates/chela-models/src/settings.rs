//! What is known about a provider and its models before any call.

use crate::compat::Compat;
use crate::http::Timeouts;
use crate::secret::Secret;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Wire format of a provider (PRV-230).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiKind {
    /// `POST <base>/chat/completions`.
    OpenAiCompletions,
    /// `POST <base>/v1/messages`.
    AnthropicMessages,
    /// A kind of the reference that this build does not speak; calls answer with an error that names it.
    NotBuilt(String),
}

const NOT_BUILT: &[&str] = &[
    "openai-responses",
    "openai-codex-responses",
    "azure-openai-responses",
    "google-generative-ai",
    "github-copilot",
    "bedrock-converse-stream",
    "ollama",
];

/// A name that is no api kind at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no known model api; use `openai-completions` or `anthropic-messages`")]
pub struct UnknownApi(pub String);

impl ApiKind {
    /// Reads an `api` value of the configuration.
    ///
    /// # Errors
    /// When the reference knows no such kind either.
    pub fn parse(text: &str) -> Result<Self, UnknownApi> {
        match text.trim() {
            "openai-completions" => Ok(Self::OpenAiCompletions),
            "anthropic-messages" => Ok(Self::AnthropicMessages),
            other if NOT_BUILT.contains(&other) => Ok(Self::NotBuilt(other.to_owned())),
            other => Err(UnknownApi(other.to_owned())),
        }
    }

    /// The configuration's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::OpenAiCompletions => "openai-completions",
            Self::AnthropicMessages => "anthropic-messages",
            Self::NotBuilt(name) => name,
        }
    }
}

/// The `auth` field of a provider (PRV-80).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProviderAuth {
    /// Not stated.
    #[default]
    Unstated,
    /// A key; an explicit key in the configuration then comes before everything else.
    ApiKey,
    /// A bearer token.
    Token,
    /// An OAuth access token, sent as a bearer token.
    OAuth,
    /// The AWS credential chain, which this build does not have.
    AwsSdk,
}

/// Prices in USD per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ModelCost {
    /// Input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Cache reads.
    pub cache_read: f64,
    /// Cache writes.
    pub cache_write: f64,
}

/// One model of a provider (PRV-77).
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Model id.
    pub id: String,
    /// Name for people; the id when none was given.
    pub name: String,
    /// Provider id.
    pub provider: String,
    /// Own wire format, when it differs from the provider's.
    pub api: Option<ApiKind>,
    /// Own base URL, when it differs from the provider's.
    pub base_url: Option<String>,
    /// Whether the model reasons.
    pub reasoning: bool,
    /// Kinds of input: `text`, `image`, ...
    pub input: Vec<String>,
    /// Prices.
    pub cost: ModelCost,
    /// The model's context, in tokens.
    pub context_window: u64,
    /// Lower cap on the context for budgeting, in tokens.
    pub context_tokens: Option<u64>,
    /// Output limit, in tokens.
    pub max_tokens: u32,
    /// Extra headers.
    pub headers: BTreeMap<String, String>,
    /// Flags of the endpoint.
    pub compat: Compat,
    /// Extra request parameters.
    pub params: Map<String, Value>,
}

impl ModelEntry {
    /// A row with the defaults of a custom model (PRV-75).
    pub fn new(provider: &str, id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            provider: provider.to_owned(),
            api: None,
            base_url: None,
            reasoning: false,
            input: vec!["text".to_owned()],
            cost: ModelCost::default(),
            context_window: 200_000,
            context_tokens: None,
            max_tokens: 8192,
            headers: BTreeMap::new(),
            compat: Compat::default(),
            params: Map::new(),
        }
    }

    /// Whether the model takes images.
    pub fn takes_images(&self) -> bool {
        self.input.iter().any(|kind| kind == "image")
    }

    /// The row as lists show it; no headers, since those may hold secrets.
    pub fn to_json(&self) -> Value {
        let mut row = json!({
            "id": self.id, "name": self.name, "provider": self.provider, "reasoning": self.reasoning,
            "input": self.input, "contextWindow": self.context_window, "maxTokens": self.max_tokens,
            "cost": { "input": self.cost.input, "output": self.cost.output,
                      "cacheRead": self.cost.cache_read, "cacheWrite": self.cost.cache_write },
        });
        if let (Some(tokens), Some(map)) = (self.context_tokens, row.as_object_mut()) {
            map.insert("contextTokens".to_owned(), json!(tokens));
        }
        row
    }
}

/// One HTTP provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Provider id, normalised.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// Wire format.
    pub api: ApiKind,
    /// Base URL, without a trailing slash.
    pub base_url: String,
    /// Key from the configuration; a marker (PRV-165) is never sent.
    pub api_key: Option<Secret>,
    /// Environment variable that the configuration names for the key, instead of a key.
    pub api_key_env: Option<String>,
    /// Why a configured key cannot be used, for the error about a missing key.
    pub api_key_problem: Option<String>,
    /// Environment variables tried for a key, in order.
    pub env_vars: Vec<String>,
    /// A login on this machine that stands for a key when no variable holds one (MAN-161, MAN-162).
    pub local_login: Option<LocalLogin>,
    /// Kind of credential.
    pub auth: ProviderAuth,
    /// Sends the key as a bearer token too (PRV-81).
    pub auth_header: bool,
    /// Extra headers.
    pub headers: BTreeMap<String, String>,
    /// Extra request parameters.
    pub params: Map<String, Value>,
    /// Known models; others can be named all the same.
    pub models: Vec<ModelEntry>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// How often a call is tried again before its answer began.
    pub max_retries: u32,
}

/// A login that another program left on this machine. The provider's plugin turns the marker into a request; it is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLogin {
    /// What is handed on in place of a key.
    pub marker: String,
    /// Where it comes from, for people.
    pub source: String,
}

impl ProviderSettings {
    /// A provider with no key, no models and every option at its default.
    pub fn new(id: &str, api: ApiKind, base_url: &str) -> Self {
        let id = crate::types::normalize_provider_id(id);
        Self {
            label: id.clone(),
            id,
            api,
            base_url: base_url.trim().trim_end_matches('/').to_owned(),
            api_key: None,
            api_key_env: None,
            api_key_problem: None,
            env_vars: Vec::new(),
            local_login: None,
            auth: ProviderAuth::Unstated,
            auth_header: false,
            headers: BTreeMap::new(),
            params: Map::new(),
            models: Vec::new(),
            timeouts: Timeouts::default(),
            max_retries: 2,
        }
    }

    /// The row of a model; ids compare without case (PRV-41).
    pub fn model(&self, id: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|m| m.id == id).or_else(|| self.models.iter().find(|m| m.id.eq_ignore_ascii_case(id)))
    }

    /// Whether the base URL points at this machine or a private network.
    pub fn is_local(&self) -> bool {
        crate::compat::Endpoint::of(&self.base_url) == crate::compat::Endpoint::Local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_kinds() {
        // PRV-230
        for name in NOT_BUILT {
            assert_eq!(ApiKind::parse(name), Ok(ApiKind::NotBuilt((*name).to_owned())));
        }
        assert_eq!(ApiKind::parse("openai-completions"), Ok(ApiKind::OpenAiCompletions));
        assert_eq!(ApiKind::parse("anthropic-messages"), Ok(ApiKind::AnthropicMessages));
        assert!(ApiKind::parse("soap").unwrap_err().to_string().contains("`soap`"));
    }

    #[test]
    fn custom_model_defaults() {
        // PRV-75
        let row = ModelEntry::new("p", "m");
        assert!(!row.reasoning);
        assert_eq!(row.input, ["text"]);
        assert_eq!(row.cost, ModelCost::default());
        assert_eq!((row.context_window, row.max_tokens), (200_000, 8192));
    }
}
