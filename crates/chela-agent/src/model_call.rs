//! One call to the model: streaming to the client, collecting the answer, the `model_call_*` hooks.

use std::time::{Duration, Instant};

use chela_models::{
    ErrorKind, ModelError, ModelEvent, ModelRef, ModelRegistry, ModelRequest, StopReason, ThinkingBlock, ToolCall, Usage,
    stream_with_fallback,
};
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
    /// The model that answered, when it is not the one that was asked.
    pub instead: Option<ModelRef>,
    /// How the call failed; the text so far is kept (GW-85).
    pub error: Option<ModelError>,
}

/// Calls the model, and its fallbacks while none has begun to answer (PRV-217). Failures are inside the answer, because partial text
/// must not be lost.
pub async fn call(
    scope: &TurnScope<'_>,
    models: &ModelRegistry,
    request: ModelRequest,
    fallbacks: &[ModelRef],
    cancel: &CancellationToken,
) -> Answer {
    let mut facts = CallFacts::begin(scope, &request.model);
    let begun = Instant::now();
    let mut first_byte = None;
    let mut answer = Answer::default();
    let asked = request.model.clone();
    match stream_with_fallback(models, request, fallbacks, cancel).await {
        Err(error) => answer.error = Some(error),
        Ok(chain) => {
            // Each failed attempt was a call of its own (HOOK-020, HOOK-021).
            let later = chain.attempts.iter().skip(1).map(|a| &a.model).chain([&chain.model]);
            for (attempt, next) in chain.attempts.iter().zip(later) {
                facts.end(scope, begun, None, Some(&attempt.error));
                facts = CallFacts::begin(scope, next);
            }
            answer.instead = (!chain.model.same_as(&asked)).then(|| chain.model.clone());
            let mut stream = chain.stream;
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
    facts.end(scope, begun, first_byte, answer.error.as_ref());
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
    /// A call begins.
    fn begin(scope: &TurnScope<'_>, model: &ModelRef) -> Self {
        let call_id = uuid::Uuid::new_v4().to_string();
        let facts = Self {
            event: json!({
                "runId": scope.run_id(), "callId": call_id, "provider": model.provider, "model": model.model,
                "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
            }),
            context: json!({
                "runId": scope.run_id(), "sessionKey": scope.session_key(), "sessionId": scope.session_id(),
                "modelProviderId": model.provider, "modelId": model.model,
            }),
        };
        scope.hooks().spawn_parallel(HookName::ModelCallStarted, || (facts.event.clone(), facts.context.clone()));
        facts
    }

    /// It ended (HOOK-057).
    fn end(&self, scope: &TurnScope<'_>, begun: Instant, first_byte: Option<Duration>, error: Option<&ModelError>) {
        let duration = begun.elapsed().as_millis() as u64;
        scope.hooks().spawn_parallel(HookName::ModelCallEnded, || {
            let mut event = self.event.clone();
            event["durationMs"] = duration.into();
            event["outcome"] = if error.is_some() { "error" } else { "completed" }.into();
            if let Some(first) = first_byte {
                event["timeToFirstByteMs"] = (first.as_millis() as u64).into();
            }
            if let Some(error) = error {
                event["errorCategory"] = error.kind.as_str().into();
                if let Some(kind) = failure_kind(&error.kind) {
                    event["failureKind"] = kind.into();
                }
            }
            (event, self.context.clone())
        });
    }
}
