//! Watching calls of plugins: what `plugins test` and `plugins dev` show.

use std::sync::Arc;
use std::time::Duration;

use chela_plugin::{Adapter, CallError, HookName, SharedJson};
use serde_json::Value;

/// Told about each finished call of a plugin's function. Must not block.
pub type Observer = Arc<dyn Fn(Observed) + Send + Sync>;

/// One finished call.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The plugin.
    pub plugin: String,
    /// The function's handle.
    pub handle: u64,
    /// What was called.
    pub what: Called,
    /// What came of it; `Null` for `undefined`.
    pub result: Result<Value, CallError>,
    /// Time until the answer: that of the handler itself for hooks, of the whole call for the rest.
    pub took: Duration,
}

/// What was called.
#[derive(Clone, Debug)]
pub enum Called {
    /// A handler of a typed hook, with its event.
    Hook(HookName, Arc<SharedJson>),
    /// Any other function, with its arguments.
    Function(Option<Adapter>, Vec<Value>),
    /// Nothing: an exception or rejection that no code of the plugin caught; its kind. The result has the text.
    Fault(String),
    /// Nothing: a line that the plugin logged or printed, with its level. The result is the text.
    Log(String),
}
