//! The turn: one inbound message to one answer (design: "The flow of one turn", HOOK-130).
//!
//! Each step is a function that takes a value and returns the next; what must outlive a step is in the store. The steps are, in order:
//! `accept` (journal), `receive` and `claim` (message hooks), `open` (session), `reply_hook`, `resolve_model`, `prepare` (prompt),
//! `gate`, `run_model` (model and tools, then `finalize`), `finish` (transcript, session row, end hooks).

mod claim;
mod context;
mod facts;
mod finalize;
mod finish;
mod flush;
mod gate;
mod harness;
mod inbound;
mod model_loop;
mod open;
mod prepare;
mod queued;
mod report;
mod resolve;
mod scope;
mod steer;
mod trace;
mod unheard;
mod write;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chela_commands::queue::QueueOptions;
use chela_models::{ModelRef, ToolSpec};
use chela_plugin::HookName;
use serde_json::Value;

pub use inbound::{Inbound, put_route};
pub use queued::Guidance;
pub use scope::TurnScope;

use crate::clock::now_ms;
use crate::event::{RunEvent, RunOutcome, RunRef, RunStatus};
use crate::run::RunTicket;
use crate::runtime::AgentRuntime;

/// What a run says that somebody stopped.
const ABORTED: &str = "the run was aborted";
/// How long a run whose time is over may take to keep what it has.
const WIND_DOWN: Duration = Duration::from_secs(5);

/// A run that waited longer than this says so in the log (CH-131).
const LONG_WAIT: Duration = Duration::from_secs(2);

/// Hooks that a turn waits for before it calls the model.
const WAITED_FOR: &[HookName] = &[
    HookName::InboundClaim,
    HookName::BeforeDispatch,
    HookName::BeforeAgentReply,
    HookName::BeforeModelResolve,
    HookName::AgentTurnPrepare,
    HookName::BeforePromptBuild,
    HookName::BeforeAgentStart,
    HookName::BeforeAgentRun,
];

/// Where a message came in. Entry points differ in the hooks that they pass (HOOK-133, HOOK-134).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `chat.send`, `sessions.send`: a person in a chat client.
    Chat,
    /// The `agent` method and `chela agent`.
    Agent,
    /// `/v1/chat/completions`.
    Http,
    /// A channel: the answer is delivered, not only shown.
    Channel,
}

/// One inbound message.
#[derive(Clone, Debug)]
pub struct TurnRequest {
    /// Run id: the caller's idempotency key.
    pub run_id: String,
    /// Canonical session key.
    pub session_key: String,
    /// The agent that answers.
    pub agent_id: String,
    /// The text.
    pub message: String,
    /// Image blocks `{type:"image", data, mimeType}`.
    pub images: Vec<Value>,
    /// Where it came from.
    pub entry: Entry,
    /// Surface id, such as `webchat` or a channel id.
    pub surface: String,
    /// Sender, for hooks.
    pub sender_id: Option<String>,
    /// True for the operator.
    pub sender_is_owner: bool,
    /// Operator scopes of the caller, for commands (API-142).
    pub scopes: Vec<String>,
    /// A model that the caller asks for.
    pub model: Option<ModelRef>,
    /// A thinking level that the caller asks for.
    pub thinking: Option<String>,
    /// Text to add to the system prompt of this turn.
    pub extra_system_prompt: Option<String>,
    /// Tools that the caller runs itself: a call of one ends the turn with [`RunOutcome::pending_calls`] (GW-109).
    pub client_tools: Vec<ToolSpec>,
    /// What the message itself says about waiting, where its session is busy.
    pub queue: QueueOptions,
    /// How the commands of this turn run, in place of what the session says: `execHost`, `execSecurity`, `execAsk`, `execNode`,
    /// `elevatedLevel`.
    pub exec: serde_json::Map<String, Value>,
    /// Why the turn runs: `user`, `manual`, `heartbeat`, `cron` (HOOK-008).
    pub trigger: &'static str,
    /// What the channel said, for a message of a channel.
    pub inbound: Option<Arc<Inbound>>,
    /// Longest time of the whole turn.
    pub timeout: Duration,
}

/// How a step lets the turn go on.
pub(crate) enum Step<T> {
    /// With this value.
    Next(T),
    /// The turn is over with this reply; `None` says nothing.
    Done(Reply),
}

/// A reply that a step gave instead of the model.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub text: Option<String>,
    pub error: Option<String>,
    pub blocked: bool,
}

impl Reply {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    pub(crate) fn silent() -> Self {
        Self::default()
    }

    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Self { error: Some(error.into()), ..Self::default() }
    }
}

/// Runs a turn to its end. It never fails: failures are outcomes. Runs of one session go one after another.
pub async fn run(runtime: Arc<AgentRuntime>, mut request: TurnRequest, ticket: RunTicket) -> Arc<RunOutcome> {
    let (came_ms, came) = (now_ms(), std::time::Instant::now());
    report::queued(&runtime, &request.surface, request.entry);
    let arrival = queued::arrive(&runtime, &mut request, &ticket).await;
    let start = match arrival {
        queued::Arrival::Run(start) => start,
        queued::Arrival::Over(outcome, recorded) => {
            report::settled(&runtime, &request.surface, &outcome.stop_reason, came, came_ms);
            return over(&runtime, &request, ticket, *outcome, recorded).await;
        }
    };
    let started_at_ms = now_ms();
    let cancel = ticket.cancel.clone();
    let lane = match start.lane {
        Some(lane) => Some(lane),
        None => tokio::select! {
            lane = report::in_lane(&runtime, report::SESSION_LANE, runtime.runs.lane(&request.session_key)) => Some(lane),
            () = cancel.cancelled() => None,
        },
    };
    let mut scope = TurnScope::new(&runtime, &request, &ticket, started_at_ms);
    (scope.heard, scope.others) = (start.heard, start.others);
    let slot = match &lane {
        Some(_) => tokio::select! {
            slot = report::in_lane(&runtime, report::MAIN_LANE, runtime.lanes.of(&request.session_key).acquire()) => Some(slot),
            () = cancel.cancelled() => None,
        },
        None => None,
    };
    if came.elapsed() >= LONG_WAIT {
        tracing::info!(session = request.session_key, run = request.run_id, ms = came.elapsed().as_millis() as u64, "a run waited");
    }
    let outcome = match &slot {
        Some(_) => {
            report::working(&runtime);
            scope.hooks().wake(WAITED_FOR);
            timed(&mut scope).await
        }
        // The end of the gateway is nobody's wish to drop the message: the next start keeps it.
        None if runtime.shutdown.is_cancelled() => {
            scope.fail(ABORTED.into());
            scope.recorded = true;
            scope.outcome(RunStatus::Aborted)
        }
        None => unheard::keep(&mut scope, lane.is_some()).await,
    };
    scope.record(&outcome).await;
    report::ended(&scope, &outcome, came, came_ms);
    // Whoever acknowledges the message does so before its end is known.
    if let Err(error) = ticket.gate.passed().await {
        tracing::error!(run = scope.run_id(), %error, "a run came to nothing, since its message could not be stored");
    }
    // A message that shared this turn and was not written waits anew.
    for other in scope.others.drain(..) {
        let _ = other.told.send(crate::queue::Told::Returned);
    }
    let (run, gate) = (scope.run_ref(), ticket.gate.clone());
    runtime.plugins.run_ended(&run.run_id);
    let after = context::after_turn(&mut scope, outcome.status == RunStatus::Ok);
    drop(slot);
    // The next message of the session waits until the context engine has taken this one up.
    match after {
        Some(after) => drop(runtime.after_turns.spawn(async move {
            after.await;
            drop((lane, start.place));
        })),
        None => drop((lane, start.place)),
    }
    let outcome = ticket.finish(outcome);
    gate.emit(&*runtime.sink, run, RunEvent::Ended(Box::new((*outcome).clone())));
    outcome
}

/// The end of a run whose message another run took up, or that had to go.
async fn over(
    runtime: &Arc<AgentRuntime>,
    request: &TurnRequest,
    ticket: RunTicket,
    outcome: RunOutcome,
    recorded: bool,
) -> Arc<RunOutcome> {
    if !recorded && let Err(error) = runtime.store.put_run_record(crate::journal::finished(&outcome)).await {
        tracing::error!(run = request.run_id, %error, "the end of a run could not be recorded");
    }
    let run = RunRef { run_id: request.run_id.clone(), session_key: request.session_key.clone() };
    let gate = ticket.gate.clone();
    runtime.plugins.run_ended(&run.run_id);
    let outcome = ticket.finish(outcome);
    gate.emit(&*runtime.sink, run, RunEvent::Ended(Box::new((*outcome).clone())));
    outcome
}

/// Runs the steps within the turn's time. When it is over the run is aborted, so that it keeps what was said so far.
async fn timed(scope: &mut TurnScope<'_>) -> RunOutcome {
    let (limit, cancel, late) = (scope.request.timeout, scope.cancel.clone(), scope.late.clone());
    {
        let work = steps(scope);
        tokio::pin!(work);
        tokio::select! {
            outcome = &mut work => return outcome,
            () = tokio::time::sleep(limit) => late.store(true, Ordering::Release),
        }
        cancel.cancel();
        if let Ok(outcome) = tokio::time::timeout(WIND_DOWN, work).await {
            return outcome;
        }
    }
    let status = scope.stopped();
    finish::finish(scope, status).await
}

async fn steps(scope: &mut TurnScope<'_>) -> RunOutcome {
    match answer(scope).await {
        Ok(status) => finish::finish(scope, status).await,
        Err(error) => {
            scope.fail(error.to_string());
            finish::finish(scope, RunStatus::Error).await
        }
    }
}

/// The steps up to the answer. A store failure ends the turn: going on would answer a message that is not kept.
async fn answer(scope: &mut TurnScope<'_>) -> Result<RunStatus, TurnError> {
    scope.runtime.plugins.ensure_for_turn().await;
    scope.refresh_plugins();
    if !scope.heard {
        if let Some(reply) = claim::claim_inbound(scope).await {
            return Ok(finish::reply(scope, reply).await);
        }
        claim::receive(scope);
        if let Some(reply) = claim::claim(scope).await {
            return Ok(finish::reply(scope, reply).await);
        }
    }
    claim::preprocessed(scope);
    open::open(scope).await?;
    scope.emit(RunEvent::Started { at_ms: scope.started_at_ms });
    if let Some(reply) = claim::before_reply(scope).await {
        write::user_message(scope).await?;
        return Ok(finish::reply(scope, reply).await);
    }
    let model = match resolve::model(scope).await {
        Step::Next(model) => model,
        Step::Done(reply) => {
            write::user_message(scope).await?;
            return Ok(finish::reply(scope, reply).await);
        }
    };
    let prepared = prepare::prepare(scope, &model).await?;
    if scope.cancel.is_cancelled() {
        return stopped_early(scope).await;
    }
    if let Some(reply) = gate::before_agent_run(scope, &prepared).await? {
        return Ok(finish::reply(scope, reply).await);
    }
    if scope.cancel.is_cancelled() {
        return stopped_early(scope).await;
    }
    harness::run(scope, model, prepared).await
}

/// A run that was stopped before the model was asked keeps the message.
async fn stopped_early(scope: &mut TurnScope<'_>) -> Result<RunStatus, TurnError> {
    write::user_message(scope).await?;
    Ok(scope.stopped())
}

/// Why a turn could not go on.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The session or transcript could not be written.
    #[error("the message could not be stored: {0}")]
    Store(#[from] chela_store::StoreError),
    /// A tool of the caller has the name of one that is there already, or two of them share one.
    #[error("the tool name `{0}` is taken; give the caller's tool another name")]
    ToolConflict(String),
}
