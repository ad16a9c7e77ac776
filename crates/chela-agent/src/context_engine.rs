//! The context engine that a plugin brings and `plugins.slots.contextEngine` selects (API-223..234).
//!
//! One instance for each agent is made by the plugin's factory on first use and kept until it is disposed of: by a compaction, by a
//! change of plugins, at the end of the gateway. What an engine fails at never ends a turn; the built-in way takes over.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_models::ModelRef;
use chela_plugin::registry::Registry;
use chela_plugin::{Call, CallError, HostFn, PluginObject};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::compaction::CompactRequest;
use crate::runtime::AgentRuntime;

/// Id of the engine that is built in.
pub const BUILTIN: &str = "legacy";
/// Longest making of an engine.
const FACTORY_BUDGET: Duration = Duration::from_secs(30);
/// Longest step before the model: a person waits for it.
const BEFORE_BUDGET: Duration = Duration::from_secs(30);
/// Longest step after the turn; the next message of the session waits for it.
const AFTER_BUDGET: Duration = Duration::from_secs(120);
/// Longest compaction within the budget of the whole.
const COMPACT_BUDGET: Duration = Duration::from_secs(900);
/// Longest end of an engine.
const DISPOSE_BUDGET: Duration = Duration::from_secs(5);
/// Engines that are kept; one for each agent that speaks.
const MOST_KEPT: usize = 64;
/// Most messages that an engine may assemble.
const MOST_MESSAGES: usize = 10_000;

/// Members that engines of earlier days may refuse (API-232).
const NEWER: &[&str] = &["sessionKey", "prompt"];

/// A plugin's engine.
#[derive(Debug)]
pub struct Engine {
    id: String,
    agent: String,
    /// What made it: another factory means another engine.
    factory: (u64, u64),
    object: PluginObject,
    refused: Mutex<BTreeSet<&'static str>>,
}

/// Engines that were made.
#[derive(Debug, Default)]
pub struct EngineCache(Mutex<Vec<Arc<Engine>>>);

impl EngineCache {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Engine>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Facts about the session that an engine works on.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Session id.
    pub id: String,
    /// Session key.
    pub key: String,
    /// The transcript.
    pub file: std::path::PathBuf,
    /// Agent id.
    pub agent: String,
    /// The model of the conversation.
    pub model: ModelRef,
    /// Its context window in tokens.
    pub window: u64,
    /// True for turns that no person began.
    pub heartbeat: bool,
}

/// What an engine made of a conversation (API-228).
#[derive(Clone, Debug, PartialEq)]
pub struct Assembled {
    /// The messages for the model, oldest first.
    pub messages: Vec<Value>,
    /// Goes before the system prompt.
    pub system_addition: Option<String>,
    /// The engine's estimate of the whole.
    pub tokens: Option<u64>,
    /// True when the unassembled conversation counts, too, when room is checked.
    pub may_overflow: bool,
}

/// The engine of an agent; `None` means the built-in one, also when the selected engine cannot be had (API-226).
pub async fn resolve(runtime: &AgentRuntime, registry: &Registry, agent: &str, cancel: &CancellationToken) -> Option<Arc<Engine>> {
    let config = runtime.config();
    let id = config.get("plugins.slots.contextEngine").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty())?;
    if id == BUILTIN || id == "none" {
        return None;
    }
    let Some(entry) = registry.recorded_of("registerContextEngine").find(|r| r.id == id) else {
        tracing::error!(target: "context-engine", "context engine `{id}` is not registered; the built-in one is used");
        return None;
    };
    let factory = entry.callbacks.first()?;
    let made_by = (factory.target.worker_key(), factory.handle);
    let known = runtime.engines.lock().iter().find(|e| e.id == id && e.agent == agent && e.factory == made_by).cloned();
    if known.is_some() {
        return known;
    }
    let ctx = json!({
        "config": chela_plugin::value::gateway_config(), "agentDir": runtime.state_dir().join("agents").join(agent).join("agent"),
        "workspaceDir": runtime.workspace_of(agent),
    });
    let call = Call::new(vec![ctx]).budget(Some(FACTORY_BUDGET)).cancelled_by(cancel.clone());
    let object = match factory.call(call).await {
        Ok(value) => entry.object(1).returned(value),
        Err(error) => {
            tracing::error!(target: "context-engine", "context engine `{id}` could not be made, the built-in one is used: {error}");
            return None;
        }
    };
    if let Some(problem) = broken_contract(&object) {
        tracing::error!(target: "context-engine", "context engine `{id}` is not usable ({problem}), the built-in one is used");
        return None;
    }
    let engine = Arc::new(Engine { id: id.into(), agent: agent.into(), factory: made_by, object, refused: Mutex::default() });
    let old: Vec<Arc<Engine>> = {
        let mut kept = runtime.engines.lock();
        let full = kept.len() >= MOST_KEPT;
        let (mut old, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut *kept).into_iter().partition(|e| e.agent == agent);
        *kept = rest;
        if full && !kept.is_empty() {
            old.push(kept.remove(0));
        }
        kept.push(engine.clone());
        old
    };
    for one in old {
        one.end().await;
    }
    Some(engine)
}

/// API-225.
fn broken_contract(engine: &PluginObject) -> Option<String> {
    if !engine.value().is_object() {
        return Some("its factory gave no object".into());
    }
    let info = engine.value().get("info").cloned().unwrap_or_default();
    let blank = |key: &str| chela_plugin::value::text(&info, key).is_none();
    let mut missing: Vec<&str> =
        ["id", "name"].into_iter().zip(["info.id", "info.name"]).filter(|(k, _)| blank(k)).map(|(_, n)| n).collect();
    missing.extend(["ingest", "assemble", "compact"].into_iter().filter(|name| !engine.has(name)));
    (!missing.is_empty()).then(|| format!("it lacks {}", missing.join(", ")))
}

/// Ends an engine; the next use makes a new one (API-234).
pub async fn dispose(runtime: &AgentRuntime, engine: &Arc<Engine>) {
    runtime.engines.lock().retain(|e| !Arc::ptr_eq(e, engine));
    engine.end().await;
}

/// Ends all engines, at the end of the gateway.
pub async fn dispose_all(runtime: &AgentRuntime) {
    // The end is the last that an engine hears.
    runtime.after_turns.close();
    if tokio::time::timeout(DISPOSE_BUDGET, runtime.after_turns.wait()).await.is_err() {
        tracing::warn!(target: "context-engine", "an engine still takes up a turn; it is ended all the same");
    }
    let all = std::mem::take(&mut *runtime.engines.lock());
    futures::future::join_all(all.iter().map(|engine| engine.end())).await;
}

impl Engine {
    /// The registered id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// True when the engine sees to compaction itself, so that nothing compacts before a turn (API-231).
    pub fn owns_compaction(&self) -> bool {
        self.object.value().pointer("/info/ownsCompaction") == Some(&Value::Bool(true))
    }

    async fn end(&self) {
        if let Some(dispose) = self.object.function("dispose")
            && let Err(error) = dispose.call(Call::new(Vec::new()).budget(Some(DISPOSE_BUDGET))).await
        {
            tracing::warn!(target: "context-engine", engine = self.id, "it did not end cleanly: {error}");
        }
    }

    /// Calls a function; members that the engine refuses by name are left out from then on (API-232).
    async fn call(
        &self,
        name: &str,
        params: Value,
        fns: Vec<(&str, HostFn)>,
        budget: Duration,
        cancel: &CancellationToken,
    ) -> Result<Value, CallError> {
        loop {
            let mut params = params.clone();
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(params) = params.as_object_mut() {
                params.retain(|key, _| !refused.contains(key.as_str()));
            }
            let mut call = Call::new(Vec::new()).budget(Some(budget)).cancelled_by(cancel.clone());
            for (pointer, function) in &fns {
                let value = call.function(function.clone());
                if let Some(place) = params.pointer_mut(pointer) {
                    *place = value;
                }
            }
            call.args.push(params);
            let done = self.object.call(name, call).await;
            let Err(error) = &done else { return done };
            let fresh = NEWER.iter().find(|key| !refused.contains(**key) && refuses(&error.to_string(), key));
            let Some(key) = fresh else { return done };
            self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
    }

    fn base(&self, facts: &SessionFacts) -> Value {
        json!({"sessionId": facts.id, "sessionKey": facts.key})
    }

    fn with_file(&self, facts: &SessionFacts) -> Value {
        json!({"sessionId": facts.id, "sessionKey": facts.key, "sessionFile": facts.file})
    }

    /// Lets the engine take up a session that has messages already.
    pub async fn bootstrap(&self, runtime: &Arc<AgentRuntime>, facts: &SessionFacts, cancel: &CancellationToken) {
        if self.object.has("bootstrap") {
            let done = self.call("bootstrap", self.with_file(facts), Vec::new(), BEFORE_BUDGET, cancel).await;
            self.told("bootstrap", done);
        }
        self.maintain(runtime, facts, BEFORE_BUDGET, cancel).await;
    }

    async fn maintain(&self, runtime: &Arc<AgentRuntime>, facts: &SessionFacts, budget: Duration, cancel: &CancellationToken) {
        if self.object.has("maintain") {
            let mut params = self.with_file(facts);
            let fns = self.add_runtime(runtime, facts, None, &mut params);
            let done = self.call("maintain", params, fns, budget, cancel).await;
            self.told("maintain", done);
        }
    }

    fn told(&self, step: &str, done: Result<Value, CallError>) -> Option<Value> {
        done.map_err(|error| tracing::warn!(target: "context-engine", engine = self.id, step, "{error}")).ok()
    }

    /// The conversation as the model shall see it; `None` when the engine failed and the plain one is used.
    pub async fn assemble(
        &self,
        facts: &SessionFacts,
        messages: &[Value],
        tools: &[&str],
        prompt: &str,
        cancel: &CancellationToken,
    ) -> Option<Assembled> {
        let mut params = self.base(facts);
        params["messages"] = json!(messages);
        params["tokenBudget"] = facts.window.into();
        params["availableTools"] = json!({"$set": tools});
        params["model"] = facts.model.model.clone().into();
        params["prompt"] = prompt.into();
        let answer = self.told("assemble", self.call("assemble", params, Vec::new(), BEFORE_BUDGET, cancel).await)?;
        let Some(messages) = answer.get("messages").and_then(Value::as_array).filter(|m| m.len() <= MOST_MESSAGES) else {
            tracing::warn!(target: "context-engine", engine = self.id, "it assembled no list of at most {MOST_MESSAGES} messages");
            return None;
        };
        Some(Assembled {
            messages: messages.iter().filter(|m| m.get("role").is_some_and(Value::is_string)).cloned().collect(),
            system_addition: chela_plugin::value::text(&answer, "systemPromptAddition").map(str::to_string),
            tokens: answer.get("estimatedTokens").and_then(Value::as_f64).filter(|n| *n >= 0.0).map(|n| n as u64),
            may_overflow: answer.get("promptAuthority") == Some(&json!("preassembly_may_overflow")),
        })
    }

    /// Tells the engine what a turn brought: `afterTurn`, or the messages one by one or as a batch, then `maintain` (API-230).
    pub async fn after_turn(
        &self,
        runtime: &Arc<AgentRuntime>,
        facts: &SessionFacts,
        messages: &[Value],
        before: usize,
        ok: bool,
        tokens: u64,
    ) {
        let cancel = runtime.shutdown.child_token();
        let fresh = messages.get(before..).unwrap_or_default();
        let mut good = true;
        if self.object.has("afterTurn") {
            let mut params = self.with_file(facts);
            params["messages"] = json!(messages);
            params["prePromptMessageCount"] = before.into();
            params["tokenBudget"] = facts.window.into();
            params["isHeartbeat"] = facts.heartbeat.into();
            let fns = self.add_runtime(runtime, facts, Some(tokens), &mut params);
            good = self.told("afterTurn", self.call("afterTurn", params, fns, AFTER_BUDGET, &cancel).await).is_some();
        } else if self.object.has("ingestBatch") && !fresh.is_empty() {
            let mut params = self.base(facts);
            params["messages"] = json!(fresh);
            params["isHeartbeat"] = facts.heartbeat.into();
            good = self.told("ingestBatch", self.call("ingestBatch", params, Vec::new(), AFTER_BUDGET, &cancel).await).is_some();
        } else {
            for message in fresh {
                let mut params = self.base(facts);
                params["message"] = message.clone();
                params["isHeartbeat"] = facts.heartbeat.into();
                good &= self.told("ingest", self.call("ingest", params, Vec::new(), AFTER_BUDGET, &cancel).await).is_some();
            }
        }
        if good && ok {
            self.maintain(runtime, facts, AFTER_BUDGET, &cancel).await;
        }
    }

    /// # Errors
    /// What the engine threw.
    pub(crate) async fn compact(&self, runtime: &Arc<AgentRuntime>, request: &CompactRequest<'_>) -> Result<Value, CallError> {
        let row = request.session;
        let facts = SessionFacts {
            id: row.session_id.clone(),
            key: row.key.clone(),
            file: row.session_file.clone(),
            agent: request.agent_id.into(),
            model: request.model.clone(),
            window: request.window.unwrap_or(crate::history::DEFAULT_CONTEXT_TOKENS),
            heartbeat: false,
        };
        let mut params = self.with_file(&facts);
        params["tokenBudget"] = facts.window.into();
        params["force"] = (request.trigger != "budget").into();
        params["compactionTarget"] = "budget".into();
        if let Some(tokens) = row.total_tokens {
            params["currentTokenCount"] = tokens.into();
        }
        if let Some(instructions) = &request.instructions {
            params["customInstructions"] = instructions.clone().into();
        }
        let fns = self.add_runtime(runtime, &facts, row.total_tokens, &mut params);
        self.call("compact", params, fns, COMPACT_BUDGET, &request.cancel).await
    }

    /// Before a child run starts; `Err` stops the start. The value may hold a `rollback`.
    ///
    /// # Errors
    /// What the engine threw.
    pub async fn prepare_spawn(&self, parent: &str, child: &str, cancel: &CancellationToken) -> Result<Option<PluginObject>, CallError> {
        if !self.object.has("prepareSubagentSpawn") {
            return Ok(None);
        }
        let params = json!({"parentSessionKey": parent, "childSessionKey": child, "contextMode": "isolated"});
        let value = self.call("prepareSubagentSpawn", params, Vec::new(), BEFORE_BUDGET, cancel).await?;
        Ok(value.is_object().then(|| self.object.returned(value)))
    }

    /// A child session has ended: `deleted`, `completed`, `swept` or `released`.
    pub async fn subagent_ended(&self, child: &str, reason: &str, cancel: &CancellationToken) {
        if self.object.has("onSubagentEnded") {
            let params = json!({"childSessionKey": child, "reason": reason});
            let done = self.call("onSubagentEnded", params, Vec::new(), AFTER_BUDGET, cancel).await;
            self.told("onSubagentEnded", done);
        }
    }

    /// Puts `runtimeContext` into the parameters, with a model that is bound to the session's agent (API-233).
    fn add_runtime(
        &self,
        runtime: &Arc<AgentRuntime>,
        facts: &SessionFacts,
        tokens: Option<u64>,
        params: &mut Value,
    ) -> Vec<(&'static str, HostFn)> {
        params["runtimeContext"] = json!({
            "tokenBudget": facts.window, "workspaceDir": runtime.workspace_of(&facts.agent), "provider": facts.model.provider,
            "model": facts.model.model, "sessionKey": facts.key, "llm": {"complete": null},
        });
        if let Some(tokens) = tokens.filter(|t| *t > 0) {
            params["runtimeContext"]["currentTokenCount"] = tokens.into();
        }
        let (runtime, agent, plugin) = (runtime.clone(), facts.agent.clone(), self.object.owner.id.clone());
        let complete: HostFn = Arc::new(move |args| {
            let (runtime, agent, plugin) = (runtime.clone(), agent.clone(), plugin.clone());
            Box::pin(async move { complete(&runtime, &agent, &plugin, args.into_iter().next().unwrap_or_default()).await })
        });
        vec![("/runtimeContext/llm/complete", complete)]
    }
}

async fn complete(runtime: &AgentRuntime, agent: &str, plugin: &str, params: Value) -> Result<Value, CallError> {
    if params.get("agentId").is_some_and(|a| !a.is_null() && a != agent) {
        return Err(crate::completion::refuse("the completion of a context engine is bound to the session's agent"));
    }
    let caller = json!({"kind": "context-engine", "id": plugin});
    crate::completion::complete(runtime, plugin, agent, &params, caller).await
}

/// True when an error says that this member is unknown.
fn refuses(message: &str, key: &str) -> bool {
    let text = message.to_lowercase();
    let named = ['\'', '"', '`'].iter().any(|quote| message.contains(&format!("{quote}{key}{quote}")));
    let unknown = ["unrecognized key", "unrecognized_keys", "additional propert", "unexpected", "extraneous", "unknown", "invalid"];
    named && (unknown.iter().any(|word| text.contains(word)) || text.contains("not allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-232
    #[test]
    fn only_words_about_an_unknown_member_make_it_optional() {
        for (message, key, expected) in [
            ("Unrecognized key(s) in object: 'sessionKey'", "sessionKey", true),
            ("must NOT have additional properties: \"prompt\"", "prompt", true),
            ("\"prompt\" is not allowed", "prompt", true),
            ("[{\"code\":\"unrecognized_keys\",\"keys\":[\"sessionKey\"]}]", "sessionKey", true),
            ("Unrecognized key(s) in object: 'prompt'", "sessionKey", false),
            ("the prompt is too long", "prompt", false),
            ("session `sessionKey` was closed", "sessionKey", false),
        ] {
            assert_eq!(refuses(message, key), expected, "{message}");
        }
    }
}
