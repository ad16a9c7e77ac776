//! A turn that a test makes itself, without a client.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::{Accepted, AgentRuntime, Entry, RunOutcome, TurnRequest};

/// A message of the owner to the main agent, as a chat page would send it.
pub fn request(session_key: &str, message: &str) -> TurnRequest {
    TurnRequest {
        run_id: uuid::Uuid::new_v4().to_string(),
        session_key: session_key.into(),
        agent_id: "main".into(),
        message: message.into(),
        images: Vec::new(),
        entry: Entry::Chat,
        surface: "webchat".into(),
        sender_id: None,
        sender_is_owner: true,
        scopes: Vec::new(),
        model: None,
        thinking: None,
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: Duration::from_secs(30),
    }
}

/// Runs a turn to its end, its message kept.
pub async fn run(runtime: &Arc<AgentRuntime>, request: TurnRequest) -> Arc<RunOutcome> {
    let Accepted::New(ticket, mut pledge) = runtime.accept(&request, "test").await.unwrap() else { panic!("the run is known already") };
    pledge.kept().await.unwrap();
    drop(pledge);
    chela_agent::turn::run(runtime.clone(), request, ticket).await
}
