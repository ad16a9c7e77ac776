//! Entries of `paired.json` and `pending.json` (GW-148). Unknown fields are kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A device that may connect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's; GW-148 lists them
pub struct PairedDevice {
    pub device_id: String,
    pub public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, DeviceToken>,
    #[serde(default)]
    pub created_at_ms: i64,
    #[serde(default)]
    pub approved_at_ms: i64,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl PairedDevice {
    /// Roles that were approved.
    pub fn approved_roles(&self) -> Vec<String> {
        merge(&[self.roles.as_deref(), self.role.as_ref().map(std::slice::from_ref)])
    }

    /// Approved roles that hold a token which is not revoked.
    pub fn effective_roles(&self) -> Vec<String> {
        let approved = self.approved_roles();
        let active = self.tokens.values().filter(|token| token.revoked_at_ms.is_none());
        active.map(|token| token.role.clone()).filter(|role| approved.contains(role)).collect()
    }

    /// Scopes that were approved; `None` when the entry says nothing about scopes.
    pub fn approved(&self) -> Option<&[String]> {
        self.approved_scopes.as_deref().or(self.scopes.as_deref())
    }
}

/// Token of a device in one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's; GW-148 lists them
pub struct DeviceToken {
    pub token: String,
    pub role: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<i64>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl DeviceToken {
    /// When the present token was made, in milliseconds since 1970.
    pub fn issued_at_ms(&self) -> i64 {
        self.rotated_at_ms.unwrap_or(self.created_at_ms)
    }
}

/// A device that waits for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's; GW-148 lists them
pub struct PendingDevice {
    pub request_id: String,
    pub device_id: String,
    pub public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    #[serde(default)]
    pub silent: bool,
    #[serde(default)]
    pub is_repair: bool,
    #[serde(default)]
    pub ts: i64,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl PendingDevice {
    /// Roles it asks for.
    pub fn requested_roles(&self) -> Vec<String> {
        merge(&[self.roles.as_deref(), self.role.as_ref().map(std::slice::from_ref)])
    }

    /// Scopes it asks for.
    pub fn requested_scopes(&self) -> &[String] {
        self.scopes.as_deref().unwrap_or_default()
    }
}

/// Joins lists, trimmed, without empty and double entries, in order.
pub(crate) fn merge(lists: &[Option<&[String]>]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for item in lists.iter().copied().flatten().flatten() {
        let item = item.trim();
        if !item.is_empty() && !out.iter().any(|known| known == item) {
            out.push(item.to_owned());
        }
    }
    out
}
