//! Collects finished starts and publishes one generation for all that came in together.

use std::sync::Weak;

use chela_plugin::register::PluginFacts;
use chela_plugin::{StartError, StartedPlugin};
use tokio::sync::mpsc;

use super::PluginManager;
use super::state::Slot;

/// A finished start.
pub(super) struct Completion {
    pub(super) facts: PluginFacts,
    pub(super) result: Result<StartedPlugin, StartError>,
}

/// Runs until the manager is gone.
pub(super) async fn run(manager: Weak<PluginManager>, mut completions: mpsc::UnboundedReceiver<Completion>) {
    while let Some(first) = completions.recv().await {
        let Some(manager) = manager.upgrade() else { return };
        let mut batch = vec![first];
        while let Ok(more) = completions.try_recv() {
            batch.push(more);
        }
        let count = batch.len();
        let mut fresh = Vec::new();
        {
            let mut state = manager.state();
            for Completion { facts, result } in batch {
                let id = facts.id.clone();
                let slot = match result {
                    Ok(started) => {
                        fresh.push(id.clone());
                        Slot::Started { facts, started: Box::new(started) }
                    }
                    Err(error) => Slot::Failed { facts, error },
                };
                state.slots.insert(id, slot);
            }
        }
        let registry = manager.rebuild();
        manager.after_start(&registry, &fresh);
        manager.pending.send_modify(|n| *n = n.saturating_sub(count));
    }
}
