//! `reply_payload_sending`: plugins may change an answer, or keep it back, before a channel gets it.

use chela_agent::{RunOutcome, TurnPlugins};
use chela_plugin::HookName;
use chela_store::SessionRow;
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

/// What a run used, as the hook tells it; nothing is looked up when nobody listens.
pub(crate) async fn usage_state(host: &Host, outcome: &RunOutcome) -> Option<Value> {
    if outcome.model.is_empty() || !host.manager.current().hooks.has(HookName::ReplyPayloadSending) {
        return None;
    }
    let row = host.runtime.store.session(&outcome.session_key).await.ok().flatten();
    let agent = chela_store::session_key::agent_of(&outcome.session_key);
    let identity = crate::requests::identity_of(&host.runtime.config(), &agent);
    let usage = &outcome.usage;
    let total = usage.input + usage.output + usage.cache_read + usage.cache_write;
    let wished = chela_models::ModelRef { provider: outcome.provider.clone(), model: outcome.model.clone() };
    let price = host.runtime.models().resolve(&wished).ok().and_then(|model| model.entry).map(|entry| entry.cost);
    let mut state = json!({
        "provider": outcome.provider, "model": outcome.model, "resolvedRef": format!("{}/{}", outcome.provider, outcome.model),
        "agentId": agent, "sessionId": outcome.session_id, "durationMs": outcome.ended_at_ms - outcome.started_at_ms,
        "usage": {
            "input": usage.input, "output": usage.output, "cacheRead": usage.cache_read, "cacheWrite": usage.cache_write, "total": total,
        },
        "turnUsd": price.and_then(|price| chela_agent::completion::estimated(&price, usage)), "identity": identity.map(known_identity),
    });
    if let Some(row) = row {
        put_row(&mut state, &row);
    }
    Some(without_nulls(state))
}

/// What the session says of its turns.
fn put_row(state: &mut Value, row: &SessionRow) {
    let member = |name: &str| row.extra.get(name).cloned().unwrap_or_default();
    let members = [
        ("contextTokenBudget", row.context_tokens.into()),
        ("contextUsedTokens", row.total_tokens.filter(|n| *n > 0).into()),
        ("compactionCount", member("compactionCount")),
        ("chatType", member("chatType")),
        ("reasoningEffort", member("thinkingLevel")),
        ("fastMode", member("fastMode")),
        ("overrideSource", member("modelOverrideSource")),
    ];
    for (name, value) in members {
        state[name] = value;
    }
    if let Some(model) = row.extra.get("modelOverride").and_then(Value::as_str) {
        let provider = row.extra.get("providerOverride").and_then(Value::as_str);
        let requested = provider.map_or_else(|| model.to_owned(), |provider| format!("{provider}/{model}"));
        state["fallbackUsed"] = (state["resolvedRef"] != requested && state["model"] != requested).into();
        state["requested"] = requested.into();
    }
}

/// Name, emoji and picture of an agent.
fn known_identity(all: Value) -> Value {
    let members = ["name", "emoji", "avatar"].into_iter().filter_map(|name| Some((name.to_owned(), all.get(name)?.as_str()?.into())));
    Value::Object(members.collect())
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

    #[test]
    fn the_state_of_a_run_says_what_the_session_knows() {
        let mut row = SessionRow { context_tokens: Some(1000), total_tokens: Some(0), ..SessionRow::default() };
        row.extra.insert("chatType".into(), "direct".into());
        row.extra.insert("modelOverride".into(), "big".into());
        row.extra.insert("providerOverride".into(), "p".into());
        let mut state = json!({"resolvedRef": "p/small", "model": "small"});
        put_row(&mut state, &row);
        let expected = json!({"resolvedRef": "p/small", "model": "small", "contextTokenBudget": 1000, "chatType": "direct",
            "requested": "p/big", "fallbackUsed": true});
        assert_eq!(without_nulls(state), expected);
        assert_eq!(known_identity(json!({"name": "Ada", "emoji": 3, "theme": "x"})), json!({"name": "Ada"}));
    }
}
