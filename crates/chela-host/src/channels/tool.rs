//! The agent's `message` tool: one tool for all channels (CH-172, TOOL-74, TOOL-78).

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use chela_plugin::{Call, Channel, ChannelOp};
use serde_json::{Value, json};

use super::send::{SendRequest, Sent, without_nulls};
use crate::assemble::Host;

/// Actions that every channel with an outbound adapter has.
const OWN: &[&str] = &["send", "reply", "broadcast", "poll"];
/// Longest action of a channel.
const BUDGET: Duration = Duration::from_secs(60);
/// Allows sends from a conversation on one channel to another channel.
const CROSS: &str = "tools.message.crossContext.allowAcrossProviders";
/// Targets of one broadcast.
const MOST_TARGETS: usize = 25;
/// Largest result of an action, in bytes.
const LARGEST_RESULT: usize = 64 * 1024;

/// `message`.
pub(crate) struct MessageTool(pub(crate) Weak<Host>);

impl fmt::Debug for MessageTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageTool")
    }
}

/// Where a call sends to when it does not say.
#[derive(Default)]
struct Here {
    channel: Option<String>,
    to: Option<String>,
    account: Option<String>,
    thread: Option<Value>,
}

fn text(params: &Value, names: &[&str]) -> Option<String> {
    let one = |name: &&str| match &params[*name] {
        Value::String(text) => Some(text.trim().to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    names.iter().filter_map(one).find(|t| !t.is_empty())
}

#[async_trait]
impl HostTool for MessageTool {
    fn name(&self) -> &'static str {
        "message"
    }

    fn describe(&self, registry: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let channels: Vec<String> = registry.channels().filter(|c| c.plugin.value().get("outbound").is_some()).map(|c| c.id).collect();
        if channels.is_empty() {
            return None;
        }
        let texts = json!({"type": "array", "items": {"type": "string"}});
        Some(HostToolSpec {
            label: "Message".into(),
            description: format!(
                "Send messages and polls through the channels of this gateway ({}), or use an action of the channel such as react, edit or \
                 delete. Without channel and target it goes to the current conversation.",
                channels.join(", ")
            ),
            parameters: json!({"type": "object", "required": ["action"], "additionalProperties": true, "properties": {
                "action": {"type": "string", "description": "send, reply, broadcast, poll, or an action of the channel"},
                "channel": {"type": "string"}, "accountId": {"type": "string"},
                "target": {"type": "string", "description": "user, group or room, in the words of the channel"}, "targets": texts,
                "message": {"type": "string"}, "media": {"type": "string", "description": "web address of an attachment"},
                "replyTo": {"type": "string", "description": "id of the message to answer"}, "threadId": {"type": "string"},
                "silent": {"type": "boolean"}, "dryRun": {"type": "boolean"},
                "pollQuestion": {"type": "string"}, "pollOption": texts, "messageId": {"type": "string"}, "emoji": {"type": "string"},
            }}),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = self.0.upgrade().ok_or("the gateway is closing")?;
        let action = text(&call.params, &["action"]).ok_or("`action` is missing")?;
        let here = host.here(call.session_key).await;
        let named = text(&call.params, &["channel"]).or_else(|| here.channel.clone());
        let channel = match named {
            Some(name) => call.registry.channel(&name).ok_or_else(|| format!("unknown channel: {name}"))?,
            None => only(call.registry)?,
        };
        // TOOL-76: what is said in one place stays there unless the operator allows otherwise.
        let crosses = here.channel.as_deref().is_some_and(|c| !channel.answers_to(c));
        if crosses && host.runtime.config().get(CROSS) != Some(&Value::Bool(true)) {
            return Err(format!("this conversation is on another channel than {}; set `{CROSS}` to send across channels", channel.id));
        }
        let same = here.channel.as_deref().is_none_or(|c| channel.answers_to(c));
        let here = if same { here } else { Here::default() };
        if !OWN.contains(&action.as_str()) {
            return host.act(&channel, &action, &here, &call).await;
        }
        let targets: Vec<String> = if action == "broadcast" {
            let list = call.params["targets"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string);
            list.take(MOST_TARGETS).collect()
        } else {
            text(&call.params, &["target", "to"]).or(here.to.clone()).into_iter().collect()
        };
        if targets.is_empty() {
            return Err("a target is missing; name one in `target` (`targets` for broadcast)".into());
        }
        if action == "broadcast" && host.runtime.config().get("tools.message.broadcast.enabled") == Some(&Value::Bool(false)) {
            return Err("broadcast is off; set `tools.message.broadcast.enabled` to use it".into());
        }
        let mut rows = Vec::new();
        for to in targets {
            let request = request_of(&channel, &action, &to, &here, &call)?;
            if call.params["dryRun"] == true {
                rows.push(json!({"to": to, "dryRun": true}));
                continue;
            }
            let sent = host.send_message(request).await;
            match sent {
                Ok(sent) => rows.push(shown(&sent)),
                Err(error) if action == "broadcast" => rows.push(json!({"to": to, "error": error.to_string()})),
                Err(error) => return Err(error.to_string()),
            }
        }
        let details = if action == "broadcast" { json!({"results": rows}) } else { rows.remove(0) };
        Ok(json!({"content": [{"type": "text", "text": details.to_string()}], "details": details}))
    }
}

fn only(registry: &Registry) -> Result<Channel, String> {
    let mut able = registry.channels().filter(|c| c.plugin.value().get("outbound").is_some());
    match (able.next(), able.next()) {
        (Some(only), None) => Ok(only),
        _ => Err("several channels are there; name one in `channel`".into()),
    }
}

fn request_of(channel: &Channel, action: &str, to: &str, here: &Here, call: &HostToolCall<'_>) -> Result<SendRequest, String> {
    let params = &call.params;
    let mut payload = json!({"text": text(params, &["message", "caption"]).unwrap_or_default()});
    let media: Vec<String> = text(params, &["media", "mediaUrl"]).into_iter().collect();
    if let Some(other) = media.iter().find(|m| !m.starts_with("https://") && !m.starts_with("http://")) {
        return Err(format!("`{other}` is no web address; only web addresses can be attached"));
    }
    if !media.is_empty() {
        payload["mediaUrls"] = media.into();
    }
    let reply_to_id = text(params, &["replyTo", "replyToId", "messageId"]);
    if action == "reply" && reply_to_id.is_none() {
        return Err("`replyTo` is missing: the id of the message to answer".into());
    }
    let poll = if action == "poll" {
        let options: Vec<&str> = params["pollOption"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let question = text(params, &["pollQuestion"]).ok_or("`pollQuestion` is missing")?;
        if !(2..=12).contains(&options.len()) {
            return Err("`pollOption` needs from 2 to 12 options".into());
        }
        Some(json!({"question": question, "options": options}))
    } else {
        None
    };
    let current = here.to.as_deref() == Some(to);
    Ok(SendRequest {
        channel: channel.id.clone(),
        account_id: text(params, &["accountId"]).or_else(|| here.account.clone()),
        to: to.into(),
        hooks: poll.is_none(),
        payload,
        poll,
        thread_id: text(params, &["threadId"]).map(Value::from).or_else(|| here.thread.clone().filter(|_| current)),
        reply_to_id: reply_to_id.filter(|_| action != "poll"),
        silent: params["silent"] == true,
        session_key: Some(call.session_key.to_string()),
    })
}

fn shown(sent: &Sent) -> Value {
    without_nulls(json!({
        "channel": sent.channel, "to": sent.to, "accountId": sent.account_id, "messageId": sent.message_id(),
        "suppressed": sent.cancelled.then_some("cancelled_by_message_sending_hook"),
    }))
}

impl Host {
    /// The conversation that a session answers to.
    async fn here(&self, session_key: &str) -> Here {
        let row = self.runtime.store.session(session_key).await.ok().flatten();
        let Some(delivery) = row.and_then(|r| r.extra.get("deliveryContext").cloned()) else { return Here::default() };
        let channel = text(&delivery, &["channel"]).filter(|c| self.manager.registry().channel(c).is_some());
        if channel.is_none() {
            return Here::default();
        }
        let thread = delivery.get("threadId").filter(|t| !t.is_null()).cloned();
        Here { channel, to: text(&delivery, &["to"]), account: text(&delivery, &["accountId"]), thread }
    }

    /// An action that only the channel knows (CH-173..CH-176).
    async fn act(&self, channel: &Channel, action: &str, here: &Here, call: &HostToolCall<'_>) -> Result<Value, String> {
        let failed = |error: chela_plugin::CallError| format!("action {action} of channel {} failed: {error}", channel.id);
        let mut params = call.params.clone();
        if let (Some(params), Some(to)) = (params.as_object_mut(), &here.to) {
            params.entry("to").or_insert_with(|| to.clone().into());
        }
        let request = without_nulls(json!({
            "step": "handle", "action": action, "params": params, "accountId": text(&call.params, &["accountId"]).or_else(|| here.account.clone()),
            "sessionKey": call.session_key, "dryRun": call.params["dryRun"] == true, "requesterSenderId": call.context.get("requesterSenderId"),
            "toolContext": without_nulls(json!({"currentChannelProvider": here.channel, "currentChannelId": here.to})),
        }));
        let ask = Call::new(Vec::new()).budget(Some(BUDGET)).cancelled_by(call.cancel.clone());
        let answer = channel.ask(ChannelOp::Action, request, ask).await.map_err(failed)?;
        if answer["handled"] != true {
            let known = channel.ask(ChannelOp::Action, json!({"step": "describe"}), Call::new(Vec::new()).budget(Some(BUDGET))).await;
            let known = known.map(|d| d["actions"].to_string()).unwrap_or_default();
            return Err(format!("channel {} does not support action {action}; beside {} it offers {known}", channel.id, OWN.join(", ")));
        }
        let result = answer["result"].clone();
        if result.to_string().len() > LARGEST_RESULT {
            return Err(format!("action {action} of channel {} gave more than {LARGEST_RESULT} bytes", channel.id));
        }
        if result["content"].is_array() {
            Ok(result)
        } else {
            Ok(json!({"content": [{"type": "text", "text": result.to_string()}], "details": result}))
        }
    }
}
