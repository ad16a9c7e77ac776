//! What the host offers to plugins: the receiving end of `api.runtime` and of late-callable `api` methods.

use async_trait::async_trait;
use serde_json::Value;

use crate::call::CallError;

/// Who asks the host for something.
#[derive(Clone, Debug)]
pub struct HostCaller {
    /// The plugin that owns the runtime object (RT-063): it cannot be set by the plugin.
    pub plugin_id: String,
    /// True for bundled plugins.
    pub bundled: bool,
}

/// A fact about a worker that the host records.
#[derive(Clone, Debug)]
pub enum WorkerEvent {
    /// The worker answered its hello and the plugin's registration.
    Ready,
    /// An uncaught exception or rejection inside the plugin.
    Fault {
        /// `uncaughtException` or `unhandledRejection`.
        kind: String,
        /// The plugin's text.
        message: String,
    },
    /// The worker ended or was stopped; `restarting_in_ms` when it will be started again.
    Exited {
        /// What happened, for people.
        reason: String,
        /// Delay until the next start.
        restarting_in_ms: Option<u64>,
    },
    /// Repeated failures: the worker stays down until the operator acts.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// After a restart the plugin registered something else than before: the registry must be rebuilt.
    Reregistered,
}

/// Services of the host, by method name as in `PROTOCOL.md` (`host.<area>.<name>`).
#[async_trait]
pub trait HostServices: Send + Sync {
    /// Answers a request of a plugin. It may be called from the blocking lane too, where the plugin's thread waits.
    ///
    /// # Errors
    /// [`CallError::NotBuilt`] for a function that does not exist yet, [`CallError::Refused`] otherwise.
    async fn request(&self, caller: &HostCaller, method: &str, params: Value) -> Result<Value, CallError>;

    /// Takes a notification (`log`, `fault`, ...). Must not block.
    fn note(&self, caller: &HostCaller, method: &str, params: Value);

    /// Learns about a worker's life. Must not block.
    fn worker_event(&self, plugin_id: &str, event: WorkerEvent);
}
