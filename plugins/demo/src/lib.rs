//! The bundled demo plugin: an offline, deterministic model provider.
//!
//! `demo/assistant` lets a newcomer see sessions, tools, hooks and approvals at work without an account. It says of
//! itself that it is no AI, calls a tool when a message names one with arguments, and reports what came back.
//! It opens no connection, reads no file and keeps no state: equal requests get equal answers.

mod commands;
mod plugin;
mod provider;
mod reply;

pub use plugin::DemoPlugin;
pub use provider::{DemoProvider, provider_entry};

/// The plugin's manifest, `openclaw.plugin.json`.
pub const MANIFEST: &str = include_str!("../openclaw.plugin.json");

/// Plugin id and provider id.
pub const ID: &str = "demo";

/// The one model.
pub const MODEL: &str = "assistant";
