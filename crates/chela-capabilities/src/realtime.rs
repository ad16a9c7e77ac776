//! Speech in real time: transcription, and spoken conversations (PRV-298..305).
//!
//! A session lives in the worker of its provider. What the provider calls back comes as a stream of events, in order.

use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::{Adapter, Call, CallError, PluginObject};
use futures::stream::BoxStream;
use serde_json::{Value, json};

use crate::bytes;
use crate::choice::{Candidate, Job, Miss, choose};
use crate::host::{QUESTION_BUDGET, Scope};
use crate::kind::{Capability, Provider};

/// Longest wait for a connection (PRV-299).
const CONNECT: Duration = Duration::from_secs(10);
/// Longest call of a session's method; they only hand something over.
const METHOD: Duration = Duration::from_secs(10);

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Speech to text.
    Transcription,
    /// A conversation.
    Voice,
}

impl Talk {
    /// The kind of its providers.
    pub fn capability(self) -> Capability {
        match self {
            Self::Transcription => Capability::RealtimeTranscription,
            Self::Voice => Capability::RealtimeVoice,
        }
    }

    fn function(self) -> &'static str {
        match self {
            Self::Transcription => "createSession",
            Self::Voice => "createBridge",
        }
    }

    /// PRV-298, PRV-304.
    fn callbacks(self) -> &'static [&'static str] {
        match self {
            Self::Transcription => &["onPartial", "onTranscript", "onSpeechStart", "onError"],
            Self::Voice => &["onAudio", "onClearAudio", "onMark", "onTranscript", "onEvent", "onToolCall", "onReady", "onError", "onClose"],
        }
    }

    /// PRV-298, PRV-302.
    fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Transcription => &["connect", "sendAudio", "close", "isConnected"],
            Self::Voice => &[
                "connect",
                "sendAudio",
                "setMediaTimestamp",
                "sendUserMessage",
                "triggerGreeting",
                "handleBargeIn",
                "submitToolResult",
                "acknowledgeMark",
                "close",
                "isConnected",
            ],
        }
    }

    /// Settings of providers by id, and the configured one.
    fn settings<'a>(self, scope: &'a Scope<'_>) -> (Option<&'a Value>, Option<&'a str>) {
        match self {
            Self::Transcription => (scope.setting("/talk/providers"), None),
            Self::Voice => {
                let all = scope.setting("/talk/realtime");
                (all.and_then(|r| r.get("providers")), all.and_then(|r| chela_plugin::value::text(r, "provider")))
            }
        }
    }
}

/// An open session. Dropping its events ends it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who serves it.
    pub provider: String,
    /// Results of tools may be given in parts (PRV-303).
    pub takes_parts: bool,
    object: PluginObject,
}

/// `{name, args}` of each call that the provider makes.
pub type Events = BoxStream<'static, Result<Value, CallError>>;

impl Session {
    /// Hands audio over, in the format of the session.
    ///
    /// # Errors
    /// When the provider refuses it or its worker is gone.
    pub async fn send_audio(&self, audio: &[u8]) -> Result<(), CallError> {
        self.call("sendAudio", vec![bytes::value(audio)]).await.map(drop)
    }

    /// Calls another method of the session; one that the provider does not have does nothing, as all but the basic ones are optional.
    ///
    /// # Errors
    /// What the provider threw.
    pub async fn call(&self, method: &str, args: Vec<Value>) -> Result<Value, CallError> {
        if !self.object.has(method) {
            return Ok(Value::Null);
        }
        self.object.call(method, Call::new(args).budget(Some(METHOD))).await
    }

    /// Ends the session.
    pub async fn close(&self) {
        if let Err(error) = self.call("close", Vec::new()).await {
            tracing::debug!(target: "capabilities", provider = %self.provider, "a session could not be closed: {error}");
        }
    }
}

struct Open<'a> {
    talk: Talk,
    params: &'a Value,
}

/// Opens and connects a session with the named, the configured or the first usable provider; one that does not connect is one attempt.
/// `params` are the members of the provider's request: `audioFormat`, `instructions`, `tools`, and so on.
///
/// # Errors
/// When no provider is there, or none could be opened.
pub async fn open(scope: &Scope<'_>, talk: Talk, named: Option<&str>, params: &Value) -> Result<(Session, Events), CallError> {
    let chosen = named.or_else(|| talk.settings(scope).1);
    let mut providers = Provider::all(&scope.registry, talk.capability());
    Provider::sort(&mut providers, "/autoSelectOrder");
    let candidates: Vec<Candidate> = match chosen {
        Some(id) => vec![Candidate::new(id)],
        None => providers.into_iter().map(|p| Candidate::new(p.id)).collect(),
    };
    if candidates.is_empty() {
        return Err(CallError::thrown(format!("No {} provider registered", talk.capability().label())));
    }
    match choose(scope, &Open { talk, params }, &candidates).await {
        Ok(chosen) => Ok(chosen.value),
        Err(failed) => Err(failed.into_error(talk.capability().label())),
    }
}

/// The settings of a provider: what it makes of the config, else its part of it.
async fn provider_config(scope: &Scope<'_>, talk: Talk, provider: &Provider) -> Result<Value, CallError> {
    let all = talk.settings(scope).0.and_then(Value::as_object);
    let own = all.and_then(|all| all.iter().find(|(id, _)| provider.answers_to(id))).map(|(_, config)| config.clone());
    let raw = own.filter(Value::is_object).unwrap_or_else(|| json!({}));
    if !provider.object.has("resolveConfig") {
        return Ok(raw);
    }
    let made =
        provider.object.ask("resolveConfig", json!({"cfg": scope.shown(), "rawConfig": raw}), QUESTION_BUDGET, &scope.cancel).await?;
    Ok(if made.is_object() { made } else { raw })
}

/// All providers with what they say of themselves: `{id, label, configured, defaultModel?, capabilities?}`.
pub async fn providers(scope: &Scope<'_>, talk: Talk) -> Vec<Value> {
    let mut rows = Vec::new();
    for provider in Provider::all(&scope.registry, talk.capability()) {
        let configured = match provider_config(scope, talk, &provider).await {
            Ok(config) => ready(scope, &provider, &config).await,
            Err(_) => false,
        };
        let mut row = json!({"id": provider.id, "label": provider.object.text("label").unwrap_or(&provider.id), "configured": configured});
        for key in ["defaultModel", "capabilities"] {
            if let Some(value) = provider.object.value().get(key) {
                row[key] = crate::kind::without_functions(value);
            }
        }
        rows.push(row);
    }
    rows
}

async fn ready(scope: &Scope<'_>, provider: &Provider, config: &Value) -> bool {
    let question = json!({"cfg": scope.shown(), "providerConfig": config});
    provider.says("isConfigured", question, scope).await.unwrap_or(true)
}

#[async_trait]
impl Job for Open<'_> {
    type Done = (Session, Events);

    fn capability(&self) -> Capability {
        self.talk.capability()
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, _: &Candidate) -> Result<Self::Done, Miss> {
        let config = provider_config(scope, self.talk, provider).await?;
        if !ready(scope, provider, &config).await {
            return Err(Miss::Skip(
                "not_configured",
                format!("{} provider \"{}\" is not configured", self.capability().label(), provider.id),
            ));
        }
        let mut request = json!({"cfg": scope.shown(), "providerConfig": config});
        for (key, value) in self.params.as_object().into_iter().flatten() {
            request[key] = value.clone();
        }
        let args = vec![request, json!(self.talk.callbacks()), json!(self.talk.methods())];
        let call = Call::new(args).adapter(Adapter::Realtime).budget(Some(CONNECT)).cancelled_by(scope.cancel.clone());
        let object = provider.object.returned(provider.object.call(self.talk.function(), call).await?);
        let takes_parts = object.value().get("supportsToolResultContinuation") == Some(&Value::Bool(true));
        let Some(events) = object.stream("events") else { return Err(Miss::Fail(CallError::thrown("the provider gave no session"))) };
        let session = Session { provider: provider.id.clone(), takes_parts, object };
        let connect = Call::new(Vec::new()).budget(Some(CONNECT)).cancelled_by(scope.cancel.clone());
        if let Err(error) = session.object.call("connect", connect).await {
            session.close().await;
            return Err(Miss::Fail(error));
        }
        Ok((session, events))
    }
}
