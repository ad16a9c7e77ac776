//! A summary of what was said, without a model: sentences and lines that name decisions, actions and risks.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

/// Most lines of one list.
const MOST_LINES: usize = 12;
/// Sentences of the overview.
const SENTENCES: usize = 4;

/// Words of a kind of line, as whole words in any case.
fn words(list: &str) -> Option<Regex> {
    Regex::new(&format!(r"(?i)\b(?:{list})\b")).ok()
}

static ACTIONS: LazyLock<Option<Regex>> =
    LazyLock::new(|| words("todo|action|follow up|follow-up|assign|owner|next step|ship|fix|send|schedule"));
static DECISIONS: LazyLock<Option<Regex>> = LazyLock::new(|| words("decided|decision|we will|we'll|agreed|approved|go with|ship it"));
static RISKS: LazyLock<Option<Regex>> =
    LazyLock::new(|| words("risk|blocked|blocker|concern|issue|problem|unknown|deadline|privacy|security"));

/// The summary of a session.
pub(crate) fn summarize(session: &Value, utterances: &[Value]) -> Value {
    let lines: Vec<String> = utterances.iter().map(line).filter(|line| !line.is_empty()).collect();
    let matching = |pattern: &Option<Regex>| -> Vec<&String> {
        let Some(pattern) = pattern else { return Vec::new() };
        let of = utterances.iter().filter(|u| pattern.is_match(u["text"].as_str().unwrap_or_default()));
        let found: Vec<String> = of.map(line).collect();
        lines.iter().filter(|line| found.contains(line)).take(MOST_LINES).collect()
    };
    let overview = sentences(utterances);
    json!({
        "sessionId": session["sessionId"],
        "title": session["title"].as_str().map(str::trim).filter(|t| !t.is_empty()).unwrap_or("Transcripts"),
        "generatedAt": super::now(),
        "overview": if overview.is_empty() { "Nothing was said yet.".to_string() } else { overview },
        "transcript": lines, "decisions": matching(&DECISIONS), "actionItems": matching(&ACTIONS), "risks": matching(&RISKS),
        "utteranceCount": utterances.len(),
    })
}

/// The summary as Markdown.
pub(crate) fn markdown(summary: &Value) -> String {
    let text = |key: &str| summary[key].as_str().unwrap_or_default();
    let list = |key: &str| {
        let items: Vec<String> = summary[key].as_array().into_iter().flatten().filter_map(|i| Some(format!("- {}", i.as_str()?))).collect();
        if items.is_empty() { "- None".to_string() } else { items.join("\n") }
    };
    let mut out = format!("# {}\n\nGenerated: {}\nSession: {}\n", text("title"), text("generatedAt"), text("sessionId"));
    out.push_str(&format!("\n## Overview\n{}\n", text("overview")));
    for (title, key) in [("Transcript", "transcript"), ("Decisions", "decisions"), ("Action Items", "actionItems"), ("Risks", "risks")] {
        out.push_str(&format!("\n## {title}\n{}\n", list(key)));
    }
    out.push_str(&format!("\nTranscript utterances: {}", summary["utteranceCount"]));
    out
}

fn line(utterance: &Value) -> String {
    let text = utterance["text"].as_str().unwrap_or_default().trim();
    let speaker = utterance["speaker"]["label"].as_str().unwrap_or_default().trim();
    if text.is_empty() || speaker.is_empty() { text.into() } else { format!("{speaker}: {text}") }
}

fn sentences(utterances: &[Value]) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut current = String::new();
    for text in utterances.iter().filter_map(|u| u["text"].as_str()).map(str::trim).filter(|t| !t.is_empty()) {
        for c in text.chars().chain([' ']) {
            current.push(c);
            if matches!(c, '.' | '!' | '?') {
                found.push(std::mem::take(&mut current).trim().to_string());
            }
            if found.len() == SENTENCES {
                return found.join(" ");
            }
        }
    }
    found.push(current.trim().to_string());
    found.retain(|sentence| !sentence.is_empty());
    found.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_where_their_words_say() {
        let said = |speaker: &str, text: &str| json!({"text": text, "speaker": {"label": speaker}});
        let all = [said("A", "Hello there. We agreed on blue!"), said("B", "I will send it"), said("", "the deadline is a risk")];
        let summary = summarize(&json!({"sessionId": "s"}), &all);
        assert_eq!(summary["overview"], "Hello there. We agreed on blue! I will send it the deadline is a risk");
        assert_eq!(summary["decisions"], json!(["A: Hello there. We agreed on blue!"]));
        assert_eq!((&summary["actionItems"], &summary["risks"]), (&json!(["B: I will send it"]), &json!(["the deadline is a risk"])));
        let text = markdown(&summary);
        assert!(
            text.starts_with("# Transcripts\n") && text.contains("## Risks\n- the deadline") && text.ends_with("utterances: 3"),
            "{text}"
        );
        assert_eq!(summarize(&json!({"title": " T "}), &[])["title"], "T");
    }
}
