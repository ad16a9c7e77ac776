//! Who summarises and how: the configured provider of a plugin, else the model (API-071).

use std::sync::Arc;
use std::time::Duration;

use chela_models::{ChatMessage, ModelRequest};
use chela_plugin::Call;
use serde_json::{Value, json};

use super::{CompactRequest, CompactionSettings};
use crate::history::{Placed, SUMMARY_ROLE};
use crate::message;
use crate::runtime::{AgentRuntime, PluginGeneration};

/// Longest summary that is kept, in characters: it must not fill the window that it is to free.
const MOST_CHARS: usize = 24_000;
/// Characters for one token, as elsewhere.
const CHARS_PER_TOKEN: u64 = 3;
/// Longest text of one message that a summarising model gets, in characters; tool results are the long ones.
const MESSAGE_CHARS: usize = 4000;
/// Longest work of a provider when its share of the whole time says nothing shorter.
const PROVIDER_BUDGET: Duration = Duration::from_secs(600);

/// A summary, who made it, and who failed before.
pub(super) struct Summary {
    pub text: String,
    pub by: String,
    pub attempts: Vec<String>,
}

/// # Errors
/// What each that was tried said.
pub(super) async fn make(
    runtime: &Arc<AgentRuntime>,
    plugins: &PluginGeneration,
    request: &CompactRequest<'_>,
    settings: &CompactionSettings,
    old: &[Placed],
) -> Result<Summary, String> {
    let mut attempts = Vec::new();
    if let Some(id) = &settings.provider {
        match by_provider(plugins, request, settings, id, old).await {
            Ok(text) => return Ok(Summary { text: cut(&text), by: id.clone(), attempts }),
            Err(error) => {
                tracing::warn!(provider = id, "the compaction provider did not summarise, the model does: {error}");
                attempts.push(format!("{id}: {error}"));
            }
        }
    }
    match by_model(runtime, request, settings, old).await {
        Ok((text, by)) => Ok(Summary { text: cut(&text), by, attempts }),
        Err(error) => {
            attempts.push(error);
            Err(format!("nobody could summarise: {}", attempts.join("; ")))
        }
    }
}

async fn by_provider(
    plugins: &PluginGeneration,
    request: &CompactRequest<'_>,
    settings: &CompactionSettings,
    id: &str,
    old: &[Placed],
) -> Result<String, String> {
    let registered = plugins.registry.recorded_of("registerCompactionProvider").find(|r| r.id == id);
    let Some(provider) = registered.map(|r| r.object(0)) else {
        return Err("no plugin registered a compaction provider of this id".into());
    };
    let (messages, previous) = parts(old);
    let mut params = json!({"messages": messages, "summarizationInstructions": settings.identifier_instructions()});
    if let Some(previous) = previous {
        params["previousSummary"] = previous.into();
    }
    if let Some(instructions) = instructions(request, settings) {
        params["customInstructions"] = instructions.into();
    }
    let mut call = Call::new(Vec::new()).budget(Some(PROVIDER_BUDGET.min(settings.timeout))).cancelled_by(request.cancel.clone());
    params["signal"] = call.signal(request.cancel.clone());
    call.args.push(params);
    let answer = provider.call("summarize", call).await.map_err(|e| e.to_string())?;
    let text = answer.as_str().map(str::trim).filter(|t| !t.is_empty());
    text.map(str::to_string).ok_or_else(|| "its summary is empty".into())
}

async fn by_model(
    runtime: &Arc<AgentRuntime>,
    request: &CompactRequest<'_>,
    settings: &CompactionSettings,
    old: &[Placed],
) -> Result<(String, String), String> {
    let (model, fallbacks) = match &settings.model {
        Some(model) => (model.clone(), Vec::new()),
        None => (request.model.clone(), request.fallbacks.clone()),
    };
    let models = runtime.models();
    let resolved = models.resolve(&model).map_err(|e| e.to_string())?;
    let window = resolved.entry.as_ref().map_or(crate::history::DEFAULT_CONTEXT_TOKENS, |e| e.context_window);
    let (messages, previous) = parts(old);
    let mut call = ModelRequest::new(resolved.model.clone());
    call.system = Some(system(settings));
    call.messages = vec![ChatMessage::user(question(&messages, previous.as_deref(), instructions(request, settings).as_deref(), window))];
    call.agent_id = Some(request.agent_id.to_string());
    let (by, answer) = crate::llm::ask(&models, call, &fallbacks, &request.cancel).await.map_err(|e| e.to_string())?;
    let text = answer.text.trim();
    if text.is_empty() { Err(format!("{}: its summary is empty", by.key())) } else { Ok((text.to_string(), by.key())) }
}

/// The messages, and the summary that stood before them.
fn parts(old: &[Placed]) -> (Vec<&Value>, Option<String>) {
    let previous = old.iter().find(|p| p.message["role"] == SUMMARY_ROLE).and_then(|p| p.message["summary"].as_str()).map(str::to_string);
    (old.iter().map(|p| &p.message).filter(|m| m["role"] != SUMMARY_ROLE).collect(), previous)
}

fn instructions(request: &CompactRequest<'_>, settings: &CompactionSettings) -> Option<String> {
    let all = [settings.instructions.as_deref(), request.instructions.as_deref()];
    let joined = crate::prompt::join_blank(all.into_iter().flatten());
    (!joined.is_empty()).then_some(joined)
}

fn system(settings: &CompactionSettings) -> String {
    let mut text = String::from(
        "You condense a conversation between a person and an assistant, so that the assistant can go on without the original. \
         Answer with the summary alone. Keep: what the person wants and why, decisions and their reasons, facts that were found, \
         what is done, what is open, and what was promised.",
    );
    let (policy, custom) = &settings.identifiers;
    match (policy.as_str(), custom) {
        ("off", _) => {}
        ("custom", Some(custom)) => {
            text.push(' ');
            text.push_str(custom);
        }
        _ => text.push_str(" Copy names, ids, hashes, addresses, paths, dates and numbers exactly; never shorten or reword them."),
    }
    text
}

/// The conversation as text, its newest part when it is longer than the summarising model can read.
fn question(messages: &[&Value], previous: Option<&str>, instructions: Option<&str>, window: u64) -> String {
    let mut left = (window * CHARS_PER_TOKEN / 2) as usize;
    let mut lines = Vec::new();
    for message in messages.iter().rev() {
        let line = line(message);
        let Some(rest) = left.checked_sub(line.len()) else {
            lines.push("[what came before is left out]".to_string());
            break;
        };
        left = rest;
        lines.push(line);
    }
    lines.reverse();
    let mut text = String::new();
    if let Some(previous) = previous {
        text.push_str(&format!("Summary of what came before:\n<summary>\n{previous}\n</summary>\n\n"));
    }
    text.push_str(&format!("The conversation:\n<conversation>\n{}\n</conversation>\n", lines.join("\n")));
    if let Some(instructions) = instructions {
        text.push_str(&format!("\nFor this summary: {instructions}\n"));
    }
    text
}

fn line(message: &Value) -> String {
    let calls = message["content"].as_array().into_iter().flatten().filter(|b| b["type"] == "toolCall");
    let calls: String = calls.map(|b| format!(" [calls {} {}]", b["name"].as_str().unwrap_or("?"), b["arguments"])).collect();
    let who = match message["role"].as_str() {
        Some("user") => "Person",
        Some("assistant") => "Assistant",
        Some("toolResult") => "Tool result",
        _ => "Note",
    };
    let whole = format!("{}{calls}", message::text_of(message));
    match whole.char_indices().nth(MESSAGE_CHARS) {
        Some((at, _)) => format!("{who}: {} [cut]", &whole[..at]),
        None => format!("{who}: {whole}"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{} [cut]", &text[..at]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_holds_what_fits_with_the_newest_part() {
        let messages = [
            json!({"role": "user", "content": "old ".repeat(100)}),
            json!({"role": "assistant", "content": [
            {"type": "text", "text": "new"}, {"type": "toolCall", "id": "1", "name": "t", "arguments": {"a": 1}}]}),
        ];
        let all: Vec<&Value> = messages.iter().collect();
        let text = question(&all, Some("before"), Some("mind the roof"), 10_000);
        assert!(text.contains("Person: old old") && text.contains("Assistant: new [calls t {\"a\":1}]"), "{text}");
        assert!(text.contains("<summary>\nbefore\n") && text.ends_with("For this summary: mind the roof\n"), "{text}");
        let short = question(&all, None, None, 100);
        assert!(short.contains("left out]\nAssistant: new") && !short.contains("old old"), "{short}");
    }
}
