//! Signatures of the registry over `name@version:integrity`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::SignatureStatus;
use super::keys::KeyRing;
use crate::client::NpmClient;
use crate::packument::Manifest;

/// Largest full metadata that are read for a publishing time, in bytes.
const MAX_FULL: u64 = 160 * 1024 * 1024;

/// All signatures must hold, as in npm's own check: one bad one is a reason to stop.
pub(super) async fn verify(client: &NpmClient, manifest: &Manifest, keys: &KeyRing) -> SignatureStatus {
    let invalid = |problem: String| SignatureStatus::Invalid { problem };
    let (signatures, Some(integrity)) = (&manifest.dist.signatures, &manifest.dist.integrity) else { return SignatureStatus::Missing };
    let message = format!("{}@{}:{integrity}", manifest.name, manifest.version);
    let mut used = None;
    for signature in signatures {
        let id = &signature.keyid;
        let Some(key) = keys.get(id) else {
            return invalid(format!("`{}` is signed with the key {id}, which the registry does not list", manifest.id()));
        };
        let Ok(bytes) = STANDARD.decode(&signature.sig) else {
            return invalid(format!("the signature of `{}` is no Base64 text", manifest.id()));
        };
        if UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point()).verify(message.as_bytes(), &bytes).is_err() {
            return invalid(format!("the signature of `{}` by the key {id} does not match `{message}`", manifest.id()));
        }
        if let Some(expires) = key.expires {
            match published(client, manifest).await {
                Ok(Some(time)) if time < expires => {}
                Ok(Some(time)) => {
                    return invalid(format!("`{}` was published at {time}, after its key {id} had expired at {expires}", manifest.id()));
                }
                Ok(None) => {
                    let reason = format!("the key {id} has expired, and the registry does not say when `{}` was published", manifest.id());
                    return SignatureStatus::NotChecked { reason };
                }
                Err(reason) => return SignatureStatus::NotChecked { reason },
            }
        }
        used = Some(id.clone());
    }
    used.map_or(SignatureStatus::Missing, |key_id| SignatureStatus::Verified { key_id })
}

#[derive(Deserialize)]
struct Times {
    #[serde(default)]
    time: BTreeMap<String, serde_json::Value>,
}

/// When a version was published; only the full metadata say it.
async fn published(client: &NpmClient, manifest: &Manifest) -> Result<Option<Timestamp>, String> {
    let url = client.package_url(&manifest.name).map_err(|e| e.to_string())?;
    let answer = client.http().get(&url, "application/json", &[], MAX_FULL).await.map_err(|e| e.to_string())?;
    let times: Times =
        serde_json::from_slice(&answer.body).map_err(|e| format!("the full metadata of `{}` cannot be read: {e}", manifest.name))?;
    Ok(times.time.get(&manifest.version).and_then(serde_json::Value::as_str).and_then(|text| text.parse().ok()))
}
