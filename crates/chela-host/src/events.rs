//! Agent events for plugins: subscriptions (API-205) and `api.runtime.events` (RT-103, RT-106).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chela_agent::background::spawn_in_order;
use chela_agent::{RunEvent, RunRef, RunSink};
use chela_plugin::Call;
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use crate::assemble::Host;

/// Events that wait for one subscription at most.
const MOST_WAITING: usize = 256;
/// Longest handling of one event by one subscription.
const BUDGET: Duration = Duration::from_secs(10);

/// Which plugins asked for pushed events, by event name.
#[derive(Default)]
pub struct Subscribers {
    inner: Mutex<HashSet<(String, String)>>,
}

impl Subscribers {
    /// A plugin's first listener of a name came, or its last one went.
    pub fn set(&self, plugin: &str, name: &str, on: bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (plugin.to_string(), name.to_string());
        if on {
            inner.insert(key);
        } else {
            inner.remove(&key);
        }
    }

    /// Forgets a plugin that is stopped; it subscribes again when it starts.
    pub fn forget(&self, plugin: &str) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).retain(|(p, _)| p != plugin);
    }

    /// True when somebody listens to a name.
    pub fn any(&self, name: &str) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|(_, n)| n == name)
    }

    /// Plugins that listen to a name.
    pub fn of(&self, name: &str) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.iter().filter(|(_, n)| n == name).map(|(p, _)| p.clone()).collect()
    }
}

/// Passes run events on, and tells plugins of messages that went into a transcript (RT-106).
pub(crate) struct TranscriptSink {
    inner: Arc<dyn RunSink>,
    host: OnceLock<Weak<Host>>,
}

impl TranscriptSink {
    pub(crate) fn new(inner: Arc<dyn RunSink>) -> Arc<Self> {
        Arc::new(Self { inner, host: OnceLock::new() })
    }

    pub(crate) fn connect(&self, host: &Arc<Host>) {
        let _ = self.host.set(Arc::downgrade(host));
    }
}

impl RunSink for TranscriptSink {
    fn emit(&self, run: &RunRef, event: RunEvent) {
        if let Some(host) = self.host.get().and_then(Weak::upgrade) {
            host.channels.tap(&run.run_id, &event);
        }
        if let RunEvent::MessageWritten { id, seq, message } = &event
            && let Some(host) = self.host.get().and_then(Weak::upgrade).filter(|h| h.subscribers.any("sessionTranscriptUpdate"))
        {
            let (key, id, seq, message) = (run.session_key.clone(), id.clone(), *seq, message.clone());
            spawn_in_order(async move {
                let Ok(Some(row)) = host.runtime.store.session(&key).await else { return };
                let payload =
                    json!({"sessionFile": row.session_file, "sessionKey": key, "messageId": id, "messageSeq": seq, "message": message});
                for plugin in host.subscribers.of("sessionTranscriptUpdate") {
                    host.manager.notify(&plugin, "sessionTranscriptUpdate", &payload);
                }
            });
        }
        self.inner.emit(run, event);
    }
}

/// Subscriptions of plugins to agent events, fed in order. A plugin that does not keep up loses events; it never holds up a run or
/// makes the host keep its backlog.
#[derive(Default)]
pub struct Flow {
    waiting: Mutex<HashMap<(String, String), Arc<AtomicUsize>>>,
}

impl Flow {
    /// Hands an `agent` payload to the subscriptions of the registry, in the background; errors are logged only.
    pub fn publish(&self, registry: &Arc<Registry>, payload: &Value) {
        let stream = payload.get("stream").and_then(Value::as_str).unwrap_or_default();
        for subscription in &registry.event_subscriptions {
            if subscription.streams.as_ref().is_some_and(|wanted| !wanted.iter().any(|s| s == stream)) {
                continue;
            }
            let (handle, owner, id) = (subscription.handle.clone(), subscription.owner.id.clone(), subscription.id.clone());
            let waiting = self.waiting_of(&owner, &id);
            let before = waiting.fetch_add(1, Ordering::AcqRel);
            if before >= MOST_WAITING {
                waiting.fetch_sub(1, Ordering::AcqRel);
                tracing::debug!(target: "plugins", plugin = %owner, subscription = %id, "agent event dropped: the subscription does not keep up");
                continue;
            }
            let args = vec![payload.clone(), json!({"runId": payload.get("runId")})];
            spawn_in_order(async move {
                if let Err(error) = handle.call(Call::new(args).budget(Some(BUDGET))).await {
                    tracing::warn!(target: "plugins", plugin = %owner, subscription = %id, "agent event subscription failed: {error}");
                }
                waiting.fetch_sub(1, Ordering::AcqRel);
            });
        }
    }

    fn waiting_of(&self, owner: &str, id: &str) -> Arc<AtomicUsize> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry((owner.to_string(), id.to_string())).or_default().clone()
    }
}
