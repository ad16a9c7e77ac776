//! Agent harnesses of plugins: runtimes that take a prepared turn in place of the built-in loop of model and tools (API-043, API-199,
//! API-200, HAR-06..HAR-34).

use std::time::Duration;

use chela_plugin::registry::Registry;
use chela_plugin::{Call, CallError, HostFn, PluginObject};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::runtime::AgentRuntime;

/// The built-in harness (HAR-02).
pub const BUILTIN: &str = "pi";
const METHOD: &str = "registerAgentHarness";
/// Longest answer of `supports`, which must be cheap (HAR-10).
const SUPPORTS_BUDGET: Duration = Duration::from_secs(5);
/// Longest `classify`.
const CLASSIFY_BUDGET: Duration = Duration::from_secs(5);
/// Longest `reset` or `dispose` of one harness.
const END_BUDGET: Duration = Duration::from_secs(5);

/// Who runs a turn.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The built-in loop.
    Builtin,
    /// A plugin's harness.
    Plugin(Harness),
}

/// A plugin's harness.
#[derive(Clone, Debug)]
pub struct Harness {
    /// Its id.
    pub id: String,
    object: PluginObject,
}

impl Harness {
    /// The plugin that brought it.
    pub(crate) fn plugin(&self) -> &std::sync::Arc<str> {
        &self.object.owner.id
    }
}

/// A harness that is named and not there (HAR-22).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the agent runtime `{wanted}` is asked for `{model}` and not registered; enable the plugin that brings it, or set `agentRuntime.id` to `pi`"
)]
pub struct UnknownHarness {
    wanted: String,
    model: String,
}

/// The runtime id that the config names for a model, and where (HAR-14..HAR-16).
fn policy(runtime: &AgentRuntime, agent: &str, provider: &str, model: &str) -> (String, &'static str) {
    let config = runtime.config();
    let key = format!("{provider}/{model}");
    let id_in = |entry: Option<&Value>| {
        let id = entry?.get("agentRuntime")?;
        let id = id.as_str().or_else(|| id.get("id")?.as_str())?.trim().to_lowercase();
        (!id.is_empty()).then(|| if id == "default" { "auto".to_string() } else { id })
    };
    let agents = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let own = agents.filter(|a| a["id"] == agent).find_map(|a| id_in(a.get("models")?.get(&key)));
    let general = || id_in(config.get("agents.defaults.models").and_then(|m| m.get(&key)));
    let provider_entry = config.get("models.providers").and_then(|all| all.get(provider));
    let row = || {
        let rows = provider_entry?.get("models")?.as_array()?;
        id_in(rows.iter().find(|row| row["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(model))))
    };
    if let Some(id) = own.or_else(general).or_else(row) {
        return (id, "model");
    }
    id_in(provider_entry).map_or_else(|| ("auto".to_string(), "implicit"), |id| (id, "provider"))
}

/// Who runs a turn with this model. Fixed before the turn starts (HAR-18..HAR-22, HAR-26).
///
/// # Errors
/// When the config names a harness that no plugin registered.
pub async fn select(
    runtime: &AgentRuntime,
    registry: &Registry,
    agent: &str,
    provider: &str,
    model: &str,
    cancel: &CancellationToken,
) -> Result<Choice, UnknownHarness> {
    let all: Vec<Harness> = registry.recorded_of(METHOD).map(|r| Harness { id: r.id.to_lowercase(), object: r.object(0) }).collect();
    let (wanted, source) = policy(runtime, agent, provider, model);
    let choice = match wanted.as_str() {
        BUILTIN => Choice::Builtin,
        "auto" if all.is_empty() => return Ok(Choice::Builtin),
        "auto" => automatic(all, provider, model, cancel).await,
        id => match all.into_iter().find(|h| h.id == id) {
            Some(harness) => Choice::Plugin(harness),
            None => return Err(UnknownHarness { wanted, model: format!("{provider}/{model}") }),
        },
    };
    let chosen = if let Choice::Plugin(harness) = &choice { harness.id.as_str() } else { BUILTIN };
    tracing::debug!(target: "harness", chosen, wanted, source, provider, model, "who runs the turn");
    Ok(choice)
}

async fn automatic(all: Vec<Harness>, provider: &str, model: &str, cancel: &CancellationToken) -> Choice {
    let ctx = json!({"provider": provider, "modelId": model, "requestedRuntime": "auto"});
    let asked = all.into_iter().map(|harness| {
        let ctx = ctx.clone();
        async move {
            let answer = match harness.object.ask("supports", ctx, SUPPORTS_BUDGET, cancel).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(target: "harness", harness = harness.id, "it could not say what it supports: {error}");
                    return None;
                }
            };
            let priority = answer.get("priority").and_then(Value::as_f64).unwrap_or(0.0);
            (answer.get("supported") == Some(&Value::Bool(true))).then_some((priority, harness))
        }
    });
    let mut able: Vec<(f64, Harness)> = futures::future::join_all(asked).await.into_iter().flatten().collect();
    able.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    able.into_iter().next().map_or(Choice::Builtin, |(_, harness)| Choice::Plugin(harness))
}

/// What an attempt brought (HAR-40, HAR-42).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// The answer.
    pub text: String,
    /// Somebody stopped it.
    pub aborted: bool,
    /// Its time ran out.
    pub timed_out: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// Tokens.
    pub usage: chela_models::Usage,
    /// The harness's own word for an answer that is none: `empty`, `reasoning-only`, `planning-only` (HAR-47).
    pub classification: Option<String>,
}

impl Harness {
    /// Runs a prepared turn. `params` are the facts of the turn; `fns` are put where they are null in it.
    ///
    /// # Errors
    /// What the harness threw; an attempt that ended early is a result with flags (HAR-46).
    pub async fn run(
        &self,
        mut params: Value,
        fns: Vec<(&'static str, HostFn)>,
        budget: Duration,
        cancel: &CancellationToken,
    ) -> Result<Attempt, CallError> {
        let mut call = Call::new(Vec::new()).budget(Some(budget));
        params["abortSignal"] = call.signal(cancel.clone());
        let plain = params.clone();
        for (name, function) in fns {
            params[name] = call.function(function);
        }
        call.args.push(params);
        // Not cancelled with the turn: a harness that hears the signal gives back what it has (HAR-46).
        let work = self.object.call("runAttempt", call);
        tokio::pin!(work);
        let result = tokio::select! {
            result = &mut work => result?,
            () = async { cancel.cancelled().await; tokio::time::sleep(END_BUDGET).await } => return Err(CallError::Cancelled),
        };
        let mut attempt = read(&result);
        if self.object.has("classify") && attempt.error.is_none() && !attempt.aborted && attempt.text.trim().is_empty() {
            let call = Call::new(vec![result, plain]).budget(Some(CLASSIFY_BUDGET));
            match self.object.call("classify", call).await {
                Ok(Value::String(word)) if word != "ok" => attempt.classification = Some(word),
                Ok(_) => {}
                Err(error) => tracing::warn!(target: "harness", harness = self.id, "its result was not classified: {error}"),
            }
        }
        Ok(attempt)
    }
}

fn read(result: &Value) -> Attempt {
    let flag = |key: &str| result.get(key) == Some(&Value::Bool(true));
    let texts = result.get("assistantTexts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let text = texts.filter(|t| !t.trim().is_empty()).collect::<Vec<_>>().join("\n\n");
    let last = || result.get("lastAssistant").map(crate::message::text_of).unwrap_or_default();
    let number = |key: &str| result.pointer(&format!("/attemptUsage/{key}")).and_then(Value::as_u64).unwrap_or(0);
    let usage = chela_models::Usage {
        input: number("input"),
        output: number("output"),
        cache_read: number("cacheRead"),
        cache_write: number("cacheWrite"),
        total: 0,
    };
    let error = result.get("promptError").filter(|e| !e.is_null() && !chela_plugin::value::is_undefined(e)).map(|error| {
        let inner = error.get("$error").unwrap_or(error);
        inner.as_str().or_else(|| inner.get("message")?.as_str()).unwrap_or("the harness gave no reason").to_string()
    });
    Attempt {
        text: if text.is_empty() { last() } else { text },
        aborted: flag("aborted") || flag("externalAbort"),
        timed_out: flag("timedOut") || flag("idleTimedOut"),
        error,
        usage: usage.with_total(),
        classification: chela_plugin::value::text(result, "agentHarnessResultClassification").filter(|w| *w != "ok").map(str::to_string),
    }
}

/// Tells all harnesses that a session was reset, side by side; failures are logged (API-200, HAR-12, HAR-13).
pub async fn reset_all(registry: &Registry, params: &Value) {
    end(registry, "reset", vec![params.clone()]).await;
}

/// Ends all harnesses, side by side; failures are logged (API-200).
pub async fn dispose_all(registry: &Registry) {
    end(registry, "dispose", Vec::new()).await;
}

async fn end(registry: &Registry, name: &str, args: Vec<Value>) {
    let asked = registry.recorded_of(METHOD).filter_map(|entry| {
        let function = entry.object(0).function(name)?;
        let args = args.clone();
        Some(async move {
            if let Err(error) = function.call(Call::new(args).budget(Some(END_BUDGET))).await {
                tracing::warn!(target: "harness", harness = entry.id, plugin = %entry.owner.id, "its `{name}` failed: {error}");
            }
        })
    });
    futures::future::join_all(asked).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    // HAR-40, HAR-42
    #[test]
    fn results_are_read_by_their_flags() {
        let done = read(&json!({"assistantTexts": ["a", " ", "b"], "attemptUsage": {"input": 2, "output": 3}}));
        assert_eq!((done.text.as_str(), done.usage.total, done.error), ("a\n\nb", 5, None));
        let last = read(&json!({"assistantTexts": [], "lastAssistant": {"content": [{"type": "text", "text": "c"}]}, "aborted": true}));
        assert_eq!((last.text.as_str(), last.aborted, last.timed_out), ("c", true, false));
        let failed = read(&json!({"promptError": {"$error": {"name": "Error", "message": "no"}}, "timedOut": true}));
        assert_eq!((failed.error.as_deref(), failed.timed_out), (Some("no"), true));
        assert_eq!(read(&json!({"promptError": null})).error, None);
    }
}
