//! Hot session rows in memory, bounded by bytes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::SessionRow;

/// Bytes of row JSON one generation may hold; two generations live at a time.
const GENERATION_BYTES: usize = 2 << 20;
/// Rough cost of a row besides its JSON.
const ROW_OVERHEAD: usize = 400;

/// Two generations: what is used moves to the young one, and when that is full the old one is dropped.
/// Every operation is O(1), and nothing scans.
#[derive(Default)]
pub(crate) struct RowCache {
    young: HashMap<String, Arc<SessionRow>>,
    old: HashMap<String, Arc<SessionRow>>,
    young_bytes: usize,
    /// Counts applied batches: a reader that started before a batch must not put its older row over it.
    epoch: u64,
}

impl RowCache {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<Arc<SessionRow>> {
        if let Some(row) = self.young.get(key) {
            return Some(Arc::clone(row));
        }
        let row = self.old.remove(key)?;
        self.insert(Arc::clone(&row));
        Some(row)
    }

    /// Adds a row that was read while the cache stood at `epoch`; ignored when a batch was applied since.
    pub(crate) fn insert_read(&mut self, epoch: u64, row: Arc<SessionRow>) {
        if self.epoch == epoch {
            self.insert(row);
        }
    }

    pub(crate) fn next_epoch(&mut self) {
        self.epoch += 1;
    }

    pub(crate) fn insert(&mut self, row: Arc<SessionRow>) {
        self.old.remove(&row.key);
        if self.young_bytes >= GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
            self.old.remove(&row.key);
        }
        let cost = cost_of(&row);
        if self.young.insert(row.key.clone(), row).is_none() {
            self.young_bytes += cost;
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.old.remove(key);
        if let Some(row) = self.young.remove(key) {
            self.young_bytes = self.young_bytes.saturating_sub(cost_of(&row));
        }
    }

    pub(crate) fn set_messages(&mut self, key: &str, session_id: &str, messages: u64) {
        let row = match self.young.get_mut(key) {
            Some(row) => Some(row),
            None => self.old.get_mut(key),
        };
        if let Some(row) = row.filter(|r| r.session_id == session_id) {
            Arc::make_mut(row).message_count = messages;
        }
    }
}

/// The serialised size would be exact and slow; nested values dominate and are counted roughly.
fn cost_of(row: &SessionRow) -> usize {
    ROW_OVERHEAD + row.key.len() * 2 + row.extra.iter().map(|(k, v)| k.len() + value_cost(v)).sum::<usize>()
}

/// Rough bytes of a value in memory.
pub(crate) fn value_cost(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    32 + match value {
        Value::String(s) => s.len(),
        Value::Array(items) => items.iter().map(value_cost).sum(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + 48 + value_cost(v)).sum(),
        _ => 0,
    }
}

/// A bounded set of strings with the same two generations: transcripts already compared with their files.
#[derive(Default)]
pub(crate) struct RecentSet {
    young: std::collections::HashSet<String>,
    old: std::collections::HashSet<String>,
}

impl RecentSet {
    const GENERATION: usize = 8192;

    pub(crate) fn contains(&mut self, id: &str) -> bool {
        if self.young.contains(id) {
            return true;
        }
        let found = self.old.remove(id);
        if found {
            self.insert(id.to_owned());
        }
        found
    }

    pub(crate) fn insert(&mut self, id: String) {
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.young.remove(id);
        self.old.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, payload: usize) -> Arc<SessionRow> {
        let mut row = SessionRow { key: key.to_owned(), session_id: "s".into(), ..SessionRow::default() };
        row.extra.insert("x".into(), "y".repeat(payload).into());
        Arc::new(row)
    }

    #[test]
    fn bounded_and_keeps_what_is_used() {
        let mut cache = RowCache::default();
        for n in 0..100 {
            cache.insert(row(&format!("k{n}"), 256 << 10));
            assert!(cache.get("k0").is_some(), "used at every step, lost at {n}");
        }
        assert!(cache.get("k1").is_none(), "a row unused for long is dropped");
        assert!(cache.young.len() + cache.old.len() < 24);
    }

    #[test]
    fn a_late_reader_cannot_put_back_an_old_row() {
        let mut cache = RowCache::default();
        let epoch = cache.epoch();
        cache.next_epoch();
        cache.insert_read(epoch, row("k", 1));
        assert!(cache.get("k").is_none());
        let epoch = cache.epoch();
        cache.insert_read(epoch, row("k", 1));
        cache.set_messages("k", "s", 7);
        cache.set_messages("k", "other", 9);
        assert_eq!(cache.get("k").unwrap().message_count, 7);
    }
}
