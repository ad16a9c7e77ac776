//! Calling a plugin's functions: handles, calls, host functions passed along, and their errors.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::hook::{DispatchMode, HookName, StopRule};

/// A host function that is passed to a plugin as an argument; it receives the decoded argument list.
pub type HostFn = Arc<dyn Fn(Vec<Value>) -> BoxFuture<'static, Result<Value, CallError>> + Send + Sync>;

/// A stream of the host that is passed to a plugin as an argument; an item is taken only when the plugin is ready for it.
pub type HostStream = BoxStream<'static, Result<Value, CallError>>;

/// Ids of host functions, streams and abort signals are unique in the process, so that a value that names one can travel to any lane.
static NEXT_HOST_HANDLE: AtomicU64 = AtomicU64::new(1);

/// What builds the objects that a handler expects on the plugin's side (see `PROTOCOL.md`, "Adapters").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adapter {
    /// `execute(toolCallId, params, signal, onUpdate)` of a tool.
    Tool,
    /// A tool object, or a factory of tools, resolved with a context (API-108).
    ToolFactory,
    /// A gateway method handler with `respond` (API-168).
    GatewayMethod,
    /// A Node-style `(req, res)` route handler (API-149).
    HttpRoute,
    /// A Node-style `(req, socket, head)` upgrade handler (API-164).
    HttpUpgrade,
    /// `start` or `stop` of a service object with one context identity (API-185).
    Service,
    /// A chat command handler (API-144).
    Command,
    /// A CLI registrar with a commander-compatible program (API-175).
    Cli,
    /// An internal hook handler (HOOK-266).
    InternalHook,
    /// A catalogue or hook of a model provider, with credential look-ups in its context (PRV-58).
    Provider,
    /// What opens a realtime session: its callbacks become a stream of events (PRV-298, PRV-304).
    Realtime,
    /// An operation of a channel plugin (CH-02); accounts and their contexts stay on the plugin's side.
    Channel,
    /// A function of one context, to which the worker's environment is added (API-057, API-064).
    Env,
}

impl Adapter {
    /// The adapter's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::ToolFactory => "toolFactory",
            Self::GatewayMethod => "gatewayMethod",
            Self::HttpRoute => "httpRoute",
            Self::HttpUpgrade => "httpUpgrade",
            Self::Service => "service",
            Self::Command => "command",
            Self::Cli => "cli",
            Self::InternalHook => "internalHook",
            Self::Provider => "provider",
            Self::Realtime => "realtime",
            Self::Channel => "channel",
            Self::Env => "env",
        }
    }
}

/// One call of a plugin function.
#[derive(Default)]
pub struct Call {
    /// Positional arguments, in the value encoding of `PROTOCOL.md`.
    pub args: Vec<Value>,
    /// The worker-side adapter, if the handler expects more than plain arguments.
    pub adapter: Option<Adapter>,
    /// Longest time the caller waits; `None` waits until [`Call::cancel`] fires. At the deadline the plugin's abort signal fires.
    pub budget: Option<Duration>,
    /// Cancels the call: the plugin's side sees its abort signal fire.
    pub cancel: CancellationToken,
    /// Host functions that `args` refer to as `{"$fn": id}`.
    pub fns: Vec<(u64, HostFn)>,
    /// Abort signals that `args` refer to as `{"$signal": id}`.
    pub signals: Vec<(u64, CancellationToken)>,
    // The lock is there only to make a call shareable between threads, which a stream alone is not.
    streams: Mutex<Vec<(u64, HostStream)>>,
}

impl Call {
    /// A call with plain arguments and no budget.
    pub fn new(args: Vec<Value>) -> Self {
        Self { args, ..Self::default() }
    }

    /// Uses a worker-side adapter.
    #[must_use]
    pub fn adapter(mut self, adapter: Adapter) -> Self {
        self.adapter = Some(adapter);
        self
    }

    /// Limits how long the caller waits.
    #[must_use]
    pub fn budget(mut self, budget: Option<Duration>) -> Self {
        self.budget = budget;
        self
    }

    /// Ties the call to a cancellation token.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Makes `token` known to the plugin as an abort signal and returns the value to put into the arguments.
    pub fn signal(&mut self, token: CancellationToken) -> Value {
        let id = NEXT_HOST_HANDLE.fetch_add(1, Ordering::Relaxed);
        self.signals.push((id, token));
        json!({ "$signal": id })
    }

    /// Makes `stream` readable by the plugin and returns the value to put into the arguments.
    pub fn stream(&mut self, stream: HostStream) -> Value {
        let id = NEXT_HOST_HANDLE.fetch_add(1, Ordering::Relaxed);
        self.streams.get_mut().unwrap_or_else(PoisonError::into_inner).push((id, stream));
        json!({ "$stream": id })
    }

    /// The streams that `args` refer to as `{"$stream": id}`; whoever runs the call reads them. They outlive a call that succeeds.
    pub fn take_streams(&mut self) -> Vec<(u64, HostStream)> {
        std::mem::take(self.streams.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `function` callable by the plugin while the call runs and returns the value to put into the arguments.
    pub fn function(&mut self, function: HostFn) -> Value {
        let id = NEXT_HOST_HANDLE.fetch_add(1, Ordering::Relaxed);
        self.fns.push((id, function));
        json!({ "$fn": id })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("adapter", &self.adapter).field("budget", &self.budget).finish_non_exhaustive()
    }
}

/// Why a call gave no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin's function threw or rejected.
    #[error("{message}")]
    Thrown {
        /// Name of the error class, such as `TypeError`.
        name: String,
        /// The plugin's own text.
        message: String,
        /// A `code` member of the error, if it had one.
        code: Option<String>,
        /// The plugin's stack trace, for logs only.
        stack: Option<String>,
        /// Further members that the host understands.
        data: Option<Value>,
    },
    /// The budget ran out; the abort signal was fired (HOOK-098).
    #[error("timed out after {0}ms")]
    TimedOut(u64),
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The worker ended, or was stopped, before it answered.
    #[error("plugin `{plugin}` is not running: {reason}")]
    Gone {
        /// The plugin.
        plugin: String,
        /// What happened to its worker.
        reason: String,
    },
    /// The function asked for something that the host does not offer yet.
    #[error("`{0}` is not built yet")]
    NotBuilt(String),
    /// The host refused the request of a plugin.
    #[error("{message}")]
    Refused {
        /// Stable text, such as `INVALID_PARAMS`.
        code: String,
        /// Reason and next step.
        message: String,
    },
}

impl CallError {
    /// An error with the given code and message, as a host function refuses a plugin's request.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Refused { code: code.into(), message: message.into() }
    }

    /// An error as thrown by plugin code.
    pub fn thrown(message: impl Into<String>) -> Self {
        Self::Thrown { name: "Error".into(), message: message.into(), code: None, stack: None, data: None }
    }

    /// The stable code that goes over the wire.
    pub fn code(&self) -> &str {
        match self {
            Self::Thrown { code, .. } => code.as_deref().unwrap_or("THROWN"),
            Self::TimedOut(_) => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::Gone { .. } => "GONE",
            Self::NotBuilt(_) => "NOT_BUILT",
            Self::Refused { code, .. } => code,
        }
    }
}

/// JSON that many receivers get: it is serialised, or parsed, at most once.
#[derive(Debug)]
pub struct SharedJson {
    value: OnceLock<Value>,
    text: OnceLock<Arc<str>>,
}

impl SharedJson {
    /// Wraps a value.
    pub fn new(value: Value) -> Arc<Self> {
        Arc::new(Self { value: value.into(), text: OnceLock::new() })
    }

    /// Wraps what serialises to JSON without making a [`Value`] of it, which copies all that it holds. What cannot be serialised is
    /// `null`.
    pub fn of(content: &impl serde::Serialize) -> Arc<Self> {
        let text = serde_json::to_string(content).unwrap_or_else(|_| "null".into());
        Arc::new(Self { value: OnceLock::new(), text: Arc::<str>::from(text).into() })
    }

    /// The value itself, parsed on first use.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| self.text.get().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// The same object with one member replaced.
    #[must_use]
    pub fn with(&self, name: &str, value: &Value) -> Arc<Self> {
        let mut object = self.value().clone();
        object[name] = value.clone();
        Self::new(object)
    }

    /// The value as JSON text, made on first use.
    pub fn text(&self) -> &Arc<str> {
        self.text.get_or_init(|| self.value().to_string().into())
    }
}

/// One handler within a [`HookBatch`].
#[derive(Clone, Debug)]
pub struct HandlerRef {
    /// The function's handle in its call target.
    pub handle: u64,
    /// This handler's own budget (HOOK-094, HOOK-099).
    pub timeout: Option<Duration>,
}

/// Neighbouring handlers of one hook in one worker: they travel in a single call.
#[derive(Clone, Debug)]
pub struct HookBatch {
    /// The hook.
    pub hook: HookName,
    /// The handlers in order of priority.
    pub handlers: Vec<HandlerRef>,
    /// The event.
    pub event: Arc<SharedJson>,
    /// The context object, shared by all handlers of one dispatch (HOOK-111).
    pub ctx: Arc<SharedJson>,
    /// How the handlers run beside each other.
    pub mode: DispatchMode,
    /// When to stop before the last handler.
    pub stop: Option<StopRule>,
    /// Cancels the batch.
    pub cancel: CancellationToken,
}

/// What one handler of a batch did. A batch that was stopped early has fewer outcomes than handlers.
#[derive(Clone, Debug)]
pub struct HandlerOutcome {
    /// The value it returned (`Null` for `undefined`), or its error.
    pub result: Result<Value, CallError>,
    /// True when the handler returned `undefined`: `null` is a different answer for `before_agent_run` (HOOK-108).
    pub undefined: bool,
    /// Time it took.
    pub duration: Duration,
}

/// Something that can run plugin functions: a worker process, or the closures of a builtin plugin.
#[async_trait]
pub trait CallTarget: Send + Sync + fmt::Debug {
    /// Handlers whose targets have the same key may travel in one [`HookBatch`] (same worker).
    fn worker_key(&self) -> u64;

    /// Calls the function behind `handle`.
    ///
    /// # Errors
    /// Whatever the function threw, or that it could not be reached in time.
    async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError>;

    /// Runs a batch of hook handlers in one round trip.
    ///
    /// # Errors
    /// Only when the worker as a whole failed; errors of single handlers are in their outcomes.
    async fn hooks(&self, batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError>;

    /// Says that hooks are about to be called: a worker that slept for a while is slow in its first steps, and can take them meanwhile.
    /// Costs next to nothing, and starts nothing.
    fn wake(&self) {}

    /// The Rust transport of a provider that this plugin registered natively, if it has one.
    fn transport(&self, provider_id: &str) -> Option<Arc<dyn chela_models::ModelTransport>> {
        let _ = provider_id;
        None
    }

    /// Reads a stream that a result named as `{"$stream": n}`; dropping it tells the plugin to stop.
    fn stream(&self, handle: u64) -> futures::stream::BoxStream<'static, Result<Value, CallError>> {
        let error = CallError::refused("NOT_FOUND", format!("there is no stream {handle}"));
        Box::pin(futures::stream::once(std::future::ready(Err(error))))
    }

    /// Tells the plugin's side that these handles are no longer held.
    fn release(&self, handles: &[u64]);
}

/// A plugin's function, as the host holds it.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Id of the plugin that owns the function.
    pub plugin_id: Arc<str>,
    /// Where it runs.
    pub target: Arc<dyn CallTarget>,
    /// Its handle there.
    pub handle: u64,
}

impl Callback {
    /// Calls the function.
    ///
    /// # Errors
    /// See [`CallTarget::call`].
    pub async fn call(&self, call: Call) -> Result<Value, CallError> {
        self.target.call(self.handle, call).await
    }
}
