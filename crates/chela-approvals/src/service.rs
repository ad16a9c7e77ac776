//! Requests that wait: stored, told, answered or timed out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use chela_store::{ApprovalEnd, ApprovalEnded, ApprovalGrant, ApprovalKind, ApprovalRow, ApprovalState, Store, StoreError};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Decision;
use crate::request::PLUGIN_PREFIX;

/// Who ended a request that nobody could have answered (HOOK-187).
pub const NO_ROUTE: &str = "no-approval-route";
/// Who ended a request whose time is over.
const TIMED_OUT: &str = "timeout";
/// Who ended a request of a turn that a stop of the gateway interrupted.
const RESTARTED: &str = "gateway-restart";

/// Whoever tells people about requests: the gateway.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Tells about a new request; `asker` is the connection that asked, if one did. True when somebody can answer it (HOOK-187).
    async fn requested(&self, row: &ApprovalRow, asker: Option<&str>) -> bool;

    /// Tells how a request ended.
    async fn ended(&self, row: &ApprovalRow);
}

/// A new request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What asks.
    pub kind: ApprovalKind,
    /// An id of the asker's choice; else one is made.
    pub id: Option<String>,
    /// What clients see, checked by [`crate::request`].
    pub request: Value,
    /// Time for an answer.
    pub timeout: Duration,
    /// What the gateway needs to go on once it is allowed, also after a restart. A request without one ends with its turn.
    pub plan: Option<Value>,
    /// The connection that asks.
    pub asker: Option<String>,
}

/// A stored request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request; it has ended already when nobody can answer it.
    pub row: ApprovalRow,
    /// False when nobody can answer it.
    pub routed: bool,
}

/// Why a request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The id is in use.
    #[error("approval id `{0}` is taken already: choose another one, or none")]
    Taken(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a request ended, for whoever waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The decision; `None` when there was none in time.
    pub decision: Option<Decision>,
    /// The request after it.
    pub row: ApprovalRow,
}

/// Why a decision was not taken (HOOK-183, HOOK-185, HOOK-186).
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No such request waits.
    #[error("unknown or expired approval id")]
    NotFound,
    /// Several ids begin so.
    #[error("ambiguous approval id prefix; use the full id")]
    Ambiguous,
    /// It was decided otherwise.
    #[error("approval already resolved")]
    AlreadyResolved,
    /// The request does not permit this answer.
    #[error("{} is unavailable for this approval", decision.as_str())]
    NotAllowed {
        /// What was tried.
        decision: Decision,
        /// What may be said.
        allowed: Vec<Decision>,
        /// What asks.
        kind: ApprovalKind,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// See [`Approvals::watcher`].
pub struct Watcher(watch::Receiver<Option<Verdict>>);

impl Watcher {
    /// Waits for the end; `None` when the gateway stops before it.
    pub async fn verdict(mut self) -> Option<Verdict> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|verdict| verdict.clone())
    }
}

struct Waiting {
    kind: ApprovalKind,
    verdict: watch::Sender<Option<Verdict>>,
}

struct Inner {
    store: Store,
    waiting: Mutex<HashMap<String, Waiting>>,
    desk: OnceLock<Arc<dyn Desk>>,
}

/// All requests of a gateway. Clones share everything.
#[derive(Clone)]
pub struct Approvals(Arc<Inner>);

impl std::fmt::Debug for Approvals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Approvals").field("waiting", &self.waiting().len()).finish()
    }
}

impl Approvals {
    /// Over this store. Nothing of an earlier run waits before [`Approvals::recover`].
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner { store, waiting: Mutex::default(), desk: OnceLock::new() }))
    }

    /// Says who tells people; a second call does nothing. Without a desk nobody can answer.
    pub fn serve(&self, desk: Arc<dyn Desk>) {
        let _ = self.0.desk.set(desk);
    }

    /// Takes over what an earlier run left: what has a plan or came from a client waits on, with the time that is left; the rest belonged to
    /// a turn that is gone, and ends. Returns what waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recover(&self) -> Result<Vec<ApprovalRow>, StoreError> {
        let mut waiting = Vec::new();
        for row in self.0.store.pending_approvals().await? {
            if row.expires_at_ms <= now_ms() {
                self.finish(&row.id, end(ApprovalState::Expired, TIMED_OUT)).await?;
            } else if row.plan.as_ref().is_some_and(|plan| plan["turn"] == true) {
                self.finish(&row.id, end(ApprovalState::Expired, RESTARTED)).await?;
            } else {
                self.watch(&row);
                waiting.push(row);
            }
        }
        Ok(waiting)
    }

    /// The plan of a request that a turn waits for: it ends with the turn, whatever ends that.
    pub fn turn_plan() -> Value {
        json!({"turn": true})
    }

    /// Stores a request and tells about it. When this returns, no kill can lose it.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(&self, ask: Ask) -> Result<Asked, AskError> {
        let id = ask.id.unwrap_or_else(|| {
            let prefix = if ask.kind == ApprovalKind::Plugin { PLUGIN_PREFIX } else { "" };
            format!("{prefix}{}", uuid::Uuid::new_v4())
        });
        let created_at_ms = now_ms();
        let row = ApprovalRow {
            id: id.clone(),
            kind: ask.kind,
            state: ApprovalState::Pending,
            request: ask.request,
            plan: ask.plan,
            created_at_ms,
            expires_at_ms: created_at_ms.saturating_add(i64::try_from(ask.timeout.as_millis()).unwrap_or(i64::MAX)),
            decision: None,
            resolved_by: None,
            resolved_at_ms: None,
        };
        if !self.0.store.add_approval(row.clone()).await? {
            return Err(AskError::Taken(id));
        }
        self.watch(&row);
        let routed = match self.0.desk.get() {
            Some(desk) => desk.requested(&row, ask.asker.as_deref()).await,
            None => false,
        };
        if routed {
            return Ok(Asked { row, routed });
        }
        match self.finish(&id, end(ApprovalState::Expired, NO_ROUTE)).await? {
            ApprovalEnded::Now(row) => Ok(Asked { row, routed }),
            // Somebody answered while it was being told.
            ApprovalEnded::Before(row) => Ok(Asked { routed: row.state == ApprovalState::Resolved, row }),
            ApprovalEnded::Missing => Ok(Asked { row, routed }),
        }
    }

    /// Waits for the end of a request. `None` when there is no such request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wait(&self, id: &str) -> Result<Option<Verdict>, StoreError> {
        let receiver = self.waiting().get(id).map(|waiting| waiting.verdict.subscribe());
        if let Some(mut receiver) = receiver {
            // An error means that the entry is gone, and then the database knows.
            if let Ok(verdict) = receiver.wait_for(Option::is_some).await {
                return Ok(verdict.clone());
            }
        }
        let row = self.0.store.approval(id).await?.filter(|row| row.state != ApprovalState::Pending);
        Ok(row.map(verdict_of))
    }

    /// What tells the end of a request that waits, without keeping the database open meanwhile. `None` when it does not wait.
    pub fn watcher(&self, id: &str) -> Option<Watcher> {
        self.waiting().get(id).map(|waiting| Watcher(waiting.verdict.subscribe()))
    }

    /// Decides a request. `id` may be the beginning of one; with `kind` only requests of that kind count. Deciding the same again is fine.
    ///
    /// # Errors
    /// See [`ResolveError`].
    pub async fn resolve(
        &self,
        kind: Option<ApprovalKind>,
        id: &str,
        decision: Decision,
        by: Option<&str>,
    ) -> Result<ApprovalRow, ResolveError> {
        let id = self.find(kind, id)?;
        let row = self.0.store.approval(&id).await?.filter(|row| kind.is_none_or(|kind| kind == row.kind));
        let row = row.ok_or(ResolveError::NotFound)?;
        if row.state != ApprovalState::Pending {
            return repeated(row, decision);
        }
        let allowed = Decision::allowed_by(&row.request);
        if !allowed.contains(&decision) {
            return Err(ResolveError::NotAllowed { decision, allowed, kind: row.kind });
        }
        let grant = if decision == Decision::AllowAlways { grant_of(&row, by) } else { None };
        let (decided, by) = (Some(decision.as_str().to_owned()), by.map(str::to_owned));
        match self.finish(&id, ApprovalEnd { state: ApprovalState::Resolved, decision: decided, by, grant }).await? {
            ApprovalEnded::Now(row) => Ok(row),
            ApprovalEnded::Before(row) => repeated(row, decision),
            ApprovalEnded::Missing => Err(ResolveError::NotFound),
        }
    }

    /// Ends a request that nobody needs any more.
    ///
    /// # Errors
    /// When the database fails: then it ends by its time.
    pub async fn cancel(&self, id: &str, why: &str) -> Result<(), StoreError> {
        self.finish(id, end(ApprovalState::Cancelled, why)).await.map(drop)
    }

    /// What waits, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pending(&self, kind: Option<ApprovalKind>) -> Result<Vec<ApprovalRow>, StoreError> {
        let mut rows = self.0.store.pending_approvals().await?;
        rows.retain(|row| kind.is_none_or(|kind| kind == row.kind) && row.expires_at_ms > now_ms());
        Ok(rows)
    }

    /// A request that waits, by its id or the beginning of one.
    ///
    /// # Errors
    /// [`ResolveError::NotFound`], [`ResolveError::Ambiguous`], or of the database.
    pub async fn get(&self, kind: ApprovalKind, id: &str) -> Result<ApprovalRow, ResolveError> {
        let id = self.find(Some(kind), id)?;
        let row = self.0.store.approval(&id).await?;
        row.filter(|row| row.kind == kind && row.state == ApprovalState::Pending).ok_or(ResolveError::NotFound)
    }

    /// True when this call was allowed for ever. A database that fails allows nothing.
    pub async fn is_granted(&self, key: &str, detail: Value) -> bool {
        match self.0.store.use_approval_grant(key, detail).await {
            Ok(granted) => granted,
            Err(error) => {
                tracing::error!(target: "approvals", %error, "what was allowed for ever cannot be read; the call is asked for");
                false
            }
        }
    }

    /// The store, for lists of grants and the trail.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The full id: an exact one, else the only one that begins so (HOOK-183).
    fn find(&self, kind: Option<ApprovalKind>, input: &str) -> Result<String, ResolveError> {
        let input = input.trim();
        if input.is_empty() {
            return Err(ResolveError::NotFound);
        }
        let waiting = self.waiting();
        if waiting.contains_key(input) {
            return Ok(input.to_owned());
        }
        let prefix = input.to_lowercase();
        let begins = |id: &str| {
            let id = id.to_lowercase();
            id.starts_with(&prefix) || id.strip_prefix(PLUGIN_PREFIX).is_some_and(|rest| rest.starts_with(&prefix))
        };
        let mut found = waiting.iter().filter(|(id, w)| kind.is_none_or(|k| k == w.kind) && begins(id)).map(|(id, _)| id);
        match (found.next(), found.next()) {
            // It may have ended: the database knows exact ids.
            (None, _) => Ok(input.to_owned()),
            (Some(id), None) => Ok(id.clone()),
            (Some(_), Some(_)) => Err(ResolveError::Ambiguous),
        }
    }

    fn watch(&self, row: &ApprovalRow) {
        let (verdict, _) = watch::channel(None);
        self.waiting().insert(row.id.clone(), Waiting { kind: row.kind, verdict });
        let (this, id) = (Arc::downgrade(&self.0), row.id.clone());
        let left = Duration::from_millis(u64::try_from(row.expires_at_ms - now_ms()).unwrap_or(0));
        let mut ended = self.waiting().get(&row.id).map(|waiting| waiting.verdict.subscribe());
        tokio::spawn(async move {
            let over = async {
                match &mut ended {
                    Some(ended) => drop(ended.wait_for(Option::is_some).await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = over => return,
            }
            let Some(inner) = this.upgrade() else { return };
            if let Err(error) = Approvals(inner).finish(&id, end(ApprovalState::Expired, TIMED_OUT)).await {
                tracing::error!(target: "approvals", approval = id, %error, "the end of an approval could not be recorded");
            }
        });
    }

    /// Ends it in the database, then wakes who waits and tells people. When the database fails, who waits hears of no decision.
    async fn finish(&self, id: &str, how: ApprovalEnd) -> Result<ApprovalEnded, StoreError> {
        let ended = self.0.store.end_approval(id, how).await;
        let waiting = match &ended {
            Ok(ApprovalEnded::Now(_) | ApprovalEnded::Before(_) | ApprovalEnded::Missing) => self.waiting().remove(id),
            Err(_) => None,
        };
        if let (Ok(ApprovalEnded::Now(row) | ApprovalEnded::Before(row)), Some(waiting)) = (&ended, waiting) {
            let verdict = verdict_of(row.clone());
            waiting.verdict.send_replace(Some(verdict));
        }
        if let (Ok(ApprovalEnded::Now(row)), Some(desk)) = (&ended, self.0.desk.get()) {
            desk.ended(row).await;
        }
        ended
    }

    // The map holds no invariant that a panic could break.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verdict_of(row: ApprovalRow) -> Verdict {
    let decision = row.decision.as_deref().filter(|_| row.state == ApprovalState::Resolved).and_then(Decision::parse);
    Verdict { decision, row }
}

/// HOOK-186: the same decision again is fine, another one is not.
fn repeated(row: ApprovalRow, decision: Decision) -> Result<ApprovalRow, ResolveError> {
    match row.state {
        ApprovalState::Resolved if row.decision.as_deref() == Some(decision.as_str()) => Ok(row),
        ApprovalState::Resolved => Err(ResolveError::AlreadyResolved),
        _ => Err(ResolveError::NotFound),
    }
}

/// What a plugin's request remembers: the key is made where the arguments are known, and is part of the plan.
fn grant_of(row: &ApprovalRow, by: Option<&str>) -> Option<ApprovalGrant> {
    let key = row.plan.as_ref()?.get("grantKey")?.as_str()?;
    let text = |name: &str| row.request[name].as_str().unwrap_or_default().to_owned();
    Some(ApprovalGrant {
        key: key.into(),
        plugin_id: text("pluginId"),
        tool: text("toolName"),
        agent_id: text("agentId"),
        title: text("title"),
        granted_at_ms: now_ms(),
        granted_by: by.map(str::to_owned),
        used_at_ms: None,
        uses: 0,
    })
}

fn end(state: ApprovalState, by: &str) -> ApprovalEnd {
    ApprovalEnd { state, decision: None, by: Some(by.into()), grant: None }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
