//! What this SDK carries and what releases of the reference carry: names of exports by subpath.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use crate::error::KitError;

/// Exports by subpath; `index` is the package's root and the root barrel.
pub type Exports = BTreeMap<String, BTreeSet<String>>;

const RELEASES: [(&str, &[u8]); 2] = [
    ("2026.5.12", include_bytes!(concat!(env!("OUT_DIR"), "/exports-2026.5.12.json.gz"))),
    ("2026.6.11", include_bytes!(concat!(env!("OUT_DIR"), "/exports-2026.6.11.json.gz"))),
];
const TYPES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/types-2026.6.11.json.gz"));
/// Names under which plugins know the SDK's package, as the worker's loader does.
const PACKAGES: [&str; 4] = ["openclaw", "clawdbot", "moltbot", "@openclaw/plugin-sdk"];

/// What one release of the reference exports.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its version.
    pub version: &'static str,
    /// Its exports that have a value; types are not among them.
    pub exports: Exports,
}

/// What the embedded SDK exports. The root has the names of every subpath but zod's: the worker's loader links them from there.
///
/// # Errors
/// [`KitError::Embedded`] when the program is damaged.
pub fn carried() -> Result<Exports, KitError> {
    let mut exports = listed()?;
    let everywhere: BTreeSet<String> =
        exports.iter().filter(|(subpath, _)| *subpath != "zod").flat_map(|(_, names)| names.iter().cloned()).collect();
    exports.entry("index".into()).or_default().extend(everywhere);
    Ok(exports)
}

/// What each file of the embedded SDK exports by itself.
///
/// # Errors
/// [`KitError::Embedded`] when the program is damaged.
pub fn listed() -> Result<Exports, KitError> {
    let text = chela_node::sdk::file("exports.json").ok_or_else(|| KitError::Embedded("exports.json".into()))?;
    serde_json::from_slice(&text).map_err(|_| KitError::Embedded("exports.json".into()))
}

/// What the known releases of the reference export, the oldest first.
///
/// # Errors
/// [`KitError::Embedded`] when the program is damaged.
pub fn releases() -> Result<Vec<Release>, KitError> {
    let read = |(version, packed): (&'static str, &[u8])| {
        let exports = unpacked(packed).ok_or_else(|| KitError::Embedded(version.into()))?;
        Ok(Release { version, exports })
    };
    RELEASES.into_iter().map(read).collect()
}

/// Names that the newest known release of the reference exports as types only, by subpath.
///
/// # Errors
/// [`KitError::Embedded`] when the program is damaged.
pub fn type_names() -> Result<Exports, KitError> {
    unpacked(TYPES).ok_or_else(|| KitError::Embedded("types-2026.6.11.json".into()))
}

/// The text of one of the SDK's files, named from its root.
///
/// # Errors
/// [`KitError::Embedded`] when there is none, or it is no text.
pub fn source(file: &str) -> Result<String, KitError> {
    let bytes = chela_node::sdk::file(file).ok_or_else(|| KitError::Embedded(file.into()))?;
    String::from_utf8(bytes.into_owned()).map_err(|_| KitError::Embedded(file.into()))
}

/// Exports as a packed list has them, by subpath as this program names it.
fn unpacked(packed: &[u8]) -> Option<Exports> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).ok()?;
    let listed: Exports = serde_json::from_str(&text).ok()?;
    let mut exports = Exports::new();
    for (key, names) in listed {
        let key = key.trim_start_matches("./");
        let subpath = if matches!(key, "." | "" | "plugin-sdk") { "index" } else { key };
        exports.entry(subpath.into()).or_default().extend(names);
    }
    Some(exports)
}

/// The subpath that a specifier names: `openclaw/plugin-sdk/x` is `x`, `openclaw` is `index`. `None` when it is not the SDK's.
pub fn subpath_of(specifier: &str) -> Option<String> {
    let rest = PACKAGES.iter().find_map(|package| {
        let rest = specifier.strip_prefix(package)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
    })?;
    if rest.ends_with("package.json") {
        return None;
    }
    let rest = if rest == "plugin-sdk" { "" } else { rest.strip_prefix("plugin-sdk/").unwrap_or(rest) };
    let rest = [".js", ".ts", ".mjs"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    Some(if rest.is_empty() { "index".into() } else { rest.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_name_subpaths_as_the_loader_reads_them() {
        for (specifier, want) in [
            ("openclaw", Some("index")),
            ("openclaw/plugin-sdk", Some("index")),
            ("openclaw/plugin-sdk/core", Some("core")),
            ("openclaw/plugin-sdk/core.js", Some("core")),
            ("clawdbot/plugin-sdk/core", Some("core")),
            ("@openclaw/plugin-sdk/core", Some("core")),
            ("openclaw/extension-api", Some("extension-api")),
            ("openclaw/package.json", None),
            ("openclaws", None),
            ("./openclaw", None),
        ] {
            assert_eq!(subpath_of(specifier).as_deref(), want, "{specifier}");
        }
    }

    #[test]
    fn both_releases_and_the_sdk_can_be_read() {
        let releases = releases().unwrap();
        assert_eq!(releases.iter().map(|one| one.version).collect::<Vec<_>>(), ["2026.5.12", "2026.6.11"]);
        let carried = carried().unwrap();
        for release in &releases {
            assert!(release.exports.len() > 290, "{}", release.version);
            assert!(release.exports["plugin-entry"].contains("definePluginEntry"));
            assert!(!release.exports.keys().any(|key| key.starts_with('.')));
        }
        assert!(carried["plugin-entry"].contains("definePluginEntry") && carried["index"].contains("retryAsync"));
    }
}
