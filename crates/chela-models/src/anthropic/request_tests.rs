//! Bodies of Anthropic requests.

use super::*;
use crate::ThinkingLevel;
use crate::settings::{ApiKind, ModelEntry, ProviderSettings};
use crate::types::{ChatMessage, ContentPart, ModelRef, ThinkingBlock, ToolCall};

fn target(base: &str, row: Option<&dyn Fn(&mut ModelEntry)>) -> Target {
    let settings = ProviderSettings::new("p", ApiKind::AnthropicMessages, base);
    let entry = row.map(|change| {
        let mut entry = ModelEntry::new("p", "m");
        change(&mut entry);
        entry
    });
    Target::new(&settings, entry.as_ref()).unwrap()
}

fn json_of(request: &ModelRequest, target: &Target) -> Value {
    serde_json::from_slice(&body(request, target, true).unwrap()).unwrap()
}

fn asked(messages: Vec<ChatMessage>) -> ModelRequest {
    let mut request = ModelRequest::new(ModelRef::new("p", "m"));
    request.messages = messages;
    request
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "t".into(), arguments: json!({"x": 1}) }
}

#[test]
fn the_whole_body() {
    // PRV-244 (tool results of one step in one user message, image-only results get a text)
    let image = ContentPart::Image { data_base64: "AAAA".into(), mime: "image/png".into() };
    let mut request = asked(vec![
        ChatMessage::user("hi"),
        ChatMessage::Assistant { text: "ok".into(), tool_calls: vec![call("a"), call("b")], thinking: vec![] },
        ChatMessage::ToolResult { call_id: "a".into(), name: "t".into(), content: vec![image], is_error: false },
        ChatMessage::ToolResult { call_id: "b".into(), name: "t".into(), content: vec![], is_error: true },
    ]);
    request.system = Some("be kind".into());
    request.temperature = Some(0.5);
    request.tools = vec![ToolSpec { name: "t".into(), description: "d".into(), parameters: Value::Null }].into();
    request.tool_choice = ToolChoice::Required;
    let want = json!({
        "model": "m", "max_tokens": 8192, "stream": true,
        "system": [{"type": "text", "text": "be kind"}],
        "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object", "properties": {}}}],
        "tool_choice": {"type": "any"},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "a", "name": "t", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "t", "input": {"x": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [
                    {"type": "text", "text": "(see attached image)"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
                {"type": "tool_result", "tool_use_id": "b", "content": "(no output)", "is_error": true}]},
        ],
        "temperature": 0.5,
    });
    assert_eq!(json_of(&request, &target("https://h.example", None)), want);
}

#[test]
fn odd_conversations() {
    // PRV-244 (empty list, empty text), PRV-265 (made-up results)
    let far = target("https://h.example", None);
    assert_eq!(json_of(&asked(vec![]), &far)["messages"], json!([{"role": "user", "content": "."}]));
    let open = ChatMessage::Assistant { text: String::new(), tool_calls: vec![call("a")], thinking: vec![] };
    let messages = json_of(&asked(vec![ChatMessage::user("hi"), open]), &far)["messages"].clone();
    assert_eq!(messages[2]["content"][0]["content"], "No result provided");
    let parts = vec![ContentPart::text(" "), ContentPart::text("x")];
    let messages = json_of(&asked(vec![ChatMessage::User { content: parts }]), &far)["messages"].clone();
    assert_eq!(messages, json!([{"role": "user", "content": "x"}]));
    let first = json_of(&asked(vec![ChatMessage::assistant("I "), ChatMessage::assistant("am ")]), &far)["messages"].clone();
    assert_eq!((&first[0]["role"], &first[2]["content"]), (&json!("user"), &json!("am")));
}

#[test]
fn reasoning_goes_back_to_its_model_only() {
    // PRV-264
    let block = |model: &str, signature: Option<&str>, redacted: Option<&str>| ThinkingBlock {
        text: "hm".into(),
        signature: signature.map(str::to_owned),
        redacted: redacted.map(str::to_owned),
        model: Some(model.into()),
    };
    let thinking = vec![
        block("p/m", Some("s"), None),
        block("p/m", None, Some("enc")),
        block("q/n", Some("s"), None),
        block("q/n", None, Some("enc")),
    ];
    let message = ChatMessage::Assistant { text: "so".into(), tool_calls: vec![], thinking };
    let messages = json_of(&asked(vec![ChatMessage::user("hi"), message]), &target("https://h.example", None))["messages"].clone();
    let want = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "enc"},
        {"type": "text", "text": "hm"},
        {"type": "text", "text": "so"},
    ]);
    assert_eq!(messages[1]["content"], want);
}

#[test]
fn limits_and_thinking() {
    // PRV-242 (cap of 32000 from the row), PRV-280 (budget added within the cap)
    let reasoning = |max: u32| {
        target(
            "https://h.example",
            Some(&move |m: &mut ModelEntry| {
                m.max_tokens = max;
                m.reasoning = true;
            }),
        )
    };
    let get = |max: u32, asked_for: Option<u32>, level: Option<ThinkingLevel>| {
        let mut request = asked(vec![ChatMessage::user("hi")]);
        (request.max_tokens, request.thinking, request.temperature) = (asked_for, level, Some(0.5));
        json_of(&request, &reasoning(max))
    };
    assert_eq!(get(64_000, None, None)["max_tokens"], 32_000);
    assert_eq!(get(4_000, None, None)["max_tokens"], 4_000);
    let some = get(64_000, Some(1000), Some(ThinkingLevel::Low));
    assert_eq!((&some["max_tokens"], &some["thinking"]["budget_tokens"]), (&json!(3048), &json!(2024)));
    assert!(some.get("temperature").is_none());
    let capped = get(10_000, Some(8000), Some(ThinkingLevel::High));
    assert_eq!((&capped["max_tokens"], &capped["thinking"]["budget_tokens"]), (&json!(10_000), &json!(8976)));
    assert_eq!(get(64_000, None, Some(ThinkingLevel::Off))["thinking"]["type"], "disabled");
}

#[test]
fn cache_marks_go_to_anthropic_only() {
    let mut request = asked(vec![ChatMessage::user("hi")]);
    request.system = Some("s".into());
    assert!(!json_of(&request, &target("https://h.example", None)).to_string().contains("cache_control"));
    let native = json_of(&request, &target("https://api.anthropic.com", None));
    assert_eq!(native["system"][0]["cache_control"]["type"], "ephemeral");
    assert_eq!(native["messages"][0]["content"][0]["cache_control"]["type"], "ephemeral");
}
