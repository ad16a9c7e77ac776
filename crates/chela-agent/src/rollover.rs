//! When a session has to begin anew: the daily hour and the idle time (GW-153).

use chela_config::{ResetMode, SessionSettings};
use chela_store::SessionRow;
use jiff::{Timestamp, tz::TimeZone};

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The daily hour passed since the session began.
    Daily,
    /// Nobody wrote for the idle time.
    Idle,
}

/// Looks whether a rollover is due. The daily rule looks at the start of the session, the idle rule at the last message.
pub fn due(settings: &SessionSettings, row: &SessionRow, now_ms: i64) -> Option<Due> {
    let kind = row.extra.get("chatType").and_then(|v| v.as_str()).unwrap_or("direct");
    let channel = row.extra.get("lastChannel").and_then(|v| v.as_str()).unwrap_or_default();
    let policy = settings.reset_by_channel.get(channel).or_else(|| settings.reset_by_type.get(kind)).unwrap_or(&settings.reset);
    if policy.mode == ResetMode::Daily
        && let Some(boundary) = last_boundary(now_ms, policy.at_hour, &TimeZone::system())
        && row.session_started_at_ms > 0
        && row.session_started_at_ms < boundary
    {
        return Some(Due::Daily);
    }
    let idle_ms = i64::try_from(policy.idle_minutes?).ok()?.saturating_mul(60_000);
    (idle_ms > 0 && row.last_interaction_at_ms > 0 && now_ms - row.last_interaction_at_ms > idle_ms).then_some(Due::Idle)
}

/// The last time the local clock showed `hour`:00.
fn last_boundary(now_ms: i64, hour: u8, zone: &TimeZone) -> Option<i64> {
    let now = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone());
    let today = now.date().at(i8::try_from(hour).ok()?, 0, 0, 0).to_zoned(zone.clone()).ok()?;
    let boundary = if today <= now { today } else { today.yesterday().ok()? };
    Some(boundary.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-153
    #[test]
    fn the_boundary_is_the_last_time_the_clock_showed_the_hour() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let utc = TimeZone::UTC;
        assert_eq!(last_boundary(at("2026-03-10T05:00:00Z"), 4, &utc), Some(at("2026-03-10T04:00:00Z")));
        assert_eq!(last_boundary(at("2026-03-10T03:59:00Z"), 4, &utc), Some(at("2026-03-09T04:00:00Z")));
        assert_eq!(last_boundary(at("2026-03-10T04:00:00Z"), 4, &utc), Some(at("2026-03-10T04:00:00Z")));
    }
}
