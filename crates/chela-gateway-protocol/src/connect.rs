//! The parameters of `connect`, the first request of every client (GW-15..GW-18).

use crate::schema::{Schema, check, optional, required};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every client id that may connect (GW-16).
pub const CLIENT_IDS: &[&str] = &[
    "webchat-ui",
    "openclaw-control-ui",
    "openclaw-tui",
    "webchat",
    "cli",
    "gateway-client",
    "openclaw-macos",
    "openclaw-ios",
    "openclaw-android",
    "node-host",
    "test",
    "fingerprint",
    "openclaw-probe",
];

/// Every client mode that may connect (GW-17).
pub const CLIENT_MODES: &[&str] = &["webchat", "cli", "ui", "backend", "node", "probe", "test"];

/// The shape of the parameters; extras are refused (GW-15).
pub const CONNECT_SCHEMA: Schema = Schema::Object(&[
    required("minProtocol", Schema::IntMin(1)),
    required("maxProtocol", Schema::IntMin(1)),
    required(
        "client",
        Schema::Object(&[
            required("id", Schema::OneOf(CLIENT_IDS)),
            optional("displayName", Schema::NonEmptyStr),
            required("version", Schema::NonEmptyStr),
            required("platform", Schema::NonEmptyStr),
            optional("deviceFamily", Schema::NonEmptyStr),
            optional("modelIdentifier", Schema::NonEmptyStr),
            required("mode", Schema::OneOf(CLIENT_MODES)),
            optional("instanceId", Schema::NonEmptyStr),
        ]),
    ),
    optional("caps", Schema::Array(&Schema::NonEmptyStr)),
    optional("commands", Schema::Array(&Schema::NonEmptyStr)),
    optional("permissions", Schema::Map(&Schema::Bool)),
    optional("pathEnv", Schema::Str),
    optional("role", Schema::NonEmptyStr),
    optional("scopes", Schema::Array(&Schema::NonEmptyStr)),
    optional(
        "device",
        Schema::Object(&[
            required("id", Schema::NonEmptyStr),
            required("publicKey", Schema::NonEmptyStr),
            required("signature", Schema::NonEmptyStr),
            required("signedAt", Schema::IntMin(0)),
            required("nonce", Schema::NonEmptyStr),
        ]),
    ),
    optional(
        "auth",
        Schema::Object(&[
            optional("token", Schema::Str),
            optional("bootstrapToken", Schema::Str),
            optional("deviceToken", Schema::Str),
            optional("password", Schema::Str),
        ]),
    ),
    optional("locale", Schema::Str),
    optional("userAgent", Schema::Str),
]);

/// Parameters of `connect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectParams {
    /// Oldest protocol the client speaks.
    pub min_protocol: f64,
    /// Newest protocol the client speaks.
    pub max_protocol: f64,
    /// Who connects.
    pub client: ClientDescriptor,
    /// Abilities of a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// Commands that a node declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Permissions that a node holds on its own system.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, bool>,
    /// `PATH` of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_env: Option<String>,
    /// `operator` unless given (GW-20).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// None unless given (GW-20).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Signed identity of the device (GW-41, GW-42).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceProof>,
    /// Secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ConnectAuth>,
    /// Language of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Program that connects, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// Who connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientDescriptor {
    /// One of [`CLIENT_IDS`].
    pub id: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Version of the client.
    pub version: String,
    /// Operating system of the client.
    pub platform: String,
    /// Kind of device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Model of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// One of [`CLIENT_MODES`].
    pub mode: String,
    /// Tells two copies of one client apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
}

impl ClientDescriptor {
    /// A command line client (GW-38).
    pub fn is_cli(&self) -> bool {
        self.mode == "cli"
    }

    /// A user interface of an operator, in a browser or a terminal.
    pub fn is_operator_ui(&self) -> bool {
        self.id == "openclaw-control-ui" || self.id == "openclaw-tui"
    }

    /// The page that the gateway itself serves (GW-39).
    pub fn is_browser_ui(&self) -> bool {
        self.id == "openclaw-control-ui"
    }

    /// A chat page in a browser.
    pub fn is_webchat(&self) -> bool {
        self.mode == "webchat" || self.id == "webchat-ui"
    }

    /// A native app with a user interface (GW-48).
    pub fn is_native_app(&self) -> bool {
        self.mode == "ui" && ["openclaw-macos", "openclaw-ios", "openclaw-android"].contains(&self.id.as_str())
    }

    /// A program beside the gateway that keeps its scopes on loopback without a device (GW-38).
    pub fn is_local_backend(&self) -> bool {
        self.id == "gateway-client" && self.mode == "backend"
    }
}

/// Proof that the client holds a device's key (GW-41).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceProof {
    /// Lower-case hex SHA-256 of the raw public key.
    pub id: String,
    /// Raw Ed25519 public key, base64url without padding.
    pub public_key: String,
    /// Signature over [`signed_text`], base64url without padding.
    pub signature: String,
    /// When it was signed, in milliseconds since 1970.
    pub signed_at: f64,
    /// The nonce of the challenge (GW-12).
    pub nonce: String,
}

/// Secrets of a connect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectAuth {
    /// Shared token, or a device token (GW-32).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Setup code of a new device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_token: Option<String>,
    /// Token of a paired device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// Shared password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl ConnectAuth {
    /// The token that a device signs: token, else device token, else bootstrap token, else nothing (GW-42).
    pub fn signed_token(&self) -> &str {
        self.token.as_deref().or(self.device_token.as_deref()).or(self.bootstrap_token.as_deref()).unwrap_or("")
    }

    /// The kind of secret that was sent, for messages.
    pub fn provided(&self) -> &'static str {
        let has = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
        if has(&self.password) {
            "password"
        } else if has(&self.token) {
            "token"
        } else if has(&self.bootstrap_token) {
            "bootstrap-token"
        } else if has(&self.device_token) {
            "device-token"
        } else {
            "none"
        }
    }
}

impl ConnectParams {
    /// Validates and reads the parameters. The error is the text that follows `invalid connect params: `.
    pub fn parse(params: &Value) -> Result<ConnectParams, String> {
        check(&CONNECT_SCHEMA, params)?;
        serde_json::from_value(params.clone()).map_err(|error| error.to_string())
    }

    /// Whether the client's range includes our protocol (GW-18).
    pub fn supports(&self, protocol: u64) -> bool {
        self.min_protocol <= protocol as f64 && protocol as f64 <= self.max_protocol
    }
}

/// What a device signs; the newer form binds platform and family too (GW-42).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureVersion {
    /// With platform and device family.
    V3,
    /// Without.
    V2,
}

/// The text that a device signs for this connect (GW-42).
pub fn signed_text(version: SignatureVersion, params: &ConnectParams, device: &DeviceProof, role: &str) -> String {
    let tag = match version {
        SignatureVersion::V3 => "v3",
        SignatureVersion::V2 => "v2",
    };
    let token = params.auth.as_ref().map_or("", ConnectAuth::signed_token);
    let mut fields = vec![
        tag.to_owned(),
        device.id.clone(),
        params.client.id.clone(),
        params.client.mode.clone(),
        role.to_owned(),
        params.scopes.join(","),
        format!("{}", device.signed_at as i64),
        token.to_owned(),
        device.nonce.trim().to_owned(),
    ];
    if version == SignatureVersion::V3 {
        fields.push(normalize_metadata(Some(&params.client.platform)));
        fields.push(normalize_metadata(params.client.device_family.as_deref()));
    }
    fields.join("|")
}

/// Platform and family as they are signed and compared: trimmed, ASCII letters in lower case (GW-42, GW-48).
pub fn normalize_metadata(value: Option<&str>) -> String {
    value.map_or_else(String::new, |text| text.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn valid() -> Value {
        json!({
            "minProtocol": 4, "maxProtocol": 4,
            "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"},
        })
    }

    fn with(path: &[&str], value: Value) -> Value {
        let mut root = valid();
        let mut at = &mut root;
        for key in path {
            at = &mut at[*key];
        }
        *at = value;
        root
    }

    // GW-15, GW-16, GW-17
    #[test]
    fn parameters_are_checked_strictly() {
        let cases: Vec<(Value, Option<&str>)> = vec![
            (valid(), None),
            (json!(null), Some("must be object")),
            (
                json!({}),
                Some(
                    "must have required property 'minProtocol'; must have required property 'maxProtocol'; must have required property 'client'",
                ),
            ),
            (with(&["minProtocol"], json!(0)), Some("at /minProtocol: must be >= 1")),
            (with(&["minProtocol"], json!(1.5)), Some("at /minProtocol: must be integer")),
            (with(&["nope"], json!(1)), Some("at root: unexpected property 'nope'")),
            (with(&["client", "nope"], json!(1)), Some("at /client: unexpected property 'nope'")),
            (
                with(&["client", "mode"], json!("operator")),
                Some("at /client/mode: must be equal to constant; at /client/mode: must match a schema in anyOf"),
            ),
            (
                with(&["client", "id"], json!("mine")),
                Some("at /client/id: must be equal to constant; at /client/id: must match a schema in anyOf"),
            ),
            (with(&["client", "version"], json!("")), Some("at /client/version: must NOT have fewer than 1 characters")),
            (with(&["scopes"], json!(["a", ""])), Some("at /scopes/1: must NOT have fewer than 1 characters")),
            (with(&["permissions"], json!({"camera": "yes"})), Some("at /permissions/camera: must be boolean")),
            (with(&["auth"], json!({"secret": "x"})), Some("at /auth: unexpected property 'secret'")),
            (with(&["auth"], json!({"token": ""})), None),
            (
                with(&["device"], json!({"id": "x"})),
                Some(
                    "at /device: must have required property 'publicKey'; at /device: must have required property 'signature'; at /device: must have required property 'signedAt'; at /device: must have required property 'nonce'",
                ),
            ),
        ];
        for (params, expected) in cases {
            assert_eq!(ConnectParams::parse(&params).err().as_deref(), expected, "{params}");
        }
        for id in CLIENT_IDS {
            assert!(ConnectParams::parse(&with(&["client", "id"], json!(id))).is_ok());
        }
        for mode in CLIENT_MODES {
            assert!(ConnectParams::parse(&with(&["client", "mode"], json!(mode))).is_ok());
        }
    }

    // GW-18
    #[test]
    fn the_range_must_include_our_protocol() {
        for (min, max, expected) in [(4, 4, true), (1, 9, true), (1, 3, false), (5, 9, false)] {
            let mut params = ConnectParams::parse(&valid()).unwrap();
            params.min_protocol = f64::from(min);
            params.max_protocol = f64::from(max);
            assert_eq!(params.supports(crate::limits::PROTOCOL_VERSION), expected);
        }
    }

    // GW-42
    #[test]
    fn signed_text_joins_the_fields_in_order() {
        let mut params = ConnectParams::parse(&valid()).unwrap();
        params.scopes = vec!["operator.read".into(), "operator.write".into()];
        params.client.platform = " Linux ".into();
        params.client.device_family = Some("Server".into());
        let device = DeviceProof {
            id: "abc".into(),
            public_key: "k".into(),
            signature: "s".into(),
            signed_at: 1_700_000_000_123.0,
            nonce: "n".into(),
        };
        let cases = [
            (None, ""),
            (Some(json!({"bootstrapToken":"b"})), "b"),
            (Some(json!({"bootstrapToken":"b","deviceToken":"d"})), "d"),
            (Some(json!({"bootstrapToken":"b","deviceToken":"d","token":"t"})), "t"),
        ];
        for (auth, token) in cases {
            params.auth = auth.map(|value| serde_json::from_value(value).unwrap());
            let v2 = format!("v2|abc|cli|cli|operator|operator.read,operator.write|1700000000123|{token}|n");
            assert_eq!(signed_text(SignatureVersion::V2, &params, &device, "operator"), v2);
            assert_eq!(
                signed_text(SignatureVersion::V3, &params, &device, "operator"),
                format!("{}|linux|server", v2.replacen("v2", "v3", 1))
            );
        }
    }
}
