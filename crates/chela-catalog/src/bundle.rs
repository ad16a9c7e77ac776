//! Codex, Cursor and Claude bundles: detection and identity (BUN-001..BUN-008, BUN-013..BUN-024).
//!
//! Only what a listing needs is read here. No code of a bundle is ever run by this crate.

mod content;
pub(crate) mod servers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::entries::DEFAULT_ENTRIES;
use crate::fsio::{MAX_PACKAGE_BYTES, ReadFailure, read_root_file};
use crate::record::{PluginRecord, Status};

pub use content::BundleContent;

/// Layout of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleFormat {
    /// `.codex-plugin/plugin.json`.
    Codex,
    /// `.cursor-plugin/plugin.json`.
    Cursor,
    /// `.claude-plugin/plugin.json`, or the default Claude layout without a manifest.
    Claude,
}

impl BundleFormat {
    /// The name that JSON output uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Codex => "codex",
            Self::Cursor => "cursor",
            Self::Claude => "claude",
        }
    }

    /// Capabilities that the reference counts as having an effect (BUN-138); the others are told about (BUN-137, BUN-139).
    pub(crate) fn is_wired(self, capability: &str) -> bool {
        match capability {
            "skills" | "mcpServers" | "settings" => true,
            "commands" | "agents" | "outputStyles" | "lspServers" => self != Self::Codex,
            "hooks" => self != Self::Cursor,
            _ => false,
        }
    }

    fn marker_dir(self) -> &'static str {
        match self {
            Self::Codex => ".codex-plugin",
            Self::Cursor => ".cursor-plugin",
            Self::Claude => ".claude-plugin",
        }
    }
}

/// Identity and content of a bundle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BundleInfo {
    pub format: BundleFormat,
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub version: Option<String>,
    pub manifest_path: PathBuf,
    pub content: Arc<BundleContent>,
}

/// A marker file that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BundleError {
    pub message: String,
    pub manifest_path: PathBuf,
}

/// What is enough for a Claude bundle without a manifest (BUN-004).
const CLAUDE_LAYOUT: [&str; 7] = ["skills", "commands", "agents", "hooks/hooks.json", ".mcp.json", ".lsp.json", "settings.json"];

/// Which bundle format a directory has, if any (BUN-002, BUN-003).
pub(crate) fn detect(root: &Path) -> Option<BundleFormat> {
    let formats = [BundleFormat::Codex, BundleFormat::Cursor, BundleFormat::Claude];
    for format in formats {
        if root.join(format.marker_dir()).join("plugin.json").exists() {
            return Some(format);
        }
    }
    let native = root.join(chela_manifest::MANIFEST_FILE_NAME).exists() || DEFAULT_ENTRIES.iter().any(|name| root.join(name).exists());
    let layout = || CLAUDE_LAYOUT.iter().any(|name| root.join(name).exists());
    (!native && layout()).then_some(BundleFormat::Claude)
}

/// Reads the identity of a bundle (BUN-013..BUN-024).
pub(crate) fn load(root: &Path, format: BundleFormat, reject_hardlinks: bool) -> Result<BundleInfo, BundleError> {
    let dir = root.join(format.marker_dir());
    let manifest_path = dir.join("plugin.json");
    let fail = |message: String| BundleError { message, manifest_path: manifest_path.clone() };
    let inside = crate::fsio::real_path(&dir).is_none_or(|real| real.starts_with(root));
    if !inside {
        let shown = manifest_path.display();
        return Err(fail(format!("unsafe plugin manifest path: {shown} (validation): directory leaves the plugin root")));
    }
    let fields = match read_root_file(&dir, "plugin.json", reject_hardlinks, MAX_PACKAGE_BYTES) {
        Ok(bytes) => parse(&bytes).map_err(fail)?,
        Err(ReadFailure::Missing) if format == BundleFormat::Claude => Map::new(),
        Err(ReadFailure::Missing) => {
            let shown = manifest_path.display();
            return Err(fail(format!("plugin manifest not found: {shown}")));
        }
        Err(ReadFailure::Unsafe(why) | ReadFailure::Io(why)) => {
            let shown = manifest_path.display();
            return Err(fail(format!("unsafe plugin manifest path: {shown} (validation): {why}")));
        }
    };
    let text = |key: &str| text_of(fields.get(key));
    let name = text("name");
    let base = root.file_name().map(|name| name.to_string_lossy());
    Ok(BundleInfo {
        format,
        id: bundle_id(name.as_deref(), base.as_deref().unwrap_or_default()),
        description: text("description")
            .or_else(|| text("shortDescription"))
            .or_else(|| text_of(fields.get("interface")?.get("shortDescription"))),
        version: text("version"),
        content: Arc::new(content::read(root, format, &fields)),
        name,
        manifest_path,
    })
}

/// Directories of an enabled bundle in which hooks are looked for, as written and not yet checked (BUN-032). A Codex bundle has
/// `hooks/` unless it names others; a Claude bundle those that it names; a Cursor bundle none (BUN-044).
pub fn hook_dirs(plugin: &PluginRecord) -> Vec<String> {
    let Some(format) = plugin.bundle_format.filter(|_| plugin.status == Status::Loaded) else { return Vec::new() };
    let dir = plugin.root_dir.join(format.marker_dir());
    let fields = read_root_file(&dir, "plugin.json", false, MAX_PACKAGE_BYTES).ok().and_then(|bytes| parse(&bytes).ok());
    let declared = match fields.as_ref().and_then(|fields| fields.get("hooks")) {
        Some(Value::String(one)) => vec![one.trim().to_owned()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(|path| path.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    let declared: Vec<String> = declared.into_iter().filter(|path| !path.is_empty()).collect();
    match format {
        BundleFormat::Cursor => Vec::new(),
        BundleFormat::Codex if declared.is_empty() && plugin.root_dir.join("hooks").exists() => vec!["hooks".to_owned()],
        BundleFormat::Codex | BundleFormat::Claude => declared,
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match chela_manifest::parse_object(bytes) {
        Ok(fields) => Ok(fields),
        Err(error) => Err(error.to_string()),
    }
}

fn text_of(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The id of a bundle: its name, else the directory's, made safe (BUN-018, BUN-019).
fn bundle_id(name: Option<&str>, base: &str) -> String {
    [name.unwrap_or_default(), base].into_iter().map(slug).find(|id| !id.is_empty()).unwrap_or_else(|| "bundle-plugin".to_owned())
}

fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // BUN-018, BUN-019, BUN-021
    #[test]
    fn ids() {
        assert_eq!(bundle_id(Some("Claude_Pack!!"), "x"), "claude-pack");
        assert_eq!(bundle_id(None, "Bare_Dir"), "bare-dir");
        assert_eq!(bundle_id(Some("!!"), "ok"), "ok");
        assert_eq!(bundle_id(None, "__"), "bundle-plugin");
    }

    // BUN-016
    #[test]
    fn only_claude_needs_no_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for format in [BundleFormat::Codex, BundleFormat::Cursor] {
            let error = load(&root, format, true).unwrap_err();
            assert_eq!(error.message, format!("plugin manifest not found: {}", error.manifest_path.display()));
        }
        let claude = load(&root, BundleFormat::Claude, true).unwrap();
        assert_eq!((claude.name, claude.version, claude.content.capabilities.len()), (None, None, 0));
    }

    // BUN-001, BUN-002, BUN-003, BUN-004, BUN-005, BUN-006, BUN-013, BUN-022, BUN-023
    #[test]
    fn detection_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(detect(&root), None);
        fs_err::write(root.join("settings.json"), "{}").unwrap();
        assert_eq!(detect(&root), Some(BundleFormat::Claude));
        fs_err::write(root.join("index.mjs"), "").unwrap();
        assert_eq!(detect(&root), None);
        for (format, expected) in
            [(".claude-plugin", BundleFormat::Claude), (".cursor-plugin", BundleFormat::Cursor), (".codex-plugin", BundleFormat::Codex)]
        {
            fs_err::create_dir(root.join(format)).unwrap();
            let text = "{name: 'My Pack', interface: {shortDescription: 'short'}}";
            fs_err::write(root.join(format).join("plugin.json"), text).unwrap();
            assert_eq!(detect(&root), Some(expected));
            let info = load(&root, expected, true).unwrap();
            assert_eq!(info.id, "my-pack");
            assert_eq!(info.name.as_deref(), Some("My Pack"));
            assert_eq!(info.description.as_deref(), Some("short"));
        }
    }
}
