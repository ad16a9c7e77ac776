//! Why a gateway could not be reached or said no, with the next step.

use std::time::Duration;

use serde_json::Value;

use crate::report::Failure;

/// A failed connection or call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no gateway answers at `{url}`: {cause}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// No answer in time.
    #[error("no answer from `{url}` within {} s: {what}", limit.as_secs_f64())]
    Timeout {
        /// The URL.
        url: String,
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The gateway refused the connection.
    #[error("the gateway at `{url}` refused the connection: {message}")]
    Refused {
        /// The URL.
        url: String,
        /// Its words.
        message: String,
        /// The whole error.
        error: Value,
    },
    /// The socket closed.
    #[error("the gateway at `{url}` closed the connection ({code}{}{reason})", if reason.is_empty() { "" } else { ": " })]
    Closed {
        /// The URL.
        url: String,
        /// The close code.
        code: u16,
        /// The close reason.
        reason: String,
    },
    /// A method failed.
    #[error("`{method}` failed: {message}")]
    Method {
        /// The method.
        method: String,
        /// The gateway's words.
        message: String,
        /// The whole error.
        error: Value,
    },
    /// What answers is no gateway.
    #[error("`{url}` does not speak the gateway protocol: {problem}")]
    Protocol {
        /// The URL.
        url: String,
        /// What was wrong.
        problem: String,
    },
    /// Something on this side.
    #[error("{0}")]
    Local(String),
}

impl ClientError {
    /// True when no gateway took the request, so that it cannot have had an effect.
    pub fn is_connection(&self) -> bool {
        !matches!(self, Self::Method { .. } | Self::Local(_))
    }

    /// How long to wait before asking again, when that makes sense (GW-21).
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Refused { error, .. } = self else { return None };
        let retryable = error["code"] == "UNAVAILABLE" && error["retryable"] == Value::Bool(true);
        retryable.then(|| Duration::from_millis(error["retryAfterMs"].as_u64().unwrap_or(500)))
    }

    /// True when a stored device token may do what the shared one did not (GW-36, GW-60).
    pub fn offers_device_token(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if error["details"]["canRetryWithDeviceToken"] == Value::Bool(true))
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => "start it with `chela gateway run`".into(),
            Self::Timeout { .. } => "look at `chela logs`, or wait longer with `--timeout`".into(),
            Self::Refused { error, .. } => match error["details"]["code"].as_str().unwrap_or_default() {
                "PAIRING_REQUIRED" => match error["details"]["requestId"].as_str() {
                    Some(id) => format!("approve it on the gateway's machine with `chela devices approve {id}`"),
                    None => "approve this device on the gateway's machine".into(),
                },
                code if code.starts_with("AUTH_TOKEN") => {
                    "pass the gateway's token with `--token`, or set `gateway.auth.token` as the gateway has it".into()
                }
                code if code.starts_with("AUTH_PASSWORD") => {
                    "pass the gateway's password with `--password`, or set `gateway.auth.password` as the gateway has it".into()
                }
                "AUTH_RATE_LIMITED" => "wait a few minutes: there were too many wrong attempts".into(),
                _ => return None,
            },
            Self::Method { message, .. } if message.starts_with("missing scope") => {
                "these credentials do not allow it; use the gateway's token".into()
            }
            Self::Method { message, .. } if message.starts_with("unknown method") => {
                "check the name; methods of a plugin exist only while it runs".into()
            }
            Self::Protocol { .. } => "another program may use this port; choose one with `--url` or `gateway.port`".into(),
            _ => return None,
        })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.hints.extend(error.hint());
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-21, GW-36
    #[test]
    fn the_gateway_says_whether_to_try_again() {
        let refused = |error: Value| ClientError::Refused { url: "ws://x".into(), message: "m".into(), error };
        let starting = refused(json!({"code": "UNAVAILABLE", "retryable": true, "retryAfterMs": 500}));
        assert_eq!(starting.retry_after(), Some(Duration::from_millis(500)));
        assert_eq!(refused(json!({"code": "INVALID_REQUEST"})).retry_after(), None);
        let mismatch =
            refused(json!({"code": "INVALID_REQUEST", "details": {"code": "AUTH_TOKEN_MISMATCH", "canRetryWithDeviceToken": true}}));
        assert!(mismatch.offers_device_token());
        assert!(Failure::from(mismatch).hints[0].contains("--token"));
    }
}
