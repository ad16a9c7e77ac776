//! Requests for pairing and their approval (GW-45..GW-51, GW-54).

use super::model::{PairedDevice, PendingDevice, merge};
use super::tokens::{new_token, role_scopes};
use super::{DeviceStore, DeviceStoreError, Dirty, State, now_ms};
use chela_gateway_protocol::scope::{missing_scope, normalize_scopes, role_scopes_allow};
use serde_json::Map;

const OPERATOR: &str = "operator";

/// What a device says about itself when it asks for pairing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the fields of `pending.json`
pub struct DeviceClaim {
    pub device_id: String,
    pub public_key: String,
    pub display_name: Option<String>,
    pub platform: Option<String>,
    pub device_family: Option<String>,
    pub client_id: Option<String>,
    pub client_mode: Option<String>,
    pub role: String,
    pub scopes: Vec<String>,
    pub remote_ip: Option<String>,
    /// Whether it may be approved without asking anyone.
    pub silent: bool,
}

/// A request that now waits.
#[derive(Debug, Clone, PartialEq)]
pub struct PairingRequested {
    /// The request.
    pub request: PendingDevice,
    /// Whether it has a new id; refreshed requests keep theirs.
    pub created: bool,
}

/// What an approval came to.
#[derive(Debug, Clone, PartialEq)]
pub enum ApproveOutcome {
    /// The device may connect.
    Approved(Box<PairedDevice>),
    /// No such request.
    Unknown,
    /// The approver lacks this scope (GW-54).
    MissingScope(String),
    /// A requested scope belongs to none of the requested roles.
    ScopeOutsideRoles(String),
}

impl DeviceStore {
    /// Adds a request. A request with the same roles and scopes keeps its id; any other one supersedes the
    /// device's older requests and takes over their roles and scopes (GW-50).
    pub fn request(&self, claim: &DeviceClaim) -> Result<PairingRequested, DeviceStoreError> {
        self.update(|state| Ok((request_in(state, claim), Dirty::Pending)))
    }

    /// Approves a request. `caller_scopes`: what the approver holds; operators' scopes beyond that are refused (GW-54).
    pub fn approve(&self, request_id: &str, caller_scopes: &[String]) -> Result<ApproveOutcome, DeviceStoreError> {
        self.update(|state| approve_in(state, request_id, caller_scopes))
    }

    /// Rejects a request; the rejected one, if it was there.
    pub fn reject(&self, request_id: &str) -> Result<Option<PendingDevice>, DeviceStoreError> {
        self.update(|state| {
            let removed = state.pending.remove(request_id);
            let dirty = if removed.is_some() { Dirty::Pending } else { Dirty::Nothing };
            Ok((removed, dirty))
        })
    }

    /// Removes a device with its tokens and requests; whether it was there.
    pub fn remove(&self, device_id: &str) -> Result<bool, DeviceStoreError> {
        self.update(|state| {
            let device_id = device_id.trim();
            if state.paired.remove(device_id).is_none() {
                return Ok((false, Dirty::Nothing));
            }
            state.pending.retain(|_, request| request.device_id != device_id);
            Ok((true, Dirty::Both))
        })
    }

    /// Notes who connected; writes only when something differs.
    pub fn note_access(&self, claim: &DeviceClaim) -> Result<(), DeviceStoreError> {
        self.update(|state| {
            let Some(device) = state.paired.get_mut(&claim.device_id) else {
                return Ok(((), Dirty::Nothing));
            };
            let before = device.clone();
            device.display_name.clone_from(&claim.display_name);
            device.client_id.clone_from(&claim.client_id);
            device.client_mode.clone_from(&claim.client_mode);
            device.remote_ip.clone_from(&claim.remote_ip);
            let dirty = if *device == before { Dirty::Nothing } else { Dirty::Paired };
            Ok(((), dirty))
        })
    }

    /// The id of the live request of this device and key, if any.
    pub fn pending_id(&self, device_id: &str, public_key: &str) -> Result<Option<String>, DeviceStoreError> {
        let state = self.load()?;
        let mut found: Vec<_> =
            state.pending.values().filter(|request| request.device_id == device_id && request.public_key == public_key).collect();
        found.sort_by_key(|request| std::cmp::Reverse(request.ts));
        Ok(found.first().map(|request| request.request_id.clone()))
    }
}

fn request_in(state: &mut State, claim: &DeviceClaim) -> PairingRequested {
    let is_repair = state.paired.contains_key(&claim.device_id);
    let mut existing: Vec<PendingDevice> = state.pending.values().filter(|request| request.device_id == claim.device_id).cloned().collect();
    existing.sort_by_key(|request| std::cmp::Reverse(request.ts));
    if let [only] = existing.as_slice()
        && same_request(only, claim)
    {
        let request = refreshed(only, claim, is_repair);
        state.pending.insert(request.request_id.clone(), request.clone());
        return PairingRequested { request, created: false };
    }
    for old in &existing {
        state.pending.remove(&old.request_id);
    }
    let request = superseding(&existing, claim, is_repair);
    state.pending.insert(request.request_id.clone(), request.clone());
    PairingRequested { request, created: true }
}

fn same_request(existing: &PendingDevice, claim: &DeviceClaim) -> bool {
    existing.public_key == claim.public_key
        && existing.role.as_deref() == Some(claim.role.as_str())
        && existing.requested_roles() == [claim.role.clone()]
        && normalize_scopes(existing.requested_scopes()) == normalize_scopes(&claim.scopes)
}

fn refreshed(existing: &PendingDevice, claim: &DeviceClaim, is_repair: bool) -> PendingDevice {
    let newer = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    PendingDevice {
        display_name: newer(&claim.display_name, &existing.display_name),
        platform: newer(&claim.platform, &existing.platform),
        device_family: newer(&claim.device_family, &existing.device_family),
        client_id: newer(&claim.client_id, &existing.client_id),
        client_mode: newer(&claim.client_mode, &existing.client_mode),
        remote_ip: newer(&claim.remote_ip, &existing.remote_ip),
        silent: existing.silent && claim.silent,
        is_repair: existing.is_repair || is_repair,
        ..existing.clone()
    }
}

fn superseding(existing: &[PendingDevice], claim: &DeviceClaim, is_repair: bool) -> PendingDevice {
    let mut roles: Vec<String> = existing.iter().flat_map(PendingDevice::requested_roles).collect();
    roles.push(claim.role.clone());
    let mut scopes: Vec<String> = existing.iter().flat_map(|request| request.requested_scopes().to_vec()).collect();
    scopes.extend(claim.scopes.iter().cloned());
    PendingDevice {
        request_id: uuid::Uuid::new_v4().to_string(),
        device_id: claim.device_id.clone(),
        public_key: claim.public_key.clone(),
        display_name: claim.display_name.clone(),
        platform: claim.platform.clone(),
        device_family: claim.device_family.clone(),
        client_id: claim.client_id.clone(),
        client_mode: claim.client_mode.clone(),
        role: Some(claim.role.clone()),
        roles: Some(merge(&[Some(&roles)])),
        scopes: Some(merge(&[Some(&scopes)])),
        remote_ip: claim.remote_ip.clone(),
        silent: claim.silent && existing.iter().all(|request| request.silent),
        is_repair,
        ts: now_ms(),
        extra: Map::new(),
    }
}

fn approve_in(state: &mut State, request_id: &str, caller_scopes: &[String]) -> Result<(ApproveOutcome, Dirty), DeviceStoreError> {
    let Some(request) = state.pending.get(request_id).cloned() else {
        return Ok((ApproveOutcome::Unknown, Dirty::Nothing));
    };
    let roles = request.requested_roles();
    let requested = normalize_scopes(request.requested_scopes());
    let outside = requested.iter().find(|scope| {
        let one = [scope.as_str()];
        !roles.iter().any(|role| role_scopes_allow(role, &one, &one))
    });
    if let Some(scope) = outside {
        return Ok((ApproveOutcome::ScopeOutsideRoles(scope.clone()), Dirty::Nothing));
    }
    let existing = state.paired.get(&request.device_id).cloned();
    let mut grants = Vec::new();
    for role in &roles {
        let scopes = granted_scopes(role, &request, existing.as_ref());
        if role == OPERATOR {
            let needed = merge(&[Some(&role_scopes(role, request.requested_scopes())), Some(&scopes)]);
            if let Some(missing) = missing_scope(OPERATOR, &needed, caller_scopes) {
                return Ok((ApproveOutcome::MissingScope(missing.to_owned()), Dirty::Nothing));
            }
        }
        grants.push((role.clone(), scopes));
    }
    let device = approved_device(&request, existing, grants)?;
    state.pending.remove(request_id);
    state.paired.insert(device.device_id.clone(), device.clone());
    Ok((ApproveOutcome::Approved(Box::new(device)), Dirty::Both))
}

// What the role's token may do: what it could before, and what is newly asked for beyond the approved.
fn granted_scopes(role: &str, request: &PendingDevice, existing: Option<&PairedDevice>) -> Vec<String> {
    let token = existing.and_then(|device| device.tokens.get(role));
    let approved = existing.and_then(PairedDevice::approved);
    let asked = role_scopes(role, request.requested_scopes());
    if asked.is_empty() {
        let base = token.map(|token| token.scopes.as_slice()).or(approved).unwrap_or_default();
        return role_scopes(role, base);
    }
    let baseline = role_scopes(role, approved.unwrap_or_default());
    let new: Vec<String> = match token {
        Some(_) if !baseline.is_empty() => asked.into_iter().filter(|scope| !baseline.contains(scope)).collect(),
        _ => asked,
    };
    let held = token.map(|token| token.scopes.as_slice());
    role_scopes(role, &merge(&[held, Some(&new)]))
}

fn approved_device(
    request: &PendingDevice,
    existing: Option<PairedDevice>,
    grants: Vec<(String, Vec<String>)>,
) -> Result<PairedDevice, DeviceStoreError> {
    let now = now_ms();
    let old_roles = existing.as_ref().map(PairedDevice::approved_roles);
    let old_scopes = existing.as_ref().and_then(PairedDevice::approved);
    let scopes = merge(&[old_scopes, Some(request.requested_scopes())]);
    let roles = merge(&[old_roles.as_deref(), Some(&request.requested_roles())]);
    let (mut tokens, created_at_ms, extra) = match existing {
        Some(device) => (device.tokens, device.created_at_ms, device.extra),
        None => (Default::default(), now, Map::new()),
    };
    for (role, scopes) in grants {
        let token = new_token(&role, scopes, tokens.get(&role), now)?;
        tokens.insert(role, token);
    }
    Ok(PairedDevice {
        device_id: request.device_id.clone(),
        public_key: request.public_key.clone(),
        display_name: request.display_name.clone(),
        platform: request.platform.clone(),
        device_family: request.device_family.clone(),
        client_id: request.client_id.clone(),
        client_mode: request.client_mode.clone(),
        role: request.role.clone(),
        roles: Some(roles),
        scopes: Some(scopes.clone()),
        approved_scopes: Some(scopes),
        remote_ip: request.remote_ip.clone(),
        tokens,
        created_at_ms,
        approved_at_ms: now,
        extra,
    })
}
