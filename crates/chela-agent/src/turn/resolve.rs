//! Which model answers: the caller's wish, the session's, the agent's, the default; then the hooks (HOOK-012, HOOK-136).

use chela_models::{ModelRef, ResolvedModel};
use chela_plugin::HookName;
use serde_json::{Value, json};

use super::{Reply, Step, TurnScope};

/// The chosen model and what `before_agent_start` said in its first call (HOOK-141).
pub(super) struct ChosenModel {
    pub resolved: ResolvedModel,
    pub start_result: Value,
}

/// Resolves the model. An unknown model ends the turn with an error that names it.
pub(super) async fn model(scope: &mut TurnScope<'_>) -> Step<ChosenModel> {
    let prompt = &scope.request.message;
    let images: Vec<Value> = scope.request.images.iter().map(|i| json!({"kind": "image", "mimeType": i["mimeType"]})).collect();
    let resolve = scope.hooks().dispatch_with(HookName::BeforeModelResolve, scope.options(), || {
        let mut event = json!({"prompt": prompt});
        if !images.is_empty() {
            event["attachments"] = images.into();
        }
        (event, scope.agent_context())
    });
    let first = resolve.await.merged;
    let start = scope.hooks().dispatch_with(HookName::BeforeAgentStart, scope.options(), || {
        (json!({"prompt": prompt, "runId": scope.run_id()}), scope.agent_context())
    });
    let start_result = start.await.merged;
    let field = |name: &str| [&first, &start_result].into_iter().find_map(|r| chela_plugin::value::text(r, name).map(str::to_string));
    let mut wish = wished(scope);
    if let Some(provider) = field("providerOverride") {
        wish.provider = provider;
    }
    if let Some(model) = field("modelOverride") {
        wish = match ModelRef::parse(&model) {
            Ok(full) if field("providerOverride").is_none() => full,
            _ => ModelRef::new(&wish.provider, model),
        };
    }
    scope.model = Some((wish.provider.clone(), wish.model.clone()));
    match scope.runtime.models().resolve(&wish) {
        Ok(resolved) => Step::Next(ChosenModel { resolved, start_result }),
        Err(error) => Step::Done(Reply::failed(error.to_string())),
    }
}

fn wished(scope: &TurnScope<'_>) -> ModelRef {
    if let Some(model) = &scope.request.model {
        return model.clone();
    }
    let text = |key: &str| scope.session.as_ref().and_then(|s| s.extra.get(key)).and_then(Value::as_str).map(str::to_string);
    if let Some(model) = text("modelOverride") {
        let provider = text("providerOverride");
        return provider
            .map_or_else(|| ModelRef::parse(&model).unwrap_or_else(|_| ModelRef::new("", &model)), |p| ModelRef::new(&p, &model));
    }
    scope.runtime.default_model(&scope.request.agent_id)
}
