//! Error codes, detail codes and the next steps that clients act on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The codes of the wire, complete (GW-05). Finer codes travel in `details.code` ([`Reason`], GW-F1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// The channel account is not linked.
    NotLinked,
    /// The device is not paired, or asks for more than was approved.
    NotPaired,
    /// The agent did not answer in time.
    AgentTimeout,
    /// The request cannot be served as it is: parameters, scope, role, unknown name.
    InvalidRequest,
    /// No approval with that id.
    ApprovalNotFound,
    /// The gateway cannot serve it now.
    Unavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [ErrorCode; 6] = [
        ErrorCode::NotLinked,
        ErrorCode::NotPaired,
        ErrorCode::AgentTimeout,
        ErrorCode::InvalidRequest,
        ErrorCode::ApprovalNotFound,
        ErrorCode::Unavailable,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::NotLinked => "NOT_LINKED",
            ErrorCode::NotPaired => "NOT_PAIRED",
            ErrorCode::AgentTimeout => "AGENT_TIMEOUT",
            ErrorCode::InvalidRequest => "INVALID_REQUEST",
            ErrorCode::ApprovalNotFound => "APPROVAL_NOT_FOUND",
            ErrorCode::Unavailable => "UNAVAILABLE",
        }
    }
}

/// Finer codes, sent as `details.code` beside one of the old codes (GW-F1), so that a client can tell apart
/// what the reference folds into `INVALID_REQUEST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No method with that name.
    UnknownMethod,
    /// A known method that this build does not serve.
    NotImplemented,
    /// Parameters do not fit the method.
    InvalidParams,
    /// The frame is not a request.
    InvalidFrame,
    /// A scope is missing.
    MissingScope,
    /// The method is for another role.
    WrongRole,
    /// The named thing does not exist.
    NotFound,
    /// It exists, and this caller may not have it.
    Forbidden,
    /// It clashes with the present state.
    Conflict,
    /// Too many requests.
    RateLimited,
    /// The gateway is starting or stopping.
    NotReady,
    /// A fault of the gateway.
    Internal,
}

impl Reason {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::UnknownMethod => "UNKNOWN_METHOD",
            Reason::NotImplemented => "NOT_IMPLEMENTED",
            Reason::InvalidParams => "INVALID_PARAMS",
            Reason::InvalidFrame => "INVALID_FRAME",
            Reason::MissingScope => "MISSING_SCOPE",
            Reason::WrongRole => "WRONG_ROLE",
            Reason::NotFound => "NOT_FOUND",
            Reason::Forbidden => "FORBIDDEN",
            Reason::Conflict => "CONFLICT",
            Reason::RateLimited => "RATE_LIMITED",
            Reason::NotReady => "NOT_READY",
            Reason::Internal => "INTERNAL",
        }
    }
}

/// The error of a response; these five fields and nothing else (GW-04).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorShape {
    /// One of the six codes.
    pub code: ErrorCode,
    /// For people; never empty.
    pub message: String,
    /// Facts for programs, as a rule an object with `code`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub details: Option<Value>,
    /// Whether the same request may succeed later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retryable: Option<bool>,
    /// When to try again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

impl ErrorShape {
    /// An error without details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorShape { code, message: message.into(), details: None, retryable: None, retry_after_ms: None }
    }

    /// `INVALID_REQUEST` with a finer code.
    pub fn invalid(reason: Reason, message: impl Into<String>) -> Self {
        ErrorShape::new(ErrorCode::InvalidRequest, message).with_reason(reason)
    }

    /// `UNAVAILABLE` with a finer code.
    pub fn unavailable(reason: Reason, message: impl Into<String>) -> Self {
        ErrorShape::new(ErrorCode::Unavailable, message).with_reason(reason)
    }

    /// `unknown method: <name>` (GW-06).
    pub fn unknown_method(method: &str) -> Self {
        Self::invalid(Reason::UnknownMethod, format!("unknown method: {method}"))
    }

    /// A method that the protocol knows and this build does not serve.
    pub fn not_implemented(method: &str) -> Self {
        Self::unavailable(Reason::NotImplemented, format!("method `{method}` is not built yet")).with_detail("method", method)
    }

    /// `invalid <method> params: …` (GW-06).
    pub fn invalid_params(method: &str, problem: impl std::fmt::Display) -> Self {
        Self::invalid(Reason::InvalidParams, format!("invalid {method} params: {problem}"))
    }

    /// `missing scope: <scope>` (GW-06).
    pub fn missing_scope(scope: impl std::fmt::Display) -> Self {
        let scope = scope.to_string();
        Self::invalid(Reason::MissingScope, format!("missing scope: {scope}")).with_detail("missingScope", scope)
    }

    /// `unauthorized role: <role>` (GW-06).
    pub fn wrong_role(role: &str) -> Self {
        Self::invalid(Reason::WrongRole, format!("unauthorized role: {role}"))
    }

    /// Something named does not exist; the old code for it is `INVALID_REQUEST` (GW-06).
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::invalid(Reason::NotFound, message)
    }

    /// A fault of the gateway that the caller cannot mend.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::unavailable(Reason::Internal, message)
    }

    /// Sets `details.code`.
    #[must_use]
    pub fn with_reason(self, reason: Reason) -> Self {
        self.with_detail("code", reason.as_str())
    }

    /// Adds one field to `details`; details that are no object are replaced.
    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        let mut map = match self.details.take() {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        map.insert(key.to_owned(), value.into());
        self.details = Some(Value::Object(map));
        self
    }

    /// Marks the error as passing, with the time after which to try again in milliseconds.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retryable = Some(true);
        self.retry_after_ms = Some(ms);
        self
    }
}

/// Detail codes of refused connects (GW-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)] // the names are the whole documentation; GW-34 lists them
pub enum ConnectDetail {
    AuthRequired,
    AuthUnauthorized,
    AuthTokenMissing,
    AuthTokenMismatch,
    AuthTokenNotConfigured,
    AuthPasswordMissing,
    AuthPasswordMismatch,
    AuthPasswordNotConfigured,
    AuthBootstrapTokenInvalid,
    AuthDeviceTokenMismatch,
    AuthScopeMismatch,
    AuthRateLimited,
    AuthTailscaleIdentityMissing,
    AuthTailscaleProxyMissing,
    AuthTailscaleWhoisFailed,
    AuthTailscaleIdentityMismatch,
    ControlUiOriginNotAllowed,
    ControlUiDeviceIdentityRequired,
    DeviceIdentityRequired,
    DeviceAuthInvalid,
    DeviceAuthDeviceIdMismatch,
    DeviceAuthSignatureExpired,
    DeviceAuthNonceRequired,
    DeviceAuthNonceMismatch,
    DeviceAuthSignatureInvalid,
    DeviceAuthPublicKeyInvalid,
    PairingRequired,
}

/// Why authentication failed, as sent in `details.authReason` (GW-33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthReason {
    /// No token was sent.
    TokenMissing,
    /// The token is wrong.
    TokenMismatch,
    /// The gateway has no token to compare with.
    TokenMissingConfig,
    /// No password was sent.
    PasswordMissing,
    /// The password is wrong.
    PasswordMismatch,
    /// The gateway has no password to compare with.
    PasswordMissingConfig,
    /// The setup code is unknown, used or expired.
    BootstrapTokenInvalid,
    /// The device token is unknown, revoked or wrong.
    DeviceTokenMismatch,
    /// The device token does not cover the requested scopes.
    ScopeMismatch,
    /// Too many failures from this address.
    RateLimited,
    /// A user of a tailnet is named without the headers of `tailscale serve`.
    TailscaleProxyMissing,
    /// The tailnet does not know the address.
    TailscaleWhoisFailed,
    /// The address belongs to somebody else than the named user.
    TailscaleUserMismatch,
    /// Any other reason, with its own slug.
    Other(String),
}

impl AuthReason {
    /// The slug on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            AuthReason::TokenMissing => "token_missing",
            AuthReason::TokenMismatch => "token_mismatch",
            AuthReason::TokenMissingConfig => "token_missing_config",
            AuthReason::PasswordMissing => "password_missing",
            AuthReason::PasswordMismatch => "password_mismatch",
            AuthReason::PasswordMissingConfig => "password_missing_config",
            AuthReason::BootstrapTokenInvalid => "bootstrap_token_invalid",
            AuthReason::DeviceTokenMismatch => "device_token_mismatch",
            AuthReason::ScopeMismatch => "scope_mismatch",
            AuthReason::RateLimited => "rate_limited",
            AuthReason::TailscaleProxyMissing => "tailscale_proxy_missing",
            AuthReason::TailscaleWhoisFailed => "tailscale_whois_failed",
            AuthReason::TailscaleUserMismatch => "tailscale_user_mismatch",
            AuthReason::Other(slug) => slug,
        }
    }

    /// The detail code that goes with it (GW-34).
    pub fn detail(&self) -> ConnectDetail {
        match self {
            AuthReason::TokenMissing => ConnectDetail::AuthTokenMissing,
            AuthReason::TokenMismatch => ConnectDetail::AuthTokenMismatch,
            AuthReason::TokenMissingConfig => ConnectDetail::AuthTokenNotConfigured,
            AuthReason::PasswordMissing => ConnectDetail::AuthPasswordMissing,
            AuthReason::PasswordMismatch => ConnectDetail::AuthPasswordMismatch,
            AuthReason::PasswordMissingConfig => ConnectDetail::AuthPasswordNotConfigured,
            AuthReason::BootstrapTokenInvalid => ConnectDetail::AuthBootstrapTokenInvalid,
            AuthReason::DeviceTokenMismatch => ConnectDetail::AuthDeviceTokenMismatch,
            AuthReason::ScopeMismatch => ConnectDetail::AuthScopeMismatch,
            AuthReason::RateLimited => ConnectDetail::AuthRateLimited,
            AuthReason::TailscaleProxyMissing => ConnectDetail::AuthTailscaleProxyMissing,
            AuthReason::TailscaleWhoisFailed => ConnectDetail::AuthTailscaleWhoisFailed,
            AuthReason::TailscaleUserMismatch => ConnectDetail::AuthTailscaleIdentityMismatch,
            AuthReason::Other(_) => ConnectDetail::AuthUnauthorized,
        }
    }

    /// What the client should do, unless it may retry with a device token (GW-35).
    pub fn next_step(&self) -> &'static str {
        match self {
            AuthReason::TokenMissing | AuthReason::TokenMissingConfig | AuthReason::PasswordMissing | AuthReason::PasswordMissingConfig => {
                "update_auth_configuration"
            }
            AuthReason::TokenMismatch | AuthReason::PasswordMismatch | AuthReason::DeviceTokenMismatch => "update_auth_credentials",
            AuthReason::RateLimited => "wait_then_retry",
            AuthReason::ScopeMismatch
            | AuthReason::BootstrapTokenInvalid
            | AuthReason::TailscaleProxyMissing
            | AuthReason::TailscaleWhoisFailed
            | AuthReason::TailscaleUserMismatch
            | AuthReason::Other(_) => "review_auth_configuration",
        }
    }
}

/// Why a device must be approved before it may connect (GW-47).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PairingReason {
    /// Never seen, or seen with another key.
    NotPaired,
    /// Asks for a role that was not approved.
    RoleUpgrade,
    /// Asks for scopes that were not approved.
    ScopeUpgrade,
    /// Its platform or family changed.
    MetadataUpgrade,
}

impl PairingReason {
    /// The slug on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            PairingReason::NotPaired => "not-paired",
            PairingReason::RoleUpgrade => "role-upgrade",
            PairingReason::ScopeUpgrade => "scope-upgrade",
            PairingReason::MetadataUpgrade => "metadata-upgrade",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-04, GW-05
    #[test]
    fn errors_have_the_five_fields_and_the_six_codes() {
        let names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names, ["NOT_LINKED", "NOT_PAIRED", "AGENT_TIMEOUT", "INVALID_REQUEST", "APPROVAL_NOT_FOUND", "UNAVAILABLE"]);
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), json!(code.as_str()));
        }
        let error = ErrorShape::unavailable(Reason::NotReady, "later").retry_after(500);
        assert_eq!(
            serde_json::to_value(error).unwrap(),
            json!({"code":"UNAVAILABLE","message":"later","details":{"code":"NOT_READY"},"retryable":true,"retryAfterMs":500})
        );
        assert!(serde_json::from_value::<ErrorShape>(json!({"code":"UNAVAILABLE","message":"m","extra":1})).is_err());
    }

    // GW-06, GW-F1
    #[test]
    fn old_code_and_message_stay_and_the_finer_code_is_beside_them() {
        let cases = [
            (ErrorShape::unknown_method("x"), "unknown method: x", "UNKNOWN_METHOD"),
            (ErrorShape::missing_scope(crate::Scope::Write), "missing scope: operator.write", "MISSING_SCOPE"),
            (ErrorShape::wrong_role("node"), "unauthorized role: node", "WRONG_ROLE"),
            (
                ErrorShape::invalid_params("chat.send", "must have required property 'message'"),
                "invalid chat.send params: must have required property 'message'",
                "INVALID_PARAMS",
            ),
            (ErrorShape::not_found("no such task"), "no such task", "NOT_FOUND"),
        ];
        for (error, message, reason) in cases {
            assert_eq!(error.code, ErrorCode::InvalidRequest);
            assert_eq!(error.message, message);
            assert_eq!(error.details.unwrap()["code"], reason);
        }
    }

    // GW-34, GW-35
    #[test]
    fn auth_reasons_map_to_detail_codes_and_next_steps() {
        let cases = [
            (AuthReason::TokenMissing, "AUTH_TOKEN_MISSING", "update_auth_configuration"),
            (AuthReason::TokenMismatch, "AUTH_TOKEN_MISMATCH", "update_auth_credentials"),
            (AuthReason::TokenMissingConfig, "AUTH_TOKEN_NOT_CONFIGURED", "update_auth_configuration"),
            (AuthReason::PasswordMissing, "AUTH_PASSWORD_MISSING", "update_auth_configuration"),
            (AuthReason::PasswordMismatch, "AUTH_PASSWORD_MISMATCH", "update_auth_credentials"),
            (AuthReason::PasswordMissingConfig, "AUTH_PASSWORD_NOT_CONFIGURED", "update_auth_configuration"),
            (AuthReason::BootstrapTokenInvalid, "AUTH_BOOTSTRAP_TOKEN_INVALID", "review_auth_configuration"),
            (AuthReason::DeviceTokenMismatch, "AUTH_DEVICE_TOKEN_MISMATCH", "update_auth_credentials"),
            (AuthReason::ScopeMismatch, "AUTH_SCOPE_MISMATCH", "review_auth_configuration"),
            (AuthReason::RateLimited, "AUTH_RATE_LIMITED", "wait_then_retry"),
            (AuthReason::Other("odd".into()), "AUTH_UNAUTHORIZED", "review_auth_configuration"),
        ];
        for (reason, detail, step) in cases {
            assert_eq!(serde_json::to_value(reason.detail()).unwrap(), json!(detail));
            assert_eq!(reason.next_step(), step, "{}", reason.as_str());
        }
    }
}
