//! `tts.*`: speech for clients, and the user's choices about it.

use std::sync::Arc;

use chela_capabilities::speech::{self, Prefs, Settings};
use chela_capabilities::{Capability, Provider, Scope};
use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;

/// Longest text of a request, in bytes; the settings limit it further.
const MOST_TEXT: usize = 64 * 1024;

pub(super) async fn serve(gateway: &Arc<Gateway>, method: &str, params: Value) -> Answer {
    let scope = Scope::new(gateway.host.as_ref());
    let settings = Settings::of(&scope);
    match method {
        "tts.status" => Ok(status(&scope, &settings).await),
        "tts.providers" => {
            let active = active(&scope, &settings).await;
            let rows: Vec<Value> = speech::providers(&scope).await.into_iter().map(named).collect();
            Ok(json!({"providers": rows, "active": active}))
        }
        "tts.personas" => Ok(personas(&settings)),
        "tts.convert" => convert(&scope, params).await,
        "tts.enable" => set(settings.prefs, "enabled", Some(true.into()), json!({"enabled": true})),
        "tts.disable" => set(settings.prefs, "enabled", Some(false.into()), json!({"enabled": false})),
        "tts.setProvider" => {
            let id = text(&params, "provider").unwrap_or_default();
            let Some(provider) = Provider::find(&scope.registry, Capability::Speech, &id) else {
                return Err(ErrorShape::invalid(Reason::InvalidParams, "Invalid provider. Use a registered TTS provider id."));
            };
            set(settings.prefs, "provider", Some(provider.id.clone().into()), json!({"provider": provider.id}))
        }
        _ => set_persona(settings, &params),
    }
}

fn text(params: &Value, key: &str) -> Option<String> {
    chela_plugin::value::text(params, key).map(str::to_string)
}

fn set(mut prefs: Prefs, key: &str, value: Option<Value>, answer: Value) -> Answer {
    match prefs.set(key, value) {
        Ok(()) => Ok(answer),
        Err(error) => Err(ErrorShape::new(ErrorCode::Unavailable, format!("the choice could not be kept: {error}"))),
    }
}

fn named(mut row: Value) -> Value {
    row["name"] = row["label"].take();
    if let Some(row) = row.as_object_mut() {
        row.remove("label");
    }
    row
}

async fn active(scope: &Scope<'_>, settings: &Settings) -> Value {
    speech::order(scope, settings, None).await.into_iter().next().map_or(Value::from(""), |c| c.provider.into())
}

async fn status(scope: &Scope<'_>, settings: &Settings) -> Value {
    let order: Vec<String> = speech::order(scope, settings, None).await.into_iter().map(|c| c.provider).collect();
    let states = speech::providers(scope).await;
    let ready = |id: &String| states.iter().any(|s| s["id"] == id.as_str() && s["configured"] == true);
    let fallbacks: Vec<&String> = order.iter().skip(1).filter(|id| ready(id)).collect();
    let auto = settings.auto();
    let brief = |s: &Value| json!({"id": s["id"], "label": s["label"], "configured": s["configured"]});
    json!({
        "enabled": auto != "off", "auto": auto, "provider": order.first().map_or("", String::as_str),
        "persona": settings.persona.as_ref().map(|p| p.id.as_str()), "personas": personas(settings)["personas"],
        "fallbackProvider": fallbacks.first(), "fallbackProviders": fallbacks, "prefsPath": settings.prefs.path(),
        "providerStates": states.iter().map(brief).collect::<Vec<_>>(),
    })
}

fn personas(settings: &Settings) -> Value {
    let row = |p: &speech::Persona| {
        let mut out = json!({"id": p.id, "fallbackPolicy": p.policy});
        for key in ["label", "description", "provider"] {
            if let Some(value) = p.raw.get(key) {
                out[key] = value.clone();
            }
        }
        let providers = p.raw.get("providers").and_then(Value::as_object);
        out["providers"] = providers.into_iter().flat_map(|all| all.keys().cloned()).collect();
        out
    };
    let active = settings.persona.as_ref().map(|p| p.id.as_str());
    json!({"active": active, "personas": settings.personas.iter().map(row).collect::<Vec<_>>()})
}

fn set_persona(settings: Settings, params: &Value) -> Answer {
    let wanted = text(params, "persona").map(|p| p.to_lowercase()).filter(|p| !matches!(p.as_str(), "off" | "none" | "default"));
    match wanted {
        None => set(settings.prefs, "persona", Some(Value::Null), json!({"persona": null})),
        Some(id) if settings.personas.iter().any(|p| p.id == id) => {
            set(settings.prefs, "persona", Some(id.clone().into()), json!({"persona": id}))
        }
        Some(_) => Err(ErrorShape::invalid(Reason::InvalidParams, "Invalid persona. Use a configured TTS persona id.")),
    }
}

/// A named provider, model or voice is not replaced by another one.
async fn convert(scope: &Scope<'_>, params: Value) -> Answer {
    let mut p = Params::new("tts.convert", params.clone(), &["text", "channel", "provider", "modelId", "voiceId"])?;
    let spoken = p.optional_text("text").unwrap_or_default();
    if spoken.trim().is_empty() || spoken.len() > MOST_TEXT {
        return Err(ErrorShape::invalid(Reason::InvalidParams, "tts.convert requires text"));
    }
    let named = (text(&params, "provider"), text(&params, "modelId"), text(&params, "voiceId"));
    let overrides = speech::overrides(scope, named.0.as_deref(), named.1.as_deref(), named.2.as_deref()).await;
    let overrides = overrides.map_err(|e| ErrorShape::invalid(Reason::InvalidParams, e))?;
    let fixed = overrides.get("provider").is_some();
    let request = json!({"text": spoken, "channel": text(&params, "channel"), "overrides": overrides, "disableFallback": fixed});
    let made = speech::to_file(scope, &request).await;
    if made["success"] != true {
        let why = made["error"].as_str().unwrap_or("TTS conversion failed");
        return Err(ErrorShape::new(ErrorCode::Unavailable, why));
    }
    Ok(json!({
        "audioPath": made["audioPath"], "provider": made["provider"], "outputFormat": made["outputFormat"],
        "voiceCompatible": made["voiceCompatible"],
    }))
}
