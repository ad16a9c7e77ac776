//! Diagnostics: findings about a plugin that do not stop it (API-106).

use serde::Serialize;

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something was ignored or will stop working.
    Warn,
    /// A registration was dropped or the plugin failed.
    Error,
}

/// One finding, in the reference's shape `{level, pluginId, source, message}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Severity.
    pub level: Level,
    /// The plugin it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_id: Option<String>,
    /// The file it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What was found and what to do.
    pub message: String,
}

impl Diagnostic {
    /// A diagnostic about a plugin.
    pub fn plugin(level: Level, plugin_id: &str, source: Option<&str>, message: impl Into<String>) -> Self {
        Self { level, plugin_id: Some(plugin_id.into()), source: source.map(Into::into), message: message.into() }
    }
}
