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

use chela_telemetry::{Content, Event, Span};

use crate::clock::now_ms;
use crate::event::RunEvent;
use crate::text_transforms::{self, Direction};
use crate::turn::{TurnError, TurnScope};

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
    /// Models that were tried before the one that answered.
    pub attempts: usize,
    /// The end of the last attempt, to be announced.
    pub(crate) ended: Option<CallEnd>,
}

/// Calls the model, and its fallbacks while none has begun to answer (PRV-217). Failures are inside the answer, because partial text
/// must not be lost. `number` counts the calls of the run from 1.
///
/// # Errors
/// When the message that the call answers could not be stored.
pub async fn call(
    scope: &TurnScope<'_>,
    models: &ModelRegistry,
    number: usize,
    request: ModelRequest,
    fallbacks: &[ModelRef],
    cancel: &CancellationToken,
) -> Result<Answer, TurnError> {
    let mut calls = number;
    let mut facts = CallFacts::begin(scope, models, &request.model, calls);
    let begun = Instant::now();
    let mut first_byte = None;
    let mut answer = Answer::default();
    let asked = request.model.clone();
    let mut request = text_transforms::input(scope.registry(), request).await;
    if scope.runtime.telemetry.listened() {
        request.traceparent = Span::read(&facts.context["trace"]).map(|span| span.traceparent());
    }
    let mut content = contents(scope, &request);
    let rewrites = text_transforms::any(scope.registry(), Direction::Output);
    // The model is asked while the disk still syncs the message; nothing of its answer is taken before that is done.
    let (stream, passed) = tokio::join!(stream_with_fallback(models, request, fallbacks, cancel), scope.gate.passed());
    passed?;
    match stream {
        Err(error) => answer.error = Some(error),
        Ok(chain) => {
            // Each failed attempt was a call of its own (HOOK-020, HOOK-021).
            let later = chain.attempts.iter().skip(1).map(|a| &a.model).chain([&chain.model]);
            for (attempt, next) in chain.attempts.iter().zip(later) {
                facts.end(begun, None, Some(&attempt.error)).announce(scope);
                calls += 1;
                facts = CallFacts::begin(scope, models, next, calls);
            }
            answer.attempts = chain.attempts.len();
            answer.instead = (!chain.model.same_as(&asked)).then(|| chain.model.clone());
            let mut stream = chain.stream;
            while let Some(event) = stream.next().await {
                first_byte.get_or_insert_with(|| begun.elapsed());
                match event {
                    Ok(ModelEvent::TextDelta(delta)) if rewrites => {
                        answer.text.push_str(&delta);
                        let delta = text_transforms::apply_one(scope.registry(), Direction::Output, delta).await;
                        scope.emit(RunEvent::AssistantDelta { delta });
                    }
                    Ok(event) => take(scope, &mut answer, event),
                    Err(error) => {
                        answer.error = Some(error);
                        break;
                    }
                }
            }
        }
    }
    if rewrites {
        answer.text = text_transforms::apply_one(scope.registry(), Direction::Output, std::mem::take(&mut answer.text)).await;
    }
    if scope.runtime.telemetry.capture().output_messages && scope.runtime.telemetry.listened() {
        let calls: Vec<Value> = answer.calls.iter().map(|call| json!({"name": call.name, "arguments": call.arguments})).collect();
        content.output = Some(chela_telemetry::bounded(&json!({"text": answer.text, "toolCalls": calls}).to_string()));
    }
    let mut ended = facts.end(begun, first_byte, answer.error.as_ref());
    ended.content = content;
    answer.ended = Some(ended);
    Ok(answer)
}

/// What goes to the model, where the operator wants it exported.
fn contents(scope: &TurnScope<'_>, request: &ModelRequest) -> Content {
    let telemetry = &scope.runtime.telemetry;
    let capture = telemetry.capture();
    let mut content = Content::default();
    if !telemetry.listened() {
        return content;
    }
    if capture.input_messages {
        // The newest of them: what came before was told with its own call.
        let last = request.messages.iter().rev().take(8).collect::<Vec<_>>();
        let texts: Vec<Value> = last.into_iter().rev().filter_map(|message| serde_json::to_value(message).ok()).collect();
        content.input = Some(chela_telemetry::bounded(&Value::from(texts).to_string()));
    }
    if capture.system_prompt {
        content.system = request.system.as_deref().map(chela_telemetry::bounded);
    }
    content
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

/// How a call is carried. Every transport that is built reads server-sent events.
const TRANSPORT: &str = "sse";

/// The members that both hooks carry (HOOK-056).
struct CallFacts {
    event: Value,
    context: Value,
}

impl CallFacts {
    /// A call begins.
    fn begin(scope: &TurnScope<'_>, models: &ModelRegistry, model: &ModelRef, number: usize) -> Self {
        let mut event = json!({
            "runId": scope.run_id(), "callId": format!("{}:model:{number}", scope.run_id()), "provider": model.provider,
            "model": model.model, "sessionKey": scope.session_key(), "sessionId": scope.session_id(), "transport": TRANSPORT,
        });
        let listened = [HookName::ModelCallStarted, HookName::ModelCallEnded].into_iter().any(|hook| scope.hooks().has(hook))
            || scope.runtime.telemetry.listened();
        if listened && let Some(api) = models.resolve(model).ok().and_then(|r| r.api) {
            event["api"] = api.as_str().into();
        }
        let mut facts = Self {
            event,
            context: json!({
                "runId": scope.run_id(), "trace": scope.trace.of_call(), "sessionKey": scope.session_key(),
                "sessionId": scope.session_id(), "modelProviderId": model.provider, "modelId": model.model,
            }),
        };
        if listened {
            scope.put_window(&mut facts.event);
            scope.put_window(&mut facts.context);
        }
        scope.hooks().spawn_parallel(HookName::ModelCallStarted, || (facts.event.clone(), facts.context.clone()));
        facts
    }

    /// It ended (HOOK-057).
    fn end(self, begun: Instant, first_byte: Option<Duration>, error: Option<&ModelError>) -> CallEnd {
        let (mut event, context) = (self.event, self.context);
        event["durationMs"] = (begun.elapsed().as_millis() as u64).into();
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
        CallEnd { event, context, took: begun.elapsed(), content: Content::default() }
    }
}

/// A call that has ended and was not announced yet.
#[derive(Debug)]
pub(crate) struct CallEnd {
    event: Value,
    context: Value,
    took: Duration,
    content: Content,
}

impl CallEnd {
    /// Tells the listeners.
    pub(crate) fn announce(self, scope: &TurnScope<'_>) {
        scope.runtime.telemetry.emit(|| {
            let text = |key: &str| self.event.get(key).and_then(Value::as_str);
            Event::ModelCall(chela_telemetry::ModelCall {
                span: Span::read(&self.context["trace"]),
                provider: text("provider").unwrap_or_default(),
                model: text("model").unwrap_or_default(),
                api: text("api"),
                transport: TRANSPORT,
                error_category: text("errorCategory"),
                failure_kind: text("failureKind"),
                began_ms: now_ms() - i64::try_from(self.took.as_millis()).unwrap_or(0),
                took: self.took,
                first_byte: self.event.get("timeToFirstByteMs").and_then(Value::as_u64).map(Duration::from_millis),
                content: self.content.clone(),
            })
        });
        scope.hooks().spawn_parallel(HookName::ModelCallEnded, || (self.event, self.context));
    }
}
