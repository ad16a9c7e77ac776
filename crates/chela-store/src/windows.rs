//! The newest entries of sessions in use, parsed: what each of their turns would otherwise read and parse anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::Entry;
use crate::cache::value_cost;

/// Rough bytes one generation may hold; two generations live at a time.
const GENERATION_BYTES: usize = 4 << 20;
/// A window above this is not kept: one session must not push out all others.
const MAX_WINDOW_BYTES: usize = 1 << 20;
/// Entries of a window; a turn asks for 400.
const MAX_ENTRIES: usize = 512;
/// Rough cost of an entry besides its body.
const ENTRY_OVERHEAD: usize = 300;

/// Entries for the end of one transcript, in one commit.
pub(crate) struct Appended {
    pub(crate) session_id: String,
    /// True when they are the first of the transcript.
    pub(crate) from_start: bool,
    /// Those a model context is built from.
    pub(crate) entries: Vec<Arc<Entry>>,
}

#[derive(Default)]
struct Window {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Nothing comes before the first.
    is_whole: bool,
}

impl Window {
    fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += cost_of(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES {
            self.is_whole = false;
            self.bytes -= self.entries.pop_front().map_or(0, |gone| cost_of(&gone));
        }
    }
}

fn cost_of(entry: &Entry) -> usize {
    ENTRY_OVERHEAD + value_cost(&entry.body)
}

/// Two generations: what is used moves to the young one, and when that is full the old one is dropped.
#[derive(Default)]
pub(crate) struct WindowCache {
    young: HashMap<String, Window>,
    old: HashMap<String, Window>,
    young_bytes: usize,
    /// Sessions that are being read, and whether they have not changed since.
    reading: HashMap<String, bool>,
}

impl WindowCache {
    /// The newest entries, if all that are asked for are here.
    pub(crate) fn get(&mut self, session_id: &str, max: usize) -> Option<Vec<Arc<Entry>>> {
        if let Some(window) = self.old.remove(session_id) {
            self.insert(session_id.to_owned(), window);
        }
        let window = self.young.get(session_id).filter(|w| w.is_whole || w.entries.len() >= max)?;
        let skip = window.entries.len().saturating_sub(max);
        Some(window.entries.iter().skip(skip).cloned().collect())
    }

    /// Notes that a session is about to be read; true when the reader may hand in what it finds.
    pub(crate) fn begin_read(&mut self, session_id: &str) -> bool {
        let is_first = !self.reading.contains_key(session_id);
        if is_first {
            self.reading.insert(session_id.to_owned(), true);
        }
        is_first
    }

    /// Takes what was read, unless the session changed meanwhile; `None` when reading failed.
    pub(crate) fn end_read(&mut self, session_id: &str, found: Option<(&[Entry], usize)>) {
        let is_current = self.reading.remove(session_id).unwrap_or(false);
        let Some((entries, max)) = found.filter(|_| is_current) else { return };
        let mut window = Window { is_whole: entries.len() < max, ..Window::default() };
        entries.iter().for_each(|entry| window.push(Arc::new(entry.clone())));
        self.remove(session_id);
        self.insert(session_id.to_owned(), window);
    }

    /// Follows a commit.
    pub(crate) fn append(&mut self, appended: Appended) {
        let id = appended.session_id;
        if let Some(valid) = self.reading.get_mut(&id) {
            *valid = false;
        }
        let known = self.take(&id);
        let fresh = || appended.from_start.then(|| Window { is_whole: true, ..Window::default() });
        let Some(mut window) = known.or_else(fresh) else { return };
        appended.entries.into_iter().for_each(|entry| window.push(entry));
        self.insert(id, window);
    }

    /// Forgets a session whose entries changed in another way.
    pub(crate) fn forget(&mut self, session_id: &str) {
        if let Some(valid) = self.reading.get_mut(session_id) {
            *valid = false;
        }
        self.remove(session_id);
    }

    fn remove(&mut self, session_id: &str) {
        self.take(session_id);
    }

    fn take(&mut self, session_id: &str) -> Option<Window> {
        if let Some(window) = self.young.remove(session_id) {
            self.young_bytes = self.young_bytes.saturating_sub(window.bytes);
            return Some(window);
        }
        self.old.remove(session_id)
    }

    fn insert(&mut self, session_id: String, window: Window) {
        if window.bytes > MAX_WINDOW_BYTES {
            return;
        }
        if self.young_bytes >= GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += window.bytes;
        self.young.insert(session_id, window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(seq: u64, size: usize) -> Arc<Entry> {
        let body = json!({"role": "user", "content": "x".repeat(size)});
        Arc::new(Entry { id: seq.to_string(), parent_id: None, seq, kind: "message".into(), at_ms: 0, body })
    }

    fn appended(id: &str, from_start: bool, seqs: std::ops::Range<u64>, size: usize) -> Appended {
        Appended { session_id: id.into(), from_start, entries: seqs.map(|seq| entry(seq, size)).collect() }
    }

    fn seqs(cache: &mut WindowCache, id: &str, max: usize) -> Option<Vec<u64>> {
        cache.get(id, max).map(|found| found.iter().map(|e| e.seq).collect())
    }

    #[test]
    fn a_window_follows_its_session() {
        let mut cache = WindowCache::default();
        cache.append(appended("late", false, 5..6, 1));
        assert_eq!(seqs(&mut cache, "late", 10), None, "what came before is not known");
        cache.append(appended("a", true, 0..2, 1));
        cache.append(appended("a", false, 2..4, 1));
        assert_eq!(seqs(&mut cache, "a", 10), Some(vec![0, 1, 2, 3]));
        assert_eq!(seqs(&mut cache, "a", 2), Some(vec![2, 3]));
        cache.append(appended("a", false, 4..600, 1));
        assert_eq!(seqs(&mut cache, "a", 400).map(|s| (s.len(), s[0])), Some((400, 200)));
        assert_eq!(seqs(&mut cache, "a", 550), None, "the oldest are not kept");
        cache.forget("a");
        assert_eq!(seqs(&mut cache, "a", 1), None);
    }

    #[test]
    fn a_late_reader_cannot_put_back_an_old_window() {
        let mut cache = WindowCache::default();
        let read: Vec<Entry> = (0..3).map(|seq| Entry::clone(&entry(seq, 1))).collect();
        assert!(cache.begin_read("a"));
        assert!(!cache.begin_read("a"), "one reader hands in");
        cache.append(appended("a", false, 3..4, 1));
        cache.end_read("a", Some((&read, 10)));
        assert_eq!(seqs(&mut cache, "a", 10), None);
        assert!(cache.begin_read("a"));
        cache.end_read("a", None);
        assert!(cache.begin_read("a"));
        cache.end_read("a", Some((&read, 3)));
        assert_eq!(seqs(&mut cache, "a", 3), Some(vec![0, 1, 2]));
        assert_eq!(seqs(&mut cache, "a", 4), None, "there may be more");
    }

    #[test]
    fn bounded_and_keeps_what_is_used() {
        let mut cache = WindowCache::default();
        cache.append(appended("huge", true, 0..2, MAX_WINDOW_BYTES));
        assert_eq!(seqs(&mut cache, "huge", 1), None);
        for n in 0..100 {
            cache.append(appended(&format!("s{n}"), true, 0..2, 200 << 10));
            assert!(cache.get("s0", 1).is_some(), "used at every step, lost at {n}");
        }
        assert!(cache.get("s1", 1).is_none(), "unused for long");
        assert!(cache.young.len() + cache.old.len() < 30);
    }
}
