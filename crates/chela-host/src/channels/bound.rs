//! Conversations that a plugin has bound: their messages go to it first (HOOK-034, HOOK-209..HOOK-211).

use std::sync::Arc;

use chela_agent::TurnPlugins;
use chela_hooks::Claim;
use chela_plugin::HookName;
use serde_json::{Value, json};

use super::dispatch::Message;
use super::send::without_nulls;
use crate::assemble::Host;
use crate::bindings::Binding;

/// What the plugin of a bound conversation did.
pub(super) enum Claimed {
    /// The message goes on, after a notice if there is one.
    No(Option<Value>),
    /// The message is done; these payloads are sent.
    Yes(Vec<Value>),
}

/// Offers the message to the plugin that has bound its conversation.
pub(super) async fn claim(host: &Arc<Host>, message: &Message) -> Claimed {
    let inbound = &message.inbound;
    let account = inbound.text("AccountId").unwrap_or_else(|| "default".into());
    let names = ["NativeChannelId", "ChatId", "OriginatingTo", "To", "From"].into_iter().filter_map(|name| inbound.text(name));
    let Some(binding) = host.bindings.find(&message.channel, &account, &names.collect::<Vec<_>>()) else { return Claimed::No(None) };
    let hooks = host.manager.current().hooks;
    let (event, ctx) = payload(message, &account, &binding);
    match hooks.claim_by_plugin(&binding.asker.plugin_id, HookName::InboundClaim, event, ctx, Default::default()).await {
        Claim::Handled(result) => Claimed::Yes(replies(&result["reply"])),
        Claim::Declined => Claimed::Yes(vec![notice(format!("{} did not take this message{}", said_of(&binding), hint(&binding)))]),
        Claim::Failed(failure) => {
            tracing::error!(target: "plugins", plugin = %binding.asker.plugin_id, "inbound_claim failed: {}", failure.message);
            Claimed::Yes(vec![notice(format!("{} failed with this message{}", said_of(&binding), hint(&binding)))])
        }
        Claim::MissingPlugin | Claim::NoHandler => {
            let text = format!("{} is not loaded; this message goes to the assistant instead", said_of(&binding));
            Claimed::No(host.bindings.first_notice(&binding.binding_id).then(|| notice(text)))
        }
    }
}

fn said_of(binding: &Binding) -> String {
    format!("The plugin {} that this conversation is bound to", binding.asker.plugin_name.as_ref().unwrap_or(&binding.asker.plugin_id))
}

fn hint(binding: &Binding) -> String {
    binding.terms.detach_hint.as_ref().map(|hint| format!(". To detach the conversation, use {hint}")).unwrap_or_default()
}

fn notice(text: String) -> Value {
    json!({"text": text})
}

/// A reply of a hook: a text, a payload or several.
fn replies(reply: &Value) -> Vec<Value> {
    match reply {
        Value::String(text) => vec![json!({"text": text})],
        Value::Object(_) => vec![reply.clone()],
        Value::Array(list) => list.iter().filter(|p| p.is_object()).take(20).cloned().collect(),
        _ => Vec::new(),
    }
}

/// Event and context (HOOK-070).
fn payload(message: &Message, account: &str, binding: &Binding) -> (Value, Value) {
    let inbound = &message.inbound;
    let text = |name: &str| inbound.text(name);
    let event = json!({
        "content": inbound.content().unwrap_or_default(), "channel": message.channel, "isGroup": inbound.is_group(), "body": text("Body"),
        "bodyForAgent": text("BodyForAgent"), "transcript": text("Transcript"), "timestamp": inbound.context.get("Timestamp"),
        "accountId": account, "conversationId": inbound.conversation(), "parentConversationId": text("ThreadParentId"),
        "senderId": text("SenderId"), "senderName": text("SenderName"), "senderUsername": text("SenderUsername"),
        "threadId": inbound.context.get("MessageThreadId"), "messageId": text("MessageSid"), "sessionKey": message.session_key,
        "runId": message.run_id, "commandAuthorized": inbound.context["CommandAuthorized"] == true,
        "wasMentioned": inbound.context.get("WasMentioned"),
    });
    let ctx = json!({
        "channelId": message.channel, "accountId": account, "conversationId": inbound.conversation(),
        "parentConversationId": text("ThreadParentId"), "senderId": text("SenderId"), "messageId": text("MessageSid"),
        "sessionKey": message.session_key, "runId": message.run_id, "pluginBinding": binding,
    });
    (without_nulls(event), without_nulls(ctx))
}
