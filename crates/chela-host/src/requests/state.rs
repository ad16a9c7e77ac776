//! `api.runtime.state`: the keyed store (RT-074..089), open to every plugin (RT-148).

use chela_plugin::CallError;
use chela_store::{KeyedError, KeyedStore};
use serde_json::{Value, json};

use super::{Reply, Request};

/// Entries of a namespace that was never opened with options.
const DEFAULT_MAX: f64 = 1000.0;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let namespace = request.text("namespace")?;
    let number = |key: &str| request.params.get(key).and_then(Value::as_f64);
    let store = &request.host.runtime.store;
    if request.method == "host.state.openKeyedStore" {
        let Some(max) = number("maxEntries") else {
            return Err(CallError::refused("PLUGIN_STATE_INVALID_INPUT", "`maxEntries` must be a number"));
        };
        let opened = store.keyed_store(request.plugin, namespace, max, number("defaultTtlMs")).map_err(refused)?;
        request.host.keyed.put(request.plugin, namespace, opened);
        return Ok(Value::Null);
    }
    let keyed = match request.host.keyed.get(request.plugin, namespace) {
        Some(keyed) => keyed,
        None => store.keyed_store(request.plugin, namespace, DEFAULT_MAX, None).map_err(refused)?,
    };
    run(request, &keyed, number("ttlMs")).await.map_err(refused)
}

async fn run(request: &Request<'_>, keyed: &KeyedStore, ttl: Option<f64>) -> Result<Value, KeyedError> {
    let key = request.optional("key").unwrap_or_default();
    let value = request.params.get("value").cloned().unwrap_or(Value::Null);
    Ok(match request.method.trim_start_matches("host.state.") {
        "register" => {
            keyed.register(key, &value, ttl).await?;
            Value::Null
        }
        "registerIfAbsent" => json!(keyed.register_if_absent(key, &value, ttl).await?),
        "lookup" => keyed.lookup(key).await?.unwrap_or(Value::Null),
        "consume" => keyed.consume(key).await?.unwrap_or(Value::Null),
        "delete" => json!(keyed.delete(key).await?),
        "entries" => serde_json::to_value(keyed.entries().await?).unwrap_or_default(),
        _ => {
            keyed.clear().await?;
            Value::Null
        }
    })
}

fn refused(error: KeyedError) -> CallError {
    CallError::refused(error.code.as_str(), error.to_string())
}
