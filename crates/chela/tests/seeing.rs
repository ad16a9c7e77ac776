//! What people and machines see of a running gateway: the trace of hooks, counters, metrics and traces; and that nothing is lost when
//! it is killed at any moment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

mod support;

#[path = "seeing/killed.rs"]
mod killed;
#[path = "seeing/metrics.rs"]
mod metrics;
#[path = "seeing/trace.rs"]
mod trace;
