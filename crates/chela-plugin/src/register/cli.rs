//! `registerCli` and `registerNodeCliFeature` (API-059, API-060, API-175..184).

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::read::trimmed;
use super::registrar::Registrar;
use crate::call::Callback;
use crate::register::entries::Owner;

/// Command roots that never dispatch to plugins (API-180).
pub const RESERVED_CLI_ROOTS: &[&str] = &["auth", "tool", "tools"];

/// A command that help shows without running the registrar (API-176).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CliDescriptor {
    /// Command name.
    pub name: String,
    /// Text without terminal control sequences (API-178).
    pub description: String,
    /// True when the command has commands of its own.
    pub has_subcommands: bool,
}

/// A CLI registrar of a plugin (API-059).
#[derive(Clone, Debug)]
pub struct CliEntry {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The parent command; empty for the root.
    pub parent_path: Vec<String>,
    /// Names of the commands it adds, those of the descriptors included (API-177).
    pub commands: Vec<String>,
    /// Descriptors for help.
    pub descriptors: Vec<CliDescriptor>,
    /// The registrar, called with the `cli` adapter.
    pub registrar: Callback,
}

impl CliEntry {
    /// The full paths of its commands, such as `nodes canvas`.
    pub fn paths(&self) -> Vec<String> {
        self.commands.iter().map(|command| path(&self.parent_path, command)).collect()
    }
}

fn path(parent: &[String], command: &str) -> String {
    parent.iter().map(String::as_str).chain([command]).collect::<Vec<_>>().join(" ")
}

impl Registrar<'_> {
    pub(super) fn cli(&mut self, registrar: &Value, options: &Value, parent: Option<&[&str]>) {
        let given_parent: Vec<Value> = match parent {
            Some(fixed) => fixed.iter().map(|s| Value::from(*s)).collect(),
            None => list(options, "parentPath"),
        };
        let parent_path = self.cli_names(&given_parent, "command");
        if parent_path.len() < given_parent.len() {
            return;
        }
        let descriptors = self.cli_descriptors(&list(options, "descriptors"));
        let mut commands = self.cli_names(&list(options, "commands"), "command");
        commands.extend(descriptors.iter().map(|d| d.name.clone()));
        let mut seen = std::collections::HashSet::new();
        commands.retain(|c| seen.insert(c.clone()));
        if commands.is_empty() {
            return self.error("cli registration missing explicit commands metadata");
        }
        let Some(registrar) = self.callback(Some(registrar)) else {
            return self.error(format!("cli registrar must be a function: {}", commands.join(", ")));
        };
        let entry = CliEntry { owner: self.owner.clone(), parent_path, commands, descriptors, registrar };
        if let Some(message) = self.cli_overlap(&entry) {
            return self.error(message);
        }
        self.warn_of_built_in_commands(&entry);
        self.registry.cli.push(entry);
    }

    fn cli_overlap(&self, entry: &CliEntry) -> Option<String> {
        let paths = entry.paths();
        self.registry.cli.iter().find_map(|known| {
            let taken = known.paths();
            let overlap = paths.iter().find(|p| taken.contains(p))?;
            Some(format!("cli command already registered: {overlap} ({})", known.owner.id))
        })
    }

    /// API-180, API-181: such a command stays registered and is never reached, so say it.
    fn warn_of_built_in_commands(&mut self, entry: &CliEntry) {
        if !entry.parent_path.is_empty() {
            return;
        }
        for command in &entry.commands {
            if RESERVED_CLI_ROOTS.contains(&command.as_str()) || self.inputs.builtin_cli_names.contains(command) {
                self.warn(format!("cli command is never reached because a built-in command has its name: {command}"));
            }
        }
    }

    /// The valid names of a list; each bad one is reported.
    fn cli_names(&mut self, raw: &[Value], kind: &str) -> Vec<String> {
        raw.iter().filter_map(|value| self.cli_name(value, kind)).collect()
    }

    fn cli_name(&mut self, raw: &Value, kind: &str) -> Option<String> {
        let name = trimmed(Some(raw));
        if is_safe(name) {
            return Some(name.into());
        }
        self.error(format!("invalid cli {kind} name: {}", Value::from(name)));
        None
    }

    fn cli_descriptors(&mut self, raw: &[Value]) -> Vec<CliDescriptor> {
        let mut descriptors = Vec::new();
        for descriptor in raw {
            let name = self.cli_name(descriptor.get("name").unwrap_or(&Value::Null), "descriptor");
            let description = without_terminal_control(trimmed(descriptor.get("description")));
            if let Some(name) = name.filter(|_| !description.is_empty()) {
                let has_subcommands = descriptor.get("hasSubcommands") == Some(&Value::Bool(true));
                descriptors.push(CliDescriptor { name, description, has_subcommands });
            }
        }
        descriptors
    }
}

fn list(options: &Value, key: &str) -> Vec<Value> {
    options.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn is_safe(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Removes escape sequences (CSI, OSC and two-character ones) and control characters.
fn without_terminal_control(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            if !c.is_control() {
                out.push(c);
            }
            continue;
        }
        match chars.next() {
            Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
            Some(']') => skip_osc(&mut chars),
            _ => {}
        }
    }
    out.trim().to_string()
}

/// An operating system command ends with BEL or with ESC and a backslash.
fn skip_osc(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' {
            return;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-178
    #[test]
    fn descriptions_lose_terminal_control_sequences() {
        let cases = [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m text", "red text"),
            ("a\u{1b}]8;;http://x\u{7}b\u{1b}]0;t\u{1b}\\c", "abc"),
            ("x\u{7}\ny ", "xy"),
        ];
        for (given, expected) in cases {
            assert_eq!(without_terminal_control(given), expected);
        }
    }
}
