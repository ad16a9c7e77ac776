//! Tar files: what is taken, what is refused, and that nothing leaves the target.

use std::io::{Cursor, Read};

use crate::common::{file, gz, refused, run, tar, tar_entry, tree};
use chela_archive::{Kind, Limits, Manner, Options, extract_stream};
use tar::EntryType;

fn strict() -> Options {
    Options::default()
}

fn limited(change: impl FnOnce(&mut Limits)) -> Options {
    let mut options = Options::default();
    change(&mut options.limits);
    options
}

// INS-158
#[test]
fn kinds_come_from_the_name_in_any_case() {
    let table = [
        ("a.zip", Some(Kind::Zip)),
        ("A.ZIP", Some(Kind::Zip)),
        ("a.tgz", Some(Kind::Tgz)),
        ("a.Tar.Gz", Some(Kind::Tgz)),
        ("a.tar", Some(Kind::Tar)),
        ("a.gz", None),
        ("a.tar.xz", None),
        ("zip", None),
    ];
    for (name, kind) in table {
        assert_eq!(Kind::from_name(name), kind, "{name}");
    }
}

#[test]
fn a_package_comes_out_with_plain_modes() {
    let data = tar(&[
        tar_entry(b"package/", EntryType::Directory, 0o7777, b""),
        tar_entry(b"package/bin/run", EntryType::Regular, 0o6755, b"#!/bin/sh"),
        tar_entry(b"package/index.js", EntryType::Regular, 0o666, b"export {}"),
        tar_entry(b"package/secret", EntryType::Regular, 0o000, b"s"),
    ]);
    for (data, kind) in [(data.clone(), Kind::Tar), (gz(&data), Kind::Tgz)] {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("x");
        let done = run(&data, kind, &strict(), &into).unwrap();
        assert_eq!((done.files, done.dirs, done.bytes), (3, 1, 19));
        assert_eq!(
            tree(&into),
            ["package/ 755", "package/bin/ 755", "package/bin/run 755 #!/bin/sh", "package/index.js 644 export {}", "package/secret 644 s"]
        );
        let streamed = dir.path().join("y");
        assert_eq!(extract_stream(Cursor::new(&data), kind, &streamed, &strict()).unwrap(), done);
        assert_eq!(tree(&streamed), tree(&into));
    }
}

#[test]
fn the_first_part_is_dropped_on_wish() {
    let data = tar(&[file("package/a.js", "1"), file("top.txt", "2"), file("other/b/c.js", "3")]);
    let dir = tempfile::tempdir().unwrap();
    run(&data, Kind::Tar, &Options { strip: 1, ..strict() }, dir.path()).unwrap();
    assert_eq!(tree(dir.path()), ["a.js 644 1", "b/ 755", "b/c.js 644 3"]);
}

#[test]
fn long_names_of_gnu_and_pax_are_read() {
    let gnu = format!("package/{}/a.js", "g".repeat(120));
    let pax = format!("package/{}/b.js", "p".repeat(120));
    let record = format!("{} path={pax}\n", pax.len() + 10);
    let data = tar(&[
        tar_entry(b"pax_global_header", EntryType::XGlobalHeader, 0, b"52 comment=0123456789012345678901234567890123456789\n"),
        tar_entry(b"././@LongLink", EntryType::GNULongName, 0, format!("{gnu}\0").as_bytes()),
        file("package/ggg", "1"),
        tar_entry(b"PaxHeader/b.js", EntryType::XHeader, 0, record.as_bytes()),
        file("package/ppp", "2"),
        file("package/c.js", "3"),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let done = run(&data, Kind::Tar, &strict(), dir.path()).unwrap();
    assert_eq!(done.files, 3);
    for (name, text) in [(gnu.as_str(), "1"), (&pax, "2"), ("package/c.js", "3")] {
        assert_eq!(fs_err::read_to_string(dir.path().join(name)).unwrap(), text);
    }
}

// INS-163
#[test]
fn every_entry_that_is_no_file_or_directory_has_its_own_refusal() {
    let table: &[(&[u8], EntryType, &str)] = &[
        (b"../evil", EntryType::Regular, "archive entry escapes destination: ../evil"),
        (b"a/../../evil", EntryType::Directory, "archive entry escapes destination: a/../../evil"),
        (b"/etc/evil", EntryType::Regular, "archive entry is absolute: /etc/evil"),
        (b"C:\\evil", EntryType::Regular, "archive entry uses a drive path: C:\\evil"),
        (b"a\\evil", EntryType::Regular, "archive entry name holds a backslash: a\\evil"),
        (b"package/l", EntryType::Symlink, "tar entry is a link: package/l"),
        (b"package/h", EntryType::Link, "tar entry is a link: package/h"),
        (b"package/c", EntryType::Char, "archive entry is a device, pipe or socket: package/c"),
        (b"package/b", EntryType::Block, "archive entry is a device, pipe or socket: package/b"),
        (b"package/p", EntryType::Fifo, "archive entry is a device, pipe or socket: package/p"),
        (b"package/s", EntryType::GNUSparse, "tar entry is a sparse file: package/s"),
        (b"package/m", EntryType::new(b'M'), "tar entry has the unknown type `M`: package/m"),
        (b"./", EntryType::Directory, ""),
    ];
    for (name, kind, expected) in table {
        let data = tar(&[file("package/ok", "1"), tar_entry(name, *kind, 0o644, b"")]);
        if expected.is_empty() {
            assert!(run(&data, Kind::Tar, &strict(), tempfile::tempdir().unwrap().path()).is_ok());
        } else {
            assert_eq!(refused(&data, Kind::Tar, &strict()), *expected);
        }
    }
    let hidden = tar(&[tar_entry(b"package/d/", EntryType::Directory, 0o755, b"data")]);
    assert_eq!(refused(&hidden, Kind::Tar, &strict()), "archive is corrupt: a directory holds data: package/d/");
    let outside = tempfile::tempdir().unwrap();
    let data = tar(&[file("../evil", "1")]);
    run(&data, Kind::Tar, &strict(), &outside.path().join("in")).unwrap_err();
    assert!(!outside.path().join("evil").exists());
}

#[test]
fn sparse_files_and_second_sizes_in_extended_headers_are_refused() {
    let with = |record: &str| tar(&[tar_entry(b"x", EntryType::XHeader, 0, record.as_bytes()), file("package/a", "12345")]);
    assert_eq!(refused(&with("22 GNU.sparse.major=1\n"), Kind::Tar, &strict()), "tar entry is a sparse file: package/a");
    assert_eq!(refused(&with("11 size=99\n"), Kind::Tar, &strict()), "archive is corrupt: two sizes for one entry: package/a");
    assert!(run(&with("10 size=5\n"), Kind::Tar, &strict(), tempfile::tempdir().unwrap().path()).is_ok());
    assert_eq!(refused(&with("16 path=../evil\n"), Kind::Tar, &strict()), "archive entry escapes destination: ../evil");
    let global = tar(&[tar_entry(b"x", EntryType::XGlobalHeader, 0, b"16 path=../evil\n"), file("package/a", "1")]);
    assert_eq!(refused(&global, Kind::Tar, &strict()), "archive is corrupt: a global pax header sets names or sizes");
    let nul = tar(&[tar_entry(b"x", EntryType::XHeader, 0, b"12 path=a\0b\n"), file("package/a", "1")]);
    assert_eq!(refused(&nul, Kind::Tar, &strict()), "archive entry name holds a NUL byte: a\\u{0}b");
}

#[test]
fn names_that_collide_are_refused_and_npm_takes_the_later_file() {
    let twice = tar(&[file("package/a", "1"), file("package/a", "2"), file("package/A", "3")]);
    assert_eq!(refused(&twice, Kind::Tar, &strict()), "archive holds the entry twice: package/a");
    let cases = tar(&[file("package/é", "1"), file("package/E\u{301}", "2")]);
    assert_eq!(
        refused(&cases, Kind::Tar, &strict()),
        "archive entries differ only in letter case or Unicode form: package/é and package/E\u{301}"
    );
    let dir = tempfile::tempdir().unwrap();
    let links = tar(&[file("package/a", "1"), tar_entry(b"package/l", EntryType::Symlink, 0o777, b""), file("package/a", "2")]);
    let npm = Options { manner: Manner::Npm, strip: 1, ..strict() };
    let done = run(&links, Kind::Tar, &npm, dir.path()).unwrap();
    assert_eq!(done.skipped_links, 1);
    assert_eq!(tree(dir.path()), ["a 644 2"]);
}

// INS-161, INS-162
#[test]
fn each_limit_has_its_code() {
    let limits = Limits::default();
    assert_eq!((limits.archive_bytes, limits.entries), (256 * 1024 * 1024, 50_000));
    assert_eq!((limits.extracted_bytes, limits.entry_bytes), (512 * 1024 * 1024, 256 * 1024 * 1024));
    let data = gz(&tar(&[file("a", &"x".repeat(60_000)), file("b", &"y".repeat(60_000)), file("c", "")]));
    let table: [(Options, &str); 4] = [
        (limited(|l| l.archive_bytes = 100), "archive-size-exceeds-limit"),
        (limited(|l| l.entries = 2), "archive-entry-count-exceeds-limit"),
        (limited(|l| l.entry_bytes = 59_999), "archive-entry-extracted-size-exceeds-limit"),
        (limited(|l| l.extracted_bytes = 119_999), "archive-extracted-size-exceeds-limit"),
    ];
    for (options, code) in table {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(run(&data, Kind::Tgz, &options, &dir.path().join("a")).unwrap_err().code(), Some(code));
        let streamed = extract_stream(Cursor::new(&data), Kind::Tgz, &dir.path().join("b"), &options);
        assert_eq!(streamed.unwrap_err().code(), Some(code));
    }
    let exact = limited(|l| (l.entries, l.entry_bytes, l.extracted_bytes, l.archive_bytes) = (3, 60_000, 120_000, data.len() as u64));
    assert!(run(&data, Kind::Tgz, &exact, tempfile::tempdir().unwrap().path()).is_ok());
}

#[test]
fn directories_that_are_only_implied_count_too() {
    let deep = |n: usize| file(&format!("{n}/1/2/3/4/5/6/7/8/9/f"), "");
    let data = tar(&(0..10).map(deep).collect::<Vec<_>>());
    let error = run(&data, Kind::Tar, &limited(|l| l.entries = 20), tempfile::tempdir().unwrap().path()).unwrap_err();
    assert_eq!(error.code(), Some("archive-entry-count-exceeds-limit"));
}

#[test]
fn headers_of_gigabytes_are_not_taken_into_memory() {
    let mut header = tar_entry(b"././@LongLink", EntryType::GNULongName, 0, b"");
    let mut parsed = tar::Header::from_byte_slice(&header).clone();
    parsed.set_size(8 << 30);
    parsed.set_cksum();
    header.copy_from_slice(parsed.as_bytes());
    let endless = Cursor::new(header).chain(std::io::repeat(b'a'));
    let error = extract_stream(endless, Kind::Tar, &tempfile::tempdir().unwrap().path().join("x"), &strict()).unwrap_err();
    assert_eq!(error.to_string(), "tar extended header exceeds limit (more than 65536 bytes)");
    let many: Vec<_> = (0..100).map(|_| tar_entry(b"x", EntryType::XHeader, 0, b"6 a=b\n")).collect();
    assert!(refused(&tar(&many), Kind::Tar, &strict()).contains("extended header exceeds limit"));
}

/// 100 MiB of zeros in less than a megabyte: refused by what comes out, not by what the file weighs.
#[test]
fn a_bomb_of_zeros_is_refused_while_it_unpacks() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(100 << 20), &mut encoder).unwrap();
    let bomb = encoder.finish().unwrap();
    let small = limited(|l| (l.extracted_bytes, l.entries) = (10 << 20, 10));
    // Blocks of zeros end a tar; what follows is read only to the limit.
    let error = run(&bomb, Kind::Tgz, &small, tempfile::tempdir().unwrap().path()).unwrap_err();
    assert_eq!(error.code(), Some("archive-extracted-size-exceeds-limit"));
}

// INS-164
#[test]
fn broken_data_is_refused_at_every_cut() {
    let plain = tar(&[file("package/a.js", "export {}"), file("package/b.js", &"b".repeat(2000))]);
    let zipped = gz(&plain);
    for cut in (0..plain.len() - 512).step_by(17) {
        let dir = tempfile::tempdir().unwrap();
        let error = run(&plain[..cut], Kind::Tar, &strict(), dir.path()).unwrap_err();
        assert!(error.refusal().starts_with("failed to extract archive: archive is "), "{cut}: {error}");
    }
    for cut in (0..zipped.len()).step_by(3) {
        assert!(run(&zipped[..cut], Kind::Tgz, &strict(), tempfile::tempdir().unwrap().path()).is_err(), "{cut}");
    }
    let mut checksum = zipped.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 1;
    assert!(refused(&checksum, Kind::Tgz, &strict()).starts_with("archive is corrupt"));
    for bad in [&b"this is no archive"[..], &[0x1f, 0x8b, 8, 0], b""] {
        assert!(run(bad, Kind::Tgz, &strict(), tempfile::tempdir().unwrap().path()).is_err());
    }
    let mut header = plain.clone();
    header[0] = b'q';
    assert!(refused(&header, Kind::Tar, &strict()).starts_with("archive is corrupt"));
}

#[test]
fn links_in_the_target_are_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    let into = dir.path().join("in");
    fs_err::create_dir_all(&outside).unwrap();
    fs_err::create_dir_all(&into).unwrap();
    std::os::unix::fs::symlink(&outside, into.join("package")).unwrap();
    std::os::unix::fs::symlink(outside.join("victim"), into.join("file")).unwrap();
    let through = run(&tar(&[file("package/a", "1")]), Kind::Tar, &strict(), &into).unwrap_err();
    assert_eq!(through.to_string(), "archive entry traverses symlink in destination: package");
    let over = run(&tar(&[file("file", "1")]), Kind::Tar, &strict(), &into).unwrap_err();
    assert_eq!(over.to_string(), "archive entry is already in the destination: file");
    let npm = Options { manner: Manner::Npm, ..strict() };
    run(&tar(&[file("file", "1")]), Kind::Tar, &npm, &into).unwrap();
    assert!(into.join("file").symlink_metadata().unwrap().is_file(), "npm's manner replaces the link itself");
    std::os::unix::fs::symlink(&outside, dir.path().join("link")).unwrap();
    let linked = run(&tar(&[file("a", "1")]), Kind::Tar, &strict(), &dir.path().join("link")).unwrap_err();
    assert!(linked.to_string().starts_with("archive destination is a symlink: "));
    assert_eq!(tree(&outside), [""; 0]);
}
