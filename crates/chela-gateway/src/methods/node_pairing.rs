//! `node.pair.*` and `node.rename`: who approves which commands of a node (GW-56, GW-57).

use std::sync::Arc;

use chela_gateway_protocol::error::{ErrorShape, Reason};
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal};
use crate::devices::{DeviceStoreError, now_ms};
use crate::events::{EventOptions, EventTarget};
use crate::gateway::Gateway;
use crate::node_pairing::{Approved, NodeStore};
use crate::ws::{ClientInfo, MethodCall};

/// Members of a request that are texts.
const TEXTS: [&str; 8] = ["displayName", "platform", "version", "coreVersion", "uiVersion", "deviceFamily", "modelIdentifier", "remoteIp"];
/// Most commands or abilities of one request.
const MOST_COMMANDS: usize = 512;

/// Serves the methods of this module.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: &MethodCall) -> Answer {
    let params = call.params.clone();
    match call.method.as_str() {
        "node.pair.request" => request(gateway, params).await,
        "node.pair.list" => list(gateway, params).await,
        "node.pair.approve" => approve(gateway, &call.client, params).await,
        "node.pair.reject" => reject(gateway, params).await,
        "node.pair.remove" => remove(gateway, params).await,
        "node.pair.verify" => verify(gateway, params).await,
        _ => rename(gateway, params).await,
    }
}

async fn request(gateway: &Gateway, params: Value) -> Answer {
    let known = [&["nodeId", "caps", "commands", "permissions", "silent"][..], &TEXTS[..]].concat();
    let mut p = Params::new("node.pair.request", params, &known)?;
    let mut claim = json!({"nodeId": p.text("nodeId").trim()});
    if claim["nodeId"] == "" {
        p.reject("nodeId required");
    }
    for name in TEXTS {
        if let Some(text) = p.optional_text(name) {
            claim[name] = text.into();
        }
    }
    for name in ["caps", "commands"] {
        if p.value(name).is_some() {
            let rows = p.texts(name);
            if rows.len() > MOST_COMMANDS {
                p.reject(format!("{name} may hold {MOST_COMMANDS} names"));
            }
            claim[name] = tidy(rows).into();
        }
    }
    match p.value("permissions") {
        Some(Value::Object(map)) if map.values().all(Value::is_boolean) => claim["permissions"] = map.clone().into(),
        Some(_) => p.reject("permissions must be an object of booleans"),
        None => {}
    }
    if let Some(silent) = p.flag("silent") {
        claim["silent"] = silent.into();
    }
    p.done()?;
    let (row, created) = store(gateway, move |nodes| nodes.request(&claim)).await?;
    if created {
        announce(gateway, "node.pair.requested", &row);
    }
    Ok(json!({"status": "pending", "request": row, "created": created}))
}

/// Names without blanks and repeats.
fn tidy(names: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if !out.iter().any(|known| known == name) {
            out.push(name.to_owned());
        }
    }
    out
}

async fn list(gateway: &Gateway, params: Value) -> Answer {
    Params::new("node.pair.list", params, &[])?.done()?;
    let (pending, paired) = store(gateway, NodeStore::list).await?;
    Ok(json!({"pending": pending, "paired": paired}))
}

async fn approve(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    let id = one("node.pair.approve", params, "requestId")?;
    let (wanted, scopes) = (id.clone(), client.scopes.clone());
    match store(gateway, move |nodes| nodes.approve(&wanted, &scopes)).await? {
        Approved::Node(node) => {
            tracing::info!(node = %node["nodeId"], "a node was approved");
            resolved(gateway, &id, node["nodeId"].as_str().unwrap_or_default(), "approved");
            Ok(json!({"requestId": id, "node": node}))
        }
        Approved::Unknown => Err(ErrorShape::not_found("unknown requestId")),
        Approved::MissingScope(scope) => Err(ErrorShape::missing_scope(scope)),
    }
}

async fn reject(gateway: &Gateway, params: Value) -> Answer {
    let id = one("node.pair.reject", params, "requestId")?;
    let wanted = id.clone();
    let node = store(gateway, move |nodes| nodes.reject(&wanted)).await?.ok_or_else(|| ErrorShape::not_found("unknown requestId"))?;
    resolved(gateway, &id, &node, "rejected");
    Ok(json!({"requestId": id, "nodeId": node}))
}

async fn remove(gateway: &Gateway, params: Value) -> Answer {
    let id = one("node.pair.remove", params, "nodeId")?.trim().to_owned();
    let wanted = id.clone();
    if !store(gateway, move |nodes| nodes.remove(&wanted)).await? {
        return Err(ErrorShape::not_found("unknown nodeId"));
    }
    resolved(gateway, "", &id, "removed");
    Ok(json!({"nodeId": id}))
}

async fn verify(gateway: &Gateway, params: Value) -> Answer {
    let mut p = Params::new("node.pair.verify", params, &["nodeId", "token"])?;
    let (id, token) = (p.text("nodeId"), p.text("token"));
    p.done()?;
    let node = store(gateway, move |nodes| nodes.node(&id)).await?;
    let holds = |node: &Value| {
        let own = node["token"].as_str().unwrap_or_default();
        !own.is_empty() && bool::from(subtle::ConstantTimeEq::ct_eq(own.as_bytes(), token.as_bytes()))
    };
    Ok(node.filter(holds).map_or_else(|| json!({"ok": false}), |node| json!({"ok": true, "node": node})))
}

async fn rename(gateway: &Gateway, params: Value) -> Answer {
    let mut p = Params::new("node.rename", params, &["nodeId", "displayName"])?;
    let (id, name) = (p.text("nodeId"), p.text("displayName").trim().to_owned());
    p.done()?;
    if name.is_empty() || name.chars().count() > 200 {
        return Err(ErrorShape::invalid(Reason::InvalidParams, "displayName required, of at most 200 characters"));
    }
    let node = store(gateway, move |nodes| nodes.rename(&id, &name)).await?.ok_or_else(|| ErrorShape::not_found("unknown nodeId"))?;
    Ok(json!({"nodeId": node["nodeId"], "displayName": node["displayName"]}))
}

/// A node has connected: what it declares and nobody approved becomes a request (GW-56).
pub(crate) async fn connected(gateway: &Gateway, client: &ClientInfo) {
    let id = super::nodes::id_of(client).to_owned();
    let declared = tidy(client.declared_commands.clone());
    let mut claim =
        json!({"nodeId": id, "platform": client.platform, "version": client.version, "caps": client.caps, "commands": declared});
    let texts = [
        ("displayName", &client.display_name),
        ("deviceFamily", &client.device_family),
        ("modelIdentifier", &client.model_identifier),
        ("remoteIp", &client.remote_ip),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            claim[name] = text.clone().into();
        }
    }
    let asked = store(gateway, move |nodes| {
        let approved = nodes.node(&id)?.map(|node| crate::node_pairing::commands_of(&node));
        let new = approved.is_none_or(|approved| declared.iter().any(|command| !approved.contains(command)));
        if new { nodes.request(&claim).map(Some) } else { Ok(None) }
    });
    match asked.await {
        Ok(Some((row, true))) => announce(gateway, "node.pair.requested", &row),
        Ok(_) => {}
        Err(error) => tracing::warn!("the approval of a node could not be asked for: {}", error.message),
    }
}

fn one(method: &str, params: Value, name: &str) -> Result<String, ErrorShape> {
    let mut p = Params::new(method, params, &[name])?;
    let text = p.text(name);
    p.done()?;
    Ok(text)
}

fn resolved(gateway: &Gateway, request: &str, node: &str, decision: &str) {
    announce(gateway, "node.pair.resolved", &json!({"requestId": request, "nodeId": node, "decision": decision, "ts": now_ms()}));
}

fn announce(gateway: &Gateway, event: &str, payload: &Value) {
    let options = EventOptions { drop_if_slow: true, ..EventOptions::default() };
    gateway.bus.broadcast_with(event, payload, EventTarget::All, options);
}

async fn store<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce(&NodeStore) -> Result<T, DeviceStoreError> + Send + 'static,
) -> Result<T, ErrorShape> {
    let nodes = gateway.nodes.clone();
    tokio::task::spawn_blocking(move || work(&nodes)).await.map_err(internal)?.map_err(internal)
}
