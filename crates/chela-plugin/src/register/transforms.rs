//! `registerTextTransforms` (API-045).

use std::sync::Arc;

use serde_json::Value;

use super::read::has_items;
use super::registrar::Registrar;
use crate::call::Callback;
use crate::register::entries::Owner;

/// Most replacements of one registration and direction: each is tried on every text of a call.
const MOST_REPLACEMENTS: usize = 1000;

/// One replacement, as JavaScript's `text.replace(from, to)` does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The first occurrence of a text; `to` may use `$$`, `$&`, `` $` `` and `$'`.
    Text {
        /// What is looked for.
        from: String,
        /// What takes its place.
        to: String,
    },
    /// A regular expression, or anything else that only the plugin's own language can apply.
    Foreign,
}

/// Replacements of one plugin in the texts that go to models and come back.
#[derive(Clone, Debug)]
pub struct TextTransforms {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Applied to system prompt and messages before a call.
    pub input: Vec<Replacement>,
    /// Applied to what the model says.
    pub output: Vec<Replacement>,
    /// `(direction, texts)` to texts, where a replacement is [`Replacement::Foreign`].
    pub apply: Option<Callback>,
}

impl Registrar<'_> {
    pub(super) fn text_transforms(&mut self, transforms: &Value, apply: &Value) {
        let empty = |key: &str| !has_items(transforms.get(key));
        if empty("input") && empty("output") {
            return self.warn("text transform registration has no input or output replacements");
        }
        for key in ["input", "output"] {
            let many = transforms.get(key).and_then(Value::as_array).map_or(0, Vec::len);
            if many > MOST_REPLACEMENTS {
                self.warn(format!("text transform registration has {many} {key} replacements; the first {MOST_REPLACEMENTS} count"));
            }
        }
        let entry = TextTransforms::read(self.owner.clone(), transforms, self.callback(Some(apply)));
        self.registry.text_transforms.push(entry);
    }
}

impl TextTransforms {
    /// Reads `{input?, output?}`; `apply` makes the replacements that the host cannot make.
    pub fn read(owner: Arc<Owner>, transforms: &Value, apply: Option<Callback>) -> Self {
        let list = |key: &str| {
            let rows = transforms.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            rows.iter().take(MOST_REPLACEMENTS).map(replacement).collect()
        };
        Self { owner, input: list("input"), output: list("output"), apply }
    }
}

fn replacement(row: &Value) -> Replacement {
    match (row.get("from").and_then(Value::as_str), row.get("to").and_then(Value::as_str)) {
        (Some(from), Some(to)) => Replacement::Text { from: from.into(), to: to.into() },
        _ => Replacement::Foreign,
    }
}

impl Replacement {
    /// The text with the replacement made; `None` when only the plugin can make it.
    pub fn apply(&self, text: &str) -> Option<String> {
        let Self::Text { from, to } = self else { return None };
        let Some(at) = text.find(from.as_str()) else { return Some(text.into()) };
        let (before, after) = (&text[..at], &text[at + from.len()..]);
        let mut out = String::with_capacity(text.len() + to.len());
        out.push_str(before);
        let mut rest = to.as_str();
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            let what = match rest.as_bytes().get(dollar + 1) {
                Some(b'$') => Some("$"),
                Some(b'&') => Some(from.as_str()),
                Some(b'`') => Some(before),
                Some(b'\'') => Some(after),
                _ => None,
            };
            out.push_str(what.unwrap_or("$"));
            rest = &rest[dollar + if what.is_some() { 2 } else { 1 }..];
        }
        out.push_str(rest);
        out.push_str(after);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_replaced_as_in_javascript() {
        // Expected values were taken from `'a.b.a'.replace(from, to)` in Node 22.
        let cases = [
            (".", "-", "a-b.a"),
            ("x", "-", "a.b.a"),
            ("b", "[$&]", "a.[b].a"),
            ("b", "$$1", "a.$1.a"),
            ("b", "<$`|$'>", "a.<a.|.a>.a"),
            ("b", "$1$", "a.$1$.a"),
            ("", "^", "^a.b.a"),
        ];
        for (from, to, expected) in cases {
            let replacement = Replacement::Text { from: from.into(), to: to.into() };
            assert_eq!(replacement.apply("a.b.a").as_deref(), Some(expected), "{from:?} {to:?}");
        }
        assert_eq!(Replacement::Foreign.apply("a"), None);
    }
}
