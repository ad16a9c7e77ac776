//! Starts of sessions whose telling is not over, or that a listener missed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Who missed a start; `None` while it is being told.
type Missed = Option<BTreeSet<String>>;

/// Starts by event id. Usually empty: what all have heard is not here.
#[derive(Clone, Default)]
pub(super) struct Starts(Arc<Mutex<HashMap<String, watch::Sender<Missed>>>>);

impl Starts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Missed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a start is being told to `listeners`.
    pub(super) fn begin(&self, event_id: &str, listeners: Vec<String>) -> Telling {
        self.lock().insert(event_id.to_owned(), watch::Sender::new(None));
        Telling { starts: self.clone(), event_id: event_id.to_owned(), missed: listeners.into_iter().collect() }
    }

    /// Who is known by now to have missed a start.
    pub(super) fn missed(&self, event_id: &str) -> BTreeSet<String> {
        self.lock().get(event_id).and_then(|known| known.borrow().clone()).unwrap_or_default()
    }

    /// Waits until the telling of a start is over, and says whether the plugin missed it; `None` when nothing is known of it.
    pub(super) async fn has_missed(&self, event_id: &str, plugin: &str) -> Option<bool> {
        let mut known = self.lock().get(event_id)?.subscribe();
        let over = known.wait_for(Option::is_some).await;
        // Whoever ends a telling that all have heard takes it off this list.
        Some(over.is_ok_and(|missed| missed.as_ref().is_some_and(|missed| missed.contains(plugin))))
    }

    /// A plugin that missed a start has heard of it now.
    pub(super) fn caught_up(&self, event_id: &str, plugin: &str) {
        let mut all = self.lock();
        let Some(known) = all.get(event_id) else { return };
        known.send_if_modified(|missed| missed.as_mut().is_some_and(|missed| missed.remove(plugin)));
        if known.borrow().as_ref().is_some_and(BTreeSet::is_empty) {
            all.remove(event_id);
        }
    }

    /// The session has ended, and its end was told to those who heard of its start.
    pub(super) fn forget(&self, event_id: &str) {
        let mut all = self.lock();
        if all.get(event_id).is_some_and(|known| known.borrow().is_some()) {
            all.remove(event_id);
        }
    }
}

/// The telling of one start, known until this is dropped; longer when somebody missed it. All listeners have, unless [`Telling::over`]
/// says otherwise.
pub(super) struct Telling {
    starts: Starts,
    event_id: String,
    missed: BTreeSet<String>,
}

impl Telling {
    /// It is over, and only these have missed it.
    pub(super) fn over(&mut self, missed: BTreeSet<String>) {
        if let Some(known) = self.starts.lock().get(&self.event_id) {
            known.send_replace(Some(missed.clone()));
        }
        self.missed = missed;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let mut all = self.starts.lock();
        match all.get(&self.event_id) {
            Some(_) if self.missed.is_empty() => drop(all.remove(&self.event_id)),
            Some(known) => drop(known.send_if_modified(|known| {
                let unsaid = known.is_none();
                if unsaid {
                    *known = Some(std::mem::take(&mut self.missed));
                }
                unsaid
            })),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_is_known_until_all_have_heard_it() {
        let starts = Starts::default();
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut telling = starts.begin("e", names(&["a", "b"]));
        assert!(starts.missed("e").is_empty(), "still being told");
        let waiting = tokio::spawn({
            let starts = starts.clone();
            async move { starts.has_missed("e", "b").await }
        });
        tokio::task::yield_now().await;
        telling.over(names(&["b"]).into_iter().collect());
        drop(telling);
        assert_eq!(waiting.await.unwrap(), Some(true));
        assert_eq!(starts.has_missed("e", "a").await, Some(false));
        assert_eq!(starts.missed("e").len(), 1);
        starts.caught_up("e", "b");
        assert_eq!(starts.has_missed("e", "b").await, None);

        starts.begin("all", names(&["a"])).over(BTreeSet::new());
        assert_eq!(starts.has_missed("all", "a").await, None);
        // What was never told was heard by nobody.
        drop(starts.begin("none", names(&["a", "b"])));
        assert_eq!(starts.missed("none").len(), 2);
        starts.forget("none");
        assert!(starts.missed("none").is_empty());
    }
}
