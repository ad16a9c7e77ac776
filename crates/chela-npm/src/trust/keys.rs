//! The public keys of a registry.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::client::NpmClient;
use crate::error::NpmError;

/// Largest list of keys, in bytes.
const MAX_KEYS: u64 = 1024 * 1024;
/// What a SubjectPublicKeyInfo of a P-256 key begins with; the uncompressed point follows.
const P256_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

/// The keys of one registry.
#[derive(Debug)]
pub(crate) struct KeyRing(Vec<Key>);

#[derive(Debug)]
pub(crate) struct Key {
    pub id: String,
    /// SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
    /// From when on it must not have been used.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Wire {
    keys: Vec<WireKey>,
}

#[derive(Deserialize)]
struct WireKey {
    keyid: String,
    key: String,
    #[serde(default)]
    scheme: String,
    #[serde(default)]
    expires: Option<String>,
}

impl KeyRing {
    /// Keys of a scheme or form that is not understood are left out; a signature by one then has no key.
    fn parse(json: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(json).map_err(|e| format!("this is no list of keys: {e}"))?;
        let keys = wire.keys.into_iter().filter(|key| key.scheme.is_empty() || key.scheme == "ecdsa-sha2-nistp256");
        let keys = keys.filter_map(|key| {
            let spki = STANDARD.decode(&key.key).ok().filter(|spki| spki.len() == P256_HEAD.len() + 65 && spki.starts_with(&P256_HEAD))?;
            // A date that cannot be read must not make a key good for ever.
            let expires = key.expires.as_deref().map(|text| text.parse().unwrap_or(Timestamp::MIN));
            Some(Key { id: key.keyid, spki, expires })
        });
        Ok(Self(keys.collect()))
    }

    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    /// The uncompressed point.
    pub fn point(&self) -> &[u8] {
        &self.spki[P256_HEAD.len()..]
    }
}

impl NpmClient {
    /// The keys of the registry that a package belongs to; `None` when it publishes none.
    pub(super) async fn registry_keys(&self, package: &str) -> Result<Option<Arc<KeyRing>>, NpmError> {
        let registry = self.settings().registry_for(package).clone();
        if self.settings().offline {
            return Err(NpmError::Offline { what: "the keys of the registry".into() });
        }
        let cell = self.key_cell(&registry);
        let found = cell.get_or_try_init(|| async {
            let url = registry.join("-/npm/v1/keys").map_err(|_| NpmError::bad_answer(&registry, "no address for its keys"))?;
            let answer = self.http().get(&url, "application/json", &[], MAX_KEYS).await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let keys = KeyRing::parse(&answer.body).map_err(|problem| NpmError::bad_answer(&url, problem))?;
            Ok(Some(Arc::new(keys)))
        });
        found.await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_known_form() {
        let good =
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1Olb3zMAFFxXKHiIkQO5cJ3Yhl5i6UPp+IhuteBJbuHcA5UogKo0EWtlWwW6KSaKoTNEYL7JlCQiVnkhBktUgg==";
        let text = format!(
            r#"{{"keys":[{{"keyid":"a","key":"{good}","expires":"2025-01-29T00:00:00.000Z","scheme":"ecdsa-sha2-nistp256"}},
            {{"keyid":"b","key":"{good}","expires":"whenever"}},{{"keyid":"c","key":"AAAA"}},{{"keyid":"d","key":"{good}","scheme":"rsa"}},
            {{"keyid":"e","key":"{good}","expires":null}}]}}"#
        );
        let ring = KeyRing::parse(text.as_bytes()).unwrap();
        assert_eq!(ring.get("a").unwrap().expires, "2025-01-29T00:00:00Z".parse().ok());
        assert_eq!(ring.get("a").unwrap().point().len(), 65);
        assert_eq!(ring.get("b").unwrap().expires, Some(Timestamp::MIN));
        assert!(ring.get("c").is_none() && ring.get("d").is_none());
        assert_eq!(ring.get("e").unwrap().expires, None);
        assert!(KeyRing::parse(b"[]").is_err());
    }
}
