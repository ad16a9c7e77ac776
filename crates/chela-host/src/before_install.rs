//! The question before an installation: plugins that listen to `before_install` may refuse it (INS-235..INS-247).
//!
//! In the reference the command line never asks, and a listener that fails lets the installation through (INS-244, INS-365, INS-366,
//! HOOK-306). Here every entry point asks, and who may listen and cannot be asked is a refusal.

mod mention;

use std::time::Duration;

use chela_catalog::{Lane, Snapshot};
use chela_config::StatePaths;
use chela_hooks::{DispatchOptions, FailureKind};
use chela_plugin::HookName;
use serde_json::{Value, json};

use crate::assemble::Host;

/// Longest wait for listeners that have to be started first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the listeners could not be asked, so that nothing may be installed.
#[derive(Debug, thiserror::Error)]
pub enum BeforeInstallError {
    /// A plugin whose code names the hook does not run.
    #[error("plugin `{plugin}` may listen to `before_install` and does not run: {problem}; mend it, or `chela plugins disable {plugin}`")]
    NotRunning {
        /// Plugin id.
        plugin: String,
        /// What keeps it from running.
        problem: String,
    },
    /// A handler failed.
    #[error("the `before_install` handler of plugin `{plugin}` {kind}: {message}; mend it, or `chela plugins disable {plugin}`")]
    Failed {
        /// Plugin id.
        plugin: String,
        /// What happened.
        kind: &'static str,
        /// Its words, cleaned and cut.
        message: String,
    },
}

/// Ids of the enabled plugins whose files name the hook. Reads their code, a bounded part of it; a plugin that is larger counts as a
/// listener. Blocks on the disk; runs nothing.
pub fn install_listeners(paths: &StatePaths, snapshot: &Snapshot) -> Vec<String> {
    let packages = paths.chela_dir().join("packages");
    let packages = packages.canonicalize().unwrap_or(packages);
    let able = snapshot.plugins.iter().filter(|p| p.enabled && p.lane == Lane::Node);
    able.filter(|p| mention::names_hook(&mention::code_of(&p.root_dir, &packages))).map(|p| p.id.clone()).collect()
}

impl Host {
    /// Asks every listener about `event` (HOOK-083). Listeners that do not run are started. The answer is
    /// `{block, blockReason?, findings, asked}`: `asked` counts the handlers that were called.
    ///
    /// # Errors
    /// When a plugin that may listen does not start, or a handler throws or is late. The plugin that is to be installed need not run:
    /// otherwise a broken one could not be mended.
    pub async fn before_install(&self, listeners: &[String], event: Value) -> Result<Value, BeforeInstallError> {
        self.manager.begin_plugins(listeners);
        self.manager.settle(PATIENCE).await;
        let target = event.get("targetName").and_then(Value::as_str).unwrap_or_default();
        for plugin in listeners.iter().filter(|id| *id != target) {
            if !self.manager.runs(plugin) {
                let problem = self.manager.view(plugin).error.unwrap_or_else(|| self.not_started(plugin));
                return Err(BeforeInstallError::NotRunning { plugin: plugin.clone(), problem });
            }
        }
        let mut ctx = json!({"targetType": event["targetType"], "requestKind": event["request"]["kind"]});
        if let Some(origin) = event.get("origin") {
            ctx["origin"] = origin.clone();
        }
        let hooks = self.manager.registry_hooks();
        let done = hooks.dispatch(HookName::BeforeInstall, event, ctx, DispatchOptions::default()).await;
        let block = done.merged.get("block") == Some(&Value::Bool(true));
        // A block is a refusal too, and says more.
        if let Some(failure) = done.failures.first().filter(|_| !block) {
            let kind = match failure.kind {
                FailureKind::Threw => "threw",
                FailureKind::TimedOut => "did not answer in time",
                _ => "could not be called",
            };
            return Err(BeforeInstallError::Failed { plugin: failure.plugin_id.to_string(), kind, message: failure.message.clone() });
        }
        let mut answer =
            json!({"block": block, "findings": done.merged.get("findings").cloned().unwrap_or_else(|| json!([])), "asked": done.called});
        if let Some(reason) = done.merged.get("blockReason").filter(|_| block) {
            answer["blockReason"] = reason.clone();
        }
        Ok(answer)
    }

    fn not_started(&self, plugin: &str) -> String {
        let snapshot = self.manager.snapshot();
        let failure = snapshot.get(plugin).and_then(|record| record.failure.as_ref()).map(|failure| failure.message.clone());
        failure.unwrap_or_else(|| format!("it did not start within {} s", PATIENCE.as_secs()))
    }
}
