//! The conversation as chat-completions messages, written straight from the request without copies.

use crate::compat::Effective;
use crate::history::{ResultStep, Step, joined_text, result_text};
use crate::types::{ContentPart, ThinkingBlock, ToolCall};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;

const IMAGE_LEFT_OUT: &str = "(an image was left out: this model takes text only)";
const AFTER_TOOLS: &str = "The tool results have been read.";

/// The `messages` array.
pub(crate) struct Messages<'a> {
    pub system: Option<&'a str>,
    pub steps: &'a [Step<'a>],
    pub flags: &'a Effective,
    /// Whether the system prompt goes under the role `developer`.
    pub developer: bool,
    pub images: bool,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(None)?;
        if let Some(system) = self.system.filter(|t| !t.is_empty()) {
            seq.serialize_element(&Plain { role: if self.developer { "developer" } else { "system" }, text: system })?;
        }
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::User(content) => seq.serialize_element(&self.user(content))?,
                Step::Assistant { text, calls, thinking } => {
                    seq.serialize_element(&Assistant { text, calls, thinking, flags: self.flags })?;
                }
                Step::Results(results) => {
                    let user_next = matches!(self.steps.get(at + 1), Some(Step::User(_)));
                    self.results(&mut seq, results, user_next)?;
                }
            }
        }
        seq.end()
    }
}

impl Messages<'_> {
    fn user<'b>(&self, content: &'b [ContentPart]) -> User<'b> {
        User { content, lead: None, images: self.images, flat: self.flags.string_content || self.flags.strict_keys }
    }

    fn results<Q: SerializeSeq>(&self, seq: &mut Q, results: &[ResultStep<'_>], user_next: bool) -> Result<(), Q::Error> {
        for result in results {
            seq.serialize_element(&ToolMessage { result, flags: self.flags })?;
        }
        // The role `tool` takes text only, so images follow as a user message.
        let is_image = |p: &&ContentPart| matches!(p, ContentPart::Image { .. });
        let images: Vec<ContentPart> = results.iter().filter_map(|r| r.content).flatten().filter(is_image).cloned().collect();
        let images_next = !images.is_empty() && self.images;
        if self.flags.assistant_after_tool_result && (user_next || images_next) {
            seq.serialize_element(&Plain { role: "assistant", text: AFTER_TOOLS })?;
        }
        if images_next {
            let mut message = self.user(&images);
            message.lead = Some("Images from the tool results:");
            seq.serialize_element(&message)?;
        }
        Ok(())
    }
}

struct Plain<'a> {
    role: &'a str,
    text: &'a str,
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("role", self.role)?;
        map.serialize_entry("content", self.text)?;
        map.end()
    }
}

struct User<'a> {
    content: &'a [ContentPart],
    lead: Option<&'static str>,
    images: bool,
    flat: bool,
}

impl Serialize for User<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("role", "user")?;
        match self.content {
            [ContentPart::Text { text }] if self.lead.is_none() => map.serialize_entry("content", text)?,
            _ if self.flat => map.serialize_entry("content", &self.flattened())?,
            _ => map.serialize_entry("content", &Parts(self))?,
        }
        map.end()
    }
}

impl User<'_> {
    fn flattened(&self) -> String {
        let mut text = joined_text(self.content);
        if self.content.iter().any(|p| matches!(p, ContentPart::Image { .. })) {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(IMAGE_LEFT_OUT);
        }
        text
    }
}

struct Parts<'a>(&'a User<'a>);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(None)?;
        if let Some(lead) = self.0.lead {
            seq.serialize_element(&TextPart(lead))?;
        }
        for part in self.0.content {
            match part {
                ContentPart::Text { text } if text.is_empty() => {}
                ContentPart::Text { text } => seq.serialize_element(&TextPart(text))?,
                ContentPart::Image { .. } if !self.0.images => seq.serialize_element(&TextPart(IMAGE_LEFT_OUT))?,
                ContentPart::Image { data_base64, mime } => {
                    seq.serialize_element(&ImagePart { url: format!("data:{mime};base64,{data_base64}") })?;
                }
            }
        }
        seq.end()
    }
}

struct TextPart<'a>(&'a str);

impl Serialize for TextPart<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("type", "text")?;
        map.serialize_entry("text", self.0)?;
        map.end()
    }
}

struct ImagePart {
    url: String,
}

impl Serialize for ImagePart {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("type", "image_url")?;
        map.serialize_entry("image_url", &std::collections::BTreeMap::from([("url", &self.url)]))?;
        map.end()
    }
}

struct Assistant<'a> {
    text: &'a str,
    calls: &'a [(Cow<'a, str>, &'a ToolCall)],
    thinking: &'a [ThinkingBlock],
    flags: &'a Effective,
}

impl Serialize for Assistant<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("role", "assistant")?;
        let text = self.visible_text();
        let calls = if self.flags.strict_keys { &[] } else { self.calls };
        if text.is_empty() && !calls.is_empty() && !self.flags.string_content {
            map.serialize_entry("content", &())?;
        } else {
            map.serialize_entry("content", &text)?;
        }
        if !calls.is_empty() {
            map.serialize_entry("tool_calls", &Calls(calls))?;
        }
        map.end()
    }
}

impl Assistant<'_> {
    /// Reasoning is left out of the history unless the endpoint wants it as text (PRV-269).
    fn visible_text(&self) -> Cow<'_, str> {
        let thought = self.thinking.iter().map(|b| b.text.as_str()).filter(|t| !t.is_empty());
        let thought: Vec<&str> = if self.flags.thinking_as_text { thought.collect() } else { Vec::new() };
        match (thought.is_empty(), self.text.is_empty()) {
            (true, _) => Cow::Borrowed(self.text),
            (false, true) => Cow::Owned(thought.join("\n\n")),
            (false, false) => Cow::Owned(format!("{}\n\n{}", thought.join("\n\n"), self.text)),
        }
    }
}

struct Calls<'a>(&'a [(Cow<'a, str>, &'a ToolCall)]);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(|(id, call)| CallItem { id, call }))
    }
}

struct CallItem<'a> {
    id: &'a str,
    call: &'a ToolCall,
}

impl Serialize for CallItem<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(3))?;
        map.serialize_entry("id", self.id)?;
        map.serialize_entry("type", "function")?;
        let arguments = self.call.arguments.to_string();
        let function = std::collections::BTreeMap::from([("arguments", arguments.as_str()), ("name", &self.call.name)]);
        map.serialize_entry("function", &function)?;
        map.end()
    }
}

struct ToolMessage<'a> {
    result: &'a ResultStep<'a>,
    flags: &'a Effective,
}

impl Serialize for ToolMessage<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("role", "tool")?;
        map.serialize_entry("content", &result_text(self.result))?;
        if !self.flags.strict_keys {
            map.serialize_entry("tool_call_id", &self.result.id)?;
            if self.flags.tool_result_name {
                map.serialize_entry("name", self.result.name)?;
            }
        }
        map.end()
    }
}
