//! One call inside the writer's transaction: rows, transcripts, and what must follow the commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::effects::{Effects, FileOp};
use crate::shared::Shared;
use crate::windows::Appended;
use crate::{Entry, Result, SessionRow, StoreError, entry};

/// Columns of a session row with its message count, for [`read_row`].
pub(crate) const ROW_COLUMNS: &str = "s.key, s.agent_id, s.created_at, s.row_json, COALESCE(t.messages, 0) \
     FROM sessions s LEFT JOIN transcripts t ON t.session_id = s.session_id";

const TRANSCRIPT_COLUMNS: &str = "tid, session_id, session_key, file, header, leaf_id, next_seq, messages, \
     last_at, file_bytes, imported, archived_at FROM transcripts";

/// Head of a transcript; entries are rows of their own.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    pub(crate) tid: i64,
    pub(crate) session_id: String,
    pub(crate) session_key: String,
    pub(crate) file: PathBuf,
    pub(crate) header: String,
    pub(crate) leaf_id: Option<String>,
    pub(crate) next_seq: i64,
    pub(crate) messages: i64,
    pub(crate) last_at: Option<i64>,
    /// Length the file has once the operations of the last commit are done.
    pub(crate) file_bytes: i64,
    /// False until the file of an existing installation was read.
    pub(crate) imported: bool,
    pub(crate) archived_at: Option<i64>,
}

pub(crate) struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) shared: &'a Shared,
    batch: &'a Effects,
    pub(crate) effects: Effects,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: &'a Connection, shared: &'a Shared, batch: &'a Effects) -> Self {
        Self { conn, shared, batch, effects: Effects::default() }
    }

    pub(crate) fn into_effects(self) -> Effects {
        self.effects
    }

    pub(crate) fn stmt(&self, sql: &str) -> Result<CachedStatement<'a>> {
        self.conn.prepare_cached(sql).map_err(|e| self.fail("prepare", &e))
    }

    pub(crate) fn exec(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.stmt(sql)?.execute(values).map_err(|e| self.fail("write", &e))
    }

    /// First row of a query, if any.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.stmt(sql)?.query_row(values, read).optional().map_err(|e| self.fail("read", &e))
    }

    /// All rows of a query.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut stmt = self.stmt(sql)?;
        let rows = stmt.query_map(values, read).map_err(|e| self.fail("read", &e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.fail("read", &e))
    }

    fn fail(&self, operation: &'static str, e: &rusqlite::Error) -> StoreError {
        self.shared.sqlite(operation, e)
    }

    pub(crate) fn sessions_dir(&self, agent_id: &str) -> PathBuf {
        (self.shared.sessions_dir_for)(agent_id)
    }

    // Session rows.

    pub(crate) fn row(&mut self, key: &str) -> Result<Option<SessionRow>> {
        if let Some(row) = self.effects.rows.get(key).or_else(|| self.batch.rows.get(key)) {
            return Ok(row.as_deref().cloned());
        }
        let cached = self.shared.cache().get(key);
        if let Some(row) = cached {
            return Ok(Some(SessionRow::clone(&row)));
        }
        let dir_for = &self.shared.sessions_dir_for;
        self.one(&format!("SELECT {ROW_COLUMNS} WHERE s.key = ?1"), [key], |r| read_row(r, dir_for))
    }

    pub(crate) fn require_row(&mut self, key: &str) -> Result<SessionRow> {
        self.row(key)?.ok_or_else(|| StoreError::UnknownSession { key: key.to_owned() })
    }

    /// Stores a row; `message_count` follows the transcript, whatever the row says.
    pub(crate) fn put_row(&mut self, row: &SessionRow) -> Result<()> {
        let is_new = self.one("SELECT 1 FROM sessions WHERE key = ?1", [&row.key], |_| Ok(()))?.is_none();
        let rev = self.bump_agent(&row.agent_id, i64::from(is_new))?;
        let json = Value::Object(row.to_projection()).to_string();
        self.exec(
            "INSERT INTO sessions (key, agent_id, session_id, created_at, updated_at, label, rev, plugin_state, row_json) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) DO UPDATE SET session_id = ?3, \
             updated_at = ?5, label = ?6, rev = ?7, plugin_state = ?8, row_json = ?9",
            params![
                row.key,
                row.agent_id,
                row.session_id,
                row.created_at_ms,
                row.updated_at_ms,
                row.label,
                rev,
                row.has_plugin_state(),
                json
            ],
        )?;
        self.note_expiry(row)?;
        self.effects.rows.insert(row.key.clone(), Some(Arc::new(row.clone())));
        Ok(())
    }

    pub(crate) fn remove_row(&mut self, row: &SessionRow) -> Result<()> {
        self.exec("DELETE FROM sessions WHERE key = ?1", [&row.key])?;
        self.exec("DELETE FROM session_expiry WHERE key = ?1", [&row.key])?;
        self.bump_agent(&row.agent_id, -1)?;
        self.effects.rows.insert(row.key.clone(), None);
        Ok(())
    }

    /// Counts a change of an agent's rows and hands back its new revision.
    pub(crate) fn bump_agent(&mut self, agent_id: &str, sessions: i64) -> Result<i64> {
        self.effects.dirty_agents.insert(agent_id.to_owned());
        let rev = self.one(
            "INSERT INTO agents (agent_id, sessions, rev) VALUES (?1, ?2, 1) ON CONFLICT (agent_id) \
             DO UPDATE SET sessions = sessions + ?2, rev = rev + 1 RETURNING rev",
            params![agent_id, sessions],
            |r| r.get(0),
        )?;
        Ok(rev.unwrap_or_default())
    }

    // Transcripts.

    pub(crate) fn transcript(&self, session_id: &str) -> Result<Option<Transcript>> {
        self.one(&format!("SELECT {TRANSCRIPT_COLUMNS} WHERE session_id = ?1"), [session_id], read_transcript)
    }

    pub(crate) fn require_transcript(&self, session_id: &str) -> Result<Transcript> {
        self.transcript(session_id)?.ok_or_else(|| StoreError::UnknownTranscript { session_id: session_id.to_owned() })
    }

    /// Creates the head of a transcript whose file will be written with its first entry, or, with `imported`
    /// false, read at its first use.
    pub(crate) fn create_transcript(&mut self, row: &SessionRow, header: &str, imported: bool) -> Result<()> {
        self.exec(
            "INSERT INTO transcripts (session_id, session_key, agent_id, file, header, imported) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![row.session_id, row.key, row.agent_id, path_text(&row.session_file), header, imported],
        )?;
        if imported {
            self.effects.loaded.push(row.session_id.clone());
        }
        Ok(())
    }

    /// Stores the head of a transcript whose entries may have changed.
    pub(crate) fn save_transcript(&mut self, t: &Transcript) -> Result<()> {
        self.effects.rewritten.insert(t.session_id.clone());
        self.save_head(t)
    }

    fn save_head(&mut self, t: &Transcript) -> Result<()> {
        self.exec(
            "UPDATE transcripts SET file = ?2, header = ?3, leaf_id = ?4, next_seq = ?5, messages = ?6, last_at = ?7, \
             file_bytes = ?8, imported = ?9, archived_at = ?10 WHERE tid = ?1",
            params![
                t.tid,
                path_text(&t.file),
                t.header,
                t.leaf_id,
                t.next_seq,
                t.messages,
                t.last_at,
                t.file_bytes,
                t.imported,
                t.archived_at
            ],
        )?;
        let messages = u64::try_from(t.messages).unwrap_or_default();
        self.effects.messages.insert(t.session_id.clone(), (t.session_key.clone(), messages));
        Ok(())
    }

    /// Stores entries at the end of a transcript and queues their lines for its file.
    pub(crate) fn append_entries(&mut self, t: &mut Transcript, entries: Vec<entry::NewEntry>, now: i64) -> Result<Vec<entry::EntryMeta>> {
        let mut bytes = Vec::new();
        if t.file_bytes == 0 {
            bytes.extend_from_slice(t.header.as_bytes());
            bytes.push(b'\n');
        }
        let before = u64::try_from(t.file_bytes).unwrap_or_default();
        let from_start = t.next_seq == 0;
        let mut context = Vec::with_capacity(entries.len());
        let mut metas = Vec::with_capacity(entries.len());
        for new in entries {
            let id = self.entry_id(t.tid, new.id.as_deref())?;
            let at = new.at_ms.unwrap_or(now);
            let line = entry::line(&new, &id, t.leaf_id.as_deref(), at)?;
            let stored = entry::Stored { id: &id, parent_id: t.leaf_id.as_deref(), kind: &new.kind, at, line: &line, active: true };
            self.insert_entry(t.tid, t.next_seq, &stored)?;
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            let seq = u64::try_from(t.next_seq).unwrap_or_default();
            let parent_id = t.leaf_id.replace(id.clone());
            metas.push(entry::EntryMeta { id: id.clone(), parent_id: parent_id.clone(), seq });
            t.messages += i64::from(new.kind == entry::MESSAGE);
            if entry::is_context(&new.kind) {
                context.push(Arc::new(Entry { id, parent_id, seq, kind: new.kind, at_ms: at, body: new.body }));
            }
            t.next_seq += 1;
            t.last_at = Some(at);
        }
        if metas.is_empty() {
            return Ok(metas);
        }
        t.file_bytes += i64::try_from(bytes.len()).unwrap_or_default();
        self.save_head(t)?;
        self.effects.appended.push(Appended { session_id: t.session_id.clone(), from_start, entries: context });
        self.effects.push_op(FileOp::Append { session_id: t.session_id.clone(), path: t.file.clone(), before, bytes });
        Ok(metas)
    }

    pub(crate) fn insert_entry(&self, tid: i64, seq: i64, e: &entry::Stored<'_>) -> Result<()> {
        self.exec(
            "INSERT INTO entries (tid, seq, id, parent_id, kind, at, active, context, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![tid, seq, e.id, e.parent_id, e.kind, e.at, e.active, entry::is_context(e.kind), e.line],
        )?;
        Ok(())
    }

    /// An id that is free in the transcript: the caller's own, else eight hexadecimal digits as the reference
    /// gives them, else a whole uuid.
    fn entry_id(&self, tid: i64, wanted: Option<&str>) -> Result<String> {
        const TRIES: usize = 16;
        if let Some(id) = wanted {
            if id.trim().is_empty() || id.len() > 256 || self.has_entry(tid, id)? {
                return Err(StoreError::invalid("entry id", format!("`{id}` is blank, too long or taken")));
            }
            return Ok(id.to_owned());
        }
        for _ in 0..TRIES {
            let mut id = uuid::Uuid::new_v4().simple().to_string();
            id.truncate(8);
            if !self.has_entry(tid, &id)? {
                return Ok(id);
            }
        }
        Ok(uuid::Uuid::new_v4().to_string())
    }

    fn has_entry(&self, tid: i64, id: &str) -> Result<bool> {
        Ok(self.one("SELECT 1 FROM entries WHERE tid = ?1 AND id = ?2", params![tid, id], |_| Ok(()))?.is_some())
    }

    // Files.

    /// Journals a rename, so that a crash between the commit and the rename is made good at the next start.
    pub(crate) fn queue_rename(&mut self, from: PathBuf, to: PathBuf) -> Result<()> {
        self.exec("INSERT INTO file_ops (source, target) VALUES (?1, ?2)", params![path_text(&from), path_text(&to)])?;
        let op = self.conn.last_insert_rowid();
        self.effects.push_op(FileOp::Rename { op, from, to });
        Ok(())
    }

    /// Journals a removal.
    pub(crate) fn queue_remove(&mut self, path: PathBuf) -> Result<()> {
        self.exec("INSERT INTO file_ops (source, target) VALUES (?1, NULL)", [path_text(&path)])?;
        let op = self.conn.last_insert_rowid();
        self.effects.push_op(FileOp::Remove { op, path });
        Ok(())
    }
}

/// Reads the columns of [`ROW_COLUMNS`].
pub(crate) fn read_row(r: &Row<'_>, dir_for: &crate::shared::DirFor) -> rusqlite::Result<SessionRow> {
    let (key, agent_id): (String, String) = (r.get(0)?, r.get(1)?);
    let json: String = r.get(3)?;
    let corrupt = |detail: String| rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, detail.into());
    let Ok(Value::Object(map)) = serde_json::from_str(&json) else {
        return Err(corrupt(format!("row `{key}` is no JSON object")));
    };
    let mut row = SessionRow::from_projection(&key, &agent_id, &dir_for(&agent_id), map)
        .ok_or_else(|| corrupt(format!("row `{key}` has no session id")))?;
    row.created_at_ms = r.get(2)?;
    row.message_count = u64::try_from(r.get::<_, i64>(4)?).unwrap_or_default();
    Ok(row)
}

fn read_transcript(r: &Row<'_>) -> rusqlite::Result<Transcript> {
    Ok(Transcript {
        tid: r.get(0)?,
        session_id: r.get(1)?,
        session_key: r.get(2)?,
        file: PathBuf::from(r.get::<_, String>(3)?),
        header: r.get(4)?,
        leaf_id: r.get(5)?,
        next_seq: r.get(6)?,
        messages: r.get(7)?,
        last_at: r.get(8)?,
        file_bytes: r.get(9)?,
        imported: r.get(10)?,
        archived_at: r.get(11)?,
    })
}

/// Reads a transcript head on a reading connection.
pub(crate) fn find_transcript(conn: &Connection, session_id: &str) -> rusqlite::Result<Option<Transcript>> {
    conn.prepare_cached(&format!("SELECT {TRANSCRIPT_COLUMNS} WHERE session_id = ?1"))?.query_row([session_id], read_transcript).optional()
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
