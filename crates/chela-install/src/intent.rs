//! The pending change, on the disk before anything else changes, so that an end of the process at any moment leaves the old or the
//! new version, whole.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::InstallError;
use crate::fsops::{remove_if_there, replace_file, sync_dir};
use crate::layout::Layout;

/// Version of the file; another one is not understood and stops recovery with an error.
const VERSION: u32 = 1;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    Install,
    Update,
    Uninstall,
    Rollback,
}

/// The move of `current`. `None` is "no link".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Switch {
    pub from: Option<String>,
    pub to: Option<String>,
}

/// The edit of the config, as a purpose and not as text: it is applied to whatever the config is then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum ConfigChange {
    /// None.
    #[default]
    None,
    /// The plugin is wanted (INS-147, INS-148, INS-155).
    #[serde(rename_all = "camelCase")]
    Install { kinds: Vec<String>, load_path: Option<String>, enable: bool },
    /// The hook pack is wanted (INS-192).
    #[serde(rename_all = "camelCase")]
    HookPack { record: Map<String, Value>, hooks: Vec<String>, extra_dir: Option<String>, enable: bool },
    /// The hook pack goes.
    #[serde(rename_all = "camelCase")]
    HookPackRemoval { hooks: Vec<String>, extra_dir: Option<String> },
    /// The plugin goes (INS-296).
    #[serde(rename_all = "camelCase")]
    Uninstall { channels: Vec<String>, load_path: Option<String> },
}

/// The directory of a hook pack, which has no versions and no pointer: the new one takes its place in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackMove {
    /// Where the pack lies.
    pub target: PathBuf,
    /// The file number of the directory that comes there; `None` when the pack goes.
    pub inode: Option<u64>,
}

/// What an installation of the reference leaves for us to remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Leftover {
    /// A package of the shared npm root, with its entry there.
    #[serde(rename_all = "camelCase")]
    NpmPackage { root: PathBuf, name: String },
    /// A clone; its parent goes too when it is empty (INS-304).
    Clone { path: PathBuf },
    /// A copy.
    Directory { path: PathBuf },
}

/// The pending change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Intent {
    version: u32,
    pub operation: Operation,
    /// Plugin id.
    pub plugin: String,
    /// Its directory name.
    pub key: String,
    pub switch: Option<Switch>,
    /// The install record as it was.
    pub before: Option<Map<String, Value>>,
    /// The install record as it will be.
    pub after: Option<Map<String, Value>>,
    pub config: ConfigChange,
    pub leftovers: Vec<Leftover>,
    /// Set for hook packs, which the index does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackMove>,
}

impl Intent {
    pub(crate) fn new(operation: Operation, plugin: &str) -> Self {
        Self {
            version: VERSION,
            operation,
            plugin: plugin.to_owned(),
            key: crate::layout::key_of(plugin),
            switch: None,
            before: None,
            after: None,
            config: ConfigChange::None,
            leftovers: Vec::new(),
            pack: None,
        }
    }

    /// True for a change of a hook pack.
    pub(crate) fn is_pack(&self) -> bool {
        matches!(self.config, ConfigChange::HookPack { .. } | ConfigChange::HookPackRemoval { .. })
    }

    /// A change of the config alone, for what has no record in the index.
    pub(crate) fn of_config(id: &str, config: ConfigChange) -> Self {
        Self { config, ..Self::new(Operation::Install, id) }
    }

    /// Writes the file and makes it durable.
    pub(crate) fn write(&self, layout: &Layout) -> Result<(), InstallError> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        replace_file(&layout.intent(), &text)?;
        Ok(())
    }

    /// The change that an ended process left behind.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>, InstallError> {
        let path = layout.intent();
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(intent) if intent.version == VERSION => Ok(Some(intent)),
            _ => Err(InstallError::refused(format!("the pending change in `{}` is not understood", path.display()))
                .hint("finish it with the version of Chela that wrote it, or remove the file and reinstall the plugin")),
        }
    }

    /// The change is done or taken back.
    pub(crate) fn remove(layout: &Layout) -> Result<(), InstallError> {
        remove_if_there(&layout.intent())?;
        sync_dir(Some(&layout.packages()));
        Ok(())
    }
}
