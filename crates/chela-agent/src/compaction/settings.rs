//! `agents.defaults.compaction`.

use std::time::Duration;

use chela_config::Config;
use chela_models::ModelRef;
use serde_json::{Value, json};

/// Longest compaction when the config does not say.
const TIMEOUT_S: u64 = 900;
/// Tokens that stay free for the answer when the config does not say.
const RESERVE: u64 = 16_384;
/// Least of them.
const RESERVE_FLOOR: u64 = 20_000;
/// Newest tokens that automatic compaction keeps word for word.
const KEEP_RECENT: u64 = 20_000;
/// Largest part of the window that is reserved or kept: a small window must have room for both.
const SHARE: u64 = 4;

/// How conversations are compacted.
#[derive(Clone, Debug)]
pub struct CompactionSettings {
    /// Id of the compaction provider that summarises.
    pub provider: Option<String>,
    /// The model that summarises; it has no fallbacks.
    pub model: Option<ModelRef>,
    /// Longest compaction.
    pub timeout: Duration,
    /// What summaries always look at.
    pub instructions: Option<String>,
    /// `strict`, `off` or `custom`, and the words for `custom`.
    pub identifiers: (String, Option<String>),
    /// `memoryFlush` as it stands.
    pub memory_flush: Value,
    reserve: Option<u64>,
    floor: u64,
    keep_recent: Option<u64>,
}

impl CompactionSettings {
    /// Reads them from the config.
    pub fn from_config(config: &Config) -> Self {
        config.get("agents.defaults.compaction").map_or_else(|| Self::of(&Value::Null), Self::of)
    }

    /// Reads them from their section.
    pub fn of(section: &Value) -> Self {
        let text = |key: &str| chela_plugin::value::text(section, key).map(str::to_string);
        let number = |key: &str| section.get(key).and_then(Value::as_u64);
        let custom = text("identifierInstructions");
        Self {
            provider: text("provider"),
            model: text("model").and_then(|name| ModelRef::parse(&name).ok()),
            timeout: Duration::from_secs(number("timeoutSeconds").filter(|s| *s > 0).unwrap_or(TIMEOUT_S)),
            instructions: text("customInstructions"),
            identifiers: (text("identifierPolicy").unwrap_or_else(|| "strict".into()), custom),
            memory_flush: section.get("memoryFlush").cloned().unwrap_or_default(),
            reserve: number("reserveTokens"),
            floor: number("reserveTokensFloor").unwrap_or(RESERVE_FLOOR),
            keep_recent: number("keepRecentTokens"),
        }
    }

    /// Tokens of a window that a conversation may fill before it is compacted.
    pub fn budget(&self, window: u64) -> u64 {
        let reserve = self.reserve.unwrap_or(RESERVE).max(self.floor);
        window.saturating_sub(reserve.min(window / SHARE))
    }

    /// What automatic compaction keeps.
    pub fn keep_recent(&self, window: u64) -> u64 {
        self.keep_recent.unwrap_or(KEEP_RECENT).min(window / SHARE)
    }

    /// What a compaction by hand keeps: nothing, unless the config says.
    pub fn keep_by_hand(&self) -> super::Keep {
        self.keep_recent.map_or(super::Keep::Nothing, super::Keep::Recent)
    }

    /// For a provider's `summarizationInstructions`.
    pub fn identifier_instructions(&self) -> Value {
        let mut out = json!({"identifierPolicy": self.identifiers.0});
        if let Some(text) = &self.identifiers.1 {
            out["identifierInstructions"] = text.clone().into();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_windows_keep_room_for_the_conversation() {
        let config = |value: Value| CompactionSettings::of(&value);
        let plain = config(json!({}));
        assert_eq!((plain.budget(200_000), plain.budget(8000), plain.keep_recent(8000)), (180_000, 6000, 2000));
        assert_eq!(plain.keep_by_hand(), crate::compaction::Keep::Nothing);
        let own = config(json!({"reserveTokens": 30_000, "keepRecentTokens": 500, "timeoutSeconds": 3, "provider": " x "}));
        assert_eq!((own.budget(200_000), own.keep_recent(200_000), own.timeout.as_secs()), (170_000, 500, 3));
        assert_eq!((own.keep_by_hand(), own.provider.as_deref()), (crate::compaction::Keep::Recent(500), Some("x")));
    }
}
