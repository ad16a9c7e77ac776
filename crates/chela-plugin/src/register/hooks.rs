//! `on` and `registerHook`: typed and internal hooks, with the permissions of typed ones (API-098, API-037, HOOK-088..129).

use serde_json::Value;

use super::read::{member, trimmed};
use super::registrar::{Registrar, Thrown};
use crate::hook::{Gate, HookName};
use crate::lane::RegistrationMode;
use crate::register::entries::{InternalHook, TypedHook};

impl Registrar<'_> {
    pub(super) fn typed_hook(&mut self, name: &Value, handler: &Value, options: &Value) {
        let shown = name.as_str().map_or_else(|| name.to_string(), Into::into);
        let Ok(hook) = HookName::of(&shown) else {
            return self.warn(format!("unknown typed hook \"{shown}\" ignored"));
        };
        let Some(callback) = self.callback(Some(handler)) else {
            return self.error(format!("typed hook \"{hook}\" handler must be a function"));
        };
        let Some(strip_prompt_fields) = self.prompt_gate(hook) else {
            return;
        };
        if !self.conversation_gate(hook) {
            return;
        }
        let budget = self.policy.budget(hook, option_timeout(options.get("timeoutMs")));
        let priority = options.get("priority").and_then(Value::as_f64).unwrap_or(0.0);
        let all_messages = hook == HookName::InboundClaim && options.get("allMessages") == Some(&Value::Bool(true));
        let owner = self.owner.clone();
        self.registry.typed_hooks.push(TypedHook { owner, hook, callback, priority, budget, strip_prompt_fields, all_messages });
    }

    /// HOOK-124..126: `None` drops the handler, `Some(true)` keeps it without prompt fields.
    fn prompt_gate(&mut self, hook: HookName) -> Option<bool> {
        if hook.gate() != Gate::Prompt || self.policy.allow_prompt_injection != Some(false) {
            return Some(false);
        }
        let setting = format!("plugins.entries.{}.hooks.allowPromptInjection=false", self.owner.id);
        if hook == HookName::BeforeAgentStart {
            self.warn(format!("typed hook \"{hook}\" prompt fields constrained by {setting}"));
            return Some(true);
        }
        self.warn(format!("typed hook \"{hook}\" blocked by {setting}"));
        None
    }

    /// HOOK-120..123.
    fn conversation_gate(&mut self, hook: HookName) -> bool {
        if hook.gate() != Gate::Conversation {
            return true;
        }
        let setting = format!("plugins.entries.{}.hooks.allowConversationAccess", self.owner.id);
        match (self.owner.bundled, self.policy.allow_conversation_access) {
            (false, Some(true)) | (true, None | Some(true)) => true,
            (false, _) => {
                self.warn(format!("typed hook \"{hook}\" blocked because non-bundled plugins must set {setting}=true"));
                false
            }
            (true, Some(false)) => {
                self.warn(format!("typed hook \"{hook}\" blocked by {setting}=false"));
                false
            }
        }
    }

    pub(super) fn internal_hook(&mut self, events: &Value, handler: &Value, options: &Value) -> Result<(), Thrown> {
        let entry_hook = options.pointer("/entry/hook").unwrap_or(&Value::Null);
        let name = match member(entry_hook, "name") {
            "" => member(options, "name"),
            name => name,
        };
        if name.is_empty() {
            return Err("hook registration missing name".into());
        }
        if let Some(known) = self.registry.internal_hooks.iter().find(|h| h.name == name) {
            let message = format!("hook already registered: {name} ({})", known.owner.id);
            self.error(message);
            return Ok(());
        }
        let Some(callback) = self.callback(Some(handler)) else {
            self.error(format!("hook handler must be a function: {name}"));
            return Ok(());
        };
        let one = std::slice::from_ref(events);
        let listed = events.as_array().map_or(one, Vec::as_slice);
        let events = listed.iter().map(|e| trimmed(Some(e))).filter(|e| !e.is_empty()).map(Into::into).collect();
        let description = match member(entry_hook, "description") {
            "" => member(options, "description"),
            text => text,
        };
        let wanted = options.get("register") != Some(&Value::Bool(false));
        self.registry.internal_hooks.push(InternalHook {
            owner: self.owner.clone(),
            name: name.into(),
            description: description.into(),
            events,
            callback,
            active: wanted && self.inputs.internal_hooks_enabled && self.facts.mode == RegistrationMode::Full,
            plugin_config: self.facts.plugin_config.clone(),
        });
        Ok(())
    }
}

/// HOOK-096: finite and positive, fractions cut off, no upper limit.
fn option_timeout(value: Option<&Value>) -> Option<u64> {
    let ms = value?.as_f64().filter(|ms| ms.is_finite() && *ms >= 1.0)?;
    Some(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-096
    #[test]
    fn option_timeouts() {
        let cases = [
            (json!(12.9), Some(12)),
            (json!(9_000_000), Some(9_000_000)),
            (json!(0), None),
            (json!(-1), None),
            (json!("5"), None),
            (json!({"$num": "Infinity"}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(option_timeout(Some(&value)), expected, "{value}");
        }
        assert_eq!(option_timeout(None), None);
    }
}
