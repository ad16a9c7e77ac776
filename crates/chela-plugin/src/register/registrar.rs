//! Applies the registrations of one plugin: which method goes where, and in which load modes it works at all.

use std::sync::Arc;

use serde_json::Value;

use crate::call::{CallTarget, Callback};
use crate::diagnostic::{Diagnostic, Level};
use crate::lane::{Registration, RegistrationMode};
use crate::register::entries::{Notice, Owner, Recorded};
use crate::register::facts::{HookPolicy, PluginFacts};
use crate::register::{RegistryInputs, read};
use crate::registry::{PluginEntry, Registry};
use crate::value::{collect_handles, function_handle};

/// A registration that must fail the plugin, with the text it would have thrown (API-037, API-083..086).
pub(super) type Thrown = String;

/// The stand-in for an absent argument.
static ABSENT: Value = Value::Null;

/// Writes one plugin's registrations into the registry.
pub(super) struct Registrar<'a> {
    pub(super) registry: &'a mut Registry,
    pub(super) inputs: &'a RegistryInputs,
    pub(super) facts: &'a PluginFacts,
    pub(super) kinds: &'a [String],
    pub(super) policy: HookPolicy,
    pub(super) owner: Arc<Owner>,
    pub(super) target: Arc<dyn CallTarget>,
    /// Set when one of its channels belongs to another plugin (API-193).
    pub(super) channel_conflict: bool,
}

impl<'a> Registrar<'a> {
    pub(super) fn new(registry: &'a mut Registry, inputs: &'a RegistryInputs, entry: &'a PluginEntry, target: Arc<dyn CallTarget>) -> Self {
        let policy = inputs.policies.get(entry.owner.id.as_ref()).cloned().unwrap_or_default();
        Self {
            registry,
            inputs,
            facts: &entry.facts,
            kinds: &entry.kinds,
            policy,
            owner: entry.owner.clone(),
            target,
            channel_conflict: false,
        }
    }

    /// API-008: `register` was asynchronous, which the reference refuses; here what it registered counts unless strict.
    fn async_register(&mut self) -> Result<(), Thrown> {
        if self.inputs.strict {
            return Err("plugin register must be synchronous".into());
        }
        self.notice("async-register", "its register is asynchronous; it runs because `plugins.compat.strict` is off");
        Ok(())
    }

    pub(super) fn apply_all(&mut self, registrations: &[Registration]) -> Result<(), Thrown> {
        registrations.iter().try_for_each(|registration| self.apply(&registration.method, &registration.args))
    }

    fn apply(&mut self, method: &str, args: &[Value]) -> Result<(), Thrown> {
        if !works_in(self.facts.mode, method) {
            return Ok(());
        }
        let a = args.first().unwrap_or(&ABSENT);
        let b = args.get(1).unwrap_or(&ABSENT);
        let c = args.get(2).unwrap_or(&ABSENT);
        match method {
            "on" => self.typed_hook(a, b, c),
            "registerHook" => self.internal_hook(a, b, c)?,
            "registerTool" => self.tool(a, b),
            "registerToolMetadata" => self.tool_metadata(a),
            "registerHttpRoute" => self.http_route(a),
            "registerHttpHandler" => self.http_handler(a)?,
            "asyncRegister" => self.async_register()?,
            "registerGatewayMethod" => self.gateway_method(a, b, c),
            "registerCommand" => self.command(a),
            "registerCli" => self.cli(a, b, None),
            "registerNodeCliFeature" => self.cli(a, b, Some(&["nodes"])),
            "registerService" => self.service(a),
            "registerProvider" => self.provider(a),
            "registerModelCatalogProvider" => self.model_catalog(a),
            "registerSessionExtension" => self.session_extension(a),
            "registerRuntimeLifecycle" => self.runtime_lifecycle(a),
            "registerAgentEventSubscription" => self.event_subscription(a),
            "registerSessionSchedulerJob" => self.scheduler_job(a),
            "registerSessionAction" => self.session_action(a),
            "registerControlUiDescriptor" => self.ui_descriptor(a),
            "registerTrustedToolPolicy" => self.trusted_policy(a),
            "registerAgentToolResultMiddleware" => self.middleware(a, b),
            "registerCodexAppServerExtensionFactory" => self.codex_factory(a),
            "registerTextTransforms" => self.text_transforms(a, b),
            "registerSecurityAuditCollector" => self.audit_collector(a),
            "registerMemoryCapability" | "registerMemoryPromptSection" | "registerMemoryFlushPlan" | "registerMemoryRuntime" => {
                self.memory(method, a)?;
            }
            "registerMemoryPromptSupplement" => self.memory_prompt_supplement(a),
            "registerMemoryCorpusSupplement" => self.memory_corpus_supplement(args),
            "registerMemoryEmbeddingProvider" => self.memory_embedding(args),
            "registerEmbeddingProvider" => self.embedding(args),
            _ => self.recorded(method, args),
        }
        Ok(())
    }

    // ---- diagnostics

    pub(super) fn error(&mut self, message: impl Into<String>) {
        self.diagnose(Level::Error, message);
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.diagnose(Level::Warn, message);
    }

    fn diagnose(&mut self, level: Level, message: impl Into<String>) {
        self.registry.diagnostics.push(Diagnostic::plugin(level, &self.owner.id, Some(&self.owner.source), message));
    }

    /// A compatibility notice; the same one is kept once.
    pub(super) fn notice(&mut self, code: &str, message: impl Into<String>) {
        let notice = Notice {
            plugin_id: self.owner.id.to_string(),
            code: code.into(),
            compat_code: code.into(),
            severity: "warn",
            message: message.into(),
        };
        if !self.registry.notices.contains(&notice) {
            self.registry.notices.push(notice);
        }
    }

    // ---- functions

    pub(super) fn callback(&self, function: Option<&Value>) -> Option<Callback> {
        Some(self.handle(function_handle(function?)?))
    }

    fn handle(&self, handle: u64) -> Callback {
        Callback { plugin_id: self.owner.id.clone(), target: self.target.clone(), handle }
    }

    /// An optional function member: absent is `Ok(None)`, anything but a function is `Err`.
    pub(super) fn optional_callback(&self, object: &Value, key: &str) -> Result<Option<Callback>, ()> {
        match object.get(key) {
            None => Ok(None),
            Some(function) => self.callback(Some(function)).map(Some).ok_or(()),
        }
    }

    // ---- carried as it came

    pub(super) fn owns(&self, owner: &Owner) -> bool {
        owner.id == self.owner.id
    }

    /// Keeps the registration for a later consumer.
    pub(super) fn keep(&mut self, method: &str, id: &str, args: &[Value]) {
        let recorded = self.record(method, id, args);
        self.registry.recorded.push(recorded);
    }

    pub(super) fn record(&self, method: &str, id: &str, args: &[Value]) -> Recorded {
        let mut handles = Vec::new();
        args.iter().for_each(|arg| collect_handles(arg, &mut handles));
        Recorded {
            owner: self.owner.clone(),
            method: method.into(),
            id: id.into(),
            args: args.to_vec(),
            callbacks: handles.into_iter().map(|h| self.handle(h)).collect(),
            setup_only: false,
            target: self.target.clone(),
        }
    }

    /// The recorded registration of `method` with this id, by any plugin.
    pub(super) fn find_recorded(&self, method: &str, id: &str) -> Option<&Recorded> {
        self.registry.recorded.iter().find(|r| r.method == method && r.id == id)
    }

    /// Reports unknown members of `requiredScopes` with the given subject; true when all are known.
    pub(super) fn known_scopes(&mut self, subject: &str, scopes: Option<&Vec<String>>) -> bool {
        let unknown = scopes.into_iter().flatten().find(|s| !crate::register::is_operator_scope(s)).cloned();
        if let Some(scope) = &unknown {
            self.error(format!("{subject} requiredScopes contains unknown operator scope: {scope}"));
        }
        unknown.is_none()
    }

    pub(super) fn trimmed_id(object: &Value) -> String {
        read::member(object, "id").to_string()
    }
}

/// API-024..026, API-255: in setup and metadata loads most methods do nothing.
fn works_in(mode: RegistrationMode, method: &str) -> bool {
    match mode {
        RegistrationMode::Full | RegistrationMode::Discovery | RegistrationMode::ToolDiscovery => true,
        RegistrationMode::SetupOnly | RegistrationMode::SetupRuntime => {
            matches!(
                method,
                "registerCli" | "registerNodeCliFeature" | "registerChannel" | "registerConfigMigration" | "registerAutoEnableProbe"
            )
        }
        RegistrationMode::CliMetadata => matches!(method, "registerCli" | "registerNodeCliFeature"),
    }
}
