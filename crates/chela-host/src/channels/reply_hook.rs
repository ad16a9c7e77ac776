//! `reply_payload_sending`: plugins may change an answer, or keep it back, before a channel gets it.

use chela_agent::{RunOutcome, TurnPlugins};
use chela_plugin::HookName;
use serde_json::{Value, json};

use super::send::without_nulls;
use crate::assemble::Host;

/// Members that say what an answer holds.
const CONTENTS: [&str; 8] = ["mediaUrl", "mediaUrls", "channelData", "presentation", "interactive", "blocks", "buttons", "poll"];
/// What only the gateway says of a payload: that its files are its own.
const TRUST: &str = "trustedLocalMedia";

/// What is known of an answer.
#[derive(Debug, Default)]
pub(crate) struct ReplyFacts {
    pub(crate) channel: Option<String>,
    pub(crate) session_key: String,
    pub(crate) run_id: Option<String>,
    /// Context of the message hooks.
    pub(crate) ctx: Value,
    /// Model and tokens of the run, where there was one.
    pub(crate) usage: Option<Value>,
}

impl Host {
    /// Asks the hooks about one answer; `None` when it is not to be sent.
    pub(crate) async fn pass_reply(&self, payload: Value, facts: &ReplyFacts) -> Option<Value> {
        let hooks = self.manager.current().hooks;
        if !hooks.has(HookName::ReplyPayloadSending) {
            return Some(payload);
        }
        let event = || {
            let mut shown = payload.clone();
            if let Some(shown) = shown.as_object_mut() {
                shown.remove(TRUST);
            }
            let event = json!({
                "payload": shown, "kind": "final", "channel": facts.channel, "sessionKey": facts.session_key, "runId": facts.run_id,
                "usageState": facts.usage,
            });
            (without_nulls(event), facts.ctx.clone())
        };
        let mut merged = hooks.dispatch_with(HookName::ReplyPayloadSending, Default::default(), event).await.merged;
        if merged["cancel"] == true {
            tracing::debug!(target: "channels", session = facts.session_key, "an answer was kept back by a hook");
            return None;
        }
        let Some(changed) = merged.get_mut("payload").map(Value::take).filter(Value::is_object) else { return Some(payload) };
        Some(accepted(&payload, changed)).filter(says_something)
    }
}

/// A changed payload: a plugin cannot say that files are trusted, and keeps that only where it left them as they were.
fn accepted(before: &Value, mut changed: Value) -> Value {
    let same = ["mediaUrl", "mediaUrls"].iter().all(|name| before.get(*name) == changed.get(*name));
    if let Some(object) = changed.as_object_mut() {
        object.remove(TRUST);
        if same && before[TRUST] == true {
            object.insert(TRUST.into(), true.into());
        }
    }
    changed
}

fn says_something(payload: &Value) -> bool {
    let text = payload["text"].as_str().is_some_and(|text| !text.trim().is_empty());
    let full = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    text || CONTENTS.iter().any(|name| payload.get(*name).is_some_and(full))
}

/// What a run used, as the hook tells it.
pub(crate) fn usage_state(outcome: &RunOutcome) -> Option<Value> {
    if outcome.model.is_empty() {
        return None;
    }
    let usage = &outcome.usage;
    let total = usage.input + usage.output + usage.cache_read + usage.cache_write;
    Some(json!({
        "provider": outcome.provider, "model": outcome.model, "resolvedRef": format!("{}/{}", outcome.provider, outcome.model),
        "agentId": chela_store::session_key::agent_of(&outcome.session_key), "sessionId": outcome.session_id,
        "durationMs": outcome.ended_at_ms - outcome.started_at_ms,
        "usage": {
            "input": usage.input, "output": usage.output, "cacheRead": usage.cache_read, "cacheWrite": usage.cache_write, "total": total,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_not_a_plugins_to_give() {
        let own = json!({"text": "a", "mediaUrl": "/f.mp3", "trustedLocalMedia": true});
        assert_eq!(accepted(&own, json!({"text": "b", "mediaUrl": "/f.mp3"}))[TRUST], true);
        assert_eq!(accepted(&own, json!({"mediaUrl": "/etc/passwd", "trustedLocalMedia": true})).get(TRUST), None);
        assert_eq!(accepted(&json!({"text": "a"}), json!({"text": "b", "trustedLocalMedia": true})), json!({"text": "b"}));
    }

    #[test]
    fn an_answer_without_anything_is_not_sent() {
        for (payload, says) in [
            (json!({"text": " "}), false),
            (json!({"replyToId": "1"}), false),
            (json!({"mediaUrls": []}), false),
            (json!({"mediaUrls": ["https://x"]}), true),
            (json!({"text": "a"}), true),
        ] {
            assert_eq!(says_something(&payload), says, "{payload}");
        }
    }
}
