//! The Anthropic stream, event by event.

use super::*;
use crate::types::ModelEvent as E;
use serde_json::json;

fn run(events: &[Value]) -> (Vec<E>, Option<ModelError>) {
    let (mut parser, mut out) = (Parser::new(ModelRef::new("p", "m"), false), VecDeque::new());
    for value in events {
        let event = SseEvent { event: String::new(), data: value.to_string() };
        if let Err(e) = parser.event(&event, &mut out) {
            return (out.into(), Some(e));
        }
    }
    let error = parser.end(&mut out).err();
    (out.into(), error)
}

fn start(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(reason: &str) -> [Value; 2] {
    [json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}), json!({"type": "message_stop"})]
}

#[test]
fn a_whole_answer() {
    // PRV-283 (Anthropic)
    let usage = json!({"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 5, "output_tokens": 1});
    let mut events = vec![
        json!({"type": "message_start", "message": {"usage": usage}}),
        json!({"type": "ping"}),
        start(0, json!({"type": "thinking", "thinking": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "si"})),
        delta(0, json!({"type": "signature_delta", "signature": "g"})),
        json!({"type": "content_block_stop", "index": 0}),
        start(1, json!({"type": "redacted_thinking", "data": "enc"})),
        json!({"type": "content_block_stop", "index": 1}),
        start(2, json!({"type": "text", "text": ""})),
        delta(2, json!({"type": "text_delta", "text": "hi"})),
        json!({"type": "content_block_stop", "index": 2}),
        start(3, json!({"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}})),
        start(4, json!({"type": "tool_use", "id": "toolu_2", "name": "u", "input": {}})),
        delta(4, json!({"type": "input_json_delta", "partial_json": "{\"y\":2}"})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "{\"x\""})),
        delta(3, json!({"type": "input_json_delta", "partial_json": ":1}"})),
        json!({"type": "content_block_stop", "index": 4}),
        json!({"type": "content_block_stop", "index": 3}),
    ];
    events.extend(stop("tool_use"));
    let (out, error) = run(&events);
    assert_eq!(error, None);
    let thoughts: Vec<&ThinkingBlock> = out.iter().filter_map(|e| if let E::Thinking(b) = e { Some(b) } else { None }).collect();
    assert_eq!((thoughts[0].text.as_str(), thoughts[0].signature.as_deref()), ("hm", Some("sig")));
    assert_eq!(thoughts[1].redacted.as_deref(), Some("enc"));
    assert!(thoughts.iter().all(|b| b.model.as_deref() == Some("p/m")));
    let calls: Vec<(&str, &Value)> =
        out.iter().filter_map(|e| if let E::ToolCall(c) = e { Some((c.id.as_str(), &c.arguments)) } else { None }).collect();
    assert_eq!(calls, [("toolu_1", &json!({"x": 1})), ("toolu_2", &json!({"y": 2}))]);
    let want = Usage { input: 3, output: 7, cache_read: 4, cache_write: 5, total: 19 };
    assert_eq!(out.last(), Some(&E::Done { stop_reason: StopReason::ToolUse, usage: want }));
}

#[test]
fn stop_reasons() {
    // PRV-255 (Anthropic), PRV-256
    let cases = [
        ("end_turn", StopReason::Stop),
        ("pause_turn", StopReason::Stop),
        ("stop_sequence", StopReason::Stop),
        ("max_tokens", StopReason::Length),
        ("tool_use", StopReason::Stop),
    ];
    for (reason, want) in cases {
        let (out, error) = run(&stop(reason));
        assert_eq!(error, None);
        assert!(matches!(out.last(), Some(E::Done { stop_reason, .. }) if *stop_reason == want), "{reason}");
    }
    for (reason, kind) in [("refusal", ErrorKind::Refusal), ("sensitive", ErrorKind::Refusal), ("bored", ErrorKind::Invalid)] {
        assert_eq!(run(&stop(reason)).1.unwrap().kind, kind, "{reason}");
    }
}

#[test]
fn errors_and_cut_streams() {
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(run(&[overloaded]).1.unwrap().kind, ErrorKind::Server(503));
    assert_eq!(run(&[start(0, json!({"type": "text", "text": "x"}))]).1.unwrap().kind, ErrorKind::Connection);
}

#[test]
fn whole_documents() {
    let run = |value: Value| {
        let (mut parser, mut out) = (Parser::new(ModelRef::new("p", "m"), false), VecDeque::new());
        let result = parser.document(&value, &mut out).and_then(|()| parser.end(&mut out));
        (Vec::from(out), result)
    };
    let content = json!([{"type": "text", "text": "hi"}, {"type": "tool_use", "id": "a", "name": "t", "input": {"x": 1}}]);
    let (out, result) = run(json!({"content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}}));
    assert_eq!(result, Ok(()));
    assert_eq!(out[0], E::TextDelta("hi".to_owned()));
    assert!(out.iter().any(|e| matches!(e, E::ToolCall(c) if c.arguments == json!({"x": 1}))));
    let error = json!({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}});
    assert_eq!(run(error).1.unwrap_err().kind, ErrorKind::Auth);
    assert_eq!(run(json!({})).1.unwrap_err().kind, ErrorKind::Invalid);
}
