//! Dispatch of the typed hooks (hooks contract, sections 2 and 4).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chela_plugin::{CallError, Callback, DispatchMode, HandlerOutcome, HandlerRef, HookBatch, HookName, Registry, SharedJson};
use serde::Serialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::counters::HookCounter;
use crate::decision::{BLOCKED_BY_FAILURE, TOOL_HOOK_FAILED};
use crate::finalize::{FinalizeDecision, RetryBudget};
use crate::merge::{Accumulator, truthy};
use crate::queue::{BoundedQueue, Limits};
use crate::table::{Handler, HookTable, Slot};
use crate::text::error_text;
use crate::watch::{HandlerCall, HookKind, HookWatch};

/// Time beyond the handlers' own budgets before a batch is given up: the worker enforces the budgets, this bounds the worker.
const BATCH_SLACK: Duration = Duration::from_millis(500);
/// The same for observers that share a worker. One that blocks it keeps others from beginning; these are called once more, in the next
/// worker, whose start this covers.
const OBSERVERS_SLACK: Duration = Duration::from_secs(5);
/// HOOK-113, HOOK-114.
const MODEL_CALL_LIMITS: Limits = Limits { active: 16, queued: 256, slow: Duration::from_millis(2000) };
/// All other hooks that nobody waits for. The reference has no limit there; a stuck plugin must not keep every payload alive.
const BACKGROUND_LIMITS: Limits = Limits { active: 256, queued: 4096, slow: Duration::from_secs(60) };
/// What a constrained `before_agent_start` handler may not return (HOOK-126).
const PROMPT_FIELDS: &[&str] = &["systemPrompt", "prependContext", "appendContext", "prependSystemContext", "appendSystemContext"];

/// How one dispatch runs.
#[derive(Clone, Debug, Default)]
pub struct DispatchOptions {
    /// Ends the dispatch early; handlers see their abort signal fire.
    pub cancel: CancellationToken,
    /// Upper limit for the budget of every handler, for callers that have little time (shutdown).
    pub budget_override: Option<Duration>,
}

/// Why a handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// It threw or rejected.
    Threw,
    /// Its budget ran out.
    TimedOut,
    /// The dispatch was cancelled.
    Cancelled,
    /// Its worker could not be reached.
    Unreachable,
}

/// One failed handler.
#[derive(Clone, Debug)]
pub struct HandlerFailure {
    /// The plugin.
    pub plugin_id: Arc<str>,
    /// Why.
    pub kind: FailureKind,
    /// The text for logs, cleaned and cut (HOOK-104); never for the model or the user.
    pub message: String,
    /// Its own code threw. Otherwise it was not reached, or had not ended in time.
    pub threw: bool,
}

/// The outcome of one dispatch.
#[derive(Debug, Default)]
pub struct Dispatched {
    /// The merged result; `Null` when there is no decision. Parallel hooks have none.
    pub merged: Value,
    /// The plugin that made the decision: the first block, cancel, claim, approval request, error or finalize.
    pub decided_by: Option<Arc<str>>,
    /// True when a handler of a fail-closed hook failed: the guarded action must be refused (HOOK-106). `merged` holds a block then.
    pub refused: bool,
    /// `requireApproval.onResolution` of the requester (HOOK-191).
    pub on_resolution: Option<Callback>,
    /// Handlers that failed.
    pub failures: Vec<HandlerFailure>,
    /// Handlers that were called.
    pub called: usize,
}

/// The outcome of a claim that is asked of one plugin only (HOOK-209, HOOK-210).
#[derive(Debug)]
pub enum Claim {
    /// The plugin is not loaded.
    MissingPlugin,
    /// It has no handler for the hook.
    NoHandler,
    /// It took the message; its whole result.
    Handled(Value),
    /// Its handlers did not take it.
    Declined,
    /// None took it and at least one failed; the first failure.
    Failed(HandlerFailure),
}

/// Dispatches typed hooks to the handlers of the current registry.
#[derive(Debug)]
pub struct HookEngine {
    table: ArcSwap<HookTable>,
    watch: Arc<HookWatch>,
    model_calls: Arc<BoundedQueue>,
    background: Arc<BoundedQueue>,
    retries: RetryBudget,
}

impl HookEngine {
    /// An engine for a registry.
    pub fn new(registry: Arc<Registry>) -> Arc<Self> {
        let watch = Arc::new(HookWatch::default());
        Arc::new(Self {
            table: ArcSwap::from_pointee(HookTable::new(registry, &watch.counters)),
            watch,
            model_calls: BoundedQueue::new(MODEL_CALL_LIMITS),
            background: BoundedQueue::new(BACKGROUND_LIMITS),
            retries: RetryBudget::new(),
        })
    }

    /// Replaces registry and handlers together; running dispatches finish with the old ones (HOOK-117). Counters stay.
    pub fn swap(&self, registry: Arc<Registry>) {
        self.table.store(Arc::new(HookTable::new(registry, &self.watch.counters)));
    }

    /// The registry whose handlers are called.
    pub fn registry(&self) -> Arc<Registry> {
        self.table.load().registry.clone()
    }

    /// True when the hook has a handler: otherwise the caller need not build a payload (HOOK-119).
    pub fn has(&self, hook: HookName) -> bool {
        !self.table.load().slot(hook).handlers.is_empty()
    }

    /// Tells the worker that each of these hooks asks first that it will be called soon; those after it are told on the way.
    pub fn wake(&self, hooks: &[HookName]) {
        let table = self.table.load();
        let mut woken: Vec<u64> = Vec::new();
        for slot in hooks.iter().map(|hook| table.slot(*hook)) {
            if let Some(target) = slot.handlers.first().map(|handler| &handler.target)
                && !woken.contains(&target.worker_key())
            {
                woken.push(target.worker_key());
                target.wake();
            }
        }
    }

    /// What a merged `before_agent_finalize` result means for a run; counts the passes that it asks for (HOOK-153..158).
    pub fn finalize_decision(&self, run: &str, merged: &Value) -> FinalizeDecision {
        self.retries.decide(run, merged)
    }

    /// Counters by plugin and hook, internal handlers of a bus that shares the watch included.
    pub fn counters(&self) -> Vec<HookCounter> {
        self.watch.counters.snapshot()
    }

    /// Who watches the handlers.
    pub fn watch(&self) -> &Arc<HookWatch> {
        &self.watch
    }

    /// Calls the hook's handlers and merges their results.
    pub async fn dispatch(&self, hook: HookName, event: Value, ctx: Value, options: DispatchOptions) -> Dispatched {
        self.dispatch_with(hook, options, || (event, ctx)).await
    }

    /// Like [`HookEngine::dispatch`], with a payload `(event, ctx)` that is built only when there is a handler (HOOK-119).
    pub async fn dispatch_with(&self, hook: HookName, options: DispatchOptions, payload: impl FnOnce() -> (Value, Value)) -> Dispatched {
        let shared = || {
            let (event, ctx) = payload();
            (SharedJson::new(with_run_id(hook, event, &ctx)), ctx)
        };
        self.dispatch_text(hook, options, shared).await
    }

    /// Like [`HookEngine::dispatch_with`], for a large event that is text already. The run id of the context is not added to it.
    pub async fn dispatch_text(
        &self,
        hook: HookName,
        options: DispatchOptions,
        payload: impl FnOnce() -> (Arc<SharedJson>, Value),
    ) -> Dispatched {
        if !self.has(hook) {
            return Dispatched::default();
        }
        let table = self.table.load_full();
        let (event, ctx) = payload();
        Dispatch::of(&self.watch, hook, table.slot(hook), event, ctx, options).run().await
    }

    /// Starts a parallel hook that nobody waits for. The payload is built at once when there is a handler; the job waits its turn in a
    /// bounded queue and is dropped with a log line when that is full (HOOK-113, HOOK-114). Must be called inside a Tokio runtime.
    pub fn spawn_parallel(&self, hook: HookName, payload: impl FnOnce() -> (Value, Value)) {
        self.spawn_parallel_then(hook, payload, |_| std::future::ready(()));
    }

    /// Like [`HookEngine::spawn_parallel`], and does something with the outcome. Nothing of it happens when there is no handler or the
    /// queue is full: `then` is dropped uncalled.
    pub fn spawn_parallel_then<F>(
        &self,
        hook: HookName,
        payload: impl FnOnce() -> (Value, Value),
        then: impl FnOnce(Dispatched) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        if !self.has(hook) {
            return;
        }
        let table = self.table.load_full();
        let (event, ctx) = payload();
        let queue = match hook {
            HookName::ModelCallStarted | HookName::ModelCallEnded => &self.model_calls,
            _ => &self.background,
        };
        let watch = self.watch.clone();
        let work = async move {
            let dispatch = Dispatch::new(&watch, hook, table.slot(hook), event, ctx, DispatchOptions::default());
            then(dispatch.unattended().run().await).await;
        };
        queue.submit(hook.as_str(), Box::pin(work));
    }

    /// Begins work that calls handlers of a hook and that nobody waits for; it waits its turn as that of
    /// [`HookEngine::spawn_parallel`] does, and is dropped when the queue is full. Must be called inside a Tokio runtime.
    pub fn spawn(&self, hook: HookName, work: futures::future::BoxFuture<'static, ()>) {
        self.background.submit(hook.as_str(), work);
    }

    /// Calls the handlers that one plugin has for a hook in `registry`, which need not be the present one: a plugin that has just
    /// started takes part in nothing else yet.
    pub async fn dispatch_to(&self, registry: &Registry, plugin_id: &str, hook: HookName, event: Value, ctx: Value) -> Dispatched {
        let slot = Slot::of_registry(registry, hook, Some(plugin_id), &self.watch.counters);
        Dispatch::new(&self.watch, hook, &slot, event, ctx, DispatchOptions::default()).run().await
    }

    /// Like [`HookEngine::spawn_parallel`], for the handlers of one plugin.
    pub fn spawn_parallel_of(&self, plugin_id: &str, hook: HookName, payload: impl FnOnce() -> (Value, Value)) {
        let slot = self.table.load().slot(hook).of_plugin(plugin_id);
        if slot.handlers.is_empty() {
            return;
        }
        let (event, ctx) = payload();
        let watch = self.watch.clone();
        let work = async move {
            Dispatch::new(&watch, hook, &slot, event, ctx, DispatchOptions::default()).unattended().run().await;
        };
        self.background.submit(hook.as_str(), Box::pin(work));
    }

    /// True when a plugin wants to see every inbound message, not only those of conversations that it has bound.
    pub fn claims_all(&self) -> bool {
        !self.table.load().claims_all.handlers.is_empty()
    }

    /// `inbound_claim` for every message: asks the handlers that want that, in order, until one takes it (HOOK-299).
    pub async fn claim_all(&self, options: DispatchOptions, payload: impl FnOnce() -> (Value, Value)) -> Dispatched {
        let table = self.table.load_full();
        if table.claims_all.handlers.is_empty() {
            return Dispatched::default();
        }
        let (event, ctx) = payload();
        Dispatch::new(&self.watch, HookName::InboundClaim, &table.claims_all, event, ctx, options).run().await
    }

    /// Asks only the handlers of one plugin, in order, until one takes the message (HOOK-209, HOOK-210).
    pub async fn claim_by_plugin(&self, plugin_id: &str, hook: HookName, event: Value, ctx: Value, options: DispatchOptions) -> Claim {
        let table = self.table.load_full();
        if table.registry.plugin(plugin_id).is_none_or(|p| p.failure.is_some()) {
            return Claim::MissingPlugin;
        }
        let slot = table.slot(hook).of_plugin(plugin_id);
        if slot.handlers.is_empty() {
            return Claim::NoHandler;
        }
        let mut done = Dispatch::new(&self.watch, hook, &slot, event, ctx, options).run().await;
        if done.merged.get("handled").is_some_and(truthy) {
            return Claim::Handled(done.merged);
        }
        if done.failures.is_empty() { Claim::Declined } else { Claim::Failed(done.failures.swap_remove(0)) }
    }
}

/// One dispatch under way.
struct Dispatch<'a> {
    watch: &'a HookWatch,
    hook: HookName,
    slot: &'a Slot,
    event: Arc<SharedJson>,
    ctx: Arc<SharedJson>,
    options: DispatchOptions,
    /// Nobody waits for the end: a handler that was kept from beginning may have all of its time afterwards.
    unattended: bool,
    merged: Accumulator,
    done: Dispatched,
}

impl<'a> Dispatch<'a> {
    fn new(watch: &'a HookWatch, hook: HookName, slot: &'a Slot, event: Value, ctx: Value, options: DispatchOptions) -> Self {
        let event = SharedJson::new(with_run_id(hook, event, &ctx));
        Self::of(watch, hook, slot, event, ctx, options)
    }

    fn of(watch: &'a HookWatch, hook: HookName, slot: &'a Slot, event: Arc<SharedJson>, ctx: Value, options: DispatchOptions) -> Self {
        let ctx = SharedJson::new(ctx);
        Self { watch, hook, slot, event, ctx, options, unattended: false, merged: Accumulator::new(hook), done: Dispatched::default() }
    }

    fn unattended(mut self) -> Self {
        self.unattended = true;
        self
    }

    async fn run(mut self) -> Dispatched {
        if self.hook.mode() == DispatchMode::Parallel {
            self.parallel().await;
            return self.done;
        }
        self.sequence().await;
        self.finish()
    }

    /// Every worker gets its handlers at once; results are ignored (HOOK-099).
    async fn parallel(&mut self) {
        let slot = self.slot;
        let groups: Vec<Vec<&Handler>> = slot.groups.iter().map(|group| group.iter().map(|i| &slot.handlers[*i]).collect()).collect();
        let outcomes = futures::future::join_all(groups.iter().map(|group| self.send(group))).await;
        for (group, outcomes) in groups.iter().zip(outcomes) {
            for (handler, outcome) in group.iter().zip(outcomes) {
                self.settle(handler, &outcome);
            }
        }
    }

    /// Neighbours in one worker travel together; the merged result decides whether the next ones run (HOOK-110).
    async fn sequence(&mut self) {
        let slot = self.slot;
        for (at, run) in slot.runs.iter().enumerate() {
            if let Some(next) = slot.runs.get(at + 1) {
                // It gets ready while this one works. Waking more at once was slower: on two cores they are in each other's way.
                slot.handlers[next.start].target.wake();
            }
            let handlers: Vec<&Handler> = slot.handlers[run.clone()].iter().collect();
            let outcomes = self.send(&handlers).await;
            for (handler, outcome) in handlers.iter().zip(outcomes) {
                let failed = !self.settle(handler, &outcome);
                if failed && self.hook.fails_closed() {
                    self.done.refused = true;
                    return;
                }
                if self.merge(handler, &outcome) {
                    return;
                }
            }
            if self.options.cancel.is_cancelled() {
                return;
            }
        }
    }

    /// Merges one result; true when the chain ends.
    fn merge(&mut self, handler: &Handler, outcome: &HandlerOutcome) -> bool {
        let Ok(value) = &outcome.result else {
            return false;
        };
        let stripped = handler.strip_prompt_fields.then(|| without_prompt_fields(value));
        let (value, undefined) = match &stripped {
            Some(None) => return false,
            Some(Some(rest)) => (rest, outcome.undefined),
            None => (value, outcome.undefined),
        };
        let had_approval = self.done.on_resolution.is_some();
        let stop = self.merged.push(&handler.plugin_id, value, undefined);
        if self.hook == HookName::BeforeToolCall && !had_approval {
            self.done.on_resolution = on_resolution(handler, value);
        }
        if let Some((name, value)) = self.hook.carried(value) {
            self.event = self.event.with(name, value);
        }
        stop
    }

    /// Sends one batch and waits no longer than its handlers may take. Fewer outcomes than handlers mean that the worker stopped early.
    async fn send(&self, handlers: &[&Handler]) -> Vec<HandlerOutcome> {
        let Some(first) = handlers.first() else {
            return Vec::new();
        };
        let budget = |h: &Handler| self.budget(h);
        let mode = self.hook.mode();
        let budgets = handlers.iter().map(|h| budget(h));
        let together = if mode == DispatchMode::Parallel { budgets.max().unwrap_or_default() } else { budgets.sum() };
        let slack = match mode == DispatchMode::Parallel && handlers.len() > 1 && self.options.budget_override.is_none() {
            true if self.unattended => together.saturating_add(OBSERVERS_SLACK),
            true => OBSERVERS_SLACK,
            false => BATCH_SLACK,
        };
        let cancel = self.options.cancel.child_token();
        let batch = HookBatch {
            hook: self.hook,
            handlers: handlers.iter().map(|h| HandlerRef { handle: h.handle, timeout: Some(budget(h)) }).collect(),
            event: self.event.clone(),
            ctx: self.ctx.clone(),
            mode,
            stop: self.hook.stop_rule(),
            cancel: cancel.clone(),
        };
        let begun = std::time::Instant::now();
        let result = tokio::select! {
            biased;
            result = first.target.hooks(batch) => result,
            () = tokio::time::sleep(together.saturating_add(slack)) => Err(CallError::TimedOut(0)),
            () = self.options.cancel.cancelled() => Err(CallError::Cancelled),
        };
        result.unwrap_or_else(|error| {
            cancel.cancel();
            let failed = |h: &&Handler| {
                let error = match &error {
                    CallError::TimedOut(_) => CallError::TimedOut(u64::try_from(budget(h).as_millis()).unwrap_or(u64::MAX)),
                    other => other.clone(),
                };
                HandlerOutcome { result: Err(error), undefined: true, duration: begun.elapsed() }
            };
            handlers.iter().map(failed).collect()
        })
    }

    fn budget(&self, handler: &Handler) -> Duration {
        self.options.budget_override.map_or(handler.budget, |limit| limit.min(handler.budget))
    }

    /// Counts and logs one outcome (HOOK-103, HOOK-104); true when the handler succeeded.
    fn settle(&mut self, handler: &Handler, outcome: &HandlerOutcome) -> bool {
        self.done.called += 1;
        handler.stats.ran(outcome.duration);
        if self.watch.any() {
            self.watch.tell(&HandlerCall {
                plugin_id: &handler.plugin_id,
                kind: HookKind::Typed,
                hook: self.hook.as_str(),
                event: &self.event,
                ctx: Some(&self.ctx),
                result: &outcome.result,
                took: outcome.duration,
                budget: Some(self.budget(handler)),
            });
        }
        let Err(error) = &outcome.result else {
            return true;
        };
        let message = error_text(&error.to_string());
        let kind = match error {
            CallError::TimedOut(_) => FailureKind::TimedOut,
            CallError::Cancelled => FailureKind::Cancelled,
            CallError::Gone { .. } => FailureKind::Unreachable,
            _ => FailureKind::Threw,
        };
        handler.stats.failed(kind == FailureKind::TimedOut, &message);
        tracing::error!(target: "hooks", plugin = %handler.plugin_id, "[hooks] {} handler from {} failed: {message}", self.hook, handler.plugin_id);
        let threw = matches!(error, CallError::Thrown { .. });
        self.done.failures.push(HandlerFailure { plugin_id: handler.plugin_id.clone(), kind, message, threw });
        false
    }

    fn finish(mut self) -> Dispatched {
        let (merged, decided_by) = self.merged.finish(&self.event);
        self.done.merged = merged;
        self.done.decided_by = decided_by;
        if self.done.refused || (self.hook.fails_closed() && self.options.cancel.is_cancelled()) {
            self.done.refused = true;
            self.done.on_resolution = None;
            let run = self.hook == HookName::BeforeAgentRun;
            self.done.decided_by = run.then(|| BLOCKED_BY_FAILURE.into());
            self.done.merged = if run {
                json!({ "outcome": "block", "reason": "before_agent_run hook failed" })
            } else {
                json!({ "block": true, "blockReason": TOOL_HOOK_FAILED })
            };
        }
        self.done
    }
}

/// Three hooks take the run id from the context when their event has none (HOOK-060).
fn with_run_id(hook: HookName, mut event: Value, ctx: &Value) -> Value {
    if matches!(hook, HookName::AgentEnd | HookName::BeforeAgentStart | HookName::BeforeAgentFinalize)
        && let (Some(map), Some(run)) = (event.as_object_mut(), ctx.get("runId").filter(|run| truthy(run)))
        && !map.get("runId").is_some_and(truthy)
    {
        map.insert("runId".into(), run.clone());
    }
    event
}

/// HOOK-126: `None` when nothing is left.
fn without_prompt_fields(value: &Value) -> Option<Value> {
    let map = value.as_object()?;
    let rest: serde_json::Map<String, Value> =
        map.iter().filter(|(k, _)| !PROMPT_FIELDS.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
    (!rest.is_empty()).then_some(Value::Object(rest))
}

fn on_resolution(handler: &Handler, value: &Value) -> Option<Callback> {
    let handle = chela_plugin::value::function_handle(value.pointer("/requireApproval/onResolution")?)?;
    Some(Callback { plugin_id: handler.plugin_id.clone(), target: handler.target.clone(), handle })
}

#[cfg(test)]
mod tests;
