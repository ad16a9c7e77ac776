//! What a channel knows about a message: where it came from, and where its answer goes.

use chela_store::SessionRow;
use serde_json::{Map, Value, json};

/// A message of a channel (CH-111). The context is the channel's own words; nothing in it is trusted beyond what the channel vouches
/// for.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// The finalised context, as hooks see it.
    pub context: Value,
}

/// Members of the context that hooks find in `metadata` (HOOK-071), each with its name there.
const METADATA: &[(&str, &str)] = &[
    ("to", "To"),
    ("threadId", "MessageThreadId"),
    ("originatingChannel", "OriginatingChannel"),
    ("originatingTo", "OriginatingTo"),
    ("messageId", "MessageSid"),
    ("senderId", "SenderId"),
    ("senderName", "SenderName"),
    ("senderUsername", "SenderUsername"),
    ("senderE164", "SenderE164"),
    ("guildId", "GroupSpace"),
    ("channelName", "GroupChannel"),
];

impl Inbound {
    /// A non-blank text or number of the context, as text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.context.get(name)? {
            Value::String(text) => Some(text.trim().to_string()).filter(|t| !t.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The sender as hooks name him.
    pub fn from(&self) -> Option<String> {
        self.text("From").or_else(|| self.text("SenderId"))
    }

    /// The conversation on the platform.
    pub fn conversation(&self) -> Option<String> {
        ["OriginatingTo", "To", "ChatId", "From"].into_iter().find_map(|name| self.text(name))
    }

    /// The conversation without the words that channels put before it, as `AgentCtx.channelId` names it (HOOK-009): that of the session
    /// key, else where the answer goes, else the channel itself.
    pub(super) fn hook_channel_id(&self, session_key: &str, surface: &str) -> String {
        let parts: Vec<&str> = session_key.split(':').filter(|part| !part.is_empty()).collect();
        let inner = if parts.len() >= 3 && parts[0] == "agent" { &parts[2..] } else { &parts[..] };
        if let [_, "group" | "channel", id @ ..] = inner
            && !id.is_empty()
        {
            return id.join(":");
        }
        let named = ["NativeChannelId", "OriginatingTo", "To"].into_iter().filter_map(|name| self.text(name));
        let mut bare = named.map(|text| without_prefix(&text, surface)).filter(|id| !id.eq_ignore_ascii_case(surface));
        bare.next().unwrap_or_else(|| surface.into())
    }

    /// False for a conversation of two.
    pub fn is_group(&self) -> bool {
        matches!(self.text("ChatType").as_deref(), Some("group" | "channel"))
    }

    /// What people wrote, without what the channel put around it (HOOK-212).
    pub fn content(&self) -> Option<String> {
        ["CommandBody", "RawBody", "Body"].into_iter().find_map(|name| self.text(name))
    }

    /// `metadata` of message events.
    pub(super) fn metadata(&self, surface: &str) -> Value {
        let mut out = Map::new();
        out.insert("provider".into(), self.text("Provider").unwrap_or_else(|| surface.into()).into());
        out.insert("surface".into(), self.text("Surface").unwrap_or_else(|| surface.into()).into());
        for (name, member) in METADATA {
            if let Some(text) = self.text(member) {
                out.insert((*name).into(), text.into());
            }
        }
        let mut out = Value::Object(out);
        self.put_reply(&mut out);
        self.put_media(&mut out);
        out
    }

    /// Adds what the channel knows to a message context (HOOK-002).
    pub(super) fn extend_context(&self, ctx: &mut Value) {
        let known = [
            ("accountId", self.text("AccountId")),
            ("conversationId", self.conversation()),
            ("messageId", self.text("MessageSid")),
            ("parentConversationId", self.text("ThreadParentId")),
        ];
        for (name, value) in known {
            if let Some(value) = value {
                ctx[name] = value.into();
            }
        }
        self.put_reply(ctx);
    }

    /// Where an answer goes: the delivery context of the session (CH-152).
    pub fn delivery(&self, surface: &str) -> Value {
        let mut out = json!({"channel": self.text("OriginatingChannel").unwrap_or_else(|| surface.into())});
        let members = [("to", self.conversation()), ("accountId", self.text("AccountId")), ("threadId", self.text("MessageThreadId"))];
        for (name, value) in members {
            if let Some(value) = value {
                out[name] = value.into();
            }
        }
        out
    }

    /// Writes who wrote, and in what kind of chat, into a session row (CH-152, CH-F8: one truth about the chat type).
    pub fn apply_meta(&self, row: &mut SessionRow, surface: &str) {
        let kind = self.text("ChatType").unwrap_or_else(|| "direct".into());
        let mut origin = json!({"provider": surface, "surface": self.text("Surface").unwrap_or_else(|| surface.into()), "chatType": kind});
        let members = [
            ("from", self.text("From")),
            ("to", self.conversation()),
            ("accountId", self.text("AccountId")),
            ("label", self.text("ConversationLabel")),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                origin[name] = value.into();
            }
        }
        row.extra.insert("chatType".into(), kind.into());
        row.extra.insert("channel".into(), surface.into());
        row.extra.insert("origin".into(), origin);
        if self.is_group() {
            for (member, name) in [("subject", "GroupSubject"), ("groupChannel", "GroupChannel"), ("space", "GroupSpace")] {
                if let Some(value) = self.text(name) {
                    row.extra.insert(member.into(), value.into());
                }
            }
        }
    }

    /// Writes where answers go, unless another channel's route of the main session is in force (CH-49): only the record step moves that.
    pub(super) fn apply_route(&self, row: &mut SessionRow, surface: &str) {
        if row.key != chela_store::session_key::main_key(&row.agent_id) || !row.extra.contains_key("deliveryContext") {
            put_route(row, &self.delivery(surface));
        }
    }
}

/// `user:7` and `talk:7` without what stands before the colon; other texts as they are.
fn without_prefix(text: &str, surface: &str) -> String {
    const KINDS: &[&str] = &["channel", "chat", "direct", "dm", "group", "thread", "user"];
    match text.split_once(':').map(|(kind, id)| (kind.trim().to_lowercase(), id.trim())) {
        Some((kind, id)) if !id.is_empty() && (KINDS.contains(&kind.as_str()) || kind.eq_ignore_ascii_case(surface)) => id.into(),
        _ => text.into(),
    }
}

/// Sets the delivery context of a session and the members that older readers know (CH-152).
pub fn put_route(row: &mut SessionRow, delivery: &Value) {
    for (member, name) in [("lastChannel", "channel"), ("lastTo", "to"), ("lastAccountId", "accountId"), ("lastThreadId", "threadId")] {
        match delivery.get(name) {
            Some(value) => row.extra.insert(member.into(), value.clone()),
            None => row.extra.shift_remove(member),
        };
    }
    row.extra.insert("deliveryContext".into(), delivery.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-212
    #[test]
    fn the_words_of_a_message_are_the_command_then_the_raw_text() {
        let cases = [
            (json!({"CommandBody": "do", "RawBody": "@bot do", "Body": "[Ann] @bot do"}), Some("do")),
            (json!({"CommandBody": " ", "RawBody": "@bot do", "Body": "[Ann] @bot do"}), Some("@bot do")),
            (json!({"RawBody": "", "Body": "[Ann] do"}), Some("[Ann] do")),
            (json!({"BodyForAgent": "do"}), None),
        ];
        for (context, expected) in cases {
            assert_eq!(Inbound { context: context.clone() }.content().as_deref(), expected, "{context}");
        }
    }

    // HOOK-009
    #[test]
    fn the_channel_id_of_hooks_is_the_conversation() {
        let of = |context: Value, key: &str| Inbound { context }.hook_channel_id(key, "talk");
        let to = json!({"OriginatingTo": "user:u1", "To": "elsewhere"});
        assert_eq!(of(to.clone(), "agent:main:talk:group:room:7"), "room:7");
        assert_eq!(of(to, "agent:main:main"), "u1");
        assert_eq!(of(json!({"NativeChannelId": "C1", "To": "talk:9"}), "agent:main:main"), "C1");
        assert_eq!(of(json!({"To": "talk:9"}), "agent:main:main"), "9");
        assert_eq!(of(json!({"To": "Talk"}), "agent:main:main"), "talk");
        assert_eq!(of(json!({"To": "thread:"}), "agent:main:main"), "thread:");
    }

    // CH-152, CH-F8
    #[test]
    fn a_row_says_once_what_kind_of_chat_it_is_and_where_answers_go() {
        let context = json!({"ChatType": "group", "OriginatingChannel": "talk", "OriginatingTo": "room:7", "AccountId": "work",
            "MessageThreadId": 42, "GroupSubject": "The room", "From": "u1"});
        let mut row = SessionRow { key: "agent:main:talk:group:7".into(), agent_id: "main".into(), ..SessionRow::default() };
        let inbound = Inbound { context };
        inbound.apply_meta(&mut row, "talk");
        inbound.apply_route(&mut row, "talk");
        let delivery = json!({"channel": "talk", "to": "room:7", "accountId": "work", "threadId": "42"});
        assert_eq!(row.extra["deliveryContext"], delivery);
        assert_eq!((&row.extra["chatType"], &row.extra["origin"]["chatType"]), (&json!("group"), &json!("group")));
        assert_eq!((&row.extra["lastTo"], &row.extra["subject"]), (&json!("room:7"), &json!("The room")));
        let other = Inbound { context: json!({"From": "u2", "OriginatingChannel": "other"}) };
        other.apply_route(&mut row, "other");
        assert_eq!((&row.extra["lastTo"], row.extra.get("lastThreadId")), (&json!("u2"), None));
        row.key = "agent:main:main".into();
        inbound.apply_route(&mut row, "talk");
        assert_eq!(row.extra["lastChannel"], "other", "a message does not move the route of the main session by itself");
    }
}
