//! `image_generate` (TOOL-81, TOOL-85).

use std::path::PathBuf;
use std::sync::Weak;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Map, Value, json};

use super::{alive, json_result, list, param, result, scope, words};
use crate::bytes;
use crate::generation::{self, Medium};
use crate::host::{Scope, Surroundings};
use crate::kind::Provider;
use crate::media;
use crate::params::Params;
use crate::reference;

/// Largest reference picture, in bytes.
const MOST_REFERENCE: usize = 20 * 1024 * 1024;
/// Folder of the media directory.
const FOLDER: &str = "tool-image-generation";

/// Makes media with the providers of plugins.
pub(super) struct GenerateTool {
    host: Weak<dyn Surroundings>,
}

impl std::fmt::Debug for GenerateTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GenerateTool")
    }
}

impl GenerateTool {
    pub(super) fn new(host: Weak<dyn Surroundings>) -> Self {
        Self { host }
    }
}

#[async_trait]
impl HostTool for GenerateTool {
    fn name(&self) -> &'static str {
        "image_generate"
    }

    fn describe(&self, registry: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        Provider::any(registry, Medium::Image.capability()).then(|| HostToolSpec {
            label: "Image generation".into(),
            description: "Make pictures from a description, or change given ones. The files are named in the result as MEDIA: lines. \
                `action: \"list\"` names the models and what they can do"
                .into(),
            parameters: schema(),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.host)?;
        let scope = scope(host.as_ref(), &call);
        let params = Params(&call.params);
        match params.word("action", &["generate", "status", "list"])?.as_deref() {
            Some("list") => Ok(listed(&scope, Medium::Image).await),
            Some("status") => Ok(json_result(json!({"action": "status", "active": false}))),
            _ => generate(&scope, &params).await,
        }
    }
}

fn schema() -> Value {
    json!({"type": "object", "properties": {
        "action": words(&["generate", "status", "list"], "What to do; `generate` when absent"),
        "prompt": param("string", "What the picture shows"),
        "image": param("string", "A picture to start from: path or address"),
        "images": list(5, "Pictures to start from"),
        "model": param("string", "provider/model; the configured one when absent"),
        "filename": param("string", "A hint for the file's name"),
        "size": param("string", "Such as 1024x1024"),
        "aspectRatio": param("string", "Such as 16:9"),
        "resolution": words(&["1K", "2K", "4K"], "Resolution"),
        "quality": words(&["low", "medium", "high", "auto"], "Quality"),
        "outputFormat": words(&["png", "jpeg", "webp"], "File format"),
        "background": words(&["transparent", "opaque", "auto"], "Background"),
        "openai": {"type": "object", "description": "Options that only OpenAI's models take"},
        "count": {"type": "integer", "minimum": 1, "maximum": 4, "description": "How many pictures"},
        "timeoutMs": param("number", "Longest time for one provider, in milliseconds"),
    }})
}

/// The registered providers with their models, and whether they can be used (TOOL-84).
pub(super) async fn listed(scope: &Scope<'_>, medium: Medium) -> Value {
    let mut rows = Vec::new();
    for provider in Provider::all(&scope.registry, medium.capability()) {
        let mut row = json!({"id": provider.id, "configured": generation::configured(scope, &provider).await});
        for key in ["label", "defaultModel", "models", "capabilities"] {
            if let Some(value) = provider.object.value().get(key) {
                row[key] = crate::kind::without_functions(value);
            }
        }
        rows.push(row);
    }
    json_result(json!({"action": "list", "providers": rows, "models": generation::catalog::rows(scope, medium).await}))
}

/// The members of a request that are texts of a few words.
fn choices(params: &Params<'_>, request: &mut Map<String, Value>) -> Result<(), String> {
    for (name, among) in [
        ("resolution", &["1K", "2K", "4K"][..]),
        ("quality", &["low", "medium", "high", "auto"]),
        ("outputFormat", &["png", "jpeg", "webp"]),
        ("background", &["transparent", "opaque", "auto"]),
    ] {
        if let Some(word) = params.word(name, among)? {
            request.insert(name.into(), word.into());
        }
    }
    Ok(())
}

async fn generate(scope: &Scope<'_>, params: &Params<'_>) -> Result<Value, String> {
    let mut request = Map::new();
    request.insert("prompt".into(), params.needed("prompt")?.into());
    choices(params, &mut request)?;
    for (name, key) in [("model", "modelOverride"), ("size", "size"), ("aspectRatio", "aspectRatio")] {
        if let Some(text) = params.text(name) {
            request.insert(key.into(), text.into());
        }
    }
    let count = params.whole("count", 1, 4)?.unwrap_or(1);
    request.insert("count".into(), count.into());
    if let Some(time) = params.whole("timeoutMs", 1, 3_600_000)? {
        request.insert("timeoutMs".into(), time.into());
    }
    if let Some(options) = params.value("openai").filter(|v| v.is_object()) {
        request.insert("providerOptions".into(), json!({"openai": options}));
    }
    let sources = params.list("image", "images", 5)?;
    let inputs = inputs(scope, &sources).await?;
    if !inputs.is_empty() {
        request.insert("inputImages".into(), inputs.into());
    }
    // An explicit choice of models is not widened by others (PRV-313).
    if !generation::refs_of(scope.setting("/agents/defaults/imageGenerationModel")).is_empty() {
        request.insert("autoProviderFallback".into(), false.into());
    }
    let made = generation::generate(scope, Medium::Image, &request.into()).await.map_err(|e| e.to_string())?;
    let paths = keep(scope, Medium::Image, FOLDER, &made, params.text("filename").as_deref()).await?;
    let mut details = told(&made, &paths);
    if !sources.is_empty() {
        details["images"] = sources.iter().map(|s| if s.starts_with("data:") { "data:" } else { s }).collect();
    }
    Ok(result(summary(&made, &paths, "image"), details))
}

/// Reference pictures as providers get them.
async fn inputs(scope: &Scope<'_>, sources: &[String]) -> Result<Vec<Value>, String> {
    let mut out = Vec::new();
    for source in sources {
        let loaded = reference::load(scope, source, MOST_REFERENCE).await?;
        if !loaded.mime.starts_with("image/") {
            return Err(format!("`{}` is no picture", loaded.source));
        }
        out.push(json!({"buffer": bytes::value(&loaded.bytes), "mimeType": loaded.mime, "fileName": loaded.name}));
    }
    Ok(out)
}

/// Writes the assets into the media directory; those that the provider only gave an address for are named by it.
pub(super) async fn keep(scope: &Scope<'_>, medium: Medium, folder: &str, made: &Value, name: Option<&str>) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for asset in made.get(medium.assets()).and_then(Value::as_array).into_iter().flatten() {
        let Some(content) = asset.get("buffer").and_then(bytes::read).filter(|b| !b.is_empty()) else {
            out.extend(chela_plugin::value::text(asset, "url").map(str::to_string));
            continue;
        };
        let given = chela_plugin::value::text(asset, "fileName");
        let told = chela_plugin::value::text(asset, "mimeType").unwrap_or_default().to_string();
        let mime = media::mime_of(&content, given.unwrap_or_default()).map_or(told, str::to_string);
        let saved: std::io::Result<PathBuf> = media::save(&scope.host.media_dir(), folder, content, &mime, name.or(given)).await;
        out.push(saved.map_err(|e| e.to_string())?.display().to_string());
    }
    Ok(out)
}

/// The details of a result: everything but the content.
pub(super) fn told(made: &Value, paths: &[String]) -> Value {
    let mut details = json!({"count": paths.len(), "paths": paths, "media": {"mediaUrls": paths}});
    for key in ["provider", "model", "attempts", "normalization", "metadata", "ignoredOverrides", "lyrics"] {
        if let Some(value) = made.get(key).filter(|v| !v.is_null()) {
            details[key] = value.clone();
        }
    }
    let revised: Vec<&Value> = made["images"].as_array().into_iter().flatten().filter_map(|i| i.get("revisedPrompt")).collect();
    if !revised.is_empty() {
        details["revisedPrompts"] = json!(revised);
    }
    details
}

/// The text of a result (TOOL-85).
pub(super) fn summary(made: &Value, paths: &[String], noun: &str) -> String {
    let text = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default();
    let plural = if paths.len() == 1 { "" } else { "s" };
    let mut lines = vec![format!("Generated {} {noun}{plural} with {}/{}.", paths.len(), text("provider"), text("model"))];
    let ignored = made.get("ignoredOverrides").and_then(Value::as_array).into_iter().flatten();
    let ignored: Vec<String> = ignored.map(|o| format!("{}={}", o["key"].as_str().unwrap_or_default(), shown(&o["value"]))).collect();
    if !ignored.is_empty() {
        lines.push(format!("Warning: the model does not take {}; this was left out.", ignored.join(", ")));
    }
    lines.extend(paths.iter().map(|path| format!("MEDIA:{path}")));
    lines.join("\n")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}
