//! What listeners are told of the start and of the end of a session.

use chela_store::{EndedSession, LifecycleStart};
use serde_json::{Value, json};

pub(super) fn context(start: &LifecycleStart) -> Value {
    json!({"sessionId": start.session_id, "sessionKey": start.session_key, "agentId": start.agent_id})
}

/// HOOK-068, with the stable `eventId` that the reference lacks.
pub(super) fn start(start: &LifecycleStart) -> Value {
    let mut event = json!({"sessionId": start.session_id, "sessionKey": start.session_key, "eventId": start.event_id});
    if let Some(from) = &start.resumed_from {
        event["resumedFrom"] = from.clone().into();
    }
    event
}

/// HOOK-069, with true counts (HOOK-226, HOOK-302).
pub(super) fn end(ended: &EndedSession) -> Value {
    let (start, end) = (&ended.start, &ended.end);
    let mut event = json!({
        "sessionId": start.session_id, "sessionKey": start.session_key, "messageCount": end.message_count.unwrap_or(0),
        "durationMs": end.duration_ms.unwrap_or(0), "reason": end.reason, "eventId": ended.event_id,
    });
    let texts = [("sessionFile", &end.session_file), ("nextSessionId", &end.next_session_id), ("nextSessionKey", &end.next_session_key)];
    for (name, value) in texts {
        if let Some(value) = value {
            event[name] = value.clone().into();
        }
    }
    if let Some(archived) = end.transcript_archived {
        event["transcriptArchived"] = archived.into();
    }
    if end.recovered {
        event["recovered"] = true.into();
    }
    event
}
