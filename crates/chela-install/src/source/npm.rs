//! A package of the npm registry, with its dependencies (INS-168..INS-180). No npm and no script of any package runs.

use std::sync::Arc;

use chela_catalog::OfficialPlugin;
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
    /// The integrity that it must have, as SRI text.
    pub pinned: Option<String>,
    /// The official plugin that it is.
    pub official: Option<&'static OfficialPlugin>,
}

impl Source for NpmSource {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let trust = self.npm.trust(&self.target)?;
        let version = fetching.stage.version();
        self.hold_to_pin(self.target.integrity.as_deref())?;
        let tree = self.npm.lay_out(Root::Registry(self.target.selected.clone()), &version)?;
        let own = &tree.packages[tree.root.to_string_lossy().as_ref()];
        // A registry that promises nothing does not free the bytes from the pin (INS-367).
        self.hold_to_pin(own["integrity"].as_str())?;
        let record = RecordFields::of("npm")
            .with("spec", Some(&self.recorded))
            .with("resolvedName", Some(&self.target.name))
            .with("resolvedVersion", Some(&self.target.version))
            .with("resolvedSpec", Some(&self.target.resolved_spec()))
            // Packages from before `dist.integrity` get what was measured.
            .with("integrity", self.target.integrity.as_deref().or(own["integrity"].as_str()))
            .with("shasum", self.target.shasum.as_deref())
            .with("resolvedAt", Some(&now_text()));
        let official = self.official;
        Ok(Fetched {
            packages: tree.packages,
            trust,
            trusted: official.is_some(),
            expected_id: official.map(|official| official.id.as_str()),
            ..Fetched::new(version.join(&tree.root), "plugin-npm", record)
        })
    }
}

impl NpmSource {
    fn hold_to_pin(&self, actual: Option<&str>) -> Result<(), InstallError> {
        let (Some(pinned), Some(actual)) = (self.pinned.as_deref().map(str::trim), actual.map(str::trim)) else {
            return Ok(());
        };
        if pinned == actual {
            return Ok(());
        }
        let message = format!("aborted: npm package integrity drift detected for {}", self.target.resolved_spec());
        Err(InstallError::refused(format!("{message}\nExpected: {pinned}\nActual:   {actual}"))
            .hint("the package is not the one that was vouched for; nothing was installed"))
    }
}
