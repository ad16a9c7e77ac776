//! The device identity of this installation and the token that a gateway gave it (GW-41, GW-42, GW-149).

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chela_config::{Secret, StatePaths};
use chela_gateway_protocol::ConnectParams;
use chela_gateway_protocol::connect::{DeviceProof, SignatureVersion, signed_text};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::ClientError;

/// PKCS#8 and SPKI heads of an Ed25519 key; the 32 bytes of the key follow.
const PRIVATE_HEAD: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PUBLIC_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The key of this installation.
pub struct Identity {
    /// Hex SHA-256 of the public key.
    pub id: String,
    key: SigningKey,
}

impl Identity {
    /// The identity, when there is one.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn read(paths: &StatePaths) -> Result<Option<Self>, ClientError> {
        let file = paths.identity_file();
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&file, error)),
        };
        let stored: Value = serde_json::from_slice(&bytes).map_err(|error| unusable(&file, error))?;
        let pem = stored["privateKeyPem"].as_str().ok_or_else(|| unusable(&file, "`privateKeyPem` is missing"))?;
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| unusable(&file, error))?;
        Ok(Some(Self::of(key)))
    }

    /// The identity; a new one is made and kept when there is none.
    ///
    /// # Errors
    /// When the file cannot be used or written, or the system has no random numbers.
    pub fn read_or_create(paths: &StatePaths) -> Result<Self, ClientError> {
        if let Some(identity) = Self::read(paths)? {
            return Ok(identity);
        }
        let file = paths.identity_file();
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).map_err(|error| unusable(&file, error))?;
        let identity = Self::of(SigningKey::from_bytes(&seed));
        let public = identity.key.verifying_key().to_bytes();
        let document = json!({
            "version": 1,
            "deviceId": identity.id,
            "publicKeyPem": pem("PUBLIC KEY", &[&PUBLIC_HEAD[..], &public[..]].concat()),
            "privateKeyPem": pem("PRIVATE KEY", &[&PRIVATE_HEAD[..], &seed[..]].concat()),
            "createdAtMs": jiff::Timestamp::now().as_millisecond(),
        });
        write_private(&file, &document).map_err(|error| unusable(&file, error))?;
        Ok(identity)
    }

    fn of(key: SigningKey) -> Self {
        let digest = Sha256::digest(key.verifying_key().to_bytes());
        Self { id: digest.iter().map(|byte| format!("{byte:02x}")).collect(), key }
    }

    /// The `device` member of the connect parameters: the v3 text, signed (GW-42).
    ///
    /// # Errors
    /// When the parameters are none, which a test excludes.
    pub fn proof(&self, params: &Value, nonce: &str) -> Result<Value, ClientError> {
        let parsed = ConnectParams::parse(params).map_err(ClientError::Local)?;
        let mut proof = DeviceProof {
            id: self.id.clone(),
            public_key: URL_SAFE_NO_PAD.encode(self.key.verifying_key().to_bytes()),
            signature: String::new(),
            signed_at: jiff::Timestamp::now().as_millisecond() as f64,
            nonce: nonce.to_owned(),
        };
        let text = signed_text(SignatureVersion::V3, &parsed, &proof, "operator");
        proof.signature = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()).to_bytes());
        Ok(json!({
            "id": proof.id, "publicKey": proof.public_key, "signature": proof.signature,
            "signedAt": proof.signed_at as i64, "nonce": proof.nonce,
        }))
    }
}

/// The token that the gateway gave this device, in `identity/device-auth.json`.
pub struct StoredToken {
    /// The device it belongs to.
    pub device_id: String,
    /// The token.
    pub token: Secret,
}

impl StoredToken {
    fn file(paths: &StatePaths) -> PathBuf {
        paths.identity_file().with_file_name("device-auth.json")
    }

    /// The stored token, when there is a usable one.
    pub fn read(paths: &StatePaths) -> Option<Self> {
        let stored: Value = serde_json::from_slice(&std::fs::read(Self::file(paths)).ok()?).ok()?;
        let device_id = stored["deviceId"].as_str()?.to_owned();
        let token = Secret::new(stored["tokens"]["operator"]["token"].as_str()?);
        Some(Self { device_id, token })
    }

    /// Keeps the token of a hello's `auth`, when it brings one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(paths: &StatePaths, device_id: &str, auth: &Value) -> std::io::Result<()> {
        let Some(token) = auth["deviceToken"].as_str() else { return Ok(()) };
        if Self::read(paths).is_some_and(|old| old.device_id == device_id && old.token.expose() == token) {
            return Ok(());
        }
        let row =
            json!({"token": token, "role": "operator", "scopes": auth["scopes"], "updatedAtMs": jiff::Timestamp::now().as_millisecond()});
        write_private(&Self::file(paths), &json!({"version": 1, "deviceId": device_id, "tokens": {"operator": row}}))
    }
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> ClientError {
    ClientError::Local(format!("cannot use the device identity `{}`: {why}", file.display()))
}

fn pem(label: &str, der: &[u8]) -> String {
    // One line is enough for 48 bytes of DER.
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Writes beside the file, then renames, so that nobody reads half a key.
fn write_private(file: &Path, document: &Value) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut temporary = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(dir)?;
    temporary.write_all(format!("{document:#}\n").as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signature, VerifyingKey};

    fn paths(dir: &Path) -> StatePaths {
        StatePaths { home: dir.into(), state_dir: dir.join("state"), config_path: dir.join("openclaw.json") }
    }

    // GW-41, GW-42, GW-149
    #[test]
    fn an_identity_lasts_and_its_proof_verifies() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        assert!(Identity::read(&paths).unwrap().is_none());
        let made = Identity::read_or_create(&paths).unwrap();
        let again = Identity::read(&paths).unwrap().unwrap();
        assert_eq!(made.id, again.id);
        let mode = std::fs::metadata(paths.identity_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let params = json!({
            "minProtocol": 4, "maxProtocol": 4, "role": "operator", "scopes": ["operator.read"], "auth": {"token": "t"},
            "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"},
        });
        let proof: DeviceProof = serde_json::from_value(again.proof(&params, "nonce-1").unwrap()).unwrap();
        let raw: [u8; 32] = URL_SAFE_NO_PAD.decode(&proof.public_key).unwrap().try_into().unwrap();
        assert_eq!(proof.id, Sha256::digest(raw).iter().map(|b| format!("{b:02x}")).collect::<String>());
        let text = signed_text(SignatureVersion::V3, &ConnectParams::parse(&params).unwrap(), &proof, "operator");
        assert!(text.starts_with("v3|") && text.contains("|nonce-1|linux|"), "{text}");
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(&proof.signature).unwrap()).unwrap();
        VerifyingKey::from_bytes(&raw).unwrap().verify_strict(text.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn the_device_token_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        StoredToken::keep(&paths, "d1", &json!({"role": "operator"})).unwrap();
        assert!(StoredToken::read(&paths).is_none());
        StoredToken::keep(&paths, "d1", &json!({"deviceToken": "dt", "scopes": ["operator.read"]})).unwrap();
        let stored = StoredToken::read(&paths).unwrap();
        assert_eq!((stored.device_id.as_str(), stored.token.expose()), ("d1", "dt"));
    }

    #[test]
    fn a_damaged_identity_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        std::fs::create_dir_all(paths.identity_file().parent().unwrap()).unwrap();
        std::fs::write(paths.identity_file(), "{}").unwrap();
        let error = Identity::read(&paths).err().unwrap().to_string();
        assert!(error.contains("device.json") && error.contains("privateKeyPem"), "{error}");
    }
}
