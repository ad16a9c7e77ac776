//! Masking of secrets in log lines: known texts, and what looks like a credential (GW-169).

use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};

/// What stands for a secret that is known, or too short to show its ends.
const MASK: &str = "***";
/// Shorter texts are no secrets and occur everywhere.
const SHORTEST: usize = 6;
/// Tokens of this length and more keep their ends, so that people can tell which one it was.
const SHOW_ENDS: usize = 18;
/// Characters that stay at the beginning and at the end.
const ENDS: (usize, usize) = (6, 4);

/// Shapes of credentials; the last group is the credential, the whole match where there is none. Keys of the JSON may be escaped,
/// because a line may hold another document.
const SHAPES: [&str; 8] = [
    r"bearer\s+([A-Za-z0-9._~+/=-]{8,})",
    r#""?(?:[a-z0-9_-]*(?:api[_-]?key|token|password|passwd|secret|authorization|cookie|credential))\\?"?\s*[=:]\s*\\?"?([^\s"\\&,;}\]]{6,})"#,
    r#"--(?:api[_-]?key|token|password|secret)[=\s]+"?([^\s"]{6,})"#,
    r#""?(?:card[_-]?number|cvc|cvv|shared[_-]?payment[_-]?token|payment[_-]?credential)\\?"?\s*[=:]\s*\\?"?([^\s"\\&,;}\]]{3,})"#,
    r"\b((?:sk|pk|rk|ghp|gho|xox[abpr]|glpat|gsk|npm)[-_][-_A-Za-z0-9]{16,}|AIza[-_A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})",
    r"://[^/\s:@]+:([^/\s@]+)@",
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.)*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))",
    r"\b(\d{6,}:[A-Za-z0-9_-]{20,})\b",
];

/// Masks secrets.
#[derive(Debug)]
pub struct Redactor {
    secrets: Vec<String>,
    patterns: Vec<Regex>,
}

impl Redactor {
    /// A redactor for these texts. Patterns take the place of the shapes that are known; `sensitive` switches both off, and known texts
    /// stay masked.
    ///
    /// # Errors
    /// A pattern that is no regular expression, named.
    pub fn new(secrets: &[String], patterns: &[String], sensitive: bool) -> Result<Self, String> {
        let own: Vec<&str> = patterns.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        let patterns = match (sensitive, own.is_empty()) {
            (false, _) => Vec::new(),
            (true, true) => SHAPES.iter().map(|shape| compile(shape)).collect::<Result<_, _>>()?,
            (true, false) => own.into_iter().map(compile).collect::<Result<_, _>>()?,
        };
        Ok(Self { secrets: secrets.iter().filter(|secret| secret.len() >= SHORTEST).cloned().collect(), patterns })
    }

    /// The line with secrets masked.
    pub fn mask<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(line);
        for secret in &self.secrets {
            if out.contains(secret.as_str()) {
                out = Cow::Owned(out.replace(secret.as_str(), MASK));
            }
        }
        for pattern in &self.patterns {
            if pattern.is_match(&out) {
                out = Cow::Owned(pattern.replace_all(&out, hidden).into_owned());
            }
        }
        out
    }
}

/// `/pattern/flags`, or a bare pattern, which ignores case.
fn compile(text: &str) -> Result<Regex, String> {
    let written = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let flags = written.map(|(_, flags)| flags).filter(|flags| flags.bytes().all(|b| b"dgimsuvy".contains(&b)));
    let (pattern, flags) = match (written, flags) {
        (Some((pattern, _)), Some(flags)) => (pattern, flags),
        _ => (text, "i"),
    };
    let has = |flag: char| flags.contains(flag);
    RegexBuilder::new(pattern)
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .build()
        .map_err(|error| format!("`{text}`: {error}"))
}

/// The match with its last group masked, or masked as a whole.
fn hidden(found: &Captures<'_>) -> String {
    let whole = found.get(0);
    let group = found.iter().skip(1).flatten().filter(|group| !group.is_empty()).last();
    let (Some(whole), Some(token)) = (whole, group.or(whole)) else { return MASK.into() };
    let (before, after) = (token.start() - whole.start(), token.end() - whole.start());
    let text = whole.as_str();
    format!("{}{}{}", &text[..before], masked(token.as_str()), &text[after..])
}

fn masked(token: &str) -> String {
    let length = token.chars().count();
    // What is masked already stays as it is: two patterns may find the same token.
    if length < SHOW_ENDS || token.starts_with("-----BEGIN") {
        return MASK.into();
    }
    let start: String = token.chars().take(ENDS.0).collect();
    let end: String = token.chars().skip(length - ENDS.1).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-169
    #[test]
    fn credentials_are_masked_and_prose_is_not() {
        let redactor = Redactor::new(&["my-own-secret".into(), "abc".into()], &[], true).unwrap();
        for (line, expected) in [
            ("nothing here, abc", "nothing here, abc"),
            ("got my-own-secret!", "got ***!"),
            ("Bearer abcdef0123456789", "Bearer ***"),
            ("Bearer abcdef0123456789abcdef", "Bearer abcdef…cdef"),
            (r#"{"apiKey":"0123456789"}"#, r#"{"apiKey":"***"}"#),
            (r#"{"message":"{\"token\":\"0123456789\"}"}"#, r#"{"message":"{\"token\":\"***\"}"}"#),
            ("OPENAI_API_KEY=0123456789abcdef0123", "OPENAI_API_KEY=012345…0123"),
            ("key sk-abcdefghijklmnopqrst end", "key sk-abc…qrst end"),
            ("run --token 0123456789 now", "run --token *** now"),
            ("http://user:hunter22@host/x", "http://user:***@host/x"),
            ("cvc: 1234 is gone", "cvc: *** is gone"),
            ("tokens=12 used", "tokens=12 used"),
        ] {
            assert_eq!(redactor.mask(line), expected);
        }
        let key = redactor.mask("-----BEGIN RSA PRIVATE KEY-----\\nMIIE...\\n-----END RSA PRIVATE KEY-----").into_owned();
        assert_eq!(key, "***");
        let header = redactor.mask("Authorization: Bearer abcdef0123456789").into_owned();
        assert!(!header.contains("abcdef0123456789"), "{header}");
    }

    #[test]
    fn own_patterns_replace_the_known_shapes_and_off_means_off() {
        let own = Redactor::new(&[], &["x[0-9]{4}".into(), "/Case-([a-z]+)/".into()], true).unwrap();
        assert_eq!(own.mask("ref X1234, Case-secret, case-secret, apiKey=0123456789"), "ref ***, Case-***, case-secret, apiKey=0123456789");
        let off = Redactor::new(&["my-own-secret".into()], &["x[0-9]{4}".into()], false).unwrap();
        assert_eq!(off.mask("X1234 my-own-secret apiKey=0123456789"), "X1234 *** apiKey=0123456789");
        assert!(Redactor::new(&[], &["(".into()], true).unwrap_err().contains("`(`"));
    }
}
