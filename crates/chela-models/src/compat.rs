//! What an endpoint understands: the `compat` flags of a model row, with defaults by endpoint.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Name of the field that limits the output of a chat completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// `max_tokens`.
    MaxTokens,
}

/// How a chat-completions endpoint is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingFormat {
    /// `reasoning_effort`.
    OpenAi,
    /// `reasoning: {effort}`.
    OpenRouter,
    /// `thinking: {type}` and `reasoning_effort`.
    DeepSeek,
    /// `enable_thinking`.
    Qwen,
    /// `chat_template_kwargs.enable_thinking`.
    QwenChatTemplate,
    /// `thinking: {type}`.
    Zai,
}

/// `compat` flags as written in a model row; `None` means that the endpoint's default applies (MAN-131, MAN-132).
/// Only flags that the transports act on are here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compat {
    /// Takes the field `store`.
    pub supports_store: Option<bool>,
    /// Takes the session id as `prompt_cache_key`.
    pub supports_prompt_cache_key: Option<bool>,
    /// Takes the system prompt of a reasoning model under the role `developer`; counts at api.openai.com only.
    pub supports_developer_role: Option<bool>,
    /// Takes `reasoning_effort`.
    pub supports_reasoning_effort: Option<bool>,
    /// Takes `stream_options.include_usage`.
    pub supports_usage_in_streaming: Option<bool>,
    /// Takes tools at all.
    pub supports_tools: Option<bool>,
    /// Wants message content as one text.
    pub requires_string_content: Option<bool>,
    /// Refuses any key of a message but `role` and `content`.
    pub strict_message_keys: Option<bool>,
    /// Wants the tool's name in its result.
    pub requires_tool_result_name: Option<bool>,
    /// Wants an assistant message between a tool result and a user message.
    pub requires_assistant_after_tool_result: Option<bool>,
    /// Wants earlier reasoning as plain text.
    pub requires_thinking_as_text: Option<bool>,
    /// Wants call ids of exactly nine letters and digits.
    pub requires_mistral_tool_ids: Option<bool>,
    /// Name of the output limit.
    pub max_tokens_field: Option<MaxTokensField>,
    /// How thinking is switched.
    pub thinking_format: Option<ThinkingFormat>,
    /// Writes tool arguments with HTML entities (`toolCallArgumentsEncoding: "html-entities"`).
    pub html_encoded_arguments: bool,
    /// Types of `reasoning_details` that are visible text.
    pub visible_reasoning_detail_types: Option<Vec<String>>,
    /// Effort words that the model knows.
    pub supported_reasoning_efforts: Option<Vec<String>>,
    /// JSON Schema keywords that are removed from tool schemas.
    pub unsupported_tool_schema_keywords: Vec<String>,
    /// Effort words of this model by thinking level.
    pub reasoning_effort_map: BTreeMap<String, String>,
}

impl Compat {
    /// Reads the `compat` object of a model row. Values of a wrong type are ignored, as the manifest reader does.
    pub fn from_json(value: &Value) -> Self {
        let Value::Object(map) = value else {
            return Self::default();
        };
        let flag = |name: &str| map.get(name).and_then(Value::as_bool);
        Self {
            supports_store: flag("supportsStore"),
            supports_prompt_cache_key: flag("supportsPromptCacheKey"),
            supports_developer_role: flag("supportsDeveloperRole"),
            supports_reasoning_effort: flag("supportsReasoningEffort"),
            supports_usage_in_streaming: flag("supportsUsageInStreaming"),
            supports_tools: flag("supportsTools"),
            requires_string_content: flag("requiresStringContent"),
            strict_message_keys: flag("strictMessageKeys"),
            requires_tool_result_name: flag("requiresToolResultName"),
            requires_assistant_after_tool_result: flag("requiresAssistantAfterToolResult"),
            requires_thinking_as_text: flag("requiresThinkingAsText"),
            requires_mistral_tool_ids: flag("requiresMistralToolIds"),
            max_tokens_field: match text(map, "maxTokensField") {
                Some("max_completion_tokens") => Some(MaxTokensField::MaxCompletionTokens),
                Some("max_tokens") => Some(MaxTokensField::MaxTokens),
                _ => None,
            },
            thinking_format: match text(map, "thinkingFormat") {
                Some("openai") => Some(ThinkingFormat::OpenAi),
                Some("openrouter") => Some(ThinkingFormat::OpenRouter),
                Some("deepseek") => Some(ThinkingFormat::DeepSeek),
                Some("qwen") => Some(ThinkingFormat::Qwen),
                Some("qwen-chat-template") => Some(ThinkingFormat::QwenChatTemplate),
                Some("zai") => Some(ThinkingFormat::Zai),
                _ => None,
            },
            html_encoded_arguments: text(map, "toolCallArgumentsEncoding") == Some("html-entities"),
            visible_reasoning_detail_types: strings(map, "visibleReasoningDetailTypes"),
            supported_reasoning_efforts: strings(map, "supportedReasoningEfforts"),
            unsupported_tool_schema_keywords: strings(map, "unsupportedToolSchemaKeywords").unwrap_or_default(),
            reasoning_effort_map: map
                .get("reasoningEffortMap")
                .and_then(Value::as_object)
                .map(|m| m.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
                .unwrap_or_default(),
        }
    }
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str)
}

fn strings(map: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = map.get(name)?.as_array()?;
    Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

/// Kind of endpoint, judged by the base URL; every default below hangs on it and not on the provider id (PRV-234).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// api.openai.com.
    OpenAi,
    /// api.anthropic.com.
    Anthropic,
    /// OpenRouter.
    OpenRouter,
    /// Mistral or Chutes, which know `max_tokens` only.
    MaxTokensOnly,
    /// DeepSeek.
    DeepSeek,
    /// Z.AI.
    Zai,
    /// Loopback and private addresses.
    Local,
    /// Anything else.
    Custom,
}

impl Endpoint {
    pub(crate) fn of(base_url: &str) -> Self {
        let Ok(url) = reqwest::Url::parse(base_url) else {
            return Self::Custom;
        };
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let under = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        if host == "api.openai.com" {
            Self::OpenAi
        } else if host == "api.anthropic.com" {
            Self::Anthropic
        } else if under("openrouter.ai") {
            Self::OpenRouter
        } else if host == "api.mistral.ai" || under("chutes.ai") {
            Self::MaxTokensOnly
        } else if under("deepseek.com") {
            Self::DeepSeek
        } else if under("z.ai") || under("bigmodel.cn") {
            Self::Zai
        } else if is_local_host(&host) {
            Self::Local
        } else {
            Self::Custom
        }
    }
}

/// Loopback, `.local`, RFC 1918 and the unspecified address (PRV-166).
pub(crate) fn is_local_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") {
        return true;
    }
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_unspecified(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local(),
        Err(_) => false,
    }
}

/// Flags with every default filled in, for one model at one endpoint (PRV-235..237).
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    pub store: bool,
    pub prompt_cache_key: bool,
    pub developer_role: bool,
    pub reasoning_effort: bool,
    pub usage_in_streaming: bool,
    pub tools: bool,
    pub string_content: bool,
    pub strict_keys: bool,
    pub tool_result_name: bool,
    pub assistant_after_tool_result: bool,
    pub thinking_as_text: bool,
    pub mistral_tool_ids: bool,
    pub max_tokens_field: MaxTokensField,
    pub thinking_format: ThinkingFormat,
    pub visible_reasoning_types: Vec<String>,
}

impl Effective {
    pub(crate) fn new(compat: &Compat, endpoint: Endpoint) -> Self {
        let native = endpoint == Endpoint::OpenAi;
        let max_tokens_only = endpoint == Endpoint::MaxTokensOnly;
        let openrouter = endpoint == Endpoint::OpenRouter;
        Self {
            store: compat.supports_store.unwrap_or(native),
            prompt_cache_key: compat.supports_prompt_cache_key.unwrap_or(false),
            // An endpoint that only imitates the API refuses the role, so an explicit flag cannot turn it on.
            developer_role: native && compat.supports_developer_role.unwrap_or(true),
            reasoning_effort: compat
                .supports_reasoning_effort
                .unwrap_or(matches!(endpoint, Endpoint::OpenAi | Endpoint::Local | Endpoint::DeepSeek)),
            usage_in_streaming: compat.supports_usage_in_streaming.unwrap_or(true),
            tools: compat.supports_tools.unwrap_or(true),
            string_content: compat.requires_string_content.unwrap_or(false),
            strict_keys: compat.strict_message_keys.unwrap_or(false),
            tool_result_name: compat.requires_tool_result_name.unwrap_or(false),
            assistant_after_tool_result: compat.requires_assistant_after_tool_result.unwrap_or(false),
            thinking_as_text: compat.requires_thinking_as_text.unwrap_or(false),
            mistral_tool_ids: compat.requires_mistral_tool_ids.unwrap_or(false),
            max_tokens_field: compat.max_tokens_field.unwrap_or(if max_tokens_only {
                MaxTokensField::MaxTokens
            } else {
                MaxTokensField::MaxCompletionTokens
            }),
            thinking_format: compat.thinking_format.unwrap_or(match endpoint {
                Endpoint::DeepSeek => ThinkingFormat::DeepSeek,
                Endpoint::Zai => ThinkingFormat::Zai,
                Endpoint::OpenRouter => ThinkingFormat::OpenRouter,
                _ => ThinkingFormat::OpenAi,
            }),
            visible_reasoning_types: compat.visible_reasoning_detail_types.clone().unwrap_or_else(|| {
                let types: &[&str] = if openrouter { &["response.output_text", "response.text"] } else { &[] };
                types.iter().map(|t| (*t).to_owned()).collect()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn endpoints_by_host() {
        let cases = [
            ("https://api.openai.com/v1", Endpoint::OpenAi),
            ("https://api.openai.com.evil.example/v1", Endpoint::Custom),
            ("https://api.anthropic.com", Endpoint::Anthropic),
            ("https://openrouter.ai/api/v1", Endpoint::OpenRouter),
            ("https://api.mistral.ai/v1", Endpoint::MaxTokensOnly),
            ("https://llm.chutes.ai/v1", Endpoint::MaxTokensOnly),
            ("http://127.0.0.1:8080/v1", Endpoint::Local),
            ("http://[::1]:8080/v1", Endpoint::Local),
            ("http://box.local:1/v1", Endpoint::Local),
            ("http://192.168.1.9/v1", Endpoint::Local),
            ("http://8.8.8.8/v1", Endpoint::Custom),
        ];
        for (url, want) in cases {
            assert_eq!(Endpoint::of(url), want, "{url}");
        }
    }

    #[test]
    fn developer_role_needs_the_native_endpoint() {
        // PRV-235
        let on = Compat::from_json(&json!({"supportsDeveloperRole": true}));
        assert!(!Effective::new(&on, Endpoint::Custom).developer_role);
        assert!(!Effective::new(&on, Endpoint::Local).developer_role);
        assert!(Effective::new(&on, Endpoint::OpenAi).developer_role);
        let off = Compat::from_json(&json!({"supportsDeveloperRole": false}));
        assert!(!Effective::new(&off, Endpoint::OpenAi).developer_role);
    }

    #[test]
    fn defaults_and_overrides() {
        let none = Compat::default();
        let field = |e| Effective::new(&none, e).max_tokens_field;
        assert_eq!(field(Endpoint::MaxTokensOnly), MaxTokensField::MaxTokens);
        assert_eq!(field(Endpoint::Custom), MaxTokensField::MaxCompletionTokens);
        assert_eq!(Effective::new(&none, Endpoint::OpenRouter).thinking_format, ThinkingFormat::OpenRouter);
        assert_eq!(Effective::new(&none, Endpoint::OpenRouter).visible_reasoning_types.len(), 2);
        let set = Compat::from_json(&json!({"maxTokensField": "max_tokens", "thinkingFormat": "qwen", "supportsStore": 1}));
        let effective = Effective::new(&set, Endpoint::OpenAi);
        assert_eq!(effective.max_tokens_field, MaxTokensField::MaxTokens);
        assert_eq!(effective.thinking_format, ThinkingFormat::Qwen);
        assert!(effective.store, "a value of the wrong type is ignored");
    }
}
