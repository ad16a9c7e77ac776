//! Texts on their way to models and back.

use serde_json::json;

use crate::live::{Home, text};

/// What the model was told in its last call.
pub fn last_body(home: &Home) -> serde_json::Value {
    home.model.last_request().body
}

// API-045
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transforms_rewrite_what_models_get_and_say() {
    let mut home = Home::new().await;
    home.fixture("text-transforms");
    let live = home.start().await;
    let mut client = live.client().await;
    let end = client.say("agent:main:texts", "The house word twice: house word, and ann@example.org, bob@example.org").await;
    assert_eq!(text(&end["message"]), "Mock answer: all fine.");
    let body = last_body(&home);
    let said = body["messages"].as_array().unwrap().iter().find(|m| m["role"] == "user").unwrap().to_string();
    assert!(said.contains("The <house word> twice: house word, and ann (at example), bob (at example)"), "{said}");
    // The transcript keeps what the person wrote, and what was shown to them.
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:texts"})).await.to_string();
    assert!(history.contains("bob@example.org") && history.contains("Mock answer: all fine."), "{history}");
    // Nothing of it is left to be recorded only.
    let row = client.ok("plugins.inspect", json!({"id": "text-transforms"})).await;
    assert!(!row.to_string().contains("registerTextTransforms"), "{row}");
    live.stop().await;
}
