//! Puts a conversation into an order that providers accept: each tool call directly followed by its result.

use crate::types::{ChatMessage, ContentPart, ThinkingBlock, ToolCall};
use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What happens to a call without a result (PRV-265).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpaired {
    /// The call is left out.
    Drop,
    /// A result that says so is made up.
    Synthesise,
}

/// How call ids are rewritten (PRV-262).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdMode {
    /// Letters, digits, `_` and `-`, up to 40 characters.
    Plain,
    /// Exactly nine letters or digits.
    Strict9,
}

/// One step of the repaired conversation, borrowed from the request.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    User(&'a [ContentPart]),
    Assistant { text: &'a str, calls: Vec<(Cow<'a, str>, &'a ToolCall)>, thinking: &'a [ThinkingBlock] },
    Results(Vec<ResultStep<'a>>),
}

/// One tool result.
#[derive(Debug)]
pub(crate) struct ResultStep<'a> {
    pub id: Cow<'a, str>,
    pub name: &'a str,
    /// `None` for a made-up result.
    pub content: Option<&'a [ContentPart]>,
    pub is_error: bool,
}

/// Repairs the order and the pairing. Results without a call are left out.
pub(crate) fn plan(messages: &[ChatMessage], unpaired: Unpaired, ids: IdMode) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(messages.len());
    let mut used = HashSet::new();
    let mut at = 0;
    while let Some(message) = messages.get(at) {
        at += 1;
        match message {
            ChatMessage::User { content } => steps.push(Step::User(content)),
            ChatMessage::ToolResult { .. } => {}
            ChatMessage::Assistant { text, tool_calls, thinking } => {
                // Results may come after a user message that was sent while the tools ran.
                let rest = &messages[at..];
                let end = rest.iter().position(|m| matches!(m, ChatMessage::Assistant { .. })).unwrap_or(rest.len());
                let (calls, results) = pair(tool_calls, &rest[..end], unpaired, ids, &mut used);
                if !text.is_empty() || !calls.is_empty() {
                    steps.push(Step::Assistant { text, calls, thinking });
                }
                if !results.is_empty() {
                    steps.push(Step::Results(results));
                }
            }
        }
    }
    steps
}

type Paired<'a> = (Vec<(Cow<'a, str>, &'a ToolCall)>, Vec<ResultStep<'a>>);

fn pair<'a>(calls: &'a [ToolCall], after: &'a [ChatMessage], unpaired: Unpaired, ids: IdMode, used: &mut HashSet<String>) -> Paired<'a> {
    let (mut kept, mut results) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
    let mut taken = vec![false; if calls.is_empty() { 0 } else { after.len() }];
    for call in calls {
        let found = after.iter().enumerate().find_map(|(i, message)| match message {
            ChatMessage::ToolResult { call_id, content, is_error, .. } if !taken[i] && *call_id == call.id => {
                Some((i, content.as_slice(), *is_error))
            }
            _ => None,
        });
        let (content, is_error) = match found {
            Some((i, content, is_error)) => {
                taken[i] = true;
                (Some(content), is_error)
            }
            None if unpaired == Unpaired::Synthesise => (None, true),
            None => continue,
        };
        let id = unique_id(&call.id, ids, used);
        kept.push((id.clone(), call));
        results.push(ResultStep { id, name: &call.name, content, is_error });
    }
    (kept, results)
}

fn unique_id<'a>(id: &'a str, mode: IdMode, used: &mut HashSet<String>) -> Cow<'a, str> {
    let fits = match mode {
        IdMode::Plain => (1..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
        IdMode::Strict9 => id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
    };
    if fits && used.insert(id.to_owned()) {
        return Cow::Borrowed(id);
    }
    for salt in 0u32.. {
        let candidate = hashed_id(id, mode, salt);
        if used.insert(candidate.clone()) {
            return Cow::Owned(candidate);
        }
    }
    Cow::Borrowed(id)
}

fn hashed_id(id: &str, mode: IdMode, salt: u32) -> String {
    let mut hasher = DefaultHasher::new();
    (id, salt).hash(&mut hasher);
    let digest = format!("{:016x}", hasher.finish());
    match mode {
        IdMode::Strict9 => digest[..9].to_owned(),
        IdMode::Plain => {
            let head: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(23).collect();
            format!("{head}_{digest}")
        }
    }
}

/// The text of a tool result; never empty (PRV-266).
pub(crate) fn result_text(step: &ResultStep<'_>) -> String {
    let Some(content) = step.content else {
        return "No result provided".to_owned();
    };
    let text = joined_text(content);
    match (text.trim().is_empty(), content.iter().any(|p| matches!(p, ContentPart::Image { .. }))) {
        (true, true) => "(see attached image)".to_owned(),
        (true, false) => "(no output)".to_owned(),
        (false, _) => text,
    }
}

/// All text parts, joined by line feeds.
pub(crate) fn joined_text(content: &[ContentPart]) -> String {
    let mut out = String::new();
    for part in content {
        if let ContentPart::Text { text } = part {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(text);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.to_owned(), name: "t".to_owned(), arguments: json!({}) }
    }

    fn asks(ids: &[&str]) -> ChatMessage {
        ChatMessage::Assistant { text: String::new(), tool_calls: ids.iter().map(|i| call(i)).collect(), thinking: vec![] }
    }

    fn shape(steps: &[Step<'_>]) -> Vec<String> {
        let id_list = |ids: Vec<&str>| ids.join(",");
        steps
            .iter()
            .map(|step| match step {
                Step::User(_) => "u".to_owned(),
                Step::Assistant { calls, .. } => format!("a:{}", id_list(calls.iter().map(|c| c.0.as_ref()).collect())),
                Step::Results(r) => {
                    format!("r:{}", id_list(r.iter().map(|r| if r.content.is_some() { r.id.as_ref() } else { "made-up" }).collect()))
                }
            })
            .collect()
    }

    #[test]
    fn pairing() {
        // PRV-265
        let result = |id: &str| ChatMessage::tool_result(id, "t", "ok");
        let history = [
            result("orphan"),
            ChatMessage::user("hi"),
            asks(&["a", "b"]),
            result("b"),
            ChatMessage::user("wait"),
            result("a"),
            asks(&["c"]),
            ChatMessage::user("and?"),
        ];
        let dropped = plan(&history, Unpaired::Drop, IdMode::Plain);
        assert_eq!(shape(&dropped), ["u", "a:a,b", "r:a,b", "u", "u"]);
        let made = plan(&history, Unpaired::Synthesise, IdMode::Plain);
        assert_eq!(shape(&made), ["u", "a:a,b", "r:a,b", "u", "a:c", "r:made-up", "u"]);
        let Step::Results(results) = &made[5] else { panic!() };
        assert_eq!(result_text(&results[0]), "No result provided");
    }

    #[test]
    fn ids_are_accepted_and_unique() {
        // PRV-262 (nine alphanumerics, 40 characters, uniqueness)
        let long = "x".repeat(60);
        let ids = ["call_0", "functions.x:0", &long, ""];
        let mut history = Vec::new();
        for _ in 0..2 {
            history.push(asks(&ids));
            history.extend(ids.iter().map(|i| ChatMessage::tool_result(*i, "t", "ok")));
        }
        for (mode, limit) in [(IdMode::Plain, 40), (IdMode::Strict9, 9)] {
            let mut seen = HashSet::new();
            for step in plan(&history, Unpaired::Drop, mode) {
                let Step::Results(results) = step else {
                    continue;
                };
                assert_eq!(results.len(), ids.len());
                for result in results {
                    assert!(result.id.len() <= limit && !result.id.is_empty(), "{}", result.id);
                    assert!(result.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
                    assert!(mode == IdMode::Plain || result.id.len() == 9);
                    assert!(seen.insert(result.id.into_owned()));
                }
            }
        }
    }

    #[test]
    fn results_are_never_empty() {
        let step = |content: &'static [ContentPart]| {
            result_text(&ResultStep { id: "a".into(), name: "t", content: Some(content), is_error: false })
        };
        assert_eq!(step(&[]), "(no output)"); // PRV-266
        let image = vec![ContentPart::Image { data_base64: "AA".into(), mime: "image/png".into() }].leak();
        assert_eq!(step(image), "(see attached image)"); // PRV-244
    }
}
