//! Where a request comes from, and whether that is this machine (GW-52).

use hyper::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// The far end of a connection, as far as its address and headers tell.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Address of the socket.
    pub remote: SocketAddr,
    /// Address of the client: the socket's, or the one a trusted proxy names. `None` when a trusted proxy
    /// names none.
    pub client_ip: Option<IpAddr>,
    /// On this machine and not behind a proxy.
    pub is_local: bool,
    /// Whether any forwarded header is there.
    pub has_proxy_headers: bool,
    /// Whether the socket belongs to a trusted proxy.
    pub via_trusted_proxy: bool,
    /// `Host` header.
    pub host: Option<String>,
    /// `Origin` header, trimmed, never empty.
    pub origin: Option<String>,
    /// `User-Agent` header.
    pub user_agent: Option<String>,
}

const FORWARDED_HEADERS: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "x-forwarded-host"];

impl Peer {
    /// Reads the headers of a request. Forwarded headers cancel locality, whoever sent them (GW-52).
    pub fn new(remote: SocketAddr, headers: &HeaderMap, trusted_proxies: &[String], allow_real_ip_fallback: bool) -> Self {
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let ip = canonical(remote.ip());
        let has_proxy_headers = FORWARDED_HEADERS.iter().any(|name| headers.get(*name).is_some_and(|value| !value.is_empty()));
        let via_trusted_proxy = in_networks(ip, trusted_proxies);
        let client_ip = if via_trusted_proxy {
            forwarded_ip(text("x-forwarded-for").as_deref(), trusted_proxies)
                .or_else(|| text("x-real-ip").filter(|_| allow_real_ip_fallback).and_then(|value| parse_ip(&value)))
        } else {
            Some(ip)
        };
        Peer {
            remote,
            client_ip,
            is_local: ip.is_loopback() && !has_proxy_headers,
            has_proxy_headers,
            via_trusted_proxy,
            host: text("host"),
            origin: text("origin"),
            user_agent: text("user-agent"),
        }
    }

    /// The client's address when it is worth telling: not local, not hidden behind an unknown proxy.
    pub fn reported_ip(&self) -> Option<IpAddr> {
        if self.is_local || (self.has_proxy_headers && !self.via_trusted_proxy) {
            return None;
        }
        self.client_ip.filter(|ip| !ip.is_loopback())
    }

    /// Whether the socket itself is on loopback, proxied or not.
    pub fn remote_is_loopback(&self) -> bool {
        canonical(self.remote.ip()).is_loopback()
    }
}

/// IPv4 addresses mapped into IPv6 count as IPv4.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Whether `ip` lies in one of the networks; each is an address or `address/bits`.
pub fn in_networks(ip: IpAddr, networks: &[String]) -> bool {
    let ip = canonical(ip);
    networks.iter().any(|network| in_network(ip, network.trim()))
}

fn in_network(ip: IpAddr, network: &str) -> bool {
    let (base, bits) = match network.split_once('/') {
        Some((base, bits)) => match bits.parse::<u32>() {
            Ok(bits) => (base, Some(bits)),
            Err(_) => return false,
        },
        None => (network, None),
    };
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    match (ip, canonical(base)) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => {
            let bits = bits.unwrap_or(32);
            bits <= 32 && prefix_equal(u32::from(ip).into(), u32::from(base).into(), 32 - bits)
        }
        (IpAddr::V6(ip), IpAddr::V6(base)) => {
            let bits = bits.unwrap_or(128);
            bits <= 128 && prefix_equal(u128::from(ip), u128::from(base), 128 - bits)
        }
        _ => false,
    }
}

fn prefix_equal(a: u128, b: u128, ignored_bits: u32) -> bool {
    a.checked_shr(ignored_bits).unwrap_or(0) == b.checked_shr(ignored_bits).unwrap_or(0)
}

// The nearest hop that is no proxy of ours; entries further left are the client's own claims.
pub(super) fn forwarded_ip(header: Option<&str>, trusted: &[String]) -> Option<IpAddr> {
    header?.split(',').rev().filter_map(parse_ip).find(|hop| !hop.is_loopback() && !in_networks(*hop, trusted))
}

fn parse_ip(raw: &str) -> Option<IpAddr> {
    let raw = raw.trim();
    if let Ok(ip) = raw.parse::<IpAddr>() {
        return Some(canonical(ip));
    }
    if let Ok(socket) = raw.parse::<SocketAddr>() {
        return Some(canonical(socket.ip()));
    }
    let inner = raw.strip_prefix('[')?.split_once(']')?.0;
    inner.parse::<IpAddr>().ok().map(canonical)
}

/// Host name of a `Host` header, without port and brackets, in lower case.
pub fn host_name(header: &str) -> String {
    let host = header.trim().to_ascii_lowercase();
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default().to_owned();
    }
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return host;
    }
    host.split(':').next().unwrap_or_default().to_owned()
}

/// Whether a host name means this machine.
pub fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| canonical(ip).is_loopback())
}

/// Whether a host name means this machine or a private network.
pub fn is_private_host(host: &str) -> bool {
    is_loopback_host(host) || host.parse::<IpAddr>().is_ok_and(is_private_ip)
}

/// Loopback, RFC 1918, link-local, unique-local and carrier-grade NAT addresses.
pub fn is_private_ip(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            ip.is_loopback() || (first & 0xfe00) == 0xfc00 || (first & 0xffc0) == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(remote: &str, headers: &[(&str, &str)], trusted: &[&str]) -> Peer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        Peer::new(remote.parse().unwrap(), &map, &trusted, true)
    }

    // GW-52
    #[test]
    fn forwarded_headers_cancel_locality_and_count_only_from_trusted_hops() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], bool, Option<&'a str>);
        let cases: &[Case] = &[
            ("127.0.0.1:5", &[], &[], true, Some("127.0.0.1")),
            ("[::1]:5", &[], &[], true, Some("::1")),
            ("[::ffff:127.0.0.1]:5", &[], &[], true, Some("127.0.0.1")),
            ("127.0.0.1:5", &[("x-forwarded-for", "9.9.9.9")], &[], false, Some("127.0.0.1")),
            ("127.0.0.1:5", &[("x-forwarded-proto", "https")], &["127.0.0.1"], false, None),
            ("127.0.0.1:5", &[("x-forwarded-for", "9.9.9.9")], &["127.0.0.0/8"], false, Some("9.9.9.9")),
            ("10.1.2.3:5", &[("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.9.9.9")], &["10.0.0.0/8"], false, Some("9.9.9.9")),
            ("10.1.2.3:5", &[("x-real-ip", "[2001:db8::1]:80")], &["10.0.0.0/8"], false, Some("2001:db8::1")),
            ("10.1.2.3:5", &[("x-forwarded-for", "9.9.9.9")], &["11.0.0.0/8"], false, Some("10.1.2.3")),
        ];
        for (remote, headers, trusted, local, client) in cases {
            let peer = peer(remote, headers, trusted);
            assert_eq!(peer.is_local, *local, "{remote} {headers:?}");
            assert_eq!(peer.client_ip, client.map(|ip| ip.parse().unwrap()), "{remote} {headers:?}");
        }
    }

    #[test]
    fn networks_and_hosts() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "0.0.0.0/0", true),
            ("10.0.0.1", "10.0.0.0/33", false),
            ("10.0.0.1", "nonsense", false),
            ("fd00::1", "fd00::/8", true),
            ("fd00::1", "::/0", true),
            ("fd00::1", "0.0.0.0/0", false),
        ];
        for (ip, network, expected) in cases {
            assert_eq!(in_networks(ip.parse().unwrap(), &[network.to_owned()]), expected, "{ip} {network}");
        }
        for (header, name) in [("LocalHost:80", "localhost"), ("[::1]:80", "::1"), ("::1", "::1"), ("a.b:1", "a.b")] {
            assert_eq!(host_name(header), name);
        }
        assert!(is_loopback_host("localhost.") && is_loopback_host("127.9.9.9") && !is_loopback_host("0.0.0.0"));
        assert!(is_private_host("192.168.1.1") && is_private_host("100.64.0.1") && !is_private_host("8.8.8.8"));
    }
}
