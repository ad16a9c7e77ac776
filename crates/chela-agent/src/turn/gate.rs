//! `before_agent_run`: the gate that fails closed (HOOK-017, HOOK-142..151).

use chela_plugin::HookName;
use serde_json::{Value, json};

use super::prepare::Prepared;
use super::{Reply, TurnError, TurnScope, write};
use crate::clock::now_ms;

/// Asks the gates. A block stores only what the user may see; the original text is not kept (HOOK-150).
pub(super) async fn before_agent_run(scope: &mut TurnScope<'_>, prepared: &Prepared) -> Result<Option<Reply>, TurnError> {
    let request = scope.request;
    let history = &scope.history;
    let dispatched = scope
        .hooks()
        .dispatch_with(HookName::BeforeAgentRun, scope.options(), || {
            let event = json!({
                "prompt": request.message, "messages": history, "systemPrompt": prepared.system, "channelId": request.surface,
                "senderId": request.sender_id, "senderIsOwner": request.sender_is_owner,
            });
            (event, scope.agent_context())
        })
        .await;
    if dispatched.merged.get("outcome").and_then(Value::as_str) != Some("block") {
        return Ok(None);
    }
    let by = dispatched.decided_by.as_deref().unwrap_or("before_agent_run").to_string();
    let text = visible_text(dispatched.merged.get("message").and_then(Value::as_str), &by);
    scope.blocked = true;
    let at = now_ms();
    let message = json!({
        "role": "user", "content": [{"type": "text", "text": text}], "timestamp": at,
        "idempotencyKey": format!("hook-block:before_agent_run:user:{}", request.run_id),
        "__openclaw": {"beforeAgentRunBlocked": {"blockedBy": by, "blockedAt": at}},
    });
    write::blocked_message(scope, message).await?;
    Ok(Some(Reply { text: Some(text.clone()), error: Some(text), blocked: true }))
}

/// HOOK-147.
fn visible_text(message: Option<&str>, by: &str) -> String {
    match message.map(str::trim).filter(|m| !m.is_empty()) {
        Some(message) => format!("Your message could not be sent: {message} (blocked by {by})"),
        None => format!("Your message could not be sent: blocked by {by}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-147
    #[test]
    fn the_user_sees_who_blocked() {
        assert_eq!(visible_text(Some("not today"), "p"), "Your message could not be sent: not today (blocked by p)");
        assert_eq!(visible_text(None, "p"), "Your message could not be sent: blocked by p");
    }
}
