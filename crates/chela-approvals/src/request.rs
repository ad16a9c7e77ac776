//! What a request may say (HOOK-180, HOOK-181): what comes from plugins and clients is checked here before anybody sees it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::Decision;

/// Time for an answer to a plugin's request when it does not say (HOOK-182).
pub const PLUGIN_TIMEOUT: Duration = Duration::from_millis(120_000);
/// Longest time that a plugin may ask for (HOOK-180).
pub const PLUGIN_TIMEOUT_MAX: Duration = Duration::from_millis(600_000);
/// Time for an answer to a command when nobody says.
pub const EXEC_TIMEOUT: Duration = Duration::from_millis(1_800_000);
/// Longest time for an answer to a command: a request must not wait for ever.
pub const EXEC_TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Ids that start so are those of plugin requests (HOOK-183).
pub const PLUGIN_PREFIX: &str = "plugin:";
/// Longest id, and longest of the short texts, in characters.
const SHORT: usize = 512;
/// Longest command, in characters.
const COMMAND: usize = 64 * 1024;

const PLUGIN_MEMBERS: &[&str] = &[
    "pluginId",
    "title",
    "description",
    "severity",
    "toolName",
    "toolCallId",
    "allowedDecisions",
    "agentId",
    "sessionKey",
    "turnSourceChannel",
    "turnSourceTo",
    "turnSourceAccountId",
    "turnSourceThreadId",
    "timeoutMs",
    "twoPhase",
];

const EXEC_MEMBERS: &[&str] = &[
    "id",
    "command",
    "commandArgv",
    "commandSpans",
    "systemRunPlan",
    "env",
    "cwd",
    "nodeId",
    "host",
    "security",
    "ask",
    "warningText",
    "agentId",
    "resolvedPath",
    "sessionKey",
    "turnSourceChannel",
    "turnSourceTo",
    "turnSourceAccountId",
    "turnSourceThreadId",
    "timeoutMs",
    "twoPhase",
];

/// A checked request.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The id that the client chose.
    pub id: Option<String>,
    /// What clients see.
    pub request: Value,
    /// Time for an answer.
    pub timeout: Duration,
    /// The client wants to be told that the request is there, and the answer later (HOOK-179).
    pub two_phase: bool,
}

/// Checks the parameters of `plugin.approval.request`.
///
/// # Errors
/// What is wrong, naming the member.
pub fn plugin(params: &Value) -> Result<Checked, String> {
    let p = members(params, PLUGIN_MEMBERS)?;
    let request = json!({
        "pluginId": text(p, "pluginId", SHORT)?,
        "title": required(p, "title", 80)?,
        "description": required(p, "description", 256)?,
        "severity": one_of(p, "severity", &["info", "warning", "critical"])?,
        "toolName": text(p, "toolName", SHORT)?,
        "toolCallId": text(p, "toolCallId", SHORT)?,
        "agentId": text(p, "agentId", SHORT)?,
        "sessionKey": text(p, "sessionKey", SHORT)?,
        "turnSourceChannel": trimmed(p, "turnSourceChannel")?,
        "turnSourceTo": trimmed(p, "turnSourceTo")?,
        "turnSourceAccountId": trimmed(p, "turnSourceAccountId")?,
        "turnSourceThreadId": thread(p)?,
    });
    let mut request = request;
    if let Some(decisions) = decisions(p)? {
        request["allowedDecisions"] = decisions;
    }
    let timeout = millis(p, PLUGIN_TIMEOUT_MAX, false)?.unwrap_or(PLUGIN_TIMEOUT);
    Ok(Checked { id: None, request, timeout, two_phase: flag(p, "twoPhase")? })
}

/// Checks the parameters of `exec.approval.request`.
///
/// # Errors
/// What is wrong, naming the member.
pub fn exec(params: &Value) -> Result<Checked, String> {
    let p = members(params, EXEC_MEMBERS)?;
    let id = trimmed(p, "id")?.as_str().map(str::to_owned);
    if id.as_deref().is_some_and(|id| id.starts_with(PLUGIN_PREFIX)) {
        return Err(format!("approval ids starting with {PLUGIN_PREFIX} are reserved"));
    }
    let host = trimmed(p, "host")?;
    if host == "node" {
        return Err("host `node` is not built: there are no node hosts yet".into());
    }
    let command = text(p, "command", COMMAND)?;
    let argv = texts(p, "commandArgv")?;
    let command = match command.as_str().map(str::trim) {
        Some(command) if !command.is_empty() => command.to_owned(),
        _ => argv.as_ref().map(|argv| argv.join(" ")).filter(|c| !c.trim().is_empty()).ok_or("command is required")?,
    };
    let mut request = json!({
        "command": visible(&command),
        "cwd": text(p, "cwd", SHORT * 8)?,
        "nodeId": Value::Null,
        "host": host,
        "security": one_of(p, "security", &["deny", "allowlist", "full"])?,
        "ask": one_of(p, "ask", &["off", "on-miss", "always"])?,
        "warningText": text(p, "warningText", COMMAND)?.as_str().map(|t| visible(t.trim())).filter(|t| !t.is_empty()),
        "agentId": text(p, "agentId", SHORT)?,
        "resolvedPath": text(p, "resolvedPath", SHORT * 8)?,
        "sessionKey": text(p, "sessionKey", SHORT)?,
        "turnSourceChannel": trimmed(p, "turnSourceChannel")?,
        "turnSourceTo": trimmed(p, "turnSourceTo")?,
        "turnSourceAccountId": trimmed(p, "turnSourceAccountId")?,
        "turnSourceThreadId": thread(p)?,
    });
    let decisions: &[Decision] = if request["ask"] == "always" { &[Decision::AllowOnce, Decision::Deny] } else { &Decision::ALL };
    request["allowedDecisions"] = decisions.iter().map(|d| d.as_str()).collect();
    if let Some(argv) = argv {
        request["commandArgv"] = argv.into();
    }
    if let Some(env) = p.get("env").filter(|v| !v.is_null()) {
        let env = env.as_object().ok_or("env must be an object")?;
        let mut keys: Vec<&String> = env.keys().collect();
        keys.sort_unstable();
        request["envKeys"] = keys.into_iter().take(100).map(|key| visible(key)).collect();
    }
    let timeout = millis(p, EXEC_TIMEOUT_MAX, true)?.unwrap_or(EXEC_TIMEOUT);
    Ok(Checked { id, request, timeout, two_phase: flag(p, "twoPhase")? })
}

/// A text that shows what it is: control and direction characters, which could hide a part of a command, are written out.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hides = (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
            || matches!(c, '\u{e0000}'..='\u{e007f}');
        if hides {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

type Members = Map<String, Value>;

fn members<'a>(params: &'a Value, known: &[&str]) -> Result<&'a Members, String> {
    let map = params.as_object().ok_or("must be object")?;
    match map.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("unexpected property '{}'", visible(name))),
        None => Ok(map),
    }
}

fn text(p: &Members, name: &str, longest: usize) -> Result<Value, String> {
    match p.get(name) {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) if text.chars().count() <= longest => Ok(text.as_str().into()),
        Some(Value::String(_)) => Err(format!("{name} must NOT have more than {longest} characters")),
        Some(_) => Err(format!("{name} must be string")),
    }
}

fn trimmed(p: &Members, name: &str) -> Result<Value, String> {
    Ok(text(p, name, SHORT)?.as_str().map(str::trim).filter(|t| !t.is_empty()).into())
}

fn required(p: &Members, name: &str, longest: usize) -> Result<Value, String> {
    match text(p, name, longest)? {
        Value::Null => Err(format!("must have required property '{name}'")),
        Value::String(text) if text.is_empty() => Err(format!("{name} must NOT have fewer than 1 characters")),
        Value::String(text) => Ok(visible(&text).into()),
        other => Ok(other),
    }
}

fn one_of(p: &Members, name: &str, words: &[&str]) -> Result<Value, String> {
    match text(p, name, SHORT)? {
        Value::String(word) if !words.contains(&word.as_str()) => Err(format!("{name} must be one of {}", words.join(", "))),
        value => Ok(value),
    }
}

fn texts(p: &Members, name: &str) -> Result<Option<Vec<String>>, String> {
    match p.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) if list.len() <= 4096 => {
            let own = list.iter().map(|v| v.as_str().map(visible)).collect::<Option<Vec<_>>>();
            own.map(Some).ok_or_else(|| format!("{name} must be a list of texts"))
        }
        Some(_) => Err(format!("{name} must be a list of texts")),
    }
}

fn thread(p: &Members) -> Result<Value, String> {
    match p.get("turnSourceThreadId") {
        Some(value @ Value::Number(_)) => Ok(value.clone()),
        _ => text(p, "turnSourceThreadId", SHORT),
    }
}

fn decisions(p: &Members) -> Result<Option<Value>, String> {
    let Some(list) = p.get("allowedDecisions").filter(|v| !v.is_null()) else { return Ok(None) };
    let list = list.as_array().filter(|list| (1..=3).contains(&list.len())).ok_or("allowedDecisions must have 1 to 3 items")?;
    let mut own: Vec<&str> = Vec::new();
    for item in list {
        let decision = item.as_str().and_then(Decision::parse);
        let word = decision.ok_or("allowedDecisions may hold allow-once, allow-always and deny")?.as_str();
        if !own.contains(&word) {
            own.push(word);
        }
    }
    Ok(Some(own.into()))
}

fn millis(p: &Members, longest: Duration, clamp: bool) -> Result<Option<Duration>, String> {
    let Some(value) = p.get("timeoutMs").filter(|v| !v.is_null()) else { return Ok(None) };
    let ms = value.as_u64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0 && *f < 1e15).map(|f| f as u64));
    let ms = ms.filter(|ms| *ms >= 1).ok_or("timeoutMs must be a whole number of at least 1")?;
    let limit = longest.as_millis() as u64;
    if ms > limit && !clamp {
        return Err(format!("timeoutMs must be <= {limit}"));
    }
    Ok(Some(Duration::from_millis(ms.min(limit))))
}

fn flag(p: &Members, name: &str) -> Result<bool, String> {
    match p.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("{name} must be boolean")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // HOOK-180, HOOK-181, HOOK-182
    #[test]
    fn plugin_requests_are_checked() {
        let ok = plugin(&json!({"title": "t", "description": "d"})).unwrap();
        assert_eq!((ok.timeout, ok.two_phase), (PLUGIN_TIMEOUT, false));
        assert_eq!(ok.request["pluginId"], Value::Null);
        assert!(ok.request.get("allowedDecisions").is_none());
        let full = json!({"title": "t".repeat(80), "description": "d".repeat(256), "severity": "critical", "timeoutMs": 600_000,
            "allowedDecisions": ["deny", "allow-once", "deny"], "turnSourceThreadId": 5, "turnSourceChannel": " x ", "twoPhase": true});
        let full = plugin(&full).unwrap();
        assert_eq!(full.request["allowedDecisions"], json!(["deny", "allow-once"]));
        assert_eq!((&full.request["turnSourceChannel"], full.two_phase), (&json!("x"), true));
        let cases = [
            (json!({"description": "d"}), "'title'"),
            (json!({"title": "", "description": "d"}), "title"),
            (json!({"title": "t".repeat(81), "description": "d"}), "title"),
            (json!({"title": "t", "description": "d".repeat(257)}), "description"),
            (json!({"title": "t", "description": "d", "what": 1}), "'what'"),
            (json!({"title": "t", "description": "d", "severity": "bad"}), "severity"),
            (json!({"title": "t", "description": "d", "timeoutMs": 600_001}), "timeoutMs"),
            (json!({"title": "t", "description": "d", "timeoutMs": 0}), "timeoutMs"),
            (json!({"title": "t", "description": "d", "allowedDecisions": []}), "allowedDecisions"),
            (json!({"title": "t", "description": "d", "allowedDecisions": ["x"]}), "allowedDecisions"),
            (json!([]), "object"),
        ];
        for (params, part) in cases {
            let error = plugin(&params).unwrap_err();
            assert!(error.contains(part), "{params}: {error}");
        }
    }

    #[test]
    fn commands_are_checked_and_shown_as_they_are() {
        let shown = exec(&json!({"command": "echo \u{202e}hi", "ask": "always", "env": {"B": "secret", "A": "1"}})).unwrap();
        assert_eq!(shown.request["command"], "echo \\u{202e}hi");
        assert_eq!(shown.request["envKeys"], json!(["A", "B"]));
        assert!(!shown.request.to_string().contains("secret"));
        assert_eq!(shown.request["allowedDecisions"], json!(["allow-once", "deny"]));
        assert_eq!(exec(&json!({"commandArgv": ["a", "b"]})).unwrap().request["command"], "a b");
        for (params, part) in [
            (json!({}), "command"),
            (json!({"command": " "}), "command"),
            (json!({"command": "a", "id": "plugin:x"}), "reserved"),
            (json!({"command": "a", "host": "node"}), "not built"),
            (json!({"command": "a", "ask": "often"}), "ask"),
            (json!({"command": "a", "env": 5}), "env"),
        ] {
            let error = exec(&params).unwrap_err();
            assert!(error.contains(part), "{params}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_checks(title in ".{0,90}", name in ".{0,12}", number in any::<f64>()) {
            let params = json!({"title": title.clone(), "description": "d", "timeoutMs": number, name: title});
            if let Ok(checked) = plugin(&params) {
                prop_assert!(checked.timeout <= PLUGIN_TIMEOUT_MAX);
                prop_assert!(checked.request["title"].as_str().unwrap().chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')));
            }
            let _ = exec(&params);
        }
    }
}
