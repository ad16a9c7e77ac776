//! MCP and LSP servers that a bundle names (BUN-072..BUN-075, BUN-117..BUN-119). They are listed, not started.

use std::path::Path;

use chela_config::merge_patch;
use chela_manifest::parse_object;
use serde_json::{Map, Value, json};

use super::content::{BundleContent, paths};
use crate::fsio::{MAX_PACKAGE_BYTES, ReadFailure, read_inside};

/// Servers of one kind, and what kept a file from being read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Servers {
    /// Name to settings; entries that are no objects are dropped (BUN-074).
    pub servers: Map<String, Value>,
    /// One line for each file that could not be used.
    pub problems: Vec<String>,
}

impl Servers {
    /// `{name, hasStdioTransport}` of each, those that can be started first (BUN-135).
    pub fn rows(&self) -> Vec<Value> {
        let row = |name: &String, stdio: bool| json!({"name": name, "hasStdioTransport": stdio});
        let (stdio, other): (Vec<_>, Vec<_>) = self.servers.iter().partition(|(_, entry)| has_command(entry));
        stdio.into_iter().map(|(name, _)| row(name, true)).chain(other.into_iter().map(|(name, _)| row(name, false))).collect()
    }

    /// Names of those that have no command.
    pub fn without_command(&self) -> Vec<&str> {
        self.servers.iter().filter(|(_, entry)| !has_command(entry)).map(|(name, _)| name.as_str()).collect()
    }
}

fn has_command(entry: &Value) -> bool {
    entry.get("command").and_then(Value::as_str).is_some_and(|command| !command.trim().is_empty())
}

/// MCP servers: `.mcp.json`, then files that the manifest names, then the manifest's own; a later one changes an earlier one by merge
/// patch (BUN-072).
pub(crate) fn mcp(root: &Path, content: &BundleContent) -> Servers {
    collect(root, ".mcp.json", content.mcp_servers.as_ref(), &["mcpServers", "servers"])
}

/// LSP servers, in the same way. The reference passes over those that stand in the manifest itself (BUN-155); here they count.
pub(crate) fn lsp(root: &Path, content: &BundleContent) -> Servers {
    collect(root, ".lsp.json", content.lsp_servers.as_ref(), &["lspServers"])
}

fn collect(root: &Path, default: &str, declared: Option<&Value>, keys: &[&str]) -> Servers {
    let mut out = Servers::default();
    let mut all = Value::Object(Map::new());
    for file in std::iter::once(default.to_owned()).chain(paths(declared)) {
        match read_inside(root, &file, MAX_PACKAGE_BYTES).map(|bytes| parse_object(&bytes)) {
            Ok(Ok(fields)) => merge_patch(&mut all, &servers_of(fields, keys)),
            Ok(Err(error)) => out.problems.push(format!("failed to parse {file}: {error}")),
            Err(ReadFailure::Missing) => {}
            Err(ReadFailure::Unsafe(_)) => out.problems.push(format!("unable to read {file}: validation")),
            Err(ReadFailure::Io(why)) => out.problems.push(format!("unable to read {file}: {why}")),
        }
    }
    if let Some(inline @ Value::Object(_)) = declared {
        merge_patch(&mut all, &objects(inline.as_object()));
    }
    if let Value::Object(servers) = all {
        out.servers = servers;
    }
    out
}

/// The map under the first known key that holds one, else the file itself (BUN-073).
fn servers_of(fields: Map<String, Value>, keys: &[&str]) -> Value {
    let nested = keys.iter().find_map(|key| fields.get(*key).and_then(Value::as_object));
    objects(Some(nested.unwrap_or(&fields)))
}

fn objects(map: Option<&Map<String, Value>>) -> Value {
    let entries = map.into_iter().flatten().filter(|(_, entry)| entry.is_object());
    Value::Object(entries.map(|(name, entry)| (name.clone(), entry.clone())).collect())
}
