//! Diagnostics: what the catalog has to say about files and config, as values.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Worth changing; the plugin may have been skipped.
    Warn,
    /// A plugin cannot be used as it is.
    Error,
}

impl Level {
    /// The name that JSON output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One finding. It never stops a command: a broken plugin is its own problem (MAN-234, MAN-236).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious.
    pub level: Level,
    /// One line; stable enough to match a documented substring.
    pub message: String,
    /// The plugin, where known (INS-026).
    pub plugin_id: Option<String>,
    /// The file or directory it is about.
    pub source: Option<PathBuf>,
    /// Machine-readable code (INS-371 names its absence as a shortfall of the reference).
    pub code: Option<&'static str>,
}

impl Diagnostic {
    /// A diagnostic without plugin and source.
    pub fn new(level: Level, code: &'static str, message: impl Into<String>) -> Self {
        Self { level, message: message.into(), plugin_id: None, source: None, code: Some(code) }
    }

    /// Names the plugin.
    #[must_use]
    pub fn plugin(mut self, id: Option<&str>) -> Self {
        self.plugin_id = id.map(str::to_owned);
        self
    }

    /// Names the file or directory.
    #[must_use]
    pub fn at(mut self, source: &Path) -> Self {
        self.source = Some(source.to_owned());
        self
    }

    /// The JSON row of `plugins list` and `plugins inspect`: `{level, message, pluginId?, source?,
    /// code?}` (INS-089).
    pub fn to_json(&self) -> Value {
        let mut row = Map::new();
        row.insert("level".into(), self.level.as_str().into());
        if let Some(id) = &self.plugin_id {
            row.insert("pluginId".into(), id.as_str().into());
        }
        if let Some(source) = &self.source {
            row.insert("source".into(), source.to_string_lossy().into());
        }
        row.insert("message".into(), self.message.as_str().into());
        if let Some(code) = self.code {
            row.insert("code".into(), code.into());
        }
        Value::Object(row)
    }
}

/// Drops repeats of the same level, plugin and text (INS-019).
pub(crate) fn dedupe(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    diagnostics.into_iter().filter(|entry| seen.insert((entry.level, entry.plugin_id.clone(), entry.message.clone()))).collect()
}
