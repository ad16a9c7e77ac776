//! A model's whole answer, outside the loop of a turn: summaries, notes, completions for plugins.

use chela_models::{
    EventStream, ModelError, ModelEvent, ModelRef, ModelRegistry, ModelRequest, ThinkingBlock, ToolCall, Usage, stream_with_fallback,
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

/// What a model said.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Visible text.
    pub text: String,
    /// Reasoning blocks, to be replayed with the next call.
    pub thinking: Vec<ThinkingBlock>,
    /// Tools it wants called.
    pub calls: Vec<ToolCall>,
    /// Tokens.
    pub usage: Usage,
}

/// Reads a stream to its end.
///
/// # Errors
/// The error that ended the stream.
pub async fn gather(mut stream: EventStream) -> Result<Gathered, ModelError> {
    let mut all = Gathered::default();
    while let Some(event) = stream.next().await {
        match event? {
            ModelEvent::TextDelta(delta) => all.text.push_str(&delta),
            ModelEvent::Thinking(block) => all.thinking.push(block),
            ModelEvent::ToolCall(call) => all.calls.push(call),
            ModelEvent::Usage(usage) | ModelEvent::Done { usage, .. } => all.usage = usage,
            _ => {}
        }
    }
    Ok(all)
}

/// Asks a model, and its fallbacks while none has begun to answer.
///
/// # Errors
/// What [`stream_with_fallback`] or the stream says.
pub async fn ask(
    models: &ModelRegistry,
    request: ModelRequest,
    fallbacks: &[ModelRef],
    cancel: &CancellationToken,
) -> Result<(ModelRef, Gathered), ModelError> {
    let chain = stream_with_fallback(models, request, fallbacks, cancel).await?;
    Ok((chain.model, gather(chain.stream).await?))
}
