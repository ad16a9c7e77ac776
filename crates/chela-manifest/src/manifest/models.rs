//! Model support and the model catalogue (MAN-118..MAN-139).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Manifest;
use crate::normalise::{boolean, non_empty, number, provider_key, record, records, string, string_map, strings, strings_in};

/// Model APIs that are known; others are dropped (MAN-124).
const APIS: [&str; 9] = [
    "openai-completions",
    "openai-responses",
    "openai-codex-responses",
    "anthropic-messages",
    "google-generative-ai",
    "github-copilot",
    "bedrock-converse-stream",
    "ollama",
    "azure-openai-responses",
];

/// Input modalities that are kept. The reference discards the documented `audio` and `video`
/// (MAN-240); here they are kept, because nothing can depend on their loss.
const INPUTS: [&str; 5] = ["text", "image", "document", "audio", "video"];

const COMPAT_FLAGS: [&str; 15] = [
    "supportsStore",
    "supportsPromptCacheKey",
    "supportsDeveloperRole",
    "supportsReasoningEffort",
    "supportsUsageInStreaming",
    "supportsTools",
    "supportsStrictMode",
    "requiresStringContent",
    "strictMessageKeys",
    "requiresToolResultName",
    "requiresAssistantAfterToolResult",
    "requiresThinkingAsText",
    "nativeWebSearchTool",
    "requiresMistralToolIds",
    "requiresOpenAiAnthropicToolPayload",
];

/// `modelSupport`: how bare model ids are matched (MAN-118, MAN-119).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSupport {
    /// Prefixes of bare model ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_prefixes: Vec<String>,
    /// Regular-expression sources; they beat prefixes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_patterns: Vec<String>,
}

/// `modelCatalog`, limited to providers that the plugin owns (MAN-121).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ModelCatalog {
    /// Rows per provider (lower-cased id).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, CatalogProvider>,
    /// Alias to an owned provider (MAN-134).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, CatalogAlias>,
    /// Models that must not be offered (MAN-135).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression>,
    /// `static`, `refreshable` or `runtime` per provider (MAN-138).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub discovery: BTreeMap<String, String>,
}

/// The rows of one provider (MAN-122, MAN-123).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogProvider {
    /// Base URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// API of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Extra headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// At least one row.
    pub models: Vec<CatalogModel>,
}

/// One model row (MAN-125..MAN-133).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogModel {
    /// Model id.
    pub id: String,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// API, if not the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Base URL, if not the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Extra headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Input modalities; empty means text when rows are expanded (MAN-130).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// Whether the model reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
    /// Context window in tokens, positive (MAN-127).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<Number>,
    /// Usable context in tokens, positive integer (MAN-127).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<Number>,
    /// Output limit in tokens, positive (MAN-127).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Number>,
    /// Prices, non-negative (MAN-128, MAN-129).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub cost: Map<String, Value>,
    /// Compatibility flags (MAN-131, MAN-132).
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub compat: Map<String, Value>,
    /// `available preview deprecated disabled`; absent means available (MAN-130).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why the status is what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Ids that this model replaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Id that replaces this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// An alias of an owned provider (MAN-134).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogAlias {
    /// The owned provider.
    pub provider: String,
    /// API under the alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Base URL under the alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

/// A model that must not be offered (MAN-135).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppression {
    /// Provider id, lower-cased.
    pub provider: String,
    /// Model id.
    pub model: String,
    /// Text shown to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Base-URL hosts for which it holds, lower-cased; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub base_url_hosts: Vec<String>,
    /// Configured APIs for which it holds, lower-cased; empty means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub provider_config_api_in: Vec<String>,
}

impl Manifest {
    /// Provider ids that the plugin owns, lower-cased, as model blocks compare them (MAN-121).
    pub(crate) fn owned_providers(&self) -> BTreeSet<String> {
        self.providers.iter().filter_map(|id| provider_key(id)).collect()
    }

    /// `modelCatalog`, normalised; absent when nothing valid is left (MAN-121..MAN-138).
    pub fn model_catalog(&self) -> Option<ModelCatalog> {
        let block = record(self.raw.get("modelCatalog"))?;
        let owned = self.owned_providers();
        non_empty(ModelCatalog {
            providers: owned_map(block.get("providers"), &owned, read_provider),
            aliases: read_aliases(block.get("aliases"), &owned),
            suppressions: records(block.get("suppressions")).filter_map(read_suppression).collect(),
            discovery: owned_map(block.get("discovery"), &owned, |mode| {
                string(Some(mode)).filter(|mode| matches!(mode.as_str(), "static" | "refreshable" | "runtime"))
            }),
        })
    }
}

impl Manifest {
    /// Suppressions that count: of providers that the plugin owns, and of aliases that lead to one (MAN-137).
    pub fn suppressions(&self) -> Vec<Suppression> {
        // Most catalogues have none, and reading one whole is not free.
        let listed = record(self.raw.get("modelCatalog")).and_then(|block| block.get("suppressions")?.as_array());
        let Some(catalog) = listed.filter(|list| !list.is_empty()).and_then(|_| self.model_catalog()) else { return Vec::new() };
        let owned = self.owned_providers();
        let counts = |item: &Suppression| owned.contains(&item.provider) || catalog.aliases.contains_key(&item.provider);
        catalog.suppressions.into_iter().filter(counts).collect()
    }
}

impl Suppression {
    /// True when it holds whatever is configured (MAN-136).
    pub fn is_unconditional(&self) -> bool {
        self.base_url_hosts.is_empty() && self.provider_config_api_in.is_empty()
    }

    /// The error of a configured ref to the model (MAN-136).
    pub fn message(&self) -> String {
        let model = format!("Unknown model: {}/{}.", self.provider, self.model.to_lowercase());
        match &self.reason {
            Some(reason) => format!("{model} {reason}"),
            None => model,
        }
    }
}

/// One row as a list of models shows it: defaults filled in, the provider's fields inherited (MAN-130).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogRow {
    /// Under which rows of several plugins are merged (MAN-139).
    pub merge_key: String,
    /// Provider id, lower-cased.
    pub provider: String,
    /// The row; `input` and `status` are never absent, `api`, `base_url` and `headers` come from the provider where it has none.
    #[serde(flatten)]
    pub model: CatalogModel,
}

impl ModelCatalog {
    /// All rows, sorted by provider and id.
    pub fn rows(&self) -> Vec<CatalogRow> {
        let mut rows = Vec::new();
        for (id, provider) in &self.providers {
            rows.extend(provider.models.iter().map(|model| provider.row(id, model)));
        }
        rows.sort_by(|a, b| (&a.provider, &a.model.id).cmp(&(&b.provider, &b.model.id)));
        rows
    }
}

impl CatalogProvider {
    fn row(&self, provider: &str, model: &CatalogModel) -> CatalogRow {
        let mut model = model.clone();
        if model.input.is_empty() {
            model.input.push("text".to_owned());
        }
        model.status.get_or_insert_with(|| "available".to_owned());
        model.api = model.api.or_else(|| self.api.clone());
        model.base_url = model.base_url.or_else(|| self.base_url.clone());
        for (name, value) in &self.headers {
            model.headers.entry(name.clone()).or_insert_with(|| value.clone());
        }
        CatalogRow { merge_key: merge_key(provider, &model.id), provider: provider.to_owned(), model }
    }
}

/// The key under which rows of several plugins are merged (MAN-139).
pub fn merge_key(provider: &str, model: &str) -> String {
    format!("{}::{}", provider.trim().to_lowercase(), model.trim().to_lowercase())
}

pub(crate) fn read_support(value: Option<&Value>) -> Option<ModelSupport> {
    let block = record(value)?;
    non_empty(ModelSupport { model_prefixes: strings(block.get("modelPrefixes")), model_patterns: strings(block.get("modelPatterns")) })
}

/// Entries whose lower-cased key is an owned provider (MAN-121).
pub(crate) fn owned_map<T>(value: Option<&Value>, owned: &BTreeSet<String>, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    for (key, entry) in record(value).into_iter().flatten() {
        let Some(key) = provider_key(key).filter(|key| owned.contains(key)) else {
            continue;
        };
        if let Some(entry) = read(entry) {
            map.insert(key, entry);
        }
    }
    map
}

fn api(value: Option<&Value>) -> Option<String> {
    string(value).filter(|api| APIS.contains(&api.as_str()))
}

fn read_provider(value: &Value) -> Option<CatalogProvider> {
    let block = value.as_object()?;
    let models: Vec<_> = records(block.get("models")).filter_map(read_model).collect();
    (!models.is_empty()).then(|| CatalogProvider {
        base_url: string(block.get("baseUrl")),
        api: api(block.get("api")),
        headers: string_map(block.get("headers")),
        models,
    })
}

fn read_model(row: &Map<String, Value>) -> Option<CatalogModel> {
    let at = |key: &str| row.get(key);
    Some(CatalogModel {
        id: string(at("id"))?,
        name: string(at("name")),
        api: api(at("api")),
        base_url: string(at("baseUrl")),
        headers: string_map(at("headers")),
        input: strings_in(at("input"), &INPUTS),
        reasoning: boolean(at("reasoning")),
        context_window: number(at("contextWindow"), |value| value > 0.0),
        context_tokens: number(at("contextTokens"), |value| value > 0.0 && value.fract() == 0.0),
        max_tokens: number(at("maxTokens"), |value| value > 0.0),
        cost: read_cost(at("cost")),
        compat: read_compat(at("compat")),
        status: string(at("status")).filter(|status| matches!(status.as_str(), "available" | "preview" | "deprecated" | "disabled")),
        status_reason: string(at("statusReason")),
        replaces: strings(at("replaces")),
        replaced_by: string(at("replacedBy")),
        tags: strings(at("tags")),
    })
}

const PRICES: [&str; 4] = ["input", "output", "cacheRead", "cacheWrite"];

fn read_prices(block: &Map<String, Value>) -> Map<String, Value> {
    PRICES
        .iter()
        .filter_map(|key| {
            let price = number(block.get(*key), |value| value >= 0.0)?;
            Some(((*key).to_owned(), Value::Number(price)))
        })
        .collect()
}

fn read_cost(value: Option<&Value>) -> Map<String, Value> {
    let Some(block) = record(value) else {
        return Map::new();
    };
    let mut cost = read_prices(block);
    let tiers: Vec<Value> = records(block.get("tieredPricing")).filter_map(read_tier).collect();
    if !tiers.is_empty() {
        cost.insert("tieredPricing".into(), Value::Array(tiers));
    }
    cost
}

/// A tier needs all four prices and a range of one or two non-negative numbers (MAN-129).
fn read_tier(item: &Map<String, Value>) -> Option<Value> {
    let mut tier = read_prices(item);
    let range = item.get("range")?.as_array()?;
    let valid = range.iter().all(|bound| number(Some(bound), |value| value >= 0.0).is_some());
    if tier.len() != PRICES.len() || !(1..=2).contains(&range.len()) || !valid {
        return None;
    }
    tier.insert("range".into(), Value::Array(range.clone()));
    Some(Value::Object(tier))
}

fn read_compat(value: Option<&Value>) -> Map<String, Value> {
    let mut compat = Map::new();
    let Some(block) = record(value) else {
        return compat;
    };
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            compat.insert(key.to_owned(), value);
        }
    };
    for key in COMPAT_FLAGS {
        put(key, boolean(block.get(key)).map(Value::Bool));
    }
    for key in ["toolSchemaProfile", "toolCallArgumentsEncoding"] {
        put(key, string(block.get(key)).map(Value::String));
    }
    for key in ["visibleReasoningDetailTypes", "supportedReasoningEfforts", "unsupportedToolSchemaKeywords"] {
        put(key, non_empty(strings(block.get(key))).map(Value::from));
    }
    put(
        "reasoningEffortMap",
        non_empty(string_map(block.get("reasoningEffortMap"))).map(|map| map.into_iter().map(|(k, v)| (k, Value::from(v))).collect()),
    );
    let one_of = |key: &str, allowed: &[&str]| string(block.get(key)).filter(|text| allowed.contains(&text.as_str())).map(Value::String);
    put("maxTokensField", one_of("maxTokensField", &["max_completion_tokens", "max_tokens"]));
    put("thinkingFormat", one_of("thinkingFormat", &["openai", "openrouter", "deepseek", "qwen", "qwen-chat-template", "zai"]));
    compat
}

fn read_aliases(value: Option<&Value>, owned: &BTreeSet<String>) -> BTreeMap<String, CatalogAlias> {
    let mut aliases = BTreeMap::new();
    for (key, target) in record(value).into_iter().flatten() {
        let (Some(alias), Some(target)) = (provider_key(key), target.as_object()) else {
            continue;
        };
        let provider = string(target.get("provider")).and_then(|id| provider_key(&id));
        if let Some(provider) = provider.filter(|id| owned.contains(id)) {
            let alias_target = CatalogAlias { provider, api: api(target.get("api")), base_url: string(target.get("baseUrl")) };
            aliases.insert(alias, alias_target);
        }
    }
    aliases
}

fn read_suppression(item: &Map<String, Value>) -> Option<Suppression> {
    let when = record(item.get("when"));
    let lower = |key: &str| -> Vec<String> {
        let list = strings(when.and_then(|when| when.get(key)));
        list.iter().map(|text| text.to_lowercase()).collect()
    };
    Some(Suppression {
        provider: string(item.get("provider")).and_then(|id| provider_key(&id))?,
        model: string(item.get("model"))?,
        reason: string(item.get("reason")),
        base_url_hosts: lower("baseUrlHosts"),
        provider_config_api_in: lower("providerConfigApiIn"),
    })
}
