//! `sessions.json` for other programs, written in the background (GW-150).
//!
//! Writing is adaptive: after a write that took `d` the next one waits at least 49 `d`, so that at most about 2% of
//! the time is spent on it, however many sessions there are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::import::{self, FileMark};
use crate::shared::Shared;
use crate::writer::{WriterMsg, submit};
use crate::{Result, StoreError, mirror};

/// Rest after a change before it is written; more changes join it.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// Rest after a write, as a multiple of the time it took.
const REST_FACTOR: u32 = 49;

pub(crate) enum Msg {
    /// Rows of this agent changed.
    Dirty(String),
    /// Write all that is behind and answer.
    Flush(oneshot::Sender<Result<()>>),
    Stop,
}

pub(crate) struct Projector {
    shared: Arc<Shared>,
    writer: Sender<WriterMsg>,
    dirty: BTreeSet<String>,
    /// When the next background write may start.
    due: Option<Instant>,
    rest_until: Instant,
}

impl Projector {
    pub(crate) fn new(shared: Arc<Shared>, writer: Sender<WriterMsg>) -> Self {
        Self { shared, writer, dirty: BTreeSet::new(), due: None, rest_until: Instant::now() }
    }

    pub(crate) fn run(mut self, queue: &Receiver<Msg>) {
        loop {
            let msg = match self.due {
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match msg {
                Ok(Msg::Dirty(agent)) => self.mark(agent),
                Ok(Msg::Flush(done)) => {
                    let outcome = self.write_all();
                    let _ = done.send(outcome);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(e) = self.write_all() {
                        tracing::warn!(error = %e, "session list could not be written; it is tried again");
                    }
                }
                Ok(Msg::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn mark(&mut self, agent: String) {
        self.dirty.insert(agent);
        self.due.get_or_insert_with(|| (Instant::now() + DEBOUNCE).max(self.rest_until));
    }

    /// Writes the agents that are behind; failed ones stay due. The first error is handed back.
    fn write_all(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut outcome = Ok(());
        for agent in std::mem::take(&mut self.dirty) {
            if let Err(e) = self.write(&agent) {
                self.dirty.insert(agent);
                outcome = outcome.and(Err(e));
            }
        }
        self.rest_until = Instant::now() + (start.elapsed() * REST_FACTOR).max(DEBOUNCE);
        self.due = (!self.dirty.is_empty()).then_some(self.rest_until + Duration::from_secs(1));
        outcome
    }

    fn write(&self, agent: &str) -> Result<()> {
        let dir = (self.shared.sessions_dir_for)(agent);
        self.import_first(agent, &dir)?;
        let path = import::sessions_json(&dir);
        let fail = |e| StoreError::io(&path, "write", e);
        let mut written = Err(StoreError::Closed);
        self.shared.read(|conn| {
            written = write_file(conn, agent, &path).map_err(fail);
            Ok(())
        })?;
        let (rev, hash) = written?;
        let Some((mtime_ns, size)) = import::stat(&path) else {
            return Ok(());
        };
        let mark = FileMark { mtime_ns, size, hash };
        let agent = agent.to_owned();
        self.ask(move |tx| tx.record_file(&agent, rev, &mark))
    }

    /// Another program may have written since: its changes are taken over before the file is replaced.
    fn import_first(&self, agent: &str, dir: &std::path::Path) -> Result<()> {
        let mut found = Ok(None);
        self.shared.read(|conn| {
            found = import::read_changed(conn, agent, dir);
            Ok(())
        })?;
        let Some(file) = found? else { return Ok(()) };
        let (agent, dir) = (agent.to_owned(), dir.to_owned());
        self.ask(move |tx| tx.import_rows(&agent, &dir, &file))
    }

    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut crate::tx::Tx<'_>) -> Result<T> + Send + 'static) -> Result<T> {
        submit(&self.writer, false, work).blocking_recv().unwrap_or(Err(StoreError::Closed))
    }
}

/// Streams the rows as they are stored, without building them in memory.
fn write_file(conn: &Connection, agent: &str, path: &std::path::Path) -> std::io::Result<(i64, String)> {
    let fail = |e: rusqlite::Error| std::io::Error::other(e);
    // One snapshot for the revision and the rows.
    let tx = conn.unchecked_transaction().map_err(fail)?;
    let rev: i64 = tx.query_row("SELECT rev FROM agents WHERE agent_id = ?1", [agent], |r| r.get(0)).map_err(fail)?;
    let mut hasher = Sha256::new();
    mirror::replace_file(path, |out| {
        let mut emit = |text: &str| {
            hasher.update(text);
            out.write_all(text.as_bytes())
        };
        emit("{")?;
        let mut separator = "\n  ";
        let sql =
            "SELECT key, row_json FROM sessions WHERE agent_id = ?1 UNION ALL SELECT key, row_json FROM foreign_rows WHERE agent_id = ?1";
        let mut stmt = tx.prepare_cached(sql).map_err(fail)?;
        let mut rows = stmt.query([agent]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let key = Value::String(row.get(0).map_err(fail)?).to_string();
            let json = row.get_ref(1).map_err(fail)?.as_str().map_err(std::io::Error::other)?;
            emit(separator)?;
            emit(&key)?;
            emit(": ")?;
            emit(json)?;
            separator = ",\n  ";
        }
        emit("\n}\n")
    })?;
    Ok((rev, import::hex(&hasher.finalize())))
}
