//! What each plugin's handlers did so far, for status pages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_plugin::HookName;
use serde::Serialize;

/// Counts of one plugin's handlers of one hook, since the start of the process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookCounter {
    /// The plugin.
    pub plugin_id: String,
    /// The hook.
    pub hook: &'static str,
    /// Handler calls, failed ones included.
    pub calls: u64,
    /// Calls that failed for any reason.
    pub failures: u64,
    /// Failures because the budget ran out.
    pub timeouts: u64,
    /// Time of all calls in ms.
    pub total_ms: f64,
    /// Time of the slowest call in ms.
    pub max_ms: f64,
    /// Text of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct HandlerStats {
    calls: AtomicU64,
    failures: AtomicU64,
    timeouts: AtomicU64,
    total_us: AtomicU64,
    max_us: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl HandlerStats {
    pub(crate) fn ran(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Relaxed);
        self.total_us.fetch_add(us, Relaxed);
        self.max_us.fetch_max(us, Relaxed);
    }

    pub(crate) fn failed(&self, timed_out: bool, text: &str) {
        self.failures.fetch_add(1, Relaxed);
        self.timeouts.fetch_add(u64::from(timed_out), Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }
}

type ByHandler = HashMap<(Arc<str>, HookName), Arc<HandlerStats>>;

/// All counters; they outlive a change of the registry.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<ByHandler>);

impl Counters {
    pub(crate) fn of(&self, plugin_id: &Arc<str>, hook: HookName) -> Arc<HandlerStats> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((plugin_id.clone(), hook)).or_default().clone()
    }

    /// Sorted by plugin, then in the order of the contract's table.
    pub(crate) fn snapshot(&self) -> Vec<HookCounter> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = all.iter().collect();
        rows.sort_by_key(|(key, _)| *key);
        let ms = |us: &AtomicU64| us.load(Relaxed) as f64 / 1000.0;
        rows.into_iter()
            .map(|((plugin_id, hook), stats)| HookCounter {
                plugin_id: plugin_id.to_string(),
                hook: hook.as_str(),
                calls: stats.calls.load(Relaxed),
                failures: stats.failures.load(Relaxed),
                timeouts: stats.timeouts.load(Relaxed),
                total_ms: ms(&stats.total_us),
                max_ms: ms(&stats.max_us),
                last_error: stats.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            })
            .collect()
    }
}
