//! `messages.tts` with what the agent and the user's preferences change of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chela_plugin::CallError;
use serde_json::{Map, Value, json};

use super::Prefs;
use crate::host::{QUESTION_BUDGET, Scope};
use crate::kind::{Capability, Provider};

/// Time for one provider when the config does not say.
const TIME: Duration = Duration::from_secs(30);
/// Most characters of one request when the config does not say.
const MOST_CHARS: usize = 4_096;

/// A way to speak.
#[derive(Clone, Debug)]
pub struct Persona {
    /// Its id, in lower case.
    pub id: String,
    /// As configured, with the id.
    pub raw: Value,
    /// `preserve-persona`, `provider-defaults` or `fail`.
    pub policy: String,
}

impl Persona {
    /// What it sets for one provider.
    pub fn config_for(&self, provider: &str) -> Option<&Value> {
        let all = self.raw.get("providers")?.as_object()?;
        all.iter().find(|(id, _)| id.eq_ignore_ascii_case(provider)).map(|(_, config)| config).filter(|c| c.is_object())
    }
}

/// Settings of one request.
#[derive(Clone, Debug)]
pub struct Settings {
    raw: Value,
    /// The user's choices.
    pub prefs: Prefs,
    /// The persona in force.
    pub persona: Option<Persona>,
    /// All personas.
    pub personas: Vec<Persona>,
    /// Time for one provider.
    pub time: Duration,
    /// Most characters of one request.
    pub most_chars: usize,
}

impl Settings {
    /// The settings of the scope's agent.
    pub fn of(scope: &Scope<'_>) -> Self {
        Self::with_prefs(scope, None)
    }

    /// As [`Settings::of`], with the preferences of another file.
    pub(super) fn with_prefs(scope: &Scope<'_>, path: Option<&str>) -> Self {
        let mut raw = scope.setting("/messages/tts").filter(|v| v.is_object()).cloned().unwrap_or_else(|| json!({}));
        if let Some(own) = agent_part(scope) {
            overlay(&mut raw, own);
        }
        let path = path.or_else(|| chela_plugin::value::text(&raw, "prefsPath")).map(PathBuf::from);
        let path = path.or_else(|| scope.host.variable("OPENCLAW_TTS_PREFS").map(PathBuf::from));
        let prefs = Prefs::read(&path.unwrap_or_else(|| default_path(&scope.host.media_dir())));
        let personas: Vec<Persona> = raw.get("personas").and_then(Value::as_object).into_iter().flatten().filter_map(persona).collect();
        let active = match prefs.get("persona") {
            Some(Value::Null) => None,
            Some(chosen) => chosen.as_str().map(str::to_lowercase),
            None => chela_plugin::value::text(&raw, "persona").map(str::to_lowercase),
        };
        let number = |key: &str| raw.get(key).and_then(Value::as_u64).filter(|n| *n > 0);
        Self {
            persona: active.and_then(|id| personas.iter().find(|p| p.id == id).cloned()),
            time: number("timeoutMs").map_or(TIME, Duration::from_millis),
            most_chars: number("maxTextLength").map_or(MOST_CHARS, |n| n as usize),
            personas,
            prefs,
            raw,
        }
    }

    /// `off`, `always`, `inbound` or `tagged`.
    pub fn auto(&self) -> String {
        let known = |text: Option<&str>| text.filter(|t| matches!(*t, "off" | "always" | "inbound" | "tagged")).map(str::to_string);
        let switched = |value: Option<&Value>| value.and_then(Value::as_bool).map(|on| if on { "always" } else { "off" }.to_string());
        known(self.prefs.text("auto"))
            .or_else(|| switched(self.prefs.get("enabled")))
            .or_else(|| known(chela_plugin::value::text(&self.raw, "auto")))
            .or_else(|| switched(self.raw.get("enabled")))
            .unwrap_or_else(|| "off".into())
    }

    /// The provider that somebody chose: preferences, persona, config.
    pub(super) fn chosen(&self, scope: &Scope<'_>) -> Option<String> {
        let of_persona = || {
            let id = chela_plugin::value::text(&self.persona.as_ref()?.raw, "provider")?;
            Provider::find(&scope.registry, Capability::Speech, id).map(|p| p.id)
        };
        let preferred = self.prefs.text("provider").map(str::to_string);
        preferred.or_else(of_persona).or_else(|| chela_plugin::value::text(&self.raw, "provider").map(str::to_string))
    }

    /// The first provider that is ready, in the given order.
    pub(super) async fn first_ready(&self, scope: &Scope<'_>, providers: &[Provider]) -> Option<String> {
        for provider in providers {
            if self.ready(scope, provider).await {
                return Some(provider.id.clone());
            }
        }
        None
    }

    /// True when the provider says that it is configured, or has nothing to say about it.
    pub async fn ready(&self, scope: &Scope<'_>, provider: &Provider) -> bool {
        let config = match self.provider_config(scope, provider).await {
            Ok(config) => config,
            Err(error) => {
                provider.warn("resolveConfig", &error);
                return false;
            }
        };
        let question = json!({"cfg": scope.shown(), "providerConfig": config, "timeoutMs": self.time.as_millis() as u64});
        provider.says("isConfigured", question, scope).await.unwrap_or(true)
    }

    /// A provider's settings: what it makes of the config, else its part of it.
    pub(super) async fn provider_config(&self, scope: &Scope<'_>, provider: &Provider) -> Result<Value, CallError> {
        let part = |all: Option<&Value>| {
            let all = all.and_then(Value::as_object)?;
            all.iter().find(|(id, config)| provider.is(id) && config.is_object()).map(|(_, config)| config.clone())
        };
        let plain = || part(self.raw.get("providers")).or_else(|| part(Some(&self.raw))).unwrap_or_else(|| json!({}));
        if !provider.object.has("resolveConfig") {
            return Ok(plain());
        }
        let mut raw = self.raw.clone();
        raw["providers"] = self.raw.get("providers").cloned().unwrap_or_else(|| json!({}));
        let question = json!({"cfg": scope.shown(), "rawConfig": raw, "timeoutMs": self.time.as_millis() as u64});
        let made = provider.object.ask("resolveConfig", question, QUESTION_BUDGET, &scope.cancel).await?;
        Ok(if made.is_object() { made } else { json!({}) })
    }
}

fn persona((id, raw): (&String, &Value)) -> Option<Persona> {
    let id = id.trim().to_lowercase();
    let mut raw = raw.as_object().filter(|_| !id.is_empty())?.clone();
    raw.insert("id".into(), id.clone().into());
    let policy = raw.get("fallbackPolicy").and_then(Value::as_str).unwrap_or("preserve-persona").to_string();
    Some(Persona { id, raw: Value::Object(raw), policy })
}

/// `agents.list[].tts` of the scope's agent.
fn agent_part<'a>(scope: &'a Scope<'_>) -> Option<&'a Map<String, Value>> {
    let agent = scope.agent.as_deref()?;
    let list = scope.setting("/agents/list")?.as_array()?;
    let own = list.iter().find(|a| a.get("id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(agent)))?;
    own.get("tts")?.as_object()
}

fn overlay(base: &mut Value, over: &Map<String, Value>) {
    let Some(base) = base.as_object_mut() else { return };
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(known), Value::Object(members)) if known.is_object() => overlay(known, members),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

/// The media directory lies in the state directory.
fn default_path(media: &Path) -> PathBuf {
    media.parent().unwrap_or(media).join("settings").join("tts.json")
}
