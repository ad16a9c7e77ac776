//! Plugins that other config implies (INS-051, INS-062..INS-068, MAN-037, MAN-186).
//!
//! The trigger `setup-auto-enable` would need setup code to run, which this crate never does.

mod refs;

use std::collections::{BTreeMap, BTreeSet};

use chela_manifest::Manifest;
use serde_json::{Map, Value};

use crate::policy::PluginPolicy;
use crate::record::Origin;
use crate::resolve::Resolved;

/// What config implies beyond the policy as written.
#[derive(Debug, Default)]
pub(crate) struct Implied {
    /// Plugin id to the reasons that enable it.
    pub reasons: BTreeMap<String, Vec<String>>,
    /// Plugin id to the plugin that replaces it (MAN-186).
    pub replaced: BTreeMap<String, String>,
    /// The policy with the allowlist additions.
    pub effective: PluginPolicy,
}

impl Implied {
    /// The reason text of an auto-enabled plugin.
    pub fn reason(&self, id: &str) -> Option<String> {
        self.reasons.get(id).map(|reasons| reasons.join("; "))
    }
}

/// Agent harness runtimes that a config names, in lower case; the built-in ones are left out (INS-062, INS-340).
pub fn configured_harness_runtimes(config: &chela_config::Config) -> BTreeSet<String> {
    refs::harness_runtimes(&config.effective)
}

/// Finds what config implies. Does nothing when plugins are off (INS-064).
pub(crate) fn imply(config: &Value, policy: &PluginPolicy, plugins: &[Resolved]) -> Implied {
    let mut implied = Implied { effective: policy.clone(), ..Implied::default() };
    if !policy.enabled {
        return implied;
    }
    let mut found = Triggers { config, plugins, list: Vec::new(), preferred_over: BTreeMap::new() };
    found.channels();
    found.providers();
    found.models();
    found.harnesses();
    found.web();
    found.plugin_config();
    let is_off = |id: &str| policy.is_denied(id) || policy.is_disabled(id);
    for (old, new) in &found.preferred_over {
        let selected = policy.is_allowed(old) || policy.entry(old).is_material;
        if !selected && !is_off(new) {
            implied.replaced.insert(old.clone(), new.clone());
        }
    }
    for (id, reason) in found.list {
        if is_off(&id) || implied.replaced.contains_key(&id) {
            continue;
        }
        // A plugin that the operator switched on needs no further reason, unless an allowlist
        // would keep it out (INS-065).
        let allow_missing = !policy.allow.is_empty() && !policy.is_allowed(&id);
        if policy.entry(&id).enabled == Some(true) && !allow_missing {
            continue;
        }
        let reasons = implied.reasons.entry(id).or_default();
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    extend_allowlist(&mut implied, policy, plugins);
    implied
}

/// INS-065, INS-066.
fn extend_allowlist(implied: &mut Implied, policy: &PluginPolicy, plugins: &[Resolved]) {
    if policy.allow.is_empty() {
        return;
    }
    let known: BTreeSet<&str> = plugins.iter().map(|p| p.manifest.id.as_str()).collect();
    let material = policy
        .entries
        .iter()
        .filter(|(_, entry)| entry.is_material)
        .map(|(id, _)| id.as_str())
        .filter(|id| known.contains(id) && !policy.is_denied(id) && !policy.is_disabled(id));
    let auto = implied.reasons.keys().map(String::as_str);
    let added: BTreeSet<String> = material.chain(auto).map(str::to_owned).collect();
    for id in added {
        if !implied.effective.is_allowed(&id) {
            implied.effective.allow.push(id);
        }
    }
}

struct Triggers<'a> {
    config: &'a Value,
    plugins: &'a [Resolved],
    list: Vec<(String, String)>,
    preferred_over: BTreeMap<String, String>,
}

impl Triggers<'_> {
    fn object(&self, path: &[&str]) -> Option<&Map<String, Value>> {
        refs::at(self.config, path)?.as_object()
    }

    fn push(&mut self, id: &str, reason: String) {
        self.list.push((id.to_owned(), reason));
    }

    /// `channel-configured`: the first owner, or those that a `preferOver` ties together.
    fn channels(&mut self) {
        for channel in configured_channels(self.config) {
            let owners: Vec<&Manifest> =
                self.plugins.iter().map(|plugin| &*plugin.manifest).filter(|manifest| manifest.channels.contains(&channel)).collect();
            let mut chosen: BTreeSet<&str> = BTreeSet::new();
            let mut preferred = Vec::new();
            for owner in &owners {
                let over = owner.channel_configs.get(&channel);
                for old in over.into_iter().flat_map(|config| &config.prefer_over) {
                    if let Some(other) = owners.iter().find(|other| other.id == *old) {
                        chosen.extend([owner.id.as_str(), other.id.as_str()]);
                        preferred.push((other.id.clone(), owner.id.clone()));
                    }
                }
            }
            if chosen.is_empty() {
                chosen.extend(owners.first().map(|owner| owner.id.as_str()));
            }
            let chosen: Vec<String> = chosen.into_iter().map(str::to_owned).collect();
            for id in chosen {
                self.push(&id, format!("{channel} configured"));
            }
            self.preferred_over.extend(preferred);
        }
    }

    /// `provider-auth-configured` (MAN-037).
    fn providers(&mut self) {
        let configured = refs::configured_providers(self.config);
        let mut taken = BTreeSet::new();
        for plugin in self.plugins {
            for provider in &plugin.manifest.auto_enable_when_configured_providers {
                if taken.insert(provider) && configured.contains(&provider.to_lowercase()) {
                    let reason = format!("{provider} auth configured");
                    self.list.push((plugin.manifest.id.clone(), reason));
                }
            }
        }
    }

    /// `provider-model-configured`: only when exactly one plugin owns the ref (INS-067).
    fn models(&mut self) {
        for model in refs::model_refs(self.config) {
            if let [owner] = refs::model_owners(&model, self.plugins).as_slice() {
                self.push(owner, format!("{model} model configured"));
            }
        }
    }

    /// `agent-harness-runtime-configured`.
    fn harnesses(&mut self) {
        for runtime in refs::harness_runtimes(self.config) {
            for plugin in self.plugins {
                let manifest = &plugin.manifest;
                let mut names = manifest.activation.on_agent_harnesses.iter().chain(&manifest.cli_backends);
                if names.any(|name| name.eq_ignore_ascii_case(&runtime)) {
                    let reason = format!("{runtime} agent runtime configured");
                    self.list.push((manifest.id.clone(), reason));
                }
            }
        }
    }

    /// `web-search-provider-selected` and `web-fetch-provider-selected`.
    fn web(&mut self) {
        let search = self.object(&["tools", "web", "search"]);
        let search_on = search.is_some_and(|map| map.get("enabled") != Some(&Value::Bool(false)));
        let selected = |kind: &str| -> Option<String> {
            let provider = refs::at(self.config, &["tools", "web", kind, "provider"])?.as_str()?;
            let provider = provider.trim().to_lowercase();
            (!provider.is_empty()).then_some(provider)
        };
        let owner = |contract: &str, provider: &str, bundled_only: bool| {
            self.plugins
                .iter()
                .filter(|plugin| !bundled_only || plugin.candidate.origin == Origin::Bundled)
                .find(|plugin| {
                    let ids = plugin.manifest.contracts.get(contract);
                    ids.iter().any(|id| id.to_lowercase() == provider)
                })
                .map(|plugin| plugin.manifest.id.clone())
        };
        let mut found = Vec::new();
        if let Some(provider) = selected("search").filter(|_| search_on)
            && let Some(id) = owner("webSearchProviders", &provider, false)
        {
            found.push((id, format!("{provider} web search provider selected")));
        }
        if let Some(provider) = selected("fetch")
            && let Some(id) = owner("webFetchProviders", &provider, true)
        {
            found.push((id, format!("{provider} web fetch provider selected")));
        }
        self.list.extend(found);
    }

    /// `plugin-web-search-configured`, `plugin-tool-configured`, `plugin-web-fetch-configured`.
    fn plugin_config(&mut self) {
        let mut found = Vec::new();
        for plugin in self.plugins {
            let manifest = &plugin.manifest;
            let path = ["plugins", "entries", manifest.id.as_str(), "config"];
            let Some(config) = self.object(&path) else {
                continue;
            };
            let owns = |contract: &str| !manifest.contracts.get(contract).is_empty();
            let has = |key: &str| config.get(key).is_some_and(Value::is_object);
            let web_search = owns("webSearchProviders") && !manifest.providers.is_empty();
            let id = &manifest.id;
            if web_search && has("webSearch") {
                found.push((id.clone(), format!("{id} web search configured")));
            }
            if owns("tools") && sets_tool_config(manifest, config) {
                found.push((id.clone(), format!("{id} tool configured")));
            }
            if owns("webFetchProviders") && has("webFetch") {
                found.push((id.clone(), format!("{id} web fetch configured")));
            }
        }
        self.list.extend(found);
    }
}

fn sets_tool_config(manifest: &Manifest, config: &Map<String, Value>) -> bool {
    let properties = manifest.config_schema().get("properties");
    let properties = properties.and_then(Value::as_object).into_iter().flatten();
    properties.map(|(key, _)| key.as_str()).filter(|key| !matches!(*key, "webSearch" | "webFetch")).any(|key| config.contains_key(key))
}

/// Channel ids whose config says more than `enabled`, and not `enabled: false`.
pub(crate) fn configured_channels(config: &Value) -> Vec<String> {
    let channels = config.get("channels").and_then(Value::as_object);
    let channels = channels.into_iter().flatten();
    channels
        .filter(|(id, _)| !matches!(id.as_str(), "defaults" | "modelByChannel"))
        .filter(|(_, entry)| entry.get("enabled") != Some(&Value::Bool(false)))
        .filter(|(_, entry)| {
            let keys = entry.as_object().into_iter().flat_map(Map::keys);
            keys.into_iter().any(|key| key != "enabled")
        })
        .map(|(id, _)| id.clone())
        .collect()
}

#[cfg(test)]
mod tests;
