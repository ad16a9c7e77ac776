//! Proof that a client holds the key of its device (GW-41..GW-44).

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use chela_gateway_protocol::connect::{ConnectParams, DeviceProof, SignatureVersion, signed_text};
use chela_gateway_protocol::error::ConnectDetail;
use chela_gateway_protocol::limits::DEVICE_SIGNATURE_SKEW_MS;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// A device whose proof holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDevice {
    /// Its id.
    pub id: String,
    /// Its public key, base64url without padding.
    pub public_key: String,
}

/// What is wrong with a proof (GW-44).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceRefusal {
    /// The id is not the hash of the key.
    IdMismatch,
    /// Signed too long ago, or in the future.
    Expired,
    /// No nonce.
    NonceMissing,
    /// Not the nonce of this connection.
    NonceMismatch,
    /// The signature does not fit.
    SignatureInvalid,
}

impl DeviceRefusal {
    /// Slug, message and detail code on the wire.
    pub fn describe(self) -> (&'static str, &'static str, ConnectDetail) {
        match self {
            DeviceRefusal::IdMismatch => ("device-id-mismatch", "device identity mismatch", ConnectDetail::DeviceAuthDeviceIdMismatch),
            DeviceRefusal::Expired => ("device-signature-stale", "device signature expired", ConnectDetail::DeviceAuthSignatureExpired),
            DeviceRefusal::NonceMissing => ("device-nonce-missing", "device nonce required", ConnectDetail::DeviceAuthNonceRequired),
            DeviceRefusal::NonceMismatch => ("device-nonce-mismatch", "device nonce mismatch", ConnectDetail::DeviceAuthNonceMismatch),
            DeviceRefusal::SignatureInvalid => ("device-signature", "device signature invalid", ConnectDetail::DeviceAuthSignatureInvalid),
        }
    }
}

/// Checks a proof against the challenge's nonce and our clock, in the reference's order (GW-44).
///
/// A key that cannot be read has no id either, so it is reported as an identity mismatch, as there.
pub fn verify(params: &ConnectParams, proof: &DeviceProof, role: &str, nonce: &str, now_ms: i64) -> Result<VerifiedDevice, DeviceRefusal> {
    let raw = decode_key(&proof.public_key).ok_or(DeviceRefusal::IdMismatch)?;
    if device_id(&raw) != proof.id {
        return Err(DeviceRefusal::IdMismatch);
    }
    if (now_ms as f64 - proof.signed_at).abs() > DEVICE_SIGNATURE_SKEW_MS as f64 {
        return Err(DeviceRefusal::Expired);
    }
    match proof.nonce.trim() {
        "" => return Err(DeviceRefusal::NonceMissing),
        given if given != nonce => return Err(DeviceRefusal::NonceMismatch),
        _ => {}
    }
    let key = VerifyingKey::from_bytes(&raw).map_err(|_| DeviceRefusal::SignatureInvalid)?;
    let signature = decode(&proof.signature).and_then(|bytes| Signature::from_slice(&bytes).ok()).ok_or(DeviceRefusal::SignatureInvalid)?;
    let fits = [SignatureVersion::V3, SignatureVersion::V2].into_iter().any(|version| {
        let text = signed_text(version, params, proof, role);
        key.verify_strict(text.as_bytes(), &signature).is_ok()
    });
    if !fits {
        return Err(DeviceRefusal::SignatureInvalid);
    }
    Ok(VerifiedDevice { id: proof.id.clone(), public_key: URL_SAFE_NO_PAD.encode(raw) })
}

/// The id of a device: lower-case hex SHA-256 of its raw public key (GW-41).
pub fn device_id(raw_public_key: &[u8; 32]) -> String {
    hex(&Sha256::digest(raw_public_key))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}"); // writing to a string cannot fail
        out
    })
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(&text).or_else(|_| URL_SAFE.decode(&text)).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    const NOW: i64 = 1_700_000_000_000;

    fn signed(version: SignatureVersion, change: impl FnOnce(&mut ConnectParams)) -> ConnectParams {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        let mut params = ConnectParams::parse(&json!({
            "minProtocol":4,"maxProtocol":4,
            "client":{"id":"cli","version":"1","platform":"Linux","mode":"cli","deviceFamily":"PC"},
            "scopes":["operator.read"],"auth":{"token":"t"},
            "device":{"id":device_id(&public),"publicKey":URL_SAFE_NO_PAD.encode(public),"signature":"x","signedAt":NOW,"nonce":"n"},
        }))
        .unwrap();
        change(&mut params);
        let proof = params.device.clone().unwrap();
        let text = signed_text(version, &params, &proof, "operator");
        params.device.as_mut().unwrap().signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes());
        params
    }

    fn check(params: &ConnectParams) -> Result<VerifiedDevice, DeviceRefusal> {
        verify(params, params.device.as_ref().unwrap(), "operator", "n", NOW)
    }

    // GW-41, GW-42
    #[test]
    fn both_forms_of_the_signed_text_are_accepted() {
        for version in [SignatureVersion::V3, SignatureVersion::V2] {
            let params = signed(version, |_| {});
            let device = check(&params).unwrap();
            assert_eq!(device.id.len(), 64);
            assert_eq!(device.public_key, params.device.unwrap().public_key);
        }
    }

    // GW-42
    #[test]
    fn everything_that_is_signed_is_bound() {
        type Change = fn(&mut ConnectParams);
        let changes: [Change; 5] = [
            |params| params.client.id = "test".into(),
            |params| params.client.mode = "test".into(),
            |params| params.scopes.push("operator.admin".into()),
            |params| params.auth.as_mut().unwrap().token = Some("other".into()),
            |params| params.device.as_mut().unwrap().signed_at += 1.0,
        ];
        for version in [SignatureVersion::V3, SignatureVersion::V2] {
            for change in changes {
                let mut params = signed(version, |_| {});
                change(&mut params);
                assert_eq!(check(&params), Err(DeviceRefusal::SignatureInvalid));
            }
        }
        let mut params = signed(SignatureVersion::V3, |_| {});
        params.client.platform = "darwin".into();
        assert_eq!(check(&params), Err(DeviceRefusal::SignatureInvalid));
        let mut params = signed(SignatureVersion::V2, |_| {});
        params.client.platform = "darwin".into();
        assert!(check(&params).is_ok());
    }

    // GW-43, GW-44
    #[test]
    fn refusals_come_in_order_with_their_words() {
        let device = |change: fn(&mut DeviceProof)| signed(SignatureVersion::V3, |params| change(params.device.as_mut().unwrap()));
        let cases: Vec<(ConnectParams, Option<&str>)> = vec![
            (device(|proof| proof.signed_at -= 120_000.0), None),
            (device(|proof| proof.signed_at += 120_000.0), None),
            (device(|proof| proof.signed_at -= 120_001.0), Some("device signature expired")),
            (device(|proof| proof.signed_at += 120_001.0), Some("device signature expired")),
            (device(|proof| proof.id = "00".into()), Some("device identity mismatch")),
            (device(|proof| proof.public_key = "short".into()), Some("device identity mismatch")),
            (device(|proof| proof.nonce = " ".into()), Some("device nonce required")),
            (device(|proof| proof.nonce = "other".into()), Some("device nonce mismatch")),
        ];
        for (params, expected) in cases {
            let message = check(&params).err().map(|refusal| refusal.describe().1);
            assert_eq!(message, expected);
        }
        let mut params = signed(SignatureVersion::V3, |_| {});
        params.device.as_mut().unwrap().signature = "!!".into();
        assert_eq!(check(&params).unwrap_err().describe().1, "device signature invalid");
    }
}
