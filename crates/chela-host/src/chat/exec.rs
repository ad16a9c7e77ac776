//! How the agent's commands run in a session: `/exec` and `/elevated`.

use std::sync::Arc;

use chela_agent::tools::Origin;
use chela_commands::ExecWords;
use chela_store::SessionRow;
use serde_json::{Map, Value};

use super::{ChatCaller, options};
use crate::assemble::Host;

/// The members of a session row.
const MEMBERS: [&str; 4] = ["execHost", "execSecurity", "execAsk", "execNode"];
/// What clients need who change this: it decides what runs on this machine.
const SCOPE: &str = "operator.admin";
const NOT_HERE: &str = "⚠️ Only an operator with administrator rights may change how commands run.";

fn may(caller: &ChatCaller) -> bool {
    match &caller.scopes {
        Some(scopes) => chela_plugin::register::scopes_satisfy(scopes, SCOPE),
        None => caller.authorized || caller.owner,
    }
}

fn values(words: &ExecWords) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let all = [words.host.clone(), words.security.clone(), words.ask.clone(), words.node.clone()];
    MEMBERS.into_iter().zip(all).filter_map(|(name, value)| Some((name, value?)))
}

/// What cannot be set: words that are none, and places that are not built.
fn refused(words: &ExecWords) -> Option<String> {
    if let Some(wrong) = &words.wrong {
        return Some(format!("`{wrong}` is not understood; for example `/exec host=gateway security=allowlist ask=on-miss`"));
    }
    let place = words.host.as_deref().filter(|host| matches!(*host, "sandbox" | "node"));
    let place = place.or(words.node.as_deref().map(|_| "node"));
    place.map(|place| format!("Commands cannot run in `{place}` yet; choose `host=gateway` or `host=auto`"))
}

/// Keeps what `/exec` says for the session, and says what holds.
pub(super) async fn set(host: &Arc<Host>, caller: &ChatCaller, row: Option<&SessionRow>, words: &ExecWords) -> String {
    if words.is_empty() {
        return format!("{}. Set it with `/exec host=… security=… ask=…`", line(host, caller, row));
    }
    if let Some(text) = refused(words) {
        return text;
    }
    if !may(caller) {
        return NOT_HERE.into();
    }
    let new: Vec<_> = values(words).collect();
    let kept = options::change(host, caller, move |row| {
        for (name, value) in new {
            row.extra.insert(name.into(), value.into());
        }
    });
    if let Err(error) = kept.await {
        return error;
    }
    let row = host.runtime.store.session(&caller.session_key).await.ok().flatten();
    line(host, caller, row.as_ref())
}

fn line(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>) -> String {
    let members: Map<String, Value> = row.map(|row| row.extra.clone().into_iter().collect()).unwrap_or_default();
    format!("Commands: {}", chela_tools::describe_exec(&host.runtime, &caller.agent_id, &members))
}

/// Keeps what `/elevated` says.
pub(super) async fn elevate(host: &Arc<Host>, caller: &ChatCaller, row: Option<&SessionRow>, word: Option<&str>) -> String {
    let Some(word) = word else {
        let level = row.and_then(|r| r.extra.get("elevatedLevel")).and_then(Value::as_str);
        return format!("Elevated commands: {}. Levels: off, on, ask, full", level.unwrap_or("as the config says"));
    };
    let level = match level(host, caller, word) {
        Ok(level) => level,
        Err(text) => return text,
    };
    let kept = options::change(host, caller, move |row| drop(row.extra.insert("elevatedLevel".into(), level.into())));
    match kept.await {
        Err(error) => error,
        Ok(()) => match level {
            "full" => "Elevated commands: full. They run without approvals".into(),
            "off" => "Elevated commands: off".into(),
            level => format!("Elevated commands: {level}. Approvals stay"),
        },
    }
}

/// The level, for somebody who may set it (TOOL-43).
fn level(host: &Host, caller: &ChatCaller, word: &str) -> Result<&'static str, String> {
    let level = match word.to_ascii_lowercase().as_str() {
        "off" => return if may(caller) { Ok("off") } else { Err(NOT_HERE.into()) },
        "on" => "on",
        "ask" => "ask",
        "full" => "full",
        _ => return Err(format!("`{word}` is no level; choose one of off, on, ask, full")),
    };
    if !may(caller) {
        return Err(NOT_HERE.into());
    }
    let failing = chela_tools::elevated_gates(&host.runtime, &caller.agent_id, &origin(caller));
    if failing.is_empty() {
        Ok(level)
    } else {
        Err(format!("Elevated commands are not available here. Failing gates: {}", failing.join("; ")))
    }
}

fn origin(caller: &ChatCaller) -> Origin {
    let mut out = Origin { surface: caller.surface.clone(), is_owner: caller.owner, ..Origin::default() };
    out.sender.channel = Some(caller.surface.clone());
    let of = |name: &str| caller.inbound.as_ref().and_then(|inbound| inbound.text(name));
    out.sender.id = of("SenderId").or_else(|| of("From")).or_else(|| caller.sender_id.clone());
    out.sender.e164 = of("SenderE164");
    out.sender.username = of("SenderUsername");
    out.sender.name = of("SenderName");
    out
}

/// What the directives inside a message mean for its own run.
pub(super) fn hints(
    host: &Host,
    caller: &ChatCaller,
    found: (Option<&ExecWords>, Option<String>),
    (exec, wrong): (&mut Map<String, Value>, &mut Vec<String>),
) {
    if let Some(words) = found.0.filter(|words| !words.is_empty()) {
        match refused(words) {
            Some(text) => wrong.push(text),
            None if !may(caller) => wrong.push(NOT_HERE.into()),
            None => exec.extend(values(words).map(|(name, value)| (name.to_owned(), value.into()))),
        }
    }
    if let Some(word) = found.1 {
        match level(host, caller, &word) {
            Ok(level) => drop(exec.insert("elevatedLevel".into(), level.into())),
            Err(text) => wrong.push(text),
        }
    }
}
