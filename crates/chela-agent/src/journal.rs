//! The journal of runs: an accepted message is on disk before it is acknowledged, and a repeat finds its run, also after a restart
//! (GW-76..80, GW-F12).

use std::sync::Arc;

use chela_models::Usage;
use chela_store::{RunClaim, RunRecord, RunStatus as Recorded, StoreError};
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::event::{RunOutcome, RunStatus};
use crate::gate::{Gate, Pledge};
use crate::run::{Begin, RunTicket};
use crate::runtime::AgentRuntime;
use crate::turn::{Entry, TurnRequest};

/// What a repeat of a run gets whose process ended under it.
const INTERRUPTED: &str = "the gateway ended while this run was under way; the message is kept and was not answered";

/// Member of a session row: when it was found that a killed process had left its last message without an answer, Unix ms.
pub const INTERRUPTED_AT: &str = "interruptedAt";

/// Key of a run's record.
pub fn run_key(run_id: &str) -> String {
    format!("run:{run_id}")
}

/// Answer to [`AgentRuntime::accept`].
pub enum Accepted {
    /// The run is new: the ticket ends it, and it stays silent until the pledge is kept and dropped.
    New(RunTicket, Pledge),
    /// The same run, or the same text in the same session, is under way; its id (GW-80).
    InFlight(String),
    /// It ended not long ago.
    Finished(Arc<RunOutcome>),
}

impl AgentRuntime {
    /// Accepts a message: when this returns a new ticket, no kill loses the message, and its run may begin; once the pledge is kept, no
    /// power failure does, and it may be acknowledged. A repeat of a run that this process or a former one finished gets that run's
    /// outcome.
    ///
    /// # Errors
    /// When the journal cannot be written; the message is not accepted then.
    pub async fn accept(&self, request: &TurnRequest, method: &str) -> Result<Accepted, StoreError> {
        // People of a chat may well say the same twice; only clients repeat themselves.
        let repeated = if request.entry == Entry::Channel { "" } else { request.message.as_str() };
        let mut ticket = match self.runs.begin(&request.run_id, &request.session_key, repeated, &self.shutdown) {
            Begin::New(ticket) => ticket,
            Begin::InFlight(run_id) => return Ok(Accepted::InFlight(run_id)),
            Begin::Finished(outcome) => return Ok(Accepted::Finished(outcome)),
        };
        let record = accepted(request, method);
        let (claim, safe) = self.store.claim_run_early(record.clone()).await?;
        match claim {
            RunClaim::New => {}
            // The ticket says that no such run is active: this one lost its task.
            RunClaim::Existing(found) if found.status == Recorded::InFlight => self.store.put_run_record(record).await?,
            RunClaim::Existing(found) => return Ok(Accepted::Finished(Arc::new(outcome_of(&found)))),
        }
        let (gate, pledge) = Gate::shut(safe, self.sink.clone());
        ticket.gate = gate;
        Ok(Accepted::New(ticket, pledge))
    }
}

fn accepted(request: &TurnRequest, method: &str) -> RunRecord {
    RunRecord {
        key: run_key(&request.run_id),
        method: method.into(),
        run_id: request.run_id.clone(),
        session_key: Some(request.session_key.clone()),
        payload: json!({"message": request.message, "images": request.images, "agentId": request.agent_id, "at": now_ms()}),
        ..RunRecord::default()
    }
}

/// The record of a run that has ended. It holds no message: what the user said is in the transcript, or was kept out of it on purpose.
pub(crate) fn finished(outcome: &RunOutcome) -> RunRecord {
    let usage = outcome.usage;
    RunRecord {
        key: run_key(&outcome.run_id),
        method: "run".into(),
        run_id: outcome.run_id.clone(),
        session_key: Some(outcome.session_key.clone()),
        status: if outcome.status == RunStatus::Ok { Recorded::Ok } else { Recorded::Error },
        payload: json!({
            "status": outcome.status.as_str(), "sessionId": outcome.session_id, "text": outcome.text, "error": outcome.error,
            "provider": outcome.provider, "model": outcome.model, "stopReason": outcome.stop_reason, "startedAt": outcome.started_at_ms,
            "endedAt": outcome.ended_at_ms, "messageId": outcome.message_id,
            "usage": [usage.input, usage.output, usage.cache_read, usage.cache_write, usage.total],
        }),
        ..RunRecord::default()
    }
}

/// The record of a run that a killed process left: its message is safe now, and nobody looks at it again.
pub fn interrupted(run: &RunRecord) -> RunRecord {
    RunRecord { status: Recorded::Error, payload: json!({"status": "error", "error": INTERRUPTED, "stopReason": "error"}), ..run.clone() }
}

/// The outcome that a record tells.
fn outcome_of(record: &RunRecord) -> RunOutcome {
    let payload = &record.payload;
    let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_string);
    let number = |key: &str, or: i64| payload.get(key).and_then(Value::as_i64).unwrap_or(or);
    let tokens = |at: usize| payload.pointer(&format!("/usage/{at}")).and_then(Value::as_u64).unwrap_or(0);
    let status = match payload.get("status").and_then(Value::as_str) {
        Some("ok") => RunStatus::Ok,
        Some("aborted") => RunStatus::Aborted,
        Some("timeout") => RunStatus::Timeout,
        _ => RunStatus::Error,
    };
    let error = text("error").or_else(|| (record.status == Recorded::Interrupted).then(|| INTERRUPTED.to_string()));
    RunOutcome {
        run_id: record.run_id.clone(),
        session_key: record.session_key.clone().unwrap_or_default(),
        session_id: text("sessionId").unwrap_or_default(),
        status,
        text: text("text"),
        error,
        error_kind: None,
        provider: text("provider").unwrap_or_default(),
        model: text("model").unwrap_or_default(),
        usage: Usage { input: tokens(0), output: tokens(1), cache_read: tokens(2), cache_write: tokens(3), total: tokens(4) },
        stop_reason: text("stopReason").unwrap_or_else(|| "stop".into()),
        pending_calls: Vec::new(),
        started_at_ms: number("startedAt", record.created_at_ms),
        ended_at_ms: number("endedAt", record.updated_at_ms),
        message_id: text("messageId"),
    }
}
