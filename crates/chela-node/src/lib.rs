//! The node lane: runs unmodified OpenClaw plugins in Node processes of their own.
//!
//! [`NodeLane`] starts a worker per plugin (or per group) under a guard of `chela-process`, talks to it as `PROTOCOL.md` of
//! `chela-plugin-protocol` says, restarts it when it fails and gives up when it fails too often. It knows no hook by meaning, no
//! vendor and no plugin: it carries registrations, calls and host functions.

#![allow(
    clippy::result_large_err,
    reason = "`CallError` belongs to `chela-plugin`; it is moved once per failed call, next to a round trip to another process"
)]

mod connection;
mod convert;
pub mod env;
mod handles;
pub mod lane;
mod limit;
mod memory;
pub mod observe;
pub mod options;
mod output;
pub mod plugin;
pub mod runtime;
mod sandbox;
pub mod sdk;
pub mod transpile;
mod worker;

pub use connection::stream::WorkerStream;
pub use lane::NodeLane;
pub use observe::{Called, Observed, Observer};
pub use options::{NodeLaneOptions, OutputMode, Progress, ProgressFn, Timing};
pub use plugin::NodePlugin;
pub use runtime::{NodeError, NodeRuntime, find_node};
pub use sandbox::permissions;
