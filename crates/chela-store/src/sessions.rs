//! Sessions: look up, list, open, replace, change, delete.

use std::sync::Arc;

use rusqlite::{OptionalExtension, ToSql};

use crate::shared::Shared;
use crate::tx::{ROW_COLUMNS, Tx, read_row};
use crate::{ArchiveReason, Result, SessionRow, Store, StoreError, archive_path, entry, row, session_key, time};

/// Why a session is opened.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum OpenReason {
    /// A message of a user or channel. An existing row is not written for it: the turn's commit does that, and it also makes a new
    /// row safe from a power failure.
    #[default]
    Interaction,
    /// A system event, a heartbeat, a job.
    System,
    /// A rollover (idle, daily): an existing session is replaced in the same step.
    Rollover(NewSession),
}

/// What [`Store::open_session`] found or made.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedSession {
    /// The row to go on with.
    pub row: SessionRow,
    /// True when its session id is new.
    pub created: bool,
    /// The row before a rollover; `session_file` is the archived file when there was one.
    pub replaced: Option<SessionRow>,
}

/// What a new session takes over from the one it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carry {
    /// Preferences and routing; counters start at zero, plugin state goes (a reset, HOOK-230).
    #[default]
    Preferences,
    /// Everything but the transcript (compaction into a successor).
    Everything,
}

/// How a session is replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSession {
    /// Id of the new session; `None` lets the store choose a uuid.
    pub session_id: Option<String>,
    /// What becomes of the old transcript; `None` leaves its file in place.
    pub archive: Option<ArchiveReason>,
    /// What the new row takes over.
    pub carry: Carry,
    /// Working directory in the header of the new transcript; `None` takes the store's.
    pub cwd: Option<String>,
    /// Names the old transcript in the new header as `parentSession`.
    pub link_parent: bool,
    /// Takes over the file that is there already under the new id: somebody else has written the transcript.
    pub adopt_file: bool,
}

impl Default for NewSession {
    fn default() -> Self {
        Self {
            session_id: None,
            archive: Some(ArchiveReason::Reset),
            carry: Carry::Preferences,
            cwd: None,
            link_parent: false,
            adopt_file: false,
        }
    }
}

/// Which sessions to list, newest change first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionQuery {
    /// Only this agent's.
    pub agent_id: Option<String>,
    /// At most this many; `None` means all.
    pub limit: Option<usize>,
    /// Skip this many.
    pub offset: usize,
    /// Only rows whose key, id, label, display name or subject contains this, in any case. Looks at every row.
    pub search: Option<String>,
    /// Only rows changed in the last so many minutes.
    pub active_minutes: Option<u64>,
    /// Only rows with exactly this label.
    pub label: Option<String>,
}

/// A page of sessions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionPage {
    /// The rows, newest change first, then by key.
    pub rows: Vec<SessionRow>,
    /// Rows that match without limit and offset. One counter when only the agent is chosen.
    pub total: u64,
}

impl Store {
    /// The session of a key, as last committed. `key` must be canonical ([`session_key::canonicalize`]).
    ///
    /// # Errors
    /// Read errors of the database.
    pub async fn session(&self, key: &str) -> Result<Option<SessionRow>> {
        let epoch = {
            let mut cache = self.inner.shared.cache();
            if let Some(row) = cache.get(key) {
                return Ok(Some(SessionRow::clone(&row)));
            }
            cache.epoch()
        };
        let key = key.to_owned();
        let row = self.read(move |conn, shared| select_row(conn, shared, "s.key = ?1", &key)).await?;
        if let Some(row) = &row {
            self.inner.shared.cache().insert_read(epoch, Arc::new(row.clone()));
        }
        Ok(row)
    }

    /// The session whose current transcript has this id; archived transcripts have none.
    ///
    /// # Errors
    /// Read errors of the database.
    pub async fn session_by_id(&self, session_id: &str) -> Result<Option<SessionRow>> {
        let id = session_id.to_owned();
        self.read(move |conn, shared| select_row(conn, shared, "s.session_id = ?1", &id)).await
    }

    /// A page of sessions, sorted by `updated_at_ms`, newest first.
    ///
    /// # Errors
    /// Read errors of the database.
    pub async fn list_sessions(&self, q: SessionQuery) -> Result<SessionPage> {
        self.read(move |conn, shared| list(conn, shared, &q)).await
    }

    /// The session of a key, created when there is none; durable when it resolves. `key` is made canonical.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a blank key, and write errors.
    pub async fn open_session(&self, key: &str, agent_id: &str, reason: OpenReason) -> Result<OpenedSession> {
        let agent = session_key::normalize_agent_id(agent_id);
        let key = session_key::canonicalize(key, &agent);
        let (rollover, relaxed) = match reason {
            OpenReason::Rollover(new) => (Some(new), false),
            OpenReason::Interaction => (None, true),
            OpenReason::System => (None, false),
        };
        // A turn has looked already: what is not in memory then is new as a rule, and the writer looks once more.
        let known = match (&rollover, relaxed) {
            (Some(_), _) => None,
            (None, true) => self.inner.shared.cache().get(&key).map(|row| SessionRow::clone(&row)),
            (None, false) => self.session(&key).await?,
        };
        if let Some(row) = known {
            return Ok(OpenedSession { row, created: false, replaced: None });
        }
        let work = move |tx: &mut Tx<'_>| {
            match (tx.row(&key)?, rollover) {
                // Another caller was faster.
                (Some(row), None) => Ok(OpenedSession { row, created: false, replaced: None }),
                (Some(_), Some(new)) => {
                    let (old, row) = tx.replace(&key, new)?;
                    Ok(OpenedSession { row, created: true, replaced: Some(old) })
                }
                (None, new) => {
                    let row = tx.create_session(&key, &agent, &new.unwrap_or_default())?;
                    Ok(OpenedSession { row, created: true, replaced: None })
                }
            }
        };
        if relaxed { self.write_relaxed(work).await } else { self.write(work).await }
    }

    /// Gives a key a new session id. Returns the old row, whose `session_file` is the archived file when there was
    /// one to archive (see [`crate::is_archive_name`]), and the new row.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`], [`StoreError::Invalid`] for an id that is unsafe or taken, and write errors.
    pub async fn replace_session(&self, key: &str, new: NewSession) -> Result<(SessionRow, SessionRow)> {
        let key = key.to_owned();
        self.write(move |tx| tx.replace(&key, new)).await
    }

    /// Changes a row inside the writer. `updated_at_ms` is set to now unless the function sets it; changes of key,
    /// agent, session id and message count are undone. The function must not block.
    ///
    /// # Errors
    /// [`StoreError::UnknownSession`], [`StoreError::UpdatePanicked`], and write errors.
    pub async fn update_session(&self, key: &str, update: impl FnOnce(&mut SessionRow) + Send + 'static) -> Result<SessionRow> {
        let key = key.to_owned();
        self.write(move |tx| {
            let row = tx.require_row(&key)?;
            tx.update_row(row, update)
        })
        .await
    }

    /// Removes a session; with `delete_transcript` its file is renamed to `<file>.deleted.<stamp>`, else left in
    /// place. Returns the row as it was, or `None` when there is none. The caller refuses main sessions (HOOK-224).
    ///
    /// # Errors
    /// Write errors.
    pub async fn delete_session(&self, key: &str, delete_transcript: bool) -> Result<Option<SessionRow>> {
        let key = key.to_owned();
        self.write(move |tx| {
            let Some(mut row) = tx.row(&key)? else {
                return Ok(None);
            };
            tx.remove_row(&row)?;
            if delete_transcript {
                tx.archive(&mut row, ArchiveReason::Deleted)?;
            }
            Ok(Some(row))
        })
        .await
    }

    /// Removes transcripts archived before `before_ms`, with their files; at most `limit` per call, oldest first.
    ///
    /// # Errors
    /// Write errors.
    pub async fn purge_archives(&self, before_ms: i64, limit: usize) -> Result<usize> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.write(move |tx| {
            let sql = "SELECT tid, file, session_id FROM transcripts WHERE archived_at IS NOT NULL AND archived_at < ?1 ORDER BY archived_at LIMIT ?2";
            let old = tx.all(sql, [before_ms, limit], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?)))?;
            let count = old.len();
            for (tid, file, session_id) in old {
                tx.drop_transcript(tid, &file, session_id)?;
            }
            Ok(count)
        })
        .await
    }
}

impl Tx<'_> {
    pub(crate) fn update_row(&mut self, before: SessionRow, update: impl FnOnce(&mut SessionRow)) -> Result<SessionRow> {
        let mut row = before.clone();
        update(&mut row);
        if row == before {
            return Ok(row);
        }
        if row.updated_at_ms == before.updated_at_ms {
            row.updated_at_ms = time::now_ms();
        }
        if row.session_file != before.session_file {
            tracing::warn!(key = before.key, "an update tried to move a transcript; the file stays");
        }
        row.key = before.key;
        row.agent_id = before.agent_id;
        row.session_id = before.session_id;
        row.session_file = before.session_file;
        row.created_at_ms = before.created_at_ms;
        row.message_count = before.message_count;
        self.put_row(&row)?;
        Ok(row)
    }

    fn create_session(&mut self, key: &str, agent_id: &str, new: &NewSession) -> Result<SessionRow> {
        let base =
            SessionRow { key: key.to_owned(), agent_id: agent_id.to_owned(), created_at_ms: time::now_ms(), ..SessionRow::default() };
        self.start_transcript(base, new, None)
    }

    fn replace(&mut self, key: &str, new: NewSession) -> Result<(SessionRow, SessionRow)> {
        let mut old = self.require_row(key)?;
        let parent = new.link_parent.then(|| old.session_file.to_string_lossy().into_owned());
        let base = match new.carry {
            Carry::Preferences => old.preferences(),
            Carry::Everything => SessionRow { message_count: 0, ..old.clone() },
        };
        if let Some(reason) = new.archive {
            self.archive(&mut old, reason)?;
        }
        let row = self.start_transcript(base, &new, parent.as_deref())?;
        Ok((old, row))
    }

    fn start_transcript(&mut self, mut row: SessionRow, new: &NewSession, parent: Option<&str>) -> Result<SessionRow> {
        let now = time::now_ms();
        let id = new.session_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if !row::is_safe_session_id(&id) || self.transcript(&id)?.is_some() {
            return Err(StoreError::invalid("session id", format!("`{id}` is no safe file name or is taken")));
        }
        row.session_file = row::default_file(&self.sessions_dir(&row.agent_id), &row.key, &id);
        row.session_id = id;
        row.updated_at_ms = now;
        row.session_started_at_ms = now;
        row.last_interaction_at_ms = now;
        let cwd = new.cwd.as_deref().unwrap_or(&self.shared.cwd);
        let header = entry::header(&row.session_id, now, cwd, parent);
        let written = new.adopt_file && row.session_file.is_file();
        self.create_transcript(&row, &header, !written)?;
        self.put_row(&row)?;
        Ok(row)
    }

    /// Renames a transcript's file after the commit; the row then names the archived file. A transcript without
    /// any file has nothing to archive.
    pub(crate) fn archive(&mut self, old: &mut SessionRow, reason: ArchiveReason) -> Result<()> {
        let Some(mut t) = self.transcript(&old.session_id)? else {
            return Ok(());
        };
        let now = time::now_ms();
        t.archived_at = Some(now);
        if t.file_bytes > 0 || t.file.is_file() {
            let target = archive_path(&t.file, reason, now);
            self.queue_rename(std::mem::replace(&mut t.file, target.clone()), target.clone())?;
            old.session_file = target;
        }
        self.save_transcript(&t)
    }
}

fn select_row(conn: &rusqlite::Connection, shared: &Shared, filter: &str, value: &str) -> rusqlite::Result<Option<SessionRow>> {
    conn.prepare_cached(&format!("SELECT {ROW_COLUMNS} WHERE {filter}"))?
        .query_row([value], |r| read_row(r, &shared.sessions_dir_for))
        .optional()
}

fn list(conn: &rusqlite::Connection, shared: &Shared, q: &SessionQuery) -> rusqlite::Result<SessionPage> {
    let mut filters: Vec<&str> = Vec::new();
    let mut values: Vec<(&str, Box<dyn ToSql>)> = Vec::new();
    if let Some(agent) = &q.agent_id {
        filters.push("s.agent_id = :agent");
        values.push((":agent", Box::new(agent.clone())));
    }
    if let Some(minutes) = q.active_minutes {
        let span = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(60_000);
        filters.push("s.updated_at >= :since");
        values.push((":since", Box::new(time::now_ms().saturating_sub(span))));
    }
    if let Some(label) = &q.label {
        filters.push("s.label = :label");
        values.push((":label", Box::new(label.clone())));
    }
    let needle = q.search.as_deref().map(str::trim).filter(|s| !s.is_empty());
    if let Some(needle) = needle {
        filters.push(
            "instr(lower(s.key || ' ' || s.session_id || ' ' || COALESCE(s.label, '') || ' ' || \
             COALESCE(json_extract(s.row_json, '$.displayName'), '') || ' ' || \
             COALESCE(json_extract(s.row_json, '$.subject'), '')), :needle) > 0",
        );
        values.push((":needle", Box::new(needle.to_lowercase())));
    }
    let only_agent = q.active_minutes.is_none() && q.label.is_none() && needle.is_none();
    let condition = if filters.is_empty() { "1".to_owned() } else { filters.join(" AND ") };
    let bound: Vec<(&str, &dyn ToSql)> = values.iter().map(|(n, v)| (*n, &**v)).collect();
    let total: i64 = if only_agent {
        let filter = if q.agent_id.is_some() { "agent_id = :agent" } else { "1" };
        let sql = format!("SELECT COALESCE(SUM(sessions), 0) FROM agents WHERE {filter}");
        conn.prepare_cached(&sql)?.query_row(&*bound, |r| r.get(0))?
    } else {
        conn.prepare_cached(&format!("SELECT COUNT(*) FROM sessions s WHERE {condition}"))?.query_row(&*bound, |r| r.get(0))?
    };
    let limit = q.limit.map_or(-1, |l| i64::try_from(l).unwrap_or(-1));
    let sql = format!(
        "SELECT {ROW_COLUMNS} WHERE {condition} ORDER BY s.updated_at DESC, s.key LIMIT {limit} OFFSET {}",
        i64::try_from(q.offset).unwrap_or(i64::MAX)
    );
    let mut stmt = conn.prepare(&sql)?;
    let rows = stmt.query_map(&*bound, |r| read_row(r, &shared.sessions_dir_for))?.collect::<rusqlite::Result<_>>()?;
    Ok(SessionPage { rows, total: u64::try_from(total).unwrap_or_default() })
}
