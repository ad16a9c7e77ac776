//! Release versions by calendar date, and what counts as a prerelease (INS-193..INS-197).
//!
//! `2026.5.12-2` is a prerelease to semver; packages that are numbered by date use it for a
//! correction of the release of that day, so it is stable. Everything else follows semver.

use std::cmp::Ordering;

use jiff::civil::Date;

/// A version of the form `YYYY.M.D`, `YYYY.M.D-N`, `YYYY.M.D-alpha.N` or `YYYY.M.D-beta.N`.
///
/// Order: alpha, beta, the release, its corrections; days by date (INS-197).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatedVersion {
    date: Date,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Alpha(u64),
    Beta(u64),
    Stable,
    Correction(u64),
}

impl DatedVersion {
    /// Reads a dated version; `None` for everything else, dates that do not exist included (INS-196).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, suffix) = text.split_once('-').map_or((text, None), |(date, suffix)| (date, Some(suffix)));
        let mut parts = date.split('.');
        let year = parts.next().filter(|year| year.len() == 4)?.parse().ok().filter(|year: &u64| *year <= 9999)?;
        let (month, day) = (counted(parts.next()?)?, counted(parts.next()?)?);
        if parts.next().is_some() {
            return None;
        }
        let date = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let stage = match suffix {
            None => Stage::Stable,
            Some(suffix) => match suffix.split_once('.') {
                Some(("alpha", number)) => Stage::Alpha(counted(number)?),
                Some(("beta", number)) => Stage::Beta(counted(number)?),
                _ => Stage::Correction(counted(suffix)?),
            },
        };
        Some(Self { date, stage })
    }

    /// True for `-N`: a stable correction.
    pub fn is_correction(&self) -> bool {
        matches!(self.stage, Stage::Correction(_))
    }
}

/// A whole number from 1 without leading zero.
fn counted(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// True when `text` is exactly `x.y.z` with optional prerelease, build and leading `v`.
pub fn is_exact_version(text: &str) -> bool {
    prerelease_part(text).is_some()
}

/// True for a version whose prerelease is no stable correction (INS-196).
pub fn is_prerelease(version: &str) -> bool {
    prerelease_part(version).is_some_and(|part| !part.is_empty())
        && !DatedVersion::parse(version).is_some_and(|dated| dated.is_correction())
}

/// The prerelease label of an exact version, empty without one; `None` when it is no exact version.
fn prerelease_part(text: &str) -> Option<&str> {
    let text = text.trim();
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (numbers, label) = text.split_once('-').map_or((text, None), |(numbers, label)| (numbers, Some(label)));
    let is_label = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if build.is_some_and(|build| !is_label(build)) || label.is_some_and(|label| !is_label(label)) {
        return None;
    }
    let parts: Vec<&str> = numbers.split('.').collect();
    (parts.len() == 3 && parts.iter().all(|part| *part == "0" || counted(part).is_some())).then(|| label.unwrap_or(""))
}

/// Orders two versions: by date when both are dated (INS-197), else by semver; what is neither comes first.
pub fn compare(left: &str, right: &str) -> Ordering {
    if let (Some(left), Some(right)) = (DatedVersion::parse(left), DatedVersion::parse(right)) {
        return left.cmp(&right);
    }
    crate::range::parse_version(left).cmp(&crate::range::parse_version(right))
}

/// The newest stable version, or the newest prerelease when there is no stable one (INS-198). Texts that
/// are no exact version are passed over.
pub fn newest_release<'a>(versions: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rank = |version: &&str| !is_prerelease(version);
    versions.filter(|version| is_exact_version(version)).max_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| compare(a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-196
    #[test]
    fn prereleases() {
        let cases = [
            ("1.2.3", false),
            ("1.2.3-rc.1", true),
            ("1.2.3+build", false),
            ("2026.5.12", false),
            ("2026.5.12-1", false),
            ("2026.5.12-17", false),
            ("2026.5.12-0", true),
            ("2026.5.12-01", true),
            ("2026.5.12-beta.1", true),
            ("2026.2.30-1", true),
            ("2026.05.12-1", false), // no exact version at all: leading zero
            ("2026.13.1-1", true),
            ("1.2.3-1", true),
        ];
        for (version, expected) in cases {
            assert_eq!(is_prerelease(version), expected, "{version}");
        }
        assert!(DatedVersion::parse("2026.5.12-2").is_some_and(|v| v.is_correction()));
        assert!(DatedVersion::parse("2026.2.29").is_none(), "the date must exist");
        assert!(DatedVersion::parse("2028.2.29").is_some());
    }

    // INS-197
    #[test]
    fn order_of_a_day() {
        let sorted =
            ["2026.5.11-9", "2026.5.12-alpha.2", "2026.5.12-alpha.10", "2026.5.12-beta.1", "2026.5.12", "2026.5.12-1", "2026.5.12-10"];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("1.0.0-1", "1.0.0"), Ordering::Less, "plain semver elsewhere");
    }

    // INS-198
    #[test]
    fn fallback_prefers_stable() {
        let newest = |versions: &[&'static str]| newest_release(versions.iter().copied());
        assert_eq!(newest(&["2026.5.1", "2026.5.12-1", "2026.5.12", "2026.6.1-beta.1"]), Some("2026.5.12-1"));
        assert_eq!(newest(&["2026.6.1-alpha.3", "2026.6.1-beta.1", "nonsense"]), Some("2026.6.1-beta.1"));
        assert_eq!(newest(&[]), None);
    }
}
