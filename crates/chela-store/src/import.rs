//! Taking over what another program wrote into `sessions.json`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use fs_err as fs;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::tx::Tx;
use crate::{Result, SessionRow, StoreError, entry, mirror, session_key, time};

/// A `sessions.json` that is not the one the store wrote last.
pub(crate) struct ChangedFile {
    pub(crate) rows: Map<String, Value>,
    pub(crate) mark: FileMark,
    /// Revision of the agent's rows in the file the store wrote last; -1 when it never wrote one.
    base_rev: i64,
}

/// What the store remembers of a `sessions.json`, to see whether another program changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileMark {
    pub(crate) mtime_ns: i64,
    pub(crate) size: i64,
    pub(crate) hash: String,
}

pub(crate) fn sessions_json(dir: &Path) -> PathBuf {
    dir.join("sessions.json")
}

/// Modification time in nanoseconds and size of a regular file.
pub(crate) fn stat(path: &Path) -> Option<(i64, i64)> {
    let meta = fs::symlink_metadata(path).ok().filter(|m| m.is_file())?;
    let mtime = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((i64::try_from(mtime.as_nanos()).ok()?, i64::try_from(meta.len()).ok()?))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// The file's rows when it is not what the store wrote last. A file that cannot be parsed is kept aside and
/// counts as unchanged: the database is the truth, and it will be written again.
pub(crate) fn read_changed(conn: &Connection, agent_id: &str, dir: &Path) -> Result<Option<ChangedFile>> {
    let path = sessions_json(dir);
    let Some((mtime_ns, size)) = stat(&path) else {
        return Ok(None);
    };
    let known = conn
        .prepare_cached("SELECT file_rev, COALESCE(file_mtime_ns, -1), COALESCE(file_size, -1), COALESCE(file_hash, '') FROM agents WHERE agent_id = ?1")
        .and_then(|mut s| {
            s.query_row([agent_id], |r| {
                Ok((r.get::<_, i64>(0)?, FileMark { mtime_ns: r.get(1)?, size: r.get(2)?, hash: r.get(3)? }))
            })
            .optional()
        })
        .map_err(|e| StoreError::sqlite(&path, "read", &e))?;
    if known.as_ref().is_some_and(|(_, mark)| mark.mtime_ns == mtime_ns && mark.size == size) {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(|e| StoreError::io(&path, "read", e))?;
    let hash = hex(&Sha256::digest(&bytes));
    if known.as_ref().is_some_and(|(_, mark)| mark.hash == hash) {
        return Ok(None);
    }
    let Ok(Value::Object(rows)) = serde_json::from_slice(&bytes) else {
        return keep_aside(&path, &bytes).map(|()| None);
    };
    Ok(Some(ChangedFile { rows, mark: FileMark { mtime_ns, size, hash }, base_rev: known.map_or(-1, |(rev, _)| rev) }))
}

fn keep_aside(path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let aside = PathBuf::from(format!("{}.corrupt-{}", path.display(), time::archive_stamp(time::now_ms())));
    mirror::replace_file(&aside, |out| out.write_all(bytes)).map_err(|e| StoreError::io(&aside, "write", e))?;
    tracing::warn!(path = %path.display(), saved = %aside.display(), "the session list is no JSON object; it was moved aside and is written again");
    Ok(())
}

impl Tx<'_> {
    /// Merges a changed `sessions.json`: a row that the store did not change since it last wrote the file follows
    /// the file, also when it is gone there; a row changed on both sides follows the later `updatedAt`.
    pub(crate) fn import_rows(&mut self, agent_id: &str, dir: &Path, file: &ChangedFile) -> Result<()> {
        self.exec("DELETE FROM foreign_rows WHERE agent_id = ?1", [agent_id])?;
        let mut seen = HashSet::new();
        let mut taken = 0_usize;
        for (raw_key, value) in &file.rows {
            let key = session_key::canonicalize(raw_key, agent_id);
            let parsed = value.as_object().and_then(|m| SessionRow::from_projection(&key, agent_id, dir, m.clone()));
            let Some(row) = parsed else {
                self.keep_foreign(agent_id, raw_key, value)?;
                continue;
            };
            seen.insert(key);
            match self.import_row(row, file.base_rev)? {
                Imported::Taken => taken += 1,
                Imported::Kept => {}
                Imported::OtherAgent => self.keep_foreign(agent_id, raw_key, value)?,
            }
        }
        let gone = self.remove_gone(agent_id, &seen, file.base_rev)?;
        if taken + gone > 0 {
            tracing::info!(
                agent = agent_id,
                taken,
                removed = gone,
                "session list was changed by another program; its changes were taken over"
            );
        }
        // The file is known now; rows that stayed ours are behind in it, which the raised revision says.
        self.exec("INSERT OR IGNORE INTO agents (agent_id) VALUES (?1)", [agent_id])?;
        self.record_file(agent_id, file.base_rev, &file.mark)
    }

    /// Remembers the file as it is on disk, and up to which revision it holds the agent's rows.
    pub(crate) fn record_file(&mut self, agent_id: &str, rev: i64, mark: &FileMark) -> Result<()> {
        self.exec(
            "UPDATE agents SET file_rev = ?2, file_mtime_ns = ?3, file_size = ?4, file_hash = ?5 WHERE agent_id = ?1",
            params![agent_id, rev, mark.mtime_ns, mark.size, mark.hash],
        )?;
        Ok(())
    }

    fn import_row(&mut self, incoming: SessionRow, base_rev: i64) -> Result<Imported> {
        let rev = self.one("SELECT rev FROM sessions WHERE key = ?1", [&incoming.key], |r| r.get::<_, i64>(0))?;
        if let (Some(rev), Some(own)) = (rev, self.row(&incoming.key)?) {
            if own.agent_id != incoming.agent_id {
                return Ok(Imported::OtherAgent);
            }
            let same = SessionRow { created_at_ms: own.created_at_ms, message_count: own.message_count, ..incoming.clone() } == own;
            let unchanged_here = rev <= base_rev;
            if same || !(unchanged_here || incoming.updated_at_ms > own.updated_at_ms) {
                return Ok(Imported::Kept);
            }
        }
        self.adopt_transcript(&incoming)?;
        self.put_row(&incoming)?;
        Ok(Imported::Taken)
    }

    /// Makes the transcript of an imported row known; its file is read at the first use of the session.
    fn adopt_transcript(&mut self, row: &SessionRow) -> Result<()> {
        match self.transcript(&row.session_id)? {
            None => {
                let header = entry::header(&row.session_id, row.session_started_at_ms, &self.shared.cwd, None);
                self.create_transcript(row, &header, false)
            }
            Some(mut t) => {
                self.effects.unloaded.push(t.session_id.clone());
                t.session_key.clone_from(&row.key);
                if t.archived_at.is_none() {
                    t.file.clone_from(&row.session_file);
                }
                self.exec("UPDATE transcripts SET session_key = ?2 WHERE tid = ?1", params![t.tid, t.session_key])?;
                self.save_transcript(&t)
            }
        }
    }

    fn keep_foreign(&self, agent_id: &str, key: &str, value: &Value) -> Result<()> {
        self.exec(
            "INSERT OR REPLACE INTO foreign_rows (agent_id, key, row_json) VALUES (?1, ?2, ?3)",
            params![agent_id, key, value.to_string()],
        )?;
        Ok(())
    }

    /// Rows that the file had when the store wrote it, and that another program removed since. Their transcripts stay.
    fn remove_gone(&mut self, agent_id: &str, seen: &HashSet<String>, base_rev: i64) -> Result<usize> {
        let sql = "SELECT key FROM sessions WHERE agent_id = ?1 AND rev <= ?2";
        let candidates = self.all(sql, params![agent_id, base_rev], |r| r.get::<_, String>(0))?;
        let mut gone = 0;
        for key in candidates.into_iter().filter(|k| !seen.contains(k)) {
            if let Some(row) = self.row(&key)? {
                self.remove_row(&row)?;
                gone += 1;
            }
        }
        Ok(gone)
    }
}

enum Imported {
    Taken,
    Kept,
    OtherAgent,
}
