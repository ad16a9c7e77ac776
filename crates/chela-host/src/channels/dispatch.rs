//! One message of a channel: checked, run as a turn, and its answer handed back to the channel that delivers it.

mod follow;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_agent::send_policy;
use chela_agent::turn::Inbound;
use chela_agent::{Accepted, Entry, RunOutcome, RunStatus, TurnPlugins, TurnRequest};
use chela_plugin::{CallError, HookName};
use chela_store::session_key;
use serde_json::{Value, json};

use super::bound::{self, Claimed};
use super::dedupe::Claim;
use super::directives;
use super::prompt;
use super::record::surface_of;
use super::reply_hook::{ReplyFacts, usage_state};
use super::send::without_nulls;
use crate::assemble::Host;
use crate::chat::{self, ChatCaller, ChatOutcome, Hints};
use crate::requests::{Reply, Request, failed};

/// Longest context of one message, in bytes.
const LARGEST_CONTEXT: usize = 4 * 1024 * 1024;
/// Answers whose delivery is waited for; an older one that a channel never told about is forgotten.
const MOST_DELIVERIES: usize = 1000;
/// What people in a direct chat are told of a failure (MSG-114); the log says more.
const FAILED: &str = "⚠️ Something went wrong with this message; the gateway log says why";

/// An answer that a channel is sending.
pub(super) struct Delivery {
    plugin: String,
    begun: Instant,
    event: Value,
    ctx: Value,
    group: Option<String>,
}

/// A message on its way to a turn.
pub(super) struct Message {
    pub(super) inbound: Arc<Inbound>,
    pub(super) channel: String,
    pub(super) session_key: String,
    pub(super) agent_id: String,
    pub(super) run_id: String,
    pub(super) is_owner: bool,
    options: Value,
}

impl Message {
    fn of(request: &Request<'_>) -> Result<Self, CallError> {
        let context = request.params["ctx"].clone();
        let refuse = |text: String| CallError::refused("INVALID_PARAMS", text);
        if !context.is_object() || context.to_string().len() > LARGEST_CONTEXT {
            return Err(refuse(format!("`ctx` must be an object of at most {LARGEST_CONTEXT} bytes")));
        }
        let inbound = Inbound { context };
        let channel = surface_of(&inbound).ok_or_else(|| refuse("`ctx` names no channel in `OriginatingChannel` or `Provider`".into()))?;
        let owner = request.host.manager.registry().channel(&channel).map(|c| c.owner().id.clone());
        if owner.is_some_and(|id| id.as_ref() != request.plugin) {
            return Err(CallError::refused(
                "DENIED",
                format!("the channel `{channel}` belongs to another plugin than `{}`", request.plugin),
            ));
        }
        let key = inbound
            .text("SessionKey")
            .ok_or_else(|| refuse("`ctx.SessionKey` is missing; ask `routing.resolveAgentRoute` for it".into()))?;
        let settings = request.host.runtime.settings();
        let session_key = session_key::canonicalize(&key, &settings.agents.default_id);
        let agent_id = session_key::agent_of(&session_key);
        if settings.agents.get(&agent_id).is_none() {
            return Err(CallError::refused("NOT_FOUND", format!("agent `{agent_id}` of session `{session_key}` is not in the config")));
        }
        let options = request.params["options"].clone();
        let run_id = options["runId"].as_str().map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_string);
        let is_owner = is_owner(&request.host.runtime.config(), &inbound, &channel);
        Ok(Self { inbound: Arc::new(inbound), channel, session_key, agent_id, run_id, is_owner, options })
    }

    /// What makes the message itself and no other (CH-118, CH-119); none without an id of the platform.
    fn identity(&self) -> Option<String> {
        let id = self.inbound.text("MessageSid")?;
        let peer = ["OriginatingTo", "To", "From"].into_iter().find_map(|name| self.inbound.text(name));
        let peer = peer.unwrap_or_else(|| self.session_key.clone());
        let part = |name: &str| self.inbound.text(name).unwrap_or_default();
        Some(json!([self.agent_id, self.channel, peer, part("AccountId"), part("MessageThreadId"), id]).to_string())
    }

    /// Who writes, for commands.
    fn caller(&self, host: &Host) -> ChatCaller {
        ChatCaller {
            surface: self.channel.clone(),
            session_key: self.session_key.clone(),
            agent_id: self.agent_id.clone(),
            sender_id: self.sender(),
            authorized: chat::may_command(&host.runtime.config(), &self.inbound, &self.channel),
            owner: self.is_owner,
            scopes: None,
            inbound: Some(self.inbound.clone()),
        }
    }

    fn sender(&self) -> Option<String> {
        self.inbound.text("SenderId").or_else(|| self.inbound.text("From"))
    }

    /// What the sender wrote, where commands are looked for.
    fn command_text(&self) -> Option<String> {
        ["BodyForCommands", "CommandBody", "RawBody", "Body"].into_iter().find_map(|name| self.inbound.text(name))
    }

    /// The message as the agent reads it, with what directives left of the sender's own words.
    fn text(&self, hints: &Hints) -> String {
        let composed = prompt::compose(&self.inbound);
        let Some(left) = &hints.text else { return composed };
        match self.command_text().and_then(|own| Some((composed.rfind(&own)?, own.len()))) {
            Some((at, length)) => format!("{}{left}{}", &composed[..at], &composed[at + length..]),
            None => left.clone(),
        }
    }

    async fn turn(&self, host: &Host, hints: Hints) -> TurnRequest {
        let seconds = self.options["timeoutOverrideSeconds"].as_u64().filter(|s| *s > 0);
        let seconds = seconds.unwrap_or_else(|| host.runtime.settings().agents.timeout_seconds.max(1));
        let mut images = prompt::images(&self.inbound, &host.media_dir()).await;
        let given = self.options["images"].as_array().into_iter().flatten();
        images.extend(given.filter(|i| i["type"] == "image" && i["data"].is_string()).take(8).cloned());
        TurnRequest {
            run_id: self.run_id.clone(),
            session_key: self.session_key.clone(),
            agent_id: self.agent_id.clone(),
            message: self.text(&hints),
            images,
            entry: Entry::Channel,
            surface: self.channel.clone(),
            sender_id: self.sender(),
            sender_is_owner: self.is_owner,
            scopes: Vec::new(),
            model: hints.model,
            thinking: hints.thinking.or_else(|| self.options["thinkingLevelOverride"].as_str().map(str::to_string)),
            extra_system_prompt: self.inbound.text("GroupSystemPrompt"),
            client_tools: Vec::new(),
            queue: hints.queue,
            exec: hints.exec,
            inbound: Some(self.inbound.clone()),
            trigger: if self.options["isHeartbeat"] == true { "heartbeat" } else { "user" },
            timeout: Duration::from_secs(seconds),
        }
    }
}

/// True when the sender is on `commands.ownerAllowFrom`, or, where that is empty, on the owner list that the channel gives.
fn is_owner(config: &chela_config::Config, inbound: &Inbound, channel: &str) -> bool {
    let texts = |list: Option<&Value>| -> Vec<String> {
        let rows = list.and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(|v| v.as_str().map(str::to_string).or_else(|| v.as_i64().map(|n| n.to_string()))).collect()
    };
    let mut owners = texts(config.get("commands.ownerAllowFrom"));
    if owners.is_empty() {
        owners = texts(inbound.context.get("OwnerAllowFrom"));
    }
    let names = ["SenderId", "From", "SenderE164"].into_iter().filter_map(|name| inbound.text(name));
    let known: Vec<String> = names.flat_map(|id| [format!("{channel}:{id}"), id]).map(|id| id.to_lowercase()).collect();
    owners.iter().any(|owner| known.contains(&owner.trim().to_lowercase()))
}

/// Aborts a run whose channel does not want it any more: the request that stands for it was dropped.
struct Unless(Option<(Arc<Host>, String)>);

impl Drop for Unless {
    fn drop(&mut self) {
        if let Some((host, run)) = self.0.take() {
            host.runtime.runs.abort_run(&run);
        }
    }
}

/// `host.channel.dispatch {ctx, options, wants, onEvent}` -> `{replies, deliveryId?}`.
pub(crate) async fn dispatch(request: &Request<'_>) -> Reply {
    let host = request.host;
    let message = Message::of(request)?;
    host.wait_open().await;
    let identity = message.identity();
    if let Some(key) = &identity {
        let claim = host.channels.seen().claim(key, Instant::now());
        if claim != Claim::Claimed {
            tracing::debug!(target: "channels", channel = %message.channel, ?claim, "a message that came before was left out");
            return Ok(json!({"replies": [], "duplicate": true}));
        }
    }
    let answer = answer(request, &message).await;
    if let Some(key) = &identity {
        match &answer {
            Ok(_) => host.channels.seen().commit(key, Instant::now()),
            Err(_) => host.channels.seen().release(key),
        }
    }
    answer
}

async fn answer(request: &Request<'_>, message: &Message) -> Reply {
    let host = request.host;
    host.manager.ensure_for_turn().await;
    let mut first = Vec::new();
    let denied = delivery_denied(host, message).await;
    // What a plugin claims it answers: where nothing may be sent the agent has the message (HOOK-211).
    let claimed = if denied { Claimed::No(None) } else { bound::claim(host, message).await };
    match claimed {
        Claimed::Yes(payloads) => return Ok(hand_back(host, request.plugin, message, payloads, None).await),
        Claimed::No(notice) => first.extend(notice),
    }
    let text = message.command_text().filter(|_| chat::reads_commands(host, &message.inbound, &message.channel));
    let hints = match text {
        Some(text) => match chat::run(host, &message.caller(host), &text).await {
            ChatOutcome::Done(payloads) => {
                first.extend(payloads);
                return Ok(hand_back(host, request.plugin, message, first, None).await);
            }
            ChatOutcome::Also(payloads, hints) => {
                first.extend(payloads);
                hints
            }
            ChatOutcome::Agent(hints) => hints,
        },
        None => Hints::default(),
    };
    let turn = message.turn(host, hints).await;
    let follower = follow::Follower::new(request, &message.run_id);
    let outcome = run(host, turn).await?;
    follower.end().await;
    if !denied {
        first.extend(replies(message, &outcome));
    }
    Ok(hand_back(host, request.plugin, message, first, usage_state(host, &outcome).await).await)
}

/// True when answers of the agent may not leave through the channel.
async fn delivery_denied(host: &Host, message: &Message) -> bool {
    let row = host.runtime.store.session(&message.session_key).await.ok().flatten();
    let kind = message.inbound.text("ChatType");
    let place = send_policy::Place { key: &message.session_key, channel: &message.channel, chat_type: kind.as_deref() };
    send_policy::denies(&host.runtime.config(), row.as_ref(), place)
}

/// Runs the turn to its end; the run is aborted when nobody waits for it any more.
async fn run(host: &Arc<Host>, turn: TurnRequest) -> Result<Arc<RunOutcome>, CallError> {
    let run_id = turn.run_id.clone();
    match host.runtime.accept(&turn, "channel").await.map_err(failed)? {
        Accepted::New(ticket, mut pledge) => {
            let mut guard = Unless(Some((host.clone(), run_id)));
            let running = tokio::spawn(chela_agent::turn::run(host.runtime.clone(), turn, ticket));
            pledge.kept().await.map_err(failed)?;
            drop(pledge);
            let outcome = running.await.map_err(failed)?;
            guard.0 = None;
            Ok(outcome)
        }
        Accepted::InFlight(id) => {
            Err(CallError::refused("IN_FLIGHT", format!("run `{id}` is under way; give each message a run id of its own")))
        }
        Accepted::Finished(outcome) => Ok(outcome),
    }
}

/// What the outcome of a turn says to the conversation.
fn replies(message: &Message, outcome: &RunOutcome) -> Option<Value> {
    let failure = || match (outcome.status, message.inbound.is_group()) {
        (RunStatus::Error | RunStatus::Timeout, false) => Some(json!({"text": FAILED, "isError": true})),
        _ => None,
    };
    let mut payload = outcome.text.as_deref().and_then(directives::payload).or_else(failure)?;
    if payload["replyToCurrent"] == true
        && let Some(id) = message.inbound.text("MessageSid")
    {
        payload["replyToId"] = id.into();
    }
    Some(payload)
}

/// The answer to the channel: payloads in order, and the delivery that it tells about.
async fn hand_back(host: &Host, plugin: &str, message: &Message, given: Vec<Value>, usage: Option<Value>) -> Value {
    let ctx = json!({
        "channelId": message.channel, "accountId": message.inbound.text("AccountId"), "conversationId": message.inbound.conversation(),
        "sessionKey": message.session_key, "runId": message.run_id, "senderId": message.inbound.text("SenderId"),
    });
    let facts = ReplyFacts {
        channel: Some(message.channel.clone()),
        session_key: message.session_key.clone(),
        run_id: Some(message.run_id.clone()),
        ctx: ctx.clone(),
        usage,
    };
    let mut payloads = Vec::new();
    for payload in given.into_iter().filter(|p| p.as_object().is_some_and(|o| !o.is_empty())) {
        payloads.extend(host.pass_reply(payload, &facts).await);
    }
    if payloads.is_empty() {
        return json!({"replies": []});
    }
    let texts: Vec<&str> = payloads.iter().filter_map(|p| p["text"].as_str()).filter(|t| !t.is_empty()).collect();
    let id = uuid::Uuid::new_v4().to_string();
    let event = json!({
        "to": message.inbound.conversation().unwrap_or_else(|| message.session_key.clone()), "content": texts.join("\n\n"),
        "sessionKey": message.session_key, "runId": message.run_id,
    });
    let group = message.inbound.conversation().filter(|_| message.inbound.is_group());
    host.channels.expect(id.clone(), Delivery { plugin: plugin.into(), begun: Instant::now(), event, ctx, group });
    let replies: Vec<Value> = payloads.into_iter().map(|payload| json!({"kind": "final", "payload": payload})).collect();
    json!({"replies": replies, "deliveryId": id})
}

impl super::Channels {
    fn expect(&self, id: String, delivery: Delivery) {
        let mut all = self.deliveries();
        if all.len() >= MOST_DELIVERIES
            && let Some(oldest) = all.iter().min_by_key(|(_, d)| d.begun).map(|(id, _)| id.clone())
        {
            all.remove(&oldest);
        }
        all.insert(id, delivery);
    }
}

/// `host.channel.delivered {deliveryId, success, messageId?, error?}`: the channel has tried, so `message_sent` follows (HOOK-219).
pub(crate) fn delivered(request: &Request<'_>) -> Reply {
    let id = request.text("deliveryId")?;
    let mine = |d: &Delivery| d.plugin == request.plugin;
    let delivery = {
        let mut all = request.host.channels.deliveries();
        if all.get(id).is_some_and(mine) { all.remove(id) } else { None }
    };
    let Some(delivery) = delivery else { return Err(CallError::refused("NOT_FOUND", format!("there is no delivery `{id}`"))) };
    let mut event = delivery.event;
    event["success"] = (request.params["success"] != false).into();
    for name in ["messageId", "error"] {
        if let Some(text) = request.optional(name) {
            event[name] = text.chars().take(1000).collect::<String>().into();
        }
    }
    let channel = delivery.ctx["channelId"].as_str().unwrap_or_default();
    crate::figures::delivered(request.host, channel, "text", event["success"] == true, delivery.begun);
    announce_sent(request.host, event, delivery.ctx, delivery.group);
    Ok(Value::Null)
}

/// Tells plugins what became of a message (HOOK-039, HOOK-075, HOOK-275). `group` is the conversation, where it is one of many.
pub(super) fn announce_sent(host: &Host, event: Value, ctx: Value, group: Option<String>) {
    let generation = host.manager.current();
    let internal = without_nulls(json!({
        "to": event["to"], "content": event["content"], "success": event["success"], "error": event["error"],
        "channelId": ctx["channelId"], "accountId": ctx["accountId"], "conversationId": ctx["conversationId"],
        "messageId": event["messageId"], "isGroup": group.is_some(), "groupId": group,
    }));
    let key = event["sessionKey"].as_str().unwrap_or_default().to_string();
    generation.hooks.spawn_parallel(HookName::MessageSent, || (event, ctx));
    if generation.internal.has("message", "sent") && !key.is_empty() {
        let bus = generation.internal;
        chela_agent::background::spawn_in_order(async move {
            bus.emit("message", "sent", &key, internal).await;
        });
    }
}
