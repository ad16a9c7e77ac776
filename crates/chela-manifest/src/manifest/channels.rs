//! Channel config descriptors (MAN-180..MAN-184).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::normalise::{boolean, keyed, non_empty, record, string, strings};

/// One entry of `channelConfigs`; an entry without an object schema is dropped (MAN-180).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelConfig {
    /// The schema of `channels.<id>` (MAN-181).
    pub schema: Value,
    /// UI hints as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_hints: Option<Value>,
    /// Display label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Plugins that this one replaces when they were only implicitly selected (MAN-186).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefer_over: Vec<String>,
    /// Defaults for native commands (MAN-184).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<ChannelCommands>,
}

/// Defaults for a channel's native commands (MAN-184).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelCommands {
    /// Native commands are on by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_commands_auto_enabled: Option<bool>,
    /// Native skills are on by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_skills_auto_enabled: Option<bool>,
}

pub(crate) fn read(value: Option<&Value>) -> BTreeMap<String, ChannelConfig> {
    keyed(value, |entry| {
        let entry = entry.as_object()?;
        Some(ChannelConfig {
            schema: entry.get("schema").filter(|schema| schema.is_object())?.clone(),
            ui_hints: entry.get("uiHints").filter(|hints| hints.is_object()).cloned(),
            label: string(entry.get("label")),
            description: string(entry.get("description")),
            prefer_over: strings(entry.get("preferOver")),
            commands: read_commands(entry.get("commands")),
        })
    })
}

pub(crate) fn read_commands(value: Option<&Value>) -> Option<ChannelCommands> {
    let block = record(value)?;
    non_empty(ChannelCommands {
        native_commands_auto_enabled: boolean(block.get("nativeCommandsAutoEnabled")),
        native_skills_auto_enabled: boolean(block.get("nativeSkillsAutoEnabled")),
    })
}
