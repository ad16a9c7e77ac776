//! Session extensions, lifecycles, event subscriptions, session actions, descriptors (API-076..081, HOOK-256..262).

use serde_json::{Value, json};

use super::json_limits::is_plugin_json;
use super::read::{is_async, member, optional_text, optional_texts, set};
use super::registrar::Registrar;
use crate::register::entries::{AgentEventSubscription, RuntimeLifecycle, SchedulerJob, SessionAction, SessionExtension, UiDescriptor};

impl Registrar<'_> {
    pub(super) fn session_extension(&mut self, extension: &Value) {
        let extension = match self.session_extension_of(extension) {
            Ok(extension) => extension,
            Err(message) => return self.error(message),
        };
        let known = &self.registry.session_extensions;
        if known.iter().any(|e| self.owns(&e.owner) && e.namespace == extension.namespace) {
            return self.error(format!("session extension already registered: {}", extension.namespace));
        }
        if let Some(slot) = extension.slot_key.as_ref().filter(|slot| known.iter().any(|e| e.slot_key.as_ref() == Some(slot))) {
            return self.error(format!("sessionEntrySlotKey already registered: {slot}"));
        }
        self.registry.session_extensions.push(extension);
    }

    fn session_extension_of(&self, extension: &Value) -> Result<SessionExtension, String> {
        let (namespace, description) = (member(extension, "namespace"), member(extension, "description"));
        if namespace.is_empty() || description.is_empty() {
            return Err("session extension registration requires namespace and description".into());
        }
        let project = self.optional_callback(extension, "project").map_err(|()| "session extension projector must be a function")?;
        if extension.get("project").is_some_and(is_async) {
            return Err("session extension projector must be synchronous".into());
        }
        let cleanup = self.optional_callback(extension, "cleanup").map_err(|()| "session extension cleanup must be a function")?;
        Ok(SessionExtension {
            owner: self.owner.clone(),
            namespace: namespace.into(),
            description: description.into(),
            project,
            cleanup,
            slot_key: extension.get("sessionEntrySlotKey").map(slot_key).transpose()?,
            slot_schema: extension.get("sessionEntrySlotSchema").cloned(),
        })
    }

    pub(super) fn runtime_lifecycle(&mut self, lifecycle: &Value) {
        let id = Self::trimmed_id(lifecycle);
        if id.is_empty() {
            return self.error("runtime lifecycle registration missing id");
        }
        if self.registry.lifecycles.iter().any(|l| self.owns(&l.owner) && l.id == id) {
            return self.error(format!("runtime lifecycle already registered: {id}"));
        }
        let Ok(cleanup) = self.optional_callback(lifecycle, "cleanup") else {
            return self.error(format!("runtime lifecycle cleanup must be a function: {id}"));
        };
        let description = optional_text(lifecycle, "description").ok().flatten();
        self.registry.lifecycles.push(RuntimeLifecycle { owner: self.owner.clone(), id, description, cleanup });
    }

    pub(super) fn event_subscription(&mut self, subscription: &Value) {
        let id = Self::trimmed_id(subscription);
        let Some(handle) = self.callback(subscription.get("handle")).filter(|_| !id.is_empty()) else {
            return self.error("agent event subscription registration requires id and handle");
        };
        let Ok(streams) = optional_texts(subscription, "streams") else {
            return self.error(format!("agent event subscription streams must be an array of strings: {id}"));
        };
        if self.registry.event_subscriptions.iter().any(|s| self.owns(&s.owner) && s.id == id) {
            return self.error(format!("agent event subscription already registered: {id}"));
        }
        self.registry.event_subscriptions.push(AgentEventSubscription { owner: self.owner.clone(), id, streams, handle });
    }

    pub(super) fn scheduler_job(&mut self, job: &Value) {
        let id = Self::trimmed_id(job);
        let (session_key, kind) = (member(job, "sessionKey").to_string(), member(job, "kind").to_string());
        if !id.is_empty() && self.registry.scheduler_jobs.iter().any(|j| self.owns(&j.owner) && j.id == id) {
            return self.error(format!("session scheduler job already registered: {id}"));
        }
        if id.is_empty() || session_key.is_empty() || kind.is_empty() {
            return self.error("session scheduler job registration requires unique id, sessionKey, and kind");
        }
        let Ok(cleanup) = self.optional_callback(job, "cleanup") else {
            return self.error(format!("session scheduler job cleanup must be a function: {id}"));
        };
        self.registry.scheduler_jobs.push(SchedulerJob { owner: self.owner.clone(), id, session_key, kind, cleanup });
    }

    pub(super) fn session_action(&mut self, action: &Value) {
        let id = Self::trimmed_id(action);
        let parts = (optional_text(action, "description"), optional_texts(action, "requiredScopes"), self.callback(action.get("handler")));
        let (Ok(description), Ok(required_scopes), Some(handler), false) = (parts.0, parts.1, parts.2, id.is_empty()) else {
            return self.error("session action registration requires id, handler, and valid optional fields");
        };
        if !self.known_scopes("session action", required_scopes.as_ref()) {
            return;
        }
        let schema = action.get("schema").cloned();
        if let Some(problem) = schema.as_ref().and_then(schema_problem) {
            return self.error(format!("session action schema {}: {id}{}", problem.0, problem.1));
        }
        if self.registry.session_actions.iter().any(|a| self.owns(&a.owner) && a.id == id) {
            return self.error(format!("session action already registered: {id}"));
        }
        let owner = self.owner.clone();
        self.registry.session_actions.push(SessionAction { owner, id, description, schema, required_scopes, handler });
    }

    pub(super) fn ui_descriptor(&mut self, descriptor: &Value) {
        let (id, label, surface) = (Self::trimmed_id(descriptor), member(descriptor, "label"), member(descriptor, "surface"));
        let parts = (
            optional_text(descriptor, "description"),
            optional_text(descriptor, "placement"),
            optional_texts(descriptor, "requiredScopes"),
        );
        let known_surface = ["session", "tool", "run", "settings"].contains(&surface);
        let (Ok(description), Ok(placement), Ok(scopes), false) =
            (parts.0, parts.1, parts.2, id.is_empty() || label.is_empty() || !known_surface)
        else {
            return self.error("control UI descriptor registration requires id, surface, label, and valid optional fields");
        };
        if !self.known_scopes("control UI descriptor", scopes.as_ref()) {
            return;
        }
        if descriptor.get("schema").is_some_and(|schema| !is_plugin_json(schema)) {
            return self.error(format!("control UI descriptor schema must be JSON-compatible: {id}"));
        }
        if self.registry.ui_descriptors.iter().any(|d| self.owns(&d.owner) && d.id == id) {
            return self.error(format!("control UI descriptor already registered: {id}"));
        }
        let mut normalised = descriptor.clone();
        set(&mut normalised, "id", Some(json!(id)));
        set(&mut normalised, "label", Some(json!(label)));
        set(&mut normalised, "description", description.map(Value::from));
        set(&mut normalised, "placement", placement.map(Value::from));
        set(&mut normalised, "requiredScopes", scopes.map(Value::from));
        self.registry.ui_descriptors.push(UiDescriptor { owner: self.owner.clone(), id, descriptor: normalised });
    }
}

/// What is wrong with a session action's schema: the middle and the end of the message.
fn schema_problem(schema: &Value) -> Option<(&'static str, String)> {
    if !is_plugin_json(schema) {
        return Some(("must be JSON-compatible", String::new()));
    }
    if !schema.is_boolean() && !schema.is_object() {
        return Some(("must be a JSON schema object or boolean", String::new()));
    }
    let error = jsonschema::validator_for(schema).err()?;
    Some(("is not valid JSON Schema", format!(": {error}")))
}

/// HOOK-261.
fn slot_key(value: &Value) -> Result<String, String> {
    let key = value.as_str().ok_or("sessionEntrySlotKey must be a string")?.trim();
    if key.is_empty() {
        return Err("sessionEntrySlotKey cannot be empty".into());
    }
    let mut chars = key.chars();
    if !chars.next().is_some_and(|c| c.is_ascii_alphabetic()) || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        // The reference reserves `__proto__` by name, which this pattern refuses anyway.
        return Err("sessionEntrySlotKey must be an identifier-style field name".into());
    }
    if SESSION_FIELDS.contains(&key) {
        return Err(format!("sessionEntrySlotKey is reserved by SessionEntry: {key}"));
    }
    if OBJECT_NAMES.contains(&key) {
        return Err(format!("sessionEntrySlotKey is reserved by Object: {key}"));
    }
    Ok(key.into())
}

/// Members that every JavaScript object has.
const OBJECT_NAMES: &[&str] = &["hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toString", "valueOf", "toLocaleString"];

/// Fields of a session row that belong to the host.
#[rustfmt::skip]
const SESSION_FIELDS: &[&str] = &[
    "constructor", "prototype", "lastHeartbeatText", "lastHeartbeatSentAt", "heartbeatIsolatedBaseSessionKey", "heartbeatTaskState",
    "pluginExtensions", "pluginExtensionSlotKeys", "pluginNextTurnInjections", "sessionId", "updatedAt", "sessionFile", "spawnedBy",
    "spawnedWorkspaceDir", "parentSessionKey", "forkedFromParent", "spawnDepth", "subagentRole", "subagentControlScope",
    "subagentRecovery", "pluginOwnerId", "systemSent", "abortedLastRun", "sessionStartedAt", "lastInteractionAt", "startedAt",
    "endedAt", "runtimeMs", "status", "abortCutoffMessageSid", "abortCutoffTimestamp", "chatType", "thinkingLevel", "fastMode",
    "verboseLevel", "traceLevel", "reasoningLevel", "elevatedLevel", "ttsAuto", "lastTtsReadLatestHash", "lastTtsReadLatestAt",
    "execHost", "execSecurity", "execAsk", "execNode", "responseUsage", "usageFamilyKey", "usageFamilySessionIds",
    "providerOverride", "modelOverride", "agentRuntimeOverride", "modelOverrideSource", "modelOverrideFallbackOriginProvider",
    "modelOverrideFallbackOriginModel", "authProfileOverride", "authProfileOverrideSource", "authProfileOverrideCompactionCount",
    "liveModelSwitchPending", "groupActivation", "groupActivationNeedsSystemIntro", "sendPolicy", "queueMode", "queueDebounceMs",
    "queueCap", "queueDrop", "inputTokens", "outputTokens", "totalTokens", "pendingFinalDelivery", "pendingFinalDeliveryCreatedAt",
    "pendingFinalDeliveryLastAttemptAt", "pendingFinalDeliveryAttemptCount", "pendingFinalDeliveryLastError",
    "pendingFinalDeliveryText", "pendingFinalDeliveryContext", "pendingFinalDeliveryIntentId", "totalTokensFresh",
    "estimatedCostUsd", "cacheRead", "cacheWrite", "modelProvider", "model", "agentHarnessId", "fallbackNoticeSelectedModel",
    "fallbackNoticeActiveModel", "fallbackNoticeReason", "contextTokens", "compactionCount", "compactionCheckpoints",
    "memoryFlushAt", "memoryFlushCompactionCount", "memoryFlushContextHash", "cliSessionIds", "cliSessionBindings",
    "claudeCliSessionId", "label", "displayName", "channel", "groupId", "subject", "groupChannel", "space", "origin",
    "deliveryContext", "lastChannel", "lastTo", "lastAccountId", "lastThreadId", "skillsSnapshot", "systemPromptReport",
    "pluginDebugEntries", "acp", "quotaSuspension",
];

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-261
    #[test]
    fn slot_keys() {
        for (key, problem) in [
            (json!("mySlot_1"), None),
            (json!(" ok "), None),
            (json!(1), Some("must be a string")),
            (json!(" "), Some("cannot be empty")),
            (json!("1x"), Some("identifier-style")),
            (json!("a-b"), Some("identifier-style")),
            (json!("__proto__"), Some("identifier-style")),
            (json!("model"), Some("reserved by SessionEntry: model")),
            (json!("toString"), Some("reserved by Object: toString")),
        ] {
            match problem {
                None => assert!(slot_key(&key).is_ok(), "{key}"),
                Some(text) => assert!(slot_key(&key).unwrap_err().contains(text), "{key}"),
            }
        }
    }
}
