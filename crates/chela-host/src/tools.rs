//! The host of the tools for files and commands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chela_agent::AgentRuntime;
use chela_agent::tools::ToolConditions;
use chela_capabilities::Surroundings;
use chela_plugin::register::entries::ToolEntry;
use chela_tools::ToolHost;

use crate::assemble::Host;

/// Names that look like credentials and hold only the place of one; `git` and `ssh` need it.
const PASSED: &[&str] = &["SSH_AUTH_SOCK"];

/// Knows when the tools of plugins are there, by the config, the environment and the credentials of now (API-118).
#[derive(Debug)]
pub(crate) struct Conditions(pub(crate) Weak<Host>);

impl ToolConditions for Conditions {
    fn hold(&self, entry: &ToolEntry, tool: &str) -> bool {
        let (Some(host), Some(signals)) = (self.0.upgrade(), entry.conditions.get(tool)) else { return true };
        let (config, manager) = (host.runtime.config(), &host.manager);
        let env = |name: &str| host.env.get(name).is_some_and(|value| !value.trim().is_empty());
        let auth = |provider: &str| {
            let settings = crate::models::settings_of(provider, &config, &manager.registry(), &manager.snapshot(), host.auth());
            host.auth().resolve(&settings, None, None).is_ok()
        };
        signals.holds(&config.effective, &env, &auth)
    }
}

#[async_trait]
impl ToolHost for Host {
    fn runtime(&self) -> Arc<AgentRuntime> {
        self.runtime.clone()
    }

    fn command_env(&self) -> BTreeMap<String, String> {
        let passed: Vec<String> = PASSED.iter().map(|name| (*name).to_string()).collect();
        let all: BTreeMap<String, String> = self.env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        chela_node::env::worker_env(&all, &passed, &[]).vars
    }

    fn state_dir(&self) -> PathBuf {
        self.paths.state_dir.clone()
    }

    fn home(&self) -> PathBuf {
        self.paths.home.clone()
    }

    fn guard(&self) -> Option<PathBuf> {
        self.guard.clone()
    }

    async fn wake(&self, session_key: &str, agent: &str, text: String) -> Result<(), String> {
        Surroundings::wake(self, session_key, Some(agent), text).await
    }
}
