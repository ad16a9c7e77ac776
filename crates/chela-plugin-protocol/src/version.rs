//! The first exchange: which worker the host talks to, and with which features.

use std::fmt;
use std::str::FromStr;

use crate::frame::Hello;

/// Name of this protocol, the member `protocol` of every `hello`.
pub const PROTOCOL_NAME: &str = "chela-worker";

/// The version that this crate speaks.
pub const VERSION: Version = Version { major: 1, minor: 2 };

/// A protocol version. Workers of another major version are refused; a minor version only adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Changes when an old side could misunderstand a new one.
    pub major: u32,
    /// Changes when something was added.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let malformed = || Refusal::Malformed { version: text.chars().take(40).collect() };
        let (major, minor) = text.split_once('.').ok_or_else(malformed)?;
        Ok(Self { major: major.parse().map_err(|_| malformed())?, minor: minor.parse().map_err(|_| malformed())? })
    }
}

/// Why the host will not talk to a worker. The plugin is quarantined then: a new start would not change it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The worker speaks something else.
    #[error("worker speaks the protocol `{protocol}`, the host speaks `{PROTOCOL_NAME}`")]
    OtherProtocol {
        /// What the worker said.
        protocol: String,
    },
    /// The major versions differ.
    #[error("worker speaks protocol version {worker}, the host speaks {host}; the major versions must be equal")]
    OtherMajor {
        /// The worker's version.
        worker: Version,
        /// The host's version.
        host: Version,
    },
    /// The version is not `major.minor`.
    #[error("worker announced the protocol version `{version}`, which is not of the form `major.minor`; the host speaks {VERSION}")]
    Malformed {
        /// What the worker said.
        version: String,
    },
}

/// Checks a worker's hello and returns what both sides speak: the smaller version and the common features.
///
/// # Errors
/// A [`Refusal`] whose text goes into the `bye` and into the plugin's status.
pub fn negotiate(worker: &Hello, host: Version, features: &[&str]) -> Result<(Version, Vec<String>), Refusal> {
    if worker.protocol != PROTOCOL_NAME {
        return Err(Refusal::OtherProtocol { protocol: worker.protocol.chars().take(40).collect() });
    }
    let theirs: Version = worker.version.parse()?;
    if theirs.major != host.major {
        return Err(Refusal::OtherMajor { worker: theirs, host });
    }
    let common = worker.features.iter().filter(|f| features.contains(&f.as_str())).cloned().collect();
    Ok((theirs.min(host), common))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(protocol: &str, version: &str) -> Hello {
        Hello { protocol: protocol.into(), version: version.into(), features: vec!["a".into(), "b".into()], ..Hello::default() }
    }

    #[test]
    fn only_an_equal_major_version_is_accepted() {
        let host = Version { major: 1, minor: 3 };
        for (version, agreed) in [("1.0", "1.0"), ("1.3", "1.3"), ("1.9", "1.3")] {
            let (got, features) = negotiate(&hello(PROTOCOL_NAME, version), host, &["b", "c"]).unwrap();
            assert_eq!((got.to_string().as_str(), features), (agreed, vec!["b".to_string()]));
        }
        for (version, text) in
            [("2.0", "version 2.0, the host speaks 1.3"), ("0.9", "version 0.9"), ("1", "`1`"), ("", "``"), ("1.x", "`1.x`")]
        {
            let error = negotiate(&hello(PROTOCOL_NAME, version), host, &[]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(matches!(negotiate(&hello("other", "1.0"), host, &[]), Err(Refusal::OtherProtocol { .. })));
    }

    #[test]
    fn the_document_names_the_version_of_this_crate() {
        let document = include_str!("../PROTOCOL.md");
        assert!(document.starts_with(&format!("# The worker protocol, version {VERSION}\n")), "the title of PROTOCOL.md");
    }
}
