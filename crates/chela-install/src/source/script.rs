//! A single script. What the reference never could install (INS-167, INS-345): its manifest is brought along.

use std::path::PathBuf;

use chela_manifest::MANIFEST_FILE_NAME;

use super::{Fetched, Fetching, Source, incoming};
use crate::error::InstallError;
use crate::records::RecordFields;

/// A script on this machine, with `openclaw.plugin.json` beside it.
pub(crate) struct Script {
    pub path: PathBuf,
}

impl Source for Script {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        let manifest = self.path.with_file_name(MANIFEST_FILE_NAME);
        if !manifest.is_file() {
            let message = format!("package missing valid openclaw.plugin.json: plugin manifest not found: {}", manifest.display());
            return Err(InstallError::coded("missing_plugin_manifest", message)
                .hint("put the manifest beside the script, or install a directory with a `package.json`"));
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let dir = incoming(fetching.stage, self.path.parent().unwrap_or(&self.path))?;
        fs_err::create_dir(&dir)?;
        fs_err::copy(&self.path, dir.join(&name))?;
        fs_err::copy(&manifest, dir.join(MANIFEST_FILE_NAME))?;
        let record = RecordFields::of("path").with("sourcePath", self.path.to_str());
        Ok(Fetched { script: Some(name), ..Fetched::new(dir, "plugin-file", record) })
    }
}
