//! `metadata.openclaw` of a hook (HOOK-285).

use serde::Serialize;
use serde_json::{Map, Value};

/// What a hook says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookMetadata {
    /// Runs whatever its requirements say, on the platforms that it names.
    pub always: bool,
    /// Shown before its name.
    pub emoji: Option<String>,
    /// A page about it.
    pub homepage: Option<String>,
    /// Its key in the config, when it is not its name.
    pub hook_key: Option<String>,
    /// The export that is called; `default` unless it says otherwise.
    pub export: Option<String>,
    /// Platforms as Node names them; all when empty.
    pub os: Vec<String>,
    /// Events that it listens to; with none it does nothing.
    pub events: Vec<String>,
    /// What must be there.
    pub requires: Requires,
    /// Ways to get what it needs.
    pub install: Vec<InstallOption>,
}

/// Requirements of a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requires {
    /// Programs that must all be there.
    pub bins: Vec<String>,
    /// Programs of which one must be there.
    pub any_bins: Vec<String>,
    /// Variables that must be set.
    pub env: Vec<String>,
    /// Config paths that must be set.
    pub config: Vec<String>,
}

/// One way to get what a hook needs, as `hooks info` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstallOption {
    /// Its id.
    pub id: String,
    /// `bundled`, `npm` or `git`.
    pub kind: String,
    /// What it does.
    pub label: String,
    /// Programs that it brings.
    pub bins: Vec<String>,
}

impl HookMetadata {
    /// Reads the object; what has a wrong type is left out.
    pub fn read(raw: &Map<String, Value>) -> Self {
        let text = |key: &str| raw.get(key).and_then(Value::as_str).map(str::to_owned);
        let requires = raw.get("requires").and_then(Value::as_object);
        let needs = |key: &str| strings(requires.and_then(|all| all.get(key)));
        let install = raw.get("install").and_then(Value::as_array).into_iter().flatten();
        Self {
            always: raw.get("always") == Some(&Value::Bool(true)),
            emoji: text("emoji"),
            homepage: text("homepage"),
            hook_key: text("hookKey"),
            export: text("export").filter(|name| !name.trim().is_empty()),
            os: strings(raw.get("os")),
            events: strings(raw.get("events")),
            requires: Requires { bins: needs("bins"), any_bins: needs("anyBins"), env: needs("env"), config: needs("config") },
            install: install.enumerate().filter_map(|(at, entry)| install_option(at, entry)).collect(),
        }
    }
}

fn install_option(at: usize, entry: &Value) -> Option<InstallOption> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let kind = text("kind").or_else(|| text("type"))?.to_lowercase();
    let what = match kind.as_str() {
        "bundled" => "Part of the program".to_owned(),
        "npm" => text("package").map_or_else(|| "Run installer".to_owned(), |package| format!("Install {package} (npm)")),
        "git" => text("repository").map_or_else(|| "Run installer".to_owned(), |repository| format!("Install from {repository}")),
        _ => return None,
    };
    let id = text("id").unwrap_or_else(|| format!("{kind}-{at}"));
    Some(InstallOption { id, label: text("label").unwrap_or(what), bins: strings(entry.get("bins")), kind })
}

/// A list of texts, or one text with commas.
fn strings(value: Option<&Value>) -> Vec<String> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    let all: Vec<String> = match value {
        Some(Value::Array(list)) => list.iter().filter_map(scalar).collect(),
        Some(Value::String(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-285
    #[test]
    fn every_field_is_read_and_wrong_types_are_dropped() {
        let raw = json!({
            "always": true, "emoji": "x", "homepage": "https://h", "hookKey": "k", "export": "run", "os": "linux, darwin",
            "events": ["command:new", " ", 7], "requires": {"bins": ["a"], "anyBins": "b,c", "env": ["E"], "config": ["p.q"]},
            "install": [
                {"kind": "npm", "package": "pkg", "bins": ["a"]}, {"kind": "brew"}, {"type": "git", "id": "g", "label": "Get it"}, 5,
            ],
        });
        let read = HookMetadata::read(raw.as_object().unwrap());
        let option = |id: &str, kind: &str, label: &str, bins: &[&str]| InstallOption {
            id: id.into(),
            kind: kind.into(),
            label: label.into(),
            bins: bins.iter().map(|bin| (*bin).into()).collect(),
        };
        let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read,
            HookMetadata {
                always: true,
                emoji: Some("x".into()),
                homepage: Some("https://h".into()),
                hook_key: Some("k".into()),
                export: Some("run".into()),
                os: list(&["linux", "darwin"]),
                events: list(&["command:new", "7"]),
                requires: Requires { bins: list(&["a"]), any_bins: list(&["b", "c"]), env: list(&["E"]), config: list(&["p.q"]) },
                install: vec![option("npm-0", "npm", "Install pkg (npm)", &["a"]), option("g", "git", "Get it", &[])],
            }
        );
        let wrong = json!({"always": "yes", "emoji": 1, "events": {}, "requires": [], "install": {}});
        assert_eq!(HookMetadata::read(wrong.as_object().unwrap()), HookMetadata::default());
    }
}
