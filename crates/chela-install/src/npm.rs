//! The registry client as the installer uses it: blocking, with a runtime of its own for as long as one verb needs it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use chela_catalog::OfficialPlugin;
use chela_manifest::NpmSpec;
use chela_npm::{
    AttestationStatus, DefaultLine, NpmClient, NpmError, NpmSettings, Overrides, Platform, Progress, ResolveRequest, Root, Selected,
    SignatureStatus, Spec,
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::error::InstallError;
use crate::source::npm::NpmSource;
use crate::world::World;

/// What the host gives to plugins itself.
const HOST_PEERS: [&str; 1] = ["openclaw"];

/// A client and what drives it.
pub(crate) struct Npm {
    client: NpmClient,
    runtime: Runtime,
}

/// The version that a spec leads to (INS-170).
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub name: String,
    pub version: String,
    pub integrity: Option<String>,
    pub shasum: Option<String>,
    pub selected: Selected,
}

impl Target {
    /// `name@version`.
    pub(crate) fn resolved_spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn of(selected: Selected) -> Self {
        Self {
            name: selected.name.clone(),
            version: selected.version.clone(),
            integrity: selected.integrity.clone(),
            shasum: selected.shasum.clone(),
            selected,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(name: &str, version: &str, integrity: Option<&str>) -> Self {
        Self::of(Selected {
            spec: Spec::parse(name).unwrap(),
            name: name.to_owned(),
            version: version.to_owned(),
            integrity: integrity.map(str::to_owned),
            shasum: None,
            tarball: String::new(),
            manifest: Arc::default(),
        })
    }
}

/// A laid out tree: where its root lies, and every package for the lock record.
pub(crate) struct Tree {
    pub root: PathBuf,
    pub packages: Value,
}

impl Npm {
    /// A client for the registry that the environment and npm's own files name.
    pub(crate) fn new(world: &World, progress: Arc<dyn Progress>) -> Result<Arc<Self>, InstallError> {
        let settings = NpmSettings::from_env(&world.env, world.paths.cache_dir(&world.env))?;
        let client = NpmClient::with(settings, Platform::current(), None, progress)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Arc::new(Self { client, runtime }))
    }

    fn run<T>(&self, future: impl Future<Output = Result<T, NpmError>>) -> Result<T, InstallError> {
        Ok(self.runtime.block_on(future)?)
    }

    /// Asks the registry which version it is. Official packages may fall back to another one than `latest` (INS-198).
    pub(crate) fn select(&self, spec: &NpmSpec, official: Option<&OfficialPlugin>) -> Result<Target, InstallError> {
        let spec = Spec::parse(&spec.raw)?;
        let own = official.is_some_and(OfficialPlugin::is_own_scope);
        let line = if own { DefaultLine::FallBack } else { DefaultLine::StableOnly };
        Ok(Target::of(self.run(self.client.select(&spec, line))?))
    }

    /// Checks the registry's signature and the provenance of a version. What is offered must hold; what is not offered or could not
    /// be asked is recorded as such.
    pub(crate) fn trust(&self, target: &Target) -> Result<Value, InstallError> {
        let manifest = &target.selected.manifest;
        let (signature, provenance) =
            self.runtime.block_on(async { tokio::join!(self.client.verify_signatures(manifest), self.client.attestations(manifest)) });
        let what = target.resolved_spec();
        if let SignatureStatus::Invalid { problem } = &signature {
            return Err(InstallError::coded(
                "security_scan_blocked",
                format!("the registry's signature of {what} does not hold: {problem}"),
            )
            .hint("somebody may have changed the package on its way; nothing was installed"));
        }
        if let AttestationStatus::Invalid { problem } = &provenance {
            return Err(InstallError::coded(
                "security_scan_blocked",
                format!("the provenance attestation of {what} does not hold: {problem}"),
            )
            .hint("the package may not be what its author built; nothing was installed"));
        }
        Ok(json!({"signature": signature, "provenance": provenance}))
    }

    /// The source of a version; `recorded` is the spec for the record, `pinned` the integrity that it must have, `official` what it is
    /// trusted as.
    pub(crate) fn source(
        self: &Arc<Self>,
        target: Target,
        recorded: &str,
        pinned: Option<&str>,
        official: Option<&'static OfficialPlugin>,
    ) -> NpmSource {
        NpmSource { npm: self.clone(), target, recorded: recorded.to_owned(), pinned: pinned.map(str::to_owned), official }
    }

    /// Resolves, fetches and lays out a tree below `into`. The files of a local root are the caller's.
    pub(crate) fn lay_out(&self, root: Root, into: &std::path::Path) -> Result<Tree, InstallError> {
        let request = ResolveRequest { root, overrides: Overrides::default(), host_peers: HOST_PEERS.map(str::to_owned).to_vec() };
        self.run(async {
            let fetched = self.client.fetch_tree(self.client.resolve(&request).await?).await?;
            let placed = self.client.materialise(&fetched, into).await?;
            for package in &placed.install_scripts {
                tracing::info!("install scripts of `{package}` were not run");
            }
            let packages: Map<String, Value> = fetched
                .resolution
                .packages
                .iter()
                .map(|(location, package)| {
                    let integrity = fetched.stored.get(location).map(|stored| stored.integrity.clone());
                    let tarball = Some(&package.manifest.dist.tarball).filter(|url| !url.is_empty());
                    let facts = json!({
                        "name": package.manifest.name, "version": package.manifest.version, "resolved": tarball,
                        "integrity": integrity, "optional": package.optional, "bundled": package.bundled,
                        "installScript": package.manifest.has_install_script,
                    });
                    (location.clone(), facts)
                })
                .collect();
            Ok(Tree { root: PathBuf::from(&fetched.resolution.root), packages: Value::Object(packages) })
        })
    }
}

impl From<NpmError> for InstallError {
    fn from(error: NpmError) -> Self {
        match error {
            NpmError::NotFound { .. } => Self::coded("npm_package_not_found", error.to_string()),
            NpmError::Spec { .. } | NpmError::SpecMissing => Self::coded("invalid_npm_spec", error.to_string()),
            NpmError::Io(error) => Self::Io(error),
            other => Self::refused(other.to_string()),
        }
    }
}
