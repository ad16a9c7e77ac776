//! Hook packs: packages with hooks and no plugin. A path or npm package that is no plugin may be one (INS-125, INS-126, INS-192).
//!
//! They are no plugins: their files are copied to `<state>/hooks/<id>`, where hooks are looked for, and the config records them.

pub(crate) mod transaction;
mod uninstall;
mod update;

use std::path::{Path, PathBuf};

use chela_catalog::InstallRecord;
use chela_catalog::candidate::Candidate;
use chela_catalog::installs::IndexRecords;
use chela_config::Config;
use serde_json::{Map, Value};

use crate::error::InstallError;
use crate::fsops::{remove_if_empty, seal_tree};
use crate::install::{Installed, Installer, Purpose};
use crate::intent::{ConfigChange, Intent, Operation};
use crate::layout::module_path;
use crate::marketplace::inside;
use crate::records::RecordFields;
use crate::source::Fetched;
use crate::stage::Stage;

/// A directory that can become a hook pack.
#[derive(Debug)]
struct HookPack {
    candidate: Candidate,
    /// Names of its hooks.
    hooks: Vec<String>,
}

impl Installer {
    /// Takes a package that is no plugin as a hook pack; when it is none either, both reasons are told (INS-125). A refusal by the
    /// scan, a source that the reference never retries, and an update stay what they are (INS-126).
    pub(crate) fn instead_hook_pack(
        &self,
        stage: &Stage,
        fetched: Fetched,
        purpose: &Purpose<'_>,
        error: InstallError,
    ) -> Result<Installed, InstallError> {
        let source = fetched.record.text("source").unwrap_or_default().to_owned();
        let retried = matches!(source.as_str(), "path" | "archive" | "npm") && purpose.operation == Operation::Install;
        if error.is_security() || !retried || matches!(error, InstallError::Io(_)) {
            return Err(error);
        }
        let pack = match &fetched.script {
            Some(script) => Err(InstallError::refused(format!("unsupported hook file: {script}"))),
            None => look_at(&fetched.dir),
        };
        let pack = pack.map_err(|why| neither(error, &why))?;
        refuse_existing(&self.pack_dir(&pack.candidate.id), purpose.force)?;
        self.take_pack(stage, fetched, purpose, pack)
    }

    /// Where a hook pack is copied to.
    fn pack_dir(&self, id: &str) -> PathBuf {
        self.world.layout.state_dir().join("hooks").join(id)
    }

    /// Scan, dependencies, then the change itself.
    fn take_pack(&self, stage: &Stage, mut fetched: Fetched, purpose: &Purpose<'_>, pack: HookPack) -> Result<Installed, InstallError> {
        let id = pack.candidate.id.clone();
        let target = self.pack_dir(&id);
        let entries = pack.candidate.entries.clone();
        let scanned = self.judge(&pack.candidate, (&fetched.dir, &fetched.dir), entries, &fetched, purpose)?;
        tracing::debug!(%scanned, "hook pack scanned");
        if fetched.wants_dependencies {
            let module = module_path(pack.candidate.package.as_deref().and_then(|package| package.name.as_deref()), &id);
            fetched.packages = self.dependencies(stage, &fetched.dir, &module)?;
        }
        let dir = self.gather(stage, &fetched.dir)?;
        let install_path = target.to_str();
        let fields = fetched.record.with("installPath", install_path).with("version", pack.candidate.version.as_deref());
        let (former, record) = self.hook_record(&id, fields, &pack.hooks)?;
        let mut intent = Intent::new(purpose.operation, &id);
        intent.config = config_change(former.as_ref(), &record, &pack.hooks, purpose.operation);
        (intent.before, intent.after) = (former, Some(record.clone()));
        let warnings = transaction::commit(&self.world, &*self.moments, intent, &target, Some(&dir))?;
        Ok(Installed { warnings, ..installed(pack, record, None) })
    }

    /// Dependencies move into the pack: nothing above `<state>/hooks/<id>` is its own.
    fn gather(&self, stage: &Stage, dir: &Path) -> Result<PathBuf, InstallError> {
        let pack = stage.scratch("hook-pack");
        fs_err::rename(dir, &pack)?;
        let modules = stage.modules();
        if modules.is_dir() {
            crate::scan::refuse_denied("Hook pack", &stage.version(), &self.world.env)?;
            let into = pack.join("node_modules");
            fs_err::create_dir_all(&into)?;
            merge(&modules, &into)?;
        }
        seal_tree(&pack, true)?;
        Ok(pack)
    }

    /// The record as it was and as it will be. A former record's keys stay, as those of plugins do.
    #[allow(clippy::type_complexity, reason = "two records")]
    fn hook_record(
        &self,
        id: &str,
        fields: RecordFields,
        hooks: &[String],
    ) -> Result<(Option<Map<String, Value>>, Map<String, Value>), InstallError> {
        let former = recorded(&self.world.config()?).remove(id);
        let mut record = fields.after(former.as_ref());
        record.insert("hooks".into(), hooks.to_vec().into());
        Ok((former.map(|record| record.fields), record))
    }

    /// A hook pack that is used where it lies.
    pub(crate) fn link_hook_pack(&self, path: &Path, purpose: &Purpose<'_>, error: InstallError) -> Result<Installed, InstallError> {
        if error.is_security() {
            return Err(error);
        }
        let pack = if path.is_dir() { look_at(path) } else { Err(InstallError::refused("Linked hook pack paths must be directories.")) };
        let pack = pack.map_err(|why| neither(error, &why))?;
        let text = path.to_str();
        let fields = RecordFields::of("path").with("sourcePath", text).with("installPath", text);
        let fetched = Fetched::new(path.to_owned(), "plugin-dir", fields);
        self.judge(&pack.candidate, (path, path), pack.candidate.entries.clone(), &fetched, purpose)?;
        let id = pack.candidate.id.clone();
        let (_, record) = self.hook_record(&id, fetched.record.with("version", pack.candidate.version.as_deref()), &pack.hooks)?;
        let extra_dir = text.map(str::to_owned);
        let change = ConfigChange::HookPack { record: record.clone(), hooks: pack.hooks.clone(), extra_dir, enable: true };
        let intent = Intent::of_config(&id, change);
        self.world.try_config(&intent)?;
        self.world.write_config(&intent)?;
        Ok(installed(pack, record, Some(path.to_owned())))
    }
}

/// The hook packs that the config records.
pub(crate) fn recorded(config: &Config) -> IndexRecords {
    let installs = config.source["hooks"]["internal"]["installs"].as_object().into_iter().flatten();
    let record = |fields: &Value| InstallRecord::from_fields(fields.as_object()?.clone());
    installs.filter_map(|(id, fields)| Some((id.clone(), record(fields)?))).collect()
}

/// Names of the hooks in a record.
fn hooks_of(record: &Map<String, Value>) -> Vec<String> {
    let hooks = record.get("hooks").and_then(Value::as_array).into_iter().flatten();
    hooks.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An update switches on only hooks that are new: what the operator switched off since stays off.
fn config_change(former: Option<&Map<String, Value>>, record: &Map<String, Value>, hooks: &[String], operation: Operation) -> ConfigChange {
    let update = operation == Operation::Update;
    let known = former.filter(|_| update).map(hooks_of).unwrap_or_default();
    let hooks = hooks.iter().filter(|hook| !known.contains(hook)).cloned().collect();
    ConfigChange::HookPack { record: record.clone(), hooks, extra_dir: None, enable: !update }
}

fn installed(pack: HookPack, record: Map<String, Value>, linked: Option<PathBuf>) -> Installed {
    Installed {
        plugin_id: pack.candidate.id,
        version: pack.candidate.version,
        record,
        linked,
        enabled: true,
        hooks: Some(pack.hooks),
        warnings: Vec::new(),
    }
}

/// Why it is no plugin, and why it is no hook pack (INS-125, INS-356).
fn neither(error: InstallError, why: &InstallError) -> InstallError {
    let (code, hints) = (error.code(), error.hints());
    let message = format!("{error}\nAlso not a valid hook pack: {why}");
    InstallError::Refused { code, message, hints }
}

fn refuse_existing(target: &Path, force: bool) -> Result<(), InstallError> {
    if force || target.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(InstallError::refused(format!("hook pack already exists: {} (delete it first)", target.display()))
        .hint("replace it with `--force`"))
}

/// Moves every package that the pack does not bring itself.
fn merge(from: &Path, into: &Path) -> Result<(), InstallError> {
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        // The scope that the pack itself was in.
        remove_if_empty(&entry.path());
        if !entry.path().exists() {
            continue;
        }
        let target = into.join(entry.file_name());
        if target.symlink_metadata().is_err() {
            fs_err::rename(entry.path(), &target)?;
        } else if entry.file_name().to_string_lossy().starts_with('@') && target.is_dir() {
            merge(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// A package with `openclaw.hooks`, or a directory that is one hook.
fn look_at(dir: &Path) -> Result<HookPack, InstallError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = dir.join("package.json");
    if !path.is_file() {
        let (hook, handler) = hook(dir)?;
        return pack_of(hook.clone(), None, vec![hook], vec![handler]);
    }
    let package = chela_manifest::parse_package(&fs_err::read(&path)?).map_err(|error| InstallError::refused(error.to_string()))?;
    let entries: Vec<&str> = package.hooks.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()).collect();
    if entries.is_empty() {
        return Err(InstallError::refused("package.json missing openclaw.hooks"));
    }
    let id = package.name.as_deref().map_or(name.as_str(), |name| name.rsplit('/').next().unwrap_or(name)).to_owned();
    let (mut hooks, mut handlers) = (Vec::new(), Vec::new());
    for entry in entries {
        let place = inside(dir, entry, true)
            .map_err(|_| InstallError::refused(format!("openclaw.hooks entry is no directory inside the package: {entry}")))?;
        let (hook, handler) = hook(&place)?;
        handlers.push(handler.strip_prefix(dir).map(Path::to_owned).unwrap_or(handler));
        hooks.push(hook);
    }
    pack_of(id, Some(package), hooks, handlers)
}

fn pack_of(
    id: String,
    package: Option<chela_manifest::PackageMeta>,
    hooks: Vec<String>,
    entries: Vec<PathBuf>,
) -> Result<HookPack, InstallError> {
    check_name(&id)?;
    let candidate = Candidate {
        id,
        name: None,
        version: package.as_ref().and_then(|package| package.version.clone()),
        package: package.map(std::sync::Arc::new),
        manifest: None,
        bundle_format: None,
        entries,
        notes: Vec::new(),
    };
    Ok(HookPack { candidate, hooks })
}

/// Name and handler of a hook.
fn hook(dir: &Path) -> Result<(String, PathBuf), InstallError> {
    let shown = dir.file_name().unwrap_or_default().to_string_lossy();
    let hook = match chela_hook_files::read_hook(dir) {
        Ok(Some(hook)) => hook,
        Ok(None) => return Err(InstallError::refused(format!("{} missing in {shown}", chela_hook_files::HOOK_FILE))),
        Err(chela_hook_files::HookError::NoHandler { .. }) => {
            return Err(InstallError::refused(format!("{} missing in {shown}", chela_hook_files::HANDLERS.join("/"))));
        }
        Err(error) => return Err(InstallError::refused(error.to_string())),
    };
    check_name(&hook.name)?;
    let handler = hook.handler.strip_prefix(&hook.dir).map_or_else(|_| hook.handler.clone(), |inner| dir.join(inner));
    Ok((hook.name, handler))
}

/// Names become directories and config keys.
fn check_name(name: &str) -> Result<(), InstallError> {
    let problem = match name {
        "" => "missing",
        _ if name.starts_with('.') => "reserved path segment",
        _ if name.contains(['/', '\\']) || name.chars().any(char::is_control) => "path separators not allowed",
        _ if name.len() > 200 => "too long",
        _ => return Ok(()),
    };
    Err(InstallError::refused(format!("invalid hook name: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_directories() {
        for (name, good) in [("a", true), ("a b", true), ("..", false), ("a/b", false), ("a\\b", false), ("", false), (".x", false)] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }
}
