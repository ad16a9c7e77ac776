//! Embedding providers (API-089): chosen by the agent's memory search config, else by their own priority; one that fails hands over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chela_plugin::register::entries::Recorded;
use chela_plugin::registry::Registry;
use chela_plugin::{Call, CallError, PluginObject};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The registrations: those for memory come first where an id is in both.
const METHODS: [&str; 2] = ["registerMemoryEmbeddingProvider", "registerEmbeddingProvider"];
/// Longest making of a provider: a local one may load its model.
const CREATE_BUDGET: Duration = Duration::from_secs(120);
/// Longest embedding of one batch.
const EMBED_BUDGET: Duration = Duration::from_secs(60);
/// Longest answer of the small questions about an error.
const ASK_BUDGET: Duration = Duration::from_secs(5);
/// Providers that are kept ready.
const MOST_KEPT: usize = 16;
/// Most numbers of one vector.
const MOST_DIMENSIONS: usize = 65_536;

/// What is to be embedded, by whom.
#[derive(Clone, Debug)]
pub struct EmbedRequest {
    /// The agent whose settings count.
    pub agent: String,
    /// The named provider alone, whatever the config says: for plugins that name one.
    pub exact: bool,
    /// A provider, or `None` for the configured one.
    pub provider: Option<String>,
    /// A model, or `None` for the configured or the provider's own.
    pub model: Option<String>,
    /// Length of the vectors that is asked for.
    pub dimensions: Option<u64>,
    /// The texts.
    pub texts: Vec<String>,
}

/// Vectors of all texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The provider that made them.
    pub provider: String,
    /// Its model.
    pub model: String,
    /// One vector for each text.
    pub vectors: Vec<Vec<f64>>,
    /// What was tried before, for people.
    pub attempts: Vec<String>,
}

/// Why nothing was embedded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EmbedError {
    /// No plugin registered the provider that is asked for, or any.
    #[error("no embedding provider `{0}` is registered; install a plugin that brings it, or set `agents.defaults.memorySearch.provider`")]
    Unknown(String),
    /// The agent's config names another one.
    #[error("the agent's `memorySearch.provider` does not allow the embedding provider `{0}`")]
    NotAllowed(String),
    /// All that were tried failed.
    #[error("no embedding provider answered: {}", .0.join("; "))]
    Failed(Vec<String>),
}

/// Providers that were made already: some load a model of their own.
#[derive(Default)]
pub(crate) struct EmbeddingCache(Mutex<Vec<(String, Arc<Ready>)>>);

struct Ready {
    id: String,
    model: String,
    provider: PluginObject,
}

impl EmbeddingCache {
    fn get(&self, key: &str) -> Option<Arc<Ready>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|(k, _)| k == key).map(|(_, ready)| ready.clone())
    }

    fn put(&self, key: String, ready: Arc<Ready>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(k, _)| *k != key);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push((key, ready));
    }

    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(k, _)| k != key);
    }
}

/// What the agent's config says about memory search.
struct Settings {
    provider: String,
    fallback: Option<String>,
    model: Option<String>,
    whole: Value,
}

impl Settings {
    fn of(config: &Value, agent: &str) -> Self {
        let general = config.pointer("/agents/defaults/memorySearch").cloned().unwrap_or_else(|| json!({}));
        let own = config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
        let own = own.filter(|a| a["id"] == agent).find_map(|a| a.get("memorySearch").cloned()).unwrap_or_else(|| json!({}));
        let mut whole = general;
        if let (Some(whole), Value::Object(own)) = (whole.as_object_mut(), own) {
            whole.extend(own);
        }
        let text = |key: &str| chela_plugin::value::text(&whole, key).map(str::to_string);
        Self {
            provider: text("provider").unwrap_or_else(|| "auto".into()),
            fallback: text("fallback").filter(|f| f != "none"),
            model: text("model"),
            whole,
        }
    }
}

/// All adapters, each id once.
fn all(registry: &Registry) -> impl Iterator<Item = &Recorded> {
    let [memory, general] = METHODS;
    let known = |id: &str| registry.recorded_of(memory).any(|entry| entry.id.eq_ignore_ascii_case(id));
    registry.recorded_of(memory).chain(registry.recorded_of(general).filter(move |entry| !known(&entry.id)))
}

/// What is registered, for lists.
pub(crate) fn list(registry: &Registry) -> Vec<Value> {
    let row = |entry: &Recorded| {
        let adapter = entry.object(0);
        let mut row = json!({"id": entry.id, "pluginId": *entry.owner.id});
        for member in ["defaultModel", "transport", "authProviderId", "autoSelectPriority", "allowExplicitWhenConfiguredAuto"] {
            if let Some(value) = adapter.value().get(member) {
                row[member] = value.clone();
            }
        }
        row
    };
    all(registry).map(row).collect()
}

/// Embeds texts with the first provider that can.
pub(crate) async fn embed(
    registry: &Registry,
    cache: &EmbeddingCache,
    config: &Value,
    agent_dir: &std::path::Path,
    request: &EmbedRequest,
    cancel: &CancellationToken,
) -> Result<Embedded, EmbedError> {
    let settings = Settings::of(config, &request.agent);
    let work = Work { registry, cache, agent_dir, request, cancel, settings: &settings };
    let mut attempts = Vec::new();
    for adapter in work.candidates()? {
        match work.with(&adapter).await {
            Ok(mut done) => {
                done.attempts = attempts;
                return Ok(done);
            }
            Err(error) => {
                let go_on = work.goes_on(&adapter, &error).await;
                attempts.push(format!("{}: {}", adapter.id, explain(&adapter, &error).await));
                if !go_on {
                    break;
                }
            }
        }
    }
    Err(EmbedError::Failed(attempts))
}

struct Work<'a> {
    registry: &'a Registry,
    cache: &'a EmbeddingCache,
    agent_dir: &'a std::path::Path,
    request: &'a EmbedRequest,
    cancel: &'a CancellationToken,
    settings: &'a Settings,
}

impl Work<'_> {
    fn find(&self, id: &str) -> Option<Recorded> {
        all(self.registry).find(|r| r.id.eq_ignore_ascii_case(id)).cloned()
    }

    /// Providers in the order in which they are tried.
    fn candidates(&self) -> Result<Vec<Recorded>, EmbedError> {
        let named = |id: &str| self.find(id).ok_or_else(|| EmbedError::Unknown(id.into()));
        let configured = self.settings.provider.as_str();
        if let (true, Some(id)) = (self.request.exact, &self.request.provider) {
            return Ok(vec![named(id)?]);
        }
        let mut list = match self.request.provider.as_deref() {
            // A caller may name a provider beside `auto` only where the adapter says that this is harmless.
            Some(wish) if wish != "auto" && !wish.eq_ignore_ascii_case(configured) => {
                let open = |r: &Recorded| r.object(0).value().get("allowExplicitWhenConfiguredAuto") == Some(&Value::Bool(true));
                let adapter = named(wish)?;
                if configured != "auto" || !open(&adapter) {
                    return Err(EmbedError::NotAllowed(wish.into()));
                }
                vec![adapter]
            }
            _ if configured == "auto" => self.by_priority(),
            _ => vec![named(configured)?],
        };
        if let Some(fallback) = self.settings.fallback.as_deref().and_then(|id| self.find(id))
            && !list.iter().any(|r| r.id == fallback.id)
        {
            list.push(fallback);
        }
        if list.is_empty() { Err(EmbedError::Unknown("auto".into())) } else { Ok(list) }
    }

    fn by_priority(&self) -> Vec<Recorded> {
        let priority = |r: &Recorded| r.object(0).value().get("autoSelectPriority").and_then(Value::as_f64);
        let mut list: Vec<(f64, Recorded)> = all(self.registry).filter_map(|r| Some((priority(r)?, r.clone()))).collect();
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        list.into_iter().map(|(_, r)| r).collect()
    }

    /// A configured fallback always follows; among automatic ones the adapter decides, unless its worker is gone.
    async fn goes_on(&self, adapter: &Recorded, error: &CallError) -> bool {
        if matches!(error, CallError::Cancelled) {
            return false;
        }
        if self.settings.fallback.is_some() || matches!(error, CallError::Gone { .. } | CallError::TimedOut(_)) {
            return true;
        }
        let said = adapter.object(0).ask("shouldContinueAutoSelection", wire(error), ASK_BUDGET, self.cancel).await;
        matches!(said, Ok(Value::Bool(true)))
    }

    async fn with(&self, adapter: &Recorded) -> Result<Embedded, CallError> {
        let options = self.options(adapter);
        let key = format!("{}\n{options}", adapter.id);
        if let Some(ready) = self.cache.get(&key) {
            match self.embed(&ready).await {
                // The plugin was started anew meanwhile.
                Err(error) if matches!(error.code(), "GONE" | "NOT_FOUND") => self.cache.forget(&key),
                done => return done,
            }
        }
        let made = adapter.object(0).open("create", options.clone(), CREATE_BUDGET, self.cancel).await?;
        let Some(provider) = made.member("provider") else {
            return Err(CallError::thrown("it is not available with the present settings"));
        };
        let model = provider.text("model").or_else(|| options["model"].as_str()).unwrap_or_default().to_string();
        let ready = Arc::new(Ready { id: adapter.id.clone(), model, provider });
        let done = self.embed(&ready).await?;
        self.cache.put(key, ready);
        Ok(done)
    }

    fn options(&self, adapter: &Recorded) -> Value {
        let own = adapter.object(0);
        let model = self.request.model.clone().or_else(|| self.settings.model.clone());
        let model = model.or_else(|| own.text("defaultModel").map(str::to_string)).unwrap_or_default();
        let mut options =
            json!({"config": chela_plugin::value::gateway_config(), "agentDir": self.agent_dir, "provider": adapter.id, "model": model});
        for member in ["remote", "local", "inputType", "queryInputType", "documentInputType", "taskType", "outputDimensionality"] {
            if let Some(value) = self.settings.whole.get(member) {
                options[member] = value.clone();
            }
        }
        if let Some(dimensions) = self.request.dimensions {
            options["outputDimensionality"] = dimensions.into();
            // The name in `registerEmbeddingProvider`.
            options["dimensions"] = dimensions.into();
        }
        options
    }

    async fn embed(&self, ready: &Ready) -> Result<Embedded, CallError> {
        let call = Call::new(vec![json!(self.request.texts)]).budget(Some(EMBED_BUDGET)).cancelled_by(self.cancel.clone());
        let answer = ready.provider.call("embedBatch", call).await?;
        let vectors = vectors(&answer, self.request.texts.len()).map_err(CallError::thrown)?;
        Ok(Embedded { provider: ready.id.clone(), model: ready.model.clone(), vectors, attempts: Vec::new() })
    }
}

/// Vectors in the answer: as many as texts, of one length, of finite numbers.
fn vectors(answer: &Value, texts: usize) -> Result<Vec<Vec<f64>>, String> {
    let rows = answer.as_array().ok_or("it gave no list of vectors")?;
    if rows.len() != texts {
        return Err(format!("it gave {} vectors for {texts} texts", rows.len()));
    }
    let read = |row: &Value| row.as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
    let vectors: Vec<Vec<f64>> = rows.iter().map(read).collect::<Option<_>>().ok_or("a vector holds something else than numbers")?;
    let length = vectors.first().map_or(0, Vec::len);
    if length == 0 || length > MOST_DIMENSIONS || vectors.iter().any(|v| v.len() != length) {
        return Err(format!("its vectors must all have one length from 1 to {MOST_DIMENSIONS}"));
    }
    Ok(vectors)
}

fn wire(error: &CallError) -> Value {
    json!({"$error": {"name": "Error", "message": error.to_string(), "code": error.code()}})
}

/// The adapter's own words about its set-up, when it has some.
async fn explain(adapter: &Recorded, error: &CallError) -> String {
    let own = adapter.object(0).ask("formatSetupError", wire(error), ASK_BUDGET, &CancellationToken::new()).await;
    match own {
        Ok(Value::String(text)) if !text.trim().is_empty() => text.trim().to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_sets_of_vectors_are_taken() {
        assert_eq!(vectors(&json!([[1, 2.5], [3, 4]]), 2), Ok(vec![vec![1.0, 2.5], vec![3.0, 4.0]]));
        for (answer, texts) in [(json!(null), 1), (json!([[1]]), 2), (json!([[1], [1, 2]]), 2), (json!([[]]), 1), (json!([["a"]]), 1)] {
            assert!(vectors(&answer, texts).is_err(), "{answer}");
        }
    }

    #[test]
    fn the_agents_own_settings_win() {
        let config = json!({"agents": {"defaults": {"memorySearch": {"provider": "a", "fallback": "none", "model": "m"}},
            "list": [{"id": "x", "memorySearch": {"provider": "b", "fallback": "c"}}]}});
        let main = Settings::of(&config, "main");
        assert_eq!((main.provider.as_str(), main.fallback, main.model.as_deref()), ("a", None, Some("m")));
        let own = Settings::of(&config, "x");
        assert_eq!((own.provider.as_str(), own.fallback.as_deref(), own.model.as_deref()), ("b", Some("c"), Some("m")));
        assert_eq!(Settings::of(&json!({}), "main").provider, "auto");
    }
}
