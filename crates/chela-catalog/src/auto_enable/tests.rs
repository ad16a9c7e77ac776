use serde_json::json;

use super::*;

// INS-062: what counts as a configured channel.
#[test]
fn configured_channels_have_settings_and_are_not_off() {
    let config = json!({"channels": {
        "irc": {"server": "s"}, "off": {"enabled": false, "server": "s"}, "bare": {"enabled": true},
        "defaults": {"x": 1}, "modelByChannel": {"irc": {}}, "odd": 3}});
    assert_eq!(configured_channels(&config), ["irc"]);
}

// INS-062: every place that names a model.
#[test]
fn model_refs_and_providers() {
    let config = json!({
        "auth": {"profiles": {"x": {"provider": "Acme"}}},
        "models": {"providers": {"local": {"agentRuntime": {"id": "Codex"}, "models": [{"agentRuntime": {"id": "pi"}}]}}},
        "agents": {
            "defaults": {"model": {"primary": "a/one", "fallbacks": ["b/two", 3]}, "models": {"c/three": {}},
                "compaction": {"memoryFlush": {"model": "d/four"}}},
            "list": [{"imageModel": "a/one"}, {"heartbeat": {"model": "bare"}}]},
    });
    assert_eq!(refs::model_refs(&config), ["a/one", "b/two", "d/four", "c/three", "bare"]);
    let providers: Vec<String> = refs::configured_providers(&config).into_iter().collect();
    assert_eq!(providers, ["a", "acme", "b", "c", "d", "local"]);
    assert_eq!(refs::harness_runtimes(&config).into_iter().collect::<Vec<_>>(), ["codex"]);
}
