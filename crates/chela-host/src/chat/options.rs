//! Options of a session that people set in the chat: model, thinking level, queue.

use std::sync::Arc;

use chela_commands::Directives;
use chela_commands::queue::{QueueOptions, QueueSettings, QueueWords};
use chela_models::{ModelRef, ThinkingLevel};
use chela_store::{OpenReason, SessionRow};
use serde_json::Value;

use super::{ChatCaller, Hints};
use crate::assemble::Host;

/// Models that one answer lists.
const MOST_LISTED: usize = 100;
const LEVELS: &str = "off, minimal, low, medium, high, xhigh, adaptive, max";

/// The model of a session: its own choice, else the agent's.
pub(super) fn model_of(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>) -> ModelRef {
    let text = |name: &str| row.and_then(|r| r.extra.get(name)).and_then(Value::as_str);
    match (text("providerOverride"), text("modelOverride")) {
        (Some(provider), Some(model)) => ModelRef::new(provider, model),
        _ => host.runtime.default_model(&caller.agent_id),
    }
}

/// The models that may be chosen, in the order of the list: those that `agents.defaults.models` names, else all.
fn choices(host: &Host) -> Vec<(ModelRef, Option<String>)> {
    let models = host.runtime.models();
    let config = host.runtime.config();
    let named = config.get("agents.defaults.models").and_then(Value::as_object).filter(|m| !m.is_empty());
    let mut all: Vec<ModelRef> =
        models.providers().iter().flat_map(|p| p.models.iter().map(|m| ModelRef::new(&p.id, m.id.clone())).collect::<Vec<_>>()).collect();
    all.sort_by_key(ModelRef::key);
    let Some(named) = named else { return all.into_iter().map(|m| (m, None)).collect() };
    let alias = |entry: &Value| entry.get("alias").and_then(Value::as_str).map(str::to_string);
    let mut out: Vec<(ModelRef, Option<String>)> = Vec::new();
    for (name, entry) in named {
        match name.strip_suffix("/*") {
            Some(provider) => out.extend(all.iter().filter(|m| m.provider == provider).map(|m| (m.clone(), None))),
            None => out.extend(ModelRef::parse(name).ok().map(|m| (m, alias(entry)))),
        }
    }
    out
}

/// The model that a word means: `provider/model`, an alias, or a number of the list.
fn chosen(host: &Host, word: &str) -> Result<ModelRef, String> {
    let choices = choices(host);
    if let Ok(number) = word.parse::<usize>() {
        let found = number.checked_sub(1).and_then(|at| choices.get(at)).map(|(model, _)| model.clone());
        return found.ok_or_else(|| format!("There is no model {number}; `/models` lists them"));
    }
    if let Some((model, _)) = choices.iter().find(|(_, alias)| alias.as_ref().is_some_and(|a| a.eq_ignore_ascii_case(word))) {
        return Ok(model.clone());
    }
    let bare = || choices.iter().find(|(model, _)| model.model.eq_ignore_ascii_case(word)).map(|(model, _)| model.clone());
    let wish = match ModelRef::parse(word) {
        Ok(wish) if word.contains('/') => wish,
        _ => bare().ok_or_else(|| format!("There is no model `{word}`; `/models` lists them"))?,
    };
    let config = host.runtime.config();
    let limited = config.get("agents.defaults.models").and_then(Value::as_object).is_some_and(|m| !m.is_empty());
    if limited && !choices.iter().any(|(model, _)| model.same_as(&wish)) {
        return Err(format!("The model {} may not be chosen here; `/models` lists those that may", wish.key()));
    }
    host.runtime.models().resolve(&wish).map(|m| m.model).map_err(|e| e.to_string())
}

/// A model at the beginning of a text, and what follows it.
pub(super) fn leading_model<'a>(host: &Host, _caller: &ChatCaller, text: &'a str) -> Option<(ModelRef, &'a str)> {
    let word = text.split_whitespace().next().filter(|w| w.parse::<usize>().is_err())?;
    let model = chosen(host, word).ok()?;
    Some((model, text.trim_start()[word.len()..].trim()))
}

/// Sets or clears the model of a session.
///
/// # Errors
/// What to tell whoever asked.
pub(super) async fn put_model(host: &Host, caller: &ChatCaller, model: Option<&ModelRef>) -> Result<(), String> {
    let model = model.cloned();
    change(host, caller, move |row| {
        for name in ["providerOverride", "modelOverride", "modelOverrideSource"] {
            row.extra.shift_remove(name);
        }
        if let Some(model) = model {
            row.extra.insert("providerOverride".into(), model.provider.into());
            row.extra.insert("modelOverride".into(), model.model.into());
            row.extra.insert("modelOverrideSource".into(), "user".into());
        }
    })
    .await
}

pub(super) async fn change(host: &Host, caller: &ChatCaller, update: impl FnOnce(&mut SessionRow) + Send + 'static) -> Result<(), String> {
    let store = &host.runtime.store;
    let done = async {
        store.open_session(&caller.session_key, &caller.agent_id, OpenReason::System).await?;
        store.update_session(&caller.session_key, update).await
    };
    match done.await {
        Ok(_) => {
            if let Some(sessions) = host.channels.sessions.get() {
                sessions.changed(&caller.session_key, "patch");
            }
            Ok(())
        }
        Err(error) => {
            tracing::error!(target: "commands", session = caller.session_key, %error, "an option of the session could not be kept");
            Err(super::FAILED.into())
        }
    }
}

/// `/models [provider]`.
pub(super) async fn models(host: &Arc<Host>, caller: &ChatCaller, provider: &str) -> String {
    let row = host.runtime.store.session(&caller.session_key).await.ok().flatten();
    let current = model_of(host, caller, row.as_ref());
    let provider = provider.split_whitespace().next().unwrap_or_default();
    let rows: Vec<String> = choices(host)
        .into_iter()
        .enumerate()
        .filter(|(_, (model, _))| provider.is_empty() || model.provider.eq_ignore_ascii_case(provider))
        .map(|(at, (model, alias))| {
            let alias = alias.map(|a| format!(" ({a})")).unwrap_or_default();
            let mark = if model.same_as(&current) { " ←" } else { "" };
            format!("{}. {}{alias}{mark}", at + 1, model.key())
        })
        .collect();
    if rows.is_empty() {
        return if provider.is_empty() { "There are no models".into() } else { format!("There is no model of `{provider}`") };
    }
    let more = rows.len().saturating_sub(MOST_LISTED);
    let mut lines: Vec<String> = rows.into_iter().take(MOST_LISTED).collect();
    if more > 0 {
        lines.push(format!("and {more} more; name a provider: `/models <provider>`"));
    }
    lines.push("Choose one with `/model <name or number>`".into());
    lines.join("\n")
}

/// One line about the queue of a session.
pub(super) fn queue_line(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>) -> String {
    let session = row.map(|r| QueueOptions::of_row(&r.extra)).unwrap_or_default();
    let config = host.runtime.config();
    let settings = config.get("messages.queue").unwrap_or(&Value::Null);
    let all = QueueSettings::resolve(settings, &caller.surface, &QueueOptions::default(), &session, None);
    format!("Queue: {} (debounce {} ms, cap {}, drop {})", all.mode.as_str(), all.debounce_ms, all.cap, all.drop.as_str())
}

/// Keeps what a message of directives says, and says so.
pub(super) async fn set(host: &Arc<Host>, caller: &ChatCaller, found: &Directives) -> Vec<String> {
    let row = host.runtime.store.session(&caller.session_key).await.ok().flatten();
    let mut lines = Vec::new();
    if let Some(word) = &found.think {
        lines.push(think(host, caller, row.as_ref(), word.as_deref()).await);
    }
    if let Some(word) = &found.model {
        lines.push(model(host, caller, row.as_ref(), word.as_deref()).await);
    }
    if let Some(words) = &found.exec {
        lines.push(super::exec::set(host, caller, row.as_ref(), words).await);
    }
    if let Some(word) = &found.elevated {
        lines.push(super::exec::elevate(host, caller, row.as_ref(), word.as_deref()).await);
    }
    if let Some(words) = &found.queue {
        lines.push(queue(host, caller, row.as_ref(), words).await);
    }
    lines
}

fn is_default(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "default" | "reset" | "clear" | "inherit")
}

async fn think(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>, word: Option<&str>) -> String {
    let Some(word) = word else {
        let level = row.and_then(|r| r.extra.get("thinkingLevel")).and_then(Value::as_str).unwrap_or("the default");
        return format!("Thinking level: {level}. Levels: {LEVELS}, default");
    };
    let level = match ThinkingLevel::parse(word) {
        Some(level) => Some(level.as_str()),
        None if is_default(word) => None,
        None => return format!("`{word}` is no thinking level; choose one of {LEVELS}, default"),
    };
    let kept = change(host, caller, move |row| match level {
        Some(level) => drop(row.extra.insert("thinkingLevel".into(), level.into())),
        None => drop(row.extra.shift_remove("thinkingLevel")),
    });
    match (kept.await, level) {
        (Err(error), _) => error,
        (Ok(()), Some(level)) => format!("Thinking level set to {level}"),
        (Ok(()), None) => "Thinking level set back to the default".into(),
    }
}

async fn model(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>, word: Option<&str>) -> String {
    let word = match word {
        None | Some("status" | "list") => {
            return format!("Model: {}. `/models` lists what can be chosen, `/model default` goes back", model_of(host, caller, row).key());
        }
        Some(word) => word,
    };
    if is_default(word) {
        return match put_model(host, caller, None).await {
            Ok(()) => format!("Model set back to the default, {}", host.runtime.default_model(&caller.agent_id).key()),
            Err(error) => error,
        };
    }
    let model = match chosen(host, word) {
        Ok(model) => model,
        Err(error) => return error,
    };
    match put_model(host, caller, Some(&model)).await {
        Ok(()) => format!("Model set to {} for this session", model.key()),
        Err(error) => error,
    }
}

const QUEUE_MEMBERS: [&str; 4] = ["queueMode", "queueDebounceMs", "queueCap", "queueDrop"];

async fn queue(host: &Host, caller: &ChatCaller, row: Option<&SessionRow>, words: &QueueWords) -> String {
    if let Some(wrong) = &words.wrong {
        return format!("`{wrong}` is not understood; for example `/queue collect debounce:2s cap:20 drop:old`");
    }
    if words.is_empty() {
        return format!("{}. Modes: steer, followup, collect, steer-backlog, queue, interrupt, default", queue_line(host, caller, row));
    }
    let (reset, options) = (words.reset, words.options);
    let kept = change(host, caller, move |row| {
        if reset {
            QUEUE_MEMBERS.iter().for_each(|name| drop(row.extra.shift_remove(*name)));
        }
        let values: [Option<Value>; 4] = [
            options.mode.map(|m| m.as_str().into()),
            options.debounce_ms.map(Into::into),
            options.cap.map(Into::into),
            options.drop.map(|d| d.as_str().into()),
        ];
        for (name, value) in QUEUE_MEMBERS.iter().zip(values) {
            if let Some(value) = value {
                row.extra.insert((*name).into(), value);
            }
        }
    });
    if let Err(error) = kept.await {
        return error;
    }
    let row = host.runtime.store.session(&caller.session_key).await.ok().flatten();
    queue_line(host, caller, row.as_ref())
}

/// What directives inside a message mean for its turn, and what was not understood.
pub(super) fn hints(host: &Host, caller: &ChatCaller, found: Directives) -> (Hints, Vec<String>) {
    let mut wrong = Vec::new();
    let mut hints = Hints { text: Some(found.text), ..Hints::default() };
    if let Some(Some(word)) = found.think {
        match ThinkingLevel::parse(&word) {
            Some(level) => hints.thinking = Some(level.as_str().into()),
            None if is_default(&word) => {}
            None => wrong.push(format!("`{word}` is no thinking level; choose one of {LEVELS}")),
        }
    }
    if let Some(Some(word)) = found.model {
        match chosen(host, &word) {
            Ok(model) => hints.model = Some(model),
            Err(_) if is_default(&word) => {}
            Err(error) => wrong.push(error),
        }
    }
    if let Some(words) = found.queue {
        hints.queue = words.options;
        wrong.extend(words.wrong.map(|w| format!("`{w}` is not understood")));
    }
    super::exec::hints(host, caller, (found.exec.as_ref(), found.elevated.flatten()), (&mut hints.exec, &mut wrong));
    (hints, wrong)
}
