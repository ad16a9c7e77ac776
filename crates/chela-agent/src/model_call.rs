//! One call to the model: streaming to the client, collecting the answer, the `model_call_*` hooks.

use std::time::Instant;

use chela_models::{ErrorKind, ModelError, ModelEvent, ModelRequest, ModelTransport, StopReason, ThinkingBlock, ToolCall, Usage};
use chela_plugin::HookName;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::event::RunEvent;
use crate::turn::TurnScope;

/// What one call brought.
#[derive(Debug, Default)]
pub struct Answer {
    /// Visible text.
    pub text: String,
    /// Reasoning blocks to replay.
    pub thinking: Vec<ThinkingBlock>,
    /// Tools the model wants to call.
    pub calls: Vec<ToolCall>,
    /// Tokens of this call.
    pub usage: Usage,
    /// Why the model stopped; `None` when it did not come to an end.
    pub stop: Option<StopReason>,
    /// How the call failed; the text so far is kept (GW-85).
    pub error: Option<ModelError>,
}

/// Calls the model once. Failures are inside the answer, because partial text must not be lost.
pub async fn call(scope: &TurnScope<'_>, transport: &dyn ModelTransport, request: ModelRequest, cancel: &CancellationToken) -> Answer {
    let facts = CallFacts::new(scope, &request);
    scope.hooks().spawn_parallel(HookName::ModelCallStarted, || (facts.event(), facts.context()));
    let begun = Instant::now();
    let mut first_byte = None;
    let mut answer = Answer::default();
    match transport.stream(request, cancel.clone()).await {
        Err(error) => answer.error = Some(error),
        Ok(mut stream) => {
            while let Some(event) = stream.next().await {
                first_byte.get_or_insert_with(|| begun.elapsed());
                match event {
                    Ok(event) => take(scope, &mut answer, event),
                    Err(error) => {
                        answer.error = Some(error);
                        break;
                    }
                }
            }
        }
    }
    let (duration, error) = (begun.elapsed().as_millis() as u64, answer.error.as_ref());
    scope.hooks().spawn_parallel(HookName::ModelCallEnded, || {
        let mut event = facts.event();
        if let Some(object) = event.as_object_mut() {
            object.insert("durationMs".into(), duration.into());
            object.insert("outcome".into(), if error.is_some() { "error" } else { "completed" }.into());
            if let Some(first) = first_byte {
                object.insert("timeToFirstByteMs".into(), (first.as_millis() as u64).into());
            }
            if let Some(error) = error {
                object.insert("errorCategory".into(), error.kind.as_str().into());
                if let Some(kind) = failure_kind(&error.kind) {
                    object.insert("failureKind".into(), kind.into());
                }
            }
        }
        (event, facts.context())
    });
    answer
}

fn take(scope: &TurnScope<'_>, answer: &mut Answer, event: ModelEvent) {
    match event {
        ModelEvent::TextDelta(delta) => {
            answer.text.push_str(&delta);
            scope.emit(RunEvent::AssistantDelta { delta });
        }
        ModelEvent::Thinking(block) => answer.thinking.push(block),
        ModelEvent::ToolCall(call) => answer.calls.push(call),
        ModelEvent::Usage(usage) => answer.usage = usage,
        ModelEvent::Done { stop_reason, usage } => {
            answer.stop = Some(stop_reason);
            answer.usage = usage;
        }
        _ => {}
    }
}

/// HOOK-057 names five kinds; everything else has none.
fn failure_kind(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Aborted => Some("aborted"),
        ErrorKind::Timeout => Some("timeout"),
        ErrorKind::Connection => Some("connection_reset"),
        _ => None,
    }
}

/// The members that both hooks carry (HOOK-056).
struct CallFacts {
    event: Value,
    context: Value,
}

impl CallFacts {
    fn new(scope: &TurnScope<'_>, request: &ModelRequest) -> Self {
        let call_id = uuid::Uuid::new_v4().to_string();
        Self {
            event: json!({
                "runId": scope.run_id(), "callId": call_id, "provider": request.model.provider, "model": request.model.model,
                "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
            }),
            context: json!({
                "runId": scope.run_id(), "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
                "modelProviderId": request.model.provider, "modelId": request.model.model,
            }),
        }
    }

    fn event(&self) -> Value {
        self.event.clone()
    }

    fn context(&self) -> Value {
        self.context.clone()
    }
}
