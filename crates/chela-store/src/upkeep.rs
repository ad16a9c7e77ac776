//! Bounds of the store: which sessions may go, archives, and bringing one back.

use std::collections::HashSet;
use std::path::PathBuf;

use rusqlite::{OptionalExtension, params};

use crate::tx::{ROW_COLUMNS, Tx, read_row};
use crate::{ArchiveReason, Result, SessionRow, Store, StoreError, row, session_key, time};

/// What a clean-up looks for in one agent's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CleanupRules {
    /// Sessions last changed before this may go, Unix milliseconds.
    pub stale_before_ms: i64,
    /// Sessions that stay.
    pub max_entries: usize,
    /// Also those whose transcript has entries and no file.
    pub missing: bool,
    /// Also those of single direct peers: the config has one session for all of them now.
    pub direct_peers: bool,
    /// Bytes of all transcripts above which the oldest go, and how many may be left then.
    pub disk: Option<(u64, u64)>,
    /// Keys that stay whatever the rules say.
    pub keep: HashSet<String>,
}

/// A session that a clean-up would remove.
#[derive(Debug, Clone, PartialEq)]
pub struct Doomed {
    /// Its row.
    pub row: SessionRow,
    /// `prune-missing`, `retire-dm-scope`, `prune-stale`, `cap-overflow` or `evict-budget`.
    pub action: &'static str,
}

/// What a clean-up found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CleanupPlan {
    /// Sessions of the agent before it.
    pub before: u64,
    /// Those that go, oldest change first.
    pub doomed: Vec<Doomed>,
    /// Bytes of archives that have to go before any session does, for the disk's sake.
    pub archive_bytes: u64,
}

impl CleanupPlan {
    /// How many go for one reason.
    pub fn count(&self, action: &str) -> usize {
        self.doomed.iter().filter(|d| d.action == action).count()
    }
}

/// A transcript that was put away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its session id.
    pub session_id: String,
    /// The key that it belonged to.
    pub session_key: String,
    /// Its file.
    pub file: PathBuf,
    /// When it was put away, Unix milliseconds.
    pub archived_at_ms: i64,
    /// Messages in it.
    pub messages: u64,
    /// Size of its file, bytes.
    pub bytes: u64,
}

const ARCHIVES: &str =
    "SELECT session_id, session_key, file, archived_at, messages, file_bytes FROM transcripts WHERE archived_at IS NOT NULL";

fn read_archived(r: &rusqlite::Row<'_>) -> rusqlite::Result<Archived> {
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    Ok(Archived {
        session_id: r.get(0)?,
        session_key: r.get(1)?,
        file: PathBuf::from(r.get::<_, String>(2)?),
        archived_at_ms: r.get(3)?,
        messages: number(r.get(4)?),
        bytes: number(r.get(5)?),
    })
}

/// True for a conversation on a platform (a group, a channel, a thread): its row is the only way back to it, so no clean-up takes it. The
/// sessions of jobs, hooks and children are never such.
pub fn is_lasting(row: &SessionRow) -> bool {
    let rest = session_key::parse_agent_key(&row.key).map_or_else(|| row.key.clone(), |k| k.rest);
    let made = ["subagent:", "acp:", "cron:", "hook:", "node:"].iter().any(|kind| rest.starts_with(kind));
    if made || rest == "heartbeat" || rest.ends_with(":heartbeat") || rest.contains(":heartbeat:") {
        return false;
    }
    let kind = row.extra.get("chatType").or_else(|| row.extra.get("origin")?.get("chatType")).and_then(|v| v.as_str());
    let parts: Vec<&str> = rest.split(':').collect();
    let grouped = parts.len() >= 3 && matches!(parts[1], "group" | "channel");
    grouped || rest.contains(":thread:") || rest.contains(":topic:") || matches!(kind, Some("group" | "channel" | "thread"))
}

/// True for the session of one direct peer.
fn is_direct_peer(key: &str) -> bool {
    let Some(key) = session_key::parse_agent_key(key) else { return false };
    let parts: Vec<&str> = key.rest.split(':').filter(|p| !p.is_empty()).collect();
    matches!(parts.as_slice(), ["direct", _] | [_, "direct", _] | [_, _, "direct", _])
}

impl Store {
    /// Looks which sessions of an agent have to go. Changes nothing; costs a look at the agent's rows.
    ///
    /// # Errors
    /// Read errors.
    pub async fn plan_cleanup(&self, agent_id: &str, rules: CleanupRules) -> Result<CleanupPlan> {
        let agent = agent_id.to_owned();
        self.read(move |conn, shared| {
            let columns = ROW_COLUMNS.replacen(" FROM", ", COALESCE(t.file_bytes, 0) FROM", 1);
            let mut stmt = conn.prepare(&format!("SELECT {columns} WHERE s.agent_id = ?1 ORDER BY s.updated_at, s.key"))?;
            let rows = stmt.query_map([&agent], |r| Ok((read_row(r, &shared.sessions_dir_for).ok(), r.get::<_, i64>(5)?)))?;
            let mut sessions = Vec::new();
            for one in rows {
                let (row, bytes) = one?;
                sessions.extend(row.map(|row| (row, u64::try_from(bytes).unwrap_or_default())));
            }
            let archived: i64 = conn
                .prepare_cached("SELECT COALESCE(SUM(file_bytes), 0) FROM transcripts WHERE agent_id = ?1 AND archived_at IS NOT NULL")?
                .query_row([&agent], |r| r.get(0))?;
            Ok(plan(sessions, u64::try_from(archived).unwrap_or_default(), &rules))
        })
        .await
    }

    /// How many sessions an agent has, and when the one was changed that nobody touched for longest. Costs two looks at an index.
    ///
    /// # Errors
    /// Read errors.
    pub async fn session_extent(&self, agent_id: &str) -> Result<(u64, Option<i64>)> {
        let agent = agent_id.to_owned();
        self.read(move |conn, _| {
            let count: Option<i64> =
                conn.prepare_cached("SELECT sessions FROM agents WHERE agent_id = ?1")?.query_row([&agent], |r| r.get(0)).optional()?;
            let oldest = conn
                .prepare_cached("SELECT updated_at FROM sessions WHERE agent_id = ?1 ORDER BY updated_at LIMIT 1")?
                .query_row([&agent], |r| r.get(0))
                .optional()?;
            Ok((u64::try_from(count.unwrap_or_default()).unwrap_or_default(), oldest))
        })
        .await
    }

    /// Archived transcripts, newest first; of one agent or of all.
    ///
    /// # Errors
    /// Read errors.
    pub async fn archives(&self, agent_id: Option<&str>, limit: usize) -> Result<Vec<Archived>> {
        let agent = agent_id.map(str::to_owned);
        self.read(move |conn, _| {
            let mut stmt =
                conn.prepare_cached(&format!("{ARCHIVES} AND (?1 IS NULL OR agent_id = ?1) ORDER BY archived_at DESC LIMIT ?2"))?;
            stmt.query_map(params![agent, i64::try_from(limit).unwrap_or(i64::MAX)], read_archived)?.collect()
        })
        .await
    }

    /// An archived transcript by its session id.
    ///
    /// # Errors
    /// Read errors.
    pub async fn archived(&self, session_id: &str) -> Result<Option<Archived>> {
        let id = session_id.to_owned();
        self.read(move |conn, _| {
            let mut stmt = conn.prepare_cached(&format!("{ARCHIVES} AND session_id = ?1"))?;
            stmt.query_row([id], read_archived).optional()
        })
        .await
    }

    /// Removes the oldest archives of an agent until `bytes` are free; hands back how many went.
    ///
    /// # Errors
    /// Write errors.
    pub async fn free_archives(&self, agent_id: &str, bytes: u64) -> Result<usize> {
        let agent = agent_id.to_owned();
        self.write(move |tx| {
            let sql = "SELECT tid, file, session_id, file_bytes FROM transcripts WHERE agent_id = ?1 AND archived_at IS NOT NULL ORDER BY archived_at";
            let all = tx.all(sql, [&agent], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get::<_, i64>(3)?)))?;
            let mut left = i64::try_from(bytes).unwrap_or(i64::MAX);
            let mut gone = 0;
            for (tid, file, session_id, size) in all {
                if left <= 0 {
                    break;
                }
                left -= size;
                gone += 1;
                tx.drop_transcript(tid, &file, session_id)?;
            }
            Ok(gone)
        })
        .await
    }

    /// Keeps only the last `lines` lines of a transcript, its header included, beginning with a message of a user, so that no tool result
    /// loses its call. The whole file is copied to `<file>.bak.<stamp>` first. Hands back the lines that are left, and the copy when
    /// something was cut.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`], and file and write errors.
    pub async fn cut_transcript(&self, session_id: &str, lines: usize) -> Result<(u64, Option<PathBuf>)> {
        self.ensure_loaded(session_id).await?;
        let id = session_id.to_owned();
        let unknown = StoreError::UnknownTranscript { session_id: id.clone() };
        let found = self.read(move |conn, _| crate::tx::find_transcript(conn, &id)).await?.ok_or(unknown)?;
        let total = u64::try_from(found.next_seq + 1).unwrap_or_default();
        if total <= lines as u64 {
            return Ok((total, None));
        }
        let copy = crate::archive::backup_path(&found.file, time::now_ms());
        let (from, to) = (found.file.clone(), copy.clone());
        self.blocking(move |_| std::fs::copy(&from, &to).map(|_| ()).map_err(|e| StoreError::io(&to, "write", e))).await?;
        let id = session_id.to_owned();
        let left = self.write(move |tx| tx.cut(&id, i64::try_from(lines).unwrap_or(i64::MAX))).await?;
        Ok((left, Some(copy)))
    }

    /// Puts an archived transcript back as the session of its key. The session that is there now is archived. Hands back the row that was
    /// there, and the new one.
    ///
    /// # Errors
    /// [`StoreError::UnknownTranscript`], [`StoreError::Invalid`] when it is not archived, and write errors.
    pub async fn restore_archive(&self, session_id: &str) -> Result<(Option<SessionRow>, SessionRow)> {
        self.ensure_loaded(session_id).await?;
        let id = session_id.to_owned();
        self.write(move |tx| tx.restore(&id)).await
    }
}

impl Tx<'_> {
    pub(crate) fn drop_transcript(&mut self, tid: i64, file: &str, session_id: String) -> Result<()> {
        self.effects.rewritten.insert(session_id);
        self.exec("DELETE FROM entries WHERE tid = ?1", [tid])?;
        self.exec("DELETE FROM transcripts WHERE tid = ?1", [tid])?;
        self.queue_remove(PathBuf::from(file))
    }

    fn cut(&mut self, session_id: &str, lines: i64) -> Result<u64> {
        let mut t = self.require_transcript(session_id)?;
        let from = t.next_seq - (lines - 1).clamp(0, t.next_seq);
        let user = "SELECT MIN(seq) FROM entries WHERE tid = ?1 AND seq >= ?2 AND active = 1 AND kind = 'message' \
                    AND json_extract(line, '$.message.role') = 'user'";
        let first = self.one(user, params![t.tid, from], |r| r.get::<_, Option<i64>>(0))?.flatten().unwrap_or(t.next_seq);
        self.exec("DELETE FROM entries WHERE tid = ?1 AND seq < ?2", params![t.tid, first])?;
        // What is first now has nothing before it.
        self.exec(
            "UPDATE entries SET parent_id = NULL, line = json_set(line, '$.parentId', NULL) WHERE tid = ?1 AND seq = ?2",
            params![t.tid, first],
        )?;
        // In two steps, so that no place is taken twice on the way.
        self.exec("UPDATE entries SET seq = ?2 - seq - 1 WHERE tid = ?1", params![t.tid, first])?;
        self.exec("UPDATE entries SET seq = -seq - 1 WHERE tid = ?1", params![t.tid])?;
        t.next_seq -= first;
        let counts = "SELECT COUNT(*) FILTER (WHERE kind = 'message' AND active = 1), COALESCE(SUM(LENGTH(CAST(line AS BLOB)) + 1), 0) FROM entries WHERE tid = ?1";
        let (messages, bytes) = self.one(counts, [t.tid], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?.unwrap_or_default();
        if t.next_seq == 0 {
            t.leaf_id = None;
        }
        t.messages = messages;
        t.file_bytes = bytes + i64::try_from(t.header.len() + 1).unwrap_or_default();
        self.save_transcript(&t)?;
        self.effects.push_op(crate::effects::FileOp::Rewrite { session_id: t.session_id.clone(), path: t.file.clone() });
        Ok(u64::try_from(t.next_seq + 1).unwrap_or_default())
    }

    fn restore(&mut self, session_id: &str) -> Result<(Option<SessionRow>, SessionRow)> {
        let mut t = self.require_transcript(session_id)?;
        if t.archived_at.is_none() {
            return Err(StoreError::invalid("session id", format!("`{session_id}` is not archived")));
        }
        let agent = self.one("SELECT agent_id FROM transcripts WHERE tid = ?1", [t.tid], |r| r.get::<_, String>(0))?.unwrap_or_default();
        let before = self.row(&t.session_key)?;
        let mut base = match &before {
            Some(old) => old.preferences(),
            None => {
                SessionRow { key: t.session_key.clone(), agent_id: agent.clone(), created_at_ms: time::now_ms(), ..SessionRow::default() }
            }
        };
        let mut replaced = before;
        if let Some(old) = &mut replaced {
            self.archive(old, ArchiveReason::Reset)?;
        }
        let file = row::default_file(&self.sessions_dir(&agent), &t.session_key, session_id);
        if t.file_bytes > 0 || t.file.is_file() {
            self.queue_rename(std::mem::replace(&mut t.file, file.clone()), file.clone())?;
        }
        (t.file, t.archived_at) = (file.clone(), None);
        self.save_transcript(&t)?;
        let now = time::now_ms();
        base.session_id = session_id.to_owned();
        base.session_file = file;
        base.message_count = u64::try_from(t.messages).unwrap_or_default();
        // It is in use again from now on; by its old times it would run out at once.
        (base.updated_at_ms, base.session_started_at_ms, base.last_interaction_at_ms) = (now, now, now);
        self.put_row(&base)?;
        Ok((replaced, base))
    }
}

/// `sessions` come oldest change first.
pub(crate) fn plan(sessions: Vec<(SessionRow, u64)>, archived: u64, rules: &CleanupRules) -> CleanupPlan {
    let before = sessions.len() as u64;
    let mut used: u64 = archived + sessions.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let mut out = CleanupPlan { before, ..CleanupPlan::default() };
    let mut rest = Vec::new();
    for (row, bytes) in sessions {
        let kept = rules.keep.contains(&row.key);
        let lasting = kept || is_lasting(&row);
        let missing = || rules.missing && row.message_count > 0 && !row.session_file.is_file();
        let action = match () {
            () if missing() => Some("prune-missing"),
            () if rules.direct_peers && !kept && is_direct_peer(&row.key) => Some("retire-dm-scope"),
            () if !lasting && row.updated_at_ms < rules.stale_before_ms => Some("prune-stale"),
            () => None,
        };
        match action {
            // What goes is archived, and so still takes its place.
            Some(action) => out.doomed.push(Doomed { row, action }),
            None => rest.push((row, bytes, lasting)),
        }
    }
    let mut over = rest.len().saturating_sub(rules.max_entries.max(1));
    let mut stays = Vec::new();
    for (row, bytes, lasting) in rest {
        if over > 0 && !lasting {
            over -= 1;
            out.doomed.push(Doomed { row, action: "cap-overflow" });
        } else {
            stays.push((row, bytes, lasting));
        }
    }
    if let Some((_, high_water)) = rules.disk.filter(|(most, _)| used > *most) {
        out.archive_bytes = (used - high_water).min(archived);
        used -= out.archive_bytes;
        for (row, bytes, lasting) in stays {
            if used <= high_water {
                break;
            }
            if !lasting {
                used = used.saturating_sub(bytes);
                out.doomed.push(Doomed { row, action: "evict-budget" });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn session(key: &str, updated: i64) -> (SessionRow, u64) {
        (SessionRow { key: key.into(), agent_id: "main".into(), updated_at_ms: updated, ..SessionRow::default() }, 10)
    }

    fn actions(plan: &CleanupPlan) -> Vec<(&str, &str)> {
        plan.doomed.iter().map(|d| (d.row.key.rsplit(':').next().unwrap(), d.action)).collect()
    }

    #[test]
    fn conversations_on_platforms_last() {
        let table = [
            ("agent:main:main", false),
            ("agent:main:talk:group:g", true),
            ("agent:main:talk:channel:g:thread:5", true),
            ("agent:main:main:thread:5", true),
            ("agent:main:telegram:direct:1:topic:2", true),
            ("agent:main:subagent:talk:group:g", false),
            ("agent:main:cron:j:run:r", false),
            ("agent:main:direct:ann", false),
        ];
        for (key, lasts) in table {
            assert_eq!(is_lasting(&session(key, 0).0), lasts, "{key}");
        }
        let mut row = session("agent:main:odd", 0).0;
        row.extra.insert("origin".into(), json!({"chatType": "group"}));
        assert!(is_lasting(&row));
    }

    #[test]
    fn the_old_go_then_the_many_then_the_large() {
        let all = || {
            vec![
                session("agent:main:x:1", 1),
                session("agent:main:talk:group:g", 2),
                session("agent:main:direct:ann", 30),
                session("agent:main:x:kept", 31),
                session("agent:main:x:2", 32),
                session("agent:main:x:3", 33),
            ]
        };
        let rules =
            CleanupRules { stale_before_ms: 10, max_entries: 4, keep: ["agent:main:x:kept".into()].into(), ..CleanupRules::default() };
        assert_eq!(actions(&plan(all(), 0, &rules)), [("1", "prune-stale"), ("ann", "cap-overflow")]);
        let direct = CleanupRules { direct_peers: true, ..rules.clone() };
        assert_eq!(actions(&plan(all(), 0, &direct)), [("1", "prune-stale"), ("ann", "retire-dm-scope")]);
        let disk = CleanupRules { disk: Some((40, 35)), max_entries: 10, stale_before_ms: 0, ..rules.clone() };
        let found = plan(all(), 5, &disk);
        assert_eq!(
            (found.archive_bytes, actions(&found)),
            (5, vec![("1", "evict-budget"), ("ann", "evict-budget"), ("2", "evict-budget")])
        );
        let roomy = CleanupRules { disk: Some((100, 80)), max_entries: 10, stale_before_ms: 0, ..rules };
        assert_eq!(plan(all(), 5, &roomy), CleanupPlan { before: 6, ..CleanupPlan::default() });
    }
}
