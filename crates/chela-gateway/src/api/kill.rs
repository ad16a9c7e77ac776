//! `POST /sessions/<key>/kill` (GW-118): ends what runs in a session.

use std::sync::Arc;

use chela_gateway_protocol::Scope;
use chela_store::SessionRow;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{HttpCall, HttpReply};

/// Names the session on whose behalf the caller acts.
const REQUESTER: &str = "x-openclaw-requester-session-key";

/// An administrator beside the gateway may end any session's runs. Whoever acts for a session may end those of that session and of
/// the ones that it spawned, wherever it calls from (GW-F17).
pub(super) async fn serve(gateway: &Arc<Gateway>, call: &HttpCall, key: &str) -> HttpReply {
    let requester = call.header(REQUESTER).map(str::trim).filter(|key| !key.is_empty());
    let needed = match requester {
        Some(_) => Scope::Write,
        None if call.is_local => Scope::Admin,
        None => {
            return refuse(StatusCode::FORBIDDEN, "forbidden", format!("a kill needs a local administrator, or the header `{REQUESTER}`"));
        }
    };
    if !call.auth.has_scope(needed) {
        return refuse(StatusCode::FORBIDDEN, "forbidden", format!("missing scope: {needed}"));
    }
    let missing = || refuse(StatusCode::NOT_FOUND, "not_found", format!("Session not found: {key}"));
    let Ok((session_key, _)) = gateway.route(key, None) else { return missing() };
    let row = match gateway.host.runtime.store.session(&session_key).await {
        Ok(Some(row)) => row,
        Ok(None) => return missing(),
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    };
    if let Some(requester) = requester {
        let owns = gateway.route(requester, None).is_ok_and(|(requester, _)| owns(&requester, &row));
        if !owns {
            return refuse(StatusCode::FORBIDDEN, "forbidden", format!("session `{requester}` does not own `{}`", row.key));
        }
    }
    let ended = gateway.host.runtime.runs.abort_session(&row.key);
    tracing::info!(session = %row.key, runs = ended.len(), "runs of a session were ended over HTTP");
    HttpReply::json(StatusCode::OK, &json!({"ok": true, "killed": !ended.is_empty()}))
}

fn owns(requester: &str, row: &SessionRow) -> bool {
    requester == row.key || row.extra.get("spawnedBy").and_then(Value::as_str) == Some(requester)
}

fn refuse(status: StatusCode, kind: &str, message: String) -> HttpReply {
    HttpReply::json(status, &json!({"ok": false, "error": {"type": kind, "message": message}}))
}
