//! Forms of strings that the schema names by `pattern` and `format`.

use crate::units::{parse_byte_size, parse_duration_ms};

type Check = fn(&str) -> bool;

const PATTERNS: &[(&str, &str, Check)] = &[
    ("^#?[0-9a-fA-F]{6}$", "a colour as `RRGGBB`", is_hex_color),
    ("^[a-z0-9-]+$", "lower-case letters, digits and `-`", |t| {
        !t.is_empty() && t.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    }),
    ("^[A-Z][A-Z0-9_]{0,127}$", "an upper-case variable name such as `OPENAI_API_KEY`", is_env_ref_id),
    ("^[a-z][a-z0-9_-]{0,63}$", "a provider name such as `default` (lower-case letters, digits, `_`, `-`)", is_provider_alias),
];

const FORMATS: &[(&str, &str, Check)] = &[
    ("x-duration", "a duration such as `30s`, `5m` or `1h30m`", |t| t.is_empty() || parse_duration_ms(t, "m").is_some()),
    ("x-byte-size", "a size such as `512kb` or `10mb`", |t| parse_byte_size(t).is_some()),
    ("x-time-start", "a time of day from `00:00` to `23:59`", |t| t.is_empty() || time_of_day(t).is_some_and(|m| m < 24 * 60)),
    ("x-time-end", "a time of day from `00:00` to `24:00`", |t| t.is_empty() || time_of_day(t).is_some()),
    ("x-http-url", "a URL that starts with `http://` or `https://`", |t| is_url(t, &["http", "https"])),
    ("x-proxy-url", "a URL that starts with `http://`", |t| is_url(t, &["http"])),
    ("x-css-width", "a CSS width such as `960px`, `82%` or `min(1280px, 82%)`", is_css_width),
    ("x-relative-module", "a relative path without `..`", is_relative_module),
    ("x-secret-file-id", "a JSON pointer such as `/providers/openai/apiKey`, or `value`", is_file_ref_id),
    ("x-secret-exec-id", "an id such as `vault/openai/api-key`, without `.` or `..` as a segment", is_exec_ref_id),
    ("x-absolute-path", "an absolute path", is_absolute_path),
    ("x-absolute-executable", "the absolute path of a program, without shell characters", |t| is_safe_executable(t) && is_absolute_path(t)),
];

fn find(table: &[(&str, &'static str, Check)], name: &str, text: &str) -> Option<&'static str> {
    let (_, wanted, check) = table.iter().find(|(known, _, _)| *known == name)?;
    (!check(text)).then_some(wanted)
}

/// What was expected, when `text` does not match the pattern.
pub(crate) fn check_pattern(pattern: &str, text: &str) -> Option<&'static str> {
    find(PATTERNS, pattern, text)
}

/// What was expected, when `text` does not have the format.
pub(super) fn check_format(format: &str, text: &str) -> Option<&'static str> {
    find(FORMATS, format, text)
}

/// Whether the pattern is checked.
#[cfg(test)]
pub(crate) fn is_known_pattern(pattern: &str) -> bool {
    PATTERNS.iter().any(|(known, _, _)| *known == pattern)
}

/// Whether the format is checked.
#[cfg(test)]
pub(crate) fn is_known_format(format: &str) -> bool {
    FORMATS.iter().any(|(known, _, _)| *known == format)
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_env_ref_id(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

fn is_provider_alias(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

fn is_file_ref_id(text: &str) -> bool {
    let escapes_ok = |t: &str| t.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text == "value" || (text.starts_with('/') && escapes_ok(text))
}

fn is_exec_ref_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'-');
    text.len() <= 256
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
        && text.split('/').all(|segment| segment != "." && segment != "..")
}

/// Minutes since midnight.
fn time_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let total = hours.parse::<u32>().ok()? * 60 + minutes.parse::<u32>().ok().filter(|m| *m < 60)?;
    (total <= 24 * 60).then_some(total)
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.trim().split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = host.rsplit('@').next().unwrap_or("");
    schemes.iter().any(|s| scheme.eq_ignore_ascii_case(s))
        && !host.is_empty()
        && !host.starts_with(':')
        && !host.contains(char::is_whitespace)
}

fn is_relative_module(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !text.starts_with(['/', '~', '\\']) && !text.contains(':') && !text.split(['/', '\\']).any(|part| part == "..")
}

fn is_absolute_path(text: &str) -> bool {
    let drive = text.len() > 2 && text.as_bytes()[0].is_ascii_alphabetic() && matches!(text.get(1..3), Some(":\\" | ":/"));
    text.starts_with('/') || drive || text.starts_with("\\\\")
}

/// A program name or path that no shell could read as more than that.
pub(super) fn is_safe_executable(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.contains([';', '&', '|', '`', '$', '<', '>', '"', '\'', '\r', '\n', '\0']) {
        return false;
    }
    let path = text.starts_with(['.', '~']) || text.contains(['/', '\\']);
    path || (!text.starts_with('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-')))
}

fn is_css_width(text: &str) -> bool {
    const UNITS: &[&str] = &["px", "rem", "em", "ch", "vw", "vh", "vmin", "vmax", "%"];
    const WORDS: &[&str] = &["none", "min-content", "max-content"];
    const FUNCTIONS: &[&str] = &["calc", "clamp", "fit-content", "max", "min"];
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    if text.is_empty() || text.len() > 96 {
        return false;
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let simple = UNITS.contains(&&text[digits.len()..])
        && digits.parse::<f64>().is_ok()
        && !digits.starts_with(['-', '+'])
        && !digits.ends_with('.');
    if WORDS.contains(&text.as_str()) || simple {
        return true;
    }
    let function = text.split_once('(').is_some_and(|(name, rest)| FUNCTIONS.contains(&name) && rest.len() > 1 && rest.ends_with(')'));
    let allowed = text.chars().all(|c| c.is_ascii_alphanumeric() || " .%+-*/(),".contains(c));
    let mut depth = 0i32;
    let balanced = text.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    });
    let words = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .map(|w| w.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-'));
    let words_ok = words.filter(|w| !w.is_empty()).all(|w| FUNCTIONS.contains(&w) || WORDS.contains(&w) || UNITS.contains(&w));
    function && allowed && balanced && depth == 0 && words_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("x-time-start", &["", "00:00", "23:59"], &["24:00", "7:00", "12:60", "x"]),
            ("x-time-end", &["24:00"], &["24:01", "25:00"]),
            ("x-http-url", &["http://h", "https://u:p@h:1/p?q"], &["ftp://h", "h", "http://", "http://:80"]),
            ("x-proxy-url", &["http://127.0.0.1:8080"], &["https://h"]),
            (
                "x-css-width",
                &["960px", "82%", ".5em", "min(1280px, 82%)", "calc(100% - 2rem)", "none", " fit-content(20rem) "],
                &["", "960", "px", "url(x)", "calc(100% - 2rem", "min()", "expression(1)", "960px;"],
            ),
            ("x-relative-module", &["a/b.js", "./x.mjs"], &["/a", "../a", "~a", "C:x", "", "a\\..\\b"]),
            ("x-secret-file-id", &["value", "/a/b", "/a~1b", "/"], &["a", "/a~2", "/a~", ""]),
            ("x-secret-exec-id", &["vault/openai/api-key", "value"], &["../x", "a/./b", "", "-x", "a b"]),
            ("x-absolute-executable", &["/usr/bin/vault"], &["vault", "/bin/sh;x", "/a|b"]),
            ("x-byte-size", &["2mb", "10"], &["x", ""]),
            ("x-duration", &["30m", ""], &["soon"]),
        ];
        for (format, good, bad) in cases {
            for text in *good {
                assert_eq!(check_format(format, text), None, "{format} {text:?}");
            }
            for text in *bad {
                assert!(check_format(format, text).is_some(), "{format} {text:?}");
            }
        }
        assert!(check_pattern("^#?[0-9a-fA-F]{6}$", "#ff00AA").is_none() && check_pattern("^#?[0-9a-fA-F]{6}$", "red").is_some());
        assert!(check_pattern("^[A-Z][A-Z0-9_]{0,127}$", "A_1").is_none() && check_pattern("^[A-Z][A-Z0-9_]{0,127}$", "a").is_some());
        assert!(check_pattern("^[a-z][a-z0-9_-]{0,63}$", "a-1").is_none() && check_pattern("^[a-z][a-z0-9_-]{0,63}$", "1").is_some());
    }
}
