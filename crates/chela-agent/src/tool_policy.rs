//! Which tools a run may see: allow and deny lists (API-115..117).

/// Allow and deny lists of tools; entries are tool names, plugin ids, `group:plugins`, `*`, and globs in the deny list.
#[derive(Clone, Debug, Default)]
pub struct ToolPolicy {
    /// What may be used; empty means everything that is not optional.
    pub allow: Vec<String>,
    /// What may not be used; it beats `allow`.
    pub deny: Vec<String>,
}

/// Group name of all plugin tools.
const PLUGINS_GROUP: &str = "group:plugins";

impl ToolPolicy {
    /// True when a plugin's tool may be offered. Optional tools must be named (API-115).
    pub fn permits_plugin_tool(&self, tool: &str, plugin_id: &str, optional: bool) -> bool {
        let denied = self.deny.iter().any(|d| glob(d, tool) || same(d, plugin_id) || same(d, PLUGINS_GROUP));
        if denied {
            return false;
        }
        let named = self.allow.iter().any(|a| a == "*" || same(a, tool) || same(a, plugin_id) || same(a, PLUGINS_GROUP));
        if optional { named } else { self.allow.is_empty() || named }
    }

    /// True when a tool of the host may be offered.
    pub fn permits_core_tool(&self, tool: &str) -> bool {
        !self.deny.iter().any(|d| glob(d, tool)) && (self.allow.is_empty() || self.allow.iter().any(|a| a == "*" || same(a, tool)))
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b)
}

/// `*` stands for any run of characters; comparison ignores case.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.trim().to_ascii_lowercase(), text.to_ascii_lowercase());
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
        ToolPolicy { allow: own(allow), deny: own(deny) }
    }

    // API-115, API-116, API-117
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
