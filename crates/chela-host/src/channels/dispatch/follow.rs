//! Steps of a run for the channel that waits for its answer: a typing indicator, a preview, a progress line.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::RunEvent;
use chela_plugin::{Call, Callback};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::assemble::Host;
use crate::requests::Request;

/// Steps that wait for the channel; later ones are dropped, text excepted, which the next step carries.
const MOST_WAITING: usize = 256;
/// Longest handling of one step.
const STEP_BUDGET: Duration = Duration::from_secs(15);
/// How long the answer waits for the last steps.
const END_BUDGET: Duration = Duration::from_secs(5);

/// Feeds the channel's callback while a run goes on.
pub(super) struct Follower {
    host: Arc<Host>,
    run_id: String,
    task: Option<JoinHandle<()>>,
    release: Option<Callback>,
}

impl Follower {
    /// Follows a run for whoever sent `onEvent` with the request.
    pub(super) fn new(request: &Request<'_>, run_id: &str) -> Self {
        let mut this = Self { host: request.host.clone(), run_id: run_id.into(), task: None, release: None };
        let handle = chela_plugin::value::function_handle(&request.params["onEvent"]);
        let registry = request.host.manager.registry();
        let target = registry.plugin(request.plugin).and_then(|p| p.target.clone());
        if let (Some(handle), Some(target)) = (handle, target) {
            let callback = Callback { plugin_id: request.plugin.into(), target, handle };
            let (sender, receiver) = mpsc::channel(MOST_WAITING);
            request.host.channels.taps().insert(run_id.into(), sender);
            let wants = request.params["wants"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect();
            this.task = Some(tokio::spawn(feed(callback.clone(), receiver, wants, run_id.into())));
            this.release = Some(callback);
        }
        this
    }

    /// Waits until the channel has heard of the last step.
    pub(super) async fn end(mut self) {
        self.host.channels.taps().remove(&self.run_id);
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(END_BUDGET, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.host.channels.taps().remove(&self.run_id);
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if let Some(callback) = self.release.take() {
            callback.target.release(&[callback.handle]);
        }
    }
}

async fn feed(callback: Callback, mut receiver: mpsc::Receiver<RunEvent>, wants: Vec<String>, run_id: String) {
    let wanted = |kind: &str| wants.iter().any(|w| w == kind);
    let mut text = String::new();
    // The next text begins a message of its own.
    let mut fresh = true;
    let mut next = receiver.recv().await;
    while let Some(event) = next.take() {
        let mut steps = Vec::new();
        match event {
            RunEvent::Started { .. } => steps.push(json!({"type": "start", "runId": run_id})),
            RunEvent::AssistantDelta { mut delta } => {
                // What came meanwhile goes along: a slow channel gets fewer and longer steps.
                while let Ok(more) = receiver.try_recv() {
                    match more {
                        RunEvent::AssistantDelta { delta: more } => delta.push_str(&more),
                        other => {
                            next = Some(other);
                            break;
                        }
                    }
                }
                if std::mem::take(&mut fresh) {
                    text.clear();
                    steps.extend(wanted("assistantStart").then(|| json!({"type": "assistantStart"})));
                }
                text.push_str(&delta);
                steps.extend(wanted("partial").then(|| json!({"type": "partial", "text": text, "delta": delta})));
            }
            RunEvent::ToolStarted { call_id, name, args, .. } => {
                fresh = true;
                steps.extend(wanted("tool").then(|| json!({"type": "tool", "phase": "start", "name": name, "args": args})));
                steps.extend(wanted("item").then(|| item(&call_id, &name, "start", "running")));
            }
            RunEvent::ToolEnded { call_id, name, is_error, .. } => {
                let status = if is_error { "failed" } else { "completed" };
                steps.extend(wanted("item").then(|| item(&call_id, &name, "end", status)));
            }
            // Listeners of a compaction have something to say before the answer comes (HOOK-280).
            RunEvent::Custom { stream, data } if stream == chela_agent::compaction::ENTRY => {
                steps.extend(data["text"].as_str().map(|text| json!({"type": "notice", "text": text})));
            }
            RunEvent::Ended(outcome) => {
                let model = || json!({"type": "model", "provider": outcome.provider, "model": outcome.model});
                steps.extend((wanted("model") && !outcome.model.is_empty()).then(model));
            }
            _ => {}
        }
        for step in steps {
            let call = Call::new(vec![step]).budget(Some(STEP_BUDGET));
            if let Err(error) = callback.call(call).await {
                tracing::debug!(target: "channels", plugin = %callback.plugin_id, "a step of a run could not be told: {error}");
            }
        }
        if next.is_none() {
            next = receiver.recv().await;
        }
    }
}

fn item(call_id: &str, name: &str, phase: &str, status: &str) -> Value {
    json!({"type": "item", "item": {"itemId": format!("tool:{call_id}"), "kind": "tool", "title": name, "name": name, "phase": phase, "status": status}})
}
