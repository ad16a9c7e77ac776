//! A batch of hook handlers in one round trip.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chela_plugin::{CallError, DispatchMode, HandlerOutcome, HandlerRef, HookBatch, StopRule};
use chela_plugin_protocol::{HookHandler, HookOutcome, encode_raw_request};
use serde_json::Value;
use tokio::time::Instant;

use super::{NodePlugin, at};
use crate::connection::Connection;
use crate::connection::pending::timed_out;
use crate::convert;

/// A worker enforces the budgets of several handlers itself; this much later the host stops waiting for it.
const WORKER_SLACK: Duration = Duration::from_millis(250);

/// A worker that nobody asked anything for this long has lost its place in the processor's caches.
const COLD: Duration = Duration::from_millis(1);

/// How one attempt at a batch ended.
enum Attempt {
    /// With an answer, or with an error that another attempt would not change.
    Done(Result<Vec<HandlerOutcome>, CallError>),
    /// The worker stood still and was ended.
    Stalled(Stall),
}

/// What is known of a batch whose worker stood still.
struct Stall {
    error: CallError,
    /// How many of its handlers the worker had begun, when it has told.
    begun: Option<usize>,
    /// In a sequence, how many handlers' time was up.
    due: usize,
}

impl Stall {
    /// The handler that stood still, when it was one of this batch.
    fn suspect(&self) -> Option<usize> {
        self.due.checked_sub(1).map(|last| self.begun.and_then(|begun| begun.checked_sub(1)).unwrap_or(last))
    }
}

impl NodePlugin {
    /// Runs a batch. When the worker is ended because it stands still, what it did for others is done by the next one: decisions are
    /// asked for again, once; observers that had not begun are called, those that had are not told of the same twice.
    pub(super) async fn run_hooks(&self, batch: &HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        if batch.mode == DispatchMode::Parallel {
            return self.observers(batch).await;
        }
        let begun = Instant::now();
        let deadline = budget(batch).map(|budget| (budget, begun + budget));
        let mut again = true;
        loop {
            match self.attempt(batch, begun, deadline).await {
                Attempt::Done(result) => return result,
                Attempt::Stalled(stall) => match stall.suspect() {
                    Some(suspect) => return self.one_by_one(batch, suspect, begun, deadline).await,
                    None if again => again = false,
                    None => return Err(stall.error),
                },
            }
        }
    }

    /// Handlers that run beside each other begin one after another, so one that does not yield keeps those behind it from beginning.
    /// These go to the next worker, with all of their time. Every round settles one handler at least; a worker that stood still without
    /// beginning any did so for others, and is met once only.
    async fn observers(&self, batch: &HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        let mut left = batch.clone();
        let mut outcomes = Vec::new();
        let mut again = true;
        while !left.handlers.is_empty() {
            let begun = Instant::now();
            let deadline = self.patience(&left).map(|budget| (budget, begun + budget));
            let error = match self.attempt(&left, begun, deadline).await {
                Attempt::Done(Ok(done)) => {
                    outcomes.extend(done);
                    return Ok(outcomes);
                }
                Attempt::Done(Err(error)) => error,
                Attempt::Stalled(stall) => match stall.begun {
                    Some(0) if again => {
                        again = false;
                        continue;
                    }
                    Some(count @ 1..) => {
                        let met: Vec<HandlerRef> = left.handlers.drain(..count.min(left.handlers.len())).collect();
                        outcomes.extend(met.iter().map(|handler| unanswered(handler, begun, &stall.error)));
                        continue;
                    }
                    _ => stall.error,
                },
            };
            if outcomes.is_empty() {
                return Err(error);
            }
            outcomes.extend(left.handlers.iter().map(|handler| unanswered(handler, begun, &error)));
            break;
        }
        Ok(outcomes)
    }

    /// How long a batch of observers is waited for. That of several first shows whether its worker stands still.
    fn patience(&self, batch: &HookBatch) -> Option<Duration> {
        let grace = self.worker.lane.options.timing.probe_grace + WORKER_SLACK;
        budget(batch).map(|budget| if batch.handlers.len() > 1 { budget + grace } else { budget })
    }

    /// Whether the worker is to note what it has begun: only where one handler can keep another from beginning.
    fn is_marked(&self, batch: &HookBatch) -> bool {
        batch.handlers.len() > 1 || self.worker.slots().len() > 1
    }

    async fn attempt(&self, batch: &HookBatch, begun: Instant, deadline: Option<(Duration, Instant)>) -> Attempt {
        let connection = match self.connection(deadline, &batch.cancel).await {
            Ok(connection) => connection,
            Err(_) if deadline.is_some_and(|(_, at)| Instant::now() >= at) => return Attempt::Done(Ok(all_timed_out(batch, begun))),
            Err(error) => return Attempt::Done(Err(error)),
        };
        let mark = self.is_marked(batch).then(|| connection.next_mark());
        let (head, tail) = match self.params(batch, &connection, mark) {
            Ok(params) => params,
            Err(error) => return Attempt::Done(Err(error)),
        };
        let parts = [head.as_str(), batch.event.text(), ",\"ctx\":", batch.ctx.text(), tail.as_str()];
        let heard = connection.heard();
        let mut pending = match connection.request(|id| encode_raw_request(id, "hooks", &parts)) {
            Ok(pending) => pending,
            Err(error) => return Attempt::Done(Err(error)),
        };
        let due = AtomicUsize::new(0);
        let result = {
            let answer = pending.answer();
            tokio::pin!(answer);
            let checks = self.check_on(&connection, batch, mark, &due);
            tokio::pin!(checks);
            tokio::select! {
                biased;
                answer = &mut answer => Some(answer),
                () = batch.cancel.cancelled() => None,
                () = at(deadline) => Some(Err(CallError::TimedOut(0))),
                () = &mut checks => None,
            }
        };
        match result {
            Some(Err(CallError::TimedOut(_))) => {
                let reason = match batch.handlers.as_slice() {
                    [HandlerRef { timeout: Some(own), .. }] => timed_out(*own).to_string(),
                    _ => "the handlers ran out of their budget".into(),
                };
                pending.cancel(&reason);
                self.worker.probe(&connection);
                Attempt::Done(Ok(all_timed_out(batch, begun)))
            }
            Some(Err(error @ CallError::Gone { .. })) if connection.is_stalled() => {
                let begun = match mark {
                    Some(mark) => connection.begun(mark),
                    // Nothing was heard since: it had not begun.
                    None => (connection.heard() == heard).then_some(0),
                };
                Attempt::Stalled(Stall { error, begun, due: due.into_inner() })
            }
            Some(answer) => Attempt::Done(answer.and_then(|answer| read_outcomes(batch, answer))),
            None => {
                pending.cancel("cancelled");
                self.worker.probe(&connection);
                Attempt::Done(Err(CallError::Cancelled))
            }
        }
    }

    /// After one handler of a sequence kept the worker from all others: each of those alone, in their order and within the time that
    /// the whole has left.
    async fn one_by_one(
        &self,
        batch: &HookBatch,
        suspect: usize,
        begun: Instant,
        deadline: Option<(Duration, Instant)>,
    ) -> Result<Vec<HandlerOutcome>, CallError> {
        let mut outcomes = Vec::with_capacity(batch.handlers.len());
        let mut event = batch.event.clone();
        for (at, handler) in batch.handlers.iter().enumerate() {
            let alone = HookBatch { handlers: vec![handler.clone()], event: event.clone(), ..batch.clone() };
            let now = Instant::now();
            let own = handler.timeout.map(|timeout| (timeout, deadline.map_or(now + timeout, |(_, end)| end.min(now + timeout))));
            let mut done = match at == suspect {
                true => all_timed_out(&alone, begun),
                false => match self.attempt(&alone, now, own).await {
                    Attempt::Done(result) => result?,
                    // The one before it was still standing in its way.
                    Attempt::Stalled(_) => match self.attempt(&alone, now, own).await {
                        Attempt::Done(result) => result?,
                        Attempt::Stalled(stall) => return Err(stall.error),
                    },
                },
            };
            let Some(outcome) = done.pop() else { break };
            if let Some((name, value)) = outcome.result.as_ref().ok().and_then(|result| batch.hook.carried(result)) {
                event = event.with(name, value);
            }
            let ends = match &outcome.result {
                Ok(value) => batch.stop.is_some_and(|rule| rule.satisfied_by(value, outcome.undefined)),
                Err(_) => batch.hook.fails_closed(),
            };
            outcomes.push(outcome);
            if ends {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Sends a batch with the handler 0, which does nothing: it passes all that others pass, in a worker that was idle.
    pub(super) fn wake_worker(&self) {
        const NOTHING: &str = r#"{"hook":"wake","fns":[{"fn":0}],"event":{},"ctx":{},"mode":"seq"}"#;
        if let Some(connection) = self.present().filter(|c| c.idle_for() >= COLD) {
            connection.request_unanswered(|id| encode_raw_request(id, "hooks", &[NOTHING]));
        }
    }

    /// Everything of the params but event and context, whose text all workers share.
    fn params(&self, batch: &HookBatch, connection: &Connection, mark: Option<u32>) -> Result<(String, String), CallError> {
        let mut fns = Vec::with_capacity(batch.handlers.len());
        for handler in &batch.handlers {
            fns.push(HookHandler { handle: self.resolve_shared(handler.handle, connection)?, timeout_ms: handler.timeout.map(millis) });
        }
        let fns = serde_json::to_string(&fns).map_err(|e| CallError::refused("INVALID_PARAMS", e.to_string()))?;
        let head = format!("{{\"hook\":\"{}\",\"fns\":{fns},\"event\":", batch.hook);
        let mut tail = format!(",\"mode\":\"{}\"", mode_name(batch.mode));
        if let Some(stop) = batch.stop {
            // Writing to a `String` cannot fail.
            let _ = write!(tail, ",\"stop\":\"{}\"", stop_name(stop));
        }
        if batch.hook.fails_closed() {
            tail.push_str(",\"failClosed\":true");
        }
        if let Some(member) = batch.hook.carries() {
            let _ = write!(tail, ",\"carry\":\"{member}\"");
        }
        if let Some(mark) = mark {
            let _ = write!(tail, ",\"mark\":{mark}");
        }
        tail.push('}');
        Ok((head, tail))
    }

    /// In a sequence the budget of the whole is long: a handler that blocks the event loop is found at the end of its own budget.
    /// `due` counts the handlers whose time is up. Observers of one batch are looked at when the longest time is over. Never resolves.
    async fn check_on(&self, connection: &std::sync::Arc<Connection>, batch: &HookBatch, mark: Option<u32>, due: &AtomicUsize) {
        let several = batch.handlers.len() > 1;
        if batch.mode == DispatchMode::Parallel && several {
            if let Some(longest) = budget(batch) {
                tokio::time::sleep(longest).await;
                self.worker.probe(connection);
            }
        } else if several {
            let mut at = Instant::now();
            for (place, timeout) in batch.handlers.iter().map_while(|h| h.timeout).enumerate() {
                at += timeout;
                tokio::time::sleep_until(at).await;
                // A handler that has begun meanwhile has time left.
                if mark.and_then(|mark| connection.begun(mark)).is_some_and(|begun| begun > place + 1) {
                    continue;
                }
                due.store(place + 1, Ordering::Relaxed);
                self.worker.probe(connection);
            }
        }
        std::future::pending::<()>().await;
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn mode_name(mode: DispatchMode) -> &'static str {
    match mode {
        DispatchMode::Parallel => "par",
        DispatchMode::Sequential | DispatchMode::Claim => "seq",
        DispatchMode::Sync => "sync",
    }
}

fn stop_name(stop: StopRule) -> &'static str {
    match stop {
        StopRule::Block | StopRule::BlockTruthy => "block",
        StopRule::Cancel => "cancel",
        StopRule::Handled => "handled",
        StopRule::Outcome => "outcome",
    }
}

/// How long the host waits for the batch: without end when a handler has no budget.
fn budget(batch: &HookBatch) -> Option<Duration> {
    let timeouts: Option<Vec<Duration>> = batch.handlers.iter().map(|h| h.timeout).collect();
    let timeouts = timeouts?;
    match (batch.mode, timeouts.as_slice()) {
        (_, []) => None,
        (_, [only]) => Some(*only),
        (DispatchMode::Parallel, several) => several.iter().max().map(|longest| *longest + WORKER_SLACK),
        (_, several) => Some(several.iter().sum::<Duration>() + WORKER_SLACK),
    }
}

/// The outcome of a handler that had begun when its worker was ended.
fn unanswered(handler: &HandlerRef, begun: Instant, error: &CallError) -> HandlerOutcome {
    let duration = begun.elapsed();
    let late = handler.timeout.filter(|timeout| duration >= *timeout).map(timed_out);
    HandlerOutcome { result: Err(late.unwrap_or_else(|| error.clone())), undefined: false, duration }
}

/// The outcome of a batch whose worker did not answer: every handler ran out of its budget.
fn all_timed_out(batch: &HookBatch, begun: Instant) -> Vec<HandlerOutcome> {
    let duration = begun.elapsed();
    let outcome =
        |timeout: Option<Duration>| HandlerOutcome { result: Err(timed_out(timeout.unwrap_or(duration))), undefined: false, duration };
    batch.handlers.iter().map(|h| outcome(h.timeout)).collect()
}

fn read_outcomes(batch: &HookBatch, answer: Option<Value>) -> Result<Vec<HandlerOutcome>, CallError> {
    let rows: Vec<HookOutcome> = serde_json::from_value(answer.unwrap_or_default())
        .map_err(|e| CallError::refused("PROTOCOL", format!("the worker's answer to `hooks` is not valid: {e}")))?;
    if rows.len() > batch.handlers.len() {
        let message = format!("the worker answered for {} handlers of {}", rows.len(), batch.handlers.len());
        return Err(CallError::refused("PROTOCOL", message));
    }
    Ok(rows.into_iter().zip(&batch.handlers).map(|(row, handler)| read_outcome(row, handler.timeout)).collect())
}

fn read_outcome(row: HookOutcome, timeout: Option<Duration>) -> HandlerOutcome {
    let duration = Duration::try_from_secs_f64(row.ms / 1000.0).unwrap_or_default();
    let (result, undefined) = match (row.err, row.ok) {
        (Some(error), _) if error.code.as_deref() == Some("TIMEOUT") && timeout.is_some_and(|t| duration + WORKER_SLACK >= t) => {
            (Err(timed_out(timeout.unwrap_or(duration))), false)
        }
        (Some(error), _) => (Err(convert::from_wire(error)), false),
        (None, Some(value)) if value.get("$undefined").is_some() => (Ok(Value::Null), true),
        (None, Some(value)) => (Ok(value), false),
        (None, None) => (Ok(Value::Null), true),
    };
    HandlerOutcome { result, undefined, duration }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_plugin::HookName;
    use chela_plugin::call::SharedJson;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    fn batch(mode: DispatchMode, timeouts: &[Option<u64>]) -> HookBatch {
        HookBatch {
            hook: HookName::BeforeToolCall,
            handlers: timeouts.iter().map(|t| HandlerRef { handle: 1, timeout: t.map(Duration::from_millis) }).collect(),
            event: SharedJson::new(json!({})),
            ctx: SharedJson::new(json!({})),
            mode,
            stop: None,
            cancel: CancellationToken::new(),
        }
    }

    #[test]
    fn the_budget_of_a_batch_follows_its_mode() {
        use DispatchMode::{Parallel, Sequential};
        let cases = [
            (Sequential, vec![Some(5)], Some(5)),
            (Parallel, vec![Some(5), Some(9)], Some(9 + 250)),
            (Sequential, vec![Some(5), Some(9)], Some(14 + 250)),
            (Sequential, vec![Some(5), None], None),
            (Parallel, vec![], None),
        ];
        for (mode, timeouts, expected) in cases {
            assert_eq!(budget(&batch(mode, &timeouts)), expected.map(Duration::from_millis), "{mode:?} {timeouts:?}");
        }
    }

    // HOOK-108
    #[test]
    fn outcomes_tell_null_from_undefined_and_time_outs_from_errors() {
        let answer = json!([{"ms": 1}, {"ok": null, "ms": 1}, {"ok": {"a": 1}, "ms": 2}, {"err": {"name": "E", "message": "m"}, "ms": 1},
            {"err": {"name": "E", "message": "m", "code": "TIMEOUT"}, "ms": 50}]);
        let outcomes = read_outcomes(&batch(DispatchMode::Sequential, &[Some(50); 5]), Some(answer)).unwrap();
        let told: Vec<_> = outcomes.iter().map(|o| (o.result.as_ref().map_err(ToString::to_string).cloned(), o.undefined)).collect();
        assert_eq!(
            told,
            [
                (Ok(Value::Null), true),
                (Ok(Value::Null), false),
                (Ok(json!({"a": 1})), false),
                (Err("m".into()), false),
                (Err("timed out after 50ms".into()), false)
            ]
        );
        assert!(read_outcomes(&batch(DispatchMode::Sequential, &[]), Some(json!([{}]))).is_err());
    }
}
