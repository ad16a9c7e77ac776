//! Bodies of chat-completions requests.

use super::*;
use crate::settings::{ApiKind, ModelEntry, ProviderSettings};
use crate::types::{ChatMessage, ContentPart, ModelRef, ThinkingBlock, ToolCall};
use crate::{Compat, ThinkingLevel};

fn target(base: &str, row: impl FnOnce(&mut ModelEntry), params: Value) -> Target {
    let mut settings = ProviderSettings::new("p", ApiKind::OpenAiCompletions, base);
    settings.params = params.as_object().cloned().unwrap_or_default();
    let mut entry = ModelEntry::new("p", "m");
    row(&mut entry);
    Target::new(&settings, Some(&entry)).unwrap()
}

fn custom(compat: Value) -> Target {
    target("https://h.example/v1", |m| m.compat = Compat::from_json(&compat), Value::Null)
}

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(ModelRef::new("p", "m"));
    request.system = Some("be kind".to_owned());
    request.messages = vec![
        ChatMessage::user("hi"),
        ChatMessage::Assistant {
            text: String::new(),
            tool_calls: vec![ToolCall { id: "a".into(), name: "t".into(), arguments: json!({"x": 1}) }],
            thinking: vec![ThinkingBlock { text: "hm".into(), ..ThinkingBlock::default() }],
        },
        ChatMessage::ToolResult {
            call_id: "a".into(),
            name: "t".into(),
            content: vec![ContentPart::text("seen"), ContentPart::Image { data_base64: "AAAA".into(), mime: "image/png".into() }],
            is_error: false,
        },
        ChatMessage::user("and?"),
    ];
    request.tools = vec![ToolSpec { name: "t".into(), description: "d".into(), parameters: Value::Null }].into();
    request
}

fn json_of(request: &ModelRequest, target: &Target) -> Value {
    serde_json::from_slice(&body(request, target, true).unwrap()).unwrap()
}

#[test]
fn the_whole_body() {
    let target = target("https://h.example/v1", |m| m.input.push("image".into()), Value::Null);
    let want = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null,
             "tool_calls": [{"id": "a", "type": "function", "function": {"arguments": "{\"x\":1}", "name": "t"}}]},
            {"role": "tool", "content": "seen", "tool_call_id": "a"},
            {"role": "user", "content": [
                {"type": "text", "text": "Images from the tool results:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "user", "content": "and?"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 8192,
        "tools": [{"type": "function", "function": {"name": "t", "description": "d",
                   "parameters": {"type": "object", "properties": {}}}}],
    });
    assert_eq!(json_of(&request(), &target), want);
}

#[test]
fn flags_change_the_body() {
    let get = |compat: Value| json_of(&request(), &custom(compat));
    assert!(get(json!({"supportsTools": false})).get("tools").is_none());
    assert!(get(json!({"supportsUsageInStreaming": false})).get("stream_options").is_none());
    assert_eq!(get(json!({"maxTokensField": "max_tokens"}))["max_tokens"], 8192);
    assert_eq!(get(json!({"supportsStore": true}))["store"], false);
    assert_eq!(get(json!({"requiresToolResultName": true}))["messages"][3]["name"], "t");
    assert_eq!(get(json!({"requiresAssistantAfterToolResult": true}))["messages"][4]["role"], "assistant");
    assert_eq!(get(json!({"requiresStringContent": true}))["messages"][2]["content"], "");
    assert_eq!(get(json!({"requiresThinkingAsText": true}))["messages"][2]["content"], "hm");
    assert_eq!(get(json!({"requiresMistralToolIds": true}))["messages"][3]["tool_call_id"].as_str().unwrap().len(), 9);
    let strict = get(json!({"strictMessageKeys": true}));
    for message in strict["messages"].as_array().unwrap() {
        assert_eq!(message.as_object().unwrap().keys().collect::<Vec<_>>(), ["role", "content"]);
    }
    let mut cached = request();
    cached.session_id = Some("s1".into());
    assert_eq!(json_of(&cached, &custom(json!({"supportsPromptCacheKey": true})))["prompt_cache_key"], "s1");
    assert!(json_of(&cached, &custom(json!({}))).get("prompt_cache_key").is_none());
}

#[test]
fn reasoning_forms() {
    let get = |compat: Value, level| {
        let target = target(
            "https://h.example/v1",
            |m| {
                m.reasoning = true;
                m.compat = Compat::from_json(&compat);
            },
            Value::Null,
        );
        let mut request = request();
        request.thinking = Some(level);
        json_of(&request, &target)
    };
    use ThinkingLevel as L;
    assert_eq!(get(json!({"supportsReasoningEffort": true}), L::High)["reasoning_effort"], "high");
    assert!(get(json!({}), L::High).get("reasoning_effort").is_none());
    assert_eq!(get(json!({"thinkingFormat": "openrouter"}), L::Low)["reasoning"]["effort"], "low");
    assert_eq!(get(json!({"thinkingFormat": "qwen"}), L::Off)["enable_thinking"], false);
    assert_eq!(get(json!({"thinkingFormat": "qwen-chat-template"}), L::Low)["chat_template_kwargs"]["enable_thinking"], true);
    assert_eq!(get(json!({"thinkingFormat": "zai"}), L::Off)["thinking"]["type"], "disabled");
    assert_eq!(get(json!({"thinkingFormat": "deepseek"}), L::Low)["thinking"]["type"], "enabled");
    let mapped = json!({"supportsReasoningEffort": true, "reasoningEffortMap": {"high": "deep"}});
    assert_eq!(get(mapped, L::High)["reasoning_effort"], "deep");
}

#[test]
fn parameters_of_the_configuration() {
    // PRV-250
    let params = json!({"extra_body": {"top_k": 5, "model": "other"}, "chat_template_kwargs": {"a": 1}, "parallel_tool_calls": false});
    let value = json_of(&request(), &target("https://h.example/v1", |_| {}, params));
    assert_eq!((&value["top_k"], &value["model"]), (&json!(5), &json!("other")));
    assert_eq!((&value["chat_template_kwargs"]["a"], &value["parallel_tool_calls"]), (&json!(1), &json!(false)));
    let odd = json_of(&request(), &target("https://h.example/v1", |_| {}, json!({"parallel_tool_calls": null})));
    assert!(odd.get("parallel_tool_calls").is_none());
    let raw = body(&request(), &target("https://h.example/v1", |_| {}, json!({"extra_body": {"model": "o"}})), true).unwrap();
    assert_eq!(String::from_utf8(raw).unwrap().matches("\"model\"").count(), 1, "no field twice");
}

#[test]
fn tool_choice_and_schemas() {
    let target = custom(json!({"unsupportedToolSchemaKeywords": ["pattern", "format"]}));
    let mut request = request();
    let parameters = json!({"type": "object", "properties": {"pattern": {"type": "string", "pattern": "x", "format": "y"}}});
    request.tools = vec![ToolSpec { name: "t".into(), description: "d".into(), parameters }].into();
    let value = json_of(&request, &target);
    let want = json!({"type": "object", "properties": {"pattern": {"type": "string"}}});
    assert_eq!(value["tools"][0]["function"]["parameters"], want);
    let cases = [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (ToolChoice::Tool("t".into()), json!({"type": "function", "function": {"name": "t"}})),
    ];
    for (choice, want) in cases {
        request.tool_choice = choice;
        assert_eq!(json_of(&request, &target)["tool_choice"], want);
    }
}

#[test]
fn images_only_where_they_are_taken() {
    let mut request = request();
    request.messages = vec![ChatMessage::User {
        content: vec![ContentPart::text("look"), ContentPart::Image { data_base64: "AA".into(), mime: "image/png".into() }],
    }];
    let text = json_of(&request, &custom(json!({}))).to_string();
    assert!(!text.contains("base64") && text.contains("left out"));
}
