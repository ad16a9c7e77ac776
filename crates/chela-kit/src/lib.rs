//! The kit of plugin authors: what a plugin needs of the SDK and what this program carries, and trials in a real worker.

pub mod arguments;
pub mod compat;
pub mod coverage;
mod error;
pub mod sdk;
pub mod stage;
pub mod template;
pub mod trial;
pub mod turn;
pub mod types;
pub mod watch;

pub use error::KitError;

/// What the kit reports, as `--json` prints it.
pub fn to_json(report: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(report).unwrap_or_default()
}
