//! Transcripts: appending, the newest window, pages.

use rusqlite::{Connection, params};

use crate::entry::body_of;
use crate::reconcile::{self, ParsedFile, Reconciled};
use crate::tx::{Transcript, Tx, find_transcript};
use crate::{Entry, EntryMeta, NewEntry, Result, RunRecord, SessionRow, Store, StoreError, time};

/// Times a file that keeps changing is read before the call gives up.
const RECONCILE_TRIES: usize = 5;

/// A change of a session row, run by the writer; it must not block.
pub type RowUpdate = Box<dyn FnOnce(&mut SessionRow) + Send>;

/// Everything a turn leaves behind, stored in one step.
#[derive(Default)]
pub struct TurnCommit {
    /// Canonical key of the session.
    pub session_key: String,
    /// Transcript the turn ran on.
    pub session_id: String,
    /// Entries for its end.
    pub entries: Vec<NewEntry>,
    /// Change of the row; skipped when the key has got another session id since (a reset during the turn).
    pub row_update: Option<RowUpdate>,
    /// Run records to store with it.
    pub runs: Vec<RunRecord>,
    /// A step of a turn that another commit completes: not synced for itself, so that a turn costs one sync for each promise it makes
    /// (the message was taken, the answer is kept) and not one for each message. Survives any end of the process all the same.
    pub relaxed: bool,
}

/// What [`Store::commit_turn`] stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnCommitted {
    /// Ids of the entries, in order.
    pub entries: Vec<EntryMeta>,
    /// The row after the change; `None` when the key no longer has this session id.
    pub row: Option<SessionRow>,
}

/// Which entries of a transcript to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryQuery {
    /// Only entries before this place.
    pub before_seq: Option<u64>,
    /// Only entries from this place on.
    pub from_seq: Option<u64>,
    /// At most this many of the newest; `None` means all.
    pub limit: Option<usize>,
    /// Also entries that no model context is built from (`model_change`, `custom`, ...).
    pub all_kinds: bool,
    /// Also entries of abandoned branches.
    pub all_branches: bool,
}

impl Store {
    /// Appends entries; durable when it resolves, and the file has them too. Works for archived transcripts.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`], [`StoreError::Invalid`] for what is no entry, and write errors.
    pub async fn append(&self, session_id: &str, entries: Vec<NewEntry>) -> Result<Vec<EntryMeta>> {
        self.ensure_loaded(session_id).await?;
        let id = session_id.to_owned();
        self.write(move |tx| {
            let mut t = tx.require_transcript(&id)?;
            tx.append_entries(&mut t, entries, time::now_ms())
        })
        .await
    }

    /// Stores a turn's entries, row change and run record in one transaction.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn commit_turn(&self, turn: TurnCommit) -> Result<TurnCommitted> {
        self.ensure_loaded(&turn.session_id).await?;
        let relaxed = turn.relaxed;
        let work = move |tx: &mut Tx<'_>| {
            let mut t = tx.require_transcript(&turn.session_id)?;
            let now = time::now_ms();
            let entries = tx.append_entries(&mut t, turn.entries, now)?;
            for run in &turn.runs {
                tx.put_run(run, now)?;
            }
            let current = tx.row(&turn.session_key)?.filter(|row| row.session_id == turn.session_id);
            let row = match current {
                None => None,
                Some(mut row) => {
                    row.message_count = u64::try_from(t.messages).unwrap_or_default();
                    Some(match turn.row_update {
                        Some(update) => tx.update_row(row, update)?,
                        None => row,
                    })
                }
            };
            Ok(TurnCommitted { entries, row })
        };
        if relaxed { self.write_relaxed(work).await } else { self.write(work).await }
    }

    /// The newest `max_messages` entries a model context is built from (`message`, `custom_message`, `compaction`,
    /// `branch_summary`) of the active branch, oldest first. The cost depends on the window alone.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`] and read errors.
    pub async fn window(&self, session_id: &str, max_messages: usize) -> Result<Vec<Entry>> {
        self.ensure_loaded(session_id).await?;
        let hot = self.inner.shared.windows().get(session_id, max_messages);
        if let Some(hot) = hot {
            return Ok(hot.iter().map(|entry| Entry::clone(entry)).collect());
        }
        let id = session_id.to_owned();
        let query = EntryQuery { limit: Some(max_messages), ..EntryQuery::default() };
        let found = self
            .read(move |conn, shared| {
                // Within this closure, which runs to its end even when nobody waits any more.
                let hands_in = shared.windows().begin_read(&id);
                let found = match find_transcript(conn, &id) {
                    Ok(Some(t)) => read_entries(conn, &t, &query).map(Some),
                    Ok(None) => Ok(None),
                    Err(e) => Err(e),
                };
                if hands_in {
                    let entries = found.as_ref().ok().and_then(Option::as_deref);
                    shared.windows().end_read(&id, entries.map(|e| (e, max_messages)));
                }
                found
            })
            .await?;
        found.ok_or_else(|| StoreError::UnknownTranscript { session_id: session_id.to_owned() })
    }

    /// Entries of a transcript, oldest first; with a limit the newest of those that match.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`] and read errors.
    pub async fn entries(&self, session_id: &str, query: EntryQuery) -> Result<Vec<Entry>> {
        self.ensure_loaded(session_id).await?;
        let id = session_id.to_owned();
        let unknown = StoreError::UnknownTranscript { session_id: id.clone() };
        let found = self
            .read(move |conn, _| match find_transcript(conn, &id)? {
                Some(t) => read_entries(conn, &t, &query).map(Some),
                None => Ok(None),
            })
            .await?;
        found.ok_or(unknown)
    }

    /// `message` entries of the active branch.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`] and read errors.
    pub async fn message_count(&self, session_id: &str) -> Result<u64> {
        self.ensure_loaded(session_id).await?;
        let id = session_id.to_owned();
        let found = self.read(move |conn, _| find_transcript(conn, &id)).await?;
        let unknown = || StoreError::UnknownTranscript { session_id: session_id.to_owned() };
        found.map(|t| u64::try_from(t.messages).unwrap_or_default()).ok_or_else(unknown)
    }

    /// Compares a transcript with its file once per process, and brings the two together when they differ.
    pub(crate) async fn ensure_loaded(&self, session_id: &str) -> Result<()> {
        if self.inner.shared.is_loaded(session_id) {
            return Ok(());
        }
        for _ in 0..RECONCILE_TRIES {
            let id = session_id.to_owned();
            let behind = self.blocking(move |shared| {
                let t = shared.read(|conn| find_transcript(conn, &id))?;
                let Some(t) = t else { return Err(StoreError::UnknownTranscript { session_id: id }) };
                match compare(&t) {
                    Ok(None) => {
                        shared.mark_loaded(id);
                        Ok(None)
                    }
                    // What the database does not have yet cannot be done without.
                    Err(e) if !t.imported => Err(e),
                    Err(e) => {
                        tracing::warn!(session_id = id, error = %e, "transcript file cannot be compared; the session goes on from the database");
                        Ok(None)
                    }
                    Ok(Some(file)) => Ok(Some((t, file))),
                }
            });
            let Some((t, file)) = behind.await? else {
                return Ok(());
            };
            if self.write(move |tx| tx.reconcile(&t, file)).await? == Reconciled::Done {
                return Ok(());
            }
        }
        // Somebody writes to the file all the time. The database is whole; the file is compared again next time.
        tracing::warn!(session_id, "transcript file keeps changing; it could not be compared with the database");
        Ok(())
    }
}

/// The file taken apart, unless it is as the database left it.
fn compare(t: &Transcript) -> Result<Option<ParsedFile>> {
    if reconcile::is_current(t)? { Ok(None) } else { reconcile::read_file(&t.file, &t.session_id).map(Some) }
}

fn read_entries(conn: &Connection, t: &Transcript, q: &EntryQuery) -> rusqlite::Result<Vec<Entry>> {
    let mut sql = "SELECT id, parent_id, seq, kind, at, line FROM entries WHERE tid = ?1 AND seq < ?2 AND seq >= ?3".to_owned();
    if !q.all_branches {
        sql.push_str(" AND active = 1");
    }
    if !q.all_kinds {
        sql.push_str(" AND context = 1");
    }
    sql.push_str(" ORDER BY seq DESC LIMIT ?4");
    let number = |n: Option<u64>, default: i64| n.map_or(default, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let limit = q.limit.map_or(-1, |l| i64::try_from(l).unwrap_or(-1));
    let values = params![t.tid, number(q.before_seq, i64::MAX), number(q.from_seq, 0), limit];
    let mut stmt = conn.prepare_cached(&sql)?;
    let mut entries = stmt
        .query_map(values, |r| {
            let kind: String = r.get(3)?;
            let body = body_of(r.get_ref(5)?.as_str()?, &kind).unwrap_or_default();
            let seq = u64::try_from(r.get::<_, i64>(2)?).unwrap_or_default();
            Ok(Entry { id: r.get(0)?, parent_id: r.get(1)?, seq, kind, at_ms: r.get(4)?, body })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    entries.reverse();
    Ok(entries)
}
