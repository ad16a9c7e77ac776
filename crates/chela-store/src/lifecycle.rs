//! The lifecycle journal: every started session is ended exactly once for every listener, also after a crash.
//!
//! A start is recorded before its hook runs. An end is recorded together with the listeners it is owed to; each is
//! struck off when it was told. What is still there at the next start is what a crash swallowed.

use std::collections::BTreeSet;

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tx::Tx;
use crate::{Result, Store, time};

/// Event id of the start of a session: the same for the same session and start time.
pub fn start_event_id(session_id: &str, started_at_ms: i64) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("chela:session_start:{session_id}:{started_at_ms}").as_bytes()).to_string()
}

/// Event id of the end that belongs to a start.
pub fn end_event_id(start_event_id: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("chela:session_end:{start_event_id}").as_bytes()).to_string()
}

/// A session that started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LifecycleStart {
    /// Stable id of the start event.
    pub event_id: String,
    /// The session.
    pub session_id: String,
    /// Its key at that time.
    pub session_key: String,
    /// Its agent.
    pub agent_id: String,
    /// When it started, milliseconds.
    pub at_ms: i64,
    /// Plugins that listen to its end.
    pub listeners: Vec<String>,
    /// Session it goes on from.
    pub resumed_from: Option<String>,
}

/// How a session ended. What is `None` the store fills in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifecycleEnd {
    /// Stable id of the end event; derived from the start's.
    pub event_id: Option<String>,
    /// `new`, `reset`, `idle`, `daily`, `compaction`, `deleted`, `shutdown`, `restart` or `unknown` (HOOK-220).
    pub reason: String,
    /// When it ended, milliseconds; `None` means the last entry of its transcript (after a crash), else its start.
    pub at_ms: Option<i64>,
    /// Messages in its transcript.
    pub message_count: Option<u64>,
    /// From start to end, milliseconds.
    pub duration_ms: Option<u64>,
    /// Transcript file, the archived one when it was archived; `None` takes the transcript's present file.
    pub session_file: Option<String>,
    /// Whether that file is an archive.
    pub transcript_archived: Option<bool>,
    /// Session that took its place.
    pub next_session_id: Option<String>,
    /// Key of that session, when it differs.
    pub next_session_key: Option<String>,
    /// True when the end was missed by a crash and is delivered late.
    pub recovered: bool,
    /// Plugins that listen to the end now; those known at the start are added.
    pub listeners: Vec<String>,
}

/// An end event that a listener still has to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDelivery {
    /// Stable id of the end event; pass it to [`Store::mark_delivered`].
    pub event_id: String,
    /// The start it belongs to.
    pub start: LifecycleStart,
    /// The end, with every value filled in.
    pub end: LifecycleEnd,
    /// How often it was offered at a later start and not taken.
    pub offers: u32,
}

impl Store {
    /// Records the start of a session; false (and nothing done) when it is recorded as started and not ended. Survives any end of
    /// the process; a power failure once the session's first message is committed.
    ///
    /// # Errors
    /// Write errors.
    pub async fn journal_started(&self, rec: LifecycleStart) -> Result<bool> {
        self.write_relaxed(move |tx| {
            let listeners = serde_json::Value::from(rec.listeners.clone()).to_string();
            let values = params![rec.event_id, rec.session_id, rec.session_key, rec.agent_id, rec.at_ms, rec.resumed_from, listeners];
            let sql = "INSERT OR IGNORE INTO lifecycle (event_id, session_id, session_key, agent_id, started_at, resumed_from, listeners) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            Ok(tx.exec(sql, values)? == 1)
        })
        .await
    }

    /// Records the end of a session; false when it has ended already or never started (HOOK-241).
    ///
    /// # Errors
    /// Write errors.
    pub async fn journal_ended(&self, session_id: &str, rec: LifecycleEnd) -> Result<bool> {
        Ok(self.journal_end(session_id, rec).await?.is_some())
    }

    /// As [`Store::journal_ended`], and hands back the event with its true count and duration.
    ///
    /// # Errors
    /// Write errors.
    pub async fn journal_end(&self, session_id: &str, rec: LifecycleEnd) -> Result<Option<PendingDelivery>> {
        if rec.message_count.is_none() {
            // The count of a transcript never used since the installation was taken over is only in its file.
            match self.ensure_loaded(session_id).await {
                Ok(()) | Err(crate::StoreError::UnknownTranscript { .. }) => {}
                Err(e) => {
                    tracing::warn!(session_id, error = %e, "transcript could not be read; its end tells the messages known so far")
                }
            }
        }
        let id = session_id.to_owned();
        self.write(move |tx| tx.end_session(&id, rec)).await
    }

    /// Sessions that started and did not end, oldest first: after a crash those to end with reason `unknown`.
    ///
    /// # Errors
    /// Read errors.
    pub async fn unended_sessions(&self) -> Result<Vec<LifecycleStart>> {
        self.read(|conn, _| {
            let sql = "SELECT event_id, session_id, session_key, agent_id, started_at, resumed_from, listeners \
                       FROM lifecycle WHERE end_event_id IS NULL ORDER BY started_at, event_id";
            let mut stmt = conn.prepare_cached(sql)?;
            stmt.query_map([], read_start)?.collect()
        })
        .await
    }

    /// End events that a listener still has to get, oldest first.
    ///
    /// # Errors
    /// Read errors.
    pub async fn pending_deliveries(&self, plugin_id: &str) -> Result<Vec<PendingDelivery>> {
        let plugin = plugin_id.to_owned();
        self.read(move |conn, _| {
            let sql = "SELECT l.event_id, l.session_id, l.session_key, l.agent_id, l.started_at, l.resumed_from, l.listeners, \
                       d.event_id, l.ended, d.offers FROM deliveries d JOIN lifecycle l ON l.end_event_id = d.event_id \
                       WHERE d.plugin_id = ?1 ORDER BY d.seq, d.event_id";
            let mut stmt = conn.prepare_cached(sql)?;
            stmt.query_map([plugin], |r| {
                let ended = serde_json::from_str(r.get_ref(8)?.as_str()?).unwrap_or_default();
                Ok(PendingDelivery { event_id: r.get(7)?, start: read_start(r)?, end: ended, offers: r.get(9)? })
            })?
            .collect()
        })
        .await
    }

    /// Plugins that end events are owed to.
    ///
    /// # Errors
    /// Read errors.
    pub async fn owed_listeners(&self) -> Result<Vec<String>> {
        self.read(|conn, _| conn.prepare_cached("SELECT DISTINCT plugin_id FROM deliveries")?.query_map([], |r| r.get(0))?.collect()).await
    }

    /// Strikes a listener off an end event; false when it was not owed. A power failure right after may undo it: the listener is
    /// then told again, under the same event id.
    ///
    /// # Errors
    /// Write errors.
    pub async fn mark_delivered(&self, event_id: &str, plugin_id: &str) -> Result<bool> {
        let (event, plugin) = (event_id.to_owned(), plugin_id.to_owned());
        self.write_relaxed(move |tx| {
            let struck = tx.exec("DELETE FROM deliveries WHERE event_id = ?1 AND plugin_id = ?2", [&event, &plugin])?;
            tx.forget_settled(&event)?;
            Ok(struck > 0)
        })
        .await
    }

    /// Counts an offer that a listener did not take; false when it has had `most` of them, and the event is not owed to it any more.
    ///
    /// # Errors
    /// Write errors.
    pub async fn count_offer(&self, event_id: &str, plugin_id: &str, most: u32) -> Result<bool> {
        let (event, plugin) = (event_id.to_owned(), plugin_id.to_owned());
        self.write_relaxed(move |tx| {
            let sql = "UPDATE deliveries SET offers = offers + 1 WHERE event_id = ?1 AND plugin_id = ?2 RETURNING offers";
            let offers = tx.one(sql, [&event, &plugin], |r| r.get::<_, u32>(0))?;
            if offers.is_none_or(|offers| offers < most) {
                return Ok(true);
            }
            tx.exec("DELETE FROM deliveries WHERE event_id = ?1 AND plugin_id = ?2", [&event, &plugin])?;
            tx.forget_settled(&event)?;
            Ok(false)
        })
        .await
    }

    /// Forgets what is owed to a plugin that is gone for good.
    ///
    /// # Errors
    /// Write errors.
    pub async fn forget_listener(&self, plugin_id: &str) -> Result<usize> {
        let plugin = plugin_id.to_owned();
        self.write(move |tx| {
            let owed = tx.all("SELECT event_id FROM deliveries WHERE plugin_id = ?1", [&plugin], |r| r.get::<_, String>(0))?;
            tx.exec("DELETE FROM deliveries WHERE plugin_id = ?1", [&plugin])?;
            for event in &owed {
                tx.forget_settled(event)?;
            }
            Ok(owed.len())
        })
        .await
    }
}

impl Tx<'_> {
    fn end_session(&mut self, session_id: &str, mut end: LifecycleEnd) -> Result<Option<PendingDelivery>> {
        let sql = "SELECT event_id, session_id, session_key, agent_id, started_at, resumed_from, listeners \
                   FROM lifecycle WHERE session_id = ?1 AND end_event_id IS NULL";
        let Some(start) = self.one(sql, [session_id], read_start)? else {
            return Ok(None);
        };
        let transcript = self.transcript(session_id)?;
        let last_at = transcript.as_ref().and_then(|t| t.last_at);
        let at = end.at_ms.unwrap_or_else(|| last_at.unwrap_or(start.at_ms).max(start.at_ms)).min(time::now_ms().max(start.at_ms));
        end.at_ms = Some(at);
        end.duration_ms.get_or_insert_with(|| u64::try_from(at - start.at_ms).unwrap_or_default());
        if let Some(t) = &transcript {
            end.message_count.get_or_insert_with(|| u64::try_from(t.messages).unwrap_or_default());
            end.session_file.get_or_insert_with(|| t.file.to_string_lossy().into_owned());
            end.transcript_archived.get_or_insert_with(|| crate::is_archive_name(&t.file));
        }
        let event_id = end.event_id.get_or_insert_with(|| end_event_id(&start.event_id)).clone();
        let owed: BTreeSet<String> = start.listeners.iter().chain(&end.listeners).cloned().collect();
        end.listeners = owed.into_iter().collect();
        self.store_end(&start, &event_id, &end)?;
        Ok(Some(PendingDelivery { event_id, start, end, offers: 0 }))
    }

    fn store_end(&self, start: &LifecycleStart, event_id: &str, end: &LifecycleEnd) -> Result<()> {
        let json = serde_json::to_string(end).unwrap_or_default();
        self.exec("UPDATE lifecycle SET end_event_id = ?2, ended = ?3 WHERE event_id = ?1", params![start.event_id, event_id, json])?;
        for plugin in &end.listeners {
            self.exec(
                "INSERT OR IGNORE INTO deliveries (plugin_id, seq, event_id) VALUES (?1, ?2, ?3)",
                params![plugin, end.at_ms, event_id],
            )?;
        }
        self.forget_settled(event_id)
    }

    /// An end that everybody was told needs no row: a second end finds no open start, which is all that counts.
    fn forget_settled(&self, event_id: &str) -> Result<()> {
        let sql = "DELETE FROM lifecycle WHERE end_event_id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = ?1)";
        self.exec(sql, [event_id])?;
        Ok(())
    }
}

fn read_start(r: &Row<'_>) -> rusqlite::Result<LifecycleStart> {
    Ok(LifecycleStart {
        event_id: r.get(0)?,
        session_id: r.get(1)?,
        session_key: r.get(2)?,
        agent_id: r.get(3)?,
        at_ms: r.get(4)?,
        resumed_from: r.get(5)?,
        listeners: serde_json::from_str(r.get_ref(6)?.as_str()?).unwrap_or_default(),
    })
}
