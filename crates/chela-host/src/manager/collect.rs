//! Collects finished starts and publishes one generation for all that came in together.

use std::sync::{Arc, Weak};

use chela_plugin::register::PluginFacts;
use chela_plugin::{StartError, StartedPlugin};
use tokio::sync::mpsc;

use super::state::Slot;
use super::{PluginManager, Rules};

/// A finished start.
pub(super) struct Completion {
    pub(super) facts: PluginFacts,
    /// Number of the start.
    pub(super) number: u64,
    /// The rules that it was started by.
    pub(super) rules: Arc<Rules>,
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
        // Whoever comes after this start is over also waits for the models of what has started.
        let hold = manager.hold_turns();
        let (mut fresh, mut unwanted, mut begun_by) = (Vec::new(), Vec::new(), Vec::new());
        {
            let mut state = manager.state();
            for Completion { facts, number, rules, result } in batch {
                let id = facts.id.clone();
                if !state.awaits(&id, number) {
                    unwanted.extend(result.ok());
                    continue;
                }
                let slot = match result {
                    Ok(started) => {
                        fresh.push(id.clone());
                        begun_by.push((id.clone(), rules));
                        Slot::Started { facts, started: Box::new(started) }
                    }
                    Err(error) => Slot::Failed { facts, error },
                };
                state.slots.insert(id, slot);
            }
        }
        for (id, rules) in begun_by {
            // The config changed while it started: it was no one's to tell then.
            manager.catch_up(&id, &rules);
        }
        for started in unwanted {
            // It was switched off while it started: it never takes part in anything.
            tokio::spawn(async move { started.control.stop("the plugin is off", super::TAKEN_BACK_GRACE).await });
        }
        let registry = manager.rebuild();
        manager.after_start(&registry, &fresh);
        drop(hold);
        manager.pending.send_modify(|n| *n = n.saturating_sub(count));
    }
}
