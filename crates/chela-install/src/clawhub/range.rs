//! ClawHub's own version ranges (INS-258, INS-259, INS-260).

use std::cmp::Ordering;

use chela_manifest::version::CalendarVersion;

/// True when the host may run a package for `range`: comparators with spaces between them, all of which must hold. What cannot be
/// read holds for no host.
pub(crate) fn satisfies_api(host: &str, range: &str) -> bool {
    let host = without_correction(host);
    let mut comparators = range.split_whitespace().peekable();
    comparators.peek().is_some() && comparators.all(|comparator| holds(host, comparator))
}

/// True when the host is `minimum` or newer; only the three numbers count.
pub(crate) fn satisfies_minimum(host: &str, minimum: &str) -> bool {
    let (host, minimum) = (CalendarVersion::parse(host), CalendarVersion::parse(minimum));
    host.zip(minimum).is_some_and(|(host, minimum)| host.base >= minimum.base)
}

/// A correction has the interfaces of the release that it corrects.
fn without_correction(host: &str) -> &str {
    match CalendarVersion::parse(host) {
        Some(version) if !version.is_prerelease() => host.trim().split(['-', '+']).next().unwrap_or(host),
        _ => host,
    }
}

fn holds(host: &str, comparator: &str) -> bool {
    let operator = [">=", "<=", ">", "<", "=", "^", "~"].into_iter().find(|operator| comparator.starts_with(operator)).unwrap_or_default();
    let text = &comparator[operator.len()..];
    let Some(host) = CalendarVersion::parse(host) else {
        return false;
    };
    if matches!(text, "*" | "x" | "X") {
        return !matches!(operator, ">" | "<");
    }
    let partial = text.matches('.').count() == 1;
    let Some(target) = CalendarVersion::parse(&if partial { format!("{text}.0") } else { text.to_owned() }) else {
        return false;
    };
    let order = host.cmp(&target);
    match operator {
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        "^" => order.is_ge() && host.base < caret_end(target.base),
        "" if partial => order.is_ge(),
        "" | "=" => order == Ordering::Equal,
        _ => false,
    }
}

fn caret_end([major, minor, patch]: [u64; 3]) -> [u64; 3] {
    match (major, minor) {
        (0, 0) => [0, 0, patch.saturating_add(1)],
        (0, _) => [0, minor.saturating_add(1), 0],
        _ => [major.saturating_add(1), 0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-257, INS-258, INS-259, INS-260
    #[test]
    fn ranges_mean_what_the_reference_takes_them_for() {
        for (host, range, expected) in [
            ("2026.6.11", ">=2026.5.0", true),
            ("2026.6.11", ">=2026.5.0 <2026.6.0", false),
            ("2026.6.11", ">=2026.6.12", false),
            ("2026.6.11", ">2026.6.11", false),
            ("2026.6.11", "<=2026.6.11", true),
            ("2026.6.11", "^2026.5.1", true),
            ("2026.6.11", "^2025.1.1", false),
            ("0.3.1", "^0.3.0", true),
            ("0.4.0", "^0.3.0", false),
            ("2026.6.11", "*", true),
            ("2026.6.11", ">=x", true),
            ("2026.6.11", "<*", false),
            ("2026.6.11", "2026.6.11", true),
            ("2026.6.11", "=2026.6.10", false),
            ("2026.6.11", "2026.5", true),
            ("2026.6.11", "=2026.5", false),
            ("2026.6.11", "2026.7", false),
            ("2026.6.11-2", "=2026.6.11", true),
            ("2026.6.11-beta.1", ">=2026.6.11", false),
            ("2026.6.11", ">=1.0.0 || >=2.0.0", false),
            ("2026.6.11", "1.0.0 - 2027.0.0", false),
            ("2026.6.11", "~2026.6.11", false),
            ("2026.6.11", "", false),
            ("unknown", "*", false),
        ] {
            assert_eq!(satisfies_api(host, range), expected, "{host} {range}");
        }
        for (minimum, expected) in [("2026.6.11", true), ("2026.6.11-beta.1", true), ("2026.6.12", false), ("soon", false)] {
            assert_eq!(satisfies_minimum("2026.6.11-2", minimum), expected, "{minimum}");
        }
    }
}
