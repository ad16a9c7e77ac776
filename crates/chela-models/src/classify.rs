//! From an HTTP status and an error body to a [`ModelError`] (PRV-195..201).

use crate::error::{ErrorKind, FailoverReason, ModelError};
use crate::types::ModelRef;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// What an error body says.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    pub message: String,
    pub code: String,
    pub request_id: Option<String>,
}

impl Detail {
    /// Reads the error forms of both wire formats and of the servers that imitate them.
    pub(crate) fn from_json(value: &Value) -> Self {
        let error = value.get("error").unwrap_or(value);
        let text = |v: &Value, names: &[&str]| names.iter().find_map(|n| v.get(*n).and_then(Value::as_str)).unwrap_or_default().to_owned();
        let message = match error {
            Value::String(message) => message.clone(),
            _ => text(error, &["message", "detail", "error", "msg"]),
        };
        let mut code = text(error, &["type"]);
        let extra = match error.get("code") {
            Some(Value::String(s)) => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            _ => text(error, &["status"]),
        };
        if !extra.is_empty() && extra != code {
            code = if code.is_empty() { extra } else { format!("{code} {extra}") };
        }
        let request_id = value.get("request_id").and_then(Value::as_str).map(str::to_owned);
        Self { message, code, request_id }
    }

    /// Reads an error body; anything but JSON gives its beginning as the message.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        if let Ok(value) = serde_json::from_slice::<Value>(body) {
            let mut detail = Self::from_json(value.as_array().and_then(|a| a.first()).unwrap_or(&value));
            if detail.message.is_empty() && detail.code.is_empty() {
                detail.message = excerpt(body);
            }
            return detail;
        }
        Self { message: excerpt(body), ..Self::default() }
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    flat.chars().take(500).collect()
}

/// `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|t| t.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let value = text("retry-after")?;
    match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => {
            let at = httpdate::parse_http_date(value).ok()?;
            Some(at.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// The provider's request id.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "request-id", "x-amzn-requestid", "cf-ray"]
        .iter()
        .find_map(|name| headers.get(*name))
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned)
}

/// The error for an answer that is not a success.
pub(crate) fn from_response(model: &ModelRef, status: u16, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let html = looks_like_html(body);
    let mut detail = if html {
        Detail { message: "the server answered with an HTML page".to_owned(), ..Detail::default() }
    } else {
        Detail::from_body(body)
    };
    if (300..400).contains(&status) {
        detail.message = "the server redirects to another place; set `baseUrl` to the final address".to_owned();
    }
    let (mut kind, reason) = classify(Some(status), &detail, html);
    if let ErrorKind::RateLimit { retry_after: wait } = &mut kind {
        *wait = retry_after(headers);
    }
    let message = if detail.message.is_empty() { fallback_message(status) } else { detail.message };
    let mut error = ModelError::new(kind, model, message);
    error.reason = reason;
    error.status = Some(status);
    error.request_id = request_id(headers).or(detail.request_id).map(Into::into);
    error
}

/// The error of a model that is no HTTP service, by its words alone.
pub fn classified(model: &ModelRef, text: &str) -> ModelError {
    from_stream(model, &serde_json::json!({"error": {"message": text}}))
}

/// The error for an error object inside a stream or a document.
pub(crate) fn from_stream(model: &ModelRef, value: &Value) -> ModelError {
    let detail = Detail::from_json(value);
    let status = detail.code.split(' ').find_map(|c| c.parse::<u16>().ok()).filter(|s| (400..600).contains(s));
    let (kind, reason) = classify(status, &detail, false);
    let message = if detail.message.is_empty() { "the provider reported an error".to_owned() } else { detail.message };
    let mut error = ModelError::new(kind, model, message);
    error.reason = reason;
    error.status = status;
    error.request_id = detail.request_id.map(Into::into);
    error
}

fn fallback_message(status: u16) -> String {
    format!("the provider answered HTTP {status} without saying why")
}

fn looks_like_html(body: &[u8]) -> bool {
    let head: Vec<u8> = body.iter().copied().skip_while(u8::is_ascii_whitespace).take(15).collect();
    let head = head.to_ascii_lowercase();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

type Class = (ErrorKind, Option<FailoverReason>);

fn with(reason: FailoverReason) -> Class {
    let kind = match reason {
        FailoverReason::Auth | FailoverReason::AuthPermanent => ErrorKind::Auth,
        FailoverReason::Overloaded => ErrorKind::Server(503),
        FailoverReason::ServerError => ErrorKind::Server(500),
        FailoverReason::RateLimit => ErrorKind::RateLimit { retry_after: None },
        FailoverReason::Billing => ErrorKind::Billing,
        FailoverReason::Timeout => ErrorKind::Timeout,
        FailoverReason::ModelNotFound => ErrorKind::ModelNotFound,
        _ => ErrorKind::Invalid,
    };
    (kind, Some(reason))
}

fn classify(status: Option<u16>, detail: &Detail, html: bool) -> Class {
    use FailoverReason as R;
    let said = by_message(detail);
    let Some(status) = status else {
        return said.unwrap_or_else(|| with(R::Unknown));
    };
    let said_reason = said.as_ref().and_then(|(_, reason)| *reason);
    let server = |reason| (ErrorKind::Server(status), Some(reason));
    if html && matches!(status, 401 | 403 | 408 | 502..=504 | 520..=530) {
        return server(R::Timeout);
    }
    if matches!(said, Some((ErrorKind::ContextLength, _))) && status != 401 && status != 403 {
        return (ErrorKind::ContextLength, None);
    }
    match status {
        429 => with(R::RateLimit),
        401 | 403 => with(said_reason.filter(|r| matches!(r, R::AuthPermanent | R::Billing)).unwrap_or(R::Auth)),
        402 => with(if payment_is_a_limit(&detail.message) { R::RateLimit } else { R::Billing }),
        404 => with(
            said_reason.filter(|r| matches!(r, R::SessionExpired | R::Billing | R::Auth | R::AuthPermanent)).unwrap_or(R::ModelNotFound),
        ),
        408 => (ErrorKind::Timeout, Some(R::Timeout)),
        410 => said.unwrap_or_else(|| with(R::Timeout)),
        413 => (ErrorKind::ContextLength, None),
        529 => server(R::Overloaded),
        499 | 503 => server(if said_reason == Some(R::Overloaded) { R::Overloaded } else { R::Timeout }),
        500 | 502 | 504 => server(match said_reason {
            Some(R::Overloaded) => R::Overloaded,
            _ if detail.code.is_empty() => R::Timeout,
            _ => R::ServerError,
        }),
        500..=599 => server(R::Timeout),
        400 | 422 => said.unwrap_or_else(|| with(R::Format)),
        _ => said.unwrap_or_else(|| with(R::Format)),
    }
}

fn payment_is_a_limit(message: &str) -> bool {
    let text = message.to_ascii_lowercase();
    let wording = ["try again", "retry", "resets", "reset at", "organization limit", "workspace limit", "usage limit"];
    wording.iter().any(|w| text.contains(w))
}

/// Longest text that is believed to speak of billing without a 402 (PRV-200).
const MAX_BILLING_TEXT: usize = 512;

/// Order matters (PRV-198): the first group that matches wins.
fn by_message(detail: &Detail) -> Option<Class> {
    use FailoverReason as R;
    let text = format!("{} {}", detail.code, detail.message).to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if any(&["session expired", "session not found", "conversation not found", "session_expired"]) {
        return Some(with(R::SessionExpired));
    }
    if any(CONTEXT) {
        return Some((ErrorKind::ContextLength, None));
    }
    if any(&["content_filter", "content_policy", "content management policy", "safety system"]) {
        return Some((ErrorKind::Refusal, None));
    }
    if any(MODEL_MISSING) {
        return Some(with(R::ModelNotFound));
    }
    if detail.message.len() <= MAX_BILLING_TEXT && any(BILLING) {
        return Some(with(R::Billing));
    }
    if any(RATE_LIMIT) {
        return Some(with(R::RateLimit));
    }
    if any(&["overloaded", "over capacity", "high demand", "server is busy", "at capacity"]) {
        return Some(with(R::Overloaded));
    }
    if any(&["internal_error", "internal server error", "server_error", "api_error", "internal error"]) {
        return Some(with(R::ServerError));
    }
    if any(AUTH_GONE) {
        return Some(with(R::AuthPermanent));
    }
    if any(AUTH) {
        return Some(with(R::Auth));
    }
    any(&["timed out", "timeout", "deadline exceeded", "econnreset", "etimedout"]).then(|| with(R::Timeout))
}

const CONTEXT: &[&str] = &[
    "context_length_exceeded",
    "context length",
    "context window",
    "maximum context",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many tokens in",
    "exceeds the available context",
    "exceed_context_size",
    "request_too_large",
    "reduce the length of the messages",
];
const MODEL_MISSING: &[&str] = &[
    "model_not_found",
    "model not found",
    "unknown model",
    "no such model",
    "model does not exist",
    "does not exist or you do not have access",
    "is not a valid model",
    "invalid model",
];
const BILLING: &[&str] = &[
    "insufficient_quota",
    "insufficient credit",
    "insufficient balance",
    "insufficient funds",
    "billing_error",
    "billing_not_active",
    "payment required",
    "credit balance is too low",
    "exceeded your current quota",
    "out of credits",
];
const RATE_LIMIT: &[&str] = &[
    "rate_limit",
    "rate limit",
    "ratelimit",
    "too many requests",
    "quota exceeded",
    "resource_exhausted",
    "resource exhausted",
    "throttl",
    "tokens per minute",
    "requests per minute",
];
const AUTH_GONE: &[&str] = &[
    "key has been revoked",
    "key is revoked",
    "key has been disabled",
    "key has been deleted",
    "account has been deactivated",
    "account is deactivated",
    "account has been disabled",
    "account_deactivated",
    "key_revoked",
];
const AUTH: &[&str] = &[
    "authentication_error",
    "permission_error",
    "invalid_api_key",
    "invalid api key",
    "incorrect api key",
    "invalid x-api-key",
    "unauthorized",
    "unauthenticated",
    "forbidden",
    "token has expired",
];

#[cfg(test)]
mod tests {
    use super::*;
    use FailoverReason as R;
    use serde_json::json;

    fn error(status: u16, body: &str) -> ModelError {
        from_response(&ModelRef::new("p", "m"), status, &HeaderMap::new(), body.as_bytes())
    }

    fn said(message: &str) -> String {
        json!({"error": {"message": message}}).to_string()
    }

    #[test]
    fn statuses() {
        // PRV-196
        let cases = [
            (429, "", Some(R::RateLimit)),
            (401, "", Some(R::Auth)),
            (403, "", Some(R::Auth)),
            (403, "This API key has been revoked", Some(R::AuthPermanent)),
            (401, "insufficient credits", Some(R::Billing)),
            (402, "", Some(R::Billing)),
            (404, "", Some(R::ModelNotFound)),
            (404, "session expired", Some(R::SessionExpired)),
            (404, "maximum context length is 4", None),
            (408, "", Some(R::Timeout)),
            (410, "", Some(R::Timeout)),
            (410, "session expired", Some(R::SessionExpired)),
            (529, "", Some(R::Overloaded)),
            (503, "", Some(R::Timeout)),
            (503, "The model is overloaded", Some(R::Overloaded)),
            (500, "", Some(R::Timeout)),
            (400, "bad field", Some(R::Format)),
            (422, "rate limit reached", Some(R::RateLimit)),
        ];
        for (status, message, want) in cases {
            assert_eq!(error(status, &said(message)).reason, want, "{status} {message}");
        }
        let structured = r#"{"error":{"type":"server_error","message":"x"}}"#;
        assert_eq!(error(500, structured).reason, Some(R::ServerError));
    }

    #[test]
    fn a_gateway_page_is_a_timeout() {
        // PRV-197
        for status in [403, 502, 503, 504, 520] {
            let error = error(status, "\n<!DOCTYPE html><html><body>login</body></html>");
            assert_eq!(error.reason, Some(R::Timeout), "{status}");
            assert!(!matches!(error.kind, ErrorKind::Auth));
        }
    }

    #[test]
    fn payment_required() {
        // PRV-199
        assert_eq!(error(402, &said("Usage limit reached, resets in 2h")).reason, Some(R::RateLimit));
        assert_eq!(error(402, &said("Workspace limit hit, try again")).reason, Some(R::RateLimit));
        assert_eq!(error(402, &said("Please add credit")).reason, Some(R::Billing));
    }

    #[test]
    fn long_prose_about_money_is_no_billing_error() {
        // PRV-200
        let short = "insufficient credits";
        let long = format!("{short} {}", "x".repeat(520));
        assert_eq!(error(400, &said(short)).reason, Some(R::Billing));
        assert_eq!(error(400, &said(&long)).reason, Some(R::Format));
        assert_eq!(error(402, &said(&long)).reason, Some(R::Billing));
    }

    #[test]
    fn permanent_auth_needs_clear_words() {
        // PRV-201
        assert_eq!(error(400, &said("Invalid API key")).reason, Some(R::Auth));
        assert_eq!(error(400, &said("Your account has been deactivated")).reason, Some(R::AuthPermanent));
    }

    #[test]
    fn context_overflow_never_fails_over() {
        for body in [
            r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#,
        ] {
            let error = error(400, body);
            assert_eq!((error.kind, error.reason), (ErrorKind::ContextLength, None));
        }
        assert_eq!(error(413, "").kind, ErrorKind::ContextLength);
    }

    #[test]
    fn bodies_of_every_form() {
        let cases = [
            (r#"{"error":{"message":"a"}}"#, "a"),
            (r#"{"error":"b"}"#, "b"),
            (r#"{"detail":"c"}"#, "c"),
            (r#"[{"error":{"message":"d"}}]"#, "d"),
            ("plain\n  text", "plain text"),
            ("", "the provider answered HTTP 400 without saying why"),
        ];
        for (body, want) in cases {
            assert_eq!(error(400, body).message, want, "{body}");
        }
        let stream = json!({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r1"});
        let error = from_stream(&ModelRef::new("p", "m"), &stream);
        assert_eq!(error.reason, Some(R::Overloaded));
        assert_eq!(error.request_id.as_deref(), Some("r1"));
        assert!(error.retryable());
    }

    #[test]
    fn waiting_times() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("retry-after", "0.5"), Some(Duration::from_millis(500)));
        assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "-1"), None);
    }
}
