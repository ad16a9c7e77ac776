//! Capability contracts: which ids a plugin's code may register (MAN-096..MAN-105).

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::normalise::{record, strings};

/// The members of `contracts` that are read; others are dropped (MAN-097).
pub const CONTRACT_NAMES: [&str; 20] = [
    "embeddedExtensionFactories",
    "agentToolResultMiddleware",
    "trustedToolPolicies",
    "externalAuthProviders",
    "embeddingProviders",
    "memoryEmbeddingProviders",
    "speechProviders",
    "realtimeTranscriptionProviders",
    "realtimeVoiceProviders",
    "mediaUnderstandingProviders",
    "transcriptSourceProviders",
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

    /// Adds ids behind those that are there, without repeats; an unknown name is left out (MAN-105).
    pub fn add(&mut self, name: &str, ids: &[String]) {
        let Some(place) = CONTRACT_NAMES.iter().position(|known| *known == name) else { return };
        if !self.0.iter().any(|(known, _)| *known == name) {
            let before = |known: &str| CONTRACT_NAMES.iter().position(|entry| *entry == known).is_some_and(|at| at < place);
            let at = self.0.iter().take_while(|(known, _)| before(known)).count();
            self.0.insert(at, (CONTRACT_NAMES[place], Vec::new()));
        }
        let Some((_, list)) = self.0.iter_mut().find(|(known, _)| *known == name) else { return };
        let mut all: Vec<String> = Vec::new();
        for id in list.drain(..).chain(ids.iter().cloned()) {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        *list = all;
        self.0.retain(|(_, list)| !list.is_empty());
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
