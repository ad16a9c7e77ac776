//! The provider `demo` with its one model.

use crate::reply::{Reply, reply};
use crate::{ID, MODEL};
use chela_models::{
    CancellationToken, ChatMessage, ContentPart, EventStream, ModelEntry, ModelError, ModelEvent, ModelRequest, ModelTransport,
    ProviderEntry, StopReason, Usage,
};
use futures::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait that a message may ask for.
const MAX_SLEEP: Duration = Duration::from_secs(600);

/// Answers by fixed rules. Stateless.
#[derive(Debug, Clone, Copy, Default)]
pub struct DemoProvider;

/// The entry to register: provider `demo`, model `demo/assistant` and no other.
pub fn provider_entry() -> ProviderEntry {
    let mut model = ModelEntry::new(ID, MODEL);
    model.name = "Demonstration (no AI)".to_owned();
    let mut entry = ProviderEntry::from_plugin(ID, ID, "Demo", vec![model], Arc::new(DemoProvider));
    entry.closed_models = true;
    entry
}

#[async_trait::async_trait]
impl ModelTransport for DemoProvider {
    async fn stream(&self, request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError> {
        let planned = reply(&request);
        let pause = Duration::from_millis(planned.sleep_ms).min(MAX_SLEEP);
        if !pause.is_zero() {
            tokio::select! {
                () = cancel.cancelled() => return Err(ModelError::aborted(&request.model)),
                () = tokio::time::sleep(pause) => {}
            }
        }
        let model = request.model.clone();
        let events = events(&request, planned).into_iter();
        Ok(stream::unfold((events, cancel, model, false), |(mut events, cancel, model, ended)| async move {
            if ended {
                return None;
            }
            if cancel.is_cancelled() {
                let error = ModelError::aborted(&model);
                return Some((Err(error), (events, cancel, model, true)));
            }
            let event = events.next()?;
            Some((Ok(event), (events, cancel, model, false)))
        })
        .boxed())
    }
}

fn events(request: &ModelRequest, planned: Reply) -> Vec<ModelEvent> {
    let mut events = vec![ModelEvent::Started];
    events.extend(planned.text.split_inclusive(' ').map(|word| ModelEvent::TextDelta(word.to_owned())));
    for (index, call) in planned.calls.iter().enumerate() {
        events.push(ModelEvent::ToolCallDelta {
            index,
            id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            args_fragment: call.arguments.to_string(),
        });
    }
    let stop_reason = if planned.calls.is_empty() { StopReason::Stop } else { StopReason::ToolUse };
    let usage = usage(request, &planned);
    events.extend(planned.calls.into_iter().map(ModelEvent::ToolCall));
    events.push(ModelEvent::Usage(usage));
    events.push(ModelEvent::Done { stop_reason, usage });
    events
}

/// A rough count, four bytes to a token, so that lists of sessions show something plausible.
fn usage(request: &ModelRequest, planned: &Reply) -> Usage {
    let parts = |content: &[ContentPart]| -> usize {
        content.iter().map(|p| if let ContentPart::Text { text } = p { text.len() } else { 0 }).sum()
    };
    let message = |message: &ChatMessage| match message {
        ChatMessage::User { content } | ChatMessage::ToolResult { content, .. } => parts(content),
        ChatMessage::Assistant { text, .. } => text.len(),
    };
    let input: usize = request.messages.iter().map(message).sum::<usize>() + request.system.as_deref().map_or(0, str::len);
    let tokens = |bytes: usize| bytes.div_ceil(4) as u64;
    Usage { input: tokens(input), output: tokens(planned.text.len()), ..Usage::default() }.with_total()
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
