//! The WebSocket side: handshake, requests, events (GW-02..GW-30).

pub mod client;
pub mod connection;
pub mod dispatch;
mod frames;
pub mod handler;
mod handshake;
mod io;
mod pairing;
pub mod preauth;

pub use client::ClientInfo;
pub use handler::{MethodCall, MethodHandler, MethodSpecRef, Replier};
