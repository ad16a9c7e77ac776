//! A connected client.

use crate::auth::AuthMethod;
use chela_gateway_protocol::{Role, Scope};
use std::time::Instant;

/// Who is at the other end of a connection. Fixed for its life.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// Id of the connection.
    pub conn_id: String,
    /// `client.id` of the connect.
    pub client_id: String,
    /// `client.mode` of the connect.
    pub mode: String,
    /// `client.displayName` of the connect.
    pub display_name: Option<String>,
    /// `client.version` of the connect.
    pub version: String,
    /// `client.platform`; the approved value for a paired device (GW-48).
    pub platform: String,
    /// `client.deviceFamily`; the approved value for a paired device (GW-48).
    pub device_family: Option<String>,
    /// `client.modelIdentifier` of the connect.
    pub model_identifier: Option<String>,
    /// `client.instanceId` of the connect.
    pub instance_id: Option<String>,
    /// Granted role.
    pub role: Role,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// The device, when the client proved one.
    pub device_id: Option<String>,
    /// What authenticated it.
    pub auth_method: AuthMethod,
    /// Abilities that a node declares.
    pub caps: Vec<String>,
    /// Commands that a node declares. None of them is approved by being here (GW-56).
    pub declared_commands: Vec<String>,
    /// Address, when it is not this machine.
    pub remote_ip: Option<String>,
    /// On this machine and not behind a proxy.
    pub is_local: bool,
    /// `User-Agent` of the upgrade.
    pub user_agent: Option<String>,
    /// When the handshake was done.
    pub connected_at: Instant,
}

impl ClientInfo {
    /// Whether it may do what needs this scope (GW-61). Nodes hold no operator scope.
    pub fn has_scope(&self, scope: Scope) -> bool {
        self.role == Role::Operator && scope.satisfied_by(&self.scopes)
    }

    /// Whether it may do everything.
    pub fn is_admin(&self) -> bool {
        self.has_scope(Scope::Admin)
    }

    /// Whether it is a chat page in a browser.
    pub fn is_webchat(&self) -> bool {
        self.mode == "webchat" || self.client_id == "webchat-ui"
    }
}

#[cfg(test)]
pub(crate) fn test_client(conn_id: &str, scopes: &[&str]) -> ClientInfo {
    ClientInfo {
        conn_id: conn_id.to_owned(),
        client_id: "test".into(),
        mode: "test".into(),
        display_name: None,
        version: "1".into(),
        platform: "linux".into(),
        device_family: None,
        model_identifier: None,
        instance_id: None,
        role: Role::Operator,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        device_id: None,
        auth_method: AuthMethod::None,
        caps: Vec::new(),
        declared_commands: Vec::new(),
        remote_ip: None,
        is_local: true,
        user_agent: None,
        connected_at: Instant::now(),
    }
}
