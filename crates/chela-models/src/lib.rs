//! Model provider transports: OpenAI chat completions and Anthropic messages, streaming, retries, typed errors.
//!
//! A caller builds a [`ModelCatalog`] from the `models` section of the configuration, turns it into a
//! [`ModelRegistry`], adds the providers that plugins bring, resolves a [`ModelRef`] and streams a [`ModelRequest`].
//!
//! Invariants: no environment variable and no configuration file is read here except the per-agent
//! `auth-profiles.json` (never written); no key appears in an error, a log line or a `Debug` text; a request body
//! is serialised once and reused by retries; nothing is retried once a byte of the answer has reached the caller.

mod anthropic;
mod auth;
mod catalog;
mod classify;
mod compat;
mod error;
mod failover;
mod history;
mod http;
mod merge;
mod names;
mod openai;
mod partial_json;
mod profiles;
mod reader;
mod registry;
mod schema;
mod secret;
mod settings;
mod sse;
mod thinking;
mod transport;
mod types;
mod wire;

#[cfg(feature = "testing")]
pub mod testing;

pub use auth::{AgentDir, AuthInputs, AuthState, AuthStore, ResolvedAuth};
pub use catalog::{CatalogIssue, ModelCatalog};
pub use classify::classified;
pub use compat::{Compat, MaxTokensField, ThinkingFormat};
pub use error::{ErrorKind, FailoverReason, ModelError};
pub use failover::{ChainAttempt, ChainStream, stream_with_fallback};
pub use http::{HttpClient, Timeouts, http_client};
pub use merge::merge_discovered;
pub use names::{ModelNames, NameError, Selection};
pub use registry::{ModelRegistry, ProviderEntry, RegisterError, ResolvedModel};
pub use secret::{Secret, is_non_secret_marker};
pub use settings::{ApiKind, LocalLogin, ModelCost, ModelEntry, ProviderAuth, ProviderSettings, UnknownApi};
pub use sse::{SseDecoder, SseError, SseEvent};
pub use thinking::ThinkingLevel;
pub use transport::{transport_for, transport_with_auth};
pub use types::{
    ChatMessage, ContentPart, EventStream, ModelEvent, ModelRef, ModelRefError, ModelRequest, ModelTransport, StopReason, ThinkingBlock,
    ToolCall, ToolChoice, ToolSpec, Usage, normalize_provider_id,
};

// Re-exported so that implementers of `ModelTransport` need no second dependency for its signature.
pub use async_trait::async_trait;
pub use tokio_util::sync::CancellationToken;
