//! One error for each reason to refuse an archive.

use std::io;
use std::path::PathBuf;

/// Why an archive was not extracted. Entry names are shown with control characters escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The file itself is too large (INS-161). Code `archive-size-exceeds-limit`.
    #[error("archive size exceeds limit (more than {limit} bytes)")]
    ArchiveSize {
        /// Bytes.
        limit: u64,
    },
    /// Too many entries. Code `archive-entry-count-exceeds-limit`.
    #[error("archive entry count exceeds limit (more than {limit} entries)")]
    EntryCount {
        /// Entries, directories included.
        limit: u64,
    },
    /// One entry is too large. Code `archive-entry-extracted-size-exceeds-limit`.
    #[error("archive entry extracted size exceeds limit (more than {limit} bytes): {name}")]
    EntrySize {
        /// The entry.
        name: String,
        /// Bytes.
        limit: u64,
    },
    /// All entries together are too large. Code `archive-extracted-size-exceeds-limit`.
    #[error("archive extracted size exceeds limit (more than {limit} bytes)")]
    ExtractedSize {
        /// Bytes.
        limit: u64,
    },
    /// `..` in a name.
    #[error("archive entry escapes destination: {name}")]
    Escapes {
        /// The entry.
        name: String,
    },
    /// A name that starts at the root.
    #[error("archive entry is absolute: {name}")]
    Absolute {
        /// The entry.
        name: String,
    },
    /// A name that starts with a Windows drive.
    #[error("archive entry uses a drive path: {name}")]
    DrivePath {
        /// The entry.
        name: String,
    },
    /// A backslash, which some systems take for a separator.
    #[error("archive entry name holds a backslash: {name}")]
    Backslash {
        /// The entry.
        name: String,
    },
    /// A NUL byte in a name.
    #[error("archive entry name holds a NUL byte: {name}")]
    NulByte {
        /// The entry.
        name: String,
    },
    /// Another control character in a name.
    #[error("archive entry name holds a control character: {name}")]
    ControlCharacter {
        /// The entry.
        name: String,
    },
    /// A name that is not UTF-8.
    #[error("archive entry name is not UTF-8: {name}")]
    NotUtf8 {
        /// The entry, with replacement characters.
        name: String,
    },
    /// A file without a name.
    #[error("archive entry has no name")]
    NoName,
    /// A name, or a part of one, is too long.
    #[error("archive entry name is too long (more than {limit} bytes): {name}")]
    NameLength {
        /// The entry, cut.
        name: String,
        /// Bytes.
        limit: usize,
    },
    /// Too many directories inside each other.
    #[error("archive entry lies too deep (more than {limit} levels): {name}")]
    Depth {
        /// The entry.
        name: String,
        /// Levels.
        limit: usize,
    },
    /// A hard or symbolic link in a tar file (INS-163).
    #[error("tar entry is a link: {name}")]
    TarLink {
        /// The entry.
        name: String,
    },
    /// A symbolic link in a zip file.
    #[error("zip entry is a link: {name}")]
    ZipLink {
        /// The entry.
        name: String,
    },
    /// A device, pipe or socket.
    #[error("archive entry is a device, pipe or socket: {name}")]
    Special {
        /// The entry.
        name: String,
    },
    /// A sparse file, whose size has nothing to do with its data.
    #[error("tar entry is a sparse file: {name}")]
    Sparse {
        /// The entry.
        name: String,
    },
    /// An entry kind that nobody here knows, or a volume of several.
    #[error("tar entry has the unknown type {kind}: {name}")]
    UnknownType {
        /// The entry.
        name: String,
        /// The type byte, as text.
        kind: String,
    },
    /// The same file twice, or a file where a directory is.
    #[error("archive holds the entry twice: {name}")]
    Duplicate {
        /// The entry.
        name: String,
    },
    /// Two names that many file systems take for one (letter case or Unicode form).
    #[error("archive entries differ only in letter case or Unicode form: {first} and {second}")]
    Collision {
        /// The earlier name.
        first: String,
        /// The later name.
        second: String,
    },
    /// A password is needed.
    #[error("zip entry is encrypted: {name}; extract it yourself and install the directory")]
    Encrypted {
        /// The entry.
        name: String,
    },
    /// A compression other than none and deflate.
    #[error("zip entry uses an unsupported compression (method {method}): {name}")]
    Compression {
        /// The entry.
        name: String,
        /// The method's number in the zip format.
        method: u16,
    },
    /// Entries that share bytes: a zip bomb.
    #[error("zip entries overlap")]
    Overlap,
    /// An extended header is too large, or there are too many for one entry.
    #[error("tar extended header exceeds limit (more than {limit} bytes)")]
    HeaderSize {
        /// Bytes.
        limit: u64,
    },
    /// The data ends before the archive does.
    #[error("archive is truncated: {detail}")]
    Truncated {
        /// Where.
        detail: String,
    },
    /// The data is not such an archive.
    #[error("archive is corrupt: {detail}")]
    Corrupt {
        /// What is wrong.
        detail: String,
    },
    /// A zip file from a stream.
    #[error("a zip archive cannot be read from a stream; save it to a file first")]
    NeedsSeek,
    /// The target directory is a link.
    #[error("archive destination is a symlink: {path}", path = path.display())]
    DestinationLink {
        /// The directory.
        path: PathBuf,
    },
    /// A part of the target path is a link or no directory.
    #[error("archive entry traverses symlink in destination: {name}")]
    TraversesLink {
        /// The entry.
        name: String,
    },
    /// Something with that name is already in the target directory.
    #[error("archive entry is already in the destination: {name}")]
    Exists {
        /// The entry.
        name: String,
    },
    /// INS-159: the archive has no one directory to take.
    #[error("unexpected archive layout (dirs: {})", dirs.join(", "))]
    Layout {
        /// The directories at the top, sorted.
        dirs: Vec<String>,
    },
    /// The archive cannot be read.
    #[error("archive cannot be read: {source}")]
    Read {
        /// The system's reason.
        source: io::Error,
    },
    /// The target cannot be written.
    #[error("`{path}` cannot be written: {source}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl ArchiveError {
    /// The reference's code of a limit (INS-162); none for other errors.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::ArchiveSize { .. } => Some("archive-size-exceeds-limit"),
            Self::EntryCount { .. } => Some("archive-entry-count-exceeds-limit"),
            Self::EntrySize { .. } => Some("archive-entry-extracted-size-exceeds-limit"),
            Self::ExtractedSize { .. } => Some("archive-extracted-size-exceeds-limit"),
            _ => None,
        }
    }

    /// The text that an install shows (INS-164); a layout error stands for itself, as in the reference.
    pub fn refusal(&self) -> String {
        match self {
            Self::Layout { .. } => self.to_string(),
            _ => format!("failed to extract archive: {self}"),
        }
    }

    pub(crate) fn read(source: io::Error) -> Self {
        Self::Read { source }
    }

    pub(crate) fn corrupt(detail: impl std::fmt::Display) -> Self {
        Self::Corrupt { detail: detail.to_string() }
    }

    pub(crate) fn truncated(detail: impl Into<String>) -> Self {
        Self::Truncated { detail: detail.into() }
    }

    /// What a decoder said: an early end, bad data, or a failing source.
    pub(crate) fn decoding(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::truncated("the data ends early"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => Self::corrupt(error),
            _ => Self::read(error),
        }
    }
}

/// Longest part of an entry name that an error shows, in characters.
const SHOWN: usize = 200;

/// An entry name for messages: no control characters, no endless text.
pub(crate) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&name[..name.len().min(SHOWN * 4)]);
    let mut out = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    if text.chars().count() > SHOWN || name.len() > SHOWN * 4 {
        out.push('…');
    }
    out
}
