//! Which tools a run may see: steps of allow and deny lists, each of which can only narrow (API-115..117, TOOL-01..TOOL-19).

pub mod catalogue;
mod sources;
mod subagent;

pub use sources::{PolicyInputs, Sender, problems};
pub use subagent::{Spawned, SubagentRole};

/// Group name of all plugin tools.
const PLUGINS_GROUP: &str = "group:plugins";

/// One step: an allow list, where there is one, and a deny list. Entries are tool names, plugin ids, groups and globs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyStep {
    /// The config path it comes from, for people.
    pub label: String,
    /// What may be used; empty means everything that is not optional (TOOL-09).
    pub allow: Vec<String>,
    /// What may not be used; it beats `allow`.
    pub deny: Vec<String>,
    /// What may be used on top; without an allow list it only names optional tools (TOOL-13).
    pub also: Vec<String>,
}

/// All steps in order (TOOL-11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolPolicy {
    /// The steps.
    pub steps: Vec<PolicyStep>,
}

/// Entries of one allow list that name nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEntries {
    /// The config path.
    pub label: String,
    /// Tools of the reference that are not on offer.
    pub unavailable: Vec<String>,
    /// Names that no loaded plugin owns either.
    pub unknown: Vec<String>,
    /// The list holds nothing else, so that no tool is left.
    pub leaves_nothing: bool,
}

impl ToolPolicy {
    /// A policy of one step.
    pub fn of(allow: Vec<String>, deny: Vec<String>) -> Self {
        Self { steps: vec![PolicyStep { label: "tools.allow".into(), allow, deny, also: Vec::new() }] }
    }

    /// True when a plugin's tool may be offered. Optional tools must be named somewhere (API-115, TOOL-18).
    pub fn permits_plugin_tool(&self, tool: &str, plugin_id: &str, optional: bool) -> bool {
        let tool = canonical(tool);
        let named = || self.steps.iter().any(|step| step.allows(&tool, Some(plugin_id)));
        self.steps.iter().all(|step| step.permits(&tool, Some(plugin_id))) && (!optional || named())
    }

    /// True when a tool of the host may be offered.
    pub fn permits_core_tool(&self, tool: &str) -> bool {
        let tool = canonical(tool);
        self.steps.iter().all(|step| step.permits(&tool, None))
    }

    /// The first list that keeps a tool away, for people who ask why it is missing (TOOL-F6).
    pub fn refused_by(&self, tool: &str, plugin_id: Option<&str>) -> Option<String> {
        let tool = canonical(tool);
        let step = self.steps.iter().find(|step| !step.permits(&tool, plugin_id))?;
        let base = step.label.strip_suffix(".allow").unwrap_or(&step.label);
        let list = if step.denies(&tool, plugin_id) { format!("{base}.deny") } else { step.label.clone() };
        Some(list)
    }

    /// Allow lists with entries that name no tool and no plugin of these (TOOL-14).
    pub fn unknown_entries(&self, tools: &[(&str, Option<&str>)]) -> Vec<UnknownEntries> {
        let mut out = Vec::new();
        for step in self.steps.iter().filter(|step| !step.allow.is_empty()) {
            let (mut unavailable, mut unknown, mut known) = (Vec::new(), Vec::new(), false);
            for entry in &step.allow {
                if is_everyones(entry) || tools.iter().any(|(tool, plugin)| entry_names(entry, &canonical(tool), *plugin)) {
                    known = true;
                } else if catalogue::ships(&canonical(entry)) {
                    unavailable.push(entry.clone());
                } else {
                    unknown.push(entry.clone());
                }
            }
            if !unknown.is_empty() || (!known && !unavailable.is_empty()) {
                out.push(UnknownEntries { label: step.label.clone(), unavailable, unknown, leaves_nothing: !known });
            }
        }
        out
    }
}

impl PolicyStep {
    /// True when this step lets the tool through: deny is asked first and wins (TOOL-09).
    pub fn permits(&self, tool: &str, plugin_id: Option<&str>) -> bool {
        let tool = canonical(tool);
        !self.denies(&tool, plugin_id) && (self.allow.is_empty() || self.allows(&tool, plugin_id))
    }

    fn denies(&self, tool: &str, plugin_id: Option<&str>) -> bool {
        self.deny.iter().any(|entry| entry_names(entry, tool, plugin_id))
    }

    fn allows(&self, tool: &str, plugin_id: Option<&str>) -> bool {
        // TOOL-10: whoever may write may patch.
        let by_write = tool == "apply_patch" && plugin_id.is_none() && self.allow.iter().any(|entry| entry_names(entry, "write", None));
        by_write || self.allow.iter().chain(&self.also).any(|entry| entry_names(entry, tool, plugin_id))
    }
}

/// Groups and marks that stand for something whatever is loaded.
fn is_everyones(entry: &str) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    entry == "*"
        || entry == "bundle-mcp"
        || entry == PLUGINS_GROUP
        || entry == "group:openclaw"
        || entry.strip_prefix("group:").is_some_and(|name| catalogue::section(name).is_some())
}

/// True when an entry stands for a tool, whose name is canonical.
fn entry_names(entry: &str, tool: &str, plugin_id: Option<&str>) -> bool {
    let entry = canonical(entry);
    if entry == "*" {
        return true;
    }
    if let Some(group) = entry.strip_prefix("group:") {
        return match group {
            "plugins" => plugin_id.is_some(),
            "openclaw" => plugin_id.is_none() && catalogue::is_openclaw(tool),
            name => catalogue::section(name).is_some_and(|tools| tools.contains(&tool)),
        };
    }
    glob(&entry, tool) || plugin_id.is_some_and(|id| entry == canonical(id))
}

/// Trimmed, lower-cased, and under its present name (TOOL-08).
fn canonical(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    match name.as_str() {
        "bash" => "exec".into(),
        "apply-patch" => "apply_patch".into(),
        _ => name,
    }
}

/// `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> ToolPolicy {
        let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
        ToolPolicy::of(own(allow), own(deny))
    }

    // API-115, API-116, API-117, TOOL-18
    #[test]
    fn optional_tools_must_be_named_and_deny_beats_allow() {
        let cases: &[(&[&str], &[&str], bool, bool)] = &[
            (&[], &[], false, true),
            (&[], &[], true, false),
            (&["*"], &[], true, true),
            (&["the_tool"], &[], true, true),
            (&["the-plugin"], &[], true, true),
            (&["group:plugins"], &[], true, true),
            (&["other"], &[], false, false),
            (&["*"], &["the_*"], false, false),
            (&["*"], &["the-plugin"], false, false),
            (&["the_tool"], &["group:plugins"], true, false),
        ];
        for (allow, deny, optional, want) in cases {
            assert_eq!(
                policy(allow, deny).permits_plugin_tool("the_tool", "the-plugin", *optional),
                *want,
                "{allow:?} {deny:?} {optional}"
            );
        }
    }

    /// Allow, deny, what is left, and whether something is told.
    type Case = (&'static [&'static str], &'static [&'static str], &'static [&'static str], bool);

    const TOOLS: &[(&str, Option<&str>)] = &[
        ("read", None),
        ("write", None),
        ("apply_patch", None),
        ("exec", None),
        ("message", None),
        ("lobster", Some("lobster")),
        ("wiki_get", Some("memory-wiki")),
    ];

    fn left(policy: &ToolPolicy) -> Vec<&'static str> {
        let permitted = |(tool, plugin): &&(&'static str, Option<&str>)| match plugin {
            Some(plugin) => policy.permits_plugin_tool(tool, plugin, false),
            None => policy.permits_core_tool(tool),
        };
        TOOLS.iter().filter(permitted).map(|(tool, _)| *tool).collect()
    }

    // TOOL-02, TOOL-03, TOOL-08, TOOL-09, TOOL-10, TOOL-14, TOOL-97
    #[test]
    fn one_step_over_seven_tools() {
        let cases: &[Case] = &[
            (&["lobster"], &[], &["lobster"], false),
            (&["nope"], &[], &[], true),
            (&["group:plugins"], &[], &["lobster", "wiki_get"], false),
            (&["memory-wiki", "read"], &[], &["read", "wiki_get"], false),
            (&["write"], &[], &["write", "apply_patch"], false),
            (&[], &["write"], &["read", "apply_patch", "exec", "message", "lobster", "wiki_get"], false),
            (&[], &[], &["read", "write", "apply_patch", "exec", "message", "lobster", "wiki_get"], false),
            (&[], &["w*"], &["read", "apply_patch", "exec", "message", "lobster"], false),
            (&["*"], &["group:fs"], &["exec", "message", "lobster", "wiki_get"], false),
            (&["group:openclaw"], &[], &["message"], false),
            (&["bash"], &[], &["exec"], false),
            (&[" Apply-Patch "], &[], &["apply_patch"], false),
            (&["pdf"], &[], &[], true),
        ];
        for (allow, deny, want, warned) in cases {
            let policy = policy(allow, deny);
            assert_eq!(left(&policy), *want, "{allow:?} {deny:?}");
            let unknown = policy.unknown_entries(TOOLS);
            assert_eq!(!unknown.is_empty(), *warned, "{allow:?} {deny:?} {unknown:?}");
            assert_eq!(unknown.iter().any(|u| u.leaves_nothing), *warned, "{unknown:?}");
        }
    }

    #[test]
    fn a_missing_tool_says_which_list_took_it() {
        let mut policy = policy(&["read", "nope", "pdf"], &[]);
        policy.steps.push(PolicyStep { label: "agents.list[main].tools".into(), deny: vec!["read".into()], ..PolicyStep::default() });
        assert_eq!(policy.refused_by("read", None).as_deref(), Some("agents.list[main].tools.deny"));
        assert_eq!(policy.refused_by("exec", None).as_deref(), Some("tools.allow"));
        let unknown = policy.unknown_entries(TOOLS);
        assert_eq!((unknown[0].unknown.as_slice(), unknown[0].unavailable.as_slice()), (&["nope".into()][..], &["pdf".into()][..]));
        assert!(!unknown[0].leaves_nothing);
    }

    // TOOL-01, TOOL-04, TOOL-05, TOOL-06, TOOL-07
    #[test]
    fn profiles_permit_what_they_list() {
        let permits = |profile: &str, tool: &str| {
            let policy = catalogue::profile(profile).map_or_else(ToolPolicy::default, |allow| ToolPolicy::of(allow, Vec::new()));
            policy.permits_core_tool(tool)
        };
        let all: Vec<&str> = catalogue::SECTIONS.iter().flat_map(|(_, tools)| tools.iter().copied()).collect();
        let of = |profile: &str| -> Vec<&str> { all.iter().copied().filter(|tool| permits(profile, tool)).collect() };
        assert_eq!(of("minimal"), ["session_status"]);
        assert_eq!(of("messaging"), ["sessions_list", "sessions_history", "sessions_send", "session_status", "message"]);
        let out = ["browser", "canvas", "message", "heartbeat_respond", "gateway", "nodes", "agents_list", "tts"];
        let coding: Vec<&str> = all.iter().copied().filter(|tool| !out.contains(tool)).collect();
        assert_eq!(of("coding"), coding);
        // TOOL-F2: documented otherwise; `tools.effective` says which list leaves `pdf` out.
        assert!(!permits("coding", "pdf"));
        assert_eq!(of("full"), all);
        assert_eq!(of("something"), all);
        assert!(!catalogue::is_profile("something"));
    }

    #[test]
    fn globs_match_whole_names() {
        for (pattern, text, want) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b", "abc", false),
            ("abc", "abc", true),
            ("ab", "abc", false),
            ("*", "x", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
