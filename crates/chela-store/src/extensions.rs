//! Session extensions: state of plugins in a session's row (HOOK-256..265, the storage part).

use serde_json::{Map, Value};

use crate::json_limits;
use crate::tx::Tx;
use crate::{Result, SessionRow, Store, StoreError};

const EXTENSIONS: &str = "pluginExtensions";
const SLOTS: &str = "pluginExtensionSlotKeys";
/// What projectors made of the values, for lists that must not call a plugin.
const VIEWS: &str = "pluginExtensionViews";
const INJECTIONS: &str = "pluginNextTurnInjections";

/// A change of one namespace of a plugin's state in a session.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExtensionPatch {
    /// Plugin that owns the namespace.
    pub plugin_id: String,
    /// Namespace.
    pub namespace: String,
    /// New value; `None` removes it.
    pub value: Option<Value>,
    /// Member of the row that mirrors the value, already checked with [`validate_slot_key`].
    pub slot: Option<String>,
    /// Value for that member; `None` removes it.
    pub slot_value: Option<Value>,
    /// What the plugin's projector made of the value; `None` when it has none, or made nothing.
    pub view: Option<Value>,
}

impl Store {
    /// Sets or removes one namespace of a plugin's state; empty objects go. Returns the stored value.
    /// The caller has checked that plugin and namespace are registered.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`], [`StoreError::Invalid`] when a value breaks the limits (HOOK-262) or the slot
    /// is no valid name, and write errors.
    pub async fn patch_extension(&self, key: &str, patch: ExtensionPatch) -> Result<Option<Value>> {
        if patch.plugin_id.trim().is_empty() || patch.namespace.trim().is_empty() {
            return Err(StoreError::invalid("plugin session extension", "plugin id and namespace are required"));
        }
        for value in patch.value.iter().chain(&patch.slot_value).chain(&patch.view) {
            json_limits::check(value).map_err(|e| StoreError::invalid("plugin session extension value", e.to_string()))?;
        }
        if let Some(slot) = &patch.slot {
            validate_slot_key(slot)?;
        }
        let key = key.to_owned();
        self.write(move |tx| {
            let row = tx.require_row(&key)?;
            let value = patch.value.clone();
            tx.update_row(row, |row| apply(row, patch))?;
            Ok(value)
        })
        .await
    }

    /// All namespaces of a plugin in a session.
    ///
    /// # Errors
    /// Read errors.
    pub async fn extension_state(&self, key: &str, plugin_id: &str) -> Result<Option<Value>> {
        let row = self.session(key).await?;
        Ok(row.and_then(|row| row.extra.get(EXTENSIONS)?.get(plugin_id).cloned()))
    }

    /// Removes extensions, slots and queued injections: of one plugin or all, in one session or in every session
    /// that has any (HOOK-264). Returns the keys of the sessions changed. Its cost grows with the sessions that have plugin state.
    ///
    /// # Errors
    /// Write errors.
    pub async fn clear_plugin_state(&self, key: Option<&str>, plugin_id: Option<&str>) -> Result<Vec<String>> {
        let (key, plugin) = (key.map(str::to_owned), plugin_id.map(str::to_owned));
        self.write(move |tx| {
            let plugin = plugin.as_deref();
            tx.change_plugin_rows(key, |row| clear(row, plugin))
        })
        .await
    }

    /// Removes the mirrored slots for which `still_declared(plugin, namespace, slot)` is false (cleanup `restart`, HOOK-264).
    ///
    /// # Errors
    /// Write errors.
    pub async fn prune_slots(&self, still_declared: impl Fn(&str, &str, &str) -> bool + Send + 'static) -> Result<Vec<String>> {
        self.write(move |tx| tx.change_plugin_rows(None, |row| prune(row, &still_declared))).await
    }
}

impl Tx<'_> {
    fn change_plugin_rows(&mut self, key: Option<String>, change: impl Fn(&mut SessionRow)) -> Result<Vec<String>> {
        let keys = match key {
            Some(key) => vec![key],
            None => self.all("SELECT key FROM sessions WHERE plugin_state = 1", [], |r| r.get(0))?,
        };
        let mut changed = Vec::new();
        for key in keys {
            let Some(row) = self.row(&key)? else { continue };
            let before = row.extra.clone();
            if self.update_row(row, &change)?.extra != before {
                changed.push(key);
            }
        }
        Ok(changed)
    }
}

fn apply(row: &mut SessionRow, patch: ExtensionPatch) {
    let previous_slot = row.extra.get(SLOTS).and_then(|s| s.get(&patch.plugin_id)?.get(&patch.namespace)?.as_str().map(str::to_owned));
    if let Some(previous) = previous_slot.filter(|p| Some(p) != patch.slot.as_ref() && validate_slot_key(p).is_ok()) {
        row.extra.shift_remove(&previous);
    }
    let unset = patch.value.is_none();
    set_nested(&mut row.extra, EXTENSIONS, &patch.plugin_id, &patch.namespace, patch.value);
    set_nested(&mut row.extra, VIEWS, &patch.plugin_id, &patch.namespace, patch.view.filter(|_| !unset));
    let slot_owner = patch.slot.clone().filter(|_| !unset).map(Value::from);
    set_nested(&mut row.extra, SLOTS, &patch.plugin_id, &patch.namespace, slot_owner);
    if let Some(slot) = patch.slot {
        match patch.slot_value.filter(|_| !unset) {
            Some(value) => row.extra.insert(slot, value),
            None => row.extra.shift_remove(&slot),
        };
    }
}

/// Sets `map.<field>.<outer>.<inner>` or removes it, and with it every object that becomes empty.
fn set_nested(map: &mut Map<String, Value>, field: &str, outer: &str, inner: &str, value: Option<Value>) {
    let mut plugins = take_object(map, field);
    let mut members = take_object(&mut plugins, outer);
    match value {
        Some(value) => members.insert(inner.to_owned(), value),
        None => members.shift_remove(inner),
    };
    put_object(&mut plugins, outer, members);
    put_object(map, field, plugins);
}

fn take_object(map: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match map.shift_remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    }
}

fn put_object(map: &mut Map<String, Value>, name: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        map.insert(name.to_owned(), Value::Object(inner));
    }
}

fn clear(row: &mut SessionRow, plugin: Option<&str>) {
    for (owner, namespace, slot) in slots_of(row) {
        if plugin.is_none_or(|p| p == owner) {
            drop_slot(row, &owner, &namespace, &slot);
        }
    }
    for field in [EXTENSIONS, SLOTS, VIEWS, INJECTIONS] {
        let mut plugins = take_object(&mut row.extra, field);
        match plugin {
            Some(plugin) => {
                plugins.shift_remove(plugin);
            }
            None => plugins.clear(),
        }
        put_object(&mut row.extra, field, plugins);
    }
}

fn prune(row: &mut SessionRow, still_declared: &impl Fn(&str, &str, &str) -> bool) {
    for (owner, namespace, slot) in slots_of(row) {
        if !still_declared(&owner, &namespace, &slot) {
            drop_slot(row, &owner, &namespace, &slot);
        }
    }
}

fn drop_slot(row: &mut SessionRow, owner: &str, namespace: &str, slot: &str) {
    if validate_slot_key(slot).is_ok() {
        row.extra.shift_remove(slot);
    }
    set_nested(&mut row.extra, SLOTS, owner, namespace, None);
}

fn slots_of(row: &SessionRow) -> Vec<(String, String, String)> {
    let Some(plugins) = row.extra.get(SLOTS).and_then(Value::as_object) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (owner, members) in plugins {
        for (namespace, slot) in members.as_object().into_iter().flatten() {
            out.push((owner.clone(), namespace.clone(), slot.as_str().unwrap_or_default().to_owned()));
        }
    }
    out
}

/// Members of the row that no plugin may take, and names every JavaScript object has (HOOK-261).
const RESERVED: &str = "
  lastHeartbeatText lastHeartbeatSentAt heartbeatIsolatedBaseSessionKey heartbeatTaskState pluginExtensions
  pluginExtensionSlotKeys pluginExtensionViews pluginNextTurnInjections sessionId updatedAt sessionFile spawnedBy spawnedWorkspaceDir
  parentSessionKey forkedFromParent spawnDepth subagentRole subagentControlScope subagentRecovery pluginOwnerId systemSent
  abortedLastRun sessionStartedAt lastInteractionAt startedAt endedAt runtimeMs status abortCutoffMessageSid
  abortCutoffTimestamp chatType thinkingLevel fastMode verboseLevel traceLevel reasoningLevel elevatedLevel ttsAuto
  lastTtsReadLatestHash lastTtsReadLatestAt execHost execSecurity execAsk execNode responseUsage usageFamilyKey
  usageFamilySessionIds providerOverride modelOverride agentRuntimeOverride modelOverrideSource
  modelOverrideFallbackOriginProvider modelOverrideFallbackOriginModel authProfileOverride authProfileOverrideSource
  authProfileOverrideCompactionCount liveModelSwitchPending groupActivation groupActivationNeedsSystemIntro sendPolicy
  queueMode queueDebounceMs queueCap queueDrop inputTokens outputTokens totalTokens pendingFinalDelivery
  pendingFinalDeliveryCreatedAt pendingFinalDeliveryLastAttemptAt pendingFinalDeliveryAttemptCount
  pendingFinalDeliveryLastError pendingFinalDeliveryText pendingFinalDeliveryContext pendingFinalDeliveryIntentId
  totalTokensFresh estimatedCostUsd cacheRead cacheWrite modelProvider model agentHarnessId fallbackNoticeSelectedModel
  fallbackNoticeActiveModel fallbackNoticeReason contextTokens compactionCount compactionCheckpoints memoryFlushAt
  memoryFlushCompactionCount memoryFlushContextHash cliSessionIds cliSessionBindings claudeCliSessionId label displayName
  channel groupId subject groupChannel space origin deliveryContext lastChannel lastTo lastAccountId lastThreadId
  skillsSnapshot systemPromptReport pluginDebugEntries acp quotaSuspension
  constructor prototype hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf";

/// Checks a name for a mirrored member: letters, digits and `_`, starting with a letter, and not taken (HOOK-261).
///
/// # Errors
/// [`StoreError::Invalid`] with the reason.
pub fn validate_slot_key(raw: &str) -> Result<()> {
    let name = raw.trim();
    let shape = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !shape {
        return Err(StoreError::invalid(
            "sessionEntrySlotKey",
            format!("`{name}` must be letters, digits and `_`, starting with a letter"),
        ));
    }
    if RESERVED.split_whitespace().any(|taken| taken == name) {
        return Err(StoreError::invalid("sessionEntrySlotKey", format!("`{name}` is a member that the host or JavaScript uses")));
    }
    Ok(())
}
