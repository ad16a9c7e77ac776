//! The lifecycle journal: every listener hears of each start and of its end, also after a crash.
//!
//! Both are recorded before their hooks run, together with the listeners they are owed to; each is struck off when it was told. What is
//! still there at the next start is what a crash swallowed. Who starts are owed to stands in the row of the session, because a start
//! that all have heard, which is the rule, then costs one more write and no more rows.

use std::collections::{BTreeMap, BTreeSet};

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

/// The end of a session, with every value filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSession {
    /// Stable id of the end event; pass it to [`Store::mark_delivered`].
    pub event_id: String,
    /// The start it belongs to.
    pub start: LifecycleStart,
    /// The end.
    pub end: LifecycleEnd,
}

/// What a listener still has to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingDelivery {
    /// That a session started.
    Start(LifecycleStart),
    /// That one ended.
    End(Box<EndedSession>),
}

impl PendingDelivery {
    /// Stable id of the event.
    pub fn event_id(&self) -> &str {
        match self {
            Self::Start(start) => &start.event_id,
            Self::End(ended) => &ended.event_id,
        }
    }

    /// The session's start.
    pub fn start(&self) -> &LifecycleStart {
        match self {
            Self::Start(start) => start,
            Self::End(ended) => &ended.start,
        }
    }
}

impl Store {
    /// Records the start of a session, owed to `listeners` of starts; false (and nothing done) when it is recorded as started and not
    /// ended. Survives any end of the process; a power failure once the session's first message is committed.
    ///
    /// # Errors
    /// Write errors.
    pub async fn journal_started(&self, rec: LifecycleStart, listeners: &[String]) -> Result<bool> {
        let owed = owed_text(&listeners.iter().map(|plugin| (plugin.clone(), 0)).collect());
        self.write_relaxed(move |tx| {
            let listeners = serde_json::Value::from(rec.listeners.clone()).to_string();
            let values = params![rec.event_id, rec.session_id, rec.session_key, rec.agent_id, rec.at_ms, rec.resumed_from, listeners, owed];
            let sql = "INSERT OR IGNORE INTO lifecycle (event_id, session_id, session_key, agent_id, started_at, resumed_from, listeners, \
                       start_owed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            Ok(tx.exec(sql, values)? == 1)
        })
        .await
    }

    /// Notes that the listeners were told of a start, all but those who `missed` it.
    ///
    /// # Errors
    /// Write errors.
    pub async fn start_told(&self, event_id: &str, missed: BTreeSet<String>) -> Result<()> {
        let event = event_id.to_owned();
        self.write_relaxed(move |tx| {
            let left = move |owed: &mut Owed| owed.retain(|plugin, _| missed.contains(plugin));
            tx.change_start(&event, left).map(drop)
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
    pub async fn journal_end(&self, session_id: &str, rec: LifecycleEnd) -> Result<Option<EndedSession>> {
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

    /// What a listener still has to hear, by session key; under each key in the order in which it happened.
    ///
    /// # Errors
    /// Read errors.
    pub async fn pending_deliveries(&self, plugin_id: &str) -> Result<Vec<Vec<PendingDelivery>>> {
        let plugin = plugin_id.to_owned();
        let all = self
            .read(move |conn, _| {
                let sql = format!("SELECT {START}, start_owed FROM lifecycle WHERE start_owed IS NOT NULL");
                let mut stmt = conn.prepare_cached(&sql)?;
                let rows = stmt.query_map([], |r| Ok((read_start(r)?, read_owed(r, 7)?)))?;
                let mut all = Vec::new();
                for row in rows {
                    let (start, owed) = row?;
                    if owed.contains_key(&plugin) {
                        all.push(PendingDelivery::Start(start));
                    }
                }
                let sql = format!(
                    "SELECT {START}, d.event_id, ended FROM deliveries d JOIN lifecycle ON end_event_id = d.event_id \
                     WHERE d.plugin_id = ?1"
                );
                let mut stmt = conn.prepare_cached(&sql)?;
                let ends = stmt.query_map([&plugin], |r| {
                    let end = serde_json::from_str(r.get_ref(8)?.as_str()?).unwrap_or_default();
                    Ok(PendingDelivery::End(Box::new(EndedSession { event_id: r.get(7)?, start: read_start(r)?, end })))
                })?;
                for end in ends {
                    all.push(end?);
                }
                Ok(all)
            })
            .await?;
        Ok(by_key(all))
    }

    /// Plugins that something is owed to, or will be when sessions that are open now end.
    ///
    /// # Errors
    /// Read errors.
    pub async fn owed_listeners(&self) -> Result<Vec<String>> {
        self.read(|conn, _| {
            let sql = "SELECT plugin_id FROM deliveries UNION SELECT j.key FROM lifecycle, json_each(start_owed) j \
                       WHERE start_owed IS NOT NULL UNION SELECT j.value FROM lifecycle, json_each(listeners) j \
                       WHERE end_event_id IS NULL ORDER BY 1";
            conn.prepare_cached(sql)?.query_map([], |r| r.get(0))?.collect()
        })
        .await
    }

    /// Strikes a listener off an event; false when it was not owed. A power failure right after may undo it: the listener is
    /// then told again, under the same event id.
    ///
    /// # Errors
    /// Write errors.
    pub async fn mark_delivered(&self, event_id: &str, plugin_id: &str) -> Result<bool> {
        let (event, plugin) = (event_id.to_owned(), plugin_id.to_owned());
        self.write_relaxed(move |tx| tx.strike(&event, &plugin)).await
    }

    /// Counts an offer that is about to be made: the number of this one, from 1; `None` when the event is not owed to the plugin. It is
    /// counted before the listener is called, so that a listener which hears the event once more, because nobody could note the first
    /// time, can be told so.
    ///
    /// # Errors
    /// Write errors.
    pub async fn begin_offer(&self, event_id: &str, plugin_id: &str) -> Result<Option<u32>> {
        let (event, plugin) = (event_id.to_owned(), plugin_id.to_owned());
        self.write_relaxed(move |tx| {
            let sql = "UPDATE deliveries SET offers = offers + 1 WHERE event_id = ?1 AND plugin_id = ?2 RETURNING offers";
            if let Some(offers) = tx.one(sql, [&event, &plugin], |r| r.get::<_, u32>(0))? {
                return Ok(Some(offers));
            }
            let count = |owed: &mut Owed| {
                let offers = owed.get_mut(&plugin)?;
                *offers = offers.saturating_add(1);
                Some(*offers)
            };
            tx.change_start(&event, count).map(Option::flatten)
        })
        .await
    }

    /// Forgets what is owed to a plugin that is gone for good, and that it waits for the ends of sessions that are open; the number of
    /// events that it was owed.
    ///
    /// # Errors
    /// Write errors.
    pub async fn forget_listener(&self, plugin_id: &str) -> Result<usize> {
        let plugin = plugin_id.to_owned();
        self.write(move |tx| {
            let sql = "SELECT event_id FROM deliveries WHERE plugin_id = ?1 UNION ALL SELECT l.event_id FROM lifecycle l, \
                       json_each(l.start_owed) j WHERE l.start_owed IS NOT NULL AND j.key = ?1";
            let owed = tx.all(sql, [&plugin], |r| r.get::<_, String>(0))?;
            for event in &owed {
                tx.strike(event, &plugin)?;
            }
            let sql = "UPDATE lifecycle SET listeners = (SELECT json_group_array(value) FROM json_each(listeners) WHERE value <> ?1) \
                       WHERE end_event_id IS NULL AND EXISTS (SELECT 1 FROM json_each(listeners) WHERE value = ?1)";
            tx.exec(sql, [&plugin])?;
            Ok(owed.len())
        })
        .await
    }
}

/// Plugins that have not heard of a start, and how often it was offered to them again.
type Owed = BTreeMap<String, u32>;

/// Columns of a start, for [`read_start`].
const START: &str = "lifecycle.event_id, session_id, session_key, agent_id, started_at, resumed_from, listeners";

impl Tx<'_> {
    fn end_session(&mut self, session_id: &str, mut end: LifecycleEnd) -> Result<Option<EndedSession>> {
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
        Ok(Some(EndedSession { event_id, start, end }))
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
        self.forget_settled(ENDED, event_id)
    }

    /// Changes who a start is owed to; `None` when it is owed to nobody.
    fn change_start<T>(&self, event_id: &str, change: impl FnOnce(&mut Owed) -> T) -> Result<Option<T>> {
        let sql = "SELECT start_owed FROM lifecycle WHERE event_id = ?1 AND start_owed IS NOT NULL";
        let Some(mut owed) = self.one(sql, [event_id], |r| read_owed(r, 0))? else { return Ok(None) };
        let result = change(&mut owed);
        self.exec("UPDATE lifecycle SET start_owed = ?2 WHERE event_id = ?1", params![event_id, owed_text(&owed)])?;
        self.forget_settled(STARTED, event_id)?;
        Ok(Some(result))
    }

    fn strike(&self, event_id: &str, plugin: &str) -> Result<bool> {
        if self.exec("DELETE FROM deliveries WHERE event_id = ?1 AND plugin_id = ?2", [event_id, plugin])? > 0 {
            // Who has had the end is not told of the start after it.
            let sql = "SELECT event_id FROM lifecycle WHERE end_event_id = ?1 AND start_owed IS NOT NULL";
            if let Some(start) = self.one(sql, [event_id], |r| r.get::<_, String>(0))? {
                self.change_start(&start, |owed| owed.remove(plugin).is_some())?;
            }
            self.forget_settled(ENDED, event_id)?;
            return Ok(true);
        }
        Ok(self.change_start(event_id, |owed| owed.remove(plugin).is_some())?.unwrap_or(false))
    }

    /// A session whose start and end everybody was told needs no row: a second end finds no open start, which is all that counts.
    /// `column` is [`STARTED`] or [`ENDED`], whichever the event is.
    fn forget_settled(&self, column: &str, event_id: &str) -> Result<()> {
        let sql = format!(
            "DELETE FROM lifecycle WHERE {column} = ?1 AND end_event_id IS NOT NULL AND start_owed IS NULL \
             AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = end_event_id)"
        );
        self.exec(&sql, [event_id])?;
        Ok(())
    }
}

/// Columns of an event in a row of the journal.
const STARTED: &str = "event_id";
const ENDED: &str = "end_event_id";

fn owed_text(owed: &Owed) -> Option<String> {
    (!owed.is_empty()).then(|| serde_json::to_string(owed).unwrap_or_default())
}

fn read_owed(r: &Row<'_>, column: usize) -> rusqlite::Result<Owed> {
    Ok(serde_json::from_str(r.get_ref(column)?.as_str()?).unwrap_or_default())
}

/// Sessions of one key follow each other, so their events have an order; those of others have none.
fn by_key(mut all: Vec<PendingDelivery>) -> Vec<Vec<PendingDelivery>> {
    let place = |d: &PendingDelivery| {
        let (at, end) = match d {
            PendingDelivery::Start(_) => (d.start().at_ms, false),
            PendingDelivery::End(ended) => (ended.end.at_ms.unwrap_or(ended.start.at_ms), true),
        };
        (d.start().at_ms, d.start().event_id.clone(), end, at)
    };
    all.sort_by_cached_key(place);
    let mut keys: Vec<Vec<PendingDelivery>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for delivery in all {
        let next = keys.len();
        let place = *places.entry(delivery.start().session_key.clone()).or_insert(next);
        match keys.get_mut(place) {
            Some(key) => key.push(delivery),
            None => keys.push(vec![delivery]),
        }
    }
    keys
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
