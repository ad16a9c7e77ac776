//! Unknown senders of channels, for clients (CH-37..CH-47).

use std::sync::Arc;

use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use chela_plugin::CallError;
use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;

fn failed(error: &CallError) -> ErrorShape {
    if error.code() == "INVALID_PARAMS" {
        return ErrorShape::invalid(Reason::InvalidParams, error.to_string());
    }
    ErrorShape::new(ErrorCode::Unavailable, error.to_string())
}

/// `channels.pairing.list {channel, accountId?}` -> `{channel, requests}`.
pub(super) async fn list(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("channels.pairing.list", params, &["channel", "accountId"])?;
    let (channel, account) = (p.text("channel"), p.optional_text("accountId"));
    p.done()?;
    let requests = gateway.host.pairing_requests(&channel, account.as_deref()).await.map_err(|e| failed(&e))?;
    Ok(json!({"channel": channel, "requests": requests}))
}

/// `channels.pairing.approve {channel, code, accountId?, notify?}` -> `{channel, id, accountId, entry, owner?, notified?, notifyError?}`.
pub(super) async fn approve(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("channels.pairing.approve", params, &["channel", "code", "accountId", "notify"])?;
    let (channel, code, account) = (p.text("channel"), p.text("code"), p.optional_text("accountId"));
    let notify = p.flag("notify").unwrap_or(false);
    p.done()?;
    let done = gateway.host.approve_pairing(&channel, &code, account.as_deref()).await.map_err(|e| failed(&e))?;
    let Some(done) = done else {
        let text = format!("no pairing request of `{channel}` has the code `{code}`; `channels.pairing.list` shows those that wait");
        return Err(ErrorShape::invalid(Reason::InvalidParams, text));
    };
    let mut answer = json!({"channel": channel, "id": done.approved.id, "accountId": done.approved.account, "entry": done.approved.entry});
    if let Some(owner) = done.owner {
        answer["owner"] = owner.into();
    }
    if notify {
        match gateway.host.notify_paired(&channel, &done.approved.account, &done.approved.id).await {
            Ok(notified) => answer["notified"] = notified.into(),
            Err(error) => answer["notifyError"] = error.to_string().into(),
        }
    }
    Ok(answer)
}
