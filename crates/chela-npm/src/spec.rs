//! What a user may ask the registry for: a name with an exact version or a dist-tag (INS-169).

use std::fmt;

use crate::error::NpmError;
use crate::release::{is_exact_version, is_prerelease};

/// Longest package name that the registry knows, in bytes; older names may be this long.
const MAX_NAME: usize = 214;

/// A parsed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The package's name, with its scope.
    pub name: String,
    /// Which version.
    pub selector: Selector,
    /// The text as typed, without surrounding space.
    pub raw: String,
}

/// Which version a [`Spec`] asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Nothing was said: the tag `latest`.
    Default,
    /// One version, without a leading `v`.
    Exact(String),
    /// A dist-tag.
    Tag(String),
}

impl Spec {
    /// Reads `<name>`, `<name>@<version>` or `<name>@<tag>`.
    ///
    /// # Errors
    /// [`NpmError::Spec`] for white space, URLs, git refs, other protocols, ranges and upper-case names (INS-169).
    pub fn parse(text: &str) -> Result<Self, NpmError> {
        let raw = text.trim();
        let refuse = |reason: &str| Err(NpmError::Spec { reason: reason.into() });
        if raw.is_empty() {
            return Err(NpmError::SpecMissing);
        }
        if raw.contains(char::is_whitespace) {
            return refuse("whitespace is not allowed");
        }
        if raw.contains("://") {
            return refuse("URLs are not allowed");
        }
        if raw.contains('#') {
            return refuse("git refs are not allowed");
        }
        if raw.contains(':') {
            return refuse("protocol specs are not allowed");
        }
        let (name, selector) = match raw.rfind('@') {
            Some(at) if at > 0 => (&raw[..at], Some(&raw[at + 1..])),
            _ => (raw, None),
        };
        if !is_new_name(name) {
            return refuse("expected <name> or <name>@<version> from the npm registry");
        }
        let selector = match selector {
            None => Selector::Default,
            Some("") => return refuse("missing version/tag after @"),
            Some(text) if text.contains(['/', '\\']) => return refuse("invalid version/tag"),
            Some(text) if is_exact_version(text) => Selector::Exact(text.strip_prefix('v').unwrap_or(text).to_owned()),
            Some(text) if is_tag(text) => Selector::Tag(text.to_owned()),
            Some(_) => return refuse("use an exact version or dist-tag (ranges are not allowed)"),
        };
        Ok(Self { name: name.to_owned(), selector, raw: raw.to_owned() })
    }

    /// The dist-tag that decides, or `None` for an exact version.
    pub fn tag(&self) -> Option<&str> {
        match &self.selector {
            Selector::Default => Some("latest"),
            Selector::Tag(tag) => Some(tag),
            Selector::Exact(_) => None,
        }
    }

    /// True for a bare name and for `@latest`: what follows the default line.
    pub fn is_default_line(&self) -> bool {
        self.tag().is_some_and(|tag| tag.eq_ignore_ascii_case("latest"))
    }

    /// May this spec lead to `version`? Only prereleases are ever refused (INS-193, INS-194, INS-195).
    pub fn allows(&self, version: &str) -> bool {
        !is_prerelease(version)
            || match &self.selector {
                Selector::Exact(selector) => is_prerelease(selector),
                Selector::Default | Selector::Tag(_) => !self.is_default_line(),
            }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

fn is_tag(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// A name as new packages have it: lower case, optionally scoped.
fn is_new_name(name: &str) -> bool {
    let part = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._~".contains(&b))
    };
    name.len() <= MAX_NAME
        && match name.strip_prefix('@') {
            Some(rest) => rest.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(name),
        }
}

/// True when `name` can be a directory below `node_modules` and a path of the registry without being
/// anything else: what dependencies are called, old names with upper case included.
pub fn is_safe_name(name: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!'()*".contains(&b))
            && !text.eq_ignore_ascii_case("node_modules")
    };
    name.len() <= MAX_NAME
        && match name.strip_prefix('@') {
            Some(rest) => rest.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(name),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-169
    #[test]
    fn specs() {
        let good = [
            ("demo", "demo", Selector::Default),
            (" @acme/demo ", "@acme/demo", Selector::Default),
            ("demo@1.2.3", "demo", Selector::Exact("1.2.3".into())),
            ("demo@v1.2.3-rc.1", "demo", Selector::Exact("1.2.3-rc.1".into())),
            ("@acme/demo@beta", "@acme/demo", Selector::Tag("beta".into())),
            ("demo@2026.5.12-1", "demo", Selector::Exact("2026.5.12-1".into())),
        ];
        for (text, name, selector) in good {
            let spec = Spec::parse(text).unwrap();
            assert_eq!((spec.name.as_str(), &spec.selector), (name, &selector), "{text}");
        }
        let bad = [
            ("a b", "whitespace is not allowed"),
            ("https://example.com/a.tgz", "URLs are not allowed"),
            ("demo#main", "git refs are not allowed"),
            ("npm:demo", "protocol specs are not allowed"),
            ("Demo", "expected <name> or <name>@<version> from the npm registry"),
            ("@acme", "expected <name> or <name>@<version> from the npm registry"),
            ("../demo", "expected <name> or <name>@<version> from the npm registry"),
            ("demo@", "missing version/tag after @"),
            ("demo@a/b", "invalid version/tag"),
            ("demo@^1.0.0", "use an exact version or dist-tag (ranges are not allowed)"),
            ("demo@1.x||2", "use an exact version or dist-tag (ranges are not allowed)"),
        ];
        for (text, reason) in bad {
            assert_eq!(Spec::parse(text).unwrap_err().to_string(), format!("unsupported npm spec: {reason}"), "{text}");
        }
        assert_eq!(Spec::parse("  ").unwrap_err().to_string(), "missing npm spec");
    }

    // INS-193, INS-194, INS-195
    #[test]
    fn prerelease_gates() {
        let cases = [
            ("demo", "1.0.0-rc.1", false),
            ("demo@latest", "1.0.0-rc.1", false),
            ("demo@LATEST", "1.0.0-rc.1", false),
            ("demo@next", "1.0.0-rc.1", true),
            ("demo@1.0.0-rc.1", "1.0.0-rc.1", true),
            ("demo@1.0.0", "1.0.0-rc.1", false),
            ("demo", "2026.5.12-3", true),
            ("demo@2026.5.12-3", "2026.5.12-beta.1", false),
            ("demo", "1.0.0", true),
        ];
        for (spec, version, expected) in cases {
            assert_eq!(Spec::parse(spec).unwrap().allows(version), expected, "{spec} -> {version}");
        }
    }

    #[test]
    fn directory_names() {
        for name in ["a", "@a/b", "JSONStream", "a.b_c~d"] {
            assert!(is_safe_name(name), "{name}");
        }
        for name in ["", ".", "..", "../a", "a/b", "@a", "@a/../b", "@/a", ".bin", "node_modules", "a\\b", "a\0b", "@a/b/c"] {
            assert!(!is_safe_name(name), "{name}");
        }
    }
}
