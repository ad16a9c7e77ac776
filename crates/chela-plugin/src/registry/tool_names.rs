//! Which plugin tools make it into a tool list: names, conflicts, allow and deny lists (API-111..119).

use std::collections::HashSet;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Level};
use crate::register::entries::{Owner, ToolEntry};

/// The form in which tool names are compared: lower case, two old names replaced (HOOK-161).
pub fn normalised_tool_name(name: &str) -> String {
    match name.trim().to_lowercase().as_str() {
        "bash" => "exec".into(),
        "apply-patch" => "apply_patch".into(),
        other => other.into(),
    }
}

/// Names taken so far in one resolution of tools.
#[derive(Clone, Debug)]
pub struct ToolNames {
    taken: HashSet<String>,
    core: HashSet<String>,
    strict: bool,
}

impl ToolNames {
    /// A check that knows the host's own tools.
    pub fn new<'a>(core: impl Iterator<Item = &'a str>, strict: bool) -> Self {
        let core: HashSet<String> = core.map(normalised_tool_name).collect();
        Self { taken: core.clone(), core, strict }
    }

    /// Before an entry's factory runs: a plugin whose id is the name of a host tool contributes nothing (API-114). Its own tools
    /// do not count as such names here, unlike in the reference, where they lock their plugin out.
    ///
    /// # Errors
    /// The diagnostic to report.
    pub fn admit_plugin(&self, entry: &ToolEntry) -> Result<(), Diagnostic> {
        if self.core.contains(&normalised_tool_name(&entry.owner.id)) {
            return Err(problem(&entry.owner, format!("plugin id conflicts with core tool name ({})", entry.owner.id)));
        }
        Ok(())
    }

    /// A produced tool: well formed, declared, and of a free name; its name is taken then (API-111..113).
    ///
    /// # Errors
    /// The diagnostic to report; the tool is skipped.
    pub fn admit(&mut self, entry: &ToolEntry, tool: &Value) -> Result<(), Diagnostic> {
        let owner = &entry.owner;
        if let Some(reason) = malformed(tool) {
            return Err(problem(owner, format!("plugin tool is malformed ({}): {reason}", owner.id)));
        }
        let name = tool.get("name").and_then(Value::as_str).map_or("", str::trim);
        let undeclared = !entry.names.iter().chain(&entry.declared).any(|n| n == name);
        if undeclared && self.strict {
            return Err(problem(owner, format!("plugin tool is undeclared ({}): {name}", owner.id)));
        }
        if !self.taken.insert(normalised_tool_name(name)) {
            return Err(problem(owner, format!("plugin tool name conflict ({}): {name}", owner.id)));
        }
        Ok(())
    }
}

fn problem(owner: &Owner, message: String) -> Diagnostic {
    Diagnostic::plugin(Level::Error, &owner.id, Some(&owner.source), message)
}

/// API-112. A tool's `execute` has been checked where it was produced: as a callback, or by the worker's factory adapter.
fn malformed(tool: &Value) -> Option<String> {
    if !tool.is_object() {
        return Some("tool must be an object".into());
    }
    if let Some(reason) = tool.get("malformed").and_then(Value::as_str) {
        return Some(reason.into());
    }
    let name = tool.get("name").and_then(Value::as_str).map_or("", str::trim);
    if name.is_empty() {
        return Some("missing non-empty name".into());
    }
    if !tool.get("parameters").is_some_and(Value::is_object) {
        return Some(format!("{name} missing parameters object"));
    }
    None
}

/// The operator's allow and deny lists for tools (API-115..117).
#[derive(Clone, Debug, Default)]
pub struct ToolFilter {
    allow: Vec<String>,
    deny: Vec<String>,
}

impl ToolFilter {
    /// The marker in an allow list that lets every non-optional plugin tool through (API-116).
    pub const DEFAULT_PLUGIN_TOOLS: &'static str = "__openclaw_default_plugin_tools__";
    /// All tools of all plugins (API-115, API-117).
    pub const ALL_PLUGINS: &'static str = "group:plugins";

    /// Lists as configured.
    pub fn new(allow: &[String], deny: &[String]) -> Self {
        let clean = |list: &[String]| list.iter().map(|n| normalised_tool_name(n)).filter(|n| !n.is_empty()).collect();
        Self { allow: clean(allow), deny: clean(deny) }
    }

    /// True when the tool may appear: not denied, and allowed in the way its optionality asks for.
    pub fn allows(&self, plugin_id: &str, tool: &str, optional: bool) -> bool {
        let (plugin, tool) = (normalised_tool_name(plugin_id), normalised_tool_name(tool));
        let denied = |entry: &String| glob(entry, &tool) || glob(entry, &plugin) || entry == Self::ALL_PLUGINS;
        if self.deny.iter().any(denied) {
            return false;
        }
        let named = |entry: &String| *entry == "*" || *entry == tool || *entry == plugin || entry == Self::ALL_PLUGINS;
        if self.allow.iter().any(named) {
            return true;
        }
        !optional && (self.allow.is_empty() || self.allow.iter().any(|entry| entry == Self::DEFAULT_PLUGIN_TOOLS))
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut last: Option<&str> = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else {
                return false;
            };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-115, API-116, API-117
    #[test]
    fn allow_and_deny_lists() {
        let marker = ToolFilter::DEFAULT_PLUGIN_TOOLS;
        let cases: &[(&[&str], &[&str], bool, bool)] = &[
            (&[], &[], false, true),
            (&[], &[], true, false),
            (&["*"], &[], true, true),
            (&["Search"], &[], true, true),
            (&["plug"], &[], true, true),
            (&["group:plugins"], &[], true, true),
            (&["other"], &[], false, false),
            (&[marker], &[], false, true),
            (&[marker], &[], true, false),
            (&["search"], &["sea*"], false, false),
            (&["*"], &["plug"], false, false),
            (&["*"], &["group:plugins"], false, false),
            (&["*"], &["*ch"], false, false),
            (&["*"], &["s*x"], false, true),
        ];
        for (allow, deny, optional, expected) in cases {
            let texts = |list: &[&str]| list.iter().map(|s| (*s).to_string()).collect::<Vec<_>>();
            let filter = ToolFilter::new(&texts(allow), &texts(deny));
            assert_eq!(filter.allows("plug", "search", *optional), *expected, "{allow:?} {deny:?} {optional}");
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, expected) in
            [("a*b*c", "axxbyyc", true), ("a*b*c", "ac", false), ("*", "", true), ("ab", "abc", false), ("a*a", "a", false)]
        {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
