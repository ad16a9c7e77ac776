//! `plugins search` (INS-269..INS-271).

use serde_json::Value;

use super::ClawHub;
use crate::error::InstallError;
use crate::install::Installer;

/// What can be installed as a plugin.
const FAMILIES: [&str; 2] = ["code-plugin", "bundle-plugin"];
/// Results without another wish, and the most of them.
const LIMITS: (usize, usize) = (20, 100);

impl Installer {
    /// Searches ClawHub for plugins. Gives what it says of each, best first; `limit` is 20 without a wish and at most 100.
    ///
    /// # Errors
    /// Without a query, and when ClawHub cannot be asked.
    pub fn search(&self, query: &str, limit: Option<i64>) -> Result<Vec<Value>, InstallError> {
        let query = query.trim();
        if query.is_empty() {
            return Err(InstallError::refused("Usage: chela plugins search <query>").hint("name what the plugin should do"));
        }
        let limit = clamp(limit);
        let hub = ClawHub::new(&self.world.env, None)?;
        let count = limit.to_string();
        let mut groups = Vec::new();
        for family in FAMILIES {
            let found = hub.json(&["search"], &[("q", query), ("family", family), ("limit", &count)])?;
            let found = found.ok_or_else(|| {
                InstallError::refused(format!("`{}` has no package search", hub.shown_base())).hint("check `OPENCLAW_CLAWHUB_URL`")
            })?;
            groups.extend(found["results"].as_array().cloned().unwrap_or_default());
        }
        Ok(merge(groups, limit))
    }
}

fn clamp(limit: Option<i64>) -> usize {
    limit.filter(|limit| *limit > 0).map_or(LIMITS.0, |limit| usize::try_from(limit).unwrap_or(usize::MAX).min(LIMITS.1))
}

/// Of equal names the higher score stays; equal scores keep their order.
fn merge(found: Vec<Value>, limit: usize) -> Vec<Value> {
    let score = |entry: &Value| entry["score"].as_f64().unwrap_or_default();
    let mut merged: Vec<Value> = Vec::new();
    for entry in found {
        let Some(name) = entry["package"]["name"].as_str() else { continue };
        match merged.iter_mut().find(|known| known["package"]["name"] == name) {
            None => merged.push(entry),
            Some(known) if score(&entry) > score(known) => *known = entry,
            Some(_) => {}
        }
    }
    merged.sort_by(|a, b| score(b).total_cmp(&score(a)));
    merged.truncate(limit);
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // INS-269
    #[test]
    fn results_are_merged_by_name_and_sorted_by_score() {
        let entry = |name: &str, score: f64| json!({"score": score, "package": {"name": name}});
        let found = vec![entry("a", 1.0), entry("b", 2.0), entry("a", 3.0), entry("c", 2.0), json!({"score": 9})];
        let names = |limit| {
            merge(found.clone(), limit).iter().map(|entry| entry["package"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(9), ["a", "b", "c"]);
        assert_eq!(names(2), ["a", "b"]);
        for (wish, limit) in [(None, 20), (Some(0), 20), (Some(-4), 20), (Some(1), 1), (Some(7), 7), (Some(1000), 100)] {
            assert_eq!(clamp(wish), limit);
        }
    }
}
