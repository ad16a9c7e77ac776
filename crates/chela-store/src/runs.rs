//! Run records: what makes a repeated request the same request, also after a restart (GW-76..80, GW-F12).

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use crate::tx::Tx;
use crate::{Result, Safe, Store, StoreError, time};

/// How long a finished run answers repeats, milliseconds (GW-77).
const TTL_MS: i64 = 5 * 60 * 1000;
/// Finished runs kept at most (GW-77), give or take those between two prunings.
const MAX_FINISHED: i64 = 1000;
/// Finished runs between two prunings: finding the surplus walks over all that stay, which each turn would pay for.
const PRUNE_EVERY: u32 = 64;

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunStatus {
    /// Running; never evicted.
    #[default]
    InFlight,
    /// Finished well.
    Ok,
    /// Finished with an error.
    Error,
    /// The process ended while it ran.
    Interrupted,
}

impl RunStatus {
    /// The word in replies and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Interrupted => "interrupted",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "in_flight" => Self::InFlight,
            "ok" => Self::Ok,
            "error" => Self::Error,
            _ => Self::Interrupted,
        }
    }
}

/// One request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunRecord {
    /// Method and idempotency key, as the caller composes them.
    pub key: String,
    /// Method of the request.
    pub method: String,
    /// Run id; the idempotency key for `agent`.
    pub run_id: String,
    /// Session it works on.
    pub session_key: Option<String>,
    /// Hash of the text sent, to find the same text sent again under another key (GW-80).
    pub text_hash: Option<String>,
    /// State.
    pub status: RunStatus,
    /// Reply to give to a repeat.
    pub payload: Value,
    /// First seen, milliseconds; set by the store.
    pub created_at_ms: i64,
    /// Last change, milliseconds; set by the store.
    pub updated_at_ms: i64,
}

/// Answer to [`Store::claim_run`].
#[derive(Debug, Clone, PartialEq)]
pub enum RunClaim {
    /// Nobody had it: the caller runs it.
    New,
    /// The same key, or the same text for the same session still running.
    Existing(Box<RunRecord>),
}

impl Store {
    /// The record of a key, unless it expired.
    ///
    /// # Errors
    /// Read errors.
    pub async fn run_record(&self, key: &str) -> Result<Option<RunRecord>> {
        let key = key.to_owned();
        self.read(move |conn, _| find(conn, "key = ?1", params![key, time::now_ms()])).await
    }

    /// Runs that a former process accepted and did not finish, oldest first.
    ///
    /// # Errors
    /// Read errors.
    pub async fn interrupted_runs(&self) -> Result<Vec<RunRecord>> {
        self.read(|conn, _| {
            let sql = "SELECT key, method, run_id, session_key, text_hash, status, payload, created_at, updated_at FROM runs \
                       WHERE status = 'interrupted' ORDER BY created_at";
            conn.prepare_cached(sql)?.query_map([], read_run)?.collect()
        })
        .await
    }

    /// Stores a record, replacing the one with the same key. Finished ones live 5 minutes, at most 1,000 of them.
    ///
    /// # Errors
    /// Write errors.
    pub async fn put_run_record(&self, record: RunRecord) -> Result<()> {
        self.write(move |tx| tx.put_run(&record, time::now_ms())).await
    }

    /// Claims a key in one step: of any number of callers exactly one gets [`RunClaim::New`]. With a session key
    /// and a text hash, a running request with the same two counts as the same (GW-80).
    ///
    /// # Errors
    /// Write errors.
    pub async fn claim_run(&self, record: RunRecord) -> Result<RunClaim> {
        let (claim, mut safe) = self.claim_run_early(record).await?;
        safe.wait().await?;
        Ok(claim)
    }

    /// As [`Store::claim_run`], but resolves with the commit: work may begin, and nothing may be acknowledged before the second value
    /// resolves.
    ///
    /// # Errors
    /// Write errors.
    pub async fn claim_run_early(&self, record: RunRecord) -> Result<(RunClaim, Safe)> {
        self.write_early(move |tx| {
            let now = time::now_ms();
            let fail = |e: rusqlite::Error| tx.shared.sqlite("read", &e);
            let mut found = find(tx.conn, "key = ?1", params![record.key, now]).map_err(fail)?;
            if let (None, Some(session), Some(hash)) = (&found, &record.session_key, &record.text_hash) {
                let filter = "session_key = ?1 AND text_hash = ?3 AND status = 'in_flight'";
                found = find(tx.conn, filter, params![session, now, hash]).map_err(fail)?;
            }
            if let Some(existing) = found {
                return Ok(RunClaim::Existing(Box::new(existing)));
            }
            tx.put_run(&record, now)?;
            Ok(RunClaim::New)
        })
        .await
    }
}

impl Tx<'_> {
    pub(crate) fn put_run(&mut self, record: &RunRecord, now: i64) -> Result<()> {
        if record.key.is_empty() {
            return Err(StoreError::invalid("run key", "it is blank"));
        }
        self.exec("DELETE FROM runs WHERE status <> 'in_flight' AND expires_at <= ?1", [now])?;
        self.exec(
            "INSERT INTO runs (key, method, run_id, session_key, text_hash, status, payload, created_at, updated_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9) ON CONFLICT (key) DO UPDATE SET method = ?2, run_id = ?3, \
             session_key = ?4, text_hash = ?5, status = ?6, payload = ?7, updated_at = ?8, expires_at = ?9",
            params![
                record.key,
                record.method,
                record.run_id,
                record.session_key,
                record.text_hash,
                record.status.as_str(),
                record.payload.to_string(),
                now,
                now + TTL_MS
            ],
        )?;
        if record.status == RunStatus::InFlight || !self.shared.is_prune_due(PRUNE_EVERY) {
            return Ok(());
        }
        self.exec(
            "DELETE FROM runs WHERE key IN (SELECT key FROM runs WHERE status <> 'in_flight' ORDER BY expires_at DESC, key LIMIT -1 OFFSET ?1)",
            [MAX_FINISHED],
        )?;
        Ok(())
    }

    /// Runs of a process that is gone cannot finish any more.
    pub(crate) fn interrupt_runs(&mut self) -> Result<()> {
        let now = time::now_ms();
        let sql = "UPDATE runs SET status = 'interrupted', updated_at = ?1, expires_at = ?2 WHERE status = 'in_flight'";
        self.exec(sql, [now, now + TTL_MS])?;
        Ok(())
    }
}

fn find(conn: &Connection, filter: &str, values: impl rusqlite::Params) -> rusqlite::Result<Option<RunRecord>> {
    let sql = format!(
        "SELECT key, method, run_id, session_key, text_hash, status, payload, created_at, updated_at FROM runs \
         WHERE {filter} AND (status = 'in_flight' OR expires_at > ?2) LIMIT 1"
    );
    conn.prepare_cached(&sql)?.query_row(values, read_run).optional()
}

fn read_run(r: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        key: r.get(0)?,
        method: r.get(1)?,
        run_id: r.get(2)?,
        session_key: r.get(3)?,
        text_hash: r.get(4)?,
        status: RunStatus::parse(r.get_ref(5)?.as_str()?),
        payload: serde_json::from_str(r.get_ref(6)?.as_str()?).unwrap_or_default(),
        created_at_ms: r.get(7)?,
        updated_at_ms: r.get(8)?,
    })
}
