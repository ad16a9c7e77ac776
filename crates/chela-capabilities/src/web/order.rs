//! Which providers have what they need, and in which order they are asked (PRV-325, TOOL-49).

use serde_json::{Value, json};

use super::Part;
use crate::host::{QUESTION_BUDGET, Scope};
use crate::kind::Provider;

/// Providers in the order in which they are asked when nobody chose one: the first with a credential, else the first that needs none, then
/// the others by `autoDetectOrder`.
pub(super) async fn automatic(scope: &Scope<'_>, part: Part, mut providers: Vec<Provider>) -> Vec<Provider> {
    Provider::sort(&mut providers, "/autoDetectOrder");
    let mut first = None;
    for (at, provider) in providers.iter().enumerate().filter(|(_, p)| needs_credential(p)) {
        if usable(scope, part, provider).await {
            first = Some(at);
            break;
        }
    }
    let first = first.or_else(|| providers.iter().position(|p| !needs_credential(p)));
    if let Some(at) = first {
        let chosen = providers.remove(at);
        providers.insert(0, chosen);
    }
    providers
}

fn needs_credential(provider: &Provider) -> bool {
    provider.object.value().get("requiresCredential") != Some(&Value::Bool(false))
}

/// True when the provider needs no credential, or the config or the environment has one.
pub async fn usable(scope: &Scope<'_>, part: Part, provider: &Provider) -> bool {
    if !needs_credential(provider) || provider.texts("envVars").any(|name| scope.host.variable(name).is_some()) {
        return true;
    }
    let config = scope.shown();
    let settings = part.settings(&scope.config).cloned().unwrap_or(Value::Null);
    let questions = [
        ("getConfiguredCredentialValue", config.clone(), ""),
        ("getCredentialValue", if settings.is_null() { json!({"$undefined": true}) } else { settings }, ""),
        ("getConfiguredCredentialFallback", config, "value"),
    ];
    for (function, argument, member) in questions {
        // A search provider's general key is read by itself; only fetch looks there for every provider.
        if (function == "getCredentialValue" && part == Part::Search) || !provider.object.has(function) {
            continue;
        }
        match provider.object.ask(function, argument, QUESTION_BUDGET, &scope.cancel).await {
            Ok(answer) => {
                let value = if member.is_empty() { Some(&answer) } else { answer.get(member) };
                if value.is_some_and(|v| is_credential(scope, v)) {
                    return true;
                }
            }
            Err(error) => provider.warn(function, &error),
        }
    }
    false
}

/// A text, or a reference to a secret; one to the environment counts when the variable is there.
fn is_credential(scope: &Scope<'_>, value: &Value) -> bool {
    if let Some(text) = value.as_str() {
        return !text.trim().is_empty();
    }
    match value.get("source").and_then(Value::as_str) {
        Some("env") => value.get("id").and_then(Value::as_str).is_some_and(|name| scope.host.variable(name).is_some()),
        Some(_) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Capability;
    use crate::testing::{ECHOES, FakeHost};

    fn provider(id: &str, order: u64, more: Value) -> (&'static str, Value) {
        let mut object = json!({"id": id, "autoDetectOrder": order, "envVars": [format!("{id}_KEY")]});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("registerWebSearchProvider", object)
    }

    async fn order(host: &FakeHost) -> Vec<String> {
        // A worker would put the config in place of the word for it; the fake gets one that a caller gave.
        let scope = Scope::new(host).with_config(Some(&host.config));
        let all = Provider::all(&scope.registry, Capability::WebSearch);
        automatic(&scope, Part::Search, all).await.into_iter().map(|p| p.id).collect()
    }

    // PRV-325, TOOL-49
    #[tokio::test]
    async fn a_credential_goes_before_the_order_and_a_keyless_one_is_the_last_resort() {
        let mut host = FakeHost::new(&[
            provider("c", 30, json!({})),
            provider("free", 90, json!({"requiresCredential": false})),
            provider("a", 10, json!({})),
            provider("b", 20, json!({"getConfiguredCredentialFallback": {"$fn": ECHOES}})),
        ]);
        assert_eq!(order(&host).await, ["free", "a", "b", "c"]);
        host.variables = vec!["c_KEY"];
        assert_eq!(order(&host).await, ["c", "a", "b", "free"]);
        // The fallback echoes the config here, so its `value` is the credential.
        host.config = json!({"value": {"source": "env", "id": "NOT_SET"}});
        assert_eq!(order(&host).await[0], "c");
        host.config = json!({"value": {"source": "file", "id": "x"}});
        assert_eq!(order(&host).await, ["b", "a", "c", "free"]);
    }
}
