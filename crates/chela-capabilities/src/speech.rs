//! Speech of text (PRV-293..295, RT-118..122): files, streams, telephone audio, voices.
//!
//! A failure is a result, not an error: `{success: false, error, attempts}` (RT-121).

mod prefs;
mod settings;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use chela_plugin::{CallError, PluginObject};
use futures::stream::BoxStream;
use serde_json::{Map, Value, json};

use crate::bytes;
use crate::choice::{Attempt, Candidate, Chosen, Exhausted, Job, Miss, Outcome, choose, reason_of};
use crate::host::{QUESTION_BUDGET, Scope};
use crate::kind::{Capability, Provider};
use crate::media;

pub use prefs::Prefs;
pub use settings::{Persona, Settings};

/// What a provider may take beyond the time that it was told.
const GRACE: Duration = Duration::from_secs(5);
/// Folder of the media directory for files of speech.
const FOLDER: &str = "tts";
/// How long a file of speech is kept: whoever asked for it has sent it by then.
const KEPT_FOR: Duration = Duration::from_secs(30 * 60);
/// Most voices of a list.
const MOST_VOICES: usize = 2_000;

/// What the speech is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    File,
    Stream,
    Telephony,
}

impl Mode {
    fn function(self) -> &'static str {
        match self {
            Self::File => "synthesize",
            Self::Stream => "streamSynthesize",
            Self::Telephony => "synthesizeTelephony",
        }
    }

    fn unsupported(self) -> &'static str {
        if self == Self::Stream { "unsupported_for_streaming" } else { "unsupported_for_telephony" }
    }
}

/// A stream of audio that is under way.
pub struct SpeechStream {
    /// Pieces of audio, as values of bytes.
    pub audio: BoxStream<'static, Result<Value, CallError>>,
    /// What the provider gave; `release` of it is called when the stream is no longer used (RT-120).
    pub answer: PluginObject,
}

struct Synthesis<'a> {
    mode: Mode,
    text: &'a str,
    settings: &'a Settings,
    target: &'static str,
    time: Duration,
    /// `{<provider>: {...}}` of the request.
    overrides: Value,
}

struct Spoken {
    answer: PluginObject,
    model: Option<String>,
    voice: Option<String>,
    binding: &'static str,
}

/// Speech as a file: `{success, audioPath, provider, outputFormat, voiceCompatible, audioAsVoice, attempts, ...}` (RT-118).
pub async fn to_file(scope: &Scope<'_>, params: &Value) -> Value {
    let (spoken, mut out) = match speak(scope, params, Mode::File).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let given = spoken.value();
    let text = |key: &str| chela_plugin::value::text(given, key).unwrap_or_default().to_string();
    let content = given.get("audioBuffer").and_then(bytes::read).unwrap_or_default();
    let extension = text("fileExtension");
    let format = text("outputFormat");
    let voice = voice_of(scope, params);
    out["voiceCompatible"] = given.get("voiceCompatible").and_then(Value::as_bool).unwrap_or(false).into();
    out["outputFormat"] = format.clone().into();
    out["audioAsVoice"] = as_voice(&voice, &out, &extension, &format).into();
    let dir = scope.host.media_dir();
    sweep(&dir.join(FOLDER)).await;
    let name = format!("voice.{}", extension.trim_start_matches('.'));
    let mime = media::mime_of_name(&name).unwrap_or("application/octet-stream");
    match media::save(&dir, FOLDER, content, mime, None).await {
        Ok(path) => out["audioPath"] = path.display().to_string().into(),
        Err(error) => {
            return json!({"success": false, "error": format!("the speech could not be kept: {error}"), "attempts": out["attempts"]});
        }
    }
    out
}

/// Speech for a telephone: `{success, audioBuffer, sampleRate, outputFormat, ...}` (RT-119).
pub async fn to_telephony(scope: &Scope<'_>, params: &Value) -> Value {
    match speak(scope, params, Mode::Telephony).await {
        Ok((answer, mut out)) => {
            for key in ["audioBuffer", "sampleRate", "outputFormat"] {
                if let Some(value) = answer.value().get(key) {
                    out[key] = value.clone();
                }
            }
            out
        }
        Err(failed) => failed,
    }
}

/// Speech while it is made: the result without its audio, and the stream when there is one (RT-120).
pub async fn to_stream(scope: &Scope<'_>, params: &Value) -> (Value, Option<SpeechStream>) {
    match speak(scope, params, Mode::Stream).await {
        Ok((answer, mut out)) => {
            for key in ["outputFormat", "fileExtension", "voiceCompatible"] {
                if let Some(value) = answer.value().get(key) {
                    out[key] = value.clone();
                }
            }
            let stream = answer.stream("audioStream").map(|audio| SpeechStream { audio, answer });
            (out, stream)
        }
        Err(failed) => (failed, None),
    }
}

/// The voices of a provider (RT-122).
///
/// # Errors
/// When there is no such provider, it lists none, or it failed.
pub async fn voices(scope: &Scope<'_>, params: &Value) -> Result<Value, CallError> {
    let id = chela_plugin::value::text(params, "provider");
    let id = id.ok_or_else(|| CallError::refused("INVALID_PARAMS", "`listVoices` needs `provider` (text)"))?;
    let provider = Provider::find(&scope.registry, Capability::Speech, id);
    let provider = provider.ok_or_else(|| CallError::thrown(format!("speech provider {id} is not registered")))?;
    if !provider.object.has("listVoices") {
        return Err(CallError::thrown(format!("speech provider {id} does not support voice listing")));
    }
    let settings = Settings::of(scope);
    let config = settings.provider_config(scope, &provider).await?;
    let mut request = json!({"cfg": scope.shown(), "providerConfig": config});
    for key in ["apiKey", "baseUrl"] {
        if let Some(value) = params.get(key).filter(|v| v.is_string()) {
            request[key] = value.clone();
        }
    }
    let voices = provider.object.ask("listVoices", request, settings.time + GRACE, &scope.cancel).await?;
    let voices = voices.as_array().cloned().unwrap_or_default();
    Ok(voices.into_iter().take(MOST_VOICES).collect())
}

/// All providers with what they say of themselves: `{id, label, configured, models, voices}`.
pub async fn providers(scope: &Scope<'_>) -> Vec<Value> {
    let settings = Settings::of(scope);
    let mut rows = Vec::new();
    for provider in Provider::all(&scope.registry, Capability::Speech) {
        let configured = settings.ready(scope, &provider).await;
        let list = |key: &str| provider.object.value().get(key).cloned().unwrap_or_else(|| json!([]));
        let label = provider.object.text("label").unwrap_or(&provider.id);
        rows.push(json!({"id": provider.id, "label": label, "configured": configured, "models": list("models"), "voices": list("voices")}));
    }
    rows
}

/// The order in which providers are asked: the chosen one, then the others by `autoSelectOrder` (PRV-295).
pub async fn order(scope: &Scope<'_>, settings: &Settings, named: Option<&str>) -> Vec<Candidate> {
    let mut providers = Provider::all(&scope.registry, Capability::Speech);
    Provider::sort(&mut providers, "/autoSelectOrder");
    let chosen = match named.map(str::to_string).or_else(|| settings.chosen(scope)) {
        Some(id) => Some(providers.iter().find(|p| p.answers_to(&id)).map_or(id, |p| p.id.clone())),
        None => settings.first_ready(scope, &providers).await,
    };
    let rest = providers.into_iter().map(|p| p.id);
    let rest: Vec<String> = rest.filter(|id| chosen.as_ref().is_none_or(|c| !c.eq_ignore_ascii_case(id))).collect();
    chosen.into_iter().chain(rest).map(Candidate::new).collect()
}

/// Runs a request to its end: the provider's answer with the common part of the result, or the result of a failure.
async fn speak(scope: &Scope<'_>, params: &Value, mode: Mode) -> Result<(PluginObject, Value), Value> {
    let settings = Settings::with_prefs(scope, chela_plugin::value::text(params, "prefsPath"));
    let text = params.get("text").and_then(Value::as_str).unwrap_or_default();
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(json!({"success": false, "error": "there is no text to speak"}));
    }
    if length > settings.most_chars {
        return Err(json!({"success": false, "error": format!("Text too long ({length} chars, max {})", settings.most_chars)}));
    }
    let overrides = params.get("overrides").cloned().unwrap_or_default();
    let named = chela_plugin::value::text(&overrides, "provider");
    let mut candidates = order(scope, &settings, named).await;
    if params.get("disableFallback") == Some(&Value::Bool(true)) {
        candidates.truncate(1);
    }
    let asked = params.get("timeoutMs").and_then(Value::as_u64).filter(|ms| *ms > 0 && mode != Mode::Telephony);
    let voice = voice_of(scope, params);
    let target = match (mode, voice.get("synthesisTarget").and_then(Value::as_str)) {
        (Mode::Telephony, _) => "telephony",
        (_, Some("voice-note")) => "voice-note",
        _ => "audio-file",
    };
    let time = asked.map_or(settings.time, Duration::from_millis);
    let overrides = overrides.get("providerOverrides").cloned().unwrap_or_default();
    let job = Synthesis { mode, text, settings: &settings, target, time, overrides };
    match choose(scope, &job, &candidates).await {
        Ok(chosen) => Ok(succeeded(chosen, &settings, &candidates, &job)),
        Err(failed) => Err(gave_up(&failed, &settings)),
    }
}

fn succeeded(chosen: Chosen<Spoken>, settings: &Settings, candidates: &[Candidate], job: &Synthesis<'_>) -> (PluginObject, Value) {
    let Chosen { value: spoken, candidate, attempts } = chosen;
    let mut out = json!({"success": true, "provider": candidate.provider, "attemptedProviders": names(&attempts)});
    let took = attempts.last().and_then(|a| a.took).map(|t| t.as_millis() as u64);
    let first = candidates.first().filter(|first| **first != candidate).map(|c| c.provider.clone());
    let told: Vec<Value> = attempts.iter().map(|a| told(a, settings, spoken.binding)).collect();
    let persona = settings.persona.as_ref().map(|p| p.id.clone());
    let members = [
        ("attempts", Some(Value::from(told))),
        ("latencyMs", took.map(Value::from)),
        ("fallbackFrom", first.map(Value::from)),
        ("persona", persona.map(Value::from)),
        ("providerModel", spoken.model.map(Value::from)),
        ("providerVoice", spoken.voice.map(Value::from)),
        ("target", (job.mode != Mode::Telephony).then(|| job.target.into())),
    ];
    for (key, value) in members {
        if let Some(value) = value {
            out[key] = value;
        }
    }
    (spoken.answer, out)
}

fn gave_up(failed: &Exhausted, settings: &Settings) -> Value {
    let errors: Vec<String> =
        failed.attempts.iter().map(|a| format!("{}: {}", a.candidate.provider, a.error.as_deref().unwrap_or_default())).collect();
    let why = if errors.is_empty() { "no providers available".to_string() } else { errors.join("; ") };
    let attempts: Vec<Value> = failed.attempts.iter().map(|a| told(a, settings, "none")).collect();
    let mut out = json!({
        "success": false, "error": format!("TTS conversion failed: {why}"), "attemptedProviders": names(&failed.attempts),
        "attempts": attempts,
    });
    if let Some(persona) = &settings.persona {
        out["persona"] = persona.id.clone().into();
    }
    out
}

fn names(attempts: &[Attempt]) -> Vec<&str> {
    attempts.iter().map(|a| a.candidate.provider.as_str()).collect()
}

/// `{provider, outcome, reasonCode, persona?, personaBinding?, latencyMs?, error?}` (RT-121).
fn told(attempt: &Attempt, settings: &Settings, binding: &str) -> Value {
    let mut out = json!({"provider": attempt.candidate.provider, "outcome": attempt.outcome.as_str(), "reasonCode": attempt.reason});
    if let Some(persona) = &settings.persona {
        let bound = if persona.config_for(&attempt.candidate.provider).is_some() { "applied" } else { "missing" };
        out["persona"] = persona.id.clone().into();
        out["personaBinding"] = bound.into();
    } else if attempt.outcome == Outcome::Success {
        out["personaBinding"] = binding.into();
    }
    if let Some(took) = attempt.took {
        out["latencyMs"] = (took.as_millis() as u64).into();
    }
    if let Some(error) = &attempt.error {
        out["error"] = error.as_str().into();
    }
    out
}

#[async_trait]
impl Job for Synthesis<'_> {
    type Done = Spoken;

    fn capability(&self) -> Capability {
        Capability::Speech
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, _: &Candidate) -> Result<Spoken, Miss> {
        let mut config = self.settings.provider_config(scope, provider).await?;
        let persona = self.settings.persona.as_ref();
        let own = persona.and_then(|p| p.config_for(&provider.id));
        let binding = match (persona, own) {
            (None, _) => "none",
            (Some(_), Some(_)) => "applied",
            (Some(persona), None) if persona.policy == "fail" => {
                return Err(Miss::Skip("not_configured", format!("persona {} has no part for it", persona.id)));
            }
            (Some(_), None) => "missing",
        };
        merge(&mut config, own);
        let question = json!({"cfg": scope.shown(), "providerConfig": config, "timeoutMs": self.settings.time.as_millis() as u64});
        if provider.says("isConfigured", question, scope).await == Some(false) {
            return Err(Miss::Skip("not_configured", "not configured".into()));
        }
        if !provider.object.has(self.mode.function()) {
            return Err(Miss::Skip(self.mode.unsupported(), format!("it has no `{}`", self.mode.function())));
        }
        let (text, config, overrides) = self.prepared(scope, provider, config, own).await?;
        let mut request = self.request(scope, &text, &config, &overrides);
        if self.mode != Mode::Telephony {
            request["target"] = self.target.into();
        }
        let answer = provider.object.open(self.mode.function(), request, self.time + GRACE, &scope.cancel).await?;
        self.check(&answer)?;
        let named = |keys: &[&str]| {
            let found = keys.iter().find_map(|k| chela_plugin::value::text(&overrides, k));
            found.or_else(|| keys.iter().find_map(|k| chela_plugin::value::text(&config, k))).map(str::to_string)
        };
        Ok(Spoken { answer, model: named(&["modelId", "model"]), voice: named(&["voiceId", "voiceName", "voice"]), binding })
    }
}

impl Synthesis<'_> {
    fn request(&self, scope: &Scope<'_>, text: &str, config: &Value, overrides: &Value) -> Value {
        let mut request = json!({
            "text": text, "cfg": scope.shown(), "providerConfig": config, "timeoutMs": self.time.as_millis() as u64,
        });
        if overrides.is_object() {
            request["providerOverrides"] = overrides.clone();
        }
        request
    }

    /// What the provider makes of text and settings before it speaks.
    async fn prepared(
        &self,
        scope: &Scope<'_>,
        provider: &Provider,
        config: Value,
        own: Option<&Value>,
    ) -> Result<(String, Value, Value), CallError> {
        let overrides = self.overrides.get(&provider.id).cloned().unwrap_or_default();
        if !provider.object.has("prepareSynthesis") {
            return Ok((self.text.to_string(), config, overrides));
        }
        let mut request = self.request(scope, self.text, &config, &overrides);
        request["target"] = self.target.into();
        // A persona that leaves other providers to their defaults says nothing to them.
        let persona = self.settings.persona.as_ref().filter(|p| own.is_some() || p.policy != "provider-defaults");
        if let Some(persona) = persona {
            request["persona"] = persona.raw.clone();
        }
        if let Some(own) = own {
            request["personaProviderConfig"] = own.clone();
        }
        let made = provider.object.ask("prepareSynthesis", request, self.time.max(QUESTION_BUDGET), &scope.cancel).await?;
        let (mut config, mut overrides) = (config, overrides);
        merge(&mut config, made.get("providerConfig"));
        if made.get("providerOverrides").is_some_and(Value::is_object) {
            if !overrides.is_object() {
                overrides = json!({});
            }
            merge(&mut overrides, made.get("providerOverrides"));
        }
        let text = made.get("text").and_then(Value::as_str).unwrap_or(self.text).to_string();
        Ok((text, config, overrides))
    }

    /// An answer without audio is a failure.
    fn check(&self, answer: &PluginObject) -> Result<(), CallError> {
        let value = answer.value();
        let good = match self.mode {
            Mode::Stream => value.get("audioStream").is_some_and(|s| s.get("$stream").is_some()) && answer.text("fileExtension").is_some(),
            Mode::File => bytes::has_bytes(value.get("audioBuffer")) && answer.text("fileExtension").is_some(),
            Mode::Telephony => bytes::has_bytes(value.get("audioBuffer")) && value.get("sampleRate").is_some_and(Value::is_number),
        };
        if good { Ok(()) } else { Err(CallError::thrown("the provider returned no usable audio")) }
    }
}

fn merge(base: &mut Value, over: Option<&Value>) {
    if let (Some(base), Some(over)) = (base.as_object_mut(), over.and_then(Value::as_object)) {
        base.extend(over.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
}

/// `capabilities.tts.voice` of the channel that the speech is for.
fn voice_of(scope: &Scope<'_>, params: &Value) -> Value {
    let Some(channel) = chela_plugin::value::text(params, "channel") else { return Value::Null };
    let registered = scope.registry.recorded_of("registerChannel").find(|r| r.id.eq_ignore_ascii_case(channel));
    let plugin = registered.and_then(|r| r.args.first()).map(|first| first.get("plugin").unwrap_or(first));
    plugin.and_then(|p| p.pointer("/capabilities/tts/voice")).cloned().unwrap_or_default()
}

/// True when the channel sends the file as a voice message.
fn as_voice(voice: &Value, out: &Value, extension: &str, format: &str) -> bool {
    let transcodes = voice.get("transcodesAudio") == Some(&Value::Bool(true));
    match voice.get("synthesisTarget").and_then(Value::as_str) {
        Some("voice-note") => out["voiceCompatible"] == true || transcodes,
        Some("audio-file") => {
            let formats = voice.get("audioFileFormats").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let extension = extension.trim_start_matches('.');
            formats.map(str::trim).any(|f| f.eq_ignore_ascii_case(extension) || f.eq_ignore_ascii_case(format))
        }
        _ => false,
    }
}

/// Removes files that nobody needs any more.
async fn sweep(dir: &std::path::Path) {
    let dir = dir.to_path_buf();
    let work = move || {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > KEPT_FOR) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Explicit choices of a client as `overrides` of a request: a model and a voice belong to the named or the chosen provider.
pub async fn overrides(scope: &Scope<'_>, provider: Option<&str>, model: Option<&str>, voice: Option<&str>) -> Result<Value, String> {
    if let Some(id) = provider.filter(|id| Provider::find(&scope.registry, Capability::Speech, id).is_none()) {
        return Err(format!("Unknown TTS provider \"{id}\""));
    }
    let settings = Settings::of(scope);
    let chosen = match provider {
        Some(id) => Some(id.to_string()),
        None => order(scope, &settings, None).await.into_iter().next().map(|c| c.provider),
    };
    let mut own = Map::new();
    own.extend(model.map(|m| ("modelId".to_string(), m.into())));
    own.extend(voice.map(|v| ("voiceId".to_string(), v.into())));
    let mut out = json!({});
    if let Some(id) = provider {
        out["provider"] = id.into();
    }
    if let (Some(id), false) = (chosen, own.is_empty()) {
        out["provider"] = id.clone().into();
        out["providerOverrides"] = json!({id: own});
    }
    Ok(out)
}

/// The word of a failure, for callers that ask one provider only.
pub fn reason(error: &CallError) -> &'static str {
    reason_of(error)
}
