//! A run that was stopped before its turn came: its message was acknowledged, so it is kept.

use std::time::Duration;

use super::{ABORTED, TurnScope, finish, open, write};
use crate::event::{RunOutcome, RunStatus};

/// How long it waits for the runs before it, which are usually being stopped too, so that messages keep their order.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the message, unanswered, and ends the run. Nobody is told of an end, because nothing has begun.
pub(super) async fn keep(scope: &mut TurnScope<'_>, holds_lane: bool) -> RunOutcome {
    scope.fail(ABORTED.into());
    let runs = scope.runtime.runs.clone();
    let lane = match holds_lane {
        true => None,
        false => tokio::time::timeout(PATIENCE, runs.lane(&scope.request.session_key)).await.ok(),
    };
    let kept = async {
        open::open(scope).await?;
        write::user_message(scope).await
    };
    if let Err(error) = kept.await {
        tracing::error!(run = scope.run_id(), %error, "the message of a run that was stopped could not be written; the next start keeps it");
    }
    scope.announced = true;
    let outcome = finish::finish(scope, RunStatus::Aborted).await;
    drop(lane);
    outcome
}
