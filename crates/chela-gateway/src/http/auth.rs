//! Authentication of HTTP calls (GW-104, GW-113).
#![allow(clippy::result_large_err)] // a refusal ends its request; nobody carries it further

use super::api::{AuthOutcome, Principal};
use super::reply::{HttpReply, rate_limited, unauthorized};
use crate::auth::Peer;
use crate::auth::limiter::LimitKey;
use crate::auth::origin::{check_origin, limit_key};
use crate::auth::shared::{AuthMethod, Credentials, authorize};
use crate::server::Gateway;
use crate::transport_config::AuthConfig;
use chela_gateway_protocol::Scope;
use chela_gateway_protocol::error::AuthReason;
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// Admits a caller, or gives the reply that refuses it.
pub(crate) fn check(gateway: &Gateway, peer: &Peer, headers: &HeaderMap) -> Result<AuthOutcome, HttpReply> {
    let auth = gateway.auth.load();
    let token = bearer(headers);
    let key: LimitKey = limit_key(peer);
    let limiter = token.is_some().then_some((&gateway.limiter, &key));
    let method = authorize(&auth.config, Credentials::new(token, token), peer, headers, &gateway.config.trusted_proxies, limiter).map_err(
        |failure| match failure.reason {
            AuthReason::RateLimited => rate_limited(failure.retry_after),
            _ => unauthorized(),
        },
    )?;
    // Without a secret the browser adds all that a foreign page needs; so its origin must be allowed.
    let ambient = !method.is_secret() && peer.origin.is_some();
    if ambient && check_origin(peer, &gateway.config.control_ui).is_err() {
        return Err(HttpReply::error(
            StatusCode::FORBIDDEN,
            "forbidden",
            "origin not allowed; add it to `gateway.controlUi.allowedOrigins`",
        ));
    }
    Ok(outcome(&auth.config, method, headers))
}

fn outcome(config: &AuthConfig, method: AuthMethod, headers: &HeaderMap) -> AuthOutcome {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if method.is_secret() {
        return AuthOutcome { principal: Principal::SharedSecret, scopes: Scope::ALL.to_vec(), is_shared_secret: true };
    }
    let scopes = match text("x-openclaw-scopes") {
        Some(list) => list.split(',').filter_map(|scope| Scope::parse(scope.trim())).collect(),
        None => Scope::ALL.to_vec(),
    };
    let principal = match config {
        AuthConfig::TrustedProxy(proxy) => Principal::ProxyUser(text(&proxy.user_header).unwrap_or_default().trim().to_owned()),
        _ => Principal::Open,
    };
    AuthOutcome { principal, scopes, is_shared_secret: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_are_read_from_the_header() {
        let cases = [("Bearer abc", Some("abc")), ("bearer  abc ", Some("abc")), ("Basic abc", None), ("Bearer ", None), ("abc", None)];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{value}");
        }
    }
}
