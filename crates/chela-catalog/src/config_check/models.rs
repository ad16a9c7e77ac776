//! Models that a plugin's catalogue rules out and config names all the same (MAN-136, MAN-137).

use std::collections::BTreeMap;

use serde_json::Value;

use super::PluginConfigIssue;
use crate::diagnostic::Level;
use crate::model_refs::{channel_models, configured_models};
use crate::record::PluginRecord;

/// Adds an error for each ref to a model that an enabled plugin suppresses without a condition.
pub(super) fn suppressed(config: &Value, plugins: &[PluginRecord], issues: &mut Vec<PluginConfigIssue>) {
    let mut messages: BTreeMap<String, String> = BTreeMap::new();
    for plugin in plugins.iter().filter(|plugin| plugin.enabled) {
        for item in plugin.manifest.suppressions().into_iter().filter(|item| item.is_unconditional()) {
            let key = format!("{}/{}", item.provider, item.model.to_lowercase());
            messages.entry(key).or_insert_with(|| item.message());
        }
    }
    if messages.is_empty() {
        return;
    }
    for found in configured_models(config).into_iter().chain(channel_models(config)) {
        let Some((provider, model)) = found.text.split_once('/') else { continue };
        let key = format!("{}/{}", provider.trim().to_lowercase(), model.trim().to_lowercase());
        if let Some(message) = messages.get(&key) {
            issues.push(PluginConfigIssue::new(Level::Error, found.path, message.as_str()));
        }
    }
}
