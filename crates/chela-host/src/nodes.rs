//! Nodes: machines that connect to the gateway and run commands for it (RT-052..RT-056). Who is connected, the gateway knows; a
//! command of a plugin asks the running one.

use async_trait::async_trait;
use chela_plugin::CallError;
use serde_json::Value;

/// Reaches nodes on behalf of plugins.
#[async_trait]
pub trait NodeAccess: Send + Sync {
    /// All known nodes, as `node.list` gives them.
    ///
    /// # Errors
    /// When the gateway cannot be asked.
    async fn list(&self) -> Result<Vec<Value>, CallError>;

    /// Runs a command on a node; params and answer are those of `node.invoke`.
    ///
    /// # Errors
    /// What the gateway says: an unknown node, one that is not connected, a command that is not allowed.
    async fn invoke(&self, params: Value) -> Result<Value, CallError>;
}
