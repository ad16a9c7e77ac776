//! `plugins install`: from a source to a version directory, an install record and a config entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chela_catalog::candidate::{CandidateRules, inspect_directory, inspect_file};
use chela_catalog::installs::IndexRecords;
use chela_catalog::{InstallRecord, Origin, Snapshot, official_by_package};
use chela_config::{Config, Env, StatePaths};
use chela_manifest::NpmSpec;
use chela_npm::{NoteLevel, Progress, Quiet};
use serde_json::{Map, Value};

use crate::before_install::{BeforeInstall, NobodyListens};
use crate::checks::below;
use crate::choice::{Choice, InstallFlags, Surroundings, choose};
use crate::error::InstallError;
use crate::fsops::{link_target, remove_if_empty};
use crate::intent::{ConfigChange, Intent, Operation, Switch};
use crate::layout::Layout;
use crate::legacy::leftover_of;
use crate::lock::InstallLock;
use crate::npm::Npm;
use crate::records::RecordFields;
use crate::source::Fetched;
use crate::trace::Trace;
use crate::transaction::{CURRENT, Moments, Undisturbed, commit, recover};
use crate::world::{CatalogSource, World};

/// Longest wait for another process that installs.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// What an [`Installer`] is made from.
pub struct InstallerOptions {
    /// Where the state directory and the config are.
    pub paths: StatePaths,
    /// The environment; the process's own is never read.
    pub env: Env,
    /// Makes the inputs of a scan.
    pub catalog: CatalogSource,
    /// Who asks, for the config's audit log.
    pub actor: String,
    /// Hears of progress and notes.
    pub progress: Arc<dyn Progress>,
    /// Asks `before_install` listeners.
    pub before_install: Arc<dyn BeforeInstall>,
    /// Is told of each moment of a change.
    pub moments: Arc<dyn Moments>,
    /// Phase lines.
    pub trace: Trace,
}

impl InstallerOptions {
    /// Options that show nothing, ask nobody and disturb nothing.
    pub fn new(paths: StatePaths, env: Env, catalog: CatalogSource) -> Self {
        Self {
            paths,
            env,
            catalog,
            actor: "cli".to_owned(),
            progress: Arc::new(Quiet),
            before_install: Arc::new(NobodyListens),
            moments: Arc::new(Undisturbed),
            trace: Trace::default(),
        }
    }
}

/// Changes what is installed. Its methods block; an asynchronous caller runs them on a thread for that.
pub struct Installer {
    pub(crate) world: World,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) moments: Arc<dyn Moments>,
    pub(crate) trace: Trace,
    pub(crate) before_install: Arc<dyn BeforeInstall>,
}

/// What to install.
#[derive(Debug, Clone, Default)]
pub struct InstallRequest {
    /// As typed.
    pub spec: String,
    /// How.
    pub flags: InstallFlags,
}

/// What was installed.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Plugin id.
    pub plugin_id: String,
    /// Version, if it has one.
    pub version: Option<String>,
    /// The install record.
    pub record: Map<String, Value>,
    /// Set when a path is used where it lies (INS-155).
    pub linked: Option<PathBuf>,
    /// False for a plugin that needs config first (INS-115).
    pub enabled: bool,
    /// The hooks of a hook pack; a plugin has none here. `plugin_id` is the pack's id then (INS-192).
    pub hooks: Option<Vec<String>>,
    /// What to say about it: slots that moved, things that went wrong without harm.
    pub warnings: Vec<String>,
}

/// The lock, and what it was held back by.
pub(crate) struct Session {
    _lock: InstallLock,
}

/// What the finishing steps need besides the package itself.
pub(crate) struct Purpose<'a> {
    pub operation: Operation,
    /// As typed, for listeners.
    pub spec: Option<&'a str>,
    pub force: bool,
    pub unsafe_code: bool,
    /// The only id that the package may have.
    pub expected_id: Option<&'a str>,
}

impl Installer {
    /// Makes an installer; nothing is read or written yet.
    pub fn new(options: InstallerOptions) -> Self {
        let layout = Layout::new(&options.paths.state_dir);
        Self {
            world: World { paths: options.paths, env: options.env, layout, catalog: options.catalog, actor: options.actor },
            progress: options.progress,
            moments: options.moments,
            trace: options.trace,
            before_install: options.before_install,
        }
    }

    /// Settles what an ended process left behind; says what was done. Does nothing where nothing was ever installed.
    ///
    /// # Errors
    /// When another process installs, or files cannot be read or written.
    pub fn recover(&self) -> Result<Vec<String>, InstallError> {
        if !self.world.layout.packages().exists() {
            // A process that ended just then may have made the directory around it, and no more.
            remove_if_empty(&self.world.layout.state_dir().join("chela"));
            return Ok(Vec::new());
        }
        let _lock = InstallLock::acquire(&self.world.layout, LOCK_WAIT)?;
        recover(&self.world)
    }

    /// Takes the lock and settles what is open (see [`Installer::recover`]).
    pub(crate) fn begin(&self) -> Result<Session, InstallError> {
        let lock = InstallLock::acquire(&self.world.layout, LOCK_WAIT)?;
        for line in recover(&self.world)? {
            self.progress.note(NoteLevel::Info, &line);
        }
        Ok(Session { _lock: lock })
    }

    /// INS-127.
    pub(crate) fn refuse_nix(&self, verb: &str) -> Result<(), InstallError> {
        if self.world.env.non_empty("OPENCLAW_NIX_MODE") != Some("1") {
            return Ok(());
        }
        Err(InstallError::refused(format!(
            "the config is managed by Nix (`OPENCLAW_NIX_MODE=1`), so `chela plugins {verb}` changes nothing"
        ))
        .hint("change the Nix source of this installation and rebuild"))
    }

    /// Installs a plugin.
    ///
    /// # Errors
    /// [`InstallError`]; the disk is as it was then (INS-344).
    pub fn install(&self, request: &InstallRequest) -> Result<Installed, InstallError> {
        self.refuse_nix("install")?;
        let config = self.trace.phase("config read", &[("command", "install")], || self.world.config())?;
        let bundled = self.world.snapshot(&config, &IndexRecords::new());
        let choice = self.choose(request, &bundled)?;
        self.world.valid_config()?;
        let details = [("command", "install")];
        let _session = self.begin()?;
        let records = self.trace.phase("install records load", &details, || Ok::<_, InstallError>(self.world.records(&config)))?;
        let purpose = Purpose {
            operation: Operation::Install,
            spec: Some(&request.spec),
            force: request.flags.force,
            unsafe_code: request.flags.unsafe_code,
            expected_id: None,
        };
        self.trace.phase("install execution", &details, || match choice {
            Choice::Link(path) => self.link(&config, &records, &path, &purpose),
            Choice::Bundled(id) => self.take_bundled(&config, &bundled, &records, &id, &request.spec),
            Choice::Npm(spec) => self.take_npm(&config, &records, &spec, &request.flags, purpose),
            other => self.bring(&config, &records, &*self.source_of(other)?, purpose),
        })
    }

    fn choose(&self, request: &InstallRequest, bundled: &Snapshot) -> Result<Choice, InstallError> {
        let home = self.world.env.non_empty("HOME").map_or_else(|| self.world.paths.home.clone(), PathBuf::from);
        let resolve = |text: &str| self.world.user_path(text);
        let is_bundled = |id: &str| bundled.get(id).is_some_and(|plugin| plugin.origin == Origin::Bundled);
        choose(&request.spec, &request.flags, &Surroundings { home: &home, resolve: &resolve, is_bundled: &is_bundled })
    }

    /// A package of the registry; `--pin` records the exact version (INS-180).
    fn take_npm(
        &self,
        config: &Config,
        records: &IndexRecords,
        spec: &NpmSpec,
        flags: &InstallFlags,
        purpose: Purpose<'_>,
    ) -> Result<Installed, InstallError> {
        let npm = Npm::new(&self.world, self.progress.clone())?;
        let official = official_by_package(&spec.name);
        let target = npm.select(spec, official)?;
        let recorded = if flags.pin { target.resolved_spec() } else { spec.raw.clone() };
        // INS-205
        let pinned = official.and_then(|official| official.integrity_of(&spec.raw));
        let done = self.bring(config, records, &npm.source(target, &recorded, pinned, official), purpose)?;
        if flags.pin {
            self.progress.note(NoteLevel::Info, &format!("Pinned npm install record to {recorded}."));
        }
        Ok(done)
    }

    /// A path that is used where it lies: the same checks, nothing copied (INS-155, INS-157).
    fn link(&self, config: &Config, records: &IndexRecords, path: &Path, purpose: &Purpose<'_>) -> Result<Installed, InstallError> {
        let host = (self.world.catalog)(config).host_version;
        let rules = CandidateRules { host_version: &host, strict: config.plugins().compat_strict, in_place: true };
        let script = path.is_file().then(|| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let candidate = if path.is_dir() { inspect_directory(path, rules) } else { inspect_file(path, rules) };
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(error) => return self.link_hook_pack(path, purpose, error.into()),
        };
        self.remark(config, &candidate);
        let text = path.to_str();
        let dir = if script.is_some() { path.parent().unwrap_or(path).to_owned() } else { path.to_owned() };
        let fields = RecordFields::of("path").with("sourcePath", text).with("installPath", text);
        let kind = if script.is_some() { "plugin-file" } else { "plugin-dir" };
        let fetched = Fetched { script, ..Fetched::new(dir.clone(), kind, fields) };
        let entries = below(&candidate.entries, &dir);
        self.judge(&candidate, (&dir, &dir), entries, &fetched, purpose)?;
        let record = fetched.record.with("version", candidate.version.as_deref());
        let change = ConfigChange::Install { kinds: candidate.kinds().to_vec(), load_path: text.map(str::to_owned), enable: true };
        let (record, warnings) = self.record_only(records, &candidate.id, record, change)?;
        Ok(Installed {
            plugin_id: candidate.id,
            version: candidate.version,
            record,
            linked: Some(path.to_owned()),
            enabled: true,
            hooks: None,
            warnings,
        })
    }

    /// A bundled plugin needs no files (INS-114, INS-115).
    fn take_bundled(
        &self,
        config: &Config,
        snapshot: &Snapshot,
        records: &IndexRecords,
        id: &str,
        spec: &str,
    ) -> Result<Installed, InstallError> {
        let plugin = snapshot.get(id).ok_or_else(|| InstallError::refused(format!("Plugin not found: {id}")))?;
        let schema = plugin.manifest.config_schema();
        let needs = schema["required"].as_array().is_some_and(|required| !required.is_empty());
        let entry = &config.effective["plugins"]["entries"][id]["config"];
        // A config that its schema refuses counts as none.
        let enable = !needs || (entry.is_object() && plugin.config.is_some());
        let root = plugin.root_dir.to_string_lossy().into_owned();
        let record = RecordFields::of("path").with("spec", Some(spec)).with("sourcePath", Some(&root)).with("installPath", Some(&root));
        let change = ConfigChange::Install { kinds: plugin.manifest.kind.clone(), load_path: None, enable };
        let (record, mut warnings) = self.record_only(records, id, record, change)?;
        warnings.push(format!("\"{id}\" is part of the program, so nothing was fetched; the npm package of that name is `npm:{id}`"));
        if !enable {
            warnings.push(format!("\"{id}\" needs configuration first and is not enabled; set it, then run `chela plugins enable {id}`"));
        }
        Ok(Installed {
            plugin_id: id.to_owned(),
            version: plugin.version.clone(),
            record,
            linked: None,
            enabled: enable,
            hooks: None,
            warnings,
        })
    }

    fn record_only(
        &self,
        records: &IndexRecords,
        id: &str,
        record: RecordFields,
        change: ConfigChange,
    ) -> Result<(Map<String, Value>, Vec<String>), InstallError> {
        let before: Option<&InstallRecord> = records.get(id);
        let mut intent = Intent::new(Operation::Install, id);
        intent.before = before.map(|record| record.fields.clone());
        let record = record.after(before);
        intent.after = Some(record.clone());
        intent.config = change;
        intent.leftovers = before.and_then(|record| leftover_of(&self.world.layout, id, record)).into_iter().collect();
        // A copy of ours that the path replaces goes with its record (INS-149).
        let current = link_target(&self.world.layout.plugin(&intent.key).join(CURRENT));
        if current.is_some() {
            intent.switch = Some(Switch { from: current, to: None });
        }
        let details = [("command", "install"), ("pluginId", id)];
        let done = self.trace.phase("config mutation", &details, || commit(&self.world, &*self.moments, &intent, records, None))?;
        let mut warnings = done.notices;
        warnings.extend(done.warnings);
        Ok((record, warnings))
    }
}
