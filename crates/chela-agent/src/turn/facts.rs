//! What hooks are told of a turn since 2026.6: where the message came from, what it answers, and how much room the conversation has.

use serde_json::{Map, Value, json};

use super::{Inbound, TurnScope};

/// What a message answers: the name in events, the name in the channel's context.
const REPLY: &[(&str, &str)] = &[
    ("replyToId", "ReplyToId"),
    ("replyToIdFull", "ReplyToIdFull"),
    ("replyToBody", "ReplyToBody"),
    ("replyToSender", "ReplyToSender"),
    ("replyToIsQuote", "ReplyToIsQuote"),
];
/// Files of a message: the name of one, the names in the context of one and of many. Many are told under the name with an `s`.
const MEDIA: &[(&str, &str, &str)] =
    &[("mediaPath", "MediaPath", "MediaPaths"), ("mediaUrl", "MediaUrl", "MediaUrls"), ("mediaType", "MediaType", "MediaTypes")];

impl Inbound {
    /// Adds what the message answers to an event or a context.
    pub(super) fn put_reply(&self, out: &mut Value) {
        for (name, member) in REPLY {
            if let Some(value) = self.context.get(*member).filter(|v| !v.is_null()) {
                out[*name] = value.clone();
            }
        }
    }

    /// Adds the files of the message to `metadata`.
    pub(super) fn put_media(&self, out: &mut Value) {
        for (name, one, many) in MEDIA {
            let all: Vec<Value> =
                self.context.get(*many).and_then(Value::as_array).into_iter().flatten().filter(is_text).cloned().collect();
            if let Some(first) = self.text(one).map(Value::from).or_else(|| all.first().cloned()) {
                out[*name] = first;
            }
            if !all.is_empty() {
                out[format!("{name}s")] = all.into();
            }
        }
    }

    /// Sender and chat in the words of the channel; nothing when neither is known.
    fn channel_context(&self) -> Option<Value> {
        let mut all = self.context.get("ChannelContext").and_then(Value::as_object).cloned().unwrap_or_default();
        for (part, id) in [("sender", self.text("SenderId")), ("chat", self.text("ChatId"))] {
            let Some(id) = id else { continue };
            let mut known = all.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
            known.insert("id".into(), id.into());
            all.insert(part.into(), known.into());
        }
        (!all.is_empty()).then(|| all.into())
    }
}

fn is_text(value: &&Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

impl TurnScope<'_> {
    /// Adds channel, chat and sender to an `AgentCtx` that has its `channelId`. Who wrote is told in detail for messages of people only.
    pub(super) fn put_origin(&self, ctx: &mut Map<String, Value>) {
        let request = self.request;
        if !request.surface.is_empty() {
            ctx.insert("channel".into(), request.surface.clone().into());
        }
        if let Some(chat) = ctx.get("channelId").cloned() {
            ctx.insert("chatId".into(), chat);
        }
        if let Some(sender) = request.sender_id.as_ref().filter(|id| !id.trim().is_empty()) {
            ctx.insert("senderId".into(), sender.clone().into());
        }
        let Some(inbound) = request.inbound.as_ref().filter(|_| request.trigger == "user") else { return };
        if let Some(chat) = inbound.text("ChatId") {
            ctx.insert("chatId".into(), chat.into());
        }
        if let Some(context) = inbound.channel_context() {
            ctx.insert("channelContext".into(), context);
        }
    }

    /// Adds the room of the conversation in tokens, and who said so: the operator's list of models, the provider, or nobody.
    pub(crate) fn put_window(&self, out: &mut Value) {
        let (budget, source) = match self.window {
            Some(window) if self.model.as_ref().is_some_and(|(p, m)| self.is_configured(p, m)) => (window, "modelsConfig"),
            Some(window) => (window, "model"),
            None => (crate::history::DEFAULT_CONTEXT_TOKENS, "default"),
        };
        out["contextTokenBudget"] = budget.into();
        out["contextWindowSource"] = source.into();
    }

    /// The operator's config gives this model a window.
    fn is_configured(&self, provider: &str, model: &str) -> bool {
        let config = self.runtime.config();
        let providers = config.effective.pointer("/models/providers").and_then(Value::as_object);
        let entry = providers.and_then(|all| all.iter().find(|(id, _)| id.trim().eq_ignore_ascii_case(provider))).map(|(_, entry)| entry);
        let models = entry.and_then(|entry| entry["models"].as_array()).into_iter().flatten();
        let named =
            |row: &&Value| row["id"].as_str().is_some_and(|id| id == model || id.strip_prefix(provider) == Some(&format!("/{model}")));
        models.filter(named).any(|row| ["contextTokens", "contextWindow"].iter().any(|name| row[*name].as_f64().is_some_and(|n| n > 0.0)))
    }

    /// The wished effort of thinking and whether answers should be fast, where somebody said so.
    pub(super) fn put_effort(&self, out: &mut Value) {
        if let Some(level) = self.thinking_level() {
            out["reasoningEffort"] = level.as_str().into();
        }
        if let Some(fast) = self.session.as_ref().and_then(|row| row.extra.get("fastMode")).and_then(Value::as_bool) {
            out["fastMode"] = fast.into();
        }
    }
}

/// Tools as `llm_input` tells of them.
pub(super) fn tools(specs: &[chela_models::ToolSpec]) -> Value {
    specs.iter().map(|tool| json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_it_answers_and_which_files_it_has() {
        let context = json!({"ReplyToId": "m0", "ReplyToBody": "before", "ReplyToIsQuote": true, "ReplyToSender": null,
            "MediaPaths": ["/a.png", "", "/b.png"], "MediaType": "image/png"});
        let inbound = Inbound { context };
        let mut event = json!({});
        inbound.put_reply(&mut event);
        assert_eq!(event, json!({"replyToId": "m0", "replyToBody": "before", "replyToIsQuote": true}));
        let mut metadata = json!({});
        inbound.put_media(&mut metadata);
        assert_eq!(metadata, json!({"mediaPath": "/a.png", "mediaPaths": ["/a.png", "/b.png"], "mediaType": "image/png"}));
    }

    #[test]
    fn a_channel_adds_to_sender_and_chat_and_does_not_name_them_otherwise() {
        let of = |context: Value| Inbound { context }.channel_context();
        assert_eq!(of(json!({})), None);
        let own = json!({"ChannelContext": {"sender": {"id": "forged", "unionId": "u"}, "more": 1}, "SenderId": "s1", "ChatId": "c1"});
        assert_eq!(of(own), Some(json!({"sender": {"id": "s1", "unionId": "u"}, "more": 1, "chat": {"id": "c1"}})));
    }
}
