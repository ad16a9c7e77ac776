//! Rules that a schema cannot express because they look at more than one value.

use chela_manifest::permissions::Permissions;
use serde_json::{Map, Value};

use super::formats::is_safe_executable;
use crate::error::ConfigIssue;
use crate::paths::normalize_agent_id;

type Issues = Vec<ConfigIssue>;

/// Checks a configuration that already fits the schema.
pub(super) fn check(config: &Value) -> Issues {
    let mut out = Vec::new();
    gateway(config, &mut out);
    broadcast(config, &mut out);
    bindings(config, &mut out);
    browser(config, &mut out);
    talk(config, &mut out);
    legacy_channel_bindings(config, &mut out);
    scope(&config["tools"], "tools", &mut out);
    sandbox(&config["agents"]["defaults"]["sandbox"], "agents.defaults.sandbox", &mut out);
    agents(config, &mut out);
    permissions(config, &mut out);
    if let Some(program) = config["audio"]["transcription"]["command"].get(0).and_then(Value::as_str).filter(|p| !is_safe_executable(p)) {
        out.push(ConfigIssue::new("audio.transcription.command.0", format!("`{program}` is not a plain program name or path")));
    }
    out
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("").trim()
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A granted permission that cannot be read must not be dropped in silence: the plugin would run with less than its operator thinks.
fn permissions(config: &Value, out: &mut Issues) {
    for (id, entry) in members(&config["plugins"], "entries") {
        let Some(set) = entry.get("permissions").filter(|set| set.is_object()) else { continue };
        for problem in Permissions::read(set).1 {
            out.push(ConfigIssue::new(format!("plugins.entries.{id}.permissions.{}", problem.path), problem.message));
        }
    }
}

fn gateway(config: &Value, out: &mut Issues) {
    let gateway = &config["gateway"];
    let health = gateway["channelHealthCheckMinutes"].as_f64().unwrap_or(5.0);
    if let Some(stale) = gateway["channelStaleEventThresholdMinutes"].as_f64()
        && health != 0.0
        && stale < health
    {
        let message = format!("must not be less than channelHealthCheckMinutes ({health}), or stale channels are noticed late");
        out.push(ConfigIssue::new("gateway.channelStaleEventThresholdMinutes", message));
    }
    let tailscale = text(&gateway["tailscale"], "mode");
    if matches!(tailscale, "serve" | "funnel") {
        let custom_loopback = text(gateway, "bind") == "custom" && text(gateway, "customBindHost").starts_with("127.");
        if !matches!(text(gateway, "bind"), "" | "loopback") && !custom_loopback {
            let message = format!("must be `loopback` while gateway.tailscale.mode is `{tailscale}`");
            out.push(ConfigIssue::new("gateway.bind", message));
        }
    }
}

fn broadcast(config: &Value, out: &mut Issues) {
    let known: Vec<&str> = list(&config["agents"], "list").iter().map(|agent| text(agent, "id")).collect();
    if known.is_empty() {
        return;
    }
    for (peer, ids) in members(config, "broadcast") {
        for (index, id) in ids.as_array().into_iter().flatten().enumerate() {
            if id.as_str().is_some_and(|id| !known.contains(&id)) {
                out.push(ConfigIssue::new(format!("broadcast.{peer}.{index}"), format!("agent {id} is not in agents.list")));
            }
        }
    }
}

fn bindings(config: &Value, out: &mut Issues) {
    for (index, binding) in list(config, "bindings").iter().enumerate() {
        if text(binding, "type") == "acp" && text(&binding["match"]["peer"], "id").is_empty() {
            out.push(ConfigIssue::new(format!("bindings.{index}.match.peer"), "an `acp` binding needs match.peer.id"));
        }
    }
}

fn browser(config: &Value, out: &mut Issues) {
    for (name, profile) in members(&config["browser"], "profiles") {
        let path = format!("browser.profiles.{name}");
        let existing = text(profile, "driver") == "existing-session";
        if !existing && profile.get("cdpPort").is_none() && text(profile, "cdpUrl").is_empty() {
            out.push(ConfigIssue::new(path.clone(), "needs cdpPort or cdpUrl"));
        }
        if !existing && !text(profile, "userDataDir").is_empty() {
            out.push(ConfigIssue::new(path, "userDataDir needs driver `existing-session`"));
        }
    }
}

fn talk(config: &Value, out: &mut Issues) {
    for (value, path) in [(&config["talk"], "talk"), (&config["talk"]["realtime"], "talk.realtime")] {
        let provider = text(value, "provider").to_lowercase();
        let Some(providers) = value.get("providers").and_then(Value::as_object).filter(|p| !p.is_empty()) else {
            continue;
        };
        if provider.is_empty() && providers.len() > 1 {
            out.push(ConfigIssue::new(format!("{path}.provider"), format!("is required when {path}.providers has several entries")));
        } else if !provider.is_empty() && !providers.contains_key(&provider) {
            out.push(ConfigIssue::new(format!("{path}.provider"), format!("`{provider}` is not in {path}.providers")));
        }
    }
}

fn legacy_channel_bindings(config: &Value, out: &mut Issues) {
    fn visit(map: &Map<String, Value>, path: &str, out: &mut Issues) {
        if map.get("bindings").and_then(Value::as_object).and_then(|b| b.get("acp")).is_some_and(Value::is_object) {
            out.push(ConfigIssue::new(format!("{path}.bindings.acp"), "is no longer supported; use the top-level `bindings` list"));
        }
        for (key, value) in map {
            if let Some(inner) = value.as_object() {
                visit(inner, &format!("{path}.{key}"), out);
            }
        }
    }
    if let Some(channels) = config["channels"].as_object() {
        visit(channels, "channels", out);
    }
}

/// A `tools` block: of the gateway or of one agent.
fn scope(tools: &Value, path: &str, out: &mut Issues) {
    policy(tools, path, out);
    for table in ["byProvider", "toolsBySender"] {
        for (name, entry) in members(tools, table) {
            policy(entry, &format!("{path}.{table}.{name}"), out);
        }
    }
    for table in ["subagents", "sandbox"] {
        policy(&tools[table]["tools"], &format!("{path}.{table}.tools"), out);
    }
    let limits = &tools["loopDetection"];
    for (low, high) in [("warningThreshold", "criticalThreshold"), ("criticalThreshold", "globalCircuitBreakerThreshold")] {
        if let (Some(a), Some(b)) = (limits[low].as_f64(), limits[high].as_f64())
            && a >= b
        {
            out.push(ConfigIssue::new(format!("{path}.loopDetection.{high}"), format!("must be greater than {low} ({a})")));
        }
    }
}

fn policy(value: &Value, path: &str, out: &mut Issues) {
    if !list(value, "allow").is_empty() && !list(value, "alsoAllow").is_empty() {
        out.push(ConfigIssue::new(
            path,
            "allow and alsoAllow exclude each other; move alsoAllow into allow, or drop allow and use profile",
        ));
    }
}

fn agents(config: &Value, out: &mut Issues) {
    let mut dirs: Vec<(String, String)> = Vec::new();
    for (index, agent) in list(&config["agents"], "list").iter().enumerate() {
        let path = format!("agents.list.{index}");
        scope(&agent["tools"], &format!("{path}.tools"), out);
        sandbox(&agent["sandbox"], &format!("{path}.sandbox"), out);
        avatar(agent, &path, out);
        let dir = text(agent, "agentDir").trim_end_matches('/').to_owned();
        let id = normalize_agent_id(text(agent, "id"));
        match dirs.iter().find(|(known, other)| !dir.is_empty() && *known == dir && *other != id) {
            Some((_, other)) => out
                .push(ConfigIssue::new(format!("{path}.agentDir"), format!("is also used by agent `{other}`; every agent needs its own"))),
            None => dirs.push((dir, id)),
        }
    }
}

fn avatar(agent: &Value, path: &str, out: &mut Issues) {
    let avatar = text(&agent["identity"], "avatar");
    let scheme = avatar.split_once(':').map(|(scheme, _)| scheme.to_lowercase());
    let fine = match scheme.as_deref() {
        _ if avatar.is_empty() => true,
        Some("http" | "https" | "data") => true,
        Some(scheme) if scheme.len() > 1 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) => false,
        _ => !avatar.starts_with('~') && !avatar.split(['/', '\\']).any(|part| part == ".."),
    };
    if !fine {
        let message = "must be a path inside the agent's workspace, an http(s) URL or a data URI";
        out.push(ConfigIssue::new(format!("{path}.identity.avatar"), message));
    }
}

fn sandbox(sandbox: &Value, path: &str, out: &mut Issues) {
    let docker = &sandbox["docker"];
    let join_allowed = docker["dangerouslyAllowContainerNamespaceJoin"] == Value::Bool(true);
    for part in ["docker", "browser"] {
        let network = text(&sandbox[part], "network").to_lowercase();
        if network == "host" {
            out.push(ConfigIssue::new(format!("{path}.{part}.network"), "`host` gives up the sandbox; use `bridge` or `none`"));
        } else if network.starts_with("container:") && !join_allowed {
            let message = "joining another container's network needs docker.dangerouslyAllowContainerNamespaceJoin";
            out.push(ConfigIssue::new(format!("{path}.{part}.network"), message));
        }
    }
    for profile in ["seccompProfile", "apparmorProfile"] {
        if text(docker, profile).eq_ignore_ascii_case("unconfined") {
            out.push(ConfigIssue::new(
                format!("{path}.docker.{profile}"),
                "`unconfined` gives up the sandbox; name a profile or leave it out",
            ));
        }
    }
    for (index, bind) in list(docker, "binds").iter().enumerate() {
        let host = bind.as_str().unwrap_or("").trim();
        let drive = host.get(1..3).is_some_and(|t| matches!(t, ":\\" | ":/"));
        if !host.starts_with('/') && !drive {
            out.push(ConfigIssue::new(format!("{path}.docker.binds.{index}"), "must start with an absolute path on the host"));
        }
    }
}
