//! Approvals: what somebody must allow before it happens.
//!
//! [`Approvals`] keeps the requests in the store, wakes who waits for a decision, ends them when their time is over, and remembers what
//! was allowed for ever. The rest are rules without I/O: what a request may say, which command an allowlist covers, what policy holds.
//!
//! Invariants: a request is decided once, and only by its own id; what is not decided in time, or cannot be stored, is not allowed;
//! nothing here runs a command or opens a file.

pub mod command;
mod decision;
pub mod exec_file;
pub mod forward;
mod grant;
pub mod policy;
pub mod request;
pub mod safe_bins;
mod service;

pub use chela_store::{ApprovalGrant, ApprovalKind, ApprovalRow, ApprovalState};
pub use decision::Decision;
pub use grant::grant_key;
pub use service::{Approvals, Ask, AskError, Asked, Desk, NO_ROUTE, ResolveError, Verdict, Watcher};
