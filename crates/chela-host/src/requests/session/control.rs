//! The run of a session in the hands of a plugin: how it stands, a word to it, its end.

use chela_agent::turn::Guidance;
use chela_plugin::CallError;
use serde_json::{Value, json};

use crate::chat::{ChatCaller, status_text};
use crate::requests::{Reply, Request, failed};

/// The caller that a plugin speaks for: it may be authorized by its channel, and is never the operator with the rights of a client.
fn caller_of(request: &Request<'_>, key: String) -> ChatCaller {
    let yes = |name: &str| request.params.get(name) == Some(&Value::Bool(true));
    ChatCaller {
        surface: request.optional("channel").map(str::trim).filter(|c| !c.is_empty()).unwrap_or("webchat").into(),
        agent_id: chela_store::session_key::agent_of(&key),
        session_key: key,
        sender_id: request.optional("senderId").map(str::to_owned),
        authorized: yes("isAuthorizedSender"),
        owner: yes("senderIsOwner"),
        scopes: None,
        inbound: None,
    }
}

fn key_of(request: &Request<'_>) -> Result<String, CallError> {
    let default = request.host.runtime.settings().agents.default_id.clone();
    Ok(chela_store::session_key::canonicalize(request.text("sessionKey")?, &default))
}

/// `({sessionKey, channel?, senderId?, ...})` -> `{text}`: what `/status` says in that session.
pub(super) async fn status(request: &Request<'_>) -> Reply {
    let caller = caller_of(request, key_of(request)?);
    Ok(json!({"text": status_text(request.host, &caller).await}))
}

/// `({sessionKey, action, text?})` -> `{sessionId?, active, done}`. `look` changes nothing, `cancel` ends the runs of the session, `steer` tells
/// the run under way something; `done` says whether anything was ended or told.
pub(super) async fn control(request: &Request<'_>) -> Reply {
    let (key, runtime) = (key_of(request)?, &request.host.runtime);
    let active = runtime.runs.is_session_active(&key);
    let row = runtime.store.session(&key).await.map_err(failed)?;
    let done = match request.text("action")? {
        "look" => false,
        "cancel" => !runtime.runs.abort_session(&key).is_empty(),
        "steer" => {
            let surface = request.optional("channel").unwrap_or("webchat");
            // A guest: a plugin's word must not use the rights of an owner's run.
            runtime.steer(Guidance {
                session_key: &key,
                surface,
                inbound: None,
                sender_id: None,
                owner: false,
                text: request.text("text")?,
            })
        }
        other => return Err(CallError::refused("INVALID_PARAMS", format!("`action` is `look`, `cancel` or `steer`, not `{other}`"))),
    };
    let session_id = row.map_or_else(|| json!({"$undefined": true}), |row| json!(row.session_id));
    Ok(json!({"sessionId": session_id, "active": active, "done": done}))
}
