//! Where requests are told in chats: `approvals.exec` and `approvals.plugin` of the config (HOOK-194).

use regex::Regex;
use serde_json::Value;

use crate::ApprovalKind;

/// A place in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Channel id.
    pub channel: String,
    /// Recipient.
    pub to: String,
    /// Account of the channel.
    pub account: Option<String>,
    /// Thread of the channel.
    pub thread: Option<String>,
}

/// The places that hear of a request, each once.
pub fn targets(config: &Value, kind: ApprovalKind, request: &Value) -> Vec<Target> {
    let rules = &config["approvals"][kind.as_str()];
    if rules["enabled"] != Value::Bool(true) || !concerns(rules, request) {
        return Vec::new();
    }
    let mode = rules["mode"].as_str().unwrap_or("session");
    let mut out: Vec<Target> = Vec::new();
    if matches!(mode, "session" | "both") {
        out.extend(source(request));
    }
    if matches!(mode, "targets" | "both") {
        for row in rules["targets"].as_array().into_iter().flatten() {
            let target = target(&row["channel"], &row["to"], &row["accountId"], &row["threadId"]);
            if let Some(target) = target.filter(|t| !out.contains(t)) {
                out.push(target);
            }
        }
    }
    out
}

/// The chat in which the turn began.
pub fn source(request: &Value) -> Option<Target> {
    let part = |name: &str| &request[name];
    let target = target(part("turnSourceChannel"), part("turnSourceTo"), part("turnSourceAccountId"), part("turnSourceThreadId"))?;
    (target.channel != "webchat").then_some(target)
}

/// True when both filters let the request pass; an absent filter does.
fn concerns(rules: &Value, request: &Value) -> bool {
    let words = |name: &str| -> Vec<&str> { rules[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    let (agents, sessions) = (words("agentFilter"), words("sessionFilter"));
    let key = request["sessionKey"].as_str().unwrap_or_default();
    // A key is `agent:<id>:...`.
    let agent = request["agentId"].as_str().or_else(|| key.strip_prefix("agent:")?.split(':').next()).unwrap_or_default();
    let session = |pattern: &&str| key.contains(*pattern) || bounded(pattern).is_some_and(|pattern| pattern.is_match(key));
    (agents.is_empty() || agents.contains(&agent)) && (sessions.is_empty() || sessions.iter().any(session))
}

/// A pattern of the config, refused when it is costly.
fn bounded(pattern: &str) -> Option<Regex> {
    regex::RegexBuilder::new(pattern).size_limit(1 << 16).build().ok()
}

fn target(channel: &Value, to: &Value, account: &Value, thread: &Value) -> Option<Target> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Some(Target { channel: text(channel)?.to_lowercase(), to: text(to)?, account: text(account), thread: text(thread) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-194
    #[test]
    fn requests_go_where_the_config_says() {
        let request = json!({"sessionKey": "agent:main:telegram:5", "turnSourceChannel": "telegram", "turnSourceTo": "5"});
        let targets_of = |rules: Value| -> Vec<String> {
            let config = json!({"approvals": {"plugin": rules}});
            targets(&config, ApprovalKind::Plugin, &request).into_iter().map(|t| format!("{}/{}", t.channel, t.to)).collect()
        };
        let more = json!([{"channel": "Slack", "to": "U1"}, {"channel": "telegram", "to": 5}, {"channel": "x"}]);
        let none: Vec<String> = Vec::new();
        assert_eq!(targets_of(json!({})), none);
        assert_eq!(targets_of(json!({"enabled": true})), ["telegram/5"]);
        assert_eq!(targets_of(json!({"enabled": true, "mode": "targets", "targets": more})), ["slack/U1", "telegram/5"]);
        assert_eq!(targets_of(json!({"enabled": true, "mode": "both", "targets": more})), ["telegram/5", "slack/U1"]);
        assert_eq!(targets_of(json!({"enabled": true, "agentFilter": ["other"]})), none);
        assert_eq!(targets_of(json!({"enabled": true, "agentFilter": ["main"], "sessionFilter": ["tele.*:5$"]})), ["telegram/5"]);
        assert_eq!(targets_of(json!({"enabled": true, "sessionFilter": ["slack"]})), none);
        let other = targets(&json!({"approvals": {"plugin": {"enabled": true}}}), ApprovalKind::Exec, &request);
        assert!(other.is_empty(), "the sections are independent");
        assert!(source(&json!({"turnSourceChannel": "webchat", "turnSourceTo": "x"})).is_none());
    }
}
