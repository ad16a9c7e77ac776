//! Limits the sockets of one address that have not finished the handshake (GW-23).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The budget; clones share it.
#[derive(Debug, Clone)]
pub struct PreauthBudget {
    counts: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
    max: usize,
}

/// One taken place; dropping it gives it back.
#[derive(Debug)]
pub struct PreauthPlace {
    counts: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
    key: Option<IpAddr>,
}

impl PreauthBudget {
    /// A budget of `max` sockets per address; at least one.
    pub fn new(max: usize) -> Self {
        PreauthBudget { counts: Arc::default(), max: max.max(1) }
    }

    /// Takes a place, if one is free. All clients without a known address share one count.
    pub fn take(&self, key: Option<IpAddr>) -> Option<PreauthPlace> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_insert(0);
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(PreauthPlace { counts: self.counts.clone(), key })
    }
}

impl Drop for PreauthPlace {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-23
    #[test]
    fn places_are_per_address_and_come_back() {
        let budget = PreauthBudget::new(2);
        let a = Some("9.9.9.9".parse().unwrap());
        let first = budget.take(a).unwrap();
        let _second = budget.take(a).unwrap();
        assert!(budget.take(a).is_none());
        assert!(budget.take(None).is_some());
        drop(first);
        assert!(budget.take(a).is_some());
    }
}
