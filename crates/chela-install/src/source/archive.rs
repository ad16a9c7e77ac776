//! An archive: zip, tgz, tar.gz or tar (INS-158..INS-166).

use std::path::{Path, PathBuf};

use chela_archive::{ArchiveError, Kind, Options, extract, package_root};

use super::{Fetched, Fetching, Source, incoming};
use crate::error::InstallError;
use crate::records::RecordFields;
use chela_npm::Step;

/// An archive on this machine.
pub(crate) struct Archive {
    pub path: PathBuf,
    pub kind: Kind,
}

impl Source for Archive {
    fn fetch(&self, fetching: &Fetching<'_>) -> Result<Fetched, InstallError> {
        // Named like the archive: a flat bundle without a name is called so.
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let lower = name.to_ascii_lowercase();
        let ending = [".zip", ".tgz", ".tar.gz", ".tar"].into_iter().find(|ending| lower.ends_with(ending)).unwrap_or_default();
        let dir = incoming(fetching.stage, Path::new(&name[..name.len() - ending.len()]))?;
        fetching.progress.begin(Step::Extract, None);
        let unpacked = unpack(&self.path, self.kind, &dir);
        fetching.progress.end(Step::Extract);
        let record = RecordFields::of("archive").with("sourcePath", self.path.to_str());
        Ok(Fetched { wants_dependencies: true, ..Fetched::new(unpacked?, "plugin-archive", record) })
    }
}

/// Unpacks an archive into a new directory and gives the package in it.
pub(crate) fn unpack(archive: &Path, kind: Kind, into: &Path) -> Result<PathBuf, InstallError> {
    unpack_all(archive, kind, into)?;
    root_of(into)
}

/// Unpacks an archive into a new directory.
pub(crate) fn unpack_all(archive: &Path, kind: Kind, into: &Path) -> Result<(), InstallError> {
    let file = fs_err::File::open(archive)?;
    extract(file.into_parts().0, kind, into, &Options::default()).map_err(refusal)?;
    Ok(())
}

/// The package in an unpacked archive.
pub(crate) fn root_of(unpacked: &Path) -> Result<PathBuf, InstallError> {
    package_root(unpacked).map_err(refusal)
}

fn refusal(error: ArchiveError) -> InstallError {
    InstallError::refused(error.refusal())
}
