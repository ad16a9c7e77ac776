//! The one error of every transport, and the reason that failover works with.

use crate::types::ModelRef;
use std::fmt;
use std::time::Duration;

/// What went wrong, as far as a caller must act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No usable credential, or the provider refused it.
    Auth,
    /// Too many requests; try again after the given time if known.
    RateLimit {
        /// What `Retry-After` said.
        retry_after: Option<Duration>,
    },
    /// The account has no credit or reached a spending limit.
    Billing,
    /// The provider does not know the model.
    ModelNotFound,
    /// The conversation is longer than the model's context.
    ContextLength,
    /// The provider or the model refused to answer for reasons of content.
    Refusal,
    /// No answer in time.
    Timeout,
    /// The connection could not be made or broke.
    Connection,
    /// The provider failed; the HTTP status, or 500 when it said so inside a stream.
    Server(u16),
    /// The request was malformed, or the answer made no sense.
    Invalid,
    /// The provider or option is known but this build cannot serve it.
    Unsupported,
    /// The caller cancelled.
    Aborted,
}

impl ErrorKind {
    /// A short stable word for logs and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit { .. } => "rate_limit",
            Self::Billing => "billing",
            Self::ModelNotFound => "model_not_found",
            Self::ContextLength => "context_length",
            Self::Refusal => "refusal",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Server(_) => "server",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Aborted => "aborted",
        }
    }
}

/// Why failover would move on (PRV-193).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailoverReason {
    /// The credential was refused.
    Auth,
    /// The credential was refused for good (revoked, deactivated).
    AuthPermanent,
    /// The request was malformed for this provider.
    Format,
    /// The provider is overloaded.
    Overloaded,
    /// Too many requests.
    RateLimit,
    /// No credit.
    Billing,
    /// No answer in time, or the connection broke.
    Timeout,
    /// The provider failed.
    ServerError,
    /// Unknown model.
    ModelNotFound,
    /// The provider's session is gone.
    SessionExpired,
    /// The answer was empty.
    EmptyResponse,
    /// Nothing else fits.
    Unknown,
}

impl FailoverReason {
    /// The reference's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthPermanent => "auth_permanent",
            Self::Format => "format",
            Self::Overloaded => "overloaded",
            Self::RateLimit => "rate_limit",
            Self::Billing => "billing",
            Self::Timeout => "timeout",
            Self::ServerError => "server_error",
            Self::ModelNotFound => "model_not_found",
            Self::SessionExpired => "session_expired",
            Self::EmptyResponse => "empty_response",
            Self::Unknown => "unknown",
        }
    }

    /// The reason of a word that a plugin gave (PRV-116); `None` for a word that names none.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Auth,
            Self::AuthPermanent,
            Self::Format,
            Self::Overloaded,
            Self::RateLimit,
            Self::Billing,
            Self::Timeout,
            Self::ServerError,
            Self::ModelNotFound,
            Self::SessionExpired,
            Self::EmptyResponse,
            Self::Unknown,
        ];
        all.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The HTTP status that stands for the reason when the error itself carried none (PRV-194).
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Billing => Some(402),
            Self::ServerError => Some(500),
            Self::RateLimit => Some(429),
            Self::Overloaded => Some(503),
            Self::Auth => Some(401),
            Self::AuthPermanent => Some(403),
            Self::Timeout => Some(408),
            Self::Format => Some(400),
            Self::ModelNotFound => Some(404),
            Self::SessionExpired => Some(410),
            Self::EmptyResponse | Self::Unknown => None,
        }
    }
}

/// A failed model call. It never contains a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Why failover would move on; `None` means that it must not (PRV-205).
    pub reason: Option<FailoverReason>,
    /// What the provider or the transport said, with keys removed.
    pub message: String,
    /// Provider id.
    pub provider: Box<str>,
    /// Model id.
    pub model: Box<str>,
    /// HTTP status, if the provider answered.
    pub status: Option<u16>,
    /// The provider's id of the request, for its support.
    pub request_id: Option<Box<str>>,
}

impl ModelError {
    /// An error of `kind` about `model`, with the reason that usually goes with the kind.
    pub fn new(kind: ErrorKind, model: &ModelRef, message: impl Into<String>) -> Self {
        let reason = match &kind {
            ErrorKind::Auth => Some(FailoverReason::Auth),
            ErrorKind::RateLimit { .. } => Some(FailoverReason::RateLimit),
            ErrorKind::Billing => Some(FailoverReason::Billing),
            ErrorKind::ModelNotFound => Some(FailoverReason::ModelNotFound),
            ErrorKind::Timeout | ErrorKind::Connection => Some(FailoverReason::Timeout),
            ErrorKind::Server(_) => Some(FailoverReason::ServerError),
            ErrorKind::Invalid | ErrorKind::Unsupported => Some(FailoverReason::Format),
            ErrorKind::ContextLength | ErrorKind::Refusal | ErrorKind::Aborted => None,
        };
        Self {
            kind,
            reason,
            message: message.into(),
            provider: model.provider.as_str().into(),
            model: model.model.as_str().into(),
            status: None,
            request_id: None,
        }
    }

    /// The caller cancelled.
    pub fn aborted(model: &ModelRef) -> Self {
        Self::new(ErrorKind::Aborted, model, "the call was cancelled")
    }

    /// Whether the same request may well succeed a little later.
    pub fn retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::RateLimit { .. } | ErrorKind::Timeout | ErrorKind::Connection | ErrorKind::Server(_))
    }

    /// What `Retry-After` said, if anything.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimit { retry_after } => retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}/{}`: {}", self.provider, self.model, self.message)?;
        match (self.status, &self.request_id) {
            (Some(status), Some(id)) => write!(f, " (HTTP {status}, request id `{id}`)"),
            (Some(status), None) => write!(f, " (HTTP {status})"),
            (None, Some(id)) => write!(f, " (request id `{id}`)"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for ModelError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_a_word_and_a_status() {
        // PRV-194
        let cases = [
            (FailoverReason::Billing, "billing", Some(402)),
            (FailoverReason::ServerError, "server_error", Some(500)),
            (FailoverReason::RateLimit, "rate_limit", Some(429)),
            (FailoverReason::Overloaded, "overloaded", Some(503)),
            (FailoverReason::Auth, "auth", Some(401)),
            (FailoverReason::AuthPermanent, "auth_permanent", Some(403)),
            (FailoverReason::Timeout, "timeout", Some(408)),
            (FailoverReason::Format, "format", Some(400)),
            (FailoverReason::ModelNotFound, "model_not_found", Some(404)),
            (FailoverReason::SessionExpired, "session_expired", Some(410)),
            (FailoverReason::Unknown, "unknown", None),
        ];
        for (reason, word, status) in cases {
            assert_eq!((reason.as_str(), reason.status()), (word, status));
            assert_eq!(FailoverReason::parse(word), Some(reason));
        }
        assert_eq!(FailoverReason::parse("tired"), None);
    }

    #[test]
    fn text_names_model_status_and_request() {
        let mut error = ModelError::new(ErrorKind::Server(503), &ModelRef::new("p", "m"), "busy");
        error.status = Some(503);
        error.request_id = Some("req_1".into());
        assert_eq!(error.to_string(), "`p/m`: busy (HTTP 503, request id `req_1`)");
        assert!(error.retryable());
    }
}
