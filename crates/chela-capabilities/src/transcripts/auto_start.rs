//! Captures that begin with the gateway (`transcripts.autoStart`).

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;

use super::{Transcripts, enabled};
use crate::host::{Scope, Surroundings};
use crate::params::Params;

/// How often a capture that does not begin is tried, and how far apart: plugins may still be starting, and platforms down.
const ATTEMPTS: usize = 12;
const PAUSE: Duration = Duration::from_secs(5);
/// What a provider may wait for its platform.
const STARTUP_WAIT: Duration = Duration::from_secs(30);
/// Most entries of the config.
const MOST_ENTRIES: usize = 32;

impl Transcripts {
    /// Begins what the config names, each in a task of its own that ends with the gateway.
    pub fn auto_start(self: &Arc<Self>, host: &Weak<dyn Surroundings>) {
        let Some(config) = host.upgrade().map(|host| host.config()).filter(|config| enabled(config)) else { return };
        let entries = config.pointer("/transcripts/autoStart").and_then(Value::as_array).into_iter().flatten();
        for entry in entries.filter(|entry| entry["providerId"].is_string()).take(MOST_ENTRIES) {
            let (this, host, entry) = (self.clone(), host.clone(), entry.clone());
            tokio::spawn(async move {
                let stopping = this.stopping.clone();
                stopping.run_until_cancelled(this.begin(&host, &entry)).await;
            });
        }
    }

    async fn begin(&self, host: &Weak<dyn Surroundings>, entry: &Value) {
        for attempt in 1..=ATTEMPTS {
            let Some(host) = host.upgrade() else { return };
            let scope = Scope::new(host.as_ref());
            match self.start(&scope, &Params(entry), Some(STARTUP_WAIT)).await {
                Ok((id, _)) => {
                    tracing::info!(target: "capabilities", session = id, "a transcript began with the gateway");
                    return;
                }
                Err(error) if attempt == ATTEMPTS => {
                    tracing::warn!(target: "capabilities", provider = %entry["providerId"], "`transcripts.autoStart` gave up: {error}");
                }
                Err(error) => tracing::debug!(target: "capabilities", provider = %entry["providerId"], "{error}"),
            }
            drop(host);
            tokio::time::sleep(PAUSE).await;
        }
    }
}
