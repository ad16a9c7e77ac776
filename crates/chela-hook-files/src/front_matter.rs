//! The block between `---` lines at the top of a `HOOK.md`.
//!
//! It is YAML. A block that is no valid YAML is read line by line, because people write descriptions with colons in them.

use serde_json::{Map, Value};

/// Largest front matter that is read, in bytes: hundreds of times what hooks have.
const MAX_BYTES: usize = 64 << 10;
/// Deepest nesting and most nodes of the YAML; metadata has about five levels and fifty nodes.
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 4096;
/// Keys whose value describes the hook for this host; the second is a former name.
const METADATA_KEYS: [&str; 2] = ["openclaw", "clawdbot"];

/// The fields of a front matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrontMatter(Map<String, Value>);

impl FrontMatter {
    /// Reads the front matter of a text; one without it has no fields.
    ///
    /// # Errors
    /// The text of the refusal, when the block is larger than the limit.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let Some(block) = block(&text) else { return Ok(Self::default()) };
        if block.len() > MAX_BYTES {
            return Err(format!("the front matter has {} bytes, the limit is {MAX_BYTES}", block.len()));
        }
        let mut fields = yaml(block).unwrap_or_default();
        for (key, value) in lines(block) {
            if !fields.contains_key(&key) {
                fields.insert(key, value.into());
            }
        }
        Ok(Self(fields))
    }

    /// A scalar field, trimmed; `None` when it is absent or blank.
    pub fn text(&self, key: &str) -> Option<String> {
        let text = match self.0.get(key)? {
            Value::String(text) => text.trim().to_owned(),
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// `metadata.openclaw`: written as YAML, as JSON within YAML, or as JSON5 in a string.
    pub fn metadata(&self) -> Option<Map<String, Value>> {
        let all = match self.0.get("metadata")? {
            Value::Object(all) => all.clone(),
            Value::String(text) if nesting(text) <= MAX_DEPTH => match chela_config::json5::parse_value(text) {
                Ok(Value::Object(all)) => all,
                _ => return None,
            },
            _ => return None,
        };
        METADATA_KEYS.iter().find_map(|key| all.get(*key)?.as_object().cloned())
    }
}

fn block(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("---")?;
    let end = rest.find("\n---")?;
    Some(rest.get(1..end).unwrap_or_default())
}

fn yaml(block: &str) -> Option<Map<String, Value>> {
    let budget = serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES, max_aliases: 64, max_anchors: 64, max_documents: 1 };
    let options = serde_saphyr::options! { budget: budget };
    match serde_saphyr::from_str_with_options::<Value>(block, options) {
        Ok(Value::Object(fields)) => {
            let used = fields.into_iter().filter(|(key, value)| !key.trim().is_empty() && !value.is_null());
            Some(used.map(|(key, value)| (key.trim().to_owned(), value)).collect())
        }
        _ => None,
    }
}

/// `key: value` lines, and keys whose value is the indented lines below.
fn lines(block: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((key, value)) = line.split_once(':') else { continue };
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            continue;
        }
        let mut value = value.trim().to_owned();
        if value.is_empty() {
            let mut below = Vec::new();
            while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with([' ', '\t'])) {
                below.push(line);
            }
            value = below.join("\n").trim().to_owned();
        }
        let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(&value);
        if !bare.is_empty() {
            out.push((key.to_owned(), bare.to_owned()));
        }
    }
    out
}

/// An upper bound of how deep brackets nest; those in strings count too.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> FrontMatter {
        FrontMatter::parse(text).unwrap()
    }

    // HOOK-284
    #[test]
    fn names_and_descriptions() {
        for (text, name, description) in [
            ("---\nname: one\ndescription: \"x: y\"\n---\n# T", Some("one"), Some("x: y")),
            ("\u{feff}---\r\nname: 'two words'\r\n---\r\n", Some("two words"), None),
            // No valid YAML: the lines count.
            ("---\nname: three\ndescription: say: hello: world\n---\n", Some("three"), Some("say: hello: world")),
            ("---\nname: 4\ndescription: >\n  folded\n  text\n---\n", Some("4"), Some("folded text")),
            ("---\nname:\n---\n", None, None),
            ("---\nmetadata:\n  name: inner\n---\nname: later", None, None),
            ("# Title\nname: no", None, None),
            ("---\nname: unclosed", None, None),
            ("", None, None),
        ] {
            let fields = parsed(text);
            assert_eq!((fields.text("name").as_deref(), fields.text("description").as_deref()), (name, description), "{text:?}");
        }
    }

    // HOOK-285
    #[test]
    fn metadata_in_every_spelling() {
        let expected = json!({"emoji": "🔗", "events": ["command:new"], "requires": {"bins": ["node"]}});
        for text in [
            "metadata: { \"openclaw\": { \"emoji\": \"🔗\", \"events\": [\"command:new\"], \"requires\": { \"bins\": [\"node\"] } } }",
            "metadata:\n  {\n    \"openclaw\":\n      { \"emoji\": \"🔗\", \"events\": [\"command:new\"], \"requires\": { \"bins\": [\"node\"] }, },\n  }",
            "metadata:\n  openclaw:\n    emoji: 🔗\n    events:\n      - command:new\n    requires:\n      bins: [node]",
            "metadata: >-\n  {openclaw: {emoji: '🔗', events: ['command:new'], requires: {bins: ['node']}}}",
            "description: a: b\nmetadata: {\"openclaw\": {\"emoji\": \"🔗\", \"events\": [\"command:new\"], \"requires\": {\"bins\": [\"node\"]}}}",
        ] {
            let metadata = parsed(&format!("---\n{text}\n---\n")).metadata();
            assert_eq!(metadata.map(Value::Object), Some(expected.clone()), "{text}");
        }
        assert_eq!(parsed("---\nmetadata: {other: {}}\n---\n").metadata(), None);
        assert_eq!(parsed("---\nmetadata: word\n---\n").metadata(), None);
    }

    #[test]
    fn hostile_blocks_are_bounded() {
        let huge = format!("---\nname: {}\n---\n", "x".repeat(MAX_BYTES));
        assert!(FrontMatter::parse(&huge).unwrap_err().contains("the limit is"));
        let deep = format!("---\nname: a\nmetadata: {}{}\n---\n", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!((parsed(&deep).text("name").as_deref(), parsed(&deep).metadata()), (Some("a"), None));
        let mut bomb = String::from("---\nname: b\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..20 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        bomb.push_str("---\n");
        assert_eq!(parsed(&bomb).text("name").as_deref(), Some("b"));
    }
}
