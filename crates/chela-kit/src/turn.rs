//! One message said to the agent of a trial.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::runtime::AgentRuntime;
use chela_agent::{Begin, Entry, RunOutcome, TurnRequest};
use tokio_util::sync::CancellationToken;

/// The agent of every trial.
pub const AGENT: &str = "main";
/// Its session.
pub const SESSION: &str = "agent:main:main";
/// How long a turn whose time is over may take to say so.
const SLACK: Duration = Duration::from_secs(5);

/// Plays a turn to its end.
///
/// # Errors
/// Words for why there is no outcome, to go after the name of the turn.
pub async fn say(
    runtime: &Arc<AgentRuntime>,
    message: &str,
    trigger: &'static str,
    limit: Duration,
) -> Result<Arc<RunOutcome>, &'static str> {
    let request = TurnRequest {
        run_id: uuid::Uuid::new_v4().to_string(),
        session_key: SESSION.into(),
        agent_id: AGENT.into(),
        message: message.into(),
        images: Vec::new(),
        entry: Entry::Chat,
        inbound: None,
        surface: "webchat".into(),
        sender_id: Some("trial".into()),
        sender_is_owner: true,
        scopes: vec!["operator.admin".into()],
        model: None,
        thinking: None,
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        trigger,
        timeout: limit,
    };
    let Begin::New(ticket) = runtime.runs.begin(&request.run_id, SESSION, message, &CancellationToken::new()) else {
        return Err("is under way already");
    };
    let run = chela_agent::turn::run(runtime.clone(), request, ticket);
    tokio::time::timeout(limit + SLACK, run).await.map_err(|_| "did not end")
}
