//! Asking for a call that a hook or policy wants to have confirmed (HOOK-178..192).

use std::time::Duration;

use chela_approvals::{ApprovalKind, ApprovalState, Approvals, Ask, Decision, grant_key, request};
use chela_models::ToolCall;
use chela_plugin::{Call, Callback};
use serde_json::{Value, json};

use super::{Caller, Tool};

/// Longest time that a plugin may take over the news of a decision.
const RESOLUTION_BUDGET: Duration = Duration::from_secs(30);

const UNREACHABLE: &str = "Plugin approval required (gateway unavailable)";
const NO_ROUTE: &str = "Plugin approval unavailable (no approval route)";

/// What a call does when it must be confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// It waits for an answer.
    #[default]
    Wait,
    /// It is refused at once, with what was wanted as the reason (HOOK-178).
    Report,
}

/// What a hook or policy asked for.
pub(super) struct Wanted {
    /// Its `requireApproval`, with the plugin's id.
    pub request: Value,
    /// Told how it ended.
    pub on_resolution: Option<Callback>,
    /// The arguments that will be used: people answer for exactly these.
    pub params: Value,
}

/// Waits until the call is confirmed.
///
/// # Errors
/// The reason for the model (HOOK-187, HOOK-189, HOOK-190).
pub(super) async fn confirm(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, wanted: &Wanted) -> Result<(), String> {
    let text = |name: &str| wanted.request[name].as_str().map(str::trim).filter(|t| !t.is_empty());
    if caller.confirm == Confirm::Report {
        return Err(text("description").or(text("title")).unwrap_or("Plugin approval required").into());
    }
    let (resolution, outcome) = ask(caller, tool, call, wanted).await;
    tell(wanted.on_resolution.as_ref(), resolution);
    outcome
}

/// The word for `onResolution`, and what becomes of the call.
async fn ask(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, wanted: &Wanted) -> (&'static str, Result<(), String>) {
    let cancelled = |reason: &str| ("cancelled", Err(reason.to_string()));
    let checked = match request::plugin(&params_of(caller, tool, call, wanted)) {
        Ok(checked) => checked,
        Err(problem) => {
            tracing::warn!(target: "approvals", tool = tool.name, plugin = %wanted.request["pluginId"], "requireApproval is malformed: {problem}");
            return cancelled(UNREACHABLE);
        }
    };
    let part = |name: &str| checked.request[name].as_str().unwrap_or_default().to_string();
    let key = grant_key(&part("agentId"), &part("pluginId"), &tool.name, &wanted.params);
    let approvals = &caller.runtime.approvals;
    let may_be_remembered = Decision::allowed_by(&checked.request).contains(&Decision::AllowAlways);
    if may_be_remembered && approvals.is_granted(&key, checked.request.clone()).await {
        return (Decision::AllowAlways.as_str(), Ok(()));
    }
    let mut plan = Approvals::turn_plan();
    plan["grantKey"] = key.into();
    let ask =
        Ask { kind: ApprovalKind::Plugin, id: None, request: checked.request, timeout: checked.timeout, plan: Some(plan), asker: None };
    let asked = match approvals.ask(ask).await {
        Ok(asked) if asked.routed => asked,
        Ok(_) => return cancelled(NO_ROUTE),
        Err(error) => {
            tracing::warn!(target: "approvals", tool = tool.name, %error, "an approval could not be asked for");
            return cancelled(UNREACHABLE);
        }
    };
    // Whatever ends this wait, nobody shall be able to answer a question that no call waits for.
    let mut withdraw = Withdraw(Some((approvals.clone(), asked.row.id.clone())));
    let verdict = tokio::select! {
        verdict = approvals.wait(&asked.row.id) => verdict,
        () = caller.cancel.cancelled() => return cancelled("Approval cancelled (run aborted)"),
    };
    withdraw.0 = None;
    match verdict {
        Ok(Some(verdict)) => match verdict.decision {
            Some(Decision::Deny) => (Decision::Deny.as_str(), Err("Denied by user".into())),
            Some(decision) => (decision.as_str(), Ok(())),
            None if wanted.request["timeoutBehavior"] == "allow" && verdict.row.state == ApprovalState::Expired => ("timeout", Ok(())),
            None => ("timeout", Err("Approval timed out".into())),
        },
        Ok(None) | Err(_) => cancelled(UNREACHABLE),
    }
}

/// What `plugin.approval.request` takes (HOOK-180): members that the hook gave, and what the host knows.
fn params_of(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, wanted: &Wanted) -> Value {
    let mut params = json!({
        "toolName": tool.name, "toolCallId": call.id, "agentId": caller.context["agentId"], "sessionKey": caller.session_key,
    });
    for name in ["pluginId", "title", "description", "severity", "allowedDecisions", "timeoutMs"] {
        if let Some(value) = wanted.request.get(name).filter(|v| !v.is_null()) {
            params[name] = value.clone();
        }
    }
    for (name, value) in caller.origin.source.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    params
}

/// HOOK-191: it is not waited for, and its errors are only logged.
fn tell(on_resolution: Option<&Callback>, resolution: &'static str) {
    let Some(callback) = on_resolution.cloned() else { return };
    tokio::spawn(async move {
        let call = Call::new(vec![resolution.into()]).budget(Some(RESOLUTION_BUDGET));
        if let Err(error) = callback.call(call).await {
            tracing::warn!(target: "hooks", plugin = %callback.plugin_id, "onResolution failed: {error}");
        }
    });
}

/// Takes a question back when nobody waits for its answer any more.
struct Withdraw(Option<(Approvals, String)>);

impl Drop for Withdraw {
    fn drop(&mut self) {
        let Some((approvals, id)) = self.0.take() else { return };
        tokio::spawn(async move {
            if let Err(error) = approvals.cancel(&id, "run-aborted").await {
                tracing::warn!(target: "approvals", approval = id, %error, "an approval could not be taken back; it ends by its time");
            }
        });
    }
}
