//! The event bus: who is connected, what they may receive, and their queues (GW-92..GW-99).
//!
//! A payload is serialised once. Each client has its own rising `seq` over the broadcasts that it may see, and
//! a number is used up even when a frame is dropped, so that gaps are visible (GW-95).

pub mod outbox;
pub mod presence;

pub use outbox::{ClientHandle, CloseRequest, Outgoing};
pub use presence::{PresenceEntry, PresenceList};

use crate::ws::ClientInfo;
use chela_gateway_protocol::events::{EventGuard, guard};
use chela_gateway_protocol::frame::{event_head, event_tail};
use chela_gateway_protocol::limits::close;
use serde::Serialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Longest time that a change of the presence list waits to be told.
const PRESENCE_DELAY_MAX: Duration = Duration::from_secs(2);

/// Who an event is for. Only [`EventTarget::All`] uses up sequence numbers (GW-95).
#[derive(Clone)]
pub enum EventTarget {
    /// Everyone with the scope (GW-93).
    All,
    /// Clients that subscribed to the messages of this session (GW-99).
    Session(String),
    /// Clients that subscribed to changes of sessions (GW-99).
    SessionList,
    /// One connection.
    Client(String),
    /// Connections that the function accepts.
    Filter(Arc<dyn Fn(&ClientInfo) -> bool + Send + Sync>),
}

/// How an event is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventOptions {
    /// Leave out clients that are slow, instead of closing them (GW-96).
    pub drop_if_slow: bool,
    /// Add the versions of presence and health.
    pub with_state_version: bool,
}

/// What a connection subscribed to (GW-99).
#[derive(Debug, Default)]
struct Subscriptions {
    sessions: HashSet<String>,
    messages: HashMap<String, HashSet<String>>,
}

#[derive(Default)]
struct Inner {
    clients: RwLock<HashMap<String, Arc<ClientHandle>>>,
    subscriptions: Mutex<Subscriptions>,
    presence: PresenceList,
    health_version: AtomicU64,
    presence_due: AtomicBool,
}

/// The bus; clones share everything.
#[derive(Clone, Default)]
pub struct EventBus {
    inner: Arc<Inner>,
}

impl EventBus {
    /// A bus without clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends an event to everyone whom `target` and the event's scope allow. Returns how many were reached.
    pub fn broadcast<T: Serialize + ?Sized>(&self, event: &str, payload: &T, target: EventTarget) -> usize {
        self.broadcast_with(event, payload, target, EventOptions::default())
    }

    /// As [`EventBus::broadcast`], with options.
    pub fn broadcast_with<T: Serialize + ?Sized>(&self, event: &str, payload: &T, target: EventTarget, options: EventOptions) -> usize {
        if self.clients().is_empty() {
            return 0;
        }
        match serde_json::to_string(payload) {
            Ok(payload) => self.broadcast_raw(event, &payload, target, options),
            Err(error) => {
                tracing::error!(event, %error, "event payload cannot be serialised");
                0
            }
        }
    }

    /// As [`EventBus::broadcast_with`], for a payload that is JSON already.
    pub fn broadcast_raw(&self, event: &str, payload: &str, target: EventTarget, options: EventOptions) -> usize {
        let Some(guard) = guard(event) else {
            tracing::debug!(event, "event without a known scope goes to nobody");
            return 0;
        };
        let receivers = self.receivers(&target);
        let mut head = None;
        let version = options.with_state_version.then(|| self.state_version().to_string());
        let sequenced = matches!(target, EventTarget::All);
        let mut reached = 0;
        for client in receivers {
            // A client named by its id gets what its handler asked for, also events that are never broadcast.
            let named = matches!(target, EventTarget::Client(_)) && guard == EventGuard::Targeted;
            if !named && !guard.allows(client.info.role, &client.info.scopes) {
                continue;
            }
            let head: &Utf8Bytes = head.get_or_insert_with(|| event_head(event, payload).into());
            let tail = |seq| event_tail(seq, version.as_deref());
            reached += usize::from(client.send_event(head, sequenced, options.drop_if_slow, tail));
        }
        reached
    }

    /// Adds a client; it receives from now on.
    pub(crate) fn register(&self, client: Arc<ClientHandle>) {
        self.clients_mut().insert(client.info.conn_id.clone(), client);
    }

    /// Removes a client and its subscriptions.
    pub(crate) fn unregister(&self, conn_id: &str) {
        self.clients_mut().remove(conn_id);
        let mut subscriptions = self.subscriptions();
        subscriptions.sessions.remove(conn_id);
        subscriptions.messages.retain(|_, members| {
            members.remove(conn_id);
            !members.is_empty()
        });
    }

    /// Everyone who is connected.
    pub fn connected(&self) -> Vec<Arc<ClientInfo>> {
        self.clients().values().map(|client| client.info.clone()).collect()
    }

    /// How many are connected.
    pub fn client_count(&self) -> usize {
        self.clients().len()
    }

    /// The presence list.
    pub fn presence(&self) -> &PresenceList {
        &self.inner.presence
    }

    /// Sends the presence list to everyone.
    pub fn broadcast_presence(&self) {
        let payload = json!({ "presence": self.inner.presence.entries() });
        let options = EventOptions { drop_if_slow: true, with_state_version: true };
        self.broadcast_with("presence", &payload, EventTarget::All, options);
    }

    /// Sends the presence list soon. Changes that come close together share one event: the list goes to
    /// everyone whole, so one event for each of many connects would cost the square of their number.
    pub(crate) fn presence_changed(&self) {
        if self.inner.presence_due.swap(true, Ordering::AcqRel) {
            return;
        }
        let wait = Duration::from_millis(20 + 2 * self.client_count() as u64);
        let bus = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait.min(PRESENCE_DELAY_MAX)).await;
            bus.inner.presence_due.store(false, Ordering::Release);
            bus.broadcast_presence();
        });
    }

    /// Counts a new health snapshot; the `health` event itself is the caller's.
    pub fn bump_health_version(&self) -> u64 {
        self.inner.health_version.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Versions of presence and health, as sent with events and in the hello (GW-27).
    pub fn state_version(&self) -> serde_json::Value {
        json!({
            "presence": self.inner.presence.version(),
            "health": self.inner.health_version.load(Ordering::Relaxed),
        })
    }

    /// Subscribes a connection to changes of sessions (GW-99).
    pub fn subscribe_sessions(&self, conn_id: &str) {
        self.subscriptions().sessions.insert(conn_id.to_owned());
    }

    /// Ends [`EventBus::subscribe_sessions`].
    pub fn unsubscribe_sessions(&self, conn_id: &str) {
        self.subscriptions().sessions.remove(conn_id);
    }

    /// Subscribes a connection to the messages of a session (GW-99).
    pub fn subscribe_session_messages(&self, conn_id: &str, session_key: &str) {
        let mut subscriptions = self.subscriptions();
        let members = subscriptions.messages.entry(session_key.to_owned()).or_default();
        members.insert(conn_id.to_owned());
    }

    /// Ends [`EventBus::subscribe_session_messages`].
    pub fn unsubscribe_session_messages(&self, conn_id: &str, session_key: &str) {
        let mut subscriptions = self.subscriptions();
        if let Some(members) = subscriptions.messages.get_mut(session_key) {
            members.remove(conn_id);
            if members.is_empty() {
                subscriptions.messages.remove(session_key);
            }
        }
    }

    /// True when the target names anybody who is connected now: events for nobody need not be built.
    pub fn has_receivers(&self, target: &EventTarget) -> bool {
        match target {
            EventTarget::SessionList => !self.subscriptions().sessions.is_empty(),
            EventTarget::Session(key) => self.subscriptions().messages.contains_key(key),
            _ => !self.clients().is_empty(),
        }
    }

    /// Closes one connection.
    pub fn close_client(&self, conn_id: &str, code: u16, reason: &str) -> bool {
        match self.clients().get(conn_id) {
            Some(client) => {
                client.close.request(code, reason);
                true
            }
            None => false,
        }
    }

    /// Closes connections that the function accepts, for example those of a removed device.
    pub fn close_matching(&self, code: u16, reason: &str, matches: impl Fn(&ClientInfo) -> bool) {
        for client in self.clients().values().filter(|client| matches(&client.info)) {
            client.close.request(code, reason);
        }
    }

    /// Tells everyone that the gateway stops, and closes the sockets after it with 1012 (GW-98, GW-145).
    pub fn close_clients(&self, reason: &str, restart_expected_ms: Option<u64>) {
        let payload = json!({ "reason": reason, "restartExpectedMs": restart_expected_ms });
        self.broadcast("shutdown", &payload, EventTarget::All);
        self.close_matching(close::RESTART, "service restart", |_| true);
    }

    fn receivers(&self, target: &EventTarget) -> Vec<Arc<ClientHandle>> {
        let clients = self.clients();
        let pick = |ids: &HashSet<String>| ids.iter().filter_map(|id| clients.get(id).cloned()).collect();
        match target {
            EventTarget::All => clients.values().cloned().collect(),
            EventTarget::Client(id) => clients.get(id).cloned().into_iter().collect(),
            EventTarget::Filter(accepts) => clients.values().filter(|client| accepts(&client.info)).cloned().collect(),
            EventTarget::SessionList => pick(&self.subscriptions().sessions),
            EventTarget::Session(key) => self.subscriptions().messages.get(key).map(pick).unwrap_or_default(),
        }
    }

    // The maps hold no invariant that a panic could break.
    fn clients(&self) -> RwLockReadGuard<'_, HashMap<String, Arc<ClientHandle>>> {
        self.inner.clients.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn clients_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Arc<ClientHandle>>> {
        self.inner.clients.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.inner.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
