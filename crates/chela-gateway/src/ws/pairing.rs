//! Pairing during the handshake (GW-45..GW-50).
#![allow(clippy::result_large_err)] // a refusal ends its request; nobody carries it further

use super::handshake::{Context, Refused};
use crate::auth::device::VerifiedDevice;
use crate::auth::policy::{Facts, approves_node, approves_silently};
use crate::devices::{
    ApproveOutcome, BootstrapProfile, DeviceClaim, DeviceRecord, DeviceStoreError, DeviceToken, PairedDevice, PendingDevice, now_ms,
};
use crate::events::{EventOptions, EventTarget};
use chela_gateway_protocol::connect::normalize_metadata;
use chela_gateway_protocol::error::{ErrorCode, ErrorShape, PairingReason};
use chela_gateway_protocol::hello::HandedToken;
use chela_gateway_protocol::limits::close;
use chela_gateway_protocol::scope::role_scopes_allow;
use chela_gateway_protocol::{ConnectParams, Role};
use serde_json::json;

/// How a device stands after the check.
pub(crate) enum PairingOutcome {
    /// It needs no pairing.
    Skipped,
    /// It is paired; these approved values replace what it claims (GW-48).
    Paired { platform: Option<String>, device_family: Option<String> },
    /// It was paired just now by its setup code, with every role of the code.
    HandedOver,
}

/// Pairs the device when that needs nobody's consent; refuses with `NOT_PAIRED` when it does.
pub(crate) async fn ensure_paired(
    context: &Context<'_>,
    params: &ConnectParams,
    role: Role,
    device: &VerifiedDevice,
    facts: &Facts<'_>,
    setup: Option<&BootstrapProfile>,
    skip: bool,
) -> Result<PairingOutcome, Refused> {
    let known = find(context, device).await?;
    let same_key = known.as_ref().filter(|paired| paired.record.public_key == device.public_key);
    let Some(paired) = same_key else {
        if skip {
            return Ok(PairingOutcome::Skipped);
        }
        // A setup code brings in a fresh node at once; whoever asks for more is looked at first.
        let setup = setup.filter(|_| role == Role::Node && params.scopes.is_empty() && known.is_none());
        let step = Step { context, params, role, device, facts, setup };
        step.require(PairingReason::NotPaired, known.as_ref()).await?;
        return Ok(match setup {
            Some(_) => PairingOutcome::HandedOver,
            None => PairingOutcome::Paired { platform: None, device_family: None },
        });
    };
    let step = Step { context, params, role, device, facts, setup: None };
    let mut current = paired.clone();
    let mut pinned = (current.record.platform.clone(), current.record.device_family.clone());
    if metadata_differs(params, &current) {
        current = step.require(PairingReason::MetadataUpgrade, Some(paired)).await?;
        pinned = (None, None);
    }
    if !current.effective_roles().iter().any(|held| held == role.as_str()) {
        current = step.require(PairingReason::RoleUpgrade, Some(paired)).await?;
    }
    if !covers(&current, role, &params.scopes) {
        step.require(PairingReason::ScopeUpgrade, Some(paired)).await?;
    }
    let (store, claim) = (context.gateway.devices.clone(), step.claim(false));
    context.gateway.blocking(move || store.note_access(&claim.record)).await.map_err(store_failed)?;
    Ok(PairingOutcome::Paired { platform: pinned.0, device_family: pinned.1 })
}

/// The token that the hello carries (GW-28).
pub(crate) async fn issue_token(
    context: &Context<'_>,
    device: &VerifiedDevice,
    role: Role,
    scopes: &[String],
) -> Result<Option<DeviceToken>, Refused> {
    let (store, id, scopes) = (context.gateway.devices.clone(), device.id.clone(), scopes.to_vec());
    context.gateway.blocking(move || store.ensure_token(&id, role.as_str(), &scopes)).await.map_err(store_failed)
}

/// Tokens of the other roles that a setup code hands out (GW-28).
pub(crate) async fn issue_further(
    context: &Context<'_>,
    device: &VerifiedDevice,
    role: Role,
    profile: &BootstrapProfile,
) -> Result<Vec<HandedToken>, Refused> {
    let (store, id, profile) = (context.gateway.devices.clone(), device.id.clone(), profile.clone());
    let issue = move || {
        let others = profile.roles.iter().filter(|other| *other != role.as_str());
        let tokens = others.map(|other| store.ensure_token(&id, other, &profile.scopes_of(other)));
        tokens.filter_map(Result::transpose).collect::<Result<Vec<DeviceToken>, _>>()
    };
    let tokens = context.gateway.blocking(issue).await.map_err(store_failed)?;
    let handed = |token: DeviceToken| HandedToken {
        issued_at_ms: token.issued_at_ms(),
        device_token: token.token,
        role: token.role,
        scopes: token.scopes,
    };
    Ok(tokens.into_iter().map(handed).collect())
}

async fn find(context: &Context<'_>, device: &VerifiedDevice) -> Result<Option<PairedDevice>, Refused> {
    let (store, id) = (context.gateway.devices.clone(), device.id.clone());
    context.gateway.blocking(move || store.paired(&id)).await.map_err(store_failed)
}

fn metadata_differs(params: &ConnectParams, paired: &PairedDevice) -> bool {
    let differs = |claimed: Option<&str>, pinned: Option<&str>| {
        let pinned = normalize_metadata(pinned);
        !pinned.is_empty() && normalize_metadata(claimed) != pinned
    };
    differs(Some(&params.client.platform), paired.record.platform.as_deref())
        || differs(params.client.device_family.as_deref(), paired.record.device_family.as_deref())
}

fn covers(paired: &PairedDevice, role: Role, scopes: &[String]) -> bool {
    role_scopes_allow(role.as_str(), scopes, paired.approved().unwrap_or_default())
}

struct Step<'a> {
    context: &'a Context<'a>,
    params: &'a ConnectParams,
    role: Role,
    device: &'a VerifiedDevice,
    facts: &'a Facts<'a>,
    setup: Option<&'a BootstrapProfile>,
}

impl Step<'_> {
    fn claim(&self, silent: bool) -> DeviceClaim {
        let client = &self.params.client;
        let record = DeviceRecord {
            device_id: self.device.id.clone(),
            public_key: self.device.public_key.clone(),
            display_name: client.display_name.clone(),
            platform: Some(client.platform.clone()),
            device_family: client.device_family.clone(),
            client_id: Some(client.id.clone()),
            client_mode: Some(client.mode.clone()),
            role: Some(self.role.as_str().to_owned()),
            roles: self.setup.map(|profile| profile.roles.clone()),
            scopes: Some(self.params.scopes.clone()),
            remote_ip: self.context.peer.reported_ip().map(|ip| ip.to_string()),
        };
        DeviceClaim { record, silent }
    }

    // Approves silently where that is allowed; otherwise leaves a request and refuses.
    async fn require(&self, reason: PairingReason, existing: Option<&PairedDevice>) -> Result<PairedDevice, Refused> {
        let gateway = self.context.gateway;
        let networks = &gateway.config.node_auto_approve_cidrs;
        let silent = self.setup.is_some()
            || approves_silently(self.facts, reason)
            || approves_node(self.facts, reason, existing.is_some(), &self.params.scopes, networks);
        let (store, claim, setup) = (gateway.devices.clone(), self.claim(silent), self.setup.cloned());
        let (requested, outcome) = gateway
            .blocking(move || {
                let requested = store.request(&claim)?;
                let id = &requested.request.request_id;
                let outcome = match (requested.request.silent, &setup) {
                    (true, Some(profile)) => Some(store.approve_bootstrap(id, profile)?),
                    (true, None) => Some(store.approve(id, claim.record.all_scopes())?),
                    (false, _) => None,
                };
                Ok((requested, outcome))
            })
            .await
            .map_err(store_failed)?;
        if let Some(ApproveOutcome::Approved(device)) = outcome {
            self.announce_approval(&requested.request.request_id);
            return Ok(*device);
        }
        // Someone else may have approved it meanwhile; then there is no request left to wait for.
        if let Some(paired) = find(self.context, self.device).await? {
            let same = paired.record.public_key == self.device.public_key;
            let in_role = paired.effective_roles().iter().any(|held| held == self.role.as_str());
            let unknown = outcome == Some(ApproveOutcome::Unknown);
            if unknown && same && in_role && covers(&paired, self.role, &self.params.scopes) {
                return Ok(paired);
            }
        }
        if requested.created || requested.request.silent {
            self.announce_request(&requested.request);
        }
        Err(self.refuse(reason, &requested.request.request_id, existing))
    }

    fn announce_approval(&self, request_id: &str) {
        tracing::info!(device = %self.device.id, role = self.role.as_str(), "device approved silently");
        let payload = json!({
            "requestId": request_id,
            "deviceId": self.device.id,
            "decision": "approved",
            "ts": now_ms(),
        });
        self.tell("device.pair.resolved", &payload);
    }

    fn announce_request(&self, request: &PendingDevice) {
        self.tell("device.pair.requested", request);
    }

    fn tell<T: serde::Serialize>(&self, event: &str, payload: &T) {
        let options = EventOptions { drop_if_slow: true, ..EventOptions::default() };
        self.context.gateway.bus.broadcast_with(event, payload, EventTarget::All, options);
    }

    // GW-46
    fn refuse(&self, reason: PairingReason, request_id: &str, existing: Option<&PairedDevice>) -> Refused {
        let (requirement, hint) = words(reason);
        let message = format!("pairing required: {requirement}");
        let mut details = json!({
            "code": "PAIRING_REQUIRED",
            "reason": reason.as_str(),
            "requestId": request_id,
            "remediationHint": hint,
            "deviceId": self.device.id,
            "requestedRole": self.role.as_str(),
            "requestedScopes": self.params.scopes,
        });
        // Only the holder of the approved key learns what was approved.
        if let Some(paired) = existing.filter(|paired| paired.record.public_key == self.device.public_key) {
            details["approvedRoles"] = json!(paired.record.all_roles());
            details["approvedScopes"] = json!(paired.approved().unwrap_or_default());
        }
        tracing::warn!(device = %self.device.id, reason = reason.as_str(), request_id, "device waits for approval");
        let mut error = ErrorShape::new(ErrorCode::NotPaired, message.clone());
        error.details = Some(details);
        Refused { error: Some(error), code: close::POLICY, reason: format!("{message} (requestId: {request_id})") }
    }
}

fn words(reason: PairingReason) -> (&'static str, &'static str) {
    match reason {
        PairingReason::NotPaired => ("this device has not been approved", "Approve the device in the list of pending requests"),
        PairingReason::RoleUpgrade => {
            ("this device asks for a role that was not approved", "Look at the role it asks for, then approve the pending request")
        }
        PairingReason::ScopeUpgrade => {
            ("this device asks for more scopes than were approved", "Look at the scopes it asks for, then approve the pending request")
        }
        PairingReason::MetadataUpgrade => {
            ("this device has changed and must be approved again", "Look at the device's new details, then approve the pending request")
        }
    }
}

fn store_failed(error: DeviceStoreError) -> Refused {
    tracing::error!(%error, "device store failed");
    Refused { error: Some(ErrorShape::internal(error.to_string())), code: close::INTERNAL, reason: "device store failed".to_owned() }
}
