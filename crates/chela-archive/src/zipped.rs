//! Zip files.

use std::io::{self, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::count::Counted;
use crate::error::{ArchiveError, shown};
use crate::limits::{Extracted, Limits, Manner, Options};
use crate::names::{self, Names};
use crate::sink::Sink;
use crate::zip_directory::{self, Record};

/// Stored and deflated data are read.
const METHODS: [u16; 2] = [0, 8];
/// Where a Unix mode says what a file is, and what it may say.
const TYPE_MASK: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_LINK: u32 = 0o120_000;

/// Reads all entries of a zip file into `sink`.
pub(crate) fn read<R: Read + Seek>(mut reader: R, options: &Options, sink: &mut dyn Sink) -> Result<Extracted, ArchiveError> {
    let records = zip_directory::read(&mut reader, &options.limits)?;
    let mut names = Names::default();
    let mut plans = Vec::with_capacity(records.len());
    for record in &records {
        plans.push(plan(record, options, &mut names)?);
    }
    let mut archive = ZipArchive::new(reader).map_err(damaged)?;
    if archive.has_overlapping_entries().map_err(damaged)? {
        return Err(ArchiveError::Overlap);
    }
    let mut done = Extracted::default();
    for (index, (record, plan)) in records.iter().zip(plans).enumerate() {
        match plan {
            Plan::Skip => {}
            Plan::Link => done.skipped_links += 1,
            Plan::Directory(path) => {
                sink.directory(&path)?;
                done.dirs += 1;
            }
            Plan::File(path) => {
                // Of two records with one name the decoder knows only one; npm's manner never meets zip files, so this is damage.
                done.bytes += file(&mut archive, index, record, &path, &options.limits, done.bytes, sink)?;
                done.files += 1;
            }
        }
    }
    Ok(done)
}

enum Plan {
    Skip,
    Link,
    Directory(String),
    File(String),
}

fn plan(record: &Record, options: &Options, names: &mut Names) -> Result<Plan, ArchiveError> {
    let name = || shown(&record.name);
    let parts = names::parts(&record.name, &options.limits)?;
    if record.encrypted {
        return Err(ArchiveError::Encrypted { name: name() });
    }
    match record.mode & TYPE_MASK {
        0 | TYPE_FILE | TYPE_DIRECTORY => {}
        TYPE_LINK if options.manner == Manner::Npm => return Ok(Plan::Link),
        TYPE_LINK => return Err(ArchiveError::ZipLink { name: name() }),
        _ => return Err(ArchiveError::Special { name: name() }),
    }
    if !METHODS.contains(&record.method) {
        return Err(ArchiveError::Compression { name: name(), method: record.method });
    }
    let directory = record.directory || record.mode & TYPE_MASK == TYPE_DIRECTORY;
    if directory && record.size != 0 {
        return Err(ArchiveError::corrupt(format!("a directory holds data: {}", name())));
    }
    let Some(kept) = parts.get(options.strip..).filter(|kept| !kept.is_empty()) else {
        return if parts.is_empty() && !directory { Err(ArchiveError::NoName) } else { Ok(Plan::Skip) };
    };
    names.add(kept, directory, options)?;
    let path = kept.join("/");
    Ok(if directory { Plan::Directory(path) } else { Plan::File(path) })
}

fn file<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
    record: &Record,
    path: &str,
    limits: &Limits,
    before: u64,
    sink: &mut dyn Sink,
) -> Result<u64, ArchiveError> {
    let name = || shown(&record.name);
    let entry = archive.by_index(index).map_err(damaged)?;
    if entry.name_raw() != record.name {
        return Err(ArchiveError::corrupt(format!("an entry has two names: {}", name())));
    }
    let declared = entry.size();
    let left = limits.extracted_bytes.saturating_sub(before);
    let too_large = || {
        if left < limits.entry_bytes {
            ArchiveError::ExtractedSize { limit: limits.extracted_bytes }
        } else {
            ArchiveError::EntrySize { name: name(), limit: limits.entry_bytes }
        }
    };
    let most = left.min(limits.entry_bytes);
    if declared > most {
        return Err(too_large());
    }
    let (mut data, seen) = Counted::new(entry, most);
    let written = sink.file(path, record.mode & 0o111 != 0, &mut data).map_err(|error| match error {
        ArchiveError::Read { .. } if seen.exceeded() => too_large(),
        ArchiveError::Read { source } => ArchiveError::decoding(source),
        other => other,
    })?;
    if written != declared {
        return Err(ArchiveError::corrupt(format!("{} has {written} bytes and says {declared}", name())));
    }
    Ok(written)
}

fn damaged(error: ZipError) -> ArchiveError {
    match error {
        ZipError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => ArchiveError::truncated("the data ends early"),
        ZipError::Io(error) => ArchiveError::decoding(error),
        other => ArchiveError::corrupt(other),
    }
}
