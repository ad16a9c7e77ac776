//! What a turn tells to telemetry. Facts are gathered only while somebody listens; no contents, no keys of sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_models::ModelRef;
use chela_telemetry::{Event, Message, Run, Span, Usage};

use super::{Entry, TurnScope};
use crate::event::{RunOutcome, RunStatus};
use crate::runtime::AgentRuntime;
use crate::telemetry_lanes::LaneWait;

/// The lane of one session's turns.
pub(super) const SESSION_LANE: &str = "session";
/// The lane of all turns.
pub(super) const MAIN_LANE: &str = "main";

/// A message came in: it waits for its turn.
pub(super) fn queued(runtime: &AgentRuntime, channel: &str, entry: Entry) {
    let source = match entry {
        Entry::Chat => "chat",
        Entry::Agent => "agent",
        Entry::Http => "http",
        Entry::Channel => "channel",
    };
    runtime.telemetry.emit(|| Event::Queued { channel, source });
}

/// Waits in a lane and tells how long it took.
pub(super) async fn in_lane<T>(runtime: &AgentRuntime, lane: &'static str, work: impl Future<Output = T>) -> T {
    let wait = LaneWait::begin(&runtime.waits, lane);
    let done = work.await;
    let (size, waited) = wait.end();
    runtime.telemetry.emit(|| Event::Dequeued(chela_telemetry::Lane { lane, size, waited }));
    done
}

/// The turn begins to work.
pub(super) fn working(runtime: &AgentRuntime) {
    runtime.telemetry.emit(|| Event::SessionState { state: "processing", reason: "run_started" });
}

/// The turn has ended. `came` is when its message came in.
pub(super) fn ended(scope: &TurnScope<'_>, outcome: &RunOutcome, came: Instant, came_ms: i64) {
    let telemetry = scope.runtime.telemetry.clone();
    if !telemetry.listened() {
        return;
    }
    let request = scope.request;
    let spoken = matches!(request.entry, Entry::Chat | Entry::Channel);
    let root = Span::read(&scope.trace.root());
    let span = Span::read(&scope.trace.of_run()).map(|span| Span { parent_id: span.parent_id.filter(|_| spoken), ..span });
    let took = Duration::from_millis(u64::try_from(outcome.ended_at_ms - outcome.started_at_ms).unwrap_or(0));
    if scope.model_called {
        telemetry.emit(|| Event::Usage(usage(scope, outcome, span.clone(), took)));
    }
    let blocked = scope.blocked;
    let result = match outcome.status {
        _ if blocked => "blocked",
        RunStatus::Ok => "completed",
        RunStatus::Aborted => "aborted",
        RunStatus::Error | RunStatus::Timeout => "error",
    };
    let category = match outcome.status {
        RunStatus::Error if !blocked => Some(outcome.error_kind.unwrap_or("unknown")),
        RunStatus::Timeout => Some("timeout"),
        _ => None,
    };
    telemetry.emit(|| {
        Event::Run(Run {
            span,
            channel: &request.surface,
            provider: &outcome.provider,
            model: &outcome.model,
            trigger: request.trigger,
            outcome: result,
            error_category: category,
            began_ms: outcome.started_at_ms,
            took,
        })
    });
    telemetry.emit(|| Event::SessionState { state: "idle", reason: if result == "completed" { "run_completed" } else { "run_ended" } });
    if spoken {
        let (result, reason) = match (result, outcome.text.is_some()) {
            ("error", _) => ("error", category.map(|_| "run_failed")),
            ("completed", true) => ("completed", None),
            ("completed", false) => ("completed", Some("no_reply")),
            (_, _) => ("skipped", Some(if blocked { "blocked" } else { "aborted" })),
        };
        telemetry.emit(|| {
            Event::Processed(Message {
                span: root,
                channel: &request.surface,
                kind: "text",
                outcome: result,
                reason,
                began_ms: came_ms,
                took: came.elapsed(),
            })
        });
    }
}

/// A message has come to its end without a run of its own: a plugin or another run took it up, or it had to go. Each message that was told to have
/// come is told to have been dealt with.
pub(super) fn settled(runtime: &AgentRuntime, channel: &str, reason: &str, came: Instant, came_ms: i64) {
    let (outcome, reason) = match reason {
        "steered" => ("completed", Some("steered")),
        "collected" => ("completed", Some("collected")),
        "dropped" => ("skipped", Some("dropped")),
        _ => ("completed", None),
    };
    runtime
        .telemetry
        .emit(|| Event::Processed(Message { span: None, channel, kind: "text", outcome, reason, began_ms: came_ms, took: came.elapsed() }));
}

fn usage<'a>(scope: &'a TurnScope<'_>, outcome: &'a RunOutcome, span: Option<Span>, took: Duration) -> Usage<'a> {
    let tokens = outcome.usage;
    let resolved = scope.runtime.models().resolve(&ModelRef::new(&outcome.provider, &outcome.model)).ok();
    let entry = resolved.and_then(|model| model.entry);
    // Prices are those of a million tokens.
    let cost = entry.as_ref().map(|entry| {
        let price = &entry.cost;
        let parts = [
            (tokens.input, price.input),
            (tokens.output, price.output),
            (tokens.cache_read, price.cache_read),
            (tokens.cache_write, price.cache_write),
        ];
        parts.iter().map(|(count, price)| *count as f64 * price / 1e6).sum()
    });
    Usage {
        span,
        channel: &scope.request.surface,
        agent: &scope.request.agent_id,
        provider: &outcome.provider,
        model: &outcome.model,
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_write: tokens.cache_write,
        total: tokens.total,
        cost_usd: cost,
        context_used: scope.context_tokens,
        context_limit: scope.window,
        began_ms: outcome.started_at_ms,
        took,
    }
}

/// A harness has run a turn, or tried to.
pub(super) fn harness(scope: &TurnScope<'_>, id: &str, plugin: &Arc<str>, model: &ModelRef, outcome: &'static str, begun: Instant) {
    scope.runtime.telemetry.emit(|| {
        let took = begun.elapsed();
        Event::Harness(chela_telemetry::Harness {
            span: Span::read(&scope.trace.of_run()),
            harness: id,
            plugin,
            channel: &scope.request.surface,
            provider: &model.provider,
            model: &model.model,
            outcome,
            began_ms: crate::clock::now_ms() - i64::try_from(took.as_millis()).unwrap_or(0),
            took,
        })
    });
}
