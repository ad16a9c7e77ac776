//! The shared secret of the gateway: token, password, trusted proxy (GW-31, GW-32).

use super::limiter::{AuthLimiter, LimitKey, LimitScope};
use super::peer::Peer;
use crate::transport_config::{AuthConfig, TrustedProxyAuth};
use chela_gateway_protocol::error::AuthReason;
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// What proved the caller's right to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// The gateway asks for nothing.
    None,
    /// The shared token.
    Token,
    /// The shared password.
    Password,
    /// The proxy in front.
    TrustedProxy,
    /// The tailnet, for the user that its proxy names.
    Tailscale,
    /// The token of a paired device.
    DeviceToken,
    /// A setup code.
    BootstrapToken,
}

impl AuthMethod {
    /// Name for logs and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthMethod::None => "none",
            AuthMethod::Token => "token",
            AuthMethod::Password => "password",
            AuthMethod::TrustedProxy => "trusted-proxy",
            AuthMethod::Tailscale => "tailscale",
            AuthMethod::DeviceToken => "device-token",
            AuthMethod::BootstrapToken => "bootstrap-token",
        }
    }

    /// Whether a change of the shared secret ends what was opened with it (GW-58).
    pub fn uses_shared_secret(self) -> bool {
        matches!(self, AuthMethod::Token | AuthMethod::Password | AuthMethod::TrustedProxy)
    }

    /// Whether the caller knew the token or the password.
    pub fn is_secret(self) -> bool {
        matches!(self, AuthMethod::Token | AuthMethod::Password)
    }
}

/// Why the caller may not be here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthFailure {
    /// The reason, as told to the client.
    pub reason: AuthReason,
    /// Time to wait, when there were too many failures.
    pub retry_after: Option<Duration>,
}

impl AuthFailure {
    /// A failure without a time to wait.
    pub fn new(reason: AuthReason) -> Self {
        AuthFailure { reason, retry_after: None }
    }

    /// Too many failures; try again after this time.
    pub fn rate_limited(wait: Duration) -> Self {
        AuthFailure { reason: AuthReason::RateLimited, retry_after: Some(wait) }
    }
}

/// Secrets that the caller sent; empty ones count as absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// Shared token.
    pub token: Option<&'a str>,
    /// Shared password.
    pub password: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Drops empty secrets and surrounding space.
    pub fn new(token: Option<&'a str>, password: Option<&'a str>) -> Self {
        let clean = |secret: Option<&'a str>| secret.map(str::trim).filter(|secret| !secret.is_empty());
        Credentials { token: clean(token), password: clean(password) }
    }

    /// Whether anything was sent.
    pub fn is_some(&self) -> bool {
        self.token.is_some() || self.password.is_some()
    }
}

/// Decides whether the caller may enter. Failures count in `limiter` when one is given.
pub fn authorize(
    auth: &AuthConfig,
    credentials: Credentials<'_>,
    peer: &Peer,
    headers: &HeaderMap,
    trusted_proxies: &[String],
    limiter: Option<(&AuthLimiter, &LimitKey)>,
) -> Result<AuthMethod, AuthFailure> {
    let (secret, given, method, missing, mismatch) = match auth {
        AuthConfig::None => return Ok(AuthMethod::None),
        AuthConfig::TrustedProxy(proxy) => {
            return trusted_proxy(proxy, peer, headers, trusted_proxies)
                .map(|()| AuthMethod::TrustedProxy)
                .map_err(|slug| AuthFailure::new(AuthReason::Other(slug)));
        }
        AuthConfig::Token(secret) => (secret, credentials.token, AuthMethod::Token, AuthReason::TokenMissing, AuthReason::TokenMismatch),
        AuthConfig::Password(secret) => {
            (secret, credentials.password, AuthMethod::Password, AuthReason::PasswordMissing, AuthReason::PasswordMismatch)
        }
    };
    if let Some((limiter, key)) = limiter {
        limiter.check(LimitScope::SharedSecret, key).map_err(AuthFailure::rate_limited)?;
    }
    let Some(given) = given else {
        return Err(AuthFailure::new(missing));
    };
    let equal = secrets_equal(given, secret.expose());
    if let Some((limiter, key)) = limiter {
        if equal {
            limiter.reset(LimitScope::SharedSecret, key);
        } else {
            limiter.record_failure(LimitScope::SharedSecret, key);
        }
    }
    if equal { Ok(method) } else { Err(AuthFailure::new(mismatch)) }
}

/// Compares without telling by time how much of it is right, nor how long the true one is.
pub fn secrets_equal(given: &str, expected: &str) -> bool {
    Sha256::digest(given.as_bytes()).as_slice().ct_eq(Sha256::digest(expected.as_bytes()).as_slice()).into()
}

/// Changes whenever sessions opened with the shared secret must end (GW-58).
pub fn generation(auth: &AuthConfig, trusted_proxies: &[String]) -> [u8; 32] {
    let text = match auth {
        AuthConfig::None => "none".to_owned(),
        AuthConfig::Token(secret) => format!("token\0{}", secret.expose()),
        AuthConfig::Password(secret) => format!("password\0{}", secret.expose()),
        AuthConfig::TrustedProxy(proxy) => format!("trusted-proxy\0{proxy:?}\0{trusted_proxies:?}"),
    };
    Sha256::digest(text.as_bytes()).into()
}

fn trusted_proxy(proxy: &TrustedProxyAuth, peer: &Peer, headers: &HeaderMap, trusted_proxies: &[String]) -> Result<(), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty());
    if trusted_proxies.is_empty() {
        return Err("trusted_proxy_no_proxies_configured".to_owned());
    }
    if !peer.via_trusted_proxy {
        return Err("trusted_proxy_untrusted_source".to_owned());
    }
    if peer.remote_is_loopback() && !proxy.allow_loopback {
        return Err("trusted_proxy_loopback_source".to_owned());
    }
    if let Some(name) = proxy.required_headers.iter().find(|name| header(name).is_none()) {
        return Err(format!("trusted_proxy_missing_header_{name}"));
    }
    let user = header(&proxy.user_header).ok_or("trusted_proxy_user_missing")?;
    if !proxy.allow_users.is_empty() && !proxy.allow_users.iter().any(|allowed| allowed == user) {
        return Err("trusted_proxy_user_not_allowed".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)] // tables of cases
    use super::*;
    use crate::transport_config::Secret;

    fn run(auth: &AuthConfig, token: Option<&str>, password: Option<&str>) -> Result<AuthMethod, AuthReason> {
        let headers = HeaderMap::new();
        let peer = Peer::new("9.9.9.9:1".parse().unwrap(), &headers, &[], false);
        authorize(auth, Credentials::new(token, password), &peer, &headers, &[], None).map_err(|failure| failure.reason)
    }

    // GW-31, GW-32
    #[test]
    fn each_mode_takes_its_own_secret_only() {
        let token = AuthConfig::Token(Secret::new("right"));
        let password = AuthConfig::Password(Secret::new("right"));
        let cases = [
            (&AuthConfig::None, None, None, Ok(AuthMethod::None)),
            (&token, Some("right"), None, Ok(AuthMethod::Token)),
            (&token, Some(" right "), None, Ok(AuthMethod::Token)),
            (&token, Some("wrong"), None, Err(AuthReason::TokenMismatch)),
            (&token, Some(""), None, Err(AuthReason::TokenMissing)),
            (&token, None, Some("right"), Err(AuthReason::TokenMissing)),
            (&password, None, Some("right"), Ok(AuthMethod::Password)),
            (&password, None, Some("righ"), Err(AuthReason::PasswordMismatch)),
            (&password, Some("right"), None, Err(AuthReason::PasswordMissing)),
        ];
        for (auth, given_token, given_password, expected) in cases {
            assert_eq!(run(auth, given_token, given_password), expected, "{auth:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_must_be_trusted_and_name_an_allowed_user() {
        let auth = AuthConfig::TrustedProxy(TrustedProxyAuth {
            user_header: "X-User".into(),
            required_headers: vec!["x-gate".into()],
            allow_users: vec!["ann".into()],
            allow_loopback: false,
        });
        let cases: &[(&str, &[(&str, &str)], Option<&str>)] = &[
            ("10.0.0.1:1", &[("x-user", "ann"), ("x-gate", "1")], None),
            ("10.0.0.1:1", &[("x-user", "bob"), ("x-gate", "1")], Some("trusted_proxy_user_not_allowed")),
            ("10.0.0.1:1", &[("x-user", "ann")], Some("trusted_proxy_missing_header_x-gate")),
            ("10.0.0.1:1", &[("x-gate", "1")], Some("trusted_proxy_user_missing")),
            ("11.0.0.1:1", &[("x-user", "ann")], Some("trusted_proxy_untrusted_source")),
            ("127.0.0.1:1", &[("x-user", "ann")], Some("trusted_proxy_loopback_source")),
        ];
        let trusted = ["10.0.0.0/8".to_owned(), "127.0.0.1".to_owned()];
        for (remote, given, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.insert(*name, value.parse().unwrap());
            }
            let peer = Peer::new(remote.parse().unwrap(), &headers, &trusted, false);
            let result = authorize(&auth, Credentials::default(), &peer, &headers, &trusted, None);
            assert_eq!(result.err().map(|failure| failure.reason.as_str().to_owned()).as_deref(), *expected, "{remote} {given:?}");
        }
    }

    // GW-58
    #[test]
    fn the_generation_follows_the_secret() {
        let of = |text: &str| generation(&AuthConfig::Token(Secret::new(text)), &[]);
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_ne!(of("a"), generation(&AuthConfig::Password(Secret::new("a")), &[]));
    }
}
