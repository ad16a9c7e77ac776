//! `api.runtime.nodes` (RT-052..RT-056).

use chela_plugin::CallError;
use serde_json::{Value, json};

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let Some(nodes) = request.host.nodes.get() else {
        let text = "nodes are connected to a gateway; this works inside one, and in commands of plugins beside one";
        return Err(CallError::refused("NO_GATEWAY", text));
    };
    match request.method {
        "host.nodes.list" => {
            let mut list = nodes.list().await?;
            if request.params.get("connected") == Some(&Value::Bool(true)) {
                list.retain(|node| node["connected"] == true);
            }
            Ok(json!({"nodes": list}))
        }
        "host.nodes.invoke" => {
            let (node, command) = (request.text("nodeId")?, request.text("command")?);
            let key = request.optional("idempotencyKey").map(str::trim).filter(|key| !key.is_empty());
            let key = key.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
            let mut params = json!({"nodeId": node, "command": command, "idempotencyKey": key});
            for name in ["params", "timeoutMs"] {
                if let Some(value) = request.params.get(name).filter(|value| !value.is_null()) {
                    params[name] = value.clone();
                }
            }
            nodes.invoke(params).await
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}
