//! From a resolved tree to files: archives into the store, and `node_modules` laid out from there.
//!
//! Dependencies are hard links into the store (copies where the file system says no); the root package is
//! copied, because its files must be nobody else's. Files are read-only, and nothing is run.

mod bins;
mod files;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use crate::client::NpmClient;
use crate::error::{NpmError, blocking};
use crate::packument::Manifest;
use crate::progress::{NoteLevel, Step};
use crate::resolve::Resolution;
use crate::store::StoredPackage;

/// A tree whose archives are all in the store.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The tree, without optional packages that could not be had.
    pub resolution: Resolution,
    /// Archives by location; bundled packages and a local root have none.
    pub stored: BTreeMap<String, Arc<StoredPackage>>,
}

/// What was laid out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// Files, all together.
    pub files: u64,
    /// Of them, files that are links into the store.
    pub linked: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Packages whose scripts would run under npm; they did not (`name@version`, sorted).
    pub install_scripts: Vec<String>,
    /// Packages whose archives hold links, which were left out (`name@version`, sorted).
    pub skipped_links: Vec<String>,
}

impl NpmClient {
    /// Brings all archives of a tree into the store, in parallel. An optional package that cannot be had is
    /// left out with a warning.
    ///
    /// # Errors
    /// What [`NpmClient::fetch`] fails with, for a package that is required.
    pub async fn fetch_tree(&self, resolution: Resolution) -> Result<Fetched, NpmError> {
        let mut places: BTreeMap<String, (Arc<Manifest>, Vec<String>)> = BTreeMap::new();
        for (location, package) in resolution.packages.iter().filter(|(_, package)| !package.bundled) {
            // A root that comes as files has no archive.
            if *location == resolution.root && package.manifest.dist.tarball.is_empty() {
                continue;
            }
            let entry = places.entry(package.manifest.id()).or_insert_with(|| (package.manifest.clone(), Vec::new()));
            entry.1.push(location.clone());
        }
        self.progress().begin(Step::Download, None);
        self.progress().begin(Step::Extract, Some(places.len() as u64));
        let fetches = stream::iter(places.into_values())
            .map(|(manifest, locations)| async move { (self.fetch(&manifest).await, manifest, locations) });
        // More than the connections: unpacking overlaps with them.
        let results: Vec<_> = fetches.buffer_unordered(self.settings().concurrency * 2).collect().await;
        self.progress().end(Step::Download);
        self.progress().end(Step::Extract);
        let mut fetched = Fetched { resolution, stored: BTreeMap::new() };
        for (result, manifest, locations) in results {
            match result {
                Ok(stored) => fetched.stored.extend(locations.into_iter().map(|location| (location, stored.clone()))),
                Err(error) => fetched.leave_out(&manifest, &locations, error)?,
            }
        }
        let kept = &fetched.resolution.packages;
        fetched.stored.retain(|location, _| kept.contains_key(location));
        for warning in &fetched.resolution.warnings {
            self.progress().note(NoteLevel::Warn, warning);
        }
        Ok(fetched)
    }

    /// Lays a tree out below `into`, which must not hold a `node_modules` yet. The files of a local root are
    /// the caller's to place at its location.
    ///
    /// # Errors
    /// [`NpmError::Io`]; what was written stays, so `into` should be a directory to throw away.
    pub async fn materialise(&self, fetched: &Fetched, into: &Path) -> Result<Placed, NpmError> {
        let (fetched, store, into) = (fetched.clone(), self.store().clone(), into.to_path_buf());
        self.progress().begin(Step::Materialise, Some(fetched.stored.len() as u64));
        let client = self.clone();
        let placed = blocking(move || files::lay_out(&fetched, &store, &into, || client.progress().advance(Step::Materialise, 1))).await;
        self.progress().end(Step::Materialise);
        placed
    }
}

impl Fetched {
    fn leave_out(&mut self, manifest: &Manifest, locations: &[String], error: NpmError) -> Result<(), NpmError> {
        for location in locations {
            let Some(package) = self.resolution.packages.get(location) else { continue };
            if !package.optional || !error.spares_optional() || self.resolution.without(location).is_err() {
                return Err(error);
            }
        }
        self.resolution.warnings.push(format!("left out optional `{}`: {error}", manifest.id()));
        Ok(())
    }

    /// Packages that have install scripts, or sources that npm would build.
    fn with_install_scripts(&self) -> Vec<String> {
        let builds =
            |location: &str| self.stored.get(location).is_some_and(|stored| stored.files.iter().any(|file| file.path == "binding.gyp"));
        let packages = self.resolution.packages.iter();
        let mut ids: Vec<String> =
            packages.filter(|(location, p)| p.manifest.has_install_script || builds(location)).map(|(_, p)| p.manifest.id()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The stored package that brings the files of `location`: its own, or the one that bundles it, with the
    /// path inside it.
    fn owner_of(&self, location: &str) -> Option<(&str, String)> {
        let mut owner = location;
        loop {
            if let Some((own, _)) = self.stored.get_key_value(owner) {
                return Some((own, location[own.len()..].trim_start_matches('/').to_owned()));
            }
            owner = owner[..owner.rfind("node_modules/")?].trim_end_matches('/');
        }
    }
}

/// Files of stored packages that are programs, by location of the owner.
type Programs = HashMap<String, Vec<String>>;
