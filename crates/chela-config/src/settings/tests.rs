use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::env::Env;
use crate::load::{Config, load_text};
use crate::paths::StatePaths;

fn config_with(value: &Value, extra: &[(&str, &str)]) -> Config {
    let env: Env = [("HOME", "/h")].into_iter().chain(extra.iter().copied()).collect();
    let paths = StatePaths::from_env(&env).unwrap();
    load_text(&paths, &env, Some(&value.to_string()), &Default::default()).unwrap()
}

fn config(value: Value) -> Config {
    config_with(&value, &[])
}

#[test]
fn defaults_of_an_empty_configuration() {
    let c = config(json!({}));
    let g = c.gateway();
    assert_eq!((g.mode, g.bind, g.handshake_timeout_ms, g.control_ui.enabled), (None, BindMode::Loopback, 15_000, true));
    assert_eq!((g.reload.mode, g.reload.debounce_ms, g.reload.deferral_timeout_ms), (ReloadMode::Hybrid, 300, 300_000));
    assert!(!g.chat_completions.enabled && !g.responses.enabled);
    let p = c.plugins();
    assert!(p.enabled && p.allow.is_empty() && p.entries.is_empty() && !p.compat_strict);
    let a = c.agents();
    assert_eq!((a.default_id.as_str(), a.list.len(), a.max_concurrent, a.timeout_seconds), ("main", 1, 4, 172_800));
    assert_eq!(a.list[0].workspace, Path::new("/h/.openclaw/workspace"));
    assert_eq!(a.list[0].agent_dir, Path::new("/h/.openclaw/agents/main/agent"));
    let s = c.session();
    assert_eq!((s.scope, s.dm_scope, s.main_key.as_str()), (SessionScope::PerSender, DmScope::Main, "main"));
    assert_eq!((s.reset, s.prune_after_ms, s.max_entries), (ResetPolicy::default(), 2_592_000_000, 500));
    let l = c.logging();
    assert_eq!((l.level, l.console_level, l.redact_sensitive), (LogLevel::Info, LogLevel::Info, true));
    assert!(c.models().providers.is_empty() && !c.tools().fs_workspace_only);
}

// MAN-070
#[test]
fn plugins() {
    let p = config(json!({"plugins": {
        "enabled": false, "allow": ["a", " "], "deny": ["b"], "load": {"paths": ["~/p", "/q"]}, "slots": {"memory": "m"}, "compat": {"strict": true},
        "entries": {"x": {"enabled": true, "apiKey": "k", "env": {"A": "b"}, "hooks": {"timeoutMs": 5, "timeouts": {"agent_end": 7}},
            "llm": {"allowModelOverride": true, "allowedModels": []}, "config": {"z": 1}, "runtime": {"group": "g", "memoryMb": 128}, "permissions": {"network": "any"}}}
    }}))
    .plugins();
    assert_eq!((p.enabled, p.allow, p.deny, p.compat_strict), (false, vec!["a".to_owned()], vec!["b".to_owned()], true));
    assert_eq!(p.load_paths, [Path::new("/h/p"), Path::new("/q")]);
    assert_eq!(p.slots["memory"], "m");
    let x = &p.entries["x"];
    assert_eq!(
        (x.enabled, x.group.as_deref(), x.memory_mb, x.hooks.timeout_ms, x.hooks.timeouts["agent_end"]),
        (Some(true), Some("g"), Some(128), Some(5), 7)
    );
    assert_eq!((x.config.clone(), x.permissions.clone()), (Some(json!({"z": 1})), Some(json!({"network": "any"}))));
    assert_eq!((x.llm.allow_model_override, x.llm.allowed_models.clone()), (true, Some(vec![])));
    assert_eq!(x.api_key, Some(crate::SecretInput::Text(crate::Secret::new("k"))));
}

#[test]
fn agents() {
    let c = config(json!({"agents": {
        "defaults": {"model": {"primary": "p/m", "fallbacks": ["p/n"]}, "workspace": "~/ws", "timeoutSeconds": 60},
        "list": [{"id": "Ops", "tools": {"deny": ["exec"]}}, {"id": "home", "default": true, "model": "q/z", "workspace": "/own", "agentDir": "~/ad"}]
    }}));
    let a = c.agents();
    assert_eq!((a.default_id.as_str(), a.timeout_seconds), ("home", 60));
    let ops = a.get("OPS").unwrap();
    assert_eq!(
        (ops.workspace.as_path(), ops.model.primary.as_deref(), ops.tools.deny.clone()),
        (Path::new("/h/ws/ops"), Some("p/m"), vec!["exec".to_owned()])
    );
    let home = a.get("home").unwrap();
    assert_eq!(
        (home.workspace.as_path(), home.agent_dir.as_path(), home.model.primary.as_deref()),
        (Path::new("/own"), Path::new("/h/ad"), Some("q/z"))
    );
}

#[test]
fn models() {
    let m = config(json!({"models": {"mode": "replace", "providers": {"p": {
        "baseUrl": "http://x", "apiKey": "k", "api": "openai-completions", "timeoutSeconds": 9, "headers": {"h": "v"},
        "models": [{"id": "m", "name": "M", "reasoning": true, "contextWindow": 1000.0}]
    }}}}))
    .models();
    let p = &m.providers["p"];
    assert!(m.replace && p.headers.contains_key("h"));
    assert_eq!((p.base_url.as_str(), p.api.as_deref(), p.timeout_seconds), ("http://x", Some("openai-completions"), Some(9)));
    assert_eq!((p.models[0].reasoning, p.models[0].context_window, p.models[0].input.clone()), (true, Some(1000), vec!["text".to_owned()]));
}

// GW-153, GW-154
#[test]
fn sessions() {
    let s = config(json!({"session": {"idleMinutes": 10}})).session();
    assert_eq!(s.reset, ResetPolicy { mode: ResetMode::Idle, at_hour: 4, idle_minutes: Some(10) });
    let s = config(json!({"session": {"idleMinutes": 10, "reset": {"atHour": 6}, "resetByType": {"dm": {"idleMinutes": 5}, "direct": {"mode": "idle"}, "group": {}},
        "resetByChannel": {"x": {}}, "maintenance": {"mode": "enforce", "pruneAfter": "12h"}}}))
    .session();
    assert_eq!(s.reset, ResetPolicy { mode: ResetMode::Daily, at_hour: 6, idle_minutes: Some(10) });
    assert_eq!(s.reset_by_type["direct"], ResetPolicy { mode: ResetMode::Idle, at_hour: 6, idle_minutes: Some(10) });
    assert_eq!(s.reset_by_type["group"], s.reset);
    assert_eq!(s.reset_by_channel["x"], ResetPolicy::default());
    assert!(s.maintenance_enforce);
    assert_eq!(s.prune_after_ms, 43_200_000);
}

#[test]
fn the_environment_overrides_levels_and_timeouts() {
    let value = json!({"logging": {"level": "warn", "consoleLevel": "error", "file": "~/l"}, "gateway": {"handshakeTimeoutMs": 5}});
    let c = config_with(&value, &[("OPENCLAW_LOG_LEVEL", "trace"), ("OPENCLAW_HANDSHAKE_TIMEOUT_MS", "77")]);
    assert_eq!((c.logging().level, c.logging().console_level), (LogLevel::Trace, LogLevel::Trace));
    assert_eq!(c.gateway().handshake_timeout_ms, 77);
    // GW-22, GW-23
    assert_eq!((config(json!({})).gateway().handshake_timeout_ms, config(json!({})).gateway().max_preauth_per_ip), (15_000, None));
    for (given, expected) in [("7", Some(7)), ("0", None), ("-1", None), ("many", None)] {
        let c = config_with(&value, &[("OPENCLAW_MAX_PREAUTH_CONNECTIONS_PER_IP", given)]);
        assert_eq!(c.gateway().max_preauth_per_ip, expected, "{given}");
    }
    let c = config_with(&value, &[("OPENCLAW_LOG_LEVEL", "loud")]);
    assert_eq!((c.logging().level, c.logging().console_level, c.logging().file), (LogLevel::Warn, LogLevel::Error, Some("/h/l".into())));
}

#[test]
fn dotted_get() {
    let c = config(json!({"agents": {"list": [{"id": "a"}]}}));
    assert_eq!(c.get("agents.list[0].id"), Some(&json!("a")));
    assert_eq!(c.get("agents.list[1].id"), None);
    assert_eq!(c.get("["), None);
}
