//! How a message comes to its turn: at once, after others, together with others, or inside a run that is under way (CH-126..132).

use std::borrow::Cow;
use std::sync::Arc;

use chela_commands::queue::{QueueMode, QueueOptions, QueueSettings};
use chela_plugin::HookName;
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::{Entry, Inbound, TurnRequest, TurnScope, claim, finish};
use crate::clock::now_ms;
use crate::event::{RunOutcome, RunStatus};
use crate::queue::{Enqueued, Offered, Other, Place, Route, Told, Waiting};
use crate::run::RunTicket;
use crate::runtime::AgentRuntime;

/// How a message comes to its turn.
pub(super) enum Arrival {
    /// It runs now.
    Run(Start),
    /// It needs no turn of its own; true when the journal says so already.
    Over(Box<RunOutcome>, bool),
}

/// What a run brings from its way here.
pub(super) struct Start {
    pub(super) place: Place,
    pub(super) lane: Option<OwnedMutexGuard<()>>,
    /// Its message hooks have run.
    pub(super) heard: bool,
    /// Messages that share the turn.
    pub(super) others: Vec<Other>,
}

impl Start {
    fn now(place: Place) -> Self {
        Self { place, lane: None, heard: false, others: Vec::new() }
    }
}

/// Lets a message in. Runs of clients and plugins wait for their turn in order; what people write follows the rules of the queue.
pub(super) async fn arrive(runtime: &Arc<AgentRuntime>, request: &mut TurnRequest, ticket: &RunTicket) -> Arrival {
    let (key, run_id) = (request.session_key.clone(), request.run_id.clone());
    if !matches!(request.entry, Entry::Chat | Entry::Channel) {
        return Arrival::Run(Start::now(runtime.queues.enter(&key, &run_id)));
    }
    if let Some(place) = runtime.queues.enter_idle(&key, &run_id) {
        return Arrival::Run(Start::now(place));
    }
    if request.trigger == "heartbeat" {
        return over(request, "", "dropped", false);
    }
    // Another run may tell of this message from now on, so it must be safe first.
    if ticket.gate.passed().await.is_err() {
        return Arrival::Run(Start::now(runtime.queues.enter(&key, &run_id)));
    }
    if let Some(outcome) = heard(runtime, request, ticket).await {
        return Arrival::Over(Box::new(outcome), false);
    }
    let settings = settings(runtime, request).await;
    if settings.mode == QueueMode::Interrupt {
        let aborted = runtime.runs.abort_session_but(&key, &run_id);
        runtime.queues.clear(&key);
        tracing::info!(session = key, aborted = aborted.len(), "a newer message interrupts");
        return Arrival::Run(Start { heard: true, ..Start::now(runtime.queues.enter(&key, &run_id)) });
    }
    if settings.mode.steers() && may_steer(runtime) {
        match offer(runtime, request, ticket, settings.mode).await {
            Some(Told::Taken { session_id }) if settings.mode != QueueMode::SteerBacklog => {
                return over(request, &session_id, "steered", true);
            }
            Some(Told::Dropped) => return over(request, "", "dropped", false),
            _ if ticket.cancel.is_cancelled() => return stopped(runtime, request),
            // Nobody took it, it came back, or it gets a turn of its own as well.
            _ => {}
        }
    }
    wait(runtime, request, ticket, settings).await
}

/// The message hooks of a message that cannot run yet; they tell of its arrival, so they do not wait. `Some` when a plugin took it.
async fn heard(runtime: &Arc<AgentRuntime>, request: &mut TurnRequest, ticket: &RunTicket) -> Option<RunOutcome> {
    runtime.plugins.ensure_for_turn().await;
    let mut scope = TurnScope::new(runtime, request, ticket, now_ms());
    let reply = match claim::claim_inbound(&scope).await {
        Some(reply) => Some(reply),
        None => {
            claim::receive(&scope);
            claim::claim(&mut scope).await
        }
    };
    if let Some(reply) = reply {
        let status = finish::reply(&mut scope, reply).await;
        return Some(finish::finish(&mut scope, status).await);
    }
    let rewritten = match std::mem::take(&mut scope.message) {
        Cow::Owned(text) => Some(text),
        Cow::Borrowed(_) => None,
    };
    drop(scope);
    if let Some(text) = rewritten {
        request.message = text;
    }
    None
}

async fn settings(runtime: &Arc<AgentRuntime>, request: &TurnRequest) -> QueueSettings {
    let row = runtime.store.session(&request.session_key).await.ok().flatten();
    let session = row.map(|row| QueueOptions::of_row(&row.extra)).unwrap_or_default();
    let config = runtime.config();
    let config = config.get("messages.queue").unwrap_or(&Value::Null);
    let channel = runtime.plugins.current().registry.channel(&request.surface);
    let of_plugin = channel.and_then(|c| c.plugin.value().pointer("/defaults/queue/debounceMs").and_then(Value::as_u64));
    QueueSettings::resolve(config, &request.surface, &request.queue, &session, of_plugin)
}

/// A message that the hooks before a run must see gets a turn of its own: a policy must not be passed by.
fn may_steer(runtime: &AgentRuntime) -> bool {
    let hooks = runtime.plugins.current().hooks;
    !hooks.has(HookName::BeforeAgentRun) && !hooks.has(HookName::BeforeAgentReply)
}

pub(super) fn route_of(request: &TurnRequest) -> Route {
    route(&request.surface, request.inbound.as_ref(), request.sender_id.clone(), request.sender_is_owner)
}

fn route(surface: &str, inbound: Option<&Arc<Inbound>>, sender: Option<String>, owner: bool) -> Route {
    Route { to: inbound.map_or_else(|| surface.to_string(), |i| i.delivery(surface).to_string()), sender, owner }
}

/// Something that the run under way should know (`/steer`).
pub struct Guidance<'a> {
    /// The session.
    pub session_key: &'a str,
    /// Where it was said.
    pub surface: &'a str,
    /// What the channel said, for a message of a channel.
    pub inbound: Option<&'a Arc<Inbound>>,
    /// Who said it.
    pub sender_id: Option<String>,
    /// True for the operator.
    pub owner: bool,
    /// The text.
    pub text: &'a str,
}

impl AgentRuntime {
    /// Tells the run under way something; false when there is none that takes anything up. No run begins.
    pub fn steer(&self, guidance: Guidance<'_>) -> bool {
        if !may_steer(self) {
            return false;
        }
        let (told, hears) = oneshot::channel();
        let route = route(guidance.surface, guidance.inbound, guidance.sender_id, guidance.owner);
        let offered = Offered {
            run_id: uuid::Uuid::new_v4().to_string(),
            text: guidance.text.to_string(),
            images: Vec::new(),
            alone: false,
            // There is no run whose end could be recorded.
            goes_on: true,
            told,
        };
        let session = guidance.session_key.to_string();
        let taken = self.queues.offer(&session, offered, &route).is_ok();
        if taken {
            tokio::spawn(async move {
                if !matches!(hears.await, Ok(Told::Taken { .. })) {
                    tracing::warn!(session, "the run ended before it took up what it was told");
                }
            });
        }
        taken
    }
}

/// Offers the message to the run under way and waits for what becomes of it; `None` when no run takes it.
async fn offer(runtime: &AgentRuntime, request: &TurnRequest, ticket: &RunTicket, mode: QueueMode) -> Option<Told> {
    let (told, hears) = oneshot::channel();
    let offered = Offered {
        run_id: request.run_id.clone(),
        text: request.message.clone(),
        images: request.images.clone(),
        alone: mode == QueueMode::Queue,
        goes_on: mode == QueueMode::SteerBacklog,
        told,
    };
    runtime.queues.offer(&request.session_key, offered, &route_of(request)).ok()?;
    told_or_stopped(hears, ticket).await
}

async fn told_or_stopped(hears: oneshot::Receiver<Told>, ticket: &RunTicket) -> Option<Told> {
    tokio::select! {
        biased;
        told = hears => told.ok(),
        () = ticket.cancel.cancelled() => None,
    }
}

async fn wait(runtime: &Arc<AgentRuntime>, request: &mut TurnRequest, ticket: &RunTicket, settings: QueueSettings) -> Arrival {
    loop {
        let (told, hears) = oneshot::channel();
        let from = request.inbound.as_ref().and_then(|i| i.text("SenderName").or_else(|| i.text("SenderUsername")));
        let waiting = Waiting {
            run_id: request.run_id.clone(),
            text: request.message.clone(),
            images: request.images.clone(),
            from,
            route: route_of(request),
            told,
        };
        match runtime.queues.enqueue(&request.session_key, waiting, &settings) {
            Enqueued::Refused => return over(request, "", "dropped", false),
            Enqueued::Waits(true) => {
                tokio::spawn(runtime.queues.clone().serve(runtime.runs.clone(), request.session_key.clone()));
            }
            Enqueued::Waits(false) => {}
        }
        match told_or_stopped(hears, ticket).await {
            Some(Told::Go(go)) => {
                if let Some(text) = go.text {
                    request.message = text;
                }
                if !go.images.is_empty() {
                    request.images = go.images;
                }
                return Arrival::Run(Start { place: go.place, lane: Some(go.lane), heard: true, others: go.others });
            }
            Some(Told::Taken { session_id }) => return over(request, &session_id, "collected", true),
            Some(Told::Dropped) => return over(request, "", "dropped", false),
            Some(Told::Returned) if !ticket.cancel.is_cancelled() => {}
            // Whoever led the turn that this message shared came to nothing before it was written.
            _ => return stopped(runtime, request),
        }
    }
}

fn over(request: &TurnRequest, session_id: &str, reason: &str, recorded: bool) -> Arrival {
    Arrival::Over(Box::new(quiet_outcome(&request.run_id, &request.session_key, session_id, reason)), recorded)
}

/// A message whose wait was ended: its run keeps it, unanswered.
fn stopped(runtime: &Arc<AgentRuntime>, request: &TurnRequest) -> Arrival {
    let place = runtime.queues.enter(&request.session_key, &request.run_id);
    Arrival::Run(Start { heard: true, ..Start::now(place) })
}

/// The outcome of a run that has nothing to say itself.
pub(super) fn quiet_outcome(run_id: &str, session_key: &str, session_id: &str, reason: &str) -> RunOutcome {
    let at = now_ms();
    RunOutcome {
        run_id: run_id.into(),
        session_key: session_key.into(),
        session_id: session_id.into(),
        status: RunStatus::Ok,
        text: None,
        error: None,
        error_kind: None,
        provider: String::new(),
        model: String::new(),
        usage: chela_models::Usage::default(),
        stop_reason: reason.into(),
        pending_calls: Vec::new(),
        started_at_ms: at,
        ended_at_ms: at,
        message_id: None,
    }
}
