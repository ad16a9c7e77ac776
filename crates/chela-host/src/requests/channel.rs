//! `api.runtime.channel` (RT-129..RT-140): what of it is the host's.

use std::time::Duration;

use chela_plugin::{Call, CallError};
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::channels::{SendError, SendRequest, dispatch, pairing, record};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.channel.dispatch" => dispatch::dispatch(request).await,
        "host.channel.delivered" => dispatch::delivered(request),
        "host.channel.recordMeta" => record::meta(request).await,
        "host.channel.updateLastRoute" => record::route(request).await,
        "host.channel.sessionUpdatedAt" => record::updated_at(request).await,
        "host.channel.send" => send(request).await,
        "host.channel.outbound" => outbound(request),
        "host.channel.threadBindings" => thread_bindings(request).await,
        other if other.starts_with("host.channel.pairing.") => pairing::serve(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// `{channel}` -> `{channel, outbound}`: what is data of a channel's outbound adapter; null when it has none.
fn outbound(request: &Request<'_>) -> Reply {
    let channel = request.host.manager.registry().channel(request.text("channel")?);
    let Some(channel) = channel else { return Ok(Value::Null) };
    let Some(adapter) = channel.plugin.value().get("outbound").and_then(Value::as_object) else { return Ok(Value::Null) };
    let data = adapter.iter().filter(|(_, v)| v.is_string() || v.is_number() || v.is_boolean());
    let data: serde_json::Map<String, Value> = data.map(|(k, v)| (k.clone(), v.clone())).collect();
    Ok(json!({"channel": channel.id, "outbound": data}))
}

/// Longest call of a channel for another plugin, which blocks meanwhile.
const BINDINGS_BUDGET: Duration = Duration::from_secs(10);

/// `{channel, member, params}`: the bindings of threads that the channel changed (RT-138); none without such a channel.
async fn thread_bindings(request: &Request<'_>) -> Reply {
    let none = || Ok(Value::Array(Vec::new()));
    let member = request.text("member")?;
    if !matches!(member, "setIdleTimeoutBySessionKey" | "setMaxAgeBySessionKey") {
        return Err(CallError::NotBuilt(format!("threadBindings.{member}")));
    }
    let Some(channel) = request.optional("channel").and_then(|name| request.host.manager.registry().channel(name)) else { return none() };
    let path = format!("/conversationBindings/{member}");
    if !channel.can(&path) {
        return none();
    }
    let call = Call::new(vec![request.params["params"].clone()]).budget(Some(BINDINGS_BUDGET));
    let bindings = channel.plugin.call(&path, call).await?;
    if bindings.is_array() { Ok(bindings) } else { none() }
}

/// `{channel, accountId?, to, payload, threadId?, replyToId?, silent?, hooks?}` -> `{status, results}`.
async fn send(request: &Request<'_>) -> Reply {
    let params = &request.params;
    let text = |name: &str| request.optional(name).map(str::to_string);
    let send = SendRequest {
        channel: request.text("channel")?.into(),
        account_id: text("accountId"),
        to: request.text("to")?.into(),
        payload: params["payload"].clone(),
        poll: None,
        thread_id: params.get("threadId").filter(|t| !t.is_null()).cloned(),
        reply_to_id: text("replyToId"),
        silent: params["silent"] == true,
        session_key: text("sessionKey"),
        hooks: params["hooks"] != false,
    };
    match request.host.send_message(send).await {
        Ok(sent) => {
            let status = if sent.cancelled { "suppressed" } else { "sent" };
            Ok(
                json!({"status": status, "results": sent.results, "to": sent.to, "accountId": sent.account_id, "messageId": sent.message_id()}),
            )
        }
        Err(error @ (SendError::UnknownChannel(_) | SendError::Unsupported(_))) => {
            Ok(json!({"status": "unsupported", "reason": error.to_string(), "results": Value::Array(Vec::new())}))
        }
        Err(error) => Err(CallError::refused("SEND_FAILED", error.to_string())),
    }
}
