//! What a turn says to a model and hears back, independent of any wire format.

use crate::error::ModelError;
use crate::thinking::ThinkingLevel;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A provider and one of its models, written `provider/model`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelRef {
    /// Provider id, normalised by [`normalize_provider_id`].
    pub provider: String,
    /// Model id as the provider spells it; case is kept and `/` is allowed.
    pub model: String,
}

/// A text that is no `provider/model` reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no model reference; write it as `provider/model`")]
pub struct ModelRefError {
    /// The text as given.
    pub text: String,
}

impl ModelRef {
    /// Joins a provider id (normalised here) and a model id.
    pub fn new(provider: &str, model: impl Into<String>) -> Self {
        Self { provider: normalize_provider_id(provider), model: model.into() }
    }

    /// Splits `provider/model` at the first `/` (PRV-41..43).
    ///
    /// # Errors
    /// When there is no `/`, or either half is empty.
    pub fn parse(text: &str) -> Result<Self, ModelRefError> {
        let error = || ModelRefError { text: text.to_owned() };
        let (provider, model) = text.trim().split_once('/').ok_or_else(error)?;
        let (provider, model) = (provider.trim(), model.trim());
        if provider.is_empty() || model.is_empty() { Err(error()) } else { Ok(Self::new(provider, model)) }
    }

    /// `provider/model` without doubling a prefix that the model id already carries (PRV-44).
    pub fn key(&self) -> String {
        let prefix = self.provider.len();
        let doubled = self.model.as_bytes().get(prefix) == Some(&b'/')
            && self.model.get(..prefix).is_some_and(|head| head.eq_ignore_ascii_case(&self.provider));
        if doubled { self.model.clone() } else { self.to_string() }
    }

    /// Whether both name the same model; model ids compare without case (PRV-41).
    pub fn same_as(&self, other: &Self) -> bool {
        self.provider == other.provider && self.model.eq_ignore_ascii_case(&other.model)
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl FromStr for ModelRef {
    type Err = ModelRefError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Trims and lower-cases a provider id and maps the known other spellings to the canonical one (PRV-40).
pub fn normalize_provider_id(id: &str) -> String {
    let id = id.trim().to_ascii_lowercase();
    let canonical = match id.as_str() {
        "modelstudio" | "qwencloud" => "qwen",
        "z.ai" | "z-ai" => "zai",
        "opencode-zen" => "opencode",
        "opencode-go-auth" => "opencode-go",
        "anthropic-cli" => "claude-cli",
        "kimi-code" | "kimi-coding" => "kimi",
        "moonshotai" | "moonshot-ai" => "moonshot",
        "bedrock" | "aws-bedrock" => "amazon-bedrock",
        "bytedance" | "doubao" => "volcengine",
        _ => return id,
    };
    canonical.to_owned()
}

/// One call to a model.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The model to call. A transport uses only the model half.
    pub model: ModelRef,
    /// System prompt.
    pub system: Option<String>,
    /// The conversation, oldest first. Unpaired tool calls and results are repaired before sending.
    pub messages: Vec<ChatMessage>,
    /// Tools on offer; shared, since a turn sends the same list many times.
    pub tools: Arc<[ToolSpec]>,
    /// Whether and which tool must be called.
    pub tool_choice: ToolChoice,
    /// Upper limit of output tokens; without it the model row's `maxTokens` applies.
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Thinking level; `None` leaves the provider's default.
    pub thinking: Option<ThinkingLevel>,
    /// Session id, used as the prompt-cache key where the model supports one.
    pub session_id: Option<String>,
    /// Agent whose `auth-profiles.json` supplies keys; `None` means the default agent.
    pub agent_id: Option<String>,
    /// Auth profile pinned with `@profile` (PRV-51); only this one is used then.
    pub auth_profile: Option<String>,
    /// Value of the `traceparent` header (W3C trace context); it replaces any that the configuration sets.
    pub traceparent: Option<String>,
}

impl ModelRequest {
    /// A request with no messages, no tools and every option at its default.
    pub fn new(model: ModelRef) -> Self {
        Self {
            model,
            system: None,
            messages: Vec::new(),
            tools: Arc::from([]),
            tool_choice: ToolChoice::Auto,
            max_tokens: None,
            temperature: None,
            thinking: None,
            session_id: None,
            agent_id: None,
            auth_profile: None,
            traceparent: None,
        }
    }
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "camelCase")]
pub enum ChatMessage {
    /// What a person, or the gateway on a person's behalf, said.
    User {
        /// Text and images in order.
        content: Vec<ContentPart>,
    },
    /// What the model answered.
    Assistant {
        /// Visible text; empty when it only called tools.
        text: String,
        /// Tools called, in order.
        #[serde(default)]
        tool_calls: Vec<ToolCall>,
        /// Reasoning blocks, in order.
        #[serde(default)]
        thinking: Vec<ThinkingBlock>,
    },
    /// What a tool returned.
    #[serde(rename_all = "camelCase")]
    ToolResult {
        /// Id of the call that it answers.
        call_id: String,
        /// Tool name.
        name: String,
        /// Text and images in order.
        content: Vec<ContentPart>,
        /// Whether the tool failed.
        is_error: bool,
    },
}

impl ChatMessage {
    /// A user message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { content: vec![ContentPart::text(text)] }
    }

    /// An assistant message of one text.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant { text: text.into(), tool_calls: Vec::new(), thinking: Vec::new() }
    }

    /// A successful tool result of one text.
    pub fn tool_result(call_id: impl Into<String>, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::ToolResult { call_id: call_id.into(), name: name.into(), content: vec![ContentPart::text(text)], is_error: false }
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ContentPart {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image {
        /// Standard base64 without a `data:` prefix.
        #[serde(rename = "data")]
        data_base64: String,
        /// Media type, such as `image/png`.
        #[serde(rename = "mimeType")]
        mime: String,
    },
}

impl ContentPart {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

/// Reasoning of the model, kept so that it can be replayed to the model that produced it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinkingBlock {
    /// The reasoning text; empty when `redacted` is set.
    pub text: String,
    /// The provider's proof that the text is its own; only signed blocks are replayed as reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Encrypted reasoning, replayed verbatim to the same model and dropped for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted: Option<String>,
    /// Model that produced the block (`provider/model`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Name; providers accept `[A-Za-z0-9_-]`, up to 64 characters.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of the arguments; anything but an object is sent as an empty object schema.
    pub parameters: Value,
}

/// A call that the model made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id that the result must carry.
    pub id: String,
    /// Tool name.
    pub name: String,
    /// Arguments; always an object when it comes from a transport (`{}` if unusable, PRV-259).
    pub arguments: Value,
}

/// Whether the model may, must or must not call tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No tool may be called.
    None,
    /// Some tool must be called.
    Required,
    /// This tool must be called.
    Tool(String),
}

/// Why the model stopped (PRV-255); errors and aborts end the stream with a [`ModelError`] instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It was done.
    Stop,
    /// It reached the output limit.
    Length,
    /// It wants tool results.
    ToolUse,
}

impl StopReason {
    /// The reference's spelling: `stop`, `length` or `toolUse`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolUse => "toolUse",
        }
    }
}

/// Tokens used by one call (PRV-283).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Input tokens that were not read from or written to the cache.
    pub input: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Input tokens read from the prompt cache.
    pub cache_read: u64,
    /// Input tokens written to the prompt cache.
    pub cache_write: u64,
    /// Sum of the four.
    pub total: u64,
}

impl Usage {
    /// Fills `total` from the other four.
    pub fn with_total(mut self) -> Self {
        self.total = self.input + self.output + self.cache_read + self.cache_write;
        self
    }
}

/// What a model stream says. Exactly one `Done` ends a good stream; an `Err` ends a bad one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// The provider began to answer. Always first.
    Started,
    /// More visible text.
    TextDelta(String),
    /// More reasoning text.
    ThinkingDelta(String),
    /// A reasoning block is complete; keep it for replay.
    Thinking(ThinkingBlock),
    /// A piece of a tool call, for display only.
    ToolCallDelta {
        /// Position of the call in this answer, from 0.
        index: usize,
        /// Call id, on the first piece.
        id: Option<String>,
        /// Tool name, on the first piece.
        name: Option<String>,
        /// More of the JSON text of the arguments.
        args_fragment: String,
    },
    /// A tool call is complete. Calls come in order, before `Done`.
    ToolCall(ToolCall),
    /// Token counts so far; later ones replace earlier ones.
    Usage(Usage),
    /// The end.
    Done {
        /// Why the model stopped.
        stop_reason: StopReason,
        /// Final token counts; all zero when the provider gave none.
        usage: Usage,
    },
}

/// The stream that a transport returns.
pub type EventStream = BoxStream<'static, Result<ModelEvent, ModelError>>;

/// A way to call the models of one provider: over HTTP, or inside a plugin.
#[async_trait::async_trait]
pub trait ModelTransport: Send + Sync {
    /// Starts a call. It resolves when the answer begins, so that everything before can be retried or handed to a
    /// fallback; after that the stream itself reports an error. Cancelling ends either with `Aborted`.
    ///
    /// # Errors
    /// [`ModelError`], whose `kind` says what to do about it.
    async fn stream(&self, request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError>;

    /// Drops what the transport itself remembers of a session, such as the session of a program that answers.
    fn forget_session(&self, _session_id: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_parse() {
        // PRV-41, PRV-42, PRV-43
        let cases = [
            ("openai/gpt-5.5", Some(("openai", "gpt-5.5"))),
            (" OpenAI/GPT-5 ", Some(("openai", "GPT-5"))),
            ("synthetic/hf:Org/Name", Some(("synthetic", "hf:Org/Name"))),
            ("openrouter/anthropic/claude", Some(("openrouter", "anthropic/claude"))),
            ("gpt-5", None),
            ("/gpt-5", None),
            ("openai/", None),
            ("openai/ ", None),
            ("", None),
        ];
        for (text, want) in cases {
            let got = ModelRef::parse(text).ok();
            assert_eq!(got.as_ref().map(|r| (r.provider.as_str(), r.model.as_str())), want, "{text:?}");
        }
        assert!(ModelRef::new("a", "Model-X").same_as(&ModelRef::new("A", "model-x")));
    }

    #[test]
    fn provider_ids_have_one_spelling() {
        // PRV-40
        let cases = [
            ("modelstudio qwencloud", "qwen"),
            ("z.ai Z-AI", "zai"),
            ("opencode-zen", "opencode"),
            ("opencode-go-auth", "opencode-go"),
            ("anthropic-cli", "claude-cli"),
            ("kimi-code kimi-coding", "kimi"),
            ("moonshotai moonshot-ai", "moonshot"),
            ("bedrock aws-bedrock", "amazon-bedrock"),
            ("bytedance doubao", "volcengine"),
            ("MyProxy", "myproxy"),
        ];
        for (spellings, want) in cases {
            for spelling in spellings.split(' ') {
                assert_eq!(normalize_provider_id(&format!(" {spelling} ")), want);
            }
        }
    }

    #[test]
    fn keys_do_not_double_the_prefix() {
        // PRV-44
        assert_eq!(ModelRef::new("nvidia", "NVIDIA/nemotron").key(), "NVIDIA/nemotron");
        assert_eq!(ModelRef::new("openai", "gpt").key(), "openai/gpt");
        assert_eq!(ModelRef::new("open", "openai/x").key(), "open/openai/x");
    }
}
