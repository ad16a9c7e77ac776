//! What the demonstration model says.

use crate::commands::{Command, commands};
use chela_models::{ChatMessage, ContentPart, ModelRequest, ToolCall, ToolChoice, ToolSpec};
use serde_json::Value;
use std::fmt::Write;

/// What it is, in every answer that is not a bare tool call.
const WHO: &str = "I am Chela's built-in demonstration model, not an AI: I follow fixed rules and work offline.";

const CONFIGURE: &str = "To talk to a real model, set `agents.defaults.model.primary` to a model such as \
`openai/<model>` or `anthropic/<model>` and provide `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`; \
any compatible server can be added under `models.providers`.";

/// Longest part of a tool result that is repeated.
const MAX_RESULT_CHARS: usize = 4000;

/// The plan for one answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub text: String,
    pub calls: Vec<ToolCall>,
    pub sleep_ms: u64,
}

/// Decides what to answer. Equal requests get equal replies.
pub(crate) fn reply(request: &ModelRequest) -> Reply {
    let last_user = request.messages.iter().rposition(|m| matches!(m, ChatMessage::User { .. }));
    let Some(at) = last_user else {
        return Reply { text: format!("Hello! {WHO}\n\n{CONFIGURE}"), calls: Vec::new(), sleep_ms: 0 };
    };
    let (said, images) = match &request.messages[at] {
        ChatMessage::User { content } => text_of(content),
        _ => (String::new(), 0),
    };
    let results: Vec<String> = request.messages[at..].iter().filter_map(describe_result).collect();
    if !results.is_empty() {
        let text = format!("{}\n\n{WHO}", results.join("\n\n"));
        return Reply { text, calls: Vec::new(), sleep_ms: 0 };
    }
    let (said, sleep_ms) = take_sleep(&said);
    let mut reply = answer(request, &said, images);
    reply.sleep_ms = sleep_ms;
    reply
}

fn answer(request: &ModelRequest, said: &str, images: usize) -> Reply {
    let offered: &[ToolSpec] = if request.tool_choice == ToolChoice::None { &[] } else { &request.tools };
    let found = commands(said, offered);
    if !found.is_empty() {
        return call_tools(&found, request.messages.len());
    }
    let text = if asks_for_help(said) { help(offered) } else { small_talk(said, images, request.messages.len()) };
    Reply { text, calls: Vec::new(), sleep_ms: 0 }
}

fn call_tools(found: &[Command], messages: usize) -> Reply {
    let (mut calls, mut problems) = (Vec::new(), String::new());
    for (at, command) in found.iter().enumerate() {
        match &command.arguments {
            // The id holds the place in the conversation, so that no two calls share one.
            Ok(arguments) => {
                calls.push(ToolCall { id: format!("demo_{messages}_{at}"), name: command.name.clone(), arguments: arguments.clone() })
            }
            Err(problem) => {
                let _ = writeln!(problems, "I did not call `{}`: its arguments are no valid JSON ({problem}).", command.name);
            }
        }
    }
    let text = match (calls.len(), problems.is_empty()) {
        (0, _) => format!("{problems}\n{WHO}"),
        (_, false) => problems,
        (1, true) => format!("You named a tool, so I call `{}`.", calls[0].name),
        (count, true) => format!("You named {count} tools, so I call them together."),
    };
    Reply { text, calls, sleep_ms: 0 }
}

fn asks_for_help(said: &str) -> bool {
    let lower = said.trim().to_lowercase();
    let plain = lower.trim_matches(|c: char| !c.is_alphanumeric());
    plain == "help" || plain.ends_with(" help") && plain.len() < 24 || lower.contains("what can you do")
}

fn help(tools: &[ToolSpec]) -> String {
    let mut text = format!("{WHO}\n\n");
    if tools.is_empty() {
        text.push_str("No tool is on offer in this conversation, so I can only greet you and repeat what you say.\n");
    } else {
        let _ = writeln!(text, "I call a tool when you name it with arguments. On offer are:\n");
        for tool in tools {
            let summary = tool.description.lines().next().unwrap_or_default();
            let names: Vec<&str> = properties(tool).collect();
            let arguments = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            let _ = writeln!(text, "- `{}`{arguments}: {}", tool.name, shorten(summary, 120));
        }
        let name = &tools[0].name;
        let example = properties(&tools[0]).next().unwrap_or("key");
        let _ = writeln!(
            text,
            "\nWrite `/tool {name} {{\"{example}\": \"value\"}}`, `use {name} {{...}}` or `{name} {example}=\"some value\"`; several in one message run together."
        );
    }
    let _ = write!(
        text,
        "With `[[sleep:3000]]` in a message I wait that many milliseconds, so that stopping a run can be tried.\n\n{CONFIGURE}"
    );
    text
}

fn properties(tool: &ToolSpec) -> impl Iterator<Item = &str> {
    tool.parameters.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.keys().map(String::as_str))
}

fn small_talk(said: &str, images: usize, messages: usize) -> String {
    let gist = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let heard = match gist.is_empty() {
        true => "Your message holds no text.".to_owned(),
        false => format!("You said: \"{}\".", shorten(&gist, 160)),
    };
    let pictures = match images {
        0 => String::new(),
        1 => " I cannot look at the image that came with it.".to_owned(),
        n => format!(" I cannot look at the {n} images that came with it."),
    };
    let count = if messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") };
    format!(
        "Hello! {WHO}\n\n{heard}{pictures} I can see {count} of this conversation. Say `help` for the tools that I can call.\n\n{CONFIGURE}"
    )
}

fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

fn describe_result(message: &ChatMessage) -> Option<String> {
    let ChatMessage::ToolResult { name, content, is_error, .. } = message else {
        return None;
    };
    let (text, images) = text_of(content);
    let what = if *is_error { "failed" } else { "returned" };
    let mut out = match text.trim() {
        "" if images == 0 => format!("`{name}` {what} without output."),
        "" => format!("`{name}` {what}:"),
        text => format!("`{name}` {what}:\n{}", shorten(text, MAX_RESULT_CHARS)),
    };
    if images > 0 {
        let _ = write!(out, " ({images} image{})", if images == 1 { "" } else { "s" });
    }
    Some(out)
}

fn text_of(content: &[ContentPart]) -> (String, usize) {
    let texts: Vec<&str> =
        content.iter().filter_map(|p| if let ContentPart::Text { text } = p { Some(text.as_str()) } else { None }).collect();
    (texts.join("\n"), content.len() - texts.len())
}

/// Takes `[[sleep:MS]]` out of a text.
fn take_sleep(text: &str) -> (String, u64) {
    let Some((before, rest)) = text.split_once("[[sleep:") else {
        return (text.to_owned(), 0);
    };
    match rest.split_once("]]") {
        Some((ms, after)) => match ms.trim().parse() {
            Ok(ms) => (format!("{before}{after}"), ms),
            Err(_) => (text.to_owned(), 0),
        },
        None => (text.to_owned(), 0),
    }
}
