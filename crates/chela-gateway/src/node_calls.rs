//! Commands on their way to nodes: `node.invoke.request` goes to the node's connection, `node.invoke.result` comes back (GW-68, GW-92).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::events::{EventBus, EventTarget};
use crate::ws::ClientInfo;

/// Wait for a node unless the caller says otherwise.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// Longest wait that a caller may ask for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Most commands that wait for one connection: a node that answers nothing must not fill the memory.
const MOST_WAITING: usize = 256;

/// One command for a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeCommand {
    pub(crate) node_id: String,
    pub(crate) command: String,
    pub(crate) params: Option<Value>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) idempotency_key: Option<String>,
}

/// What a node answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeAnswer {
    pub(crate) payload: Value,
    pub(crate) payload_json: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeFailure {
    /// The node's own code, or `NOT_CONNECTED`, `TIMEOUT`, `BUSY`.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

impl NodeFailure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: Some(code.into()), message: message.into() }
    }

    /// As clients and plugins see it.
    pub(crate) fn public(&self) -> Value {
        json!({"code": self.code, "message": self.message})
    }
}

type Outcome = Result<NodeAnswer, NodeFailure>;

struct Waiting {
    conn_id: String,
    answer: oneshot::Sender<Outcome>,
}

/// The commands that wait for an answer.
#[derive(Default)]
pub(crate) struct NodeCalls(Mutex<HashMap<String, Waiting>>);

/// Takes a command off the list however its wait ends.
struct Place<'a>(&'a NodeCalls, String);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

impl NodeCalls {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a command to the connection of a node and waits for the answer.
    pub(crate) async fn invoke(&self, bus: &EventBus, node: &ClientInfo, command: &NodeCommand) -> Outcome {
        let id = uuid::Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.values().filter(|w| w.conn_id == node.conn_id).count() >= MOST_WAITING {
                return Err(NodeFailure::new("BUSY", format!("{MOST_WAITING} commands wait for this node already")));
            }
            waiting.insert(id.clone(), Waiting { conn_id: node.conn_id.clone(), answer });
        }
        let _place = Place(self, id.clone());
        let mut payload = json!({
            "id": id, "nodeId": command.node_id, "command": command.command,
            "paramsJSON": command.params.as_ref().map(Value::to_string),
        });
        if let Some(ms) = command.timeout_ms {
            payload["timeoutMs"] = ms.into();
        }
        if let Some(key) = &command.idempotency_key {
            payload["idempotencyKey"] = key.as_str().into();
        }
        if bus.broadcast("node.invoke.request", &payload, EventTarget::Client(node.conn_id.clone())) == 0 {
            return Err(NodeFailure::new("NOT_CONNECTED", "node not connected"));
        }
        let wait = command.timeout_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(LONGEST_WAIT);
        match tokio::time::timeout(wait, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(NodeFailure::new("NOT_CONNECTED", format!("node disconnected ({})", command.command))),
            Err(_) => Err(NodeFailure::new("TIMEOUT", "node invoke timed out")),
        }
    }

    /// Takes an answer from a connection; false when nobody waits for it there any more.
    pub(crate) fn answer(&self, conn_id: &str, id: &str, outcome: Outcome) -> bool {
        let mut waiting = self.lock();
        if waiting.get(id).is_none_or(|w| w.conn_id != conn_id) {
            return false;
        }
        let Some(found) = waiting.remove(id) else { return false };
        found.answer.send(outcome).is_ok()
    }

    /// A connection has ended: what waits for it ends too.
    pub(crate) fn gone(&self, conn_id: &str) {
        self.lock().retain(|_, waiting| waiting.conn_id != conn_id);
    }
}
