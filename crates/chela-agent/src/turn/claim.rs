//! Message hooks before the model: `message_received`, plugin commands, `before_dispatch`, `reply_dispatch`, `before_agent_reply`.

use chela_plugin::HookName;
use serde_json::{Value, json};

use super::{Entry, Reply, TurnScope};

/// Announces an accepted message (HOOK-035, HOOK-273). Runs through the `agent` method are not messages (HOOK-133).
pub(super) fn receive(scope: &TurnScope<'_>) {
    if !is_message(scope) {
        return;
    }
    let request = scope.request;
    let sender = request.sender_id.clone().unwrap_or_else(|| request.surface.clone());
    let event = || {
        json!({
            "from": sender, "content": request.message, "timestamp": scope.started_at_ms, "senderId": sender,
            "sessionKey": request.session_key, "runId": request.run_id,
            "metadata": {"provider": request.surface, "surface": request.surface, "senderId": sender},
        })
    };
    scope.hooks().spawn_parallel(HookName::MessageReceived, || (event(), scope.message_context()));
    crate::internal::spawn(scope.internal(), "message", "received", &request.session_key, || {
        json!({
            "from": sender, "content": request.message, "timestamp": scope.started_at_ms, "channelId": request.surface,
            "conversationId": request.session_key, "metadata": {"surface": request.surface},
        })
    });
}

fn is_message(scope: &TurnScope<'_>) -> bool {
    matches!(scope.request.entry, Entry::Chat | Entry::Channel)
}

/// Lets plugins answer in place of the agent: `before_dispatch`, then `reply_dispatch` (HOOK-036, HOOK-037).
pub(super) async fn claim(scope: &TurnScope<'_>) -> Option<Reply> {
    if !is_message(scope) {
        return None;
    }
    let request = scope.request;
    let dispatched = scope.hooks().dispatch_with(HookName::BeforeDispatch, scope.options(), || {
        let event = json!({
            "content": request.message, "body": request.message, "channel": request.surface, "sessionKey": request.session_key,
            "senderId": request.sender_id, "isGroup": false, "timestamp": scope.started_at_ms,
        });
        let ctx = json!({
            "channelId": request.surface, "conversationId": request.session_key, "sessionKey": request.session_key, "senderId": request.sender_id,
        });
        (event, ctx)
    });
    let claimed = dispatched.await.merged;
    if is_handled(&claimed) {
        // HOOK-213: a claim with text sends it, one without is silent.
        return Some(claimed.get("text").and_then(Value::as_str).map_or_else(Reply::silent, Reply::text));
    }
    let dispatched = scope.hooks().dispatch_with(HookName::ReplyDispatch, scope.options(), || {
        let event = json!({
            "ctx": {"Body": request.message, "SessionKey": request.session_key, "Surface": request.surface, "Provider": request.surface},
            "inboundAudio": false, "shouldRouteToOriginating": false, "shouldSendToolSummaries": false, "sendPolicy": "allow",
            "runId": request.run_id, "sessionKey": request.session_key,
        });
        (event, json!({}))
    });
    is_handled(&dispatched.await.merged).then(Reply::silent)
}

/// `before_agent_reply` (HOOK-018, HOOK-152): a claim without a reply is silent.
pub(super) async fn before_reply(scope: &TurnScope<'_>) -> Option<Reply> {
    if !is_message(scope) && scope.request.trigger != "cron" {
        return None;
    }
    let body = &scope.request.message;
    let dispatched =
        scope.hooks().dispatch_with(HookName::BeforeAgentReply, scope.options(), || (json!({"cleanedBody": body}), scope.agent_context()));
    let merged = dispatched.await.merged;
    if !is_handled(&merged) {
        return None;
    }
    let text = match merged.get("reply") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(reply) => reply.get("text").and_then(Value::as_str).map(str::to_string),
        None => None,
    };
    Some(text.map_or_else(Reply::silent, Reply::text))
}

fn is_handled(merged: &Value) -> bool {
    chela_plugin::StopRule::Handled.satisfied_by(merged, merged.is_null())
}
