//! The builtin lane: bundled plugins written in Rust, on the same registrations as everyone (`PluginApi` pushes the same records).

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::call::{Call, CallError, CallTarget, HandlerOutcome, HookBatch};
use crate::hook::{DispatchMode, HookName, StopRule};
use crate::host::HostServices;
use crate::lane::{
    Definition, Lane, LinkReport, PluginControl, PluginSpec, Registration, StartError, StartPhase, StartedPlugin, WorkerState, WorkerStatus,
};

/// A closure that a builtin plugin registered.
pub type BuiltinFn = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Value, CallError>> + Send + Sync>;

/// A bundled plugin written in Rust.
pub trait BuiltinPlugin: Send + Sync {
    /// Its `openclaw.plugin.json`.
    fn manifest(&self) -> &'static str;

    /// Registers what it offers; the counterpart of `register(api)` in JavaScript.
    ///
    /// # Errors
    /// A message for people; everything it registered is dropped then.
    fn register(&self, api: &mut PluginApi) -> Result<(), String>;
}

/// What a builtin plugin registers with.
pub struct PluginApi {
    spec: PluginSpec,
    host: Arc<dyn HostServices>,
    registrations: Vec<Registration>,
    functions: HashMap<u64, BuiltinFn>,
    transports: Vec<(String, Arc<dyn chela_models::ModelTransport>)>,
    next: u64,
}

impl PluginApi {
    /// The plugin's validated config (API-017).
    pub fn plugin_config(&self) -> &Value {
        &self.spec.plugin_config
    }

    /// The plugin's facts.
    pub fn spec(&self) -> &PluginSpec {
        &self.spec
    }

    /// Services of the host.
    pub fn host(&self) -> Arc<dyn HostServices> {
        self.host.clone()
    }

    /// Turns a closure into a value that registrations can carry.
    pub fn function<F, Fut>(&mut self, f: F) -> Value
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
    {
        let handle = self.next;
        self.next += 1;
        self.functions.insert(handle, Arc::new(move |call| Box::pin(f(call))));
        json!({ "$fn": handle })
    }

    /// Records any registration method, exactly as a JavaScript plugin's call would be recorded.
    pub fn register(&mut self, method: &str, args: Vec<Value>) {
        self.registrations.push(Registration { method: method.into(), args });
    }

    /// `api.on(hook, handler, {priority})`: the handler gets `[event, ctx]` as arguments and returns the hook's result or `Null`.
    pub fn on<F, Fut>(&mut self, hook: HookName, priority: i64, handler: F)
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, CallError>> + Send + 'static,
    {
        let function = self.function(handler);
        self.register("on", vec![hook.as_str().into(), function, json!({ "priority": priority })]);
    }

    /// `api.registerProvider` for a provider whose transport is Rust code.
    pub fn register_provider(&mut self, provider: Value, transport: Arc<dyn chela_models::ModelTransport>) {
        let id = provider.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
        self.transports.push((id, transport));
        self.register("registerProvider", vec![provider]);
    }
}

/// Runs bundled Rust plugins inside the gateway process.
pub struct BuiltinLane {
    plugins: HashMap<String, Arc<dyn BuiltinPlugin>>,
}

impl BuiltinLane {
    /// A lane that knows these plugins by manifest id.
    pub fn new(plugins: Vec<(String, Arc<dyn BuiltinPlugin>)>) -> Self {
        Self { plugins: plugins.into_iter().collect() }
    }

    /// True when `id` is one of its plugins.
    pub fn has(&self, id: &str) -> bool {
        self.plugins.contains_key(id)
    }
}

static NEXT_KEY: AtomicU64 = AtomicU64::new(1 << 32);

#[async_trait]
impl Lane for BuiltinLane {
    fn name(&self) -> &'static str {
        "builtin"
    }

    async fn start(&self, spec: PluginSpec, host: Arc<dyn HostServices>) -> Result<StartedPlugin, StartError> {
        let fail = |phase, message| StartError { phase, message, transient: false };
        let begun = Instant::now();
        let Some(plugin) = self.plugins.get(&spec.id).cloned() else {
            return Err(fail(StartPhase::Load, format!("no builtin plugin has the id `{}`", spec.id)));
        };
        let mut api = PluginApi { spec, host, registrations: Vec::new(), functions: HashMap::new(), transports: Vec::new(), next: 1 };
        plugin.register(&mut api).map_err(|e| fail(StartPhase::Register, format!("plugin failed during register: {e}")))?;
        let target = Arc::new(BuiltinTarget {
            plugin_id: api.spec.id.clone(),
            key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
            functions: api.functions,
            config: RwLock::new(api.spec.config.clone()),
            transports: api.transports.into_iter().collect(),
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
        });
        Ok(StartedPlugin {
            definition: Definition { shape: Some("register".into()), ..Definition::default() },
            registrations: api.registrations,
            link_report: LinkReport::default(),
            target: target.clone(),
            control: target,
            duration: begun.elapsed(),
        })
    }
}

struct BuiltinTarget {
    plugin_id: String,
    key: u64,
    functions: HashMap<u64, BuiltinFn>,
    config: RwLock<Arc<Value>>,
    transports: HashMap<String, Arc<dyn chela_models::ModelTransport>>,
    calls: AtomicU64,
    errors: AtomicU64,
}

impl fmt::Debug for BuiltinTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuiltinTarget({})", self.plugin_id)
    }
}

impl BuiltinTarget {
    /// Puts the config where it is only meant, as the worker of another lane does.
    fn with_config(&self, args: &mut [Value]) {
        for arg in args {
            for pointer in ["", "/config", "/cfg", "/ctx/config"] {
                if let Some(place) = arg.pointer_mut(pointer).filter(|value| crate::value::is_gateway_config(value)) {
                    place.clone_from(&self.config.read().unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    }
}

#[async_trait]
impl CallTarget for BuiltinTarget {
    fn worker_key(&self) -> u64 {
        self.key
    }

    fn transport(&self, provider_id: &str) -> Option<Arc<dyn chela_models::ModelTransport>> {
        self.transports.get(provider_id).cloned()
    }

    async fn call(&self, handle: u64, mut call: Call) -> Result<Value, CallError> {
        self.with_config(&mut call.args);
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(function) = self.functions.get(&handle) else {
            return Err(CallError::refused("NOT_FOUND", format!("plugin `{}` has no function {handle}", self.plugin_id)));
        };
        let (budget, cancel) = (call.budget, call.cancel.clone());
        let work = function(call);
        let limited = async {
            match budget {
                Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or(Err(CallError::TimedOut(limit.as_millis() as u64))),
                None => work.await,
            }
        };
        let result = tokio::select! {
            result = limited => result,
            () = cancel.cancelled() => Err(CallError::Cancelled),
        };
        if result.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    async fn hooks(&self, batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        let run = |event: &Value, handle: u64, timeout: Option<Duration>| {
            let call = Call::new(vec![event.clone(), batch.ctx.value().clone()]).budget(timeout).cancelled_by(batch.cancel.clone());
            async move {
                let begun = Instant::now();
                let result = self.call(handle, call).await;
                let undefined = matches!(&result, Ok(Value::Null));
                HandlerOutcome { result, undefined, duration: begun.elapsed() }
            }
        };
        if batch.mode == DispatchMode::Parallel {
            return Ok(futures::future::join_all(batch.handlers.iter().map(|h| run(batch.event.value(), h.handle, h.timeout))).await);
        }
        let mut outcomes = Vec::with_capacity(batch.handlers.len());
        let mut event = batch.event.clone();
        for handler in &batch.handlers {
            let outcome = run(event.value(), handler.handle, handler.timeout).await;
            if let Some((name, value)) = outcome.result.as_ref().ok().and_then(|result| batch.hook.carried(result)) {
                event = event.with(name, value);
            }
            let stop = match (&outcome.result, batch.stop) {
                (Ok(value), Some(rule)) => rule.satisfied_by(value, outcome.undefined),
                (Err(_), _) => batch.hook.fails_closed(),
                _ => false,
            };
            outcomes.push(outcome);
            if stop {
                break;
            }
        }
        Ok(outcomes)
    }

    fn release(&self, _handles: &[u64]) {}
}

#[async_trait]
impl PluginControl for BuiltinTarget {
    async fn stop(&self, _reason: &str, _grace: Duration) {}

    fn status(&self) -> WorkerStatus {
        WorkerStatus {
            state: WorkerState::Running,
            lane: "builtin",
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            ..WorkerStatus::default()
        }
    }

    fn notify(&self, name: &str, payload: &Value) {
        if name == "config" {
            *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(payload.clone());
        }
    }
}

impl StopRule {
    /// True when a handler's result ends the chain (HOOK-110).
    pub fn satisfied_by(self, result: &Value, undefined: bool) -> bool {
        let truthy = |key: &str| match result.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(s)) => !s.is_empty(),
            Some(Value::Number(n)) => n.as_f64() != Some(0.0),
            Some(_) => true,
        };
        match self {
            Self::Block => result.get("block") == Some(&Value::Bool(true)),
            Self::Cancel => result.get("cancel") == Some(&Value::Bool(true)),
            Self::BlockTruthy => truthy("block"),
            Self::Handled => truthy("handled"),
            Self::Outcome => !undefined && !is_valid_pass(result),
        }
    }
}

/// A valid pass has exactly one key, `outcome` (HOOK-143).
fn is_valid_pass(result: &Value) -> bool {
    result.as_object().is_some_and(|o| o.len() == 1 && o.get("outcome") == Some(&json!("pass")))
}
