//! Capabilities of plugins, each from its registration to what a model or client sees of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "capabilities/backends.rs"]
mod backends;
#[path = "capabilities/compaction.rs"]
mod compaction;
#[path = "capabilities/engines.rs"]
mod engines;
#[path = "support/live.rs"]
mod live;
#[path = "capabilities/memory.rs"]
mod memory;
#[path = "capabilities/texts.rs"]
mod texts;
