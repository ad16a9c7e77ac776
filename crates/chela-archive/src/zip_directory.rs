//! A zip file's table of contents, walked strictly before the decoder sees it.
//!
//! The decoder keeps entries by name and believes declared counts; here each record is counted, duplicates stay visible, and a table
//! that does not fill its place exactly is refused, so that two readers cannot see two different archives.

use std::io::{Read, Seek, SeekFrom};

use crate::error::ArchiveError;
use crate::limits::Limits;

const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const RECORD: u32 = 0x0201_4b50;
const END_BYTES: usize = 22;
const END64_BYTES: u64 = 56;
const LOCATOR64_BYTES: u64 = 20;
const RECORD_BYTES: u64 = 46;
/// The longest comment that the format allows.
const COMMENT_BYTES: usize = 65_535;

/// One record of the table.
#[derive(Debug)]
pub(crate) struct Record {
    /// The name as it is.
    pub(crate) name: Vec<u8>,
    /// Needs a password.
    pub(crate) encrypted: bool,
    /// Number of the compression method.
    pub(crate) method: u16,
    /// Unix mode with the type of the file; 0 when it was not written on such a system.
    pub(crate) mode: u32,
    /// Bytes of the file, as far as the record says it itself.
    pub(crate) size: u32,
    /// A directory, by its name or its DOS attribute.
    pub(crate) directory: bool,
}

/// The table: where it is and how many records it says it has.
struct Table {
    start: u64,
    end: u64,
    declared: u64,
}

/// Reads all records.
pub(crate) fn read<R: Read + Seek>(reader: &mut R, limits: &Limits) -> Result<Vec<Record>, ArchiveError> {
    let table = locate(reader)?;
    if table.declared > limits.entries {
        return Err(ArchiveError::EntryCount { limit: limits.entries });
    }
    let mut records = Vec::new();
    let mut at = table.start;
    reader.seek(SeekFrom::Start(at)).map_err(ArchiveError::read)?;
    let mut buffered = std::io::BufReader::new(reader);
    while at < table.end {
        if records.len() as u64 >= limits.entries {
            return Err(ArchiveError::EntryCount { limit: limits.entries });
        }
        let (record, size) = record(&mut buffered)?;
        records.push(record);
        at += size;
    }
    if at != table.end || records.len() as u64 != table.declared {
        return Err(ArchiveError::corrupt("the table of contents does not have the size that it says"));
    }
    Ok(records)
}

fn record(reader: &mut impl Read) -> Result<(Record, u64), ArchiveError> {
    let mut fixed = [0; RECORD_BYTES as usize];
    reader.read_exact(&mut fixed).map_err(ArchiveError::decoding)?;
    if u32_at(&fixed, 0) != RECORD {
        return Err(ArchiveError::corrupt("a record of the table of contents is malformed"));
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| u16_at(&fixed, at));
    let mut text = vec![0; usize::from(name) + usize::from(extra) + usize::from(comment)];
    reader.read_exact(&mut text).map_err(ArchiveError::decoding)?;
    let size = RECORD_BYTES + text.len() as u64;
    text.truncate(name.into());
    let attributes = u32_at(&fixed, 38);
    let record = Record {
        directory: text.ends_with(b"/") || attributes & 0x10 != 0,
        name: text,
        encrypted: u16_at(&fixed, 8) & 0x2041 != 0,
        method: u16_at(&fixed, 10),
        mode: attributes >> 16,
        size: u32_at(&fixed, 24),
    };
    Ok((record, size))
}

fn locate<R: Read + Seek>(reader: &mut R) -> Result<Table, ArchiveError> {
    let length = reader.seek(SeekFrom::End(0)).map_err(ArchiveError::read)?;
    let tail_length = length.min((END_BYTES + COMMENT_BYTES) as u64);
    let tail = read_at(reader, length - tail_length, tail_length)?;
    let at = end_record(&tail).ok_or_else(|| ArchiveError::corrupt("there is no zip table of contents"))?;
    let end_at = length - tail_length + at as u64;
    let end = &tail[at..];
    let parts = [4, 6].map(|at| u16_at(end, at));
    let (declared, size, start) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16));
    let table = if declared == u16::MAX || size == u32::MAX || start == u32::MAX {
        locate64(reader, end_at)?
    } else {
        if parts != [0, 0] || u16_at(end, 8) != declared {
            return Err(ArchiveError::corrupt("the zip archive has several parts"));
        }
        Table { start: start.into(), end: u64::from(start) + u64::from(size), declared: declared.into() }
    };
    let limit = if table_is_64(declared, size, start) { end_at.saturating_sub(LOCATOR64_BYTES + END64_BYTES) } else { end_at };
    if table.start > table.end || table.end != limit {
        return Err(ArchiveError::corrupt("the table of contents is not where it says"));
    }
    Ok(table)
}

fn table_is_64(declared: u16, size: u32, start: u32) -> bool {
    declared == u16::MAX || size == u32::MAX || start == u32::MAX
}

fn locate64<R: Read + Seek>(reader: &mut R, end_at: u64) -> Result<Table, ArchiveError> {
    let broken = || ArchiveError::corrupt("the zip64 table of contents is malformed");
    let at = end_at.checked_sub(LOCATOR64_BYTES).ok_or_else(broken)?;
    let locator = read_at(reader, at, LOCATOR64_BYTES)?;
    let record_at = at.checked_sub(END64_BYTES).ok_or_else(broken)?;
    if u32_at(&locator, 0) != LOCATOR64 || u64_at(&locator, 8) != record_at {
        return Err(broken());
    }
    let end = read_at(reader, record_at, END64_BYTES)?;
    let (declared, size, start) = (u64_at(&end, 32), u64_at(&end, 40), u64_at(&end, 48));
    if u32_at(&end, 0) != END64 || u64_at(&end, 24) != declared {
        return Err(broken());
    }
    Ok(Table { start, end: start.checked_add(size).ok_or_else(broken)?, declared })
}

/// The last end record whose comment reaches exactly to the end of the file.
fn end_record(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_BYTES)?;
    (0..=last).rev().find(|at| u32_at(tail, *at) == END && at + END_BYTES + usize::from(u16_at(tail, at + 20)) == tail.len())
}

fn read_at<R: Read + Seek>(reader: &mut R, at: u64, length: u64) -> Result<Vec<u8>, ArchiveError> {
    reader.seek(SeekFrom::Start(at)).map_err(ArchiveError::read)?;
    let mut data = Vec::new();
    reader.take(length).read_to_end(&mut data).map_err(ArchiveError::read)?;
    if data.len() as u64 != length {
        return Err(ArchiveError::truncated("the table of contents ends early"));
    }
    Ok(data)
}

fn bytes_at<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    data.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(data, at))
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(data, at))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(data, at))
}
