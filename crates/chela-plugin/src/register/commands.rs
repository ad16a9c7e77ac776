//! `registerCommand` and the matching of chat text (API-069, API-103, API-130..148).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::read::member;
use super::registrar::Registrar;
use crate::call::Callback;
use crate::lane::RegistrationMode;
use crate::register::entries::Owner;
use crate::register::gateway::is_operator_scope;

/// Names of built-in commands (API-132).
pub const RESERVED_COMMANDS: &[&str] = &[
    "help",
    "commands",
    "status",
    "diagnostics",
    "codex",
    "whoami",
    "context",
    "btw",
    "stop",
    "restart",
    "reset",
    "new",
    "compact",
    "config",
    "debug",
    "allowlist",
    "activation",
    "skill",
    "subagents",
    "kill",
    "steer",
    "tell",
    "model",
    "models",
    "queue",
    "send",
    "bash",
    "exec",
    "think",
    "verbose",
    "reasoning",
    "elevated",
    "usage",
];

/// Longest argument text that a handler gets, in characters (API-139).
const MAX_ARGS: usize = 4096;

/// A chat command of a plugin (API-130).
#[derive(Clone, Debug)]
pub struct CommandEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The name as given, trimmed.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Lower-cased name and aliases (API-136).
    pub keys: Vec<String>,
    /// True when text after the name is for the command (API-138).
    pub accepts_args: bool,
    /// Refuse unauthorised senders (API-141).
    pub require_auth: bool,
    /// Scopes that gateway clients need (API-142).
    pub required_scopes: Vec<String>,
    /// Channels it is limited to, lower case; empty means all (API-137).
    pub channels: Vec<String>,
    /// Lines for the system prompt (API-148).
    pub guidance: Vec<String>,
    /// It holds a reserved name of the host (API-133).
    pub reserved: bool,
    /// The definition as given, for the members that only surfaces read (`nativeNames`, localisations, progress messages).
    pub definition: Value,
    /// The handler, called with the `command` adapter.
    pub handler: Callback,
}

/// A chat text that means a plugin command.
#[derive(Clone, Debug)]
pub struct CommandMatch<'a> {
    /// The command.
    pub command: &'a CommandEntry,
    /// Sanitised arguments (API-139); `None` when there are none.
    pub args: Option<String>,
}

/// The commands of all plugins.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    entries: Vec<CommandEntry>,
    by_key: HashMap<String, usize>,
}

impl Commands {
    /// The command that `text` invokes on `channel`, if any (API-137, API-138).
    pub fn match_command(&self, text: &str, channel: Option<&str>) -> Option<CommandMatch<'_>> {
        let rest = text.trim().strip_prefix('/')?;
        let (word, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let key = word.to_lowercase();
        let spellings = [key.clone(), key.replace('_', "-"), key.replace('-', "_")];
        let command = spellings.iter().filter_map(|k| self.by_key.get(k)).map(|i| &self.entries[*i]).find(|c| c.serves(channel))?;
        let args = args.trim();
        if !args.is_empty() && !command.accepts_args {
            return None;
        }
        Some(CommandMatch { command, args: sanitised(args) })
    }

    /// All commands in registration order.
    pub fn all(&self) -> &[CommandEntry] {
        &self.entries
    }

    /// The lines for the system prompt, each once (API-148).
    pub fn guidance(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = Vec::new();
        for line in self.entries.iter().flat_map(|c| &c.guidance) {
            if !lines.contains(&line.as_str()) {
                lines.push(line);
            }
        }
        lines
    }

    pub(crate) fn remove(&mut self, plugin_id: &str) {
        self.entries.retain(|c| c.owner.id.as_ref() != plugin_id);
        self.by_key.clear();
        for (index, entry) in self.entries.iter().enumerate() {
            self.by_key.extend(entry.keys.iter().map(|k| (k.clone(), index)));
        }
    }

    fn insert(&mut self, entry: CommandEntry) -> Result<(), String> {
        if let Some((key, index)) = entry.keys.iter().find_map(|k| Some((k, self.by_key.get(k)?))) {
            return Err(format!("Command \"{key}\" already registered by plugin \"{}\"", self.entries[*index].owner.id));
        }
        self.by_key.extend(entry.keys.iter().map(|k| (k.clone(), self.entries.len())));
        self.entries.push(entry);
        Ok(())
    }
}

impl CommandEntry {
    fn serves(&self, channel: Option<&str>) -> bool {
        match channel.map(str::trim).filter(|c| !c.is_empty()) {
            Some(channel) if !self.channels.is_empty() => self.channels.contains(&channel.to_lowercase()),
            _ => true,
        }
    }
}

/// API-139.
fn sanitised(args: &str) -> Option<String> {
    let kept: String = args.chars().take(MAX_ARGS).filter(|c| !c.is_ascii_control() || matches!(c, '\t' | '\n')).collect();
    (!kept.is_empty()).then_some(kept)
}

impl Registrar<'_> {
    pub(super) fn command(&mut self, command: &Value) {
        let name = member(command, "name").to_string();
        if name.is_empty() {
            return self.error("command registration missing name");
        }
        let reserved = command.get("ownership").and_then(Value::as_str) == Some("reserved");
        if reserved && let Err(message) = self.reserved_ownership(&name) {
            return self.error(message);
        }
        let entry = match self.command_entry(command, &name, reserved) {
            Ok(entry) => entry,
            Err(reason) => return self.error(format!("command registration failed: {reason}")),
        };
        // API-027: loads that activate nothing only validate.
        if self.facts.mode == RegistrationMode::Full
            && let Err(reason) = self.registry.commands.insert(entry)
        {
            self.error(format!("command registration failed: {reason}"));
        }
    }

    /// API-069, API-133.
    fn reserved_ownership(&self, name: &str) -> Result<(), String> {
        if !self.owner.bundled && !self.facts.official {
            return Err(format!("only bundled plugins can claim reserved command ownership: {name}"));
        }
        let lower = name.to_lowercase();
        if !RESERVED_COMMANDS.contains(&lower.as_str()) {
            return Err(format!("reserved command ownership requires a reserved command name: {name}"));
        }
        if *self.owner.id != *lower {
            return Err(format!(
                "command registration failed: Reserved command ownership requires plugin id \"{}\" to match reserved command name \"{lower}\"",
                self.owner.id
            ));
        }
        Ok(())
    }

    fn command_entry(&self, command: &Value, name: &str, reserved: bool) -> Result<CommandEntry, String> {
        let handler = self.callback(command.get("handler")).ok_or("Command handler must be a function")?;
        let description = match command.get("description") {
            Some(Value::String(text)) if text.trim().is_empty() => {
                return Err("Command description cannot be empty".into());
            }
            Some(Value::String(text)) => text.trim().to_string(),
            _ => return Err("Command description must be a string".into()),
        };
        let guidance = texts(command, "agentPromptGuidance", "Agent prompt guidance", "an array of strings")?;
        let required_scopes = scopes(command)?;
        let channels = texts(command, "channels", "Command channel", "an array of channel ids")?;
        valid_name(name, reserved)?;
        let mut keys = vec![name.to_lowercase()];
        for (label, alias) in members(command, "nativeNames") {
            let Some(alias) = alias.as_str() else {
                continue;
            };
            valid_name(alias, false).map_err(|e| format!("Native command alias \"{label}\" invalid: {e}"))?;
            let key = alias.trim().to_lowercase();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        labelled_texts(command, "nativeProgressMessages", "Native progress message")?;
        labelled_texts(command, "descriptionLocalizations", "Description localization")?;
        Ok(CommandEntry {
            owner: self.owner.clone(),
            name: name.into(),
            description,
            keys,
            accepts_args: command.get("acceptsArgs") == Some(&Value::Bool(true)),
            require_auth: command.get("requireAuth") != Some(&Value::Bool(false)),
            required_scopes,
            channels: channels.into_iter().map(|c| c.to_lowercase()).collect(),
            guidance,
            reserved,
            definition: command.clone(),
            handler,
        })
    }
}

/// API-131, API-132.
fn valid_name(name: &str, allow_reserved: bool) -> Result<(), String> {
    let name = name.trim().to_lowercase();
    if name.is_empty() {
        return Err("Command name cannot be empty".into());
    }
    let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(safe) {
        return Err("Command name must start with a letter and contain only letters, numbers, hyphens, and underscores".into());
    }
    if !allow_reserved && RESERVED_COMMANDS.contains(&name.as_str()) {
        return Err(format!("Command name \"{name}\" is reserved by a built-in command"));
    }
    Ok(())
}

/// A list of non-blank texts; the messages count from 1 (API-134).
fn texts(command: &Value, key: &str, label: &str, wanted: &str) -> Result<Vec<String>, String> {
    let Some(value) = command.get(key) else {
        return Ok(Vec::new());
    };
    let plural = if key == "channels" { "Command channels" } else { label };
    let items = value.as_array().ok_or_else(|| format!("{plural} must be {wanted}"))?;
    items.iter().enumerate().map(|(i, item)| non_blank(item, &format!("{label} {}", i + 1))).collect()
}

fn labelled_texts(command: &Value, key: &str, label: &str) -> Result<(), String> {
    members(command, key).try_for_each(|(name, text)| non_blank(text, &format!("{label} \"{name}\"")).map(drop))
}

fn non_blank(value: &Value, label: &str) -> Result<String, String> {
    match value.as_str() {
        None => Err(format!("{label} must be a string")),
        Some(text) if text.trim().is_empty() => Err(format!("{label} cannot be empty")),
        Some(text) => Ok(text.trim().into()),
    }
}

/// API-135.
fn scopes(command: &Value) -> Result<Vec<String>, String> {
    let Some(value) = command.get("requiredScopes") else {
        return Ok(Vec::new());
    };
    let items = value.as_array().ok_or("Command requiredScopes must be an array of operator scopes")?;
    let unknown = "Command requiredScopes contains unknown operator scope";
    items
        .iter()
        .map(|scope| match scope.as_str() {
            Some(known) if is_operator_scope(known) => Ok(known.to_string()),
            Some(other) => Err(format!("{unknown}: {other}")),
            None => Err(unknown.into()),
        })
        .collect()
}

fn members<'a>(command: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    command.get(key).and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-139
    #[test]
    fn arguments_are_cut_and_cleaned() {
        assert_eq!(sanitised(""), None);
        assert_eq!(sanitised("a\u{0}b\tc\nd\u{7f}e").as_deref(), Some("ab\tc\nde"));
        assert_eq!(sanitised(&"x".repeat(5000)).map(|s| s.len()), Some(4096));
    }

    // API-131, API-132
    #[test]
    fn command_names() {
        for (name, valid) in [("ok", true), ("Ok_2-x", true), ("2x", false), ("a b", false), ("", false), ("Status", false), ("ä", false)]
        {
            assert_eq!(valid_name(name, false).is_ok(), valid, "{name}");
        }
        assert!(valid_name("status", true).is_ok());
    }
}
