//! Capability contracts: which ids a plugin's code may register (MAN-096..MAN-105).

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::normalise::{record, strings};

/// The members of `contracts` that are read; others are dropped (MAN-097).
pub const CONTRACT_NAMES: [&str; 17] = [
    "embeddedExtensionFactories",
    "agentToolResultMiddleware",
    "externalAuthProviders",
    "memoryEmbeddingProviders",
    "speechProviders",
    "realtimeTranscriptionProviders",
    "realtimeVoiceProviders",
    "mediaUnderstandingProviders",
    "documentExtractors",
    "imageGenerationProviders",
    "videoGenerationProviders",
    "musicGenerationProviders",
    "webContentExtractors",
    "webFetchProviders",
    "webSearchProviders",
    "migrationProviders",
    "tools",
];

/// The non-empty contract lists, in the order of [`CONTRACT_NAMES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contracts(Vec<(&'static str, Vec<String>)>);

impl Contracts {
    pub(crate) fn read(value: Option<&Value>) -> Self {
        let Some(block) = record(value) else {
            return Self::default();
        };
        let lists = CONTRACT_NAMES.iter().map(|name| (*name, strings(block.get(*name))));
        Self(lists.filter(|(_, list)| !list.is_empty()).collect())
    }

    /// The ids of one contract; empty for an unknown name.
    pub fn get(&self, name: &str) -> &[String] {
        self.0.iter().find(|(entry, _)| *entry == name).map_or(&[], |(_, list)| list.as_slice())
    }

    /// The tools that the plugin may register (MAN-100).
    pub fn tools(&self) -> &[String] {
        self.get("tools")
    }

    /// Each contract with its ids.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        self.0.iter().map(|(name, list)| (*name, list.as_slice()))
    }

    /// True when no contract is declared.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Contracts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
