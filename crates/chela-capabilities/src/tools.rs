//! The agent's tools of this crate: media and the web (TOOL-47..51, TOOL-80..86).

mod background;
mod generate;
mod image;
mod speech;
mod transcripts;
mod web;

use std::sync::{Arc, Weak};

use chela_agent::tools::{HostTool, HostToolCall};
use serde_json::{Value, json};

use crate::generation::Medium;
use crate::host::{Scope, Surroundings};
use crate::transcripts::Transcripts;

/// The tools, in the order in which they are offered. The host holds them, so they hold it weakly.
pub fn all(host: &Weak<dyn Surroundings>, transcripts: Arc<Transcripts>) -> Vec<Arc<dyn HostTool>> {
    let background = |medium| Arc::new(background::BackgroundTool::new(host.clone(), medium)) as Arc<dyn HostTool>;
    vec![
        Arc::new(web::SearchTool(host.clone())),
        Arc::new(web::FetchTool { host: host.clone(), cache: Default::default() }),
        Arc::new(image::ImageTool(host.clone())),
        Arc::new(generate::GenerateTool::new(host.clone())),
        background(Medium::Music),
        background(Medium::Video),
        Arc::new(speech::SpeechTool(host.clone())),
        Arc::new(transcripts::TranscriptsTool { host: host.clone(), transcripts }),
    ]
}

/// The request of a tool call: for the agent of the session, on the plugins of the run.
fn scope<'a>(host: &'a dyn Surroundings, call: &HostToolCall<'_>) -> Scope<'a> {
    let mut scope = Scope::new(host);
    scope.registry = call.registry.clone();
    scope.agent = call.context.get("agentId").and_then(Value::as_str).map(str::to_string);
    scope.cancel = call.cancel.clone();
    scope
}

/// The host while it lives.
fn alive(host: &Weak<dyn Surroundings>) -> Result<Arc<dyn Surroundings>, String> {
    host.upgrade().ok_or_else(|| "the host is closing".to_string())
}

/// A result of one text with details.
fn result(text: impl Into<String>, details: Value) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}], "details": details})
}

/// A result whose text is the details (TOOL-25).
fn json_result(details: Value) -> Value {
    let text = serde_json::to_string_pretty(&details).unwrap_or_default();
    result(text, details)
}

/// A parameter of a schema.
fn param(kind: &str, description: &str) -> Value {
    json!({"type": kind, "description": description})
}

fn words(among: &[&str], description: &str) -> Value {
    json!({"type": "string", "enum": among, "description": description})
}

fn list(most: usize, description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "maxItems": most, "description": description})
}
