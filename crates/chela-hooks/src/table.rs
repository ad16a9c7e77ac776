//! The handlers of one registry, grouped the way they travel.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use chela_plugin::{CallTarget, HookName, Registry};

use crate::counters::{Counters, HandlerStats};

/// One handler, ready to be called.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) plugin_id: Arc<str>,
    pub(crate) target: Arc<dyn CallTarget>,
    pub(crate) handle: u64,
    pub(crate) budget: Duration,
    pub(crate) strip_prompt_fields: bool,
    pub(crate) all_messages: bool,
    pub(crate) stats: Arc<HandlerStats>,
}

/// The handlers of one hook in dispatch order.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) handlers: Vec<Handler>,
    /// Neighbours in the same worker, for sequences.
    pub(crate) runs: Vec<Range<usize>>,
    /// All handlers of each worker, for parallel hooks.
    pub(crate) groups: Vec<Vec<usize>>,
}

impl Slot {
    /// The handlers of one hook, of all plugins or of one.
    pub(crate) fn of_registry(registry: &Registry, hook: HookName, plugin_id: Option<&str>, counters: &Counters) -> Self {
        let wanted = registry.hooks(hook).filter(|h| plugin_id.is_none_or(|id| h.owner.id.as_ref() == id));
        let handlers = wanted.map(|h| Handler {
            plugin_id: h.owner.id.clone(),
            target: h.callback.target.clone(),
            handle: h.callback.handle,
            budget: h.budget,
            strip_prompt_fields: h.strip_prompt_fields,
            all_messages: h.all_messages,
            stats: counters.of(&h.owner.id, hook),
        });
        Self::new(handlers.collect())
    }

    fn new(handlers: Vec<Handler>) -> Self {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let key = |i: usize| handlers[i].target.worker_key();
        for index in 0..handlers.len() {
            match runs.last_mut().filter(|run| key(run.start) == key(index)) {
                Some(run) => run.end = index + 1,
                None => runs.push(index..index + 1),
            }
            match groups.iter_mut().find(|group| key(group[0]) == key(index)) {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        Self { handlers, runs, groups }
    }

    /// The same slot with the handlers of one plugin only.
    pub(crate) fn of_plugin(&self, plugin_id: &str) -> Self {
        self.only(|h| h.plugin_id.as_ref() == plugin_id)
    }

    fn only(&self, wanted: impl Fn(&Handler) -> bool) -> Self {
        Self::new(self.handlers.iter().filter(|h| wanted(h)).cloned().collect())
    }
}

/// All slots, by [`HookName::index`].
#[derive(Debug)]
pub(crate) struct HookTable {
    pub(crate) registry: Arc<Registry>,
    /// Handlers of `inbound_claim` that want every message (HOOK-299).
    pub(crate) claims_all: Slot,
    slots: Vec<Slot>,
}

static NONE: Slot = Slot { handlers: Vec::new(), runs: Vec::new(), groups: Vec::new() };

impl HookTable {
    pub(crate) fn new(registry: Arc<Registry>, counters: &Counters) -> Self {
        let slots: Vec<Slot> = HookName::ALL.iter().map(|hook| Slot::of_registry(&registry, *hook, None, counters)).collect();
        let claims_all = slots[HookName::InboundClaim.index()].only(|h| h.all_messages);
        Self { registry, claims_all, slots }
    }

    pub(crate) fn slot(&self, hook: HookName) -> &Slot {
        self.slots.get(hook.index()).unwrap_or(&NONE)
    }
}
