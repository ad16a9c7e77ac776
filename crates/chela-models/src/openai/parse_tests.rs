//! The chat-completions stream, event by event.

use super::*;
use crate::types::ModelEvent as E;
use serde_json::json;

fn parser() -> Parser {
    Parser::new(ModelRef::new("p", "m"), false, Vec::new())
}

fn run(mut parser: Parser, chunks: &[Value], done: bool) -> (Vec<E>, Option<ModelError>) {
    let mut out = VecDeque::new();
    let mut data: Vec<String> = chunks.iter().map(Value::to_string).collect();
    if done {
        data.push("[DONE]".to_owned());
    }
    for data in data {
        if let Err(e) = parser.event(&SseEvent { event: String::new(), data }, &mut out) {
            return (out.into(), Some(e));
        }
    }
    let error = parser.end(&mut out).err();
    (out.into(), error)
}

fn delta(delta: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn calls(events: &[E]) -> Vec<(String, String, Value)> {
    let call = |e: &E| match e {
        E::ToolCall(c) => Some((c.id.clone(), c.name.clone(), c.arguments.clone())),
        _ => None,
    };
    events.iter().filter_map(call).collect()
}

fn stop(events: &[E]) -> Option<StopReason> {
    events.iter().find_map(|e| if let E::Done { stop_reason, .. } = e { Some(*stop_reason) } else { None })
}

#[test]
fn stop_reasons() {
    // PRV-255 (completions), PRV-256
    let call = delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}"}}]}));
    let text = delta(json!({"content": "hi"}));
    let cases = [
        (&text, "stop", StopReason::Stop),
        (&text, "end", StopReason::Stop),
        (&text, "length", StopReason::Length),
        (&call, "tool_calls", StopReason::ToolUse),
        (&call, "tool_call", StopReason::ToolUse),
        (&call, "function_call", StopReason::ToolUse),
        (&call, "stop", StopReason::ToolUse),
        (&text, "tool_calls", StopReason::Stop),
    ];
    for (chunk, reason, want) in cases {
        let (events, error) = run(parser(), &[chunk.clone(), finish(reason)], true);
        assert_eq!((stop(&events), error), (Some(want), None), "{reason}");
    }
    let (_, error) = run(parser(), &[text.clone(), finish("bored")], true);
    assert!(error.unwrap().message.contains("`bored`"));
    let (_, error) = run(parser(), &[text, finish("content_filter")], true);
    assert_eq!(error.unwrap().kind, ErrorKind::Refusal);
    let (_, error) = run(parser(), &[delta(json!({"refusal": "no"})), finish("stop")], true);
    assert_eq!(error.unwrap().kind, ErrorKind::Refusal);
}

#[test]
fn tool_calls_are_put_together() {
    // PRV-259
    let piece = |call: Value| delta(json!({"tool_calls": [call]}));
    let begin = |index: Value, id: &str, name: &str, args: &str| {
        piece(json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": args}}))
    };
    let more = |index: Value, args: &str| piece(json!({"index": index, "function": {"arguments": args}}));
    let a = || ("a".to_owned(), "t".to_owned(), json!({"x": 1}));
    let b = || ("b".to_owned(), "u".to_owned(), json!({"y": 2}));
    let cases: Vec<(&str, Vec<Value>)> = vec![
        (
            "interleaved by index",
            vec![begin(json!(0), "a", "t", "{\"x\""), begin(json!(1), "b", "u", ""), more(json!(0), ":1}"), more(json!(1), "{\"y\":2}")],
        ),
        ("all numbered 0", vec![begin(json!(0), "a", "t", "{\"x\":1}"), begin(json!(0), "b", "u", "{\"y\":2}")]),
        (
            "all numbered 0, in pieces",
            vec![begin(json!(0), "a", "t", "{\"x\""), more(json!(0), ":1}"), begin(json!(0), "b", "u", "{\"y"), more(json!(0), "\":2}")],
        ),
        ("no index", vec![begin(Value::Null, "a", "t", "{\"x\":"), more(Value::Null, "1}"), begin(Value::Null, "b", "u", "{\"y\":2}")]),
        (
            "id repeated on each piece",
            vec![begin(json!(0), "a", "t", "{\"x\":"), begin(json!(0), "a", "t", "1}"), begin(json!(1), "b", "u", "{\"y\":2}")],
        ),
        (
            "arguments as objects",
            vec![
                piece(json!({"index": 0, "id": "a", "function": {"name": "t", "arguments": {"x": 1}}})),
                piece(json!({"index": 1, "id": "b", "function": {"name": "u", "arguments": {"y": 2}}})),
            ],
        ),
    ];
    for (what, mut chunks) in cases {
        chunks.push(finish("tool_calls"));
        let (events, error) = run(parser(), &chunks, true);
        assert_eq!(error, None, "{what}");
        assert_eq!(calls(&events), [a(), b()], "{what}");
        let shown: String = events
            .iter()
            .filter_map(|e| if let E::ToolCallDelta { index: 0, args_fragment, .. } = e { Some(args_fragment.as_str()) } else { None })
            .collect();
        assert_eq!(shown, "{\"x\":1}", "{what}");
    }
}

#[test]
fn odd_tool_calls() {
    let call = |id: Value, args: &str| {
        let call = json!({"index": 0, "id": id, "function": {"name": "t", "arguments": args}});
        run(parser(), &[delta(json!({"tool_calls": [call]})), finish("tool_calls")], true)
    };
    assert_eq!(calls(&call(json!("a"), "{\"x\":").0)[0].2, json!({"x": null}));
    assert_eq!(calls(&call(json!("a"), "not json").0)[0].2, json!({}));
    assert!(!calls(&call(Value::Null, "{}").0)[0].0.is_empty(), "an id is made up");
    let huge = "x".repeat(MAX_ARGUMENT_BYTES + 1);
    assert_eq!(call(json!("a"), &huge).1.unwrap().kind, ErrorKind::Invalid);
    let html = Parser::new(ModelRef::new("p", "m"), true, Vec::new());
    let chunk = delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "t", "arguments": "{\"q\":\"a &amp; b\"}"}}]}));
    assert_eq!(calls(&run(html, &[chunk, finish("stop")], true).0)[0].2, json!({"q": "a & b"}));
}

#[test]
fn reasoning_sources() {
    // PRV-260
    let cases = [
        json!({"reasoning_content": "r"}),
        json!({"reasoning": "r"}),
        json!({"reasoning_text": "r"}),
        json!({"reasoning_content": "r", "reasoning": "again"}),
        json!({"reasoning_details": [{"type": "reasoning.text", "text": "r"}], "reasoning": "again"}),
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}]}),
        json!({"content": [{"type": "reasoning", "text": "r"}]}),
    ];
    for case in cases {
        let (events, error) = run(parser(), &[delta(case.clone()), delta(json!({"content": "v"})), finish("stop")], true);
        assert_eq!(error, None);
        let thought: Vec<&E> = events.iter().filter(|e| matches!(e, E::ThinkingDelta(_))).collect();
        assert_eq!(thought, [&E::ThinkingDelta("r".to_owned())], "{case}");
        let said: Vec<&E> = events.iter().filter(|e| matches!(e, E::TextDelta(_))).collect();
        assert_eq!(said, [&E::TextDelta("v".to_owned())], "{case}");
        assert!(events.iter().any(|e| matches!(e, E::Thinking(b) if b.text == "r")), "{case}");
    }
    let visible = Parser::new(ModelRef::new("p", "m"), false, vec!["response.text".to_owned()]);
    let chunk = delta(json!({"reasoning_details": [{"type": "response.text", "text": "seen"}]}));
    assert_eq!(run(visible, &[chunk, finish("stop")], true).0[0], E::TextDelta("seen".to_owned()));
}

#[test]
fn token_counts() {
    // PRV-283 (completions and llama.cpp)
    let cases = [
        (json!({"usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}}), (6, 5, 4, 15)),
        (json!({"usage": {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}}}), (6, 5, 4, 15)),
        (json!({"timings": {"prompt_n": 7, "predicted_n": 3}}), (7, 3, 0, 10)),
        (json!({"usage": null}), (0, 0, 0, 0)),
    ];
    for (fields, (input, output, cache_read, total)) in cases {
        let mut chunk = json!({"choices": []});
        chunk.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let (events, _) = run(parser(), &[delta(json!({"content": "x"})), finish("stop"), chunk], true);
        let Some(E::Done { usage, .. }) = events.last() else { panic!() };
        assert_eq!(*usage, Usage { input, output, cache_read, cache_write: 0, total }, "{fields}");
    }
}

#[test]
fn ends_of_streams() {
    let text = delta(json!({"content": "x"}));
    let ok = |chunks: &[Value], done| run(parser(), chunks, done).1.map(|e| e.kind);
    assert_eq!(ok(&[text.clone(), finish("stop")], false), None, "without [DONE]");
    assert_eq!(ok(std::slice::from_ref(&text), true), None, "without a reason");
    assert_eq!(ok(&[text], false), Some(ErrorKind::Connection), "cut off");
    assert_eq!(ok(&[json!({"error": {"message": "overloaded", "code": 503}})], false), Some(ErrorKind::Server(503)));
    let mut out = VecDeque::new();
    let bad = SseEvent { event: String::new(), data: "{oops".to_owned() };
    assert_eq!(parser().event(&bad, &mut out).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn whole_documents() {
    let run = |value: Value| {
        let (mut parser, mut out) = (parser(), VecDeque::new());
        let result = parser.document(&value, &mut out).and_then(|()| parser.end(&mut out));
        (Vec::from(out), result)
    };
    let message = json!({"role": "assistant", "content": "hi", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}]});
    let (events, result) = run(
        json!({"choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}),
    );
    assert_eq!(result, Ok(()));
    assert_eq!(events[0], E::TextDelta("hi".to_owned()));
    assert_eq!((calls(&events).len(), stop(&events)), (1, Some(StopReason::ToolUse)));
    assert_eq!(run(json!({"error": {"message": "Invalid API key"}})).1.unwrap_err().kind, ErrorKind::Auth);
    assert!(run(json!({"hello": 1})).1.unwrap_err().message.contains("baseUrl"));
}
