//! WebSocket frames, handshake types, method names and scopes. No I/O.
//!
//! Everything here is a plain value or a pure function over bytes and JSON, so that the gateway, the
//! command line client and tests agree on one description of the wire. Nothing in this crate opens a
//! socket, reads a clock or touches a file.
//!
//! - [`frame`]: request, response and event frames (GW-02..GW-05).
//! - [`connect`]: the parameters of the first request and their strict validation (GW-15..GW-18).
//! - [`hello`]: the answer to it (GW-25..GW-30).
//! - [`error`]: error codes, detail codes and next steps (GW-05, GW-33..GW-36, GW-47, GW-F1).
//! - [`scope`]: roles and scopes (GW-61).
//! - [`methods`] and [`events`]: the tables of everything that can be called or received (GW-62..GW-70, GW-92..GW-94).
//! - [`schema`]: a small validator whose messages read like the reference's.
//! - [`limits`]: sizes, counts and times (GW-13, GW-22..GW-26).

pub mod connect;
pub mod error;
pub mod events;
pub mod frame;
pub mod hello;
pub mod limits;
pub mod methods;
pub mod schema;
pub mod scope;

pub use connect::ConnectParams;
pub use error::{ErrorCode, ErrorShape};
pub use frame::RequestFrame;
pub use methods::{MethodRole, MethodScope, MethodSpec};
pub use scope::{Role, Scope};
