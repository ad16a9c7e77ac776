//! Nodes: devices that connect in the role `node` (GW-56, RT-052..RT-056).
//!
//! Which of their commands are approved, `node_pairing.rs` knows. Running one on a node is not built: it is refused by name.
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
use super::{Answer, internal};
use crate::devices::{PairedDevice, now_ms};
use crate::gateway::Gateway;
use crate::node_pairing::commands_of;
use crate::ws::ClientInfo;

/// Commands for the approvals of a node, which have methods of their own.
const OWN_METHODS: [&str; 2] = ["system.execApprovals.get", "system.execApprovals.set"];

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

/// `node.invoke {nodeId, command, params?, timeoutMs?, idempotencyKey}`.
pub(super) async fn invoke(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("node.invoke", params, &["nodeId", "command", "params", "timeoutMs", "idempotencyKey"])?;
    let (id, command) = (p.text("nodeId"), p.text("command"));
    p.text("idempotencyKey");
    p.optional_count("timeoutMs");
    p.done()?;
    if OWN_METHODS.contains(&command.as_str()) {
        let text = format!("node.invoke does not run `{command}`; use exec.approvals.node.get or exec.approvals.node.set");
        return Err(ErrorShape::invalid(Reason::InvalidParams, text).with_detail("command", command));
    }
    let live = connected(gateway).remove(&id);
    let Some(live) = live else {
        return Err(ErrorShape::new(ErrorCode::Unavailable, "node not connected").with_detail("code", "NOT_CONNECTED"));
    };
    let (nodes, wanted) = (gateway.nodes.clone(), id.clone());
    let node = tokio::task::spawn_blocking(move || nodes.node(&wanted)).await.map_err(internal)?.map_err(internal)?;
    let why = if !live.declared_commands.contains(&command) {
        "command not declared by node"
    } else if !node.is_some_and(|node| commands_of(&node).contains(&command)) {
        "command not approved"
    } else {
        let text = format!("`{command}` of node `{id}` is approved, but running commands on nodes is not built yet");
        return Err(ErrorShape::new(ErrorCode::Unavailable, text).with_detail("code", "NOT_BUILT"));
    };
    let text = format!("node command not allowed: {why}; approve it with `node.pair.approve`");
    let error = ErrorShape::invalid(Reason::InvalidParams, text);
    Err(error.with_detail("reason", why).with_detail("command", command))
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
        let answer = invoke(&self.gateway()?, params).await.map_err(|e| refused(&e))?;
        Ok(answer.get("payload").cloned().unwrap_or(Value::Null))
    }
}
