//! Gateway methods of plugins (API-168..174, GW-70).

use std::sync::Arc;
use std::time::Duration;

use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use chela_gateway_protocol::{MethodRole, MethodScope, Scope, methods};
use chela_plugin::{Adapter, Call};
use serde_json::{Value, json};

use super::unanswered;
use crate::gateway::Gateway;
use crate::ws::handler::{MethodCall, MethodSpecRef};

/// Longest answer of a plugin method.
const BUDGET: Duration = Duration::from_secs(120);

/// Calls the plugin that has the method; anything else is unknown or not built.
pub(super) async fn call(gateway: &Arc<Gateway>, name: String, call: MethodCall) {
    let manager = &gateway.host.manager;
    let mut registry = manager.registry();
    if registry.gateway_method(&name).is_none() && manager.returning_method(&name).is_some() {
        manager.settle_for_call().await;
        registry = manager.registry();
    }
    let Some(method) = registry.gateway_method(&name) else { return call.reply.err(&unanswered(&name)) };
    let client = &call.client;
    let request = json!({
        "params": if call.params.is_null() { json!({}) } else { call.params.clone() },
        "req": {"type": "req", "id": call.id, "method": name},
        "scopes": client.scopes,
        "client": {
            "connId": client.conn_id,
            "connect": {
                "role": "operator", "scopes": client.scopes,
                "client": {"id": client.client_id, "mode": client.mode, "version": client.version, "platform": client.platform},
            },
        },
    });
    let work = Call::new(vec![request]).adapter(Adapter::GatewayMethod).budget(Some(BUDGET)).cancelled_by(call.gone.clone());
    match method.handler.call(work).await {
        Ok(result) => reply(&call, &result),
        Err(error) => {
            tracing::warn!(target: "plugins", plugin = %method.owner.id, method = %name, "{error}");
            let text = format!("plugin `{}` failed in method `{name}`: {error}", method.owner.id);
            call.reply.err(&ErrorShape::unavailable(Reason::Internal, text));
        }
    }
}

fn reply(call: &MethodCall, result: &Value) {
    let responses = result.get("responded").and_then(Value::as_array).cloned().unwrap_or_default();
    for response in &responses {
        if response.get("ok") == Some(&Value::Bool(true)) {
            call.reply.ok(response.get("payload").unwrap_or(&Value::Null));
        } else {
            call.reply.err(&shape(response.get("error").unwrap_or(&Value::Null)));
        }
    }
    if responses.is_empty() {
        call.reply.ok(result.get("value").unwrap_or(&Value::Null));
    }
}

/// The plugin's own error, with a code that clients know (GW-05).
fn shape(error: &Value) -> ErrorShape {
    let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str()).unwrap_or("the plugin refused the request");
    let code = error.get("code").and_then(Value::as_str).map_or(ErrorCode::InvalidRequest, code_of);
    let mut shape = ErrorShape::new(code, message);
    if let Some(details) = error.get("details").and_then(Value::as_object) {
        for (key, value) in details {
            shape = shape.with_detail(key, value.clone());
        }
    }
    shape
}

/// GW-05: clients know six codes; a plugin's own is kept in the message only.
fn code_of(code: &str) -> ErrorCode {
    let known = [ErrorCode::NotLinked, ErrorCode::NotPaired, ErrorCode::AgentTimeout, ErrorCode::ApprovalNotFound, ErrorCode::Unavailable];
    known.into_iter().find(|c| c.as_str() == code).unwrap_or(ErrorCode::InvalidRequest)
}

/// Scope of a plugin method.
pub(super) fn spec(gateway: &Gateway, name: &str) -> Option<MethodSpecRef> {
    let manager = &gateway.host.manager;
    let declared = manager.registry().gateway_method(name).map(|method| method.scope.clone());
    let declared = declared.or_else(|| manager.returning_method(name))?;
    let scope = methods::plugin_method_scope(name, Scope::parse(&declared));
    Some(MethodSpecRef { scope: MethodScope::Scope(scope), role: MethodRole::Operator })
}
