//! `session.message`, `session.tool` and `sessions.changed` with the session's row, as clients of session lists expect it (GW-99).
//!
//! The row is looked up only when somebody subscribed, and outside the run: a run never waits for its watchers.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::events::{EventBus, EventOptions, EventTarget};
use crate::gateway::Gateway;
use crate::methods::public_row;
use crate::run_events::ClientEvents;

/// One event on its way to subscribers.
pub(crate) struct SessionEvent {
    pub(crate) name: &'static str,
    pub(crate) target: EventTarget,
    pub(crate) session_key: String,
    pub(crate) payload: Value,
}

/// The events that wait for their rows.
pub(crate) struct SessionEvents {
    bus: EventBus,
    waiting: mpsc::UnboundedReceiver<SessionEvent>,
}

/// Takes over the session events of `events`.
pub(crate) fn start(bus: &EventBus, events: &Arc<ClientEvents>) -> SessionEvents {
    let (sender, waiting) = mpsc::unbounded_channel();
    events.send_session_events_to(sender);
    SessionEvents { bus: bus.clone(), waiting }
}

impl SessionEvents {
    /// Sends them in order until the gateway is gone.
    pub(crate) fn serve(mut self, gateway: &Arc<Gateway>) {
        let gateway = Arc::downgrade(gateway);
        tokio::spawn(async move {
            while let Some(event) = self.waiting.recv().await {
                let Some(gateway) = gateway.upgrade() else { return };
                let SessionEvent { name, target, session_key, mut payload } = event;
                if let Ok(Some(row)) = gateway.host.runtime.store.session(&session_key).await {
                    add_row(&mut payload, public_row(&gateway, &row));
                }
                let options = EventOptions { drop_if_slow: true, with_state_version: false };
                self.bus.broadcast_with(name, &payload, target, options);
            }
        });
    }
}

/// The row goes in whole as `session`, and its members beside the event's own.
fn add_row(payload: &mut Value, row: serde_json::Map<String, Value>) {
    let Some(object) = payload.as_object_mut() else { return };
    for (name, value) in row.iter().filter(|(name, _)| *name != "key") {
        if !object.contains_key(name) {
            object.insert(name.clone(), value.clone());
        }
    }
    object.insert("session".into(), row.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_row_never_replaces_what_the_event_says() {
        let mut payload = json!({"sessionKey": "k", "phase": "end", "status": "mine"});
        let row = json!({"key": "k", "sessionId": "s", "status": "done"});
        add_row(&mut payload, row.as_object().unwrap().clone());
        assert_eq!(payload["status"], "mine");
        assert_eq!(payload["sessionId"], "s");
        assert_eq!(payload["session"]["status"], "done");
        assert!(payload.get("key").is_none());
    }
}
