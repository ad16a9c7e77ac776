//! Policies of plugins for commands of nodes: `registerNodeInvokePolicy` (API-063, RT-056), and commands that a plugin declares as
//! dangerous with `registerNodeHostCommand` (API-062).

use std::sync::{Arc, Weak};

use chela_approvals::{ApprovalKind, Ask, Decision, request};
use chela_gateway_protocol::error::{ErrorCode, ErrorShape};
use chela_plugin::register::entries::Recorded;
use chela_plugin::registry::Registry;
use chela_plugin::value::gateway_config;
use chela_plugin::{Call, CallError, HostFn};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::node_calls::{LONGEST_WAIT, NodeAnswer, NodeCommand};
use crate::ws::ClientInfo;

const POLICY: &str = "registerNodeInvokePolicy";
const HOST_COMMAND: &str = "registerNodeHostCommand";

fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    value[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::trim)
}

fn policy_for<'a>(registry: &'a Registry, command: &str) -> Option<&'a Recorded> {
    let mut policies = registry.recorded_of(POLICY);
    policies.find(|entry| entry.args.first().is_some_and(|policy| texts(policy, "commands").any(|name| name == command)))
}

/// The plugin that declares a command of its own as dangerous.
fn dangerous_command<'a>(registry: &'a Registry, command: &str) -> Option<&'a Recorded> {
    let is_dangerous = |entry: &&Recorded| entry.args.first().is_some_and(|command| command["dangerous"] == true);
    registry.recorded_of(HOST_COMMAND).filter(is_dangerous).find(|entry| entry.id == command)
}

/// Why the config does not let a command through, beside its approval: it is denied, or a plugin calls it dangerous and
/// `gateway.nodes.allowCommands` does not name it.
pub(super) fn forbidden(gateway: &Gateway, command: &str) -> Option<String> {
    let settings = gateway.host.runtime.config().gateway();
    let listed = |names: &[String]| names.iter().any(|name| name.trim() == command);
    if listed(&settings.node_deny_commands) {
        return Some("command denied by `gateway.nodes.denyCommands`".into());
    }
    let registry = gateway.host.manager.registry();
    let by_policy = policy_for(&registry, command).filter(|entry| entry.args[0]["dangerous"] == true);
    let owner = by_policy.or_else(|| dangerous_command(&registry, command))?.owner.id.clone();
    let why = format!("plugin `{owner}` declares the command dangerous; name it in `gateway.nodes.allowCommands`");
    (!listed(&settings.node_allow_commands)).then_some(why)
}

/// Who asked for the command, as a policy sees it.
pub(super) fn caller(client: &ClientInfo) -> Value {
    json!({"connId": client.conn_id, "scopes": client.scopes})
}

/// Lets the policy of a plugin run the command; `None` when no plugin has one.
pub(super) async fn apply(
    gateway: &Arc<Gateway>,
    node: &Arc<ClientInfo>,
    command: &NodeCommand,
    client: &Value,
) -> Option<Result<NodeAnswer, ErrorShape>> {
    let registry = gateway.host.manager.registry();
    let Some(entry) = policy_for(&registry, &command.command) else {
        let owner = &dangerous_command(&registry, &command.command)?.owner.id;
        let text = format!("`{}` is registered as dangerous by plugin `{owner}`, which has no policy for it", command.command);
        return Some(Err(ErrorShape::new(ErrorCode::InvalidRequest, text).with_detail("code", "PLUGIN_POLICY_MISSING")));
    };
    let policy = entry.object(0);
    let plugin_config = registry.plugin(&entry.owner.id).map(|plugin| plugin.facts.plugin_config.clone());
    let mut call = Call::new(Vec::new()).budget(Some(LONGEST_WAIT)).cancelled_by(gateway.host.runtime.shutdown.child_token());
    let invoke = call.function(invoke_node(gateway, node, command));
    let ask = call.function(ask_people(gateway, &entry.owner.id, client["connId"].as_str()));
    let mut ctx = json!({
        "nodeId": command.node_id, "command": command.command, "params": command.params, "config": gateway_config(),
        "pluginConfig": plugin_config,
        "node": {"nodeId": command.node_id, "displayName": node.display_name, "platform": node.platform,
            "deviceFamily": node.device_family, "commands": node.declared_commands},
        "client": client, "approvals": {"request": ask}, "invokeNode": invoke,
    });
    if let Some(ms) = command.timeout_ms {
        ctx["timeoutMs"] = ms.into();
    }
    if let Some(key) = &command.idempotency_key {
        ctx["idempotencyKey"] = key.as_str().into();
    }
    call.args.push(ctx);
    Some(match policy.call("handle", call).await {
        Ok(result) => decided(&result, &entry.owner.id),
        Err(error) => {
            let text = format!("the policy of plugin `{}` for `{}` failed: {error}", entry.owner.id, command.command);
            Err(ErrorShape::new(ErrorCode::Unavailable, text).with_detail("code", "PLUGIN_POLICY_FAILED"))
        }
    })
}

/// What a policy answered. Anything but a clear yes is a no.
fn decided(result: &Value, plugin: &str) -> Result<NodeAnswer, ErrorShape> {
    if result["ok"] == true {
        return Ok(NodeAnswer { payload: result["payload"].clone(), payload_json: result["payloadJSON"].as_str().map(str::to_owned) });
    }
    let code = if result["unavailable"] == true { ErrorCode::Unavailable } else { ErrorCode::InvalidRequest };
    let own = result["message"].as_str().map(str::to_owned);
    let mut error = ErrorShape::new(code, own.unwrap_or_else(|| format!("the policy of plugin `{plugin}` gave no answer")));
    for (key, value) in result["details"].as_object().into_iter().flatten() {
        error = error.with_detail(key, value.clone());
    }
    match result["code"].as_str() {
        Some(code) => Err(error.with_detail("code", code)),
        None => Err(error),
    }
}

fn closing() -> CallError {
    CallError::refused("CLOSED", "the gateway is closing")
}

/// `invokeNode({params?, timeoutMs?, idempotencyKey?})`: runs the command, with what the policy puts in place of the caller's.
fn invoke_node(gateway: &Arc<Gateway>, node: &Arc<ClientInfo>, command: &NodeCommand) -> HostFn {
    let (gateway, node, command): (Weak<Gateway>, _, _) = (Arc::downgrade(gateway), node.clone(), command.clone());
    Arc::new(move |args| {
        let (gateway, node, mut command) = (gateway.clone(), node.clone(), command.clone());
        Box::pin(async move {
            let gateway = gateway.upgrade().ok_or_else(closing)?;
            let given = args.into_iter().next().unwrap_or_default();
            if let Some(params) = given.get("params").filter(|p| !p.is_null()) {
                command.params = Some(params.clone());
            }
            command.timeout_ms = given["timeoutMs"].as_u64().or(command.timeout_ms);
            command.idempotency_key = given["idempotencyKey"].as_str().map(str::to_owned).or(command.idempotency_key);
            Ok(match gateway.node_calls.invoke(&gateway.bus, &node, &command).await {
                Ok(answer) => json!({"ok": true, "payload": answer.payload, "payloadJSON": answer.payload_json}),
                Err(failure) => {
                    let mut out = json!({"ok": false, "message": failure.message, "details": {"nodeError": failure.public()}});
                    if let Some(code) = &failure.code {
                        out["code"] = code.as_str().into();
                    }
                    out
                }
            })
        })
    })
}

/// `approvals.request({title, description, ...})`: asks people, and gives `{id, decision}`; without anybody who could answer the
/// decision is `null`.
fn ask_people(gateway: &Arc<Gateway>, plugin: &str, asker: Option<&str>) -> HostFn {
    let (gateway, plugin, asker) = (Arc::downgrade(gateway), plugin.to_owned(), asker.map(str::to_owned));
    Arc::new(move |args| {
        let (gateway, plugin, asker) = (gateway.clone(), plugin.clone(), asker.clone());
        Box::pin(async move {
            let gateway = gateway.upgrade().ok_or_else(closing)?;
            let checked = request::plugin(&question(args.into_iter().next().unwrap_or_default(), &plugin));
            let checked = checked.map_err(|problem| CallError::refused("INVALID_PARAMS", problem))?;
            let ask = Ask { kind: ApprovalKind::Plugin, id: None, request: checked.request, timeout: checked.timeout, plan: None, asker };
            let approvals = &gateway.host.runtime.approvals;
            let failed = |error: &dyn std::fmt::Display| CallError::refused("INTERNAL", error.to_string());
            let asked = approvals.ask(ask).await.map_err(|e| failed(&e))?;
            if !asked.routed {
                return Ok(json!({"id": asked.row.id, "decision": null}));
            }
            let verdict = tokio::select! {
                verdict = approvals.wait(&asked.row.id) => verdict.map_err(|e| failed(&e))?,
                () = gateway.host.runtime.shutdown.cancelled() => return Err(closing()),
            };
            let decision = verdict.and_then(|verdict| verdict.decision).map(Decision::as_str);
            Ok(json!({"id": asked.row.id, "decision": decision}))
        })
    })
}

/// The members that a policy may fill in; texts are cut to what requests may hold.
fn question(given: Value, plugin: &str) -> Value {
    let mut out = json!({"pluginId": plugin});
    for (name, most) in [
        ("title", 80),
        ("description", 256),
        ("severity", 16),
        ("toolName", 256),
        ("toolCallId", 256),
        ("agentId", 256),
        ("sessionKey", 256),
    ] {
        if let Some(text) = given[name].as_str().map(str::trim).filter(|text| !text.is_empty()) {
            out[name] = text.chars().take(most).collect::<String>().into();
        }
    }
    if let Some(ms) = given["timeoutMs"].as_u64() {
        out["timeoutMs"] = ms.into();
    }
    if out.get("severity").is_none() {
        out["severity"] = "warning".into();
    }
    out
}
