//! Finds the tools that a message names with arguments.

use chela_models::ToolSpec;
use serde_json::{Map, Value};

/// A call that the message asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub name: String,
    /// Arguments, or what is wrong with them.
    pub arguments: Result<Value, String>,
}

/// Reads all calls in a message: `/tool NAME ...`, `use NAME ...` and `NAME ...`, where `...` is a JSON object or
/// `key=value` pairs. Only names on offer count, and a bare name without arguments is just a word.
pub(crate) fn commands(text: &str, tools: &[ToolSpec]) -> Vec<Command> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match command_at(text, at, tools) {
            Some((command, end)) => {
                found.push(command);
                at = end;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn command_at(text: &str, at: usize, tools: &[ToolSpec]) -> Option<(Command, usize)> {
    let before = text[..at].chars().next_back();
    if before.is_some_and(|c| is_name_char(c) || c == '/') {
        return None;
    }
    let rest = &text[at..];
    let (explicit, name_at) = match keyword(rest) {
        Some(length) => (true, at + length),
        None => (false, at),
    };
    let (tool, end) = tool_at(text, name_at, tools)?;
    let gap = text[end..].len() - text[end..].trim_start_matches([' ', '\t', ':']).len();
    let (arguments, end) = match arguments_at(text, end + gap, tool) {
        Some(found) => found,
        // Without arguments the name must be the whole rest of the line, so that prose calls nothing.
        None if explicit && line_ends(&text[end..]) => (Ok(Value::Object(Map::new())), end),
        None => return None,
    };
    Some((Command { name: tool.name.clone(), arguments }, end))
}

/// Length of `/tool ` or `use ` at the beginning.
fn keyword(rest: &str) -> Option<usize> {
    ["/tool", "use"].iter().find_map(|word| {
        let head = rest.get(..word.len()).filter(|h| h.eq_ignore_ascii_case(word))?;
        let spaces = rest[head.len()..].len() - rest[head.len()..].trim_start_matches([' ', '\t']).len();
        (spaces > 0).then_some(head.len() + spaces)
    })
}

fn tool_at<'a>(text: &str, at: usize, tools: &'a [ToolSpec]) -> Option<(&'a ToolSpec, usize)> {
    let rest = &text[at..];
    // Back quotes around a name are how people write it.
    let quoted = usize::from(rest.starts_with('`'));
    let rest = &rest[quoted..];
    let length = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
    let word = &rest[..length];
    // A full stop may end the sentence instead of belonging to the name.
    let trimmed = word.trim_end_matches('.');
    let tool = tools.iter().find(|t| t.name == word).or_else(|| tools.iter().find(|t| t.name == trimmed))?;
    let close = usize::from(quoted == 1 && rest[tool.name.len()..].starts_with('`'));
    (quoted == close).then_some((tool, at + quoted + tool.name.len() + close))
}

fn line_ends(rest: &str) -> bool {
    let line = rest.lines().next().unwrap_or_default();
    line.trim_matches(['.', '!', ' ', '\t', '\r']).is_empty()
}

type Arguments = (Result<Value, String>, usize);

fn arguments_at(text: &str, at: usize, tool: &ToolSpec) -> Option<Arguments> {
    let rest = &text[at..];
    if rest.starts_with('{') {
        return Some(json_at(text, at));
    }
    let (mut map, mut end) = (Map::new(), at);
    let mut next = at;
    while let Some((key, value, after)) = pair_at(text, next) {
        let value = typed(&tool.parameters, &key, value);
        map.insert(key, value);
        end = after;
        next = after + (text[after..].len() - text[after..].trim_start_matches([' ', '\t', ',']).len());
    }
    (!map.is_empty()).then_some((Ok(Value::Object(map)), end))
}

fn json_at(text: &str, at: usize) -> Arguments {
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => (Ok(value), at + values.byte_offset()),
        // What follows broken JSON cannot be told apart from it.
        Some(Err(e)) => (Err(e.to_string()), text.len()),
        None => (Err("there is nothing".to_owned()), text.len()),
    }
}

enum Raw {
    Quoted(String),
    Bare(String),
}

fn pair_at(text: &str, at: usize) -> Option<(String, Raw, usize)> {
    let rest = &text[at..];
    let equals = rest.find('=')?;
    let key = &rest[..equals];
    let first = key.chars().next()?;
    if !(first.is_alphabetic() || first == '_') || !key.chars().all(is_name_char) {
        return None;
    }
    let value_at = at + equals + 1;
    let value = &text[value_at..];
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (content, length) = quoted(&value[1..], quote)?;
            Some((key.to_owned(), Raw::Quoted(content), value_at + 1 + length))
        }
        Some('{' | '[') => {
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
            let parsed = values.next()?.ok()?;
            Some((key.to_owned(), Raw::Bare(parsed.to_string()), value_at + values.byte_offset()))
        }
        _ => {
            let length = value.find(char::is_whitespace).unwrap_or(value.len());
            Some((key.to_owned(), Raw::Bare(value[..length].trim_end_matches(',').to_owned()), value_at + length))
        }
    }
}

/// The text up to the closing quote, and the length with it.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let (mut out, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                out.push(match c {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            '\\' => escaped = true,
            c if c == quote => return Some((out, at + c.len_utf8())),
            c => out.push(c),
        }
    }
    None
}

/// Gives a value the type that the tool's schema asks for; without one, what looks like JSON is JSON.
fn typed(schema: &Value, key: &str, raw: Raw) -> Value {
    let text = match raw {
        Raw::Quoted(text) => return Value::String(text),
        Raw::Bare(text) => text,
    };
    let wants_text = schema.pointer(&format!("/properties/{key}/type")).and_then(Value::as_str) == Some("string");
    if wants_text {
        return Value::String(text);
    }
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools() -> Vec<ToolSpec> {
        let tool = |name: &str, properties: Value| ToolSpec {
            name: name.to_owned(),
            description: String::new(),
            parameters: json!({"type": "object", "properties": properties}),
        };
        vec![tool("echo", json!({"id": {"type": "string"}})), tool("web.get", json!({})), tool("add", json!({}))]
    }

    fn read(text: &str) -> Vec<(String, Value)> {
        commands(text, &tools()).into_iter().map(|c| (c.name, c.arguments.unwrap_or_else(Value::String))).collect()
    }

    #[test]
    fn forms() {
        let echo = |arguments: Value| vec![("echo".to_owned(), arguments)];
        let cases = [
            (r#"/tool echo {"a": 1}"#, echo(json!({"a": 1}))),
            (r#"use echo {"a": 1}"#, echo(json!({"a": 1}))),
            (r#"Please Use `echo` {"a": 1} now"#, echo(json!({"a": 1}))),
            (r#"echo {"a": {"b": "}"}}"#, echo(json!({"a": {"b": "}"}}))),
            ("echo {\n \"a\": 1\n}", echo(json!({"a": 1}))),
            (
                r#"echo a=1 b="two words" c=x d=true e=[1,2] f='q'"#,
                echo(json!({"a": 1, "b": "two words", "c": "x", "d": true, "e": [1, 2], "f": "q"})),
            ),
            ("[Sun 19:00] echo id=007", echo(json!({"id": "007"}))),
            (r#"echo a="x \"y\"\n" rest of it"#, echo(json!({"a": "x \"y\"\n"}))),
            ("/tool echo", echo(json!({}))),
            ("use echo.", echo(json!({}))),
            ("use echo wisely", vec![]),
            ("the echo of the hills", vec![]),
            ("my-echo {\"a\":1}", vec![]),
            ("/echo {\"a\":1}", vec![]),
            ("/tool unknown {}", vec![]),
            ("", vec![]),
            ("é = echo", vec![]),
        ];
        for (text, want) in cases {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn several_calls() {
        let found = read("echo {\"a\":1} and web.get url=http://x/?a=b\nuse add {}\n/tool add");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["echo", "web.get", "add", "add"]);
        assert_eq!(found[1].1, json!({"url": "http://x/?a=b"}));
    }

    #[test]
    fn broken_json_is_reported() {
        let found = commands("echo {\"a\": oops}", &tools());
        assert!(found[0].arguments.is_err());
    }
}
