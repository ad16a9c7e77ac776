//! What the SDK's hook functions ask: internal events that a plugin triggers reach every listener of the gateway.

use chela_plugin::CallError;
use serde_json::{Value, json};

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.hooks.triggerInternal" => trigger(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// Emits an event with the budget of each handler; the answer is what handlers said.
async fn trigger(request: &Request<'_>) -> Reply {
    let (kind, action) = (request.text("type")?, request.text("action")?);
    let bus = request.host.runtime.plugins.current().internal;
    if !bus.has(kind, action) {
        return Ok(json!({"messages": []}));
    }
    let context = request.params.get("context").cloned().unwrap_or(Value::Null);
    let said = bus.emit(kind, action, request.optional("sessionKey").unwrap_or_default(), context).await.messages;
    Ok(json!({"messages": said}))
}
