//! Reading the manifest and package file of one directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_manifest::{MANIFEST_FILE_NAME, MAX_MANIFEST_BYTES, Manifest, PackageMeta, parse_manifest, parse_package};

use crate::diagnostic::{Diagnostic, Level};
use crate::fsio::{MAX_PACKAGE_BYTES, ReadFailure, read_root_file};

/// What became of a native manifest.
#[derive(Debug)]
pub(crate) enum ManifestLoad {
    /// Read and valid.
    Ok { manifest: Arc<Manifest>, path: PathBuf },
    /// No file (MAN-005).
    Missing { path: PathBuf },
    /// Not usable; the id is kept where known.
    Broken { message: String, plugin_id: Option<String>, path: PathBuf },
}

impl ManifestLoad {
    /// The plugin id, where known.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Ok { manifest, .. } => Some(&manifest.id),
            Self::Missing { .. } => None,
            Self::Broken { plugin_id, .. } => plugin_id.as_deref(),
        }
    }

    /// The error to report for a candidate that needs this manifest.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
        match self {
            Self::Ok { .. } => None,
            Self::Missing { path } => {
                let message = format!("plugin manifest not found: {}", path.display());
                Some(Diagnostic::new(Level::Error, "manifest-missing", message).at(path))
            }
            Self::Broken { message, plugin_id, path } => {
                Some(Diagnostic::new(Level::Error, "manifest-invalid", message.clone()).plugin(plugin_id.as_deref()).at(path))
            }
        }
    }
}

/// Reads `openclaw.plugin.json` of a real directory (MAN-001, MAN-004, MAN-005, MAN-008, MAN-009).
pub(crate) fn manifest(root: &Path, reject_hardlinks: bool) -> ManifestLoad {
    let path = root.join(MANIFEST_FILE_NAME);
    let shown = path.display();
    let broken = |message: String, plugin_id: Option<String>| ManifestLoad::Broken { message, plugin_id, path: path.clone() };
    match read_root_file(root, MANIFEST_FILE_NAME, reject_hardlinks, MAX_MANIFEST_BYTES) {
        Ok(bytes) => match parse_manifest(&bytes) {
            Ok(parsed) => ManifestLoad::Ok { manifest: Arc::new(parsed.manifest), path },
            Err(error) => broken(error.to_string(), error.plugin_id().map(str::to_owned)),
        },
        Err(ReadFailure::Missing) => ManifestLoad::Missing { path },
        Err(ReadFailure::Unsafe(why)) => {
            let message = format!("unsafe plugin manifest path: {shown} (validation): {why}");
            broken(message, None)
        }
        Err(ReadFailure::Io(why)) => broken(format!("unsafe plugin manifest path: {shown} (io): {why}"), None),
    }
}

/// Reads `package.json` of a real directory. A file that cannot be used counts as absent, with a
/// warning, so that a default index is still found.
pub(crate) fn package(root: &Path, reject_hardlinks: bool, diagnostics: &mut Vec<Diagnostic>) -> Option<Arc<PackageMeta>> {
    let why = match package_bytes(root, reject_hardlinks) {
        Ok(Some(bytes)) => match parse_package(&bytes) {
            Ok(package) => return Some(Arc::new(package)),
            Err(error) => error.to_string(),
        },
        Ok(None) => return None,
        Err(why) => why,
    };
    let path = root.join("package.json");
    let message = format!("{why}; the file is ignored");
    diagnostics.push(Diagnostic::new(Level::Warn, "package-ignored", message).at(&path));
    None
}

/// The bytes of `package.json`; nothing when there is none, a reason when it may not or cannot be read.
pub(crate) fn package_bytes(root: &Path, reject_hardlinks: bool) -> Result<Option<Vec<u8>>, String> {
    match read_root_file(root, "package.json", reject_hardlinks, MAX_PACKAGE_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadFailure::Missing) => Ok(None),
        Err(ReadFailure::Unsafe(why)) => Err(format!("unsafe package.json: {why}")),
        Err(ReadFailure::Io(why)) => Err(format!("unreadable package.json: {why}")),
    }
}
