//! The enablement decision, step by step (INS-041..INS-060). Pure functions.

use crate::policy::{PluginPolicy, SlotChoice};
use crate::record::{ActivationSource, Origin};

/// One plugin as the decision sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Plugin id.
    pub id: &'a str,
    /// Where it was found.
    pub origin: Origin,
    /// Bundled and on by default for this platform (MAN-036).
    pub default_on: bool,
    /// `channels.<id>.enabled` is `true` for the channel of this id.
    pub channel_enabled: bool,
    /// Why other config enables it, if it does (INS-051).
    pub auto_reason: Option<&'a str>,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// On or off.
    pub enabled: bool,
    /// The operator selected it by name, even if something else turned it off.
    pub explicitly_enabled: bool,
    /// What decided.
    pub source: ActivationSource,
    /// Why; absent only for plugins outside the program that are on by default (INS-055).
    pub reason: Option<String>,
}

/// Decides whether a plugin is enabled.
///
/// `authored` is the policy as the operator wrote it; `effective` has the additions that other
/// config implies (INS-065, INS-066, INS-068).
pub fn decide(subject: Subject<'_>, authored: &PluginPolicy, effective: &PluginPolicy) -> Decision {
    let explicit = explicit_selection(subject, authored);
    let explicitly_enabled = explicit.is_some();
    let off =
        |reason: &str| Decision { enabled: false, explicitly_enabled, source: ActivationSource::Disabled, reason: Some(reason.to_owned()) };
    let on = |source: ActivationSource, reason: Option<&str>| Decision {
        enabled: true,
        explicitly_enabled: explicitly_enabled || source == ActivationSource::Explicit,
        source,
        reason: reason.map(str::to_owned),
    };
    let entry = effective.entry(subject.id);
    let allowed = effective.is_allowed(subject.id);
    let slot = selected_slot(subject.id, effective);

    if !effective.enabled {
        return off("plugins disabled");
    }
    if effective.is_denied(subject.id) {
        return off("blocked by denylist");
    }
    if entry.enabled == Some(false) {
        return off("disabled in config");
    }
    let engine = effective.slots.context_engine.plugin_id() == Some(subject.id);
    let trusted = allowed || entry.enabled == Some(true) || engine;
    if subject.origin == Origin::Workspace && !trusted {
        return off("workspace plugin (disabled by default)");
    }
    if let Some(reason) = slot {
        return on(ActivationSource::Explicit, Some(reason));
    }
    // The reference's loader lets a channel that the operator switched on pass the allowlist.
    let is_channel = explicit == Some(CHANNEL_SELECTED);
    if !effective.allow.is_empty() && !allowed && !is_channel {
        return off("not in allowlist");
    }
    if let Some(reason) = explicit {
        return on(ActivationSource::Explicit, Some(reason));
    }
    if let Some(reason) = subject.auto_reason {
        return on(ActivationSource::Auto, Some(reason));
    }
    if entry.enabled == Some(true) {
        return on(ActivationSource::Auto, Some("enabled by effective config"));
    }
    match (subject.origin, subject.default_on) {
        (Origin::Bundled, true) => on(ActivationSource::Default, Some("bundled default enablement")),
        (Origin::Bundled, false) => off("bundled (disabled by default)"),
        _ => on(ActivationSource::Default, None),
    }
}

const CONTEXT_ENGINE_SELECTED: &str = "selected context engine slot";
const CHANNEL_SELECTED: &str = "channel enabled in config";

fn selected_slot(id: &str, policy: &PluginPolicy) -> Option<&'static str> {
    if policy.slots.memory.plugin_id() == Some(id) {
        return Some("selected memory slot");
    }
    (policy.slots.context_engine.plugin_id() == Some(id)).then_some(CONTEXT_ENGINE_SELECTED)
}

/// INS-050; slots count as explicit too.
fn explicit_selection(subject: Subject<'_>, authored: &PluginPolicy) -> Option<&'static str> {
    if authored.entry(subject.id).enabled == Some(true) {
        return Some("enabled in config");
    }
    if subject.origin == Origin::Bundled && subject.channel_enabled {
        return Some(CHANNEL_SELECTED);
    }
    if let Some(reason) = selected_slot(subject.id, authored) {
        return Some(reason);
    }
    (subject.origin != Origin::Bundled && authored.is_allowed(subject.id)).then_some("selected in allowlist")
}

/// What the memory slot makes of an enabled plugin of kind `memory` (INS-060, MAN-042).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryDecision {
    /// It fills the slot.
    Selected,
    /// It has other kinds and stays on without the slot.
    WithoutSlot,
    /// It is off, for this reason.
    Off(String),
}

/// Decides the memory slot for one plugin of kind `memory`; `filled_by` is the plugin that has
/// taken an unset slot already.
pub fn decide_memory(id: &str, has_other_kinds: bool, slot: &SlotChoice, filled_by: Option<&str>) -> MemoryDecision {
    let reason = match (slot, filled_by) {
        (SlotChoice::Off, _) => "memory slot disabled".to_owned(),
        (SlotChoice::Plugin(chosen), _) if chosen == id => return MemoryDecision::Selected,
        (SlotChoice::Plugin(chosen), _) => format!("memory slot set to \"{chosen}\""),
        (SlotChoice::Unset, Some(other)) if other != id => {
            format!("memory slot already filled by \"{other}\"")
        }
        (SlotChoice::Unset, _) => return MemoryDecision::Selected,
    };
    if has_other_kinds {
        return MemoryDecision::WithoutSlot;
    }
    MemoryDecision::Off(reason)
}

#[cfg(test)]
mod tests;
