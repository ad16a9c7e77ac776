//! Search (PRV-323..328, RT-128).

use async_trait::async_trait;
use chela_plugin::CallError;
use serde_json::{Value, json};

use super::{Part, ask, order, unavailable};
use crate::choice::{Candidate, Job, Miss, choose};
use crate::host::Scope;
use crate::kind::{Capability, Provider};

struct Search<'a> {
    args: &'a Value,
    /// Somebody chose the provider: its failure is the answer (PRV-327).
    chosen: bool,
}

/// Searches: `{config?, providerId?, args: {query, count?, ...}}` gives `{provider, result}`.
///
/// # Errors
/// When search is off, no provider is there, or all failed.
pub async fn search(scope: &Scope<'_>, params: &Value) -> Result<Value, CallError> {
    let providers = Provider::all(&scope.registry, Capability::WebSearch);
    if !Part::Search.enabled(&scope.config) || providers.is_empty() {
        return Err(CallError::thrown("web_search is disabled or no provider is available"));
    }
    let args = params.get("args").filter(|a| a.is_object()).cloned().unwrap_or_else(|| json!({}));
    let named = chela_plugin::value::text(params, "providerId");
    if let Some(id) = named.filter(|id| !providers.iter().any(|p| p.is(id))) {
        return Err(CallError::thrown(format!("Unknown web_search provider \"{id}\"")));
    }
    let configured = Part::Search.settings(&scope.config).and_then(|s| chela_plugin::value::text(s, "provider"));
    let explicit = named.or_else(|| configured.filter(|id| providers.iter().any(|p| p.is(id))));
    let candidates = match explicit {
        Some(id) => vec![Candidate::new(id)],
        None => order::automatic(scope, Part::Search, providers).await.into_iter().map(|p| Candidate::new(p.id)).collect(),
    };
    let job = Search { args: &args, chosen: explicit.is_some() };
    match choose(scope, &job, &candidates).await {
        Ok(chosen) => Ok(json!({"provider": chosen.candidate.provider, "result": chosen.value})),
        // The reference tells the last failure only; the attempts are in the log.
        Err(failed) => Err(failed.last.unwrap_or_else(|| CallError::thrown("no web_search provider is available"))),
    }
}

/// The registered providers in the order of automatic choice (RT-128).
pub fn list(scope: &Scope<'_>) -> Vec<Value> {
    let mut providers = Provider::all(&scope.registry, Capability::WebSearch);
    Provider::sort(&mut providers, "/autoDetectOrder");
    providers.iter().map(Provider::described).collect()
}

#[async_trait]
impl Job for Search<'_> {
    type Done = Value;

    fn capability(&self) -> Capability {
        Capability::WebSearch
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, _: &Candidate) -> Result<Value, Miss> {
        let answer = match ask(scope, provider, Part::Search, self.args).await {
            Ok(Some(answer)) => answer,
            Ok(None) if self.chosen => {
                return Err(Miss::Final(CallError::thrown(format!("web_search provider \"{}\" is not available", provider.id))));
            }
            Ok(None) => return Err(unavailable(Part::Search, &provider.id)),
            Err(error) if self.chosen => return Err(Miss::Final(error)),
            Err(error) => return Err(Miss::Fail(error)),
        };
        match answer.get("error").and_then(Value::as_str).filter(|e| lacks_key(e)) {
            Some(error) if !self.chosen => {
                Err(Miss::Skip("not_configured", format!("web_search provider \"{}\" returned {error}", provider.id)))
            }
            _ => Ok(answer),
        }
    }
}

/// `missing_brave_api_key` and so on (TOOL-48).
fn lacks_key(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    error.starts_with("missing_") && error.ends_with("api_key")
}
