//! `memory_search` and `memory_get`, offered while the memory plugin brings a runtime and no tools of its own (MC-01..MC-07).

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::{SearchManager, has_runtime, read_corpora, search_corpora};

/// Results of one search when the model names no number.
const DEFAULT_RESULTS: u64 = 10;
/// Most results that the model may ask for.
const MOST_RESULTS: u64 = 50;
/// Lines of one read when the model names no number.
const DEFAULT_LINES: u64 = 120;
/// Longest text of one read, in characters (MC-05).
const MOST_CHARS: usize = 12_000;

/// The two tools.
pub(crate) fn tools() -> Vec<Arc<dyn HostTool>> {
    vec![Arc::new(MemoryTool { search: true }), Arc::new(MemoryTool { search: false })]
}

#[derive(Debug)]
struct MemoryTool {
    search: bool,
}

#[async_trait]
impl HostTool for MemoryTool {
    fn name(&self) -> &'static str {
        if self.search { "memory_search" } else { "memory_get" }
    }

    fn describe(&self, registry: &Registry, _context: &ToolContext) -> Option<HostToolSpec> {
        let own = |tool: &&chela_plugin::register::entries::ToolEntry| tool.names.iter().chain(&tool.declared).any(|n| n == self.name());
        if !has_runtime(registry) || registry.tools.iter().find(own).is_some() {
            return None;
        }
        let corpus = |values: &[&str]| json!({"type": "string", "enum": values, "description": "Where to look"});
        let (label, description, properties, required) = if self.search {
            let properties = json!({
                "query": {"type": "string", "description": "What to look for"},
                "maxResults": {"type": "number"}, "minScore": {"type": "number"}, "corpus": corpus(&["memory", "wiki", "all", "sessions"]),
            });
            (
                "Memory search",
                "Search the notes that are kept over conversations; returns passages with path and lines",
                properties,
                "query",
            )
        } else {
            let properties = json!({
                "path": {"type": "string", "description": "Path as memory_search gives it"},
                "from": {"type": "number"}, "lines": {"type": "number"}, "corpus": corpus(&["memory", "wiki", "all"]),
            });
            ("Memory read", "Read lines of one kept note", properties, "path")
        };
        Some(HostToolSpec {
            label: label.into(),
            description: description.into(),
            parameters: json!({"type": "object", "properties": properties, "required": [required], "additionalProperties": false}),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let answer = if self.search { search(&call).await? } else { get(&call).await? };
        let text = serde_json::to_string_pretty(&answer).map_err(|e| e.to_string())?;
        Ok(json!({"content": [{"type": "text", "text": text}], "details": answer}))
    }
}

fn required<'a>(call: &'a HostToolCall<'_>, key: &str) -> Result<&'a str, String> {
    call.params.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).ok_or_else(|| format!("`{key}` is required"))
}

fn number(call: &HostToolCall<'_>, key: &str) -> Option<f64> {
    call.params.get(key).and_then(Value::as_f64).filter(|n| n.is_finite())
}

fn agent_of(call: &HostToolCall<'_>) -> String {
    call.context.get("agentId").and_then(Value::as_str).map_or_else(|| chela_store::session_key::agent_of(call.session_key), str::to_string)
}

async fn manager(call: &HostToolCall<'_>) -> Result<SearchManager, super::MemoryError> {
    let config = chela_plugin::value::gateway_config();
    SearchManager::open(call.registry, &config, &agent_of(call), "default", call.cancel).await
}

async fn search(call: &HostToolCall<'_>) -> Result<Value, String> {
    let query = required(call, "query")?.to_string();
    let corpus = call.params.get("corpus").and_then(Value::as_str).unwrap_or("memory");
    let most = number(call, "maxResults").map_or(DEFAULT_RESULTS, |n| (n.max(1.0) as u64).min(MOST_RESULTS));
    // MC-04: each side of `all` gets half, rounded up.
    let each = if corpus == "all" { most.div_ceil(2) } else { most };
    let begun = Instant::now();
    let mut answer = json!({"results": []});
    let mut results = Vec::new();
    if corpus != "wiki" {
        match search_memory(call, &query, corpus, each).await {
            Ok((rows, status)) => {
                results.extend(rows);
                for member in ["provider", "model", "fallback"] {
                    answer[member] = status.get(member).cloned().unwrap_or_default();
                }
                answer["debug"] = json!({"backend": status.get("backend")});
            }
            Err(error) if corpus == "all" => answer["warning"] = error.to_string().into(),
            // MC-03: not a failure of the tool, so that the model goes on without its memory.
            Err(error) => return Ok(unavailable(&error)),
        }
    }
    if matches!(corpus, "wiki" | "all") {
        let params = json!({"query": query, "maxResults": each, "agentSessionKey": call.session_key});
        let (rows, failed) = search_corpora(call.registry, None, &params, call.cancel).await;
        results.extend(rows.into_iter().take(each as usize));
        if !failed.is_empty() {
            answer["warning"] = format!("some corpora could not be searched: {}", failed.join("; ")).into();
        }
    }
    results.truncate(most as usize);
    answer["citations"] = citations_mode(call).into();
    answer["debug"]["searchMs"] = (begun.elapsed().as_millis() as u64).into();
    answer["debug"]["hits"] = results.len().into();
    answer["results"] = results.into();
    Ok(answer)
}

async fn search_memory(call: &HostToolCall<'_>, query: &str, corpus: &str, most: u64) -> Result<(Vec<Value>, Value), super::MemoryError> {
    let manager = manager(call).await?;
    let mut options = json!({"maxResults": most, "sessionKey": call.session_key});
    if let Some(score) = number(call, "minScore") {
        options["minScore"] = score.into();
    }
    if corpus == "sessions" {
        options["sources"] = json!(["sessions"]);
    }
    let mut rows = manager.search(query, options, call.cancel).await?;
    rows.truncate(most as usize);
    let cited = cites(call);
    for row in &mut rows {
        row["corpus"] = if corpus == "sessions" { "sessions" } else { "memory" }.into();
        if cited && let Some(source) = citation(row) {
            let snippet = row["snippet"].as_str().unwrap_or_default().trim().to_string();
            row["snippet"] = format!("{snippet}\n\nSource: {source}").into();
            row["citation"] = source.into();
        }
    }
    let status = manager.status(call.cancel).await.unwrap_or_default();
    Ok((rows, status))
}

fn unavailable(error: &super::MemoryError) -> Value {
    json!({
        "results": [], "disabled": true, "unavailable": true, "error": error.to_string(),
        "warning": "The memory cannot be searched just now.",
        "action": "Go on without it, and tell the user when the question needed it.", "debug": {"hits": 0},
    })
}

/// `path#L3` or `path#L3-L9` (MC-07).
fn citation(row: &Value) -> Option<String> {
    let path = row.get("path")?.as_str().filter(|p| !p.is_empty())?;
    let line = |key: &str| row.get(key).and_then(Value::as_u64);
    Some(match (line("startLine"), line("endLine")) {
        (Some(from), Some(to)) if to != from => format!("{path}#L{from}-L{to}"),
        (Some(from), _) => format!("{path}#L{from}"),
        _ => path.to_string(),
    })
}

fn citations_mode(call: &HostToolCall<'_>) -> String {
    let config = call.runtime.config();
    let mode = config.get("memory.citations").and_then(Value::as_str).unwrap_or("auto");
    (if matches!(mode, "on" | "off") { mode } else { "auto" }).into()
}

/// `auto` cites in direct chats only: a path of somebody's notes says nothing to a group.
fn cites(call: &HostToolCall<'_>) -> bool {
    match citations_mode(call).as_str() {
        "on" => true,
        "off" => false,
        _ => !call.session_key.split(':').any(|part| matches!(part, "group" | "channel" | "thread" | "room")),
    }
}

async fn get(call: &HostToolCall<'_>) -> Result<Value, String> {
    let path = required(call, "path")?.to_string();
    let corpus = call.params.get("corpus").and_then(Value::as_str).unwrap_or("memory");
    let from = number(call, "from").map_or(1, |n| n.max(1.0) as u64);
    let lines = number(call, "lines").map_or(DEFAULT_LINES, |n| n.clamp(1.0, 10_000.0) as u64);
    let mut problem = None;
    if corpus != "wiki" {
        let read = match manager(call).await {
            Ok(manager) => manager.read(json!({"relPath": path, "from": from, "lines": lines}), call.cancel).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(found) if corpus == "memory" || found.get("text").and_then(Value::as_str).is_some_and(|t| !t.is_empty()) => {
                return Ok(bounded(found));
            }
            Ok(_) => {}
            Err(error) => problem = Some(error.to_string()),
        }
    }
    if corpus != "memory" {
        let params = json!({"lookup": path, "fromLine": from, "lineCount": lines, "agentSessionKey": call.session_key});
        if let Some(mut found) = read_corpora(call.registry, None, &params, call.cancel).await {
            if let Some(content) = found.get("content").cloned() {
                found["text"] = content;
            }
            return Ok(bounded(found));
        }
    }
    let error = problem.unwrap_or_else(|| format!("nothing is kept under `{path}`"));
    Ok(json!({"path": path, "text": "", "disabled": true, "error": error}))
}

/// Longer texts are cut, and the answer says where to go on (MC-05).
fn bounded(mut found: Value) -> Value {
    let Some(text) = found.get("text").and_then(Value::as_str) else { return found };
    let Some((at, _)) = text.char_indices().nth(MOST_CHARS) else { return found };
    let kept = text[..at].rsplit_once('\n').map_or(&text[..at], |(whole, _)| whole);
    let first = found.get("from").or_else(|| found.get("fromLine")).and_then(Value::as_u64).unwrap_or(1);
    let next = first + kept.lines().count() as u64;
    let text = format!("{kept}\n[cut here; go on with `from: {next}`]");
    found["text"] = text.into();
    found["truncated"] = true.into();
    found["nextFrom"] = next.into();
    found.as_object_mut().map(|o| o.shift_remove("content"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    // MC-05, MC-07
    #[test]
    fn long_texts_are_cut_at_a_line_and_places_are_cited() {
        let lines: Vec<String> = (0..3000).map(|n| format!("line {n}")).collect();
        let cut = bounded(json!({"text": lines.join("\n"), "path": "a.md", "from": 11}));
        let next = cut["nextFrom"].as_u64().unwrap();
        let last = cut["text"].as_str().unwrap().lines().rev().nth(1).unwrap().to_string();
        assert_eq!((last, &cut["truncated"]), (format!("line {}", next - 12), &json!(true)));
        assert_eq!(bounded(json!({"text": "short"})), json!({"text": "short"}));
        let row = |from: u64, to: u64| json!({"path": "a.md", "startLine": from, "endLine": to});
        assert_eq!(citation(&row(3, 9)).as_deref(), Some("a.md#L3-L9"));
        assert_eq!(citation(&row(3, 3)).as_deref(), Some("a.md#L3"));
        assert_eq!(citation(&json!({"path": ""})), None);
    }
}
