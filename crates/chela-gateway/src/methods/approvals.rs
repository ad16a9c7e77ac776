//! `exec.approval.*`, `plugin.approval.*`, `exec.approvals.get`, `exec.approvals.set`, and our own lists of what was allowed.

use std::sync::Arc;

use chela_approvals::exec_file::ExecFile;
use chela_approvals::{ApprovalKind, ApprovalRow, Ask, AskError, Decision, ResolveError, Verdict, request};
use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_tools::exec_file as disk;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal};
use crate::approvals::public;
use crate::gateway::Gateway;
use crate::ws::{ClientInfo, MethodCall};

/// What a client may do about a request that is gone.
const AGAIN: &str = "Ask for the action again; a request ends with its time.";

/// Serves all of them. A request answers twice when it is asked to (HOOK-179).
pub(super) async fn serve(gateway: &Arc<Gateway>, call: MethodCall) {
    // What an earlier run left must be taken over before anybody decides it.
    gateway.wait_ready().await;
    let (family, verb) = call.method.rsplit_once('.').unwrap_or_default();
    let (params, client) = (call.params.clone(), call.client.clone());
    let kind = if family == "plugin.approval" { ApprovalKind::Plugin } else { ApprovalKind::Exec };
    let answer = match (family, verb) {
        ("exec.approvals", "get") => get_file(gateway, params).await,
        ("exec.approvals", "set") => set_file(gateway, params).await,
        ("approvals", "grants") => grants(gateway, params).await,
        ("approvals", "revoke") => revoke(gateway, &client, params).await,
        ("approvals", "audit") => audit(gateway, params).await,
        (_, "request") => return ask(gateway, kind, call).await,
        (_, "waitDecision") => wait(gateway, &call, kind).await,
        (_, "resolve") => resolve(gateway, &call.method, kind, &client, params).await,
        (_, "get") => get(gateway, params).await,
        _ => list(gateway, kind).await,
    };
    match answer {
        Ok(payload) => call.reply.ok(&payload),
        Err(error) => call.reply.err(&error),
    }
}

async fn list(gateway: &Gateway, kind: ApprovalKind) -> Answer {
    let rows = gateway.host.runtime.approvals.pending(Some(kind)).await.map_err(internal)?;
    Ok(rows.iter().map(public).collect())
}

async fn get(gateway: &Gateway, params: Value) -> Answer {
    let mut p = Params::new("exec.approval.get", params, &["id"])?;
    let id = p.text("id");
    p.done()?;
    let row = gateway.host.runtime.approvals.get(ApprovalKind::Exec, &id).await.map_err(|e| refusal(&e, ApprovalKind::Exec))?;
    let words: Vec<&str> = Decision::allowed_by(&row.request).into_iter().map(Decision::as_str).collect();
    Ok(json!({
        "id": row.id, "commandText": row.request["command"], "commandPreview": row.request.get("commandPreview"),
        "allowedDecisions": words, "host": row.request["host"], "nodeId": row.request["nodeId"], "agentId": row.request["agentId"],
        "expiresAtMs": row.expires_at_ms,
    }))
}

async fn ask(gateway: &Arc<Gateway>, kind: ApprovalKind, call: MethodCall) {
    let checked = match kind {
        ApprovalKind::Plugin => request::plugin(&call.params),
        ApprovalKind::Exec => request::exec(&call.params),
    };
    let checked = match checked {
        Ok(checked) => checked,
        Err(problem) => return call.reply.err(&ErrorShape::invalid_params(&call.method, problem)),
    };
    let ask = Ask {
        kind,
        id: checked.id,
        request: checked.request,
        timeout: checked.timeout,
        plan: None,
        asker: Some(call.client.conn_id.clone()),
    };
    let approvals = &gateway.host.runtime.approvals;
    let asked = match approvals.ask(ask).await {
        Ok(asked) => asked,
        Err(AskError::Taken(_)) => {
            return call.reply.err(&ErrorShape::invalid(Reason::Conflict, "approval id already pending"));
        }
        Err(AskError::Store(error)) => return call.reply.err(&internal(error)),
    };
    if !asked.routed {
        return call.reply.ok(&decided(&asked.row, None));
    }
    if checked.two_phase {
        let mut accepted = decided(&asked.row, None);
        accepted["status"] = "accepted".into();
        if let Some(accepted) = accepted.as_object_mut() {
            accepted.shift_remove("decision");
        }
        call.reply.ok(&accepted);
    }
    match patiently(gateway, &call, &asked.row.id).await {
        Ok(verdict) => call.reply.ok(&decided(&asked.row, verdict.as_ref())),
        Err(error) => call.reply.err(&error),
    }
}

/// Waits for the end of a request, but not longer than the client and the gateway are there.
async fn patiently(gateway: &Gateway, call: &MethodCall, id: &str) -> Result<Option<Verdict>, ErrorShape> {
    tokio::select! {
        verdict = gateway.host.runtime.approvals.wait(id) => verdict.map_err(internal),
        () = call.gone.cancelled() => Err(ErrorShape::unavailable(Reason::NotReady, "the client has left; the request waits on")),
        () = gateway.host.runtime.shutdown.cancelled() => {
            Err(ErrorShape::unavailable(Reason::NotReady, "the gateway is stopping; the request waits on"))
        }
    }
}

async fn wait(gateway: &Gateway, call: &MethodCall, kind: ApprovalKind) -> Answer {
    let mut p = Params::new(&call.method, call.params.clone(), &["id"])?;
    let id = p.text("id");
    p.done()?;
    let verdict = patiently(gateway, call, id.trim()).await?;
    match verdict.filter(|verdict| verdict.row.kind == kind) {
        Some(verdict) => Ok(decided(&verdict.row, Some(&verdict))),
        None => Err(ErrorShape::invalid(Reason::NotFound, "approval expired or not found")),
    }
}

async fn resolve(gateway: &Gateway, method: &str, kind: ApprovalKind, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new(method, params, &["id", "decision"])?;
    let (id, decision) = (p.text("id"), p.text("decision"));
    p.done()?;
    let decision = Decision::parse(&decision).ok_or_else(|| ErrorShape::invalid_params(method, "invalid decision"))?;
    let by = client.display_name.as_deref().unwrap_or(&client.client_id);
    let approvals = &gateway.host.runtime.approvals;
    approvals.resolve(Some(kind), &id, decision, Some(by)).await.map_err(|error| refusal(&error, kind))?;
    Ok(json!({"ok": true}))
}

fn decided(row: &ApprovalRow, verdict: Option<&Verdict>) -> Value {
    let decision = verdict.and_then(|v| v.decision).map(Decision::as_str);
    json!({"id": row.id, "decision": decision, "createdAtMs": row.created_at_ms, "expiresAtMs": row.expires_at_ms})
}

/// HOOK-183, HOOK-185, HOOK-186.
fn refusal(error: &ResolveError, kind: ApprovalKind) -> ErrorShape {
    let shape = ErrorShape::new(chela_gateway_protocol::error::ErrorCode::InvalidRequest, error.to_string());
    match error {
        // A prefix that fits several plugin requests is as good as none.
        ResolveError::Ambiguous if kind == ApprovalKind::Exec => shape,
        ResolveError::NotFound | ResolveError::Ambiguous => {
            let shape = ErrorShape::new(chela_gateway_protocol::error::ErrorCode::InvalidRequest, ResolveError::NotFound.to_string());
            shape.with_detail("reason", "APPROVAL_NOT_FOUND").with_detail("remediation", AGAIN)
        }
        ResolveError::AlreadyResolved => shape.with_detail("reason", "APPROVAL_ALREADY_RESOLVED"),
        ResolveError::NotAllowed { allowed, kind: ApprovalKind::Plugin, .. } => {
            let words: Vec<&str> = allowed.iter().map(|d| d.as_str()).collect();
            shape.with_detail("allowedDecisions", words)
        }
        ResolveError::NotAllowed { .. } => shape.with_detail("reason", "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"),
        ResolveError::Store(_) => internal(error),
    }
}

async fn get_file(gateway: &Gateway, params: Value) -> Answer {
    Params::new("exec.approvals.get", params, &[])?.done()?;
    let dir = gateway.host.paths.state_dir.clone();
    snapshot(disk::read(dir).await)
}

async fn set_file(gateway: &Gateway, params: Value) -> Answer {
    let mut p = Params::new("exec.approvals.set", params, &["file", "baseHash"])?;
    let (file, base) = (p.value("file").cloned(), p.optional_text("baseHash"));
    if file.is_none() {
        p.reject("must have required property 'file'");
    }
    p.done()?;
    let refused = |problem: String| ErrorShape::invalid_params("exec.approvals.set", problem);
    let file = ExecFile::from_value(file.unwrap_or_default()).map_err(|e| refused(e.to_string()))?;
    let dir = gateway.host.paths.state_dir.clone();
    match disk::replace(dir.clone(), file, base).await {
        Ok(()) => snapshot(disk::read(dir).await),
        Err(disk::DiskError::Stale) => {
            Err(ErrorShape::invalid(Reason::Conflict, "exec approvals changed since last load; re-run exec.approvals.get and retry"))
        }
        Err(error) => Err(internal(error)),
    }
}

fn snapshot(read: Result<disk::OnDisk, disk::DiskError>) -> Answer {
    let found = read.map_err(internal)?;
    Ok(json!({"path": found.path, "exists": found.exists, "hash": found.hash, "file": found.file.public()}))
}

async fn grants(gateway: &Gateway, params: Value) -> Answer {
    Params::new("approvals.grants", params, &[])?.done()?;
    let grants = gateway.host.runtime.store.approval_grants().await.map_err(internal)?;
    let row = |g: &chela_approvals::ApprovalGrant| {
        json!({
            "key": g.key, "pluginId": g.plugin_id, "toolName": g.tool, "agentId": g.agent_id, "title": g.title, "grantedAtMs": g.granted_at_ms,
            "grantedBy": g.granted_by, "usedAtMs": g.used_at_ms, "uses": g.uses,
        })
    };
    Ok(json!({"grants": grants.iter().map(row).collect::<Vec<_>>()}))
}

async fn revoke(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new("approvals.revoke", params, &["key"])?;
    let key = p.text("key");
    p.done()?;
    let by = client.display_name.as_deref().unwrap_or(&client.client_id);
    // The beginning is enough where it means one.
    let grants = gateway.host.runtime.store.approval_grants().await.map_err(internal)?;
    let mut found = grants.iter().filter(|g| !key.is_empty() && g.key.starts_with(key.trim()));
    let (Some(grant), None) = (found.next(), found.next()) else {
        return Err(ErrorShape::not_found(format!("no single grant begins with `{}`; `approvals.grants` lists them", key.trim())));
    };
    let gone = gateway.host.runtime.store.revoke_approval_grant(&grant.key, Some(by)).await.map_err(internal)?;
    Ok(json!({"ok": gone, "key": grant.key}))
}

async fn audit(gateway: &Gateway, params: Value) -> Answer {
    let mut p = Params::new("approvals.audit", params, &["limit"])?;
    let limit = p.optional_count("limit").unwrap_or(100);
    p.done()?;
    let rows = gateway.host.runtime.store.approval_audit(usize::try_from(limit).unwrap_or(usize::MAX)).await.map_err(internal)?;
    Ok(json!({ "entries": rows }))
}
