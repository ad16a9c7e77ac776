//! Where plugins come from. A source brings a package into the stage and says what to record; everything after that is the same for all.

pub(crate) mod archive;
pub(crate) mod clawhub;
pub(crate) mod directory;
pub(crate) mod git;
pub(crate) mod marketplace;
pub(crate) mod npm;
pub(crate) mod npm_pack;
pub(crate) mod script;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::choice::Choice;
use crate::clawhub::{ClawHub, ClawHubSpec};
use crate::error::InstallError;
use crate::fsops::FileHashes;
use crate::git::Git;
use crate::install::Installer;
use crate::records::RecordFields;
use crate::stage::Stage;
use chela_npm::Progress;

/// What a source may use.
pub(crate) struct Fetching<'a> {
    pub stage: &'a Stage,
    pub progress: &'a dyn Progress,
}

/// A package in the stage.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The package, or the directory of a script.
    pub dir: PathBuf,
    /// Set when the plugin is one script of that directory.
    pub script: Option<String>,
    /// `plugin-dir plugin-archive plugin-file plugin-npm plugin-git` (INS-237).
    pub kind: &'static str,
    /// What the record says of the source; `installPath` and `version` are added later.
    pub record: RecordFields,
    /// A native package still needs its dependencies.
    pub wants_dependencies: bool,
    /// Dependencies that are in place already, for the lock record.
    pub packages: Value,
    /// Hashes of the files, when they were made on the way and the files are read-only already.
    pub files: Option<FileHashes>,
    /// Signatures and provenance, for the lock record.
    pub trust: Value,
    /// An official package, linked to its source: critical findings of the code scan do not refuse it (INS-227).
    pub trusted: bool,
    /// The plugin id that the place it came from says it has.
    pub expected_id: Option<&'static str>,
}

impl Fetched {
    pub(crate) fn new(dir: PathBuf, kind: &'static str, record: RecordFields) -> Self {
        Self {
            dir,
            script: None,
            kind,
            record,
            wants_dependencies: false,
            packages: Value::Null,
            files: None,
            trust: Value::Null,
            trusted: false,
            expected_id: None,
        }
    }
}

/// One way to get a package.
pub(crate) trait Source {
    /// Brings the package into the stage; writes nowhere else.
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError>;
}

/// A place in the stage that keeps the name of where the package was: a bundle without a name is called after its directory.
fn incoming(stage: &Stage, source: &Path) -> Result<PathBuf, InstallError> {
    let parent = stage.scratch("incoming");
    fs_err::create_dir(&parent)?;
    let name = source.file_name().filter(|name| *name != "..").unwrap_or_else(|| "plugin".as_ref());
    Ok(parent.join(name))
}

/// The source that a path is: archive, script or directory.
pub(crate) fn of_path(path: &Path) -> Result<Box<dyn Source>, InstallError> {
    if path.is_dir() {
        return Ok(Box::new(directory::Directory { path: path.to_owned() }));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match chela_archive::Kind::from_name(&name) {
        Some(kind) => Ok(Box::new(archive::Archive { path: path.to_owned(), kind })),
        None => Ok(Box::new(script::Script { path: path.to_owned() })),
    }
}

impl Installer {
    /// The source behind a choice that copies.
    pub(crate) fn source_of(&self, choice: Choice) -> Result<Box<dyn Source + '_>, InstallError> {
        match choice {
            Choice::Path(path) | Choice::Link(path) => of_path(&path),
            Choice::NpmPack(path) => Ok(Box::new(npm_pack::NpmPack { path })),
            Choice::Git(typed) => Ok(Box::new(self.git_source(&typed)?)),
            Choice::ClawHub(typed) => Ok(Box::new(self.clawhub_source(&typed, None, &typed)?)),
            Choice::Marketplace { plugin, source } => Ok(Box::new(self.marketplace_source(source, plugin))),
            // The caller has answered these.
            Choice::Npm(spec) => Err(InstallError::refused(format!("Package not found on npm: {}", spec.raw))),
            Choice::Bundled(id) => Err(InstallError::refused(format!("Plugin not found: {id}"))),
        }
    }

    /// `base` is the address of a former installation, `spec` what to look for, `typed` what to record.
    pub(crate) fn clawhub_source(&self, spec: &str, base: Option<&str>, typed: &str) -> Result<clawhub::ClawHubSource, InstallError> {
        let spec = ClawHubSpec::parse(spec)?;
        let hub = ClawHub::new(&self.world.env, base)?;
        let host = (self.world.catalog)(&self.world.config()?).host_version;
        let package = hub.find(&spec, &host)?;
        Ok(clawhub::ClawHubSource { hub, package, typed: typed.to_owned() })
    }

    pub(crate) fn marketplace_source(&self, source: String, plugin: String) -> marketplace::MarketplaceSource<'_> {
        marketplace::MarketplaceSource { world: &self.world, source, plugin }
    }

    pub(crate) fn git_source(&self, typed: &str) -> Result<git::GitSource, InstallError> {
        let spec = git::parse(typed, &|text| self.world.user_path(text))?;
        Ok(git::GitSource { git: Git::find(&self.world.env)?, spec, typed: typed.to_owned() })
    }
}
