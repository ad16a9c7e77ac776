//! Commands that only tell something: `/help`, `/commands`, `/status`, `/whoami`.

use std::sync::Arc;

use chela_agent::compaction::COUNT;
use chela_commands::{CommandSpec, TABLE};
use serde_json::Value;

use super::ChatCaller;
use super::options::{model_of, queue_line};
use crate::assemble::Host;

/// The answer of a command; `None` for others.
pub(super) async fn of(host: &Arc<Host>, caller: &ChatCaller, name: &str) -> Option<String> {
    Some(match name {
        "help" => help(),
        "commands" => commands(host, caller),
        "status" => status(host, caller).await,
        "whoami" => whoami(caller),
        _ => return None,
    })
}

fn line(command: &CommandSpec) -> String {
    let args: String = command.args.iter().map(|a| format!(" [{}]", a.name)).collect();
    format!("/{}{args} – {}", command.name, command.description)
}

fn help() -> String {
    let mut lines = vec!["What can be asked for here:".to_string()];
    lines.extend(TABLE.iter().filter(|c| c.tier == "essential" && c.name != "help").map(line));
    lines.push("/commands lists all of them".into());
    lines.join("\n")
}

fn commands(host: &Host, caller: &ChatCaller) -> String {
    let mut lines: Vec<String> = TABLE.iter().map(line).collect();
    let registry = host.manager.registry();
    let here = |channels: &[String]| channels.is_empty() || channels.contains(&caller.surface.to_lowercase());
    let of_plugins = registry.commands.all().iter().filter(|c| here(&c.channels));
    lines.extend(of_plugins.map(|c| format!("/{} – {} ({})", c.name, c.description, c.owner.id)));
    lines.join("\n")
}

fn whoami(caller: &ChatCaller) -> String {
    let sender = caller.sender_id.as_deref().unwrap_or("unknown");
    let mut lines = vec![format!("Channel: {}", caller.surface), format!("Sender: {sender}")];
    let of = |name: &str| caller.inbound.as_ref().and_then(|i| i.text(name));
    lines.extend(of("SenderUsername").map(|name| format!("Username: {name}")));
    lines.extend(of("ChatType").map(|kind| format!("Chat: {kind}")));
    if caller.owner {
        lines.push("You are the owner".into());
    }
    lines.join("\n")
}

async fn status(host: &Arc<Host>, caller: &ChatCaller) -> String {
    let runtime = &host.runtime;
    let row = runtime.store.session(&caller.session_key).await.ok().flatten();
    let mut lines = vec![format!("Chela {}", env!("CARGO_PKG_VERSION")), format!("Session: {}", caller.session_key)];
    let model = model_of(host, caller, row.as_ref());
    lines.push(format!("Model: {}", model.key()));
    if let Some(row) = &row {
        let text = |name: &str| row.extra.get(name).and_then(Value::as_str);
        lines.extend(text("thinkingLevel").map(|level| format!("Thinking: {level}")));
        let window = runtime.models().resolve(&model).ok().and_then(|m| m.entry).map(|e| e.context_window).or(row.context_tokens);
        lines.push(match (row.total_tokens.filter(|n| *n > 0), window) {
            (Some(used), Some(window)) => format!("Context: about {used} of {window} tokens"),
            (Some(used), None) => format!("Context: about {used} tokens"),
            (None, _) => format!("Messages: {}", row.message_count),
        });
        let compactions = row.extra.get(COUNT).and_then(Value::as_u64).unwrap_or(0);
        lines.extend((compactions > 0).then(|| format!("Compactions: {compactions}")));
    }
    lines.push(queue_line(host, caller, row.as_ref()));
    let waiting = runtime.queues.depth(&caller.session_key);
    let running = if runtime.runs.is_session_active(&caller.session_key) { "a run is under way" } else { "nothing runs" };
    lines.push(if waiting > 0 { format!("Now: {running}, {waiting} message(s) wait") } else { format!("Now: {running}") });
    lines.join("\n")
}
