//! What plugins keep in session rows, as clients see it (HOOK-259, HOOK-260).

use std::time::Duration;

use chela_plugin::Call;
use chela_plugin::register::entries::SessionExtension;
use chela_plugin::register::json_limits::is_plugin_json;
use chela_store::SessionRow;
use serde_json::{Value, json};

use crate::gateway::Gateway;

/// Longest projection of one value.
const PROJECT_BUDGET: Duration = Duration::from_secs(2);

/// The plugin's view of its value; the raw value when it has none. A projector that fails is skipped (HOOK-260).
pub(crate) async fn project(extension: &SessionExtension, row: &SessionRow, value: Option<&Value>) -> Option<Value> {
    let value = value?;
    let Some(project) = &extension.project else { return Some(value.clone()) };
    let ctx = json!({"sessionKey": row.key, "sessionId": row.session_id, "state": value});
    match project.call(Call::new(vec![ctx]).budget(Some(PROJECT_BUDGET))).await {
        Ok(Value::Null) => None,
        Ok(projected) if !is_plugin_json(&projected) => {
            tracing::warn!(target: "plugins", plugin = %extension.owner.id, namespace = %extension.namespace, "session extension projector returned what is not plain JSON within the limits");
            None
        }
        Ok(projected) => Some(projected),
        Err(error) => {
            tracing::warn!(target: "plugins", plugin = %extension.owner.id, namespace = %extension.namespace, "session extension projector failed: {error}");
            None
        }
    }
}

/// The list in a session row: values of registered namespaces, as their projector last made them, else as stored. It calls no plugin: a list of a hundred
/// sessions must not wait for one.
pub(crate) fn projected(gateway: &Gateway, row: &SessionRow) -> Option<Value> {
    let states = row.extra.get("pluginExtensions")?.as_object()?;
    let registry = gateway.host.manager.registry();
    let mut out = Vec::new();
    for extension in &registry.session_extensions {
        let of = |states: &Value| states.get(extension.owner.id.as_ref())?.get(&extension.namespace).cloned();
        let views = || row.extra.get("pluginExtensionViews").and_then(of);
        let Some(raw) = states.get(extension.owner.id.as_ref()).and_then(|s| s.get(&extension.namespace)) else { continue };
        let Some(shown) = (if extension.project.is_some() { views() } else { Some(raw.clone()) }) else { continue };
        out.push(json!({"pluginId": extension.owner.id.as_ref(), "namespace": extension.namespace, "value": shown}));
    }
    (!out.is_empty()).then(|| out.into())
}
