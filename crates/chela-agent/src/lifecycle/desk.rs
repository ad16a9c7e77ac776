//! Tells listeners that sessions started and ended, and ticks off what was told.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chela_hooks::{Dispatched, FailureKind, HandlerFailure, HookEngine};
use chela_plugin::HookName;
use chela_plugin::registry::Registry;
use chela_store::{EndedSession, LifecycleStart, PendingDelivery, Store};
use futures::future::join_all;

use super::starts::Starts;
use super::{events, listeners};
use crate::runtime::PluginGeneration;

/// Later starts at which an event that a listener did not take is offered to it again.
const MOST_OFFERS: u32 = 5;

pub(super) struct Desk {
    store: Store,
    /// Event and plugin of every delivery of an end under way: a plugin whose worker restarts meanwhile is not told twice at once.
    under_way: Mutex<HashSet<(String, String)>>,
    starts: Starts,
}

impl Desk {
    pub(super) fn new(store: Store) -> Self {
        Self { store, under_way: Mutex::default(), starts: Starts::default() }
    }

    fn under_way(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all listeners of a start, in the background.
    pub(super) fn announce(&self, hooks: &HookEngine, start: &LifecycleStart, told: Vec<String>) {
        if told.is_empty() {
            return;
        }
        let (store, event_id) = (self.store.clone(), start.event_id.clone());
        let mut telling = self.starts.begin(&event_id, told);
        let then = move |done: Dispatched| async move {
            let missed: BTreeSet<String> = done.failures.iter().filter(|f| !heard_of_start(f)).map(|f| f.plugin_id.to_string()).collect();
            telling.over(missed.clone());
            if let Err(error) = store.start_told(&event_id, missed).await {
                tracing::error!(%error, "who heard of the start of a session could not be noted; they are told again");
            }
        };
        hooks.spawn_parallel_then(HookName::SessionStart, || (events::start(start), events::context(start)), then);
    }

    /// Tells every listener of an end; true when all have taken it. Who has not heard of the start hears of both at its next start.
    pub(super) async fn tell_all(&self, generation: &PluginGeneration, ended: &EndedSession) -> bool {
        let missed = self.starts.missed(&ended.start.event_id);
        let each = listeners(&generation.registry, HookName::SessionEnd).into_iter().map(|plugin| {
            let told = !missed.contains(&plugin);
            async move { told && self.tell(&generation.hooks, &generation.registry, &plugin, ended).await }
        });
        let all = join_all(each).await.into_iter().all(|told| told);
        self.starts.forget(&ended.start.event_id);
        all
    }

    /// Tells one listener of an end and ticks it off; false when it has not taken it.
    async fn tell(&self, hooks: &HookEngine, registry: &Registry, plugin: &str, ended: &EndedSession) -> bool {
        let Some(_claim) = Claim::new(self, &ended.event_id, plugin) else { return true };
        let done = hooks.dispatch_to(registry, plugin, HookName::SessionEnd, events::end(ended), events::context(&ended.start)).await;
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
        let Some(_claim) = Claim::new(self, event_id, plugin) else { return true };
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
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.under_way().remove(&self.key);
    }
}
