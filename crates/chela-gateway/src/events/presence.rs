//! Who is there (GW-F19): clients while they are connected, and what `system-event` reports for five minutes.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries that nobody holds go after this time, in milliseconds.
const TTL_MS: i64 = 5 * 60 * 1000;
/// Entries shown at most, and entries without a connection kept at most; the oldest go first.
const MAX_ENTRIES: usize = 200;

/// One entry, in the reference's shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // the names are the wire's
pub struct PresenceEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_input_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

#[derive(Debug)]
struct Held {
    entry: PresenceEntry,
    /// Connections that stand behind the entry; an entry with any never expires.
    holders: usize,
    pinned: bool,
}

/// The list.
#[derive(Debug, Default)]
pub struct PresenceList {
    held: Mutex<HashMap<String, Held>>,
    version: AtomicU64,
}

impl PresenceList {
    /// Adds or replaces an entry that lives five minutes unless a connection holds it; `ts` is set.
    pub fn upsert(&self, key: &str, entry: PresenceEntry) {
        self.put(key, entry, 0, false);
    }

    /// Adds the gateway's own entry, which never expires.
    pub fn pin(&self, key: &str, entry: PresenceEntry) {
        self.put(key, entry, 0, true);
    }

    /// Adds the entry of a connection.
    pub(crate) fn connect(&self, key: &str, entry: PresenceEntry) {
        self.put(key, entry, 1, false);
    }

    /// Ends a connection's hold. The entry goes with its last holder (GW-F19).
    pub(crate) fn disconnect(&self, key: &str) {
        let mut held = self.lock();
        if let Some(present) = held.get_mut(key) {
            present.holders = present.holders.saturating_sub(1);
            if present.holders == 0 && !present.pinned {
                held.remove(key);
            }
        }
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// The gateway's own entry, then the newest.
    pub fn entries(&self) -> Vec<PresenceEntry> {
        let now = crate::devices::now_ms();
        let mut held = self.lock();
        held.retain(|_, present| present.pinned || present.holders > 0 || now - present.entry.ts <= TTL_MS);
        let mut sorted: Vec<&Held> = held.values().collect();
        sorted.sort_by_key(|present| (!present.pinned, std::cmp::Reverse(present.entry.ts)));
        sorted.truncate(MAX_ENTRIES);
        sorted.into_iter().map(|present| present.entry.clone()).collect()
    }

    /// Rises with every change.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    fn put(&self, key: &str, mut entry: PresenceEntry, holders: usize, pinned: bool) {
        entry.ts = crate::devices::now_ms();
        let mut held = self.lock();
        let before = held.get(key).map_or((0, false), |present| (present.holders, present.pinned));
        let present = Held { entry, holders: before.0 + holders, pinned: before.1 || pinned };
        held.insert(key.to_owned(), present);
        if held.len() > MAX_ENTRIES {
            let oldest = held
                .iter()
                .filter(|(_, present)| present.holders == 0 && !present.pinned)
                .min_by_key(|(_, present)| present.entry.ts)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                held.remove(&oldest);
            }
        }
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    // The map holds no invariant that a panic could break.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-F19
    #[test]
    fn an_entry_goes_with_its_last_connection() {
        let list = PresenceList::default();
        list.pin("self", PresenceEntry::default());
        list.connect("dev", PresenceEntry::default());
        list.connect("dev", PresenceEntry::default());
        list.upsert("note", PresenceEntry::default());
        assert_eq!(list.entries().len(), 3);
        list.disconnect("dev");
        assert_eq!(list.entries().len(), 3);
        list.disconnect("dev");
        assert_eq!(list.entries().len(), 2);
        assert_eq!(list.version(), 6);
        if let Some(note) = list.lock().get_mut("note") {
            note.entry.ts -= TTL_MS + 1;
        }
        assert_eq!(list.entries().len(), 1);
    }
}
