//! Message hooks before the model: `inbound_claim` of those that want every message, `message_received`, plugin commands, `before_dispatch`, `reply_dispatch`, `before_agent_reply`.

use std::borrow::Cow;

use chela_plugin::HookName;
use serde_json::{Map, Value, json};

use super::{Entry, Reply, TurnScope};

/// Lets plugins that asked for every message (`allMessages`) take this one before anybody else hears of it (HOOK-299).
pub(super) async fn claim_inbound(scope: &TurnScope<'_>) -> Option<Reply> {
    if !is_message(scope) || !scope.hooks().claims_all() {
        return None;
    }
    let dispatched = scope.hooks().claim_all(scope.options(), || (claim_event(scope), scope.message_context())).await;
    is_handled(&dispatched.merged).then(|| match reply_text(&dispatched.merged) {
        Some(text) => Reply::text(text),
        None => Reply::silent(),
    })
}

/// Adds what the message answers, where a channel says so.
fn put_reply(scope: &TurnScope<'_>, out: &mut Value) {
    if let Some(inbound) = &scope.request.inbound {
        inbound.put_reply(out);
    }
}

/// HOOK-070.
fn claim_event(scope: &TurnScope<'_>) -> Value {
    let (request, facts) = (scope.request, Facts::of(scope));
    let text = |name: &str| request.inbound.as_ref().and_then(|i| i.text(name));
    let raw = |name: &str| request.inbound.as_ref().and_then(|i| i.context.get(name).cloned());
    let members = [
        ("content", Some(facts.content.clone().into())),
        ("channel", Some(request.surface.clone().into())),
        ("isGroup", Some(Facts::is_group(scope).into())),
        ("body", Some(text("Body").unwrap_or(facts.content).into())),
        ("bodyForAgent", Some(scope.message.as_ref().into())),
        ("transcript", text("Transcript").map(Into::into)),
        ("timestamp", Some(facts.timestamp.into())),
        ("accountId", text("AccountId").map(Into::into)),
        ("conversationId", Some(facts.conversation.into())),
        ("parentConversationId", text("ThreadParentId").map(Into::into)),
        ("senderId", request.sender_id.clone().map(Into::into)),
        ("senderName", text("SenderName").map(Into::into)),
        ("senderUsername", text("SenderUsername").map(Into::into)),
        ("threadId", raw("MessageThreadId")),
        ("messageId", Some(facts.message_id.into())),
        ("sessionKey", Some(request.session_key.clone().into())),
        ("runId", Some(request.run_id.clone().into())),
        ("commandAuthorized", Some(raw("CommandAuthorized").map_or(request.sender_is_owner, |v| v == true).into())),
        ("wasMentioned", raw("WasMentioned")),
        ("metadata", Some(facts.metadata)),
    ];
    let known = members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value.filter(|v| !v.is_null())?)));
    let mut event = Value::Object(known.collect::<Map<_, _>>());
    put_reply(scope, &mut event);
    event
}

/// Announces an accepted message (HOOK-035, HOOK-273). Runs through the `agent` method are not messages (HOOK-133).
pub(super) fn receive(scope: &TurnScope<'_>) {
    if !is_message(scope) {
        return;
    }
    let request = scope.request;
    let facts = Facts::of(scope);
    let event = || {
        let mut event = json!({
            "from": facts.from, "content": facts.content, "timestamp": facts.timestamp, "senderId": facts.sender,
            "messageId": facts.message_id, "sessionKey": request.session_key, "runId": request.run_id, "metadata": facts.metadata,
        });
        if let Some(thread) = request.inbound.as_ref().and_then(|i| i.text("MessageThreadId")) {
            event["threadId"] = thread.into();
        }
        put_reply(scope, &mut event);
        event
    };
    scope.hooks().spawn_parallel(HookName::MessageReceived, || (event(), scope.message_context()));
    crate::internal::spawn(scope.internal(), "message", "received", &request.session_key, || {
        // The id is a member of its own here, and the metadata are those of the surface alone (HOOK-273).
        let mut metadata = facts.metadata.clone();
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.retain(|name, _| !matches!(name.as_str(), "messageId" | "originatingChannel") && !name.starts_with("replyTo"));
        }
        let mut context = json!({
            "from": facts.from, "content": facts.content, "timestamp": facts.timestamp, "channelId": request.surface,
            "conversationId": facts.conversation, "messageId": facts.message_id, "metadata": metadata,
        });
        if let Some(account) = request.inbound.as_ref().and_then(|i| i.text("AccountId")) {
            context["accountId"] = account.into();
        }
        context
    });
}

/// A message as its events tell of it: in the words of the channel, else of the surface that brought it.
struct Facts {
    from: String,
    sender: String,
    content: String,
    timestamp: i64,
    message_id: String,
    conversation: String,
    metadata: Value,
}

impl Facts {
    fn of(scope: &TurnScope<'_>) -> Self {
        let request = scope.request;
        let sender = request.sender_id.clone().unwrap_or_else(|| request.surface.clone());
        let Some(inbound) = &request.inbound else {
            let metadata = json!({
                "provider": request.surface, "surface": request.surface, "originatingChannel": request.surface, "senderId": sender,
                "messageId": request.run_id,
            });
            return Self {
                from: sender.clone(),
                sender,
                content: request.message.clone(),
                timestamp: scope.started_at_ms,
                message_id: request.run_id.clone(),
                conversation: request.session_key.clone(),
                metadata,
            };
        };
        Self {
            from: inbound.from().unwrap_or_else(|| sender.clone()),
            sender,
            content: inbound.content().unwrap_or_else(|| request.message.clone()),
            timestamp: inbound.context.get("Timestamp").and_then(Value::as_i64).unwrap_or(scope.started_at_ms),
            message_id: inbound.text("MessageSid").unwrap_or_else(|| request.run_id.clone()),
            conversation: inbound.conversation().unwrap_or_else(|| request.session_key.clone()),
            metadata: inbound.metadata(&request.surface),
        }
    }

    fn is_group(scope: &TurnScope<'_>) -> bool {
        scope.request.inbound.as_ref().is_some_and(|i| i.is_group())
    }
}

/// Announces what the agent is going to see, when no plugin has claimed the message (HOOK-274): first the words of a voice message,
/// where the channel has heard them.
pub(super) fn preprocessed(scope: &TurnScope<'_>) {
    if !is_message(scope) {
        return;
    }
    let request = scope.request;
    let text = |name: &str| request.inbound.as_ref().and_then(|i| i.text(name));
    let transcript = text("Transcript");
    let base = || {
        let facts = Facts::of(scope);
        let own = json!({
            "from": facts.from, "body": facts.content, "bodyForAgent": scope.message, "timestamp": facts.timestamp,
            "channelId": request.surface, "conversationId": facts.conversation, "messageId": facts.message_id, "senderId": facts.sender,
            "provider": facts.metadata["provider"], "surface": facts.metadata["surface"], "transcript": transcript,
            "to": facts.metadata["to"], "senderName": text("SenderName"), "senderUsername": text("SenderUsername"),
            "mediaPath": text("MediaPath"), "mediaType": text("MediaType"),
        });
        own.as_object().map(|own| own.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect::<Map<_, _>>())
    };
    if transcript.is_some() {
        crate::internal::spawn(scope.internal(), "message", "transcribed", &request.session_key, || base().into());
    }
    crate::internal::spawn(scope.internal(), "message", "preprocessed", &request.session_key, || {
        let mut context = base().unwrap_or_default();
        let group = Facts::is_group(scope);
        context.insert("isGroup".into(), group.into());
        if let Some(id) = request.inbound.as_ref().and_then(|i| i.conversation()).filter(|_| group) {
            context.insert("groupId".into(), id.into());
        }
        context.into()
    });
}

fn is_message(scope: &TurnScope<'_>) -> bool {
    matches!(scope.request.entry, Entry::Chat | Entry::Channel)
}

/// Lets plugins answer in place of the agent, or rewrite the message: `before_dispatch`, then `reply_dispatch` (HOOK-036, HOOK-037).
pub(super) async fn claim(scope: &mut TurnScope<'_>) -> Option<Reply> {
    if !is_message(scope) {
        return None;
    }
    let request = scope.request;
    let dispatched = scope.hooks().dispatch_with(HookName::BeforeDispatch, scope.options(), || {
        let facts = Facts::of(scope);
        let mut event = json!({
            "content": facts.content, "body": request.message, "channel": request.surface, "sessionKey": request.session_key,
            "senderId": request.sender_id, "isGroup": Facts::is_group(scope), "timestamp": facts.timestamp,
        });
        let mut ctx = json!({
            "channelId": request.surface, "conversationId": facts.conversation, "sessionKey": request.session_key, "senderId": request.sender_id,
        });
        if let Some(account) = request.inbound.as_ref().and_then(|i| i.text("AccountId")) {
            ctx["accountId"] = account.into();
        }
        put_reply(scope, &mut event);
        put_reply(scope, &mut ctx);
        (event, ctx)
    });
    let claimed = dispatched.await.merged;
    if is_handled(&claimed) {
        // HOOK-213: a claim with text sends it, one without is silent.
        return Some(claimed.get("text").and_then(Value::as_str).map_or_else(Reply::silent, Reply::text));
    }
    if let Some(content) = claimed.get("content").and_then(Value::as_str).filter(|t| !t.trim().is_empty()) {
        let before = Facts::of(scope).content;
        scope.message = Cow::Owned(rewritten(&scope.message, &before, content));
    }
    let denied = match scope.hooks().has(HookName::ReplyDispatch) {
        true => scope.delivery_denied(scope.runtime.store.session(scope.session_key()).await.ok().flatten().as_ref()),
        false => false,
    };
    let dispatched = scope.hooks().dispatch_with(HookName::ReplyDispatch, scope.options(), || {
        let mut event = json!({
            "ctx": inbound(scope), "inboundAudio": false, "shouldRouteToOriginating": false, "shouldSendToolSummaries": true,
            "sendPolicy": if denied { "deny" } else { "allow" }, "runId": request.run_id, "sessionKey": request.session_key, "originatingChannel": request.surface,
            "ttsChannel": request.surface, "suppressUserDelivery": denied, "suppressReplyLifecycle": true,
            "sourceReplyDeliveryMode": "automatic",
        });
        let text = |name: &str| request.inbound.as_ref().and_then(|i| i.text(name));
        let origin = [("To", text("OriginatingTo")), ("AccountId", text("AccountId")), ("ChatType", text("ChatType")), ("ThreadId", text("MessageThreadId"))];
        for (name, value) in origin {
            if let Some(value) = value {
                event[format!("originating{name}")] = value.into();
            }
        }
        (event, json!({}))
    });
    let claimed = dispatched.await.merged;
    is_handled(&claimed).then(|| dispatched_reply(&claimed))
}

/// The message with the sender's words replaced; what the channel put around them stays (HOOK-301).
fn rewritten(message: &str, before: &str, now: &str) -> String {
    match message.rfind(before).filter(|_| !before.is_empty()) {
        Some(at) => format!("{}{now}{}", &message[..at], &message[at + before.len()..]),
        None => now.to_string(),
    }
}

/// The finalised inbound context (HOOK-073).
fn inbound(scope: &TurnScope<'_>) -> Value {
    let request = scope.request;
    if let Some(inbound) = &request.inbound {
        let mut ctx = inbound.context.clone();
        ctx["SessionKey"] = request.session_key.clone().into();
        if let Cow::Owned(rewritten) = &scope.message {
            ctx["BodyForAgent"] = rewritten.clone().into();
        }
        return ctx;
    }
    let mut ctx = json!({
        "Body": scope.message, "BodyForAgent": scope.message, "BodyForCommands": scope.message, "RawBody": request.message,
        "CommandBody": scope.message, "SessionKey": request.session_key, "Provider": request.surface, "Surface": request.surface,
        "OriginatingChannel": request.surface, "ExplicitDeliverRoute": false, "ChatType": "direct",
        "CommandAuthorized": request.sender_is_owner, "MessageSid": request.run_id, "GatewayClientScopes": request.scopes,
    });
    if let Some(sender) = &request.sender_id {
        ctx["SenderId"] = sender.clone().into();
    }
    ctx
}

/// What a plugin that took the message sent through the dispatcher: its final replies, else the blocks before them (HOOK-214).
fn dispatched_reply(claimed: &Value) -> Reply {
    let texts = |kind: &str| {
        let sent = claimed.get("replies").and_then(Value::as_array).into_iter().flatten();
        let texts = sent.filter(|r| r["kind"] == kind).filter_map(|r| r["text"].as_str()).filter(|t| !t.trim().is_empty());
        texts.collect::<Vec<_>>().join("\n\n")
    };
    let text = ["final", "block"].into_iter().map(texts).find(|text| !text.is_empty());
    text.map_or_else(Reply::silent, Reply::text)
}

/// `before_agent_reply` (HOOK-018, HOOK-152): a claim without a reply is silent.
pub(super) async fn before_reply(scope: &TurnScope<'_>) -> Option<Reply> {
    if !is_message(scope) && scope.request.trigger != "cron" {
        return None;
    }
    let body = &scope.message;
    let dispatched =
        scope.hooks().dispatch_with(HookName::BeforeAgentReply, scope.options(), || (json!({"cleanedBody": body}), scope.early_context()));
    let merged = dispatched.await.merged;
    if !is_handled(&merged) {
        return None;
    }
    Some(reply_text(&merged).map_or_else(Reply::silent, Reply::text))
}

/// The text of a claim's `reply`: a text, or a payload with one.
fn reply_text(merged: &Value) -> Option<String> {
    let reply = merged.get("reply")?;
    reply.as_str().or_else(|| reply.get("text")?.as_str()).map(str::to_string)
}

fn is_handled(merged: &Value) -> bool {
    chela_plugin::StopRule::Handled.satisfied_by(merged, merged.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-301
    #[test]
    fn a_rewrite_changes_the_words_of_the_sender_and_nothing_around_them() {
        let cases = [
            ("hello", "hello", "bye", "bye"),
            ("[Messages]\nAnn: go\n[Current message]\nBob: go", "go", "stay", "[Messages]\nAnn: go\n[Current message]\nBob: stay"),
            ("an enriched text", "raw", "new", "new"),
            ("a picture", "", "new", "new"),
        ];
        for (message, before, now, expected) in cases {
            assert_eq!(rewritten(message, before, now), expected, "{message}");
        }
    }
}
