//! Error texts for logs (HOOK-104).

/// Longest text in a log line, in characters.
const MAX: usize = 500;

/// The text with control characters and line breaks replaced, white space collapsed, cut to 500 characters; `unknown error` when
/// nothing is left (HOOK-104).
pub fn error_text(text: &str) -> String {
    let is_gap = |c: char| c.is_whitespace() || c <= '\u{1f}' || c == '\u{7f}';
    let joined = text.split(is_gap).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if joined.is_empty() { "unknown error".into() } else { joined.chars().take(MAX).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-104
    #[test]
    fn texts_for_logs() {
        let cases = [
            ("boom", "boom".to_string()),
            ("a\n\tb\u{0}\u{7f}c\u{2028}d  e", "a b c d e".into()),
            (" \n ", "unknown error".into()),
            ("", "unknown error".into()),
        ];
        for (given, expected) in cases {
            assert_eq!(error_text(given), expected);
        }
        assert_eq!(error_text(&"x".repeat(600)).len(), 500);
    }
}
