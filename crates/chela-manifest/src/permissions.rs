//! What a plugin may touch outside itself: declared in the manifest, granted in the config (`docs/permissions.md`).
//!
//! The same shape serves both. In a manifest a wrong part is dropped with a [`Problem`]; in the config the schema refuses it first.

mod host;

use serde::Serialize;
use serde_json::{Map, Value};

pub use host::HostRule;

/// Most entries of one list: each becomes a rule that is checked on every access.
pub const MAX_ENTRIES: usize = 200;

/// Longest entry in characters.
pub const MAX_ENTRY_CHARS: usize = 1024;

/// A set of permissions. The default allows nothing beyond what every worker needs: its own files to read, a temporary directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    /// Files and directories.
    pub files: FileAccess,
    /// Hosts.
    pub network: Network,
    /// Names of environment variables; one that ends in `*` stands for all that begin so.
    pub env: Vec<String>,
    /// Programs.
    pub child_processes: Programs,
    /// Whether compiled code can be loaded into the process.
    pub native_addons: bool,
}

/// Paths, absolute or with a placeholder in front (`{plugin}`, `{state}`, `{stateDir}`, `{workspace}`, `{temp}`, `~`). What lies below
/// a directory is included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileAccess {
    /// To read and list.
    pub read: Vec<String>,
    /// To read, change, create and remove.
    pub write: Vec<String>,
}

/// Which hosts can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// None at all.
    #[default]
    None,
    /// All.
    Any,
    /// These only.
    Hosts(Vec<HostRule>),
}

/// Which programs can be started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Programs {
    /// None at all.
    #[default]
    None,
    /// All.
    Any,
    /// These only: names that are looked up on `PATH`, or absolute paths.
    List(Vec<String>),
}

/// What the operator decided about a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Grant {
    /// Nothing: the plugin runs with the rights of the gateway.
    #[default]
    Open,
    /// As [`Grant::Open`], and what it touches is recorded.
    Observe,
    /// What its manifest asks for, and nothing else.
    Declared,
    /// This set, and nothing else.
    Set(Permissions),
}

/// What holds for a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Effective {
    /// The rights of the gateway.
    #[default]
    Open,
    /// The rights of the gateway, recorded.
    Observe,
    /// This set is enforced.
    Enforce(Box<Permissions>),
}

/// A part that was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path within the set, such as `files.read.0`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl Grant {
    /// Reads `plugins.entries.<id>.permissions`. A value that the schema would refuse grants nothing: it must not open what was shut.
    pub fn read(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Open,
            Some(Value::String(word)) if word == "observe" => Self::Observe,
            Some(Value::String(word)) if word == "declared" => Self::Declared,
            Some(other) => Self::Set(Permissions::read(other).0),
        }
    }

    /// The word for people: `not enforced`, `observed`, `declared` or `set`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "not enforced",
            Self::Observe => "observed",
            Self::Declared => "declared",
            Self::Set(_) => "set",
        }
    }

    /// What holds, given what the plugin asks for. A plugin that asks for nothing gets nothing.
    pub fn effective(&self, declared: Option<&Permissions>) -> Effective {
        match self {
            Self::Open => Effective::Open,
            Self::Observe => Effective::Observe,
            Self::Declared => Effective::Enforce(Box::new(declared.cloned().unwrap_or_default())),
            Self::Set(set) => Effective::Enforce(Box::new(set.clone())),
        }
    }
}

impl Effective {
    /// The enforced set.
    pub fn enforced(&self) -> Option<&Permissions> {
        match self {
            Self::Enforce(set) => Some(set),
            Self::Open | Self::Observe => None,
        }
    }
}

impl Permissions {
    /// Reads a set; parts that make no sense are dropped and told.
    pub fn read(value: &Value) -> (Self, Vec<Problem>) {
        let mut reader = Reader { problems: Vec::new() };
        let Some(block) = value.as_object() else {
            reader.drop_part("", "must be an object");
            return (Self::default(), reader.problems);
        };
        const KEYS: [&str; 5] = ["files", "network", "env", "childProcesses", "nativeAddons"];
        for key in block.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            reader.drop_part(key, &format!("is not a permission; there are {}", KEYS.map(|k| format!("`{k}`")).join(", ")));
        }
        let set = Self {
            files: reader.files(block.get("files")),
            network: reader.network(block.get("network")),
            env: reader.list("env", block.get("env"), env_name),
            child_processes: reader.programs(block.get("childProcesses")),
            native_addons: reader.flag("nativeAddons", block.get("nativeAddons")),
        };
        (set, reader.problems)
    }

    /// True when `name` is among the granted variables.
    pub fn allows_env(&self, name: &str) -> bool {
        self.env.iter().any(|entry| match entry.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => entry == name,
        })
    }

    /// True when nothing is granted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Network {
    /// The rules of a list; empty for the other kinds.
    pub fn rules(&self) -> &[HostRule] {
        match self {
            Self::Hosts(rules) => rules,
            Self::None | Self::Any => &[],
        }
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Any => serializer.serialize_str("any"),
            Self::Hosts(rules) => serializer.collect_seq(rules.iter().map(HostRule::to_string)),
        }
    }
}

impl Serialize for Programs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Any => serializer.serialize_str("any"),
            Self::List(names) => names.serialize(serializer),
        }
    }
}

struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn drop_part(&mut self, path: &str, message: &str) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    fn files(&mut self, value: Option<&Value>) -> FileAccess {
        let empty = Map::new();
        let block = match value {
            None => &empty,
            Some(Value::Object(block)) => block,
            Some(_) => {
                self.drop_part("files", "must be an object with `read` and `write`");
                &empty
            }
        };
        for key in block.keys().filter(|key| !["read", "write"].contains(&key.as_str())) {
            self.drop_part(&format!("files.{key}"), "is not known; there are `read` and `write`");
        }
        FileAccess {
            read: self.list("files.read", block.get("read"), file_path),
            write: self.list("files.write", block.get("write"), file_path),
        }
    }

    fn network(&mut self, value: Option<&Value>) -> Network {
        match value {
            None => Network::None,
            Some(Value::String(word)) if word == "none" => Network::None,
            Some(Value::String(word)) if word == "any" => Network::Any,
            Some(list @ Value::Array(_)) => {
                let rules = self.list("network", Some(list), |text| HostRule::parse(text).map(|rule| rule.to_string()));
                let rules: Vec<_> = rules.iter().filter_map(|rule| HostRule::parse(rule).ok()).collect();
                if rules.is_empty() { Network::None } else { Network::Hosts(rules) }
            }
            Some(_) => {
                self.drop_part("network", "must be `none`, `any` or a list of hosts");
                Network::None
            }
        }
    }

    fn programs(&mut self, value: Option<&Value>) -> Programs {
        match value {
            None => Programs::None,
            Some(Value::String(word)) if word == "none" => Programs::None,
            Some(Value::String(word)) if word == "any" => Programs::Any,
            Some(list @ Value::Array(_)) => {
                let names = self.list("childProcesses", Some(list), program);
                if names.is_empty() { Programs::None } else { Programs::List(names) }
            }
            Some(_) => {
                self.drop_part("childProcesses", "must be `none`, `any` or a list of programs");
                Programs::None
            }
        }
    }

    fn flag(&mut self, path: &str, value: Option<&Value>) -> bool {
        if value.is_some_and(|value| !value.is_boolean()) {
            self.drop_part(path, "must be `true` or `false`");
        }
        value == Some(&Value::Bool(true))
    }

    fn list(&mut self, path: &str, value: Option<&Value>, check: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
        let items = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.drop_part(path, "must be a list");
                return Vec::new();
            }
        };
        if items.len() > MAX_ENTRIES {
            self.drop_part(path, &format!("has {} entries; only the first {MAX_ENTRIES} count", items.len()));
        }
        let mut kept = Vec::new();
        for (at, item) in items.iter().take(MAX_ENTRIES).enumerate() {
            let text = item.as_str().map(str::trim).filter(|text| !text.is_empty() && text.chars().count() <= MAX_ENTRY_CHARS);
            match text.ok_or_else(|| format!("must be a text of 1 to {MAX_ENTRY_CHARS} characters")).and_then(&check) {
                Ok(entry) if kept.contains(&entry) => {}
                Ok(entry) => kept.push(entry),
                Err(message) => self.drop_part(&format!("{path}.{at}"), &message),
            }
        }
        kept
    }
}

/// Placeholders that a path can begin with.
pub const PLACEHOLDERS: [&str; 5] = ["{plugin}", "{state}", "{stateDir}", "{workspace}", "{temp}"];

fn file_path(text: &str) -> Result<String, String> {
    let whole = |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let begins = text.starts_with('/') || whole("~") || PLACEHOLDERS.iter().any(|name| whole(name));
    if !begins {
        return Err(format!("`{text}` must be an absolute path or begin with `~` or one of {}", PLACEHOLDERS.join(", ")));
    }
    if text.split('/').any(|part| part == "..") || text.contains('\0') {
        return Err(format!("`{text}` must not contain `..`"));
    }
    Ok(text.to_owned())
}

fn env_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    // A bare `*` would grant every secret of the gateway.
    if name.is_empty() || !plain {
        return Err(format!("`{text}` is not a variable's name, or the beginning of one and `*`"));
    }
    Ok(text.to_owned())
}

fn program(text: &str) -> Result<String, String> {
    if text.contains('\0') || (text.contains('/') && !text.starts_with('/')) {
        return Err(format!("`{text}` must be a program's name or absolute path"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_set_is_read_and_written_alike() {
        let written = json!({
            "files": {"read": ["{workspace}", "~/notes", "/etc/mime.types"], "write": ["{state}", "{temp}/x"]},
            "network": ["api.example.com", "*.example.org:443", "[::1]:8080", "listen", "unix:/run/x.sock"],
            "env": ["GITHUB_TOKEN", "MY_*"], "childProcesses": ["git", "/usr/bin/ffmpeg"], "nativeAddons": true,
        });
        let (set, problems) = Permissions::read(&written);
        assert_eq!((json!(set), problems), (written, vec![]));
        let (open, _) = Permissions::read(&json!({"network": "any", "childProcesses": "any"}));
        assert_eq!((open.network, open.child_processes), (Network::Any, Programs::Any));
        assert_eq!(json!(Permissions::default())["network"], "none");
    }

    #[test]
    fn wrong_parts_are_dropped_and_told() {
        let cases = [
            (json!([]), ""),
            (json!({"net": "any"}), "net"),
            (json!({"files": "all"}), "files"),
            (json!({"files": {"exec": []}}), "files.exec"),
            (json!({"files": {"read": ["relative"]}}), "files.read.0"),
            (json!({"files": {"read": ["~user/x"]}}), "files.read.0"),
            (json!({"files": {"read": ["{elsewhere}"]}}), "files.read.0"),
            (json!({"files": {"write": ["/ok/../etc"]}}), "files.write.0"),
            (json!({"network": true}), "network"),
            (json!({"network": ["http://x"]}), "network.0"),
            (json!({"env": ["*"]}), "env.0"),
            (json!({"env": ["A=B"]}), "env.0"),
            (json!({"env": [5]}), "env.0"),
            (json!({"childProcesses": ["bin/x"]}), "childProcesses.0"),
            (json!({"childProcesses": "some"}), "childProcesses"),
            (json!({"nativeAddons": "yes"}), "nativeAddons"),
            (json!({"env": vec!["A"; MAX_ENTRIES + 1]}), "env"),
        ];
        for (value, path) in cases {
            let (set, problems) = Permissions::read(&value);
            assert_eq!(problems.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), [path], "{value}");
            assert!(set.is_empty() || set.env == ["A"], "{value}");
        }
    }

    #[test]
    fn a_grant_decides_what_holds() {
        let declared = Permissions { native_addons: true, ..Permissions::default() };
        let held = |value: Option<Value>| Grant::read(value.as_ref()).effective(Some(&declared));
        assert_eq!(held(None), Effective::Open);
        assert_eq!(held(Some(json!("observe"))), Effective::Observe);
        assert_eq!(held(Some(json!("declared"))).enforced(), Some(&declared));
        assert_eq!(held(Some(json!({}))).enforced(), Some(&Permissions::default()));
        assert_eq!(held(Some(json!("nonsense"))).enforced(), Some(&Permissions::default()), "a typo opens nothing");
        assert_eq!(Grant::Declared.effective(None).enforced(), Some(&Permissions::default()));
    }

    #[test]
    fn variables_match_by_name_or_beginning() {
        let set = Permissions { env: vec!["A".into(), "MY_*".into()], ..Permissions::default() };
        let found: Vec<_> = ["A", "AB", "MY_", "MY_KEY", "MYKEY"].into_iter().filter(|name| set.allows_env(name)).collect();
        assert_eq!(found, ["A", "MY_", "MY_KEY"]);
    }
}
