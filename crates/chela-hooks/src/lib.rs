//! The one hook dispatcher: order, merge, budgets, outcomes, counters.
//!
//! A [`HookEngine`] holds the handlers of one registry and is swapped as a whole when the registry changes (HOOK-117). It knows the
//! rules of the typed hooks and nothing of turns, sessions or channels: who fires a hook, with which payload, and what a decision
//! means, is the caller's. No handler can stall it: every handler has a budget, and every batch a limit of its own.
//!
//! The [`InternalBus`] is the older bus of `HOOK.md` hooks and `api.registerHook` handlers.

mod counters;
mod decision;
mod engine;
mod finalize;
mod internal;
mod merge;
mod policies;
mod queue;
mod table;
mod text;
mod watch;

#[cfg(test)]
mod testing;

pub use counters::HookCounter;
pub use decision::{BLOCKED_BY_FAILURE, DEFAULT_TOOL_BLOCK_REASON, TOOL_HOOK_FAILED, block_text, is_valid_decision};
pub use engine::{Claim, DispatchOptions, Dispatched, FailureKind, HandlerFailure, HookEngine};
pub use finalize::{FinalizeDecision, RetryBudget};
pub use internal::{EmitOptions, EmitResult, InternalBus};
pub use merge::{Accumulator, merge_params};
pub use policies::{DerivePaths, Extensions, PolicyDecision, PolicyRun, run_trusted_policies};
pub use text::error_text;
pub use watch::{HandlerCall, HookKind, HookObserver, HookWatch, TraceRecord, Watching, shape};
