//! `process` (TOOL-45): what goes on in the background, and what has ended.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext, text_result};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use crate::keys;
use crate::params::Args;
use crate::sessions::Session;
use crate::world::World;

/// Lines of a log when nobody says.
const LOG_LINES: usize = 200;
/// Longest waiting of a poll.
const POLL_MOST: Duration = Duration::from_millis(30_000);
/// Silence after which a command seems to wait for input.
const INPUT_WAIT: Duration = Duration::from_secs(15);

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = |about: &str| json!({"type": "string", "description": about});
    json!({"type": "object", "required": ["action"], "properties": {
        "action": text("list, poll, log, write, send-keys, submit, paste, kill, clear or remove"),
        "sessionId": text("The session, for all actions but list"),
        "data": text("Text for write"),
        "keys": {"type": "array", "items": {"type": "string"}, "description": "Keys for send-keys, such as Enter, C-c, Up"},
        "hex": {"type": "array", "items": {"type": "string"}, "description": "Bytes for send-keys, in hexadecimal digits"},
        "literal": text("Text for send-keys"),
        "text": text("Text for paste"),
        "bracketed": {"type": "boolean", "description": "Paste as terminals do (default true)"},
        "eof": {"type": "boolean", "description": "Close the input after write"},
        "offset": {"type": "number", "description": "First line of a log, counted from 0"},
        "limit": {"type": "number", "description": "Lines of a log"},
        "timeout": {"type": "number", "minimum": 0, "description": "Milliseconds that a poll waits for the end, at most 30000"},
    }})
});

/// The tool.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) world: Arc<World>,
}

#[async_trait]
impl HostTool for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn describe(&self, _: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let description = "Look at commands that `exec` left in the background, write to them and end them. Their end is told by itself; \
                           poll only when you need their state now";
        Some(HostToolSpec { label: "process".into(), description: description.into(), parameters: SCHEMA.clone(), owner_only: false })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let agent = crate::agent_of(&call);
        let args = Args::new(&call.params);
        let action = args.required("action")?.trim().to_lowercase();
        if action == "list" {
            return Ok(list(&self.world.sessions.of(&agent)));
        }
        let Some(id) = args.text("sessionId")?.map(str::trim) else { return Ok(failed("sessionId is required for this action.")) };
        let Some(session) = self.world.sessions.get(&agent, id) else { return Ok(failed(&format!("No session found for {id}"))) };
        if !session.is_backgrounded() {
            return Ok(failed(&format!("Session {id} is not backgrounded.")));
        }
        match action.as_str() {
            "poll" => poll(&session, &args).await,
            "log" => log(&session, &args),
            "write" | "send-keys" | "submit" | "paste" => write(&session, &action, &args).await,
            "kill" if session.ended().is_some() => Ok(failed(&format!("No active session found for {id}"))),
            "kill" => {
                session.see_end();
                session.stop();
                Ok(with(&format!("Termination requested for session {id}."), json!({"status": "failed", "name": name(&session)})))
            }
            "clear" if session.ended().is_none() => Ok(failed(&format!("No finished session found for {id}"))),
            "clear" => {
                self.world.sessions.forget(id);
                Ok(with(&format!("Cleared session {id}."), json!({"status": "completed"})))
            }
            "remove" => {
                let ran = session.ended().is_none();
                session.see_end();
                session.stop();
                self.world.sessions.forget(id);
                let (note, status) = if ran { (" (termination requested)", "failed") } else { ("", "completed") };
                Ok(with(&format!("Removed session {id}{note}."), json!({"status": status, "name": name(&session)})))
            }
            other => Ok(failed(&format!("Unknown action {other}"))),
        }
    }
}

fn with(text: &str, details: Value) -> Value {
    let mut result = text_result(text);
    result["details"] = details;
    result
}

fn failed(text: &str) -> Value {
    with(text, json!({"status": "failed"}))
}

/// A short name for lists: the first words of the command.
fn name(session: &Session) -> String {
    let words: Vec<&str> = session.command.split_whitespace().take(4).collect();
    words.join(" ").chars().take(80).collect()
}

fn status(session: &Session) -> &'static str {
    match session.ended() {
        None => "running",
        Some(end) if end.code == Some(0) && !end.stopped && !end.timed_out => "completed",
        Some(_) => "failed",
    }
}

fn waits_for_input(session: &Session) -> bool {
    session.takes_input() && session.idle() >= INPUT_WAIT
}

fn list(sessions: &[Arc<Session>]) -> Value {
    let shown: Vec<&Arc<Session>> = sessions.iter().filter(|s| s.is_backgrounded()).collect();
    let line = |s: &&Arc<Session>| {
        let mark = if waits_for_input(s) { " [input-wait]" } else { "" };
        format!("{} {:<9} {}s{mark} :: {}", s.id, status(s), s.run_time().as_secs(), name(s))
    };
    let lines: Vec<String> = shown.iter().map(line).collect();
    let text = if lines.is_empty() { "No running or recent sessions.".to_owned() } else { lines.join("\n") };
    let rows: Vec<Value> = shown.iter().map(|s| row(s)).collect();
    with(&text, json!({"status": "completed", "sessions": rows}))
}

fn row(session: &Session) -> Value {
    let (tail, truncated) = {
        let output = session.output();
        (output.tail().to_owned(), output.is_truncated())
    };
    let mut row = json!({
        "sessionId": session.id, "status": status(session), "startedAt": session.started_at_ms,
        "runtimeMs": session.run_time().as_millis() as u64, "cwd": session.cwd.display().to_string(), "command": session.command,
        "name": name(session), "tail": tail, "truncated": truncated,
    });
    match session.ended() {
        None => {
            row["pid"] = session.pid().into();
            put_input(&mut row, session);
        }
        Some(end) => {
            row["endedAt"] = end.at_ms.into();
            row["exitCode"] = end.code.into();
            row["exitSignal"] = end.signal.into();
        }
    }
    row
}

fn put_input(details: &mut Value, session: &Session) {
    details["stdinWritable"] = session.takes_input().into();
    details["waitingForInput"] = waits_for_input(session).into();
    details["idleMs"] = (session.idle().as_millis() as u64).into();
}

/// A hint for a command that says nothing any more.
fn hint(session: &Session) -> String {
    if !waits_for_input(session) {
        return String::new();
    }
    let seconds = session.idle().as_secs();
    format!("\n\nNothing new for {seconds} s: it may wait for input. Give it some with write, send-keys, submit or paste.")
}

async fn poll(session: &Session, args: &Args<'_>) -> Result<Value, String> {
    let wait = args.count("timeout")?.map_or(Duration::ZERO, Duration::from_millis).min(POLL_MOST);
    if !wait.is_zero() {
        // An error means only that the time is over.
        let _ = tokio::time::timeout(wait, session.wait()).await;
    }
    let end = session.ended();
    let (new, all) = {
        let mut output = session.output();
        (output.take_new(), output.text().to_owned())
    };
    let mut details = json!({"status": status(session), "sessionId": session.id, "aggregated": all, "name": name(session)});
    let shown = if new.trim().is_empty() { "(no new output)" } else { new.trim() };
    let text = match end {
        Some(end) => {
            session.see_end();
            details["exitCode"] = end.code.into();
            format!("{shown}\n\nProcess exited with {}.", end.words())
        }
        None => {
            put_input(&mut details, session);
            let hint = hint(session);
            format!("{shown}{}", if hint.is_empty() { "\n\nProcess still running." } else { &hint })
        }
    };
    Ok(with(&text, details))
}

fn log(session: &Session, args: &Args<'_>) -> Result<Value, String> {
    let (offset, limit) = (args.count("offset")?, args.count("limit")?);
    let (all, truncated) = {
        let output = session.output();
        (output.text().to_owned(), output.is_truncated())
    };
    let lines: Vec<&str> = if all.is_empty() { Vec::new() } else { all.trim_end_matches('\n').split('\n').collect() };
    let by_default = offset.is_none() && limit.is_none();
    let limit = limit.map_or(if by_default { LOG_LINES } else { usize::MAX }, |n| usize::try_from(n).unwrap_or(usize::MAX));
    // Without an offset it is the end that is wanted.
    let from = offset.map_or_else(|| lines.len().saturating_sub(limit), |n| usize::try_from(n).unwrap_or(usize::MAX));
    let slice: Vec<&str> = lines.iter().skip(from).take(limit).copied().collect();
    let mut text = if slice.is_empty() { "(no output yet)".to_owned() } else { slice.join("\n") };
    if by_default && lines.len() > LOG_LINES {
        text.push_str(&format!("\n\n[the last {LOG_LINES} of {} lines; use offset and limit for others]", lines.len()));
    }
    let mut details = json!({
        "status": status(session), "sessionId": session.id, "total": lines.len(), "totalLines": lines.len(), "totalChars": all.chars().count(),
        "truncated": truncated, "name": name(session),
    });
    match session.ended() {
        None => {
            text.push_str(&hint(session));
            put_input(&mut details, session);
        }
        Some(end) => {
            details["exitCode"] = end.code.into();
            details["exitSignal"] = end.signal.into();
        }
    }
    Ok(with(&text, details))
}

async fn write(session: &Session, action: &str, args: &Args<'_>) -> Result<Value, String> {
    let id = &session.id;
    let (data, last, said) = match action {
        "write" => {
            let data = args.raw_text("data")?.unwrap_or_default().to_owned();
            let last = args.flag("eof")?.unwrap_or(false);
            let closed = if last { " (stdin closed)" } else { "" };
            let said = format!("Wrote {} bytes to session {id}{closed}.", data.len());
            (data, last, said)
        }
        "submit" => {
            // A pipe has no terminal that makes a line end of the key.
            let key = if session.terminal { "\r" } else { "\n" };
            (key.to_owned(), false, format!("Submitted session {id} (sent CR)."))
        }
        "paste" => {
            let text = args.raw_text("text")?.unwrap_or_default();
            if text.is_empty() {
                return Ok(failed("No paste text provided."));
            }
            let framed = session.terminal && args.flag("bracketed")?.unwrap_or(true);
            let data = if framed { format!("\u{1b}[200~{}\u{1b}[201~", text.replace("\u{1b}[201~", "")) } else { text.to_owned() };
            (data, false, format!("Pasted {} chars to session {id}.", text.chars().count()))
        }
        _ => {
            let application = session.output().application_keys;
            let (keys, warnings) = keys::encode(&args.texts("keys")?, application);
            let data = format!("{}{}{keys}", args.raw_text("literal")?.unwrap_or_default(), keys::from_hex(&args.texts("hex")?)?);
            if data.is_empty() {
                return Ok(failed("No key data provided."));
            }
            let notes = if warnings.is_empty() { String::new() } else { format!("\nWarnings:\n- {}", warnings.join("\n- ")) };
            let said = format!("Sent {} bytes to session {id}.{notes}", data.len());
            (data, false, said)
        }
    };
    match session.write(&data, last).await {
        Ok(()) => Ok(with(&said, json!({"status": "running", "sessionId": id, "name": name(session)}))),
        Err(problem) => Ok(failed(&problem)),
    }
}
