//! `before_agent_finalize`: plugins look at the natural end of a turn and may ask for one more pass (HOOK-019, HOOK-055, HOOK-298).
//!
//! The reference asks only through one vendor's harness; here the built-in loop asks too, as its documents say.

use chela_hooks::FinalizeDecision;
use chela_plugin::HookName;
use serde_json::{Value, json};

use super::{TurnError, TurnScope, write};
use crate::clock::now_ms;
use crate::message;

/// Asks about an answer that would end the turn. The text is what the model reads next; `None` accepts the answer.
pub(super) async fn ask(scope: &TurnScope<'_>, answer: &str, passes: usize) -> Option<String> {
    let dispatched = scope
        .hooks()
        .dispatch_with(HookName::BeforeAgentFinalize, scope.options(), || (event(scope, answer, passes), scope.agent_context()));
    let merged = dispatched.await.merged;
    if merged.is_null() || scope.cancel.is_cancelled() {
        return None;
    }
    match scope.hooks().finalize_decision(scope.run_id(), &merged) {
        FinalizeDecision::Revise { reason } => Some(reason),
        FinalizeDecision::Continue | FinalizeDecision::Finalize { .. } => None,
    }
}

/// HOOK-055.
fn event(scope: &TurnScope<'_>, answer: &str, passes: usize) -> Value {
    let (provider, model) = scope.model.clone().unwrap_or_default();
    let mut messages = scope.history.to_vec();
    messages.extend(scope.written.iter().cloned().map(message::without_details));
    json!({
        "runId": scope.run_id(), "sessionId": scope.session_id(), "sessionKey": scope.session_key(), "turnId": scope.run_id(),
        "provider": provider, "model": model, "cwd": scope.workspace(),
        "transcriptPath": scope.session.as_ref().map(|s| s.session_file.clone()), "stopHookActive": passes > 0,
        "lastAssistantMessage": answer, "messages": messages,
    })
}

/// Keeps what the plugins want of the model as the message that it answers next, marked so that nobody takes it for the user's.
pub(super) async fn write_request(scope: &mut TurnScope<'_>, reason: &str) -> Result<Value, TurnError> {
    let mut request = message::user(reason, &[], now_ms());
    request["provenance"] = json!({"kind": "internal_system", "sourceTool": "before_agent_finalize"});
    write::append(scope, vec![request.clone()], write::Closing::default()).await?;
    Ok(request)
}
