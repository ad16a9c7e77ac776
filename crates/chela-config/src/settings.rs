//! The configuration as typed values with their defaults, one reader per section.
//!
//! The readers work on a validated configuration. Values that are absent get the reference's default;
//! none of these functions fails.

mod agents;
mod gateway;
mod models;
mod plugins;
mod session;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dotted::{get_path, parse_path};
use crate::load::Config;

pub use agents::{AgentSettings, AgentsSettings, ModelChoice, ToolPolicy, ToolsSettings};
pub use gateway::{BindMode, ControlUiSettings, GatewayMode, GatewaySettings, HttpEndpointSettings, ReloadMode, ReloadSettings};
pub use models::{ModelSettings, ModelsSettings, ProviderSettings};
pub use plugins::{PluginEntry, PluginHooksPolicy, PluginLlmPolicy, PluginsSettings};
pub use session::{DmScope, LogLevel, LoggingSettings, ResetMode, ResetPolicy, SessionScope, SessionSettings};

impl Config {
    /// The effective value at a dotted path; `None` when it is unset or the path is malformed.
    pub fn get(&self, dotted: &str) -> Option<&Value> {
        get_path(&self.effective, &parse_path(dotted).ok()?)
    }
}

pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}

pub(crate) fn flag(value: &Value, key: &str) -> Option<bool> {
    value.get(key).and_then(Value::as_bool)
}

pub(crate) fn whole(value: &Value, key: &str) -> Option<u64> {
    let value = value.get(key)?;
    value.as_u64().or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
}

pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    texts_opt(value, key).unwrap_or_default()
}

/// A list of texts, or `None` when the key is absent; the two mean different things for allow lists.
pub(crate) fn texts_opt(value: &Value, key: &str) -> Option<Vec<String>> {
    let items = value.get(key)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect())
}

pub(crate) fn text_map(value: &Value, key: &str) -> BTreeMap<String, String> {
    let map = value.get(key).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
