//! Pricing sources, model id rules, endpoints and request families (MAN-140..MAN-145).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Manifest;
use super::models::owned_map;
use crate::normalise::{boolean, non_empty, provider_key, record, records, string, strings, strings_in};

/// Where prices of a provider come from (MAN-140).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingPolicy {
    /// Whether prices may be looked up outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<bool>,
    /// OpenRouter source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_router: Option<PricingSource>,
    /// LiteLLM source.
    #[serde(rename = "liteLLM", skip_serializing_if = "Option::is_none")]
    pub lite_llm: Option<PricingSource>,
}

/// One pricing source: switched off, or how to look up (MAN-140, MAN-141).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PricingSource {
    /// The literal `false`.
    Off(bool),
    /// Lookup rules.
    Lookup(PricingLookup),
}

/// Lookup rules of a pricing source (MAN-141).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PricingLookup {
    /// Provider id there, lower-cased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Only `true` is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub passthrough_provider_model: bool,
    /// Only `version-dots`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_id_transforms: Vec<String>,
}

/// How model ids of a provider are normalised (MAN-142).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelIdRules {
    /// Lower-cased alias to the id as written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// Prefixes to remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strip_prefixes: Vec<String>,
    /// Prefix for bare ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_when_bare: Option<String>,
    /// Prefixes chosen by the start of the id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefix_when_bare_after_alias_starts_with: Vec<PrefixRule>,
}

/// A prefix chosen by the start of a model id (MAN-142).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrefixRule {
    /// Start of the id.
    pub model_prefix: String,
    /// Prefix to add.
    pub prefix: String,
}

/// A known endpoint (MAN-143, MAN-144).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderEndpoint {
    /// Class of the endpoint.
    pub endpoint_class: String,
    /// Hosts, lower-cased.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Host suffixes, lower-cased.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_suffixes: Vec<String>,
    /// Base URLs as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub base_urls: Vec<String>,
    /// Region of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub google_vertex_region: Option<String>,
    /// Host suffix after the region, lower-cased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub google_vertex_region_host_suffix: Option<String>,
}

/// Request conventions of a provider (MAN-145).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRequest {
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Only `moonshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compatibility_family: Option<String>,
    /// `openAICompletions.supportsStreamingUsage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_streaming_usage: Option<bool>,
}

impl Manifest {
    fn owned_block<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<String, T> {
        let providers = record(self.raw.get(key)).and_then(|block| block.get("providers"));
        owned_map(providers, &self.owned_providers(), read)
    }

    /// `modelPricing.providers` (MAN-140, MAN-141).
    pub fn model_pricing(&self) -> BTreeMap<String, PricingPolicy> {
        self.owned_block("modelPricing", |value| {
            let block = value.as_object()?;
            non_empty(PricingPolicy {
                external: boolean(block.get("external")),
                open_router: read_source(block.get("openRouter")),
                lite_llm: read_source(block.get("liteLLM")),
            })
        })
    }

    /// `modelIdNormalization.providers` (MAN-142).
    pub fn model_id_normalization(&self) -> BTreeMap<String, ModelIdRules> {
        self.owned_block("modelIdNormalization", |value| {
            let block = value.as_object()?;
            non_empty(ModelIdRules {
                aliases: read_aliases(block.get("aliases")),
                strip_prefixes: strings(block.get("stripPrefixes")),
                prefix_when_bare: string(block.get("prefixWhenBare")),
                prefix_when_bare_after_alias_starts_with: records(block.get("prefixWhenBareAfterAliasStartsWith"))
                    .filter_map(read_rule)
                    .collect(),
            })
        })
    }

    /// `providerEndpoints` (MAN-143, MAN-144).
    pub fn provider_endpoints(&self) -> Vec<ProviderEndpoint> {
        records(self.raw.get("providerEndpoints")).filter_map(read_endpoint).collect()
    }

    /// `providerRequest.providers` (MAN-145).
    pub fn provider_request(&self) -> BTreeMap<String, ProviderRequest> {
        self.owned_block("providerRequest", |value| {
            let block = value.as_object()?;
            let completions = record(block.get("openAICompletions"));
            non_empty(ProviderRequest {
                family: string(block.get("family")),
                compatibility_family: string(block.get("compatibilityFamily")).filter(|family| family == "moonshot"),
                supports_streaming_usage: boolean(completions.and_then(|block| block.get("supportsStreamingUsage"))),
            })
        })
    }
}

fn read_source(value: Option<&Value>) -> Option<PricingSource> {
    if value == Some(&Value::Bool(false)) {
        return Some(PricingSource::Off(false));
    }
    let block = record(value)?;
    non_empty(PricingLookup {
        provider: string(block.get("provider")).and_then(|id| provider_key(&id)),
        passthrough_provider_model: block.get("passthroughProviderModel") == Some(&Value::Bool(true)),
        model_id_transforms: strings_in(block.get("modelIdTransforms"), &["version-dots"]),
    })
    .map(PricingSource::Lookup)
}

/// Alias keys are lower-cased; `constructor` and `prototype` survive here (MAN-014).
fn read_aliases(value: Option<&Value>) -> BTreeMap<String, String> {
    record(value).into_iter().flatten().filter_map(|(alias, id)| Some((provider_key(alias)?, string(Some(id))?))).collect()
}

fn read_rule(item: &Map<String, Value>) -> Option<PrefixRule> {
    Some(PrefixRule { model_prefix: string(item.get("modelPrefix"))?, prefix: string(item.get("prefix"))? })
}

fn read_endpoint(item: &Map<String, Value>) -> Option<ProviderEndpoint> {
    let lower = |key: &str| -> Vec<String> {
        let list = strings(item.get(key));
        list.iter().map(|text| text.to_lowercase()).collect()
    };
    let endpoint = ProviderEndpoint {
        endpoint_class: string(item.get("endpointClass"))?,
        hosts: lower("hosts"),
        host_suffixes: lower("hostSuffixes"),
        base_urls: strings(item.get("baseUrls")),
        google_vertex_region: string(item.get("googleVertexRegion")),
        google_vertex_region_host_suffix: string(item.get("googleVertexRegionHostSuffix")).map(|text| text.to_lowercase()),
    };
    let located = !endpoint.hosts.is_empty() || !endpoint.host_suffixes.is_empty() || !endpoint.base_urls.is_empty();
    located.then_some(endpoint)
}
