//! From events to spans (OTEL-03): what has a beginning and an end, without ids of sessions, and with contents only
//! where the operator asked for them.

use std::time::Duration;

use chela_telemetry::{Content, Event, Span};

use super::proto::{self, KeyValue};
use crate::labels::name;

/// A step inside the process.
const INTERNAL: i32 = 1;
/// A request to somebody else.
const CLIENT: i32 = 3;
/// The status of what failed.
const ERROR: i32 = 2;

/// The span of an event, if it is one.
pub(super) fn of(event: &Event<'_>, latest_gen_ai: bool) -> Option<proto::Span> {
    let system = if latest_gen_ai { "gen_ai.provider.name" } else { "gen_ai.system" };
    let model = |provider: &str, model: &str| {
        vec![
            KeyValue::text("openclaw.provider", name(provider)),
            KeyValue::text("openclaw.model", name(model)),
            KeyValue::text(system, name(provider)),
            KeyValue::text("gen_ai.request.model", name(model)),
            KeyValue::text("gen_ai.operation.name", "chat"),
        ]
    };
    match event {
        Event::Run(run) => {
            let mut attributes = vec![
                KeyValue::text("openclaw.outcome", run.outcome),
                KeyValue::text("openclaw.channel", name(run.channel)),
                KeyValue::text("openclaw.provider", name(run.provider)),
                KeyValue::text("openclaw.model", name(run.model)),
            ];
            attributes.extend(run.error_category.map(|kind| KeyValue::text("openclaw.errorCategory", name(kind))));
            let error = (run.outcome == "error").then(|| run.error_category.unwrap_or("unknown"));
            Some(make("openclaw.run", INTERNAL, run.span.as_ref()?, run.began_ms, run.took, attributes, error))
        }
        Event::Usage(usage) => {
            let mut attributes = model(usage.provider, usage.model);
            attributes.push(KeyValue::text("openclaw.channel", name(usage.channel)));
            for (key, count) in [
                ("openclaw.tokens.input", usage.input),
                ("openclaw.tokens.output", usage.output),
                ("openclaw.tokens.cache_read", usage.cache_read),
                ("openclaw.tokens.cache_write", usage.cache_write),
                ("openclaw.tokens.total", usage.total),
                ("gen_ai.usage.input_tokens", usage.input + usage.cache_read + usage.cache_write),
                ("gen_ai.usage.output_tokens", usage.output),
            ] {
                attributes.push(KeyValue::int(key, count));
            }
            Some(make("openclaw.model.usage", INTERNAL, &child(usage.span.as_ref()?), usage.began_ms, usage.took, attributes, None))
        }
        Event::ModelCall(call) => {
            let mut attributes = model(call.provider, call.model);
            attributes.extend(call.api.map(|api| KeyValue::text("openclaw.api", name(api))));
            attributes.push(KeyValue::text("openclaw.transport", call.transport));
            attributes.extend(call.error_category.map(|kind| KeyValue::text("openclaw.errorCategory", name(kind))));
            attributes.extend(call.failure_kind.map(|kind| KeyValue::text("openclaw.failureKind", name(kind))));
            if let Some(first) = call.first_byte {
                attributes.push(KeyValue::int("openclaw.model_call.time_to_first_byte_ms", millis(first)));
            }
            attributes.extend(contents(&call.content, ["input_messages", "output_messages", "system_prompt"]));
            Some(make("openclaw.model.call", CLIENT, call.span.as_ref()?, call.began_ms, call.took, attributes, call.error_category))
        }
        Event::Tool(tool) => {
            let mut attributes = vec![
                KeyValue::text("gen_ai.tool.name", name(tool.tool)),
                KeyValue::text("openclaw.toolName", name(tool.tool)),
                KeyValue::text("openclaw.outcome", tool.outcome),
                KeyValue::text("openclaw.tool.params.kind", tool.params_kind),
            ];
            attributes.extend(tool.error_category.map(|kind| KeyValue::text("openclaw.errorCategory", kind)));
            attributes.extend(contents(&tool.content, ["tool_input", "tool_output", "system_prompt"]));
            let error = (tool.outcome == "error").then(|| tool.error_category.unwrap_or("unknown"));
            Some(make("openclaw.tool.execution", INTERNAL, &child(tool.span.as_ref()?), tool.began_ms, tool.took, attributes, error))
        }
        Event::Harness(run) => {
            let attributes = vec![
                KeyValue::text("openclaw.harness.id", name(run.harness)),
                KeyValue::text("openclaw.harness.plugin", name(run.plugin)),
                KeyValue::text("openclaw.outcome", run.outcome),
                KeyValue::text("openclaw.provider", name(run.provider)),
                KeyValue::text("openclaw.model", name(run.model)),
                KeyValue::text("openclaw.channel", name(run.channel)),
            ];
            let error = (run.outcome == "error").then_some("unknown");
            Some(make("openclaw.harness.run", INTERNAL, &child(run.span.as_ref()?), run.began_ms, run.took, attributes, error))
        }
        Event::Processed(message) => {
            let mut attributes =
                vec![KeyValue::text("openclaw.channel", name(message.channel)), KeyValue::text("openclaw.outcome", message.outcome)];
            attributes.extend(message.reason.map(|why| KeyValue::text("openclaw.reason", why)));
            let error = (message.outcome == "error").then_some("error");
            Some(make("openclaw.message.processed", INTERNAL, message.span.as_ref()?, message.began_ms, message.took, attributes, error))
        }
        Event::Delivered(message) => {
            let attributes = vec![
                KeyValue::text("openclaw.channel", name(message.channel)),
                KeyValue::text("openclaw.delivery.kind", message.kind),
                KeyValue::text("openclaw.outcome", message.outcome),
            ];
            Some(make(
                "openclaw.message.delivery",
                CLIENT,
                message.span.as_ref()?,
                message.began_ms,
                message.took,
                attributes,
                message.reason,
            ))
        }
        _ => None,
    }
}

/// What the operator wants exported (`captureContent`).
fn contents(content: &Content, names: [&str; 3]) -> Vec<KeyValue> {
    let all = [&content.input, &content.output, &content.system].into_iter().zip(names);
    all.filter_map(|(text, name)| Some(KeyValue::text(&format!("openclaw.content.{name}"), text.as_ref()?.as_str()))).collect()
}

/// A step of the one whose ids are given. Its own id is made from them and the clock: it is told to nobody else.
fn child(parent: &Span) -> Span {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write(parent.span_id.as_bytes());
    let id = format!("{:016x}", hasher.finish().max(1));
    Span { trace_id: parent.trace_id.clone(), span_id: id, parent_id: Some(parent.span_id.clone()) }
}

fn make(name: &str, kind: i32, span: &Span, began_ms: i64, took: Duration, attributes: Vec<KeyValue>, error: Option<&str>) -> proto::Span {
    let start = u64::try_from(began_ms).unwrap_or(0).saturating_mul(1_000_000);
    proto::Span {
        trace_id: bytes(&span.trace_id),
        span_id: bytes(&span.span_id),
        parent_span_id: span.parent_id.as_deref().map(bytes).unwrap_or_default(),
        name: name.into(),
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        attributes,
        status: error.map(|kind| proto::Status { message: crate::labels::name(kind), code: ERROR }),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Hexadecimal digits as bytes; other characters are left out.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| u8::try_from(digit).unwrap_or(0)).collect();
    digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect()
}

/// Whether a trace is kept at this rate. All of its spans get the same answer, here and at others who go by the id (OTEL-02).
pub(super) fn sampled(trace_id: &[u8], rate: f64) -> bool {
    if rate >= 1.0 {
        return true;
    }
    let last = trace_id.iter().rev().take(7).rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    // 56 bits, as the W3C's second level of trace ids has it.
    (last as f64) / ((1u64 << 56) as f64) < rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_keeps_that_share_of_traces_and_all_spans_of_a_trace() {
        let id = |n: u64| {
            let mut id = vec![1u8; 9];
            id.extend(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[..7]);
            id
        };
        let kept = (1..=10_000).filter(|n| sampled(&id(*n), 0.2)).count();
        assert!((1800..2200).contains(&kept), "{kept}");
        assert!(sampled(&id(1), 1.0) && !sampled(&id(1), 0.0));
    }

    #[test]
    fn ids_are_bytes() {
        assert_eq!(bytes("00ff10"), [0, 255, 16]);
        let parent = Span { trace_id: "1".repeat(32), span_id: "2".repeat(16), parent_id: None };
        let (one, two) = (child(&parent), child(&parent));
        assert_ne!(one.span_id, two.span_id);
        assert_eq!((one.span_id.len(), one.parent_id.as_deref()), (16, Some(parent.span_id.as_str())));
    }
}
