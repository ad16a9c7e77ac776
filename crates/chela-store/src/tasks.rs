//! Tasks and flows of plugins: what runs in the background for a session, and the plans that a plugin steers (RT-090..102).
//!
//! A record is a JSON object with the reference's members; the columns beside it are what is searched for. Nothing here runs anything.

use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use crate::tx::Tx;
use crate::{Result, Store, StoreError, json_limits, time};

/// Ended records stay for a week.
const KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Flows of one session, and tasks of one session, that have not ended.
const MAX_LIVE: i64 = 1000;
/// Ended ones in a list.
const MAX_LISTED: i64 = 2000;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkKind {
    /// A plan of several steps with a revision.
    Flow,
    /// One piece of background work.
    Task,
}

impl WorkKind {
    fn id_member(self) -> &'static str {
        match self {
            Self::Flow => "flowId",
            Self::Task => "taskId",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Task => "task",
        }
    }
}

/// Answer to a change that names the revision it is about (RT-099).
#[derive(Debug, Clone, PartialEq)]
pub enum WorkChange {
    /// Done; the record after it.
    Applied(Value),
    /// There is no such record of this owner.
    NotFound,
    /// Somebody else changed it first; the record as it is.
    Conflict(Value),
}

impl Store {
    /// Stores a new record of an owner (a session key) with a fresh id, revision 0 and `createdAt`.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a record over the limits of [`json_limits`] and for an owner with too many live ones; write errors.
    pub async fn create_work(&self, kind: WorkKind, owner: &str, mut record: Map<String, Value>) -> Result<Value> {
        let (owner, id) = (owner.to_owned(), uuid::Uuid::new_v4().to_string());
        record.insert(kind.id_member().into(), id.clone().into());
        record.insert("ownerKey".into(), owner.clone().into());
        record.insert("revision".into(), 0.into());
        let now = time::now_ms();
        record.entry("createdAt").or_insert_with(|| now.into());
        record.entry("updatedAt").or_insert_with(|| now.into());
        let record = checked(kind, record)?;
        self.write(move |tx| {
            tx.exec("DELETE FROM work WHERE ended_at IS NOT NULL AND ended_at < ?1", [now - KEEP_MS])?;
            let live = "SELECT COUNT(*) FROM work WHERE owner_key = ?1 AND kind = ?2 AND ended_at IS NULL";
            if tx.one(live, params![owner, kind.word()], |r| r.get::<_, i64>(0))?.unwrap_or_default() >= MAX_LIVE {
                let text = format!("session `{owner}` has {MAX_LIVE} live ones already: end some of them first");
                return Err(StoreError::invalid(kind.word(), text));
            }
            tx.put_work(kind, &record)?;
            Ok(record)
        })
        .await
    }

    /// A record of an owner.
    ///
    /// # Errors
    /// Read errors.
    pub async fn work(&self, kind: WorkKind, owner: &str, id: &str) -> Result<Option<Value>> {
        let (owner, id) = (owner.to_owned(), id.trim().to_owned());
        let sql = "SELECT record FROM work WHERE owner_key = ?1 AND kind = ?2 AND id = ?3";
        self.read(move |conn, _| Ok(select(conn, sql, params![owner, kind.word(), id])?.pop())).await
    }

    /// Records of an owner, newest first; with `flow` only the tasks of that flow.
    ///
    /// # Errors
    /// Read errors.
    pub async fn works(&self, kind: WorkKind, owner: &str, flow: Option<&str>) -> Result<Vec<Value>> {
        let (owner, flow) = (owner.to_owned(), flow.map(str::to_owned));
        let sql = "SELECT record FROM work WHERE owner_key = ?1 AND kind = ?2 AND (?3 IS NULL OR flow_id = ?3) \
                   ORDER BY created_at DESC, rowid DESC LIMIT ?4";
        self.read(move |conn, _| select(conn, sql, params![owner, kind.word(), flow, MAX_LISTED])).await
    }

    /// Changes members of a record: `null` takes one out. Each change raises the revision by one.
    ///
    /// # Errors
    /// As [`Store::create_work`].
    pub async fn change_work(
        &self,
        kind: WorkKind,
        owner: &str,
        id: &str,
        expected: Option<i64>,
        patch: Map<String, Value>,
    ) -> Result<WorkChange> {
        let (owner, id) = (owner.to_owned(), id.trim().to_owned());
        self.write(move |tx| {
            let sql = "SELECT record FROM work WHERE owner_key = ?1 AND kind = ?2 AND id = ?3";
            let found = tx.one(sql, params![owner, kind.word(), id], |r| r.get::<_, String>(0))?;
            let Some(Value::Object(mut record)) = found.and_then(|text| serde_json::from_str(&text).ok()) else {
                return Ok(WorkChange::NotFound);
            };
            let revision = record.get("revision").and_then(Value::as_i64).unwrap_or_default();
            if expected.is_some_and(|expected| expected != revision) {
                return Ok(WorkChange::Conflict(Value::Object(record)));
            }
            record.insert("updatedAt".into(), time::now_ms().into());
            for (name, value) in patch {
                if value.is_null() {
                    record.shift_remove(&name);
                } else {
                    record.insert(name, value);
                }
            }
            record.insert("revision".into(), (revision + 1).into());
            let record = checked(kind, record)?;
            tx.put_work(kind, &record)?;
            Ok(WorkChange::Applied(record))
        })
        .await
    }
}

impl Tx<'_> {
    fn put_work(&mut self, kind: WorkKind, record: &Value) -> Result<()> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let number = |name: &str| record.get(name).and_then(Value::as_i64);
        self.exec(
            "INSERT INTO work (id, kind, owner_key, flow_id, created_at, ended_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (id) DO UPDATE SET flow_id = ?4, ended_at = ?6, record = ?7",
            params![
                text(kind.id_member()),
                kind.word(),
                text("ownerKey"),
                text("parentFlowId"),
                number("createdAt"),
                number("endedAt"),
                record.to_string()
            ],
        )?;
        Ok(())
    }
}

fn checked(kind: WorkKind, record: Map<String, Value>) -> Result<Value> {
    let record = Value::Object(record);
    json_limits::check(&record).map_err(|e| StoreError::invalid(kind.word(), e.to_string()))?;
    Ok(record)
}

fn select(conn: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<Value>> {
    let mut stmt = conn.prepare_cached(sql)?;
    let rows = stmt.query_map(values, |r| r.get::<_, String>(0))?;
    rows.map(|row| Ok(serde_json::from_str(&row?).unwrap_or_else(|_| json!({})))).collect()
}
