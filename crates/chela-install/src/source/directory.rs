//! A directory: copied as it is, no package manager (INS-153).

use std::path::PathBuf;

use super::{Fetched, Fetching, Source, incoming};
use crate::error::InstallError;
use crate::fsops::copy_tree;
use crate::records::RecordFields;
use chela_npm::Step;

/// A directory on this machine.
pub(crate) struct Directory {
    pub path: PathBuf,
}

impl Source for Directory {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let dir = incoming(fetching.stage, &self.path)?;
        fetching.progress.begin(Step::Materialise, None);
        let copied = copy_tree(&self.path, &dir);
        fetching.progress.end(Step::Materialise);
        let files = Some(copied?);
        let record = RecordFields::of("path").with("sourcePath", self.path.to_str());
        Ok(Fetched { files, ..Fetched::new(dir, "plugin-dir", record) })
    }
}
