//! One tool call: `before_tool_call`, approval, execution, `after_tool_call` (HOOK-160..178).

use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_hooks::{DispatchOptions, HookEngine, PolicyDecision, PolicyRun, run_trusted_policies};
use chela_models::ToolCall;
use chela_plugin::{Adapter, Call, CallError, HookName, HostFn};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::approval::{Wanted, confirm};
use super::{Confirm, HostTool, HostToolCall, LoopGuard, Origin, Tool, ToolKind, ToolSet, middleware, text_result};
use crate::runtime::AgentRuntime;

/// Longest time of one tool call.
const TOOL_BUDGET: Duration = Duration::from_secs(10 * 60);

/// Who calls a tool.
pub struct Caller<'a> {
    /// Everything outside.
    pub runtime: &'a AgentRuntime,
    /// The dispatcher of the turn's generation.
    pub hooks: &'a Arc<HookEngine>,
    /// `ToolCtx` without the tool's own members (HOOK-003).
    pub context: Value,
    /// Diagnostic context of the run, for the hooks before the call.
    pub trace: Option<Value>,
    /// Session key.
    pub session_key: &'a str,
    /// Run id, if there is a run.
    pub run_id: Option<&'a str>,
    /// Aborts the call.
    pub cancel: &'a CancellationToken,
    /// Gets progress of the tool.
    pub on_update: Option<Arc<dyn Fn(Value) + Send + Sync>>,
    /// True when `after_tool_call` fires: not for `tools.invoke` (HOOK-177).
    pub announce_end: bool,
    /// What it does when it must be confirmed.
    pub confirm: Confirm,
    /// Who is behind it.
    pub origin: Origin,
    /// Watches for calls that go round in circles (TOOL-29); none outside of runs.
    pub loops: Option<&'a LoopGuard>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    /// The arguments as executed.
    pub params: Value,
    /// `{content, details?}`.
    pub result: Value,
    /// The call failed; the model is told.
    pub is_error: bool,
    /// The caller runs it: hooks let it pass, and `params` are what they made of the arguments.
    pub delegated: bool,
    /// A hook or policy refused it, with its reason.
    pub refused: Option<Refusal>,
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Text for the model and for HTTP callers.
    pub reason: String,
    /// True when an approval was asked for and could not be had.
    pub requires_approval: bool,
}

/// What the hooks decided.
enum Decision {
    Go(Value),
    Loop(String),
    Block(String),
    Failed(&'static str),
    Unconfirmed(String),
}

/// Runs one call to its end. It never fails: every failure is a result that the model sees.
pub async fn execute(caller: &Caller<'_>, tools: &ToolSet, call: &ToolCall) -> ToolOutcome {
    let Some(tool) = tools.get(&call.name) else {
        return missing(caller, call);
    };
    let begun = Instant::now();
    let params = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
    let mut outcome = match decide(caller, tool, call, &params).await {
        Decision::Go(params) => run(caller, tool, call, params).await,
        Decision::Block(reason) => blocked(&params, "plugin-before-tool-call", reason),
        Decision::Loop(reason) => blocked(&params, "tool-loop", reason),
        Decision::Failed(text) => failed(&params, text, Some(Refusal { reason: text.into(), requires_approval: false })),
        Decision::Unconfirmed(reason) => failed(&params, reason.clone(), Some(Refusal { reason, requires_approval: true })),
    };
    // Only what ran in a turn has a result of its own.
    if caller.announce_end && !outcome.delegated && outcome.refused.is_none() {
        let result = std::mem::take(&mut outcome.result);
        outcome.result = middleware::apply(caller, &tool.name, &call.id, &outcome.params, outcome.is_error, result).await;
    }
    if let Some(loops) = caller.loops {
        loops.ended(call, &outcome, false);
    }
    report(caller, tool, call, &outcome, begun.elapsed());
    // A call that the caller runs has not ended here.
    if caller.announce_end && !outcome.delegated {
        announce(caller, tool, call, &outcome, begun.elapsed());
    }
    outcome
}

/// A tool that is not there: a model that goes on asking for it is told to stop.
fn missing(caller: &Caller<'_>, call: &ToolCall) -> ToolOutcome {
    if let Some(reason) = caller.loops.and_then(|loops| loops.refuse(call)) {
        return blocked(&call.arguments, "tool-loop", reason);
    }
    let outcome = failed(&call.arguments, format!("Tool `{}` does not exist or is not allowed here", call.name), None);
    if let Some(loops) = caller.loops {
        loops.ended(call, &outcome, true);
    }
    outcome
}

/// The ids of the run that a call is part of: calls that run beside each other share their own context.
fn run_span(of_call: &Value) -> Option<chela_telemetry::Span> {
    let call = chela_telemetry::Span::read(of_call)?;
    Some(chela_telemetry::Span { span_id: call.parent_id?, trace_id: call.trace_id, parent_id: None })
}

/// Tells telemetry; arguments and results only where the operator asked for them.
fn report(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, outcome: &ToolOutcome, took: Duration) {
    caller.runtime.telemetry.emit(|| {
        let (result, category) = match (&outcome.refused, outcome.is_error) {
            (Some(_), _) => ("blocked", None),
            (None, true) => ("error", Some(if caller.cancel.is_cancelled() { "aborted" } else { "thrown" })),
            (None, false) => ("completed", None),
        };
        let params_kind = match &call.arguments {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "boolean",
            Value::Null => "null",
        };
        chela_telemetry::Event::Tool(chela_telemetry::Tool {
            span: caller.trace.as_ref().and_then(run_span),
            tool: &tool.name,
            params_kind,
            outcome: result,
            error_category: category,
            began_ms: crate::clock::now_ms() - i64::try_from(took.as_millis()).unwrap_or(0),
            took,
            content: contents(caller.runtime.telemetry.capture(), outcome),
        })
    });
}

/// What the operator wants exported of a call.
fn contents(capture: chela_telemetry::Capture, outcome: &ToolOutcome) -> chela_telemetry::Content {
    let told = |wanted: bool, value: &Value| wanted.then(|| chela_telemetry::bounded(&value.to_string()));
    chela_telemetry::Content {
        input: told(capture.tool_inputs, &outcome.params),
        output: told(capture.tool_outputs, &outcome.result["content"]),
        system: None,
    }
}

/// HOOK-025, HOOK-160..171. A failed hook refuses the call (HOOK-106, HOOK-168).
async fn decide(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, params: &Value) -> Decision {
    if let Some(reason) = caller.loops.and_then(|loops| loops.refuse(call)) {
        return Decision::Loop(reason);
    }
    let event = |params: &Value| {
        let (name, paths) = (&tool.name, derived_paths(tool, params));
        without_nulls(json!({
            "toolName": name, "params": params, "runId": caller.run_id, "toolCallId": call.id, "derivedPaths": paths,
        }))
    };
    let params = match policies(caller, tool, call, params, &|| event(params)).await {
        Ok(changed) => changed.unwrap_or_else(|| params.clone()),
        Err(decision) => return decision,
    };
    let options = DispatchOptions { cancel: caller.cancel.clone(), budget_override: None };
    let dispatched =
        caller.hooks.dispatch_with(HookName::BeforeToolCall, options, || (event(&params), traced_context(caller, tool, call))).await;
    if dispatched.refused {
        return Decision::Failed("Tool call blocked because before_tool_call hook failed");
    }
    let merged = dispatched.merged;
    if merged.get("block") == Some(&Value::Bool(true)) {
        let reason = chela_plugin::value::text(&merged, "blockReason").unwrap_or("Tool call blocked by plugin hook");
        return Decision::Block(reason.into());
    }
    let changed = overlay(&params, merged.get("params"));
    match merged.get("requireApproval").filter(|r| r.is_object()) {
        Some(request) => {
            let wanted = Wanted { request: request.clone(), on_resolution: dispatched.on_resolution, params: changed };
            confirmed(caller, tool, call, wanted).await
        }
        None => Decision::Go(changed),
    }
}

/// HOOK-192: once allowed, the call runs with the arguments that were asked about.
async fn confirmed(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, wanted: Wanted) -> Decision {
    match confirm(caller, tool, call, &wanted).await {
        Ok(()) => Decision::Go(wanted.params),
        Err(reason) => Decision::Unconfirmed(reason),
    }
}

/// Trusted policies come before the hooks (HOOK-160, HOOK-172..174). `Ok` carries parameters that they changed.
async fn policies(
    caller: &Caller<'_>,
    tool: &Tool,
    call: &ToolCall,
    params: &Value,
    event: &(dyn Fn() -> Value + Sync),
) -> Result<Option<Value>, Decision> {
    let registry = caller.hooks.registry();
    if registry.trusted_policies.is_empty() {
        return Ok(None);
    }
    // HOOK-175: a policy reads the state of its own plugin and of no other.
    let row = caller.runtime.store.session(caller.session_key).await.ok().flatten();
    let states = row.and_then(|row| row.extra.get("pluginExtensions").cloned()).unwrap_or_default();
    let extensions = |plugin: &str| states.get(plugin).cloned().unwrap_or_default();
    let derive = |params: &Value| derived_paths(tool, params);
    let run =
        PolicyRun { cancel: caller.cancel.clone(), extensions: Some(&extensions), derive_paths: Some(&derive), ..PolicyRun::default() };
    match run_trusted_policies(&registry, &event(), &traced_context(caller, tool, call), run).await {
        PolicyDecision::Continue { params } => Ok(params),
        PolicyDecision::Block { reason, .. } => Err(Decision::Block(reason)),
        // HOOK-172: the hooks do not run for this call.
        PolicyDecision::RequireApproval { request, params: changed, on_resolution } => {
            let wanted = Wanted { request, on_resolution, params: overlay(params, changed.as_ref()) };
            Err(confirmed(caller, tool, call, wanted).await)
        }
    }
}

/// HOOK-163: only for tools that can tell.
fn derived_paths(tool: &Tool, params: &Value) -> Option<Value> {
    match &tool.kind {
        ToolKind::Host(tool) => tool.derived_paths(params).map(Value::from),
        _ => None,
    }
}

/// Keys that are absent from the result survive (HOOK-164).
fn overlay(params: &Value, changed: Option<&Value>) -> Value {
    let mut out = params.as_object().cloned().unwrap_or_default();
    if let Some(changed) = changed.and_then(Value::as_object) {
        out.extend(changed.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Value::Object(out)
}

async fn run(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, params: Value) -> ToolOutcome {
    let result = match &tool.kind {
        ToolKind::Client => return delegated(tool, params),
        ToolKind::Core(core) => core.run(caller.runtime, caller.session_key, &params).await.map_err(CallError::thrown),
        ToolKind::Host(tool) => host_tool(caller, tool, call, params.clone()).await,
        ToolKind::Plugin { execute, .. } => {
            let mut request = Call::new(vec![call.id.clone().into(), params.clone()]).adapter(Adapter::Tool);
            let signal = request.signal(caller.cancel.clone());
            request.args.push(signal);
            if let Some(update) = caller.on_update.clone() {
                let function: HostFn = Arc::new(move |mut args| {
                    update(if args.is_empty() { Value::Null } else { args.swap_remove(0) });
                    Box::pin(async { Ok(Value::Null) })
                });
                let handle = request.function(function);
                request.args.push(handle);
            }
            execute.call(request.budget(Some(TOOL_BUDGET)).cancelled_by(caller.cancel.clone())).await
        }
    };
    match result {
        Ok(value) => ToolOutcome { params, result: normalise_result(value), is_error: false, delegated: false, refused: None },
        Err(error) => broken(&params, tool, error.to_string()),
    }
}

/// A tool of another crate, with the same limit of time as a plugin's.
async fn host_tool(caller: &Caller<'_>, tool: &Arc<dyn HostTool>, call: &ToolCall, params: Value) -> Result<Value, CallError> {
    let call = HostToolCall {
        runtime: caller.runtime,
        registry: &caller.hooks.registry(),
        hooks: caller.hooks,
        params,
        context: &caller.context,
        session_key: caller.session_key,
        run_id: caller.run_id,
        call_id: &call.id,
        cancel: caller.cancel,
        on_update: caller.on_update.clone(),
        origin: &caller.origin,
    };
    let budget = if tool.limits_itself() { Duration::MAX } else { TOOL_BUDGET };
    tokio::select! {
        done = tokio::time::timeout(budget, tool.run(call)) => match done {
            Ok(result) => result.map_err(CallError::thrown),
            Err(_) => Err(CallError::TimedOut(TOOL_BUDGET.as_millis() as u64)),
        },
        () = caller.cancel.cancelled() => Err(CallError::Cancelled),
    }
}

/// What the transcript holds of a call that the caller runs (GW-109).
fn delegated(tool: &Tool, params: Value) -> ToolOutcome {
    let details = json!({"status": "pending", "tool": tool.name});
    let mut result = text_result(format!("`{}` runs at the caller; its result comes with the next request", tool.name));
    result["details"] = details;
    ToolOutcome { params, result, is_error: false, delegated: true, refused: None }
}

/// A result is `{content: [...], details?}`; a plain text or value becomes one text block.
fn normalise_result(value: Value) -> Value {
    match value {
        Value::Object(mut object) if object.get("content").is_some_and(Value::is_array) => {
            let mut kept = Map::new();
            for key in ["content", "details"] {
                if let Some(member) = object.remove(key) {
                    kept.insert(key.into(), member);
                }
            }
            Value::Object(kept)
        }
        Value::String(text) => text_result(text),
        Value::Null => text_result("done"),
        other => text_result(other.to_string()),
    }
}

/// HOOK-167: a block is a normal result for the model.
fn blocked(params: &Value, by: &'static str, reason: String) -> ToolOutcome {
    let mut result = text_result(&reason);
    result["details"] = json!({"status": "blocked", "deniedReason": by, "reason": reason});
    let refused = Some(Refusal { reason, requires_approval: false });
    ToolOutcome { params: params.clone(), result, is_error: false, delegated: false, refused }
}

/// A tool that threw: the text for the model, and the same as details for hooks and transcripts.
fn broken(params: &Value, tool: &Tool, text: String) -> ToolOutcome {
    let mut outcome = failed(params, text.clone(), None);
    outcome.result["details"] = json!({"status": "error", "tool": tool.name, "error": text});
    outcome
}

fn failed(params: &Value, text: impl Into<String>, refused: Option<Refusal>) -> ToolOutcome {
    ToolOutcome { params: params.clone(), result: text_result(text), is_error: true, delegated: false, refused }
}

fn tool_context(caller: &Caller<'_>, tool: &Tool, call: &ToolCall) -> Value {
    let mut context = caller.context.as_object().cloned().unwrap_or_default();
    context.insert("toolName".into(), tool.name.clone().into());
    context.insert("toolCallId".into(), call.id.clone().into());
    Value::Object(context)
}

fn traced_context(caller: &Caller<'_>, tool: &Tool, call: &ToolCall) -> Value {
    let mut context = tool_context(caller, tool, call);
    if let Some(trace) = &caller.trace {
        context["trace"] = trace.clone();
    }
    context
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => object.into_iter().filter(|(_, v)| !v.is_null()).collect::<Map<_, _>>().into(),
        other => other,
    }
}

/// HOOK-026, HOOK-176: parameters as executed; `error` only for failures.
fn announce(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, outcome: &ToolOutcome, took: Duration) {
    caller.hooks.spawn_parallel(HookName::AfterToolCall, || {
        let mut event = json!({
            "toolName": tool.name, "params": outcome.params, "runId": caller.run_id, "toolCallId": call.id,
            "result": outcome.result, "durationMs": took.as_millis() as u64,
        });
        if outcome.is_error {
            event["error"] = crate::message::text_of(&outcome.result).into();
        }
        (without_nulls(event), tool_context(caller, tool, call))
    });
}
