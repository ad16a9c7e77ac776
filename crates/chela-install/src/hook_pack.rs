//! Hook packs: packages with hooks and no plugin. A path or npm package that is no plugin may be one (INS-125, INS-126, INS-192).
//!
//! They are no plugins: their files are copied to `<state>/hooks/<id>`, where hooks are looked for, and the config records them.

use std::path::{Path, PathBuf};

use chela_catalog::candidate::Candidate;
use serde_json::{Map, Value};

use crate::error::InstallError;
use crate::fsops::{create_private_dir, exchange, remove_if_empty, seal_tree, sync_dir};
use crate::install::{Installed, Installer, Purpose};
use crate::intent::{ConfigChange, Operation};
use crate::layout::module_path;
use crate::marketplace::inside;
use crate::records::RecordFields;
use crate::source::Fetched;
use crate::stage::Stage;

/// What describes a hook.
const HOOK_FILE: &str = "HOOK.md";
/// What a hook runs; the first that is there.
const HANDLERS: [&str; 4] = ["handler.ts", "handler.js", "index.ts", "index.js"];
/// Largest `HOOK.md` that is read, in bytes.
const MAX_HOOK_FILE: u64 = 1 << 20;

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
        mut fetched: Fetched,
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
        let id = pack.candidate.id.clone();
        let target = self.world.layout.state_dir().join("hooks").join(&id);
        refuse_existing(&target, purpose.force)?;
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
        let record = self.hook_record(&id, fields, &pack.hooks)?;
        self.put_hook_pack(&dir, &target, &id, &record, &pack.hooks)?;
        Ok(installed(pack, record, None))
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

    /// A former record's keys stay, as those of plugins do.
    fn hook_record(&self, id: &str, fields: RecordFields, hooks: &[String]) -> Result<Map<String, Value>, InstallError> {
        let config = self.world.config()?;
        let former = config.source["hooks"]["internal"]["installs"].get(id).and_then(Value::as_object);
        let former = former.and_then(|fields| chela_catalog::InstallRecord::from_fields(fields.clone()));
        let mut record = fields.after(former.as_ref());
        record.insert("hooks".into(), hooks.to_vec().into());
        Ok(record)
    }

    /// The files change places in one step; when the config cannot be written, they change back.
    fn put_hook_pack(
        &self,
        dir: &Path,
        target: &Path,
        id: &str,
        record: &Map<String, Value>,
        hooks: &[String],
    ) -> Result<(), InstallError> {
        let change = ConfigChange::HookPack { record: record.clone(), hooks: hooks.to_vec(), extra_dir: None };
        // Refused here, nothing has changed yet.
        self.world.try_config(&change, id)?;
        let parent = target.parent().unwrap_or(target);
        let parent_was_there = parent.exists();
        create_private_dir(parent)?;
        let replaces = target.symlink_metadata().is_ok();
        let moved = if replaces { exchange(dir, target) } else { fs_err::rename(dir, target) };
        let written = moved.map_err(InstallError::from).and_then(|()| {
            sync_dir(Some(parent));
            self.world.write_config(&change, id).map_err(|error| {
                let back = if replaces { exchange(dir, target) } else { fs_err::rename(target, dir) };
                match back {
                    Ok(()) => error,
                    Err(second) => InstallError::HalfUndone { first: Box::new(error), second: Box::new(second.into()) },
                }
            })
        });
        if written.is_err() && !parent_was_there {
            remove_if_empty(parent);
        }
        written.map(drop)
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
        let record = self.hook_record(&id, fetched.record.with("version", pack.candidate.version.as_deref()), &pack.hooks)?;
        let change = ConfigChange::HookPack { record: record.clone(), hooks: pack.hooks.clone(), extra_dir: text.map(str::to_owned) };
        self.world.try_config(&change, &id)?;
        self.world.write_config(&change, &id)?;
        Ok(installed(pack, record, Some(path.to_owned())))
    }
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
    let description = dir.join(HOOK_FILE);
    let small = description.metadata().is_ok_and(|stat| stat.is_file() && stat.len() <= MAX_HOOK_FILE);
    let shown = dir.file_name().unwrap_or_default().to_string_lossy();
    if !small {
        return Err(InstallError::refused(format!("{HOOK_FILE} missing in {shown}")));
    }
    let handler = HANDLERS.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    let handler = handler.ok_or_else(|| InstallError::refused(format!("{} missing in {shown}", HANDLERS.join("/"))))?;
    let text = String::from_utf8_lossy(&fs_err::read(&description)?).into_owned();
    let name = name_in(&text).unwrap_or(&shown).to_owned();
    check_name(&name)?;
    Ok((name, handler.file_name().map_or(handler.clone(), |file| dir.join(file))))
}

/// `name` of the front matter.
fn name_in(text: &str) -> Option<&str> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let value = lines.take_while(|line| line.trim_end() != "---").find_map(|line| line.strip_prefix("name:"))?;
    let value = value.trim();
    let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    Some(bare.trim()).filter(|name| !name.is_empty())
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
    fn the_front_matter_names_a_hook() {
        for (text, name) in [
            ("---\nname: one\n---\n", Some("one")),
            ("---\r\ndescription: x\r\nname: \"two words\"\r\n---\r\n", Some("two words")),
            ("---\nname:\n---\n", None),
            ("---\nmetadata:\n  name: inner\n---\nname: later", None),
            ("# Title\nname: no", None),
            ("", None),
        ] {
            assert_eq!(name_in(text), name, "{text:?}");
        }
        for (name, good) in [("a", true), ("a b", true), ("..", false), ("a/b", false), ("a\\b", false), ("", false), (".x", false)] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }
}
