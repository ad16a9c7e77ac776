//! What plugins say about changes of the config: `registerReload` (API-061, GW-135..137).
//!
//! In the reference `restartPrefixes` start the whole gateway anew. Each plugin has a worker of its own here, so only the plugin that
//! asked starts anew. Below a plugin's own entry `hotPrefixes` and `noopPrefixes` keep its worker: it reads those settings itself.

use std::collections::{BTreeSet, HashSet};

use chela_plugin::registry::Registry;
use serde_json::Value;

/// What one plugin wants for a changed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadWish {
    /// Nothing: it reads the path where it uses it.
    Nothing,
    /// The change is applied while the gateway and the plugin run.
    Hot,
    /// The plugin starts anew.
    Restart,
}

/// The members of a registration, in the order in which they are looked at.
const MEMBERS: [(&str, ReloadWish); 3] =
    [("restartPrefixes", ReloadWish::Restart), ("hotPrefixes", ReloadWish::Hot), ("noopPrefixes", ReloadWish::Nothing)];

struct Rule {
    plugin: String,
    prefix: String,
    wish: ReloadWish,
}

/// The rules of all plugins that run, in registration order.
#[derive(Default)]
pub struct ReloadRules(Vec<Rule>);

/// What a change means for workers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkerWishes {
    /// They start anew.
    pub(crate) restart: BTreeSet<String>,
    /// They go on although their own settings changed.
    pub(crate) keep: HashSet<String>,
}

/// True for the prefix itself and for what lies below it.
pub fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl ReloadRules {
    /// The rules in a registry.
    pub fn of(registry: &Registry) -> Self {
        let mut rules = Vec::new();
        for entry in registry.recorded_of("registerReload") {
            let given = entry.args.first().unwrap_or(&Value::Null);
            for (member, wish) in MEMBERS {
                let prefixes = given[member].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::trim);
                let rule = |prefix: &str| Rule { plugin: entry.owner.id.to_string(), prefix: prefix.into(), wish };
                rules.extend(prefixes.filter(|prefix| !prefix.is_empty()).map(rule));
            }
        }
        Self(rules)
    }

    /// What plugins want for a path, the strongest wish of all; `None` when none speaks of it.
    pub fn wish(&self, path: &str) -> Option<ReloadWish> {
        self.0.iter().filter(|rule| is_under(path, &rule.prefix)).map(|rule| rule.wish).max()
    }

    /// What one plugin wants: its first rule that fits.
    fn wish_of(&self, plugin: &str, path: &str) -> Option<ReloadWish> {
        self.0.iter().find(|rule| rule.plugin == plugin && is_under(path, &rule.prefix)).map(|rule| rule.wish)
    }

    pub(crate) fn for_workers(&self, changed: &[String]) -> WorkerWishes {
        let mut out = WorkerWishes::default();
        let plugins: BTreeSet<&str> = self.0.iter().map(|rule| rule.plugin.as_str()).collect();
        for plugin in plugins {
            if changed.iter().any(|path| self.wish_of(plugin, path) == Some(ReloadWish::Restart)) {
                out.restart.insert(plugin.into());
                continue;
            }
            let own = format!("plugins.entries.{plugin}");
            let mut mine = changed.iter().filter(|path| is_under(path, &own)).peekable();
            if mine.peek().is_some() && mine.all(|path| self.wish_of(plugin, path).is_some()) {
                out.keep.insert(plugin.into());
            }
        }
        out
    }
}

/// Paths in which two configs differ; arrays compare whole, times of installs do not count (GW-137).
pub fn changed_paths(before: &Value, after: &Value) -> Vec<String> {
    let mut out = Vec::new();
    differ(before, after, "", &mut out);
    out.retain(|path| !(path.starts_with("plugins.installs.") && path.ends_with("At")));
    // A gateway runs here without a mode too: the file may come or go with a plugin.
    let local = |config: &Value| config["gateway"]["mode"].as_str().is_none_or(|mode| mode == "local");
    out.retain(|path| path != "gateway.mode" || !(local(before) && local(after)));
    out
}

fn differ(before: &Value, after: &Value, path: &str, out: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differ(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), &path, out);
            }
        }
        // A section that comes or goes is seen by its members, so that rules for parts of it hold.
        (Value::Object(a), Value::Null) | (Value::Null, Value::Object(a)) if !a.is_empty() => {
            for (key, value) in a {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differ(value, &Value::Null, &path, out);
            }
        }
        (a, b) if a != b => out.push(path.to_string()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-137
    #[test]
    fn the_difference_is_by_path_and_arrays_are_whole() {
        let before =
            json!({"a": {"b": 1, "c": [1, 2]}, "gone": {"x": 1}, "plugins": {"installs": {"p": {"installedAt": 1, "version": "1"}}}});
        let after = json!({"a": {"b": 1, "c": [1, 3]}, "new": {"y": {"z": true}}, "plugins": {"installs": {"p": {"installedAt": 2, "version": "1"}}}});
        assert_eq!(changed_paths(&before, &after), ["a.c", "gone.x", "new.y.z"]);
        assert!(changed_paths(&before, &before).is_empty());
        let with = |mode: &str| json!({"gateway": {"mode": mode}});
        for (before, after, expected) in [
            (json!({}), with("local"), &[][..]),
            (with("local"), json!({}), &[]),
            (with("local"), with("remote"), &["gateway.mode"]),
            (with("remote"), json!({}), &["gateway.mode"]),
        ] {
            assert_eq!(changed_paths(&before, &after), expected, "{before} {after}");
        }
    }

    fn rules(rows: &[(&str, &str, ReloadWish)]) -> ReloadRules {
        let rule =
            |(plugin, prefix, wish): &(&str, &str, ReloadWish)| Rule { plugin: (*plugin).into(), prefix: (*prefix).into(), wish: *wish };
        ReloadRules(rows.iter().map(rule).collect())
    }

    // API-061
    #[test]
    fn wishes_are_for_the_plugin_that_has_them() {
        let rules = rules(&[
            ("a", "browser", ReloadWish::Restart),
            ("b", "browser", ReloadWish::Nothing),
            ("b", "plugins.entries.b.config.live", ReloadWish::Hot),
        ]);
        assert_eq!((rules.wish("browser.x"), rules.wish("browserx")), (Some(ReloadWish::Restart), None));
        let wishes = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|p| (*p).to_string()).collect();
            let found = rules.for_workers(&paths);
            (found.restart.into_iter().collect::<Vec<_>>(), found.keep.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(wishes(&["browser.x"]), (vec!["a".into()], vec![]));
        assert_eq!(wishes(&["plugins.entries.b.config.live.x"]), (vec![], vec!["b".into()]));
        assert_eq!(wishes(&["plugins.entries.b.config.live", "plugins.entries.b.config.other"]), (vec![], vec![]));
        assert_eq!(wishes(&["models.x"]), (vec![], vec![]));
    }
}
