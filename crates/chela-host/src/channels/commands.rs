//! Commands that people write in a channel: those of plugins first, then those about the session (API-137..API-146).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::register::CommandMatch;
use chela_plugin::{Adapter, Call};
use serde_json::{Value, json};

use super::dispatch::Message;
use super::send::without_nulls;
use crate::assemble::Host;

/// Longest run of a plugin's command.
const BUDGET: Duration = Duration::from_secs(60);
/// What somebody reads who may not use a command (API-141).
const REFUSED: &str = "⚠️ This command requires authorization.";
/// What people read of a failure (API-146); the log says more.
const FAILED: &str = "⚠️ Command failed. Please try again later.";

/// Changes sessions for people in channels; the gateway does it, since it tells its clients.
#[async_trait]
pub trait SessionCommands: Send + Sync {
    /// Gives the session key a new session. Returns what listeners want to say (HOOK-280).
    async fn reset(&self, session_key: &str, agent_id: &str, new: bool, source: Value) -> Result<Vec<String>, String>;
}

/// What became of a command.
pub(super) enum Outcome {
    /// The text is for the agent.
    Agent,
    /// Only these payloads are sent.
    Done(Vec<Value>),
    /// The payload is sent, and the agent answers too (API-145).
    Also(Value),
}

/// Runs the command that a message is, if it is one.
pub(super) async fn run(host: &Arc<Host>, message: &Message) -> Outcome {
    let inbound = &message.inbound;
    let text = ["BodyForCommands", "CommandBody", "RawBody", "Body"].into_iter().find_map(|name| inbound.text(name));
    let Some(text) = text.filter(|t| t.starts_with('/')) else { return Outcome::Agent };
    let authorized = inbound.context["CommandAuthorized"] == true;
    let registry = host.manager.registry();
    if let Some(found) = registry.match_command(&text, Some(&message.channel)) {
        return of_plugin(host, message, &found, &text, authorized).await;
    }
    if !authorized {
        return Outcome::Agent;
    }
    let said = match text.split_whitespace().next().unwrap_or_default().to_lowercase().as_str() {
        "/new" => reset(host, message, true).await,
        "/reset" => reset(host, message, false).await,
        "/stop" => stop(host, message).await,
        _ => return Outcome::Agent,
    };
    Outcome::Done(vec![json!({"text": said})])
}

async fn of_plugin(host: &Arc<Host>, message: &Message, found: &CommandMatch<'_>, text: &str, authorized: bool) -> Outcome {
    let command = found.command;
    let refused = (command.require_auth && !authorized) || (!command.required_scopes.is_empty() && !message.is_owner);
    if refused {
        return Outcome::Done(vec![json!({"text": REFUSED})]);
    }
    let inbound = &message.inbound;
    let row = host.runtime.store.session(&message.session_key).await.ok().flatten();
    let mut ctx = without_nulls(json!({
        "senderId": inbound.text("SenderId"), "channel": message.channel, "channelId": message.channel, "isAuthorizedSender": authorized,
        "sessionKey": message.session_key, "sessionId": row.as_ref().map(|r| r.session_id.clone()),
        "sessionFile": row.as_ref().map(|r| r.session_file.clone()), "args": found.args, "commandBody": text, "from": inbound.text("From"),
        "to": inbound.conversation(), "accountId": inbound.text("AccountId"), "messageThreadId": inbound.context.get("MessageThreadId"),
        "threadParentId": inbound.text("ThreadParentId"),
    }));
    if !command.required_scopes.is_empty() || command.reserved {
        ctx["senderIsOwner"] = message.is_owner.into();
    }
    let call = Call::new(vec![ctx]).adapter(Adapter::Command).budget(Some(BUDGET));
    match command.handler.call(call).await {
        Ok(mut reply) => {
            let go_on = reply["continueAgent"] == true;
            if let Some(reply) = reply.as_object_mut() {
                reply.shift_remove("continueAgent");
            }
            if go_on { Outcome::Also(reply) } else { Outcome::Done(vec![reply]) }
        }
        Err(error) => {
            tracing::error!(target: "plugins", plugin = %command.owner.id, command = %command.name, "{error}");
            Outcome::Done(vec![json!({"text": FAILED})])
        }
    }
}

fn source(message: &Message) -> Value {
    without_nulls(json!({"commandSource": message.channel, "senderId": message.inbound.text("SenderId")}))
}

async fn reset(host: &Arc<Host>, message: &Message, new: bool) -> String {
    let Some(sessions) = host.channels.sessions.get() else { return "Sessions cannot be reset here".into() };
    match sessions.reset(&message.session_key, &message.agent_id, new, source(message)).await {
        Ok(mut said) => {
            said.push("A new session has begun".into());
            said.join("\n\n")
        }
        Err(error) => {
            tracing::error!(target: "channels", session = %message.session_key, "the session could not be reset: {error}");
            FAILED.into()
        }
    }
}

async fn stop(host: &Arc<Host>, message: &Message) -> String {
    let count = host.runtime.runs.abort_session(&message.session_key).len();
    let plugins = chela_agent::TurnPlugins::current(host.manager.as_ref());
    let mut context = source(message);
    context["workspaceDir"] = json!(host.runtime.workspace_of(&message.agent_id));
    let mut said = plugins.internal.emit("command", "stop", &message.session_key, context).await.messages;
    said.push(if count == 0 { "Nothing is running".into() } else { format!("Stopped {count} run(s)") });
    said.join("\n\n")
}
