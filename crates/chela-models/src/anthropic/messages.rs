//! The conversation as Anthropic messages, written straight from the request.

use crate::history::{ResultStep, Step, result_text};
use crate::types::{ContentPart, ThinkingBlock};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value, json};

const IMAGE_LEFT_OUT: &str = "(an image was left out: this model takes text only)";

/// The `messages` array.
pub(crate) struct Messages<'a> {
    pub steps: &'a [Step<'a>],
    /// `provider/model` of the request: reasoning is replayed as such only to the model that wrote it.
    pub model: &'a str,
    pub images: bool,
    /// Marks the last user content for the prompt cache.
    pub cache: Option<&'a Value>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(None)?;
        // A conversation begins with a user message and is never empty (PRV-244).
        if !matches!(self.steps.first(), Some(Step::User(_))) {
            seq.serialize_element(&json!({"role": "user", "content": "."}))?;
        }
        let last_user = self.steps.iter().rposition(|s| !matches!(s, Step::Assistant { .. }));
        for (at, step) in self.steps.iter().enumerate() {
            let blocks = self.blocks(step, at + 1 == self.steps.len());
            let role = if matches!(step, Step::Assistant { .. }) { "assistant" } else { "user" };
            if blocks.is_empty() && role == "assistant" {
                continue;
            }
            let cache = self.cache.filter(|_| Some(at) == last_user);
            seq.serialize_element(&Message { role, blocks, cache })?;
        }
        seq.end()
    }
}

impl<'a> Messages<'a> {
    fn blocks(&self, step: &'a Step<'a>, last: bool) -> Vec<Block<'a>> {
        match step {
            Step::User(content) => {
                let blocks = self.content(content);
                if blocks.is_empty() { vec![Block::Text(".")] } else { blocks }
            }
            Step::Results(results) => results.iter().map(|r| Block::Result(r, self.images)).collect(),
            Step::Assistant { text, calls, thinking } => {
                let mut blocks: Vec<Block<'a>> = thinking.iter().filter_map(|t| self.thinking(t)).collect();
                // The service refuses an unfinished answer that ends in white space.
                let text = if last && calls.is_empty() { text.trim_end() } else { text };
                if !text.trim().is_empty() {
                    blocks.push(Block::Text(text));
                }
                blocks.extend(calls.iter().map(|(id, call)| Block::Call { id, name: &call.name, input: &call.arguments }));
                blocks
            }
        }
    }

    fn content(&self, content: &'a [ContentPart]) -> Vec<Block<'a>> {
        let block = |part: &'a ContentPart| match part {
            ContentPart::Text { text } if text.trim().is_empty() => None,
            ContentPart::Text { text } => Some(Block::Text(text)),
            ContentPart::Image { .. } if !self.images => Some(Block::Text(IMAGE_LEFT_OUT)),
            ContentPart::Image { data_base64, mime } => Some(Block::Image { data: data_base64, mime }),
        };
        content.iter().filter_map(block).collect()
    }

    /// Another model's reasoning becomes plain text, its encrypted reasoning is dropped (PRV-264).
    fn thinking(&self, block: &'a ThinkingBlock) -> Option<Block<'a>> {
        let own = block.model.as_deref().is_some_and(|m| m.eq_ignore_ascii_case(self.model));
        match (&block.redacted, &block.signature) {
            (Some(data), _) if own => Some(Block::Redacted(data)),
            (Some(_), _) => None,
            (None, Some(signature)) if own => Some(Block::Thinking { text: &block.text, signature }),
            _ if block.text.trim().is_empty() => None,
            _ => Some(Block::Text(&block.text)),
        }
    }
}

struct Message<'a> {
    role: &'a str,
    blocks: Vec<Block<'a>>,
    cache: Option<&'a Value>,
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("role", self.role)?;
        match (self.blocks.as_slice(), self.cache) {
            ([Block::Text(text)], None) => map.serialize_entry("content", text)?,
            (blocks, cache) => map.serialize_entry("content", &Content { blocks, cache })?,
        }
        map.end()
    }
}

struct Content<'a> {
    blocks: &'a [Block<'a>],
    cache: Option<&'a Value>,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let last = self.blocks.len().saturating_sub(1);
        let item = |(at, block)| Cached { block, cache: self.cache.filter(|_| at == last) };
        s.collect_seq(self.blocks.iter().enumerate().map(item))
    }
}

enum Block<'a> {
    Text(&'a str),
    Image { data: &'a str, mime: &'a str },
    Thinking { text: &'a str, signature: &'a str },
    Redacted(&'a str),
    Call { id: &'a str, name: &'a str, input: &'a Value },
    Result(&'a ResultStep<'a>, bool),
}

struct Cached<'a> {
    block: &'a Block<'a>,
    cache: Option<&'a Value>,
}

impl Serialize for Cached<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        match self.block {
            Block::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
            }
            Block::Image { data, mime } => {
                map.serialize_entry("type", "image")?;
                map.serialize_entry("source", &Source { data, mime })?;
            }
            Block::Thinking { text, signature } => {
                map.serialize_entry("type", "thinking")?;
                map.serialize_entry("thinking", text)?;
                map.serialize_entry("signature", signature)?;
            }
            Block::Redacted(data) => {
                map.serialize_entry("type", "redacted_thinking")?;
                map.serialize_entry("data", data)?;
            }
            Block::Call { id, name, input } => {
                map.serialize_entry("type", "tool_use")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", name)?;
                map.serialize_entry("input", if input.is_object() { *input } else { &EMPTY })?;
            }
            Block::Result(result, images) => result_entries(&mut map, result, *images)?,
        }
        if let Some(cache) = self.cache {
            map.serialize_entry("cache_control", cache)?;
        }
        map.end()
    }
}

static EMPTY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({}));

struct Source<'a> {
    data: &'a str,
    mime: &'a str,
}

impl Serialize for Source<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(3))?;
        map.serialize_entry("type", "base64")?;
        map.serialize_entry("media_type", self.mime)?;
        map.serialize_entry("data", self.data)?;
        map.end()
    }
}

fn result_entries<M: SerializeMap>(map: &mut M, result: &ResultStep<'_>, images: bool) -> Result<(), M::Error> {
    map.serialize_entry("type", "tool_result")?;
    map.serialize_entry("tool_use_id", &result.id)?;
    let text = result_text(result);
    let pictures: Vec<Block<'_>> = result
        .content
        .unwrap_or_default()
        .iter()
        .filter_map(|p| match p {
            ContentPart::Image { data_base64, mime } if images => Some(Block::Image { data: data_base64, mime }),
            _ => None,
        })
        .collect();
    if pictures.is_empty() {
        map.serialize_entry("content", &text)?;
    } else {
        let mut blocks = vec![Block::Text(&text)];
        blocks.extend(pictures);
        map.serialize_entry("content", &Content { blocks: &blocks, cache: None })?;
    }
    if result.is_error {
        map.serialize_entry("is_error", &true)?;
    }
    Ok(())
}
