//! Tells people what waits for them: clients with the scope, and chats that the config names (HOOK-184, HOOK-187, HOOK-194).

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::clock::now_ms;
use chela_approvals::forward::{Target, targets};
use chela_approvals::{ApprovalKind, ApprovalRow, ApprovalState, Decision, Desk};
use chela_gateway_protocol::Scope;
use chela_host::channels::SendRequest;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::events::{EventOptions, EventTarget};
use crate::gateway::Gateway;

/// Longest telling of one chat: a slow channel must not hold the question up.
const FORWARD_BUDGET: Duration = Duration::from_secs(15);
/// Longest text of a command or description in a chat, in characters.
const SHOWN: usize = 1500;

/// The gateway as the desk of [`chela_approvals::Approvals`].
pub(crate) struct GatewayDesk(pub(crate) Weak<Gateway>);

#[async_trait]
impl Desk for GatewayDesk {
    async fn requested(&self, row: &ApprovalRow, asker: Option<&str>) -> bool {
        let Some(gateway) = self.0.upgrade() else { return false };
        let event = format!("{}.approval.requested", row.kind.as_str());
        broadcast(&gateway, &event, &public(row));
        let other = |client: &Arc<crate::ws::ClientInfo>| asker != Some(&client.conn_id) && client.has_scope(Scope::Approvals);
        let has_clients = gateway.bus.connected().iter().any(other);
        let told = forward(&gateway, row, &question(row)).await;
        has_clients || told || (asker.is_some() || row.kind == ApprovalKind::Exec) && has_source(&gateway, &row.request)
    }

    async fn ended(&self, row: &ApprovalRow) {
        let Some(gateway) = self.0.upgrade() else { return };
        // HOOK-184: what nobody decided is not told; clients know when it expires.
        if row.state != ApprovalState::Resolved {
            return;
        }
        let mut payload = json!({
            "id": row.id, "decision": row.decision, "resolvedBy": row.resolved_by, "ts": row.resolved_at_ms.unwrap_or_else(now_ms),
        });
        payload["request"] = row.request.clone();
        broadcast(&gateway, &format!("{}.approval.resolved", row.kind.as_str()), &payload);
        let (row, gateway) = (row.clone(), gateway.clone());
        // A chat that answers slowly must not hold up whoever decided.
        tokio::spawn(async move { forward(&gateway, &row, &answer(&row)).await });
    }
}

/// A request as clients see it.
pub(crate) fn public(row: &ApprovalRow) -> Value {
    json!({"id": row.id, "request": row.request, "createdAtMs": row.created_at_ms, "expiresAtMs": row.expires_at_ms})
}

fn broadcast(gateway: &Gateway, event: &str, payload: &Value) {
    gateway.bus.broadcast_with(event, payload, EventTarget::All, EventOptions { drop_if_slow: true, ..EventOptions::default() });
}

/// True when the chat that the request comes from can take an answer: the page, the terminal, or a channel that runs here.
fn has_source(gateway: &Gateway, request: &Value) -> bool {
    let Some(channel) = request["turnSourceChannel"].as_str() else { return false };
    matches!(channel, "webchat" | "tui") || gateway.host.manager.registry().channel(channel).is_some()
}

/// Sends a text to all chats that the config names; true when one of them took it.
async fn forward(gateway: &Arc<Gateway>, row: &ApprovalRow, text: &str) -> bool {
    let config = gateway.host.runtime.config();
    let places = targets(&config.effective, row.kind, &row.request);
    let sent = join_all(places.into_iter().map(|place| send(gateway, place, text))).await;
    sent.into_iter().any(|sent| sent)
}

async fn send(gateway: &Arc<Gateway>, place: Target, text: &str) -> bool {
    let request = SendRequest {
        channel: place.channel.clone(),
        account_id: place.account,
        to: place.to,
        payload: json!({"text": text}),
        thread_id: place.thread.map(Value::String),
        ..SendRequest::default()
    };
    match tokio::time::timeout(FORWARD_BUDGET, gateway.host.send_message(request)).await {
        Ok(Ok(sent)) => !sent.cancelled,
        Ok(Err(error)) => {
            tracing::warn!(target: "approvals", channel = place.channel, %error, "an approval could not be told");
            false
        }
        Err(_) => {
            tracing::warn!(target: "approvals", channel = place.channel, "an approval could not be told in time");
            false
        }
    }
}

/// What people in a chat read of a request.
pub(crate) fn question(row: &ApprovalRow) -> String {
    let text = |name: &str| row.request[name].as_str().map(cut).filter(|t| !t.is_empty());
    let mut lines = Vec::new();
    match row.kind {
        ApprovalKind::Exec => {
            lines.push("A command waits for approval".to_string());
            lines.extend(text("warningText"));
            lines.extend(text("command").map(|command| format!("```\n{command}\n```")));
            lines.extend(text("cwd").map(|cwd| format!("In: {cwd}")));
        }
        ApprovalKind::Plugin => {
            lines.push(format!("Approval wanted: {}", text("title").unwrap_or_default()));
            lines.extend(text("description"));
            lines.extend(text("toolName").map(|tool| format!("Tool: {tool}")));
            lines.extend(text("pluginId").map(|plugin| format!("Plugin: {plugin}")));
        }
    }
    lines.extend(text("agentId").map(|agent| format!("Agent: {agent}")));
    let minutes = u64::try_from(row.expires_at_ms - now_ms()).unwrap_or(0).div_ceil(60_000);
    let words: Vec<&str> = Decision::allowed_by(&row.request).into_iter().map(Decision::as_str).collect();
    lines.push(format!("Answer within {minutes} min: /approve {} {}", row.id, words.join("|")));
    lines.join("\n")
}

fn answer(row: &ApprovalRow) -> String {
    let by = row.resolved_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("Approval {}: {}{by}", row.id, row.decision.as_deref().unwrap_or("no decision"))
}

fn cut(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}
