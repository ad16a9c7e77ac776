//! The turn: from an inbound message to an answer in the transcript.
//!
//! Invariants: one run at a time in a session; no answer is given for a message that is not stored; every hook on the way fires
//! once and in the order of HOOK-130; the crate knows neither sockets nor lanes, and no vendor, channel or plugin id.

pub mod background;
mod bootstrap;
pub mod clock;
pub mod compaction;
pub mod completion;
pub mod context_engine;
mod details;
pub mod event;
mod gate;
pub mod harness;
mod history;
pub mod internal;
pub mod journal;
pub mod lifecycle;
pub mod llm;
pub mod memory;
pub mod message;
mod model_call;
mod prompt;
mod rollover;
pub mod run;
pub mod runtime;
pub mod system_events;
mod telemetry_lanes;
pub mod text_transforms;
pub mod tool_policy;
pub mod tools;
pub mod turn;

pub use event::{RunEvent, RunOutcome, RunRef, RunSink, RunStatus};
pub use gate::Pledge;
pub use journal::Accepted;
pub use run::{Begin, RunRegistry, RunTicket};
pub use runtime::{AgentRuntime, RuntimeParts, TurnPlugins};
pub use turn::{Entry, Inbound, TurnRequest};
