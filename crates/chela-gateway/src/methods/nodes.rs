//! Nodes: devices that connect in the role `node` (GW-56, RT-052..RT-056).
//!
//! Which of their commands are approved, `node_pairing.rs` knows; what is under way to them, `node_calls.rs`; what plugins say about it,
//! `node_policy.rs`.
#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chela_gateway_protocol::Role;
use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use chela_host::nodes::NodeAccess;
use chela_plugin::CallError;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::{Answer, internal, node_policy};
use crate::devices::{PairedDevice, now_ms};
use crate::gateway::Gateway;
use crate::node_calls::{NodeAnswer, NodeCommand, NodeFailure};
use crate::node_pairing::commands_of;
use crate::ws::ClientInfo;

/// Commands for the approvals of a node, which have methods of their own.
const OWN_METHODS: [&str; 2] = ["system.execApprovals.get", "system.execApprovals.set"];

/// Commands with rules of their own that are not built: approvals that are bound to a program's arguments, and profiles of browsers.
const NOT_BUILT: [&str; 3] = ["system.run", "system.run.prepare", "browser.proxy"];

/// The id of a connected node.
pub(super) fn id_of(client: &ClientInfo) -> &str {
    client.device_id.as_deref().unwrap_or(&client.client_id)
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    Value::Object(map.into_iter().filter(|(_, member)| !member.is_null()).collect::<Map<_, _>>())
}

/// What is known of a node: of its connection, else of its pairing.
fn row(id: &str, live: Option<&ClientInfo>, paired: Option<&PairedDevice>, node: Option<&Value>) -> Value {
    let approved = node.map(commands_of).unwrap_or_default();
    // Hidden until they are approved (GW-56).
    let mut commands: Vec<&String> = match live {
        Some(live) => approved.iter().filter(|command| live.declared_commands.contains(command)).collect(),
        None => approved.iter().collect(),
    };
    commands.sort();
    let known = |key: &str| node.and_then(|node| node[key].as_str()).map(str::to_owned);
    let record = paired.map(|paired| &paired.record);
    let caps = live.map(|live| {
        let mut caps = live.caps.clone();
        caps.sort();
        caps.dedup();
        caps
    });
    let connected_at = live.map(|live| now_ms() - i64::try_from(live.connected_at.elapsed().as_millis()).unwrap_or(0));
    without_nulls(json!({
        "nodeId": id,
        "displayName": known("displayName").or(live.and_then(|l| l.display_name.clone()).or(record.and_then(|r| r.display_name.clone()))),
        "platform": live.map(|l| l.platform.clone()).or(record.and_then(|r| r.platform.clone())),
        "version": live.map(|l| l.version.clone()),
        "clientId": live.map(|l| l.client_id.clone()).or(record.and_then(|r| r.client_id.clone())),
        "clientMode": live.map(|l| l.mode.clone()).or(record.and_then(|r| r.client_mode.clone())),
        "deviceFamily": live.and_then(|l| l.device_family.clone()).or(record.and_then(|r| r.device_family.clone())),
        "modelIdentifier": live.and_then(|l| l.model_identifier.clone()),
        "remoteIp": live.and_then(|l| l.remote_ip.clone()).or(record.and_then(|r| r.remote_ip.clone())),
        "caps": caps.unwrap_or_default(),
        "commands": commands,
        "connectedAtMs": connected_at,
        "approvedAtMs": node.and_then(|n| n["approvedAtMs"].as_i64()).or(paired.map(|p| p.approved_at_ms)),
        "paired": paired.is_some() || node.is_some(),
        "connected": live.is_some(),
    }))
}

async fn known(gateway: &Arc<Gateway>) -> Result<BTreeMap<String, Value>, ErrorShape> {
    let devices = gateway.devices.clone();
    let (paired, _) = tokio::task::spawn_blocking(move || devices.list()).await.map_err(internal)?.map_err(internal)?;
    let paired: BTreeMap<String, PairedDevice> = paired
        .into_iter()
        .filter(|device| device.effective_roles().iter().any(|role| role == Role::Node.as_str()))
        .map(|device| (device.record.device_id.clone(), device))
        .collect();
    let live = connected(gateway);
    let nodes = gateway.nodes.clone();
    let (_, approved) = tokio::task::spawn_blocking(move || nodes.list()).await.map_err(internal)?.map_err(internal)?;
    let approved: BTreeMap<String, Value> =
        approved.into_iter().filter_map(|node| Some((node["nodeId"].as_str()?.to_owned(), node))).collect();
    let ids = paired.keys().chain(live.keys()).chain(approved.keys());
    let of = |id: &String| row(id, live.get(id).map(AsRef::as_ref), paired.get(id), approved.get(id));
    Ok(ids.map(|id| (id.clone(), of(id))).collect())
}

fn connected(gateway: &Gateway) -> BTreeMap<String, Arc<ClientInfo>> {
    let clients = gateway.bus.connected().into_iter();
    clients.filter(|client| client.role == Role::Node).map(|client| (id_of(&client).to_owned(), client)).collect()
}

/// `node.list {}` -> `{ts, nodes}`.
pub(super) async fn list(gateway: &Arc<Gateway>, params: Value) -> Answer {
    Params::new("node.list", params, &[])?.done()?;
    let nodes: Vec<Value> = known(gateway).await?.into_values().collect();
    Ok(json!({"ts": now_ms(), "nodes": nodes}))
}

/// `node.describe {nodeId}`.
pub(super) async fn describe(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("node.describe", params, &["nodeId"])?;
    let id = p.text("nodeId");
    p.done()?;
    let Some(mut node) = known(gateway).await?.remove(&id) else {
        return Err(ErrorShape::invalid(Reason::InvalidParams, "unknown nodeId"));
    };
    node["ts"] = now_ms().into();
    Ok(node)
}

/// `node.invoke {nodeId, command, params?, timeoutMs?, idempotencyKey}` -> `{ok, nodeId, command, payload, payloadJSON}`; `client` is
/// what a policy of a plugin learns of the caller.
pub(super) async fn invoke(gateway: &Arc<Gateway>, client: &Value, params: Value) -> Answer {
    let mut p = Params::new("node.invoke", params, &["nodeId", "command", "params", "timeoutMs", "idempotencyKey"])?;
    let command = NodeCommand {
        node_id: p.text("nodeId").trim().to_owned(),
        command: p.text("command").trim().to_owned(),
        params: p.value("params").cloned(),
        timeout_ms: p.optional_count("timeoutMs"),
        idempotency_key: Some(p.text("idempotencyKey")),
    };
    p.done()?;
    // A plugin that is still starting may have a policy.
    gateway.host.manager.settle_for_call().await;
    let node = reachable(gateway, &command).await?;
    let answer = match node_policy::apply(gateway, &node, &command, client).await {
        Some(decided) => decided?,
        None => gateway.node_calls.invoke(&gateway.bus, &node, &command).await.map_err(|failure| {
            let error = ErrorShape::new(ErrorCode::Unavailable, failure.message.clone());
            let error = error.with_detail("nodeError", failure.public());
            match &failure.code {
                Some(code) => error.with_detail("code", code.as_str()),
                None => error,
            }
        })?,
    };
    // As the reference: the text wins where a node sent both.
    let parsed = answer.payload_json.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let payload = parsed.unwrap_or(answer.payload);
    Ok(json!({"ok": true, "nodeId": command.node_id, "command": command.command, "payload": payload, "payloadJSON": answer.payload_json}))
}

/// The connection of the node, when the command may go there.
async fn reachable(gateway: &Arc<Gateway>, wanted: &NodeCommand) -> Result<Arc<ClientInfo>, ErrorShape> {
    let (id, command) = (&wanted.node_id, &wanted.command);
    if OWN_METHODS.contains(&command.as_str()) {
        let text = format!("node.invoke does not run `{command}`; use exec.approvals.node.get or exec.approvals.node.set");
        return Err(ErrorShape::invalid(Reason::InvalidParams, text).with_detail("command", command.as_str()));
    }
    let Some(live) = connected(gateway).remove(id) else {
        return Err(ErrorShape::new(ErrorCode::Unavailable, "node not connected").with_detail("code", "NOT_CONNECTED"));
    };
    let (nodes, name) = (gateway.nodes.clone(), id.clone());
    let node = tokio::task::spawn_blocking(move || nodes.node(&name)).await.map_err(internal)?.map_err(internal)?;
    let why = if !live.declared_commands.contains(command) {
        "command not declared by node".to_owned()
    } else if !node.is_some_and(|node| commands_of(&node).contains(command)) {
        "command not approved".to_owned()
    } else if let Some(why) = node_policy::forbidden(gateway, command) {
        why
    } else if NOT_BUILT.contains(&command.as_str()) {
        let text = format!("`{command}` of node `{id}` is approved, but running it through the gateway is not built yet");
        return Err(ErrorShape::new(ErrorCode::Unavailable, text).with_detail("code", "NOT_BUILT"));
    } else {
        return Ok(live);
    };
    let next = if why == "command not approved" { "; approve it with `node.pair.approve`" } else { "" };
    let error = ErrorShape::invalid(Reason::InvalidParams, format!("node command not allowed: {why}{next}"));
    Err(error.with_detail("reason", why).with_detail("command", command.as_str()))
}

/// `node.invoke.result {id, nodeId, ok, payload?, payloadJSON?, error?}` of a node (GW-68).
pub(super) fn result(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new("node.invoke.result", params, &["id", "nodeId", "ok", "payload", "payloadJSON", "error"])?;
    let (id, node_id) = (p.text("id"), p.text("nodeId"));
    let Some(ok) = p.flag("ok") else {
        return Err(ErrorShape::invalid_params("node.invoke.result", "must have required property 'ok'"));
    };
    let given = |name: &str| p.value(name).filter(|value| !value.is_null()).cloned();
    let (mut payload, text, error) = (given("payload"), given("payloadJSON"), given("error"));
    let payload_json = text.as_ref().and_then(Value::as_str).map(str::to_owned);
    // Some nodes send the payload itself where its text belongs.
    if payload_json.is_none() {
        payload = payload.or(text);
    }
    p.done()?;
    if id_of(client) != node_id {
        return Err(ErrorShape::invalid(Reason::InvalidParams, "nodeId mismatch"));
    }
    let outcome = if ok {
        Ok(NodeAnswer { payload: payload.unwrap_or_default(), payload_json })
    } else {
        let own = |name: &str| error.as_ref().and_then(|error| error[name].as_str()).map(str::to_owned);
        Err(NodeFailure { code: own("code"), message: own("message").unwrap_or_else(|| "node command failed".into()) })
    };
    let taken = gateway.node_calls.answer(&client.conn_id, &id, outcome);
    Ok(if taken { json!({"ok": true}) } else { json!({"ok": true, "ignored": true}) })
}

/// Nodes for plugins.
pub(super) struct PluginNodes(pub(super) Weak<Gateway>);

impl PluginNodes {
    fn gateway(&self) -> Result<Arc<Gateway>, CallError> {
        self.0.upgrade().ok_or_else(|| CallError::refused("CLOSED", "the gateway is closing"))
    }
}

fn refused(error: &ErrorShape) -> CallError {
    CallError::refused("NODE_REFUSED", error.message.clone())
}

#[async_trait]
impl NodeAccess for PluginNodes {
    async fn list(&self) -> Result<Vec<Value>, CallError> {
        Ok(known(&self.gateway()?).await.map_err(|e| refused(&e))?.into_values().collect())
    }

    async fn invoke(&self, params: Value) -> Result<Value, CallError> {
        // A plugin asks with write scope, whoever called it.
        let client = json!({"scopes": [chela_gateway_protocol::Scope::Write.as_str()]});
        invoke(&self.gateway()?, &client, params).await.map_err(|e| refused(&e))
    }
}
