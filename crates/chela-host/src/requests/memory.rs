//! The active memory for other plugins: search, artifacts, prompt lines, embeddings (the SDK's `memory-host-*` subpaths).

use chela_plugin::CallError;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Reply, Request, failed};
use crate::memory::{self, EmbedRequest, SearchManager};

/// Most texts of one request, and their characters in all: what the HTTP endpoint takes, too.
const MOST_TEXTS: usize = 2048;
const MOST_CHARS: usize = 4 * 1024 * 1024;
/// Functions of the manager that other plugins may call.
const MANAGER: &[&str] = &["sync", "getCachedEmbeddingAvailability", "probeEmbeddingAvailability", "probeVectorAvailability"];

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let registry = request.host.manager.registry();
    let config = chela_plugin::value::gateway_config;
    let cancel = CancellationToken::new();
    let agent = request.optional("agentId").unwrap_or(&request.host.runtime.settings().agents.default_id).to_string();
    let purpose = request.optional("purpose").filter(|p| matches!(*p, "status" | "cli")).unwrap_or("default");
    let manager = async || SearchManager::open(&registry, &config(), &agent, purpose, &cancel).await.map_err(failed);
    let member = |key: &str| request.params.get(key).cloned().unwrap_or_default();
    match request.method {
        // Whether there is one, without anything being searched.
        "host.memory.open" => Ok(match manager().await {
            Ok(_) => json!({"available": true}),
            Err(error) => json!({"available": false, "error": error.to_string()}),
        }),
        "host.memory.search" => {
            let query = request.text("query")?.to_string();
            let found = manager().await?.search(&query, member("options"), &cancel).await;
            found.map(Value::from).map_err(failed)
        }
        "host.memory.readFile" => manager().await?.read(member("params"), &cancel).await.map_err(failed),
        "host.memory.status" => manager().await?.status(&cancel).await.map_err(failed),
        "host.memory.manager" => {
            let name = request.text("name")?.to_string();
            if !MANAGER.contains(&name.as_str()) {
                return Err(CallError::refused("INVALID_PARAMS", format!("the search manager offers no `{name}` to other plugins")));
            }
            let args = member("args").as_array().cloned().unwrap_or_default();
            manager().await?.other(&name, args, &cancel).await.map_err(failed)
        }
        "host.memory.publicArtifacts" => memory::public_artifacts(&registry, &config(), &cancel).await.map(Value::from).map_err(failed),
        "host.memory.searchCorpora" => {
            let (rows, problems) = memory::search_corpora(&registry, request.optional("only"), &member("params"), &cancel).await;
            Ok(json!({"results": rows, "problems": problems}))
        }
        "host.memory.readCorpora" => {
            Ok(memory::read_corpora(&registry, request.optional("only"), &member("params"), &cancel).await.unwrap_or_default())
        }
        "host.memory.promptLines" => {
            let tools = member("availableTools");
            let tools: Vec<&str> = tools.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            // The worker that asks may be blocked until it has the answer.
            let asking = registry.plugin(request.plugin).and_then(|p| p.target.as_ref()).map(|t| t.worker_key());
            let mode = request.optional("citationsMode");
            let parts = chela_agent::memory::prompt_parts(&registry, &tools, mode, asking, &cancel).await;
            let primary = parts.iter().find(|p| p.primary).map(|p| &p.lines);
            let row = |p: &chela_agent::memory::PromptPart| json!({"pluginId": *p.plugin_id, "lines": p.lines});
            let supplements: Vec<Value> = parts.iter().filter(|p| !p.primary).map(row).collect();
            Ok(json!({"primary": primary, "supplements": supplements}))
        }
        "host.memory.corpora" => Ok(json!(memory::corpora(&registry))),
        "host.memory.embeddingProviders" => Ok(json!(memory::list_embeddings(&registry))),
        "host.memory.embed" => embed(request, agent).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

async fn embed(request: &Request<'_>, agent: String) -> Reply {
    let texts = request.params.get("texts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<String> = texts.iter().filter_map(Value::as_str).map(str::to_string).collect();
    if texts.is_empty() || texts.len() > MOST_TEXTS || texts.iter().map(String::len).sum::<usize>() > MOST_CHARS {
        return Err(CallError::refused(
            "INVALID_PARAMS",
            format!("`texts` takes 1 to {MOST_TEXTS} texts of at most {MOST_CHARS} bytes in all"),
        ));
    }
    let wish = EmbedRequest {
        agent,
        exact: request.params.get("exact") == Some(&Value::Bool(true)),
        provider: request.optional("provider").map(str::to_string),
        model: request.optional("model").map(str::to_string),
        dimensions: request.params.get("dimensions").and_then(Value::as_u64),
        texts,
    };
    let done = request.host.embed(&wish, &CancellationToken::new()).await.map_err(failed)?;
    Ok(json!({"provider": done.provider, "model": done.model, "vectors": done.vectors, "attempts": done.attempts}))
}
