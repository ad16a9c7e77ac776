//! Which official plugins a config asks for.

use chela_catalog::{OfficialPlugin, Snapshot, configured_harness_runtimes, official_plugins};
use chela_config::Config;
use serde_json::Value;

/// True when `plugins` names the id outside of the denylist.
pub(super) fn is_named(config: &Config, id: &str) -> bool {
    let plugins = &config.effective["plugins"];
    let listed = || plugins["allow"].as_array().is_some_and(|list| list.iter().any(|entry| entry == id));
    let slot = || plugins["slots"].as_object().is_some_and(|slots| slots.values().any(|value| value == id));
    plugins["entries"].get(id).is_some() || listed() || slot()
}

/// True when the config wants the id off.
pub(super) fn is_off(config: &Config, id: &str) -> bool {
    let plugins = &config.effective["plugins"];
    let denied = plugins["deny"].as_array().is_some_and(|list| list.iter().any(|entry| entry == id));
    denied || plugins["entries"][id]["enabled"] == false
}

/// Official plugins that are asked for and not there: by id, by a channel that is set up, as web search provider, as
/// ACP backend, as agent runtime.
pub(super) fn missing(config: &Config, snapshot: &Snapshot) -> Vec<&'static OfficialPlugin> {
    let has_channel = |id: &str| snapshot.plugins.iter().any(|plugin| plugin.manifest.channels.iter().any(|owned| owned == id));
    let known = |id: &str| snapshot.get(id).is_some() || snapshot.diagnostics.iter().any(|entry| entry.plugin_id.as_deref() == Some(id));
    let runtimes = configured_harness_runtimes(config);
    let wanted = |official: &&'static OfficialPlugin| {
        let channel = official.channel.as_deref().filter(|id| is_set_up(&config.effective["channels"][id]) && !has_channel(id));
        config.effective["plugins"]["entries"].get(&official.id).is_some()
            || channel.is_some()
            || searches_with(config, official)
            || (official.id == "acpx" && runs_acp(config))
            || runtimes.contains(&official.id)
    };
    official_plugins().iter().filter(|official| !known(&official.id) && !is_off(config, &official.id)).filter(wanted).collect()
}

fn is_set_up(channel: &Value) -> bool {
    channel.as_object().is_some_and(|settings| !settings.is_empty()) && channel["enabled"] != false
}

fn searches_with(config: &Config, official: &OfficialPlugin) -> bool {
    let search = &config.effective["tools"]["web"]["search"];
    let provider = search["provider"].as_str().filter(|_| search["enabled"] != false);
    provider.is_some_and(|provider| official.web_search_providers.iter().any(|own| own == provider))
}

fn runs_acp(config: &Config) -> bool {
    let acp = &config.effective["acp"];
    let on = acp["enabled"] == true || acp["dispatch"]["enabled"] == true;
    match acp["backend"].as_str().map(str::trim).filter(|backend| !backend.is_empty()) {
        Some(backend) => backend.eq_ignore_ascii_case("acpx"),
        None => on,
    }
}
