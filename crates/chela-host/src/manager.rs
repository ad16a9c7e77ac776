//! Starting plugins and publishing generations of the registry.

mod collect;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chela_agent::lifecycle::SessionLifecycle;
use chela_agent::runtime::{PluginGeneration, TurnPlugins};
use chela_catalog::{PluginRecord, Snapshot, Trigger};
use chela_hooks::{HookCounter, HookEngine, HookWatch, InternalBus};
use chela_plugin::builtin::BuiltinLane;
use chela_plugin::register::{PluginFacts, RegistryBuilder, RegistryInputs};
use chela_plugin::registry::Registry;
use chela_plugin::{HostServices, Lane, PluginSpec, RegistrationMode, StartError, StartPhase, StartedPlugin, WorkerStatus};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};

use self::state::{Slot, State};
use crate::hook_files::is_hook_runner;
use crate::reload_rules::WorkerWishes;
use crate::run_context::RunContexts;

/// Plugins that start at the same time.
const PARALLEL_STARTS: usize = 4;
/// How long after the beginning of a plugin's start turns still wait for it; a slower one joins later turns.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// Longest start of one plugin, worker start and `register` together.
const START_BUDGET: Duration = Duration::from_secs(30);

/// How long a worker that is not wanted any more may take to end.
const TAKEN_BACK_GRACE: Duration = Duration::from_secs(1);

/// How the start of a plugin ended.
#[derive(Clone, Debug)]
pub enum StartOutcome {
    /// It registered.
    Started,
    /// It did not; the error says where and why.
    Failed(StartError),
}

/// Makes the spec of a plugin for its lane.
pub type SpecMaker = Box<dyn Fn(&PluginRecord) -> PluginSpec + Send + Sync>;

/// Called with the new registry and the ids of plugins that have just started.
pub type AfterStart = Box<dyn Fn(&Arc<Registry>, &[String]) + Send + Sync>;

/// A plugin's place in the manager, for status.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotView {
    pub(crate) starting: bool,
    pub(crate) error: Option<String>,
    pub(crate) worker: Option<WorkerStatus>,
    /// Version that its worker was started from; the disk may hold another by now.
    pub(crate) version: Option<String>,
}

/// What the manager is made of.
pub struct ManagerParts {
    /// The catalog.
    pub snapshot: Arc<Snapshot>,
    /// What stands for the `HOOK.md` hooks to load; the catalog has no records of them.
    pub hook_files: Vec<PluginRecord>,
    /// What the config says about plugins.
    pub rules: Rules,
    /// Runs bundled plugins.
    pub builtin: BuiltinLane,
    /// Runs JavaScript plugins.
    pub node: Arc<dyn Lane>,
}

/// What the config says about plugins; replaced with the catalog.
pub struct Rules {
    /// What the registry has to know about the host.
    pub inputs: RegistryInputs,
    /// Makes specs.
    pub spec_of: SpecMaker,
}

/// What a new catalog asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Plugins that have to stop: they are off now, or they have to start anew.
    pub stop: Vec<String>,
    /// Of these, the ones to start again.
    pub restart: Vec<String>,
}

/// Starts plugins and keeps the current generation.
pub struct PluginManager {
    builtin: BuiltinLane,
    node: Arc<dyn Lane>,
    rules: ArcSwap<Rules>,
    state: Mutex<State>,
    generation: ArcSwap<PluginGeneration>,
    this: Weak<Self>,
    after_start: OnceLock<AfterStart>,
    pending: watch::Sender<usize>,
    /// Plugins between their end and their next start, and started ones whose models are not known yet.
    held: Arc<watch::Sender<usize>>,
    starts: Semaphore,
    /// One start at a time for each plugin.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    completions: mpsc::UnboundedSender<collect::Completion>,
    collector: Mutex<Option<mpsc::UnboundedReceiver<collect::Completion>>>,
    host: OnceLock<Arc<dyn HostServices>>,
    /// Weak: the lifecycle holds the manager.
    lifecycle: OnceLock<Weak<SessionLifecycle>>,
    generation_seen: watch::Sender<u64>,
    /// What plugins keep for running turns (API-092..094).
    pub run_contexts: RunContexts,
}

/// Keeps turns waiting for something that belongs to a plugin's start.
pub(crate) struct TurnHold(Arc<watch::Sender<usize>>);

impl Drop for TurnHold {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n = n.saturating_sub(1));
    }
}

impl PluginManager {
    /// A manager with nothing started.
    pub fn new(parts: ManagerParts) -> Arc<Self> {
        let (completions, receiver) = mpsc::unbounded_channel();
        let registry = RegistryBuilder::new(parts.rules.inputs.clone()).build();
        let hooks = HookEngine::new(registry.clone());
        let internal = Arc::new(InternalBus::watched(&registry, hooks.watch().clone()));
        let empty = PluginGeneration { hooks, internal, registry };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            after_start: OnceLock::new(),
            builtin: parts.builtin,
            node: parts.node,
            rules: ArcSwap::from_pointee(parts.rules),
            state: Mutex::new(State {
                snapshot: parts.snapshot,
                hook_files: parts.hook_files,
                slots: HashMap::new(),
                starts: 0,
                in_turns: false,
                returning: HashMap::new(),
            }),
            generation: ArcSwap::from_pointee(empty),
            pending: watch::channel(0).0,
            held: Arc::new(watch::channel(0).0),
            starts: Semaphore::new(PARALLEL_STARTS),
            turns: Mutex::default(),
            completions,
            collector: Mutex::new(Some(receiver)),
            host: OnceLock::new(),
            lifecycle: OnceLock::new(),
            generation_seen: watch::channel(0).0,
            run_contexts: RunContexts::default(),
        })
    }

    /// Connects the manager with what is built after it, and begins to collect starts. Called once, inside the runtime.
    pub fn connect(self: &Arc<Self>, host: Arc<dyn HostServices>, lifecycle: Option<Arc<SessionLifecycle>>, after_start: AfterStart) {
        let _ = self.after_start.set(after_start);
        let _ = self.host.set(host);
        if let Some(lifecycle) = lifecycle {
            let _ = self.lifecycle.set(Arc::downgrade(&lifecycle));
        }
        let receiver = self.collector.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receiver) = receiver {
            tokio::spawn(collect::run(Arc::downgrade(self), receiver));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalog now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.state().snapshot.clone()
    }

    /// The registry now.
    pub fn registry(&self) -> Arc<Registry> {
        self.generation.load().registry.clone()
    }

    /// The dispatcher of hooks.
    pub(crate) fn registry_hooks(&self) -> Arc<HookEngine> {
        self.generation.load().hooks.clone()
    }

    /// Tells when the generation changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation_seen.subscribe()
    }

    /// Starts what the activation plan wants for a trigger, without waiting. Returns how many starts were begun.
    pub fn begin(self: &Arc<Self>, trigger: &Trigger) -> usize {
        let plan = chela_catalog::activation_plan(&self.snapshot(), trigger);
        let mut wanted: Vec<String> = plan.into_iter().filter(|p| p.start).map(|p| p.plugin_id).collect();
        if matches!(trigger, Trigger::GatewayStartup) {
            wanted.extend(self.state().hook_files.iter().map(|record| record.id.clone()));
        }
        self.begin_plugins(&wanted)
    }

    /// Starts these plugins unless they run, start or have failed for good.
    pub fn begin_plugins(self: &Arc<Self>, ids: &[String]) -> usize {
        let mut state = self.state();
        let found: Vec<PluginRecord> = ids.iter().filter_map(|id| state.startable(id)).collect();
        let mut records = Vec::with_capacity(found.len());
        for record in found {
            state.starts += 1;
            let number = state.starts;
            state.slots.insert(record.id.clone(), Slot::Starting { since: Instant::now(), number });
            records.push((record, number));
        }
        drop(state);
        self.pending.send_modify(|n| *n += records.len());
        let count = records.len();
        for (record, number) in records {
            let manager = self.clone();
            tokio::spawn(async move { manager.start(record, number).await });
        }
        count
    }

    /// Waits until nothing is starting any more, at most `patience`.
    pub async fn settle(&self, patience: Duration) -> bool {
        let mut pending = self.pending.subscribe();
        let mut held = self.held.subscribe();
        let settled = tokio::time::timeout(patience, async {
            let _ = pending.wait_for(|n| *n == 0).await;
            let _ = held.wait_for(|n| *n == 0).await;
        });
        settled.await.is_ok()
    }

    /// Turns wait while the returned guard lives, at most [`TURN_PATIENCE`].
    pub(crate) fn hold_turns(&self) -> TurnHold {
        self.held.send_modify(|n| *n += 1);
        TurnHold(self.held.clone())
    }

    /// Starts one plugin and waits for the outcome; used by commands and inspection.
    pub async fn start_and_wait(self: &Arc<Self>, id: &str, patience: Duration) -> Option<StartOutcome> {
        self.begin_plugins(&[id.to_string()]);
        let mut pending = self.pending.subscribe();
        let done = || match self.state().slots.get(id) {
            Some(Slot::Started { .. }) => Some(StartOutcome::Started),
            Some(Slot::Failed { error, .. }) => Some(StartOutcome::Failed(error.clone())),
            _ => None,
        };
        let waited = tokio::time::timeout(patience, async {
            loop {
                if let Some(outcome) = done() {
                    return Some(outcome);
                }
                pending.changed().await.ok()?;
            }
        });
        waited.await.ok().flatten()
    }

    /// Waits for the plugins that are starting, for each until [`TURN_PATIENCE`] after its start began: one that never registers
    /// delays the turns of its first seconds, not every turn.
    async fn settle_for_turn(&self) {
        let mut pending = self.pending.subscribe();
        loop {
            let _ = pending.borrow_and_update();
            let ages = self.state().starting_for();
            if let Some(left) = ages.iter().filter_map(|age| TURN_PATIENCE.checked_sub(*age)).max() {
                let _ = tokio::time::timeout(left, pending.changed()).await;
                continue;
            }
            if !ages.is_empty() {
                tracing::warn!(target: "plugins", "{} plugins are still starting; this turn goes on without them", ages.len());
            }
            let mut held = self.held.subscribe();
            if *held.borrow_and_update() == 0 {
                return;
            }
            // A plugin that is changed is begun again before it is let go: what starts then is waited for too.
            if tokio::time::timeout(TURN_PATIENCE, held.wait_for(|n| *n == 0)).await.is_err() {
                return;
            }
        }
    }

    /// The scope of a gateway method whose plugin is starting anew because it was changed: its callers wait for it.
    pub fn returning_method(&self, name: &str) -> Option<String> {
        let state = self.state();
        let (id, scope) = state.returning.get(name)?;
        let changing = *self.held.borrow() > 0 && !state.slots.contains_key(id);
        let back_soon = changing || matches!(state.slots.get(id), Some(Slot::Starting { .. }));
        back_soon.then(|| scope.clone())
    }

    /// Waits for plugins that are starting, as a turn does.
    pub async fn settle_for_call(&self) {
        self.settle_for_turn().await;
    }

    async fn start(self: Arc<Self>, record: PluginRecord, number: u64) {
        // A start that was taken back ends before the next one of the same plugin begins.
        let turn = self.turn_of(&record.id);
        let _turn = turn.lock().await;
        let _permit = self.starts.acquire().await;
        let facts = facts_of(&record);
        let wanted = || self.state().awaits(&record.id, number);
        let rules = self.rules.load_full();
        let mut result = match self.host.get().filter(|_| wanted()) {
            Some(host) => {
                let lane: &dyn Lane = if self.builtin.has(&record.id) { &self.builtin } else { self.node.as_ref() };
                let start = lane.start((rules.spec_of)(&record), host.clone());
                tokio::time::timeout(START_BUDGET, start).await.unwrap_or_else(|_| Err(too_slow()))
            }
            None if !wanted() => Err(taken_back()),
            None => Err(StartError { phase: StartPhase::Load, message: "the plugin host is not connected".into(), transient: true }),
        };
        match &result {
            Ok(started) if wanted() => self.offer_pending(&facts, started).await,
            Ok(started) => {
                // It was switched off while it started: it never takes part in anything.
                started.control.stop("the plugin is off", TAKEN_BACK_GRACE).await;
                result = Err(taken_back());
            }
            Err(_) if !wanted() => {}
            Err(error) => tracing::error!(target: "plugins", plugin = %record.id, phase = ?error.phase, "{error}"),
        }
        let _ = self.completions.send(collect::Completion { facts, number, rules, result });
    }

    /// Loads the setup entry of a plugin in a worker that takes part in nothing; whoever asked for it ends it.
    ///
    /// # Errors
    /// When it does not load, or has no setup entry.
    pub(crate) async fn start_setup(&self, record: &PluginRecord) -> Result<StartedPlugin, StartError> {
        let refused = |message: &str| StartError { phase: StartPhase::Validation, message: message.into(), transient: false };
        let Some(host) = self.host.get() else { return Err(refused("the plugin host is not connected")) };
        let mut spec = (self.rules.load_full().spec_of)(record);
        spec.entry = record.setup_source.clone().ok_or_else(|| refused("the plugin has no setup entry"))?;
        spec.mode = RegistrationMode::SetupOnly;
        // A worker of its own: it ends before anything else of the plugin begins.
        spec.group = None;
        let start = self.node.start(spec, host.clone());
        tokio::time::timeout(START_BUDGET, start).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// Gives a plugin that started by older rules the config of now.
    fn catch_up(&self, id: &str, begun_by: &Arc<Rules>) {
        let rules = self.rules.load_full();
        if Arc::ptr_eq(&rules, begun_by) {
            return;
        }
        let record = self.state().records().find(|record| record.id == id).cloned();
        if let Some(record) = record {
            self.notify(id, "config", &(rules.spec_of)(&record).config);
        }
    }

    fn turn_of(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_string()).or_default().clone()
    }

    /// Session ends that the plugin has not had come before anything else it sees.
    async fn offer_pending(&self, facts: &PluginFacts, started: &StartedPlugin) {
        let Some(lifecycle) = self.lifecycle.get().and_then(Weak::upgrade) else { return };
        let mut alone = RegistryBuilder::new(self.rules.load().inputs.clone());
        alone.add(facts.clone(), started.clone());
        lifecycle.deliver_pending(&alone.build(), &facts.id).await;
    }

    /// Builds the registry from all plugins that have started, in catalog order (HOOK-089), and publishes it.
    pub(crate) fn rebuild(&self) -> Arc<Registry> {
        let state = self.state();
        let mut builder = RegistryBuilder::new(self.rules.load().inputs.clone());
        for record in state.records() {
            match state.slots.get(&record.id) {
                // One that is off now takes part in nothing new, while turns under way may still call it.
                Some(Slot::Started { .. }) if !record.is_startable() => {}
                Some(Slot::Started { facts, started }) => {
                    let mut started = started.as_ref().clone();
                    if let Some(current) = started.control.registrations() {
                        started.registrations = current;
                    }
                    builder.add(facts.clone(), started);
                }
                Some(Slot::Failed { facts, error }) => {
                    builder.add_failed(facts.clone(), error);
                }
                _ => {}
            }
        }
        drop(state);
        let registry = builder.build();
        let previous = self.generation.load();
        previous.hooks.swap(registry.clone());
        previous.internal.swap(&registry);
        let next = PluginGeneration { registry: registry.clone(), hooks: previous.hooks.clone(), internal: previous.internal.clone() };
        drop(previous);
        self.generation.store(Arc::new(next));
        self.generation_seen.send_modify(|n| *n += 1);
        registry
    }

    pub(crate) fn after_start(&self, registry: &Arc<Registry>, fresh: &[String]) {
        if let Some(after) = self.after_start.get() {
            after(registry, fresh);
        }
    }

    /// Tells watchers that the state of a plugin changed.
    pub(crate) fn announce_change(&self) {
        self.generation_seen.send_modify(|n| *n += 1);
    }

    /// Calls of hooks since the process began.
    pub fn hook_counters(&self) -> Vec<HookCounter> {
        self.generation.load().hooks.counters()
    }

    /// Who watches the handlers of hooks.
    pub fn hook_watch(&self) -> Arc<HookWatch> {
        self.generation.load().hooks.watch().clone()
    }

    /// Plugins that are started, with their workers.
    pub(crate) fn workers(&self) -> Vec<(String, chela_plugin::WorkerStatus)> {
        let controls: Vec<_> = {
            let state = self.state();
            let started = state.slots.iter().filter_map(|(id, slot)| match slot {
                Slot::Started { started, .. } => Some((id.clone(), started.control.clone())),
                _ => None,
            });
            started.collect()
        };
        // The status of a worker looks at its process, which is nothing to do under a lock.
        let mut all: Vec<_> = controls.into_iter().map(|(id, control)| (id, control.status())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Where a plugin stands.
    pub(crate) fn view(&self, id: &str) -> SlotView {
        match self.state().slots.get(id) {
            None => SlotView::default(),
            Some(Slot::Starting { .. }) => SlotView { starting: true, ..SlotView::default() },
            Some(Slot::Started { started, facts }) => {
                SlotView { worker: Some(started.control.status()), version: facts.version.clone(), ..SlotView::default() }
            }
            Some(Slot::Failed { error, .. }) => SlotView { error: Some(error.message.clone()), ..SlotView::default() },
        }
    }

    /// Stops every worker. No process of a plugin is left when it returns.
    pub async fn stop_all(&self, reason: &str, grace: Duration) {
        let slots: Vec<Slot> = self.state().slots.drain().map(|(_, slot)| slot).collect();
        let stops = slots.iter().filter_map(|slot| match slot {
            Slot::Started { started, .. } => Some(started.control.stop(reason, grace)),
            _ => None,
        });
        futures::future::join_all(stops).await;
    }

    /// Stops one plugin and takes its registrations out; used by disable and restart. A start of the same plugin that is asked for
    /// meanwhile waits until the old worker is gone: the two would want the same ports and files.
    pub async fn stop_plugin(&self, id: &str, reason: &str, grace: Duration) -> bool {
        let turn = self.turn_of(id);
        let held = if self.runs(id) { Some(turn.lock().await) } else { None };
        let slot = {
            let mut state = self.state();
            let registry = self.registry();
            let methods = registry.gateway_methods.iter().filter(|method| method.owner.id.as_ref() == id);
            state.returning.retain(|_, (of, _)| of != id);
            state.returning.extend(methods.map(|method| (method.name.clone(), (id.to_string(), method.scope.clone()))));
            state.slots.remove(id)
        };
        let Some(Slot::Started { started, .. }) = slot else { return false };
        self.rebuild();
        started.control.stop(reason, grace).await;
        drop(held);
        true
    }

    /// Lets a plugin that failed for good start again.
    pub(crate) fn forget_failure(&self, id: &str) {
        let mut state = self.state();
        if matches!(state.slots.get(id), Some(Slot::Failed { .. })) {
            state.slots.remove(id);
        }
    }

    /// True when the plugin has registered and was not stopped since.
    pub fn runs(&self, id: &str) -> bool {
        matches!(self.state().slots.get(id), Some(Slot::Started { .. }))
    }

    /// Sends an event to every started plugin, made for each.
    pub fn notify_each(&self, name: &str, payload: impl Fn(&str) -> Value) {
        let started: Vec<_> = {
            let state = self.state();
            let running = state.slots.iter().filter_map(|(id, slot)| match slot {
                Slot::Started { started, .. } => Some((id.clone(), started.control.clone())),
                _ => None,
            });
            running.collect()
        };
        for (id, control) in started {
            control.notify(name, &payload(&id));
        }
    }

    /// Sends an event to one plugin.
    pub fn notify(&self, id: &str, name: &str, payload: &Value) {
        if let Some(Slot::Started { started, .. }) = self.state().slots.get(id) {
            started.control.notify(name, payload);
        }
    }

    /// Takes a new catalog and new rules, and publishes a registry by them: hook permissions hold at once. Says which plugins have to
    /// stop or to start anew; a plugin that goes on gets new config as a notice.
    pub(crate) fn reload(&self, snapshot: Arc<Snapshot>, hook_files: Vec<PluginRecord>, rules: Rules, wishes: &WorkerWishes) -> Changes {
        let changes = {
            let mut state = self.state();
            let changes = state.changes(&snapshot, &hook_files, wishes);
            for id in &changes.stop {
                if matches!(state.slots.get(id), Some(Slot::Failed { .. })) {
                    state.slots.remove(id);
                }
            }
            state.snapshot = snapshot;
            state.hook_files = hook_files;
            state.in_turns = false;
            changes
        };
        self.rules.store(Arc::new(rules));
        self.rebuild();
        changes
    }
}

fn too_slow() -> StartError {
    let message = format!("the plugin did not register within {} s", START_BUDGET.as_secs());
    StartError { phase: StartPhase::Register, message, transient: true }
}

fn taken_back() -> StartError {
    StartError { phase: StartPhase::Load, message: "the plugin was switched off while it started".into(), transient: true }
}

/// What the registry has to know about a plugin.
pub(crate) fn facts_of(record: &PluginRecord) -> PluginFacts {
    let mut facts = PluginFacts::new(&record.id, &record.source.to_string_lossy(), record.manifest.clone());
    facts.name = Some(record.name.clone());
    facts.version = record.version.clone();
    facts.description = record.description.clone();
    facts.origin = record.origin.as_str().into();
    facts.bundled = record.origin == chela_catalog::Origin::Bundled;
    facts.chosen = record.explicitly_enabled;
    facts.root_dir = Some(record.root_dir.clone());
    // A plugin's handlers get its config with each event; those of hook files have none.
    if !is_hook_runner(&record.id) {
        facts.plugin_config = record.config.clone().unwrap_or(Value::Null);
    }
    facts
}

#[async_trait]
impl TurnPlugins for PluginManager {
    fn current(&self) -> PluginGeneration {
        self.generation.load().as_ref().clone()
    }

    async fn ensure_for_turn(&self) {
        let begun = self.state().in_turns;
        if !begun && let Some(this) = self.this.upgrade() {
            // Turns that begin at the same moment may all come here: a plugin is begun once all the same, and none overtakes it.
            this.begin(&Trigger::Turn);
            self.state().in_turns = true;
        }
        self.settle_for_turn().await;
    }

    fn injecting(&self) -> Vec<String> {
        let registry = self.registry();
        let rules = self.rules.load();
        let allowed = |id: &str| rules.inputs.policies.get(id).is_none_or(|p| p.allow_prompt_injection != Some(false));
        registry.plugins.iter().filter(|p| p.failure.is_none()).map(|p| p.owner.id.to_string()).filter(|id| allowed(id)).collect()
    }

    fn run_ended(&self, run_id: &str) {
        self.run_contexts.clear_run(run_id);
    }
}
