//! The normalised manifest: what every other part reads instead of raw JSON.

pub mod activation;
pub mod auth;
pub mod capability;
pub mod channels;
pub mod compat;
pub mod config_contracts;
pub mod contracts;
pub mod models;
pub mod models_misc;
pub mod notices;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::normalise::{records, string, string_list_map, string_map, strings, strings_in};
use activation::Activation;
use auth::{AuthChoice, Setup};
use capability::ToolMetadata;
use channels::ChannelConfig;
use config_contracts::ConfigContracts;
use contracts::Contracts;
use models::ModelSupport;

use crate::permissions::Permissions;

/// Platform names that `enabledByDefaultOnPlatforms` keeps (MAN-035).
const PLATFORMS: [&str; 11] = ["aix", "android", "darwin", "freebsd", "haiku", "linux", "openbsd", "sunos", "win32", "cygwin", "netbsd"];

/// A parsed `openclaw.plugin.json`.
///
/// Lists keep order and duplicates as written (MAN-246); empty means absent. Blocks that only few
/// readers need (model catalogue, pricing, endpoints, media metadata, UI hints, schema) are read
/// from [`Manifest::raw`] by methods when asked for, so that a cold scan does not pay for them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    /// Plugin id as written, trimmed (MAN-022, MAN-023).
    pub id: String,
    /// Display name (MAN-026).
    pub name: Option<String>,
    /// One-line description (MAN-027).
    pub description: Option<String>,
    /// Informational version (MAN-028).
    pub version: Option<String>,
    /// Only a literal `true` counts (MAN-033); has effect for bundled plugins alone (MAN-034).
    pub enabled_by_default: bool,
    /// Platforms on which a bundled plugin is on by default (MAN-035).
    pub enabled_by_default_on_platforms: Vec<String>,
    /// Provider ids whose configuration enables this plugin (MAN-037).
    pub auto_enable_when_configured_providers: Vec<String>,
    /// Old ids that resolve to this one (MAN-031).
    pub legacy_plugin_ids: Vec<String>,
    /// Kinds as written; only `memory` and `context-engine` have meaning (MAN-038, MAN-039).
    pub kind: Vec<String>,
    /// Channel ids owned (MAN-076).
    pub channels: Vec<String>,
    /// Provider ids owned (MAN-080).
    pub providers: Vec<String>,
    /// CLI inference backend ids owned (MAN-081).
    pub cli_backends: Vec<String>,
    /// Refs probed for plugin-made auth (MAN-082).
    pub synthetic_auth_refs: Vec<String>,
    /// Placeholder key values that are not secrets (MAN-083).
    pub non_secret_auth_markers: Vec<String>,
    /// Skill directories relative to the root (MAN-084).
    pub skills: Vec<String>,
    /// Module with a static provider catalogue; the legacy name is used only when the new one is
    /// absent (MAN-090).
    pub provider_catalog_entry: Option<String>,
    /// Command aliases (MAN-092, MAN-093).
    pub command_aliases: Vec<CommandAlias>,
    /// QA runners (MAN-095).
    pub qa_runners: Vec<QaRunner>,
    /// Capability contracts (MAN-096, MAN-097).
    pub contracts: Contracts,
    /// Activation hints (MAN-168..MAN-171).
    pub activation: Activation,
    /// Setup descriptors (MAN-160..MAN-165).
    pub setup: Option<Setup>,
    /// Deprecated provider environment variables (MAN-146).
    pub provider_auth_env_vars: BTreeMap<String, Vec<String>>,
    /// Provider id to the id whose auth it shares (MAN-150).
    pub provider_auth_aliases: BTreeMap<String, String>,
    /// Environment variables of channels (MAN-151).
    pub channel_env_vars: BTreeMap<String, Vec<String>>,
    /// Onboarding choices (MAN-153..MAN-159).
    pub provider_auth_choices: Vec<AuthChoice>,
    /// Metadata per tool (MAN-116).
    pub tool_metadata: BTreeMap<String, ToolMetadata>,
    /// Model id prefixes and patterns (MAN-118, MAN-119).
    pub model_support: Option<ModelSupport>,
    /// Channel schemas and labels (MAN-180..MAN-184).
    pub channel_configs: BTreeMap<String, ChannelConfig>,
    /// Config paths with special meaning (MAN-188..MAN-190).
    pub config_contracts: Option<ConfigContracts>,
    /// What the plugin asks for (`permissions`, ours); a request, never a grant.
    pub permissions: Option<Permissions>,
    /// The object as written, every key included.
    pub raw: Map<String, Value>,
}

/// A command name that a plugin answers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandAlias {
    /// The name users type.
    pub name: String,
    /// `runtime-slash` when the alias exists at run time only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The command-line command behind the alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cli_command: Option<String>,
}

/// A QA runner command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QaRunner {
    /// Command name.
    pub command_name: String,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What `setup.requiresRuntime` asks for (MAN-165).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupRuntime {
    /// `false`: setup code must not run.
    Forbidden,
    /// `true`: setup code is wanted.
    Wanted,
    /// Absent: setup code may run.
    Fallback,
}

impl Manifest {
    pub(crate) fn from_raw(id: String, raw: Map<String, Value>) -> Self {
        let at = |key: &str| raw.get(key);
        Self {
            id,
            name: string(at("name")),
            description: string(at("description")),
            version: string(at("version")),
            enabled_by_default: at("enabledByDefault") == Some(&Value::Bool(true)),
            enabled_by_default_on_platforms: strings_in(at("enabledByDefaultOnPlatforms"), &PLATFORMS),
            auto_enable_when_configured_providers: strings(at("autoEnableWhenConfiguredProviders")),
            legacy_plugin_ids: strings(at("legacyPluginIds")),
            kind: kinds(at("kind")),
            channels: strings(at("channels")),
            providers: strings(at("providers")),
            cli_backends: strings(at("cliBackends")),
            synthetic_auth_refs: strings(at("syntheticAuthRefs")),
            non_secret_auth_markers: strings(at("nonSecretAuthMarkers")),
            skills: strings(at("skills")),
            provider_catalog_entry: string(at("providerCatalogEntry")).or_else(|| string(at("providerDiscoveryEntry"))),
            command_aliases: command_aliases(at("commandAliases")),
            qa_runners: qa_runners(at("qaRunners")),
            contracts: Contracts::read(at("contracts")),
            activation: Activation::read(at("activation")),
            setup: auth::read_setup(at("setup")),
            provider_auth_env_vars: string_list_map(at("providerAuthEnvVars")),
            provider_auth_aliases: string_map(at("providerAuthAliases")),
            channel_env_vars: string_list_map(at("channelEnvVars")),
            provider_auth_choices: auth::read_choices(at("providerAuthChoices")),
            tool_metadata: capability::read_tools(at("toolMetadata")),
            model_support: models::read_support(at("modelSupport")),
            channel_configs: channels::read(at("channelConfigs")),
            config_contracts: config_contracts::read(at("configContracts")),
            permissions: at("permissions").map(|value| Permissions::read(value).0),
            raw,
        }
    }

    /// The schema of `plugins.entries.<id>.config`, as written (MAN-043, MAN-045).
    pub fn config_schema(&self) -> &Value {
        self.raw.get("configSchema").unwrap_or(&Value::Null)
    }

    /// UI hints as written; an array or scalar is dropped (MAN-071).
    pub fn ui_hints(&self) -> Option<&Value> {
        self.raw.get("uiHints").filter(|value| value.is_object())
    }

    /// `kind` in the shape that JSON output uses: a string, or an array of several (MAN-038).
    pub fn kind_json(&self) -> Option<Value> {
        match self.kind.as_slice() {
            [] => None,
            [one] => Some(Value::from(one.as_str())),
            many => Some(Value::from(many.to_vec())),
        }
    }

    /// True when `kind` names `kind`.
    pub fn has_kind(&self, kind: &str) -> bool {
        self.kind.iter().any(|entry| entry == kind)
    }

    /// True when a bundled plugin of this manifest is on by default on `platform` (MAN-036).
    pub fn is_default_on(&self, platform: &str) -> bool {
        self.enabled_by_default || self.enabled_by_default_on_platforms.iter().any(|entry| entry == platform)
    }

    /// What the manifest says about running setup code (MAN-165).
    pub fn setup_runtime(&self) -> SetupRuntime {
        match self.setup.as_ref().and_then(|setup| setup.requires_runtime) {
            Some(true) => SetupRuntime::Wanted,
            Some(false) => SetupRuntime::Forbidden,
            None => SetupRuntime::Fallback,
        }
    }
}

/// A string, or a non-empty array of strings; not trimmed, any text is accepted (MAN-038, MAN-039).
fn kinds(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(kind)) if !kind.is_empty() => vec![kind.clone()],
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn command_aliases(value: Option<&Value>) -> Vec<CommandAlias> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(command_alias).collect()
}

fn command_alias(item: &Value) -> Option<CommandAlias> {
    if item.is_string() {
        return Some(CommandAlias { name: string(Some(item))?, ..CommandAlias::default() });
    }
    let item = item.as_object()?;
    Some(CommandAlias {
        name: string(item.get("name"))?,
        kind: (item.get("kind").and_then(Value::as_str) == Some("runtime-slash")).then(|| "runtime-slash".to_owned()),
        cli_command: string(item.get("cliCommand")),
    })
}

fn qa_runners(value: Option<&Value>) -> Vec<QaRunner> {
    records(value)
        .filter_map(|item| Some(QaRunner { command_name: string(item.get("commandName"))?, description: string(item.get("description")) }))
        .collect()
}
