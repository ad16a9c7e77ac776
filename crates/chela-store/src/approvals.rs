//! Approvals: what somebody must allow before it happens, what was allowed for ever, and the trail of both (HOOK-179..192).
//!
//! A request changes its state once, in the transaction that also writes the trail and what is remembered: after a kill it is either
//! still pending or decided, never both and never lost.

use rusqlite::{Row, params};
use serde_json::{Value, json};

use crate::tx::Tx;
use crate::{Result, Store, StoreError, time};

/// Requests that wait at the same time.
const MAX_PENDING: i64 = 1000;
/// Decided requests stay for a month, since people ask what they allowed.
const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Rows of the trail.
const MAX_AUDIT: i64 = 20_000;
/// What is allowed for ever; the one that was used longest ago goes.
const MAX_GRANTS: i64 = 10_000;
/// Rows in one answer.
const MAX_LISTED: usize = 1000;
/// Largest request with its plan, in bytes of JSON.
const MAX_BYTES: usize = 1 << 20;

const COLUMNS: &str = "id, kind, state, request, plan, created_at, expires_at, decision, resolved_by, resolved_at FROM approvals";

/// What asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalKind {
    /// A command of the `exec` tool.
    Exec,
    /// A tool call that a plugin wants to have confirmed.
    Plugin,
}

impl ApprovalKind {
    /// The word in the database and in method names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Plugin => "plugin",
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has answered yet.
    Pending,
    /// Somebody has decided.
    Resolved,
    /// Its time is over, or nobody could have answered.
    Expired,
    /// Who asked does not want to know any more.
    Cancelled,
}

impl ApprovalState {
    /// The word in the database and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Resolved => "resolved",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "resolved" => Self::Resolved,
            "cancelled" => Self::Cancelled,
            // A word of a later version is nothing that may still be allowed.
            _ => Self::Expired,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRow {
    /// Its id.
    pub id: String,
    /// What asks.
    pub kind: ApprovalKind,
    /// Where it stands.
    pub state: ApprovalState,
    /// What clients see.
    pub request: Value,
    /// What the gateway itself needs to go on; clients never see it.
    pub plan: Option<Value>,
    /// Unix milliseconds.
    pub created_at_ms: i64,
    /// Unix milliseconds.
    pub expires_at_ms: i64,
    /// `allow-once`, `allow-always` or `deny`.
    pub decision: Option<String>,
    /// Who decided, as far as known.
    pub resolved_by: Option<String>,
    /// Unix milliseconds.
    pub resolved_at_ms: Option<i64>,
}

/// What is allowed without asking again: exactly this plugin, tool, agent and set of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalGrant {
    /// Digest of plugin, tool, agent and arguments.
    pub key: String,
    /// The plugin that asked.
    pub plugin_id: String,
    /// The tool.
    pub tool: String,
    /// The agent.
    pub agent_id: String,
    /// What people read about it.
    pub title: String,
    /// Unix milliseconds.
    pub granted_at_ms: i64,
    /// Who allowed it.
    pub granted_by: Option<String>,
    /// Unix milliseconds; `None` until it is used.
    pub used_at_ms: Option<i64>,
    /// How often it was used.
    pub uses: i64,
}

/// How a request ends.
#[derive(Debug, Clone)]
pub struct ApprovalEnd {
    /// The state after it.
    pub state: ApprovalState,
    /// The decision, of a resolved one.
    pub decision: Option<String>,
    /// Who, or why.
    pub by: Option<String>,
    /// What is remembered with it.
    pub grant: Option<ApprovalGrant>,
}

/// Answer to [`Store::end_approval`].
#[derive(Debug, Clone, PartialEq)]
pub enum ApprovalEnded {
    /// It ended by this call; the row after it.
    Now(ApprovalRow),
    /// It had ended before; the row as it is.
    Before(ApprovalRow),
    /// There is no such request.
    Missing,
}

impl Store {
    /// Stores a request that waits. False when the id is taken.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a request that is too large and while too many wait; write errors.
    pub async fn add_approval(&self, row: ApprovalRow) -> Result<bool> {
        let (request, plan) = (row.request.to_string(), row.plan.as_ref().map(Value::to_string));
        if request.len() + plan.as_ref().map_or(0, String::len) > MAX_BYTES {
            return Err(StoreError::invalid("approval", format!("a request has at most {MAX_BYTES} bytes")));
        }
        self.write(move |tx| {
            let now = time::now_ms();
            tx.exec("DELETE FROM approvals WHERE state <> 'pending' AND resolved_at < ?1", [now - KEEP_MS])?;
            let waiting = tx.one("SELECT COUNT(*) FROM approvals WHERE state = 'pending'", [], |r| r.get::<_, i64>(0))?;
            if waiting.unwrap_or_default() >= MAX_PENDING {
                let text = format!("{MAX_PENDING} approvals wait already: answer some of them first (`chela approvals list`)");
                return Err(StoreError::invalid("approval", text));
            }
            let added = tx.exec(
                "INSERT INTO approvals (id, kind, state, request, plan, created_at, expires_at) VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6) \
                 ON CONFLICT (id) DO NOTHING",
                params![row.id, row.kind.as_str(), request, plan, row.created_at_ms, row.expires_at_ms],
            )?;
            if added > 0 {
                tx.note_approval(now, &row.id, row.kind.as_str(), "requested", None, &row.request)?;
            }
            Ok(added > 0)
        })
        .await
    }

    /// Ends a request that still waits, and remembers what is granted with it.
    ///
    /// # Errors
    /// Write errors.
    pub async fn end_approval(&self, id: &str, end: ApprovalEnd) -> Result<ApprovalEnded> {
        let id = id.to_owned();
        self.write(move |tx| {
            let Some(mut row) = tx.one(&format!("SELECT {COLUMNS} WHERE id = ?1"), [&id], read_row)? else {
                return Ok(ApprovalEnded::Missing);
            };
            if row.state != ApprovalState::Pending {
                return Ok(ApprovalEnded::Before(row));
            }
            let now = time::now_ms();
            tx.exec(
                "UPDATE approvals SET state = ?2, decision = ?3, resolved_by = ?4, resolved_at = ?5 WHERE id = ?1",
                params![id, end.state.as_str(), end.decision, end.by, now],
            )?;
            if let Some(grant) = &end.grant {
                tx.put_grant(grant)?;
            }
            let what = end.decision.as_deref().unwrap_or(end.state.as_str());
            tx.note_approval(now, &id, row.kind.as_str(), what, end.by.as_deref(), &row.request)?;
            (row.state, row.decision, row.resolved_by, row.resolved_at_ms) = (end.state, end.decision, end.by, Some(now));
            Ok(ApprovalEnded::Now(row))
        })
        .await
    }

    /// One request, whatever its state.
    ///
    /// # Errors
    /// Read errors.
    pub async fn approval(&self, id: &str) -> Result<Option<ApprovalRow>> {
        let id = id.to_owned();
        let rows = self.approval_rows(format!("SELECT {COLUMNS} WHERE id = ?1 LIMIT ?2"), id, 1).await?;
        Ok(rows.into_iter().next())
    }

    /// All requests that wait, oldest first.
    ///
    /// # Errors
    /// Read errors.
    pub async fn pending_approvals(&self) -> Result<Vec<ApprovalRow>> {
        let sql = format!("SELECT {COLUMNS} WHERE state = 'pending' AND ?1 = '' ORDER BY created_at, id LIMIT ?2");
        self.approval_rows(sql, String::new(), MAX_LISTED).await
    }

    /// The trail, newest first: `{at, id, kind, what, by?, request}`.
    ///
    /// # Errors
    /// Read errors.
    pub async fn approval_audit(&self, limit: usize) -> Result<Vec<Value>> {
        let limit = limit.min(MAX_LISTED) as i64;
        self.read(move |conn, _| {
            let mut stmt =
                conn.prepare_cached("SELECT at, approval_id, kind, what, actor, detail FROM approval_audit ORDER BY seq DESC LIMIT ?1")?;
            let rows = stmt.query_map([limit], |r| {
                let detail: String = r.get(5)?;
                let mut row = json!({
                    "at": r.get::<_, i64>(0)?, "id": r.get::<_, String>(1)?, "kind": r.get::<_, String>(2)?,
                    "what": r.get::<_, String>(3)?, "request": serde_json::from_str::<Value>(&detail).unwrap_or_default(),
                });
                if let Some(by) = r.get::<_, Option<String>>(4)? {
                    row["by"] = by.into();
                }
                Ok(row)
            })?;
            rows.collect()
        })
        .await
    }

    /// Uses what was granted: true when it is there; then the trail says so.
    ///
    /// # Errors
    /// Write errors.
    pub async fn use_approval_grant(&self, key: &str, detail: Value) -> Result<bool> {
        let key = key.to_owned();
        // Most calls were never granted: they must not wait for a commit.
        let probe = key.clone();
        let found = self
            .read(move |conn, _| {
                let mut stmt = conn.prepare_cached("SELECT 1 FROM approval_grants WHERE grant_key = ?1")?;
                stmt.exists([probe])
            })
            .await?;
        if !found {
            return Ok(false);
        }
        self.write(move |tx| {
            let now = time::now_ms();
            let used = tx.exec("UPDATE approval_grants SET used_at = ?2, uses = uses + 1 WHERE grant_key = ?1", params![key, now])?;
            if used > 0 {
                tx.note_approval(now, &key, ApprovalKind::Plugin.as_str(), "used", None, &detail)?;
            }
            Ok(used > 0)
        })
        .await
    }

    /// Everything that is granted, newest first.
    ///
    /// # Errors
    /// Read errors.
    pub async fn approval_grants(&self) -> Result<Vec<ApprovalGrant>> {
        self.read(|conn, _| {
            let mut stmt = conn.prepare_cached(
                "SELECT grant_key, plugin_id, tool, agent_id, title, granted_at, granted_by, used_at, uses FROM approval_grants \
                 ORDER BY granted_at DESC, grant_key LIMIT ?1",
            )?;
            let rows = stmt.query_map([MAX_LISTED as i64], |r| {
                Ok(ApprovalGrant {
                    key: r.get(0)?,
                    plugin_id: r.get(1)?,
                    tool: r.get(2)?,
                    agent_id: r.get(3)?,
                    title: r.get(4)?,
                    granted_at_ms: r.get(5)?,
                    granted_by: r.get(6)?,
                    used_at_ms: r.get(7)?,
                    uses: r.get(8)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Takes back what was granted; false when there is nothing of this key.
    ///
    /// # Errors
    /// Write errors.
    pub async fn revoke_approval_grant(&self, key: &str, by: Option<&str>) -> Result<bool> {
        let (key, by) = (key.to_owned(), by.map(str::to_owned));
        self.write(move |tx| {
            let gone = tx.exec("DELETE FROM approval_grants WHERE grant_key = ?1", [&key])?;
            if gone > 0 {
                tx.note_approval(time::now_ms(), &key, ApprovalKind::Plugin.as_str(), "revoked", by.as_deref(), &json!({}))?;
            }
            Ok(gone > 0)
        })
        .await
    }

    async fn approval_rows(&self, sql: String, value: String, limit: usize) -> Result<Vec<ApprovalRow>> {
        self.read(move |conn, _| {
            let mut stmt = conn.prepare_cached(&sql)?;
            let rows = stmt.query_map(params![value, limit as i64], read_row)?;
            rows.collect()
        })
        .await
    }
}

impl Tx<'_> {
    fn note_approval(&self, at: i64, id: &str, kind: &str, what: &str, by: Option<&str>, detail: &Value) -> Result<()> {
        self.exec(
            "INSERT INTO approval_audit (at, approval_id, kind, what, actor, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![at, id, kind, what, by, detail.to_string()],
        )?;
        self.exec("DELETE FROM approval_audit WHERE seq <= (SELECT MAX(seq) FROM approval_audit) - ?1", [MAX_AUDIT])?;
        Ok(())
    }

    fn put_grant(&self, grant: &ApprovalGrant) -> Result<()> {
        self.exec(
            "INSERT INTO approval_grants (grant_key, plugin_id, tool, agent_id, title, granted_at, granted_by, uses) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0) ON CONFLICT (grant_key) DO UPDATE SET title = ?5, granted_at = ?6, granted_by = ?7",
            params![grant.key, grant.plugin_id, grant.tool, grant.agent_id, grant.title, grant.granted_at_ms, grant.granted_by],
        )?;
        self.exec(
            "DELETE FROM approval_grants WHERE grant_key IN (SELECT grant_key FROM approval_grants \
             ORDER BY COALESCE(used_at, granted_at) DESC, grant_key LIMIT -1 OFFSET ?1)",
            [MAX_GRANTS],
        )?;
        Ok(())
    }
}

fn read_row(r: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Ok(ApprovalRow {
        id: r.get(0)?,
        kind: if r.get::<_, String>(1)? == "exec" { ApprovalKind::Exec } else { ApprovalKind::Plugin },
        state: ApprovalState::parse(&r.get::<_, String>(2)?),
        request: json(r.get(3)?),
        plan: r.get::<_, Option<String>>(4)?.map(json),
        created_at_ms: r.get(5)?,
        expires_at_ms: r.get(6)?,
        decision: r.get(7)?,
        resolved_by: r.get(8)?,
        resolved_at_ms: r.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Home;

    fn row(id: &str) -> ApprovalRow {
        ApprovalRow {
            id: id.into(),
            kind: ApprovalKind::Plugin,
            state: ApprovalState::Pending,
            request: json!({"title": "t"}),
            plan: Some(json!({"secret": 1})),
            created_at_ms: 1,
            expires_at_ms: 2,
            decision: None,
            resolved_by: None,
            resolved_at_ms: None,
        }
    }

    fn grant(key: &str) -> ApprovalGrant {
        ApprovalGrant {
            key: key.into(),
            plugin_id: "p".into(),
            tool: "t".into(),
            agent_id: "main".into(),
            title: "Title".into(),
            granted_at_ms: 5,
            granted_by: Some("me".into()),
            used_at_ms: None,
            uses: 0,
        }
    }

    fn allowed(grant: Option<ApprovalGrant>) -> ApprovalEnd {
        ApprovalEnd { state: ApprovalState::Resolved, decision: Some("allow-always".into()), by: Some("me".into()), grant }
    }

    #[tokio::test]
    async fn a_request_ends_once_and_survives_a_restart() {
        let home = Home::new();
        {
            let store = home.open();
            assert!(store.add_approval(row("a")).await.unwrap());
            assert!(!store.add_approval(row("a")).await.unwrap(), "the id is taken");
            assert!(store.add_approval(row("b")).await.unwrap());
            let ended = store.end_approval("a", allowed(Some(grant("k")))).await.unwrap();
            assert!(matches!(ended, ApprovalEnded::Now(row) if row.decision.as_deref() == Some("allow-always")));
            let end = ApprovalEnd { state: ApprovalState::Expired, decision: None, by: None, grant: None };
            let again = store.end_approval("a", end.clone()).await.unwrap();
            assert!(matches!(again, ApprovalEnded::Before(row) if row.state == ApprovalState::Resolved));
            assert_eq!(store.end_approval("none", end).await.unwrap(), ApprovalEnded::Missing);
            drop(store);
        }
        let store = home.open();
        let pending: Vec<String> = store.pending_approvals().await.unwrap().into_iter().map(|r| r.id).collect();
        assert_eq!(pending, ["b"]);
        let kept = store.approval("a").await.unwrap().unwrap();
        assert_eq!((kept.resolved_by.as_deref(), kept.plan), (Some("me"), Some(json!({"secret": 1}))));
        assert!(store.use_approval_grant("k", json!({})).await.unwrap());
        assert!(!store.use_approval_grant("other", json!({})).await.unwrap());
        assert_eq!(store.approval_grants().await.unwrap()[0].uses, 1);
        assert!(store.revoke_approval_grant("k", Some("me")).await.unwrap());
        assert!(!store.use_approval_grant("k", json!({})).await.unwrap());
        let trail = store.approval_audit(50).await.unwrap();
        let what: Vec<&str> = trail.iter().filter_map(|row| row["what"].as_str()).collect();
        assert_eq!(what, ["revoked", "used", "allow-always", "requested", "requested"]);
    }

    #[tokio::test]
    async fn a_request_that_is_too_large_is_refused() {
        let home = Home::new();
        let mut large = row("l");
        large.request = json!({"title": "x".repeat(MAX_BYTES)});
        assert!(home.open().add_approval(large).await.is_err());
    }
}
