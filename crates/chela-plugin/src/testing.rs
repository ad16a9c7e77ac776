//! A plugin that registered and is never called, for tests of this crate and of those that read registries.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::call::{Call, CallError, CallTarget, HandlerOutcome, HookBatch};
use crate::lane::{Definition, LinkReport, PluginControl, Registration, StartedPlugin, WorkerStatus};

/// A target and control that answers nothing.
#[derive(Debug)]
struct Idle;

#[async_trait]
impl CallTarget for Idle {
    fn worker_key(&self) -> u64 {
        1
    }

    async fn call(&self, _: u64, _: Call) -> Result<Value, CallError> {
        Err(CallError::Cancelled)
    }

    async fn hooks(&self, _: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        Err(CallError::Cancelled)
    }

    fn release(&self, _: &[u64]) {}
}

#[async_trait]
impl PluginControl for Idle {
    async fn stop(&self, _: &str, _: Duration) {}

    fn status(&self) -> WorkerStatus {
        WorkerStatus::default()
    }

    fn notify(&self, _: &str, _: &Value) {}
}

/// A function value.
pub fn f(handle: u64) -> Value {
    json!({ "$fn": handle })
}

/// A plugin that made these calls, each a method and the list of its arguments.
pub fn started(calls: &[(&str, Value)]) -> StartedPlugin {
    let one =
        |(method, args): &(&str, Value)| Registration { method: (*method).into(), args: args.as_array().cloned().unwrap_or_default() };
    StartedPlugin {
        definition: Definition::default(),
        registrations: calls.iter().map(one).collect(),
        link_report: LinkReport::default(),
        target: Arc::new(Idle),
        control: Arc::new(Idle),
        duration: Duration::from_millis(3),
    }
}
