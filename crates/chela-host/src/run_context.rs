//! Values that plugins keep for the length of a run (API-092..094, API-204).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// Closed runs that are remembered: writing to them is refused.
const CLOSED_REMEMBERED: usize = 512;
/// Values that one plugin may keep for one run.
const MAX_VALUES: usize = 64;

type Key = (String, String);

/// All run contexts. A value belongs to one plugin and one run; no plugin sees another's.
#[derive(Default)]
pub struct RunContexts {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    values: HashMap<Key, HashMap<String, Value>>,
    closed: HashSet<String>,
    order: VecDeque<String>,
}

impl RunContexts {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets or, without a value, removes. False for a closed run, blank ids, or too many values.
    pub fn set(&self, plugin: &str, run: &str, namespace: &str, value: Option<Value>) -> bool {
        let mut inner = self.lock();
        if run.trim().is_empty() || namespace.trim().is_empty() || inner.closed.contains(run) {
            return false;
        }
        let values = inner.values.entry((plugin.into(), run.into())).or_default();
        match value {
            Some(_) if values.len() >= MAX_VALUES && !values.contains_key(namespace) => false,
            Some(value) => {
                values.insert(namespace.into(), value);
                true
            }
            None => {
                values.remove(namespace);
                true
            }
        }
    }

    /// A copy of the value.
    pub fn get(&self, plugin: &str, run: &str, namespace: &str) -> Option<Value> {
        self.lock().values.get(&(plugin.into(), run.into()))?.get(namespace).cloned()
    }

    /// Removes one value, or all values of the plugin for the run.
    pub fn clear(&self, plugin: &str, run: &str, namespace: Option<&str>) {
        let mut inner = self.lock();
        let key = (plugin.to_string(), run.to_string());
        match namespace {
            Some(namespace) => {
                if let Some(values) = inner.values.get_mut(&key) {
                    values.remove(namespace);
                }
            }
            None => {
                inner.values.remove(&key);
            }
        }
    }

    /// Everything of a plugin goes.
    pub fn clear_plugin(&self, plugin: &str) {
        self.lock().values.retain(|(p, _), _| p != plugin);
    }

    /// Closes a run: everything kept for it goes.
    pub fn clear_run(&self, run: &str) {
        let mut inner = self.lock();
        inner.values.retain(|(_, r), _| r != run);
        if inner.closed.insert(run.into()) {
            inner.order.push_back(run.into());
        }
        while inner.order.len() > CLOSED_REMEMBERED {
            if let Some(oldest) = inner.order.pop_front() {
                inner.closed.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-092..094, API-204
    #[test]
    fn values_belong_to_a_plugin_and_a_run() {
        let contexts = RunContexts::default();
        assert!(contexts.set("a", "r", "n", Some(1.into())));
        assert_eq!(contexts.get("a", "r", "n"), Some(1.into()));
        assert_eq!(contexts.get("b", "r", "n"), None);
        assert!(!contexts.set("a", " ", "n", Some(1.into())));
        contexts.clear("a", "r", Some("n"));
        assert_eq!(contexts.get("a", "r", "n"), None);
        contexts.set("a", "r", "m", Some(2.into()));
        contexts.set("b", "r", "m", Some(3.into()));
        contexts.clear_plugin("b");
        assert_eq!((contexts.get("a", "r", "m"), contexts.get("b", "r", "m")), (Some(2.into()), None));
        contexts.clear_run("r");
        assert_eq!(contexts.get("a", "r", "m"), None);
        assert!(!contexts.set("a", "r", "m", Some(2.into())), "the run is closed");
        for n in 0..CLOSED_REMEMBERED {
            contexts.clear_run(&format!("other-{n}"));
        }
        assert!(contexts.set("a", "r", "m", Some(2.into())), "an old closed run is forgotten");
    }
}
