//! Catalogues of channels that packages outside could bring (MAN-223): files that an operator or a mirror puts in place.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use chela_manifest::{PackageChannel, PackageMeta, parse_package};
use serde_json::{Value, json};

use crate::inputs::CatalogInputs;

/// The largest catalogue that is read, in bytes: it lists names and specs.
const MAX_CATALOG_BYTES: u64 = 4 * 1024 * 1024;

/// Variables that replace the default files by a list of paths; the first that is set counts.
const PATH_VARIABLES: [&str; 2] = ["OPENCLAW_PLUGIN_CATALOG_PATHS", "OPENCLAW_MPM_CATALOG_PATHS"];

/// The default files, below the state directory.
const DEFAULT_FILES: [&str; 3] = ["mpm/plugins.json", "mpm/catalog.json", "plugins/catalog.json"];

/// One channel of a catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelCatalogEntry {
    /// Channel id.
    pub id: String,
    /// Name of the package.
    pub package: Option<String>,
    /// What the package says about the channel.
    pub channel: PackageChannel,
    /// ClawHub spec, when the entry has one.
    pub clawhub_spec: Option<String>,
    /// npm spec; the package's name when the entry names none.
    pub npm_spec: Option<String>,
}

impl ChannelCatalogEntry {
    /// What `plugins install` takes: the spec of the entry's default choice.
    pub fn install_spec(&self) -> &str {
        self.clawhub_spec.as_deref().or(self.npm_spec.as_deref()).unwrap_or(&self.id)
    }
}

/// The catalogues of one set of inputs; the files are read when somebody asks for the first time.
#[derive(Debug)]
pub struct ExternalCatalog {
    paths: Vec<PathBuf>,
    entries: OnceCell<Vec<ChannelCatalogEntry>>,
}

impl ExternalCatalog {
    /// Settles which files count; reads nothing.
    pub fn new(inputs: &CatalogInputs) -> Self {
        let named = PATH_VARIABLES.iter().find_map(|name| inputs.env.get(*name).filter(|text| !text.trim().is_empty()));
        let paths = match named {
            Some(text) => {
                text.split([';', ',', ':']).map(str::trim).filter(|path| !path.is_empty()).map(|path| inputs.user_path(path)).collect()
            }
            None => DEFAULT_FILES.iter().map(|file| inputs.state_dir.join(file)).collect(),
        };
        Self { paths, entries: OnceCell::new() }
    }

    /// All usable entries, in the order of the files; a file that is missing, too large or no JSON has none.
    pub fn entries(&self) -> &[ChannelCatalogEntry] {
        self.entries.get_or_init(|| self.paths.iter().filter_map(|path| read(path)).flat_map(|file| rows(&file)).collect())
    }

    /// The first entry of a channel.
    pub fn channel(&self, id: &str) -> Option<&ChannelCatalogEntry> {
        self.entries().iter().find(|entry| entry.id == id)
    }
}

fn read(path: &Path) -> Option<Value> {
    let stat = path.metadata().ok()?;
    if !stat.is_file() || stat.len() > MAX_CATALOG_BYTES {
        return None;
    }
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

/// A list, or the list under the first of the known keys.
fn rows(file: &Value) -> Vec<ChannelCatalogEntry> {
    let keyed = || ["entries", "packages", "plugins"].iter().find_map(|key| file.get(key).filter(|list| !list.is_null()));
    let list = if file.is_array() { Some(file) } else { keyed() };
    list.and_then(Value::as_array).into_iter().flatten().filter_map(entry).collect()
}

/// An entry has the shape of a `package.json`, so it is read as one.
fn entry(row: &Value) -> Option<ChannelCatalogEntry> {
    let known = json!({"name": row.get("name"), "openclaw": row.get("openclaw")});
    let package: PackageMeta = parse_package(known.to_string().as_bytes()).ok()?;
    let channel = package.channel?;
    // Without a label no list could show it, without a source nobody could install it.
    channel.label.as_ref()?;
    let id = channel.id.clone()?;
    let npm_spec = package.install.npm_spec.or_else(|| package.name.clone());
    let usable = npm_spec.is_some() || package.install.clawhub_spec.is_some();
    let choice = package.install.default_choice.as_deref();
    let clawhub_spec = package.install.clawhub_spec.filter(|_| choice != Some("npm") || npm_spec.is_none());
    usable.then_some(ChannelCatalogEntry { id, package: package.name, channel, clawhub_spec, npm_spec })
}
