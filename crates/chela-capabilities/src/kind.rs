//! The kinds of capabilities, and the providers that plugins registered for them.

use chela_plugin::registry::Registry;
use chela_plugin::{CallError, PluginObject};
use serde_json::Value;

use crate::host::Scope;

/// A kind of capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Text to speech (API-046).
    Speech,
    /// Speech to text while it is spoken (API-047).
    RealtimeTranscription,
    /// A spoken conversation (API-048).
    RealtimeVoice,
    /// Text from images, audio and video (API-049).
    MediaUnderstanding,
    /// Images (API-050).
    ImageGeneration,
    /// Videos (API-051).
    VideoGeneration,
    /// Music (API-052).
    MusicGeneration,
    /// Transcripts of meetings (2026.6.11).
    TranscriptSource,
    /// Text of web pages (API-053).
    WebFetch,
    /// Search on the web (API-054).
    WebSearch,
}

impl Capability {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Speech,
        Self::RealtimeTranscription,
        Self::RealtimeVoice,
        Self::MediaUnderstanding,
        Self::ImageGeneration,
        Self::VideoGeneration,
        Self::MusicGeneration,
        Self::TranscriptSource,
        Self::WebFetch,
        Self::WebSearch,
    ];

    /// The registration method.
    pub fn method(self) -> &'static str {
        match self {
            Self::Speech => "registerSpeechProvider",
            Self::RealtimeTranscription => "registerRealtimeTranscriptionProvider",
            Self::RealtimeVoice => "registerRealtimeVoiceProvider",
            Self::MediaUnderstanding => "registerMediaUnderstandingProvider",
            Self::ImageGeneration => "registerImageGenerationProvider",
            Self::VideoGeneration => "registerVideoGenerationProvider",
            Self::MusicGeneration => "registerMusicGenerationProvider",
            Self::TranscriptSource => "registerTranscriptSourceProvider",
            Self::WebFetch => "registerWebFetchProvider",
            Self::WebSearch => "registerWebSearchProvider",
        }
    }

    /// Words for messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::RealtimeTranscription => "realtime transcription",
            Self::RealtimeVoice => "realtime voice",
            Self::MediaUnderstanding => "media understanding",
            Self::ImageGeneration => "image generation",
            Self::VideoGeneration => "video generation",
            Self::MusicGeneration => "music generation",
            Self::TranscriptSource => "transcript source",
            Self::WebFetch => "web fetch",
            Self::WebSearch => "web search",
        }
    }
}

/// One registered provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// What it was registered as: its data and functions.
    pub object: PluginObject,
}

impl Provider {
    /// All providers of a kind, in order of registration.
    pub fn all(registry: &Registry, capability: Capability) -> Vec<Self> {
        registry.recorded_of(capability.method()).map(|r| Self { id: r.id.clone(), object: r.object(0) }).collect()
    }

    /// The provider with this id, else the one with this alias; case does not matter.
    pub fn find(registry: &Registry, capability: Capability, id: &str) -> Option<Self> {
        let all = Self::all(registry, capability);
        let named = all.iter().find(|p| p.is(id)).or_else(|| all.iter().find(|p| p.texts("aliases").any(|a| a.eq_ignore_ascii_case(id))));
        named.cloned()
    }

    /// True when a provider of this kind is there.
    pub fn any(registry: &Registry, capability: Capability) -> bool {
        registry.recorded_of(capability.method()).next().is_some()
    }

    /// True when this is its id.
    pub fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id.trim())
    }

    /// True when this is its id or one of its aliases.
    pub fn answers_to(&self, id: &str) -> bool {
        self.is(id) || self.texts("aliases").any(|a| a.eq_ignore_ascii_case(id.trim()))
    }

    /// The trimmed texts of a list member.
    pub fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        let list = self.object.value().get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::trim).filter(|t| !t.is_empty())
    }

    /// A member that orders providers; one without it comes last.
    pub fn rank(&self, pointer: &str) -> f64 {
        self.object.value().pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::INFINITY)
    }

    /// Sorts by such a member, then by id (PRV-295, PRV-309, PRV-326).
    pub fn sort(all: &mut [Self], pointer: &str) {
        all.sort_by(|a, b| a.rank(pointer).total_cmp(&b.rank(pointer)).then_with(|| a.id.cmp(&b.id)));
    }

    /// A yes or no of the provider, such as `isConfigured`. `None` when it has no such function; a failure counts as no.
    pub async fn says(&self, function: &str, params: Value, scope: &Scope<'_>) -> Option<bool> {
        if !self.object.has(function) {
            return None;
        }
        let answer = self.object.ask(function, params, crate::host::QUESTION_BUDGET, &scope.cancel).await;
        match answer {
            Ok(value) => Some(truthy(&value)),
            Err(error) => {
                self.warn(function, &error);
                Some(false)
            }
        }
    }

    /// What is logged of a failure that only means that the provider is passed over.
    pub fn warn(&self, function: &str, error: &CallError) {
        tracing::warn!(target: "capabilities", plugin = %self.object.owner.id, provider = %self.id, function, "{error}");
    }

    /// The provider as other plugins and clients see it: its data and its plugin, without functions.
    pub fn described(&self) -> Value {
        let mut value = without_functions(self.object.value());
        if let Some(object) = value.as_object_mut() {
            object.insert("id".into(), self.id.clone().into());
            object.insert("pluginId".into(), self.object.owner.id.as_ref().into());
        }
        value
    }
}

/// What JavaScript takes for true.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        other => !chela_plugin::value::is_undefined(other),
    }
}

/// Functions of one plugin mean nothing to another.
pub(crate) fn without_functions(value: &Value) -> Value {
    let is_function = |v: &Value| v.as_object().is_some_and(|o| o.contains_key("$fn") || o.contains_key("$stream"));
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(_, v)| !is_function(v))
            .map(|(k, v)| (k.clone(), without_functions(v)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().filter(|v| !is_function(v)).map(without_functions).collect(),
        other => other.clone(),
    }
}
