//! What the tools need of the rest of the gateway.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chela_agent::AgentRuntime;

use crate::sessions::Sessions;

/// The host of the tools.
#[async_trait]
pub trait ToolHost: Send + Sync {
    /// Turns, config, approvals.
    fn runtime(&self) -> Arc<AgentRuntime>;

    /// The environment of commands: the gateway's without its secrets.
    fn command_env(&self) -> BTreeMap<String, String>;

    /// The state directory, in which `exec-approvals.json` lies.
    fn state_dir(&self) -> PathBuf;

    /// What `~` stands for.
    fn home(&self) -> PathBuf;

    /// The binary that guards commands; the running one when absent.
    fn guard(&self) -> Option<PathBuf>;

    /// Begins a turn with a message that nobody wrote.
    ///
    /// # Errors
    /// Why it could not begin.
    async fn wake(&self, session_key: &str, agent: &str, text: String) -> Result<(), String>;
}

/// What all tools share.
pub(crate) struct World {
    host: Weak<dyn ToolHost>,
    /// Held while a file is changed.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// Commands that run, and those that have ended.
    pub(crate) sessions: Arc<Sessions>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

impl World {
    pub(crate) fn new(host: Weak<dyn ToolHost>) -> Arc<Self> {
        Arc::new(Self { host, writing: tokio::sync::Mutex::default(), sessions: Arc::default() })
    }

    pub(crate) fn host(&self) -> Result<Arc<dyn ToolHost>, String> {
        self.host.upgrade().ok_or_else(|| "the gateway is stopping".into())
    }
}
