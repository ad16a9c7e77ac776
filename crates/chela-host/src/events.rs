//! Agent events for plugins: subscriptions (API-205) and `api.runtime.events` (RT-103).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_plugin::Call;
use chela_plugin::registry::Registry;
use serde_json::{Value, json};
use std::sync::Arc;

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

    /// Plugins that listen to a name.
    pub fn of(&self, name: &str) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.iter().filter(|(_, n)| n == name).map(|(p, _)| p.clone()).collect()
    }
}

/// Hands an `agent` payload to the subscriptions of the registry, in the background; errors are logged only.
pub fn publish(registry: &Arc<Registry>, payload: &Value) {
    let stream = payload.get("stream").and_then(Value::as_str).unwrap_or_default();
    for subscription in &registry.event_subscriptions {
        if subscription.streams.as_ref().is_some_and(|wanted| !wanted.iter().any(|s| s == stream)) {
            continue;
        }
        let (handle, owner, id) = (subscription.handle.clone(), subscription.owner.id.clone(), subscription.id.clone());
        let args = vec![payload.clone(), json!({"runId": payload.get("runId")})];
        tokio::spawn(async move {
            if let Err(error) = handle.call(Call::new(args).budget(Some(BUDGET))).await {
                tracing::warn!(target: "plugins", plugin = %owner, subscription = %id, "agent event subscription failed: {error}");
            }
        });
    }
}
