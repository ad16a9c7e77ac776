//! npm registry specs as plugin users write them: a name with an exact version or a dist-tag, nothing else (INS-169).

use thiserror::Error;

use crate::version::CalendarVersion;

/// Why a text is no registry spec; the wording is the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NpmSpecError {
    /// Nothing but blanks.
    #[error("missing npm spec")]
    Missing,
    /// The rest, with what is wrong.
    #[error("unsupported npm spec: {0}")]
    Unsupported(&'static str),
}

/// What follows the `@` after a package name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NpmSelector {
    /// Nothing: the tag `latest`.
    None,
    /// An exact version, as written.
    Exact(String),
    /// A dist-tag.
    Tag(String),
}

/// A parsed registry spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NpmSpec {
    /// Package name with its scope.
    pub name: String,
    /// What follows the name.
    pub selector: NpmSelector,
    /// The text, trimmed.
    pub raw: String,
}

impl NpmSpec {
    /// Reads a spec.
    ///
    /// # Errors
    /// [`NpmSpecError`] for URLs, git refs, protocols, ranges and names that npm would not accept.
    pub fn parse(text: &str) -> Result<Self, NpmSpecError> {
        let raw = text.trim();
        refuse_foreign_syntax(raw)?;
        let at = raw.rfind('@').filter(|at| *at > 0);
        let name = at.map_or(raw, |at| &raw[..at]);
        if !is_package_name(name) {
            return Err(NpmSpecError::Unsupported("expected <name> or <name>@<version> from the npm registry"));
        }
        let selector = match at.map(|at| &raw[at + 1..]) {
            None => NpmSelector::None,
            Some("") => return Err(NpmSpecError::Unsupported("missing version/tag after @")),
            Some(text) if text.contains(['/', '\\']) => return Err(NpmSpecError::Unsupported("invalid version/tag")),
            Some(text) if is_exact_version(text) => NpmSelector::Exact(text.to_owned()),
            Some(text) if is_tag(text) => NpmSelector::Tag(text.to_owned()),
            Some(_) => return Err(NpmSpecError::Unsupported("use an exact version or dist-tag (ranges are not allowed)")),
        };
        Ok(Self { name: name.to_owned(), selector, raw: raw.to_owned() })
    }

    /// The exact version, if one is given.
    pub fn exact_version(&self) -> Option<&str> {
        match &self.selector {
            NpmSelector::Exact(version) => Some(version),
            NpmSelector::None | NpmSelector::Tag(_) => None,
        }
    }
}

fn refuse_foreign_syntax(raw: &str) -> Result<(), NpmSpecError> {
    let wrong = if raw.is_empty() {
        return Err(NpmSpecError::Missing);
    } else if raw.chars().any(char::is_whitespace) {
        "whitespace is not allowed"
    } else if raw.contains("://") {
        "URLs are not allowed"
    } else if raw.contains('#') {
        "git refs are not allowed"
    } else if raw.contains(':') {
        "protocol specs are not allowed"
    } else {
        return Ok(());
    };
    Err(NpmSpecError::Unsupported(wrong))
}

/// True for a lower-case package name, with or without scope.
pub fn is_package_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._~".contains(c))
    };
    match name.strip_prefix('@') {
        None => part(name),
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, rest)| part(scope) && part(rest)),
    }
}

fn is_tag(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// True for a whole version `x.y.z[-suffix][+build]`, with or without a leading `v`.
pub fn is_exact_version(text: &str) -> bool {
    CalendarVersion::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-169
    #[test]
    fn only_names_with_a_version_or_tag_are_specs() {
        for (text, name, selector) in [
            ("a", "a", NpmSelector::None),
            (" @s/a.b~c ", "@s/a.b~c", NpmSelector::None),
            ("a@1.2.3", "a", NpmSelector::Exact("1.2.3".into())),
            ("@s/a@v2026.5.12-1", "@s/a", NpmSelector::Exact("v2026.5.12-1".into())),
            ("a@next", "a", NpmSelector::Tag("next".into())),
            ("a@1", "a", NpmSelector::Tag("1".into())),
        ] {
            let spec = NpmSpec::parse(text).unwrap();
            assert_eq!((spec.name.as_str(), &spec.selector), (name, &selector), "{text}");
        }
        for (text, message) in [
            ("  ", "missing npm spec"),
            ("a b", "unsupported npm spec: whitespace is not allowed"),
            ("https://x/a.tgz", "unsupported npm spec: URLs are not allowed"),
            ("a#main", "unsupported npm spec: git refs are not allowed"),
            ("file:a", "unsupported npm spec: protocol specs are not allowed"),
            ("Upper", "unsupported npm spec: expected <name> or <name>@<version> from the npm registry"),
            ("@s/", "unsupported npm spec: expected <name> or <name>@<version> from the npm registry"),
            ("a@", "unsupported npm spec: missing version/tag after @"),
            ("a@x/y", "unsupported npm spec: invalid version/tag"),
            ("a@^1.2.3", "unsupported npm spec: use an exact version or dist-tag (ranges are not allowed)"),
        ] {
            assert_eq!(NpmSpec::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
