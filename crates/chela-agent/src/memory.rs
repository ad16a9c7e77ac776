//! What the memory of plugins adds to the system prompt (API-087, API-237).

use std::sync::Arc;
use std::time::Duration;

use chela_plugin::registry::Registry;
use chela_plugin::{Call, Callback};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Longest call of one builder; one that takes longer adds nothing to this turn.
const BUDGET: Duration = Duration::from_secs(5);
/// Longest text of one builder, in bytes: the prompt has to leave room for the conversation.
const MOST_BYTES: usize = 24 * 1024;

/// Lines of the memory plugin, then those of supplements in the order of their plugins' ids. What is no text is dropped.
pub async fn prompt_lines(registry: &Registry, tools: &[&str], citations: Option<&str>, cancel: &CancellationToken) -> Vec<String> {
    prompt_parts(registry, tools, citations, None, cancel).await.into_iter().flat_map(|part| part.lines).collect()
}

/// Lines of one plugin.
#[derive(Clone, Debug)]
pub struct PromptPart {
    /// The plugin.
    pub plugin_id: Arc<str>,
    /// True for the plugin in the memory slot.
    pub primary: bool,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The same plugin by plugin; without those of one worker, which cannot answer while it waits for the host.
pub async fn prompt_parts(
    registry: &Registry,
    tools: &[&str],
    citations: Option<&str>,
    except_worker: Option<u64>,
    cancel: &CancellationToken,
) -> Vec<PromptPart> {
    let own = registry.memory_capability().and_then(|c| c.prompt_builder.as_ref());
    let mut supplements: Vec<&Callback> = registry.memory_prompt_supplements.iter().map(|s| &s.builder).collect();
    supplements.sort_by(|a, b| a.plugin_id.cmp(&b.plugin_id));
    let mut params = json!({"availableTools": {"$set": tools}});
    if let Some(mode) = citations {
        params["citationsMode"] = mode.into();
    }
    let all = own.into_iter().map(|b| (b, true)).chain(supplements.into_iter().map(|b| (b, false)));
    let asked = all.filter(|(builder, _)| except_worker != Some(builder.target.worker_key())).map(|(builder, primary)| {
        let params = params.clone();
        async move { PromptPart { plugin_id: builder.plugin_id.clone(), primary, lines: lines(builder, params, cancel).await } }
    });
    futures::future::join_all(asked).await
}

async fn lines(builder: &Callback, params: Value, cancel: &CancellationToken) -> Vec<String> {
    let call = Call::new(vec![params]).budget(Some(BUDGET)).cancelled_by(cancel.clone());
    let answer = match builder.call(call).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(target: "memory", plugin = %builder.plugin_id, "the prompt has nothing of the memory: {error}");
            return Vec::new();
        }
    };
    let mut left = MOST_BYTES;
    let mut kept = Vec::new();
    for line in answer.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let Some(rest) = left.checked_sub(line.len() + 1) else {
            tracing::warn!(target: "memory", plugin = %builder.plugin_id, "what is over {MOST_BYTES} bytes of the memory's lines is left out");
            break;
        };
        left = rest;
        kept.push(line.to_string());
    }
    kept
}
