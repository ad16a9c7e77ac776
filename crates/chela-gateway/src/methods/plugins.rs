//! What runs in plugins, as the gateway knows it: status, inspection, commands, session actions, descriptors.

use std::sync::Arc;
use std::time::Duration;

use chela_gateway_protocol::Scope;
use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use chela_plugin::Call;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::gateway::Gateway;

/// Longest session action.
const ACTION_BUDGET: Duration = Duration::from_secs(60);

/// Every plugin with its live status, and what the catalog found wrong: a plugin that it skipped has no row.
pub(super) fn list(gateway: &Arc<Gateway>) -> Answer {
    let snapshot = gateway.host.manager.snapshot();
    let diagnostics: Vec<Value> = snapshot.diagnostics.iter().map(|d| d.to_json()).collect();
    Ok(json!({"plugins": gateway.host.plugin_statuses(), "diagnostics": diagnostics}))
}

/// One plugin: what it declared, what it registered, how its worker is.
pub(super) fn inspect(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("plugins.inspect", params, &["id"])?;
    let id = p.text("id");
    p.done()?;
    gateway.host.inspect(&id).ok_or_else(|| ErrorShape::not_found(format!("Plugin not found: {id}")))
}

/// Asks the plugins that listen whether something may be installed; a command that installs asks it (INS-247). An error is a no.
pub(super) async fn before_install(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("plugins.beforeInstall", params, &["event"])?;
    let event = p.value("event").filter(|event| event.is_object()).cloned();
    if event.is_none() {
        p.reject("event must be an object");
    }
    p.done()?;
    let event = event.unwrap_or_default();
    let host = gateway.host.clone();
    let listeners = tokio::task::spawn_blocking(move || chela_host::install_listeners(&host.paths, &host.manager.snapshot()))
        .await
        .map_err(internal)?;
    gateway.host.before_install(&listeners, event).await.map_err(|error| ErrorShape::new(ErrorCode::Unavailable, error.to_string()))
}

/// Longest list of commands.
const MOST_COMMANDS: usize = 500;

/// Commands that a chat understands: those of the table and those of plugins.
pub(super) fn commands(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("commands.list", params, &["agentId", "provider", "scope", "includeArgs"])?;
    let (agent, provider, scope) = (p.optional_text("agentId"), p.optional_text("provider"), p.optional_text("scope"));
    let with_args = p.flag("includeArgs") != Some(false);
    if scope.as_deref().is_some_and(|s| !matches!(s, "text" | "native" | "both")) {
        p.reject("at /scope: must be equal to one of the allowed values");
    }
    p.done()?;
    gateway.agent_or_default(agent.as_deref())?;
    let mut rows: Vec<Value> = chela_commands::TABLE.iter().map(|c| command_row(c, with_args)).collect();
    let registry = gateway.host.manager.registry();
    let here = |channels: &[String]| provider.as_ref().is_none_or(|p| channels.is_empty() || channels.contains(&p.to_lowercase()));
    rows.extend(registry.commands.all().iter().filter(|c| here(&c.channels)).map(|c| {
        let aliases: Vec<String> = c.keys.iter().map(|k| format!("/{k}")).collect();
        json!({"name": c.name, "textAliases": aliases, "description": c.description, "source": "plugin", "pluginId": c.owner.id.as_ref(), "scope": "both", "acceptsArgs": c.accepts_args})
    }));
    rows.truncate(MOST_COMMANDS);
    Ok(json!({"commands": rows}))
}

fn command_row(command: &chela_commands::CommandSpec, with_args: bool) -> Value {
    let aliases: Vec<String> = std::iter::once(&command.name).chain(command.aliases).map(|n| format!("/{n}")).collect();
    let mut row = json!({
        "name": command.name, "nativeName": command.name, "textAliases": aliases, "description": command.description,
        "category": command.category, "tier": command.tier, "source": "native", "scope": "both", "acceptsArgs": !command.args.is_empty(),
    });
    if with_args && !command.args.is_empty() {
        let arg = |a: &chela_commands::ArgSpec| {
            let mut out = json!({"name": a.name, "description": a.description, "type": "string", "required": false});
            if !a.choices.is_empty() {
                out["choices"] = a.choices.iter().map(|c| json!({"value": c, "label": c})).collect();
            }
            out
        };
        row["args"] = command.args.iter().map(arg).collect();
    }
    row
}

/// Descriptors of the control page (API-077).
pub(super) fn ui_descriptors(gateway: &Arc<Gateway>, params: Value) -> Answer {
    Params::new("plugins.uiDescriptors", params, &[])?.done()?;
    let registry = gateway.host.manager.registry();
    let row = |d: &chela_plugin::register::entries::UiDescriptor| {
        let mut out = d.descriptor.clone();
        out["pluginId"] = d.owner.id.as_ref().into();
        if let Some(name) = &d.owner.name {
            out["pluginName"] = name.as_str().into();
        }
        out
    };
    Ok(ok_with(json!({"descriptors": registry.ui_descriptors.iter().map(row).collect::<Vec<_>>()})))
}

/// Scopes of a session action: what it declared, else write (GW-69, API-207).
pub(super) fn action_scopes(gateway: &Gateway, method: &str, params: &Value) -> Vec<Scope> {
    let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
    if method == "plugins.sessionAction" {
        let registry = gateway.host.manager.registry();
        let action = registry.session_actions.iter().find(|a| a.owner.id.as_ref() == text("pluginId") && a.id == text("actionId"));
        if let Some(scopes) = action.and_then(|a| a.required_scopes.as_ref()) {
            return scopes.iter().filter_map(|s| Scope::parse(s)).collect();
        }
    }
    vec![Scope::Write]
}

/// Runs a session action of a plugin (API-207).
pub(super) async fn session_action(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("plugins.sessionAction", params, &["pluginId", "actionId", "sessionKey", "payload"])?;
    let (plugin, id, key) = (p.text("pluginId"), p.text("actionId"), p.optional_text("sessionKey"));
    let payload = p.value("payload").cloned().unwrap_or(Value::Null);
    p.done()?;
    let registry = gateway.host.manager.registry();
    let Some(action) = registry.session_actions.iter().find(|a| a.owner.id.as_ref() == plugin && a.id == id) else {
        return Err(ErrorShape::unavailable(Reason::NotFound, format!("unknown plugin session action: {plugin}/{id}")));
    };
    if let Some(schema) = &action.schema
        && let Err(problem) = chela_plugin::register::json_limits::check_schema(schema, &payload)
    {
        return Err(ErrorShape::invalid_params("plugins.sessionAction", problem));
    }
    let session_key = key.map(|k| gateway.route(&k, None).map(|r| r.0)).transpose()?;
    let ctx = json!({"pluginId": plugin, "actionId": id, "sessionKey": session_key, "payload": payload});
    match action.handler.call(Call::new(vec![ctx]).budget(Some(ACTION_BUDGET))).await {
        Ok(Value::Object(result)) if result.contains_key("ok") => Ok(Value::Object(result)),
        Ok(Value::Null) => Ok(ok_with(json!({}))),
        Ok(result) => Ok(ok_with(json!({"result": result}))),
        Err(error) => {
            tracing::warn!(target: "plugins", plugin = %plugin, action = %id, "session action failed: {error}");
            Err(ErrorShape::unavailable(Reason::Internal, "plugin session action failed"))
        }
    }
}
