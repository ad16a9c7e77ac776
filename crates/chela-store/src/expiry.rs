//! When sessions run out: an index by time, so that a look at it costs the same however many sessions there are.
//!
//! The rule is the caller's (hour of the day, pause, by type and channel); the store only keeps what it says of each row.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::{OptionalExtension, params};
use tokio::sync::Notify;

use crate::tx::{ROW_COLUMNS, Tx, read_row};
use crate::{Result, SessionRow, Store};

/// Says when a session runs out, in Unix milliseconds; `None` when it never does. Must not block.
pub type ExpiryRule = Arc<dyn Fn(&SessionRow) -> Option<i64> + Send + Sync>;

/// Rows that one step of [`Store::reindex_expiry`] looks at.
const PAGE: usize = 500;
const FINGERPRINT: &str = "expiry-rule";

/// What the process knows of expiries.
#[derive(Default)]
pub(crate) struct ExpiryWatch {
    rule: std::sync::RwLock<Option<ExpiryRule>>,
    /// The time that the watcher sleeps until; what comes earlier wakes it.
    until: AtomicI64,
    earlier: Notify,
}

impl ExpiryWatch {
    fn rule(&self) -> Option<ExpiryRule> {
        self.rule.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Tells the watcher of an expiry that was just committed.
    pub(crate) fn committed(&self, at: i64) {
        if at < self.until.load(Ordering::Acquire) {
            self.earlier.notify_one();
        }
    }
}

impl Store {
    /// Sets the rule; rows that are written from now on follow it. [`Store::reindex_expiry`] brings the others after it.
    pub fn set_expiry_rule(&self, rule: ExpiryRule) {
        *self.inner.shared.expiry.rule.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(rule);
    }

    /// Looks at the next rows unless they follow this rule already. `fingerprint` names the rule; `after` is the key that the last call
    /// handed back. `None` when all rows follow it.
    ///
    /// # Errors
    /// Write errors.
    pub async fn reindex_expiry(&self, fingerprint: &str, after: &str) -> Result<Option<String>> {
        let (fingerprint, after) = (fingerprint.to_owned(), after.to_owned());
        self.write_relaxed(move |tx| {
            let known = tx.one("SELECT value FROM meta WHERE name = ?1", [FINGERPRINT], |r| r.get::<_, String>(0))?;
            if known.as_deref() == Some(fingerprint.as_str()) {
                return Ok(None);
            }
            let shared = tx.shared;
            let sql = format!("SELECT {ROW_COLUMNS} WHERE s.key > ?1 ORDER BY s.key LIMIT ?2");
            // A row that cannot be read has no rule to follow; whoever opens it hears of it.
            let rows =
                tx.all(&sql, params![after, PAGE as i64], |r| Ok((r.get::<_, String>(0)?, read_row(r, &shared.sessions_dir_for).ok())))?;
            for row in rows.iter().filter_map(|(_, row)| row.as_ref()) {
                tx.note_expiry(row)?;
            }
            let last = rows.into_iter().nth(PAGE - 1).map(|(key, _)| key);
            if last.is_none() {
                tx.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [FINGERPRINT, fingerprint.as_str()])?;
            }
            Ok(last)
        })
        .await
    }

    /// Keys of sessions that ran out by `now_ms`, the longest ago first; at most `limit`.
    ///
    /// # Errors
    /// Read errors.
    pub async fn expired_sessions(&self, now_ms: i64, limit: usize) -> Result<Vec<String>> {
        self.read(move |conn, _| {
            let sql = "SELECT key FROM session_expiry WHERE at <= ?1 ORDER BY at, key LIMIT ?2";
            let mut stmt = conn.prepare_cached(sql)?;
            stmt.query_map(params![now_ms, i64::try_from(limit).unwrap_or(i64::MAX)], |r| r.get(0))?.collect()
        })
        .await
    }

    /// Takes a session out of the index until its row is written again, or puts it there for another time.
    ///
    /// # Errors
    /// Write errors.
    pub async fn settle_expiry(&self, key: &str, again_at_ms: Option<i64>) -> Result<()> {
        let key = key.to_owned();
        self.write_relaxed(move |tx| tx.put_expiry(&key, again_at_ms)).await
    }

    /// Waits until the next session runs out, or one that runs out earlier was written; `latest_ms` is the longest wait, in Unix
    /// milliseconds.
    ///
    /// # Errors
    /// Read errors.
    pub async fn until_expiry(&self, now_ms: i64, latest_ms: i64) -> Result<()> {
        let watch = &self.inner.shared.expiry;
        // Before the look, so that what is written meanwhile wakes.
        watch.until.store(latest_ms, Ordering::Release);
        let earlier = watch.earlier.notified();
        let next = self
            .read(|conn, _| {
                conn.prepare_cached("SELECT MIN(at) FROM session_expiry")?.query_row([], |r| r.get::<_, Option<i64>>(0)).optional()
            })
            .await?
            .flatten();
        let until = next.unwrap_or(latest_ms).min(latest_ms);
        watch.until.store(until, Ordering::Release);
        let wait = u64::try_from(until.saturating_sub(now_ms)).unwrap_or_default();
        tokio::select! {
            () = earlier => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(wait)) => {}
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Keeps what the rule says of a row that is being written.
    pub(crate) fn note_expiry(&mut self, row: &SessionRow) -> Result<()> {
        let Some(rule) = self.shared.expiry.rule() else { return Ok(()) };
        self.put_expiry(&row.key, rule(row))
    }

    fn put_expiry(&mut self, key: &str, at: Option<i64>) -> Result<()> {
        let Some(at) = at else {
            self.exec("DELETE FROM session_expiry WHERE key = ?1", [key])?;
            return Ok(());
        };
        let sql = "INSERT INTO session_expiry (key, at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET at = ?2 WHERE at <> ?2";
        if self.exec(sql, params![key, at])? > 0 {
            self.effects.expires_at = Some(self.effects.expires_at.map_or(at, |other| other.min(at)));
        }
        Ok(())
    }
}
