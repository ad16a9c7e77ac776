//! Attestations: statements about a package, in sigstore bundles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{ArtifactDigest, Bundle, DerPublicKey, HashAlgorithm, SignatureContent};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult, Verifier};

use super::keys::KeyRing;
use super::{Attestation, AttestationStatus, crypto};
use crate::client::NpmClient;
use crate::error::{NpmError, blocking};
use crate::integrity::{Integrity, hex};
use crate::packument::Manifest;

/// Largest answer with attestations, in bytes.
const MAX_ATTESTATIONS: u64 = 16 * 1024 * 1024;
/// Attestations of one version.
const MAX_COUNT: usize = 32;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    attestations: Vec<Offered>,
}

#[derive(Deserialize)]
struct Offered {
    #[serde(default, rename = "predicateType")]
    predicate_type: String,
    bundle: Box<RawValue>,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(default, rename = "predicateType")]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    #[serde(default)]
    digest: Digest,
}

#[derive(Deserialize, Default)]
struct Digest {
    #[serde(default)]
    sha512: String,
}

pub(super) async fn verify(client: &NpmClient, manifest: &Manifest) -> Result<AttestationStatus, NpmError> {
    let Some(address) = &manifest.dist.attestations else { return Ok(AttestationStatus::NotOffered) };
    if client.settings().offline {
        return Err(NpmError::Offline { what: format!("the attestations of {}", manifest.id()) });
    }
    let url = client.registry_url(&manifest.name, address)?;
    let answer = client.http().get(&url, "application/json", &[], MAX_ATTESTATIONS).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(AttestationStatus::NotChecked { reason: "the registry names attestations, but does not have them".into() });
    }
    let offered: Answer = serde_json::from_slice(&answer.body).map_err(|e| NpmError::bad_answer(&url, format!("no attestations: {e}")))?;
    if offered.attestations.len() > MAX_COUNT {
        return Err(NpmError::TooLarge {
            what: format!("the list of attestations of `{}`", manifest.id()),
            limit: MAX_COUNT as u64,
            unit: "entries",
        });
    }
    let keys = client.registry_keys(&manifest.name).await?;
    let manifest = manifest.clone();
    // Certificates and logs take milliseconds of computing each.
    let checked = blocking(move || {
        let check = |offered: &Offered| check(&manifest, keys.as_deref(), offered);
        Ok(offered.attestations.iter().map(check).collect::<Result<Vec<_>, String>>())
    });
    Ok(match checked.await? {
        Ok(attestations) if attestations.is_empty() => AttestationStatus::NotOffered,
        Ok(attestations) => AttestationStatus::Verified { attestations },
        Err(problem) => AttestationStatus::Invalid { problem },
    })
}

fn check(manifest: &Manifest, keys: Option<&KeyRing>, offered: &Offered) -> Result<Attestation, String> {
    crypto::install();
    let bundle =
        Bundle::from_json(offered.bundle.get()).map_err(|e| format!("an attestation of `{}` is no sigstore bundle: {e}", manifest.id()))?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        return Err(format!("an attestation of `{}` holds no statement", manifest.id()));
    };
    let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|e| format!("a statement about `{}` cannot be read: {e}", manifest.id()))?;
    let sha512 = subject(manifest, &statement)?;
    let digest = ArtifactDigest::new(HashAlgorithm::Sha2512, sha512).map_err(|e| e.to_string())?;
    let root = TrustedRoot::from_embedded(SigstoreInstance::PublicGood).map_err(|e| format!("the embedded trust root is broken: {e}"))?;
    let verifier = Verifier::new(&root).map_err(|e| format!("the embedded trust root is broken: {e}"))?;
    let failed =
        |e: &dyn std::fmt::Display| format!("the attestation `{}` of `{}` does not hold: {e}", offered.predicate_type, manifest.id());
    let (result, key_id) = match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(identifier) => {
            let id = identifier.hint.clone();
            let key = keys.and_then(|keys| keys.get(&id)).ok_or_else(|| failed(&format!("the registry does not list the key {id}")))?;
            let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki.clone()));
            let result = verifier.verify(digest, &bundle, &policy).map_err(|e| failed(&e))?;
            if key.expires.is_some_and(|expires| result.integrated_time().is_none_or(|time| time >= expires)) {
                return Err(failed(&format!("its key {id} had expired")));
            }
            (result, Some(id))
        }
        // Whoever signed: the identity is reported, not judged.
        _ => (verifier.verify(digest, &bundle, &VerificationPolicy::any_identity()).map_err(|e| failed(&e))?, None),
    };
    Ok(describe(statement.predicate_type, &result, key_id))
}

/// The SHA-512 that a statement is about, when it is about this version and its promised hash.
fn subject(manifest: &Manifest, statement: &Statement) -> Result<Vec<u8>, String> {
    let promised = manifest.dist.integrity.as_deref().and_then(sha512_of);
    let promised = promised.ok_or_else(|| format!("`{}` has no SHA-512 that a statement could be about", manifest.id()))?;
    let name = format!("pkg:npm/{}@{}", manifest.name.replace('@', "%40"), manifest.version);
    let wanted = hex(&promised);
    let subject = statement.subject.first().filter(|_| statement.subject.len() == 1);
    match subject {
        Some(subject) if subject.name == name && subject.digest.sha512.eq_ignore_ascii_case(&wanted) => Ok(promised),
        Some(subject) => {
            Err(format!("a statement is about `{}` with SHA-512 {}, not about `{name}` with {wanted}", subject.name, subject.digest.sha512))
        }
        None => Err(format!("a statement about `{}` has {} subjects; one is expected", manifest.id(), statement.subject.len())),
    }
}

fn sha512_of(integrity: &str) -> Option<Vec<u8>> {
    Integrity::parse(integrity)?;
    let encoded = integrity.split_whitespace().find_map(|entry| entry.strip_prefix("sha512-"))?;
    STANDARD.decode(encoded.split('?').next()?).ok().filter(|digest| digest.len() == 64)
}

fn describe(predicate_type: String, result: &VerificationResult, key_id: Option<String>) -> Attestation {
    let claims = result.certificate().map(|certificate| &certificate.ci_claims);
    let facts = [
        ("subject", true),
        ("signature", true),
        ("certificate", result.certificate_verified()),
        ("certificate-timestamp", result.sct_verified()),
        ("transparency-log", result.tlog_verified()),
    ];
    Attestation {
        predicate_type,
        identity: result.identity().map(ToString::to_string),
        issuer: result.issuer().map(str::to_owned),
        source_repository: claims.and_then(|claims| claims.source_repository_uri.clone()),
        source_commit: claims.and_then(|claims| claims.source_repository_digest.clone()),
        key_id,
        checked: facts.into_iter().filter(|(_, held)| *held).map(|(name, _)| name.to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let mut manifest = Manifest { name: "sigstore".into(), version: "2.0.0".into(), ..Manifest::default() };
        manifest.dist.integrity =
            Some("sha512-RtTi90xIdzFmQAAKb9+Ki1nx4IR2Z5c+mFn3dN0xuPHgk3gTt3f7ZqKsZ9UFQP40ZAlm7un8LMyjhwgrTIXNPA==".into());
        manifest
    }

    fn offered(change: impl Fn(&str) -> String) -> Offered {
        let bundle = include_str!("../../tests/data/sigstore-2.0.0-provenance.json");
        Offered { predicate_type: "https://slsa.dev/provenance/v1".into(), bundle: RawValue::from_string(change(bundle)).unwrap() }
    }

    /// A real attestation of a package of the public registry.
    #[test]
    fn real_provenance_holds_in_full() {
        let found = check(&manifest(), None, &offered(str::to_owned)).unwrap();
        assert_eq!(found.predicate_type, "https://slsa.dev/provenance/v1");
        assert_eq!(found.checked, ["subject", "signature", "certificate", "certificate-timestamp", "transparency-log"]);
        assert!(found.identity.as_deref().unwrap().starts_with("https://github.com/sigstore/sigstore-js/"), "{found:?}");
        assert_eq!(found.issuer.as_deref(), Some("https://token.actions.githubusercontent.com"));
    }

    #[test]
    fn what_is_about_something_else_or_changed_does_not_hold() {
        let mut other = manifest();
        other.version = "2.0.1".into();
        assert!(check(&other, None, &offered(str::to_owned)).unwrap_err().contains("is about `pkg:npm/sigstore@2.0.0`"));
        let mut other = manifest();
        other.dist.integrity = Some(format!("sha512-{}", STANDARD.encode([1; 64])));
        assert!(check(&other, None, &offered(str::to_owned)).unwrap_err().contains("with SHA-512 46d4e2f7"));
        other.dist.integrity = None;
        assert!(check(&other, None, &offered(str::to_owned)).unwrap_err().contains("no SHA-512"));
        // One changed byte in what was signed.
        let parsed: serde_json::Value = serde_json::from_str(offered(str::to_owned).bundle.get()).unwrap();
        let payload = parsed["dsseEnvelope"]["payload"].as_str().unwrap();
        let mut bytes = STANDARD.decode(payload).unwrap();
        let at = bytes.windows(11).position(|w| w == b"\"predicate\"").unwrap() + 40;
        bytes[at] = bytes[at].wrapping_add(1);
        let forged = offered(|text| text.replace(payload, &STANDARD.encode(&bytes)));
        assert!(check(&manifest(), None, &forged).is_err());
        // The log entry of another time, and a signature that is not there.
        let time = parsed["verificationMaterial"]["tlogEntries"][0]["integratedTime"].as_str().unwrap();
        let later = offered(|text| text.replace(time, "1999999999"));
        assert!(check(&manifest(), None, &later).unwrap_err().contains("does not hold"));
        assert!(check(&manifest(), None, &offered(|_| "{}".into())).unwrap_err().contains("no sigstore bundle"));
    }
}
