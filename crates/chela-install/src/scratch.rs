//! A directory outside of the state directory for what is only looked at: dry runs and listings write nothing that stays.

use std::path::{Path, PathBuf};

use chela_config::Env;

use crate::fsops::{create_private_dir, remove_tree};

/// A private temporary directory; it goes when this value does.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn create(env: &Env) -> std::io::Result<Self> {
        let base = env.non_empty("TMPDIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
        let dir = base.unwrap_or_else(|| PathBuf::from("/tmp")).join(format!("chela-{}", uuid::Uuid::new_v4().simple()));
        create_private_dir(&dir)?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!("a temporary directory stays: {error}");
        }
    }
}
