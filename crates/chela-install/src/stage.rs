//! The place where a plugin is fetched, unpacked, checked and scanned. Nothing outside changes before all of that went well (INS-344).

use std::path::{Path, PathBuf};

use crate::error::InstallError;
use crate::fsops::{create_private_dir, remove_if_empty, remove_tree};
use crate::layout::Layout;
use crate::scratch::Scratch;

/// A directory of its own for one attempt; it goes when this value does.
#[derive(Debug)]
pub(crate) struct Stage {
    dir: PathBuf,
    root: PathBuf,
}

impl Stage {
    /// Makes the directory. The lock must be held.
    pub(crate) fn create(layout: &Layout) -> Result<Self, InstallError> {
        let root = layout.stage_root();
        create_private_dir(&root)?;
        let dir = root.join(uuid::Uuid::new_v4().simple().to_string());
        fs_err::create_dir(&dir)?;
        let stage = Self { dir, root };
        fs_err::create_dir(stage.version())?;
        Ok(stage)
    }

    /// A stage outside of the state directory, for a look at what an update would bring.
    pub(crate) fn outside(scratch: &Scratch) -> Result<Self, InstallError> {
        let stage = Self { dir: scratch.path().join("stage"), root: scratch.path().to_owned() };
        fs_err::create_dir(&stage.dir)?;
        fs_err::create_dir(stage.version())?;
        Ok(stage)
    }

    /// A path for what is not part of the result.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What becomes the version directory.
    pub(crate) fn version(&self) -> PathBuf {
        self.dir.join("version")
    }

    /// `node_modules` of the version directory.
    pub(crate) fn modules(&self) -> PathBuf {
        self.version().join("node_modules")
    }

    /// Moves a directory of the stage to its place below `node_modules`.
    pub(crate) fn adopt(&self, dir: &Path, module: &Path) -> Result<PathBuf, InstallError> {
        let target = self.modules().join(module);
        if let Some(parent) = target.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::rename(dir, &target)?;
        Ok(target)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.dir) {
            tracing::warn!("a stage directory stays until the next install: {error}");
        }
        remove_if_empty(&self.root);
    }
}

/// Removes stages of processes that ended. The lock must be held.
pub(crate) fn sweep(layout: &Layout) -> Result<(), InstallError> {
    remove_tree(&layout.stage_root())?;
    Ok(())
}
