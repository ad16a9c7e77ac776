//! Activation hints: when a plugin's code is needed (MAN-168..MAN-173).

use serde::Serialize;
use serde_json::Value;

use crate::normalise::{boolean, record, strings};

/// A capability named by `activation.onCapabilities` (MAN-171).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivationCapability {
    /// Model providers.
    Provider,
    /// Channels.
    Channel,
    /// Agent tools.
    Tool,
    /// Hooks.
    Hook,
}

impl ActivationCapability {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "provider" => Some(Self::Provider),
            "channel" => Some(Self::Channel),
            "tool" => Some(Self::Tool),
            "hook" => Some(Self::Hook),
            _ => None,
        }
    }

    /// The name as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Channel => "channel",
            Self::Tool => "tool",
            Self::Hook => "hook",
        }
    }
}

/// The `activation` block. Empty lists mean absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activation {
    /// The only field that starts a plugin with the gateway on its own (MAN-168).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_startup: Option<bool>,
    /// Provider ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_providers: Vec<String>,
    /// Agent harness runtimes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_agent_harnesses: Vec<String>,
    /// Command names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_commands: Vec<String>,
    /// Channel ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_channels: Vec<String>,
    /// HTTP route paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_routes: Vec<String>,
    /// Dotted config paths (MAN-177).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_config_paths: Vec<String>,
    /// Capabilities (MAN-171).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_capabilities: Vec<ActivationCapability>,
}

impl Activation {
    pub(crate) fn read(value: Option<&Value>) -> Self {
        let Some(block) = record(value) else {
            return Self::default();
        };
        let at = |key: &str| block.get(key);
        Self {
            on_startup: boolean(at("onStartup")),
            on_providers: strings(at("onProviders")),
            on_agent_harnesses: strings(at("onAgentHarnesses")),
            on_commands: strings(at("onCommands")),
            on_channels: strings(at("onChannels")),
            on_routes: strings(at("onRoutes")),
            on_config_paths: strings(at("onConfigPaths")),
            on_capabilities: strings(at("onCapabilities")).iter().filter_map(|text| ActivationCapability::parse(text)).collect(),
        }
    }

    /// The names of the hint lists that are not empty, `onStartup` left out.
    pub fn hint_names(&self) -> Vec<&'static str> {
        [
            ("onProviders", self.on_providers.is_empty()),
            ("onAgentHarnesses", self.on_agent_harnesses.is_empty()),
            ("onCommands", self.on_commands.is_empty()),
            ("onChannels", self.on_channels.is_empty()),
            ("onRoutes", self.on_routes.is_empty()),
            ("onConfigPaths", self.on_config_paths.is_empty()),
            ("onCapabilities", self.on_capabilities.is_empty()),
        ]
        .into_iter()
        .filter_map(|(name, empty)| (!empty).then_some(name))
        .collect()
    }

    /// True when `onCapabilities` names `capability`.
    pub fn has_capability(&self, capability: ActivationCapability) -> bool {
        self.on_capabilities.contains(&capability)
    }
}
