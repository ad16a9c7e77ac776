//! Clock and time stamps in the reference's formats.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// `2026-01-02T03:04:05.678Z`.
pub(crate) fn iso(ms: i64) -> String {
    let stamp = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The stamp used in archive names: as [`iso`], with `-` for `:`.
pub(crate) fn archive_stamp(ms: i64) -> String {
    iso(ms).replace(':', "-")
}

/// Milliseconds of an ISO stamp or a number; `None` when it is neither.
pub(crate) fn parse(value: &serde_json::Value) -> Option<i64> {
    match value {
        serde_json::Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond()),
        serde_json::Value::Number(n) => n.as_i64().or_else(|| n.as_f64().filter(|f| f.is_finite()).map(|f| f as i64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps() {
        assert_eq!(iso(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!(archive_stamp(1_700_000_000_000), "2023-11-14T22-13-20.000Z");
        assert_eq!(parse(&serde_json::json!("2023-11-14T22:13:20.007Z")), Some(1_700_000_000_007));
        assert_eq!(parse(&serde_json::json!(12)), Some(12));
        assert_eq!(parse(&serde_json::json!("soon")), None);
    }
}
