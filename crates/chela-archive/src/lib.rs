//! Archives of strangers, read safely: zip, gzipped tar and plain tar.
//!
//! Everything that an archive can say about the file system is checked before it is believed: names, kinds of entries, counts and sizes
//! (the bytes that really come out, not those that a header promises). What is refused has its own error. Modes are normalised to 0644,
//! 0755 for programs and directories; owners, times, links and extended attributes are never taken over.
//!
//! Extraction writes into a directory that only the caller uses and that the caller removes on an error: what was written before the bad
//! entry stays there.

mod count;
mod error;
mod gunzip;
mod limits;
mod names;
mod pax;
mod root;
mod sink;
mod tarball;
mod zip_directory;
mod zipped;

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

pub use error::ArchiveError;
pub use limits::{Extracted, Kind, Limits, Manner, Options};
pub use root::{ROOT_MARKERS, package_root};
pub use sink::{DirectorySink, Sink};

/// Extracts an archive into the directory `into`, which is made when it is not there (its parent must be).
///
/// # Errors
/// [`ArchiveError`]: one kind for each reason to refuse (INS-161 to INS-164).
pub fn extract(reader: impl Read + Seek, kind: Kind, into: &Path, options: &Options) -> Result<Extracted, ArchiveError> {
    let mut sink = open(into, options)?;
    read(reader, kind, options, &mut sink)
}

/// Reads an archive and gives each checked entry to `sink`, for callers that hash or store files themselves.
///
/// # Errors
/// As [`extract`], and what the sink answers.
pub fn read(mut reader: impl Read + Seek, kind: Kind, options: &Options, sink: &mut dyn Sink) -> Result<Extracted, ArchiveError> {
    let size = reader.seek(SeekFrom::End(0)).map_err(ArchiveError::read)?;
    if size > options.limits.archive_bytes {
        return Err(ArchiveError::ArchiveSize { limit: options.limits.archive_bytes });
    }
    reader.rewind().map_err(ArchiveError::read)?;
    match kind {
        Kind::Zip => zipped::read(reader, options, sink),
        Kind::Tgz | Kind::Tar => tarball::read(reader, kind == Kind::Tgz, options, sink),
    }
}

/// Extracts a tar stream that cannot seek, such as a download, into the directory `into`.
///
/// # Errors
/// As [`extract`]; [`ArchiveError::NeedsSeek`] for a zip file, whose table of contents is at its end.
pub fn extract_stream(reader: impl Read, kind: Kind, into: &Path, options: &Options) -> Result<Extracted, ArchiveError> {
    let mut sink = open(into, options)?;
    read_stream(reader, kind, options, &mut sink)
}

/// As [`read`], for a tar stream that cannot seek.
///
/// # Errors
/// As [`extract_stream`], and what the sink answers.
pub fn read_stream(reader: impl Read, kind: Kind, options: &Options, sink: &mut dyn Sink) -> Result<Extracted, ArchiveError> {
    match kind {
        Kind::Zip => Err(ArchiveError::NeedsSeek),
        Kind::Tgz | Kind::Tar => tarball::read(reader, kind == Kind::Tgz, options, sink),
    }
}

fn open(into: &Path, options: &Options) -> Result<DirectorySink, ArchiveError> {
    let sink = DirectorySink::open(into)?;
    Ok(if options.manner == Manner::Npm { sink.replacing() } else { sink })
}
