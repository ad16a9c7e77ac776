//! What a plugin was denied and what it touched, counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chela_plugin::{SandboxStatus, Touch};
use serde_json::{Value, json};

use super::HeldBy;

/// Most different things that are kept by name; beyond them only the number grows.
const MAX_ROWS: usize = 500;

/// Longest name that is kept, in characters.
const MAX_CHARS: usize = 300;

/// Permissions that can be told.
const KNOWN: &[&str] = &["files.read", "files.write", "network", "env", "childProcesses", "nativeAddons"];

/// How the present run is confined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) mode: Option<&'static str>,
    pub(crate) held_by: HeldBy,
    pub(crate) notices: Vec<String>,
}

/// The counts of one plugin over all of its runs.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    facts: Facts,
    denied: u64,
    denials: BTreeMap<(String, String), u64>,
    touched: BTreeMap<(String, String), u64>,
    /// Where `touched` is kept over restarts.
    file: Option<PathBuf>,
}

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new run begins. With a file, what earlier runs touched counts on.
    pub(crate) fn begin(&self, facts: Facts, file: Option<PathBuf>) {
        let mut inner = self.inner();
        inner.facts = facts;
        if inner.touched.is_empty() {
            inner.touched =
                file.as_deref().map(recorded).unwrap_or_default().into_iter().map(|t| ((t.permission, t.what), t.count)).collect();
        }
        inner.file = file;
    }

    /// Something was denied.
    pub(crate) fn deny(&self, permission: &str, what: &str, count: u64) {
        let mut inner = self.inner();
        inner.denied = inner.denied.saturating_add(count);
        add(&mut inner.denials, permission, what, count);
    }

    /// Takes what the worker's script tells: `{denied: [[permission, what, count]], touched: [...], env: [names]}`. Names of variables that
    /// were looked for count as denied when they were withheld.
    pub(crate) fn take(&self, note: &Value, withheld: &[String]) {
        for (permission, what, count) in rows(&note["denied"]) {
            self.deny(permission, what, count);
        }
        let is_watched = self.inner().facts.mode == Some("observe");
        for name in note["env"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if withheld.iter().any(|w| w == name) && !is_watched {
                self.deny("env", name, 1);
            }
        }
        let mut inner = self.inner();
        let before = inner.touched.len();
        // What looks like a credential is kept from every plugin that was not granted it: a watched one has shown that it wants it.
        for name in note["env"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if is_watched && withheld.iter().any(|w| w == name) {
                add(&mut inner.touched, "env", name, 1);
            }
        }
        for (permission, what, count) in rows(&note["touched"]) {
            add(&mut inner.touched, permission, what, count);
        }
        // Numbers alone are not worth a write.
        if let Some(file) = inner.file.clone().filter(|_| inner.touched.len() > before) {
            let list = json!(list(&inner.touched));
            drop(inner);
            if let Err(error) = keep(&file, &list) {
                tracing::warn!("what a plugin touches is not recorded: {error}");
            }
        }
    }

    /// For the status; `None` for a plugin that is neither confined nor watched.
    pub(crate) fn status(&self) -> Option<SandboxStatus> {
        let inner = self.inner();
        Some(SandboxStatus {
            mode: inner.facts.mode?,
            held_by: inner.facts.held_by.clone(),
            notices: inner.facts.notices.clone(),
            denied: inner.denied,
            denials: list(&inner.denials),
            touched: list(&inner.touched),
        })
    }
}

fn list(map: &BTreeMap<(String, String), u64>) -> Vec<Touch> {
    map.iter().map(|((permission, what), count)| Touch { permission: permission.clone(), what: what.clone(), count: *count }).collect()
}

/// What is recorded of a plugin; nothing when there is no record, or none that can be read.
pub(crate) fn recorded(file: &Path) -> Vec<Touch> {
    fs_err::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn keep(file: &Path, list: &Value) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(file);
    fs_err::create_dir_all(dir)?;
    let mut scratch = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut scratch, list.to_string().as_bytes())?;
    scratch.as_file().sync_all()?;
    scratch.persist(file)?;
    Ok(())
}

fn rows(list: &Value) -> impl Iterator<Item = (&str, &str, u64)> {
    list.as_array().into_iter().flatten().filter_map(|row| {
        let permission = row[0].as_str().filter(|name| KNOWN.contains(name))?;
        Some((permission, row[1].as_str()?, row[2].as_u64()?))
    })
}

fn add(map: &mut BTreeMap<(String, String), u64>, permission: &str, what: &str, count: u64) {
    let key = (permission.to_owned(), what.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect::<String>());
    if let Some(known) = map.get_mut(&key) {
        *known = known.saturating_add(count);
    } else if map.len() < MAX_ROWS {
        map.insert(key, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_tells_is_counted_within_limits() {
        let ledger = Ledger::default();
        assert_eq!(ledger.status(), None);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("deep/p.json");
        ledger.begin(Facts { mode: Some("enforce"), ..Facts::default() }, Some(file.clone()));
        let note = json!({
            "denied": [["files.read", "/a", 2], ["files.read", "/a", 1], ["nonsense", "x", 1], ["network", 5, 1]],
            "env": ["KEPT_KEY", "UNSET"], "touched": [["env", "HOME", 1]],
        });
        ledger.take(&note, &["KEPT_KEY".into()]);
        let many: Vec<Value> = (0..2 * MAX_ROWS).map(|n| json!(["network", format!("h{n}"), 1])).collect();
        ledger.take(&json!({ "denied": many }), &[]);
        let status = ledger.status().unwrap();
        assert_eq!((status.denied, status.denials.len(), status.touched.len()), (4 + 2 * MAX_ROWS as u64, MAX_ROWS, 1));
        assert!(status.denials.contains(&Touch { permission: "files.read".into(), what: "/a".into(), count: 3 }));
        assert!(status.denials.iter().any(|row| row.permission == "env" && row.what == "KEPT_KEY"));
        let next = Ledger::default();
        next.begin(Facts { mode: Some("observe"), ..Facts::default() }, Some(file));
        assert_eq!(next.status().unwrap().touched, status.touched, "a record outlives its worker");
    }
}
