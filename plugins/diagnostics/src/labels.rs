//! What may be the value of a label.

/// Longest value, in bytes.
const LONGEST: usize = 120;
/// A run of so many digits or hexadecimal digits is an id, not a name.
const ID_DIGITS: usize = 16;

/// The text itself when it is a name, else `other`; `unknown` when it is empty.
pub(crate) fn name(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "unknown".into();
    }
    if is_name(text) { text.to_owned() } else { "other".into() }
}

/// As [`name`], with `none` for what is absent.
pub(crate) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "none".into(), name)
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.:/@+-".contains(&b);
    text.len() <= LONGEST && text.bytes().all(allowed) && !has_id(text) && !looks_secret(text)
}

fn has_id(text: &str) -> bool {
    let mut run = 0;
    let mut digits = false;
    for byte in text.bytes() {
        if byte.is_ascii_hexdigit() {
            run += 1;
            digits |= byte.is_ascii_digit();
            if run >= ID_DIGITS && digits {
                return true;
            }
        } else if byte != b'-' {
            (run, digits) = (0, false);
        }
    }
    false
}

fn looks_secret(text: &str) -> bool {
    ["sk-", "pk-", "rk-", "ghp_", "gho_", "xoxb-", "xoxp-", "glpat-", "AIza"].iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    // PROM-02
    #[test]
    fn names_stay_and_everything_else_is_one_word() {
        for (text, label) in [
            ("gpt-5.5", "gpt-5.5"),
            ("anthropic/claude-opus-4-20250514", "anthropic/claude-opus-4-20250514"),
            ("webchat", "webchat"),
            ("", "unknown"),
            ("two words", "other"),
            ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "other"),
            ("user:4917012345678901234", "other"),
            ("sk-live-abc", "other"),
            ("a\"b\n", "other"),
        ] {
            assert_eq!(name(text), label, "{text}");
        }
        assert_eq!(name(&"x".repeat(LONGEST + 1)), "other");
        assert_eq!(optional(None), "none");
    }
}
