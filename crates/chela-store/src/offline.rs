//! Upkeep of a `sessions.json` that no gateway has open: of this state while nothing runs, or of another one.
//!
//! The file is the whole truth here. Where it belongs to a store, that takes the change over when it is opened next.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Map, Value, json};

use crate::upkeep::plan;
use crate::{
    ArchiveReason, CleanupPlan, CleanupRules, Doomed, Result, SessionRow, StoreError, archive_path, is_archive_name, mirror, session_key,
    time,
};

/// Largest file that is read; one of 100,000 sessions has a tenth of this.
const MOST_BYTES: u64 = 1 << 30;

/// What was done to a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CleanedFile {
    /// What a clean-up finds in it.
    pub plan: CleanupPlan,
    /// Sessions that were removed.
    pub removed: u64,
    /// Archived transcripts that were removed for the disk's sake.
    pub archives: u64,
}

/// Cleans up a `sessions.json`: of the sessions that the rules would remove those go that `goes` agrees to, their transcripts become
/// archives of deleted sessions beside it. First the list is written, whole or not at all; a transcript that a crash leaves is in nobody's
/// way. Blocks on the disk. What is no session stays as it is.
///
/// # Errors
/// A file that cannot be read or is no JSON object, and write errors.
pub fn clean_file(path: &Path, rules: &CleanupRules, goes: impl Fn(&Doomed) -> bool, free_archives: bool) -> Result<CleanedFile> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let map = read(path)?;
    let mut sessions: Vec<(SessionRow, u64)> = Vec::new();
    for (raw_key, value) in &map {
        let agent = session_key::agent_of(raw_key);
        let key = session_key::canonicalize(raw_key, &agent);
        let Some(mut row) = value.as_object().and_then(|row| SessionRow::from_projection(&key, &agent, dir, row.clone())) else { continue };
        // The file has no count; whether the transcript is there is what matters.
        row.message_count = row.message_count.max(1);
        let bytes = fs::metadata(&row.session_file).map_or(0, |meta| meta.len());
        sessions.push((row, bytes));
    }
    sessions.sort_by(|(a, _), (b, _)| (a.updated_at_ms, &a.key).cmp(&(b.updated_at_ms, &b.key)));
    let archives = if rules.disk.is_some() { archives_in(dir) } else { Vec::new() };
    let archived = archives.iter().map(|(_, bytes, _)| bytes).sum();
    let mut done = CleanedFile { plan: plan(sessions, archived, rules), ..CleanedFile::default() };
    let gone: Vec<&SessionRow> = done.plan.doomed.iter().filter(|doomed| goes(doomed)).map(|doomed| &doomed.row).collect();
    if !gone.is_empty() {
        remove(path, map, &gone)?;
    }
    done.removed = gone.len() as u64;
    if free_archives {
        done.archives = free(archives, done.plan.archive_bytes)?;
    }
    Ok(done)
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let failed = |e| StoreError::io(path, "read", e);
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MOST_BYTES {
        return Err(StoreError::invalid("list of sessions", format!("`{}` has {size} bytes, more than one can have", path.display())));
    }
    let text = fs::read(path).map_err(failed)?;
    serde_json::from_slice(&text).map_err(|e| StoreError::invalid("list of sessions", format!("`{}`: {e}", path.display())))
}

fn remove(path: &Path, map: Map<String, Value>, gone: &[&SessionRow]) -> Result<()> {
    let keys: HashSet<&str> = gone.iter().map(|row| row.key.as_str()).collect();
    let goes = |raw: &str| keys.contains(session_key::canonicalize(raw, &session_key::agent_of(raw)).as_str());
    let left: Map<String, Value> = map.into_iter().filter(|(key, _)| !goes(key)).collect();
    let used: HashSet<&str> = left.values().filter_map(|row| row["sessionId"].as_str()).collect();
    let write = |out: &mut dyn std::io::Write| serde_json::to_writer_pretty(out, &left).map_err(std::io::Error::from);
    mirror::replace_file(path, write).map_err(|e| StoreError::io(path, "write", e))?;
    let now = time::now_ms();
    for row in gone.iter().filter(|row| !used.contains(row.session_id.as_str()) && row.session_file.is_file()) {
        let to = archive_path(&row.session_file, ArchiveReason::Deleted, now);
        fs::rename(&row.session_file, &to).map_err(|e| StoreError::io(&row.session_file, "archive", e))?;
    }
    Ok(())
}

/// Archived transcripts in a directory: file, size, time of the last change.
fn archives_in(dir: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let archive = |path: PathBuf| {
        let meta = fs::symlink_metadata(&path).ok().filter(|meta| meta.is_file() && is_archive_name(&path))?;
        Some((path, meta.len(), meta.modified().ok()?))
    };
    entries.filter_map(|entry| archive(entry.path())).collect()
}

/// Removes the oldest archives until so many bytes are free.
fn free(mut archives: Vec<(PathBuf, u64, std::time::SystemTime)>, bytes: u64) -> Result<u64> {
    archives.sort_by_key(|(_, _, changed)| *changed);
    let (mut freed, mut count) = (0, 0);
    for (path, size, _) in archives {
        if freed >= bytes {
            break;
        }
        fs::remove_file(&path).map_err(|e| StoreError::io(&path, "remove", e))?;
        freed += size;
        count += 1;
    }
    Ok(count)
}

impl CleanupPlan {
    /// What clients and the command line are told of a clean-up (GW-165). `removed` is how many went.
    pub fn report(&self, agent: &str, path: &Path, removed: u64, dry_run: bool, enforce: bool) -> Value {
        let gone = self.doomed.len() as u64;
        let actions: Vec<Value> =
            self.doomed.iter().map(|d| json!({"key": d.row.key, "action": d.action, "updatedAt": d.row.updated_at_ms})).collect();
        json!({
            "agentId": agent, "storePath": path, "mode": if enforce { "enforce" } else { "warn" }, "dryRun": dry_run,
            "beforeCount": self.before, "afterCount": self.before - gone, "missing": self.count("prune-missing"),
            "dmScopeRetired": self.count("retire-dm-scope"), "pruned": self.count("prune-stale"), "capped": self.count("cap-overflow"),
            "evicted": self.count("evict-budget"), "wouldMutate": gone > 0 || self.archive_bytes > 0, "applied": removed > 0,
            "appliedCount": self.before - removed, "actions": actions,
        })
    }
}

impl Doomed {
    /// True for what somebody asked for by name, which is done although the config only warns.
    pub fn is_asked_for(&self) -> bool {
        matches!(self.action, "prune-missing" | "retire-dm-scope")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-165
    #[test]
    fn a_file_is_cleaned_without_a_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions.json");
        let session = |id: &str, at: i64| json!({"sessionId": id, "updatedAt": at, "skillsSnapshot": {"prompt": "kept"}});
        let list = json!({
            "agent:main:main": session("main", 900), "agent:main:old": session("old", 1), "agent:main:alias": session("shared", 2),
            "agent:main:new": session("new", 950), "agent:main:twin": session("shared", 960), "agent:main:lost": session("lost", 970),
            "global": 7,
        });
        std::fs::write(&path, list.to_string()).unwrap();
        for id in ["main", "old", "new", "shared"] {
            std::fs::write(dir.path().join(format!("{id}.jsonl")), "{}\n").unwrap();
        }
        let rules = CleanupRules { stale_before_ms: 100, max_entries: 50, missing: true, ..CleanupRules::default() };
        let before = std::fs::read(&path).unwrap();
        let looked = clean_file(&path, &rules, |_| false, false).unwrap();
        assert_eq!((looked.plan.doomed.len(), looked.removed), (3, 0));
        assert_eq!(std::fs::read(&path).unwrap(), before, "a look changes nothing");
        let report = looked.plan.report("main", &path, 0, true, false);
        assert_eq!((&report["beforeCount"], &report["afterCount"], &report["missing"]), (&json!(6), &json!(3), &json!(1)));

        let named = clean_file(&path, &rules, Doomed::is_asked_for, false).unwrap();
        assert_eq!(named.removed, 1);
        let done = clean_file(&path, &rules, |_| true, true).unwrap();
        assert_eq!(done.removed, 2);
        let left: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let keys: Vec<&String> = left.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["agent:main:main", "agent:main:new", "agent:main:twin", "global"]);
        assert_eq!(left["agent:main:new"], list["agent:main:new"]);
        assert!(dir.path().join("shared.jsonl").is_file(), "another session has it too");
        let archives = archives_in(dir.path());
        assert!(archives.len() == 1 && archives[0].0.to_string_lossy().contains("old.jsonl.deleted."), "{archives:?}");

        let small = CleanupRules { disk: Some((5, 1)), max_entries: 50, ..CleanupRules::default() };
        let freed = clean_file(&path, &small, |_| false, true).unwrap();
        assert_eq!((freed.archives, freed.removed), (1, 0));
        std::fs::write(&path, "[]").unwrap();
        assert!(clean_file(&path, &rules, |_| true, false).unwrap_err().to_string().contains("list of sessions"));
    }
}
