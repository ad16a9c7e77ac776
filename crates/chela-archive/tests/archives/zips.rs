//! Zip files: what is taken, what is refused.

use std::io::{Cursor, Write};

use crate::common::{patch_central, patched, refused, run, tree, zip};
use chela_archive::{Kind, Limits, Options, extract_stream};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn strict() -> Options {
    Options::default()
}

fn limited(change: impl FnOnce(&mut Limits)) -> Options {
    let mut options = Options::default();
    change(&mut options.limits);
    options
}

fn written(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    build(&mut writer);
    writer.finish().unwrap().into_inner()
}

#[test]
fn files_come_out_with_plain_modes() {
    let data = written(|w| {
        w.add_directory("pkg", SimpleFileOptions::default()).unwrap();
        w.start_file("pkg/run", SimpleFileOptions::default().unix_permissions(0o4711)).unwrap();
        w.write_all(b"#!").unwrap();
        w.start_file("pkg/a.js", SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o600))
            .unwrap();
        w.write_all(b"a").unwrap();
        w.start_file("pkg/d/é.js", SimpleFileOptions::default()).unwrap();
        w.write_all(&[b'x'; 30]).unwrap();
    });
    let dir = tempfile::tempdir().unwrap();
    let done = run(&data, Kind::Zip, &strict(), dir.path()).unwrap();
    assert_eq!((done.files, done.dirs, done.bytes), (3, 1, 33));
    let long = "x".repeat(30);
    assert_eq!(tree(dir.path()), ["pkg/ 755", "pkg/a.js 644 a", "pkg/d/ 755", &format!("pkg/d/é.js 644 {long}"), "pkg/run 755 #!"]);
    let error = extract_stream(Cursor::new(&data), Kind::Zip, dir.path(), &strict()).unwrap_err();
    assert!(error.to_string().contains("cannot be read from a stream"));
}

// INS-163
#[test]
fn bad_names_and_kinds_are_refused() {
    let table: &[(&str, &str)] = &[
        ("../evil", "archive entry escapes destination: ../evil"),
        ("/evil", "archive entry is absolute: /evil"),
        ("C:/evil", "archive entry uses a drive path: C:/evil"),
        ("a\\evil", "archive entry name holds a backslash: a\\evil"),
        ("a\0evil", "archive entry name holds a NUL byte: a\\u{0}evil"),
    ];
    for (name, expected) in table {
        let harmless = "h".repeat(name.len());
        let data = patched(zip(&[(&harmless, Some(b"1"))]), harmless.as_bytes(), name.as_bytes());
        assert_eq!(refused(&data, Kind::Zip, &strict()), *expected);
    }
    let plain = zip(&[("a", Some(b"1"))]);
    let mode = |mode: u16| patch_central(plain.clone(), 40, &mode.to_le_bytes());
    assert_eq!(refused(&mode(0o120_777), Kind::Zip, &strict()), "zip entry is a link: a");
    assert_eq!(refused(&mode(0o010_644), Kind::Zip, &strict()), "archive entry is a device, pipe or socket: a");
    assert_eq!(refused(&mode(0o020_644), Kind::Zip, &strict()), "archive entry is a device, pipe or socket: a");
    let directory = patch_central(plain.clone(), 38, &0x10u16.to_le_bytes());
    assert_eq!(refused(&directory, Kind::Zip, &strict()), "archive is corrupt: a directory holds data: a");
    let encrypted = patch_central(plain.clone(), 8, &1u16.to_le_bytes());
    assert!(refused(&encrypted, Kind::Zip, &strict()).starts_with("zip entry is encrypted: a"));
    let method = patch_central(plain, 10, &14u16.to_le_bytes());
    assert_eq!(refused(&method, Kind::Zip, &strict()), "zip entry uses an unsupported compression (method 14): a");
}

#[test]
fn duplicates_that_a_decoder_would_hide_are_refused() {
    let data = patched(zip(&[("aa", Some(b"1")), ("ab", Some(b"2"))]), b"ab", b"aa");
    assert_eq!(refused(&data, Kind::Zip, &strict()), "archive holds the entry twice: aa");
    let data = zip(&[("aa", Some(b"1")), ("AA", Some(b"2"))]);
    assert_eq!(refused(&data, Kind::Zip, &strict()), "archive entries differ only in letter case or Unicode form: aa and AA");
}

// INS-161, INS-162
#[test]
fn limits_count_what_comes_out() {
    let data = zip(&[("a", Some(&[7; 50_000])), ("b", Some(&[8; 50_000])), ("c/", None)]);
    let table: [(Options, &str); 4] = [
        (limited(|l| l.archive_bytes = 100), "archive-size-exceeds-limit"),
        (limited(|l| l.entries = 2), "archive-entry-count-exceeds-limit"),
        (limited(|l| l.entry_bytes = 49_999), "archive-entry-extracted-size-exceeds-limit"),
        (limited(|l| l.extracted_bytes = 99_999), "archive-extracted-size-exceeds-limit"),
    ];
    for (options, code) in &table {
        assert_eq!(run(&data, Kind::Zip, options, tempfile::tempdir().unwrap().path()).unwrap_err().code(), Some(*code));
    }
    // The header promises 10 bytes; what comes out is counted, and the lie is refused.
    let lying = patch_central(data, 24, &10u32.to_le_bytes());
    let dir = tempfile::tempdir().unwrap();
    let error = run(&lying, Kind::Zip, &limited(|l| l.entry_bytes = 20_000), dir.path()).unwrap_err();
    assert!(error.code() == Some("archive-entry-extracted-size-exceeds-limit") || error.to_string().contains("corrupt"), "{error}");
    let most = tree(dir.path()).iter().map(String::len).max().unwrap_or_default();
    assert!(most <= 20_100, "{most} bytes were written");
}

#[test]
fn a_declared_count_is_not_believed() {
    let data = zip(&[("a", Some(b"1")), ("b", Some(b"2"))]);
    let end = data.len() - 22;
    for count in [0u16, 1, 3, 0xfffe] {
        let mut lying = data.clone();
        lying[end + 8..end + 10].copy_from_slice(&count.to_le_bytes());
        lying[end + 10..end + 12].copy_from_slice(&count.to_le_bytes());
        assert!(run(&lying, Kind::Zip, &strict(), tempfile::tempdir().unwrap().path()).is_err(), "{count}");
    }
    // A second table before the first, or anything between table and end, is another archive for another reader.
    let mut moved = data.clone();
    moved.splice(end..end, [0; 10]);
    assert_eq!(refused(&moved, Kind::Zip, &strict()), "archive is corrupt: the table of contents is not where it says");
}

#[test]
fn entries_that_share_their_bytes_are_refused() {
    let data = zip(&[("aa", Some(&[5; 4000])), ("ab", Some(&[5; 4000]))]);
    let second = (0..data.len()).filter(|at| data[*at..].starts_with(b"PK\x01\x02")).nth(1).unwrap();
    let mut shared = data;
    shared[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    assert_eq!(refused(&shared, Kind::Zip, &strict()), "zip entries overlap");
}

// INS-164
#[test]
fn broken_data_is_refused_at_every_cut_and_flip() {
    let text: String = (0..400).map(|n| format!("{n} ")).collect();
    let data = zip(&[("package/a.js", Some(b"export {}")), ("package/b.js", Some(text.as_bytes()))]);
    for cut in 0..data.len() {
        let error = run(&data[..cut], Kind::Zip, &strict(), tempfile::tempdir().unwrap().path()).unwrap_err();
        assert!(error.refusal().starts_with("failed to extract archive: archive is "), "{cut}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    for at in (0..data.len()).step_by(2) {
        let mut flipped = data.clone();
        flipped[at] ^= 0x55;
        let into = dir.path().join(at.to_string());
        // Times and the like may differ; what comes out is the text or nothing.
        if run(&flipped, Kind::Zip, &strict(), &into).is_ok() {
            let texts: Vec<_> = tree(&into).into_iter().filter(|line| !line.contains("/ 755")).collect();
            assert!(texts.iter().any(|line| line.ends_with(&text)), "byte {at}: {texts:?}");
        }
    }
}
