//! What the last process left open: sessions without an end, messages without an answer, what waits for an approval.

use std::sync::Arc;

use chela_agent::AgentRuntime;
use chela_agent::clock::now_ms;
use chela_agent::{journal, message};
use chela_store::{NewEntry, RunRecord, StoreError};
use serde_json::Value;

use crate::assemble::Host;

/// What recovery found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Sessions that the last process left open.
    pub sessions: usize,
    /// Accepted messages that had not reached the transcript.
    pub messages: usize,
}

impl Host {
    /// Closes what the last process left open.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let recovered = recover(&self.runtime).await?;
        // A passing command decides nothing about what waits for the gateway.
        if self.is_gateway() {
            self.forget_uninstalled().await;
            let waiting = self.runtime.approvals.recover().await?;
            if let Some(toolbox) = self.toolbox.get() {
                toolbox.resume(waiting);
            }
        }
        Ok(recovered)
    }
}

/// Closes what the last process left open. An accepted message that is not in its transcript is put there: it was acknowledged, so it
/// must not be lost. It is not answered again, because nobody knows which tools had run.
///
/// # Errors
/// When the journal cannot be read or written.
async fn recover(runtime: &Arc<AgentRuntime>) -> Result<Recovered, StoreError> {
    let mut recovered = Recovered { sessions: runtime.lifecycle.recover().await?, messages: 0 };
    for run in runtime.store.interrupted_runs().await? {
        recovered.messages += usize::from(keep_message(runtime, &run).await?);
        close_row(runtime, &run).await?;
        runtime.store.put_run_record(journal::interrupted(&run)).await?;
    }
    Ok(recovered)
}

/// The row of a session does not say for ever that a run is under way. `interruptedAt` tells clients that the last message has no answer;
/// the next run removes it.
async fn close_row(runtime: &Arc<AgentRuntime>, run: &RunRecord) -> Result<(), StoreError> {
    let Some(key) = &run.session_key else { return Ok(()) };
    if runtime.store.session(key).await?.is_none() {
        return Ok(());
    }
    let at = now_ms();
    let close = move |row: &mut chela_store::SessionRow| {
        row.status = Some("killed".into());
        row.ended_at_ms = Some(at);
        row.extra.insert("abortedLastRun".into(), Value::Bool(true));
        row.extra.insert(journal::INTERRUPTED_AT.into(), at.into());
    };
    runtime.store.update_session(key, close).await?;
    Ok(())
}

async fn keep_message(runtime: &Arc<AgentRuntime>, run: &RunRecord) -> Result<bool, StoreError> {
    let (Some(key), Some(text)) = (&run.session_key, run.payload.get("message").and_then(Value::as_str)) else { return Ok(false) };
    let accepted_at = run.payload.get("at").and_then(Value::as_i64).unwrap_or(run.created_at_ms);
    let agent = run.payload.get("agentId").and_then(Value::as_str).unwrap_or("main");
    let opened = runtime.store.open_session(key, agent, chela_store::OpenReason::System).await?;
    let recent = runtime.store.window(&opened.row.session_id, 20).await?;
    let shares = |body: &Value| body[message::SHARED_BY].as_array().is_some_and(|runs| runs.iter().any(|id| *id == run.run_id));
    let is_it = |body: &Value| message::text_of(body) == text || shares(body);
    let written = recent.iter().any(|e| e.at_ms >= accepted_at && e.body["role"] == "user" && is_it(&e.body));
    if written {
        return Ok(false);
    }
    let images: Vec<Value> = run.payload.get("images").and_then(Value::as_array).cloned().unwrap_or_default();
    let entry = NewEntry::message(message::user(text, &images, accepted_at));
    runtime.store.append(&opened.row.session_id, vec![entry]).await?;
    Ok(true)
}
