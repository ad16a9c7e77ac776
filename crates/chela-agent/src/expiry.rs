//! Sessions that run out: their end is told when it comes, not when the next message finds it (HOOK-222).
//!
//! The next message begins the new session, so that nobody pays for sessions that nobody uses. The store keeps the times in an index: a
//! look costs the same however many sessions there are.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::tz::TimeZone;

use crate::clock::now_ms;
use crate::lifecycle::EndReason;
use crate::rollover;
use crate::runtime::AgentRuntime;

/// Sessions whose end is told at the same time.
const AT_ONCE: usize = 64;
/// A session with a run under way is looked at again after this.
const BUSY_AGAIN_MS: i64 = 60_000;
/// Longest sleep: a clock that was set must not be noticed too late.
const LONGEST_SLEEP_MS: i64 = 10 * 60_000;
/// Wait after a failure of the store.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Tells the ends of sessions as they come, until the gateway stops.
pub async fn watch(runtime: Arc<AgentRuntime>) {
    let shutdown = runtime.shutdown.clone();
    let work = async {
        loop {
            if let Err(error) = round(&runtime).await {
                tracing::error!(%error, "sessions that run out could not be looked at");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => {}
    }
}

async fn round(runtime: &Arc<AgentRuntime>) -> Result<(), chela_store::StoreError> {
    follow_rules(runtime).await?;
    while sweep(runtime, now_ms()).await? > 0 {}
    let now = now_ms();
    tokio::select! {
        slept = runtime.store.until_expiry(now, now + LONGEST_SLEEP_MS) => slept,
        () = runtime.session_rules_changed.notified() => Ok(()),
    }
}

/// Brings the index after the rules of now. Costs a look at every session, once for each change of the rules.
async fn follow_rules(runtime: &AgentRuntime) -> Result<(), chela_store::StoreError> {
    let fingerprint = rollover::fingerprint(&runtime.settings().session);
    let mut after = String::new();
    while let Some(last) = runtime.store.reindex_expiry(&fingerprint, &after).await? {
        after = last;
    }
    Ok(())
}

/// Ends what has run out by `now_ms`; hands back how many sessions it looked at.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn sweep(runtime: &Arc<AgentRuntime>, now_ms: i64) -> Result<usize, chela_store::StoreError> {
    let keys = runtime.store.expired_sessions(now_ms, AT_ONCE).await?;
    let settled = join_all(keys.iter().map(|key| settle(runtime, key, now_ms))).await;
    settled.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(keys.len())
}

async fn settle(runtime: &Arc<AgentRuntime>, key: &str, now_ms: i64) -> Result<(), chela_store::StoreError> {
    if runtime.runs.is_session_active(key) {
        return runtime.store.settle_expiry(key, Some(now_ms + BUSY_AGAIN_MS)).await;
    }
    // A message that comes now waits until the end is written, and then finds it.
    let _lane = runtime.runs.lane(key).await;
    let Some(row) = runtime.store.session(key).await? else { return runtime.store.settle_expiry(key, None).await };
    let settings = runtime.settings();
    match rollover::due(&settings.session, &row, now_ms) {
        Some(due) => {
            runtime.lifecycle.end(&row, EndReason::from(due), None).await;
            runtime.store.settle_expiry(key, None).await
        }
        None => {
            let next = rollover::expires_at(&settings.session, &row, &TimeZone::system());
            // By the index it is over and by the rules it is not, yet: never at once again.
            runtime.store.settle_expiry(key, next.map(|at| at.max(now_ms + 1000))).await
        }
    }
}
