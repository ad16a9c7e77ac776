//! The registry: everything that all plugins registered, immutable and typed.
//!
//! Consumers hold it in an `Arc` and look things up; a change of plugins builds a new one (HOOK-117). What it holds and nothing
//! consumes yet is reported by [`Registry::not_consumed`].

mod tool_names;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use tool_names::{ToolFilter, ToolNames, normalised_tool_name};

use crate::call::CallTarget;
use crate::diagnostic::Diagnostic;
use crate::hook::HookName;
use crate::lane::{Definition, LinkReport, PluginControl, StartPhase};
use crate::register::entries::{
    AgentEventSubscription, AuditCollector, InternalHook, MemoryCapability, MemoryPromptSupplement, ModelCatalog, NotConsumed, Notice,
    Owner, ProviderEntry, Recorded, RuntimeLifecycle, SchedulerJob, ServiceEntry, SessionAction, SessionExtension, ToolEntry,
    ToolMetadataEntry, ToolResultMiddleware, TrustedPolicy, TypedHook, UiDescriptor,
};
use crate::register::{CliEntry, CommandMatch, Commands, GatewayMethod, HttpRoutes, PluginFacts, TextTransforms};

/// Registration methods whose entries the host uses today. Everything else is recorded only and reported as such; a consumer that
/// starts to use more adds its method here.
pub const CONSUMED_METHODS: &[&str] = &[
    "on",
    "registerHook",
    "registerTool",
    "registerChannel",
    "registerInteractiveHandler",
    "onConversationBindingResolved",
    "registerToolMetadata",
    "registerCommand",
    "registerService",
    "registerHttpRoute",
    "registerHttpHandler",
    "registerGatewayMethod",
    "registerCli",
    "registerNodeCliFeature",
    "registerProvider",
    "registerModelCatalogProvider",
    "registerSessionExtension",
    "registerRuntimeLifecycle",
    "registerSessionSchedulerJob",
    "registerAgentEventSubscription",
    "registerSessionAction",
    "registerControlUiDescriptor",
    "registerTrustedToolPolicy",
    "registerAgentToolResultMiddleware",
    "registerTextTransforms",
    "registerImageGenerationProvider",
    "registerVideoGenerationProvider",
    "registerMusicGenerationProvider",
    "registerSpeechProvider",
    "registerRealtimeTranscriptionProvider",
    "registerRealtimeVoiceProvider",
    "registerMediaUnderstandingProvider",
    "registerTranscriptSourceProvider",
    "registerWebSearchProvider",
    "registerWebFetchProvider",
    "registerAgentHarness",
    "registerCliBackend",
    "registerMigrationProvider",
    "registerContextEngine",
    "registerCompactionProvider",
    "registerMemoryCapability",
    "registerMemoryPromptSupplement",
    "registerMemoryCorpusSupplement",
    "registerMemoryEmbeddingProvider",
    "registerEmbeddingProvider",
    "registerDetachedTaskRuntime",
    "registerReload",
    "registerGatewayDiscoveryService",
    "registerNodeInvokePolicy",
    "registerHostedMediaResolver",
    "registerSecurityAuditCollector",
];

/// Why a registration is recorded only, where one thing would use it.
const UNUSED_BECAUSE: &[(&str, &str)] = &[
    ("registerNodeHostCommand", "its handler runs on a node host, which is not built; what it says about danger holds for `node.invoke`"),
    (
        "registerCodexAppServerExtensionFactory",
        "it needs the `codex` harness, which runs the Codex app server and is not part of this program",
    ),
    // API-255
    ("registerConfigMigration", "migrations are taken from the setup entry (`openclaw.setupEntry`), which `doctor` runs"),
    ("registerAutoEnableProbe", "probes are taken from the setup entry (`openclaw.setupEntry`), which `doctor` runs"),
];

/// Functions of a registered text provider that something calls.
pub const CONSUMED_PROVIDER_HOOKS: &[&str] = &[
    "normalizeModelId",
    "prepareDynamicModel",
    "resolveDynamicModel",
    "normalizeResolvedModel",
    "contributeResolvedModelCompat",
    "normalizeTransport",
    "prepareExtraParams",
    "resolveTransportTurnState",
    "resolveSyntheticAuth",
    "prepareRuntimeAuth",
    "buildMissingAuthMessage",
    "buildUnknownModelHint",
    "matchesContextOverflowError",
    "classifyFailoverReason",
    "resolveThinkingProfile",
    "resolveDefaultThinkingLevel",
    "isBinaryThinking",
    "supportsXHighThinking",
];

/// Why a plugin is not loaded (INS-327).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub phase: StartPhase,
    /// What happened.
    pub message: String,
}

/// One plugin of the registry.
#[derive(Debug)]
pub struct PluginEntry {
    /// Identity.
    pub owner: Arc<Owner>,
    /// What the control plane knew.
    pub facts: PluginFacts,
    /// Effective display name: the export wins (API-006).
    pub name: Option<String>,
    /// Effective version.
    pub version: Option<String>,
    /// Effective description.
    pub description: Option<String>,
    /// Effective kinds (API-007).
    pub kinds: Vec<String>,
    /// Set when it failed; none of its registrations are present then.
    pub failure: Option<Failure>,
    /// What its module exported.
    pub definition: Definition,
    /// What the linker had to make up.
    pub link_report: LinkReport,
    /// Runs its functions; absent when it never started.
    pub target: Option<Arc<dyn CallTarget>>,
    /// Stops and describes its worker.
    pub control: Option<Arc<dyn PluginControl>>,
    /// Time that load and `register` took.
    pub duration: Option<Duration>,
}

impl PluginEntry {
    pub(crate) fn loaded(owner: Arc<Owner>, facts: PluginFacts, kinds: Vec<String>) -> Self {
        Self {
            owner,
            name: facts.name.clone(),
            version: facts.version.clone(),
            description: facts.description.clone(),
            facts,
            kinds,
            failure: None,
            definition: Definition::default(),
            link_report: LinkReport::default(),
            target: None,
            control: None,
            duration: None,
        }
    }
}

/// Everything that all plugins registered.
#[derive(Debug, Default)]
pub struct Registry {
    /// Plugins in load order, failed ones included.
    pub plugins: Vec<PluginEntry>,
    /// Tools and tool factories in registration order.
    pub tools: Vec<ToolEntry>,
    /// Typed hooks in registration order; see [`Registry::hooks`] for dispatch order.
    pub typed_hooks: Vec<TypedHook>,
    /// `registerHook` handlers in registration order.
    pub internal_hooks: Vec<InternalHook>,
    /// Chat commands.
    pub commands: Commands,
    /// Services in start order (API-185).
    pub services: Vec<ServiceEntry>,
    /// HTTP routes.
    pub routes: HttpRoutes,
    /// Gateway methods.
    pub gateway_methods: Vec<GatewayMethod>,
    /// CLI registrars.
    pub cli: Vec<CliEntry>,
    /// Text providers.
    pub providers: Vec<ProviderEntry>,
    /// Model catalogs, synthesised ones included.
    pub model_catalogs: Vec<ModelCatalog>,
    /// Session extensions.
    pub session_extensions: Vec<SessionExtension>,
    /// Runtime lifecycles.
    pub lifecycles: Vec<RuntimeLifecycle>,
    /// Agent event subscriptions.
    pub event_subscriptions: Vec<AgentEventSubscription>,
    /// Session scheduler jobs.
    pub scheduler_jobs: Vec<SchedulerJob>,
    /// Session actions.
    pub session_actions: Vec<SessionAction>,
    /// Descriptors of the control page.
    pub ui_descriptors: Vec<UiDescriptor>,
    /// Trusted tool policies in evaluation order (HOOK-160).
    pub trusted_policies: Vec<TrustedPolicy>,
    /// Tool metadata.
    pub tool_metadata: Vec<ToolMetadataEntry>,
    /// Tool result middleware.
    pub middleware: Vec<ToolResultMiddleware>,
    /// Security audit collectors.
    pub audit_collectors: Vec<AuditCollector>,
    /// Memory capabilities by plugin, in the order of their first registration.
    pub memory_capabilities: Vec<MemoryCapability>,
    /// Memory prompt supplements, one per plugin.
    pub memory_prompt_supplements: Vec<MemoryPromptSupplement>,
    /// Replacements in the texts of model calls, in registration order.
    pub text_transforms: Vec<TextTransforms>,
    /// Everything else, carried as it came.
    pub recorded: Vec<Recorded>,
    /// Diagnostics in the order in which they arose.
    pub diagnostics: Vec<Diagnostic>,
    /// Compatibility notices.
    pub notices: Vec<Notice>,
    pub(crate) strict: bool,
    pub(crate) core_tool_names: BTreeSet<String>,
    pub(crate) by_hook: Vec<Vec<usize>>,
    pub(crate) by_method: HashMap<String, usize>,
}

impl Registry {
    /// The handlers of a hook in dispatch order: descending priority over all plugins, ties in registration order (HOOK-088..092).
    pub fn hooks(&self, hook: HookName) -> impl Iterator<Item = &TypedHook> {
        self.by_hook.get(hook.index()).into_iter().flatten().filter_map(|i| self.typed_hooks.get(*i))
    }

    /// A plugin by id.
    pub fn plugin(&self, id: &str) -> Option<&PluginEntry> {
        self.plugins.iter().find(|p| p.owner.id.as_ref() == id)
    }

    /// The gateway method of this name (API-058).
    pub fn gateway_method(&self, name: &str) -> Option<&GatewayMethod> {
        self.gateway_methods.get(*self.by_method.get(name)?)
    }

    /// The plugin command that a chat text invokes (API-137, API-138).
    pub fn match_command(&self, text: &str, channel: Option<&str>) -> Option<CommandMatch<'_>> {
        self.commands.match_command(text, channel)
    }

    /// The text provider with this id or alias; ids win.
    pub fn provider(&self, id: &str) -> Option<&ProviderEntry> {
        let by_alias = || self.providers.iter().find(|p| p.aliases.iter().any(|a| a == id));
        self.providers.iter().find(|p| p.id == id).or_else(by_alias)
    }

    /// The registrar that owns the command path, such as `["nodes", "canvas"]` (API-182).
    pub fn cli_command(&self, path: &[&str]) -> Option<&CliEntry> {
        let (command, parent) = path.split_last()?;
        self.cli.iter().find(|e| e.parent_path == parent && e.commands.iter().any(|c| c == command))
    }

    /// The recorded registrations of one method.
    pub fn recorded_of<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Recorded> {
        self.recorded.iter().filter(move |r| r.method == method)
    }

    /// The memory capability in force: the last one registered (API-083).
    pub fn memory_capability(&self) -> Option<&MemoryCapability> {
        self.memory_capabilities.last()
    }

    /// True when what older references ran is refused (`plugins.compat.strict`).
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// A fresh check of tool names for one resolution of tools (API-111..114).
    pub fn tool_names(&self) -> ToolNames {
        ToolNames::new(self.core_tool_names.iter().map(String::as_str), self.strict)
    }

    /// What was registered and nothing consumes, in load order of the plugins.
    pub fn not_consumed(&self) -> Vec<NotConsumed> {
        let reason = |method: &str| UNUSED_BECAUSE.iter().find(|(name, _)| *name == method).map(|(_, reason)| *reason);
        let row = |owner: &Owner, method: &str, id: &str| NotConsumed {
            plugin_id: owner.id.to_string(),
            method: method.into(),
            id: id.into(),
            reason: reason(method),
        };
        let mut rows: Vec<NotConsumed> = Vec::new();
        rows.extend(self.recorded.iter().map(|r| row(&r.owner, &r.method, &r.id)));
        for provider in &self.providers {
            let hooks = provider.provider.as_object().into_iter().flatten();
            let unused = hooks.filter(|(name, value)| {
                crate::value::function_handle(value).is_some() && !CONSUMED_PROVIDER_HOOKS.contains(&name.as_str())
            });
            rows.extend(unused.map(|(name, _)| row(&provider.owner, &format!("registerProvider.{name}"), &provider.id)));
        }
        rows.retain(|r| !CONSUMED_METHODS.contains(&r.method.as_str()));
        let mut silent: Vec<(&str, HookName)> =
            self.typed_hooks.iter().filter(|h| !h.hook.is_emitted()).map(|h| (h.owner.id.as_ref(), h.hook)).collect();
        silent.sort_unstable();
        silent.dedup();
        rows.extend(silent.into_iter().map(|(plugin, hook)| NotConsumed {
            plugin_id: plugin.into(),
            method: "on".into(),
            id: format!("{hook} (nothing emits it yet)"),
            reason: None,
        }));
        let position = |id: &str| self.plugins.iter().position(|p| p.owner.id.as_ref() == id);
        rows.sort_by_key(|r| position(&r.plugin_id));
        rows
    }

    /// Sorts hooks and indexes lookups; called once, at the end of the build.
    pub(crate) fn index(&mut self) {
        let mut by_hook: Vec<Vec<usize>> = vec![Vec::new(); HookName::ALL.len()];
        for (index, hook) in self.typed_hooks.iter().enumerate() {
            by_hook[hook.hook.index()].push(index);
        }
        for handlers in &mut by_hook {
            handlers.sort_by(|a, b| self.typed_hooks[*b].priority.total_cmp(&self.typed_hooks[*a].priority));
        }
        self.by_hook = by_hook;
        self.by_method = self.gateway_methods.iter().enumerate().map(|(i, m)| (m.name.clone(), i)).collect();
    }

    /// Takes everything of a failed plugin away again, its diagnostics excepted (API-009, API-241).
    pub(crate) fn remove_registrations(&mut self, plugin_id: &str) {
        let keeps = |owner: &Owner| owner.id.as_ref() != plugin_id;
        self.tools.retain(|e| keeps(&e.owner));
        self.typed_hooks.retain(|e| keeps(&e.owner));
        self.internal_hooks.retain(|e| keeps(&e.owner));
        self.commands.remove(plugin_id);
        self.services.retain(|e| keeps(&e.owner));
        self.routes.remove(plugin_id);
        self.gateway_methods.retain(|e| keeps(&e.owner));
        self.cli.retain(|e| keeps(&e.owner));
        self.providers.retain(|e| keeps(&e.owner));
        self.model_catalogs.retain(|e| keeps(&e.owner));
        self.session_extensions.retain(|e| keeps(&e.owner));
        self.lifecycles.retain(|e| keeps(&e.owner));
        self.event_subscriptions.retain(|e| keeps(&e.owner));
        self.scheduler_jobs.retain(|e| keeps(&e.owner));
        self.session_actions.retain(|e| keeps(&e.owner));
        self.ui_descriptors.retain(|e| keeps(&e.owner));
        self.trusted_policies.retain(|e| keeps(&e.owner));
        self.tool_metadata.retain(|e| keeps(&e.owner));
        self.middleware.retain(|e| keeps(&e.owner));
        self.audit_collectors.retain(|e| keeps(&e.owner));
        self.memory_capabilities.retain(|e| keeps(&e.owner));
        self.memory_prompt_supplements.retain(|e| keeps(&e.owner));
        self.text_transforms.retain(|e| keeps(&e.owner));
        self.recorded.retain(|e| keeps(&e.owner));
        self.notices.retain(|n| n.plugin_id != plugin_id);
    }
}
