//! The manager's view of each plugin.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_catalog::{PluginRecord, Snapshot};
use chela_plugin::register::PluginFacts;
use chela_plugin::{StartError, StartedPlugin};
use serde_json::{Map, Value};

use super::Changes;
use crate::reload_rules::WorkerWishes;

/// Where a plugin stands. No slot: never started.
pub(crate) enum Slot {
    /// Its start is under way.
    Starting {
        /// When it was asked for.
        since: Instant,
        /// Tells this start from an earlier one that was taken back.
        number: u64,
    },
    /// It registered.
    Started {
        /// Facts for the registry.
        facts: PluginFacts,
        /// Its registrations and worker.
        started: Box<StartedPlugin>,
    },
    /// It did not register.
    Failed {
        /// Facts for the registry.
        facts: PluginFacts,
        /// Why.
        error: StartError,
    },
}

/// Catalog and slots.
pub(crate) struct State {
    pub(crate) snapshot: Arc<Snapshot>,
    /// What stands for the `HOOK.md` hooks; its handlers come after those of plugins.
    pub(crate) hook_files: Vec<PluginRecord>,
    pub(crate) slots: HashMap<String, Slot>,
    /// Starts that were asked for.
    pub(crate) starts: u64,
    /// True once the plugins for turns were asked for.
    pub(crate) in_turns: bool,
    /// Gateway methods of plugins that were stopped: plugin id and scope of each.
    pub(crate) returning: HashMap<String, (String, String)>,
}

impl State {
    /// All that can be started, in the order in which it registers.
    pub(crate) fn records(&self) -> impl Iterator<Item = &PluginRecord> {
        self.snapshot.plugins.iter().chain(&self.hook_files)
    }

    /// What has to stop or to start anew when `next` replaces the catalog.
    pub(crate) fn changes(&self, next: &Snapshot, next_hooks: &[PluginRecord], wishes: &WorkerWishes) -> Changes {
        let mut changes = Changes::default();
        for id in self.slots.keys() {
            let startable = |record: &&PluginRecord| record.id == *id && record.is_startable();
            let before = self.records().find(startable);
            let after = next.plugins.iter().chain(next_hooks).find(startable);
            let same_settings =
                |a: &PluginRecord, b: &PluginRecord| a.config == b.config && entry_of(&self.snapshot, id) == entry_of(next, id);
            if let (Some(before), Some(after)) = (before, after)
                && starts_alike(before, after)
                && !wishes.restart.contains(id)
                && (wishes.keep.contains(id) || same_settings(before, after))
            {
                continue;
            }
            changes.stop.push(id.clone());
            if after.is_some() {
                changes.restart.push(id.clone());
            }
        }
        changes.stop.sort();
        changes.restart.sort();
        changes
    }

    /// True while this very start is wanted: it was not taken back, for instance by a config that switches the plugin off.
    pub(crate) fn awaits(&self, id: &str, start: u64) -> bool {
        matches!(self.slots.get(id), Some(Slot::Starting { number, .. }) if *number == start)
    }

    /// For how long each start that is under way has been.
    pub(crate) fn starting_for(&self) -> Vec<Duration> {
        let since = self.slots.values().filter_map(|slot| match slot {
            Slot::Starting { since, .. } => Some(since.elapsed()),
            _ => None,
        });
        since.collect()
    }

    /// The record, when the plugin may be started and is not started already. A failure that cannot go away by itself is final until
    /// the catalog changes.
    pub(crate) fn startable(&self, id: &str) -> Option<PluginRecord> {
        let free = match self.slots.get(id) {
            None => true,
            Some(Slot::Failed { error, .. }) => error.transient,
            Some(_) => false,
        };
        let record = self.records().find(|p| p.id == id).filter(|p| p.is_startable())?;
        free.then(|| record.clone())
    }
}

/// True when a worker that was started for `a` serves `b` too, if its settings are the same: the same files. A version that was switched in place
/// has another real path.
fn starts_alike(a: &PluginRecord, b: &PluginRecord) -> bool {
    let files = |p: &PluginRecord| (p.source.clone(), p.root_dir.clone(), p.version.clone(), p.origin, p.lane);
    files(a) == files(b) && a.manifest.raw == b.manifest.raw
}

/// What the operator wrote for a plugin and its worker reads only when it starts. Hook permissions are applied by the registry and
/// need no new worker.
fn entry_of(snapshot: &Snapshot, id: &str) -> Map<String, Value> {
    let entries = snapshot.config.get("plugins").and_then(|plugins| plugins.get("entries"));
    let mut entry = entries.and_then(|entries| entries.get(id)).and_then(Value::as_object).cloned().unwrap_or_default();
    entry.remove("hooks");
    entry.remove("enabled");
    // Compared with the schema's defaults filled in.
    entry.remove("config");
    entry
}
