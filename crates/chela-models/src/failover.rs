//! A primary model and its fallbacks, tried in turn until one begins to answer.

use crate::error::{ErrorKind, ModelError};
use crate::registry::ModelRegistry;
use crate::types::{EventStream, ModelRef, ModelRequest};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One model that did not answer.
#[derive(Debug, Clone)]
pub struct ChainAttempt {
    /// The model.
    pub model: ModelRef,
    /// Why.
    pub error: ModelError,
}

/// The answer of the first model that gave one.
pub struct ChainStream {
    /// The model that answers.
    pub model: ModelRef,
    /// Those that were tried before.
    pub attempts: Vec<ChainAttempt>,
    /// The answer.
    pub stream: EventStream,
}

impl std::fmt::Debug for ChainStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainStream").field("model", &self.model).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// Calls `request.model`, then each of `fallbacks`; duplicates are called once (PRV-217). A context overflow, a
/// refusal and a cancellation end the chain at once (PRV-205), since another model is no answer to them. A pinned
/// auth profile applies to its own provider only. An answer that has begun is never taken back.
///
/// # Errors
/// The error of a single attempt as it is, else one that sums up all attempts (PRV-227).
pub async fn stream_with_fallback(
    registry: &ModelRegistry,
    mut request: ModelRequest,
    fallbacks: &[ModelRef],
    cancel: &CancellationToken,
) -> Result<ChainStream, ModelError> {
    let mut candidates = vec![request.model.clone()];
    for model in fallbacks {
        if !candidates.iter().any(|c| c.same_as(model)) {
            candidates.push(model.clone());
        }
    }
    let pinned = request.auth_profile.take();
    let first_provider = request.model.provider.clone();
    let mut attempts: Vec<ChainAttempt> = Vec::new();
    let last = candidates.len() - 1;
    let mut request = Some(request);
    for (at, candidate) in candidates.into_iter().enumerate() {
        // Only a chain with something left to try needs a copy of the conversation.
        let Some(mut own) = (if at == last { request.take() } else { request.clone() }) else {
            break;
        };
        own.auth_profile = pinned.clone().filter(|_| candidate.provider == first_provider);
        let result = match registry.resolve(&candidate) {
            Ok(resolved) => {
                own.model = resolved.model;
                resolved.transport.stream(own, cancel.clone()).await
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(stream) => {
                if let Some(previous) = attempts.last() {
                    tracing::info!(event = "model_fallback_decision", outcome = "succeeded", model = %candidate, after = %previous.model);
                }
                return Ok(ChainStream { model: candidate, attempts, stream });
            }
            Err(error) => {
                let reason = error.reason.map(|r| r.as_str());
                let outcome = if reason.is_none() || at == last { "chain_exhausted" } else { "next_fallback" };
                tracing::warn!(event = "model_fallback_decision", outcome, model = %candidate, reason, %error);
                let ends = error.reason.is_none();
                attempts.push(ChainAttempt { model: candidate, error });
                if ends {
                    break;
                }
            }
        }
    }
    Err(summary(attempts))
}

fn summary(mut attempts: Vec<ChainAttempt>) -> ModelError {
    let Some(last) = attempts.pop() else {
        return ModelError::new(ErrorKind::Invalid, &ModelRef::new("none", "none"), "no model was named");
    };
    if attempts.is_empty() || last.error.reason.is_none() {
        return last.error;
    }
    let mut error = last.error.clone();
    let soonest: Option<Duration> = attempts.iter().chain([&last]).filter_map(|a| a.error.retry_after()).min();
    if let ErrorKind::RateLimit { retry_after } = &mut error.kind {
        *retry_after = soonest;
    }
    let all: Vec<String> = attempts.iter().chain([&last]).map(|a| describe(&a.error)).collect();
    error.message = format!("all {} models failed: {}", all.len(), all.join("; "));
    error
}

fn describe(error: &ModelError) -> String {
    format!("{error} [{}]", error.reason.map_or(error.kind.as_str(), |r| r.as_str()))
}
