//! What every lane implements and every consumer of plugins uses.
//!
//! A plugin registers JSON in which each function is a handle. A [`Callback`] is such a handle together with the [`CallTarget`] that
//! can run it: a worker process, or a Rust closure of a builtin plugin. The [`Registry`] is the immutable, typed result of all
//! registrations; consumers (hooks, turn, gateway) never see which lane a plugin runs in.
//!
//! This crate starts no process, reads no file and knows no vendor, channel or plugin id.

pub mod builtin;
pub mod call;
pub mod channel;
pub mod diagnostic;
pub mod hook;
pub mod host;
pub mod lane;
pub mod object;
pub mod register;
pub mod registry;
pub mod sandbox;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod value;

pub use call::{Adapter, Call, CallError, CallTarget, Callback, HandlerOutcome, HandlerRef, HookBatch, HostFn, HostStream, SharedJson};
pub use channel::{Channel, ChannelOp};
pub use diagnostic::{Diagnostic, Level};
pub use hook::{DispatchMode, HookName, StopRule};
pub use host::{HostCaller, HostServices, WorkerEvent};
pub use lane::{
    Definition, Lane, LinkReport, PluginControl, PluginSpec, Registration, RegistrationMode, StartError, StartPhase, StartedPlugin,
    WorkerState, WorkerStatus,
};
pub use object::PluginObject;
pub use register::{HookPolicy, PluginFacts, RegistryBuilder, RegistryInputs};
pub use registry::Registry;
pub use sandbox::{SandboxStatus, Touch};
