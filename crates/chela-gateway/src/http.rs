//! The HTTP side: stages, authentication, bodies, errors, the page (GW-100..GW-125).

pub mod api;
pub mod auth;
pub mod body;
mod bridge;
pub mod paths;
pub mod reply;
pub(crate) mod service;
mod upgrade;
pub mod web;

pub use api::{AuthOutcome, HttpApi, HttpCall, PluginRouteAuth, PluginUpgrade, Principal, Readiness, UpgradedRoute};
pub use reply::{HttpBody, HttpReply};
