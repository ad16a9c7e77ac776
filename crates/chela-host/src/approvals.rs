//! `/approve <id> <decision>` in a chat (HOOK-193).

use chela_agent::AgentRuntime;
use chela_approvals::{ApprovalKind, Decision, ResolveError};

const USAGE: &str = "Usage: /approve <id> allow-once|allow-always|deny (`chela approvals list` shows what waits)";

/// Runs the command; the answer is for whoever wrote it. `allowed` says whether they may decide.
pub async fn command(runtime: &AgentRuntime, message: &str, allowed: bool, by: &str) -> String {
    if !allowed {
        return "You may not decide approvals here: it needs operator.approvals, or an approver of this channel".into();
    }
    let words: Vec<&str> = message.split_whitespace().skip(1).collect();
    // People write the decision before the id as well.
    let (id, decision) = match words.as_slice() {
        [first, second] => match (Decision::from_words(second), Decision::from_words(first)) {
            (Some(decision), _) => (*first, decision),
            (None, Some(decision)) => (*second, decision),
            (None, None) => return USAGE.into(),
        },
        _ => return USAGE.into(),
    };
    let resolve = |kind| runtime.approvals.resolve(Some(kind), id, decision, Some(by));
    let outcome = match resolve(ApprovalKind::Exec).await {
        Err(ResolveError::NotFound) => resolve(ApprovalKind::Plugin).await,
        outcome => outcome,
    };
    match outcome {
        Ok(row) => format!("Approval {}: {}", row.id, decision.as_str()),
        Err(ResolveError::NotAllowed { allowed, .. }) => {
            let words: Vec<&str> = allowed.into_iter().map(Decision::as_str).collect();
            format!("This approval takes only {}", words.join(", "))
        }
        Err(error @ ResolveError::Store(_)) => {
            tracing::error!(target: "approvals", %error, "a decision could not be stored");
            "The decision could not be stored; the gateway log says why".into()
        }
        Err(error) => format!("{error}: `{id}`"),
    }
}
