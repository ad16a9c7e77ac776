//! Requests of a worker to the host.

use std::sync::Arc;

use async_trait::async_trait;
use chela_plugin::CallError;
use chela_plugin_protocol::Frame;
use chela_plugin_protocol::value::Tagged;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Connection;
use crate::convert;
use crate::handles::untag_refs;

/// Most requests of one worker that the host works on at once.
const MAX_INBOUND: usize = 512;

/// Answers what a worker asks.
#[async_trait]
pub(crate) trait Requests: Send + Sync {
    /// The plugin or group, for messages.
    fn label(&self) -> &str;

    /// A request on behalf of `plugin` (as the worker says).
    async fn request(&self, plugin: Option<&str>, method: &str, params: Value) -> Result<Value, CallError>;

    /// A notification.
    fn note(&self, plugin: Option<&str>, method: &str, params: Value);
}

/// Answers one request in a task of its own.
pub(crate) fn serve(connection: Arc<Connection>, id: u64, method: String, params: Value, plugin: Option<String>) {
    let token = CancellationToken::new();
    let mut signals = Vec::new();
    collect_signals(&params, &mut signals, 0);
    let full = {
        let mut tables = connection.tables();
        let full = tables.inbound.len() >= MAX_INBOUND;
        if !full {
            tables.inbound.insert(id, token.clone());
            signals.iter().for_each(|sig| drop(tables.signals.insert(*sig, token.clone())));
        }
        full
    };
    if full {
        let error = CallError::refused("TOO_MANY_REQUESTS", format!("the plugin has {MAX_INBOUND} requests open; wait for some of them"));
        connection.send(&Frame::Res { id, result: Err(convert::to_wire(&error)) });
        return;
    }
    tokio::spawn(async move {
        let work = answer(&connection, plugin.as_deref(), &method, params);
        let result = tokio::select! {
            result = work => result,
            () = token.cancelled() => Err(CallError::Cancelled),
        };
        {
            let mut tables = connection.tables();
            tables.inbound.remove(&id);
            signals.iter().for_each(|sig| drop(tables.signals.remove(sig)));
        }
        if !connection.closed.is_cancelled() {
            connection.send(&response(id, result));
        }
    });
}

/// The response frame of a finished request.
pub(crate) fn response(id: u64, result: Result<Value, CallError>) -> Frame {
    let result = match result {
        Ok(mut value) => {
            untag_refs(&mut value);
            Ok(Some(value))
        }
        Err(error) => Err(convert::to_wire(&error)),
    };
    Frame::Res { id, result }
}

/// Answers a request of either lane: `call` runs a host function, everything else goes to the host's services.
pub(crate) async fn answer(connection: &Arc<Connection>, plugin: Option<&str>, method: &str, params: Value) -> Result<Value, CallError> {
    if method != "call" {
        return connection.requests.request(plugin, method, params).await;
    }
    let function = params.get("fn").and_then(Value::as_u64);
    let Some(function) = function.and_then(|id| connection.host_fn(id)) else {
        return Err(CallError::refused("NOT_FOUND", "the host function of a finished call was called; use it while the call runs"));
    };
    let args = match params {
        Value::Object(mut map) => map.remove("args"),
        _ => None,
    };
    function(match args {
        Some(Value::Array(args)) => args,
        _ => Vec::new(),
    })
    .await
}

/// Abort signals in the params: the request is cancelled when one of them fires.
fn collect_signals(value: &Value, into: &mut Vec<u64>, depth: usize) {
    if depth > 4 {
        return;
    }
    match (Tagged::read(value), value) {
        (Some(Tagged::Signal { id, aborted: false }), _) => into.push(id),
        (_, Value::Object(map)) => map.values().for_each(|v| collect_signals(v, into, depth + 1)),
        (_, Value::Array(items)) => items.iter().for_each(|v| collect_signals(v, into, depth + 1)),
        _ => {}
    }
}
