//! Updates of what came from repositories, ClawHub and marketplaces (INS-291, INS-292, INS-358). Unlike the reference, nothing is
//! placed anew when the source has what is installed.

use chela_catalog::InstallRecord;
use chela_catalog::installs::IndexRecords;
use chela_config::Config;

use crate::error::InstallError;
use crate::install::{Installed, Installer, Purpose};
use crate::intent::Operation;
use crate::redact::redact;
use crate::scratch::Scratch;
use crate::source::Source;
use crate::update::{Status, UpdateOutcome, UpdateRequest, installed_version, outcome};

/// What is known of one plugin that is to be updated.
pub(crate) struct Remote<'a> {
    pub config: &'a Config,
    pub records: &'a IndexRecords,
    pub id: &'a str,
    pub record: &'a InstallRecord,
    pub request: &'a UpdateRequest,
    /// The version that is installed.
    pub current: Option<String>,
}

impl Remote<'_> {
    fn shown(&self) -> &str {
        self.current.as_deref().unwrap_or("unknown")
    }

    /// There is nothing new.
    pub(crate) fn unchanged(&self) -> UpdateOutcome {
        let message = format!("{} is up to date ({}).", self.id, self.shown());
        outcome(self.id, Status::Unchanged, message, self.current.clone(), self.current.clone())
    }

    /// What an update would do.
    pub(crate) fn would(&self, next: Option<String>) -> UpdateOutcome {
        let message = format!("Would update {}: {} -> {}.", self.id, self.shown(), next.as_deref().unwrap_or("unknown"));
        outcome(self.id, Status::Updated, message, self.current.clone(), next)
    }

    /// It has other files now, whatever their version says.
    fn updated(&self, done: &Installed) -> UpdateOutcome {
        let next = done.version.clone();
        let message = format!("Updated {}: {} -> {}.", self.id, self.shown(), next.as_deref().unwrap_or("unknown"));
        outcome(self.id, Status::Updated, message, self.current.clone(), next)
    }

    fn skipped(&self, why: &str) -> UpdateOutcome {
        outcome(self.id, Status::Skipped, format!("Skipping \"{}\" ({why}).", self.id), None, None)
    }
}

impl Installer {
    pub(crate) fn update_remote(
        &self,
        config: &Config,
        records: &IndexRecords,
        id: &str,
        record: &InstallRecord,
        request: &UpdateRequest,
    ) -> UpdateOutcome {
        let remote = Remote { config, records, id, record, request, current: installed_version(record) };
        let origin = match record.source.as_str() {
            "git" => format!("git {}", redact(record.text("spec").unwrap_or_default())),
            other => other.to_owned(),
        };
        let result = match record.source.as_str() {
            "git" => self.update_git(&remote),
            other => {
                Err(InstallError::NotBuilt { what: format!("updates from {other}"), instead: "reinstall it with `--force`".to_owned() })
            }
        };
        result.unwrap_or_else(|error| {
            let verb = if request.dry_run { "check" } else { "update" };
            let mut message = format!("Failed to {verb} {id}: {error} ({origin}).");
            error.hints().iter().for_each(|hint| message.push_str(&format!("\n  {hint}")));
            outcome(id, Status::Error, message, remote.current.clone(), None)
        })
    }

    fn update_git(&self, remote: &Remote<'_>) -> Result<UpdateOutcome, InstallError> {
        let Some(spec) = remote.record.text("spec") else {
            return Ok(remote.skipped("missing git spec"));
        };
        let source = self.git_source(spec)?;
        let recorded = remote.record.text("gitCommit").map(str::to_ascii_lowercase);
        if remote.current.is_some() && recorded.is_some() {
            let same = match source.git.remote_commit(&source.spec)? {
                Some(commit) => recorded.as_deref() == Some(commit.as_str()),
                None => source.spec.is_part_of(recorded.as_deref()),
            };
            if same {
                return Ok(remote.unchanged());
            }
        }
        if remote.request.dry_run {
            let scratch = Scratch::create(&self.world.env)?;
            let files = scratch.path().join("files");
            source.git.export(&source.spec, &scratch.path().join("clone"), &files)?;
            return Ok(remote.would(version_in(&files)));
        }
        self.replace(remote, &source, spec)
    }

    /// Puts what the source has in place of what is installed.
    fn replace(&self, remote: &Remote<'_>, source: &dyn Source, spec: &str) -> Result<UpdateOutcome, InstallError> {
        let purpose = Purpose {
            operation: Operation::Update,
            spec: Some(spec),
            force: true,
            unsafe_code: remote.request.unsafe_code,
            expected_id: Some(remote.id),
        };
        let done = self.bring(remote.config, remote.records, source, purpose)?;
        for warning in &done.warnings {
            self.progress.note(chela_npm::NoteLevel::Warn, warning);
        }
        Ok(remote.updated(&done))
    }
}

/// The version of a package that is not installed.
fn version_in(dir: &std::path::Path) -> Option<String> {
    let bytes = std::fs::read(dir.join("package.json")).ok()?;
    chela_manifest::parse_package(&bytes).ok()?.version
}
