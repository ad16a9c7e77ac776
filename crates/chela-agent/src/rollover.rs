//! When a session has to begin anew: the daily hour and the idle time (GW-153).

use chela_config::{ResetMode, ResetPolicy, SessionSettings};
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
    let policy = policy(settings, row);
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

/// When a session runs out, in Unix milliseconds: the same rules, turned round. `None` when it never does.
pub fn expires_at(settings: &SessionSettings, row: &SessionRow, zone: &TimeZone) -> Option<i64> {
    let policy = policy(settings, row);
    let daily = (policy.mode == ResetMode::Daily && row.session_started_at_ms > 0)
        .then(|| next_boundary(row.session_started_at_ms, policy.at_hour, zone))
        .flatten();
    let idle_ms = policy.idle_minutes.and_then(|m| i64::try_from(m).ok()).map(|m| m.saturating_mul(60_000)).filter(|ms| *ms > 0);
    let idle = idle_ms.filter(|_| row.last_interaction_at_ms > 0).map(|ms| row.last_interaction_at_ms.saturating_add(ms).saturating_add(1));
    daily.into_iter().chain(idle).min()
}

/// What tells one set of rules from another: the rules and the clock that they mean.
pub fn fingerprint(settings: &SessionSettings) -> String {
    let zone = TimeZone::system();
    let name = zone.iana_name().unwrap_or("?");
    format!("{:?} {:?} {:?} {name}", settings.reset, settings.reset_by_type, settings.reset_by_channel)
}

/// The rule of a session: that of its channel, else of its kind, else the general one.
fn policy<'a>(settings: &'a SessionSettings, row: &SessionRow) -> &'a ResetPolicy {
    let channel = row.extra.get("lastChannel").and_then(|v| v.as_str()).unwrap_or_default();
    settings.reset_by_channel.get(channel).or_else(|| settings.reset_by_type.get(kind(row))).unwrap_or(&settings.reset)
}

/// `thread`, `group` or `direct`: a thread in a group is a thread, and a channel counts as a group.
fn kind(row: &SessionRow) -> &'static str {
    if row.key.contains(":thread:") || row.key.contains(":topic:") {
        return "thread";
    }
    let grouped = matches!(row.extra.get("chatType").and_then(|v| v.as_str()), Some("group" | "channel"));
    if grouped || row.key.contains(":group:") || row.key.contains(":channel:") { "group" } else { "direct" }
}

/// The first time after `from_ms` that the local clock shows `hour`:00.
fn next_boundary(from_ms: i64, hour: u8, zone: &TimeZone) -> Option<i64> {
    let from = Timestamp::from_millisecond(from_ms).ok()?.to_zoned(zone.clone());
    let at = |day: jiff::civil::Date| day.at(i8::try_from(hour).ok()?, 0, 0, 0).to_zoned(zone.clone()).ok();
    let today = at(from.date())?;
    let next = if today > from { today } else { at(from.date().tomorrow().ok()?)? };
    Some(next.timestamp().as_millisecond())
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
    use serde_json::json;

    fn settings(session: serde_json::Value) -> SessionSettings {
        let dir = tempfile::tempdir().unwrap();
        let env: chela_config::Env = [("HOME", dir.path().to_str().unwrap())].into_iter().collect();
        let paths = chela_config::StatePaths::from_env(&env).unwrap();
        std::fs::create_dir_all(paths.config_path.parent().unwrap()).unwrap();
        std::fs::write(&paths.config_path, json!({"session": session}).to_string()).unwrap();
        chela_config::load(&paths, &env).unwrap().session()
    }

    // CH-F8: a channel has the rule of groups, a thread its own.
    #[test]
    fn the_nearest_rule_holds_and_says_when() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let rules = settings(json!({"reset": {"mode": "daily", "atHour": 4}, "resetByType": {"group": {"mode": "idle", "idleMinutes": 10},
            "thread": {"mode": "idle", "idleMinutes": 20}}, "resetByChannel": {"slow": {"mode": "idle", "idleMinutes": 600}}}));
        let row = |key: &str, kind: &str, channel: &str| {
            let mut row = SessionRow { key: key.into(), ..SessionRow::default() };
            row.session_started_at_ms = at("2026-03-10T03:00:00Z");
            row.last_interaction_at_ms = at("2026-03-10T05:00:00Z");
            row.extra.insert("chatType".into(), kind.into());
            row.extra.insert("lastChannel".into(), channel.into());
            row
        };
        let table = [
            (row("agent:main:main", "direct", "web"), "2026-03-10T04:00:00Z"),
            (row("agent:main:talk:group:g", "group", "web"), "2026-03-10T05:10:00.001Z"),
            (row("agent:main:talk:channel:g", "channel", "web"), "2026-03-10T05:10:00.001Z"),
            (row("agent:main:talk:group:g:thread:1", "group", "web"), "2026-03-10T05:20:00.001Z"),
            (row("agent:main:main", "direct", "slow"), "2026-03-10T15:00:00.001Z"),
        ];
        for (row, when) in table {
            let expires = expires_at(&rules, &row, &TimeZone::UTC).unwrap();
            assert_eq!(expires, at(when), "{} {when}", row.key);
        }
        let idle = row("agent:main:talk:group:g", "group", "web");
        assert_eq!(due(&rules, &idle, at("2026-03-10T05:10:00Z")), None);
        assert_eq!(due(&rules, &idle, expires_at(&rules, &idle, &TimeZone::UTC).unwrap()), Some(Due::Idle));
        assert_ne!(fingerprint(&rules), fingerprint(&settings(json!({}))));
        let never = settings(json!({"reset": {"mode": "idle"}}));
        assert_eq!(expires_at(&never, &idle, &TimeZone::UTC), None);
    }

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
