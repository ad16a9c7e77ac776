//! A package of the npm registry, with its dependencies (INS-168..INS-180). No npm and no script of any package runs.

use std::sync::Arc;

use chela_npm::Root;

use super::{Fetched, Fetching, Source};
use crate::error::InstallError;
use crate::npm::{Npm, Target};
use crate::records::RecordFields;
use crate::world::now_text;

/// One version in the registry.
pub(crate) struct NpmSource {
    pub npm: Arc<Npm>,
    pub target: Target,
    /// The spec for the record (INS-179, INS-180).
    pub recorded: String,
}

impl Source for NpmSource {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let trust = self.npm.trust(&self.target)?;
        let version = fetching.stage.version();
        let tree = self.npm.lay_out(Root::Registry(self.target.selected.clone()), &version)?;
        let own = &tree.packages[tree.root.to_string_lossy().as_ref()];
        let record = RecordFields::of("npm")
            .with("spec", Some(&self.recorded))
            .with("resolvedName", Some(&self.target.name))
            .with("resolvedVersion", Some(&self.target.version))
            .with("resolvedSpec", Some(&self.target.resolved_spec()))
            // Packages from before `dist.integrity` get what was measured.
            .with("integrity", self.target.integrity.as_deref().or(own["integrity"].as_str()))
            .with("shasum", self.target.shasum.as_deref())
            .with("resolvedAt", Some(&now_text()));
        Ok(Fetched { packages: tree.packages, trust, ..Fetched::new(version.join(&tree.root), "plugin-npm", record) })
    }
}
