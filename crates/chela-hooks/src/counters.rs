//! What each plugin's handlers did so far, for status pages and metrics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_plugin::HookName;
use serde::Serialize;

use crate::watch::HookKind;

/// Steps of the times that are kept: two for each doubling, from 1 µs up to about a minute. Enough to tell a median within 20 %.
const STEPS: usize = 54;

/// Counts of one plugin's handlers of one hook, since the start of the process.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookCounter {
    /// The plugin.
    pub plugin_id: String,
    /// The bus.
    pub kind: HookKind,
    /// The hook; for internal handlers what they registered for, `type` or `type:action`.
    pub hook: String,
    /// Handler calls, failed ones included.
    pub calls: u64,
    /// Calls that failed for any reason.
    pub failures: u64,
    /// Failures because the budget ran out.
    pub timeouts: u64,
    /// Time of all calls in ms.
    pub total_ms: f64,
    /// Half of the calls took no longer, within 20 %, in ms.
    pub p50_ms: f64,
    /// Time of the slowest call in ms.
    pub max_ms: f64,
    /// Text of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How many calls took at most so many ms, rising, the steps with calls only.
    #[serde(skip)]
    pub steps: Vec<(f64, u64)>,
}

#[derive(Debug)]
pub(crate) struct HandlerStats {
    calls: AtomicU64,
    failures: AtomicU64,
    timeouts: AtomicU64,
    total_us: AtomicU64,
    max_us: AtomicU64,
    steps: [AtomicU32; STEPS],
    last_error: Mutex<Option<String>>,
}

impl Default for HandlerStats {
    fn default() -> Self {
        Self {
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            total_us: AtomicU64::new(0),
            max_us: AtomicU64::new(0),
            steps: [const { AtomicU32::new(0) }; STEPS],
            last_error: Mutex::default(),
        }
    }
}

/// The step of a time: its power of two, and whether it lies in the upper half.
fn step_of(us: u64) -> usize {
    let us = us.max(1);
    let power = us.ilog2();
    let upper = power > 0 && us & (1 << (power - 1)) != 0;
    (2 * power as usize + usize::from(upper)).min(STEPS - 1)
}

/// The longest time of a step, in µs.
fn end_of(step: usize) -> u64 {
    let low = 1u64 << (step / 2);
    if step.is_multiple_of(2) { (low + low / 2).max(low + 1) - 1 } else { 2 * low - 1 }
}

impl HandlerStats {
    pub(crate) fn ran(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.calls.fetch_add(1, Relaxed);
        self.total_us.fetch_add(us, Relaxed);
        self.max_us.fetch_max(us, Relaxed);
        if let Some(step) = self.steps.get(step_of(us)) {
            step.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn failed(&self, timed_out: bool, text: &str) {
        self.failures.fetch_add(1, Relaxed);
        self.timeouts.fetch_add(u64::from(timed_out), Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }

    fn counter(&self, key: &Key) -> HookCounter {
        let ms = |us: u64| us as f64 / 1000.0;
        let (mut steps, mut sum) = (Vec::new(), 0u64);
        for (step, count) in self.steps.iter().enumerate() {
            let count = u64::from(count.load(Relaxed));
            sum += count;
            if count > 0 {
                steps.push((ms(end_of(step)), sum));
            }
        }
        let max_ms = ms(self.max_us.load(Relaxed));
        let half = steps.iter().find(|(_, count)| 2 * count >= sum).map_or(0.0, |(end, _)| end.min(max_ms));
        HookCounter {
            plugin_id: key.plugin.to_string(),
            kind: if key.internal { HookKind::Internal } else { HookKind::Typed },
            hook: key.name.to_string(),
            calls: self.calls.load(Relaxed),
            failures: self.failures.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            total_ms: ms(self.total_us.load(Relaxed)),
            p50_ms: half,
            max_ms,
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            steps,
        }
    }
}

/// Sorted by plugin, typed handlers first in the order of the contract's table, then internal ones by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    plugin: Arc<str>,
    internal: bool,
    typed: Option<HookName>,
    name: Arc<str>,
}

/// All counters; they outlive a change of the registry.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<HashMap<Key, Arc<HandlerStats>>>);

impl Counters {
    pub(crate) fn of(&self, plugin_id: &Arc<str>, hook: HookName) -> Arc<HandlerStats> {
        self.get(Key { plugin: plugin_id.clone(), internal: false, typed: Some(hook), name: hook.as_str().into() })
    }

    /// Those of a plugin's internal handlers of one event.
    pub(crate) fn of_internal(&self, plugin_id: &Arc<str>, event: &str) -> Arc<HandlerStats> {
        self.get(Key { plugin: plugin_id.clone(), internal: true, typed: None, name: event.into() })
    }

    fn get(&self, key: Key) -> Arc<HandlerStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    /// What has been called, or can be.
    pub(crate) fn snapshot(&self) -> Vec<HookCounter> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = all.iter().collect();
        rows.sort_by_key(|(key, _)| *key);
        rows.into_iter().map(|(key, stats)| stats.counter(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_its_step_and_steps_follow_each_other() {
        for us in [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 1000, 1_000_000, 30_000_000] {
            let step = step_of(us);
            assert!(us <= end_of(step), "{us} in step {step} that ends at {}", end_of(step));
            assert!(step == 0 || us > end_of(step - 1) || us <= 1, "{us} in step {step} after {}", end_of(step - 1));
        }
        assert_eq!(step_of(u64::MAX), STEPS - 1);
    }

    #[test]
    fn the_median_is_near_the_truth_and_never_above_the_longest() {
        let counters = Counters::default();
        let stats = counters.of(&"p".into(), HookName::AgentEnd);
        for ms in [1, 1, 2, 10, 100] {
            stats.ran(Duration::from_millis(ms));
        }
        stats.failed(true, "late");
        let row = &counters.snapshot()[0];
        assert!((2.0..=3.1).contains(&row.p50_ms), "{row:?}");
        assert_eq!((row.calls, row.failures, row.timeouts, row.max_ms), (5, 1, 1, 100.0));
        assert_eq!(row.steps.last().unwrap().1, 5);
        let one = counters.of_internal(&"p".into(), "command:new");
        one.ran(Duration::from_micros(1025));
        assert_eq!(counters.snapshot()[1].p50_ms, 1.025);
        assert_eq!(counters.snapshot().iter().map(|row| row.kind).collect::<Vec<_>>(), [HookKind::Typed, HookKind::Internal]);
    }
}
