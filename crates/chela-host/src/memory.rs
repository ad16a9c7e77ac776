//! The memory that a plugin brings: its search manager, the corpora that other plugins add, its public artifacts (API-083..088, API-239).

mod embeddings;
mod tools;

use std::time::Duration;

use chela_plugin::registry::Registry;
use chela_plugin::{Call, CallError, PluginObject};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use self::embeddings::{EmbedError, EmbedRequest, Embedded};
pub(crate) use self::embeddings::{EmbeddingCache, list as list_embeddings};
pub(crate) use self::tools::tools;

use crate::assemble::Host;

/// Longest opening of a search manager: it may build an index.
const OPEN_BUDGET: Duration = Duration::from_secs(60);
/// Longest search or read of the memory plugin.
const SEARCH_BUDGET: Duration = Duration::from_secs(30);
/// Longest search or read of a corpus that another plugin adds.
const SUPPLEMENT_BUDGET: Duration = Duration::from_secs(10);
/// Most rows that are taken from one search.
const MOST_ROWS: usize = 200;
/// Most public artifacts that are taken from the memory plugin.
const MOST_ARTIFACTS: usize = 10_000;

/// Members of a corpus supplement that are needed to search and to read.
const CORPUS: &str = "registerMemoryCorpusSupplement";

impl Host {
    /// Vectors of texts from the embedding providers of plugins (API-089).
    ///
    /// # Errors
    /// Which providers were tried and what each said, or what to install.
    pub async fn embed(&self, request: &EmbedRequest, cancel: &CancellationToken) -> Result<Embedded, EmbedError> {
        let config = crate::assemble::public_config(&self.runtime.config());
        let agent_dir = self.paths.agent_dir(&request.agent);
        embeddings::embed(&self.manager.registry(), &self.embeddings, &config, &agent_dir, request, cancel).await
    }
}

/// Why the memory cannot be asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum MemoryError {
    /// No plugin fills the slot with a runtime.
    #[error("no memory plugin brings a search manager; install one and name it in `plugins.slots.memory`")]
    NoRuntime,
    /// The runtime gave no manager.
    #[error("the memory plugin `{plugin}` has no search manager: {reason}")]
    NoManager {
        /// The plugin.
        plugin: String,
        /// Its reason.
        reason: String,
    },
    /// A call failed.
    #[error("the memory plugin `{plugin}` failed: {error}")]
    Failed {
        /// The plugin.
        plugin: String,
        /// How.
        error: CallError,
    },
}

/// True when the memory slot is filled with something that can search.
pub(crate) fn has_runtime(registry: &Registry) -> bool {
    registry.memory_capability().and_then(|c| c.runtime.as_ref()).is_some_and(|runtime| runtime.has("getMemorySearchManager"))
}

/// The search manager of an agent.
pub(crate) struct SearchManager {
    object: PluginObject,
}

impl SearchManager {
    /// Asks the memory plugin for its manager. `purpose` is `default`, `status` or `cli`.
    pub(crate) async fn open(
        registry: &Registry,
        config: &Value,
        agent: &str,
        purpose: &str,
        cancel: &CancellationToken,
    ) -> Result<Self, MemoryError> {
        let runtime = registry.memory_capability().and_then(|c| c.runtime.as_ref()).ok_or(MemoryError::NoRuntime)?;
        let plugin = runtime.owner.id.to_string();
        let params = json!({"cfg": config, "agentId": agent, "purpose": purpose});
        let opened = runtime.open("getMemorySearchManager", params, OPEN_BUDGET, cancel).await;
        let opened = opened.map_err(|error| MemoryError::Failed { plugin: plugin.clone(), error })?;
        let reason = || opened.text("error").unwrap_or("it gave no reason").to_string();
        opened.member("manager").map(|object| Self { object }).ok_or_else(|| MemoryError::NoManager { plugin, reason: reason() })
    }

    async fn call(&self, name: &str, args: Vec<Value>, cancel: &CancellationToken) -> Result<Value, MemoryError> {
        let call = Call::new(args).budget(Some(SEARCH_BUDGET)).cancelled_by(cancel.clone());
        let failed = |error| MemoryError::Failed { plugin: self.object.owner.id.to_string(), error };
        self.object.call(name, call).await.map_err(failed)
    }

    /// Rows that match; `options` as the plugin's `search` takes them.
    pub(crate) async fn search(&self, query: &str, options: Value, cancel: &CancellationToken) -> Result<Vec<Value>, MemoryError> {
        Ok(rows(self.call("search", vec![query.into(), options], cancel).await?))
    }

    /// `{text, path, truncated?, from?, lines?, nextFrom?}`.
    pub(crate) async fn read(&self, params: Value, cancel: &CancellationToken) -> Result<Value, MemoryError> {
        self.call("readFile", vec![params], cancel).await
    }

    /// Backend, provider and counts.
    pub(crate) async fn status(&self, cancel: &CancellationToken) -> Result<Value, MemoryError> {
        self.call("status", Vec::new(), cancel).await
    }

    /// Any other function of the manager, for plugins that ask the active memory.
    pub(crate) async fn other(&self, name: &str, args: Vec<Value>, cancel: &CancellationToken) -> Result<Value, MemoryError> {
        if !self.object.has(name) {
            return Ok(Value::Null);
        }
        self.call(name, args, cancel).await
    }
}

fn rows(value: Value) -> Vec<Value> {
    match value {
        Value::Array(mut rows) => {
            rows.retain(Value::is_object);
            rows.truncate(MOST_ROWS);
            rows
        }
        _ => Vec::new(),
    }
}

/// Plugins that add a corpus.
pub(crate) fn corpora(registry: &Registry) -> Vec<String> {
    registry.recorded_of(CORPUS).map(|corpus| corpus.owner.id.to_string()).collect()
}

fn corpora_of<'a>(registry: &'a Registry, only: Option<&'a str>) -> impl Iterator<Item = &'a chela_plugin::register::entries::Recorded> {
    registry.recorded_of(CORPUS).filter(move |corpus| only.is_none_or(|id| *corpus.owner.id == *id))
}

/// Searches the corpora that plugins add beside the memory slot. One that fails is left out and told in the second list.
pub(crate) async fn search_corpora(
    registry: &Registry,
    only: Option<&str>,
    params: &Value,
    cancel: &CancellationToken,
) -> (Vec<Value>, Vec<String>) {
    let asked = corpora_of(registry, only).map(|corpus| {
        let object = corpus.object(0);
        let params = params.clone();
        async move {
            let found = object.ask("search", params, SUPPLEMENT_BUDGET, cancel).await;
            found.map(rows).map_err(|error| format!("plugin `{}`: {error}", object.owner.id))
        }
    });
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for one in futures::future::join_all(asked).await {
        match one {
            Ok(rows) => found.extend(rows),
            Err(error) => failed.push(error),
        }
    }
    let score = |row: &Value| row.get("score").and_then(Value::as_f64).unwrap_or(0.0);
    found.sort_by(|a, b| score(b).total_cmp(&score(a)));
    found.truncate(MOST_ROWS);
    (found, failed)
}

/// Reads from the first added corpus that knows the name.
pub(crate) async fn read_corpora(registry: &Registry, only: Option<&str>, params: &Value, cancel: &CancellationToken) -> Option<Value> {
    for corpus in corpora_of(registry, only) {
        match corpus.object(0).ask("get", params.clone(), SUPPLEMENT_BUDGET, cancel).await {
            Ok(found) if found.is_object() && !chela_plugin::value::is_undefined(&found) => return Some(found),
            Ok(_) => {}
            Err(error) => tracing::warn!(target: "memory", plugin = %corpus.owner.id, "a corpus could not be read: {error}"),
        }
    }
    None
}

/// Files of the active memory that other plugins may read, in a stable order.
pub(crate) async fn public_artifacts(registry: &Registry, config: &Value, cancel: &CancellationToken) -> Result<Vec<Value>, MemoryError> {
    let Some(artifacts) = registry.memory_capability().and_then(|c| c.public_artifacts.as_ref()) else { return Ok(Vec::new()) };
    let failed = |error| MemoryError::Failed { plugin: artifacts.owner.id.to_string(), error };
    let listed = artifacts.ask("listArtifacts", json!({"cfg": config}), SEARCH_BUDGET, cancel).await.map_err(failed)?;
    let Value::Array(mut listed) = listed else { return Ok(Vec::new()) };
    listed.retain(Value::is_object);
    listed.truncate(MOST_ARTIFACTS);
    let key = |row: &Value| {
        ["workspaceDir", "relativePath", "kind", "contentType", "absolutePath"].map(|k| row[k].as_str().unwrap_or_default().to_string())
    };
    listed.sort_by_cached_key(key);
    Ok(listed)
}

/// Lets the memory plugin close what it holds open; at the end of the gateway.
pub(crate) async fn close(registry: &Registry, budget: Duration) {
    let Some(runtime) = registry.memory_capability().and_then(|c| c.runtime.as_ref()) else { return };
    let Some(close) = runtime.function("closeAllMemorySearchManagers") else { return };
    if let Err(error) = close.call(Call::new(Vec::new()).budget(Some(budget))).await {
        tracing::warn!(target: "memory", plugin = %runtime.owner.id, "the memory did not close cleanly: {error}");
    }
}
