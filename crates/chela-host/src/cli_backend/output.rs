//! What a backend printed (HAR-96..108).

use chela_models::Usage;
use serde_json::Value;

use super::config::Output;
use super::run::Done;

/// Depth at which nested values are still looked into for text.
const DEPTH: usize = 8;

/// The answer in the output.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub text: String,
    pub session: Option<String>,
    pub usage: Usage,
}

/// Reads the output of a run that ended by itself.
///
/// # Errors
/// What the program says went wrong.
pub(super) fn read(done: &Done, mode: Output, session_fields: &[String]) -> Result<Answer, String> {
    if done.code != Some(0) {
        return Err(failure(done));
    }
    let raw = done.stdout.trim();
    if mode == Output::Text {
        return Ok(Answer { text: raw.into(), ..Answer::default() });
    }
    if done.cut {
        return Err("its output is longer than 1 MiB and was not read".into());
    }
    let records = records(raw);
    if let Some(error) = records.iter().find_map(error_of) {
        return Err(error);
    }
    let mut answer = Answer { session: records.iter().rev().find_map(|r| session_of(r, session_fields, mode)), ..Answer::default() };
    answer.usage = records.iter().rev().find_map(usage_of).unwrap_or_default();
    answer.text = match mode {
        Output::Jsonl => lines_text(&records),
        _ => records.iter().rev().map(text_of).find(|t| !t.trim().is_empty()),
    }
    .unwrap_or_else(|| if records.is_empty() { raw.to_string() } else { String::new() });
    answer.text = answer.text.trim().to_string();
    Ok(answer)
}

/// The whole text as JSON, else one record for each line, else each balanced object in it (HAR-97).
fn records(raw: &str) -> Vec<Value> {
    if let Ok(whole) = serde_json::from_str::<Value>(raw) {
        return match whole {
            Value::Array(all) => all,
            one => vec![one],
        };
    }
    let by_line: Vec<Value> = raw.lines().filter_map(|line| serde_json::from_str(line.trim()).ok()).filter(Value::is_object).collect();
    if !by_line.is_empty() {
        return by_line;
    }
    let mut found = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find('{') {
        let mut stream = serde_json::Deserializer::from_str(&rest[at..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                rest = &rest[at + stream.byte_offset()..];
                found.push(value);
            }
            _ => rest = &rest[at + 1..],
        }
    }
    found
}

/// Text of the final record, else of all messages (HAR-101, HAR-102).
fn lines_text(records: &[Value]) -> Option<String> {
    if let Some(result) = records.iter().rev().find(|r| r["type"] == "result").map(text_of).filter(|t| !t.is_empty()) {
        return Some(result);
    }
    let texts: Vec<String> = records
        .iter()
        .map(|record| record.get("item").filter(|i| i.is_object()).unwrap_or(record))
        .filter(|item| item.get("type").and_then(Value::as_str).is_none_or(|t| t.is_empty() || t.contains("message")))
        .map(text_of)
        .filter(|t| !t.trim().is_empty())
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn text_of(value: &Value) -> String {
    fn look(value: &Value, depth: usize) -> String {
        match value {
            _ if depth == 0 => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(all) => all.iter().map(|v| look(v, depth - 1)).collect(),
            Value::Object(object) => {
                let members = ["message", "content", "result", "response", "text"];
                let found = members.iter().filter_map(|key| object.get(*key)).map(|v| look(v, depth - 1));
                found.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default()
            }
            _ => String::new(),
        }
    }
    look(value, DEPTH)
}

fn session_of(record: &Value, fields: &[String], mode: Output) -> Option<String> {
    let extra = (mode == Output::Jsonl).then_some("thread_id");
    fields.iter().map(String::as_str).chain(extra).find_map(|key| chela_plugin::value::text(record, key)).map(str::to_string)
}

fn usage_of(record: &Value) -> Option<Usage> {
    let usage = ["usage", "stats"].iter().find_map(|key| record.get(*key)).filter(|u| u.is_object())?;
    let number = |names: &[&str]| names.iter().find_map(|n| usage.get(*n)?.as_u64()).unwrap_or(0);
    let usage = Usage {
        input: number(&["input_tokens", "inputTokens", "input", "prompt_tokens"]),
        output: number(&["output_tokens", "outputTokens", "output", "completion_tokens"]),
        cache_read: number(&["cache_read_input_tokens", "cacheRead", "cacheReadTokens"]),
        cache_write: number(&["cache_creation_input_tokens", "cacheWrite", "cacheWriteTokens"]),
        total: 0,
    };
    Some(usage.with_total())
}

/// HAR-106.
fn error_of(record: &Value) -> Option<String> {
    let failed = record.get("is_error") == Some(&Value::Bool(true)) || record["type"] == "error";
    failed.then(|| {
        let text = record.get("error").map(text_of).filter(|t| !t.is_empty()).unwrap_or_else(|| text_of(record));
        if text.trim().is_empty() { "it reported an error without words".into() } else { text.trim().to_string() }
    })
}

/// HAR-107.
fn failure(done: &Done) -> String {
    let structured = [&done.stderr, &done.stdout].into_iter().flat_map(|text| records(text.trim())).find_map(|r| error_of(&r));
    let plain = [&done.stderr, &done.stdout].into_iter().map(|t| t.trim()).find(|t| !t.is_empty()).map(str::to_string);
    let code = done.code.map_or_else(|| "was killed".to_string(), |code| format!("ended with code {code}"));
    match structured.or(plain) {
        Some(text) => format!("{code}: {}", text.chars().take(2000).collect::<String>()),
        None => format!("{code} and said nothing"),
    }
}

/// Words of a program that has forgotten a session.
pub(super) fn is_session_gone(error: &str) -> bool {
    let text = error.to_lowercase();
    let thing = ["session", "conversation", "thread"].iter().any(|word| text.contains(word));
    thing && ["not found", "no conversation", "expired", "does not exist", "unknown", "no such"].iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(stdout: &str) -> Done {
        Done { code: Some(0), stdout: stdout.into(), stderr: String::new(), cut: false }
    }

    fn fields() -> Vec<String> {
        vec!["session_id".into()]
    }

    // HAR-97, HAR-98, HAR-99, HAR-100, HAR-101, HAR-104, HAR-105, HAR-106
    #[test]
    fn text_session_and_usage_are_found_in_each_form() {
        let cases = [
            (Output::Text, "  plain ", "plain", None),
            (Output::Json, r#"{"result": "a", "session_id": "s"}"#, "a", Some("s")),
            (Output::Json, "noise {\"message\": {\"content\": [{\"text\": \"b\"}]}} more {\"x\": 1}", "b", None),
            (Output::Json, "not json at all", "not json at all", None),
            (
                Output::Jsonl,
                "{\"type\":\"start\",\"thread_id\":\"t\"}\n{\"item\":{\"type\":\"agent_message\",\"text\":\"one\"}}\n{\"type\":\"message\",\"content\":\"two\"}\n{\"type\":\"tool\",\"text\":\"no\"}",
                "one\ntwo",
                Some("t"),
            ),
            (
                Output::Jsonl,
                "{\"type\":\"assistant\",\"message\":\"early\"}\n{\"type\":\"result\",\"result\":\"final\",\"session_id\":\"s\"}",
                "final",
                Some("s"),
            ),
        ];
        for (mode, raw, text, session) in cases {
            let answer = read(&done(raw), mode, &fields()).unwrap();
            assert_eq!((answer.text.as_str(), answer.session.as_deref()), (text, session), "{raw}");
        }
        let usage = read(&done(r#"{"result":"a","usage":{"input_tokens":3,"output_tokens":4}}"#), Output::Json, &fields()).unwrap().usage;
        assert_eq!((usage.input, usage.output, usage.total), (3, 4, 7));
        assert_eq!(read(&done(r#"{"is_error":true,"result":"no credit"}"#), Output::Json, &fields()).unwrap_err(), "no credit");
    }

    // HAR-96, HAR-107
    #[test]
    fn failures_name_what_the_program_said() {
        let failed =
            Done { code: Some(2), stdout: "out".into(), stderr: r#"{"type":"error","error":{"message":"bad key"}}"#.into(), cut: false };
        assert_eq!(read(&failed, Output::Json, &fields()).unwrap_err(), "ended with code 2: bad key");
        let silent = Done { code: None, stdout: String::new(), stderr: String::new(), cut: false };
        assert_eq!(read(&silent, Output::Text, &fields()).unwrap_err(), "was killed and said nothing");
        assert!(read(&Done { cut: true, ..done("{}") }, Output::Json, &fields()).unwrap_err().contains("1 MiB"));
        assert!(is_session_gone("No conversation found with session ID: 3") && !is_session_gone("bad key"));
    }
}
