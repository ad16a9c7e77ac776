//! The steps of a policy, read from the config (TOOL-11..TOOL-16).

use serde_json::Value;

use super::{PolicyStep, SubagentRole, ToolPolicy, catalogue};

/// Who writes, for lists by sender (TOOL-16).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Channel id.
    pub channel: Option<String>,
    /// Id on the platform.
    pub id: Option<String>,
    /// Phone number.
    pub e164: Option<String>,
    /// Account name.
    pub username: Option<String>,
    /// Display name.
    pub name: Option<String>,
}

/// What decides about the tools of a run.
#[derive(Clone, Copy, Debug)]
pub struct PolicyInputs<'a> {
    /// `tools` of the config.
    pub tools: &'a Value,
    /// `tools` of the agent's entry.
    pub agent_tools: &'a Value,
    /// The agent, for labels.
    pub agent_id: &'a str,
    /// Provider and model of the run.
    pub model: Option<(&'a str, &'a str)>,
    /// `tools` and `toolsBySender` of the group that the message came from.
    pub group: Option<&'a Value>,
    /// Who writes.
    pub sender: &'a Sender,
    /// The session is a sub-agent's.
    pub subagent: Option<SubagentRole>,
}

impl ToolPolicy {
    /// The steps, in the order of TOOL-11. Sandboxes are not built, so their step is not here.
    pub fn from_config(inputs: PolicyInputs<'_>) -> Self {
        let PolicyInputs { tools, agent_tools, agent_id, .. } = inputs;
        let agent = format!("agents.list[{agent_id}].tools");
        let mut steps = Vec::new();
        let (profile_of, profile_label) = if agent_tools["profile"].is_string() { (agent_tools, agent.as_str()) } else { (tools, "tools") };
        let extra: Vec<String> = texts(&tools["alsoAllow"]).into_iter().chain(texts(&agent_tools["alsoAllow"])).collect();
        steps.extend(profile(profile_of, &format!("{profile_label}.profile"), &extra));
        let general = by_provider(tools, inputs.model);
        let own = by_provider(agent_tools, inputs.model);
        for (found, label) in [(&own, agent.as_str()), (&general, "tools")] {
            if let Some((key, row)) = found.as_ref().filter(|(_, row)| row["profile"].is_string()) {
                steps.extend(profile(row, &format!("{label}.byProvider.{key}.profile"), &texts(&row["alsoAllow"])));
                // The agent's own stands for the general one.
                break;
            }
        }
        let has_profile = !steps.is_empty();
        let mut list = |row: &Value, label: String, extra: &[String]| steps.extend(lists(row, label, extra));
        // Beside a profile the additions have been counted there.
        let beside = |row: &Value| if has_profile { Vec::new() } else { texts(&row["alsoAllow"]) };
        list(tools, "tools".into(), &beside(tools));
        if let Some((key, row)) = general {
            list(row, format!("tools.byProvider.{key}"), &[]);
        }
        list(agent_tools, agent.clone(), &beside(agent_tools));
        if let Some((key, row)) = own {
            list(row, format!("{agent}.byProvider.{key}"), &[]);
        }
        if let Some(group) = inputs.group {
            let by = sender_row(&group["toolsBySender"], inputs.sender);
            list(by.unwrap_or(&group["tools"]), "channel group".into(), &[]);
        }
        // An agent's map stands for the general one, even an empty one.
        let (map, label) = match &agent_tools["toolsBySender"] {
            Value::Object(_) => (&agent_tools["toolsBySender"], format!("{agent}.toolsBySender")),
            _ => (&tools["toolsBySender"], "tools.toolsBySender".to_owned()),
        };
        if let Some(row) = sender_row(map, inputs.sender) {
            list(row, label, &[]);
        }
        steps.extend(inputs.subagent.map(|role| role.step(tools)));
        Self { steps }
    }
}

/// What is wrong with the `tools` section of a config or an agent, for people (TOOL-07, TOOL-13, TOOL-15).
pub fn problems(tools: &Value, label: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(name) = tools["profile"].as_str().filter(|name| !catalogue::is_profile(name)) {
        out.push(format!("`{label}.profile` is `{name}`, which no profile is; nothing is restricted (minimal, coding, messaging, full)"));
    }
    if tools["allow"].is_array() && tools["alsoAllow"].is_array() {
        out.push(format!("`{label}.allow` and `{label}.alsoAllow` exclude each other: add to `allow`, or use a profile"));
    }
    let only_write = ToolPolicy::of(Vec::new(), texts(&tools["deny"]));
    if !only_write.permits_core_tool("write") && only_write.permits_core_tool("apply_patch") {
        out.push(format!("`{label}.deny` denies `write` but not `apply_patch`, which writes files too; deny both, or `group:fs`"));
    }
    if tools["allow"].as_array().is_some_and(|allow| allow.iter().any(|entry| entry == "group:openclaw")) {
        let allow = ToolPolicy::of(texts(&tools["allow"]), Vec::new());
        let out_of_it: Vec<&str> = ["read", "exec"].into_iter().filter(|tool| !allow.permits_core_tool(tool)).collect();
        if !out_of_it.is_empty() {
            out.push(format!(
                "`{label}.allow`: `group:openclaw` leaves out the tools for files and commands; add `group:fs`, `group:runtime` for them"
            ));
        }
    }
    let restricted = tools["profile"].as_str().and_then(catalogue::profile);
    if let Some(allow) = restricted {
        let policy = ToolPolicy::of(allow.into_iter().chain(texts(&tools["alsoAllow"])).collect(), Vec::new());
        for (section, tool) in [("exec", "exec"), ("fs", "read")] {
            if tools[section].is_object() && !policy.permits_core_tool(tool) {
                out.push(format!("`{label}.{section}` is configured, but the profile leaves its tools out; name them in `alsoAllow`"));
            }
        }
    }
    out
}

fn profile(row: &Value, label: &str, extra: &[String]) -> Option<PolicyStep> {
    let mut allow = catalogue::profile(row["profile"].as_str()?)?;
    allow.extend(extra.iter().cloned());
    Some(PolicyStep { label: label.to_owned(), allow, ..PolicyStep::default() })
}

fn lists(row: &Value, label: String, extra: &[String]) -> Option<PolicyStep> {
    let (allow, deny, also) = (texts(&row["allow"]), texts(&row["deny"]), extra.to_vec());
    let says_something = !allow.is_empty() || !deny.is_empty() || !also.is_empty();
    says_something.then(|| PolicyStep { label: format!("{label}.allow"), allow, deny, also })
}

/// The rules for a provider; those for its model win (TOOL-12).
fn by_provider<'a>(tools: &'a Value, model: Option<(&str, &str)>) -> Option<(String, &'a Value)> {
    let (provider, model) = model?;
    let map = tools["byProvider"].as_object()?;
    let find = |wanted: String| {
        let (key, row) = map.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(&wanted))?;
        Some((key.clone(), row))
    };
    find(format!("{provider}/{model}")).or_else(|| find(provider.to_owned()))
}

/// The lists for a sender: typed keys in this order, then plain keys as ids, then `*`.
fn sender_row<'a>(map: &'a Value, sender: &Sender) -> Option<&'a Value> {
    let map = map.as_object()?;
    let facts =
        [("channel", &sender.channel), ("id", &sender.id), ("e164", &sender.e164), ("username", &sender.username), ("name", &sender.name)];
    for (kind, fact) in facts {
        let Some(fact) = fact else { continue };
        let same = |key: &str| {
            let key = key.trim();
            let typed = key.split_once(':').filter(|(prefix, _)| facts.iter().any(|(kind, _)| kind.eq_ignore_ascii_case(prefix)));
            match typed {
                Some((prefix, value)) => prefix.eq_ignore_ascii_case(kind) && plain(value, kind) == plain(fact, kind),
                None => kind == "id" && plain(key, kind) == plain(fact, kind),
            }
        };
        if let Some((_, row)) = map.iter().find(|(key, _)| same(key)) {
            return Some(row);
        }
    }
    map.get("*")
}

fn plain(value: &str, kind: &str) -> String {
    let value = value.trim().to_lowercase();
    if kind == "username" { value.trim_start_matches('@').to_owned() } else { value }
}

pub(super) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).filter(|t| !t.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn permits(tools: Value, agent: Value, tool: &str) -> bool {
        let sender = Sender { channel: Some("telegram".into()), id: Some("U5".into()), name: Some("Ann".into()), ..Sender::default() };
        let inputs = PolicyInputs {
            tools: &tools,
            agent_tools: &agent,
            agent_id: "main",
            model: Some(("openai", "gpt-x")),
            group: None,
            sender: &sender,
            subagent: None,
        };
        ToolPolicy::from_config(inputs).permits_core_tool(tool)
    }

    // TOOL-11, TOOL-12
    #[test]
    fn each_step_only_narrows() {
        let none = json!({});
        let cases = [
            (json!({}), none.clone(), "exec", true),
            (json!({"profile": "minimal"}), none.clone(), "exec", false),
            (json!({"profile": "minimal", "alsoAllow": ["exec"]}), none.clone(), "exec", true),
            (json!({"profile": "minimal"}), json!({"profile": "coding"}), "exec", true),
            (json!({"profile": "coding"}), json!({"alsoAllow": ["message"]}), "message", true),
            (json!({"deny": ["exec"]}), json!({"allow": ["exec"]}), "exec", false),
            (json!({"allow": ["exec"]}), json!({"allow": ["read"]}), "read", false),
            (json!({"allow": ["exec", "read"]}), json!({"allow": ["read"]}), "read", true),
            (json!({"byProvider": {"openai": {"deny": ["exec"]}}}), none.clone(), "exec", false),
            (json!({"byProvider": {"openai": {"deny": ["exec"]}, "openai/gpt-x": {"deny": ["read"]}}}), none.clone(), "exec", true),
            (json!({"byProvider": {"other": {"deny": ["exec"]}}}), none.clone(), "exec", true),
            (json!({"byProvider": {"openai": {"profile": "minimal"}}}), none.clone(), "exec", false),
            (none.clone(), json!({"byProvider": {"openai": {"allow": ["read"]}}}), "exec", false),
            (json!({"alsoAllow": ["x"]}), none.clone(), "exec", true),
        ];
        for (tools, agent, tool, want) in cases {
            assert_eq!(permits(tools.clone(), agent.clone(), tool), want, "{tools} {agent} {tool}");
        }
    }

    // TOOL-16, TOOL-F8
    #[test]
    fn lists_by_sender_are_tried_from_the_channel_to_everyone() {
        let deny = |key: &str| json!({"toolsBySender": {key: {"deny": ["exec"]}}});
        for (key, want) in [
            ("channel:telegram", false),
            ("id:u5", false),
            ("U5", false),
            ("name:ann", false),
            ("*", false),
            ("id:other", true),
            ("username:ann", true),
        ] {
            assert_eq!(permits(deny(key), json!({}), "exec"), want, "{key}");
        }
        let both = json!({"toolsBySender": {"*": {"deny": ["exec"]}, "id:U5": {"deny": ["read"]}}});
        assert!(permits(both, json!({}), "exec"), "the first that fits holds alone");
        assert!(permits(deny("*"), json!({"toolsBySender": {}}), "exec"), "an agent's map stands for the general one");
    }

    // TOOL-07, TOOL-13, TOOL-15, TOOL-F3, TOOL-F4
    #[test]
    fn what_is_wrong_is_told() {
        for (tools, part) in [
            (json!({"profile": "codings"}), "codings"),
            (json!({"allow": ["a"], "alsoAllow": ["b"]}), "exclude"),
            (json!({"profile": "messaging", "exec": {"ask": "always"}}), "tools.exec"),
            (json!({"deny": ["Write"]}), "apply_patch"),
            (json!({"allow": ["group:openclaw"]}), "group:fs"),
        ] {
            let found = problems(&tools, "tools");
            assert!(found.len() == 1 && found[0].contains(part), "{tools}: {found:?}");
        }
        for fine in [
            json!({"profile": "coding", "exec": {}}),
            json!({"deny": ["write", "apply_patch"]}),
            json!({"deny": ["group:fs"]}),
            json!({"allow": ["group:openclaw", "group:fs", "group:runtime"]}),
        ] {
            assert!(problems(&fine, "tools").is_empty(), "{fine}");
        }
    }
}
