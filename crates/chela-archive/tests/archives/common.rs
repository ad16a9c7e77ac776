//! Builders of archives, hostile ones included.

use std::io::{Cursor, Write};
use std::path::Path;

use chela_archive::{ArchiveError, Extracted, Kind, Options, extract};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// One tar entry with its header as it stands, whatever the name.
pub fn tar_entry(name: &[u8], kind: EntryType, mode: u32, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(data.len() as u64);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

pub fn file(name: &str, data: &str) -> Vec<u8> {
    tar_entry(name.as_bytes(), EntryType::Regular, 0o644, data.as_bytes())
}

/// Entries and the end mark.
pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = entries.concat();
    out.resize(out.len() + 1024, 0);
    out
}

pub fn gz(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// A zip file; `None` makes a directory.
pub fn zip(entries: &[(&str, Option<&[u8]>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in entries {
        match data {
            Some(data) => {
                writer.start_file(*name, SimpleFileOptions::default().unix_permissions(0o644)).unwrap();
                writer.write_all(data).unwrap();
            }
            None => writer.add_directory(*name, SimpleFileOptions::default()).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

/// Replaces every occurrence of `from` by `to`, which has the same length.
pub fn patched(mut data: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..=data.len() - from.len() {
        if data[at..].starts_with(from) {
            data[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to patch");
    data
}

/// Changes `length` bytes at `offset` of every central record.
pub fn patch_central(mut data: Vec<u8>, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let records: Vec<usize> = (0..data.len() - 4).filter(|at| data[*at..].starts_with(b"PK\x01\x02")).collect();
    assert!(!records.is_empty());
    for at in records {
        data[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
    }
    data
}

pub fn run(data: &[u8], kind: Kind, options: &Options, into: &Path) -> Result<Extracted, ArchiveError> {
    extract(Cursor::new(data), kind, into, options)
}

/// The error text of an archive that must be refused.
pub fn refused(data: &[u8], kind: Kind, options: &Options) -> String {
    let dir = tempfile::tempdir().unwrap();
    run(data, kind, options, &dir.path().join("x")).unwrap_err().to_string()
}

/// All files below a directory, with mode and text, sorted.
pub fn tree(root: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let mut out = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs_err::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                out.push(format!("{name}/ {mode:o}"));
                open.push(path);
            } else {
                out.push(format!("{name} {mode:o} {}", String::from_utf8_lossy(&fs_err::read(&path).unwrap())));
            }
        }
    }
    out.sort();
    out
}
