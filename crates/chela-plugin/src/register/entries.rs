//! What consumers read from the registry: one type per kind of registration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chela_manifest::CapabilityMetadata;
use chela_models::ModelTransport;
use serde::Serialize;
use serde_json::Value;

use crate::call::Callback;
use crate::hook::HookName;
use crate::object::PluginObject;

/// The plugin behind a registration.
#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    /// Manifest id.
    pub id: Arc<str>,
    /// Display name.
    pub name: Option<String>,
    /// Entry file, for messages.
    pub source: String,
    /// The plugin's directory.
    pub root_dir: Option<PathBuf>,
    /// Ships with the host.
    pub bundled: bool,
}

/// Where a registered tool comes from.
#[derive(Clone, Debug)]
pub enum ToolSource {
    /// A tool object (API-107): its members without functions are in `descriptor`.
    Object {
        /// `name`, `label?`, `description`, `parameters`, `ownerOnly?`, `displaySummary?`.
        descriptor: Value,
        /// `execute`; absent when the object is malformed, which is reported when tools are built (API-112).
        execute: Option<Callback>,
    },
    /// A factory of tools, called with a context for each resolution (API-108).
    Factory(Callback),
}

/// `registerTool` (API-036).
#[derive(Clone, Debug)]
pub struct ToolEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Object or factory.
    pub source: ToolSource,
    /// Names given at registration; empty for a factory that names its tools only when it runs (API-111).
    pub names: Vec<String>,
    /// `contracts.tools` of the manifest.
    pub declared: Vec<String>,
    /// The `optional` option (API-115).
    pub optional: bool,
    /// Tools that the manifest marks as optional.
    pub optional_names: BTreeSet<String>,
    /// Tools that are there only under conditions, from `toolMetadata` of the manifest (API-118).
    pub conditions: BTreeMap<String, CapabilityMetadata>,
}

impl ToolEntry {
    /// True when a tool of this entry must be allowed by name (API-115).
    pub fn is_optional(&self, tool: &str) -> bool {
        self.optional || self.optional_names.contains(tool)
    }
}

/// `on` (API-098).
#[derive(Clone, Debug)]
pub struct TypedHook {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The hook.
    pub hook: HookName,
    /// The handler.
    pub callback: Callback,
    /// Descending order of calls; missing is 0 (HOOK-088).
    pub priority: f64,
    /// What the handler may take (HOOK-094).
    pub budget: Duration,
    /// Prompt fields are removed from its result (HOOK-126).
    pub strip_prompt_fields: bool,
    /// `inbound_claim` with `{allMessages: true}`: asked about every inbound message, not only those of bound conversations (HOOK-299).
    pub all_messages: bool,
}

/// `registerHook` (API-037, HOOK-292).
#[derive(Clone, Debug)]
pub struct InternalHook {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Unique name.
    pub name: String,
    /// Description for lists.
    pub description: String,
    /// `type` or `type:action`, in the order given.
    pub events: Vec<String>,
    /// The handler.
    pub callback: Callback,
    /// False when the plugin asked to be listed only (`register: false`) or the bus is off (HOOK-288).
    pub active: bool,
    /// The plugin's config, given to the handler (HOOK-115).
    pub plugin_config: Value,
}

/// `registerService` (API-065).
#[derive(Clone, Debug)]
pub struct ServiceEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Unique id.
    pub id: String,
    /// `start(ctx)`; absent when the object has none.
    pub start: Option<Callback>,
    /// `stop(ctx)`.
    pub stop: Option<Callback>,
}

/// A registered text provider (API-041).
#[derive(Clone)]
pub struct ProviderEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Unique id.
    pub id: String,
    /// Display label (API-195).
    pub label: String,
    /// Other ids that mean this provider.
    pub aliases: Vec<String>,
    /// Environment variables with its credentials.
    pub env_vars: Vec<String>,
    /// The normalised provider object; functions are handles of [`ProviderEntry::callback`].
    pub provider: Value,
    /// The Rust transport, when the plugin brought one.
    pub transport: Option<Arc<dyn ModelTransport>>,
    /// Any function of the plugin, as the base of [`ProviderEntry::function`].
    pub target: Arc<dyn crate::call::CallTarget>,
}

impl ProviderEntry {
    /// The function at a JSON pointer of the provider object, such as `/catalog/run`.
    pub fn function(&self, pointer: &str) -> Option<Callback> {
        let handle = crate::value::function_handle(self.provider.pointer(pointer)?)?;
        Some(Callback { plugin_id: self.owner.id.clone(), target: self.target.clone(), handle })
    }
}

impl fmt::Debug for ProviderEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderEntry").field("id", &self.id).field("native", &self.transport.is_some()).finish_non_exhaustive()
    }
}

/// Where rows of a model catalog come from.
#[derive(Clone, Debug)]
pub enum CatalogSource {
    /// `staticCatalog(ctx)` or `liveCatalog(ctx)`, which return rows.
    Rows(Callback),
    /// `catalog.run(ctx)` of a text provider: its result becomes rows through [`text_rows`] (API-198).
    Provider(Callback),
    /// Rows known at registration (API-050..052).
    Fixed(Vec<Value>),
}

/// `registerModelCatalogProvider` (API-042).
#[derive(Clone, Debug)]
pub struct ModelCatalog {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Provider id of its rows.
    pub provider: String,
    /// `text`, `image_generation`, ...
    pub kinds: Vec<String>,
    /// Rows that need no network.
    pub static_rows: Option<CatalogSource>,
    /// Rows asked from the vendor.
    pub live_rows: Option<CatalogSource>,
}

/// Rows of a text provider's catalog result `{provider: {models}}` or `{providers: {id: {models}}}`; `source` is `static` or `live`
/// (API-198).
pub fn text_rows(provider_id: &str, result: &Value, source: &str) -> Vec<Value> {
    let row = |provider: &str, model: &Value| {
        let id = model.get("id")?.as_str()?;
        let mut row = serde_json::json!({ "kind": "text", "provider": provider, "model": id });
        if let Some(label) = model.get("name").and_then(Value::as_str).filter(|n| !n.is_empty()) {
            row["label"] = label.into();
        }
        row["source"] = source.into();
        Some(row)
    };
    let models = |config: &Value| config.get("models").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(one) = result.get("provider") {
        return models(one).iter().filter_map(|m| row(provider_id, m)).collect();
    }
    let many = result.get("providers").and_then(Value::as_object);
    many.into_iter().flatten().flat_map(|(id, config)| models(config).iter().filter_map(|m| row(id, m)).collect::<Vec<_>>()).collect()
}

/// `registerSessionExtension` (API-076, HOOK-256..261).
#[derive(Clone, Debug)]
pub struct SessionExtension {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Key below `pluginExtensions.<pluginId>`.
    pub namespace: String,
    /// Description for lists.
    pub description: String,
    /// `project(ctx)`.
    pub project: Option<Callback>,
    /// `cleanup(ctx)`.
    pub cleanup: Option<Callback>,
    /// Field of the session row that mirrors the projected value (HOOK-261).
    pub slot_key: Option<String>,
    /// Schema of that field.
    pub slot_schema: Option<Value>,
}

/// `registerRuntimeLifecycle` (API-078).
#[derive(Clone, Debug)]
pub struct RuntimeLifecycle {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Id, unique within the plugin.
    pub id: String,
    /// Description for lists.
    pub description: Option<String>,
    /// `cleanup({reason, sessionKey?, runId?})`.
    pub cleanup: Option<Callback>,
}

/// `registerAgentEventSubscription` (API-079, API-205).
#[derive(Clone, Debug)]
pub struct AgentEventSubscription {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Id, unique within the plugin.
    pub id: String,
    /// Streams it wants; `None` means all.
    pub streams: Option<Vec<String>>,
    /// `handle(event, ctx)`.
    pub handle: Callback,
}

/// `registerSessionSchedulerJob` (API-080, API-206).
#[derive(Clone, Debug)]
pub struct SchedulerJob {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Id, unique within the plugin.
    pub id: String,
    /// The session it belongs to.
    pub session_key: String,
    /// The plugin's own kind.
    pub kind: String,
    /// `cleanup(ctx)`.
    pub cleanup: Option<Callback>,
}

/// `registerSessionAction` (API-081, API-207).
#[derive(Clone, Debug)]
pub struct SessionAction {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Id, unique within the plugin.
    pub id: String,
    /// Description for lists.
    pub description: Option<String>,
    /// Schema of the payload; compiles.
    pub schema: Option<Value>,
    /// Scopes that a caller needs; `None` means `operator.write`.
    pub required_scopes: Option<Vec<String>>,
    /// `handler(ctx)`.
    pub handler: Callback,
}

/// `registerControlUiDescriptor` (API-077).
#[derive(Clone, Debug)]
pub struct UiDescriptor {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Id, unique within the plugin.
    pub id: String,
    /// The normalised descriptor.
    pub descriptor: Value,
}

/// `registerTrustedToolPolicy` (API-074, HOOK-172..175).
#[derive(Clone, Debug)]
pub struct TrustedPolicy {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Unique id.
    pub id: String,
    /// Description for lists.
    pub description: String,
    /// `evaluate(event, ctx)`.
    pub evaluate: Callback,
}

/// `registerToolMetadata` (API-075, API-126).
#[derive(Clone, Debug)]
pub struct ToolMetadataEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The tool, one of the plugin's own.
    pub tool: String,
    /// The normalised metadata: `displayName?`, `description?`, `risk?`, `tags?`.
    pub metadata: Value,
}

/// `registerAgentToolResultMiddleware` (API-072, API-129).
#[derive(Clone, Debug)]
pub struct ToolResultMiddleware {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Runtimes it serves: `pi`, `codex`.
    pub runtimes: Vec<String>,
    /// `handler(event, ctx)`.
    pub handler: Callback,
}

/// `registerSecurityAuditCollector` (API-064).
#[derive(Clone, Debug)]
pub struct AuditCollector {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// `collector(ctx)` returning findings.
    pub collector: Callback,
}

/// The memory capability of one plugin (API-083..086, API-237..239).
#[derive(Clone, Debug)]
pub struct MemoryCapability {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// `promptBuilder({availableTools, citationsMode?})`.
    pub prompt_builder: Option<Callback>,
    /// `flushPlanResolver(...)`.
    pub flush_plan_resolver: Option<Callback>,
    /// The runtime object.
    pub runtime: Option<PluginObject>,
    /// The public artifacts object.
    pub public_artifacts: Option<PluginObject>,
}

/// `registerMemoryPromptSupplement` (API-087).
#[derive(Clone, Debug)]
pub struct MemoryPromptSupplement {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The builder.
    pub builder: Callback,
}

/// A registration that is carried as it came: nothing typed consumes it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The method, such as `registerSpeechProvider`.
    pub method: String,
    /// Its id, or an empty text for methods without one.
    pub id: String,
    /// The arguments as given; functions are handles.
    pub args: Vec<Value>,
    /// The plugin's functions among the arguments.
    pub callbacks: Vec<Callback>,
    /// Only the setup surface counts (API-026).
    pub setup_only: bool,
    /// Runs the plugin's functions.
    pub target: Arc<dyn crate::call::CallTarget>,
}

impl Recorded {
    /// The argument at a position, as an object with functions.
    pub fn object(&self, at: usize) -> PluginObject {
        let value = self.args.get(at).cloned().unwrap_or_default();
        PluginObject::new(self.owner.clone(), self.target.clone(), value)
    }
}

/// A registration that nothing consumes yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotConsumed {
    /// The plugin.
    pub plugin_id: String,
    /// The method, or `method.member` for a part of a registration.
    pub method: String,
    /// Its id, or an empty text.
    pub id: String,
    /// What would use it, where that is one known thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// A compatibility notice (INS-326).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The plugin.
    pub plugin_id: String,
    /// What was found.
    pub code: String,
    /// The matching entry of the compatibility table.
    pub compat_code: String,
    /// `info` or `warn`.
    pub severity: &'static str,
    /// Text that follows the plugin's id.
    pub message: String,
}
