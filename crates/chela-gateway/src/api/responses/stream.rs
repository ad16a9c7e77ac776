//! The events of a streamed answer, in the order that clients expect (GW-114).

use std::sync::Arc;

use chela_agent::{RunOutcome, RunStatus};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Head, calls, finished, message, phase, response};
use crate::api::openai::event_stream;
use crate::gateway::Gateway;
use crate::http::HttpReply;

/// What the run says from now on.
pub(super) fn tap(gateway: &Gateway, run_id: &str) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    gateway.events.tap(run_id, sender);
    receiver
}

/// Streams a run.
pub(super) fn reply(head: Head, deltas: mpsc::UnboundedReceiver<String>, run: JoinHandle<Arc<RunOutcome>>) -> HttpReply {
    HttpReply::event_stream(event_stream(move |out| {
        Box::pin(async move {
            // An error means that the caller has left; the run goes on.
            let _ = tell(&Events { head, out }, deltas, run).await;
        })
    }))
}

struct Events {
    head: Head,
    out: mpsc::Sender<String>,
}

type Told = Result<(), mpsc::error::SendError<String>>;

impl Events {
    async fn send(&self, kind: &str, mut event: Value) -> Told {
        event["type"] = kind.into();
        self.out.send(format!("event: {kind}\ndata: {event}\n\n")).await
    }

    /// About the text of the message.
    async fn text(&self, kind: &str, key: &str, value: Value) -> Told {
        let mut event = json!({"item_id": self.head.item, "output_index": 0, "content_index": 0});
        event[key] = value;
        self.send(kind, event).await
    }

    async fn item(&self, kind: &str, index: usize, item: &Value) -> Told {
        self.send(kind, json!({"output_index": index, "item": item})).await
    }
}

async fn tell(events: &Events, mut deltas: mpsc::UnboundedReceiver<String>, run: JoinHandle<Arc<RunOutcome>>) -> Told {
    let head = &events.head;
    let begun = response(head, "in_progress", json!([]), None);
    events.send("response.created", json!({"response": begun})).await?;
    events.send("response.in_progress", json!({"response": begun})).await?;
    events.item("response.output_item.added", 0, &message(head, "", None, "in_progress")).await?;
    events.text("response.content_part.added", "part", json!({"type": "output_text", "text": ""})).await?;
    let mut text = String::new();
    while let Some(delta) = deltas.recv().await {
        text.push_str(&delta);
        events.text("response.output_text.delta", "delta", delta.into()).await?;
    }
    match run.await {
        Ok(outcome) => end(events, &outcome, text).await?,
        Err(_) => {
            let mut failed = response(head, "failed", json!([]), None);
            failed["error"] = json!({"code": "api_error", "message": "the run ended unexpectedly"});
            events.send("response.failed", json!({"response": failed})).await?;
        }
    }
    events.out.send("data: [DONE]\n\n".into()).await
}

async fn end(events: &Events, outcome: &RunOutcome, mut text: String) -> Told {
    let head = &events.head;
    if outcome.status != RunStatus::Ok {
        return events.send("response.failed", json!({"response": finished(head, outcome, &text)})).await;
    }
    if text.is_empty()
        && let Some(said) = outcome.text.clone().filter(|said| !said.is_empty())
    {
        events.text("response.output_text.delta", "delta", said.clone().into()).await?;
        text = said;
    }
    events.text("response.output_text.done", "text", text.clone().into()).await?;
    events.text("response.content_part.done", "part", json!({"type": "output_text", "text": text})).await?;
    let said = message(head, &text, Some(phase(outcome)), "completed");
    events.item("response.output_item.done", 0, &said).await?;
    let calls = calls(outcome);
    for (at, call) in calls.iter().enumerate() {
        events.item("response.output_item.added", at + 1, call).await?;
        events.item("response.output_item.done", at + 1, call).await?;
    }
    let status = if calls.is_empty() { "completed" } else { "incomplete" };
    let output: Vec<Value> = [said].into_iter().chain(calls).collect();
    events.send("response.completed", json!({"response": response(head, status, output.into(), Some(outcome))})).await
}
