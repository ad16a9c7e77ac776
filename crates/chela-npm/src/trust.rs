//! Who vouches for a package: the registry's signature over its hash, and attestations of where it was built.
//!
//! Both are reported exactly as far as they were checked. What cannot be asked or is not offered is said to be so
//! and is no error: the caller decides what it requires.

mod attestations;
mod crypto;
mod keys;
mod signatures;

use serde::{Deserialize, Serialize};

use crate::client::NpmClient;
use crate::error::NpmError;
use crate::packument::Manifest;

pub(crate) use keys::KeyRing;

/// What came of checking the registry's signature over `name@version:integrity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum SignatureStatus {
    /// A key of the registry made a signature that holds.
    #[serde(rename_all = "camelCase")]
    Verified {
        /// The key's id, `SHA256:...`.
        key_id: String,
    },
    /// The registry publishes no keys, so it offers no signatures.
    NotOffered,
    /// The registry has keys, but this version carries no signature.
    Missing,
    /// A signature does not hold, or its key is unknown or had expired.
    Invalid {
        /// What is wrong.
        problem: String,
    },
    /// Nothing was checked.
    NotChecked {
        /// Why not.
        reason: String,
    },
}

/// What came of checking attestations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum AttestationStatus {
    /// All that are offered hold.
    Verified {
        /// What each of them says and what was checked.
        attestations: Vec<Attestation>,
    },
    /// The version offers none.
    NotOffered,
    /// One does not hold, or is about something else.
    Invalid {
        /// What is wrong.
        problem: String,
    },
    /// Nothing was checked.
    NotChecked {
        /// Why not.
        reason: String,
    },
}

/// One attestation that holds.
///
/// The names in it are claims of whom the certificate was issued to. Nothing here says that this identity is
/// the one that should build the package: that is for people to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// What kind of statement it is, for example `https://slsa.dev/provenance/v1`.
    pub predicate_type: String,
    /// The certificate's subject: as a rule the workflow that built the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Who vouched for the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Repository that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// Commit that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_commit: Option<String>,
    /// The registry's key, for statements of the registry itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// What held: `subject`, `signature`, `certificate`, `certificate-timestamp`, `transparency-log`.
    pub checked: Vec<String>,
}

impl NpmClient {
    /// Checks the registry's signature of a version (key set of `/-/npm/v1/keys`, ECDSA P-256).
    ///
    /// It vouches for the `dist.integrity` of these metadata, so it says something about files only together
    /// with an archive that has this hash.
    pub async fn verify_signatures(&self, manifest: &Manifest) -> SignatureStatus {
        match self.registry_keys(&manifest.name).await {
            Ok(None) => SignatureStatus::NotOffered,
            Ok(Some(keys)) => signatures::verify(self, manifest, &keys).await,
            Err(error) => SignatureStatus::NotChecked { reason: error.to_string() },
        }
    }

    /// Checks the attestations of a version: each must be about this package, version and SHA-512, signed by a
    /// certificate of the public sigstore instance (chain, timestamp, transparency log, against the trust root
    /// that this build embeds) or by a key of the registry.
    pub async fn attestations(&self, manifest: &Manifest) -> AttestationStatus {
        match attestations::verify(self, manifest).await {
            Ok(status) => status,
            Err(error @ (NpmError::Network { .. } | NpmError::Status { .. } | NpmError::Offline { .. })) => {
                AttestationStatus::NotChecked { reason: error.to_string() }
            }
            Err(error) => AttestationStatus::Invalid { problem: error.to_string() },
        }
    }
}
