//! What is read, how much of it at most, and what came of it.

/// The form of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `.zip`
    Zip,
    /// `.tgz`, `.tar.gz`
    Tgz,
    /// `.tar`
    Tar,
}

impl Kind {
    /// The kind that a file name ends with, in any letter case (INS-158).
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let ends = |suffix: &str| lower.ends_with(suffix);
        if ends(".zip") {
            Some(Self::Zip)
        } else if ends(".tgz") || ends(".tar.gz") {
            Some(Self::Tgz)
        } else if ends(".tar") {
            Some(Self::Tar)
        } else {
            None
        }
    }
}

/// How much an archive may hold. The default is the reference's (INS-161) for what it limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive itself.
    pub archive_bytes: u64,
    /// Entries, directories included.
    pub entries: u64,
    /// Bytes of all files.
    pub extracted_bytes: u64,
    /// Bytes of one file.
    pub entry_bytes: u64,
    /// Bytes of one name. Below the 4096 of Linux, so that a target directory fits before it.
    pub path_bytes: usize,
    /// Directories inside each other, the file included; the same as for the dependency scan (INS-232).
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { archive_bytes: 256 << 20, entries: 50_000, extracted_bytes: 512 << 20, entry_bytes: 256 << 20, path_bytes: 1024, depth: 64 }
    }
}

/// How strict to be about entries that harm nobody when they are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Links, duplicates and colliding names refuse the archive: what somebody hands over as a plugin.
    #[default]
    Strict,
    /// As npm treats the packages of its registry: links are left out and counted, of two equal names the later file stays, names that
    /// differ in letter case are two files. Everything else is refused as ever.
    Npm,
}

/// What to read and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How much.
    pub limits: Limits,
    /// Leading parts of every name that are dropped; entries with no more parts than that are left out. npm drops 1.
    pub strip: usize,
    /// How strictly.
    pub manner: Manner,
}

/// What came out of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Regular files.
    pub files: u64,
    /// Directories that the archive names itself.
    pub dirs: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Links that were left out ([`Manner::Npm`] only).
    pub skipped_links: u64,
}
