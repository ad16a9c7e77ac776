//! Setup codes: one-time tokens by which a new device pairs itself (GW-28, GW-32, GW-51).
//!
//! The first device that shows a token owns it. A fresh device that comes as a node gets every role of the token's profile at once,
//! and the token is gone; a device that comes otherwise waits for approval, and the token is gone when it has used all roles.

use super::model::{BootstrapProfile, BootstrapToken, merge};
use super::tokens::{random_token, role_scopes};
use super::{DeviceStore, DeviceStoreError, Dirty, State, now_ms};
use crate::auth::shared::secrets_equal;
use chela_gateway_protocol::limits::BOOTSTRAP_TOKEN_TTL_MS;
use chela_gateway_protocol::scope::{normalize_scopes, role_scopes_allow};
use serde_json::Map;

/// Operator scopes that a setup code may hand out; administration and pairing always need a person.
const HANDOFF_SCOPES: [&str; 4] = ["operator.approvals", "operator.read", "operator.talk.secrets", "operator.write"];

/// A new setup code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedBootstrap {
    /// The token, to be shown to one device.
    pub token: String,
    /// When it ends, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Who shows a setup code, and what for.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names say it
pub struct BootstrapUse<'a> {
    pub token: &'a str,
    pub device_id: &'a str,
    pub public_key: &'a str,
    pub role: &'a str,
    pub scopes: &'a [String],
}

impl BootstrapProfile {
    /// What phones and other companions get: a node that may also act for its owner.
    pub fn companion() -> Self {
        Self { roles: vec!["node".to_owned(), "operator".to_owned()], scopes: HANDOFF_SCOPES.map(str::to_owned).to_vec() }
    }

    /// The scopes that a device really gets.
    pub(super) fn handed_out(&self) -> Vec<String> {
        let operator = self.roles.iter().any(|role| role == "operator");
        self.scopes.iter().filter(|scope| operator && HANDOFF_SCOPES.contains(&scope.as_str())).cloned().collect()
    }

    /// The scopes that a device gets in one role.
    pub fn scopes_of(&self, role: &str) -> Vec<String> {
        role_scopes(role, &self.handed_out())
    }

    fn allows(&self, role: &str, scopes: &[String]) -> bool {
        self.roles.iter().any(|allowed| allowed == role) && role_scopes_allow(role, scopes, &self.scopes)
    }

    fn covers(&self, other: &BootstrapProfile) -> bool {
        other.roles.iter().all(|role| self.allows(role, &other.scopes_of(role)))
    }
}

impl DeviceStore {
    /// Makes a setup code with this profile; scopes that no code may hand out are left out of it.
    pub fn issue_bootstrap(&self, profile: &BootstrapProfile) -> Result<IssuedBootstrap, DeviceStoreError> {
        let token = random_token()?;
        self.update(|state| {
            let now = now_ms();
            let entry = BootstrapToken {
                token: token.clone(),
                profile: BootstrapProfile { roles: merge(&[Some(&profile.roles)]), scopes: normalize_scopes(&profile.handed_out()) },
                redeemed_profile: BootstrapProfile::default(),
                device_id: None,
                public_key: None,
                issued_at_ms: now,
                ts: now,
                last_used_at_ms: None,
                extra: Map::new(),
            };
            state.bootstrap.insert(token.clone(), entry);
            Ok((IssuedBootstrap { token, expires_at_ms: now + BOOTSTRAP_TOKEN_TTL_MS }, Dirty::Bootstrap))
        })
    }

    /// The profile of a code that is right for this device and covers what it asks for. The code belongs to the device from now on.
    pub fn verify_bootstrap(&self, used: &BootstrapUse<'_>) -> Result<Option<BootstrapProfile>, DeviceStoreError> {
        self.update(|state| {
            let Some(entry) = find(state, used.token) else { return Ok((None, Dirty::Nothing)) };
            let free = entry.device_id.is_none() && entry.public_key.is_none();
            let own = entry.device_id.as_deref() == Some(used.device_id) && entry.public_key.as_deref() == Some(used.public_key);
            if !(free || own) || !entry.profile.allows(used.role, used.scopes) {
                return Ok((None, Dirty::Nothing));
            }
            entry.device_id = Some(used.device_id.to_owned());
            entry.public_key = Some(used.public_key.to_owned());
            entry.last_used_at_ms = Some(now_ms());
            Ok((Some(entry.profile.clone()), Dirty::Bootstrap))
        })
    }

    /// Notes that the device has come in with a role; the code ends when all its roles have been used, or at once when `whole`.
    pub fn redeem_bootstrap(&self, token: &str, role: &str, scopes: &[String], whole: bool) -> Result<(), DeviceStoreError> {
        self.update(|state| {
            let Some(entry) = find(state, token) else { return Ok(((), Dirty::Nothing)) };
            let redeemed = &mut entry.redeemed_profile;
            redeemed.roles = merge(&[Some(&redeemed.roles), Some(&[role.to_owned()])]);
            redeemed.scopes = normalize_scopes(&merge(&[Some(&redeemed.scopes), Some(&role_scopes(role, scopes))]));
            if whole || redeemed.covers(&entry.profile) {
                let key = entry.token.clone();
                state.bootstrap.retain(|_, entry| entry.token != key);
            }
            Ok(((), Dirty::Bootstrap))
        })
    }
}

fn find<'a>(state: &'a mut State, token: &str) -> Option<&'a mut BootstrapToken> {
    let token = token.trim();
    state
        .bootstrap
        .values_mut()
        .filter(|entry| !token.is_empty() && !entry.token.is_empty())
        .find(|entry| secrets_equal(token, &entry.token))
}
