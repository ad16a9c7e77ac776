//! `before_agent_run`: the gate that fails closed (HOOK-017, HOOK-142..151).

use chela_plugin::{HookName, SharedJson};
use serde::Serialize;
use serde_json::{Value, json};

use super::prepare::Prepared;
use super::{Reply, TurnError, TurnScope, write};
use crate::clock::now_ms;
use crate::history::History;

/// What the gates get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GateEvent<'a> {
    prompt: &'a str,
    messages: &'a History,
    system_prompt: &'a str,
    channel_id: &'a str,
    sender_id: Option<&'a str>,
    sender_is_owner: bool,
}

/// Asks the gates. A block stores only what the user may see; the original text is not kept (HOOK-150).
pub(super) async fn before_agent_run(scope: &mut TurnScope<'_>, prepared: &Prepared) -> Result<Option<Reply>, TurnError> {
    let request = scope.request;
    let event = GateEvent {
        prompt: &request.message,
        messages: &scope.history,
        system_prompt: &prepared.system,
        channel_id: &request.surface,
        sender_id: request.sender_id.as_deref(),
        sender_is_owner: request.sender_is_owner,
    };
    let payload = || (SharedJson::of(&event), scope.agent_context());
    let dispatched = scope.hooks().dispatch_text(HookName::BeforeAgentRun, scope.options(), payload).await;
    if dispatched.merged.get("outcome").and_then(Value::as_str) != Some("block") {
        return Ok(None);
    }
    if dispatched.refused && scope.cancel.is_cancelled() {
        // Nobody blocked it: it was stopped while the gates were asked, and a stopped run keeps its message.
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
