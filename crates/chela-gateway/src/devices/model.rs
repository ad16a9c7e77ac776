//! Entries of `paired.json`, `pending.json` and `bootstrap.json` (GW-148). Unknown fields are kept.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What both files hold of a device: who it is and what it is for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the files'; GW-148 lists them
pub struct DeviceRecord {
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
}

impl DeviceRecord {
    /// All roles that it names.
    pub fn all_roles(&self) -> Vec<String> {
        merge(&[self.roles.as_deref(), self.role.as_ref().map(std::slice::from_ref)])
    }

    /// All scopes that it names.
    pub fn all_scopes(&self) -> &[String] {
        self.scopes.as_deref().unwrap_or_default()
    }
}

/// A device that may connect; the roles and scopes of its record are the approved ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's; GW-148 lists them
pub struct PairedDevice {
    #[serde(flatten)]
    pub record: DeviceRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_scopes: Option<Vec<String>>,
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
    /// Approved roles that hold a token which is not revoked.
    pub fn effective_roles(&self) -> Vec<String> {
        let approved = self.record.all_roles();
        let active = self.tokens.values().filter(|token| token.revoked_at_ms.is_none());
        active.map(|token| token.role.clone()).filter(|role| approved.contains(role)).collect()
    }

    /// Scopes that were approved; `None` when the entry says nothing about scopes.
    pub fn approved(&self) -> Option<&[String]> {
        self.approved_scopes.as_deref().or(self.record.scopes.as_deref())
    }

    /// What others may see: everything but the tokens themselves.
    pub fn redacted(&self) -> Value {
        let mut out = json!(self.record);
        if let Some(map) = out.as_object_mut() {
            map.insert("createdAtMs".to_owned(), self.created_at_ms.into());
            map.insert("approvedAtMs".to_owned(), self.approved_at_ms.into());
            map.extend(self.extra.clone());
            if !self.tokens.is_empty() {
                map.insert("tokens".to_owned(), self.tokens.values().map(DeviceToken::redacted).collect());
            }
        }
        out
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

    fn redacted(&self) -> Value {
        let mut out = json!({"role": self.role, "scopes": self.scopes, "createdAtMs": self.created_at_ms});
        let times = [("rotatedAtMs", self.rotated_at_ms), ("revokedAtMs", self.revoked_at_ms), ("lastUsedAtMs", self.last_used_at_ms)];
        for (name, time) in times {
            if let Some(time) = time {
                out[name] = time.into();
            }
        }
        out
    }
}

/// A device that waits for approval; the roles and scopes of its record are those that it asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's; GW-148 lists them
pub struct PendingDevice {
    pub request_id: String,
    #[serde(flatten)]
    pub record: DeviceRecord,
    #[serde(default)]
    pub silent: bool,
    #[serde(default)]
    pub is_repair: bool,
    #[serde(default)]
    pub ts: i64,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A one-time token by which a new device pairs itself (GW-28, GW-32, GW-51).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names are the file's
pub struct BootstrapToken {
    pub token: String,
    #[serde(default)]
    pub profile: BootstrapProfile,
    #[serde(default)]
    pub redeemed_profile: BootstrapProfile,
    /// The first device that used it; nobody else may use it after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default)]
    pub issued_at_ms: i64,
    #[serde(default)]
    pub ts: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<i64>,
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Roles and scopes that a [`BootstrapToken`] hands out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the file's
pub struct BootstrapProfile {
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub scopes: Vec<String>,
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
