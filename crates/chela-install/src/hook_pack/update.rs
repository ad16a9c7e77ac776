//! `plugins update` of a hook pack.

use super::{look_at, recorded};
use crate::error::InstallError;
use crate::install::{Installed, Installer, Purpose};
use crate::source::{Fetching, Source};
use crate::stage::Stage;
use crate::update::{OnDrift, Status, Tracked, UpdateOutcome, UpdateRequest, outcome};

impl Installer {
    /// Updates one pack that came from the registry; others are skipped (INS-284).
    pub(crate) fn update_pack(&self, id: &str, spec: Option<&str>, request: &UpdateRequest, on_drift: OnDrift<'_>) -> UpdateOutcome {
        let skipped = |message: String| outcome(id, Status::Skipped, message, None, None);
        let packs = self.world.config().map(|config| recorded(&config));
        let record = match &packs {
            Ok(packs) => packs.get(id),
            Err(error) => return outcome(id, Status::Error, format!("Failed to update {id}: {error}"), None, None),
        };
        let Some(record) = record else {
            return outcome(id, Status::Error, format!("No install record for \"{id}\"."), None, None);
        };
        if record.source != "npm" {
            return skipped(format!("Skipping \"{id}\" (source: {}).", record.source));
        }
        let Some(spec) = spec.or(record.text("spec")) else {
            return skipped(format!("Skipping \"{id}\" (missing npm spec)."));
        };
        self.update_npm(&Tracked { id, record, spec }, request, on_drift, &|source, purpose| self.bring_pack(source, &purpose))
    }

    fn bring_pack(&self, source: &dyn Source, purpose: &Purpose<'_>) -> Result<Installed, InstallError> {
        let stage = Stage::create(&self.world.layout)?;
        let fetched = source.fetch(&Fetching { stage: &stage, progress: &*self.progress })?;
        let pack = look_at(&fetched.dir)?;
        let (new, old) = (pack.candidate.id.as_str(), purpose.expected_id.unwrap_or_default());
        if new != old {
            return Err(InstallError::refused(format!("hook pack id mismatch: expected \"{old}\", the package is \"{new}\"")));
        }
        self.take_pack(&stage, fetched, purpose, pack)
    }
}
