//! `music_generate` and `video_generate`: they take minutes, so they run beside the turn and wake the session when they are done
//! (TOOL-82..85).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Map, Value, json};

use super::generate::{keep, listed, summary};
use super::{alive, json_result, list, param, scope, words};
use crate::bytes;
use crate::generation::{self, Medium};
use crate::host::{Scope, Surroundings};
use crate::kind::Provider;
use crate::params::Params;
use crate::reference;

/// Most generations that run at once.
const MOST_RUNNING: usize = 8;
/// Largest reference file, in bytes.
const MOST_REFERENCE: usize = 20 * 1024 * 1024;

/// Makes music or videos with the providers of plugins.
pub(super) struct BackgroundTool {
    host: Weak<dyn Surroundings>,
    medium: Medium,
    running: Arc<Mutex<HashMap<String, Running>>>,
}

/// A generation under way, by session.
#[derive(Clone)]
struct Running {
    task_id: String,
    run_id: String,
    prompt: String,
    begun: Instant,
}

impl std::fmt::Debug for BackgroundTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BackgroundTool").field(&self.medium).finish()
    }
}

impl BackgroundTool {
    pub(super) fn new(host: Weak<dyn Surroundings>, medium: Medium) -> Self {
        Self { host, medium, running: Arc::default() }
    }

    fn noun(&self) -> &'static str {
        if self.medium == Medium::Music { "track" } else { "video" }
    }

    fn running(&self, session: &str) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }

    /// The request of a call, with its reference files loaded.
    async fn request(&self, scope: &Scope<'_>, params: &Params<'_>) -> Result<Map<String, Value>, String> {
        let mut request = Map::new();
        request.insert("prompt".into(), params.needed("prompt")?.into());
        let texts: &[(&str, &str)] = match self.medium {
            Medium::Music => &[("model", "modelOverride"), ("lyrics", "lyrics"), ("format", "format")],
            _ => &[("model", "modelOverride"), ("size", "size"), ("aspectRatio", "aspectRatio"), ("resolution", "resolution")],
        };
        let flags: &[&str] = if self.medium == Medium::Music { &["instrumental"] } else { &["audio", "watermark"] };
        for (name, key) in texts {
            request.extend(params.text(name).map(|text| ((*key).to_string(), text.into())));
        }
        for name in flags {
            request.extend(params.flag(name).map(|on| ((*name).to_string(), on.into())));
        }
        for name in ["durationSeconds", "timeoutMs"] {
            request.extend(params.whole(name, 1, 3_600_000)?.map(|n| (name.to_string(), n.into())));
        }
        if let Some(options) = params.value("providerOptions").filter(|v| v.is_object() && self.medium == Medium::Video) {
            request.insert("providerOptions".into(), options.clone());
        }
        let most_images = if self.medium == Medium::Music { 10 } else { 9 };
        let mut kinds = vec![("image", "images", "imageRoles", "inputImages", most_images, "image/")];
        if self.medium == Medium::Video {
            kinds.push(("video", "videos", "videoRoles", "inputVideos", 4, "video/"));
            kinds.push(("audioRef", "audioRefs", "audioRoles", "inputAudios", 3, "audio/"));
        }
        for (single, many, roles, key, most, start) in kinds {
            let sources = params.list(single, many, most)?;
            let roles = params.value(roles).and_then(Value::as_array).cloned().unwrap_or_default();
            let mut loaded = Vec::new();
            for (at, source) in sources.iter().enumerate() {
                loaded.push(input(scope, source, start, roles.get(at)).await?);
            }
            if !loaded.is_empty() {
                request.insert(key.into(), loaded.into());
            }
        }
        // An explicit choice of models is not widened by others (PRV-313).
        if !generation::refs_of(scope.setting(&format!("/agents/defaults/{}", self.medium.config_key()))).is_empty() {
            request.insert("autoProviderFallback".into(), false.into());
        }
        Ok(request)
    }

    /// Starts the work and answers at once.
    fn start(
        &self,
        host: Arc<dyn Surroundings>,
        call: &HostToolCall<'_>,
        request: Map<String, Value>,
        name: Option<String>,
    ) -> Result<Value, String> {
        let prompt = request.get("prompt").and_then(Value::as_str).unwrap_or_default().to_string();
        let tool = self.name();
        let run_id = format!("tool:{tool}:{}", uuid::Uuid::new_v4());
        let task = Running { task_id: uuid::Uuid::new_v4().to_string(), run_id, prompt, begun: Instant::now() };
        {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.len() >= MOST_RUNNING {
                return Err(format!("{MOST_RUNNING} generations run already; wait for one of them"));
            }
            running.insert(call.session_key.to_string(), task.clone());
        }
        let agent = call.context.get("agentId").and_then(Value::as_str).map(str::to_string);
        let (registry, session, running) = (call.registry.clone(), call.session_key.to_string(), self.running.clone());
        let (medium, noun, task_id) = (self.medium, self.noun(), task.task_id.clone());
        tokio::spawn(async move {
            let told = {
                let mut scope = Scope::new(host.as_ref());
                scope.registry = registry;
                scope.agent = agent.clone();
                finish(&scope, medium, noun, &Value::Object(request), name.as_deref()).await
            };
            running.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
            let text = format!("[Background task {task_id} of {tool} has ended]\n{told}");
            if let Err(error) = host.wake(&session, agent.as_deref(), text).await {
                tracing::warn!(target: "capabilities", session, tool, "the end of a generation could not be told: {error}");
            }
        });
        Ok(json_result(described(&task, tool, "started")))
    }
}

async fn finish(scope: &Scope<'_>, medium: Medium, noun: &str, request: &Value, name: Option<&str>) -> String {
    let folder = if medium == Medium::Music { "tool-music-generation" } else { "tool-video-generation" };
    let made = match generation::generate(scope, medium, request).await {
        Ok(made) => made,
        Err(error) => return format!("It failed: {error}"),
    };
    match keep(scope, medium, folder, &made, name).await {
        Ok(paths) => summary(&made, &paths, noun),
        Err(error) => format!("It was made and could not be kept: {error}"),
    }
}

async fn input(scope: &Scope<'_>, source: &str, start: &str, role: Option<&Value>) -> Result<Value, String> {
    let loaded = reference::load(scope, source, MOST_REFERENCE).await?;
    if !loaded.mime.starts_with(start) {
        return Err(format!("`{}` is no {}", loaded.source, start.trim_end_matches('/')));
    }
    let mut out = json!({"buffer": bytes::value(&loaded.bytes), "mimeType": loaded.mime, "fileName": loaded.name});
    if let Some(role) = role.and_then(Value::as_str).map(str::trim).filter(|r| !r.is_empty()) {
        out["role"] = role.into();
    }
    Ok(out)
}

fn described(task: &Running, tool: &str, status: &str) -> Value {
    json!({
        "async": true, "tool": tool, "status": status, "active": true, "taskId": task.task_id, "runId": task.run_id,
        "prompt": task.prompt, "seconds": task.begun.elapsed().as_secs(),
        "note": "The finished file comes as a message of its own; do not start it again",
    })
}

#[async_trait]
impl HostTool for BackgroundTool {
    fn name(&self) -> &'static str {
        if self.medium == Medium::Music { "music_generate" } else { "video_generate" }
    }

    fn describe(&self, registry: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let (label, what) = match self.medium {
            Medium::Music => ("Music generation", "Make music from a description"),
            _ => ("Video generation", "Make a video from a description, pictures or videos"),
        };
        Provider::any(registry, self.medium.capability()).then(|| HostToolSpec {
            label: label.into(),
            description: format!(
                "{what}. It runs in the background and its file comes later; `action: \"status\"` tells whether it still runs, \
                 `action: \"list\"` names the models"
            ),
            parameters: self.schema(),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.host)?;
        let params = Params(&call.params);
        let action = params.word("action", &["generate", "status", "list"])?;
        let scope = scope(host.as_ref(), &call);
        if action.as_deref() == Some("list") {
            return Ok(listed(&scope, self.medium).await);
        }
        if let Some(task) = self.running(call.session_key) {
            return Ok(json_result(described(&task, self.name(), "running")));
        }
        if action.as_deref() == Some("status") {
            return Ok(json_result(json!({"tool": self.name(), "active": false})));
        }
        let request = self.request(&scope, &params).await?;
        self.start(host.clone(), &call, request, params.text("filename"))
    }
}

impl BackgroundTool {
    fn schema(&self) -> Value {
        let mut all = json!({
            "action": words(&["generate", "status", "list"], "What to do; `generate` when absent"),
            "prompt": param("string", "What it is about"),
            "image": param("string", "A picture to start from: path or address"),
            "images": list(if self.medium == Medium::Music { 10 } else { 9 }, "Pictures to start from"),
            "model": param("string", "provider/model; the configured one when absent"),
            "filename": param("string", "A hint for the file's name"),
            "durationSeconds": param("number", "How long it is"),
            "timeoutMs": param("number", "Longest time for one provider, in milliseconds"),
        });
        let more = match self.medium {
            Medium::Music => json!({
                "lyrics": param("string", "What is sung"),
                "instrumental": param("boolean", "Without voices"),
                "format": words(&["mp3", "wav"], "File format"),
            }),
            _ => json!({
                "imageRoles": list(9, "first_frame, last_frame or reference_image, for each picture"),
                "video": param("string", "A video to start from"),
                "videos": list(4, "Videos to start from"),
                "videoRoles": list(4, "reference_video, for each video"),
                "audioRef": param("string", "A sound to use"),
                "audioRefs": list(3, "Sounds to use"),
                "audioRoles": list(3, "reference_audio, for each sound"),
                "size": param("string", "Such as 1280x720"),
                "aspectRatio": param("string", "Such as 16:9"),
                "resolution": param("string", "Such as 720P"),
                "audio": param("boolean", "With sound"),
                "watermark": param("boolean", "With a watermark"),
                "providerOptions": {"type": "object", "description": "Options that the provider declares"},
            }),
        };
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        json!({"type": "object", "properties": all})
    }
}
