//! Requests for pairing and their approval (GW-45..GW-51, GW-54).

use super::model::{BootstrapProfile, DeviceRecord, PairedDevice, PendingDevice, merge};
use super::tokens::{new_token, role_scopes};
use super::{DeviceStore, DeviceStoreError, Dirty, State, now_ms};
use chela_gateway_protocol::scope::{missing_scope, normalize_scopes, role_scopes_allow};
use serde_json::Map;

const OPERATOR: &str = "operator";

/// What a device says about itself when it asks for pairing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceClaim {
    /// Who it is, with the role, the roles and the scopes that it asks for.
    pub record: DeviceRecord,
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
    /// The setup code does not cover this role or scope.
    OutsideProfile(String),
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

    /// Approves a request of a device that has used a setup code: it gets every role of the code's profile at once (GW-28).
    pub fn approve_bootstrap(&self, request_id: &str, profile: &BootstrapProfile) -> Result<ApproveOutcome, DeviceStoreError> {
        self.update(|state| approve_by_profile(state, request_id, profile))
    }

    /// The live request of this id.
    pub fn pending(&self, request_id: &str) -> Result<Option<PendingDevice>, DeviceStoreError> {
        Ok(self.load()?.pending.get(request_id).cloned())
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
            state.pending.retain(|_, request| request.record.device_id != device_id);
            Ok((true, Dirty::Both))
        })
    }

    /// Notes who connected; writes only when something differs.
    pub fn note_access(&self, claim: &DeviceRecord) -> Result<(), DeviceStoreError> {
        self.update(|state| {
            let Some(device) = state.paired.get_mut(&claim.device_id) else {
                return Ok(((), Dirty::Nothing));
            };
            let before = device.clone();
            device.record.display_name.clone_from(&claim.display_name);
            device.record.client_id.clone_from(&claim.client_id);
            device.record.client_mode.clone_from(&claim.client_mode);
            device.record.remote_ip.clone_from(&claim.remote_ip);
            let dirty = if *device == before { Dirty::Nothing } else { Dirty::Paired };
            Ok(((), dirty))
        })
    }

    /// The id of the live request of this device and key, if any.
    pub fn pending_id(&self, device_id: &str, public_key: &str) -> Result<Option<String>, DeviceStoreError> {
        let state = self.load()?;
        let mut found: Vec<_> = state
            .pending
            .values()
            .filter(|request| request.record.device_id == device_id && request.record.public_key == public_key)
            .collect();
        found.sort_by_key(|request| std::cmp::Reverse(request.ts));
        Ok(found.first().map(|request| request.request_id.clone()))
    }
}

fn request_in(state: &mut State, claim: &DeviceClaim) -> PairingRequested {
    let device_id = &claim.record.device_id;
    let is_repair = state.paired.contains_key(device_id);
    let mut existing: Vec<PendingDevice> =
        state.pending.values().filter(|request| request.record.device_id == *device_id).cloned().collect();
    existing.sort_by_key(|request| std::cmp::Reverse(request.ts));
    if let [only] = existing.as_slice()
        && same_request(&only.record, &claim.record)
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

fn same_request(existing: &DeviceRecord, claim: &DeviceRecord) -> bool {
    let sorted = |record: &DeviceRecord| {
        let mut roles = record.all_roles();
        roles.sort();
        roles
    };
    existing.public_key == claim.public_key
        && existing.role == claim.role
        && sorted(existing) == sorted(claim)
        && normalize_scopes(existing.all_scopes()) == normalize_scopes(claim.all_scopes())
}

fn refreshed(existing: &PendingDevice, claim: &DeviceClaim, is_repair: bool) -> PendingDevice {
    let newer = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    let (old, new) = (&existing.record, &claim.record);
    PendingDevice {
        record: DeviceRecord {
            display_name: newer(&new.display_name, &old.display_name),
            platform: newer(&new.platform, &old.platform),
            device_family: newer(&new.device_family, &old.device_family),
            client_id: newer(&new.client_id, &old.client_id),
            client_mode: newer(&new.client_mode, &old.client_mode),
            remote_ip: newer(&new.remote_ip, &old.remote_ip),
            ..old.clone()
        },
        silent: existing.silent && claim.silent,
        is_repair: existing.is_repair || is_repair,
        ..existing.clone()
    }
}

fn superseding(existing: &[PendingDevice], claim: &DeviceClaim, is_repair: bool) -> PendingDevice {
    let mut roles: Vec<String> = existing.iter().flat_map(|request| request.record.all_roles()).collect();
    roles.extend(claim.record.all_roles());
    let mut scopes: Vec<String> = existing.iter().flat_map(|request| request.record.all_scopes().to_vec()).collect();
    scopes.extend_from_slice(claim.record.all_scopes());
    PendingDevice {
        request_id: uuid::Uuid::new_v4().to_string(),
        record: DeviceRecord { roles: Some(merge(&[Some(&roles)])), scopes: Some(merge(&[Some(&scopes)])), ..claim.record.clone() },
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
    let roles = request.record.all_roles();
    let requested = normalize_scopes(request.record.all_scopes());
    let outside = requested.iter().find(|scope| {
        let one = [scope.as_str()];
        !roles.iter().any(|role| role_scopes_allow(role, &one, &one))
    });
    if let Some(scope) = outside {
        return Ok((ApproveOutcome::ScopeOutsideRoles(scope.clone()), Dirty::Nothing));
    }
    let existing = state.paired.get(&request.record.device_id).cloned();
    let mut grants = Vec::new();
    for role in &roles {
        let scopes = granted_scopes(role, &request, existing.as_ref());
        if role == OPERATOR {
            let needed = merge(&[Some(&role_scopes(role, request.record.all_scopes())), Some(&scopes)]);
            if let Some(missing) = missing_scope(OPERATOR, &needed, caller_scopes) {
                return Ok((ApproveOutcome::MissingScope(missing.to_owned()), Dirty::Nothing));
            }
        }
        grants.push((role.clone(), scopes));
    }
    let scopes = merge(&[existing.as_ref().and_then(PairedDevice::approved), Some(request.record.all_scopes())]);
    grant(state, request, existing, scopes, grants)
}

// The setup code decides what is granted, whatever the device asks for beyond its first role (GW-28).
fn approve_by_profile(
    state: &mut State,
    request_id: &str,
    profile: &BootstrapProfile,
) -> Result<(ApproveOutcome, Dirty), DeviceStoreError> {
    let Some(request) = state.pending.get(request_id).cloned() else {
        return Ok((ApproveOutcome::Unknown, Dirty::Nothing));
    };
    if let Some(role) = request.record.all_roles().into_iter().find(|role| !profile.roles.contains(role)) {
        return Ok((ApproveOutcome::OutsideProfile(role), Dirty::Nothing));
    }
    if let Some(scope) = missing_scope(OPERATOR, &role_scopes(OPERATOR, request.record.all_scopes()), &profile.scopes) {
        return Ok((ApproveOutcome::OutsideProfile(scope.to_owned()), Dirty::Nothing));
    }
    let existing = state.paired.get(&request.record.device_id).cloned();
    let scopes = normalize_scopes(&profile.handed_out());
    let grants = profile.roles.iter().map(|role| (role.clone(), role_scopes(role, &scopes))).collect();
    grant(state, request, existing, scopes, grants)
}

fn grant(
    state: &mut State,
    request: PendingDevice,
    existing: Option<PairedDevice>,
    scopes: Vec<String>,
    grants: Vec<(String, Vec<String>)>,
) -> Result<(ApproveOutcome, Dirty), DeviceStoreError> {
    let device = approved_device(&request, existing, scopes, grants)?;
    state.pending.remove(&request.request_id);
    state.paired.insert(device.record.device_id.clone(), device.clone());
    Ok((ApproveOutcome::Approved(Box::new(device)), Dirty::Both))
}

// What the role's token may do: what it could before, and what is newly asked for beyond the approved.
fn granted_scopes(role: &str, request: &PendingDevice, existing: Option<&PairedDevice>) -> Vec<String> {
    let token = existing.and_then(|device| device.tokens.get(role));
    let approved = existing.and_then(PairedDevice::approved);
    let asked = role_scopes(role, request.record.all_scopes());
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
    scopes: Vec<String>,
    grants: Vec<(String, Vec<String>)>,
) -> Result<PairedDevice, DeviceStoreError> {
    let now = now_ms();
    let old_roles = existing.as_ref().map(|device| device.record.all_roles());
    let granted: Vec<String> = grants.iter().map(|(role, _)| role.clone()).collect();
    let roles = merge(&[old_roles.as_deref(), Some(&request.record.all_roles()), Some(&granted)]);
    let (mut tokens, created_at_ms, extra) = match existing {
        Some(device) => (device.tokens, device.created_at_ms, device.extra),
        None => (Default::default(), now, Map::new()),
    };
    for (role, scopes) in grants {
        let token = new_token(&role, scopes, tokens.get(&role), now)?;
        tokens.insert(role, token);
    }
    Ok(PairedDevice {
        record: DeviceRecord { roles: Some(roles), scopes: Some(scopes.clone()), ..request.record.clone() },
        approved_scopes: Some(scopes),
        tokens,
        created_at_ms,
        approved_at_ms: now,
        extra,
    })
}
