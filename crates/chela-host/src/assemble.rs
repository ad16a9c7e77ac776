//! Putting the host together: config, catalog, store, models, plugins, turns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chela_agent::runtime::RuntimeParts;
use chela_agent::tools::CORE_TOOLS;
use chela_agent::{AgentRuntime, RunSink, TurnPlugins};
use chela_catalog::{CatalogInputs, PluginRecord, Snapshot, Trigger};
use chela_config::{Config, Env, SensitiveHint, StatePaths};
use chela_models::{AuthStore, ModelRegistry};
use chela_node::{NodeLane, NodeLaneOptions};
use chela_plugin::builtin::BuiltinLane;
use chela_plugin::register::{HookPolicy, HttpRoute, LateRoutes, RegistryInputs};
use chela_plugin::registry::Registry;
use chela_plugin::{PluginSpec, RegistrationMode};
use chela_store::{Store, StoreError, StoreOptions};
use chela_telemetry::Telemetry;
use serde_json::Value;

use crate::bindings::Bindings;
use crate::bundled::{bundled_code, bundled_manifests};
use crate::channels::Channels;
use crate::discovery::Discovery;
use crate::events::{self, Subscribers};
use crate::heartbeat::{self, Heartbeats};
use crate::hook_files;
use crate::manager::{ManagerParts, PluginManager, Rules};
use crate::models;
use crate::nodes::NodeAccess;
use crate::requests::interactive::Callbacks;
use crate::requests::{OpenStores, Relays, Requests};
use crate::services::Services;
use crate::visible::{config_for, env_grants};

/// How long a gateway waits for a database that is in use.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// Memory of a worker when the config does not say, in MiB.
const WORKER_MEMORY_MIB: u64 = 512;

/// How long a worker may take to end by itself when its plugin is changed.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(2);

/// What a host is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The gateway: services run, turns are served.
    Gateway,
    /// One command that runs turns or commands of plugins.
    Command,
    /// One command of a plugin, without turns.
    PluginCommand,
    /// A look at what plugins register, or a question to them. Leaves nothing behind.
    Inspect,
}

/// How to open a host.
pub struct HostOptions {
    /// State directory and config path.
    pub paths: StatePaths,
    /// The environment.
    pub env: Env,
    /// The effective config.
    pub config: Arc<Config>,
    /// Receives run events.
    pub sink: Arc<dyn RunSink>,
    /// What it is for.
    pub purpose: Purpose,
    /// Names of the gateway's own methods; plugins cannot take them.
    pub core_methods: BTreeSet<String>,
    /// Names of the command line's own commands.
    pub cli_commands: BTreeSet<String>,
    /// The guard program of workers; the current executable when absent.
    pub guard: Option<PathBuf>,
    /// What a worker prints goes to the terminal (commands) instead of the log.
    pub inherit_output: bool,
    /// Told about each call of a JavaScript plugin.
    pub observer: Option<chela_node::Observer>,
    /// A module that each worker imports before anything of a plugin, for trials.
    pub preload: Option<PathBuf>,
}

/// Why a host could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The assembled host.
pub struct Host {
    /// State directory and config path.
    pub paths: StatePaths,
    /// The environment.
    pub env: Env,
    /// Plugins.
    pub manager: Arc<PluginManager>,
    /// Turns.
    pub runtime: Arc<AgentRuntime>,
    /// Services of plugins.
    pub services: Arc<Services>,
    /// What announces the gateway in a network.
    pub(crate) discovery: Arc<Discovery>,
    /// Channels of plugins.
    pub channels: Channels,
    /// Conversations that plugins have bound.
    pub(crate) bindings: Bindings,
    /// Callback ids of buttons.
    pub(crate) callbacks: Callbacks,
    pub(crate) subscribers: Subscribers,
    pub(crate) keyed: OpenStores,
    pub(crate) embeddings: crate::memory::EmbeddingCache,
    pub(crate) relays: Relays,
    /// Routes that plugins added while they run.
    pub(crate) late_routes: Mutex<LateRoutes>,
    pub(crate) nodes: OnceLock<Box<dyn NodeAccess>>,
    pub(crate) heartbeats: Arc<Heartbeats>,
    /// Meetings that are being listened to.
    pub(crate) transcripts: Arc<chela_capabilities::transcripts::Transcripts>,
    /// Tools for files and commands.
    pub(crate) toolbox: OnceLock<chela_tools::Toolbox>,
    /// The guard program of commands.
    pub(crate) guard: Option<PathBuf>,
    purpose: Purpose,
    /// The state belongs to a running gateway; what is here is empty and goes with the command.
    detached: bool,
    /// The directory of a database that goes with this host.
    _passing: Option<tempfile::TempDir>,
    pub(crate) auth: AuthStore,
    pub(crate) models: Arc<ModelRegistry>,
    pub(crate) started: OnceLock<u16>,
    pub(crate) names: Names,
    agent_events: events::Flow,
    /// Held while a changed config is applied: one change after another, and the stop waits for it.
    pub(crate) applying: tokio::sync::Mutex<()>,
}

/// Names that plugins cannot take.
pub(crate) struct Names {
    core_methods: BTreeSet<String>,
    cli_commands: BTreeSet<String>,
}

impl Names {
    pub(crate) fn rules(&self, snapshot: &Snapshot, paths: &StatePaths, config: &Arc<Config>) -> Rules {
        let inputs = registry_inputs(snapshot, self.core_methods.clone(), self.cli_commands.clone());
        Rules { inputs, spec_of: spec_maker(paths, config) }
    }
}

/// Looks at all plugins on disk; runs none.
pub fn scan_plugins(paths: &StatePaths, env: &Env, config: &Config) -> Snapshot {
    let mut inputs = CatalogInputs::new(&paths.state_dir, &paths.home, config.effective.clone());
    let agents = config.agents();
    inputs.workspace_dir = agents.get(&agents.default_id).map(|a| a.workspace.clone());
    inputs.env = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    inputs.bundled = bundled_manifests();
    chela_catalog::scan(&inputs)
}

impl Host {
    /// Opens the store and connects everything. Nothing is started and nothing recovered yet. Blocks on the disk; call it before the
    /// runtime is busy, inside the runtime.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub fn open(options: HostOptions) -> Result<Arc<Self>, HostError> {
        let HostOptions { paths, mut env, config, sink, purpose, .. } = options;
        let cache = usable_cache(&paths, &env);
        crate::program::offer(&mut env, &cache);
        let snapshot = Arc::new(scan_plugins(&paths, &env, &config));
        if purpose == Purpose::Gateway {
            log_findings(&snapshot);
        }
        let hook_files = if purpose == Purpose::Gateway { hook_files::records(&config, &env, &snapshot) } else { Vec::new() };
        let Opened { store, passing, elsewhere } = open_store(&paths, purpose)?;
        let auth = models::auth_store(&config, &env, &paths);
        let registry = models::configured(&config, &auth);
        let names = Names { core_methods: options.core_methods, cli_commands: options.cli_commands };
        let telemetry = Telemetry::new(crate::figures::settings(&config, &env));
        let manager = PluginManager::new(ManagerParts {
            rules: names.rules(&snapshot, &paths, &config),
            hook_files,
            snapshot,
            builtin: BuiltinLane::new(bundled_code(&telemetry)),
            node: Arc::new(NodeLane::new(node_options(
                &paths,
                &env,
                options.guard.clone(),
                options.inherit_output,
                options.observer,
                options.preload,
            ))),
        });
        let sink = events::TranscriptSink::new(sink);
        let runtime = AgentRuntime::new(RuntimeParts {
            store,
            plugins: manager.clone(),
            models: registry.clone(),
            config: config.clone(),
            sink: sink.clone(),
            state_dir: paths.state_dir.clone(),
            telemetry: telemetry.clone(),
        });
        let workspace = runtime.workspace_of(&runtime.settings().agents.default_id);
        let host = Arc::new(Self {
            services: Arc::new(Services::new(paths.state_dir.clone(), workspace)),
            bindings: Bindings::new(&paths.state_dir, &paths.chela_dir()),
            paths,
            env,
            runtime: runtime.clone(),
            manager: manager.clone(),
            discovery: Arc::default(),
            channels: Channels::default(),
            callbacks: Callbacks::default(),
            subscribers: Subscribers::default(),
            keyed: OpenStores::default(),
            embeddings: Default::default(),
            relays: Relays::default(),
            late_routes: Mutex::default(),
            nodes: OnceLock::new(),
            heartbeats: Arc::default(),
            transcripts: Arc::default(),
            toolbox: OnceLock::new(),
            guard: options.guard.clone(),
            purpose,
            _passing: passing,
            detached: elsewhere,
            auth,
            models: registry,
            started: OnceLock::new(),
            names,
            agent_events: events::Flow::default(),
            applying: tokio::sync::Mutex::default(),
        });
        sink.connect(&host);
        telemetry.add_source(Arc::new(crate::figures::HostFigures(Arc::downgrade(&host))));
        let lent: Weak<Self> = Arc::downgrade(&host);
        let toolbox = chela_tools::Toolbox::new(lent.clone());
        let mut tools = toolbox.tools();
        let _ = host.toolbox.set(toolbox);
        let lent = lent as Weak<dyn chela_capabilities::Surroundings>;
        tools.extend(chela_capabilities::tools::all(&lent, host.transcripts.clone()));
        tools.extend(crate::memory::tools());
        tools.push(Arc::new(crate::channels::MessageTool(Arc::downgrade(&host))));
        runtime.bring_tools(tools, Arc::new(crate::tools::Conditions(Arc::downgrade(&host))));
        if purpose == Purpose::Gateway {
            runtime.lifecycle.expect_recovery();
            tokio::spawn(heartbeat::serve(Arc::downgrade(&host)));
        }
        let weak = Arc::downgrade(&host);
        let after = Box::new(move |registry: &Arc<Registry>, fresh: &[String]| plugins_started(&weak, registry, fresh));
        // A look at a plugin must not hand it session ends.
        let lifecycle = matches!(purpose, Purpose::Gateway | Purpose::Command).then(|| runtime.lifecycle.clone());
        manager.connect(Arc::new(Requests::new(Arc::downgrade(&host))), lifecycle, after);
        Ok(host)
    }

    /// Starts the plugins of the gateway's start, without waiting.
    pub fn start_plugins(self: &Arc<Self>, port: u16) -> usize {
        let _ = self.started.set(port);
        let begun = self.manager.begin(&Trigger::GatewayStartup);
        let lent: Weak<Self> = Arc::downgrade(self);
        self.transcripts.auto_start(&(lent as Weak<dyn chela_capabilities::Surroundings>));
        begun
    }

    /// Plugins lay their catalogues under what the operator configured, so a new config needs them again.
    pub(crate) async fn refresh_providers(&self) {
        let registry = self.manager.registry();
        let mut owners: Vec<String> = registry.providers.iter().map(|p| p.owner.id.to_string()).collect();
        owners.dedup();
        models::add_plugin_providers(&self.models, &registry, &owners, &self.provider_world()).await;
    }

    /// True for the host of a gateway, in which channels run.
    pub(crate) fn is_gateway(&self) -> bool {
        self.purpose == Purpose::Gateway
    }

    /// True for a look at plugins, which must leave nothing behind.
    pub(crate) fn is_inspecting(&self) -> bool {
        self.purpose == Purpose::Inspect
    }

    /// True while the state belongs to a running gateway and not to this command.
    pub(crate) fn is_detached(&self) -> bool {
        self.detached
    }

    pub(crate) fn auth(&self) -> &AuthStore {
        &self.auth
    }

    /// What the providers of plugins are built from, by the config of now.
    pub(crate) fn provider_world(&self) -> models::ProviderWorld {
        let config = self.runtime.config();
        let agent = &self.runtime.settings().agents.default_id;
        models::ProviderWorld {
            snapshot: self.manager.snapshot(),
            auth: self.auth.clone(),
            agent_dir: self.paths.agent_dir(agent),
            workspace: self.runtime.workspace_of(agent),
            env: Arc::new(self.env.clone()),
            config,
        }
    }

    /// Sets who reaches nodes, once.
    pub fn serve_nodes(&self, nodes: Box<dyn NodeAccess>) {
        let _ = self.nodes.set(nodes);
    }

    pub(crate) fn late_routes(&self) -> MutexGuard<'_, LateRoutes> {
        self.late_routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The routes of plugins for a path, in the order in which they are tried, those included that were added since `register`.
    pub fn http_routes(&self, path: &str) -> Vec<HttpRoute> {
        let registry = self.manager.registry();
        self.late_routes().matching(&registry, path)
    }

    /// True when a plugin listens to agent events: nobody need build them otherwise.
    pub fn wants_agent_events(&self) -> bool {
        self.subscribers.any("agentEvent") || !self.manager.registry().event_subscriptions.is_empty()
    }

    /// Hands an `agent` payload to the plugins that listen.
    pub fn publish_agent_event(&self, payload: &Value) {
        self.agent_events.publish(&self.manager.registry(), payload);
        for plugin in self.subscribers.of("agentEvent") {
            self.manager.notify(&plugin, "agentEvent", payload);
        }
    }

    /// False when the operator forbids the plugin to put text into prompts (HOOK-127).
    pub(crate) fn may_inject(&self, plugin: &str) -> bool {
        self.manager.injecting().iter().any(|id| id == plugin)
    }

    /// Config paths that plugins mark as secrets (MAN-074).
    pub fn sensitive_paths(&self) -> Vec<SensitiveHint> {
        let snapshot = self.manager.snapshot();
        let mut hints = Vec::new();
        for record in &snapshot.plugins {
            let marked = record.manifest.raw.get("uiHints").and_then(Value::as_object);
            for (path, hint) in marked.into_iter().flatten() {
                if hint.get("sensitive") == Some(&Value::Bool(true)) {
                    hints.push(SensitiveHint { path: format!("plugins.entries.{}.config.{path}", record.id), sensitive: true });
                }
            }
        }
        hints
    }

    /// Stops services and workers, and writes what waits. No process of a plugin is left when it returns.
    pub async fn close(&self, grace: Duration) {
        // A plugin that a changed config is just stopping is not in the manager's hands.
        if tokio::time::timeout(STOP_GRACE + grace, self.applying.lock()).await.is_err() {
            tracing::warn!("a changed config was still being applied");
        }
        let scope = chela_capabilities::Scope::new(self);
        if tokio::time::timeout(STOP_GRACE, self.transcripts.close(&scope)).await.is_err() {
            tracing::warn!("a meeting that was listened to was not left in time");
        }
        self.close_channels().await;
        chela_agent::harness::dispose_all(&self.manager.registry()).await;
        if let Some(toolbox) = self.toolbox.get() {
            toolbox.close().await;
        }
        self.discovery.close().await;
        self.services.stop_all().await;
        chela_agent::context_engine::dispose_all(&self.runtime).await;
        crate::memory::close(&self.manager.registry(), grace.min(STOP_GRACE)).await;
        self.manager.stop_all("the gateway stops", grace).await;
        if let Err(error) = self.runtime.store.flush_projections().await {
            tracing::error!(%error, "sessions.json could not be written");
        }
    }
}

/// Services, providers and the start event of plugins that have just registered.
fn plugins_started(host: &Weak<Host>, registry: &Arc<Registry>, fresh: &[String]) {
    let Some(host) = host.upgrade() else { return };
    let (registry, fresh) = (registry.clone(), fresh.to_vec());
    // Taken before the plugins count as started: no turn may look for a provider that is just being asked for its models.
    let hold = host.manager.hold_turns();
    tokio::spawn(async move {
        let world = host.provider_world();
        models::add_plugin_providers(&host.models, &registry, &fresh, &world).await;
        drop(hold);
        if host.purpose != Purpose::Gateway {
            return;
        }
        // Services come after channels (API-188), whose accounts take their time.
        host.start_channels(&registry, &fresh);
        host.services.start_new(&registry).await;
        let Some(port) = host.started.get() else { return };
        host.announce_gateway(&registry, *port);
        host.announce_start(&fresh, *port);
    });
}

impl Host {
    /// `gateway_start` and `gateway:startup` for plugins that have just started, each once (HOOK-044, HOOK-293).
    fn announce_start(&self, fresh: &[String], port: u16) {
        use chela_plugin::HookName;
        let workspace = self.runtime.workspace_of(&self.runtime.settings().agents.default_id);
        let ctx = serde_json::json!({"port": port, "config": chela_plugin::value::gateway_config(), "workspaceDir": workspace});
        let generation = self.manager.current();
        for id in fresh {
            generation.hooks.spawn_parallel_of(id, HookName::GatewayStart, || (serde_json::json!({"port": port}), ctx.clone()));
        }
        if generation.internal.has("gateway", "startup") {
            // HOOK-279. Workers add the config, which they have already.
            let ctx = serde_json::json!({"workspaceDir": workspace});
            let options = chela_hooks::EmitOptions { only: Some(fresh.to_vec()), ..chela_hooks::EmitOptions::default() };
            let bus = generation.internal;
            chela_agent::background::spawn_in_order(async move {
                bus.emit_with("gateway", "startup", "gateway:startup", ctx, options).await;
            });
        }
    }
}

/// A plugin that was skipped has no row anywhere, so the log says why.
pub(crate) fn log_findings(snapshot: &Snapshot) {
    for found in &snapshot.diagnostics {
        let (message, source) = (&found.message, found.source.as_deref().unwrap_or(std::path::Path::new("")).display());
        match found.level {
            chela_catalog::Level::Error => tracing::error!(target: "plugins", %source, "{message}"),
            chela_catalog::Level::Warn => tracing::warn!(target: "plugins", %source, "{message}"),
            chela_catalog::Level::Info => tracing::debug!(target: "plugins", %source, "{message}"),
        }
    }
}

/// A database, and what it is.
struct Opened {
    store: Store,
    passing: Option<tempfile::TempDir>,
    /// Whether the real one is somebody else's just now.
    elsewhere: bool,
}

/// The database. A command that only runs plugin code goes on without it while a gateway has it: on an empty one that goes with it.
/// A mere look makes none where there is none.
fn open_store(paths: &StatePaths, purpose: Purpose) -> Result<Opened, StoreError> {
    let dirs = paths.clone();
    let mut options = StoreOptions::new(paths.chela_dir().join("chela.sqlite"), move |agent| dirs.sessions_dir(agent));
    // The gateway holds a lock of its own: whoever else has the database is a command, or a gateway that is just ending.
    options.patience = if purpose == Purpose::Gateway { STORE_PATIENCE } else { Duration::ZERO };
    let passing = |elsewhere| {
        let dir = tempfile::tempdir().ok()?;
        let root = dir.path().to_path_buf();
        let options = StoreOptions::new(root.join("chela.sqlite"), move |agent| root.join(agent));
        Some(Store::open(options).map(|store| Opened { store, passing: Some(dir), elsewhere }))
    };
    if purpose == Purpose::Inspect
        && !options.db_path.exists()
        && let Some(opened) = passing(false)
    {
        return opened;
    }
    match Store::open(options) {
        Err(error @ StoreError::InUse { .. }) if matches!(purpose, Purpose::Inspect | Purpose::PluginCommand) => {
            passing(true).unwrap_or(Err(error))
        }
        opened => Ok(Opened { store: opened?, passing: None, elsewhere: false }),
    }
}

fn node_options(
    paths: &StatePaths,
    env: &Env,
    guard: Option<PathBuf>,
    inherit: bool,
    observer: Option<chela_node::Observer>,
    preload: Option<PathBuf>,
) -> NodeLaneOptions {
    let vars: BTreeMap<String, String> = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let mut options = NodeLaneOptions::new(&paths.state_dir, vars, chela_catalog::HOST_COMPAT_VERSION);
    options.guard = guard;
    options.observer = observer;
    options.preload = preload;
    options.cache_dir = usable_cache(paths, env);
    options.output = if inherit { chela_node::OutputMode::PassThrough } else { chela_node::OutputMode::Log };
    options.progress = Some(Arc::new(|progress| tracing::info!(target: "node", "{progress:?}")));
    options
}

/// The cache directory; where none can be made, as for a service without a home, `chela` in the state directory.
fn usable_cache(paths: &StatePaths, env: &Env) -> PathBuf {
    let cache = paths.cache_dir(env);
    match fs_err::create_dir_all(&cache) {
        Ok(()) => cache,
        Err(error) => {
            tracing::debug!("caches are kept in the state directory: {error}");
            paths.chela_dir()
        }
    }
}

fn registry_inputs(snapshot: &Snapshot, core_methods: BTreeSet<String>, cli: BTreeSet<String>) -> RegistryInputs {
    let policies: HashMap<String, HookPolicy> = snapshot.plugins.iter().map(|p| (p.id.clone(), hook_policy(p))).collect();
    RegistryInputs {
        core_method_names: core_methods,
        core_tool_names: CORE_TOOLS.iter().map(|t| t.name().to_string()).collect(),
        builtin_cli_names: cli,
        policies,
        strict: snapshot.config.pointer("/plugins/compat/strict") == Some(&Value::Bool(true)),
        internal_hooks_enabled: snapshot.config.pointer("/hooks/internal/enabled") != Some(&Value::Bool(false)),
        memory_slot: snapshot.memory_plugin().map(|p| p.id.clone()),
    }
}

fn hook_policy(record: &PluginRecord) -> HookPolicy {
    let hooks = &record.policy.hooks;
    HookPolicy {
        allow_conversation_access: hooks.allow_conversation_access,
        allow_prompt_injection: hooks.allow_prompt_injection,
        timeout_ms: hooks.timeout_ms,
        timeouts: hooks.timeouts.clone(),
    }
}

fn spec_maker(paths: &StatePaths, config: &Arc<Config>) -> crate::manager::SpecMaker {
    let (paths, config) = (paths.clone(), config.clone());
    let agents = config.agents();
    let workspace = agents.get(&agents.default_id).map_or_else(|| paths.state_dir.join("workspace"), |a| a.workspace.clone());
    let public = Arc::new(public_config(&config));
    Box::new(move |record: &PluginRecord| {
        let mut spec = PluginSpec {
            id: record.id.clone(),
            name: Some(record.name.clone()),
            version: record.version.clone(),
            description: record.description.clone(),
            kinds: record.manifest.kind.clone(),
            root_dir: record.root_dir.clone(),
            entry: record.source.clone(),
            mode: RegistrationMode::Full,
            config: if record.permissions().enforced().is_some() { Arc::new(config_for(Some(record), &config)) } else { public.clone() },
            plugin_config: record.config.clone().unwrap_or_else(|| Value::Object(Default::default())),
            workspace_dir: workspace.clone(),
            state_dir: paths.state_dir.clone(),
            group: record.policy.runtime_group.clone(),
            memory_mib: config
                .get(&format!("plugins.entries.{}.runtime.memoryMb", record.id))
                .and_then(Value::as_u64)
                .unwrap_or(WORKER_MEMORY_MIB),
            env_grants: env_grants(record),
            env: record.policy.env.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            permissions: record.permissions(),
            bundled: record.origin == chela_catalog::Origin::Bundled,
        };
        if record.id == hook_files::HOOK_FILES_ID {
            hook_files::finish(&mut spec);
        }
        spec
    })
}

/// The config as plugins get it.
pub(crate) fn public_config(config: &Config) -> Value {
    config.public()
}
