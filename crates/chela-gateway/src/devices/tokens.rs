//! Tokens of paired devices: issue, check, rotate, revoke (GW-28, GW-32, GW-55).

use super::model::{DeviceToken, PairedDevice};
use super::{DeviceStore, DeviceStoreError, Dirty, State, now_ms};
use crate::auth::shared::secrets_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chela_gateway_protocol::scope::{missing_scope, normalize_scopes, role_scopes_allow};
use serde_json::Map;

/// What a check of a token came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenCheck {
    /// Right, and it covers the requested scopes.
    Valid,
    /// Unknown device or role, revoked, or wrong.
    Mismatch,
    /// Right, but it does not cover the requested scopes.
    ScopeMismatch,
}

/// Why a token was not rotated or revoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No such device, or it does not hold the role.
    #[error("unknown device or role")]
    Unknown,
    /// The requested scopes go beyond what was approved.
    #[error("scopes go beyond what was approved for the device")]
    OutsideApproved,
    /// The caller lacks this scope (GW-54).
    #[error("missing scope: {0}")]
    CallerMissing(String),
}

impl DeviceStore {
    /// Checks a token for a role and scopes.
    pub fn verify_token(&self, device_id: &str, token: &str, role: &str, scopes: &[String]) -> Result<TokenCheck, DeviceStoreError> {
        let mut state = self.load()?;
        let Some(device) = state.paired.get_mut(device_id.trim()) else {
            return Ok(TokenCheck::Mismatch);
        };
        let approved = device.approved().map(normalize_scopes);
        let Some(entry) = device.tokens.get_mut(role) else {
            return Ok(TokenCheck::Mismatch);
        };
        let usable = entry.revoked_at_ms.is_none() && !entry.token.trim().is_empty() && !token.trim().is_empty();
        if !usable || !secrets_equal(token, &entry.token) {
            return Ok(TokenCheck::Mismatch);
        }
        let within = approved.is_some_and(|approved| role_scopes_allow(role, &entry.scopes, &approved));
        if !within || !role_scopes_allow(role, &normalize_scopes(scopes), &entry.scopes) {
            return Ok(TokenCheck::ScopeMismatch);
        }
        // Reaches the file with the next change; a write for every connect would cost more than it tells.
        entry.last_used_at_ms = Some(now_ms());
        Ok(TokenCheck::Valid)
    }

    /// The token of a role that covers these scopes: the present one if it does, else a new one. `None` when
    /// the scopes go beyond what was approved, or the role was not approved.
    pub fn ensure_token(&self, device_id: &str, role: &str, scopes: &[String]) -> Result<Option<DeviceToken>, DeviceStoreError> {
        self.update(|state| {
            let Some(device) = device_in_role(state, device_id, role) else {
                return Ok((None, Dirty::Nothing));
            };
            let requested = normalize_scopes(scopes);
            let approved = normalize_scopes(device.approved().unwrap_or_default());
            if device.approved().is_none() || !role_scopes_allow(role, &requested, &approved) {
                return Ok((None, Dirty::Nothing));
            }
            if let Some(token) = device.tokens.get(role) {
                let covers = role_scopes_allow(role, &token.scopes, &approved) && role_scopes_allow(role, &requested, &token.scopes);
                if token.revoked_at_ms.is_none() && covers {
                    return Ok((Some(token.clone()), Dirty::Nothing));
                }
            }
            let token = new_token(role, requested, device.tokens.get(role), now_ms())?;
            device.tokens.insert(role.to_owned(), token.clone());
            Ok((Some(token), Dirty::Paired))
        })
    }

    /// Replaces the token of a role. `scopes`: new scopes, or as before; `caller_scopes`: what the caller holds,
    /// `None` for the device itself (GW-54, GW-55).
    pub fn rotate_token(
        &self,
        device_id: &str,
        role: &str,
        scopes: Option<&[String]>,
        caller_scopes: Option<&[String]>,
    ) -> Result<Result<DeviceToken, TokenError>, DeviceStoreError> {
        self.update(|state| {
            let Some(device) = device_in_role(state, device_id, role) else {
                return Ok((Err(TokenError::Unknown), Dirty::Nothing));
            };
            let present = device.tokens.get(role);
            let wanted = scopes.or(present.map(|token| token.scopes.as_slice())).or(device.record.scopes.as_deref()).unwrap_or_default();
            let requested = normalize_scopes(wanted);
            let approved = device.approved().map(normalize_scopes);
            if !approved.is_some_and(|approved| role_scopes_allow(role, &requested, &approved)) {
                return Ok((Err(TokenError::OutsideApproved), Dirty::Nothing));
            }
            if let Some(missing) = caller_missing(role, &requested, caller_scopes) {
                return Ok((Err(missing), Dirty::Nothing));
            }
            let token = new_token(role, requested, present, now_ms())?;
            device.tokens.insert(role.to_owned(), token.clone());
            Ok((Ok(token), Dirty::Paired))
        })
    }

    /// Revokes the token of a role.
    pub fn revoke_token(
        &self,
        device_id: &str,
        role: &str,
        caller_scopes: Option<&[String]>,
    ) -> Result<Result<DeviceToken, TokenError>, DeviceStoreError> {
        self.update(|state| {
            let token = device_in_role(state, device_id, role).and_then(|device| device.tokens.get_mut(role));
            let Some(token) = token else {
                return Ok((Err(TokenError::Unknown), Dirty::Nothing));
            };
            if let Some(missing) = caller_missing(role, &normalize_scopes(&token.scopes), caller_scopes) {
                return Ok((Err(missing), Dirty::Nothing));
            }
            token.revoked_at_ms = Some(now_ms());
            Ok((Ok(token.clone()), Dirty::Paired))
        })
    }
}

fn caller_missing(role: &str, requested: &[String], caller: Option<&[String]>) -> Option<TokenError> {
    let missing = missing_scope(role, requested, caller?)?;
    Some(TokenError::CallerMissing(missing.to_owned()))
}

fn device_in_role<'a>(state: &'a mut State, device_id: &str, role: &str) -> Option<&'a mut PairedDevice> {
    state.paired.get_mut(device_id.trim()).filter(|device| device.record.all_roles().iter().any(|approved| approved == role))
}

/// The scopes among these that a role can hold: `operator.*` for operators, all others for other roles.
pub(super) fn role_scopes(role: &str, scopes: &[String]) -> Vec<String> {
    let operator = role == "operator";
    normalize_scopes(scopes).into_iter().filter(|scope| scope.starts_with("operator.") == operator).collect()
}

/// 256 random bits as text.
pub(crate) fn random_token() -> Result<String, DeviceStoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| DeviceStoreError::Random(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A fresh token that takes the place of `present`.
pub(super) fn new_token(role: &str, scopes: Vec<String>, present: Option<&DeviceToken>, now: i64) -> Result<DeviceToken, DeviceStoreError> {
    Ok(DeviceToken {
        token: random_token()?,
        role: role.to_owned(),
        scopes,
        created_at_ms: present.map_or(now, |token| token.created_at_ms),
        rotated_at_ms: present.map(|_| now),
        revoked_at_ms: None,
        last_used_at_ms: present.and_then(|token| token.last_used_at_ms),
        extra: present.map_or_else(Map::new, |token| token.extra.clone()),
    })
}
