//! The `plugins` section of the config, normalised (INS-040, INS-056..INS-059, INS-069..INS-071).

mod entry;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use entry::{EntryPolicy, HookPolicy, LlmPolicy, SubagentPolicy};

/// The memory slot when config says nothing (INS-058).
pub const DEFAULT_MEMORY_SLOT: &str = "memory-core";

/// The built-in context engine, which no plugin has to fill (INS-059).
pub const BUILTIN_CONTEXT_ENGINE: &str = "legacy";

/// What a slot is set to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SlotChoice {
    /// Not named in config.
    #[default]
    Unset,
    /// The word `none`, in any case: nobody fills the slot.
    Off,
    /// A plugin id.
    Plugin(String),
}

impl SlotChoice {
    fn read(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_str).map(str::trim) {
            None | Some("") => Self::Unset,
            Some(text) if text.eq_ignore_ascii_case("none") => Self::Off,
            Some(text) => Self::Plugin(text.to_owned()),
        }
    }

    /// The plugin id, if one is named.
    pub fn plugin_id(&self) -> Option<&str> {
        match self {
            Self::Plugin(id) => Some(id),
            Self::Unset | Self::Off => None,
        }
    }
}

/// The exclusive slots (INS-058, INS-059).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots {
    /// Memory plugin; unset means [`DEFAULT_MEMORY_SLOT`].
    pub memory: SlotChoice,
    /// True when config names the memory slot itself, so that a wrong id is the user's mistake.
    pub memory_is_explicit: bool,
    /// Context engine; unset means the built-in one.
    pub context_engine: SlotChoice,
}

impl Slots {
    /// True when either slot names `id`.
    pub fn selects(&self, id: &str) -> bool {
        self.memory.plugin_id() == Some(id) || self.context_engine.plugin_id() == Some(id)
    }
}

/// What the operator wants of plugins. Lists keep config order; ids are trimmed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginPolicy {
    /// True when config has a `plugins` section at all (MAN-233).
    pub present: bool,
    /// `plugins.enabled`, default true.
    pub enabled: bool,
    /// `plugins.allow`; empty means no allowlist (INS-056).
    pub allow: Vec<String>,
    /// `plugins.deny`.
    pub deny: Vec<String>,
    /// `plugins.load.paths`, as written.
    pub load_paths: Vec<String>,
    /// `plugins.slots`.
    pub slots: Slots,
    /// `plugins.entries`.
    pub entries: BTreeMap<String, EntryPolicy>,
    /// `plugins.compat.strict`: refuse what the reference refuses instead of running it with a notice.
    pub strict_compat: bool,
    /// Legacy `plugins.installs`, read as install records (INS-091).
    pub legacy_installs: Map<String, Value>,
}

impl PluginPolicy {
    /// Reads the `plugins` section of the whole effective config. Wrong types count as absent: the
    /// config file's own validation reports them.
    pub fn from_config_value(config: &Value) -> Self {
        let section = config.get("plugins");
        let at = |key: &str| section.and_then(|section| section.get(key));
        let slot = |key: &str| at("slots").and_then(|slots| slots.get(key));
        let memory = SlotChoice::read(slot("memory"));
        Self {
            present: section.is_some(),
            enabled: at("enabled") != Some(&Value::Bool(false)),
            allow: list(at("allow")),
            deny: list(at("deny")),
            load_paths: list(at("load").and_then(|load| load.get("paths"))),
            slots: Slots {
                memory_is_explicit: memory != SlotChoice::Unset,
                memory: match memory {
                    SlotChoice::Unset => SlotChoice::Plugin(DEFAULT_MEMORY_SLOT.to_owned()),
                    choice => choice,
                },
                context_engine: SlotChoice::read(slot("contextEngine")),
            },
            entries: entries(at("entries")),
            strict_compat: at("compat").and_then(|compat| compat.get("strict")) == Some(&Value::Bool(true)),
            legacy_installs: at("installs").and_then(Value::as_object).cloned().unwrap_or_default(),
        }
    }

    /// The policy of one plugin; the empty policy when config has no entry.
    pub fn entry(&self, id: &str) -> &EntryPolicy {
        static NONE: std::sync::LazyLock<EntryPolicy> = std::sync::LazyLock::new(EntryPolicy::default);
        self.entries.get(id).unwrap_or(&NONE)
    }

    /// True when `entries.<id>.enabled` is `false`.
    pub fn is_disabled(&self, id: &str) -> bool {
        self.entry(id).enabled == Some(false)
    }

    /// True when `id` is in `plugins.deny`.
    pub fn is_denied(&self, id: &str) -> bool {
        self.deny.iter().any(|entry| entry == id)
    }

    /// True when `id` is in `plugins.allow`.
    pub fn is_allowed(&self, id: &str) -> bool {
        self.allow.iter().any(|entry| entry == id)
    }

    /// Replaces former plugin ids by their present ones (MAN-031). An entry under the present id
    /// wins over one under a former id.
    pub fn rename_ids(&mut self, current: &BTreeMap<String, String>) {
        if current.is_empty() {
            return;
        }
        for id in self.allow.iter_mut().chain(self.deny.iter_mut()) {
            if let Some(new) = current.get(id) {
                id.clone_from(new);
            }
        }
        for slot in [&mut self.slots.memory, &mut self.slots.context_engine] {
            if let SlotChoice::Plugin(id) = slot
                && let Some(new) = current.get(id)
            {
                id.clone_from(new);
            }
        }
        for (old, new) in current {
            if let Some(entry) = self.entries.remove(old) {
                self.entries.entry(new.clone()).or_insert(entry);
            }
        }
    }
}

fn list(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn entries(value: Option<&Value>) -> BTreeMap<String, EntryPolicy> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter(|(id, _)| !id.trim().is_empty()).map(|(id, entry)| (id.trim().to_owned(), EntryPolicy::read(entry))).collect()
}

#[cfg(test)]
mod tests;
