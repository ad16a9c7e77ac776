//! The whole tree of a package: which versions, and in which `node_modules` each of them lies.
//!
//! npm decides both at once: a version that is already visible and satisfies is taken, and a new one goes as
//! high as it can. So does this, breadth first and in npm's order, since authors test their packages with the
//! trees that npm makes. Versions, peers, optional packages, aliases, bundles and overrides follow npm 7 and
//! later, with one exception: peers that fit nowhere are a warning, never an error.

mod driver;
mod output;
mod place;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::{NpmClient, Selected};
use crate::error::NpmError;
use crate::overrides::Overrides;
use crate::packument::{Manifest, Packument};
use crate::store::StoredPackage;

/// What to resolve.
#[derive(Debug, Clone)]
pub struct ResolveRequest {
    /// The package that everything is for.
    pub root: Root,
    /// Other versions for dependencies anywhere below the root.
    pub overrides: Overrides,
    /// Peers that the host itself provides: never installed, never missed.
    pub host_peers: Vec<String>,
}

/// The package at the top of a tree.
#[derive(Debug, Clone)]
pub enum Root {
    /// A version in the registry.
    Registry(Selected),
    /// Files that the caller has: a directory, a checkout, an unpacked archive.
    Local {
        /// Its package.json.
        manifest: Arc<Manifest>,
        /// Where its files are, to find the packages that it bundles in its own `node_modules`.
        dir: Option<PathBuf>,
    },
}

/// A resolved tree. Locations use `/` and start with `node_modules/`.
#[derive(Debug, Clone, Default)]
pub struct Resolution {
    /// All packages by location.
    pub packages: BTreeMap<String, ResolvedPackage>,
    /// Location of the root package.
    pub root: String,
    /// What was left out or does not fit, each a sentence for the user.
    pub warnings: Vec<String>,
}

/// One package at one place.
#[derive(Debug, Clone)]
pub struct ResolvedPackage {
    /// Name of its directory, an alias included.
    pub name: String,
    /// What it is.
    pub manifest: Arc<Manifest>,
    /// Only optional dependencies need it: it may be missing.
    pub optional: bool,
    /// Its files lie in the tarball of a package above it.
    pub bundled: bool,
    /// Its dependencies: name, location and whether it does without.
    pub dependencies: Vec<ResolvedDependency>,
}

/// Where a dependency was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedDependency {
    /// The name that is required.
    pub name: String,
    /// The location that Node finds for it.
    pub location: String,
    /// The dependent works without it.
    pub optional: bool,
}

impl NpmClient {
    /// Decides the whole tree of a package. Reads metadata, and archives only of packages that bundle others.
    ///
    /// # Errors
    /// [`NpmError::Unresolved`], [`NpmError::Dependency`], [`NpmError::Platform`] when a required package cannot be
    /// had, [`NpmError::TooLarge`] for trees beyond the limit, and what requests fail with.
    pub async fn resolve(&self, request: &ResolveRequest) -> Result<Resolution, NpmError> {
        let warm = crate::warm::Warmer::new(self.clone(), request.host_peers.clone());
        let source = Online { client: self, warm: &warm };
        let resolved = driver::Driver::new(&source, request, self.platform(), self.preference(), self.progress()).run().await;
        warm.stop();
        resolved
    }
}

/// Where the resolver learns of packages.
pub(crate) trait Source: Sync {
    fn packument(&self, name: &str) -> impl Future<Output = Result<Arc<Packument>, NpmError>> + Send;
    /// The files of a package that bundles others.
    fn files(&self, manifest: &Manifest) -> impl Future<Output = Result<Bundle, NpmError>> + Send;
    /// A package was chosen; its dependencies will be asked for.
    fn chosen(&self, _manifest: &Arc<Manifest>) {}
}

/// The package.json files of bundled packages: path of the package inside its bundle, and content.
pub(crate) type Bundle = Vec<(String, serde_json::Value)>;

struct Online<'a> {
    client: &'a NpmClient,
    warm: &'a crate::warm::Warmer,
}

impl Source for Online<'_> {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, NpmError> {
        self.client.packument(name).await
    }

    async fn files(&self, manifest: &Manifest) -> Result<Bundle, NpmError> {
        let stored = self.client.fetch(manifest).await?;
        let store = self.client.store().clone();
        crate::error::blocking(move || Ok(bundle_of(&store, &stored))).await
    }

    fn chosen(&self, manifest: &Arc<Manifest>) {
        self.warm.follow(manifest);
    }
}

/// Largest package.json that is read from a bundle, in bytes.
const MAX_PACKAGE_JSON: u64 = 4 * 1024 * 1024;

fn bundle_of(store: &crate::store::Store, stored: &StoredPackage) -> Bundle {
    let paths = stored.files.iter().filter_map(|file| Some((driver::bundled_package(&file.path)?, &file.path)));
    let read = |path: &str| serde_json::from_slice(&store.read(stored, path, MAX_PACKAGE_JSON)?).ok();
    paths.filter_map(|(package, path)| Some((package, read(path)?))).collect()
}
