//! Plugins installed, replaced, rolled back and removed in real directories.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test ends the test")]

mod bundles;
mod clawhub;
mod crash;
mod git;
mod hook_pack_changes;
mod hook_packs;
mod marketplace;
mod npm;
mod official;
mod origin;
mod registry;
mod repair;
mod server;
mod support;
mod verbs;
