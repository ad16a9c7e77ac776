//! One entry of a list of hosts.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;
use std::path::{Path, PathBuf};

/// What an entry of `network` allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRule {
    /// `host` or `host:port`: a name, or an address (IPv6 in brackets).
    Host {
        /// In lower case, without a final dot.
        name: String,
        /// `None` is every port.
        port: Option<u16>,
    },
    /// `*.domain` or `*.domain:port`: every name below the domain, not the domain itself.
    Below {
        /// In lower case, without a final dot.
        domain: String,
        /// `None` is every port.
        port: Option<u16>,
    },
    /// `listen`: accept connections, on any port.
    Listen,
    /// `unix:PATH`: a socket in the file system.
    Path(PathBuf),
}

impl HostRule {
    /// Reads an entry.
    ///
    /// # Errors
    /// With a text for people when it is no entry.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "listen" {
            return Ok(Self::Listen);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let plain = path.starts_with('/') && !path.split('/').any(|part| part == "..");
            return if plain { Ok(Self::Path(path.into())) } else { Err(format!("`{text}` must name an absolute path without `..`")) };
        }
        let bad = || format!("`{text}` is not a host; write `host`, `host:port`, `*.domain`, `listen` or `unix:/path`");
        let (name, port) = split_port(text).ok_or_else(bad)?;
        if let Some(domain) = name.strip_prefix("*.") {
            let domain = host_name(domain).ok_or_else(bad)?;
            return Ok(Self::Below { domain, port });
        }
        Ok(Self::Host { name: host_name(name).ok_or_else(bad)?, port })
    }

    /// Whether a connection to `host` (a name, or an address without brackets) at `port` is allowed; without a port, whether any is.
    pub fn allows(&self, host: &str, port: Option<u16>) -> bool {
        let host = canonical(host);
        let fits = |allowed: &Option<u16>| allowed.is_none() || port.is_none() || *allowed == port;
        match self {
            Self::Host { name, port } => *name == host && fits(port),
            Self::Below { domain, port } => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')) && fits(port)
            }
            Self::Listen | Self::Path(_) => false,
        }
    }

    /// Whether a connection to a socket in the file system is allowed.
    pub fn allows_path(&self, path: &Path) -> bool {
        matches!(self, Self::Path(allowed) if allowed == path)
    }

    /// The port of a host's rule.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Host { port, .. } | Self::Below { port, .. } => *port,
            Self::Listen | Self::Path(_) => None,
        }
    }
}

/// A host as rules have it: lower case, no final dot, addresses in their one form.
fn canonical(host: &str) -> String {
    let bare = host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((address, Some(port_number(port)?))),
            None => rest.is_empty().then_some((address, None)),
        };
    }
    match text.split_once(':') {
        Some((name, port)) => Some((name, Some(port_number(port)?))),
        None => Some((text, None)),
    }
}

fn port_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

fn host_name(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical().to_string());
    }
    let label =
        |part: &str| !part.is_empty() && part.len() <= 63 && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let name = text.strip_suffix('.').unwrap_or(text);
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |f: &mut fmt::Formatter<'_>, port: &Option<u16>| port.map_or(Ok(()), |port| write!(f, ":{port}"));
        match self {
            Self::Host { name, port: number } => {
                if name.contains(':') {
                    write!(f, "[{name}]")?
                } else {
                    write!(f, "{name}")?
                }
                port(f, number)
            }
            Self::Below { domain, port: number } => {
                write!(f, "*.{domain}")?;
                port(f, number)
            }
            Self::Listen => f.write_str("listen"),
            Self::Path(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_others_refused() {
        for text in [
            "a.example",
            "a.example:443",
            "*.b.example",
            "*.b.example:80",
            "10.0.0.1",
            "[::1]",
            "[::1]:9",
            "localhost:1",
            "listen",
            "unix:/run/x",
        ] {
            assert_eq!(HostRule::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(HostRule::parse("A.Example.").unwrap().to_string(), "a.example");
        for text in
            ["", "http://a", "a b", "a:0", "a:99999", "a:b", "*", "*.", "*.*", "a..b", "::1", "[a]", "unix:x", "unix:/a/../b", "a/b"]
        {
            assert!(HostRule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_match_whole_names() {
        let allows = |rule: &str, host: &str, port: u16| HostRule::parse(rule).unwrap().allows(host, Some(port));
        for (rule, host, port) in [
            ("a.example", "A.example.", 1),
            ("a.example:443", "a.example", 443),
            ("*.b.example", "x.y.b.example", 9),
            ("127.0.0.1", "::ffff:127.0.0.1", 9),
            ("[::1]:9", "[::1]", 9),
        ] {
            assert!(allows(rule, host, port), "{rule} {host}");
        }
        for (rule, host, port) in [
            ("a.example", "b.a.example", 1),
            ("a.example", "aXexample", 1),
            ("a.example:443", "a.example", 80),
            ("*.b.example", "b.example", 1),
            ("*.b.example", "evilb.example", 1),
            ("*.b.example", ".b.example", 1),
            ("listen", "listen", 1),
        ] {
            assert!(!allows(rule, host, port), "{rule} {host}");
        }
    }
}
