//! `session.sendPolicy` and `sendPolicy` of a session: whether answers of the agent leave through a channel.
//!
//! A run that may not answer happens all the same; only its delivery is left out (HOOK-211).

use chela_config::Config;
use chela_store::SessionRow;
use serde_json::Value;

/// What a rule can look at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Session key.
    pub key: &'a str,
    /// Channel id.
    pub channel: &'a str,
    /// `direct`, `group` or `channel`, where it is known.
    pub chat_type: Option<&'a str>,
}

/// True when nothing may be delivered. The session's own word counts first, then the first rule that denies, then the default.
pub fn denies(config: &Config, row: Option<&SessionRow>, place: Place<'_>) -> bool {
    match row.and_then(|row| action(row.extra.get("sendPolicy"))) {
        Some(deny) => deny,
        None => config.get("session.sendPolicy").is_some_and(|policy| by_rules(policy, place)),
    }
}

fn by_rules(policy: &Value, place: Place<'_>) -> bool {
    let rules = policy.get("rules").and_then(Value::as_array).into_iter().flatten();
    let mut matching = rules.filter(|rule| rule.is_object() && fits(rule.get("match").unwrap_or(&Value::Null), place)).peekable();
    let any = matching.peek().is_some();
    matching.any(|rule| action(rule.get("action")) == Some(true)) || (!any && action(policy.get("default")) == Some(true))
}

fn fits(rule: &Value, place: Place<'_>) -> bool {
    let wanted = |name: &str| rule.get(name).and_then(Value::as_str).map(|t| t.trim().to_lowercase()).filter(|t| !t.is_empty());
    let key = place.key.to_lowercase();
    let inner = key.strip_prefix("agent:").and_then(|rest| rest.split_once(':')).map_or(key.as_str(), |(_, inner)| inner);
    let same = |name: &str, is: Option<&str>| wanted(name).is_none_or(|w| is.is_some_and(|is| is.eq_ignore_ascii_case(&w)));
    let chat_type = wanted("chatType").map(|kind| if kind == "dm" { "direct".to_string() } else { kind });
    same("channel", Some(place.channel))
        && chat_type.is_none_or(|kind| place.chat_type.is_some_and(|is| is.eq_ignore_ascii_case(&kind)))
        && wanted("rawKeyPrefix").is_none_or(|prefix| key.starts_with(&prefix))
        && wanted("keyPrefix").is_none_or(|prefix| key.starts_with(&prefix) || inner.starts_with(&prefix))
}

/// `Some(true)` for `deny`.
fn action(value: Option<&Value>) -> Option<bool> {
    match value?.as_str()?.trim().to_lowercase().as_str() {
        "deny" => Some(true),
        "allow" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_match_all_that_they_name_and_the_first_denial_wins() {
        let group = Place { key: "agent:main:talk:group:7", channel: "talk", chat_type: Some("group") };
        let direct = Place { key: "agent:main:main", channel: "talk", chat_type: Some("direct") };
        let rule = |action: &str, rule: Value| json!({"action": action, "match": rule});
        let cases = [
            (json!({}), false, false),
            (json!({"default": "deny"}), true, true),
            (json!({"rules": [rule("deny", json!({"chatType": "group"}))]}), true, false),
            (json!({"rules": [rule("deny", json!({"chatType": "dm", "channel": " TALK "}))]}), false, true),
            (json!({"rules": [rule("deny", json!({"channel": "other"}))]}), false, false),
            (json!({"rules": [rule("allow", json!({"keyPrefix": "talk:"}))], "default": "deny"}), false, true),
            (json!({"rules": [rule("deny", json!({"rawKeyPrefix": "talk:"}))]}), false, false),
            (json!({"rules": [rule("deny", json!({"rawKeyPrefix": "agent:main:talk"}))]}), true, false),
            (json!({"rules": [rule("allow", json!({})), rule("deny", json!({"chatType": "group"}))]}), true, false),
        ];
        for (policy, in_group, in_direct) in cases {
            assert_eq!((by_rules(&policy, group), by_rules(&policy, direct)), (in_group, in_direct), "{policy}");
        }
    }
}
