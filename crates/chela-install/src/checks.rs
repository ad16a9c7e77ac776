//! What a package must be before anything is written: shape, id, host version, code, dependencies, listeners (INS-132..INS-143).

use std::path::{Path, PathBuf};

use chela_catalog::candidate::{Candidate, CandidateRules, inspect_directory, inspect_file};
use chela_catalog::installs::IndexRecords;
use chela_config::Config;
use chela_npm::NoteLevel;
use chela_scan::Mode;
use serde_json::Value;

use crate::before_install::{BeforeInstallEvent, PluginFacts, RequestFacts, gate};
use crate::clawhub::range::satisfies_api;
use crate::error::InstallError;
use crate::fsops::link_target;
use crate::install::{Installer, Purpose};
use crate::intent::Operation;
use crate::legacy::leftover_of;
use crate::scan::{Findings, Subject, look};
use crate::source::Fetched;
use crate::transaction::CURRENT;

impl Installer {
    /// The common checks (INS-132..INS-141).
    pub(crate) fn check(&self, config: &Config, fetched: &Fetched, purpose: &Purpose<'_>) -> Result<Candidate, InstallError> {
        let host = (self.world.catalog)(config).host_version;
        let rules = CandidateRules { host_version: &host, strict: config.plugins().compat_strict, in_place: false };
        let candidate = match &fetched.script {
            Some(script) => inspect_file(&fetched.dir.join(script), rules),
            None => inspect_directory(&fetched.dir, rules),
        };
        let candidate = candidate?;
        self.expect_id(&candidate, purpose.expected_id.or(fetched.expected_id))?;
        self.remark(config, &candidate);
        Ok(candidate)
    }

    /// INS-138, INS-294.
    fn expect_id(&self, candidate: &Candidate, expected: Option<&str>) -> Result<(), InstallError> {
        match expected.filter(|expected| *expected != candidate.id) {
            None => Ok(()),
            Some(expected) => {
                Err(InstallError::coded("plugin_id_mismatch", format!("plugin id mismatch: expected {expected}, got {}", candidate.id)))
            }
        }
    }

    /// INS-137, INS-363: a range of the plugin API, which the reference holds against packages of ClawHub alone, is a warning elsewhere.
    pub(crate) fn remark(&self, config: &Config, candidate: &Candidate) {
        if let Some(name) = candidate.package.as_deref().and_then(|package| package.name.as_deref())
            && candidate.manifest.is_some()
            && candidate.id != name
            && candidate.id != name.rsplit('/').next().unwrap_or(name)
        {
            let text = format!(
                "Plugin manifest id \"{}\" differs from npm package name \"{name}\"; the manifest id is the config key.",
                candidate.id
            );
            self.progress.note(NoteLevel::Info, &text);
        }
        let host = (self.world.catalog)(config).host_version;
        let wanted = candidate.package.as_deref().and_then(|package| package.compat_plugin_api.as_deref());
        if let Some(wanted) = wanted.filter(|wanted| !satisfies_api(&host, wanted)) {
            let id = &candidate.id;
            let text = format!("plugin \"{id}\" is made for plugin API {wanted}, but this host has {host}; it may not work");
            self.progress.note(NoteLevel::Warn, &text);
        }
        for note in &candidate.notes {
            self.progress.note(NoteLevel::Info, &note.message);
        }
    }

    /// INS-143.
    pub(crate) fn refuse_existing(&self, records: &IndexRecords, candidate: &Candidate, purpose: &Purpose<'_>) -> Result<(), InstallError> {
        if purpose.force {
            return Ok(());
        }
        let layout = &self.world.layout;
        let key = crate::layout::key_of(&candidate.id);
        let ours = layout.plugin(&key);
        let former = || records.get(&candidate.id).and_then(|record| leftover_of(layout, &candidate.id, record)).map(|left| left.path());
        let copy = layout.extensions().join(&key);
        let existing = if link_target(&ours.join(CURRENT)).is_some() { Some(ours) } else { former().filter(|path| path.exists()) };
        match existing.or_else(|| copy.exists().then_some(copy)) {
            None => Ok(()),
            Some(dir) => Err(InstallError::refused(format!("plugin already exists: {} (delete it first)", dir.display()))
                .hint(format!("bring it up to date with `chela plugins update {}`, or replace it with `--force`", candidate.id))),
        }
    }

    /// Scan, listeners, then the scan's own verdict (INS-235, INS-245). `dirs` are the plugin's own directory and the one with its
    /// dependencies. Gives the scan for the lock record.
    pub(crate) fn judge(
        &self,
        candidate: &Candidate,
        dirs: (&Path, &Path),
        entries: Vec<PathBuf>,
        fetched: &Fetched,
        purpose: &Purpose<'_>,
    ) -> Result<Value, InstallError> {
        let findings = self.hear(candidate, dirs, entries, fetched, purpose)?;
        findings.decide(purpose.unsafe_code, fetched.trusted, &*self.progress)?;
        Ok(findings.for_record())
    }

    /// Scan and listeners, without the scan's own verdict.
    pub(crate) fn hear(
        &self,
        candidate: &Candidate,
        (dir, tree): (&Path, &Path),
        entries: Vec<PathBuf>,
        fetched: &Fetched,
        purpose: &Purpose<'_>,
    ) -> Result<Findings, InstallError> {
        let (label, mode) = match (&fetched.script, candidate.bundle_format) {
            (Some(_), _) => ("Plugin file", Mode::Package),
            (None, Some(_)) => ("Bundle", Mode::Bundle),
            (None, None) => ("Plugin", Mode::Package),
        };
        let subject = Subject { label: format!("{label} \"{}\"", candidate.id), dir, entries, mode, tree };
        let findings = look(subject, &self.world.env, &*self.progress);
        self.ask_listeners(candidate, dir, fetched, purpose, &findings.for_listeners())?;
        Ok(findings)
    }

    fn ask_listeners(
        &self,
        candidate: &Candidate,
        dir: &Path,
        fetched: &Fetched,
        purpose: &Purpose<'_>,
        scan: &Value,
    ) -> Result<(), InstallError> {
        let (origin, content) = match (&fetched.script, candidate.bundle_format) {
            (Some(_), _) => ("plugin-file", "file"),
            (None, Some(_)) => ("plugin-bundle", "bundle"),
            (None, None) => ("plugin-package", "package"),
        };
        let package = candidate.package.as_deref();
        let event = BeforeInstallEvent {
            target_type: "plugin",
            target_name: candidate.id.clone(),
            source_path: fetched.script.as_ref().map_or_else(|| dir.to_owned(), |script| dir.join(script)),
            source_path_kind: if fetched.script.is_some() { "file" } else { "directory" },
            origin,
            request: RequestFacts {
                kind: fetched.kind,
                mode: if purpose.force || purpose.operation == Operation::Update { "update" } else { "install" },
                requested_specifier: purpose.spec.map(str::to_owned),
            },
            builtin_scan: scan.clone(),
            plugin: PluginFacts {
                content_type: content,
                plugin_id: candidate.id.clone(),
                package_name: package.and_then(|package| package.name.clone()),
                manifest_id: candidate.manifest.as_deref().map(|manifest| manifest.id.clone()),
                version: candidate.version.clone(),
                extensions: package.map(|package| package.extensions.entries().to_vec()).unwrap_or_default(),
            },
        };
        gate(&*self.before_install, &*self.progress, &event)
    }
}

/// Paths of entries from the directory that they are in.
pub(crate) fn below(entries: &[PathBuf], dir: &Path) -> Vec<PathBuf> {
    let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    entries.iter().map(|entry| entry.strip_prefix(&root).unwrap_or(entry).to_owned()).collect()
}
