//! Trusted tool policies, which run before the `before_tool_call` hooks (HOOK-160, HOOK-172..175).

use std::sync::Arc;
use std::time::Duration;

use chela_plugin::register::entries::TrustedPolicy;
use chela_plugin::{Call, CallError, Callback, HookName, HostFn, Registry};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::text::error_text;

/// What the policies decided about a tool call.
#[derive(Debug)]
pub enum PolicyDecision {
    /// Go on to the hooks, with these parameters if a policy changed them.
    Continue {
        /// The new parameters as a whole.
        params: Option<Value>,
    },
    /// Ask the user; the hooks do not run for this call (HOOK-172).
    RequireApproval {
        /// The request; `pluginId` is set.
        request: Value,
        /// The new parameters as a whole.
        params: Option<Value>,
        /// `onResolution` of the request.
        on_resolution: Option<Callback>,
    },
    /// Refuse the call.
    Block {
        /// Why, for the model.
        reason: String,
        /// The policy.
        policy_id: String,
        /// Its plugin.
        plugin_id: Arc<str>,
        /// True when the policy threw or ran out of time (HOOK-174): then `reason` is a constant text.
        failed: bool,
    },
}

/// Recomputes `derivedPaths` from parameters.
pub type DerivePaths<'a> = &'a (dyn Fn(&Value) -> Option<Value> + Send + Sync);
/// The session extension state of a plugin, by its id: an object of namespaces.
pub type Extensions<'a> = &'a (dyn Fn(&str) -> Value + Send + Sync);

/// What a run of the policies needs beyond event and context.
#[derive(Default)]
pub struct PolicyRun<'a> {
    /// Recomputes `derivedPaths` for changed parameters (HOOK-163).
    pub derive_paths: Option<DerivePaths<'a>>,
    /// The session extension state of a plugin, for `ctx.getSessionExtension(namespace)` (HOOK-175).
    pub extensions: Option<Extensions<'a>>,
    /// Longest time for one policy; `None` means the default of `before_tool_call`.
    pub budget: Option<Duration>,
    /// Ends the run; the call is refused then.
    pub cancel: CancellationToken,
}

/// Asks the trusted policies in registration order (HOOK-160). `event` is that of `before_tool_call`.
pub async fn run_trusted_policies(registry: &Registry, event: &Value, ctx: &Value, run: PolicyRun<'_>) -> PolicyDecision {
    let mut params: Option<Value> = None;
    let mut event = event.clone();
    let mut approval: Option<(Value, Option<Callback>)> = None;
    for policy in &registry.trusted_policies {
        let decision = match evaluate(policy, &event, ctx, &run).await {
            Ok(decision) => decision,
            Err(error) => return failed(policy, &error),
        };
        if let Some(reason) = refusal(policy, &decision) {
            let (policy_id, plugin_id) = (policy.id.clone(), policy.owner.id.clone());
            return PolicyDecision::Block { reason, policy_id, plugin_id, failed: false };
        }
        if let Some(changed) = decision.get("params").filter(|p| p.is_object()) {
            event["params"] = changed.clone();
            let paths = run.derive_paths.and_then(|derive| derive(changed));
            if let Some(map) = event.as_object_mut() {
                match paths {
                    Some(paths) => drop(map.insert("derivedPaths".into(), paths)),
                    None => drop(map.shift_remove("derivedPaths")),
                }
            }
            params = Some(changed.clone());
        }
        if approval.is_none() {
            approval = decision.get("requireApproval").filter(|a| a.is_object()).map(|a| request(policy, a));
        }
    }
    match approval {
        Some((request, on_resolution)) => PolicyDecision::RequireApproval { request, params, on_resolution },
        None => PolicyDecision::Continue { params },
    }
}

async fn evaluate(policy: &TrustedPolicy, event: &Value, ctx: &Value, run: &PolicyRun<'_>) -> Result<Value, CallError> {
    let budget = run.budget.unwrap_or_else(|| HookName::BeforeToolCall.default_timeout());
    let mut call = Call::new(vec![event.clone()]).budget(Some(budget)).cancelled_by(run.cancel.child_token());
    let mut ctx = ctx.clone();
    if let (Value::Object(map), Some(extensions)) = (&mut ctx, run.extensions) {
        let state = extensions(&policy.owner.id);
        let accessor: HostFn = Arc::new(move |args| {
            let namespace = args.first().and_then(Value::as_str).map_or("", str::trim).to_string();
            let value = state.get(&namespace).cloned().unwrap_or(Value::Null);
            Box::pin(async move { Ok(value) })
        });
        map.insert("getSessionExtension".into(), call.function(accessor));
    }
    call.args.push(ctx);
    let limit = budget.saturating_add(Duration::from_millis(500));
    tokio::select! {
        biased;
        result = policy.evaluate.call(call) => result,
        () = tokio::time::sleep(limit) => Err(CallError::TimedOut(u64::try_from(budget.as_millis()).unwrap_or(u64::MAX))),
        () = run.cancel.cancelled() => Err(CallError::Cancelled),
    }
}

/// HOOK-173.
fn refusal(policy: &TrustedPolicy, decision: &Value) -> Option<String> {
    let key = if decision.get("allow") == Some(&json!(false)) {
        "reason"
    } else if decision.get("block") == Some(&json!(true)) {
        "blockReason"
    } else {
        return None;
    };
    let given = decision.get(key).and_then(Value::as_str);
    Some(given.map_or_else(|| format!("blocked by {}", policy.id), Into::into))
}

/// HOOK-174: closed.
fn failed(policy: &TrustedPolicy, error: &CallError) -> PolicyDecision {
    let text = error_text(&error.to_string());
    tracing::error!(target: "hooks", plugin = %policy.owner.id, "trusted tool policy {} from {} failed: {text}", policy.id, policy.owner.id);
    PolicyDecision::Block {
        reason: crate::decision::TOOL_HOOK_FAILED.into(),
        policy_id: policy.id.clone(),
        plugin_id: policy.owner.id.clone(),
        failed: true,
    }
}

fn request(policy: &TrustedPolicy, approval: &Value) -> (Value, Option<Callback>) {
    let mut approval = approval.clone();
    approval["pluginId"] = policy.owner.id.as_ref().into();
    let handle = approval.get("onResolution").and_then(chela_plugin::value::function_handle);
    let callback = handle.map(|handle| Callback { handle, ..policy.evaluate.clone() });
    (approval, callback)
}

#[cfg(test)]
mod tests;
