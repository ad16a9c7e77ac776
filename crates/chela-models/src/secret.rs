//! Keys and tokens that must not reach a log line, an error or a `Debug` text.

use std::fmt;

/// A key or token. `Debug` hides it, there is no `Display`, and it cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value; surrounding white space is removed, since it is never part of a key and breaks headers.
    pub fn new(value: impl AsRef<str>) -> Self {
        Self(value.as_ref().trim().to_owned())
    }

    /// The value itself, for building a request header.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left after trimming.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is a token of an Anthropic subscription instead of an API key.
    pub(crate) fn is_anthropic_subscription(&self) -> bool {
        self.0.starts_with("sk-ant-oat")
    }

    /// Replaces every occurrence of the secret in `text`, because some servers echo the key that they refuse.
    pub(crate) fn redact(&self, text: &str) -> String {
        // Very short values would blank out ordinary words.
        if self.0.len() < 6 { text.to_owned() } else { text.replace(&self.0, "[redacted]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

const MARKERS: &[&str] =
    &["custom-local", "ollama-local", "secretref-managed", "gcp-vertex-credentials", "minimax-oauth", "codex-app-server"];

/// Whether a configured key is a placeholder that stands for "no secret here" and must never be sent (PRV-165).
pub fn is_non_secret_marker(value: &str) -> bool {
    let value = value.trim();
    MARKERS.contains(&value) || value.starts_with("oauth:") || value.starts_with("secretref-env:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value_and_trims() {
        let secret = Secret::new("  sk-live-123456 \n");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "sk-live-123456");
        assert_eq!(secret.redact("bad key sk-live-123456!"), "bad key [redacted]!");
    }

    #[test]
    fn markers_are_known() {
        // PRV-165 (the fixed words and the oauth prefix)
        for marker in MARKERS {
            assert!(is_non_secret_marker(marker), "{marker}");
        }
        assert!(is_non_secret_marker("oauth:minimax-portal"));
        assert!(!is_non_secret_marker("sk-abc"));
    }
}
