//! Routes that plugins add while they run (API-166).

use chela_plugin::CallError;
use chela_plugin::register::Added;
use serde_json::{Value, json};

use super::{Reply, Request};

pub(super) fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.http.addRoute" => {
            let registry = request.host.manager.registry();
            let added = request.host.late_routes().add(&registry, request.plugin, &request.params);
            Ok(match added {
                Added::Yes(id, replaced) => {
                    release(request, replaced);
                    json!({"id": id, "replaced": replaced.is_some()})
                }
                Added::No(reason) => json!({"refused": reason}),
            })
        }
        "host.http.removeRoute" => {
            let id = request.params.get("id").and_then(Value::as_u64).unwrap_or_default();
            let removed = request.host.late_routes().remove(request.plugin, id);
            release(request, removed);
            Ok(json!(removed.is_some()))
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// Gives the handler of a route that is gone back to its worker.
fn release(request: &Request<'_>, handle: Option<u64>) {
    let registry = request.host.manager.registry();
    let target = registry.plugin(request.plugin).and_then(|plugin| plugin.target.as_ref());
    if let (Some(handle), Some(target)) = (handle, target) {
        target.release(&[handle]);
    }
}
