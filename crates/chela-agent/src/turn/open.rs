//! Finding or beginning the session of a message, with the daily and idle rollover (HOOK-222, GW-153).

use chela_store::{NewSession, OpenReason};

use super::{TurnError, TurnScope};
use crate::clock::now_ms;
use crate::lifecycle::EndReason;
use crate::rollover;

/// Opens the session and announces it when it is new. The row itself is changed together with the first message (`write`).
pub(super) async fn open(scope: &mut TurnScope<'_>) -> Result<(), TurnError> {
    let runtime = scope.runtime;
    let (key, agent) = (&scope.request.session_key, &scope.request.agent_id);
    // What the system does by itself neither ends a session nor keeps it alive.
    let by_people = matches!(scope.request.trigger, "user" | "manual");
    if by_people
        && let Some(row) = runtime.store.session(key).await?
        && let Some(due) = rollover::due(&runtime.settings().session, &row, now_ms())
    {
        let reason = EndReason::from(due);
        let (old, new) = runtime.store.replace_session(key, NewSession::default()).await?;
        runtime.system_events.clear(key);
        runtime.lifecycle.replaced(&old, &new, reason).await;
    }
    let opened = runtime.store.open_session(key, agent, OpenReason::Interaction).await?;
    runtime.lifecycle.ensure_started(&opened.row, None).await;
    scope.session = Some(opened.row);
    Ok(())
}
