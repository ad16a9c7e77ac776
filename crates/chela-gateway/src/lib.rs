//! The gateway: WebSocket and HTTP server, methods, events, lifecycle, web chat page.
//!
//! The transport (`auth`, `devices`, `events`, `http`, `server`, `ws`) knows sockets, frames, authentication and who may receive what;
//! it knows no session, turn or plugin. What requests mean is behind [`ws::handler::MethodHandler`] (`methods`) and
//! [`http::HttpApi`] (`api`). `run` starts and stops all of it in one order.

pub mod api;
mod approvals;
mod attachments;
pub mod auth;
mod chat_commands;
pub mod devices;
pub mod events;
mod extensions;
pub mod gateway;
mod history;
pub mod http;
pub mod lock;
pub mod methods;
pub mod node_calls;
mod node_pairing;
pub mod run;
pub mod run_events;
mod sends;
pub mod server;
mod session_events;
mod status;
mod talks;
pub mod transport_config;
mod upkeep;
pub mod ws;
