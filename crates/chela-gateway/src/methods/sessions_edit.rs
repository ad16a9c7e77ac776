//! Changing sessions: create, send, abort, reset, delete, patch (HOOK-221, HOOK-224, HOOK-229, HOOK-256).

use std::sync::Arc;

use chela_agent::lifecycle::EndReason;
use chela_agent::{Entry, TurnRequest};
use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_host::CleanupReason;
use chela_models::ModelRef;
use chela_plugin::HookName;
use chela_store::{EntryQuery, ExtensionPatch, NewSession, OpenReason};
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, chat, internal, ok_with, sessions};
use crate::chat_commands::{Commanded, TakeHints};
use crate::gateway::Gateway;
use crate::ws::ClientInfo;

/// Creates a session, optionally with a first message.
pub(super) async fn create(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let known = ["key", "agentId", "label", "model", "parentSessionKey", "emitCommandHooks", "task", "message"];
    let mut p = Params::new("sessions.create", params, &known)?;
    let (key, agent, label) = (p.optional_text("key"), p.optional_text("agentId"), p.optional_text("label"));
    let (model, parent, first) =
        (p.optional_text("model"), p.optional_text("parentSessionKey"), p.optional_text("message").or_else(|| p.optional_text("task")));
    p.done()?;
    let key = key.unwrap_or_else(|| format!("dashboard:{}", uuid::Uuid::new_v4()));
    let (session_key, agent_id) = gateway.route(&key, agent.as_deref())?;
    let parent = parent.map(|parent| gateway.route(&parent, None).map(|(key, _)| key)).transpose()?;
    let model = model.map(|text| model_patch(gateway, &text)).transpose()?;
    let store = &gateway.host.runtime.store;
    let opened = store.open_session(&session_key, &agent_id, OpenReason::System).await.map_err(internal)?;
    let row = store
        .update_session(&session_key, move |row| {
            if label.is_some() {
                row.label = label;
            }
            if let Some(parent) = parent {
                row.extra.insert("parentSessionKey".into(), parent.into());
            }
            if let Some(model) = model {
                row.extra.insert("providerOverride".into(), model.provider.into());
                row.extra.insert("modelOverride".into(), model.model.into());
            }
        })
        .await
        .map_err(internal)?;
    gateway.events.changed(&session_key, json!({"reason": "create"}));
    let mut reply = json!({"key": session_key, "sessionId": opened.row.session_id, "entry": row.to_projection(), "runStarted": false});
    if let Some(message) = first {
        let started = chat::start(
            gateway,
            request(gateway, client, &session_key, &agent_id, message, uuid::Uuid::new_v4().to_string()),
            "sessions.create",
        )
        .await?;
        reply["runStarted"] = true.into();
        reply["runId"] = started["runId"].clone();
    }
    Ok(ok_with(reply))
}

fn request(gateway: &Gateway, client: &ClientInfo, session_key: &str, agent_id: &str, message: String, run_id: String) -> TurnRequest {
    TurnRequest {
        run_id,
        session_key: session_key.into(),
        agent_id: agent_id.into(),
        message,
        images: Vec::new(),
        entry: Entry::Chat,
        surface: "webchat".into(),
        sender_id: Some(client.client_id.clone()),
        sender_is_owner: client.is_admin(),
        scopes: client.scopes.clone(),
        model: None,
        thinking: None,
        extra_system_prompt: None,
        client_tools: Vec::new(),
        queue: Default::default(),
        exec: serde_json::Map::new(),
        inbound: None,
        trigger: "user",
        timeout: gateway.turn_timeout(),
    }
}

/// Sends a message to an existing session.
pub(super) async fn send(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new("sessions.send", params, &["key", "message", "thinking", "attachments", "timeoutMs", "idempotencyKey"])?;
    let (key, message) = (p.text("key"), p.text("message"));
    let run_id = p.optional_text("idempotencyKey").unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let thinking = p.optional_text("thinking");
    let images = crate::attachments::images(p.value("attachments"));
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let Some(row) = gateway.host.runtime.store.session(&session_key).await.map_err(internal)? else {
        return Err(ErrorShape::not_found(format!("session not found: {session_key}")));
    };
    let message = chat::clean_message(&message)?;
    let hints = match gateway.chat_command(client, &session_key, &agent_id, &message, &run_id).await {
        Commanded::Answered(reply) => return Ok(reply),
        Commanded::Agent(hints) => hints,
    };
    let mut request = request(gateway, client, &session_key, &agent_id, message, run_id);
    request.thinking = thinking;
    request.take_hints(hints);
    request.images = images.map_err(|e| ErrorShape::invalid_params("sessions.send", e))?;
    let mut reply = chat::start(gateway, request, "sessions.send").await?;
    reply["messageSeq"] = (row.message_count + 1).into();
    Ok(reply)
}

/// Aborts the runs of a session.
pub(super) fn abort(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.abort", params, &["key", "runId"])?;
    let (key, run_id) = (p.optional_text("key"), p.optional_text("runId"));
    if key.is_none() && run_id.is_none() {
        p.reject("key or runId is required");
    }
    p.done()?;
    let runs = &gateway.host.runtime.runs;
    let ids = match (run_id, key) {
        (Some(id), _) => {
            if runs.abort_run(&id) {
                vec![id]
            } else {
                Vec::new()
            }
        }
        (None, Some(key)) => runs.abort_session(&gateway.route(&key, None)?.0),
        (None, None) => Vec::new(),
    };
    let status = if ids.is_empty() { "no-active-run" } else { "aborted" };
    Ok(ok_with(json!({"abortedRunId": ids.first(), "status": status})))
}

/// Gives a session key a new session (HOOK-229).
pub(super) async fn reset(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.reset", params, &["key", "reason"])?;
    let (key, reason) = (p.text("key"), p.optional_text("reason"));
    if reason.as_deref().is_some_and(|r| r != "new" && r != "reset") {
        p.reject("at /reason: must be equal to one of the allowed values");
    }
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let reason = if reason.as_deref() == Some("new") { EndReason::New } else { EndReason::Reset };
    let (row, _) = gateway.reset_session(&session_key, &agent_id, reason, json!({"commandSource": "gateway:sessions.reset"})).await?;
    Ok(ok_with(json!({"key": session_key, "entry": row.to_projection()})))
}

impl Gateway {
    /// The order of HOOK-229: command event, running work, the row, `before_reset`, archive, end, start. `source` says who asked, for the
    /// command event (HOOK-272). Answers with the new row and what listeners of that event want to say in the chat (HOOK-280).
    pub(crate) async fn reset_session(
        &self,
        session_key: &str,
        agent_id: &str,
        reason: EndReason,
        source: Value,
    ) -> Result<(chela_store::SessionRow, Vec<String>), ErrorShape> {
        let runtime = &self.host.runtime;
        let word = reason.as_str();
        // Listeners that are just starting must not miss the end and the start.
        chela_agent::TurnPlugins::ensure_for_turn(self.host.manager.as_ref()).await;
        let plugins = chela_agent::TurnPlugins::current(self.host.manager.as_ref());
        let opened = runtime.store.open_session(session_key, agent_id, OpenReason::System).await.map_err(internal)?;
        let said = tell_command(&plugins, &opened.row, word, runtime.workspace_of(agent_id), source).await;
        self.stop_runs(session_key).await;
        self.host.clean_up_session(CleanupReason::Reset, session_key).await;
        // A new session that nobody used has no end to announce, but its successor has a start.
        runtime.lifecycle.ensure_started(&opened.row, None).await;
        if opened.created {
            // There was nothing to replace: the session that was made is the new one.
            self.events.changed(session_key, json!({"reason": word}));
            return Ok((opened.row, said));
        }
        self.tell_before_reset(&plugins, &opened.row, word).await;
        let (old, new) = runtime.store.replace_session(session_key, NewSession::default()).await.map_err(internal)?;
        runtime.lifecycle.replaced(&old, &new, reason).await;
        reset_harnesses(&plugins.registry, &old, word).await;
        unbound(&plugins.hooks, session_key, "session-reset", "reset");
        self.events.changed(session_key, json!({"reason": word}));
        Ok((new, said))
    }

    /// `/reset soft`: the session and its transcript stay. Listeners hear of the command, and what answers it begins anew: a program
    /// behind a CLI backend forgets the conversation, and the next turn reads the workspace's files as every turn does. Answers with
    /// what listeners want to say in the chat.
    pub(crate) async fn refresh_session(&self, session_key: &str, agent_id: &str, source: Value) -> Result<Vec<String>, ErrorShape> {
        let runtime = &self.host.runtime;
        chela_agent::TurnPlugins::ensure_for_turn(self.host.manager.as_ref()).await;
        let plugins = chela_agent::TurnPlugins::current(self.host.manager.as_ref());
        let row = runtime.store.open_session(session_key, agent_id, OpenReason::System).await.map_err(internal)?.row;
        let said = tell_command(&plugins, &row, "reset", runtime.workspace_of(agent_id), source).await;
        self.tell_before_reset(&plugins, &row, "reset").await;
        runtime.models().forget_session(&row.session_id);
        let now = chela_agent::clock::now_ms();
        // The session is in use again, also one whose pause was over.
        let used = move |row: &mut chela_store::SessionRow| (row.updated_at_ms, row.last_interaction_at_ms) = (now, now);
        runtime.store.update_session(session_key, used).await.map_err(internal)?;
        self.events.changed(session_key, json!({"reason": "reset"}));
        Ok(said)
    }

    /// `before_reset`, which nobody waits for (HOOK-067).
    async fn tell_before_reset(&self, plugins: &chela_agent::runtime::PluginGeneration, row: &chela_store::SessionRow, word: &str) {
        if !plugins.hooks.has(HookName::BeforeReset) {
            return;
        }
        let runtime = &self.host.runtime;
        let all = runtime.store.entries(&row.session_id, EntryQuery::default()).await.unwrap_or_default();
        let shown = all.into_iter().filter(|e| e.kind == "message" || e.kind == chela_agent::compaction::ENTRY);
        let messages: Vec<Value> = shown.enumerate().map(|(at, e)| marked(e, at + 1)).collect();
        plugins.hooks.spawn_parallel(HookName::BeforeReset, || {
            let event = json!({"sessionFile": row.session_file, "messages": messages, "reason": word});
            let workspace = runtime.workspace_of(&row.agent_id);
            let ctx = json!({"agentId": row.agent_id, "sessionKey": row.key, "sessionId": row.session_id, "workspaceDir": workspace});
            (event, ctx)
        });
    }
}

/// The internal event of a command that begins a session anew (HOOK-272); answers with what listeners want to say.
async fn tell_command(
    plugins: &chela_agent::runtime::PluginGeneration,
    row: &chela_store::SessionRow,
    word: &str,
    workspace: impl serde::Serialize,
    source: Value,
) -> Vec<String> {
    let entry = Value::Object(row.to_projection());
    let mut context = json!({"sessionEntry": entry, "previousSessionEntry": entry, "workspaceDir": workspace});
    if let (Some(context), Value::Object(source)) = (context.as_object_mut(), source) {
        context.extend(source);
    }
    plugins.internal.emit("command", word, &row.key, context).await.messages
}

impl Gateway {
    /// Ends a session for good: what runs in it, what plugins hold for it, its row, and with `transcript` its file, which is archived.
    /// `None` when there is none.
    pub(crate) async fn delete_session(&self, session_key: &str, transcript: bool) -> Result<Option<chela_store::SessionRow>, ErrorShape> {
        let runtime = &self.host.runtime;
        self.stop_runs(session_key).await;
        if runtime.store.session(session_key).await.map_err(internal)?.is_some() {
            self.host.clean_up_session(CleanupReason::Delete, session_key).await;
        }
        let Some(row) = runtime.store.delete_session(session_key, transcript).await.map_err(internal)? else { return Ok(None) };
        runtime.lifecycle.end(&row, EndReason::Deleted, None).await;
        let plugins = chela_agent::TurnPlugins::current(self.host.manager.as_ref());
        unbound(&plugins.hooks, session_key, "session-delete", "deleted");
        reset_harnesses(&plugins.registry, &row, "deleted").await;
        Ok(Some(row))
    }
}

/// Resets sessions for people who write in channels.
pub(crate) struct ChannelSessions(pub(crate) std::sync::Weak<Gateway>);

#[async_trait::async_trait]
impl chela_host::channels::SessionCommands for ChannelSessions {
    async fn reset(&self, session_key: &str, agent_id: &str, new: bool, source: Value) -> Result<Vec<String>, String> {
        let gateway = self.0.upgrade().ok_or("the gateway is closing")?;
        let reason = if new { EndReason::New } else { EndReason::Reset };
        let reset = gateway.reset_session(session_key, agent_id, reason, source).await;
        reset.map(|(_, said)| said).map_err(|error| error.message)
    }

    async fn refresh(&self, session_key: &str, agent_id: &str, source: Value) -> Result<Vec<String>, String> {
        let gateway = self.0.upgrade().ok_or("the gateway is closing")?;
        gateway.refresh_session(session_key, agent_id, source).await.map_err(|error| error.message)
    }

    async fn compact(&self, session_key: &str, agent_id: &str, instructions: Option<String>) -> Result<String, String> {
        let gateway = self.0.upgrade().ok_or("the gateway is closing")?;
        let done = gateway.compact_session(session_key, agent_id, instructions).await.map_err(|error| error.message)?;
        gateway.events.changed(session_key, json!({"reason": "compact", "compacted": done.compacted}));
        // What listeners want to say comes first (HOOK-280).
        let mut lines = done.said.clone();
        lines.push(super::compact::words(&done));
        Ok(lines.join("\n\n"))
    }

    fn changed(&self, session_key: &str, reason: &str) {
        if let Some(gateway) = self.0.upgrade() {
            gateway.events.changed(session_key, json!({"reason": reason}));
        }
    }
}

/// A message as `before_reset` shows it: with its place in the transcript. Where the history was summarised stands a note of that.
fn marked(entry: chela_store::Entry, seq: usize) -> Value {
    if entry.kind != "message" {
        return json!({
            "role": "system", "content": [{"type": "text", "text": "Compaction"}], "timestamp": entry.at_ms,
            "__openclaw": {"kind": "compaction", "id": entry.id, "seq": seq},
        });
    }
    let mut body = entry.body;
    if let Some(object) = body.as_object_mut() {
        // What the message carries there already, such as the mark of a blocked run, stays.
        let mut marks = object.get("__openclaw").and_then(Value::as_object).cloned().unwrap_or_default();
        marks.insert("id".into(), entry.id.into());
        marks.insert("seq".into(), seq.into());
        object.insert("__openclaw".into(), marks.into());
    }
    body
}

/// Lets the harnesses of plugins drop what they hold for a session (API-200).
async fn reset_harnesses(registry: &chela_plugin::Registry, row: &chela_store::SessionRow, reason: &str) {
    let params = json!({"sessionId": row.session_id, "sessionKey": row.key, "sessionFile": row.session_file, "reason": reason});
    chela_agent::harness::reset_all(registry, &params).await;
}

/// Tells plugins that a session key lost its session, so that they drop what they bound to it (HOOK-229).
fn unbound(hooks: &chela_hooks::HookEngine, session_key: &str, reason: &str, outcome: &str) {
    hooks.spawn_parallel(HookName::SubagentEnded, || {
        let event =
            json!({"targetSessionKey": session_key, "targetKind": "acp", "reason": reason, "sendFarewell": true, "outcome": outcome});
        (event, json!({"childSessionKey": session_key}))
    });
}

/// Deletes a session; the main session stays (HOOK-224).
pub(super) async fn delete(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.delete", params, &["key", "deleteTranscript", "emitLifecycleHooks"])?;
    let (key, transcript) = (p.text("key"), p.flag("deleteTranscript").unwrap_or(true));
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    if session_key == gateway.main_session_key(Some(&agent_id)) {
        return Err(ErrorShape::invalid(Reason::Forbidden, format!("Cannot delete the main session ({session_key}).")));
    }
    let Some(row) = gateway.delete_session(&session_key, transcript).await? else {
        return Ok(ok_with(json!({"key": session_key, "deleted": false, "archived": []})));
    };
    gateway.events.changed(&session_key, json!({"reason": "delete"}));
    let archived: Vec<_> = Some(row.session_file).filter(|f| transcript && chela_store::is_archive_name(f)).into_iter().collect();
    Ok(ok_with(json!({"key": session_key, "deleted": true, "archived": archived})))
}

/// Members of a row that clients may set; `null` removes.
const PATCHABLE: &[&str] = &[
    "label",
    "thinkingLevel",
    "fastMode",
    "verboseLevel",
    "traceLevel",
    "reasoningLevel",
    "responseUsage",
    "elevatedLevel",
    "execHost",
    "execSecurity",
    "execAsk",
    "execNode",
    "model",
    "sendPolicy",
    "groupActivation",
    "spawnedBy",
    "spawnDepth",
    "subagentRole",
    "subagentControlScope",
    "spawnedWorkspaceDir",
];

/// Changes preferences of a session.
pub(super) async fn patch(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let known: Vec<&str> = PATCHABLE.iter().copied().chain(["key"]).collect();
    let mut p = Params::new("sessions.patch", params, &known)?;
    let key = p.text("key");
    let patch = p.members().clone();
    let label = p.value("label").map(|v| v.as_str().map(|t| t.trim().to_string()).filter(|t| !t.is_empty()));
    let model = p.value("model").map(|v| v.as_str().map(str::to_string));
    let changes: Vec<(String, Value)> = p
        .members()
        .iter()
        .filter(|(k, _)| PATCHABLE.contains(&k.as_str()) && *k != "label" && *k != "model")
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let model = match model {
        Some(Some(text)) => Some(Some(model_patch(gateway, &text)?)),
        Some(None) => Some(None),
        None => None,
    };
    let store = &gateway.host.runtime.store;
    store.open_session(&session_key, &agent_id, OpenReason::System).await.map_err(internal)?;
    let row = store
        .update_session(&session_key, move |row| {
            if let Some(label) = label {
                row.label = label;
            }
            if let Some(model) = model {
                row.extra.remove("providerOverride");
                row.extra.remove("modelOverride");
                if let Some(model) = model {
                    row.extra.insert("providerOverride".into(), model.provider.into());
                    row.extra.insert("modelOverride".into(), model.model.into());
                }
            }
            for (name, value) in changes {
                if value.is_null() {
                    row.extra.remove(&name);
                } else {
                    row.extra.insert(name, value);
                }
            }
        })
        .await
        .map_err(internal)?;
    gateway.events.changed(&session_key, json!({"reason": "patch"}));
    let plugins = chela_agent::TurnPlugins::current(gateway.host.manager.as_ref());
    chela_agent::internal::spawn(
        &plugins.internal,
        "session",
        "patch",
        &session_key,
        || json!({"sessionEntry": row.to_projection(), "patch": patch}),
    );
    let resolved = gateway.host.runtime.default_model(&agent_id);
    Ok(ok_with(json!({
        "path": gateway.sessions_file(&agent_id), "key": session_key, "entry": row.to_projection(),
        "resolved": {"modelProvider": row.model_provider.clone().unwrap_or(resolved.provider), "model": row.model.clone().unwrap_or(resolved.model)},
        "session": sessions::public_row(gateway, &row),
    })))
}

/// An unknown model is refused here and not at the next message.
fn model_patch(gateway: &Gateway, text: &str) -> Result<ModelRef, ErrorShape> {
    let wish = ModelRef::parse(text).map_err(|e| ErrorShape::invalid_params("sessions.patch", e))?;
    gateway.host.runtime.models().resolve(&wish).map_err(|e| ErrorShape::invalid_params("sessions.patch", e))?;
    Ok(wish)
}

/// Writes the state of a plugin's session extension (HOOK-256..258).
pub(super) async fn plugin_patch(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new("sessions.pluginPatch", params, &["key", "pluginId", "namespace", "value", "unset"])?;
    let (key, plugin, namespace) = (p.text("key"), p.text("pluginId"), p.text("namespace"));
    let (value, unset) = (p.value("value").cloned(), p.flag("unset").unwrap_or(false));
    if value.is_some() == unset {
        p.reject("exactly one of value and unset is required");
    }
    p.done()?;
    if client.is_webchat() {
        return Err(ErrorShape::invalid_params("sessions.pluginPatch", "webchat clients cannot patch plugin session state"));
    }
    let registry = gateway.host.manager.registry();
    let known = registry.session_extensions.iter().find(|e| e.owner.id.as_ref() == plugin && e.namespace == namespace);
    let Some(extension) = known.cloned() else {
        return Err(ErrorShape::not_found(format!("unknown plugin session extension: {plugin}/{namespace}")));
    };
    let (session_key, _) = gateway.route(&key, None)?;
    let Some(row) = gateway.host.runtime.store.session(&session_key).await.map_err(internal)? else {
        return Err(ErrorShape::not_found(format!("unknown session key: {session_key}")));
    };
    let projected = crate::extensions::project(&extension, &row, value.as_ref()).await;
    let patch = ExtensionPatch {
        plugin_id: plugin.clone(),
        namespace: namespace.clone(),
        value,
        slot: extension.slot_key.clone(),
        slot_value: extension.slot_key.is_some().then(|| projected.clone()).flatten(),
        view: extension.project.is_some().then(|| projected.clone()).flatten(),
    };
    gateway
        .host
        .runtime
        .store
        .patch_extension(&session_key, patch)
        .await
        .map_err(|e| ErrorShape::invalid_params("sessions.pluginPatch", e))?;
    gateway.events.changed(&session_key, json!({"reason": "plugin-patch"}));
    Ok(ok_with(json!({"key": session_key, "value": projected})))
}
