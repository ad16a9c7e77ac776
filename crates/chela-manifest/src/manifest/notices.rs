//! Remarks about a valid manifest that deserve a diagnostic.

use serde_json::Value;

use super::Manifest;
use crate::permissions::Permissions;

/// How serious a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Worth changing.
    Warn,
    /// Worth knowing.
    Info,
}

/// A remark about a manifest, without path or plugin id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How serious.
    pub level: NoticeLevel,
    /// Stable machine-readable code.
    pub code: &'static str,
    /// One line.
    pub message: String,
}

/// Old top-level spellings of contract lists: they have no effect, and `chela doctor --fix` moves them (MAN-099, MAN-242).
pub const MOVED_TO_CONTRACTS: [&str; 10] = [
    "speechProviders",
    "realtimeTranscriptionProviders",
    "realtimeVoiceProviders",
    "mediaUnderstandingProviders",
    "imageGenerationProviders",
    "videoGenerationProviders",
    "musicGenerationProviders",
    "webFetchProviders",
    "webSearchProviders",
    "tools",
];

impl Manifest {
    /// Provider ids of `providerAuthEnvVars` that `setup.providers[].envVars` does not mirror,
    /// sorted (MAN-147, MAN-148).
    pub fn unmirrored_env_providers(&self) -> Vec<&str> {
        let mirrored = |id: &str, name: &String| {
            let mut providers = self.setup.iter().flat_map(|setup| &setup.providers);
            providers.rfind(|provider| provider.id == id).is_some_and(|provider| provider.env_vars.contains(name))
        };
        self.provider_auth_env_vars
            .iter()
            .filter(|(id, names)| !names.iter().all(|name| mirrored(id, name)))
            .map(|(id, _)| id.as_str())
            .collect()
    }

    /// Declared channels without a `channelConfigs` entry (MAN-078).
    pub fn channels_without_config(&self) -> Vec<&str> {
        self.channels.iter().map(String::as_str).filter(|id| !self.channel_configs.contains_key(*id)).collect()
    }

    /// Remarks that do not depend on where the plugin was found or whether it is enabled.
    pub fn notices(&self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for kind in &self.kind {
            if !matches!(kind.as_str(), "memory" | "context-engine") {
                // A misspelt kind silently gives a plain plugin otherwise (MAN-239).
                notices.push(Notice {
                    level: NoticeLevel::Info,
                    code: "manifest-kind-unknown",
                    message: format!("kind `{kind}` has no effect; known kinds are `memory` and `context-engine`"),
                });
            }
        }
        let dropped = self.raw.get("permissions").map(|value| Permissions::read(value).1).unwrap_or_default();
        for problem in dropped {
            let path = if problem.path.is_empty() { String::new() } else { format!(".{}", problem.path) };
            notices.push(Notice {
                level: NoticeLevel::Warn,
                code: "manifest-permission-dropped",
                message: format!("`permissions{path}` {} and is not asked for", problem.message),
            });
        }
        for key in MOVED_TO_CONTRACTS {
            if self.raw.get(key).is_some_and(Value::is_array) {
                notices.push(Notice {
                    level: NoticeLevel::Info,
                    code: "manifest-contract-top-level",
                    message: format!("top-level `{key}` has no effect; move it to `contracts.{key}`, or let `chela doctor --fix` do it"),
                });
            }
        }
        notices
    }
}
