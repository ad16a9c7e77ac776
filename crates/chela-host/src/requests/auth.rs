//! `api.runtime.modelAuth` (RT-070..073) and the credential look-ups of provider catalogues (PRV-59, PRV-60).

use chela_models::{ModelRef, ProviderSettings, ResolvedAuth, Secret};
use chela_plugin::CallError;
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::models;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.modelAuth.resolve" => {
            let (provider, _) = target(request)?;
            Ok(described(&resolve(request, &provider)?))
        }
        "host.modelAuth.getRuntimeAuthForModel" => runtime_auth(request).await,
        "host.modelAuth.hasAuthForProvider" => Ok(json!(resolve(request, request.text("provider")?).is_ok())),
        "host.modelAuth.providerAuth" => Ok(for_catalogue(request)),
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// `{provider}` or `{model}`, the model as an object or as `provider/model`.
fn target(request: &Request<'_>) -> Result<(String, Option<String>), CallError> {
    if let Some(provider) = request.optional("provider").map(str::trim).filter(|p| !p.is_empty()) {
        return Ok((provider.to_string(), None));
    }
    let bad = || CallError::refused("INVALID_PARAMS", format!("`{}` needs `provider` or `model`", request.method));
    match request.params.get("model") {
        Some(Value::String(text)) => ModelRef::parse(text).map(|m| (m.provider, Some(m.model))).map_err(|_| bad()),
        Some(model @ Value::Object(_)) => {
            let text = |key: &str| model.get(key).and_then(Value::as_str).map(str::to_string);
            Ok((text("provider").ok_or_else(bad)?, text("id")))
        }
        _ => Err(bad()),
    }
}

fn settings(request: &Request<'_>, provider: &str) -> ProviderSettings {
    let manager = &request.host.manager;
    models::settings_of(provider, &request.host.runtime.config(), &manager.registry(), &manager.snapshot(), request.host.auth())
}

/// The first credential of a provider for the default agent: a caller cannot name an agent, a profile or another store (RT-072).
fn resolve(request: &Request<'_>, provider: &str) -> Result<ResolvedAuth, CallError> {
    request.host.auth().resolve(&settings(request, provider), None, None).map_err(|hint| CallError::refused("AUTH_MISSING", hint))
}

fn described(found: &ResolvedAuth) -> Value {
    let mut out = json!({"source": found.source, "mode": found.mode});
    if let Some(key) = &found.api_key {
        out["apiKey"] = key.expose().into();
    }
    if let Some(profile) = &found.profile_id {
        out["profileId"] = profile.as_str().into();
    }
    out
}

/// As `resolve`, after the provider's own token exchange (RT-071, PRV-123).
async fn runtime_auth(request: &Request<'_>) -> Reply {
    let (provider, model) = target(request)?;
    let found = resolve(request, &provider)?;
    let mut out = described(&found);
    let registry = request.host.manager.registry();
    let world = request.host.provider_world();
    let secret = found.api_key.as_ref().map(Secret::expose);
    let ctx = json!({"modelId": model, "model": request.params.get("model"), "apiKey": secret, "authMode": found.mode, "profileId": found.profile_id});
    if let Some(Value::Object(made)) = models::exchange(&registry, &provider, &world, ctx).await? {
        for member in ["apiKey", "baseUrl", "request", "expiresAt"] {
            if let Some(value) = made.get(member).filter(|v| !v.is_null()) {
                out[member] = value.clone();
            }
        }
    }
    Ok(out)
}

/// What `resolveProviderApiKey` and `resolveProviderAuth` say: a key from the environment by the name of its variable, so that a catalogue
/// that is written down holds no secret (PRV-59).
fn for_catalogue(request: &Request<'_>) -> Value {
    let none = json!({"mode": "none", "source": "none"});
    let Some(provider) = request.optional("provider") else { return none };
    let Ok(found) = resolve(request, provider) else { return none };
    let Some(secret) = &found.api_key else { return none };
    let mode = if found.mode == "api-key" { "api_key" } else { found.mode };
    let marker = found.env_var.clone().unwrap_or_else(|| secret.expose().to_string());
    let source = if found.profile_id.is_some() {
        "profile"
    } else if found.env_var.is_some() {
        "env"
    } else {
        "none"
    };
    json!({"apiKey": marker, "discoveryApiKey": secret.expose(), "mode": mode, "source": source, "profileId": found.profile_id})
}
