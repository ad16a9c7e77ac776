//! Who may reach which tools: open channels, elevated rights, commands without approval.

use chela_config::Config;
use chela_host::{SecurityFinding, Severity};
use serde_json::{Map, Value};

/// Longest list of people with elevated rights that is not told of.
const MANY: usize = 25;

/// All findings.
pub(super) fn findings(config: &Config) -> Vec<SecurityFinding> {
    let whole = &config.effective;
    let mut out = vec![summary(whole)];
    if whole.pointer("/logging/redactSensitive").and_then(Value::as_str) == Some("off") {
        let detail = "`logging.redactSensitive` is `off`: secrets may reach logs and status output";
        let finding = SecurityFinding::new("logging.redact_off", Severity::Warn, "Logs are not redacted", detail);
        out.push(finding.remedy("set it to `tools`"));
    }
    elevated(whole, &mut out);
    commands(whole, &mut out);
    profiles(whole, &mut out);
    out
}

fn agents(config: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let list = config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|agent| Some((agent["id"].as_str()?, agent)))
}

/// Config paths that let anybody write.
fn open_paths(config: &Value) -> Vec<String> {
    fn visit(value: &Value, scope: &str, out: &mut Vec<String>) {
        let Some(members) = value.as_object() else { return };
        for name in ["groupPolicy", "dmPolicy"] {
            if members.get(name).and_then(Value::as_str) == Some("open") {
                out.push(format!("{scope}.{name}"));
            }
        }
        for (key, nested) in members {
            visit(nested, &format!("{scope}.{key}"), out);
        }
    }
    let mut out = Vec::new();
    if let Some(channels) = config.get("channels") {
        visit(channels, "channels", &mut out);
    }
    out.sort();
    out
}

fn summary(config: &Value) -> SecurityFinding {
    let open = open_paths(config).len();
    let on = |pointer: &str, default: bool| if config.pointer(pointer).and_then(Value::as_bool).unwrap_or(default) { "on" } else { "off" };
    let plugins = config.pointer("/plugins/entries").and_then(Value::as_object).map_or(0, Map::len);
    let detail = format!(
        "places where anybody may write: {open}\nelevated tools: {}\ninternal hooks: {}\nplugins with an entry: {plugins}",
        on("/tools/elevated/enabled", true),
        on("/hooks/internal/enabled", true),
    );
    SecurityFinding::new("summary.attack_surface", Severity::Info, "What can be reached", detail)
}

fn elevated(config: &Value, out: &mut Vec<SecurityFinding>) {
    let own = config.pointer("/tools/elevated").unwrap_or(&Value::Null);
    if own["enabled"] == false {
        return;
    }
    for (channel, list) in own["allowFrom"].as_object().into_iter().flatten() {
        let people: Vec<&Value> = list.as_array().into_iter().flatten().collect();
        let id = |what: &str| format!("tools.elevated.allowFrom.{channel}.{what}");
        if people.iter().any(|who| who.as_str().map(str::trim) == Some("*")) {
            let detail = format!("`tools.elevated.allowFrom.{channel}` holds `*`: everybody on that channel has elevated rights");
            out.push(SecurityFinding::new(id("wildcard"), Severity::Critical, "Everybody is elevated", detail));
        } else if people.len() > MANY {
            let detail = format!("`tools.elevated.allowFrom.{channel}` names {}", people.len());
            out.push(SecurityFinding::new(id("large"), Severity::Warn, "Many are elevated", detail));
        }
    }
    let open = open_paths(config);
    let anybody = own["allowFrom"].as_object().is_some_and(|lists| !lists.is_empty());
    if anybody && open.iter().any(|path| path.ends_with(".groupPolicy")) {
        let detail = format!("anybody may write at:\n{}", listed(&open));
        let finding = SecurityFinding::new(
            "security.exposure.open_groups_with_elevated",
            Severity::Critical,
            "Open groups and elevated tools",
            detail,
        );
        out.push(finding.remedy("set `groupPolicy` to `allowlist`, or switch `tools.elevated` off"));
    }
}

fn listed(rows: &[String]) -> String {
    rows.iter().map(|row| format!("- {row}")).collect::<Vec<_>>().join("\n")
}

/// `tools.exec.security` of the default agent and of each agent.
fn commands(config: &Value, out: &mut Vec<SecurityFinding>) {
    let global = config.pointer("/tools/exec/security").and_then(Value::as_str);
    let mut scopes: Vec<(String, Option<&str>)> = vec![("every agent".into(), global)];
    for (id, agent) in agents(config) {
        scopes.push((id.into(), agent.pointer("/tools/exec/security").and_then(Value::as_str).or(global)));
    }
    let of = |wanted: &dyn Fn(Option<&str>) -> bool| -> Vec<String> {
        let rows = scopes.iter().filter(|(_, security)| wanted(*security));
        rows.map(|(id, security)| format!("{id}: {}", security.unwrap_or("full, as nothing is set"))).collect()
    };
    // What is not set is `full`, too: it is told of where strangers can get at it.
    let (full, able, open) = (of(&|s| s == Some("full")), of(&|s| s != Some("deny")), open_paths(config));
    if !full.is_empty() {
        let severity = if open.is_empty() { Severity::Warn } else { Severity::Critical };
        let detail = format!("every command runs without asking for:\n{}", listed(&full));
        let finding = SecurityFinding::new("tools.exec.security_full_configured", severity, "Commands run without approval", detail);
        out.push(finding.remedy("use `allowlist` with `ask`"));
    }
    if !open.is_empty() && !able.is_empty() {
        let severity = if full.is_empty() { Severity::Warn } else { Severity::Critical };
        let detail = format!("anybody may write at:\n{}\nagents with commands:\n{}", listed(&open), listed(&able));
        let finding =
            SecurityFinding::new("security.exposure.open_channels_with_exec", severity, "Strangers reach agents that run commands", detail);
        out.push(finding.remedy("set `dmPolicy` and `groupPolicy` to `pairing` or `allowlist`"));
    }
}

fn profiles(config: &Value, out: &mut Vec<SecurityFinding>) {
    if config.pointer("/tools/profile").and_then(Value::as_str) != Some("minimal") {
        return;
    }
    let other = agents(config).filter_map(|(id, agent)| Some((id, agent.pointer("/tools/profile")?.as_str()?)));
    let rows: Vec<String> =
        other.filter(|(_, profile)| *profile != "minimal").map(|(id, profile)| format!("agents.list.{id}={profile}")).collect();
    if !rows.is_empty() {
        let detail = format!("`tools.profile` is `minimal`, and these agents have their own:\n{}", listed(&rows));
        out.push(SecurityFinding::new("tools.profile_minimal_overridden", Severity::Warn, "Agents with more tools than the rest", detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn open_places_are_found_at_any_depth() {
        let config = json!({"channels": {
            "a": {"groupPolicy": "open", "accounts": {"x": {"dmPolicy": "open"}, "y": {"dmPolicy": "pairing"}}}, "b": {"dmPolicy": "allowlist"},
        }});
        assert_eq!(open_paths(&config), ["channels.a.accounts.x.dmPolicy", "channels.a.groupPolicy"]);
    }

    #[test]
    fn commands_weigh_more_where_strangers_write() {
        let ids = |config: Value| {
            let mut out = Vec::new();
            commands(&config, &mut out);
            elevated(&config, &mut out);
            out.into_iter().map(|f| (f.check_id, f.severity)).collect::<Vec<_>>()
        };
        let full = json!({"tools": {"exec": {"security": "full"}}});
        assert_eq!(ids(full), [("tools.exec.security_full_configured".to_owned(), Severity::Warn)]);
        let unset = json!({"channels": {"c": {"dmPolicy": "open"}}});
        assert_eq!(ids(unset), [("security.exposure.open_channels_with_exec".to_owned(), Severity::Warn)]);
        let open = json!({
            "tools": {"exec": {"security": "allowlist"}, "elevated": {"allowFrom": {"c": ["*"]}}}, "channels": {"c": {"groupPolicy": "open"}},
        });
        let expected = [
            ("security.exposure.open_channels_with_exec", Severity::Warn),
            ("tools.elevated.allowFrom.c.wildcard", Severity::Critical),
            ("security.exposure.open_groups_with_elevated", Severity::Critical),
        ];
        assert_eq!(ids(open), expected.map(|(id, severity)| (id.to_owned(), severity)));
        assert_eq!(ids(json!({})), []);
    }
}
