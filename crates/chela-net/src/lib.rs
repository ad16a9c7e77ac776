//! Keeps addresses that strangers wrote from reaching this machine and its network (INS-280, TOOL-50).
//!
//! The check and the connection must see the same address, so the client looks names up through [`PublicOnly`], and every hop of a
//! redirect is checked with [`is_public_host`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Looks names up and gives only public addresses, so that the check and the connection see the same ones.
#[derive(Debug)]
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|found| is_public(found.ip())).collect();
            if found.is_empty() {
                return Err(format!("`{}` has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// True when the host of an address may be asked. Numeric hosts are never looked up, so they are checked here; names are checked when
/// they are looked up.
pub fn is_public_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(_)) => true,
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        None => false,
    }
}

/// A client builder that looks names up through [`PublicOnly`], uses no proxy (which would look names up itself, where no check reaches)
/// and follows no redirect (each hop must be checked).
pub fn public_client() -> reqwest::ClientBuilder {
    // Installing twice fails harmlessly: somebody else chose a provider first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let redirects = reqwest::redirect::Policy::none();
    reqwest::Client::builder().dns_resolver(std::sync::Arc::new(PublicOnly)).no_proxy().redirect(redirects)
}

/// False for addresses of this machine, of private networks and of special use.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!((a, b, c), (0 | 240..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _));
    !(special || ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let embedded = |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match parts {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Only this block is given out; documentation and other special parts of it are not.
        [first @ 0x2000..=0x3fff, second, ..] => !(first == 0x2001 && (second < 0x200 || second == 0xdb8)) && first != 0x3fff,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-280
    #[test]
    fn only_public_addresses_are_reached() {
        for text in ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for (url, allowed) in
            [("https://example.org/x", true), ("http://127.0.0.1:1/x", false), ("http://[::1]/x", false), ("http://0x7f.1/x", false)]
        {
            assert_eq!(is_public_host(&Url::parse(url).unwrap()), allowed, "{url}");
        }
    }
}
