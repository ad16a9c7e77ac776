//! `node_modules/.bin`: links to the programs of packages.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{Fetched, Programs};
use crate::error::{NpmError, below};

/// One link to make.
pub(super) struct BinLink {
    /// Place of the link, relative to the tree.
    place: String,
    /// What it says, relative to its directory.
    target: String,
}

/// The links of a tree, and the files that must be executable for them. The first package in the order of
/// places wins a name, the root package before all others.
pub(super) fn plan(fetched: &Fetched) -> (Vec<BinLink>, Programs) {
    let resolution = &fetched.resolution;
    let root = resolution.packages.get_key_value(&resolution.root);
    let others = resolution.packages.iter().filter(|(location, _)| **location != resolution.root);
    let mut links: BTreeMap<String, BinLink> = BTreeMap::new();
    let mut programs = Programs::new();
    for (location, package) in root.into_iter().chain(others) {
        let level = location.strip_suffix(package.name.as_str()).unwrap_or(location);
        for (name, path) in &package.manifest.bin {
            let place = format!("{level}.bin/{name}");
            if links.contains_key(&place) {
                continue;
            }
            if let Some((owner, inside)) = fetched.owner_of(location) {
                let file = if inside.is_empty() { path.clone() } else { format!("{inside}/{path}") };
                let exists = fetched.stored.get(owner).is_some_and(|stored| stored.files.iter().any(|stored| stored.path == file));
                if !exists {
                    continue;
                }
                programs.entry(owner.to_owned()).or_default().push(file);
            }
            links.insert(place.clone(), BinLink { place, target: format!("../{}/{path}", package.name) });
        }
    }
    (links.into_values().collect(), programs)
}

pub(super) fn make(links: &[BinLink], into: &Path) -> Result<(), NpmError> {
    for link in links {
        let place = below(into, &link.place);
        if let Some(dir) = place.parent() {
            fs_err::create_dir_all(dir)?;
        }
        symlink(&link.target, &place).map_err(|error| NpmError::io("make the link", &place, &error))?;
    }
    Ok(())
}
