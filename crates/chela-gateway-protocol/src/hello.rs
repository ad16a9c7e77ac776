//! The answer to a successful `connect` (GW-25..GW-30).

use crate::limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Payload of the response to `connect` (GW-25).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloOk {
    /// Always `hello-ok`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The protocol that both ends use from now on.
    pub protocol: u64,
    /// Who answered.
    pub server: ServerInfo,
    /// Hints on what can be called and received; not complete (GW-30).
    pub features: Features,
    /// State at this moment (GW-27).
    pub snapshot: Value,
    /// Capability-scoped URLs by surface (GW-29).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub plugin_surface_urls: BTreeMap<String, String>,
    /// What the client may do (GW-28).
    pub auth: HelloAuth,
    /// Limits the client must keep (GW-26).
    pub policy: Policy,
}

/// Who answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// Version of the gateway.
    pub version: String,
    /// Id of this connection.
    pub conn_id: String,
}

/// Hints on what can be called and received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Features {
    /// Method names.
    pub methods: Vec<String>,
    /// Event names.
    pub events: Vec<String>,
}

/// What the client may do (GW-28).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloAuth {
    /// Granted role.
    pub role: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// Token of the device, to be stored by the client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_token: Option<String>,
    /// When that token was issued, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issued_at_ms: Option<i64>,
    /// Tokens of further roles that a setup code hands out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub device_tokens: Vec<HandedToken>,
    /// Things the client should tell its user, such as scopes that were dropped (GW-F9).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<HelloWarning>,
}

/// A device token that the hello hands out besides the one of the granted role (GW-28).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedToken {
    /// The token, to be stored by the client.
    pub device_token: String,
    /// The role it is for.
    pub role: String,
    /// The scopes it allows.
    pub scopes: Vec<String>,
    /// When it was issued, in milliseconds since 1970.
    pub issued_at_ms: i64,
}

/// Something the client should tell its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloWarning {
    /// For programs.
    pub code: String,
    /// For people; names the next step.
    pub message: String,
    /// The scopes it is about.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub scopes: Vec<String>,
}

impl HelloWarning {
    /// The scopes that a client without device identity asked for and did not get (GW-38, GW-F9).
    pub fn scopes_dropped(scopes: Vec<String>) -> Self {
        HelloWarning {
            code: "SCOPES_DROPPED".to_owned(),
            message: format!(
                "requested scopes were dropped ({}): a client without device identity gets none; sign the connect with a device key, or connect from loopback as client `gateway-client` in mode `backend`",
                scopes.join(", ")
            ),
            scopes,
        }
    }
}

/// Limits the client must keep (GW-26).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Largest frame in bytes.
    pub max_payload: usize,
    /// Bytes that may wait for the client.
    pub max_buffered_bytes: usize,
    /// Milliseconds between two ticks.
    pub tick_interval_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_payload: limits::MAX_PAYLOAD_BYTES,
            max_buffered_bytes: limits::MAX_BUFFERED_BYTES,
            tick_interval_ms: limits::TICK_INTERVAL.as_millis() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-26
    #[test]
    fn policy_has_the_documented_limits() {
        assert_eq!(
            serde_json::to_value(Policy::default()).unwrap(),
            json!({"maxPayload":26_214_400,"maxBufferedBytes":52_428_800,"tickIntervalMs":30_000})
        );
    }
}
