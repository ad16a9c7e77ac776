//! `GET /sessions/<key>/history`: pages of a transcript, and the transcript as it grows (GW-118, GW-F5).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chela_gateway_protocol::Scope;
use chela_store::{EntryQuery, SessionRow, StoreError};
use hyper::StatusCode;
use hyper::header::ACCEPT;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::gateway::Gateway;
use crate::history::{self, HistoryLimits, seq_of};
use crate::http::{HttpCall, HttpReply};

/// Most messages of a page, and what a page has when the caller does not say.
const MAX_LIMIT: usize = 1000;
/// Entries beside messages that a read allows for before it reads the whole transcript.
const SLACK: usize = 64;
/// A stream says at least this often that it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Which part of a transcript is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    limit: Option<usize>,
    /// Only messages before this place.
    before: Option<u64>,
}

impl Wanted {
    fn read(query: &str) -> Self {
        let value = |name: &str| {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let limit = value("limit").map(|text| text.parse::<i64>().map_or(1, |n| n.clamp(1, MAX_LIMIT as i64) as usize));
        let before = value("cursor").and_then(|text| text.strip_prefix("seq:").unwrap_or(&text).parse().ok()).filter(|seq| *seq > 0);
        Self { limit, before }
    }

    /// Whether the newest messages are wanted without a limit: then new ones can be added one by one.
    fn is_open(self) -> bool {
        self == Self::default()
    }
}

/// Serves the endpoint: JSON, or server-sent events when `Accept` names them.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall, key: &str) -> HttpReply {
    if !call.auth.has_scope(Scope::Read) {
        return HttpReply::error(StatusCode::FORBIDDEN, "forbidden", "missing scope: operator.read");
    }
    let wanted = Wanted::read(call.uri.query().unwrap_or_default());
    let missing = || {
        let error = json!({"type": "not_found", "message": format!("Session not found: {key}")});
        HttpReply::json(StatusCode::NOT_FOUND, &json!({"ok": false, "error": error}))
    };
    let Ok((session_key, _)) = gateway.route(key, None) else { return missing() };
    // Before the first read, so that nothing written after it is missed.
    let changes = gateway.events.follow(&session_key);
    let page = match page(gateway, &session_key, wanted).await {
        Ok(Some(page)) => page,
        Ok(None) => return missing(),
        Err(error) => return HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    };
    let streams =
        call.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/event-stream"));
    if !streams {
        return HttpReply::json(StatusCode::OK, &page.to_json(&session_key));
    }
    let first = format!("retry: 1000\n\n{}", event("history", &page.to_json(&session_key)));
    let follower = Follower {
        gateway: gateway.clone(),
        shown: page.total,
        session_id: page.session_id,
        session_key,
        wanted,
        changes,
        ended: call.revoked,
        ready: VecDeque::from([Bytes::from(first)]),
    };
    let next = |mut follower: Follower| async move { follower.next().await.map(|piece| (Ok::<_, io::Error>(piece), follower)) };
    HttpReply::event_stream(Box::pin(futures::stream::unfold(follower, next)))
}

struct Page {
    session_id: String,
    /// Messages in the session when the page was read.
    total: u64,
    messages: Vec<Value>,
    next: Option<u64>,
}

impl Page {
    fn to_json(&self, session_key: &str) -> Value {
        let mut out = json!({"sessionKey": session_key, "items": self.messages, "messages": self.messages, "hasMore": self.next.is_some()});
        if let Some(next) = self.next {
            out["nextCursor"] = next.to_string().into();
        }
        out
    }
}

async fn page(gateway: &Gateway, session_key: &str, wanted: Wanted) -> Result<Option<Page>, StoreError> {
    let limit = wanted.limit.unwrap_or(MAX_LIMIT);
    let end = |total: u64| wanted.before.unwrap_or(u64::MAX).min(total + 1);
    let first = |total: u64| end(total).saturating_sub(limit as u64).max(1);
    let Some((row, mut messages)) = read(gateway, session_key, first).await? else { return Ok(None) };
    let total = row.message_count;
    let (first, end) = (first(total), end(total));
    messages.retain(|message| (first..end).contains(&seq_of(message)));
    let next = messages.first().map(seq_of).filter(|seq| *seq > 1);
    let messages = history::present(messages, HistoryLimits::of(gateway, None));
    Ok(Some(Page { session_id: row.session_id, total, messages, next }))
}

/// A session with its messages from the place on that `first` names for their number. Messages are counted from the end, so the
/// session must not grow between the look at its row and the one at its entries.
async fn read(gateway: &Gateway, session_key: &str, first: impl Fn(u64) -> u64) -> Result<Option<(SessionRow, Vec<Value>)>, StoreError> {
    let store = &gateway.host.runtime.store;
    let Some(mut row) = store.session(session_key).await? else { return Ok(None) };
    loop {
        let messages = from(gateway, &row, first(row.message_count)).await?;
        let Some(now) = store.session(session_key).await? else { return Ok(None) };
        if (&now.session_id, now.message_count) == (&row.session_id, row.message_count) {
            return Ok(Some((row, messages)));
        }
        row = now;
    }
}

/// The messages of a session from a place on.
async fn from(gateway: &Gateway, row: &SessionRow, first: u64) -> Result<Vec<Value>, StoreError> {
    let count = usize::try_from((row.message_count + 1).saturating_sub(first)).unwrap_or(usize::MAX);
    for limit in [Some(count.saturating_add(SLACK)), None] {
        let entries = gateway.host.runtime.store.entries(&row.session_id, EntryQuery { limit, ..EntryQuery::default() }).await?;
        let mut messages = history::raw(&entries, row.message_count);
        // Many entries that are no messages can take the place of some.
        if messages.len() >= count || limit.is_none_or(|limit| entries.len() < limit) {
            messages.retain(|message| seq_of(message) >= first);
            return Ok(messages);
        }
    }
    Ok(Vec::new())
}

/// A stream that follows a session.
struct Follower {
    gateway: Arc<Gateway>,
    session_key: String,
    session_id: String,
    /// Place of the last message that was sent.
    shown: u64,
    wanted: Wanted,
    changes: watch::Receiver<()>,
    ended: CancellationToken,
    ready: VecDeque<Bytes>,
}

impl Follower {
    /// The next piece; `None` when the session is gone or the caller may no longer read it.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(piece);
            }
            tokio::select! {
                biased;
                () = self.ended.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
                () = tokio::time::sleep(KEEPALIVE) => return Some(Bytes::from_static(b": keepalive\n\n")),
            }
            if let Err(error) = self.catch_up().await? {
                tracing::warn!(session = %self.session_key, "a stream of a session's history ends: {error}");
                return None;
            }
        }
    }

    async fn catch_up(&mut self) -> Option<Result<(), StoreError>> {
        let row = match self.gateway.host.runtime.store.session(&self.session_key).await {
            Ok(row) => row?,
            Err(error) => return Some(Err(error)),
        };
        let same = row.session_id == self.session_id && row.message_count >= self.shown;
        if same && row.message_count == self.shown {
            return Some(Ok(()));
        }
        if same && self.wanted.is_open() { self.add().await } else { self.refresh().await }
    }

    async fn add(&mut self) -> Option<Result<(), StoreError>> {
        let after = self.shown + 1;
        let (row, messages) = match read(&self.gateway, &self.session_key, |_| after).await {
            Ok(found) => found?,
            Err(error) => return Some(Err(error)),
        };
        if row.session_id != self.session_id {
            return self.refresh().await;
        }
        for message in history::present(messages, HistoryLimits::of(&self.gateway, None)) {
            let (id, seq) = (message["__openclaw"]["id"].clone(), seq_of(&message));
            let payload = json!({"sessionKey": self.session_key, "message": message, "messageId": id, "messageSeq": seq});
            self.ready.push_back(event("message", &payload).into());
        }
        self.shown = row.message_count;
        Some(Ok(()))
    }

    async fn refresh(&mut self) -> Option<Result<(), StoreError>> {
        match page(&self.gateway, &self.session_key, self.wanted).await {
            Ok(page) => {
                let page = page?;
                self.ready.push_back(event("history", &page.to_json(&self.session_key)).into());
                (self.session_id, self.shown) = (page.session_id, page.total);
                Some(Ok(()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

fn event(name: &str, payload: &Value) -> String {
    format!("event: {name}\ndata: {payload}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-118
    #[test]
    fn limits_and_cursors_are_read_leniently() {
        let cases: &[(&str, Option<usize>, Option<u64>)] = &[
            ("", None, None),
            ("limit=", None, None),
            ("limit=7&cursor=12", Some(7), Some(12)),
            ("cursor=seq%3A12", None, Some(12)),
            ("limit=0", Some(1), None),
            ("limit=-4", Some(1), None),
            ("limit=many", Some(1), None),
            ("limit=99999", Some(1000), None),
            ("cursor=0", None, None),
            ("cursor=x", None, None),
        ];
        for (query, limit, before) in cases {
            assert_eq!(Wanted::read(query), Wanted { limit: *limit, before: *before }, "{query}");
        }
    }
}
