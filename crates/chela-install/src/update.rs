//! `plugins update`: which plugins, whether there is anything new, and what came of it (INS-284..INS-294, INS-200..INS-204).

use chela_catalog::installs::IndexRecords;
use chela_catalog::{InstallRecord, official_by_package};
use chela_config::Config;
use chela_manifest::NpmSpec;
use serde::Serialize;

use crate::error::InstallError;
use crate::install::{Installed, Installer, Purpose};
use crate::intent::Operation;
use crate::npm::{Npm, Target};
use crate::source::Source;

/// What to update.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// A plugin id, or an npm package with an optional selector.
    pub id: Option<String>,
    /// Everything that is tracked.
    pub all: bool,
    /// Only look.
    pub dry_run: bool,
    /// Let critical findings of the code scan pass.
    pub unsafe_code: bool,
}

/// How it went for one plugin (INS-293).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is, or would be, another version now.
    Updated,
    /// There is nothing new.
    Unchanged,
    /// Not for this plugin, for a reason that is no fault.
    Skipped,
    /// It failed; the plugin is as it was.
    Error,
}

/// What came of one plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateOutcome {
    /// Plugin id.
    pub plugin_id: String,
    /// How it went.
    pub status: Status,
    /// One line, or more with the next step.
    pub message: String,
    /// The version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// The version after, or the one that would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_version: Option<String>,
}

/// The artifact is not the one that was installed, although the spec is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrityDrift {
    /// Plugin id.
    pub plugin_id: String,
    /// The exact spec.
    pub spec: String,
    /// What was recorded.
    pub expected: String,
    /// What the registry gives now.
    pub actual: String,
}

/// Asked whether to go on with another artifact; `false` makes the update fail (INS-202).
pub type OnDrift<'a> = &'a mut dyn FnMut(&IntegrityDrift) -> bool;

impl Installer {
    /// Updates plugins one after another; each is a change of its own.
    ///
    /// # Errors
    /// Without an id and without `all` (INS-286), and when another process installs. What goes wrong with one plugin is its outcome.
    pub fn update(&self, request: &UpdateRequest, on_drift: OnDrift<'_>) -> Result<Vec<UpdateOutcome>, InstallError> {
        self.refuse_nix("update")?;
        let config = self.world.valid_config()?;
        let records = self.world.records(&config);
        let packs = crate::hook_pack::recorded(&config);
        let (targets, packs) = divide(request, &records, &packs)?;
        if targets.is_empty() && packs.is_empty() {
            return Ok(Vec::new());
        }
        // A dry run writes nothing, not even a lock (INS-290).
        let _session = if request.dry_run { None } else { Some(self.begin()?) };
        let mut outcomes = Vec::with_capacity(targets.len());
        for (id, spec) in targets {
            let outcome = self.update_one(&config, &id, spec.as_deref(), request, on_drift);
            outcomes.push(outcome);
        }
        outcomes.extend(packs.iter().map(|(id, spec)| self.update_pack(id, spec.as_deref(), request, on_drift)));
        Ok(outcomes)
    }

    pub(crate) fn update_one(
        &self,
        config: &Config,
        id: &str,
        spec: Option<&str>,
        request: &UpdateRequest,
        on_drift: OnDrift<'_>,
    ) -> UpdateOutcome {
        // Each change writes the index, so the records are read anew.
        let records = self.world.records(config);
        let Some(record) = records.get(id) else {
            // The reference ends with 0 here (INS-285, INS-357).
            return outcome(id, Status::Error, format!("No install record for \"{id}\"."), None, None);
        };
        let skipped = |message: String| outcome(id, Status::Skipped, message, None, None);
        match record.source.as_str() {
            "npm" => {}
            "git" | "clawhub" | "marketplace" => return self.update_remote(config, &records, id, record, request),
            other => return skipped(format!("Skipping \"{id}\" (source: {other}).")),
        }
        let Some(spec) = spec.or(record.text("spec")) else {
            return skipped(format!("Skipping \"{id}\" (missing npm spec)."));
        };
        self.update_npm(&Tracked { id, record, spec }, request, on_drift, &|source, purpose| self.bring(config, &records, source, purpose))
    }

    /// Updates what came from the registry; `bring` puts the new version in its place.
    pub(crate) fn update_npm(
        &self,
        tracked: &Tracked<'_>,
        request: &UpdateRequest,
        on_drift: OnDrift<'_>,
        bring: &Bring<'_>,
    ) -> UpdateOutcome {
        let current = installed_version(tracked.record);
        match self.try_update_npm(tracked, current.as_deref(), request, on_drift, bring) {
            Ok(outcome) => outcome,
            Err(error) => {
                let verb = if request.dry_run { "check" } else { "update" };
                let mut message = format!("Failed to {verb} {}: {error}", tracked.id);
                error.hints().iter().for_each(|hint| message.push_str(&format!("\n  {hint}")));
                outcome(tracked.id, Status::Error, message, current, None)
            }
        }
    }

    fn try_update_npm(
        &self,
        tracked: &Tracked<'_>,
        current: Option<&str>,
        request: &UpdateRequest,
        on_drift: OnDrift<'_>,
        bring: &Bring<'_>,
    ) -> Result<UpdateOutcome, InstallError> {
        let Tracked { id, record, spec } = *tracked;
        let parsed = NpmSpec::parse(spec).map_err(|error| InstallError::coded("invalid_npm_spec", error.to_string()))?;
        let npm = Npm::new(&self.world, self.progress.clone())?;
        let official = official_by_package(&parsed.name);
        let target = npm.select(&parsed, official)?;
        refuse_drift(id, record, &parsed, &target, request.dry_run, on_drift)?;
        // Where the registry promises nothing, what is fetched is measured (INS-367).
        let measured = pinned(record, &parsed).filter(|_| target.integrity.is_none()).map(str::to_owned);
        let shown = current.unwrap_or("unknown");
        let next = target.version.clone();
        if is_unchanged(record, current, &target) || (request.dry_run && current == Some(next.as_str())) {
            let message = format!("{id} is up to date ({shown}).");
            return Ok(outcome(id, Status::Unchanged, message, current.map(str::to_owned), Some(next)));
        }
        if request.dry_run {
            let message = format!("Would update {id}: {shown} -> {next}.");
            return Ok(outcome(id, Status::Updated, message, current.map(str::to_owned), Some(next)));
        }
        let purpose = Purpose {
            operation: Operation::Update,
            spec: Some(spec),
            force: true,
            unsafe_code: request.unsafe_code,
            expected_id: Some(id),
        };
        let done = bring(&npm.source(target, spec, measured.as_deref(), official), purpose)?;
        for warning in &done.warnings {
            self.progress.note(chela_npm::NoteLevel::Warn, warning);
        }
        let (status, message) = match current == Some(next.as_str()) {
            true => (Status::Unchanged, format!("{id} already at {shown}.")),
            false => (Status::Updated, format!("Updated {id}: {shown} -> {next}.")),
        };
        Ok(outcome(id, status, message, current.map(str::to_owned), Some(next)))
    }
}

/// What is installed from the registry.
#[derive(Clone, Copy)]
pub(crate) struct Tracked<'a> {
    pub(crate) id: &'a str,
    pub(crate) record: &'a InstallRecord,
    /// What is asked of the registry.
    pub(crate) spec: &'a str,
}

/// Puts a new version in its place.
pub(crate) type Bring<'a> = dyn Fn(&dyn Source, Purpose<'_>) -> Result<Installed, InstallError> + 'a;

pub(crate) fn outcome(id: &str, status: Status, message: String, current: Option<String>, next: Option<String>) -> UpdateOutcome {
    UpdateOutcome { plugin_id: id.to_owned(), status, message, current_version: current, next_version: next }
}

/// Ids, each with the spec that was typed for it.
type Targets = Vec<(String, Option<String>)>;

/// Plugins and hook packs to update; of one id, the plugin.
fn divide(request: &UpdateRequest, records: &IndexRecords, packs: &IndexRecords) -> Result<(Targets, Targets), InstallError> {
    let plugins = select(request, records)?;
    if request.all {
        return Ok((plugins, select(request, packs)?));
    }
    let of_pack = select(request, packs)?;
    let known = |targets: &Targets, records: &IndexRecords| targets.iter().all(|(id, _)| records.contains_key(id));
    Ok(if !known(&plugins, records) && known(&of_pack, packs) { (Vec::new(), of_pack) } else { (plugins, Vec::new()) })
}

/// Plugins and the spec that was typed for each (INS-286, INS-288).
fn select(request: &UpdateRequest, records: &IndexRecords) -> Result<Targets, InstallError> {
    if request.all {
        return Ok(records.keys().map(|id| (id.clone(), None)).collect());
    }
    let Some(id) = request.id.as_deref().map(str::trim).filter(|id| !id.is_empty()) else {
        return Err(InstallError::refused("Provide a plugin or hook-pack id, or use --all.").hint("see `chela plugins list`"));
    };
    if records.contains_key(id) {
        return Ok(vec![(id.to_owned(), None)]);
    }
    let Ok(spec) = NpmSpec::parse(id) else {
        return Ok(vec![(id.to_owned(), None)]);
    };
    let of_package: Vec<&String> =
        records.iter().filter(|(_, record)| package_of(record).as_deref() == Some(spec.name.as_str())).map(|(id, _)| id).collect();
    match of_package.as_slice() {
        [only] => Ok(vec![((*only).clone(), Some(spec.raw))]),
        _ => Ok(vec![(id.to_owned(), None)]),
    }
}

fn package_of(record: &InstallRecord) -> Option<String> {
    if record.source != "npm" {
        return None;
    }
    let from_spec = || ["spec", "resolvedSpec"].iter().find_map(|key| NpmSpec::parse(record.text(key)?).ok()).map(|spec| spec.name);
    record.text("resolvedName").map(str::to_owned).or_else(from_spec)
}

/// What the installed files say.
pub(crate) fn installed_version(record: &InstallRecord) -> Option<String> {
    let bytes = std::fs::read(std::path::Path::new(record.text("installPath")?).join("package.json")).ok()?;
    chela_manifest::parse_package(&bytes).ok()?.version
}

/// Nothing to do when version, name, spec and both hashes are the recorded ones (INS-289).
fn is_unchanged(record: &InstallRecord, current: Option<&str>, target: &Target) -> bool {
    let hash_holds = |key: &str, value: Option<&str>| value.is_none() || record.text(key) == value;
    current == Some(target.version.as_str())
        && record.text("resolvedName") == Some(target.name.as_str())
        && record.text("resolvedVersion") == Some(target.version.as_str())
        && record.text("resolvedSpec") == Some(target.resolved_spec().as_str())
        && hash_holds("integrity", target.integrity.as_deref())
        && hash_holds("shasum", target.shasum.as_deref())
}

/// The recorded integrity binds while the spec is the recorded one and exact (INS-204).
fn pinned<'a>(record: &'a InstallRecord, spec: &NpmSpec) -> Option<&'a str> {
    record.text("integrity").filter(|_| record.text("spec") == Some(spec.raw.as_str()) && spec.exact_version().is_some())
}

/// What the registry promises must be what was recorded (INS-200..INS-204).
fn refuse_drift(
    id: &str,
    record: &InstallRecord,
    spec: &NpmSpec,
    target: &Target,
    dry_run: bool,
    on_drift: OnDrift<'_>,
) -> Result<(), InstallError> {
    let (Some(expected), Some(actual)) = (pinned(record, spec), target.integrity.as_deref().map(str::trim)) else {
        return Ok(());
    };
    if expected == actual {
        return Ok(());
    }
    let drift =
        IntegrityDrift { plugin_id: id.to_owned(), spec: target.resolved_spec(), expected: expected.to_owned(), actual: actual.to_owned() };
    if on_drift(&drift) || dry_run {
        return Ok(());
    }
    Err(InstallError::refused(format!("aborted: npm package integrity drift detected for {}", drift.spec)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(fields: Value) -> InstallRecord {
        InstallRecord::from_fields(fields.as_object().unwrap().clone()).unwrap()
    }

    fn target(integrity: Option<&str>) -> Target {
        Target::for_test("@s/a", "1.2.3", integrity)
    }

    // INS-286, INS-288
    #[test]
    fn a_package_name_means_its_one_plugin() {
        let records: IndexRecords = [
            ("a".to_owned(), record(json!({"source": "npm", "spec": "@s/a", "resolvedName": "@s/a"}))),
            ("b".to_owned(), record(json!({"source": "npm", "spec": "twice@1.0.0"}))),
            ("c".to_owned(), record(json!({"source": "npm", "resolvedSpec": "twice@1.0.0"}))),
            ("d".to_owned(), record(json!({"source": "path", "resolvedName": "@s/d"}))),
        ]
        .into();
        let of =
            |id: Option<&str>, all: bool| select(&UpdateRequest { id: id.map(str::to_owned), all, ..UpdateRequest::default() }, &records);
        let one = |id: &str, spec: Option<&str>| vec![(id.to_owned(), spec.map(str::to_owned))];
        assert_eq!(of(Some("a"), false).unwrap(), one("a", None));
        assert_eq!(of(Some("@s/a@next"), false).unwrap(), one("a", Some("@s/a@next")));
        assert_eq!(of(Some("twice"), false).unwrap(), one("twice", None));
        assert_eq!(of(Some("@s/d"), false).unwrap(), one("@s/d", None));
        assert_eq!(of(None, true).unwrap().len(), 4);
        assert_eq!(of(None, false).unwrap_err().to_string(), "Provide a plugin or hook-pack id, or use --all.");
    }

    // INS-289
    #[test]
    fn only_the_very_same_artifact_is_unchanged() {
        let fields =
            json!({"source": "npm", "resolvedName": "@s/a", "resolvedVersion": "1.2.3", "resolvedSpec": "@s/a@1.2.3", "integrity": "i"});
        assert!(is_unchanged(&record(fields.clone()), Some("1.2.3"), &target(Some("i"))));
        assert!(!is_unchanged(&record(fields.clone()), Some("1.2.2"), &target(Some("i"))));
        assert!(!is_unchanged(&record(fields.clone()), Some("1.2.3"), &target(Some("j"))));
        for key in ["resolvedName", "resolvedVersion", "resolvedSpec", "integrity"] {
            let mut less = fields.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(!is_unchanged(&record(less), Some("1.2.3"), &target(Some("i"))), "{key}");
        }
    }

    // INS-200, INS-201, INS-202, INS-203, INS-204
    #[test]
    fn another_artifact_under_a_pinned_spec_needs_a_yes() {
        let pinned = record(json!({"source": "npm", "spec": "@s/a@1.2.3", "integrity": " old "}));
        let exact = NpmSpec::parse("@s/a@1.2.3").unwrap();
        let mut asked = Vec::new();
        let mut run = |record: &InstallRecord, spec: &NpmSpec, new: Option<&str>, dry: bool, answer: bool| {
            let mut on_drift = |drift: &IntegrityDrift| {
                asked.push((drift.expected.clone(), drift.actual.clone()));
                answer
            };
            refuse_drift("a", record, spec, &target(new), dry, &mut on_drift).map_err(|error| error.to_string())
        };
        assert_eq!(run(&pinned, &exact, Some("old"), false, false), Ok(()));
        assert_eq!(run(&pinned, &exact, None, false, false), Ok(()));
        let refused = Err("aborted: npm package integrity drift detected for @s/a@1.2.3".to_owned());
        assert_eq!(run(&pinned, &exact, Some("new"), false, false), refused);
        assert_eq!(run(&pinned, &exact, Some("new"), false, true), Ok(()));
        assert_eq!(run(&pinned, &exact, Some("new"), true, false), Ok(()));
        assert_eq!(run(&pinned, &NpmSpec::parse("@s/a@next").unwrap(), Some("new"), false, false), Ok(()));
        let floating = record(json!({"source": "npm", "spec": "@s/a", "integrity": "old"}));
        assert_eq!(run(&floating, &NpmSpec::parse("@s/a").unwrap(), Some("new"), false, false), Ok(()));
        assert_eq!(asked, vec![("old".to_owned(), "new".to_owned()); 3]);
    }
}
