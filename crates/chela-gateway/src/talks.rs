//! Spoken sessions of clients: audio goes to a provider's session, what it says comes as `talk.event` to the client that opened it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chela_capabilities::realtime::{Events, Session, Talk};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::events::{EventBus, EventTarget};

/// Most sessions of one client, and of all.
const MOST_PER_CLIENT: usize = 2;
const MOST: usize = 64;
/// Longest session.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 60);

/// The open sessions.
#[derive(Clone, Default)]
pub(crate) struct Talks(Arc<Mutex<HashMap<String, Arc<TalkSession>>>>);

/// One session and its owner.
pub(crate) struct TalkSession {
    pub(crate) id: String,
    pub(crate) conn_id: String,
    pub(crate) talk: Talk,
    pub(crate) session: Session,
    seq: AtomicU64,
}

impl Talks {
    /// False when the client, or the gateway, has as many as it may.
    pub(crate) fn has_room(&self, conn_id: &str) -> bool {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.len() < MOST && open.values().filter(|t| t.conn_id == conn_id).count() < MOST_PER_CLIENT
    }

    /// The session, if this client opened it.
    pub(crate) fn get(&self, id: &str, conn_id: &str) -> Option<Arc<TalkSession>> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(id).filter(|t| t.conn_id == conn_id).cloned()
    }

    fn remove(&self, id: &str) -> Option<Arc<TalkSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }

    /// Closes a session. Its events end with it.
    pub(crate) async fn close(&self, id: &str) {
        if let Some(talk) = self.remove(id) {
            talk.session.close().await;
        }
    }

    /// Takes a session over and passes its events on until it ends, the client is gone, or its time is up.
    pub(crate) fn begin(&self, bus: EventBus, conn_id: &str, talk: Talk, session: Session, events: Events) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let (conn_id, seq) = (conn_id.to_string(), AtomicU64::new(0));
        let session = Arc::new(TalkSession { id: id.clone(), conn_id, talk, session, seq });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), session.clone());
        let talks = self.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(LONGEST, pass_on(&talks, &bus, &session, events)).await;
            let ended = talks.remove(&session.id).is_some();
            session.send(&bus, json!({"type": "close"}), "session.closed", json!({}));
            if ended {
                session.session.close().await;
            }
        });
        id
    }
}

async fn pass_on(talks: &Talks, bus: &EventBus, session: &TalkSession, mut events: Events) {
    if !session.send(bus, json!({"type": "ready"}), "session.ready", Value::Null) {
        return;
    }
    while let Some(event) = events.next().await {
        let (body, kind, payload) = match event {
            Ok(event) => match described(&event) {
                Some(told) => told,
                None => continue,
            },
            Err(error) => failure(&error.to_string()),
        };
        let ends = kind == "session.error" || body["type"] == "close";
        let reached = ends || session.send(bus, body.clone(), kind, payload.clone());
        if ends && kind == "session.error" {
            session.send(bus, body, kind, payload);
        }
        if ends || !reached || talks.get(&session.id, &session.conn_id).is_none() {
            return;
        }
    }
}

fn failure(message: &str) -> (Value, &'static str, Value) {
    (json!({"type": "error", "message": message}), "session.error", json!({"message": message}))
}

/// What a callback of the provider means to the client.
fn described(event: &Value) -> Option<(Value, &'static str, Value)> {
    let arg = |at: usize| event.pointer(&format!("/args/{at}")).cloned().unwrap_or_default();
    let text = |at: usize| arg(at).as_str().unwrap_or_default().to_string();
    Some(match event.get("name")?.as_str()? {
        "onPartial" => (json!({"type": "partial", "text": text(0)}), "transcript.delta", json!({"text": text(0)})),
        // A transcription gives the text; a conversation role, text and whether it is final.
        "onTranscript" if arg(1).is_null() => {
            (json!({"type": "transcript", "text": text(0), "final": true}), "transcript.done", json!({"text": text(0)}))
        }
        "onTranscript" => {
            let done = arg(2) == true;
            let kind = match (text(0) == "assistant", done) {
                (true, true) => "output.text.done",
                (true, false) => "output.text.delta",
                (false, true) => "transcript.done",
                (false, false) => "transcript.delta",
            };
            let payload = json!({"role": text(0), "text": text(1)});
            (json!({"type": "transcript", "role": text(0), "text": text(1), "final": done}), kind, payload)
        }
        "onAudio" => {
            let audio = chela_capabilities::bytes::base64_of(&arg(0)).unwrap_or_default().to_string();
            let length = audio.len() / 4 * 3;
            (json!({"type": "audio", "audioBase64": audio}), "output.audio.delta", json!({"byteLength": length}))
        }
        "onClearAudio" => (json!({"type": "clear"}), "output.audio.done", json!({"reason": "clear"})),
        "onMark" => (json!({"type": "mark", "markName": text(0)}), "output.audio.done", json!({"markName": text(0)})),
        "onToolCall" => {
            let call = arg(0);
            let body =
                json!({"type": "toolCall", "itemId": call["itemId"], "callId": call["callId"], "name": call["name"], "args": call["args"]});
            (body, "tool.call", json!({"name": call["name"], "args": call["args"]}))
        }
        "onError" => {
            let error = arg(0);
            let message = error.pointer("/$error/message").or_else(|| error.get("message")).and_then(Value::as_str);
            failure(message.unwrap_or("the provider failed"))
        }
        "onClose" => (json!({"type": "close", "reason": text(0)}), "session.closed", json!({"reason": text(0)})),
        _ => return None,
    })
}

impl TalkSession {
    /// Sends one event to the owner; false when it is gone.
    fn send(&self, bus: &EventBus, mut body: Value, kind: &str, payload: Value) -> bool {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let (key, mode, brain) = match self.talk {
            Talk::Transcription => ("transcriptionSessionId", "transcription", "none"),
            Talk::Voice => ("relaySessionId", "realtime", "agent-consult"),
        };
        body[key] = self.id.clone().into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        body["talkEvent"] = json!({
            "id": format!("{}:{seq}", self.id), "type": kind, "sessionId": self.id, "seq": seq, "timestamp": now.as_millis() as u64,
            "mode": mode, "transport": "gateway-relay", "brain": brain, "provider": self.session.provider, "payload": payload,
        });
        bus.broadcast("talk.event", &body, EventTarget::Client(self.conn_id.clone())) > 0
    }
}
