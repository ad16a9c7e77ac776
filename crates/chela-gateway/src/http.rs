//! The HTTP side: stages, authentication, bodies, errors, the page (GW-100..GW-125).

pub mod api;
pub mod auth;
pub mod body;
pub mod paths;
pub mod reply;
pub(crate) mod service;
mod upgrade;
pub mod web;

pub use api::{AuthOutcome, HttpApi, HttpCall, PluginRouteAuth, Principal, Readiness};
pub use reply::{HttpBody, HttpReply};
