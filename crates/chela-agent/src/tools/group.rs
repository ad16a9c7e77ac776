//! The rules of a group for tools: those of the conversation, else of what it is part of (CH-143).
//!
//! A channel knows which conversation an id of its platform stands for, and what that is a part of: a topic of a group, a thread of a
//! room. The rules of the narrowest one that has any hold.

use std::time::Duration;

use chela_plugin::Channel;
use serde_json::{Value, json};

use crate::turn::{Entry, TurnScope};

/// Longest answer of a channel: it is a look at a text.
const BUDGET: Duration = Duration::from_secs(2);
/// Conversations that one may be part of.
const MOST: usize = 16;

/// The row of `channels.<id>.groups` with `tools` or `toolsBySender` that holds for the message of a turn.
pub(crate) async fn rules(scope: &TurnScope<'_>) -> Option<Value> {
    let request = scope.request;
    let inbound = request.inbound.as_deref().filter(|inbound| request.entry == Entry::Channel && inbound.is_group())?;
    let config = scope.runtime.config();
    let groups = config.get(&format!("channels.{}.groups", request.surface))?.as_object()?;
    let has_rules = |row: &Value| row["tools"].is_object() || row["toolsBySender"].is_object();
    if !groups.values().any(has_rules) {
        return None;
    }
    let mut names: Vec<String> = ["GroupId", "OriginatingTo", "To", "ChatId"].into_iter().filter_map(|name| inbound.text(name)).collect();
    if let Some((kind, raw)) = conversation_of(&request.session_key) {
        names.extend(scoped(&raw));
        let channel = scope.registry().channel(&request.surface);
        names.extend(resolved(channel.as_ref(), scope, kind, &raw).await);
    }
    // The narrowest that is there decides, as it does in the reference.
    let row = names.iter().take(MOST).find_map(|name| groups.get(name.trim())).or_else(|| groups.get("*"));
    row.filter(|row| has_rules(row)).cloned()
}

/// `group` or `channel`, and the id on the platform, of a session key.
fn conversation_of(session_key: &str) -> Option<(&'static str, String)> {
    let mut parts = session_key.split(':').filter(|part| !part.is_empty()).skip(2).peekable();
    parts.next_if_eq(&"subagent");
    let (_, kind) = (parts.next()?, parts.next()?);
    let kind = ["group", "channel"].into_iter().find(|known| *known == kind)?;
    let raw = parts.collect::<Vec<_>>().join(":");
    (!raw.is_empty()).then_some((kind, raw))
}

/// An id with a topic or a sender in it, and what is left without them.
fn scoped(raw: &str) -> Vec<String> {
    let mut out = vec![raw.to_owned()];
    let mut rest = raw;
    for mark in [":sender:", ":topic:"] {
        let at = rest.to_ascii_lowercase().rfind(mark).filter(|at| *at > 0 && !rest[at + mark.len()..].contains(':'));
        if let Some(at) = at {
            rest = &rest[..at];
            out.push(rest.to_owned());
        }
    }
    out
}

/// What the channel makes of an id, the narrowest first; without a word of it a thread is cut off.
async fn resolved(channel: Option<&Channel>, scope: &TurnScope<'_>, kind: &str, raw: &str) -> Vec<String> {
    const RESOLVE: &str = "/messaging/resolveSessionConversation";
    const PARENTS: &str = "/messaging/resolveParentConversationCandidates";
    let ask = async |path: &str| {
        let channel = channel.filter(|channel| channel.can(path))?;
        let answer = channel.plugin.ask(path, json!({"kind": kind, "rawId": raw}), BUDGET, &scope.cancel).await;
        answer.inspect_err(|error| tracing::warn!(target: "channels", channel = channel.id, "{path}: {error}")).ok()
    };
    let own = ask(RESOLVE).await.filter(|found| text(&found["id"]).is_some());
    let explicit = own.as_ref().is_some_and(|found| found["parentConversationCandidates"].is_array());
    // The older function is asked only where the newer one does not say.
    let legacy = if explicit { None } else { ask(PARENTS).await };
    candidates(own.as_ref(), legacy.as_ref(), raw)
}

fn candidates(own: Option<&Value>, legacy: Option<&Value>, raw: &str) -> Vec<String> {
    let list = |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().filter_map(text).collect() };
    let thread = raw.to_ascii_lowercase().rfind(":thread:").filter(|at| *at > 0).map(|at| raw[..at].to_owned());
    let (id, base, parents) = match own {
        Some(found) => {
            let parents = list(&found["parentConversationCandidates"]);
            let explicit = found["parentConversationCandidates"].is_array();
            let parents = if explicit { parents } else { legacy.map(list).unwrap_or_default() };
            (text(&found["id"]), text(&found["baseConversationId"]), parents)
        }
        None => {
            let generic: Vec<String> = thread.iter().cloned().collect();
            (thread.or_else(|| Some(raw.to_owned())), None, legacy.filter(|l| l.is_array()).map_or(generic, list))
        }
    };
    let base = parents.last().cloned().or(base);
    let mut out: Vec<String> = Vec::new();
    for name in id.into_iter().chain(parents).chain(base) {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_session_keys_and_what_they_are_part_of() {
        for (key, want) in [
            ("agent:main:telegram:group:-100:topic:7", Some(("group", "-100:topic:7"))),
            ("agent:main:slack:channel:c1", Some(("channel", "c1"))),
            ("agent:main:subagent:slack:channel:c1", Some(("channel", "c1"))),
            ("agent:main:telegram:direct:5", None),
            ("agent:main:telegram:group", None),
            ("agent:main:main", None),
        ] {
            assert_eq!(conversation_of(key), want.map(|(kind, raw)| (kind, raw.to_owned())), "{key}");
        }
        for (raw, want) in [
            ("-100", vec!["-100"]),
            ("-100:topic:7", vec!["-100:topic:7", "-100"]),
            ("-100:sender:u", vec!["-100:sender:u", "-100"]),
            ("-100:topic:7:sender:u", vec!["-100:topic:7:sender:u", "-100:topic:7", "-100"]),
        ] {
            assert_eq!(scoped(raw), want, "{raw}");
        }
    }

    // CH-143
    #[test]
    fn the_channel_s_own_word_wins_then_the_older_one_then_threads_are_cut() {
        let own = json!({"id": "room/7", "threadId": "7", "parentConversationCandidates": ["room/7", "room", "building"]});
        let short = json!({"id": "room", "baseConversationId": "building"});
        let legacy = json!(["older"]);
        for (own, legacy, raw, want) in [
            (Some(&own), Some(&legacy), "x", vec!["room/7", "room", "building"]),
            (Some(&short), Some(&legacy), "x", vec!["room", "older"]),
            (Some(&short), None, "x", vec!["room", "building"]),
            (None, Some(&legacy), "c1:thread:5", vec!["c1", "older"]),
            (None, None, "c1:thread:5", vec!["c1"]),
            (None, None, "c1", vec!["c1"]),
        ] {
            assert_eq!(candidates(own, legacy, raw), want, "{own:?} {legacy:?} {raw}");
        }
    }
}
