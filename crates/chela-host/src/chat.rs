//! What people write in a chat besides their message: commands, and directives inside it (API-137..API-146).
//!
//! One table (`chela-commands`) says which there are; this module runs them, for channels and for the chat page alike. A command that
//! somebody builds gets a row there and an arm in [`builtin`].

mod answers;
mod exec;
mod options;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::turn::Inbound;
use chela_commands::queue::QueueOptions;
use chela_commands::{Access, Directives, Named, is_unbuilt, normalize, parse_directives, trigger_rest};
use chela_config::Config;
use chela_models::ModelRef;
use chela_plugin::register::CommandMatch;
use chela_plugin::{Adapter, Call};
use serde_json::{Value, json};

use crate::assemble::Host;
use crate::channels::without_nulls;

/// Longest run of a plugin's command.
const BUDGET: Duration = Duration::from_secs(60);
/// What the agent is asked after `/reset soft` without a note.
const START_AGAIN: &str = "The session begins again with its history kept. Follow what your workspace files say for the start of a session; without such words, greet in one or two sentences.";
/// What somebody reads who may not use a command (API-141).
const REFUSED: &str = "⚠️ This command requires authorization.";
/// What people read of a failure (API-146); the log says more.
const FAILED: &str = "⚠️ Command failed. Please try again later.";

/// Changes sessions for people in chats; the gateway does it, since it tells its clients.
#[async_trait]
pub trait SessionCommands: Send + Sync {
    /// Gives the session key a new session. Returns what listeners want to say (HOOK-280).
    async fn reset(&self, session_key: &str, agent_id: &str, new: bool, source: Value) -> Result<Vec<String>, String>;

    /// Lets the session go on as if it began: `/reset soft`. Returns what listeners want to say (HOOK-280).
    async fn refresh(&self, session_key: &str, agent_id: &str, source: Value) -> Result<Vec<String>, String>;

    /// Summarises the conversation so far. Returns what to tell whoever asked.
    async fn compact(&self, session_key: &str, agent_id: &str, instructions: Option<String>) -> Result<String, String>;

    /// Tells clients that the row of a session changed.
    fn changed(&self, session_key: &str, reason: &str);
}

/// Who writes, and where.
pub struct ChatCaller {
    /// `webchat`, or the id of a channel.
    pub surface: String,
    /// The session.
    pub session_key: String,
    /// Its agent.
    pub agent_id: String,
    /// The sender.
    pub sender_id: Option<String>,
    /// May use commands here.
    pub authorized: bool,
    /// The operator.
    pub owner: bool,
    /// Operator scopes of a gateway client; `None` for people in channels.
    pub scopes: Option<Vec<String>>,
    /// What the channel said.
    pub inbound: Option<Arc<Inbound>>,
}

impl ChatCaller {
    fn source(&self) -> Value {
        without_nulls(json!({"commandSource": self.surface, "senderId": self.sender_id}))
    }
}

/// What directives say about the turn of their message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// The message without them, when it held any.
    pub text: Option<String>,
    /// The model.
    pub model: Option<ModelRef>,
    /// The thinking level.
    pub thinking: Option<String>,
    /// What happens while the session is busy.
    pub queue: QueueOptions,
    /// How commands run.
    pub exec: serde_json::Map<String, Value>,
}

/// What became of a text.
#[derive(Debug, PartialEq)]
pub enum ChatOutcome {
    /// It is for the agent.
    Agent(Hints),
    /// Only these payloads are sent.
    Done(Vec<Value>),
    /// They are sent, and the agent answers too (API-145).
    Also(Vec<Value>, Hints),
}

fn said(text: impl Into<String>) -> ChatOutcome {
    ChatOutcome::Done(vec![json!({"text": text.into()})])
}

/// Runs the command that a text is, and takes the directives out of it.
pub async fn run(host: &Arc<Host>, caller: &ChatCaller, text: &str) -> ChatOutcome {
    let registry = host.manager.registry();
    if let Some(found) = registry.match_command(text, Some(&caller.surface)) {
        return of_plugin(host, caller, &found, text).await;
    }
    let settings = host.runtime.settings();
    let reset = trigger_rest(text, &settings.session.reset_triggers);
    let bot = caller.inbound.as_ref().and_then(|i| i.text("BotUsername"));
    let named = Named::read(text, bot.as_deref());
    if let Some(command) = named.as_ref().filter(|n| n.spec.name == "approve") {
        // Who decides has a rule of its own.
        return said(approve(host, caller, &command.args).await);
    }
    if !caller.authorized {
        let command = named.filter(|n| !n.spec.directive && !matches!(n.spec.name, "new" | "reset"));
        if let Some(command) = command {
            tracing::info!(target: "commands", surface = caller.surface, command = command.spec.name, "a command of somebody who may not use it was left out");
            return ChatOutcome::Done(Vec::new());
        }
        return ChatOutcome::Agent(Hints::default());
    }
    if let Some((trigger, rest)) = reset {
        return new_session(host, caller, trigger, rest).await;
    }
    if let Some(named) = named.filter(|n| !n.spec.directive) {
        if named.spec.access == Access::Owner && !caller.owner {
            return said(REFUSED);
        }
        return builtin(host, caller, &named).await;
    }
    let word = normalize(text, bot.as_deref()).and_then(|t| t.split_whitespace().next().map(str::to_string));
    if let Some(word) = word.filter(|w| is_unbuilt(w)) {
        return said(format!("`{word}` is a command of OpenClaw that is not built here; `/commands` lists what is"));
    }
    directives(host, caller, parse_directives(text)).await
}

/// The built-in commands.
async fn builtin(host: &Arc<Host>, caller: &ChatCaller, command: &Named) -> ChatOutcome {
    let args = command.args.as_str();
    match command.spec.name {
        "stop" => said(stop(host, caller).await),
        "compact" => compact(host, caller, args).await,
        "steer" => said(steer(host, caller, args)),
        "models" => said(options::models(host, caller, args).await),
        name => match answers::of(host, caller, name).await {
            Some(text) => said(text),
            None => said(format!("`/{name}` has no answer here")),
        },
    }
}

/// A message that is nothing but directives changes the session; in other messages they hold for that message.
async fn directives(host: &Arc<Host>, caller: &ChatCaller, found: Directives) -> ChatOutcome {
    if !found.any() {
        return ChatOutcome::Agent(Hints::default());
    }
    let mut told = Vec::new();
    for name in &found.shortcuts {
        told.extend(answers::of(host, caller, name).await.map(|text| json!({"text": text})));
    }
    if found.text.is_empty() {
        let acks = options::set(host, caller, &found).await;
        told.extend((!acks.is_empty()).then(|| json!({"text": acks.join("\n")})));
        return ChatOutcome::Done(told);
    }
    let (hints, wrong) = options::hints(host, caller, found);
    told.extend((!wrong.is_empty()).then(|| json!({"text": wrong.join("\n")})));
    if told.is_empty() { ChatOutcome::Agent(hints) } else { ChatOutcome::Also(told, hints) }
}

async fn of_plugin(host: &Arc<Host>, caller: &ChatCaller, found: &CommandMatch<'_>, text: &str) -> ChatOutcome {
    let command = found.command;
    let scoped = match &caller.scopes {
        Some(scopes) => command.required_scopes.iter().all(|s| chela_plugin::register::scopes_satisfy(scopes, s)),
        None => command.required_scopes.is_empty() || caller.owner,
    };
    if (command.require_auth && !caller.authorized) || !scoped {
        return said(REFUSED);
    }
    let row = host.runtime.store.session(&caller.session_key).await.ok().flatten();
    let of = |name: &str| caller.inbound.as_ref().and_then(|i| i.text(name));
    let mut ctx = without_nulls(json!({
        "senderId": caller.sender_id, "channel": caller.surface, "channelId": caller.surface, "isAuthorizedSender": caller.authorized,
        "gatewayClientScopes": caller.scopes, "sessionKey": caller.session_key, "sessionId": row.as_ref().map(|r| r.session_id.clone()),
        "sessionFile": row.as_ref().map(|r| r.session_file.clone()), "args": found.args, "commandBody": text, "from": of("From"),
        "to": caller.inbound.as_ref().and_then(|i| i.conversation()), "accountId": of("AccountId"),
        "messageThreadId": caller.inbound.as_ref().and_then(|i| i.context.get("MessageThreadId").cloned()),
        "threadParentId": of("ThreadParentId"),
    }));
    if !command.required_scopes.is_empty() || command.reserved {
        // API-143: who only answers texts need not know who the owner is.
        ctx["senderIsOwner"] = caller.owner.into();
    }
    let call = Call::new(vec![ctx]).adapter(Adapter::Command).budget(Some(BUDGET));
    match command.handler.call(call).await {
        Ok(mut reply) => {
            let go_on = reply["continueAgent"] == true;
            if let Some(reply) = reply.as_object_mut() {
                reply.shift_remove("continueAgent");
            }
            let payloads = if reply.as_object().is_some_and(|o| !o.is_empty()) { vec![reply] } else { Vec::new() };
            if go_on { ChatOutcome::Also(payloads, Hints::default()) } else { ChatOutcome::Done(payloads) }
        }
        Err(error) => {
            tracing::error!(target: "plugins", plugin = %command.owner.id, command = %command.name, "{error}");
            said(FAILED)
        }
    }
}

/// `/new`, `/reset` and what `session.resetTriggers` names. What stands after it is the first message of the new session; after `/new`
/// a model may stand before that.
async fn new_session(host: &Arc<Host>, caller: &ChatCaller, trigger: &str, rest: &str) -> ChatOutcome {
    let is_reset = trigger.eq_ignore_ascii_case("/reset");
    if let Some(note) = is_reset.then(|| soft_note(rest)).flatten() {
        return refresh(host, caller, note).await;
    }
    let Some(sessions) = host.channels.sessions.get() else { return said("Sessions cannot be reset here") };
    let done = sessions.reset(&caller.session_key, &caller.agent_id, !is_reset, caller.source()).await;
    let mut lines = match done {
        Ok(lines) => lines,
        Err(error) => {
            tracing::error!(target: "commands", session = caller.session_key, "the session could not be reset: {error}");
            return said(FAILED);
        }
    };
    let (model, rest) = match (is_reset, options::leading_model(host, caller, rest)) {
        (false, Some((model, rest))) => (Some(model), rest),
        _ => (None, rest),
    };
    match model {
        Some(model) => match options::put_model(host, caller, Some(&model)).await {
            Ok(()) => lines.push(format!("A new session has begun with {}", model.key())),
            Err(error) => lines.push(error),
        },
        None => lines.push("A new session has begun".into()),
    }
    let payloads = vec![json!({"text": lines.join("\n\n")})];
    if rest.is_empty() {
        return ChatOutcome::Done(payloads);
    }
    ChatOutcome::Also(payloads, Hints { text: Some(rest.to_string()), ..Hints::default() })
}

/// What stands after `soft`; `None` when the word is another one.
fn soft_note(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let (word, note) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    word.eq_ignore_ascii_case("soft").then_some(note.trim())
}

/// `/reset soft`: the agent answers the note, or greets as at the start of a session, with its history before it.
async fn refresh(host: &Arc<Host>, caller: &ChatCaller, note: &str) -> ChatOutcome {
    let Some(sessions) = host.channels.sessions.get() else { return said("Sessions cannot be reset here") };
    let lines = match sessions.refresh(&caller.session_key, &caller.agent_id, caller.source()).await {
        Ok(lines) => lines,
        Err(error) => {
            tracing::error!(target: "commands", session = caller.session_key, "the session could not be reset: {error}");
            return said(FAILED);
        }
    };
    let text = if note.is_empty() { START_AGAIN } else { note };
    let hints = Hints { text: Some(text.to_string()), ..Hints::default() };
    if lines.is_empty() { ChatOutcome::Agent(hints) } else { ChatOutcome::Also(vec![json!({"text": lines.join("\n\n")})], hints) }
}

/// Clients with the scope for it, the owner and the approvers of a channel decide; nobody else does, whatever else they may (HOOK-195).
async fn approve(host: &Arc<Host>, caller: &ChatCaller, args: &str) -> String {
    let sender = caller.sender_id.as_deref().unwrap_or_default();
    let allowed = match &caller.scopes {
        Some(scopes) => chela_plugin::register::scopes_satisfy(scopes, "operator.approvals"),
        None => caller.owner || is_approver(host, &caller.surface, sender),
    };
    let by = format!("{}:{sender}", caller.surface);
    crate::approvals::command(&host.runtime, &format!("/approve {args}"), allowed, &by).await
}

fn is_approver(host: &Host, channel: &str, sender: &str) -> bool {
    let config = host.runtime.config();
    let listed = config.get(&format!("channels.{channel}.execApprovals.approvers")).and_then(Value::as_array);
    let is = |row: &Value| match row {
        Value::String(id) => id.trim() == sender,
        Value::Number(id) => id.to_string() == sender,
        _ => false,
    };
    !sender.is_empty() && listed.is_some_and(|rows| rows.iter().any(is))
}

async fn stop(host: &Arc<Host>, caller: &ChatCaller) -> String {
    let count = host.runtime.runs.abort_session(&caller.session_key).len();
    let plugins = chela_agent::TurnPlugins::current(host.manager.as_ref());
    let mut context = caller.source();
    context["workspaceDir"] = json!(host.runtime.workspace_of(&caller.agent_id));
    let mut lines = plugins.internal.emit("command", "stop", &caller.session_key, context).await.messages;
    lines.push(if count == 0 { "Nothing is running".into() } else { format!("Stopped {count} run(s)") });
    lines.join("\n\n")
}

async fn compact(host: &Arc<Host>, caller: &ChatCaller, about: &str) -> ChatOutcome {
    let Some(sessions) = host.channels.sessions.get() else { return said("Sessions cannot be compacted here") };
    let about = (!about.is_empty()).then(|| about.to_string());
    match sessions.compact(&caller.session_key, &caller.agent_id, about).await {
        Ok(text) => said(text),
        Err(error) => {
            tracing::error!(target: "commands", session = caller.session_key, "the session could not be compacted: {error}");
            said(FAILED)
        }
    }
}

/// What `/status` says to a caller.
pub(crate) async fn status_text(host: &Arc<Host>, caller: &ChatCaller) -> String {
    answers::of(host, caller, "status").await.unwrap_or_default()
}

/// Tells the run under way something, whatever the queue says about other messages.
fn steer(host: &Arc<Host>, caller: &ChatCaller, text: &str) -> String {
    if text.is_empty() {
        return "Say what the run should know: `/steer <message>`".into();
    }
    let asked = chela_agent::turn::Guidance {
        session_key: &caller.session_key,
        surface: &caller.surface,
        inbound: caller.inbound.as_ref(),
        sender_id: caller.sender_id.clone(),
        owner: caller.owner,
        text,
    };
    match host.runtime.steer(asked) {
        true => "The run takes it up before it asks the model next".into(),
        false => "No run takes anything up here now".into(),
    }
}

/// True when the sender may use commands: on `commands.allowFrom` where that is set, else as the channel says.
pub(crate) fn may_command(config: &Config, inbound: &Inbound, channel: &str) -> bool {
    let Some(lists) = config.get("commands.allowFrom").and_then(Value::as_object) else {
        return inbound.context["CommandAuthorized"] == true;
    };
    let list = lists.get(channel).or_else(|| lists.get("*")).and_then(Value::as_array);
    let allowed = list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string).or_else(|| v.as_i64().map(|n| n.to_string())));
    let names = ["SenderId", "From", "SenderE164", "SenderUsername"].into_iter().filter_map(|name| inbound.text(name));
    let known: Vec<String> =
        names.flat_map(|id| [format!("{channel}:{id}"), format!("user:{id}"), id]).map(|id| id.to_lowercase()).collect();
    allowed.map(|one| one.trim().to_lowercase()).any(|one| one == "*" || known.contains(&one))
}

/// True when texts with a slash are commands on this channel: `commands.text: false` leaves them to the native commands of channels that
/// have such.
pub(crate) fn reads_commands(host: &Host, inbound: &Inbound, channel: &str) -> bool {
    if host.runtime.config().get("commands.text") != Some(&Value::Bool(false)) || inbound.text("CommandSource").as_deref() == Some("native")
    {
        return true;
    }
    let registry = host.manager.registry();
    let native = registry.channel(channel).and_then(|c| c.plugin.value().pointer("/capabilities/nativeCommands").and_then(Value::as_bool));
    native != Some(true)
}
