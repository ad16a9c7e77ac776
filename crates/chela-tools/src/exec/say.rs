//! What the model reads of a command (TOOL-38, TOOL-42).

use chela_agent::tools::text_result;
use chela_approvals::{ApprovalRow, Decision};
use serde_json::{Value, json};

use crate::sessions::{End, Session};

/// Characters of an event's output.
const SNIPPET: usize = 180;
/// Characters of an id that people type.
const SLUG: usize = 8;

/// A command that goes on.
pub(super) fn running(session: &Session, warnings: &str) -> Value {
    let pid = session.pid().map_or_else(|| "n/a".to_owned(), |pid| pid.to_string());
    let text = format!(
        "{warnings}The command is still running (session {}, pid {pid}). Use process (list, poll, log, write, send-keys, submit, paste, kill, \
         clear, remove) to go on with it.",
        session.id
    );
    let mut result = text_result(text);
    result["details"] = running_details(session);
    result
}

pub(super) fn running_details(session: &Session) -> Value {
    let tail = session.output().tail().to_owned();
    json!({
        "status": "running", "sessionId": session.id, "pid": session.pid(), "startedAt": session.started_at_ms,
        "cwd": session.cwd.display().to_string(), "tail": tail,
    })
}

/// A command that has ended.
pub(super) fn ended(session: &Session, end: End, warnings: &str) -> Value {
    let output = session.output().text().to_owned();
    let (text, aggregated) = words(&output, end, session.run_time().as_secs());
    let status = if end.is_completed() { "completed" } else { "failed" };
    let mut result = text_result(format!("{warnings}{text}"));
    result["details"] = json!({
        "status": status, "exitCode": end.code, "durationMs": end.took.as_millis() as u64, "aggregated": aggregated,
        "cwd": session.cwd.display().to_string(),
    });
    if !end.is_completed() {
        result["details"]["timedOut"] = end.timed_out.into();
    }
    result
}

/// What is read, and what is kept of it.
fn words(output: &str, end: End, seconds: u64) -> (String, String) {
    let with = |reason: &str| if output.is_empty() { reason.to_owned() } else { format!("{output}\n\n{reason}") };
    if end.is_completed() {
        let text = match end.code {
            Some(code) if code != 0 => format!("{output}\n\n(Command exited with code {code})"),
            _ => output.to_owned(),
        };
        let shown = if text.trim().is_empty() { "(no output)".to_owned() } else { text.clone() };
        return (shown, text);
    }
    let reason = if end.timed_out {
        format!(
            "The command was ended after {seconds} seconds, its time limit. Give it a longer timeout, or start it with background=true and \
             look at it with process."
        )
    } else {
        match (end.code, end.signal) {
            (Some(127), _) => "The command was not found.".into(),
            (Some(126), _) => "The command cannot be executed (permission denied).".into(),
            (_, Some(signal)) => format!("The command was ended by signal {signal}."),
            _ => "The command ended without a status.".into(),
        }
    };
    (with(&reason), output.to_owned())
}

/// An event of the session.
pub(super) fn event(session: &Session, end: End) -> String {
    let status = if end.is_completed() { "completed" } else { "failed" };
    let head = format!("Exec {status} ({}, {})", session.id, end.words());
    let output = snippet(session.output().tail());
    if output.is_empty() { head } else { format!("{head} :: {output}") }
}

/// The end of an output, for the event that follows an approval.
pub(super) fn snippet_of(session: &Session) -> String {
    let output = session.output();
    let tail = output.tail().trim();
    if tail.is_empty() { "(no output)".to_owned() } else { tail.to_owned() }
}

/// One line of the end of an output.
pub(super) fn snippet(output: &str) -> String {
    let line = output.split_whitespace().collect::<Vec<_>>().join(" ");
    let count = line.chars().count();
    if count <= SNIPPET { line } else { format!("…{}", line.chars().skip(count - SNIPPET).collect::<String>()) }
}

/// A command that waits for somebody.
pub(super) fn pending(row: &ApprovalRow, cwd: &str, command: &str) -> Value {
    let slug: String = row.id.chars().take(SLUG).collect();
    let words: Vec<&str> = Decision::allowed_by(&row.request).into_iter().map(Decision::as_str).collect();
    let warning = row.request["warningText"].as_str().map(|w| format!("{w}\n\n")).unwrap_or_default();
    let mut fence = "```".to_owned();
    while command.contains(&fence) {
        fence.push('`');
    }
    let always =
        if words.contains(&"allow-always") { "" } else { "\nThe operator wants to be asked each time, so there is no allow-always." };
    let text = format!(
        "{warning}The command waits for approval (id {slug}, full {}); it has not run, and there is no output. It runs by itself once it is \
         allowed, and its result is told then.\nHost: gateway\nCWD: {cwd}\nCommand:\n{fence}sh\n{command}\n{fence}\nA person answers with: \
         /approve {slug} {}{always}",
        row.id,
        words.join("|"),
    );
    let mut result = text_result(text);
    result["details"] = json!({
        "status": "approval-pending", "approvalId": row.id, "approvalSlug": slug, "expiresAtMs": row.expires_at_ms,
        "allowedDecisions": words, "host": "gateway", "command": command, "cwd": cwd,
    });
    if let Some(warning) = row.request["warningText"].as_str() {
        result["details"]["warningText"] = warning.into();
    }
    result
}

/// A command that nobody can allow.
pub(super) fn unavailable(surface: &str, cwd: &str, command: &str) -> Value {
    let text = "The command needs an approval, and nobody can give one here: no client with operator.approvals is connected, and \
                no chat is set up for it (`approvals.exec`). It has not run.";
    let mut result = text_result(text);
    result["details"] = json!({
        "status": "approval-unavailable", "reason": "no-approval-route", "channel": surface, "host": "gateway", "command": command, "cwd": cwd,
    });
    result
}
