//! What a bundle brings, as its manifest and its files say (BUN-025..BUN-045). Nothing of it is parsed here beyond the manifest, so
//! a capability may be announced that turns out to be empty (BUN-170).

use std::path::Path;

use serde_json::{Map, Value};

use super::BundleFormat;

/// The content of a bundle. Paths are relative to its root and need not exist (BUN-045).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BundleContent {
    /// Names of capabilities, in the order of the format (BUN-033, BUN-037, BUN-043).
    pub capabilities: Vec<&'static str>,
    /// Roots of skills.
    pub skills: Vec<String>,
    /// Directories of hooks, or files for Claude.
    pub hooks: Vec<String>,
    /// Files with default settings; Claude only (BUN-039, BUN-044).
    pub settings_files: Vec<String>,
    /// `mcpServers` of the manifest, as written.
    pub mcp_servers: Option<Value>,
    /// `lspServers` of the manifest, as written.
    pub lsp_servers: Option<Value>,
}

/// Reads the content of a bundle from the fields of its manifest and from what lies in its root.
pub(super) fn read(root: &Path, format: BundleFormat, fields: &Map<String, Value>) -> BundleContent {
    let layout = Layout { root, fields };
    let mut content = match format {
        BundleFormat::Codex => layout.codex(),
        BundleFormat::Cursor => layout.cursor(),
        BundleFormat::Claude => layout.claude(),
    };
    content.mcp_servers = fields.get("mcpServers").cloned();
    content.lsp_servers = fields.get("lspServers").filter(|_| format == BundleFormat::Claude).cloned();
    content
}

struct Layout<'a> {
    root: &'a Path,
    fields: &'a Map<String, Value>,
}

impl Layout<'_> {
    fn codex(&self) -> BundleContent {
        let (skills, hooks) = (self.instead("skills", "skills"), self.instead("hooks", "hooks"));
        BundleContent {
            capabilities: present([
                ("skills", !skills.is_empty()),
                ("hooks", !hooks.is_empty()),
                ("mcpServers", self.inline("mcpServers") || self.exists(".mcp.json")),
                ("apps", self.inline("apps") || self.exists(".app.json")),
            ]),
            skills,
            hooks,
            ..BundleContent::default()
        }
    }

    fn cursor(&self) -> BundleContent {
        let commands = self.beside("commands", ".cursor/commands");
        let skills = union([self.beside("skills", "skills"), commands.clone()]);
        let agents = if self.fields.get("subagents").is_some_and(|value| !value.is_null()) { "subagents" } else { "agents" };
        BundleContent {
            capabilities: present([
                ("skills", !skills.is_empty()),
                ("commands", !commands.is_empty()),
                ("agents", !self.beside(agents, ".cursor/agents").is_empty()),
                ("hooks", self.inline("hooks") || self.exists(".cursor/hooks.json")),
                ("rules", self.inline("rules") || self.exists(".cursor/rules")),
                ("mcpServers", self.inline("mcpServers") || self.exists(".mcp.json")),
            ]),
            skills,
            ..BundleContent::default()
        }
    }

    fn claude(&self) -> BundleContent {
        let (commands, agents) = (self.beside("commands", "commands"), self.beside("agents", "agents"));
        let styles = self.beside("outputStyles", "output-styles");
        let hooks = self.beside("hooks", "hooks/hooks.json");
        let skills = union([self.beside("skills", "skills"), commands.clone(), agents.clone(), styles.clone()]);
        let settings_files: Vec<String> = self.exists("settings.json").then(|| "settings.json".to_owned()).into_iter().collect();
        BundleContent {
            capabilities: present([
                ("skills", !skills.is_empty()),
                ("commands", !commands.is_empty()),
                ("agents", !agents.is_empty()),
                ("hooks", self.inline("hooks") || !hooks.is_empty()),
                ("mcpServers", self.inline("mcpServers") || self.exists(".mcp.json")),
                ("lspServers", self.inline("lspServers") || self.exists(".lsp.json")),
                ("outputStyles", self.inline("outputStyles") || !styles.is_empty()),
                ("settings", !settings_files.is_empty()),
            ]),
            skills,
            hooks,
            settings_files,
            ..BundleContent::default()
        }
    }

    /// The declared paths, else the default where it exists.
    fn instead(&self, key: &str, default: &str) -> Vec<String> {
        match paths(self.fields.get(key)) {
            declared if declared.is_empty() => self.default_path(default),
            declared => declared,
        }
    }

    /// The default where it exists, and the declared paths.
    fn beside(&self, key: &str, default: &str) -> Vec<String> {
        union([self.default_path(default), paths(self.fields.get(key))])
    }

    fn default_path(&self, path: &str) -> Vec<String> {
        self.exists(path).then(|| path.to_owned()).into_iter().collect()
    }

    fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// BUN-026.
    fn inline(&self, key: &str) -> bool {
        match self.fields.get(key) {
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(Value::Bool(on)) => *on,
            _ => false,
        }
    }
}

fn present<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(_, here)| *here).map(|(name, _)| name).collect()
}

/// A string or an array of strings; trimmed, blanks and repeats dropped (BUN-025).
pub(super) fn paths(value: Option<&Value>) -> Vec<String> {
    let items = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    union([items.iter().filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()])
}

fn union<const N: usize>(lists: [Vec<String>; N]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in lists.into_iter().flatten() {
        if !all.contains(&path) {
            all.push(path);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(format: BundleFormat, files: &[&str], fields: Value) -> BundleContent {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            if file.ends_with('/') {
                fs_err::create_dir_all(path).unwrap();
            } else {
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, "{}").unwrap();
            }
        }
        read(dir.path(), format, fields.as_object().unwrap())
    }

    // BUN-025, BUN-026
    #[test]
    fn paths_and_inline_values() {
        assert_eq!(paths(Some(&json!(" ./a "))), ["./a"]);
        assert_eq!(paths(Some(&json!(["b", " ", 3, "a", " b "]))), ["b", "a"]);
        assert!(paths(Some(&json!({"a": 1}))).is_empty() && paths(Some(&json!(" "))).is_empty());
        for (value, counts) in [
            (json!("x"), true),
            (json!(" "), false),
            (json!(["x"]), true),
            (json!([]), false),
            (json!({"x": 1}), true),
            (json!({}), false),
            (json!(true), true),
            (json!(false), false),
            (json!(1), false),
            (Value::Null, false),
        ] {
            let found = content(BundleFormat::Codex, &[], json!({"apps": value}));
            assert_eq!(found.capabilities == ["apps"], counts, "{value}");
        }
    }

    // BUN-031, BUN-032, BUN-033, BUN-044, BUN-045
    #[test]
    fn codex() {
        let found = content(BundleFormat::Codex, &["skills/", "hooks/", ".mcp.json", ".app.json", "settings.json"], json!({}));
        assert_eq!(found.capabilities, ["skills", "hooks", "mcpServers", "apps"]);
        assert_eq!((found.skills, found.hooks), (vec!["skills".to_owned()], vec!["hooks".to_owned()]));
        assert!(found.settings_files.is_empty());
        let found = content(BundleFormat::Codex, &["skills/", "hooks/"], json!({"skills": "gone", "hooks": ["a", "b"]}));
        assert_eq!((found.skills, found.hooks), (vec!["gone".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(content(BundleFormat::Codex, &[], json!({"skills": "gone"})).capabilities, ["skills"]);
    }

    // BUN-034, BUN-035, BUN-036, BUN-037, BUN-038, BUN-039
    #[test]
    fn claude() {
        let all = ["skills/", "commands/", "agents/", "hooks/hooks.json", ".mcp.json", ".lsp.json", "output-styles/", "settings.json"];
        let declared = json!({"skills": ["skills", "more"], "commands": "cmds", "settings": "./other.json", "hooks": "h.json"});
        let found = content(BundleFormat::Claude, &all, declared);
        assert_eq!(found.capabilities, ["skills", "commands", "agents", "hooks", "mcpServers", "lspServers", "outputStyles", "settings"]);
        assert_eq!(found.skills, ["skills", "more", "commands", "cmds", "agents", "output-styles"]);
        assert_eq!(
            (found.hooks, found.settings_files),
            (vec!["hooks/hooks.json".to_owned(), "h.json".to_owned()], vec!["settings.json".to_owned()])
        );
        assert_eq!(content(BundleFormat::Claude, &["commands/"], json!({})).capabilities, ["skills", "commands"]);
        assert_eq!(content(BundleFormat::Claude, &[], json!({"settings": "./other.json"})).capabilities, [""; 0]);
    }

    // BUN-040, BUN-041, BUN-042, BUN-043, BUN-044
    #[test]
    fn cursor() {
        let all = ["skills/", ".cursor/commands/", ".cursor/agents/", ".cursor/hooks.json", ".cursor/rules/", ".mcp.json", "settings.json"];
        let found = content(BundleFormat::Cursor, &all, json!({"skills": "s", "commands": "c", "hooks": "./h"}));
        assert_eq!(found.capabilities, ["skills", "commands", "agents", "hooks", "rules", "mcpServers"]);
        assert_eq!(found.skills, ["skills", "s", ".cursor/commands", "c"]);
        assert!(found.hooks.is_empty() && found.settings_files.is_empty());
        let inline = content(BundleFormat::Cursor, &[], json!({"hooks": {"a": 1}, "rules": true, "agents": "a"}));
        assert_eq!(inline.capabilities, ["agents", "hooks", "rules"]);
        let subagents = content(BundleFormat::Cursor, &[], json!({"subagents": [], "agents": "a"}));
        assert_eq!(subagents.capabilities, [""; 0]);
    }
}
