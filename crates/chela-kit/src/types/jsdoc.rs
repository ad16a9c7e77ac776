//! Reading a JSDoc comment.

use std::collections::BTreeMap;

/// What a comment says.
#[derive(Debug, Default)]
pub(super) struct Doc {
    /// Its first paragraph, on one line.
    pub(super) about: String,
    /// Types of parameters by name, and whether they may be left out.
    pub(super) params: BTreeMap<String, (String, bool)>,
    /// Types of parameters in order, for those whose name is another one in the code.
    pub(super) order: Vec<(String, bool)>,
    /// The type of the result.
    pub(super) returns: Option<String>,
    /// The type of a value.
    pub(super) of: Option<String>,
}

/// Reads the text of a comment, its stars included.
pub(super) fn read(comment: &str) -> Doc {
    let inner = comment.trim_start_matches("/**").trim_end_matches("*/");
    let lines = inner.lines().map(|line| line.trim().trim_start_matches('*').trim());
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut doc = Doc::default();
    let (about, tags) = match text.find("\n@").map(|at| at + 1).or_else(|| text.starts_with('@').then_some(0)) {
        Some(at) => text.split_at(at),
        None => (text.as_str(), ""),
    };
    doc.about = about.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace("*/", "*\\/");
    for tag in tags.split("\n@").map(|tag| tag.trim_start_matches('@')) {
        let Some((name, rest)) = tag.split_once(|c: char| c.is_whitespace()) else { continue };
        let Some((kind, rest)) = braced(rest.trim_start()) else { continue };
        let kind = plain(kind);
        match name {
            "param" => {
                let word = rest.split_whitespace().next().unwrap_or_default();
                let optional = word.starts_with('[');
                let word = word.trim_matches(['[', ']']).split('=').next().unwrap_or_default();
                // `@param {string} options.name` says more of `options`.
                if !word.contains('.') {
                    doc.params.insert(word.into(), (kind.clone(), optional));
                    doc.order.push((kind, optional));
                }
            }
            "return" | "returns" => doc.returns = Some(kind),
            "type" => doc.of = Some(kind),
            _ => {}
        }
    }
    doc
}

/// `{type} rest`.
fn braced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0usize;
    if !text.starts_with('{') {
        return None;
    }
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[1..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// Words that mean less in TypeScript than in JSDoc.
fn plain(kind: &str) -> String {
    let kind = kind.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    let mut word = String::new();
    let finish = |word: &mut String, out: &mut String| {
        out.push_str(match word.as_str() {
            "object" | "Object" | "*" => "any",
            "Function" | "function" => "((...args: any[]) => any)",
            "Array" => "Array",
            other => other,
        });
        word.clear();
    };
    for c in kind.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '*') {
            word.push(c);
        } else {
            finish(&mut word, &mut out);
            out.push(c);
        }
    }
    finish(&mut word, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read() {
        let doc = read(
            "/**\n * Does a thing\n * over lines.\n *\n * More.\n * @param {{ a: string, b?: object }} options what\n * @param {string} [x='a']\n * @returns {Promise<Function | undefined>} it\n */",
        );
        assert_eq!(doc.about, "Does a thing over lines.");
        assert_eq!(doc.params["options"], ("{ a: string, b?: any }".into(), false));
        assert_eq!(doc.params["x"], ("string".into(), true));
        assert_eq!(doc.returns.as_deref(), Some("Promise<((...args: any[]) => any) | undefined>"));
        assert_eq!(read("/** @type {string[]} */").of.as_deref(), Some("string[]"));
        assert_eq!(read("/** Only words. */").about, "Only words.");
    }
}
