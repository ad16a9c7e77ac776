//! What plugins keep with sessions, when a session or a plugin goes (HOOK-263..265).

use std::sync::Arc;
use std::time::Duration;

use chela_catalog::{IndexState, Snapshot};
use chela_plugin::registry::Registry;
use chela_plugin::{Call, Callback};
use serde_json::{Value, json};

use crate::assemble::Host;

/// Longest single cleanup of a plugin (HOOK-265).
const CLEANUP_BUDGET: Duration = Duration::from_secs(5);

/// Why plugins clean up (HOOK-263).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanupReason {
    /// The session begins anew.
    Reset,
    /// The session is deleted.
    Delete,
    /// The plugin is off now.
    Disable,
    /// The plugin starts anew.
    Restart,
}

impl CleanupReason {
    /// The word in the context of a cleanup.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Delete => "delete",
            Self::Disable => "disable",
            Self::Restart => "restart",
        }
    }
}

impl Host {
    /// Removes what plugins keep with one session, and lets each clean up (HOOK-264). Failures are logged, never returned.
    pub async fn clean_up_session(&self, reason: CleanupReason, session_key: &str) {
        if let Err(error) = self.runtime.store.clear_plugin_state(Some(session_key), None).await {
            tracing::warn!(target: "plugins", session = session_key, %error, "plugin state of a session could not be removed");
        }
        run(&self.manager.registry(), reason, None, Some(session_key)).await;
    }

    /// A plugin goes: its state in all sessions, unless it starts again, then its own cleanups, then its run contexts. `registry` is the
    /// one in which it is still registered.
    pub(crate) async fn clean_up_plugin(&self, registry: &Arc<Registry>, reason: CleanupReason, plugin: &str) {
        if reason != CleanupReason::Restart
            && let Err(error) = self.runtime.store.clear_plugin_state(None, Some(plugin)).await
        {
            tracing::warn!(target: "plugins", plugin, %error, "the session state of a plugin could not be removed");
        }
        run(registry, reason, Some(plugin), None).await;
        self.manager.run_contexts.clear_plugin(plugin);
    }

    /// Removes the mirrored members of session rows that restarted plugins declare no more (HOOK-264).
    pub(crate) async fn prune_slots(&self, restarted: Vec<String>) {
        let registry = self.manager.registry();
        let failed = |id: &str| registry.plugin(id).is_none_or(|p| p.failure.is_some());
        // A plugin that did not come up declares nothing; its slots wait for a start that works.
        let known: Vec<String> = restarted.into_iter().filter(|id| !failed(id)).collect();
        let declared = move |plugin: &str, namespace: &str, slot: &str| {
            !known.iter().any(|id| id == plugin)
                || registry
                    .session_extensions
                    .iter()
                    .any(|e| e.owner.id.as_ref() == plugin && e.namespace == namespace && e.slot_key.as_deref() == Some(slot))
        };
        if let Err(error) = self.runtime.store.prune_slots(declared).await {
            tracing::warn!(target: "plugins", %error, "members of session rows that no plugin declares could not be removed");
        }
    }
}

impl Host {
    /// Plugins that were uninstalled are owed nothing any more: neither what they have not heard nor the ends of sessions that are open.
    /// One that is off, or whose files cannot be found now, may come back and keeps its part.
    pub(crate) async fn forget_uninstalled(&self) {
        let store = &self.runtime.store;
        let owed = match store.owed_listeners().await {
            Ok(owed) => owed,
            Err(error) => return tracing::warn!(target: "plugins", %error, "who is owed session events could not be read"),
        };
        let snapshot = self.manager.snapshot();
        for plugin in owed.iter().filter(|id| is_gone(&snapshot, id)) {
            match store.forget_listener(plugin).await {
                Ok(events) => {
                    tracing::info!(target: "plugins", plugin, events, "session events that the uninstalled plugin was owed are forgotten");
                }
                Err(error) => tracing::warn!(target: "plugins", plugin, %error, "what an uninstalled plugin was owed could not be removed"),
            }
        }
    }
}

/// True for a plugin that is nowhere any more: not on the disk, not in the install records, and not in the config. While a path that
/// the config names is missing, or the records cannot be read, nobody can say that.
fn is_gone(snapshot: &Snapshot, id: &str) -> bool {
    let policy = &snapshot.policy;
    let named = policy.entries.contains_key(id) || [&policy.allow, &policy.deny].iter().any(|list| list.iter().any(|entry| entry == id));
    let unsure = snapshot.index.state == IndexState::Disabled || snapshot.diagnostics.iter().any(|d| d.code == Some("plugin-path-missing"));
    !named && !unsure && snapshot.get(id).is_none() && !snapshot.index.records.contains_key(id)
}

/// Calls the cleanups one after another: session extensions, runtime lifecycles, scheduler jobs.
async fn run(registry: &Registry, reason: CleanupReason, plugin: Option<&str>, session_key: Option<&str>) {
    let wanted = |owner: &str| plugin.is_none_or(|id| id == owner);
    let context = |extra: Value| {
        let mut out = json!({"reason": reason.as_str()});
        if let Some(key) = session_key {
            out["sessionKey"] = key.into();
        }
        if let (Some(out), Value::Object(extra)) = (out.as_object_mut(), extra) {
            out.extend(extra);
        }
        out
    };
    for extension in registry.session_extensions.iter().filter(|e| wanted(&e.owner.id)) {
        call(extension.cleanup.as_ref(), &format!("session:{}", extension.namespace), context(json!({}))).await;
    }
    for lifecycle in registry.lifecycles.iter().filter(|l| wanted(&l.owner.id)) {
        call(lifecycle.cleanup.as_ref(), &format!("runtime:{}", lifecycle.id), context(json!({}))).await;
    }
    let of_session = |key: &str| session_key.is_none_or(|wanted| wanted == key);
    for job in registry.scheduler_jobs.iter().filter(|j| wanted(&j.owner.id) && of_session(&j.session_key)) {
        call(job.cleanup.as_ref(), &format!("scheduler:{}", job.id), context(json!({"sessionKey": job.session_key, "jobId": job.id})))
            .await;
    }
}

async fn call(cleanup: Option<&Callback>, what: &str, context: Value) {
    let Some(cleanup) = cleanup else { return };
    let done = cleanup.call(Call::new(vec![context]).budget(Some(CLEANUP_BUDGET)));
    // The worker keeps the budget; this bounds a worker that does not.
    match tokio::time::timeout(CLEANUP_BUDGET + Duration::from_millis(500), done).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(target: "plugins", plugin = %cleanup.plugin_id, cleanup = what, "cleanup failed: {error}"),
        Err(_) => tracing::warn!(target: "plugins", plugin = %cleanup.plugin_id, cleanup = what, "cleanup took too long"),
    }
}
