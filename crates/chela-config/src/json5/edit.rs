//! Changing a text into one with another value while touching as little of it as possible: comments,
//! order of keys, indentation and quoting of everything that stays the same stay as they are.

use std::ops::Range;

use serde_json::{Map, Value};

use super::lexer::is_name_char;
use super::{Element, Kind, Member, Node, SyntaxError, parse, parse_value, same_value};

/// A changed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The new text.
    pub text: String,
    /// Whether comments went missing because the text had to be written anew.
    pub comments_lost: bool,
}

/// Rewrites `text` so that it holds `target`.
///
/// # Errors
/// [`SyntaxError`] when `text` is not JSON5.
pub fn rewrite(text: &str, target: &Value) -> Result<Rewritten, SyntaxError> {
    let root = parse(text)?;
    let mut editor = Editor { text, style: Style::of(text, &root), edits: Vec::new() };
    editor.change(&root, target, 0);
    let edited = editor.apply();
    // The result is checked rather than trusted: a wrong edit must never reach the user's file.
    if parse_value(&edited).is_ok_and(|value| same_value(&value, target)) {
        return Ok(Rewritten { text: edited, comments_lost: false });
    }
    let comments_lost = text.contains("//") || text.contains("/*");
    Ok(Rewritten { text: format!("{}\n", Style::default().render(target, 0)), comments_lost })
}

#[derive(Debug, Clone)]
struct Style {
    indent: String,
    quote_keys: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { indent: "  ".to_owned(), quote_keys: true }
    }
}

impl Style {
    /// Takes indentation and quoting of keys from the outermost object.
    fn of(text: &str, root: &Node) -> Self {
        let mut style = Self::default();
        if let Kind::Object(members) = &root.kind
            && let Some(first) = members.first()
        {
            style.quote_keys = members.iter().all(|member| member.quoted);
            if let Some(indent) = line_indent(text, first.key_span.start).filter(|indent| !indent.is_empty()) {
                style.indent = indent.to_owned();
            }
        }
        style
    }

    fn key(&self, key: &str) -> String {
        let mut chars = key.chars();
        let plain = chars.next().is_some_and(|c| is_name_char(c, true)) && chars.all(|c| is_name_char(c, false));
        if plain && !self.quote_keys { key.to_owned() } else { Value::from(key).to_string() }
    }

    /// The value in this style; `base` is the indentation of the line on which it starts.
    fn render(&self, value: &Value, depth: usize) -> String {
        self.render_at(value, &self.indent.repeat(depth))
    }

    fn render_at(&self, value: &Value, base: &str) -> String {
        let inner = format!("{base}{}", self.indent);
        match value {
            Value::Array(items) if !items.is_empty() => {
                let items: Vec<String> = items.iter().map(|item| format!("{inner}{}", self.render_at(item, &inner))).collect();
                format!("[\n{}\n{base}]", items.join(",\n"))
            }
            Value::Object(map) if !map.is_empty() => {
                let items: Vec<String> =
                    map.iter().map(|(key, item)| format!("{inner}{}: {}", self.key(key), self.render_at(item, &inner))).collect();
                format!("{{\n{}\n{base}}}", items.join(",\n"))
            }
            other => other.to_string(),
        }
    }
}

/// One entry of a list or object, seen alike.
struct Entry<'a> {
    start: usize,
    node: &'a Node,
    comma: Option<usize>,
}

struct Editor<'a> {
    text: &'a str,
    style: Style,
    edits: Vec<(Range<usize>, String)>,
}

impl Editor<'_> {
    fn apply(mut self) -> String {
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        // What is inserted has its lines end as the first line of the file does. Strings hold no bare line ends.
        let crlf = self.text.find('\n').is_some_and(|at| self.text[..at].ends_with('\r'));
        let lines = |inserted: &str| if crlf { inserted.replace('\n', "\r\n") } else { inserted.to_owned() };
        let mut out = String::with_capacity(self.text.len() + 64);
        let mut at = 0;
        for (range, replacement) in &self.edits {
            if range.start >= at {
                out.push_str(&self.text[at..range.start]);
                at = range.end;
            }
            out.push_str(&lines(replacement));
        }
        out.push_str(&self.text[at..]);
        out
    }

    fn change(&mut self, node: &Node, target: &Value, depth: usize) {
        match (&node.kind, target) {
            (Kind::Object(members), Value::Object(map)) => self.change_object(node, members, map, depth),
            (Kind::Array(items), Value::Array(wanted)) => self.change_array(node, items, wanted, depth),
            _ if same_value(&node.to_value(), target) => {}
            _ => {
                let base = line_prefix(self.text, node.span.start);
                self.edits.push((node.span.start..node.span.end, self.style.render_at(target, base)));
            }
        }
    }

    fn change_object(&mut self, node: &Node, members: &[Member], map: &Map<String, Value>, depth: usize) {
        let mut kept = Vec::with_capacity(members.len());
        for (at, member) in members.iter().enumerate() {
            // Of a key given twice only the last one counts; it is the one to change.
            let counts = !members[at + 1..].iter().any(|later| later.key == member.key);
            let wanted = map.get(&member.key);
            if let Some(wanted) = wanted.filter(|_| counts) {
                self.change(&member.node, wanted, depth + 1);
            }
            kept.push(wanted.is_some());
        }
        let added: Vec<(Option<&str>, &Value)> = map
            .iter()
            .filter(|(key, _)| !members.iter().any(|member| member.key == **key))
            .map(|(key, value)| (Some(key.as_str()), value))
            .collect();
        let entries: Vec<Entry<'_>> = members.iter().map(|m| Entry { start: m.key_span.start, node: &m.node, comma: m.comma }).collect();
        self.change_entries(node, &entries, &kept, &added);
    }

    fn change_array(&mut self, node: &Node, items: &[Element], wanted: &[Value], depth: usize) {
        let current: Vec<Value> = items.iter().map(|item| item.node.to_value()).collect();
        let head = current.iter().zip(wanted).take_while(|(a, b)| same_value(a, b)).count();
        let tail = current[head..].iter().rev().zip(wanted[head..].iter().rev()).take_while(|(a, b)| same_value(a, b)).count();
        // An insertion in the middle is expressed as changes from there on, so that new entries only
        // ever go to the end.
        let tail = if wanted.len() > current.len() { 0 } else { tail };
        let mut kept = vec![true; items.len()];
        let changed = (wanted.len() - head - tail).min(items.len() - head - tail);
        for at in head..head + changed {
            self.change(&items[at].node, &wanted[at], depth + 1);
        }
        kept[head + changed..items.len() - tail].fill(false);
        let added: Vec<(Option<&str>, &Value)> = wanted[head + changed..wanted.len() - tail].iter().map(|value| (None, value)).collect();
        let entries: Vec<Entry<'_>> =
            items.iter().map(|item| Entry { start: item.node.span.start, node: &item.node, comma: item.comma }).collect();
        self.change_entries(node, &entries, &kept, &added);
    }

    fn change_entries(&mut self, node: &Node, entries: &[Entry<'_>], kept: &[bool], added: &[(Option<&str>, &Value)]) {
        for (entry, _) in entries.iter().zip(kept).filter(|(_, kept)| !**kept) {
            self.remove(entry);
        }
        let last_kept = entries.iter().zip(kept).rfind(|(_, kept)| **kept).map(|(entry, _)| entry);
        let trailing_comma = entries.last().is_some_and(|entry| entry.comma.is_some());
        if let Some(last) = last_kept {
            match last.comma {
                Some(comma) if added.is_empty() && !trailing_comma => self.edits.push((comma..comma + 1, String::new())),
                None if !added.is_empty() => self.edits.push((last.node.span.end..last.node.span.end, ",".to_owned())),
                _ => {}
            }
        }
        if !added.is_empty() {
            self.append(node, entries, added, last_kept.is_some(), trailing_comma);
        }
    }

    /// Takes out an entry with its comma, and its line when it stands alone on it.
    fn remove(&mut self, entry: &Entry<'_>) {
        let mut end = entry.node.span.end;
        if let Some(comma) = entry.comma {
            if self.text[end..comma].trim().is_empty() {
                end = comma + 1;
            } else {
                // A comment stands between value and comma; it stays.
                self.edits.push((comma..comma + 1, String::new()));
            }
        }
        let line_start = self.text[..entry.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let behind = self.text[end..line_end].trim();
        let alone = self.text[line_start..entry.start].trim().is_empty() && (behind.is_empty() || behind.starts_with("//"));
        if alone && line_start > 0 {
            self.edits.push((line_start - 1..line_end, String::new()));
            return;
        }
        while self.text[end..].starts_with(' ') {
            end += 1;
        }
        self.edits.push((entry.start..end, String::new()));
    }

    fn append(&mut self, node: &Node, entries: &[Entry<'_>], added: &[(Option<&str>, &Value)], after_kept: bool, trailing_comma: bool) {
        let close = node.span.end - 1;
        let inner = &self.text[node.span.start + 1..close];
        let content_end = node.span.start + 1 + inner.trim_end_matches(super::lexer::is_space).len();
        let multi_line = entries.is_empty() || inner.contains('\n');
        let base = line_prefix(self.text, node.span.start).to_owned();
        let indent = entries
            .first()
            .and_then(|entry| line_indent(self.text, entry.start))
            .map_or_else(|| format!("{base}{}", self.style.indent), str::to_owned);
        let mut out = String::new();
        for (at, (key, value)) in added.iter().enumerate() {
            if multi_line {
                out.push('\n');
                out.push_str(&indent);
            } else if at > 0 || after_kept {
                out.push(' ');
            }
            if let Some(key) = key {
                out.push_str(&self.style.key(key));
                out.push_str(": ");
            }
            out.push_str(&self.style.render_at(value, if multi_line { &indent } else { &base }));
            if at + 1 < added.len() || trailing_comma {
                out.push(',');
            }
        }
        // On one line the space before the bracket stays where it is; on several lines the bracket
        // gets its own line.
        let tail = if multi_line {
            let on_own_line = self.text[content_end..close].contains('\n');
            if !on_own_line {
                out.push('\n');
                out.push_str(&base);
            }
            if on_own_line { content_end } else { close }
        } else {
            content_end
        };
        self.edits.push((content_end..tail, out));
    }
}

/// The space at the start of the line, when nothing else stands before `at`.
fn line_indent(text: &str, at: usize) -> Option<&str> {
    let start = text[..at].rfind('\n')? + 1;
    Some(&text[start..at]).filter(|prefix| prefix.trim().is_empty())
}

/// The space at the start of the line on which `at` stands.
fn line_prefix(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = &text[start..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SAMPLE: &str = r#"// my gateway
{
  // who may talk to us
  gateway: {
    port: 18789, // default
    mode: 'local', /* only here */
  },
  "list": [1, 2, 3],
  hex: 0xFF, // stays hex
  tools: { allow: ['a'] }
}
// end
"#;

    fn with(change: impl FnOnce(&mut Value)) -> String {
        let mut value = parse_value(SAMPLE).unwrap();
        change(&mut value);
        let done = rewrite(SAMPLE, &value).unwrap();
        assert!(!done.comments_lost);
        assert_eq!(parse_value(&done.text).unwrap(), value);
        done.text
    }

    #[test]
    fn no_change_is_no_change() {
        assert_eq!(with(|_| {}), SAMPLE);
    }

    #[test]
    fn one_value_changes_alone() {
        let text = with(|v| v["gateway"]["port"] = json!(19000));
        assert_eq!(text, SAMPLE.replace("18789", "19000"));
    }

    #[test]
    fn a_new_key_follows_the_style() {
        let text = with(|v| v["gateway"]["bind"] = json!("loopback"));
        assert_eq!(text, SAMPLE.replace("/* only here */\n", "/* only here */\n    bind: \"loopback\",\n"));
        let text = with(|v| v["logging"] = json!({"level": "debug", "a-b": []}));
        assert_eq!(
            text,
            SAMPLE.replace(
                "tools: { allow: ['a'] }\n",
                "tools: { allow: ['a'] },\n  logging: {\n    level: \"debug\",\n    \"a-b\": []\n  }\n"
            )
        );
        let text = with(|v| v["tools"]["deny"] = json!(["x"]));
        assert!(text.contains("{ allow: ['a'], deny: [\n"), "{text}");
    }

    #[test]
    fn removal_takes_its_line_and_leaves_other_comments() {
        let text = with(|v| {
            v["gateway"].as_object_mut().unwrap().shift_remove("port");
        });
        assert_eq!(text, SAMPLE.replace("    port: 18789, // default\n", ""));
        let text = with(|v| {
            v.as_object_mut().unwrap().shift_remove("tools");
        });
        assert!(text.contains("hex: 0xFF // stays hex\n}\n// end"), "{text}");
        let text = with(|v| {
            v["list"].as_array_mut().unwrap().remove(1);
        });
        assert!(text.contains("[1, 3]"), "{text}");
    }

    #[test]
    fn lists_grow_and_shrink() {
        assert!(with(|v| v["list"] = json!([1, 2, 3, 4])).contains("[1, 2, 3, 4]"));
        assert!(with(|v| v["list"] = json!([0, 1, 2, 3])).contains("[0, 1, 2, 3]"));
        assert!(with(|v| v["list"] = json!([])).contains("\"list\": []"));
        assert!(with(|v| v["list"] = json!([3])).contains("[3]"));
    }

    #[test]
    fn strict_json_stays_strict_json() {
        let text = "{\n    \"a\": 1,\n    \"b\": {}\n}\n";
        let done = rewrite(text, &json!({"a": 1})).unwrap();
        assert_eq!(done.text, "{\n    \"a\": 1\n}\n");
        let done = rewrite(text, &json!({"a": 1, "b": {"c": [true]}, "d": null})).unwrap();
        assert_eq!(
            done.text,
            "{\n    \"a\": 1,\n    \"b\": {\n        \"c\": [\n            true\n        ]\n    },\n    \"d\": null\n}\n"
        );
        serde_json::from_str::<Value>(&done.text).unwrap();
    }

    #[test]
    fn line_ends_of_the_file_stay_its_own() {
        let text = "// top\r\n{\r\n  a: 1, // one\r\n  b: { c: 2 },\r\n}\r\n";
        let done = rewrite(text, &json!({"a": 1, "b": {"c": 2}, "d": {"e": "x\ny", "f": [1]}})).unwrap();
        assert_eq!(done.text.matches('\n').count(), done.text.matches("\r\n").count(), "{:?}", done.text);
        assert!(done.text.starts_with("// top\r\n{\r\n  a: 1, // one\r\n  b: { c: 2 },\r\n  d: {\r\n    e: \"x\\ny\""), "{:?}", done.text);
        let done = rewrite(text, &json!({"b": {"c": 2}})).unwrap();
        assert_eq!(done.text, "// top\r\n{\r\n  b: { c: 2 },\r\n}\r\n");
    }

    #[test]
    fn a_repeated_key_changes_where_it_counts() {
        let done = rewrite("{a: 1, b: 2, a: 3}", &json!({"a": 4, "b": 2})).unwrap();
        assert_eq!(done.text, "{a: 1, b: 2, a: 4}");
        let done = rewrite("{a: 1, b: 2, a: 3}", &json!({"b": 2})).unwrap();
        assert_eq!(parse_value(&done.text).unwrap(), json!({"b": 2}));
    }

    #[test]
    fn empty_objects_with_comments() {
        let done = rewrite("{\n  // nothing yet\n}\n", &json!({"a": 1})).unwrap();
        assert_eq!(done.text, "{\n  // nothing yet\n  \"a\": 1\n}\n");
        let done = rewrite("{}", &json!({"a": 1})).unwrap();
        assert_eq!(done.text, "{\n  \"a\": 1\n}");
        let done = rewrite("{ /* x */ }", &json!({"a": 1})).unwrap();
        assert_eq!(done.text, "{ /* x */\n  \"a\": 1\n}");
    }
}
