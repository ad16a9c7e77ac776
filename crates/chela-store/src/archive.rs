//! Names of archived transcripts.

use std::path::{Path, PathBuf};

use crate::time;

/// Why a transcript is put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveReason {
    /// A new session took its place: `<file>.reset.<stamp>`.
    Reset,
    /// The session was deleted: `<file>.deleted.<stamp>`.
    Deleted,
}

impl ArchiveReason {
    /// The word in the file name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Deleted => "deleted",
        }
    }
}

/// Name an archived file gets: `<file>.<reason>.2026-01-02T03-04-05.678Z`.
pub fn archive_path(file: &Path, reason: ArchiveReason, at_ms: i64) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.{}", reason.as_str(), time::archive_stamp(at_ms)));
    PathBuf::from(name)
}

/// Name of the copy that is kept before a transcript is cut: `<file>.bak.<stamp>`.
pub(crate) fn backup_path(file: &Path, at_ms: i64) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".bak.{}", time::archive_stamp(at_ms)));
    PathBuf::from(name)
}

/// True for a name that [`archive_path`] or the reference gave to an archived transcript.
pub fn is_archive_name(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    [ArchiveReason::Reset, ArchiveReason::Deleted]
        .iter()
        .any(|reason| name.rsplit_once(&format!(".{}.", reason.as_str())).is_some_and(|(_, stamp)| is_stamp(stamp)))
}

/// `2026-01-02T03-04-05Z`, with or without milliseconds.
fn is_stamp(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00-00-00Z" || shape == "0000-00-00T00-00-00.000Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let path = archive_path(Path::new("/s/a.jsonl"), ArchiveReason::Reset, 1_700_000_000_007);
        assert_eq!(path, Path::new("/s/a.jsonl.reset.2023-11-14T22-13-20.007Z"));
        assert!(is_archive_name(&path));
        assert!(is_archive_name(Path::new("x.jsonl.deleted.2023-11-14T22-13-20Z")));
        for not in ["a.jsonl", "a.jsonl.reset.x", "a.reset.jsonl", "a.jsonl.reset.2023-11-14T22:13:20Z"] {
            assert!(!is_archive_name(Path::new(not)), "{not}");
        }
    }
}
