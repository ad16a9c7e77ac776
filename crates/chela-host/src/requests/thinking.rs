//! What a provider's plugin says about levels of thinking, for another plugin (RT-028, RT-030).

use std::time::Duration;

use chela_plugin::Call;
use serde_json::{Value, json};

use super::{Reply, Request};

/// Longest call of one hook; the asking plugin blocks meanwhile.
const BUDGET: Duration = Duration::from_secs(5);

/// `{provider, modelId, reasoning?}` -> `{profile?, defaultLevel?, binary?, xhigh?}`; empty for a provider of no plugin. A hook that
/// fails said nothing.
pub(super) async fn opinions(request: &Request<'_>) -> Reply {
    let registry = request.host.manager.registry();
    let id = request.text("provider")?.to_lowercase();
    let model = request.optional("modelId").unwrap_or_default();
    let Some(provider) = registry.provider(&id) else { return Ok(json!({})) };
    let ask = async |hook: &str, ctx: Value| {
        let function = provider.function(&format!("/{hook}"))?;
        match function.call(Call::new(vec![ctx]).budget(Some(BUDGET))).await {
            Ok(value) if value.is_null() || chela_plugin::value::is_undefined(&value) => None,
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(target: "models", plugin = %provider.owner.id, provider = %provider.id, hook, "provider hook failed: {error}");
                None
            }
        }
    };
    let mut ctx = json!({"provider": id, "modelId": model});
    let policy = json!({"provider": id, "modelId": model.to_lowercase()});
    let binary = ctx.clone();
    if let Some(reasoning) = request.params.get("reasoning").filter(|value| value.is_boolean()) {
        ctx["reasoning"] = reasoning.clone();
    }
    let mut said = json!({});
    let asked = [
        ("profile", "resolveThinkingProfile", ctx.clone()),
        ("defaultLevel", "resolveDefaultThinkingLevel", ctx),
        ("binary", "isBinaryThinking", binary),
        ("xhigh", "supportsXHighThinking", policy),
    ];
    for (name, hook, ctx) in asked {
        if let Some(value) = ask(hook, ctx).await {
            said[name] = value;
            if name == "profile" {
                break;
            }
        }
    }
    Ok(said)
}
