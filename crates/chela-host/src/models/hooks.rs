//! Calls of a provider's hooks. One that fails or takes too long counts as one that said nothing, and is logged.

use std::sync::Arc;
use std::time::Duration;

use chela_plugin::register::entries::ProviderEntry;
use chela_plugin::value::gateway_config;
use chela_plugin::{Adapter, Call, CallError, Callback};
use serde_json::{Value, json};

use super::ProviderWorld;

/// Longest call of a hook.
const BUDGET: Duration = Duration::from_secs(15);

/// The hooks of one provider, and the context that all of them get.
#[derive(Clone)]
pub(super) struct ProviderHooks {
    provider: Arc<ProviderEntry>,
    base: Arc<Value>,
}

impl ProviderHooks {
    pub(super) fn new(provider: &ProviderEntry, world: &ProviderWorld) -> Self {
        let base = json!({
            "config": gateway_config(), "provider": provider.id, "agentDir": world.agent_dir, "workspaceDir": world.workspace,
        });
        Self { provider: Arc::new(provider.clone()), base: Arc::new(base) }
    }

    pub(super) fn provider(&self) -> &ProviderEntry {
        &self.provider
    }

    pub(super) fn has(&self, hook: &str) -> bool {
        self.provider.function(&format!("/{hook}")).is_some()
    }

    /// The hook's answer; `None` when there is no such hook, it says nothing, or it fails.
    pub(super) async fn ask(&self, hook: &str, members: Value) -> Option<Value> {
        self.call(hook, members).await?.map_err(|error| self.warn(hook, &error)).ok()
    }

    /// As [`ProviderHooks::ask`], for hooks whose failure is the call's.
    pub(super) async fn call(&self, hook: &str, members: Value) -> Option<Result<Value, CallError>> {
        let function = self.provider.function(&format!("/{hook}"))?;
        self.run(&function, members).await
    }

    /// Asks a function that is no member of the provider.
    pub(super) async fn ask_with(&self, function: &Callback, members: Value) -> Option<Value> {
        self.run(function, members).await?.map_err(|error| self.warn("catalog", &error)).ok()
    }

    async fn run(&self, function: &Callback, members: Value) -> Option<Result<Value, CallError>> {
        let mut ctx = (*self.base).clone();
        if let (Some(ctx), Value::Object(members)) = (ctx.as_object_mut(), members) {
            ctx.extend(members);
        }
        match function.call(Call::new(vec![ctx]).adapter(Adapter::Provider).budget(Some(BUDGET))).await {
            Ok(value) if value.is_null() || chela_plugin::value::is_undefined(&value) => None,
            other => Some(other),
        }
    }

    fn warn(&self, hook: &str, error: &CallError) {
        let provider = &self.provider;
        tracing::warn!(target: "models", plugin = %provider.owner.id, provider = %provider.id, hook, "provider hook failed: {error}");
    }
}
