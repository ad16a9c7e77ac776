//! Updates of what came from repositories, ClawHub and marketplaces (INS-291, INS-292, INS-358). Unlike the reference, nothing is
//! placed anew when the source has what is installed.

use chela_catalog::installs::IndexRecords;
use chela_catalog::{InstallRecord, Origin};
use chela_config::Config;
use chela_manifest::version::CalendarVersion;

use crate::clawhub::digest::{Expected, integrity};
use crate::error::InstallError;
use crate::fsops::{FileHashes, seal_tree};
use crate::install::{Installed, Installer, Purpose};
use crate::intent::Operation;
use crate::layout::key_of;
use crate::lock_record::LockRecord;
use crate::redact::redact;
use crate::scratch::Scratch;
use crate::source::{Fetching, Source};
use crate::stage::Stage;
use crate::transaction::CURRENT;
use crate::update::{Status, UpdateOutcome, UpdateRequest, installed_version, outcome};

/// What is known of one plugin that is to be updated.
pub(crate) struct Remote<'a> {
    pub config: &'a Config,
    pub records: &'a IndexRecords,
    pub id: &'a str,
    pub record: &'a InstallRecord,
    pub request: &'a UpdateRequest,
    /// True when its files are there.
    pub present: bool,
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
        let present = record.text("installPath").is_some_and(|path| std::path::Path::new(path).exists());
        // A bundle without `package.json` has the version that its source named.
        let current = installed_version(record).or_else(|| record.text("version").filter(|_| present).map(str::to_owned));
        let remote = Remote { config, records, id, record, request, present, current };
        let origin = match record.source.as_str() {
            "clawhub" => format!("ClawHub {}", record.text("spec").or(record.text("clawhubPackage")).unwrap_or_default()),
            "marketplace" => {
                let of = |key| redact(record.text(key).unwrap_or_default());
                format!("marketplace plugin {} from {}", of("marketplacePlugin"), of("marketplaceSource"))
            }
            "git" => format!("git {}", redact(record.text("spec").unwrap_or_default())),
            other => other.to_owned(),
        };
        let result = match record.source.as_str() {
            "git" => self.update_git(&remote),
            "clawhub" => self.update_clawhub(&remote),
            _ => self.update_marketplace(&remote),
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
        if remote.present && recorded.is_some() {
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

    fn update_clawhub(&self, remote: &Remote<'_>) -> Result<UpdateOutcome, InstallError> {
        let record = remote.record;
        let Some(package) = record.text("clawhubPackage") else {
            return Ok(remote.skipped("missing ClawHub package metadata"));
        };
        if let Some(skipped) = self.bundled_is_newer(remote) {
            return Ok(skipped);
        }
        let recorded = record.text("spec").map_or_else(|| format!("clawhub:{package}"), str::to_owned);
        let source = self.clawhub_source(&recorded, record.text("clawhubUrl"), &recorded)?;
        let same_bytes = match &source.package.expected {
            Expected::ClawPack(pack) => record.text("integrity") == Some(integrity(&pack.sha256).as_str()),
            Expected::Archive(digest) => record.text("integrity") == Some(integrity(digest).as_str()),
            Expected::Files(_) => true,
        };
        let next = source.package.version.clone();
        if remote.current.as_deref() == Some(next.as_str()) && same_bytes {
            return Ok(remote.unchanged());
        }
        if remote.request.dry_run {
            return Ok(remote.would(Some(next)));
        }
        self.replace(remote, &source, &recorded)
    }

    /// A marketplace says little of versions, so the files themselves are compared.
    fn update_marketplace(&self, remote: &Remote<'_>) -> Result<UpdateOutcome, InstallError> {
        let record = remote.record;
        let (Some(market), Some(plugin)) = (record.text("marketplaceSource"), record.text("marketplacePlugin")) else {
            return Ok(remote.skipped("missing marketplace source metadata"));
        };
        if let Some(skipped) = self.bundled_is_newer(remote) {
            return Ok(skipped);
        }
        let source = self.marketplace_source(market.to_owned(), plugin.to_owned());
        let scratch = Scratch::create(&self.world.env)?;
        let stage = Stage::outside(&scratch)?;
        let there = source.fetch(&Fetching { stage: &stage, progress: &*self.progress })?;
        let next = version_in(&there.dir).or_else(|| there.record.text("version").map(str::to_owned));
        let installed = LockRecord::read(&self.world.layout.plugin(&key_of(remote.id)).join(CURRENT)).ok();
        let own = |files: &FileHashes| -> FileHashes {
            files.iter().filter(|(path, _)| !path.starts_with("node_modules/")).map(|(path, hash)| (path.clone(), hash.clone())).collect()
        };
        let same = installed.map(|lock| own(&lock.files)) == Some(own(&seal_tree(&there.dir, false)?));
        if remote.present && same {
            return Ok(remote.unchanged());
        }
        if remote.request.dry_run {
            return Ok(remote.would(next));
        }
        drop(stage);
        self.replace(remote, &source, plugin)
    }

    /// INS-292.
    fn bundled_is_newer(&self, remote: &Remote<'_>) -> Option<UpdateOutcome> {
        let bundled = self.world.snapshot(remote.config, &IndexRecords::new());
        let bundled = bundled.get(remote.id).filter(|plugin| plugin.origin == Origin::Bundled)?.version.clone()?;
        let installed = remote.record.text("version")?;
        let newer = CalendarVersion::parse(&bundled)? > CalendarVersion::parse(installed)?;
        let source = &remote.record.source;
        let message = format!("Skipping \"{}\": bundled version {bundled} is newer than {source} version {installed}.", remote.id);
        newer.then(|| outcome(remote.id, Status::Skipped, message, None, None))
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
