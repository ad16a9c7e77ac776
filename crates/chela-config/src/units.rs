//! Durations (`90s`, `1h30m`) and sizes (`500mb`) as they are written in the configuration.

/// Milliseconds of a duration: one number with an optional unit (`ms`, `s`, `m`, `h`, `d`), or several
/// numbers with a unit each. A number alone takes `default_unit`. `None` when it is not a duration.
pub fn parse_duration_ms(text: &str, default_unit: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let mut rest = text.as_str();
    let mut total = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        let (number, after) = take_number(rest)?;
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        let unit = match unit {
            "" if parts == 0 && next.is_empty() => default_unit,
            unit => unit,
        };
        total += number * unit_ms(unit)?;
        parts += 1;
        rest = next;
    }
    (parts > 0).then(|| to_whole(total)).flatten()
}

/// Bytes of a size: a number with an optional unit (`b`, `k`/`kb`, `m`/`mb`, `g`/`gb`, `t`/`tb`, powers
/// of 1024). `None` when it is not a size.
pub fn parse_byte_size(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let (number, unit) = take_number(&text)?;
    let factor: f64 = match unit {
        "" | "b" => 1.0,
        "k" | "kb" => 1024.0,
        "m" | "mb" => 1024.0 * 1024.0,
        "g" | "gb" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    to_whole(number * factor)
}

fn take_number(text: &str) -> Option<(f64, &str)> {
    let len = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, rest) = text.split_at(len);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| plain)?, rest))
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    })
}

fn to_whole(value: f64) -> Option<u64> {
    // The cast saturates, so only the sign and infinity need a check.
    (value.is_finite() && value >= 0.0).then(|| value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("500ms", Some(500)),
            ("5", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5h", Some(5_400_000)),
            (" 2D ", Some(172_800_000)),
            ("0m", Some(0)),
            ("", None),
            ("x", None),
            ("1h30", None),
            ("-5m", None),
            ("5 m", None),
            ("1w", None),
            (".5h", None),
        ] {
            assert_eq!(parse_duration_ms(text, "m"), want, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("500", Some(500)),
            ("2mb", Some(2 << 20)),
            ("1.5K", Some(1536)),
            ("1tb", Some(1 << 40)),
            ("", None),
            ("mb", None),
            ("5 mb", None),
            ("5xb", None),
            ("-1", None),
        ] {
            assert_eq!(parse_byte_size(text), want, "{text:?}");
        }
    }
}
