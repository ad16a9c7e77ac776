//! `tools.catalog`, `tools.effective`, `tools.invoke` (GW-90, HOOK-177, HOOK-178).

use std::sync::Arc;

use chela_agent::tool_policy::{ToolPolicy, catalogue};
use chela_agent::tools::{Caller, Confirm, LeftOut, Origin, Tool, ToolContext, ToolOutcome, ToolSet, execute};
use chela_models::ToolCall;
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;
use crate::ws::ClientInfo;

/// Where a call comes from, as the caller says; tool factories and hooks see it (API-109, GW-112).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Channel id.
    pub(crate) channel: Option<String>,
    /// Account of the channel.
    pub(crate) account: Option<String>,
    /// Who an answer would go to.
    pub(crate) to: Option<String>,
    /// Thread of the channel.
    pub(crate) thread: Option<String>,
    /// What the call does when it must be confirmed.
    pub(crate) confirm: Confirm,
}

impl Route {
    fn describe(&self, facts: &mut Value) {
        let delivery = [("channel", &self.channel), ("to", &self.to), ("accountId", &self.account), ("threadId", &self.thread)];
        let delivery: serde_json::Map<String, Value> =
            delivery.into_iter().filter_map(|(name, value)| Some((name.to_string(), value.clone()?.into()))).collect();
        if let Some(channel) = &self.channel {
            facts["messageChannel"] = channel.clone().into();
        }
        if let Some(account) = &self.account {
            facts["agentAccountId"] = account.clone().into();
        }
        if !delivery.is_empty() {
            facts["deliveryContext"] = delivery.into();
        }
    }
}

/// The tools of an agent, resolved now.
async fn toolset(gateway: &Gateway, agent_id: &str, session_key: &str, owner: bool, route: &Route) -> ToolSet {
    chela_agent::TurnPlugins::ensure_for_turn(gateway.host.manager.as_ref()).await;
    let context = context(gateway, agent_id, session_key, owner, route);
    ToolSet::build(gateway.host.runtime.host_tools(), &gateway.host.manager.registry(), &context).await
}

fn context(gateway: &Gateway, agent_id: &str, session_key: &str, owner: bool, route: &Route) -> ToolContext {
    let runtime = &gateway.host.runtime;
    let model = runtime.default_model(agent_id);
    let mut context = runtime.tool_context(agent_id, session_key, "", "webchat", owner, Some(&(model.provider, model.model)));
    route.describe(&mut context.facts);
    context
}

fn row(registry: &Registry, tool: &Tool) -> Value {
    let source = if tool.plugin_id.is_none() { "core" } else { "plugin" };
    let mut out = json!({"id": tool.name, "label": tool.label.clone().unwrap_or_else(|| tool.name.clone()), "description": tool.description, "source": source});
    if let Some(plugin) = &tool.plugin_id {
        out["pluginId"] = plugin.as_ref().into();
        // API-126: what the plugin says about its own tool.
        let own = registry.tool_metadata.iter().find(|meta| meta.owner.id == *plugin && meta.tool == tool.name);
        for (name, member) in [("displayName", "label"), ("description", "description"), ("risk", "risk"), ("tags", "tags")] {
            if let Some(value) = own.and_then(|own| own.metadata.get(name)).filter(|value| !value.is_null()) {
                out[member] = value.clone();
            }
        }
    }
    out
}

/// Profiles by name (TOOL-04..TOOL-07).
const PROFILES: [(&str, &str); 4] = [("minimal", "Minimal"), ("coding", "Coding"), ("messaging", "Messaging"), ("full", "Full")];

/// The sections as people read them.
const SECTION_LABELS: &[(&str, &str)] = &[
    ("fs", "Files"),
    ("runtime", "Runtime"),
    ("web", "Web"),
    ("memory", "Memory"),
    ("sessions", "Sessions"),
    ("ui", "UI"),
    ("messaging", "Messaging"),
    ("automation", "Automation"),
    ("nodes", "Nodes"),
    ("agents", "Agents"),
    ("media", "Media"),
];

/// The tools of the host by section, each with the profiles that have it (TOOL-01, TOOL-23).
fn core_groups(registry: &Registry, core: &[&Tool]) -> Vec<Value> {
    let profiles_of = |tool: &str| -> Vec<&str> {
        let has = |id: &str| {
            let allow = catalogue::profile(id).unwrap_or_default();
            id != "full" && ToolPolicy::of(allow, Vec::new()).permits_core_tool(tool)
        };
        PROFILES.iter().map(|(id, _)| *id).filter(|id| has(id)).collect()
    };
    let described = |tool: &&Tool| {
        let mut out = row(registry, tool);
        out["defaultProfiles"] = profiles_of(&tool.name).into();
        out
    };
    let group = |id: &str, label: &str, tools: Vec<Value>| json!({"id": id, "label": label, "source": "core", "tools": tools});
    let mut groups: Vec<Value> = Vec::new();
    for (id, label) in SECTION_LABELS {
        let names = catalogue::section(id).unwrap_or_default();
        let own: Vec<Value> = core.iter().filter(|tool| names.contains(&tool.name.as_str())).map(described).collect();
        if !own.is_empty() {
            groups.push(group(id, label, own));
        }
    }
    let sectioned = |tool: &&&Tool| catalogue::SECTIONS.iter().any(|(_, names)| names.contains(&tool.name.as_str()));
    let rest: Vec<Value> = core.iter().filter(|tool| !sectioned(tool)).map(described).collect();
    if !rest.is_empty() {
        groups.push(group("core", "Built in", rest));
    }
    groups
}

/// All tools in groups.
pub(super) async fn catalog(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("tools.catalog", params, &["agentId", "includePlugins"])?;
    let (agent, plugins) = (p.optional_text("agentId"), p.flag("includePlugins").unwrap_or(true));
    p.done()?;
    let agent_id = gateway.agent_or_default(agent.as_deref())?;
    let tools = toolset(gateway, &agent_id, &gateway.main_session_key(Some(&agent_id)), true, &Route::default()).await;
    let (core, rest): (Vec<&Tool>, Vec<&Tool>) = tools.all().iter().partition(|t| t.plugin_id.is_none());
    let registry = gateway.host.manager.registry();
    let mut groups = core_groups(&registry, &core);
    if plugins {
        let mut owners: Vec<Arc<str>> = rest.iter().filter_map(|t| t.plugin_id.clone()).collect();
        owners.dedup();
        for owner in owners {
            let own: Vec<Value> = rest.iter().filter(|t| t.plugin_id.as_ref() == Some(&owner)).map(|t| row(&registry, t)).collect();
            groups.push(json!({"id": format!("plugin:{owner}"), "label": owner.as_ref(), "source": "plugin", "pluginId": owner.as_ref(), "tools": own}));
        }
    }
    let profiles = PROFILES.map(|(id, label)| json!({"id": id, "label": label}));
    Ok(json!({"agentId": agent_id, "profiles": profiles, "groups": groups}))
}

/// The tools that a session's next run would have.
pub(super) async fn effective(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("tools.effective", params, &["sessionKey", "agentId"])?;
    let (key, agent) = (p.text("sessionKey"), p.optional_text("agentId"));
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, agent.as_deref())?;
    let tools = toolset(gateway, &agent_id, &session_key, true, &Route::default()).await;
    let (core, rest): (Vec<&Tool>, Vec<&Tool>) = tools.all().iter().partition(|t| t.plugin_id.is_none());
    let registry = gateway.host.manager.registry();
    let rows = |list: Vec<&Tool>| list.into_iter().map(|tool| row(&registry, tool)).collect::<Vec<_>>();
    let groups = json!([{"id": "core", "label": "Built in", "source": "core", "tools": rows(core)}, {"id": "plugin", "label": "Plugins", "source": "plugin", "tools": rows(rest)}]);
    let context = context(gateway, &agent_id, &session_key, true, &Route::default());
    let left_out = tools.left_out(gateway.host.runtime.host_tools(), &registry, &context);
    let left_out: Vec<Value> = left_out.iter().map(without).collect();
    let settings = gateway.host.runtime.settings();
    let own = settings.agents.get(&agent_id).map(|agent| &agent.raw["tools"]);
    let profile = own.and_then(|own| own["profile"].as_str()).or(settings.tools.raw["profile"].as_str()).unwrap_or("full");
    let mut reply = json!({"agentId": agent_id, "profile": profile, "groups": groups, "leftOut": left_out});
    let notices: Vec<Value> = tools.diagnostics.iter().map(notice).collect();
    if !notices.is_empty() {
        reply["notices"] = notices.into();
    }
    Ok(reply)
}

/// A tool that is not there, and what keeps it away (TOOL-F6).
fn without(tool: &LeftOut) -> Value {
    let mut out = json!({"id": tool.name, "source": if tool.plugin_id.is_some() { "plugin" } else { "core" }, "reason": tool.reason});
    if let Some(plugin) = &tool.plugin_id {
        out["pluginId"] = plugin.as_ref().into();
    }
    out
}

fn notice(found: &chela_plugin::Diagnostic) -> Value {
    let severity = if found.level == chela_plugin::Level::Error { "warning" } else { "info" };
    json!({"id": "tool-list", "severity": severity, "message": found.message})
}

/// Tools that are never offered over HTTP and `tools.invoke` unless the operator allows them (GW-117).
pub const HTTP_DENIED: &[&str] = &[
    "exec",
    "spawn",
    "shell",
    "fs_write",
    "fs_delete",
    "fs_move",
    "apply_patch",
    "sessions_spawn",
    "sessions_send",
    "cron",
    "gateway",
    "nodes",
    "whatsapp_login",
];

/// One call from outside a run. `None`: the tool does not exist or is not allowed here.
pub(crate) async fn call(
    gateway: &Gateway,
    name: &str,
    args: Value,
    session_key: &str,
    agent_id: &str,
    owner: bool,
    route: &Route,
) -> Option<(Tool, ToolOutcome)> {
    let lists = gateway.tools_http_policy();
    let denied = HTTP_DENIED.contains(&name) && !lists.allow.iter().any(|a| a == name) || lists.deny.iter().any(|d| d == name);
    if denied {
        return None;
    }
    let tools = toolset(gateway, agent_id, session_key, owner, route).await;
    let tool = tools.get(name)?.clone();
    let plugins = chela_agent::TurnPlugins::current(gateway.host.manager.as_ref());
    let cancel = gateway.host.runtime.shutdown.child_token();
    let caller = Caller {
        trace: None,
        runtime: &gateway.host.runtime,
        hooks: &plugins.hooks,
        context: json!({"agentId": agent_id, "sessionKey": session_key}),
        session_key,
        run_id: None,
        cancel: &cancel,
        on_update: None,
        announce_end: false,
        confirm: route.confirm,
        loops: None,
        origin: Origin { surface: route.channel.clone().unwrap_or_else(|| "webchat".into()), is_owner: owner, ..Origin::default() },
    };
    let call = ToolCall { id: format!("invoke_{}", uuid::Uuid::new_v4().simple()), name: tool.name.clone(), arguments: args };
    let outcome = execute(&caller, &tools, &call).await;
    Some((tool, outcome))
}

/// Calls a tool; refusals are inside the payload (GW-90).
pub(super) async fn invoke(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let mut p = Params::new(
        "tools.invoke",
        params,
        &["name", "tool", "args", "sessionKey", "agentId", "confirm", "idempotencyKey", "action", "dryRun"],
    )?;
    let name = p.optional_text("name").or_else(|| p.optional_text("tool")).unwrap_or_default();
    if name.is_empty() {
        p.reject("must have required property 'name'");
    }
    let (key, agent) = (p.optional_text("sessionKey"), p.optional_text("agentId"));
    // HOOK-178: only who asks for it waits for somebody to confirm.
    let confirm = if p.flag("confirm") == Some(true) { Confirm::Wait } else { Confirm::Report };
    let mut args = p.value("args").cloned().unwrap_or_else(|| json!({}));
    if let (Some(action), Some(object)) = (p.optional_text("action"), args.as_object_mut()) {
        object.entry("action").or_insert_with(|| action.into());
    }
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key.unwrap_or_else(|| gateway.main_session_key(agent.as_deref())), agent.as_deref())?;
    let refused = |code: &str, message: String| json!({"ok": false, "toolName": name, "error": {"code": code, "message": message}});
    let Some((tool, outcome)) =
        call(gateway, &name, args, &session_key, &agent_id, client.is_admin(), &Route { confirm, ..Route::default() }).await
    else {
        return Ok(refused("not_found", format!("Tool not available: {name}")));
    };
    if let Some(refusal) = &outcome.refused {
        let mut reply = refused(if refusal.requires_approval { "requires_approval" } else { "forbidden" }, refusal.reason.clone());
        reply["requiresApproval"] = refusal.requires_approval.into();
        return Ok(reply);
    }
    if outcome.is_error {
        return Ok(refused("tool_error", chela_agent::message::text_of(&outcome.result)));
    }
    let source = if tool.plugin_id.is_some() { "plugin" } else { "core" };
    Ok(json!({"ok": true, "toolName": tool.name, "output": outcome.result, "source": source}))
}
