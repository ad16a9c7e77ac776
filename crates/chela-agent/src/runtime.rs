//! What a turn needs from outside, passed in.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chela_approvals::Approvals;
use chela_config::{AgentsSettings, Config, SessionSettings, ToolsSettings};
use chela_hooks::{HookEngine, InternalBus};
use chela_models::{ModelRef, ModelRegistry};
use chela_plugin::registry::Registry;
use chela_store::Store;
use chela_telemetry::Telemetry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bootstrap::BootstrapCache;
use crate::event::RunSink;
use crate::lanes::{LaneSizes, Lanes};
use crate::lifecycle::SessionLifecycle;
use crate::queue::SessionQueues;
use crate::run::RunRegistry;
use crate::system_events::SystemEvents;
use crate::tool_policy::{PolicyInputs, SubagentRole, ToolPolicy};
use crate::tools::{HostTool, LoopGuard, LoopSettings, Origin, ToolConditions, ToolContext};

/// Messages of a session that a turn looks at.
const HISTORY_LIMIT: usize = 400;

/// One state of the plugins: registrations and the dispatchers over them. Replaced as a whole.
#[derive(Clone)]
pub struct PluginGeneration {
    /// What plugins registered.
    pub registry: Arc<Registry>,
    /// Typed hooks.
    pub hooks: Arc<HookEngine>,
    /// Internal events.
    pub internal: Arc<InternalBus>,
}

/// The plugins, as a turn sees them.
#[async_trait]
pub trait TurnPlugins: Send + Sync {
    /// The state now.
    fn current(&self) -> PluginGeneration;

    /// Starts the plugins that the activation plan wants for a turn. Quick when they run already.
    async fn ensure_for_turn(&self);

    /// Plugins that are loaded and may put text into prompts: only their queued injections are taken (HOOK-127, HOOK-252).
    fn injecting(&self) -> Vec<String>;

    /// A run has ended: what plugins kept for it goes (API-204).
    fn run_ended(&self, run_id: &str);
}

/// Parts of an [`AgentRuntime`].
pub struct RuntimeParts {
    /// Durable state.
    pub store: Store,
    /// Plugins.
    pub plugins: Arc<dyn TurnPlugins>,
    /// Models.
    pub models: Arc<ModelRegistry>,
    /// Effective config.
    pub config: Arc<Config>,
    /// Receives run events.
    pub sink: Arc<dyn RunSink>,
    /// The state directory.
    pub state_dir: PathBuf,
    /// Who hears of what happens.
    pub telemetry: Arc<Telemetry>,
}

/// Everything outside a turn.
pub struct AgentRuntime {
    /// Durable state.
    pub store: Store,
    /// Plugins.
    pub plugins: Arc<dyn TurnPlugins>,
    /// Active and finished runs.
    pub runs: Arc<RunRegistry>,
    /// Messages that wait for busy sessions.
    pub queues: Arc<SessionQueues>,
    /// Session starts and ends.
    pub lifecycle: Arc<SessionLifecycle>,
    /// What somebody must allow.
    pub approvals: Approvals,
    /// What context engines still hear of turns that are over.
    pub(crate) after_turns: TaskTracker,
    /// Receives run events.
    pub sink: Arc<dyn RunSink>,
    /// What happened since a session's last turn.
    pub system_events: SystemEvents,
    /// Who hears of what happens.
    pub telemetry: Arc<Telemetry>,
    pub(crate) waits: crate::telemetry_lanes::Lanes,
    pub(crate) lanes: Lanes,
    pub(crate) bootstrap: BootstrapCache,
    pub(crate) history_limit: usize,
    models: ArcSwap<ModelRegistry>,
    config: ArcSwap<Config>,
    settings: ArcSwap<Settings>,
    state_dir: PathBuf,
    /// Context engines that were made.
    pub(crate) engines: crate::context_engine::EngineCache,
    host_tools: OnceLock<Vec<Arc<dyn HostTool>>>,
    tool_conditions: OnceLock<Arc<dyn ToolConditions>>,
    /// Fires when the rules of `session.reset*` may have changed.
    pub(crate) session_rules_changed: tokio::sync::Notify,
    /// Ends all runs of this process.
    pub shutdown: CancellationToken,
}

/// What turns read from the config, read once.
pub struct Settings {
    /// Agents.
    pub agents: AgentsSettings,
    /// Tools of all agents.
    pub tools: ToolsSettings,
    /// Session rules.
    pub session: SessionSettings,
    lanes: LaneSizes,
}

impl Settings {
    fn new(config: &Config) -> Self {
        let (agents, tools) = (config.agents(), config.tools());
        for problem in tool_problems(&agents, &tools) {
            tracing::warn!(target: "tools", "{problem}");
        }
        Self { agents, tools, session: config.session(), lanes: LaneSizes::from_config(config) }
    }
}

/// What is wrong with the tool policies, for the log (TOOL-07, TOOL-13, TOOL-15).
fn tool_problems(agents: &AgentsSettings, tools: &ToolsSettings) -> Vec<String> {
    let mut out = crate::tool_policy::problems(&tools.raw, "tools");
    for agent in &agents.list {
        out.extend(crate::tool_policy::problems(&agent.raw["tools"], &format!("agents.list[{}].tools", agent.id)));
    }
    out
}

/// The rule by which the store knows when sessions run out.
fn expiry_rule(settings: &Settings) -> chela_store::ExpiryRule {
    let (session, zone) = (settings.session.clone(), jiff::tz::TimeZone::system());
    Arc::new(move |row| crate::rollover::expires_at(&session, row, &zone))
}

impl AgentRuntime {
    /// Puts the parts together.
    pub fn new(parts: RuntimeParts) -> Arc<Self> {
        let settings = Settings::new(&parts.config);
        let sizes = settings.lanes;
        parts.store.set_expiry_rule(expiry_rule(&settings));
        Arc::new(Self {
            lifecycle: Arc::new(SessionLifecycle::new(parts.store.clone(), parts.plugins.clone())),
            approvals: Approvals::new(parts.store.clone()),
            store: parts.store,
            plugins: parts.plugins,
            runs: Arc::new(RunRegistry::default()),
            queues: Arc::default(),
            after_turns: TaskTracker::new(),
            sink: parts.sink,
            system_events: SystemEvents::default(),
            telemetry: parts.telemetry,
            waits: Default::default(),
            lanes: Lanes::new(sizes),
            bootstrap: BootstrapCache::default(),
            history_limit: HISTORY_LIMIT,
            models: ArcSwap::new(parts.models),
            config: ArcSwap::new(parts.config),
            settings: ArcSwap::from_pointee(settings),
            state_dir: parts.state_dir,
            engines: Default::default(),
            host_tools: OnceLock::new(),
            tool_conditions: OnceLock::new(),
            session_rules_changed: tokio::sync::Notify::new(),
            shutdown: CancellationToken::new(),
        })
    }

    /// The effective config now.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The models now.
    pub fn models(&self) -> Arc<ModelRegistry> {
        self.models.load_full()
    }

    /// What turns read from the config now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Replaces config and models after a reload; turns under way keep what they have.
    pub fn reload(&self, config: Arc<Config>, models: Arc<ModelRegistry>) {
        let settings = Settings::new(&config);
        self.store.set_expiry_rule(expiry_rule(&settings));
        self.settings.store(Arc::new(settings));
        self.session_rules_changed.notify_one();
        self.config.store(config);
        self.models.store(models);
    }

    /// Replaces the models, for instance when a plugin brought a provider.
    pub fn set_models(&self, models: Arc<ModelRegistry>) {
        self.models.store(models);
    }

    /// Gives the runtime the tools that other crates bring. They need the runtime themselves, so it cannot be made with them; a second
    /// call does nothing. `conditions` knows when tools of plugins are there.
    pub fn bring_tools(&self, tools: Vec<Arc<dyn HostTool>>, conditions: Arc<dyn ToolConditions>) {
        let _ = self.host_tools.set(tools);
        let _ = self.tool_conditions.set(conditions);
    }

    /// The tools that other crates bring.
    pub fn host_tools(&self) -> &[Arc<dyn HostTool>] {
        self.host_tools.get().map_or(&[], Vec::as_slice)
    }

    /// The state directory.
    pub fn state_dir(&self) -> &PathBuf {
        &self.state_dir
    }

    /// Workspace of an agent.
    pub fn workspace_of(&self, agent_id: &str) -> PathBuf {
        let settings = self.settings();
        let agent = settings.agents.get(agent_id).or_else(|| settings.agents.list.first());
        agent.map_or_else(|| self.state_dir.join("workspace"), |a| a.workspace.clone())
    }

    /// The model of an agent when nobody asks for another: the configured one, else the embedded default.
    pub fn default_model(&self, agent_id: &str) -> ModelRef {
        let settings = self.settings();
        let own = settings.agents.get(agent_id).and_then(|a| a.model.primary.clone());
        let configured = own.or_else(|| settings.agents.model.primary.clone());
        configured.and_then(|text| ModelRef::parse(&text).ok()).unwrap_or_else(|| ModelRef::new("demo", "assistant"))
    }

    /// Models to try when the default model of an agent does not answer (PRV-217): the agent's own list, else the general one.
    pub fn fallback_models(&self, agent_id: &str) -> Vec<ModelRef> {
        let settings = self.settings();
        let own = settings.agents.get(agent_id).map(|a| &a.model).filter(|m| m.primary.is_some() || !m.fallbacks.is_empty());
        let choice = own.unwrap_or(&settings.agents.model);
        choice.fallbacks.iter().filter_map(|text| ModelRef::parse(text).ok()).collect()
    }

    /// Allow and deny lists of tools for an agent and, where it is known, for its model and whoever writes.
    pub fn tool_policy(&self, agent_id: &str, session_key: &str, model: Option<&(String, String)>, origin: &Origin) -> ToolPolicy {
        let settings = self.settings();
        let agent_tools = settings.agents.get(agent_id).map_or(&Value::Null, |agent| &agent.raw["tools"]);
        ToolPolicy::from_config(PolicyInputs {
            tools: &settings.tools.raw,
            agent_tools,
            agent_id,
            model: model.map(|(provider, model)| (provider.as_str(), model.as_str())),
            group: origin.group.as_ref(),
            sender: &origin.sender,
            subagent: SubagentRole::of(session_key, &origin.spawned, &settings.agents.defaults["subagents"]["maxSpawnDepth"]),
        })
    }

    /// The watch over the tool calls of one run of an agent (TOOL-29).
    pub(crate) fn loop_guard(&self, agent_id: &str) -> LoopGuard {
        let settings = self.settings();
        let own = settings.agents.get(agent_id).map_or(&Value::Null, |agent| &agent.raw["tools"]["loopDetection"]);
        LoopGuard::new(LoopSettings::from_config(&settings.tools.raw["loopDetection"], own))
    }

    /// The context that tool factories get (API-109), for the operator at this machine.
    pub fn tool_context(
        &self,
        agent_id: &str,
        session_key: &str,
        session_id: &str,
        surface: &str,
        owner: bool,
        model: Option<&(String, String)>,
    ) -> ToolContext {
        self.tool_context_of((agent_id, session_key, session_id), surface, owner, model, &Origin::default())
    }

    /// The context that tool factories get, for whoever wrote. `names` are agent, session key and session id.
    pub fn tool_context_of(
        &self,
        names: (&str, &str, &str),
        surface: &str,
        owner: bool,
        model: Option<&(String, String)>,
        origin: &Origin,
    ) -> ToolContext {
        let (agent_id, session_key, session_id) = names;
        let mut facts = json!({
            "workspaceDir": self.workspace_of(agent_id), "agentDir": self.state_dir.join("agents").join(agent_id).join("agent"),
            "agentId": agent_id, "sessionKey": session_key, "sessionId": session_id, "messageChannel": surface,
            "senderIsOwner": owner, "sandboxed": false,
        });
        if let Some((provider, model)) = model {
            facts["activeModel"] = json!({"provider": provider, "modelId": model, "modelRef": format!("{provider}/{model}")});
        }
        let policy = self.tool_policy(agent_id, session_key, model, origin);
        ToolContext { facts, sender_is_owner: owner, policy, conditions: self.tool_conditions.get().cloned() }
    }
}
