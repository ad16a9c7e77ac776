//! What all steps of one turn share.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chela_hooks::{DispatchOptions, HookEngine, InternalBus};
use chela_models::{ThinkingLevel, ToolCall, Usage};
use chela_plugin::registry::Registry;
use chela_store::{SessionRow, StoreError, TurnCommitted};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::trace::Trace;
use super::{Entry, TurnRequest};
use crate::clock::now_ms;
use crate::event::{RunEvent, RunOutcome, RunRef, RunStatus};
use crate::gate::Gate;
use crate::history::History;
use crate::run::RunTicket;
use crate::runtime::{AgentRuntime, PluginGeneration};
use crate::send_policy::Place;
use crate::tools::LoopGuard;

/// A commit that is under way. It lies in a mutex, because a scope is shared and a future need not be.
pub(super) type EarlyCommit = BoxFuture<'static, Result<TurnCommitted, StoreError>>;

/// Longest hook that guards what an aborted run writes.
const AFTER_ABORT: Duration = Duration::from_secs(2);

/// The state of one turn. It borrows the runtime: a turn never outlives it.
pub struct TurnScope<'a> {
    /// Everything outside the turn.
    pub runtime: &'a Arc<AgentRuntime>,
    /// The inbound message.
    pub request: &'a TurnRequest,
    /// What the agent reads: the message of the request, or what `before_dispatch` made of it.
    pub message: Cow<'a, str>,
    /// Fires on abort, time-out and shutdown.
    pub cancel: CancellationToken,
    /// Keeps the run silent until its message is acknowledged.
    pub(crate) gate: Arc<Gate>,
    /// Unix ms.
    pub started_at_ms: i64,
    /// The plugins as they were when the turn began: a reload does not change a turn under way.
    plugins: PluginGeneration,
    /// The session, from `open` on.
    pub session: Option<SessionRow>,
    /// Provider and model, from `resolve` on.
    pub model: Option<(String, String)>,
    /// The model's context window in tokens, from `resolve` on.
    pub window: Option<u64>,
    /// The message hooks have run: the message waited for its turn.
    pub(super) heard: bool,
    /// Messages that share the turn, until it is written.
    pub(super) others: Vec<crate::queue::Other>,
    /// Ids that tie the records of this run together.
    pub(crate) trace: Trace,
    /// Text of the answer.
    pub text: Option<String>,
    /// Why the turn failed.
    pub error: Option<String>,
    /// Kind of a model failure for clients (GW-82).
    pub error_kind: Option<&'static str>,
    /// Tokens of all calls.
    pub usage: Usage,
    /// Tokens of the last call's context.
    pub context_tokens: u64,
    /// Last stop reason.
    pub stop_reason: &'static str,
    /// Calls that are left to the caller.
    pub pending_calls: Vec<ToolCall>,
    /// Entry id of the answer.
    pub message_id: Option<String>,
    /// Messages of this turn, for `agent_end`.
    pub written: Vec<Value>,
    /// The harness of a plugin that runs the turn.
    pub(super) harness: Option<String>,
    /// The context engine of a plugin, from `prepare` on.
    pub(super) engine: Option<super::context::EngineTurn>,
    /// History as the model saw it, for `agent_end`.
    pub history: History,
    /// What `before_agent_run` blocked.
    pub blocked: bool,
    /// True once the model was asked: `llm_output` follows only then (HOOK-151).
    pub model_called: bool,
    /// True once the user's message is in the transcript.
    pub user_written: bool,
    /// The user's message while it is being written beside the hooks of the prompt.
    pub(super) early: Mutex<Option<(Value, EarlyCommit)>>,
    /// True once the session row says that the run has ended.
    pub row_closed: bool,
    /// True once the journal says so.
    pub(super) recorded: bool,
    /// True once `agent_end` has fired.
    pub(super) announced: bool,
    /// Set when the time of the turn is over.
    pub(super) late: Arc<AtomicBool>,
    /// Watches for tool calls that go round in circles.
    pub(super) loops: LoopGuard,
    /// What the group of the message says about tools, once it was asked for.
    pub(crate) group: tokio::sync::OnceCell<Option<Value>>,
}

impl<'a> TurnScope<'a> {
    pub(super) fn new(runtime: &'a Arc<AgentRuntime>, request: &'a TurnRequest, ticket: &RunTicket, started_at_ms: i64) -> Self {
        Self {
            runtime,
            request,
            message: Cow::Borrowed(&request.message),
            cancel: ticket.cancel.clone(),
            gate: ticket.gate.clone(),
            started_at_ms,
            plugins: runtime.plugins.current(),
            session: None,
            model: None,
            window: None,
            heard: false,
            others: Vec::new(),
            trace: Trace::new(),
            text: None,
            error: None,
            error_kind: None,
            usage: Usage::default(),
            context_tokens: 0,
            stop_reason: "stop",
            pending_calls: Vec::new(),
            message_id: None,
            written: Vec::new(),
            engine: None,
            harness: None,
            history: History::default(),
            blocked: false,
            model_called: false,
            user_written: false,
            early: Mutex::default(),
            row_closed: false,
            recorded: false,
            announced: false,
            late: Arc::default(),
            loops: runtime.loop_guard(&request.agent_id),
            group: tokio::sync::OnceCell::new(),
        }
    }

    /// Takes the plugins that were started for this turn.
    pub(super) fn refresh_plugins(&mut self) {
        self.plugins = self.runtime.plugins.current();
    }

    /// The registry of this turn.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.plugins.registry
    }

    /// The plugins of this turn.
    pub(super) fn generation(&self) -> &PluginGeneration {
        &self.plugins
    }

    /// The dispatcher of typed hooks.
    pub fn hooks(&self) -> &Arc<HookEngine> {
        &self.plugins.hooks
    }

    /// Options of a dispatch that ends with the turn.
    pub fn options(&self) -> DispatchOptions {
        DispatchOptions { cancel: self.cancel.clone(), budget_override: None }
    }

    /// The bus of internal events.
    pub fn internal(&self) -> &Arc<InternalBus> {
        &self.plugins.internal
    }

    /// The thinking level: the caller's, else the session's.
    pub fn thinking_level(&self) -> Option<ThinkingLevel> {
        let of_session = || self.session.as_ref()?.extra.get("thinkingLevel")?.as_str().map(str::to_string);
        ThinkingLevel::parse(&self.request.thinking.clone().or_else(of_session)?)
    }

    /// Run id.
    pub fn run_id(&self) -> &str {
        &self.request.run_id
    }

    /// Session key.
    pub fn session_key(&self) -> &str {
        &self.request.session_key
    }

    /// Session id; empty before `open`.
    pub fn session_id(&self) -> &str {
        self.session.as_ref().map(|s| s.session_id.as_str()).unwrap_or_default()
    }

    /// The agent's workspace.
    pub fn workspace(&self) -> PathBuf {
        self.runtime.workspace_of(&self.request.agent_id)
    }

    /// Tells the outside.
    pub fn emit(&self, event: RunEvent) {
        self.gate.emit(&*self.runtime.sink, self.run_ref(), event);
    }

    pub(super) fn run_ref(&self) -> RunRef {
        RunRef { run_id: self.request.run_id.clone(), session_key: self.request.session_key.clone() }
    }

    /// Options of a hook that guards the transcript: it is asked also when the run was aborted, because what the run said so far is
    /// written all the same.
    pub fn write_options(&self) -> DispatchOptions {
        DispatchOptions { cancel: CancellationToken::new(), budget_override: self.cancel.is_cancelled().then_some(AFTER_ABORT) }
    }

    /// The turn was stopped: by somebody, or because its time is over.
    pub(super) fn stopped(&mut self) -> RunStatus {
        if self.late.load(Ordering::Acquire) {
            self.stop_reason = "timeout";
            self.error = Some(format!("the turn took longer than {} s", self.request.timeout.as_secs_f64()));
            return RunStatus::Timeout;
        }
        self.stop_reason = "aborted";
        self.error.get_or_insert_with(|| super::ABORTED.into());
        RunStatus::Aborted
    }

    /// Writes the end of the run into the journal, unless the answer's own commit did.
    pub(super) async fn record(&mut self, outcome: &RunOutcome) {
        if std::mem::replace(&mut self.recorded, true) {
            return;
        }
        if let Err(error) = self.runtime.store.put_run_record(crate::journal::finished(outcome)).await {
            tracing::error!(run = self.run_id(), %error, "the end of a run could not be recorded");
        }
    }

    /// True when nothing that this turn says may leave through its channel.
    pub(super) fn delivery_denied(&self, row: Option<&SessionRow>) -> bool {
        let kind = self.request.inbound.as_ref().and_then(|i| i.text("ChatType"));
        let place = Place { key: self.session_key(), channel: &self.request.surface, chat_type: kind.as_deref() };
        self.request.entry == Entry::Channel && crate::send_policy::denies(&self.runtime.config(), row, place)
    }

    /// Marks the turn as failed.
    pub(super) fn fail(&mut self, error: String) {
        self.error = Some(error);
    }

    /// `AgentCtx` (HOOK-001) with model and trace: what the hooks around the prompt get.
    pub fn agent_context(&self) -> Value {
        let mut ctx = self.model_context();
        ctx["trace"] = self.trace.of_run();
        ctx
    }

    /// `AgentCtx` without the model, for the hooks that name it in their event (HOOK-058..060).
    pub fn outcome_context(&self) -> Value {
        let mut ctx = self.early_context();
        ctx["trace"] = self.trace.of_run();
        ctx
    }

    /// `AgentCtx` with the model and no trace: before the model is settled (HOOK-048).
    pub fn model_context(&self) -> Value {
        let mut ctx = self.early_context();
        if let Some((provider, model)) = &self.model {
            ctx["modelProviderId"] = provider.clone().into();
            ctx["modelId"] = model.clone().into();
        }
        ctx
    }

    /// `AgentCtx` before a model is chosen. Members that are not known yet are left out.
    pub fn early_context(&self) -> Value {
        let request = self.request;
        let mut ctx = Map::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value.filter(|v| !v.is_empty()) {
                ctx.insert(key.into(), value.into());
            }
        };
        put("runId", Some(request.run_id.clone()));
        put("agentId", Some(request.agent_id.clone()));
        put("sessionKey", Some(request.session_key.clone()));
        put("sessionId", Some(self.session_id().to_string()));
        put("workspaceDir", Some(self.workspace().to_string_lossy().into_owned()));
        put("messageProvider", Some(request.surface.clone()));
        put("trigger", Some(request.trigger.to_string()));
        let inbound = request.inbound.as_ref();
        put(
            "channelId",
            Some(inbound.map_or_else(|| request.surface.clone(), |i| i.hook_channel_id(self.session_key(), &request.surface))),
        );
        self.put_origin(&mut ctx);
        Value::Object(ctx)
    }

    /// `MsgCtx` (HOOK-002).
    pub fn message_context(&self) -> Value {
        let mut ctx = json!({
            "channelId": self.request.surface.to_lowercase(),
            "conversationId": self.request.session_key,
            "sessionKey": self.request.session_key,
            "runId": self.request.run_id,
            "messageId": self.request.run_id,
            "senderId": self.request.sender_id,
        });
        if let Some(inbound) = &self.request.inbound {
            inbound.extend_context(&mut ctx);
        }
        ctx
    }

    /// The outcome as it stands.
    pub(super) fn outcome(&self, status: RunStatus) -> RunOutcome {
        let (provider, model) = self.model.clone().unwrap_or_default();
        RunOutcome {
            run_id: self.request.run_id.clone(),
            session_key: self.request.session_key.clone(),
            session_id: self.session_id().to_string(),
            status,
            text: self.text.clone(),
            error: self.error.clone(),
            error_kind: self.error_kind,
            provider,
            model,
            usage: self.usage,
            stop_reason: self.stop_reason.to_string(),
            pending_calls: self.pending_calls.clone(),
            started_at_ms: self.started_at_ms,
            ended_at_ms: now_ms(),
            message_id: self.message_id.clone(),
        }
    }
}
