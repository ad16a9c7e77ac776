//! The database: tables, and how connections are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{Durability, Result, StoreError};

/// Version in `PRAGMA user_version`; raise it with every change of the tables and add the step to [`migrate`].
const VERSION: i64 = 5;

/// `agents` keeps the number of sessions and a change counter, so that totals and the question whether
/// `sessions.json` is behind cost one row. `entries.line` is the JSONL line itself: the file can always be
/// written again, byte for byte.
const TABLES: &str = "
CREATE TABLE agents (
  agent_id TEXT PRIMARY KEY, sessions INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 0,
  file_rev INTEGER NOT NULL DEFAULT -1, file_mtime_ns INTEGER, file_size INTEGER, file_hash TEXT
) WITHOUT ROWID;
CREATE TABLE sessions (
  key TEXT PRIMARY KEY, agent_id TEXT NOT NULL, session_id TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, label TEXT, rev INTEGER NOT NULL, plugin_state INTEGER NOT NULL, row_json TEXT NOT NULL
);
CREATE INDEX sessions_by_time ON sessions(updated_at DESC, key);
CREATE INDEX sessions_by_agent ON sessions(agent_id, updated_at DESC, key);
CREATE INDEX sessions_by_id ON sessions(session_id);
CREATE INDEX sessions_by_label ON sessions(label) WHERE label IS NOT NULL;
CREATE INDEX sessions_with_plugin_state ON sessions(key) WHERE plugin_state = 1;
CREATE TABLE foreign_rows (agent_id TEXT NOT NULL, key TEXT NOT NULL, row_json TEXT NOT NULL, PRIMARY KEY (agent_id, key)) WITHOUT ROWID;
CREATE TABLE transcripts (
  tid INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, session_key TEXT NOT NULL, agent_id TEXT NOT NULL,
  file TEXT NOT NULL, header TEXT NOT NULL, leaf_id TEXT, next_seq INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0, last_at INTEGER, file_bytes INTEGER NOT NULL DEFAULT 0,
  imported INTEGER NOT NULL DEFAULT 1, archived_at INTEGER
);
CREATE INDEX transcripts_archived ON transcripts(archived_at) WHERE archived_at IS NOT NULL;
CREATE TABLE entries (
  tid INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, parent_id TEXT, kind TEXT NOT NULL,
  at INTEGER NOT NULL, active INTEGER NOT NULL, context INTEGER NOT NULL, line TEXT NOT NULL
);
CREATE UNIQUE INDEX entries_by_seq ON entries(tid, seq);
CREATE UNIQUE INDEX entries_by_id ON entries(tid, id);
CREATE INDEX entries_window ON entries(tid, seq) WHERE active = 1 AND context = 1;
CREATE TABLE file_ops (id INTEGER PRIMARY KEY, source TEXT NOT NULL, target TEXT);
CREATE TABLE lifecycle (
  event_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, session_key TEXT NOT NULL, agent_id TEXT NOT NULL,
  started_at INTEGER NOT NULL, resumed_from TEXT, listeners TEXT NOT NULL, end_event_id TEXT UNIQUE, ended TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX lifecycle_open ON lifecycle(session_id) WHERE end_event_id IS NULL;
CREATE TABLE deliveries (
  plugin_id TEXT NOT NULL, seq INTEGER NOT NULL, event_id TEXT NOT NULL, PRIMARY KEY (plugin_id, seq, event_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_by_event ON deliveries(event_id, plugin_id);
CREATE TABLE runs (
  key TEXT PRIMARY KEY, method TEXT NOT NULL, run_id TEXT NOT NULL, session_key TEXT, text_hash TEXT,
  status TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_finished ON runs(expires_at) WHERE status <> 'in_flight';
CREATE INDEX runs_active ON runs(session_key, text_hash) WHERE status = 'in_flight';
CREATE TABLE plugin_state (
  plugin_id TEXT NOT NULL, namespace TEXT NOT NULL, entry_key TEXT NOT NULL, value_json TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER, PRIMARY KEY (plugin_id, namespace, entry_key)
);
CREATE INDEX plugin_state_listing ON plugin_state(plugin_id, namespace, created_at, entry_key);
CREATE INDEX plugin_state_expiry ON plugin_state(expires_at) WHERE expires_at IS NOT NULL;
";

/// Added with version 2. Databases of version 1 get it when they are opened.
const WORK: &str = "
CREATE TABLE work (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner_key TEXT NOT NULL, flow_id TEXT, created_at INTEGER NOT NULL,
  ended_at INTEGER, record TEXT NOT NULL
);
CREATE INDEX work_by_owner ON work(owner_key, kind, created_at DESC);
CREATE INDEX work_ended ON work(ended_at) WHERE ended_at IS NOT NULL;
";

/// Added with version 3: when sessions run out, and how often an end was offered to a listener.
const EXPIRY: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session_expiry (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX session_expiry_by_time ON session_expiry(at, key);
ALTER TABLE deliveries ADD COLUMN offers INTEGER NOT NULL DEFAULT 0;
";

/// Added with version 4.
const APPROVALS: &str = "
CREATE TABLE approvals (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, request TEXT NOT NULL, plan TEXT, created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, decision TEXT, resolved_by TEXT, resolved_at INTEGER
) WITHOUT ROWID;
CREATE INDEX approvals_pending ON approvals(created_at) WHERE state = 'pending';
CREATE INDEX approvals_ended ON approvals(resolved_at) WHERE state <> 'pending';
CREATE TABLE approval_grants (
  grant_key TEXT PRIMARY KEY, plugin_id TEXT NOT NULL, tool TEXT NOT NULL, agent_id TEXT NOT NULL, title TEXT NOT NULL,
  granted_at INTEGER NOT NULL, granted_by TEXT, used_at INTEGER, uses INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE approval_audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, approval_id TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL,
  actor TEXT, detail TEXT NOT NULL
);
";

/// Added with version 5: who has not heard of a start, with the number of offers, as a JSON object.
const STARTS: &str = "
ALTER TABLE lifecycle ADD COLUMN start_owed TEXT;
CREATE INDEX lifecycle_start_owed ON lifecycle(started_at) WHERE start_owed IS NOT NULL;
";

const BUSY_TIMEOUT: Duration = Duration::from_millis(5000);
/// Backstop only: the writer checkpoints itself, after the callers of a batch were answered.
const AUTO_CHECKPOINT_PAGES: i64 = 16_000;
const JOURNAL_LIMIT_BYTES: i64 = 32 << 20;

/// Opens the one connection that writes, creating and migrating the database.
pub(crate) fn open_writer(path: &Path, durability: Durability) -> Result<Connection> {
    let fail = |operation| move |e: rusqlite::Error| StoreError::sqlite(path, operation, &e);
    let mut conn = Connection::open(path).map_err(fail("open"))?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(fail("open"))?;
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |r| r.get(0)).map_err(fail("open"))?;
    if !mode.eq_ignore_ascii_case("wal") {
        tracing::warn!(path = %path.display(), mode, "the file system allows no write-ahead log; commits are slower");
    }
    conn.pragma_update(None, "synchronous", durability.pragma()).map_err(fail("open"))?;
    conn.pragma_update(None, "wal_autocheckpoint", AUTO_CHECKPOINT_PAGES).map_err(fail("open"))?;
    conn.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT_BYTES).map_err(fail("open"))?;
    conn.pragma_update(None, "temp_store", "MEMORY").map_err(fail("open"))?;
    conn.set_prepared_statement_cache_capacity(128);
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let fail = |e: rusqlite::Error| StoreError::sqlite(path, "open for reading", &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(fail)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<()> {
    let fail = |e: rusqlite::Error| StoreError::sqlite(path, "create tables", &e);
    let found: i64 = conn.pragma_query_value(None, "user_version", |r| r.get(0)).map_err(fail)?;
    if found > VERSION {
        return Err(StoreError::SchemaTooNew { path: path.to_owned(), found, supported: VERSION });
    }
    if found < VERSION {
        let tx = conn.transaction().map_err(fail)?;
        if found < 1 {
            tx.execute_batch(TABLES).map_err(fail)?;
        }
        if found < 2 {
            tx.execute_batch(WORK).map_err(fail)?;
        }
        if found < 3 {
            tx.execute_batch(EXPIRY).map_err(fail)?;
        }
        if found < 4 {
            tx.execute_batch(APPROVALS).map_err(fail)?;
        }
        if found < 5 {
            tx.execute_batch(STARTS).map_err(fail)?;
        }
        tx.pragma_update(None, "user_version", VERSION).map_err(fail)?;
        tx.commit().map_err(fail)?;
    }
    Ok(())
}
