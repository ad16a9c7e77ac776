//! Plugins installed, replaced, rolled back and removed in real directories.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test ends the test")]

mod crash;
mod git;
mod npm;
mod registry;
mod support;
mod verbs;
