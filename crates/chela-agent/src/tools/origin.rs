//! Where a tool call comes from, for rules by sender and for questions that go back there.

use serde_json::{Value, json};

use crate::tool_policy::{Sender, Spawned};
use crate::turn::{Entry, TurnScope};

/// Who is behind a tool call.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Who writes.
    pub sender: Sender,
    /// The chat that a question can go back to: `{turnSourceChannel, turnSourceTo, turnSourceAccountId, turnSourceThreadId}`.
    pub source: Value,
    /// `tools` and `toolsBySender` of the group that the message came from.
    pub group: Option<Value>,
    /// Surface id, such as `webchat` or a channel id.
    pub surface: String,
    /// Why the turn runs, such as `user` or `heartbeat`; empty outside of turns.
    pub trigger: &'static str,
    /// The plugin's own tools aside, whether the operator is behind it.
    pub is_owner: bool,
    /// Where the session comes from, for what sub-agents may not use.
    pub spawned: Spawned,
    /// How the commands of this turn run, in place of what the session says.
    pub exec: serde_json::Map<String, Value>,
}

impl Origin {
    /// That of a turn.
    pub async fn of(scope: &TurnScope<'_>) -> Self {
        let request = scope.request;
        let mut out =
            Self { surface: request.surface.clone(), trigger: request.trigger, is_owner: request.sender_is_owner, ..Self::default() };
        out.exec.clone_from(&request.exec);
        if let Some(row) = &scope.session {
            out.spawned.depth = row.extra.get("spawnDepth").and_then(Value::as_u64);
            out.spawned.role = row.extra.get("subagentRole").and_then(Value::as_str).map(str::to_owned);
        }
        out.sender.id = request.sender_id.clone();
        out.sender.channel = Some(request.surface.clone());
        let Some(inbound) = request.inbound.as_deref().filter(|_| request.entry == Entry::Channel) else { return out };
        out.sender = Sender {
            channel: Some(request.surface.clone()),
            id: inbound.text("SenderId").or_else(|| inbound.text("From")),
            e164: inbound.text("SenderE164"),
            username: inbound.text("SenderUsername"),
            name: inbound.text("SenderName"),
        };
        out.source = json!({
            "turnSourceChannel": request.surface, "turnSourceTo": inbound.conversation(),
            "turnSourceAccountId": inbound.text("AccountId"), "turnSourceThreadId": inbound.text("MessageThreadId"),
        });
        out.group.clone_from(scope.group.get_or_init(|| super::group::rules(scope)).await);
        out
    }
}
