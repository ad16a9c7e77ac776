//! Every model that config names, with the place where it does.

use serde_json::{Map, Value};

/// Keys of an agent that hold a model, as a string or as `{primary, fallbacks}`.
const MODEL_KEYS: [&str; 6] = ["model", "imageModel", "imageGenerationModel", "videoGenerationModel", "musicGenerationModel", "pdfModel"];

/// A model ref of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfiguredModel {
    /// Dotted config path.
    pub path: String,
    /// The ref, trimmed.
    pub text: String,
}

/// All refs in the order of the reference; a ref that is named twice appears twice.
pub(crate) fn configured_models(config: &Value) -> Vec<ConfiguredModel> {
    let mut refs = Refs { config, found: Vec::new() };
    refs.agent("agents.defaults", at(config, "agents.defaults"));
    let list = at(config, "agents.list").and_then(Value::as_array);
    for (index, agent) in list.into_iter().flatten().enumerate() {
        refs.agent(&format!("agents.list.{index}"), Some(agent));
    }
    let mappings = at(config, "hooks.mappings").and_then(Value::as_array);
    for (index, mapping) in mappings.into_iter().flatten().enumerate() {
        refs.model(format!("hooks.mappings.{index}.model"), mapping.get("model"));
    }
    refs.named("hooks.gmail.model");
    refs.named("tools.subagents.model");
    refs.named("messages.tts.summaryModel");
    refs.named("channels.discord.voice.model");
    refs.found
}

/// Refs that choose a model for a channel; they enable no plugin.
pub(crate) fn channel_models(config: &Value) -> Vec<ConfiguredModel> {
    let mut refs = Refs { config, found: Vec::new() };
    let channels = at(config, "channels.modelByChannel").and_then(Value::as_object);
    for (channel, targets) in channels.into_iter().flatten() {
        for (target, model) in targets.as_object().into_iter().flatten() {
            refs.text(format!("channels.modelByChannel.{channel}.{target}"), Some(model));
        }
    }
    refs.found
}

struct Refs<'a> {
    config: &'a Value,
    found: Vec<ConfiguredModel>,
}

impl Refs<'_> {
    fn agent(&mut self, base: &str, agent: Option<&Value>) {
        let Some(agent) = agent else { return };
        for key in MODEL_KEYS {
            self.model(format!("{base}.{key}"), agent.get(key));
        }
        for path in ["heartbeat.model", "subagents.model", "compaction.model", "compaction.memoryFlush.model"] {
            self.model(format!("{base}.{path}"), at(agent, path));
        }
        let models = agent.get("models").and_then(Value::as_object);
        for key in models.into_iter().flat_map(Map::keys) {
            self.push(format!("{base}.models.{key}"), key);
        }
    }

    fn named(&mut self, path: &str) {
        self.model(path.to_owned(), at(self.config, path));
    }

    fn model(&mut self, path: String, value: Option<&Value>) {
        let Some(Value::Object(choice)) = value else { return self.text(path, value) };
        self.text(format!("{path}.primary"), choice.get("primary"));
        let fallbacks = choice.get("fallbacks").and_then(Value::as_array);
        for (index, entry) in fallbacks.into_iter().flatten().enumerate() {
            self.text(format!("{path}.fallbacks.{index}"), Some(entry));
        }
    }

    fn text(&mut self, path: String, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str) {
            self.push(path, text);
        }
    }

    fn push(&mut self, path: String, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.found.push(ConfiguredModel { path, text: text.to_owned() });
        }
    }
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key))
}
