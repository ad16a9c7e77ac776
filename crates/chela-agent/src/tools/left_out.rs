//! Why a tool is not in a list: one answer for all that keeps tools away (TOOL-F6).

use std::sync::Arc;

use chela_plugin::registry::Registry;

use super::{CORE_TOOLS, HostTool, ToolContext, ToolSet};
use crate::tool_policy::catalogue;

/// A tool that a session does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// The plugin that would bring it.
    pub plugin_id: Option<Arc<str>>,
    /// What keeps it away, for people.
    pub reason: String,
}

impl ToolSet {
    /// The tools that are not in this set, each with what keeps it away. The arguments are those the set was built from.
    pub fn left_out(&self, host_tools: &[Arc<dyn HostTool>], registry: &Registry, context: &ToolContext) -> Vec<LeftOut> {
        let mut out: Vec<LeftOut> = Vec::new();
        let own = CORE_TOOLS.iter().map(|tool| tool.name()).chain(host_tools.iter().map(|tool| tool.name()));
        for name in own.clone().filter(|name| self.get(name).is_none()) {
            out.push(LeftOut { name: name.into(), plugin_id: None, reason: why_own(name, context) });
        }
        for entry in &registry.tools {
            let names = if entry.names.is_empty() { &entry.declared } else { &entry.names };
            for name in names.iter().filter(|name| self.get(name).is_none()) {
                if out.iter().any(|known| known.name == *name && known.plugin_id.as_ref() == Some(&entry.owner.id)) {
                    continue;
                }
                let plugin = entry.owner.id.as_ref();
                let optional = entry.is_optional(name) && !context.policy.permits_plugin_tool(name, plugin, true);
                let reason = match context.policy.refused_by(name, Some(plugin)) {
                    Some(list) => refused(&list),
                    None if !context.is_there(entry, name) => "the conditions in the manifest of its plugin do not hold".into(),
                    None if optional => "it is optional: name it, its plugin or `group:plugins` in `tools.alsoAllow`".into(),
                    None if context.hides(name, false) => OWNERS.into(),
                    None => "its plugin does not offer it here".into(),
                };
                out.push(LeftOut { name: name.clone(), plugin_id: Some(entry.owner.id.clone()), reason });
            }
        }
        for name in catalogue::all().filter(|name| self.get(name).is_none() && own.clone().all(|own| own != *name)) {
            if !out.iter().any(|known| known.name == name) {
                out.push(LeftOut { name: name.into(), plugin_id: None, reason: "nothing here brings it".into() });
            }
        }
        out
    }
}

const OWNERS: &str = "only the operator may use it";

fn why_own(name: &str, context: &ToolContext) -> String {
    match context.policy.refused_by(name, None) {
        Some(list) => refused(&list),
        None if context.hides(name, false) => OWNERS.into(),
        None => "it has nothing to work with here: its settings, its model or a plugin for it are missing".into(),
    }
}

fn refused(list: &str) -> String {
    format!("`{list}` does not let it through")
}
