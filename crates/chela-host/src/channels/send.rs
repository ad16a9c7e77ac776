//! Messages that go out through a channel's own adapter: from clients, tools and other plugins (CH-160..CH-167).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::TurnPlugins;
use chela_plugin::{Call, CallError, Channel, ChannelOp, HookName};
use serde_json::{Value, json};

use super::dispatch::announce_sent;
use super::reply_hook::ReplyFacts;
use crate::assemble::Host;

/// Longest sending of one message, all its pieces together.
const SEND_BUDGET: Duration = Duration::from_secs(60);
/// Longest look-up of a target.
const TARGET_BUDGET: Duration = Duration::from_secs(15);
/// Largest payload, in bytes.
const LARGEST_PAYLOAD: usize = 1024 * 1024;
/// Sent messages that a channel may report for one payload.
const MOST_RESULTS: usize = 100;

/// One message to send.
#[derive(Clone, Debug, Default)]
pub struct SendRequest {
    /// Channel id or alias.
    pub channel: String,
    /// Account; the channel's default one when absent (CH-23).
    pub account_id: Option<String>,
    /// Target in the channel's own words.
    pub to: String,
    /// Reply payload: `text`, `mediaUrl`, `mediaUrls`, `channelData`, ... (MSG-100).
    pub payload: Value,
    /// A poll in place of the payload: `{question, options, maxSelections?, durationHours?}`.
    pub poll: Option<Value>,
    /// Thread, as the channel names it.
    pub thread_id: Option<Value>,
    /// The message that is answered.
    pub reply_to_id: Option<String>,
    /// Without a notification, where the channel can.
    pub silent: bool,
    /// The session that it belongs to, for hooks.
    pub session_key: Option<String>,
    /// False when the hooks have been asked before.
    pub hooks: bool,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No such channel runs here.
    #[error("unknown channel: {0}; `channels.status` lists the channels there are")]
    UnknownChannel(String),
    /// The channel has no way to send it.
    #[error("channel {0} cannot send: its plugin has no outbound adapter for it")]
    Unsupported(String),
    /// The target is no target.
    #[error("invalid target for channel {channel}: {reason}")]
    Target {
        /// Channel.
        channel: String,
        /// The channel's words.
        reason: String,
    },
    /// The payload is too large.
    #[error("a message of {0} bytes is too large to send; the limit is {LARGEST_PAYLOAD}")]
    TooLarge(usize),
    /// The channel failed.
    #[error("channel {channel} failed to send: {source}")]
    Failed {
        /// Channel.
        channel: String,
        /// What it threw.
        source: CallError,
    },
}

/// What became of a message.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The channel's id, where an alias was given.
    pub channel: String,
    /// The account that sent it.
    pub account_id: String,
    /// The target as the channel normalised it.
    pub to: String,
    /// A hook kept it back (HOOK-217); nothing was sent then.
    pub cancelled: bool,
    /// `{messageId, ...}` of each sent piece.
    pub results: Vec<Value>,
}

impl Sent {
    /// The id of the first piece.
    pub fn message_id(&self) -> Option<String> {
        let id = |row: &Value| match &row["messageId"] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => row["platformMessageIds"][0].as_str().map(str::to_string),
        };
        self.results.iter().find_map(id)
    }
}

/// Where the answers of a session go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) channel: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) thread: Option<Value>,
}

impl Host {
    /// The last route of a session, as its row has it.
    pub(crate) async fn route_of(&self, session_key: &str) -> Route {
        let row = self.runtime.store.session(session_key).await.ok().flatten();
        let last = row.and_then(|row| row.extra.get("deliveryContext").cloned()).unwrap_or_default();
        let known = |name: &str| last[name].as_str().map(str::to_owned);
        let thread = last.get("threadId").filter(|thread| !thread.is_null()).cloned();
        Route { channel: known("channel"), to: known("to"), account: known("accountId"), thread }
    }

    /// Sends the answer of a run that nobody in a channel waits for; without a route it stays in the session.
    pub(crate) async fn answer_along(self: &Arc<Self>, route: Route, session_key: &str, text: &str) {
        let Some((channel, to)) = route.channel.zip(route.to) else {
            tracing::info!(target: "channels", session = session_key, "the answer is not delivered: the session has no route to a channel");
            return;
        };
        let ctx = without_nulls(json!({
            "channelId": channel, "accountId": route.account, "conversationId": to, "sessionKey": session_key,
        }));
        let facts = ReplyFacts { channel: Some(channel.clone()), session_key: session_key.into(), ctx, ..ReplyFacts::default() };
        let Some(payload) = self.pass_reply(json!({"text": text}), &facts).await else { return };
        let request = SendRequest {
            channel,
            account_id: route.account,
            to,
            payload,
            poll: None,
            thread_id: route.thread,
            reply_to_id: None,
            silent: false,
            session_key: Some(session_key.to_owned()),
            hooks: true,
        };
        if let Err(error) = self.send_message(request).await {
            tracing::warn!(target: "channels", session = session_key, "the answer was not delivered: {error}");
        }
    }

    /// Sends a message: target, `message_sending`, the channel's sender, `message_sent` (MSG-29).
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_message(self: &Arc<Self>, mut request: SendRequest) -> Result<Sent, SendError> {
        let size = request.payload.to_string().len();
        if size > LARGEST_PAYLOAD {
            return Err(SendError::TooLarge(size));
        }
        let channel = self.manager.registry().channel(&request.channel);
        let channel = channel.ok_or_else(|| SendError::UnknownChannel(request.channel.clone()))?;
        if !can_send(&channel, request.poll.is_some()) {
            return Err(SendError::Unsupported(channel.id));
        }
        let failed = |source| SendError::Failed { channel: channel.id.clone(), source };
        let account = match request.account_id.take().filter(|a| !a.trim().is_empty()) {
            Some(account) => account,
            None => self.channel_accounts(&channel).await.map_err(failed)?.default_id,
        };
        let to = self.target(&channel, &account, &request.to).await?;
        let mut sent = Sent { channel: channel.id.clone(), account_id: account.clone(), to: to.clone(), ..Sent::default() };
        if request.hooks && !self.pass_sending(&mut request, &sent).await {
            sent.cancelled = true;
            return Ok(sent);
        }
        let params = json!({
            "accountId": account, "to": to, "payload": request.payload, "poll": request.poll, "threadId": request.thread_id,
            "replyToId": request.reply_to_id, "silent": request.silent,
        });
        let params = without_nulls(params);
        let begun = std::time::Instant::now();
        let answer = channel.ask(ChannelOp::Send, params, Call::new(Vec::new()).budget(Some(SEND_BUDGET))).await;
        if request.hooks {
            self.tell_sent(&request, &sent, &answer);
        }
        let kind = match (&request.poll, request.payload.get("mediaUrl").or(request.payload.get("mediaUrls"))) {
            (Some(_), _) => "other",
            (None, Some(_)) => "media",
            (None, None) => "text",
        };
        crate::figures::delivered(self, &channel.id, kind, answer.is_ok(), begun);
        let answer = answer.map_err(failed)?;
        sent.results = answer["results"].as_array().into_iter().flatten().take(MOST_RESULTS).cloned().collect();
        self.channels.note_status(&channel.id, &account, &json!({"lastOutboundAt": chela_agent::clock::now_ms()}));
        Ok(sent)
    }

    async fn target(&self, channel: &Channel, account: &str, to: &str) -> Result<String, SendError> {
        let refused = |reason: String| SendError::Target { channel: channel.id.clone(), reason };
        let params = json!({"to": to, "accountId": account, "mode": "explicit"});
        let found = channel.ask(ChannelOp::Target, params, Call::new(Vec::new()).budget(Some(TARGET_BUDGET))).await;
        let found = found.map_err(|error| refused(error.to_string()))?;
        match (found["ok"].as_bool(), found["to"].as_str()) {
            (Some(true), Some(to)) if !to.trim().is_empty() => Ok(to.into()),
            _ => Err(refused(found["error"].as_str().unwrap_or("the channel gave no target").into())),
        }
    }

    /// `message_sending` (HOOK-038, HOOK-074); false when a hook keeps the message back.
    async fn pass_sending(&self, request: &mut SendRequest, sent: &Sent) -> bool {
        let Some((member, text)) = words(&request.payload) else { return true };
        let text = text.to_owned();
        let media = request.payload.get("mediaUrls").cloned();
        let event = || {
            let metadata = without_nulls(json!({"channel": sent.channel, "accountId": sent.account_id, "mediaUrls": media}));
            let event = json!({
                "to": sent.to, "content": text, "replyToId": request.reply_to_id, "threadId": request.thread_id, "metadata": metadata,
            });
            (without_nulls(event), self.message_ctx(request, sent))
        };
        let merged = self.manager.current().hooks.dispatch_with(HookName::MessageSending, Default::default(), event).await.merged;
        if merged["cancel"] == true {
            return false;
        }
        if let Some(content) = merged["content"].as_str() {
            request.payload[member] = content.into();
        }
        true
    }

    fn message_ctx(&self, request: &SendRequest, sent: &Sent) -> Value {
        without_nulls(json!({
            "channelId": sent.channel, "accountId": sent.account_id, "conversationId": sent.to, "sessionKey": request.session_key,
        }))
    }

    fn tell_sent(&self, request: &SendRequest, sent: &Sent, answer: &Result<Value, CallError>) {
        let mut event = json!({
            "to": sent.to, "content": words(&request.payload).map_or("", |(_, text)| text), "success": answer.is_ok(),
            "sessionKey": request.session_key,
        });
        match answer {
            Ok(answer) => event["messageId"] = answer["results"][0]["messageId"].clone(),
            Err(error) => event["error"] = error.to_string().into(),
        }
        announce_sent(self, without_nulls(event), self.message_ctx(request, sent), None);
    }
}

/// What hooks see of a payload, and the member it stands in: its text, or what is said aloud where it is only heard (HOOK-218).
fn words(payload: &Value) -> Option<(&'static str, &str)> {
    ["text", "spokenText"].into_iter().find_map(|name| Some((name, payload[name].as_str().filter(|text| !text.trim().is_empty())?)))
}

fn can_send(channel: &Channel, poll: bool) -> bool {
    let senders: &[&str] = if poll { &["sendPoll"] } else { &["sendText", "sendFormattedText", "sendMedia", "sendPayload"] };
    senders.iter().any(|name| channel.can(&format!("/outbound/{name}")))
}

pub(crate) fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, member| !member.is_null());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-215, HOOK-218
    #[test]
    fn hooks_see_the_text_or_what_is_only_heard() {
        for (payload, want) in [
            (json!({"text": "hi", "spokenText": "aloud"}), Some(("text", "hi"))),
            (json!({"text": " ", "spokenText": "aloud", "mediaUrl": "x"}), Some(("spokenText", "aloud"))),
            (json!({"spokenText": "aloud"}), Some(("spokenText", "aloud"))),
            (json!({"mediaUrl": "x", "spokenText": ""}), None),
        ] {
            assert_eq!(words(&payload), want, "{payload}");
        }
    }
}
