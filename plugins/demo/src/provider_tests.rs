//! Whole answers of the demonstration model.

use super::*;
use crate::MANIFEST;
use chela_models::{ErrorKind, HttpClient, ModelCatalog, ModelRef, ModelRegistry, ToolCall, ToolChoice, ToolSpec};
use serde_json::{Value, json};

fn ask(text: &str) -> ModelRequest {
    let mut request = ModelRequest::new(ModelRef::new(ID, MODEL));
    request.messages = vec![ChatMessage::user(text)];
    let parameters = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    request.tools = vec![ToolSpec { name: "echo".into(), description: "Repeats a text.\nMore.".into(), parameters }].into();
    request
}

async fn run(request: ModelRequest) -> (String, Vec<ToolCall>, StopReason) {
    let stream = DemoProvider.stream(request, CancellationToken::new()).await.unwrap();
    let events: Vec<ModelEvent> = stream.map(Result::unwrap).collect().await;
    assert_eq!(events.first(), Some(&ModelEvent::Started));
    let (mut text, mut calls) = (String::new(), Vec::new());
    for event in &events {
        match event {
            ModelEvent::TextDelta(delta) => text.push_str(delta),
            ModelEvent::ToolCall(call) => calls.push(call.clone()),
            _ => {}
        }
    }
    let Some(ModelEvent::Done { stop_reason, .. }) = events.last() else { panic!("no end: {events:?}") };
    (text, calls, *stop_reason)
}

#[tokio::test]
async fn it_says_what_it_is() {
    let (text, calls, stop) = run(ask("Tell me a story")).await;
    for part in ["not an AI", "Tell me a story", "1 message", "OPENAI_API_KEY", "models.providers"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!((calls.len(), stop), (0, StopReason::Stop));
    assert_eq!(text, run(ask("Tell me a story")).await.0, "equal requests get equal answers");
    assert!(run(ModelRequest::new(ModelRef::new(ID, MODEL))).await.0.contains("not an AI"));
}

#[tokio::test]
async fn it_calls_tools_and_reports() {
    let mut request = ask("echo {\"text\": \"a\"} and echo text=b");
    let (_, calls, stop) = run(request.clone()).await;
    assert_eq!(stop, StopReason::ToolUse);
    assert_eq!(calls.iter().map(|c| &c.arguments).collect::<Vec<_>>(), [&json!({"text": "a"}), &json!({"text": "b"})]);
    assert_ne!(calls[0].id, calls[1].id);
    request.messages.push(ChatMessage::Assistant { text: String::new(), tool_calls: calls.clone(), thinking: vec![] });
    request.messages.push(ChatMessage::tool_result(&calls[0].id, "echo", "heard a"));
    let content = vec![ContentPart::text("too loud")];
    request.messages.push(ChatMessage::ToolResult { call_id: calls[1].id.clone(), name: "echo".into(), content, is_error: true });
    let (text, calls, stop) = run(request).await;
    assert!(
        text.contains("`echo` returned:\nheard a") && text.contains("`echo` failed:\ntoo loud") && text.contains("not an AI"),
        "{text}"
    );
    assert_eq!((calls.len(), stop), (0, StopReason::Stop));
}

#[tokio::test]
async fn it_calls_only_what_is_on_offer() {
    let mut none = ask("/tool echo {}");
    none.tool_choice = ToolChoice::None;
    assert!(run(none).await.1.is_empty());
    assert!(run(ask("/tool other {}")).await.1.is_empty());
    let (text, calls, _) = run(ask("/tool echo {oops")).await;
    assert!(calls.is_empty() && text.contains("no valid JSON"), "{text}");
}

#[tokio::test]
async fn help_lists_the_tools() {
    for question in ["help", "Help!", "What can you do?", "[Sun 19:00] help"] {
        let (text, ..) = run(ask(question)).await;
        assert!(text.contains("- `echo` (text): Repeats a text."), "{question}: {text}");
    }
    let mut bare = ask("help");
    bare.tools = Vec::new().into();
    assert!(run(bare).await.0.contains("No tool is on offer"));
}

#[tokio::test]
async fn a_wait_can_be_cancelled() {
    let cancel = CancellationToken::new();
    let call = DemoProvider.stream(ask("[[sleep:600000]] hi"), cancel.clone());
    let (result, ()) = tokio::join!(call, async { cancel.cancel() });
    assert_eq!(result.err().unwrap().kind, ErrorKind::Aborted);
    let cancel = CancellationToken::new();
    let mut stream = DemoProvider.stream(ask("[[sleep:5]] hi"), cancel.clone()).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    cancel.cancel();
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind, ErrorKind::Aborted);
    assert!(stream.next().await.is_none());
}

#[test]
fn the_manifest_and_the_registration_agree() {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    let entry = provider_entry();
    assert_eq!((&manifest["id"], &manifest["providers"][0]), (&json!(ID), &json!(entry.id)));
    let row = &manifest["modelCatalog"]["providers"][ID]["models"][0];
    let model = &entry.models[0];
    assert_eq!((row["id"].as_str(), row["name"].as_str()), (Some(model.id.as_str()), Some(model.name.as_str())));
    assert_eq!((row["contextWindow"].as_u64(), row["maxTokens"].as_u64()), (Some(model.context_window), Some(model.max_tokens.into())));
    assert_eq!(manifest["configSchema"]["additionalProperties"], false);
    let registry = ModelRegistry::from_catalog(&ModelCatalog::default(), &HttpClient::default(), &chela_models::AuthStore::default());
    registry.register(entry).unwrap();
    assert!(registry.resolve(&ModelRef::new("demo", "assistant")).is_ok());
    assert!(registry.resolve(&ModelRef::new("demo", "other")).is_err());
}
