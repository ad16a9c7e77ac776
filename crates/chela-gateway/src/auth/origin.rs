//! Which pages may talk to the gateway (GW-40).

use super::limiter::LimitKey;
use super::peer::{Peer, is_loopback_host};
use crate::transport_config::ControlUiConfig;

/// Parts of an `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Scheme, host and port, lower case, without the scheme's own port.
    pub origin: String,
    /// Host and port.
    pub host: String,
    /// Host alone, without brackets.
    pub hostname: String,
}

/// Reads an `Origin` header; `null` and everything without scheme and host is none.
pub fn parse_origin(raw: &str) -> Option<Origin> {
    let raw = raw.trim().to_ascii_lowercase();
    let (scheme, rest) = raw.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let scheme_ok = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !scheme_ok || authority.is_empty() {
        return None;
    }
    let default_port = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    let host = authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
    let hostname = super::peer::host_name(&host);
    (!hostname.is_empty()).then(|| Origin { origin: format!("{scheme}://{host}"), host, hostname })
}

/// Why a page may not talk to the gateway; the slug goes into `details.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginRefusal {
    /// No usable `Origin` header.
    Missing,
    /// Known, and not allowed.
    NotAllowed,
}

impl OriginRefusal {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            OriginRefusal::Missing => "origin missing or invalid",
            OriginRefusal::NotAllowed => "origin not allowed",
        }
    }
}

/// Allows listed origins, the `Host` header's own if that is enabled, and loopback pages of local clients (GW-40).
pub fn check_origin(peer: &Peer, config: &ControlUiConfig) -> Result<(), OriginRefusal> {
    let origin = peer.origin.as_deref().and_then(parse_origin).ok_or(OriginRefusal::Missing)?;
    let listed = config.allowed_origins.iter().any(|allowed| {
        let allowed = allowed.trim().to_ascii_lowercase();
        allowed == "*" || allowed == origin.origin
    });
    let own_host = config.host_header_origin_fallback && peer.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(&origin.host));
    if listed || own_host || (peer.is_local && is_loopback_host(&origin.hostname)) {
        return Ok(());
    }
    Err(OriginRefusal::NotAllowed)
}

/// Whose failures to count: pages in a browser of this machine by origin, everyone else by address (GW-59).
pub fn limit_key(peer: &Peer) -> LimitKey {
    let Some(ip) = peer.client_ip else {
        return LimitKey::Unknown;
    };
    match &peer.origin {
        Some(raw) if ip.is_loopback() => LimitKey::BrowserOrigin(parse_origin(raw).map_or_else(String::new, |origin| origin.origin)),
        _ => LimitKey::Ip(ip),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::type_complexity)] // tables of cases
    use super::*;
    use hyper::HeaderMap;

    fn peer(remote: &str, origin: Option<&str>, host: &str) -> Peer {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        Peer::new(remote.parse().unwrap(), &headers, &[], false)
    }

    // GW-40
    #[test]
    fn origins_are_allowed_by_list_by_host_or_on_loopback() {
        let listed = ControlUiConfig { allowed_origins: vec!["https://Chat.example".into()], ..Default::default() };
        let any = ControlUiConfig { allowed_origins: vec!["*".into()], ..Default::default() };
        let by_host = ControlUiConfig { host_header_origin_fallback: true, ..Default::default() };
        let none = ControlUiConfig::default();
        let local = "127.0.0.1:1";
        let away = "9.9.9.9:1";
        let cases: &[(&ControlUiConfig, &str, Option<&str>, Result<(), OriginRefusal>)] = &[
            (&none, local, None, Err(OriginRefusal::Missing)),
            (&none, local, Some("null"), Err(OriginRefusal::Missing)),
            (&none, local, Some("http://localhost:18789"), Ok(())),
            (&none, local, Some("http://[::1]:18789"), Ok(())),
            (&none, local, Some("http://127.0.0.1:9"), Ok(())),
            (&none, local, Some("http://evil.example"), Err(OriginRefusal::NotAllowed)),
            (&none, local, Some("http://localhost.evil.example"), Err(OriginRefusal::NotAllowed)),
            (&none, away, Some("http://localhost:18789"), Err(OriginRefusal::NotAllowed)),
            (&listed, away, Some("https://chat.example:443"), Ok(())),
            (&listed, away, Some("https://chat.example:444"), Err(OriginRefusal::NotAllowed)),
            (&any, away, Some("http://x"), Ok(())),
            (&by_host, away, Some("http://gw.example:18789"), Ok(())),
            (&by_host, away, Some("http://other.example:18789"), Err(OriginRefusal::NotAllowed)),
        ];
        for (config, remote, origin, expected) in cases {
            let peer = peer(remote, *origin, "gw.example:18789");
            assert_eq!(check_origin(&peer, config), *expected, "{remote} {origin:?}");
        }
    }

    // GW-59
    #[test]
    fn failures_of_local_pages_count_by_origin() {
        assert_eq!(limit_key(&peer("127.0.0.1:1", Some("http://A.example"), "x")), LimitKey::BrowserOrigin("http://a.example".into()));
        assert_eq!(limit_key(&peer("127.0.0.1:1", None, "x")), LimitKey::Ip("127.0.0.1".parse().unwrap()));
        assert_eq!(limit_key(&peer("9.9.9.9:1", Some("http://a.example"), "x")), LimitKey::Ip("9.9.9.9".parse().unwrap()));
    }
}
