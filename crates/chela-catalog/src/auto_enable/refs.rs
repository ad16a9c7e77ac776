//! Model refs, providers and runtimes that config names, and who owns them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model_refs::configured_models;
use crate::record::Origin;
use crate::resolve::Resolved;

/// The value at a path of keys.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn agents(config: &Value) -> impl Iterator<Item = &Value> {
    let list = at(config, &["agents", "list"]).and_then(Value::as_array);
    at(config, &["agents", "defaults"]).into_iter().chain(list.into_iter().flatten())
}

/// Every model ref that config names, trimmed, in order, once each.
pub(crate) fn model_refs(config: &Value) -> Vec<String> {
    let mut refs: Vec<String> = Vec::new();
    for found in configured_models(config) {
        if !refs.contains(&found.text) {
            refs.push(found.text);
        }
    }
    refs
}

/// Providers that config names in auth profiles, provider settings or model refs, lower-cased.
pub(crate) fn configured_providers(config: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let profiles = at(config, &["auth", "profiles"]).and_then(Value::as_object);
    for (_, profile) in profiles.into_iter().flatten() {
        if let Some(provider) = profile.get("provider").and_then(Value::as_str) {
            found.insert(provider.trim().to_lowercase());
        }
    }
    let providers = at(config, &["models", "providers"]).and_then(Value::as_object);
    for key in providers.into_iter().flat_map(Map::keys) {
        found.insert(key.trim().to_lowercase());
    }
    for model in model_refs(config) {
        if let Some((provider, _)) = model.split_once('/') {
            found.insert(provider.trim().to_lowercase());
        }
    }
    found.remove("");
    found
}

/// Agent harness runtimes that config names; `auto` and `pi` are the built-in ones.
pub(crate) fn harness_runtimes(config: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut push = |value: Option<&Value>| {
        let text = value.and_then(|value| value.get("agentRuntime")?.get("id")?.as_str());
        if let Some(text) = text.map(|text| text.trim().to_lowercase())
            && !matches!(text.as_str(), "" | "auto" | "pi")
        {
            found.insert(text);
        }
    };
    for agent in agents(config) {
        push(Some(agent));
        let models = agent.get("models").and_then(Value::as_object);
        for (_, model) in models.into_iter().flatten() {
            push(Some(model));
        }
    }
    let providers = at(config, &["models", "providers"]).and_then(Value::as_object);
    for (_, provider) in providers.into_iter().flatten() {
        push(Some(provider));
        let models = provider.get("models").and_then(Value::as_array);
        for model in models.into_iter().flatten() {
            push(Some(model));
        }
    }
    found
}

/// The plugins that own a model ref: by provider, else by pattern, else by prefix; one plugin
/// outside the program beats bundled ones, and other ambiguity means nobody (MAN-118..MAN-120).
pub(crate) fn model_owners(model: &str, plugins: &[Resolved]) -> Vec<String> {
    if let Some((provider, _)) = model.split_once('/') {
        let provider = provider.trim();
        let owners = plugins.iter().filter(|plugin| {
            let manifest = &plugin.manifest;
            let mut ids = manifest.providers.iter().chain(&manifest.cli_backends);
            ids.any(|id| id.eq_ignore_ascii_case(provider))
        });
        return owners.map(|plugin| plugin.manifest.id.clone()).collect();
    }
    let by_pattern = preferred(plugins, |plugin| matches_pattern(plugin, model));
    if !by_pattern.is_empty() {
        return by_pattern;
    }
    preferred(plugins, |plugin| {
        let support = plugin.manifest.model_support.iter();
        let mut prefixes = support.flat_map(|support| &support.model_prefixes);
        prefixes.any(|prefix| model.starts_with(prefix.as_str()))
    })
}

fn matches_pattern(plugin: &Resolved, model: &str) -> bool {
    let support = plugin.manifest.model_support.iter();
    let mut patterns = support.flat_map(|support| &support.model_patterns);
    // A pattern that does not compile matches nothing, as in the reference.
    patterns.any(|source| regex::Regex::new(source).is_ok_and(|regex| regex.is_match(model)))
}

fn preferred(plugins: &[Resolved], matches: impl Fn(&Resolved) -> bool) -> Vec<String> {
    let matched: Vec<&Resolved> = plugins.iter().filter(|plugin| matches(plugin)).collect();
    let outside: Vec<&&Resolved> = matched.iter().filter(|plugin| plugin.candidate.origin != Origin::Bundled).collect();
    match (matched.as_slice(), outside.as_slice()) {
        ([one], _) => vec![one.manifest.id.clone()],
        (_, [one]) => vec![one.manifest.id.clone()],
        _ => Vec::new(),
    }
}
