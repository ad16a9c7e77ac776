//! What a hook needs and whether it is there (HOOK-285, HOOK-289).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::discover::Hook;
use crate::inputs::HookInputs;

/// Config paths that count as set while nobody set them.
const DEFAULT_TRUE: [&str; 3] = ["browser.enabled", "browser.evaluateEnabled", "workspace.dir"];

/// Requirements that are not met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Programs.
    pub bins: Vec<String>,
    /// All programs of which none is there.
    pub any_bins: Vec<String>,
    /// Variables.
    pub env: Vec<String>,
    /// Config paths.
    pub config: Vec<String>,
    /// The platforms, when this is none of them.
    pub os: Vec<String>,
}

impl Missing {
    /// True when nothing is missing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In words: `bins: a, b; env: C`.
    pub fn summary(&self) -> String {
        let parts = [("bins", &self.bins), ("anyBins", &self.any_bins), ("env", &self.env), ("config", &self.config), ("os", &self.os)];
        let named = parts.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| format!("{name}: {}", list.join(", ")));
        named.collect::<Vec<_>>().join("; ")
    }
}

/// What a hook lacks. One that says `always` lacks at most its platform: a gateway does not load it elsewhere.
pub(crate) fn missing(hook: &Hook, inputs: &HookInputs) -> Missing {
    let metadata = &hook.file.metadata;
    let mut missing = Missing::default();
    if !metadata.os.is_empty() && !metadata.os.contains(&inputs.platform) {
        missing.os.clone_from(&metadata.os);
    }
    if metadata.always {
        return missing;
    }
    let lacks = |list: &[String], has: &dyn Fn(&str) -> bool| list.iter().filter(|one| !has(one)).cloned().collect::<Vec<_>>();
    let has_bin = |bin: &str| bin_on_path(bin, &inputs.env);
    let entry = inputs.entry(hook.key());
    let env_set = |name: &str| {
        let own = entry.get("env").and_then(|env| env.get(name)).and_then(Value::as_str);
        inputs.env.get(name).is_some_and(|value| !value.is_empty()) || own.is_some_and(|value| !value.is_empty())
    };
    let needs = &metadata.requires;
    missing.bins = lacks(&needs.bins, &has_bin);
    if !needs.any_bins.iter().any(|bin| has_bin(bin)) {
        missing.any_bins.clone_from(&needs.any_bins);
    }
    missing.env = lacks(&needs.env, &env_set);
    missing.config = lacks(&needs.config, &|path| is_set(&inputs.config, path));
    missing
}

/// True when the config says something at a path that is not false, zero or blank (HOOK-289).
pub(crate) fn is_set(config: &Value, path: &str) -> bool {
    let mut at = Some(config);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        at = at.and_then(|value| value.get(part));
    }
    match at {
        None => DEFAULT_TRUE.contains(&path),
        Some(Value::Null) => false,
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// True when a program of this name can be run from `PATH`.
pub fn bin_on_path(bin: &str, env: &BTreeMap<String, String>) -> bool {
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    std::env::split_paths(path).filter(|dir| !dir.as_os_str().is_empty()).any(|dir| is_program(&dir.join(bin)))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    ["", "exe", "bat", "cmd", "com"].iter().any(|extension| path.with_extension(extension).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-289
    #[test]
    fn config_paths() {
        let config = json!({"a": {"b": 1, "zero": 0, "no": false, "blank": " ", "list": []}, "browser": {"enabled": false}, "n": null});
        for (path, expected) in [
            ("a.b", true),
            ("a", true),
            ("a.list", true),
            ("a.zero", false),
            ("a.no", false),
            ("a.blank", false),
            ("a.none", false),
            ("n", false),
            ("browser.enabled", false),
            ("browser.evaluateEnabled", true),
            ("workspace.dir", true),
            ("workspace", false),
        ] {
            assert_eq!(is_set(&config, path), expected, "{path}");
        }
    }
}
