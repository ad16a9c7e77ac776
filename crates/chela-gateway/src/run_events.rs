//! From run events to what clients receive: `agent`, `chat`, `session.message`, `session.tool`, `sessions.changed` (GW-82..84, GW-99).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chela_agent::clock::now_ms;
use chela_agent::{RunEvent, RunOutcome, RunRef, RunSink, RunStatus};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::events::{EventBus, EventOptions, EventTarget};
use crate::session_events::SessionEvent;

/// Shortest time between two `chat` deltas of a run (GW-83).
const DELTA_INTERVAL: Duration = Duration::from_millis(150);
/// Up to this many bytes of text, every delta carries the whole text too.
const SNAPSHOT_BYTES: usize = 16 * 1024;
/// Above that, a delta carries the whole text this often: the reference sends it each time, which is quadratic (GW-F2).
const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Takes `agent` payloads.
pub trait AgentListener: Send + Sync {
    /// False when nobody would hear: the payload is not built then.
    fn wants(&self) -> bool;

    /// Takes one payload. Must not block.
    fn take(&self, payload: &Value);
}

/// Turns run events into client events. It keeps a little state for each active run.
pub struct ClientEvents {
    bus: EventBus,
    runs: Mutex<HashMap<String, RunStream>>,
    listener: OnceLock<Arc<dyn AgentListener>>,
    sessions: OnceLock<mpsc::UnboundedSender<SessionEvent>>,
    taps: Mutex<HashMap<String, mpsc::UnboundedSender<String>>>,
    followers: Mutex<HashMap<String, watch::Sender<()>>>,
}

#[derive(Default)]
struct RunStream {
    seq: u64,
    text: String,
    /// Bytes of `text` that `chat` deltas have carried.
    sent: usize,
    last_delta: Option<Instant>,
    last_snapshot: Option<Instant>,
}

impl RunStream {
    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn wants_snapshot(&mut self) -> bool {
        let due = self.text.len() <= SNAPSHOT_BYTES || self.last_snapshot.is_none_or(|at| at.elapsed() >= SNAPSHOT_INTERVAL);
        if due {
            self.last_snapshot = Some(Instant::now());
        }
        due
    }
}

impl ClientEvents {
    /// Events for the clients of a bus.
    pub fn new(bus: EventBus) -> Self {
        Self {
            bus,
            runs: Mutex::default(),
            listener: OnceLock::new(),
            sessions: OnceLock::new(),
            taps: Mutex::default(),
            followers: Mutex::default(),
        }
    }

    /// Sets the listener of all `agent` payloads (plugins' `api.runtime.events`), once.
    pub fn listen(&self, listener: Arc<dyn AgentListener>) {
        let _ = self.listener.set(listener);
    }

    /// Sets where events about sessions go to get their rows, once.
    pub(crate) fn send_session_events_to(&self, sender: mpsc::UnboundedSender<SessionEvent>) {
        let _ = self.sessions.set(sender);
    }

    /// Sends the text of one run to `sender` as it comes. What waits there is at most the answer itself.
    pub(crate) fn tap(&self, run_id: &str, sender: mpsc::UnboundedSender<String>) {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id.into(), sender);
    }

    /// Ends [`ClientEvents::tap`].
    pub(crate) fn untap(&self, run_id: &str) {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner).remove(run_id);
    }

    /// Tells of every change of a session from now on.
    pub(crate) fn follow(&self, session_key: &str) -> watch::Receiver<()> {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|_, sender| !sender.is_closed());
        followers.entry(session_key.into()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, RunStream>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, run: &RunRef, change: impl FnOnce(&mut RunStream) -> T) -> T {
        change(self.runs().entry(run.run_id.clone()).or_default())
    }

    /// The payload is built only for somebody; the number is used up in any case, so that all see the same.
    fn agent(&self, run: &RunRef, stream: &str, data: impl FnOnce() -> Value) {
        let seq = self.with(run, RunStream::next_seq);
        let listener = self.listener.get().filter(|l| l.wants());
        if listener.is_none() && self.bus.client_count() == 0 {
            return;
        }
        let payload =
            json!({"runId": run.run_id, "stream": stream, "data": data(), "sessionKey": run.session_key, "seq": seq, "ts": now_ms()});
        if let Some(listener) = listener {
            listener.take(&payload);
        }
        self.bus.broadcast_with("agent", &payload, EventTarget::All, droppable());
    }

    /// An event about a session, for those who subscribed.
    fn session(&self, name: &'static str, target: EventTarget, session_key: &str, payload: impl FnOnce() -> Value) {
        if !self.bus.has_receivers(&target) {
            return;
        }
        let event = SessionEvent { name, target, session_key: session_key.into(), payload: payload() };
        match self.sessions.get() {
            Some(sender) => drop(sender.send(event)),
            None => drop(self.bus.broadcast_with(name, &event.payload, event.target, droppable())),
        }
    }

    fn delta(&self, run: &RunRef, delta: &str) {
        if let Some(tap) = self.taps.lock().unwrap_or_else(PoisonError::into_inner).get(&run.run_id) {
            let _ = tap.send(delta.to_string());
        }
        let snapshot = self.with(run, |s| {
            s.text.push_str(delta);
            s.wants_snapshot().then(|| s.text.clone())
        });
        self.agent(run, "assistant", || match snapshot {
            Some(text) => json!({"text": text, "delta": delta}),
            None => json!({"delta": delta}),
        });
        let due = self.with(run, |s| s.last_delta.is_none_or(|at| at.elapsed() >= DELTA_INTERVAL));
        if due {
            self.chat_delta(run);
        }
    }

    /// Sends what the last `chat` delta did not carry.
    fn chat_delta(&self, run: &RunRef) {
        let part = self.with(run, |s| {
            let part = s.text.get(s.sent..).unwrap_or_default().to_string();
            s.sent = s.text.len();
            s.last_delta = Some(Instant::now());
            (!part.is_empty()).then(|| (part, s.seq, (s.text.len() <= SNAPSHOT_BYTES).then(|| s.text.clone())))
        });
        let Some((part, seq, whole)) = part else { return };
        let mut payload = json!({"runId": run.run_id, "sessionKey": run.session_key, "seq": seq, "state": "delta", "deltaText": part});
        if let Some(text) = whole {
            payload["message"] = assistant(&text);
        }
        self.bus.broadcast_with("chat", &payload, EventTarget::All, droppable());
    }

    fn ended(&self, run: &RunRef, outcome: &RunOutcome) {
        let phase = match outcome.status {
            RunStatus::Error | RunStatus::Timeout => json!({"phase": "error", "error": outcome.error, "endedAt": outcome.ended_at_ms}),
            RunStatus::Aborted => json!({"phase": "end", "aborted": true, "endedAt": outcome.ended_at_ms}),
            RunStatus::Ok => json!({"phase": "end", "endedAt": outcome.ended_at_ms}),
        };
        self.agent(run, "lifecycle", || phase);
        self.chat_delta(run);
        let seq = self.with(run, |s| s.seq);
        let mut payload = json!({"runId": run.run_id, "sessionKey": run.session_key, "seq": seq, "stopReason": outcome.stop_reason});
        let text = outcome.text.clone().or_else(|| self.with(run, |s| (!s.text.is_empty()).then(|| s.text.clone())));
        match outcome.status {
            RunStatus::Ok => {
                payload["state"] = "final".into();
                payload["usage"] = json!({"input": outcome.usage.input, "output": outcome.usage.output, "total": outcome.usage.total});
                if let Some(text) = outcome.text.as_ref().filter(|t| !t.is_empty()) {
                    payload["message"] = assistant(text);
                }
            }
            RunStatus::Aborted => {
                payload["state"] = "aborted".into();
                if let Some(text) = text {
                    payload["message"] = assistant(&text);
                }
            }
            RunStatus::Error | RunStatus::Timeout => {
                payload["state"] = "error".into();
                payload["errorMessage"] = outcome.error.clone().unwrap_or_else(|| "the run failed".into()).into();
                let kind = if outcome.status == RunStatus::Timeout { "timeout" } else { outcome.error_kind.unwrap_or("unknown") };
                payload["errorKind"] = kind.into();
            }
        }
        self.bus.broadcast("chat", &payload, EventTarget::All);
        self.changed(&run.session_key, json!({"phase": "end", "runId": run.run_id}));
        self.runs().remove(&run.run_id);
    }

    /// Tells the subscribers of the session list that a session changed.
    pub fn changed(&self, session_key: &str, extra: Value) {
        if let Some(followers) = self.followers.lock().unwrap_or_else(PoisonError::into_inner).get(session_key) {
            followers.send_replace(());
        }
        self.session("sessions.changed", EventTarget::SessionList, session_key, || {
            let mut payload = json!({"sessionKey": session_key, "ts": now_ms()});
            if let (Some(into), Some(from)) = (payload.as_object_mut(), extra.as_object()) {
                into.extend(from.clone());
            }
            payload
        });
    }

    fn tool(&self, run: &RunRef, item: Value, tool: Value) {
        self.agent(run, "item", || item);
        let seq = self.with(run, RunStream::next_seq);
        self.session(
            "session.tool",
            EventTarget::Session(run.session_key.clone()),
            &run.session_key,
            || json!({"runId": run.run_id, "stream": "tool", "data": tool, "sessionKey": run.session_key, "seq": seq, "ts": now_ms()}),
        );
    }
}

fn droppable() -> EventOptions {
    EventOptions { drop_if_slow: true, with_state_version: false }
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now_ms()})
}

impl RunSink for ClientEvents {
    fn emit(&self, run: &RunRef, event: RunEvent) {
        match event {
            RunEvent::Started { at_ms } => {
                self.agent(run, "lifecycle", || json!({"phase": "start", "startedAt": at_ms}));
                self.changed(&run.session_key, json!({"phase": "start", "runId": run.run_id}));
            }
            RunEvent::AssistantDelta { delta } => self.delta(run, &delta),
            RunEvent::ToolStarted { call_id, name, args, at_ms } => {
                let item = json!({
                    "itemId": format!("tool:{call_id}"), "phase": "start", "kind": "tool", "title": name, "status": "running", "name": name,
                    "toolCallId": call_id, "startedAt": at_ms,
                });
                self.tool(run, item, json!({"phase": "start", "name": name, "toolCallId": call_id, "args": args}));
            }
            RunEvent::ToolUpdate { call_id, name, partial } => {
                let item = json!({"itemId": format!("tool:{call_id}"), "phase": "update", "kind": "tool", "title": name, "status": "running", "name": name, "toolCallId": call_id});
                self.tool(run, item, json!({"phase": "update", "name": name, "toolCallId": call_id, "partialResult": partial}));
            }
            RunEvent::ToolEnded { call_id, name, result, is_error, started_at_ms, at_ms } => {
                let status = if is_error { "failed" } else { "completed" };
                let item = json!({
                    "itemId": format!("tool:{call_id}"), "phase": "end", "kind": "tool", "title": name, "status": status, "name": name,
                    "toolCallId": call_id, "startedAt": started_at_ms, "endedAt": at_ms,
                });
                self.tool(
                    run,
                    item,
                    json!({"phase": "result", "name": name, "toolCallId": call_id, "isError": is_error, "result": result}),
                );
            }
            RunEvent::MessageWritten { id, seq, message } => {
                self.session("session.message", EventTarget::Session(run.session_key.clone()), &run.session_key, || {
                    let mut shown = message;
                    if let Some(object) = shown.as_object_mut() {
                        object.insert("__openclaw".into(), json!({"id": id, "seq": seq}));
                    }
                    json!({"sessionKey": run.session_key, "message": shown, "messageId": id, "messageSeq": seq})
                });
                self.changed(&run.session_key, json!({"phase": "message", "messageId": id, "messageSeq": seq}));
            }
            RunEvent::Ended(outcome) => self.ended(run, &outcome),
            RunEvent::Custom { stream, data } => self.agent(run, &stream, || data),
        }
    }
}
