//! Dependencies that nobody may install, by name, in a whole tree (INS-228 to INS-233).

mod manifest;
mod walk;

use std::path::{Path, PathBuf};

use crate::error::ScanError;
use crate::limits::TreeLimits;

/// The denied packages (INS-228).
pub const DENIED: [&str; 1] = ["plain-crypto-js"];

/// Where a denied name was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a `package.json`: its field, and the name under which it is declared when that is another one.
    Field {
        /// `name`, `dependencies`, `optionalDependencies`, `peerDependencies` or `overrides`.
        field: &'static str,
        /// The alias or the path of overrides.
        declared_as: Option<String>,
        /// The package that declares it, if it has a name.
        package: Option<String>,
    },
    /// A directory below `node_modules`.
    Directory,
    /// A file below `node_modules` that loads as a package.
    File,
}

/// A denied dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DenylistHit {
    /// Where.
    pub place: Place,
    /// The manifest, directory or file, from the root.
    pub path: PathBuf,
    /// The denied name.
    pub dependency: String,
}

/// All denied dependencies in a tree, manifests first.
///
/// # Errors
/// [`ScanError`] when the tree is too large, a link below `node_modules` leaves it, or it cannot be read; an install must then be refused.
pub fn denylisted_dependencies(root: &Path, limits: &TreeLimits) -> Result<Vec<DenylistHit>, ScanError> {
    let mut hits = walk::tree(root, limits)?;
    hits.sort();
    hits.dedup();
    Ok(hits)
}

/// What a refusal says after `<label> blocked: ` (INS-231); none without hits. As in the reference it tells one place: all names of the
/// first manifest, else the first directory, else the first file.
pub fn refusal(hits: &[DenylistHit]) -> Option<String> {
    let first = hits.first()?;
    let path = first.path.display();
    let name = &first.dependency;
    Some(match &first.place {
        Place::Directory => format!("blocked dependency directory \"{name}\" declared at {path}."),
        Place::File => format!("blocked dependency file alias \"{name}\" declared at {path}."),
        Place::Field { package, .. } => {
            let all: Vec<_> = hits.iter().filter(|hit| hit.path == first.path).filter_map(described).collect();
            let label = package.as_ref().map_or_else(|| path.to_string(), |package| format!("{package} ({path})"));
            format!("blocked dependencies {} declared in {label}.", all.join(", "))
        }
    })
}

fn described(hit: &DenylistHit) -> Option<String> {
    let name = &hit.dependency;
    match &hit.place {
        Place::Field { field: "name", .. } => Some(format!("\"{name}\" as package name")),
        Place::Field { field, declared_as: Some(alias), .. } => Some(format!("\"{name}\" via alias \"{alias}\" in {field}")),
        Place::Field { field, .. } => Some(format!("\"{name}\" in {field}")),
        _ => None,
    }
}

pub(crate) fn is_denied(name: &str) -> bool {
    DENIED.contains(&name)
}

/// Paths are compared without letter case: some file systems do so.
pub(crate) fn is_denied_path(name: &str) -> bool {
    DENIED.iter().any(|denied| denied.eq_ignore_ascii_case(name))
}
