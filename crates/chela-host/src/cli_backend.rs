//! CLI backends: model providers whose calls are runs of a local program (API-044, HAR-61..108). Text only: the program has its own
//! tools, the gateway's are not offered to it.

mod config;
mod output;
mod run;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chela_agent::text_transforms::{self, Direction};
use chela_models::{
    CancellationToken, ChatMessage, ContentPart, ErrorKind, EventStream, ModelError, ModelEvent, ModelRequest, ModelTransport, StopReason,
    ToolChoice,
};
use chela_plugin::PluginObject;
use chela_plugin::register::TextTransforms;
use chela_plugin::register::entries::Recorded;
use serde_json::{Value, json};

use self::config::{Backend, Mode};
use crate::models::ProviderWorld;

/// Longest answer of one of the backend's functions.
const HOOK_BUDGET: Duration = Duration::from_secs(15);
/// Longest making of a backend's bridge (`prepareExecution`).
const PREPARE_BUDGET: Duration = Duration::from_secs(60);
/// Sessions of the program that are remembered.
const MOST_SESSIONS: usize = 1000;

/// The transport of one backend.
pub(crate) struct CliTransport {
    object: PluginObject,
    transforms: TextTransforms,
    world: ProviderWorld,
    /// Session ids of the program, by the gateway's; they last as long as the gateway.
    sessions: Mutex<HashMap<String, String>>,
    /// One run after another, unless the backend says that runs may go side by side (HAR-94).
    lane: tokio::sync::Mutex<()>,
}

impl CliTransport {
    pub(crate) fn new(entry: &Recorded, world: &ProviderWorld) -> Self {
        let object = entry.object(0);
        let apply = entry.args.get(1).and_then(chela_plugin::value::function_handle);
        let apply = apply.and_then(|handle| entry.callbacks.iter().find(|c| c.handle == handle).cloned());
        let texts = object.value().get("textTransforms").cloned().unwrap_or_default();
        let transforms = TextTransforms::read(entry.owner.clone(), &texts, apply);
        Self { object, transforms, world: world.clone(), sessions: Mutex::default(), lane: Default::default() }
    }

    fn id(&self) -> &str {
        self.object.text("id").unwrap_or_default()
    }

    fn error(&self, request: &ModelRequest, kind: ErrorKind, text: impl Into<String>) -> ModelError {
        ModelError::new(kind, &request.model, text)
    }

    async fn ask(&self, name: &str, ctx: Value, budget: Duration, cancel: &CancellationToken) -> Result<Option<Value>, String> {
        if !self.object.has(name) {
            return Ok(None);
        }
        let answer = self.object.ask(name, ctx, budget, cancel).await.map_err(|e| format!("its `{name}` failed: {e}"))?;
        Ok((!answer.is_null() && !chela_plugin::value::is_undefined(&answer)).then_some(answer))
    }

    /// The plugin's config under the operator's, as the plugin's `normalizeConfig` leaves it (HAR-70, HAR-71).
    async fn backend(&self, cancel: &CancellationToken) -> Result<Backend, String> {
        let own = self.world.config.get("agents.defaults.cliBackends").and_then(|all| all.get(self.id())).cloned().unwrap_or_default();
        let mut merged = config::merge(self.object.value().get("config").unwrap_or(&Value::Null), &own);
        if let Some(function) = self.object.function("normalizeConfig") {
            let ctx = json!({"config": chela_plugin::value::gateway_config(), "backendId": self.id()});
            let call = chela_plugin::Call::new(vec![merged.clone(), ctx]).budget(Some(HOOK_BUDGET)).cancelled_by(cancel.clone());
            merged = function.call(call).await.map_err(|e| format!("its `normalizeConfig` failed: {e}"))?;
        }
        Backend::read(&merged)
    }

    fn context(&self, request: &ModelRequest) -> Value {
        json!({
            "config": chela_plugin::value::gateway_config(), "workspaceDir": self.world.workspace, "agentDir": self.world.agent_dir, "provider": self.id(),
            "modelId": request.model.model, "agentId": request.agent_id,
        })
    }

    fn stored(&self, request: &ModelRequest) -> Option<String> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(request.session_id.as_deref()?).cloned()
    }

    fn remember(&self, request: &ModelRequest, id: Option<String>) {
        let Some(session) = request.session_id.clone() else { return };
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        match id {
            Some(id) => {
                if sessions.len() >= MOST_SESSIONS {
                    sessions.clear();
                }
                sessions.insert(session, id);
            }
            None => drop(sessions.remove(&session)),
        }
    }

    async fn answer(&self, request: &ModelRequest, cancel: &CancellationToken) -> Result<output::Answer, ModelError> {
        let failed = |text: String| self.error(request, ErrorKind::Server(500), text);
        if request.tool_choice == ToolChoice::None && self.object.text("nativeToolMode") == Some("always-on") {
            // HAR-76: a program that always has its own tools cannot be asked without them.
            return Err(self.error(request, ErrorKind::Invalid, "this backend cannot run without its own tools"));
        }
        let backend = self.backend(cancel).await.map_err(failed)?;
        let _one = if backend.serialize { Some(self.lane.lock().await) } else { None };
        let stored = self.stored(request);
        let first = self.run(request, &backend, stored.as_deref(), cancel).await;
        match first {
            // HAR-116: a session that the program has forgotten is begun anew, once.
            Err(error) if stored.is_some() && output::is_session_gone(&error.to_string()) => {
                self.remember(request, None);
                self.run(request, &backend, None, cancel).await
            }
            other => other,
        }
    }

    async fn run(
        &self,
        request: &ModelRequest,
        backend: &Backend,
        stored: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<output::Answer, ModelError> {
        let failed = |text: String| self.error(request, ErrorKind::Server(500), text);
        let resume = stored.filter(|_| !backend.resume_args.is_empty());
        let mut system = request.system.clone().unwrap_or_default();
        let mut ctx = self.context(request);
        ctx["systemPrompt"] = system.clone().into();
        ctx["modelDisplay"] = request.model.key().into();
        if let Some(Value::String(text)) = self.ask("transformSystemPrompt", ctx, HOOK_BUDGET, cancel).await.map_err(failed)? {
            system = text;
        }
        let prompt = prompt(request, resume.is_some()).map_err(|text| self.error(request, ErrorKind::Invalid, text))?;
        let mut texts = text_transforms::apply_with(&self.transforms, Direction::Input, vec![system, prompt]).await.into_iter();
        let (system, prompt) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        let mut plan = backend.plan(&request.model.model, &system, &prompt, stored, resume).map_err(failed)?;
        let mut ctx = self.context(request);
        ctx["useResume"] = resume.is_some().into();
        ctx["baseArgs"] = json!(plan.base_args);
        ctx["thinkingLevel"] = request.thinking.map(|t| t.as_str()).into();
        if let Some(Value::Array(args)) = self.ask("resolveExecutionArgs", ctx, HOOK_BUDGET, cancel).await.map_err(failed)? {
            plan.base_args = args.iter().filter_map(Value::as_str).map(str::to_string).collect();
        }
        let prepared = self.ask("prepareExecution", self.context(request), PREPARE_BUDGET, cancel).await.map_err(failed)?;
        let prepared = prepared.map(|value| self.object.returned(value));
        let bridge = prepared.as_ref().map_or(&Value::Null, |p| p.value());
        let done = run::run(&plan, backend, bridge, &self.world.env, &self.world.workspace, cancel).await;
        if let Some(prepared) = &prepared
            && prepared.has("cleanup")
            && let Err(error) = prepared.call("cleanup", chela_plugin::Call::new(Vec::new()).budget(Some(HOOK_BUDGET))).await
        {
            tracing::warn!(target: "models", backend = self.id(), "its cleanup failed: {error}");
        }
        let done = done.map_err(|error| match error {
            run::RunError::Cancelled => self.error(request, ErrorKind::Aborted, "cancelled"),
            run::RunError::Stalled(text) => self.error(request, ErrorKind::Timeout, text),
            run::RunError::Failed(text) => chela_models::classified(&request.model, &text),
        })?;
        let mode = if resume.is_some() { backend.resume_output } else { backend.output };
        let mut answer =
            output::read(&done, mode, &backend.session_id_fields).map_err(|text| chela_models::classified(&request.model, &text))?;
        answer.text = text_transforms::apply_with(&self.transforms, Direction::Output, vec![answer.text]).await.pop().unwrap_or_default();
        let session = answer.session.clone().or_else(|| plan.new_session.clone()).or_else(|| stored.map(str::to_string));
        if backend.session_mode != Mode::None {
            self.remember(request, session);
        }
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl ModelTransport for CliTransport {
    fn forget_session(&self, session_id: &str) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(session_id);
    }

    async fn stream(&self, request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError> {
        let answer = self.answer(&request, &cancel).await?;
        let mut events = Vec::new();
        if !answer.text.is_empty() {
            events.push(Ok(ModelEvent::TextDelta(answer.text)));
        }
        events.push(Ok(ModelEvent::Done { stop_reason: StopReason::Stop, usage: answer.usage }));
        Ok(Box::pin(futures::stream::iter(events)))
    }
}

/// The last message alone for a session that the program remembers, else the conversation before it, too.
fn prompt(request: &ModelRequest, resumed: bool) -> Result<String, String> {
    let Some((last, before)) = request.messages.split_last() else { return Err("there is nothing to ask".into()) };
    if let ChatMessage::User { content } = last
        && content.iter().any(|part| matches!(part, ContentPart::Image { .. }))
    {
        return Err("images are not passed to CLI backends yet; choose another model for them".into());
    }
    let text = said(last).1;
    if resumed || before.is_empty() {
        return Ok(text);
    }
    let lines: Vec<String> =
        before.iter().map(said).filter(|(_, text)| !text.is_empty()).map(|(who, text)| format!("{who}: {text}")).collect();
    Ok(format!("What was said before:\n{}\n\nThe message to answer:\n{text}", lines.join("\n")))
}

fn said(message: &ChatMessage) -> (&'static str, String) {
    let joined = |content: &[ContentPart]| {
        let texts = content.iter().filter_map(|part| match part {
            ContentPart::Text { text } => Some(text.as_str()),
            ContentPart::Image { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    };
    match message {
        ChatMessage::User { content } => ("Person", joined(content)),
        ChatMessage::Assistant { text, .. } => ("Assistant", text.clone()),
        ChatMessage::ToolResult { content, .. } => ("Tool result", joined(content)),
    }
}
