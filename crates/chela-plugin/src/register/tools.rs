//! `registerTool` and `registerToolMetadata` (API-036, API-075, API-099).

use serde_json::{Value, json};

use super::read::{member, optional_text, optional_texts, set, trimmed};
use super::registrar::Registrar;
use crate::register::entries::{ToolEntry, ToolMetadataEntry, ToolSource};
use crate::value::function_handle;

impl Registrar<'_> {
    pub(super) fn tool(&mut self, tool: &Value, options: &Value) {
        if self.channel_conflict {
            return;
        }
        let factory = function_handle(tool).is_some();
        let names = given_names(tool, options, factory);
        let declared = self.facts.contract("tools");
        if !self.tools_are_declared(&declared, &names) {
            return;
        }
        let source = match self.callback(Some(tool)) {
            Some(factory) => ToolSource::Factory(factory),
            None => {
                let mut descriptor = tool.clone();
                set(&mut descriptor, "execute", None);
                ToolSource::Object { descriptor, execute: self.callback(tool.get("execute")) }
            }
        };
        let optional = options.get("optional") == Some(&Value::Bool(true));
        let optional_names = self.facts.optional_tools();
        let conditions = self.facts.conditional_tools();
        self.registry.tools.push(ToolEntry { owner: self.owner.clone(), source, names, declared, optional, optional_names, conditions });
    }

    /// API-099, MAN-101, MAN-102: refused when strict, else a notice, because an older reference ran such plugins.
    fn tools_are_declared(&mut self, declared: &[String], names: &[String]) -> bool {
        let message = if declared.is_empty() {
            "plugin must declare contracts.tools before registering agent tools".to_string()
        } else {
            let missing: Vec<&str> = names.iter().filter(|n| !declared.contains(n)).map(String::as_str).collect();
            if missing.is_empty() {
                return true;
            }
            format!("plugin must declare contracts.tools for: {}", missing.join(", "))
        };
        if self.inputs.strict {
            self.error(message);
            return false;
        }
        self.notice("undeclared-tools", format!("{message}; its tools run because `plugins.compat.strict` is off"));
        true
    }

    pub(super) fn tool_metadata(&mut self, metadata: &Value) {
        let tool = member(metadata, "toolName").to_string();
        if tool.is_empty() {
            return self.error("tool metadata registration missing toolName");
        }
        if !self.facts.contract("tools").contains(&tool) {
            return self.error(format!("plugin must declare contracts.tools for tool metadata: {tool}"));
        }
        if let Some(known) = self.registry.tool_metadata.iter().find(|m| self.owns(&m.owner) && m.tool == tool) {
            return self.error(format!("tool metadata already registered: {tool} ({})", known.owner.id));
        }
        let parts = (optional_text(metadata, "displayName"), optional_text(metadata, "description"), optional_texts(metadata, "tags"));
        let risk = metadata.get("risk").map(|risk| risk.as_str().filter(|r| ["low", "medium", "high"].contains(r)));
        let (Ok(display_name), Ok(description), Ok(tags)) = parts else {
            return self.error(format!("tool metadata registration has invalid metadata: {tool}"));
        };
        if risk == Some(None) {
            return self.error(format!("tool metadata registration has invalid metadata: {tool}"));
        }
        let mut normalised = metadata.clone();
        set(&mut normalised, "toolName", Some(json!(tool)));
        set(&mut normalised, "displayName", display_name.map(Value::from));
        set(&mut normalised, "description", description.map(Value::from));
        set(&mut normalised, "tags", tags.map(Value::from));
        self.registry.tool_metadata.push(ToolMetadataEntry { owner: self.owner.clone(), tool, metadata: normalised });
    }
}

/// The names of the options and of a tool object, trimmed, first occurrence of each.
fn given_names(tool: &Value, options: &Value, factory: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let listed = options.get("names").and_then(Value::as_array).into_iter().flatten();
    let own = if factory { None } else { tool.get("name") };
    for name in listed.chain(options.get("name")).chain(own).map(|v| trimmed(Some(v))).filter(|n| !n.is_empty()) {
        if !names.iter().any(|n| n == name) {
            names.push(name.into());
        }
    }
    names
}
