//! What a client may do without device identity, and which devices are approved silently (GW-37..GW-39,
//! GW-45, GW-48, GW-49, GW-53).

use super::origin::parse_origin;
use super::peer::{Peer, host_name, in_networks, is_loopback_host, is_private_host, is_private_ip};
use super::shared::AuthMethod;
use crate::transport_config::ControlUiConfig;
use chela_gateway_protocol::Role;
use chela_gateway_protocol::connect::ClientDescriptor;
use chela_gateway_protocol::error::PairingReason;

/// How near a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// On this machine, without a proxy.
    DirectLocal,
    /// The page in a browser of the host, seen through a container's network.
    BrowserContainer,
    /// The command line on this machine, with the shared secret.
    CliLocal,
    /// Another program on this machine, with the shared secret.
    SharedSecretLoopback,
    /// Anywhere else.
    Remote,
}

/// What the decisions look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Where the client is.
    pub peer: &'a Peer,
    /// Who it says it is.
    pub client: &'a ClientDescriptor,
    /// Its role.
    pub role: Role,
    /// What authenticated it, when anything did.
    pub method: Option<AuthMethod>,
    /// Whether it knew the shared secret.
    pub shared_ok: bool,
}

/// How near the client is.
pub fn locality(facts: &Facts<'_>) -> Locality {
    let Facts { peer, client, .. } = facts;
    if peer.is_local {
        return Locality::DirectLocal;
    }
    let secret = facts.shared_ok && facts.method.is_some_and(AuthMethod::is_secret);
    if !secret || peer.has_proxy_headers {
        return Locality::Remote;
    }
    let host = peer.host.as_deref().map(host_name).unwrap_or_default();
    match &peer.origin {
        Some(origin) => {
            let page = client.is_browser_ui() && client.mode == "webchat";
            let near = is_private_ip(peer.remote.ip()) && is_loopback_host(&host);
            let origin_near = parse_origin(origin).is_some_and(|origin| is_loopback_host(&origin.hostname));
            if page && near && origin_near {
                return Locality::BrowserContainer;
            }
        }
        None if peer.remote_is_loopback() && is_private_host(&host) => {
            return if client.id == "cli" && client.is_cli() { Locality::CliLocal } else { Locality::SharedSecretLoopback };
        }
        None => {}
    }
    Locality::Remote
}

/// Whether this is a program beside the gateway that needs no device and keeps its scopes (GW-38).
pub fn is_trusted_backend(facts: &Facts<'_>) -> bool {
    let near = matches!(locality(facts), Locality::DirectLocal | Locality::SharedSecretLoopback);
    let proven = match facts.method {
        Some(AuthMethod::None | AuthMethod::DeviceToken) => true,
        Some(AuthMethod::Token | AuthMethod::Password) => facts.shared_ok,
        _ => false,
    };
    facts.client.is_local_backend() && near && facts.peer.origin.is_none() && proven
}

/// Whether the page was authenticated by a trusted proxy.
pub fn is_proxied_ui(facts: &Facts<'_>) -> bool {
    facts.client.is_operator_ui() && facts.role == Role::Operator && facts.method == Some(AuthMethod::TrustedProxy)
}

/// The decision on a client without device identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutDevice {
    /// It may go on.
    Allow {
        /// Whether the scopes it asked for are dropped (GW-38).
        drop_scopes: bool,
    },
    /// A page needs a device identity (GW-39).
    UiNeedsDevice,
    /// Its secret is wrong.
    Unauthorized,
    /// It needs a device identity (GW-37).
    DeviceRequired,
}

/// Decides on a client without device identity. `secret_given`: a token or password was sent.
pub fn without_device(facts: &Facts<'_>, ui: &ControlUiConfig, secret_given: bool) -> WithoutDevice {
    let is_ui = facts.client.is_operator_ui();
    let operator = facts.role == Role::Operator;
    let bypass = is_ui && ui.disable_device_auth;
    let backend = is_trusted_backend(facts);
    let proxied = is_proxied_ui(facts);
    if proxied || (bypass && operator) || (backend && operator) {
        return WithoutDevice::Allow { drop_scopes: false };
    }
    let insecure_ui = is_ui && ui.allow_insecure_auth && facts.peer.is_local;
    if is_ui && !bypass && !insecure_ui {
        return WithoutDevice::UiNeedsDevice;
    }
    if operator && facts.shared_ok {
        let secret = facts.method.is_some_and(AuthMethod::uses_shared_secret);
        let keeps = insecure_ui && facts.method.is_some_and(AuthMethod::is_secret);
        return WithoutDevice::Allow { drop_scopes: secret && !keeps };
    }
    if facts.method.is_none() && secret_given {
        return WithoutDevice::Unauthorized;
    }
    WithoutDevice::DeviceRequired
}

/// Whether a page with a device needs no pairing.
pub fn ui_skips_pairing(facts: &Facts<'_>, ui: &ControlUiConfig, open_gateway: bool) -> bool {
    let operator_ui = facts.client.is_operator_ui() && facts.role == Role::Operator;
    let tailnet = operator_ui && facts.method == Some(AuthMethod::Tailscale);
    is_proxied_ui(facts) || tailnet || (operator_ui && (open_gateway || ui.disable_device_auth))
}

/// Whether a pairing request may be approved without asking anyone (GW-45, GW-48, GW-49).
pub fn approves_silently(facts: &Facts<'_>, reason: PairingReason) -> bool {
    let near = locality(facts);
    let client = facts.client;
    let from_page = facts.peer.origin.is_some();
    let known_page = client.is_operator_ui() || client.is_webchat();
    if near == Locality::Remote || (from_page && !known_page) {
        return false;
    }
    match reason {
        PairingReason::NotPaired | PairingReason::RoleUpgrade => true,
        PairingReason::ScopeUpgrade => false,
        PairingReason::MetadataUpgrade => {
            !from_page
                && !known_page
                && match near {
                    Locality::DirectLocal => client.is_native_app(),
                    Locality::CliLocal | Locality::SharedSecretLoopback => true,
                    Locality::BrowserContainer | Locality::Remote => false,
                }
        }
    }
}

/// Whether a fresh node from a listed network is approved silently (GW-53).
pub fn approves_node(facts: &Facts<'_>, reason: PairingReason, known_device: bool, scopes: &[String], networks: &[String]) -> bool {
    let peer = facts.peer;
    let through_own_proxy = peer.via_trusted_proxy && peer.remote_is_loopback();
    facts.role == Role::Node
        && reason == PairingReason::NotPaired
        && !known_device
        && scopes.is_empty()
        && peer.origin.is_none()
        && !facts.client.is_operator_ui()
        && !facts.client.is_webchat()
        && !through_own_proxy
        && peer.reported_ip().is_some_and(|ip| in_networks(ip, networks))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)] // tables of cases
    use super::*;
    use hyper::HeaderMap;

    fn client(id: &str, mode: &str) -> ClientDescriptor {
        ClientDescriptor {
            id: id.into(),
            display_name: None,
            version: "1".into(),
            platform: "linux".into(),
            device_family: None,
            model_identifier: None,
            mode: mode.into(),
            instance_id: None,
        }
    }

    fn peer(remote: &str, headers: &[(&'static str, &str)]) -> Peer {
        let mut map = HeaderMap::new();
        map.insert("host", "localhost:1".parse().unwrap());
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Peer::new(remote.parse().unwrap(), &map, &[], false)
    }

    // GW-37, GW-38, GW-39
    #[test]
    fn clients_without_device() {
        let local = peer("127.0.0.1:1", &[]);
        let away = peer("9.9.9.9:1", &[]);
        let proxied = peer("127.0.0.1:1", &[("x-forwarded-for", "9.9.9.9")]);
        let plain = ControlUiConfig::default();
        let insecure = ControlUiConfig { allow_insecure_auth: true, ..Default::default() };
        let off = ControlUiConfig { disable_device_auth: true, ..Default::default() };
        let cli = client("cli", "cli");
        let backend = client("gateway-client", "backend");
        let ui = client("openclaw-control-ui", "webchat");
        let token = Some(AuthMethod::Token);
        let keep = WithoutDevice::Allow { drop_scopes: false };
        let drop = WithoutDevice::Allow { drop_scopes: true };
        type Case<'a> = (&'a Peer, &'a ClientDescriptor, Role, Option<AuthMethod>, &'a ControlUiConfig, bool, WithoutDevice);
        let cases: &[Case] = &[
            (&local, &cli, Role::Operator, token, &plain, true, drop),
            (&local, &backend, Role::Operator, token, &plain, true, keep),
            (&away, &backend, Role::Operator, token, &plain, true, drop),
            (&proxied, &backend, Role::Operator, token, &plain, true, drop),
            (&local, &backend, Role::Operator, Some(AuthMethod::None), &plain, false, keep),
            (&local, &cli, Role::Node, token, &plain, true, WithoutDevice::DeviceRequired),
            (&local, &cli, Role::Operator, None, &plain, false, WithoutDevice::DeviceRequired),
            (&local, &cli, Role::Operator, None, &plain, true, WithoutDevice::Unauthorized),
            (&local, &ui, Role::Operator, token, &plain, true, WithoutDevice::UiNeedsDevice),
            (&local, &ui, Role::Operator, token, &insecure, true, keep),
            (&away, &ui, Role::Operator, token, &insecure, true, WithoutDevice::UiNeedsDevice),
            (&away, &ui, Role::Operator, token, &off, true, keep),
        ];
        for (index, (peer, client, role, method, ui, given, expected)) in cases.iter().enumerate() {
            let facts = Facts { peer, client, role: *role, method: *method, shared_ok: *method == token };
            assert_eq!(without_device(&facts, ui, *given), *expected, "case {index}");
        }
    }

    // GW-45, GW-48, GW-49
    #[test]
    fn silent_approval() {
        let local = peer("127.0.0.1:1", &[]);
        let away = peer("9.9.9.9:1", &[]);
        let page = peer("127.0.0.1:1", &[("origin", "http://localhost:1")]);
        let cli = client("cli", "cli");
        let app = client("openclaw-macos", "ui");
        let ui = client("openclaw-control-ui", "webchat");
        use PairingReason::{MetadataUpgrade, NotPaired, RoleUpgrade, ScopeUpgrade};
        let cases: &[(&Peer, &ClientDescriptor, PairingReason, bool)] = &[
            (&local, &cli, NotPaired, true),
            (&local, &cli, RoleUpgrade, true),
            (&local, &cli, ScopeUpgrade, false),
            (&local, &cli, MetadataUpgrade, false),
            (&local, &app, MetadataUpgrade, true),
            (&away, &cli, NotPaired, false),
            (&page, &ui, NotPaired, true),
            (&page, &cli, NotPaired, false),
        ];
        for (peer, client, reason, expected) in cases {
            let facts = Facts { peer, client, role: Role::Operator, method: Some(AuthMethod::Token), shared_ok: true };
            assert_eq!(approves_silently(&facts, *reason), *expected, "{} {reason:?}", client.id);
        }
    }

    // GW-53
    #[test]
    fn nodes_of_listed_networks() {
        let networks = ["9.0.0.0/8".to_owned()];
        let node = client("node-host", "node");
        let ui = client("openclaw-control-ui", "ui");
        let away = peer("9.9.9.9:1", &[]);
        let page = peer("9.9.9.9:1", &[("origin", "http://x")]);
        let other = peer("8.8.8.8:1", &[]);
        let scope = ["node.x".to_owned()];
        let cases: &[(&Peer, &ClientDescriptor, Role, PairingReason, bool, &[String], bool)] = &[
            (&away, &node, Role::Node, PairingReason::NotPaired, false, &[], true),
            (&away, &node, Role::Node, PairingReason::NotPaired, true, &[], false),
            (&away, &node, Role::Node, PairingReason::RoleUpgrade, false, &[], false),
            (&away, &node, Role::Node, PairingReason::NotPaired, false, &scope, false),
            (&away, &node, Role::Operator, PairingReason::NotPaired, false, &[], false),
            (&away, &ui, Role::Node, PairingReason::NotPaired, false, &[], false),
            (&page, &node, Role::Node, PairingReason::NotPaired, false, &[], false),
            (&other, &node, Role::Node, PairingReason::NotPaired, false, &[], false),
        ];
        for (index, (peer, client, role, reason, known, scopes, expected)) in cases.iter().enumerate() {
            let facts = Facts { peer, client, role: *role, method: Some(AuthMethod::Token), shared_ok: true };
            assert_eq!(approves_node(&facts, *reason, *known, scopes, &networks), *expected, "case {index}");
        }
    }
}
