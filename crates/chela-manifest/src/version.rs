//! Host version floors (`openclaw.install.minHostVersion`) and the order of calendar versions.

use std::cmp::Ordering;

use serde_json::Value;
use thiserror::Error;

/// Why a plugin's host floor keeps it from loading.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FloorError {
    /// Not `>=x.y.z[-pre][+build]` (MAN-207, MAN-208).
    #[error("openclaw.install.minHostVersion must use a semver floor in the form \">=x.y.z[-prerelease][+build]\"")]
    Invalid,
    /// The host is older than the floor (MAN-209).
    #[error("plugin requires OpenClaw >={floor}, but this host is {host}; skipping load")]
    Unmet {
        /// The floor, without the operator.
        floor: String,
        /// The version that the host advertises.
        host: String,
    },
    /// The host's own version does not parse (MAN-210).
    #[error("plugin requires OpenClaw >={floor}, but this host version could not be determined; skipping load")]
    UnknownHost {
        /// The floor, without the operator.
        floor: String,
    },
}

/// A version as this platform numbers its releases: `year.month.day`, then a pre-release name or a
/// numeric correction (`2026.5.12-beta.1`, `2026.5.12-2`).
///
/// Order: pre-release < release < correction of the same day (INS-196, INS-197).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarVersion {
    /// First, second and third number.
    pub base: [u64; 3],
    suffix: Suffix,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Suffix {
    Prerelease(Vec<String>),
    None,
    Correction(u64),
}

impl CalendarVersion {
    /// Reads `x.y.z[-suffix][+build]`, with or without a leading `v`. Build metadata is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = split_once_or_whole(text, '+');
        if build.is_some_and(|build| !is_label(build)) {
            return None;
        }
        let (numbers, suffix) = split_once_or_whole(text, '-');
        let mut parts = numbers.split('.');
        let mut next = || parse_number(parts.next()?);
        let base = [next()?, next()?, next()?];
        if parts.next().is_some() {
            return None;
        }
        let suffix = match suffix {
            None => Suffix::None,
            Some(text) => parse_suffix(text)?,
        };
        Some(Self { base, suffix })
    }

    /// True for `-beta.1` and the like; a numeric correction is a stable release (INS-196).
    pub fn is_prerelease(&self) -> bool {
        matches!(self.suffix, Suffix::Prerelease(_))
    }
}

impl Ord for CalendarVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.base.cmp(&other.base).then_with(|| compare_suffixes(&self.suffix, &other.suffix))
    }
}

impl PartialOrd for CalendarVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Checks the floor of a package against the version that the host advertises.
///
/// `raw` is the JSON value as written, `None` when the key is absent. Only the three numbers are
/// compared, as in the reference, so a floor of `>=2026.5.12-beta.1` and one of `>=2026.5.12` ask
/// for the same. `allow_bare` admits a bare `x.y.z`, which only tracked global installs may use
/// (MAN-207).
///
/// # Errors
/// [`FloorError`] with the text to report.
pub fn check_min_host_version(raw: Option<&Value>, host: &str, allow_bare: bool) -> Result<(), FloorError> {
    let Some(raw) = raw else { return Ok(()) };
    let (floor, label) = raw.as_str().and_then(|text| parse_floor(text.trim(), allow_bare)).ok_or(FloorError::Invalid)?;
    let Some(current) = CalendarVersion::parse(host) else {
        return Err(FloorError::UnknownHost { floor: label });
    };
    if current.base < floor.base {
        return Err(FloorError::Unmet { floor: label, host: host.to_owned() });
    }
    Ok(())
}

fn parse_floor(text: &str, allow_bare: bool) -> Option<(CalendarVersion, String)> {
    let label = match text.strip_prefix(">=") {
        Some(label) if label.starts_with(|c: char| c.is_ascii_digit()) => label,
        Some(_) => return None,
        None if allow_bare && !text.contains(['-', '+', 'v']) => text,
        None => return None,
    };
    Some((CalendarVersion::parse(label)?, label.to_owned()))
}

fn parse_suffix(text: &str) -> Option<Suffix> {
    if !is_label(text) {
        return None;
    }
    if let Some(number) = parse_number(text) {
        return Some(Suffix::Correction(number));
    }
    Some(Suffix::Prerelease(text.split('.').map(str::to_owned).collect()))
}

fn compare_suffixes(left: &Suffix, right: &Suffix) -> Ordering {
    match (left, right) {
        (Suffix::Prerelease(left), Suffix::Prerelease(right)) => compare_identifiers(left, right),
        (Suffix::Correction(left), Suffix::Correction(right)) => left.cmp(right),
        _ => suffix_rank(left).cmp(&suffix_rank(right)),
    }
}

fn suffix_rank(suffix: &Suffix) -> u8 {
    match suffix {
        Suffix::Prerelease(_) => 0,
        Suffix::None => 1,
        Suffix::Correction(_) => 2,
    }
}

/// The semver order of pre-release identifiers: numbers by value and before names.
fn compare_identifiers(left: &[String], right: &[String]) -> Ordering {
    for (a, b) in left.iter().zip(right) {
        let order = match (parse_number(a), parse_number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

fn split_once_or_whole(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn parse_number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // MAN-207, MAN-208, MAN-209, MAN-210
    #[test]
    fn floors() {
        let host = "2026.6.11";
        let invalid = || Err(FloorError::Invalid);
        let unmet = |floor: &str| Err(FloorError::Unmet { floor: floor.into(), host: host.into() });
        let cases = [
            (None, false, Ok(())),
            (Some(json!(">=2026.5.12")), false, Ok(())),
            (Some(json!(" >=2026.6.11 ")), false, Ok(())),
            (Some(json!(">=2026.6.11-beta.1+b7")), false, Ok(())),
            (Some(json!(">=2026.6.12")), false, unmet("2026.6.12")),
            (Some(json!(">=2027.1.1-rc.1")), false, unmet("2027.1.1-rc.1")),
            (Some(json!("2026.5.12")), false, invalid()),
            (Some(json!("2026.5.12")), true, Ok(())),
            (Some(json!("2026.5.12-1")), true, invalid()),
            (Some(json!(">= 2026.5.12")), false, invalid()),
            (Some(json!(">=v2026.5.12")), false, invalid()),
            (Some(json!(">=2026.5")), false, invalid()),
            (Some(json!("^2026.5.12")), true, invalid()),
            (Some(json!("")), true, invalid()),
            (Some(json!(7)), true, invalid()),
            (Some(json!(null)), true, invalid()),
        ];
        for (raw, bare, expected) in cases {
            assert_eq!(check_min_host_version(raw.as_ref(), host, bare), expected, "{raw:?} bare={bare}");
        }
        assert_eq!(
            check_min_host_version(Some(&json!(">=1.0.0")), "unknown", false),
            Err(FloorError::UnknownHost { floor: "1.0.0".into() })
        );
    }

    // INS-196, INS-197
    #[test]
    fn calendar_order() {
        let ordered = [
            "2026.5.9",
            "2026.5.12-alpha.2",
            "2026.5.12-alpha.10",
            "2026.5.12-beta.1",
            "2026.5.12",
            "2026.5.12-1",
            "2026.5.12-2",
            "2026.10.1",
        ];
        let parsed: Vec<_> = ordered.iter().map(|text| CalendarVersion::parse(text).unwrap()).collect();
        for pair in parsed.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        assert!(parsed[3].is_prerelease());
        assert!(!parsed[5].is_prerelease());
        for bad in ["2026.5", "2026.5.12.1", "2026.5.x", "2026.5.12-", "a.b.c"] {
            assert_eq!(CalendarVersion::parse(bad), None, "{bad}");
        }
    }
}
