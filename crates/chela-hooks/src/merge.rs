//! How the results of a sequence of handlers become one (hooks contract, sections 2, 7 and 8).

use std::sync::Arc;

use chela_plugin::{DispatchMode, HookName, SharedJson};
use serde_json::{Map, Value, json};

use crate::decision::is_valid_decision;

/// Text fields of prompt hooks that are joined with a blank line.
const CONTEXT_FIELDS: &[&str] = &["prependContext", "appendContext", "prependSystemContext", "appendSystemContext"];
/// Why an invalid decision blocks; internal, never shown.
const INVALID_DECISION: &str = "before_agent_run returned an invalid decision";

/// The merged result of the handlers of one dispatch, in order of priority.
#[derive(Debug)]
pub struct Accumulator {
    hook: HookName,
    merged: Option<Map<String, Value>>,
    decided_by: Option<Arc<str>>,
}

impl Accumulator {
    /// Nothing merged yet.
    pub fn new(hook: HookName) -> Self {
        Self { hook, merged: None, decided_by: None }
    }

    /// Takes the result of the next handler. True when the merged result is terminal and no further handler runs (HOOK-110).
    /// `undefined` tells `undefined` from `null`, which only `before_agent_run` treats differently (HOOK-108).
    pub fn push(&mut self, plugin_id: &Arc<str>, result: &Value, undefined: bool) -> bool {
        if undefined || (result.is_null() && self.hook != HookName::BeforeAgentRun) {
            return false;
        }
        let empty = Map::new();
        let next = result.as_object().unwrap_or(&empty);
        if self.hook.mode() == DispatchMode::Claim {
            return self.claim(plugin_id, next);
        }
        match self.hook {
            HookName::BeforeAgentRun => self.agent_run(plugin_id, result),
            HookName::BeforeToolCall => self.tool_call(plugin_id, next),
            HookName::MessageSending => self.message_sending(plugin_id, next),
            HookName::ReplyPayloadSending => self.reply_payload(plugin_id, next),
            HookName::ResolveExecEnv => self.exec_env(next),
            HookName::BeforeInstall => self.before_install(plugin_id, next),
            HookName::BeforeAgentFinalize => self.agent_finalize(plugin_id, next),
            HookName::SubagentSpawning => self.subagent_spawning(plugin_id, next),
            HookName::SubagentDeliveryTarget => self.delivery_target(plugin_id, next),
            HookName::ToolResultPersist | HookName::BeforeMessageWrite => self.message(plugin_id, next),
            HookName::BeforeModelResolve => self.model_fields(next),
            HookName::BeforePromptBuild => self.prompt_fields(next),
            HookName::BeforeAgentStart => self.model_fields(next) | self.prompt_fields(next),
            HookName::AgentTurnPrepare | HookName::HeartbeatPromptContribution => self.context_fields(next, &CONTEXT_FIELDS[..2]),
            _ => false,
        }
    }

    /// The merged result, `Null` when there is no decision, and the plugin that made it. Parameters of `before_tool_call` come merged
    /// over those of the event (HOOK-164). An empty result counts as none, except of `before_agent_start`, where even an empty
    /// result is reused (HOOK-141).
    pub fn finish(self, event: &SharedJson) -> (Value, Option<Arc<str>>) {
        let Some(mut merged) = self.merged else {
            return (Value::Null, None);
        };
        if merged.is_empty() && self.hook != HookName::BeforeAgentStart {
            return (Value::Null, None);
        }
        if let Some(params) = merged.get("params").filter(|_| self.hook == HookName::BeforeToolCall) {
            let params = merge_params(event.value().get("params").unwrap_or(&Value::Null), params);
            merged.insert("params".into(), params);
        }
        (Value::Object(merged), self.decided_by)
    }

    fn acc(&mut self) -> &mut Map<String, Value> {
        self.merged.get_or_insert_default()
    }

    fn is(&self, key: &str, value: &Value) -> bool {
        self.merged.as_ref().and_then(|m| m.get(key)) == Some(value)
    }

    fn first_defined(&mut self, next: &Map<String, Value>, key: &str) {
        if let Some(value) = defined(next, key) {
            self.acc().entry(key).or_insert_with(|| value.clone());
        }
    }

    fn last_defined(&mut self, next: &Map<String, Value>, key: &str) {
        if let Some(value) = defined(next, key) {
            self.acc().insert(key.into(), value.clone());
        }
    }

    /// HOOK-018, HOOK-034, HOOK-036, HOOK-037. Only the result that takes the message counts.
    fn claim(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        let handled = next.get("handled").is_some_and(truthy);
        if handled {
            self.merged = Some(next.clone());
            self.decided_by = Some(plugin_id.clone());
        } else if self.hook == HookName::BeforeDispatch && next.get("content").is_some_and(Value::is_string) {
            // HOOK-301: a message that nobody takes can be rewritten; the last text wins.
            self.last_defined(next, "content");
            self.decided_by = Some(plugin_id.clone());
        }
        handled
    }

    /// HOOK-012.
    fn model_fields(&mut self, next: &Map<String, Value>) -> bool {
        self.acc();
        self.first_defined(next, "modelOverride");
        self.first_defined(next, "providerOverride");
        false
    }

    /// HOOK-015.
    fn prompt_fields(&mut self, next: &Map<String, Value>) -> bool {
        self.first_defined(next, "systemPrompt");
        self.context_fields(next, CONTEXT_FIELDS)
    }

    /// HOOK-013. Empty texts add nothing.
    fn context_fields(&mut self, next: &Map<String, Value>, fields: &[&str]) -> bool {
        for field in fields {
            let Some(text) = next.get(*field).and_then(Value::as_str).filter(|t| !t.is_empty()) else {
                continue;
            };
            self.join(field, text);
        }
        false
    }

    fn join(&mut self, field: &str, text: &str) {
        let joined = match self.acc().get(field).and_then(Value::as_str) {
            Some(earlier) => format!("{earlier}\n\n{text}"),
            None => text.into(),
        };
        self.acc().insert(field.into(), joined.into());
    }

    /// HOOK-017, HOOK-143..146.
    fn agent_run(&mut self, plugin_id: &Arc<str>, result: &Value) -> bool {
        let decision = if is_valid_decision(result) { result.clone() } else { json!({ "outcome": "block", "reason": INVALID_DECISION }) };
        let blocks = decision["outcome"] == "block";
        if self.merged.is_none() || blocks {
            self.merged = decision.as_object().cloned();
            self.decided_by = Some(plugin_id.clone());
        }
        blocks
    }

    /// HOOK-025, HOOK-164, HOOK-165, HOOK-169..171.
    fn tool_call(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        let requester = self.merged.as_ref().and_then(|m| m.get("requireApproval")?.get("pluginId")?.as_str().map(str::to_owned));
        let may_set_params = requester.as_deref().is_none_or(|r| r == plugin_id.as_ref());
        if may_set_params && next.get("params").is_some_and(Value::is_object) {
            self.last_defined(next, "params");
        }
        self.last_defined(next, "blockReason");
        if requester.is_none()
            && let Some(Value::Object(approval)) = next.get("requireApproval")
        {
            let mut approval = approval.clone();
            approval.insert("pluginId".into(), plugin_id.as_ref().into());
            self.acc().insert("requireApproval".into(), approval.into());
            self.decided_by = Some(plugin_id.clone());
        }
        self.sticky(plugin_id, next, "block")
    }

    /// HOOK-038.
    fn message_sending(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        for field in ["content", "cancelReason", "metadata"] {
            self.last_defined(next, field);
        }
        self.sticky(plugin_id, next, "cancel")
    }

    /// The last payload counts, and `cancel: true` ends it.
    fn reply_payload(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if next.get("payload").is_some_and(Value::is_object) {
            self.last_defined(next, "payload");
        }
        self.last_defined(next, "reason");
        self.sticky(plugin_id, next, "cancel")
    }

    /// Variables by name; a later handler wins.
    fn exec_env(&mut self, next: &Map<String, Value>) -> bool {
        for (name, value) in next.iter().filter(|(_, value)| value.is_string()) {
            self.acc().insert(name.clone(), value.clone());
        }
        false
    }

    /// HOOK-047.
    fn before_install(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if let Some(Value::Array(findings)) = next.get("findings").filter(|f| f.as_array().is_some_and(|f| !f.is_empty())) {
            match self.acc().entry("findings").or_insert_with(|| json!([])) {
                Value::Array(all) => all.extend(findings.iter().cloned()),
                other => *other = findings.clone().into(),
            }
        }
        self.last_defined(next, "blockReason");
        self.sticky(plugin_id, next, "block")
    }

    /// Exactly `true` sets it and ends the chain; nothing clears it (HOOK-165).
    fn sticky(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>, key: &str) -> bool {
        let set = next.get(key) == Some(&Value::Bool(true));
        if set {
            self.acc().insert(key.into(), true.into());
            self.decided_by = Some(plugin_id.clone());
        }
        set
    }

    /// HOOK-019, HOOK-153, HOOK-154. With several retry candidates all of them are in `retryCandidates`, in order.
    fn agent_finalize(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if self.is("action", &json!("finalize")) {
            return false;
        }
        let action = next.get("action").and_then(Value::as_str);
        let revising = self.is("action", &json!("revise"));
        match action {
            Some("finalize") => self.replace(plugin_id, "finalize", next),
            Some("revise") if revising => self.another_revise(next),
            Some("revise") => {
                self.replace(plugin_id, "revise", next);
                if let Some(retry) = retry_of(next) {
                    self.acc().insert("retry".into(), retry);
                }
            }
            Some("continue") if !revising => self.replace(plugin_id, "continue", next),
            _ => {}
        }
        false
    }

    fn replace(&mut self, plugin_id: &Arc<str>, action: &str, next: &Map<String, Value>) {
        let mut merged = Map::from_iter([("action".to_string(), json!(action))]);
        if let Some(reason) = defined(next, "reason") {
            merged.insert("reason".into(), reason.clone());
        }
        self.merged = Some(merged);
        self.decided_by = Some(plugin_id.clone());
    }

    fn another_revise(&mut self, next: &Map<String, Value>) {
        if let Some(reason) = next.get("reason").and_then(Value::as_str).filter(|r| !r.is_empty()) {
            self.join("reason", reason);
        }
        let Some(retry) = retry_of(next) else { return };
        let acc = self.acc();
        let Some(first) = acc.get("retry").cloned() else {
            acc.insert("retry".into(), retry);
            return;
        };
        match acc.entry("retryCandidates").or_insert_with(|| json!([first])) {
            Value::Array(candidates) => candidates.push(retry),
            other => *other = json!([retry]),
        }
    }

    /// HOOK-040.
    fn subagent_spawning(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if self.is("status", &json!("error")) {
            return false;
        }
        if next.get("status").and_then(Value::as_str) == Some("error") {
            self.merged = Some(next.clone());
            self.decided_by = Some(plugin_id.clone());
            return false;
        }
        let ready = next.get("threadBindingReady").is_some_and(truthy) || self.is("threadBindingReady", &json!(true));
        let acc = self.acc();
        acc.insert("status".into(), "ok".into());
        acc.insert("threadBindingReady".into(), ready.into());
        self.first_defined(next, "deliveryOrigin");
        false
    }

    /// HOOK-041.
    fn delivery_target(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if self.merged.is_none() && next.get("origin").is_some_and(truthy) {
            self.merged = Some(next.clone());
            self.decided_by = Some(plugin_id.clone());
        }
        false
    }

    /// HOOK-027, HOOK-028: the last returned message, or the block alone.
    fn message(&mut self, plugin_id: &Arc<str>, next: &Map<String, Value>) -> bool {
        if self.hook == HookName::BeforeMessageWrite && next.get("block").is_some_and(truthy) {
            self.merged = Some(Map::from_iter([("block".to_string(), json!(true))]));
            self.decided_by = Some(plugin_id.clone());
            return true;
        }
        if let Some(message) = next.get("message").filter(|m| m.is_object()) {
            self.acc().insert("message".into(), message.clone());
        }
        false
    }
}

/// A member that is neither absent, `null` nor `undefined`.
fn defined<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|v| !v.is_null() && !chela_plugin::value::is_undefined(v))
}

/// A retry request with a non-blank instruction, trimmed (HOOK-154).
fn retry_of(next: &Map<String, Value>) -> Option<Value> {
    let retry = next.get("retry")?.as_object()?;
    let instruction = retry.get("instruction")?.as_str()?.trim();
    if instruction.is_empty() {
        return None;
    }
    let mut retry = retry.clone();
    retry.insert("instruction".into(), instruction.into());
    Some(retry.into())
}

/// What counts as true in the plugins' language.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::String(s) => !s.is_empty(),
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::Array(_) => true,
        Value::Object(_) => !chela_plugin::value::is_undefined(value),
    }
}

/// `overrides` over `original`, member by member: keys that the result does not name survive (HOOK-164).
pub fn merge_params(original: &Value, overrides: &Value) -> Value {
    match (original, overrides) {
        (Value::Object(original), Value::Object(overrides)) => {
            let mut merged = original.clone();
            merged.extend(overrides.iter().map(|(k, v)| (k.clone(), v.clone())));
            merged.into()
        }
        (_, Value::Object(_)) => overrides.clone(),
        _ => original.clone(),
    }
}

#[cfg(test)]
mod tests;
