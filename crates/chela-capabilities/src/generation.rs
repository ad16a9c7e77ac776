//! Images, videos and music: one request for all three, with the rules of each about what a provider can do.

mod caps;
pub mod catalog;
mod geometry;
mod models;
mod video;

use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::CallError;
use serde_json::{Map, Value, json};

use crate::bytes;
use crate::choice::{Candidate, Chosen, Job, Miss, choose};
use crate::host::Scope;
use crate::kind::{Capability, Provider, without_functions};

pub use models::{configured, refs_of};

/// Most assets of one answer that are taken.
const MOST_ASSETS: usize = 16;
/// What a provider may take beyond the time that it was told.
const GRACE: Duration = Duration::from_secs(15);
/// Longest time that a caller may ask for.
const MOST_TIME: Duration = Duration::from_secs(60 * 60);

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Pictures.
    Image,
    /// Videos.
    Video,
    /// Music.
    Music,
}

impl Medium {
    /// The kind of its providers.
    pub fn capability(self) -> Capability {
        match self {
            Self::Image => Capability::ImageGeneration,
            Self::Video => Capability::VideoGeneration,
            Self::Music => Capability::MusicGeneration,
        }
    }

    /// The member of `agents.defaults` that names its models.
    pub fn config_key(self) -> &'static str {
        match self {
            Self::Image => "imageGenerationModel",
            Self::Video => "videoGenerationModel",
            Self::Music => "musicGenerationModel",
        }
    }

    /// The kind of its rows in model catalogues.
    pub fn catalog_kind(self) -> &'static str {
        match self {
            Self::Image => "image_generation",
            Self::Video => "video_generation",
            Self::Music => "music_generation",
        }
    }

    /// The member of a result that holds the assets.
    pub fn assets(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Music => "tracks",
        }
    }

    /// The provider's function.
    fn function(self) -> &'static str {
        match self {
            Self::Image => "generateImage",
            Self::Video => "generateVideo",
            Self::Music => "generateMusic",
        }
    }

    /// Members of a request that go to the provider as they are.
    fn passed(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["prompt", "count", "inputImages", "providerOptions", "ssrfPolicy"],
            Self::Video => &["prompt", "inputImages", "inputVideos", "inputAudios", "providerOptions"],
            Self::Music => &["prompt", "inputImages"],
        }
    }

    /// Time for one provider when neither caller nor config say.
    fn time(self) -> Duration {
        match self {
            Self::Image => Duration::from_secs(5 * 60),
            Self::Music => Duration::from_secs(10 * 60),
            Self::Video => Duration::from_secs(20 * 60),
        }
    }
}

/// What a provider can do of a request.
#[derive(Debug, Default)]
pub(crate) struct Fitted {
    /// The members as the provider gets them.
    pub(crate) members: Map<String, Value>,
    /// What it cannot do, as `{key, value}`.
    pub(crate) ignored: Vec<Value>,
    /// What was changed, by member.
    pub(crate) normalization: Map<String, Value>,
}

impl Fitted {
    pub(crate) fn keep(&mut self, key: &str, value: Value) {
        self.members.insert(key.into(), value);
    }

    pub(crate) fn ignore(&mut self, key: &str, value: Value) {
        self.ignored.push(json!({"key": key, "value": value}));
    }
}

/// A request for media.
pub struct Generation {
    medium: Medium,
    params: Value,
    time: Option<Duration>,
}

/// Generates with the configured or an automatically chosen model (PRV-313..322, RT-127). `params` is what `generate` of the runtime takes;
/// the answer is what it resolves to.
///
/// # Errors
/// When no model is configured or usable, or all failed.
pub async fn generate(scope: &Scope<'_>, medium: Medium, params: &Value) -> Result<Value, CallError> {
    let prompt = chela_plugin::value::text(params, "prompt");
    if prompt.is_none() {
        return Err(CallError::refused("INVALID_PARAMS", format!("{} needs `prompt` (text)", medium.capability().label())));
    }
    let candidates = models::candidates(scope, medium, params).await;
    if candidates.is_empty() {
        return Err(CallError::thrown(models::nothing_configured(scope, medium)));
    }
    let asked = params.get("timeoutMs").or_else(|| scope.setting(&format!("/agents/defaults/{}/timeoutMs", medium.config_key())));
    let time = asked.and_then(Value::as_u64).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms).min(MOST_TIME));
    let job = Generation { medium, params: without_functions(params), time };
    match choose(scope, &job, &candidates).await {
        Ok(chosen) => Ok(result(chosen)),
        Err(failed) => Err(failed.into_error(medium.capability().label())),
    }
}

/// The registered providers, as `listProviders` gives them (RT-127).
pub fn list(scope: &Scope<'_>, medium: Medium) -> Vec<Value> {
    Provider::all(&scope.registry, medium.capability()).iter().map(Provider::described).collect()
}

fn result(chosen: Chosen<Value>) -> Value {
    let failures = chosen.failures();
    let mut out = chosen.value;
    out["attempts"] = failures.into();
    out
}

#[async_trait]
impl Job for Generation {
    type Done = Value;

    fn capability(&self) -> Capability {
        self.medium.capability()
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, candidate: &Candidate) -> Result<Value, Miss> {
        let model = candidate.model.as_deref().unwrap_or_default();
        let name = format!("{}/{model}", candidate.provider);
        let fitted = match self.medium {
            Medium::Image => caps::image(provider.object.value(), &self.params),
            Medium::Music => caps::music(provider.object.value(), &self.params, model),
            Medium::Video => {
                let caps = video::capabilities(scope, provider, candidate).await;
                video::refusal(&caps, &self.params, &name, model).map_or(Ok(()), |why| Err(Miss::Skip("unsupported", why)))?;
                video::fit(&caps, &self.params, model)
            }
        };
        let request = self.request(scope, candidate, &fitted);
        let budget = self.time.map_or(self.medium.time(), |time| time + GRACE);
        let answer = provider.object.ask(self.medium.function(), request, budget, &scope.cancel).await?;
        let mut out = self.checked(answer)?;
        let given = out.get("model").and_then(Value::as_str).filter(|m| !m.is_empty()).unwrap_or(model).to_string();
        out["provider"] = candidate.provider.clone().into();
        out["model"] = given.into();
        describe(&mut out, fitted, &self.params);
        Ok(out)
    }
}

impl Generation {
    fn request(&self, scope: &Scope<'_>, candidate: &Candidate, fitted: &Fitted) -> Value {
        let mut request = json!({
            "provider": candidate.provider, "model": candidate.model, "cfg": scope.shown(), "agentDir": scope.agent_dir(),
        });
        for key in self.medium.passed() {
            if let Some(value) = self.params.get(*key).filter(|v| !v.is_null()) {
                request[*key] = value.clone();
            }
        }
        for (key, value) in &fitted.members {
            request[key] = value.clone();
        }
        if let Some(time) = self.time {
            request["timeoutMs"] = (time.as_millis() as u64).into();
        }
        request
    }

    /// An answer without a usable asset is a failure (PRV-316, PRV-319).
    fn checked(&self, answer: Value) -> Result<Value, CallError> {
        let key = self.medium.assets();
        let label = self.medium.capability().label();
        let mut out = without_functions(&answer);
        let Some(assets) = out.get_mut(key).and_then(Value::as_array_mut).filter(|a| !a.is_empty()) else {
            return Err(CallError::thrown(format!("the {label} provider returned no {key}")));
        };
        assets.truncate(MOST_ASSETS);
        let by_url = |asset: &Value| self.medium == Medium::Video && chela_plugin::value::text(asset, "url").is_some();
        if let Some(at) = assets.iter().position(|a| !bytes::has_bytes(a.get("buffer")) && !by_url(a)) {
            return Err(CallError::thrown(format!("the {label} provider returned an asset without content ({key}[{at}])")));
        }
        Ok(out)
    }
}

/// Adds what was changed and left out (PRV-317).
fn describe(out: &mut Value, fitted: Fitted, params: &Value) {
    let mut metadata = out.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, word) in
        [("size", "Size"), ("aspectRatio", "AspectRatio"), ("resolution", "Resolution"), ("durationSeconds", "DurationSeconds")]
    {
        let Some(entry) = fitted.normalization.get(key) else { continue };
        if let Some(requested) = entry.get("requested") {
            metadata.insert(format!("requested{word}"), requested.clone());
        }
        if let Some(applied) = entry.get("applied") {
            metadata.insert(format!("normalized{word}"), applied.clone());
        }
        if let Some(values) = entry.get("supportedValues") {
            metadata.insert(format!("supported{word}"), values.clone());
        }
        if entry.get("derivedFrom").and_then(Value::as_str) == Some("size")
            && let Some(size) = params.get("size").and_then(Value::as_str)
        {
            metadata.insert("requestedSize".into(), size.into());
            metadata.insert("aspectRatioDerivedFromSize".into(), geometry::ratio_of_size(size).into());
        }
    }
    out["metadata"] = metadata.into();
    if !fitted.normalization.is_empty() {
        out["normalization"] = fitted.normalization.into();
    }
    out["ignoredOverrides"] = fitted.ignored.into();
}

#[cfg(test)]
mod tests;
