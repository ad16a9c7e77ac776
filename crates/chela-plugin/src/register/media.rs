//! Providers of speech, media and search, all of one shape: an object with a unique id (API-046..055).

use serde_json::{Value, json};

use super::registrar::Registrar;
use crate::register::entries::{CatalogSource, ModelCatalog};

/// Method, the label of its messages, and the kind of model rows it brings.
pub(super) const UNIQUE_PROVIDERS: &[(&str, &str, Option<&str>)] = &[
    ("registerSpeechProvider", "speech provider", None),
    ("registerRealtimeTranscriptionProvider", "realtime transcription provider", None),
    ("registerRealtimeVoiceProvider", "realtime voice provider", None),
    ("registerMediaUnderstandingProvider", "media provider", None),
    ("registerImageGenerationProvider", "image-generation provider", Some("image_generation")),
    ("registerVideoGenerationProvider", "video-generation provider", Some("video_generation")),
    ("registerMusicGenerationProvider", "music-generation provider", Some("music_generation")),
    ("registerTranscriptSourceProvider", "transcripts source provider", None),
    ("registerWebFetchProvider", "web fetch provider", None),
    ("registerWebSearchProvider", "web search provider", None),
    ("registerMigrationProvider", "migration provider", None),
    ("registerCliBackend", "cli backend", None),
];

impl Registrar<'_> {
    pub(super) fn unique_provider(&mut self, method: &str, label: &str, rows: Option<&str>, args: &[Value]) {
        let provider = args.first().unwrap_or(&Value::Null);
        let id = Self::trimmed_id(provider);
        if id.is_empty() {
            return self.error(format!("{label} registration missing id"));
        }
        if let Some(known) = self.find_recorded(method, &id) {
            let message = format!("{label} already registered: {id} ({})", known.owner.id);
            return self.error(message);
        }
        self.keep(method, &id, args);
        if let Some(kind) = rows {
            let owner = self.owner.clone();
            let static_rows = Some(CatalogSource::Fixed(model_rows(kind, &id, provider)));
            self.place_catalog(ModelCatalog { owner, provider: id, kinds: vec![kind.into()], static_rows, live_rows: None });
        }
    }
}

/// Model rows of a generation provider: its default model first, each model once.
fn model_rows(kind: &str, id: &str, provider: &Value) -> Vec<Value> {
    let default = provider.get("defaultModel").and_then(Value::as_str);
    let listed = provider.get("models").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut seen: Vec<&str> = Vec::new();
    for model in default.into_iter().chain(listed).map(str::trim).filter(|m| !m.is_empty()) {
        if !seen.contains(&model) {
            seen.push(model);
        }
    }
    seen.into_iter()
        .map(|model| {
            let mut row = json!({ "kind": kind, "provider": id, "model": model, "source": "static" });
            for (key, value) in [("capabilities", provider.get("capabilities")), ("label", provider.get("label"))] {
                if let Some(value) = value {
                    row[key] = value.clone();
                }
            }
            if Some(model) == default {
                row["default"] = true.into();
            }
            row
        })
        .collect()
}
