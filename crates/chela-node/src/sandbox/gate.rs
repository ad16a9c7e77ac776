//! Decides about connections of a confined worker, by name and by the addresses that its names were resolved to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_manifest::permissions::HostRule;
use chela_plugin::CallError;
use chela_process::sandbox::notify::Target;
use serde_json::{Value, json};

/// Most addresses that are remembered; a plugin that asks for more has its oldest names resolved again.
const MAX_ADDRESSES: usize = 4096;

/// Longest resolution of a name.
const RESOLVE_LIMIT: Duration = Duration::from_secs(20);

/// The rules of a worker and what they mean today.
#[derive(Debug)]
pub(crate) struct Gate {
    rules: Vec<HostRule>,
    /// Ports by address; `None` is every port.
    resolved: Mutex<HashMap<IpAddr, Vec<Option<u16>>>>,
}

impl Gate {
    pub(crate) fn new(rules: Vec<HostRule>) -> Self {
        Self { rules, resolved: Mutex::default() }
    }

    /// Whether a connection may be made.
    pub(crate) fn allows(&self, target: &Target) -> bool {
        match target {
            Target::Internet(address) => {
                let (ip, port) = (address.ip(), address.port());
                let by_rule = self.rules.iter().any(|rule| rule.allows(&ip.to_string(), Some(port)));
                let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
                by_rule || resolved.get(&ip).is_some_and(|ports| ports.iter().any(|allowed| allowed.is_none_or(|allowed| allowed == port)))
            }
            Target::Path(path) => self.rules.iter().any(|rule| rule.allows_path(path)),
            Target::Other => false,
        }
    }

    /// Resolves a granted name; its addresses can be connected to from then on.
    ///
    /// # Errors
    /// `EACCES` for a name that is not granted, `ENOTFOUND` for one without addresses.
    pub(crate) async fn resolve(&self, host: &str, key: &str) -> Result<Value, CallError> {
        let ports: Vec<Option<u16>> = self.rules.iter().filter(|rule| rule.allows(host, None)).map(HostRule::port).collect();
        if ports.is_empty() {
            return Err(CallError::refused("EACCES", format!("`{host}` is not granted: add it to `{key}.network`")));
        }
        let work = tokio::time::timeout(RESOLVE_LIMIT, tokio::net::lookup_host((host, 0)));
        let found = work.await.map_err(|_| missing(host, "the name server did not answer"))?.map_err(|e| missing(host, e))?;
        let (usable, hidden): (Vec<IpAddr>, Vec<IpAddr>) =
            found.map(|address| address.ip().to_canonical()).partition(|ip| is_plausible(host, *ip));
        if usable.is_empty() {
            let why = hidden.first().map_or_else(
                || "it has no address".into(),
                |ip| format!("it points to this machine or its link (`{ip}`), which a public name must not; grant the address itself"),
            );
            return Err(missing(host, why));
        }
        self.remember(&usable, &ports);
        let rows = usable.iter().map(|ip| json!({"address": ip.to_string(), "family": if ip.is_ipv4() { 4 } else { 6 }}));
        Ok(rows.collect())
    }

    fn remember(&self, addresses: &[IpAddr], ports: &[Option<u16>]) {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if resolved.len() + addresses.len() > MAX_ADDRESSES {
            resolved.clear();
        }
        for address in addresses {
            let known = resolved.entry(*address).or_default();
            known.extend(ports.iter().filter(|port| !known.contains(port)).copied().collect::<Vec<_>>());
        }
    }
}

fn missing(host: &str, why: impl std::fmt::Display) -> CallError {
    CallError::refused("ENOTFOUND", format!("`{host}` cannot be resolved: {why}"))
}

/// The owner of a public name decides where it points: it must not lead to services of this machine, the gateway among them.
fn is_plausible(host: &str, address: IpAddr) -> bool {
    let own = match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_local = host.parse::<IpAddr>().is_ok() || !host.contains('.') || host.ends_with(".localhost") || host.ends_with(".local");
    !own || is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(rules: &[&str]) -> Gate {
        Gate::new(rules.iter().map(|rule| HostRule::parse(rule).unwrap()).collect())
    }

    fn at(text: &str) -> Target {
        Target::Internet(text.parse().unwrap())
    }

    #[tokio::test]
    async fn only_names_that_were_resolved_can_be_connected_to() {
        let gate = gate(&["localhost:80", "10.0.0.1", "unix:/run/x"]);
        assert!(!gate.allows(&at("127.0.0.1:80")));
        let rows = gate.resolve("localhost", "k").await.unwrap();
        assert!(rows.as_array().unwrap().iter().any(|row| row["address"] == "127.0.0.1"), "{rows}");
        assert!(gate.allows(&at("127.0.0.1:80")) && !gate.allows(&at("127.0.0.1:81")));
        assert!(gate.allows(&at("10.0.0.1:9")) && !gate.allows(&at("10.0.0.2:9")));
        assert!(
            gate.allows(&Target::Path("/run/x".into())) && !gate.allows(&Target::Path("/run/y".into())) && !gate.allows(&Target::Other)
        );
        let error = gate.resolve("elsewhere.example", "plugins.entries.p.permissions").await.unwrap_err().to_string();
        assert!(error.contains("plugins.entries.p.permissions.network"), "{error}");
    }

    #[test]
    fn public_names_do_not_lead_here() {
        for (host, address, plausible) in [
            ("api.example.com", "127.0.0.1", false),
            ("api.example.com", "169.254.169.254", false),
            ("api.example.com", "::1", false),
            ("api.example.com", "192.168.1.2", true),
            ("localhost", "127.0.0.1", true),
            ("printer.local", "169.254.1.1", true),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(is_plausible(host, address.parse().unwrap()), plausible, "{host} {address}");
        }
    }
}
