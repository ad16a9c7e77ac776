//! Capability metadata: media, generation providers and tools (MAN-106..MAN-117).

mod signals;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::Manifest;
use crate::normalise::{keyed, non_empty, number, record, records, string, strings, strings_in};
pub use signals::EnvLookup;

const MEDIA: [&str; 3] = ["image", "audio", "video"];

/// One entry of `mediaUnderstandingProviderMetadata` (MAN-106..MAN-109).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaUnderstandingMetadata {
    /// Subset of `image audio video`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Default model per medium.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub default_models: BTreeMap<String, String>,
    /// Priority per medium, lower first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub auto_priority: BTreeMap<String, Number>,
    /// Only `pdf`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_document_inputs: Vec<String>,
}

/// Signals that say whether a capability provider is usable (MAN-110).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityMetadata {
    /// Other ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Providers whose auth is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auth_providers: Vec<String>,
    /// Auth signals; when present they replace the default set (MAN-114).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub auth_signals: Vec<AuthSignal>,
    /// Config signals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config_signals: Vec<ConfigSignal>,
}

/// Metadata of one tool: the same fields, and `optional` (MAN-116).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolMetadata {
    /// The shared fields.
    #[serde(flatten)]
    pub signals: CapabilityMetadata,
    /// Only `true` is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// An auth signal (MAN-114, MAN-115).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthSignal {
    /// Provider id.
    pub provider: String,
    /// Limits the signal to certain base URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_base_url: Option<BaseUrlGuard>,
}

/// Base URLs for which an auth signal counts (MAN-115).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseUrlGuard {
    /// Provider whose base URL is looked at.
    pub provider: String,
    /// Used when none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_base_url: Option<String>,
    /// Not empty.
    pub allowed_base_urls: Vec<String>,
}

/// A config signal (MAN-111..MAN-113).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSignal {
    /// Dotted path of the object to test.
    pub root_path: String,
    /// Dotted path of an object laid over the root before the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay_path: Option<String>,
    /// All of these must be set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// One of these must be set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_any: Vec<String>,
    /// A mode that must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeSignal>,
}

/// The mode test of a config signal (MAN-113).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModeSignal {
    /// Path inside the object; absent means `mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Value assumed when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Accepted values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Refused values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disallowed: Vec<String>,
}

impl Manifest {
    /// `mediaUnderstandingProviderMetadata`, normalised (MAN-106..MAN-109).
    pub fn media_understanding_metadata(&self) -> BTreeMap<String, MediaUnderstandingMetadata> {
        keyed(self.raw.get("mediaUnderstandingProviderMetadata"), |entry| {
            let entry = entry.as_object()?;
            non_empty(MediaUnderstandingMetadata {
                capabilities: strings_in(entry.get("capabilities"), &MEDIA),
                default_models: media_map(entry.get("defaultModels"), |value| string(Some(value))),
                auto_priority: media_map(entry.get("autoPriority"), |value| number(Some(value), f64::is_finite)),
                native_document_inputs: strings_in(entry.get("nativeDocumentInputs"), &["pdf"]),
            })
        })
    }

    /// `imageGenerationProviderMetadata` and its video and music siblings, by key (MAN-110).
    pub fn generation_metadata(&self, key: &str) -> BTreeMap<String, CapabilityMetadata> {
        keyed(self.raw.get(key), |entry| non_empty(read_signals(entry.as_object()?)))
    }
}

fn media_map<T>(value: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<String, T> {
    let mut map = BTreeMap::new();
    for medium in MEDIA {
        if let Some(entry) = record(value).and_then(|map| map.get(medium)).and_then(&read) {
            map.insert(medium.to_owned(), entry);
        }
    }
    map
}

pub(crate) fn read_tools(value: Option<&Value>) -> BTreeMap<String, ToolMetadata> {
    keyed(value, |entry| {
        let entry = entry.as_object()?;
        non_empty(ToolMetadata { signals: read_signals(entry), optional: entry.get("optional") == Some(&Value::Bool(true)) })
    })
}

fn read_signals(entry: &Map<String, Value>) -> CapabilityMetadata {
    CapabilityMetadata {
        aliases: strings(entry.get("aliases")),
        auth_providers: strings(entry.get("authProviders")),
        auth_signals: records(entry.get("authSignals"))
            .filter_map(|item| {
                Some(AuthSignal { provider: string(item.get("provider"))?, provider_base_url: read_guard(item.get("providerBaseUrl")) })
            })
            .collect(),
        config_signals: records(entry.get("configSignals")).filter_map(read_config_signal).collect(),
    }
}

fn read_guard(value: Option<&Value>) -> Option<BaseUrlGuard> {
    let block = record(value)?;
    let allowed_base_urls = strings(block.get("allowedBaseUrls"));
    if allowed_base_urls.is_empty() {
        return None;
    }
    Some(BaseUrlGuard {
        provider: string(block.get("provider"))?,
        default_base_url: string(block.get("defaultBaseUrl")),
        allowed_base_urls,
    })
}

fn read_config_signal(item: &Map<String, Value>) -> Option<ConfigSignal> {
    let signal = ConfigSignal {
        root_path: string(item.get("rootPath"))?,
        overlay_path: string(item.get("overlayPath")),
        required: strings(item.get("required")),
        required_any: strings(item.get("requiredAny")),
        mode: read_mode(item.get("mode")),
    };
    let tests = !signal.required.is_empty() || !signal.required_any.is_empty();
    (tests || signal.mode.is_some()).then_some(signal)
}

fn read_mode(value: Option<&Value>) -> Option<ModeSignal> {
    let block = record(value)?;
    non_empty(ModeSignal {
        path: string(block.get("path")),
        default: string(block.get("default")),
        allowed: strings(block.get("allowed")),
        disallowed: strings(block.get("disallowed")),
    })
}
