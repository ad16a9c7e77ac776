//! Starts of sessions whose telling is not over, or that a listener missed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What is known of one start.
#[derive(Default)]
struct Known {
    /// Listeners that are being told.
    telling: BTreeSet<String>,
    /// Listeners that have not heard of it.
    missed: BTreeSet<String>,
    /// The session has ended, and its end was told to those who heard of its start.
    ended: bool,
}

impl Known {
    /// Nothing is left to know: all have heard, or what they missed is in the store only.
    fn is_settled(&self) -> bool {
        self.telling.is_empty() && (self.ended || self.missed.is_empty())
    }
}

/// Starts by event id. Usually empty: what all have heard is not here.
#[derive(Clone, Default)]
pub(super) struct Starts(Arc<Mutex<HashMap<String, watch::Sender<Known>>>>);

impl Starts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, event_id: &str, change: impl FnOnce(&mut Known)) {
        let mut all = self.lock();
        let Some(known) = all.get(event_id) else { return };
        known.send_modify(change);
        if known.borrow().is_settled() {
            all.remove(event_id);
        }
    }

    /// Notes that a start is being told to `listeners`.
    pub(super) fn begin(&self, event_id: &str, listeners: &[String]) -> Telling {
        let known = Known { telling: listeners.iter().cloned().collect(), ..Known::default() };
        self.lock().insert(event_id.to_owned(), watch::Sender::new(known));
        Telling { starts: self.clone(), event_id: event_id.to_owned() }
    }

    /// Whether a listener is known by now to have missed a start.
    pub(super) fn missed(&self, event_id: &str, plugin: &str) -> bool {
        self.lock().get(event_id).is_some_and(|known| known.borrow().missed.contains(plugin))
    }

    /// Waits until a start was told to a listener, and says whether it missed it; `None` when nothing is known of it.
    pub(super) async fn has_missed(&self, event_id: &str, plugin: &str) -> Option<bool> {
        let mut known = self.lock().get(event_id)?.subscribe();
        let over = known.wait_for(|known| !known.telling.contains(plugin)).await;
        // Whoever ends a telling that all have heard takes it off this list.
        Some(over.is_ok_and(|known| known.missed.contains(plugin)))
    }

    /// A plugin that missed a start has heard of it now.
    pub(super) fn caught_up(&self, event_id: &str, plugin: &str) {
        self.change(event_id, |known| known.missed.retain(|other| other != plugin));
    }

    /// The session has ended, and its end was told to those who heard of its start.
    pub(super) fn forget(&self, event_id: &str) {
        self.change(event_id, |known| known.ended = true);
    }
}

/// The telling of one start. Whoever has not been told when this is dropped has missed it.
pub(super) struct Telling {
    starts: Starts,
    event_id: String,
}

impl Telling {
    /// One listener was told, or missed it.
    pub(super) fn over(&self, plugin: &str, missed: bool) {
        self.starts.change(&self.event_id, |known| {
            if known.telling.remove(plugin) && missed {
                known.missed.insert(plugin.to_owned());
            }
        });
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.starts.change(&self.event_id, |known| known.missed.append(&mut known.telling));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_is_known_until_all_have_heard_it() {
        let starts = Starts::default();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let telling = starts.begin("e", &names(&["a", "b", "slow"]));
        assert!(!starts.missed("e", "b"), "still being told");
        let waiting = tokio::spawn({
            let starts = starts.clone();
            async move { starts.has_missed("e", "b").await }
        });
        tokio::task::yield_now().await;
        telling.over("a", false);
        telling.over("b", true);
        // Another one that takes its time holds nobody up.
        assert_eq!(waiting.await.unwrap(), Some(true));
        assert_eq!(starts.has_missed("e", "a").await, Some(false));
        assert!(starts.missed("e", "b") && !starts.missed("e", "a"));
        telling.over("slow", false);
        drop(telling);
        starts.caught_up("e", "b");
        assert_eq!(starts.has_missed("e", "b").await, None);

        starts.begin("all", &names(&["a"])).over("a", false);
        assert_eq!(starts.has_missed("all", "a").await, None);
        // What was never told was heard by nobody.
        let telling = starts.begin("none", &names(&["a", "b"]));
        starts.forget("none");
        assert_eq!(starts.lock().len(), 1, "known while it is told, though the session has ended");
        drop(telling);
        assert!(!starts.missed("none", "a"), "the store knows");
        drop(starts.begin("none", &names(&["a", "b"])));
        assert!(starts.missed("none", "a") && starts.missed("none", "b"));
    }
}
