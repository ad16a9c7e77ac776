//! Text from images, audio and video (PRV-307..312, RT-123..126).

mod entries;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::CallError;
use serde_json::{Value, json};

use crate::bytes;
use crate::choice::{Attempt, Candidate, Job, Miss, Outcome, choose};
use crate::host::{Credential, Picture, Scope};
use crate::kind::{Capability, Provider};
use crate::reference::{self, Loaded};

use entries::{Entry, entries};

/// What a provider may take beyond the time that it was told.
const GRACE: Duration = Duration::from_secs(5);
/// Time of the calls that name provider and model themselves, when the caller says none.
const NAMED_TIME: Duration = Duration::from_secs(30);
/// Audio below this is no speech (PRV-308).
const LEAST_AUDIO: usize = 1_024;
/// Most bytes of a file for the calls that name provider and model themselves.
const NAMED_BYTES: usize = 20 * 1024 * 1024;

/// What is looked at or listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// Pictures.
    Image,
    /// Speech.
    Audio,
    /// Videos.
    Video,
}

impl Sense {
    /// The word of a request.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Image, Self::Audio, Self::Video].into_iter().find(|sense| sense.as_str() == word)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    fn output(self) -> &'static str {
        match self {
            Self::Image => "image.description",
            Self::Audio => "audio.transcription",
            Self::Video => "video.description",
        }
    }

    fn function(self) -> &'static str {
        match self {
            Self::Image => "describeImage",
            Self::Audio => "transcribeAudio",
            Self::Video => "describeVideo",
        }
    }

    /// Bytes, seconds and characters when the config does not say (PRV-308).
    fn limits(self) -> (u64, u64, Option<usize>) {
        match self {
            Self::Image => (10 * 1024 * 1024, 60, Some(500)),
            Self::Audio => (20 * 1024 * 1024, 60, None),
            Self::Video => (50 * 1024 * 1024, 120, Some(500)),
        }
    }

    fn prompt(self) -> &'static str {
        match self {
            Self::Image => "Describe the image.",
            Self::Audio => "Transcribe the audio.",
            Self::Video => "Describe the video.",
        }
    }
}

struct Look<'a> {
    sense: Sense,
    file: &'a Loaded,
    /// Settings by place in the list of candidates.
    entries: &'a [Entry],
    prompt: Option<&'a str>,
    language: Option<&'a str>,
    time: Option<Duration>,
}

/// Runs a file through the models for it (RT-123, RT-124): `{text?, provider?, model?, output?, decision}`.
///
/// # Errors
/// When the file cannot be read, or every model that was asked failed.
pub async fn run_file(scope: &Scope<'_>, sense: Sense, params: &Value) -> Result<Value, CallError> {
    let settings = scope.setting("/tools/media").and_then(|m| m.get(sense.as_str()));
    if settings.and_then(|s| s.get("enabled")) == Some(&Value::Bool(false)) {
        return Ok(json!({"decision": decision(sense, "disabled", Vec::new())}));
    }
    let Some(path) = chela_plugin::value::text(params, "filePath") else {
        return Err(CallError::refused("INVALID_PARAMS", "`filePath` (text) is needed"));
    };
    let most = settings.and_then(|s| s.get("maxBytes")).and_then(Value::as_u64).unwrap_or(sense.limits().0);
    let mut file = read(path, most).await?;
    if let Some(mime) = chela_plugin::value::text(params, "mime") {
        file.mime = mime.to_string();
    }
    if sense == Sense::Audio && file.bytes.len() < LEAST_AUDIO {
        let why = format!("the audio has only {} bytes", file.bytes.len());
        let attachment = json!({"attachmentIndex": 0, "attempts": [{"type": "provider", "outcome": "skipped", "reason": why}]});
        return Ok(json!({"decision": decision(sense, "skipped", vec![attachment])}));
    }
    describe(scope, sense, &file, params).await
}

async fn describe(scope: &Scope<'_>, sense: Sense, file: &Loaded, params: &Value) -> Result<Value, CallError> {
    let entries = entries(scope, sense, params.get("activeModel")).await;
    let candidates: Vec<Candidate> = entries.iter().map(|e| e.candidate.clone()).collect();
    let job = Look {
        sense,
        file,
        entries: &entries,
        prompt: chela_plugin::value::text(params, "prompt"),
        language: chela_plugin::value::text(params, "language"),
        time: params.get("timeoutMs").and_then(Value::as_u64).filter(|ms| *ms > 0).map(Duration::from_millis),
    };
    match choose(scope, &job, &candidates).await {
        Ok(chosen) => {
            let rows: Vec<Value> = chosen.attempts.iter().map(told).collect();
            let (text, model) = chosen.value;
            let provider = chosen.candidate.provider;
            let attachment = json!({"attachmentIndex": 0, "attempts": rows, "chosen": rows.last()});
            let output = json!({"kind": sense.output(), "attachmentIndex": 0, "text": text, "provider": provider, "model": model});
            let decision = decision(sense, "success", vec![attachment]);
            Ok(json!({"text": text, "provider": provider, "model": model, "output": output, "decision": decision}))
        }
        Err(failed) if failed.attempts.iter().any(|a| a.outcome == Outcome::Failed) => {
            Err(failed.into_error(&format!("{} understanding", sense.as_str())))
        }
        // Nobody was asked: nothing was produced, which is no error (RT-124).
        Err(failed) => {
            let rows: Vec<Value> = failed.attempts.iter().map(told).collect();
            let attachment = json!({"attachmentIndex": 0, "attempts": rows});
            Ok(json!({"decision": decision(sense, "skipped", vec![attachment])}))
        }
    }
}

/// PRV-311.
fn decision(sense: Sense, outcome: &str, attachments: Vec<Value>) -> Value {
    json!({"capability": sense.as_str(), "outcome": outcome, "attachments": attachments})
}

fn told(attempt: &Attempt) -> Value {
    let mut out = json!({"provider": attempt.candidate.provider, "type": "provider", "outcome": attempt.outcome.as_str()});
    let members = [("model", attempt.candidate.model.as_ref()), ("reason", attempt.error.as_ref())];
    for (key, text) in members {
        if let Some(text) = text {
            out[key] = text.as_str().into();
        }
    }
    out
}

async fn read(path: &str, most: u64) -> Result<Loaded, CallError> {
    let path = Path::new(path).to_path_buf();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let work = tokio::task::spawn_blocking(move || reference::file(&path, most));
    work.await.map_err(|e| CallError::thrown(e.to_string()))?.map_err(CallError::thrown)
}

#[async_trait]
impl Job for Look<'_> {
    type Done = (String, Option<String>);

    fn capability(&self) -> Capability {
        Capability::MediaUnderstanding
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, candidate: &Candidate) -> Result<Self::Done, Miss> {
        if !provider.object.has(self.sense.function()) {
            return self.otherwise(scope, candidate).await;
        }
        let entry = self.entry(candidate);
        let model = candidate.model.clone();
        let default = provider.object.value().pointer(&format!("/defaultModels/{}", self.sense.as_str())).and_then(Value::as_str);
        let model = model.or_else(|| default.map(str::to_string));
        let time = self.limit(scope, entry);
        let mut request = json!({
            "buffer": bytes::value(&self.file.bytes), "fileName": self.file.name, "timeoutMs": time.as_millis() as u64,
        });
        let settings = scope.setting("/tools/media").and_then(|m| m.get(self.sense.as_str()));
        let pick = |key: &str| entry.raw.get(key).or_else(|| settings.and_then(|s| s.get(key))).filter(|v| !v.is_null()).cloned();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                request[key] = value;
            }
        };
        put("mime", (!self.file.mime.is_empty()).then(|| self.file.mime.clone().into()));
        put("model", model.clone().map(Value::from));
        let prompt = self.prompt.map(Value::from).or_else(|| pick("prompt")).or_else(|| Some(self.sense.prompt().into()));
        put("prompt", if self.sense == Sense::Audio && self.prompt.is_none() { pick("prompt") } else { prompt });
        if self.sense == Sense::Image {
            let Some(model) = &model else { return Err(Miss::Skip("not_configured", "no model for images is known".into())) };
            put("model", Some(model.as_str().into()));
            put("provider", Some(candidate.provider.clone().into()));
            put("cfg", Some(scope.shown()));
            put("agentDir", Some(json!(scope.agent_dir())));
            for key in ["profile", "preferredProfile"] {
                put(key, pick(key));
            }
        } else {
            let credential = scope.host.credential(&provider.id);
            let credential =
                credential.ok_or_else(|| Miss::Skip("not_configured", format!("there is no credential for `{}`", provider.id)))?;
            put("apiKey", Some(credential.key.expose().into()));
            put("baseUrl", pick("baseUrl").or_else(|| credential.base_url.clone().map(Value::from)));
            put("headers", headers(&credential, pick("headers")));
            put("request", pick("request"));
            if self.sense == Sense::Audio {
                put("language", self.language.map(Value::from).or_else(|| pick("language")));
                put("query", pick("providerOptions").and_then(|o| o.get(&provider.id).cloned()));
            }
        }
        let answer = provider.object.ask(self.sense.function(), request, time + GRACE, &scope.cancel).await?;
        let given = answer.get("model").and_then(Value::as_str).map(str::to_string).or(model);
        self.finished(scope, entry, answer.get("text").and_then(Value::as_str), given)
    }

    /// A chat model that sees pictures needs no plugin for it.
    async fn otherwise(&self, scope: &Scope<'_>, candidate: &Candidate) -> Result<Self::Done, Miss> {
        let name = format!("{}/{}", candidate.provider, candidate.model.as_deref().unwrap_or_default());
        if self.sense != Sense::Image || !scope.host.sees(&name) {
            let word = self.sense.as_str();
            return Err(Miss::Skip("unsupported", format!("no plugin brings `{}` for {word}", candidate.provider)));
        }
        let entry = self.entry(candidate);
        let prompt = self.prompt.or_else(|| entry.raw.get("prompt").and_then(Value::as_str)).unwrap_or(self.sense.prompt());
        let text = look(scope, &name, prompt, self.file, None, self.limit(scope, entry)).await?;
        self.finished(scope, entry, Some(&text), candidate.model.clone())
    }
}

impl Look<'_> {
    fn entry(&self, candidate: &Candidate) -> &Entry {
        let found = self.entries.iter().find(|e| e.candidate == *candidate);
        found.unwrap_or(&entries::NONE)
    }

    fn limit(&self, scope: &Scope<'_>, entry: &Entry) -> Duration {
        let settings = scope.setting("/tools/media").and_then(|m| m.get(self.sense.as_str()));
        let seconds = entry.raw.get("timeoutSeconds").or_else(|| settings.and_then(|s| s.get("timeoutSeconds"))).and_then(Value::as_u64);
        self.time.unwrap_or_else(|| Duration::from_secs(seconds.unwrap_or(self.sense.limits().1)))
    }

    /// A text that is not blank, cut to the limit.
    fn finished(
        &self,
        scope: &Scope<'_>,
        entry: &Entry,
        text: Option<&str>,
        model: Option<String>,
    ) -> Result<(String, Option<String>), Miss> {
        let text = text.map(str::trim).filter(|t| !t.is_empty());
        let text = text.ok_or_else(|| Miss::Fail(CallError::thrown("the provider returned no text")))?;
        let settings = scope.setting("/tools/media").and_then(|m| m.get(self.sense.as_str()));
        let most = entry.raw.get("maxChars").or_else(|| settings.and_then(|s| s.get("maxChars"))).and_then(Value::as_u64);
        let most = most.map(|n| n as usize).or(self.sense.limits().2);
        Ok((most.map_or_else(|| text.to_string(), |most| text.chars().take(most).collect()), model))
    }
}

fn headers(credential: &Credential, own: Option<Value>) -> Option<Value> {
    let mut all: serde_json::Map<String, Value> = credential.headers.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    all.extend(own.and_then(|o| o.as_object().cloned()).unwrap_or_default());
    (!all.is_empty()).then_some(Value::Object(all))
}

async fn look(
    scope: &Scope<'_>,
    model: &str,
    prompt: &str,
    file: &Loaded,
    max_tokens: Option<u32>,
    time: Duration,
) -> Result<String, CallError> {
    let picture =
        Picture { mime: if file.mime.is_empty() { "image/png".into() } else { file.mime.clone() }, base64: bytes::encode(&file.bytes) };
    let work = scope.host.look(model, prompt, vec![picture], max_tokens);
    match tokio::time::timeout(time, work).await {
        Ok(result) => result.map_err(CallError::thrown),
        Err(_) => Err(CallError::TimedOut(time.as_millis() as u64)),
    }
}

/// One picture for a named provider and model (RT-123): the plugin's own way, else the chat model of that name.
///
/// # Errors
/// When the file cannot be read or the model fails.
pub async fn describe_with_model(scope: &Scope<'_>, params: &Value) -> Result<Value, CallError> {
    let text = |key: &str| {
        let found = chela_plugin::value::text(params, key).map(str::to_string);
        found.ok_or_else(|| CallError::refused("INVALID_PARAMS", format!("`{key}` (text) is needed")))
    };
    let (path, id, model, prompt) = (text("filePath")?, text("provider")?, text("model")?, text("prompt")?);
    let file = read(&path, NAMED_BYTES as u64).await?;
    let time = params.get("timeoutMs").and_then(Value::as_u64).map_or(NAMED_TIME, Duration::from_millis);
    let max_tokens = params.get("maxTokens").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let provider = Provider::find(&scope.registry, Capability::MediaUnderstanding, &id).filter(|p| p.object.has("describeImage"));
    let Some(provider) = provider else {
        let said = look(scope, &format!("{id}/{model}"), &prompt, &file, max_tokens, time).await?;
        return Ok(json!({"text": said, "model": model}));
    };
    let mime = chela_plugin::value::text(params, "mime").map_or(file.mime, str::to_string);
    let mut request = json!({
        "buffer": bytes::value(&file.bytes), "fileName": file.name, "mime": mime, "provider": id, "model": model, "prompt": prompt,
        "timeoutMs": time.as_millis() as u64, "cfg": scope.shown(), "agentDir": scope.agent_dir(),
    });
    if let Some(most) = max_tokens {
        request["maxTokens"] = most.into();
    }
    provider.object.ask("describeImage", request, time + GRACE, &scope.cancel).await
}

/// Facts from pictures in a given form (RT-125, PRV-310).
///
/// # Errors
/// Without a picture, without a provider that does it, or when it fails.
pub async fn extract(scope: &Scope<'_>, params: &Value) -> Result<Value, CallError> {
    let inputs = params.get("input").and_then(Value::as_array).cloned().unwrap_or_default();
    if !inputs.iter().any(|i| i.get("type").and_then(Value::as_str) == Some("image") && bytes::has_bytes(i.get("buffer"))) {
        return Err(CallError::thrown("Structured extraction requires at least one image input."));
    }
    let id = chela_plugin::value::text(params, "provider").unwrap_or_default();
    let provider = Provider::find(&scope.registry, Capability::MediaUnderstanding, id).filter(|p| p.object.has("extractStructured"));
    let provider = provider.ok_or_else(|| CallError::thrown(format!("Provider does not support structured extraction: {id}")))?;
    let time = params.get("timeoutMs").and_then(Value::as_u64).map_or(NAMED_TIME, Duration::from_millis);
    let mut request = json!({"timeoutMs": time.as_millis() as u64, "cfg": scope.shown(), "agentDir": scope.agent_dir()});
    for key in ["input", "instructions", "schemaName", "jsonSchema", "jsonMode", "provider", "model", "profile", "preferredProfile"] {
        if let Some(value) = params.get(key) {
            request[key] = value.clone();
        }
    }
    provider.object.ask("extractStructured", request, time + GRACE, &scope.cancel).await
}

/// A loaded picture for the agent's tool: what [`run_file`] does with a file.
pub(crate) async fn describe_loaded(scope: &Scope<'_>, file: &Loaded, prompt: &str, model: Option<&str>) -> Result<Value, String> {
    let mut params = json!({"prompt": prompt});
    if let Some(model) = model {
        params["activeModel"] = match model.split_once('/') {
            Some((provider, model)) => json!({"provider": provider, "model": model, "only": true}),
            None => return Err("model must be provider/model".into()),
        };
    }
    describe(scope, Sense::Image, file, &params).await.map_err(|e| e.to_string())
}
