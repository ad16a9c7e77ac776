//! Commands and directives that people write in a chat client.

use std::sync::Arc;

use chela_agent::clock::now_ms;
use chela_agent::{Begin, RunOutcome, RunStatus, TurnPlugins, TurnRequest};
use chela_host::chat::{self, ChatCaller, ChatOutcome, Hints};
use chela_plugin::register::ADMIN_SCOPE;
use serde_json::{Value, json};

use crate::events::EventTarget;
use crate::gateway::Gateway;
use crate::ws::ClientInfo;

/// Commands are no runs of their session: `/stop` must not stop itself.
const COMMANDS: &str = "commands";

/// What became of a text.
pub(crate) enum Commanded {
    /// It was a command; this is the method's answer.
    Answered(Value),
    /// It is for the agent.
    Agent(Hints),
}

/// A turn that follows what the directives of its message say.
pub(crate) trait TakeHints {
    /// Takes them over.
    fn take_hints(&mut self, hints: Hints);
}

impl TakeHints for TurnRequest {
    fn take_hints(&mut self, hints: Hints) {
        if let Some(text) = hints.text {
            self.message = text;
        }
        self.model = hints.model.or(self.model.take());
        self.thinking = hints.thinking.or(self.thinking.take());
        self.queue = hints.queue;
        self.exec = hints.exec;
    }
}

impl Gateway {
    /// Runs the command that a text is (API-137..146). A repeat with the same id gets the answer of the first and changes nothing.
    pub(crate) async fn chat_command(
        self: &Arc<Self>,
        client: &ClientInfo,
        session_key: &str,
        agent_id: &str,
        message: &str,
        run_id: &str,
    ) -> Commanded {
        let triggers = self.host.runtime.settings();
        let may_be_one = message.contains('/') || chela_commands::trigger_rest(message, &triggers.session.reset_triggers).is_some();
        if !may_be_one {
            return Commanded::Agent(Hints::default());
        }
        let runs = &self.host.runtime.runs;
        let command_id = format!("command:{run_id}");
        let ticket = match runs.begin(&command_id, COMMANDS, "", &self.host.runtime.shutdown) {
            Begin::New(ticket) => ticket,
            Begin::InFlight(_) => return Commanded::Answered(json!({"runId": run_id, "status": "in_flight"})),
            Begin::Finished(_) => return Commanded::Answered(json!({"runId": run_id, "status": "ok"})),
        };
        self.host.manager.ensure_for_turn().await;
        if message.contains("/approve") {
            // What waited before a restart is there once the gateway is ready.
            self.wait_ready().await;
        }
        let is_owner = client.scopes.iter().any(|s| s == ADMIN_SCOPE);
        let caller = ChatCaller {
            surface: "webchat".into(),
            session_key: session_key.into(),
            agent_id: agent_id.into(),
            sender_id: Some(client.client_id.clone()),
            authorized: true,
            owner: is_owner,
            scopes: Some(client.scopes.clone()),
            inbound: None,
        };
        match chat::run(&self.host, &caller, message).await {
            // Nothing was done: the ticket goes without a trace.
            ChatOutcome::Agent(hints) => Commanded::Agent(hints),
            ChatOutcome::Also(payloads, hints) => {
                // The run has the id itself, so what comes before it needs another.
                self.tell(session_key, &format!("{run_id}:command"), &payloads);
                Commanded::Agent(hints)
            }
            ChatOutcome::Done(payloads) => {
                self.tell(session_key, run_id, &payloads);
                ticket.finish(done(&command_id, session_key));
                Commanded::Answered(json!({"runId": run_id, "status": "ok"}))
            }
        }
    }

    /// Shows what a command answered.
    fn tell(&self, session_key: &str, run_id: &str, payloads: &[Value]) {
        let texts: Vec<&str> = payloads.iter().filter_map(|p| p["text"].as_str()).filter(|t| !t.is_empty()).collect();
        let mut payload = json!({"runId": run_id, "sessionKey": session_key, "seq": 1, "state": "final"});
        if !texts.is_empty() {
            let text = texts.join("\n\n");
            payload["message"] = json!({"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now_ms()});
        }
        self.bus.broadcast("chat", &payload, EventTarget::All);
    }
}

fn done(run_id: &str, session_key: &str) -> RunOutcome {
    let at = now_ms();
    RunOutcome {
        run_id: run_id.into(),
        session_key: session_key.into(),
        session_id: String::new(),
        status: RunStatus::Ok,
        text: None,
        error: None,
        error_kind: None,
        provider: String::new(),
        model: String::new(),
        usage: Default::default(),
        stop_reason: "command".into(),
        pending_calls: Vec::new(),
        started_at_ms: at,
        ended_at_ms: at,
        message_id: None,
    }
}
