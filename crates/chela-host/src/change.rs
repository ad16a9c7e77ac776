//! Changes while the host runs: of the config, and of the plugins on the disk. Only the plugins that a change is about are touched.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chela_catalog::Trigger;
use chela_config::Config;
use chela_plugin::registry::Registry;
use serde_json::Value;

use crate::assemble::{Host, STOP_GRACE, log_findings, public_config, scan_plugins};
use crate::cleanup::CleanupReason;
use crate::hook_files;
use crate::manager::{Changes, StartOutcome};
use crate::reload_rules::{ReloadRules, WorkerWishes, changed_paths};
use crate::visible::config_for;

/// How long plugins that start again may take before what they no longer declare is looked for.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a change of a plugin waits for the turns that were under way when it came. A plugin that is switched off because it
/// hangs must go all the same.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// How often the turns are looked at.
const TURN_POLL: Duration = Duration::from_millis(25);

impl Host {
    /// Takes a new config: catalog, models, agents, hook permissions. Plugins that run get it as a notice; in the background those that
    /// are off now stop, those whose own settings changed start anew, and those that are wanted from the start on are started. Blocks on
    /// the disk for the scan; call it inside the runtime.
    pub fn reload(self: &Arc<Self>, config: Arc<Config>) {
        let before = self.manager.registry();
        let settings = public_config(&self.runtime.config());
        let changed = changed_paths(&self.runtime.config().effective, &config.effective);
        let changes = self.take_catalog(&config, &ReloadRules::of(&before).for_workers(&changed));
        let catalog = chela_models::ModelCatalog::from_config(config.get("models").unwrap_or(&Value::Null));
        self.models.replace_configured(&catalog, &chela_models::http_client(), &self.auth);
        self.runtime.reload(config.clone(), self.models.clone());
        let snapshot = self.manager.snapshot();
        self.manager.notify_each("config", |id| config_for(snapshot.get(id), &config));
        let host = self.clone();
        tokio::spawn(async move {
            let _one = host.applying.lock().await;
            host.apply(&before, changes).await;
            host.forget_uninstalled().await;
            host.reload_channels(&settings, &public_config(&config)).await;
            tokio::select! {
                () = host.refresh_providers() => {}
                () = host.runtime.shutdown.cancelled() => {}
            }
        });
    }

    /// Looks at the plugins on the disk anew, the config being the same: one that came starts, one that went stops, and one that is
    /// another version now is swapped. Blocks on the disk; call it inside the runtime.
    pub fn rescan(self: &Arc<Self>) {
        let before = self.manager.registry();
        let changes = self.take_catalog(&self.runtime.config(), &WorkerWishes::default());
        let host = self.clone();
        tokio::spawn(async move {
            let _one = host.applying.lock().await;
            host.apply(&before, changes).await;
            host.forget_uninstalled().await;
        });
    }

    /// Starts one plugin anew from the files as they are now, its manifest included, and says how that ended. Turns under way are not
    /// waited for: it is for authors who try things out. `None` when the catalog has no such plugin, or it is off.
    pub async fn restart_plugin(self: &Arc<Self>, id: &str) -> Option<StartOutcome> {
        let _one = self.applying.lock().await;
        let before = self.manager.registry();
        self.take_catalog(&self.runtime.config(), &WorkerWishes::default());
        let hold = self.manager.hold_turns();
        if self.manager.runs(id) {
            self.clean_up_plugin(&before, CleanupReason::Restart, id).await;
            self.stop_changed(id).await;
        }
        self.manager.forget_failure(id);
        self.manager.begin_plugins(&[id.to_string()]);
        drop(hold);
        self.manager.start_and_wait(id, START_PATIENCE).await
    }

    /// Ends one plugin after its own clean-up: its channels, its services, its worker, and what others hold of it.
    async fn stop_changed(&self, id: &str) {
        self.stop_channels_of(id).await;
        self.discovery.stop_plugin(id).await;
        self.services.stop_plugin(id).await;
        self.manager.stop_plugin(id, "the plugin was changed", STOP_GRACE).await;
        self.models.remove_plugin(id);
        self.subscribers.forget(id);
        self.late_routes().forget(id);
    }

    fn take_catalog(&self, config: &Arc<Config>, wishes: &WorkerWishes) -> Changes {
        let snapshot = Arc::new(scan_plugins(&self.paths, &self.env, config));
        log_findings(&snapshot);
        let hook_files = hook_files::records(config, &self.env, &snapshot);
        self.manager.reload(snapshot.clone(), hook_files, self.names.rules(&snapshot, &self.paths, config), wishes)
    }

    // One change at a time, and none after the end: whoever stops the host waits for the lock that the caller holds.
    async fn apply(&self, before: &Arc<Registry>, changes: Changes) {
        let ended = || self.runtime.shutdown.cancelled();
        if changes.stop.iter().any(|id| self.manager.runs(id)) {
            tokio::select! {
                () = self.turns_under_way() => {}
                () = ended() => return,
            }
        }
        // No turn begins while a plugin that comes back is gone: a policy hook would be missing from it.
        let hold = (!changes.restart.is_empty()).then(|| self.manager.hold_turns());
        for id in &changes.stop {
            let again = changes.restart.contains(id);
            tracing::info!(target: "plugins", plugin = %id, again, "stopping because it was changed");
            let reason = if again { CleanupReason::Restart } else { CleanupReason::Disable };
            tokio::select! {
                () = self.clean_up_plugin(before, reason, id) => {}
                () = ended() => return,
            }
            self.stop_changed(id).await;
        }
        self.manager.begin_plugins(&changes.restart);
        drop(hold);
        if self.started.get().is_some() {
            self.manager.begin(&Trigger::GatewayStartup);
        }
        if changes.restart.is_empty() {
            return;
        }
        tokio::select! {
            settled = self.manager.settle(START_PATIENCE) => if settled { self.prune_slots(changes.restart).await },
            () = ended() => {}
        }
    }

    /// Waits for the turns that run now, at most [`TURN_PATIENCE`]: each keeps the plugins that it began with.
    async fn turns_under_way(&self) {
        let ids = || self.runtime.runs.active().into_iter().map(|run| run.run_id).collect::<HashSet<String>>();
        let old = ids();
        let over = async {
            while !old.is_disjoint(&ids()) {
                tokio::time::sleep(TURN_POLL).await;
            }
        };
        if tokio::time::timeout(TURN_PATIENCE, over).await.is_err() {
            tracing::warn!(target: "plugins", "a turn goes on while a plugin is changed under it");
        }
    }
}
