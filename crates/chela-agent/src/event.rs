//! What a run tells the outside while it goes on.

use serde_json::Value;

/// One step of a run; the gateway turns it into `agent`, `chat` and `session.*` events (GW-82..84).
#[derive(Clone, Debug)]
pub enum RunEvent {
    /// The run has begun.
    Started {
        /// Unix ms.
        at_ms: i64,
    },
    /// New text of the answer.
    AssistantDelta {
        /// Only the new part.
        delta: String,
    },
    /// A tool is about to run.
    ToolStarted {
        /// Call id.
        call_id: String,
        /// Tool name.
        name: String,
        /// Its arguments after policies and hooks.
        args: Value,
        /// Unix ms.
        at_ms: i64,
    },
    /// A tool reported progress.
    ToolUpdate {
        /// Call id.
        call_id: String,
        /// Tool name.
        name: String,
        /// The partial result.
        partial: Value,
    },
    /// A tool has ended.
    ToolEnded {
        /// Call id.
        call_id: String,
        /// Tool name.
        name: String,
        /// `{content, details?}`.
        result: Value,
        /// True for a failure that the model is told about.
        is_error: bool,
        /// Unix ms of start and end.
        started_at_ms: i64,
        /// See `started_at_ms`.
        at_ms: i64,
    },
    /// A message went into the transcript.
    MessageWritten {
        /// Transcript entry id.
        id: String,
        /// Position in the session, from 1.
        seq: u64,
        /// The message as stored.
        message: Value,
    },
    /// The run has ended; always the last event.
    Ended(Box<RunOutcome>),
    /// A plugin's own event on its own stream (API-201).
    Custom {
        /// Stream name.
        stream: String,
        /// Data.
        data: Value,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It answered.
    Ok,
    /// It failed; the error text says why.
    Error,
    /// It ran out of time.
    Timeout,
    /// Somebody aborted it.
    Aborted,
}

impl RunStatus {
    /// The word that clients see (GW-78).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
        }
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Run id (the idempotency key where the caller gave one).
    pub run_id: String,
    /// Session key.
    pub session_key: String,
    /// Session id.
    pub session_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// The answer's text; `None` when nothing is to be said (`NO_REPLY`).
    pub text: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Kind of a model failure: `refusal`, `timeout`, `rate_limit`, `context_length`, `unknown`.
    pub error_kind: Option<&'static str>,
    /// Provider and model that answered.
    pub provider: String,
    /// See `provider`.
    pub model: String,
    /// Tokens of all calls of the run.
    pub usage: chela_models::Usage,
    /// Last stop reason.
    pub stop_reason: String,
    /// Calls that the caller must run before the conversation can go on (GW-109).
    pub pending_calls: Vec<chela_models::ToolCall>,
    /// Unix ms.
    pub started_at_ms: i64,
    /// Unix ms.
    pub ended_at_ms: i64,
    /// Id of the transcript entry that holds the answer.
    pub message_id: Option<String>,
}

/// Receives the events of all runs. Must not block.
pub trait RunSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, run: &RunRef, event: RunEvent);
}

/// Which run an event belongs to.
#[derive(Clone, Debug)]
pub struct RunRef {
    /// Run id.
    pub run_id: String,
    /// Session key.
    pub session_key: String,
}
