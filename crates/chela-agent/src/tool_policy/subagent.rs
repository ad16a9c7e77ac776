//! What sub-agents may not use (TOOL-19): tools of the whole system, and for those that start no others also the tools for that.

use serde_json::Value;

use super::{PolicyStep, canonical, sources::texts};

/// Never for sub-agents.
const NEVER: &[&str] = &["gateway", "agents_list", "session_status", "cron", "sessions_send"];
/// Not for those that have no sub-agents of their own.
const NOT_FOR_LEAVES: &[&str] = &["subagents", "sessions_list", "sessions_history", "sessions_spawn"];
/// Levels of sub-agents when the config says nothing, and at most.
const DEPTH: u64 = 1;
const MOST_DEPTH: u64 = 5;

/// What the row of a session says about where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spawned {
    /// `spawnDepth`.
    pub depth: Option<u64>,
    /// `subagentRole`.
    pub role: Option<String>,
}

/// What a sub-agent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubagentRole {
    /// May start others.
    Orchestrator,
    /// Does its work alone.
    Leaf,
}

impl SubagentRole {
    /// That of a session; `None` for one that is no sub-agent's. `most` is `agents.defaults.subagents.maxSpawnDepth`.
    pub fn of(session_key: &str, spawned: &Spawned, most: &Value) -> Option<Self> {
        let levels = session_key.to_ascii_lowercase().split(':').skip(2).filter(|part| *part == "subagent").count();
        if levels == 0 || !session_key.starts_with("agent:") {
            return None;
        }
        match spawned.role.as_deref().map(str::trim).map(str::to_ascii_lowercase).as_deref() {
            Some("orchestrator") => return Some(Self::Orchestrator),
            Some("leaf") => return Some(Self::Leaf),
            _ => {}
        }
        let depth = spawned.depth.unwrap_or(levels as u64).max(1);
        let most = most.as_u64().unwrap_or(DEPTH).clamp(DEPTH, MOST_DEPTH);
        Some(if depth < most { Self::Orchestrator } else { Self::Leaf })
    }

    /// The step; `tools` is `tools` of the config. A name that its lists allow is given back.
    pub(super) fn step(self, tools: &Value) -> PolicyStep {
        let own = &tools["subagents"]["tools"];
        let (mut allow, also) = (texts(&own["allow"]), texts(&own["alsoAllow"]));
        let named: Vec<String> = allow.iter().chain(&also).map(|name| canonical(name)).collect();
        let leaf = if self == Self::Leaf { NOT_FOR_LEAVES } else { &[] };
        let fixed = NEVER.iter().chain(leaf).filter(|tool| !named.iter().any(|name| name == *tool)).map(|tool| (*tool).to_owned());
        let deny = fixed.chain(texts(&own["deny"])).collect();
        if !allow.is_empty() {
            allow.extend(also);
        }
        PolicyStep { label: "tools.subagents.tools".into(), allow, deny, also: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_role_follows_the_row_then_the_depth() {
        let row = |depth: Option<u64>, role: Option<&str>| Spawned { depth, role: role.map(Into::into) };
        let (leaf, orchestrator) = (Some(SubagentRole::Leaf), Some(SubagentRole::Orchestrator));
        for (key, spawned, most, want) in [
            ("agent:main:main", row(Some(1), Some("leaf")), json!(3), None),
            ("agent:subagent:main", row(None, None), json!(null), None),
            ("agent:main:subagent:x", row(None, None), json!(null), leaf),
            ("agent:main:subagent:x", row(None, None), json!(2), orchestrator),
            ("agent:main:subagent:x:subagent:y", row(None, None), json!(2), leaf),
            ("agent:main:subagent:x", row(Some(2), None), json!(2), leaf),
            ("agent:main:subagent:x", row(Some(7), None), json!(99), leaf),
            ("agent:main:subagent:x", row(Some(1), Some("Leaf")), json!(4), leaf),
            ("agent:main:subagent:x", row(None, Some("orchestrator")), json!(null), orchestrator),
        ] {
            assert_eq!(SubagentRole::of(key, &spawned, &most), want, "{key} {spawned:?} {most}");
        }
    }

    // TOOL-19
    #[test]
    fn sub_agents_lose_what_belongs_to_the_whole_unless_the_config_gives_it_back() {
        let permits = |role: SubagentRole, lists: Value, tool: &str| role.step(&json!({"subagents": {"tools": lists}})).permits(tool, None);
        use SubagentRole::{Leaf, Orchestrator};
        for tool in NEVER {
            assert!(!permits(Leaf, json!({}), tool) && !permits(Orchestrator, json!({}), tool), "{tool}");
        }
        for tool in NOT_FOR_LEAVES {
            assert!(!permits(Leaf, json!({}), tool) && permits(Orchestrator, json!({}), tool), "{tool}");
        }
        for (lists, tool, want) in [
            (json!({}), "read", true),
            (json!({"alsoAllow": ["Cron"]}), "cron", true),
            (json!({"alsoAllow": ["cron"]}), "gateway", false),
            (json!({"alsoAllow": ["cron"]}), "read", true),
            (json!({"allow": ["sessions_list"]}), "sessions_list", true),
            (json!({"allow": ["sessions_list"]}), "read", false),
            (json!({"allow": ["read"], "alsoAllow": ["cron"]}), "cron", true),
            (json!({"deny": ["exec"]}), "exec", false),
            (json!({"deny": ["cron"], "alsoAllow": ["cron"]}), "cron", false),
        ] {
            assert_eq!(permits(Leaf, lists.clone(), tool), want, "{lists} {tool}");
        }
    }
}
