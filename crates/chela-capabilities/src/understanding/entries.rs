//! Which models look at a file, in which order (PRV-309).

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Sense;
use crate::choice::Candidate;
use crate::generation::refs_of;
use crate::host::Scope;
use crate::kind::{Capability, Provider};

/// A model with its own settings.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) candidate: Candidate,
    pub(super) raw: Map<String, Value>,
}

/// An entry without settings.
pub(super) static NONE: LazyLock<Entry> = LazyLock::new(|| Entry { candidate: Candidate::new(""), raw: Map::new() });

fn plain(candidate: Candidate) -> Entry {
    Entry { candidate, raw: Map::new() }
}

/// Configured models; without any, the caller's model, the configured image model, then the providers by priority.
pub(super) async fn entries(scope: &Scope<'_>, sense: Sense, active: Option<&Value>) -> Vec<Entry> {
    let active_model = active.and_then(|a| {
        let text = |key: &str| chela_plugin::value::text(a, key).map(str::to_string);
        Some(Candidate { provider: text("provider")?, model: text("model") })
    });
    if active.and_then(|a| a.get("only")) == Some(&Value::Bool(true)) {
        return active_model.into_iter().map(plain).collect();
    }
    let configured = configured(scope, sense);
    if !configured.is_empty() {
        return configured;
    }
    let mut out: Vec<Candidate> = Vec::new();
    if sense == Sense::Image {
        let refs = refs_of(scope.setting("/agents/defaults/imageModel"));
        out.extend(refs.iter().filter_map(|r| r.split_once('/')).map(|(p, m)| Candidate::with_model(p.trim(), m.trim())));
    }
    let mut providers = Provider::all(&scope.registry, Capability::MediaUnderstanding);
    providers.retain(|p| can(p, sense));
    if let Some(active) = active_model {
        let known = providers.iter().any(|p| p.answers_to(&active.provider));
        let model = format!("{}/{}", active.provider, active.model.as_deref().unwrap_or_default());
        if known || (sense == Sense::Image && scope.host.sees(&model)) {
            // A chat model that hears is no rule, so audio goes to the provider's own model.
            out.push(if sense == Sense::Image { active } else { Candidate::new(active.provider) });
        }
    }
    Provider::sort(&mut providers, &format!("/autoPriority/{}", sense.as_str()));
    let ready = |p: &Provider| scope.host.credential(&p.id).is_some();
    out.extend(providers.into_iter().filter(ready).map(|p| {
        let model = p.object.value().pointer(&format!("/defaultModels/{}", sense.as_str())).and_then(Value::as_str);
        Candidate { model: model.map(str::to_string), provider: p.id }
    }));
    if sense == Sense::Image {
        let chat = scope.host.chat_model(scope.agent.as_deref());
        if let Some((provider, model)) = chat.split_once('/').filter(|_| scope.host.sees(&chat)) {
            out.push(Candidate::with_model(provider, model));
        }
    }
    let mut seen = std::collections::HashSet::new();
    out.retain(|c| seen.insert((c.provider.to_lowercase(), c.model.clone())));
    out.into_iter().map(plain).collect()
}

/// What the provider says it can do, else what functions it has.
fn can(provider: &Provider, sense: Sense) -> bool {
    let said = provider.object.value().get("capabilities").and_then(Value::as_array);
    said.map_or_else(|| provider.object.has(sense.function()), |list| list.iter().any(|c| c.as_str() == Some(sense.as_str())))
}

/// `tools.media.<sense>.models`, then `tools.media.models` that name the sense or none.
fn configured(scope: &Scope<'_>, sense: Sense) -> Vec<Entry> {
    let Some(media) = scope.setting("/tools/media") else { return Vec::new() };
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let own = list(media.get(sense.as_str()).and_then(|s| s.get("models")));
    let shared = list(media.get("models")).into_iter().filter(|entry| {
        let named = entry.get("capabilities").and_then(Value::as_array);
        named.is_none_or(|list| list.iter().any(|c| c.as_str() == Some(sense.as_str())))
    });
    let entry = |raw: Value| {
        let raw = raw.as_object()?.clone();
        let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_string);
        let provider = match text("provider") {
            Some(provider) => provider,
            None => {
                tracing::warn!(target: "capabilities", "an entry of `tools.media` runs a command, which is not built: it is passed over");
                return None;
            }
        };
        Some(Entry { candidate: Candidate { provider, model: text("model") }, raw })
    };
    own.into_iter().chain(shared).filter_map(entry).collect()
}
