//! Which model answers: the caller's wish, the session's, the agent's, the default; then the hooks (HOOK-012, HOOK-136).

use std::sync::Arc;

use chela_models::{ModelRef, ModelRegistry, ResolvedModel};
use chela_plugin::HookName;
use serde_json::{Value, json};

use super::{Reply, Step, TurnScope};

/// The chosen model and what `before_agent_start` said in its first call (HOOK-141).
pub(super) struct ChosenModel {
    pub models: Arc<ModelRegistry>,
    pub resolved: ResolvedModel,
    /// Models to try when it does not answer (PRV-217). A model that somebody chose has none (PRV-219).
    pub fallbacks: Vec<ModelRef>,
    pub start_result: Value,
}

/// Resolves the model. An unknown model ends the turn with an error that names it.
pub(super) async fn model(scope: &mut TurnScope<'_>) -> Step<ChosenModel> {
    let prompt = scope.message.clone().into_owned();
    let (mut wish, mut by_default) = wished(scope);
    scope.model = Some((wish.provider.clone(), wish.model.clone()));
    let images: Vec<Value> = scope.request.images.iter().map(|i| json!({"kind": "image", "mimeType": i["mimeType"]})).collect();
    let resolve = scope.hooks().dispatch_with(HookName::BeforeModelResolve, scope.options(), || {
        let mut event = json!({"prompt": prompt});
        if !images.is_empty() {
            event["attachments"] = images.into();
        }
        (event, scope.model_context())
    });
    let first = resolve.await.merged;
    let start = scope.hooks().dispatch_with(HookName::BeforeAgentStart, scope.options(), || {
        (json!({"prompt": prompt, "runId": scope.run_id()}), scope.model_context())
    });
    let start_result = start.await.merged;
    let field = |name: &str| [&first, &start_result].into_iter().find_map(|r| chela_plugin::value::text(r, name).map(str::to_string));
    if let Some(provider) = field("providerOverride") {
        wish.provider = provider;
        by_default = false;
    }
    if let Some(model) = field("modelOverride") {
        by_default = false;
        wish = match ModelRef::parse(&model) {
            Ok(full) if field("providerOverride").is_none() => full,
            _ => ModelRef::new(&wish.provider, model),
        };
    }
    scope.model = Some((wish.provider.clone(), wish.model.clone()));
    let fallbacks = if by_default { scope.runtime.fallback_models(&scope.request.agent_id) } else { Vec::new() };
    let models = scope.runtime.models();
    // A default model that is not there is what fallbacks are for.
    let resolved = models.resolve(&wish).or_else(|error| fallbacks.iter().find_map(|m| models.resolve(m).ok()).ok_or(error));
    match resolved {
        Ok(resolved) => {
            scope.model = Some((resolved.model.provider.clone(), resolved.model.model.clone()));
            scope.window = resolved.entry.as_ref().map(|e| e.context_window);
            Step::Next(ChosenModel { models, resolved, fallbacks, start_result })
        }
        Err(error) => Step::Done(Reply::failed(error.to_string())),
    }
}

/// The model that is asked for, and whether it is only the default.
fn wished(scope: &TurnScope<'_>) -> (ModelRef, bool) {
    if let Some(model) = &scope.request.model {
        return (model.clone(), false);
    }
    let text = |key: &str| scope.session.as_ref().and_then(|s| s.extra.get(key)).and_then(Value::as_str).map(str::to_string);
    if let Some(model) = text("modelOverride") {
        let provider = text("providerOverride");
        let wish =
            provider.map_or_else(|| ModelRef::parse(&model).unwrap_or_else(|_| ModelRef::new("", &model)), |p| ModelRef::new(&p, &model));
        return (wish, false);
    }
    (scope.runtime.default_model(&scope.request.agent_id), true)
}
