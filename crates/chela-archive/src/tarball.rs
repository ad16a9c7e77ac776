//! Tar, plain and gzipped. Headers are read raw and one at a time, so that no header of any size is taken into memory unseen.

use std::io::{self, BufReader, Read};
use std::rc::Rc;

use tar::{Archive, Entry, EntryType};

use crate::count::{Counted, Seen};
use crate::error::{ArchiveError, shown};
use crate::gunzip::Gunzip;
use crate::limits::{Extracted, Manner, Options};
use crate::names::{self, Names};
use crate::pax::Pax;
use crate::sink::Sink;

/// Bytes of one extended header. A name of the longest kind needs a few thousand; npm writes a few hundred.
const HEADER_BYTES: u64 = 64 << 10;
/// Extended headers before one entry: a long name, a long link, a pax header and one to spare.
const HEADERS: usize = 4;
/// Bytes of headers and padding that an entry may take beside its data.
const OVERHEAD: u64 = 8 << 10;

/// Reads all entries of a tar stream into `sink`.
pub(crate) fn read(reader: impl Read, gzip: bool, options: &Options, sink: &mut dyn Sink) -> Result<Extracted, ArchiveError> {
    let limits = &options.limits;
    let (counted, archive_seen) = Counted::new(reader, limits.archive_bytes);
    let buffered = BufReader::with_capacity(64 << 10, counted);
    // What the entries may hold, their headers, and the padding that tape writers add at the end.
    let most = limits.extracted_bytes.saturating_add(limits.entries.saturating_mul(OVERHEAD)).saturating_add(1 << 20);
    let stream: Box<dyn Read + '_> = if gzip { Box::new(Gunzip::new(buffered)) } else { Box::new(buffered) };
    let (stream, stream_seen) = Counted::new(stream, most);
    let seen = Both { archive: archive_seen, stream: stream_seen, options };
    let mut archive = Archive::new(stream);
    let done = entries(&mut archive, options, sink).map_err(|error| seen.cause(error))?;
    // Reads on to the end, so that the checksum of gzip is compared, and knows whether the end was marked.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|error| seen.cause(ArchiveError::read(error)))?;
    if !gzip && seen.stream.trailing_zeros() < 512 {
        return Err(ArchiveError::truncated("the end mark is missing"));
    }
    Ok(done)
}

/// Knows why reading ended, whatever the layers between made of it.
struct Both<'a> {
    archive: Rc<Seen>,
    stream: Rc<Seen>,
    options: &'a Options,
}

impl Both<'_> {
    fn cause(&self, error: ArchiveError) -> ArchiveError {
        let ArchiveError::Read { source } = error else { return error };
        if self.archive.exceeded() {
            ArchiveError::ArchiveSize { limit: self.options.limits.archive_bytes }
        } else if self.stream.exceeded() {
            ArchiveError::ExtractedSize { limit: self.options.limits.extracted_bytes }
        } else if self.stream.ended() {
            ArchiveError::truncated("the data ends early")
        } else {
            ArchiveError::decoding(source)
        }
    }
}

/// What extended headers say of the entry after them.
#[derive(Default)]
struct Ahead {
    long_name: Option<Vec<u8>>,
    pax: Pax,
    count: usize,
}

fn entries<R: Read>(archive: &mut Archive<R>, options: &Options, sink: &mut dyn Sink) -> Result<Extracted, ArchiveError> {
    let mut reading = Reading { options, sink, names: Names::default(), done: Extracted::default(), entries: 0 };
    let mut ahead = Ahead::default();
    for entry in archive.entries().map_err(ArchiveError::read)?.raw(true) {
        let mut entry = entry.map_err(ArchiveError::read)?;
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
                extended(&mut entry, &mut ahead)?;
            }
            _ => reading.entry(&mut entry, std::mem::take(&mut ahead))?,
        }
    }
    if ahead.count > 0 {
        return Err(ArchiveError::truncated("an extended header has no entry"));
    }
    Ok(reading.done)
}

fn extended<R: Read>(entry: &mut Entry<'_, R>, ahead: &mut Ahead) -> Result<(), ArchiveError> {
    let kind = entry.header().entry_type();
    let size = entry.size();
    ahead.count += 1;
    if size > HEADER_BYTES || ahead.count > HEADERS {
        return Err(ArchiveError::HeaderSize { limit: HEADER_BYTES });
    }
    let mut data = Vec::new();
    entry.read_to_end(&mut data).map_err(ArchiveError::read)?;
    if data.len() as u64 != size {
        return Err(ArchiveError::truncated("an extended header ends early"));
    }
    match kind {
        EntryType::GNULongName => {
            let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            data.truncate(end);
            ahead.long_name = Some(data);
        }
        EntryType::XHeader => ahead.pax = Pax::parse(&data)?,
        EntryType::XGlobalHeader => {
            // Git writes its commit here. A name or size for all entries makes no sense but to confuse.
            if Pax::parse(&data)? != Pax::default() {
                return Err(ArchiveError::corrupt("a global pax header sets names or sizes"));
            }
            ahead.count -= 1;
        }
        _ => {}
    }
    Ok(())
}

struct Reading<'a> {
    options: &'a Options,
    sink: &'a mut dyn Sink,
    names: Names,
    done: Extracted,
    entries: u64,
}

impl Reading<'_> {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>, ahead: Ahead) -> Result<(), ArchiveError> {
        let limits = &self.options.limits;
        self.entries += 1;
        if self.entries > limits.entries {
            return Err(ArchiveError::EntryCount { limit: limits.entries });
        }
        let raw = ahead.pax.path.or(ahead.long_name).unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let parts = names::parts(&raw, limits)?;
        let directory = match self.kind(entry.header().entry_type(), &raw, ahead.pax.sparse)? {
            What::Directory => true,
            What::File => raw.ends_with(b"/"),
            What::SkippedLink => {
                self.done.skipped_links += 1;
                return Ok(());
            }
        };
        let size = entry.size();
        if ahead.pax.size.is_some_and(|said| said != size) {
            return Err(ArchiveError::corrupt(format!("two sizes for one entry: {}", shown(&raw))));
        }
        if directory && size != 0 {
            return Err(ArchiveError::corrupt(format!("a directory holds data: {}", shown(&raw))));
        }
        let Some(parts) = parts.get(self.options.strip..).filter(|parts| !parts.is_empty()) else {
            return if parts.is_empty() && !directory { Err(ArchiveError::NoName) } else { Ok(()) };
        };
        self.names.add(parts, directory, self.options)?;
        let path = parts.join("/");
        if directory {
            self.done.dirs += 1;
            return self.sink.directory(&path);
        }
        if size > limits.entry_bytes {
            return Err(ArchiveError::EntrySize { name: shown(&raw), limit: limits.entry_bytes });
        }
        if self.done.bytes.saturating_add(size) > limits.extracted_bytes {
            return Err(ArchiveError::ExtractedSize { limit: limits.extracted_bytes });
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let written = self.sink.file(&path, executable, entry)?;
        if written != size {
            return Err(ArchiveError::truncated(format!("the data of {} ends early", shown(&raw))));
        }
        self.done.files += 1;
        self.done.bytes += size;
        Ok(())
    }

    fn kind(&self, kind: EntryType, raw: &[u8], sparse: bool) -> Result<What, ArchiveError> {
        let name = || shown(raw);
        if sparse {
            return Err(ArchiveError::Sparse { name: name() });
        }
        match kind {
            EntryType::Regular | EntryType::Continuous => Ok(What::File),
            EntryType::Directory => Ok(What::Directory),
            EntryType::Link | EntryType::Symlink if self.options.manner == Manner::Npm => Ok(What::SkippedLink),
            EntryType::Link | EntryType::Symlink => Err(ArchiveError::TarLink { name: name() }),
            EntryType::Char | EntryType::Block | EntryType::Fifo => Err(ArchiveError::Special { name: name() }),
            EntryType::GNUSparse => Err(ArchiveError::Sparse { name: name() }),
            other => Err(ArchiveError::UnknownType { name: name(), kind: format!("`{}`", shown(&[other.as_byte()])) }),
        }
    }
}

enum What {
    File,
    Directory,
    SkippedLink,
}
