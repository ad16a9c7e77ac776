//! What the config says about heartbeats: `agents.defaults.heartbeat` under `agents.list[].heartbeat`.

use chela_config::units::parse_duration_ms;
use chela_store::session_key::normalize_agent_id;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

/// The interval when the config does not say, in ms.
const EVERY_MS: u64 = 30 * 60 * 1000;
/// Characters beside the word that still count as nothing to tell.
const ACK_CHARS: u64 = 300;
/// What the agent is asked when the config does not say.
const PROMPT: &str = "If the workspace has a HEARTBEAT.md, read it and do what it says, no more. Leave tasks of earlier conversations \
                      alone. When there is nothing to tell, answer HEARTBEAT_OK.";

/// The heartbeat of one agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heartbeat {
    block: Map<String, Value>,
    /// True when the config has a block for it, and not only the defaults of the reference.
    pub(super) configured: bool,
}

/// The agents with heartbeats: those with a block of their own if there is one such, else all under a general block, else the default
/// agent.
pub(super) fn agents(config: &Value, default_agent: &str) -> Vec<String> {
    let listed = || config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
    let id = |agent: &Value| agent.get("id").and_then(Value::as_str).map(normalize_agent_id);
    let own: Vec<String> = listed().filter(|agent| agent["heartbeat"].is_object()).filter_map(id).collect();
    if !own.is_empty() {
        return own;
    }
    let all: Vec<String> = listed().filter_map(id).collect();
    if config.pointer("/agents/defaults/heartbeat").is_some_and(Value::is_object) && !all.is_empty() {
        return all;
    }
    vec![default_agent.to_owned()]
}

impl Heartbeat {
    /// The block of an agent, its own members over the general ones.
    pub(super) fn of(config: &Value, agent: &str) -> Self {
        let general = config.pointer("/agents/defaults/heartbeat").and_then(Value::as_object);
        let mut listed = config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
        let own = listed.find(|row| row["id"].as_str().is_some_and(|id| normalize_agent_id(id) == agent));
        let own = own.and_then(|row| row["heartbeat"].as_object());
        let mut block = general.cloned().unwrap_or_default();
        block.extend(own.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        Self { configured: general.is_some() || own.is_some(), block }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.block.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// The interval in ms; `None` when it is switched off with a zero, or is no duration.
    pub(super) fn every_ms(&self) -> Option<u64> {
        let given = match self.block.get("every") {
            None => return Some(EVERY_MS),
            Some(Value::Number(minutes)) => minutes.as_u64().and_then(|minutes| minutes.checked_mul(60_000)),
            Some(Value::String(text)) => parse_duration_ms(text, "m"),
            Some(_) => None,
        };
        given.filter(|every| *every > 0)
    }

    pub(super) fn prompt(&self) -> &str {
        self.text("prompt").unwrap_or(PROMPT)
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.text("model")
    }

    /// The session that the config names, without the agent's prefix or with it.
    pub(super) fn session(&self) -> Option<&str> {
        self.text("session").filter(|name| !matches!(*name, "main" | "global"))
    }

    /// True for a session of its own, which goes after each heartbeat.
    pub(super) fn isolated(&self) -> bool {
        self.block.get("isolatedSession") == Some(&Value::Bool(true))
    }

    /// Where an answer goes: `last`, `none` or a channel.
    pub(super) fn target(&self) -> &str {
        self.text("target").unwrap_or("none")
    }

    pub(super) fn to(&self) -> Option<&str> {
        self.text("to")
    }

    pub(super) fn account(&self) -> Option<&str> {
        self.text("accountId")
    }

    /// Another target for one heartbeat (RT-113).
    pub(super) fn with_target(mut self, target: Option<&str>) -> Self {
        if let Some(target) = target {
            self.block.insert("target".into(), target.into());
        }
        self
    }

    pub(super) fn ack_chars(&self) -> usize {
        let given = self.block.get("ackMaxChars").and_then(Value::as_u64).unwrap_or(ACK_CHARS);
        usize::try_from(given).unwrap_or(usize::MAX)
    }

    /// False outside of `activeHours`. Times that cannot be read forbid nothing.
    pub(super) fn is_active(&self, now_ms: i64, user_zone: Option<&str>) -> bool {
        let Some(hours) = self.block.get("activeHours").and_then(Value::as_object) else { return true };
        let minutes = |name: &str, last: u16| {
            let (hour, minute) = hours.get(name)?.as_str()?.split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            let at = hour * 60 + minute;
            (hour <= 24 && minute < 60 && at <= last).then_some(at)
        };
        let (Some(start), Some(end)) = (minutes("start", 23 * 60 + 59), minutes("end", 24 * 60)) else { return true };
        let named = hours.get("timezone").and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty() && *name != "user");
        let zone = match named.or(user_zone) {
            Some("local") | None => TimeZone::system(),
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| TimeZone::system()),
        };
        let Ok(now) = Timestamp::from_millisecond(now_ms) else { return true };
        let time = now.to_zoned(zone).time();
        let at = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        match end.cmp(&start) {
            std::cmp::Ordering::Equal => false,
            std::cmp::Ordering::Greater => (start..end).contains(&at),
            std::cmp::Ordering::Less => at >= start || at < end,
        }
    }
}

/// True for a `HEARTBEAT.md` with nothing to do: blank lines, headings, comments and empty list items.
pub(super) fn is_empty_file(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| {
        let item = line.trim_start_matches(['-', '*', '+']).trim().trim_start_matches("[ ]").trim();
        item.is_empty() || line.starts_with('#') || (line.starts_with("<!--") && line.ends_with("-->"))
    })
}

/// The word for nothing to tell.
const OK: &str = "HEARTBEAT_OK";

/// What is left of an answer without the word at its ends; `None` when that is nothing to tell.
pub(super) fn told(answer: &str, ack_chars: usize) -> Option<String> {
    let mut text = answer.trim();
    let mut found = false;
    loop {
        let bare = text.trim_matches(|c: char| matches!(c, '*' | '`' | '_' | '.' | '!') || c.is_whitespace());
        let cut = bare.strip_prefix(OK).or_else(|| bare.strip_suffix(OK));
        match cut {
            Some(rest) => (text, found) = (rest.trim(), true),
            None => break,
        }
    }
    let nothing = text.is_empty() || (found && text.chars().count() <= ack_chars);
    (!nothing).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_config_says_who_when_and_where() {
        let config = json!({"agents": {"defaults": {"heartbeat": {"every": "10m", "target": "last"}},
            "list": [{"id": "Main"}, {"id": "b", "heartbeat": {"every": "0m"}}]}});
        assert_eq!(agents(&config, "main"), ["b"]);
        assert_eq!(agents(&json!({}), "main"), ["main"]);
        let general = json!({"agents": {"defaults": {"heartbeat": {}}, "list": [{"id": "a"}, {"id": "b"}]}});
        assert_eq!(agents(&general, "a"), ["a", "b"]);
        let (main, b) = (Heartbeat::of(&config, "main"), Heartbeat::of(&config, "b"));
        assert_eq!((main.every_ms(), main.target(), main.configured), (Some(600_000), "last", true));
        assert_eq!((b.every_ms(), b.target()), (None, "last"));
        let none = Heartbeat::of(&json!({}), "main");
        assert_eq!((none.every_ms(), none.target(), none.configured, none.ack_chars()), (Some(EVERY_MS), "none", false, 300));
        assert_eq!(none.with_target(Some("talk")).target(), "talk");
    }

    #[test]
    fn quiet_hours_may_go_over_midnight() {
        let at = |hour: i64| hour * 3_600_000;
        let hours = |start: &str, end: &str| {
            Heartbeat::of(
                &json!({"agents": {"defaults": {"heartbeat": {"activeHours": {"start": start, "end": end, "timezone": "UTC"}}}}}),
                "m",
            )
        };
        for (start, end, hour, expected) in [
            ("08:00", "22:00", 9, true),
            ("08:00", "22:00", 23, false),
            ("22:00", "06:00", 23, true),
            ("22:00", "06:00", 12, false),
            ("09:00", "09:00", 9, false),
            ("00:00", "24:00", 23, true),
            ("x", "24:00", 23, true),
        ] {
            assert_eq!(hours(start, end).is_active(at(hour), None), expected, "{start}-{end} {hour}");
        }
    }

    #[test]
    fn an_answer_of_nothing_is_not_told() {
        for (answer, expected) in [
            ("HEARTBEAT_OK", None),
            ("**HEARTBEAT_OK**.", None),
            ("HEARTBEAT_OK all quiet", None),
            ("", None),
            ("The boiler is on fire", Some("The boiler is on fire")),
        ] {
            assert_eq!(told(answer, 300).as_deref(), expected, "{answer}");
        }
        assert_eq!(told("All is well. HEARTBEAT_OK", 3).as_deref(), Some("All is well."));
        assert!(is_empty_file("# Tasks\n\n- [ ]\n<!-- nothing -->\n") && !is_empty_file("# Tasks\n- look at the mail"));
    }
}
