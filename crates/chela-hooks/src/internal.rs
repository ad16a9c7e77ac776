//! The internal bus: `HOOK.md` style events for `api.registerHook` handlers (HOOK-115, HOOK-116, HOOK-266..270).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chela_plugin::register::entries::InternalHook;
use chela_plugin::{Adapter, Call, CallError, Callback, Registry, SharedJson};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::counters::HandlerStats;
use crate::text::error_text;
use crate::watch::{HandlerCall, HookKind, HookWatch};

/// The budget of a handler that nothing else limits. The reference has none (HOOK-269).
const DEFAULT_BUDGET: Duration = Duration::from_secs(30);

/// How one event is emitted.
#[derive(Clone, Debug)]
pub struct EmitOptions {
    /// Longest time for one handler.
    pub budget: Duration,
    /// Ends the emission; handlers see their abort signal fire.
    pub cancel: CancellationToken,
    /// Only these plugins' handlers; all where `None`.
    pub only: Option<Vec<String>>,
}

impl Default for EmitOptions {
    fn default() -> Self {
        Self { budget: DEFAULT_BUDGET, cancel: CancellationToken::new(), only: None }
    }
}

/// What the handlers left behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmitResult {
    /// Texts that handlers pushed, in order (HOOK-280).
    pub messages: Vec<String>,
    /// The context after the last handler, for events whose context is an answer (HOOK-276).
    pub context: Value,
}

#[derive(Clone, Debug)]
struct Listener {
    name: String,
    callback: Callback,
    plugin_config: Value,
    stats: Arc<HandlerStats>,
}

/// Calls internal handlers one after another, the subscribers of the type first (HOOK-267).
#[derive(Debug)]
pub struct InternalBus {
    listeners: ArcSwap<HashMap<String, Vec<Listener>>>,
    enabled: AtomicBool,
    watch: Arc<HookWatch>,
}

impl InternalBus {
    /// A bus for the handlers of a registry.
    pub fn new(registry: &Registry) -> Self {
        Self::watched(registry, Arc::default())
    }

    /// A bus whose calls are counted and watched together with those of an engine.
    pub fn watched(registry: &Registry, watch: Arc<HookWatch>) -> Self {
        let listeners = ArcSwap::from_pointee(listeners(&registry.internal_hooks, &watch));
        Self { listeners, enabled: AtomicBool::new(true), watch }
    }

    /// Replaces the handlers by those of another registry.
    pub fn swap(&self, registry: &Registry) {
        self.listeners.store(Arc::new(listeners(&registry.internal_hooks, &self.watch)));
    }

    /// Silences or wakes the whole bus (HOOK-288).
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// True when the event has a listener: otherwise the caller need not build its context.
    pub fn has(&self, kind: &str, action: &str) -> bool {
        let listeners = self.listeners.load();
        self.enabled.load(Ordering::Relaxed) && (listeners.contains_key(kind) || listeners.contains_key(&format!("{kind}:{action}")))
    }

    /// Emits `kind:action` with the default budget for each handler.
    pub async fn emit(&self, kind: &str, action: &str, session_key: &str, context: Value) -> EmitResult {
        self.emit_with(kind, action, session_key, context, EmitOptions::default()).await
    }

    /// Emits `kind:action`. A failing handler is logged and the next one runs (HOOK-269).
    pub async fn emit_with(&self, kind: &str, action: &str, session_key: &str, context: Value, options: EmitOptions) -> EmitResult {
        let mut result = EmitResult { messages: Vec::new(), context };
        if !self.enabled.load(Ordering::Relaxed) {
            return result;
        }
        let listeners = self.listeners.load_full();
        let key = format!("{kind}:{action}");
        let general = listeners.get(kind).into_iter().flatten();
        let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        for listener in general.chain(listeners.get(&key).into_iter().flatten()) {
            if options.cancel.is_cancelled() {
                break;
            }
            if options.only.as_ref().is_some_and(|only| !only.iter().any(|id| *id == *listener.callback.plugin_id)) {
                continue;
            }
            let event = json!({
                "type": kind,
                "action": action,
                "sessionKey": session_key,
                "context": with_config(&result.context, &listener.plugin_config),
                "timestamp": { "$date": timestamp },
                "messages": result.messages,
            });
            let seen = self.watch.any().then(|| SharedJson::new(event.clone()));
            let begun = Instant::now();
            let answer = listener.call(event, &options).await;
            let took = begun.elapsed();
            listener.stats.ran(took);
            if let Some(event) = &seen {
                self.watch.tell(&HandlerCall {
                    plugin_id: &listener.callback.plugin_id,
                    kind: HookKind::Internal,
                    hook: &key,
                    event,
                    ctx: None,
                    result: &answer,
                    took,
                    budget: Some(options.budget),
                });
            }
            match answer {
                Ok(answer) => result.take(&answer),
                Err(error) => {
                    let text = error_text(&error.to_string());
                    listener.stats.failed(matches!(error, CallError::TimedOut(_)), &text);
                    tracing::error!(target: "hooks", plugin = %listener.callback.plugin_id, hook = listener.name, "Hook error [{key}]: {text}");
                }
            }
        }
        result
    }
}

impl Listener {
    /// The target keeps the budget; the limit here bounds a target that does not.
    async fn call(&self, event: Value, options: &EmitOptions) -> Result<Value, CallError> {
        let cancel = options.cancel.child_token();
        let call = Call::new(vec![event]).adapter(Adapter::InternalHook).budget(Some(options.budget)).cancelled_by(cancel.clone());
        let limit = options.budget.saturating_add(Duration::from_millis(500));
        let result = tokio::select! {
            biased;
            result = self.callback.call(call) => result,
            () = tokio::time::sleep(limit) => Err(CallError::TimedOut(u64::try_from(options.budget.as_millis()).unwrap_or(u64::MAX))),
        };
        if result.is_err() {
            cancel.cancel();
        }
        result
    }
}

impl EmitResult {
    /// Reads `{messages?, context?}`; the handler's own config does not travel on (HOOK-116).
    fn take(&mut self, answer: &Value) {
        if let Some(messages) = answer.get("messages").and_then(Value::as_array) {
            self.messages = messages.iter().filter_map(Value::as_str).map(Into::into).collect();
        }
        if let Some(Value::Object(context)) = answer.get("context") {
            let own = self.context.get("pluginConfig").cloned();
            let mut context = context.clone();
            match own {
                Some(own) => drop(context.insert("pluginConfig".into(), own)),
                None => drop(context.shift_remove("pluginConfig")),
            }
            self.context = Value::Object(context);
        }
    }
}

/// HOOK-115: each handler gets its own plugin's config.
fn with_config(context: &Value, config: &Value) -> Value {
    let mut context = context.clone();
    if let Value::Object(map) = &mut context
        && !config.is_null()
    {
        map.insert("pluginConfig".into(), config.clone());
    }
    context
}

fn listeners(hooks: &[InternalHook], watch: &HookWatch) -> HashMap<String, Vec<Listener>> {
    let mut table: HashMap<String, Vec<Listener>> = HashMap::new();
    for hook in hooks.iter().filter(|h| h.active) {
        for event in &hook.events {
            let listener = Listener {
                name: hook.name.clone(),
                callback: hook.callback.clone(),
                plugin_config: hook.plugin_config.clone(),
                stats: watch.counters.of_internal(&hook.callback.plugin_id, event),
            };
            table.entry(event.clone()).or_default().push(listener);
        }
    }
    table
}

#[cfg(test)]
mod tests;
