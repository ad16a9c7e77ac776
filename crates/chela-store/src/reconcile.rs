//! Bringing a transcript's file and the database together (GW-151).
//!
//! The file may be missing, shorter (killed between commit and write), longer (another program appended), edited,
//! or end in half a line. Entries only in the file are taken over; entries only in the database are written;
//! what is no entry is moved to a file beside it, never dropped.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use rusqlite::params;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::effects::FileOp;
use crate::entry::{self, Stored};
use crate::tx::{Transcript, Tx};
use crate::{Result, StoreError, mirror, time};

/// Bytes read from the end of a file to see whether its last line is the last entry.
const TAIL_BYTES: u64 = 64 << 10;

/// Size and time of a file, to notice a change between reading it and acting on what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
}

fn stamp(path: &Path) -> std::io::Result<Option<Stamp>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => Ok(Some(Stamp { len: meta.len(), modified: meta.modified().ok() })),
        Ok(_) => Err(std::io::Error::other("not a regular file")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// True when the file is as the database left it: the recorded length, and the last entry in its last line.
pub(crate) fn is_current(t: &Transcript) -> Result<bool> {
    let fail = |e| StoreError::io(&t.file, "read", e);
    let expected = u64::try_from(t.file_bytes).unwrap_or_default();
    let found = stamp(&t.file).map_err(fail)?;
    // A removed archive was removed on purpose; a file that was never due is not missing.
    if found.is_none() && (expected == 0 || t.archived_at.is_some()) {
        return Ok(t.imported || t.archived_at.is_some());
    }
    if !t.imported || found.map(|s| s.len) != Some(expected) {
        return Ok(false);
    }
    let Some(leaf) = &t.leaf_id else {
        return Ok(true);
    };
    last_line_has(&t.file, expected, leaf).map_err(fail)
}

fn last_line_has(path: &Path, len: u64, id: &str) -> std::io::Result<bool> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let Some(body) = tail.strip_suffix(b"\n") else {
        return Ok(false);
    };
    let Some(at) = body.iter().rposition(|b| *b == b'\n') else {
        // One line longer than what was read: its length matched, and reading it all is what this look avoids.
        return Ok(true);
    };
    let line: Option<Value> = serde_json::from_slice(&body[at + 1..]).ok();
    Ok(line.and_then(|l| l.get("id").and_then(Value::as_str).map(|found| found == id)).unwrap_or(false))
}

/// A file taken apart.
pub(crate) struct ParsedFile {
    stamp: Option<Stamp>,
    header: Option<String>,
    lines: Vec<ParsedLine>,
    /// Something in the file is not as it should be written: the file has to be written again.
    rewrite: bool,
}

struct ParsedLine {
    id: String,
    /// `None` when the line has no `parentId` at all.
    parent: Option<Option<String>>,
    kind: String,
    at: i64,
    raw: String,
}

/// Reads and parses a transcript file; half a last line and lines that are no entries are saved beside it.
pub(crate) fn read_file(path: &Path, session_id: &str) -> Result<ParsedFile> {
    let fail = |e| StoreError::io(path, "read", e);
    let stamp = stamp(path).map_err(fail)?;
    let mut out = ParsedFile { stamp, header: None, lines: Vec::new(), rewrite: false };
    if stamp.is_none() {
        return Ok(out);
    }
    let bytes = fs::read(path).map_err(fail)?;
    let mut torn: Vec<u8> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (number, segment) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let line = segment.strip_suffix(b"\n");
        // A last line without its line end is whole when it parses.
        out.rewrite |= line.is_none();
        let line = line.unwrap_or(segment);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if !out.take_line(line, number, session_id, &mut seen) {
            torn.extend_from_slice(line);
            torn.push(b'\n');
        }
    }
    out.rewrite |= out.header.is_none();
    if !torn.is_empty() {
        out.rewrite = true;
        save_torn(path, &torn)?;
    }
    Ok(out)
}

fn save_torn(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = PathBuf::from(format!("{}.torn-{}", path.display(), time::archive_stamp(time::now_ms())));
    let outcome = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(mirror::FILE_MODE)
        .open(&aside)
        .and_then(|mut file| file.write_all(bytes));
    outcome.map_err(|e| StoreError::io(&aside, "save unreadable lines to", e))?;
    tracing::warn!(path = %path.display(), saved = %aside.display(), bytes = bytes.len(), "transcript file has lines that are no entries; they were moved aside");
    Ok(())
}

impl ParsedFile {
    /// Takes one line over; false when it is no entry.
    fn take_line(&mut self, bytes: &[u8], number: usize, session_id: &str, seen: &mut HashMap<String, usize>) -> bool {
        let Ok(raw) = std::str::from_utf8(bytes) else {
            return false;
        };
        let Ok(Value::Object(mut map)) = serde_json::from_str::<Value>(raw) else {
            return false;
        };
        let Some(kind) = map.get("type").and_then(Value::as_str).map(str::to_owned) else {
            return false;
        };
        if kind == "session" {
            self.rewrite |= self.header.is_some() || number != 0;
            self.header.get_or_insert_with(|| raw.to_owned());
            return true;
        }
        let id = map.get("id").and_then(Value::as_str).filter(|id| !id.trim().is_empty()).map(str::to_owned);
        let parent = map.get("parentId").map(|p| p.as_str().map(str::to_owned));
        let at = map.get("timestamp").and_then(time::parse);
        let previous = self.lines.last().map(|l| l.id.clone());
        let mut line = ParsedLine { id: id.clone().unwrap_or_default(), parent, kind, at: at.unwrap_or_default(), raw: raw.to_owned() };
        if at.is_none() {
            line.at = self.lines.last().map_or_else(time::now_ms, |l| l.at);
        }
        if id.is_none() {
            line.id = derived_id(session_id, number, raw);
        }
        if id.is_none() || line.parent.is_none() {
            // The oldest form has neither id nor parent; the reference completes it in the same way.
            line.parent = Some(previous);
            line.raw = complete_line(&mut map, &line);
            self.rewrite = true;
        }
        match seen.insert(line.id.clone(), self.lines.len()) {
            // The same entry twice: the later one counts.
            Some(earlier) => {
                seen.insert(line.id.clone(), earlier);
                self.lines[earlier] = line;
                self.rewrite = true;
            }
            None => self.lines.push(line),
        }
        true
    }
}

/// The same line gives the same id at every reading, so that a second import finds it known.
fn derived_id(session_id: &str, number: usize, raw: &str) -> String {
    let digest = Sha256::new().chain_update(session_id).chain_update(number.to_le_bytes()).chain_update(raw).finalize();
    digest.iter().take(4).map(|b| format!("{b:02x}")).collect()
}

fn complete_line(map: &mut Map<String, Value>, line: &ParsedLine) -> String {
    map.insert("id".into(), line.id.as_str().into());
    let parent = line.parent.as_ref().and_then(Option::as_deref);
    map.insert("parentId".into(), parent.map_or(Value::Null, Value::from));
    Value::Object(std::mem::take(map)).to_string()
}

/// What [`Tx::reconcile`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reconciled {
    Done,
    /// Transcript or file changed since they were read.
    Stale,
}

impl Tx<'_> {
    /// Reads the file here, in the writer: only for a file that changed under a running store.
    pub(crate) fn reconcile_now(&mut self, session_id: &str) -> Result<()> {
        let t = self.require_transcript(session_id)?;
        let file = read_file(&t.file, session_id)?;
        self.reconcile(&t, file).map(|_| ())
    }

    /// Merges a parsed file into the database and queues what the file still lacks.
    pub(crate) fn reconcile(&mut self, seen: &Transcript, file: ParsedFile) -> Result<Reconciled> {
        let mut t = self.require_transcript(&seen.session_id)?;
        let changed = (t.next_seq, t.file_bytes, &t.file) != (seen.next_seq, seen.file_bytes, &seen.file);
        let now = stamp(&t.file).map_err(|e| StoreError::io(&t.file, "read", e))?;
        if changed || now != file.stamp {
            return Ok(Reconciled::Stale);
        }
        let stored = self.all("SELECT id, line FROM entries WHERE tid = ?1 ORDER BY seq", [t.tid], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))
        })?;
        let mut rewrite = file.rewrite;
        if let Some(header) = file.header.filter(|h| *h != t.header) {
            t.header = header;
        }
        rewrite |= self.merge(&mut t, &stored, &file.lines)?;
        self.settle_file(&mut t, file.stamp, &file.lines, rewrite)?;
        t.imported = true;
        self.save_transcript(&t)?;
        self.effects.loaded.push(t.session_id.clone());
        Ok(Reconciled::Done)
    }

    /// Takes over what only the file has; true when the file's order or text is not the database's now.
    fn merge(&mut self, t: &mut Transcript, stored: &[(String, String)], lines: &[ParsedLine]) -> Result<bool> {
        let known: HashMap<&str, &str> = stored.iter().map(|(id, line)| (id.as_str(), line.as_str())).collect();
        let in_file: HashSet<&str> = lines.iter().map(|l| l.id.as_str()).collect();
        let database_only = stored.iter().any(|(id, _)| !in_file.contains(id.as_str()));
        let last_common = lines.iter().rev().find(|l| known.contains_key(l.id.as_str())).map(|l| l.id.clone());
        let old_leaf = t.leaf_id.clone();
        let mut rewrite = false;
        let mut first_foreign = true;
        for line in lines {
            match known.get(line.id.as_str()) {
                Some(text) if *text == line.raw => {}
                Some(_) => self.update_line(t.tid, line)?,
                None => {
                    // Both sides went on from the same entry: the file's part is put behind the database's, so
                    // that one chain holds both.
                    let fork = first_foreign && database_only && line.parent.clone().flatten() == last_common;
                    let parent = if fork { old_leaf.clone() } else { line.parent.clone().flatten() };
                    let raw = if fork { with_parent(&line.raw, parent.as_deref()) } else { line.raw.clone() };
                    let entry =
                        Stored { id: &line.id, parent_id: parent.as_deref(), kind: &line.kind, at: line.at, line: &raw, active: true };
                    self.insert_entry(t.tid, t.next_seq, &entry)?;
                    t.next_seq += 1;
                    t.leaf_id = Some(line.id.clone());
                    t.last_at = Some(t.last_at.unwrap_or(line.at).max(line.at));
                    rewrite |= fork;
                    first_foreign = false;
                }
            }
        }
        let order =
            stored.iter().map(|(id, _)| id.as_str()).chain(lines.iter().map(|l| l.id.as_str()).filter(|id| !known.contains_key(id)));
        rewrite |= !order.zip(lines).all(|(id, line)| id == line.id);
        self.mark_branch(t)?;
        Ok(rewrite)
    }

    fn update_line(&self, tid: i64, line: &ParsedLine) -> Result<()> {
        let parent = line.parent.clone().flatten();
        self.exec(
            "UPDATE entries SET line = ?3, kind = ?4, at = ?5, parent_id = ?6, context = ?7 WHERE tid = ?1 AND id = ?2",
            params![tid, line.id, line.raw, line.kind, line.at, parent, entry::is_context(&line.kind)],
        )?;
        Ok(())
    }

    /// Marks the entries on the way from the last entry to the first; others belong to abandoned branches.
    fn mark_branch(&mut self, t: &mut Transcript) -> Result<()> {
        let chain = self.all("SELECT id, parent_id, seq FROM entries WHERE tid = ?1 ORDER BY seq", [t.tid], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, Option<String>>(1)?, r.get::<_, i64>(2)?))
        })?;
        let place: HashMap<&str, usize> = chain.iter().enumerate().map(|(n, (id, ..))| (id.as_str(), n)).collect();
        let mut active = vec![false; chain.len()];
        let mut at = chain.len().checked_sub(1);
        while let Some(n) = at.filter(|n| !active[*n]) {
            active[n] = true;
            at = match &chain[n].1 {
                None => None,
                // A parent that is nowhere (its line was unreadable) must not cut off the whole history.
                Some(parent) => place.get(parent.as_str()).copied().or_else(|| n.checked_sub(1)),
            };
        }
        for (n, (_, _, seq)) in chain.iter().enumerate() {
            self.exec("UPDATE entries SET active = ?3 WHERE tid = ?1 AND seq = ?2 AND active <> ?3", params![t.tid, seq, active[n]])?;
        }
        let count = "SELECT COUNT(*) FROM entries WHERE tid = ?1 AND active = 1 AND context = 1 AND kind = 'message'";
        t.messages = self.one(count, [t.tid], |r| r.get(0))?.unwrap_or_default();
        Ok(())
    }

    /// Queues the lines the file lacks, or the whole file, and records the length it will have.
    fn settle_file(&mut self, t: &mut Transcript, found: Option<Stamp>, lines: &[ParsedLine], rewrite: bool) -> Result<()> {
        let sum = "SELECT COALESCE(SUM(LENGTH(CAST(line AS BLOB)) + 1), 0), COUNT(*) FROM entries WHERE tid = ?1";
        let (bytes, count): (i64, i64) = self.one(sum, [t.tid], |r| Ok((r.get(0)?, r.get(1)?)))?.unwrap_or_default();
        let nothing_due = found.is_none() && (count == 0 || t.archived_at.is_some());
        if nothing_due {
            t.file_bytes = 0;
            return Ok(());
        }
        let whole = bytes + i64::try_from(t.header.len() + 1).unwrap_or_default();
        let length = found.map_or(0, |s| i64::try_from(s.len).unwrap_or(i64::MAX));
        let present = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let missing =
            self.all("SELECT line FROM entries WHERE tid = ?1 AND seq >= ?2 ORDER BY seq", [t.tid, present], |r| r.get::<_, String>(0))?;
        let missing_bytes: i64 = missing.iter().map(|l| i64::try_from(l.len() + 1).unwrap_or_default()).sum();
        t.file_bytes = whole;
        if rewrite || found.is_none() || length + missing_bytes != whole {
            self.effects.push_op(FileOp::Rewrite { session_id: t.session_id.clone(), path: t.file.clone() });
        } else if !missing.is_empty() {
            let text: String = missing.iter().flat_map(|l| [l.as_str(), "\n"]).collect();
            self.effects.push_op(FileOp::Append {
                session_id: t.session_id.clone(),
                path: t.file.clone(),
                before: u64::try_from(length).unwrap_or_default(),
                bytes: text.into_bytes(),
            });
        }
        Ok(())
    }
}

fn with_parent(raw: &str, parent: Option<&str>) -> String {
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::Object(mut map)) => {
            map.insert("parentId".into(), parent.map_or(Value::Null, Value::from));
            Value::Object(map).to_string()
        }
        _ => raw.to_owned(),
    }
}
