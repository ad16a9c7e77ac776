//! `session-memory`: on `/new` and `/reset` the end of the session becomes a file in `memory/` of the workspace.
//!
//! The session is read while the command waits, since its transcript moves afterwards; slug and file are made in the background.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chela_plugin::builtin::PluginApi;
use chela_plugin::{HostCaller, HostServices};
use serde_json::{Value, json};

pub(crate) const NAME: &str = "session-memory";
/// Messages that are kept unless the entry says otherwise.
const MESSAGES: usize = 15;
/// Newest entries of the transcript that are looked at: tool calls lie between the messages.
const WINDOW: usize = 1000;
/// Longest wait for a slug of the model.
const SLUG_BUDGET: Duration = Duration::from_secs(15);
/// Text that the model gets to name, in characters.
const SLUG_TEXT: usize = 2000;
/// Longest slug, in characters.
const LONGEST_SLUG: usize = 30;
/// Files of one minute; a loop of resets must not go on for ever.
const MAX_FILES: usize = 1000;

type Host = Arc<dyn HostServices>;

pub(crate) fn handler(api: &mut PluginApi, entry: &Value) -> Value {
    let (host, caller) = (api.host(), crate::caller());
    let messages = entry["messages"].as_f64().filter(|n| *n >= 1.0).map_or(MESSAGES, |n| n as usize);
    let wants_slug = entry["llmSlug"] == true;
    let fallback = api.spec().workspace_dir.clone();
    api.function(move |call| {
        let (host, caller, fallback) = (host.clone(), caller.clone(), fallback.clone());
        async move {
            let event = call.args.into_iter().next().unwrap_or_default();
            let params = json!({"sessionKey": event["sessionKey"], "limit": WINDOW});
            let read = host.request(&caller, "host.subagent.getSessionMessages", params).await?;
            let said = conversation(read["messages"].as_array().map_or(&[], Vec::as_slice), messages);
            let workspace = event["context"]["workspaceDir"].as_str().map_or(fallback, PathBuf::from);
            tokio::spawn(async move {
                let slug = if wants_slug && !said.is_empty() { slug(&host, &caller, &said).await } else { None };
                let note = note(&event, &said, slug, &jiff::tz::TimeZone::system());
                match crate::blocking(move || save(&workspace.join("memory"), &note)).await {
                    Ok(path) => tracing::info!(target: "hooks", path = %path.display(), "the end of a session was kept"),
                    Err(error) => tracing::error!(target: "hooks", "the end of a session could not be kept: {error}"),
                }
            });
            Ok(Value::Null)
        }
    })
}

/// The last messages of user and assistant, a line for each. Commands, and what other sessions or plugins said in the user's place,
/// are left out.
fn conversation(messages: &[Value], most: usize) -> String {
    let line = |message: &Value| {
        let role = message["role"].as_str().filter(|role| matches!(*role, "user" | "assistant"))?;
        if role == "user"
            && matches!(message.pointer("/provenance/kind").and_then(Value::as_str), Some("inter_session" | "internal_system"))
        {
            return None;
        }
        let text = match &message["content"] {
            Value::String(text) => Some(text.as_str()),
            Value::Array(blocks) => blocks.iter().find(|block| block["type"] == "text").and_then(|block| block["text"].as_str()),
            _ => None,
        }?;
        (!text.is_empty() && !text.starts_with('/')).then(|| format!("{role}: {text}"))
    };
    let lines: Vec<String> = messages.iter().filter_map(line).collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// A few words of the model for the file's name; `None` when it gives none in time.
async fn slug(host: &Host, caller: &HostCaller, said: &str) -> Option<String> {
    let text: String = said.chars().take(SLUG_TEXT).collect();
    let ask = format!(
        "Name this conversation for a file name: one or two lowercase words joined by a hyphen, no extension. Answer with the name alone.\n\n{text}"
    );
    let params = json!({"messages": [{"role": "user", "content": ask}], "maxTokens": 50, "purpose": "session-memory"});
    let answer = match tokio::time::timeout(SLUG_BUDGET, host.request(caller, "host.llm.complete", params)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            tracing::warn!(target: "hooks", "no name for a session's file: {error}");
            return None;
        }
        Err(_) => {
            tracing::warn!(target: "hooks", "no name for a session's file within {} s", SLUG_BUDGET.as_secs());
            return None;
        }
    };
    slug_of(answer["text"].as_str()?)
}

/// Lowercase letters, digits and single hyphens.
fn slug_of(text: &str) -> Option<String> {
    let letters = text.trim().to_lowercase();
    let words = letters.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST_SLUG).collect();
    Some(slug.trim_end_matches('-').to_owned()).filter(|slug| !slug.is_empty())
}

/// A file to be written.
#[derive(Debug, PartialEq, Eq)]
struct Note {
    /// Without extension.
    name: String,
    text: String,
}

/// Name and text, as the reference writes them.
fn note(event: &Value, said: &str, slug: Option<String>, zone: &jiff::tz::TimeZone) -> Note {
    let at = event["timestamp"]["$date"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let at = at.unwrap_or_else(jiff::Timestamp::now).to_zoned(zone.clone());
    let context = &event["context"];
    let entry = ["previousSessionEntry", "sessionEntry"].into_iter().map(|key| &context[key]).find(|entry| entry.is_object());
    let known = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("unknown").to_owned();
    let id = known(entry.and_then(|entry| entry.get("sessionId")));
    let (key, source) = (known(event.get("sessionKey")), known(context.get("commandSource")));
    let head = at.strftime("%Y-%m-%d %H:%M:%S %Z");
    let mut text = format!("# Session: {head}\n\n- **Session Key**: {key}\n- **Session ID**: {id}\n- **Source**: {source}\n");
    if !said.is_empty() {
        text.push_str(&format!("\n## Conversation Summary\n\n{said}\n"));
    }
    let slug = slug.unwrap_or_else(|| at.strftime("%H%M").to_string());
    Note { name: format!("{}-{slug}", at.strftime("%Y-%m-%d")), text }
}

/// Writes a new file; one that is there is never touched.
fn save(dir: &Path, note: &Note) -> std::io::Result<PathBuf> {
    fs_err::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(note.text.as_bytes())?;
    file.as_file().sync_all()?;
    for number in 1..=MAX_FILES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = dir.join(format!("{}{suffix}.md", note.name));
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(taken) if taken.error.kind() == std::io::ErrorKind::AlreadyExists => file = taken.file,
            Err(failed) => return Err(failed.error),
        }
    }
    Err(std::io::Error::other(format!("`{}` has {MAX_FILES} files of this name; remove some", dir.display())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_end_of_a_conversation() {
        let user = |text: &str| json!({"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]});
        let mut all = vec![
            user("first"),
            user("/new"),
            json!({"role": "toolResult", "content": "x"}),
            json!({"role": "assistant", "content": "two"}),
        ];
        all.push(json!({"role": "user", "content": "not the user", "provenance": {"kind": "inter_session"}}));
        all.push(user("third"));
        assert_eq!(conversation(&all, 15), "user: first\nassistant: two\nuser: third");
        assert_eq!(conversation(&all, 2), "assistant: two\nuser: third");
        assert_eq!(conversation(&[], 2), "");
    }

    #[test]
    fn slugs_are_file_names() {
        let cases = [
            ("Vendor Pitch\n", Some("vendor-pitch")),
            ("\"api--design\"", Some("api-design")),
            ("../../etc", Some("etc")),
            ("日本", None),
            ("a-name-that-is-much-too-long-for-it", Some("a-name-that-is-much-too-long-f")),
        ];
        for (text, slug) in cases {
            assert_eq!(slug_of(text).as_deref(), slug, "{text}");
        }
    }

    #[test]
    fn notes_look_as_in_the_reference_and_replace_nothing() {
        let event = json!({
            "sessionKey": "agent:main:main", "timestamp": {"$date": "2026-01-16T14:30:05.000Z"},
            "context": {"previousSessionEntry": {"sessionId": "abc"}, "sessionEntry": {"sessionId": "new"}, "commandSource": "telegram"},
        });
        let zone = jiff::tz::TimeZone::UTC;
        let expected = "# Session: 2026-01-16 14:30:05 UTC\n\n- **Session Key**: agent:main:main\n- **Session ID**: abc\n\
                        - **Source**: telegram\n";
        assert_eq!(note(&event, "", None, &zone), Note { name: "2026-01-16-1430".into(), text: expected.into() });
        let named = note(&event, "user: hi", Some("small-talk".into()), &zone);
        assert_eq!(named.name, "2026-01-16-small-talk");
        assert_eq!(named.text, format!("{expected}\n## Conversation Summary\n\nuser: hi\n"));
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("memory");
        let paths = [save(&memory, &named).unwrap(), save(&memory, &Note { text: "second".into(), ..named }).unwrap()];
        let names = paths.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        assert_eq!(names, ["2026-01-16-small-talk.md", "2026-01-16-small-talk-2.md"]);
        assert!(fs_err::read_to_string(memory.join(&names[0])).unwrap().contains("user: hi"));
        assert_eq!(fs_err::read_dir(&memory).unwrap().count(), 2);
    }
}
