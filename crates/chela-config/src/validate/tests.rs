use serde_json::json;

use super::*;

fn issues(config: Value) -> Vec<(String, String)> {
    validate(&config).into_iter().map(|i| (i.path, i.message)).collect()
}

// GW-127, MAN-070, MAN-232
#[test]
fn faults_name_path_and_reason() {
    let cases: &[(Value, &str, &str)] = &[
        (json!({"gatewey": {}}), "", "Unrecognized key: \"gatewey\""),
        (json!({"gateway": {"prot": 1}}), "gateway", "Unrecognized key: \"prot\""),
        (json!({"plugins": {"entries": {"x": {"sekret": 1}}}}), "plugins.entries.x", "Unrecognized key: \"sekret\""),
        (json!({"plugins": {"entires": {}}}), "plugins", "Unrecognized key: \"entires\""),
        (json!({"gateway": {"port": "18789"}}), "gateway.port", "expected integer, got string"),
        (json!({"gateway": {"port": 1.5}}), "gateway.port", "expected integer, got number"),
        (json!({"gateway": {"port": 0}}), "gateway.port", "must be greater than 0, got 0"),
        (json!({"gateway": {"mode": "cloud"}}), "gateway.mode", "expected one of \"local\", \"remote\", got \"cloud\""),
        (json!([]), "", "expected object, got array"),
        (json!({"agents": {"list": [{"id": "a"}, {}]}}), "agents.list.1.id", "is required"),
        (json!({"agents": {"defaults": {"model": 5}}}), "agents.defaults.model", "expected string or object, got number"),
        (json!({"agents": {"defaults": {"model": {"primry": "x"}}}}), "agents.defaults.model", "Unrecognized key: \"primry\""),
        (json!({"secrets": {"providers": {"v": {"source": "file"}}}}), "secrets.providers.v.path", "is required"),
        (
            json!({"secrets": {"providers": {"v": {"source": "vault"}}}}),
            "secrets.providers.v.source",
            "expected one of \"env\", \"file\", \"exec\", got \"vault\"",
        ),
        (json!({"models": {"providers": {"p": {"models": []}}}}), "models.providers.p.baseUrl", "is required"),
        (
            json!({"models": {"providers": {"p": {"baseUrl": "u", "models": [], "apiKey": {"source": "env", "provider": "default", "id": "lower"}}}}}),
            "models.providers.p.apiKey.id",
            "expected an upper-case variable name such as `OPENAI_API_KEY`",
        ),
        (
            json!({"plugins": {"entries": {"x": {"runtime": {"memoryMb": 1}}}}}),
            "plugins.entries.x.runtime.memoryMb",
            "must be at least 64, got 1",
        ),
        (json!({"cron": {"sessionRetention": "soon"}}), "cron.sessionRetention", "expected a duration such as `30s`, `5m` or `1h30m`"),
        (
            json!({"session": {"maintenance": {"resetArchiveRetention": -1}}}),
            "session.maintenance.resetArchiveRetention",
            "must be at least 0, got -1",
        ),
        (json!({"cron": {"retry": {"backoffMs": []}}}), "cron.retry.backoffMs", "needs at least 1 entries, has 0"),
        (json!({"talk": {"silenceTimeoutMs": null}}), "talk.silenceTimeoutMs", "expected integer, got null"),
        (json!({"ui": {"seamColor": "red"}}), "ui.seamColor", "expected a colour as `RRGGBB`"),
        (
            json!({"browser": {"profiles": {"Bad": {"cdpPort": 1, "color": "ffffff"}}}}),
            "browser.profiles.Bad",
            "expected lower-case letters, digits and `-`",
        ),
        (json!({"bindings": [{"agentId": "a", "match": {}}]}), "bindings.0.match.channel", "is required"),
    ];
    for (config, path, message) in cases {
        assert_eq!(issues(config.clone()), [((*path).to_owned(), (*message).to_owned())], "{config}");
    }
}

// GW-127
#[test]
fn rules_across_values() {
    let cases: &[(Value, &str)] = &[
        (json!({"tools": {"allow": ["a"], "alsoAllow": ["b"]}}), "tools"),
        (
            json!({"agents": {"list": [{"id": "a", "tools": {"byProvider": {"p": {"allow": ["a"], "alsoAllow": ["b"]}}}}]}}),
            "agents.list.0.tools.byProvider.p",
        ),
        (json!({"tools": {"loopDetection": {"warningThreshold": 9, "criticalThreshold": 9}}}), "tools.loopDetection.criticalThreshold"),
        (json!({"gateway": {"channelStaleEventThresholdMinutes": 1}}), "gateway.channelStaleEventThresholdMinutes"),
        (json!({"gateway": {"bind": "lan", "tailscale": {"mode": "serve"}}}), "gateway.bind"),
        (json!({"agents": {"list": [{"id": "a"}]}, "broadcast": {"peer": ["b"]}}), "broadcast.peer.0"),
        (json!({"bindings": [{"type": "acp", "agentId": "a", "match": {"channel": "x"}}]}), "bindings.0.match.peer"),
        (json!({"browser": {"profiles": {"p": {"color": "ffffff"}}}}), "browser.profiles.p"),
        (json!({"talk": {"providers": {"a": {}, "b": {}}}}), "talk.provider"),
        (json!({"channels": {"discord": {"bindings": {"acp": {}}}}}), "channels.discord.bindings.acp"),
        (json!({"agents": {"defaults": {"sandbox": {"docker": {"network": "host"}}}}}), "agents.defaults.sandbox.docker.network"),
        (json!({"agents": {"defaults": {"sandbox": {"docker": {"binds": ["rel:/x"]}}}}}), "agents.defaults.sandbox.docker.binds.0"),
        (json!({"agents": {"list": [{"id": "a", "agentDir": "/d"}, {"id": "b", "agentDir": "/d/"}]}}), "agents.list.1.agentDir"),
        (json!({"agents": {"list": [{"id": "a", "identity": {"avatar": "../x.png"}}]}}), "agents.list.0.identity.avatar"),
        (json!({"audio": {"transcription": {"command": ["sh;x"]}}}), "audio.transcription.command.0"),
    ];
    for (config, path) in cases {
        let found = issues(config.clone());
        assert_eq!(found.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>(), [*path], "{config}: {found:?}");
    }
}

// GW-127
#[test]
fn near_misses_get_a_hint_and_choices_are_listed() {
    let hint = |config: Value| validate(&config)[0].hint.clone();
    assert_eq!(hint(json!({"gateway": {"prot": 1}})).unwrap(), "did you mean `port`?");
    assert_eq!(hint(json!({"gateway": {"token": "x"}})).unwrap(), "did you mean `gateway.auth.token`?");
    assert_eq!(hint(json!({"zzzzzz": 1})), None);
    let issue = validate(&json!({"logging": {"level": "loud"}})).remove(0);
    assert_eq!(issue.allowed_values.unwrap().len(), 7);
    assert_eq!(issue.allowed_values_hidden_count, None);
    let many = validate(&json!({"plugins": {"a": 1, "b": 2}}));
    assert_eq!(many.len(), 2, "every fault is reported");
}

// GW-127, MAN-070
#[test]
fn valid_configurations_pass() {
    let cases = [
        json!({}),
        json!({"$schema": "https://example.com/x.json", "commands": {"modelsWrite": true}, "plugins": {"installs": {"x": {}}}}),
        json!({"plugins": {"entries": {"x": {"enabled": true, "apiKey": "k", "env": {"A": "b"}, "hooks": {"timeoutMs": 5}, "subagent": {}, "llm": {}, "config": {"any": [1]},
            "runtime": {"group": "g", "memoryMb": 256}, "permissions": {"network": ["a.example:443"], "env": ["A_*"]}}}, "compat": {"strict": true}}}),
        json!({"channels": {"telegram": {"botToken": "x", "whatever": {"deep": 1}}, "defaults": {"groupPolicy": "open"}}}),
        json!({"env": {"FOO": "bar", "vars": {"A": "b"}, "shellEnv": {"enabled": true, "timeoutMs": 0}}}),
        json!({"meta": {"lastTouchedAt": 1700000000000i64}, "gateway": {"port": 18789.0}}),
        json!({"models": {"providers": {"p": {"baseUrl": "https://x", "apiKey": {"source": "exec", "provider": "v", "id": "a/b"}, "models": [{"id": "m", "name": "M", "cost": {"tieredPricing": [{"input": 1, "output": 1, "cacheRead": 0, "cacheWrite": 0, "range": [0]}]}}]}}}}),
        json!({"hooks": {"internal": {"entries": {"h": {"enabled": true, "extra": 1}}}, "mappings": [{"match": {"path": "x", "future": 1}}]}}),
        json!({"bindings": [{"agentId": "a", "match": {"channel": "c"}}, {"type": "acp", "agentId": "a", "match": {"channel": "c", "peer": {"kind": "dm", "id": "1"}}}]}),
        json!({"tools": {"toolSearch": true, "elevated": {"allowFrom": {"discord": [1, "2"]}}}}),
        json!({"messages": {"tts": {"providers": {"p": {"voice": null, "list": [1], "map": {"a": 1}}}}, "visibleReplies": true}}),
        json!({"mcp": {"servers": {"s": {"command": "x", "env": {"A": 1}, "future": []}}}}),
    ];
    for config in cases {
        assert_eq!(validate(&config), [], "{config}");
    }
}

// GW-127: our reading of the schema agrees with a complete implementation
#[test]
fn agrees_with_a_general_validator() {
    let validator = jsonschema::validator_for(config_schema()).unwrap();
    let samples = [
        json!({"gateway": {"auth": {"mode": "token", "token": {"source": "file", "provider": "f", "id": "/a"}}}}),
        json!({"gateway": {"auth": {"token": {"source": "file"}}}}),
        json!({"agents": {"defaults": {"compaction": {"maxHistoryShare": 0.95}}}}),
        json!({"agents": {"defaults": {"subagents": {"maxSpawnDepth": 5}}}}),
        json!({"session": {"maintenance": {"resetArchiveRetention": false, "pruneAfter": 30}}}),
        json!({"session": {"maintenance": {"pruneAfter": true}}}),
        json!({"logging": {"level": "info", "redactPatterns": ["a"]}}),
        json!({"accessGroups": {"g": {"type": "message.senders", "members": {"x": ["1"]}}}}),
        json!({"accessGroups": {"g": {"type": "nope"}}}),
        json!({"accessGroups": {"": {"type": "message.senders", "members": {}}}}),
        json!({"crestodian": {"rescue": {"enabled": "auto"}}}),
        json!({"crestodian": {"rescue": {"enabled": "maybe"}}}),
    ];
    for sample in samples {
        assert_eq!(validate(&sample).is_empty(), validator.is_valid(&sample), "{sample}");
    }
}
