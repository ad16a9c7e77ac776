//! What the row of a session says about its compactions: when and why, and between which entries of the transcript.
//!
//! The transcript is never rewritten, so the place before a compaction is an entry of the same file. The reference keeps a copy of the
//! file instead, and removes it later.

use chela_store::{NewEntry, SessionRow};
use serde_json::{Value, json};

use super::{BY_HAND, CompactRequest};

/// Member of the row.
const MEMBER: &str = "compactionCheckpoints";
/// Compactions that a row tells of; those before them are only in the transcript.
const MOST: usize = 25;
/// Longest summary in a row, in characters: the row is read and written as a whole. All of it is in the transcript.
const SUMMARY_CHARS: usize = 1000;

/// The checkpoint of a compaction that is about to be kept as `entry`, after the entry `leaf`.
pub(super) fn of(request: &CompactRequest<'_>, entry: &NewEntry, leaf: Option<&str>, tokens_after: u64) -> Value {
    let row = request.session;
    let reason = match request.trigger {
        BY_HAND => "manual",
        "overflow" => "overflow-retry",
        _ => "auto-threshold",
    };
    let summary: String = entry.body["summary"].as_str().unwrap_or_default().chars().take(SUMMARY_CHARS).collect();
    let mut out = json!({
        "checkpointId": uuid::Uuid::new_v4().to_string(), "sessionKey": row.key, "sessionId": row.session_id,
        "createdAt": crate::clock::now_ms(), "reason": reason,
        "tokensBefore": entry.body["tokensBefore"], "tokensAfter": tokens_after, "summary": summary,
        "preCompaction": {"sessionId": row.session_id, "sessionFile": row.session_file, "leafId": leaf},
        "postCompaction": {"sessionId": row.session_id, "sessionFile": row.session_file, "leafId": entry.id, "entryId": entry.id},
    });
    if let Some(first) = entry.body["firstKeptEntryId"].as_str() {
        out["firstKeptEntryId"] = first.into();
    }
    out
}

/// Adds a checkpoint to a row, and drops the oldest ones.
pub(super) fn keep(row: &mut SessionRow, checkpoint: Value) {
    let mut all = row.extra.get(MEMBER).and_then(Value::as_array).cloned().unwrap_or_default();
    all.push(checkpoint);
    let over = all.len().saturating_sub(MOST);
    all.drain(..over);
    row.extra.insert(MEMBER.into(), all.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_of_the_newest_compactions() {
        let mut row = SessionRow::default();
        for at in 0..30 {
            keep(&mut row, json!({"checkpointId": at}));
        }
        let kept = row.extra[MEMBER].as_array().unwrap();
        assert_eq!((kept.len(), &kept[0]["checkpointId"], &kept[24]["checkpointId"]), (25, &json!(5), &json!(29)));
    }
}
