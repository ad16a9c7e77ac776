//! Tells listeners that sessions started and ended, and ticks off what was told.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chela_hooks::{Dispatched, FailureKind, HandlerFailure, HookEngine};
use chela_plugin::HookName;
use chela_plugin::registry::Registry;
use chela_store::{EndedSession, LifecycleStart, PendingDelivery, Store};
use futures::future::join_all;
use tokio::sync::Notify;

use super::starts::Starts;
use super::{events, listeners};
use crate::runtime::PluginGeneration;

/// Later starts at which an event that a listener did not take is offered to it again.
const MOST_OFFERS: u32 = 5;

pub(super) struct Desk {
    store: Store,
    /// Event and plugin of every delivery under way: a plugin whose worker restarts meanwhile is not told twice at once.
    under_way: Mutex<HashSet<(String, String)>>,
    /// Told when one of them is over.
    over: Notify,
    starts: Starts,
    /// Session key and plugin, where its worker died before it had heard all. What follows under the key waits for its next worker,
    /// which hears of everything in order.
    behind: Mutex<HashSet<(String, String)>>,
}

impl Desk {
    pub(super) fn new(store: Store) -> Self {
        Self { store, under_way: Mutex::default(), over: Notify::new(), starts: Starts::default(), behind: Mutex::default() }
    }

    fn under_way(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_behind(&self, key: &str, plugin: &str) -> bool {
        let behind = self.behind();
        // Nearly always empty: no key is made for that.
        !behind.is_empty() && behind.contains(&(key.to_owned(), plugin.to_owned()))
    }

    fn falls_behind(&self, key: &str, plugin: &str, done: &Dispatched) {
        if done.failures.iter().any(|failure| failure.kind == FailureKind::Unreachable) {
            self.behind().insert((key.to_owned(), plugin.to_owned()));
        }
    }

    /// A plugin has heard all that it was owed; true when something may have been held back for that.
    pub(super) fn is_up_to_date(&self, plugin: &str) -> bool {
        let mut behind = self.behind();
        let before = behind.len();
        behind.retain(|(_, of)| of != plugin);
        behind.len() < before
    }

    /// Tells all listeners of a start, in the background; a slow one holds nobody up.
    pub(super) fn announce(self: &Arc<Self>, generation: &PluginGeneration, start: &LifecycleStart, told: Vec<String>) {
        if told.is_empty() {
            return;
        }
        let telling = self.starts.begin(&start.event_id, &told);
        let (desk, start, registry) = (self.clone(), start.clone(), generation.registry.clone());
        let hooks = generation.hooks.clone();
        let work = async move {
            let each = told.iter().map(|plugin| async {
                let heard = desk.tell_start(&hooks, &registry, plugin, &start).await;
                telling.over(plugin, !heard);
                (!heard).then(|| plugin.clone())
            });
            let missed: BTreeSet<String> = join_all(each).await.into_iter().flatten().collect();
            if let Err(error) = desk.store.start_told(&start.event_id, missed).await {
                tracing::error!(%error, "who heard of the start of a session could not be noted; they are told again");
            }
        };
        generation.hooks.spawn(HookName::SessionStart, Box::pin(work));
    }

    /// Tells one listener of a start; false when it has not heard.
    async fn tell_start(&self, hooks: &HookEngine, registry: &Registry, plugin: &str, start: &LifecycleStart) -> bool {
        if self.is_behind(&start.session_key, plugin) {
            return false;
        }
        let done = hooks.dispatch_to(registry, plugin, HookName::SessionStart, events::start(start), events::context(start)).await;
        self.falls_behind(&start.session_key, plugin, &done);
        done.failures.iter().all(heard_of_start)
    }

    /// Tells every listener of an end; true when all have taken it. Who has not heard of the start hears of both at its next start.
    pub(super) async fn tell_all(&self, generation: &PluginGeneration, ended: &EndedSession) -> bool {
        let start = &ended.start;
        let each = listeners(&generation.registry, HookName::SessionEnd).into_iter().map(|plugin| {
            let told = !self.starts.missed(&start.event_id, &plugin) && !self.is_behind(&start.session_key, &plugin);
            async move { told && self.tell(&generation.hooks, &generation.registry, &plugin, ended).await }
        });
        let all = join_all(each).await.into_iter().all(|told| told);
        self.starts.forget(&start.event_id);
        all
    }

    /// Tells one listener of an end and ticks it off; false when it has not taken it.
    async fn tell(&self, hooks: &HookEngine, registry: &Registry, plugin: &str, ended: &EndedSession) -> bool {
        let Some(_claim) = Claim::new(self, &ended.event_id, plugin) else { return true };
        let done = hooks.dispatch_to(registry, plugin, HookName::SessionEnd, events::end(ended), events::context(&ended.start)).await;
        self.falls_behind(&ended.start.session_key, plugin, &done);
        let taken = took_end(&done);
        if taken {
            self.strike(&ended.event_id, plugin).await;
        }
        taken
    }

    /// Offers an event that a listener has not had to it again; false when it has not taken it.
    pub(super) async fn tell_again(&self, hooks: &HookEngine, registry: &Registry, plugin: &str, pending: &PendingDelivery) -> bool {
        let (event_id, start) = (pending.event_id(), pending.start());
        let (hook, mut event) = match pending {
            PendingDelivery::Start(_) => (HookName::SessionStart, events::start(start)),
            PendingDelivery::End(ended) => (HookName::SessionEnd, events::end(ended)),
        };
        // It has heard from this process, which may not have noted it yet.
        if hook == HookName::SessionStart && self.starts.has_missed(event_id, plugin).await == Some(false) {
            return true;
        }
        let _claim = Claim::wait(self, event_id, plugin).await;
        let offer = match self.store.begin_offer(event_id, plugin).await {
            Ok(Some(offer)) => offer,
            Ok(None) => return true,
            Err(error) => {
                tracing::error!(plugin, %error, "the offer of a session event could not be noted; it is not made");
                return false;
            }
        };
        // The first offer of an end that nobody could tell before is no repetition.
        let first = matches!(pending, PendingDelivery::End(ended) if ended.end.recovered) && offer == 1;
        if !first {
            event["redelivered"] = true.into();
        }
        let done = hooks.dispatch_to(registry, plugin, hook, event, events::context(start)).await;
        let taken = match hook {
            HookName::SessionStart => done.failures.iter().all(heard_of_start),
            _ => took_end(&done),
        };
        if !taken && offer < MOST_OFFERS {
            return false;
        }
        if !taken {
            let session = start.session_id.as_str();
            tracing::error!(plugin, session, offers = offer, "the plugin never took `{hook}` of a session; it is not offered again");
        }
        self.strike(event_id, plugin).await;
        if hook == HookName::SessionStart {
            self.starts.caught_up(event_id, plugin);
        }
        taken
    }

    async fn strike(&self, event_id: &str, plugin: &str) {
        if let Err(error) = self.store.mark_delivered(event_id, plugin).await {
            tracing::error!(plugin, %error, "what became of a session event could not be noted");
        }
    }
}

/// A handler that throws has had the event; only one that could not be reached or ran out of time has not done its work.
fn took_end(done: &Dispatched) -> bool {
    done.failures.iter().all(|failure| failure.threw)
}

/// Whoever was called has heard of the start, however long it took: the session goes on, and its end must not wait for a handler that
/// never returns.
fn heard_of_start(failure: &HandlerFailure) -> bool {
    failure.threw || failure.kind == FailureKind::TimedOut
}

/// The right to deliver one event to one plugin.
struct Claim<'a> {
    desk: &'a Desk,
    key: (String, String),
}

impl<'a> Claim<'a> {
    fn new(desk: &'a Desk, event_id: &str, plugin: &str) -> Option<Self> {
        let key = (event_id.to_string(), plugin.to_string());
        desk.under_way().insert(key.clone()).then_some(Self { desk, key })
    }

    /// Waits for who delivers it now.
    async fn wait(desk: &'a Desk, event_id: &str, plugin: &str) -> Self {
        loop {
            let over = desk.over.notified();
            let mut over = std::pin::pin!(over);
            over.as_mut().enable();
            if let Some(claim) = Self::new(desk, event_id, plugin) {
                return claim;
            }
            over.await;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.under_way().remove(&self.key);
        self.desk.over.notify_waiters();
    }
}
