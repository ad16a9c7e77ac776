//! Capabilities of plugins beside text models: speech, realtime audio, media understanding, generation of media, web search and fetch.
//!
//! A plugin registers an object for each; [`kind`] finds them. Every kind is a [`choice::Job`]: which providers to ask, in which order,
//! and the one call that asks a provider. [`choice::choose`] does what is common to all: it tries one after another, gives up a provider
//! that fails or crashes, and tells all attempts. The crate knows no plugin id and no vendor; what it needs of the host it gets through
//! [`host::Surroundings`].

#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the caller, once for a request")]

pub mod bytes;
pub mod choice;
pub mod generation;
pub mod host;
pub mod kind;
pub mod media;
mod page;
mod params;
pub mod realtime;
mod reference;
pub mod speech;
#[cfg(test)]
mod testing;
pub mod tools;
pub mod transcripts;
pub mod understanding;
pub mod web;

pub use choice::{Attempt, Candidate, Exhausted, Job, Miss, choose};
pub use host::{Credential, Scope, Surroundings};
pub use kind::{Capability, Provider};
