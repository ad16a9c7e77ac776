//! What `plugins inspect` says about a bundle: capabilities, servers, and what comes of them (BUN-134..BUN-142).

use serde_json::Value;

use crate::bundle::servers::{self, Servers};
use crate::diagnostic::{Diagnostic, Level};
use crate::record::{BundleFormat, PluginRecord};

/// Rows and findings; empty for everything that is no bundle.
#[derive(Debug, Default)]
pub(crate) struct BundleFacts {
    pub mcp: Vec<Value>,
    pub lsp: Vec<Value>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The names that the bundle announces, in the order of its format (BUN-134).
pub(crate) fn capabilities(plugin: &PluginRecord) -> Value {
    let names = plugin.bundle.iter().flat_map(|bundle| &bundle.capabilities);
    names.map(|name| Value::from(*name)).collect()
}

/// Reads the files of an MCP or LSP list; of a bundle that is off nothing is told (BUN-141).
pub(crate) fn read(plugin: &PluginRecord) -> BundleFacts {
    let (Some(bundle), Some(format)) = (&plugin.bundle, plugin.bundle_format) else { return BundleFacts::default() };
    let mcp = servers::mcp(&plugin.root_dir, bundle);
    let lsp = match format {
        BundleFormat::Claude => servers::lsp(&plugin.root_dir, bundle),
        BundleFormat::Codex | BundleFormat::Cursor => Servers::default(),
    };
    let mut diagnostics = Vec::new();
    let mut push = |level: Level, code: &'static str, message: String| {
        diagnostics.push(Diagnostic::new(level, code, message).plugin(Some(&plugin.id)).at(&plugin.root_dir));
    };
    if plugin.enabled {
        for capability in bundle.capabilities.iter().filter(|capability| !format.is_wired(capability)) {
            let message = format!("bundle capability detected but not wired into OpenClaw yet: {capability}");
            push(Level::Warn, "bundle-capability-unwired", message);
        }
        // The hooks of a Codex bundle are hook files, which are run (`chela-hook-files`); those of Claude are a list of their own kind.
        let is_run = |capability: &str| format == BundleFormat::Codex && capability == "hooks";
        let read: Vec<&str> = bundle.capabilities.iter().copied().filter(|c| format.is_wired(c) && !is_run(c)).collect();
        if !read.is_empty() {
            // The reference is silent about what it only recognises (BUN-157..BUN-160).
            let message = format!("content of the bundle is read and listed, and not run by this host yet: {}", read.join(", "));
            push(Level::Info, "bundle-content-not-run", message);
        }
        let remote = mcp.without_command();
        if !remote.is_empty() {
            let message =
                format!("bundle MCP servers use unsupported transports or incomplete configs (stdio only today): {}", remote.join(", "));
            push(Level::Warn, "bundle-mcp-transport", message);
        }
        for problem in mcp.problems.iter().chain(&lsp.problems) {
            push(Level::Warn, "bundle-servers-unreadable", problem.clone());
        }
    }
    BundleFacts { mcp: mcp.rows(), lsp: lsp.rows(), diagnostics }
}
