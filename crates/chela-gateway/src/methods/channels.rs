//! Channels for clients: status, start, stop, logout, and messages that clients send through them (CH-181, GW-63..65, GW-76).

use std::sync::Arc;

use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use chela_host::channels::{SendError, SendRequest, StatusQuery};
use chela_plugin::Channel;
use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;

/// Longest text of one message, in bytes.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Attachments of one message.
const MOST_MEDIA: usize = 10;

/// `channels.status {probe?, timeoutMs?, channel?}`.
pub(super) async fn status(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("channels.status", params, &["probe", "timeoutMs", "channel"])?;
    let query = StatusQuery {
        probe: p.flag("probe").unwrap_or(false),
        timeout_ms: p.optional_count("timeoutMs"),
        channel: p.optional_text("channel"),
    };
    p.done()?;
    let name = query.channel.clone().unwrap_or_default();
    gateway.host.channel_status(&query).await.ok_or_else(|| unknown(&name))
}

fn refused(text: impl Into<String>) -> ErrorShape {
    ErrorShape::invalid(Reason::InvalidParams, text)
}

fn unknown(name: &str) -> ErrorShape {
    refused(format!("unknown channel: {name}"))
}

fn target(gateway: &Gateway, method: &'static str, params: Value) -> Result<(Channel, Option<String>), ErrorShape> {
    let mut p = Params::new(method, params, &["channel", "accountId"])?;
    let (name, account) = (p.text("channel"), p.optional_text("accountId"));
    p.done()?;
    let channel = gateway.host.manager.registry().channel(&name).ok_or_else(|| unknown(&name))?;
    Ok((channel, account))
}

fn failed(error: impl std::fmt::Display) -> ErrorShape {
    ErrorShape::new(ErrorCode::Unavailable, error.to_string())
}

/// `channels.start {channel, accountId?}`.
pub(super) async fn start(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let (channel, account) = target(gateway, "channels.start", params)?;
    if !channel.can("/gateway/startAccount") {
        return Err(refused(format!("channel {} does not support start", channel.id)));
    }
    let list = gateway.host.channel_accounts(&channel).await.map_err(failed)?;
    let account = account.unwrap_or(list.default_id);
    let started = gateway.host.start_channel(&channel, Some(&account), true).await.map_err(failed)? > 0;
    Ok(json!({"channel": channel.id, "accountId": account, "started": started || gateway.host.account_runs(&channel.id, &account)}))
}

/// `channels.stop {channel, accountId?}`.
pub(super) async fn stop(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let (channel, account) = target(gateway, "channels.stop", params)?;
    let list = gateway.host.channel_accounts(&channel).await.map_err(failed)?;
    let account = account.unwrap_or(list.default_id);
    let stopped = !gateway.host.stop_channel(&channel.id, Some(&account)).await.is_empty();
    Ok(json!({"channel": channel.id, "accountId": account, "stopped": stopped}))
}

/// `channels.logout {channel, accountId?}`.
pub(super) async fn logout(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let (channel, account) = target(gateway, "channels.logout", params)?;
    if !channel.can("/gateway/logoutAccount") {
        return Err(refused(format!("channel {} does not support logout", channel.id)));
    }
    let list = gateway.host.channel_accounts(&channel).await.map_err(failed)?;
    let account = account.unwrap_or(list.default_id);
    let result = gateway.host.logout_channel(&channel, &account).await.map_err(failed)?;
    let mut out = json!({"channel": channel.id, "accountId": account, "cleared": false});
    if let (Some(out), Value::Object(result)) = (out.as_object_mut(), result) {
        out.extend(result.into_iter().filter(|(name, _)| name != "channel"));
    }
    Ok(out)
}

/// The channel that a send means: the named one, else the only one that can send (CH-178).
fn channel_for(gateway: &Gateway, named: Option<String>) -> Result<String, ErrorShape> {
    if let Some(name) = named {
        return Ok(name);
    }
    let registry = gateway.host.manager.registry();
    let mut able = registry.channels().filter(|c| c.plugin.value().get("outbound").is_some());
    match (able.next(), able.next()) {
        (Some(only), None) => Ok(only.id),
        (None, _) => Err(refused("no channel is there to send through; enable a channel plugin")),
        (Some(_), Some(_)) => Err(refused("several channels are there; name one in `channel`")),
    }
}

const SEND: &[&str] = &[
    "to",
    "message",
    "mediaUrl",
    "mediaUrls",
    "asVoice",
    "gifPlayback",
    "channel",
    "accountId",
    "agentId",
    "replyToId",
    "threadId",
    "forceDocument",
    "silent",
    "parseMode",
    "sessionKey",
    "idempotencyKey",
];

/// `send`: one message to a target of a channel (GW-76). A repeated key gets the first answer.
pub(super) async fn send(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("send", params, SEND)?;
    let (to, key) = (p.text("to"), p.text("idempotencyKey"));
    let text = p.optional_text("message").unwrap_or_default();
    let mut media = p.texts("mediaUrls");
    media.extend(p.optional_text("mediaUrl"));
    if text.trim().is_empty() && media.is_empty() {
        p.reject("text or media is required");
    }
    if text.len() > LONGEST_MESSAGE || media.len() > MOST_MEDIA {
        p.reject(format!("a message has at most {LONGEST_MESSAGE} bytes and {MOST_MEDIA} attachments"));
    }
    let mut payload = json!({"text": text});
    if !media.is_empty() {
        payload["mediaUrls"] = media.into();
    }
    if p.flag("asVoice") == Some(true) {
        payload["audioAsVoice"] = true.into();
    }
    let mut request = SendRequest {
        account_id: p.optional_text("accountId"),
        to,
        payload,
        thread_id: p.optional_text("threadId").map(Value::from),
        reply_to_id: p.optional_text("replyToId"),
        silent: p.flag("silent").unwrap_or(false),
        session_key: p.optional_text("sessionKey"),
        hooks: true,
        ..SendRequest::default()
    };
    let channel = p.optional_text("channel");
    p.done()?;
    request.channel = channel_for(gateway, channel)?;
    once(gateway, &format!("send:{key}"), &key, request).await
}

/// `poll`: a poll to a target of a channel (CH-179).
pub(super) async fn poll(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let known = [
        "to",
        "question",
        "options",
        "maxSelections",
        "durationSeconds",
        "durationHours",
        "silent",
        "isAnonymous",
        "threadId",
        "channel",
        "accountId",
        "idempotencyKey",
    ];
    let raw = params.clone();
    let mut p = Params::new("poll", params, &known)?;
    let (to, question, key) = (p.text("to"), p.text("question"), p.text("idempotencyKey"));
    let options = p.texts("options");
    if !(2..=12).contains(&options.len()) {
        p.reject("at /options: must have from 2 to 12 items");
    }
    let mut poll = json!({"question": question, "options": options});
    for name in ["maxSelections", "durationSeconds", "durationHours", "isAnonymous"] {
        if let Some(value) = raw.get(name).filter(|v| v.is_number() || v.is_boolean()) {
            poll[name] = value.clone();
        }
    }
    let mut request = SendRequest {
        account_id: p.optional_text("accountId"),
        to,
        poll: Some(poll),
        thread_id: p.optional_text("threadId").map(Value::from),
        silent: p.flag("silent").unwrap_or(false),
        hooks: false,
        ..SendRequest::default()
    };
    let channel = p.optional_text("channel");
    p.done()?;
    request.channel = channel_for(gateway, channel)?;
    once(gateway, &format!("poll:{key}"), &key, request).await
}

async fn once(gateway: &Arc<Gateway>, slot: &str, key: &str, request: SendRequest) -> Answer {
    let sending = gateway.sends.begin(slot);
    let mut answer = sending.lock().await;
    if let Some(known) = answer.as_ref() {
        return known.clone();
    }
    let sent = gateway.host.send_message(request).await;
    let sent = match sent {
        Ok(sent) => {
            let mut out = json!({"runId": key, "channel": sent.channel, "to": sent.to, "accountId": sent.account_id});
            match sent.message_id() {
                Some(id) => out["messageId"] = id.into(),
                None if sent.cancelled => out["suppressed"] = "cancelled_by_message_sending_hook".into(),
                None => {}
            }
            Ok(out)
        }
        Err(error @ SendError::Failed { .. }) => Err(failed(error)),
        Err(error) => Err(refused(error.to_string())),
    };
    *answer = Some(sent.clone());
    sent
}
