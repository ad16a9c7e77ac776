//! Which models a request tries, in which order (PRV-313..315).

use serde_json::{Value, json};

use super::Medium;
use crate::choice::Candidate;
use crate::host::Scope;
use crate::kind::Provider;

/// Most variables that a message names as a hint.
const MOST_HINTS: usize = 3;

/// `provider/model` of a config value that is a text or `{primary, fallbacks}`.
pub fn refs_of(setting: Option<&Value>) -> Vec<String> {
    let text = |v: &Value| v.as_str().map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
    let Some(setting) = setting else { return Vec::new() };
    if let Some(one) = text(setting) {
        return vec![one];
    }
    let primary = setting.get("primary").and_then(text);
    let rest = setting.get("fallbacks").and_then(Value::as_array).into_iter().flatten().filter_map(text);
    primary.into_iter().chain(rest).collect()
}

fn parsed(text: &str) -> Option<Candidate> {
    let (provider, model) = text.trim().split_once('/')?;
    let (provider, model) = (provider.trim(), model.trim());
    (!provider.is_empty() && !model.is_empty()).then(|| Candidate::with_model(provider, model))
}

/// A name that is exactly a model of one provider means that one (PRV-314).
fn named(providers: &[Provider], text: &str) -> Option<Candidate> {
    let text = text.trim();
    let has = |p: &&Provider| p.object.text("defaultModel") == Some(text) || p.texts("models").any(|m| m == text);
    providers.iter().find(has).map(|p| Candidate::with_model(p.id.clone(), text))
}

/// The candidates of a request.
pub(super) async fn candidates(scope: &Scope<'_>, medium: Medium, params: &Value) -> Vec<Candidate> {
    let providers = Provider::all(&scope.registry, medium.capability());
    if let Some(text) = chela_plugin::value::text(params, "modelOverride") {
        return named(&providers, text).or_else(|| parsed(text)).into_iter().collect();
    }
    let general = scope.setting("/agents/defaults/mediaGenerationAutoProviderFallback") != Some(&Value::Bool(false));
    let automatic = params.get("autoProviderFallback").and_then(Value::as_bool).unwrap_or(general);
    let mut out: Vec<Candidate> = Vec::new();
    for text in refs_of(scope.setting(&format!("/agents/defaults/{}", medium.config_key()))) {
        let by_name = if automatic { named(&providers, &text) } else { None };
        out.extend(by_name.or_else(|| parsed(&text)));
    }
    if automatic {
        out.extend(defaults(scope, providers).await);
    }
    let mut seen = std::collections::HashSet::new();
    out.retain(|c| seen.insert(format!("{}/{}", c.provider.to_lowercase(), c.model.as_deref().unwrap_or_default())));
    out
}

/// Default models of usable providers: that of the chat model first, the others by id.
async fn defaults(scope: &Scope<'_>, mut providers: Vec<Provider>) -> Vec<Candidate> {
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    let chat = scope.host.chat_model(scope.agent.as_deref());
    let current = chat.split('/').next().unwrap_or_default();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for provider in providers {
        let Some(model) = provider.object.text("defaultModel").map(str::to_string) else { continue };
        if !configured(scope, &provider).await {
            continue;
        }
        let list = if provider.answers_to(current) { &mut first } else { &mut rest };
        list.push(Candidate::with_model(provider.id, model));
    }
    first.extend(rest);
    first
}

/// The provider's own word, else whether there is a credential for it (PRV-315).
pub async fn configured(scope: &Scope<'_>, provider: &Provider) -> bool {
    let ctx = json!({"cfg": scope.shown(), "agentDir": scope.agent_dir()});
    match provider.says("isConfigured", ctx, scope).await {
        Some(said) => said,
        None => scope.host.credential(&provider.id).is_some(),
    }
}

/// What to do when nothing can be tried.
pub(super) fn nothing_configured(scope: &Scope<'_>, medium: Medium) -> String {
    let providers = Provider::all(&scope.registry, medium.capability());
    let sample = providers.iter().find_map(|p| Some(format!("{}/{}", p.id, p.object.text("defaultModel")?)));
    let label = medium.capability().label().replace(' ', "-");
    let known: Vec<&str> = providers.iter().take(MOST_HINTS).map(|p| p.id.as_str()).collect();
    let hint = match known.as_slice() {
        [] => "install a plugin that brings one".to_string(),
        ids => format!("then give its provider a credential (providers: {})", ids.join(", ")),
    };
    let sample = sample.unwrap_or_else(|| "<provider>/<model>".into());
    format!("No {label} model configured: set `agents.defaults.{}.primary` to a model such as `{sample}`, {hint}", medium.config_key())
}
